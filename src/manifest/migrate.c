/* SPDX-License-Identifier: MIT */
/* Schema versions: PRAGMA user_version and the steps between them. */
#include "manifest/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#include "manifest/sql.h"

#define STEP_COUNT (sizeof(sql_migrations) / sizeof(*sql_migrations))

int migrate_latest(void)
{
	return sql_migrations[STEP_COUNT - 1].version;
}

static int get_version(struct db *db, int *version, struct error *err)
{
	int64_t value;

	if (db_number(db, "PRAGMA user_version", &value, err) < 0)
		return -1;
	*version = (int)value;
	return 0;
}

int migrate_check(struct db *db, int *behind, struct error *err)
{
	int version;

	if (get_version(db, &version, err) < 0)
		return -1;
	if (version < 1)
		return db_damaged(db, err, "it has no schema version");
	if (version > migrate_latest())
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s was written by a newer s3sync (version "
		    "%d, "
		    "this program knows %d): upgrade this one, or give the "
		    "pair another `state` file",
		    db->path, version, migrate_latest());
	*behind = migrate_latest() - version;
	return 0;
}

static int take_step(struct db *db, const struct migrate_step *step,
    struct error *err)
{
	struct error ignored;
	char set_version[64];

	snprintf(set_version, sizeof(set_version),
	    "PRAGMA user_version = %d; COMMIT", step->version);
	if (db_exec(db, "BEGIN IMMEDIATE", err) == 0 &&
	    db_exec(db, step->sql, err) == 0 &&
	    db_exec(db, set_version, err) == 0)
		return 0;
	db_exec(db, "ROLLBACK", &ignored);
	return error_prefix(err, "migration %s", step->name);
}

static int back_up(struct db *db, int version, struct error *err)
{
	char suffix[32];
	char *copy;
	int rc;

	snprintf(suffix, sizeof(suffix), ".v%d.bak", version);
	copy = db_sibling(db->path, suffix);
	rc = db_backup(db, copy, err);
	free(copy);
	return rc;
}

int migrate_run_steps(struct db *db, const struct migrate_step *steps,
    size_t count, struct error *err)
{
	int version;

	if (get_version(db, &version, err) < 0)
		return -1;
	if (version > 0 && version < steps[count - 1].version &&
	    back_up(db, version, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (steps[i].version > version &&
		    take_step(db, &steps[i], err) < 0)
			return -1;
	return 0;
}

int migrate_run(struct db *db, struct error *err)
{
	return migrate_run_steps(db, sql_migrations, STEP_COUNT, err);
}
