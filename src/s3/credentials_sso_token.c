/* SPDX-License-Identifier: MIT */
/*
 * The token that `aws sso login` left in ~/.aws/sso/cache. It lasts an hour or
 * so, and where it came with another to renew it, it is renewed, as the AWS
 * tools do; they find the new one in the same file.
 */
#include "s3/credentials_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/secret.h"

#define CACHE_MAX ((size_t)256 << 10)
#define TEXT_MAX ((size_t)64 << 10)
#define SHA1_SIZE 20
#define EARLY_NS (15 * 60 * CLOCK_SECOND) /* as botocore */

struct cache {
	const struct credentials_search *search;
	const char *region;
	struct strbuf path;
	json_t *object;
	const char *token; /* of the object */
	int64_t expires_ns;
};

int credentials_sso_token_lost(const struct credentials_search *s,
    const char *what, struct error *err)
{
	return error_set(err, ERROR_CREDENTIALS, "%s: run `aws sso login "
	    "--profile %s`", what, s->profile);
}

/* The AWS tools name the file by the SHA-1 of what is logged in to. */
static void add_path(struct strbuf *path, const char *name)
{
	unsigned char sum[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];
	size_t len = 0;

	if (!EVP_Q_digest(NULL, "SHA1", NULL, name, strlen(name), sum, &len) ||
	    len != sizeof(sum))
		alloc_failed();
	digest_hex(sum, sizeof(sum), hex);
	strbuf_addf(path, "%s/.aws/sso/cache/%s.json", env_home(), hex);
}

static int read_cache(struct cache *c, struct error *err)
{
	const char *path = strbuf_text(&c->path), *expires;
	char *text;
	size_t len;

	json_free_secret(c->object);
	c->object = NULL;
	if (fs_read_file(path, CACHE_MAX, ERROR_CREDENTIALS, &text, &len,
	    err)) {
		if (err->sys == ENOENT || err->sys == ENOTDIR)
			credentials_sso_token_lost(c->search,
			    "nobody has logged in", err);
		return -1;
	}
	c->object = credentials_json(text, len, err);
	secret_free(&text);
	if (!c->object)
		return error_prefix(err, "%s", path);
	c->token = credentials_json_text(c->object, "accessToken");
	expires = credentials_json_text(c->object, "expiresAt");
	if (c->token && expires && credentials_is_header(c->token) &&
	    credentials_parse_time(expires, &c->expires_ns) == 0)
		return 0;
	credentials_sso_token_lost(c->search, "there is no token in it", err);
	return error_prefix(err, "%s", path);
}

/* ---- a new one ---------------------------------------------------------- */

/* What the token came with, and what is asked with. */
static const char *const needed[] = { "clientId", "clientSecret",
	"refreshToken" };
#define NEEDED (sizeof(needed) / sizeof(*needed))

static bool may_renew(const struct cache *c)
{
	const char *until = credentials_json_text(c->object,
	    "registrationExpiresAt");
	int64_t until_ns;

	for (size_t i = 0; i < NEEDED; i++)
		if (!credentials_json_text(c->object, needed[i]))
			return false;
	return !until || credentials_parse_time(until, &until_ns) ||
	    until_ns > clock_wall_ns();
}

static char *make_body(const struct cache *c)
{
	json_t *body = json_object();
	char *text;

	json_put_text(body, "grantType", "refresh_token");
	for (size_t i = 0; i < NEEDED; i++)
		json_put_text(body, needed[i],
		    credentials_json_text(c->object, needed[i]));
	json_incref(body);
	text = json_text(body);
	json_free_secret(body);
	return text;
}

/* Into the cache's object, which keeps whatever else is in it. */
static int take_reply(struct cache *c, const struct fetch_reply *reply,
    struct error *err)
{
	json_t *object = credentials_json(strbuf_text(&reply->body),
	    reply->body.len, err);
	const char *token = credentials_json_text(object, "accessToken");
	const char *refresh = credentials_json_text(object, "refreshToken");
	int64_t seconds =
	    json_integer_value(json_object_get(object, "expiresIn"));
	char until[CLOCK_ISO_MAX];
	int rc = 0;

	if (!object || reply->status != 200 || !token || seconds <= 0 ||
	    seconds > INT32_MAX || !credentials_is_header(token)) {
		rc = error_set(err, ERROR_CREDENTIALS,
		    "the token is not renewed (HTTP %d)", reply->status);
	} else {
		c->expires_ns = clock_wall_ns() + seconds * CLOCK_SECOND;
		clock_format_utc(c->expires_ns - c->expires_ns % CLOCK_SECOND,
		    until);
		json_put_text(c->object, "accessToken", token);
		json_put_text(c->object, "expiresAt", until);
		if (refresh)
			json_put_text(c->object, "refreshToken", refresh);
		c->token = credentials_json_text(c->object, "accessToken");
	}
	json_free_secret(object);
	return rc;
}

static int ask(struct cache *c, struct error *err)
{
	struct strbuf url = STRBUF_INIT(TEXT_MAX);
	char *body = make_body(c);
	struct fetch_request request = { .method = "POST", .attempts = 3,
		.headers = { "Content-Type: application/json" }, .body = body,
		.ca_bundle = c->search->request->ca_bundle,
		.timeout_ns = c->search->request->timeout_ns };
	struct fetch_reply reply;
	int rc;

	credentials_add_url(c->search, &url, "sso_oidc", "oidc", c->region);
	strbuf_adds(&url, "/token");
	request.url = strbuf_text(&url);
	rc = credentials_fetch(c->search, &request, &reply, err);
	if (rc == 0)
		rc = take_reply(c, &reply, err);
	fetch_release(&reply);
	strbuf_release(&url);
	secret_free(&body);
	return rc;
}

/* Where the old one is used up, the AWS tools need the new one. */
static void write_cache(const struct cache *c)
{
	struct error err = ERROR_INIT;
	char *text;

	json_incref(c->object);
	text = json_text(c->object);
	if (fs_replace_file(strbuf_text(&c->path), text, strlen(text),
	    ERROR_CREDENTIALS, &err))
		log_warning("the SSO token was renewed, but the AWS tools do "
		    "not see it: %s", err.text);
	secret_free(&text);
}

/*
 * Another process may have renewed it meanwhile, and made what we have
 * worthless: then it is in the file. Else it is not renewed, and that is told
 * once it has expired.
 */
static int renew(struct cache *c, struct error *err)
{
	if (ask(c, err) == 0) {
		write_cache(c);
		return 0;
	}
	if (err->kind == ERROR_STOPPED)
		return -1;
	log_debug("%s", err->text);
	error_clear(err);
	return read_cache(c, err);
}

int credentials_sso_token_get(const struct credentials_search *s,
    const char *name, const char *region, char **token, struct error *err)
{
	struct cache c = { .search = s, .region = region,
		.path = STRBUF_INIT(TEXT_MAX) };
	int rc;

	add_path(&c.path, name);
	rc = read_cache(&c, err);
	if (rc == 0 && c.expires_ns - clock_wall_ns() < EARLY_NS &&
	    may_renew(&c))
		rc = renew(&c, err);
	if (rc == 0 && c.expires_ns <= clock_wall_ns())
		rc = credentials_sso_token_lost(s, "the session has expired",
		    err);
	if (rc == 0)
		*token = alloc_string(c.token);
	json_free_secret(c.object);
	strbuf_release(&c.path);
	return rc;
}
