/* SPDX-License-Identifier: MIT */
/* The files of the AWS tools are read as those tools read them. */
#include "s3/aws_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "aws_fixture.h"

/* Both files, NULL: not there; the caller frees. */
static struct aws_config *load(const char *config, const char *credentials)
{
	struct error err = ERROR_INIT;
	struct aws_config *c;

	aws_clear();
	if (config)
		aws_put(config_path, config);
	if (credentials)
		aws_put(credentials_path, credentials);
	if (aws_config_load(&c, env, &err))
		fail_msg("%s", err.text);
	return c;
}

static const char *get(const struct aws_config *c, const char *profile,
    const char *key)
{
	return aws_config_get(c, AWS_CONFIG_PROFILE, profile, key);
}

static void refused(const char *config, const char *what)
{
	struct error err = ERROR_INIT;
	struct aws_config *c;

	aws_clear();
	aws_put(config_path, config);
	assert_int_equal(aws_config_load(&c, env, &err), -1);
	assert_null(c);
	assert_int_equal(err.kind, ERROR_CONFIG);
	if (!strstr(err.text, what))
		fail_msg("%s", err.text);
	assert_null(strstr(err.text, "hush"));
}

static void files_that_are_not_there_are_empty(void **state)
{
	struct aws_config *c = load(NULL, NULL);

	(void)state;
	assert_null(get(c, "default", "region"));
	assert_false(aws_config_has(c, AWS_CONFIG_PROFILE, "default"));
	aws_config_free(c);
	aws_config_free(NULL);
}

static void profiles_are_sections_of_either_file(void **state)
{
	struct aws_config *c = load(
	    "# mine\n[default]\nregion = eu-west-1\n"
	    "[profile dev]\nRegion=us-east-2\noutput : json\n"
	    "[ profile \"two words\" ] # quoted\nregion = a\n"
	    "[profile empty]\n[profile unset]\nregion =\n"
	    "[dev]\nregion = ignored\n[plugins]\nx = y\n",
	    "[default]\naws_access_key_id = AKIA\n"
	    "[other]\r\naws_access_key_id=B\r\naws_secret_access_key=a=b:c\r\n");

	(void)state;
	assert_string_equal(get(c, "default", "region"), "eu-west-1");
	assert_string_equal(get(c, "default", "aws_access_key_id"), "AKIA");
	assert_string_equal(get(c, "dev", "region"), "us-east-2");
	assert_string_equal(get(c, "dev", "output"), "json");
	assert_string_equal(get(c, "two words", "region"), "a");
	assert_string_equal(get(c, "other", "aws_access_key_id"), "B");
	assert_string_equal(get(c, "other", "aws_secret_access_key"), "a=b:c");
	assert_true(aws_config_has(c, AWS_CONFIG_PROFILE, "empty"));
	assert_null(get(c, "unset", "region"));
	assert_false(aws_config_has(c, AWS_CONFIG_PROFILE, "plugins"));
	aws_config_free(c);
}

static void the_credentials_file_comes_first_and_later_lines_win(void **state)
{
	struct aws_config *c = load(
	    "[profile x]\naws_access_key_id = config\nregion = one\n"
	    "[profile x]\nregion = two\n",
	    "[x]\naws_access_key_id = credentials\n");

	(void)state;
	assert_string_equal(get(c, "x", "aws_access_key_id"), "credentials");
	assert_string_equal(aws_config_get_from(c, AWS_CONFIG_CONFIG,
	    AWS_CONFIG_PROFILE, "x", "aws_access_key_id"), "config");
	assert_null(aws_config_get_from(c, AWS_CONFIG_CREDENTIALS,
	    AWS_CONFIG_PROFILE, "x", "region"));
	assert_string_equal(get(c, "x", "region"), "two");
	aws_config_free(c);
}

static void keys_may_be_below_keys(void **state)
{
	struct aws_config *c = load(
	    "[profile x]\ns3 =\n  addressing_style = path\n"
	    "  # between\n\tuse_dualstack_endpoint=true\n"
	    "region = r\nservices = mine\n"
	    "[services mine]\ns3 = \n  endpoint_url = http://s3\n"
	    "sts =\n  endpoint_url = http://sts\n"
	    "[sso-session my]\nsso_region = q\n", NULL);

	(void)state;
	assert_string_equal(get(c, "x", "s3.addressing_style"), "path");
	assert_string_equal(get(c, "x", "s3.use_dualstack_endpoint"), "true");
	assert_null(get(c, "x", "addressing_style"));
	assert_null(get(c, "x", "s3"));
	assert_string_equal(get(c, "x", "region"), "r");
	assert_string_equal(aws_config_get(c, AWS_CONFIG_SSO_SESSION, "my",
	    "sso_region"), "q");
	assert_string_equal(aws_config_endpoint(c, env, "x", "s3", NULL),
	    "http://s3");
	assert_string_equal(aws_config_endpoint(c, env, "x", "sts", NULL),
	    "http://sts");
	assert_null(aws_config_endpoint(c, env, "x", "sso", NULL));
	aws_config_free(c);
}

/* All keys of a section may be indented alike. */
static void an_indented_section_is_read_like_any_other(void **state)
{
	struct aws_config *c = load(NULL,
	    "[default]\n  aws_access_key_id = A\n  aws_secret_access_key = S\n"
	    "[second]\n\taws_access_key_id = B\n");

	(void)state;
	assert_string_equal(get(c, "default", "aws_access_key_id"), "A");
	assert_string_equal(get(c, "default", "aws_secret_access_key"), "S");
	assert_string_equal(get(c, "second", "aws_access_key_id"), "B");
	aws_config_free(c);
}

static void a_value_may_be_long_or_go_on(void **state)
{
	size_t len = 20000, at;
	char *text = malloc(len + 200);
	struct aws_config *c;

	(void)state;
	at = (size_t)snprintf(text, 100, "[default]\naws_session_token = ");
	memset(text + at, 't', len);
	snprintf(text + at + len, 100,
	    "\nparameters = a # no comment\n  b ; nor it\n");
	c = load(NULL, text);
	assert_int_equal(strlen(get(c, "default", "aws_session_token")), len);
	assert_string_equal(get(c, "default", "parameters"),
	    "a # no comment\nb ; nor it");
	aws_config_free(c);
	free(text);
}

static void what_is_no_line_of_it_is_refused_by_its_number(void **state)
{
	struct error err = ERROR_INIT;
	struct aws_config *c;
	char where[128];

	(void)state;
	snprintf(where, sizeof(where), "%s:3: it is no [section], KEY = VALUE",
	    config_path);
	refused("[default]\n\nhush\n", where);
	refused("hush = hush\n", ":1: there is no [section] before it");
	refused("[default\nhush = hush", ":1: a [ is not closed");
	refused("[default]\ns3 =\n  hush\n", ":3: below a key without a value");
	refused("[default]\n= hush\n", ":2: it is no [section]");
	unlink(config_path);
	assert_int_equal(mkdir(config_path, 0700), 0);
	assert_int_equal(aws_config_load(&c, env, &err), -1);
	assert_non_null(strstr(err.text, config_path));
	assert_int_equal(rmdir(config_path), 0);
}

static void the_profile_in_force_is_asked_for_or_in_the_environment(
    void **state)
{
	(void)state;
	aws_clear();
	assert_string_equal(aws_config_profile(env, NULL), "default");
	setenv("AWS_DEFAULT_PROFILE", "b", 1);
	assert_string_equal(aws_config_profile(env, NULL), "b");
	setenv("AWS_PROFILE", "a", 1);
	assert_string_equal(aws_config_profile(env, NULL), "a");
	assert_string_equal(aws_config_profile(env, "x"), "x");
}

static void endpoints_are_found_in_the_order_of_the_tools(void **state)
{
	struct aws_config *c = load("[default]\nendpoint_url = http://all\n"
	    "services = s\n[services s]\nsts =\n  endpoint_url = http://own\n"
	    "[profile off]\nignore_configured_endpoint_urls = True\n"
	    "endpoint_url = http://off\n", NULL);
	const char *from = NULL;

	(void)state;
	assert_string_equal(aws_config_endpoint(c, env, "default", "s3", &from),
	    "http://all");
	assert_string_equal(from, "endpoint_url");
	assert_string_equal(aws_config_endpoint(c, env, "default", "sts",
	    &from), "http://own");
	assert_string_equal(from, "services");
	setenv("AWS_ENDPOINT_URL", "http://env", 1);
	assert_string_equal(aws_config_endpoint(c, env, "default", "sts",
	    &from), "http://env");
	assert_string_equal(from, "AWS_ENDPOINT_URL");
	setenv("AWS_ENDPOINT_URL_STS", "http://sts", 1);
	assert_string_equal(aws_config_endpoint(c, env, "default", "sts",
	    &from), "http://sts");
	assert_string_equal(from, "AWS_ENDPOINT_URL_STS");
	assert_null(aws_config_endpoint(c, env, "off", "sts", NULL));
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	assert_null(aws_config_endpoint(c, env, "default", "sts", NULL));
	aws_config_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_not_there_are_empty),
		cmocka_unit_test(profiles_are_sections_of_either_file),
		cmocka_unit_test(
		    the_credentials_file_comes_first_and_later_lines_win),
		cmocka_unit_test(keys_may_be_below_keys),
		cmocka_unit_test(an_indented_section_is_read_like_any_other),
		cmocka_unit_test(a_value_may_be_long_or_go_on),
		cmocka_unit_test(
		    what_is_no_line_of_it_is_refused_by_its_number),
		cmocka_unit_test(
		    the_profile_in_force_is_asked_for_or_in_the_environment),
		cmocka_unit_test(endpoints_are_found_in_the_order_of_the_tools),
	};

	return cmocka_run_group_tests(tests, aws_set_up, aws_tear_down);
}
