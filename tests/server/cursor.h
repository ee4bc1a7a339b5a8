/* SPDX-License-Identifier: MIT */
/* The keys of a bucket in order, stored and generated ones as one. Between
 * begin and end nothing in the store changes. */
#ifndef SERVER_CURSOR_H
#define SERVER_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bucket;
struct cursor;
struct store;

struct entry {
	const char *key; /* valid until the cursor moves */
	size_t key_len;
	int64_t size;
	int64_t mtime_ms;
	const char *etag;
	const char *storage_class;
	const char *restore; /* of what is archived: see object_restore */
	bool lasting; /* key stays valid until cursor_end */
};

struct cursor *cursor_begin(struct store *s, struct bucket *b);
void cursor_end(struct cursor *c);
/* To the first key that is not less than ${key}. */
void cursor_seek(struct cursor *c, const char *key, size_t len);
/* False past the last key. */
bool cursor_entry(struct cursor *c, struct entry *entry);
void cursor_step(struct cursor *c);

#endif
