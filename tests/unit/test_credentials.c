/* SPDX-License-Identifier: MIT */
/* Credentials are whole or an error, and no error shows them. */
#include "s3/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void set(const char *access, const char *secret, const char *token)
{
	setenv("AWS_ACCESS_KEY_ID", access ? access : "", 1);
	setenv("AWS_SECRET_ACCESS_KEY", secret ? secret : "", 1);
	setenv("AWS_SESSION_TOKEN", token ? token : "", 1);
}

static void check_refused(const char *what)
{
	struct env *env = env_new();
	struct error err = ERROR_INIT;
	struct s3_credentials c;

	assert_int_equal(s3_credentials_load(env, &c, &err), -1);
	assert_int_equal(err.kind, ERROR_CREDENTIALS);
	if (!strstr(err.text, what))
		fail_msg("%s", err.text);
	assert_null(strstr(err.text, "hush"));
	assert_null(c.secret_key);
	s3_credentials_release(&c);
	env_free(env);
}

static void all_that_is_set_is_taken(void **state)
{
	struct env *env = env_new();
	struct error err = ERROR_INIT;
	struct s3_credentials c;

	(void)state;
	set("id", "hush/+=", "token");
	assert_int_equal(s3_credentials_load(env, &c, &err), 0);
	set(NULL, NULL, NULL); /* they were copied */
	assert_string_equal(c.access_key, "id");
	assert_string_equal(c.secret_key, "hush/+=");
	assert_string_equal(c.session_token, "token");
	assert_string_equal(c.source, "environment");
	s3_credentials_release(&c);
	assert_null(c.secret_key);

	set("id", "hush", NULL);
	assert_int_equal(s3_credentials_load(env, &c, &err), 0);
	assert_null(c.session_token);
	s3_credentials_release(&c);
	env_free(env);
}

static void none_at_all_says_where_they_are_looked_for(void **state)
{
	(void)state;
	set(NULL, NULL, "hush");
	check_refused("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
	    "environment or in the file that env_file names");
}

static void one_without_the_other_is_an_error(void **state)
{
	(void)state;
	set("id", NULL, NULL);
	check_refused("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is "
	    "not: set both");
	set(NULL, "hush", NULL);
	check_refused("AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is "
	    "not: set both");
}

static void what_cannot_go_into_a_header_is_an_error(void **state)
{
	(void)state;
	set("id ", "hush", NULL);
	check_refused("AWS_ACCESS_KEY_ID holds");
	set("id", "hush\n", NULL);
	check_refused("AWS_SECRET_ACCESS_KEY holds");
	set("id", "hush", "hush\r\nx: y");
	check_refused("AWS_SESSION_TOKEN holds");
	set("id", "hush\xc3\xbc", NULL);
	check_refused("AWS_SECRET_ACCESS_KEY holds");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_set_is_taken),
		cmocka_unit_test(none_at_all_says_where_they_are_looked_for),
		cmocka_unit_test(one_without_the_other_is_an_error),
		cmocka_unit_test(what_cannot_go_into_a_header_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
