/* SPDX-License-Identifier: MIT */
/*
 * One libcurl multi loop, and calls: reusable slots for one HTTP exchange at
 * a time. Nothing here knows of S3, of queues or of trying again. One thread.
 */
#ifndef S3_HTTP_H
#define S3_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct http;
struct http_call;

enum http_way { HTTP_UP, HTTP_DOWN, HTTP_WAYS };

struct http_options {
	const char *ca_bundle;   /* NULL: the system's */
	const char *proxy;       /* NULL: by the process environment; "" none */
	const char *proxy_exempt; /* who is asked directly all the same */
	size_t connections;      /* kept open at most: the calls at once */
	/* No byte moved for so long: the call ends, at most a quarter later.
	 * What was sent has moved when the other side's kernel has it. */
	int64_t idle_timeout_ns;
	int64_t limits[HTTP_WAYS]; /* bytes of bodies a second, of all calls
	                            * together, who have turns; 0: none */
	int64_t connect_timeout_ns; /* 0: what suits a server far away */
};

int http_new(struct http **http, const struct http_options *options,
    struct error *err);
void http_free(struct http *http); /* after all of its calls */

#define HTTP_HEADERS_MAX 32

struct http_request { /* must live until the exchange has ended */
	const char *method; /* "GET" */
	const char *url;
	const char *headers[HTTP_HEADERS_MAX]; /* "Name: value"; "Name:" none */
	size_t header_count;
	int64_t body_size;  /* -1: no body */
};

struct http_end {
	int curl;          /* CURLcode; 0: a whole reply came */
	int status;        /* 0: not even a status line */
	int sys;           /* errno of a failed connect, or 0 */
	long verify;       /* X509_V_ERR_… of a certificate refused, or 0 */
	int proxy;         /* the status by which a proxy refused to connect
	                    * us to the server, or 0 */
	const char *text;  /* libcurl's words for ${curl}; borrowed */
	int requests;      /* sent: libcurl does it again by itself where a
	                    * kept connection turns out dead; 0: none */
};

/* What happens during an exchange. read and body run inside libcurl: they may
 * start nothing. Both return -1 to end the exchange and its connection. */
struct http_events {
	ssize_t (*read)(void *arg, int64_t offset, void *buf, size_t len);
	int (*body)(void *arg, const void *bytes, size_t len);
	void (*end)(void *arg, const struct http_end *end);
};

/* Bytes of whole exchanges so far, heads and bodies, as libcurl counts them:
 * what TLS adds is not among them. */
int64_t http_traffic(const struct http *http, enum http_way way);

struct http_call *http_call_new(struct http *http,
    const struct http_events *events, void *arg);
void http_call_free(struct http_call *call); /* stops it; NULL: nothing */

void http_call_start(struct http_call *call, const struct http_request *r);
/* Ends the exchange without a word; its connection is closed. */
void http_call_stop(struct http_call *call);

/* Of the reply, from the first body() until the next start. */
int http_call_status(const struct http_call *call);
int64_t http_call_length(const struct http_call *call); /* -1: not said */
const char *http_call_header(const struct http_call *call, const char *name);
bool http_call_connected(const struct http_call *call); /* it got that far */

/* Moves all calls on as far as they go without waiting. */
int http_turn(struct http *http, struct error *err);
/* Sleeps until a call can move, http_wake, or ${timeout_ns} has passed. */
int http_sleep(struct http *http, int64_t timeout_ns, struct error *err);
void http_wake(struct http *http); /* from any thread */

#endif
