/* SPDX-License-Identifier: MIT */
/* Who has the say: flag, pair, defaults, environment, built-in default. */
#include "sync/conf_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void conf_source_add(struct conf_section *s, const struct conf_option *option,
    const char *value)
{
	ALLOC_GROW(s->items, s->count + 1, s->room);
	s->items[s->count].option = option;
	s->items[s->count++].value = alloc_string(value);
}

void conf_source_release(struct conf_section *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->items[i].value);
	free(s->items);
	free(s->name);
}

const char *conf_source_value(const struct conf_section *s,
    const struct conf_option *option)
{
	size_t i;

	for (i = s->count; i > 0; i--)
		if (s->items[i - 1].option == option)
			return s->items[i - 1].value;
	return NULL;
}

static bool ignores_endpoints(const struct env *env)
{
	const char *value = env_get(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");

	return value != NULL && strcasecmp(value, "true") == 0;
}

/* The variable that stands in for ${option}; NULL: none is set. */
static const char *variable_of(const struct env *env,
    const struct conf_option *option)
{
	size_t i;

	if (strcmp(option->name, "endpoint_url") == 0 && ignores_endpoints(env))
		return NULL;
	for (i = 0; i < CONF_VARIABLES && option->environment[i] != NULL; i++)
		if (env_get(env, option->environment[i]) != NULL)
			return option->environment[i];
	return NULL;
}

static int set_unsaid(const struct conf_option *option, const struct env *env,
    struct conf *conf, struct conf_pair *pair, struct error *err)
{
	const char *name = variable_of(env, option);

	if (name != NULL) {
		if (conf_option_set(option, env_get(env, name), false, conf,
			pair, err) < 0)
			return error_prefix(err, "%s", name);
	} else if (option->fallback != NULL) {
		return conf_option_set(option, option->fallback, false, conf,
		    pair, err);
	}
	return 0;
}

/* Settings were checked where they were read: only a variable can fail. */
int conf_source_set(const struct conf_source *from,
    const struct conf_option *option, struct conf *conf, struct conf_pair *pair,
    struct error *err)
{
	const char *value;
	size_t i;

	for (i = from->count; i > 0; i--) {
		value = conf_source_value(from->sections[i - 1], option);
		if (value != NULL)
			return conf_option_set(option, value, false, conf, pair,
			    err);
	}
	return set_unsaid(option, from->env, conf, pair, err);
}

static int add_fallbacks(struct conf_pair *pair, struct error *err)
{
	const struct conf_option *option;
	size_t i;

	for (i = 0; (option = conf_option_at(i)) != NULL; i++)
		if (option->repeatable && option->fallback != NULL &&
		    conf_option_set(option, option->fallback, false, NULL, pair,
			err) < 0)
			return -1;
	return 0;
}

static int add_all_of(const struct conf_section *s, struct conf_pair *pair,
    struct error *err)
{
	const struct conf_setting *item;
	size_t i;

	for (i = 0; i < s->count; i++) {
		item = &s->items[i];
		if (item->option->repeatable &&
		    conf_option_set(item->option, item->value, false, NULL,
			pair, err) < 0)
			return -1;
	}
	return 0;
}

int conf_source_set_repeatable(const struct conf_source *from,
    struct conf_pair *pair, struct error *err)
{
	size_t i;

	if (add_fallbacks(pair, err) < 0)
		return -1;
	for (i = 0; i < from->count; i++)
		if (add_all_of(from->sections[i], pair, err) < 0)
			return -1;
	return 0;
}
