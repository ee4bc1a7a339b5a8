/* SPDX-License-Identifier: MIT */
/* The real bucket: s3/s3.h, with the pair's prefix before every key. */
#include <string.h>

#include "base/alloc.h"
#include "sync/bucket.h"

struct bucket_s3 {
	struct bucket base;
	struct s3 *s3;
	char *prefix;
};

/* A request under way: the full key lives as long as it does. */
struct keyed {
	union {
		struct s3_list list;
		struct s3_get get;
		struct s3_put put;
		struct s3_delete delete;
		struct s3_copy copy;
		struct s3_multipart_create create;
		struct s3_multipart_complete complete;
		struct s3_multipart_abort abort;
		struct s3_multipart_parts parts;
	} user; /* as the caller made it */
	char *key;
	char *from; /* of a copy; the prefix of a listing */
};

static char *full_key(const struct bucket *b, const char *key, size_t key_len)
{
	char *full = alloc_bytes(b->prefix_len + key_len + 1);

	memcpy(full, b->prefix, b->prefix_len);
	if (key_len > 0)
		memcpy(full + b->prefix_len, key, key_len);
	return full;
}

static struct keyed *keyed_new(const struct bucket *b, const char *key,
    size_t key_len)
{
	struct keyed *k = alloc_zero(1, sizeof(*k));

	k->key = full_key(b, key, key_len);
	return k;
}

static void keyed_free(struct keyed *k)
{
	free(k->key);
	free(k->from);
	free(k);
}

static struct s3 *s3_of(const struct bucket *b)
{
	return ((const struct bucket_s3 *)b)->s3;
}

static void list_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct keyed *k = arg;
	const struct s3_list user = k->user.list;

	keyed_free(k);
	user.done(user.arg, result, page);
}

static void list(struct bucket *b, const struct s3_list *request)
{
	struct keyed *k = keyed_new(b, request->start_after,
	    request->start_after_len);
	struct s3_list full = *request;

	k->user.list = *request;
	k->from = full_key(b, request->prefix, request->prefix_len);
	full.prefix = k->from;
	full.prefix_len = b->prefix_len + request->prefix_len;
	if (request->start_after != NULL) {
		full.start_after = k->key;
		full.start_after_len = b->prefix_len + request->start_after_len;
	}
	full.done = list_done;
	full.arg = k;
	s3_list(s3_of(b), &full);
}

static int get_begin(void *arg, const struct s3_head *head, struct error *err)
{
	const struct s3_get *user = &((struct keyed *)arg)->user.get;

	return user->begin(user->arg, head, err);
}

static int get_data(void *arg, const void *bytes, size_t len,
    struct error *err)
{
	const struct s3_get *user = &((struct keyed *)arg)->user.get;

	return user->data(user->arg, bytes, len, err);
}

static void get_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_get user = k->user.get;

	keyed_free(k);
	user.done(user.arg, result);
}

static void get(struct bucket *b, const struct s3_get *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_get full = *request;

	k->user.get = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.begin = get_begin;
	full.data = get_data;
	full.done = get_done;
	full.arg = k;
	s3_get(s3_of(b), &full);
}

static ssize_t put_read(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	const struct s3_put *user = &((struct keyed *)arg)->user.put;

	return user->read(user->arg, offset, buf, len, err);
}

static void put_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_put user = k->user.put;

	keyed_free(k);
	user.done(user.arg, result);
}

static void put(struct bucket *b, const struct s3_put *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_put full = *request;

	k->user.put = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.read = put_read;
	full.done = put_done;
	full.arg = k;
	s3_put(s3_of(b), &full);
}

static void delete_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_delete user = k->user.delete;

	keyed_free(k);
	user.done(user.arg, result);
}

static void delete(struct bucket *b, const struct s3_delete *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_delete full = *request;

	k->user.delete = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = delete_done;
	full.arg = k;
	s3_delete(s3_of(b), &full);
}

static void copy_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_copy user = k->user.copy;

	keyed_free(k);
	user.done(user.arg, result);
}

static void copy(struct bucket *b, const struct s3_copy *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_copy full = *request;

	k->user.copy = *request;
	k->from = full_key(b, request->from, request->from_len);
	full.from = k->from;
	full.from_len = b->prefix_len + request->from_len;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = copy_done;
	full.arg = k;
	s3_copy(s3_of(b), &full);
}

static void create_done(void *arg, const struct s3_result *result,
    const char *upload_id)
{
	struct keyed *k = arg;
	const struct s3_multipart_create user = k->user.create;

	keyed_free(k);
	user.done(user.arg, result, upload_id);
}

static void create(struct bucket *b, const struct s3_multipart_create *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_multipart_create full = *request;

	k->user.create = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = create_done;
	full.arg = k;
	s3_multipart_create(s3_of(b), &full);
}

static void complete_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_multipart_complete user = k->user.complete;

	keyed_free(k);
	user.done(user.arg, result);
}

static void complete(struct bucket *b,
    const struct s3_multipart_complete *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_multipart_complete full = *request;

	k->user.complete = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = complete_done;
	full.arg = k;
	s3_multipart_complete(s3_of(b), &full);
}

static void abort_done(void *arg, const struct s3_result *result)
{
	struct keyed *k = arg;
	const struct s3_multipart_abort user = k->user.abort;

	keyed_free(k);
	user.done(user.arg, result);
}

static void abort_upload(struct bucket *b,
    const struct s3_multipart_abort *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_multipart_abort full = *request;

	k->user.abort = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = abort_done;
	full.arg = k;
	s3_multipart_abort(s3_of(b), &full);
}

static void parts_done(void *arg, const struct s3_result *result,
    const struct s3_part *parts, size_t count, int next)
{
	struct keyed *k = arg;
	const struct s3_multipart_parts user = k->user.parts;

	keyed_free(k);
	user.done(user.arg, result, parts, count, next);
}

static void parts(struct bucket *b, const struct s3_multipart_parts *request)
{
	struct keyed *k = keyed_new(b, request->key, request->key_len);
	struct s3_multipart_parts full = *request;

	k->user.parts = *request;
	full.key = k->key;
	full.key_len = b->prefix_len + request->key_len;
	full.done = parts_done;
	full.arg = k;
	s3_multipart_parts(s3_of(b), &full);
}

static bool signs_payload(const struct bucket *b)
{
	return s3_signs_payload(s3_of(b));
}

static int wait(struct bucket *b, int64_t timeout_ns, struct error *err)
{
	return s3_wait(s3_of(b), timeout_ns, err);
}

static void wake(struct bucket *b)
{
	s3_wake(s3_of(b));
}

static void abort_all(struct bucket *b)
{
	s3_abort_all(s3_of(b));
}

static const struct s3_usage *usage(const struct bucket *b)
{
	return s3_usage(s3_of(b));
}

static void bucket_free(struct bucket *b)
{
	struct bucket_s3 *self = (struct bucket_s3 *)b;

	s3_free(self->s3);
	free(self->prefix);
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
	.wait = wait,
	.wake = wake,
	.abort_all = abort_all,
	.usage = usage,
	.free = bucket_free,
};

struct bucket *bucket_s3_new(struct s3 *s3, const char *prefix)
{
	struct bucket_s3 *self = alloc_zero(1, sizeof(*self));

	self->s3 = s3;
	self->prefix = alloc_string(prefix);
	self->base.ops = &ops;
	self->base.prefix = self->prefix;
	self->base.prefix_len = strlen(prefix);
	return &self->base;
}
