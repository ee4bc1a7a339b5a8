/* SPDX-License-Identifier: MIT */
/* What a handler answers: a status, headers, and a body in r->body or
 * r->object. The error codes of S3. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

struct request;

void reply_header(struct request *r, const char *name, const char *value);
void reply_headerf(struct request *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Begins an XML answer; its text goes into r->body. */
void reply_xml(struct request *r, unsigned status);
void reply_text(struct request *r, unsigned status, const char *type);
/* The S3 error ${code} with its status and message; returns -1. ${extra}:
 * further elements, or NULL. */
int reply_error(struct request *r, const char *code, const char *extra);
/* The same with another status and message. */
int reply_error_as(struct request *r, unsigned status, const char *code,
    const char *message, const char *extra);
/* Forgets what was answered so far. */
void reply_clear(struct request *r);

#endif
