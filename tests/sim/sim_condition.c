/* SPDX-License-Identifier: MIT */
/* Servers, as they differ in what they do with conditions. */
#include "sim_condition.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

#define PROBE_KEY PATH_RESERVED "/probe-"
#define PROBE_DIGITS 16
#define PROBE_COPY ".copy"

static bool exists(int write, int condition)
{
	return write != CAPABILITY_DELETE || condition == CAPABILITY_SAME;
}

static void set_all(struct sim_conditions *c, enum sim_nature nature)
{
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			c->natures[w][n] = nature;
}

/* Ceph RGW 16.2: knows them for a PUT, and compares the ETag of an If-Match
 * with its quotes. */
static void set_rgw(struct sim_conditions *c)
{
	set_all(c, SIM_IGNORES);
	c->natures[CAPABILITY_PUT][CAPABILITY_NEW] = SIM_HONOURS;
	c->natures[CAPABILITY_PUT][CAPABILITY_SAME] = SIM_REFUSES;
}

/* No server answers 412 to each If-None-Match of anything but a PUT: what the
 * program tries there cannot tell it from one that honours it. */
static void set_each(struct sim_conditions *c, struct sim *sim)
{
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			c->natures[w][n] = (enum sim_nature)sim_below(sim,
			    w == CAPABILITY_PUT || n == CAPABILITY_SAME ? 4
									: 3);
}

void sim_conditions_draw(struct sim_conditions *c, struct sim *sim, bool tried)
{
	enum sim_nature *put_new =
	    &c->natures[CAPABILITY_PUT][CAPABILITY_NEW];

	switch (sim_below(sim, 6)) {
	case 0:
	case 1:
		set_all(c, SIM_HONOURS);
		break;
	case 2:
		set_rgw(c);
		break;
	case 3:
		set_all(c, sim_chance(sim, 700) ? SIM_IGNORES : SIM_REJECTS);
		break;
	default:
		set_each(c, sim);
	}
	if (!tried && *put_new == SIM_REFUSES)
		*put_new = SIM_IGNORES;
	c->since_ns = sim->wall_ns;
}

bool sim_conditions_are_honoured(const struct sim_conditions *c)
{
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (exists(w, n) && c->natures[w][n] != SIM_HONOURS)
				return false;
	return true;
}

enum s3_outcome sim_conditions_judge(const struct sim_conditions *c,
    enum capability_write write, const struct etag *if_match,
    bool if_none_match, const struct etag *there)
{
	if (if_match == NULL && !if_none_match)
		return S3_DONE;
	switch (c->natures[write]
	    [if_match != NULL ? CAPABILITY_SAME : CAPABILITY_NEW]) {
	case SIM_HONOURS:
		break;
	case SIM_IGNORES:
		return S3_DONE;
	case SIM_REJECTS:
		return S3_REJECTED;
	case SIM_REFUSES:
		return if_match != NULL ? S3_CHANGED : S3_EXISTS;
	}
	if (if_match == NULL)
		return there != NULL ? S3_EXISTS : S3_DONE;
	if (there == NULL)
		return S3_ABSENT;
	return signature_etag_equal(there, if_match) ? S3_DONE : S3_CHANGED;
}

static bool is_as_known(enum sim_nature nature, enum capability_verdict verdict)
{
	switch (verdict) {
	case CAPABILITY_HONOURED:
		return nature == SIM_HONOURS;
	case CAPABILITY_IGNORED:
		return nature == SIM_IGNORES;
	case CAPABILITY_REJECTED:
		return nature == SIM_REJECTS || nature == SIM_REFUSES;
	case CAPABILITY_UNKNOWN:
	case CAPABILITY_VERDICTS:
		break;
	}
	return true;
}

static bool is_stale(const struct sim_conditions *c,
    const struct capability *known)
{
	return known->probed_ns <= c->since_ns;
}

const char *sim_conditions_contradict(const struct sim_conditions *c,
    const struct capability *known)
{
	static char text[100];

	for (int w = 0; w < CAPABILITY_WRITES && !is_stale(c, known); w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (exists(w, n) &&
			    !is_as_known(c->natures[w][n],
				known->verdicts[w][n])) {
				snprintf(text, sizeof(text),
				    "%s is not %s, but of nature %d",
				    capability_word(w, n),
				    capability_verdict_name(
					known->verdicts[w][n]),
				    (int)c->natures[w][n]);
				return text;
			}
	return NULL;
}

enum sim_loss sim_conditions_loss(const struct sim_conditions *c,
    const struct capability *known, enum capability_write write, bool looked)
{
	enum capability_verdict verdict =
	    known->verdicts[write][CAPABILITY_NEW];
	bool stale = known->probed_ns != 0 && is_stale(c, known);

	if (c->natures[write][CAPABILITY_NEW] == SIM_HONOURS && !stale)
		return SIM_LOSS_NONE;
	if (looked)
		return SIM_LOSS_WINDOW;
	if (verdict == CAPABILITY_HONOURED && stale)
		return SIM_LOSS_STALE;
	if (verdict == CAPABILITY_UNKNOWN && known->trusting)
		return SIM_LOSS_UNTRIED;
	return SIM_LOSS_NONE;
}

bool sim_conditions_want_look(const struct capability *known,
    enum capability_write write)
{
	switch (known->verdicts[write][CAPABILITY_NEW]) {
	case CAPABILITY_HONOURED:
		return false;
	case CAPABILITY_UNKNOWN:
		return !known->trusting;
	case CAPABILITY_IGNORED:
	case CAPABILITY_REJECTED:
	case CAPABILITY_VERDICTS:
		break;
	}
	return true;
}

bool sim_conditions_probe_key(const char *key, size_t len)
{
	const size_t digits = strlen(PROBE_KEY);
	const size_t end = digits + PROBE_DIGITS;

	if (len != end &&
	    (len != end + strlen(PROBE_COPY) ||
		memcmp(key + end, PROBE_COPY, strlen(PROBE_COPY)) != 0))
		return false;
	for (size_t i = digits; i < end; i++)
		if (memchr("0123456789abcdef", key[i], 16) == NULL)
			return false;
	return memcmp(key, PROBE_KEY, digits) == 0;
}
