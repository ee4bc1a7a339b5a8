/* SPDX-License-Identifier: MIT */
/* A machine's life: cycles, deaths and what must be true in between. */
#include "sim_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "manifest/resume.h"
#include "sync/bucket_careful.h"
#include "sync/probe.h"
#include "sync/transfer.h"

#define STOP_MAX_NS (5 * CLOCK_SECOND)
#define FILE_MAX_SIZE (256 * 1024 * 1024)
#define META_MAX 4096
#define BELIEVED_NS (30 * 24 * 3600 * CLOCK_SECOND)
#define PROBE_STEPS 60 /* about so many does a probe take */
#define SERVER "http://sim/bucket"

/*
 * The files of a manifest
 */

static const char *const suffixes[] = { "", "-wal" };

static void file_path(const struct sim_machine *m, size_t i,
    char out[PATH_MAX + 8])
{
	snprintf(out, PATH_MAX + 8, "%s%s", m->path, suffixes[i]);
}

static void files_release(struct sim_files *files)
{
	for (size_t i = 0; i < 2; i++)
		free(files->items[i].bytes);
	*files = (struct sim_files){ 0 };
}

static void files_take(const struct sim_machine *m, struct sim_files *files)
{
	struct error absent = ERROR_INIT;
	char path[PATH_MAX + 8];

	files_release(files);
	for (size_t i = 0; i < 2; i++) {
		file_path(m, i, path);
		if (fs_read_file(path, FILE_MAX_SIZE, ERROR_LOCAL,
			&files->items[i].bytes, &files->items[i].len,
			&absent) < 0)
			files->items[i].bytes = NULL;
	}
}

static void files_put(const struct sim_machine *m,
    const struct sim_files *files)
{
	char path[PATH_MAX + 8];
	FILE *out;

	for (size_t i = 0; i < 2; i++) {
		file_path(m, i, path);
		if (files->items[i].bytes == NULL)
			continue;
		out = fopen(path, "w");
		if (out == NULL ||
		    fwrite(files->items[i].bytes, 1, files->items[i].len,
			out) != files->items[i].len ||
		    fclose(out) != 0)
			abort();
	}
}

static void files_remove(const struct sim_machine *m)
{
	static const char *const all[] = { "", "-wal", "-shm", ".lock" };
	char path[PATH_MAX + 8];

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", m->path, all[i]);
		unlink(path);
	}
}

/* Whoever begins anew knows what the manifest knows. */
static void open_manifest(struct sim_machine *m)
{
	struct error err = ERROR_INIT;

	if (manifest_open(&m->manifest, m->path, MANIFEST_WRITE, &err) < 0) {
		fprintf(stderr, "sim_machine: %s\n", err.text);
		abort();
	}
	m->capability = (struct capability){ .probed_ns = 0 };
}

void sim_machine_init(struct sim_machine *m, const struct sim_pair *pair,
    struct sim_store *store, const char *path)
{
	*m = (struct sim_machine){ .sim = store->sim, .pair = pair };
	snprintf(m->path, sizeof(m->path), "%s", path);
	sim_tree_init(&m->tree, m->sim);
	sim_bucket_init(&m->bare, store);
	m->tree.shown = m->bare.shown = &m->shown;
	m->tree.objects = &store->history;
	m->tree.slow_ns = pair->settle_ns * 9 / 10;
	m->bare.files = &m->tree.history;
	m->bare.capability = &m->capability;
	m->bucket = bucket_careful_new(&m->bare.base, &m->capability);
	files_remove(m);
	open_manifest(m);
}

void sim_machine_release(struct sim_machine *m)
{
	manifest_close(m->manifest);
	files_remove(m);
	files_release(&m->before);
	files_release(&m->killed);
	sim_shown_reset(&m->shown);
	m->bucket->ops->free(m->bucket);
	sim_tree_release(&m->tree);
}

/*
 * Death
 */

void sim_machine_killed(struct sim_machine *m)
{
	files_take(m, &m->killed);
}

/* What a manifest has under ${name}. */
static char *meta_text(struct sim_machine *m, const char *name)
{
	struct strbuf value = STRBUF_INIT(META_MAX);
	struct error err = ERROR_INIT;

	if (manifest_meta_get(m->manifest, name, &value, &err) < 0)
		abort();
	strbuf_adds(&value, "");
	return strbuf_detach(&value);
}

/* What a probe has made, and is not named by a record ("KEY UPLOAD-ID") that
 * the next cycle cleans up by. */
static bool is_recorded(const char *record, const char *key, size_t len,
    const char *upload_id)
{
	size_t key_len = strcspn(record, " ");

	return key_len > 0 && len >= key_len &&
	    memcmp(record, key, key_len) == 0 &&
	    (upload_id == NULL ||
		(record[key_len] == ' ' &&
		    strcmp(record + key_len + 1, upload_id) == 0));
}

static void check_left(struct sim_machine *m, bool *stray, const char *record,
    const char *key, size_t len, const char *upload_id, bool lost)
{
	if (*stray || !sim_conditions_probe_key(key, len) ||
	    is_recorded(record, key, len, upload_id))
		return;
	*stray = true;
	if (!lost)
		sim_broken(m->sim, "a probe has left %s%s, and no record of it",
		    upload_id != NULL ? "an upload of " : "",
		    sim_text(key, len));
}

/* All that this machine's probes have left is on record. ${lost}: but for
 * what was lost with the manifest. */
static void check_probe_keys(struct sim_machine *m, bool lost)
{
	struct sim_store *store = m->bare.store;
	char *record = meta_text(m, "probe");

	for (size_t i = 0; i < store->count; i++) {
		struct sim_object *o = &store->objects[i];

		if (o->by == &m->bare)
			check_left(m, &o->stray, record, o->key, o->len, NULL,
			    lost);
	}
	for (size_t i = 0; i < store->upload_count; i++) {
		struct sim_upload *u = store->uploads[i];

		if (u->by == &m->bare)
			check_left(m, &u->stray, record, u->key, u->len,
			    u->id, lost);
	}
	free(record);
}

/* In the end nothing is left, but for what nobody could know of. */
static void check_no_probe_keys(struct sim_machine *m)
{
	const struct sim_store *store = m->bare.store;
	char *record = meta_text(m, "probe");

	for (size_t i = 0; i < store->count; i++) {
		const struct sim_object *o = &store->objects[i];

		if (sim_conditions_probe_key(o->key, o->len) && !o->stray)
			sim_broken(m->sim, "%s is left of a probe",
			    sim_text(o->key, o->len));
	}
	for (size_t i = 0; i < store->upload_count; i++) {
		const struct sim_upload *u = store->uploads[i];

		if (sim_conditions_probe_key(u->key, u->len) && !u->stray)
			sim_broken(m->sim, "an upload of %s is left of a probe",
			    sim_text(u->key, u->len));
	}
	if (*record != '\0')
		sim_broken(m->sim, "a probe's keys are still on record");
	free(record);
}

/* A process that dies loses what it had not committed; a power loss may
 * lose commits, too: here, those of the whole cycle. */
void sim_machine_restart(struct sim_machine *m)
{
	const struct sim_files *files = NULL;
	struct sim *sim = m->sim;

	manifest_close(m->manifest);
	files_remove(m);
	if (sim_chance(sim, 300))
		sim_tree_lose_power(&m->tree);
	if (!sim_chance(sim, 50))
		files = sim_chance(sim, 200) ? &m->before : &m->killed;
	if (files != NULL)
		files_put(m, files);
	sim->dead = false;
	sim->kill_at = 0;
	open_manifest(m);
	sim_event(sim, "started again");
	check_probe_keys(m, files != &m->killed);
	sim_machine_check_truth(m);
}

void sim_machine_lose_manifest(struct sim_machine *m)
{
	manifest_close(m->manifest);
	files_remove(m);
	open_manifest(m);
}

void sim_machine_ask_to_stop(struct sim_machine *m)
{
	if (m->stop != 0)
		return;
	sim_event(m->sim, "asked to stop");
	m->stop = SIGTERM;
	m->stopped_ns = m->sim->mono_ns;
}

/*
 * The cycle
 */

static void transferred(void *arg, enum decide_action action, const char *key,
    size_t key_len, int64_t bytes)
{
	struct sim_machine *m = arg;

	m->transferred++;
	sim_event(m->sim, "%s done: %s %lld", decide_action_name(action),
	    sim_text(key, key_len), (long long)bytes);
}

static void failed(void *arg, enum decide_action action, const char *key,
    size_t key_len, const struct error *error, int64_t next_at_ns)
{
	const struct sim_machine *m = arg;

	(void)next_at_ns;
	sim_event(m->sim, "%s failed: %s: %s", decide_action_name(action),
	    sim_text(key, key_len), error->text);
}

static void deferred(void *arg, enum decide_action action, const char *key,
    size_t key_len, const struct error *error)
{
	const struct sim_machine *m = arg;

	sim_event(m->sim, "%s deferred: %s: %s", decide_action_name(action),
	    sim_text(key, key_len), error->text);
}

static void noticed(void *arg, enum decide_reason reason, const char *key,
    size_t key_len, const char *detail)
{
	struct sim_machine *m = arg;

	m->noticed++;
	sim_event(m->sim, "%s: %s (%s)", decide_reason_name(reason),
	    sim_text(key, key_len), detail != NULL ? detail : "");
}

static struct sim_model model_of(struct sim_machine *m)
{
	return (struct sim_model){
		.tree = &m->tree,
		.store = m->bare.store,
		.filter = m->pair->filter,
		.done_suffixes = &m->pair->done_suffixes,
	};
}

/* What was counted is what the table holds. */
static void check_counts(struct sim_machine *m,
    const struct survey_result *result)
{
	struct sim_table table;
	int64_t up = 0, down = 0, differing = 0, blocked = 0, waiting = 0;

	sim_table_read(&table, m->manifest);
	for (size_t i = 0; i < table.count; i++) {
		const struct sim_row *row = &table.rows[i];
		enum decide_class class;

		if (!row->has_pending)
			continue;
		class = decide_reason_class((enum decide_reason)row->reason);
		up += row->action == ACTION_UPLOAD;
		down += row->action == ACTION_DOWNLOAD;
		differing += class == CLASS_DIFFERING;
		blocked += class == CLASS_BLOCKED;
		waiting += class == CLASS_WAITING;
	}
	if (up != result->up || down != result->down ||
	    differing != result->differing || blocked != result->blocked ||
	    waiting > result->waiting)
		sim_broken(m->sim, "the survey's counts are not the table's");
	sim_table_release(&table);
}

static struct survey_request request_of(struct sim_machine *m)
{
	return (struct survey_request){
		.tree = &m->tree.base,
		.bucket = m->bucket,
		.manifest = m->manifest,
		.filter = m->pair->filter,
		.done_suffixes = &m->pair->done_suffixes,
		.settle_ns = m->pair->settle_ns,
		.stop = &m->stop,
		.noticed = noticed,
		.arg = m,
	};
}

/* What a cycle would do, found without writing anything. */
static void plan(struct sim_machine *m, struct survey_result *result)
{
	struct survey_request request = request_of(m);
	struct error err = ERROR_INIT;
	struct sim_table before, after;

	if (manifest_open(&request.manifest, m->path, MANIFEST_PLAN, &err) < 0)
		abort();
	request.dry = true;
	sim_table_read(&before, m->manifest);
	if (survey_run(&request, result, &err) < 0)
		sim_broken(m->sim, "a plan in peace failed: %s", err.text);
	sim_table_read(&after, m->manifest);
	if (strcmp(strbuf_text(&before.text), strbuf_text(&after.text)) != 0)
		sim_broken(m->sim, "a plan wrote rows");
	sim_table_release(&before);
	sim_table_release(&after);
	manifest_close(request.manifest);
	m->noticed = 0;
}

static int survey(struct sim_machine *m, bool exact,
    struct survey_result *result, struct error *err)
{
	const struct survey_request request = request_of(m);
	const struct sim_model model = model_of(m);
	struct sim_table before = { 0 }, after;
	bool planned = exact && sim_chance(m->sim, 200);
	struct survey_result as_planned;
	int status;

	if (planned)
		plan(m, &as_planned);
	if (exact)
		sim_table_read(&before, m->manifest);
	status = survey_run(&request, result, err);
	m->complete = status == 0;
	if (status == 0)
		check_counts(m, result);
	if (planned && memcmp(&as_planned, result, sizeof(*result)) != 0)
		sim_broken(m->sim, "the plan was another");
	if (exact && status == 0) {
		sim_table_read(&after, m->manifest);
		sim_model_check(&model, &before, &after, result);
		sim_table_release(&after);
	}
	sim_table_release(&before);
	return status;
}

static bool is_wanted(const struct survey_result *found,
    struct sim_machine *m)
{
	struct error err = ERROR_INIT;

	return found->up + found->down > 0 ||
	    manifest_resume_any(m->manifest, &err) != 0;
}

static int transfer(struct sim_machine *m, bool patient,
    const struct survey_result *found, struct error *err)
{
	const struct cycle_events events = {
		.transferred = transferred,
		.failed = failed,
		.deferred = deferred,
		.arg = m,
	};
	const struct transfer_request request = {
		.tree = &m->tree.base,
		.bucket = m->bucket,
		.manifest = m->manifest,
		.jobs = m->pair->jobs,
		.settle_ns = m->pair->settle_ns,
		.multipart_threshold = m->pair->multipart_threshold,
		.part_size = m->pair->part_size,
		.patient = patient,
		.planned = found->up + found->down,
		.planned_bytes = found->bytes_up + found->bytes_down,
		.stop = &m->stop,
		.events = &events,
	};
	struct transfer_result result;
	int status;

	if (!is_wanted(found, m))
		return 0;
	status = transfer_run(&request, &result, err);
	if (result.uploaded + result.downloaded != m->transferred)
		sim_broken(m->sim, "transfers are not counted right");
	if (result.uploaded > found->up || result.downloaded > found->down)
		sim_broken(m->sim, "more was transferred than planned");
	if (result.stopped && m->stopped_ns == 0)
		sim_broken(m->sim, "stopped unasked");
	return status;
}

/* While what an earlier probe has left cannot be removed, there is no other. */
static void check_age(struct sim_machine *m)
{
	const struct capability *c = &m->capability;
	char *record = meta_text(m, "probe");

	if (*record == '\0' && c->probed_ns != 0 && m->pair->probe &&
	    m->sim->wall_ns - c->probed_ns > BELIEVED_NS + CLOCK_SECOND)
		sim_broken(m->sim, "a probe is believed for too long");
	free(record);
}

/* What was found out about the server is so, and is what the manifest says. */
static void check_capability(struct sim_machine *m)
{
	const struct capability *c = &m->capability;
	const char *wrong =
	    sim_conditions_contradict(&m->bare.store->conditions, c);
	struct capability recorded = { .probed_ns = 0 };
	struct error err = ERROR_INIT;

	if (wrong != NULL)
		sim_broken(m->sim, "the probe was wrong: %s", wrong);
	if (m->sim->dead || c->doubted || !m->pair->probe)
		return;
	if (probe_recall(m->manifest, SERVER, &recorded, &err) < 0)
		abort();
	if (memcmp(recorded.verdicts, c->verdicts, sizeof(c->verdicts)) != 0)
		sim_broken(m->sim, "what was probed is not what is recorded");
}

/* The transfers, between what must be known before the first write and what
 * the last one has taught. */
static int write_and_read(struct sim_machine *m, bool patient,
    const struct survey_result *found, struct error *err)
{
	const struct probe_request probe = {
		.bucket = &m->bare.base,
		.manifest = m->manifest,
		.of = SERVER,
		.writes = found->up > 0,
		.allowed = m->pair->probe,
		.stop = &m->stop,
	};
	const int64_t deletes = m->bare.usage.requests[S3_KIND_DELETE];
	int status;

	if (m->kill_probe && probe.writes) {
		m->kill_probe = false;
		m->sim->kill_at =
		    m->sim->steps + 1 + sim_below(m->sim, PROBE_STEPS);
	}
	status = probe_run(&probe, &m->capability, err);
	if (m->bare.usage.requests[S3_KIND_DELETE] > deletes) {
		m->probes++;
		m->probes_killed += m->sim->dead;
	}
	if (status == 0 && probe.writes) {
		check_age(m);
		check_capability(m);
	}
	if (status == 0)
		status = transfer(m, patient, found, err);
	if (status == 0)
		status = probe_end(&probe, &m->capability, err);
	return status;
}

/* The temporary files that a row of the manifest names. */
struct names {
	const char *wanted;
	bool found;
};

static void look_for_name(void *arg, const struct manifest_download *download)
{
	struct names *names = arg;

	names->found |= strcmp(download->name, names->wanted) == 0;
}

static bool is_named(void *arg, const char *name)
{
	const struct sim_machine *m = arg;
	struct names names = { .wanted = name };
	struct error err = ERROR_INIT;

	if (manifest_resume_downloads(m->manifest, look_for_name, &names,
		&err) < 0)
		abort();
	return names.found;
}

static void check_temps(struct sim_machine *m)
{
	for (size_t i = 0; i < m->tree.temp_count; i++)
		if (!is_named(m, m->tree.temps[i]->name))
			sim_broken(m->sim, "%s is left, and nothing names it",
			    m->tree.temps[i]->name);
}

static void check_tidy(struct sim_machine *m)
{
	check_temps(m);
	check_probe_keys(m, false);
	if (m->tree.open_readers != 0 || m->tree.open_writers != 0)
		sim_broken(m->sim, "files were left open");
	for (size_t i = 0; i < m->bare.count; i++)
		if (!sim_bucket_is_listing(&m->bare, i))
			sim_broken(m->sim, "a transfer was left behind");
	if (m->stopped_ns != 0 && m->sim->mono_ns - m->stopped_ns > STOP_MAX_NS)
		sim_broken(m->sim, "it took more than 5 s to stop");
}

/* In the order of cycle.c. */
static void run(struct sim_machine *m, bool patient, bool exact)
{
	struct manifest_run row = {
		.started_ns = clock_wall_ns(),
		.outcome = "done",
	};
	struct survey_result found;
	struct error err = ERROR_INIT;
	int status;

	sim_tree_sweep(&m->tree, is_named, m);
	if (manifest_run_begin(m->manifest, row.started_ns, &row.id, &err) < 0)
		abort();
	status = survey(m, exact, &found, &err);
	if (status == 0)
		status = write_and_read(m, patient, &found, &err);
	if (status < 0 && err.kind == ERROR_NONE)
		sim_broken(m->sim, "failed without saying why");
	sim_event(m->sim, "cycle: %s", status < 0 ? err.text : "done");
	row.ended_ns = clock_wall_ns();
	error_clear(&err);
	if (manifest_run_end(m->manifest, &row, &err) < 0 ||
	    manifest_checkpoint(m->manifest, &err) < 0)
		sim_broken(m->sim, "the run row: %s", err.text);
}

static int64_t writes_of(const struct s3_usage *usage)
{
	return usage->requests[S3_KIND_PUT] +
	    usage->requests[S3_KIND_DELETE] + usage->requests[S3_KIND_COPY] +
	    usage->requests[S3_KIND_CREATE_UPLOAD] +
	    usage->requests[S3_KIND_UPLOAD_PART] +
	    usage->requests[S3_KIND_COMPLETE_UPLOAD] +
	    usage->requests[S3_KIND_ABORT_UPLOAD];
}

/* See transfer_content.c: what was learned stays with the manifest. */
static bool etags_are_md5s(struct sim_machine *m)
{
	char *value = meta_text(m, "etag_is_md5");
	bool are = strcmp(value, "yes") == 0;

	free(value);
	return are;
}

void sim_machine_cycle(struct sim_machine *m, bool patient, bool exact)
{
	const struct s3_usage *usage = &m->bare.usage;
	const int64_t gets = usage->requests[S3_KIND_GET];
	const int64_t puts = writes_of(usage);

	/* What the last cycle left is not of this one. */
	m->bucket->ops->abort_all(m->bucket);
	sim_shown_reset(&m->shown);
	if (m->sim->kill_at != 0 || m->kill_probe)
		files_take(m, &m->before);
	m->bare.judges_parts = etags_are_md5s(m) ? m->pair->part_size : 0;
	/* Who runs once is another process each time. */
	if (patient)
		m->capability = (struct capability){ .probed_ns = 0 };
	m->transferred = m->noticed = 0;
	m->stop = 0;
	m->stopped_ns = 0;
	sim_event(m->sim, "cycle%s", patient ? ", patient" : "");
	run(m, patient, exact);
	m->gets = usage->requests[S3_KIND_GET] - gets;
	m->puts = writes_of(usage) - puts;
	if (m->sim->dead)
		return;
	check_tidy(m);
	sim_machine_check_truth(m);
}

/*
 * What must be true
 */

static void check_row(struct sim_machine *m, const struct sim_row *row)
{
	const struct sim_content *here = sim_history_local(&m->tree.history,
	    row->key, row->len, &row->base_local);
	const struct sim_content *there = sim_history_remote(
	    &m->bare.store->history, row->key, row->len, &row->base_remote);

	if (here == NULL || there == NULL)
		sim_broken(m->sim, "the base of %s never was %s",
		    sim_text(row->key, row->len),
		    here == NULL ? "here" : "there");
	else if (here->size != there->size && !row->racy)
		sim_broken(m->sim, "the base of %s had two sizes",
		    sim_text(row->key, row->len));
	else if (row->synced && !row->racy &&
	    memcmp(here->md5, there->md5, DIGEST_MD5_SIZE) != 0)
		sim_broken(m->sim, "the base of %s never was equal",
		    sim_text(row->key, row->len));
}

void sim_machine_check_truth(struct sim_machine *m)
{
	struct sim_table table;

	sim_table_read(&table, m->manifest);
	for (size_t i = 0; i < table.count; i++)
		if (table.rows[i].has_entry)
			check_row(m, &table.rows[i]);
	sim_table_release(&table);
}

static void check_idle(struct sim_machine *m)
{
	struct sim_table before, after;

	sim_table_read(&before, m->manifest);
	sim_machine_cycle(m, sim_chance(m->sim, 500), true);
	sim_table_read(&after, m->manifest);
	if (m->gets + m->puts > 0)
		sim_broken(m->sim,
		    "a cycle with nothing to do sent %lld GET "
		    "and %lld PUT",
		    (long long)m->gets, (long long)m->puts);
	if (strcmp(strbuf_text(&before.text), strbuf_text(&after.text)) != 0)
		sim_broken(m->sim, "a cycle with nothing to do wrote rows");
	if (m->noticed > 0)
		sim_broken(m->sim, "a cycle with nothing to do had news");
	sim_table_release(&before);
	sim_table_release(&after);
}

void sim_machine_check_converged(struct sim_machine *m)
{
	const struct sim_model model = model_of(m);
	struct error err = ERROR_INIT;
	struct sim_table table;

	sim_table_read(&table, m->manifest);
	sim_model_check_converged(&model, &table);
	sim_table_release(&table);
	if (m->tree.temp_count > 0 || manifest_resume_any(m->manifest, &err))
		sim_broken(m->sim, "a transfer is still to be gone on with");
	check_no_probe_keys(m);
	check_idle(m);
}
