/* SPDX-License-Identifier: MIT */
/* Small file system services that know nothing of keys: locks, whole files. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* mkdir -p with ${mode} for what is made. */
int fs_make_dirs(const char *path, unsigned mode, struct error *err);
/* An flock(2) that dies with its process. *fd is the lock (close to release);
 * returns 1 with *fd = -1 where another process holds it, -1 on failure. */
int fs_lock(const char *path, int *fd, struct error *err);
/* The whole of a small file, NUL-terminated, malloc'ed; more than ${max}
 * bytes is an error of ${kind}, and so is a pipe that nobody writes to. Whoever
 * has one open for writing is waited for. */
int fs_read_file(const char *path, size_t max, enum error_kind kind,
    char **text, size_t *len, struct error *err);
/*
 * Calls ${line} with each line of a small text file, without its end (which
 * may be CR LF) and without a byte order mark. It may write into the line, and
 * returns 0, or -1 with *err filled, which ends it: "path:number: " is put
 * before. A NUL byte is an error of ${kind}. The text is wiped.
 */
int fs_each_line(const char *path, size_t max, enum error_kind kind,
    int (*line)(void *arg, char *text, struct error *err), void *arg,
    struct error *err);
/* ${path} with another content, whole or not at all; for its owner alone. */
int fs_replace_file(const char *path, const void *bytes, size_t len,
    enum error_kind kind, struct error *err);
/* How many files this process may have open at once, once its limit was raised
 * towards ${wanted} as far as may be; more are not told of. */
size_t fs_open_files(size_t wanted);
/* The canonical absolute path, malloc'ed; NULL and *err on failure. */
char *fs_real_path(const char *path, enum error_kind kind, struct error *err);

#endif
