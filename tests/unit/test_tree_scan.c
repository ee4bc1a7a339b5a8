/* SPDX-License-Identifier: MIT */
/* The scan: order, what it leaves out, and what it must not call absent. */
#include "tree_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/path.h"
#include "base/strbuf.h"

static struct filter *filter;
static sem_t woken;

/*
 * Instead of libc's: what other file systems, or failing ones, make of it.
 */
static bool without_types; /* as on those that do not know d_type */
static bool twice;         /* each name, as where it was made anew meanwhile */
static int fail_at;        /* EIO at this call from now, 1 the first */

ssize_t getdents64(int fd, void *buf, size_t size)
{
	size_t half = twice ? size / 2 : size;
	ssize_t got;

	if (fail_at > 0 && --fail_at == 0) {
		errno = EIO;
		return -1;
	}
	got = syscall(SYS_getdents64, fd, buf, half);
	for (ssize_t at = 0; without_types && at < got;) {
		struct dirent64 *e = (struct dirent64 *)((char *)buf + at);

		e->d_type = DT_UNKNOWN;
		at += e->d_reclen;
	}
	if (!twice || got <= 0)
		return got;
	memcpy((char *)buf + got, buf, (size_t)got);
	return 2 * got;
}

static int set_up_scan(void **state)
{
	without_types = twice = false;
	fail_at = 0;
	filter = filter_new();
	sem_init(&woken, 0, 0);
	return set_up(state);
}

static int tear_down_scan(void **state)
{
	filter_free(filter);
	sem_destroy(&woken);
	return tear_down(state);
}

static void wake(void *arg)
{
	sem_post(arg);
}

static struct tree_scan *start(void)
{
	return tree->ops->scan_start(tree, filter, wake, &woken);
}

static enum tree_step next(struct tree_scan *s, struct tree_entry *e)
{
	enum tree_step step;

	while ((step = tree->ops->scan_next(s, e, &err)) == TREE_WAIT)
		sem_wait(&woken);
	return step;
}

static void describe(struct strbuf *text, const struct tree_entry *e)
{
	strbuf_add(text, e->key, e->key_len);
	switch (e->kind) {
	case TREE_FILE:
		strbuf_adds(text, "\n");
		break;
	case TREE_OTHER:
		strbuf_addf(text, " (other: %s)\n", e->why);
		break;
	case TREE_UNKNOWN:
		strbuf_addf(text, " (unknown: %s)\n", e->why);
		break;
	case TREE_BLOCKED:
		strbuf_addf(text, " (blocked: %s)\n", e->why);
		break;
	}
}

/* The whole scan as text, a line for each entry. */
static char *scan(enum tree_step *end)
{
	struct strbuf text = STRBUF_INIT(64 << 20), last = STRBUF_INIT(1 << 20);
	struct tree_scan *s = start();
	struct tree_entry e;

	strbuf_adds(&text, "");
	while ((*end = next(s, &e)) == TREE_ENTRY) {
		if (path_compare(strbuf_text(&last), last.len, e.key,
			e.key_len) >= 0)
			strbuf_adds(&text, "not in order: ");
		strbuf_clear(&last);
		strbuf_add(&last, e.key, e.key_len);
		describe(&text, &e);
	}
	tree->ops->scan_free(s);
	strbuf_release(&last);
	return strbuf_detach(&text);
}

static void scan_shows(const char *expected)
{
	enum tree_step end;
	char *shown = scan(&end);

	assert_int_equal(end, TREE_END);
	assert_string_equal(shown, expected);
	free(shown);
}

static void exclude(const char *glob)
{
	assert_int_equal(filter_add(filter, false, glob, &err), 0);
}

static void an_empty_root_has_no_entry(void **state)
{
	(void)state;
	scan_shows("");
}

static void keys_come_in_the_order_of_listings(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_file("a/b/c", "");
	make_file("a/b-", "");
	make_file("a/b0", "");
	make_file("a/\x01", "");
	make_file("a-", "");
	make_file("a.", "");
	make_file("a0", "");
	make_dir("aa");
	make_file("aa/x", "");
	make_dir("b!");
	make_file("b!/x", "");
	make_file("b", "");
	make_file("\x7f", "");
	make_file("\xc3\xa4", "");
	make_file("\xff\xfe", "");
	scan_shows("a-\na.\na/\x01\na/b-\na/b/c\na/b0\na0\naa/x\nb\nb!/x\n"
		   "\x7f\n\xc3\xa4\n\xff\xfe\n");
}

static unsigned roll(unsigned sides)
{
	static uint64_t seed = 20261122;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(seed >> 33) % sides;
}

/* Names that differ from each other only around '/'. Returns the number of
 * entries that there must be: those for files, and one for each directory that
 * no key can name. */
static size_t make_random_tree(const char *below, int depth)
{
	static const char bytes[] = { 'a', 'b', '-', '.', '0', '\x01', '\xff' };
	size_t entries = 0;

	for (int i = 0; i < 12; i++) {
		char path[256];
		size_t len = (size_t)snprintf(path, sizeof(path), "%sa", below);
		int fd;

		for (unsigned n = roll(4); n > 0; n--)
			path[len++] = bytes[roll(sizeof(bytes))];
		path[len] = '\0';
		if (depth > 0 && roll(2) == 0 && mkdir(path, 0755) == 0) {
			path[len] = '/';
			path[len + 1] = '\0';
			entries += memchr(path, 0xff, len) != NULL
			    ? 1
			    : make_random_tree(path, depth - 1);
			continue;
		}
		fd = open(path, O_CREAT | O_EXCL | O_RDONLY, 0644);
		if (fd >= 0)
			close(fd);
		entries += fd >= 0;
	}
	return entries;
}

static void adversarial_names_come_strictly_increasing(void **state)
{
	size_t entries, lines = 0;
	enum tree_step end;
	char *shown;

	(void)state;
	entries = make_random_tree("", 4);
	shown = scan(&end);
	assert_int_equal(end, TREE_END);
	assert_null(strstr(shown, "not in order"));
	for (const char *p = shown; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, entries);
	assert_in_range(lines, 500, 100000);
	free(shown);
}

static void a_file_shows_its_signature(void **state)
{
	struct tree_scan *s;
	struct tree_entry e;
	struct tree_reader *r;
	struct local_sig sig;

	(void)state;
	make_dir("dir");
	make_file("dir/file", "content");
	s = start();
	assert_int_equal(next(s, &e), TREE_ENTRY);
	assert_int_equal(e.kind, TREE_FILE);
	assert_int_equal(e.key_len, 8);
	assert_memory_equal(e.key, "dir/file", 8);
	assert_int_equal(
	    tree->ops->read_open(tree, "dir/file", 8, &r, &sig, &err), 0);
	assert_true(signature_local_equal(&sig, &e.sig));
	tree->ops->read_close(r);
	assert_int_equal(next(s, &e), TREE_END);
	assert_int_equal(next(s, &e), TREE_END);
	tree->ops->scan_free(s);
}

static void what_is_no_file_is_told_and_not_followed(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(bind(sock, (struct sockaddr *)&name, sizeof(name)), 0);
	make_dir("dir");
	make_file("dir/file", "");
	assert_int_equal(symlink("dir", "dirlink"), 0);
	assert_int_equal(symlink("nowhere", "link"), 0);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	scan_shows("dir/file\ndirlink (other: a symlink)\n"
		   "fifo (other: a FIFO)\nlink (other: a symlink)\n"
		   "sock (other: a socket)\n");
	close(sock);
}

static void our_own_names_are_left_out_at_every_depth(void **state)
{
	(void)state;
	make_dir(".s3sync");
	make_file(".s3sync/root", "");
	make_dir("dir");
	make_dir("dir/.s3sync");
	make_file("dir/.s3sync/x", "");
	make_dir("other");
	make_file("other/.s3sync", "");
	make_file(".s3sync-", "");
	make_file(".hidden", "");
	scan_shows(".hidden\n.s3sync-\n");
}

static void what_is_excluded_is_not_looked_at(void **state)
{
	(void)state;
	exclude("temp_*");
	exclude("dir/");
	exclude("x/y/z");
	make_file("temp_1", "");
	make_file("a_temp_1", "");
	make_dir("dir");
	make_file("dir/file", "");
	make_dir("x");
	make_file("x/dir", "");
	make_dir("x/y");
	make_dir("x/y/z");
	make_file("x/y/z/file", "");
	make_file("x/y/file", "");
	assert_int_equal(symlink("a", "temp_link"), 0);
	scan_shows("a_temp_1\nx/dir\nx/y/file\n");
}

static void expect_line(const char *shown, const char *line)
{
	const char *at = strstr(shown, line);

	if (at == NULL || (at > shown && at[-1] != '\n'))
		fail_msg("no line '%s' in:\n%s", line, shown);
}

static void names_that_no_key_can_have_are_told(void **state)
{
	enum tree_step end;
	char *shown;

	(void)state;
	make_dir("a\xff");
	make_file("a\xff/file", "");
	make_file("b\xff", "");
	shown = scan(&end);
	assert_int_equal(end, TREE_END);
	expect_line(shown, "a\xff/ (blocked: ");
	expect_line(shown, "b\xff\n");
	assert_null(strstr(shown, "file"));
	free(shown);
}

/* Down by ${levels}, with a file "z", after the next directory, in each;
 * returns the deepest one. */
static int make_deep(int levels)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	for (int i = 0; i < levels; i++) {
		int deeper, fd;

		assert_int_equal(mkdirat(dir, "d", 0755), 0);
		deeper = openat(dir, "d", O_RDONLY | O_DIRECTORY);
		fd = openat(deeper, "z", O_CREAT | O_WRONLY, 0644);
		assert_true(deeper >= 0 && fd >= 0);
		close(fd);
		close(dir);
		dir = deeper;
	}
	return dir;
}

static int count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void a_deep_tree_takes_few_descriptors(void **state)
{
	size_t files = 0, blocked = 0;
	struct tree_scan *s;
	struct tree_entry e;
	int before, most = 0;

	(void)state;
	close(make_deep(600));
	before = count_open();
	s = start();
	while (next(s, &e) == TREE_ENTRY) {
		int now = count_open();

		most = now > most ? now : most;
		files += e.kind == TREE_FILE;
		blocked += e.kind == TREE_BLOCKED;
	}
	tree->ops->scan_free(s);
	assert_int_equal(count_open(), before);
	assert_true(most - before <= 70);
	/* A key has at most 1024 bytes: 512 directories of one letter. */
	assert_int_equal(files, 512);
	assert_int_equal(blocked, 1);
}

static void a_deep_tree_is_scanned_in_order(void **state)
{
	enum tree_step end;
	size_t files = 0;
	char *shown;

	(void)state;
	close(make_deep(500));
	shown = scan(&end);
	assert_int_equal(end, TREE_END);
	assert_null(strstr(shown, "not in order"));
	assert_null(strstr(shown, "unknown"));
	for (const char *p = shown; *p != '\0'; p++)
		files += *p == 'z';
	assert_int_equal(files, 500);
	free(shown);
}

/* The walker is held up at the bottom by full batches, and has no descriptor
 * any more for the directories at the top. */
static void a_directory_replaced_on_the_way_back_is_unknown(void **state)
{
	size_t files = 0, unknown = 0;
	bool replaced = false;
	struct tree_scan *s;
	struct tree_entry e;
	int bottom;

	(void)state;
	bottom = make_deep(100);
	for (int i = 0; i < 3500; i++) {
		char name[16];

		snprintf(name, sizeof(name), "a%04d", i);
		assert_int_equal(linkat(bottom, "z", bottom, name, 0), 0);
	}
	close(bottom);
	s = start();
	while (next(s, &e) == TREE_ENTRY) {
		if (!replaced) {
			replaced = true;
			assert_int_equal(rename("d", "moved"), 0);
			make_dir("d");
		}
		if (e.key[e.key_len - 1] != 'z')
			continue;
		files += e.kind == TREE_FILE;
		unknown += e.kind == TREE_UNKNOWN;
	}
	tree->ops->scan_free(s);
	assert_int_equal(files + unknown, 100);
	assert_in_range(unknown, 30, 40);
}

/* A directory that cannot be read, one whose names cannot be looked at. */
static int scan_as_nobody(void)
{
	enum tree_step end;
	char *shown;

	EXPECT(become_nobody() == 0);
	shown = scan(&end);
	EXPECT(end == TREE_END);
	EXPECT(strcmp(shown,
		   "a\n"
		   "locked/ (unknown: Permission denied)\n"
		   "noexec/dir/ (unknown: Permission denied)\n"
		   "noexec/file (unknown: Permission denied)\n"
		   "z\n") == 0);
	free(shown);
	return 0;
}

static void what_may_not_be_read_is_unknown(void **state)
{
	(void)state;
	make_file("a", "");
	make_dir("locked");
	make_file("locked/file", "");
	make_dir("noexec");
	make_file("noexec/file", "");
	make_dir("noexec/dir");
	make_file("z", "");
	give_to_nobody("locked");
	give_to_nobody("noexec");
	assert_int_equal(chmod("locked", 0), 0);
	assert_int_equal(chmod("noexec", 0600), 0);
	in_child(scan_as_nobody);
}

static int scan_without_openat2(void)
{
	enum tree_step end;
	char *shown;

	EXPECT(forbid(SYS_openat2, ENOSYS) == 0 && open_again() == 0);
	shown = scan(&end);
	EXPECT(end == TREE_END);
	EXPECT(strcmp(shown, "dir/x/file\nlink (other: a symlink)\n") == 0);
	free(shown);
	return 0;
}

static void a_scan_works_without_openat2(void **state)
{
	(void)state;
	make_dir("dir");
	make_dir("dir/x");
	make_file("dir/x/file", "");
	assert_int_equal(symlink("dir", "link"), 0);
	in_child(scan_without_openat2);
}

/* /proc is a file system of its own wherever there are processes. */
static int scan_the_root_of_all(void)
{
	enum tree_step end;
	char *shown;

	tree->ops->free(tree);
	EXPECT(tree_fs_open(&tree, "/", &err) == 0);
	exclude("/*");
	exclude("!/proc");
	shown = scan(&end);
	EXPECT(end == TREE_END);
	EXPECT(strcmp(shown, "proc/ (blocked: on another file system)\n") == 0);
	free(shown);
	return 0;
}

static int scan_the_root_of_all_without_openat2(void)
{
	EXPECT(forbid(SYS_openat2, ENOSYS) == 0);
	return scan_the_root_of_all();
}

static void another_file_system_is_blocked(void **state)
{
	(void)state;
	in_child(scan_the_root_of_all);
	in_child(scan_the_root_of_all_without_openat2);
}

static void a_root_that_cannot_be_read_fails_the_scan(void **state)
{
	enum tree_step end;
	char *shown;

	(void)state;
	make_file("file", "");
	for (int call = 1; call <= 2; call++) {
		fail_at = call;
		shown = scan(&end);
		assert_int_equal(end, TREE_FAILED);
		assert_string_equal(shown, "");
		assert_int_equal(err.kind, ERROR_ROOT);
		assert_int_equal(err.sys, EIO);
		assert_non_null(strstr(err.text, root));
		free(shown);
	}
}

static void a_directory_that_is_read_in_part_is_unknown(void **state)
{
	(void)state;
	make_dir("dir");
	make_file("dir/file", "");
	make_file("z", "");
	/* Two calls for the root, then one that reads "file". */
	for (int call = 3; call <= 4; call++) {
		fail_at = call;
		scan_shows("dir/ (unknown: Input/output error)\nz\n");
	}
}

static void make_one_of_each(void)
{
	make_dir("a");
	make_file("a/x", "");
	make_file("a-", "");
	make_file("a0", "");
	make_dir("b");
	assert_int_equal(symlink("a", "c"), 0);
	assert_int_equal(mkfifo("d", 0644), 0);
}

static void types_are_found_out_where_reading_does_not_tell(void **state)
{
	(void)state;
	make_one_of_each();
	without_types = true;
	scan_shows("a-\na/x\na0\nc (other: a symlink)\nd (other: a FIFO)\n");
}

static int scan_where_nothing_tells_types(void)
{
	enum tree_step end;
	char *shown;

	EXPECT(become_nobody() == 0);
	without_types = true;
	shown = scan(&end);
	EXPECT(end == TREE_END);
	EXPECT(strcmp(shown,
		   "noexec/a (unknown: its type could not be read)\n"
		   "noexec/a- (unknown: its type could not be read)\n"
		   "noexec/a-/ (unknown: its type could not be read)\n"
		   "noexec/a/ (unknown: its type could not be read)\n") == 0);
	free(shown);
	return 0;
}

static void a_name_of_no_known_type_may_be_either(void **state)
{
	(void)state;
	make_dir("noexec");
	make_dir("noexec/a");
	make_file("noexec/a-", "");
	give_to_nobody("noexec");
	assert_int_equal(chmod("noexec", 0600), 0);
	in_child(scan_where_nothing_tells_types);
}

static void a_name_that_is_read_twice_is_told_once(void **state)
{
	(void)state;
	make_one_of_each();
	twice = true;
	scan_shows("a-\na/x\na0\nc (other: a symlink)\nd (other: a FIFO)\n");
	without_types = true;
	scan_shows("a-\na/x\na0\nc (other: a symlink)\nd (other: a FIFO)\n");
}

static int scan_where_stat_fails(void)
{
	enum tree_step end;
	char *shown;

	EXPECT(forbid_flags(SYS_newfstatat, 3, AT_SYMLINK_NOFOLLOW, EIO) == 0);
	shown = scan(&end);
	EXPECT(end == TREE_END);
	EXPECT(strcmp(shown,
		   "dir/file (unknown: Input/output error)\n"
		   "file (unknown: Input/output error)\n"
		   "link (other: a symlink)\n") == 0);
	free(shown);
	return 0;
}

static void a_file_that_cannot_be_looked_at_is_unknown_alone(void **state)
{
	(void)state;
	make_dir("dir");
	make_file("dir/file", "");
	make_file("file", "");
	assert_int_equal(symlink("x", "link"), 0);
	in_child(scan_where_stat_fails);
}

static void a_removed_root_fails_the_scan(void **state)
{
	enum tree_step end;
	char *shown;

	(void)state;
	assert_int_equal(rmdir(root), 0);
	shown = scan(&end);
	assert_int_equal(end, TREE_FAILED);
	assert_int_equal(err.kind, ERROR_ROOT);
	free(shown);
	assert_int_equal(mkdir(root, 0777), 0);
	assert_int_equal(chdir(root), 0);
}

/* Links are files to a scan, and quickly made. */
/* Of its four batches, one with the reader, the scan fills three. */
#define MORE_THAN_READ_AHEAD 5000

static void make_many(const char *dir, int count)
{
	char first[64], path[64];

	make_dir(dir);
	snprintf(first, sizeof(first), "%s/first", dir);
	make_file(first, "");
	for (int i = 1; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%05d", dir, i);
		if (link(first, path) != 0)
			fail_msg("%s: %s", path, strerror(errno));
	}
}

/* All names of the root are read before the first entry is delivered, and the
 * walker is held up in "a" by full batches when the files change. */
static void what_becomes_another_type_finds_its_place(void **state)
{
	struct strbuf keys = STRBUF_INIT(1 << 20);
	struct tree_scan *s;
	struct tree_entry e;

	(void)state;
	make_many("a", MORE_THAN_READ_AHEAD);
	make_file("b", "");
	make_file("b-", "");
	make_file("b0", "");
	make_file("c", "");
	make_dir("d");
	make_file("d/x", "");
	make_file("e", "");
	make_file("f", "");
	s = start();
	assert_int_equal(next(s, &e), TREE_ENTRY);
	assert_int_equal(unlink("b"), 0);
	make_dir("b");
	make_file("b/new", "");
	assert_int_equal(unlink("c"), 0);
	assert_int_equal(rename("d", "moved"), 0);
	assert_int_equal(unlink("e"), 0);
	assert_int_equal(symlink("f", "e"), 0);
	while (next(s, &e) == TREE_ENTRY) {
		if (e.key[0] == 'a')
			continue;
		strbuf_add(&keys, e.key, e.key_len);
		strbuf_addf(&keys, " %d\n", e.kind);
	}
	tree->ops->scan_free(s);
	assert_string_equal(strbuf_text(&keys),
	    "b- 0\nb/new 0\nb0 0\nd/ 2\ne 1\nf 0\n");
	strbuf_release(&keys);
}

static void a_root_removed_under_the_scan_fails_it(void **state)
{
	struct tree_scan *s;
	struct tree_entry e;
	char command[64];

	(void)state;
	make_many("a", MORE_THAN_READ_AHEAD);
	make_file("z", "");
	s = start();
	assert_int_equal(next(s, &e), TREE_ENTRY);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
	/* "z" is gone, and that is no reason to say so. */
	while (next(s, &e) == TREE_ENTRY)
		assert_int_equal(e.key[0], 'a');
	assert_int_equal(next(s, &e), TREE_FAILED);
	assert_non_null(strstr(err.text, "the directory was removed"));
	tree->ops->scan_free(s);
	assert_int_equal(mkdir(root, 0777), 0);
}

/* What somebody does to a tree as fast as he can. */
static void *disturb(void *stop)
{
	for (unsigned i = 0; !*(atomic_bool *)stop; i = (i + 1) % 40) {
		char path[32];

		snprintf(path, sizeof(path), "dir%u/%u", roll(3), i);
		switch (roll(5)) {
		case 0:
			if (mkdir(path, 0755) != 0 && rmdir(path) != 0)
				unlink(path);
			break;
		case 1:
			if (symlink("x", path) != 0)
				unlink(path);
			break;
		case 2:
			rename("dir1", "dir3");
			rename("dir3", "dir1");
			break;
		default:
			close(open(path, O_CREAT | O_WRONLY, 0644));
		}
	}
	return NULL;
}

static void a_tree_that_changes_under_the_scan_is_in_order(void **state)
{
	atomic_bool stop = false;
	pthread_t thread;

	(void)state;
	make_dir("dir0");
	make_dir("dir1");
	make_dir("dir2");
	assert_int_equal(pthread_create(&thread, NULL, disturb, &stop), 0);
	for (int round = 0; round < 300; round++) {
		enum tree_step end;
		char *shown = scan(&end);

		assert_int_equal(end, TREE_END);
		if (strstr(shown, "not in order") != NULL)
			fail_msg("%s", shown);
		free(shown);
	}
	stop = true;
	pthread_join(thread, NULL);
}

static void a_scan_can_be_left_at_any_time(void **state)
{
	struct tree_entry e;

	(void)state;
	make_many("a", MORE_THAN_READ_AHEAD);
	for (int n = 0; n < 5000; n = 2 * n + 1) {
		struct tree_scan *s = start();

		for (int i = 0; i < n; i++)
			next(s, &e);
		tree->ops->scan_free(s);
	}
	tree->ops->scan_free(NULL);
}

static void two_scans_do_not_disturb_each_other(void **state)
{
	struct tree_scan *s, *other;
	struct tree_entry e, f;

	(void)state;
	make_many("a", 2000);
	s = start();
	other = start();
	while (next(s, &e) == TREE_ENTRY) {
		assert_int_equal(next(other, &f), TREE_ENTRY);
		assert_int_equal(e.key_len, f.key_len);
		assert_memory_equal(e.key, f.key, e.key_len);
	}
	assert_int_equal(next(other, &f), TREE_END);
	tree->ops->scan_free(s);
	tree->ops->scan_free(other);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up_scan, tear_down_scan)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_root_has_no_entry),
		TEST(keys_come_in_the_order_of_listings),
		TEST(adversarial_names_come_strictly_increasing),
		TEST(a_file_shows_its_signature),
		TEST(what_is_no_file_is_told_and_not_followed),
		TEST(our_own_names_are_left_out_at_every_depth),
		TEST(what_is_excluded_is_not_looked_at),
		TEST(names_that_no_key_can_have_are_told),
		TEST(a_deep_tree_takes_few_descriptors),
		TEST(a_deep_tree_is_scanned_in_order),
		TEST(a_directory_replaced_on_the_way_back_is_unknown),
		TEST(what_may_not_be_read_is_unknown),
		TEST(a_scan_works_without_openat2),
		TEST(another_file_system_is_blocked),
		TEST(a_root_that_cannot_be_read_fails_the_scan),
		TEST(a_file_that_cannot_be_looked_at_is_unknown_alone),
		TEST(a_directory_that_is_read_in_part_is_unknown),
		TEST(types_are_found_out_where_reading_does_not_tell),
		TEST(a_name_of_no_known_type_may_be_either),
		TEST(a_name_that_is_read_twice_is_told_once),
		TEST(a_removed_root_fails_the_scan),
		TEST(what_becomes_another_type_finds_its_place),
		TEST(a_root_removed_under_the_scan_fails_it),
		TEST(a_tree_that_changes_under_the_scan_is_in_order),
		TEST(a_scan_can_be_left_at_any_time),
		TEST(two_scans_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
