/* SPDX-License-Identifier: MIT */
/* The root: opening and knowing it; and looking at what is beneath. */
#include "tree_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"

static void refused(const char *path, const char *text)
{
	struct tree *t;

	error_clear(&err);
	assert_int_equal(tree_fs_open(&t, path, &err), -1);
	assert_null(t);
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, text));
}

static void a_root_that_is_absent_or_a_file_is_refused(void **state)
{
	(void)state;
	make_file("file", "");
	refused("/nowhere/at/all", "no such directory; create it");
	refused("file", "not a directory");
	refused("file/below", "not a directory");
	refused("", "no such directory");
}

static int open_as_nobody(void)
{
	struct tree *t;

	EXPECT(become_nobody() == 0);
	EXPECT(tree_fs_open(&t, "unreadable", &err) == -1);
	EXPECT(err.kind == ERROR_ROOT);
	EXPECT(strstr(err.text, "unreadable: permission denied") != NULL);
	EXPECT(tree_fs_open(&t, "unsearchable", &err) == -1);
	EXPECT(strstr(err.text, "unsearchable: permission denied") != NULL);
	return 0;
}

static void a_root_that_cannot_be_read_is_refused(void **state)
{
	(void)state;
	make_dir("unreadable");
	make_dir("unsearchable");
	assert_int_equal(chmod("unreadable", 0300), 0);
	assert_int_equal(chmod("unsearchable", 0600), 0);
	give_to_nobody("unreadable");
	give_to_nobody("unsearchable");
	in_child(open_as_nobody);
}

static void opening_writes_nothing(void **state)
{
	struct tree_fs_identity id;

	(void)state;
	assert_int_equal(tree_fs_identity(tree, &id, &err), 0);
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(mkdir(root, 0777), 0);
}

static void a_marker_is_made_once_and_read_back(void **state)
{
	struct tree_fs_identity id;
	char marker[TREE_FS_ID_SIZE] = "", other[TREE_FS_ID_SIZE] = "";
	char certain[TREE_FS_ID_SIZE] =
	    "0b3e9ff0-0000-4000-8000-00123456789a";
	struct stat st;

	(void)state;
	assert_int_equal(tree_fs_identity(tree, &id, &err), 0);
	assert_string_equal(id.marker, "");
	assert_int_equal(stat(root, &st), 0);
	assert_int_equal(id.device, st.st_dev);

	assert_int_equal(tree_fs_mark(tree, marker, &err), 0);
	assert_int_equal(strlen(marker), TREE_FS_ID_SIZE - 1);
	assert_int_equal(marker[14], '4');
	assert_non_null(strchr("89ab", marker[19]));
	assert_int_equal(tree_fs_identity(tree, &id, &err), 0);
	assert_string_equal(id.marker, marker);

	assert_int_equal(tree_fs_mark(tree, other, &err), 0);
	assert_string_equal(other, marker);
	assert_int_equal(tree_fs_mark(tree, certain, &err), -1);
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_string_not_equal(certain, marker);
	assert_int_equal(tree_fs_identity(tree, &id, &err), 0);
	assert_string_equal(id.marker, marker);
}

static void a_marker_can_be_given(void **state)
{
	char marker[TREE_FS_ID_SIZE] = "0b3e9ff0-0000-4000-8000-00123456789a";
	struct tree_fs_identity id;

	(void)state;
	assert_int_equal(tree_fs_mark(tree, marker, &err), 0);
	assert_true(has_content(".s3sync/root",
	    "0b3e9ff0-0000-4000-8000-00123456789a\n"));
	assert_int_equal(tree_fs_identity(tree, &id, &err), 0);
	assert_string_equal(id.marker, marker);
}

static void what_is_no_marker_is_an_error(void **state)
{
	static const char *const contents[] = { "", "hello\n",
		"0b3e9ff0-0000-4000-8000-00123456789a",
		"0b3e9ff0-0000-4000-8000-00123456789a\n\n",
		"0B3E9FF0-0000-4000-8000-00123456789A\n",
		"0b3e9ff0x0000-4000-8000-00123456789a\n",
		"0b3e9ff0-0000-4000-8000-00123456789\n\n" };
	struct tree_fs_identity id;

	(void)state;
	make_dir(".s3sync");
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		make_file(".s3sync/root", contents[i]);
		assert_int_equal(tree_fs_identity(tree, &id, &err), -1);
		assert_int_equal(err.kind, ERROR_ROOT);
		assert_non_null(strstr(err.text, ".s3sync/root"));
		assert_string_equal(id.marker, "");
	}
}

static void a_marker_is_not_read_through_a_symlink(void **state)
{
	struct tree_fs_identity id;
	char marker[TREE_FS_ID_SIZE] = "";

	(void)state;
	make_dir("elsewhere");
	make_file("elsewhere/root", "0b3e9ff0-0000-4000-8000-00123456789a\n");
	assert_int_equal(symlink("elsewhere", ".s3sync"), 0);
	assert_int_equal(tree_fs_identity(tree, &id, &err), -1);
	assert_int_equal(tree_fs_mark(tree, marker, &err), -1);
	assert_non_null(strstr(err.text, "a symlink"));
	assert_int_equal(unlink(".s3sync"), 0);
	make_dir(".s3sync");
	assert_int_equal(symlink("../elsewhere/root", ".s3sync/root"), 0);
	assert_int_equal(tree_fs_identity(tree, &id, &err), -1);
	assert_int_equal(tree_fs_mark(tree, marker, &err), -1);
}

static int mark_as_nobody(void)
{
	char marker[TREE_FS_ID_SIZE] = "";

	EXPECT(become_nobody() == 0);
	EXPECT(tree_fs_mark(tree, marker, &err) == -1);
	EXPECT(err.kind == ERROR_ROOT && err.sys == EACCES);
	EXPECT(strstr(err.text, root) != NULL);
	return 0;
}

static void a_root_that_cannot_be_written_cannot_be_marked(void **state)
{
	(void)state;
	assert_int_equal(chmod(root, 0555), 0);
	in_child(mark_as_nobody);
}

static void a_sweep_removes_only_what_is_ours(void **state)
{
	(void)state;
	make_dir(".s3sync");
	make_dir(".s3sync/tmp");
	make_file(".s3sync/tmp/get-0123456789abcdef", "half");
	make_file(".s3sync/tmp/get-1", "half");
	make_file(".s3sync/tmp/old-1", "the only copy");
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_true(has_content(".s3sync/tmp/old-1", "the only copy"));
	assert_int_equal(unlink(".s3sync/tmp/old-1"), 0);
	assert_int_equal(rmdir(".s3sync/tmp"), 0);
}

static void a_sweep_leaves_what_another_pair_is_at(void **state)
{
	const struct timespec old[2] = { { 0, UTIME_OMIT }, { 1000, 0 } };

	(void)state;
	make_dir(".s3sync");
	make_dir(".s3sync/tmp");
	make_file(".s3sync/tmp/get-00000000-01234567", "mine");
	make_file(".s3sync/tmp/get-12345678-01234567", "another's");
	make_file(".s3sync/tmp/get-12345678-0123456", "another's, forgotten");
	assert_int_equal(utimensat(AT_FDCWD,
	    ".s3sync/tmp/get-12345678-0123456", old, 0), 0);
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_true(has_content(".s3sync/tmp/get-12345678-01234567",
	    "another's"));
	assert_int_equal(unlink(".s3sync/tmp/get-12345678-01234567"), 0);
	assert_int_equal(rmdir(".s3sync/tmp"), 0);
}

static void temporary_files_have_an_owner(void **state)
{
	struct tree_writer *w;
	char name[TREE_TEMPORARY_SIZE] = "", old[TREE_TEMPORARY_SIZE];

	(void)state;
	tree_fs_own(tree, "one");
	assert_int_equal(tree->ops->write_open_named(tree, 1, name, &w, &err),
	    0);
	tree->ops->write_keep(w);
	memcpy(old, name, sizeof(old));
	tree_fs_own(tree, "two");
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_int_equal(tree->ops->write_open_named(tree, 1, name, &w, &err),
	    1);
	tree->ops->write_keep(w);
	assert_string_equal(name, old);
	tree_fs_own(tree, "one");
	assert_int_equal(tree_fs_sweep(tree, NULL, NULL, &err), 0);
	assert_int_equal(tree->ops->write_open_named(tree, 1, name, &w, &err),
	    0);
	assert_string_not_equal(name, old);
	tree->ops->write_abandon(w);
}

static enum tree_probe probe(const char *key)
{
	return tree->ops->probe(tree, key, strlen(key));
}

static void a_probe_tells_what_has_a_name(void **state)
{
	(void)state;
	make_dir("dir");
	make_file("dir/file", "");
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(symlink("dir", "dirlink"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(probe("new"), TREE_FREE);
	assert_int_equal(probe("new/er"), TREE_FREE);
	assert_int_equal(probe("dir/new"), TREE_FREE);
	assert_int_equal(probe("dir"), TREE_HAS_DIRECTORY);
	assert_int_equal(probe("dir/file"), TREE_HAS_FILE);
	assert_int_equal(probe("link"), TREE_HAS_FILE);
	assert_int_equal(probe("dirlink"), TREE_HAS_FILE);
	assert_int_equal(probe("fifo"), TREE_HAS_FILE);
	assert_int_equal(probe("dir/file/below"), TREE_PARENT_IN_WAY);
	assert_int_equal(probe("fifo/below"), TREE_PARENT_IN_WAY);
	assert_int_equal(probe("dirlink/file"), TREE_PARENT_IN_WAY);
	assert_int_equal(probe("link/below"), TREE_PARENT_IN_WAY);
	assert_int_equal(probe("../x"), TREE_CANNOT_TELL);
}

static int probe_without_openat2(void)
{
	EXPECT(forbid(SYS_openat2, EPERM) == 0 && open_again() == 0);
	EXPECT(probe("new/er") == TREE_FREE);
	EXPECT(probe("dir") == TREE_HAS_DIRECTORY);
	EXPECT(probe("dir/file") == TREE_HAS_FILE);
	EXPECT(probe("link") == TREE_HAS_FILE);
	EXPECT(probe("dirlink") == TREE_HAS_FILE);
	EXPECT(probe("dir/file/below") == TREE_PARENT_IN_WAY);
	EXPECT(probe("dirlink/file") == TREE_PARENT_IN_WAY);
	return 0;
}

static void a_probe_works_without_openat2(void **state)
{
	(void)state;
	make_dir("dir");
	make_file("dir/file", "");
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(symlink("dir", "dirlink"), 0);
	in_child(probe_without_openat2);
}

/* /proc is a file system of its own wherever there are processes. */
static int other_file_system(void)
{
	struct tree_reader *r;
	struct local_sig sig;
	struct tree *t;

	EXPECT(tree_fs_open(&t, "/", &err) == 0);
	EXPECT(t->ops->probe(t, "proc/version", 12) == TREE_CANNOT_TELL);
	EXPECT(t->ops->read_open(t, "proc/version", 12, &r, &sig, &err) == -1);
	EXPECT(err.kind == ERROR_BLOCKED);
	EXPECT(strstr(err.text, "another file system") != NULL);
	t->ops->free(t);
	return 0;
}

static int other_file_system_without_openat2(void)
{
	EXPECT(forbid(SYS_openat2, ENOSYS) == 0);
	return other_file_system();
}

static void no_other_file_system_is_entered(void **state)
{
	(void)state;
	in_child(other_file_system);
	in_child(other_file_system_without_openat2);
}

/* Reading. */

static struct local_sig sig;

static struct tree_reader *read_open(const char *key)
{
	struct tree_reader *r = NULL;

	error_clear(&err);
	if (tree->ops->read_open(tree, key, strlen(key), &r, &sig, &err) != 0)
		assert_null(r);
	return r;
}

static void read_refused(const char *key, enum error_kind kind,
    const char *text)
{
	assert_null(read_open(key));
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.text, text));
}

static void a_file_is_read_and_shows_its_signature(void **state)
{
	struct tree_reader *r;
	struct stat st;
	char text[16];

	(void)state;
	make_dir("dir");
	make_file("dir/file", "content");
	assert_int_equal(stat("dir/file", &st), 0);
	r = read_open("dir/file");
	assert_non_null(r);
	assert_int_equal(sig.size, 7);
	assert_int_equal(sig.ino, st.st_ino);
	assert_int_equal(sig.mtime_ns,
	    st.st_mtim.tv_sec * CLOCK_SECOND + st.st_mtim.tv_nsec);
	assert_int_equal(sig.ctime_ns,
	    st.st_ctim.tv_sec * CLOCK_SECOND + st.st_ctim.tv_nsec);
	assert_int_equal(tree->ops->read_at(r, 3, text, sizeof(text), &err), 4);
	assert_memory_equal(text, "tent", 4);
	assert_int_equal(tree->ops->read_at(r, 7, text, sizeof(text), &err), 0);
	assert_int_equal(tree->ops->read_check(r, &sig, &err), 0);
	tree->ops->read_close(r);
}

static void only_regular_files_are_read_and_none_is_waited_for(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(sock, (struct sockaddr *)&name, sizeof(name)), 0);
	make_dir("dir");
	make_file("file", "");
	assert_int_equal(symlink("file", "link"), 0);
	assert_int_equal(symlink("dir", "dirlink"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	alarm(20);
	read_refused("fifo", ERROR_BLOCKED, "a FIFO");
	alarm(0);
	read_refused("sock", ERROR_BLOCKED, "a socket");
	read_refused("dir", ERROR_BLOCKED, "a directory");
	read_refused("link", ERROR_BLOCKED, "symlink");
	read_refused("dirlink/x", ERROR_BLOCKED, "");
	read_refused("file/x", ERROR_BLOCKED, "not a directory");
	read_refused("none", ERROR_CHANGED, "vanished");
	assert_int_equal(err.sys, ENOENT);
	read_refused("../etc/passwd", ERROR_BLOCKED, "..");
	read_refused("dir//x", ERROR_BLOCKED, "");
	read_refused(".s3sync/root", ERROR_BLOCKED, "");
	close(sock);
}

static int read_without_openat2(void)
{
	struct tree_reader *r;

	EXPECT(forbid(SYS_openat2, ENOSYS) == 0 && open_again() == 0);
	EXPECT(read_open("dir/link/x") == NULL && err.kind == ERROR_BLOCKED);
	EXPECT(read_open("dir/file/x") == NULL && err.kind == ERROR_BLOCKED);
	EXPECT(read_open("dir/link") == NULL && err.kind == ERROR_BLOCKED);
	EXPECT(read_open("dir/none/x") == NULL && err.sys == ENOENT);
	r = read_open("dir/file");
	EXPECT(r != NULL && sig.size == 7);
	EXPECT(tree->ops->read_check(r, &sig, &err) == 0);
	tree->ops->read_close(r);
	return 0;
}

static void files_are_read_without_openat2(void **state)
{
	(void)state;
	make_dir("dir");
	make_file("dir/file", "content");
	assert_int_equal(symlink(".", "dir/link"), 0);
	in_child(read_without_openat2);
}

static int read_as_nobody(void)
{
	struct tree_reader *r;

	EXPECT(become_nobody() == 0);
	EXPECT(tree->ops->read_open(tree, "secret", 6, &r, &sig, &err) == -1);
	EXPECT(err.kind == ERROR_LOCAL && err.sys == EACCES);
	EXPECT(strstr(err.text, "Permission denied") != NULL);
	/* Somebody else's file: no O_NOATIME, but it can be read. */
	EXPECT(tree->ops->read_open(tree, "open", 4, &r, &sig, &err) == 0);
	tree->ops->read_close(r);
	return 0;
}

static void an_unreadable_file_is_an_error_of_its_own(void **state)
{
	(void)state;
	make_file("secret", "");
	make_file("open", "");
	assert_int_equal(chmod("secret", 0), 0);
	in_child(read_as_nobody);
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void grow(void)
{
	append("dir/file", "more");
}

static void shrink(void)
{
	assert_int_equal(truncate("dir/file", 1), 0);
}

static void modify(void)
{
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 1, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, "dir/file", times, 0), 0);
}

static void change_mode(void)
{
	assert_int_equal(chmod("dir/file", 0600), 0);
}

static void replace(void)
{
	make_file("dir/new", "content");
	assert_int_equal(rename("dir/new", "dir/file"), 0);
}

static void vanish(void)
{
	assert_int_equal(unlink("dir/file"), 0);
}

static void replace_parent(void)
{
	assert_int_equal(rename("dir", "moved"), 0);
	assert_int_equal(symlink("moved", "dir"), 0);
}

static void what_changed_while_it_was_read_is_said(void **state)
{
	static const struct {
		void (*change)(void);
		const char *text;
	} cases[] = {
		{ grow, "grew from 7 to 11 bytes" },
		{ shrink, "shrank from 7 to 1 bytes" },
		{ modify, "was modified" },
		{ change_mode, "attributes" },
		{ replace, "was replaced" },
		{ vanish, "vanished" },
		{ replace_parent, "a directory above the file was replaced" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree_reader *r;

		if (i == 0)
			make_dir("dir");
		make_file("dir/file", "content");
		r = read_open("dir/file");
		assert_non_null(r);
		assert_int_equal(tree->ops->read_check(r, &sig, &err), 0);
		usleep(20000); /* more than a tick, for the ctime */
		cases[i].change();
		assert_int_equal(tree->ops->read_check(r, &sig, &err), -1);
		assert_int_equal(err.kind, ERROR_CHANGED);
		if (strstr(err.text, cases[i].text) == NULL)
			fail_msg("'%s' for '%s'", err.text, cases[i].text);
		tree->ops->read_close(r);
	}
}

static void a_file_that_was_replaced_since_the_scan_is_told(void **state)
{
	struct tree_reader *r;
	struct local_sig scanned;

	(void)state;
	make_dir("dir");
	make_file("dir/file", "content");
	r = read_open("dir/file");
	scanned = sig;
	tree->ops->read_close(r);
	replace();
	r = read_open("dir/file");
	assert_int_equal(tree->ops->read_check(r, &sig, &err), 0);
	assert_int_equal(tree->ops->read_check(r, &scanned, &err), -1);
	assert_non_null(strstr(err.text, "replaced"));
	tree->ops->read_close(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_root_that_is_absent_or_a_file_is_refused),
		TEST(a_root_that_cannot_be_read_is_refused),
		TEST(opening_writes_nothing),
		TEST(a_marker_is_made_once_and_read_back),
		TEST(a_marker_can_be_given),
		TEST(what_is_no_marker_is_an_error),
		TEST(a_marker_is_not_read_through_a_symlink),
		TEST(a_root_that_cannot_be_written_cannot_be_marked),
		TEST(a_sweep_removes_only_what_is_ours),
		TEST(a_sweep_leaves_what_another_pair_is_at),
		TEST(temporary_files_have_an_owner),
		TEST(a_probe_tells_what_has_a_name),
		TEST(a_probe_works_without_openat2),
		TEST(no_other_file_system_is_entered),
		TEST(a_file_is_read_and_shows_its_signature),
		TEST(only_regular_files_are_read_and_none_is_waited_for),
		TEST(files_are_read_without_openat2),
		TEST(an_unreadable_file_is_an_error_of_its_own),
		TEST(what_changed_while_it_was_read_is_said),
		TEST(a_file_that_was_replaced_since_the_scan_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
