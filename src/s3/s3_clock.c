/* SPDX-License-Identifier: MIT */
/* What replies say about our clock. */
#include "s3/s3_internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

int64_t s3_clock_now_ns(const struct s3 *s3)
{
	return clock_wall_ns() + s3->skew.offset_ns;
}

int64_t s3_clock_offset_ns(const struct s3 *s3)
{
	int64_t offset_ns = s3->skew.offset_ns;

	return llabs(offset_ns) < SKEW_LEAST_NS ? 0 : offset_ns;
}

void s3_clock_assume_ns(struct s3 *s3, int64_t offset_ns)
{
	skew_init(&s3->skew, offset_ns);
}

bool s3_clock_told_ns(const struct s3 *s3, int64_t *offset_ns)
{
	*offset_ns = s3->told_ns;
	return s3->clock_told;
}

/* What the server says its time is; 0 where it does not. */
static int64_t server_time_ns(const struct slot *slot,
    const struct xml_error *error)
{
	const char *date = http_call_header(slot->call, "date");
	const char *age = http_call_header(slot->call, "age");
	int64_t wall_ns, age_ns;

	if (clock_parse_iso(error->server_time, &wall_ns) == 0)
		return wall_ns;
	if (!date || clock_parse_http(date, &wall_ns))
		return 0;
	/* A cache repeats the date of when it asked. */
	if (age && clock_parse_duration(age, &age_ns) == 0)
		wall_ns += age_ns;
	return wall_ns;
}

static void warn_of_clock(struct s3 *s3)
{
	long long off = s3->skew.offset_ns / CLOCK_SECOND;

	if (s3->clock_warned || off == 0)
		return;
	s3->clock_warned = true;
	log_warning("this machine's clock is %lld s %s that of %s: set it; "
	    "until then the server's time is used", off < 0 ? -off : off,
	    off < 0 ? "ahead of" : "behind", s3->endpoint.authority);
}

bool s3_clock_learn(struct slot *slot, const struct xml_error *error)
{
	int64_t server_ns = server_time_ns(slot, error);

	if (slot->request->clock_learned || !server_ns)
		return false;
	slot->request->clock_learned = true;
	skew_refused(&slot->s3->skew, server_ns, clock_wall_ns());
	warn_of_clock(slot->s3);
	return true;
}

/* Dates are whole seconds, and the server wrote its own somewhere between our
 * question and its answer. */
void s3_clock_note(struct slot *slot)
{
	static const struct xml_error silent = { .foreign = NULL };
	int64_t now = clock_wall_ns();
	int64_t server_ns = server_time_ns(slot, &silent);

	if (!server_ns)
		return;
	slot->s3->clock_told = true;
	slot->s3->told_ns = server_ns + CLOCK_SECOND / 2 -
	    (slot->sent_wall_ns + (now - slot->sent_wall_ns) / 2);
}

void s3_clock_check(struct slot *slot)
{
	struct s3 *s3 = slot->s3;
	const char *date = http_call_header(slot->call, "date");
	int64_t server_ns;

	if (!date || http_call_header(slot->call, "age") ||
	    clock_parse_http(date, &server_ns))
		return;
	skew_sample(&s3->skew, server_ns, slot->sent_wall_ns, clock_wall_ns());
	if (s3_clock_offset_ns(s3) != 0)
		warn_of_clock(s3);
}
