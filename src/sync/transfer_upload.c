/* SPDX-License-Identifier: MIT */
/*
 * Uploads: a worker opens, hashes and checks the file; then it is sent, and
 * its last bytes only if it still is what was hashed. Large files go in parts.
 */
#include <string.h>

#include "base/alloc.h"
#include "sync/survey.h"
#include "sync/transfer_internal.h"

int transfer_upload_hash(struct job *j, int64_t offset, int64_t size,
    unsigned char *body, unsigned char *md5_out, unsigned char *sha256_out,
    unsigned char *sum_out, struct error *err)
{
	enum s3_checksum kind = j->t->request->checksum;
	const struct tree_ops *ops = j->t->request->tree->ops;
	struct digest *md5 = md5_out ? digest_new(DIGEST_MD5) : NULL;
	struct digest *sha256 = sha256_out ? digest_new(DIGEST_SHA256) : NULL;
	bool is_sha256 = sha256_out && kind == S3_CHECKSUM_SHA256;
	struct digest *sum = !sum_out || kind == S3_CHECKSUM_NONE || is_sha256 ?
	    NULL : digest_new(s3_checksum_digest(kind));
	unsigned char *buf = body ? body : alloc_bytes(TRANSFER_CHUNK);
	int64_t done = 0;
	ssize_t got = 0;

	while (done < size) {
		unsigned char *at = body ? body + done : buf;
		int64_t left = size - done;

		got = ops->read_at(j->reader, offset + done, at,
		    left < TRANSFER_CHUNK ? (size_t)left : TRANSFER_CHUNK, err);
		if (got == 0)
			error_set(err, ERROR_CHANGED,
			    "the file shrank while it was read");
		if (got <= 0)
			break;
		if (md5)
			digest_update(md5, at, (size_t)got);
		if (sha256)
			digest_update(sha256, at, (size_t)got);
		if (sum)
			digest_update(sum, at, (size_t)got);
		done += got;
	}
	if (done == size) {
		if (md5)
			digest_final(md5, md5_out);
		if (sha256)
			digest_final(sha256, sha256_out);
		if (sum)
			digest_final(sum, sum_out);
		else if (sum_out && is_sha256)
			memcpy(sum_out, sha256_out, DIGEST_SHA256_SIZE);
	}
	digest_free(md5);
	digest_free(sha256);
	digest_free(sum);
	if (!body)
		free(buf);
	return done == size ? 0 : -1;
}

/* Small contents are kept, and sent from memory. */
static int hash_file(struct job *j)
{
	struct bucket *bucket = j->t->request->bucket;

	if (!j->streamed)
		j->body = alloc_bytes((size_t)j->local.size + 1);
	return transfer_upload_hash(j, 0, j->local.size, j->body, j->md5,
	    bucket->ops->signs_payload(bucket) ? j->sha256 : NULL, j->checksum,
	    &j->error);
}

static void prepare_upload(void *arg)
{
	struct job *j = arg;
	const struct transfer_request *req = j->t->request;
	const struct tree_ops *ops = req->tree->ops;
	int64_t tick_ns = clock_coarse_ns();
	int64_t now_ns = clock_wall_ns();

	if (ops->read_open(req->tree, j->key, j->key_len, &j->reader, &j->local,
		&j->error) < 0)
		return;
	j->has_local = true;
	j->unsettled =
	    survey_settled_at(&j->local, req->settle_ns, now_ns) > now_ns;
	if (j->unsettled)
		return;
	j->racy = j->local.mtime_ns >= tick_ns || j->local.ctime_ns >= tick_ns;
	j->in_parts = j->local.size >= req->multipart_threshold;
	j->streamed = j->local.size > TRANSFER_IN_MEMORY_MAX;
	if (!j->in_parts && hash_file(j) == 0)
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
		transfer_job_moved(j, offset + got);
	return got;
}

static void upload_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;
	struct error error = ERROR_INIT;

	transfer_job_leave_slot(j);
	if (result->outcome != S3_DONE) {
		transfer_job_refused(j, result);
		return;
	}
	j->remote = (struct remote_sig){
		.size = j->local.size,
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN,
		.etag = result->etag,
	};
	signature_etag_keep(&j->remote.etag, j->etag);
	j->etag_not_md5 = result->etag_not_md5;
	j->verified = result->receipt == S3_RECEIPT_SAME;
	if (result->receipt == S3_RECEIPT_DIFFERS) {
		error_set(&error, ERROR_INTEGRITY, "the server's checksum of "
		    "what was sent is another one");
		transfer_job_damaged(j, &error);
	} else if (transfer_content_judge(j, &error) < 0) {
		transfer_content_read_back(j, &error);
	} else {
		transfer_job_agreed(j);
	}
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
		.checksum = j->t->request->checksum == S3_CHECKSUM_NONE ?
		    NULL : j->checksum,
		.if_none_match = true,
		.mtime_ns = j->local.mtime_ns,
		.read = read_upload,
		.done = upload_done,
		.arg = j,
	};

	if (j->error.kind != ERROR_NONE) {
		transfer_job_failed(j, &j->error);
	} else if (j->unsettled) {
		transfer_job_unsettled(j);
	} else if (transfer_job_ending(j->t)) {
		error_set(&j->error, ERROR_STOPPED, "stopped");
		transfer_job_failed(j, &j->error);
	} else if (j->in_parts) {
		transfer_parts_start(j);
	} else {
		bucket->ops->put(bucket, &put);
	}
}

void transfer_upload_start(struct job *j)
{
	transfer_job_take_slot(j);
	work_submit(j->t->work, prepare_upload, upload_prepared, j);
}
