/* SPDX-License-Identifier: MIT */
/* What can be asked of S3: one row for each operation. */
#ifndef SERVER_OPERATION_H
#define SERVER_OPERATION_H

#include <stdbool.h>
#include <stddef.h>

struct request;

enum operation_on { ON_SERVICE, ON_BUCKET, ON_OBJECT, ON_IDENTITY };

struct operation {
	const char *kind; /* its name in counts, log and fault rules */
	const char *method;
	enum operation_on on;
	/* Query parameter, or "x-amz-…" header, that selects it; NULL: none.
	 * ON_IDENTITY: how the path goes on. */
	const char *param;
	/* Before the body is read: 0, or -1 with an error answered. May be
	 * NULL. */
	int (*begin)(struct request *r);
	/* Does it and answers. */
	void (*finish)(struct request *r);
};

/* Never NULL: there is a row for what is not known. */
const struct operation *operation_find(const struct request *r);
/* Needs no bucket that is there already. */
bool operation_makes_bucket(const struct operation *op);
/* Kinds by number, 0 .. count - 1. */
size_t operation_count(void);
size_t operation_number(const struct operation *op);
const char *operation_kind(size_t number);
bool operation_is_kind(const char *name);

#endif
