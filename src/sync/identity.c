/* SPDX-License-Identifier: MIT */
/* Root, bucket and manifest, as far as each knows the others. */
#include "sync/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3/endpoint.h"

#define META_MAX 4096

void identity_remote_parts(const struct conf_pair *pair, const char *endpoint,
    struct identity_part parts[IDENTITY_REMOTE])
{
	parts[0] = (struct identity_part){ "endpoint", endpoint };
	parts[1] = (struct identity_part){ "bucket", pair->bucket };
	parts[2] = (struct identity_part){ "prefix", pair->prefix };
}

/* A manifest may have been made when the region was part of its endpoint. */
static bool is_same(const char *known, const char *value)
{
	char *home = endpoint_home(known);
	bool same = strcmp(home, value) == 0;

	free(home);
	return same;
}

int identity_remote(struct manifest *m, const struct identity_part *part,
    struct error *err)
{
	struct strbuf known = STRBUF_INIT(META_MAX);
	int found = manifest_meta_get(m, part->name, &known, err);

	if (found == 1 && !is_same(strbuf_text(&known), part->value))
		found = error_set(err, ERROR_MANIFEST,
		    "%s belongs to another pair: its %s is '%s', not '%s'; "
		    "give this pair a state file of its own (--state), or "
		    "correct the %s", manifest_path(m), part->name,
		    strbuf_text(&known), part->value, part->name);
	strbuf_release(&known);
	return found;
}

/* The root has no marker, but the manifest knows one. Design rule 9. */
static int judge_lost(struct manifest *m, const struct conf_pair *pair,
    bool same_device, enum identity_root *found, struct error *err)
{
	if (!same_device)
		return error_set(err, ERROR_ROOT,
		    "%s has no marker (.s3sync/root) and is on another device "
		    "than before: is its disk not mounted? Mount it and run "
		    "again; nothing was transferred. If the root has moved "
		    "here for good without its marker, move %s, -wal and -shm "
		    "away: the next cycle adopts what both sides have",
		    pair->local, manifest_path(m));
	*found = IDENTITY_EMPTIED;
	return 0;
}

static int judge_root(struct manifest *m, const struct conf_pair *pair,
    const struct tree_fs_identity *root, const char *known, bool same_device,
    enum identity_root *found, struct error *err)
{
	if (root->marker[0] == '\0' && known[0] != '\0')
		return judge_lost(m, pair, same_device, found, err);
	if (root->marker[0] == '\0')
		*found = IDENTITY_UNMARKED;
	else if (known[0] == '\0')
		*found = IDENTITY_MARKED;
	else if (strcmp(known, root->marker) == 0)
		*found = IDENTITY_SAME;
	else
		return error_set(err, ERROR_ROOT,
		    "%s carries the marker of another root (%s, not %s): this "
		    "is not the directory that %s describes; correct 'local', "
		    "or give the pair a state file of its own (--state)",
		    pair->local, root->marker, known, manifest_path(m));
	return 0;
}

int identity_root(struct manifest *m, const struct conf_pair *pair,
    const struct tree_fs_identity *root, enum identity_root *found,
    char marker[TREE_FS_ID_SIZE], struct error *err)
{
	struct strbuf known = STRBUF_INIT(META_MAX);
	struct strbuf device = STRBUF_INIT(META_MAX);
	int status = -1;

	if (manifest_meta_get(m, "root_marker", &known, err) >= 0 &&
	    manifest_meta_get(m, "root_device", &device, err) >= 0)
		status = judge_root(m, pair, root, strbuf_text(&known),
		    strtoull(strbuf_text(&device), NULL, 10) == root->device,
		    found, err);
	snprintf(marker, TREE_FS_ID_SIZE, "%s", strbuf_text(&known));
	strbuf_release(&known);
	strbuf_release(&device);
	return status;
}
