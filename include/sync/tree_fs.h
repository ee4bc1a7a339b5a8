/* SPDX-License-Identifier: MIT */
/*
 * The real local tree: a directory, held by descriptor, known by the marker
 * ROOT/.s3sync/root (a UUID and a newline).
 */
#ifndef SYNC_TREE_FS_H
#define SYNC_TREE_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "sync/tree.h"

#define TREE_FS_ID_SIZE 37 /* a UUID's text and its NUL */

struct tree_fs_identity {
	char marker[TREE_FS_ID_SIZE]; /* "": there is none */
	uint64_t device;              /* st_dev of the root */
};

/*
 * Opens ${root}, which must be a directory that can be read; each failure
 * (absent, a file, unreadable) is ERROR_ROOT and says what to do. Writes
 * nothing. Sweeps nothing.
 */
int tree_fs_open(struct tree **tree, const char *root, struct error *err);
/* Pairs with other prefixes may share a root. ${owner}, any text, is whose
 * the temporary files are that this tree makes and sweeps. */
void tree_fs_own(struct tree *tree, const char *owner);
/* A marker that is there but is not a UUID is an error. */
int tree_fs_identity(struct tree *tree, struct tree_fs_identity *out,
    struct error *err);
/* Makes ROOT/.s3sync and the marker (durably, never over an existing one);
 * ${marker} empty: a new random UUID is chosen and returned in it, or what
 * another process has made meanwhile. */
int tree_fs_mark(struct tree *tree, char marker[TREE_FS_ID_SIZE],
    struct error *err);
/* Removes what a killed run of this owner left below .s3sync/tmp, but for what
 * ${keep} (NULL: nothing) says is to be gone on with; and what nobody has
 * written to for a week. Caller holds the lock. */
int tree_fs_sweep(struct tree *tree, bool (*keep)(void *arg, const char *name),
    void *arg, struct error *err);

#endif
