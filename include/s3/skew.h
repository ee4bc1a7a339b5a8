/* SPDX-License-Identifier: MIT */
/*
 * The server's time minus ours, as far as it matters for signatures, which a
 * server takes within 15 minutes. Learned at once from a refusal; and from
 * the Date of replies to what it took, so that a clock that drifts is set
 * right before it is refused. Pure.
 */
#ifndef S3_SKEW_H
#define S3_SKEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEW_SAMPLES 16
/* Less than this is left alone: clocks that are kept by NTP differ, too. */
#define SKEW_LEAST_NS INT64_C(60000000000)

struct skew {
	int64_t offset_ns; /* to be added to our wall time */
	int64_t samples[SKEW_SAMPLES];
	size_t seen;
};

/* What is known from before; 0: nothing. */
void skew_init(struct skew *s, int64_t offset_ns);
/* A signature was refused for its time, at ${now_ns} of ours. */
void skew_refused(struct skew *s, int64_t server_ns, int64_t now_ns);
/*
 * A request of ${sent_ns} was taken, and the reply at ${now_ns} says
 * ${server_ns}, in whole seconds. Returns whether the offset is another one
 * now: the median of SKEW_SAMPLES decides, where it differs by more than
 * SKEW_LEAST_NS; but no Date by more than 15 minutes, which is none of whoever
 * took the signature.
 */
bool skew_sample(struct skew *s, int64_t server_ns, int64_t sent_ns,
    int64_t now_ns);

#endif
