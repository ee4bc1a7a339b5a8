/* SPDX-License-Identifier: MIT */
/* Reads a manifest whole. */
#include "sim_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/path.h"

#define TEXT_MAX (16 * 1024 * 1024)

static void must(int status, const struct error *err)
{
	if (status >= 0)
		return;
	fprintf(stderr, "sim_table: %s\n", err->text);
	abort();
}

static int compare_rows(const void *a, const void *b)
{
	const struct sim_row *p = a, *q = b;

	return path_compare(p->key, p->len, q->key, q->len);
}

/* Entries come in order; pending rows may be of the same keys. */
static struct sim_row *row_for(struct sim_table *t, const char *key, size_t len)
{
	struct sim_row *row;

	for (size_t i = 0; i < t->count; i++)
		if (path_compare(t->rows[i].key, t->rows[i].len, key, len) == 0)
			return &t->rows[i];
	ALLOC_GROW(t->rows, t->count + 1, t->room);
	row = &t->rows[t->count++];
	memset(row, 0, sizeof(*row));
	row->key = alloc_copy(key, len);
	row->len = len;
	return row;
}

static void add_key(struct strbuf *s, const char *table, const char *key,
    size_t len)
{
	char *text = path_printable(key, len);

	strbuf_addf(s, "%s %s", table, text);
	free(text);
}

static void add_local(struct strbuf *s, const struct local_sig *sig)
{
	strbuf_addf(s, " l %" PRId64 " %" PRId64 " %" PRId64 " %" PRIu64,
	    sig->size, sig->mtime_ns, sig->ctime_ns, sig->ino);
}

static void add_remote(struct strbuf *s, const struct remote_sig *sig)
{
	char etag[ETAG_MAX + 1];

	signature_etag_text(&sig->etag, etag);
	strbuf_addf(s, " r %" PRId64 " %" PRId64 " %s", sig->size,
	    sig->mtime_ms, etag);
}

static void copy_remote(struct remote_sig *out, unsigned char *room,
    const struct remote_sig *sig)
{
	*out = *sig;
	signature_etag_keep(&out->etag, room);
}

static void add_entry(struct sim_table *t, const struct manifest_entry *e)
{
	struct sim_row *row = row_for(t, e->key, e->key_len);

	row->has_entry = true;
	row->synced = e->state == MANIFEST_SYNCED;
	row->racy = e->flags & MANIFEST_FLAG_RACY;
	row->base_local = e->local;
	copy_remote(&row->base_remote, row->base_etag, &e->remote);
	add_key(&t->text, "entry", e->key, e->key_len);
	strbuf_addf(&t->text, " %d %u", (int)e->state, e->flags);
	add_local(&t->text, &e->local);
	add_remote(&t->text, &e->remote);
	for (int i = 0; e->md5 != NULL && i < 16; i++)
		strbuf_addf(&t->text, "%s%02x", i == 0 ? " " : "", e->md5[i]);
	strbuf_addc(&t->text, '\n');
}

static void add_pending(struct sim_table *t, const struct manifest_pending *p)
{
	struct sim_row *row = row_for(t, p->key, p->key_len);

	row->has_pending = true;
	row->action = decide_action_parse(p->action);
	row->reason = decide_reason_parse(p->reason);
	row->has_local = p->has_local;
	row->has_remote = p->has_remote;
	row->local = p->local;
	copy_remote(&row->remote, row->etag, &p->remote);
	add_key(&t->text, "pending", p->key, p->key_len);
	strbuf_addf(&t->text, " %s %s (%s)", p->action, p->reason,
	    p->detail != NULL ? p->detail : "");
	if (p->has_local)
		add_local(&t->text, &p->local);
	if (p->has_remote)
		add_remote(&t->text, &p->remote);
	strbuf_addf(&t->text, " %d %" PRId64 " %" PRId64 " (%s)\n", p->attempts,
	    p->next_at_ns, p->since_ns, p->error != NULL ? p->error : "");
}

void sim_table_read(struct sim_table *t, struct manifest *m)
{
	struct manifest_reader *entries, *pendings;
	struct manifest_entry entry;
	struct manifest_pending pending;
	struct error err = ERROR_INIT;
	int got;

	*t = (struct sim_table){ .text = STRBUF_INIT(TEXT_MAX) };
	entries = manifest_reader_entries(m, NULL, 0);
	while ((got = manifest_reader_entry(entries, &entry, &err)) > 0)
		add_entry(t, &entry);
	must(got, &err);
	manifest_reader_free(entries);
	pendings = manifest_reader_pending(m, NULL, 0);
	while (
	    (got = manifest_reader_pending_row(pendings, &pending, &err)) > 0)
		add_pending(t, &pending);
	must(got, &err);
	manifest_reader_free(pendings);
	if (t->count > 0)
		qsort(t->rows, t->count, sizeof(*t->rows), compare_rows);
	for (size_t i = 0; i < t->count; i++) {
		t->rows[i].base_remote.etag.bytes = t->rows[i].base_etag;
		t->rows[i].remote.etag.bytes = t->rows[i].etag;
	}
}

void sim_table_release(struct sim_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].key);
	free(t->rows);
	strbuf_release(&t->text);
	*t = (struct sim_table){ 0 };
}

const struct sim_row *sim_table_find(const struct sim_table *t, const char *key,
    size_t len)
{
	for (size_t i = 0; i < t->count; i++)
		if (path_compare(t->rows[i].key, t->rows[i].len, key, len) == 0)
			return &t->rows[i];
	return NULL;
}
