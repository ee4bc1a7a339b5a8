/* SPDX-License-Identifier: MIT */
/* The line of progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "sync/progress.h"

#define MIB INT64_C(1048576)

static char out[128];

static void test_survey(void **state)
{
	const struct cycle_progress now = { .keys_seen = 1234567 };

	(void)state;
	progress_text(&now, 0, out, sizeof(out));
	assert_string_equal(out, "comparing: 1,234,567 keys");
}

static void test_transfer(void **state)
{
	const struct cycle_progress now = {
		.keys_done = 12,
		.keys_total = 3456,
		.bytes_done = 20 * MIB,
		.bytes_total = 320 * MIB,
	};

	(void)state;
	progress_text(&now, 0, out, sizeof(out));
	assert_string_equal(out, "12 of 3,456 keys, 20 MiB of 320 MiB");
	progress_text(&now, 5.0 * MIB, out, sizeof(out));
	assert_string_equal(out,
	    "12 of 3,456 keys, 20 MiB of 320 MiB, 5.0 MiB/s, 1:00 left");
	progress_text(&now, 1, out, sizeof(out));
	assert_non_null(strstr(out, "1 B/s, 3640d "));
}

static void test_the_end(void **state)
{
	const struct cycle_progress now = {
		.keys_done = 1,
		.keys_total = 2,
		.bytes_done = 5 * MIB,
		.bytes_total = 4 * MIB, /* a file grew */
	};

	(void)state;
	progress_text(&now, 1000, out, sizeof(out));
	assert_string_equal(out, "1 of 2 keys, 5.0 MiB of 4.0 MiB, 1.0 KiB/s");
}

static void test_a_narrow_terminal_cuts(void **state)
{
	const struct cycle_progress now = { .keys_seen = 1234567 };

	(void)state;
	progress_text(&now, 0, out, 12);
	assert_string_equal(out, "comparing: ");
}

static void test_the_rate_follows(void **state)
{
	double rate = progress_rate(0, 1000, CLOCK_SECOND);
	int i;

	(void)state;
	assert_true(rate > 999 && rate < 1001);
	rate = progress_rate(rate, 0, 0);
	assert_true(rate > 999 && rate < 1001);
	rate = progress_rate(rate, 4000, CLOCK_SECOND);
	assert_true(rate > 1001 && rate < 4000);
	for (i = 0; i < 200; i++)
		rate = progress_rate(rate, 800, CLOCK_SECOND / 5);
	assert_true(rate > 3990 && rate < 4001);
	rate = progress_rate(rate, 20000, 10 * CLOCK_SECOND);
	assert_true(rate > 1999 && rate < 2001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_survey),
		cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_the_end),
		cmocka_unit_test(test_a_narrow_terminal_cuts),
		cmocka_unit_test(test_the_rate_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
