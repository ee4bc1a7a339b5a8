/* SPDX-License-Identifier: MIT */
/* Which known word a mistyped one is near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suggest.h"

static const char *nearest(const char *word)
{
	static const char *const known[] = { "sync", "daemon", "plan",
		"endpoint_url", "a" };
	struct suggest s;
	size_t i;

	suggest_init(&s, word);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		suggest_offer(&s, known[i]);
	return s.best;
}

static void test_near_words_are_suggested(void **state)
{
	(void)state;
	assert_string_equal(nearest("snyc"), "sync");
	assert_string_equal(nearest("syn"), "sync");
	assert_string_equal(nearest("deamon"), "daemon");
	assert_string_equal(nearest("plans"), "plan");
	assert_string_equal(nearest("endpointurl"), "endpoint_url");
	assert_string_equal(nearest("sync"), "sync");
}

static void test_others_are_not(void **state)
{
	(void)state;
	assert_null(nearest("verify"));
	assert_null(nearest(""));
	assert_null(nearest("a-word-that-is-longer-than-any-typing-mistake"));
}

static void test_the_text(void **state)
{
	char out[SUGGEST_MAX];
	struct suggest s;

	(void)state;
	suggest_init(&s, "plam");
	assert_string_equal(suggest_text(&s, out), "");
	suggest_offer(&s, "plan");
	assert_string_equal(suggest_text(&s, out), "; did you mean 'plan'?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_near_words_are_suggested),
		cmocka_unit_test(test_others_are_not),
		cmocka_unit_test(test_the_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
