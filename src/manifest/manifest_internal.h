/* SPDX-License-Identifier: MIT */
/* What the files of the manifest share: the open manifest and its statements. */
#ifndef MANIFEST_INTERNAL_H
#define MANIFEST_INTERNAL_H

#include "manifest/db.h"
#include "manifest/manifest.h"
#include "manifest/resume.h"

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_META_GET,
	STATEMENT_META_SET,
	STATEMENT_ENTRY_PUT,
	STATEMENT_ENTRY_DROP,
	STATEMENT_ENTRY_FIND,
	STATEMENT_ENTRY_FROM,
	STATEMENT_ENTRY_TOTALS,
	STATEMENT_PENDING_PUT,
	STATEMENT_PENDING_DROP,
	STATEMENT_PENDING_FIND,
	STATEMENT_PENDING_FROM,
	STATEMENT_PENDING_COUNTS,
	STATEMENT_RUN_KILLED,
	STATEMENT_RUN_BEGIN,
	STATEMENT_RUN_END,
	STATEMENT_RUN_FORGET,
	STATEMENT_RUNS,
	STATEMENT_RESUME_ANY,
	STATEMENT_UPLOAD_PUT,
	STATEMENT_UPLOAD_DROP,
	STATEMENT_UPLOAD_FIND,
	STATEMENT_UPLOADS,
	STATEMENT_PART_PUT,
	STATEMENT_PARTS_DROP,
	STATEMENT_PARTS,
	STATEMENT_DOWNLOAD_PUT,
	STATEMENT_DOWNLOAD_DROP,
	STATEMENT_DOWNLOAD_FIND,
	STATEMENT_DOWNLOADS,
	STATEMENT_COUNT
};

/* Bytes that rows point into; what does not fit is for the next chunk. */
struct manifest_arena {
	char *bytes;
	size_t used, room;
};

struct manifest {
	struct db db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	char *path;
	int lock; /* descriptor, -1 without */
	bool is_new;
	bool in_transaction;
	size_t uncommitted;
	struct error failure;        /* of a write since the last commit */
	struct manifest_arena found; /* what the last point query returned */
};

/* The arena of point queries, emptied. */
struct manifest_arena *manifest_found(struct manifest *m);

/* Fills m->statements. */
int manifest_statement_prepare(struct manifest *m, struct error *err);

/* Readies a write: opens a transaction if none is open. NULL after a failure:
 * the write is not to be made. */
sqlite3_stmt *manifest_write_begin(struct manifest *m, enum statement which);
/* Runs what manifest_write_begin returned, parameters bound. */
int manifest_write_end(struct manifest *m, sqlite3_stmt *statement);
/* Both, for a statement whose one parameter is the key. */
int manifest_write_drop(struct manifest *m, enum statement which,
    const char *key, size_t key_len);

/* ---- opening ---- */

/* Puts before *err that the manifest's directory is not for this user; -1. */
int manifest_open_bad_place(const char *path, struct error *err);
/* The lock of the one writer. ${fd} is a descriptor to be closed; when another
 * process has it, *err says which. */
int manifest_lock_take(const char *path, int *fd, struct error *err);
/* The process that holds it: its id, -1 unknown; 0 where there is none. */
long manifest_lock_holder(const char *path);

/* ---- rows: parameters in, columns out, in the order of the table ---- */

/* One row that no arena holds is damage, not a long name. */
#define MANIFEST_ARENA_SIZE ((size_t)256 * 1024)

void manifest_row_bind_key(sqlite3_stmt *s, const char *key, size_t len);
void manifest_row_bind_entry(sqlite3_stmt *s, const struct manifest_entry *e);
void manifest_row_bind_pending(sqlite3_stmt *s,
    const struct manifest_pending *p);
/* Reads a row, its bytes going to ${arena}; false: they do not fit. */
bool manifest_row_entry(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_entry *out);
bool manifest_row_pending(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_pending *out);

void manifest_row_bind_upload(sqlite3_stmt *s, const struct manifest_upload *u);
void manifest_row_bind_part(sqlite3_stmt *s, const char *key, size_t key_len,
    const struct manifest_part *part);
void manifest_row_bind_download(sqlite3_stmt *s,
    const struct manifest_download *d);
bool manifest_row_upload(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_upload *out);
bool manifest_row_part(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_part *out);
bool manifest_row_download(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_download *out);

#endif
