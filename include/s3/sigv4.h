/* SPDX-License-Identifier: MIT */
/*
 * AWS Signature Version 4 as S3 wants it: nothing is normalised, everything
 * is encoded once. Pure: the time comes in as an argument.
 */
#ifndef S3_SIGV4_H
#define S3_SIGV4_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "s3/credentials.h"

/* The x-amz-content-sha256 of a body that is not part of the signature. */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
/* The SHA-256 of no bytes. */
#define SIGV4_EMPTY                                                            \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SIGV4_HEADERS_MAX 32

struct sigv4_header {
	const char *name; /* in lower case */
	const char *value;
};

struct sigv4_request {
	const char *method;
	const char *path;    /* encoded, exactly as on the wire */
	const char *query;   /* encoded and sorted, exactly as on the wire */
	const struct sigv4_header *headers; /* those to sign, in any order */
	size_t header_count; /* at most SIGV4_HEADERS_MAX */
	const char *payload; /* hex SHA-256 of the body, or SIGV4_UNSIGNED */
};

struct sigv4; /* one signer: keeps the day's signing key */

/* Everything is copied; the secret is wiped by sigv4_free. */
struct sigv4 *sigv4_new(const struct s3_credentials *credentials,
    const char *region, const char *service);
void sigv4_free(struct sigv4 *s);

/*
 * Appends the value of the Authorization header to ${out}. ${date} is the
 * value of x-amz-date ("20130524T000000Z"), which belongs among the headers,
 * as do host, x-amz-content-sha256 and x-amz-security-token.
 */
void sigv4_sign(struct sigv4 *s, const struct sigv4_request *r,
    const char *date, struct strbuf *out);

/* The text whose hash is signed; for tests, and for a server that verifies. */
void sigv4_canonical(const struct sigv4_request *r, struct strbuf *out);

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~, and '/' where ${path}. */
void sigv4_encode(struct strbuf *out, const void *bytes, size_t len, bool path);

#endif
