/* SPDX-License-Identifier: MIT */
/* The rows of a manifest, copied out of it to be compared. */
#ifndef SIM_TABLE_H
#define SIM_TABLE_H

#include "base/strbuf.h"
#include "manifest/manifest.h"
#include "sync/decide.h"

struct sim_row {
	char *key;
	size_t len;
	bool has_entry, has_pending;
	/* The entry: */
	bool synced, racy;
	struct local_sig base_local;
	struct remote_sig base_remote;
	unsigned char base_etag[ETAG_MAX];
	/* The pending row: */
	int action, reason;
	bool has_local, has_remote;
	struct local_sig local;
	struct remote_sig remote;
	unsigned char etag[ETAG_MAX];
};

struct sim_table {
	struct sim_row *rows; /* in key order */
	size_t count, room;
	struct strbuf text; /* every column of every row */
};

/* Aborts where the manifest cannot be read. */
void sim_table_read(struct sim_table *t, struct manifest *m);
void sim_table_release(struct sim_table *t);
const struct sim_row *sim_table_find(const struct sim_table *t, const char *key,
    size_t len);

#endif
