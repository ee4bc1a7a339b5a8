/* SPDX-License-Identifier: MIT */
/* A request's body as it arrives: to an object, to text, or to nowhere; and
 * whether it is what the headers promised. */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include <stddef.h>

#include "base/digest.h"
#include "request.h"

/* Stages r->staged for this key; 0, or -1 with an error answered. */
int body_to_object(struct request *r, const struct strbuf *headers);
/* "x-amz-checksum-…": kinds that are known; NULL: past the last. */
const char *body_checksum(size_t i);
/* The body becomes r->text. */
void body_to_text(struct request *r);
/* Call once all of that is decided. */
void body_begin(struct request *r);
void body_append(struct request *r, const void *bytes, size_t len);
/* The body is complete: does it have the checksums it was sent with? 0, or
 * -1 with an error answered. r->md5_sum is valid for what was staged. */
int body_verify(struct request *r);

#endif
