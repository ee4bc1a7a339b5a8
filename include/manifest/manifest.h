/* SPDX-License-Identifier: MIT */
/*
 * The manifest of one pair: a SQLite database of every known key. `entry`
 * rows are the base (the pair of signatures last known to hold equal
 * content); `pending` rows are the keys that are not agreed; `run` rows are
 * the cycles. It may lag the file system, never lead it.
 *
 * One process writes (flock), from one thread. Writes are sticky: after the
 * first failure every call returns -1 until manifest_commit reports it.
 * No SQLite cursor stays open between calls.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/signature.h"
#include "base/strbuf.h"

struct manifest;

enum manifest_access {
	MANIFEST_WRITE,   /* lock; create (directories, 0700, too) or migrate if
	                   * needed */
	MANIFEST_PLAN,    /* no lock, file untouched: entries are read from it,
	                   * pending becomes a temporary copy; absent file: empty.
	                   * Writing entries, meta or runs fails. */
	MANIFEST_READ,    /* reports: no lock, read-only, safe beside a writer */
};

/*
 * Refuses, with ERROR_MANIFEST and what to do, and leaves as it is: a file
 * that is not a database, not a manifest (application_id), newer than this
 * program, damaged (quick_check after an unclean end), or locked by another
 * process.
 */
int manifest_open(struct manifest **m, const char *path,
    enum manifest_access access, struct error *err);
void manifest_close(struct manifest *m); /* commits nothing; NULL: nothing */
const char *manifest_path(const struct manifest *m); /* the real one */
bool manifest_is_new(const struct manifest *m); /* made by this open */
/* Is it still the file of that name? Else somebody has moved it away, and it is
 * of no use to go on with it. */
bool manifest_is_in_place(const struct manifest *m);
/* The process that has this manifest open to write, now: its id, -1 where
 * that cannot be told, 0 if there is none. */
long manifest_writer(const struct manifest *m);

/* meta: short text values by name. get: 1 found, 0 absent, -1. */
int manifest_meta_get(struct manifest *m, const char *name,
    struct strbuf *value, struct error *err);
int manifest_meta_set(struct manifest *m, const char *name, const char *value,
    struct error *err);

enum manifest_state {
	MANIFEST_SYNCED = 1,  /* known equal */
	MANIFEST_ASSUMED = 2, /* both there, equal size, content not compared */
};
enum { MANIFEST_FLAG_RACY = 1 }; /* the file may have changed within one tick */

struct manifest_entry {
	const char *key;
	size_t key_len;
	enum manifest_state state;
	unsigned flags;
	struct local_sig local;
	struct remote_sig remote; /* mtime_ms unknown after an own upload */
	const unsigned char *md5; /* 16 bytes, NULL if unknown or in the ETag */
};

struct manifest_pending {
	const char *key;
	size_t key_len;
	const char *action;   /* design's words: "upload", "none", … */
	const char *reason;   /* sync/decide.h names them */
	const char *detail;   /* a sentence for people, NULL if none */
	bool has_local, has_remote;
	struct local_sig local;   /* as the survey saw them */
	struct remote_sig remote;
	int attempts;             /* failed ones with these signatures */
	int64_t next_at_ns;       /* not before; 0: at once */
	int64_t since_ns;         /* first seen with this reason */
	const char *error;        /* of the last attempt, NULL if none */
};

/* Writes. All keyed writes replace what is there. */
int manifest_entry_put(struct manifest *m, const struct manifest_entry *entry);
int manifest_entry_drop(struct manifest *m, const char *key, size_t key_len);
int manifest_pending_put(struct manifest *m,
    const struct manifest_pending *pending);
int manifest_pending_drop(struct manifest *m, const char *key, size_t key_len);
/* Commits what is open. Call it at least every 1000 keys or 1 s. */
int manifest_commit(struct manifest *m, struct error *err);
/* Rows written since the open transaction began; 0: nothing to commit. */
size_t manifest_uncommitted(const struct manifest *m);

/* Point queries: 1 found (borrowed until the next call), 0 not, -1. */
int manifest_entry_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_entry *out, struct error *err);
int manifest_pending_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_pending *out, struct error *err);

/*
 * Rows in key order, read in chunks of some thousand: the database may be
 * written in between, and rows at or before the last one returned may change
 * freely. ${after} NULL: from the beginning. Rows are borrowed until the next
 * call on the same reader.
 */
struct manifest_reader;
struct manifest_reader *manifest_reader_entries(struct manifest *m,
    const char *after, size_t after_len);
struct manifest_reader *manifest_reader_pending(struct manifest *m,
    const char *after, size_t after_len);
/* The next row is the first at or after ${key}. */
void manifest_reader_seek(struct manifest_reader *r, const char *key,
    size_t key_len);
/* 1 a row, 0 the end, -1. Only for the table the reader was made for. */
int manifest_reader_entry(struct manifest_reader *r,
    struct manifest_entry *out, struct error *err);
int manifest_reader_pending_row(struct manifest_reader *r,
    struct manifest_pending *out, struct error *err);
void manifest_reader_free(struct manifest_reader *r);

/* What a server was asked for. */
enum manifest_request {
	MANIFEST_REQUEST_LIST,
	MANIFEST_REQUEST_GET,
	MANIFEST_REQUEST_PUT,
	MANIFEST_REQUEST_HEAD,
	MANIFEST_REQUEST_DELETE,
	MANIFEST_REQUEST_COPY,
	MANIFEST_REQUEST_CREATE_UPLOAD,
	MANIFEST_REQUEST_UPLOAD_PART,
	MANIFEST_REQUEST_COMPLETE_UPLOAD,
	MANIFEST_REQUEST_ABORT_UPLOAD,
	MANIFEST_REQUEST_LIST_PARTS,
	MANIFEST_REQUEST_COUNT
};
/* "list", "upload_part": a column is called that and "_requests". */
const char *manifest_run_request_name(enum manifest_request kind);
int64_t manifest_run_request_total(const int64_t *requests); /* of all */

/* One cycle. A run without an end is one that was killed. */
struct manifest_run {
	int64_t id;
	int64_t started_ns, ended_ns; /* 0: not ended */
	const char *outcome;   /* "running", "killed" (a later run found no end),
	                        * "done", "partial", "failed", "stopped" */
	int64_t local_keys, remote_keys;  /* seen */
	int64_t uploaded, downloaded, adopted, bytes_up, bytes_down;
	int64_t failed, waiting, blocked, differing;
	int64_t requests[MANIFEST_REQUEST_COUNT]; /* attempts, that is */
	int64_t retries;            /* of them */
	int64_t wire_up, wire_down; /* bytes, with the heads of requests */
	int64_t survey_ns, transfer_ns;
	const char *error;     /* why it failed, NULL */
};
/* Commits at once, with all that is open, so that readers see that a cycle
 * runs. */
int manifest_run_begin(struct manifest *m, int64_t started_ns, int64_t *id,
    struct error *err);
/* Writes the end of run ${run->id} with everything open, keeps 1000 runs. */
int manifest_run_end(struct manifest *m, const struct manifest_run *run,
    struct error *err);
/* Newest first, at most ${limit} (-1: all): calls ${each} for each row. */
int manifest_run_each(struct manifest *m, int limit,
    void (*each)(const struct manifest_run *run, void *arg), void *arg,
    struct error *err);

/* For reports: counts and bytes of entries; pending rows by action, reason. */
struct manifest_totals {
	int64_t synced, assumed, bytes;
};
int manifest_totals(struct manifest *m, struct manifest_totals *out,
    struct error *err);
struct manifest_pending_count {
	const char *action, *reason;
	int64_t keys;
	int64_t bytes;   /* that the action would move; else of the local file,
	                  * or of the object where there is none */
	int64_t failing; /* keys whose last attempt failed */
};
int manifest_pending_counts(struct manifest *m,
    void (*each)(const struct manifest_pending_count *count, void *arg),
    void *arg, struct error *err);

/* End of a cycle: checkpoint passively; truncate a WAL over 64 MB. */
int manifest_checkpoint(struct manifest *m, struct error *err);

#endif
