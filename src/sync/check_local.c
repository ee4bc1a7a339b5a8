/* SPDX-License-Identifier: MIT */
/* What can be told without the network: configuration, root, manifest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/path.h"
#include "manifest/migrate.h"
#include "s3/endpoint.h"
#include "sync/check_internal.h"
#include "sync/identity.h"

#define SPACE_LOW ((int64_t)64 << 20)
/* What is read whole, to see whether it is damaged. */
#define READ_WHOLE_MAX ((int64_t)64 << 20)

static void check_configuration(struct check *c)
{
	const struct conf_pair *pair = c->pair;

	check_tell(c, CHECK_CONFIGURATION, CHECK_OK, NULL, NULL,
	    "%s <-> %s, by %s", pair->local, pair->remote,
	    c->request->conf_path != NULL ? c->request->conf_path :
	    "the command line");
}

/*
 * The root
 */

static bool may_write(const char *path)
{
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

static void check_room(struct check *c)
{
	struct statvfs fs;
	char text[HUMAN_MAX];
	int64_t room;

	if (statvfs(c->pair->local, &fs) < 0) {
		check_tell(c, CHECK_ROOT, CHECK_OK, NULL, NULL,
		    "can be read and written");
		return;
	}
	room = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	human_bytes(room, text);
	if (room < SPACE_LOW)
		check_tell(c, CHECK_ROOT, CHECK_WARNING,
		    "make room, or larger files cannot be downloaded", NULL,
		    "can be read and written, but has only %s left", text);
	else
		check_tell(c, CHECK_ROOT, CHECK_OK, NULL, NULL,
		    "can be read and written, %s left", text);
}

/* Without a marker, which is to be made, no cycle can begin. */
static enum check_verdict verdict_of_unwritable(const struct check *c)
{
	struct error ignored = ERROR_INIT;
	struct tree_fs_identity root;

	if (tree_fs_identity(c->tree, &root, &ignored) == 0 &&
	    root.marker[0] != '\0')
		return CHECK_WARNING;
	return CHECK_FAILED;
}

static void check_root(struct check *c)
{
	struct error err = ERROR_INIT;

	if (tree_fs_open(&c->tree, c->pair->local, &err) < 0)
		check_tell_error(c, CHECK_ROOT, CHECK_FAILED, &err, NULL);
	else if (may_write(c->pair->local))
		check_room(c);
	else if (errno == EROFS)
		check_tell(c, CHECK_ROOT, verdict_of_unwritable(c),
		    "mount it to be written", NULL,
		    "%s is on a file system that is mounted read-only: "
		    "nothing can be downloaded", c->pair->local);
	else
		check_tell(c, CHECK_ROOT, verdict_of_unwritable(c),
		    "let this user write and search the directory, or run as "
		    "one that may", NULL,
		    "%s cannot be written: nothing can be downloaded",
		    c->pair->local);
}

/*
 * The manifest
 */

/* The directory of ${path}, malloc'ed. */
static char *parent_of(const char *path)
{
	size_t len = path_parent_len(path, strlen(path));
	char *dir;

	if (len == 0)
		return alloc_string(path[0] == '/' ? "/" : ".");
	dir = alloc_string(path);
	dir[len] = '\0';
	return dir;
}

/* There is none: can one be made? */
static void check_absent(struct check *c)
{
	char *dir = parent_of(c->pair->state);
	struct stat st;

	while (stat(dir, &st) < 0 && errno == ENOENT && strlen(dir) > 1) {
		char *above = parent_of(dir);

		free(dir);
		dir = above;
	}
	if (may_write(dir))
		check_tell(c, CHECK_MANIFEST, CHECK_OK, NULL, NULL,
		    "none yet: the first cycle makes %s", c->pair->state);
	else
		check_tell(c, CHECK_MANIFEST, CHECK_FAILED,
		    "give the pair a `state` file where this user may write",
		    NULL, "%s cannot be made: %s: %s", c->pair->state, dir,
		    strerror(errno));
	free(dir);
}

/* Of which pair? */
static int check_remote_identity(struct check *c, struct error *err)
{
	struct identity_part parts[IDENTITY_REMOTE];

	identity_remote_parts(c->pair, c->endpoint, parts);
	for (int i = 0; i < IDENTITY_REMOTE; i++)
		if (identity_remote(c->manifest, &parts[i], err) < 0)
			return -1;
	return 0;
}

static void check_contents(struct check *c)
{
	struct manifest_totals totals;
	struct error err = ERROR_INIT;
	char keys[HUMAN_MAX];
	long writer = manifest_writer(c->manifest);
	char *dir;

	if ((c->endpoint != NULL && check_remote_identity(c, &err) < 0) ||
	    manifest_totals(c->manifest, &totals, &err) < 0) {
		check_tell_error(c, CHECK_MANIFEST, CHECK_FAILED, &err, NULL);
		return;
	}
	human_count(totals.synced + totals.assumed, keys);
	dir = parent_of(manifest_path(c->manifest));
	if (writer != 0)
		check_tell(c, CHECK_MANIFEST, CHECK_OK, NULL, NULL,
		    "%s, %s keys; process %ld keeps it in sync now",
		    c->pair->state, keys, writer);
	else if (!may_write(dir) ||
	    faccessat(AT_FDCWD, c->pair->state, W_OK, AT_EACCESS) < 0)
		check_tell(c, CHECK_MANIFEST, CHECK_FAILED,
		    "run as its owner, or give the pair another `state` file",
		    NULL, "%s cannot be written: %s", c->pair->state,
		    strerror(errno));
	else
		check_tell(c, CHECK_MANIFEST, CHECK_OK, NULL, NULL,
		    "%s, %s keys", c->pair->state, keys);
	free(dir);
}

/* How many steps is it behind? -1: it is not to be believed. */
static int look_inside(const char *path, int *behind, struct error *err)
{
	struct db db = { NULL, NULL };
	struct stat st;
	int rc = db_open(&db, path, DB_READ, err);

	if (rc == 0)
		rc = migrate_check(&db, behind, err);
	if (rc == 0 && stat(path, &st) == 0 && st.st_size <= READ_WHOLE_MAX)
		rc = db_quick_check(&db, err);
	db_close(&db);
	return rc;
}

static void check_manifest(struct check *c)
{
	struct error err = ERROR_INIT;
	const char *path = c->pair->state;
	enum db_file found;
	int behind = 0;

	if (db_inspect(path, &found, &err) < 0)
		check_tell_error(c, CHECK_MANIFEST, CHECK_FAILED, &err, NULL);
	else if (found != DB_FILE_OURS)
		check_absent(c);
	else if (look_inside(path, &behind, &err) < 0)
		check_tell_error(c, CHECK_MANIFEST, CHECK_FAILED, &err, NULL);
	else if (behind > 0)
		check_tell(c, CHECK_MANIFEST, CHECK_OK, NULL, NULL,
		    "%s is of an older version: the next cycle brings it up "
		    "to date", path);
	else if (manifest_open(&c->manifest, path, MANIFEST_READ, &err) < 0)
		check_tell_error(c, CHECK_MANIFEST, CHECK_FAILED, &err, NULL);
	else
		check_contents(c);
}

/*
 * Do they belong together?
 */

static void tell_marker(struct check *c, const struct tree_fs_identity *root)
{
	char known[TREE_FS_ID_SIZE];
	enum identity_root found = root->marker[0] == '\0' ?
	    IDENTITY_UNMARKED : IDENTITY_MARKED;
	struct error err = ERROR_INIT;

	if (c->manifest != NULL && identity_root(c->manifest, c->pair, root,
	        &found, known, &err) < 0) {
		check_tell_error(c, CHECK_MARKER, CHECK_FAILED, &err, NULL);
		return;
	}
	switch (found) {
	case IDENTITY_SAME:
		check_tell(c, CHECK_MARKER, CHECK_OK, NULL, NULL,
		    "the root is the one that the manifest knows");
		break;
	case IDENTITY_UNMARKED:
		check_tell(c, CHECK_MARKER, CHECK_OK, NULL, NULL,
		    "none yet: the first cycle makes %s/" PATH_RESERVED "/root",
		    c->pair->local);
		break;
	case IDENTITY_MARKED:
		check_tell(c, CHECK_MARKER, CHECK_OK, NULL, NULL,
		    "the root was in sync before, but this manifest does not "
		    "know it yet");
		break;
	case IDENTITY_EMPTIED:
		check_tell(c, CHECK_MARKER, CHECK_HINT, "the next cycle brings "
		    "back what is missing; if that is not meant, do not run "
		    "one", NULL, "the root has lost its marker: it was "
		    "emptied or made anew");
		break;
	}
}

static void check_marker(struct check *c)
{
	struct tree_fs_identity root;
	struct error err = ERROR_INIT;

	if (c->tree == NULL)
		return;
	if (tree_fs_identity(c->tree, &root, &err) < 0)
		check_tell_error(c, CHECK_MARKER, CHECK_FAILED, &err, NULL);
	else
		tell_marker(c, &root);
}

/* NULL where the options name none: then that is told with the bucket. */
static char *home_of(const struct conf_pair *pair)
{
	const struct endpoint_options options = {
		.url = pair->endpoint_url,
		.region = pair->region,
		.bucket = pair->bucket,
		.addressing = (enum s3_addressing)pair->addressing,
		.dualstack = pair->dualstack,
		.fips = pair->fips,
		.accelerate = pair->accelerate,
	};
	struct error ignored = ERROR_INIT;
	struct endpoint e;
	char *home;

	if (endpoint_init(&e, &options, &ignored) < 0)
		return NULL;
	home = endpoint_home(e.url);
	endpoint_release(&e);
	return home;
}

void check_local(struct check *c)
{
	c->endpoint = home_of(c->pair);
	check_configuration(c);
	check_root(c);
	check_manifest(c);
	check_marker(c);
}
