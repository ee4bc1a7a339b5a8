/* SPDX-License-Identifier: MIT */
/* A manifest of its own for each test: open to be written, in a new
 * directory. Include this first. */
#ifndef MANIFEST_FIXTURE_H
#define MANIFEST_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "manifest/manifest.h"

static char dir[40];
static char path[64];
static struct manifest *m;
static struct error err;

static inline void open_as(enum manifest_access access)
{
	if (manifest_open(&m, path, access, &err) < 0)
		fail_msg("%s", err.text);
}

static inline int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_manifest.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/a.db", dir);
	error_clear(&err);
	open_as(MANIFEST_WRITE);
	return 0;
}

static inline int tear_down(void **state)
{
	char command[64];

	(void)state;
	manifest_close(m);
	m = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static inline void reopen_as(enum manifest_access access)
{
	manifest_close(m);
	open_as(access);
}

static inline void commit(void)
{
	if (manifest_commit(m, &err) < 0)
		fail_msg("%s", err.text);
}

static inline int put(const char *key, size_t len)
{
	struct manifest_entry entry = {
		.key = key, .key_len = len, .state = MANIFEST_SYNCED,
		.local = { .size = 10 }, .remote = { .size = 10 },
	};

	return manifest_entry_put(m, &entry);
}

static inline int put_text(const char *key)
{
	return put(key, strlen(key));
}

static inline int wait_for(const char *key, const char *action, const char *reason)
{
	struct manifest_pending pending = {
		.key = key, .key_len = strlen(key),
		.action = action, .reason = reason,
	};

	return manifest_pending_put(m, &pending);
}

static inline int64_t entry_count(void)
{
	struct manifest_totals totals;

	assert_int_equal(manifest_totals(m, &totals, &err), 0);
	return totals.synced + totals.assumed;
}

static inline int find_text(const char *key)
{
	struct manifest_entry found;

	return manifest_entry_find(m, key, strlen(key), &found, &err);
}

static inline void put_many(int count)
{
	char key[32];

	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key-%06d", i);
		assert_int_equal(put_text(key), 0);
	}
	commit();
}

static inline int next_number(struct manifest_reader *r)
{
	struct manifest_entry entry;

	if (manifest_reader_entry(r, &entry, &err) <= 0)
		return -1;
	return (int)strtol(entry.key + strlen("key-"), NULL, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
