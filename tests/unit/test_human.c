/* SPDX-License-Identifier: MIT */
/* Sizes, durations and counts as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/human.h"

static char out[HUMAN_MAX];

static void test_bytes_have_three_digits(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 KiB" },
		{ 1024, "1.0 KiB" },
		{ 10188, "9.9 KiB" },
		{ 10189, "10 KiB" },
		{ 1023487, "999 KiB" },
		{ 1023488, "1.0 MiB" },
		{ INT64_C(5) << 30, "5.0 GiB" },
		{ INT64_C(1) << 40, "1.0 TiB" },
		{ INT64_C(1) << 50, "1.0 PiB" },
		{ INT64_MAX, "8.0 EiB" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(human_bytes(cases[i].bytes, out),
		    cases[i].text);
}

static void test_sizes_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{ "0", 0 }, { "500", 500 }, { "7B", 7 }, { "64K", 65536 },
		{ "64k", 65536 }, { "1.5M", 1572864 }, { "10 MiB", 10485760 },
		{ "2GiB", INT64_C(2) << 30 }, { "1T", INT64_C(1) << 40 },
		{ "1E", INT64_C(1) << 60 }, { "999 B", 999 },
	};
	static const char *const none[] = { "", "x", "-1", "1x", "1KB", "1Ki",
		"K", "1e5", "0x10", "nan", "1 K B", "1..5", "9E", " 1", "1  K",
		"1M " };
	int64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(human_parse_bytes(cases[i].text, &bytes), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
	for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(human_parse_bytes(none[i], &bytes), -1);
}

static void test_durations(void **state)
{
	(void)state;
	assert_string_equal(human_duration(0, out), "0:00");
	assert_string_equal(human_duration(7 * CLOCK_SECOND, out), "0:07");
	assert_string_equal(human_duration(3599 * CLOCK_SECOND, out), "59:59");
	assert_string_equal(human_duration(3723 * CLOCK_SECOND, out),
	    "1:02:03");
	assert_string_equal(human_duration(183840 * CLOCK_SECOND, out),
	    "2d 03:04");
	assert_non_null(human_duration(INT64_MAX, out));
}

static void test_counts_have_commas(void **state)
{
	(void)state;
	assert_string_equal(human_count(0, out), "0");
	assert_string_equal(human_count(999, out), "999");
	assert_string_equal(human_count(1000, out), "1,000");
	assert_string_equal(human_count(12345678, out), "12,345,678");
	assert_string_equal(human_count(-100000, out), "-100,000");
	assert_string_equal(human_count(INT64_MIN, out),
	    "-9,223,372,036,854,775,808");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_have_three_digits),
		cmocka_unit_test(test_sizes_are_read_as_they_are_written),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_counts_have_commas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
