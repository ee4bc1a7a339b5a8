/* SPDX-License-Identifier: MIT */
/* Which keys are paths, what UTF-8 is, and how keys are ordered and shown. */
#include "base/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum path_verdict check(const char *key)
{
	return path_check(key, strlen(key), 0);
}

static void ordinary_keys_are_paths(void **state)
{
	static const char *const keys[] = {
		"a",
		"a/b/c.txt",
		"download/page_0001/image_v5.png",
		".hidden",
		"...",
		"..a",
		"a..",
		"a/.b",
		"a/...",
		".s3sync2",
		".s3syn",
		".S3SYNC",
		"x.s3sync",
		" ",
		"a b",
		"-",
		"back\\slash",
		"new\nline",
		"\x01",
		"\x7f",
		"été/⬇️/😀",
		"\xef\xbf\xbf",
		"con",
		"a:b",
		"%2e%2e/%2f",
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(keys); i++)
		assert_int_equal(check(keys[i]), PATH_OK);
}

static void each_fault_has_its_verdict(void **state)
{
	static const struct {
		const char *key;
		enum path_verdict verdict;
	} rows[] = {
		{ "", PATH_EMPTY },
		{ "/", PATH_ABSOLUTE },
		{ "/x", PATH_ABSOLUTE },
		{ "//x", PATH_ABSOLUTE },
		{ "a/", PATH_MARKER },
		{ "a/b/", PATH_MARKER },
		{ "a//b", PATH_EMPTY_SEGMENT },
		{ "a//", PATH_EMPTY_SEGMENT },
		{ "a/b//c/", PATH_EMPTY_SEGMENT },
		{ ".", PATH_DOT_SEGMENT },
		{ "..", PATH_DOT_SEGMENT },
		{ "./", PATH_DOT_SEGMENT },
		{ "../", PATH_DOT_SEGMENT },
		{ "../x", PATH_DOT_SEGMENT },
		{ "./x", PATH_DOT_SEGMENT },
		{ "a/./b", PATH_DOT_SEGMENT },
		{ "a/../b", PATH_DOT_SEGMENT },
		{ "a/.", PATH_DOT_SEGMENT },
		{ "a/..", PATH_DOT_SEGMENT },
		{ ".s3sync", PATH_RESERVED_NAME },
		{ ".s3sync/", PATH_RESERVED_NAME },
		{ ".s3sync/root", PATH_RESERVED_NAME },
		{ "a/.s3sync/b", PATH_RESERVED_NAME },
		{ "a/.s3sync", PATH_RESERVED_NAME },
		{ ".s3sync/\xff", PATH_RESERVED_NAME },
		{ "a/\xff", PATH_NOT_UTF8 },
		{ "caf\xe9/x", PATH_NOT_UTF8 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++)
		assert_int_equal(check(rows[i].key), rows[i].verdict);
}

static void a_nul_byte_is_no_path(void **state)
{
	(void)state;
	assert_int_equal(path_check("a\0b", 3, 0), PATH_NUL);
	assert_int_equal(path_check("\0", 1, 0), PATH_NUL);
	assert_int_equal(path_check("a/\0", 3, 0), PATH_NUL);
	assert_int_equal(path_check("a\0/../b", 7, 0), PATH_DOT_SEGMENT);
}

static void bytes_after_the_key_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(path_check("ab/../c", 2, 0), PATH_OK);
	assert_int_equal(path_check("é", 1, 0), PATH_NOT_UTF8);
}

static void a_name_has_at_most_255_bytes(void **state)
{
	char key[600];

	(void)state;
	memset(key, 'n', sizeof(key));
	assert_int_equal(path_check(key, 255, 0), PATH_OK);
	assert_int_equal(path_check(key, 256, 0), PATH_SEGMENT_TOO_LONG);
	key[255] = '/';
	assert_int_equal(path_check(key, 255 + 1 + 255, 0), PATH_OK);
	assert_int_equal(path_check(key, 255 + 1 + 256, 0),
	    PATH_SEGMENT_TOO_LONG);
}

static void prefix_and_key_have_at_most_1024_bytes(void **state)
{
	char key[1100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(key); i++)
		key[i] = i % 100 == 99 ? '/' : 'k';
	assert_int_equal(path_check(key, 1024, 0), PATH_OK);
	assert_int_equal(path_check(key, 1025, 0), PATH_TOO_LONG);
	assert_int_equal(path_check(key, 998, 26), PATH_OK);
	assert_int_equal(path_check(key, 998, 27), PATH_TOO_LONG);
	assert_int_equal(path_check(key, 1, 1023), PATH_OK);
	assert_int_equal(path_check(key, 1, 1024), PATH_TOO_LONG);
	assert_int_equal(path_check(key, 1, SIZE_MAX), PATH_TOO_LONG);
}

static void each_verdict_has_a_sentence(void **state)
{
	int v;

	(void)state;
	for (v = PATH_OK; v <= PATH_NOT_UTF8; v++)
		assert_true(strlen(path_verdict_text(v)) > 20);
	assert_non_null(strstr(path_verdict_text(PATH_DOT_SEGMENT), "'..'"));
}

/* Decodes by the definition: shortest form, no surrogate, <= U+10FFFF. */
static size_t char_by_definition(const unsigned char *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = 1, i;
	uint32_t code = p[0];

	if (p[0] >= 0xf8)
		return 0;
	if (p[0] >= 0xf0) {
		need = 4;
		code = p[0] & 0x07;
	} else if (p[0] >= 0xe0) {
		need = 3;
		code = p[0] & 0x0f;
	} else if (p[0] >= 0xc0) {
		need = 2;
		code = p[0] & 0x1f;
	} else if (p[0] >= 0x80) {
		return 0;
	}
	if (len < need)
		return 0;
	for (i = 1; i < need; i++) {
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[need] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return need;
}

static void utf8_is_what_its_definition_says(void **state)
{
	static const unsigned char edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90,
		0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	unsigned char p[4];
	size_t a, b, len;
	int i, j;

	(void)state;
	for (i = 0; i < 256; i++)
		for (j = 0; j < 256; j++)
			for (a = 0; a < COUNT(edges); a++)
				for (b = 0; b < COUNT(edges); b++) {
					p[0] = (unsigned char)i;
					p[1] = (unsigned char)j;
					p[2] = edges[a];
					p[3] = edges[b];
					len = 1 + a % 4;
					assert_int_equal(
					    path_utf8_char((char *)p, len),
					    char_by_definition(p, len));
					assert_int_equal(
					    path_utf8_char((char *)p, 4),
					    char_by_definition(p, 4));
				}
	assert_int_equal(path_utf8_char("", 0), 0);
}

static void a_fault_is_found_at_any_place(void **state)
{
	char text[40];
	size_t len, at;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (len = 0; len <= sizeof(text); len++) {
		assert_true(path_is_utf8(text, len));
		for (at = 0; at < len; at++) {
			text[at] = (char)0xc3;
			assert_false(path_is_utf8(text, len));
			if (at + 1 < len) {
				text[at + 1] = (char)0xa9;
				assert_true(path_is_utf8(text, len));
				text[at + 1] = 'x';
			}
			text[at] = 'x';
		}
	}
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void keys_are_ordered_by_bytes_the_shorter_first(void **state)
{
	static const char *const ordered[] = { "", "A", "a", "a!", "a-", "a.b",
		"a/", "a/b", "a0", "aa", "b", "\x7f", "é", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80" };
	size_t i, j;

	(void)state;
	for (i = 0; i < COUNT(ordered); i++)
		for (j = 0; j < COUNT(ordered); j++)
			assert_int_equal(
			    sign(path_compare(ordered[i], strlen(ordered[i]),
				ordered[j], strlen(ordered[j]))),
			    (i > j) - (i < j));
	assert_true(path_compare("a\0b", 3, "a\0a", 3) > 0);
	assert_int_equal(path_compare(NULL, 0, NULL, 0), 0);
}

static bool below(const char *key, const char *dir)
{
	return path_is_below(key, strlen(key), dir, strlen(dir));
}

static void below_is_a_matter_of_segments(void **state)
{
	(void)state;
	assert_true(below("a/b", "a"));
	assert_true(below("a/b/c", "a"));
	assert_true(below("a/b/c", "a/b"));
	assert_false(below("a", "a"));
	assert_false(below("a/", "a"));
	assert_false(below("ab/c", "a"));
	assert_false(below("a", "a/b"));
	assert_false(below("b/a", "a"));
	assert_true(below("a", ""));
	assert_false(below("", ""));
}

static void the_parent_ends_before_the_last_slash(void **state)
{
	(void)state;
	assert_int_equal(path_parent_len("a/bc/d", 6), 4);
	assert_int_equal(path_parent_len("a/b", 3), 1);
	assert_int_equal(path_parent_len("a", 1), 0);
	assert_int_equal(path_parent_len("", 0), 0);
}

static void assert_printed(const char *key, size_t len, const char *shown)
{
	char *text = path_printable(key, len);

	assert_string_equal(text, shown);
	free(text);
}

static void people_see_characters_and_escapes(void **state)
{
	(void)state;
	assert_printed("", 0, "");
	assert_printed("a/b c.txt", 9, "a/b c.txt");
	assert_printed("⬇️ é 😀", strlen("⬇️ é 😀"),
	    "⬇️ é 😀");
	assert_printed("a\nb\t\x1b[31m", 9, "a\\x0ab\\x09\\x1b[31m");
	assert_printed("\0\x1f\x20\x7e\x7f", 5, "\\x00\\x1f ~\\x7f");
	assert_printed("caf\xe9", 4, "caf\\xe9");
	assert_printed("\xc2\x9b\xc2\xa0", 4, "\\xc2\\x9b\xc2\xa0");
	assert_printed("\xe2\xac", 2, "\\xe2\\xac");
	assert_printed("back\\slash", 10, "back\\slash");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_keys_are_paths),
		cmocka_unit_test(each_fault_has_its_verdict),
		cmocka_unit_test(a_nul_byte_is_no_path),
		cmocka_unit_test(bytes_after_the_key_do_not_count),
		cmocka_unit_test(a_name_has_at_most_255_bytes),
		cmocka_unit_test(prefix_and_key_have_at_most_1024_bytes),
		cmocka_unit_test(each_verdict_has_a_sentence),
		cmocka_unit_test(utf8_is_what_its_definition_says),
		cmocka_unit_test(a_fault_is_found_at_any_place),
		cmocka_unit_test(keys_are_ordered_by_bytes_the_shorter_first),
		cmocka_unit_test(below_is_a_matter_of_segments),
		cmocka_unit_test(the_parent_ends_before_the_last_slash),
		cmocka_unit_test(people_see_characters_and_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
