/* SPDX-License-Identifier: MIT */
/* Tokens for retries; and an outage, when there are none and nobody is
 * served. The costs are those of the AWS tools. */
#include "s3/quota.h"

#include "base/clock.h"

#define COST_THROTTLE 5
#define COST_TRANSIENT 14
#define PROBE_FIRST_NS CLOCK_SECOND
#define PROBE_MAX_NS (5 * CLOCK_SECOND)

void quota_init(struct quota *q, int64_t patience_ns)
{
	*q = (struct quota){ .patience_ns = patience_ns,
		.tokens = QUOTA_TOKENS };
}

/* Between half and all of what has doubled with each probe. */
static int64_t probe_delay_ns(int probes, uint64_t random)
{
	int64_t span = PROBE_FIRST_NS;

	for (int i = 0; i < probes && span < PROBE_MAX_NS; i++)
		span *= 2;
	if (span > PROBE_MAX_NS)
		span = PROBE_MAX_NS;
	return span / 2 + (int64_t)(random % (uint64_t)(span / 2 + 1));
}

enum quota_answer quota_ask(struct quota *q, enum retry_class class,
    int *spent, int64_t since_ns, int64_t now_ns, uint64_t random)
{
	int cost = class == RETRY_THROTTLE ? COST_THROTTLE : COST_TRANSIENT;

	if (q->outage_ns == 0 && q->tokens >= cost) {
		q->tokens -= cost;
		*spent += cost;
		return QUOTA_AGAIN;
	}
	if (q->served_ns > since_ns)
		return QUOTA_OVER;
	quota_hold(q, since_ns, now_ns, random);
	return QUOTA_HOLD;
}

enum quota_answer quota_ask_last(const struct quota *q, int64_t since_ns,
    int64_t now_ns)
{
	if (q->served_ns == 0 || q->served_ns > since_ns ||
	    now_ns - since_ns >= q->patience_ns)
		return QUOTA_OVER;
	return q->outage_ns == 0 ? QUOTA_DOUBT : QUOTA_HOLD;
}

void quota_hold(struct quota *q, int64_t since_ns, int64_t now_ns,
    uint64_t random)
{
	if (q->outage_ns != 0)
		return;
	q->outage_ns = since_ns < now_ns ? since_ns : now_ns;
	q->probes = 0;
	q->probe_ns = now_ns + probe_delay_ns(0, random);
}

void quota_served(struct quota *q, int spent, int64_t now_ns)
{
	q->tokens += spent > 0 ? spent : 1;
	if (q->tokens > QUOTA_TOKENS)
		q->tokens = QUOTA_TOKENS;
	q->served_ns = now_ns;
	q->outage_ns = 0;
}

bool quota_probe_due(struct quota *q, int64_t now_ns, uint64_t random)
{
	if (now_ns < q->probe_ns)
		return false;
	q->probe_ns = now_ns + probe_delay_ns(++q->probes, random);
	return true;
}

bool quota_outage_over(const struct quota *q, int64_t now_ns)
{
	return q->outage_ns != 0 && now_ns - q->outage_ns >= q->patience_ns;
}

int64_t quota_next_ns(const struct quota *q)
{
	int64_t end_ns = q->outage_ns + q->patience_ns;

	return q->outage_ns != 0 && end_ns < q->probe_ns ? end_ns : q->probe_ns;
}
