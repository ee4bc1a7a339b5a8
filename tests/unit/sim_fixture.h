/* SPDX-License-Identifier: MIT */
/*
 * One simulated tree, one simulated bucket, one manifest: what the tests of
 * the streaming parts run on.
 */
#ifndef UNIT_SIM_FIXTURE_H
#define UNIT_SIM_FIXTURE_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../sim/sim_bucket.h"
#include "../sim/sim_tree.h"
#include "base/alloc.h"
#include "manifest/manifest.h"

struct sim_fixture {
	struct sim sim;
	struct sim_store store;
	struct sim_tree tree;
	struct sim_bucket bucket;
	struct filter *filter;
	struct manifest *manifest;
	char path[64];
	struct error error;
};

static inline int sim_fixture_init(struct sim_fixture *f)
{
	static const char *const places[] = { "/dev/shm", "/tmp" };
	int fd = -1;

	sim_init(&f->sim, 1);
	sim_store_init(&f->store, &f->sim, "p/");
	sim_tree_init(&f->tree, &f->sim);
	sim_bucket_init(&f->bucket, &f->store);
	f->tree.objects = &f->store.history;
	f->bucket.files = &f->tree.history;
	f->filter = filter_new();
	for (size_t i = 0; fd < 0 && i < 2; i++) {
		snprintf(f->path, sizeof(f->path), "%s/s3sync-unit.XXXXXX",
		    places[i]);
		fd = mkstemp(f->path);
	}
	if (fd < 0)
		return -1;
	close(fd);
	return manifest_open(&f->manifest, f->path, MANIFEST_WRITE, &f->error);
}

static inline void sim_fixture_release(struct sim_fixture *f)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
	char path[80];

	manifest_close(f->manifest);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	sim_bucket_release(&f->bucket);
	sim_tree_release(&f->tree);
	sim_store_release(&f->store);
	filter_free(f->filter);
	sim_release(&f->sim);
}

static inline void sim_fixture_file(struct sim_fixture *f, const char *key,
    int64_t size)
{
	struct sim_content *c = sim_content_new(sim_random(&f->sim), size);

	if (!sim_tree_write(&f->tree, key, strlen(key), c))
		abort();
	sim_content_unref(c);
}

static inline void sim_fixture_object(struct sim_fixture *f, const char *key,
    int64_t size)
{
	struct sim_content *c = sim_content_new(sim_random(&f->sim), size);

	sim_store_put(&f->store, key, strlen(key), c);
	sim_content_unref(c);
}

static inline bool sim_fixture_has_file(struct sim_fixture *f, const char *key)
{
	return sim_tree_find(&f->tree, key, strlen(key)) != NULL;
}

static inline bool sim_fixture_has_object(struct sim_fixture *f,
    const char *key)
{
	return sim_store_find(&f->store, key, strlen(key)) != NULL;
}

/* No file grows beyond ${size}: nor does the manifest. */
static inline void sim_fixture_freeze_files(rlim_t size)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct rlimit limit = { size, RLIM_INFINITY };

	if (sigaction(SIGXFSZ, &ignore, NULL) < 0 ||
	    setrlimit(RLIMIT_FSIZE, &limit) < 0)
		abort();
}

/* Rows, borrowed until the next call; NULL: there is none. */
static inline struct manifest_pending *sim_fixture_pending(
    struct sim_fixture *f, const char *key)
{
	static struct manifest_pending row;
	int found = manifest_pending_find(f->manifest, key, strlen(key), &row,
	    &f->error);

	if (found < 0)
		abort();
	return found > 0 ? &row : NULL;
}

static inline struct manifest_entry *sim_fixture_entry(struct sim_fixture *f,
    const char *key)
{
	static struct manifest_entry row;
	int found =
	    manifest_entry_find(f->manifest, key, strlen(key), &row, &f->error);

	if (found < 0)
		abort();
	return found > 0 ? &row : NULL;
}

#endif
