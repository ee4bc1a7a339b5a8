/* SPDX-License-Identifier: MIT */
/* Connections that wait, in one list by time, and the thread that wakes them.
 */
#include "pause.h"

#include <microhttpd.h>
#include <pthread.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"

struct waiting {
	struct waiting *earlier, *later;
	struct MHD_Connection *connection;
	int64_t until_ns; /* monotonic */
};

struct pause {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct waiting *first, *last;
	bool finished;
};

/* Takes out the first that may go; NULL: none yet. Under the lock. */
static struct waiting *take_due(struct pause *p)
{
	struct waiting *w = p->first;

	if (!w || (!p->finished && w->until_ns > clock_mono_ns()))
		return NULL;
	p->first = w->later;
	if (p->first)
		p->first->earlier = NULL;
	else
		p->last = NULL;
	return w;
}

static void wait_for_change(struct pause *p)
{
	struct timespec until;

	if (!p->first) {
		pthread_cond_wait(&p->changed, &p->lock);
		return;
	}
	until.tv_sec = (time_t)(p->first->until_ns / CLOCK_SECOND);
	until.tv_nsec = (long)(p->first->until_ns % CLOCK_SECOND);
	pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *keep_time(void *arg)
{
	struct pause *p = arg;
	struct waiting *w;

	pthread_mutex_lock(&p->lock);
	while (!p->finished || p->first) {
		w = take_due(p);
		if (!w) {
			wait_for_change(p);
			continue;
		}
		pthread_mutex_unlock(&p->lock);
		MHD_resume_connection(w->connection);
		free(w);
		pthread_mutex_lock(&p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pause *pause_new(void)
{
	struct pause *p = alloc_zero(1, sizeof(*p));
	pthread_condattr_t monotonic;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_create(&p->thread, NULL, keep_time, p);
	return p;
}

static void insert(struct pause *p, struct waiting *w)
{
	struct waiting *after = p->last;

	while (after && after->until_ns > w->until_ns)
		after = after->earlier;
	w->earlier = after;
	w->later = after ? after->later : p->first;
	*(w->later ? &w->later->earlier : &p->last) = w;
	*(after ? &after->later : &p->first) = w;
}

bool pause_connection(struct pause *p, struct MHD_Connection *connection,
    int64_t ms)
{
	struct waiting *w;
	bool waits;

	pthread_mutex_lock(&p->lock);
	waits = !p->finished;
	if (waits) {
		w = alloc_zero(1, sizeof(*w));
		w->connection = connection;
		w->until_ns = clock_mono_ns() + ms * CLOCK_MS;
		MHD_suspend_connection(connection);
		insert(p, w);
		if (p->first == w)
			pthread_cond_signal(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return waits;
}

void pause_finish(struct pause *p)
{
	pthread_mutex_lock(&p->lock);
	p->finished = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
}

void pause_free(struct pause *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
