/* SPDX-License-Identifier: MIT */
/* Who may open a manifest and how; what is refused, and stays as it is. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest/db.h"
#include "manifest/manifest.h"

static char dir[40];
static char path[64];
static struct manifest *m;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_open.XXXXXX");
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	m = NULL;
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	manifest_close(m);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void open_as(enum manifest_access access)
{
	manifest_close(m);
	if (manifest_open(&m, path, access, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_it(void)
{
	manifest_close(m);
	m = NULL;
}

static void assert_says(const char *words)
{
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, err.text);
}

static void assert_refused(enum manifest_access access, const char *words)
{
	struct manifest *refused;

	error_clear(&err);
	assert_int_equal(manifest_open(&refused, path, access, &err), -1);
	assert_null(refused);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_says(path);
	assert_says(words);
}

static int put(const char *key)
{
	struct manifest_entry entry = {
		.key = key, .key_len = strlen(key), .state = MANIFEST_SYNCED,
	};

	return manifest_entry_put(m, &entry);
}

static int put_pending(const char *key, int attempts)
{
	struct manifest_pending pending = {
		.key = key, .key_len = strlen(key), .action = "upload",
		.reason = "new-local", .attempts = attempts,
	};

	return manifest_pending_put(m, &pending);
}

static int64_t entry_count(void)
{
	struct manifest_totals totals;

	if (manifest_totals(m, &totals, &err) < 0)
		return -1;
	return totals.synced + totals.assumed;
}

static int pending_attempts(const char *key)
{
	struct manifest_pending found;
	int rc = manifest_pending_find(m, key, strlen(key), &found, &err);

	return rc > 0 ? found.attempts : -1;
}

/* A closed manifest with ${count} entries. */
static void make_manifest(int count)
{
	char key[32];

	open_as(MANIFEST_WRITE);
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key-%06d", i);
		assert_int_equal(put(key), 0);
	}
	assert_int_equal(manifest_commit(m, &err), 0);
	close_it();
}

static void run_sql(const char *sql)
{
	sqlite3 *handle;

	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void overwrite(off_t offset, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, offset), len);
	close(fd);
}

static bool is_there(const char *suffix)
{
	char name[96];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0;
}

/* What become_stranger took from ourselves; SQLite gave its files the mode of
 * the database. */
static void give_back(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char name[96];

	chmod(dir, 0755);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		chmod(name, 0644);
	}
}

/* ${run} in a process of its own; its exit status, 255 for a signal. */
static int in_child(int (*run)(void))
{
	struct manifest *of_parent = m;
	pid_t child = fork();
	int status;

	if (child == 0) {
		m = NULL;
		status = run();
		manifest_close(m);
		m = of_parent; /* not lost, but not ours to close */
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (geteuid() != 0)
		give_back();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* Another user, or ourselves without the right to write. */
static void become_stranger(void)
{
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(99);
	if (chmod(dir, 0555) == 0) /* not if it was root's */
		chmod(path, 0444);
}

/* ---- the ways to open ---------------------------------------------------- */

static void a_new_manifest_is_made_with_its_directories(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/b/c/a.db", dir);
	open_as(MANIFEST_WRITE);
	assert_true(manifest_is_new(m));
	assert_int_equal(entry_count(), 0);
	assert_string_equal(manifest_path(m), path);
	open_as(MANIFEST_WRITE);
	assert_false(manifest_is_new(m));
	assert_false(is_there(".new"));
}

static void an_empty_file_becomes_a_manifest(void **state)
{
	(void)state;
	overwrite(0, "", 0);
	open_as(MANIFEST_WRITE);
	assert_true(manifest_is_new(m));
}

static void what_a_killed_run_began_to_make_is_made_anew(void **state)
{
	char draft[80];
	FILE *f;

	(void)state;
	snprintf(draft, sizeof(draft), "%s.new", path);
	f = fopen(draft, "w");
	assert_non_null(f);
	fputs("SQLite format 3", f);
	fclose(f);
	open_as(MANIFEST_WRITE);
	assert_int_equal(entry_count(), 0);
	assert_false(is_there(".new"));
}

static void a_reader_needs_a_manifest(void **state)
{
	(void)state;
	assert_refused(MANIFEST_READ, "there is no manifest");
	overwrite(0, "", 0);
	assert_refused(MANIFEST_READ, "there is no manifest");
	snprintf(path, sizeof(path), "%s/no/such/dir/a.db", dir);
	assert_refused(MANIFEST_READ, "there is no manifest");
}

static void a_reader_sees_what_the_writer_has_committed(void **state)
{
	struct manifest *writer;

	(void)state;
	open_as(MANIFEST_WRITE);
	put("a");
	assert_int_equal(manifest_commit(m, &err), 0);
	put("b");
	writer = m;
	m = NULL;
	open_as(MANIFEST_READ);
	assert_int_equal(entry_count(), 1);
	assert_int_equal(manifest_commit(writer, &err), 0);
	assert_int_equal(entry_count(), 2);
	manifest_close(writer);
	assert_int_equal(entry_count(), 2);
	assert_int_equal(put("c"), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_says("to be read");
}

static int read_as_stranger(void)
{
	become_stranger();
	if (manifest_open(&m, path, MANIFEST_READ, &err) < 0) {
		fprintf(stderr, "# %s\n", err.text);
		return 3;
	}
	return (int)entry_count();
}

static void another_user_may_read(void **state)
{
	(void)state;
	make_manifest(7);
	assert_int_equal(in_child(read_as_stranger), 7);
	open_as(MANIFEST_WRITE);
	put("one more");
	assert_int_equal(manifest_commit(m, &err), 0);
	assert_int_equal(in_child(read_as_stranger), 8);
}

static int be_killed_after_a_commit(void)
{
	if (manifest_open(&m, path, MANIFEST_WRITE, &err) < 0 ||
	    put("committed") < 0 || manifest_commit(m, &err) < 0)
		return 1;
	return raise(SIGKILL);
}

static void another_user_may_read_after_a_kill(void **state)
{
	(void)state;
	make_manifest(7);
	assert_int_equal(in_child(be_killed_after_a_commit), 255);
	assert_int_equal(in_child(read_as_stranger), 8);
}

static int be_told_who_may_read(void)
{
	become_stranger();
	if (manifest_open(&m, path, MANIFEST_READ, &err) == 0)
		return 0;
	return strstr(err.text, "cannot be read by this user") != NULL ? 3 : 1;
}

static void a_reader_that_lacks_the_log_is_told_who_may_read(void **state)
{
	char name[80];

	(void)state;
	make_manifest(7);
	snprintf(name, sizeof(name), "%s-wal", path);
	assert_int_equal(unlink(name), 0);
	snprintf(name, sizeof(name), "%s-shm", path);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(in_child(be_told_who_may_read), 3);
}

static void a_plan_changes_no_file(void **state)
{
	struct stat before, after;

	(void)state;
	open_as(MANIFEST_WRITE);
	put("k");
	put_pending("old", 3);
	assert_int_equal(manifest_commit(m, &err), 0);
	close_it();
	assert_int_equal(stat(path, &before), 0);
	open_as(MANIFEST_PLAN);
	assert_false(manifest_is_new(m));
	assert_int_equal(entry_count(), 1);
	assert_int_equal(pending_attempts("old"), 3);
	assert_int_equal(put_pending("new", 0), 0);
	assert_int_equal(manifest_pending_drop(m, "old", 3), 0);
	assert_int_equal(manifest_commit(m, &err), 0);
	assert_int_equal(pending_attempts("new"), 0);
	assert_int_equal(pending_attempts("old"), -1);
	assert_int_equal(put("not here"), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	open_as(MANIFEST_READ);
	assert_int_equal(pending_attempts("new"), -1);
	assert_int_equal(pending_attempts("old"), 3);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(before.st_size, after.st_size);
}

static void a_plan_without_a_manifest_makes_none(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/no/such/dir/a.db", dir);
	open_as(MANIFEST_PLAN);
	assert_true(manifest_is_new(m));
	assert_int_equal(entry_count(), 0);
	assert_int_equal(put_pending("new", 2), 0);
	assert_int_equal(manifest_commit(m, &err), 0);
	assert_int_equal(pending_attempts("new"), 2);
	close_it();
	snprintf(path, sizeof(path), "%s/no", dir);
	assert_false(is_there(""));
}

static void a_link_leads_to_the_same_manifest_and_lock(void **state)
{
	char other[64];

	(void)state;
	snprintf(other, sizeof(other), "%s/link.db", dir);
	assert_int_equal(symlink(path, other), 0);
	open_as(MANIFEST_WRITE);
	memcpy(path, other, sizeof(other));
	error_clear(&err);
	assert_int_equal(
	    manifest_open(&(struct manifest *){ NULL }, path, MANIFEST_WRITE,
		&err),
	    -1);
	assert_says("a.db is in use by process");
}

/* ---- one writer ---------------------------------------------------------- */

static int report_writer(void)
{
	if (manifest_open(&m, path, MANIFEST_READ, &err) < 0)
		return 3;
	return manifest_writer(m) == (long)getppid() ? 1 : 0;
}

static void a_second_writer_is_told_the_first(void **state)
{
	char words[64];

	(void)state;
	open_as(MANIFEST_WRITE);
	snprintf(words, sizeof(words), "in use by process %ld", (long)getpid());
	assert_refused(MANIFEST_WRITE, words);
	assert_int_equal(manifest_writer(m), getpid());
	assert_int_equal(in_child(report_writer), 1);
	close_it();
	assert_int_equal(in_child(report_writer), 0);
	open_as(MANIFEST_WRITE);
}

static void a_killed_writer_leaves_no_lock(void **state)
{
	(void)state;
	assert_int_equal(in_child(be_killed_after_a_commit), 255);
	assert_int_equal(in_child(report_writer), 0);
	open_as(MANIFEST_WRITE);
	assert_int_equal(entry_count(), 1);
}

/* ---- refusals ------------------------------------------------------------ */

struct copy {
	char *bytes[2]; /* of the manifest and of its log, NULL if absent */
	size_t len[2];
};

static void read_copy(struct copy *copy)
{
	static const char *const suffixes[] = { "", "-wal" };
	char name[80];
	FILE *f;

	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		f = fopen(name, "r");
		copy->bytes[i] = NULL;
		copy->len[i] = 0;
		if (f == NULL)
			continue;
		copy->bytes[i] = malloc(1024 * 1024);
		assert_non_null(copy->bytes[i]);
		copy->len[i] = fread(copy->bytes[i], 1, 1024 * 1024, f);
		assert_true(feof(f));
		fclose(f);
	}
}

static void assert_refused_and_untouched(const char *words)
{
	static const enum manifest_access ways[] = {
		MANIFEST_WRITE, MANIFEST_PLAN, MANIFEST_READ
	};
	struct copy before, after;

	read_copy(&before);
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		assert_refused(ways[i], words);
	read_copy(&after);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(before.len[i], after.len[i]);
		if (before.len[i] > 0)
			assert_memory_equal(
			    before.bytes[i], after.bytes[i], before.len[i]);
		free(before.bytes[i]);
		free(after.bytes[i]);
	}
}

static void what_is_no_database_is_refused(void **state)
{
	(void)state;
	overwrite(0, "image_edit_prompt_for_v3.txt\n", 29);
	assert_refused_and_untouched("no SQLite database");
	assert_false(is_there("-wal"));
}

static void another_programs_database_is_refused(void **state)
{
	(void)state;
	run_sql("PRAGMA journal_mode = WAL; CREATE TABLE mine (x)");
	assert_refused_and_untouched("another program's");
	assert_false(is_there("-wal"));
}

static void a_newer_manifest_is_refused(void **state)
{
	(void)state;
	make_manifest(1);
	run_sql("PRAGMA user_version = 99");
	assert_refused_and_untouched("newer s3sync (version 99");
}

static int write_a_newer_version_and_die(void)
{
	sqlite3 *handle;

	if (sqlite3_open(path, &handle) != SQLITE_OK ||
	    sqlite3_exec(handle, "PRAGMA user_version = 99", NULL, NULL,
		NULL) != SQLITE_OK)
		return 1;
	return raise(SIGKILL);
}

/* Its version is in the log only: the log is not folded in. */
static void a_newer_manifest_that_was_killed_is_refused(void **state)
{
	(void)state;
	make_manifest(1);
	assert_int_equal(in_child(write_a_newer_version_and_die), 255);
	assert_refused_and_untouched("newer s3sync (version 99");
}

static void a_directory_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	assert_refused(MANIFEST_WRITE, "is a directory");
	assert_refused(MANIFEST_PLAN, "is a directory");
	assert_refused(MANIFEST_READ, "is a directory");
}

static void a_truncated_manifest_is_refused(void **state)
{
	(void)state;
	make_manifest(2000);
	assert_int_equal(truncate(path, 5000), 0);
	assert_refused_and_untouched("is damaged");
}

static void a_manifest_without_its_tables_is_refused(void **state)
{
	(void)state;
	make_manifest(1);
	run_sql("DROP TABLE pending");
	assert_refused_and_untouched("is damaged (no such table: ");
}

static void damage_is_looked_for_after_a_kill(void **state)
{
	static char rubbish[3000];
	int64_t id;

	(void)state;
	make_manifest(2000);
	memset(rubbish, 0xa5, sizeof(rubbish));
	overwrite(12 * 4096 + 8, rubbish, sizeof(rubbish));
	open_as(MANIFEST_WRITE); /* nobody has looked */
	assert_int_equal(manifest_run_begin(m, 1, &id, &err), 0);
	close_it();
	assert_refused(MANIFEST_WRITE, "is damaged");
	assert_says("move ");
	assert_says("a.db-wal and ");
	assert_says("adopts what both sides have, without transfers");
}

static void damage_that_is_met_is_told(void **state)
{
	static char rubbish[3000];
	struct manifest_reader *r;
	struct manifest_entry entry;
	int rc;

	(void)state;
	make_manifest(2000);
	memset(rubbish, 0xa5, sizeof(rubbish));
	overwrite(12 * 4096 + 8, rubbish, sizeof(rubbish));
	open_as(MANIFEST_READ);
	r = manifest_reader_entries(m, NULL, 0);
	do
		rc = manifest_reader_entry(r, &entry, &err);
	while (rc > 0);
	manifest_reader_free(r);
	assert_int_equal(rc, -1);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_says("is damaged");
}

static int be_refused_a_place(void)
{
	become_stranger();
	if (manifest_open(&m, path, MANIFEST_WRITE, &err) == 0)
		return 0;
	if (err.kind != ERROR_MANIFEST || strstr(err.text, path) == NULL ||
	    strstr(err.text, "cannot be written") == NULL ||
	    strstr(err.text, "`state`") == NULL)
		fprintf(stderr, "# %s\n", err.text);
	else
		return 3;
	return 1;
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
	(void)state;
	assert_int_equal(in_child(be_refused_a_place), 3);
	snprintf(path, sizeof(path), "%s/deeper/a.db", dir);
	assert_int_equal(in_child(be_refused_a_place), 3);
	snprintf(path, sizeof(path), "%s/a.db", dir);
	assert_int_equal(chmod(dir, 0755), 0);
	make_manifest(1);
	assert_int_equal(in_child(be_refused_a_place), 3);
}

/* ---- a disk that takes no more ------------------------------------------- */

/* Commits batches of 100 until one fails. Exits with the number of batches
 * that were committed. */
static int write_until_it_fails(void)
{
	struct rlimit limit = { 256 * 1024, 256 * 1024 };
	char key[32];
	int batches = 0;

	sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	if (manifest_open(&m, path, MANIFEST_WRITE, &err) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 0;
	do {
		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof(key), "%06d", batches * 100 + i);
			put(key);
		}
	} while (manifest_commit(m, &err) == 0 && ++batches < 200);
	/* It goes on failing, and says so each time. */
	if (err.kind != ERROR_MANIFEST || strstr(err.text, path) == NULL ||
	    put("more") != 0 || manifest_commit(m, &err) == 0)
		return 0;
	return batches;
}

static void a_failed_write_leaves_whole_batches(void **state)
{
	int batches;

	(void)state;
	batches = in_child(write_until_it_fails);
	assert_in_range(batches, 1, 199);
	open_as(MANIFEST_WRITE);
	assert_int_equal(entry_count(), batches * 100);
	assert_int_equal(put("more"), 0);
	assert_int_equal(manifest_commit(m, &err), 0);
}

static int be_refused_for_lack_of_room(void)
{
	struct rlimit limit = { 4096, 4096 };

	sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 ||
	    manifest_open(&m, path, MANIFEST_WRITE, &err) == 0)
		return 0;
	return err.kind == ERROR_MANIFEST ? 3 : 1;
}

static void what_was_moved_away_is_missed(void **state)
{
	char aside[80];

	(void)state;
	snprintf(aside, sizeof(aside), "%s.aside", path);
	open_as(MANIFEST_WRITE);
	assert_true(manifest_is_in_place(m));
	assert_int_equal(rename(path, aside), 0);
	assert_false(manifest_is_in_place(m));
	assert_int_equal(rename(aside, path), 0);
	assert_true(manifest_is_in_place(m));
	assert_int_equal(unlink(path), 0);
	assert_false(manifest_is_in_place(m));
	open_as(MANIFEST_WRITE);
	assert_true(manifest_is_in_place(m));
}

static void a_manifest_that_cannot_be_made_leaves_no_part(void **state)
{
	(void)state;
	assert_int_equal(in_child(be_refused_for_lack_of_room), 3);
	assert_false(is_there(""));
	assert_false(is_there(".new"));
	open_as(MANIFEST_WRITE);
	assert_true(manifest_is_new(m));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_manifest_is_made_with_its_directories),
		TEST(an_empty_file_becomes_a_manifest),
		TEST(what_a_killed_run_began_to_make_is_made_anew),
		TEST(a_reader_needs_a_manifest),
		TEST(a_reader_sees_what_the_writer_has_committed),
		TEST(another_user_may_read),
		TEST(another_user_may_read_after_a_kill),
		TEST(a_reader_that_lacks_the_log_is_told_who_may_read),
		TEST(a_plan_changes_no_file),
		TEST(a_plan_without_a_manifest_makes_none),
		TEST(a_link_leads_to_the_same_manifest_and_lock),
		TEST(a_second_writer_is_told_the_first),
		TEST(a_killed_writer_leaves_no_lock),
		TEST(what_is_no_database_is_refused),
		TEST(another_programs_database_is_refused),
		TEST(a_newer_manifest_is_refused),
		TEST(a_newer_manifest_that_was_killed_is_refused),
		TEST(a_directory_is_refused),
		TEST(a_truncated_manifest_is_refused),
		TEST(a_manifest_without_its_tables_is_refused),
		TEST(damage_is_looked_for_after_a_kill),
		TEST(damage_that_is_met_is_told),
		TEST(a_place_that_cannot_be_written_is_named),
		TEST(a_failed_write_leaves_whole_batches),
		TEST(what_was_moved_away_is_missed),
		TEST(a_manifest_that_cannot_be_made_leaves_no_part),
	};

	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
