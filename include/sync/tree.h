/* SPDX-License-Identifier: MIT */
/*
 * The local side of a pair, as an interface: the real one is tree_fs.h, a
 * simulator has its own. Everything is beneath the root's descriptor, no
 * symlink is followed, no other file system entered, and nothing outside the
 * root touched. Nothing that exists is ever overwritten.
 *
 * probe, read_*, write_* and publish may block and may be called from any
 * thread; a scan belongs to the thread that started it. A key that path_check
 * refuses is refused here too (ERROR_BLOCKED). The texts of errors about one
 * key do not name it: callers do.
 */
#ifndef SYNC_TREE_H
#define SYNC_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/signature.h"
#include "sync/filter.h"

struct tree;
struct tree_scan;
struct tree_reader;
struct tree_writer;

enum tree_kind {
	TREE_FILE,
	TREE_OTHER,   /* a symlink, FIFO, socket, device: never synced, in the way */
	TREE_UNKNOWN, /* It could not be looked at. ${key} ends in '/': nothing
	               * below may be called absent. Else: ${key} may not. */
	TREE_BLOCKED, /* A directory (${key} ends in '/') that is never entered:
	               * on another file system, or of a name that no key can
	               * have. Nothing below may be called absent. */
};

struct tree_entry {
	const char *key;  /* borrowed until the next tree_scan_next */
	size_t key_len;
	enum tree_kind kind;
	struct local_sig sig; /* TREE_FILE only */
	const char *why;      /* all but TREE_FILE: "a symlink",
	                       * "Permission denied"; static or borrowed */
};

#define TREE_TEMPORARY_SIZE 24 /* the name of a temporary file, and its NUL */

enum tree_step { TREE_ENTRY, TREE_END, TREE_WAIT, TREE_FAILED };

enum tree_probe {
	TREE_FREE,          /* nothing there; parents are or can be directories */
	TREE_HAS_FILE,      /* something other than a directory has the name */
	TREE_HAS_DIRECTORY, /* a directory has the name */
	TREE_PARENT_IN_WAY, /* a parent is not a directory */
	TREE_CANNOT_TELL,   /* unreadable, or on another file system */
};

/* One finished download on its way to its final name. */
struct tree_publication {
	struct tree_writer *writer; /* freed by publish, whatever comes */
	const char *key;
	size_t key_len;
	/* Result: ERROR_NONE published; ERROR_EXISTS something has the name
	 * (untouched); ERROR_BLOCKED a parent is no directory; ERROR_LOCAL,
	 * ERROR_NO_SPACE. */
	struct error error;
	struct local_sig sig;       /* as published */
	bool racy;                  /* may have been edited within one tick */
};

struct tree_ops {
	/*
	 * Keys in the order of S3 listings (a directory's name sorts as if it
	 * ended in '/'), filtered, without PATH_RESERVED. ${wake}(${arg}) comes
	 * from another thread when a scan that said TREE_WAIT can go on.
	 */
	struct tree_scan *(*scan_start)(struct tree *t,
	    const struct filter *filter, void (*wake)(void *arg), void *arg);
	/* TREE_FAILED: the root itself could not be read, or was removed. */
	enum tree_step (*scan_next)(struct tree_scan *s, struct tree_entry *out,
	    struct error *err);
	void (*scan_free)(struct tree_scan *s); /* any time */

	enum tree_probe (*probe)(struct tree *t, const char *key, size_t len);

	/* Opens a regular file; *sig is what it shows now. Anything else that
	 * has the name is ERROR_BLOCKED, and never waited for; where nothing
	 * has it any more, that is ERROR_CHANGED. */
	int (*read_open)(struct tree *t, const char *key, size_t len,
	    struct tree_reader **r, struct local_sig *sig, struct error *err);
	/* pread: bytes, 0 at the end, -1. */
	ssize_t (*read_at)(struct tree_reader *r, int64_t offset, void *buf,
	    size_t len, struct error *err);
	/* Is the file, and what its name refers to, still exactly ${sig}? 0, or
	 * -1 with ERROR_CHANGED saying how it differs. */
	int (*read_check)(struct tree_reader *r, const struct local_sig *sig,
	    struct error *err);
	void (*read_close)(struct tree_reader *r);

	/* A file without a name (O_TMPFILE; else a name below .s3sync/tmp),
	 * with room for ${size} bytes reserved where that is not a waste. */
	int (*write_open)(struct tree *t, int64_t size, struct tree_writer **w,
	    struct error *err);
	int (*write_at)(struct tree_writer *w, int64_t offset, const void *buf,
	    size_t len, struct error *err);
	/* Read back what was written, for a checksum that follows the writes. */
	ssize_t (*write_read_at)(struct tree_writer *w, int64_t offset,
	    void *buf, size_t len, struct error *err);
	/* Sets the mtime; no more writes. Required before publish. */
	int (*write_finish)(struct tree_writer *w, int64_t mtime_ns,
	    struct error *err);
	void (*write_abandon)(struct tree_writer *w); /* and frees; NULL: nothing */

	/*
	 * A temporary file that outlives this process: the one called ${name},
	 * as it was kept (1), or, where there is none or ${name} is "", a new
	 * one, whose name is returned in it (0); or -1. What was written is
	 * there again if it was synced (or nothing but the process died).
	 */
	int (*write_open_named)(struct tree *t, int64_t size,
	    char name[TREE_TEMPORARY_SIZE], struct tree_writer **w,
	    struct error *err);
	/* What was written is on the disk. Any thread may write meanwhile. */
	int (*write_sync)(struct tree_writer *w, struct error *err);
	void (*write_keep)(struct tree_writer *w); /* frees, abandons nothing */
	/* Removes what was kept; nothing where there is none. */
	void (*write_forget)(struct tree *t, const char *name);

	/* data sync (one for all) → link, never over anything → sync of each
	 * directory touched. Makes missing parents. */
	void (*publish)(struct tree *t, struct tree_publication *batch,
	    size_t count);

	void (*free)(struct tree *t);
};

struct tree {
	const struct tree_ops *ops;
};

#endif
