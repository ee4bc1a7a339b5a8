/* SPDX-License-Identifier: MIT */
/*
 * Opening beneath the root: openat2 where there is one, else name by name.
 * Every path comes from a key that path_check accepted, so it has no "..".
 */
#include "sync/tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

static int open_resolved(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)flags,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

/* Only directories are asked for their device: overlayfs gives files others. */
static int open_name(const struct tree_fs *t, int dir, const char *name,
    int flags, mode_t mode)
{
	int fd = openat(dir, name, flags, mode);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0) {
		close_quietly(fd);
		return -1;
	}
	if (S_ISDIR(st.st_mode) && st.st_dev != t->device) {
		close(fd);
		errno = EXDEV;
		return -1;
	}
	return fd;
}

static int open_by_name(const struct tree_fs *t, int dir, char *path, int flags,
    mode_t mode)
{
	int at = dir, fd;
	char *slash;

	while ((slash = strchr(path, '/')) != NULL) {
		*slash = '\0';
		fd = open_name(t, at, path,
		    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
		if (at != dir)
			close_quietly(at);
		if (fd < 0)
			return -1;
		at = fd;
		path = slash + 1;
	}
	fd = open_name(t, at, path, flags, mode);
	if (at != dir)
		close_quietly(at);
	return fd;
}

int tree_beneath_open(const struct tree_fs *t, const char *path, size_t len,
    int flags, mode_t mode)
{
	char text[PATH_KEY_MAX + 1] = ".";

	if (len >= sizeof(text)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (len > 0) {
		memcpy(text, path, len);
		text[len] = '\0';
	}
	flags |= O_NOFOLLOW | O_CLOEXEC;
	if (t->have_openat2)
		return open_resolved(t->fd, text, flags, mode);
	return open_by_name(t, t->fd, text, flags, mode);
}

int tree_beneath_open_in(const struct tree_fs *t, int dir, const char *name,
    int flags)
{
	flags |= O_NOFOLLOW | O_CLOEXEC;
	if (t->have_openat2)
		return open_resolved(dir, name, flags, 0);
	return open_name(t, dir, name, flags, 0);
}

int tree_beneath_stat(const struct tree_fs *t, const char *path, size_t len,
    struct stat *st)
{
	int fd = tree_beneath_open(t, path, len, O_PATH, 0);
	int result;

	if (fd < 0)
		return -1;
	result = fstat(fd, st);
	close_quietly(fd);
	return result;
}

/* Says what keeps ${path}, whose last name is ${name}, from being entered. */
static int blocked(int dir, const char *path, size_t len, const char *name,
    int sys, struct error *err)
{
	char *shown = path_printable(path, len);
	struct stat st;

	if ((sys == ENOTDIR || sys == ELOOP) &&
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		error_set(err, ERROR_BLOCKED, "'%s' is %s, not a directory",
		    shown, tree_fs_type_text(st.st_mode));
	else if (sys == EXDEV)
		error_set(err, ERROR_BLOCKED, "'%s' is on another file system",
		    shown);
	else if (sys == ENAMETOOLONG || sys == EINVAL || sys == EILSEQ)
		error_set(err, ERROR_BLOCKED,
		    "this file system cannot have the directory '%s'", shown);
	else
		error_sys(err, ERROR_LOCAL, sys,
		    "cannot enter or make the directory '%s'", shown);
	free(shown);
	return -1;
}

/* Another program may make or remove the name between the two steps. */
static int enter_or_make(const struct tree_fs *t, int dir, const char *name,
    bool *made)
{
	for (int tries = 0; tries < 8; tries++) {
		int fd = tree_beneath_open_in(t, dir, name,
		    O_RDONLY | O_DIRECTORY | O_NONBLOCK);

		if (fd >= 0 || errno != ENOENT)
			return fd;
		if (mkdirat(dir, name, 0777) == 0)
			*made = true;
		else if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* One step of the way; closes ${dir} and returns the next, or -1. */
static int make_step(const struct tree_fs *t, int dir, const char *path,
    size_t from, size_t to, bool durably, struct error *err)
{
	char name[PATH_NAME_MAX + 1];
	bool made = false;
	int fd;

	memcpy(name, path + from, to - from);
	name[to - from] = '\0';
	fd = enter_or_make(t, dir, name, &made);
	if (fd < 0) {
		blocked(dir, path, to, name, errno, err);
	} else if (made && durably && fsync(dir) != 0) {
		error_sys(err, ERROR_LOCAL, errno, "cannot sync a directory");
		close(fd);
		fd = -1;
	}
	close(dir);
	return fd;
}

int tree_beneath_make_dir(const struct tree_fs *t, const char *path, size_t len,
    bool durably, int *fd, struct error *err)
{
	size_t from = 0;

	*fd = tree_beneath_open(t, path, len, O_RDONLY | O_DIRECTORY, 0);
	if (*fd >= 0)
		return 0;
	*fd = tree_beneath_open(t, "", 0, O_RDONLY | O_DIRECTORY, 0);
	if (*fd < 0)
		return error_sys(err, ERROR_LOCAL, errno, "%s", t->root);
	while (*fd >= 0 && from < len) {
		const char *slash = memchr(path + from, '/', len - from);
		size_t to = slash != NULL ? (size_t)(slash - path) : len;

		*fd = make_step(t, *fd, path, from, to, durably, err);
		from = to + 1;
	}
	return *fd >= 0 ? 0 : -1;
}
