/* SPDX-License-Identifier: MIT */
/*
 * Generated keys: millions of them, in strict byte order, that cost no
 * memory. Key i is
 *
 *     dDDDD/sSSSS/file_IIIIIIIII_HHH...H.EXT
 *
 * with DDDD = i / 10000, SSSS = i / 100 % 100, IIIIIIIII = i, and as many
 * hex digits H (splitmix64 of i, repeated) as fill the key's length. All keys
 * of one set have the same content: SIZE bytes of "s3testd\n", repeated.
 */
#ifndef SERVER_SYNTHETIC_H
#define SERVER_SYNTHETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SYNTHETIC_KEY_MAX 1024
#define SYNTHETIC_COUNT_MAX INT64_C(100000000)
#define SYNTHETIC_MTIME_MS INT64_C(1767225600000) /* 2026-01-01 */

struct synthetic {
	int64_t count;
	size_t key_len;
	int64_t size; /* bytes of each object */
	char etag[33];
	unsigned char *bytes; /* the content that all share */
};

/* "COUNT[:KEYLEN[:SIZE]]"; 66-byte keys of 0 bytes unless told. */
int synthetic_parse(const char *spec, struct synthetic *s, struct error *err);
void synthetic_release(struct synthetic *s);

/* Writes key ${i}, s->key_len bytes and a NUL. */
void synthetic_key(const struct synthetic *s, int64_t i,
    char out[SYNTHETIC_KEY_MAX + 1]);
/* The first i whose key is not less than ${key}; s->count past the last. */
int64_t synthetic_seek(const struct synthetic *s, const char *key, size_t len);
/* The i of exactly this key, or -1. */
int64_t synthetic_find(const struct synthetic *s, const char *key, size_t len);

/* "KEY<tab>SIZE" for each key, on standard output. */
void synthetic_print(const struct synthetic *s);
/* The same keys as files below ${dir}. */
int synthetic_make_tree(const struct synthetic *s, const char *dir,
    struct error *err);

#endif
