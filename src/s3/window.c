/* SPDX-License-Identifier: MIT */
/* Additive increase, multiplicative decrease. */
#include "s3/window.h"

#include "base/clock.h"

#define NARROW_EVERY_NS CLOCK_SECOND

void window_init(struct window *w, size_t most)
{
	*w = (struct window){ .size = most, .most = most };
}

bool window_good(struct window *w)
{
	if (w->size == w->most || ++w->good < w->size)
		return false;
	w->good = 0;
	w->size++;
	return true;
}

bool window_throttled(struct window *w, int64_t sent_ns, int64_t now_ns)
{
	size_t least = w->most < WINDOW_LEAST ? w->most : WINDOW_LEAST;

	if (w->narrowed_ns != 0 && (sent_ns < w->narrowed_ns ||
	    now_ns - w->narrowed_ns < NARROW_EVERY_NS))
		return false;
	w->narrowed_ns = now_ns;
	w->good = 0;
	if (w->size == least)
		return false;
	w->size = w->size / 2 > least ? w->size / 2 : least;
	return true;
}
