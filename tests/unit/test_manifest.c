/* SPDX-License-Identifier: MIT */
/* The manifest as its users see it: rows, commits, readers, runs. */
#include "manifest/manifest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[32];
static char path[64];
static struct manifest *m;
static struct error err;

static void open_as(enum manifest_access access)
{
	if (manifest_open(&m, path, access, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_manifest.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	open_as(MANIFEST_WRITE);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	manifest_close(m);
	m = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void reopen_as(enum manifest_access access)
{
	manifest_close(m);
	open_as(access);
}

static void commit(void)
{
	if (manifest_commit(m, &err) < 0)
		fail_msg("%s", err.text);
}

static int put(const char *key, size_t len)
{
	struct manifest_entry entry = {
		.key = key, .key_len = len, .state = MANIFEST_SYNCED,
		.local = { .size = 10 }, .remote = { .size = 10 },
	};

	return manifest_entry_put(m, &entry);
}

static int put_text(const char *key)
{
	return put(key, strlen(key));
}

static int wait_for(const char *key, const char *action, const char *reason)
{
	struct manifest_pending pending = {
		.key = key, .key_len = strlen(key),
		.action = action, .reason = reason,
	};

	return manifest_pending_put(m, &pending);
}

static int64_t entry_count(void)
{
	struct manifest_totals totals;

	assert_int_equal(manifest_totals(m, &totals, &err), 0);
	return totals.synced + totals.assumed;
}

static int find_text(const char *key)
{
	struct manifest_entry found;

	return manifest_entry_find(m, key, strlen(key), &found, &err);
}

/* ---- rows ---------------------------------------------------------------- */

static void assert_entry_returns(const struct manifest_entry *entry)
{
	struct manifest_entry found;

	assert_int_equal(manifest_entry_put(m, entry), 0);
	commit();
	assert_int_equal(
	    manifest_entry_find(m, entry->key, entry->key_len, &found, &err),
	    1);
	assert_int_equal(found.key_len, entry->key_len);
	assert_memory_equal(found.key, entry->key, entry->key_len);
	assert_int_equal(found.state, entry->state);
	assert_int_equal(found.flags, entry->flags);
	assert_true(signature_local_equal(&found.local, &entry->local));
	assert_true(signature_remote_equal(&found.remote, &entry->remote));
	assert_int_equal(found.remote.mtime_ms, entry->remote.mtime_ms);
	if (entry->md5 != NULL)
		assert_memory_equal(found.md5, entry->md5, 16);
	else
		assert_null(found.md5);
}

static void an_entry_comes_back_as_it_was_put(void **state)
{
	static const unsigned char bytes[16] = "0123456789\0bcde";
	struct manifest_entry entry = {
		.key = "a/\xff\0 key", .key_len = 8,
		.state = MANIFEST_ASSUMED, .flags = MANIFEST_FLAG_RACY,
		.local = { 1, -2, 3, UINT64_MAX },
		.remote = { 4, 5, { bytes, 16, true } },
	};

	(void)state;
	assert_entry_returns(&entry);
	entry.state = MANIFEST_SYNCED;
	entry.flags = 0;
	entry.local = (struct local_sig){ INT64_MAX, INT64_MIN, 0, 0 };
	entry.remote.mtime_ms = SIGNATURE_MTIME_UNKNOWN;
	entry.md5 = bytes;
	assert_entry_returns(&entry);
	entry.remote.mtime_ms = 0;
	entry.remote.etag = (struct etag){ bytes, 10, false };
	assert_entry_returns(&entry);
	entry.remote.etag = (struct etag){ NULL, 0, false };
	assert_entry_returns(&entry);
	assert_int_equal(entry_count(), 1);
}

static void a_pending_key_comes_back_as_it_was_put(void **state)
{
	static const unsigned char bytes[] = "d41d8cd9-2";
	struct manifest_pending found, pending = {
		.key = "a/b", .key_len = 3, .action = "none",
		.reason = "differs", .detail = "both sides changed",
		.has_local = true, .has_remote = true,
		.local = { 1, 2, 3, 4 },
		.remote = { 5, 6, { bytes, sizeof(bytes) - 1, false } },
		.attempts = 7, .next_at_ns = 8, .since_ns = 9,
		.error = "no\xff answer",
	};

	(void)state;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "a/b", 3, &found, &err), 1);
	assert_memory_equal(found.key, "a/b", 4);
	assert_string_equal(found.action, "none");
	assert_string_equal(found.reason, "differs");
	assert_string_equal(found.detail, "both sides changed");
	assert_true(found.has_local);
	assert_true(found.has_remote);
	assert_true(signature_local_equal(&found.local, &pending.local));
	assert_true(signature_remote_equal(&found.remote, &pending.remote));
	assert_int_equal(found.attempts, 7);
	assert_int_equal(found.next_at_ns, 8);
	assert_int_equal(found.since_ns, 9);
	assert_string_equal(found.error, "no\xff answer");
}

static void a_side_that_is_absent_stays_absent(void **state)
{
	struct manifest_pending found, pending = {
		.key = "k", .key_len = 1, .action = "upload", .reason = "new",
		.has_local = true, .local = { 0, 0, 0, 0 },
	};

	(void)state;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &found, &err), 1);
	assert_true(found.has_local);
	assert_false(found.has_remote);
	assert_null(found.detail);
	assert_null(found.error);
	pending.has_local = false;
	pending.has_remote = true;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &found, &err), 1);
	assert_false(found.has_local);
	assert_true(found.has_remote);
}

static void what_is_dropped_is_gone(void **state)
{
	struct manifest_pending pending;

	(void)state;
	put_text("k");
	wait_for("k", "none", "blocked");
	assert_int_equal(manifest_entry_drop(m, "k", 1), 0);
	assert_int_equal(manifest_pending_drop(m, "k", 1), 0);
	assert_int_equal(manifest_entry_drop(m, "never there", 11), 0);
	commit();
	assert_int_equal(find_text("k"), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &pending, &err), 0);
}

static void meta_holds_text_by_name(void **state)
{
	struct strbuf value = STRBUF_INIT(1024);

	(void)state;
	assert_int_equal(manifest_meta_get(m, "root", &value, &err), 0);
	assert_int_equal(manifest_meta_set(m, "root", "one", &err), 0);
	assert_int_equal(manifest_meta_set(m, "root", "another", &err), 0);
	commit();
	strbuf_adds(&value, "left over");
	assert_int_equal(manifest_meta_get(m, "root", &value, &err), 1);
	assert_string_equal(strbuf_text(&value), "another");
	strbuf_release(&value);
}

static void keys_have_the_lengths_that_s3_allows(void **state)
{
	char key[1025];

	(void)state;
	memset(key, 'k', sizeof(key));
	assert_int_equal(put(key, 1024), 0);
	commit();
	assert_int_equal(put(key, 1025), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_int_equal(put("", 0), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_int_equal(entry_count(), 1);
}

/* A name that cannot be a key is blocked, and is to be reported. */
static void a_pending_key_may_be_longer(void **state)
{
	struct manifest_pending found;
	char key[5001];

	(void)state;
	memset(key, 'k', 5000);
	key[5000] = '\0';
	assert_int_equal(wait_for(key, "none", "blocked"), 0);
	commit();
	assert_int_equal(manifest_pending_find(m, key, 5000, &found, &err), 1);
	assert_int_equal(found.key_len, 5000);
}

/* ---- commits ------------------------------------------------------------- */

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

/* ---- readers ------------------------------------------------------------- */

static void rows_come_in_the_order_of_their_bytes(void **state)
{
	static const struct {
		const char *key;
		size_t len;
	} keys[] = {
		{ "\0", 1 }, { "\0\0", 2 }, { "A", 1 }, { "a", 1 },
		{ "a\0", 2 }, { "a-", 2 }, { "a/", 2 }, { "a/b", 3 },
		{ "a0", 2 }, { "\xc3\xa9", 2 }, { "\xff", 1 },
	};
	enum { COUNT = sizeof(keys) / sizeof(*keys) };
	struct manifest_reader *r;
	struct manifest_entry entry;

	(void)state;
	for (size_t i = COUNT; i > 0; i--)
		assert_int_equal(put(keys[i - 1].key, keys[i - 1].len), 0);
	commit();
	r = manifest_reader_entries(m, NULL, 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(manifest_reader_entry(r, &entry, &err), 1);
		assert_int_equal(entry.key_len, keys[i].len);
		assert_memory_equal(entry.key, keys[i].key, keys[i].len);
	}
	assert_int_equal(manifest_reader_entry(r, &entry, &err), 0);
	assert_int_equal(manifest_reader_entry(r, &entry, &err), 0);
	manifest_reader_free(r);
}

static void put_many(int count)
{
	char key[32];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key-%06d", i);
		assert_int_equal(put_text(key), 0);
	}
	commit();
}

static int next_number(struct manifest_reader *r)
{
	struct manifest_entry entry;

	if (manifest_reader_entry(r, &entry, &err) <= 0)
		return -1;
	return (int)strtol(entry.key + strlen("key-"), NULL, 10);
}

static void more_rows_than_a_chunk_come_once_each(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(5500);
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 5500; i++)
		assert_int_equal(next_number(r), i);
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
}

static void a_reader_begins_after_its_key(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(3);
	r = manifest_reader_entries(m, "key-000001", 10);
	assert_int_equal(next_number(r), 2);
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
	r = manifest_reader_entries(m, "key-00000", 9);
	assert_int_equal(next_number(r), 0);
	manifest_reader_free(r);
}

static void a_reader_may_go_elsewhere(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(2500);
	r = manifest_reader_entries(m, NULL, 0);
	assert_int_equal(next_number(r), 0);
	manifest_reader_seek(r, "key-001700", 10);
	assert_int_equal(next_number(r), 1700);
	assert_int_equal(next_number(r), 1701);
	manifest_reader_seek(r, "key-0002", 8);
	assert_int_equal(next_number(r), 200);
	manifest_reader_seek(r, "kez", 3);
	assert_int_equal(next_number(r), -1);
	manifest_reader_seek(r, "", 0);
	assert_int_equal(next_number(r), 0);
	manifest_reader_free(r);
}

static void rows_already_read_may_change_meanwhile(void **state)
{
	struct manifest_reader *r;
	char key[32];

	(void)state;
	put_many(3000);
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(next_number(r), i);
		snprintf(key, sizeof(key), "key-%06d", i);
		if (i % 2 == 0)
			assert_int_equal(
			    manifest_entry_drop(m, key, strlen(key)), 0);
		else
			assert_int_equal(put_text(key), 0);
		if (i % 700 == 0)
			commit();
	}
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
	commit();
	assert_int_equal(entry_count(), 1500);
}

static void readers_do_not_disturb_each_other(void **state)
{
	struct manifest_reader *a, *b;

	(void)state;
	put_many(2500);
	a = manifest_reader_entries(m, NULL, 0);
	b = manifest_reader_entries(m, "key-001000", 10);
	for (int i = 0; i < 1400; i++) {
		assert_int_equal(next_number(a), i);
		assert_int_equal(next_number(b), 1001 + i);
	}
	manifest_reader_free(a);
	manifest_reader_free(b);
	manifest_reader_free(NULL);
}

/* The longest rows there are: a chunk ends before it has a thousand. */
static void long_rows_come_whole(void **state)
{
	static unsigned char etag[ETAG_MAX];
	char key[1024];
	struct manifest_entry found, entry = {
		.key = key, .key_len = sizeof(key), .state = MANIFEST_SYNCED,
		.remote.etag = { etag, sizeof(etag), false },
	};
	struct manifest_reader *r;

	(void)state;
	memset(key, 'k', sizeof(key));
	memset(etag, 'e', sizeof(etag));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%06d", i);
		assert_int_equal(manifest_entry_put(m, &entry), 0);
	}
	commit();
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(manifest_reader_entry(r, &found, &err), 1);
		assert_int_equal(found.key_len, sizeof(key));
		assert_int_equal(strtol(found.key, NULL, 10), i);
		assert_int_equal(found.key[1023], 'k');
		assert_int_equal(found.remote.etag.len, ETAG_MAX);
		assert_memory_equal(found.remote.etag.bytes, etag, ETAG_MAX);
	}
	assert_int_equal(manifest_reader_entry(r, &found, &err), 0);
	manifest_reader_free(r);
}

static void pending_rows_are_read_in_order_too(void **state)
{
	struct manifest_pending pending;
	struct manifest_reader *r;
	char key[32];

	(void)state;
	for (int i = 0; i < 1500; i++) {
		snprintf(key, sizeof(key), "%06d", i);
		assert_int_equal(wait_for(key, "upload", "new-local"), 0);
	}
	r = manifest_reader_pending(m, "000009", 6);
	for (int i = 10; i < 1500; i++) {
		assert_int_equal(
		    manifest_reader_pending_row(r, &pending, &err), 1);
		assert_int_equal(strtol(pending.key, NULL, 10), i);
		assert_string_equal(pending.reason, "new-local");
	}
	assert_int_equal(manifest_reader_pending_row(r, &pending, &err), 0);
	manifest_reader_free(r);
}

/* ---- sums ---------------------------------------------------------------- */

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

/* ---- runs ---------------------------------------------------------------- */

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
		.list_requests = 14, .get_requests = 15, .put_requests = 16,
		.retries = 17, .survey_ns = 18, .transfer_ns = 19,
		.error = "because",
	};
	struct seen_runs seen;

	(void)state;
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

/* ---- what is written, and how much --------------------------------------- */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_comes_back_as_it_was_put),
		TEST(a_pending_key_comes_back_as_it_was_put),
		TEST(a_side_that_is_absent_stays_absent),
		TEST(what_is_dropped_is_gone),
		TEST(meta_holds_text_by_name),
		TEST(keys_have_the_lengths_that_s3_allows),
		TEST(a_pending_key_may_be_longer),
		TEST(what_is_not_committed_is_not_kept),
		TEST(a_failure_sticks_until_the_commit_tells_it),
		TEST(a_run_does_not_begin_after_a_failure),
		TEST(a_process_that_is_killed_loses_no_commit),
		TEST(rows_come_in_the_order_of_their_bytes),
		TEST(more_rows_than_a_chunk_come_once_each),
		TEST(a_reader_begins_after_its_key),
		TEST(a_reader_may_go_elsewhere),
		TEST(rows_already_read_may_change_meanwhile),
		TEST(readers_do_not_disturb_each_other),
		TEST(long_rows_come_whole),
		TEST(pending_rows_are_read_in_order_too),
		TEST(totals_count_states_and_local_bytes),
		TEST(pending_is_counted_by_action_and_reason),
		TEST(a_run_comes_back_as_it_was_ended),
		TEST(the_end_of_a_run_commits_what_is_open),
		TEST(a_run_without_an_end_was_killed),
		TEST(a_thousand_runs_are_kept),
		TEST(nothing_else_is_written_by_a_cycle_without_changes),
		TEST(a_key_of_66_bytes_takes_160_at_most),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
