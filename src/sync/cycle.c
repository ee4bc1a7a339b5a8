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
#include "sync/probe.h"
#include "sync/survey.h"
#include "sync/transfer.h"
#include "sync/tree_fs.h"

#define META_MAX 4096
#define NAMES_MAX ((size_t)1 << 20)
#define WORKERS 4
#define MACHINE_ID "/etc/machine-id"
#define CLOCK_OFFSET "clock_offset_ms" /* in meta */
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

/*
 * The server's clock: what an earlier process has learned spares this one a
 * request that is refused.
 */

static int read_clock(struct cycle *c, int64_t *offset_ns, struct error *err)
{
	struct strbuf known_ms = STRBUF_INIT(META_MAX);
	int status = meta_read(c, CLOCK_OFFSET, &known_ms, err);

	*offset_ns = strtoll(strbuf_text(&known_ms), NULL, 10) * CLOCK_MS;
	strbuf_release(&known_ms);
	return status;
}

static int recall_clock(struct cycle *c, struct error *err)
{
	int64_t known_ns;

	if (read_clock(c, &known_ns, err) < 0)
		return -1;
	s3_clock_assume_ns(c->s3, known_ns);
	return 0;
}

/* Written when it matters, not with every second of drift. */
static int keep_clock(struct cycle *c, struct error *err)
{
	int64_t offset_ns = s3_clock_offset_ns(c->s3);
	int64_t known_ns;
	char text[24];

	if (read_clock(c, &known_ns, err) < 0)
		return -1;
	if (llabs(offset_ns - known_ns) <= CLOCK_SLACK_NS)
		return 0;
	snprintf(text, sizeof(text), "%" PRId64, offset_ns / CLOCK_MS);
	return meta_write(c, CLOCK_OFFSET, text, err);
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
	const struct conf_pair *pair = c->pair;

	if (pair->sign == S3_SIGNING_NONE)
		return 0;
	return keyring_open(&c->keyring, &(const struct s3_credentials_request){
	        .env = pair->env,
	        .profile = pair->profile,
	        .region = pair->region,
	        .dualstack = pair->dualstack,
	        .fips = pair->fips,
	        .ca_bundle = pair->ca_bundle,
	        .timeout_ns = pair->timeout_ns,
	        .stopped = is_stopped,
	        .arg = c,
	    }, err);
}

/* What is uploaded is to look like this. */
static struct s3_properties properties_of(const struct cycle *c)
{
	const struct conf_pair *pair = c->pair;

	return (struct s3_properties){
		.storage_class = pair->storage_class,
		.sse = pair->sse,
		.sse_kms_key_id = pair->sse_kms_key_id,
		.acl = pair->acl,
		.content_type =
		    strchr(pair->content_type, '/') ? pair->content_type : NULL,
		.mime = c->mime,
		.checksum = (enum s3_checksum)pair->checksum,
		.requester_pays = pair->requester_pays,
	};
}

static int open_bucket(struct cycle *c, struct error *err)
{
	const struct conf_pair *pair = c->pair;

	if (open_keyring(c, err) < 0)
		return -1;
	if (strcmp(pair->content_type, "auto") == 0)
		c->mime = mime_load();
	if (s3_new(&c->s3, &(const struct s3_options){
	        .keyring = c->keyring,
	        .endpoint_url = pair->endpoint_url,
	        .region = pair->region,
	        .bucket = pair->bucket,
	        .prefix = pair->prefix,
	        .addressing = (enum s3_addressing)pair->addressing,
	        .dualstack = pair->dualstack,
	        .fips = pair->fips,
	        .accelerate = pair->accelerate,
	        .signing = (enum s3_signing)pair->sign,
	        .properties = properties_of(c),
	        .ca_bundle = pair->ca_bundle,
	        .env = pair->env,
	        .in_flight = (size_t)pair->jobs,
	        .attempts = (int)pair->attempts,
	        .idle_timeout_ns = pair->timeout_ns,
	        .limit_up = pair->bwlimit_up,
	        .limit_down = pair->bwlimit_down,
	    }, err) < 0)
		return -1;
	c->endpoint = endpoint_home(s3_endpoint(c->s3));
	c->bare = bucket_s3_new(c->s3);
	c->bucket = bucket_careful_new(c->bare, &c->capability);
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
	dir = parent == 0 ? alloc_string(".") : strndup(path, parent);
	status = fs_make_dirs(dir, 0700, err);
	free(dir);
	if (status < 0) {
		err->kind = ERROR_MANIFEST;
		return error_prefix(err, "the directory of the manifest");
	}
	return manifest_open(&c->manifest, path, MANIFEST_WRITE, err);
}

/*
 * Where the bucket was found last time is where it is asked for first. That
 * counts as long as the same region is configured (or none): whoever sets
 * another one wants that tried.
 */
static const char *asked_region(const struct cycle *c)
{
	return c->pair->region != NULL ? c->pair->region : "";
}

static int recall_region(struct cycle *c, struct error *err)
{
	struct strbuf asked = STRBUF_INIT(META_MAX);
	struct strbuf found = STRBUF_INIT(META_MAX);
	int status = -1;

	if (meta_read(c, "region_asked", &asked, err) == 0 &&
	    meta_read(c, "region", &found, err) == 0) {
		if (found.len > 0 &&
		    strcmp(strbuf_text(&asked), asked_region(c)) == 0)
			s3_begin_in(c->s3, strbuf_text(&found));
		status = 0;
	}
	strbuf_release(&asked);
	strbuf_release(&found);
	return status;
}

static int remember_region(struct cycle *c, struct error *err)
{
	if (meta_write(c, "region", s3_region(c->s3), err) < 0)
		return -1;
	return meta_write(c, "region_asked", asked_region(c), err);
}

int cycle_open(struct cycle **cycle, const struct conf_pair *pair,
    enum cycle_kind kind, const volatile sig_atomic_t *stop,
    struct error *err)
{
	struct cycle *c = alloc_zero(1, sizeof(*c));

	c->pair = pair;
	c->kind = kind;
	c->stop = stop;
	if (open_bucket(c, err) < 0 || open_manifest(c, err) < 0 ||
	    recall_clock(c, err) < 0 || recall_region(c, err) < 0) {
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

/*
 * Identity: a manifest speaks of one root and one prefix, and of no other.
 */

/* A manifest may have been made when the region was part of its endpoint. */
static bool is_same(const char *known, const char *value)
{
	char *home = endpoint_home(known);
	bool same = strcmp(home, value) == 0;

	free(home);
	return same;
}

/* Another endpoint, bucket or prefix than the manifest was made for? */
static int check_remote(struct cycle *c, struct error *err)
{
	const struct conf_pair *pair = c->pair;
	const struct {
		const char *name, *value;
	} identity[] = {
		{ "endpoint", c->endpoint },
		{ "bucket", pair->bucket },
		{ "prefix", pair->prefix },
	};
	struct strbuf known = STRBUF_INIT(META_MAX);
	int status = 0;

	for (size_t i = 0; i < 3 && status == 0; i++) {
		int found;

		strbuf_clear(&known);
		found = manifest_meta_get(c->manifest, identity[i].name,
		    &known, err);
		if (found < 0)
			status = -1;
		else if (found == 0)
			status = meta_write(c, identity[i].name,
			    identity[i].value, err);
		else if (!is_same(strbuf_text(&known), identity[i].value))
			status = error_set(err, ERROR_MANIFEST,
			    "%s belongs to another pair: its %s is '%s', not "
			    "'%s'; give this pair a state file of its own "
			    "(--state), or correct the %s",
			    manifest_path(c->manifest), identity[i].name,
			    strbuf_text(&known), identity[i].value,
			    identity[i].name);
	}
	strbuf_release(&known);
	return status;
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

/* The root has no marker, but the manifest knows one. Design rule 9. */
static int restore_root(struct cycle *c, struct tree *tree,
    const char *known_marker, uint64_t device, const char *known_device,
    struct error *err)
{
	char marker[TREE_FS_ID_SIZE];

	if (strtoull(known_device, NULL, 10) != device)
		return error_set(err, ERROR_ROOT,
		    "%s has no marker (.s3sync/root) and is on another device "
		    "than before: is its disk not mounted? Mount it and run "
		    "again; nothing was transferred. If the root has moved "
		    "here for good without its marker, move %s, -wal and -shm "
		    "away: the next cycle adopts what both sides have",
		    c->pair->local, manifest_path(c->manifest));
	log_warning("%s has lost its marker: it was emptied or made anew; what "
	    "is missing is restored", c->pair->local);
	if (c->kind == CYCLE_PLAN)
		return 0;
	snprintf(marker, sizeof(marker), "%s", known_marker);
	if (tree_fs_mark(tree, marker, err) < 0)
		return -1;
	return raise_epoch(c, err);
}

static int check_marker(struct cycle *c, struct tree *tree,
    const struct tree_fs_identity *root, const char *known_marker,
    const char *known_device, struct error *err)
{
	char marker[TREE_FS_ID_SIZE] = "";

	if (root->marker[0] == '\0' && known_marker[0] != '\0')
		return restore_root(c, tree, known_marker, root->device,
		    known_device, err);
	if (root->marker[0] == '\0') {
		if (c->kind == CYCLE_PLAN)
			return 0;
		if (tree_fs_mark(tree, marker, err) < 0)
			return -1;
		return meta_write(c, "root_marker", marker, err);
	}
	if (known_marker[0] == '\0')
		return meta_write(c, "root_marker", root->marker, err);
	if (strcmp(known_marker, root->marker) == 0)
		return 0;
	return error_set(err, ERROR_ROOT,
	    "%s carries the marker of another root (%s, not %s): this is not "
	    "the directory that %s describes; correct 'local', or give the "
	    "pair a state file of its own (--state)", c->pair->local,
	    root->marker, known_marker, manifest_path(c->manifest));
}

static int check_root(struct cycle *c, struct tree *tree, struct error *err)
{
	struct strbuf marker = STRBUF_INIT(META_MAX);
	struct strbuf device = STRBUF_INIT(META_MAX);
	struct tree_fs_identity root;
	char now_device[24];
	int status = -1;

	if (tree_fs_identity(tree, &root, err) < 0 ||
	    meta_read(c, "root_marker", &marker, err) < 0 ||
	    meta_read(c, "root_device", &device, err) < 0 ||
	    check_marker(c, tree, &root, strbuf_text(&marker),
	        strbuf_text(&device), err) < 0)
		goto out;
	snprintf(now_device, sizeof(now_device), "%" PRIu64, root.device);
	status = meta_write(c, "root_device", now_device, err);
out:
	strbuf_release(&marker);
	strbuf_release(&device);
	return status;
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
		.jobs = (size_t)c->pair->jobs,
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
