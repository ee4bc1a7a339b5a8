/* SPDX-License-Identifier: MIT */
/*
 * One bucket: asynchronous requests over one libcurl multi handle, signed,
 * retried and answered. Nothing here knows of syncing. All calls and all
 * callbacks belong to one thread; only s3_wake may come from others.
 *
 * Callbacks run inside s3_wait (and s3_free) only; done runs exactly once for
 * each request. A callback may submit requests and call s3_abort_all, but
 * neither s3_wait nor s3_free.
 *
 * Keys are bytes, not NUL-terminated, relative to the prefix that the bucket
 * was opened with, and percent-encoded here, once.
 */
#ifndef S3_S3_H
#define S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/env.h"
#include "base/error.h"
#include "base/signature.h"
#include "s3/credentials.h"
#include "s3/keyring.h"

struct mime;
struct s3;

enum s3_addressing { S3_ADDRESSING_AUTO, S3_ADDRESSING_PATH,
	S3_ADDRESSING_VIRTUAL };
/* Is the payload's SHA-256 part of the signature? AUTO: over http yes; over
 * https TLS protects the bytes, so only where it is what the server checks
 * them with (s3_part_digests). NONE: no request is signed at all, as public
 * buckets allow. */
enum s3_signing { S3_SIGNING_AUTO, S3_SIGNING_PAYLOAD, S3_SIGNING_HEADERS,
	S3_SIGNING_NONE };

/* What S3 may check contents with besides MD5. */
enum s3_checksum { S3_CHECKSUM_NONE, S3_CHECKSUM_CRC32C, S3_CHECKSUM_SHA256,
	S3_CHECKSUM_CRC64NVME, S3_CHECKSUM_COUNT };
enum digest_kind s3_checksum_digest(enum s3_checksum checksum); /* not NONE */
/* S3's name: "CRC32C"; "" for NONE. */
const char *s3_checksum_name(enum s3_checksum checksum);

/* What all objects of a bucket are written with. NULL: the server decides.
 * Texts are borrowed until s3_free. */
struct s3_properties {
	const char *storage_class;
	const char *sse;            /* x-amz-server-side-encryption */
	const char *sse_kms_key_id;
	const char *acl;            /* a canned one */
	const char *content_type;   /* of every object; NULL: by its key, … */
	const struct mime *mime;    /* … with this table; NULL: not at all */
	enum s3_checksum checksum;  /* s3_put.checksum is of this kind; and the
	                             * checksums of objects are asked for */
	bool requester_pays;
};

struct s3_options {
	/* Who asks: for good, or for as long as they are good; neither where
	 * nothing is signed. */
	const struct s3_credentials *credentials; /* copied */
	struct keyring *keyring;  /* outlives the s3 */
	const char *endpoint_url; /* NULL: AWS, by region */
	const char *region;       /* NULL: us-east-1, until a reply tells */
	const char *bucket;       /* or the ARN of an access point */
	const char *prefix;       /* before every key; NULL: none; copied */
	enum s3_addressing addressing;
	bool dualstack, fips, accelerate; /* AWS's endpoints of these kinds */
	enum s3_signing signing;
	struct s3_properties properties;
	const char *ca_bundle;    /* NULL: the system's */
	const struct env *env;    /* that may name a proxy; used by s3_new;
	                           * NULL: the process's alone */
	/* Requests under way; more wait in order. One that waits for its next
	 * attempt counts. A server that asks for it gets fewer at once. */
	size_t in_flight;
	/* Per request, the first included; where the server only asks for
	 * fewer requests, twice as many retries. */
	int attempts;
	int64_t idle_timeout_ns;  /* no byte moved for so long: try again */
	/* A server that has served and then serves nobody is waited for so
	 * long, whatever the attempts; see s3/quota.h. 0: it is not. */
	int64_t patience_ns;
	int64_t limit_up, limit_down; /* bytes of bodies a second, all requests
	                               * together; 0: none */
};

int s3_new(struct s3 **s3, const struct s3_options *options, struct error *err);
/* Ends what is in flight with S3_ABORTED, then frees. NULL: nothing. */
void s3_free(struct s3 *s3);

/* "http://127.0.0.1:9000" or "https://s3.eu-west-1.amazonaws.com": the
 * bucket's home without bucket and key, for identity and messages. */
const char *s3_endpoint(const struct s3 *s3);
const char *s3_prefix(const struct s3 *s3); /* never NULL */
/* The server's time minus this machine's, where they differ by a minute or
 * more; else 0. What was learned once spares the next s3_new a request that is
 * refused: s3_clock_assume_ns is called before the first request. */
int64_t s3_clock_offset_ns(const struct s3 *s3);
void s3_clock_assume_ns(struct s3 *s3, int64_t offset_ns);
/* The same to a second, of the last reply: false if none said a time yet. */
bool s3_clock_told_ns(const struct s3 *s3, int64_t *offset_ns);
/*
 * Where the bucket is, as far as is known by now: what was asked for, until a
 * reply says otherwise. Then all requests go on in that region, once: a server
 * that contradicts itself is not followed.
 */
const char *s3_region(const struct s3 *s3);
/* Begins where an earlier s3_region() said; before the first request. What
 * cannot be a region is ignored. */
void s3_begin_in(struct s3 *s3, const char *region);
/* Must s3_put be given the payload's SHA-256? */
bool s3_signs_payload(const struct s3 *s3);
/* What the server shall check a part with, the fewest that do (a checksum of
 * the bucket's properties comes besides). May change: a server can insist on
 * the MD5. */
enum s3_digests { S3_DIGESTS_NONE = 0, S3_DIGESTS_SHA256 = 1,
	S3_DIGESTS_MD5 = 2, S3_DIGESTS_BOTH = 3 };
enum s3_digests s3_part_digests(const struct s3 *s3);

/* How a request ended. All but S3_DONE come with an error text. */
enum s3_outcome {
	S3_DONE,
	S3_EXISTS,   /* PUT If-None-Match: the key is there (412), or another
	              * writer is at it (409 after retries) */
	S3_CHANGED,  /* If-Match: the object is another one now (412) */
	S3_ABSENT,   /* NoSuchKey, NoSuchUpload */
	S3_ARCHIVED, /* InvalidObjectState: must be restored first */
	S3_DENIED,   /* AccessDenied for this request */
	S3_REJECTED, /* the server cannot write under this condition; without it
	              * it could. Nothing was written */
	S3_REFUSED,  /* no other request can succeed either: NoSuchBucket, wrong
	              * or expired credentials, SignatureDoesNotMatch, … */
	S3_FAILED,   /* no usable answer after all attempts; any other error */
	S3_ABORTED,  /* a callback said stop, or s3_abort_all */
};

/* What a checksum of the reply says of what was sent. */
enum s3_receipt { S3_RECEIPT_NONE, S3_RECEIPT_SAME, S3_RECEIPT_DIFFERS };

struct s3_result {
	enum s3_outcome outcome;
	struct error error;      /* names no key: the caller does */
	int http_status;         /* 0: no answer */
	int attempts;            /* made */
	struct etag etag;        /* of the object or part written; borrowed.
	                          * Of a copy: len 0 if the server is silent */
	bool etag_not_md5;       /* the reply says so (KMS, SSE-C) */
	enum s3_receipt receipt; /* PUT */
};

struct s3_object {
	const char *key;         /* in the page's memory */
	size_t key_len;
	struct remote_sig sig;   /* etag bytes in the page's memory */
	bool archived;           /* GLACIER or DEEP_ARCHIVE, and no copy that
	                          * was restored */
	bool restoring;          /* one is on its way */
};

/* One page of a listing, as the server said it: keys with their prefix, and
 * nothing is checked across pages here. Within the page every field was well-formed. */
struct s3_page {
	struct s3_object *objects;
	size_t count;
	bool truncated;
	bool url_encoded;        /* keys came as encoding-type=url asks */
	bool has_archived;       /* objects of such a class, restored or not */
	char *token;             /* NULL: none */
	void *memory;            /* of the strings; opaque */
};
void s3_page_free(struct s3_page *page);

struct s3_list {
	const char *prefix;      /* relative; must live until done is called */
	size_t prefix_len;
	const char *start_after; /* NULL: from the beginning */
	size_t start_after_len;
	const char *token;       /* NULL: first page */
	int max_keys;            /* 0: 1000 */
	/* ${page} is the callee's to free; NULL unless S3_DONE. */
	void (*done)(void *arg, const struct s3_result *result,
	    struct s3_page *page);
	void *arg;
};
void s3_list(struct s3 *s3, const struct s3_list *request);

struct s3_head { /* of a GET's reply */
	int64_t size;      /* of the object */
	int64_t offset;    /* of the first byte that comes: as asked, or 0
	                    * where the server gives no ranges */
	int64_t length;    /* bytes that come: Content-Length */
	int64_t mtime_ms;  /* Last-Modified; -1 none */
	int64_t meta_mtime_ns; /* x-amz-meta-mtime, as rclone writes it, or
	                        * what others write; INT64_MIN none */
	struct etag etag;  /* borrowed during the call */
	bool etag_not_md5;
	enum s3_checksum checksum; /* told of the whole content, or NONE */
	unsigned char checksum_bytes[DIGEST_MAX];
};

struct s3_get {
	const char *key;   /* key and etag must live until done is called */
	size_t key_len;
	const struct etag *if_match; /* NULL or empty: any */
	int64_t offset, length;      /* a range of it; length 0: all of it */
	/* A good reply begins: once for each attempt, so it starts over. */
	int (*begin)(void *arg, const struct s3_head *head, struct error *err);
	int (*data)(void *arg, const void *bytes, size_t len,
	    struct error *err);
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
/* S3_DONE means that exactly Content-Length bytes were handed over. */
void s3_get(struct s3 *s3, const struct s3_get *request);

struct s3_put {
	const char *key;   /* must live until done is called */
	size_t key_len;
	int64_t size;
	const unsigned char *sha256; /* 32 bytes; NULL: UNSIGNED-PAYLOAD */
	/* The content's 16 bytes of MD5; NULL: unknown. The server checks it
	 * where nothing else tells it what to expect, or where it insists. */
	const unsigned char *md5;
	const unsigned char *checksum; /* for the server to check; NULL: none */
	bool is_trial; /* does the server refuse a body that is not the announced
	                * one? Then it is not sent again */
	/* A conditional PUT carries a token of its own, so that when a reply was
	 * lost and the next attempt finds the key taken, one HEAD tells whether
	 * it is by us. */
	const struct etag *if_match; /* replace exactly this; NULL: */
	bool if_none_match;          /* only where nothing is */
	/* A part (1 … 10000) of an upload of s3/s3_multipart.h, which knows no
	 * conditions and no mtime; upload_id NULL: an object. */
	const char *upload_id;
	int part_number;
	int64_t mtime_ns;  /* sent as x-amz-meta-mtime; INT64_MIN: not */
	/* Bytes at ${offset}; every attempt starts at 0 again. Returns how
	 * many, at least 1; -1 with *err ends the request with S3_ABORTED,
	 * and the server never sees the whole body. */
	ssize_t (*read)(void *arg, int64_t offset, void *buf, size_t len,
	    struct error *err);
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
void s3_put(struct s3 *s3, const struct s3_put *request);

struct s3_delete {
	const char *key;   /* key and etag must live until done is called */
	size_t key_len;
	const struct etag *if_match; /* NULL: whatever is there */
	/* S3_DONE also where nothing was: S3 does not tell. */
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
void s3_delete(struct s3 *s3, const struct s3_delete *request);

/* Within the bucket, by the server: contents of up to 5 GiB, metadata too. */
struct s3_copy {
	const char *from;  /* keys and etag must live until done is called */
	size_t from_len;
	const char *key;
	size_t key_len;
	const struct etag *if_match; /* replace exactly this; NULL: */
	bool if_none_match;          /* only where nothing is */
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;
};
void s3_copy(struct s3 *s3, const struct s3_copy *request);

/* Moves everything on; returns when a callback ran, s3_wake was called or
 * ${timeout_ns} has passed. 0, or -1 where libcurl itself failed. */
int s3_wait(struct s3 *s3, int64_t timeout_ns, struct error *err);
void s3_wake(struct s3 *s3); /* from any thread */
/* What was submitted so far ends with S3_ABORTED, in the next s3_wait. */
void s3_abort_all(struct s3 *s3);

enum s3_kind {
	S3_KIND_LIST, S3_KIND_GET, S3_KIND_HEAD, S3_KIND_PUT, S3_KIND_DELETE,
	S3_KIND_COPY, S3_KIND_CREATE_UPLOAD, S3_KIND_UPLOAD_PART,
	S3_KIND_COMPLETE_UPLOAD, S3_KIND_ABORT_UPLOAD, S3_KIND_LIST_PARTS,
	S3_KIND_HEAD_BUCKET, /* only where no reply names the region */
	S3_KIND_SETTING,     /* s3/s3_setting.h */
	S3_KIND_COUNT
};
struct s3_usage {
	int64_t requests[S3_KIND_COUNT]; /* attempts included */
	int64_t retries;
	int64_t narrowed, widened; /* how often the server asked for fewer
	                            * requests at once, and got one more again */
	int64_t bytes_in;  /* of attempts that ended, heads and bodies */
	int64_t bytes_out;
};
const struct s3_usage *s3_usage(const struct s3 *s3);

#endif
