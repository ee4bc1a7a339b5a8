/* SPDX-License-Identifier: MIT */
/*
 * Is what arrived what was sent? Contents are hashed as they pass, and
 * compared with what the server tells of them: a checksum proves and refutes;
 * an ETag that is the MD5 proves. One of 32 hex digits that is not the MD5
 * refutes only where ETags are MD5s, and that is learned for each bucket: some
 * servers encrypt by default and give others, without a word.
 *
 *   yes  ETags were seen to be MD5s: one that is not means damage
 *   no   one was seen that is not, with the right content behind it: no ETag
 *        refutes anything any more (old objects may have others than new ones)
 *
 * An ETag of parts proves the content, too, where the size of its parts is
 * known: ours, or what others use; see judge_parts.
 *
 * And an object that comes back after its file was lost must hold what it held
 * when it was here before, whatever its ETag is.
 *
 * "No" takes a proof: the content's checksum, an object without content, our
 * own upload read back, or, while no ETag was ever seen to be an MD5, several
 * objects that came twice, the same both times. Or the user says so.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "sync/transfer_internal.h"

#define META_NAME "etag_is_md5"
#define META_MAX 16
#define DOUBTS_MIN 3

void transfer_content_load(struct transfer *t)
{
	struct strbuf value = STRBUF_INIT(META_MAX);
	struct error error = ERROR_INIT;

	if (t->request->etags_opaque)
		t->etags = TRANSFER_ETAGS_OPAQUE;
	else if (manifest_meta_get(t->request->manifest, META_NAME, &value,
	        &error) < 0)
		transfer_job_end_all(t, &error);
	else if (strcmp(strbuf_text(&value), "yes") == 0)
		t->etags = TRANSFER_ETAGS_MD5;
	else if (strcmp(strbuf_text(&value), "no") == 0)
		t->etags = TRANSFER_ETAGS_OPAQUE;
	strbuf_release(&value);
}

static void learn(struct transfer *t, enum transfer_etags etags)
{
	struct error error = ERROR_INIT;

	t->etags = etags;
	if (manifest_meta_set(t->request->manifest, META_NAME,
	        etags == TRANSFER_ETAGS_MD5 ? "yes" : "no", &error) < 0)
		transfer_job_end_all(t, &error);
}

void transfer_content_recall(struct job *j)
{
	struct manifest_entry entry;
	struct error error = ERROR_INIT;
	int found = manifest_entry_find(j->t->request->manifest, j->key,
	    j->key_len, &entry, &error);

	if (found < 0)
		transfer_job_end_all(j->t, &error);
	if (found <= 0 || entry.state != MANIFEST_SYNCED ||
	    entry.md5 == NULL || entry.remote.etag.len == 0 ||
	    !signature_remote_equal(&entry.remote, &j->remote))
		return;
	j->known = true;
	memcpy(j->known_md5, entry.md5, sizeof(j->known_md5));
}

/*
 * Hashing
 */

/* What the parts may have been, the likeliest first; none where the whole
 * content's MD5 is wanted. */
static size_t part_sizes(const struct job *j, int64_t sizes[S3_ETAG_SIZES_MAX])
{
	if (j->known)
		return 0;
	return s3_etag_sizes(j->remote.size, s3_etag_parts(&j->remote.etag),
	    transfer_parts_size(j->t->request->part_size, j->remote.size),
	    sizes);
}

int64_t transfer_content_part_size(const struct job *j)
{
	int64_t sizes[S3_ETAG_SIZES_MAX];

	return part_sizes(j, sizes) > 0 ? sizes[0] : 0;
}

void transfer_content_start(struct job *j, int64_t range_size)
{
	int64_t part_size = transfer_content_part_size(j);

	j->in_parts = part_size > 0;
	j->parts_matter = j->t->etags == TRANSFER_ETAGS_MD5;
	if (!j->in_parts)
		j->md5_run = digest_new(DIGEST_MD5);
	else if (part_size != range_size)
		j->parts_run = s3_etag_new(part_size);
	else
		j->part_md5s = alloc_bytes(
		    (size_t)s3_etag_parts(&j->remote.etag) * DIGEST_MD5_SIZE);
}

void transfer_content_stop(struct job *j)
{
	digest_free(j->md5_run);
	digest_free(j->told_run);
	s3_etag_free(j->parts_run);
	free(j->part_md5s);
	j->md5_run = j->told_run = NULL;
	j->parts_run = NULL;
	j->part_md5s = NULL;
	j->in_parts = false;
}

void transfer_content_begin(struct job *j, const struct s3_head *head)
{
	if (j->md5_run == NULL && j->parts_run == NULL) {
		transfer_content_start(j, 0);
		j->told = head->checksum;
		if (j->told != S3_CHECKSUM_NONE)
			j->told_run = digest_new(s3_checksum_digest(j->told));
	} else if (j->told != head->checksum) {
		j->told = S3_CHECKSUM_NONE; /* not a server to believe */
	}
	memcpy(j->told_sum, head->checksum_bytes, sizeof(j->told_sum));
}

void transfer_content_reset(struct job *j)
{
	if (j->in_parts)
		s3_etag_reset(j->parts_run);
	else
		digest_reset(j->md5_run);
	if (j->told_run != NULL)
		digest_reset(j->told_run);
}

void transfer_content_add(struct job *j, const void *bytes, size_t len)
{
	if (j->in_parts)
		s3_etag_add(j->parts_run, bytes, len);
	else
		digest_update(j->md5_run, bytes, len);
	if (j->told_run != NULL)
		digest_update(j->told_run, bytes, len);
}

int transfer_content_reread(struct job *j, int64_t from, int64_t to,
    void (*take)(void *arg, const void *bytes, size_t len), void *arg,
    struct error *err)
{
	const struct tree_ops *ops = j->t->request->tree->ops;
	unsigned char *buf;
	ssize_t got = 0;

	if (j->body != NULL) {
		take(arg, j->body + from, (size_t)(to - from));
		return 0;
	}
	buf = alloc_bytes(TRANSFER_CHUNK);
	while (from < to) {
		int64_t left = to - from;

		got = ops->write_read_at(j->writer, from, buf,
		    left < TRANSFER_CHUNK ? (size_t)left : TRANSFER_CHUNK, err);
		if (got == 0)
			error_set(err, ERROR_LOCAL,
			    "the temporary file lost what was written to it");
		if (got <= 0)
			break;
		take(arg, buf, (size_t)got);
		from += got;
	}
	free(buf);
	return from < to ? -1 : 0;
}

static void add_to_md5(void *arg, const void *bytes, size_t len)
{
	digest_update(arg, bytes, len);
}

int transfer_content_hash_part(struct job *j, int64_t from, int64_t to,
    int64_t number, struct error *err)
{
	struct digest *run = digest_new(DIGEST_MD5);
	int status = transfer_content_reread(j, from, to, add_to_md5, run, err);

	digest_final(run, j->part_md5s + number * DIGEST_MD5_SIZE);
	digest_free(run);
	return status;
}

static void add_to_etag(void *arg, const void *bytes, size_t len)
{
	s3_etag_add(arg, bytes, len);
}

/* Is the ETag that of parts of this size? 1, 0, or -1. */
static int fits(struct job *j, int64_t part_size, struct error *err)
{
	struct s3_etag *run = s3_etag_new(part_size);
	int status = transfer_content_reread(j, 0, j->remote.size, add_to_etag,
	    run, err);
	char text[S3_ETAG_TEXT_MAX];

	s3_etag_end(run, text);
	s3_etag_free(run);
	return status < 0 ? -1 : s3_etag_equal(&j->remote.etag, text);
}

/* Others cut their parts otherwise, and make as many of them. */
static int compare_parts(struct job *j, struct error *err)
{
	int64_t sizes[S3_ETAG_SIZES_MAX];
	size_t count = part_sizes(j, sizes);
	int found;

	if (j->part_md5s != NULL)
		s3_etag_join(j->part_md5s, s3_etag_parts(&j->remote.etag),
		    j->parts_etag);
	else
		s3_etag_end(j->parts_run, j->parts_etag);
	found = s3_etag_equal(&j->remote.etag, j->parts_etag);
	if (j->parts_matter && !j->etag_not_md5)
		for (size_t i = 1; i < count && found == 0; i++)
			found = fits(j, sizes[i], err);
	j->verified = j->verified || found > 0;
	return found < 0 ? -1 : 0;
}

int transfer_content_end(struct job *j, struct error *err)
{
	unsigned char sum[DIGEST_MAX];

	if (!j->in_parts)
		digest_final(j->md5_run, j->md5);
	else if (compare_parts(j, err) < 0)
		return -1;
	if (j->told == S3_CHECKSUM_NONE)
		return 0;
	digest_final(j->told_run, sum);
	j->verified = memcmp(sum, j->told_sum,
	    digest_size(s3_checksum_digest(j->told))) == 0;
	return j->verified ? 0 : error_set(err, ERROR_INTEGRITY,
	    "the content's checksum is not what the server says");
}

/*
 * Judging
 */

bool transfer_content_is_etag(const struct job *j)
{
	return signature_etag_may_be_md5(&j->remote.etag) &&
	    memcmp(j->remote.etag.bytes, j->md5, DIGEST_MD5_SIZE) == 0;
}

/* Came twice, and was the same both times: the line is not to blame. */
static bool is_lasting(const struct job *j, const struct error *error)
{
	return j->action == ACTION_DOWNLOAD && j->earlier != NULL &&
	    strcmp(j->earlier, error->text) == 0;
}

/* Where the ETags of whole objects are MD5s, those of parts are of MD5s, too.
 * Somebody may have cut in a way that nobody knows: then the content comes
 * twice, the same both times, and is believed. */
static int judge_parts(struct job *j, struct error *err)
{
	if (j->verified || j->etag_not_md5 || !j->parts_matter)
		return 0;
	error_set(err, ERROR_INTEGRITY, "the content in parts, %s, is not what "
	    "the object's ETag says; if it is the same when it comes again, it "
	    "is taken", j->parts_etag);
	if (!is_lasting(j, err))
		return -1;
	error_clear(err);
	return 0;
}

int transfer_content_judge(struct job *j, struct error *err)
{
	struct transfer *t = j->t;
	char md5[2 * DIGEST_MD5_SIZE + 1];

	if (j->in_parts)
		return judge_parts(j, err);
	if (j->known &&
	    memcmp(j->known_md5, j->md5, sizeof(j->known_md5)) != 0)
		return error_set(err, ERROR_INTEGRITY, "the content is not "
		    "what this object held when it was here before");
	j->verified = j->verified || j->known;
	if (j->etag_not_md5 || !signature_etag_may_be_md5(&j->remote.etag))
		return 0;
	if (transfer_content_is_etag(j)) {
		if (t->etags == TRANSFER_ETAGS_UNKNOWN)
			learn(t, TRANSFER_ETAGS_MD5);
		return 0;
	}
	if (t->etags == TRANSFER_ETAGS_OPAQUE)
		return 0;
	digest_hex(j->md5, sizeof(j->md5), md5);
	error_set(err, ERROR_INTEGRITY,
	    "the content's MD5, %s, is not what the object's ETag says (if "
	    "ETags are no MD5s here: etags = opaque)", md5);
	if (!j->verified && j->remote.size > 0 &&
	    !(t->etags == TRANSFER_ETAGS_UNKNOWN && is_lasting(j, err) &&
	        ++t->doubts >= DOUBTS_MIN))
		return -1;
	learn(t, TRANSFER_ETAGS_OPAQUE);
	error_clear(err);
	return 0;
}

/*
 * Reading back what was just uploaded
 */

static int back_begin(void *arg, const struct s3_head *head, struct error *err)
{
	struct job *j = arg;

	if (head->size != j->remote.size)
		return error_set(err, ERROR_INTEGRITY, "the object has another "
		    "size than was sent");
	digest_reset(j->md5_run);
	return 0;
}

static int back_data(void *arg, const void *bytes, size_t len,
    struct error *err)
{
	(void)err;
	digest_update(((struct job *)arg)->md5_run, bytes, len);
	return 0;
}

static void back_done(void *arg, const struct s3_result *result)
{
	struct job *j = arg;
	unsigned char md5[DIGEST_MD5_SIZE];

	transfer_job_leave_slot(j);
	digest_final(j->md5_run, md5);
	if (result->outcome == S3_DONE &&
	    memcmp(md5, j->md5, sizeof(md5)) == 0) {
		learn(j->t, TRANSFER_ETAGS_OPAQUE);
		transfer_job_agreed(j);
	} else {
		transfer_job_damaged(j, &j->error);
	}
}

void transfer_content_read_back(struct job *j, const struct error *why)
{
	struct bucket *bucket = j->t->request->bucket;

	j->error = *why;
	j->md5_run = digest_new(DIGEST_MD5);
	transfer_job_take_slot(j);
	bucket->ops->get(bucket,
	    &(const struct s3_get){
		.key = j->key,
		.key_len = j->key_len,
		.if_match = &j->remote.etag,
		.begin = back_begin,
		.data = back_data,
		.done = back_done,
		.arg = j,
	    });
}
