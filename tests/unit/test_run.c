/* SPDX-License-Identifier: MIT */
/* Cycles as rows. */
#include "manifest_fixture.h"

#include "manifest/db.h"

struct seen_runs {
	int count;
	int64_t first_id;
	struct manifest_run first; /* without its texts */
	char outcomes[256], error[64];
};

static void see_run(const struct manifest_run *run, void *arg)
{
	struct seen_runs *seen = arg;
	size_t len = strlen(seen->outcomes);

	if (seen->count++ == 0) {
		seen->first = *run;
		snprintf(seen->error, sizeof(seen->error), "%s",
		    run->error != NULL ? run->error : "");
	}
	snprintf(seen->outcomes + len, sizeof(seen->outcomes) - len, "%s ",
	    run->outcome);
}

static struct seen_runs see_runs(int limit)
{
	struct seen_runs seen = { .count = 0 };

	assert_int_equal(manifest_run_each(m, limit, see_run, &seen, &err), 0);
	return seen;
}

static void a_run_comes_back_as_it_was_ended(void **state)
{
	struct manifest_run run = {
		.started_ns = 1, .ended_ns = 2, .outcome = "partial",
		.local_keys = 3, .remote_keys = 4, .uploaded = 5,
		.downloaded = 6, .adopted = 7, .bytes_up = 8, .bytes_down = 9,
		.failed = 10, .waiting = 11, .blocked = 12, .differing = 13,
		.retries = 14, .wire_up = 15, .wire_down = 16,
		.survey_ns = 17, .transfer_ns = 18, .error = "because",
	};
	struct seen_runs seen;

	(void)state;
	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++)
		run.requests[i] = 100 + i;
	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	seen = see_runs(-1);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.outcomes, "running ");
	assert_int_equal(seen.first.ended_ns, 0);
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	seen = see_runs(-1);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.outcomes, "partial ");
	assert_string_equal(seen.error, "because");
	run.outcome = seen.first.outcome = NULL;
	run.error = seen.first.error = NULL;
	assert_memory_equal(&seen.first, &run, sizeof(run));
}

static int64_t number(const char *sql)
{
	struct db db;
	int64_t value;

	assert_int_equal(db_open(&db, path, DB_READ, &err), 0);
	assert_int_equal(db_number(&db, sql, &value, &err), 0);
	db_close(&db);
	return value;
}

static void each_kind_of_request_has_its_column(void **state)
{
	struct manifest_run run = { .outcome = "done", .ended_ns = 2 };

	(void)state;
	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++)
		run.requests[i] = 100 + i;
	assert_int_equal(manifest_run_request_total(run.requests), 1155);
	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++) {
		char sql[80];

		snprintf(sql, sizeof(sql), "SELECT %s_requests FROM run",
		    manifest_run_request_name((enum manifest_request)i));
		assert_int_equal(number(sql), 100 + i);
	}
	assert_int_equal(number("SELECT requests FROM run_view"), 1155);
}

static void the_end_of_a_run_commits_what_is_open(void **state)
{
	struct manifest_run run = { .outcome = "done", .ended_ns = 2 };

	(void)state;
	put_text("a");
	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	assert_int_equal(manifest_uncommitted(m), 0);
	put_text("b");
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	assert_int_equal(manifest_uncommitted(m), 0);
	reopen_as(MANIFEST_WRITE);
	assert_int_equal(entry_count(), 2);
}

static void a_run_without_an_end_was_killed(void **state)
{
	struct manifest_run run = { .outcome = "done", .ended_ns = 2 };
	struct seen_runs seen;

	(void)state;
	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	assert_int_equal(manifest_run_begin(m, 2, &run.id, &err), 0);
	reopen_as(MANIFEST_WRITE);
	assert_int_equal(manifest_run_begin(m, 3, &run.id, &err), 0);
	seen = see_runs(-1);
	assert_string_equal(seen.outcomes, "running killed done ");
	assert_int_equal(see_runs(2).count, 2);
}

static void a_thousand_runs_are_kept(void **state)
{
	struct manifest_run run = { .outcome = "done", .ended_ns = 2 };
	struct seen_runs seen;

	(void)state;
	for (int i = 1; i <= 1003; i++) {
		assert_int_equal(manifest_run_begin(m, i, &run.id, &err), 0);
		assert_int_equal(run.id, i);
		if (i > 1000)
			assert_int_equal(manifest_run_end(m, &run, &err), 0);
	}
	seen = see_runs(-1);
	assert_int_equal(seen.count, 1000);
	assert_int_equal(seen.first.id, 1003);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_comes_back_as_it_was_ended),
		TEST(each_kind_of_request_has_its_column),
		TEST(the_end_of_a_run_commits_what_is_open),
		TEST(a_run_without_an_end_was_killed),
		TEST(a_thousand_runs_are_kept),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
