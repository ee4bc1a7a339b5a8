/* SPDX-License-Identifier: MIT */
/* The manifest as its users see it. */
#include "manifest/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char dir[32];
static char path[64];
static struct manifest *m;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_manifest.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	return manifest_open(&m, path, MANIFEST_WRITE, &err);
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	manifest_close(m);
	m = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void an_entry_comes_back_as_it_was_put(void **state)
{
	static const unsigned char etag[16] = "0123456789abcde";
	static const struct manifest_entry entry = {
		.key = "a/\xff key", .key_len = 7,
		.state = MANIFEST_ASSUMED, .flags = MANIFEST_FLAG_RACY,
		.local = { 1, -2, 3, UINT64_MAX },
		.remote = { 4, 5, { etag, 16, true } },
	};
	struct manifest_entry found;

	(void)state;
	assert_int_equal(manifest_entry_put(m, &entry), 0);
	assert_int_equal(manifest_uncommitted(m), 1);
	assert_int_equal(manifest_commit(m, &err), 0);
	assert_int_equal(manifest_uncommitted(m), 0);
	assert_int_equal(manifest_entry_find(m, "a/", 2, &found, &err), 0);
	assert_int_equal(
	    manifest_entry_find(m, entry.key, entry.key_len, &found, &err), 1);
	assert_int_equal(found.key_len, entry.key_len);
	assert_memory_equal(found.key, entry.key, entry.key_len);
	assert_int_equal(found.state, entry.state);
	assert_int_equal(found.flags, entry.flags);
	assert_true(signature_local_equal(&found.local, &entry.local));
	assert_true(signature_remote_equal(&found.remote, &entry.remote));
	assert_int_equal(found.remote.mtime_ms, 5);
	assert_null(found.md5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_comes_back_as_it_was_put),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
