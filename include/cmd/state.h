/* SPDX-License-Identifier: MIT */
/*
 * The commands of s3sync-state: each shows one manifest in one of three forms.
 * For people: aligned, rounded, local time. For programs that read lines: one
 * line each, fields between tabs, exact, UTC, "-" for what is not there. And
 * JSON. s3sync-state(1) documents the last two.
 */
#ifndef CMD_STATE_H
#define CMD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/json.h"
#include "base/signature.h"
#include "manifest/manifest.h"

enum state_form { STATE_FOR_PEOPLE, STATE_AS_LINES, STATE_AS_JSON };

struct state_view {
	FILE *out;
	enum state_form form;
	const char *pair;          /* its name */
	struct manifest *manifest; /* open to be read */
	long writer;               /* manifest_writer, before all else */
	/* What is asked for: */
	const char *prefix; /* keys that begin with it; "": all */
	const char *reason; /* pending keys of this reason; NULL: all */
	bool details;       /* ls: all there is about each key */
	int limit;          /* runs; -1: all */
};

/* Each writes all of ${view}; -1 where the manifest cannot be read. */
typedef int state_command(const struct state_view *view, struct error *err);
state_command state_status;
state_command state_ls;
state_command state_pending;
state_command state_runs;

/* ---- what they share ---- */

/* The end of a run as it is now known: one that is "running" without a
 * process that writes was killed. */
const char *state_run_outcome(const struct state_view *view,
    const struct manifest_run *run);
void state_run_json(const struct state_view *view,
    const struct manifest_run *run, json_t *object);

/* A new object with the pair's name in it. */
json_t *state_json(const struct state_view *view);

/* Texts of any length, with control characters escaped. */
void state_print_key(FILE *out, const char *key, size_t len);
void state_print_text(FILE *out, const char *text); /* NULL: "-" */

#define STATE_TEXT_MAX 64
/* "2026-11-22T16:38:01.000Z" as lines, local time for people; 0: "-". */
const char *state_time(const struct state_view *view, int64_t wall_ns,
    char out[STATE_TEXT_MAX]);
/* "1234" as lines, "1.2 KiB" for people. */
const char *state_size(const struct state_view *view, int64_t bytes,
    char out[STATE_TEXT_MAX]);
/* "in 5 min", "3 h ago": how far ${wall_ns} is from now. */
const char *state_distance(int64_t wall_ns, char out[STATE_TEXT_MAX]);
/* "0.3 s", "1:02:03". */
const char *state_duration(int64_t ns, char out[STATE_TEXT_MAX]);

#endif
