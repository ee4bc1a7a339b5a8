/* SPDX-License-Identifier: MIT */
/* The remote stream: asks for pages ahead and checks each against the last. */
#include "sync/listing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/path.h"
#include "base/strbuf.h"

#define PAGES_AHEAD 2
#define EMPTY_PAGES_MAX 1000 /* legal, but not for ever */

struct listing {
	struct bucket *bucket;
	struct s3_page *ready[PAGES_AHEAD]; /* oldest first */
	size_t ready_count;
	size_t position;       /* in ready[0] */
	struct strbuf last;    /* the greatest key so far, with prefix */
	char *token;           /* of the request under way, or of the next one */
	int empty_pages;       /* in a row */
	bool asking;           /* a request is under way */
	bool complete;         /* the last page has arrived */
	bool abandoned;        /* freed by its user; the reply frees it */
	struct error error;
};

static void listing_done(void *arg, const struct s3_result *result,
    struct s3_page *page);

static void ask(struct listing *l)
{
	const struct s3_list request = {
		.token = l->token,
		.done = listing_done,
		.arg = l,
	};

	l->asking = true;
	l->bucket->ops->list(l->bucket, &request);
}

static int disbelieve(struct listing *l, const char *why)
{
	return error_set(&l->error, ERROR_BUCKET,
	    "the server's listing of '%s' is not to be believed: %s; "
	    "nothing was transferred. Is this server (or a proxy before it) "
	    "one that lists in order?", l->bucket->prefix, why);
}

static int check_objects(struct listing *l, const struct s3_page *page)
{
	const struct bucket *b = l->bucket;

	for (size_t i = 0; i < page->count; i++) {
		const struct s3_object *o = &page->objects[i];

		if (o->key_len < b->prefix_len ||
		    memcmp(o->key, b->prefix, b->prefix_len) != 0)
			return disbelieve(l, "it holds a key outside the prefix");
		if (l->last.len > 0 && path_compare(l->last.buf, l->last.len,
		        o->key, o->key_len) >= 0)
			return disbelieve(l, "its keys are not in order");
		strbuf_clear(&l->last);
		strbuf_add(&l->last, o->key, o->key_len);
	}
	return 0;
}

static int check_token(struct listing *l, const struct s3_page *page)
{
	if (!page->truncated)
		return 0;
	if (page->token == NULL)
		return disbelieve(l, "it is cut short without saying how to "
		    "go on");
	if (l->token != NULL && strcmp(l->token, page->token) == 0)
		return disbelieve(l, "it goes round in circles");
	l->empty_pages = page->count == 0 ? l->empty_pages + 1 : 0;
	if (l->empty_pages > EMPTY_PAGES_MAX)
		return disbelieve(l, "it has no end");
	return 0;
}

static void listing_done(void *arg, const struct s3_result *result,
    struct s3_page *page)
{
	struct listing *l = arg;

	l->asking = false;
	if (l->abandoned) {
		s3_page_free(page);
		listing_free(l);
		return;
	}
	if (result->outcome != S3_DONE) {
		l->error = result->error;
		if (result->outcome == S3_DENIED)
			l->error.kind = ERROR_BUCKET;
		return;
	}
	if (check_objects(l, page) < 0 || check_token(l, page) < 0) {
		s3_page_free(page);
		return;
	}
	free(l->token);
	l->token = NULL;
	if (page->truncated)
		l->token = alloc_string(page->token);
	else
		l->complete = true;
	l->ready[l->ready_count++] = page;
	if (!l->complete && l->ready_count < PAGES_AHEAD)
		ask(l);
}

struct listing *listing_start(struct bucket *bucket)
{
	struct listing *l = alloc_zero(1, sizeof(*l));

	l->bucket = bucket;
	strbuf_init(&l->last, 64 * 1024);
	ask(l);
	return l;
}

static void drop_first_page(struct listing *l)
{
	s3_page_free(l->ready[0]);
	l->ready_count--;
	memmove(l->ready, l->ready + 1, l->ready_count * sizeof(l->ready[0]));
	l->position = 0;
	if (!l->complete && !l->asking && l->error.kind == ERROR_NONE)
		ask(l);
}

enum listing_step listing_next(struct listing *l, struct s3_object *out,
    struct error *err)
{
	while (l->ready_count > 0) {
		const struct s3_page *page = l->ready[0];

		if (l->position == page->count) {
			drop_first_page(l);
			continue;
		}
		*out = page->objects[l->position++];
		out->key += l->bucket->prefix_len;
		out->key_len -= l->bucket->prefix_len;
		if (out->key_len > 0) /* 0: the prefix's own marker */
			return LISTING_OBJECT;
	}
	if (l->error.kind != ERROR_NONE) {
		*err = l->error;
		return LISTING_FAILED;
	}
	return l->complete ? LISTING_END : LISTING_WAIT;
}

void listing_free(struct listing *l)
{
	if (l == NULL)
		return;
	if (l->asking) {
		l->abandoned = true;
		return;
	}
	while (l->ready_count > 0)
		s3_page_free(l->ready[--l->ready_count]);
	strbuf_release(&l->last);
	free(l->token);
	free(l);
}
