/* SPDX-License-Identifier: MIT */
/* Who asks: the providers in their order, and what they share. */
#include "s3/credentials_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "s3/endpoint.h"

#define NOTES_MAX ((size_t)1024)
#define SAID_MAX ((size_t)512)
#define FOREIGN_MAX 300
#define URL_MAX ((size_t)8192)
#define STS_REGION "us-east-1" /* where the global one is */

static int find_login(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	(void)out;
	if (!credentials_setting(s, "login_session"))
		return 0;
	return error_set(err, ERROR_CREDENTIALS, "it signs in by `aws login`, "
	    "which binds keys to the AWS tools: set credential_process = aws "
	    "configure export-credentials --profile %s --format process in "
	    "another profile, and use that one", s->profile);
}

/* In the order of botocore's create_credential_resolver. */
static const struct provider {
	const char *name;    /* before the message where it does not work */
	credentials_provider_fn *find;
	bool of_profile;     /* may stand behind a source_profile, too */
} providers[] = {
	{ "the environment", credentials_env_find, false },
	{ "role of profile", credentials_role_find, false },
	{ "web identity", credentials_web_find, true },
	{ "SSO of profile", credentials_sso_find, true },
	{ "keys of profile", credentials_file_find, true },
	{ "login of profile", find_login, true },
	{ "credential_process of profile", credentials_process_find, true },
	{ "keys of profile", credentials_file_find_config, true },
	{ "container credentials", credentials_container_find, false },
	{ "instance metadata", credentials_imds_find, false },
};
#define PROVIDERS (sizeof(providers) / sizeof(*providers))

static bool names_profile(const char *name)
{
	return strstr(name, "profile") != NULL;
}

/* 1, 0 or -1, as its providers. */
static int find(const struct credentials_search *s, bool of_profile,
    struct s3_credentials *out, struct error *err)
{
	for (size_t i = 0; i < PROVIDERS; i++) {
		const struct provider *p = &providers[i];
		int rc;

		if (of_profile && !p->of_profile)
			continue;
		rc = p->find(s, out, err);
		if (rc > 0)
			return 1;
		if (rc == 0) {
			log_debug("no credentials from %s%s%s", p->name,
			    names_profile(p->name) ? " " : "",
			    names_profile(p->name) ? s->profile : "");
			continue;
		}
		s3_credentials_release(out);
		if (err->kind == ERROR_STOPPED)
			return -1;
		err->kind = ERROR_CREDENTIALS;
		if (names_profile(p->name))
			return error_prefix(err, "%s '%s'", p->name,
			    s->profile);
		return error_prefix(err, "%s", p->name);
	}
	return 0;
}

int credentials_find_of_profile(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	return find(s, true, out, err);
}

/* A profile that somebody named must be there. */
static int check_profile(const struct credentials_search *s, struct error *err)
{
	const char *by = s->request->profile ? "profile" :
	    env_get(s->request->env, "AWS_PROFILE") ? "AWS_PROFILE" :
	    "AWS_DEFAULT_PROFILE";

	if (strcmp(s->profile, "default") == 0 ||
	    aws_config_has(s->config, AWS_CONFIG_PROFILE, s->profile))
		return 0;
	return error_set(err, ERROR_CREDENTIALS, "profile '%s' is neither in "
	    "%s nor in %s: correct %s, or make it by `aws configure --profile "
	    "%s`", s->profile,
	    aws_config_path(s->config, AWS_CONFIG_CREDENTIALS),
	    aws_config_path(s->config, AWS_CONFIG_CONFIG), by, s->profile);
}

static int none_found(const struct credentials_search *s, struct error *err)
{
	return error_set(err, ERROR_CREDENTIALS,
	    "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
	    "in the environment or in the file that env_file names, or see "
	    "`aws configure`: profile '%s' has none in %s and %s%s",
	    s->profile, aws_config_path(s->config, AWS_CONFIG_CREDENTIALS),
	    aws_config_path(s->config, AWS_CONFIG_CONFIG),
	    strbuf_text(s->notes));
}

int s3_credentials_find(const struct s3_credentials_request *request,
    struct s3_credentials *out, struct error *err)
{
	struct strbuf notes = STRBUF_INIT(NOTES_MAX);
	struct aws_config *config;
	struct credentials_search s = { .request = request, .notes = &notes,
		.profile_only = request->profile != NULL };
	int rc;

	memset(out, 0, sizeof(*out));
	if (aws_config_load(&config, request->env, err)) {
		err->kind = ERROR_CREDENTIALS;
		return -1;
	}
	s.config = config;
	s.profile = aws_config_profile(request->env, request->profile);
	rc = check_profile(&s, err);
	if (rc == 0)
		rc = find(&s, false, out, err);
	if (rc == 0)
		rc = none_found(&s, err);
	strbuf_release(&notes);
	aws_config_free(config);
	return rc > 0 ? 0 : -1;
}

static char *copy(const char *text)
{
	return text ? alloc_string(text) : NULL;
}

void s3_credentials_copy(struct s3_credentials *to,
    const struct s3_credentials *from)
{
	to->access_key = copy(from->access_key);
	to->secret_key = copy(from->secret_key);
	to->session_token = copy(from->session_token);
	to->expires_ns = from->expires_ns;
	to->source = copy(from->source);
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

bool s3_credentials_equal(const struct s3_credentials *a,
    const struct s3_credentials *b)
{
	return same(a->access_key, b->access_key) &&
	    same(a->secret_key, b->secret_key) &&
	    same(a->session_token, b->session_token);
}

void s3_credentials_release(struct s3_credentials *c)
{
	secret_free(&c->access_key);
	secret_free(&c->secret_key);
	secret_free(&c->session_token);
	free(c->source);
	memset(c, 0, sizeof(*c));
}

/* ---- what providers share ----------------------------------------------- */

bool credentials_is_header(const char *text)
{
	while (*text > ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

static int take(char **to, const struct credentials_part *part,
    struct error *err)
{
	if (!credentials_is_header(part->value))
		return error_set(err, ERROR_CREDENTIALS,
		    "%s holds a blank or a character that no key has: set it "
		    "again", part->name);
	*to = alloc_string(part->value);
	return 0;
}

int credentials_set(struct s3_credentials *out,
    const struct credentials_part *access,
    const struct credentials_part *secret,
    const struct credentials_part *token,
    const struct credentials_part *expiration, struct error *err)
{
	if (!access->value || !secret->value)
		return error_set(err, ERROR_CREDENTIALS, "%s is missing",
		    access->value ? secret->name : access->name);
	if (take(&out->access_key, access, err) ||
	    take(&out->secret_key, secret, err) ||
	    (token->value && take(&out->session_token, token, err)))
		return -1;
	if (expiration->value &&
	    credentials_parse_time(expiration->value, &out->expires_ns))
		return error_set(err, ERROR_CREDENTIALS,
		    "%s is no time like 2026-11-22T16:38:01Z",
		    expiration->name);
	return 0;
}

void credentials_say(struct s3_credentials *out, const char *format, ...)
{
	struct strbuf said = STRBUF_INIT(SAID_MAX);
	va_list ap;

	va_start(ap, format);
	strbuf_vaddf(&said, format, ap);
	va_end(ap);
	free(out->source);
	out->source = strbuf_detach(&said);
}

/* "+05:30" in minutes; -1: it is none. */
static int parse_offset(const char *text, int *minutes)
{
	int sign = *text == '-' ? -1 : 1;

	if (strlen(text) != 6)
		return -1;
	for (int i = 1; i < 6; i++)
		if (i == 3 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
			return -1;
	*minutes = sign * (((text[1] - '0') * 10 + text[2] - '0') * 60 +
	    (text[4] - '0') * 10 + text[5] - '0');
	return 0;
}

int credentials_parse_time(const char *text, int64_t *wall_ns)
{
	char utc[CLOCK_ISO_MAX];
	size_t len = strcspn(text, "Z+U");
	int minutes = 0;

	/* A '-' before the time of day is part of the date. */
	if (text[len] == '\0' && len > 19 && strchr(text + 19, '-'))
		len = (size_t)(strchr(text + 19, '-') - text);
	if (len + 2 > sizeof(utc))
		return -1;
	memcpy(utc, text, len);
	memcpy(utc + len, "Z", 2);
	if (strcmp(text + len, "Z") != 0 && strcmp(text + len, "UTC") != 0 &&
	    parse_offset(text + len, &minutes))
		return -1;
	if (clock_parse_iso(utc, wall_ns))
		return -1;
	*wall_ns -= minutes * 60 * CLOCK_SECOND;
	return 0;
}

json_t *credentials_json(const char *text, size_t len, struct error *err)
{
	json_error_t where;
	json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);

	if (json_is_object(object))
		return object;
	json_decref(object);
	error_set(err, ERROR_CREDENTIALS, "it is not a JSON object");
	return NULL;
}

const char *credentials_json_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

int credentials_set_json(struct s3_credentials *out, const json_t *object,
    const struct credentials_names *names, struct error *err)
{
	const struct credentials_part access = { names->access,
		credentials_json_text(object, names->access) };
	const struct credentials_part secret = { names->secret,
		credentials_json_text(object, names->secret) };
	const struct credentials_part token = { names->token,
		credentials_json_text(object, names->token) };
	const struct credentials_part expiration = { names->expiration,
		credentials_json_text(object, names->expiration) };

	return credentials_set(out, &access, &secret, &token, &expiration, err);
}

void credentials_add_foreign(struct strbuf *out, const char *text)
{
	for (size_t i = 0; text[i] && i < FOREIGN_MAX; i++)
		strbuf_addc(out, text[i] < ' ' || text[i] > '~' ? ' ' :
		    text[i]);
}

const char *credentials_setting(const struct credentials_search *s,
    const char *key)
{
	return aws_config_get(s->config, AWS_CONFIG_PROFILE, s->profile, key);
}

const char *credentials_option(const struct credentials_search *s,
    const char *variable, const char *key)
{
	const char *value = env_get(s->request->env, variable);

	return value ? value : credentials_setting(s, key);
}

void credentials_add_url(const struct credentials_search *s,
    struct strbuf *url, const char *service, const char *host,
    const char *region)
{
	const char *configured = aws_config_endpoint(s->config,
	    s->request->env, s->profile, service, NULL);
	char *own = endpoint_of_service(host, region, s->request->dualstack,
	    s->request->fips);

	strbuf_adds(url, configured ? configured : own);
	free(own);
	while (url->len > 0 && url->buf[url->len - 1] == '/')
		strbuf_truncate(url, url->len - 1);
}

int credentials_fetch(const struct credentials_search *s,
    struct fetch_request *request, struct fetch_reply *reply,
    struct error *err)
{
	request->stopped = s->request->stopped;
	request->arg = s->request->arg;
	return fetch_run(request, reply, err);
}

/* The regional STS, which is nearer and outlives trouble elsewhere; without a
 * region the global one. */
int credentials_assume(const struct credentials_search *s,
    struct sts_assume *assume, struct s3_credentials *out, struct error *err)
{
	struct strbuf url = STRBUF_INIT(URL_MAX);
	const char *from = NULL;
	const char *configured = aws_config_endpoint(s->config,
	    s->request->env, s->profile, "sts", &from);
	int rc;

	assume->region = s->request->region;
	if (!assume->region)
		assume->region = credentials_setting(s, "region");
	if (configured || assume->region)
		credentials_add_url(s, &url, "sts", "sts", assume->region ?
		    assume->region : STS_REGION);
	else
		strbuf_adds(&url, "https://sts.amazonaws.com");
	if (!assume->region)
		assume->region = STS_REGION;
	assume->url = strbuf_text(&url);
	assume->ca_bundle = s->request->ca_bundle;
	assume->env = s->request->env;
	assume->timeout_ns = s->request->timeout_ns;
	assume->stopped = s->request->stopped;
	assume->arg = s->request->arg;
	rc = sts_assume(assume, out, err);
	if (rc && from && err->kind == ERROR_NETWORK)
		error_prefix(err, "STS, by %s", from);
	strbuf_release(&url);
	return rc;
}
