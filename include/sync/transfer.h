/* SPDX-License-Identifier: MIT */
/*
 * Transfers: performs the uploads and downloads that the survey left in
 * `pending`, `jobs` at once, and commits each finished key. A failure is one
 * key's failure: recorded with a backoff, and the others go on. What is large
 * goes in parts, several at once; what was begun so and did not end is gone on
 * with by the next run.
 */
#ifndef SYNC_TRANSFER_H
#define SYNC_TRANSFER_H

#include <signal.h>

#include "base/error.h"
#include "manifest/manifest.h"
#include "sync/bucket.h"
#include "sync/cycle.h"
#include "sync/tree.h"

struct transfer_request {
	struct tree *tree;
	struct bucket *bucket;
	struct manifest *manifest;
	size_t jobs;
	size_t files;   /* that may be open at once; 0: enough */
	size_t workers; /* threads for local work; 0: the caller's own */
	/* Bytes: files of the threshold and above go in parts of this size. */
	int64_t multipart_threshold, part_size;
	int64_t settle_ns;
	enum s3_checksum checksum; /* that goes with uploads */
	bool etags_opaque; /* no ETag is to be taken for an MD5 */
	bool patient; /* one-shot: waits for files to settle, ignores backoff */
	int64_t planned, planned_bytes; /* for progress */
	const volatile sig_atomic_t *stop;
	const struct cycle_events *events;
};

struct transfer_result {
	int64_t uploaded, downloaded, bytes_up, bytes_down;
	int64_t failed;  /* recorded with a backoff */
	int64_t waiting; /* deferred, unsettled, in backoff, or not reached */
	bool stopped;
};

/* So many files are open, at most, while ${jobs} transfers are made at once;
 * and how many of them may be where only ${files} may be open: 1 or more. */
size_t transfer_files_of(size_t jobs);
size_t transfer_jobs_of(size_t files);

/*
 * 0: all was tried; where the disk was full, the downloads after that are
 * waiting. -1: ended early (manifest failed, server refuses or is gone): what
 * was finished is committed, *err says why.
 */
int transfer_run(const struct transfer_request *request,
    struct transfer_result *result, struct error *err);

#endif
