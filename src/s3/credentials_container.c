/* SPDX-License-Identifier: MIT */
/* ECS, EKS and the like: an address in the environment gives credentials. */
#include "s3/credentials_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/secret.h"

#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN "AWS_CONTAINER_AUTHORIZATION_TOKEN"
#define TOKEN_FILE TOKEN "_FILE"
#define ECS "http://169.254.170.2"
#define TIMEOUT_NS (2 * CLOCK_SECOND)
#define ATTEMPTS 3
#define TEXT_MAX ((size_t)64 << 10)

/* May keys come from there without TLS? */
static bool is_near(const char *host)
{
	static const char *const near[] = { "localhost", "169.254.170.2",
		"169.254.170.23", "[fd00:ec2::23]", "[::1]" };
	struct in_addr address;

	for (size_t i = 0; i < sizeof(near) / sizeof(*near); i++)
		if (strcasecmp(near[i], host) == 0)
			return true;
	return inet_pton(AF_INET, host, &address) == 1 &&
	    ntohl(address.s_addr) >> 24 == 127;
}

static int check_url(const char *url, struct error *err)
{
	CURLU *handle = curl_url();
	char *scheme = NULL, *host = NULL;
	int rc = 0;

	if (!handle)
		alloc_failed();
	if (curl_url_set(handle, CURLUPART_URL, url, 0) ||
	    curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) ||
	    curl_url_get(handle, CURLUPART_HOST, &host, 0) ||
	    (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
		rc = error_set(err, ERROR_CREDENTIALS,
		    FULL " is not a URL of http or https");
	else if (strcmp(scheme, "https") != 0 && !is_near(host))
		rc = error_set(err, ERROR_CREDENTIALS, FULL " leads to %s: "
		    "over http only this machine, 169.254.170.2, "
		    "169.254.170.23 and [fd00:ec2::23] are asked; use https",
		    host);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(handle);
	return rc;
}

char *credentials_container_url(const char *relative, const char *full,
    struct error *err)
{
	struct strbuf url = STRBUF_INIT(TEXT_MAX);

	if (!relative)
		return check_url(full, err) ? NULL : alloc_string(full);
	if (*relative != '/') {
		error_set(err, ERROR_CREDENTIALS,
		    RELATIVE " does not begin with '/'");
		return NULL;
	}
	strbuf_addf(&url, ECS "%s", relative);
	return strbuf_detach(&url);
}

/* A line break would be a header of somebody else's choice. */
static int check_token(const char *token, const char *from, struct error *err)
{
	if (!strpbrk(token, "\r\n"))
		return 0;
	return error_set(err, ERROR_CREDENTIALS,
	    "%s holds a line break: it is no token", from);
}

/* The file is read each time anew: what is in it is replaced. */
static int add_token(const struct env *env, struct strbuf *header,
    struct error *err)
{
	const char *path = env_get(env, TOKEN_FILE);
	const char *token = env_get(env, TOKEN);
	char *text = NULL;
	size_t len;
	int rc;

	if (path) {
		if (fs_read_file(path, TEXT_MAX, ERROR_CREDENTIALS, &text,
		    &len, err))
			return error_prefix(err, TOKEN_FILE);
		if (len > 0 && text[len - 1] == '\n')
			text[len - 1] = '\0';
		token = text;
	}
	if (!token)
		return 0;
	rc = check_token(token, path ? path : TOKEN, err);
	if (rc == 0)
		strbuf_addf(header, "Authorization: %s", token);
	secret_free(&text);
	return rc;
}

static int take_reply(const struct fetch_reply *reply,
    struct s3_credentials *out, struct error *err)
{
	static const struct credentials_names names = { "AccessKeyId",
		"SecretAccessKey", "Token", "Expiration" };
	json_t *object;
	int rc;

	if (reply->status != 200)
		return error_set(err, ERROR_CREDENTIALS, "refused (HTTP %d)%s",
		    reply->status, reply->status == 401 || reply->status == 403
		    ? ": check " TOKEN_FILE " or " TOKEN : "");
	object = credentials_json(strbuf_text(&reply->body), reply->body.len,
	    err);
	rc = object ? credentials_set_json(out, object, &names, err) : -1;
	json_free_secret(object);
	return rc ? error_prefix(err, "the reply is not to be used") : 0;
}

static int ask(const struct credentials_search *s, const char *url,
    const char *host, struct s3_credentials *out, struct error *err)
{
	struct strbuf header = STRBUF_INIT(TEXT_MAX + 64);
	struct fetch_request request = { .method = "GET", .url = url,
		.headers = { "Accept: application/json" },
		.ca_bundle = s->request->ca_bundle,
		.timeout_ns = TIMEOUT_NS, .attempts = ATTEMPTS };
	struct fetch_reply reply = { 0 };
	int rc = add_token(s->request->env, &header, err);

	if (rc == 0) {
		if (header.len > 0)
			request.headers[1] = strbuf_text(&header);
		rc = credentials_fetch(s, &request, &reply, err);
		if (rc == 0 && (rc = take_reply(&reply, out, err)))
			error_prefix(err, "%s", host);
		fetch_release(&reply);
	}
	strbuf_wipe(&header);
	return rc;
}

int credentials_container_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	const char *relative = env_get(s->request->env, RELATIVE);
	const char *full = env_get(s->request->env, FULL);
	char *url, *host;
	int rc;

	if (!relative && !full)
		return 0;
	url = credentials_container_url(relative, full, err);
	if (!url)
		return -1;
	host = fetch_host(url);
	rc = ask(s, url, host, out, err);
	if (rc == 0)
		credentials_say(out, "container credentials at %s", host);
	free(host);
	free(url);
	return rc ? -1 : 1;
}
