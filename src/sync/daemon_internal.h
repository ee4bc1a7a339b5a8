/* SPDX-License-Identifier: MIT */
/* Between the daemon of one pair (daemon.c) and of several
 * (daemon_children.c). */
#ifndef SYNC_DAEMON_INTERNAL_H
#define SYNC_DAEMON_INTERNAL_H

#include "sync/daemon.h"

struct daemon {
	struct conf *conf; /* replaced by a reload */
	const struct conf_request *request;
	const struct report_style *style;
};

/* Not an exit status: the configuration has another number of pairs now. */
#define DAEMON_REGROUP (-1)

/* Opens the log anew, reads the configuration again and lets the log follow
 * it. -1: it is bad, which is logged, and nothing has changed. */
int daemon_reread(const struct daemon *d, struct conf *fresh);
/* Runs the only pair of d->conf. Returns an exit status or DAEMON_REGROUP. */
int daemon_run_pair(struct daemon *d);
/* Runs each pair of d->conf in a child. Returns an exit status. */
int daemon_children_run(struct daemon *d);

#endif
