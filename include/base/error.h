/* SPDX-License-Identifier: MIT */
/*
 * What went wrong, told once. A function that can fail returns 0 or -1 and
 * fills its last argument where the failure is found; callers add a prefix on
 * the way up; report or main prints it. Expected outcomes are results, not
 * errors. An ${err} argument is never NULL.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

enum error_kind {
	ERROR_NONE,
	ERROR_USAGE,       /* command line: exit 2 */
	ERROR_CONFIG,      /* configuration file or value: exit 2 */
	ERROR_ROOT,        /* the local root as a whole: exit 3 */
	ERROR_MANIFEST,    /* the manifest as a whole: exit 3 */
	ERROR_CREDENTIALS, /* none, or refused by the server: exit 3 */
	ERROR_BUCKET,      /* bucket or listing refused or not to be believed: 3 */
	ERROR_NETWORK,     /* no (usable) answer after all retries */
	ERROR_LOCAL,       /* one local file: unreadable, vanished, I/O error */
	ERROR_NO_SPACE,    /* no file can be made: full, read-only, broken, denied */
	ERROR_CHANGED,     /* a file or object is not what was seen before */
	ERROR_EXISTS,      /* a target is there already; it was not touched */
	ERROR_BLOCKED,     /* a name or type that cannot exist on this side */
	ERROR_DENIED,      /* the server refuses this one key */
	ERROR_REMOTE,      /* any other answer of the server about one key */
	ERROR_INTEGRITY,   /* bytes are not what the ETag or the size promised */
	ERROR_STOPPED,     /* asked to stop (signal) */
};

struct error {
	enum error_kind kind;
	int sys;         /* errno where the system said no, else 0 */
	char text[2560]; /* one line, no newline, no secret */
};

#define ERROR_INIT { .kind = ERROR_NONE }

/* Each returns -1, so that callers write `return error_set(...)`. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends ": " and the system's text for ${sys}. ENOSPC, EDQUOT and EROFS
 * turn ERROR_LOCAL into ERROR_NO_SPACE. */
int error_sys(struct error *err, enum error_kind kind, int sys,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " before the text that is there. */
int error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void error_clear(struct error *err);
const char *error_kind_name(enum error_kind kind); /* "network", for JSON */
int error_exit_status(enum error_kind kind);       /* design: 1, 2 or 3 */

#endif
