/* SPDX-License-Identifier: MIT */
/*
 * One cycle: are root, bucket and manifest those that belong together? Then
 * survey, transfers, and the run row that tells of them.
 */
#include "sync/cycle.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mime.h"
#include "base/path.h"
#include "manifest/resume.h"
#include "s3/endpoint.h"
#include "s3/keyring.h"
#include "sync/bucket_careful.h"
#include "sync/client.h"
#include "sync/identity.h"
#include "sync/probe.h"
#include "sync/survey.h"
#include "sync/transfer.h"
#include "sync/tree_fs.h"

#define META_MAX 4096
#define NAMES_MAX ((size_t)1 << 20)
#define WORKERS 4
#define MACHINE_ID "/etc/machine-id"
#define CLOCK_SLACK_NS (5 * CLOCK_SECOND)

struct cycle {
	const struct conf_pair *pair;
	enum cycle_kind kind;
	const volatile sig_atomic_t *stop;
	struct manifest *manifest;
	struct keyring *keyring; /* NULL: nothing is signed */
	struct mime *mime; /* NULL: not needed */
	struct bucket *bucket; /* a careful one, around … */
	struct bucket *bare;
	struct capability capability;
	struct s3 *s3;  /* the bucket's own */
	char *endpoint; /* endpoint_home of it */
	size_t jobs, files; /* at once: transfers, open files */
	/* Of the cycle that runs: */
	const struct cycle_events *events;
	int64_t started_ns; /* monotonic */
};

static struct decide_policy policy_of(const struct conf_pair *pair)
{
	return (struct decide_policy){ .mode = pair->mode };
}

/* What the manifest knows under ${name}; "" if nothing. */
static int meta_read(struct cycle *c, const char *name, struct strbuf *value,
    struct error *err)
{
	strbuf_clear(value);
	return manifest_meta_get(c->manifest, name, value, err) < 0 ? -1 : 0;
}

static int meta_write(struct cycle *c, const char *name, const char *value,
    struct error *err)
{
	struct strbuf old = STRBUF_INIT(META_MAX);
	int status = meta_read(c, name, &old, err);

	if (status == 0 && c->kind != CYCLE_PLAN &&
	    strcmp(strbuf_text(&old), value) != 0)
		status = manifest_meta_set(c->manifest, name, value, err);
	strbuf_release(&old);
	return status;
}

/* The server's clock is written when it matters, not with every second of
 * drift. */
static int keep_clock(struct cycle *c, struct error *err)
{
	int64_t offset_ns = s3_clock_offset_ns(c->s3);
	int64_t known_ns;
	char text[24];

	if (client_clock(c->manifest, &known_ns, err) < 0)
		return -1;
	if (llabs(offset_ns - known_ns) <= CLOCK_SLACK_NS)
		return 0;
	snprintf(text, sizeof(text), "%" PRId64, offset_ns / CLOCK_MS);
	return meta_write(c, CLIENT_CLOCK, text, err);
}

/*
 * Opening
 */

static bool is_stopped(void *arg)
{
	const struct cycle *c = arg;

	return c->stop != NULL && *c->stop != 0;
}

static int open_keyring(struct cycle *c, struct error *err)
{
	struct s3_credentials_request request = client_credentials(c->pair);

	if (c->pair->sign == S3_SIGNING_NONE)
		return 0;
	request.stopped = is_stopped;
	request.arg = c;
	return keyring_open(&c->keyring, &request, err);
}

static int open_bucket(struct cycle *c, struct error *err)
{
	const struct conf_pair *pair = c->pair;
	struct s3_options options;

	if (open_keyring(c, err) < 0)
		return -1;
	if (strcmp(pair->content_type, "auto") == 0)
		c->mime = mime_load();
	options = client_options(pair, c->keyring, c->mime);
	if (s3_new(&c->s3, &options, err) < 0)
		return -1;
	c->endpoint = endpoint_home(s3_endpoint(c->s3));
	c->bare = bucket_s3_new(c->s3);
	c->bucket = bucket_careful_new(c->bare, &c->capability);
	return 0;
}

/* A manifest is not begun for a root that is not there. */
static int check_worth(const struct conf_pair *pair, struct error *err)
{
	struct tree *tree;
	struct stat st;

	if (lstat(pair->state, &st) == 0)
		return 0;
	if (tree_fs_open(&tree, pair->local, err) < 0)
		return -1;
	tree->ops->free(tree);
	return 0;
}

static int open_manifest(struct cycle *c, struct error *err)
{
	const char *path = c->pair->state;
	size_t parent = path_parent_len(path, strlen(path));
	char *dir;
	int status;

	if (c->kind == CYCLE_PLAN)
		return manifest_open(&c->manifest, path, MANIFEST_PLAN, err);
	if (check_worth(c->pair, err) < 0)
		return -1;
	dir = parent == 0 ? alloc_string(".") : strndup(path, parent);
	status = fs_make_dirs(dir, 0700, err);
	free(dir);
	if (status < 0) {
		err->kind = ERROR_MANIFEST;
		return error_prefix(err, "the directory of the manifest");
	}
	return manifest_open(&c->manifest, path, MANIFEST_WRITE, err);
}

static int remember_region(struct cycle *c, struct error *err)
{
	if (meta_write(c, CLIENT_REGION, s3_region(c->s3), err) < 0)
		return -1;
	return meta_write(c, CLIENT_REGION_ASKED, client_asked_region(c->pair),
	    err);
}

/* Fewer transfers at once rather than files that cannot be opened. */
static void count_jobs(struct cycle *c)
{
	size_t asked = (size_t)c->pair->jobs;
	size_t allowed;

	c->files = fs_open_files(transfer_files_of(asked));
	allowed = transfer_jobs_of(c->files);
	c->jobs = allowed < asked ? allowed : asked;
	if (c->jobs < asked && c->kind != CYCLE_PLAN)
		log_warning("this process may have no more than %zu files open "
		    "at once, so jobs = %zu here, not %zu: raise the limit "
		    "(ulimit -n, LimitNOFILE=) or lower jobs",
		    c->files, c->jobs, asked);
}

int cycle_open(struct cycle **cycle, const struct conf_pair *pair,
    enum cycle_kind kind, const volatile sig_atomic_t *stop,
    struct error *err)
{
	struct cycle *c = alloc_zero(1, sizeof(*c));

	c->pair = pair;
	c->kind = kind;
	c->stop = stop;
	count_jobs(c);
	if (open_bucket(c, err) < 0 || open_manifest(c, err) < 0 ||
	    client_recall(pair, c->s3, c->manifest, err) < 0) {
		cycle_close(c);
		return -1;
	}
	*cycle = c;
	return 0;
}

void cycle_close(struct cycle *c)
{
	if (c == NULL)
		return;
	manifest_close(c->manifest);
	if (c->bucket != NULL)
		c->bucket->ops->free(c->bucket);
	keyring_close(c->keyring);
	mime_free(c->mime);
	free(c->endpoint);
	free(c);
}

bool cycle_is_in_place(const struct cycle *c)
{
	return manifest_is_in_place(c->manifest);
}

/*
 * Identity: a manifest speaks of one root and one prefix, and of no other.
 */

/* What a new manifest is about is written into it. */
static int check_remote(struct cycle *c, struct error *err)
{
	struct identity_part parts[IDENTITY_REMOTE];
	int known;

	identity_remote_parts(c->pair, c->endpoint, parts);
	for (int i = 0; i < IDENTITY_REMOTE; i++) {
		known = identity_remote(c->manifest, &parts[i], err);
		if (known < 0 || (known == 0 && meta_write(c, parts[i].name,
		        parts[i].value, err) < 0))
			return -1;
	}
	return 0;
}

/* Deletions will be derived only from rows of the same epoch: raising it
 * says that what is missing here proves nothing. */
static int raise_epoch(struct cycle *c, struct error *err)
{
	struct strbuf old = STRBUF_INIT(META_MAX);
	char next[24];
	int status = meta_read(c, "epoch", &old, err);

	if (status == 0) {
		snprintf(next, sizeof(next), "%" PRId64,
		    (int64_t)strtoll(strbuf_text(&old), NULL, 10) + 1);
		status = meta_write(c, "epoch", next, err);
	}
	strbuf_release(&old);
	return status;
}

/* What is missing here is no deletion then. */
static int restore_root(struct cycle *c, struct tree *tree, char *marker,
    struct error *err)
{
	log_warning("%s has lost its marker: it was emptied or made anew; what "
	    "is missing is restored", c->pair->local);
	if (c->kind == CYCLE_PLAN)
		return 0;
	if (tree_fs_mark(tree, marker, err) < 0)
		return -1;
	return raise_epoch(c, err);
}

static int mark_root(struct cycle *c, struct tree *tree, char *marker,
    struct error *err)
{
	if (c->kind == CYCLE_PLAN)
		return 0;
	if (tree_fs_mark(tree, marker, err) < 0)
		return -1;
	return meta_write(c, "root_marker", marker, err);
}

static int check_marker(struct cycle *c, struct tree *tree,
    const struct tree_fs_identity *root, struct error *err)
{
	char marker[TREE_FS_ID_SIZE];
	enum identity_root found;

	if (identity_root(c->manifest, c->pair, root, &found, marker, err) < 0)
		return -1;
	switch (found) {
	case IDENTITY_SAME:
		break;
	case IDENTITY_UNMARKED:
		return mark_root(c, tree, marker, err);
	case IDENTITY_MARKED:
		return meta_write(c, "root_marker", root->marker, err);
	case IDENTITY_EMPTIED:
		return restore_root(c, tree, marker, err);
	}
	return 0;
}

static int check_root(struct cycle *c, struct tree *tree, struct error *err)
{
	struct tree_fs_identity root;
	char device[24];

	if (tree_fs_identity(tree, &root, err) < 0 ||
	    check_marker(c, tree, &root, err) < 0)
		return -1;
	snprintf(device, sizeof(device), "%" PRIu64, root.device);
	return meta_write(c, "root_device", device, err);
}

/* A copied manifest (cloned machine, restored backup) still knows what was
 * equal, but not what was deleted since. */
static int check_machine(struct cycle *c, struct error *err)
{
	struct strbuf known = STRBUF_INIT(META_MAX);
	struct error absent = ERROR_INIT;
	char *id = NULL;
	size_t len;
	int status;

	if (fs_read_file(MACHINE_ID, META_MAX - 1, ERROR_LOCAL, &id, &len,
	        &absent) < 0)
		return 0;
	id[strcspn(id, "\n")] = '\0';
	status = meta_read(c, "machine", &known, err);
	if (status == 0 && known.len > 0 &&
	    strcmp(strbuf_text(&known), id) != 0)
		status = raise_epoch(c, err);
	if (status == 0)
		status = meta_write(c, "machine", id, err);
	strbuf_release(&known);
	free(id);
	return status;
}

static int check_identity(struct cycle *c, struct tree *tree,
    struct error *err)
{
	if (check_remote(c, err) < 0 || check_machine(c, err) < 0 ||
	    check_root(c, tree, err) < 0)
		return -1;
	if (meta_write(c, "pair", c->pair->name, err) < 0 ||
	    meta_write(c, "root_path", c->pair->local, err) < 0 ||
	    meta_write(c, "filter", filter_hash(c->pair->filter), err) < 0)
		return -1;
	return c->kind == CYCLE_PLAN ? 0 : manifest_commit(c->manifest, err);
}

/*
 * The phases
 */

static void survey_noticed(void *arg, enum decide_reason reason,
    const char *key, size_t key_len, const char *detail)
{
	const struct cycle *c = arg;

	if (c->events->noticed != NULL)
		c->events->noticed(c->events->arg, reason, key, key_len,
		    detail);
}

static void survey_progress(void *arg, int64_t keys_seen)
{
	const struct cycle *c = arg;
	const struct cycle_progress progress = {
		.keys_seen = keys_seen,
		.elapsed_ns = clock_mono_ns() - c->started_ns,
	};

	if (c->events->progress != NULL)
		c->events->progress(c->events->arg, &progress);
}

static int run_survey(struct cycle *c, struct tree *tree,
    struct survey_result *found, struct cycle_summary *sum)
{
	const struct survey_request request = {
		.tree = tree,
		.bucket = c->bucket,
		.manifest = c->manifest,
		.filter = c->pair->filter,
		.policy = policy_of(c->pair),
		.done_suffixes = &c->pair->done_suffixes,
		.settle_ns = c->pair->settle_ns,
		.dry = c->kind == CYCLE_PLAN,
		.stop = c->stop,
		.noticed = survey_noticed,
		.progress = survey_progress,
		.arg = c,
	};
	int64_t began_ns = clock_mono_ns();
	int status = survey_run(&request, found, &sum->error);

	sum->survey_ns = clock_mono_ns() - began_ns;
	sum->local_keys = found->local_keys;
	sum->remote_keys = found->remote_keys;
	sum->agreed = found->agreed;
	sum->adopted = found->adopted;
	sum->waiting = found->waiting;
	sum->blocked = found->blocked;
	sum->differing = found->differing;
	sum->planned_up = found->up;
	sum->planned_down = found->down;
	sum->planned_bytes_up = found->bytes_up;
	sum->planned_bytes_down = found->bytes_down;
	return status;
}

static int run_transfers(struct cycle *c, struct tree *tree,
    struct cycle_summary *sum)
{
	const struct transfer_request request = {
		.tree = tree,
		.bucket = c->bucket,
		.manifest = c->manifest,
		.jobs = c->jobs,
		.files = c->files,
		.workers = WORKERS,
		.multipart_threshold = c->pair->multipart_threshold,
		.part_size = c->pair->part_size,
		.settle_ns = c->pair->settle_ns,
		.checksum = (enum s3_checksum)c->pair->checksum,
		.etags_opaque = c->pair->etags_opaque,
		.patient = c->kind == CYCLE_ONCE,
		.planned = sum->planned_up + sum->planned_down,
		.planned_bytes = sum->planned_bytes_up +
		    sum->planned_bytes_down,
		.stop = c->stop,
		.events = c->events,
	};
	struct transfer_result moved;
	int64_t began_ns = clock_mono_ns();
	int status;

	if (request.planned == 0) {
		status = manifest_resume_any(c->manifest, &sum->error);
		if (status <= 0)
			return status;
	}
	status = transfer_run(&request, &moved, &sum->error);
	sum->transfer_ns = clock_mono_ns() - began_ns;
	sum->uploaded = moved.uploaded;
	sum->downloaded = moved.downloaded;
	sum->bytes_up = moved.bytes_up;
	sum->bytes_down = moved.bytes_down;
	sum->failed = moved.failed;
	sum->waiting += moved.waiting;
	sum->stopped = moved.stopped;
	return status;
}

/* Whose conditional writes are known: "ENDPOINT/BUCKET". */
static char *server_name(const struct cycle *c)
{
	struct strbuf name = STRBUF_INIT(META_MAX);

	strbuf_addf(&name, "%s/%s", c->endpoint, c->pair->bucket);
	return strbuf_detach(&name);
}

/* The transfers, between what must be known before the first write and what
 * the last one has taught. */
static int run_plan(struct cycle *c, struct tree *tree,
    struct cycle_summary *sum)
{
	char *server = server_name(c);
	const struct probe_request probe = {
		.bucket = c->bare,
		.manifest = c->manifest,
		.of = server,
		.writes = sum->planned_up > 0,
		.allowed = c->pair->probe != 0,
		.checksum = (enum s3_checksum)c->pair->checksum,
		.stop = c->stop,
	};
	int status;

	status = probe_run(&probe, &c->capability, &sum->error);
	if (status == 0)
		status = run_transfers(c, tree, sum);
	if (status == 0)
		status = probe_end(&probe, &c->capability, &sum->error);
	free(server);
	return status;
}

static enum manifest_request request_of(enum s3_kind kind)
{
	switch (kind) {
	case S3_KIND_LIST:
		return MANIFEST_REQUEST_LIST;
	case S3_KIND_GET:
		return MANIFEST_REQUEST_GET;
	case S3_KIND_HEAD:
	case S3_KIND_HEAD_BUCKET:
	case S3_KIND_SETTING: /* that a cycle never asks for */
		return MANIFEST_REQUEST_HEAD;
	case S3_KIND_PUT:
		return MANIFEST_REQUEST_PUT;
	case S3_KIND_DELETE:
		return MANIFEST_REQUEST_DELETE;
	case S3_KIND_COPY:
		return MANIFEST_REQUEST_COPY;
	case S3_KIND_CREATE_UPLOAD:
		return MANIFEST_REQUEST_CREATE_UPLOAD;
	case S3_KIND_UPLOAD_PART:
		return MANIFEST_REQUEST_UPLOAD_PART;
	case S3_KIND_COMPLETE_UPLOAD:
		return MANIFEST_REQUEST_COMPLETE_UPLOAD;
	case S3_KIND_ABORT_UPLOAD:
		return MANIFEST_REQUEST_ABORT_UPLOAD;
	case S3_KIND_LIST_PARTS:
		return MANIFEST_REQUEST_LIST_PARTS;
	case S3_KIND_COUNT:
		break;
	}
	return MANIFEST_REQUEST_COUNT;
}

static void count_requests(const struct cycle *c,
    const struct s3_usage *before, struct cycle_summary *sum)
{
	const struct s3_usage *now = c->bucket->ops->usage(c->bucket);

	for (int kind = 0; kind < S3_KIND_COUNT; kind++)
		sum->requests[request_of((enum s3_kind)kind)] +=
		    now->requests[kind] - before->requests[kind];
	sum->retries = now->retries - before->retries;
	sum->narrowed = now->narrowed - before->narrowed;
	sum->wire_up = now->bytes_out - before->bytes_out;
	sum->wire_down = now->bytes_in - before->bytes_in;
}

static const char *outcome_of(const struct cycle_summary *sum)
{
	if (sum->stopped || sum->error.kind == ERROR_STOPPED)
		return "stopped";
	if (sum->error.kind != ERROR_NONE)
		return "failed";
	return sum->failed > 0 || sum->waiting > 0 ? "partial" : "done";
}

static int end_run(struct cycle *c, int64_t id, int64_t started_ns,
    struct cycle_summary *sum)
{
	struct manifest_run run = {
		.id = id,
		.started_ns = started_ns,
		.ended_ns = clock_wall_ns(),
		.outcome = outcome_of(sum),
		.local_keys = sum->local_keys,
		.remote_keys = sum->remote_keys,
		.uploaded = sum->uploaded,
		.downloaded = sum->downloaded,
		.adopted = sum->adopted,
		.bytes_up = sum->bytes_up,
		.bytes_down = sum->bytes_down,
		.failed = sum->failed,
		.waiting = sum->waiting,
		.blocked = sum->blocked,
		.differing = sum->differing,
		.retries = sum->retries,
		.wire_up = sum->wire_up,
		.wire_down = sum->wire_down,
		.survey_ns = sum->survey_ns,
		.transfer_ns = sum->transfer_ns,
		.error = sum->error.kind == ERROR_NONE ? NULL :
		    sum->error.text,
	};
	struct error error = ERROR_INIT;

	memcpy(run.requests, sum->requests, sizeof(run.requests));
	if (manifest_run_end(c->manifest, &run, &error) == 0 &&
	    manifest_checkpoint(c->manifest, &error) == 0)
		return 0;
	if (sum->error.kind == ERROR_NONE)
		sum->error = error;
	return -1;
}

/* Temporary files that downloads can be gone on with. */
static void add_name(void *arg, const struct manifest_download *download)
{
	struct strbuf *names = arg;

	strbuf_addf(names, "/%s/", download->name);
}

static bool is_named(void *arg, const char *name)
{
	char quoted[NAME_MAX + 3];

	snprintf(quoted, sizeof(quoted), "/%s/", name);
	return strstr(strbuf_text(arg), quoted) != NULL;
}

static int sweep(struct cycle *c, struct tree *tree, struct error *err)
{
	struct strbuf names = STRBUF_INIT(NAMES_MAX);
	int status = manifest_resume_downloads(c->manifest, add_name, &names,
	    err);

	if (status == 0)
		status = tree_fs_sweep(tree, is_named, &names, err);
	strbuf_release(&names);
	return status;
}

static int run_phases(struct cycle *c, struct tree *tree,
    struct cycle_summary *sum)
{
	const struct s3_usage before = *c->bucket->ops->usage(c->bucket);
	int64_t started_ns = clock_wall_ns();
	struct survey_result found;
	int64_t id = 0;
	int status;

	if (c->kind == CYCLE_PLAN) {
		status = run_survey(c, tree, &found, sum);
		count_requests(c, &before, sum);
		return status;
	}
	if (sweep(c, tree, &sum->error) < 0 ||
	    manifest_run_begin(c->manifest, started_ns, &id, &sum->error) < 0)
		return -1;
	status = run_survey(c, tree, &found, sum);
	if (status == 0)
		status = remember_region(c, &sum->error);
	if (status == 0)
		status = run_plan(c, tree, sum);
	count_requests(c, &before, sum);
	if (sum->error.kind == ERROR_NONE)
		status = keep_clock(c, &sum->error);
	/* A manifest that failed is left as it is. */
	if (sum->error.kind == ERROR_MANIFEST)
		return -1;
	return end_run(c, id, started_ns, sum) < 0 ? -1 : status;
}

int cycle_run(struct cycle *c, const struct cycle_events *events,
    struct cycle_summary *sum)
{
	struct tree *tree = NULL;
	int status = -1;

	*sum = (struct cycle_summary){ 0 };
	c->events = events;
	c->started_ns = clock_mono_ns();
	if (tree_fs_open(&tree, c->pair->local, &sum->error) == 0) {
		tree_fs_own(tree, c->pair->state);
		if (check_identity(c, tree, &sum->error) == 0)
			status = run_phases(c, tree, sum);
		tree->ops->free(tree);
	}
	if (sum->error.kind == ERROR_STOPPED) {
		sum->stopped = true;
		error_clear(&sum->error);
	}
	return sum->error.kind == ERROR_NONE ? 0 : status;
}

int cycle_each_pending(struct cycle *c,
    void (*each)(void *arg, const struct manifest_pending *pending),
    void *arg, struct error *err)
{
	struct manifest_reader *rows = manifest_reader_pending(c->manifest,
	    NULL, 0);
	struct manifest_pending row;
	int got;

	while ((got = manifest_reader_pending_row(rows, &row, err)) > 0)
		each(arg, &row);
	manifest_reader_free(rows);
	return got;
}

int cycle_exit_status(const struct cycle_summary *sum)
{
	if (sum->error.kind != ERROR_NONE) {
		int status = error_exit_status(sum->error.kind);

		return status == 1 ? 3 : status;
	}
	return sum->failed > 0 || sum->waiting > 0 ? 1 : 0;
}
