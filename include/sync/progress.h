/* SPDX-License-Identifier: MIT */
/*
 * One line on a terminal that says how far a cycle is: keys, bytes, rate and
 * time left. It gives way to the lines of the log.
 */
#ifndef SYNC_PROGRESS_H
#define SYNC_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sync/cycle.h"

struct progress;

/* NULL where standard error is no terminal, and NULL is taken by all below.
 * There is one at a time. */
struct progress *progress_new(void);
void progress_free(struct progress *p); /* clears the line */
/* Draws, if the last time is long enough ago. */
void progress_show(struct progress *p, const struct cycle_progress *now);
void progress_clear(struct progress *p);

/* The line itself, at most ${size} - 1 columns; ${rate} is bytes per second,
 * 0 if unknown. */
void progress_text(const struct cycle_progress *now, double rate, char *out,
    size_t size);
/* The rate after ${bytes} more in ${ns} more: recent seconds count most. */
double progress_rate(double rate, int64_t bytes, int64_t ns);

#endif
