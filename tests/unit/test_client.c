/* SPDX-License-Identifier: MIT */
/* A pair's options reach the S3 layer; and so does what is remembered. */
#include "manifest_fixture.h"

#include "base/clock.h"
#include "sync/client.h"

static struct conf_pair pair;
static struct s3 *s3;

static int begin(void **state)
{
	pair = (struct conf_pair){
		.bucket = "bucket", .prefix = "p/", .profile = "work",
		.jobs = 7, .attempts = 3, .timeout_ns = 5 * CLOCK_SECOND,
		.content_type = "auto", .sign = S3_SIGNING_NONE,
		.storage_class = "GLACIER_IR", .requester_pays = true,
		.bwlimit_up = 1000, .bwlimit_down = 2000,
	};
	s3 = NULL;
	return set_up(state);
}

static int end(void **state)
{
	s3_free(s3);
	return tear_down(state);
}

static void open_s3(void)
{
	struct s3_options options = client_options(&pair, NULL, NULL);

	if (s3_new(&s3, &options, &err) < 0)
		fail_msg("%s", err.text);
}

static void meta(const char *name, const char *value)
{
	assert_int_equal(manifest_meta_set(m, name, value, &err), 0);
	commit();
}

static void options_are_those_of_the_pair(void **state)
{
	struct s3_credentials_request who = client_credentials(&pair);
	struct s3_options where = client_options(&pair, NULL, NULL);

	(void)state;
	assert_string_equal(who.profile, "work");
	assert_int_equal(who.timeout_ns, 5 * CLOCK_SECOND);
	assert_string_equal(where.bucket, "bucket");
	assert_int_equal(where.in_flight, 7);
	assert_int_equal(where.attempts, 3);
	assert_int_equal(where.idle_timeout_ns, 5 * CLOCK_SECOND);
	assert_int_equal(where.patience_ns, 30 * CLOCK_SECOND);
	assert_int_equal(where.limit_up, 1000);
	assert_int_equal(where.limit_down, 2000);
	assert_string_equal(where.properties.storage_class, "GLACIER_IR");
	assert_true(where.properties.requester_pays);
}

static void a_type_for_all_is_no_word(void **state)
{
	(void)state;
	assert_null(client_options(&pair, NULL, NULL).properties.content_type);
	pair.content_type = "text/plain";
	assert_string_equal(
	    client_options(&pair, NULL, NULL).properties.content_type,
	    "text/plain");
}

static void where_the_bucket_was_found_it_is_asked_for_first(void **state)
{
	(void)state;
	meta(CLIENT_REGION, "ap-south-1");
	meta(CLIENT_REGION_ASKED, "");
	open_s3();
	assert_int_equal(client_recall(&pair, s3, m, &err), 0);
	assert_string_equal(s3_region(s3), "ap-south-1");
}

static void whoever_sets_another_region_wants_that_tried(void **state)
{
	(void)state;
	meta(CLIENT_REGION, "ap-south-1");
	meta(CLIENT_REGION_ASKED, "");
	pair.region = "eu-west-1";
	open_s3();
	assert_int_equal(client_recall(&pair, s3, m, &err), 0);
	assert_string_equal(s3_region(s3), "eu-west-1");
}

static void the_servers_clock_is_remembered(void **state)
{
	int64_t offset_ns = -1;

	(void)state;
	assert_int_equal(client_clock(m, &offset_ns, &err), 0);
	assert_int_equal(offset_ns, 0);
	meta(CLIENT_CLOCK, "-7200000");
	open_s3();
	assert_int_equal(client_recall(&pair, s3, m, &err), 0);
	assert_int_equal(s3_clock_offset_ns(s3), -7200 * CLOCK_SECOND);
}

static void no_reply_has_told_a_time_yet(void **state)
{
	int64_t offset_ns;

	(void)state;
	open_s3();
	assert_false(s3_clock_told_ns(s3, &offset_ns));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(options_are_those_of_the_pair),
		CASE(a_type_for_all_is_no_word),
		CASE(where_the_bucket_was_found_it_is_asked_for_first),
		CASE(whoever_sets_another_region_wants_that_tried),
		CASE(the_servers_clock_is_remembered),
		CASE(no_reply_has_told_a_time_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
