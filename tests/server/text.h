/* SPDX-License-Identifier: MIT */
/* Text forms that the server needs: percent-encoding, XML, dates, pairs. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum text_style {
	TEXT_URI,     /* all but A-Za-z0-9-._~ as %XX: SigV4's query */
	TEXT_PATH,    /* the same, but '/' stays: SigV4's path */
	TEXT_LISTING, /* encoding-type=url as AWS does it: ' ' is '+' */
};

void text_escape(struct strbuf *out, enum text_style style, const char *bytes,
    size_t len);
/* Decodes %XX (and '+' if ${plus}) in place; returns the new length. A '%'
 * that begins no %XX stays as it is. The result is NUL-terminated. */
size_t text_unescape(char *text, size_t len, bool plus);
/* Element content: the five entities, and controls as &#xN;. */
void text_xml(struct strbuf *out, const char *bytes, size_t len);

#define TEXT_DATE_MAX 40
/* "Sun, 22 Nov 2026 16:38:01 GMT" */
void text_http_date(int64_t wall_ns, char out[TEXT_DATE_MAX]);

/* Decimal digits only, up to ${max}; -1 for anything else. */
int64_t text_number(const char *text, int64_t max);
bool text_begins(const char *text, const char *start);

/*
 * A list of name and value, packed "name\0value\0...": the headers of a reply,
 * and those stored with an object.
 */
void text_pair(struct strbuf *pairs, const char *name, const char *value);
/* The next pair from *at, or NULL at the end; *value is set. */
const char *text_next_pair(const char *pairs, size_t len, size_t *at,
    const char **value);
/* The value of ${name} (any case), NULL if there is none. */
const char *text_pair_value(const char *pairs, size_t len, const char *name);

#endif
