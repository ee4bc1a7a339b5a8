/* SPDX-License-Identifier: MIT */
/* Flags by table, and the help that the same tables give. */
#include "cmd/options.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/suggest.h"

#define NAME_MAX_BYTES 64
#define STATUS_UNWRITTEN 3

enum common { CONFIG, JSON, QUIET, VERBOSE, HELP, VERSION };

static const struct options_flag common_flags[] = {
	[CONFIG] = { "config", 'c', "FILE",
	    "read FILE instead of the usual places" },
	[JSON] = { "json", '\0', NULL, "write JSON, an object a line" },
	[QUIET] = { "quiet", 'q', NULL, "log warnings and errors only" },
	[VERBOSE] = { "verbose", 'v', NULL, "log what is considered, too" },
	[HELP] = { "help", 'h', NULL, "show this" },
	[VERSION] = { "version", 'V', NULL, "show the version" },
	{ NULL, '\0', NULL, NULL },
};

static const struct options_flag no_flags[] = {
	{ NULL, '\0', NULL, NULL },
};

static const struct options_flag *own_flags(const struct options_program *p)
{
	return p->flags != NULL ? p->flags : no_flags;
}

/*
 * Looking up
 */

/* What a name stands for: at most one is not NULL. */
struct found {
	const struct options_flag *common;
	const struct options_flag *own;
	const struct conf_option *option;
};

/* ${name} is "json", or "j" where ${is_letter}. */
static const struct options_flag *find_flag(const struct options_flag *flag,
    const char *name, bool is_letter)
{
	for (; flag->name != NULL; flag++)
		if (is_letter ? flag->letter != '\0' && *name == flag->letter
			      : strcmp(flag->name, name) == 0)
			return flag;
	return NULL;
}

static const struct conf_option *find_option(const struct options_program *p,
    const char *name)
{
	const struct conf_option *option = conf_option_find(name);

	if (option != NULL && p->takes != NULL && !p->takes(option))
		return NULL;
	return option;
}

static struct found find(const struct options_program *p, const char *name,
    bool is_letter)
{
	struct found f = { .common = find_flag(common_flags, name, is_letter) };

	if (f.common == NULL)
		f.own = find_flag(own_flags(p), name, is_letter);
	if (f.common == NULL && f.own == NULL && !is_letter)
		f.option = find_option(p, name);
	return f;
}

static bool takes_value(const struct found *f)
{
	if (f->common != NULL)
		return f->common->argument != NULL;
	return f->own == NULL || f->own->argument != NULL;
}

static int unknown_flag(const struct options_program *p, const char *name,
    struct error *err)
{
	const struct options_flag *flag;
	const struct conf_option *option;
	char hint[SUGGEST_MAX];
	struct suggest s;
	size_t i;

	suggest_init(&s, name + strspn(name, "-"));
	for (flag = common_flags; flag->name != NULL; flag++)
		suggest_offer(&s, flag->name);
	for (flag = own_flags(p); flag->name != NULL; flag++)
		suggest_offer(&s, flag->name);
	for (i = 0; (option = conf_option_at(i)) != NULL; i++)
		if (find_option(p, option->name) != NULL)
			suggest_offer(&s, option->name);
	return error_set(err, ERROR_USAGE, "there is no option %s%s", name,
	    suggest_text(&s, hint));
}

static int unknown_command(const struct options_program *p, const char *name,
    struct error *err)
{
	const struct options_command *command;
	char hint[SUGGEST_MAX];
	struct suggest s;

	suggest_init(&s, name);
	for (command = p->commands; command->name != NULL; command++)
		suggest_offer(&s, command->name);
	return error_set(err, ERROR_USAGE, "there is no command '%s'%s", name,
	    suggest_text(&s, hint));
}

/*
 * Taking
 */

static void add_flag(struct options *o, const char *name, const char *value)
{
	ALLOC_GROW(o->flags, o->request.flag_count + 1, o->flag_room);
	o->flags[o->request.flag_count++] = (struct conf_flag){ name, value };
	o->request.flags = o->flags;
}

static void add_arg(struct options *o, const char *arg)
{
	ALLOC_GROW(o->args, o->request.arg_count + 1, o->arg_room);
	o->args[o->request.arg_count++] = arg;
	o->request.args = o->args;
}

static void take_common(struct options *o, enum common which, const char *value)
{
	switch (which) {
	case CONFIG:
		o->request.path = value;
		break;
	case JSON:
		o->json = true;
		break;
	case QUIET:
		o->quiet = true;
		add_flag(o, "log_level", "warning");
		break;
	case VERBOSE:
		add_flag(o, "log_level", "debug");
		break;
	case HELP:
		o->help = true;
		break;
	case VERSION:
		o->version = true;
		break;
	}
}

static void take(struct options *o, const struct found *f, const char *value)
{
	if (f->common != NULL)
		take_common(o, (enum common)(f->common - common_flags), value);
	else if (f->own != NULL)
		o->values[f->own - o->program->flags] = value;
	else
		add_flag(o, f->option->name, value);
}

/* ${word} is "--NAME", "--NAME=VALUE" or "-N"; *next may be the value. */
static int parse_flag(struct options *o, const char *word, char ***next,
    struct error *err)
{
	const char *value = strchr(word, '=');
	char text[NAME_MAX_BYTES];
	struct found f;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(word, "="), word);
	f = find(o->program, text + strspn(text, "-"), text[1] != '-');
	if ((f.common == NULL && f.own == NULL && f.option == NULL) ||
	    (text[1] != '-' && text[2] != '\0'))
		return unknown_flag(o->program, text, err);
	if (value != NULL && !takes_value(&f))
		return error_set(err, ERROR_USAGE, "%s takes no value", text);
	if (value != NULL)
		value++;
	else if (!takes_value(&f))
		value = "";
	else if (**next != NULL)
		value = *(*next)++;
	else
		return error_set(err, ERROR_USAGE, "%s needs a value", text);
	take(o, &f, value);
	return 0;
}

/* The first word that is no flag is the command. */
static int parse_word(struct options *o, const char *word, struct error *err)
{
	const struct options_command *command;

	if (o->command != NULL) {
		add_arg(o, word);
		return 0;
	}
	for (command = o->program->commands; command->name != NULL; command++)
		if (strcmp(command->name, word) == 0) {
			o->command = command;
			return 0;
		}
	return unknown_command(o->program, word, err);
}

int options_parse(struct options *o, const struct options_program *program,
    int argc, char **argv, struct error *err)
{
	char **next = argv + (argc > 0);
	bool flags_ended = false;
	const char *word;
	int rc = 0;

	*o = (struct options){ .program = program };
	while (rc == 0 && (word = *next) != NULL) {
		next++;
		if (flags_ended || word[0] != '-' || word[1] == '\0')
			rc = parse_word(o, word, err);
		else if (strcmp(word, "--") == 0)
			flags_ended = true;
		else
			rc = parse_flag(o, word, &next, err);
	}
	return rc;
}

static bool reader_is_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
}

int options_finish(struct options *o, int status)
{
	bool written = fflush(stdout) == 0 && !ferror(stdout);

	free(o->flags);
	free(o->args);
	if (written)
		return status;
	if (reader_is_gone()) /* it has seen enough: no news */
		return 128 + SIGPIPE;
	fprintf(stderr, "%s: standard output cannot be written\n",
	    o->program->name);
	return status > STATUS_UNWRITTEN ? status : STATUS_UNWRITTEN;
}

const char *options_value(const struct options *o, const char *name)
{
	const struct options_flag *flag =
	    find_flag(own_flags(o->program), name, false);

	return flag != NULL ? o->values[flag - o->program->flags] : NULL;
}

/*
 * Telling
 */

void options_print_usage(const struct options_program *program, FILE *out)
{
	const char *line = program->usage;
	const char *word = "usage:";

	while (*line != '\0') {
		fprintf(out, "%s %s %.*s\n", word, program->name,
		    (int)strcspn(line, "\n"), line);
		line += strcspn(line, "\n");
		line += *line == '\n';
		word = "      ";
	}
}

static void print_entry(FILE *out, const char *name, const char *argument,
    const char *help)
{
	char left[NAME_MAX_BYTES];
	char *p;

	snprintf(left, sizeof(left), "%s", name);
	for (p = left; *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	snprintf(p, sizeof(left) - (size_t)(p - left), " %s",
	    argument != NULL ? argument : "");
	fprintf(out, "  --%-26s %s", left, help);
}

static void print_flags(FILE *out, const struct options_flag *flag)
{
	for (; flag->name != NULL; flag++) {
		print_entry(out, flag->name, flag->argument, flag->help);
		if (flag->letter != '\0')
			fprintf(out, " (-%c)", flag->letter);
		fputc('\n', out);
	}
}

static void print_options(FILE *out, const struct options_program *program)
{
	const struct conf_option *option;
	size_t i;

	for (i = 0; (option = conf_option_at(i)) != NULL; i++) {
		if (find_option(program, option->name) == NULL)
			continue;
		print_entry(out, option->name, option->argument, option->help);
		if (option->fallback != NULL)
			fprintf(out, " [%s]", option->fallback);
		fputc('\n', out);
	}
}

void options_print_help(const struct options_program *program, FILE *out)
{
	const struct options_command *command;

	options_print_usage(program, out);
	fprintf(out, "\n%s\n\nCommands:\n", program->purpose);
	for (command = program->commands; command->name != NULL; command++)
		fprintf(out, "  %-10s %s\n", command->name, command->summary);
	fprintf(out, "\nOptions:\n");
	print_flags(out, common_flags);
	print_flags(out, own_flags(program));
	fprintf(out, "\nOptions that are keys of s3sync.conf(5), too:\n");
	print_options(out, program);
}

void options_print_version(const struct options_program *program, FILE *out)
{
	fprintf(out, "%s %s\n", program->name, PACKAGE_VERSION);
}
