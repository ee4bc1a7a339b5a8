/* SPDX-License-Identifier: MIT */
/*
 * Rules for keys as paths. A key is a '/'-separated path relative to root and
 * prefix; identity is bytes, never normalised.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_KEY_MAX 1024    /* bytes of prefix + key: the limit of S3 */
#define PATH_NAME_MAX 255    /* bytes of one segment */
#define PATH_RESERVED ".s3sync" /* a segment of this name is ours: never synced */

enum path_verdict {
	PATH_OK,
	PATH_RESERVED_NAME,   /* has a segment ".s3sync": ignored, not reported */
	PATH_EMPTY,
	PATH_MARKER,          /* ends in '/': a directory marker */
	PATH_ABSOLUTE,        /* begins with '/' */
	PATH_EMPTY_SEGMENT,   /* a//b */
	PATH_DOT_SEGMENT,     /* a/./b or a/../b */
	PATH_SEGMENT_TOO_LONG,
	PATH_TOO_LONG,        /* prefix + key over PATH_KEY_MAX */
	PATH_NUL,
	PATH_NOT_UTF8,
};

/* May ${key} be a local path, and a key below a prefix of ${prefix_len}? */
enum path_verdict path_check(const char *key, size_t len, size_t prefix_len);
/* "a path must not contain '..'": a sentence for a report; never NULL. */
const char *path_verdict_text(enum path_verdict verdict);

bool path_is_utf8(const char *bytes, size_t len);
/* Bytes (1 to 4) of the UTF-8 character that ${bytes} begins with; 0 if none. */
size_t path_utf8_char(const char *bytes, size_t len);
/* memcmp order, shorter first: the order of S3 listings and of SQLite BLOBs. */
int path_compare(const char *a, size_t a_len, const char *b, size_t b_len);
/* Is ${key} ${dir} + "/" + something? All keys are below "", the root. */
bool path_is_below(const char *key, size_t len, const char *dir, size_t dir_len);
/* Bytes before the last '/', 0 if there is none. */
size_t path_parent_len(const char *key, size_t len);

/* For people: control characters (C0, DEL, C1) and bytes that are not UTF-8
 * as \xNN. malloc'ed. */
char *path_printable(const char *key, size_t len);

#endif
