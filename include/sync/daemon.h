/* SPDX-License-Identifier: MIT */
/*
 * A cycle every interval, for one pair or for several beside each other, until
 * a signal ends it.
 */
#ifndef SYNC_DAEMON_H
#define SYNC_DAEMON_H

#include <stdint.h>

#include "sync/conf.h"
#include "sync/report.h"

/*
 * Runs the pairs of ${conf}; each has a process of its own where there are
 * several. ${conf} is what conf_load made of ${request}, which a SIGHUP asks
 * again; a configuration that is bad by then is logged and the old one kept.
 * Returns the exit status: 128+n after a signal, 2 or 3 where a pair cannot
 * begin. To be called before any thread is made.
 */
int daemon_run(struct conf *conf, const struct conf_request *request,
    const struct report_style *style);

/* Cycles start at start_ns + k * interval_ns, and never overlap. */
struct daemon_grid {
	int64_t start_ns;
	int64_t interval_ns;
	int64_t k; /* of the start that was last */
};
/* The start that follows, as seen at ${now_ns}, when the cycle of the last one
 * has ended; ${*skipped}: how many starts went by meanwhile. */
int64_t daemon_grid_next(struct daemon_grid *grid, int64_t now_ns,
    int64_t *skipped);

#endif
