/* SPDX-License-Identifier: MIT */
/* s3sync-state: says what manifests record. Never the network, nor the tree. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "cmd/options.h"
#include "cmd/state.h"
#include "sync/conf.h"

#define NAME_MAX_BYTES 256
#define LIMIT_FALLBACK 20

static int fail(const struct error *err)
{
	fprintf(stderr, "s3sync-state: %s\n", err->text);
	return error_exit_status(err->kind);
}

/* ---- one manifest after another ---- */

/* What to show of each, and how. */
struct show {
	state_command *command;
	struct state_view view;
	size_t shown;
	bool several;
	int status; /* the worst so far */
};

/* Text about several pairs says which is which. */
static void print_heading(struct show *show)
{
	if (show->view.form == STATE_AS_JSON || !show->several)
		return;
	if (show->shown > 0)
		putchar('\n');
	if (show->command != state_status)
		printf("==> %s <==\n", show->view.pair);
}

/* The name that the pair had in its last cycle. */
static int read_name(struct manifest *m, struct strbuf *name, struct error *err)
{
	if (manifest_meta_get(m, "pair", name, err) < 0)
		return -1;
	if (name->len == 0)
		strbuf_adds(name, manifest_path(m));
	return 0;
}

static int show_manifest(struct show *show, const char *path, struct error *err)
{
	struct state_view *view = &show->view;
	struct strbuf name = STRBUF_INIT(NAME_MAX_BYTES);
	int rc = -1;

	if (manifest_open(&view->manifest, path, MANIFEST_READ, err) < 0)
		return -1;
	if (view->pair == NULL) {
		if (read_name(view->manifest, &name, err) < 0)
			goto out;
		view->pair = strbuf_text(&name);
	}
	view->writer = manifest_writer(view->manifest);
	print_heading(show);
	rc = show->command(view, err);
	show->shown++;
out:
	manifest_close(view->manifest);
	strbuf_release(&name);
	return rc;
}

/* ${pair} NULL: the manifest knows its name. */
static void show_one(struct show *show, const char *pair, const char *path)
{
	struct error err = ERROR_INIT;
	int status;

	show->view.pair = pair;
	if (show_manifest(show, path, &err) == 0)
		return;
	fflush(stdout);
	if (pair != NULL)
		error_prefix(&err, "%s", pair);
	status = fail(&err);
	if (status > show->status)
		show->status = status;
}

/* ---- the command line ---- */

enum flag { FLAG_PREFIX, FLAG_LONG, FLAG_REASON, FLAG_LIMIT };

static const struct options_flag flags[] = {
	[FLAG_PREFIX] = { "prefix", 'p', "KEYS",
	    "ls, pending: keys that begin with KEYS" },
	[FLAG_LONG] = { "long", 'l', NULL,
	    "ls: state, size, time and ETag, too" },
	[FLAG_REASON] = { "reason", 'r', "REASON",
	    "pending: keys of this reason" },
	[FLAG_LIMIT] = { "limit", 'n', "COUNT",
	    "runs: at most COUNT, 0 for all [20]" },
	{ NULL, '\0', NULL, NULL },
};

/* Which command takes which flags of those. */
static bool takes_flag(const char *command, enum flag flag)
{
	switch (flag) {
	case FLAG_PREFIX:
		return strcmp(command, "ls") == 0 ||
		    strcmp(command, "pending") == 0;
	case FLAG_LONG:
		return strcmp(command, "ls") == 0;
	case FLAG_REASON:
		return strcmp(command, "pending") == 0;
	case FLAG_LIMIT:
		return strcmp(command, "runs") == 0;
	}
	return false;
}

static int parse_reason(const char *text, struct error *err)
{
	char hint[SUGGEST_MAX];
	struct suggest s;

	if (decide_reason_parse(text) >= 0)
		return 0;
	suggest_init(&s, text);
	for (int i = 0; i < REASON_COUNT; i++)
		suggest_offer(&s, decide_reason_name((enum decide_reason)i));
	return error_set(err, ERROR_USAGE, "there is no reason '%s'%s", text,
	    suggest_text(&s, hint));
}

static int parse_limit(const char *text, int *limit, struct error *err)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value > 1000000)
		return error_set(err, ERROR_USAGE,
		    "--limit %s: a number of runs is expected", text);
	*limit = value == 0 ? -1 : (int)value;
	return 0;
}

static int set_view(struct state_view *view, const struct options *o,
    const char *command, struct error *err)
{
	for (int i = 0; flags[i].name != NULL; i++)
		if (o->values[i] != NULL && !takes_flag(command, (enum flag)i))
			return error_set(err, ERROR_USAGE, "--%s is not for %s",
			    flags[i].name, command);
	*view = (struct state_view){
		.out = stdout,
		.form = o->json             ? STATE_AS_JSON
		    : isatty(STDOUT_FILENO) ? STATE_FOR_PEOPLE
					    : STATE_AS_LINES,
		.prefix = o->values[FLAG_PREFIX] != NULL
		    ? o->values[FLAG_PREFIX]
		    : "",
		.reason = o->values[FLAG_REASON],
		.details = o->values[FLAG_LONG] != NULL,
		.limit = LIMIT_FALLBACK,
	};
	if (view->reason != NULL && parse_reason(view->reason, err) < 0)
		return -1;
	if (o->values[FLAG_LIMIT] != NULL)
		return parse_limit(o->values[FLAG_LIMIT], &view->limit, err);
	return 0;
}

/* Of the configuration, what leads to a pair's manifest. */
static bool takes_option(const struct conf_option *option)
{
	static const char *const names[] = { "local", "remote", "state",
		"endpoint_url", "env_file" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(option->name, names[i]) == 0)
			return true;
	return false;
}

/* --state and nothing else that says which pair is meant. */
static const char *lone_state(const struct options *o)
{
	const struct conf_request *request = &o->request;
	const char *state = NULL;

	if (request->path != NULL || request->arg_count > 0)
		return NULL;
	for (size_t i = 0; i < request->flag_count; i++) {
		if (strcmp(request->flags[i].name, "state") != 0)
			return NULL;
		state = request->flags[i].value;
	}
	return state;
}

/* ${conf} without pairs: --state alone says what to show. */
static int show_all(const struct options *o, const struct conf *conf,
    const char *name, state_command *command)
{
	struct show show = { .command = command, .several = conf->count > 1 };
	struct error err = ERROR_INIT;

	if (set_view(&show.view, o, name, &err) < 0)
		return fail(&err);
	if (conf->count == 0)
		show_one(&show, NULL, lone_state(o));
	for (size_t i = 0; i < conf->count; i++)
		show_one(&show, conf->pairs[i].name, conf->pairs[i].state);
	return show.status;
}

static int run_status(const struct options *o, struct conf *conf)
{
	return show_all(o, conf, "status", state_status);
}

static int run_ls(const struct options *o, struct conf *conf)
{
	return show_all(o, conf, "ls", state_ls);
}

static int run_pending(const struct options *o, struct conf *conf)
{
	return show_all(o, conf, "pending", state_pending);
}

static int run_runs(const struct options *o, struct conf *conf)
{
	return show_all(o, conf, "runs", state_runs);
}

static const struct options_command commands[] = {
	{ "status", "what is agreed, what is not, how the last cycle ended",
	    run_status },
	{ "ls", "the keys that are agreed", run_ls },
	{ "pending", "the keys that are not, and why", run_pending },
	{ "runs", "the last cycles, newest first", run_runs },
	{ NULL, NULL, NULL },
};

static const struct options_program program = {
	.name = "s3sync-state",
	.usage = "[options] [COMMAND] [PAIR...]\n"
		 "[options] COMMAND LOCAL s3://BUCKET[/PREFIX]\n"
		 "[options] [COMMAND] --state FILE",
	.purpose = "Says what s3sync knows, from its manifests alone: never "
		   "the network, nor the tree.",
	.commands = commands,
	.flags = flags,
	.takes = takes_option,
};

static int run_command(struct options *o)
{
	const struct options_command *command =
	    o->command != NULL ? o->command : &commands[0];
	struct error err = ERROR_INIT;
	struct conf conf = { .count = 0 };
	int status;

	o->request.manifests_only = true;
	if (lone_state(o) == NULL && conf_load(&conf, &o->request, &err) < 0)
		return fail(&err);
	status = command->run(o, &conf);
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
		fprintf(stderr, "s3sync-state --help tells what there is\n");
	} else if (o.help) {
		options_print_help(&program, stdout);
	} else if (o.version) {
		options_print_version(&program, stdout);
	} else {
		status = run_command(&o);
	}
	return options_finish(&o, status);
}
