/* SPDX-License-Identifier: MIT */
/* What was asked of the server: counts by kind, and the last requests. */
#ifndef SERVER_STATS_H
#define SERVER_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct stats;

/* Keeps counts for ${n_kinds} kinds and the last ${log_lines} lines. */
struct stats *stats_new(size_t n_kinds, size_t log_lines);
void stats_free(struct stats *s);
void stats_reset(struct stats *s);

void stats_connection(struct stats *s);
void stats_begin(struct stats *s); /* a request is in flight */
void stats_end(struct stats *s);
void stats_count(struct stats *s, size_t kind);
void stats_bytes(struct stats *s, int64_t in, int64_t out);
void stats_log(struct stats *s, const char *line);

/* One JSON object; ${kind_name} is called for 0 .. n_kinds - 1. */
void stats_print_counts(struct stats *s, const char *(*kind_name)(size_t kind),
    struct strbuf *out);
void stats_print_log(struct stats *s, struct strbuf *out);

#endif
