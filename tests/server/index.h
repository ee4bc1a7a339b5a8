/* SPDX-License-Identifier: MIT */
/*
 * Objects in byte order of their keys: an array of chunks of pointers. Lookup
 * bisects twice, an insertion moves a few kilobytes at most; that holds for
 * tens of millions of keys. The index holds the reference it is given.
 */
#ifndef SERVER_INDEX_H
#define SERVER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object;
struct index;

struct index_place {
	size_t chunk, slot;
};

struct index *index_new(void);
void index_free(struct index *x);

/* The first object whose key is not less than ${key}. */
struct index_place index_seek(const struct index *x, const char *key,
    size_t len);
/* The object at a place; NULL past the last. Borrowed. */
struct object *index_at(const struct index *x, struct index_place place);
void index_step(const struct index *x, struct index_place *place);

struct object *index_find(const struct index *x, const char *key, size_t len);
/* Returns the object that had this key before, now the caller's, or NULL. */
struct object *index_put(struct index *x, struct object *o);
struct object *index_remove(struct index *x, const char *key, size_t len);

#endif
