/* SPDX-License-Identifier: MIT */
/* Directories, locks and small files outside of any root. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"

static int make_dir(const char *path, unsigned mode, struct error *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		errno = ENOTDIR;
	}
	return error_sys(err, ERROR_LOCAL, errno,
	    "cannot make the directory %s", path);
}

int fs_make_dirs(const char *path, unsigned mode, struct error *err)
{
	char *copy = alloc_string(path);
	char *p = copy;
	char after;
	int rc;

	do {
		p += strspn(p, "/");
		p += strcspn(p, "/");
		after = *p;
		*p = '\0';
		rc = make_dir(copy, mode, err);
		*p = after;
	} while (rc == 0 && after != '\0');
	free(copy);
	return rc;
}

int fs_lock(const char *path, int *fd, struct error *err)
{
	int rc, sys;

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (*fd < 0)
		return error_sys(err, ERROR_LOCAL, errno,
		    "cannot open the lock file %s", path);
	do
		rc = flock(*fd, LOCK_EX | LOCK_NB);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	sys = errno;
	close(*fd);
	*fd = -1;
	if (sys == EWOULDBLOCK)
		return 1;
	return error_sys(err, ERROR_LOCAL, sys, "cannot lock %s", path);
}

/* Of a pipe or a terminal, until somebody has written. */
static int wait_for_input(int fd)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	return poll(&input, 1, -1) < 0 && errno != EINTR ? -1 : 0;
}

/* Ends at the end of the file, or where ${s} overflows. Returns -1 and errno
 * if it cannot be read. */
static int read_all(int fd, struct strbuf *s)
{
	char chunk[16384];
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0)
			strbuf_add(s, chunk, (size_t)n);
		else if (n < 0 && errno != EINTR &&
		    (errno != EAGAIN || wait_for_input(fd) < 0))
			return -1;
	} while (n != 0 && !strbuf_overflowed(s));
	explicit_bzero(chunk, sizeof(chunk)); /* there are files of secrets */
	return 0;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

int fs_read_file(const char *path, size_t max, enum error_kind kind,
    char **text, size_t *len, struct error *err)
{
	struct strbuf s = STRBUF_INIT(max);
	int rc = 0;
	/* a FIFO's open() would wait until somebody writes to it */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return error_sys(err, kind, errno, "cannot open %s", path);
	if (read_all(fd, &s) < 0)
		rc = error_sys(err, kind, errno, "cannot read %s", path);
	else if (strbuf_overflowed(&s))
		rc = error_set(err, kind,
		    "%s is larger than %zu bytes; is it the right file?", path,
		    max);
	else if (s.len == 0 && is_pipe(fd))
		rc = error_set(err, kind,
		    "%s is a pipe that nobody writes to; is it the right file?",
		    path);
	close(fd);
	if (rc == 0) {
		*len = s.len;
		*text = strbuf_detach(&s);
	}
	strbuf_wipe(&s);
	return rc;
}

/* ${text} is cut up on the way. */
static int each_line(const char *path, char *text,
    int (*line)(void *arg, char *text, struct error *err), void *arg,
    struct error *err)
{
	int number = 1;

	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (char *next; text != NULL; text = next, number++) {
		size_t len = strcspn(text, "\n");

		next = text[len] != '\0' ? text + len + 1 : NULL;
		text[len] = '\0';
		if (len > 0 && text[len - 1] == '\r')
			text[len - 1] = '\0';
		if (line(arg, text, err) < 0)
			return error_prefix(err, "%s:%d", path, number);
	}
	return 0;
}

int fs_each_line(const char *path, size_t max, enum error_kind kind,
    int (*line)(void *arg, char *text, struct error *err), void *arg,
    struct error *err)
{
	char *text;
	size_t len;
	int rc;

	if (fs_read_file(path, max, kind, &text, &len, err) < 0)
		return -1;
	if (strlen(text) == len)
		rc = each_line(path, text, line, arg, err);
	else
		rc = error_set(err, kind, "%s: holds a NUL byte: not text",
		    path);
	explicit_bzero(text, len);
	free(text);
	return rc;
}

/* Returns -1 and errno. */
static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd);
}

int fs_replace_file(const char *path, const void *bytes, size_t len,
    enum error_kind kind, struct error *err)
{
	struct strbuf temporary = STRBUF_INIT(strlen(path) + 8);
	int fd, rc = 0;

	strbuf_addf(&temporary, "%s.XXXXXX", path);
	fd = mkostemp(temporary.buf, O_CLOEXEC); /* mode 0600 */
	if (fd < 0) {
		rc = error_sys(err, kind, errno, "cannot make %s",
		    temporary.buf);
	} else if (write_all(fd, bytes, len) < 0 ||
	    rename(temporary.buf, path) < 0) {
		rc = error_sys(err, kind, errno, "cannot write %s", path);
		unlink(temporary.buf);
	}
	if (fd >= 0)
		close(fd);
	strbuf_release(&temporary);
	return rc;
}

size_t fs_open_files(size_t wanted)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return wanted;
	more = limit;
	more.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &more) < 0 ? limit.rlim_cur
						   : more.rlim_cur;
}

char *fs_real_path(const char *path, enum error_kind kind, struct error *err)
{
	char *real = realpath(path, NULL);

	if (real == NULL)
		error_sys(err, kind, errno, "%s", path);
	return real;
}
