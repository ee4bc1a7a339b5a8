/* SPDX-License-Identifier: MIT */
/* s3sync-state pending: the keys that are not agreed, and why. */
#include "cmd/state.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "sync/decide.h"

static json_t *local_json(const struct manifest_pending *pending)
{
	json_t *object;

	if (!pending->has_local)
		return json_null();
	object = json_object();
	json_put_int(object, "size", pending->local.size);
	json_put_time(object, "mtime", pending->local.mtime_ns);
	return object;
}

static json_t *remote_json(const struct manifest_pending *pending)
{
	const struct remote_sig *sig = &pending->remote;
	char etag[ETAG_MAX + 1];
	json_t *object;

	if (!pending->has_remote)
		return json_null();
	signature_etag_text(&sig->etag, etag);
	object = json_object();
	json_put_int(object, "size", sig->size);
	json_put_time(object, "mtime",
	    sig->mtime_ms != SIGNATURE_MTIME_UNKNOWN ? sig->mtime_ms * CLOCK_MS
						     : 0);
	json_put_text(object, "etag", etag[0] != '\0' ? etag : NULL);
	return object;
}

static void print_json(const struct state_view *view,
    const struct manifest_pending *pending)
{
	json_t *object = state_json(view);
	int reason = decide_reason_parse(pending->reason);

	json_put_key(object, pending->key, pending->key_len);
	json_put_text(object, "action", pending->action);
	json_put_text(object, "reason", pending->reason);
	json_put_text(object, "class",
	    reason >= 0 ? decide_class_name(
			      decide_reason_class((enum decide_reason)reason))
			: NULL);
	json_put_text(object, "detail", pending->detail);
	json_put_int(object, "attempts", pending->attempts);
	json_put_time(object, "next_at", pending->next_at_ns);
	json_put_time(object, "since", pending->since_ns);
	json_put_text(object, "error", pending->error);
	json_object_set_new(object, "local", local_json(pending));
	json_object_set_new(object, "remote", remote_json(pending));
	json_print(view->out, object);
}

static void print_line(const struct state_view *view,
    const struct manifest_pending *pending)
{
	FILE *out = view->out;
	char time[STATE_TEXT_MAX];

	fprintf(out, "%s\t%s\t%d\t%s\t", pending->action, pending->reason,
	    pending->attempts, state_time(view, pending->next_at_ns, time));
	state_print_text(out, pending->error);
	fputc('\t', out);
	state_print_text(out, pending->detail);
	fputc('\t', out);
	state_print_key(out, pending->key, pending->key_len);
	fputc('\n', out);
}

/* A line for the key, and one more for each thing to be told of it. */
static void print_for_people(const struct state_view *view,
    const struct manifest_pending *pending)
{
	FILE *out = view->out;
	char next[STATE_TEXT_MAX];

	fprintf(out, "%-8s  %-14s  ", pending->action, pending->reason);
	state_print_key(out, pending->key, pending->key_len);
	fputc('\n', out);
	if (pending->detail != NULL) {
		fprintf(out, "%26s", "");
		state_print_text(out, pending->detail);
		fputc('\n', out);
	}
	if (pending->attempts > 0) {
		fprintf(out, "%26sfailed %d time%s", "", pending->attempts,
		    pending->attempts == 1 ? "" : "s");
		if (pending->next_at_ns > clock_wall_ns())
			fprintf(out, ", next try %s",
			    state_distance(pending->next_at_ns, next));
		fputs(": ", out);
		state_print_text(out, pending->error);
		fputc('\n', out);
	}
}

static void print_pending(const struct state_view *view,
    const struct manifest_pending *pending)
{
	static void (*const print[])(const struct state_view *,
	    const struct manifest_pending *) = {
		[STATE_FOR_PEOPLE] = print_for_people,
		[STATE_AS_LINES] = print_line,
		[STATE_AS_JSON] = print_json,
	};

	if (view->reason == NULL || strcmp(view->reason, pending->reason) == 0)
		print[view->form](view, pending);
}

int state_pending(const struct state_view *view, struct error *err)
{
	size_t prefix_len = strlen(view->prefix);
	struct manifest_reader *r =
	    manifest_reader_pending(view->manifest, NULL, 0);
	struct manifest_pending pending;
	int rc;

	manifest_reader_seek(r, view->prefix, prefix_len);
	while ((rc = manifest_reader_pending_row(r, &pending, err)) > 0 &&
	    pending.key_len >= prefix_len &&
	    memcmp(pending.key, view->prefix, prefix_len) == 0 &&
	    !ferror(view->out))
		print_pending(view, &pending);
	manifest_reader_free(r);
	return rc < 0 ? -1 : 0;
}
