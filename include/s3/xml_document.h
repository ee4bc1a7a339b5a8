/* SPDX-License-Identifier: MIT */
/*
 * What S3 says in small XML documents: a root, its texts, and rows of texts.
 * The ${name} of a text may be a path, "Filter/Prefix".
 * Document types, entities, depth and size beyond what S3 sends are refused.
 */
#ifndef S3_XML_DOCUMENT_H
#define S3_XML_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "s3/xml.h"

struct xml_document;

/* From a whole body. XML_SOUND: its root is called ${root}, and ${document} is
 * the caller's; else it is NULL, and *error or *err say what came instead. */
enum xml_verdict xml_document_parse(struct xml_document **document,
    const char *root, const char *body, size_t len, struct xml_error *error,
    struct error *err);
void xml_document_free(struct xml_document *d); /* NULL: nothing */

/* The text of the root's child ${name}; "" if there is none. All texts are
 * borrowed until the document is freed. */
const char *xml_document_text(struct xml_document *d, const char *name);
/* Steps to the root's next child called ${name}: false at the end. */
bool xml_document_next(struct xml_document *d, const char *name);
/* The text of that child's child ${name}; "" if there is none. */
const char *xml_document_field(struct xml_document *d, const char *name);
/* Has that child such a child, be it empty? */
bool xml_document_has(struct xml_document *d, const char *name);
/* The root's child ${name} takes the root's place; false: there is none. */
bool xml_document_enter(struct xml_document *d, const char *name);

#endif
