/* SPDX-License-Identifier: MIT */
/* The cycles: one row each, the last thousand. */
#include "manifest/manifest.h"

#include "manifest/manifest_internal.h"

static const char *const request_names[] = {
	[MANIFEST_REQUEST_LIST] = "list",
	[MANIFEST_REQUEST_GET] = "get",
	[MANIFEST_REQUEST_PUT] = "put",
	[MANIFEST_REQUEST_HEAD] = "head",
	[MANIFEST_REQUEST_DELETE] = "delete",
	[MANIFEST_REQUEST_COPY] = "copy",
	[MANIFEST_REQUEST_CREATE_UPLOAD] = "create_upload",
	[MANIFEST_REQUEST_UPLOAD_PART] = "upload_part",
	[MANIFEST_REQUEST_COMPLETE_UPLOAD] = "complete_upload",
	[MANIFEST_REQUEST_ABORT_UPLOAD] = "abort_upload",
	[MANIFEST_REQUEST_LIST_PARTS] = "list_parts",
};

const char *manifest_run_request_name(enum manifest_request kind)
{
	return request_names[kind];
}

int64_t manifest_run_request_total(const int64_t *requests)
{
	int64_t total = 0;

	for (int i = 0; i < MANIFEST_REQUEST_COUNT; i++)
		total += requests[i];
	return total;
}

#define REQUESTS(kind) \
	offsetof(struct manifest_run, requests[MANIFEST_REQUEST_##kind])

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
	REQUESTS(LIST),
	REQUESTS(GET),
	REQUESTS(PUT),
	REQUESTS(HEAD),
	REQUESTS(DELETE),
	REQUESTS(COPY),
	REQUESTS(CREATE_UPLOAD),
	REQUESTS(UPLOAD_PART),
	REQUESTS(COMPLETE_UPLOAD),
	REQUESTS(ABORT_UPLOAD),
	REQUESTS(LIST_PARTS),
	offsetof(struct manifest_run, retries),
	offsetof(struct manifest_run, wire_up),
	offsetof(struct manifest_run, wire_down),
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
