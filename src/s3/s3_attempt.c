/* SPDX-License-Identifier: MIT */
/* One attempt of a request: what is sent, and what comes back. */
#include "s3/s3_internal.h"

#include <string.h>

#include "base/clock.h"

#define ERROR_BODY_MAX ((size_t)65536)

void s3_attempt_start(struct slot *slot)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;
	struct wire_sender sender = { .endpoint = &s3->endpoint,
		.prefix = s3->prefix,
		.signer = s3->signer,
		.session_token = s3->credentials.session_token,
		.properties = &s3->properties,
		.content_md5 = s3->content_md5,
		.restore_status = s3->restore_status && !s3->restore_refused };

	slot->sent_ns = clock_mono_ns();
	slot->sent_wall_ns = clock_wall_ns();
	r->attempts += r->own_end == NULL;
	slot->signed_with = s3->signer_number;
	r->asked_in = s3->moves;
	r->with_md5 = s3->content_md5;
	r->with_restore = sender.restore_status;
	s3->usage.requests[s3_operation_kind(r)]++;
	s3_operation_of(r)->send(slot, &sender, s3_clock_now_ns(s3));
	http_call_start(slot->call, &slot->wire.request);
}

/* A callback ran, and may have said stop. */
static int go_on(struct slot *slot, int rc)
{
	slot->s3->called = true;
	if (rc && !slot->stop.kind)
		error_set(&slot->stop, ERROR_STOPPED, "stopped");
	return rc;
}

/* A good reply begins: is it S3's, and of the object that was asked for? */
static int begin_object(struct slot *slot)
{
	const struct s3_get *get = &slot->request->ask.get;

	slot->begun = true;
	/* else the server ignored If-Match */
	slot->changed = s3_operation_head(slot) && get->if_match &&
	    get->if_match->len > 0 &&
	    !signature_etag_equal(&slot->head.etag, get->if_match);
	slot->refused = slot->garbled || slot->changed;
	if (slot->refused)
		return -1;
	return go_on(slot, get->begin(get->arg, &slot->head, &slot->stop));
}

static ssize_t on_read(void *arg, int64_t offset, void *buf, size_t len)
{
	struct slot *slot = arg;
	struct request *r = slot->request;
	const struct s3_put *put = &r->ask.put;
	ssize_t n;

	if (r->kind == S3_KIND_COMPLETE_UPLOAD) {
		memcpy(buf, r->body.buf + offset, len);
		return (ssize_t)len;
	}
	slot->s3->called = true;
	n = put->read(put->arg, offset, buf, len, &slot->stop);
	if (n <= 0 && !slot->stop.kind)
		error_set(&slot->stop, ERROR_CHANGED,
		    "the file has fewer bytes than announced");
	return n;
}

static int take_bytes(struct slot *slot, const void *bytes, size_t len)
{
	const struct s3_get *get = &slot->request->ask.get;

	if (!slot->begun && begin_object(slot))
		return -1;
	slot->received += (int64_t)len;
	return go_on(slot, get->data(get->arg, bytes, len, &slot->stop));
}

static bool is_good(const struct slot *slot, int status)
{
	const struct request *r = slot->request;

	return status == 200 ||
	    (status == 204 && s3_operation_of(r)->reply == REPLY_NOTHING) ||
	    (status == 206 && r->kind == S3_KIND_GET && r->ask.get.length > 0);
}

/* Documents are limited by the strbuf, errors by less. */
static bool keep_bytes(struct slot *slot, const void *bytes, size_t len,
    bool good)
{
	strbuf_add(&slot->body, bytes, len);
	return !strbuf_overflowed(&slot->body) &&
	    (good || slot->body.len <= ERROR_BODY_MAX);
}

static int on_body(void *arg, const void *bytes, size_t len)
{
	struct slot *slot = arg;
	enum reply reply = s3_operation_of(slot->request)->reply;
	bool good = is_good(slot, http_call_status(slot->call));

	if (good && reply == REPLY_OBJECT)
		return take_bytes(slot, bytes, len);
	if (good && reply == REPLY_PAGE) {
		if (!slot->page)
			slot->page = xml_page_new();
		slot->refused = xml_page_feed(slot->page, bytes, len) != 0;
	} else {
		slot->refused = !keep_bytes(slot, bytes, len,
		    good && reply == REPLY_DOCUMENT);
	}
	return slot->refused ? -1 : 0;
}

/* We did not want what came with a good status. */
static void fail_refused(struct slot *slot)
{
	if (slot->changed)
		s3_failure_status(slot, 412);
	else
		s3_failure_garbled(slot, slot->garbled);
}

static void take(struct slot *slot)
{
	const struct operation *op = s3_operation_of(slot->request);

	if (op->reply != REPLY_OBJECT || slot->begun || !begin_object(slot))
		op->take(slot);
	else if (slot->refused) /* an object of no bytes, seen only now */
		fail_refused(slot);
	else
		s3_complete_stopped(slot);
}

/* Could the server have done what it was asked before this ended? What has no
 * body is sent again by libcurl without our seeing it. */
static bool may_be_done(const struct request *r, const struct http_end *end)
{
	return end->requests > 1 || end->status == 200 || end->status >= 500 ||
	    (r->kind == S3_KIND_PUT && r->ask.put.size == 0) ||
	    (end->curl && end->status < 400);
}

static void on_end(void *arg, const struct http_end *end)
{
	struct slot *slot = arg;
	struct request *r = slot->request;

	if (end->requests > 1)
		slot->s3->usage.requests[s3_operation_kind(r)] +=
		    end->requests - 1;
	s3_clock_note(slot);
	if (s3_operation_of(r)->writes && may_be_done(r, end))
		r->doubtful = true;
	if (slot->stop.kind)
		s3_complete_stopped(slot);
	else if (r->own_end)
		s3_failure_own(slot, end);
	else if (slot->changed || slot->garbled)
		fail_refused(slot);
	else if (end->curl && !slot->refused && end->status < 400)
		s3_failure_exchange(slot, end);
	else if (r->locating)
		s3_failure_located(slot, end->status);
	else if (!is_good(slot, end->status))
		s3_failure_status(slot, end->status);
	else
		take(slot);
}

const struct http_events s3_attempt_events = {
	.read = on_read,
	.body = on_body,
	.end = on_end,
};
