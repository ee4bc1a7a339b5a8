/* SPDX-License-Identifier: MIT */
/* The manifest: how it is opened, and single rows in and out. */
#include "manifest/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "manifest/manifest_internal.h"
#include "manifest/migrate.h"

#define LOCAL_COLUMNS "l_size, l_mtime_ns, l_ctime_ns, l_ino"
#define REMOTE_COLUMNS "r_size, r_mtime_ms, r_etag"
#define ENTRY_COLUMNS \
	"key, state, flags, " LOCAL_COLUMNS ", " REMOTE_COLUMNS ", md5"
#define PENDING_COLUMNS                                                   \
	"key, action, reason, detail, " LOCAL_COLUMNS ", " REMOTE_COLUMNS \
	", attempts, next_at_ns, since_ns, error"
#define RUN_COLUMNS                                                     \
	"id, started_ns, ended_ns, outcome, local_keys, remote_keys, "  \
	"uploaded, downloaded, adopted, bytes_up, bytes_down, failed, " \
	"waiting, blocked, differing, list_requests, get_requests, "    \
	"put_requests, retries, survey_ns, transfer_ns, error"

/* Every statement there is, prepared at open, so that each test that opens a
 * manifest has tried them all against the schema. */
static const char *const statements[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_META_GET] = "SELECT value FROM meta WHERE name = ?1",
	[STATEMENT_META_SET] =
	    "INSERT INTO meta VALUES (?1, ?2)"
	    " ON CONFLICT DO UPDATE SET value = excluded.value",
	[STATEMENT_ENTRY_PUT] = "REPLACE INTO entry (" ENTRY_COLUMNS ") VALUES"
				" (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[STATEMENT_ENTRY_DROP] = "DELETE FROM entry WHERE key = ?1",
	[STATEMENT_ENTRY_FIND] =
	    "SELECT " ENTRY_COLUMNS " FROM entry WHERE key = ?1",
	[STATEMENT_ENTRY_AFTER] =
	    "SELECT " ENTRY_COLUMNS " FROM entry WHERE key > ?1 ORDER BY key",
	[STATEMENT_ENTRY_TOTALS] = "SELECT count(*) FILTER (WHERE state = 1),"
				   " count(*) FILTER (WHERE state = 2),"
				   " coalesce(sum(l_size), 0) FROM entry",
	[STATEMENT_PENDING_PUT] =
	    "REPLACE INTO pending (" PENDING_COLUMNS ") VALUES"
	    " (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
	[STATEMENT_PENDING_DROP] = "DELETE FROM pending WHERE key = ?1",
	[STATEMENT_PENDING_FIND] =
	    "SELECT " PENDING_COLUMNS " FROM pending WHERE key = ?1",
	[STATEMENT_PENDING_AFTER] = "SELECT " PENDING_COLUMNS
				    " FROM pending WHERE key > ?1 ORDER BY key",
	[STATEMENT_PENDING_COUNTS] =
	    "SELECT action, reason, count(*), sum(coalesce("
	    " iif(action = 'download', r_size, l_size), r_size, 0))"
	    " FROM pending GROUP BY action, reason ORDER BY action, reason",
	[STATEMENT_RUN_KILLED] =
	    "UPDATE run SET outcome = 'killed'"
	    " WHERE ended_ns IS NULL AND outcome <> 'killed'",
	[STATEMENT_RUN_BEGIN] =
	    "INSERT INTO run (started_ns, outcome) VALUES (?1, 'running')",
	[STATEMENT_RUN_END] =
	    "REPLACE INTO run (" RUN_COLUMNS
	    ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,"
	    "?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)",
	[STATEMENT_RUN_FORGET] =
	    "DELETE FROM run WHERE id <= (SELECT max(id) FROM run) - 1000",
	[STATEMENT_RUNS] =
	    "SELECT " RUN_COLUMNS " FROM run ORDER BY id DESC LIMIT ?1",
};

/* ---- opening ------------------------------------------------------------- */

static char *with_suffix(const char *path, const char *suffix)
{
	struct strbuf s = STRBUF_INIT(PATH_MAX);

	strbuf_addf(&s, "%s%s", path, suffix);
	return strbuf_detach(&s);
}

/* One file, one name, so that all who open it meet at one lock: its real
 * path, or that of its directory while it is not there. */
static char *real_path(const char *path, struct error *err)
{
	char *copy, *dir, *real;

	real = realpath(path, NULL);
	if (real != NULL)
		return real;
	copy = alloc_string(path);
	dir = fs_real_path(dirname(copy), ERROR_MANIFEST, err);
	free(copy);
	if (dir == NULL)
		return NULL;
	copy = alloc_string(path);
	real = with_suffix(dir, "/");
	free(dir);
	dir = with_suffix(real, basename(copy));
	free(real);
	free(copy);
	return dir;
}

static int make_parent(const char *path, struct error *err)
{
	char *copy = alloc_string(path);
	int rc = fs_make_dirs(dirname(copy), 0755, err);

	free(copy);
	if (rc < 0) {
		err->kind = ERROR_MANIFEST;
		error_prefix(err, "the manifest %s", path);
	}
	return rc;
}

/* The process that wrote its id into the lock file; 0 unknown. */
static long lock_holder(const char *lock_path)
{
	struct error ignored = ERROR_INIT;
	char *text;
	size_t len;
	long pid;

	if (fs_read_file(lock_path, 32, ERROR_MANIFEST, &text, &len, &ignored) <
	    0)
		return 0;
	pid = strtol(text, NULL, 10);
	free(text);
	return pid;
}

/* Whoever only looks whether the lock is held holds it for a moment, and so
 * does a process on its way out: 1 only when it stays held. */
static int try_lock(const char *lock_path, int *fd, struct error *err)
{
	static const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	int rc;

	for (int tries = 0; tries < 10; tries++) {
		rc = fs_lock(lock_path, fd, err);
		if (rc <= 0)
			return rc;
		nanosleep(&pause, NULL);
	}
	return 1;
}

static int take_lock(struct manifest *m, struct error *err)
{
	char *lock_path = with_suffix(m->path, ".lock");
	int rc = try_lock(lock_path, &m->lock, err);
	long pid;

	if (rc == 0) {
		if (ftruncate(m->lock, 0) < 0 ||
		    dprintf(m->lock, "%ld\n", (long)getpid()) < 0)
			rc = error_sys(err, ERROR_MANIFEST, errno,
			    "cannot write %s", lock_path);
	} else if (rc < 0) {
		err->kind = ERROR_MANIFEST;
	} else if ((pid = lock_holder(lock_path)) > 0) {
		rc = error_set(err, ERROR_MANIFEST,
		    "the manifest %s is in use by process %ld; one s3sync "
		    "at a time can keep a pair in sync",
		    m->path, pid);
	} else {
		rc = error_set(err, ERROR_MANIFEST,
		    "the manifest %s is in use by another process; one s3sync "
		    "at a time can keep a pair in sync",
		    m->path);
	}
	free(lock_path);
	return rc;
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
	char *draft = with_suffix(m->path, ".new");
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
	if (m->path == NULL || take_lock(m, err) < 0 ||
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

/* What is planned shadows what is pending; both begin equal, so that past
 * failures count in a plan too. */
static int shadow_pending(struct manifest *m, struct error *err)
{
	return db_exec(&m->db,
	    "CREATE TEMP TABLE pending (key BLOB NOT NULL PRIMARY KEY, action, "
	    "reason, detail, " LOCAL_COLUMNS ", " REMOTE_COLUMNS
	    ", attempts, next_at_ns, since_ns, error) WITHOUT ROWID;"
	    "INSERT INTO temp.pending SELECT * FROM main.pending ORDER BY key;",
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

static int prepare_all(struct manifest *m, struct error *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (db_prepare(&m->db, statements[i], &m->statements[i], err) <
		    0)
			return -1;
	return 0;
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
	if (open_by[access](m, path, err) < 0 || prepare_all(m, err) < 0) {
		manifest_close(m);
		m = NULL;
	}
	*out = m;
	return m != NULL ? 0 : -1;
}

void manifest_close(struct manifest *m)
{
	if (m == NULL)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(m->statements[i]);
	db_close(&m->db);
	if (m->lock >= 0)
		close(m->lock);
	free(m->found.bytes);
	free(m->path);
	free(m);
}

const char *manifest_path(const struct manifest *m)
{
	return m->path;
}

bool manifest_is_new(const struct manifest *m)
{
	return m->is_new;
}

long manifest_writer(const struct manifest *m)
{
	char *lock_path;
	long pid = 0;
	int fd;

	if (m->lock >= 0)
		return getpid();
	lock_path = with_suffix(m->path, ".lock");
	fd = open(lock_path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 ? flock(fd, LOCK_SH | LOCK_NB) < 0 : errno != ENOENT) {
		pid = lock_holder(lock_path);
		if (pid <= 0)
			pid = -1;
	}
	if (fd >= 0)
		close(fd);
	free(lock_path);
	return pid;
}

/* ---- writing ------------------------------------------------------------- */

sqlite3_stmt *manifest_write_begin(struct manifest *m, enum statement which)
{
	if (m->failure.kind != ERROR_NONE)
		return NULL;
	if (!m->in_transaction &&
	    db_step(&m->db, m->statements[STATEMENT_BEGIN], &m->failure) < 0)
		return NULL;
	m->in_transaction = true;
	return m->statements[which];
}

int manifest_write_end(struct manifest *m, sqlite3_stmt *statement)
{
	if (db_step(&m->db, statement, &m->failure) < 0)
		return -1;
	m->uncommitted++;
	return 0;
}

int manifest_entry_put(struct manifest *m, const struct manifest_entry *entry)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_ENTRY_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_entry(s, entry);
	return manifest_write_end(m, s);
}

int manifest_pending_put(struct manifest *m,
    const struct manifest_pending *pending)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_PENDING_PUT);

	if (s == NULL)
		return -1;
	manifest_row_bind_pending(s, pending);
	return manifest_write_end(m, s);
}

static int drop(struct manifest *m, enum statement which, const char *key,
    size_t key_len)
{
	sqlite3_stmt *s = manifest_write_begin(m, which);

	if (s == NULL)
		return -1;
	manifest_row_bind_key(s, key, key_len);
	return manifest_write_end(m, s);
}

int manifest_entry_drop(struct manifest *m, const char *key, size_t key_len)
{
	return drop(m, STATEMENT_ENTRY_DROP, key, key_len);
}

int manifest_pending_drop(struct manifest *m, const char *key, size_t key_len)
{
	return drop(m, STATEMENT_PENDING_DROP, key, key_len);
}

int manifest_meta_set(struct manifest *m, const char *name, const char *value,
    struct error *err)
{
	sqlite3_stmt *s = manifest_write_begin(m, STATEMENT_META_SET);

	if (s != NULL) {
		sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
		sqlite3_bind_text(s, 2, value, -1, SQLITE_STATIC);
		if (manifest_write_end(m, s) == 0)
			return 0;
	}
	*err = m->failure;
	return -1;
}

int manifest_commit(struct manifest *m, struct error *err)
{
	struct error ignored = ERROR_INIT;
	int rc = 0;

	if (m->in_transaction && m->failure.kind == ERROR_NONE)
		db_step(&m->db, m->statements[STATEMENT_COMMIT], &m->failure);
	if (m->failure.kind != ERROR_NONE) {
		/* Some failures have ended the transaction already. */
		if (!sqlite3_get_autocommit(m->db.handle))
			db_step(&m->db, m->statements[STATEMENT_ROLLBACK],
			    &ignored);
		*err = m->failure;
		error_clear(&m->failure);
		rc = -1;
	}
	m->in_transaction = false;
	m->uncommitted = 0;
	return rc;
}

size_t manifest_uncommitted(const struct manifest *m)
{
	return m->uncommitted;
}

int manifest_checkpoint(struct manifest *m, struct error *err)
{
	enum { TRUNCATE_FRAMES = 64 * 1024 * 1024 / 4096 };
	int frames = 0;
	int rc = sqlite3_wal_checkpoint_v2(m->db.handle, "main",
	    SQLITE_CHECKPOINT_PASSIVE, &frames, NULL);

	if (rc == SQLITE_OK && frames > TRUNCATE_FRAMES)
		rc = sqlite3_wal_checkpoint_v2(m->db.handle, "main",
		    SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	/* A reader in the way is no failure: there is a next time. */
	if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
		return 0;
	return db_fail(&m->db, err);
}

/* ---- single rows, and sums ----------------------------------------------- */

int manifest_meta_get(struct manifest *m, const char *name,
    struct strbuf *value, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_META_GET];
	int rc;

	sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC);
	rc = db_step(&m->db, s, err);
	if (rc > 0) {
		strbuf_clear(value);
		strbuf_add(value, sqlite3_column_text(s, 0),
		    (size_t)sqlite3_column_bytes(s, 0));
	}
	sqlite3_reset(s);
	return rc;
}

/* Steps to the one row of ${key}; the arena of point queries is emptied. */
static int find(struct manifest *m, sqlite3_stmt *s, const char *key,
    size_t key_len, struct error *err)
{
	if (m->found.bytes == NULL) {
		m->found.room = MANIFEST_ARENA_SIZE;
		m->found.bytes = alloc_bytes(m->found.room);
	}
	m->found.used = 0;
	manifest_row_bind_key(s, key, key_len);
	return db_step(&m->db, s, err);
}

int manifest_entry_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_entry *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_ENTRY_FIND];
	int rc = find(m, s, key, key_len, err);

	if (rc > 0 && !manifest_row_entry(s, &m->found, out))
		rc = db_damaged(&m->db, err, "an entry is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_pending_find(struct manifest *m, const char *key, size_t key_len,
    struct manifest_pending *out, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_PENDING_FIND];
	int rc = find(m, s, key, key_len, err);

	if (rc > 0 && !manifest_row_pending(s, &m->found, out))
		rc = db_damaged(&m->db, err, "a pending key is far too long");
	sqlite3_reset(s);
	return rc;
}

int manifest_totals(struct manifest *m, struct manifest_totals *out,
    struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_ENTRY_TOTALS];
	int rc = db_step(&m->db, s, err);

	if (rc > 0) {
		out->synced = sqlite3_column_int64(s, 0);
		out->assumed = sqlite3_column_int64(s, 1);
		out->bytes = sqlite3_column_int64(s, 2);
	}
	sqlite3_reset(s);
	return rc < 0 ? -1 : 0;
}

int manifest_pending_counts(struct manifest *m,
    void (*each)(const char *action, const char *reason, int64_t count,
	int64_t bytes, void *arg),
    void *arg, struct error *err)
{
	sqlite3_stmt *s = m->statements[STATEMENT_PENDING_COUNTS];
	int rc;

	while ((rc = db_step(&m->db, s, err)) > 0)
		each((const char *)sqlite3_column_text(s, 0),
		    (const char *)sqlite3_column_text(s, 1),
		    sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3),
		    arg);
	return rc;
}
