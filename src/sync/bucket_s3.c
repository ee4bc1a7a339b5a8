/* SPDX-License-Identifier: MIT */
/* The real bucket: s3/s3.h, which knows the pair's prefix. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sync/bucket.h"

struct bucket_s3 {
	struct bucket base;
	struct s3 *s3;
};

static struct s3 *s3_of(const struct bucket *b)
{
	return ((const struct bucket_s3 *)b)->s3;
}

static void list(struct bucket *b, const struct s3_list *request)
{
	s3_list(s3_of(b), request);
}

static void get(struct bucket *b, const struct s3_get *request)
{
	s3_get(s3_of(b), request);
}

static void put(struct bucket *b, const struct s3_put *request)
{
	s3_put(s3_of(b), request);
}

static void delete(struct bucket *b, const struct s3_delete *request)
{
	s3_delete(s3_of(b), request);
}

static void copy(struct bucket *b, const struct s3_copy *request)
{
	s3_copy(s3_of(b), request);
}

static void create(struct bucket *b, const struct s3_multipart_create *request)
{
	s3_multipart_create(s3_of(b), request);
}

static void complete(struct bucket *b,
    const struct s3_multipart_complete *request)
{
	s3_multipart_complete(s3_of(b), request);
}

static void abort_upload(struct bucket *b,
    const struct s3_multipart_abort *request)
{
	s3_multipart_abort(s3_of(b), request);
}

static void parts(struct bucket *b, const struct s3_multipart_parts *request)
{
	s3_multipart_parts(s3_of(b), request);
}

static bool signs_payload(const struct bucket *b)
{
	return s3_signs_payload(s3_of(b));
}

static enum s3_digests part_digests(const struct bucket *b)
{
	return s3_part_digests(s3_of(b));
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
	s3_free(s3_of(b));
	free(b);
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

struct bucket *bucket_s3_new(struct s3 *s3)
{
	struct bucket_s3 *self = alloc_zero(1, sizeof(*self));

	self->s3 = s3;
	self->base.ops = &ops;
	self->base.prefix = s3_prefix(s3);
	self->base.prefix_len = strlen(self->base.prefix);
	return &self->base;
}
