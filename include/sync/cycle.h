/* SPDX-License-Identifier: MIT */
/*
 * One cycle of one pair, in order: identity, survey, transfers, run row. The
 * only file that knows the order.
 */
#ifndef SYNC_CYCLE_H
#define SYNC_CYCLE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "manifest/manifest.h"
#include "sync/conf.h"
#include "sync/decide.h"

struct cycle;

enum cycle_kind {
	CYCLE_ONCE,   /* waits for files to settle; tries failed keys at once */
	CYCLE_DAEMON, /* leaves both to a later cycle */
	CYCLE_PLAN,   /* survey only; changes nothing, nor the manifest */
};

struct cycle_progress {
	int64_t keys_done, keys_total;   /* transfers; total 0: surveying */
	int64_t bytes_done, bytes_total; /* moved so far, partial ones included */
	int64_t keys_seen;               /* by the survey */
	int64_t elapsed_ns;
};

/* How the outside follows a cycle. Called on the cycle's thread; any may be
 * NULL. Keys are bytes; ${error} is borrowed. */
struct cycle_events {
	void (*transferred)(void *arg, enum decide_action action,
	    const char *key, size_t key_len, int64_t bytes);
	void (*failed)(void *arg, enum decide_action action, const char *key,
	    size_t key_len, const struct error *error, int64_t next_at_ns);
	/* Something changed under way; the next cycle looks again. */
	void (*deferred)(void *arg, enum decide_action action, const char *key,
	    size_t key_len, const struct error *error);
	/* A key is newly left alone: blocked, differing, waiting. */
	void (*noticed)(void *arg, enum decide_reason reason, const char *key,
	    size_t key_len, const char *detail);
	void (*progress)(void *arg, const struct cycle_progress *progress);
	void *arg;
};

struct cycle_summary {
	int64_t local_keys, remote_keys, agreed;
	int64_t uploaded, downloaded, adopted, bytes_up, bytes_down;
	int64_t failed;    /* transfers that failed in this cycle */
	int64_t waiting;   /* may settle by themselves: unknown, unsettled, … */
	int64_t blocked, differing;
	int64_t planned_up, planned_down, planned_bytes_up, planned_bytes_down;
	int64_t requests[MANIFEST_REQUEST_COUNT]; /* attempts, that is */
	int64_t retries;
	int64_t narrowed;  /* how often the server asked for fewer at once */
	int64_t wire_up, wire_down; /* bytes, with the heads of requests */
	int64_t survey_ns, transfer_ns;
	bool stopped;      /* by *stop */
	struct error error; /* why the cycle could not run, or ended early */
};

/*
 * Opens manifest and client. Fails with ERROR_MANIFEST, ERROR_CREDENTIALS,
 * ERROR_CONFIG, …; the root and the network are looked at by each run.
 * ${pair} and ${stop} must outlive the cycle. *${stop} non-zero: end soon
 * (within 5 s), losing nothing.
 */
int cycle_open(struct cycle **cycle, const struct conf_pair *pair,
    enum cycle_kind kind, const volatile sig_atomic_t *stop,
    struct error *err);
/* Else its manifest was moved away: close it, and open another. */
bool cycle_is_in_place(const struct cycle *cycle);
/* 0: the cycle ran (some keys may have failed: see ${summary}); -1: it could
 * not, or ended early, and summary->error says why. ${summary} is always
 * filled. */
int cycle_run(struct cycle *cycle, const struct cycle_events *events,
    struct cycle_summary *summary);
/* After a run: every key that is not agreed, in key order. */
int cycle_each_pending(struct cycle *cycle,
    void (*each)(void *arg, const struct manifest_pending *pending),
    void *arg, struct error *err);
void cycle_close(struct cycle *cycle);

/* Design: 0, 1, 3 or 128+n is the caller's. From a finished summary. */
int cycle_exit_status(const struct cycle_summary *summary);

#endif
