/* SPDX-License-Identifier: MIT */
/* A manifest speaks of one root and one prefix, and of no other. */
#include "manifest_fixture.h"

#include "sync/identity.h"

#define MINE "11111111-1111-4111-8111-111111111111"
#define OTHER "22222222-2222-4222-8222-222222222222"

static const struct conf_pair pair = { .local = "/photos", .bucket = "b",
	.prefix = "p/" };
static char known[TREE_FS_ID_SIZE];

static void meta(const char *name, const char *value)
{
	assert_int_equal(manifest_meta_set(m, name, value, &err), 0);
	commit();
}

static int remote(const char *name, const char *value)
{
	const struct identity_part part = { name, value };

	error_clear(&err);
	return identity_remote(m, &part, &err);
}

static void a_new_manifest_knows_no_remote_side(void **state)
{
	struct identity_part parts[IDENTITY_REMOTE];

	(void)state;
	identity_remote_parts(&pair, "https://s3.amazonaws.com", parts);
	for (int i = 0; i < IDENTITY_REMOTE; i++)
		assert_int_equal(identity_remote(m, &parts[i], &err), 0);
}

static void the_same_remote_side_is_known_again(void **state)
{
	(void)state;
	meta("bucket", "b");
	assert_int_equal(remote("bucket", "b"), 1);
	/* when the region was part of it */
	meta("endpoint", "https://s3.eu-west-1.amazonaws.com");
	assert_int_equal(remote("endpoint", "https://s3.amazonaws.com"), 1);
}

static void another_remote_side_is_refused(void **state)
{
	(void)state;
	meta("prefix", "p/");
	assert_int_equal(remote("prefix", "q/"), -1);
	assert_int_equal(err.kind, ERROR_MANIFEST);
	assert_non_null(strstr(err.text, "its prefix is 'p/', not 'q/'"));
	assert_non_null(strstr(err.text, "--state"));
}

/* -1, or what was found. */
static int root(const char *marker, uint64_t device)
{
	struct tree_fs_identity identity = { .device = device };
	enum identity_root found = IDENTITY_SAME;

	snprintf(identity.marker, sizeof(identity.marker), "%s", marker);
	error_clear(&err);
	if (identity_root(m, &pair, &identity, &found, known, &err) < 0)
		return -1;
	return (int)found;
}

static void a_first_cycle_finds_no_marker(void **state)
{
	(void)state;
	assert_int_equal(root("", 7), IDENTITY_UNMARKED);
	assert_string_equal(known, "");
}

static void a_marker_may_be_older_than_the_manifest(void **state)
{
	(void)state;
	assert_int_equal(root(MINE, 7), IDENTITY_MARKED);
}

static void a_root_is_the_same_wherever_it_is_now(void **state)
{
	(void)state;
	meta("root_marker", MINE);
	meta("root_device", "7");
	assert_int_equal(root(MINE, 7), IDENTITY_SAME);
	assert_int_equal(root(MINE, 8), IDENTITY_SAME);
	assert_string_equal(known, MINE);
}

static void a_root_without_its_marker_was_emptied(void **state)
{
	(void)state;
	meta("root_marker", MINE);
	meta("root_device", "7");
	assert_int_equal(root("", 7), IDENTITY_EMPTIED);
	assert_string_equal(known, MINE);
}

static void or_its_disk_is_not_mounted(void **state)
{
	(void)state;
	meta("root_marker", MINE);
	meta("root_device", "7");
	assert_int_equal(root("", 8), -1);
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_non_null(strstr(err.text, "is its disk not mounted?"));
}

static void another_roots_marker_is_refused(void **state)
{
	(void)state;
	meta("root_marker", MINE);
	meta("root_device", "7");
	assert_int_equal(root(OTHER, 7), -1);
	assert_int_equal(err.kind, ERROR_ROOT);
	assert_non_null(strstr(err.text, "carries the marker of another"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_manifest_knows_no_remote_side),
		TEST(the_same_remote_side_is_known_again),
		TEST(another_remote_side_is_refused),
		TEST(a_first_cycle_finds_no_marker),
		TEST(a_marker_may_be_older_than_the_manifest),
		TEST(a_root_is_the_same_wherever_it_is_now),
		TEST(a_root_without_its_marker_was_emptied),
		TEST(or_its_disk_is_not_mounted),
		TEST(another_roots_marker_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
