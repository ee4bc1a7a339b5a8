/* SPDX-License-Identifier: MIT */
/* Which proxy leads to a server, by variables. */
#include "s3/proxy.h"

#include <string.h>
#include <curl/curl.h>

#include "base/alloc.h"

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
	if (out->url && !is_proxy_url(out->url))
		return error_set(err, ERROR_CONFIG, "%s is not the URL of a "
		    "proxy (its value is not shown): write it as "
		    "http://[USER:PASSWORD@]HOST:PORT", which);
	return 0;
}
