/* SPDX-License-Identifier: MIT */
/*
 * The remote side of a pair, as an interface: the real one wraps s3/s3.h, a
 * simulator has its own. Requests and results are those of s3/s3.h and
 * s3/s3_multipart.h; keys here are relative to the pair's prefix, and the
 * bucket adds it.
 */
#ifndef SYNC_BUCKET_H
#define SYNC_BUCKET_H

#include "s3/s3.h"
#include "s3/s3_multipart.h"

struct bucket;

struct bucket_ops {
	/* prefix and start_after are relative; keys of the page still carry
	 * the pair's prefix, for the caller to check. */
	void (*list)(struct bucket *b, const struct s3_list *request);
	void (*get)(struct bucket *b, const struct s3_get *request);
	void (*put)(struct bucket *b, const struct s3_put *request);
	void (*delete)(struct bucket *b, const struct s3_delete *request);
	void (*copy)(struct bucket *b, const struct s3_copy *request);
	void (*create)(struct bucket *b,
	    const struct s3_multipart_create *request);
	void (*complete)(struct bucket *b,
	    const struct s3_multipart_complete *request);
	void (*abort)(struct bucket *b,
	    const struct s3_multipart_abort *request);
	void (*parts)(struct bucket *b,
	    const struct s3_multipart_parts *request);
	bool (*signs_payload)(const struct bucket *b);
	enum s3_digests (*part_digests)(const struct bucket *b);
	int (*wait)(struct bucket *b, int64_t timeout_ns, struct error *err);
	void (*wake)(struct bucket *b); /* from any thread */
	void (*abort_all)(struct bucket *b);
	const struct s3_usage *(*usage)(const struct bucket *b);
	void (*free)(struct bucket *b);
};

struct bucket {
	const struct bucket_ops *ops;
	const char *prefix; /* ends in '/' or is empty */
	size_t prefix_len;
};

/* Takes ${s3} over, which was opened with the pair's prefix. */
struct bucket *bucket_s3_new(struct s3 *s3);

#endif
