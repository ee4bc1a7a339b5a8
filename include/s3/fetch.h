/* SPDX-License-Identifier: MIT */
/*
 * One small HTTP exchange that is waited for, in bounded time: for whoever
 * gives out credentials. Nothing of it is kept; any thread may ask.
 */
#ifndef S3_FETCH_H
#define S3_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/env.h"
#include "base/error.h"
#include "base/strbuf.h"

#define FETCH_HEADERS_MAX 8

struct fetch_reply {
	int status;         /* 0: no whole reply came, and *err says why */
	bool connected;     /* somebody was there, at least */
	struct strbuf body; /* wiped by fetch_release */
};

struct fetch_request {
	const char *method;
	const char *url;
	const char *headers[FETCH_HEADERS_MAX]; /* "Name: value"; NULL ends */
	const char *body;           /* NULL: none */
	const char *ca_bundle;      /* NULL: the system's */
	const struct env *env;      /* that may name a proxy; NULL: none, even
	                             * if the process environment does */
	int64_t connect_timeout_ns; /* 0: as timeout_ns */
	int64_t timeout_ns;         /* of each attempt as a whole */
	int attempts;
	/* Is this no answer yet? NULL: 429 and 5xx are none. Not to have come
	 * is none either. */
	bool (*again)(const struct fetch_reply *reply);
	bool (*stopped)(void *arg); /* asked every tenth of a second; or NULL */
	void *arg;
};

/*
 * 0: a whole reply came, of whatever status, with at most 256 KiB of body.
 * -1: ERROR_NETWORK (or ERROR_STOPPED), which names the server and no header.
 * ${reply} is filled in both cases, and to be released.
 */
int fetch_run(const struct fetch_request *request, struct fetch_reply *reply,
    struct error *err);
void fetch_release(struct fetch_reply *reply);

/* "host[:port]" of a URL, as it goes into a Host header; malloc'ed, NULL
 * where there is none. */
char *fetch_host(const char *url);

#endif
