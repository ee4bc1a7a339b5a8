/* SPDX-License-Identifier: MIT */
/*
 * What a cycle did, for whoever reads: lines of the log (four of which never
 * change their words), JSON, and progress on a terminal. s3sync(1) documents
 * both forms.
 */
#ifndef SYNC_REPORT_H
#define SYNC_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "sync/conf.h"
#include "sync/cycle.h"

struct report;

struct report_style {
	FILE *out;     /* of JSON and of plans: standard output */
	bool json;     /* an object a line, for each event and each cycle */
	bool progress; /* where standard error is a terminal */
	bool repeat;   /* say again what has not changed since the last cycle */
	bool plan;     /* each key is listed in the end, and not on the way */
};

/* ${pair} and ${style} must outlive the report. */
struct report *report_new(const struct conf_pair *pair,
    const struct report_style *style);
void report_free(struct report *r); /* NULL: nothing */

/* "S3 bidirectional sync initialized for ..." */
void report_initialized(struct report *r);
/* For cycle_run; borrowed. */
const struct cycle_events *report_events(struct report *r);
/* After cycle_run: done, stopped, or why it could not run. */
void report_cycle(struct report *r, const struct cycle_summary *sum);
/* After cycle_run of a CYCLE_PLAN: every key that is not agreed, then the
 * summary. */
int report_plan(struct report *r, struct cycle *cycle,
    const struct cycle_summary *sum, struct error *err);
/* An error about the pair as a whole, where no cycle could tell it; that it
 * was asked to stop is none. */
void report_error(struct report *r, const struct error *error);

#endif
