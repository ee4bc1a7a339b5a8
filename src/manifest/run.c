/* SPDX-License-Identifier: MIT */
/* The cycles: one row each, the last thousand. */
#include "manifest/manifest.h"

#include "manifest/manifest_internal.h"

/* The numbers of a run, in the order of their columns: from 5 on. */
static const size_t numbers[] = {
	offsetof(struct manifest_run, local_keys),
	offsetof(struct manifest_run, remote_keys),
	offsetof(struct manifest_run, uploaded),
	offsetof(struct manifest_run, downloaded),
	offsetof(struct manifest_run, adopted),
	offsetof(struct manifest_run, bytes_up),
	offsetof(struct manifest_run, bytes_down),
	offsetof(struct manifest_run, failed),
	offsetof(struct manifest_run, waiting),
	offsetof(struct manifest_run, blocked),
	offsetof(struct manifest_run, differing),
	offsetof(struct manifest_run, list_requests),
	offsetof(struct manifest_run, get_requests),
	offsetof(struct manifest_run, put_requests),
	offsetof(struct manifest_run, retries),
	offsetof(struct manifest_run, survey_ns),
	offsetof(struct manifest_run, transfer_ns),
};
enum { NUMBER_COUNT = sizeof(numbers) / sizeof(*numbers), NUMBER_FIRST = 5 };

static int64_t *number(struct manifest_run *run, int i)
{
	return (int64_t *)((char *)run + numbers[i]);
}

/* Commits what is open even after a failure, which then is reported. */
static int finish(struct manifest *m, sqlite3_stmt *s, struct error *err)
{
	if (s != NULL)
		manifest_write_end(m, s);
	return manifest_commit(m, err);
}

int manifest_run_begin(struct manifest *m, int64_t started_ns, int64_t *id,
    struct error *err)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_RUN_KILLED);

	if (s != NULL)
		manifest_write_end(m, s);
	s = manifest_write_begin(m, STATEMENT_RUN_BEGIN);
	if (s != NULL)
		sqlite3_bind_int64(s, 1, started_ns);
	if (finish(m, s, err) < 0)
		return -1;
	*id = sqlite3_last_insert_rowid(m->db.handle);
	return 0;
}

static void bind_run(sqlite3_stmt *s, const struct manifest_run *run)
{
	struct manifest_run copy = *run;

	sqlite3_bind_int64(s, 1, run->id);
	sqlite3_bind_int64(s, 2, run->started_ns);
	sqlite3_bind_int64(s, 3, run->ended_ns);
	sqlite3_bind_text(s, 4, run->outcome, -1, SQLITE_STATIC);
	for (int i = 0; i < NUMBER_COUNT; i++)
		sqlite3_bind_int64(s, NUMBER_FIRST + i, *number(&copy, i));
	sqlite3_bind_text(s, NUMBER_FIRST + NUMBER_COUNT, run->error, -1,
	    SQLITE_STATIC);
}

int manifest_run_end(struct manifest *m, const struct manifest_run *run,
    struct error *err)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_RUN_END);

	if (s != NULL) {
		bind_run(s, run);
		manifest_write_end(m, s);
	}
	return finish(m, manifest_write_begin(m, STATEMENT_RUN_FORGET), err);
}

static void read_run(sqlite3_stmt *s, struct manifest_run *run)
{
	run->id = sqlite3_column_int64(s, 0);
	run->started_ns = sqlite3_column_int64(s, 1);
	run->ended_ns = sqlite3_column_int64(s, 2);
	run->outcome = (const char *)sqlite3_column_text(s, 3);
	for (int i = 0; i < NUMBER_COUNT; i++)
		*number(run, i) = sqlite3_column_int64(s, NUMBER_FIRST - 1 + i);
	run->error = (const char *)sqlite3_column_text(s,
	    NUMBER_FIRST - 1 + NUMBER_COUNT);
}

int manifest_run_each(struct manifest *m, int limit,
    void (*each)(const struct manifest_run *run, void *arg), void *arg,
    struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_RUNS];
	struct manifest_run run;
	int rc;

	sqlite3_bind_int(s, 1, limit);
	while ((rc = db_step(&m->db, s, err)) > 0) {
		read_run(s, &run);
		each(&run, arg);
	}
	return rc;
}
