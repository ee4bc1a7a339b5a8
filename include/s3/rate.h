/* SPDX-License-Identifier: MIT */
/*
 * A limit of bytes per second that holds on average: what moves puts off what
 * comes next. A quarter of a second that was missed (a busy machine) is made
 * up for, and no more. Pure.
 */
#ifndef S3_RATE_H
#define S3_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
	int64_t per_second; /* 0: no limit */
	int64_t next_ns;    /* when more may move */
};

void rate_init(struct rate *r, int64_t per_second, int64_t now_ns);
/* May more move now? */
bool rate_open(struct rate *r, int64_t now_ns);
/* So many bytes were moved; negative: they were not, after all. */
void rate_take(struct rate *r, int64_t bytes);
/* How many should move in one go: what takes 50 ms, ${most} at most. */
size_t rate_chunk(const struct rate *r, size_t most);

#endif
