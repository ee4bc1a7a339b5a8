/* SPDX-License-Identifier: MIT */
/*
 * The ETag that AWS, and servers like it, give an object that was uploaded in
 * parts: the MD5 of its parts' MD5s, '-' and their number. Who knows the size
 * of the parts can compute it. That it is equal proves the content; that it is
 * not proves nothing, for other servers make up what they like. Pure.
 */
#ifndef S3_ETAG_H
#define S3_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/signature.h"

#define S3_ETAG_TEXT_MAX (2 * DIGEST_MD5_SIZE + 1 + 10 + 1) /* incl. NUL */
#define S3_ETAG_SIZES_MAX 24

struct s3_etag; /* bytes in order, cut into parts of one size */

struct s3_etag *s3_etag_new(int64_t part_size); /* at least 1 */
void s3_etag_free(struct s3_etag *e);           /* NULL: nothing */
void s3_etag_reset(struct s3_etag *e);
void s3_etag_add(struct s3_etag *e, const void *bytes, size_t len);
/* "9b2cf535f27731c974343645a3985328-3"; reset it before it is used again. */
void s3_etag_end(struct s3_etag *e, char text[S3_ETAG_TEXT_MAX]);

/* The same of parts that were hashed by themselves: ${count} times 16 bytes. */
void s3_etag_join(const unsigned char *md5s, int count,
    char text[S3_ETAG_TEXT_MAX]);

/* N of "HEX-N", the number of parts; 0: an ETag of another form. */
int s3_etag_parts(const struct etag *etag);
bool s3_etag_equal(const struct etag *etag, const char *text);

/*
 * Which sizes may the ${parts} parts of ${size} bytes have? First ${own} (0:
 * none), then what others use: aws, rclone, s5cmd, s3cmd, minio and their
 * like. Returns how many, of which none is another's equal; each makes as many
 * parts.
 */
size_t s3_etag_sizes(int64_t size, int parts, int64_t own,
    int64_t out[S3_ETAG_SIZES_MAX]);

#endif
