/* SPDX-License-Identifier: MIT */
/* Commits, failures, sums; what is written, and how much. */
#include "manifest_fixture.h"

#include <errno.h>
#include <fcntl.h>

#include <sqlite3.h>

#include "base/strbuf.h"

/* ---- commits ---- */

static void what_is_not_committed_is_not_kept(void **state)
{
	(void)state;
	put_text("a");
	put_text("b");
	assert_int_equal(manifest_uncommitted(m), 2);
	commit();
	assert_int_equal(manifest_uncommitted(m), 0);
	put_text("c");
	reopen_as(MANIFEST_WRITE);
	assert_int_equal(find_text("a"), 1);
	assert_int_equal(find_text("b"), 1);
	assert_int_equal(find_text("c"), 0);
}

static void a_failure_sticks_until_the_commit_tells_it(void **state)
{
	(void)state;
	put_text("a");
	commit();
	put_text("b");
	assert_int_equal(put("", 0), -1);
	assert_int_equal(put_text("c"), -1);
	assert_int_equal(manifest_entry_drop(m, "a", 1), -1);
	assert_int_equal(wait_for("a", "none", "blocked"), -1);
	assert_int_equal(manifest_meta_set(m, "n", "v", &err), -1);
	error_clear(&err);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_non_null(strstr(err.text, path));
	/* Undone to the last commit, and ready again. */
	assert_int_equal(manifest_uncommitted(m), 0);
	assert_int_equal(find_text("a"), 1);
	assert_int_equal(find_text("b"), 0);
	assert_int_equal(put_text("d"), 0);
	commit();
	assert_int_equal(find_text("d"), 1);
}

static void a_run_does_not_begin_after_a_failure(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(put("", 0), -1);
	assert_int_equal(manifest_run_begin(m, 1, &id, &err), -1);
	assert_int_equal(manifest_run_begin(m, 1, &id, &err), 0);
}

static void a_process_that_is_killed_loses_no_commit(void **state)
{
	pid_t child;
	int status;

	(void)state;
	manifest_close(m);
	m = NULL;
	child = fork();
	if (child == 0) {
		if (manifest_open(&m, path, MANIFEST_WRITE, &err) == 0 &&
		    put_text("committed") == 0 &&
		    manifest_commit(m, &err) == 0 && put_text("open") == 0)
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	open_as(MANIFEST_WRITE);
	assert_int_equal(find_text("committed"), 1);
	assert_int_equal(find_text("open"), 0);
}

/* ---- a disk that fails ---- */

enum { BATCHES = 4, BATCH_KEYS = 100 };

static struct {
	int calls;   /* of the system to write, so far */
	int fail_at; /* the first to fail; 0: none */
	bool for_good;
	int sys;
} disk;

static bool disk_fails(void)
{
	disk.calls++;
	if (disk.fail_at == 0 || disk.calls < disk.fail_at ||
	    (disk.calls > disk.fail_at && !disk.for_good))
		return false;
	errno = disk.sys;
	return true;
}

static ssize_t failing_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return disk_fails() ? -1 : pwrite(fd, bytes, len, at);
}

static int failing_ftruncate(int fd, off_t size)
{
	return disk_fails() ? -1 : ftruncate(fd, size);
}

static int failing_fallocate(int fd, off_t at, off_t len)
{
	return disk_fails() ? -1 : posix_fallocate(fd, at, len);
}

static void set_call(const char *name, sqlite3_syscall_ptr call)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	vfs->xSetSystemCall(vfs, name, call);
}

static void connect_disk(bool failing)
{
	sqlite3_syscall_ptr write_call =
	    failing ? (sqlite3_syscall_ptr)failing_pwrite : NULL;

	set_call("pwrite", write_call);
	set_call("pwrite64", write_call);
	set_call("ftruncate",
	    failing ? (sqlite3_syscall_ptr)failing_ftruncate : NULL);
	set_call("fallocate",
	    failing ? (sqlite3_syscall_ptr)failing_fallocate : NULL);
}

static const char *key_of(int n, int batch, int i)
{
	static char key[32];

	snprintf(key, sizeof(key), "%d-%d-%03d", n, batch, i);
	return key;
}

/* Which batches were told to be committed. */
static void write_batches(int n, bool committed[BATCHES])
{
	for (int batch = 0; batch < BATCHES; batch++) {
		for (int i = 0; i < BATCH_KEYS; i++)
			put_text(key_of(n, batch, i));
		error_clear(&err);
		committed[batch] = manifest_commit(m, &err) == 0;
		if (!committed[batch]) {
			assert_int_equal(err.kind, ERROR_MANIFEST);
			assert_non_null(strstr(err.text, path));
		}
		if (batch % 2 == 1)
			manifest_checkpoint(m, &err);
	}
}

static int keys_found(int n, int batch)
{
	int found = 0;

	for (int i = 0; i < BATCH_KEYS; i++)
		found += find_text(key_of(n, batch, i));
	return found;
}

/* One life of a manifest on a disk whose n-th write fails. False once there
 * are fewer writes than that. */
static bool survives_failure_at(int n, bool for_good, int sys)
{
	bool committed[BATCHES];
	bool failed;
	int found;

	disk.calls = 0;
	disk.fail_at = n;
	disk.for_good = for_good;
	disk.sys = sys;
	connect_disk(true);
	write_batches(n, committed);
	manifest_close(m);
	m = NULL;
	connect_disk(false);
	failed = disk.calls >= n;
	open_as(MANIFEST_WRITE);
	for (int batch = 0; batch < BATCHES; batch++) {
		found = keys_found(n, batch);
		assert_true(found == BATCH_KEYS ||
		    (found == 0 && !committed[batch]));
	}
	assert_true(failed || committed[BATCHES - 1]);
	return failed;
}

/* Also looks through all pages, as after a kill. */
static void assert_sound(void)
{
	int64_t id;

	assert_int_equal(manifest_run_begin(m, 1, &id, &err), 0);
	reopen_as(MANIFEST_WRITE);
}

static void no_failing_write_tears_a_batch(void **state)
{
	int n;

	(void)state;
	for (n = 1; survives_failure_at(n, false, EIO); n++)
		assert_sound();
	assert_true(n > 20);
}

static void a_full_disk_tears_no_batch(void **state)
{
	int n;

	(void)state;
	for (n = 1; survives_failure_at(n, true, ENOSPC); n++)
		assert_sound();
	assert_true(n > 20);
}

/* ---- sums ---- */

static void totals_count_states_and_local_bytes(void **state)
{
	struct manifest_entry entry = {
		.key = "a", .key_len = 1, .state = MANIFEST_ASSUMED,
		.local = { .size = INT64_C(5000000000) },
		.remote = { .size = INT64_C(5000000000) },
	};
	struct manifest_totals totals;

	(void)state;
	assert_int_equal(manifest_totals(m, &totals, &err), 0);
	assert_int_equal(totals.synced, 0);
	assert_int_equal(totals.assumed, 0);
	assert_int_equal(totals.bytes, 0);
	assert_int_equal(manifest_entry_put(m, &entry), 0);
	put_text("b");
	put_text("c");
	assert_int_equal(manifest_totals(m, &totals, &err), 0);
	assert_int_equal(totals.synced, 2);
	assert_int_equal(totals.assumed, 1);
	assert_int_equal(totals.bytes, INT64_C(5000000020));
}

static void add_count(const struct manifest_pending_count *count, void *arg)
{
	strbuf_addf(arg, "%s %s %ld %ld %ld\n", count->action, count->reason,
	    (long)count->keys, (long)count->bytes, (long)count->failing);
}

static void pending_is_counted_by_action_and_reason(void **state)
{
	struct strbuf counts = STRBUF_INIT(1024);
	struct manifest_pending both = {
		.key = "d", .key_len = 1, .action = "download",
		.reason = "new-remote", .has_remote = true,
		.remote = { .size = 300 },
	};

	(void)state;
	wait_for("a", "none", "unsettled");
	wait_for("b", "none", "blocked");
	wait_for("c", "none", "unsettled");
	manifest_pending_put(m, &both);
	both.key = "e";
	both.action = "upload";
	both.has_local = true;
	both.local.size = 20;
	both.attempts = 2;
	manifest_pending_put(m, &both);
	assert_int_equal(
	    manifest_pending_counts(m, add_count, &counts, &err), 0);
	assert_string_equal(strbuf_text(&counts),
	    "download new-remote 1 300 0\n"
	    "none blocked 1 0 0\n"
	    "none unsettled 2 0 0\n"
	    "upload new-remote 1 20 1\n");
	strbuf_release(&counts);
}

/* ---- what is written, and how much ---- */

static char *read_pages(size_t *count)
{
	struct stat st;
	char *bytes;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(
	    fread(bytes, 1, (size_t)st.st_size, f), (size_t)st.st_size);
	fclose(f);
	*count = (size_t)st.st_size / 4096;
	return bytes;
}

static void nothing_else_is_written_by_a_cycle_without_changes(void **state)
{
	struct manifest_run run = { .outcome = "done", .ended_ns = 2 };
	size_t before_count, after_count, differing = 0;
	struct manifest_reader *r;
	char *before, *after;

	(void)state;
	put_many(3000);
	wait_for("k", "none", "differs");
	manifest_meta_set(m, "epoch", "1", &err);
	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	reopen_as(MANIFEST_WRITE);
	before = read_pages(&before_count);
	assert_true(before_count > 20);

	assert_int_equal(manifest_run_begin(m, 1, &run.id, &err), 0);
	assert_int_equal(manifest_meta_set(m, "epoch", "1", &err), 0);
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(next_number(r), i);
	manifest_reader_free(r);
	assert_int_equal(entry_count(), 3000);
	assert_int_equal(manifest_run_end(m, &run, &err), 0);
	assert_int_equal(manifest_checkpoint(m, &err), 0);
	after = read_pages(&after_count);
	assert_int_equal(after_count, before_count);
	for (size_t i = 0; i < before_count; i++)
		differing += memcmp(before + i * 4096, after + i * 4096, 4096)
		    != 0;
	assert_int_equal(differing, 1); /* the page of the runs */
	free(before);
	free(after);
}

static void a_key_of_66_bytes_takes_160_at_most(void **state)
{
	unsigned char etag[16];
	char key[80];
	struct manifest_entry entry = {
		.key = key, .key_len = 66, .state = MANIFEST_SYNCED,
		.remote.etag = { etag, sizeof(etag), true },
	};
	int64_t ns = INT64_C(1700000000123456789);
	struct stat st;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key),
		    "a/directory/of/some/depth/page_%04d/"
		    "image_%06d_of_very_many.jpeg",
		    i / 100 % 10000, i % 1000000);
		assert_int_equal(strlen(key), 66);
		memset(etag, i, sizeof(etag));
		entry.local = (struct local_sig){ 100000 + i, ns + i, ns + i,
			(uint64_t)(1000000 + i) };
		entry.remote.size = 100000 + i;
		entry.remote.mtime_ms = ns / 1000000 + i;
		assert_int_equal(manifest_entry_put(m, &entry), 0);
	}
	commit();
	assert_int_equal(manifest_checkpoint(m, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	print_message("# %.1f bytes per key\n", (double)st.st_size / 20000);
	assert_true(st.st_size / 20000 <= 160);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_committed_is_not_kept),
		TEST(a_failure_sticks_until_the_commit_tells_it),
		TEST(a_run_does_not_begin_after_a_failure),
		TEST(a_process_that_is_killed_loses_no_commit),
		TEST(no_failing_write_tears_a_batch),
		TEST(a_full_disk_tears_no_batch),
		TEST(totals_count_states_and_local_bytes),
		TEST(pending_is_counted_by_action_and_reason),
		TEST(nothing_else_is_written_by_a_cycle_without_changes),
		TEST(a_key_of_66_bytes_takes_160_at_most),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
