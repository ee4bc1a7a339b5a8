/* SPDX-License-Identifier: MIT */
/* Jobs, and how each of their ends is recorded in the manifest. */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "sync/survey.h"
#include "sync/transfer_internal.h"

#define COMMIT_ROWS 1000
#define NETWORK_FAILURES_MAX 16 /* in a row: the server is gone */
#define BACKOFF_FIRST_NS (25 * CLOCK_SECOND)
#define BACKOFF_MAX_NS (24 * 3600 * CLOCK_SECOND)

void transfer_job_end_all(struct transfer *t, const struct error *error)
{
	if (t->failed)
		return;
	t->failed = true;
	*t->err = *error;
}

bool transfer_job_ending(const struct transfer *t)
{
	return t->failed || t->result->stopped;
}

/*
 * Jobs
 */

struct job *transfer_job_new(struct transfer *t,
    const struct manifest_pending *row, enum decide_action action)
{
	struct job *j = alloc_zero(1, sizeof(*j));

	j->t = t;
	j->action = action;
	j->key = alloc_copy(row->key, row->key_len);
	j->key_len = row->key_len;
	j->reason = alloc_string(row->reason);
	j->detail = row->detail == NULL ? NULL : alloc_string(row->detail);
	j->has_local = row->has_local;
	j->has_remote = row->has_remote;
	j->local = row->local;
	j->remote = row->remote;
	signature_etag_keep(&j->remote.etag, j->etag);
	j->earlier = row->error == NULL ? NULL : alloc_string(row->error);
	j->attempts = row->attempts;
	j->since_ns = row->since_ns;
	t->alive++;
	return j;
}

void transfer_job_leave_slot(struct job *j)
{
	if (j->slots == 0)
		return;
	j->slots--;
	j->t->slots--;
	if (j->action == ACTION_DOWNLOAD)
		j->t->downloading--;
}

void transfer_job_take_slot(struct job *j)
{
	j->slots++;
	j->t->slots++;
	if (j->action == ACTION_DOWNLOAD)
		j->t->downloading++;
}

void transfer_job_widen(struct job *j, bool (*more)(struct job *j),
    void (*look)(struct job *j))
{
	struct job **at = &j->t->wide;

	transfer_job_leave_slot(j);
	j->more = more;
	j->look = look;
	while (*at != NULL)
		at = &(*at)->wider;
	*at = j;
}

void transfer_job_narrow(struct job *j)
{
	struct job **at = &j->t->wide;

	while (*at != NULL && *at != j)
		at = &(*at)->wider;
	if (*at != NULL)
		*at = j->wider;
	j->wider = NULL;
}

static void job_free(struct job *j)
{
	struct transfer *t = j->t;
	const struct tree_ops *ops = t->request->tree->ops;

	transfer_job_narrow(j);
	while (j->slots > 0)
		transfer_job_leave_slot(j);
	transfer_ranges_release(j);
	if (j->reader != NULL)
		ops->read_close(j->reader);
	transfer_parts_free(j->parts);
	ops->write_abandon(j->writer);
	transfer_content_stop(j);
	free(j->body);
	free(j->key);
	free(j->reason);
	free(j->detail);
	free(j->earlier);
	free(j);
	t->alive--;
}

void transfer_job_moved(struct job *j, int64_t offset)
{
	j->t->bytes_done += offset - j->moved;
	j->moved = offset;
}

/*
 * Recording
 */

void transfer_job_commit(struct transfer *t)
{
	struct error error = ERROR_INIT;

	if (manifest_commit(t->request->manifest, &error) < 0)
		transfer_job_end_all(t, &error);
	t->commit_since_ns = 0;
}

void transfer_job_written(struct transfer *t, int status)
{
	if (t->commit_since_ns == 0)
		t->commit_since_ns = clock_mono_ns();
	if (status < 0 ||
	    manifest_uncommitted(t->request->manifest) >= COMMIT_ROWS)
		transfer_job_commit(t);
}

static void put_row(struct job *j, enum decide_action action,
    const char *reason, int attempts, int64_t next_at_ns, const char *error)
{
	const struct manifest_pending row = {
		.key = j->key,
		.key_len = j->key_len,
		.action = decide_action_name(action),
		.reason = reason,
		.detail = j->detail,
		.has_local = j->has_local,
		.has_remote = j->has_remote,
		.local = j->local,
		.remote = j->remote,
		.attempts = attempts,
		.next_at_ns = next_at_ns,
		.since_ns = j->since_ns,
		.error = error,
	};

	transfer_job_written(j->t, manifest_pending_put(j->t->request->manifest, &row));
}

/* Done: the base is what both sides show now. */
void transfer_job_agreed(struct job *j)
{
	struct transfer *t = j->t;
	const struct cycle_events *events = t->request->events;
	const struct manifest_entry entry = {
		.key = j->key,
		.key_len = j->key_len,
		.state = MANIFEST_SYNCED,
		.flags = j->racy ? MANIFEST_FLAG_RACY : 0,
		.local = j->local,
		.remote = j->remote,
		.md5 = transfer_content_is_etag(j) || j->in_parts ? NULL :
		    j->md5,
	};
	int status = manifest_entry_put(t->request->manifest, &entry);

	status |=
	    manifest_pending_drop(t->request->manifest, j->key, j->key_len);
	transfer_job_written(t, status);
	t->network_failures = 0;
	if (j->action == ACTION_UPLOAD) {
		t->result->uploaded++;
		t->result->bytes_up += j->local.size;
	} else {
		t->result->downloaded++;
		t->result->bytes_down += j->local.size;
	}
	if (events->transferred != NULL)
		events->transferred(events->arg, j->action, j->key, j->key_len,
		    j->local.size);
	t->keys_done++;
	job_free(j);
}

/* Something moved under way, or we were told to stop: look again next time.
 * The note in the row keeps this cycle from trying it once more. */
static void record_deferred(struct job *j, const struct error *error)
{
	struct transfer *t = j->t;
	const struct cycle_events *events = t->request->events;

	t->result->waiting++;
	if (error->kind != ERROR_STOPPED) {
		put_row(j, j->action, j->reason, j->attempts, 0, error->text);
		if (events->deferred != NULL)
			events->deferred(events->arg, j->action, j->key,
			    j->key_len, error);
	}
	t->keys_done++;
	job_free(j);
}

static void record_failed(struct job *j, const struct error *error)
{
	struct transfer *t = j->t;
	const struct cycle_events *events = t->request->events;
	int64_t next_at_ns =
	    clock_wall_ns() + transfer_job_backoff_ns(j->attempts + 1);

	put_row(j, j->action, j->reason, j->attempts + 1, next_at_ns,
	    error->text);
	t->result->failed++;
	if (events->failed != NULL)
		events->failed(events->arg, j->action, j->key, j->key_len,
		    error, next_at_ns);
	if (error->kind == ERROR_NETWORK &&
	    ++t->network_failures >= NETWORK_FAILURES_MAX) {
		struct error gone = *error;

		error_prefix(&gone, "%d transfers in a row failed",
		    t->network_failures);
		transfer_job_end_all(t, &gone);
	}
	t->keys_done++;
	job_free(j);
}

bool transfer_job_disk_is_full(const struct error *error)
{
	return error->kind == ERROR_NO_SPACE &&
	    (error->sys == ENOSPC || error->sys == EDQUOT);
}

/* What is as large would fetch its bytes in vain, and everything where it is
 * not for want of room. The pause of the key does not grow: it is not its
 * failure. */
static void record_no_space(struct job *j, const struct error *error)
{
	int64_t room = transfer_job_disk_is_full(error) ? j->remote.size : 0;

	if (room < j->t->room)
		j->t->room = room;
	j->attempts = 0;
	record_failed(j, error);
}

void transfer_job_failed(struct job *j, const struct error *error)
{
	switch (error->kind) {
	case ERROR_CHANGED:
	case ERROR_EXISTS:
	case ERROR_STOPPED:
		record_deferred(j, error);
		break;
	case ERROR_NO_SPACE:
		record_no_space(j, error);
		break;
	case ERROR_NONE:
	case ERROR_USAGE:
	case ERROR_CONFIG:
	case ERROR_ROOT:
	case ERROR_MANIFEST:
	case ERROR_CREDENTIALS:
	case ERROR_BUCKET:
	case ERROR_NETWORK:
	case ERROR_LOCAL:
	case ERROR_BLOCKED:
	case ERROR_DENIED:
	case ERROR_REMOTE:
	case ERROR_INTEGRITY:
		record_failed(j, error);
		break;
	}
}

static void record_refused(struct job *j, const struct s3_result *result)
{
	struct error stopped = ERROR_INIT;

	transfer_job_end_all(j->t, &result->error);
	error_set(&stopped, ERROR_STOPPED, "stopped");
	record_deferred(j, &stopped);
}

/* Its listing did not tell, so it is the answer that is remembered. */
static void record_archived(struct job *j, const struct error *error)
{
	const struct cycle_events *events = j->t->request->events;

	free(j->detail);
	j->detail = alloc_string(survey_archived);
	put_row(j, ACTION_NONE, decide_reason_name(REASON_ARCHIVED), 0,
	    clock_wall_ns() + SURVEY_ARCHIVED_PAUSE_NS, error->text);
	j->t->result->waiting++;
	if (events->deferred != NULL)
		events->deferred(events->arg, j->action, j->key, j->key_len,
		    error);
	j->t->keys_done++;
	job_free(j);
}

/* A request that did not end in S3_DONE. */
void transfer_job_refused(struct job *j, const struct s3_result *result)
{
	struct error error = result->error;

	switch (result->outcome) {
	case S3_REFUSED:
		record_refused(j, result);
		return;
	case S3_EXISTS:
	case S3_CHANGED:
	case S3_ABSENT:
		error.kind = ERROR_CHANGED;
		break;
	case S3_ABORTED:
		if (transfer_job_ending(j->t))
			error.kind = ERROR_STOPPED;
		break;
	case S3_ARCHIVED:
		record_archived(j, &error);
		return;
	case S3_DENIED:
	case S3_REJECTED:
	case S3_FAILED:
	case S3_DONE:
		break;
	}
	transfer_job_failed(j, &error);
}

/* The server has something else than we sent. The object stays as it is (we
 * overwrite nothing), and the row keeps it from being taken for agreed. */
void transfer_job_damaged(struct job *j, const struct error *error)
{
	const struct cycle_events *events = j->t->request->events;

	j->has_remote = true;
	put_row(j, ACTION_NONE, decide_reason_name(REASON_DAMAGED),
	    j->attempts + 1, 0, error->text);
	j->t->result->failed++;
	if (events->failed != NULL)
		events->failed(events->arg, j->action, j->key, j->key_len,
		    error, 0);
	j->t->keys_done++;
	job_free(j);
}

void transfer_job_await(struct transfer *t, int64_t left_ns)
{
	int64_t at_ns = clock_mono_ns() + left_ns;

	t->unsettled++;
	if (t->next_settle_ns == 0 || at_ns < t->next_settle_ns)
		t->next_settle_ns = at_ns;
}

/* Too young: a row for the next round, with the file as it is now. */
void transfer_job_unsettled(struct job *j)
{
	int64_t now_ns = clock_wall_ns();
	int64_t at_ns =
	    survey_settled_at(&j->local, j->t->request->settle_ns, now_ns);

	put_row(j, j->action, j->reason, 0, at_ns, NULL);
	transfer_job_await(j->t, at_ns - now_ns);
	job_free(j);
}

int64_t transfer_job_backoff_ns(int attempts)
{
	int64_t pause_ns = BACKOFF_FIRST_NS;

	for (int i = 1; i < attempts && pause_ns < BACKOFF_MAX_NS; i++)
		pause_ns *= 5;
	return pause_ns < BACKOFF_MAX_NS ? pause_ns : BACKOFF_MAX_NS;
}
