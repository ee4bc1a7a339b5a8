/* SPDX-License-Identifier: MIT */
/* Rows from C to SQL and back. */
#include "manifest/manifest_internal.h"

#include <string.h>

static void bind_bytes(sqlite3_stmt *s, int at, const void *bytes, size_t len)
{
	if (bytes != NULL)
		sqlite3_bind_blob(s, at, bytes, (int)len, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, at);
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC); /* NULL: null */
}

static void bind_local(sqlite3_stmt *s, int at, const struct local_sig *sig)
{
	sqlite3_bind_int64(s, at, sig->size);
	sqlite3_bind_int64(s, at + 1, sig->mtime_ns);
	sqlite3_bind_int64(s, at + 2, sig->ctime_ns);
	sqlite3_bind_int64(s, at + 3, (int64_t)sig->ino);
}

static void bind_etag(sqlite3_stmt *s, int at, const struct etag *etag)
{
	if (etag->len == 0)
		sqlite3_bind_null(s, at);
	else if (etag->binary)
		bind_bytes(s, at, etag->bytes, etag->len);
	else
		sqlite3_bind_text(s, at, (const char *)etag->bytes, etag->len,
		    SQLITE_STATIC);
}

static void bind_remote(sqlite3_stmt *s, int at, const struct remote_sig *sig)
{
	sqlite3_bind_int64(s, at, sig->size);
	if (sig->mtime_ms != SIGNATURE_MTIME_UNKNOWN)
		sqlite3_bind_int64(s, at + 1, sig->mtime_ms);
	else
		sqlite3_bind_null(s, at + 1);
	bind_etag(s, at + 2, &sig->etag);
}

static void bind_nulls(sqlite3_stmt *s, int at, int count)
{
	for (int i = 0; i < count; i++)
		sqlite3_bind_null(s, at + i);
}

void manifest_row_bind_key(sqlite3_stmt *s, const char *key, size_t len)
{
	sqlite3_bind_blob(s, 1, len > 0 ? key : "", (int)len, SQLITE_STATIC);
}

void manifest_row_bind_entry(sqlite3_stmt *s, const struct manifest_entry *e)
{
	manifest_row_bind_key(s, e->key, e->key_len);
	sqlite3_bind_int(s, 2, (int)e->state);
	sqlite3_bind_int(s, 3, (int)e->flags);
	bind_local(s, 4, &e->local);
	bind_remote(s, 8, &e->remote);
	bind_bytes(s, 11, e->md5, 16);
}

void manifest_row_bind_pending(sqlite3_stmt *s,
    const struct manifest_pending *p)
{
	manifest_row_bind_key(s, p->key, p->key_len);
	bind_text(s, 2, p->action);
	bind_text(s, 3, p->reason);
	bind_text(s, 4, p->detail);
	if (p->has_local)
		bind_local(s, 5, &p->local);
	else
		bind_nulls(s, 5, 4);
	if (p->has_remote)
		bind_remote(s, 9, &p->remote);
	else
		bind_nulls(s, 9, 3);
	sqlite3_bind_int(s, 12, p->attempts);
	sqlite3_bind_int64(s, 13, p->next_at_ns);
	sqlite3_bind_int64(s, 14, p->since_ns);
	bind_text(s, 15, p->error);
}

/* A value's bytes and a NUL, in the arena; NULL for a null. */
static bool copy_value(sqlite3_value *value, struct manifest_arena *arena,
    const char **out, size_t *len)
{
	const void *bytes;
	size_t size;

	*out = NULL;
	*len = 0;
	if (sqlite3_value_type(value) == SQLITE_NULL)
		return true;
	bytes = sqlite3_value_blob(value);
	size = (size_t)sqlite3_value_bytes(value);
	if (arena->room - arena->used <= size)
		return false;
	*out = arena->bytes + arena->used;
	*len = size;
	if (size > 0)
		memcpy(arena->bytes + arena->used, bytes, size);
	arena->bytes[arena->used + size] = '\0';
	arena->used += size + 1;
	return true;
}

static bool copy_column(sqlite3_stmt *s, int column,
    struct manifest_arena *arena, const char **out, size_t *len)
{
	return copy_value(sqlite3_column_value(s, column), arena, out, len);
}

static bool copy_text(sqlite3_stmt *s, int column, struct manifest_arena *arena,
    const char **out)
{
	size_t len;

	return copy_column(s, column, arena, out, &len);
}

static void read_local(sqlite3_stmt *s, int column, struct local_sig *out)
{
	out->size = sqlite3_column_int64(s, column);
	out->mtime_ns = sqlite3_column_int64(s, column + 1);
	out->ctime_ns = sqlite3_column_int64(s, column + 2);
	out->ino = (uint64_t)sqlite3_column_int64(s, column + 3);
}

static bool read_etag(sqlite3_stmt *s, int column,
    struct manifest_arena *arena, struct etag *out)
{
	sqlite3_value *etag = sqlite3_column_value(s, column);
	const char *bytes;
	size_t len;

	out->binary = sqlite3_value_type(etag) == SQLITE_BLOB;
	if (!copy_value(etag, arena, &bytes, &len))
		return false;
	out->bytes = (const unsigned char *)bytes;
	out->len = (uint16_t)(len <= ETAG_MAX ? len : 0);
	return true;
}

static bool read_remote(sqlite3_stmt *s, int column,
    struct manifest_arena *arena, struct remote_sig *out)
{
	sqlite3_value *mtime = sqlite3_column_value(s, column + 1);

	out->size = sqlite3_column_int64(s, column);
	out->mtime_ms = sqlite3_value_type(mtime) == SQLITE_NULL
	    ? SIGNATURE_MTIME_UNKNOWN
	    : sqlite3_value_int64(mtime);
	return read_etag(s, column + 2, arena, &out->etag);
}

bool manifest_row_entry(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_entry *out)
{
	const char *md5;
	size_t md5_len;

	out->state = (enum manifest_state)sqlite3_column_int(s, 1);
	out->flags = (unsigned)sqlite3_column_int(s, 2);
	read_local(s, 3, &out->local);
	if (!copy_column(s, 0, arena, &out->key, &out->key_len) ||
	    !read_remote(s, 7, arena, &out->remote) ||
	    !copy_column(s, 10, arena, &md5, &md5_len))
		return false;
	out->md5 = (const unsigned char *)md5;
	return true;
}

bool manifest_row_pending(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_pending *out)
{
	out->has_local = sqlite3_column_type(s, 4) != SQLITE_NULL;
	read_local(s, 4, &out->local);
	out->has_remote = sqlite3_column_type(s, 8) != SQLITE_NULL;
	out->attempts = sqlite3_column_int(s, 11);
	out->next_at_ns = sqlite3_column_int64(s, 12);
	out->since_ns = sqlite3_column_int64(s, 13);
	return copy_column(s, 0, arena, &out->key, &out->key_len) &&
	    copy_text(s, 1, arena, &out->action) &&
	    copy_text(s, 2, arena, &out->reason) &&
	    copy_text(s, 3, arena, &out->detail) &&
	    read_remote(s, 8, arena, &out->remote) &&
	    copy_text(s, 14, arena, &out->error);
}

/* ---- what was begun ---- */

void manifest_row_bind_upload(sqlite3_stmt *s, const struct manifest_upload *u)
{
	manifest_row_bind_key(s, u->key, u->key_len);
	bind_text(s, 2, u->upload_id);
	bind_text(s, 3, u->token);
	sqlite3_bind_int64(s, 4, u->part_size);
	bind_text(s, 5, u->checksum);
	bind_local(s, 6, &u->local);
	sqlite3_bind_int64(s, 10, u->started_ns);
}

bool manifest_row_upload(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_upload *out)
{
	out->part_size = sqlite3_column_int64(s, 3);
	read_local(s, 5, &out->local);
	out->started_ns = sqlite3_column_int64(s, 9);
	return copy_column(s, 0, arena, &out->key, &out->key_len) &&
	    copy_text(s, 1, arena, &out->upload_id) &&
	    copy_text(s, 2, arena, &out->token) &&
	    copy_text(s, 4, arena, &out->checksum);
}

void manifest_row_bind_part(sqlite3_stmt *s, const char *key, size_t key_len,
    const struct manifest_part *part)
{
	manifest_row_bind_key(s, key, key_len);
	sqlite3_bind_int(s, 2, part->number);
	bind_etag(s, 3, &part->etag);
	bind_bytes(s, 4, part->checksum, part->checksum_len);
}

bool manifest_row_part(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_part *out)
{
	const char *checksum;

	out->number = sqlite3_column_int(s, 0);
	if (!read_etag(s, 1, arena, &out->etag) ||
	    !copy_column(s, 2, arena, &checksum, &out->checksum_len))
		return false;
	out->checksum = (const unsigned char *)checksum;
	return true;
}

void manifest_row_bind_download(sqlite3_stmt *s,
    const struct manifest_download *d)
{
	manifest_row_bind_key(s, d->key, d->key_len);
	bind_remote(s, 2, &d->remote);
	sqlite3_bind_int64(s, 5, d->part_size);
	bind_text(s, 6, d->name);
	bind_bytes(s, 7, d->done, d->done_len);
	sqlite3_bind_int64(s, 8, d->started_ns);
}

bool manifest_row_download(sqlite3_stmt *s, struct manifest_arena *arena,
    struct manifest_download *out)
{
	const char *done;

	out->part_size = sqlite3_column_int64(s, 4);
	out->started_ns = sqlite3_column_int64(s, 7);
	if (!copy_column(s, 0, arena, &out->key, &out->key_len) ||
	    !read_remote(s, 1, arena, &out->remote) ||
	    !copy_text(s, 5, arena, &out->name) ||
	    !copy_column(s, 6, arena, &done, &out->done_len))
		return false;
	out->done = (const unsigned char *)done;
	return true;
}
