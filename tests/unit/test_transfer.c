/* SPDX-License-Identifier: MIT */
/*
 * Transfers between a simulated tree and a simulated bucket, with one thing
 * going wrong at a time, at a chosen moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manifest/resume.h"
#include "sim_fixture.h"
#include "sync/survey.h"
#include "sync/transfer_internal.h"

#define LARGE (600 * 1024)
#define HUGE (9 * 1024 * 1024) /* hashed in three steps */

struct fixture {
	struct sim_fixture world;
	int64_t settle_ns;
	int64_t threshold, part_size;
	bool patient;
	volatile sig_atomic_t stop;
	size_t jobs;

	struct survey_result found;
	struct transfer_result result;
	int status;
	int transferred, failed, deferred;
	int large_at; /* so many were transferred before "large" */
	size_t most_requests; /* at once */
	struct cycle_progress progress;
	int64_t failed_next_ns; /* when the last failure is tried again */
};

static void count_transferred(void *arg, enum decide_action action,
    const char *key, size_t key_len, int64_t bytes)
{
	struct fixture *f = arg;

	(void)action;
	(void)bytes;
	if (key_len == 5 && memcmp(key, "large", 5) == 0)
		f->large_at = f->transferred;
	f->transferred++;
}

static void count_failed(void *arg, enum decide_action action, const char *key,
    size_t key_len, const struct error *error, int64_t next_at_ns)
{
	struct fixture *f = arg;

	(void)action;
	(void)key;
	(void)key_len;
	assert_true(error->text[0] != '\0');
	f->failed++;
	f->failed_next_ns = next_at_ns;
}

static void count_deferred(void *arg, enum decide_action action,
    const char *key, size_t key_len, const struct error *error)
{
	(void)action;
	(void)key;
	(void)key_len;
	assert_true(error->text[0] != '\0');
	((struct fixture *)arg)->deferred++;
}

static void note_progress(void *arg, const struct cycle_progress *progress)
{
	struct fixture *f = arg;

	assert_true(progress->keys_done >= f->progress.keys_done);
	assert_true(progress->keys_done <= progress->keys_total);
	f->progress = *progress;
}

static int setup(void **state)
{
	struct fixture *f = alloc_zero(1, sizeof(*f));

	f->jobs = 4;
	f->threshold = INT64_MAX;
	f->part_size = 1;
	*state = f;
	return sim_fixture_init(&f->world);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sim_fixture_release(&f->world);
	free(f);
	return 0;
}

static void have_file(struct fixture *f, const char *key, int64_t size)
{
	sim_fixture_file(&f->world, key, size);
}

static void have_object(struct fixture *f, const char *key, int64_t size)
{
	sim_fixture_object(&f->world, key, size);
}

static bool is_file(struct fixture *f, const char *key)
{
	return sim_fixture_has_file(&f->world, key);
}

static bool is_object(struct fixture *f, const char *key)
{
	return sim_fixture_has_object(&f->world, key);
}

static struct manifest_pending *pending(struct fixture *f, const char *key)
{
	return sim_fixture_pending(&f->world, key);
}

static struct manifest_entry *entry(struct fixture *f, const char *key)
{
	return sim_fixture_entry(&f->world, key);
}

static void plan(struct fixture *f)
{
	const struct survey_request request = {
		.tree = &f->world.tree.base,
		.bucket = &f->world.bucket.base,
		.manifest = f->world.manifest,
		.filter = f->world.filter,
		.settle_ns = f->settle_ns,
	};

	assert_int_equal(survey_run(&request, &f->found, &f->world.error), 0);
}

/* Performs what is planned. */
static int perform(struct fixture *f)
{
	const struct cycle_events events = {
		.transferred = count_transferred,
		.failed = count_failed,
		.deferred = count_deferred,
		.progress = note_progress,
		.arg = f,
	};
	const struct transfer_request request = {
		.tree = &f->world.tree.base,
		.bucket = &f->world.bucket.base,
		.manifest = f->world.manifest,
		.jobs = f->jobs,
		.settle_ns = f->settle_ns,
		.multipart_threshold = f->threshold,
		.part_size = f->part_size,
		.patient = f->patient,
		.planned = f->found.up + f->found.down,
		.planned_bytes = f->found.bytes_up + f->found.bytes_down,
		.stop = &f->stop,
		.events = &events,
	};
	int status;

	f->transferred = f->failed = f->deferred = 0;
	f->progress = (struct cycle_progress){ 0 };
	error_clear(&f->world.error);
	status = transfer_run(&request, &f->result, &f->world.error);
	assert_int_equal(f->transferred,
	    f->result.uploaded + f->result.downloaded);
	assert_int_equal(f->failed, f->result.failed);
	assert_int_equal(f->world.tree.open_readers, 0);
	assert_int_equal(f->world.tree.open_writers, 0);
	assert_int_equal(f->world.bucket.count, 0);
	assert_int_equal(manifest_uncommitted(f->world.manifest), 0);
	assert_string_equal(f->world.sim.broken, "");
	return status;
}

static int cycle(struct fixture *f)
{
	plan(f);
	return perform(f);
}

static void assert_same_content(struct fixture *f, const char *key)
{
	const struct sim_node *n =
	    sim_tree_find(&f->world.tree, key, strlen(key));
	const struct sim_object *o =
	    sim_store_find(&f->world.store, key, strlen(key));

	assert_non_null(n);
	assert_non_null(o);
	assert_int_equal(n->inode->content->size, o->content->size);
	assert_memory_equal(n->inode->content->md5, o->content->md5,
	    DIGEST_MD5_SIZE);
}

static void assert_synced(struct fixture *f, const char *key)
{
	assert_same_content(f, key);
	assert_non_null(entry(f, key));
	assert_int_equal(entry(f, key)->state, MANIFEST_SYNCED);
	assert_null(pending(f, key));
}

/* Nothing is left to be done: a survey agrees with all. */
static void assert_agreed(struct fixture *f, int keys)
{
	plan(f);
	assert_int_equal(f->found.agreed, keys);
	assert_int_equal(f->found.up + f->found.down, 0);
}

/*
 * What goes well
 */

static void both_ways_at_once(void **state)
{
	struct fixture *f = *state;

	have_file(f, "up/empty", 0);
	have_file(f, "up/small", 10);
	have_file(f, "up/large", LARGE);
	have_object(f, "down/empty", 0);
	have_object(f, "down/small", 10);
	have_object(f, "down/large", LARGE);
	have_object(f, "down/huge", HUGE);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->result.uploaded, 3);
	assert_int_equal(f->result.downloaded, 4);
	assert_int_equal(f->result.bytes_up, 10 + LARGE);
	assert_int_equal(f->result.bytes_down, 10 + LARGE + HUGE);
	assert_int_equal(f->result.failed + f->result.waiting, 0);
	assert_synced(f, "up/empty");
	assert_synced(f, "up/small");
	assert_synced(f, "up/large");
	assert_synced(f, "down/empty");
	assert_synced(f, "down/small");
	assert_synced(f, "down/large");
	assert_synced(f, "down/huge");
	assert_agreed(f, 7);
}

/* More than there are jobs, and more than go into one batch. */
static void many_keys_in_few_jobs(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 250; i++) {
		snprintf(key, sizeof(key), "d%d/%03d", i % 7, i);
		if (i % 5 == 0)
			have_file(f, key, i);
		else
			have_object(f, key, i);
	}
	f->jobs = 3;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->result.uploaded, 50);
	assert_int_equal(f->result.downloaded, 200);
	assert_agreed(f, 250);
}

/* They all come in at one moment, and are published in batches. */
static void many_keys_in_many_jobs(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 350; i++) {
		snprintf(key, sizeof(key), "d%d/%03d", i % 7, i);
		have_object(f, key, i);
	}
	f->jobs = 500;
	f->world.bucket.steps = 10000;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->result.downloaded, 350);
	assert_agreed(f, 350);
}

static void times_travel_with_the_content(void **state)
{
	struct fixture *f = *state;
	const int64_t mtime_ns = f->world.sim.wall_ns - 7 * CLOCK_SECOND;
	struct sim_object *o;

	have_file(f, "up", 1);
	assert_true(sim_tree_set_mtime(&f->world.tree, "up", 2, mtime_ns));
	have_object(f, "down", 1);
	have_object(f, "plain", 1);
	o = sim_store_find(&f->world.store, "down", 4);
	o->meta_mtime_ns = mtime_ns + 1;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(
	    sim_store_find(&f->world.store, "up", 2)->meta_mtime_ns, mtime_ns);
	assert_int_equal(
	    sim_tree_find(&f->world.tree, "down", 4)->inode->sig.mtime_ns,
	    mtime_ns + 1);
	assert_int_equal(
	    sim_tree_find(&f->world.tree, "plain", 5)->inode->sig.mtime_ns,
	    sim_store_find(&f->world.store, "plain", 5)->sig.mtime_ms *
		CLOCK_MS);
}

static void etags_that_are_no_md5(void **state)
{
	struct fixture *f = *state;
	static const enum sim_etags kinds[] = { SIM_ETAGS_KMS,
		SIM_ETAGS_OPAQUE };

	for (size_t i = 0; i < 2; i++) {
		f->world.store.etags = kinds[i];
		have_file(f, i == 0 ? "up0" : "up1", LARGE);
		have_object(f, i == 0 ? "down0" : "down1", LARGE);
	}
	f->world.store.etags = SIM_ETAGS_KMS;
	have_file(f, "kms", 5);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->result.failed, 0);
	assert_synced(f, "down1");
	assert_non_null(entry(f, "down1")->md5);
	assert_synced(f, "kms");
	assert_memory_equal(entry(f, "kms")->md5,
	    sim_store_find(&f->world.store, "kms", 3)->content->md5, 16);
	f->world.store.etags = SIM_ETAGS_MD5;
	have_file(f, "md5", 5);
	assert_int_equal(cycle(f), 0);
	assert_null(entry(f, "md5")->md5); /* it is in the ETag */
}

static void signed_payloads(void **state)
{
	struct fixture *f = *state;

	f->world.store.signs = true;
	have_file(f, "small", 5);
	have_file(f, "large", LARGE);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "small");
	assert_synced(f, "large");
}

/*
 * Backoff and settling
 */

static void the_backoff_is_five_fold(void **state)
{
	(void)state;
	assert_int_equal(transfer_job_backoff_ns(1), 25 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(2), 125 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(3), 625 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(4), 3125 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(5), 15625 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(6), 78125 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(7), 86400 * CLOCK_SECOND);
	assert_int_equal(transfer_job_backoff_ns(1000), 86400 * CLOCK_SECOND);
}

static void a_failure_waits_for_its_turn(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_FAILED, 0, 2);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->result.failed, 1);
	assert_int_equal(pending(f, "k")->attempts, 1);
	assert_non_null(pending(f, "k")->error);
	assert_int_equal(pending(f, "k")->next_at_ns, f->failed_next_ns);
	assert_in_range(f->failed_next_ns - f->world.sim.wall_ns,
	    24 * CLOCK_SECOND, 25 * CLOCK_SECOND);

	assert_int_equal(cycle(f), 0); /* too early */
	assert_int_equal(f->failed + f->transferred, 0);
	assert_int_equal(f->result.waiting, 1);

	sim_pass(&f->world.sim, 26 * CLOCK_SECOND);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(pending(f, "k")->attempts, 2);

	sim_pass(&f->world.sim, 126 * CLOCK_SECOND);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void patience_does_not_wait_for_a_backoff(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	f->patient = true;
	sim_script(&f->world.sim, FAULT_FAILED, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1); /* once in each cycle */
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void a_change_clears_the_backoff(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_FAILED, 0, 1);
	assert_int_equal(cycle(f), 0);
	have_object(f, "k", 6);
	plan(f);
	assert_int_equal(pending(f, "k")->attempts, 0);
	assert_int_equal(perform(f), 0);
	assert_synced(f, "k");
}

static void a_young_file_waits(void **state)
{
	struct fixture *f = *state;

	f->settle_ns = 2 * CLOCK_SECOND;
	have_file(f, "k", 5);
	assert_int_equal(cycle(f), 0);
	assert_false(is_object(f, "k"));
	assert_int_equal(f->result.waiting, 1);
	assert_int_equal(f->result.failed, 0);
	assert_in_range(pending(f, "k")->next_at_ns, f->world.sim.wall_ns,
	    f->world.sim.wall_ns + f->settle_ns);
	sim_pass(&f->world.sim, f->settle_ns);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void patience_waits_until_it_has_settled(void **state)
{
	struct fixture *f = *state;
	const int64_t began_ns = f->world.sim.wall_ns;

	f->settle_ns = 2 * CLOCK_SECOND;
	f->patient = true;
	have_file(f, "k", 5);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
	assert_int_equal(f->result.waiting, 0);
	assert_in_range(f->world.sim.wall_ns - began_ns, f->settle_ns,
	    f->settle_ns + CLOCK_SECOND);
}

/* A writer that never pauses for long enough. */
static void write_on(void *arg)
{
	struct fixture *f = arg;
	const struct sim_node *n = sim_tree_find(&f->world.tree, "k", 1);
	struct sim_content *c;

	if (f->world.sim.wall_ns - n->inode->sig.ctime_ns < CLOCK_SECOND)
		return;
	c = sim_content_new(sim_random(&f->world.sim), 5);
	sim_tree_edit(&f->world.tree, "k", 1, c);
	sim_content_unref(c);
}

static void patience_has_an_end(void **state)
{
	struct fixture *f = *state;

	f->settle_ns = 2 * CLOCK_SECOND;
	f->patient = true;
	have_file(f, "k", 5);
	have_file(f, "other", 5);
	f->world.sim.world = write_on;
	f->world.sim.arg = f;
	assert_int_equal(cycle(f), 0);
	assert_false(is_object(f, "k"));
	assert_synced(f, "other");
	assert_int_equal(f->result.waiting, 1);
	assert_int_equal(f->result.failed, 0);
}

static void a_file_of_the_future_does_not_wait(void **state)
{
	struct fixture *f = *state;

	f->settle_ns = 2 * CLOCK_SECOND;
	have_file(f, "k", 5);
	sim_pass(&f->world.sim, 3 * CLOCK_SECOND);
	f->world.sim.wall_ns -=
	    3600 * CLOCK_SECOND; /* the clock was set back */
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

/* It was set back after it had been told when to go on. */
static void a_clock_that_is_set_back_stops_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t began_ns;

	f->settle_ns = 2 * CLOCK_SECOND;
	have_file(f, "young", 5);
	have_object(f, "failed", 5);
	sim_script(&f->world.sim, FAULT_FAILED, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->transferred, 0);
	f->world.sim.wall_ns -= 3600 * CLOCK_SECOND;
	began_ns = f->world.sim.mono_ns;
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "young");
	assert_synced(f, "failed");
	assert_true(f->world.sim.mono_ns - began_ns < 5 * CLOCK_SECOND);
}

static void set_back(void *arg)
{
	struct fixture *f = arg;

	f->world.sim.wall_ns -= 3600 * CLOCK_SECOND;
	f->world.sim.world = NULL;
}

static void a_clock_that_is_set_back_meanwhile_stops_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t began_ns = f->world.sim.mono_ns;

	f->settle_ns = 2 * CLOCK_SECOND;
	f->patient = true;
	have_file(f, "k", 5);
	plan(f);
	f->world.sim.world = set_back;
	f->world.sim.arg = f;
	assert_int_equal(perform(f), 0);
	assert_synced(f, "k");
	assert_true(f->world.sim.mono_ns - began_ns < 5 * CLOCK_SECOND);
}

/*
 * Breakers
 */

static void a_full_disk_stops_what_is_as_large(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", 5);
	have_object(f, "as-large", 5);
	have_object(f, "larger", 6);
	have_object(f, "smaller", 4);
	have_file(f, "up", 5);
	f->jobs = 1;
	f->patient = true;
	sim_script(&f->world.sim, FAULT_NO_SPACE, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->result.waiting, 2);
	assert_int_equal(f->world.bucket.usage.requests[S3_KIND_GET], 2);
	assert_synced(f, "smaller");
	assert_synced(f, "up");
	assert_int_equal(cycle(f), 0); /* there is room again */
	assert_agreed(f, 5);
}

/* It is the disk's failure, not the key's: the pause does not grow. */
static void a_full_disk_is_tried_again_soon(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", 5);
	f->patient = true;
	f->world.sim.dials[FAULT_NO_SPACE].per_mille = 1000;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cycle(f), 0);
		assert_int_equal(pending(f, "a")->attempts, 1);
	}
}

/* What waits is counted once, however often young files make it look. */
static void a_full_disk_counts_once(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", 5);
	have_object(f, "b", 5);
	have_file(f, "young", 5);
	f->jobs = 1;
	f->patient = true;
	f->settle_ns = 2 * CLOCK_SECOND;
	sim_script(&f->world.sim, FAULT_NO_SPACE, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "young");
	assert_int_equal(f->result.waiting, 1);
}

static void sixteen_network_failures_end_it(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof(key), "%02d", i);
		have_object(f, key, 5);
	}
	f->jobs = 1;
	f->world.sim.dials[FAULT_FAILED].per_mille = 1000;
	assert_int_equal(cycle(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_NETWORK);
	assert_non_null(strstr(f->world.error.text, "in a row failed"));
	/* Some of the failures are no network failures; those do not count. */
	assert_in_range(f->failed, 16, 39);
	assert_null(pending(f, "39")->error);
	f->world.sim.dials[FAULT_FAILED].per_mille = 0;
	sim_pass(&f->world.sim, 30 * CLOCK_SECOND);
	assert_int_equal(cycle(f), 0);
	assert_agreed(f, 40);
}

static void a_refusal_ends_it_at_once(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", 5);
	have_object(f, "b", 5);
	have_file(f, "c", 5);
	f->jobs = 1;
	sim_script(&f->world.sim, FAULT_REFUSED, 1, 1);
	assert_int_equal(cycle(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_CREDENTIALS);
	assert_int_equal(f->failed, 0); /* no key is to blame */
	assert_int_equal(f->transferred, 1);
	assert_int_equal(cycle(f), 0);
	assert_agreed(f, 3);
}

static void a_broken_event_loop_ends_it(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", LARGE);
	have_file(f, "b", LARGE);
	plan(f);
	sim_script(&f->world.sim, FAULT_WAIT, 3, 1);
	assert_int_equal(perform(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_NETWORK);
	assert_int_equal(f->failed, 0);
	assert_int_equal(cycle(f), 0);
	assert_agreed(f, 2);
}

/*
 * One key's failure
 */

static void access_denied_is_one_keys_failure(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", 5);
	have_object(f, "b", 5);
	have_file(f, "c", 5);
	f->jobs = 1;
	sim_script(&f->world.sim, FAULT_DENIED, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->transferred, 2);
	assert_non_null(pending(f, "a")->error);
}

/* Each local failure, at its place, for a small and for a large download. */
static void local_failures_of_downloads(void **state)
{
	static const enum sim_fault faults[] = { FAULT_WRITE_OPEN, FAULT_WRITE,
		FAULT_NO_SPACE, FAULT_PUBLISH };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		for (int large = 0; large < 2; large++) {
			char key[16];

			snprintf(key, sizeof(key), "%zu%d", i, large);
			have_object(f, key, large ? LARGE : 5);
			sim_script(&f->world.sim, faults[i], 0, 1);
			assert_int_equal(cycle(f), 0);
			assert_int_equal(f->failed, 1);
			assert_false(is_file(f, key));
			f->patient = true;
			assert_int_equal(cycle(f), 0);
			assert_synced(f, key);
		}
}

static void reading_back_may_fail(void **state)
{
	struct fixture *f = *state;

	for (unsigned skip = 0; skip < 3; skip++) {
		have_object(f, "k", HUGE);
		sim_script(&f->world.sim, FAULT_REREAD, 5 * skip, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_false(is_file(f, "k"));
	}
}

static void a_published_file_of_which_nothing_is_sure(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_PUBLISH_UNSURE, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_null(entry(f, "k"));
	plan(f);
	assert_int_equal(f->found.adopted, 1); /* no second download */
	assert_same_content(f, "k");
}

static void a_taken_name_is_left_alone(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_PUBLISH_EXISTS, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->deferred, 1);
	assert_int_equal(f->failed, 0);
	assert_int_equal(f->result.waiting, 1);
	assert_int_equal(sim_tree_find(&f->world.tree, "k", 1)->inode->sig.size,
	    3);
	plan(f);
	assert_int_equal(f->found.differing, 1);
}

static void an_edit_right_after_publication_is_racy(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_PUBLISH_EDITED, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(entry(f, "k")->flags, MANIFEST_FLAG_RACY);
}

/*
 * Downloads that go wrong on the way
 */

static void another_size_than_listed(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	sim_script(&f->world.sim, FAULT_GET_SIZE, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->deferred, 1);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void corrupt_bytes_are_found_out(void **state)
{
	static const int64_t sizes[] = { 5, LARGE, HUGE };
	struct fixture *f = *state;
	char key[16];

	f->patient = true;
	for (unsigned i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, sizes[i]);
		sim_script(&f->world.sim, FAULT_GET_CORRUPT, 2 * i, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_false(is_file(f, key));
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
	}
}

/* What was learned of ETags; "" nothing. */
static const char *etags(struct fixture *f)
{
	static char text[8];
	struct strbuf value = STRBUF_INIT(8);

	assert_true(manifest_meta_get(f->world.manifest, "etag_is_md5", &value,
	    &f->world.error) >= 0);
	snprintf(text, sizeof(text), "%s", strbuf_text(&value));
	strbuf_release(&value);
	return text;
}

static void an_upload_whose_etag_is_no_md5_is_read_back(void **state)
{
	struct fixture *f = *state;

	have_file(f, "md5", 5);
	assert_int_equal(cycle(f), 0);
	assert_string_equal(etags(f), "yes");
	f->world.store.etags = SIM_ETAGS_SILENT;
	have_file(f, "silent", LARGE);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 0);
	assert_synced(f, "silent");
	assert_memory_equal(entry(f, "silent")->md5,
	    sim_store_find(&f->world.store, "silent", 6)->content->md5, 16);
	assert_string_equal(etags(f), "no");
	assert_int_equal(f->world.bucket.usage.requests[S3_KIND_GET], 1);
	have_file(f, "next", 5);
	have_object(f, "theirs", 5);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "next");
	assert_synced(f, "theirs");
	assert_int_equal(f->world.bucket.usage.requests[S3_KIND_GET], 2);
	f->world.store.etags = SIM_ETAGS_MD5;
	have_object(f, "old", 5);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "old");
	assert_null(entry(f, "old")->md5);
	assert_string_equal(etags(f), "no");
}

static void what_cannot_be_read_back_is_not_agreed(void **state)
{
	struct fixture *f = *state;

	f->world.store.etags = SIM_ETAGS_SILENT;
	have_file(f, "k", 5);
	sim_script(&f->world.sim, FAULT_GET_CUT, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_string_equal(pending(f, "k")->reason, "damaged");
	assert_null(entry(f, "k"));
	assert_string_equal(etags(f), "");
}

static void a_bucket_of_silent_etags_is_known_after_two_looks(void **state)
{
	struct fixture *f = *state;
	char key[8];

	f->patient = true;
	f->world.store.etags = SIM_ETAGS_SILENT;
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		have_object(f, key, i == 5 ? LARGE : 5);
	}
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 6);
	assert_string_equal(etags(f), "");
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 2); /* the third object proves it */
	assert_string_equal(etags(f), "no");
	assert_int_equal(cycle(f), 0);
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_synced(f, key);
	}
}

static void one_that_does_not_match_among_those_that_do_is_refused(void **state)
{
	struct fixture *f = *state;
	char key[8];

	f->patient = true;
	have_object(f, "md5", 5);
	f->world.store.etags = SIM_ETAGS_SILENT;
	for (int i = 0; i < 6; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		have_object(f, key, 5);
	}
	for (int i = 0; i < 4; i++) {
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 6);
		assert_string_equal(etags(f), "yes");
		assert_false(is_file(f, "k0"));
	}
	assert_synced(f, "md5");
}

static void what_comes_back_must_be_what_was_here(void **state)
{
	static const int64_t sizes[] = { 5, LARGE };
	struct fixture *f = *state;
	char key[16];

	f->patient = true;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(key, sizeof(key), "%u", i);
		f->world.store.etags = SIM_ETAGS_KMS; /* the ETag says nothing */
		have_file(f, key, sizes[i]);
		assert_int_equal(cycle(f), 0);
		sim_tree_remove(&f->world.tree, key, strlen(key));
		f->world.store.etags = SIM_ETAGS_MD5; /* GETs may go wrong */
		sim_script(&f->world.sim, FAULT_GET_CORRUPT, 2 * i, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_non_null(strstr(pending(f, key)->error, "here before"));
		assert_false(is_file(f, key));
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
	}
}

static void an_object_without_content_tells_what_etags_are(void **state)
{
	struct fixture *f = *state;

	f->world.store.etags = SIM_ETAGS_SILENT;
	have_object(f, "empty", 0);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "empty");
	assert_string_equal(etags(f), "no");
}

static void an_object_that_was_replaced(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	plan(f);
	have_object(f, "k", 5);
	assert_int_equal(perform(f), 0);
	assert_int_equal(f->deferred, 1);
	assert_false(is_file(f, "k"));
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void an_object_that_vanished(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	plan(f);
	sim_store_remove(&f->world.store, "k", 1);
	assert_int_equal(perform(f), 0);
	assert_int_equal(f->deferred, 1);
	plan(f);
	assert_null(pending(f, "k"));
}

static void an_object_that_was_archived(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", 5);
	plan(f);
	sim_store_find(&f->world.store, "k", 1)->archived = true;
	assert_int_equal(perform(f), 0);
	assert_int_equal(f->result.waiting, 1);
	assert_int_equal(f->failed, 0);
	assert_string_equal(pending(f, "k")->reason, "archived");
	plan(f);
	assert_int_equal(f->found.down, 0);
	assert_int_equal(f->found.waiting, 1);
}

static void a_cut_off_download_is_tried_again(void **state)
{
	struct fixture *f = *state;

	have_object(f, "k", LARGE);
	sim_script(&f->world.sim, FAULT_GET_CUT, 2, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_false(is_file(f, "k"));
	f->patient = true;
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

/* The attempt breaks after ${n} pieces, and begins anew: at each place, in
 * the middle of hashing, too. */
static void a_large_download_that_starts_over(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (unsigned n = 0; n < 40; n++) {
		snprintf(key, sizeof(key), "%u", n);
		have_object(f, key, n % 8 == 0 ? HUGE : LARGE);
		sim_script(&f->world.sim, FAULT_RETRIED,
		    n % 8 == 0 ? 3 * n : n % 8, 1 + n % 3);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 0);
		assert_synced(f, key);
	}
	assert_true(f->world.bucket.usage.retries > 40);
}

/*
 * All within one wait, so that the checksum of what had come before is still
 * being made when the attempt breaks.
 */
static void break_while_hashing(struct fixture *f, const char *key,
    enum sim_fault fault)
{
	f->world.bucket.steps = 1000;
	have_object(f, key, HUGE);
	plan(f);
	sim_script(&f->world.sim, FAULT_RETRIED, 16, 1);
	sim_script(&f->world.sim, fault, 1, 1);
	f->status = perform(f);
	sim_script(&f->world.sim, fault, 0, 0);
	f->world.bucket.steps = 0;
}

static void a_download_that_starts_over_while_it_is_hashed(void **state)
{
	struct fixture *f = *state;

	break_while_hashing(f, "k", FAULT_PAGE_FAILED);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->failed, 0);
	assert_synced(f, "k");
	assert_int_equal(f->world.bucket.usage.retries, 1);
}

static void a_download_that_fails_while_it_is_hashed(void **state)
{
	static const struct {
		enum sim_fault fault;
		int status, failed, deferred;
	} cases[] = {
		{ FAULT_FAILED, 0, 1, 0 },
		{ FAULT_DENIED, 0, 1, 0 },
		{ FAULT_GET_RIVAL, 0, 0, 1 },
		{ FAULT_REFUSED, -1, 0, 0 },
	};
	struct fixture *f = *state;
	char key[16];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(key, sizeof(key), "%zu", i);
		break_while_hashing(f, key, cases[i].fault);
		assert_int_equal(f->status, cases[i].status);
		assert_int_equal(f->failed, cases[i].failed);
		assert_int_equal(f->deferred, cases[i].deferred);
		assert_false(is_file(f, key));
		f->patient = true;
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
	}
}

/*
 * Uploads that go wrong on the way
 */

static void somebody_was_faster(void **state)
{
	struct fixture *f = *state;

	have_file(f, "k", 5);
	sim_script(&f->world.sim, FAULT_PUT_RIVAL, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->deferred, 1);
	assert_int_equal(f->world.store.written_by_program, 0);
	plan(f);
	assert_int_equal(f->found.up, 0);
}

/* The object is there, but we were told otherwise: met again, not sent. */
static void a_reply_that_was_lost(void **state)
{
	static const enum sim_fault faults[] = { FAULT_PUT_LOST_REPLY,
		FAULT_PUT_SELF_412 };
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		const char *key = i == 0 ? "0" : "1";

		have_file(f, key, LARGE);
		sim_script(&f->world.sim, faults[i], 0, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->transferred, 0);
		plan(f);
		assert_int_equal(f->found.adopted, 1);
		assert_int_equal(f->found.up, 0);
		assert_null(pending(f, key));
		assert_same_content(f, key);
	}
	assert_int_equal(f->world.store.written_by_program, 2);
}

static void a_damaged_object_is_never_agreed(void **state)
{
	struct fixture *f = *state;

	have_file(f, "k", 5);
	sim_script(&f->world.sim, FAULT_PUT_CORRUPT, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(cycle(f), 0);
		assert_string_equal(pending(f, "k")->reason, "damaged");
		assert_null(entry(f, "k"));
		assert_int_equal(f->found.waiting, 1);
	}
	sim_store_remove(&f->world.store, "k", 1);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

/*
 * At each read in turn the file is edited, or its name given to another: what
 * arrives is whole or nothing, and is never taken for the new content.
 */
static int disturb_upload(struct fixture *f, enum sim_fault fault, int64_t size)
{
	static unsigned keys;
	int deferred = 0;
	char key[16];

	for (unsigned skip = 0;; skip++) {
		snprintf(key, sizeof(key), "%u", keys++);
		have_file(f, key, size);
		sim_script(&f->world.sim, fault, skip, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 0);
		deferred += f->deferred;
		if (f->world.sim.dials[fault].times > 0)
			break; /* it was read less often */
		assert_int_equal(cycle(f), 0);
		assert_true(is_object(f, key));
	}
	f->world.sim.dials[fault].times = 0;
	return deferred;
}

static void an_upload_whose_file_changes(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 10; i++) {
		assert_in_range(disturb_upload(f, FAULT_READ_EDITED, 5), 1, 9);
		assert_in_range(disturb_upload(f, FAULT_READ_REPLACED, 5), 1,
		    9);
		assert_in_range(disturb_upload(f, FAULT_READ_EDITED, LARGE), 9,
		    99);
		assert_in_range(disturb_upload(f, FAULT_READ_REPLACED, LARGE),
		    9, 99);
	}
}

static void an_upload_that_cannot_be_read(void **state)
{
	struct fixture *f = *state;

	have_file(f, "k", LARGE);
	sim_script(&f->world.sim, FAULT_READ_OPEN, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	f->patient = true;
	for (unsigned skip = 0; skip < 12; skip += 3) {
		sim_script(&f->world.sim, FAULT_READ, skip, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_false(is_object(f, "k"));
	}
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

static void a_file_that_vanishes_is_nobodys_failure(void **state)
{
	struct fixture *f = *state;

	have_file(f, "k", 5);
	plan(f);
	sim_tree_remove(&f->world.tree, "k", 1);
	assert_int_equal(perform(f), 0);
	assert_int_equal(f->failed, 0);
	assert_int_equal(f->deferred, 1);
	plan(f);
	assert_null(pending(f, "k"));
}

static void a_large_upload_that_starts_over(void **state)
{
	struct fixture *f = *state;

	have_file(f, "k", LARGE);
	sim_script(&f->world.sim, FAULT_RETRIED, 5, 4);
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
	assert_int_equal(f->result.bytes_up, LARGE);
}

/*
 * Progress, and a manifest that cannot be written
 */

static void progress_comes_to_an_end(void **state)
{
	struct fixture *f = *state;

	have_object(f, "a", LARGE);
	have_file(f, "b", LARGE);
	have_file(f, "c", 5);
	f->settle_ns =
	    CLOCK_SECOND; /* some waiting at the end, to see it all */
	f->patient = true;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->progress.keys_total, 3);
	assert_int_equal(f->progress.bytes_total, 2 * LARGE + 5);
	assert_in_range(f->progress.keys_done, 1, 3);
	assert_in_range(f->progress.bytes_done, 5, 2 * LARGE + 5);
}

static void a_manifest_that_cannot_be_written_ends_it(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%03d", i);
		have_object(f, key, 5);
	}
	plan(f);
	sim_fixture_freeze_files(8192);
	assert_int_equal(perform(f), -1);
	sim_fixture_freeze_files(RLIM_INFINITY);
	assert_int_equal(f->world.error.kind, ERROR_MANIFEST);
	assert_int_equal(cycle(f), 0); /* what had come is adopted */
	assert_agreed(f, 300);
}

/*
 * Stopping
 */

static void stop_now(void *arg)
{
	((struct fixture *)arg)->stop = 1;
}

static void stopping_loses_nothing(void **state)
{
	struct fixture *f = *state;
	char key[16];
	int64_t asked_ns;

	for (int i = 0; i < 30; i++) {
		snprintf(key, sizeof(key), "%02d", i);
		if (i % 2 == 0)
			have_file(f, key, LARGE);
		else
			have_object(f, key, LARGE);
	}
	plan(f);
	f->world.sim.world = stop_now;
	f->world.sim.arg = f;
	asked_ns = f->world.sim.mono_ns;
	assert_int_equal(perform(f), 0);
	assert_true(f->result.stopped);
	assert_true(f->world.sim.mono_ns - asked_ns < 5 * CLOCK_SECOND);
	assert_int_equal(f->failed, 0);
	assert_true(f->transferred < 30);
	f->world.sim.world = NULL;
	f->stop = 0;
	assert_int_equal(cycle(f), 0);
	assert_agreed(f, 30);
}

/*
 * Downloads in ranges
 */

#define PART (64 * 1024)
#define PARTS 10 /* of LARGE */

static void in_ranges(struct fixture *f)
{
	f->threshold = f->part_size = PART;
	f->patient = true;
}

static int64_t asked(struct fixture *f)
{
	int64_t *counted = &f->world.bucket.usage.requests[S3_KIND_GET];
	int64_t count = *counted;

	*counted = 0;
	return count;
}

static bool is_begun(struct fixture *f, const char *key)
{
	struct manifest_download row;
	int found = manifest_resume_download_find(f->world.manifest, key,
	    strlen(key), &row, &f->world.error);

	assert_true(found >= 0);
	assert_int_equal(found, f->world.tree.temp_count);
	if (found > 0)
		assert_string_equal(row.name, f->world.tree.temps[0]->name);
	return found > 0;
}

static void a_large_object_comes_in_ranges(void **state)
{
	struct fixture *f = *state;

	in_ranges(f);
	have_object(f, "k", LARGE);
	sim_store_find(&f->world.store, "k", 1)->meta_mtime_ns = 77;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), PARTS);
	assert_int_equal(f->result.bytes_down, LARGE);
	assert_synced(f, "k");
	assert_false(is_begun(f, "k"));
	assert_int_equal(
	    sim_tree_find(&f->world.tree, "k", 1)->inode->sig.mtime_ns, 77);
	assert_agreed(f, 1);
}

static void sizes_around_the_threshold(void **state)
{
	static const struct {
		int64_t size;
		int gets;
	} cases[] = {
		{ 0, 1 },
		{ 2 * PART - 1, 1 },
		{ 2 * PART, 2 },
		{ 2 * PART + 1, 3 },
		{ 3 * PART - 1, 3 },
		{ 3 * PART, 3 },
	};
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	f->threshold = 2 * PART;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(key, sizeof(key), "%zu", i);
		have_object(f, key, cases[i].size);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(asked(f), cases[i].gets);
		assert_synced(f, key);
	}
	f->part_size = 3 * PART; /* one range would be the whole */
	have_object(f, "k", 3 * PART);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), 1);
	assert_synced(f, "k");
}

static void parts_grow_so_that_they_are_not_too_many(void **state)
{
	const int64_t mib = 1 << 20, limit = 10000 * (5 * mib);

	(void)state;
	assert_int_equal(transfer_parts_size(5 * mib, 1), 5 * mib);
	assert_int_equal(transfer_parts_size(5 * mib, limit), 5 * mib);
	assert_int_equal(transfer_parts_size(5 * mib, limit + 1), 6 * mib);
	assert_int_equal(transfer_parts_size(5 * mib, 5 * mib * mib),
	    525 * mib); /* 5 TiB */
}

static void note_requests(void *arg)
{
	struct fixture *f = arg;

	if (f->world.bucket.count > f->most_requests)
		f->most_requests = f->world.bucket.count;
}

static void ranges_share_the_slots(void **state)
{
	static const size_t jobs[] = { 1, 3, 20 };
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	f->world.sim.world = note_requests;
	f->world.sim.arg = f;
	for (size_t i = 0; i < 3; i++) {
		f->jobs = jobs[i];
		f->most_requests = 0;
		snprintf(key, sizeof(key), "%zu", i);
		have_object(f, key, LARGE);
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
		assert_int_equal(f->most_requests, jobs[i] < 8 ? jobs[i] : 8);
	}
	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "large%d", i);
		have_object(f, key, LARGE);
	}
	f->most_requests = 0;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->most_requests, 20);
	assert_agreed(f, 8);
}

/* Neither starves the other, whichever comes first. */
static void small_ones_and_ranges_take_turns(void **state)
{
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	f->part_size = LARGE / 30;
	f->jobs = 2;
	have_object(f, "large", LARGE);
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "%c%02d", i % 2 ? 'a' : 'z', i);
		have_object(f, key, 5);
	}
	assert_int_equal(cycle(f), 0);
	assert_in_range(f->large_at, 40, 58);
	assert_agreed(f, 61);
}

/* Whatever request fails, the next cycle asks for what is missing only. */
static void each_range_may_fail(void **state)
{
	static const enum sim_fault faults[] = { FAULT_FAILED, FAULT_DENIED,
		FAULT_GET_CUT, FAULT_WRITE };
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	for (unsigned i = 0; i < 4 * PARTS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, LARGE);
		sim_script(&f->world.sim, faults[i / PARTS], i % PARTS, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_true(is_begun(f, key));
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
		assert_false(is_begun(f, key));
		/* those that were under way when it failed */
		assert_in_range(asked(f), PARTS, PARTS + f->jobs);
	}
}

static void a_range_that_starts_over(void **state)
{
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	for (unsigned i = 0; i < PARTS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, LARGE);
		sim_script(&f->world.sim, FAULT_RETRIED, i, 2);
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
		assert_int_equal(asked(f), PARTS + 2);
	}
}

static void an_object_that_is_replaced_between_ranges(void **state)
{
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	for (unsigned i = 0; i < PARTS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, LARGE);
		sim_script(&f->world.sim, FAULT_GET_RIVAL, i, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->deferred, 1);
		assert_false(is_file(f, key));
		assert_false(is_begun(f, key));
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
	}
}

static void a_server_without_ranges(void **state)
{
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	for (unsigned i = 0; i < PARTS; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, LARGE);
		sim_script(&f->world.sim, FAULT_GET_NO_RANGES, i, 100);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed + f->deferred, 0);
		assert_synced(f, key);
		assert_false(is_begun(f, key));
	}
	asked(f);
	f->jobs = 1; /* and it is not asked twice in one run */
	have_object(f, "a", LARGE);
	have_object(f, "b", LARGE);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), 3);
}

static void etags_of_what_came_in_ranges(void **state)
{
	static const enum sim_etags kinds[] = { SIM_ETAGS_KMS,
		SIM_ETAGS_OPAQUE };
	struct fixture *f = *state;

	in_ranges(f);
	for (size_t i = 0; i < 2; i++) {
		const char *key = i == 0 ? "0" : "1";

		f->world.store.etags = kinds[i];
		have_object(f, key, LARGE);
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
		assert_memory_equal(entry(f, key)->md5,
		    sim_store_find(&f->world.store, key, 1)->content->md5, 16);
	}
}

/* It cannot be told which range it was. */
static void a_corrupt_range_costs_all_of_it(void **state)
{
	struct fixture *f = *state;

	in_ranges(f);
	have_object(f, "k", LARGE);
	sim_script(&f->world.sim, FAULT_GET_CORRUPT, 4, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_false(is_file(f, "k"));
	assert_false(is_begun(f, "k"));
	assert_int_equal(cycle(f), 0);
	assert_synced(f, "k");
}

/* A full disk needs the room; what cannot be synced or read is of no use. */
static void what_is_not_gone_on_with(void **state)
{
	static const enum sim_fault faults[] = { FAULT_NO_SPACE, FAULT_REREAD,
		FAULT_SYNC };
	struct fixture *f = *state;
	char key[16];

	in_ranges(f);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(key, sizeof(key), "%u", i);
		have_object(f, key, LARGE);
		sim_script(&f->world.sim, faults[i], 0, 1);
		if (faults[i] == FAULT_SYNC)
			sim_script(&f->world.sim, FAULT_FAILED, 5, 1);
		assert_int_equal(cycle(f), 0);
		assert_int_equal(f->failed, 1);
		assert_false(is_begun(f, key));
		assert_int_equal(cycle(f), 0);
		assert_synced(f, key);
	}
}

/* Leaves some of "k" on the disk. */
static void begin_and_fail(struct fixture *f)
{
	in_ranges(f);
	have_object(f, "k", LARGE);
	sim_script(&f->world.sim, FAULT_FAILED, 6, 1);
	assert_int_equal(cycle(f), 0);
	assert_true(is_begun(f, "k"));
	asked(f);
}

static void what_was_begun_and_is_not_wanted_is_dropped(void **state)
{
	struct fixture *f = *state;

	begin_and_fail(f);
	sim_store_remove(&f->world.store, "k", 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->found.up + f->found.down, 0);
	assert_false(is_begun(f, "k"));

	begin_and_fail(f);
	have_file(f, "k", 5);
	assert_int_equal(cycle(f), 0);
	assert_false(is_begun(f, "k"));
}

static void what_was_begun_of_another_object_is_dropped(void **state)
{
	struct fixture *f = *state;

	begin_and_fail(f);
	have_object(f, "k", LARGE);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), PARTS);
	assert_synced(f, "k");
}

static void what_was_begun_waits_for_its_turn(void **state)
{
	struct fixture *f = *state;

	begin_and_fail(f);
	f->patient = false;
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), 0);
	assert_true(is_begun(f, "k"));
}

static void a_temporary_file_that_was_removed(void **state)
{
	struct fixture *f = *state;

	begin_and_fail(f);
	f->world.tree.base.ops->write_forget(&f->world.tree.base,
	    f->world.tree.temps[0]->name);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), PARTS);
	assert_synced(f, "k");
}

/* The ranges are as they were begun, whatever the options say now. */
static void other_part_sizes_than_it_was_begun_with(void **state)
{
	struct fixture *f = *state;

	begin_and_fail(f);
	f->part_size = 1000;
	assert_int_equal(cycle(f), 0);
	assert_in_range(asked(f), 1, PARTS - 1);
	assert_synced(f, "k");
}

/* But for the object's time, which a reply must tell. */
static void all_of_it_was_on_the_disk(void **state)
{
	struct fixture *f = *state;
	const unsigned char all[] = { 0xff, 0x03 };
	struct manifest_download row;
	struct sim_object *o;
	struct sim_temp *temp;

	begin_and_fail(f);
	o = sim_store_find(&f->world.store, "k", 1);
	o->meta_mtime_ns = 77;
	temp = f->world.tree.temps[0];
	memcpy(temp->bytes, o->content->bytes, LARGE);
	temp->size = LARGE;
	assert_int_equal(manifest_resume_download_find(f->world.manifest, "k",
	    1, &row, &f->world.error), 1);
	assert_int_equal(row.done_len, sizeof(all));
	row.done = all;
	assert_int_equal(
	    manifest_resume_download_put(f->world.manifest, &row), 0);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(asked(f), 1);
	assert_synced(f, "k");
	assert_int_equal(
	    sim_tree_find(&f->world.tree, "k", 1)->inode->sig.mtime_ns, 77);
}

/* What is whole by then is on the disk, and in the manifest. */
static void stopping_keeps_what_has_come(void **state)
{
	struct fixture *f = *state;
	struct manifest_download row;
	int64_t asked_ns;

	in_ranges(f);
	for (int i = 0; i < 10; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		have_object(f, key, LARGE);
	}
	plan(f);
	f->world.sim.dials[FAULT_RETRIED].per_mille = 500; /* slow */
	f->world.sim.world = stop_now;
	f->world.sim.arg = f;
	asked_ns = f->world.sim.mono_ns;
	assert_int_equal(perform(f), 0);
	assert_true(f->result.stopped);
	assert_true(f->world.sim.mono_ns - asked_ns < 5 * CLOCK_SECOND);
	assert_int_equal(f->failed, 0);
	assert_in_range(f->world.tree.temp_count, 1, f->jobs);
	assert_int_equal(manifest_resume_download_find(f->world.manifest, "0",
	    1, &row, &f->world.error), 1);
	assert_true(row.done[0] != 0);
	f->world.sim.dials[FAULT_RETRIED].per_mille = 0;
	f->world.sim.world = NULL;
	f->stop = 0;
	asked(f);
	assert_int_equal(cycle(f), 0);
	assert_true(asked(f) < 10 * PARTS);
	assert_agreed(f, 10);
}

static void without_room_the_next_ones_wait(void **state)
{
	struct fixture *f = *state;

	in_ranges(f);
	have_object(f, "a", LARGE);
	have_object(f, "b", LARGE);
	f->jobs = 1;
	sim_script(&f->world.sim, FAULT_NO_SPACE, 0, 1);
	assert_int_equal(cycle(f), 0);
	assert_int_equal(f->failed, 1);
	assert_int_equal(f->result.waiting, 1);
	assert_int_equal(cycle(f), 0);
	assert_agreed(f, 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(both_ways_at_once),
		T(many_keys_in_few_jobs),
		T(many_keys_in_many_jobs),
		T(times_travel_with_the_content),
		T(etags_that_are_no_md5),
		T(signed_payloads),
		T(the_backoff_is_five_fold),
		T(a_failure_waits_for_its_turn),
		T(patience_does_not_wait_for_a_backoff),
		T(a_change_clears_the_backoff),
		T(a_young_file_waits),
		T(patience_waits_until_it_has_settled),
		T(patience_has_an_end),
		T(a_file_of_the_future_does_not_wait),
		T(a_clock_that_is_set_back_stops_nothing),
		T(a_clock_that_is_set_back_meanwhile_stops_nothing),
		T(a_full_disk_stops_what_is_as_large),
		T(a_full_disk_is_tried_again_soon),
		T(a_full_disk_counts_once),
		T(sixteen_network_failures_end_it),
		T(a_refusal_ends_it_at_once),
		T(a_broken_event_loop_ends_it),
		T(access_denied_is_one_keys_failure),
		T(local_failures_of_downloads),
		T(reading_back_may_fail),
		T(a_published_file_of_which_nothing_is_sure),
		T(a_taken_name_is_left_alone),
		T(an_edit_right_after_publication_is_racy),
		T(another_size_than_listed),
		T(corrupt_bytes_are_found_out),
		T(an_upload_whose_etag_is_no_md5_is_read_back),
		T(what_cannot_be_read_back_is_not_agreed),
		T(a_bucket_of_silent_etags_is_known_after_two_looks),
		T(one_that_does_not_match_among_those_that_do_is_refused),
		T(what_comes_back_must_be_what_was_here),
		T(an_object_without_content_tells_what_etags_are),
		T(an_object_that_was_replaced),
		T(an_object_that_vanished),
		T(an_object_that_was_archived),
		T(a_cut_off_download_is_tried_again),
		T(a_large_download_that_starts_over),
		T(a_download_that_starts_over_while_it_is_hashed),
		T(a_download_that_fails_while_it_is_hashed),
		T(somebody_was_faster),
		T(a_reply_that_was_lost),
		T(a_damaged_object_is_never_agreed),
		T(an_upload_whose_file_changes),
		T(an_upload_that_cannot_be_read),
		T(a_file_that_vanishes_is_nobodys_failure),
		T(a_large_upload_that_starts_over),
		T(progress_comes_to_an_end),
		T(a_manifest_that_cannot_be_written_ends_it),
		T(stopping_loses_nothing),
		T(a_large_object_comes_in_ranges),
		T(sizes_around_the_threshold),
		T(parts_grow_so_that_they_are_not_too_many),
		T(ranges_share_the_slots),
		T(small_ones_and_ranges_take_turns),
		T(each_range_may_fail),
		T(a_range_that_starts_over),
		T(an_object_that_is_replaced_between_ranges),
		T(a_server_without_ranges),
		T(etags_of_what_came_in_ranges),
		T(a_corrupt_range_costs_all_of_it),
		T(what_is_not_gone_on_with),
		T(what_was_begun_and_is_not_wanted_is_dropped),
		T(what_was_begun_of_another_object_is_dropped),
		T(what_was_begun_waits_for_its_turn),
		T(a_temporary_file_that_was_removed),
		T(other_part_sizes_than_it_was_begun_with),
		T(all_of_it_was_on_the_disk),
		T(stopping_keeps_what_has_come),
		T(without_room_the_next_ones_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
