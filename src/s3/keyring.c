/* SPDX-License-Identifier: MIT */
/* The credentials in force, and the thread that looks for the next ones. */
#include "s3/keyring.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define MINUTE_NS (60 * CLOCK_SECOND)
#define ADVISORY_NS (15 * MINUTE_NS) /* from here on others are looked for */
#define MANDATORY_NS (10 * MINUTE_NS) /* and from here on it is told */

struct keyring {
	struct s3_credentials_request request;
	atomic_bool closing;
	atomic_uint number;
	pthread_t thread;

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wanted;
	bool running;         /* there is a thread */
	struct s3_credentials credentials;
	int64_t due_ns;       /* wall clock; INT64_MAX: not by itself */
	bool told;            /* that these cannot be renewed */
	bool refused;         /* those in force */
	bool answered;        /* that: by same, or by error */
	struct error error;   /* ERROR_NONE: they are the same */
	void (*changed)(void *arg);
	void *arg;
};

/* Never at once: who gives out what seems to have expired already, by a clock
 * that is wrong, is not to be asked over and over. */
static int64_t later(int64_t from_ns, int64_t wait_ns)
{
	if (wait_ns <= 0)
		return from_ns + MINUTE_NS;
	return from_ns + (wait_ns > CLOCK_SECOND ? wait_ns : CLOCK_SECOND);
}

int64_t keyring_due_ns(int64_t found_ns, int64_t expires_ns)
{
	int64_t half = (expires_ns - found_ns) / 2;
	int64_t early = expires_ns - found_ns - ADVISORY_NS;

	return expires_ns ? later(found_ns, early > half ? early : half) :
	    INT64_MAX;
}

int64_t keyring_again_ns(int64_t tried_ns, int64_t expires_ns)
{
	int64_t wait = (expires_ns - tried_ns) / 4;

	return expires_ns ? later(tried_ns, wait < MINUTE_NS ? wait :
	    MINUTE_NS) : INT64_MAX;
}

static void say(const struct s3_credentials *c, const char *what)
{
	char until[CLOCK_ISO_MAX] = "they do not say when";

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	if (c->expires_ns)
		clock_format_utc(c->expires_ns, until);
	log_debug("credentials %s: %s; they expire: %s", what, c->source,
	    until);
}

/* ---- the thread --------------------------------------------------------- */

static bool is_closing(void *arg)
{
	return atomic_load(&((struct keyring *)arg)->closing);
}

/* There are others: they are in force. Takes ${found}. */
static void take(struct keyring *k, struct s3_credentials *found, int64_t now,
    bool asked)
{
	bool same = s3_credentials_equal(&k->credentials, found);

	k->due_ns = same ? keyring_again_ns(now, found->expires_ns) :
	    keyring_due_ns(now, found->expires_ns);
	k->answered = asked;
	error_clear(&k->error);
	/* The same ones may be good for longer than they said. */
	s3_credentials_release(&k->credentials);
	k->credentials = *found;
	if (same)
		return;
	k->told = false;
	k->refused = false;
	k->answered = false;
	atomic_fetch_add(&k->number, 1);
	say(&k->credentials, "renewed");
}

/* They are still good, and it is not too late; or it is, and one must act. */
static void fail(struct keyring *k, const struct error *err, int64_t now,
    bool asked)
{
	int64_t expires_ns = k->credentials.expires_ns;

	k->due_ns = keyring_again_ns(now, expires_ns);
	k->answered = asked;
	k->error = *err;
	if (k->told || !expires_ns || expires_ns - now > MANDATORY_NS)
		log_debug("credentials are not renewed yet: %s", err->text);
	else
		log_warning("credentials expire soon, and cannot be renewed: "
		    "%s", err->text);
	k->told = k->told || expires_ns - now <= MANDATORY_NS;
}

/* ${asked}: those in force were refused before this look began. */
static void look(struct keyring *k, bool asked)
{
	struct s3_credentials found;
	struct error err = ERROR_INIT;
	int64_t now;
	int rc;

	pthread_mutex_unlock(&k->lock);
	rc = s3_credentials_find(&k->request, &found, &err);
	pthread_mutex_lock(&k->lock);
	now = clock_wall_ns();
	if (rc == 0)
		take(k, &found, now, asked);
	else if (!is_closing(k))
		fail(k, &err, now, asked);
	if (k->changed)
		k->changed(k->arg);
}

/* By the wall clock, which goes on while the machine sleeps. */
static void sleep_until(struct keyring *k, int64_t due_ns)
{
	struct timespec due = { .tv_sec = (time_t)(due_ns / CLOCK_SECOND),
		.tv_nsec = (long)(due_ns % CLOCK_SECOND) };

	if (due_ns == INT64_MAX)
		pthread_cond_wait(&k->wanted, &k->lock);
	else
		pthread_cond_timedwait(&k->wanted, &k->lock, &due);
}

static void *run(void *arg)
{
	struct keyring *k = arg;

	pthread_mutex_lock(&k->lock);
	while (!is_closing(k)) {
		bool wanted = k->refused && !k->answered;

		if (wanted || clock_wall_ns() >= k->due_ns)
			look(k, wanted);
		else
			sleep_until(k, k->due_ns);
	}
	pthread_mutex_unlock(&k->lock);
	return NULL;
}

/* Signals are for the main thread. */
static void start(struct keyring *k)
{
	sigset_t all, before;

	if (k->running)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&k->thread, NULL, run, k))
		alloc_failed();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	k->running = true;
}

/* ---- whoever signs ------------------------------------------------------ */

int keyring_open(struct keyring **keyring,
    const struct s3_credentials_request *request, struct error *err)
{
	struct keyring *k = alloc_zero(1, sizeof(*k));

	*keyring = NULL;
	k->request = *request;
	if (s3_credentials_find(&k->request, &k->credentials, err)) {
		free(k);
		return -1;
	}
	k->request.stopped = is_closing;
	k->request.arg = k;
	atomic_store(&k->number, 1);
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wanted, NULL);
	say(&k->credentials, "found");
	k->due_ns = keyring_due_ns(clock_wall_ns(), k->credentials.expires_ns);
	if (k->due_ns != INT64_MAX)
		start(k);
	*keyring = k;
	return 0;
}

void keyring_close(struct keyring *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	atomic_store(&k->closing, true);
	k->changed = NULL;
	pthread_cond_signal(&k->wanted);
	pthread_mutex_unlock(&k->lock);
	if (k->running)
		pthread_join(k->thread, NULL);
	s3_credentials_release(&k->credentials);
	pthread_cond_destroy(&k->wanted);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

void keyring_watch(struct keyring *k, void (*changed)(void *arg), void *arg)
{
	pthread_mutex_lock(&k->lock);
	k->changed = changed;
	k->arg = arg;
	pthread_mutex_unlock(&k->lock);
}

unsigned keyring_number(const struct keyring *k)
{
	return atomic_load(&k->number);
}

unsigned keyring_get(struct keyring *k, struct s3_credentials *out)
{
	unsigned number;

	pthread_mutex_lock(&k->lock);
	s3_credentials_copy(out, &k->credentials);
	number = keyring_number(k);
	pthread_mutex_unlock(&k->lock);
	return number;
}

void keyring_refuse(struct keyring *k, unsigned number)
{
	pthread_mutex_lock(&k->lock);
	if (number == keyring_number(k)) {
		k->refused = true;
		k->answered = false;
		start(k);
		pthread_cond_signal(&k->wanted);
	}
	pthread_mutex_unlock(&k->lock);
}

enum keyring_answer keyring_answer(struct keyring *k, unsigned number,
    struct error *err)
{
	enum keyring_answer answer = KEYRING_LOOKING;

	pthread_mutex_lock(&k->lock);
	if (number != keyring_number(k)) {
		answer = KEYRING_CHANGED;
	} else if (k->refused && k->answered) {
		answer = k->error.kind ? KEYRING_FAILED : KEYRING_SAME;
		*err = k->error;
	}
	pthread_mutex_unlock(&k->lock);
	return answer;
}
