/* SPDX-License-Identifier: MIT */
/* s3sync: keeps a local directory and an S3 prefix in agreement. */
#include <stdio.h>

#include "base/log.h"
#include "base/secret.h"
#include "base/stop.h"
#include "cmd/check_print.h"
#include "cmd/options.h"
#include "sync/conf.h"
#include "sync/cycle.h"
#include "sync/daemon.h"
#include "sync/report.h"

#define STATUS_USAGE 2

static struct report_style style_of(const struct options *o)
{
	return (struct report_style){
		.out = stdout,
		.json = o->json,
		.progress =
		    !o->quiet && options_value(o, "no-progress") == NULL,
	};
}

static int run_cycle(const struct conf_pair *pair, enum cycle_kind kind,
    struct report *report, struct error *err)
{
	struct cycle_summary sum;
	struct cycle *cycle;
	int rc = 0;

	if (cycle_open(&cycle, pair, kind, stop_flag(), err) < 0)
		return -1;
	if (kind == CYCLE_ONCE)
		report_initialized(report);
	cycle_run(cycle, report_events(report), &sum);
	if (kind == CYCLE_PLAN)
		rc = report_plan(report, cycle, &sum, err);
	else
		report_cycle(report, &sum);
	cycle_close(cycle);
	return rc < 0 ? -1 : cycle_exit_status(&sum);
}

static int run_pair(const struct conf_pair *pair, enum cycle_kind kind,
    const struct report_style *style)
{
	struct report *report = report_new(pair, style);
	struct error err = ERROR_INIT;
	int status = run_cycle(pair, kind, report, &err);

	if (status < 0) {
		report_error(report, &err);
		status = error_exit_status(err.kind);
	}
	report_free(report);
	return status;
}

/* A cycle of each pair, one after another; the worst status counts. */
static int run_once(const struct options *o, const struct conf *conf,
    enum cycle_kind kind)
{
	struct report_style style = style_of(o);
	int status, worst = 0;
	size_t i;

	style.repeat = true;
	style.plan = kind == CYCLE_PLAN;
	stop_install(STOP_AT_HANGUP);
	for (i = 0; i < conf->count && *stop_flag() == 0; i++) {
		status = run_pair(&conf->pairs[i], kind, &style);
		if (status > worst)
			worst = status;
	}
	if (*stop_flag() != 0)
		return 128 + *stop_flag();
	if (worst != 0 && conf->log_file != NULL)
		fprintf(stderr, "s3sync: not all is done: see %s\n",
		    conf->log_file);
	return worst;
}

static int run_sync(const struct options *o, struct conf *conf)
{
	return run_once(o, conf, CYCLE_ONCE);
}

static int run_daemon(const struct options *o, struct conf *conf)
{
	const struct report_style style = style_of(o);

	return daemon_run(conf, &o->request, &style);
}

static int run_plan(const struct options *o, struct conf *conf)
{
	return run_once(o, conf, CYCLE_PLAN);
}

/* What is wrong with each pair, one after another; the worst counts. */
static int run_check(const struct options *o, struct conf *conf)
{
	int status, worst = 0;
	size_t i;

	stop_install(STOP_AT_HANGUP);
	for (i = 0; i < conf->count && *stop_flag() == 0; i++) {
		status = check_print_run(&(const struct check_request){
		        .pair = &conf->pairs[i],
		        .conf_path = conf->path,
		        .read_only = options_value(o, "read-only") != NULL,
		        .stop = stop_flag(),
		    }, o->json, stdout);
		if (status > worst)
			worst = status;
	}
	return *stop_flag() != 0 ? 128 + *stop_flag() : worst;
}

static const struct options_command commands[] = {
	{ "sync", "one cycle for each pair, then exit", run_sync },
	{ "daemon", "a cycle every interval, until SIGTERM or SIGINT",
	    run_daemon },
	{ "plan", "what a cycle would do and why; changes nothing", run_plan },
	{ "check", "what is wrong, and what to do", run_check },
	{ NULL, NULL, NULL },
};

static const struct options_flag flags[] = {
	{ "no-progress", '\0', NULL, "draw none, even on a terminal" },
	{ "read-only", '\0', NULL, "check: write nothing at all" },
	{ NULL, '\0', NULL, NULL },
};

static const struct options_program program = {
	.name = "s3sync",
	.usage = "[options] COMMAND [PAIR...]\n"
		 "[options] COMMAND LOCAL s3://BUCKET[/PREFIX]",
	.purpose = "Keeps a local directory and an S3 prefix in agreement, "
		   "both ways.",
	.commands = commands,
	.flags = flags,
};

static int fail(const struct error *err)
{
	fprintf(stderr, "s3sync: %s\n", err->text);
	return error_exit_status(err->kind);
}

/* What a check finds its own lines say. */
static enum log_level log_level_of(const struct options *o,
    const struct conf *conf)
{
	if (o->command->run == run_check && conf->log_level < LOG_LEVEL_DEBUG)
		return LOG_LEVEL_ERROR;
	return (enum log_level)conf->log_level;
}

static int run_command(const struct options *o)
{
	struct error err = ERROR_INIT;
	struct conf conf;
	int status;

	if (conf_load(&conf, &o->request, &err) < 0)
		return fail(&err);
	if (log_open(conf.log_file, (enum log_format)conf.log_format,
		log_level_of(o, &conf), &err) < 0)
		status = fail(&err);
	else
		status = o->command->run(o, &conf);
	log_close();
	conf_release(&conf);
	return status;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct options o;
	int status = 0;

	secret_close_process();
	if (options_parse(&o, &program, argc, argv, &err) < 0) {
		status = fail(&err);
		fprintf(stderr, "s3sync --help tells what there is\n");
	} else if (o.help) {
		options_print_help(&program, stdout);
	} else if (o.version) {
		options_print_version(&program, stdout);
	} else if (o.command == NULL) {
		options_print_usage(&program, stderr);
		status = STATUS_USAGE;
	} else {
		status = run_command(&o);
	}
	return options_finish(&o, status);
}
