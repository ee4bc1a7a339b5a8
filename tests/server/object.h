/* SPDX-License-Identifier: MIT */
/*
 * One stored object. In memory it is a single allocation: this struct, then
 * key, headers and body. What was uploaded in parts is made of them: as with S3
 * they are not copied. With a directory the body is in a file. It does not
 * change once it is stored; a new version is a new object, and whoever sends
 * the old one holds a reference.
 */
#ifndef SERVER_OBJECT_H
#define SERVER_OBJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBJECT_ETAG_MAX 48 /* incl. NUL: an MD5, '-', a number of parts */

struct object {
	atomic_uint refs;
	bool deleted; /* hides a synthetic key */
	uint32_t key_len;
	uint32_t headers_len;
	int64_t size;   /* bytes of the body */
	int64_t filled; /* of them received so far, while staged */
	int64_t mtime_ms;
	const char *etag; /* without quotes; see object_set_etag */
	char etag_room[OBJECT_ETAG_MAX];
	const char *storage_class; /* static */
	unsigned char *body;       /* NULL: in parts, or in a file */
	struct object **parts;     /* their bodies follow each other; owned */
	uint32_t part_count;
	int fd;                    /* that file while staged, else -1 */
	char *staged_path;         /* its name; owned */
	char bytes[];              /* key, headers (text.h pairs), body */
};

/* ${in_memory}: with room for ${size} bytes of body. One reference. */
struct object *object_new(const char *key, size_t key_len, const char *headers,
    size_t headers_len, int64_t size, bool in_memory);
/* One made of ${parts}, of which it takes references. */
struct object *object_join(const char *key, size_t key_len,
    const char *headers, size_t headers_len, struct object *const *parts,
    uint32_t count);
bool object_is_in_file(const struct object *o);
/* Bytes of a body that is in memory: how many follow each other there from
 * ${from} on, and where. */
size_t object_bytes(const struct object *o, int64_t from,
    const unsigned char **bytes);
struct object *object_ref(struct object *o);
void object_unref(struct object *o); /* NULL does nothing */

/* Copies ${etag}, which is seldom longer than OBJECT_ETAG_MAX. */
void object_set_etag(struct object *o, const char *etag);

static inline const char *object_key(const struct object *o)
{
	return o->bytes;
}

static inline const char *object_headers(const struct object *o)
{
	return o->bytes + o->key_len;
}

/* "STANDARD" and its like as a static string; NULL: there is no such class. */
const char *object_storage_class(const char *name);
/* Of a class that must be restored before it can be read. */
bool object_is_archived(const struct object *o);
/* x-amz-restore as S3 has it: 'ongoing-request="true"', or "false" and an
 * expiry-date; NULL: was never asked for. */
const char *object_restore(const struct object *o);
bool object_is_readable(const struct object *o);

#endif
