/* SPDX-License-Identifier: MIT */
/* One bucket: the queue of requests, the slots, and the loop. */
#include "s3/s3_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "s3/proxy.h"

#define DOCUMENT_MAX ((size_t)8 << 20) /* 1000 parts with long ETags */
#define RELEASED_AT_ONCE 2 /* of the held, by each that is served */

static char *copy(const char *text)
{
	return text ? alloc_string(text) : NULL;
}

static void keep_where(struct endpoint_options *where,
    const struct s3_options *options)
{
	*where = (struct endpoint_options){
		.url = copy(options->endpoint_url),
		.region = copy(options->region),
		.bucket = copy(options->bucket),
		.addressing = options->addressing,
		.dualstack = options->dualstack,
		.fips = options->fips,
		.accelerate = options->accelerate,
	};
}

static void release_where(struct endpoint_options *where)
{
	free((char *)where->url);
	free((char *)where->region);
	free((char *)where->bucket);
}

static int choose_proxy(struct s3 *s3, struct http_options *http,
    const struct env *env, struct error *err)
{
	struct proxy proxy;

	if (!env)
		return 0;
	if (proxy_find(env, s3->endpoint.tls, &proxy, err))
		return -1;
	s3->proxy_name = proxy.url ? proxy_name(proxy.url) : NULL;
	s3->proxy_variable = proxy.variable;
	http->proxy = proxy.url ? proxy.url : "";
	http->proxy_exempt = proxy.exempt;
	return 0;
}

int s3_new(struct s3 **s3, const struct s3_options *options, struct error *err)
{
	struct http_options http = {
		.ca_bundle = options->ca_bundle,
		.connections = options->in_flight,
		.idle_timeout_ns = options->idle_timeout_ns,
		.limits = { [HTTP_UP] = options->limit_up,
		    [HTTP_DOWN] = options->limit_down },
	};
	struct s3 *s = alloc_zero(1, sizeof(*s));

	assert(options->in_flight > 0 && options->attempts > 0 &&
	    options->idle_timeout_ns > 0);
	*s3 = NULL;
	keep_where(&s->where, options);
	if (endpoint_init(&s->endpoint, &s->where, err) ||
	    choose_proxy(s, &http, options->env, err) ||
	    http_new(&s->http, &http, err)) {
		free(s->proxy_name);
		endpoint_release(&s->endpoint);
		release_where(&s->where);
		free(s);
		return -1;
	}
	s->prefix = alloc_string(options->prefix ? options->prefix : "");
	s->signing = options->signing;
	s3_signer_init(s, options);
	s->properties = options->properties;
	s->attempts = options->attempts;
	s->queue_end = &s->queue;
	s->slot_count = options->in_flight;
	window_init(&s->window, s->slot_count);
	quota_init(&s->quota, options->patience_ns);
	s->slots = alloc_zero(s->slot_count, sizeof(*s->slots));
	for (size_t i = s->slot_count; i-- > 0;) {
		s->slots[i].s3 = s;
		s->slots[i].next_free = s->free_slots;
		s->free_slots = &s->slots[i];
	}
	*s3 = s;
	return 0;
}

const char *s3_prefix(const struct s3 *s3)
{
	return s3->prefix;
}

const char *s3_endpoint(const struct s3 *s3)
{
	return s3->endpoint.url;
}

const char *s3_region(const struct s3 *s3)
{
	return s3->endpoint.region;
}

/* Of AWS the host changes, too; of another server only the signatures. */
bool s3_move(struct s3 *s3, const char *region)
{
	struct endpoint_options there = s3->where;
	struct error ignored = ERROR_INIT;
	struct endpoint next;

	there.region = region;
	if (endpoint_init(&next, &there, &ignored))
		return false;
	if (strcmp(next.region, s3->endpoint.region) == 0) {
		endpoint_release(&next);
		return false;
	}
	endpoint_release(&s3->endpoint);
	s3->endpoint = next;
	s3_signer_make(s3);
	return true;
}

void s3_begin_in(struct s3 *s3, const char *region)
{
	s3_move(s3, region);
}

bool s3_signs_payload(const struct s3 *s3)
{
	return s3->signing == S3_SIGNING_PAYLOAD ||
	    (s3->signing == S3_SIGNING_AUTO && !s3->endpoint.tls);
}

/* SHA-256 takes less than half the time of MD5 where the CPU knows it. */
enum s3_digests s3_part_digests(const struct s3 *s3)
{
	bool has_checksum = s3->properties.checksum != S3_CHECKSUM_NONE;
	bool sha256 = s3_signs_payload(s3) ||
	    (s3->signing == S3_SIGNING_AUTO && !has_checksum);
	bool md5 = !has_checksum && (s3->content_md5 || !sha256);

	return (sha256 ? S3_DIGESTS_SHA256 : S3_DIGESTS_NONE) |
	    (md5 ? S3_DIGESTS_MD5 : S3_DIGESTS_NONE);
}

const struct s3_usage *s3_usage(const struct s3 *s3)
{
	return &s3->usage;
}

const char *s3_checksum_name(enum s3_checksum checksum)
{
	return wire_checksum_name(checksum);
}

enum digest_kind s3_checksum_digest(enum s3_checksum checksum)
{
	return wire_checksum_digest(checksum);
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
    const struct s3_result *result, void *value)
{
	s3->called = true;
	s3_operation_done(r, result, value);
	strbuf_release(&r->body);
	free(r->own_end);
	free(r);
}

static void clear_reply(struct slot *slot)
{
	xml_page_free(slot->page);
	slot->page = NULL;
	strbuf_clear(&slot->body);
	slot->begun = false;
	slot->receipt = S3_RECEIPT_NONE;
	slot->received = 0;
	slot->refused = false;
	slot->garbled = NULL;
	slot->changed = false;
	error_clear(&slot->stop);
}

static void leave_waiting(struct slot *slot)
{
	slot->s3->waiting -= slot->waiting;
	slot->waiting = false;
	slot->s3->held -= slot->held != NULL;
	free(slot->held);
	slot->held = NULL;
	free(slot->refusal);
	slot->refusal = NULL;
}

/* The slot is free before the callback runs, but for the bytes of ${result}
 * and ${value}: those stay until its next request begins. */
void s3_complete(struct slot *slot, struct s3_result *result, void *value)
{
	struct s3 *s3 = slot->s3;
	struct request *r = slot->request;

	result->attempts = r->attempts;
	clear_reply(slot);
	leave_waiting(slot);
	slot->request = NULL;
	slot->next_free = s3->free_slots;
	s3->free_slots = slot;
	s3->busy--;
	call_done(s3, r, result, value);
}

void s3_complete_stopped(struct slot *slot)
{
	struct s3_result result = { .outcome = S3_ABORTED,
		.error = slot->stop };

	s3_complete(slot, &result, NULL);
}

void s3_complete_done(struct slot *slot, const struct etag *etag,
    bool etag_not_md5, void *value)
{
	struct s3_result result = { .outcome = S3_DONE,
		.http_status = http_call_status(slot->call),
		.etag_not_md5 = etag_not_md5, .receipt = slot->receipt };

	if (etag)
		result.etag = *etag;
	slot->s3->unproven = false;
	s3_served(slot);
	s3_clock_check(slot);
	if (window_good(&slot->s3->window))
		slot->s3->usage.widened++;
	s3_complete(slot, &result, value);
}

void s3_try_again(struct slot *slot, int64_t delay_ns)
{
	clear_reply(slot);
	slot->s3->usage.retries++;
	slot->s3->waiting++;
	slot->waiting = true;
	slot->due_ns = clock_mono_ns() + delay_ns;
}

void s3_hold(struct slot *slot, const struct s3_result *result)
{
	clear_reply(slot);
	slot->s3->held++;
	slot->held = alloc_bytes(sizeof(*result));
	*slot->held = *result;
}

/* Of those held the next in turn tries again. */
static struct request *release_held(struct s3 *s3)
{
	struct slot *slot;

	do {
		s3->probe = s3->probe % s3->slot_count;
		slot = &s3->slots[s3->probe++];
	} while (!slot->held);
	leave_waiting(slot);
	s3_try_again(slot, 0);
	return slot->request;
}

/* Each that is served sets two free: as many as there are, soon. */
void s3_served(struct slot *slot)
{
	struct s3 *s3 = slot->s3;

	quota_served(&s3->quota, slot->request->spent, clock_mono_ns());
	slot->request->spent = 0;
	slot->request->failed_ns = 0;
	for (int i = 0; i < RELEASED_AT_ONCE && s3->held > 0; i++) {
		struct request *r = release_held(s3);

		r->excused = r->attempts - r->throttled;
	}
}

/* ---- queue and slots ---------------------------------------------------- */

struct request *s3_enqueue(struct s3 *s3, enum s3_kind kind)
{
	struct request *r = alloc_zero(1, sizeof(*r));

	r->kind = kind;
	*s3->queue_end = r;
	s3->queue_end = &r->next;
	return r;
}

void s3_list(struct s3 *s3, const struct s3_list *request)
{
	s3_enqueue(s3, S3_KIND_LIST)->ask.list = *request;
}

void s3_get(struct s3 *s3, const struct s3_get *request)
{
	s3_enqueue(s3, S3_KIND_GET)->ask.get = *request;
}

void s3_put(struct s3 *s3, const struct s3_put *request)
{
	struct request *r = s3_enqueue(s3, request->upload_id ?
	    S3_KIND_UPLOAD_PART : S3_KIND_PUT);

	assert(request->size >= 0);
	r->ask.put = *request;
	if (!request->upload_id &&
	    (request->if_none_match || request->if_match))
		s3_multipart_token(r->token);
}

void s3_delete(struct s3 *s3, const struct s3_delete *request)
{
	s3_enqueue(s3, S3_KIND_DELETE)->ask.delete = *request;
}

void s3_copy(struct s3 *s3, const struct s3_copy *request)
{
	s3_enqueue(s3, S3_KIND_COPY)->ask.copy = *request;
}

static struct request *dequeue(struct s3 *s3)
{
	struct request *r = s3->queue;

	s3->queue = r->next;
	if (!s3->queue)
		s3->queue_end = &s3->queue;
	return r;
}

/* May one more be in exchange? */
static bool window_open(const struct s3 *s3)
{
	return !s3->renewing &&
	    s3->busy - s3->waiting - s3->held < s3->window.size;
}

static void start_queued(struct s3 *s3)
{
	while (s3->queue && s3->free_slots && window_open(s3)) {
		struct slot *slot = s3->free_slots;

		s3->free_slots = slot->next_free;
		s3->busy++;
		slot->request = dequeue(s3);
		if (!slot->call) {
			slot->call = http_call_new(s3->http, &s3_attempt_events,
			    slot);
			wire_init(&slot->wire);
			strbuf_init(&slot->body, DOCUMENT_MAX);
		}
		s3_attempt_start(slot);
	}
}

/* What waits longest goes first. */
static struct slot *first_due(struct s3 *s3, int64_t now)
{
	struct slot *first = NULL;

	for (size_t i = 0; s3->waiting > 0 && i < s3->slot_count; i++) {
		struct slot *slot = &s3->slots[i];

		if (slot->waiting && slot->due_ns <= now &&
		    (!first || slot->due_ns < first->due_ns))
			first = slot;
	}
	return first;
}

static void start_due(struct s3 *s3, int64_t now)
{
	struct slot *slot;

	while (window_open(s3) && (slot = first_due(s3, now))) {
		leave_waiting(slot);
		s3_attempt_start(slot);
	}
}

/* Those held: one tries, or all end. */
static void try_held(struct s3 *s3, int64_t now)
{
	if (s3->held > 0 && quota_probe_due(&s3->quota, now, clock_random()))
		release_held(s3);
	if (!quota_outage_over(&s3->quota, now))
		return;
	for (size_t i = 0; s3->held > 0 && i < s3->slot_count; i++) {
		struct s3_result result;

		if (!s3->slots[i].held)
			continue;
		result = *s3->slots[i].held;
		s3_complete(&s3->slots[i], &result, NULL);
	}
}

/* When the next slot is due, or ${until_ns} if none is before that. What is
 * due and has no room in the window is woken by a reply. */
static int64_t next_due(const struct s3 *s3, int64_t until_ns)
{
	for (size_t i = 0; window_open(s3) && s3->waiting > 0 &&
	     i < s3->slot_count; i++)
		if (s3->slots[i].waiting && s3->slots[i].due_ns < until_ns)
			until_ns = s3->slots[i].due_ns;
	if (s3->held > 0 && quota_next_ns(&s3->quota) < until_ns)
		until_ns = quota_next_ns(&s3->quota);
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
		s3_complete(slot, &result, NULL);
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
	s3_signer_release(s3);
	http_free(s3->http);
	free(s3->proxy_name);
	endpoint_release(&s3->endpoint);
	free(s3->prefix);
	release_where(&s3->where);
	free(s3);
}

/* ---- the loop ----------------------------------------------------------- */

static int turn(struct s3 *s3, int64_t until_ns, struct error *err)
{
	for (;;) {
		int64_t now = clock_mono_ns();

		end_aborted(s3);
		try_held(s3, now);
		s3_signer_turn(s3);
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
	s3->usage.bytes_in = http_traffic(s3->http, HTTP_DOWN);
	s3->usage.bytes_out = http_traffic(s3->http, HTTP_UP);
	s3->in_wait = false;
	return rc;
}

void s3_wake(struct s3 *s3)
{
	atomic_store(&s3->woken, true);
	http_wake(s3->http);
}
