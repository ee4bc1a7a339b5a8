/* SPDX-License-Identifier: MIT */
/*
 * Who may ask again, so that a server in trouble is not hammered. A retry
 * costs tokens; a request that is served in the end gives back what it cost,
 * and one that is served at once adds one. So what is spent for good is what
 * was asked in vain. Pure.
 *
 * Without tokens it depends on whether anybody is served. If others are, the
 * failure is this request's own, and final. If nobody is, it is an outage:
 * requests are held, one after another of them tries now and then, and the
 * first that is served sets the others free.
 *
 * So it does for a request that has used up its attempts, as happens with
 * tokens left where few are under way: it is held if nobody was served since
 * it first failed, and a question about something else fails, too. Not so of a
 * server that never served anybody: there the attempts are all, so that a
 * wrong endpoint is told within seconds.
 *
 * An outage began when the first of those held first failed; once it has
 * lasted as long as the quota has patience, all of them fail.
 */
#ifndef S3_QUOTA_H
#define S3_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "s3/retry.h"

#define QUOTA_TOKENS 500

struct quota {
	int64_t patience_ns;
	int tokens;
	int64_t served_ns;  /* when a request was last served; 0: never */
	int64_t outage_ns;  /* since when requests are held; 0: it is none */
	int64_t probe_ns;   /* of the held ones one tries then */
	int probes;         /* since outage_ns */
};

enum quota_answer {
	QUOTA_AGAIN, /* after its delay */
	QUOTA_HOLD,  /* until quota_probe_due, or somebody is served */
	QUOTA_OVER,  /* no more */
	QUOTA_DOUBT, /* nobody else was asked: is anybody served? */
};

void quota_init(struct quota *q, int64_t patience_ns); /* 0: none */
/*
 * May a request that failed by ${class} try again? If others were served
 * after ${since_ns}, the failure is its own. *${spent} is what its retries
 * have cost so far, and grows.
 */
enum quota_answer quota_ask(struct quota *q, enum retry_class class,
    int *spent, int64_t since_ns, int64_t now_ns, uint64_t random);
/* The same of one that has no attempt left. QUOTA_DOUBT: whoever learns that
 * nobody is served calls quota_hold. */
enum quota_answer quota_ask_last(const struct quota *q, int64_t since_ns,
    int64_t now_ns);
/* It is an outage, if it was none yet. */
void quota_hold(struct quota *q, int64_t since_ns, int64_t now_ns,
    uint64_t random);
/* A request was answered, well or for good; its retries had cost ${spent}. */
void quota_served(struct quota *q, int spent, int64_t now_ns);
/* Is it time that one of those held tries? Says so once, then sets the next
 * time: 1, 2, 4 and every 5 s later, with jitter by ${random}. */
bool quota_probe_due(struct quota *q, int64_t now_ns, uint64_t random);
/* Are those held to be given up? */
bool quota_outage_over(const struct quota *q, int64_t now_ns);
/* When one of these two is to be asked next, if any is held. */
int64_t quota_next_ns(const struct quota *q);

#endif
