/* SPDX-License-Identifier: MIT */
/* Rows in key order, a chunk at a time: no cursor is open between chunks. */
#include "manifest/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "manifest/manifest_internal.h"

#define CHUNK_ROWS 1000

struct manifest_reader {
	struct manifest *m;
	enum statement which;
	union {
		struct manifest_entry *entries;
		struct manifest_pending *pending;
	} rows;
	size_t count, next; /* rows in the chunk, and which is next */
	bool ended;         /* no rows after this chunk */
	char *from;         /* where the next chunk begins */
	size_t from_len, from_room;
	struct manifest_arena arena;
};

static void set_from(struct manifest_reader *r, const char *key, size_t len)
{
	ALLOC_GROW(r->from, len + 1, r->from_room);
	if (len > 0)
		memcpy(r->from, key, len);
	r->from_len = len;
}

/* No key lies between K and K with a NUL. */
static void set_after(struct manifest_reader *r, const char *key, size_t len)
{
	set_from(r, key, len);
	r->from[r->from_len++] = '\0';
}

static struct manifest_reader *reader_new(struct manifest *m,
    enum statement which, const char *after, size_t after_len)
{
	struct manifest_reader *r = alloc_zero(1, sizeof(*r));

	r->m = m;
	r->which = which;
	r->arena.room = MANIFEST_ARENA_SIZE;
	r->arena.bytes = alloc_bytes(r->arena.room);
	if (after != NULL)
		set_after(r, after, after_len);
	else
		set_from(r, NULL, 0);
	return r;
}

struct manifest_reader *manifest_reader_entries(struct manifest *m,
    const char *after, size_t after_len)
{
	struct manifest_reader *r =
	    reader_new(m, STATEMENT_ENTRY_FROM, after, after_len);

	r->rows.entries = alloc_zero(CHUNK_ROWS, sizeof(*r->rows.entries));
	return r;
}

struct manifest_reader *manifest_reader_pending(struct manifest *m,
    const char *after, size_t after_len)
{
	struct manifest_reader *r =
	    reader_new(m, STATEMENT_PENDING_FROM, after, after_len);

	r->rows.pending = alloc_zero(CHUNK_ROWS, sizeof(*r->rows.pending));
	return r;
}

void manifest_reader_seek(struct manifest_reader *r, const char *key,
    size_t key_len)
{
	set_from(r, key, key_len);
	r->count = r->next = 0;
	r->ended = false;
}

/* Reads the row that ${s} is at; false if it does not fit any more. */
static bool read_row(struct manifest_reader *r, sqlite3_stmt *s)
{
	if (r->which == STATEMENT_ENTRY_FROM)
		return manifest_row_entry(s, &r->arena,
		    &r->rows.entries[r->count]);
	return manifest_row_pending(s, &r->arena, &r->rows.pending[r->count]);
}

static void remember_last(struct manifest_reader *r)
{
	if (r->count == 0)
		return;
	if (r->which == STATEMENT_ENTRY_FROM)
		set_after(r, r->rows.entries[r->count - 1].key,
		    r->rows.entries[r->count - 1].key_len);
	else
		set_after(r, r->rows.pending[r->count - 1].key,
		    r->rows.pending[r->count - 1].key_len);
}

static int read_chunk(struct manifest_reader *r, struct error *err)
{
	sqlite3_stmt *s = r->m->statements[r->which];
	int rc;

	r->count = r->next = r->arena.used = 0;
	manifest_row_bind_key(s, r->from, r->from_len);
	while ((rc = db_step(&r->m->db, s, err)) > 0 && read_row(r, s))
		if (++r->count == CHUNK_ROWS)
			break;
	sqlite3_reset(s);
	if (rc < 0)
		return -1;
	if (rc > 0 && r->count == 0)
		return db_damaged(&r->m->db, err, "a row is far too long");
	r->ended = rc == 0;
	remember_last(r);
	return 0;
}

/* 1 if rows[next] is there, 0 at the end. */
static int advance(struct manifest_reader *r, struct error *err)
{
	if (r->next == r->count && !r->ended && read_chunk(r, err) < 0)
		return -1;
	return r->next < r->count;
}

int manifest_reader_entry(struct manifest_reader *r, struct manifest_entry *out,
    struct error *err)
{
	int rc = advance(r, err);

	if (rc > 0)
		*out = r->rows.entries[r->next++];
	return rc;
}

int manifest_reader_pending_row(struct manifest_reader *r,
    struct manifest_pending *out, struct error *err)
{
	int rc = advance(r, err);

	if (rc > 0)
		*out = r->rows.pending[r->next++];
	return rc;
}

void manifest_reader_free(struct manifest_reader *r)
{
	if (r == NULL)
		return;
	free(r->which == STATEMENT_ENTRY_FROM ? (void *)r->rows.entries
					      : (void *)r->rows.pending);
	free(r->from);
	free(r->arena.bytes);
	free(r);
}
