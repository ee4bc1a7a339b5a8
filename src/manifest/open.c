/* SPDX-License-Identifier: MIT */
/* How a manifest is opened: found, locked, made, checked, prepared. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "manifest/manifest_internal.h"
#include "manifest/migrate.h"

/* One file, one name, so that all who open it meet at one lock: its real
 * path, or a name in its directory's real path while it is not there. */
static char *real_path(const char *path, struct error *err)
{
	char *real = realpath(path, NULL);
	const char *slash = strrchr(path, '/');
	char *copy, *dir;

	if (real != NULL)
		return real;
	copy = alloc_string(path);
	dir = fs_real_path(dirname(copy), ERROR_MANIFEST, err);
	free(copy);
	if (dir == NULL)
		return NULL;
	copy = db_sibling(dir, "/");
	real = db_sibling(copy, slash != NULL ? slash + 1 : path);
	free(copy);
	free(dir);
	return real;
}

int manifest_open_bad_place(const char *path, struct error *err)
{
	err->kind = ERROR_MANIFEST;
	return error_prefix(err,
	    "the manifest %s cannot be written; give the pair a `state` file "
	    "where this user may write",
	    path);
}

static int make_parent(const char *path, struct error *err)
{
	char *copy = alloc_string(path);
	int rc = fs_make_dirs(dirname(copy), 0700, err);

	free(copy);
	return rc < 0 ? manifest_open_bad_place(path, err) : 0;
}

static int sync_directory_of(const char *path, struct error *err)
{
	char *copy = alloc_string(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = error_sys(err, ERROR_MANIFEST, errno,
		    "cannot sync the directory of %s", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* A new manifest appears whole or not at all. */
static int create(struct manifest *m, struct error *err)
{
	char *draft = db_sibling(m->path, ".new");
	struct db db = { NULL, NULL };
	int rc = -1;

	unlink(draft); /* of a run that was killed here */
	if (db_open(&db, draft, DB_CREATE, err) < 0 ||
	    migrate_run(&db, err) < 0)
		goto out;
	db_close(&db);
	if (rename(draft, m->path) < 0)
		error_sys(err, ERROR_MANIFEST, errno,
		    "cannot make the manifest %s", m->path);
	else
		rc = sync_directory_of(m->path, err);
	m->is_new = rc == 0;
out:
	db_close(&db);
	if (rc < 0)
		unlink(draft);
	free(draft);
	return rc;
}

/* Was the last run killed? Then the power may have gone too. */
static int check_after_kill(struct manifest *m, struct error *err)
{
	int64_t killed;

	if (db_number(&m->db,
		"SELECT ended_ns IS NULL FROM run ORDER BY id DESC LIMIT 1",
		&killed, err) < 0)
		return -1;
	return killed ? db_quick_check(&m->db, err) : 0;
}

static int open_write(struct manifest *m, const char *path, struct error *err)
{
	enum db_file found;
	int behind;

	if (make_parent(path, err) < 0)
		return -1;
	m->path = real_path(path, err);
	if (m->path == NULL || manifest_lock_take(m->path, &m->lock, err) < 0 ||
	    db_inspect(m->path, &found, err) < 0)
		return -1;
	if (found != DB_FILE_OURS && create(m, err) < 0)
		return -1;
	if (db_open(&m->db, m->path, DB_WRITE, err) < 0 ||
	    migrate_check(&m->db, &behind, err) < 0 ||
	    check_after_kill(m, err) < 0 || db_writable(&m->db, err) < 0)
		return -1;
	return behind > 0 ? migrate_run(&m->db, err) : 0;
}

/* An existing manifest, to look at. */
static int open_existing(struct manifest *m, struct error *err)
{
	int behind;

	if (db_open(&m->db, m->path, DB_READ, err) < 0 ||
	    migrate_check(&m->db, &behind, err) < 0)
		return -1;
	if (behind > 0)
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s was written by an older s3sync; the next "
		    "cycle brings it up to date",
		    m->path);
	return 0;
}

static int inspect(struct manifest *m, const char *path, enum db_file *found,
    struct error *err)
{
	struct error ignored = ERROR_INIT;

	m->path = real_path(path, &ignored);
	if (m->path == NULL) /* no such directory, perhaps */
		m->path = alloc_string(path);
	return db_inspect(m->path, found, err);
}

static int open_read(struct manifest *m, const char *path, struct error *err)
{
	enum db_file found;

	if (inspect(m, path, &found, err) < 0)
		return -1;
	if (found != DB_FILE_OURS)
		return error_set(err, ERROR_MANIFEST,
		    "there is no manifest %s: has this pair been synced yet?",
		    m->path);
	return open_existing(m, err);
}

/* A temporary table like the one that is pending. */
static int make_shadow(struct manifest *m, struct error *err)
{
	sqlite3_stmt *s;
	int rc;

	if (db_prepare(&m->db,
		"SELECT replace(sql, 'CREATE TABLE', 'CREATE TEMP TABLE')"
		" FROM sqlite_schema WHERE name = 'pending'",
		&s, err) < 0)
		return -1;
	rc = db_step(&m->db, s, err);
	if (rc > 0)
		rc = db_exec(&m->db, (const char *)sqlite3_column_text(s, 0),
		    err);
	sqlite3_finalize(s);
	return rc;
}

/* What is planned shadows what is pending; both begin equal, so that past
 * failures count in a plan too. */
static int shadow_pending(struct manifest *m, struct error *err)
{
	if (make_shadow(m, err) < 0)
		return -1;
	return db_exec(&m->db,
	    "INSERT INTO temp.pending SELECT * FROM main.pending ORDER BY key",
	    err);
}

static int open_plan(struct manifest *m, const char *path, struct error *err)
{
	enum db_file found;
	int rc;

	if (inspect(m, path, &found, err) < 0)
		return -1;
	m->is_new = found != DB_FILE_OURS;
	if (m->is_new)
		rc = db_open(&m->db, m->path, DB_SCRATCH, err) < 0
		    ? -1
		    : migrate_run(&m->db, err);
	else
		rc = open_existing(m, err);
	return rc < 0 ? -1 : shadow_pending(m, err);
}

int manifest_open(struct manifest **out, const char *path,
    enum manifest_access access, struct error *err)
{
	static int (*const open_by[])(struct manifest *, const char *,
	    struct error *) = {
		[MANIFEST_WRITE] = open_write,
		[MANIFEST_PLAN] = open_plan,
		[MANIFEST_READ] = open_read,
	};
	struct manifest *m = alloc_zero(1, sizeof(*m));

	m->lock = -1;
	if (open_by[access](m, path, err) < 0 ||
	    manifest_statement_prepare(m, err) < 0) {
		manifest_close(m);
		m = NULL;
	}
	*out = m;
	return m != NULL ? 0 : -1;
}
