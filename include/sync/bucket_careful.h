/* SPDX-License-Identifier: MIT */
/*
 * A bucket in which a write under a condition never replaces what it should
 * not, as far as the server lets it. Where the condition alone does not
 * protect (sync/capability.h), the key is listed just before the write, and
 * the write is not made where the listing says so; a condition that the
 * server rejects is left out. What remains is the time between the listing
 * and the server's last look: other writers are not seen then.
 *
 * It stands between the transfers and the bucket, because single PUTs and
 * completions of uploads in parts (copies and deletes, too) need the same,
 * and none of them needs to know: outcomes are those of a server that honours
 * every condition. It learns from answers, and tells ${capability}. And parts
 * go with their MD5 (part_digests) where the server is not known to look at
 * the SHA-256 that they are signed with.
 */
#ifndef SYNC_BUCKET_CAREFUL_H
#define SYNC_BUCKET_CAREFUL_H

#include "sync/bucket.h"
#include "sync/capability.h"

/* Takes ${bucket} over. ${capability} must outlive it, and may change between
 * writes. */
struct bucket *bucket_careful_new(struct bucket *bucket,
    struct capability *capability);

#endif
