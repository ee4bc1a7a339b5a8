/* SPDX-License-Identifier: MIT */
/* INI files read with inih, with errors that name file and line. */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stdbool.h>

#include "base/error.h"

/* One KEY = VALUE. Return 0, or -1 with *err filled (without file:line: the
 * reader adds it). ${section} is "" before the first [section]. */
typedef int ini_key_fn(void *arg, const char *section, const char *key,
    const char *value, int line, struct error *err);
/* A [section] line, before its keys; same return. May be NULL. */
typedef int ini_section_fn(void *arg, const char *section, int line,
    struct error *err);

/*
 * Reads ${path} from top to bottom and stops at the first failure. A line
 * that is neither section, KEY = VALUE nor comment (';' or '#' at the line's
 * start), a line over 4096 bytes, and a key given twice in one section
 * (unless ${repeatable} says so; may be NULL) are errors of ERROR_CONFIG.
 * A " ;" inside a value is part of the value; a value never goes on in the
 * next line.
 */
int ini_read(const char *path, ini_section_fn *section, ini_key_fn *key,
    bool (*repeatable)(const char *key), void *arg, struct error *err);

#endif
