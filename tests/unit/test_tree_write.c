/* SPDX-License-Identifier: MIT */
/* Writing and publishing: whole or not at all, and never over anything. */
#include "tree_fixture.h"

#include <signal.h>
#include <sys/resource.h>

#include "base/clock.h"

#define MTIME (INT64_C(1700000000) * CLOCK_SECOND + 123456789)

static struct tree_writer *written(const char *content)
{
	struct tree_writer *w = NULL;
	size_t len = strlen(content);

	if (tree->ops->write_open(tree, (int64_t)len, &w, &err) != 0 ||
	    tree->ops->write_at(w, 0, content, len, &err) != 0 ||
	    tree->ops->write_finish(w, MTIME, &err) != 0) {
		tree->ops->write_abandon(w);
		return NULL;
	}
	return w;
}

/* One file with the content "new". */
static struct tree_publication publish(const char *key)
{
	struct tree_publication p = { .key = key, .key_len = strlen(key) };

	p.writer = written("new");
	if (p.writer == NULL)
		p.error = err;
	else
		tree->ops->publish(tree, &p, 1);
	return p;
}

static int published(const char *key)
{
	struct tree_publication p = publish(key);

	err = p.error;
	return p.error.kind == ERROR_NONE && has_content(key, "new");
}

static int refused(const char *key, enum error_kind kind, const char *text)
{
	struct tree_publication p = publish(key);

	err = p.error;
	return p.error.kind == kind && strstr(p.error.text, text) != NULL;
}

static bool no_temporary_file_is_left(void)
{
	return rmdir(".s3sync/tmp") == 0 && rmdir(".s3sync") == 0;
}

static void a_published_file_is_as_it_was_sent(void **state)
{
	struct tree_publication p = publish("a/b/file");
	struct stat st;

	(void)state;
	assert_int_equal(p.error.kind, ERROR_NONE);
	assert_null(p.writer);
	assert_true(has_content("a/b/file", "new"));
	assert_int_equal(stat("a/b/file", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_size, p.sig.size);
	assert_int_equal(st.st_ino, p.sig.ino);
	assert_int_equal(p.sig.mtime_ns, MTIME);
	assert_int_equal(st.st_mtim.tv_sec, 1700000000);
	assert_int_equal(st.st_ctim.tv_sec * CLOCK_SECOND + st.st_ctim.tv_nsec,
	    p.sig.ctime_ns);
	assert_false(p.racy);
	assert_true(no_temporary_file_is_left());
}

static void nothing_shows_before_it_is_published(void **state)
{
	struct tree_writer *w = written("new");

	(void)state;
	assert_non_null(w);
	assert_true(no_temporary_file_is_left());
	tree->ops->write_abandon(w);
	tree->ops->write_abandon(NULL);
}

static void what_is_written_can_be_read_back(void **state)
{
	struct tree_writer *w;
	char text[16];

	(void)state;
	assert_int_equal(tree->ops->write_open(tree, 10, &w, &err), 0);
	assert_int_equal(tree->ops->write_at(w, 5, "world", 5, &err), 0);
	assert_int_equal(tree->ops->write_at(w, 0, "hello", 5, &err), 0);
	assert_int_equal(
	    tree->ops->write_read_at(w, 0, text, sizeof(text), &err), 10);
	assert_memory_equal(text, "helloworld", 10);
	assert_int_equal(
	    tree->ops->write_read_at(w, 10, text, sizeof(text), &err), 0);
	tree->ops->write_abandon(w);
}

static void an_empty_file_can_be_published(void **state)
{
	struct tree_publication p = { .key = "empty", .key_len = 5 };
	struct stat st;

	(void)state;
	assert_int_equal(tree->ops->write_open(tree, 0, &p.writer, &err), 0);
	assert_int_equal(tree->ops->write_finish(p.writer, MTIME, &err), 0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_NONE);
	assert_int_equal(stat("empty", &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void a_large_file_has_its_room_reserved(void **state)
{
	struct tree_publication p = { .key = "large", .key_len = 5 };
	struct stat st;

	(void)state;
	assert_int_equal(tree->ops->write_open(tree, 8 << 20, &p.writer, &err),
	    0);
	assert_int_equal(tree->ops->write_at(p.writer, 0, "new", 3, &err), 0);
	assert_int_equal(tree->ops->write_finish(p.writer, MTIME, &err), 0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_NONE);
	/* What counts is what was written. */
	assert_int_equal(stat("large", &st), 0);
	assert_int_equal(st.st_size, 3);
}

static void no_room_is_found_out_early(void **state)
{
	struct tree_writer *w = NULL;

	(void)state;
	assert_int_equal(
	    tree->ops->write_open(tree, INT64_C(1) << 43, &w, &err), -1);
	assert_null(w);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_non_null(strstr(err.text, "no room for 8796093022208 bytes"));
	assert_true(no_temporary_file_is_left());
}

static int write_past_the_limit(void)
{
	const struct rlimit limit = { 4096, 4096 };
	struct tree_writer *w;
	char bytes[8192] = { 0 };

	EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	EXPECT(tree->ops->write_open(tree, 10, &w, &err) == 0);
	EXPECT(tree->ops->write_at(w, 0, bytes, sizeof(bytes), &err) == -1);
	EXPECT(err.kind == ERROR_LOCAL && err.sys == EFBIG);
	tree->ops->write_abandon(w);
	return 0;
}

static void a_write_that_fails_is_told(void **state)
{
	(void)state;
	in_child(write_past_the_limit);
}

static void what_exists_is_never_replaced(void **state)
{
	(void)state;
	make_file("file", "old");
	make_dir("dir");
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_true(refused("file", ERROR_EXISTS, "has the name already"));
	assert_true(refused("dir", ERROR_EXISTS, "has the name already"));
	assert_true(refused("link", ERROR_EXISTS, "has the name already"));
	assert_true(refused("fifo", ERROR_EXISTS, "has the name already"));
	assert_true(has_content("file", "old"));
	assert_false(is_there("nowhere"));
	assert_true(no_temporary_file_is_left());
}

static void a_parent_that_is_no_directory_blocks(void **state)
{
	(void)state;
	make_file("file", "old");
	make_dir("dir");
	assert_int_equal(symlink("dir", "dir/link"), 0);
	assert_int_equal(symlink("/tmp", "out"), 0);
	assert_true(refused("file/x", ERROR_BLOCKED,
	    "'file' is a file, not a directory"));
	assert_true(refused("file/x/y/z", ERROR_BLOCKED, "'file' is a file"));
	assert_true(refused("dir/link/x", ERROR_BLOCKED,
	    "'dir/link' is a symlink, not a directory"));
	assert_true(refused("out/x", ERROR_BLOCKED, "'out' is a symlink"));
	assert_true(has_content("file", "old"));
}

static void a_key_that_is_no_path_is_refused(void **state)
{
	static const char *const keys[] = { "", "/x", "../x", "a/../x", "a//b",
		"a/./b", "a/", "\xff", ".s3sync/root", "a/.s3sync/x" };

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_true(refused(keys[i], ERROR_BLOCKED, ""));
	assert_true(no_temporary_file_is_left());
}

static void the_longest_names_can_be_published(void **state)
{
	char key[1025];
	size_t at;

	(void)state;
	memset(key, 'n', sizeof(key));
	for (at = 255; at < 1024; at += 256)
		key[at] = '/';
	key[1023] = '\0';
	assert_true(published(key));
	memset(key, 'n', 256);
	key[256] = '\0';
	assert_true(refused(key, ERROR_BLOCKED, ""));
}

static void an_odd_time_is_kept(void **state)
{
	static const int64_t times[] = { 0, 1, -1, -1500000000,
		INT64_C(-2000000000), INT64_C(4000000000) * CLOCK_SECOND };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct tree_publication p = { .key = "file", .key_len = 4 };

		p.writer = written("new");
		assert_non_null(p.writer);
		assert_int_equal(
		    tree->ops->write_finish(p.writer, times[i], &err), 0);
		tree->ops->publish(tree, &p, 1);
		assert_int_equal(p.error.kind, ERROR_NONE);
		assert_int_equal(p.sig.mtime_ns, times[i]);
		/* Of the future: an edit may get the same stamp. */
		assert_int_equal(p.racy, times[i] > clock_wall_ns());
		assert_int_equal(unlink("file"), 0);
	}
}

/* Of the near future, since syncing takes a while. */
static void a_time_of_just_now_is_racy(void **state)
{
	struct tree_publication p = { .key = "file", .key_len = 4 };
	int64_t now = clock_wall_ns();

	(void)state;
	p.writer = written("new");
	assert_non_null(p.writer);
	assert_int_equal(
	    tree->ops->write_finish(p.writer, now + 60 * CLOCK_SECOND, &err),
	    0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_NONE);
	assert_true(p.racy);
}

/* An edit through the descriptor, as of somebody who was faster than fstat. */
static void an_edit_before_the_signature_is_taken_is_racy(void **state)
{
	struct tree_publication p = { .key = "file", .key_len = 4 };

	(void)state;
	p.writer = written("new");
	assert_int_equal(tree->ops->write_at(p.writer, 0, "mew", 3, &err), 0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_NONE);
	assert_true(p.racy);
}

/* Batches. */

#define BATCH 60

static struct tree_publication batch[BATCH];
static char keys[BATCH][64];

static int fill_batch(const char *format, int per_dir)
{
	for (int i = 0; i < BATCH; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(keys[i], sizeof(keys[i]), format, i / per_dir, i);
#pragma GCC diagnostic pop
		batch[i].key = keys[i];
		batch[i].key_len = strlen(keys[i]);
		batch[i].writer = written("new");
		EXPECT(batch[i].writer != NULL);
	}
	return 0;
}

static void publish_batch(const char *format, int per_dir)
{
	assert_int_equal(fill_batch(format, per_dir), 0);
	tree->ops->publish(tree, batch, BATCH);
	for (int i = 0; i < BATCH; i++) {
		assert_int_equal(batch[i].error.kind, ERROR_NONE);
		assert_null(batch[i].writer);
		assert_true(has_content(keys[i], "new"));
	}
}

static void a_batch_is_published_whole(void **state)
{
	(void)state;
	publish_batch("one/%d/%d", BATCH);
	publish_batch("three/dir%d/%d", BATCH / 3);
	publish_batch("many/dir%d/deep/er/%d", 2);
	publish_batch("%d-%d", 1);
	assert_true(no_temporary_file_is_left());
}

static void one_failure_in_a_batch_is_one_failure(void **state)
{
	(void)state;
	make_dir("dir0");
	make_file("dir0/3", "old");
	make_file("dir1", "in the way");
	assert_int_equal(fill_batch("dir%d/%d", BATCH / 3), 0);
	batch[BATCH - 1].key = "dir2//x";
	batch[BATCH - 1].key_len = 7;
	tree->ops->publish(tree, batch, BATCH);
	for (int i = 0; i < BATCH; i++) {
		enum error_kind expected = i == 3            ? ERROR_EXISTS
		    : i / (BATCH / 3) == 1 || i == BATCH - 1 ? ERROR_BLOCKED
							     : ERROR_NONE;

		assert_int_equal(batch[i].error.kind, expected);
		assert_null(batch[i].writer);
	}
	assert_true(has_content("dir0/3", "old"));
	assert_true(has_content("dir1", "in the way"));
	assert_true(has_content("dir2/58", "new"));
}

static void the_same_key_twice_is_published_once(void **state)
{
	int done = 0, there = 0;

	(void)state;
	assert_int_equal(fill_batch("dir/file", 1), 0);
	tree->ops->publish(tree, batch, BATCH);
	for (int i = 0; i < BATCH; i++) {
		done += batch[i].error.kind == ERROR_NONE;
		there += batch[i].error.kind == ERROR_EXISTS;
	}
	assert_int_equal(done, 1);
	assert_int_equal(there, BATCH - 1);
}

static void an_emptied_root_can_be_written_to_again(void **state)
{
	(void)state;
	assert_true(published("dir/one"));
	assert_int_equal(system("rm -r dir .s3sync"), 0);
	assert_true(published("dir/one"));
}

/* With other means. */

static int all_of_it(void)
{
	EXPECT(published("file"));
	EXPECT(published("a/b/c/file"));
	EXPECT(published("a/b/other"));
	EXPECT(refused("file", ERROR_EXISTS, "has the name already"));
	EXPECT(refused("a/b", ERROR_EXISTS, "has the name already"));
	EXPECT(refused("link", ERROR_EXISTS, "has the name already"));
	EXPECT(refused("file/x", ERROR_BLOCKED, "'file' is a file"));
	EXPECT(refused("link/x", ERROR_BLOCKED, "'link' is a symlink"));
	EXPECT(fill_batch("dir%d/%d", 2) == 0);
	tree->ops->publish(tree, batch, BATCH);
	for (int i = 0; i < BATCH; i++)
		EXPECT(batch[i].error.kind == ERROR_NONE &&
		    has_content(keys[i], "new"));
	EXPECT(no_temporary_file_is_left());
	return 0;
}

static int without_openat2(void)
{
	EXPECT(forbid(SYS_openat2, ENOSYS) == 0 && open_again() == 0);
	return all_of_it();
}

static int without_tmpfile(void)
{
	EXPECT(forbid_tmpfile() == 0 && open_again() == 0);
	return all_of_it();
}

static int without_rename(void)
{
	EXPECT(forbid(SYS_renameat2, EINVAL) == 0);
	return without_tmpfile();
}

static int with_rename_alone(void)
{
	EXPECT(forbid(SYS_linkat, EPERM) == 0);
	return without_tmpfile();
}

static void files_are_published_without_the_newest_system_calls(void **state)
{
	static int (*const bodies[])(void) = { all_of_it, without_openat2,
		without_tmpfile, without_rename, with_rename_alone };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		assert_int_equal(symlink("/tmp", "link"), 0);
		in_child(bodies[i]);
		assert_int_equal(system("rm -r -- *"), 0);
	}
}

static int without_any_means(void)
{
	EXPECT(forbid(SYS_renameat2, ENOSYS) == 0);
	EXPECT(forbid(SYS_linkat, EPERM) == 0);
	EXPECT(forbid_tmpfile() == 0 && open_again() == 0);
	EXPECT(refused("file", ERROR_LOCAL, "without overwriting"));
	EXPECT(!is_there("file"));
	EXPECT(no_temporary_file_is_left());
	return 0;
}

static void without_any_means_nothing_is_published(void **state)
{
	(void)state;
	in_child(without_any_means);
}

/* Here O_TMPFILE works, but its files cannot get a name. */
static int with_links_refused(void)
{
	EXPECT(forbid(SYS_linkat, EPERM) == 0);
	EXPECT(refused("file", ERROR_LOCAL, "Operation not permitted"));
	EXPECT(published("file"));
	EXPECT(no_temporary_file_is_left());
	return 0;
}

static void a_nameless_file_that_can_get_no_name_is_the_last(void **state)
{
	(void)state;
	in_child(with_links_refused);
}

static struct tree_writer *volatile unfinished;

static int killed_while_writing(void)
{
	EXPECT(forbid_tmpfile() == 0 && open_again() == 0);
	unfinished = written("half");
	EXPECT(unfinished != NULL);
	return 0;
}

static void what_a_killed_run_left_is_swept(void **state)
{
	(void)state;
	in_child(killed_while_writing);
	assert_int_equal(rmdir(".s3sync/tmp"), -1);
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_true(no_temporary_file_is_left());
}

static int without_sync(void)
{
	EXPECT(forbid(SYS_syncfs, EIO) == 0);
	EXPECT(forbid(SYS_fsync, EIO) == 0);
	EXPECT(refused("one", ERROR_NO_SPACE, "Input/output error"));
	EXPECT(fill_batch("dir%d/%d", 2) == 0);
	tree->ops->publish(tree, batch, BATCH);
	for (int i = 0; i < BATCH; i++)
		EXPECT(batch[i].error.kind == ERROR_NO_SPACE);
	EXPECT(!is_there("one"));
	EXPECT(!is_there("dir0/0"));
	return 0;
}

static void what_is_not_on_the_disk_gets_no_name(void **state)
{
	(void)state;
	in_child(without_sync);
}

/* Permissions. */

static int publish_as_nobody(void)
{
	struct tree_writer *w;

	EXPECT(become_nobody() == 0);
	EXPECT(published("file"));
	EXPECT(refused("locked/file", ERROR_LOCAL, "Permission denied"));
	EXPECT(refused("locked/new/file", ERROR_LOCAL, "Permission denied"));
	EXPECT(chmod(".s3sync/tmp", 0) == 0);
	EXPECT(tree->ops->write_open(tree, 0, &w, &err) == -1);
	EXPECT(err.kind == ERROR_NO_SPACE && err.sys == EACCES);
	EXPECT(strstr(err.text, ".s3sync/tmp") != NULL);
	return 0;
}

static void a_directory_that_may_not_be_written_is_told(void **state)
{
	(void)state;
	make_dir("locked");
	give_to_nobody("locked");
	assert_int_equal(chmod("locked", 0555), 0);
	in_child(publish_as_nobody);
}

static int publish_with_a_umask(void)
{
	struct stat st;

	umask(027);
	EXPECT(open_again() == 0);
	EXPECT(published("dir/file"));
	EXPECT(stat("dir/file", &st) == 0 && st.st_mode == (S_IFREG | 0640));
	EXPECT(stat("dir", &st) == 0 && st.st_mode == (S_IFDIR | 0750));
	EXPECT(stat(".s3sync/tmp", &st) == 0 && st.st_mode == (S_IFDIR | 0700));
	EXPECT(umask(0) == 027);
	return 0;
}

static int publish_with_a_umask_without_tmpfile(void)
{
	EXPECT(forbid_tmpfile() == 0);
	return publish_with_a_umask();
}

static void modes_follow_the_umask(void **state)
{
	(void)state;
	in_child(publish_with_a_umask);
	assert_int_equal(system("rm -r dir"), 0);
	in_child(publish_with_a_umask_without_tmpfile);
}

/*
 * Temporary files that have a name
 */

static char name[TREE_TEMPORARY_SIZE];

static struct tree_writer *opened_named(int64_t size, int expected)
{
	struct tree_writer *w = NULL;

	assert_int_equal(
	    tree->ops->write_open_named(tree, size, name, &w, &err), expected);
	return w;
}

static bool is_kept(void)
{
	char path[64];

	snprintf(path, sizeof(path), ".s3sync/tmp/%s", name);
	return name[0] != '\0' && is_there(path);
}

static void what_is_kept_can_be_gone_on_with(void **state)
{
	struct tree_publication p = { .key = "dir/file", .key_len = 8 };
	struct tree_writer *w;

	(void)state;
	name[0] = '\0';
	w = opened_named(3, 0);
	assert_int_equal(tree->ops->write_at(w, 1, "ew", 2, &err), 0);
	assert_int_equal(tree->ops->write_sync(w, &err), 0);
	tree->ops->write_keep(w);
	tree->ops->write_keep(NULL);
	assert_true(is_kept());
	p.writer = opened_named(3, 1);
	assert_int_equal(tree->ops->write_at(p.writer, 0, "n", 1, &err), 0);
	assert_int_equal(tree->ops->write_finish(p.writer, MTIME, &err), 0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_NONE);
	assert_true(has_content("dir/file", "new"));
	assert_true(no_temporary_file_is_left());
}

static void what_is_kept_is_not_published_over_anything(void **state)
{
	struct tree_publication p = { .key = "file", .key_len = 4 };

	(void)state;
	make_file("file", "old");
	name[0] = '\0';
	p.writer = opened_named(3, 0);
	assert_int_equal(tree->ops->write_at(p.writer, 0, "new", 3, &err), 0);
	assert_int_equal(tree->ops->write_finish(p.writer, MTIME, &err), 0);
	tree->ops->publish(tree, &p, 1);
	assert_int_equal(p.error.kind, ERROR_EXISTS);
	assert_true(has_content("file", "old"));
	assert_true(no_temporary_file_is_left());
}

/* It needs no further room: its own was reserved when it was begun. */
static void what_is_kept_has_its_room(void **state)
{
	const off_t size = 8 << 20;
	struct tree_writer *w;
	char path[64];
	struct stat st;

	(void)state;
	name[0] = '\0';
	tree->ops->write_keep(opened_named(size, 0));
	snprintf(path, sizeof(path), ".s3sync/tmp/%s", name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_true((off_t)st.st_blocks * 512 >= size);
	w = opened_named(size, 1);
	tree->ops->write_abandon(w);
	assert_false(is_kept());
}

static void what_is_gone_begins_anew(void **state)
{
	char old[TREE_TEMPORARY_SIZE];

	(void)state;
	name[0] = '\0';
	tree->ops->write_abandon(opened_named(3, 0));
	assert_true(no_temporary_file_is_left());
	memcpy(old, name, sizeof(old));
	tree->ops->write_keep(opened_named(3, 0));
	assert_string_not_equal(name, old);
	assert_true(is_kept());
	tree->ops->write_forget(tree, old);
	assert_true(is_kept());
	tree->ops->write_forget(tree, name);
	assert_true(no_temporary_file_is_left());
}

/* Names come from a manifest, which may say anything. */
static void no_other_file_is_opened_or_removed(void **state)
{
	static const char *const names[] = { "../root", "get-../../file",
		"get-", "root", "get-link", "get-dir", "get-00000000000000000000" };

	(void)state;
	make_file("file", "old");
	tree->ops->write_keep(opened_named(3, 0));
	make_file(".s3sync/root", "old");
	make_file(".s3sync/tmp/root", "old");
	make_dir(".s3sync/tmp/get-d1");
	assert_int_equal(symlink("../../file", ".s3sync/tmp/get-1"), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) + 2; i++) {
		const char *bad = i < sizeof(names) / sizeof(names[0])
		    ? names[i] : i % 2 ? "get-1" : "get-d1";

		memset(name, 0, sizeof(name));
		memcpy(name, bad, strnlen(bad, sizeof(name) - 1));
		tree->ops->write_abandon(opened_named(3, 0));
		assert_string_not_equal(name, bad);
	}
	tree->ops->write_forget(tree, "root");
	tree->ops->write_forget(tree, "../root");
	tree->ops->write_forget(tree, "get-d1");
	assert_true(has_content("file", "old"));
	assert_true(has_content(".s3sync/root", "old"));
	assert_true(has_content(".s3sync/tmp/root", "old"));
	assert_true(is_there(".s3sync/tmp/get-d1"));
}

static bool is_the_name(void *arg, const char *found)
{
	return strcmp(arg, found) == 0;
}

static void what_is_to_be_gone_on_with_is_not_swept(void **state)
{
	(void)state;
	name[0] = '\0';
	tree->ops->write_keep(opened_named(3, 0));
	in_child(killed_while_writing);
	assert_int_equal(tree_fs_sweep(tree, is_the_name, name, &err), 0);
	assert_true(is_kept());
	tree->ops->write_forget(tree, name);
	assert_true(no_temporary_file_is_left());
}

static int sync_that_fails(void)
{
	struct tree_writer *w;

	name[0] = '\0';
	EXPECT(tree->ops->write_open_named(tree, 3, name, &w, &err) == 0);
	EXPECT(forbid(SYS_fdatasync, EIO) == 0);
	EXPECT(tree->ops->write_sync(w, &err) == -1);
	EXPECT(err.kind == ERROR_NO_SPACE);
	tree->ops->write_abandon(w);
	return 0;
}

static void a_sync_that_fails_is_told(void **state)
{
	(void)state;
	in_child(sync_that_fails);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_published_file_is_as_it_was_sent),
		TEST(nothing_shows_before_it_is_published),
		TEST(what_is_written_can_be_read_back),
		TEST(an_empty_file_can_be_published),
		TEST(a_large_file_has_its_room_reserved),
		TEST(no_room_is_found_out_early),
		TEST(a_write_that_fails_is_told),
		TEST(what_exists_is_never_replaced),
		TEST(a_parent_that_is_no_directory_blocks),
		TEST(a_key_that_is_no_path_is_refused),
		TEST(the_longest_names_can_be_published),
		TEST(an_odd_time_is_kept),
		TEST(a_time_of_just_now_is_racy),
		TEST(an_edit_before_the_signature_is_taken_is_racy),
		TEST(a_batch_is_published_whole),
		TEST(one_failure_in_a_batch_is_one_failure),
		TEST(the_same_key_twice_is_published_once),
		TEST(an_emptied_root_can_be_written_to_again),
		TEST(files_are_published_without_the_newest_system_calls),
		TEST(without_any_means_nothing_is_published),
		TEST(a_nameless_file_that_can_get_no_name_is_the_last),
		TEST(what_a_killed_run_left_is_swept),
		TEST(what_is_not_on_the_disk_gets_no_name),
		TEST(a_directory_that_may_not_be_written_is_told),
		TEST(modes_follow_the_umask),
		TEST(what_is_kept_can_be_gone_on_with),
		TEST(what_is_kept_is_not_published_over_anything),
		TEST(what_is_kept_has_its_room),
		TEST(what_is_gone_begins_anew),
		TEST(no_other_file_is_opened_or_removed),
		TEST(what_is_to_be_gone_on_with_is_not_swept),
		TEST(a_sync_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
