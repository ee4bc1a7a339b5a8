/* SPDX-License-Identifier: MIT */
/* What a bad reply, or none, means for a request: by the table of retry.c. */
#include "s3/s3_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "s3/proxy.h"

static void tell_of_move(const struct s3 *s3, const char *asked)
{
	const char *own = s3->endpoint.region;

	if (s3->where.region)
		log_warning("bucket '%s' is in %s, not in %s: set region = %s",
		    s3->where.bucket, own, asked, own);
	else
		log_debug("bucket '%s' is in %s", s3->where.bucket, own);
}

/* The region of ${error}, or one that another request has found meanwhile. A
 * request follows one such hint; so does the bucket, until one is done. */
static bool learn_region(struct slot *slot, const struct xml_error *error)
{
	struct request *r = slot->request;
	struct s3 *s3 = slot->s3;
	char asked[sizeof(error->region)];

	if (r->relocated)
		return false;
	if (r->asked_in == s3->moves) {
		if (!*error->region && !r->locating) {
			r->locating = true;
			return true;
		}
		snprintf(asked, sizeof(asked), "%s", s3->endpoint.region);
		if (s3->unproven || !s3_move(s3, error->region))
			return false;
		s3->moves++;
		s3->unproven = true;
		tell_of_move(s3, asked);
	}
	r->relocated = true;
	r->locating = false;
	return true;
}

/* Retry-After in seconds or as a date, x-amz-retry-after in milliseconds. */
static struct retry_wish read_wish(const struct slot *slot)
{
	const char *ms = http_call_header(slot->call, "x-amz-retry-after");
	const char *seconds = http_call_header(slot->call, "retry-after");
	int64_t now = s3_clock_now_ns(slot->s3);
	struct retry_wish wish = { 0 };
	int64_t ns;

	if (ms && clock_parse_duration(ms, &ns) == 0)
		wish.about_ns = ns / 1000;
	if (seconds && clock_parse_duration(seconds, &ns) == 0)
		wish.least_ns = ns;
	else if (seconds && clock_parse_http(seconds, &ns) == 0 && ns > now)
		wish.least_ns = ns - now;
	return wish;
}

/* "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object
 * requests with Object Lock parameters", says AWS. */
static bool wants_content_md5(const struct slot *slot,
    const struct retry_reply *reply)
{
	const struct request *r = slot->request;
	enum s3_kind kind = s3_operation_kind(r);

	return (kind == S3_KIND_PUT || kind == S3_KIND_UPLOAD_PART) &&
	    !r->with_md5 && reply->status == 400 &&
	    (strcmp(reply->error.code, "MissingContentMD5") == 0 ||
	        (strcmp(reply->error.code, "InvalidRequest") == 0 &&
	            strcasestr(reply->error.message, "Content-MD5")));
}

/* A server that does not understand what it was asked for besides. */
static bool refuses_restore_status(const struct slot *slot,
    const struct retry_reply *reply)
{
	return slot->request->with_restore && !slot->s3->restore_refused &&
	    (reply->status == 400 || reply->status == 501);
}

static unsigned asked(const struct request *r)
{
	static const unsigned by_kind[S3_KIND_COUNT] = {
		[S3_KIND_LIST] = RETRY_LIST,
		[S3_KIND_GET] = RETRY_GET,
		[S3_KIND_HEAD] = RETRY_HEAD,
		[S3_KIND_CREATE_UPLOAD] = RETRY_PUT,
		[S3_KIND_UPLOAD_PART] = RETRY_PUT,
		[S3_KIND_ABORT_UPLOAD] = RETRY_ABORT,
		[S3_KIND_LIST_PARTS] = RETRY_PARTS,
		[S3_KIND_HEAD_BUCKET] = RETRY_LIST,
	};
	const struct s3_multipart_complete *complete = &r->ask.complete;
	enum s3_kind kind = s3_operation_kind(r);

	switch (kind) {
	case S3_KIND_PUT:
		return r->ask.put.if_match ? RETRY_PUT_SAME :
		    r->ask.put.if_none_match ? RETRY_PUT_NEW : RETRY_PUT;
	case S3_KIND_COPY:
		return r->ask.copy.if_match ? RETRY_PUT_SAME :
		    r->ask.copy.if_none_match ? RETRY_PUT_NEW : RETRY_PUT;
	case S3_KIND_DELETE:
		return RETRY_DELETE |
		    (r->ask.delete.if_match ? RETRY_DELETE_SAME : 0);
	case S3_KIND_COMPLETE_UPLOAD:
		return RETRY_COMPLETE |
		    (complete->if_match ? RETRY_PUT_SAME :
		    complete->if_none_match ? RETRY_PUT_NEW : RETRY_PUT);
	case S3_KIND_LIST:
	case S3_KIND_GET:
	case S3_KIND_HEAD:
	case S3_KIND_CREATE_UPLOAD:
	case S3_KIND_UPLOAD_PART:
	case S3_KIND_ABORT_UPLOAD:
	case S3_KIND_LIST_PARTS:
	case S3_KIND_HEAD_BUCKET:
	case S3_KIND_SETTING:
	case S3_KIND_COUNT:
		break;
	}
	return by_kind[kind];
}

/*
 * A condition failed, or an upload is gone, but an earlier attempt may have
 * been done and its reply lost: then what is in the way is our own. One HEAD
 * tells.
 */
static bool should_settle(const struct request *r,
    const struct retry_rule *rule)
{
	return r->doubtful && !r->settling &&
	    (rule->class == RETRY_CONFLICT ||
	    (r->kind == S3_KIND_COMPLETE_UPLOAD &&
	    rule->outcome == S3_ABSENT));
}

void s3_failure_settle(struct slot *slot, int status)
{
	slot->request->settling = true;
	slot->request->doubt_status = status;
	s3_try_again(slot, 0);
}

void s3_failure_not_ours(struct slot *slot)
{
	struct request *r = slot->request;
	struct retry_reply reply = { .status = r->doubt_status };

	if (reply.status == 404)
		snprintf(reply.error.code, sizeof(reply.error.code),
		    "NoSuchUpload");
	r->settling = false;
	r->doubtful = false;
	s3_failure_reply(slot, &reply);
}

static struct s3_result failed_result(const struct slot *slot,
    const struct retry_rule *rule, const struct retry_reply *reply)
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
	return result;
}

static void complete_failed(struct slot *slot, const struct retry_rule *rule,
    const struct retry_reply *reply)
{
	struct s3_result result = failed_result(slot, rule, reply);

	if (rule->class != RETRY_CREDENTIALS ||
	    !s3_signer_renews(slot, &result))
		s3_complete(slot, &result, NULL);
}

/* What the reply's head says, where its body does not. */
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

static struct retry_reply exchange_reply(const struct s3 *s3,
    const struct http_end *end)
{
	struct retry_reply reply = { .curl = end->curl, .status = end->status,
		.sys = end->sys, .verify = end->verify, .detail = end->text };

	if (end->proxy || end->curl == CURLE_PROXY) {
		reply.curl = RETRY_PROXY;
		reply.status = end->proxy;
	} else if (s3->proxy_name &&
	    proxy_is_unreachable(s3->proxy_name, end->curl, end->text)) {
		reply.curl = RETRY_NO_PROXY;
	}
	return reply;
}

static void describe(const struct slot *slot, struct retry_reply *reply)
{
	const struct s3 *s3 = slot->s3;
	struct xml_error *error = &reply->error;

	keep_header(slot, "x-amz-request-id", error->request_id,
	    sizeof(error->request_id));
	keep_header(slot, "x-amz-bucket-region", error->region,
	    sizeof(error->region));
	reply->asked = asked(slot->request);
	reply->own_region = s3->endpoint.region;
	reply->bucket = s3->where.bucket;
	reply->endpoint = s3->endpoint.url;
	reply->server = s3->endpoint.authority;
	reply->proxy = s3->proxy_name;
	reply->proxy_variable = s3->proxy_variable;
	reply->is_public = s3->signing == S3_SIGNING_NONE;
	reply->attempts = slot->request->attempts;
}

/* Those that count: to be told to come later is no failure, and what could not
 * be had in an outage neither. */
static int failures(const struct request *r)
{
	return r->attempts - r->throttled - r->excused;
}

static bool is_trial(const struct request *r)
{
	return s3_operation_kind(r) == S3_KIND_PUT && r->ask.put.is_trial;
}

/* Is the wait worth it, and is there an attempt left? To be told to come
 * later may happen twice as often. */
static bool may_try_again(const struct slot *slot,
    const struct retry_rule *rule)
{
	const struct request *r = slot->request;
	int limit = slot->s3->attempts;

	if (rule->class == RETRY_THROTTLE)
		return r->throttled <= 2 * (limit - 1);
	if (rule->attempts > 0 && rule->attempts < limit)
		limit = is_trial(r) ? 1 : rule->attempts;
	if (slot->s3->quota.served_ns == 0 && rule->first_attempts > 0 &&
	    rule->first_attempts < limit)
		limit = rule->first_attempts;
	return rule->class == RETRY_TRANSIENT && failures(r) < limit;
}

static void log_delay(const struct retry_rule *rule,
    const struct retry_reply *reply, int64_t delay_ns)
{
	struct error err = ERROR_INIT;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	retry_explain(rule, reply, &err);
	log_debug("in %lld ms again: %s", (long long)(delay_ns / CLOCK_MS),
	    err.text);
}

static void try_again(struct slot *slot, const struct retry_rule *rule,
    const struct retry_reply *reply)
{
	const struct retry_wish wish = read_wish(slot);
	const struct request *r = slot->request;
	int64_t delay_ns = retry_delay_ns(rule->class,
	    rule->class == RETRY_THROTTLE ? r->throttled : failures(r), &wish,
	    clock_random());

	log_delay(rule, reply, delay_ns);
	s3_try_again(slot, delay_ns);
}

/* Once for each outage: for so long nothing else is heard. */
static void tell_of_outage(struct s3 *s3, const struct s3_result *result)
{
	const struct quota *q = &s3->quota;

	if (s3->told_outage_ns == q->outage_ns ||
	    quota_outage_over(q, clock_mono_ns()))
		return;
	s3->told_outage_ns = q->outage_ns;
	log_warning("%s serves nobody, and is waited for, up to %lld s: %s",
	    s3->endpoint.authority,
	    (long long)(q->patience_ns / CLOCK_SECOND), result->error.text);
}

static void hold(struct slot *slot, const struct s3_result *result)
{
	tell_of_outage(slot->s3, result);
	s3_hold(slot, result);
}

/* If anybody is served after that, it was others: since this one first failed,
 * and by as much later as a reply takes, as those sent together overtake each
 * other. */
static int64_t failing_since_ns(const struct slot *slot, int64_t now_ns)
{
	return slot->request->failed_ns + now_ns - slot->sent_ns;
}

/* Nobody else was asked: something else is, in its place. */
static void ask_for_bucket(struct slot *slot, const struct s3_result *result)
{
	struct request *r = slot->request;

	log_debug("does %s serve anybody? %s", slot->s3->endpoint.authority,
	    result->error.text);
	r->own_end = alloc_copy(result, sizeof(*result));
	s3_try_again(slot, 0);
}

void s3_failure_own(struct slot *slot, const struct http_end *end)
{
	struct retry_reply reply = exchange_reply(slot->s3, end);
	struct request *r = slot->request;
	struct s3_result result = *r->own_end;
	int64_t now_ns = clock_mono_ns();

	describe(slot, &reply);
	free(r->own_end);
	r->own_end = NULL;
	if (retry_is_trouble(retry_find(&reply))) {
		quota_hold(&slot->s3->quota, failing_since_ns(slot, now_ns),
		    now_ns, clock_random());
		hold(slot, &result);
	} else {
		r->spent = 0; /* in vain */
		s3_served(slot);
		s3_complete(slot, &result, NULL);
	}
}

/* Whoever has an attempt left makes it, unless the server has too much trouble
 * for that; who has none left is held only if that is so. */
static void meet_trouble(struct slot *slot, const struct retry_rule *rule,
    const struct retry_reply *reply)
{
	struct request *r = slot->request;
	struct s3_result result = failed_result(slot, rule, reply);
	int64_t now_ns = clock_mono_ns(), since_ns;
	enum quota_answer answer;

	if (r->failed_ns == 0)
		r->failed_ns = now_ns;
	since_ns = failing_since_ns(slot, now_ns);
	answer = may_try_again(slot, rule) ?
	    quota_ask(&slot->s3->quota, rule->class, &r->spent, since_ns,
	        now_ns, clock_random()) :
	    quota_ask_last(&slot->s3->quota, since_ns, now_ns);
	switch (answer) {
	case QUOTA_AGAIN:
		try_again(slot, rule, reply);
		break;
	case QUOTA_HOLD:
		hold(slot, &result);
		break;
	case QUOTA_OVER:
		s3_complete(slot, &result, NULL);
		break;
	case QUOTA_DOUBT:
		ask_for_bucket(slot, &result);
		break;
	}
}

/* The server asks for less. */
static void narrow_window(const struct slot *slot)
{
	struct s3 *s3 = slot->s3;
	size_t before = s3->window.size;

	if (!window_throttled(&s3->window, slot->sent_ns, clock_mono_ns()))
		return;
	s3->usage.narrowed++;
	log_debug("%s asks for less: %zu requests at once, not %zu",
	    s3->endpoint.authority, s3->window.size, before);
}

void s3_failure_reply(struct slot *slot, struct retry_reply *reply)
{
	struct request *r = slot->request;
	const struct retry_rule *rule;

	describe(slot, reply);
	rule = retry_find(reply);
	if (rule->class == RETRY_THROTTLE) {
		r->throttled++;
		narrow_window(slot);
	}
	if (retry_is_trouble(rule)) {
		meet_trouble(slot, rule, reply);
		return;
	}
	s3_served(slot);
	if (may_try_again(slot, rule)) {
		try_again(slot, rule, reply);
	} else if (s3_operation_kind(r) == S3_KIND_LIST &&
	    refuses_restore_status(slot, reply)) {
		slot->s3->restore_refused = true;
		s3_try_again(slot, 0);
	} else if (wants_content_md5(slot, reply)) {
		slot->s3->content_md5 = true;
		if (r->ask.put.md5)
			s3_try_again(slot, 0);
		else
			complete_failed(slot, rule, reply);
	} else if (rule->class == RETRY_CLOCK &&
	    s3_clock_learn(slot, &reply->error)) {
		s3_try_again(slot, 0);
	} else if (rule->class == RETRY_REGION &&
	    learn_region(slot, &reply->error)) {
		s3_try_again(slot, 0);
	} else if (should_settle(r, rule)) {
		s3_failure_settle(slot, reply->status);
	} else {
		complete_failed(slot, rule, reply);
	}
}

void s3_failure_garbled(struct slot *slot, const char *why)
{
	struct retry_reply reply = { .curl = RETRY_GARBLED, .detail = why,
		.status = http_call_status(slot->call) };

	s3_failure_reply(slot, &reply);
}

void s3_failure_status(struct slot *slot, int status)
{
	struct retry_reply reply = { .status = status };

	if (slot->request->settling && status == 404) {
		s3_failure_not_ours(slot);
		return;
	}
	xml_error_parse(strbuf_text(&slot->body), slot->body.len, &reply.error);
	s3_failure_reply(slot, &reply);
}

/* Whatever its status, the head of the reply may name the region; AWS's does.
 * Trouble is trouble, here as elsewhere. */
void s3_failure_located(struct slot *slot, int status)
{
	struct retry_reply reply = { .status = status };

	if (http_call_header(slot->call, "x-amz-bucket-region") ||
	    status < 400)
		reply.status = 301;
	s3_failure_reply(slot, &reply);
}

void s3_failure_exchange(struct slot *slot, const struct http_end *end)
{
	struct retry_reply reply = exchange_reply(slot->s3, end);

	s3_failure_reply(slot, &reply);
}
