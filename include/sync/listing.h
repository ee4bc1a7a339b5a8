/* SPDX-License-Identifier: MIT */
/*
 * The remote stream: every object below the prefix, in key order, page after
 * page, the next one under way while this one is read. A listing that breaks
 * its own rules is never believed: it fails as a whole (facts of the
 * protocol: AWS API reference, ListObjectsV2).
 */
#ifndef SYNC_LISTING_H
#define SYNC_LISTING_H

#include "base/error.h"
#include "sync/bucket.h"

struct listing;

enum listing_step {
	LISTING_OBJECT,
	LISTING_END,    /* complete: what was not listed is absent */
	LISTING_WAIT,   /* bucket->ops->wait, then ask again */
	LISTING_FAILED, /* refused, unreachable, or not to be believed */
};

struct listing *listing_start(struct bucket *bucket);
/* ${out->key} is relative to the prefix, and like the ETag borrowed until the
 * next call. */
enum listing_step listing_next(struct listing *l, struct s3_object *out,
    struct error *err);
void listing_free(struct listing *l); /* any time; NULL: nothing */

#endif
