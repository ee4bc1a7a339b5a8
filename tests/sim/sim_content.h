/* SPDX-License-Identifier: MIT */
/*
 * Contents, and the memory of which contents were ever whole at which key.
 * No two contents are alike, so a mixture of two is none of them.
 */
#ifndef SIM_CONTENT_H
#define SIM_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/signature.h"

struct sim_content {
	int refs;
	bool partial; /* a writer is still at it: nobody may pass it on */
	int64_t size;
	unsigned char md5[DIGEST_MD5_SIZE];
	unsigned char bytes[];
};

/* ${id} makes it unlike all others (but for those of no bytes). */
struct sim_content *sim_content_new(uint64_t id, int64_t size);
struct sim_content *sim_content_copy(const void *bytes, int64_t size);
/* The first part of ${whole}: what a slow writer has written so far. */
struct sim_content *sim_content_partial(const struct sim_content *whole);
struct sim_content *sim_content_ref(struct sim_content *c);
void sim_content_unref(struct sim_content *c); /* NULL: nothing */

/* What was to be seen at a key, with the signature that it showed. */
struct sim_sighting {
	char *key;
	size_t key_len;
	struct local_sig local; /* of a tree */
	unsigned char etag[ETAG_MAX];
	struct remote_sig remote; /* of a bucket; its etag is in ${etag} */
	struct sim_content *content;
};
struct sim_history {
	struct sim_sighting *items;
	size_t count, room;
};

void sim_history_add_local(struct sim_history *h, const char *key, size_t len,
    const struct local_sig *sig, struct sim_content *content);
void sim_history_add_remote(struct sim_history *h, const char *key, size_t len,
    const struct remote_sig *sig, struct sim_content *content);
/* The content that ${key} had when it showed this signature; NULL: never. */
const struct sim_content *sim_history_local(const struct sim_history *h,
    const char *key, size_t len, const struct local_sig *sig);
const struct sim_content *sim_history_remote(const struct sim_history *h,
    const char *key, size_t len, const struct remote_sig *sig);
/* Was this ever the whole content of ${key}? */
bool sim_history_whole(const struct sim_history *h, const char *key, size_t len,
    const unsigned char md5[DIGEST_MD5_SIZE], int64_t size);
void sim_history_release(struct sim_history *h);

#endif
