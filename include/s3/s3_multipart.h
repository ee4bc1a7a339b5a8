/* SPDX-License-Identifier: MIT */
/*
 * Multipart uploads: an object that is sent in parts, in any order, by as many
 * processes and over as many days as it takes, and that exists as a whole once
 * it is completed. Parts are sent with s3_put. Requests are those of s3/s3.h:
 * asynchronous, signed, retried; all that is passed in must live until done.
 *
 * Limits (AWS): parts of 5 MiB to 5 GiB, the last one may be smaller; numbers
 * 1 to 10,000. Some servers want all but the last to be of one size.
 */
#ifndef S3_S3_MULTIPART_H
#define S3_S3_MULTIPART_H

#include "s3/s3.h"

#define S3_MULTIPART_TOKEN_SIZE 33 /* 32 hex digits and a NUL */

/* A new token: goes into the object's metadata, and tells our own object from
 * another's when the reply to a completion was lost. */
void s3_multipart_token(char token[S3_MULTIPART_TOKEN_SIZE]);

struct s3_multipart_create {
	const char *key;
	size_t key_len;
	const char *token;
	int64_t mtime_ns;      /* sent as x-amz-meta-mtime; INT64_MIN: not */
	/* ${upload_id} is borrowed; NULL unless S3_DONE. */
	void (*done)(void *arg, const struct s3_result *result,
	    const char *upload_id);
	void *arg;
};
void s3_multipart_create(struct s3 *s3,
    const struct s3_multipart_create *request);

struct s3_part {
	int number;
	int64_t size;          /* bytes; not needed to complete */
	struct etag etag;      /* as the server named it */
	const unsigned char *checksum; /* to complete: of the kind of the
	                        * bucket's properties; NULL: none was sent */
};

struct s3_multipart_complete {
	const char *key;
	size_t key_len;
	const char *upload_id;
	const char *token;     /* as created with */
	const struct s3_part *parts; /* in order */
	size_t count;
	const struct etag *if_match; /* replace exactly this; NULL: */
	bool if_none_match;          /* only where nothing is */
	/* S3_ABSENT: there is no such upload (any more), nor its object.
	 * result->etag is the object's. */
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
void s3_multipart_complete(struct s3 *s3,
    const struct s3_multipart_complete *request);

struct s3_multipart_abort {
	const char *key;
	size_t key_len;
	const char *upload_id;
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
void s3_multipart_abort(struct s3 *s3,
    const struct s3_multipart_abort *request);

struct s3_multipart_parts {
	const char *key;
	size_t key_len;
	const char *upload_id;
	int after;             /* parts of higher numbers; 0: all */
	/* At most 1000 parts, borrowed; none unless S3_DONE. ${next}: where to
	 * go on, 0 at the end. */
	void (*done)(void *arg, const struct s3_result *result,
	    const struct s3_part *parts, size_t count, int next);
	void *arg;
};
void s3_multipart_parts(struct s3 *s3,
    const struct s3_multipart_parts *request);

#endif
