/* SPDX-License-Identifier: MIT */
/*
 * One SQLite connection, set up the way a manifest needs it, and SQLite's
 * failures as errors that say what to do. Knows nothing of what the tables
 * mean. Only the manifest layer includes this.
 */
#ifndef MANIFEST_DB_H
#define MANIFEST_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/error.h"

#define DB_APPLICATION_ID 0x53335359 /* "S3SY", the file format's mark */

struct db {
	sqlite3 *handle;
	char *path; /* for messages */
};

/* ${path}${suffix}: what belongs to a database lies beside it. malloc'ed. */
char *db_sibling(const char *path, const char *suffix);

/* What stands at a path, told without SQLite: nothing is written. */
enum db_file {
	DB_FILE_ABSENT,
	DB_FILE_EMPTY,  /* of no bytes, and nothing of SQLite's beside it */
	DB_FILE_OURS,   /* a SQLite database with our application id */
};
/* Anything else (a directory, another program's file, a log whose database
 * is gone) is an ERROR_MANIFEST. */
int db_inspect(const char *path, enum db_file *found, struct error *err);

enum db_access {
	DB_CREATE,  /* a new file that nobody else knows of yet */
	DB_WRITE,   /* the one writer of an existing file */
	DB_READ,    /* beside a writer; never changes the file */
	DB_SCRATCH, /* no file: a private database that ends with the connection */
};
/*
 * A writer does not touch the file before db_writable, so that what is
 * refused stays as it is. On failure *db is closed.
 */
int db_open(struct db *db, const char *path, enum db_access access,
    struct error *err);
/* The file is accepted: sets its journal, lets the log be folded in. */
int db_writable(struct db *db, struct error *err);
void db_close(struct db *db); /* rolls back; {NULL, NULL}: nothing */

/* Runs statements that give no rows. */
int db_exec(struct db *db, const char *sql, struct error *err);
/* The first column of the first row of ${sql}; 0 where there is no row. */
int db_number(struct db *db, const char *sql, int64_t *value,
    struct error *err);
/* SQLite's quick_check: reads the whole file. */
int db_quick_check(struct db *db, struct error *err);
/* A copy of the database in a new file; an older copy is replaced. */
int db_backup(struct db *db, const char *copy, struct error *err);

/* A statement that is run many times. */
int db_prepare(struct db *db, const char *sql, sqlite3_stmt **statement,
    struct error *err);
/* 1 a row, 0 no more rows, -1; after 0 and -1 the statement is ready again. */
int db_step(struct db *db, sqlite3_stmt *statement, struct error *err);

/* Fills *err with the connection's last failure and its remedy; -1. */
int db_fail(const struct db *db, struct error *err);
/* The contents cannot be right; ${what} says why; -1. */
int db_damaged(const struct db *db, struct error *err, const char *what);

#endif
