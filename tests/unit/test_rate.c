/* SPDX-License-Identifier: MIT */
/* Bytes per second, on a clock of our own. */
#include "s3/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define S CLOCK_SECOND
#define START (1000 * S)

static struct rate r;
static int64_t now_ns;

/* Moves ${chunk} bytes whenever that is allowed, looking every ${step_ns};
 * returns how many in ${span_ns}. */
static int64_t move(int64_t chunk, int64_t step_ns, int64_t span_ns)
{
	int64_t end_ns = now_ns + span_ns, bytes = 0;

	for (; now_ns < end_ns; now_ns += step_ns) {
		while (rate_open(&r, now_ns)) {
			rate_take(&r, chunk);
			bytes += chunk;
		}
	}
	return bytes;
}

static void start(int64_t per_second)
{
	now_ns = START;
	rate_init(&r, per_second, now_ns);
}

static void assert_near(int64_t expected, int64_t got)
{
	assert_in_range(got, expected - expected / 50, expected + expected / 50);
}

static void it_holds_whatever_the_pieces_are(void **state)
{
	static const int64_t chunks[] = { 1, 100, 1024, 16383, 65536 };

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		start(1000000);
		assert_near(10000000, move(chunks[i], CLOCK_MS, 10 * S));
	}
}

static void it_holds_whenever_one_looks(void **state)
{
	static const int64_t steps_ms[] = { 1, 7, 50, 200 };

	(void)state;
	for (size_t i = 0; i < sizeof(steps_ms) / sizeof(*steps_ms); i++) {
		start(5000000);
		assert_near(50000000,
		    move(16384, steps_ms[i] * CLOCK_MS, 10 * S));
	}
}

static void what_was_not_used_is_lost_but_for_a_quarter_second(void **state)
{
	(void)state;
	start(1000000);
	now_ns += 100 * S;
	assert_in_range(move(1000, CLOCK_MS, S), 1240000, 1260000);
}

static void it_does_not_begin_with_a_burst(void **state)
{
	(void)state;
	start(1000000);
	assert_in_range(move(1000, CLOCK_MS, S / 10), 99000, 101000);
}

static void what_did_not_move_is_given_back(void **state)
{
	(void)state;
	start(1000);
	rate_take(&r, 5000);
	assert_false(rate_open(&r, START));
	rate_take(&r, -5000);
	assert_true(rate_open(&r, START));
}

static void without_a_limit_all_may_move(void **state)
{
	(void)state;
	start(0);
	rate_take(&r, INT64_MAX);
	assert_true(rate_open(&r, START));
	assert_int_equal(rate_chunk(&r, 65536), 65536);
}

static void pieces_are_small_where_the_limit_is(void **state)
{
	(void)state;
	start(1);
	assert_int_equal(rate_chunk(&r, 65536), 1024);
	start(200000);
	assert_int_equal(rate_chunk(&r, 65536), 10000);
	start(100000000);
	assert_int_equal(rate_chunk(&r, 65536), 65536);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_whatever_the_pieces_are),
		cmocka_unit_test(it_holds_whenever_one_looks),
		cmocka_unit_test(
		    what_was_not_used_is_lost_but_for_a_quarter_second),
		cmocka_unit_test(it_does_not_begin_with_a_burst),
		cmocka_unit_test(what_did_not_move_is_given_back),
		cmocka_unit_test(without_a_limit_all_may_move),
		cmocka_unit_test(pieces_are_small_where_the_limit_is),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
