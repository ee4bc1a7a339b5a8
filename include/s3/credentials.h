/* SPDX-License-Identifier: MIT */
/*
 * Who asks: the keys that sign requests, found where the AWS tools find them.
 * What is configured but does not work is an error that names it and says
 * what to do; it never falls through to the next place.
 */
#ifndef S3_CREDENTIALS_H
#define S3_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/error.h"

struct s3_credentials {
	char *access_key;
	char *secret_key;
	char *session_token; /* NULL: none */
	int64_t expires_ns;  /* wall clock; 0: not that they would say */
	char *source;        /* "the environment", for messages */
};

struct s3_credentials_request { /* all borrowed */
	const struct env *env;
	/* Asked for by name: then keys and web identity of the environment do
	 * not count. NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". */
	const char *profile;
	const char *region;     /* of STS; NULL: the profile's, or global */
	bool dualstack, fips;   /* AWS's endpoints of these kinds */
	const char *ca_bundle;  /* NULL: the system's */
	int64_t timeout_ns;     /* of one exchange, of one credential_process */
	bool (*stopped)(void *arg); /* gives up; NULL: never */
	void *arg;
};

/*
 * In the order of botocore: environment, role of the profile, web identity,
 * SSO, ~/.aws/credentials, credential_process, ~/.aws/config, container,
 * instance metadata. Asks others where it must, in bounded time; any thread.
 * -1: ERROR_CREDENTIALS, or ERROR_STOPPED.
 */
int s3_credentials_find(const struct s3_credentials_request *request,
    struct s3_credentials *out, struct error *err);

void s3_credentials_copy(struct s3_credentials *to,
    const struct s3_credentials *from);
/* Are these the same keys, whatever else is said of them? */
bool s3_credentials_equal(const struct s3_credentials *a,
    const struct s3_credentials *b);
void s3_credentials_release(struct s3_credentials *c); /* wipes */

#endif
