/* SPDX-License-Identifier: MIT */
/* Sizes and durations as people read them. */
#ifndef BASE_HUMAN_H
#define BASE_HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 32 /* bytes incl. NUL that any text form needs */

/* "0 B", "999 B", "1.2 KiB", "345 MiB": three digits. Returns ${out}. */
const char *human_bytes(int64_t bytes, char out[HUMAN_MAX]);
/* "500", "64K", "1.5M", "10 MiB", "2GiB": the same units, K being 1024 bytes,
 * case and "iB" as you like. 0 and *bytes, or -1. */
int human_parse_bytes(const char *text, int64_t *bytes);
/* "0:07", "12:34", "1:02:03", "2d 03:04". Returns ${out}. */
const char *human_duration(int64_t ns, char out[HUMAN_MAX]);
/* "12,345,678". Returns ${out}. */
const char *human_count(int64_t count, char out[HUMAN_MAX]);

#endif
