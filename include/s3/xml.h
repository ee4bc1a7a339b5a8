/* SPDX-License-Identifier: MIT */
/*
 * What S3 says in XML: pages of a listing, parsed as they arrive, and error
 * bodies, parsed for whatever they hold. Entities, document types, depth and
 * size beyond what S3 sends are refused.
 */
#ifndef S3_XML_H
#define S3_XML_H

#include <stddef.h>

#include "base/error.h"
#include "s3/s3.h"

/* What an error body said; texts are cut to fit, "" where absent. */
struct xml_error {
	char code[96];
	char message[256];
	char region[64];
	char request_id[128];
	char server_time[64];
	char header[64];     /* of ours that it minds: Header, ArgumentName */
	const char *foreign; /* "an HTML page": not S3's; else NULL */
};

/* Lenient: any bytes will do, an empty body too. */
void xml_error_parse(const char *body, size_t len, struct xml_error *error);

struct xml_page; /* a parser for one ListObjectsV2 reply */

struct xml_page *xml_page_new(void);
void xml_page_free(struct xml_page *p); /* NULL: nothing */

/* -1: it is not what it should be, and no more is wanted. */
int xml_page_feed(struct xml_page *p, const void *bytes, size_t len);

enum xml_verdict {
	XML_SOUND, /* a whole, well-formed page */
	XML_ERROR,  /* S3 changed its mind after "200 OK": an <Error> */
	XML_BROKEN, /* cut short, malformed, or not S3; *err says why */
};

/* After the last byte. ${page} is the caller's where XML_SOUND, else NULL. */
enum xml_verdict xml_page_end(struct xml_page *p, struct s3_page **page,
    struct xml_error *error, struct error *err);

#endif
