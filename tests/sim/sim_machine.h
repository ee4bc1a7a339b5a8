/* SPDX-License-Identifier: MIT */
/*
 * One machine: a tree, a manifest on disk, a client of the bucket. It runs
 * cycles as sync/cycle.c orders them, and can be killed at any step: what it
 * had committed by then is what it finds when it starts again.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include <limits.h>
#include <signal.h>

#include "sim_bucket.h"
#include "sim_model.h"
#include "sim_tree.h"
#include "sync/cycle.h"

struct sim_files { /* of a manifest: the database and its log */
	struct sim_file {
		char *bytes; /* NULL: not there */
		size_t len;
	} items[2];
};

struct sim_pair { /* the options of the pair, for all machines alike */
	const struct filter *filter;
	struct conf_words done_suffixes;
	int64_t settle_ns;
	size_t jobs;
	int64_t multipart_threshold, part_size;
	bool probe; /* it may be tried what the server does */
};

struct sim_machine {
	struct sim *sim;
	const struct sim_pair *pair;
	struct sim_tree tree;
	struct sim_bucket bare;
	struct capability capability;
	struct bucket *bucket; /* a careful one, around it */
	struct sim_shown shown;
	struct manifest *manifest;
	char path[PATH_MAX];
	struct sim_files before; /* when the cycle began */
	struct sim_files killed; /* when the machine was killed */
	bool kill_probe; /* in the next cycle that begins one */
	volatile sig_atomic_t stop;
	int64_t stopped_ns; /* mono; 0: was not asked to */
	/* Of the last cycle: */
	int64_t transferred, noticed, gets, puts;
	bool complete; /* the survey was */
	/* Ever: */
	int64_t probes, probes_killed;
};

/* ${path} is where the manifest goes. */
void sim_machine_init(struct sim_machine *m, const struct sim_pair *pair,
    struct sim_store *store, const char *path);
void sim_machine_release(struct sim_machine *m);

/*
 * One cycle. ${exact}: the world stands still, and what the survey finds is
 * compared with the model. Checks what must hold after every cycle.
 */
void sim_machine_cycle(struct sim_machine *m, bool patient, bool exact);
void sim_machine_ask_to_stop(struct sim_machine *m);
/* The moment of death; then, when the cycle has unwound, a new life. */
void sim_machine_killed(struct sim_machine *m);
void sim_machine_restart(struct sim_machine *m);
void sim_machine_lose_manifest(struct sim_machine *m);

/* Every row of the manifest tells of what once was so. */
void sim_machine_check_truth(struct sim_machine *m);
/* Nothing is left to do, and a cycle does nothing. */
void sim_machine_check_converged(struct sim_machine *m);

#endif
