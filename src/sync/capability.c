/* SPDX-License-Identifier: MIT */
/* What is known of a server's conditional writes, and what follows from it. */
#include "sync/capability.h"

#include <string.h>

#include "base/clock.h"

#define DAY_NS (24 * 3600 * CLOCK_SECOND)
#define GOOD_FOR_NS (30 * DAY_NS)
#define GOOD_FOR_PART_NS DAY_NS

static const char *const verdict_names[CAPABILITY_VERDICTS] = {
	[CAPABILITY_UNKNOWN] = "unknown",
	[CAPABILITY_HONOURED] = "honoured",
	[CAPABILITY_IGNORED] = "ignored",
	[CAPABILITY_REJECTED] = "rejected",
};

/* In the record, and for people. */
static const struct name {
	const char *word, *title;
} names[CAPABILITY_WRITES][CAPABILITY_CONDITIONS] = {
	[CAPABILITY_PUT] = { { "put_new", "PUT If-None-Match" },
	    { "put_same", "PUT If-Match" },
	    { "put_body", "PUT x-amz-content-sha256" } },
	[CAPABILITY_COMPLETE] = { { "complete_new", "Complete If-None-Match" },
	    { "complete_same", "Complete If-Match" } },
	[CAPABILITY_COPY] = { { "copy_new", "COPY If-None-Match" },
	    { "copy_same", "COPY If-Match" } },
	[CAPABILITY_DELETE] = { { NULL, NULL },
	    { "delete_same", "DELETE If-Match" } },
};

/* The permissions that a probe may find missing. */
static const char *const permissions[] = { "s3:DeleteObject", "s3:PutObject" };

const char *capability_word(enum capability_write write,
    enum capability_condition condition)
{
	return names[write][condition].word;
}

bool capability_sends(const struct capability *c, enum capability_write write,
    enum capability_condition condition)
{
	return c->verdicts[write][condition] != CAPABILITY_REJECTED;
}

bool capability_protects(const struct capability *c,
    enum capability_write write, enum capability_condition condition)
{
	enum capability_verdict verdict = c->verdicts[write][condition];

	return verdict == CAPABILITY_HONOURED ||
	    (verdict == CAPABILITY_UNKNOWN && c->trusting);
}

void capability_learn_rejected(struct capability *c,
    enum capability_write write, enum capability_condition condition)
{
	c->verdicts[write][condition] = CAPABILITY_REJECTED;
	c->doubted = true;
}

static bool is_whole(const struct capability *c)
{
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (names[w][n].word != NULL &&
			    c->verdicts[w][n] == CAPABILITY_UNKNOWN)
				return false;
	return true;
}

bool capability_is_due(const struct capability *c, int64_t now_ns)
{
	int64_t age_ns = now_ns - c->probed_ns;

	/* A date in the future is of a clock that was set back. */
	return c->probed_ns == 0 || c->doubted || age_ns < -DAY_NS ||
	    age_ns >= (is_whole(c) ? GOOD_FOR_NS : GOOD_FOR_PART_NS);
}

void capability_print(const struct capability *c, const char *of,
    struct strbuf *out)
{
	char at[CLOCK_ISO_MAX];

	clock_format_utc(c->probed_ns, at);
	strbuf_addf(out, "of=%s at=%s", of, at);
	if (c->missing != NULL)
		strbuf_addf(out, " missing=%s", c->missing);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (names[w][n].word != NULL)
				strbuf_addf(out, " %s=%s", names[w][n].word,
				    verdict_names[c->verdicts[w][n]]);
}

/* Is the word of ${len} bytes at ${text} this one? */
static bool is_word(const char *text, size_t len, const char *word)
{
	return word != NULL && strlen(word) == len &&
	    memcmp(text, word, len) == 0;
}

static bool parse_verdict(const char *value, size_t len,
    enum capability_verdict *verdict)
{
	for (int v = 0; v < CAPABILITY_VERDICTS; v++)
		if (is_word(value, len, verdict_names[v])) {
			*verdict = (enum capability_verdict)v;
			return true;
		}
	return false;
}

static bool parse_missing(const char *value, size_t len, const char **missing)
{
	for (size_t i = 0; i < sizeof(permissions) / sizeof(*permissions); i++)
		if (is_word(value, len, permissions[i])) {
			*missing = permissions[i];
			return true;
		}
	return false;
}

static bool parse_time(const char *value, size_t len, int64_t *wall_ns)
{
	char text[CLOCK_ISO_MAX];

	if (len >= sizeof(text))
		return false;
	memcpy(text, value, len);
	text[len] = '\0';
	return clock_parse_iso(text, wall_ns) == 0;
}

/* NAME=VALUE; a name that is not known is of a later version. */
static bool parse_field(const char *field, size_t len, const char *of,
    struct capability *c)
{
	size_t name_len = strcspn(field, "= ");
	const char *value = field + name_len + 1;
	size_t value_len;

	if (name_len + 1 >= len)
		return false;
	value_len = len - name_len - 1;
	if (is_word(field, name_len, "of"))
		return of == NULL || is_word(value, value_len, of);
	if (is_word(field, name_len, "at"))
		return parse_time(value, value_len, &c->probed_ns);
	if (is_word(field, name_len, "missing"))
		return parse_missing(value, value_len, &c->missing);
	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++)
			if (is_word(field, name_len, names[w][n].word))
				return parse_verdict(value, value_len,
				    &c->verdicts[w][n]);
	return true;
}

bool capability_parse(const char *text, const char *of, struct capability *c)
{
	const struct capability nothing = { .trusting = c->trusting };
	bool good = strncmp(text, "of=", 3) == 0;

	*c = nothing;
	while (good && *text != '\0') {
		size_t len = strcspn(text, " ");

		good = parse_field(text, len, of, c);
		text += len + (text[len] == ' ');
	}
	if (!good || c->probed_ns == 0)
		*c = nothing;
	return c->probed_ns != 0;
}

void capability_list(const struct capability *c,
    enum capability_verdict verdict, struct strbuf *out)
{
	const char *between = "";

	for (int w = 0; w < CAPABILITY_WRITES; w++)
		for (int n = 0; n < CAPABILITY_CONDITIONS; n++) {
			if (names[w][n].title == NULL ||
			    c->verdicts[w][n] != verdict)
				continue;
			strbuf_addf(out, "%s%s", between, names[w][n].title);
			between = ", ";
		}
}

const char *capability_verdict_name(enum capability_verdict verdict)
{
	return verdict_names[verdict];
}
