/* SPDX-License-Identifier: MIT */
/* What pairs must not share, and where manifests and logs must not be. */
#include "sync/conf_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

struct ends { /* canonical */
	char *local;
	char *state;
};

static char *absolute_path(const char *path)
{
	struct strbuf text = STRBUF_INIT(CONF_TEXT_MAX);
	char *here = path[0] == '/' ? NULL : realpath(".", NULL);

	if (here != NULL)
		strbuf_addf(&text, "%s/", here);
	strbuf_adds(&text, path);
	free(here);
	return strbuf_detach(&text);
}

/* The longest part that exists is resolved; the rest stays as it is. */
char *conf_check_canonical(const char *path)
{
	struct strbuf text = STRBUF_INIT(CONF_TEXT_MAX);
	char *whole = absolute_path(path);
	size_t cut = strlen(whole);
	char *head, *real;

	do {
		head = alloc_copy(whole, cut + 1);
		head[cut] = '\0';
		real = realpath(cut > 0 ? head : "/", NULL);
		free(head);
		while (real == NULL && cut > 0 && whole[--cut] != '/')
			;
	} while (real == NULL);
	if (strcmp(real, "/") != 0 || whole[cut] == '\0')
		strbuf_adds(&text, real);
	strbuf_adds(&text, whole + cut);
	free(real);
	free(whole);
	return strbuf_detach(&text);
}

/* Is ${path} ${directory} or below it? */
static bool is_within(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	if (strcmp(directory, "/") == 0)
		len = 0;
	return strcmp(path, directory) == 0 ||
	    path_is_below(path, strlen(path), directory, len);
}

static bool is_same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool remotes_overlap(const struct conf_pair *a,
    const struct conf_pair *b)
{
	size_t a_len = strlen(a->prefix), b_len = strlen(b->prefix);

	return is_same_text(a->endpoint_url, b->endpoint_url) &&
	    strcmp(a->bucket, b->bucket) == 0 &&
	    strncmp(a->prefix, b->prefix, a_len < b_len ? a_len : b_len) == 0;
}

/* One root with two prefixes, or two roots with one prefix, have a meaning;
 * the same files by two ways have none. */
static int check_two(const struct conf_pair *pairs, const struct ends *ends,
    size_t a, size_t b, struct error *err)
{
	if (strcmp(ends[a].state, ends[b].state) == 0)
		return error_set(err, ERROR_CONFIG,
		    "its state %s is also that of pair %s", pairs[b].state,
		    pairs[a].name);
	if (remotes_overlap(&pairs[a], &pairs[b]) &&
	    (is_within(ends[a].local, ends[b].local) ||
		is_within(ends[b].local, ends[a].local)))
		return error_set(err, ERROR_CONFIG,
		    "both its ends overlap with those of pair %s",
		    pairs[a].name);
	return 0;
}

/* Pair ${i} by itself, and with each before it. */
static int check_pair(const struct conf_pair *pairs, const struct ends *ends,
    size_t i, struct error *err)
{
	size_t j;

	if (is_within(ends[i].state, ends[i].local))
		return error_set(err, ERROR_CONFIG,
		    "the state %s lies inside the local root %s: choose "
		    "another place for it (state, --state)",
		    pairs[i].state, pairs[i].local);
	for (j = 0; j < i; j++)
		if (check_two(pairs, ends, j, i, err) < 0)
			return -1;
	return 0;
}

/* Is what lies at ${path}, below the root ${local}, never synced? */
static bool is_left_out(const struct conf_pair *pair, const char *local,
    const char *path)
{
	struct filter_memo memo = { .valid = false };
	const char *key = path + strlen(local);
	size_t len;

	key += strspn(key, "/");
	len = strlen(key);
	return path_check(key, len, strlen(pair->prefix)) ==
	    PATH_RESERVED_NAME ||
	    filter_excludes_key(pair->filter, &memo, key, len);
}

/* Each cycle would find it changed, by the lines of that cycle itself. */
static int check_log(const struct conf_pair *pair, const struct ends *ends,
    const char *log_file, struct error *err)
{
	char *path;
	int rc = 0;

	if (log_file == NULL || strcmp(log_file, "syslog") == 0)
		return 0;
	path = conf_check_canonical(log_file);
	if (is_within(path, ends->local) &&
	    !is_left_out(pair, ends->local, path))
		rc = error_set(err, ERROR_CONFIG,
		    "the log %s lies inside the local root %s: choose another "
		    "place for it (log_file, --log-file), or exclude it",
		    log_file, pair->local);
	free(path);
	return rc;
}

int conf_check_pairs(const struct conf *conf, size_t *culprit,
    struct error *err)
{
	const struct conf_pair *pairs = conf->pairs;
	size_t i, count = conf->count;
	struct ends *ends = alloc_zero(count, sizeof(*ends));
	int rc = 0;

	for (i = 0; i < count; i++) {
		ends[i].local = conf_check_canonical(pairs[i].local);
		ends[i].state = conf_check_canonical(pairs[i].state);
	}
	for (i = 0; i < count && rc == 0; i++) {
		*culprit = i;
		rc = check_pair(pairs, ends, i, err);
		if (rc == 0)
			rc = check_log(&pairs[i], &ends[i], conf->log_file,
			    err);
	}
	for (i = 0; i < count; i++) {
		free(ends[i].local);
		free(ends[i].state);
	}
	free(ends);
	return rc;
}
