/* SPDX-License-Identifier: MIT */
/*
 * Media types by the extension of a name, from the table that a system keeps
 * for its web servers (mime.types, as in Debian's media-types), which the AWS
 * tools read, too: a file gets the same type from them. Read only, so any
 * thread, once it is filled.
 */
#ifndef BASE_MIME_H
#define BASE_MIME_H

#include <stddef.h>

#include "base/error.h"

#define MIME_UNKNOWN "application/octet-stream"

struct mime;

/* The types that everybody knows, so that something is known everywhere. */
struct mime *mime_new(void);
/* Adds ${path}: "TYPE EXTENSION..." lines, '#' begins a comment; they win over
 * what is known by then. 0, or -1 where the file cannot be read. */
int mime_read_file(struct mime *m, const char *path, struct error *err);
/* mime_new, then /etc/mime.types and ~/.mime.types, where they are. */
struct mime *mime_load(void);
void mime_free(struct mime *m); /* NULL: nothing */

/* The type of a path: by its last name's longest extension that is known, in
 * any case of letters; else MIME_UNKNOWN. Borrowed. O(log n). */
const char *mime_find(const struct mime *m, const char *path, size_t len);

#endif
