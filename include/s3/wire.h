/* SPDX-License-Identifier: MIT */
/*
 * Requests as they go over the wire: URL, header lines and signature, made
 * anew for each attempt. Pure: the time comes in as an argument.
 */
#ifndef S3_WIRE_H
#define S3_WIRE_H

#include "base/clock.h"
#include "base/digest.h"
#include "base/signature.h"
#include "base/strbuf.h"
#include "s3/endpoint.h"
#include "s3/http.h"
#include "s3/s3_multipart.h"
#include "s3/s3.h"
#include "s3/sigv4.h"

struct wire_sender { /* who asks, and where; all borrowed */
	const struct endpoint *endpoint;
	const char *prefix;        /* before every key; NULL: none */
	struct sigv4 *signer;      /* NULL: nothing is signed */
	const char *session_token; /* NULL: none */
	const struct s3_properties *properties;
	bool content_md5; /* the server insists on it */
	bool restore_status; /* a LIST asks whether archives were restored */
};

#define WIRE_MTIME_MAX 40
#define WIRE_NUMBER_MAX 24
/* Metadata by which we know our own object: x-amz-meta- and this. */
#define WIRE_TOKEN "x-amz-meta-s3sync-token"

struct wire { /* one request's memory; may be used again and again */
	struct http_request request; /* what http_call_start wants */
	struct strbuf path, query, url, authorization, lines;
	struct sigv4_header headers[HTTP_HEADERS_MAX]; /* those signed */
	size_t header_count;
	char date[CLOCK_ISO_MAX];
	char payload[2 * 32 + 1];
	char etag[ETAG_MAX + 3];
	char mtime[WIRE_MTIME_MAX];
	char number[WIRE_NUMBER_MAX];
	char range[2 * WIRE_NUMBER_MAX];
	struct strbuf source; /* of a copy */
	char md5[DIGEST_BASE64_MAX];
	char checksum[DIGEST_BASE64_MAX];
};

void wire_init(struct wire *w);
void wire_release(struct wire *w);

/* Each fills ${w->request}, signed for the server's time ${wall_ns}. */
void wire_list(struct wire *w, const struct wire_sender *sender,
    const struct s3_list *list, int64_t wall_ns);
void wire_get(struct wire *w, const struct wire_sender *sender,
    const struct s3_get *get, int64_t wall_ns);
/* ${key} NULL: of the bucket. */
void wire_head(struct wire *w, const struct wire_sender *sender,
    const char *key, size_t key_len, int64_t wall_ns);
/* ${token} NULL: none. */
void wire_put(struct wire *w, const struct wire_sender *sender,
    const struct s3_put *put, const char *token, int64_t wall_ns);
void wire_delete(struct wire *w, const struct wire_sender *sender,
    const struct s3_delete *request, int64_t wall_ns);
/* ${bucket} is that of both keys. */
void wire_copy(struct wire *w, const struct wire_sender *sender,
    const struct s3_copy *copy, const char *bucket, int64_t wall_ns);

void wire_create(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_create *create, int64_t wall_ns);
/* ${body} is the document that names the parts. */
void wire_complete(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_complete *complete, const struct strbuf *body,
    int64_t wall_ns);
void wire_abort(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_abort *abort, int64_t wall_ns);
void wire_parts(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_parts *parts, int64_t wall_ns);
/* ${name}: the subresource of the bucket, "versioning". */
void wire_setting(struct wire *w, const struct wire_sender *sender,
    const char *name, int64_t wall_ns);

const char *wire_checksum_name(enum s3_checksum checksum);
/* "x-amz-checksum-crc32c"; ${checksum} is not NONE. */
const char *wire_checksum_header(enum s3_checksum checksum);
enum digest_kind wire_checksum_digest(enum s3_checksum checksum);

/* The text of x-amz-meta-mtime, as rclone writes it: seconds, and a fraction
 * without the zeros at its end. */
void wire_format_mtime(int64_t mtime_ns, char out[WIRE_MTIME_MAX]);
/* The same, and with a unit after it ("1595002920000000000ns": what FSx and
 * DataSync write). INT64_MIN: not a time. Digits past nanoseconds are dropped. */
int64_t wire_parse_mtime(const char *text);
/* The same of s3cmd's "atime:…/ctime:…/mtime:…/uid:…". */
int64_t wire_parse_s3cmd_mtime(const char *text);

#endif
