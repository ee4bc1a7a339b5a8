/* SPDX-License-Identifier: MIT */
/*
 * The transfer loop: takes planned rows in key order, runs each as a job
 * through its steps, and commits what is finished in groups.
 *
 *   upload    prepare (worker: open, hash, check) → PUT → record
 *   download  GET → stage (worker: write, verify) → publish (worker, a batch
 *             with one data sync) → record
 *
 * Jobs are touched by this thread only, but for the step a worker runs.
 */
#include "sync/transfer.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/work.h"
#include "sync/survey.h"

#define IN_MEMORY_MAX (256 * 1024)     /* larger contents are streamed */
#define CHUNK (256 * 1024)
#define HASH_STEP (4 * 1024 * 1024)    /* a streamed download is hashed behind */
#define BATCH_FILES 100
#define BATCH_BYTES (64 * 1024 * 1024)
#define BATCH_AGE_NS (50 * CLOCK_MS)
#define COMMIT_ROWS 1000
#define COMMIT_AGE_NS CLOCK_SECOND
#define WAIT_NS (200 * CLOCK_MS)
#define STOP_GRACE_NS (3 * CLOCK_SECOND)
#define SETTLE_ROUNDS 10               /* a file that never settles waits */
#define NETWORK_FAILURES_MAX 16        /* in a row: the server is gone */
#define BACKOFF_FIRST_NS (25 * CLOCK_SECOND)
#define BACKOFF_MAX_NS (24 * 3600 * CLOCK_SECOND)

struct transfer;

struct job {
	struct transfer *t;
	struct job *next;        /* in the batch */
	enum decide_action action;
	char *key;
	size_t key_len;
	char *reason, *detail;   /* of the row, to write it again */
	bool has_local, has_remote;
	struct local_sig local;
	struct remote_sig remote;
	unsigned char etag[ETAG_MAX];
	int attempts;            /* failed ones before this */
	int64_t since_ns;

	struct tree_reader *reader;
	struct tree_writer *writer;
	unsigned char *body;     /* contents of up to IN_MEMORY_MAX */
	int64_t moved;           /* bytes sent or received in this attempt */
	int64_t mtime_ns;        /* download: to be set */
	bool streamed;
	bool in_slot;            /* holds one of the `jobs` */
	bool etag_not_md5;
	bool racy;
	bool unsettled;          /* prepare: too young still */

	struct digest *md5_run;  /* streamed downloads: behind the writes */
	int64_t hashed;
	int64_t hash_target;
	bool hashing, hash_restart, received;

	unsigned char md5[DIGEST_MD5_SIZE];
	unsigned char sha256[DIGEST_SHA256_SIZE];
	struct error error;      /* of the step a worker ran */
	struct error get_error;  /* of a GET that ended while a worker hashed */
};

struct batch {
	struct transfer *t;
	struct job **jobs;
	struct tree_publication *publications;
	size_t count;
};

struct transfer {
	const struct transfer_request *request;
	struct transfer_result *result;
	struct work *work;
	struct error *err;
	bool failed;             /* *err is set: end early */
	bool downloads_off;      /* the disk is full */

	size_t slots;            /* jobs preparing or on the network */
	size_t alive;            /* jobs in any step */
	size_t downloading;      /* of them, not staged */
	struct job *staged;      /* waiting for the next batch */
	size_t staged_count;
	int64_t staged_bytes, staged_since_ns;

	int64_t commit_since_ns; /* mono, of the oldest uncommitted row */
	int64_t next_settle_ns;  /* wall; 0: nothing unsettled was left */
	int64_t unsettled;
	int network_failures;    /* in a row */
	int64_t keys_done, bytes_done;
	int64_t started_ns, progress_ns;
};

static void fail(struct transfer *t, const struct error *error)
{
	if (t->failed)
		return;
	t->failed = true;
	*t->err = *error;
}

static bool stopping(const struct transfer *t)
{
	return t->failed || t->result->stopped;
}

/*
 * Jobs
 */

static struct job *job_new(struct transfer *t,
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
	j->attempts = row->attempts;
	j->since_ns = row->since_ns;
	t->alive++;
	return j;
}

static void leave_slot(struct job *j)
{
	if (!j->in_slot)
		return;
	j->in_slot = false;
	j->t->slots--;
	if (j->action == ACTION_DOWNLOAD)
		j->t->downloading--;
}

static void take_slot(struct job *j)
{
	j->in_slot = true;
	j->t->slots++;
	if (j->action == ACTION_DOWNLOAD)
		j->t->downloading++;
}

static void job_free(struct job *j)
{
	struct transfer *t = j->t;
	const struct tree_ops *ops = t->request->tree->ops;

	leave_slot(j);
	if (j->reader != NULL)
		ops->read_close(j->reader);
	ops->write_abandon(j->writer);
	digest_free(j->md5_run);
	free(j->body);
	free(j->key);
	free(j->reason);
	free(j->detail);
	free(j);
	t->alive--;
}

static void job_moved(struct job *j, int64_t offset)
{
	j->t->bytes_done += offset - j->moved;
	j->moved = offset;
}

/*
 * Recording
 */

static void commit(struct transfer *t)
{
	struct error error = ERROR_INIT;

	if (manifest_commit(t->request->manifest, &error) < 0)
		fail(t, &error);
	t->commit_since_ns = 0;
}

static void written(struct transfer *t, int status)
{
	if (t->commit_since_ns == 0)
		t->commit_since_ns = clock_mono_ns();
	if (status < 0 ||
	    manifest_uncommitted(t->request->manifest) >= COMMIT_ROWS)
		commit(t);
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

	written(j->t, manifest_pending_put(j->t->request->manifest, &row));
}

/* Done: the base is what both sides show now. */
static void record_agreed(struct job *j)
{
	struct transfer *t = j->t;
	const struct cycle_events *events = t->request->events;
	bool etag_is_md5 = signature_etag_may_be_md5(&j->remote.etag) &&
	    !j->etag_not_md5;
	const struct manifest_entry entry = {
		.key = j->key,
		.key_len = j->key_len,
		.state = MANIFEST_SYNCED,
		.flags = j->racy ? MANIFEST_FLAG_RACY : 0,
		.local = j->local,
		.remote = j->remote,
		.md5 = etag_is_md5 ? NULL : j->md5,
	};
	int status = manifest_entry_put(t->request->manifest, &entry);

	status |= manifest_pending_drop(t->request->manifest, j->key,
	    j->key_len);
	written(t, status);
	t->network_failures = 0;
	if (j->action == ACTION_UPLOAD) {
		t->result->uploaded++;
		t->result->bytes_up += j->local.size;
	} else {
		t->result->downloaded++;
		t->result->bytes_down += j->local.size;
	}
	if (events->transferred != NULL)
		events->transferred(events->arg, j->action, j->key,
		    j->key_len, j->local.size);
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
	int64_t next_at_ns = clock_wall_ns() +
	    transfer_backoff_ns(j->attempts + 1);

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
		fail(t, &gone);
	}
	t->keys_done++;
	job_free(j);
}

/* The disk is full: the other downloads would fetch their bytes in vain. It is
 * not the key's failure, so its pause does not grow. */
static void record_no_space(struct job *j, const struct error *error)
{
	j->t->downloads_off = true;
	j->attempts = 0;
	record_failed(j, error);
}

static void record_error(struct job *j, const struct error *error)
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

	fail(j->t, &result->error);
	error_set(&stopped, ERROR_STOPPED, "stopped");
	record_deferred(j, &stopped);
}

/* A request that did not end in S3_DONE. */
static void record_outcome(struct job *j, const struct s3_result *result)
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
		if (stopping(j->t))
			error.kind = ERROR_STOPPED;
		break;
	case S3_ARCHIVED:
		put_row(j, ACTION_NONE, decide_reason_name(REASON_ARCHIVED),
		    j->attempts, 0, error.text);
		j->t->result->waiting++;
		j->t->keys_done++;
		job_free(j);
		return;
	case S3_DENIED:
	case S3_FAILED:
	case S3_DONE:
		break;
	}
	record_error(j, &error);
}

static int check_md5(const struct job *j, const struct etag *etag,
    struct error *err)
{
	if (j->etag_not_md5 || !signature_etag_may_be_md5(etag) ||
	    memcmp(etag->bytes, j->md5, DIGEST_MD5_SIZE) == 0)
		return 0;
	return error_set(err, ERROR_INTEGRITY,
	    "the content's MD5 is not what the object's ETag says");
}

/*
 * Uploads
 */

/* Reads the whole file once: into memory if it is small, and through the
 * digests that the request is signed and checked with. */
static int hash_file(struct job *j, bool with_sha256)
{
	const struct tree_ops *ops = j->t->request->tree->ops;
	struct digest *md5 = digest_new(DIGEST_MD5);
	struct digest *sha256 = with_sha256 ? digest_new(DIGEST_SHA256) : NULL;
	size_t room = j->streamed ? CHUNK : (size_t)j->local.size;
	unsigned char *buf = alloc_bytes(room + 1);
	int64_t offset = 0;
	int status = 0;

	while (offset < j->local.size) {
		unsigned char *at = j->streamed ? buf : buf + offset;
		size_t want = j->streamed ? CHUNK : room - (size_t)offset;
		ssize_t got = ops->read_at(j->reader, offset, at, want,
		    &j->error);

		if (got == 0)
			error_set(&j->error, ERROR_CHANGED,
			    "the file shrank while it was read");
		if (got <= 0) {
			status = -1;
			break;
		}
		digest_update(md5, at, (size_t)got);
		if (with_sha256)
			digest_update(sha256, at, (size_t)got);
		offset += got;
	}
	if (status == 0) {
		digest_final(md5, j->md5);
		if (with_sha256)
			digest_final(sha256, j->sha256);
	}
	digest_free(md5);
	digest_free(sha256);
	if (j->streamed)
		free(buf);
	else
		j->body = buf;
	return status;
}

static void prepare_upload(void *arg)
{
	struct job *j = arg;
	const struct transfer_request *req = j->t->request;
	const struct tree_ops *ops = req->tree->ops;
	int64_t tick_ns = clock_coarse_ns();
	int64_t now_ns = clock_wall_ns();

	if (ops->read_open(req->tree, j->key, j->key_len, &j->reader,
	        &j->local, &j->error) < 0)
		return;
	j->has_local = true;
	j->unsettled = survey_settled_at(&j->local, req->settle_ns, now_ns) >
	    now_ns;
	if (j->unsettled)
		return;
	j->racy = j->local.mtime_ns >= tick_ns || j->local.ctime_ns >= tick_ns;
	j->streamed = j->local.size > IN_MEMORY_MAX;
	if (hash_file(j, req->bucket->ops->signs_payload(req->bucket)) < 0)
		return;
	ops->read_check(j->reader, &j->local, &j->error);
}

/* The last bytes leave only if, when they had been read, the file still was
 * what was hashed: without them the server makes no object. */
static ssize_t read_streamed(struct job *j, int64_t offset, void *buf,
    size_t len, struct error *err)
{
	const struct tree_ops *ops = j->t->request->tree->ops;
	ssize_t got = ops->read_at(j->reader, offset, buf, len, err);

	if (got == 0)
		return error_set(err, ERROR_CHANGED,
		    "the file shrank while it was sent");
	if (got > 0 && offset + got >= j->local.size &&
	    ops->read_check(j->reader, &j->local, err) < 0)
		return -1;
	return got;
}

static ssize_t read_upload(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	struct job *j = arg;
	int64_t left = j->local.size - offset;
	ssize_t got;

	if ((int64_t)len > left)
		len = (size_t)left;
	if (j->streamed) {
		got = read_streamed(j, offset, buf, len, err);
	} else {
		memcpy(buf, j->body + offset, len);
		got = (ssize_t)len;
	}
	if (got > 0)
		job_moved(j, offset + got);
	return got;
}

/* The server has something else than we sent. The object stays as it is (we
 * overwrite nothing), and the row keeps it from being taken for agreed. */
static void record_damaged(struct job *j, const struct error *error)
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

static void upload_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;
	struct error error = ERROR_INIT;

	leave_slot(j);
	if (result->outcome != S3_DONE) {
		record_outcome(j, result);
		return;
	}
	j->remote = (struct remote_sig){
		.size = j->local.size,
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN,
		.etag = result->etag,
	};
	signature_etag_keep(&j->remote.etag, j->etag);
	j->etag_not_md5 = result->etag_not_md5;
	if (check_md5(j, &j->remote.etag, &error) < 0)
		record_damaged(j, &error);
	else
		record_agreed(j);
}

/* Too young: a row for the next round, with the file as it is now. */
static void record_unsettled(struct job *j)
{
	struct transfer *t = j->t;

	int64_t at_ns = survey_settled_at(&j->local, t->request->settle_ns,
	    clock_wall_ns());

	put_row(j, j->action, j->reason, 0, at_ns, NULL);
	t->unsettled++;
	if (t->next_settle_ns == 0 || at_ns < t->next_settle_ns)
		t->next_settle_ns = at_ns;
	job_free(j);
}

static void upload_prepared(void *arg)
{
	struct job *j = arg;
	struct bucket *bucket = j->t->request->bucket;
	const struct s3_put put = {
		.key = j->key,
		.key_len = j->key_len,
		.size = j->local.size,
		.sha256 = bucket->ops->signs_payload(bucket) ? j->sha256 : NULL,
		.md5 = j->md5,
		.if_none_match = true,
		.mtime_ns = j->local.mtime_ns,
		.read = read_upload,
		.done = upload_done,
		.arg = j,
	};

	if (j->error.kind != ERROR_NONE) {
		record_error(j, &j->error);
	} else if (j->unsettled) {
		record_unsettled(j);
	} else if (stopping(j->t)) {
		error_set(&j->error, ERROR_STOPPED, "stopped");
		record_error(j, &j->error);
	} else {
		bucket->ops->put(bucket, &put);
	}
}

/*
 * Downloads
 */

static void publish_staged(struct transfer *t);

static void stage(struct job *j)
{
	struct transfer *t = j->t;

	leave_slot(j);
	free(j->body);
	j->body = NULL;
	if (t->staged == NULL)
		t->staged_since_ns = clock_mono_ns();
	j->next = t->staged;
	t->staged = j;
	t->staged_count++;
	t->staged_bytes += j->remote.size;
	if (t->staged_count >= BATCH_FILES || t->staged_bytes >= BATCH_BYTES)
		publish_staged(t);
}

static void download_staged(void *arg)
{
	struct job *j = arg;

	if (j->error.kind != ERROR_NONE)
		record_error(j, &j->error);
	else
		stage(j);
}

/* A small download: its bytes are in memory. */
static void stage_from_memory(void *arg)
{
	struct job *j = arg;
	struct tree *tree = j->t->request->tree;
	const struct tree_ops *ops = tree->ops;

	digest_once(DIGEST_MD5, j->body, (size_t)j->remote.size, j->md5);
	if (check_md5(j, &j->remote.etag, &j->error) < 0)
		return;
	if (ops->write_open(tree, j->remote.size, &j->writer, &j->error) < 0)
		return;
	if (j->remote.size > 0 && ops->write_at(j->writer, 0, j->body,
	        (size_t)j->remote.size, &j->error) < 0)
		return;
	ops->write_finish(j->writer, j->mtime_ns, &j->error);
}

/* A large one: its bytes are in the file, and hashed. */
static void stage_from_file(void *arg)
{
	struct job *j = arg;
	const struct tree_ops *ops = j->t->request->tree->ops;

	digest_final(j->md5_run, j->md5);
	if (check_md5(j, &j->remote.etag, &j->error) < 0)
		return;
	ops->write_finish(j->writer, j->mtime_ns, &j->error);
}

static void hash_behind(struct job *j);

static void hash_run(void *arg)
{
	struct job *j = arg;
	const struct tree_ops *ops = j->t->request->tree->ops;
	unsigned char *buf = alloc_bytes(CHUNK);

	while (j->hashed < j->hash_target) {
		int64_t left = j->hash_target - j->hashed;
		ssize_t got = ops->write_read_at(j->writer, j->hashed, buf,
		    left < CHUNK ? (size_t)left : CHUNK, &j->error);

		if (got == 0)
			error_set(&j->error, ERROR_LOCAL,
			    "the temporary file lost what was written to it");
		if (got <= 0)
			break;
		digest_update(j->md5_run, buf, (size_t)got);
		j->hashed += got;
	}
	free(buf);
}

static void hash_done(void *arg)
{
	struct job *j = arg;

	j->hashing = false;
	if (j->hash_restart) {
		j->hash_restart = false;
		digest_reset(j->md5_run);
		j->hashed = 0;
		error_clear(&j->error);
	}
	if (j->get_error.kind != ERROR_NONE)
		record_error(j, &j->get_error);
	else if (j->received && j->error.kind != ERROR_NONE)
		record_error(j, &j->error);
	else
		hash_behind(j);
}

/* The checksum follows the writes on a worker, reading back what is in the
 * page cache, so that neither the network nor the disk waits for it. */
static void hash_behind(struct job *j)
{
	struct transfer *t = j->t;

	if (j->hashing)
		return;
	if (j->received && j->hashed == j->remote.size) {
		work_submit(t->work, stage_from_file, download_staged, j);
	} else if (j->moved - j->hashed >= HASH_STEP || j->received) {
		j->hashing = true;
		j->hash_target = j->moved;
		work_submit(t->work, hash_run, hash_done, j);
	}
}

static int begin_streamed(struct job *j, struct error *err)
{
	struct tree *tree = j->t->request->tree;

	if (j->writer == NULL) {
		j->md5_run = digest_new(DIGEST_MD5);
		return tree->ops->write_open(tree, j->remote.size, &j->writer,
		    err);
	}
	if (j->hashing) {
		j->hash_restart = true;
	} else {
		digest_reset(j->md5_run);
		j->hashed = 0;
	}
	return 0;
}

static int begin_download(void *arg, const struct s3_head *head,
    struct error *err)
{
	struct job *j = arg;

	if (head->size != j->remote.size)
		return error_set(err, ERROR_CHANGED,
		    "the object has %lld bytes, the listing said %lld",
		    (long long)head->size, (long long)j->remote.size);
	job_moved(j, 0);
	j->etag_not_md5 = head->etag_not_md5;
	j->mtime_ns = head->meta_mtime_ns != INT64_MIN ? head->meta_mtime_ns :
	    j->remote.mtime_ms * CLOCK_MS;
	if (j->streamed)
		return begin_streamed(j, err);
	if (j->body == NULL)
		j->body = alloc_bytes((size_t)j->remote.size + 1);
	return 0;
}

static int take_data(void *arg, const void *bytes, size_t len,
    struct error *err)
{
	struct job *j = arg;

	if ((int64_t)len > j->remote.size - j->moved)
		return error_set(err, ERROR_INTEGRITY,
		    "the server sent more than it announced");
	if (!j->streamed) {
		memcpy(j->body + j->moved, bytes, len);
		job_moved(j, j->moved + (int64_t)len);
		return 0;
	}
	if (j->t->request->tree->ops->write_at(j->writer, j->moved, bytes,
	        len, err) < 0)
		return -1;
	job_moved(j, j->moved + (int64_t)len);
	hash_behind(j);
	return 0;
}

static void download_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;

	if (result->outcome == S3_DONE) {
		j->received = true;
		if (j->streamed)
			hash_behind(j);
		else
			work_submit(j->t->work, stage_from_memory,
			    download_staged, j);
		return;
	}
	if (!j->hashing) {
		record_outcome(j, result);
		return;
	}
	/* The worker still reads the file: hash_done hands the job over. */
	j->get_error = result->error;
	if (result->outcome == S3_REFUSED)
		fail(j->t, &result->error);
	if (stopping(j->t))
		j->get_error.kind = ERROR_STOPPED;
	else if (result->outcome == S3_CHANGED || result->outcome == S3_ABSENT)
		j->get_error.kind = ERROR_CHANGED;
}

static void publish_run(void *arg)
{
	struct batch *b = arg;
	struct tree *tree = b->t->request->tree;

	tree->ops->publish(tree, b->publications, b->count);
}

static void publish_done(void *arg)
{
	struct batch *b = arg;

	for (size_t i = 0; i < b->count; i++) {
		const struct tree_publication *p = &b->publications[i];
		struct job *j = b->jobs[i];

		if (p->error.kind == ERROR_NONE) {
			j->has_local = true;
			j->local = p->sig;
			j->racy = p->racy;
			record_agreed(j);
		} else {
			record_error(j, &p->error);
		}
	}
	free(b->jobs);
	free(b->publications);
	free(b);
}

static void publish_staged(struct transfer *t)
{
	struct batch *b = alloc_zero(1, sizeof(*b));

	b->t = t;
	b->jobs = alloc_zero(t->staged_count, sizeof(*b->jobs));
	b->publications = alloc_zero(t->staged_count,
	    sizeof(*b->publications));
	while (t->staged != NULL) {
		struct job *j = t->staged;

		t->staged = j->next;
		b->publications[b->count] = (struct tree_publication){
			.writer = j->writer,
			.key = j->key,
			.key_len = j->key_len,
		};
		j->writer = NULL; /* publish frees it */
		b->jobs[b->count++] = j;
	}
	t->staged_count = 0;
	t->staged_bytes = 0;
	work_submit(t->work, publish_run, publish_done, b);
}

/*
 * The loop
 */

static void start(struct transfer *t, const struct manifest_pending *row,
    enum decide_action action)
{
	struct job *j = job_new(t, row, action);
	struct bucket *bucket = t->request->bucket;

	take_slot(j);
	if (action == ACTION_UPLOAD) {
		work_submit(t->work, prepare_upload, upload_prepared, j);
		return;
	}
	j->streamed = j->remote.size > IN_MEMORY_MAX;
	bucket->ops->get(bucket, &(const struct s3_get){
		.key = j->key,
		.key_len = j->key_len,
		.if_match = &j->remote.etag,
		.begin = begin_download,
		.data = take_data,
		.done = download_done,
		.arg = j,
	});
}

/* What to do with one row in this round. */
static void take_row(struct transfer *t, const struct manifest_pending *row,
    bool first_round)
{
	int action = decide_action_parse(row->action);
	bool tried = row->attempts > 0 || row->error != NULL;

	if (action != ACTION_UPLOAD && action != ACTION_DOWNLOAD)
		return;
	if (tried && !first_round)
		return;
	if (action == ACTION_DOWNLOAD && t->downloads_off) {
		t->result->waiting += first_round;
		return;
	}
	if (row->next_at_ns > clock_wall_ns() &&
	    !(tried && t->request->patient)) {
		if (tried) {
			t->result->waiting++;
			return;
		}
		t->unsettled++;
		if (t->next_settle_ns == 0 ||
		    row->next_at_ns < t->next_settle_ns)
			t->next_settle_ns = row->next_at_ns;
		return;
	}
	start(t, row, (enum decide_action)action);
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
	    now_ns - t->progress_ns < 100 * CLOCK_MS)
		return;
	t->progress_ns = now_ns;
	req->events->progress(req->events->arg, &progress);
}

/* Lets everything move on once; ${hurry}: nothing more will join a batch. */
static void turn(struct transfer *t, bool hurry, int64_t wait_ns)
{
	struct bucket *bucket = t->request->bucket;
	struct error error = ERROR_INIT;
	int64_t now_ns;

	work_reap(t->work);
	now_ns = clock_mono_ns();
	if (t->staged != NULL && ((hurry && t->downloading == 0) ||
	        now_ns - t->staged_since_ns >= BATCH_AGE_NS))
		publish_staged(t);
	if (t->commit_since_ns != 0 &&
	    now_ns - t->commit_since_ns >= COMMIT_AGE_NS)
		commit(t);
	if (t->staged != NULL && wait_ns > BATCH_AGE_NS)
		wait_ns = BATCH_AGE_NS;
	if (bucket->ops->wait(bucket, wait_ns, &error) < 0)
		fail(t, &error);
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
		if (stopping(t)) {
			int64_t now_ns = clock_mono_ns();

			if (give_up_ns == 0)
				give_up_ns = now_ns + (t->failed ? 0 :
				    STOP_GRACE_NS);
			if (now_ns >= give_up_ns) {
				t->request->bucket->ops->abort_all(
				    t->request->bucket);
				give_up_ns = now_ns + CLOCK_SECOND;
			}
		}
		turn(t, true, WAIT_NS);
	}
}

/* Bounds what is open at once: jobs on the network, and staged files. */
static bool full(const struct transfer *t)
{
	return t->slots >= t->request->jobs ||
	    t->alive >= t->request->jobs + 2 * BATCH_FILES;
}

static void run_round(struct transfer *t, bool first_round)
{
	struct manifest_reader *rows = manifest_reader_pending(
	    t->request->manifest, NULL, 0);
	struct manifest_pending row;
	struct error error = ERROR_INIT;
	int got = 0;

	t->next_settle_ns = 0;
	t->unsettled = 0;
	while (!stopping(t) &&
	    (got = manifest_reader_pending_row(rows, &row, &error)) > 0) {
		take_row(t, &row, first_round);
		while (full(t) && !stopping(t)) {
			check_stop(t);
			turn(t, false, WAIT_NS);
		}
		check_stop(t);
	}
	if (got < 0)
		fail(t, &error);
	manifest_reader_free(rows);
	drain(t);
	commit(t);
}

static void sleep_until(struct transfer *t, int64_t wall_ns)
{
	int64_t left_ns;

	while (!stopping(t) && (left_ns = wall_ns - clock_wall_ns()) > 0) {
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
		.work = work_new(request->workers, wake_loop, request->bucket),
		.started_ns = clock_mono_ns(),
	};

	*result = (struct transfer_result){ 0 };
	run_round(&t, true);
	for (int round = 0; request->patient && round < SETTLE_ROUNDS &&
	    t.unsettled > 0 && !stopping(&t); round++) {
		sleep_until(&t, t.next_settle_ns);
		if (!stopping(&t))
			run_round(&t, false);
	}
	result->waiting += t.unsettled;
	work_free(t.work);
	return t.failed ? -1 : 0;
}

int64_t transfer_backoff_ns(int attempts)
{
	int64_t pause_ns = BACKOFF_FIRST_NS;

	for (int i = 1; i < attempts && pause_ns < BACKOFF_MAX_NS; i++)
		pause_ns *= 5;
	return pause_ns < BACKOFF_MAX_NS ? pause_ns : BACKOFF_MAX_NS;
}
