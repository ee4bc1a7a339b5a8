/* SPDX-License-Identifier: MIT */
/* The loop without a server: it waits, wakes, and answers each request once.
 * tests/s3/ is about what servers say. */
#include "s3/s3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOBODY "http://127.0.0.1:1" /* where nobody listens */

static const struct s3_credentials credentials = {
	.access_key = (char *)"id",
	.secret_key = (char *)"secret",
};

static struct s3 *make(const char *url, enum s3_signing signing)
{
	struct s3_options options = { .credentials = &credentials,
		.endpoint_url = url, .bucket = "bucket", .signing = signing,
		.in_flight = 2, .attempts = 1,
		.idle_timeout_ns = CLOCK_SECOND };
	struct error err = ERROR_INIT;
	struct s3 *s3;

	if (s3_new(&s3, &options, &err))
		fail_msg("%s", err.text);
	return s3;
}

struct answers {
	int count[S3_ABORTED + 1];
	struct s3 *again; /* asks once more from within done */
};

static void count(struct answers *a, const struct s3_result *result)
{
	assert_int_not_equal(result->error.kind, ERROR_NONE);
	a->count[result->outcome]++;
}

static void get_done(void *arg, const struct s3_result *result)
{
	struct answers *a = arg;
	struct s3 *s3 = a->again;
	struct s3_get get = { .key = "k", .key_len = 1, .done = get_done,
		.arg = a };

	count(a, result);
	a->again = NULL;
	if (s3)
		s3_get(s3, &get);
}

static void list_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	assert_null(page);
	count(arg, result);
}

static void put_done(void *arg, const struct s3_result *result)
{
	count(arg, result);
}

/* One of each kind. */
static void ask(struct s3 *s3, struct answers *a)
{
	struct s3_list list = { .prefix = "", .done = list_done, .arg = a };
	struct s3_get get = { .key = "k", .key_len = 1, .done = get_done,
		.arg = a };
	struct s3_put put = { .key = "k", .key_len = 1, .mtime_ns = INT64_MIN,
		.done = put_done, .arg = a };

	s3_list(s3, &list);
	s3_get(s3, &get);
	s3_put(s3, &put);
}

static int total(const struct answers *a)
{
	int sum = 0;

	for (size_t i = 0; i < COUNT(a->count); i++)
		sum += a->count[i];
	return sum;
}

static void wait_for(struct s3 *s3, const struct answers *a, int answers)
{
	struct error err = ERROR_INIT;

	for (int i = 0; i < 1000 && total(a) < answers; i++)
		assert_int_equal(s3_wait(s3, CLOCK_SECOND, &err), 0);
	assert_int_equal(total(a), answers);
}

static void a_bucket_knows_its_home(void **state)
{
	struct s3 *s3 = make("http://LOCALHOST:80/base/", S3_SIGNING_AUTO);

	(void)state;
	assert_string_equal(s3_endpoint(s3), "http://localhost/base");
	s3_free(s3);
	s3 = make(NULL, S3_SIGNING_AUTO);
	assert_string_equal(s3_endpoint(s3),
	    "https://s3.us-east-1.amazonaws.com");
	s3_free(s3);
	s3_free(NULL);
}

static void what_cannot_be_addressed_is_refused(void **state)
{
	struct s3_options options = { .credentials = &credentials,
		.endpoint_url = "gopher://h", .bucket = "b", .in_flight = 1,
		.attempts = 1, .idle_timeout_ns = 1 };
	struct error err = ERROR_INIT;
	struct s3 *s3;

	(void)state;
	assert_int_equal(s3_new(&s3, &options, &err), -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_null(s3);
}

static void payloads_are_signed_where_nothing_else_protects_them(void **state)
{
	static const struct {
		const char *url;
		enum s3_signing signing;
		bool signs;
	} cases[] = {
		{ "http://h", S3_SIGNING_AUTO, true },
		{ "https://h", S3_SIGNING_AUTO, false },
		{ NULL, S3_SIGNING_AUTO, false },
		{ "https://h", S3_SIGNING_PAYLOAD, true },
		{ "http://h", S3_SIGNING_HEADERS, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct s3 *s3 = make(cases[i].url, cases[i].signing);

		assert_int_equal(s3_signs_payload(s3), cases[i].signs);
		s3_free(s3);
	}
}

static void parts_are_checked_once(void **state)
{
	static const struct {
		const char *url;
		enum s3_signing signing;
		enum s3_checksum checksum;
		enum s3_digests digests;
	} cases[] = {
		{ "http://h", S3_SIGNING_AUTO, S3_CHECKSUM_NONE,
		    S3_DIGESTS_SHA256 },
		{ "https://h", S3_SIGNING_AUTO, S3_CHECKSUM_NONE,
		    S3_DIGESTS_SHA256 },
		{ "http://h", S3_SIGNING_AUTO, S3_CHECKSUM_CRC32C,
		    S3_DIGESTS_SHA256 },
		{ "https://h", S3_SIGNING_AUTO, S3_CHECKSUM_CRC32C,
		    S3_DIGESTS_NONE },
		{ "https://h", S3_SIGNING_PAYLOAD, S3_CHECKSUM_CRC32C,
		    S3_DIGESTS_SHA256 },
		{ "https://h", S3_SIGNING_HEADERS, S3_CHECKSUM_NONE,
		    S3_DIGESTS_MD5 },
		{ "https://h", S3_SIGNING_HEADERS, S3_CHECKSUM_CRC64NVME,
		    S3_DIGESTS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct s3_options options = {
			.credentials = &credentials,
			.endpoint_url = cases[i].url, .bucket = "bucket",
			.signing = cases[i].signing,
			.properties.checksum = cases[i].checksum,
			.in_flight = 1, .attempts = 1, .idle_timeout_ns = 1,
		};
		struct error err = ERROR_INIT;
		struct s3 *s3;

		assert_int_equal(s3_new(&s3, &options, &err), 0);
		assert_int_equal(s3_part_digests(s3), cases[i].digests);
		s3_free(s3);
	}
}

static void waiting_for_nothing_takes_its_time(void **state)
{
	struct s3 *s3 = make(NOBODY, S3_SIGNING_AUTO);
	struct error err = ERROR_INIT;
	int64_t start = clock_mono_ns();

	(void)state;
	assert_int_equal(s3_wait(s3, 30 * CLOCK_MS, &err), 0);
	assert_true(clock_mono_ns() - start >= 30 * CLOCK_MS);
	start = clock_mono_ns();
	assert_int_equal(s3_wait(s3, 0, &err), 0);
	assert_true(clock_mono_ns() - start < CLOCK_SECOND);
	s3_free(s3);
}

static void *wake_soon(void *s3)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	s3_wake(s3);
	return NULL;
}

static void another_thread_can_end_the_wait(void **state)
{
	struct s3 *s3 = make(NOBODY, S3_SIGNING_AUTO);
	struct error err = ERROR_INIT;
	int64_t start = clock_mono_ns();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wake_soon, s3), 0);
	assert_int_equal(s3_wait(s3, 60 * CLOCK_SECOND, &err), 0);
	assert_true(clock_mono_ns() - start < 30 * CLOCK_SECOND);
	pthread_join(thread, NULL);
	/* a wake before the wait is not lost */
	s3_wake(s3);
	assert_int_equal(s3_wait(s3, 60 * CLOCK_SECOND, &err), 0);
	assert_true(clock_mono_ns() - start < 30 * CLOCK_SECOND);
	s3_free(s3);
}

static void nothing_is_answered_before_the_wait(void **state)
{
	struct s3 *s3 = make(NOBODY, S3_SIGNING_AUTO);
	struct answers a = { 0 };

	(void)state;
	ask(s3, &a);
	assert_int_equal(total(&a), 0);
	wait_for(s3, &a, 3);
	assert_int_equal(a.count[S3_FAILED], 3);
	assert_int_equal(s3_usage(s3)->requests[S3_KIND_LIST], 1);
	assert_int_equal(s3_usage(s3)->requests[S3_KIND_GET], 1);
	assert_int_equal(s3_usage(s3)->requests[S3_KIND_PUT], 1);
	assert_int_equal(s3_usage(s3)->retries, 0);
	s3_free(s3);
}

static void an_abort_answers_what_is_there_in_the_next_wait(void **state)
{
	struct s3 *s3 = make(NOBODY, S3_SIGNING_AUTO);
	struct answers a = { 0 };

	(void)state;
	ask(s3, &a);
	s3_abort_all(s3);
	assert_int_equal(total(&a), 0);
	ask(s3, &a); /* these are not meant */
	wait_for(s3, &a, 6);
	assert_int_equal(a.count[S3_ABORTED], 3);
	assert_int_equal(a.count[S3_FAILED], 3);
	s3_free(s3);
}

static void freeing_answers_everything_once(void **state)
{
	struct s3 *s3 = make(NOBODY, S3_SIGNING_AUTO);
	struct answers a = { .again = s3 };

	(void)state;
	ask(s3, &a);
	s3_free(s3); /* the GET asks once more */
	assert_int_equal(a.count[S3_ABORTED], 4);
	assert_int_equal(total(&a), 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_knows_its_home),
		cmocka_unit_test(what_cannot_be_addressed_is_refused),
		cmocka_unit_test(
		    payloads_are_signed_where_nothing_else_protects_them),
		cmocka_unit_test(parts_are_checked_once),
		cmocka_unit_test(waiting_for_nothing_takes_its_time),
		cmocka_unit_test(another_thread_can_end_the_wait),
		cmocka_unit_test(nothing_is_answered_before_the_wait),
		cmocka_unit_test(
		    an_abort_answers_what_is_there_in_the_next_wait),
		cmocka_unit_test(freeing_answers_everything_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
