/* SPDX-License-Identifier: MIT */
/*
 * The transfer loop: takes planned rows in key order, runs them as jobs, and
 * commits what is finished in groups.
 */
#include "base/alloc.h"
#include "sync/transfer_internal.h"

#define BATCH_FILES ((size_t)100)
#define BATCH_AGE_NS (50 * CLOCK_MS)
#define COMMIT_AGE_NS CLOCK_SECOND
#define PROGRESS_EVERY_NS (100 * CLOCK_MS)
#define WAIT_NS (200 * CLOCK_MS)
#define STOP_GRACE_NS (3 * CLOCK_SECOND)
#define SETTLE_ROUNDS 10 /* a file that never settles waits */
#define OTHER_FILES ((size_t)64) /* the manifest, the log, directories, ... */

/* Where little may be open, batches are small. */
static size_t batch_files(size_t files)
{
	size_t few = files > OTHER_FILES ? (files - OTHER_FILES) / 8 : 0;

	if (files == 0 || few > BATCH_FILES)
		return BATCH_FILES;
	return few > 0 ? few : 1;
}

/* One batch is published while the next one grows; a job has its file and its
 * connection. */
size_t transfer_files_of(size_t jobs)
{
	return OTHER_FILES + 2 * BATCH_FILES + 2 * jobs;
}

size_t transfer_jobs_of(size_t files)
{
	size_t others = OTHER_FILES + 2 * batch_files(files);

	return files > others + 2 ? (files - others) / 2 : 1;
}

static void start(struct transfer *t, const struct manifest_pending *row,
    enum decide_action action)
{
	struct job *j = transfer_job_new(t, row, action);

	if (action == ACTION_UPLOAD)
		transfer_upload_start(j);
	else
		transfer_download_start(j);
}

/* How long the row is to wait still. Longer than it was ever told to means
 * that the clock was set back: it waits no more. */
static int64_t time_left_ns(const struct transfer *t,
    const struct manifest_pending *row, bool tried)
{
	int64_t left_ns = row->next_at_ns - clock_wall_ns();
	int64_t most_ns = tried ? transfer_job_backoff_ns(row->attempts)
				: t->request->settle_ns;

	return left_ns > 0 && left_ns <= most_ns ? left_ns : 0;
}

/* What to do with one row in this round. */
static void take_row(struct transfer *t, const struct manifest_pending *row,
    bool first_round)
{
	int action = decide_action_parse(row->action);
	bool tried = row->attempts > 0 || row->error != NULL;
	int64_t left_ns = time_left_ns(t, row, tried);

	if (action != ACTION_UPLOAD && action != ACTION_DOWNLOAD)
		return;
	if (tried && !first_round)
		return;
	if (action == ACTION_DOWNLOAD && row->remote.size >= t->room) {
		t->result->waiting += first_round;
		return;
	}
	if (left_ns == 0 || (tried && t->request->patient))
		start(t, row, (enum decide_action)action);
	else if (tried)
		t->result->waiting++;
	else
		transfer_job_await(t, left_ns);
}

static void report_progress(struct transfer *t)
{
	const struct transfer_request *req = t->request;
	int64_t now_ns = clock_mono_ns();
	const struct cycle_progress progress = {
		.keys_done = t->keys_done,
		.keys_total = req->planned,
		.bytes_done = t->bytes_done,
		.bytes_total = req->planned_bytes,
		.elapsed_ns = now_ns - t->started_ns,
	};

	if (req->events->progress == NULL ||
	    now_ns - t->progress_ns < PROGRESS_EVERY_NS)
		return;
	t->progress_ns = now_ns;
	req->events->progress(req->events->arg, &progress);
}

/* A free slot to the oldest job in parts that can use one: what was begun first
 * is ended first. */
static bool spread(struct transfer *t)
{
	if (t->slots >= t->request->jobs || transfer_job_ending(t))
		return false;
	for (struct job *j = t->wide, *next; j != NULL; j = next) {
		next = j->wider;
		if (j->more(j))
			return true;
	}
	return false;
}

static void look_at_parts(struct transfer *t)
{
	for (struct job *j = t->wide, *next; j != NULL; j = next) {
		next = j->wider;
		if (j->look != NULL)
			j->look(j);
	}
}

/* Lets everything move on once; ${hurry}: nothing more will join a batch. */
static void turn(struct transfer *t, bool hurry, int64_t wait_ns)
{
	struct bucket *bucket = t->request->bucket;
	struct error error = ERROR_INIT;
	int64_t now_ns;

	work_reap(t->work);
	look_at_parts(t);
	now_ns = clock_mono_ns();
	if (t->staged != NULL &&
	    ((hurry && t->downloading == 0) ||
		now_ns - t->staged_since_ns >= BATCH_AGE_NS))
		transfer_download_publish(t);
	if (t->commit_since_ns != 0 &&
	    now_ns - t->commit_since_ns >= COMMIT_AGE_NS)
		transfer_job_commit(t);
	if (t->staged != NULL && wait_ns > BATCH_AGE_NS)
		wait_ns = BATCH_AGE_NS;
	if (bucket->ops->wait(bucket, wait_ns, &error) < 0)
		transfer_job_end_all(t, &error);
	work_reap(t->work);
	report_progress(t);
}

static void check_stop(struct transfer *t)
{
	if (t->request->stop != NULL && *t->request->stop != 0)
		t->result->stopped = true;
}

/* Waits for the jobs that run; when stopping, not for long. */
static void drain(struct transfer *t)
{
	int64_t give_up_ns = 0;

	while (t->alive > 0) {
		check_stop(t);
		if (transfer_job_ending(t)) {
			int64_t now_ns = clock_mono_ns();

			if (give_up_ns == 0)
				give_up_ns =
				    now_ns + (t->failed ? 0 : STOP_GRACE_NS);
			if (now_ns >= give_up_ns) {
				t->request->bucket->ops->abort_all(
				    t->request->bucket);
				give_up_ns = now_ns + CLOCK_SECOND;
			}
		}
		while (spread(t))
			;
		turn(t, true, WAIT_NS);
	}
}

/* Bounds what is open at once: parts that wait, and staged files. */
static bool crowded(const struct transfer *t)
{
	return t->alive >= t->request->jobs + 2 * t->batch_files;
}

/* Until the next row may begin: rows and parts take turns. */
static void make_room(struct transfer *t)
{
	bool part_begun = spread(t);

	while ((t->slots >= t->request->jobs || crowded(t)) &&
	    !transfer_job_ending(t)) {
		check_stop(t);
		turn(t, false, WAIT_NS);
		while ((!part_begun || crowded(t)) && spread(t))
			part_begun = true;
	}
}

static void run_round(struct transfer *t, bool first_round)
{
	struct manifest_reader *rows =
	    manifest_reader_pending(t->request->manifest, NULL, 0);
	struct manifest_pending row;
	struct error error = ERROR_INIT;
	int got = 0;

	t->next_settle_ns = 0;
	t->unsettled = 0;
	while (!transfer_job_ending(t) &&
	    (got = manifest_reader_pending_row(rows, &row, &error)) > 0) {
		take_row(t, &row, first_round);
		make_room(t);
		check_stop(t);
	}
	if (got < 0)
		transfer_job_end_all(t, &error);
	manifest_reader_free(rows);
	drain(t);
	transfer_job_commit(t);
}

static void sleep_until(struct transfer *t, int64_t mono_ns)
{
	int64_t left_ns;

	while (!transfer_job_ending(t) &&
	    (left_ns = mono_ns - clock_mono_ns()) > 0) {
		check_stop(t);
		turn(t, true, left_ns < WAIT_NS ? left_ns : WAIT_NS);
	}
}

static void wake_loop(void *arg)
{
	struct bucket *b = arg;

	b->ops->wake(b);
}

int transfer_run(const struct transfer_request *request,
    struct transfer_result *result, struct error *err)
{
	struct transfer t = {
		.request = request,
		.result = result,
		.err = err,
		.room = INT64_MAX,
		.batch_files = batch_files(request->files),
		.work = work_new(request->workers, wake_loop, request->bucket),
		.started_ns = clock_mono_ns(),
	};

	*result = (struct transfer_result){ 0 };
	transfer_content_load(&t);
	transfer_ranges_tidy(&t);
	transfer_parts_clean(&t);
	run_round(&t, true);
	for (int round = 0; request->patient && round < SETTLE_ROUNDS &&
	     t.unsettled > 0 && !transfer_job_ending(&t);
	     round++) {
		sleep_until(&t, t.next_settle_ns);
		if (!transfer_job_ending(&t))
			run_round(&t, false);
	}
	result->waiting += t.unsettled;
	work_free(t.work);
	return t.failed ? -1 : 0;
}
