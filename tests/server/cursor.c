/* SPDX-License-Identifier: MIT */
/* The keys of a bucket in order: a merge of index and generator. */
#include "cursor.h"

#include "base/alloc.h"
#include "base/path.h"
#include "index.h"
#include "store_internal.h"

struct cursor {
	struct store *store;
	struct bucket *bucket;
	struct index_place place;
	struct object *stored; /* the next key of each source; NULL: none */
	int64_t i;
	int order; /* stored against synthetic: which is next */
	char key[SYNTHETIC_KEY_MAX + 1];
};

struct cursor *cursor_begin(struct store *s, struct bucket *b)
{
	struct cursor *c = alloc_bytes(sizeof(*c));

	c->store = s;
	c->bucket = b;
	pthread_rwlock_rdlock(&s->lock);
	cursor_seek(c, "", 0);
	return c;
}

void cursor_end(struct cursor *c)
{
	pthread_rwlock_unlock(&c->store->lock);
	free(c);
}

static void advance(struct cursor *c)
{
	if (c->order <= 0)
		index_step(c->bucket->index, &c->place);
	if (c->order >= 0)
		c->i++;
}

/* Finds which source has the next key; skips what is deleted. */
static void settle(struct cursor *c)
{
	const struct synthetic *syn = &c->bucket->synthetic;

	for (;;) {
		c->stored = index_at(c->bucket->index, c->place);
		if (c->i == syn->count) {
			c->order = -1;
		} else {
			synthetic_key(syn, c->i, c->key);
			c->order = !c->stored
			    ? 1
			    : path_compare(object_key(c->stored),
				  c->stored->key_len, c->key, syn->key_len);
		}
		if (!c->stored || !c->stored->deleted || c->order > 0)
			return;
		advance(c);
	}
}

void cursor_seek(struct cursor *c, const char *key, size_t len)
{
	c->place = index_seek(c->bucket->index, key, len);
	c->i = synthetic_seek(&c->bucket->synthetic, key, len);
	settle(c);
}

void cursor_step(struct cursor *c)
{
	advance(c);
	settle(c);
}

bool cursor_entry(struct cursor *c, struct entry *entry)
{
	const struct synthetic *syn = &c->bucket->synthetic;
	const struct object *o = c->stored;

	if (c->order > 0) {
		*entry = (struct entry){ c->key, syn->key_len, syn->size,
			SYNTHETIC_MTIME_MS, syn->etag, "STANDARD", NULL, false };
		return true;
	}
	if (!o)
		return false;
	*entry = (struct entry){ object_key(o), o->key_len, o->size,
		o->mtime_ms, o->etag, o->storage_class,
		object_is_archived(o) ? object_restore(o) : NULL, true };
	return true;
}
