/* SPDX-License-Identifier: MIT */
/* Looks before it writes, where the server does not. */
#include "sync/bucket_careful.h"

#include <string.h>

#include "base/alloc.h"

#define EMPTY_PAGES_MAX 1000 /* legal, but not for ever */

struct careful {
	struct bucket base;
	struct bucket *inner;
	struct capability *capability;
};

/* A write under a condition, from its submission to its end. */
struct guarded {
	struct careful *bucket;
	enum capability_write write;
	union {
		struct s3_put put;
		struct s3_multipart_complete complete;
		struct s3_copy copy;
		struct s3_delete delete;
	} user; /* as the caller made it; and of that, what all have: */
	const char *key;
	size_t key_len;
	const struct etag *if_match; /* NULL: only where nothing is */
	void (*done)(void *arg, const struct s3_result *result);
	void *arg;

	bool sends;    /* the condition goes with the write */
	bool rejected; /* with the condition it did not go */
	char *token;   /* of the listing's next page */
	int pages;     /* of it, so far */
};

static struct careful *careful_of(const struct bucket *b)
{
	return (struct careful *)b;
}

static enum capability_condition condition_of(const struct guarded *g)
{
	return g->if_match != NULL ? CAPABILITY_SAME : CAPABILITY_NEW;
}

static void end(struct guarded *g, const struct s3_result *result)
{
	void (*done)(void *arg, const struct s3_result *result) = g->done;
	void *arg = g->arg;

	free(g->token);
	free(g);
	done(arg, result);
}

/*
 * The write
 */

static const struct etag *match_to_send(const struct guarded *g)
{
	return g->sends ? g->if_match : NULL;
}

static bool none_match_to_send(const struct guarded *g)
{
	return g->sends && g->if_match == NULL;
}

static void write_done(void *arg, const struct s3_result *result);

static ssize_t put_read(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	const struct s3_put *user = &((struct guarded *)arg)->user.put;

	return user->read(user->arg, offset, buf, len, err);
}

static void write_put(struct guarded *g)
{
	struct s3_put put = g->user.put;

	put.if_match = match_to_send(g);
	put.if_none_match = none_match_to_send(g);
	put.read = put_read;
	put.done = write_done;
	put.arg = g;
	g->bucket->inner->ops->put(g->bucket->inner, &put);
}

static void write_complete(struct guarded *g)
{
	struct s3_multipart_complete complete = g->user.complete;

	complete.if_match = match_to_send(g);
	complete.if_none_match = none_match_to_send(g);
	complete.done = write_done;
	complete.arg = g;
	g->bucket->inner->ops->complete(g->bucket->inner, &complete);
}

static void write_copy(struct guarded *g)
{
	struct s3_copy copy = g->user.copy;

	copy.if_match = match_to_send(g);
	copy.if_none_match = none_match_to_send(g);
	copy.done = write_done;
	copy.arg = g;
	g->bucket->inner->ops->copy(g->bucket->inner, &copy);
}

static void write_delete(struct guarded *g)
{
	struct s3_delete delete = g->user.delete;

	delete.if_match = match_to_send(g);
	delete.done = write_done;
	delete.arg = g;
	g->bucket->inner->ops->delete(g->bucket->inner, &delete);
}

static void write_now(struct guarded *g)
{
	static void (*const writes[CAPABILITY_WRITES])(struct guarded *g) = {
		[CAPABILITY_PUT] = write_put,
		[CAPABILITY_COMPLETE] = write_complete,
		[CAPABILITY_COPY] = write_copy,
		[CAPABILITY_DELETE] = write_delete,
	};

	g->sends = !g->rejected && capability_sends(g->bucket->capability,
	    g->write, condition_of(g));
	writes[g->write](g);
}

/*
 * The look
 */

static void list_done(void *arg, const struct s3_result *result,
    struct s3_page *page);

static void ask(struct guarded *g)
{
	const struct s3_list list = {
		.prefix = g->key,
		.prefix_len = g->key_len,
		.token = g->token,
		.max_keys = 1,
		.done = list_done,
		.arg = g,
	};

	g->bucket->inner->ops->list(g->bucket->inner, &list);
}

static void look(struct guarded *g)
{
	free(g->token);
	g->token = NULL;
	g->pages = 0;
	ask(g);
}

static void end_as(struct guarded *g, enum s3_outcome outcome,
    enum error_kind kind, const char *text)
{
	struct s3_result result = { .outcome = outcome };

	error_set(&result.error, kind, "%s", text);
	end(g, &result);
}

/* ${found}: the object of this very key, NULL if there is none. */
static void judge(struct guarded *g, const struct s3_object *found)
{
	if (g->if_match == NULL && found != NULL)
		end_as(g, S3_EXISTS, ERROR_EXISTS,
		    "the bucket has an object of this key by now: it was left "
		    "as it is");
	else if (g->if_match != NULL && found == NULL)
		end_as(g, S3_ABSENT, ERROR_CHANGED,
		    "the object is gone: it is looked at again in the next "
		    "cycle");
	else if (g->if_match != NULL &&
	    !signature_etag_equal(&found->sig.etag, g->if_match))
		end_as(g, S3_CHANGED, ERROR_CHANGED,
		    "the object is another one by now: it is looked at again "
		    "in the next cycle");
	else
		write_now(g);
}

/* Does the page speak of what was asked? */
static bool begins_with_key(const struct guarded *g,
    const struct s3_page *page)
{
	size_t prefix_len = g->bucket->base.prefix_len;
	const struct s3_object *first = page->objects;

	return first->key_len >= prefix_len + g->key_len &&
	    memcmp(first->key, g->bucket->base.prefix, prefix_len) == 0 &&
	    memcmp(first->key + prefix_len, g->key, g->key_len) == 0;
}

/* The first key that begins with this one is this one, if it is there. */
static const struct s3_object *find(const struct guarded *g,
    const struct s3_page *page)
{
	size_t len = g->bucket->base.prefix_len + g->key_len;

	return page->count > 0 && page->objects->key_len == len ? page->objects
								: NULL;
}

static void list_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct guarded *g = arg;

	if (result->outcome != S3_DONE) {
		struct s3_result failed = *result;

		error_prefix(&failed.error, "cannot look what is there before "
		    "the write");
		end(g, &failed);
	} else if (page->count > 0 && !begins_with_key(g, page)) {
		end_as(g, S3_FAILED, ERROR_REMOTE,
		    "cannot look what is there before the write: the server "
		    "lists something else");
	} else if (page->count > 0 || !page->truncated) {
		judge(g, find(g, page));
	} else if (page->token == NULL || ++g->pages > EMPTY_PAGES_MAX) {
		end_as(g, S3_FAILED, ERROR_REMOTE,
		    "cannot look what is there before the write: the server's "
		    "listing has no end");
	} else {
		free(g->token);
		g->token = alloc_string(page->token);
		ask(g);
	}
	s3_page_free(page);
}

/* What the server thinks of conditions may be news. What it rejected is done
 * without the condition, and after a look; if that works, the condition was
 * the reason. */
static void write_done(void *arg, const struct s3_result *result)
{
	struct guarded *g = arg;
	struct capability *c = g->bucket->capability;
	enum capability_condition condition = condition_of(g);

	if (g->sends && result->outcome == S3_REJECTED) {
		g->rejected = true;
		look(g);
		return;
	}
	if (g->rejected && result->outcome == S3_DONE)
		capability_learn_rejected(c, g->write, condition);
	if (g->sends &&
	    c->verdicts[g->write][condition] == CAPABILITY_IGNORED &&
	    (result->outcome == S3_EXISTS || result->outcome == S3_CHANGED))
		c->doubted = true;
	end(g, result);
}

/*
 * The interface
 */

static void guard(struct guarded *g)
{
	if (capability_protects(g->bucket->capability, g->write,
	        condition_of(g)))
		write_now(g);
	else
		look(g);
}

static struct guarded *guarded_new(struct bucket *b,
    enum capability_write write, const char *key, size_t key_len,
    const struct etag *if_match)
{
	struct guarded *g = alloc_zero(1, sizeof(*g));

	g->bucket = careful_of(b);
	g->write = write;
	g->key = key;
	g->key_len = key_len;
	g->if_match = if_match;
	return g;
}

static void put(struct bucket *b, const struct s3_put *request)
{
	struct bucket *inner = careful_of(b)->inner;
	struct guarded *g;

	if (request->if_match == NULL && !request->if_none_match) {
		inner->ops->put(inner, request);
		return;
	}
	g = guarded_new(b, CAPABILITY_PUT, request->key, request->key_len,
	    request->if_match);
	g->user.put = *request;
	g->done = request->done;
	g->arg = request->arg;
	guard(g);
}

static void complete(struct bucket *b,
    const struct s3_multipart_complete *request)
{
	struct bucket *inner = careful_of(b)->inner;
	struct guarded *g;

	if (request->if_match == NULL && !request->if_none_match) {
		inner->ops->complete(inner, request);
		return;
	}
	g = guarded_new(b, CAPABILITY_COMPLETE, request->key, request->key_len,
	    request->if_match);
	g->user.complete = *request;
	g->done = request->done;
	g->arg = request->arg;
	guard(g);
}

static void copy(struct bucket *b, const struct s3_copy *request)
{
	struct bucket *inner = careful_of(b)->inner;
	struct guarded *g;

	if (request->if_match == NULL && !request->if_none_match) {
		inner->ops->copy(inner, request);
		return;
	}
	g = guarded_new(b, CAPABILITY_COPY, request->key, request->key_len,
	    request->if_match);
	g->user.copy = *request;
	g->done = request->done;
	g->arg = request->arg;
	guard(g);
}

static void delete(struct bucket *b, const struct s3_delete *request)
{
	struct bucket *inner = careful_of(b)->inner;
	struct guarded *g;

	if (request->if_match == NULL) {
		inner->ops->delete(inner, request);
		return;
	}
	g = guarded_new(b, CAPABILITY_DELETE, request->key, request->key_len,
	    request->if_match);
	g->user.delete = *request;
	g->done = request->done;
	g->arg = request->arg;
	guard(g);
}

static void list(struct bucket *b, const struct s3_list *request)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->list(inner, request);
}

static void get(struct bucket *b, const struct s3_get *request)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->get(inner, request);
}

static void create(struct bucket *b, const struct s3_multipart_create *request)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->create(inner, request);
}

static void abort_upload(struct bucket *b,
    const struct s3_multipart_abort *request)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->abort(inner, request);
}

static void parts(struct bucket *b, const struct s3_multipart_parts *request)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->parts(inner, request);
}

static bool signs_payload(const struct bucket *b)
{
	const struct bucket *inner = careful_of(b)->inner;

	return inner->ops->signs_payload(inner);
}

/* A server that does not look at the SHA-256 shall have the MD5. */
static enum s3_digests part_digests(const struct bucket *b)
{
	const struct careful *self = careful_of(b);
	const struct bucket *inner = self->inner;
	enum s3_digests digests = inner->ops->part_digests(inner);

	if (!(digests & S3_DIGESTS_SHA256) ||
	    self->capability->verdicts[CAPABILITY_PUT][CAPABILITY_BODY] ==
	        CAPABILITY_HONOURED)
		return digests;
	return inner->ops->signs_payload(inner) ? S3_DIGESTS_BOTH :
	    S3_DIGESTS_MD5;
}

static int wait(struct bucket *b, int64_t timeout_ns, struct error *err)
{
	struct bucket *inner = careful_of(b)->inner;

	return inner->ops->wait(inner, timeout_ns, err);
}

static void wake(struct bucket *b)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->wake(inner);
}

static void abort_all(struct bucket *b)
{
	struct bucket *inner = careful_of(b)->inner;

	inner->ops->abort_all(inner);
}

static const struct s3_usage *usage(const struct bucket *b)
{
	const struct bucket *inner = careful_of(b)->inner;

	return inner->ops->usage(inner);
}

static void bucket_free(struct bucket *b)
{
	struct careful *self = careful_of(b);

	self->inner->ops->free(self->inner);
	free(self);
}

static const struct bucket_ops ops = {
	.list = list,
	.get = get,
	.put = put,
	.delete = delete,
	.copy = copy,
	.create = create,
	.complete = complete,
	.abort = abort_upload,
	.parts = parts,
	.signs_payload = signs_payload,
	.part_digests = part_digests,
	.wait = wait,
	.wake = wake,
	.abort_all = abort_all,
	.usage = usage,
	.free = bucket_free,
};

struct bucket *bucket_careful_new(struct bucket *bucket,
    struct capability *capability)
{
	struct careful *self = alloc_zero(1, sizeof(*self));

	self->inner = bucket;
	self->capability = capability;
	self->base.ops = &ops;
	self->base.prefix = bucket->prefix;
	self->base.prefix_len = bucket->prefix_len;
	return &self->base;
}
