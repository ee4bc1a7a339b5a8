/* SPDX-License-Identifier: MIT */
/* SQLite's set-up, its failures in words, and files that are no manifest. */
#include "manifest/db.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define OURS "PRAGMA application_id = 0x53335359; CREATE TABLE t (x);"

/* The linker puts this in statfs's place. */
int __real_statfs(const char *file, struct statfs *out);
int __wrap_statfs(const char *file, struct statfs *out);
static unsigned file_system; /* 0: the real one */

int __wrap_statfs(const char *file, struct statfs *out)
{
	int rc = __real_statfs(file, out);

	if (file_system != 0)
		out->f_type = file_system;
	return rc;
}

static char dir[32];
static char path[64];
static struct db db;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_db.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	file_system = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	db_close(&db);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void write_file(const char *suffix, const char *bytes, size_t len)
{
	char name[80];
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static bool is_there(const char *suffix)
{
	char name[80];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0;
}

/* A closed database at ${path} on which ${sql} was run. */
static void make_database(const char *sql)
{
	assert_int_equal(db_open(&db, path, DB_CREATE, &err), 0);
	assert_int_equal(db_exec(&db, sql, &err), 0);
	db_close(&db);
}

static void open_to_write(void)
{
	make_database(OURS);
	assert_int_equal(db_open(&db, path, DB_WRITE, &err), 0);
	assert_int_equal(db_writable(&db, &err), 0);
}

static int64_t number(const char *sql)
{
	int64_t value;

	assert_int_equal(db_number(&db, sql, &value, &err), 0);
	return value;
}

static void assert_error(const char *words)
{
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_non_null(strstr(err.text, path));
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
}

static void assert_refused(const char *words)
{
	enum db_file found;

	error_clear(&err);
	assert_int_equal(db_inspect(path, &found, &err), -1);
	assert_error(words);
}

static void assert_found(enum db_file expected)
{
	enum db_file found;

	assert_int_equal(db_inspect(path, &found, &err), 0);
	assert_int_equal(found, expected);
}

static void files_that_may_be_opened_are_told_apart(void **state)
{
	(void)state;
	assert_found(DB_FILE_ABSENT);
	write_file("", "", 0);
	assert_found(DB_FILE_EMPTY);
	make_database(OURS);
	assert_found(DB_FILE_OURS);
}

static void what_is_no_database_is_refused(void **state)
{
	char text[200];

	(void)state;
	write_file("", "a", 1);
	assert_refused("no SQLite database");
	memset(text, 'x', sizeof(text));
	write_file("", text, sizeof(text));
	assert_refused("no SQLite database");
	assert_non_null(strstr(err.text, "adopts what both sides have"));
	/* The head of a database, and no more of it. */
	write_file("", "SQLite format 3", 16);
	assert_refused("no SQLite database");
}

static void another_programs_database_is_refused(void **state)
{
	(void)state;
	make_database("CREATE TABLE t (x)");
	assert_refused("another program's");
	make_database("PRAGMA application_id = 0x47504b47");
	assert_refused("another program's");
}

static void a_database_cut_short_is_refused(void **state)
{
	struct stat st;

	(void)state;
	make_database(OURS);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_refused("in the middle of a page");
	assert_non_null(strstr(err.text, "adopts what both sides have"));
	/* A checkpoint that was killed: its log makes the page whole. */
	write_file("-wal", "frames", 6);
	assert_found(DB_FILE_OURS);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused("is a directory");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("no regular file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nowhere/at/all", path), 0);
	assert_refused("leads nowhere");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(path, path), 0);
	assert_refused("symbolic links");
}

static void a_log_without_its_database_is_refused(void **state)
{
	(void)state;
	write_file("-wal", "", 0);
	assert_found(DB_FILE_ABSENT);
	write_file("-wal", "frames", 6);
	assert_refused("its log");
	write_file("", "", 0);
	assert_refused("its log");
	write_file("-wal", "", 0);
	write_file("-journal", "pages", 5);
	assert_refused("-journal");
}

static void a_writer_uses_a_write_ahead_log(void **state)
{
	(void)state;
	open_to_write();
	assert_int_equal(number("SELECT journal_mode = 'wal' "
				"FROM pragma_journal_mode"),
	    1);
	assert_int_equal(number("PRAGMA synchronous"), 1);
	assert_int_equal(number("PRAGMA trusted_schema"), 0);
	assert_int_equal(number("PRAGMA cell_size_check"), 1);
	assert_int_equal(number("PRAGMA mmap_size"), 0);
	assert_int_equal(number("PRAGMA secure_delete"), 0);
	assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)", &err), 0);
	db_close(&db);
	/* They stay, empty, for readers who could not make them. */
	assert_true(is_there("-wal"));
	assert_true(is_there("-shm"));
	assert_found(DB_FILE_OURS);
}

static void the_schema_cannot_be_written_to(void **state)
{
	(void)state;
	open_to_write();
	assert_int_equal(db_exec(&db,
			     "PRAGMA writable_schema = ON;"
			     "DELETE FROM sqlite_schema;",
			     &err),
	    -1);
	assert_int_equal(number("SELECT count(*) FROM sqlite_schema"), 1);
}

static void a_network_file_system_gets_no_write_ahead_log(void **state)
{
	static const unsigned systems[] = { 0x6969, 0xff534d42, 0x65735546 };

	(void)state;
	for (size_t i = 0; i < sizeof(systems) / sizeof(*systems); i++) {
		file_system = systems[i];
		open_to_write();
		assert_int_equal(number("SELECT journal_mode = 'delete' "
					"FROM pragma_journal_mode"),
		    1);
		assert_int_equal(number("PRAGMA synchronous"), 2);
		assert_int_equal(
		    db_exec(&db, "INSERT INTO t VALUES (1)", &err), 0);
		db_close(&db);
		assert_false(is_there("-wal"));
		assert_int_equal(unlink(path), 0);
	}
}

static void a_manifest_moved_to_a_network_drops_its_log(void **state)
{
	(void)state;
	open_to_write();
	assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)", &err), 0);
	db_close(&db);
	file_system = 0x6969;
	assert_int_equal(db_open(&db, path, DB_WRITE, &err), 0);
	assert_int_equal(db_writable(&db, &err), 0);
	assert_int_equal(number("SELECT count(*) FROM t"), 1);
	assert_int_equal(number("SELECT journal_mode = 'delete' "
				"FROM pragma_journal_mode"),
	    1);
}

static void a_reader_cannot_write(void **state)
{
	(void)state;
	open_to_write();
	db_close(&db);
	assert_int_equal(db_open(&db, path, DB_READ, &err), 0);
	assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)", &err), -1);
	assert_error("to be read");
}

static void an_absent_file_is_not_made_by_opening_it(void **state)
{
	(void)state;
	assert_int_equal(db_open(&db, path, DB_WRITE, &err), -1);
	assert_error("No such file");
	assert_null(db.handle);
	assert_int_equal(db_open(&db, path, DB_READ, &err), -1);
	assert_error("No such file");
	assert_false(is_there(""));
}

static void a_scratch_database_has_no_file(void **state)
{
	(void)state;
	assert_int_equal(db_open(&db, path, DB_SCRATCH, &err), 0);
	assert_int_equal(db_exec(&db, OURS, &err), 0);
	assert_int_equal(number("SELECT count(*) FROM t"), 0);
	assert_false(is_there(""));
}

static void a_full_disk_is_called_one(void **state)
{
	(void)state;
	open_to_write();
	number("PRAGMA max_page_count = 3");
	assert_int_equal(
	    db_exec(&db, "INSERT INTO t VALUES (zeroblob(100000))", &err), -1);
	assert_error("make room");
	assert_int_equal(err.sys, ENOSPC);
}

static void a_lock_of_another_program_is_called_one(void **state)
{
	sqlite3 *other;

	(void)state;
	open_to_write();
	sqlite3_busy_timeout(db.handle, 10);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)", &err), -1);
	assert_error("held locked by another program");
	sqlite3_close(other);
}

static void a_missing_table_is_damage(void **state)
{
	int64_t value;

	(void)state;
	open_to_write();
	assert_int_equal(
	    db_number(&db, "SELECT x FROM nowhere", &value, &err), -1);
	assert_error("no such table: nowhere");
	assert_error("adopts what both sides have, without transfers");
}

static void no_row_is_the_number_0(void **state)
{
	(void)state;
	open_to_write();
	assert_int_equal(number("SELECT 7 FROM t"), 0);
	assert_int_equal(number("SELECT 7"), 7);
}

static void quick_check_finds_a_broken_page(void **state)
{
	char rubbish[3000];
	int fd;

	(void)state;
	open_to_write();
	assert_int_equal(
	    db_exec(&db,
		"WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 "
		"FROM n LIMIT 5000) INSERT INTO t SELECT x FROM n",
		&err),
	    0);
	assert_int_equal(db_quick_check(&db, &err), 0);
	db_close(&db);
	memset(rubbish, 0xa5, sizeof(rubbish));
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, rubbish, sizeof(rubbish), 3 * 4096 + 10),
	    sizeof(rubbish));
	close(fd);
	assert_int_equal(db_open(&db, path, DB_WRITE, &err), 0);
	assert_int_equal(db_quick_check(&db, &err), -1);
	assert_error("is damaged");
	assert_error("-wal");
}

static void a_copy_replaces_an_older_copy(void **state)
{
	char copy[80];

	(void)state;
	open_to_write();
	snprintf(copy, sizeof(copy), "%s.bak", path);
	write_file(".bak", "old", 3);
	assert_int_equal(db_exec(&db, "INSERT INTO t VALUES (1)", &err), 0);
	assert_int_equal(db_backup(&db, copy, &err), 0);
	db_close(&db);
	assert_int_equal(db_open(&db, copy, DB_READ, &err), 0);
	assert_int_equal(number("SELECT count(*) FROM t"), 1);
	assert_int_equal(number("PRAGMA application_id"), DB_APPLICATION_ID);
}

static void a_copy_that_cannot_be_made_is_an_error(void **state)
{
	(void)state;
	open_to_write();
	assert_int_equal(db_backup(&db, "/nowhere/at/all.bak", &err), -1);
	assert_error("/nowhere/at/all.bak");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_that_may_be_opened_are_told_apart),
		TEST(what_is_no_database_is_refused),
		TEST(another_programs_database_is_refused),
		TEST(a_database_cut_short_is_refused),
		TEST(what_is_no_file_is_refused_at_once),
		TEST(a_log_without_its_database_is_refused),
		TEST(a_writer_uses_a_write_ahead_log),
		TEST(the_schema_cannot_be_written_to),
		TEST(a_network_file_system_gets_no_write_ahead_log),
		TEST(a_manifest_moved_to_a_network_drops_its_log),
		TEST(a_reader_cannot_write),
		TEST(an_absent_file_is_not_made_by_opening_it),
		TEST(a_scratch_database_has_no_file),
		TEST(a_full_disk_is_called_one),
		TEST(a_lock_of_another_program_is_called_one),
		TEST(a_missing_table_is_damage),
		TEST(no_row_is_the_number_0),
		TEST(quick_check_finds_a_broken_page),
		TEST(a_copy_replaces_an_older_copy),
		TEST(a_copy_that_cannot_be_made_is_an_error),
	};

	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
