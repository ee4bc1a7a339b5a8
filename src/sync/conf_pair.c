/* SPDX-License-Identifier: MIT */
/* One pair from all that is said about it. */
#include "sync/conf_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/strbuf.h"

static const char system_state[] = "/var/lib/s3sync";

/* What stands behind the environment, while a pair is made. */
struct behind {
	struct aws_config *config; /* NULL: its files are not read */
	char *profile;
};

/* The environment comes first, then the profile: they may stand in for any
 * other option. */
static int set_environment(struct conf_pair *pair, struct conf_source *from,
    bool read_files, struct behind *aws, struct error *err)
{
	pair->env = env_new();
	from->env = pair->env;
	if (conf_source_set(from, conf_option_find("env_file"), NULL, pair,
		err) < 0)
		return -1;
	if (!read_files)
		return 0;
	if ((pair->env_file != NULL &&
		env_read_file(pair->env, pair->env_file, err) < 0) ||
	    conf_source_set(from, conf_option_find("profile"), NULL, pair,
		err) < 0 ||
	    aws_config_load(&aws->config, pair->env, err) < 0)
		return -1;
	aws->profile =
	    alloc_string(aws_config_profile(pair->env, pair->profile));
	from->aws = aws->config;
	from->profile = aws->profile;
	return 0;
}

static int set_options(struct conf_pair *pair, const struct conf_source *from,
    struct error *err)
{
	const struct conf_option *option;
	size_t i;

	for (i = 0; (option = conf_option_at(i)) != NULL; i++)
		if (!option->global && !option->repeatable &&
		    conf_source_set(from, option, NULL, pair, err) < 0)
			return -1;
	if (conf_source_set_repeatable(from, pair, err) < 0)
		return -1;
	if (pair->local == NULL || pair->remote == NULL)
		return error_set(err, ERROR_CONFIG, "'%s' is not set",
		    pair->local == NULL ? "local" : "remote");
	return conf_remote_parse(pair->remote, &pair->bucket, &pair->prefix,
	    err);
}

/* AWS knows no other classes; who names an endpoint may have more. */
static int check_storage_class(const struct conf_pair *pair, struct error *err)
{
	static const char known[] =
	    " STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA "
	    "INTELLIGENT_TIERING GLACIER GLACIER_IR DEEP_ARCHIVE ";
	char word[sizeof(known)];

	if (pair->storage_class == NULL || pair->endpoint_url != NULL)
		return 0;
	snprintf(word, sizeof(word), " %s ", pair->storage_class);
	if (strstr(known, word) != NULL)
		return 0;
	return error_set(err, ERROR_CONFIG,
	    "storage_class: '%s' is none of%sthat AWS has (other servers may: "
	    "set endpoint_url)", pair->storage_class, known);
}

static int check_encryption(const struct conf_pair *pair, struct error *err)
{
	if (pair->sse_kms_key_id == NULL || (pair->sse != NULL &&
	    strncmp(pair->sse, "aws:kms", 7) == 0))
		return 0;
	return error_set(err, ERROR_CONFIG,
	    "sse_kms_key_id needs sse = aws:kms or sse = aws:kms:dsse%s%s",
	    pair->sse != NULL ? ", not " : "",
	    pair->sse != NULL ? pair->sse : "");
}

/* Eight hex digits that tell the two ends from all others. */
static void fingerprint(const struct conf_pair *pair, const char *local,
    char hex[9])
{
	const char *endpoint = pair->endpoint_url;
	unsigned char sum[DIGEST_SHA256_SIZE];
	struct strbuf text = STRBUF_INIT(2 * CONF_TEXT_MAX);

	strbuf_addf(&text, "%s\n%s\n%s\n%s", local,
	    endpoint != NULL ? endpoint : "", pair->bucket, pair->prefix);
	digest_once(DIGEST_SHA256, strbuf_text(&text), text.len, sum);
	digest_hex(sum, 4, hex);
	strbuf_release(&text);
}

/* "extracted-1f0c33aa": the same for the same two ends, from anywhere. */
static char *name_of_ends(const struct conf_pair *pair)
{
	char *local = conf_check_canonical(pair->local);
	const char *base = strrchr(local, '/') + 1;
	struct strbuf name = STRBUF_INIT(CONF_NAME_MAX);
	char hex[9];

	fingerprint(pair, local, hex);
	for (; *base != '\0' && name.len < CONF_NAME_MAX / 2; base++)
		strbuf_addc(&name,
		    strchr(CONF_NAME_CHARACTERS, *base) != NULL ? *base : '_');
	strbuf_addf(&name, "-%s", hex);
	if (strchr(".-", name.buf[0]) != NULL)
		name.buf[0] = '_';
	free(local);
	return strbuf_detach(&name);
}

char *conf_pair_xdg_path(const char *variable, const char *fallback,
    const char *name)
{
	struct strbuf path = STRBUF_INIT(CONF_TEXT_MAX);
	const char *directory = getenv(variable);

	if (directory != NULL && directory[0] == '/')
		strbuf_adds(&path, directory);
	else
		strbuf_addf(&path, "%s/%s", env_home(), fallback);
	strbuf_addf(&path, "/%s", name);
	return strbuf_detach(&path);
}

static char *default_state(const char *name)
{
	struct strbuf path = STRBUF_INIT(CONF_TEXT_MAX);
	char *result;

	if (geteuid() == 0) {
		strbuf_addf(&path, "%s/%s.db", system_state, name);
		return strbuf_detach(&path);
	}
	strbuf_addf(&path, "s3sync/%s.db", name);
	result = conf_pair_xdg_path("XDG_STATE_HOME", ".local/state",
	    strbuf_text(&path));
	strbuf_release(&path);
	return result;
}

static int build_filter(struct conf_pair *pair, struct error *err)
{
	const struct conf_pattern *pattern = pair->patterns.items;
	size_t i;

	pair->filter = filter_new();
	for (i = 0; i < pair->patterns.count; i++, pattern++)
		if (filter_add(pair->filter, pattern->include, pattern->glob,
			err) < 0)
			return -1;
	return 0;
}

int conf_pair_build(struct conf_pair *pair, struct conf_source *from,
    const char *name, bool read_files, struct error *err)
{
	struct behind aws = { NULL, NULL };
	int rc = -1;

	if (set_environment(pair, from, read_files, &aws, err) < 0 ||
	    set_options(pair, from, err) < 0 ||
	    check_storage_class(pair, err) < 0 ||
	    check_encryption(pair, err) < 0)
		goto out;
	pair->name = name != NULL ? alloc_string(name) : name_of_ends(pair);
	if (pair->state == NULL)
		pair->state = default_state(pair->name);
	rc = build_filter(pair, err);
out:
	aws_config_free(aws.config);
	free(aws.profile);
	return rc;
}

void conf_pair_release(struct conf_pair *pair)
{
	conf_option_release_pair(pair);
	free(pair->name);
	free(pair->bucket);
	free(pair->prefix);
	filter_free(pair->filter);
	env_free(pair->env);
}
