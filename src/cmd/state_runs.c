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

/* "3 list, 5 put, 2 again": what there is of it; "-" for nothing. */
static void print_requests(const struct state_view *view,
    const struct manifest_run *run)
{
	const char *before = "";

	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++) {
		if (run->requests[i] == 0)
			continue;
		fprintf(view->out, "%s%" PRId64 " %s", before,
		    run->requests[i],
		    manifest_run_request_name((enum manifest_request)i));
		before = ", ";
	}
	if (run->retries > 0)
		fprintf(view->out, "%s%" PRId64 " again", before, run->retries);
	else if (*before == '\0')
		fputc('-', view->out);
}

static void print_line(const struct state_view *view,
    const struct manifest_run *run)
{
	char started[STATE_TEXT_MAX], ended[STATE_TEXT_MAX];

	fprintf(view->out,
	    "%" PRId64 "\t%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64
	    "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64
	    "\t%" PRId64 "\t",
	    run->id, state_time(view, run->started_ns, started),
	    state_time(view, run->ended_ns, ended),
	    state_run_outcome(view, run), run->downloaded, run->uploaded,
	    run->adopted, run->failed, run->waiting, run->blocked,
	    run->differing, run->wire_up, run->wire_down);
	print_requests(view, run);
	fputc('\t', view->out);
	state_print_text(view->out, run->error);
	fputc('\n', view->out);
}

static void print_head(const struct state_view *view)
{
	fprintf(view->out,
	    "%6s  %-24s  %8s  %-8s %7s %7s %7s %7s %7s %7s %7s %9s %9s  %s\n",
	    "RUN", "STARTED", "TOOK", "OUTCOME", "DOWN", "UP", "ADOPTED",
	    "FAILED", "WAITING", "BLOCKED", "DIFFER", "SENT", "RECEIVED",
	    "REQUESTS");
}

static void print_for_people(const struct state_view *view,
    const struct manifest_run *run)
{
	char started[STATE_TEXT_MAX], took[STATE_TEXT_MAX] = "-";
	char sent[STATE_TEXT_MAX], received[STATE_TEXT_MAX];

	if (run->ended_ns != 0)
		state_duration(run->ended_ns - run->started_ns, took);
	fprintf(view->out,
	    "%6" PRId64 "  %-24s  %8s  %-8s %7" PRId64 " %7" PRId64 " %7" PRId64
	    " %7" PRId64 " %7" PRId64 " %7" PRId64 " %7" PRId64 " %9s %9s  ",
	    run->id, state_time(view, run->started_ns, started), took,
	    state_run_outcome(view, run), run->downloaded, run->uploaded,
	    run->adopted, run->failed, run->waiting, run->blocked,
	    run->differing, state_size(view, run->wire_up, sent),
	    state_size(view, run->wire_down, received));
	print_requests(view, run);
	fputc('\n', view->out);
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
