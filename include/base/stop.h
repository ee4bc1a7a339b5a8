/* SPDX-License-Identifier: MIT */
/*
 * Signals as flags to look at. The first SIGTERM or SIGINT asks the program to
 * end; a second one, or STOP_SECONDS without an end, ends it at once with
 * status 128+n. That loses nothing: any moment is a safe moment to die.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STOP_SECONDS 5

enum stop_hangup {
	STOP_AT_HANGUP,   /* SIGHUP is one more way to say SIGTERM */
	RELOAD_AT_HANGUP, /* SIGHUP sets what stop_take_reload tells */
};

/* Installs the handlers; SIGPIPE is ignored from now on. */
void stop_install(enum stop_hangup hangup);
/*
 * fork(2), with all flags clear in the child, and no signal lost between. The
 * child is asked to end where its parent dies, and by stop_child: which does
 * not count as a second signal where the child was asked already, as is all
 * of a terminal's process group, or of a service.
 */
pid_t stop_fork(void);
void stop_child(pid_t child);

/* 0, or the signal that asks to end. */
const volatile sig_atomic_t *stop_flag(void);
/* Was there a SIGHUP since this was last asked? */
bool stop_take_reload(void);
/* Returns at ${until_ns} of the monotonic clock, or as soon as one of the
 * signals comes or has come since the last wait; SIGCHLD is one of them. */
void stop_wait(int64_t until_ns);

#endif
