/* SPDX-License-Identifier: MIT */
/* A strbuf holds what was added, up to its maximum and never beyond. */
#include "base/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void an_unused_buffer_is_the_empty_text(void **state)
{
	struct strbuf s = STRBUF_INIT(10);

	(void)state;
	assert_string_equal(strbuf_text(&s), "");
	assert_int_equal(s.len, 0);
	strbuf_truncate(&s, 0);
	strbuf_clear(&s);
	strbuf_release(&s);
	strbuf_wipe(&s);
	assert_string_equal(strbuf_text(&s), "");
}

static void what_is_added_is_appended(void **state)
{
	struct strbuf s;

	(void)state;
	strbuf_init(&s, 1000);
	strbuf_adds(&s, "one");
	strbuf_addc(&s, ' ');
	strbuf_add(&s, "two-three", 3);
	strbuf_addf(&s, " %d%s", 3, "!");
	strbuf_addf(&s, "%s", "");
	assert_string_equal(strbuf_text(&s), "one two 3!");
	assert_int_equal(s.len, 10);
	assert_false(strbuf_overflowed(&s));
	strbuf_release(&s);
}

static void any_byte_may_be_added(void **state)
{
	struct strbuf s = STRBUF_INIT(10);

	(void)state;
	strbuf_add(&s, "a\0b", 3);
	strbuf_addc(&s, '\0');
	assert_int_equal(s.len, 4);
	assert_memory_equal(s.buf, "a\0b\0", 5);
	strbuf_release(&s);
}

static void it_grows_to_its_maximum(void **state)
{
	struct strbuf s = STRBUF_INIT(100000);
	int i;

	(void)state;
	for (i = 0; i < 10000; i++)
		strbuf_addf(&s, "%010d", i);
	assert_int_equal(s.len, 100000);
	assert_false(strbuf_overflowed(&s));
	assert_memory_equal(s.buf + 99990, "0000009999", 11);
	strbuf_addc(&s, 'x');
	assert_int_equal(s.len, 100000);
	assert_true(strbuf_overflowed(&s));
	strbuf_release(&s);
}

static void past_the_maximum_what_fits_is_kept(void **state)
{
	struct strbuf s = STRBUF_INIT(5);

	(void)state;
	strbuf_adds(&s, "abc");
	strbuf_adds(&s, "defgh");
	assert_string_equal(strbuf_text(&s), "abcde");
	assert_true(strbuf_overflowed(&s));
	strbuf_addf(&s, "%s", "more");
	assert_string_equal(strbuf_text(&s), "abcde");
	strbuf_release(&s);
}

static void formatted_text_is_cut_at_the_maximum(void **state)
{
	struct strbuf s = STRBUF_INIT(5);

	(void)state;
	strbuf_addf(&s, "%s-%d", "ab", 123456);
	assert_string_equal(strbuf_text(&s), "ab-12");
	assert_int_equal(s.len, 5);
	assert_true(strbuf_overflowed(&s));
	strbuf_release(&s);
}

static void a_maximum_of_nothing_holds_nothing(void **state)
{
	struct strbuf s = STRBUF_INIT(0);

	(void)state;
	strbuf_add(&s, "", 0);
	assert_false(strbuf_overflowed(&s));
	strbuf_addf(&s, "%d", 1);
	strbuf_addc(&s, 'x');
	assert_true(strbuf_overflowed(&s));
	assert_string_equal(strbuf_text(&s), "");
	strbuf_release(&s);
}

static void clearing_forgets_text_and_overflow(void **state)
{
	struct strbuf s = STRBUF_INIT(3);
	char *before;

	(void)state;
	strbuf_adds(&s, "abcd");
	before = s.buf;
	strbuf_clear(&s);
	assert_false(strbuf_overflowed(&s));
	assert_string_equal(strbuf_text(&s), "");
	strbuf_adds(&s, "xyz");
	assert_string_equal(strbuf_text(&s), "xyz");
	assert_ptr_equal(s.buf, before);
	strbuf_release(&s);
}

static void truncating_only_shortens(void **state)
{
	struct strbuf s = STRBUF_INIT(10);

	(void)state;
	strbuf_adds(&s, "abcdef");
	strbuf_truncate(&s, 9);
	assert_string_equal(strbuf_text(&s), "abcdef");
	strbuf_truncate(&s, 2);
	assert_string_equal(strbuf_text(&s), "ab");
	strbuf_adds(&s, "yz");
	assert_string_equal(strbuf_text(&s), "abyz");
	strbuf_release(&s);
}

static void detached_text_belongs_to_the_caller(void **state)
{
	struct strbuf s = STRBUF_INIT(10);
	char *text;

	(void)state;
	text = strbuf_detach(&s);
	assert_string_equal(text, "");
	free(text);
	strbuf_adds(&s, "mine");
	text = strbuf_detach(&s);
	assert_string_equal(strbuf_text(&s), "");
	strbuf_adds(&s, "new");
	assert_string_equal(text, "mine");
	assert_string_equal(strbuf_text(&s), "new");
	free(text);
	strbuf_release(&s);
}

static void released_buffers_keep_their_maximum(void **state)
{
	struct strbuf s = STRBUF_INIT(4);

	(void)state;
	strbuf_adds(&s, "secret");
	strbuf_wipe(&s);
	assert_false(strbuf_overflowed(&s));
	strbuf_adds(&s, "again");
	assert_string_equal(strbuf_text(&s), "agai");
	assert_true(strbuf_overflowed(&s));
	strbuf_release(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unused_buffer_is_the_empty_text),
		cmocka_unit_test(what_is_added_is_appended),
		cmocka_unit_test(any_byte_may_be_added),
		cmocka_unit_test(it_grows_to_its_maximum),
		cmocka_unit_test(past_the_maximum_what_fits_is_kept),
		cmocka_unit_test(formatted_text_is_cut_at_the_maximum),
		cmocka_unit_test(a_maximum_of_nothing_holds_nothing),
		cmocka_unit_test(clearing_forgets_text_and_overflow),
		cmocka_unit_test(truncating_only_shortens),
		cmocka_unit_test(detached_text_belongs_to_the_caller),
		cmocka_unit_test(released_buffers_keep_their_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
