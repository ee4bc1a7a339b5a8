/* SPDX-License-Identifier: MIT */
/* A file of variables is read as a shell would read it, or refused. */
#include "base/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/strbuf.h"

static char path[] = "/tmp/test_env.XXXXXX";
static struct strbuf logged = STRBUF_INIT(10000);

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd) < 0 ? -1 : 0;
}

static int remove_file(void **state)
{
	(void)state;
	strbuf_release(&logged);
	return unlink(path);
}

static void write_file(const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* The environment with ${text} behind it; the caller frees. */
static struct env *read_text(const char *text)
{
	struct error err = ERROR_INIT;
	struct env *env = env_new();

	write_file(text, strlen(text));
	if (env_read_file(env, path, &err))
		fail_msg("%s", err.text);
	return env;
}

static void check_value(const char *line, const char *value)
{
	struct env *env = read_text(line);
	const char *got = env_get(env, "TEST_ENV_KEY");

	if (value)
		assert_string_equal(got, value);
	else
		assert_null(got);
	env_free(env);
}

static void check_refused(const char *text, const char *what)
{
	struct error err = ERROR_INIT;
	struct env *env = env_new();
	char expected[300];

	write_file(text, strlen(text));
	assert_int_equal(env_read_file(env, path, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	snprintf(expected, sizeof(expected), "%s:%s", path, what);
	assert_string_equal(err.text, expected);
	assert_null(strstr(err.text, "hush"));
	env_free(env);
}

static void the_forms_of_a_line_are_read(void **state)
{
	(void)state;
	check_value("TEST_ENV_KEY=value", "value");
	check_value("TEST_ENV_KEY=value\n", "value");
	check_value("export TEST_ENV_KEY=value\n", "value");
	check_value("  export \t TEST_ENV_KEY=value\n", "value");
	check_value("\tTEST_ENV_KEY='a b'\n", "a b");
	check_value("TEST_ENV_KEY=\"a b\"\n", "a b");
	check_value("\n# said\nTEST_ENV_KEY=value\n\n#\n", "value");
	check_value("TEST_ENV_KEY=value\r\n", "value");
	check_value("\xef\xbb\xbfTEST_ENV_KEY=value\n", "value");
	check_value("exportTEST=1\nTEST_ENV_KEY=value", "value");
	check_value("export=1\nTEST_ENV_KEY=value", "value");
}

static void a_bare_value_ends_before_a_comment(void **state)
{
	(void)state;
	check_value("TEST_ENV_KEY=a#b # said\n", "a#b");
	check_value("TEST_ENV_KEY=a b \t\n", "a b");
	check_value("TEST_ENV_KEY=a=b+c/d==\n", "a=b+c/d==");
	check_value("TEST_ENV_KEY=#\n", NULL);
	check_value("TEST_ENV_KEY= # said\n", NULL);
	check_value("TEST_ENV_KEY=\n", NULL);
}

static void quotes_keep_what_is_in_them(void **state)
{
	(void)state;
	check_value("TEST_ENV_KEY='$a `b` \\n \"c\" # d'",
	    "$a `b` \\n \"c\" # d");
	check_value("TEST_ENV_KEY=\"\\$a \\\"b\\\" \\\\ 'c' # d\"",
	    "$a \"b\" \\ 'c' # d");
	check_value("TEST_ENV_KEY=\"a\\nb\" # said", "a\nb");
	check_value("TEST_ENV_KEY='a' \t", "a");
	check_value("TEST_ENV_KEY=''", NULL);
}

static void what_a_shell_would_run_is_refused(void **state)
{
	static const char form[] =
	    "1: only KEY=value, export KEY=value and # comments are read";
	static const char bare[] =
	    "1: $ ` \\ and quotes need '...' around the value";
	static const char expanded[] =
	    "1: nothing is expanded here: write $ as \\$, or use '...'";

	(void)state;
	check_refused("KEY=$hush", bare);
	check_refused("KEY=$(hush)", bare);
	check_refused("KEY=`hush`", bare);
	check_refused("KEY=hu\\sh", bare);
	check_refused("KEY=hush'a'", bare);
	check_refused("KEY=\"$hush\"", expanded);
	check_refused("KEY=\"$(hush)\"", expanded);
	check_refused("KEY=\"`hush`\"", expanded);
	check_refused("KEY=\"hu\\tsh\"",
	    "1: only \\\" \\\\ \\$ and \\n are known: use '...'");
	check_refused("KEY='hush", "1: a ' is not closed on its line");
	check_refused("KEY=\"hush", "1: a \" is not closed on its line");
	check_refused("KEY=\"hush\\",
	    "1: only \\\" \\\\ \\$ and \\n are known: use '...'");
	check_refused("KEY='hush'hush", "1: there is text after the closing '");
	check_refused("KEY=\"hush\"hush",
	    "1: there is text after the closing \"");
	check_refused("KEY= hush", "1: there is a blank before the value");
	check_refused("KEY= 'hush'", "1: there is a blank before the value");
	check_refused("KEY hush", form);
	check_refused("KEY = hush", form);
	check_refused("export KEY", form);
	check_refused("=hush", form);
	check_refused("1KEY=hush", form);
	check_refused("K-Y=hush", form);
	check_refused("source hush", form);
	check_refused("A=1\n\nB=2\nKEY=$hush", "4: $ ` \\ and quotes need "
	    "'...' around the value");
}

static void the_process_wins_over_the_file(void **state)
{
	struct env *env = read_text("TEST_ENV_A=file\nTEST_ENV_B=file\n"
	    "TEST_ENV_C=first\nTEST_ENV_C=last\n");

	(void)state;
	setenv("TEST_ENV_A", "process", 1);
	setenv("TEST_ENV_B", "", 1);
	assert_string_equal(env_get(env, "TEST_ENV_A"), "process");
	assert_string_equal(env_get(env, "TEST_ENV_B"), "file");
	assert_string_equal(env_get(env, "TEST_ENV_C"), "last");
	assert_null(env_get(env, "TEST_ENV_D"));
	unsetenv("TEST_ENV_A");
	unsetenv("TEST_ENV_B");
	env_free(env);
	env_free(NULL);
}

static void a_file_that_cannot_be_text_is_refused(void **state)
{
	struct error err = ERROR_INIT;
	struct env *env = env_new();

	(void)state;
	write_file("A=1\0B=2", 7);
	assert_int_equal(env_read_file(env, path, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "NUL byte"));
	error_clear(&err);
	assert_int_equal(env_read_file(env, "/nonexistent/.env", &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "/nonexistent/.env"));
	env_free(env);
}

static void keep_line(enum log_level level, const char *line, void *arg)
{
	(void)arg;
	strbuf_addf(&logged, "%d %s\n", level, line);
}

static void a_file_that_others_may_read_is_a_warning(void **state)
{
	char expected[200];

	(void)state;
	strbuf_clear(&logged);
	log_capture(keep_line, NULL);
	assert_int_equal(chmod(path, 0640), 0);
	env_free(read_text("A=1"));
	assert_int_equal(logged.len, 0);
	assert_int_equal(chmod(path, 0644), 0);
	env_free(read_text("A=1"));
	log_capture(NULL, NULL);
	snprintf(expected, sizeof(expected),
	    "%d %s: any user may read it: chmod o-r it\n", LOG_LEVEL_WARNING,
	    path);
	assert_string_equal(strbuf_text(&logged), expected);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_forms_of_a_line_are_read),
		cmocka_unit_test(a_bare_value_ends_before_a_comment),
		cmocka_unit_test(quotes_keep_what_is_in_them),
		cmocka_unit_test(what_a_shell_would_run_is_refused),
		cmocka_unit_test(the_process_wins_over_the_file),
		cmocka_unit_test(a_file_that_cannot_be_text_is_refused),
		cmocka_unit_test(a_file_that_others_may_read_is_a_warning),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
