/* SPDX-License-Identifier: MIT */
/* AWS Security Token Service: a role's credentials, for those who may have
 * them. */
#ifndef S3_STS_H
#define S3_STS_H

#include <stdbool.h>
#include <stdint.h>

#include "s3/credentials.h"

struct sts_assume { /* all borrowed */
	const char *url;
	const char *region; /* of the signature */
	/* Who assumes it: by keys (AssumeRole), or by a token of an identity
	 * provider (AssumeRoleWithWebIdentity). */
	const struct s3_credentials *by;
	const char *web_token;
	const char *role_arn;
	const char *session_name; /* NULL: one is made up */
	const char *external_id;  /* NULL: none */
	const char *duration_s;   /* NULL: the role's */
	const char *ca_bundle;
	const struct env *env; /* that may name a proxy */
	int64_t timeout_ns;
	bool (*stopped)(void *arg);
	void *arg;
};

/* -1: ERROR_CREDENTIALS with what STS said, or ERROR_NETWORK, ERROR_STOPPED. */
int sts_assume(const struct sts_assume *a, struct s3_credentials *out,
    struct error *err);

#endif
