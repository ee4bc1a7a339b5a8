/* SPDX-License-Identifier: MIT */
/* Objects in byte order of their keys: a sorted array of sorted chunks. */
#include "index.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "object.h"

#define CHUNK_MAX 256

struct chunk {
	size_t count; /* never 0 */
	struct object *objects[CHUNK_MAX];
};

struct index {
	struct chunk **chunks;
	size_t n_chunks, room;
};

struct index *index_new(void)
{
	return alloc_zero(1, sizeof(struct index));
}

void index_free(struct index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n_chunks; i++) {
		for (size_t j = 0; j < x->chunks[i]->count; j++)
			object_unref(x->chunks[i]->objects[j]);
		free(x->chunks[i]);
	}
	free(x->chunks);
	free(x);
}

static bool is_less(const struct object *o, const char *key, size_t len)
{
	return path_compare(object_key(o), o->key_len, key, len) < 0;
}

/* The chunk that has or would get ${key}: the last whose first key is not
 * greater, or the first of all. There is one. */
static size_t find_chunk(const struct index *x, const char *key, size_t len)
{
	size_t low = 1, high = x->n_chunks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct object *first = x->chunks[middle]->objects[0];

		if (path_compare(object_key(first), first->key_len, key, len) <=
		    0)
			low = middle + 1;
		else
			high = middle;
	}
	return low - 1;
}

static size_t find_slot(const struct chunk *c, const char *key, size_t len)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (is_less(c->objects[middle], key, len))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct index_place index_seek(const struct index *x, const char *key,
    size_t len)
{
	struct index_place place = { 0, 0 };

	if (x->n_chunks == 0)
		return place;
	place.chunk = find_chunk(x, key, len);
	place.slot = find_slot(x->chunks[place.chunk], key, len);
	if (place.slot == x->chunks[place.chunk]->count)
		place = (struct index_place){ place.chunk + 1, 0 };
	return place;
}

struct object *index_at(const struct index *x, struct index_place place)
{
	if (place.chunk >= x->n_chunks)
		return NULL;
	return x->chunks[place.chunk]->objects[place.slot];
}

void index_step(const struct index *x, struct index_place *place)
{
	if (++place->slot == x->chunks[place->chunk]->count)
		*place = (struct index_place){ place->chunk + 1, 0 };
}

static bool is_key(const struct object *o, const char *key, size_t len)
{
	return o && o->key_len == len && memcmp(object_key(o), key, len) == 0;
}

struct object *index_find(const struct index *x, const char *key, size_t len)
{
	struct object *o = index_at(x, index_seek(x, key, len));

	return is_key(o, key, len) ? o : NULL;
}

static void insert_chunk(struct index *x, size_t at, struct chunk *c)
{
	ALLOC_GROW(x->chunks, x->n_chunks + 1, x->room);
	memmove(x->chunks + at + 1, x->chunks + at,
	    (x->n_chunks - at) * sizeof(*x->chunks));
	x->chunks[at] = c;
	x->n_chunks++;
}

/* A full chunk gives its upper half to a new one; appending in order leaves
 * the old one full. */
static void split_chunk(struct index *x, size_t at, bool appending)
{
	struct chunk *old = x->chunks[at];
	struct chunk *new = alloc_bytes(sizeof(*new));
	size_t keep = appending ? CHUNK_MAX - 1 : CHUNK_MAX / 2;

	new->count = old->count - keep;
	memcpy(new->objects, old->objects + keep,
	    new->count * sizeof(*new->objects));
	old->count = keep;
	insert_chunk(x, at + 1, new);
}

struct object *index_put(struct index *x, struct object *o)
{
	const char *key = object_key(o);
	size_t at, slot;
	struct chunk *c;

	if (x->n_chunks == 0) {
		c = alloc_bytes(sizeof(*c));
		c->count = 0;
		insert_chunk(x, 0, c);
	}
	at = find_chunk(x, key, o->key_len);
	slot = find_slot(x->chunks[at], key, o->key_len);
	c = x->chunks[at];
	if (slot < c->count && is_key(c->objects[slot], key, o->key_len)) {
		struct object *old = c->objects[slot];

		c->objects[slot] = o;
		return old;
	}
	if (c->count == CHUNK_MAX) {
		split_chunk(x, at, slot == CHUNK_MAX);
		if (slot > c->count) {
			slot -= c->count;
			c = x->chunks[at + 1];
		}
	}
	memmove(c->objects + slot + 1, c->objects + slot,
	    (c->count - slot) * sizeof(*c->objects));
	c->objects[slot] = o;
	c->count++;
	return NULL;
}

struct object *index_remove(struct index *x, const char *key, size_t len)
{
	struct index_place place = index_seek(x, key, len);
	struct object *o = index_at(x, place);
	struct chunk *c;

	if (!is_key(o, key, len))
		return NULL;
	c = x->chunks[place.chunk];
	c->count--;
	memmove(c->objects + place.slot, c->objects + place.slot + 1,
	    (c->count - place.slot) * sizeof(*c->objects));
	if (c->count == 0) {
		free(c);
		x->n_chunks--;
		memmove(x->chunks + place.chunk, x->chunks + place.chunk + 1,
		    (x->n_chunks - place.chunk) * sizeof(*x->chunks));
	}
	return o;
}
