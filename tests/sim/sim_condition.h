/* SPDX-License-Identifier: MIT */
/*
 * What a simulated server does with conditional writes, by kind of write and
 * condition, what becomes of a write so, and what may be lost by it. Nothing
 * here asks sync/capability.h what follows from a verdict: that is to be held
 * against this.
 */
#ifndef SIM_CONDITION_H
#define SIM_CONDITION_H

#include "s3/s3.h"
#include "sim_core.h"
#include "sync/capability.h"

enum sim_nature {
	SIM_HONOURS,
	SIM_IGNORES,
	SIM_REJECTS, /* 501, or 400: writes nothing under it */
	SIM_REFUSES, /* 412, though it holds */
};

struct sim_conditions {
	enum sim_nature natures[CAPABILITY_WRITES][CAPABILITY_CONDITIONS];
	int64_t since_ns; /* wall: they are so since then */
};

/* Another server, by chance. ${tried}: the program tries what it does; if not,
 * it is none that nothing could be sent to. */
void sim_conditions_draw(struct sim_conditions *c, struct sim *sim,
    bool tried);
bool sim_conditions_are_honoured(const struct sim_conditions *c);

/* What becomes of a write under this condition (or none), where the object
 * with the ETag ${there} is, NULL: none? S3_DONE: it is written. */
enum s3_outcome sim_conditions_judge(const struct sim_conditions *c,
    enum capability_write write, const struct etag *if_match,
    bool if_none_match, const struct etag *there);

/* NULL: what is known of the server is so, as far as anything is; else what is
 * not. What was found out before the server changed is not to be blamed. */
const char *sim_conditions_contradict(const struct sim_conditions *c,
    const struct capability *known);

/* How a write of the program may replace what another has written: */
enum sim_loss {
	SIM_LOSS_NONE,    /* it may not */
	SIM_LOSS_WINDOW,  /* between the look and the write */
	SIM_LOSS_STALE,   /* the server honoured it when it was probed */
	SIM_LOSS_UNTRIED, /* the user wants no probe */
	SIM_LOSS_COUNT
};
/* ${looked}: the key was listed before the write, and was not there yet. */
enum sim_loss sim_conditions_loss(const struct sim_conditions *c,
    const struct capability *known, enum capability_write write, bool looked);
/* Must it be looked before this write? */
bool sim_conditions_want_look(const struct capability *known,
    enum capability_write write);

/* Is it one of the probe's own keys, or below the name of one? */
bool sim_conditions_probe_key(const char *key, size_t len);

#endif
