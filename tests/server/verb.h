/* SPDX-License-Identifier: MIT */
/* GET, HEAD, PUT and DELETE of one object. */
#ifndef SERVER_VERB_H
#define SERVER_VERB_H

#include "base/strbuf.h"
#include "store.h"

struct request;

int verb_put_begin(struct request *r);
void verb_put(struct request *r);
void verb_get(struct request *r); /* and HEAD */
void verb_delete(struct request *r);

/* What PUT has in common with multipart uploads. */

/* The key and Content-Length are acceptable: 0, or -1 and an error. */
int verb_check_upload(struct request *r);
/* The request's headers that are kept with an object. 0, or -1 and an error. */
int verb_stored_headers(struct request *r, struct strbuf *headers);
/* A bucket with object lock wants a checksum: 0, or -1 and an error. */
int verb_check_lock(struct request *r);
/* If-Match and If-None-Match of a write; 0, or -1 and an error. */
int verb_write_condition(struct request *r, struct condition *condition);
/* Stores r->staged under ${etag}; 0, or -1 and an error. */
int verb_store(struct request *r, const char *etag,
    const struct condition *condition);
/* The reply's ETag header, as the fault wants it. */
void verb_reply_etag(struct request *r, const char *etag);
/* And the checksum that the body came with, if it was checked. */
void verb_reply_checksum(struct request *r);

#endif
