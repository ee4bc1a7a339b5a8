/* SPDX-License-Identifier: MIT */
/* What the store's files share. All of it is read and changed under the
 * lock. */
#ifndef SERVER_STORE_INTERNAL_H
#define SERVER_STORE_INTERNAL_H

#include <pthread.h>

#include "store.h"

struct upload;

struct bucket {
	struct bucket *next; /* by name */
	char *name;
	int64_t created_ms;
	struct index *index;
	struct synthetic synthetic; /* count 0: none */
	struct upload *uploads;     /* by key, then by age */
};

struct store {
	char *dir; /* NULL: in memory */
	pthread_rwlock_t lock;
	struct bucket *buckets;
	uint64_t serial; /* of uploads */
};

void parts_free_uploads(struct bucket *b);

#endif
