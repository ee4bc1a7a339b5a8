/* SPDX-License-Identifier: MIT */
/* s3sync-state status: how a pair is, on one page. */
#include "cmd/state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/human.h"
#include "base/strbuf.h"
#include "sync/capability.h"
#include "sync/decide.h"

#define META_MAX 4096

/* All that is read before anything is shown. */
struct status {
	const struct state_view *view;
	char *root, *bucket, *prefix, *endpoint; /* "": not known */
	struct capability server; /* not probed: nothing known */
	struct manifest_totals totals;
	struct pending_counts {
		struct manifest_pending_count *items;
		size_t count, room;
	} pending;
	int64_t pending_keys;
	bool has_run;
	struct manifest_run run; /* the last one, its texts owned */
};

static char *copy_or_null(const char *text)
{
	return text != NULL ? alloc_string(text) : NULL;
}

static void keep_count(const struct manifest_pending_count *count, void *arg)
{
	struct status *s = arg;
	struct pending_counts *p = &s->pending;

	ALLOC_GROW(p->items, p->count + 1, p->room);
	p->items[p->count] = *count;
	p->items[p->count].action = alloc_string(count->action);
	p->items[p->count].reason = alloc_string(count->reason);
	p->count++;
	s->pending_keys += count->keys;
}

static void keep_run(const struct manifest_run *run, void *arg)
{
	struct status *s = arg;

	s->has_run = true;
	s->run = *run;
	s->run.outcome = alloc_string(state_run_outcome(s->view, run));
	s->run.error = copy_or_null(run->error);
}

static int read_meta(struct status *s, const char *name, char **out,
    struct error *err)
{
	struct strbuf value = STRBUF_INIT(META_MAX);
	int rc = manifest_meta_get(s->view->manifest, name, &value, err);

	*out = alloc_string(strbuf_text(&value));
	strbuf_release(&value);
	return rc < 0 ? -1 : 0;
}

static int read_server(struct status *s, struct error *err)
{
	char *record = NULL;
	int rc = read_meta(s, "capabilities", &record, err);

	capability_parse(record, NULL, &s->server);
	free(record);
	return rc;
}

static int read_status(struct status *s, struct error *err)
{
	struct manifest *m = s->view->manifest;

	if (read_meta(s, "root_path", &s->root, err) < 0 ||
	    read_meta(s, "bucket", &s->bucket, err) < 0 ||
	    read_meta(s, "prefix", &s->prefix, err) < 0 ||
	    read_meta(s, "endpoint", &s->endpoint, err) < 0 ||
	    read_server(s, err) < 0 ||
	    manifest_run_each(m, 1, keep_run, s, err) < 0 ||
	    manifest_totals(m, &s->totals, err) < 0)
		return -1;
	return manifest_pending_counts(m, keep_count, s, err);
}

static void release(struct status *s)
{
	for (size_t i = 0; i < s->pending.count; i++) {
		free((char *)s->pending.items[i].action);
		free((char *)s->pending.items[i].reason);
	}
	free(s->pending.items);
	free((char *)s->run.outcome);
	free((char *)s->run.error);
	free(s->root);
	free(s->bucket);
	free(s->prefix);
	free(s->endpoint);
}

/* ---- for programs ---- */

static json_t *pending_json(const struct status *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->pending.count; i++) {
		const struct manifest_pending_count *c = &s->pending.items[i];
		json_t *object = json_object();

		json_put_text(object, "action", c->action);
		json_put_text(object, "reason", c->reason);
		json_put_int(object, "keys", c->keys);
		json_put_int(object, "bytes", c->bytes);
		json_put_int(object, "failing", c->failing);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *agreed_json(const struct status *s)
{
	json_t *object = json_object();

	json_put_int(object, "keys", s->totals.synced + s->totals.assumed);
	json_put_int(object, "synced", s->totals.synced);
	json_put_int(object, "assumed", s->totals.assumed);
	json_put_int(object, "bytes", s->totals.bytes);
	return object;
}

static json_t *run_json(const struct status *s)
{
	json_t *object;

	if (!s->has_run)
		return json_null();
	object = json_object();
	state_run_json(s->view, &s->run, object);
	return object;
}

static json_t *server_json(const struct status *s)
{
	const struct capability *c = &s->server;
	json_t *object;

	if (c->probed_ns == 0)
		return json_null();
	object = json_object();
	json_put_time(object, "probed", c->probed_ns);
	json_put_text(object, "missing", c->missing);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL)
				json_put_text(object, capability_word(w, n),
				    capability_verdict_name(
				        c->verdicts[w][n]));
	return object;
}

static void print_json(const struct status *s)
{
	json_t *object = state_json(s->view);

	json_put_text(object, "root", s->root);
	json_put_text(object, "bucket", s->bucket);
	json_put_text(object, "prefix", s->prefix);
	json_put_text(object, "endpoint", s->endpoint);
	json_object_set_new(object, "server", server_json(s));
	json_put_text(object, "manifest", manifest_path(s->view->manifest));
	json_put_bool(object, "running",
	    s->has_run && strcmp(s->run.outcome, "running") == 0);
	json_put_bool(object, "in_use", s->view->writer != 0);
	json_object_set_new(object, "agreed", agreed_json(s));
	json_put_int(object, "pending_keys", s->pending_keys);
	json_object_set_new(object, "pending", pending_json(s));
	json_object_set_new(object, "last_run", run_json(s));
	json_print(s->view->out, object);
}

/* ---- for people ---- */

static const char *keys_word(int64_t count)
{
	return count == 1 ? "key" : "keys";
}

static void print_label(const struct status *s, const char *label)
{
	fprintf(s->view->out, "  %-9s ", label);
}

static void print_field(const struct status *s, const char *label,
    const char *text)
{
	print_label(s, label);
	state_print_text(s->view->out, text);
	fputc('\n', s->view->out);
}

static void print_now(const struct status *s)
{
	FILE *out = s->view->out;

	print_label(s, "now");
	if (s->has_run && strcmp(s->run.outcome, "running") == 0)
		fputs("a cycle is running", out);
	else if (s->view->writer != 0)
		fputs("between two cycles", out);
	else
		fputs("nobody is at work", out);
	if (s->view->writer > 0)
		fprintf(out, " (process %ld)", s->view->writer);
	fputc('\n', out);
}

static void print_moved(const struct status *s)
{
	char up[HUMAN_MAX], down[HUMAN_MAX];

	fprintf(s->view->out,
	    "%" PRId64 " downloaded (%s), %" PRId64 " uploaded (%s)",
	    s->run.downloaded, human_bytes(s->run.bytes_down, down),
	    s->run.uploaded, human_bytes(s->run.bytes_up, up));
	if (s->run.adopted > 0)
		fprintf(s->view->out, ", %" PRId64 " adopted", s->run.adopted);
	if (s->run.failed > 0)
		fprintf(s->view->out, ", %" PRId64 " failed", s->run.failed);
	fputc('\n', s->view->out);
}

static void print_last_run(const struct status *s)
{
	char started[STATE_TEXT_MAX], distance[STATE_TEXT_MAX];
	char took[STATE_TEXT_MAX];

	if (!s->has_run) {
		print_field(s, "last run", "none yet");
		return;
	}
	print_label(s, "last run");
	fprintf(s->view->out, "%s, %s: %s",
	    state_time(s->view, s->run.started_ns, started),
	    state_distance(s->run.started_ns, distance), s->run.outcome);
	if (s->run.ended_ns == 0) {
		fputc('\n', s->view->out);
		return;
	}
	fprintf(s->view->out, " in %s\n",
	    state_duration(s->run.ended_ns - s->run.started_ns, took));
	print_label(s, "");
	print_moved(s);
	if (s->run.error != NULL)
		print_field(s, "", s->run.error);
}

static void print_agreed(const struct status *s)
{
	int64_t all = s->totals.synced + s->totals.assumed;
	char keys[HUMAN_MAX], bytes[HUMAN_MAX];

	print_label(s, "agreed");
	fprintf(s->view->out, "%s %s, %s", human_count(all, keys),
	    keys_word(all), human_bytes(s->totals.bytes, bytes));
	if (s->totals.assumed > 0)
		fprintf(s->view->out,
		    "; of %s, sizes are equal and contents were not compared",
		    human_count(s->totals.assumed, keys));
	fputc('\n', s->view->out);
}

/* A sentence for each reason that can be pending. */
static const char *reason_text(const char *name)
{
	static const char *const texts[REASON_COUNT] = {
		[REASON_UNKNOWN] = "could not be looked at, or is too young",
		[REASON_NEW_LOCAL] = "new here",
		[REASON_NEW_REMOTE] = "new in the bucket",
		[REASON_MISSING_LOCAL] = "lost here, restored from the bucket",
		[REASON_MISSING_REMOTE] = "lost in the bucket, restored there",
		[REASON_LOCAL_CHANGED] = "changed here; left alone",
		[REASON_REMOTE_CHANGED] = "changed in the bucket; left alone",
		[REASON_BOTH_CHANGED] = "changed on both sides; left alone",
		[REASON_DIFFERENT] = "different on both sides; left alone",
		[REASON_BLOCKED_NAME] =
		    "a name that the other side cannot have",
		[REASON_BLOCKED_TYPE] = "something else is in the way",
		[REASON_ARCHIVED] = "in an archive: to be restored there first",
		[REASON_DAMAGED] = "an object that is not what was sent",
	};
	int reason = decide_reason_parse(name);

	return reason >= 0 && texts[reason] != NULL ? texts[reason] : "";
}

static void print_pending(const struct status *s)
{
	char keys[HUMAN_MAX], size[HUMAN_MAX];

	print_label(s, "pending");
	fprintf(s->view->out, "%s %s\n", human_count(s->pending_keys, keys),
	    keys_word(s->pending_keys));
	for (size_t i = 0; i < s->pending.count; i++) {
		const struct manifest_pending_count *c = &s->pending.items[i];

		fprintf(s->view->out, "  %9s %-14s  %8s  %s",
		    human_count(c->keys, keys), c->reason,
		    human_bytes(c->bytes, size), reason_text(c->reason));
		if (c->failing > 0)
			fprintf(s->view->out, "; %s failed",
			    human_count(c->failing, keys));
		fputc('\n', s->view->out);
	}
}

static void print_remote(const struct status *s)
{
	print_label(s, "remote");
	if (s->bucket[0] == '\0') {
		fputs("-\n", s->view->out);
		return;
	}
	fprintf(s->view->out, "s3://%s/", s->bucket);
	state_print_key(s->view->out, s->prefix, strlen(s->prefix));
	fprintf(s->view->out, " at %s\n", s->endpoint);
}

/* What the server does with conditional writes. */
static void print_server(const struct status *s)
{
	const struct capability *c = &s->server;
	char at[STATE_TEXT_MAX], distance[STATE_TEXT_MAX];

	if (c->probed_ns == 0)
		return;
	print_label(s, "server");
	fprintf(s->view->out, "probed %s, %s%s%s\n",
	    state_time(s->view, c->probed_ns, at),
	    state_distance(c->probed_ns, distance),
	    c->missing != NULL ? ": cannot, for want of " : "",
	    c->missing != NULL ? c->missing : "");
	for (int v = 0; v < CAPABILITY_VERDICTS && c->missing == NULL; v++) {
		struct strbuf text = STRBUF_INIT(META_MAX);

		capability_list(c, (enum capability_verdict)v, &text);
		if (text.len > 0) {
			print_label(s, "");
			fprintf(s->view->out, "%s: %s\n",
			    capability_verdict_name((enum capability_verdict)v),
			    strbuf_text(&text));
		}
		strbuf_release(&text);
	}
}

static void print_page(const struct status *s)
{
	fprintf(s->view->out, "%s\n", s->view->pair);
	print_field(s, "root", s->root);
	print_remote(s);
	print_server(s);
	print_field(s, "manifest", manifest_path(s->view->manifest));
	print_now(s);
	print_last_run(s);
	print_agreed(s);
	print_pending(s);
}

int state_status(const struct state_view *view, struct error *err)
{
	struct status s = { .view = view };
	int rc = read_status(&s, err);

	if (rc == 0 && view->form == STATE_AS_JSON)
		print_json(&s);
	else if (rc == 0)
		print_page(&s);
	release(&s);
	return rc;
}
