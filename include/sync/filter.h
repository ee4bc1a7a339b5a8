/* SPDX-License-Identifier: MIT */
/*
 * Which keys the pair is about: ordered globs with gitignore's meaning. The
 * last pattern that matches decides; an excluded directory excludes all that
 * is below it. `include` patterns are gitignore's "!". Immutable once built,
 * so that threads share it.
 */
#ifndef SYNC_FILTER_H
#define SYNC_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct filter;

struct filter *filter_new(void);
void filter_free(struct filter *f);
/* ${glob} as in .gitignore: *, **, ?, [...], leading and trailing '/', '!'
 * (which inverts), '\' escapes, spaces at the end dropped; but '#' begins no
 * comment. An empty or broken glob is ERROR_CONFIG. */
int filter_add(struct filter *f, bool include, const char *glob,
    struct error *err);
/* Is this one name excluded, given that its parents are not? ${key} is the
 * whole relative path without trailing '/'. For the scan, which walks down. */
bool filter_excludes(const struct filter *f, const char *key, size_t len,
    bool is_dir);
/* Is this key, or any directory above it, excluded? For listings. ${memo}
 * (zeroed at first, one per stream) makes runs of keys in one directory
 * cheap. */
struct filter_memo {
	char dir[1024];
	size_t dir_len;
	bool valid, excluded;
};
bool filter_excludes_key(const struct filter *f, struct filter_memo *memo,
    const char *key, size_t len);
/* Hex SHA-256 of the patterns in order: two equal hashes, two equal filters. */
const char *filter_hash(struct filter *f);

#endif
