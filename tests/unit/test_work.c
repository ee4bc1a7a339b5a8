/* SPDX-License-Identifier: MIT */
/* Jobs run on workers, their completions on the owner's thread. */
#include "base/work.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#define JOBS 2000

struct task {
	pthread_t ran_on;
	pthread_t done_on;
	int runs;
	int dones;
	int run_order;
};

static atomic_int runs;

static void run_task(void *arg)
{
	struct task *t = arg;

	t->ran_on = pthread_self();
	t->run_order = atomic_fetch_add(&runs, 1);
	t->runs++;
}

static void finish_task(void *arg)
{
	struct task *t = arg;

	t->done_on = pthread_self();
	t->dones++;
}

/* The wake callback is a semaphore, so that waiting needs no busy loop. */
static void post(void *arg)
{
	sem_post(arg);
}

static size_t reap_all(struct work *w, sem_t *wakes)
{
	size_t reaped = 0;

	while (work_pending(w) > 0) {
		sem_wait(wakes);
		reaped += work_reap(w);
	}
	return reaped;
}

static void each_job_runs_once_and_completes_on_the_owner(void **state)
{
	static struct task tasks[JOBS];
	struct work *w;
	sem_t wakes;
	int i;

	(void)state;
	sem_init(&wakes, 0, 0);
	w = work_new(4, post, &wakes);
	assert_int_equal(work_pending(w), 0);
	for (i = 0; i < JOBS; i++)
		work_submit(w, run_task, finish_task, &tasks[i]);
	assert_int_equal(work_pending(w), JOBS);
	assert_int_equal(reap_all(w, &wakes), JOBS);
	work_free(w);
	for (i = 0; i < JOBS; i++) {
		assert_int_equal(tasks[i].runs, 1);
		assert_int_equal(tasks[i].dones, 1);
		assert_false(pthread_equal(tasks[i].ran_on, pthread_self()));
		assert_true(pthread_equal(tasks[i].done_on, pthread_self()));
	}
	sem_destroy(&wakes);
}

struct meeting {
	pthread_barrier_t barrier;
	atomic_int met;
};

static void meet(void *arg)
{
	struct meeting *m = arg;

	pthread_barrier_wait(&m->barrier);
	atomic_fetch_add(&m->met, 1);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/* Would hang if fewer than three jobs ran at once. */
static void as_many_jobs_run_at_once_as_there_are_threads(void **state)
{
	struct meeting m = { .met = 0 };
	struct work *w;
	sem_t wakes;
	int i;

	(void)state;
	sem_init(&wakes, 0, 0);
	pthread_barrier_init(&m.barrier, NULL, 3);
	w = work_new(3, post, &wakes);
	for (i = 0; i < 3; i++)
		work_submit(w, meet, do_nothing, &m);
	assert_int_equal(reap_all(w, &wakes), 3);
	assert_int_equal(m.met, 3);
	work_free(w);
	pthread_barrier_destroy(&m.barrier);
	sem_destroy(&wakes);
}

struct gate {
	sem_t entered;
	sem_t open;
};

static void pass_gate(void *arg)
{
	struct gate *g = arg;

	sem_post(&g->entered);
	sem_wait(&g->open);
}

static void reaping_never_waits_for_a_job(void **state)
{
	struct gate g;
	struct work *w;
	sem_t wakes;

	(void)state;
	sem_init(&wakes, 0, 0);
	sem_init(&g.entered, 0, 0);
	sem_init(&g.open, 0, 0);
	w = work_new(1, post, &wakes);
	assert_int_equal(work_reap(w), 0);
	work_submit(w, pass_gate, do_nothing, &g);
	sem_wait(&g.entered);
	assert_int_equal(work_reap(w), 0);
	assert_int_equal(work_pending(w), 1);
	sem_post(&g.open);
	assert_int_equal(reap_all(w, &wakes), 1);
	work_free(w);
	sem_destroy(&g.entered);
	sem_destroy(&g.open);
	sem_destroy(&wakes);
}

/* Holds its worker until the pool has had time to be told to stop. */
struct hold {
	sem_t entered;
	atomic_bool freeing;
};

static void hold_worker(void *arg)
{
	struct hold *h = arg;

	sem_post(&h->entered);
	while (!atomic_load(&h->freeing))
		usleep(1000);
	usleep(200000);
}

static void freeing_drops_queued_jobs_but_completes_them(void **state)
{
	struct task tasks[10] = { { .runs = 0 } };
	struct hold h = { .freeing = false };
	struct work *w = work_new(1, NULL, NULL);
	int i;

	(void)state;
	sem_init(&h.entered, 0, 0);
	work_submit(w, hold_worker, do_nothing, &h);
	for (i = 0; i < 10; i++)
		work_submit(w, run_task, finish_task, &tasks[i]);
	sem_wait(&h.entered);
	atomic_store(&h.freeing, true);
	work_free(w);
	for (i = 0; i < 10; i++) {
		assert_int_equal(tasks[i].runs, 0);
		assert_int_equal(tasks[i].dones, 1);
	}
	sem_destroy(&h.entered);
	work_free(NULL);
}

static void freeing_completes_what_was_not_reaped(void **state)
{
	struct task task = { .runs = 0 };
	struct work *w;
	sem_t wakes;

	(void)state;
	sem_init(&wakes, 0, 0);
	w = work_new(2, post, &wakes);
	work_submit(w, run_task, finish_task, &task);
	sem_wait(&wakes);
	assert_int_equal(task.dones, 0);
	work_free(w);
	assert_int_equal(task.runs, 1);
	assert_int_equal(task.dones, 1);
	sem_destroy(&wakes);
}

static void without_threads_jobs_run_in_order_when_reaped(void **state)
{
	struct task tasks[5] = { { .runs = 0 } };
	struct work *w = work_new(0, NULL, NULL);
	int i;

	(void)state;
	atomic_store(&runs, 0);
	for (i = 0; i < 5; i++)
		work_submit(w, run_task, finish_task, &tasks[i]);
	assert_int_equal(work_pending(w), 5);
	assert_int_equal(tasks[0].runs, 0);
	assert_int_equal(work_reap(w), 5);
	for (i = 0; i < 5; i++) {
		assert_int_equal(tasks[i].run_order, i);
		assert_int_equal(tasks[i].dones, 1);
		assert_true(pthread_equal(tasks[i].ran_on, pthread_self()));
	}
	assert_int_equal(work_reap(w), 0);
	work_free(w);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void without_threads_each_submission_wakes(void **state)
{
	int wakes = 0, done = 0;
	struct work *w = work_new(0, count, &wakes);

	(void)state;
	work_submit(w, do_nothing, count, &done);
	work_submit(w, do_nothing, count, &done);
	assert_int_equal(wakes, 2);
	assert_int_equal(done, 0);
	work_free(w);
	assert_int_equal(done, 2);
}

struct chain {
	struct work *work;
	int left;
	size_t pending_in_done;
};

static void submit_next(void *arg)
{
	struct chain *c = arg;

	c->pending_in_done = work_pending(c->work);
	if (c->left-- > 0)
		work_submit(c->work, do_nothing, submit_next, c);
}

static void a_completion_may_submit_again(void **state)
{
	struct chain c = { .left = 3 };
	sem_t wakes;

	(void)state;
	c.work = work_new(0, NULL, NULL);
	work_submit(c.work, do_nothing, submit_next, &c);
	assert_int_equal(work_reap(c.work), 1);
	assert_int_equal(c.pending_in_done, 0);
	assert_int_equal(work_reap(c.work), 1);
	assert_int_equal(work_pending(c.work), 1);
	work_free(c.work);
	assert_int_equal(c.left, -1);

	sem_init(&wakes, 0, 0);
	c = (struct chain){ .left = 100 };
	c.work = work_new(2, post, &wakes);
	work_submit(c.work, do_nothing, submit_next, &c);
	assert_int_equal(reap_all(c.work, &wakes), 101);
	work_free(c.work);
	sem_destroy(&wakes);
}

static void look_at_signals(void *arg)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	*(bool *)arg = sigismember(&blocked, SIGTERM) &&
	    sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGHUP);
}

static void signals_are_left_to_the_owner(void **state)
{
	sigset_t ours, after;
	bool blocked = false;
	struct work *w;
	sem_t wakes;

	(void)state;
	sem_init(&wakes, 0, 0);
	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	w = work_new(1, post, &wakes);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_false(sigismember(&after, SIGTERM));
	work_submit(w, look_at_signals, do_nothing, &blocked);
	reap_all(w, &wakes);
	assert_true(blocked);
	work_free(w);
	sem_destroy(&wakes);
}

static struct work *woken;

/* Would deadlock if it were called under the pool's lock. */
static void submit_from_wake(void *arg)
{
	static atomic_bool once;

	if (!atomic_exchange(&once, true))
		work_submit(woken, do_nothing, do_nothing, NULL);
	sem_post(arg);
}

static void waking_may_use_the_pool(void **state)
{
	sem_t wakes;

	(void)state;
	sem_init(&wakes, 0, 0);
	woken = work_new(1, submit_from_wake, &wakes);
	work_submit(woken, do_nothing, do_nothing, NULL);
	assert_int_equal(reap_all(woken, &wakes), 2);
	work_free(woken);
	sem_destroy(&wakes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_job_runs_once_and_completes_on_the_owner),
		cmocka_unit_test(as_many_jobs_run_at_once_as_there_are_threads),
		cmocka_unit_test(reaping_never_waits_for_a_job),
		cmocka_unit_test(freeing_drops_queued_jobs_but_completes_them),
		cmocka_unit_test(freeing_completes_what_was_not_reaped),
		cmocka_unit_test(without_threads_jobs_run_in_order_when_reaped),
		cmocka_unit_test(without_threads_each_submission_wakes),
		cmocka_unit_test(a_completion_may_submit_again),
		cmocka_unit_test(signals_are_left_to_the_owner),
		cmocka_unit_test(waking_may_use_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
