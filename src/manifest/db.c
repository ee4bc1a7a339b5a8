/* SPDX-License-Identifier: MIT */
/* SQLite, set up for a manifest; its failures in words. */
#include "manifest/db.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"

/* Where the file is ours but its contents cannot be believed. */
#define MOVE_AWAY                                                          \
	"move %s, %s-wal and %s-shm away together; the next cycle adopts " \
	"what both sides have, without transfers"

/* The head of every SQLite database. */
#define HEADER_SIZE 100
#define HEADER_MAGIC "SQLite format 3" /* and its NUL */
#define HEADER_PAGE_SIZE 16            /* offset, big-endian; 1: 65536 */
#define HEADER_APPLICATION_ID 68       /* offset, big-endian */

char *db_sibling(const char *path, const char *suffix)
{
	struct strbuf s = STRBUF_INIT(PATH_MAX + NAME_MAX);

	strbuf_addf(&s, "%s%s", path, suffix);
	return strbuf_detach(&s);
}

/* Is there a file beside, and does it hold something? */
static bool has_bytes(const char *path, const char *suffix)
{
	char *name = db_sibling(path, suffix);
	struct stat st;
	bool there = stat(name, &st) == 0 && st.st_size > 0;

	free(name);
	return there;
}

/* There is no database; then there must be no log of one either: SQLite
 * would delete it, and with it the last cycles of a manifest that was moved. */
static int inspect_siblings(const char *path, struct error *err)
{
	static const char *const suffixes[] = { "-wal", "-journal" };

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (has_bytes(path, suffixes[i]))
			return error_set(err, ERROR_MANIFEST,
			    "%s is missing or empty, but its log %s%s is "
			    "there: put the manifest back, or move the log "
			    "away too",
			    path, path, suffixes[i]);
	return 0;
}

static int inspect_absent(const char *path, enum db_file *found,
    struct error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return error_set(err, ERROR_MANIFEST,
		    "%s is a symbolic link that leads nowhere: is a disk not "
		    "mounted?",
		    path);
	*found = DB_FILE_ABSENT;
	return inspect_siblings(path, err);
}

/* SQLite reads what is missing of its last page as zeros. Only a log that is
 * still to be folded in may put it right. */
static bool is_cut_short(const char *path, const unsigned char *header,
    int64_t size)
{
	const unsigned char *at = header + HEADER_PAGE_SIZE;
	int64_t page = at[0] << 8 | at[1];

	if (page == 1)
		page = 65536;
	return page == 0 ||
	    (size % page != 0 && !has_bytes(path, "-wal") &&
		!has_bytes(path, "-journal"));
}

static int inspect_header(const char *path, const unsigned char *header,
    size_t len, int64_t size, struct error *err)
{
	const unsigned char *id = header + HEADER_APPLICATION_ID;

	if (len < HEADER_SIZE ||
	    memcmp(header, HEADER_MAGIC, sizeof(HEADER_MAGIC)) != 0)
		return error_set(err, ERROR_MANIFEST,
		    "%s is not a manifest: it is no SQLite database; is it the "
		    "right file? If so, " MOVE_AWAY,
		    path, path, path, path);
	if (((uint32_t)id[0] << 24 | id[1] << 16 | id[2] << 8 | id[3]) !=
	    DB_APPLICATION_ID)
		return error_set(err, ERROR_MANIFEST,
		    "%s is not a manifest: it is another program's SQLite "
		    "database; give this pair a `state` file of its own",
		    path);
	if (is_cut_short(path, header, size))
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s is damaged (it ends in the middle of a "
		    "page): " MOVE_AWAY,
		    path, path, path, path);
	return 0;
}

static int inspect_file(int fd, const char *path, enum db_file *found,
    struct error *err)
{
	unsigned char header[HEADER_SIZE];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st) < 0)
		return error_sys(err, ERROR_MANIFEST, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERROR_MANIFEST,
		    "%s is %s, not a manifest: `state` must name a file", path,
		    S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
	if (st.st_size == 0) {
		*found = DB_FILE_EMPTY;
		return inspect_siblings(path, err);
	}
	len = pread(fd, header, sizeof(header), 0);
	if (len < 0)
		return error_sys(err, ERROR_MANIFEST, errno, "cannot read %s",
		    path);
	*found = DB_FILE_OURS;
	return inspect_header(path, header, (size_t)len, st.st_size, err);
}

int db_inspect(const char *path, enum db_file *found, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc;

	if (fd < 0 && errno == ENOENT)
		return inspect_absent(path, found, err);
	if (fd < 0)
		return error_sys(err, ERROR_MANIFEST, errno,
		    "cannot open the manifest %s", path);
	rc = inspect_file(fd, path, found, err);
	close(fd);
	return rc;
}

int db_damaged(const struct db *db, struct error *err, const char *what)
{
	/* It stays as it is: its log is not folded in at the close. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
	    NULL);
	return error_set(err, ERROR_MANIFEST,
	    "the manifest %s is damaged (%s): " MOVE_AWAY, db->path, what,
	    db->path, db->path, db->path);
}

/* A reader needs a -wal and a -shm file, and may not make them here. */
static int fail_reader(const struct db *db, struct error *err)
{
	char owner[256] = "its owner";
	char room[1024];
	struct passwd pw, *found = NULL;
	struct stat st;

	if (stat(db->path, &st) == 0 &&
	    getpwuid_r(st.st_uid, &pw, room, sizeof(room), &found) == 0 &&
	    found != NULL)
		snprintf(owner, sizeof(owner), "%s", found->pw_name);
	return error_set(err, ERROR_MANIFEST,
	    "the manifest %s cannot be read by this user: %s-wal or %s-shm is "
	    "missing or unreadable, and only %s can make them; run this as %s "
	    "or root",
	    db->path, db->path, db->path, owner, owner);
}

static int fail_read_only(const struct db *db, struct error *err)
{
	switch (sqlite3_extended_errcode(db->handle)) {
	case SQLITE_READONLY_ROLLBACK:
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s was left in the middle of a write; the "
		    "next cycle of its pair puts that right",
		    db->path);
	case SQLITE_READONLY_CANTINIT:
	case SQLITE_READONLY_CANTLOCK:
	case SQLITE_READONLY_DIRECTORY:
	case SQLITE_READONLY_RECOVERY:
		return fail_reader(db, err);
	default:
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s is open to be read, not written",
		    db->path);
	}
}

static int fail_full(const struct db *db, int sys, struct error *err)
{
	return error_sys(err, ERROR_MANIFEST, sys,
	    "cannot write the manifest %s: make room on its file system; what "
	    "was not committed is undone",
	    db->path);
}

int db_fail(const struct db *db, struct error *err)
{
	const char *text = sqlite3_errmsg(db->handle);
	int sys = sqlite3_system_errno(db->handle);

	switch (sqlite3_errcode(db->handle) & 0xff) {
	case SQLITE_ERROR: /* a table or column is not there */
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return db_damaged(db, err, text);
	case SQLITE_FULL:
		return fail_full(db, ENOSPC, err);
	case SQLITE_IOERR:
		/* the -shm file, which is written by mapping it */
		if (sys == ENOSPC || sys == EDQUOT)
			return fail_full(db, sys, err);
		return error_sys(err, ERROR_MANIFEST, sys != 0 ? sys : EIO,
		    "cannot read or write the manifest %s (%s)", db->path,
		    text);
	case SQLITE_READONLY:
		return fail_read_only(db, err);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return error_sys(err, ERROR_MANIFEST, sys != 0 ? sys : EACCES,
		    "cannot open the manifest %s, its -wal or its -shm file",
		    db->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s is held locked by another program than "
		    "s3sync",
		    db->path);
	default:
		return error_set(err, ERROR_MANIFEST, "the manifest %s: %s",
		    db->path, text);
	}
}

static int open_flags(enum db_access access)
{
	switch (access) {
	case DB_CREATE:
	case DB_SCRATCH:
		return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	case DB_WRITE:
		return SQLITE_OPEN_READWRITE;
	case DB_READ:
		return SQLITE_OPEN_READONLY;
	}
	return 0;
}

/*
 * What holds for the connection and leaves the file alone. The -wal and -shm
 * files outlive the connection, so that users who may not make them can read.
 */
static int set_up(struct db *db, enum db_access access, struct error *err)
{
	int keep = 1;

	sqlite3_busy_timeout(db->handle, 5000);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
	    NULL);
	sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_PERSIST_WAL,
	    &keep);
	if (db_exec(db,
		"PRAGMA cell_size_check = ON;"
		"PRAGMA cache_size = -4096;" /* KiB */
		"PRAGMA temp_store = FILE;"
		"PRAGMA mmap_size = 0;"
		"PRAGMA secure_delete = OFF;",
		err) < 0)
		return -1;
	/* A new file has another name until it is whole: no journal. */
	if (access == DB_CREATE)
		return db_exec(db,
		    "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL;",
		    err);
	return 0;
}

int db_open(struct db *db, const char *path, enum db_access access,
    struct error *err)
{
	int rc;

	db->path = alloc_string(path);
	rc = sqlite3_open_v2(access == DB_SCRATCH ? "" : path, &db->handle,
	    open_flags(access) | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
	    NULL);
	if (db->handle == NULL)
		rc = error_set(err, ERROR_MANIFEST, "%s: %s", path,
		    sqlite3_errstr(rc));
	else if (rc != SQLITE_OK)
		rc = db_fail(db, err);
	else
		rc = set_up(db, access, err);
	if (rc < 0)
		db_close(db);
	return rc;
}

/* A write-ahead log needs memory shared between all who have the file open,
 * and locks that hold; network and user-space file systems promise neither. */
static bool is_local_file_system(const char *path)
{
	static const unsigned remote[] = {
		0x6969,     /* NFS */
		0x517b,     /* SMB */
		0xfe534d42, /* SMB2 */
		0xff534d42, /* CIFS */
		0x65735546, /* FUSE */
		0x01021997, /* 9P */
		0x00c36400, /* Ceph */
		0x5346414f, /* AFS */
		0x73757245, /* Coda */
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof(remote) / sizeof(*remote); i++)
		if ((unsigned)fs.f_type == remote[i])
			return false;
	return true;
}

int db_writable(struct db *db, struct error *err)
{
	if (sqlite3_db_readonly(db->handle, "main") != 0)
		return error_set(err, ERROR_MANIFEST,
		    "the manifest %s cannot be written by this user; give the "
		    "pair another `state` file",
		    db->path);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0,
	    NULL);
	if (!is_local_file_system(db->path))
		return db_exec(db,
		    "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;",
		    err);
	return db_exec(db,
	    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
	    "PRAGMA journal_size_limit = 67108864;",
	    err);
}

void db_close(struct db *db)
{
	sqlite3_close(db->handle);
	db->handle = NULL;
	free(db->path);
	db->path = NULL;
}

int db_exec(struct db *db, const char *sql, struct error *err)
{
	if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(db, err);
	return 0;
}

int db_number(struct db *db, const char *sql, int64_t *value, struct error *err)
{
	sqlite3_stmt *statement;
	int rc;

	*value = 0;
	if (db_prepare(db, sql, &statement, err) < 0)
		return -1;
	rc = db_step(db, statement, err);
	if (rc > 0)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc < 0 ? -1 : 0;
}

int db_quick_check(struct db *db, struct error *err)
{
	sqlite3_stmt *statement;
	const char *finding;
	int rc;

	if (db_prepare(db, "PRAGMA quick_check(1)", &statement, err) < 0)
		return -1;
	rc = db_step(db, statement, err);
	if (rc > 0) {
		finding = (const char *)sqlite3_column_text(statement, 0);
		rc = finding != NULL && strcmp(finding, "ok") == 0
		    ? 0
		    : db_damaged(db, err, finding != NULL ? finding : "?");
	}
	sqlite3_finalize(statement);
	return rc;
}

int db_backup(struct db *db, const char *copy, struct error *err)
{
	sqlite3_stmt *statement;
	int fd, rc;

	if (unlink(copy) < 0 && errno != ENOENT)
		return error_sys(err, ERROR_MANIFEST, errno,
		    "cannot replace the old copy %s", copy);
	if (db_prepare(db, "VACUUM INTO ?1", &statement, err) < 0)
		return -1;
	sqlite3_bind_text(statement, 1, copy, -1, SQLITE_STATIC);
	rc = db_step(db, statement, err);
	sqlite3_finalize(statement);
	if (rc < 0)
		return error_prefix(err, "while copying it to %s", copy);
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		rc = error_sys(err, ERROR_MANIFEST, errno, "%s", copy);
	if (fd >= 0)
		close(fd);
	return rc;
}

int db_prepare(struct db *db, const char *sql, sqlite3_stmt **statement,
    struct error *err)
{
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT,
		statement, NULL) != SQLITE_OK)
		return db_fail(db, err);
	return 0;
}

int db_step(struct db *db, sqlite3_stmt *statement, struct error *err)
{
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW)
		return 1;
	rc = rc == SQLITE_DONE ? 0 : db_fail(db, err);
	sqlite3_reset(statement);
	return rc;
}
