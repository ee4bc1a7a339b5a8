/* SPDX-License-Identifier: MIT */
/*
 * Downloads in ranges: several at once, each under the condition that the
 * object is still the one that was listed, into one temporary file that has a
 * name. Its row in `download` is committed before the first range is asked
 * for, and a range is in it once its bytes are on the disk: whenever this ends,
 * the next cycle goes on there.
 *
 * Ranges are cut like the parts that the object was uploaded in, where its ETag
 * lets guess them: then each is hashed by itself, several at once.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "manifest/resume.h"
#include "sync/transfer_internal.h"

#define SYNC_AGE_NS CLOCK_SECOND
#define SYNC_BYTES (INT64_C(64) << 20)
#define RANGE_MIN (INT64_C(1) << 20)
#define RANGE_MAX (INT64_C(64) << 20)

struct range { /* under way */
	struct job *j;
	int64_t number;
	int64_t got; /* bytes of it, in this attempt */
};

struct hashing { /* a range by itself, on a worker */
	struct job *j;
	int64_t number;
	struct error error;
};

struct ranges {
	int64_t part_size, count;
	int64_t next; /* all before it were asked for */
	size_t under_way;
	size_t hashing;      /* ranges, by themselves */
	int64_t next_to_hash; /* all before it are, or were */
	/* A bit for each range: */
	unsigned char *asked;   /* under way, or in the file */
	unsigned char *written; /* in the file */
	unsigned char *sent;    /* … when the sync that runs began */
	unsigned char *synced;  /* on the disk */
	unsigned char *hashed;  /* by themselves, or just being so */
	size_t bits_len;
	int64_t ready;    /* bytes from the beginning that are in the file */
	int64_t unsynced; /* bytes in the file since the last sync began */
	int64_t synced_ns, started_ns;
	char name[TREE_TEMPORARY_SIZE];
	bool opening, opened, syncing;
	bool was_kept;       /* the file was there already */
	bool recorded;       /* there is a row */
	bool spoilt;         /* what is in the file is of no use */
	bool keep;           /* file and row, for the next cycle */
	bool no_ranges;      /* the server sends whole objects only */
	bool failed;         /* as soon as nothing is under way, it ends: */
	struct s3_result failure;
	struct error sync_error; /* of the worker */
};

static bool has_bit(const unsigned char *bits, int64_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

static void set_bit(unsigned char *bits, int64_t i, bool on)
{
	unsigned char bit = (unsigned char)(1 << i % 8);

	bits[i / 8] = (unsigned char)(on ? bits[i / 8] | bit
					 : bits[i / 8] & ~bit);
}

static int64_t offset_of(const struct ranges *r, int64_t number)
{
	return number * r->part_size;
}

static int64_t length_of(const struct job *j, int64_t number)
{
	int64_t left = j->remote.size - offset_of(j->ranges, number);

	return left < j->ranges->part_size ? left : j->ranges->part_size;
}

static int64_t fresh_part_size(const struct job *j)
{
	int64_t part_size = transfer_content_part_size(j);

	if (part_size >= RANGE_MIN && part_size <= RANGE_MAX &&
	    (j->remote.size - 1) / part_size < TRANSFER_PARTS_MAX)
		return part_size;
	return transfer_parts_size(j->t->request->part_size, j->remote.size);
}

static void set_part_size(struct job *j, int64_t part_size)
{
	struct ranges *r = j->ranges;

	r->part_size = part_size;
	r->count = (j->remote.size - 1) / part_size + 1;
	r->bits_len = (size_t)(r->count + 7) / 8;
}

static void make_bits(struct ranges *r)
{
	r->asked = alloc_zero(1, r->bits_len);
	r->written = alloc_zero(1, r->bits_len);
	r->sent = alloc_zero(1, r->bits_len);
	r->synced = alloc_zero(1, r->bits_len);
	r->hashed = alloc_zero(1, r->bits_len);
}

/* What is in the file from the beginning on, for the checksum to follow. */
static void count_ready(struct job *j)
{
	struct ranges *r = j->ranges;

	while (r->ready < j->remote.size &&
	    has_bit(r->written, r->ready / r->part_size))
		r->ready += length_of(j, r->ready / r->part_size);
}

int64_t transfer_ranges_ready(const struct job *j)
{
	return j->part_md5s == NULL ? j->ranges->ready : j->hashed;
}

/*
 * Ends
 */

static void fail(struct job *j, const struct s3_result *result)
{
	struct ranges *r = j->ranges;

	if (r->failed)
		return;
	r->failed = true;
	r->failure = *result;
	r->failure.etag = (struct etag){ 0 };
}

static void fail_here(struct job *j, const struct error *error)
{
	const struct s3_result result = {
		.outcome = S3_ABORTED,
		.error = *error,
	};

	fail(j, &result);
}

/* Can the next cycle go on with what there is? A full disk needs the room. */
static bool is_of_use(const struct ranges *r)
{
	enum s3_outcome outcome = r->failure.outcome;
	enum error_kind kind = r->failure.error.kind;

	return r->recorded && !r->spoilt && !r->no_ranges &&
	    outcome != S3_CHANGED &&
	    outcome != S3_ABSENT && outcome != S3_ARCHIVED &&
	    kind != ERROR_INTEGRITY && kind != ERROR_CHANGED &&
	    !transfer_job_disk_is_full(&r->failure.error);
}

/* Without a job in ranges from here on, but with the job. */
void transfer_ranges_release(struct job *j)
{
	const struct transfer_request *req = j->t->request;
	struct ranges *r = j->ranges;

	if (r == NULL)
		return;
	if (r->keep)
		req->tree->ops->write_keep(j->writer);
	else if (j->writer != NULL)
		req->tree->ops->write_abandon(j->writer);
	else if (r->name[0] != '\0')
		req->tree->ops->write_forget(req->tree, r->name);
	j->writer = NULL;
	if (r->recorded && !r->keep)
		transfer_job_written(j->t,
		    manifest_resume_download_drop(req->manifest, j->key,
			j->key_len));
	free(r->asked);
	free(r->written);
	free(r->sent);
	free(r->synced);
	free(r->hashed);
	free(r);
	j->ranges = NULL;
}

/* Nor will the server give ranges of any other object. */
static void go_on_whole(struct job *j)
{
	j->t->no_ranges = true;
	transfer_job_narrow(j);
	transfer_ranges_release(j);
	transfer_job_moved(j, 0);
	transfer_content_stop(j);
	j->hashed = 0;
	transfer_download_start(j);
}

static void end(struct job *j)
{
	struct ranges *r = j->ranges;
	const struct s3_result failure = r->failure;

	if (r->no_ranges && !transfer_job_ending(j->t)) {
		go_on_whole(j);
		return;
	}
	r->keep = is_of_use(r);
	transfer_job_refused(j, &failure);
}

/*
 * Going on
 */

static void record(struct job *j)
{
	struct transfer *t = j->t;
	struct ranges *r = j->ranges;
	const struct manifest_download row = {
		.key = j->key,
		.key_len = j->key_len,
		.remote = j->remote,
		.part_size = r->part_size,
		.name = r->name,
		.done = r->synced,
		.done_len = r->bits_len,
		.started_ns = r->started_ns,
	};

	r->recorded = true;
	transfer_job_written(t,
	    manifest_resume_download_put(t->request->manifest, &row));
	transfer_job_commit(t);
}

static void advance(struct job *j);

static void sync_run(void *arg)
{
	struct job *j = arg;

	j->t->request->tree->ops->write_sync(j->writer,
	    &j->ranges->sync_error);
}

static void sync_done(void *arg)
{
	struct job *j = arg;
	struct ranges *r = j->ranges;

	r->syncing = false;
	r->synced_ns = clock_mono_ns();
	if (r->sync_error.kind != ERROR_NONE) {
		r->spoilt = true; /* nobody knows what is on the disk */
		fail_here(j, &r->sync_error);
	} else {
		memcpy(r->synced, r->sent, r->bits_len);
		record(j);
	}
	advance(j);
}

static bool sync_is_due(const struct job *j)
{
	const struct ranges *r = j->ranges;

	return !r->syncing && !r->spoilt && r->unsynced > 0 &&
	    (r->failed || transfer_job_ending(j->t) ||
		r->unsynced >= SYNC_BYTES ||
		clock_mono_ns() - r->synced_ns >= SYNC_AGE_NS);
}

static void hash_run(void *arg)
{
	struct hashing *h = arg;
	int64_t from = offset_of(h->j->ranges, h->number);

	transfer_content_hash_part(h->j, from, from + length_of(h->j, h->number),
	    h->number, &h->error);
}

static void hash_done(void *arg)
{
	struct hashing *h = arg;
	struct job *j = h->j;

	j->ranges->hashing--;
	j->hashed += length_of(j, h->number);
	if (h->error.kind != ERROR_NONE) {
		j->ranges->spoilt = true;
		fail_here(j, &h->error);
	}
	free(h);
	advance(j);
}

/* What is in the file and was not hashed by itself yet. */
static void hash_more(struct job *j)
{
	struct ranges *r = j->ranges;

	while (r->next_to_hash < r->count &&
	    has_bit(r->hashed, r->next_to_hash))
		r->next_to_hash++;
	for (int64_t i = r->next_to_hash;
	     i < r->count && r->hashing < TRANSFER_PARTS_AT_ONCE; i++) {
		struct hashing *h;

		if (!has_bit(r->written, i) || has_bit(r->hashed, i))
			continue;
		h = alloc_zero(1, sizeof(*h));
		h->j = j;
		h->number = i;
		set_bit(r->hashed, i, true);
		r->hashing++;
		work_submit(j->t->work, hash_run, hash_done, h);
	}
}

static void advance(struct job *j)
{
	struct ranges *r = j->ranges;

	if (sync_is_due(j)) {
		memcpy(r->sent, r->written, r->bits_len);
		r->unsynced = 0;
		r->syncing = true;
		work_submit(j->t->work, sync_run, sync_done, j);
	}
	if (!r->failed) {
		j->received = r->ready == j->remote.size && !r->syncing;
		if (j->part_md5s != NULL)
			hash_more(j);
		transfer_download_hash(j);
	} else if (r->under_way == 0 && !r->opening && !r->syncing &&
	    !j->hashing && r->hashing == 0) {
		end(j);
	}
}

/* What was written is not there any more, or cannot be read. */
void transfer_ranges_hashed(struct job *j)
{
	if (j->error.kind != ERROR_NONE) {
		j->ranges->spoilt = true;
		fail_here(j, &j->error);
	}
	advance(j);
}

/*
 * One range
 */

/* Else the ranges that are under way go on: what they bring is kept. */
static bool is_in_vain(const struct ranges *r)
{
	return r->failed && !is_of_use(r);
}

/* What this attempt has brought counts no more. */
static void forget_attempt(struct range *g)
{
	transfer_job_moved(g->j, g->j->moved - g->got);
	g->got = 0;
}

static int give_up(struct error *err)
{
	return error_set(err, ERROR_STOPPED, "another range failed");
}

static int begin_range(void *arg, const struct s3_head *head,
    struct error *err)
{
	struct range *g = arg;
	struct job *j = g->j;

	forget_attempt(g);
	if (is_in_vain(j->ranges))
		return give_up(err);
	if (transfer_download_head(j, head, err) < 0)
		return -1;
	if (head->offset == offset_of(j->ranges, g->number) &&
	    head->length == length_of(j, g->number))
		return 0;
	j->ranges->no_ranges = true;
	return error_set(err, ERROR_REMOTE, "the server gives no ranges");
}

static int take_range(void *arg, const void *bytes, size_t len,
    struct error *err)
{
	struct range *g = arg;
	struct job *j = g->j;
	int64_t offset = offset_of(j->ranges, g->number) + g->got;

	if (is_in_vain(j->ranges))
		return give_up(err);
	if ((int64_t)len > length_of(j, g->number) - g->got)
		return error_set(err, ERROR_INTEGRITY,
		    "the server sent more than it announced");
	if (j->t->request->tree->ops->write_at(j->writer, offset, bytes, len,
		err) < 0)
		return -1;
	g->got += (int64_t)len;
	transfer_job_moved(j, j->moved + (int64_t)len);
	return 0;
}

static void range_done(void *arg, const struct s3_result *result)
{
	struct range *g = arg;
	struct job *j = g->j;
	struct ranges *r = j->ranges;

	r->under_way--;
	transfer_job_leave_slot(j);
	if (result->outcome == S3_DONE) {
		set_bit(r->written, g->number, true);
		r->unsynced += g->got;
		count_ready(j);
	} else {
		forget_attempt(g);
		fail(j, result);
	}
	free(g);
	advance(j);
}

static int64_t next_range(const struct ranges *r)
{
	int64_t next = r->next;

	while (next < r->count && has_bit(r->asked, next))
		next++;
	return next;
}

/* With a slot that it has. */
static void ask(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;
	struct ranges *r = j->ranges;
	struct range *g = alloc_zero(1, sizeof(*g));

	r->next = next_range(r);
	assert(r->next < r->count);
	g->j = j;
	g->number = r->next;
	set_bit(r->asked, g->number, true);
	r->under_way++;
	bucket->ops->get(bucket,
	    &(const struct s3_get){
		.key = j->key,
		.key_len = j->key_len,
		.if_match = &j->remote.etag,
		.offset = offset_of(r, g->number),
		.length = length_of(j, g->number),
		.begin = begin_range,
		.data = take_range,
		.done = range_done,
		.arg = g,
	    });
}

/*
 * Beginning, or going on with what an earlier cycle has left
 */

static void open_run(void *arg)
{
	struct job *j = arg;
	struct ranges *r = j->ranges;
	struct tree *tree = j->t->request->tree;

	r->was_kept = tree->ops->write_open_named(tree, j->remote.size, r->name,
	    &j->writer, &j->error) > 0;
}

/* The time of the object comes with a reply: there must be one. */
static void take_up(struct job *j)
{
	struct ranges *r = j->ranges;
	int64_t there = 0;

	if (!r->was_kept)
		memset(r->synced, 0, r->bits_len);
	memcpy(r->asked, r->synced, r->bits_len);
	if (next_range(r) == r->count)
		set_bit(r->asked, r->count - 1, false);
	memcpy(r->written, r->asked, r->bits_len);
	for (int64_t i = 0; i < r->count; i++)
		if (has_bit(r->written, i))
			there += length_of(j, i);
	transfer_job_moved(j, there);
	count_ready(j);
}

static void open_done(void *arg)
{
	struct job *j = arg;
	struct ranges *r = j->ranges;

	r->opening = false;
	if (j->error.kind != ERROR_NONE) {
		transfer_job_leave_slot(j);
		fail_here(j, &j->error);
		advance(j);
		return;
	}
	r->opened = true;
	r->synced_ns = clock_mono_ns();
	transfer_content_start(j, r->part_size);
	take_up(j);
	if (!r->was_kept)
		record(j);
	if (transfer_job_ending(j->t))
		transfer_job_leave_slot(j); /* look ends it */
	else
		ask(j);
}

static bool is_same(const struct job *j, const struct manifest_download *row)
{
	return signature_remote_equal(&row->remote, &j->remote) &&
	    row->part_size > 0 &&
	    (j->remote.size - 1) / row->part_size < TRANSFER_PARTS_MAX &&
	    row->done_len ==
	    (size_t)((j->remote.size - 1) / row->part_size / 8 + 1) &&
	    strlen(row->name) < TREE_TEMPORARY_SIZE;
}

/* ${found}: of the manifest; row or none. */
static void plan(struct job *j, const struct manifest_download *row)
{
	struct ranges *r = j->ranges;
	bool again = row != NULL && is_same(j, row);

	set_part_size(j, again ? row->part_size : fresh_part_size(j));
	make_bits(r);
	r->recorded = row != NULL;
	r->started_ns = again ? row->started_ns : clock_wall_ns();
	if (again) {
		memcpy(r->synced, row->done, r->bits_len);
		memcpy(r->name, row->name, strlen(row->name) + 1);
	}
}

static void open_file(struct job *j)
{
	struct transfer *t = j->t;
	struct manifest_download row;
	struct error error = ERROR_INIT;
	int found = manifest_resume_download_find(t->request->manifest, j->key,
	    j->key_len, &row, &error);

	if (found < 0)
		transfer_job_end_all(t, &error);
	if (found < 0 || j->remote.size >= t->room) {
		error_set(&error, ERROR_STOPPED, "stopped");
		transfer_job_failed(j, &error);
		return;
	}
	plan(j, found > 0 ? &row : NULL);
	j->ranges->opening = true;
	transfer_job_take_slot(j);
	work_submit(t->work, open_run, open_done, j);
}

/*
 * What the loop asks
 */

static bool more(struct job *j)
{
	const struct ranges *r = j->ranges;

	if (r->opening || r->failed)
		return false;
	if (!r->opened) {
		open_file(j);
		return true;
	}
	if (r->under_way >= TRANSFER_PARTS_AT_ONCE || next_range(r) == r->count)
		return false;
	transfer_job_take_slot(j);
	ask(j);
	return true;
}

static void look(struct job *j)
{
	const struct ranges *r = j->ranges;
	struct error stopped = ERROR_INIT;

	if (transfer_job_ending(j->t) && r->under_way == 0 && !r->opening) {
		error_set(&stopped, ERROR_STOPPED, "stopped");
		fail_here(j, &stopped);
	}
	if (r->opened || r->failed)
		advance(j);
}

bool transfer_ranges_fit(const struct job *j)
{
	const struct transfer *t = j->t;

	return !t->no_ranges && j->remote.etag.len > 0 && j->remote.size > 0 &&
	    j->remote.size >= t->request->multipart_threshold &&
	    fresh_part_size(j) < j->remote.size;
}

void transfer_ranges_start(struct job *j)
{
	j->ranges = alloc_zero(1, sizeof(*j->ranges));
	transfer_job_widen(j, more, look);
}

/*
 * What was begun, and is not wanted any more
 */

struct begun {
	struct begun *next;
	char *key;
	size_t key_len;
	char *name;
	struct remote_sig remote;
	unsigned char etag[ETAG_MAX];
};

static void collect(void *arg, const struct manifest_download *row)
{
	struct begun **first = arg;
	struct begun *b = alloc_zero(1, sizeof(*b));

	b->key = alloc_copy(row->key, row->key_len);
	b->key_len = row->key_len;
	b->name = alloc_string(row->name);
	b->remote = row->remote;
	signature_etag_keep(&b->remote.etag, b->etag);
	b->next = *first;
	*first = b;
}

/* 1, 0, or -1. */
static int is_wanted(struct transfer *t, const struct begun *b,
    struct error *err)
{
	struct manifest_pending row;
	int found = manifest_pending_find(t->request->manifest, b->key,
	    b->key_len, &row, err);

	if (found <= 0)
		return found;
	return decide_action_parse(row.action) == ACTION_DOWNLOAD &&
	    row.has_remote && signature_remote_equal(&row.remote, &b->remote);
}

/* The file first: a row without one is a download that begins anew. */
static void tidy_one(struct transfer *t, const struct begun *b)
{
	const struct transfer_request *req = t->request;
	struct error error = ERROR_INIT;
	int wanted = is_wanted(t, b, &error);

	if (wanted < 0)
		transfer_job_end_all(t, &error);
	if (wanted != 0)
		return;
	req->tree->ops->write_forget(req->tree, b->name);
	transfer_job_written(t,
	    manifest_resume_download_drop(req->manifest, b->key, b->key_len));
}

void transfer_ranges_tidy(struct transfer *t)
{
	struct begun *first = NULL, *next;
	struct error error = ERROR_INIT;

	if (manifest_resume_downloads(t->request->manifest, collect, &first,
		&error) < 0)
		transfer_job_end_all(t, &error);
	for (struct begun *b = first; b != NULL; b = next) {
		next = b->next;
		tidy_one(t, b);
		free(b->key);
		free(b->name);
		free(b);
	}
	transfer_job_commit(t);
}
