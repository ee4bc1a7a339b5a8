/* SPDX-License-Identifier: MIT */
/*
 * The road from any earlier schema, or from nothing, to the current one:
 * migrations/NNNN_name.sql in order, each in one transaction.
 */
#ifndef MANIFEST_MIGRATE_H
#define MANIFEST_MIGRATE_H

#include <stddef.h>

#include "base/error.h"
#include "manifest/db.h"

struct migrate_step {
	int version; /* that this step leads to */
	const char *name;
	const char *sql;
};

/* The version that this program writes. */
int migrate_latest(void);
/*
 * Compares the version in the file with ours: *behind is how many steps are
 * missing. A newer file is an ERROR_MANIFEST.
 */
int migrate_check(struct db *db, int *behind, struct error *err);
/* Takes the missing steps. A database that had a schema is first copied to
 * PATH.vN.bak, N being its version. */
int migrate_run(struct db *db, struct error *err);
/* The same by other steps, for tests. */
int migrate_run_steps(struct db *db, const struct migrate_step *steps,
    size_t count, struct error *err);

#endif
