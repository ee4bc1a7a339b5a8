/* SPDX-License-Identifier: MIT */
/* A growable byte string that never exceeds its maximum. */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SMALLEST_ROOM ((size_t)64)

void strbuf_init(struct strbuf *s, size_t max)
{
	*s = (struct strbuf)STRBUF_INIT(max);
}

void strbuf_release(struct strbuf *s)
{
	free(s->buf);
	strbuf_init(s, s->max);
}

void strbuf_clear(struct strbuf *s)
{
	strbuf_truncate(s, 0);
	s->overflowed = false;
}

void strbuf_wipe(struct strbuf *s)
{
	if (s->buf != NULL)
		explicit_bzero(s->buf, s->room);
	strbuf_release(s);
}

/* Room for ${more} bytes and the NUL; returns how many of them may be added. */
static size_t make_room(struct strbuf *s, size_t more)
{
	char *old = s->buf;
	size_t need;

	if (more > s->max - s->len) {
		more = s->max - s->len;
		s->overflowed = true;
	}
	need = s->len + more + 1;
	if (need > s->room) {
		s->room = need + s->room / 2;
		if (s->room < SMALLEST_ROOM)
			s->room = SMALLEST_ROOM;
		s->buf = alloc_bytes(s->room);
		if (old != NULL) {
			memcpy(s->buf, old, s->len + 1);
			/* Secrets are put together in here, too. */
			explicit_bzero(old, s->len);
			free(old);
		}
	}
	return more;
}

void strbuf_add(struct strbuf *s, const void *bytes, size_t len)
{
	len = make_room(s, len);
	if (len > 0)
		memcpy(s->buf + s->len, bytes, len);
	s->len += len;
	s->buf[s->len] = '\0';
}

void strbuf_adds(struct strbuf *s, const char *text)
{
	strbuf_add(s, text, strlen(text));
}

void strbuf_addc(struct strbuf *s, char c)
{
	strbuf_add(s, &c, 1);
}

void strbuf_addf(struct strbuf *s, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	strbuf_vaddf(s, format, ap);
	va_end(ap);
}

void strbuf_vaddf(struct strbuf *s, const char *format, va_list ap)
{
	va_list again;
	size_t len;
	int full;

	va_copy(again, ap);
	full = vsnprintf(NULL, 0, format, ap);
	if (full > 0) {
		len = make_room(s, (size_t)full);
		vsnprintf(s->buf + s->len, len + 1, format, again);
		s->len += len;
	}
	va_end(again);
}

void strbuf_truncate(struct strbuf *s, size_t len)
{
	if (len < s->len) {
		s->len = len;
		s->buf[len] = '\0';
	}
}

const char *strbuf_text(const struct strbuf *s)
{
	return s->buf != NULL ? s->buf : "";
}

char *strbuf_detach(struct strbuf *s)
{
	char *text = s->buf != NULL ? s->buf : alloc_string("");

	strbuf_init(s, s->max);
	return text;
}

bool strbuf_overflowed(const struct strbuf *s)
{
	return s->overflowed;
}
