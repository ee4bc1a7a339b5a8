/* SPDX-License-Identifier: MIT */
/* The lines that users look for, byte by byte, and the JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "sync/report.h"

static struct conf_pair pair = {
	.name = "extracted",
	.local = "extracted",
	.remote = "s3://contentextract/extract/",
};
static struct report_style style;
static struct report *report;
static char *json; /* what was written; JSON, if anything */
static size_t json_len;
static char lines[4096]; /* of the log: "LEVEL|LINE\n" */

static void take_line(enum log_level level, const char *line, void *arg)
{
	size_t len = strlen(lines);

	(void)arg;
	snprintf(lines + len, sizeof(lines) - len, "%d|%s\n", (int)level, line);
}

static int begin(void **state)
{
	(void)state;
	lines[0] = '\0';
	log_capture(take_line, NULL);
	style = (struct report_style){ .json = true };
	style.out = open_memstream(&json, &json_len);
	report = report_new(&pair, &style);
	return style.out == NULL;
}

static int end(void **state)
{
	(void)state;
	report_free(report);
	fclose(style.out);
	free(json);
	log_capture(NULL, NULL);
	return 0;
}

static void assert_lines(const char *expected)
{
	assert_string_equal(lines, expected);
	lines[0] = '\0';
}

/* The last object written. */
static json_t *last_object(void)
{
	const char *line;
	json_t *object;

	assert_int_equal(fflush(style.out), 0);
	assert_true(json_len > 1 && json[json_len - 1] == '\n');
	json[json_len - 1] = '\0';
	line = strrchr(json, '\n');
	object = json_loads(line != NULL ? line + 1 : json, 0, NULL);
	json[json_len - 1] = '\n';
	assert_non_null(object);
	return object;
}

static void assert_member(const json_t *object, const char *name,
    const char *expected)
{
	const json_t *value = json_object_get(object, name);

	assert_non_null(value);
	if (expected == NULL)
		assert_true(json_is_null(value));
	else
		assert_string_equal(json_string_value(value), expected);
}

static long long number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void test_the_four_lines(void **state)
{
	const struct cycle_events *events = report_events(report);
	const struct cycle_summary sum = { .downloaded = 5, .uploaded = 3 };

	(void)state;
	report_initialized(report);
	assert_lines("2|S3 bidirectional sync initialized for extracted <-> "
		     "s3://contentextract/extract/\n");
	events->transferred(events->arg, ACTION_DOWNLOAD, "a/b.png", 7, 12);
	assert_lines("2|Downloaded from S3: a/b.png\n");
	events->transferred(events->arg, ACTION_UPLOAD, "a/c.png", 7, 12);
	assert_lines("2|Uploaded to S3: a/c.png\n");
	report_cycle(report, &sum);
	assert_lines("2|S3 sync completed: ⬇️  5 downloaded, "
		     "⬆️  3 uploaded\n");
}

static void test_transfers_as_json(void **state)
{
	const struct cycle_events *events = report_events(report);
	json_t *object;

	(void)state;
	events->transferred(events->arg, ACTION_DOWNLOAD, "k", 1, 12);
	object = last_object();
	assert_member(object, "event", "downloaded");
	assert_member(object, "pair", "extracted");
	assert_member(object, "key", "k");
	assert_non_null(json_object_get(object, "time"));
	assert_int_equal(number(object, "bytes"), 12);
	json_decref(object);
	events->transferred(events->arg, ACTION_UPLOAD, "\xff\n", 2, 0);
	object = last_object();
	assert_member(object, "event", "uploaded");
	assert_member(object, "key_base64", "/wo=");
	json_decref(object);
	assert_lines("2|Downloaded from S3: k\n"
		     "2|Uploaded to S3: \\xff\\x0a\n");
}

static void test_failures(void **state)
{
	const struct cycle_events *events = report_events(report);
	struct error error = ERROR_INIT;
	json_t *object;

	(void)state;
	error_set(&error, ERROR_DENIED, "AccessDenied");
	events->failed(events->arg, ACTION_UPLOAD, "k", 1, &error,
	    INT64_C(1000000000));
	assert_lines("1|The upload of k failed: AccessDenied\n");
	object = last_object();
	assert_member(object, "event", "failed");
	assert_member(object, "action", "upload");
	assert_member(object, "error", error_kind_name(ERROR_DENIED));
	assert_member(object, "message", "AccessDenied");
	assert_member(object, "next_at", "1970-01-01T00:00:01.000Z");
	json_decref(object);

	error_set(&error, ERROR_CHANGED, "it grew");
	events->deferred(events->arg, ACTION_DOWNLOAD, "k", 1, &error);
	assert_lines("2|The download of k waits for the next cycle: it grew\n");
	object = last_object();
	assert_member(object, "event", "deferred");
	json_decref(object);
}

static void test_what_is_noticed(void **state)
{
	const struct cycle_events *events = report_events(report);
	json_t *object;

	(void)state;
	events->noticed(events->arg, REASON_BLOCKED_TYPE, "l", 1, "a symlink");
	assert_lines("1|Left alone, blocked (blocked-type): l: a symlink\n");
	object = last_object();
	assert_member(object, "event", "noticed");
	assert_member(object, "class", "blocked");
	assert_member(object, "reason", "blocked-type");
	assert_member(object, "detail", "a symlink");
	json_decref(object);
	events->noticed(events->arg, REASON_DIFFERENT, "d", 1, NULL);
	assert_lines("1|Left alone, differing (different): d\n");
}

static void test_the_rest_is_told_when_it_changes(void **state)
{
	static const char done[] = "2|S3 sync completed: ⬇️  0 downloaded, "
				   "⬆️  0 uploaded\n";
	struct cycle_summary sum = { .failed = 1,
		.waiting = 2,
		.blocked = 3,
		.differing = 4 };
	char expected[512];

	(void)state;
	snprintf(expected, sizeof(expected),
	    "%s1|Not in agreement: 1 failed, 2 waiting, 3 blocked, "
	    "4 differing (s3sync-state pending)\n",
	    done);
	report_cycle(report, &sum);
	assert_lines(expected);
	sum.waiting = 3;
	report_cycle(report, &sum);
	assert_lines(done);
	style.repeat = true;
	sum = (struct cycle_summary){ .waiting = 1 };
	snprintf(expected, sizeof(expected),
	    "%s2|Not in agreement: 1 waiting (s3sync-state pending)\n", done);
	report_cycle(report, &sum);
	assert_lines(expected);
}

static void test_a_cycle_that_could_not_run(void **state)
{
	struct cycle_summary sum = { .error = ERROR_INIT };
	json_t *object;

	(void)state;
	error_set(&sum.error, ERROR_BUCKET, "no such bucket");
	report_cycle(report, &sum);
	assert_lines("0|extracted: no such bucket\n");
	object = last_object();
	assert_member(object, "event", "summary");
	assert_member(object, "outcome", "failed");
	assert_member(object, "message", "no such bucket");
	json_decref(object);
	sum.uploaded = 7;
	report_cycle(report, &sum);
	assert_lines("0|extracted: no such bucket\n"
		     "2|S3 sync stopped early: ⬇️  0 downloaded, "
		     "⬆️  7 uploaded\n");
}

static void test_a_cycle_that_was_stopped(void **state)
{
	const struct cycle_summary sum = { .stopped = true, .downloaded = 1 };
	json_t *object;

	(void)state;
	report_cycle(report, &sum);
	assert_lines("2|S3 sync stopped early: ⬇️  1 downloaded, "
		     "⬆️  0 uploaded\n");
	object = last_object();
	assert_member(object, "outcome", "stopped");
	json_decref(object);
}

static void test_the_summary_as_json(void **state)
{
	static const char *const names[] = { "local_keys", "remote_keys",
		"agreed", "uploaded", "downloaded", "adopted", "bytes_up",
		"bytes_down", "failed", "waiting", "blocked", "differing",
		"planned_up", "planned_down", "planned_bytes_up",
		"planned_bytes_down", "retries", "wire_up", "wire_down",
		"survey_ms", "transfer_ms", "list_requests", "get_requests",
		"put_requests", "head_requests", "delete_requests",
		"copy_requests", "create_upload_requests",
		"upload_part_requests", "complete_upload_requests",
		"abort_upload_requests", "list_parts_requests" };
	struct cycle_summary sum = {
		.local_keys = 1,
		.remote_keys = 2,
		.agreed = 3,
		.uploaded = 4,
		.downloaded = 5,
		.adopted = 6,
		.bytes_up = 7,
		.bytes_down = 8,
		.failed = 9,
		.waiting = 10,
		.blocked = 11,
		.differing = 12,
		.planned_up = 13,
		.planned_down = 14,
		.planned_bytes_up = 15,
		.planned_bytes_down = 16,
		.retries = 17,
		.wire_up = 18,
		.wire_down = 19,
		.survey_ns = 20000000,
		.transfer_ns = 21999999,
	};
	json_t *object;
	size_t i;

	(void)state;
	for (i = 0; i < MANIFEST_REQUEST_COUNT; i++)
		sum.requests[i] = 22 + (int64_t)i;
	report_cycle(report, &sum);
	object = last_object();
	assert_member(object, "outcome", "partial");
	assert_member(object, "error", NULL);
	assert_member(object, "message", NULL);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(number(object, names[i]), i + 1);
	json_decref(object);
}

static void test_without_json_nothing_is_written(void **state)
{
	const struct cycle_summary sum = { .downloaded = 5 };
	const struct cycle_events *events = report_events(report);

	(void)state;
	style.json = false;
	events->transferred(events->arg, ACTION_UPLOAD, "k", 1, 1);
	report_cycle(report, &sum);
	assert_int_equal(fflush(style.out), 0);
	assert_int_equal(json_len, 0);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_four_lines),
		TEST(test_transfers_as_json),
		TEST(test_failures),
		TEST(test_what_is_noticed),
		TEST(test_the_rest_is_told_when_it_changes),
		TEST(test_a_cycle_that_could_not_run),
		TEST(test_a_cycle_that_was_stopped),
		TEST(test_the_summary_as_json),
		TEST(test_without_json_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
