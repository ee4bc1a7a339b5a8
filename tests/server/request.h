/* SPDX-License-Identifier: MIT */
/* One request and its answer: what http.c fills and the handlers read. */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/strbuf.h"
#include "faults.h"
#include "object.h"
#include "store.h"

struct MHD_Connection;
struct identity;
struct operation;
struct pause;
struct bucket_settings;

struct server {
	struct store *store;
	struct faults *faults;
	struct stats *stats;
	struct pause *pause;
	struct identity *identity;
	struct bucket_settings *settings;
	const char *access_key, *secret_key, *region;
	const char *session_token; /* NULL: none is asked for */
	bool anonymous;            /* unsigned requests are served */
	int64_t latency_ms;
	int64_t part_size_min; /* but for the last part */
};

struct param {
	char *name, *value; /* decoded */
	size_t name_len, value_len;
};

enum request_phase {
	PHASE_HEADERS, /* nothing was looked at yet */
	PHASE_DELAY,   /* the body waits on its way */
	PHASE_BODY,    /* the body arrives */
	PHASE_ANSWER,  /* the answer is ready and may go */
};

struct request {
	struct server *server;
	struct MHD_Connection *connection;
	enum request_phase phase;
	char id[17];        /* x-amz-request-id */
	int64_t now_ns;     /* the server's clock, as skewed as it is */
	const char *method; /* the library's */
	char *target;       /* as received */
	size_t path_len;    /* of it, up to '?' */
	struct param *params;
	size_t n_params;
	char *param_text;      /* what they point into */
	char bucket_name[256]; /* "": none */
	char *key;             /* NUL-terminated, may hold NULs; owned */
	size_t key_len;        /* 0: none */
	struct bucket *bucket; /* NULL: none, or there is no such bucket */
	const struct operation *op;
	struct fault fault;
	bool is_control;  /* /_test/... */
	bool is_identity; /* /_identity/... */
	bool is_object;   /* /_test/object/... */
	bool ends_server; /* once it is answered */

	int64_t length; /* Content-Length; -1: none */
	int64_t received;
	struct digest *sha256, *md5; /* of the body, where they are needed */
	unsigned char md5_sum[DIGEST_MD5_SIZE];
	const char *checksum_header; /* what body_checksum found, or NULL */
	enum digest_kind checksum_kind;
	struct digest *checksum;
	struct object *staged; /* where an object's or part's body goes */
	struct strbuf text;    /* where any other body goes */
	bool body_is_text;

	/* The answer: text, or part of an object. */
	unsigned status;       /* 0: none yet */
	struct strbuf headers; /* text.h pairs */
	struct strbuf body;
	struct object *object;
	int object_fd; /* its body's file, or -1 */
	int64_t object_from, object_len;
};

struct request *request_new(struct server *server, const char *target);
/* Once the headers are there: whose bucket, which key? */
void request_route(struct request *r);
void request_free(struct request *r);

/* The first value of a request header or a query parameter; NULL: none. */
const char *request_header(const struct request *r, const char *name);
const struct param *request_param(const struct request *r, const char *name);

#endif
