/* SPDX-License-Identifier: MIT */
/*
 * What the parts of a transfer share: a job is one key's way from its row in
 * `pending` to its entry (or back to its row, with a reason).
 *
 *   transfer_job       jobs, and how each of their ends is recorded
 *   transfer_upload    prepare (worker: open, hash, check) → PUT
 *   transfer_parts     of large files: part by part (worker: hash) → PUT;
 *                      then completed
 *   transfer_content   is what arrived what was sent?
 *   transfer_download  GET → stage (worker: write, verify) → publish (worker:
 *                      a batch, with one data sync)
 *   transfer_ranges    the same by several GETs into one file, for large ones
 *   transfer           the loop: which rows, how many at once, until when
 *
 * Jobs are touched by the loop's thread only, but for the step a worker runs.
 */
#ifndef SYNC_TRANSFER_INTERNAL_H
#define SYNC_TRANSFER_INTERNAL_H

#include "base/clock.h"
#include "base/digest.h"
#include "base/work.h"
#include "s3/etag.h"
#include "sync/transfer.h"

#define TRANSFER_IN_MEMORY_MAX (256 * 1024) /* larger contents are streamed */
#define TRANSFER_CHUNK (256 * 1024)
#define TRANSFER_BATCH_BYTES (64 * 1024 * 1024)

#define TRANSFER_PARTS_MAX 10000
#define TRANSFER_PARTS_AT_ONCE 8 /* of one file */

struct parts;
struct ranges;
struct transfer;

struct job {
	struct transfer *t;
	struct job *next; /* in the batch */
	struct job *wider; /* the next that can use more slots */
	bool (*more)(struct job *j); /* see transfer_job_widen */
	void (*look)(struct job *j);
	enum decide_action action;
	char *key;
	size_t key_len;
	char *reason, *detail; /* of the row, to write it again */
	char *earlier;         /* its error; NULL: none */
	bool has_local, has_remote;
	struct local_sig local;
	struct remote_sig remote;
	unsigned char etag[ETAG_MAX];
	int attempts; /* failed ones before this */
	int64_t since_ns;

	struct tree_reader *reader;
	struct tree_writer *writer;
	unsigned char *body; /* contents of up to TRANSFER_IN_MEMORY_MAX */
	int64_t moved;       /* bytes sent or received in this attempt */
	int64_t mtime_ns;    /* download: to be set */
	bool streamed;
	size_t slots; /* so many of the `jobs` does it hold */
	bool etag_not_md5;
	bool racy;
	bool unsettled; /* prepare: too young still */
	/* The object is one of parts, and hashed so: md5 is not known. */
	bool in_parts;
	struct parts *parts; /* NULL: not begun, or not in parts */

	struct ranges *ranges; /* a download in them; else NULL */

	struct digest *md5_run; /* streamed downloads: behind the writes */
	struct s3_etag *parts_run;      /* … in its place, if in_parts; … */
	unsigned char *part_md5s;       /* … or these, if each is a range */
	bool parts_matter; /* ETags are MD5s here, so those of parts are, too */
	char parts_etag[S3_ETAG_TEXT_MAX]; /* what came of it */
	struct digest *told_run;
	enum s3_checksum told; /* downloads: the server told this checksum … */
	unsigned char told_sum[DIGEST_MAX];
	bool verified;         /* … or has told it of an upload; it is right */
	bool known;            /* downloads: this very object was here before … */
	unsigned char known_md5[DIGEST_MD5_SIZE]; /* … with this content */
	int64_t hashed;
	int64_t hash_target;
	bool hashing, hash_restart, received;

	unsigned char md5[DIGEST_MD5_SIZE];
	unsigned char sha256[DIGEST_SHA256_SIZE];
	unsigned char checksum[DIGEST_MAX]; /* uploads: of the kind asked for */
	struct error error;     /* of the step a worker ran */
	struct error get_error; /* of a GET that ended while a worker hashed */
};

/* What an ETag of 32 hex digits is in this bucket: see transfer_content.c. */
enum transfer_etags { TRANSFER_ETAGS_UNKNOWN, TRANSFER_ETAGS_MD5,
	TRANSFER_ETAGS_OPAQUE };

struct transfer {
	const struct transfer_request *request;
	struct transfer_result *result;
	struct work *work;
	struct error *err;
	bool failed;  /* *err is set: end early */
	enum transfer_etags etags;
	int doubts;   /* objects that came twice alike, and not as their ETag */
	bool no_ranges; /* the server gave none */
	int64_t room; /* downloads of this size found none */

	size_t slots;       /* jobs preparing, and requests */
	size_t alive;       /* jobs in any step */
	size_t downloading; /* slots of downloads, not staged */
	struct job *wide;   /* jobs that can use more, the oldest first */
	struct job *staged; /* waiting for the next batch */
	size_t batch_files; /* so many begin one, if not before */
	size_t staged_count;
	int64_t staged_bytes, staged_since_ns;

	int64_t commit_since_ns; /* mono, of the oldest uncommitted row */
	int64_t next_settle_ns;  /* mono; 0: nothing unsettled was left */
	int64_t unsettled;
	int network_failures; /* in a row */
	int64_t keys_done, bytes_done;
	int64_t started_ns, progress_ns;
};

/* transfer_job.c */

struct job *transfer_job_new(struct transfer *t,
    const struct manifest_pending *row, enum decide_action action);
void transfer_job_take_slot(struct job *j);
void transfer_job_leave_slot(struct job *j); /* one; nothing if it has none */
/*
 * A job in parts has as many slots as it has parts under way, and takes none
 * by itself: the loop gives free ones to rows and to such jobs in turn, so that
 * neither starves the other. ${more}: takes one and begins a part, or says that
 * it can use none. ${look} (or NULL): at each turn of the loop, since time has
 * passed, or everything is ending. Until the job ends, or is narrowed.
 */
void transfer_job_widen(struct job *j, bool (*more)(struct job *j),
    void (*look)(struct job *j));
void transfer_job_narrow(struct job *j);
/* So many bytes of this attempt are through. */
void transfer_job_moved(struct job *j, int64_t offset);

/* The ends of a job; each writes the rows, tells the events and frees it. */
void transfer_job_agreed(struct job *j); /* local and remote are the base */
void transfer_job_failed(struct job *j, const struct error *error);
void transfer_job_refused(struct job *j, const struct s3_result *result);
void transfer_job_damaged(struct job *j, const struct error *error);
void transfer_job_unsettled(struct job *j);

bool transfer_job_disk_is_full(const struct error *error);
/* A file is too young for so long still: for another round. */
void transfer_job_await(struct transfer *t, int64_t left_ns);
/* No more jobs: ${error} is why. The first reason counts. */
void transfer_job_end_all(struct transfer *t, const struct error *error);
bool transfer_job_ending(const struct transfer *t);
void transfer_job_commit(struct transfer *t);
/* A row was written, with this result: commits in groups. */
void transfer_job_written(struct transfer *t, int status);
/* The pause after the n-th failure (n >= 1): 25 s × 5ⁿ⁻¹, at most 24 h. */
int64_t transfer_job_backoff_ns(int attempts);

/* transfer_content.c */

/* What was learned about this bucket. */
void transfer_content_load(struct transfer *t);
/* Was the object of this download here before, and what did it hold? */
void transfer_content_recall(struct job *j);
/* What a download is hashed with, before its first byte: its MD5, or those of
 * its parts where the ETag is of such. Are they what arrives by itself, in
 * ranges of this size, part_md5s wants each. */
void transfer_content_start(struct job *j, int64_t range_size);
/* The likeliest size of the parts that the ETag is of; 0: it is of none. */
int64_t transfer_content_part_size(const struct job *j);
void transfer_content_stop(struct job *j); /* also what never started */
/* The checksums of a download: anew with each reply that begins (reset, if
 * need be, once no worker adds); then pieces in order; -1 at the end means
 * ERROR_INTEGRITY. Not on two threads at once. */
void transfer_content_begin(struct job *j, const struct s3_head *head);
void transfer_content_reset(struct job *j);
void transfer_content_add(struct job *j, const void *bytes, size_t len);
int transfer_content_end(struct job *j, struct error *err);
/* What has arrived, again, from memory or from its file; on a worker, and on
 * several at once. -1: *err. */
int transfer_content_reread(struct job *j, int64_t from, int64_t to,
    void (*take)(void *arg, const void *bytes, size_t len), void *arg,
    struct error *err);
/* The same into part_md5s[${number}]. */
int transfer_content_hash_part(struct job *j, int64_t from, int64_t to,
    int64_t number, struct error *err);
/* Is the ETag this content's MD5? */
bool transfer_content_is_etag(const struct job *j);
/* May the content be what the ETag stands for? -1: ERROR_INTEGRITY. The loop's
 * thread only. */
int transfer_content_judge(struct job *j, struct error *err);
/* An upload that was judged so: what does the server have? Ends the job. */
void transfer_content_read_back(struct job *j, const struct error *why);

/* transfer_upload.c */

void transfer_upload_start(struct job *j);
/* Reads ${size} bytes from ${offset} on, into ${body} if that is not NULL, and
 * through the digests that they are signed and checked with; ${md5}, ${sha256}
 * and ${sum} (of the request's checksum) may be NULL. On a worker. -1: *err. */
int transfer_upload_hash(struct job *j, int64_t offset, int64_t size,
    unsigned char *body, unsigned char *md5, unsigned char *sha256,
    unsigned char *sum, struct error *err);

/* transfer_parts.c */

/* Bytes of each part of a file of ${size}: ${part_size}, or whole MiB as far as
 * 10,000 parts need more. */
int64_t transfer_parts_size(int64_t part_size, int64_t size);
/* The file is open; the job holds a slot, and gives it up. */
void transfer_parts_start(struct job *j);
void transfer_parts_free(struct parts *p); /* NULL: nothing */
/* Aborts the uploads in the manifest that no key waits for. */
void transfer_parts_clean(struct transfer *t);

/* transfer_download.c */

void transfer_download_start(struct job *j);
/* What a reply's head says of the object; -1: it is not the one listed. */
int transfer_download_head(struct job *j, const struct s3_head *head,
    struct error *err);
/* Hashes on, if there is enough; what is whole is staged. */
void transfer_download_hash(struct job *j);
/* What is staged gets its names now, together. */
void transfer_download_publish(struct transfer *t);

/* transfer_ranges.c */

/* Is it large enough, and can it be asked for in ranges? */
bool transfer_ranges_fit(const struct job *j);
void transfer_ranges_start(struct job *j);
/* Bytes from the beginning that are in the file, stay as they are, and are to
 * be hashed in order. */
int64_t transfer_ranges_ready(const struct job *j);
void transfer_ranges_hashed(struct job *j); /* or j->error */
/* With its file and row, unless they are kept. NULL ranges: nothing. */
void transfer_ranges_release(struct job *j);
/* Drops what earlier cycles have begun and this one does not plan. */
void transfer_ranges_tidy(struct transfer *t);

#endif
