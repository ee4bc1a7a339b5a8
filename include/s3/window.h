/* SPDX-License-Identifier: MIT */
/*
 * How many requests may be in exchange with the server at once. All requests
 * of a bucket share it: one more after as many good replies as it is wide,
 * half of it when the server asks for less. Pure.
 */
#ifndef S3_WINDOW_H
#define S3_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW_LEAST 4 /* narrower it does not become */

struct window {
	size_t size;   /* allowed now */
	size_t most;   /* where it begins, and what it never exceeds */
	size_t good;   /* good replies since it last changed */
	int64_t narrowed_ns; /* when it last became narrower; 0: never */
};

void window_init(struct window *w, size_t most);
/* A good reply came. Returns whether the window is wider now. */
bool window_good(struct window *w);
/*
 * The server asks for less, in reply to what was sent at ${sent_ns}. Returns
 * whether the window is narrower now: at most once a second, and not for what
 * was sent before it last was, since that says nothing new.
 */
bool window_throttled(struct window *w, int64_t sent_ns, int64_t now_ns);

#endif
