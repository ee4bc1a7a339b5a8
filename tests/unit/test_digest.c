/* SPDX-License-Identifier: MIT */
/* Checksums against published values, and their text forms. */
#include "base/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 1321, FIPS 180-4, and the catalogue of CRC algorithms. */
static const struct {
	enum digest_kind kind;
	const char *text;
	const char *hex;
} vectors[] = {
	{ DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
	{ DIGEST_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72" },
	{ DIGEST_MD5,
	    "1234567890123456789012345678901234567890123456789012345678901234"
	    "5678901234567890",
	    "57edf4a22be3c955ac49da2e2107b67a" },
	{ DIGEST_SHA256, "",
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855" },
	{ DIGEST_SHA256, "abc",
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad" },
	{ DIGEST_SHA256,
	    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1" },
	{ DIGEST_CRC32C, "", "00000000" },
	{ DIGEST_CRC32C, "123456789", "e3069283" },
	{ DIGEST_CRC64NVME, "", "0000000000000000" },
	{ DIGEST_CRC64NVME, "123456789", "ae8b14860a799888" },
};

static void assert_hex(const unsigned char *bytes, size_t len, const char *hex)
{
	char text[2 * DIGEST_MAX + 1];

	digest_hex(bytes, len, text);
	assert_string_equal(text, hex);
}

static void one_call_gives_the_published_checksums(void **state)
{
	unsigned char out[DIGEST_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(vectors); i++) {
		digest_once(vectors[i].kind, vectors[i].text,
		    strlen(vectors[i].text), out);
		assert_hex(out, digest_size(vectors[i].kind), vectors[i].hex);
	}
}

static void nothing_has_a_checksum(void **state)
{
	unsigned char out[DIGEST_MAX];

	(void)state;
	digest_once(DIGEST_MD5, NULL, 0, out);
	assert_hex(out, DIGEST_MD5_SIZE, vectors[0].hex);
}

static void pieces_give_the_checksum_of_the_whole(void **state)
{
	unsigned char out[DIGEST_MAX];
	struct digest *d;
	size_t i, step, at, len;

	(void)state;
	for (i = 0; i < COUNT(vectors); i++) {
		len = strlen(vectors[i].text);
		d = digest_new(vectors[i].kind);
		for (step = 1; step <= 7; step += 3) {
			for (at = 0; at < len; at += step)
				digest_update(d, vectors[i].text + at,
				    len - at < step ? len - at : step);
			digest_update(d, NULL, 0);
			digest_final(d, out);
			assert_hex(out, digest_size(vectors[i].kind),
			    vectors[i].hex);
			digest_reset(d);
		}
		digest_free(d);
	}
	digest_free(NULL);
}

static void a_reset_forgets_what_was_added(void **state)
{
	unsigned char out[DIGEST_MAX];
	struct digest *d = digest_new(DIGEST_SHA256);

	(void)state;
	digest_update(d, "forget this", 11);
	digest_reset(d);
	digest_update(d, "abc", 3);
	digest_final(d, out);
	assert_hex(out, DIGEST_SHA256_SIZE, vectors[4].hex);
	digest_free(d);
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void hmac_gives_the_published_values(void **state)
{
	unsigned char key[131], out[DIGEST_SHA256_SIZE];
	const char *longer = "Test Using Larger Than Block-Size Key - "
			     "Hash Key First";

	(void)state;
	memset(key, 0x0b, 20);
	digest_hmac_sha256(key, 20, "Hi There", 8, out);
	assert_hex(out, sizeof(out),
	    "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7");
	digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
	assert_hex(out, sizeof(out),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	digest_hmac_sha256(key, sizeof(key), longer, strlen(longer), out);
	assert_hex(out, sizeof(out),
	    "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54");
}

static void hmac_takes_an_empty_key_and_text(void **state)
{
	unsigned char out[DIGEST_SHA256_SIZE];

	(void)state;
	digest_hmac_sha256("key", 3, "text", 4, out); /* must not linger */
	digest_hmac_sha256("", 0, "", 0, out);
	assert_hex(out, sizeof(out),
	    "b613679a0814d9ec772f95d778c35fc5"
	    "ff1697c493715653c6c712144292c5ad");
}

static void hmac_may_write_over_its_key(void **state)
{
	unsigned char key[DIGEST_SHA256_SIZE] = "Jefe";

	(void)state;
	digest_hmac_sha256(key, 4, "what do ya want for nothing?", 28, key);
	assert_hex(key, sizeof(key),
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
}

static void *hash_often(void *arg)
{
	unsigned char expected[DIGEST_SHA256_SIZE], out[DIGEST_SHA256_SIZE];
	const char *key = arg;
	int i;

	digest_hmac_sha256(key, strlen(key), "text", 4, expected);
	for (i = 0; i < 2000; i++) {
		digest_hmac_sha256(key, strlen(key), "text", 4, out);
		if (memcmp(out, expected, sizeof(out)) != 0)
			return arg;
		digest_once(DIGEST_MD5, "abc", 3, out);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	static char keys[][8] = { "one", "two", "three", "four" };
	pthread_t threads[COUNT(keys)];
	void *failed;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(keys); i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, hash_often, keys[i]), 0);
	for (i = 0; i < COUNT(keys); i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

static void hex_goes_both_ways(void **state)
{
	unsigned char bytes[256], back[256];
	char hex[2 * sizeof(bytes) + 1];
	int i;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	digest_hex(bytes, sizeof(bytes), hex);
	assert_int_equal(strlen(hex), 512);
	assert_memory_equal(hex, "000102", 6);
	assert_int_equal(digest_unhex(hex, 512, back, sizeof(back)), 0);
	assert_memory_equal(back, bytes, sizeof(bytes));
	digest_hex(bytes, 0, hex);
	assert_string_equal(hex, "");
	assert_int_equal(digest_unhex("", 0, back, 0), 0);
}

static void unhex_takes_hex_digits_and_nothing_else(void **state)
{
	unsigned char out[2];

	(void)state;
	assert_int_equal(digest_unhex("aBcD", 4, out, 2), 0);
	assert_memory_equal(out, "\xab\xcd", 2);
	assert_int_equal(digest_unhex("AF09", 4, out, 2), 0);
	assert_memory_equal(out, "\xaf\x09", 2);
	assert_int_equal(digest_unhex("afG0", 4, out, 2), -1);
	assert_int_equal(digest_unhex("abc", 3, out, 2), -1);
	assert_int_equal(digest_unhex("abcde", 5, out, 2), -1);
	assert_int_equal(digest_unhex("abcdef", 6, out, 2), -1);
	assert_int_equal(digest_unhex("ab", 2, out, 2), -1);
	assert_int_equal(digest_unhex("abcg", 4, out, 2), -1);
	assert_int_equal(digest_unhex("abc:", 4, out, 2), -1);
	assert_int_equal(digest_unhex("ab/0", 4, out, 2), -1);
	assert_int_equal(digest_unhex("0x10", 4, out, 2), -1);
	assert_int_equal(digest_unhex(" abc", 4, out, 2), -1);
	assert_int_equal(digest_unhex("@`\xff\x80", 4, out, 2), -1);
}

/* RFC 4648. */
static void base64_gives_the_published_texts(void **state)
{
	static const struct {
		const char *bytes;
		const char *text;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "+//+" },
	};
	unsigned char back[DIGEST_MAX];
	char out[16];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		digest_base64((const unsigned char *)rows[i].bytes,
		    strlen(rows[i].bytes), out);
		assert_string_equal(out, rows[i].text);
		assert_int_equal(digest_unbase64(rows[i].text, back,
		    strlen(rows[i].bytes)), 0);
		assert_memory_equal(back, rows[i].bytes,
		    strlen(rows[i].bytes));
	}
}

static void unbase64_takes_what_it_must_be_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = { { "", 1 }, { "Zg==", 2 }, { "Zg==", 0 }, { "Zg=", 1 },
		{ "Z===", 1 }, { "Zg==-2", 1 }, { "Zm9v-2", 3 }, { "Z!==", 1 },
		{ "Zm9vYg==", 5 }, { " Zg=", 1 }, { "Zg==Zg==", 4 } };
	unsigned char out[DIGEST_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(digest_unbase64(rows[i].text, out,
		    rows[i].len), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_gives_the_published_values),
		cmocka_unit_test(one_call_gives_the_published_checksums),
		cmocka_unit_test(nothing_has_a_checksum),
		cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
		cmocka_unit_test(a_reset_forgets_what_was_added),
		cmocka_unit_test(hmac_takes_an_empty_key_and_text),
		cmocka_unit_test(hmac_may_write_over_its_key),
		cmocka_unit_test(threads_do_not_disturb_each_other),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(unhex_takes_hex_digits_and_nothing_else),
		cmocka_unit_test(base64_gives_the_published_texts),
		cmocka_unit_test(
		    unbase64_takes_what_it_must_be_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
