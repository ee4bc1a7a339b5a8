/* SPDX-License-Identifier: MIT */
/* The HTTP server: libmicrohttpd's callbacks, and each request's course. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdint.h>

#include "base/error.h"

struct http;
struct server;

struct http_options {
	const char *address; /* IPv4 or IPv6 */
	int64_t port;        /* 0: a free one */
	int64_t threads;
	int64_t idle_s;       /* closes idle connections after; 0: never */
	const char *tls_cert; /* PEM text; NULL: no TLS */
	const char *tls_key;
};

struct http *http_start(struct server *server,
    const struct http_options *options, struct error *err);
uint16_t http_port(const struct http *h);
void http_stop(struct http *h);

#endif
