/* SPDX-License-Identifier: MIT */
/* Allocation gives what was asked for or ends the program. */
#include "base/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Under AddressSanitizer malloc shall fail as it does without it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void memory_of_no_bytes_is_memory(void **state)
{
	void *p;

	(void)state;
	p = alloc_bytes(0);
	assert_non_null(p);
	free(p);
	p = alloc_zero(0, 8);
	assert_non_null(p);
	p = alloc_resize(p, 0, 8);
	assert_non_null(p);
	free(p);
	p = alloc_copy(NULL, 0);
	assert_non_null(p);
	free(p);
}

static void zeroed_memory_is_zero(void **state)
{
	char *p = alloc_zero(100, 3);
	size_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		assert_int_equal(p[i], 0);
	free(p);
}

static void a_copy_is_equal_and_apart(void **state)
{
	char text[] = "key";
	char *copy = alloc_string(text);

	(void)state;
	assert_string_equal(copy, "key");
	text[0] = 'K';
	assert_string_equal(copy, "key");
	free(copy);
}

static void an_array_grows_and_keeps_its_elements(void **state)
{
	int *array = NULL;
	size_t room = 0, rooms = 0, last = 0;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		ALLOC_GROW(array, i + 1, room);
		array[i] = i;
		rooms += room != last;
		last = room;
	}
	for (i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	assert_in_range(rooms, 2, 12);
	free(array);
}

/* Runs ${body} in a child; its exit status, its standard error in ${text}. */
static int run_apart(void (*body)(void), char *text, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		body();
		_exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static volatile size_t huge = SIZE_MAX / 2;

static void ask_for_too_many_bytes(void)
{
	free(alloc_bytes(huge));
}

static void ask_for_an_overflowing_product(void)
{
	free(alloc_resize(NULL, huge, 4));
}

static void ask_for_too_many_zeroes(void)
{
	free(alloc_zero(huge, 4));
}

static void assert_dies_of_want(void (*body)(void))
{
	char text[16384];

	assert_int_equal(run_apart(body, text, sizeof(text)), 3);
	assert_non_null(strstr(text, "s3sync: out of memory\n"));
}

static void want_of_memory_ends_the_program_with_a_message(void **state)
{
	(void)state;
	assert_dies_of_want(alloc_failed);
	assert_dies_of_want(ask_for_too_many_bytes);
	assert_dies_of_want(ask_for_too_many_zeroes);
	assert_dies_of_want(ask_for_an_overflowing_product);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_of_no_bytes_is_memory),
		cmocka_unit_test(zeroed_memory_is_zero),
		cmocka_unit_test(a_copy_is_equal_and_apart),
		cmocka_unit_test(an_array_grows_and_keeps_its_elements),
		cmocka_unit_test(
		    want_of_memory_ends_the_program_with_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
