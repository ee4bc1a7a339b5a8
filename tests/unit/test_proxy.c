/* SPDX-License-Identifier: MIT */
/* Which variable names the proxy. */
#include "s3/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

static const char *const variables[] = { "http_proxy", "HTTP_PROXY",
	"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
	"NO_PROXY" };

static struct env *env;

static int begin(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
		unsetenv(variables[i]);
	env = env_new();
	return 0;
}

static int end(void **state)
{
	(void)state;
	env_free(env);
	return 0;
}

/* The URL for http, or for https. */
static const char *found(bool tls)
{
	struct error err = ERROR_INIT;
	struct proxy proxy;

	if (proxy_find(env, tls, &proxy, &err))
		fail_msg("%s", err.text);
	return proxy.url;
}

static void without_a_variable_there_is_no_proxy(void **state)
{
	struct error err = ERROR_INIT;
	struct proxy proxy;

	(void)state;
	assert_int_equal(proxy_find(env, true, &proxy, &err), 0);
	assert_null(proxy.url);
	assert_null(proxy.exempt);
}

static void each_scheme_has_its_own_then_all_have_one(void **state)
{
	(void)state;
	setenv("ALL_PROXY", "http://all:1", 1);
	assert_string_equal(found(false), "http://all:1");
	assert_string_equal(found(true), "http://all:1");
	setenv("all_proxy", "socks5h://small:1", 1);
	assert_string_equal(found(false), "socks5h://small:1");
	setenv("HTTPS_PROXY", "http://large:1", 1);
	assert_string_equal(found(true), "http://large:1");
	setenv("https_proxy", "https://own:1", 1);
	assert_string_equal(found(true), "https://own:1");
	assert_string_equal(found(false), "socks5h://small:1");
	setenv("http_proxy", "proxy:3128", 1);
	assert_string_equal(found(false), "proxy:3128");
}

static void http_proxy_in_capitals_is_nobodys(void **state)
{
	(void)state;
	setenv("HTTP_PROXY", "http://evil:1", 1);
	assert_null(found(false));
	assert_null(found(true));
}

static void names_are_exempt(void **state)
{
	struct error err = ERROR_INIT;
	struct proxy proxy;

	(void)state;
	setenv("NO_PROXY", "a.example", 1);
	assert_int_equal(proxy_find(env, true, &proxy, &err), 0);
	assert_string_equal(proxy.exempt, "a.example");
	setenv("no_proxy", "*", 1);
	assert_int_equal(proxy_find(env, true, &proxy, &err), 0);
	assert_string_equal(proxy.exempt, "*");
}

static void what_is_no_url_is_refused_and_not_shown(void **state)
{
	static const char *const bad[] = { "ftp://user:hush@proxy:1",
		"http://user:hush@proxy:port", "http://user:hush@",
		"http://user:hush@pro xy" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error err = ERROR_INIT;
		struct proxy proxy;

		setenv("https_proxy", bad[i], 1);
		assert_int_equal(proxy_find(env, true, &proxy, &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		assert_non_null(strstr(err.text, "https_proxy is not the URL"));
		assert_null(strstr(err.text, "hush"));
		assert_int_equal(proxy_find(env, false, &proxy, &err), 0);
	}
}

static void a_name_has_neither_user_nor_password(void **state)
{
	static const char *const rows[][2] = {
		{ "http://me:hush@proxy.example:3128", "proxy.example:3128" },
		{ "me:hush@proxy.example:3128", "proxy.example:3128" },
		{ "socks5h://me:hush@proxy.example", "proxy.example" },
		{ "http://[::1]:3128/", "[::1]:3128" },
		{ "127.0.0.1:1", "127.0.0.1:1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *name = proxy_name(rows[i][0]);

		assert_string_equal(name, rows[i][1]);
		free(name);
	}
}

static void libcurls_words_tell_who_was_not_reached(void **state)
{
	static const struct {
		const char *name;
		int curl;
		const char *text;
		bool unreachable;
	} rows[] = {
		{ "p.example:1", CURLE_COULDNT_RESOLVE_PROXY, "", true },
		{ "p.example:1", CURLE_COULDNT_RESOLVE_HOST,
		    "Could not resolve host: p.example", true },
		{ "p.example:1", CURLE_COULDNT_RESOLVE_HOST,
		    "Could not resolve host: s3.p.example", false },
		{ "p.example:12", CURLE_COULDNT_CONNECT, "Failed to connect "
		    "to p.example port 12 after 0 ms: Couldn't connect", true },
		{ "p.example", CURLE_COULDNT_CONNECT, "Failed to connect to "
		    "p.example port 1080 after 0 ms: Couldn't connect", true },
		{ "p.example:12", CURLE_COULDNT_CONNECT, "Failed to connect "
		    "to p.example port 123 after 0 ms: Couldn't", false },
		{ "p.example:12", CURLE_COULDNT_CONNECT, "Failed to connect "
		    "to s3.example port 12 after 0 ms: Couldn't", false },
		{ "p.example:12", CURLE_COULDNT_CONNECT, "Failed to connect "
		    "to s3.example port 443 via p.example after 0 ms: C", true },
		{ "[::1]:12", CURLE_COULDNT_CONNECT, "Failed to connect to "
		    "::1 port 12 after 0 ms: Couldn't connect", true },
		{ "p.example:1", CURLE_GOT_NOTHING, "p.example", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_int_equal(proxy_is_unreachable(rows[i].name,
		    rows[i].curl, rows[i].text), rows[i].unreachable);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(without_a_variable_there_is_no_proxy),
		TEST(each_scheme_has_its_own_then_all_have_one),
		TEST(http_proxy_in_capitals_is_nobodys),
		TEST(names_are_exempt),
		TEST(what_is_no_url_is_refused_and_not_shown),
		TEST(a_name_has_neither_user_nor_password),
		TEST(libcurls_words_tell_who_was_not_reached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
