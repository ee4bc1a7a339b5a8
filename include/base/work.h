/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads for local work that may block (read, hash, write, sync).
 * Jobs run in any order; their completions run on the thread that calls
 * work_reap, so that all state has one owner. With 0 threads a job runs
 * inside work_reap, in order: the deterministic simulator's pool.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <stddef.h>

struct work;

typedef void work_fn(void *arg);

/* ${wake}(${wake_arg}) is called from a worker when completions begin to wait
 * (with 0 threads: from work_submit); never under a lock; may be NULL. */
struct work *work_new(size_t threads, work_fn *wake, void *wake_arg);
/* Waits for running jobs, drops queued ones; runs all completions that are
 * left, also those of jobs that never ran. NULL does nothing. */
void work_free(struct work *w);

/* ${run} on a worker, then ${done} on the reaping thread, both with ${arg}. */
void work_submit(struct work *w, work_fn *run, work_fn *done, void *arg);
/* Runs the completions that wait; returns how many. Never blocks. */
size_t work_reap(struct work *w);
size_t work_pending(const struct work *w); /* submitted, not yet reaped */

#endif
