/* SPDX-License-Identifier: MIT */
/* Who asks: keys from the environment and from env_file. */
#include "s3/credentials.h"

#include <string.h>

#include "base/alloc.h"
#include "base/secret.h"

#define ACCESS_KEY "AWS_ACCESS_KEY_ID"
#define SECRET_KEY "AWS_SECRET_ACCESS_KEY"
#define SESSION_TOKEN "AWS_SESSION_TOKEN"

/* A key goes into a header line: a line break or a stray blank (a value
 * pasted badly) would only ever come back as SignatureDoesNotMatch. */
static int check_text(const char *name, const char *value, struct error *err)
{
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p > '~')
			return error_set(err, ERROR_CREDENTIALS,
			    "%s holds a blank or a character that no key has: "
			    "set it again", name);
	return 0;
}

int s3_credentials_load(const struct env *env, struct s3_credentials *out,
    struct error *err)
{
	const char *access = env_get(env, ACCESS_KEY);
	const char *secret = env_get(env, SECRET_KEY);
	const char *token = env_get(env, SESSION_TOKEN);

	memset(out, 0, sizeof(*out));
	if (!access && !secret)
		return error_set(err, ERROR_CREDENTIALS,
		    "no credentials: set " ACCESS_KEY " and " SECRET_KEY
		    " in the environment or in the file that env_file names");
	if (!access || !secret)
		return error_set(err, ERROR_CREDENTIALS,
		    "%s is set but %s is not: set both",
		    access ? ACCESS_KEY : SECRET_KEY,
		    access ? SECRET_KEY : ACCESS_KEY);
	if (check_text(ACCESS_KEY, access, err) ||
	    check_text(SECRET_KEY, secret, err) ||
	    (token && check_text(SESSION_TOKEN, token, err)))
		return -1;
	out->access_key = alloc_string(access);
	out->secret_key = alloc_string(secret);
	out->session_token = token ? alloc_string(token) : NULL;
	out->source = "environment";
	return 0;
}

void s3_credentials_release(struct s3_credentials *c)
{
	secret_free(&c->access_key);
	secret_free(&c->secret_key);
	secret_free(&c->session_token);
}
