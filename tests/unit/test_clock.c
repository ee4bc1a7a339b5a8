/* SPDX-License-Identifier: MIT */
/* Clocks can be replaced; times are written and read in their text forms. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int64_t system_clock(clockid_t id)
{
	struct timespec now;

	assert_int_equal(clock_gettime(id, &now), 0);
	return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

static void the_real_clocks_are_the_systems(void **state)
{
	int64_t wall, mono, before;

	(void)state;
	before = system_clock(CLOCK_REALTIME);
	wall = clock_wall_ns();
	assert_in_range(wall, before, system_clock(CLOCK_REALTIME));
	before = system_clock(CLOCK_MONOTONIC);
	mono = clock_mono_ns();
	assert_in_range(mono, before, system_clock(CLOCK_MONOTONIC));
}

static void the_coarse_clock_is_at_most_a_tick_behind(void **state)
{
	int64_t coarse = clock_coarse_ns(), wall = clock_wall_ns();

	(void)state;
	assert_true(coarse <= wall);
	assert_true(coarse > wall - CLOCK_SECOND);
}

static void a_file_is_never_stamped_before_the_coarse_clock(void **state)
{
	char name[] = "/tmp/test_clock.XXXXXX";
	int64_t before = clock_coarse_ns(), stamp;
	int fd = mkstemp(name);
	struct stat st;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	stamp = st.st_mtim.tv_sec * CLOCK_SECOND + st.st_mtim.tv_nsec;
	assert_true(stamp >= before);
	close(fd);
	unlink(name);
}

static void random_bits_are_all_in_use(void **state)
{
	uint64_t ever = 0, always = UINT64_MAX, value, last = clock_random();
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		value = clock_random();
		assert_true(value != last);
		last = value;
		ever |= value;
		always &= value;
	}
	assert_true(ever == UINT64_MAX);
	assert_true(always == 0);
}

static int64_t add_one(void *arg)
{
	return ++*(int64_t *)arg;
}

static int64_t add_hundred(void *arg)
{
	return *(int64_t *)arg += 100;
}

static uint64_t add_thousand(void *arg)
{
	return (uint64_t)(*(int64_t *)arg += 1000);
}

static void an_installed_source_replaces_all(void **state)
{
	int64_t n = 0;
	const struct clock_source source = {
		.wall_ns = add_one,
		.mono_ns = add_hundred,
		.random = add_thousand,
		.arg = &n,
	};

	(void)state;
	clock_install(&source);
	assert_int_equal(clock_wall_ns(), 1);
	assert_int_equal(clock_coarse_ns(), 2);
	assert_int_equal(clock_mono_ns(), 102);
	assert_int_equal(clock_random(), 1102);
	clock_install(NULL);
	assert_true(clock_wall_ns() > 1000 * CLOCK_SECOND);
	assert_int_equal(n, 1102);
}

static void each_form_of_a_time_is_as_promised(void **state)
{
	static const struct {
		int64_t wall_ns;
		const char *utc;
		const char *local; /* 5:45 east of Greenwich */
		const char *basic;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z", "1970-01-01T05:45:00+0545",
		    "19700101T000000Z" },
		{ INT64_C(1795365481123456789), "2026-11-22T16:38:01.123Z",
		    "2026-11-22T22:23:01+0545", "20261122T163801Z" },
		{ INT64_C(1795365481999999999), "2026-11-22T16:38:01.999Z",
		    "2026-11-22T22:23:01+0545", "20261122T163801Z" },
		{ -1, "1969-12-31T23:59:59.999Z", "1970-01-01T05:44:59+0545",
		    "19691231T235959Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854Z",
		    "2262-04-12T05:32:16+0545", "22620411T234716Z" },
		{ INT64_MIN, "1677-09-21T00:12:43.145Z",
		    "1677-09-21T05:57:43+0545", "16770921T001243Z" },
	};
	char out[CLOCK_ISO_MAX];
	size_t i;

	(void)state;
	setenv("TZ", "EAST-5:45", 1);
	tzset();
	for (i = 0; i < COUNT(rows); i++) {
		clock_format_utc(rows[i].wall_ns, out);
		assert_string_equal(out, rows[i].utc);
		clock_format_local(rows[i].wall_ns, out);
		assert_string_equal(out, rows[i].local);
		clock_format_basic(rows[i].wall_ns, out);
		assert_string_equal(out, rows[i].basic);
	}
	unsetenv("TZ");
	tzset();
}

static void assert_iso(const char *text, int64_t expected)
{
	int64_t wall_ns = 42;

	assert_int_equal(clock_parse_iso(text, &wall_ns), 0);
	assert_int_equal(wall_ns, expected);
}

static void iso_times_are_read(void **state)
{
	(void)state;
	assert_iso("1970-01-01T00:00:00Z", 0);
	assert_iso("1970-01-01T00:00:01.5Z", 1500 * CLOCK_MS);
	assert_iso("2026-11-22T16:38:01.123Z", INT64_C(1795365481123000000));
	assert_iso("2026-11-22T16:38:01Z", INT64_C(1795365481000000000));
	assert_iso("2026-11-22T16:38:01.123456789Z",
	    INT64_C(1795365481123456789));
	assert_iso("2026-11-22T16:38:01.1234567899Z",
	    INT64_C(1795365481123456789));
	assert_iso("2024-02-29T12:00:00.000Z", INT64_C(1709208000000000000));
	assert_iso("2000-02-29T00:00:00Z", INT64_C(951782400000000000));
	assert_iso("1969-12-31T23:59:59.999Z", -CLOCK_MS);
	assert_iso("2016-12-31T23:59:60Z", INT64_C(1483228800000000000));
	assert_iso("1900-03-01T00:00:00Z", INT64_C(-2203891200000000000));
}

static void what_is_no_iso_time_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"2026-11-22",
		"2026-11-22T16:38:01",
		"2026-11-22 16:38:01Z",
		"2026-11-22T16:38:01.Z",
		"2026-11-22T16:38:01,5Z",
		"2026-11-22T16:38:01.5",
		"2026-11-22T16:38:01.5ZZ",
		"2026-11-22T16:38:01+01:00",
		"2026-11-22T16:38:01z",
		" 2026-11-22T16:38:01Z",
		"2026-11-22T16:38:01Z ",
		"2026-00-22T16:38:01Z",
		"2026-13-22T16:38:01Z",
		"2026-11-00T16:38:01Z",
		"2026-11-31T16:38:01Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T16:60:00Z",
		"2026-11-22T16:38:61Z",
		"2026-11-22T-1:38:01Z",
		"+026-11-22T16:38:01Z",
		"0000-01-01T00:00:00Z",
		"0001-01-01T00:00:00Z", /* the zero time of some servers */
		"2262-04-11T23:47:17Z",
		"9999-12-31T23:59:59Z",
		"2262-04-11T23:47:16.9Z",
	};
	int64_t wall_ns;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		assert_int_equal(clock_parse_iso(texts[i], &wall_ns), -1);
}

static void what_is_written_is_read_back(void **state)
{
	const int64_t day = 86400 * CLOCK_SECOND;
	char out[CLOCK_ISO_MAX];
	int64_t t, back;

	(void)state;
	for (t = -100 * 365 * day + 7 * CLOCK_MS; t < 200 * 365 * day;
	     t += day) {
		clock_format_utc(t, out);
		assert_int_equal(clock_parse_iso(out, &back), 0);
		assert_int_equal(back, t);
	}
}

static void http_dates_are_read(void **state)
{
	int64_t wall_ns;

	(void)state;
	assert_int_equal(
	    clock_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &wall_ns), 0);
	assert_int_equal(wall_ns, INT64_C(784111777000000000));
	assert_int_equal(
	    clock_parse_http("Thu, 01 Jan 1970 00:00:00 GMT", &wall_ns), 0);
	assert_int_equal(wall_ns, 0);
	assert_int_equal(
	    clock_parse_http("Sat, 31 Dec 2016 23:59:60 GMT", &wall_ns), 0);
	assert_int_equal(wall_ns, INT64_C(1483228800000000000));
}

static void what_is_no_http_date_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"0",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"Xyz, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nox 1994 08:49:37 GMT",
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 GMT+1",
		"Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 25:49:37 GMT",
		"Sun, 06 Nov 9999 08:49:37 GMT",
	};
	int64_t wall_ns;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		assert_int_equal(clock_parse_http(texts[i], &wall_ns), -1);
}

static void durations_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 },
		{ "90", 90 * CLOCK_SECOND },
		{ "2s", 2 * CLOCK_SECOND },
		{ "500ms", 500 * CLOCK_MS },
		{ "5m", 300 * CLOCK_SECOND },
		{ "1h", 3600 * CLOCK_SECOND },
		{ "30d", 30 * 86400 * CLOCK_SECOND },
		{ "007s", 7 * CLOCK_SECOND },
		{ "9223372036s", 9223372036 * CLOCK_SECOND },
		{ "106751d", INT64_C(106751) * 86400 * CLOCK_SECOND },
	};
	int64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(rows); i++) {
		assert_int_equal(clock_parse_duration(rows[i].text, &ns), 0);
		assert_int_equal(ns, rows[i].ns);
	}
}

static void what_is_no_duration_is_refused(void **state)
{
	static const char *const texts[] = { "", "s", "ms", "-1", "+1", " 1",
		"1 ", "1 s", "1.5s", "1sec", "1S", "1w", "1mss", "1h30m",
		"0x10", "9223372037s", "106752d", "9223372036854775808",
		"99999999999999999999999ms" };
	int64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		assert_int_equal(clock_parse_duration(texts[i], &ns), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_real_clocks_are_the_systems),
		cmocka_unit_test(the_coarse_clock_is_at_most_a_tick_behind),
		cmocka_unit_test(
		    a_file_is_never_stamped_before_the_coarse_clock),
		cmocka_unit_test(random_bits_are_all_in_use),
		cmocka_unit_test(an_installed_source_replaces_all),
		cmocka_unit_test(each_form_of_a_time_is_as_promised),
		cmocka_unit_test(iso_times_are_read),
		cmocka_unit_test(what_is_no_iso_time_is_refused),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(http_dates_are_read),
		cmocka_unit_test(what_is_no_http_date_is_refused),
		cmocka_unit_test(durations_are_read),
		cmocka_unit_test(what_is_no_duration_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
