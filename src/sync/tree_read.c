/* SPDX-License-Identifier: MIT */
/* Reading a file that may change, vanish or be replaced at any moment. */
#include "sync/tree_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

struct tree_reader {
	const struct tree_fs *t;
	int fd;
	size_t key_len;
	char key[];
};

static int open_failed(int sys, struct error *err)
{
	switch (sys) {
	case ENOENT:
		error_set(err, ERROR_CHANGED, "the file vanished");
		break;
	case ELOOP:
		return error_set(err, ERROR_BLOCKED,
		    "it is, or is reached through, a symlink");
	case ENOTDIR:
		return error_set(err, ERROR_BLOCKED,
		    "a parent of it is not a directory");
	case ENXIO:
		return error_set(err, ERROR_BLOCKED,
		    "it is a socket or a device");
	case EXDEV:
		return error_set(err, ERROR_BLOCKED,
		    "it is on another file system");
	default:
		return error_sys(err, ERROR_LOCAL, sys, "cannot open the file");
	}
	err->sys = sys;
	return -1;
}

/* O_NOATIME is for the owner only. O_NONBLOCK: a FIFO would wait. */
static int open_file(const struct tree_fs *t, const char *key, size_t len)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	int fd = tree_beneath_open(t, key, len, flags | O_NOATIME, 0);

	if (fd < 0 && errno == EPERM)
		fd = tree_beneath_open(t, key, len, flags, 0);
	return fd;
}

int tree_read_open(struct tree *tree, const char *key, size_t len,
    struct tree_reader **reader, struct local_sig *sig, struct error *err)
{
	const struct tree_fs *t = (const struct tree_fs *)tree;
	struct stat st;
	int fd;

	*reader = NULL;
	if (tree_fs_check_key(key, len, err) != 0)
		return -1;
	fd = open_file(t, key, len);
	if (fd < 0)
		return open_failed(errno, err);
	if (fstat(fd, &st) != 0) {
		error_sys(err, ERROR_LOCAL, errno, "cannot look at the file");
		close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return error_set(err, ERROR_BLOCKED,
		    "it is %s, not a regular file",
		    tree_fs_type_text(st.st_mode));
	}
	tree_fs_sig(&st, sig);
	*reader = alloc_bytes(sizeof(**reader) + len);
	(*reader)->t = t;
	(*reader)->fd = fd;
	(*reader)->key_len = len;
	memcpy((*reader)->key, key, len);
	return 0;
}

ssize_t tree_read_at(struct tree_reader *r, int64_t offset, void *buf,
    size_t len, struct error *err)
{
	ssize_t got;

	do {
		got = pread(r->fd, buf, len, offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot read the file");
	return got;
}

static int check_content(const struct local_sig *was,
    const struct local_sig *now, struct error *err)
{
	if (now->size != was->size)
		return error_set(err, ERROR_CHANGED,
		    "the file %s from %lld to %lld bytes",
		    now->size > was->size ? "grew" : "shrank",
		    (long long)was->size, (long long)now->size);
	if (now->mtime_ns != was->mtime_ns)
		return error_set(err, ERROR_CHANGED, "the file was modified");
	if (now->ctime_ns != was->ctime_ns)
		return error_set(err, ERROR_CHANGED,
		    "the attributes of the file were changed");
	return 0;
}

int tree_read_check(struct tree_reader *r, const struct local_sig *sig,
    struct error *err)
{
	struct stat named, opened;
	struct local_sig now;

	if (tree_beneath_stat(r->t, r->key, r->key_len, &named) != 0) {
		if (errno == ENOENT)
			return error_set(err, ERROR_CHANGED,
			    "the file vanished");
		if (errno == ENOTDIR || errno == ELOOP || errno == EXDEV)
			return error_set(err, ERROR_CHANGED,
			    "a directory above the file was replaced");
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot look at the file");
	}
	if (fstat(r->fd, &opened) != 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot look at the file");
	tree_fs_sig(&opened, &now);
	if (named.st_ino != opened.st_ino || named.st_dev != opened.st_dev ||
	    now.ino != sig->ino)
		return error_set(err, ERROR_CHANGED, "the file was replaced");
	return check_content(sig, &now, err);
}

void tree_read_close(struct tree_reader *r)
{
	if (r == NULL)
		return;
	close(r->fd);
	free(r);
}
