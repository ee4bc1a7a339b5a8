/* SPDX-License-Identifier: MIT */
/* Each item has one result, in one order, and one exit status for them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sync/check_internal.h"

/* ---- texts --------------------------------------------------------------- */

static void split(const char *text, const char *found, const char *remedy)
{
	char *got_found, *got_remedy;

	check_split(text, &got_found, &got_remedy);
	assert_string_equal(got_found, found);
	if (remedy == NULL)
		assert_null(got_remedy);
	else
		assert_string_equal(got_remedy, remedy);
	free(got_found);
	free(got_remedy);
}

static void errors_are_cut_into_what_is_and_what_to_do(void **state)
{
	(void)state;
	split("refused (HTTP 403 X): set new ones", "refused (HTTP 403 X)",
	    "set new ones");
	split("refused (HTTP 403): a (b): c; d", "refused (HTTP 403)",
	    "a (b): c; d");
	split("/x: no such directory; create it", "/x: no such directory",
	    "create it");
	split("no more to say", "no more to say", NULL);
}

static void mask(const char *key, const char *expected)
{
	struct strbuf got = STRBUF_INIT(256);

	check_access_mask(key, &got);
	assert_string_equal(strbuf_text(&got), expected);
	strbuf_release(&got);
}

static void of_keys_no_more_is_shown_than_tells_them_apart(void **state)
{
	(void)state;
	mask("AKIAIOSFODNN7EXAMPLE", "AKIA\xe2\x80\xa6MPLE");
	mask("0123456789abcdef", "0123\xe2\x80\xa6" "cdef");
	mask("0123456789abcde", "01\xe2\x80\xa6");
	mask("ab", "ab\xe2\x80\xa6");
	mask("a", "\xe2\x80\xa6");
	mask("", "\xe2\x80\xa6");
}

static void clocks_may_be_a_minute_off(void **state)
{
	static const struct {
		int64_t off_s;
		enum check_verdict verdict;
	} cases[] = { { 0, CHECK_OK }, { 60, CHECK_OK }, { 61, CHECK_WARNING },
		{ 15 * 60, CHECK_WARNING }, { 15 * 60 + 1, CHECK_FAILED },
		{ 86400, CHECK_FAILED } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int64_t off_ns = cases[i].off_s * CLOCK_SECOND;

		assert_int_equal(check_access_clock(off_ns), cases[i].verdict);
		assert_int_equal(check_access_clock(-off_ns),
		    cases[i].verdict);
	}
}

/* ---- results ------------------------------------------------------------- */

struct seen {
	int count;
	enum check_item last;
	enum check_verdict verdicts[CHECK_ITEMS];
	bool found[CHECK_ITEMS];
};

static void on_result(void *arg, const struct check_result *r)
{
	struct seen *seen = arg;

	assert_int_equal(r->item, seen->count);
	seen->count++;
	seen->last = r->item;
	seen->verdicts[r->item] = r->verdict;
	seen->found[r->item] = r->found != NULL;
	if (r->found == NULL)
		assert_int_equal(r->verdict, CHECK_SKIPPED);
}

static void begin(struct check *c, struct check_request *request,
    struct seen *seen)
{
	*seen = (struct seen){ .count = 0 };
	*request = (struct check_request){ .result = on_result, .arg = seen };
	*c = (struct check){ .request = request };
}

static void what_nothing_was_told_of_is_skipped(void **state)
{
	struct check_request request;
	struct seen seen;
	struct check c;

	(void)state;
	begin(&c, &request, &seen);
	check_tell(&c, CHECK_MANIFEST, CHECK_OK, NULL, NULL, "%s", "there");
	assert_int_equal(seen.count, CHECK_MANIFEST + 1);
	assert_int_equal(seen.verdicts[CHECK_ROOT], CHECK_SKIPPED);
	assert_false(seen.found[CHECK_ROOT]);
	assert_true(seen.found[CHECK_MANIFEST]);
	assert_int_equal(c.status, 0);
}

static int status_of(enum check_item item, enum check_verdict verdict)
{
	struct check_request request;
	struct seen seen;
	struct check c;

	begin(&c, &request, &seen);
	check_tell(&c, item, verdict, NULL, NULL, "it");
	check_tell(&c, CHECK_WRITTEN, CHECK_OK, NULL, NULL, "it");
	return c.status;
}

static void without_a_listing_no_cycle_can_run(void **state)
{
	static const enum check_item essential[] = { CHECK_ROOT,
		CHECK_MANIFEST, CHECK_MARKER, CHECK_CREDENTIALS,
		CHECK_ENDPOINT, CHECK_SIGNATURE, CHECK_BUCKET, CHECK_LIST,
		CHECK_ORDER };

	(void)state;
	for (size_t i = 0; i < sizeof(essential) / sizeof(*essential); i++)
		assert_int_equal(status_of(essential[i], CHECK_FAILED), 3);
}

static void without_a_put_a_part_of_it_can(void **state)
{
	static const enum check_item others[] = { CHECK_CLOCK, CHECK_PUT,
		CHECK_GET, CHECK_DELETE, CHECK_MULTIPART, CHECK_CONDITIONS };

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(status_of(others[i], CHECK_FAILED), 1);
	assert_int_equal(status_of(CHECK_ROOT, CHECK_WARNING), 1);
}

static void hints_are_no_failure(void **state)
{
	(void)state;
	assert_int_equal(status_of(CHECK_LIFECYCLE, CHECK_HINT), 0);
	assert_int_equal(status_of(CHECK_VERSIONING, CHECK_SKIPPED), 0);
}

static void items_and_verdicts_have_names_of_their_own(void **state)
{
	(void)state;
	for (int i = 0; i < CHECK_ITEMS; i++) {
		assert_non_null(check_title((enum check_item)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(check_name((enum check_item)i),
			    check_name((enum check_item)k));
	}
	assert_string_equal(check_name(CHECK_START_AFTER), "start_after");
	for (int i = 0; i < CHECK_VERDICTS; i++)
		assert_non_null(check_verdict_name((enum check_verdict)i));
}

/* Nothing is there at all: each item is told of all the same. */
static void a_check_goes_on_to_its_end(void **state)
{
	struct conf_pair pair = {
		.name = "p", .local = "/nowhere/at/all",
		.remote = "s3://bucket/", .bucket = "bucket", .prefix = "",
		.jobs = 1, .attempts = 1, .timeout_ns = CLOCK_SECOND,
		.content_type = "none", .sign = S3_SIGNING_NONE,
		.endpoint_url = "http://127.0.0.1:9",
		.state = "/nowhere/at/all.db",
	};
	struct seen seen = { .count = 0 };
	const struct check_request request = {
		.pair = &pair, .result = on_result, .arg = &seen,
	};

	(void)state;
	assert_int_equal(check_run(&request), 3);
	assert_int_equal(seen.count, CHECK_ITEMS);
	assert_int_equal(seen.verdicts[CHECK_CONFIGURATION], CHECK_OK);
	assert_int_equal(seen.verdicts[CHECK_ROOT], CHECK_FAILED);
	assert_int_equal(seen.verdicts[CHECK_ENDPOINT], CHECK_FAILED);
	assert_int_equal(seen.verdicts[CHECK_PUT], CHECK_SKIPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_cut_into_what_is_and_what_to_do),
		cmocka_unit_test(
		    of_keys_no_more_is_shown_than_tells_them_apart),
		cmocka_unit_test(clocks_may_be_a_minute_off),
		cmocka_unit_test(what_nothing_was_told_of_is_skipped),
		cmocka_unit_test(without_a_listing_no_cycle_can_run),
		cmocka_unit_test(without_a_put_a_part_of_it_can),
		cmocka_unit_test(hints_are_no_failure),
		cmocka_unit_test(items_and_verdicts_have_names_of_their_own),
		cmocka_unit_test(a_check_goes_on_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
