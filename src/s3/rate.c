/* SPDX-License-Identifier: MIT */
/* Bytes per second, as times at which more may move. */
#include "s3/rate.h"

#include "base/clock.h"

#define CATCH_UP_NS (250 * CLOCK_MS)
#define CHUNKS_PER_SECOND 20
#define CHUNK_LEAST 1024

void rate_init(struct rate *r, int64_t per_second, int64_t now_ns)
{
	*r = (struct rate){ .per_second = per_second, .next_ns = now_ns };
}

bool rate_open(struct rate *r, int64_t now_ns)
{
	if (r->per_second == 0)
		return true;
	if (r->next_ns < now_ns - CATCH_UP_NS)
		r->next_ns = now_ns - CATCH_UP_NS;
	return now_ns >= r->next_ns;
}

void rate_take(struct rate *r, int64_t bytes)
{
	if (r->per_second > 0)
		r->next_ns += (int64_t)((double)bytes /
		    (double)r->per_second * (double)CLOCK_SECOND);
}

size_t rate_chunk(const struct rate *r, size_t most)
{
	int64_t chunk = r->per_second / CHUNKS_PER_SECOND;

	if (r->per_second == 0 || chunk > (int64_t)most)
		return most;
	return chunk > CHUNK_LEAST ? (size_t)chunk : CHUNK_LEAST;
}
