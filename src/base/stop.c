/* SPDX-License-Identifier: MIT */
/* Handlers set flags and write to an eventfd, which the wait polls: so no
 * signal is missed, whichever thread it comes to. */
#include "base/stop.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"

static volatile sig_atomic_t asked; /* the signal */
static volatile sig_atomic_t reload;
static int bell = -1;
static enum stop_hangup at_hangup;

static void ring(void)
{
	static const uint64_t once = 1;
	int saved = errno;

	/* A full counter rings as well. */
	if (write(bell, &once, sizeof(once)) < 0)
		errno = saved;
}

static void ask(int number)
{
	asked = number;
	alarm(STOP_SECONDS);
	ring();
}

static void on_end(int number)
{
	if (asked != 0)
		_exit(128 + asked);
	ask(number);
}

static void on_parent(int number)
{
	(void)number;
	if (asked == 0)
		ask(SIGTERM);
}

static void on_alarm(int number)
{
	if (asked != 0)
		_exit(128 + asked);
	(void)number;
}

static void on_hangup(int number)
{
	(void)number;
	reload = 1;
	ring();
}

static void on_child(int number)
{
	(void)number;
	ring();
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler,
		.sa_flags = SA_RESTART };

	sigfillset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

void stop_install(enum stop_hangup hangup)
{
	if (bell >= 0)
		close(bell);
	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	at_hangup = hangup;
	asked = 0;
	reload = 0;
	alarm(0);
	handle(SIGPIPE, SIG_IGN);
	handle(SIGTERM, on_end);
	handle(SIGINT, on_end);
	handle(SIGALRM, on_alarm);
	handle(SIGCHLD, on_child);
	handle(SIGHUP, hangup == RELOAD_AT_HANGUP ? on_hangup : on_end);
}

pid_t stop_fork(void)
{
	pid_t parent = getpid();
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		stop_install(at_hangup);
		handle(SIGUSR1, on_parent);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			ask(SIGTERM);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void stop_child(pid_t child)
{
	kill(child, SIGUSR1);
}

const volatile sig_atomic_t *stop_flag(void)
{
	return &asked;
}

bool stop_take_reload(void)
{
	bool was = reload != 0;

	reload = 0;
	return was;
}

/* Rounded up, so that a wait never ends early by itself. */
static int poll_ms(int64_t ns)
{
	int64_t ms = ns / CLOCK_MS + 1;

	return ms > INT_MAX ? INT_MAX : (int)ms;
}

void stop_wait(int64_t until_ns)
{
	struct pollfd fd = { .fd = bell, .events = POLLIN };
	uint64_t count;
	int64_t left_ns;
	int n = 0;

	while (n <= 0 && (left_ns = until_ns - clock_mono_ns()) > 0)
		n = poll(&fd, 1, poll_ms(left_ns));
	if (n > 0 && read(bell, &count, sizeof(count)) < 0)
		return;
}
