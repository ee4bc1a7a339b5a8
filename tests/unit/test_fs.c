/* SPDX-License-Identifier: MIT */
/* Directories are made, locks exclude, small files are read whole. */
#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each test runs in an empty directory of its own. */
static int enter_directory(void **state)
{
	char name[] = "/tmp/test_fs.XXXXXX";

	if (mkdtemp(name) == NULL || chdir(name) < 0)
		return -1;
	*state = strdup(name);
	return 0;
}

static int leave_directory(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	free(*state);
	return chdir("/") < 0 || system(command) != 0 ? -1 : 0;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* Grows with each descriptor that is left open. */
static int lowest_free_fd(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void the_limit_on_open_files_is_raised(void **state)
{
	struct rlimit limit;
	int status = -1;
	pid_t child;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 50;
	child = fork();
	if (child == 0) {
		bool good = setrlimit(RLIMIT_NOFILE, &limit) == 0 &&
		    fs_open_files(40) == 40 && sysconf(_SC_OPEN_MAX) == 50 &&
		    fs_open_files(60) == 60 && sysconf(_SC_OPEN_MAX) == 60 &&
		    fs_open_files(SIZE_MAX) == limit.rlim_max;

		_exit(good ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void all_missing_directories_are_made(void **state)
{
	struct error err = ERROR_INIT;
	char absolute[128];

	(void)state;
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(fs_make_dirs("a/b/c", 0700, &err), 0);
	assert_int_equal(mode_of("a"), 0755);
	assert_int_equal(mode_of("a/b"), 0700);
	assert_int_equal(mode_of("a/b/c"), 0700);
	assert_int_equal(fs_make_dirs("a/b/c", 0700, &err), 0);
	assert_int_equal(fs_make_dirs("x//y///", 0700, &err), 0);
	assert_int_equal(mode_of("x/y"), 0700);
	assert_int_equal(fs_make_dirs("/", 0700, &err), 0);
	snprintf(absolute, sizeof(absolute), "%s/p/q", (char *)*state);
	assert_int_equal(fs_make_dirs(absolute, 0700, &err), 0);
	assert_int_equal(mode_of("p/q"), 0700);
	assert_int_equal(err.kind, ERROR_NONE);
}

static void a_link_to_a_directory_is_a_directory(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(symlink("real", "link"), 0);
	assert_int_equal(fs_make_dirs("link/below", 0700, &err), 0);
	assert_int_equal(mode_of("real/below"), 0700);
}

static void what_is_in_the_way_is_named(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	write_file("file", "", 0);
	assert_int_equal(fs_make_dirs("file", 0700, &err), -1);
	assert_int_equal(err.kind, ERROR_LOCAL);
	assert_string_equal(err.text,
	    "cannot make the directory file: Not a directory");
	assert_int_equal(fs_make_dirs("file/a/b", 0700, &err), -1);
	assert_int_equal(err.sys, ENOTDIR);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(fs_make_dirs("dangling/a", 0700, &err), -1);
	assert_int_equal(fs_make_dirs("", 0700, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(fs_make_dirs("/proc/none", 0700, &err), -1);
}

static void a_lock_excludes_a_second_one(void **state)
{
	struct error err = ERROR_INIT;
	int first, second, free_fd;

	(void)state;
	assert_int_equal(fs_lock("lock", &first, &err), 0);
	assert_true(first >= 0);
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	free_fd = lowest_free_fd();
	assert_int_equal(fs_lock("lock", &second, &err), 1);
	assert_int_equal(second, -1);
	assert_int_equal(lowest_free_fd(), free_fd);
	close(first);
	assert_int_equal(fs_lock("lock", &second, &err), 0);
	close(second);
	assert_int_equal(err.kind, ERROR_NONE);
}

static void a_lock_dies_with_its_process(void **state)
{
	struct error err = ERROR_INIT;
	int fd, status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(fs_lock("lock", &fd, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(fs_lock("lock", &fd, &err), 0);
	close(fd);
}

static void a_lock_that_cannot_be_made_is_an_error(void **state)
{
	struct error err = ERROR_INIT;
	int fd = 7;

	(void)state;
	assert_int_equal(fs_lock("none/lock", &fd, &err), -1);
	assert_int_equal(fd, -1);
	assert_int_equal(err.kind, ERROR_LOCAL);
	assert_string_equal(err.text,
	    "cannot open the lock file none/lock: No such file or directory");
}

static void a_pipe_that_nobody_writes_to_is_not_waited_for(void **state)
{
	struct error err = ERROR_INIT;
	char *text;
	size_t len;
	int fd = lowest_free_fd();

	(void)state;
	assert_int_equal(mkfifo("pipe", 0600), 0);
	alarm(10);
	assert_int_equal(fs_read_file("pipe", 9, ERROR_CONFIG, &text, &len,
	    &err), -1);
	alarm(0);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_string_equal(err.text, "pipe is a pipe that nobody writes to; "
	    "is it the right file?");
	assert_int_equal(lowest_free_fd(), fd);
}

/* The second half comes when the first was read. */
static void write_in_two(const char *path)
{
	int left = 0, fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, "one\n", 4) != 4)
		_exit(1);
	do
		usleep(1000);
	while (ioctl(fd, FIONREAD, &left) == 0 && left > 0);
	_exit(write(fd, "two\n", 4) == 4 ? 0 : 1);
}

static void a_pipe_is_read_while_somebody_writes(void **state)
{
	struct error err = ERROR_INIT;
	int status = -1, held;
	char *text;
	size_t len;
	pid_t child;

	(void)state;
	assert_int_equal(mkfifo("pipe", 0600), 0);
	held = open("pipe", O_RDWR); /* so that the writer need not wait */
	child = fork();
	if (child == 0) {
		close(held);
		write_in_two("pipe");
	}
	alarm(10);
	for (int left = 0; left == 0; usleep(1000))
		assert_int_equal(ioctl(held, FIONREAD, &left), 0);
	close(held);
	assert_int_equal(fs_read_file("pipe", 9, ERROR_CONFIG, &text, &len,
	    &err), 0);
	alarm(0);
	assert_string_equal(text, "one\ntwo\n");
	free(text);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_file_is_read_whole(void **state)
{
	struct error err = ERROR_INIT;
	char *text, big[50000];
	int free_fd = lowest_free_fd();
	size_t len;

	(void)state;
	write_file("f", "a\0b\n", 4);
	assert_int_equal(
	    fs_read_file("f", 100, ERROR_CONFIG, &text, &len, &err), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "a\0b\n", 5);
	free(text);

	write_file("empty", "", 0);
	assert_int_equal(
	    fs_read_file("empty", 100, ERROR_CONFIG, &text, &len, &err), 0);
	assert_int_equal(len, 0);
	assert_string_equal(text, "");
	free(text);

	memset(big, 'b', sizeof(big));
	write_file("big", big, sizeof(big));
	assert_int_equal(
	    fs_read_file("big", sizeof(big), ERROR_CONFIG, &text, &len, &err),
	    0);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(text, big, sizeof(big));
	free(text);
	assert_int_equal(lowest_free_fd(), free_fd);
}

static void a_file_past_the_maximum_is_refused(void **state)
{
	struct error err = ERROR_INIT;
	char *text;
	size_t len;

	(void)state;
	write_file("f", "12345", 5);
	assert_int_equal(fs_read_file("f", 5, ERROR_CONFIG, &text, &len, &err),
	    0);
	free(text);
	assert_int_equal(fs_read_file("f", 4, ERROR_CONFIG, &text, &len, &err),
	    -1);
	assert_int_equal(err.kind, ERROR_CONFIG);
	assert_non_null(strstr(err.text, "f is larger than 4 bytes"));
	assert_int_equal(
	    fs_read_file("/dev/zero", 1000, ERROR_CONFIG, &text, &len, &err),
	    -1);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct error err = ERROR_INIT;
	char *text;
	size_t len;

	(void)state;
	assert_int_equal(fs_read_file("none", 9, ERROR_ROOT, &text, &len, &err),
	    -1);
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.text,
	    "cannot open none: No such file or directory");
	assert_int_equal(fs_read_file(".", 9, ERROR_ROOT, &text, &len, &err),
	    -1);
	assert_string_equal(err.text, "cannot read .: Is a directory");
}

static void a_real_path_has_no_detours(void **state)
{
	struct error err = ERROR_INIT;
	char expected[128], *path;

	(void)state;
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(symlink("dir", "link"), 0);
	path = fs_real_path("./link/../link//", ERROR_ROOT, &err);
	snprintf(expected, sizeof(expected), "%s/dir", (char *)*state);
	assert_string_equal(path, expected);
	free(path);
	assert_null(fs_real_path("dir/none", ERROR_ROOT, &err));
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_string_equal(err.text, "dir/none: No such file or directory");
}

static int join_line(void *arg, char *text, struct error *err)
{
	char *joined = arg;

	if (strcmp(text, "bad") == 0)
		return error_set(err, ERROR_CONFIG, "it is bad");
	snprintf(joined + strlen(joined), 64 - strlen(joined), "<%s>", text);
	text[0] = 'X'; /* it is ours */
	return 0;
}

static void a_text_is_read_line_by_line(void **state)
{
	char joined[64] = "";
	struct error err = ERROR_INIT;

	(void)state;
	write_file("f", "\xef\xbb\xbfone\r\n\ntwo", 12);
	assert_int_equal(fs_each_line("f", 100, ERROR_CONFIG, join_line, joined,
	    &err), 0);
	assert_string_equal(joined, "<one><><two>");
	write_file("f", "one\nbad\n", 8);
	assert_int_equal(fs_each_line("f", 100, ERROR_CONFIG, join_line, joined,
	    &err), -1);
	assert_string_equal(err.text, "f:2: it is bad");
	write_file("f", "one\0", 4);
	assert_int_equal(fs_each_line("f", 100, ERROR_LOCAL, join_line, joined,
	    &err), -1);
	assert_int_equal(err.kind, ERROR_LOCAL);
	assert_string_equal(err.text, "f: holds a NUL byte: not text");
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
	struct error err = ERROR_INIT;
	char *text;
	size_t len;

	(void)state;
	write_file("f", "old", 3);
	assert_int_equal(chmod("f", 0644), 0);
	assert_int_equal(fs_replace_file("f", "newer", 5, ERROR_LOCAL, &err),
	    0);
	assert_int_equal(fs_read_file("f", 10, ERROR_LOCAL, &text, &len, &err),
	    0);
	assert_string_equal(text, "newer");
	free(text);
	assert_int_equal(mode_of("f"), 0600);
	assert_int_equal(unlink("f"), 0);

	assert_int_equal(mkdir("f", 0700), 0);
	assert_int_equal(mkdir("f/in", 0700), 0);
	assert_int_equal(fs_replace_file("f", "x", 1, ERROR_LOCAL, &err), -1);
	assert_non_null(strstr(err.text, "cannot write f: "));
	assert_int_equal(fs_replace_file("none/f", "x", 1, ERROR_CREDENTIALS,
	    &err), -1);
	assert_int_equal(err.kind, ERROR_CREDENTIALS);
	assert_int_equal(rmdir("f/in"), 0);
	assert_int_equal(rmdir("f"), 0); /* and nothing else is left */
}

#define IN_DIRECTORY(test) \
	cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		IN_DIRECTORY(all_missing_directories_are_made),
		IN_DIRECTORY(a_link_to_a_directory_is_a_directory),
		IN_DIRECTORY(what_is_in_the_way_is_named),
		IN_DIRECTORY(a_lock_excludes_a_second_one),
		IN_DIRECTORY(a_lock_dies_with_its_process),
		IN_DIRECTORY(a_lock_that_cannot_be_made_is_an_error),
		IN_DIRECTORY(a_file_is_read_whole),
		IN_DIRECTORY(a_pipe_that_nobody_writes_to_is_not_waited_for),
		IN_DIRECTORY(a_pipe_is_read_while_somebody_writes),
		IN_DIRECTORY(a_file_past_the_maximum_is_refused),
		IN_DIRECTORY(what_cannot_be_read_is_named),
		IN_DIRECTORY(a_text_is_read_line_by_line),
		IN_DIRECTORY(a_file_is_replaced_whole_or_not_at_all),
		IN_DIRECTORY(the_limit_on_open_files_is_raised),
		IN_DIRECTORY(a_real_path_has_no_detours),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
