/* SPDX-License-Identifier: MIT */
/*
 * The credentials in force: found once, and kept fresh by a thread, well ahead
 * of their end and beside whatever goes on. They are numbered, so that who
 * signed with some of them can say that those were refused. All functions may
 * be called from any thread.
 */
#ifndef S3_KEYRING_H
#define S3_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "s3/credentials.h"

struct keyring;

/* Finds them, as s3_credentials_find. What ${request} points to outlives the
 * keyring, but for stopped, which is for this call alone. */
int keyring_open(struct keyring **k,
    const struct s3_credentials_request *request, struct error *err);
void keyring_close(struct keyring *k); /* gives up looking; NULL: nothing */

/* ${changed} is called, from the thread and under a lock (so: no function of
 * the keyring), when there are others, or when it is certain that there are
 * none. NULL: nobody. */
void keyring_watch(struct keyring *k, void (*changed)(void *arg), void *arg);

/* The number of those in force: it only grows. Cheap. */
unsigned keyring_number(const struct keyring *k);
/* Copies them; returns their number. */
unsigned keyring_get(struct keyring *k, struct s3_credentials *out);

/* Those of ${number} were refused: look for others, now. */
void keyring_refuse(struct keyring *k, unsigned number);

enum keyring_answer {
	KEYRING_LOOKING,
	KEYRING_CHANGED, /* there are others */
	KEYRING_SAME,    /* it found those that were refused */
	KEYRING_FAILED,  /* *err says why it found none */
};
/* What came of it. */
enum keyring_answer keyring_answer(struct keyring *k, unsigned number,
    struct error *err);

/*
 * When to look for others, of credentials that were found at ${found_ns} and
 * are good until ${expires_ns}: 15 minutes before, in the latter half of what
 * they last. If that gave no others: ${tried_ns} and a minute, or less. Never
 * within a second; INT64_MAX: not by itself, as they do not expire.
 */
int64_t keyring_due_ns(int64_t found_ns, int64_t expires_ns);
int64_t keyring_again_ns(int64_t tried_ns, int64_t expires_ns);

#endif
