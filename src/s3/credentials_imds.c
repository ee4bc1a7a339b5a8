/* SPDX-License-Identifier: MIT */
/* EC2: the instance metadata service gives the credentials of the instance's
 * role. Version 2, which wants a token; version 1 only where there is no other
 * and it is not forbidden. */
#include "s3/credentials_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"

#define TOKEN_PATH "/latest/api/token"
#define ROLE_PATH "/latest/meta-data/iam/security-credentials/"
#define TTL "X-aws-ec2-metadata-token-ttl-seconds: 21600"
#define IPV4 "http://169.254.169.254"
#define IPV6 "http://[fd00:ec2::254]"
#define TEXT_MAX ((size_t)64 << 10)
#define MINUTE_NS (60 * CLOCK_SECOND)

struct imds {
	const struct credentials_search *search;
	struct strbuf base;   /* without a '/' at its end */
	bool named;           /* somebody said that it is there */
	int64_t timeout_ns;
	int attempts;
	struct strbuf token;  /* the header; empty: version 1 */
};

/* Seconds, or a count; ${fallback} where nobody says, or nonsense. */
static long number(const struct credentials_search *s, const char *variable,
    const char *key, long fallback)
{
	const char *text = credentials_option(s, variable, key);
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	return text && *end == '\0' && n > 0 && n <= 60 ? n : fallback;
}

static int set_up(struct imds *m, struct error *err)
{
	const struct credentials_search *s = m->search;
	const char *base = credentials_option(s,
	    "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
	const char *mode = credentials_option(s,
	    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
	    "ec2_metadata_service_endpoint_mode");

	if (mode && strcasecmp(mode, "ipv4") != 0 &&
	    strcasecmp(mode, "ipv6") != 0)
		return error_set(err, ERROR_CREDENTIALS,
		    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 "
		    "nor IPv6");
	m->named = base != NULL;
	if (!base)
		base = mode && strcasecmp(mode, "ipv6") == 0 ? IPV6 : IPV4;
	strbuf_adds(&m->base, base);
	while (m->base.len > 0 && m->base.buf[m->base.len - 1] == '/')
		strbuf_truncate(&m->base, m->base.len - 1);
	m->timeout_ns = number(s, "AWS_METADATA_SERVICE_TIMEOUT",
	    "metadata_service_timeout", 1) * CLOCK_SECOND;
	m->attempts = (int)number(s, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
	    "metadata_service_num_attempts", 1);
	return 0;
}

static int ask(const struct imds *m, const char *method, const char *path,
    const char *name, const char *header, struct fetch_reply *reply,
    struct error *err)
{
	struct strbuf url = STRBUF_INIT(TEXT_MAX);
	struct fetch_request request = { .method = method,
		.headers = { header },
		.body = strcmp(method, "PUT") == 0 ? "" : NULL,
		.timeout_ns = m->timeout_ns, .attempts = m->attempts };
	int rc;

	strbuf_addf(&url, "%s%s%s", strbuf_text(&m->base), path, name);
	request.url = strbuf_text(&url);
	rc = credentials_fetch(m->search, &request, reply, err);
	strbuf_release(&url);
	return rc;
}

static void note(const struct imds *m, const char *why)
{
	strbuf_addf(m->search->notes, "; instance metadata: %s", why);
}

/* Nobody is there: as on every machine that is not at Amazon. Or somebody is,
 * whose reply does not get here. */
static int no_token(const struct imds *m, const struct fetch_reply *reply,
    struct error *err)
{
	if (err->kind == ERROR_STOPPED)
		return -1;
	if (!reply->connected && !m->named) {
		note(m, err->text);
		return 0;
	}
	if (!reply->connected)
		return -1;
	return error_prefix(err, "in a container, raise the instance's "
	    "hop limit (aws ec2 modify-instance-metadata-options "
	    "--http-put-response-hop-limit 2), or set "
	    "AWS_EC2_METADATA_DISABLED=true");
}

static bool is_without_version_2(int status)
{
	return status == 403 || status == 404 || status == 405;
}

static int take_token(struct imds *m, const struct fetch_reply *reply,
    struct error *err)
{
	const char *forbidden = credentials_option(m->search,
	    "AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled");

	if (reply->status == 200 && reply->body.len > 0 &&
	    credentials_is_header(strbuf_text(&reply->body))) {
		strbuf_addf(&m->token, "X-aws-ec2-metadata-token: %s",
		    strbuf_text(&reply->body));
		return 1;
	}
	if (reply->status == 200)
		return error_set(err, ERROR_CREDENTIALS,
		    "what it gives as a token is none");
	if (!is_without_version_2(reply->status))
		return error_set(err, ERROR_CREDENTIALS,
		    "it gives no token (HTTP %d)", reply->status);
	if (aws_config_is_true(forbidden))
		return error_set(err, ERROR_CREDENTIALS,
		    "it speaks version 1 only (HTTP %d), which "
		    "AWS_EC2_METADATA_V1_DISABLED forbids", reply->status);
	return 1;
}

static int get_token(struct imds *m, struct error *err)
{
	struct fetch_reply reply;
	int rc = ask(m, "PUT", TOKEN_PATH, "", TTL, &reply, err);

	rc = rc ? no_token(m, &reply, err) : take_token(m, &reply, err);
	fetch_release(&reply);
	return rc;
}

static const char *token_header(const struct imds *m)
{
	return m->token.len > 0 ? strbuf_text(&m->token) : NULL;
}

static int get_role(struct imds *m, struct strbuf *role, struct error *err)
{
	struct fetch_reply reply;
	int rc = ask(m, "GET", ROLE_PATH, "", token_header(m), &reply, err);

	/* No role is not a broken one; where the metadata are switched off,
	 * or somebody else is at their address, it is the same. */
	if (rc == 0 && (reply.status == 404 || reply.status == 403)) {
		note(m, reply.status == 404 ? "the instance has no role" :
		    "refused (HTTP 403)");
		fetch_release(&reply);
		return 0;
	}
	if (rc == 0 && reply.status == 200) {
		const char *text = strbuf_text(&reply.body);

		strbuf_add(role, text, strcspn(text, "\r\n"));
	}
	if (rc == 0 && (role->len == 0 ||
	    !credentials_is_header(strbuf_text(role)) ||
	    strpbrk(strbuf_text(role), "/?#%<>{}\"")))
		rc = error_set(err, ERROR_CREDENTIALS,
		    "it names no role (HTTP %d)", reply.status);
	fetch_release(&reply);
	return rc ? -1 : 1;
}

/*
 * It may be late with new ones; those it gives are good for the time being,
 * whatever they say of themselves. This is what AWS calls static stability.
 */
static void extend(struct s3_credentials *out)
{
	int64_t now = clock_wall_ns();

	if (!out->expires_ns || out->expires_ns > now)
		return;
	log_warning("instance metadata: its credentials have expired, and are "
	    "used until there are others");
	out->expires_ns = now + 15 * MINUTE_NS +
	    (int64_t)(clock_random() % (uint64_t)(10 * MINUTE_NS));
}

static int take_keys(const struct fetch_reply *reply,
    struct s3_credentials *out, struct error *err)
{
	static const struct credentials_names names = { "AccessKeyId",
		"SecretAccessKey", "Token", "Expiration" };
	json_t *object = credentials_json(strbuf_text(&reply->body),
	    reply->body.len, err);
	const char *code = credentials_json_text(object, "Code");
	const char *message = credentials_json_text(object, "Message");
	struct strbuf said = STRBUF_INIT(1024);
	int rc;

	if (code && strcmp(code, "Success") != 0) {
		credentials_add_foreign(&said, code);
		strbuf_adds(&said, message ? ": " : "");
		credentials_add_foreign(&said, message ? message : "");
		rc = error_set(err, ERROR_CREDENTIALS, "%s",
		    strbuf_text(&said));
	} else if (reply->status != 200) {
		rc = error_set(err, ERROR_CREDENTIALS, "HTTP %d",
		    reply->status);
	} else {
		rc = object ? credentials_set_json(out, object, &names, err) :
		    -1;
	}
	strbuf_release(&said);
	json_free_secret(object);
	return rc;
}

static int get_keys(struct imds *m, const char *role,
    struct s3_credentials *out, struct error *err)
{
	struct fetch_reply reply;
	int rc = ask(m, "GET", ROLE_PATH, role, token_header(m), &reply, err);

	if (rc == 0)
		rc = take_keys(&reply, out, err);
	fetch_release(&reply);
	if (rc)
		return error_prefix(err, "the keys of role %s", role);
	extend(out);
	credentials_say(out, "role %s of this instance (metadata)", role);
	return 1;
}

int credentials_imds_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	struct imds m = { .search = s, .base = STRBUF_INIT(TEXT_MAX),
		.token = STRBUF_INIT(TEXT_MAX) };
	struct strbuf role = STRBUF_INIT(1024);
	int rc;

	if (aws_config_is_true(env_get(s->request->env,
	    "AWS_EC2_METADATA_DISABLED"))) {
		note(&m, "AWS_EC2_METADATA_DISABLED");
		return 0;
	}
	rc = set_up(&m, err) ? -1 : get_token(&m, err);
	if (rc > 0)
		rc = get_role(&m, &role, err);
	if (rc > 0)
		rc = get_keys(&m, strbuf_text(&role), out, err);
	strbuf_release(&m.base);
	strbuf_wipe(&m.token);
	strbuf_release(&role);
	return rc;
}
