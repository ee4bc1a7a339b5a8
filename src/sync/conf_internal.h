/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of configuration: what was read (conf.c) stands in
 * sections; conf_source.c says which section's word counts; conf_option.c what
 * the word means; conf_pair.c makes a pair of it; conf_check.c compares pairs.
 */
#ifndef SYNC_CONF_INTERNAL_H
#define SYNC_CONF_INTERNAL_H

#include "s3/aws_config.h"
#include "sync/conf.h"

/* Longer paths than the system's are refused where they are read. */
#define CONF_TEXT_MAX 8192
#define CONF_NAME_MAX 64
#define CONF_NAME_CHARACTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/*
 * Gives ${option} the ${value}: into ${conf} if it is global, else into
 * ${pair}. ${in_file}: the value is a configuration file's, where a relative
 * path means nothing. -1: no such value; the text says what is allowed.
 */
int conf_option_set(const struct conf_option *option, const char *value,
    bool in_file, struct conf *conf, struct conf_pair *pair, struct error *err);
/* Would conf_option_set take it? */
int conf_option_check(const struct conf_option *option, const char *value,
    bool in_file, struct error *err);
/* What conf_option_set allocated. */
void conf_option_release_pair(struct conf_pair *pair);
void conf_option_release_globals(struct conf *conf);

struct conf_setting {
	const struct conf_option *option;
	char *value; /* checked */
};

/* One [section], or the command line. */
struct conf_section {
	char *name;    /* of the pair; NULL: not known yet, or no pair */
	int line;      /* in the file; 0: from the command line */
	bool selected; /* asked for by this request */
	struct conf_setting *items;
	size_t count, room;
};

/* Where an option may be set, from the most general to the most specific;
 * behind all of them stand the environment, the profile of the AWS tools and
 * the built-in default. */
struct conf_source {
	const struct conf_section *sections[3];
	size_t count;
	const struct env *env;
	const struct aws_config *aws; /* NULL: its files are not read */
	const char *profile;          /* of those in it */
};

void conf_source_add(struct conf_section *s, const struct conf_option *option,
    const char *value);
void conf_source_release(struct conf_section *s);
/* What ${s} itself says last; NULL: nothing. */
const char *conf_source_value(const struct conf_section *s,
    const struct conf_option *option);
/* The most specific value goes where conf_option_set puts it. */
int conf_source_set(const struct conf_source *from,
    const struct conf_option *option, struct conf *conf, struct conf_pair *pair,
    struct error *err);
/* All values of all repeatable options, in the order that counts. */
int conf_source_set_repeatable(const struct conf_source *from,
    struct conf_pair *pair, struct error *err);

/* Fills the zeroed ${pair}; it is to be released even after a failure.
 * ${env_file}: read it. */
int conf_pair_build(struct conf_pair *pair, struct conf_source *from,
    const char *name, bool read_files, struct error *err);
void conf_pair_release(struct conf_pair *pair);
/* ${variable} if it is an absolute path, else "~/${fallback}": the rule of the
 * XDG base directories; "/${name}" is added. malloc'ed. */
char *conf_pair_xdg_path(const char *variable, const char *fallback,
    const char *name);

/* Absolute and without symlinks, as far as it exists; malloc'ed. */
char *conf_check_canonical(const char *path);
/* What pairs must not share, and what must not lie below their roots. *culprit
 * is the pair that the error is about. */
int conf_check_pairs(const struct conf *conf, size_t *culprit,
    struct error *err);

#endif
