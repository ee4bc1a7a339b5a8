/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the real tree share: tree_fs (root, marker, the table of
 * operations), tree_beneath (opening), tree_scan, tree_read, tree_write.
 */
#ifndef SYNC_TREE_INTERNAL_H
#define SYNC_TREE_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/path.h"
#include "sync/tree.h"

#define TREE_MARKER PATH_RESERVED "/root"
#define TREE_TEMP PATH_RESERVED "/tmp"
/* Names in TREE_TEMP: get-OWNER-NUMBER, in hex. */
#define TREE_TEMP_PREFIX "get-"
#define TREE_TEMP_FORM TREE_TEMP_PREFIX "%08" PRIx32 "-%08" PRIx32

struct tree_fs {
	struct tree tree;       /* first: a struct tree is a struct tree_fs */
	char *root;             /* as given, for messages */
	int fd;
	uint64_t device;
	uint32_t owner;         /* of temporary files: see tree_fs_own */
	mode_t file_mode;       /* of new files: 0666 less the umask */
	bool have_openat2;      /* the kernel and its seccomp filters allow it */
	bool sync_each;         /* syncfs does not reach the disk here */
	atomic_bool named_temp; /* no O_TMPFILE, or it cannot be given a name */
};

/*
 * open(2) beneath the root: O_CLOEXEC, without following any symlink and
 * without leaving the file system. -1 and errno: ELOOP or ENOTDIR where a
 * parent is no directory, EXDEV where another file system begins. An empty
 * ${path} is the root.
 */
int tree_beneath_open(const struct tree_fs *t, const char *path, size_t len,
    int flags, mode_t mode);
/* The same for one name in an open directory. */
int tree_beneath_open_in(const struct tree_fs *t, int dir, const char *name,
    int flags);
/* lstat(2) beneath the root. */
int tree_beneath_stat(const struct tree_fs *t, const char *path, size_t len,
    struct stat *st);
/*
 * Opens a directory, making it and its parents where they are missing; with
 * ${durably} each directory that got a new name in it is synced.
 * ERROR_BLOCKED where something is in the way.
 */
int tree_beneath_make_dir(const struct tree_fs *t, const char *path, size_t len,
    bool durably, int *fd, struct error *err);

void tree_fs_sig(const struct stat *st, struct local_sig *sig);
/* "a symlink", "a directory", … */
const char *tree_fs_type_text(mode_t mode);
/* 0, or -1 and ERROR_BLOCKED if ${key} can be no path. */
int tree_fs_check_key(const char *key, size_t len, struct error *err);

struct tree_scan *tree_scan_start(struct tree *tree,
    const struct filter *filter, void (*wake)(void *arg), void *arg);
enum tree_step tree_scan_next(struct tree_scan *s, struct tree_entry *out,
    struct error *err);
void tree_scan_free(struct tree_scan *s);

int tree_read_open(struct tree *tree, const char *key, size_t len,
    struct tree_reader **reader, struct local_sig *sig, struct error *err);
ssize_t tree_read_at(struct tree_reader *r, int64_t offset, void *buf,
    size_t len, struct error *err);
int tree_read_check(struct tree_reader *r, const struct local_sig *sig,
    struct error *err);
void tree_read_close(struct tree_reader *r);

int tree_write_open(struct tree *tree, int64_t size,
    struct tree_writer **writer, struct error *err);
int tree_write_at(struct tree_writer *w, int64_t offset, const void *buf,
    size_t len, struct error *err);
ssize_t tree_write_read_at(struct tree_writer *w, int64_t offset, void *buf,
    size_t len, struct error *err);
int tree_write_finish(struct tree_writer *w, int64_t mtime_ns,
    struct error *err);
void tree_write_abandon(struct tree_writer *w);
int tree_write_open_named(struct tree *tree, int64_t size,
    char name[TREE_TEMPORARY_SIZE], struct tree_writer **writer,
    struct error *err);
int tree_write_sync(struct tree_writer *w, struct error *err);
void tree_write_keep(struct tree_writer *w);
void tree_write_forget(struct tree *tree, const char *name);
void tree_write_publish(struct tree *tree, struct tree_publication *batch,
    size_t count);
/* The data of one writer to disk, then its name ${name} in ${dir}. */
int tree_write_place(struct tree_writer *w, int dir, const char *name,
    struct error *err);

#endif
