/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a pair, and what to do: looks at everything that a cycle
 * needs, tells of one thing after another, and goes on after a failure wherever
 * more can be told. Takes seconds: fewer attempts and shorter waits than a
 * cycle's, and what does not depend on each other is asked at once.
 *
 * It writes nothing but objects and uploads of its own, small ones below
 * PREFIX.s3sync/check-, which it removes again; after a kill the next check
 * removes them, once they are a minute old. (What may stay is an upload in
 * parts, without any part; and in a bucket that keeps versions, theirs.)
 * Neither root nor manifest is written to.
 */
#ifndef SYNC_CHECK_H
#define SYNC_CHECK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "sync/conf.h"

enum check_verdict {
	CHECK_OK,
	CHECK_HINT,    /* all works, and may do so better */
	CHECK_WARNING, /* something works less well, or only in part */
	CHECK_FAILED,  /* it does not work */
	CHECK_SKIPPED, /* it could not be tried, or was not to be */
	CHECK_VERDICTS
};

/* In the order in which they are told. */
enum check_item {
	CHECK_CONFIGURATION, CHECK_ROOT, CHECK_MANIFEST, CHECK_MARKER,
	CHECK_CREDENTIALS,
	CHECK_ENDPOINT, CHECK_SIGNATURE, CHECK_REGION, CHECK_CLOCK,
	CHECK_BUCKET, CHECK_LIST, CHECK_ORDER, CHECK_ENCODING,
	CHECK_START_AFTER,
	CHECK_DELETE, CHECK_PUT, CHECK_GET, CHECK_MULTIPART,
	CHECK_LIST_PARTS, CHECK_ABORT, CHECK_CONDITIONS,
	CHECK_VERSIONING, CHECK_OBJECT_LOCK, CHECK_ENCRYPTION, CHECK_LIFECYCLE,
	CHECK_WRITTEN,
	CHECK_ITEMS
};

struct check_result { /* texts are borrowed during the call */
	enum check_item item;
	enum check_verdict verdict;
	const char *found;     /* one line; NULL: SKIPPED for want of another */
	const char *remedy;    /* one line; NULL: nothing is to be done */
	const char *statement; /* of a policy, JSON, that would help */
};

struct check_request {
	const struct conf_pair *pair;
	const char *conf_path; /* NULL: all is from the command line */
	bool read_only;        /* nothing at all is written */
	const volatile sig_atomic_t *stop;
	void (*result)(void *arg, const struct check_result *result);
	void *arg;
};

/* Tells a result of each item, in their order. Returns the exit status: 0 all
 * is well, 1 a part does not work, 3 no cycle can run. */
int check_run(const struct check_request *request);

const char *check_name(enum check_item item);  /* "start_after", for JSON */
const char *check_title(enum check_item item); /* "start-after" */
const char *check_verdict_name(enum check_verdict verdict); /* "ok" */

#endif
