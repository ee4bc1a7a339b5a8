/* SPDX-License-Identifier: MIT */
/* Rows come back as they were put. */
#include "manifest_fixture.h"

static void assert_entry_returns(const struct manifest_entry *entry)
{
	struct manifest_entry found;

	assert_int_equal(manifest_entry_put(m, entry), 0);
	commit();
	assert_int_equal(
	    manifest_entry_find(m, entry->key, entry->key_len, &found, &err),
	    1);
	assert_int_equal(found.key_len, entry->key_len);
	assert_memory_equal(found.key, entry->key, entry->key_len);
	assert_int_equal(found.state, entry->state);
	assert_int_equal(found.flags, entry->flags);
	assert_true(signature_local_equal(&found.local, &entry->local));
	assert_true(signature_remote_equal(&found.remote, &entry->remote));
	assert_int_equal(found.remote.mtime_ms, entry->remote.mtime_ms);
	if (entry->md5 != NULL)
		assert_memory_equal(found.md5, entry->md5, 16);
	else
		assert_null(found.md5);
}

static void an_entry_comes_back_as_it_was_put(void **state)
{
	static const unsigned char bytes[16] = "0123456789\0bcde";
	struct manifest_entry entry = {
		.key = "a/\xff\0 key", .key_len = 8,
		.state = MANIFEST_ASSUMED, .flags = MANIFEST_FLAG_RACY,
		.local = { 1, -2, 3, UINT64_MAX },
		.remote = { 4, 5, { bytes, 16, true } },
	};

	(void)state;
	assert_entry_returns(&entry);
	entry.state = MANIFEST_SYNCED;
	entry.flags = 0;
	entry.local = (struct local_sig){ INT64_MAX, INT64_MIN, 0, 0 };
	entry.remote.mtime_ms = SIGNATURE_MTIME_UNKNOWN;
	entry.md5 = bytes;
	assert_entry_returns(&entry);
	entry.remote.mtime_ms = 0;
	entry.remote.etag = (struct etag){ bytes, 10, false };
	assert_entry_returns(&entry);
	entry.remote.etag = (struct etag){ NULL, 0, false };
	assert_entry_returns(&entry);
	assert_int_equal(entry_count(), 1);
}

static void a_pending_key_comes_back_as_it_was_put(void **state)
{
	static const unsigned char bytes[] = "d41d8cd9-2";
	struct manifest_pending found, pending = {
		.key = "a/b", .key_len = 3, .action = "none",
		.reason = "differs", .detail = "both sides changed",
		.has_local = true, .has_remote = true,
		.local = { 1, 2, 3, 4 },
		.remote = { 5, 6, { bytes, sizeof(bytes) - 1, false } },
		.attempts = 7, .next_at_ns = 8, .since_ns = 9,
		.error = "no\xff answer",
	};

	(void)state;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "a/b", 3, &found, &err), 1);
	assert_memory_equal(found.key, "a/b", 4);
	assert_string_equal(found.action, "none");
	assert_string_equal(found.reason, "differs");
	assert_string_equal(found.detail, "both sides changed");
	assert_true(found.has_local);
	assert_true(found.has_remote);
	assert_true(signature_local_equal(&found.local, &pending.local));
	assert_true(signature_remote_equal(&found.remote, &pending.remote));
	assert_int_equal(found.attempts, 7);
	assert_int_equal(found.next_at_ns, 8);
	assert_int_equal(found.since_ns, 9);
	assert_string_equal(found.error, "no\xff answer");
}

static void a_side_that_is_absent_stays_absent(void **state)
{
	struct manifest_pending found, pending = {
		.key = "k", .key_len = 1, .action = "upload", .reason = "new",
		.has_local = true, .local = { 0, 0, 0, 0 },
	};

	(void)state;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &found, &err), 1);
	assert_true(found.has_local);
	assert_false(found.has_remote);
	assert_null(found.detail);
	assert_null(found.error);
	pending.has_local = false;
	pending.has_remote = true;
	assert_int_equal(manifest_pending_put(m, &pending), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &found, &err), 1);
	assert_false(found.has_local);
	assert_true(found.has_remote);
}

static void what_is_dropped_is_gone(void **state)
{
	struct manifest_pending pending;

	(void)state;
	put_text("k");
	wait_for("k", "none", "blocked");
	assert_int_equal(manifest_entry_drop(m, "k", 1), 0);
	assert_int_equal(manifest_pending_drop(m, "k", 1), 0);
	assert_int_equal(manifest_entry_drop(m, "never there", 11), 0);
	commit();
	assert_int_equal(find_text("k"), 0);
	assert_int_equal(manifest_pending_find(m, "k", 1, &pending, &err), 0);
}

static void meta_holds_text_by_name(void **state)
{
	struct strbuf value = STRBUF_INIT(1024);

	(void)state;
	assert_int_equal(manifest_meta_get(m, "root", &value, &err), 0);
	assert_int_equal(manifest_meta_set(m, "root", "one", &err), 0);
	assert_int_equal(manifest_meta_set(m, "root", "another", &err), 0);
	commit();
	strbuf_adds(&value, "left over");
	assert_int_equal(manifest_meta_get(m, "root", &value, &err), 1);
	assert_string_equal(strbuf_text(&value), "another");
	strbuf_release(&value);
}

static void keys_have_the_lengths_that_s3_allows(void **state)
{
	char key[1025];

	(void)state;
	memset(key, 'k', sizeof(key));
	assert_int_equal(put(key, 1024), 0);
	commit();
	assert_int_equal(put(key, 1025), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_int_equal(put("", 0), -1);
	assert_int_equal(manifest_commit(m, &err), -1);
	assert_int_equal(entry_count(), 1);
}

/* A name that cannot be a key is blocked, and is to be reported. */
static void a_pending_key_may_be_longer(void **state)
{
	struct manifest_pending found;
	char key[5001];

	(void)state;
	memset(key, 'k', 5000);
	key[5000] = '\0';
	assert_int_equal(wait_for(key, "none", "blocked"), 0);
	commit();
	assert_int_equal(manifest_pending_find(m, key, 5000, &found, &err), 1);
	assert_int_equal(found.key_len, 5000);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_comes_back_as_it_was_put),
		TEST(a_pending_key_comes_back_as_it_was_put),
		TEST(a_side_that_is_absent_stays_absent),
		TEST(what_is_dropped_is_gone),
		TEST(meta_holds_text_by_name),
		TEST(keys_have_the_lengths_that_s3_allows),
		TEST(a_pending_key_may_be_longer),
	};

	return cmocka_run_group_tests_name("row", tests, NULL, NULL);
}
