/* SPDX-License-Identifier: MIT */
/*
 * The command line of both programs: COMMAND, its arguments, and flags before,
 * between and after them: --flag VALUE, --flag=VALUE, and "--" to end them. A
 * flag is one that both programs have (--config, --json, ...), one of the
 * program's own, or an option of the configuration.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "sync/conf.h"

struct options;

struct options_command {
	const char *name; /* NULL: past the end */
	const char *summary;
	int (
	    *run)(const struct options *o, struct conf *conf); /* exit status */
};

struct options_flag {
	const char *name;     /* NULL: past the end */
	char letter;          /* '\0': none */
	const char *argument; /* NULL: it takes none */
	const char *help;
};

#define OPTIONS_FLAGS_MAX 16

struct options_program {
	const char *name;
	const char *usage;   /* lines, without "usage: NAME " */
	const char *purpose; /* a sentence */
	const struct options_command *commands;
	const struct options_flag *flags; /* at most OPTIONS_FLAGS_MAX */
	/* Is this one of the configuration's options of use? NULL: all are. */
	bool (*takes)(const struct conf_option *option);
};

struct options {
	const struct options_program *program;
	const struct options_command *command; /* NULL: none is given */
	struct conf_request
	    request; /* flags, and the arguments of the command */
	bool json;
	bool quiet;
	bool help;
	bool version;
	struct conf_flag *flags; /* behind ${request} */
	size_t flag_room;
	const char **args;
	size_t arg_room;
	const char *values[OPTIONS_FLAGS_MAX]; /* of the program's own flags */
};

/* All failures are ERROR_USAGE. ${argv} is borrowed. */
int options_parse(struct options *o, const struct options_program *program,
    int argc, char **argv, struct error *err);
/* Releases, and makes sure that all of standard output was written: the exit
 * status, ${status} or one that says that it was not. */
int options_finish(struct options *o, int status);

/* What the program's own flag ${name} says: "" if it takes nothing, NULL if it
 * is not given. */
const char *options_value(const struct options *o, const char *name);

void options_print_usage(const struct options_program *program, FILE *out);
void options_print_help(const struct options_program *program, FILE *out);
void options_print_version(const struct options_program *program, FILE *out);

#endif
