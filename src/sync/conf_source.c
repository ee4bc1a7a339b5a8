/* SPDX-License-Identifier: MIT */
/* Who has the say: flag, pair, defaults, environment, profile of the AWS tools,
 * built-in default. */
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

/* What the environment says, or behind it the profile; and which of their
 * words it was. */
static const char *value_behind(const struct conf_source *from,
    const struct conf_option *option, const char **word)
{
	size_t i;

	/* Of this one there is more than one key, and a way to ignore all. */
	if (strcmp(option->name, "endpoint_url") == 0)
		return aws_config_endpoint(from->aws, from->env, from->profile,
		    "s3", word);
	for (i = 0; i < CONF_VARIABLES && option->environment[i] != NULL; i++) {
		*word = option->environment[i];
		if (env_get(from->env, *word) != NULL)
			return env_get(from->env, *word);
	}
	*word = option->aws_key;
	return option->aws_key == NULL
	    ? NULL
	    : aws_config_get(from->aws, AWS_CONFIG_PROFILE, from->profile,
		  option->aws_key);
}

static int set_unsaid(const struct conf_source *from,
    const struct conf_option *option, struct conf *conf, struct conf_pair *pair,
    struct error *err)
{
	const char *word;
	const char *value = value_behind(from, option, &word);

	if (value == NULL)
		return option->fallback == NULL
		    ? 0
		    : conf_option_set(option, option->fallback, false, conf,
			  pair, err);
	if (conf_option_set(option, value, false, conf, pair, err) == 0)
		return 0;
	if (strncmp(word, "AWS_", 4) == 0)
		return error_prefix(err, "%s", word);
	return error_prefix(err, "%s: profile '%s': %s",
	    aws_config_path(from->aws, AWS_CONFIG_CONFIG), from->profile, word);
}

/* Settings were checked where they were read: only what is behind can fail. */
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
	return set_unsaid(from, option, conf, pair, err);
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
