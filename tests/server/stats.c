/* SPDX-License-Identifier: MIT */
/* What was asked of the server: counts by kind, and the last requests. */
#include "stats.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

struct stats {
	pthread_mutex_t lock;
	size_t n_kinds;
	int64_t *counts; /* by kind */
	int64_t connections;
	int64_t in_flight, max_in_flight;
	int64_t bytes_in, bytes_out; /* of bodies */
	char **lines;                /* a ring */
	size_t n_lines;
	uint64_t next_line;
};

struct stats *stats_new(size_t n_kinds, size_t log_lines)
{
	struct stats *s = alloc_zero(1, sizeof(*s));

	pthread_mutex_init(&s->lock, NULL);
	s->n_kinds = n_kinds;
	s->counts = alloc_zero(n_kinds, sizeof(*s->counts));
	s->n_lines = log_lines;
	s->lines = alloc_zero(log_lines, sizeof(*s->lines));
	return s;
}

static void drop_lines(struct stats *s)
{
	for (size_t i = 0; i < s->n_lines; i++) {
		free(s->lines[i]);
		s->lines[i] = NULL;
	}
	s->next_line = 0;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	drop_lines(s);
	free(s->lines);
	free(s->counts);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void stats_reset(struct stats *s)
{
	pthread_mutex_lock(&s->lock);
	memset(s->counts, 0, s->n_kinds * sizeof(*s->counts));
	s->connections = 0;
	s->max_in_flight = s->in_flight;
	s->bytes_in = s->bytes_out = 0;
	drop_lines(s);
	pthread_mutex_unlock(&s->lock);
}

void stats_connection(struct stats *s)
{
	pthread_mutex_lock(&s->lock);
	s->connections++;
	pthread_mutex_unlock(&s->lock);
}

void stats_begin(struct stats *s)
{
	pthread_mutex_lock(&s->lock);
	if (++s->in_flight > s->max_in_flight)
		s->max_in_flight = s->in_flight;
	pthread_mutex_unlock(&s->lock);
}

void stats_end(struct stats *s)
{
	pthread_mutex_lock(&s->lock);
	s->in_flight--;
	pthread_mutex_unlock(&s->lock);
}

void stats_count(struct stats *s, size_t kind)
{
	pthread_mutex_lock(&s->lock);
	s->counts[kind]++;
	pthread_mutex_unlock(&s->lock);
}

void stats_bytes(struct stats *s, int64_t in, int64_t out)
{
	pthread_mutex_lock(&s->lock);
	s->bytes_in += in;
	s->bytes_out += out;
	pthread_mutex_unlock(&s->lock);
}

void stats_log(struct stats *s, const char *line)
{
	char *copy = alloc_string(line), **slot;

	pthread_mutex_lock(&s->lock);
	slot = &s->lines[s->next_line++ % s->n_lines];
	free(*slot);
	*slot = copy;
	pthread_mutex_unlock(&s->lock);
}

void stats_print_counts(struct stats *s, const char *(*kind_name)(size_t kind),
    struct strbuf *out)
{
	int64_t total = 0;

	pthread_mutex_lock(&s->lock);
	strbuf_addc(out, '{');
	for (size_t i = 0; i < s->n_kinds; i++) {
		strbuf_addf(out, "\"%s\":%" PRId64 ",", kind_name(i),
		    s->counts[i]);
		total += s->counts[i];
	}
	strbuf_addf(out,
	    "\"total\":%" PRId64 ",\"bytes_in\":%" PRId64
	    ",\"bytes_out\":%" PRId64 ",\"in_flight\":%" PRId64
	    ",\"max_in_flight\":%" PRId64 ",\"connections\":%" PRId64 "}\n",
	    total, s->bytes_in, s->bytes_out, s->in_flight, s->max_in_flight,
	    s->connections);
	pthread_mutex_unlock(&s->lock);
}

void stats_print_log(struct stats *s, struct strbuf *out)
{
	uint64_t first;

	pthread_mutex_lock(&s->lock);
	first = s->next_line > s->n_lines ? s->next_line - s->n_lines : 0;
	for (uint64_t i = first; i < s->next_line; i++) {
		strbuf_adds(out, s->lines[i % s->n_lines]);
		strbuf_addc(out, '\n');
	}
	pthread_mutex_unlock(&s->lock);
}
