/* SPDX-License-Identifier: MIT */
/*
 * A growable byte string with a maximum. Going past the maximum is a bug of
 * the caller or hostile input: the buffer keeps what fits and remembers that
 * it was cut (strbuf_overflowed), and the caller refuses the input.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *buf;      /* always NUL-terminated; owned; NULL-safe via strbuf_text */
	size_t len;     /* bytes, without the NUL */
	size_t room;
	size_t max;     /* bytes that len never exceeds */
	bool overflowed;
};

#define STRBUF_INIT(max_bytes) { .max = (max_bytes) }

void strbuf_init(struct strbuf *s, size_t max);
void strbuf_release(struct strbuf *s); /* leaves it empty and usable again */
void strbuf_clear(struct strbuf *s);   /* keeps the memory */
void strbuf_wipe(struct strbuf *s);    /* release, overwriting secrets first */

void strbuf_add(struct strbuf *s, const void *bytes, size_t len);
void strbuf_adds(struct strbuf *s, const char *text);
void strbuf_addc(struct strbuf *s, char c);
void strbuf_addf(struct strbuf *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *s, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
void strbuf_truncate(struct strbuf *s, size_t len);

/* The text, never NULL; borrowed until the next change. */
const char *strbuf_text(const struct strbuf *s);
/* Takes the memory out (caller frees); the buffer is empty afterwards. */
char *strbuf_detach(struct strbuf *s);
bool strbuf_overflowed(const struct strbuf *s);

#endif
