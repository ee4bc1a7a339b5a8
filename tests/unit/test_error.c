/* SPDX-License-Identifier: MIT */
/* An error says what went wrong in one line that fits. */
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/path.h"

#define ROOM sizeof(((struct error *)0)->text)

static void a_new_error_is_none(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(err.kind, ERROR_NONE);
	assert_string_equal(err.text, "");
}

static void setting_returns_failure_and_keeps_all(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	err.sys = EIO;
	assert_int_equal(error_set(&err, ERROR_DENIED, "%s: %d", "a/b", 403),
	    -1);
	assert_int_equal(err.kind, ERROR_DENIED);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "a/b: 403");
	error_set(&err, ERROR_DENIED, "a");
	assert_string_equal(err.text, "a");
}

static void the_system_is_quoted(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
	    error_sys(&err, ERROR_LOCAL, ENOENT, "cannot open %s", "f"), -1);
	assert_int_equal(err.kind, ERROR_LOCAL);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.text,
	    "cannot open f: No such file or directory");
}

static void a_full_file_system_has_a_kind_of_its_own(void **state)
{
	static const int full[] = { ENOSPC, EDQUOT, EROFS };
	struct error err = ERROR_INIT;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
		error_sys(&err, ERROR_LOCAL, full[i], "x");
		assert_int_equal(err.kind, ERROR_NO_SPACE);
		assert_int_equal(err.sys, full[i]);
		error_sys(&err, ERROR_MANIFEST, full[i], "x");
		assert_int_equal(err.kind, ERROR_MANIFEST);
	}
	error_sys(&err, ERROR_LOCAL, EIO, "x");
	assert_int_equal(err.kind, ERROR_LOCAL);
}

static void a_prefix_goes_before_the_text(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_sys(&err, ERROR_LOCAL, EACCES, "cannot read it");
	assert_int_equal(error_prefix(&err, "%s:%d", "s3sync.conf", 7), -1);
	assert_string_equal(err.text,
	    "s3sync.conf:7: cannot read it: Permission denied");
	assert_int_equal(err.kind, ERROR_LOCAL);
	assert_int_equal(err.sys, EACCES);
}

static void the_old_text_may_be_an_argument(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_LOCAL, "inner");
	error_set(&err, ERROR_ROOT, "outer (%s), twice %s", err.text, err.text);
	assert_string_equal(err.text, "outer (inner), twice inner");
	error_prefix(&err, "<%s>", err.text);
	assert_string_equal(err.text,
	    "<outer (inner), twice inner>: outer (inner), twice inner");
}

static void a_text_is_one_line(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ERROR_REMOTE, "first\nsecond\r\n\tthird");
	assert_string_equal(err.text, "first second   third");
}

static void assert_cut(const struct error *err)
{
	size_t len = strlen(err->text);

	assert_in_range(len, ROOM - 1 - 3, ROOM - 1);
	assert_string_equal(err->text + len - 3, "...");
	assert_true(path_is_utf8(err->text, len));
}

static void a_text_that_just_fits_is_whole(void **state)
{
	struct error err = ERROR_INIT;
	char text[ROOM];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_LOCAL, "%s", text);
	assert_string_equal(err.text, text);
	error_set(&err, ERROR_LOCAL, "%sy", text);
	assert_int_equal(strlen(err.text), ROOM - 1);
	assert_cut(&err);
}

static void a_longer_text_is_cut_after_a_whole_character(void **state)
{
	static const char *const characters[] = { "x", "é", "⬇", "😀" };
	struct error err = ERROR_INIT;
	char text[2 * ROOM];
	size_t i, pad, at, step;

	(void)state;
	for (i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		step = strlen(characters[i]);
		for (pad = 0; pad < 4; pad++) {
			memset(text, 'p', pad);
			for (at = pad; at + step < sizeof(text); at += step)
				memcpy(text + at, characters[i], step);
			text[at] = '\0';
			error_set(&err, ERROR_LOCAL, "%s", text);
			assert_cut(&err);
			error_sys(&err, ERROR_LOCAL, EIO, "%s", text);
			assert_cut(&err);
			error_prefix(&err, "%s", text + pad);
			assert_cut(&err);
		}
	}
}

static void bytes_that_are_no_characters_are_cut_too(void **state)
{
	struct error err = ERROR_INIT;
	char text[2 * ROOM];

	(void)state;
	memset(text, 0x80, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_LOCAL, "%s", text);
	assert_string_equal(err.text, "...");
}

static void a_prefix_of_a_full_text_cuts_its_end(void **state)
{
	struct error err = ERROR_INIT;
	char text[ROOM];
	int i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_LOCAL, "%s", text);
	for (i = 0; i < 3; i++)
		error_prefix(&err, "p");
	assert_memory_equal(err.text, "p: p: p: xxx", 12);
	assert_int_equal(strlen(err.text), ROOM - 1);
	assert_cut(&err);
}

static void clearing_forgets(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_sys(&err, ERROR_LOCAL, EIO, "x");
	error_clear(&err);
	assert_int_equal(err.kind, ERROR_NONE);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "");
}

static void each_kind_has_a_name_and_an_exit_status(void **state)
{
	static const struct {
		enum error_kind kind;
		const char *name;
		int status;
	} rows[] = {
		{ ERROR_NONE, "none", 0 },
		{ ERROR_USAGE, "usage", 2 },
		{ ERROR_CONFIG, "config", 2 },
		{ ERROR_ROOT, "root", 3 },
		{ ERROR_MANIFEST, "manifest", 3 },
		{ ERROR_CREDENTIALS, "credentials", 3 },
		{ ERROR_BUCKET, "bucket", 3 },
		{ ERROR_NETWORK, "network", 1 },
		{ ERROR_LOCAL, "local", 1 },
		{ ERROR_NO_SPACE, "no-space", 1 },
		{ ERROR_CHANGED, "changed", 1 },
		{ ERROR_EXISTS, "exists", 1 },
		{ ERROR_BLOCKED, "blocked", 1 },
		{ ERROR_DENIED, "denied", 1 },
		{ ERROR_REMOTE, "remote", 1 },
		{ ERROR_INTEGRITY, "integrity", 1 },
		{ ERROR_STOPPED, "stopped", 1 },
	};
	size_t i;

	(void)state;
	assert_int_equal(sizeof(rows) / sizeof(rows[0]), ERROR_STOPPED + 1);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(error_kind_name(rows[i].kind),
		    rows[i].name);
		assert_int_equal(error_exit_status(rows[i].kind),
		    rows[i].status);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_error_is_none),
		cmocka_unit_test(setting_returns_failure_and_keeps_all),
		cmocka_unit_test(the_system_is_quoted),
		cmocka_unit_test(a_full_file_system_has_a_kind_of_its_own),
		cmocka_unit_test(a_prefix_goes_before_the_text),
		cmocka_unit_test(the_old_text_may_be_an_argument),
		cmocka_unit_test(a_text_is_one_line),
		cmocka_unit_test(a_text_that_just_fits_is_whole),
		cmocka_unit_test(a_longer_text_is_cut_after_a_whole_character),
		cmocka_unit_test(bytes_that_are_no_characters_are_cut_too),
		cmocka_unit_test(a_prefix_of_a_full_text_cuts_its_end),
		cmocka_unit_test(clearing_forgets),
		cmocka_unit_test(each_kind_has_a_name_and_an_exit_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
