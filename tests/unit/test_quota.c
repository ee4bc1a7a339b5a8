/* SPDX-License-Identifier: MIT */
/* Retries have a price, and an outage has an end. */
#include "s3/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#define S CLOCK_SECOND
#define PATIENCE_NS (30 * S)

static struct quota q;
static int spent;

static int set_up(void **state)
{
	(void)state;
	quota_init(&q, PATIENCE_NS);
	spent = 0;
	return 0;
}

static enum quota_answer ask(enum retry_class class, int64_t since_ns,
    int64_t now_ns)
{
	return quota_ask(&q, class, &spent, since_ns, now_ns, 0);
}

/* Asks until there are no tokens; returns how often that went well. */
static int use_up(enum retry_class class)
{
	int times = 0;

	while (ask(class, S, S) == QUOTA_AGAIN)
		times++;
	return times;
}

static void an_outage_costs_35_retries_and_throttling_100(void **state)
{
	(void)state;
	assert_int_equal(use_up(RETRY_TRANSIENT), 35);
	quota_init(&q, PATIENCE_NS);
	assert_int_equal(use_up(RETRY_THROTTLE), 100);
}

static void who_is_served_gets_back_what_it_spent(void **state)
{
	(void)state;
	ask(RETRY_TRANSIENT, S, S);
	ask(RETRY_THROTTLE, S, S);
	assert_int_equal(spent, 19);
	assert_int_equal(q.tokens, QUOTA_TOKENS - 19);
	quota_served(&q, spent, S);
	assert_int_equal(q.tokens, QUOTA_TOKENS);
}

static void who_is_served_at_once_adds_one(void **state)
{
	(void)state;
	ask(RETRY_TRANSIENT, S, S); /* in vain, in the end */
	quota_served(&q, 0, S);
	quota_served(&q, 0, S);
	assert_int_equal(q.tokens, QUOTA_TOKENS - 12);
	for (int i = 0; i < 100; i++)
		quota_served(&q, 0, S);
	assert_int_equal(q.tokens, QUOTA_TOKENS);
}

static void without_tokens_a_failure_among_successes_is_final(void **state)
{
	(void)state;
	use_up(RETRY_TRANSIENT);
	quota_served(&q, 0, 6 * S);
	assert_int_equal(ask(RETRY_TRANSIENT, 5 * S, 7 * S), QUOTA_OVER);
}

static void where_nobody_is_served_requests_are_held(void **state)
{
	(void)state;
	quota_served(&q, 0, S / 2);
	use_up(RETRY_TRANSIENT);
	assert_int_equal(ask(RETRY_TRANSIENT, 5 * S, 7 * S), QUOTA_HOLD);
	assert_int_equal(q.outage_ns, S);
}

static enum quota_answer ask_last(int64_t since_ns, int64_t now_ns)
{
	return quota_ask_last(&q, since_ns, now_ns);
}

static void the_last_failure_is_final_if_others_were_served(void **state)
{
	(void)state;
	quota_served(&q, 0, 6 * S);
	assert_int_equal(ask_last(5 * S, 9 * S), QUOTA_OVER);
}

static void the_last_failure_is_doubted_if_nobody_was(void **state)
{
	(void)state;
	quota_served(&q, 0, 4 * S);
	assert_int_equal(ask_last(5 * S, 9 * S), QUOTA_DOUBT);
	quota_hold(&q, 5 * S, 9 * S, 0);
	assert_int_equal(ask_last(6 * S, 9 * S), QUOTA_HOLD);
	assert_false(quota_probe_due(&q, 9 * S, 0));
	assert_true(quota_probe_due(&q, 9 * S + S / 2, 0));
}

static void an_outage_begins_with_the_first_failure(void **state)
{
	(void)state;
	quota_served(&q, 0, 4 * S);
	quota_hold(&q, 5 * S, 9 * S, 0);
	quota_hold(&q, 8 * S, 9 * S, 0);
	assert_false(quota_outage_over(&q, 5 * S + PATIENCE_NS - 1));
	assert_true(quota_outage_over(&q, 5 * S + PATIENCE_NS));
	/* but not in the future, where replies take long */
	quota_served(&q, 0, 6 * S);
	quota_hold(&q, 9 * S, 8 * S, 0);
	assert_true(quota_outage_over(&q, 8 * S + PATIENCE_NS));
	/* for those that are not held yet, too */
	quota_served(&q, 0, 6 * S);
	assert_int_equal(ask_last(7 * S, 7 * S + PATIENCE_NS), QUOTA_OVER);
}

static void who_never_served_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(ask_last(5 * S, 9 * S), QUOTA_OVER);
}

static void without_patience_nobody_is_waited_for(void **state)
{
	(void)state;
	quota_init(&q, 0);
	quota_served(&q, 0, S / 2);
	assert_int_equal(ask_last(S, S), QUOTA_OVER);
	use_up(RETRY_TRANSIENT);
	assert_true(quota_outage_over(&q, S));
}

static void those_held_try_at_growing_intervals(void **state)
{
	static const int64_t half_seconds[] = { 1, 2, 4, 5, 5, 5 };
	int64_t at = S;

	(void)state;
	use_up(RETRY_TRANSIENT);
	for (int i = 0; i < 6; i++) {
		at += half_seconds[i] * S / 2;
		assert_true(quota_next_ns(&q) == at);
		assert_false(quota_probe_due(&q, at - 1, 0));
		assert_true(quota_probe_due(&q, at, 0));
		assert_false(quota_probe_due(&q, at, 0));
	}
	assert_true(quota_probe_due(&q, at + 5 * S, S * 5 / 2));
	assert_true(q.probe_ns == at + 10 * S); /* jitter: up to the double */
}

static void one_that_is_served_ends_the_outage(void **state)
{
	(void)state;
	use_up(RETRY_TRANSIENT);
	quota_served(&q, spent, 9 * S);
	assert_false(quota_outage_over(&q, 99 * S));
	assert_int_equal(ask(RETRY_TRANSIENT, 9 * S, 9 * S), QUOTA_AGAIN);
}

static void patience_ends(void **state)
{
	(void)state;
	assert_false(quota_outage_over(&q, 99 * S));
	use_up(RETRY_TRANSIENT);
	assert_false(quota_outage_over(&q, S + PATIENCE_NS - 1));
	assert_true(quota_outage_over(&q, S + PATIENCE_NS));
	q.probe_ns = 99 * S;
	assert_true(quota_next_ns(&q) == S + PATIENCE_NS);
	/* and stays so until somebody is served */
	assert_int_equal(ask(RETRY_TRANSIENT, 99 * S, 99 * S), QUOTA_HOLD);
	assert_true(quota_outage_over(&q, 99 * S));
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_outage_costs_35_retries_and_throttling_100),
		TEST(who_is_served_gets_back_what_it_spent),
		TEST(who_is_served_at_once_adds_one),
		TEST(without_tokens_a_failure_among_successes_is_final),
		TEST(where_nobody_is_served_requests_are_held),
		TEST(the_last_failure_is_final_if_others_were_served),
		TEST(the_last_failure_is_doubted_if_nobody_was),
		TEST(an_outage_begins_with_the_first_failure),
		TEST(who_never_served_is_not_waited_for),
		TEST(without_patience_nobody_is_waited_for),
		TEST(those_held_try_at_growing_intervals),
		TEST(one_that_is_served_ends_the_outage),
		TEST(patience_ends),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
