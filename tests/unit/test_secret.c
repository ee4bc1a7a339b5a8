/* SPDX-License-Identifier: MIT */
/* A secret is gone when it is done with, and no core file holds one. */
#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static void a_secret_that_is_freed_leaves_no_pointer(void **state)
{
	char *text = alloc_string("hush");

	(void)state;
	secret_free(&text);
	assert_null(text);
	secret_free(&text); /* and once more does nothing */
	assert_null(text);
}

/* 0: it died of SIGABRT and left no core; else what is wrong. */
static int die_closed(void)
{
	struct rlimit limit;
	int how;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

		setrlimit(RLIMIT_CORE, &all);
		secret_close_process();
		if (getrlimit(RLIMIT_CORE, &limit) || limit.rlim_cur ||
		    limit.rlim_max)
			_exit(1);
		abort();
	}
	if (child < 0 || waitpid(child, &how, 0) != child)
		return 2;
	if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGABRT)
		return 3;
	return WCOREDUMP(how) ? 4 : 0;
}

static void a_closed_process_that_crashes_leaves_no_core(void **state)
{
	(void)state;
	assert_int_equal(die_closed(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_that_is_freed_leaves_no_pointer),
		cmocka_unit_test(a_closed_process_that_crashes_leaves_no_core),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
