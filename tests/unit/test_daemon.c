/* SPDX-License-Identifier: MIT */
/* The grid of starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/daemon.h"

static struct daemon_grid grid;
static int64_t skipped;

static int begin(void **state)
{
	(void)state;
	grid = (struct daemon_grid){ .start_ns = 1000, .interval_ns = 100 };
	return 0;
}

static void test_starts_are_on_the_grid(void **state)
{
	(void)state;
	assert_int_equal(daemon_grid_next(&grid, 1000, &skipped), 1100);
	assert_int_equal(skipped, 0);
	assert_int_equal(daemon_grid_next(&grid, 1101, &skipped), 1200);
	assert_int_equal(skipped, 0);
	/* However late within the interval the cycle ended. */
	assert_int_equal(daemon_grid_next(&grid, 1299, &skipped), 1300);
	assert_int_equal(skipped, 0);
}

static void test_an_end_on_the_grid_is_in_time(void **state)
{
	(void)state;
	assert_int_equal(daemon_grid_next(&grid, 1100, &skipped), 1100);
	assert_int_equal(skipped, 0);
}

static void test_an_overrun_skips(void **state)
{
	(void)state;
	assert_int_equal(daemon_grid_next(&grid, 1101, &skipped), 1200);
	assert_int_equal(skipped, 1);
	assert_int_equal(daemon_grid_next(&grid, 1650, &skipped), 1700);
	assert_int_equal(skipped, 4);
	assert_int_equal(daemon_grid_next(&grid, 1701, &skipped), 1800);
	assert_int_equal(skipped, 0);
}

static void test_no_start_comes_twice(void **state)
{
	int64_t now_ns = 1000, last_ns = 1000, next_ns;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		now_ns += (i * 7919) % 350;
		next_ns = daemon_grid_next(&grid, now_ns, &skipped);
		assert_true(next_ns > last_ns);
		assert_true(next_ns >= now_ns);
		assert_int_equal((next_ns - 1000) % 100, 0);
		assert_int_equal(skipped, (next_ns - last_ns) / 100 - 1);
		last_ns = next_ns;
		now_ns = next_ns;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_starts_are_on_the_grid, begin),
		cmocka_unit_test_setup(test_an_end_on_the_grid_is_in_time,
		    begin),
		cmocka_unit_test_setup(test_an_overrun_skips, begin),
		cmocka_unit_test_setup(test_no_start_comes_twice, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
