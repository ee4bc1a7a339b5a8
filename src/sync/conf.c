/* SPDX-License-Identifier: MIT */
/*
 * The command line and the file become sections of settings, each checked
 * where it is read; the request says which pairs of them are meant.
 */
#include "sync/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ini.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "sync/conf_internal.h"

static const char system_file[] = "/etc/s3sync/s3sync.conf";

struct loader {
	const struct conf_request *request;
	char *path; /* of the file; NULL: there is none */
	struct conf_section flags;
	struct conf_section defaults;
	struct conf_section *pairs;
	size_t count, room;
	bool in_defaults; /* the section being read; else it is the last pair */
};

static struct conf_section *add_pair(struct loader *l, const char *name,
    int line)
{
	struct conf_section *s;

	ALLOC_GROW(l->pairs, l->count + 1, l->room);
	s = &l->pairs[l->count++];
	*s = (struct conf_section){ .line = line };
	if (name != NULL)
		s->name = alloc_string(name);
	return s;
}

/* The command line. */

static int usage_error(struct error *err)
{
	err->kind = ERROR_USAGE;
	return -1;
}

static int take_flags(struct loader *l, struct error *err)
{
	const struct conf_request *request = l->request;
	const struct conf_option *option;
	const struct conf_flag *flag;
	size_t i;

	for (i = 0; i < request->flag_count; i++) {
		flag = &request->flags[i];
		option = conf_option_find(flag->name);
		if (option == NULL)
			return error_set(err, ERROR_USAGE,
			    "there is no option --%s", flag->name);
		if (conf_option_check(option, flag->value, false, err) < 0) {
			error_prefix(err, "--%s", flag->name);
			return usage_error(err);
		}
		conf_source_add(&l->flags, option, flag->value);
	}
	return 0;
}

static bool is_address(const char *arg)
{
	return strncasecmp(arg, "s3:", 3) == 0 || strstr(arg, "://") != NULL;
}

/* LOCAL s3://BUCKET/PREFIX: a pair without a section in the file. */
static int add_pair_of_args(struct loader *l, struct error *err)
{
	const char *const *args = l->request->args;
	const struct conf_option *local = conf_option_find("local");
	const struct conf_option *remote = conf_option_find("remote");
	struct conf_section *s;

	if (l->request->arg_count != 2 || is_address(args[0]))
		return error_set(err, ERROR_USAGE,
		    "an address has a local directory before it and nothing "
		    "after it: LOCAL s3://BUCKET/PREFIX");
	if (conf_option_check(local, args[0], false, err) < 0 ||
	    conf_option_check(remote, args[1], false, err) < 0)
		return usage_error(err);
	s = add_pair(l, NULL, 0);
	s->selected = true;
	conf_source_add(s, local, args[0]);
	conf_source_add(s, remote, args[1]);
	return 0;
}

static int take_args(struct loader *l, struct error *err)
{
	const struct conf_request *request = l->request;
	size_t i;

	for (i = 0; i < request->arg_count; i++)
		if (is_address(request->args[i]))
			return add_pair_of_args(l, err);
	if (request->arg_count == 0 &&
	    conf_source_value(&l->flags, conf_option_find("local")) != NULL &&
	    conf_source_value(&l->flags, conf_option_find("remote")) != NULL)
		add_pair(l, NULL, 0)->selected = true;
	return 0;
}

/* The file. */

static int check_name(const char *name, struct error *err)
{
	if (name[strspn(name, CONF_NAME_CHARACTERS)] != '\0' ||
	    strchr(".-", name[0]) != NULL || strlen(name) > CONF_NAME_MAX)
		return error_set(err, ERROR_CONFIG,
		    "'%s' is no name for a pair: at most %d of A-Z a-z 0-9 . "
		    "_ -, the first neither . nor -",
		    name, CONF_NAME_MAX);
	return 0;
}

static struct conf_section *find_pair(const struct loader *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->count; i++)
		if (l->pairs[i].name != NULL &&
		    strcmp(l->pairs[i].name, name) == 0)
			return &l->pairs[i];
	return NULL;
}

static int read_pair_section(struct loader *l, const char *name, int line,
    struct error *err)
{
	const struct conf_section *before = find_pair(l, name);

	if (check_name(name, err) < 0)
		return -1;
	if (before != NULL)
		return error_set(err, ERROR_CONFIG,
		    "[pair %s] is there already, in line %d", name,
		    before->line);
	l->in_defaults = false;
	add_pair(l, name, line);
	return 0;
}

static int read_section(void *arg, const char *section, int line,
    struct error *err)
{
	struct loader *l = arg;
	const char *name = section + strlen("pair");

	if (strcmp(section, "defaults") == 0) {
		if (l->defaults.line != 0)
			return error_set(err, ERROR_CONFIG,
			    "[defaults] is there already, in line %d",
			    l->defaults.line);
		l->in_defaults = true;
		l->defaults.line = line;
		return 0;
	}
	if (strncmp(section, "pair", strlen("pair")) == 0 &&
	    strspn(name, " \t") > 0 && name[strspn(name, " \t")] != '\0')
		return read_pair_section(l, name + strspn(name, " \t"), line,
		    err);
	return error_set(err, ERROR_CONFIG,
	    "there is no section [%s]: expected [defaults] or [pair NAME]",
	    section);
}

static int unknown_key(const char *key, struct error *err)
{
	const struct conf_option *option;
	char hint[SUGGEST_MAX];
	struct suggest s;
	size_t i;

	suggest_init(&s, key);
	for (i = 0; (option = conf_option_at(i)) != NULL; i++)
		suggest_offer(&s, option->name);
	return error_set(err, ERROR_CONFIG, "there is no key '%s'%s", key,
	    suggest_text(&s, hint));
}

static int read_key(void *arg, const char *section, const char *key,
    const char *value, int line, struct error *err)
{
	struct loader *l = arg;
	const struct conf_option *option = conf_option_find(key);

	(void)line;
	if (*section == '\0')
		return error_set(err, ERROR_CONFIG,
		    "'%s' stands before [defaults] and any [pair NAME]", key);
	if (option == NULL || strcmp(option->name, key) != 0)
		return unknown_key(key, err);
	if (option->global && !l->in_defaults)
		return error_set(err, ERROR_CONFIG,
		    "'%s' is for all pairs: it belongs to [defaults]", key);
	if (conf_option_check(option, value, true, err) < 0)
		return error_prefix(err, "%s", key);
	conf_source_add(l->in_defaults ? &l->defaults : &l->pairs[l->count - 1],
	    option, value);
	return 0;
}

static bool is_repeatable(const char *key)
{
	const struct conf_option *option = conf_option_find(key);

	return option != NULL && option->repeatable;
}

static char *user_file(void)
{
	return conf_pair_xdg_path("XDG_CONFIG_HOME", ".config",
	    "s3sync/s3sync.conf");
}

/* Of the usual places, one that this user may not read is as good as absent:
 * it is not meant for them. */
static bool is_usable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ||
	    (errno != ENOENT && errno != ENOTDIR && errno != EACCES);
}

static char *find_file(const struct conf_request *request)
{
	char *path;

	if (request->path != NULL)
		return alloc_string(request->path);
	if (is_usable(system_file))
		return alloc_string(system_file);
	path = user_file();
	if (is_usable(path))
		return path;
	free(path);
	return NULL;
}

static int read_file(struct loader *l, struct error *err)
{
	l->path = find_file(l->request);
	if (l->path == NULL)
		return 0;
	return ini_read(l->path, read_section, read_key, is_repeatable, l, err);
}

/* Which pairs the request is about. */

static int nothing_to_do(const struct loader *l, struct error *err)
{
	char *path;

	if (l->path != NULL)
		return error_set(err, ERROR_USAGE,
		    "%s has no [pair NAME], and no LOCAL s3://BUCKET/PREFIX "
		    "is given",
		    l->path);
	path = user_file();
	error_set(err, ERROR_USAGE,
	    "no LOCAL s3://BUCKET/PREFIX is given, and no configuration file "
	    "is there to be read: neither %s nor %s",
	    system_file, path);
	free(path);
	return -1;
}

static int unknown_pair(const struct loader *l, const char *name,
    struct error *err)
{
	struct strbuf known = STRBUF_INIT(1024);
	size_t i;

	for (i = 0; i < l->count; i++)
		strbuf_addf(&known, "%s%s", i == 0 ? "" : ", ",
		    l->pairs[i].name);
	if (l->path == NULL)
		nothing_to_do(l, err);
	else if (l->count == 0)
		error_set(err, ERROR_USAGE, "%s has no pairs", l->path);
	else
		error_set(err, ERROR_USAGE, "%s has these pairs: %s", l->path,
		    strbuf_text(&known));
	strbuf_release(&known);
	return error_prefix(err, "there is no pair '%s'", name);
}

/* Where the command line is a pair itself, it stands first and alone. */
static void drop_pairs_of_file(struct loader *l)
{
	while (l->count > 1)
		conf_source_release(&l->pairs[--l->count]);
}

static int select_pairs(struct loader *l, struct error *err)
{
	const struct conf_request *request = l->request;
	struct conf_section *s;
	size_t i;

	if (request->arg_count == 0 && l->count == 0)
		return nothing_to_do(l, err);
	for (i = 0; request->arg_count == 0 && i < l->count; i++)
		l->pairs[i].selected = true;
	for (i = 0; i < request->arg_count; i++) {
		s = find_pair(l, request->args[i]);
		if (s == NULL)
			return unknown_pair(l, request->args[i], err);
		s->selected = true;
	}
	return 0;
}

/* From sections to pairs. */

static struct conf_source source_of(const struct loader *l,
    const struct conf_section *s)
{
	struct conf_source from = { .count = 0 };

	from.sections[from.count++] = &l->defaults;
	from.sections[from.count++] = s;
	if (s->selected)
		from.sections[from.count++] = &l->flags;
	return from;
}

/* Says where the pair is written. */
static int about_pair(const struct loader *l, const struct conf_section *s,
    struct error *err)
{
	if (s->name == NULL)
		return -1;
	return error_prefix(err, "%s:%d: [pair %s]", l->path, s->line, s->name);
}

static void keep_selected(struct conf *conf, const struct loader *l)
{
	size_t i, kept = 0;

	for (i = 0; i < conf->count; i++) {
		if (l->pairs[i].selected)
			conf->pairs[kept++] = conf->pairs[i];
		else
			conf_pair_release(&conf->pairs[i]);
	}
	conf->count = kept;
}

/* All of the file are built, so that what they share is seen; an env_file,
 * which may be somebody else's, is read for those only that are asked for. */
static int build_pairs(struct loader *l, struct conf *conf, struct error *err)
{
	struct conf_section *s;
	struct conf_source from;
	bool reads;
	size_t culprit;

	conf->pairs = alloc_zero(l->count, sizeof(*conf->pairs));
	while (conf->count < l->count) {
		s = &l->pairs[conf->count];
		from = source_of(l, s);
		reads = s->selected &&
		    !(l->request->manifests_only && s->name != NULL);
		if (conf_pair_build(&conf->pairs[conf->count++], &from, s->name,
			reads, err) < 0)
			return about_pair(l, s, err);
	}
	if (conf_check_pairs(conf, &culprit, err) < 0)
		return about_pair(l, &l->pairs[culprit], err);
	keep_selected(conf, l);
	return 0;
}

static int build_globals(struct loader *l, struct conf *conf, struct error *err)
{
	const struct conf_section none = { .selected = true };
	struct conf_source from = source_of(l, &none);
	const struct conf_option *option;
	struct env *env = env_new();
	int rc = 0;
	size_t i;

	from.env = env;
	for (i = 0; (option = conf_option_at(i)) != NULL && rc == 0; i++)
		if (option->global)
			rc = conf_source_set(&from, option, conf, NULL, err);
	env_free(env);
	return rc;
}

static int load(struct loader *l, struct conf *conf, struct error *err)
{
	bool is_pair_itself;

	if (take_flags(l, err) < 0 || take_args(l, err) < 0)
		return -1;
	is_pair_itself = l->count > 0;
	if (read_file(l, err) < 0)
		return -1;
	if (is_pair_itself)
		drop_pairs_of_file(l);
	else if (select_pairs(l, err) < 0)
		return -1;
	if (build_globals(l, conf, err) < 0 || build_pairs(l, conf, err) < 0)
		return -1;
	if (l->path != NULL)
		conf->path = alloc_string(l->path);
	return 0;
}

int conf_load(struct conf *conf, const struct conf_request *request,
    struct error *err)
{
	struct loader l = { .request = request };
	size_t i;
	int rc;

	*conf = (struct conf){ .count = 0 };
	rc = load(&l, conf, err);
	if (rc < 0)
		conf_release(conf);
	for (i = 0; i < l.count; i++)
		conf_source_release(&l.pairs[i]);
	free(l.pairs);
	conf_source_release(&l.flags);
	conf_source_release(&l.defaults);
	free(l.path);
	return rc;
}

void conf_release(struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->count; i++)
		conf_pair_release(&conf->pairs[i]);
	free(conf->pairs);
	free(conf->path);
	conf_option_release_globals(conf);
	*conf = (struct conf){ .count = 0 };
}
