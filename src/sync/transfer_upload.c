/* SPDX-License-Identifier: MIT */
/*
 * Uploads: a worker opens, hashes and checks the file; then it is sent, and
 * its last bytes only if it still is what was hashed.
 */
#include <string.h>

#include "base/alloc.h"
#include "sync/survey.h"
#include "sync/transfer_internal.h"

/* Reads the whole file once: into memory if it is small, and through the
 * digests that the request is signed and checked with. */
static int hash_file(struct job *j, bool with_sha256)
{
	enum s3_checksum kind = j->t->request->checksum;
	const struct tree_ops *ops = j->t->request->tree->ops;
	struct digest *md5 = digest_new(DIGEST_MD5);
	struct digest *sha256 = with_sha256 ? digest_new(DIGEST_SHA256) : NULL;
	bool is_sha256 = with_sha256 && kind == S3_CHECKSUM_SHA256;
	struct digest *sum = kind == S3_CHECKSUM_NONE || is_sha256 ? NULL :
	    digest_new(s3_checksum_digest(kind));
	size_t room = j->streamed ? TRANSFER_CHUNK : (size_t)j->local.size;
	unsigned char *buf = alloc_bytes(room + 1);
	int64_t offset = 0;
	int status = 0;

	while (offset < j->local.size) {
		unsigned char *at = j->streamed ? buf : buf + offset;
		size_t want =
		    j->streamed ? TRANSFER_CHUNK : room - (size_t)offset;
		ssize_t got =
		    ops->read_at(j->reader, offset, at, want, &j->error);

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
		if (sum != NULL)
			digest_update(sum, at, (size_t)got);
		offset += got;
	}
	if (status == 0) {
		digest_final(md5, j->md5);
		if (with_sha256)
			digest_final(sha256, j->sha256);
		if (sum != NULL)
			digest_final(sum, j->checksum);
		else if (is_sha256)
			memcpy(j->checksum, j->sha256, sizeof(j->sha256));
	}
	digest_free(md5);
	digest_free(sha256);
	digest_free(sum);
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

	if (ops->read_open(req->tree, j->key, j->key_len, &j->reader, &j->local,
		&j->error) < 0)
		return;
	j->has_local = true;
	j->unsettled =
	    survey_settled_at(&j->local, req->settle_ns, now_ns) > now_ns;
	if (j->unsettled)
		return;
	j->racy = j->local.mtime_ns >= tick_ns || j->local.ctime_ns >= tick_ns;
	j->streamed = j->local.size > TRANSFER_IN_MEMORY_MAX;
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
	} else {
		bucket->ops->put(bucket, &put);
	}
}

void transfer_upload_start(struct job *j)
{
	transfer_job_take_slot(j);
	work_submit(j->t->work, prepare_upload, upload_prepared, j);
}
