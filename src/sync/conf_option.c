/* SPDX-License-Identifier: MIT */
/*
 * The one table of options: what each is called, where its value goes, how it
 * is read and what it is when nobody says. A new option is a row here, a field
 * in conf.h and a paragraph in s3sync.conf(5).
 */
#include "sync/conf_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/strbuf.h"

struct choice {
	const char *name; /* NULL: past the end */
	int value;
};

struct rule {
	struct conf_option option;
	size_t offset; /* of the field, in struct conf or struct conf_pair */
	int (*parse)(const struct rule *rule, const char *value, bool in_file,
	    void *field, struct error *err);
	const char *least, *most;     /* of durations, counts and rates */
	const struct choice *choices; /* of words */
};

static const struct choice modes[] = {
	{ "existence", MODE_EXISTENCE },
	{ NULL, 0 },
};

static const struct choice addressings[] = {
	{ "auto", S3_ADDRESSING_AUTO },
	{ "path", S3_ADDRESSING_PATH },
	{ "virtual", S3_ADDRESSING_VIRTUAL },
	{ NULL, 0 },
};

static const struct choice signings[] = {
	{ "auto", S3_SIGNING_AUTO },
	{ "payload", S3_SIGNING_PAYLOAD },
	{ "headers", S3_SIGNING_HEADERS },
	{ "no", S3_SIGNING_NONE },
	{ NULL, 0 },
};

static const struct choice switches[] = {
	{ "no", false },
	{ "yes", true },
	{ "false", false }, /* as the AWS tools write them */
	{ "true", true },
	{ NULL, 0 },
};

static const struct choice checksums[] = {
	{ "none", S3_CHECKSUM_NONE },
	{ "crc32c", S3_CHECKSUM_CRC32C },
	{ "sha256", S3_CHECKSUM_SHA256 },
	{ "crc64nvme", S3_CHECKSUM_CRC64NVME },
	{ NULL, 0 },
};

static const struct choice etags[] = {
	{ "auto", false },
	{ "opaque", true },
	{ NULL, 0 },
};

/* Words that go to the server as they are. */
static const struct choice encryptions[] = {
	{ "AES256", 0 },
	{ "aws:kms", 0 },
	{ "aws:kms:dsse", 0 },
	{ NULL, 0 },
};

static const struct choice acls[] = {
	{ "private", 0 },
	{ "public-read", 0 },
	{ "public-read-write", 0 },
	{ "authenticated-read", 0 },
	{ "aws-exec-read", 0 },
	{ "bucket-owner-read", 0 },
	{ "bucket-owner-full-control", 0 },
	{ NULL, 0 },
};

static const struct choice log_formats[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ NULL, 0 },
};

static const struct choice log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
	{ NULL, 0 },
};

static void replace(char **field, char *value)
{
	free(*field);
	*field = value;
}

/* -1: *err tells the words that there are. */
static int find_choice(const struct rule *rule, const char *value,
    const struct choice **found, struct error *err)
{
	struct strbuf known = STRBUF_INIT(CONF_TEXT_MAX);
	const struct choice *c;

	for (c = rule->choices; c->name != NULL; c++) {
		if (strcmp(c->name, value) == 0) {
			*found = c;
			strbuf_release(&known);
			return 0;
		}
		strbuf_addf(&known, "%s%s", c == rule->choices ? "" : ", ",
		    c->name);
	}
	if (c == rule->choices + 1)
		error_set(err, ERROR_CONFIG,
		    "'%s': this version knows only '%s'", value,
		    strbuf_text(&known));
	else
		error_set(err, ERROR_CONFIG, "'%s' is none of %s", value,
		    strbuf_text(&known));
	strbuf_release(&known);
	return -1;
}

static int parse_choice(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	const struct choice *c;

	(void)in_file;
	if (find_choice(rule, value, &c, err) < 0)
		return -1;
	*(int *)field = c->value;
	return 0;
}

static int parse_word(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	const struct choice *c;

	(void)in_file;
	if (*value != '\0' && find_choice(rule, value, &c, err) < 0)
		return -1;
	replace(field, *value != '\0' ? alloc_string(value) : NULL);
	return 0;
}

static int64_t duration_ns(const char *text)
{
	int64_t ns = 0;

	clock_parse_duration(text, &ns);
	return ns;
}

static int parse_duration(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	int64_t ns;

	(void)in_file;
	if (clock_parse_duration(value, &ns) < 0)
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not a duration like 500ms, 90s, 5m, 2h or 1d",
		    value);
	if (ns < duration_ns(rule->least) || ns > duration_ns(rule->most))
		return error_set(err, ERROR_CONFIG, "'%s' is not from %s to %s",
		    value, rule->least, rule->most);
	*(int64_t *)field = ns;
	return 0;
}

static int64_t count_of(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		return -1;
	return n;
}

static int parse_count(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	int64_t n = count_of(value);

	(void)in_file;
	if (n < count_of(rule->least) || n > count_of(rule->most))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not a whole number from %s to %s", value,
		    rule->least, rule->most);
	*(int64_t *)field = n;
	return 0;
}

static int parse_size(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	int64_t least = 0, most = 0, bytes = 0;

	(void)in_file;
	human_parse_bytes(rule->least, &least);
	human_parse_bytes(rule->most, &most);
	if (human_parse_bytes(value, &bytes) < 0 || bytes < least ||
	    bytes > most)
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not a size like 16M from %s to %s", value,
		    rule->least, rule->most);
	*(int64_t *)field = bytes;
	return 0;
}

static int parse_rate(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	int64_t least = 0, bytes = 0;

	(void)in_file;
	human_parse_bytes(rule->least, &least);
	if (strcmp(value, "off") != 0 &&
	    (human_parse_bytes(value, &bytes) < 0 || bytes < least))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is neither 'off' nor bytes per second like 500K, "
		    "1.5M or 10M, at least %s",
		    value, rule->least);
	*(int64_t *)field = bytes;
	return 0;
}

/* "~/" is the home directory. A daemon has no directory of its own that a
 * relative path in a file could start from; a command line has. */
static int parse_path(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	struct strbuf path = STRBUF_INIT(CONF_TEXT_MAX);

	(void)rule;
	if (value[0] == '~') {
		if (value[1] != '/' && value[1] != '\0')
			return error_set(err, ERROR_CONFIG,
			    "'%s': of '~' only '~/' is understood", value);
		strbuf_adds(&path, env_home());
		value++;
	} else if (in_file && value[0] != '/' && value[0] != '\0') {
		return error_set(err, ERROR_CONFIG,
		    "'%s' is a relative path; a configuration file needs one "
		    "that begins with '/' or '~/'",
		    value);
	}
	strbuf_adds(&path, value);
	if (strbuf_overflowed(&path)) {
		strbuf_release(&path);
		return error_set(err, ERROR_CONFIG, "the path is too long");
	}
	replace(field, path.len > 0 ? strbuf_detach(&path) : NULL);
	strbuf_release(&path);
	return 0;
}

static int parse_local(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	char **local = field;
	size_t len;

	if (parse_path(rule, value, in_file, field, err) < 0)
		return -1;
	if (*local == NULL)
		return error_set(err, ERROR_CONFIG, "a directory is needed");
	for (len = strlen(*local); len > 1 && (*local)[len - 1] == '/'; len--)
		(*local)[len - 1] = '\0';
	return 0;
}

static int parse_remote(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	struct strbuf text = STRBUF_INIT(CONF_TEXT_MAX);
	char *bucket, *prefix;

	(void)rule;
	(void)in_file;
	if (conf_remote_parse(value, &bucket, &prefix, err) < 0)
		return -1;
	strbuf_addf(&text, "s3://%s/%s", bucket, prefix);
	replace(field, strbuf_detach(&text));
	free(bucket);
	free(prefix);
	return 0;
}

static int parse_text(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	(void)err;
	replace(field, *value != '\0' ? alloc_string(value) : NULL);
	return 0;
}

static int parse_log_file(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	if (strcmp(value, "stderr") == 0)
		value = "";
	if (strcmp(value, "syslog") != 0)
		return parse_path(rule, value, in_file, field, err);
	replace(field, alloc_string(value));
	return 0;
}

static bool is_made_of(const char *text, const char *allowed)
{
	return text[strspn(text, allowed)] == '\0';
}

/* It goes into a header line. */
static bool is_visible(const char *text)
{
	while (*text > ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

/* Servers other than AWS may have classes of their own: conf_pair.c knows
 * which server it is. */
static int parse_storage_class(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	if (!is_made_of(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not the name of a storage class like STANDARD_IA",
		    value);
	replace(field, *value != '\0' ? alloc_string(value) : NULL);
	return 0;
}

static int parse_key_id(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	if (!is_visible(value))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not the id, the ARN or the alias/NAME of a key",
		    value);
	replace(field, *value != '\0' ? alloc_string(value) : NULL);
	return 0;
}

static int parse_content_type(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	const char *slash = strchr(value, '/');

	(void)rule;
	(void)in_file;
	if (*value == '\0')
		value = "auto";
	else if (strcmp(value, "auto") != 0 && strcmp(value, "none") != 0 &&
	    (slash == NULL || slash == value || !is_visible(slash) ||
		slash[1] == '\0' || strchr(slash + 1, '/') != NULL))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is neither auto nor none nor a media type like "
		    "text/plain", value);
	replace(field, alloc_string(value));
	return 0;
}

/* A region is part of host names and of signatures. */
static int parse_region(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	if (!is_made_of(value,
		"abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))
		return error_set(err, ERROR_CONFIG,
		    "'%s' is not the name of a region like eu-west-1", value);
	replace(field, *value != '\0' ? alloc_string(value) : NULL);
	return 0;
}

/* A password in it is refused, and shown to nobody. */
static int parse_url(const struct rule *rule, const char *value, bool in_file,
    void *field, struct error *err)
{
	const char *host;
	size_t len = strlen(value);
	char *url;

	(void)rule;
	(void)in_file;
	if (len == 0) {
		replace(field, NULL);
		return 0;
	}
	host = strstr(value, "://");
	host = host != NULL ? host + 3 : value;
	if (strchr(host, '@') != NULL)
		return error_set(err, ERROR_CONFIG,
		    "a URL must not hold a user or a password");
	if (strncmp(value, "http://", 7) != 0 &&
	    strncmp(value, "https://", 8) != 0)
		return error_set(err, ERROR_CONFIG,
		    "'%s' does not begin with https:// or http://", value);
	if (*host == '\0' || *host == '/' || *host == ':')
		return error_set(err, ERROR_CONFIG, "'%s' names no host",
		    value);
	if (strpbrk(host, "?# \t") != NULL)
		return error_set(err, ERROR_CONFIG,
		    "'%s': expected https://HOST[:PORT][/PATH]", value);
	url = alloc_string(value);
	while (url[len - 1] == '/')
		url[--len] = '\0';
	replace(field, url);
	return 0;
}

static int add_pattern(struct conf_patterns *patterns, bool include,
    const char *glob, struct error *err)
{
	struct filter *trial = filter_new();
	int rc = filter_add(trial, include, glob, err);

	filter_free(trial);
	if (rc < 0)
		return -1;
	ALLOC_GROW(patterns->items, patterns->count + 1, patterns->room);
	patterns->items[patterns->count].include = include;
	patterns->items[patterns->count++].glob = alloc_string(glob);
	return 0;
}

static int parse_include(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	return add_pattern(field, true, value, err);
}

static int parse_exclude(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	(void)rule;
	(void)in_file;
	return add_pattern(field, false, value, err);
}

static void clear_words(struct conf_words *words)
{
	size_t i;

	for (i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct conf_words){ .count = 0 };
}

static int parse_suffixes(const struct rule *rule, const char *value,
    bool in_file, void *field, struct error *err)
{
	struct conf_words *words = field;
	size_t len;
	char *word;

	(void)rule;
	(void)in_file;
	clear_words(words);
	for (value += strspn(value, " \t"); *value != '\0';
	     value += strspn(value, " \t")) {
		len = strcspn(value, " \t");
		if (memchr(value, '/', len) != NULL)
			return error_set(err, ERROR_CONFIG,
			    "'%.*s': a suffix has no '/'", (int)len, value);
		word = alloc_copy(value, len + 1);
		word[len] = '\0';
		ALLOC_GROW(words->items, words->count + 1, words->room);
		words->items[words->count++] = word;
		value += len;
	}
	return 0;
}

#define IN_PAIR(field_) .offset = offsetof(struct conf_pair, field_)
#define IN_CONF(field_) .offset = offsetof(struct conf, field_)

/* clang-format off */
static const struct rule rules[] = {
	{ { .name = "local", .argument = "DIR",
	    .help = "the local root" },
	    IN_PAIR(local), parse_local },
	{ { .name = "remote", .argument = "s3://BUCKET/PREFIX",
	    .help = "the remote prefix" },
	    IN_PAIR(remote), parse_remote },
	{ { .name = "interval", .argument = "DURATION", .fallback = "60s",
	    .help = "between the starts of a daemon's cycles" },
	    IN_PAIR(interval_ns), parse_duration, "100ms", "365d" },
	{ { .name = "mode", .argument = "MODE", .fallback = "existence",
	    .help = "copy what the other side lacks, overwrite nothing" },
	    IN_PAIR(mode), parse_choice, .choices = modes },
	{ { .name = "include", .argument = "GLOB", .repeatable = true,
	    .help = "keep what an earlier pattern excludes" },
	    IN_PAIR(patterns), parse_include },
	{ { .name = "exclude", .argument = "GLOB", .repeatable = true,
	    .fallback = "temp_*",
	    .help = "leave these alone; the last match decides" },
	    IN_PAIR(patterns), parse_exclude },
	{ { .name = "done_suffixes", .argument = "SUFFIX...",
	    .help = "KEY is finished where KEY + SUFFIX exists" },
	    IN_PAIR(done_suffixes), parse_suffixes },
	{ { .name = "settle", .argument = "DURATION", .fallback = "2s",
	    .help = "files younger than this wait" },
	    IN_PAIR(settle_ns), parse_duration, "0s", "1d" },
	{ { .name = "jobs", .argument = "COUNT", .fallback = "32",
	    .help = "transfers at once" },
	    IN_PAIR(jobs), parse_count, "1", "1024" },
	{ { .name = "multipart_threshold", .argument = "SIZE",
	    .fallback = "64M",
	    .help = "files from this size on are moved in parts" },
	    IN_PAIR(multipart_threshold), parse_size, "5M", "5G" },
	{ { .name = "part_size", .argument = "SIZE", .fallback = "16M",
	    .help = "of these parts" },
	    IN_PAIR(part_size), parse_size, "5M", "5G" },
	{ { .name = "bwlimit_up", .argument = "RATE", .fallback = "off",
	    .help = "bytes per second of uploads, as 500K or 1.5M" },
	    IN_PAIR(bwlimit_up), parse_rate, "1K" },
	{ { .name = "bwlimit_down", .argument = "RATE", .fallback = "off",
	    .help = "the same of downloads" },
	    IN_PAIR(bwlimit_down), parse_rate, "1K" },
	{ { .name = "endpoint_url", .argument = "URL",
	    .environment = { "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL" },
	    .aws_key = "endpoint_url",
	    .help = "a server other than AWS" },
	    IN_PAIR(endpoint_url), parse_url },
	{ { .name = "region", .argument = "REGION",
	    .environment = { "AWS_REGION", "AWS_DEFAULT_REGION" },
	    .aws_key = "region",
	    .help = "where the bucket is" },
	    IN_PAIR(region), parse_region },
	{ { .name = "addressing", .argument = "STYLE", .fallback = "auto",
	    .aws_key = "s3.addressing_style",
	    .help = "the bucket in the path or in the host: auto, path, "
	            "virtual" },
	    IN_PAIR(addressing), parse_choice, .choices = addressings },
	{ { .name = "use_dualstack_endpoint", .argument = "yes|no",
	    .fallback = "no",
	    .environment = { "AWS_USE_DUALSTACK_ENDPOINT" },
	    .aws_key = "use_dualstack_endpoint",
	    .help = "AWS over IPv6, too" },
	    IN_PAIR(dualstack), parse_choice, .choices = switches },
	{ { .name = "use_fips_endpoint", .argument = "yes|no",
	    .fallback = "no", .environment = { "AWS_USE_FIPS_ENDPOINT" },
	    .aws_key = "use_fips_endpoint",
	    .help = "AWS's endpoints with FIPS 140 cryptography" },
	    IN_PAIR(fips), parse_choice, .choices = switches },
	{ { .name = "use_accelerate_endpoint", .argument = "yes|no",
	    .fallback = "no", .aws_key = "s3.use_accelerate_endpoint",
	    .help = "AWS's nearest edge, where the bucket allows it" },
	    IN_PAIR(accelerate), parse_choice, .choices = switches },
	{ { .name = "sign", .argument = "WHAT", .fallback = "auto",
	    .help = "auto, payload, headers, no" },
	    IN_PAIR(sign), parse_choice, .choices = signings },
	{ { .name = "profile", .argument = "NAME",
	    .help = "of ~/.aws/config and ~/.aws/credentials" },
	    IN_PAIR(profile), parse_text },
	{ { .name = "probe", .argument = "yes|no", .fallback = "yes",
	    .help = "try which conditional writes the server honours" },
	    IN_PAIR(probe), parse_choice, .choices = switches },
	{ { .name = "ca_bundle", .argument = "FILE",
	    .environment = { "AWS_CA_BUNDLE" }, .aws_key = "ca_bundle",
	    .help = "certificates to trust instead of the system's" },
	    IN_PAIR(ca_bundle), parse_path },
	{ { .name = "storage_class", .argument = "CLASS",
	    .help = "of what is uploaded" },
	    IN_PAIR(storage_class), parse_storage_class },
	{ { .name = "sse", .argument = "HOW",
	    .help = "how the server encrypts it: AES256, aws:kms, "
	            "aws:kms:dsse" },
	    IN_PAIR(sse), parse_word, .choices = encryptions },
	{ { .name = "sse_kms_key_id", .argument = "KEY",
	    .help = "with which key" },
	    IN_PAIR(sse_kms_key_id), parse_key_id },
	{ { .name = "acl", .argument = "ACL",
	    .help = "who may read it: a canned ACL" },
	    IN_PAIR(acl), parse_word, .choices = acls },
	{ { .name = "content_type", .argument = "TYPE", .fallback = "auto",
	    .help = "its media type: auto (by extension), none, TYPE" },
	    IN_PAIR(content_type), parse_content_type },
	{ { .name = "checksum", .argument = "KIND", .fallback = "none",
	    .help = "checked by both ends: crc32c, sha256, crc64nvme, none" },
	    IN_PAIR(checksum), parse_choice, .choices = checksums },
	{ { .name = "etags", .argument = "KIND", .fallback = "auto",
	    .help = "auto (learned), opaque (never an MD5)" },
	    IN_PAIR(etags_opaque), parse_choice, .choices = etags },
	{ { .name = "requester_pays", .argument = "yes|no", .fallback = "no",
	    .help = "pay for requests to a bucket whose owner does not" },
	    IN_PAIR(requester_pays), parse_choice, .choices = switches },
	{ { .name = "timeout", .argument = "DURATION", .fallback = "30s",
	    .help = "give a request up when no byte moved for so long" },
	    IN_PAIR(timeout_ns), parse_duration, "1s", "1h" },
	{ { .name = "attempts", .argument = "COUNT", .fallback = "8",
	    .help = "tries of a request, the first included" },
	    IN_PAIR(attempts), parse_count, "1", "100" },
	{ { .name = "state", .argument = "FILE",
	    .help = "the manifest" },
	    IN_PAIR(state), parse_path },
	{ { .name = "env_file", .argument = "FILE",
	    .help = "KEY=value lines that stand behind the environment" },
	    IN_PAIR(env_file), parse_path },
	{ { .name = "log_file", .argument = "FILE", .fallback = "stderr",
	    .global = true, .help = "or stderr, or syslog" },
	    IN_CONF(log_file), parse_log_file },
	{ { .name = "log_format", .argument = "FORMAT", .fallback = "text",
	    .global = true, .help = "text, json" },
	    IN_CONF(log_format), parse_choice, .choices = log_formats },
	{ { .name = "log_level", .argument = "LEVEL", .fallback = "info",
	    .global = true, .help = "error, warning, info, debug" },
	    IN_CONF(log_level), parse_choice, .choices = log_levels },
};
/* clang-format on */

const struct conf_option *conf_option_at(size_t index)
{
	if (index >= sizeof(rules) / sizeof(rules[0]))
		return NULL;
	return &rules[index].option;
}

static bool is_name(const char *known, const char *name)
{
	while (*name != '\0' &&
	    (*known == *name || (*known == '_' && *name == '-'))) {
		known++;
		name++;
	}
	return *known == *name;
}

const struct conf_option *conf_option_find(const char *name)
{
	const struct conf_option *option;
	size_t i;

	for (i = 0; (option = conf_option_at(i)) != NULL; i++)
		if (is_name(option->name, name))
			return option;
	return NULL;
}

int conf_option_set(const struct conf_option *option, const char *value,
    bool in_file, struct conf *conf, struct conf_pair *pair, struct error *err)
{
	const struct rule *rule = (const struct rule *)option;
	char *base = option->global ? (char *)conf : (char *)pair;

	return rule->parse(rule, value, in_file, base + rule->offset, err);
}

int conf_option_check(const struct conf_option *option, const char *value,
    bool in_file, struct error *err)
{
	struct conf conf = { .path = NULL };
	struct conf_pair pair = { .name = NULL };
	int rc = conf_option_set(option, value, in_file, &conf, &pair, err);

	conf_option_release_pair(&pair);
	conf_option_release_globals(&conf);
	return rc;
}

void conf_option_release_pair(struct conf_pair *pair)
{
	size_t i;

	free(pair->local);
	free(pair->remote);
	for (i = 0; i < pair->patterns.count; i++)
		free(pair->patterns.items[i].glob);
	free(pair->patterns.items);
	clear_words(&pair->done_suffixes);
	free(pair->endpoint_url);
	free(pair->region);
	free(pair->profile);
	free(pair->ca_bundle);
	free(pair->storage_class);
	free(pair->sse);
	free(pair->sse_kms_key_id);
	free(pair->acl);
	free(pair->content_type);
	free(pair->state);
	free(pair->env_file);
}

void conf_option_release_globals(struct conf *conf)
{
	free(conf->log_file);
}
