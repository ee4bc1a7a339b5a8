/* SPDX-License-Identifier: MIT */
/* Text forms that the server needs: percent-encoding, XML, dates, pairs. */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"

#define BIT(style) (1 << (style))
#define EVERYWHERE (BIT(TEXT_URI) | BIT(TEXT_PATH) | BIT(TEXT_LISTING))

/* In which styles a byte stays as it is. */
static const unsigned char plain[256] = {
	['0' ... '9'] = EVERYWHERE,
	['A' ... 'Z'] = EVERYWHERE,
	['a' ... 'z'] = EVERYWHERE,
	['-'] = EVERYWHERE,
	['.'] = EVERYWHERE,
	['_'] = EVERYWHERE,
	['~'] = BIT(TEXT_URI) | BIT(TEXT_PATH),
	['*'] = BIT(TEXT_LISTING),
	['/'] = BIT(TEXT_PATH) | BIT(TEXT_LISTING),
};

void text_escape(struct strbuf *out, enum text_style style, const char *bytes,
    size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *at = (const unsigned char *)bytes;
	const unsigned char *end = at + len, *run;

	for (; at < end; at++) {
		for (run = at; at < end && plain[*at] & BIT(style);)
			at++;
		strbuf_add(out, run, (size_t)(at - run));
		if (at == end)
			break;
		if (*at == ' ' && style == TEXT_LISTING)
			strbuf_addc(out, '+');
		else
			strbuf_add(out,
			    (char[]){ '%', hex[*at >> 4], hex[*at & 15] }, 3);
	}
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t text_unescape(char *text, size_t len, bool plus)
{
	size_t to = 0;

	for (size_t i = 0; i < len; i++) {
		int high = -1, low = -1;

		if (text[i] == '%' && i + 2 < len) {
			high = hex_value(text[i + 1]);
			low = hex_value(text[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			text[to++] = (char)(high << 4 | low);
			i += 2;
		} else {
			text[to++] = plus && text[i] == '+' ? ' ' : text[i];
		}
	}
	text[to] = '\0';
	return to;
}

static const char *xml_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&apos;";
	}
	return NULL;
}

void text_xml(struct strbuf *out, const char *bytes, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		const char *entity = xml_entity(bytes[i]);
		unsigned char c = (unsigned char)bytes[i];

		if (!entity && c >= 0x20 && c != 0x7f)
			continue;
		strbuf_add(out, bytes + run, i - run);
		run = i + 1;
		if (entity)
			strbuf_adds(out, entity);
		else
			strbuf_addf(out, "&#x%x;", c);
	}
	strbuf_add(out, bytes + run, len - run);
}

void text_http_date(int64_t wall_ns, char out[TEXT_DATE_MAX])
{
	time_t seconds = (time_t)(wall_ns / CLOCK_SECOND);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, TEXT_DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

int64_t text_number(const char *text, int64_t max)
{
	int64_t value = 0;

	if (!*text)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}
	return value;
}

bool text_begins(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

void text_pair(struct strbuf *pairs, const char *name, const char *value)
{
	strbuf_add(pairs, name, strlen(name) + 1);
	strbuf_add(pairs, value, strlen(value) + 1);
}

const char *text_next_pair(const char *pairs, size_t len, size_t *at,
    const char **value)
{
	const char *name = pairs + *at;

	if (*at >= len)
		return NULL;
	*value = name + strlen(name) + 1;
	*at = (size_t)(*value - pairs) + strlen(*value) + 1;
	return name;
}

const char *text_pair_value(const char *pairs, size_t len, const char *name)
{
	const char *found, *value;
	size_t at = 0;

	while ((found = text_next_pair(pairs, len, &at, &value)))
		if (strcasecmp(found, name) == 0)
			return value;
	return NULL;
}
