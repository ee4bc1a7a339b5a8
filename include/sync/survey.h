/* SPDX-License-Identifier: MIT */
/*
 * The survey: one ordered merge of scan, listing and manifest, which finds
 * every key that is not agreed, decides about it, and leaves the result in
 * the manifest: adopted keys as entries, all others as pending rows. Agreed
 * keys cost a few comparisons and write nothing. Memory is bounded by the
 * pages in flight and the largest directory.
 */
#ifndef SYNC_SURVEY_H
#define SYNC_SURVEY_H

#include <signal.h>

#include "base/clock.h"
#include "base/error.h"
#include "manifest/manifest.h"
#include "sync/bucket.h"
#include "sync/conf.h"
#include "sync/decide.h"
#include "sync/filter.h"
#include "sync/tree.h"

struct survey_request {
	struct tree *tree;
	struct bucket *bucket;
	struct manifest *manifest;
	const struct filter *filter;
	struct decide_policy policy;
	const struct conf_words *done_suffixes;
	int64_t settle_ns;
	bool dry; /* a plan: no entry is written */
	const volatile sig_atomic_t *stop;
	/* A key is newly left alone: blocked, differing or waiting; may be
	 * NULL. */
	void (*noticed)(void *arg, enum decide_reason reason, const char *key,
	    size_t key_len, const char *detail);
	/* Now and then; may be NULL. */
	void (*progress)(void *arg, int64_t keys_seen);
	void *arg;
};

struct survey_result {
	int64_t local_keys, remote_keys; /* files and objects, filtered */
	int64_t agreed, adopted;
	int64_t up, down, bytes_up, bytes_down; /* planned */
	int64_t waiting, differing, blocked;
};

/*
 * 0: complete, and committed. -1: a side could not be seen whole (the root,
 * the listing), the manifest failed, or *stop was set; then nothing may be
 * derived from what is missing, and nothing should be transferred.
 */
int survey_run(const struct survey_request *request,
    struct survey_result *result, struct error *err);

/* The details of keys that wait for their object: what somebody has to do. */
extern const char survey_archived[];
extern const char survey_restoring[];
/* An object that turned out to be archived only when it was asked for (its
 * listing does not tell) is asked for again after so long. */
#define SURVEY_ARCHIVED_PAUSE_NS (3600 * CLOCK_SECOND)

/* When may a file with this signature be sent? Wall ns; in the past: now. A
 * modification time in the future says nothing. */
int64_t survey_settled_at(const struct local_sig *sig, int64_t settle_ns,
    int64_t now_ns);

#endif
