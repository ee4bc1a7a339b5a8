/* SPDX-License-Identifier: MIT */
/* JSON lines are valid whatever bytes a key has. */
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void assert_text(json_t *object, const char *expected)
{
	char *text = json_text(object);

	assert_string_equal(text, expected);
	free(text);
}

static void members_stand_in_the_order_of_their_making(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_text(object, "z", "text");
	json_put_int(object, "y", 42);
	json_put_bool(object, "x", 7);
	json_put_bool(object, "w", 0);
	json_put_text(object, "v", NULL);
	json_put_text(object, "u", "");
	assert_text(object,
	    "{\"z\":\"text\",\"y\":42,\"x\":true,\"w\":false,"
	    "\"v\":null,\"u\":\"\"}");
}

static void integers_keep_all_bits(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_int(object, "max", INT64_MAX);
	json_put_int(object, "min", INT64_MIN);
	assert_text(object,
	    "{\"max\":9223372036854775807,\"min\":-9223372036854775808}");
}

static void control_characters_are_escaped(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_text(object, "t", "a\"b\\c\nd\x01\x7f/⬇️");
	assert_text(object, "{\"t\":\"a\\\"b\\\\c\\nd\\u0001\x7f/⬇️\"}");
}

static void text_that_is_not_utf8_is_repaired(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_text(object, "t", "caf\xe9 \xed\xa0\x80 é\xc3");
	assert_text(object,
	    "{\"t\":\"caf\xef\xbf\xbd "
	    "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd é\xef\xbf\xbd\"}");
}

static void a_key_of_utf8_stands_as_it_is(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_key(object, "a/é b", strlen("a/é b"));
	assert_text(object, "{\"key\":\"a/é b\"}");
	object = json_object();
	json_put_key(object, "", 0);
	assert_text(object, "{\"key\":\"\"}");
	object = json_object();
	json_put_key(object, "a\0b", 3);
	assert_text(object, "{\"key\":\"a\\u0000b\"}");
}

static void any_other_key_has_its_exact_bytes_too(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_key(object, "caf\xe9\0", 5);
	assert_text(object,
	    "{\"key\":\"caf\xef\xbf\xbd\\u0000\","
	    "\"key_base64\":\"Y2Fm6QA=\"}");
}

static void times_are_utc_and_none_is_null(void **state)
{
	json_t *object = json_object();

	(void)state;
	json_put_time(object, "a", INT64_C(1795365481123456789));
	json_put_time(object, "b", 0);
	assert_text(object, "{\"a\":\"2026-11-22T16:38:01.123Z\",\"b\":null}");
}

static void each_object_is_printed_as_one_line(void **state)
{
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);
	json_t *object;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		object = json_object();
		json_put_int(object, "i", i);
		json_put_text(object, "t", "two\nlines");
		json_print(out, object);
	}
	fclose(out);
	assert_string_equal(printed,
	    "{\"i\":0,\"t\":\"two\\nlines\"}\n"
	    "{\"i\":1,\"t\":\"two\\nlines\"}\n");
	free(printed);
}

static void any_two_bytes_give_valid_json(void **state)
{
	json_t *object, *read;
	char bytes[3], *text;
	int i, j;

	(void)state;
	for (i = 0; i < 256; i++)
		for (j = 0; j < 256; j++) {
			bytes[0] = (char)i;
			bytes[1] = (char)j;
			bytes[2] = 'x';
			object = json_object();
			json_put_key(object, bytes, 3);
			text = json_text(object);
			read = json_loads(text, JSON_ALLOW_NUL, NULL);
			assert_non_null(read);
			json_decref(read);
			free(text);
		}
}

static void secrets_are_overwritten_wherever_they_are(void **state)
{
	json_t *deep = json_string("hush"), *flat = json_string("hush");
	json_t *object = json_pack("{s:O, s:[i, O], s:n}", "a", flat, "b", 1,
	    deep, "c");

	(void)state;
	json_free_secret(object);
	assert_memory_equal(json_string_value(flat), "\0\0\0\0", 4);
	assert_memory_equal(json_string_value(deep), "\0\0\0\0", 4);
	json_decref(flat);
	json_decref(deep);
	json_free_secret(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_stand_in_the_order_of_their_making),
		cmocka_unit_test(integers_keep_all_bits),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(text_that_is_not_utf8_is_repaired),
		cmocka_unit_test(a_key_of_utf8_stands_as_it_is),
		cmocka_unit_test(any_other_key_has_its_exact_bytes_too),
		cmocka_unit_test(times_are_utc_and_none_is_null),
		cmocka_unit_test(each_object_is_printed_as_one_line),
		cmocka_unit_test(any_two_bytes_give_valid_json),
		cmocka_unit_test(secrets_are_overwritten_wherever_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
