/* SPDX-License-Identifier: MIT */
/*
 * A bucket for each test, whose server honours, ignores or rejects each
 * condition as it is told to, and which tells what it was asked. Answers come
 * in order, one in each wait.
 */
#ifndef UNIT_SERVER_FIXTURE_H
#define UNIT_SERVER_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "sync/bucket.h"
#include "sync/capability.h"

#define SERVER_PREFIX "p/"
#define SERVER_OBJECTS 16
#define SERVER_QUEUE 16
#define SERVER_UPLOAD "upload-1"

struct server_object {
	char key[128]; /* "": none */
	char etag[16];
};

struct server_request {
	enum s3_kind kind;
	union {
		struct s3_list list;
		struct s3_put put;
		struct s3_delete delete;
		struct s3_copy copy;
		struct s3_multipart_create create;
		struct s3_multipart_complete complete;
		struct s3_multipart_abort abort;
	} of;
};

struct server {
	struct bucket base;
	enum capability_verdict
	    verdicts[CAPABILITY_WRITES][CAPABILITY_CONDITIONS];
	bool never[CAPABILITY_WRITES][CAPABILITY_CONDITIONS]; /* always 412 */
	bool denies[S3_KIND_COUNT];
	int fails_at;    /* the n-th request gets no answer; 0: none */
	int dead_from;   /* nor does any from the n-th on; 0: none */
	int refuses_at;  /* the n-th ends all */
	int empty_pages; /* that come first */
	bool lists_all;  /* whatever the prefix */
	void (*before)(struct server *s); /* the next request; once */
	bool wants_none; /* PUTs of objects fail, whatever is asked */
	bool signs;
	int body_status; /* of a body that is not the announced one */
	enum s3_digests part_digests;

	struct server_object objects[SERVER_OBJECTS];
	bool upload; /* one is open */
	int writes;  /* of objects: each has its own ETag */
	int requests;
	struct strbuf log; /* "PUT new a\n" */
	struct server_request queue[SERVER_QUEUE];
	size_t count;
};

static inline struct server *server_of(const struct bucket *b)
{
	return (struct server *)b;
}

/* ---- objects ---- */

static inline struct server_object *server_find(struct server *s,
    const char *key, size_t len)
{
	for (size_t i = 0; i < SERVER_OBJECTS; i++)
		if (s->objects[i].key[0] != '\0' &&
		    strlen(s->objects[i].key) == len &&
		    memcmp(s->objects[i].key, key, len) == 0)
			return &s->objects[i];
	return NULL;
}

static inline struct server_object *server_write(struct server *s,
    const char *key, size_t len)
{
	struct server_object *o = server_find(s, key, len);

	for (size_t i = 0; o == NULL && i < SERVER_OBJECTS; i++)
		if (s->objects[i].key[0] == '\0')
			o = &s->objects[i];
	if (o == NULL)
		abort();
	snprintf(o->key, sizeof(o->key), "%.*s", (int)len, key);
	snprintf(o->etag, sizeof(o->etag), "e-%d", ++s->writes);
	return o;
}

static inline struct etag server_etag(const struct server_object *o)
{
	return (struct etag){
		.bytes = (const unsigned char *)o->etag,
		.len = (uint16_t)strlen(o->etag),
	};
}

static inline size_t server_count(const struct server *s)
{
	size_t count = 0;

	for (size_t i = 0; i < SERVER_OBJECTS; i++)
		count += s->objects[i].key[0] != '\0';
	return count;
}

/* ---- answers ---- */

static inline void server_log(struct server *s, const char *what,
    const struct etag *if_match, bool if_none_match, const char *key,
    size_t len)
{
	strbuf_addf(&s->log, "%s%s %.*s\n", what,
	    if_match != NULL	? " same"
		: if_none_match ? " new"
				: "",
	    (int)len, key);
}

static inline struct s3_result server_result(enum s3_outcome outcome)
{
	static const enum error_kind kinds[] = {
		[S3_EXISTS] = ERROR_EXISTS,
		[S3_CHANGED] = ERROR_CHANGED,
		[S3_ABSENT] = ERROR_CHANGED,
		[S3_DENIED] = ERROR_DENIED,
		[S3_REJECTED] = ERROR_REMOTE,
		[S3_REFUSED] = ERROR_CREDENTIALS,
		[S3_FAILED] = ERROR_NETWORK,
		[S3_ABORTED] = ERROR_STOPPED,
	};
	struct s3_result result = { .outcome = outcome };

	if (outcome != S3_DONE)
		error_set(&result.error, kinds[outcome], "outcome %d",
		    (int)outcome);
	return result;
}

/* What becomes of a write of this kind, by its condition. */
static inline enum s3_outcome server_judge(struct server *s,
    enum capability_write write, const char *key, size_t len,
    const struct etag *if_match, bool if_none_match)
{
	int n = if_match != NULL ? CAPABILITY_SAME : CAPABILITY_NEW;
	const struct server_object *o = server_find(s, key, len);
	struct etag etag;

	if (if_match == NULL && !if_none_match)
		return S3_DONE;
	if (s->never[write][n])
		return if_match != NULL ? S3_CHANGED : S3_EXISTS;
	if (s->verdicts[write][n] == CAPABILITY_REJECTED)
		return S3_REJECTED;
	if (s->verdicts[write][n] == CAPABILITY_IGNORED)
		return S3_DONE;
	if (if_match == NULL)
		return o != NULL ? S3_EXISTS : S3_DONE;
	if (o == NULL)
		return S3_ABSENT;
	etag = server_etag(o);
	return signature_etag_equal(&etag, if_match) ? S3_DONE : S3_CHANGED;
}

static inline bool server_likes_body(const struct server *s,
    const struct s3_put *put, const unsigned char *body)
{
	unsigned char sum[DIGEST_SHA256_SIZE];

	if (put->sha256 == NULL ||
	    s->verdicts[CAPABILITY_PUT][CAPABILITY_BODY] == CAPABILITY_IGNORED)
		return true;
	digest_once(DIGEST_SHA256, body, (size_t)put->size, sum);
	return memcmp(sum, put->sha256, sizeof(sum)) == 0;
}

/* ${outcome} not S3_DONE: that, whatever was asked. */
static inline void server_put(struct server *s, const struct s3_put *put,
    enum s3_outcome outcome)
{
	struct error error = ERROR_INIT;
	struct s3_result result;
	unsigned char body[128];
	const struct server_object *o;

	server_log(s, put->upload_id != NULL ? "PART" : "PUT", put->if_match,
	    put->if_none_match, put->key, put->key_len);
	if ((s->signs && put->sha256 == NULL) ||
	    (put->size > 0 && put->read(put->arg, 0, body, sizeof(body),
	        &error) != put->size))
		abort();
	if (outcome == S3_DONE && !server_likes_body(s, put, body)) {
		result = server_result(
		    s->body_status == 403 ? S3_REFUSED : S3_FAILED);
		result.http_status = s->body_status;
		put->done(put->arg, &result);
		return;
	}
	if (outcome == S3_DONE && put->upload_id == NULL)
		outcome = server_judge(s, CAPABILITY_PUT, put->key,
		    put->key_len, put->if_match, put->if_none_match);
	if (outcome == S3_DONE && put->upload_id == NULL && s->wants_none)
		outcome = S3_FAILED;
	if (outcome == S3_DONE && put->upload_id != NULL && !s->upload)
		outcome = S3_ABSENT;
	result = server_result(outcome);
	if (s->wants_none)
		result.error.kind = ERROR_REMOTE;
	if (outcome == S3_DONE && put->upload_id == NULL) {
		o = server_write(s, put->key, put->key_len);
		result.etag = server_etag(o);
	}
	put->done(put->arg, &result);
}

static inline void server_delete(struct server *s,
    const struct s3_delete *delete, enum s3_outcome outcome)
{
	struct server_object *o;
	struct s3_result result;

	server_log(s, "DELETE", delete->if_match, false, delete->key,
	    delete->key_len);
	if (outcome == S3_DONE)
		outcome = server_judge(s, CAPABILITY_DELETE, delete->key,
		    delete->key_len, delete->if_match, false);
	o = server_find(s, delete->key, delete->key_len);
	if (outcome == S3_DONE && o != NULL)
		o->key[0] = '\0';
	result = server_result(outcome);
	delete->done(delete->arg, &result);
}

static inline void server_copy(struct server *s, const struct s3_copy *copy,
    enum s3_outcome outcome)
{
	struct s3_result result;

	server_log(s, "COPY", copy->if_match, copy->if_none_match, copy->key,
	    copy->key_len);
	if (outcome == S3_DONE &&
	    server_find(s, copy->from, copy->from_len) == NULL)
		outcome = S3_ABSENT;
	if (outcome == S3_DONE)
		outcome = server_judge(s, CAPABILITY_COPY, copy->key,
		    copy->key_len, copy->if_match, copy->if_none_match);
	result = server_result(outcome);
	if (outcome == S3_DONE)
		result.etag =
		    server_etag(server_write(s, copy->key, copy->key_len));
	copy->done(copy->arg, &result);
}

static inline void server_complete(struct server *s,
    const struct s3_multipart_complete *complete, enum s3_outcome outcome)
{
	struct s3_result result;

	server_log(s, "COMPLETE", complete->if_match, complete->if_none_match,
	    complete->key, complete->key_len);
	if (outcome == S3_DONE && !s->upload)
		outcome = S3_ABSENT;
	if (outcome == S3_DONE)
		outcome = server_judge(s, CAPABILITY_COMPLETE, complete->key,
		    complete->key_len, complete->if_match,
		    complete->if_none_match);
	result = server_result(outcome);
	if (outcome == S3_DONE) {
		s->upload = false;
		result.etag = server_etag(
		    server_write(s, complete->key, complete->key_len));
	}
	complete->done(complete->arg, &result);
}

static inline void server_create(struct server *s,
    const struct s3_multipart_create *create, enum s3_outcome outcome)
{
	struct s3_result result = server_result(outcome);

	server_log(s, "CREATE", NULL, false, create->key, create->key_len);
	s->upload = s->upload || outcome == S3_DONE;
	create->done(create->arg, &result,
	    outcome == S3_DONE ? SERVER_UPLOAD : NULL);
}

static inline void server_abort(struct server *s,
    const struct s3_multipart_abort *abort_, enum s3_outcome outcome)
{
	struct s3_result result;

	server_log(s, "ABORT", NULL, false, abort_->key, abort_->key_len);
	if (outcome == S3_DONE && !s->upload)
		outcome = S3_ABSENT;
	if (outcome == S3_DONE)
		s->upload = false;
	result = server_result(outcome);
	abort_->done(abort_->arg, &result);
}

/* The first key that begins with the prefix, as a page of one. */
static inline struct s3_page *server_page(struct server *s,
    const struct s3_list *list)
{
	struct s3_page *page = alloc_zero(1, sizeof(*page));
	struct strbuf key = STRBUF_INIT(1024);
	const struct server_object *first = NULL;

	if (s->empty_pages > 0) {
		s->empty_pages--;
		page->truncated = true;
		page->token = alloc_string("next");
		return page;
	}
	for (size_t i = 0; i < SERVER_OBJECTS; i++) {
		const struct server_object *o = &s->objects[i];

		if (o->key[0] != '\0' &&
		    (s->lists_all || strncmp(o->key, list->prefix,
		        list->prefix_len) == 0) &&
		    (first == NULL || strcmp(o->key, first->key) < 0))
			first = o;
	}
	if (first == NULL)
		return page;
	page->objects = alloc_zero(1, sizeof(*page->objects));
	page->count = 1;
	strbuf_addf(&key, SERVER_PREFIX "%s", first->key);
	page->objects->key_len = key.len;
	page->memory = strbuf_detach(&key);
	page->objects->key = page->memory;
	page->objects->sig.etag = server_etag(first);
	return page;
}

static inline void server_list(struct server *s, const struct s3_list *list,
    enum s3_outcome outcome)
{
	struct s3_result result = server_result(outcome);

	server_log(s, "LIST", NULL, false, list->prefix, list->prefix_len);
	list->done(list->arg, &result,
	    outcome == S3_DONE ? server_page(s, list) : NULL);
}

static inline void server_answer(struct server *s,
    const struct server_request *r, enum s3_outcome outcome)
{
	switch (r->kind) {
	case S3_KIND_LIST:
		server_list(s, &r->of.list, outcome);
		break;
	case S3_KIND_PUT:
	case S3_KIND_UPLOAD_PART:
		server_put(s, &r->of.put, outcome);
		break;
	case S3_KIND_DELETE:
		server_delete(s, &r->of.delete, outcome);
		break;
	case S3_KIND_COPY:
		server_copy(s, &r->of.copy, outcome);
		break;
	case S3_KIND_CREATE_UPLOAD:
		server_create(s, &r->of.create, outcome);
		break;
	case S3_KIND_COMPLETE_UPLOAD:
		server_complete(s, &r->of.complete, outcome);
		break;
	case S3_KIND_ABORT_UPLOAD:
		server_abort(s, &r->of.abort, outcome);
		break;
	case S3_KIND_GET:
	case S3_KIND_HEAD:
	case S3_KIND_HEAD_BUCKET:
	case S3_KIND_LIST_PARTS:
	case S3_KIND_SETTING:
	case S3_KIND_COUNT:
		abort();
	}
}

static inline enum s3_outcome server_fault(const struct server *s,
    enum s3_kind kind)
{
	if (s->requests == s->fails_at ||
	    (s->dead_from > 0 && s->requests >= s->dead_from))
		return S3_FAILED;
	if (s->requests == s->refuses_at)
		return S3_REFUSED;
	return s->denies[kind] ? S3_DENIED : S3_DONE;
}

/* ---- the interface ---- */

static inline int server_wait(struct bucket *b, int64_t timeout_ns,
    struct error *error)
{
	struct server *s = server_of(b);
	void (*before)(struct server *s) = s->before;
	struct server_request r;

	(void)timeout_ns;
	(void)error;
	if (s->count == 0)
		return 0;
	r = s->queue[0];
	memmove(s->queue, s->queue + 1, --s->count * sizeof(s->queue[0]));
	s->requests++;
	s->before = NULL;
	if (before != NULL)
		before(s);
	server_answer(s, &r, server_fault(s, r.kind));
	return 0;
}

static inline void server_abort_all(struct bucket *b)
{
	struct server *s = server_of(b);

	while (s->count > 0) {
		struct server_request r = s->queue[--s->count];

		server_answer(s, &r, S3_ABORTED);
	}
}

static inline struct server_request *server_submit(struct bucket *b,
    enum s3_kind kind)
{
	struct server *s = server_of(b);

	if (s->count == SERVER_QUEUE)
		abort();
	s->queue[s->count].kind = kind;
	return &s->queue[s->count++];
}

static inline void server_ask_list(struct bucket *b,
    const struct s3_list *request)
{
	server_submit(b, S3_KIND_LIST)->of.list = *request;
}

static inline void server_ask_put(struct bucket *b,
    const struct s3_put *request)
{
	server_submit(b, request->upload_id != NULL ? S3_KIND_UPLOAD_PART :
	    S3_KIND_PUT)->of.put = *request;
}

static inline void server_ask_delete(struct bucket *b,
    const struct s3_delete *request)
{
	server_submit(b, S3_KIND_DELETE)->of.delete = *request;
}

static inline void server_ask_copy(struct bucket *b,
    const struct s3_copy *request)
{
	server_submit(b, S3_KIND_COPY)->of.copy = *request;
}

static inline void server_ask_create(struct bucket *b,
    const struct s3_multipart_create *request)
{
	server_submit(b, S3_KIND_CREATE_UPLOAD)->of.create = *request;
}

static inline void server_ask_complete(struct bucket *b,
    const struct s3_multipart_complete *request)
{
	server_submit(b, S3_KIND_COMPLETE_UPLOAD)->of.complete = *request;
}

static inline void server_ask_abort(struct bucket *b,
    const struct s3_multipart_abort *request)
{
	server_submit(b, S3_KIND_ABORT_UPLOAD)->of.abort = *request;
}

static inline bool server_signs_payload(const struct bucket *b)
{
	return server_of(b)->signs;
}

static inline enum s3_digests server_part_digests(const struct bucket *b)
{
	return server_of(b)->part_digests;
}

static inline void server_free(struct bucket *b)
{
	struct server *s = server_of(b);

	server_abort_all(b);
	strbuf_release(&s->log);
	free(s);
}

static inline struct server *server_new(void)
{
	static const struct bucket_ops ops = {
		.list = server_ask_list,
		.put = server_ask_put,
		.delete = server_ask_delete,
		.copy = server_ask_copy,
		.create = server_ask_create,
		.complete = server_ask_complete,
		.abort = server_ask_abort,
		.signs_payload = server_signs_payload,
		.part_digests = server_part_digests,
		.wait = server_wait,
		.abort_all = server_abort_all,
		.free = server_free,
	};
	struct server *s = alloc_zero(1, sizeof(*s));

	s->body_status = 400;
	s->base = (struct bucket){ &ops, SERVER_PREFIX,
		strlen(SERVER_PREFIX) };
	strbuf_init(&s->log, 64 * 1024);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			s->verdicts[w][n] = CAPABILITY_HONOURED;
	return s;
}

#endif
