/* SPDX-License-Identifier: MIT */
/*
 * The remote stream: pages in order become one stream of keys, and a server
 * that breaks the rules of a listing is not believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim_fixture.h"
#include "base/path.h"
#include "sync/listing.h"

static int setup(void **state)
{
	struct sim_fixture *f = alloc_zero(1, sizeof(*f));

	*state = f;
	return sim_fixture_init(f);
}

static int teardown(void **state)
{
	struct sim_fixture *f = *state;

	sim_fixture_release(f);
	free(f);
	return 0;
}

/* Reads to the end; *count is how many objects came. */
static enum listing_step read_all(struct sim_fixture *f, size_t *count)
{
	struct listing *l = listing_start(&f->bucket.base);
	struct s3_object o;
	enum listing_step step;

	*count = 0;
	while ((step = listing_next(l, &o, &f->error)) != LISTING_END &&
	    step != LISTING_FAILED) {
		if (step == LISTING_WAIT) {
			assert_int_equal(
			    f->bucket.base.ops->wait(&f->bucket.base, CLOCK_MS,
				&f->error),
			    0);
			continue;
		}
		assert_true(*count < f->store.count);
		assert_int_equal(path_compare(o.key, o.key_len,
				     f->store.objects[*count].key,
				     f->store.objects[*count].len),
		    0);
		assert_int_equal(o.sig.size,
		    f->store.objects[*count].content->size);
		(*count)++;
	}
	/* How it ended does not change when it is asked again. */
	assert_int_equal(listing_next(l, &o, &f->error), step);
	listing_free(l);
	return step;
}

static void have_objects(struct sim_fixture *f, int count)
{
	char key[16];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		sim_fixture_object(f, key, i);
	}
}

static void assert_not_believed(struct sim_fixture *f, const char *why)
{
	size_t count;

	assert_int_equal(read_all(f, &count), LISTING_FAILED);
	assert_int_equal(f->error.kind, ERROR_BUCKET);
	assert_non_null(strstr(f->error.text, "not to be believed"));
	assert_non_null(strstr(f->error.text, why));
}

static void an_empty_bucket_is_a_complete_listing(void **state)
{
	size_t count;

	assert_int_equal(read_all(*state, &count), LISTING_END);
	assert_int_equal(count, 0);
}

static void pages_become_one_stream(void **state)
{
	struct sim_fixture *f = *state;
	size_t count;

	for (int keys = 1; keys < 30; keys++) {
		have_objects(f, keys);
		assert_int_equal(read_all(f, &count), LISTING_END);
		assert_int_equal(count, keys);
	}
}

static void a_page_is_asked_for_once(void **state)
{
	struct sim_fixture *f = *state;
	size_t count;

	have_objects(f, 12);
	f->bucket.page_keys = 5;
	assert_int_equal(read_all(f, &count), LISTING_END);
	assert_int_equal(f->bucket.usage.requests[S3_KIND_LIST], 3);
}

static void the_marker_of_the_prefix_is_no_key(void **state)
{
	struct sim_fixture *f = *state;
	struct listing *l;
	struct s3_object o;
	enum listing_step step;

	sim_fixture_object(f, "", 0);
	sim_fixture_object(f, "k", 1);
	l = listing_start(&f->bucket.base);
	while ((step = listing_next(l, &o, &f->error)) == LISTING_WAIT)
		f->bucket.base.ops->wait(&f->bucket.base, 1, &f->error);
	assert_int_equal(step, LISTING_OBJECT);
	assert_int_equal(o.key_len, 1);
	listing_free(l);
}

static void empty_pages_are_legal(void **state)
{
	struct sim_fixture *f = *state;
	size_t count;

	have_objects(f, 9);
	f->sim.dials[FAULT_PAGE_EMPTY].per_mille = 700;
	assert_int_equal(read_all(f, &count), LISTING_END);
	assert_int_equal(count, 9);
}

static void but_not_for_ever(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 3);
	f->sim.dials[FAULT_PAGE_EMPTY].per_mille = 1000;
	assert_not_believed(f, "no end");
}

static void keys_out_of_order(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 9);
	f->bucket.page_keys = 3;
	for (unsigned page = 0; page < 3; page++) {
		sim_script(&f->sim, FAULT_PAGE_UNORDERED, page, 1);
		assert_not_believed(f, "not in order");
	}
}

static void a_key_twice(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 4);
	f->bucket.page_keys = 2;
	sim_script(&f->sim, FAULT_PAGE_DUPLICATE, 1, 1);
	assert_not_believed(f, "not in order");
}

static void a_key_outside_the_prefix(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 4);
	f->bucket.page_keys = 2;
	for (unsigned page = 0; page < 2; page++) {
		sim_script(&f->sim, FAULT_PAGE_OUTSIDE, page, 1);
		assert_not_believed(f, "outside the prefix");
	}
}

static void a_listing_that_goes_round_in_circles(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 9);
	f->bucket.page_keys = 2;
	sim_script(&f->sim, FAULT_PAGE_LOOPS, 1, 1);
	assert_not_believed(f, "circles");
}

static void a_listing_that_is_cut_short(void **state)
{
	struct sim_fixture *f = *state;

	have_objects(f, 9);
	f->bucket.page_keys = 2;
	sim_script(&f->sim, FAULT_PAGE_NO_TOKEN, 2, 1);
	assert_not_believed(f, "cut short");
}

static void a_page_that_fails_fails_the_listing(void **state)
{
	struct sim_fixture *f = *state;
	size_t count;

	have_objects(f, 9);
	f->bucket.page_keys = 2;
	sim_script(&f->sim, FAULT_PAGE_FAILED, 2, 1);
	assert_int_equal(read_all(f, &count), LISTING_FAILED);
	assert_true(count <= 4);
	assert_true(
	    f->error.kind == ERROR_NETWORK || f->error.kind == ERROR_REMOTE);
}

/* One key's AccessDenied is that key's; the listing's is the pair's. */
static void a_page_that_is_denied_is_the_buckets_failure(void **state)
{
	struct sim_fixture *f = *state;
	size_t count;

	have_objects(f, 3);
	sim_script(&f->sim, FAULT_PAGE_DENIED, 0, 1);
	assert_int_equal(read_all(f, &count), LISTING_FAILED);
	assert_int_equal(f->error.kind, ERROR_BUCKET);
}

/* At each moment; whoever comes too late finds nobody. */
static void it_can_be_given_up_at_any_time(void **state)
{
	struct sim_fixture *f = *state;
	struct s3_object o;

	have_objects(f, 9);
	for (int reads = 0; reads < 40; reads++) {
		struct listing *l = listing_start(&f->bucket.base);

		for (int i = 0; i < reads; i++)
			if (listing_next(l, &o, &f->error) == LISTING_WAIT)
				f->bucket.base.ops->wait(&f->bucket.base, 1,
				    &f->error);
		listing_free(l);
	}
	while (f->bucket.count > 0)
		f->bucket.base.ops->wait(&f->bucket.base, 1, &f->error);
	listing_free(NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_empty_bucket_is_a_complete_listing),
		T(pages_become_one_stream),
		T(a_page_is_asked_for_once),
		T(the_marker_of_the_prefix_is_no_key),
		T(empty_pages_are_legal),
		T(but_not_for_ever),
		T(keys_out_of_order),
		T(a_key_twice),
		T(a_key_outside_the_prefix),
		T(a_listing_that_goes_round_in_circles),
		T(a_listing_that_is_cut_short),
		T(a_page_that_fails_fails_the_listing),
		T(a_page_that_is_denied_is_the_buckets_failure),
		T(it_can_be_given_up_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
