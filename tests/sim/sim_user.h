/* SPDX-License-Identifier: MIT */
/*
 * Those who use the tree and the bucket while the program runs: they make,
 * edit, replace, rename and remove, under the most awkward names there are.
 */
#ifndef SIM_USER_H
#define SIM_USER_H

#include "sim_bucket.h"
#include "sim_tree.h"

#define SIM_USER_KEYS 12
#define SIM_USER_TREES 3

struct sim_user {
	struct sim *sim;
	struct sim_store *store;
	struct sim_tree *trees[SIM_USER_TREES];
	size_t tree_count;
	struct sim_key keys[SIM_USER_KEYS]; /* borrowed */
	size_t key_count;
	int64_t settle_ns; /* no writer pauses for longer */
	bool large;        /* contents that are streamed, too */
	int64_t part_size; /* of the program's own; 0: nobody uses parts */
};

/* Chooses keys; the trees are the caller's to add. */
void sim_user_init(struct sim_user *user, struct sim_store *store);
/* One act, on the bucket or on one of the trees. */
void sim_user_act(struct sim_user *user);
void sim_user_act_on_tree(struct sim_user *user, struct sim_tree *t);
void sim_user_act_on_store(struct sim_user *user);
/* All go home: what was locked is unlocked again, but for some. */
void sim_user_leave(struct sim_user *user);

#endif
