/* SPDX-License-Identifier: MIT */
/* Which proxy leads to a server, by variables. */
#include "s3/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "s3/fetch.h"

#define NAME_MAX_LEN ((size_t)1024)

/* The first of ${names} that is set, and which one. */
static const char *first_of(const struct env *env, const char *const names[],
    const char **which)
{
	for (size_t i = 0; names[i]; i++) {
		*which = names[i];
		if (env_get(env, names[i]))
			return env_get(env, names[i]);
	}
	return NULL;
}

static bool is_known_scheme(const char *scheme)
{
	static const char *const known[] = { "http", "https", "socks4",
		"socks4a", "socks5", "socks5h" };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i], scheme) == 0)
			return true;
	return false;
}

/* libcurl would find out late, and show it all. */
static bool is_proxy_url(const char *url)
{
	CURLU *handle = curl_url();
	char *scheme = NULL;
	bool good;

	if (!handle)
		alloc_failed();
	good = curl_url_set(handle, CURLUPART_URL, url,
	    CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
	    curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK;
	/* without a scheme the guess is by the host's name; libcurl takes http */
	good = good && (!strstr(url, "://") || is_known_scheme(scheme));
	curl_free(scheme);
	curl_url_cleanup(handle);
	return good;
}

int proxy_find(const struct env *env, bool tls, struct proxy *out,
    struct error *err)
{
	static const char *const http[] = { "http_proxy", "all_proxy",
		"ALL_PROXY", NULL };
	static const char *const https[] = { "https_proxy", "HTTPS_PROXY",
		"all_proxy", "ALL_PROXY", NULL };
	static const char *const exempt[] = { "no_proxy", "NO_PROXY", NULL };
	const char *which;

	out->exempt = first_of(env, exempt, &which);
	out->url = first_of(env, tls ? https : http, &which);
	out->variable = out->url ? which : NULL;
	if (out->url && !is_proxy_url(out->url))
		return error_set(err, ERROR_CONFIG, "%s is not the URL of a "
		    "proxy (its value is not shown): write it as "
		    "http://[USER:PASSWORD@]HOST:PORT", which);
	return 0;
}

char *proxy_name(const char *url)
{
	struct strbuf whole = STRBUF_INIT(strlen(url) + sizeof("http://"));
	char *name;

	strbuf_addf(&whole, "%s%s", strstr(url, "://") ? "" : "http://", url);
	name = fetch_host(strbuf_text(&whole));
	strbuf_wipe(&whole);
	return name ? name : alloc_string("?");
}

/* "Could not resolve host: HOST" */
static bool ends_with(const char *text, const char *host, size_t len)
{
	size_t all = strlen(text);

	return all > len && text[all - len - 1] == ' ' &&
	    memcmp(text + all - len, host, len) == 0;
}

/* "Failed to connect to HOST port PORT after 0 ms: …"; newer ones say "to
 * SERVER port PORT via HOST after". */
static bool is_tried(const char *text, const char *host, size_t len,
    const char *port)
{
	struct strbuf to = STRBUF_INIT(NAME_MAX_LEN);
	struct strbuf via = STRBUF_INIT(NAME_MAX_LEN);
	bool is;

	strbuf_addf(&to, " to %.*s port %s%s", (int)len, host, port,
	    *port ? " " : "");
	strbuf_addf(&via, " via %.*s ", (int)len, host);
	is = strstr(text, strbuf_text(&to)) || strstr(text, strbuf_text(&via));
	strbuf_release(&to);
	strbuf_release(&via);
	return is;
}

bool proxy_is_unreachable(const char *name, int curl, const char *text)
{
	bool is_v6 = *name == '[';
	const char *host = name + is_v6;
	size_t len = strcspn(host, is_v6 ? "]" : ":");
	const char *port = host + len + is_v6;

	port += *port == ':';
	switch (curl) {
	case CURLE_COULDNT_RESOLVE_PROXY:
		return true;
	case CURLE_COULDNT_RESOLVE_HOST: /* of SOCKS */
		return ends_with(text, host, len);
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
		return is_tried(text, host, len, port);
	default:
		return false;
	}
}
