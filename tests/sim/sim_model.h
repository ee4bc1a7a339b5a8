/* SPDX-License-Identifier: MIT */
/*
 * What a survey must find, worked out the slow way: from whole sets, key by
 * key, with neither streams nor a chain. Written from doc/sync-model.md, not
 * from the code.
 */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include "sim_bucket.h"
#include "sim_core.h"
#include "sim_table.h"
#include "sim_tree.h"
#include "sync/survey.h"

struct sim_model {
	struct sim_tree *tree;
	struct sim_store *store;
	const struct filter *filter;
	const struct conf_words *done_suffixes;
};

/*
 * The world stands still: does what the survey left (${after}, ${result})
 * follow from what there was (${before})? Reports through sim_broken.
 */
void sim_model_check(const struct sim_model *model,
    const struct sim_table *before, const struct sim_table *after,
    const struct survey_result *result);

/* Is nothing to be done that could be done? Every key that is on one side
 * only must have a pending row that says why. */
void sim_model_check_converged(const struct sim_model *model,
    const struct sim_table *table);

#endif
