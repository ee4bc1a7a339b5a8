/* SPDX-License-Identifier: MIT */
/* ETags of objects that were uploaded in parts, as others compute them. */
#include "s3/etag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define MIB (INT64_C(1) << 20)
#define SIZE ((size_t)100000)

/* By Python's hashlib. */
static const struct {
	size_t size;
	int64_t part_size;
	const char *etag;
} vectors[] = {
	{ 100000, 8192, "7cb7a6c79e191426876979b7f8a20fac-13" },
	{ 100000, 100000, "8b52e611ec345020f6208d67196c6d99-1" },
	{ 100000, 33334, "c3c83f8d3cfb1825fb97ca534569efe0-3" },
	{ 16384, 8192, "f989a07d262f16e030c727f901dfb92b-2" },
	{ 16385, 8192, "d70296dba9c2748c4ec3ce7cfe7390fd-3" },
	{ 1, 1, "7e4696ef25d5faececd853ce5e2a233b-1" },
	{ 0, 8192, "59adb24ef3cdbe0297f05b395827453f-1" },
};

static unsigned char *content(void)
{
	unsigned char *bytes = alloc_bytes(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 31 + (i >> 8) * 7);
	return bytes;
}

static void etags_are_those_of_others(void **state)
{
	unsigned char *bytes = content();
	char text[S3_ETAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		struct s3_etag *e = s3_etag_new(vectors[i].part_size);

		s3_etag_add(e, bytes, vectors[i].size);
		s3_etag_end(e, text);
		assert_string_equal(text, vectors[i].etag);
		s3_etag_free(e);
	}
	free(bytes);
	s3_etag_free(NULL);
}

static void pieces_of_any_size_give_the_same(void **state)
{
	static const size_t steps[] = { 1, 7, 8191, 8192, 8193, 50000 };
	struct s3_etag *e = s3_etag_new(8192);
	unsigned char *bytes = content();
	char text[S3_ETAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		s3_etag_add(e, "left", 4);
		s3_etag_reset(e);
		for (size_t at = 0; at < SIZE; at += steps[i])
			s3_etag_add(e, bytes + at, SIZE - at < steps[i] ?
			    SIZE - at : steps[i]);
		s3_etag_end(e, text);
		assert_string_equal(text, vectors[0].etag);
		s3_etag_reset(e);
	}
	s3_etag_free(e);
	free(bytes);
}

static void parts_hashed_by_themselves_give_the_same(void **state)
{
	unsigned char md5s[13 * DIGEST_MD5_SIZE];
	unsigned char *bytes = content();
	char text[S3_ETAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < 13; i++)
		digest_once(DIGEST_MD5, bytes + i * 8192,
		    i < 12 ? 8192 : SIZE - i * 8192,
		    md5s + i * DIGEST_MD5_SIZE);
	s3_etag_join(md5s, 13, text);
	assert_string_equal(text, vectors[0].etag);
	free(bytes);
}

static int parts_of(const char *text)
{
	unsigned char room[ETAG_MAX];
	struct etag etag;

	assert_true(signature_etag_parse(text, strlen(text), room, &etag));
	return s3_etag_parts(&etag);
}

#define HEX "0123456789abcdef0123456789abcdef"

static void the_number_of_parts_is_read(void **state)
{
	static const struct {
		const char *text;
		int parts;
	} cases[] = {
		{ "\"" HEX "-1\"", 1 }, { "\"" HEX "-12\"", 12 },
		{ "\"" HEX "-10000\"", 10000 }, { "\"" HEX "-10001\"", 0 },
		{ "\"" HEX "-0\"", 0 }, { "\"" HEX "-01\"", 0 },
		{ "\"" HEX "\"", 0 }, { "\"" HEX "-\"", 0 },
		{ "\"" HEX "-1x\"", 0 }, { "\"x123456789abcdef"
		  "0123456789abcdef-1\"", 0 }, { "\"\"", 0 }, { "\"a-1\"", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(parts_of(cases[i].text), cases[i].parts);
}

static void an_etag_is_compared_as_text(void **state)
{
	unsigned char room[ETAG_MAX];
	struct etag etag;

	(void)state;
	signature_etag_parse("\"" HEX "-2\"", 36, room, &etag);
	assert_true(s3_etag_equal(&etag, HEX "-2"));
	assert_false(s3_etag_equal(&etag, HEX "-3"));
	assert_false(s3_etag_equal(&etag, HEX));
	signature_etag_parse("\"" HEX "\"", 34, room, &etag);
	assert_false(s3_etag_equal(&etag, HEX));
}

static bool has(const int64_t *sizes, size_t count, int64_t size)
{
	for (size_t i = 0; i < count; i++)
		if (sizes[i] == size)
			return true;
	return false;
}

static void sizes_of_parts_are_guessed(void **state)
{
	static const struct {
		int64_t size, part_size;
	} cases[] = {
		{ 100 * MIB, 8 * MIB },       /* aws */
		{ 100000 * MIB, 16 * MIB },   /* aws, over 10,000 parts */
		{ 250 * MIB + 1, 5 * MIB },   /* rclone */
		{ 90000 * MIB, 10 * MIB },    /* rclone, grown */
		{ 100 * MIB, 15 * MIB },      /* s3cmd */
		{ 1000 * MIB + 3, 50 * MIB }, /* s5cmd */
		{ 300 * MIB, 64 * MIB }, { 70000 * MIB, 7 * MIB },
		{ 123456789, 12345679 },      /* in ten, evenly */
	};
	int64_t sizes[S3_ETAG_SIZES_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		int parts = (int)((cases[i].size + cases[i].part_size - 1) /
		    cases[i].part_size);
		size_t count = s3_etag_sizes(cases[i].size, parts, 0, sizes);

		assert_true(has(sizes, count, cases[i].part_size));
		for (size_t k = 0; k < count; k++)
			assert_int_equal((cases[i].size + sizes[k] - 1) /
			    sizes[k], parts);
	}
}

static void our_own_size_comes_first(void **state)
{
	int64_t sizes[S3_ETAG_SIZES_MAX];

	(void)state;
	assert_true(s3_etag_sizes(100 * MIB, 7, 16 * MIB, sizes) > 0);
	assert_int_equal(sizes[0], 16 * MIB);
	assert_int_equal(s3_etag_sizes(100 * MIB, 1, 0, sizes), 1);
	assert_int_equal(sizes[0], 100 * MIB);
	assert_false(has(sizes, s3_etag_sizes(100 * MIB, 7, 8 * MIB, sizes),
	    8 * MIB));
	assert_int_equal(s3_etag_sizes(3, 7, 0, sizes), 0);
	assert_int_equal(s3_etag_sizes(0, 1, 0, sizes), 0);
	assert_int_equal(s3_etag_sizes(5, 0, 0, sizes), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(etags_are_those_of_others),
		cmocka_unit_test(pieces_of_any_size_give_the_same),
		cmocka_unit_test(parts_hashed_by_themselves_give_the_same),
		cmocka_unit_test(the_number_of_parts_is_read),
		cmocka_unit_test(an_etag_is_compared_as_text),
		cmocka_unit_test(sizes_of_parts_are_guessed),
		cmocka_unit_test(our_own_size_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
