/* SPDX-License-Identifier: MIT */
/*
 * Which proxy leads to a server: http_proxy and its kin, by curl's rules, from
 * the process environment and the files behind it. Pure.
 */
#ifndef S3_PROXY_H
#define S3_PROXY_H

#include <stdbool.h>

#include "base/env.h"
#include "base/error.h"

struct proxy { /* borrowed from the environment */
	const char *url;    /* may hold a password; NULL: none */
	const char *exempt; /* names that are asked directly; NULL: none */
	const char *variable; /* that named it, a constant; NULL: none */
};

/*
 * http_proxy (in small letters only: HTTP_PROXY may be a request's header) or
 * https_proxy, HTTPS_PROXY; else all_proxy, ALL_PROXY. no_proxy or NO_PROXY
 * exempts. What is not a proxy's URL is ERROR_CONFIG, and is not shown.
 */
int proxy_find(const struct env *env, bool tls, struct proxy *out,
    struct error *err);

/* "HOST[:PORT]" of a proxy's URL, without user and password; malloc'ed. */
char *proxy_name(const char *url);

/* Does ${text}, libcurl's of the CURLcode ${curl}, say that it is the proxy
 * ${name} which cannot be reached? libcurl tells it in no other way. */
bool proxy_is_unreachable(const char *name, int curl, const char *text);

#endif
