/* SPDX-License-Identifier: MIT */
/* IAM Identity Center: the token of somebody who is logged in gives a role's
 * credentials. */
#include "s3/credentials_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "s3/sigv4.h"

#define TEXT_MAX ((size_t)64 << 10)

struct sso {
	const struct credentials_search *search;
	const char *session;     /* [sso-session …]; NULL: settings of old */
	const char *start_url, *region, *account, *role;
};

static const char *setting(const struct sso *sso, const char *key)
{
	return sso->session ? aws_config_get(sso->search->config,
	    AWS_CONFIG_SSO_SESSION, sso->session, key) :
	    credentials_setting(sso->search, key);
}

static int lacks(const struct sso *sso, const char *key, struct error *err)
{
	if (sso->session && strcmp(key, "sso_account_id") != 0 &&
	    strcmp(key, "sso_role_name") != 0)
		return error_set(err, ERROR_CREDENTIALS, "%s is not set in "
		    "[sso-session %s]: see `aws configure sso`", key,
		    sso->session);
	return error_set(err, ERROR_CREDENTIALS, "%s is not set: see `aws "
	    "configure sso --profile %s`", key, sso->search->profile);
}

static int read_settings(struct sso *sso, struct error *err)
{
	sso->session = credentials_setting(sso->search, "sso_session");
	sso->account = credentials_setting(sso->search, "sso_account_id");
	sso->role = credentials_setting(sso->search, "sso_role_name");
	sso->start_url = setting(sso, "sso_start_url");
	sso->region = setting(sso, "sso_region");
	if (!sso->account)
		return lacks(sso, "sso_account_id", err);
	if (!sso->role)
		return lacks(sso, "sso_role_name", err);
	if (!sso->start_url)
		return lacks(sso, "sso_start_url", err);
	if (!sso->region)
		return lacks(sso, "sso_region", err);
	return 0;
}

static void add_url(const struct sso *sso, struct strbuf *url)
{
	credentials_add_url(sso->search, url, "sso", "portal.sso", sso->region);
	strbuf_adds(url, "/federation/credentials?role_name=");
	sigv4_encode(url, sso->role, strlen(sso->role), false);
	strbuf_adds(url, "&account_id=");
	sigv4_encode(url, sso->account, strlen(sso->account), false);
}

/* It has the time in ms, and names of its own. */
static int take_reply(const struct fetch_reply *reply,
    struct s3_credentials *out, struct error *err)
{
	static const struct credentials_names names = { "accessKeyId",
		"secretAccessKey", "sessionToken", "none" };
	json_t *object = credentials_json(strbuf_text(&reply->body),
	    reply->body.len, err);
	const json_t *keys = json_object_get(object, "roleCredentials");
	int64_t expires_ms =
	    json_integer_value(json_object_get(keys, "expiration"));
	int rc = object ? credentials_set_json(out, keys, &names, err) : -1;

	if (rc == 0 && (expires_ms <= 0 || expires_ms > INT64_MAX / CLOCK_MS))
		rc = error_set(err, ERROR_CREDENTIALS, "expiration is missing");
	if (rc == 0)
		out->expires_ns = expires_ms * CLOCK_MS;
	json_free_secret(object);
	return rc;
}

static int refused(const struct sso *sso, const struct fetch_reply *reply,
    struct error *err)
{
	struct error unused = ERROR_INIT;
	json_t *object = credentials_json(strbuf_text(&reply->body),
	    reply->body.len, &unused);
	const char *message = credentials_json_text(object, "message");
	struct strbuf said = STRBUF_INIT(512);

	credentials_add_foreign(&said, message ? message : "it does not say why");
	if (reply->status == 401)
		credentials_sso_token_lost(sso->search,
		    "the portal no longer knows the session", err);
	else
		error_set(err, ERROR_CREDENTIALS, "the portal refuses role "
		    "'%s' in account %s (HTTP %d): %s", sso->role,
		    sso->account, reply->status, strbuf_text(&said));
	strbuf_release(&said);
	json_free_secret(object);
	return -1;
}

static int ask(const struct sso *sso, const char *token,
    struct s3_credentials *out, struct error *err)
{
	struct strbuf url = STRBUF_INIT(TEXT_MAX);
	struct strbuf header = STRBUF_INIT(TEXT_MAX);
	struct fetch_request request = { .method = "GET", .attempts = 3,
		.ca_bundle = sso->search->request->ca_bundle,
		.env = sso->search->request->env,
		.timeout_ns = sso->search->request->timeout_ns };
	struct fetch_reply reply;
	int rc;

	add_url(sso, &url);
	strbuf_addf(&header, "x-amz-sso_bearer_token: %s", token);
	request.url = strbuf_text(&url);
	request.headers[0] = strbuf_text(&header);
	rc = credentials_fetch(sso->search, &request, &reply, err);
	if (rc == 0 && reply.status != 200)
		rc = refused(sso, &reply, err);
	else if (rc == 0 && (rc = take_reply(&reply, out, err)))
		error_prefix(err, "the reply of the portal is not to be used");
	fetch_release(&reply);
	strbuf_release(&url);
	strbuf_wipe(&header);
	return rc;
}

int credentials_sso_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	struct sso sso = { .search = s };
	char *token = NULL;
	int rc;

	/* A profile may have a session for other services alone. */
	if (!credentials_setting(s, "sso_account_id") &&
	    !credentials_setting(s, "sso_role_name"))
		return 0;
	if (read_settings(&sso, err) || credentials_sso_token_get(s,
	    sso.session ? sso.session : sso.start_url, sso.region, &token, err))
		return -1;
	rc = ask(&sso, token, out, err);
	secret_free(&token);
	if (rc)
		return -1;
	credentials_say(out, "SSO role %s in account %s, profile '%s'",
	    sso.role, sso.account, s->profile);
	return 1;
}
