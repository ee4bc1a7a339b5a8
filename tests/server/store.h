/* SPDX-License-Identifier: MIT */
/*
 * Buckets and objects, in memory or in a directory. Every change is atomic:
 * an object is staged while its body arrives and becomes visible in one step,
 * with its conditions checked in that same step.
 */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "object.h"
#include "synthetic.h"

struct bucket;
struct store;

/* What an If-Match or If-None-Match header asks; both NULL: nothing. ETags
 * as sent; "*" is any object. */
struct condition {
	const char *if_match;
	const char *if_none_match;
};

enum store_result {
	STORE_DONE,
	STORE_MISSING, /* If-Match on a key that is not there */
	STORE_REFUSED, /* the condition does not hold */
	STORE_FAILED,  /* the file system said no */
};

/* ${dir} NULL: in memory. What the directory holds is read. */
struct store *store_open(const char *dir, struct error *err);
void store_close(struct store *s);

/* Buckets stay until the store closes. */
struct bucket *store_bucket(struct store *s, const char *name);
/* 0, 1 if it was there already, -1. ${synthetic} (NULL: none) is what the
 * bucket holds besides what is put into it; its content goes to the store. */
int store_make_bucket(struct store *s, const char *name,
    struct synthetic *synthetic, struct error *err);
void store_each_bucket(struct store *s,
    void (*each)(void *arg, const char *name, int64_t created_ms), void *arg);

/* ---- one object ---- */

/* Room for a body of ${size} bytes, in memory or in a file; NULL: no room.
 * object_unref drops it, store_commit or parts_add stores it. */
struct object *store_stage(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, int64_t size);
int store_append(struct object *staged, const void *bytes, size_t len);
/* Stores ${staged}; takes its reference in every case. */
enum store_result store_commit(struct store *s, struct bucket *b,
    struct object *staged, const struct condition *condition);
/* The condition as it stands now, for an early answer. */
enum store_result store_check(struct store *s, struct bucket *b,
    const char *key, size_t key_len, const struct condition *condition);
enum store_result store_delete(struct store *s, struct bucket *b,
    const char *key, size_t key_len, const struct condition *condition);
/* A reference, or NULL. Where the body is in a file and ${fd} is not NULL,
 * *fd is that file, the caller's; else -1. */
struct object *store_get(struct store *s, struct bucket *b, const char *key,
    size_t key_len, int *fd);

/* Is ${etag} in this header's list of ETags? Quotes may lack. */
bool store_etag_matches(const char *header, const char *etag);

#endif
