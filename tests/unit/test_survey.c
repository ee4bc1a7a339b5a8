/* SPDX-License-Identifier: MIT */
/*
 * The survey against the model: ten thousand small worlds of awkward names,
 * each compared key by key. Then, one by one, what a merge must not get wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../sim/sim_model.h"
#include "../sim/sim_user.h"
#include "base/path.h"
#include "sim_fixture.h"
#include "sync/survey.h"

#define RANDOM_WORLDS 10000

static char *suffixes[] = { (char *)".completed", (char *)".failed" };
static const struct conf_words done_suffixes = { suffixes, 2, 2 };

struct fixture {
	struct sim_fixture world;
	const struct conf_words *done;
	bool dry;
	volatile sig_atomic_t stop;
	struct survey_result result;
	int noticed;
	int64_t seen;
	const char *taken; /* while the survey runs, by somebody else */
};

static int setup(void **state)
{
	struct fixture *f = alloc_zero(1, sizeof(*f));

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

static void notice(void *arg, enum decide_reason reason, const char *key,
    size_t key_len, const char *detail)
{
	(void)reason;
	(void)key;
	(void)key_len;
	(void)detail;
	((struct fixture *)arg)->noticed++;
}

static void progress(void *arg, int64_t seen)
{
	((struct fixture *)arg)->seen = seen;
}

static int survey(struct fixture *f)
{
	const struct survey_request request = {
		.tree = &f->world.tree.base,
		.bucket = &f->world.bucket.base,
		.manifest = f->world.manifest,
		.filter = f->world.filter,
		.done_suffixes = f->done,
		.dry = f->dry,
		.stop = &f->stop,
		.noticed = notice,
		.progress = progress,
		.arg = f,
	};

	f->noticed = 0;
	return survey_run(&request, &f->result, &f->world.error);
}

static void assert_promises(struct fixture *f)
{
	assert_string_equal(f->world.sim.broken, "");
}

/* Surveys, and compares with the model; then again, which changes nothing. */
static void survey_exactly(struct fixture *f)
{
	const struct sim_model model = {
		.tree = &f->world.tree,
		.store = &f->world.store,
		.filter = f->world.filter,
		.done_suffixes = f->done,
	};
	struct sim_table before, after, again;

	sim_table_read(&before, f->world.manifest);
	assert_int_equal(survey(f), 0);
	sim_table_read(&after, f->world.manifest);
	sim_model_check(&model, &before, &after, &f->result);
	assert_promises(f);

	assert_int_equal(survey(f), 0);
	sim_table_read(&again, f->world.manifest);
	sim_model_check(&model, &after, &again, &f->result);
	assert_promises(f);
	assert_string_equal(strbuf_text(&after.text), strbuf_text(&again.text));
	assert_int_equal(f->noticed, 0);

	sim_table_release(&before);
	sim_table_release(&after);
	sim_table_release(&again);
}

/*
 * Random worlds
 */

static void forget_rows(struct sim_fixture *w)
{
	struct sim_table table;

	sim_table_read(&table, w->manifest);
	for (size_t i = 0; i < table.count; i++) {
		manifest_entry_drop(w->manifest, table.rows[i].key,
		    table.rows[i].len);
		manifest_pending_drop(w->manifest, table.rows[i].key,
		    table.rows[i].len);
	}
	assert_int_equal(manifest_commit(w->manifest, &w->error), 0);
	sim_table_release(&table);
}

static struct local_sig some_local(struct sim_fixture *w,
    const struct sim_key *key)
{
	const struct sim_node *n =
	    sim_tree_find(&w->tree, key->bytes, key->len);
	struct local_sig sig = { 5, 1, 2, 3 };

	if (n != NULL && n->kind == SIM_FILE)
		sig = n->inode->sig;
	if (sim_chance(&w->sim, 200))
		sig.ctime_ns++;
	return sig;
}

static struct remote_sig some_remote(struct sim_fixture *w,
    const struct sim_key *key)
{
	const struct sim_object *o =
	    sim_store_find(&w->store, key->bytes, key->len);
	struct remote_sig sig = { .size = 5, .mtime_ms = 7 };

	if (o != NULL)
		sig = o->sig;
	if (sim_chance(&w->sim, 200))
		sig.size++;
	if (sim_chance(&w->sim, 200))
		sig.mtime_ms = SIGNATURE_MTIME_UNKNOWN;
	return sig;
}

static void remember_entry(struct sim_fixture *w, const struct sim_key *key)
{
	const struct manifest_entry entry = {
		.key = key->bytes,
		.key_len = key->len,
		.state = sim_chance(&w->sim, 500) ? MANIFEST_SYNCED
						  : MANIFEST_ASSUMED,
		.local = some_local(w, key),
		.remote = some_remote(w, key),
	};

	manifest_entry_put(w->manifest, &entry);
}

static void remember_pending(struct sim_fixture *w, const struct sim_key *key)
{
	static const enum decide_reason reasons[] = { REASON_DAMAGED,
		REASON_DAMAGED, REASON_NEW_LOCAL, REASON_UNKNOWN,
		REASON_BLOCKED_TYPE };
	const struct manifest_pending row = {
		.key = key->bytes,
		.key_len = key->len,
		.action = "none",
		.reason = decide_reason_name(reasons[sim_below(&w->sim, 5)]),
		.has_local = sim_chance(&w->sim, 800),
		.has_remote = sim_chance(&w->sim, 800),
		.local = some_local(w, key),
		.remote = some_remote(w, key),
		.attempts = 1,
	};

	manifest_pending_put(w->manifest, &row);
}

/* Both sides often have files of equal size under one name. */
static void populate(struct sim_fixture *w, struct sim_user *user)
{
	sim_user_init(user, &w->store);
	user->trees[user->tree_count++] = &w->tree;
	for (size_t acts = 3 * user->key_count; acts > 0; acts--)
		sim_user_act(user);
	for (size_t i = 0; i < user->key_count; i++) {
		if (user->keys[i].len > PATH_KEY_MAX)
			continue;
		if (sim_chance(&w->sim, 400))
			remember_entry(w, &user->keys[i]);
		if (sim_chance(&w->sim, 200))
			remember_pending(w, &user->keys[i]);
	}
	assert_int_equal(manifest_commit(w->manifest, &w->error), 0);
}

static void it_finds_what_the_model_finds(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;
	struct sim_user user;

	assert_int_equal(filter_add(w->filter, false, "temp_*", &w->error), 0);
	for (int i = 0; i < RANDOM_WORLDS; i++) {
		w->store.prefix = w->bucket.base.prefix = i % 2 ? "p/" : "";
		w->bucket.base.prefix_len = strlen(w->store.prefix);
		w->store.etags =
		    (enum sim_etags)(sim_below(&w->sim, SIM_ETAGS_COUNT));
		f->done = i % 3 ? &done_suffixes : NULL;
		populate(w, &user);
		survey_exactly(f);
		forget_rows(w);
		sim_tree_release(&w->tree);
		sim_store_release(&w->store);
	}
}

/*
 * One by one
 */

static const char *reason(struct fixture *f, const char *key)
{
	const struct manifest_pending *row =
	    sim_fixture_pending(&f->world, key);

	return row != NULL ? row->reason : "none";
}

static void no_keys_at_all(void **state)
{
	struct fixture *f = *state;

	survey_exactly(f);
	assert_int_equal(f->result.local_keys + f->result.remote_keys, 0);
}

/* "a-" < "a/b" < "a0": the scan must see it as the listing does. */
static void both_sides_come_in_one_order(void **state)
{
	static const char *const keys[] = { "a", "a-", "a-/x", "a/b", "a/b-",
		"a/b/c", "a0", "a\x01", "a\xc3\xa9/x", "aa" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 10; i++) {
		if (strcmp(keys[i], "a") != 0 && strcmp(keys[i], "a-") != 0 &&
		    strcmp(keys[i], "a/b") != 0)
			sim_fixture_file(&f->world, keys[i], 5);
		sim_fixture_object(&f->world, keys[i], 5);
	}
	survey_exactly(f);
	assert_int_equal(f->result.agreed, 7);
	assert_string_equal(reason(f, "a"), "blocked-type");
	assert_string_equal(reason(f, "a-"), "blocked-type");
	assert_string_equal(reason(f, "a/b"), "blocked-type");
}

/* The byte after a key's last is not the key's. */
static void what_follows_a_key_in_memory_does_not_count(void **state)
{
	struct fixture *f = *state;
	struct sim_object *o;

	f->world.store.etags = SIM_ETAGS_OPAQUE;
	sim_fixture_object(&f->world, "a", 5);
	o = sim_store_find(&f->world.store, "a", 1);
	o->etag[0] = '/';
	survey_exactly(f);
	assert_string_equal(reason(f, "a"), "new-remote");
}

static void a_name_that_became_a_symlink_keeps_its_base(void **state)
{
	struct fixture *f = *state;

	sim_fixture_file(&f->world, "a", 5);
	sim_fixture_object(&f->world, "a", 5);
	survey_exactly(f);
	sim_store_remove(&f->world.store, "a", 1);
	sim_tree_remove(&f->world.tree, "a", 1);
	sim_tree_make_other(&f->world.tree, "a", 1);
	survey_exactly(f);
	assert_non_null(sim_fixture_entry(&f->world, "a"));
	assert_string_equal(reason(f, "a"), "blocked-type");
}

static void of_two_holds_the_first_in_the_table_tells_why(void **state)
{
	struct fixture *f = *state;

	f->done = &done_suffixes;
	sim_fixture_object(&f->world, "a", 5);
	sim_store_find(&f->world.store, "a", 1)->archived = true;
	sim_fixture_object(&f->world, "a.completed", 5);
	survey_exactly(f);
	assert_string_equal(reason(f, "a"), "done");
	sim_tree_make_dir(&f->world.tree, "a", 1);
	survey_exactly(f);
	assert_string_equal(reason(f, "a"), "blocked-type");
}

/* "done" does not keep equal sides from being agreed; "damaged" does. */
static void a_hold_that_withholds_nothing_hides_none_that_does(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;
	const struct sim_key key = { (char *)"a", 1 };
	struct manifest_pending row = {
		.key = "a",
		.key_len = 1,
		.action = "none",
		.reason = "damaged",
		.has_local = true,
		.has_remote = true,
		.attempts = 1,
	};

	f->done = &done_suffixes;
	sim_fixture_file(w, "a", 5);
	sim_fixture_object(w, "a", 5);
	sim_fixture_file(w, "a.completed", 5);
	row.local = sim_tree_find(&w->tree, key.bytes, key.len)->inode->sig;
	row.remote = sim_store_find(&w->store, key.bytes, key.len)->sig;
	assert_int_equal(manifest_pending_put(w->manifest, &row), 0);
	survey_exactly(f);
	assert_string_equal(reason(f, "a"), "damaged");
	assert_null(sim_fixture_entry(w, "a"));
}

static void excluded_keys_are_not_seen(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;

	sim_fixture_file(w, "a/temp_1", 5);
	sim_fixture_object(w, "a/temp_1", 5);
	survey_exactly(f);
	assert_non_null(sim_fixture_entry(w, "a/temp_1"));
	assert_int_equal(filter_add(w->filter, false, "temp_*", &w->error), 0);
	survey_exactly(f);
	assert_null(sim_fixture_entry(w, "a/temp_1"));
	assert_int_equal(f->result.local_keys + f->result.remote_keys, 0);
}

static void what_is_unknown_is_never_called_absent(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;

	sim_fixture_file(w, "d/agreed", 5);
	sim_fixture_object(w, "d/agreed", 5);
	survey_exactly(f);
	sim_fixture_file(w, "d/new", 5);
	sim_fixture_object(w, "d/other", 5);
	sim_tree_lock(&w->tree, "d", 1, true);
	survey_exactly(f);
	assert_non_null(sim_fixture_entry(w, "d/agreed"));
	assert_string_equal(reason(f, "d/"), "unknown");
	assert_string_equal(reason(f, "d/other"), "unknown");
	assert_int_equal(f->result.up + f->result.down, 0);
	assert_int_equal(f->result.waiting, 3);
}

/* When the listing has come, the scan is over. */
static void take_the_name(void *arg)
{
	struct fixture *f = arg;
	struct sim_fixture *w = &f->world;

	if (w->bucket.usage.requests[S3_KIND_LIST] > 0 &&
	    w->bucket.count == 0 && w->tree.count == 0)
		sim_fixture_file(w, f->taken, 3);
}

static void assert_found_after_the_scan(struct fixture *f, const char *taken,
    const char *why)
{
	struct sim_fixture *w = &f->world;

	sim_fixture_object(w, "a/b", 5);
	w->bucket.page_keys = 10;
	f->taken = taken;
	w->sim.world = take_the_name;
	w->sim.arg = f;
	assert_int_equal(survey(f), 0);
	w->sim.world = NULL;
	assert_true(sim_fixture_has_file(w, taken));
	assert_string_equal(reason(f, "a/b"), why);
	assert_int_equal(f->result.down, 0);
	survey_exactly(f);
}

static void a_parent_that_appears_after_the_scan(void **state)
{
	assert_found_after_the_scan(*state, "a", "blocked-type");
}

static void a_name_that_is_taken_after_the_scan(void **state)
{
	assert_found_after_the_scan(*state, "a/b", "unknown");
}

static void a_directory_that_appears_after_the_scan(void **state)
{
	assert_found_after_the_scan(*state, "a/b/c", "blocked-type");
}

/*
 * What cannot be seen whole
 */

static void assert_nothing_planned(struct fixture *f)
{
	struct sim_table table;

	sim_table_read(&table, f->world.manifest);
	for (size_t i = 0; i < table.count; i++)
		assert_int_not_equal(table.rows[i].action, ACTION_DOWNLOAD);
	sim_table_release(&table);
}

static void a_root_that_cannot_be_read_ends_it(void **state)
{
	struct fixture *f = *state;

	sim_fixture_object(&f->world, "a", 5);
	sim_script(&f->world.sim, FAULT_SCAN_FAILED, 0, 1);
	assert_int_equal(survey(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_ROOT);
	assert_nothing_planned(f);
	survey_exactly(f);
}

static void a_listing_that_fails_ends_it(void **state)
{
	struct fixture *f = *state;

	sim_fixture_file(&f->world, "a", 5);
	sim_script(&f->world.sim, FAULT_PAGE_FAILED, 0, 1);
	assert_int_equal(survey(f), -1);
	assert_nothing_planned(f);
	survey_exactly(f);
	assert_string_equal(reason(f, "a"), "new-local");
}

static void a_broken_event_loop_ends_it(void **state)
{
	struct fixture *f = *state;

	sim_script(&f->world.sim, FAULT_WAIT, 0, 1);
	assert_int_equal(survey(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_NETWORK);
	survey_exactly(f);
}

static void it_stops_when_told(void **state)
{
	struct fixture *f = *state;

	f->stop = 1;
	assert_int_equal(survey(f), -1);
	assert_int_equal(f->world.error.kind, ERROR_STOPPED);
	f->stop = 0;
	survey_exactly(f);
}

/* An entry that is missed on both sides is dropped, but not by a plan. */
static void a_plan_writes_no_entry(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;

	sim_fixture_file(w, "gone", 5);
	sim_fixture_object(w, "gone", 5);
	survey_exactly(f);
	sim_tree_remove(&w->tree, "gone", 4);
	sim_store_remove(&w->store, "gone", 4);
	sim_fixture_file(w, "both", 5);
	sim_fixture_object(w, "both", 5);
	sim_fixture_file(w, "up", 5);
	f->dry = true;
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->result.adopted, 1);
	assert_int_equal(f->result.up, 1);
	assert_non_null(sim_fixture_entry(w, "gone"));
	assert_null(sim_fixture_entry(w, "both"));
	assert_string_equal(reason(f, "up"), "new-local");
	f->dry = false;
	survey_exactly(f);
	assert_null(sim_fixture_entry(w, "gone"));
}

static void a_manifest_that_cannot_be_written_ends_it(void **state)
{
	struct fixture *f = *state;
	char key[16];

	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "%03d", i);
		sim_fixture_object(&f->world, key, 5);
	}
	sim_fixture_freeze_files(8192);
	assert_int_equal(survey(f), -1);
	sim_fixture_freeze_files(RLIM_INFINITY);
	assert_int_equal(f->world.error.kind, ERROR_MANIFEST);
	survey_exactly(f);
}

/* More keys than one chunk of rows, one commit, one report of progress. */
static void many_keys(void **state)
{
	struct fixture *f = *state;
	struct sim_fixture *w = &f->world;
	char key[32];

	w->bucket.page_keys = 1000;
	for (int i = 0; i < 2200; i++) {
		snprintf(key, sizeof(key), "d%d/%04d", i % 3, i);
		sim_fixture_object(w, key, 1);
		snprintf(key, sizeof(key), "u%04d", i);
		sim_fixture_object(w, key, 1);
	}
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->result.down, 4400);
	assert_in_range(f->seen, 4096, 4400);
	assert_int_equal(manifest_uncommitted(w->manifest), 0);
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->result.down, 4400);
}

/* Told once, not in every cycle. */
static void news_are_told_once(void **state)
{
	struct fixture *f = *state;

	sim_fixture_file(&f->world, "a", 5);
	sim_fixture_object(&f->world, "a", 6);
	sim_fixture_object(&f->world, "../b", 5);
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->noticed, 2);
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->noticed, 0);
	sim_fixture_object(&f->world, "a", 7);
	assert_int_equal(survey(f), 0);
	assert_int_equal(f->noticed, 1);
}

static void when_a_file_has_settled(void **state)
{
	const int64_t now_ns = INT64_C(1000) * CLOCK_SECOND;
	const struct {
		int64_t mtime_s, ctime_s, at_s;
	} cases[] = {
		{ 900, 900, 902 },
		{ 900, 999, 1001 }, /* renamed, or its mode was set */
		{ 999, 900, 1001 },
		{ 1000, 1000, 1002 },
		{ 5000, 900, 902 }, /* a time of the future says nothing */
		{ 5000, 5000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct local_sig sig = {
			.mtime_ns = cases[i].mtime_s * CLOCK_SECOND,
			.ctime_ns = cases[i].ctime_s * CLOCK_SECOND,
		};

		assert_int_equal(
		    survey_settled_at(&sig, 2 * CLOCK_SECOND, now_ns),
		    cases[i].at_s * CLOCK_SECOND);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(no_keys_at_all),
		T(both_sides_come_in_one_order),
		T(what_follows_a_key_in_memory_does_not_count),
		T(a_name_that_became_a_symlink_keeps_its_base),
		T(of_two_holds_the_first_in_the_table_tells_why),
		T(a_hold_that_withholds_nothing_hides_none_that_does),
		T(excluded_keys_are_not_seen),
		T(what_is_unknown_is_never_called_absent),
		T(a_parent_that_appears_after_the_scan),
		T(a_name_that_is_taken_after_the_scan),
		T(a_directory_that_appears_after_the_scan),
		T(a_root_that_cannot_be_read_ends_it),
		T(a_listing_that_fails_ends_it),
		T(a_broken_event_loop_ends_it),
		T(it_stops_when_told),
		T(a_plan_writes_no_entry),
		T(a_manifest_that_cannot_be_written_ends_it),
		T(many_keys),
		T(news_are_told_once),
		T(when_a_file_has_settled),
		T(it_finds_what_the_model_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
