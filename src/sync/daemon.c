/* SPDX-License-Identifier: MIT */
/* One pair: cycles on a grid, and what signals ask for in between. */
#include "sync/daemon_internal.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "sync/cycle.h"

int64_t daemon_grid_next(struct daemon_grid *grid, int64_t now_ns,
    int64_t *skipped)
{
	int64_t due = (now_ns - grid->start_ns + grid->interval_ns - 1) /
	    grid->interval_ns;

	*skipped = 0;
	grid->k++;
	if (due > grid->k) {
		*skipped = due - grid->k;
		grid->k = due;
	}
	return grid->start_ns + grid->k * grid->interval_ns;
}

int daemon_reread(const struct daemon *d, struct conf *fresh)
{
	struct error err = ERROR_INIT;

	if (log_reopen(&err) < 0)
		log_error("%s", err.text);
	if (conf_load(fresh, d->request, &err) < 0) {
		log_error("the configuration is bad, the old one stays: %s",
		    err.text);
		return -1;
	}
	if (log_open(fresh->log_file, (enum log_format)fresh->log_format,
		(enum log_level)fresh->log_level, &err) < 0) {
		log_error("the old configuration stays: %s", err.text);
		conf_release(fresh);
		return -1;
	}
	log_info("the configuration was read again");
	return 0;
}

/* What runs one pair. After a reload, and where the manifest failed or was
 * moved away, it is opened anew for the next cycle. */
struct runner {
	struct daemon *daemon;
	struct report *report;
	struct cycle *cycle;
	struct daemon_grid grid;
	int64_t next_ns;
};

static void close_pair(struct runner *r)
{
	cycle_close(r->cycle);
	report_free(r->report);
	r->cycle = NULL;
	r->report = NULL;
}

static int open_pair(struct runner *r, struct error *err)
{
	const struct conf_pair *pair = &r->daemon->conf->pairs[0];

	if (r->report == NULL)
		r->report = report_new(pair, r->daemon->style);
	return cycle_open(&r->cycle, pair, CYCLE_DAEMON, stop_flag(), err);
}

static void run_cycle(struct runner *r)
{
	const struct conf_pair *pair = &r->daemon->conf->pairs[0];
	struct cycle_summary sum;
	struct error err = ERROR_INIT;

	if (r->cycle != NULL && !cycle_is_in_place(r->cycle)) {
		log_event(LOG_LEVEL_WARNING, pair->name, "reopened", NULL,
		    "%s: the manifest was moved away: a new one is opened",
		    pair->name);
		cycle_close(r->cycle);
		r->cycle = NULL;
	}
	if (r->cycle == NULL && open_pair(r, &err) < 0) {
		report_error(r->report, &err);
		return;
	}
	cycle_run(r->cycle, report_events(r->report), &sum);
	report_cycle(r->report, &sum);
	if (sum.error.kind == ERROR_MANIFEST) {
		cycle_close(r->cycle);
		r->cycle = NULL;
	}
}

static void plan_next(struct runner *r)
{
	const struct conf_pair *pair = &r->daemon->conf->pairs[0];
	int64_t skipped;

	r->next_ns = daemon_grid_next(&r->grid, clock_mono_ns(), &skipped);
	if (skipped > 0)
		log_event(LOG_LEVEL_WARNING, pair->name, "skipped", NULL,
		    "%s: the cycle took longer than the interval; %" PRId64
		    " skipped",
		    pair->name, skipped);
}

/* The grid goes on from the last start, with the new interval. */
static void follow_interval(struct runner *r, int64_t interval_ns)
{
	int64_t skipped;

	r->grid.start_ns = r->next_ns - r->grid.interval_ns;
	r->grid.interval_ns = interval_ns;
	r->grid.k = 0;
	r->next_ns = daemon_grid_next(&r->grid, clock_mono_ns(), &skipped);
}

static int reload(struct runner *r)
{
	struct daemon *d = r->daemon;
	struct conf fresh;

	if (daemon_reread(d, &fresh) < 0)
		return 0;
	close_pair(r);
	conf_release(d->conf);
	*d->conf = fresh;
	if (fresh.count != 1)
		return DAEMON_REGROUP;
	if (fresh.pairs[0].interval_ns != r->grid.interval_ns)
		follow_interval(r, fresh.pairs[0].interval_ns);
	return 0;
}

/* Until the next start, or a signal that asks to end. */
static int wait_for_next(struct runner *r)
{
	while (*stop_flag() == 0) {
		if (stop_take_reload() && reload(r) == DAEMON_REGROUP)
			return DAEMON_REGROUP;
		if (clock_mono_ns() >= r->next_ns)
			break;
		stop_wait(r->next_ns);
	}
	return 0;
}

static int run_cycles(struct runner *r)
{
	while (*stop_flag() == 0) {
		run_cycle(r);
		plan_next(r);
		if (wait_for_next(r) == DAEMON_REGROUP)
			return DAEMON_REGROUP;
	}
	return 128 + *stop_flag();
}

int daemon_run_pair(struct daemon *d)
{
	struct runner r = {
		.daemon = d,
		.grid = { .start_ns = clock_mono_ns(),
		    .interval_ns = d->conf->pairs[0].interval_ns },
	};
	struct error err = ERROR_INIT;
	int status;

	if (open_pair(&r, &err) < 0) {
		report_error(r.report, &err);
		status = err.kind == ERROR_STOPPED ? 128 + *stop_flag() :
		    error_exit_status(err.kind);
	} else {
		report_initialized(r.report);
		status = run_cycles(&r);
	}
	close_pair(&r);
	return status;
}

int daemon_run(struct conf *conf, const struct conf_request *request,
    const struct report_style *style)
{
	struct daemon d = { conf, request, style };
	int status = DAEMON_REGROUP;

	stop_install(RELOAD_AT_HANGUP);
	while (status == DAEMON_REGROUP)
		status = conf->count == 1 ? daemon_run_pair(&d)
					  : daemon_children_run(&d);
	return status;
}
