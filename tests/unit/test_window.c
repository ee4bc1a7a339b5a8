/* SPDX-License-Identifier: MIT */
/* Fewer requests at once when the server asks for it, and more again. */
#include "s3/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define S CLOCK_SECOND

static struct window w;

static void good(size_t replies)
{
	while (replies-- > 0)
		window_good(&w);
}

static void it_begins_as_wide_as_it_may_be(void **state)
{
	(void)state;
	window_init(&w, 32);
	assert_int_equal(w.size, 32);
	good(1000);
	assert_int_equal(w.size, 32);
}

static void a_server_that_asks_for_less_gets_half(void **state)
{
	(void)state;
	window_init(&w, 32);
	assert_true(window_throttled(&w, 10 * S, 11 * S));
	assert_int_equal(w.size, 16);
}

static void it_is_halved_once_a_second_at_most(void **state)
{
	(void)state;
	window_init(&w, 64);
	window_throttled(&w, 10 * S, 11 * S);
	assert_false(window_throttled(&w, 11 * S, 12 * S - 1));
	assert_int_equal(w.size, 32);
	assert_true(window_throttled(&w, 11 * S, 12 * S));
	assert_int_equal(w.size, 16);
}

/* With replies that take longer than a second. */
static void what_was_sent_before_says_nothing_new(void **state)
{
	(void)state;
	window_init(&w, 64);
	window_throttled(&w, 10 * S, 20 * S);
	assert_false(window_throttled(&w, 20 * S - 1, 30 * S));
	assert_int_equal(w.size, 32);
	assert_true(window_throttled(&w, 20 * S, 30 * S));
}

static void it_never_closes(void **state)
{
	(void)state;
	window_init(&w, 32);
	for (int i = 1; i < 20; i++)
		window_throttled(&w, i * S, i * S);
	assert_int_equal(w.size, WINDOW_LEAST);
	window_init(&w, 3); /* as `jobs` may be */
	assert_false(window_throttled(&w, S, S));
	assert_int_equal(w.size, 3);
}

static void as_many_good_replies_as_it_is_wide_widen_it_by_one(void **state)
{
	(void)state;
	window_init(&w, 8);
	window_throttled(&w, S, S);
	assert_int_equal(w.size, 4);
	good(3);
	assert_int_equal(w.size, 4);
	assert_true(window_good(&w));
	assert_int_equal(w.size, 5);
	good(4);
	assert_int_equal(w.size, 5);
	good(1 + 6 + 7);
	assert_int_equal(w.size, 8);
	good(100);
	assert_int_equal(w.size, 8);
}

/* A third of the replies may ask for less without holding it down for ever. */
static void it_rises_while_some_are_throttled(void **state)
{
	(void)state;
	window_init(&w, 64);
	for (int i = 1; i < 10; i++)
		window_throttled(&w, i * S, i * S);
	for (int i = 0; i < 300; i++) {
		good(2);
		window_throttled(&w, 9 * S + 1, 9 * S + 2);
	}
	assert_true(w.size > 30);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_begins_as_wide_as_it_may_be),
		cmocka_unit_test(a_server_that_asks_for_less_gets_half),
		cmocka_unit_test(it_is_halved_once_a_second_at_most),
		cmocka_unit_test(what_was_sent_before_says_nothing_new),
		cmocka_unit_test(it_never_closes),
		cmocka_unit_test(
		    as_many_good_replies_as_it_is_wide_widen_it_by_one),
		cmocka_unit_test(it_rises_while_some_are_throttled),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
