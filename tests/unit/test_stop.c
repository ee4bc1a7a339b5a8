/* SPDX-License-Identifier: MIT */
/* Signals as flags. Each test is a process of its own: flags do not go back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

#define FAR (60 * CLOCK_SECOND)

static int status_of(pid_t pid)
{
	int how;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFEXITED(how));
	return WEXITSTATUS(how);
}

/* What ${body} returns, or the status that a signal ends it with. */
static int in_process(int (*body)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(body());
	return status_of(pid);
}

static int raise_and_wait(int number)
{
	int64_t begun_ns = clock_mono_ns();

	raise(number);
	stop_wait(begun_ns + FAR);
	return clock_mono_ns() - begun_ns < FAR / 2;
}

static int ask_once(void)
{
	stop_install(STOP_AT_HANGUP);
	return *stop_flag() == 0 && raise_and_wait(SIGTERM) &&
	    *stop_flag() == SIGTERM;
}

static void test_one_signal_asks(void **state)
{
	(void)state;
	assert_int_equal(in_process(ask_once), 1);
}

static int ask_twice(void)
{
	stop_install(STOP_AT_HANGUP);
	raise(SIGINT);
	raise(SIGTERM);
	return 0;
}

static void test_two_signals_end(void **state)
{
	(void)state;
	assert_int_equal(in_process(ask_twice), 128 + SIGINT);
}

static int ask_and_hang(void)
{
	stop_install(STOP_AT_HANGUP);
	raise(SIGALRM);
	if (alarm(100) != 0)
		return 1;
	raise(SIGTERM);
	if (alarm(0) != STOP_SECONDS)
		return 2;
	raise(SIGALRM);
	return 3;
}

static void test_the_time_to_end_is_limited(void **state)
{
	(void)state;
	assert_int_equal(in_process(ask_and_hang), 128 + SIGTERM);
}

static int hang_up(void)
{
	stop_install(RELOAD_AT_HANGUP);
	if (stop_take_reload() || !raise_and_wait(SIGHUP))
		return 0;
	return stop_take_reload() && !stop_take_reload() && *stop_flag() == 0;
}

static int hang_up_of_a_terminal(void)
{
	stop_install(STOP_AT_HANGUP);
	raise(SIGHUP);
	return *stop_flag();
}

static void test_hangups(void **state)
{
	(void)state;
	assert_int_equal(in_process(hang_up), 1);
	assert_int_equal(in_process(hang_up_of_a_terminal), SIGHUP);
}

static int wait_in_vain(void)
{
	int64_t until_ns;

	stop_install(STOP_AT_HANGUP);
	until_ns = clock_mono_ns() + 30 * CLOCK_MS;
	stop_wait(until_ns);
	return clock_mono_ns() >= until_ns;
}

static void test_a_wait_ends_in_time(void **state)
{
	(void)state;
	assert_int_equal(in_process(wait_in_vain), 1);
}

/* A signal that came before counts, and only once. */
static int wait_late(void)
{
	stop_install(RELOAD_AT_HANGUP);
	raise(SIGHUP);
	return raise_and_wait(SIGHUP) && stop_take_reload() && wait_in_vain();
}

static void test_no_signal_is_missed(void **state)
{
	(void)state;
	assert_int_equal(in_process(wait_late), 1);
}

/* A child of one that was asked is not; and asking it twice as its parent
 * does, after a signal of its own, does not end it at once. */
static int have_a_child(void)
{
	pid_t child;
	int how;

	stop_install(STOP_AT_HANGUP);
	raise(SIGTERM);
	child = stop_fork();
	if (child == 0) {
		if (*stop_flag() != 0)
			_exit(1);
		raise(SIGINT);
		raise(SIGUSR1);
		_exit(*stop_flag() == SIGINT ? 77 : 2);
	}
	waitpid(child, &how, 0);
	return WIFEXITED(how) ? WEXITSTATUS(how) : 3;
}

static void test_children_begin_anew(void **state)
{
	(void)state;
	assert_int_equal(in_process(have_a_child), 77);
}

static int tell_a_child(void)
{
	int64_t until_ns = clock_mono_ns() + FAR;
	pid_t child;
	int how;

	stop_install(STOP_AT_HANGUP);
	child = stop_fork();
	if (child == 0) {
		stop_wait(until_ns);
		_exit(*stop_flag());
	}
	stop_child(child);
	stop_wait(until_ns); /* SIGCHLD */
	return waitpid(child, &how, WNOHANG) == child && WIFEXITED(how)
	    ? WEXITSTATUS(how)
	    : 3;
}

static void test_a_child_is_told(void **state)
{
	(void)state;
	assert_int_equal(in_process(tell_a_child), SIGTERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_signal_asks),
		cmocka_unit_test(test_two_signals_end),
		cmocka_unit_test(test_the_time_to_end_is_limited),
		cmocka_unit_test(test_hangups),
		cmocka_unit_test(test_a_wait_ends_in_time),
		cmocka_unit_test(test_no_signal_is_missed),
		cmocka_unit_test(test_children_begin_anew),
		cmocka_unit_test(test_a_child_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
