/* SPDX-License-Identifier: MIT */
/*
 * Do root, bucket and manifest belong together? A manifest speaks of one root
 * and one prefix, and of no other. Nothing is written here.
 */
#ifndef SYNC_IDENTITY_H
#define SYNC_IDENTITY_H

#include "base/error.h"
#include "manifest/manifest.h"
#include "sync/conf.h"
#include "sync/tree_fs.h"

#define IDENTITY_REMOTE 3
struct identity_part {
	const char *name, *value; /* in meta */
};
/* What the pair's remote side is known by. ${endpoint} is that of
 * endpoint_home; all is borrowed. */
void identity_remote_parts(const struct conf_pair *pair, const char *endpoint,
    struct identity_part parts[IDENTITY_REMOTE]);
/* 1: the manifest knows this part, and it is the same; 0: it knows none; -1:
 * another one (ERROR_MANIFEST, with what to do), or it failed. */
int identity_remote(struct manifest *m, const struct identity_part *part,
    struct error *err);

enum identity_root {
	IDENTITY_SAME,
	IDENTITY_UNMARKED, /* and no marker is known: a first cycle */
	IDENTITY_MARKED,   /* by another manifest; this one knows no marker */
	IDENTITY_EMPTIED,  /* the marker is gone, the device is the same */
};
/*
 * Is ${root} the one that the manifest describes? -1: another root's marker,
 * or none where a disk is not mounted (ERROR_ROOT, with what to do); or the
 * manifest failed. ${marker}: the one it knows, "" if none.
 */
int identity_root(struct manifest *m, const struct conf_pair *pair,
    const struct tree_fs_identity *root, enum identity_root *found,
    char marker[TREE_FS_ID_SIZE], struct error *err);

#endif
