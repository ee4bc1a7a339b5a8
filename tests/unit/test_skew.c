/* SPDX-License-Identifier: MIT */
/* Clocks that are off, and Dates that lie. */
#include "s3/skew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define S CLOCK_SECOND
#define NOW (1000000 * S)

static struct skew s;

/* So many replies, each asked and answered within a second. */
static bool replies(int count, int64_t off_s)
{
	bool changed = false;

	while (count-- > 0)
		changed |= skew_sample(&s, NOW + off_s * S, NOW, NOW + S);
	return changed;
}

static void a_refusal_says_it_all(void **state)
{
	(void)state;
	skew_init(&s, 0);
	skew_refused(&s, NOW + 7200 * S, NOW);
	assert_true(s.offset_ns == 7200 * S);
	skew_refused(&s, NOW - 5 * S, NOW);
	assert_true(s.offset_ns == -5 * S);
}

static void what_was_known_holds_until_it_is_refused(void **state)
{
	(void)state;
	skew_init(&s, 7200 * S);
	assert_false(replies(100, 7201));
	assert_true(s.offset_ns == 7200 * S);
	skew_refused(&s, NOW, NOW); /* the clock was set meanwhile */
	assert_true(s.offset_ns == 0);
}

static void a_clock_that_drifts_is_noticed_before_it_is_refused(void **state)
{
	(void)state;
	skew_init(&s, 0);
	assert_false(replies(SKEW_SAMPLES - 1, -300));
	assert_true(s.offset_ns == 0);
	assert_true(replies(1, -300));
	assert_true(s.offset_ns == -300 * S);
	assert_false(replies(SKEW_SAMPLES, -300));
}

static void seconds_do_not_matter(void **state)
{
	(void)state;
	skew_init(&s, 0);
	assert_false(replies(100, 59));
	assert_true(s.offset_ns == 0);
}

static void the_median_decides(void **state)
{
	(void)state;
	skew_init(&s, 0);
	replies(7, 600); /* of a proxy, say */
	assert_false(replies(9, 0));
	assert_true(s.offset_ns == 0);
}

static void a_date_of_another_hour_is_not_the_signers(void **state)
{
	(void)state;
	skew_init(&s, 0);
	assert_false(replies(100, 3600));
	assert_true(s.offset_ns == 0);
	assert_int_equal(s.seen, 0);
}

static void half_of_the_way_is_when_the_server_looked_at_its_clock(void **state)
{
	(void)state;
	skew_init(&s, 0);
	for (int i = 0; i < SKEW_SAMPLES; i++)
		skew_sample(&s, NOW + 120 * S, NOW, NOW + 20 * S);
	/* cut to the second: half of one more on average */
	assert_true(s.offset_ns == 110 * S + S / 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_says_it_all),
		cmocka_unit_test(what_was_known_holds_until_it_is_refused),
		cmocka_unit_test(
		    a_clock_that_drifts_is_noticed_before_it_is_refused),
		cmocka_unit_test(seconds_do_not_matter),
		cmocka_unit_test(the_median_decides),
		cmocka_unit_test(a_date_of_another_hour_is_not_the_signers),
		cmocka_unit_test(
		    half_of_the_way_is_when_the_server_looked_at_its_clock),
	};

	return cmocka_run_group_tests_name("skew", tests, NULL, NULL);
}
