/* SPDX-License-Identifier: MIT */
/* When signatures are equal, and what becomes of an ETag. */
#include "base/signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/digest.h"

#define MD5_TEXT "d41d8cd98f00b204e9800998ecf8427e"

static void each_part_of_a_local_signature_counts(void **state)
{
	static const struct local_sig sig = { 1, 2, 3, 4 };
	struct local_sig other = sig;

	(void)state;
	assert_true(signature_local_equal(&sig, &other));
	other.size++;
	assert_false(signature_local_equal(&sig, &other));
	other = sig;
	other.mtime_ns--;
	assert_false(signature_local_equal(&sig, &other));
	other = sig;
	other.ctime_ns++;
	assert_false(signature_local_equal(&sig, &other));
	other = sig;
	other.ino = UINT64_MAX;
	assert_false(signature_local_equal(&sig, &other));
}

static struct remote_sig remote(int64_t size, int64_t mtime_ms,
    const char *etag, unsigned char *room)
{
	struct remote_sig sig = { .size = size, .mtime_ms = mtime_ms };

	assert_true(signature_etag_parse(etag, strlen(etag), room, &sig.etag));
	return sig;
}

static void assert_remote(bool equal, const struct remote_sig *a,
    const struct remote_sig *b)
{
	assert_int_equal(signature_remote_equal(a, b), equal);
	assert_int_equal(signature_remote_equal(b, a), equal);
}

static void etag_and_size_make_a_remote_signature(void **state)
{
	unsigned char room[6][ETAG_MAX];
	struct remote_sig a = remote(5, 100, MD5_TEXT, room[0]);
	struct remote_sig b = remote(5, 200, "\"" MD5_TEXT "\"", room[1]);
	struct remote_sig c = remote(6, 100, MD5_TEXT, room[2]);
	struct remote_sig d = remote(5, 100, MD5_TEXT "-2", room[3]);
	struct remote_sig e =
	    remote(5, 100, "E41d8cd98f00b204e9800998ecf8427e", room[4]);
	struct remote_sig f =
	    remote(5, 100, "e41d8cd98f00b204e9800998ecf8427e", room[5]);

	(void)state;
	assert_remote(true, &a, &a);
	assert_remote(true, &a, &b);
	assert_remote(false, &a, &c);
	assert_remote(false, &a, &d);
	assert_remote(false, &a, &e);
	assert_remote(false, &a, &f);
}

static void without_etags_last_modified_counts(void **state)
{
	unsigned char room[ETAG_MAX];
	struct remote_sig a = remote(5, 100, "", room);
	struct remote_sig b = a;
	struct remote_sig c = remote(5, 100, MD5_TEXT, room);

	(void)state;
	assert_remote(true, &a, &b);
	b.mtime_ms = 101;
	assert_remote(false, &a, &b);
	b.mtime_ms = SIGNATURE_MTIME_UNKNOWN;
	assert_remote(false, &a, &b);
	assert_remote(false, &a, &c);
	a.etag.bytes = NULL;
	b = a;
	assert_remote(true, &a, &b);
}

static void bytes_and_text_of_one_length_differ(void **state)
{
	unsigned char room[2][ETAG_MAX];
	struct remote_sig a =
	    remote(1, 1, "30313233343536373839616263646566", room[0]);
	struct remote_sig b = remote(1, 1, "0123456789abcdef", room[1]);

	(void)state;
	assert_int_equal(a.etag.len, b.etag.len);
	assert_memory_equal(a.etag.bytes, b.etag.bytes, 16);
	assert_remote(false, &a, &b);
}

static void assert_text(const char *sent, const char *text, bool may_be_md5)
{
	unsigned char room[ETAG_MAX];
	char out[ETAG_MAX + 1];
	struct etag etag;

	assert_true(signature_etag_parse(sent, strlen(sent), room, &etag));
	signature_etag_text(&etag, out);
	assert_string_equal(out, text);
	assert_int_equal(signature_etag_may_be_md5(&etag), may_be_md5);
	assert_int_equal(etag.len, may_be_md5 ? 16 : strlen(text));
}

static void the_text_form_is_what_was_sent_without_quotes(void **state)
{
	(void)state;
	assert_text("\"" MD5_TEXT "\"", MD5_TEXT, true);
	assert_text(MD5_TEXT, MD5_TEXT, true);
	assert_text("W/\"" MD5_TEXT "\"", MD5_TEXT, true);
	assert_text("\"" MD5_TEXT "-12\"", MD5_TEXT "-12", false);
	assert_text("\"D41D8CD98F00B204E9800998ECF8427E\"",
	    "D41D8CD98F00B204E9800998ECF8427E", false);
	assert_text("\"" MD5_TEXT "0\"", MD5_TEXT "0", false);
	assert_text("\"d41d8cd98f00b204e9800998ecf8427\"",
	    "d41d8cd98f00b204e9800998ecf8427", false);
	assert_text("\"g41d8cd98f00b204e9800998ecf8427e\"",
	    "g41d8cd98f00b204e9800998ecf8427e", false);
	assert_text("\"0x8D9A\"", "0x8D9A", false);
	assert_text("W/x", "W/x", false);
	assert_text("W/\"x\"", "x", false);
	assert_text("a\"b", "a\"b", false);
	assert_text("\"\"", "", false);
	assert_text("\"", "", false);
	assert_text("W/\"\"", "", false);
	assert_text("W/\"", "", false);
	assert_text("abcdef0123456789abcdef0123456789",
	    "abcdef0123456789abcdef0123456789", true);
	assert_text("/:`gabcdef0123456789abcdef012345",
	    "/:`gabcdef0123456789abcdef012345", false);
	assert_text("0123456789abcdef", "0123456789abcdef", false);
	assert_text("", "", false);
}

static void an_etag_past_the_maximum_is_refused(void **state)
{
	unsigned char room[ETAG_MAX];
	char sent[ETAG_MAX + 3], out[ETAG_MAX + 1];
	struct etag etag;

	(void)state;
	memset(sent, 'e', sizeof(sent));
	sent[0] = sent[ETAG_MAX + 1] = '"';
	assert_true(signature_etag_parse(sent, ETAG_MAX + 2, room, &etag));
	assert_int_equal(etag.len, ETAG_MAX);
	signature_etag_text(&etag, out);
	assert_int_equal(strlen(out), ETAG_MAX);

	sent[ETAG_MAX + 1] = 'e';
	sent[ETAG_MAX + 2] = '"';
	assert_false(signature_etag_parse(sent, ETAG_MAX + 3, room, &etag));
	assert_int_equal(etag.len, 0);
	assert_false(signature_etag_may_be_md5(&etag));
	signature_etag_text(&etag, out);
	assert_string_equal(out, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_of_a_local_signature_counts),
		cmocka_unit_test(etag_and_size_make_a_remote_signature),
		cmocka_unit_test(without_etags_last_modified_counts),
		cmocka_unit_test(bytes_and_text_of_one_length_differ),
		cmocka_unit_test(the_text_form_is_what_was_sent_without_quotes),
		cmocka_unit_test(an_etag_past_the_maximum_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
