/* SPDX-License-Identifier: MIT */
/* How far our clock is from the server's: refusals, and medians of Dates. */
#include "s3/skew.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define TAKEN_WITHIN_NS (15 * 60 * CLOCK_SECOND)

void skew_init(struct skew *s, int64_t offset_ns)
{
	*s = (struct skew){ .offset_ns = offset_ns };
}

void skew_refused(struct skew *s, int64_t server_ns, int64_t now_ns)
{
	skew_init(s, server_ns - now_ns);
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(const struct skew *s)
{
	int64_t sorted[SKEW_SAMPLES];

	memcpy(sorted, s->samples, sizeof(sorted));
	qsort(sorted, SKEW_SAMPLES, sizeof(*sorted), compare);
	return sorted[SKEW_SAMPLES / 2];
}

bool skew_sample(struct skew *s, int64_t server_ns, int64_t sent_ns,
    int64_t now_ns)
{
	/* A Date is cut to its second, and of some time while we waited. */
	int64_t offset_ns = server_ns + CLOCK_SECOND / 2 -
	    (sent_ns + (now_ns - sent_ns) / 2);
	int64_t middle_ns;

	if (llabs(offset_ns - s->offset_ns) > TAKEN_WITHIN_NS)
		return false;
	s->samples[s->seen++ % SKEW_SAMPLES] = offset_ns;
	if (s->seen < SKEW_SAMPLES)
		return false;
	middle_ns = median(s);
	if (llabs(middle_ns - s->offset_ns) <= SKEW_LEAST_NS)
		return false;
	s->offset_ns = middle_ns;
	return true;
}
