/* SPDX-License-Identifier: MIT */
/* Keys in the environment, and in env_file behind it. */
#include "s3/credentials_internal.h"

#include "base/clock.h"

#define ACCESS_KEY "AWS_ACCESS_KEY_ID"
#define SECRET_KEY "AWS_SECRET_ACCESS_KEY"
#define EXPIRATION "AWS_CREDENTIAL_EXPIRATION"

int credentials_env_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	const struct env *env = s->request->env;
	const struct credentials_part access = { ACCESS_KEY,
		env_get(env, ACCESS_KEY) };
	const struct credentials_part secret = { SECRET_KEY,
		env_get(env, SECRET_KEY) };
	const struct credentials_part expiration = { EXPIRATION,
		env_get(env, EXPIRATION) };
	struct credentials_part token = { "AWS_SECURITY_TOKEN",
		env_get(env, "AWS_SECURITY_TOKEN") };

	if (s->profile_only || (!access.value && !secret.value))
		return 0;
	if (!access.value || !secret.value)
		return error_set(err, ERROR_CREDENTIALS,
		    "%s is set but %s is not: set both",
		    access.value ? ACCESS_KEY : SECRET_KEY,
		    access.value ? SECRET_KEY : ACCESS_KEY);
	if (!token.value) { /* its name of old comes first, as in botocore */
		token.name = "AWS_SESSION_TOKEN";
		token.value = env_get(env, token.name);
	}
	if (credentials_set(out, &access, &secret, &token, &expiration, err))
		return -1;
	if (out->expires_ns && out->expires_ns <= clock_wall_ns())
		return error_set(err, ERROR_CREDENTIALS, EXPIRATION " says "
		    "that they expired at %s: set new ones", expiration.value);
	credentials_say(out, "the environment");
	return 1;
}
