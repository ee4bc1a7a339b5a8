/* SPDX-License-Identifier: MIT */
/* IAM Identity Center: the token that `aws sso login` left in ~/.aws/sso/cache
 * gives a role's credentials. */
#include "s3/credentials_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/secret.h"
#include "s3/endpoint.h"
#include "s3/sigv4.h"

#define CACHE_MAX ((size_t)256 << 10)
#define TEXT_MAX ((size_t)64 << 10)
#define SHA1_SIZE 20

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

static int log_in_again(const struct sso *sso, const char *what,
    struct error *err)
{
	return error_set(err, ERROR_CREDENTIALS, "%s: run `aws sso login "
	    "--profile %s`", what, sso->search->profile);
}

/* The AWS tools name the file by the SHA-1 of what is logged in to. */
static void add_cache_path(const struct sso *sso, struct strbuf *path)
{
	const char *name = sso->session ? sso->session : sso->start_url;
	unsigned char sum[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];
	size_t len = 0;

	if (!EVP_Q_digest(NULL, "SHA1", NULL, name, strlen(name), sum, &len) ||
	    len != sizeof(sum))
		abort();
	digest_hex(sum, sizeof(sum), hex);
	strbuf_addf(path, "%s/.aws/sso/cache/%s.json", env_home(), hex);
}

/* The token, malloc'ed. */
static int take_token(const struct sso *sso, const char *path,
    const json_t *cache, char **token, struct error *err)
{
	const char *text = credentials_json_text(cache, "accessToken");
	const char *expires = credentials_json_text(cache, "expiresAt");
	int64_t expires_ns;

	if (!text || !expires || !credentials_is_header(text) ||
	    credentials_parse_time(expires, &expires_ns)) {
		log_in_again(sso, "there is no token in it", err);
		return error_prefix(err, "%s", path);
	}
	if (expires_ns <= clock_wall_ns())
		return log_in_again(sso, "the session has expired", err);
	*token = alloc_string(text);
	return 0;
}

static int read_cache(const struct sso *sso, char **token, struct error *err)
{
	struct strbuf path = STRBUF_INIT(TEXT_MAX);
	json_t *cache = NULL;
	char *text;
	size_t len;
	int rc = -1;

	add_cache_path(sso, &path);
	if (fs_read_file(strbuf_text(&path), CACHE_MAX, ERROR_CREDENTIALS,
	    &text, &len, err)) {
		if (err->sys == ENOENT || err->sys == ENOTDIR)
			log_in_again(sso, "nobody has logged in", err);
		goto out;
	}
	cache = credentials_json(text, len, err);
	secret_free(&text);
	if (cache)
		rc = take_token(sso, strbuf_text(&path), cache, token, err);
	else
		error_prefix(err, "%s", strbuf_text(&path));
out:
	json_free_secret(cache);
	strbuf_release(&path);
	return rc;
}

static void add_url(const struct sso *sso, struct strbuf *url)
{
	const struct credentials_search *s = sso->search;
	const char *endpoint = aws_config_endpoint(s->config, s->request->env,
	    s->profile, "sso", NULL);
	size_t len = endpoint ? strlen(endpoint) : 0;

	while (len > 0 && endpoint[len - 1] == '/')
		len--;
	if (endpoint)
		strbuf_add(url, endpoint, len);
	else
		strbuf_addf(url, "https://portal.sso.%s.%s", sso->region,
		    endpoint_aws_suffix(sso->region));
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
		log_in_again(sso, "the portal no longer knows the session", err);
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
	if (read_settings(&sso, err) || read_cache(&sso, &token, err))
		return -1;
	rc = ask(&sso, token, out, err);
	secret_free(&token);
	if (rc)
		return -1;
	credentials_say(out, "SSO role %s in account %s, profile '%s'",
	    sso.role, sso.account, s->profile);
	return 1;
}
