/* SPDX-License-Identifier: MIT */
/*
 * A root of its own for each test of the real tree, and children that run a
 * piece of one without privileges or without some system calls.
 */
#ifndef TREE_FIXTURE_H
#define TREE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sync/tree_fs.h"

#define NOBODY 65534

static char root[32];
static struct tree *tree;
static struct error err;

/* The test runs with the root as its working directory. */
static int set_up(void **state)
{
	(void)state;
	umask(022);
	error_clear(&err);
	snprintf(root, sizeof(root), "/tmp/test_tree.XXXXXX");
	if (mkdtemp(root) == NULL || chmod(root, 0777) != 0 || chdir(root) != 0)
		return -1;
	return tree_fs_open(&tree, root, &err);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	if (tree != NULL)
		tree->ops->free(tree);
	tree = NULL;
	snprintf(command, sizeof(command),
	    "chmod -R u+rwx %s 2>/dev/null; rm -rf %s", root, root);
	return chdir("/") != 0 || system(command) != 0;
}

static inline void make_dir(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

static inline void make_file(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static inline bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline bool has_content(const char *path, const char *content)
{
	char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	return got == (ssize_t)strlen(content) &&
	    memcmp(text, content, (size_t)got) == 0;
}

/*
 * In a child, what fails is told by its line: cmocka's own assertions would
 * go on with the parent's next test.
 */
#define EXPECT(claim)                    \
	do {                             \
		if (!(claim))            \
			return __LINE__; \
	} while (0)

static inline void in_child(int (*body)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int line = body();

		if (line != 0)
			fprintf(stderr, "line %d fails (%s)\n", line, err.text);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Root may read anything: permissions are tested as somebody else. */
static inline int become_nobody(void)
{
	if (geteuid() != 0)
		return 0;
	return setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 ||
	    setuid(NOBODY) != 0;
}

static inline void give_to_nobody(const char *path)
{
	if (geteuid() == 0)
		assert_int_equal(chown(path, NOBODY, NOBODY), 0);
}

static inline int install_filter(struct sock_filter *code, size_t count)
{
	struct sock_fprog program = { (unsigned short)count, code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0;
}

#define LOAD(field)                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
	    (unsigned)offsetof(struct seccomp_data, field))
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, (action))

/* From now on the system call fails with ${sys}, as in a container that does
 * not allow it. */
static inline int forbid(long call, int sys)
{
	struct sock_filter code[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO | (unsigned)sys),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install_filter(code, sizeof(code) / sizeof(code[0]));
}

/* The same, where its argument ${index} has one of ${flags}. */
static inline int forbid_flags(long call, int index, unsigned flags, int sys)
{
	struct sock_filter code[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 3),
		LOAD(args[index]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, flags, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO | (unsigned)sys),
		ANSWER(SECCOMP_RET_ALLOW),
	};

	return install_filter(code, sizeof(code) / sizeof(code[0]));
}

/* As on a file system without O_TMPFILE. The flags of openat2 are beyond a
 * filter's reach, so it must go too. */
static inline int forbid_tmpfile(void)
{
	return forbid(SYS_openat2, ENOSYS) != 0 ||
	    forbid_flags(SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, EOPNOTSUPP);
}

/* The tree learns when it is opened what the system can do. */
static inline int open_again(void)
{
	tree->ops->free(tree);
	return tree_fs_open(&tree, root, &err);
}

#endif
