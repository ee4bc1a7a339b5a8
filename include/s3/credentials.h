/* SPDX-License-Identifier: MIT */
/* Who asks: the keys that sign requests, and where they came from. */
#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include "base/env.h"
#include "base/error.h"

struct s3_credentials {
	char *access_key;
	char *secret_key;
	char *session_token; /* NULL: none */
	const char *source;  /* "environment", for messages */
};

/*
 * AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN from ${env}.
 * One without the other is an error (ERROR_CREDENTIALS) that says which is
 * missing, never a fall-through; none at all says where they are looked for.
 */
int s3_credentials_load(const struct env *env, struct s3_credentials *out,
    struct error *err);
void s3_credentials_release(struct s3_credentials *c); /* wipes */

#endif
