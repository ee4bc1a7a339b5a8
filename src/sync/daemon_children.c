/* SPDX-License-Identifier: MIT */
/* Several pairs: a process for each, so that none waits for another, and none
 * falls with another. */
#include "sync/daemon_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"

/* Added to the exit status of a child that could not begin and said why: any
 * other end that was not asked for is a death. */
#define SAID_WHY 64

struct child {
	char *name; /* of its pair */
	pid_t pid;  /* 0: does not run */
	struct daemon_grid grid;
	int64_t start_at_ns; /* where it does not run; INT64_MAX: never */
	bool told;           /* asked to end */
};

struct family {
	struct daemon *daemon;
	struct child *items;
	size_t count, room;
	int status; /* the worst that a child ended with */
};

static struct child *find_child(const struct family *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (strcmp(f->items[i].name, name) == 0)
			return &f->items[i];
	return NULL;
}

static void add_child(struct family *f, const struct conf_pair *pair)
{
	struct child *child;

	ALLOC_GROW(f->items, f->count + 1, f->room);
	child = &f->items[f->count++];
	*child = (struct child){
		.name = alloc_string(pair->name),
		.grid = { .start_ns = clock_mono_ns(),
		    .interval_ns = pair->interval_ns },
	};
}

/* In the child: the parent's request, for this one pair. Returns the child's
 * exit status. */
static int run_child(const struct daemon *parent, const char *name)
{
	struct conf_request request = *parent->request;
	struct report_style style = *parent->style;
	struct error err = ERROR_INIT;
	struct conf conf;
	struct daemon d = { &conf, &request, &style };
	int status;

	request.args = &name;
	request.arg_count = 1;
	style.progress = false;
	if (conf_load(&conf, &request, &err) < 0) {
		log_error("%s", err.text);
		return SAID_WHY + error_exit_status(err.kind);
	}
	status = daemon_run_pair(&d);
	conf_release(&conf);
	return status > 128 ? status : SAID_WHY + status;
}

static void start_child(const struct family *f, struct child *child)
{
	int64_t skipped;

	child->start_at_ns =
	    daemon_grid_next(&child->grid, clock_mono_ns(), &skipped);
	child->pid = stop_fork();
	if (child->pid == 0)
		exit(run_child(f->daemon, child->name));
	if (child->pid < 0) {
		log_error("%s: cannot start a process: %s; tried again at the "
			  "next interval",
		    child->name, strerror(errno));
		child->pid = 0;
	}
}

/* Begins again where the grid of the pair has the next start. */
static void mourn(struct child *child, int how)
{
	int64_t skipped;

	log_error("%s: its process died (%s %d); it starts again at the next "
		  "interval",
	    child->name, WIFSIGNALED(how) ? "signal" : "status",
	    WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
	child->start_at_ns =
	    daemon_grid_next(&child->grid, clock_mono_ns(), &skipped);
}

static void bury(struct family *f, struct child *child, int how)
{
	int status = WIFEXITED(how) ? WEXITSTATUS(how) - SAID_WHY : -1;

	child->pid = 0;
	child->start_at_ns = INT64_MAX;
	if (child->told)
		return;
	if (status < 0 || status >= SAID_WHY)
		mourn(child, how);
	else if (status > f->status)
		f->status = status;
}

static void reap(struct family *f)
{
	pid_t pid;
	size_t i;
	int how;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0)
		for (i = 0; i < f->count; i++)
			if (f->items[i].pid == pid)
				bury(f, &f->items[i], how);
}

static void start_due(struct family *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->items[i].pid == 0 &&
		    f->items[i].start_at_ns <= clock_mono_ns())
			start_child(f, &f->items[i]);
}

static void tell(struct child *child)
{
	if (child->pid != 0 && !child->told)
		stop_child(child->pid);
	child->told = true;
	child->start_at_ns = INT64_MAX;
}

static void tell_all(struct family *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		tell(&f->items[i]);
}

static bool is_over(const struct family *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->items[i].pid != 0 ||
		    f->items[i].start_at_ns != INT64_MAX)
			return false;
	return true;
}

static int64_t next_start(const struct family *f)
{
	int64_t next_ns = INT64_MAX;
	size_t i;

	for (i = 0; i < f->count; i++)
		if (f->items[i].pid == 0 && f->items[i].start_at_ns < next_ns)
			next_ns = f->items[i].start_at_ns;
	return next_ns;
}

static const struct conf_pair *find_pair(const struct conf *conf,
    const char *name)
{
	size_t i;

	for (i = 0; i < conf->count; i++)
		if (strcmp(conf->pairs[i].name, name) == 0)
			return &conf->pairs[i];
	return NULL;
}

/* A child whose pair is still there reads the file by itself; one that had
 * ended gets another chance. */
static void follow(struct child *child, const struct conf_pair *pair)
{
	child->grid.interval_ns = pair->interval_ns;
	child->told = false;
	if (child->pid != 0)
		kill(child->pid, SIGHUP);
	else
		child->start_at_ns = 0;
}

static void reload(struct family *f)
{
	const struct conf_pair *pair;
	struct conf fresh;
	size_t i;

	if (daemon_reread(f->daemon, &fresh) < 0)
		return;
	for (i = 0; i < f->count; i++) {
		pair = find_pair(&fresh, f->items[i].name);
		if (pair != NULL)
			follow(&f->items[i], pair);
		else
			tell(&f->items[i]);
	}
	for (i = 0; i < fresh.count; i++)
		if (find_child(f, fresh.pairs[i].name) == NULL)
			add_child(f, &fresh.pairs[i]);
	conf_release(f->daemon->conf);
	*f->daemon->conf = fresh;
}

static void release(struct family *f)
{
	size_t i;

	for (i = 0; i < f->count; i++)
		free(f->items[i].name);
	free(f->items);
}

int daemon_children_run(struct daemon *d)
{
	struct family f = { .daemon = d };
	size_t i;

	for (i = 0; i < d->conf->count; i++)
		add_child(&f, &d->conf->pairs[i]);
	do {
		if (*stop_flag() != 0)
			tell_all(&f);
		else if (stop_take_reload())
			reload(&f);
		start_due(&f);
		stop_wait(next_start(&f));
		reap(&f);
	} while (!is_over(&f));
	release(&f);
	return *stop_flag() != 0 ? 128 + *stop_flag() : f.status;
}
