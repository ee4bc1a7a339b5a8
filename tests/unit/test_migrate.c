/* SPDX-License-Identifier: MIT */
/* The road of migrations, against the schema where it must end. */
#include "manifest/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "manifest/sql.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static char dir[32];
static char path[64];
static struct db db;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_migrate.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	return db_open(&db, path, DB_CREATE, &err);
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	db_close(&db);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void add_rows(struct db *from, const char *sql, struct strbuf *out)
{
	sqlite3_stmt *s;

	assert_int_equal(db_prepare(from, sql, &s, &err), 0);
	while (db_step(from, s, &err) > 0)
		for (int i = 0; i < sqlite3_column_count(s); i++)
			strbuf_addf(out, "%s|", sqlite3_column_text(s, i));
	sqlite3_finalize(s);
}

static void describe(struct db *from, struct strbuf *out)
{
	add_rows(from, "PRAGMA application_id", out);
	add_rows(from, "PRAGMA user_version", out);
	add_rows(from,
	    "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name",
	    out);
}

static int64_t number(struct db *from, const char *sql)
{
	int64_t value;

	assert_int_equal(db_number(from, sql, &value, &err), 0);
	return value;
}

static void all_steps_end_at_the_schema(void **state)
{
	struct strbuf schema = STRBUF_INIT(65536), road = STRBUF_INIT(65536);
	struct db other;

	(void)state;
	assert_int_equal(migrate_run(&db, &err), 0);
	assert_int_equal(db_open(&other, "scratch", DB_SCRATCH, &err), 0);
	assert_int_equal(db_exec(&other, sql_schema, &err), 0);
	describe(&db, &road);
	describe(&other, &schema);
	assert_non_null(strstr(strbuf_text(&schema), "CREATE TABLE entry"));
	assert_string_equal(strbuf_text(&road), strbuf_text(&schema));
	db_close(&other);
	strbuf_release(&schema);
	strbuf_release(&road);
}

static void steps_are_numbered_from_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(sql_migrations); i++)
		assert_int_equal(sql_migrations[i].version, i + 1);
	assert_int_equal(migrate_latest(), COUNT(sql_migrations));
}

static void the_mark_is_the_one_that_db_looks_for(void **state)
{
	(void)state;
	assert_int_equal(migrate_run(&db, &err), 0);
	assert_int_equal(
	    number(&db, "PRAGMA application_id"), DB_APPLICATION_ID);
}

static const struct migrate_step road[] = {
	{ 1, "0001_first", "CREATE TABLE a (x); INSERT INTO a VALUES (7);" },
	{ 2, "0002_second", "CREATE TABLE b (x);" },
	{ 3, "0003_broken", "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);" },
};

static void only_missing_steps_are_taken(void **state)
{
	(void)state;
	assert_int_equal(migrate_run_steps(&db, road, 1, &err), 0);
	assert_int_equal(migrate_run_steps(&db, road, 2, &err), 0);
	assert_int_equal(migrate_run_steps(&db, road, 2, &err), 0);
	assert_int_equal(number(&db, "PRAGMA user_version"), 2);
	assert_int_equal(number(&db, "SELECT count(*) FROM a"), 1);
}

static void what_had_a_schema_is_copied_first(void **state)
{
	char copy_path[80];
	struct db copy;

	(void)state;
	snprintf(copy_path, sizeof(copy_path), "%s.v1.bak", path);
	assert_int_equal(migrate_run_steps(&db, road, 1, &err), 0);
	assert_int_equal(euidaccess(copy_path, F_OK), -1);
	assert_int_equal(migrate_run_steps(&db, road, 2, &err), 0);
	assert_int_equal(db_open(&copy, copy_path, DB_READ, &err), 0);
	assert_int_equal(number(&copy, "PRAGMA user_version"), 1);
	assert_int_equal(number(&copy, "SELECT x FROM a"), 7);
	db_close(&copy);
}

/* Each step as it was, on a manifest that somebody has used. */
static void runs_of_the_first_schema_are_kept(void **state)
{
	(void)state;
	assert_int_equal(migrate_run_steps(&db, sql_migrations, 1, &err), 0);
	assert_int_equal(db_exec(&db, "INSERT INTO run (id, started_ns, outcome,"
	    " local_keys, list_requests, put_requests, retries, transfer_ns,"
	    " error) VALUES (7, 1, 'failed', 2, 3, 4, 5, 6, 'because')", &err),
	    0);
	assert_int_equal(migrate_run(&db, &err), 0);
	assert_int_equal(number(&db, "SELECT count(*) FROM run WHERE id = 7 AND"
	    " started_ns = 1 AND ended_ns IS NULL AND outcome = 'failed' AND"
	    " local_keys = 2 AND list_requests = 3 AND put_requests = 4 AND"
	    " retries = 5 AND transfer_ns = 6 AND error = 'because' AND"
	    " upload_part_requests = 0 AND wire_up = 0"), 1);
	assert_int_equal(number(&db, "SELECT requests FROM run_view"), 7);
}

static void a_step_that_fails_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(migrate_run_steps(&db, road, 3, &err), -1);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_non_null(strstr(err.text, "0003_broken"));
	assert_int_equal(number(&db, "PRAGMA user_version"), 2);
	assert_int_equal(
	    number(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'c'"),
	    0);
}

static void a_newer_database_is_refused(void **state)
{
	int behind;

	(void)state;
	assert_int_equal(migrate_run(&db, &err), 0);
	assert_int_equal(migrate_check(&db, &behind, &err), 0);
	assert_int_equal(behind, 0);
	assert_int_equal(db_exec(&db, "PRAGMA user_version = 99", &err), 0);
	assert_int_equal(migrate_check(&db, &behind, &err), -1);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "newer s3sync (version 99"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_steps_end_at_the_schema),
		TEST(steps_are_numbered_from_one),
		TEST(the_mark_is_the_one_that_db_looks_for),
		TEST(only_missing_steps_are_taken),
		TEST(what_had_a_schema_is_copied_first),
		TEST(runs_of_the_first_schema_are_kept),
		TEST(a_step_that_fails_leaves_nothing),
		TEST(a_newer_database_is_refused),
	};

	return cmocka_run_group_tests_name("migrate", tests, NULL, NULL);
}
