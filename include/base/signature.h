/* SPDX-License-Identifier: MIT */
/*
 * The signature: what one side shows for a key without its content being
 * read. Two equal signatures of one side mean "unchanged"; two different ones
 * mean "maybe changed". Times are never compared between sides.
 */
#ifndef BASE_SIGNATURE_H
#define BASE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct local_sig {
	int64_t size;     /* bytes */
	int64_t mtime_ns; /* since the epoch */
	int64_t ctime_ns;
	uint64_t ino;
};

#define ETAG_MAX 512 /* bytes; some servers send about 300 */

/*
 * An ETag without its quotes, opaque. 32 lower-case hex digits are kept as
 * their 16 bytes (${binary}): that is what the manifest stores, and it may be
 * an MD5. ${bytes} is borrowed or owned as the holder says.
 */
struct etag {
	const unsigned char *bytes;
	uint16_t len;
	bool binary;
};

struct remote_sig {
	int64_t size;     /* bytes */
	int64_t mtime_ms; /* LastModified, ms since the epoch; -1 unknown */
	struct etag etag; /* len 0: the server gives none */
};

#define SIGNATURE_MTIME_UNKNOWN INT64_C(-1)

bool signature_etag_equal(const struct etag *a, const struct etag *b);
/* Copies the bytes into ${room} (ETAG_MAX bytes), and borrows them there. */
void signature_etag_keep(struct etag *etag, unsigned char *room);
bool signature_local_equal(const struct local_sig *a, const struct local_sig *b);
/* ETag and size; LastModified counts only where there is no ETag. */
bool signature_remote_equal(const struct remote_sig *a,
    const struct remote_sig *b);

/* From what a server sent: quotes and W/ are dropped. Returns false (and an
 * empty ETag) past ETAG_MAX. ${room} (ETAG_MAX bytes) receives the bytes;
 * the ETag borrows them. */
bool signature_etag_parse(const char *text, size_t len, unsigned char *room,
    struct etag *etag);
/* The text form, as sent but without quotes; ${out} has ETAG_MAX + 1 bytes. */
void signature_etag_text(const struct etag *etag, char *out);
/* 32 hex digits, so possibly the MD5 of the content. */
bool signature_etag_may_be_md5(const struct etag *etag);

#endif
