/* SPDX-License-Identifier: MIT */
/* One writer: a lock beside the manifest, with the holder's id in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "manifest/manifest_internal.h"

/* Whoever only looks whether the lock is held holds it for a moment, and so
 * does a process on its way out: 1 only when it stays held. */
static int try(const char *lock_path, int *fd, struct error *err)
{
	static const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int rc;

	for (int tries = 0; tries < 10; tries++) {
		rc = fs_lock(lock_path, fd, err);
		if (rc <= 0)
			return rc;
		nanosleep(&pause, NULL);
	}
	return 1;
}

/* Of the process that wrote it into the lock file; -1 unknown. */
static long read_id(const char *lock_path)
{
	struct error ignored = ERROR_INIT;
	char *text;
	size_t len;
	long id;

	if (fs_read_file(lock_path, 32, ERROR_MANIFEST, &text, &len, &ignored) <
	    0)
		return -1;
	id = strtol(text, NULL, 10);
	free(text);
	return id > 0 ? id : -1;
}

static int write_id(int fd, const char *lock_path, struct error *err)
{
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		return error_sys(err, ERROR_MANIFEST, errno, "cannot write %s",
		    lock_path);
	return 0;
}

static int held(const char *path, long id, struct error *err)
{
	char holder[32] = "another process";

	if (id > 0)
		snprintf(holder, sizeof(holder), "process %ld", id);
	return error_set(err, ERROR_MANIFEST,
	    "the manifest %s is in use by %s; one s3sync at a time can keep a "
	    "pair in sync",
	    path, holder);
}

int manifest_lock_take(const char *path, int *fd, struct error *err)
{
	char *lock_path = db_sibling(path, ".lock");
	int rc = try(lock_path, fd, err);

	if (rc < 0)
		manifest_open_bad_place(path, err);
	else if (rc > 0)
		rc = held(path, read_id(lock_path), err);
	else
		rc = write_id(*fd, lock_path, err);
	free(lock_path);
	return rc;
}

long manifest_lock_holder(const char *path)
{
	char *lock_path = db_sibling(path, ".lock");
	int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
	long id = 0;

	if (fd >= 0 ? flock(fd, LOCK_SH | LOCK_NB) < 0 : errno != ENOENT)
		id = read_id(lock_path);
	if (fd >= 0)
		close(fd);
	free(lock_path);
	return id;
}
