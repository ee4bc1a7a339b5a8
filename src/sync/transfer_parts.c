/* SPDX-License-Identifier: MIT */
/*
 * Uploads in parts: what was begun before and the server still has → parts,
 * several at once, each hashed (worker) and sent → a last look at the file →
 * completed. The rows of the manifest tell the next cycle where to go on.
 *
 * A part is hashed with what the server checks it with, and no more: the MD5
 * costs more than all the rest, and is made where nothing else vouches for a
 * part, or where the server has one that nobody remembers.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "manifest/resume.h"
#include "sync/transfer_internal.h"

#define PART_STEP ((int64_t)1 << 20)
#define PART_TRIES 2  /* that arrive damaged */

enum part_state {
	PART_WANTED,
	PART_DOUBTFUL, /* the server has one: is it this content? */
	PART_BUSY,
	PART_SENT,
};

struct part {
	enum part_state state;
	unsigned char checksum[DIGEST_MAX]; /* of the request's kind */
	struct etag etag; /* as the server named it; bytes are ours */
};

struct parts {
	char *upload_id; /* NULL: none has begun */
	char token[S3_MULTIPART_TOKEN_SIZE];
	int64_t part_size;
	struct part *items;
	int count;
	int next; /* those before it are busy or sent */
	int busy, sent;
	bool open; /* parts may be sent: it is known which are missing */
	struct s3_part *named; /* in the completion */
	bool begun_anew;       /* once, where the server lost the upload */

	/* Why no more parts are sent, once busy is 0. */
	bool halted;
	bool lost;    /* the server lacks it, or a part of it */
	bool useless; /* it is there, and of no use: abort it */
	struct s3_result end;
};

/* One part on its way. */
struct sending {
	struct job *j;
	int number;
	int64_t offset, size;
	int64_t moved;
	int tries;
	bool doubtful; /* the server has such a part, perhaps this */
	enum s3_digests digests; /* that are made of it */
	unsigned char md5[DIGEST_MD5_SIZE];
	unsigned char sha256[DIGEST_SHA256_SIZE];
	struct error error;
};

static void begin(struct job *j);
static void complete(struct job *j);
static bool more(struct job *j);

int64_t transfer_parts_size(int64_t part_size, int64_t size)
{
	int64_t least = (size + TRANSFER_PARTS_MAX - 1) / TRANSFER_PARTS_MAX;

	if (least <= part_size)
		return part_size;
	return (least + PART_STEP - 1) / PART_STEP * PART_STEP;
}

static void clear_items(struct parts *p)
{
	for (int i = 0; i < p->count; i++)
		free((void *)p->items[i].etag.bytes);
	free(p->items);
	p->items = NULL;
	p->count = p->next = p->busy = p->sent = 0;
}

void transfer_parts_free(struct parts *p)
{
	if (p == NULL)
		return;
	clear_items(p);
	free(p->upload_id);
	free(p->named);
	free(p);
}

static void set_upload(struct job *j, const char *upload_id, const char *token,
    int64_t part_size)
{
	struct parts *p = j->parts;

	clear_items(p);
	p->open = false;
	free(p->upload_id);
	p->upload_id = alloc_string(upload_id);
	memmove(p->token, token, strnlen(token, sizeof(p->token) - 1) + 1);
	p->part_size = part_size;
	p->count = (int)((j->local.size + part_size - 1) / part_size);
	p->items = alloc_zero((size_t)p->count, sizeof(*p->items));
}

static int64_t size_of(const struct job *j, int number)
{
	int64_t offset = (number - 1) * j->parts->part_size;
	int64_t left = j->local.size - offset;

	return left < j->parts->part_size ? left : j->parts->part_size;
}

static void name_part(struct part *part, const struct etag *etag)
{
	free((void *)part->etag.bytes);
	part->etag = *etag;
	part->etag.bytes = alloc_copy(etag->bytes, etag->len);
}

/*
 * The end, when no part is on its way any more
 */

static void drop_row(struct job *j)
{
	transfer_job_written(j->t, manifest_resume_upload_drop(
	    j->t->request->manifest, j->key, j->key_len));
}

/* Once it begins anew; a server that loses it again is to be left alone for a
 * while. */
static void finish(struct job *j)
{
	struct parts *p = j->parts;
	struct s3_result end = p->end;

	if (p->lost && !p->begun_anew && !transfer_job_ending(j->t)) {
		p->begun_anew = true;
		p->open = p->halted = p->lost = p->useless = false;
		begin(j);
		return;
	}
	if (p->lost && p->begun_anew) {
		end.outcome = S3_FAILED;
		end.error.kind = ERROR_REMOTE;
	}
	transfer_job_refused(j, &end);
}

static void abort_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;
	bool gone = result->outcome == S3_DONE || result->outcome == S3_ABSENT;

	j->t->slots--;
	if (gone)
		drop_row(j);
	if (j->parts->halted && (gone || !j->parts->lost))
		finish(j);
	else if (gone)
		begin(j);
	else
		transfer_job_refused(j, result);
}

/* What remains of it is of no use to anybody, and is paid for. */
static void abort_upload(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;

	j->t->slots++;
	bucket->ops->abort(bucket,
	    &(const struct s3_multipart_abort){
		.key = j->key,
		.key_len = j->key_len,
		.upload_id = j->parts->upload_id,
		.done = abort_done,
		.arg = j,
	    });
}

static void conclude(struct job *j)
{
	const struct parts *p = j->parts;

	if (p->useless && !transfer_job_ending(j->t)) {
		abort_upload(j);
		return;
	}
	if (p->lost && !p->useless)
		drop_row(j);
	finish(j);
}

/* The first reason counts. */
static void halt(struct job *j, const struct s3_result *result)
{
	struct parts *p = j->parts;

	if (!p->halted) {
		p->halted = true;
		p->end = *result;
		p->lost = result->outcome == S3_ABSENT;
		p->useless = p->useless || (p->lost && result->http_status != 404) ||
		    result->outcome == S3_EXISTS ||
		    result->outcome == S3_CHANGED ||
		    result->error.kind == ERROR_CHANGED ||
		    result->error.kind == ERROR_INTEGRITY;
	}
	if (p->busy == 0)
		conclude(j);
}

static void halt_by(struct job *j, const struct error *error)
{
	const struct s3_result result = { .outcome = S3_FAILED,
		.error = *error };

	halt(j, &result);
}

static void halt_stopped(struct job *j)
{
	struct error stopped = ERROR_INIT;

	error_set(&stopped, ERROR_STOPPED, "stopped");
	halt_by(j, &stopped);
}

/*
 * Parts
 */

static void go_on(struct job *j)
{
	struct parts *p = j->parts;

	if (p->halted)
		halt(j, &p->end);
	else if (p->sent == p->count)
		complete(j);
	else if (transfer_job_ending(j->t))
		halt_stopped(j);
	else if (p->busy == 0)
		more(j);
}

static void part_ended(struct sending *s)
{
	struct job *j = s->j;

	j->t->slots--;
	j->parts->busy--;
	free(s);
	go_on(j);
}

static void part_failed(struct sending *s, const struct s3_result *result)
{
	struct job *j = s->j;

	j->t->bytes_done -= s->moved;
	j->parts->items[s->number - 1].state = PART_WANTED;
	j->t->slots--;
	j->parts->busy--;
	free(s);
	halt(j, result);
}

static bool has_checksum(const struct job *j)
{
	return j->t->request->checksum != S3_CHECKSUM_NONE;
}

static size_t checksum_size(const struct job *j)
{
	return has_checksum(j)
	    ? digest_size(s3_checksum_digest(j->t->request->checksum))
	    : 0;
}

static void part_sent(struct sending *s)
{
	struct job *j = s->j;
	struct part *part = &j->parts->items[s->number - 1];
	const struct manifest_part row = {
		.number = s->number,
		.etag = part->etag,
		.checksum = has_checksum(j) ? part->checksum : NULL,
		.checksum_len = checksum_size(j),
	};

	j->t->bytes_done += s->size - s->moved;
	part->state = PART_SENT;
	j->parts->sent++;
	j->t->network_failures = 0;
	transfer_job_written(j->t, manifest_resume_part_put(
	    j->t->request->manifest, j->key, j->key_len, &row));
	part_ended(s);
}

static bool is_md5(const struct etag *etag, const unsigned char *md5)
{
	return signature_etag_may_be_md5(etag) &&
	    memcmp(etag->bytes, md5, DIGEST_MD5_SIZE) == 0;
}

/* Is the part that the server has the one that we sent? */
enum receipt { RECEIPT_GOOD, RECEIPT_BAD, RECEIPT_DOUBTFUL };

static enum receipt judge(const struct sending *s,
    const struct s3_result *result)
{
	if (result->receipt != S3_RECEIPT_NONE)
		return result->receipt == S3_RECEIPT_SAME ? RECEIPT_GOOD
							  : RECEIPT_BAD;
	if (s->digests == S3_DIGESTS_SHA256 || result->etag_not_md5 ||
	    s->j->t->etags != TRANSFER_ETAGS_MD5 ||
	    !signature_etag_may_be_md5(&result->etag))
		return RECEIPT_GOOD;
	if (!(s->digests & S3_DIGESTS_MD5))
		return RECEIPT_DOUBTFUL;
	return is_md5(&result->etag, s->md5) ? RECEIPT_GOOD : RECEIPT_BAD;
}

static void hash(struct sending *s);
static void put_part(struct sending *s);

static void put_again(struct sending *s)
{
	struct s3_result damaged = { .outcome = S3_FAILED };

	if (s->tries < PART_TRIES) {
		put_part(s);
		return;
	}
	error_set(&damaged.error, ERROR_INTEGRITY,
	    "part %d is not what the server says it got", s->number);
	part_failed(s, &damaged);
}

static void put_done(void *arg, const struct s3_result *result)
{
	struct sending *s = arg;
	const struct bucket *bucket = s->j->t->request->bucket;
	enum s3_digests wanted = bucket->ops->part_digests(bucket);

	if (result->outcome != S3_DONE) {
		if ((wanted & ~s->digests) == 0) {
			part_failed(s, result);
			return;
		}
		s->digests |= wanted; /* the server has begun to insist */
		hash(s);
		return;
	}
	name_part(&s->j->parts->items[s->number - 1], &result->etag);
	switch (judge(s, result)) {
	case RECEIPT_GOOD:
		part_sent(s);
		break;
	case RECEIPT_DOUBTFUL:
		s->doubtful = true;
		hash(s);
		break;
	case RECEIPT_BAD:
		put_again(s);
		break;
	}
}

static ssize_t read_part(void *arg, int64_t offset, void *buf, size_t len,
    struct error *err)
{
	struct sending *s = arg;
	struct job *j = s->j;
	int64_t left = s->size - offset;
	ssize_t got;

	if ((int64_t)len > left)
		len = (size_t)left;
	got = j->t->request->tree->ops->read_at(j->reader, s->offset + offset,
	    buf, len, err);
	if (got == 0)
		return error_set(err, ERROR_CHANGED,
		    "the file shrank while it was sent");
	if (got > 0) {
		j->t->bytes_done += offset + got - s->moved;
		s->moved = offset + got;
	}
	return got;
}

static void put_part(struct sending *s)
{
	struct job *j = s->j;
	struct bucket *bucket = j->t->request->bucket;
	const struct part *part = &j->parts->items[s->number - 1];

	s->tries++;
	bucket->ops->put(bucket,
	    &(const struct s3_put){
		.key = j->key,
		.key_len = j->key_len,
		.size = s->size,
		.sha256 = s->digests & S3_DIGESTS_SHA256 ? s->sha256 : NULL,
		.md5 = s->digests & S3_DIGESTS_MD5 ? s->md5 : NULL,
		.checksum = has_checksum(j) ? part->checksum : NULL,
		.upload_id = j->parts->upload_id,
		.part_number = s->number,
		.mtime_ns = INT64_MIN,
		.read = read_part,
		.done = put_done,
		.arg = s,
	    });
}

static void hash_part(void *arg)
{
	struct sending *s = arg;

	transfer_upload_hash(s->j, s->offset, s->size, NULL,
	    s->digests & S3_DIGESTS_MD5 ? s->md5 : NULL,
	    s->digests & S3_DIGESTS_SHA256 ? s->sha256 : NULL,
	    s->j->parts->items[s->number - 1].checksum, &s->error);
}

static void part_hashed(void *arg)
{
	struct sending *s = arg;
	struct job *j = s->j;
	struct part *part = &j->parts->items[s->number - 1];
	struct s3_result failed = { .outcome = S3_FAILED };

	failed.error = s->error;
	if (s->error.kind == ERROR_NONE && transfer_job_ending(j->t))
		error_set(&failed.error, ERROR_STOPPED, "stopped");
	if (failed.error.kind != ERROR_NONE)
		part_failed(s, &failed);
	else if (s->doubtful && is_md5(&part->etag, s->md5))
		part_sent(s);
	else if (s->doubtful)
		put_again(s);
	else
		put_part(s);
}

static void hash(struct sending *s)
{
	if (s->doubtful)
		s->digests |= S3_DIGESTS_MD5;
	work_submit(s->j->t->work, hash_part, part_hashed, s);
}

/* One part more on its way, if there is one and a slot for it. */
static bool more(struct job *j)
{
	const struct bucket *bucket = j->t->request->bucket;
	struct parts *p = j->parts;
	struct sending *s;

	if (!p->open || p->halted || p->busy >= TRANSFER_PARTS_AT_ONCE ||
	    (p->busy > 0 && j->t->slots >= j->t->request->jobs))
		return false;
	while (p->next < p->count && p->items[p->next].state > PART_DOUBTFUL)
		p->next++;
	if (p->next == p->count)
		return false;
	s = alloc_zero(1, sizeof(*s));
	s->j = j;
	s->doubtful = p->items[p->next].state == PART_DOUBTFUL;
	s->digests = bucket->ops->part_digests(bucket);
	p->items[p->next].state = PART_BUSY;
	s->number = ++p->next;
	s->offset = (s->number - 1) * p->part_size;
	s->size = size_of(j, s->number);
	p->busy++;
	j->t->slots++;
	hash(s);
	return true;
}

/*
 * The beginning
 */

static void create_done(void *arg, const struct s3_result *result,
    const char *upload_id)
{
	struct job *j = arg;
	struct parts *p = j->parts;
	struct manifest_upload row = {
		.key = j->key,
		.key_len = j->key_len,
		.upload_id = upload_id,
		.token = p->token,
		.checksum = s3_checksum_name(j->t->request->checksum),
		.local = j->local,
		.started_ns = clock_wall_ns(),
	};

	j->t->slots--;
	if (result->outcome != S3_DONE) {
		transfer_job_refused(j, result);
		return;
	}
	row.part_size = transfer_parts_size(j->t->request->part_size,
	    j->local.size);
	/* What may have changed within one tick shows no change later: the
	 * next cycle shall not take it for the same file. */
	if (j->racy)
		row.local.ino = 0;
	set_upload(j, upload_id, p->token, row.part_size);
	transfer_job_written(j->t,
	    manifest_resume_upload_put(j->t->request->manifest, &row));
	transfer_job_commit(j->t);
	j->parts->open = true;
	go_on(j);
}

static void create(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;

	j->t->slots++;
	s3_multipart_token(j->parts->token);
	bucket->ops->create(bucket,
	    &(const struct s3_multipart_create){
		.key = j->key,
		.key_len = j->key_len,
		.token = j->parts->token,
		.mtime_ns = j->local.mtime_ns,
		.done = create_done,
		.arg = j,
	    });
}

static void take_row(void *arg, const struct manifest_part *row)
{
	struct job *j = arg;
	struct parts *p = j->parts;
	struct part *part = &p->items[row->number - 1];

	if (row->number > p->count || row->checksum_len != checksum_size(j))
		return;
	if (row->checksum_len > 0)
		memcpy(part->checksum, row->checksum, row->checksum_len);
	name_part(part, &row->etag);
}

static void take_sent(struct job *j, int number)
{
	j->parts->items[number - 1].state = PART_SENT;
	j->parts->sent++;
	j->t->bytes_done += size_of(j, number);
}

/* Who may not ask what the server has goes by what was recorded; should that
 * be wrong, the completion says so, and the upload begins anew. */
static void take_recorded(struct job *j)
{
	for (int i = 0; i < j->parts->count; i++)
		if (j->parts->items[i].state == PART_WANTED &&
		    j->parts->items[i].etag.len > 0)
			take_sent(j, i + 1);
}

/* What the server has of part ${n}: what we sent, if we remember; else it may
 * be by the process that died before it could write it down. */
static void take_listed(struct job *j, const struct s3_part *listed)
{
	struct parts *p = j->parts;
	struct part *part = &p->items[listed->number - 1];

	if (listed->size != size_of(j, listed->number) ||
	    part->state != PART_WANTED)
		return;
	if (part->etag.len > 0 &&
	    signature_etag_equal(&part->etag, &listed->etag)) {
		take_sent(j, listed->number);
	} else if (signature_etag_may_be_md5(&listed->etag)) {
		part->state = PART_DOUBTFUL;
		name_part(part, &listed->etag);
	}
}

static void list_parts(struct job *j, int after);

static void list_done(void *arg, const struct s3_result *result,
    const struct s3_part *listed, size_t count, int next)
{
	struct job *j = arg;

	j->t->slots--;
	if (result->outcome == S3_DENIED) {
		take_recorded(j);
	} else if (result->outcome != S3_DONE) {
		halt(j, result);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (listed[i].number <= j->parts->count)
			take_listed(j, &listed[i]);
	if (next > 0) {
		list_parts(j, next);
		return;
	}
	j->parts->open = true;
	go_on(j);
}

static void list_parts(struct job *j, int after)
{
	struct bucket *bucket = j->t->request->bucket;

	j->t->slots++;
	bucket->ops->parts(bucket,
	    &(const struct s3_multipart_parts){
		.key = j->key,
		.key_len = j->key_len,
		.upload_id = j->parts->upload_id,
		.after = after,
		.done = list_done,
		.arg = j,
	    });
}

static void begin(struct job *j)
{
	struct manifest *m = j->t->request->manifest;
	struct manifest_upload row;
	struct error error = ERROR_INIT;
	int found = manifest_resume_upload_find(m, j->key, j->key_len, &row,
	    &error);

	if (found == 0) {
		create(j);
		return;
	}
	if (found > 0) {
		bool same = signature_local_equal(&row.local, &j->local) &&
		    strcmp(row.checksum,
			s3_checksum_name(j->t->request->checksum)) == 0;

		set_upload(j, row.upload_id, row.token, row.part_size);
		if (!same) {
			abort_upload(j);
			return;
		}
		found = manifest_resume_parts(m, j->key, j->key_len, take_row,
		    j, &error);
	}
	if (found < 0) {
		transfer_job_end_all(j->t, &error);
		transfer_job_failed(j, &error);
		return;
	}
	list_parts(j, 0);
}

void transfer_parts_start(struct job *j)
{
	j->parts = alloc_zero(1, sizeof(*j->parts));
	transfer_job_widen(j, more, NULL);
	begin(j);
}

/*
 * Completion
 */

/* Did the server say that these parts never make an object? */
static bool is_final(const struct s3_result *result)
{
	return result->outcome == S3_FAILED && result->http_status == 400;
}

static void complete_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;

	j->t->slots--;
	if (result->outcome != S3_DONE) {
		j->parts->useless = is_final(result);
		halt(j, result);
		return;
	}
	drop_row(j);
	j->remote = (struct remote_sig){
		.size = j->local.size,
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN,
		.etag = result->etag,
	};
	signature_etag_keep(&j->remote.etag, j->etag);
	transfer_job_agreed(j);
}

/* Until this is done there is no object: the last look at the file is now. */
static void complete(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;
	struct parts *p = j->parts;
	struct error error = ERROR_INIT;

	if (j->t->request->tree->ops->read_check(j->reader, &j->local,
		&error) < 0) {
		halt_by(j, &error);
		return;
	}
	free(p->named);
	p->named = alloc_zero((size_t)p->count, sizeof(*p->named));
	for (int i = 0; i < p->count; i++)
		p->named[i] = (struct s3_part){
			.number = i + 1,
			.etag = p->items[i].etag,
			.checksum = has_checksum(j) ? p->items[i].checksum
						    : NULL,
		};
	j->t->slots++;
	bucket->ops->complete(bucket,
	    &(const struct s3_multipart_complete){
		.key = j->key,
		.key_len = j->key_len,
		.upload_id = p->upload_id,
		.token = p->token,
		.parts = p->named,
		.count = (size_t)p->count,
		.if_none_match = true,
		.done = complete_done,
		.arg = j,
	    });
}

/*
 * Uploads that nobody wants any more
 */

struct stale {
	struct transfer *t;
	struct stale *next;
	char *key;
	size_t key_len;
	char *upload_id;
};

static void stale_free(struct stale *s)
{
	free(s->key);
	free(s->upload_id);
	free(s);
}

static void note(void *arg, const struct manifest_upload *row)
{
	struct stale **list = arg;
	struct stale *s = alloc_zero(1, sizeof(*s));

	s->key = alloc_copy(row->key, row->key_len);
	s->key_len = row->key_len;
	s->upload_id = alloc_string(row->upload_id);
	s->next = *list;
	*list = s;
}

/* Its key's job will see to it. */
static bool is_wanted(struct transfer *t, const struct stale *s)
{
	struct manifest_pending row;
	struct error error = ERROR_INIT;
	int found = manifest_pending_find(t->request->manifest, s->key,
	    s->key_len, &row, &error);

	if (found < 0)
		transfer_job_end_all(t, &error);
	return found < 0 ||
	    (found > 0 && decide_action_parse(row.action) == ACTION_UPLOAD);
}

static void stale_done(void *arg, const struct s3_result *result)
{
	struct stale *s = arg;
	struct transfer *t = s->t;

	t->slots--;
	t->alive--;
	if (result->outcome == S3_DONE || result->outcome == S3_ABSENT)
		transfer_job_written(t, manifest_resume_upload_drop(
		    t->request->manifest, s->key, s->key_len));
	else
		log_debug("an upload that is no longer wanted stays: %s",
		    result->error.text);
	stale_free(s);
}

void transfer_parts_clean(struct transfer *t)
{
	struct bucket *bucket = t->request->bucket;
	struct stale *list = NULL, *s;
	struct error error = ERROR_INIT;

	if (manifest_resume_uploads(t->request->manifest, note, &list,
		&error) < 0)
		transfer_job_end_all(t, &error);
	while ((s = list) != NULL) {
		list = s->next;
		if (transfer_job_ending(t) || is_wanted(t, s)) {
			stale_free(s);
			continue;
		}
		s->t = t;
		t->slots++;
		t->alive++;
		bucket->ops->abort(bucket,
		    &(const struct s3_multipart_abort){
			.key = s->key,
			.key_len = s->key_len,
			.upload_id = s->upload_id,
			.done = stale_done,
			.arg = s,
		    });
	}
}
