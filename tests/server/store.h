/* SPDX-License-Identifier: MIT */
/*
 * Buckets, objects and multipart uploads, in memory or in a directory. Every
 * change is atomic: an object is staged while its body arrives and becomes
 * visible in one step, with its conditions checked in that same step.
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
/* 0, 1 if it was there already, -1. ${synthetic} (copied; NULL: none) is
 * what the bucket holds besides what is put into it. */
int store_make_bucket(struct store *s, const char *name,
    const struct synthetic *synthetic, struct error *err);
void store_each_bucket(struct store *s,
    void (*each)(void *arg, const char *name, int64_t created_ms), void *arg);
const char *store_bucket_name(const struct bucket *b);

/* ---- one object ---- */

/* Room for a body of ${size} bytes, in memory or in a file; NULL: no room.
 * object_unref drops it, store_commit or store_add_part stores it. */
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

/* ---- the keys in order; between begin and end nothing changes ---- */

struct entry {
	const char *key; /* valid until the cursor moves */
	size_t key_len;
	int64_t size;
	int64_t mtime_ms;
	const char *etag;
	const char *storage_class;
	bool lasting; /* key stays valid until cursor_end */
};

struct cursor;

struct cursor *cursor_begin(struct store *s, struct bucket *b);
void cursor_end(struct cursor *c);
/* To the first key that is not less than ${key}. */
void cursor_seek(struct cursor *c, const char *key, size_t len);
/* False past the last key. */
bool cursor_entry(struct cursor *c, struct entry *entry);
void cursor_step(struct cursor *c);

/* ---- multipart uploads; they live in memory, their parts like objects ---- */

struct part {
	int number;
	struct object *object;
};

#define STORE_UPLOAD_ID_MAX 40

/* Writes the new upload's id. */
void store_begin_upload(struct store *s, struct bucket *b, const char *key,
    size_t key_len, const struct strbuf *headers,
    char id[STORE_UPLOAD_ID_MAX]);
/* Takes ${part} in every case. false: no such upload. */
bool store_add_part(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, int number, struct object *part);
bool store_abort_upload(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len);
/* The upload's parts by number, each with a reference; *headers (may be
 * NULL) gets what the object shall have. -1: no such upload. */
int store_parts(struct store *s, struct bucket *b, const char *id,
    const char *key, size_t key_len, struct part **parts,
    struct strbuf *headers);
void store_parts_release(struct part *parts, int count);
/* One staged object of all these parts; NULL: no room. */
struct object *store_join(struct store *s, const char *key, size_t key_len,
    const struct strbuf *headers, const struct part *parts, int count);
void store_each_upload(struct store *s, struct bucket *b,
    void (*each)(void *arg, const char *key, size_t key_len, const char *id,
	int64_t begun_ms), void *arg);

#endif
