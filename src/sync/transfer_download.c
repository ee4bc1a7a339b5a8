/* SPDX-License-Identifier: MIT */
/*
 * Downloads: small ones through memory, large ones straight into their file
 * with the checksum following on a worker. Finished ones are staged, and get
 * their names in batches.
 */
#include <string.h>

#include "base/alloc.h"
#include "sync/transfer_internal.h"

#define HASH_STEP (4 * 1024 * 1024)
#define HASH_MOST (64 * 1024 * 1024) /* in one go: who stops waits for it */

struct batch {
	struct transfer *t;
	struct job **jobs;
	struct tree_publication *publications;
	size_t count;
};

void transfer_download_publish(struct transfer *t);

static void stage(struct job *j)
{
	struct transfer *t = j->t;

	transfer_job_leave_slot(j);
	free(j->body);
	j->body = NULL;
	if (t->staged == NULL)
		t->staged_since_ns = clock_mono_ns();
	j->next = t->staged;
	t->staged = j;
	t->staged_count++;
	t->staged_bytes += j->remote.size;
	if (t->staged_count >= t->batch_files ||
	    t->staged_bytes >= TRANSFER_BATCH_BYTES)
		transfer_download_publish(t);
}

static void download_staged(void *arg)
{
	struct job *j = arg;

	if (j->error.kind != ERROR_NONE ||
	    transfer_content_judge(j, &j->error) < 0)
		transfer_job_failed(j, &j->error);
	else
		stage(j);
}

/* A small download: its bytes are in memory. */
static void stage_from_memory(void *arg)
{
	struct job *j = arg;
	struct tree *tree = j->t->request->tree;
	const struct tree_ops *ops = tree->ops;

	transfer_content_add(j, j->body, (size_t)j->remote.size);
	if (transfer_content_end(j, &j->error) < 0)
		return;
	if (ops->write_open(tree, j->remote.size, &j->writer, &j->error) < 0)
		return;
	if (j->remote.size > 0 &&
	    ops->write_at(j->writer, 0, j->body, (size_t)j->remote.size,
		&j->error) < 0)
		return;
	ops->write_finish(j->writer, j->mtime_ns, &j->error);
}

/* A large one: its bytes are in the file, and hashed. */
static void stage_from_file(void *arg)
{
	struct job *j = arg;
	const struct tree_ops *ops = j->t->request->tree->ops;

	if (transfer_content_end(j, &j->error) < 0)
		return;
	ops->write_finish(j->writer, j->mtime_ns, &j->error);
}

static void add(void *arg, const void *bytes, size_t len)
{
	struct job *j = arg;

	transfer_content_add(j, bytes, len);
	j->hashed += (int64_t)len;
}

static void hash_run(void *arg)
{
	struct job *j = arg;

	transfer_content_reread(j, j->hashed, j->hash_target, add, j,
	    &j->error);
}

static void hash_done(void *arg)
{
	struct job *j = arg;

	j->hashing = false;
	if (j->ranges != NULL) {
		transfer_ranges_hashed(j);
		return;
	}
	if (j->hash_restart) {
		j->hash_restart = false;
		transfer_content_reset(j);
		j->hashed = 0;
		error_clear(&j->error);
	}
	if (j->get_error.kind != ERROR_NONE)
		transfer_job_failed(j, &j->get_error);
	else if (j->received && j->error.kind != ERROR_NONE)
		transfer_job_failed(j, &j->error);
	else
		transfer_download_hash(j);
}

/* The checksum follows the writes on a worker, reading back what is in the
 * page cache, so that neither the network nor the disk waits for it. */
void transfer_download_hash(struct job *j)
{
	struct transfer *t = j->t;
	int64_t ready = j->ranges != NULL ? transfer_ranges_ready(j) : j->moved;
	int64_t left = ready - j->hashed;

	if (j->hashing)
		return;
	if (j->received && j->hashed == j->remote.size) {
		transfer_job_narrow(j);
		work_submit(t->work, stage_from_file, download_staged, j);
	} else if (left >= HASH_STEP || (left > 0 && ready == j->remote.size)) {
		j->hashing = true;
		j->hash_target =
		    j->hashed + (left < HASH_MOST ? left : HASH_MOST);
		work_submit(t->work, hash_run, hash_done, j);
	}
}

static int begin_streamed(struct job *j, struct error *err)
{
	struct tree *tree = j->t->request->tree;

	if (j->writer == NULL)
		return tree->ops->write_open(tree, j->remote.size, &j->writer,
		    err);
	if (j->hashing) {
		j->hash_restart = true;
	} else {
		transfer_content_reset(j);
		j->hashed = 0;
	}
	return 0;
}

int transfer_download_head(struct job *j, const struct s3_head *head,
    struct error *err)
{
	if (head->size != j->remote.size)
		return error_set(err, ERROR_CHANGED,
		    "the object has %lld bytes, the listing said %lld",
		    (long long)head->size, (long long)j->remote.size);
	j->etag_not_md5 = head->etag_not_md5;
	j->mtime_ns = head->meta_mtime_ns != INT64_MIN
	    ? head->meta_mtime_ns
	    : j->remote.mtime_ms * CLOCK_MS;
	return 0;
}

static int begin_download(void *arg, const struct s3_head *head,
    struct error *err)
{
	struct job *j = arg;

	if (transfer_download_head(j, head, err) < 0)
		return -1;
	transfer_job_moved(j, 0);
	transfer_content_begin(j, head);
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
		transfer_job_moved(j, j->moved + (int64_t)len);
		return 0;
	}
	if (j->t->request->tree->ops->write_at(j->writer, j->moved, bytes, len,
		err) < 0)
		return -1;
	transfer_job_moved(j, j->moved + (int64_t)len);
	transfer_download_hash(j);
	return 0;
}

static void download_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;

	if (result->outcome == S3_DONE) {
		j->received = true;
		if (j->streamed)
			transfer_download_hash(j);
		else
			work_submit(j->t->work, stage_from_memory,
			    download_staged, j);
		return;
	}
	if (!j->hashing) {
		transfer_job_refused(j, result);
		return;
	}
	/* The worker still reads the file: hash_done hands the job over. */
	j->get_error = result->error;
	if (result->outcome == S3_REFUSED)
		transfer_job_end_all(j->t, &result->error);
	if (transfer_job_ending(j->t))
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
			transfer_job_agreed(j);
		} else {
			transfer_job_failed(j, &p->error);
		}
	}
	free(b->jobs);
	free(b->publications);
	free(b);
}

void transfer_download_publish(struct transfer *t)
{
	struct batch *b = alloc_zero(1, sizeof(*b));

	b->t = t;
	b->jobs = alloc_zero(t->staged_count, sizeof(*b->jobs));
	b->publications = alloc_zero(t->staged_count, sizeof(*b->publications));
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

void transfer_download_start(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;

	if (strcmp(j->reason, decide_reason_name(REASON_MISSING_LOCAL)) == 0)
		transfer_content_recall(j);
	if (transfer_ranges_fit(j)) {
		transfer_ranges_start(j);
		return;
	}
	transfer_job_take_slot(j);
	j->streamed = j->remote.size > TRANSFER_IN_MEMORY_MAX;
	bucket->ops->get(bucket,
	    &(const struct s3_get){
		.key = j->key,
		.key_len = j->key_len,
		.if_match = &j->remote.etag,
		.begin = begin_download,
		.data = take_data,
		.done = download_done,
		.arg = j,
	    });
}
