/* SPDX-License-Identifier: MIT */
/* Draws with carriage return and erase; the log calls before its own lines. */
#include "sync/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/human.h"
#include "base/log.h"

#define REDRAW_NS (CLOCK_SECOND / 5)
#define RATE_WINDOW 5.0 /* seconds in which a new rate has become the rate */
#define COLUMNS_MAX 200
#define ERASE "\r\033[K"

struct progress {
	atomic_bool drawn;
	int64_t drawn_ns; /* monotonic; 0: never */
	int64_t bytes;    /* when it was drawn */
	double rate;
};

double progress_rate(double rate, int64_t bytes, int64_t ns)
{
	double seconds = (double)ns / (double)CLOCK_SECOND;
	double weight = seconds / RATE_WINDOW;

	if (seconds <= 0)
		return rate;
	if (rate <= 0 || weight > 1)
		weight = 1;
	return rate + weight * ((double)bytes / seconds - rate);
}

static void add_rate(const struct cycle_progress *now, double rate, char *out,
    size_t size)
{
	int64_t left = now->bytes_total - now->bytes_done;
	char text[HUMAN_MAX], time[HUMAN_MAX];
	double seconds = (double)left / rate;

	human_bytes((int64_t)rate, text);
	if (left <= 0 || seconds > 1e9)
		snprintf(out, size, ", %s/s", text);
	else
		snprintf(out, size, ", %s/s, %s left", text,
		    human_duration((int64_t)seconds * CLOCK_SECOND, time));
}

void progress_text(const struct cycle_progress *now, double rate, char *out,
    size_t size)
{
	char done[HUMAN_MAX], total[HUMAN_MAX];
	char moved[HUMAN_MAX], all[HUMAN_MAX], tail[3 * HUMAN_MAX] = "";

	if (now->keys_total == 0) {
		snprintf(out, size, "comparing: %s keys",
		    human_count(now->keys_seen, done));
		return;
	}
	if (rate >= 1)
		add_rate(now, rate, tail, sizeof(tail));
	snprintf(out, size, "%s of %s keys, %s of %s%s",
	    human_count(now->keys_done, done),
	    human_count(now->keys_total, total),
	    human_bytes(now->bytes_done, moved),
	    human_bytes(now->bytes_total, all), tail);
}

/* The cursor stays off the last column, where terminals wrap. */
static size_t columns(void)
{
	struct winsize window;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0 || window.ws_col == 0)
		return 80;
	return window.ws_col < COLUMNS_MAX ? window.ws_col : COLUMNS_MAX;
}

static void put(const char *text)
{
	/* A line that cannot be drawn is not missed. */
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

static void clear_for_log(void *arg)
{
	progress_clear(arg);
}

struct progress *progress_new(void)
{
	struct progress *p;

	if (!isatty(STDERR_FILENO))
		return NULL;
	p = alloc_zero(1, sizeof(*p));
	log_before(clear_for_log, p);
	return p;
}

void progress_free(struct progress *p)
{
	if (p == NULL)
		return;
	log_before(NULL, NULL);
	progress_clear(p);
	free(p);
}

void progress_clear(struct progress *p)
{
	if (p != NULL && atomic_exchange(&p->drawn, false))
		put(ERASE);
}

void progress_show(struct progress *p, const struct cycle_progress *now)
{
	char line[sizeof(ERASE) + COLUMNS_MAX] = ERASE;
	int64_t now_ns = clock_mono_ns();

	if (p == NULL || now_ns - p->drawn_ns < REDRAW_NS)
		return;
	if (now->bytes_done < p->bytes) /* another cycle */
		p->rate = 0;
	else if (p->drawn_ns != 0)
		p->rate = progress_rate(p->rate, now->bytes_done - p->bytes,
		    now_ns - p->drawn_ns);
	p->bytes = now->bytes_done;
	p->drawn_ns = now_ns;
	progress_text(now, p->rate, line + strlen(ERASE), columns());
	atomic_store(&p->drawn, true);
	put(line);
}
