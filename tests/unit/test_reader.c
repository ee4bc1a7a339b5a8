/* SPDX-License-Identifier: MIT */
/* Rows in key order, in chunks, while others are written. */
#include "manifest_fixture.h"

static void rows_come_in_the_order_of_their_bytes(void **state)
{
	static const struct {
		const char *key;
		size_t len;
	} keys[] = {
		{ "\0", 1 }, { "\0\0", 2 }, { "A", 1 }, { "a", 1 },
		{ "a\0", 2 }, { "a-", 2 }, { "a/", 2 }, { "a/b", 3 },
		{ "a0", 2 }, { "\xc3\xa9", 2 }, { "\xff", 1 },
	};
	enum { COUNT = sizeof(keys) / sizeof(*keys) };
	struct manifest_reader *r;
	struct manifest_entry entry;

	(void)state;
	for (size_t i = COUNT; i > 0; i--)
		assert_int_equal(put(keys[i - 1].key, keys[i - 1].len), 0);
	commit();
	r = manifest_reader_entries(m, NULL, 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(manifest_reader_entry(r, &entry, &err), 1);
		assert_int_equal(entry.key_len, keys[i].len);
		assert_memory_equal(entry.key, keys[i].key, keys[i].len);
	}
	assert_int_equal(manifest_reader_entry(r, &entry, &err), 0);
	assert_int_equal(manifest_reader_entry(r, &entry, &err), 0);
	manifest_reader_free(r);
}

static void more_rows_than_a_chunk_come_once_each(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(5500);
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 5500; i++)
		assert_int_equal(next_number(r), i);
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
}

static void a_reader_begins_after_its_key(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(3);
	r = manifest_reader_entries(m, "key-000001", 10);
	assert_int_equal(next_number(r), 2);
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
	r = manifest_reader_entries(m, "key-00000", 9);
	assert_int_equal(next_number(r), 0);
	manifest_reader_free(r);
}

static void a_reader_may_go_elsewhere(void **state)
{
	struct manifest_reader *r;

	(void)state;
	put_many(2500);
	r = manifest_reader_entries(m, NULL, 0);
	assert_int_equal(next_number(r), 0);
	manifest_reader_seek(r, "key-001700", 10);
	assert_int_equal(next_number(r), 1700);
	assert_int_equal(next_number(r), 1701);
	manifest_reader_seek(r, "key-0002", 8);
	assert_int_equal(next_number(r), 200);
	manifest_reader_seek(r, "kez", 3);
	assert_int_equal(next_number(r), -1);
	manifest_reader_seek(r, "", 0);
	assert_int_equal(next_number(r), 0);
	manifest_reader_free(r);
}

static void rows_already_read_may_change_meanwhile(void **state)
{
	struct manifest_reader *r;
	char key[32];

	(void)state;
	put_many(3000);
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(next_number(r), i);
		snprintf(key, sizeof(key), "key-%06d", i);
		if (i % 2 == 0)
			assert_int_equal(
			    manifest_entry_drop(m, key, strlen(key)), 0);
		else
			assert_int_equal(put_text(key), 0);
		if (i % 700 == 0)
			commit();
	}
	assert_int_equal(next_number(r), -1);
	manifest_reader_free(r);
	commit();
	assert_int_equal(entry_count(), 1500);
}

static void readers_do_not_disturb_each_other(void **state)
{
	struct manifest_reader *a, *b;

	(void)state;
	put_many(2500);
	a = manifest_reader_entries(m, NULL, 0);
	b = manifest_reader_entries(m, "key-001000", 10);
	for (int i = 0; i < 1400; i++) {
		assert_int_equal(next_number(a), i);
		assert_int_equal(next_number(b), 1001 + i);
	}
	manifest_reader_free(a);
	manifest_reader_free(b);
	manifest_reader_free(NULL);
}

/* The longest rows there are: a chunk ends before it has a thousand. */
static void long_rows_come_whole(void **state)
{
	static unsigned char etag[ETAG_MAX];
	char key[1024];
	struct manifest_entry found, entry = {
		.key = key, .key_len = sizeof(key), .state = MANIFEST_SYNCED,
		.remote.etag = { etag, sizeof(etag), false },
	};
	struct manifest_reader *r;

	(void)state;
	memset(key, 'k', sizeof(key));
	memset(etag, 'e', sizeof(etag));
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%06d", i);
		assert_int_equal(manifest_entry_put(m, &entry), 0);
	}
	commit();
	r = manifest_reader_entries(m, NULL, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(manifest_reader_entry(r, &found, &err), 1);
		assert_int_equal(found.key_len, sizeof(key));
		assert_int_equal(strtol(found.key, NULL, 10), i);
		assert_int_equal(found.key[1023], 'k');
		assert_int_equal(found.remote.etag.len, ETAG_MAX);
		assert_memory_equal(found.remote.etag.bytes, etag, ETAG_MAX);
	}
	assert_int_equal(manifest_reader_entry(r, &found, &err), 0);
	manifest_reader_free(r);
}

static void pending_rows_are_read_in_order_too(void **state)
{
	struct manifest_pending pending;
	struct manifest_reader *r;
	char key[32];

	(void)state;
	for (int i = 0; i < 1500; i++) {
		snprintf(key, sizeof(key), "%06d", i);
		assert_int_equal(wait_for(key, "upload", "new-local"), 0);
	}
	r = manifest_reader_pending(m, "000009", 6);
	for (int i = 10; i < 1500; i++) {
		assert_int_equal(
		    manifest_reader_pending_row(r, &pending, &err), 1);
		assert_int_equal(strtol(pending.key, NULL, 10), i);
		assert_string_equal(pending.reason, "new-local");
	}
	assert_int_equal(manifest_reader_pending_row(r, &pending, &err), 0);
	manifest_reader_free(r);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_come_in_the_order_of_their_bytes),
		TEST(more_rows_than_a_chunk_come_once_each),
		TEST(a_reader_begins_after_its_key),
		TEST(a_reader_may_go_elsewhere),
		TEST(rows_already_read_may_change_meanwhile),
		TEST(readers_do_not_disturb_each_other),
		TEST(long_rows_come_whole),
		TEST(pending_rows_are_read_in_order_too),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
