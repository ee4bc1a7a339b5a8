/* SPDX-License-Identifier: MIT */
/* Allocation that ends the program where the system's allocation fails. */
#include "base/alloc.h"

#include <string.h>
#include <unistd.h>

#define EXIT_OUT_OF_MEMORY 3 /* the cycle could not run */

_Noreturn void alloc_failed(void)
{
	static const char message[] = "s3sync: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

	(void)ignored;
	/* Not exit(): handlers and stdio may want memory, too. */
	_exit(EXIT_OUT_OF_MEMORY);
}

void *alloc_bytes(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		alloc_failed();
	return p;
}

void *alloc_zero(size_t count, size_t size)
{
	void *p = count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);

	if (p == NULL)
		alloc_failed();
	return p;
}

void *alloc_resize(void *old, size_t count, size_t size)
{
	void *p = count > 0 && size > 0 ? reallocarray(old, count, size)
					: realloc(old, 1);

	if (p == NULL)
		alloc_failed();
	return p;
}

char *alloc_string(const char *text)
{
	return alloc_copy(text, strlen(text) + 1);
}

void *alloc_copy(const void *bytes, size_t size)
{
	void *p = alloc_bytes(size);

	if (size > 0)
		memcpy(p, bytes, size);
	return p;
}
