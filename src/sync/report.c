/* SPDX-License-Identifier: MIT */
/* Events to lines of the log, and to JSON where that is asked for. */
#include "sync/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "sync/progress.h"

#define LINE_MAX_BYTES 1024
#define REQUEST_NAME_MAX 64
#define DOWN_ARROW "\xe2\xac\x87\xef\xb8\x8f" /* U+2B07 U+FE0F */
#define UP_ARROW "\xe2\xac\x86\xef\xb8\x8f"   /* U+2B06 U+FE0F */

struct report {
	const struct conf_pair *pair;
	const struct report_style *style;
	struct progress *progress;
	struct cycle_events events;
	struct cycle_summary last; /* of the last cycle that ran to its end */
};

/* What people and JSON call a transfer when it is done, and while it is not. */
static const struct {
	const char *event, *line, *noun;
} words[] = {
	[ACTION_UPLOAD] = { "uploaded", "Uploaded to S3", "upload" },
	[ACTION_DOWNLOAD] = { "downloaded", "Downloaded from S3", "download" },
};

/*
 * JSON
 */

/* NULL unless JSON is asked for: then to be filled and printed. */
static json_t *new_object(const struct report *r, const char *event)
{
	json_t *object;

	if (!r->style->json)
		return NULL;
	object = json_object();
	json_put_text(object, "event", event);
	json_put_text(object, "pair", r->pair->name);
	json_put_time(object, "time", clock_wall_ns());
	return object;
}

static void print_object(const struct report *r, json_t *object)
{
	json_print(r->style->out, object);
	fflush(r->style->out);
}

static void put_error(json_t *object, const struct error *error)
{
	bool is_one = error != NULL && error->kind != ERROR_NONE;

	json_put_text(object, "error",
	    is_one ? error_kind_name(error->kind) : NULL);
	json_put_text(object, "message", is_one ? error->text : NULL);
}

/*
 * While a cycle runs
 */

/* The log wants text that ends; keys that hold a NUL end there. */
static char *text_of(const char *key, size_t len)
{
	char *text = alloc_bytes(len + 1);

	memcpy(text, key, len);
	text[len] = '\0';
	return text;
}

static void on_transferred(void *arg, enum decide_action action,
    const char *key, size_t key_len, int64_t bytes)
{
	struct report *r = arg;
	json_t *object = new_object(r, words[action].event);
	char *text = text_of(key, key_len);

	log_event(LOG_LEVEL_INFO, r->pair->name, words[action].event, text,
	    "%s: %s", words[action].line, text);
	if (object != NULL) {
		json_put_key(object, key, key_len);
		json_put_int(object, "bytes", bytes);
		print_object(r, object);
	}
	free(text);
}

/* JSON of a transfer that did not come to its end; NULL unless asked for. */
static json_t *new_unfinished(const struct report *r, const char *event,
    enum decide_action action, const char *key, size_t key_len,
    const struct error *error)
{
	json_t *object = new_object(r, event);

	if (object == NULL)
		return NULL;
	json_put_key(object, key, key_len);
	json_put_text(object, "action", decide_action_name(action));
	put_error(object, error);
	return object;
}

static void on_failed(void *arg, enum decide_action action, const char *key,
    size_t key_len, const struct error *error, int64_t next_at_ns)
{
	struct report *r = arg;
	json_t *object =
	    new_unfinished(r, "failed", action, key, key_len, error);
	char *text = text_of(key, key_len);

	log_event(LOG_LEVEL_WARNING, r->pair->name, "failed", text,
	    "The %s of %s failed: %s", words[action].noun, text, error->text);
	if (object != NULL) {
		json_put_time(object, "next_at", next_at_ns);
		print_object(r, object);
	}
	free(text);
}

static void on_deferred(void *arg, enum decide_action action, const char *key,
    size_t key_len, const struct error *error)
{
	struct report *r = arg;
	json_t *object =
	    new_unfinished(r, "deferred", action, key, key_len, error);
	char *text = text_of(key, key_len);

	log_event(LOG_LEVEL_INFO, r->pair->name, "deferred", text,
	    "The %s of %s waits for the next cycle: %s", words[action].noun,
	    text, error->text);
	if (object != NULL)
		print_object(r, object);
	free(text);
}

static void on_noticed(void *arg, enum decide_reason reason, const char *key,
    size_t key_len, const char *detail)
{
	struct report *r = arg;
	json_t *object = new_object(r, "noticed");
	const char *class = decide_class_name(decide_reason_class(reason));
	char *text = text_of(key, key_len);

	log_event(LOG_LEVEL_WARNING, r->pair->name, class, text,
	    "Left alone, %s (%s): %s%s%s", class, decide_reason_name(reason),
	    text, detail != NULL ? ": " : "", detail != NULL ? detail : "");
	if (object != NULL) {
		json_put_key(object, key, key_len);
		json_put_text(object, "class", class);
		json_put_text(object, "reason", decide_reason_name(reason));
		json_put_text(object, "detail", detail);
		print_object(r, object);
	}
	free(text);
}

static void on_progress(void *arg, const struct cycle_progress *progress)
{
	const struct report *r = arg;

	progress_show(r->progress, progress);
}

struct report *report_new(const struct conf_pair *pair,
    const struct report_style *style)
{
	struct report *r = alloc_zero(1, sizeof(*r));

	r->pair = pair;
	r->style = style;
	if (style->progress)
		r->progress = progress_new();
	r->events = (struct cycle_events){
		.transferred = on_transferred,
		.failed = on_failed,
		.deferred = on_deferred,
		.noticed = style->plan ? NULL : on_noticed,
		.progress = on_progress,
		.arg = r,
	};
	return r;
}

void report_free(struct report *r)
{
	if (r == NULL)
		return;
	progress_free(r->progress);
	free(r);
}

const struct cycle_events *report_events(struct report *r)
{
	return &r->events;
}

void report_initialized(struct report *r)
{
	log_event(LOG_LEVEL_INFO, r->pair->name, "initialized", NULL,
	    "S3 bidirectional sync initialized for %s <-> %s", r->pair->local,
	    r->pair->remote);
}

/*
 * After a cycle
 */

struct count {
	int64_t value;
	const char *what;
};

/* "2 failed, 1 waiting": those that are not 0. */
static void add_counts(struct strbuf *line, const struct count *counts,
    size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (counts[i].value > 0)
			strbuf_addf(line, "%s%" PRId64 " %s",
			    line->len > 0 ? ", " : "", counts[i].value,
			    counts[i].what);
}

/* Whether anything needs somebody; what waits only does not. */
static bool is_rest(const struct cycle_summary *sum)
{
	return sum->failed + sum->blocked + sum->differing > 0;
}

static bool is_same_rest(const struct cycle_summary *a,
    const struct cycle_summary *b)
{
	return a->failed == b->failed && a->blocked == b->blocked &&
	    a->differing == b->differing;
}

/* A daemon says it when it changes, not every minute. */
static void log_rest(struct report *r, const struct cycle_summary *sum)
{
	const struct count counts[] = {
		{ sum->failed, "failed" },
		{ sum->waiting, "waiting" },
		{ sum->blocked, "blocked" },
		{ sum->differing, "differing" },
	};
	struct strbuf rest = STRBUF_INIT(LINE_MAX_BYTES);
	bool is_news = is_rest(sum) && !is_same_rest(sum, &r->last);

	add_counts(&rest, counts, sizeof(counts) / sizeof(counts[0]));
	if (rest.len > 0 && (is_news || r->style->repeat))
		log_event(is_rest(sum) ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		    r->pair->name, "rest", NULL,
		    "Not in agreement: %s (s3sync-state pending)",
		    strbuf_text(&rest));
	r->last = *sum;
	strbuf_release(&rest);
}

static void log_moved(const struct report *r, const struct cycle_summary *sum,
    const char *event, const char *how)
{
	log_event(LOG_LEVEL_INFO, r->pair->name, event, NULL,
	    "S3 sync %s: " DOWN_ARROW "  %" PRId64 " downloaded, " UP_ARROW
	    "  %" PRId64 " uploaded",
	    how, sum->downloaded, sum->uploaded);
}

/* "3 list, 5 put, 2 of them again; 12 KiB sent, 3.4 KiB received" */
static void log_requests(const struct report *r,
    const struct cycle_summary *sum)
{
	struct count counts[MANIFEST_REQUEST_COUNT + 1];
	struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	char sent[HUMAN_MAX], received[HUMAN_MAX];

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++)
		counts[i] = (struct count){ sum->requests[i],
			manifest_run_request_name((enum manifest_request)i) };
	counts[MANIFEST_REQUEST_COUNT] =
	    (struct count){ sum->retries, "of them again" };
	add_counts(&line, counts, MANIFEST_REQUEST_COUNT + 1);
	if (sum->narrowed > 0)
		strbuf_addf(&line, ", fewer at once %" PRId64 " times",
		    sum->narrowed);
	log_event(LOG_LEVEL_DEBUG, r->pair->name, "requests", NULL,
	    "Requests: %s; %s sent, %s received",
	    line.len > 0 ? strbuf_text(&line) : "none",
	    human_bytes(sum->wire_up, sent),
	    human_bytes(sum->wire_down, received));
	strbuf_release(&line);
}

static const char *outcome_of(const struct cycle_summary *sum)
{
	if (sum->stopped)
		return "stopped";
	if (sum->error.kind != ERROR_NONE)
		return "failed";
	return sum->failed > 0 || sum->waiting > 0 ? "partial" : "done";
}

static void print_summary(const struct report *r,
    const struct cycle_summary *sum)
{
	const struct count counts[] = {
		{ sum->local_keys, "local_keys" },
		{ sum->remote_keys, "remote_keys" },
		{ sum->agreed, "agreed" },
		{ sum->uploaded, "uploaded" },
		{ sum->downloaded, "downloaded" },
		{ sum->adopted, "adopted" },
		{ sum->bytes_up, "bytes_up" },
		{ sum->bytes_down, "bytes_down" },
		{ sum->failed, "failed" },
		{ sum->waiting, "waiting" },
		{ sum->blocked, "blocked" },
		{ sum->differing, "differing" },
		{ sum->planned_up, "planned_up" },
		{ sum->planned_down, "planned_down" },
		{ sum->planned_bytes_up, "planned_bytes_up" },
		{ sum->planned_bytes_down, "planned_bytes_down" },
		{ sum->retries, "retries" },
		{ sum->wire_up, "wire_up" },
		{ sum->wire_down, "wire_down" },
		{ sum->survey_ns / CLOCK_MS, "survey_ms" },
		{ sum->transfer_ns / CLOCK_MS, "transfer_ms" },
	};
	json_t *object = new_object(r, "summary");
	size_t i;

	if (object == NULL)
		return;
	json_put_text(object, "outcome", outcome_of(sum));
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_put_int(object, counts[i].what, counts[i].value);
	for (i = 0; i < MANIFEST_REQUEST_COUNT; i++) {
		char name[REQUEST_NAME_MAX];

		snprintf(name, sizeof(name), "%s_requests",
		    manifest_run_request_name((enum manifest_request)i));
		json_put_int(object, name, sum->requests[i]);
	}
	put_error(object, &sum->error);
	print_object(r, object);
}

static void log_error_of_pair(const struct report *r, const struct error *error)
{
	log_event(LOG_LEVEL_ERROR, r->pair->name, "error", NULL, "%s: %s",
	    r->pair->name, error->text);
}

void report_cycle(struct report *r, const struct cycle_summary *sum)
{
	progress_clear(r->progress);
	log_requests(r, sum);
	if (sum->error.kind != ERROR_NONE)
		log_error_of_pair(r, &sum->error);
	if (sum->stopped ||
	    (sum->error.kind != ERROR_NONE &&
		sum->downloaded + sum->uploaded > 0))
		log_moved(r, sum, "stopped", "stopped early");
	else if (sum->error.kind == ERROR_NONE)
		log_moved(r, sum, "completed", "completed");
	if (sum->error.kind == ERROR_NONE)
		log_rest(r, sum);
	print_summary(r, sum);
}

void report_error(struct report *r, const struct error *error)
{
	struct cycle_summary sum = { .error = *error };

	sum.stopped = error->kind == ERROR_STOPPED;
	if (sum.stopped)
		error_clear(&sum.error);
	else
		log_error_of_pair(r, error);
	print_summary(r, &sum);
}

/*
 * Plans
 */

static int64_t size_of(const struct manifest_pending *p)
{
	bool remote =
	    strcmp(p->action, decide_action_name(ACTION_DOWNLOAD)) == 0 ||
	    !p->has_local;

	if (remote)
		return p->has_remote ? p->remote.size : 0;
	return p->local.size;
}

static void print_planned(const struct report *r,
    const struct manifest_pending *p)
{
	char size[HUMAN_MAX];
	char *key = path_printable(p->key, p->key_len);

	human_bytes(size_of(p), size);
	fprintf(r->style->out, "%-9s %-14s %9s  %s", p->action, p->reason,
	    p->has_local || p->has_remote ? size : "-", key);
	if (p->detail != NULL)
		fprintf(r->style->out, "  (%s)", p->detail);
	fputc('\n', r->style->out);
	free(key);
}

static void on_planned(void *arg, const struct manifest_pending *p)
{
	const struct report *r = arg;
	json_t *object = new_object(r, "planned");
	int reason = decide_reason_parse(p->reason);

	if (object == NULL) {
		print_planned(r, p);
		return;
	}
	json_put_key(object, p->key, p->key_len);
	json_put_text(object, "action", p->action);
	json_put_text(object, "reason", p->reason);
	json_put_text(object, "class",
	    reason < 0 ? NULL
		       : decide_class_name(
			     decide_reason_class((enum decide_reason)reason)));
	json_put_int(object, "bytes", size_of(p));
	json_put_text(object, "detail", p->detail);
	print_object(r, object);
}

static void print_plan_line(const struct report *r,
    const struct cycle_summary *sum)
{
	const struct count counts[] = {
		{ sum->waiting, "waiting" },
		{ sum->blocked, "blocked" },
		{ sum->differing, "differing" },
	};
	struct strbuf rest = STRBUF_INIT(LINE_MAX_BYTES);
	char up[HUMAN_MAX], down[HUMAN_MAX];
	FILE *out = r->style->out;

	add_counts(&rest, counts, sizeof(counts) / sizeof(counts[0]));
	if (sum->planned_up + sum->planned_down == 0)
		fprintf(out, "%s: nothing to do, %" PRId64 " keys agree",
		    r->pair->name, sum->agreed);
	else
		fprintf(out,
		    "%s: %" PRId64 " to upload (%s), %" PRId64
		    " to download (%s)",
		    r->pair->name, sum->planned_up,
		    human_bytes(sum->planned_bytes_up, up), sum->planned_down,
		    human_bytes(sum->planned_bytes_down, down));
	fprintf(out, "%s%s\n", rest.len > 0 ? "; " : "", strbuf_text(&rest));
	strbuf_release(&rest);
}

int report_plan(struct report *r, struct cycle *cycle,
    const struct cycle_summary *sum, struct error *err)
{
	progress_clear(r->progress);
	if (sum->error.kind != ERROR_NONE) {
		report_error(r, &sum->error);
		return 0;
	}
	if (sum->stopped)
		return 0;
	if (cycle_each_pending(cycle, on_planned, r, err) < 0)
		return -1;
	if (r->style->json)
		print_summary(r, sum);
	else
		print_plan_line(r, sum);
	return 0;
}
