/* SPDX-License-Identifier: MIT */
/* One attempt of a request, and what a good reply gives. */
#include "s3/s3_internal.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

void s3_attempt_start(struct slot *slot)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;
	struct wire_sender sender = { .endpoint = &s3->endpoint,
		.signer = s3->signer, .session_token = s3->session_token };
	int64_t now = s3_clock_now_ns(s3);
	struct s3_list what_is_there = { .max_keys = 1 };

	slot->sent_ns = clock_mono_ns();
	slot->sent_wall_ns = clock_wall_ns();
	r->attempts++;
	s3->usage.requests[r->settling ? S3_KIND_LIST : r->kind]++;
	if (r->settling) {
		what_is_there.prefix = r->ask.put.key;
		what_is_there.prefix_len = r->ask.put.key_len;
		wire_list(&slot->wire, &sender, &what_is_there, now);
	} else if (r->kind == S3_KIND_LIST) {
		wire_list(&slot->wire, &sender, &r->ask.list, now);
	} else if (r->kind == S3_KIND_GET) {
		wire_get(&slot->wire, &sender, &r->ask.get, now);
	} else {
		wire_put(&slot->wire, &sender, &r->ask.put, now);
	}
	http_call_start(slot->call, &slot->wire.request);
}

/* We did not want what came with a good status. */
static void fail_refused(struct slot *slot)
{
	if (slot->changed)
		s3_failure_status(slot, 412);
	else
		s3_failure_garbled(slot, slot->garbled);
}

static bool take_etag(struct slot *slot)
{
	const char *text = http_call_header(slot->call, "etag");

	memset(&slot->etag, 0, sizeof(slot->etag));
	return text && signature_etag_parse(text, strlen(text),
	    slot->etag_room, &slot->etag) && slot->etag.len > 0;
}

/* With a key of KMS's the ETag is no MD5, and we are told. (With a key of the
 * customer's neither, but we never give one, so nothing comes of it.) */
static bool says_not_md5(const struct slot *slot)
{
	const char *sse = http_call_header(slot->call,
	    "x-amz-server-side-encryption");

	return sse && strncmp(sse, "aws:kms", 7) == 0;
}

static bool etag_equal(const struct etag *a, const struct etag *b)
{
	return a->len == b->len && a->binary == b->binary &&
	    memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Is the object there the one that we sent? */
static bool is_ours(const struct s3_put *put, const struct s3_page *page)
{
	const struct s3_object *object = page->objects;
	struct etag md5 = { .bytes = put->md5, .len = DIGEST_MD5_SIZE,
		.binary = true };

	return page->count > 0 && object->key_len == put->key_len &&
	    memcmp(object->key, put->key, put->key_len) == 0 &&
	    object->sig.size == put->size &&
	    etag_equal(&object->sig.etag, &md5);
}

static void settle(struct slot *slot, struct s3_page *page)
{
	struct request *r = slot->request;
	struct retry_reply reply = { .status = 412 };

	if (is_ours(&r->ask.put, page)) {
		s3_complete_done(slot, &page->objects->sig.etag, false, NULL);
	} else {
		r->settling = false;
		r->doubtful = false;
		s3_failure_reply(slot, &reply);
	}
	s3_page_free(page);
}

static void take_page(struct slot *slot)
{
	struct retry_reply reply = { .status = 200 };
	struct error err = ERROR_INIT;
	struct s3_page *page = NULL;

	if (!slot->page)
		slot->page = xml_page_new();
	switch (xml_page_end(slot->page, &page, &reply.error, &err)) {
	case XML_PAGE:
		if (slot->request->settling)
			settle(slot, page);
		else
			s3_complete_done(slot, NULL, false, page);
		break;
	case XML_ERROR:
		s3_failure_reply(slot, &reply);
		break;
	case XML_BROKEN:
		s3_failure_garbled(slot, err.text);
		break;
	}
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
	const char *modified = http_call_header(slot->call, "last-modified");
	const char *mtime = http_call_header(slot->call, "x-amz-meta-mtime");
	struct s3_head head = { .size = http_call_length(slot->call),
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN };
	int64_t ns;

	slot->begun = true;
	if (head.size < 0)
		slot->garbled = "the reply does not say how long it is";
	else if (!take_etag(slot))
		slot->garbled = "the reply has no ETag, so it is not S3's";
	else if (get->if_match && get->if_match->len > 0 &&
	    !etag_equal(&slot->etag, get->if_match))
		slot->changed = true; /* the server ignored If-Match */
	slot->refused = slot->garbled || slot->changed;
	if (slot->refused)
		return -1;
	if (modified && clock_parse_http(modified, &ns) == 0)
		head.mtime_ms = ns / CLOCK_MS;
	head.meta_mtime_ns = mtime ? wire_parse_mtime(mtime) : INT64_MIN;
	slot->etag_not_md5 = says_not_md5(slot);
	head.etag = slot->etag;
	head.etag_not_md5 = slot->etag_not_md5;
	return go_on(slot, get->begin(get->arg, &head, &slot->stop));
}

static void take_object(struct slot *slot)
{
	if (!slot->begun && begin_object(slot)) { /* it has no bytes */
		if (slot->refused)
			fail_refused(slot);
		else
			s3_complete_stopped(slot);
	} else if (slot->received != http_call_length(slot->call)) {
		s3_failure_garbled(slot, "the reply is shorter than it says");
	} else {
		s3_complete_done(slot, &slot->etag, slot->etag_not_md5, NULL);
	}
}

static void take_receipt(struct slot *slot)
{
	struct retry_reply reply = { .status = 200 };

	if (slot->body.len > 0)
		xml_error_parse(strbuf_text(&slot->body), slot->body.len,
		    &reply.error);
	if (*reply.error.code)
		s3_failure_reply(slot, &reply);
	else if (!take_etag(slot))
		s3_failure_garbled(slot, "the reply to an upload has no ETag, "
		    "so it is not S3's");
	else
		s3_complete_done(slot, &slot->etag, says_not_md5(slot), NULL);
}

/* ---- what the exchange tells -------------------------------------------- */

static bool wants_page(const struct slot *slot)
{
	return slot->request->kind == S3_KIND_LIST || slot->request->settling;
}

static ssize_t on_read(void *arg, int64_t offset, void *buf, size_t len)
{
	struct slot *slot = arg;
	const struct s3_put *put = &slot->request->ask.put;
	ssize_t n;

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

static int on_body(void *arg, const void *bytes, size_t len)
{
	struct slot *slot = arg;

	if (http_call_status(slot->call) == 200 && wants_page(slot)) {
		if (!slot->page)
			slot->page = xml_page_new();
		slot->refused = xml_page_feed(slot->page, bytes, len) != 0;
	} else if (http_call_status(slot->call) == 200 &&
	    slot->request->kind == S3_KIND_GET) {
		return take_bytes(slot, bytes, len);
	} else {
		strbuf_add(&slot->body, bytes, len);
		slot->refused = strbuf_overflowed(&slot->body);
	}
	return slot->refused ? -1 : 0;
}

/* Could the server have stored the object before this ended? */
static bool may_be_done(const struct request *r, const struct http_end *end)
{
	return end->resent || r->ask.put.size == 0 || end->status >= 500 ||
	    (end->curl && end->status < 400);
}

static void on_end(void *arg, const struct http_end *end)
{
	struct slot *slot = arg;
	struct request *r = slot->request;

	if (r->kind == S3_KIND_PUT && may_be_done(r, end))
		r->doubtful = true;
	if (slot->stop.kind)
		s3_complete_stopped(slot);
	else if (slot->changed || slot->garbled)
		fail_refused(slot);
	else if (end->curl && !slot->refused && end->status < 400)
		s3_failure_exchange(slot, end);
	else if (end->status != 200)
		s3_failure_status(slot, end->status);
	else if (wants_page(slot))
		take_page(slot);
	else if (r->kind == S3_KIND_GET)
		take_object(slot);
	else
		take_receipt(slot);
}

const struct http_events s3_attempt_events = {
	.read = on_read,
	.body = on_body,
	.end = on_end,
};
