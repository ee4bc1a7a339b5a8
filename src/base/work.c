/* SPDX-License-Identifier: MIT */
/* A pool of threads: one queue in, one queue of completions out. */
#include "base/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"

struct job {
	work_fn *run;
	work_fn *done;
	void *arg;
	struct job *next;
};

struct queue {
	struct job *first;
	struct job **last; /* where the next one is linked in */
};

struct work {
	pthread_mutex_t lock; /* of the queues and of stopping */
	pthread_cond_t changed;
	struct queue waiting;
	struct queue finished;
	bool stopping;
	atomic_size_t pending;
	work_fn *wake;
	void *wake_arg;
	size_t thread_count;
	pthread_t *threads;
};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_put(struct queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct job *queue_take(struct queue *q)
{
	struct job *job = q->first;

	q->first = job->next;
	if (q->first == NULL)
		q->last = &q->first;
	return job;
}

static struct job *queue_take_all(struct queue *q)
{
	struct job *first = q->first;

	queue_init(q);
	return first;
}

static void wake_owner(struct work *w)
{
	if (w->wake != NULL)
		w->wake(w->wake_arg);
}

/* NULL: the pool is stopping. */
static struct job *next_job(struct work *w)
{
	struct job *job = NULL;

	pthread_mutex_lock(&w->lock);
	while (w->waiting.first == NULL && !w->stopping)
		pthread_cond_wait(&w->changed, &w->lock);
	if (!w->stopping)
		job = queue_take(&w->waiting);
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void finish_job(struct work *w, struct job *job)
{
	bool first;

	pthread_mutex_lock(&w->lock);
	first = w->finished.first == NULL;
	queue_put(&w->finished, job);
	pthread_mutex_unlock(&w->lock);
	if (first)
		wake_owner(w);
}

static void *worker(void *arg)
{
	struct work *w = arg;
	struct job *job;

	while ((job = next_job(w)) != NULL) {
		job->run(job->arg);
		finish_job(w, job);
	}
	return NULL;
}

/* Signals are for the thread that owns the state, never for a worker. A system
 * that grants fewer threads gets a smaller pool. */
static void start_threads(struct work *w, size_t threads)
{
	sigset_t all, before;

	w->threads = alloc_zero(threads, sizeof(*w->threads));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (w->thread_count < threads &&
	    pthread_create(&w->threads[w->thread_count], NULL, worker, w) == 0)
		w->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct work *work_new(size_t threads, work_fn *wake, void *wake_arg)
{
	struct work *w = alloc_zero(1, sizeof(*w));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	queue_init(&w->waiting);
	queue_init(&w->finished);
	w->wake = wake;
	w->wake_arg = wake_arg;
	start_threads(w, threads);
	return w;
}

static size_t complete(struct work *w, struct job *job)
{
	struct job *next;
	size_t count = 0;

	for (; job != NULL; job = next, count++) {
		next = job->next;
		atomic_fetch_sub(&w->pending, 1);
		job->done(job->arg);
		free(job);
	}
	return count;
}

void work_free(struct work *w)
{
	size_t i;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	for (i = 0; i < w->thread_count; i++)
		pthread_join(w->threads[i], NULL);
	/* A completion may submit again, hence until nothing is left. */
	while (work_pending(w) > 0) {
		complete(w, queue_take_all(&w->finished));
		complete(w, queue_take_all(&w->waiting));
	}
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w->threads);
	free(w);
}

void work_submit(struct work *w, work_fn *run, work_fn *done, void *arg)
{
	struct job *job = alloc_zero(1, sizeof(*job));

	job->run = run;
	job->done = done;
	job->arg = arg;
	atomic_fetch_add(&w->pending, 1);
	pthread_mutex_lock(&w->lock);
	queue_put(&w->waiting, job);
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (w->thread_count == 0)
		wake_owner(w);
}

/* The jobs that wait now; those that their completions submit come later. */
static struct job *run_here(struct work *w)
{
	struct job *jobs = queue_take_all(&w->waiting);
	struct job *job;

	for (job = jobs; job != NULL; job = job->next)
		job->run(job->arg);
	return jobs;
}

size_t work_reap(struct work *w)
{
	struct job *jobs;

	if (w->thread_count == 0)
		return complete(w, run_here(w));
	pthread_mutex_lock(&w->lock);
	jobs = queue_take_all(&w->finished);
	pthread_mutex_unlock(&w->lock);
	return complete(w, jobs);
}

size_t work_pending(const struct work *w)
{
	return atomic_load(&w->pending);
}
