/* SPDX-License-Identifier: MIT */
/*
 * Time and randomness, replaceable as one: tests and the simulator install
 * their own. Wall time is ns since the epoch, monotonic time ns since some
 * start.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000000)
#define CLOCK_MS INT64_C(1000000)

struct clock_source {
	int64_t (*wall_ns)(void *arg);
	int64_t (*mono_ns)(void *arg);
	uint64_t (*random)(void *arg); /* uniform 64 bits */
	void *arg;
};

void clock_install(const struct clock_source *source); /* NULL: the real one */
int64_t clock_wall_ns(void);
int64_t clock_mono_ns(void);
uint64_t clock_random(void);
/* The clock that this file system stamps files with is coarser than wall
 * time (one tick); taken before a stat it tells whether a stamp is racy. */
int64_t clock_coarse_ns(void);

#define CLOCK_ISO_MAX 40 /* bytes incl. NUL that any text form needs */
/* "2026-11-22T16:38:01.123Z" */
void clock_format_utc(int64_t wall_ns, char out[CLOCK_ISO_MAX]);
/* "2026-11-22T17:38:01+0100", the form of log files */
void clock_format_local(int64_t wall_ns, char out[CLOCK_ISO_MAX]);
/* "20261122T163801Z", the form of SigV4 */
void clock_format_basic(int64_t wall_ns, char out[CLOCK_ISO_MAX]);
/* ISO 8601 UTC (with or without fraction) and RFC 1123 dates, as S3 sends
 * them. 0 and *wall_ns, or -1. */
int clock_parse_iso(const char *text, int64_t *wall_ns);
int clock_parse_http(const char *text, int64_t *wall_ns);
/* "90", "2s", "500ms", "5m", "1h", "30d": a duration in ns; -1 if it is none.
 * A bare number is seconds. */
int clock_parse_duration(const char *text, int64_t *ns);

#endif
