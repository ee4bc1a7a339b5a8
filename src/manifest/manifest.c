/* SPDX-License-Identifier: MIT */
/* Single rows in and out of the manifest, commits, sums. */
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "manifest/manifest_internal.h"

void manifest_close(struct manifest *m)
{
	if (m == NULL)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(m->statements[i]);
	db_close(&m->db);
	if (m->lock >= 0)
		close(m->lock);
	free(m->found.bytes);
	free(m->path);
	free(m);
}

const char *manifest_path(const struct manifest *m)
{
	return m->path;
}

bool manifest_is_in_place(const struct manifest *m)
{
	int moved = 0;

	return sqlite3_file_control(m->db.handle, "main",
	    SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved;
}

bool manifest_is_new(const struct manifest *m)
{
	return m->is_new;
}

long manifest_writer(const struct manifest *m)
{
	return m->lock >= 0 ? getpid() : manifest_lock_holder(m->path);
}

/* ---- writing ---- */

sqlite3_stmt *manifest_write_begin(struct manifest *m, enum statement which)
{
	if (m->failure.kind != ERROR_NONE)
		return NULL;
	if (!m->in_transaction &&
	    db_step(&m->db, m->statements[STATEMENT_BEGIN], &m->failure) < 0)
		return NULL;
	m->in_transaction = true;
	return m->statements[which];
}

int manifest_write_end(struct manifest *m, sqlite3_stmt *statement)
{
	if (db_step(&m->db, statement, &m->failure) < 0)
		return -1;
	m->uncommitted++;
	return 0;
}

int manifest_entry_put(struct manifest *m, const struct manifest_entry *entry)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_ENTRY_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_entry(s, entry);
	return manifest_write_end(m, s);
}

int manifest_pending_put(struct manifest *m,
    const struct manifest_pending *pending)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_PENDING_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_pending(s, pending);
	return manifest_write_end(m, s);
}

int manifest_write_drop(struct manifest *m, enum statement which,
    const char *key, size_t key_len)
{
	sqlite3_stmt *s = manifest_write_begin(m, which);

	if (s == NULL)
		return -1;
	manifest_row_bind_key(s, key, key_len);
	return manifest_write_end(m, s);
}

int manifest_entry_drop(struct manifest *m, const char *key, size_t key_len)
{
	return manifest_write_drop(m, STATEMENT_ENTRY_DROP, key, key_len);
}

int manifest_pending_drop(struct manifest *m, const char *key, size_t key_len)
{
	return manifest_write_drop(m, STATEMENT_PENDING_DROP, key, key_len);
}

int manifest_meta_set(struct manifest *m, const char *name, const char *value,
    struct error *err)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_META_SET);

	if (s != NULL) {
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
		if (manifest_write_end(m, s) == 0)
			return 0;
	}
	*err = m->failure;
	return -1;
}

int manifest_commit(struct manifest *m, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int rc = 0;

	if (m->in_transaction && m->failure.kind == ERROR_NONE)
		db_step(&m->db, m->statements[STATEMENT_COMMIT], &m->failure);
	if (m->failure.kind != ERROR_NONE) {
		/* Some failures have ended the transaction already. */
		if (!sqlite3_get_autocommit(m->db.handle))
			db_step(&m->db, m->statements[STATEMENT_ROLLBACK],
			    &ignored);
		*err = m->failure;
		error_clear(&m->failure);
		rc = -1;
	}
	m->in_transaction = false;
	m->uncommitted = 0;
	return rc;
}

size_t manifest_uncommitted(const struct manifest *m)
{
	return m->uncommitted;
}

int manifest_checkpoint(struct manifest *m, struct error *err)
{
	enum { TRUNCATE_FRAMES = 64 * 1024 * 1024 / 4096 };
	int frames = 0;
	int rc = sqlite3_wal_checkpoint_v2(m->db.handle, "main",
	    SQLITE_CHECKPOINT_PASSIVE, &frames, NULL);

	if (rc == SQLITE_OK && frames > TRUNCATE_FRAMES)
		rc = sqlite3_wal_checkpoint_v2(m->db.handle, "main",
		    SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	/* A reader in the way is no failure: there is a next time. */
	if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
		return 0;
	return db_fail(&m->db, err);
}

/* ---- single rows, and sums ---- */

int manifest_meta_get(struct manifest *m, const char *name,
    struct strbuf *value, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_META_GET];
	int rc;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	rc = db_step(&m->db, s, err);
	if (rc > 0) {
		strbuf_clear(value);
		strbuf_add(value, sqlite3_column_text(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0));
	}
	sqlite3_reset(s);
	return rc;
}

struct manifest_arena *manifest_found(struct manifest *m)
{
	if (m->found.bytes == NULL) {
		m->found.room = MANIFEST_ARENA_SIZE;
		m->found.bytes = alloc_bytes(m->found.room);
	}
	m->found.used = 0;
	return &m->found;
}

int manifest_entry_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_entry *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_ENTRY_FIND];
	int rc;

	manifest_row_bind_key(s, key, key_len);
	rc = db_step(&m->db, s, err);
	if (rc > 0 && !manifest_row_entry(s, manifest_found(m), out))
		rc = db_damaged(&m->db, err, "an entry is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_pending_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_pending *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_PENDING_FIND];
	int rc;

	manifest_row_bind_key(s, key, key_len);
	rc = db_step(&m->db, s, err);
	if (rc > 0 && !manifest_row_pending(s, manifest_found(m), out))
		rc = db_damaged(&m->db, err, "a pending key is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_totals(struct manifest *m, struct manifest_totals *out,
    struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_ENTRY_TOTALS];
	int rc = db_step(&m->db, s, err);

	if (rc > 0) {
		out->synced = sqlite3_column_int64(s, 0);
		out->assumed = sqlite3_column_int64(s, 1);
		out->bytes = sqlite3_column_int64(s, 2);
	}
	sqlite3_reset(s);
	return rc < 0 ? -1 : 0;
}

int manifest_pending_counts(struct manifest *m,
    void (*each)(const struct manifest_pending_count *count, void *arg),
    void *arg, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_PENDING_COUNTS];
	struct manifest_pending_count count;
	int rc;

	while ((rc = db_step(&m->db, s, err)) > 0) {
		count = (struct manifest_pending_count){
			.action = (const char *)sqlite3_column_text(s, 0),
			.reason = (const char *)sqlite3_column_text(s, 1),
			.keys = sqlite3_column_int64(s, 2),
			.bytes = sqlite3_column_int64(s, 3),
			.failing = sqlite3_column_int64(s, 4),
		};
		each(&count, arg);
	}
	return rc;
}
