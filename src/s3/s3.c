/* SPDX-License-Identifier: MIT */
/*
 * One bucket. A request waits in a queue, then holds one of a fixed number of
 * slots until it is done; a slot is in exchange with the server, or waits for
 * the time of its next attempt. That a request keeps its slot meanwhile is
 * what slows everybody down when the server has trouble.
 */
#include "s3/s3.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "s3/endpoint.h"
#include "s3/http.h"
#include "s3/retry.h"
#include "s3/wire.h"
#include "s3/xml.h"

#define ERROR_BODY_MAX ((size_t)65536)
#define WINDOW_MIN 4
#define NARROW_EVERY_NS CLOCK_SECOND

struct request {
	struct request *next; /* in the queue */
	enum s3_kind kind;
	union {
		struct s3_list list;
		struct s3_get get;
		struct s3_put put;
	} ask;
	int attempts;
	bool aborted;
	bool clock_learned; /* from the answer to this very request */
	bool doubtful;      /* a PUT that may have been done unheard */
	bool settling;      /* and now we ask what is there */
};

struct slot {
	struct s3 *s3;
	struct request *request; /* NULL: free */
	struct slot *next_free;
	struct http_call *call;  /* NULL until first used */
	bool waiting;            /* for due_ns, then tries again */
	int64_t due_ns;
	struct wire wire;
	/* of the reply under way */
	struct xml_page *page;   /* LIST */
	struct strbuf body;      /* of what is neither page nor object */
	bool begun;              /* GET: begin() was called */
	int64_t received;        /* GET: handed over */
	bool refused;            /* we hung up on it: see garbled and changed */
	const char *garbled;     /* why a 200 is not believed */
	bool changed;            /* GET: the ETag is not what was asked for */
	struct error stop;       /* a callback's, else ERROR_NONE */
};

struct s3 {
	struct endpoint endpoint;
	struct sigv4 *signer;
	char *bucket;
	char *session_token;
	enum s3_signing signing;
	int attempts;
	struct http *http;

	struct slot *slots;
	struct slot *free_slots;
	size_t slot_count;
	size_t busy;
	size_t waiting;          /* of the busy ones */
	struct request *queue;
	struct request **queue_end;

	size_t window;           /* busy slots allowed by now */
	size_t window_good;      /* replies since it last changed */
	int64_t narrowed_ns;

	int64_t clock_offset_ns; /* the server's time minus ours */
	bool clock_warned;
	bool aborting;           /* some requests are marked aborted */
	bool called;             /* a callback ran in this s3_wait */
	bool in_wait;
	atomic_bool woken;
	struct s3_usage usage;
};

static const struct http_events events;

int s3_new(struct s3 **s3, const struct s3_options *options, struct error *err)
{
	struct http_options http = {
		.ca_bundle = options->ca_bundle,
		.connections = options->in_flight,
		.idle_timeout_ns = options->idle_timeout_ns,
	};
	struct s3 *s = alloc_zero(1, sizeof(*s));

	assert(options->in_flight > 0 && options->attempts > 0 &&
	    options->idle_timeout_ns > 0);
	*s3 = NULL;
	if (endpoint_init(&s->endpoint, options->endpoint_url, options->region,
	    options->bucket, options->addressing, err) ||
	    http_new(&s->http, &http, err)) {
		endpoint_release(&s->endpoint);
		free(s);
		return -1;
	}
	s->signer = sigv4_new(options->credentials, s->endpoint.region, "s3");
	s->bucket = alloc_string(options->bucket);
	if (options->credentials->session_token)
		s->session_token =
		    alloc_string(options->credentials->session_token);
	s->signing = options->signing;
	s->attempts = options->attempts;
	s->queue_end = &s->queue;
	s->slot_count = s->window = options->in_flight;
	s->slots = alloc_zero(s->slot_count, sizeof(*s->slots));
	for (size_t i = s->slot_count; i-- > 0;) {
		s->slots[i].s3 = s;
		s->slots[i].next_free = s->free_slots;
		s->free_slots = &s->slots[i];
	}
	*s3 = s;
	return 0;
}

const char *s3_endpoint(const struct s3 *s3)
{
	return s3->endpoint.url;
}

bool s3_signs_payload(const struct s3 *s3)
{
	return s3->signing == S3_SIGNING_PAYLOAD ||
	    (s3->signing == S3_SIGNING_AUTO && !s3->endpoint.tls);
}

const struct s3_usage *s3_usage(const struct s3 *s3)
{
	return &s3->usage;
}

void s3_page_free(struct s3_page *page)
{
	if (!page)
		return;
	free(page->objects);
	free(page->token);
	free(page->memory);
	free(page);
}

/* ---- how a request ends ------------------------------------------------- */

static void call_done(struct s3 *s3, struct request *r,
    const struct s3_result *result, struct s3_page *page)
{
	s3->called = true;
	switch (r->kind) {
	case S3_KIND_LIST:
		r->ask.list.done(r->ask.list.arg, result, page);
		break;
	case S3_KIND_GET:
		r->ask.get.done(r->ask.get.arg, result);
		break;
	case S3_KIND_PUT:
		r->ask.put.done(r->ask.put.arg, result);
		break;
	case S3_KIND_COUNT:
		assert(false);
	}
	free(r);
}

static void clear_reply(struct slot *slot)
{
	xml_page_free(slot->page);
	slot->page = NULL;
	strbuf_clear(&slot->body);
	slot->begun = false;
	slot->received = 0;
	slot->refused = false;
	slot->garbled = NULL;
	slot->changed = false;
	error_clear(&slot->stop);
}

/* The slot is free before the callback runs. */
static void complete(struct slot *slot, struct s3_result *result,
    struct s3_page *page)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;

	result->attempts = r->attempts;
	clear_reply(slot);
	if (slot->waiting)
		s3->waiting--;
	slot->waiting = false;
	slot->request = NULL;
	slot->next_free = s3->free_slots;
	s3->free_slots = slot;
	s3->busy--;
	call_done(s3, r, result, page);
}

static void complete_stopped(struct slot *slot)
{
	struct s3_result result = { .outcome = S3_ABORTED,
		.error = slot->stop };

	complete(slot, &result, NULL);
}

/* One more reply without complaint: after as many as there are requests at
 * once, one more of them is allowed. */
static void widen_window(struct s3 *s3)
{
	if (s3->window == s3->slot_count || ++s3->window_good < s3->window)
		return;
	s3->window_good = 0;
	s3->window++;
}

static void narrow_window(struct s3 *s3)
{
	size_t least = s3->slot_count < WINDOW_MIN ? s3->slot_count : WINDOW_MIN;
	int64_t now = clock_mono_ns();

	s3->window_good = 0;
	if (s3->narrowed_ns && now - s3->narrowed_ns < NARROW_EVERY_NS)
		return;
	s3->narrowed_ns = now;
	s3->window = s3->window / 2 > least ? s3->window / 2 : least;
}

static void complete_done(struct slot *slot, const struct etag *etag,
    bool etag_not_md5, struct s3_page *page)
{
	struct s3_result result = { .outcome = S3_DONE, .http_status = 200,
		.etag_not_md5 = etag_not_md5 };

	if (etag)
		result.etag = *etag;
	widen_window(slot->s3);
	complete(slot, &result, page);
}

/* ---- one attempt -------------------------------------------------------- */

static void start_attempt(struct slot *slot)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;
	struct wire_sender sender = { .endpoint = &s3->endpoint,
		.signer = s3->signer, .session_token = s3->session_token };
	int64_t now = clock_wall_ns() + s3->clock_offset_ns;
	struct s3_list what_is_there = { .max_keys = 1 };

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

static void try_again(struct slot *slot, int64_t delay_ns)
{
	clear_reply(slot);
	slot->s3->usage.retries++;
	slot->s3->waiting++;
	slot->waiting = true;
	slot->due_ns = clock_mono_ns() + delay_ns;
}

/* ---- failure ------------------------------------------------------------ */

/* What the server says its time is; 0 where it does not. */
static int64_t server_time_ns(const struct slot *slot,
    const struct xml_error *error)
{
	const char *date = http_call_header(slot->call, "date");
	const char *age = http_call_header(slot->call, "age");
	int64_t wall_ns, age_ns;

	if (clock_parse_iso(error->server_time, &wall_ns) == 0)
		return wall_ns;
	if (!date || clock_parse_http(date, &wall_ns))
		return 0;
	/* A cache repeats the date of when it asked. */
	if (age && clock_parse_duration(age, &age_ns) == 0)
		wall_ns += age_ns;
	return wall_ns;
}

static void warn_of_clock(struct s3 *s3)
{
	long long off = s3->clock_offset_ns / CLOCK_SECOND;

	if (s3->clock_warned || off == 0)
		return;
	s3->clock_warned = true;
	log_warning("this machine's clock is %lld s %s that of %s: set it; "
	    "until then the server's time is used", off < 0 ? -off : off,
	    off < 0 ? "ahead of" : "behind", s3->endpoint.authority);
}

/* Requests are signed with the server's time from here on. */
static bool learn_clock(struct slot *slot, const struct xml_error *error)
{
	int64_t server_ns = server_time_ns(slot, error);

	if (slot->request->clock_learned || !server_ns)
		return false;
	slot->request->clock_learned = true;
	slot->s3->clock_offset_ns = server_ns - clock_wall_ns();
	warn_of_clock(slot->s3);
	return true;
}

/* Retry-After in seconds or as a date, x-amz-retry-after in milliseconds. */
static int64_t asked_delay_ns(const struct slot *slot)
{
	const char *ms = http_call_header(slot->call, "x-amz-retry-after");
	const char *seconds = http_call_header(slot->call, "retry-after");
	int64_t now = clock_wall_ns() + slot->s3->clock_offset_ns;
	int64_t ns;

	if (ms && clock_parse_duration(ms, &ns) == 0)
		return ns / 1000;
	if (seconds && clock_parse_duration(seconds, &ns) == 0)
		return ns;
	if (seconds && clock_parse_http(seconds, &ns) == 0 && ns > now)
		return ns - now;
	return 0;
}

static enum retry_asked asked(const struct request *r)
{
	if (r->settling || r->kind == S3_KIND_LIST)
		return RETRY_LIST;
	if (r->kind == S3_KIND_GET)
		return RETRY_GET;
	if (r->ask.put.if_match)
		return RETRY_PUT_SAME;
	return r->ask.put.if_none_match ? RETRY_PUT_NEW : RETRY_PUT;
}

/*
 * A condition failed, but an earlier attempt may have been done and its reply
 * lost: then what is in the way is our own. One LIST tells.
 */
static bool should_settle(const struct request *r,
    const struct retry_rule *rule)
{
	return r->kind == S3_KIND_PUT && rule->class == RETRY_CONFLICT &&
	    r->doubtful && r->ask.put.md5 && !r->settling;
}

static void complete_failed(struct slot *slot, const struct retry_rule *rule,
    const struct retry_reply *reply)
{
	struct s3_result result = { .outcome = rule->outcome,
		.http_status = reply->status };

	retry_explain(rule, reply, &result.error);
	if (slot->request->settling) {
		if (result.outcome != S3_REFUSED)
			result.outcome = S3_FAILED;
		error_prefix(&result.error, "the reply to an upload was lost, "
		    "and so was the question what is there now");
	}
	complete(slot, &result, NULL);
}

static void fail(struct slot *slot, struct retry_reply *reply)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;
	const struct retry_rule *rule;
	int limit = s3->attempts;

	reply->asked = asked(r);
	reply->own_region = s3->endpoint.region;
	reply->bucket = s3->bucket;
	reply->endpoint = s3->endpoint.url;
	reply->server = s3->endpoint.authority;
	reply->attempts = r->attempts;
	rule = retry_find(reply);
	if (rule->attempts > 0 && rule->attempts < limit)
		limit = rule->attempts;
	if (rule->class == RETRY_THROTTLE)
		narrow_window(s3);

	if ((rule->class == RETRY_TRANSIENT || rule->class == RETRY_THROTTLE) &&
	    r->attempts < limit) {
		try_again(slot, retry_delay_ns(rule->class, r->attempts,
		    asked_delay_ns(slot), clock_random()));
	} else if (rule->class == RETRY_CLOCK &&
	    learn_clock(slot, &reply->error)) {
		try_again(slot, 0);
	} else if (should_settle(r, rule)) {
		r->settling = true;
		try_again(slot, 0);
	} else {
		complete_failed(slot, rule, reply);
	}
}

static void fail_garbled(struct slot *slot, const char *why)
{
	struct retry_reply reply = { .curl = RETRY_GARBLED, .detail = why,
		.status = http_call_status(slot->call) };

	fail(slot, &reply);
}

static void keep_header(const struct slot *slot, const char *name, char *room,
    size_t size)
{
	const char *value = http_call_header(slot->call, name);
	size_t len;

	if (*room || !value)
		return;
	len = strnlen(value, size - 1);
	memcpy(room, value, len);
	room[len] = '\0';
}

/* The server said no, in whatever words. */
static void fail_status(struct slot *slot, int status)
{
	struct retry_reply reply = { .status = status };
	struct xml_error *error = &reply.error;

	xml_error_parse(strbuf_text(&slot->body), slot->body.len, error);
	keep_header(slot, "x-amz-request-id", error->request_id,
	    sizeof(error->request_id));
	keep_header(slot, "x-amz-bucket-region", error->region,
	    sizeof(error->region));
	fail(slot, &reply);
}

/* We did not want what came with a good status. */
static void fail_refused(struct slot *slot)
{
	if (slot->changed)
		fail_status(slot, 412);
	else
		fail_garbled(slot, slot->garbled);
}

static void fail_exchange(struct slot *slot, const struct http_end *end)
{
	struct retry_reply reply = { .curl = end->curl, .status = end->status,
		.sys = end->sys, .detail = end->text };

	fail(slot, &reply);
}

/* ---- success ------------------------------------------------------------ */

static bool header_etag(const struct slot *slot, unsigned char room[ETAG_MAX],
    struct etag *etag)
{
	const char *text = http_call_header(slot->call, "etag");

	memset(etag, 0, sizeof(*etag));
	return text && signature_etag_parse(text, strlen(text), room, etag) &&
	    etag->len > 0;
}

/* With a key of KMS's or the customer's the ETag is no MD5, and we are told. */
static bool says_not_md5(const struct slot *slot)
{
	const char *sse = http_call_header(slot->call,
	    "x-amz-server-side-encryption");

	return (sse && strncmp(sse, "aws:kms", 7) == 0) ||
	    http_call_header(slot->call,
	    "x-amz-server-side-encryption-customer-algorithm");
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
		complete_done(slot, &page->objects->sig.etag, false, NULL);
	} else {
		r->settling = false;
		r->doubtful = false;
		fail(slot, &reply);
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
			complete_done(slot, NULL, false, page);
		break;
	case XML_ERROR:
		fail(slot, &reply);
		break;
	case XML_BROKEN:
		fail_garbled(slot, err.text);
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
	unsigned char room[ETAG_MAX];
	struct s3_head head = { .size = http_call_length(slot->call),
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN };
	bool has_etag = header_etag(slot, room, &head.etag);
	int64_t ns;

	slot->begun = true;
	if (head.size < 0)
		slot->garbled = "the reply does not say how long it is";
	else if (!has_etag)
		slot->garbled = "the reply has no ETag, so it is not S3's";
	else if (get->if_match && get->if_match->len > 0 &&
	    !etag_equal(&head.etag, get->if_match))
		slot->changed = true; /* the server ignored If-Match */
	slot->refused = slot->garbled || slot->changed;
	if (slot->refused)
		return -1;
	if (modified && clock_parse_http(modified, &ns) == 0)
		head.mtime_ms = ns / CLOCK_MS;
	head.meta_mtime_ns = mtime ? wire_parse_mtime(mtime) : INT64_MIN;
	head.etag_not_md5 = says_not_md5(slot);
	return go_on(slot, get->begin(get->arg, &head, &slot->stop));
}

static void take_object(struct slot *slot)
{
	unsigned char room[ETAG_MAX];
	struct etag etag;

	if (!slot->begun && begin_object(slot)) { /* it has no bytes */
		if (slot->refused)
			fail_refused(slot);
		else
			complete_stopped(slot);
	} else if (slot->received != http_call_length(slot->call)) {
		fail_garbled(slot, "the reply is shorter than it says");
	} else {
		header_etag(slot, room, &etag);
		complete_done(slot, &etag, says_not_md5(slot), NULL);
	}
}

static void take_receipt(struct slot *slot)
{
	struct retry_reply reply = { .status = 200 };
	unsigned char room[ETAG_MAX];
	struct etag etag;

	xml_error_parse(strbuf_text(&slot->body), slot->body.len, &reply.error);
	if (*reply.error.code)
		fail(slot, &reply);
	else if (!header_etag(slot, room, &etag))
		fail_garbled(slot, "the reply to an upload has no ETag, so it "
		    "is not S3's");
	else
		complete_done(slot, &etag, says_not_md5(slot), NULL);
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
	if (n > 0)
		slot->s3->usage.bytes_out += n;
	else if (!slot->stop.kind)
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

	slot->s3->usage.bytes_in += (int64_t)len;
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
		complete_stopped(slot);
	else if (slot->changed || slot->garbled)
		fail_refused(slot);
	else if (end->curl && !slot->refused && end->status < 400)
		fail_exchange(slot, end);
	else if (end->status != 200)
		fail_status(slot, end->status);
	else if (wants_page(slot))
		take_page(slot);
	else if (r->kind == S3_KIND_GET)
		take_object(slot);
	else
		take_receipt(slot);
}

static const struct http_events events = {
	.read = on_read,
	.body = on_body,
	.end = on_end,
};

/* ---- queue and slots ---------------------------------------------------- */

static struct request *enqueue(struct s3 *s3, enum s3_kind kind)
{
	struct request *r = alloc_zero(1, sizeof(*r));

	r->kind = kind;
	*s3->queue_end = r;
	s3->queue_end = &r->next;
	return r;
}

void s3_list(struct s3 *s3, const struct s3_list *request)
{
	enqueue(s3, S3_KIND_LIST)->ask.list = *request;
}

void s3_get(struct s3 *s3, const struct s3_get *request)
{
	enqueue(s3, S3_KIND_GET)->ask.get = *request;
}

void s3_put(struct s3 *s3, const struct s3_put *request)
{
	assert(request->size >= 0);
	enqueue(s3, S3_KIND_PUT)->ask.put = *request;
}

static struct request *dequeue(struct s3 *s3)
{
	struct request *r = s3->queue;

	s3->queue = r->next;
	if (!s3->queue)
		s3->queue_end = &s3->queue;
	return r;
}

static void start_queued(struct s3 *s3)
{
	while (s3->queue && s3->free_slots && s3->busy < s3->window) {
		struct slot *slot = s3->free_slots;

		s3->free_slots = slot->next_free;
		s3->busy++;
		slot->request = dequeue(s3);
		if (!slot->call) {
			slot->call = http_call_new(s3->http, &events, slot);
			wire_init(&slot->wire);
			strbuf_init(&slot->body, ERROR_BODY_MAX);
		}
		start_attempt(slot);
	}
}

static void start_due(struct s3 *s3, int64_t now)
{
	for (size_t i = 0; s3->waiting > 0 && i < s3->slot_count; i++) {
		struct slot *slot = &s3->slots[i];

		if (!slot->waiting || slot->due_ns > now)
			continue;
		slot->waiting = false;
		s3->waiting--;
		start_attempt(slot);
	}
}

/* When the next slot is due, or ${until_ns} if none is before that. */
static int64_t next_due(const struct s3 *s3, int64_t until_ns)
{
	for (size_t i = 0; s3->waiting > 0 && i < s3->slot_count; i++)
		if (s3->slots[i].waiting && s3->slots[i].due_ns < until_ns)
			until_ns = s3->slots[i].due_ns;
	return until_ns;
}

/* ---- stopping ----------------------------------------------------------- */

void s3_abort_all(struct s3 *s3)
{
	for (size_t i = 0; i < s3->slot_count; i++)
		if (s3->slots[i].request)
			s3->slots[i].request->aborted = true;
	for (struct request *r = s3->queue; r; r = r->next)
		r->aborted = true;
	s3->aborting = true;
}

/* Those marked are the oldest of the queue: it is in the order of arrival. */
static void end_aborted(struct s3 *s3)
{
	struct s3_result result = { .outcome = S3_ABORTED };

	if (!s3->aborting)
		return;
	s3->aborting = false;
	error_set(&result.error, ERROR_STOPPED, "stopped");
	for (size_t i = 0; i < s3->slot_count; i++) {
		struct slot *slot = &s3->slots[i];

		if (!slot->request || !slot->request->aborted)
			continue;
		http_call_stop(slot->call);
		complete(slot, &result, NULL);
	}
	while (s3->queue && s3->queue->aborted) {
		struct request *r = dequeue(s3);

		result.attempts = 0;
		call_done(s3, r, &result, NULL);
	}
}

void s3_free(struct s3 *s3)
{
	if (!s3)
		return;
	while (s3->busy > 0 || s3->queue) {
		s3_abort_all(s3);
		end_aborted(s3);
	}
	for (size_t i = 0; i < s3->slot_count; i++) {
		struct slot *slot = &s3->slots[i];

		if (!slot->call)
			continue;
		http_call_free(slot->call);
		wire_release(&slot->wire);
		strbuf_release(&slot->body);
	}
	free(s3->slots);
	http_free(s3->http);
	sigv4_free(s3->signer);
	endpoint_release(&s3->endpoint);
	free(s3->bucket);
	if (s3->session_token)
		OPENSSL_cleanse(s3->session_token, strlen(s3->session_token));
	free(s3->session_token);
	free(s3);
}

/* ---- the loop ----------------------------------------------------------- */

static int turn(struct s3 *s3, int64_t until_ns, struct error *err)
{
	for (;;) {
		int64_t now = clock_mono_ns();

		end_aborted(s3);
		start_due(s3, now);
		start_queued(s3);
		if (http_turn(s3->http, err))
			return -1;
		if (s3->called || atomic_exchange(&s3->woken, false) ||
		    now >= until_ns)
			return 0;
		if (http_sleep(s3->http,
		    next_due(s3, until_ns) - clock_mono_ns(), err))
			return -1;
	}
}

int s3_wait(struct s3 *s3, int64_t timeout_ns, struct error *err)
{
	int rc;

	assert(!s3->in_wait);
	s3->in_wait = true;
	s3->called = false;
	rc = turn(s3, clock_mono_ns() + timeout_ns, err);
	s3->in_wait = false;
	return rc;
}

void s3_wake(struct s3 *s3)
{
	atomic_store(&s3->woken, true);
	http_wake(s3->http);
}
