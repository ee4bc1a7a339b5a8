/* SPDX-License-Identifier: MIT */
/* s3sync-state runs: the last cycles, newest first. */
#include "cmd/state.h"

#include <inttypes.h>

static void print_json(const struct state_view *view,
    const struct manifest_run *run)
{
	json_t *object = state_json(view);

	state_run_json(view, run, object);
	json_print(view->out, object);
}

static void print_line(const struct state_view *view,
    const struct manifest_run *run)
{
	char started[STATE_TEXT_MAX], ended[STATE_TEXT_MAX];

	fprintf(view->out,
	    "%" PRId64 "\t%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64
	    "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t",
	    run->id, state_time(view, run->started_ns, started),
	    state_time(view, run->ended_ns, ended),
	    state_run_outcome(view, run), run->downloaded, run->uploaded,
	    run->adopted, run->failed, run->waiting, run->blocked,
	    run->differing);
	state_print_text(view->out, run->error);
	fputc('\n', view->out);
}

static void print_head(const struct state_view *view)
{
	fprintf(view->out,
	    "%6s  %-24s  %8s  %-8s %7s %7s %7s %7s %7s %7s %7s\n", "RUN",
	    "STARTED", "TOOK", "OUTCOME", "DOWN", "UP", "ADOPTED", "FAILED",
	    "WAITING", "BLOCKED", "DIFFER");
}

static void print_for_people(const struct state_view *view,
    const struct manifest_run *run)
{
	char started[STATE_TEXT_MAX], took[STATE_TEXT_MAX] = "-";

	if (run->ended_ns != 0)
		state_duration(run->ended_ns - run->started_ns, took);
	fprintf(view->out,
	    "%6" PRId64 "  %-24s  %8s  %-8s %7" PRId64 " %7" PRId64 " %7" PRId64
	    " %7" PRId64 " %7" PRId64 " %7" PRId64 " %7" PRId64 "\n",
	    run->id, state_time(view, run->started_ns, started), took,
	    state_run_outcome(view, run), run->downloaded, run->uploaded,
	    run->adopted, run->failed, run->waiting, run->blocked,
	    run->differing);
	if (run->error != NULL) {
		fprintf(view->out, "%8s", "");
		state_print_text(view->out, run->error);
		fputc('\n', view->out);
	}
}

static void print_run(const struct manifest_run *run, void *arg)
{
	static void (*const print[])(const struct state_view *,
	    const struct manifest_run *) = {
		[STATE_FOR_PEOPLE] = print_for_people,
		[STATE_AS_LINES] = print_line,
		[STATE_AS_JSON] = print_json,
	};
	const struct state_view *view = arg;

	print[view->form](view, run);
}

int state_runs(const struct state_view *view, struct error *err)
{
	if (view->form == STATE_FOR_PEOPLE)
		print_head(view);
	return manifest_run_each(view->manifest, view->limit, print_run,
	    (void *)view, err);
}
