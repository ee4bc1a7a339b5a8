/* SPDX-License-Identifier: MIT */
/* What follows from what a server does with conditions. */
#include "sync/capability.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/clock.h"

#define DAY_NS (24 * 3600 * CLOCK_SECOND)
#define NOW_NS (INT64_C(1790000000) * CLOCK_SECOND)
#define HOME "http://127.0.0.1:9000/photos"

static struct capability with(enum capability_verdict verdict)
{
	struct capability c = { .probed_ns = NOW_NS };

	c.verdicts[CAPABILITY_PUT][CAPABILITY_NEW] = verdict;
	return c;
}

static void only_a_condition_that_is_honoured_protects(void **state)
{
	static const struct {
		enum capability_verdict verdict;
		bool trusting, sends, protects;
	} rules[] = {
		{ CAPABILITY_UNKNOWN, false, true, false },
		{ CAPABILITY_UNKNOWN, true, true, true },
		{ CAPABILITY_HONOURED, false, true, true },
		{ CAPABILITY_IGNORED, false, true, false },
		{ CAPABILITY_IGNORED, true, true, false },
		{ CAPABILITY_REJECTED, false, false, false },
		{ CAPABILITY_REJECTED, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		struct capability c = with(rules[i].verdict);

		c.trusting = rules[i].trusting;
		assert_int_equal(rules[i].sends,
		    capability_sends(&c, CAPABILITY_PUT, CAPABILITY_NEW));
		assert_int_equal(rules[i].protects,
		    capability_protects(&c, CAPABILITY_PUT, CAPABILITY_NEW));
	}
}

static void each_write_and_condition_has_its_own_verdict(void **state)
{
	struct capability c = { 0 };

	(void)state;
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++) {
			assert_false(capability_protects(&c, w, n));
			c.verdicts[w][n] = CAPABILITY_HONOURED;
			assert_true(capability_protects(&c, w, n));
		}
}

static void what_a_write_teaches_makes_the_record_doubtful(void **state)
{
	struct capability c = with(CAPABILITY_HONOURED);

	(void)state;
	assert_false(capability_is_due(&c, NOW_NS));
	capability_learn_rejected(&c, CAPABILITY_PUT, CAPABILITY_NEW);
	assert_false(capability_sends(&c, CAPABILITY_PUT, CAPABILITY_NEW));
	assert_true(capability_is_due(&c, NOW_NS));
}

static void a_probe_is_good_for_thirty_days(void **state)
{
	struct capability c = { 0 };

	(void)state;
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL)
				c.verdicts[w][n] = CAPABILITY_IGNORED;
	assert_true(capability_is_due(&c, NOW_NS));
	c.probed_ns = NOW_NS;
	assert_false(capability_is_due(&c, NOW_NS));
	assert_false(capability_is_due(&c, NOW_NS + 30 * DAY_NS - 1));
	assert_true(capability_is_due(&c, NOW_NS + 30 * DAY_NS));
	c.verdicts[CAPABILITY_COPY][CAPABILITY_NEW] = CAPABILITY_UNKNOWN;
	assert_false(capability_is_due(&c, NOW_NS + DAY_NS - 1));
	assert_true(capability_is_due(&c, NOW_NS + DAY_NS));
}

static void a_date_in_the_future_is_not_believed(void **state)
{
	struct capability c = { .probed_ns = NOW_NS };

	(void)state;
	assert_false(capability_is_due(&c, NOW_NS - DAY_NS));
	assert_true(capability_is_due(&c, NOW_NS - DAY_NS - 1));
}

static void a_record_is_read_as_it_was_written(void **state)
{
	struct strbuf text = STRBUF_INIT(4096), again = STRBUF_INIT(4096);
	struct capability c = { .probed_ns = NOW_NS }, back = { 0 };

	(void)state;
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (capability_word(w, n) != NULL)
				c.verdicts[w][n] = (unsigned)(2 * w + n) %
				    CAPABILITY_VERDICTS;
	c.missing = "s3:PutObject";
	capability_print(&c, HOME, &text);
	back.trusting = true;
	assert_true(capability_parse(strbuf_text(&text), HOME, &back));
	assert_true(back.trusting);
	assert_int_equal(back.probed_ns, NOW_NS);
	assert_string_equal(back.missing, "s3:PutObject");
	assert_memory_equal(back.verdicts, c.verdicts, sizeof(c.verdicts));
	capability_print(&back, HOME, &again);
	assert_string_equal(strbuf_text(&again), strbuf_text(&text));
	assert_true(capability_parse(strbuf_text(&text), NULL, &back));
	strbuf_release(&text);
	strbuf_release(&again);
}

static void any_other_record_says_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"of=" HOME,
		"at=2026-11-26T21:00:00Z put_new=honoured",
		"of=" HOME "2 at=2026-11-26T21:00:00Z put_new=honoured",
		"of=" HOME " at=yesterday put_new=honoured",
		"of=" HOME " at=2026-11-26T21:00:00Z put_new=perhaps",
		"of=" HOME " at=2026-11-26T21:00:00Z put_new=",
		"of=" HOME " at=2026-11-26T21:00:00Z missing=s3:All "
		"put_new=honoured",
		"of=" HOME " at=2026-11-26T21:00:00Z put_new",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct capability c = with(CAPABILITY_HONOURED);

		assert_false(capability_parse(texts[i], HOME, &c));
		assert_int_equal(c.probed_ns, 0);
		assert_false(
		    capability_protects(&c, CAPABILITY_PUT, CAPABILITY_NEW));
	}
}

static void a_record_of_a_later_version_is_read_as_far_as_it_goes(void **state)
{
	struct capability c = { 0 };

	(void)state;
	assert_true(capability_parse("of=" HOME " at=2026-11-26T21:00:00Z "
	    "put_new=honoured append_new=honoured", HOME, &c));
	assert_true(capability_protects(&c, CAPABILITY_PUT, CAPABILITY_NEW));
}

static void verdicts_are_listed_for_people(void **state)
{
	struct strbuf text = STRBUF_INIT(4096);
	struct capability c = with(CAPABILITY_IGNORED);

	(void)state;
	c.verdicts[CAPABILITY_DELETE][CAPABILITY_SAME] = CAPABILITY_IGNORED;
	capability_list(&c, CAPABILITY_IGNORED, &text);
	assert_string_equal(strbuf_text(&text),
	    "PUT If-None-Match, DELETE If-Match");
	strbuf_clear(&text);
	capability_list(&c, CAPABILITY_HONOURED, &text);
	assert_string_equal(strbuf_text(&text), "");
	strbuf_release(&text);
	assert_string_equal(capability_verdict_name(CAPABILITY_IGNORED),
	    "ignored");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_condition_that_is_honoured_protects),
		cmocka_unit_test(each_write_and_condition_has_its_own_verdict),
		cmocka_unit_test(
		    what_a_write_teaches_makes_the_record_doubtful),
		cmocka_unit_test(a_probe_is_good_for_thirty_days),
		cmocka_unit_test(a_date_in_the_future_is_not_believed),
		cmocka_unit_test(a_record_is_read_as_it_was_written),
		cmocka_unit_test(any_other_record_says_nothing),
		cmocka_unit_test(
		    a_record_of_a_later_version_is_read_as_far_as_it_goes),
		cmocka_unit_test(verdicts_are_listed_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
