/* SPDX-License-Identifier: MIT */
/* Configuration files are read as they are written, or not at all. */
#include "base/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

static char path[] = "/tmp/test_ini.XXXXXX";

/* What the reader told, one line for each section and key. */
static struct strbuf told = STRBUF_INIT(100000);

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
	(void)state;
	strbuf_release(&told);
	return unlink(path);
}

static int tell_section(void *arg, const char *section, int line,
    struct error *err)
{
	(void)arg;
	strbuf_addf(&told, "%d:[%s]\n", line, section);
	if (strcmp(section, "refused") == 0)
		return error_set(err, ERROR_CONFIG, "no such section");
	return 0;
}

static int tell_key(void *arg, const char *section, const char *key,
    const char *value, int line, struct error *err)
{
	(void)arg;
	strbuf_addf(&told, "%d:[%s]<%s>=<%s>\n", line, section, key, value);
	if (strcmp(key, "refused") == 0)
		return error_set(err, ERROR_USAGE, "unknown key");
	return 0;
}

static bool is_list(const char *key)
{
	return strcmp(key, "list") == 0;
}

static int read_bytes(const char *text, size_t len, struct error *err)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	strbuf_clear(&told);
	return ini_read(path, tell_section, tell_key, is_list, NULL, err);
}

static void assert_read(const char *text, const char *expected)
{
	struct error err = ERROR_INIT;

	if (read_bytes(text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(strbuf_text(&told), expected);
}

static void assert_bytes_refused(const char *text, size_t len,
    const char *message)
{
	struct error err = ERROR_INIT;
	char expected[200];

	assert_int_equal(read_bytes(text, len, &err), -1);
	snprintf(expected, sizeof(expected), "%s:%s", path, message);
	assert_string_equal(err.text, expected);
}

static void assert_refused(const char *text, const char *message)
{
	assert_bytes_refused(text, strlen(text), message);
}

static void sections_and_keys_come_in_their_order(void **state)
{
	(void)state;
	assert_read("before = any section\n"
		    "\n"
		    "[defaults]\n"
		    "interval=60s\n"
		    "[pair extracted]\n"
		    "local\t=\t./extracted\n"
		    "  remote = s3://contentextract/extract/  \n",
	    "1:[]<before>=<any section>\n"
	    "3:[defaults]\n"
	    "4:[defaults]<interval>=<60s>\n"
	    "5:[pair extracted]\n"
	    "6:[pair extracted]<local>=<./extracted>\n"
	    "7:[pair extracted]<remote>=<s3://contentextract/extract/>\n");
}

static void an_empty_file_says_nothing(void **state)
{
	(void)state;
	assert_read("", "");
	assert_read("\n\n  \n\t\r\n", "");
	assert_read("\xef\xbb\xbf", "");
}

static void empty_sections_are_told(void **state)
{
	(void)state;
	assert_read("[a]\n[b]\n\n  [c d]  \n", "1:[a]\n2:[b]\n4:[c d]\n");
}

static void comments_begin_a_line(void **state)
{
	(void)state;
	assert_read("; one\n# two\n   ; three\n\t# four = 4\n;[five]\nk = v\n",
	    "6:[]<k>=<v>\n");
}

static void comment_signs_inside_a_value_belong_to_it(void **state)
{
	(void)state;
	assert_read("a = x ; y\nb = x # y\nc = ;\nd = #1\ne = a;b\n",
	    "1:[]<a>=<x ; y>\n"
	    "2:[]<b>=<x # y>\n"
	    "3:[]<c>=<;>\n"
	    "4:[]<d>=<#1>\n"
	    "5:[]<e>=<a;b>\n");
}

static void values_may_be_empty_or_hold_any_sign(void **state)
{
	(void)state;
	assert_read("a =\nb = \nc = x = y\nd = [x]\ne = \"q\"\nf = x:y\n"
		    "g = \xff\xc3\xa9\nh = a  b\n",
	    "1:[]<a>=<>\n"
	    "2:[]<b>=<>\n"
	    "3:[]<c>=<x = y>\n"
	    "4:[]<d>=<[x]>\n"
	    "5:[]<e>=<\"q\">\n"
	    "6:[]<f>=<x:y>\n"
	    "7:[]<g>=<\xff\xc3\xa9>\n"
	    "8:[]<h>=<a  b>\n");
}

static void files_of_other_systems_are_read(void **state)
{
	(void)state;
	assert_read("\xef\xbb\xbf[a]\r\nk = v\r\n", "1:[a]\n2:[a]<k>=<v>\n");
	assert_read("\xef\xbb\xbfk = v\n", "1:[]<k>=<v>\n");
}

static void the_last_line_needs_no_newline(void **state)
{
	(void)state;
	assert_read("[a]\nk = v", "1:[a]\n2:[a]<k>=<v>\n");
	assert_read("[a]", "1:[a]\n");
	assert_refused("[a]\nk",
	    "2: expected [SECTION], KEY = VALUE or a comment");
}

static void a_value_never_goes_on_in_the_next_line(void **state)
{
	(void)state;
	assert_refused("[a]\nexclude = x\n    y\n",
	    "3: expected [SECTION], KEY = VALUE or a comment");
	assert_string_equal(strbuf_text(&told), "1:[a]\n2:[a]<exclude>=<x>\n");
	assert_read("exclude = x\n    y = z\n",
	    "1:[]<exclude>=<x>\n2:[]<y>=<z>\n");
	assert_read("a = x\\\nb = y\n", "1:[]<a>=<x\\>\n2:[]<b>=<y>\n");
}

static void a_line_of_no_known_form_is_refused(void **state)
{
	static const char *const lines[] = { "word", "= value", "  = value",
		"=", ":", "key : value", "key: value", "a:b = c", "]", "-[a]" };
	char text[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "\n%s\nafter = 1\n", lines[i]);
		assert_refused(text,
		    "2: expected [SECTION], KEY = VALUE or a comment");
		assert_string_equal(strbuf_text(&told), "");
	}
}

static void a_broken_section_is_refused(void **state)
{
	static const char *const lines[] = { "[", "[]", "[a", "[a] b", "[a]]",
		"[a] ; comment", "[a]k = v" };
	char text[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		snprintf(text, sizeof(text), "%s\nafter = 1\n", lines[i]);
		assert_refused(text,
		    "1: expected [SECTION] and nothing after it");
		assert_string_equal(strbuf_text(&told), "");
	}
}

static void a_key_given_twice_is_refused(void **state)
{
	(void)state;
	assert_refused("[a]\nk = 1\nj = 1\nk = 2\n", "4: 'k' is given twice");
	assert_refused("k = 1\nk = 1\n", "2: 'k' is given twice");
	assert_refused("[a]\nk = 1\n[b]\nk = 1\n[a]\nk = 2\n",
	    "6: 'k' is given twice");
	assert_read("[a]\nk = 1\n[b]\nk = 2\n",
	    "1:[a]\n2:[a]<k>=<1>\n3:[b]\n4:[b]<k>=<2>\n");
	assert_read("[a]\nlist = 1\nlist = 1\n",
	    "1:[a]\n2:[a]<list>=<1>\n3:[a]<list>=<1>\n");
}

static void lines_of_4096_bytes_are_read_whole(void **state)
{
	char text[4200], expected[4300];

	(void)state;
	memset(text, 'v', sizeof(text));
	memcpy(text, "key=", 4);
	memcpy(text + 4096, "\nb=1", 5);
	snprintf(expected, sizeof(expected),
	    "1:[]<key>=<%.4092s>\n2:[]<b>=<1>\n", text + 4);
	assert_read(text, expected);
	text[4096] = '\0';
	snprintf(expected, sizeof(expected), "1:[]<key>=<%s>\n", text + 4);
	assert_read(text, expected);
}

static void a_longer_line_is_refused(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 'v', sizeof(text));
	memcpy(text, "a=1\nkey=", 8);
	memcpy(text + 4 + 4097, "\nb=1\n", 6);
	assert_refused(text, "2: the line is longer than 4096 bytes");
	assert_string_equal(strbuf_text(&told), "1:[]<a>=<1>\n");
	text[4] = '#';
	assert_refused(text, "2: the line is longer than 4096 bytes");
}

static void a_long_section_name_is_kept(void **state)
{
	char text[300], expected[700];

	(void)state;
	memset(text, 's', sizeof(text));
	memcpy(text, "[", 1);
	memcpy(text + 250, "]\nk=v", 6);
	snprintf(expected, sizeof(expected), "1:[%.249s]\n2:[%.249s]<k>=<v>\n",
	    text + 1, text + 1);
	assert_read(text, expected);
}

static void a_nul_byte_is_refused(void **state)
{
	(void)state;
	assert_bytes_refused("a = 1\nk = v\0w\n", 14,
	    "2: the line contains a NUL byte");
	assert_bytes_refused("\0", 1, "1: the line contains a NUL byte");
}

static void a_handlers_refusal_ends_the_reading(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_refused("[a]\nx = 1\nrefused = 2\ny = 3\n", "3: unknown key");
	assert_string_equal(strbuf_text(&told),
	    "1:[a]\n2:[a]<x>=<1>\n3:[a]<refused>=<2>\n");
	assert_refused("[a]\n[refused]\nx = 1\n", "2: no such section");
	assert_string_equal(strbuf_text(&told), "1:[a]\n2:[refused]\n");
	assert_int_equal(read_bytes("refused=", 8, &err), -1);
	assert_int_equal(err.kind, ERROR_USAGE);
}

static void sections_and_repetition_may_be_of_no_interest(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_read("[a]\nk = v\n", "1:[a]\n2:[a]<k>=<v>\n");
	strbuf_clear(&told);
	assert_int_equal(ini_read(path, NULL, tell_key, NULL, NULL, &err), 0);
	assert_string_equal(strbuf_text(&told), "2:[a]<k>=<v>\n");
	assert_read("list = 1\nlist = 2\n", "1:[]<list>=<1>\n2:[]<list>=<2>\n");
	assert_int_equal(ini_read(path, NULL, tell_key, NULL, NULL, &err), -1);
}

static void a_file_that_is_not_there_is_an_error(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
	    ini_read("/nowhere/x.conf", NULL, tell_key, NULL, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_string_equal(err.text,
	    "cannot open /nowhere/x.conf: No such file or directory");
	assert_int_equal(ini_read("/", NULL, tell_key, NULL, NULL, &err), -1);
	assert_string_equal(err.text, "cannot read /: Is a directory");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_and_keys_come_in_their_order),
		cmocka_unit_test(an_empty_file_says_nothing),
		cmocka_unit_test(empty_sections_are_told),
		cmocka_unit_test(comments_begin_a_line),
		cmocka_unit_test(comment_signs_inside_a_value_belong_to_it),
		cmocka_unit_test(values_may_be_empty_or_hold_any_sign),
		cmocka_unit_test(files_of_other_systems_are_read),
		cmocka_unit_test(the_last_line_needs_no_newline),
		cmocka_unit_test(a_value_never_goes_on_in_the_next_line),
		cmocka_unit_test(a_line_of_no_known_form_is_refused),
		cmocka_unit_test(a_broken_section_is_refused),
		cmocka_unit_test(a_key_given_twice_is_refused),
		cmocka_unit_test(lines_of_4096_bytes_are_read_whole),
		cmocka_unit_test(a_longer_line_is_refused),
		cmocka_unit_test(a_long_section_name_is_kept),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_handlers_refusal_ends_the_reading),
		cmocka_unit_test(sections_and_repetition_may_be_of_no_interest),
		cmocka_unit_test(a_file_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
