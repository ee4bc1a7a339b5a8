/* SPDX-License-Identifier: MIT */
/* Credentials are whole or an error, and no error shows them. What asks others
 * is tried as a scenario. */
#include "s3/credentials_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "aws_fixture.h"
#include "base/clock.h"
#include "base/secret.h"

static void set(const char *access, const char *secret, const char *token)
{
	setenv("AWS_ACCESS_KEY_ID", access ? access : "", 1);
	setenv("AWS_SECRET_ACCESS_KEY", secret ? secret : "", 1);
	setenv("AWS_SESSION_TOKEN", token ? token : "", 1);
	unsetenv("AWS_SECURITY_TOKEN");
	unsetenv("AWS_CREDENTIAL_EXPIRATION");
}

static int find(const char *profile, struct s3_credentials *out,
    struct error *err)
{
	const struct s3_credentials_request request = { .env = env,
		.profile = profile, .timeout_ns = 5 * CLOCK_SECOND };

	error_clear(err);
	return s3_credentials_find(&request, out, err);
}

/* The keys' id and what is said of their source; ${access} NULL: refused. */
static void check(const char *profile, const char *access, const char *what)
{
	struct error err = ERROR_INIT;
	struct s3_credentials c;
	int rc = find(profile, &c, &err);

	if (rc && access)
		fail_msg("%s", err.text);
	if (access) {
		assert_string_equal(c.access_key, access);
		if (!strstr(c.source, what))
			fail_msg("%s", c.source);
	} else {
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERROR_CREDENTIALS);
		if (!strstr(err.text, what))
			fail_msg("%s", err.text);
		assert_null(c.secret_key);
	}
	assert_null(strstr(err.text, "hush"));
	s3_credentials_release(&c);
	assert_null(c.secret_key);
}

static void refused(const char *what)
{
	check(NULL, NULL, what);
}

static void all_that_is_set_is_taken(void **state)
{
	struct error err = ERROR_INIT;
	struct s3_credentials c, copy;

	(void)state;
	set("id", "hush/+=", "token");
	setenv("AWS_CREDENTIAL_EXPIRATION", "2261-01-01T01:00:00+01:00", 1);
	assert_int_equal(find(NULL, &c, &err), 0);
	set(NULL, NULL, NULL); /* they were copied */
	assert_string_equal(c.access_key, "id");
	assert_string_equal(c.secret_key, "hush/+=");
	assert_string_equal(c.session_token, "token");
	assert_string_equal(c.source, "the environment");
	assert_int_equal(c.expires_ns / CLOCK_SECOND, INT64_C(9183110400));
	s3_credentials_copy(&copy, &c);
	assert_true(s3_credentials_equal(&copy, &c));
	secret_free(&copy.session_token);
	assert_false(s3_credentials_equal(&copy, &c));
	s3_credentials_release(&copy);
	s3_credentials_release(&c);

	set("id", "hush", NULL);
	assert_int_equal(find(NULL, &c, &err), 0);
	assert_null(c.session_token);
	assert_int_equal(c.expires_ns, 0);
	s3_credentials_release(&c);
	setenv("AWS_SECURITY_TOKEN", "old", 1);
	assert_int_equal(find(NULL, &c, &err), 0);
	assert_string_equal(c.session_token, "old");
	s3_credentials_release(&c);
	set(NULL, NULL, NULL);
}

static void none_at_all_says_where_they_are_looked_for(void **state)
{
	(void)state;
	set(NULL, NULL, "hush");
	refused("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
	    "environment or in the file that env_file names");
	refused(credentials_path);
	refused(config_path);
	refused("instance metadata: AWS_EC2_METADATA_DISABLED");
}

static void one_without_the_other_is_an_error(void **state)
{
	(void)state;
	set("id", NULL, NULL);
	refused("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not: "
	    "set both");
	set(NULL, "hush", NULL);
	refused("AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not: "
	    "set both");
	set(NULL, NULL, NULL);
}

static void what_cannot_go_into_a_header_is_an_error(void **state)
{
	(void)state;
	set("id ", "hush", NULL);
	refused("AWS_ACCESS_KEY_ID holds");
	set("id", "hush\n", NULL);
	refused("AWS_SECRET_ACCESS_KEY holds");
	set("id", "hush", "hush\r\nx: y");
	refused("AWS_SESSION_TOKEN holds");
	set("id", "hush\xc3\xbc", NULL);
	refused("AWS_SECRET_ACCESS_KEY holds");
	set(NULL, NULL, NULL);
}

static void the_order_is_that_of_the_aws_tools(void **state)
{
	(void)state;
	aws_put(credentials_path, "[default]\naws_access_key_id = file\n"
	    "aws_secret_access_key = hush\n[a]\naws_access_key_id = a\n"
	    "aws_secret_access_key = hush\n");
	aws_put(config_path, "[default]\naws_access_key_id = config\n"
	    "aws_secret_access_key = hush\n[profile b]\n"
	    "credential_process = echo '{\"Version\": 1, \"AccessKeyId\": "
	    "\"process\", \"SecretAccessKey\": \"hush\"}'\n"
	    "aws_access_key_id = config-b\naws_secret_access_key = hush\n"
	    "[profile c]\naws_access_key_id = c\n"
	    "aws_secret_access_key = hush\n");
	set("env", "hush", NULL);
	check(NULL, "env", "the environment");
	setenv("AWS_PROFILE", "a", 1);
	check(NULL, "env", "the environment");
	check("default", "file", credentials_path);
	set(NULL, NULL, NULL);
	check(NULL, "a", "profile 'a'");
	unsetenv("AWS_PROFILE");
	check(NULL, "file", credentials_path);
	check("b", "process", "credential_process of profile 'b'");
	check("c", "c", config_path);
	check("d", NULL, "profile 'd' is neither in");
	unlink(credentials_path);
	check(NULL, "config", config_path);
	unlink(config_path);
}

static void a_role_needs_one_source_that_leads_somewhere(void **state)
{
	(void)state;
	aws_put(config_path,
	    "[profile none]\nrole_arn = r\n"
	    "[profile both]\nrole_arn = r\nsource_profile = x\n"
	    "credential_source = Environment\n"
	    "[profile gone]\nrole_arn = r\nsource_profile = nobody\n"
	    "[profile one]\nrole_arn = r\nsource_profile = two\n"
	    "[profile two]\nrole_arn = r\nsource_profile = three\n"
	    "[profile three]\nrole_arn = r\nsource_profile = one\n"
	    "[profile odd]\nrole_arn = r\ncredential_source = Moon\n"
	    "[profile poor]\nrole_arn = r\nsource_profile = empty\n"
	    "[profile empty]\nregion = x\n");
	check("none", NULL, "says who assumes it");
	check("both", NULL, "both source_profile and credential_source");
	check("gone", NULL, "its source_profile 'nobody' is neither in");
	check("one", NULL, "in a circle: one -> two -> three -> one");
	check("odd", NULL, "'Moon' is none of Environment");
	check("poor", NULL, "its source_profile 'empty' has no credentials");
	unlink(config_path);
}

static void a_command_is_split_as_by_a_shell(void **state)
{
	static const struct {
		const char *text;
		const char *words[4];
	} rows[] = {
		{ "", { NULL } },
		{ "  a\tb  ", { "a", "b", NULL } },
		{ "a 'b c' \"d e\"", { "a", "b c", "d e", NULL } },
		{ "a\\ b 'c\\d' \"e\\\"f\\g\"", { "a b", "c\\d", "e\"f\\g",
		    NULL } },
		{ "x='y z'w ''", { "x=y zw", "", NULL } },
		{ "$HOME `id` ;", { "$HOME", "`id`", ";", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char **words = credentials_process_words(rows[i].text);
		size_t n = 0;

		assert_non_null(words);
		for (; rows[i].words[n]; n++)
			assert_string_equal(words[n], rows[i].words[n]);
		assert_null(words[n]);
		credentials_process_free_words(words);
	}
	assert_null(credentials_process_words("a 'b"));
	assert_null(credentials_process_words("a \"b"));
	assert_null(credentials_process_words("a \\"));
}

static void a_container_is_asked_nearby_or_over_tls(void **state)
{
	static const struct {
		const char *relative, *full, *url; /* NULL: refused */
	} rows[] = {
		{ "/v2/x?id=1", NULL, "http://169.254.170.2/v2/x?id=1" },
		{ "/v2/x", "https://a/b", "http://169.254.170.2/v2/x" },
		{ "@evil/x", NULL, NULL },
		{ NULL, "https://anywhere.example/x",
		    "https://anywhere.example/x" },
		{ NULL, "http://localhost:99/x", "http://localhost:99/x" },
		{ NULL, "http://127.9.8.7/x", "http://127.9.8.7/x" },
		{ NULL, "http://[::1]/x", "http://[::1]/x" },
		{ NULL, "http://169.254.170.23/v1/credentials",
		    "http://169.254.170.23/v1/credentials" },
		{ NULL, "http://[fd00:ec2::23]/v1", "http://[fd00:ec2::23]/v1" },
		{ NULL, "http://169.254.170.24/x", NULL },
		{ NULL, "http://127.0.0.1.evil.example/x", NULL },
		{ NULL, "http://127.0.0.1@evil.example/x", NULL },
		{ NULL, "http://anywhere.example/x", NULL },
		{ NULL, "file:///etc/passwd", NULL },
		{ NULL, "no url", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct error err = ERROR_INIT;
		char *url = credentials_container_url(rows[i].relative,
		    rows[i].full, &err);

		if (rows[i].url)
			assert_string_equal(url, rows[i].url);
		else
			assert_null(url);
		assert_int_equal(err.kind, rows[i].url ? ERROR_NONE :
		    ERROR_CREDENTIALS);
		free(url);
	}
}

static void times_are_read_as_the_tools_write_them(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: it is none */
	} rows[] = {
		{ "2026-11-22T16:38:01Z", 1795365481 },
		{ "2026-11-22T16:38:01.5Z", 1795365481 },
		{ "2026-11-22T16:38:01UTC", 1795365481 },
		{ "2026-11-22T16:38:01+00:00", 1795365481 },
		{ "2026-11-22T16:38:01+02:30", 1795365481 - 9000 },
		{ "2026-11-22T16:38:01-02:30", 1795365481 + 9000 },
		{ "2026-11-22T16:38:01", 0 },
		{ "2026-11-22", 0 },
		{ "2026-11-22T16:38:01+0230", 0 },
		{ "2026-11-22T16:38:01+02:30x", 0 },
		{ "2026-11-22T16:38:01+", 0 },
		{ "soon", 0 },
		{ "", 0 },
		{ "Z", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int64_t ns = 0;
		int rc = credentials_parse_time(rows[i].text, &ns);

		assert_int_equal(rc, rows[i].seconds ? 0 : -1);
		if (rc == 0)
			assert_int_equal(ns / CLOCK_SECOND, rows[i].seconds);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_set_is_taken),
		cmocka_unit_test(none_at_all_says_where_they_are_looked_for),
		cmocka_unit_test(one_without_the_other_is_an_error),
		cmocka_unit_test(what_cannot_go_into_a_header_is_an_error),
		cmocka_unit_test(the_order_is_that_of_the_aws_tools),
		cmocka_unit_test(a_role_needs_one_source_that_leads_somewhere),
		cmocka_unit_test(a_command_is_split_as_by_a_shell),
		cmocka_unit_test(a_container_is_asked_nearby_or_over_tls),
		cmocka_unit_test(times_are_read_as_the_tools_write_them),
	};

	return cmocka_run_group_tests(tests, aws_set_up, aws_tear_down);
}
