/* SPDX-License-Identifier: MIT */
/*
 * Allocation that cannot fail: out of memory ends the program with a message.
 * That is safe at any moment, because the manifest never leads the file system.
 */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include <stddef.h>
#include <stdlib.h>

void *alloc_bytes(size_t size) __attribute__((malloc, returns_nonnull));
void *alloc_zero(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));
void *alloc_resize(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));
char *alloc_string(const char *text) __attribute__((malloc, nonnull));
void *alloc_copy(const void *bytes, size_t size)
    __attribute__((malloc, returns_nonnull));

/* The same end for a library that says it is out of memory. */
_Noreturn void alloc_failed(void);

/* Room for at least ${need} elements; grows by half, so appending is O(1). */
#define ALLOC_GROW(array, need, room)                                          \
	do {                                                                   \
		if ((size_t)(need) > (size_t)(room)) {                         \
			(room) = (need) < 16 ? 16 : (need) + (need) / 2;       \
			(array) = alloc_resize((array), (size_t)(room),        \
			    sizeof(*(array)));                                 \
		}                                                              \
	} while (0)

#endif
