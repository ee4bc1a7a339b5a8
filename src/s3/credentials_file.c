/* SPDX-License-Identifier: MIT */
/* Keys in ~/.aws/credentials and ~/.aws/config. */
#include "s3/credentials_internal.h"

static int find(const struct credentials_search *s, enum aws_config_file file,
    struct s3_credentials *out, struct error *err)
{
	static const char access_key[] = "aws_access_key_id";
	static const char secret_key[] = "aws_secret_access_key";
	const struct credentials_part none = { NULL, NULL };
	struct credentials_part access = { access_key, NULL };
	struct credentials_part secret = { secret_key, NULL };
	struct credentials_part token = { "aws_security_token", NULL };
	struct credentials_part *parts[] = { &access, &secret, &token };
	const char *path = aws_config_path(s->config, file);

	for (size_t i = 0; i < 3; i++)
		parts[i]->value = aws_config_get_from(s->config, file,
		    AWS_CONFIG_PROFILE, s->profile, parts[i]->name);
	if (!token.value) { /* its name of old comes first, as in botocore */
		token.name = "aws_session_token";
		token.value = aws_config_get_from(s->config, file,
		    AWS_CONFIG_PROFILE, s->profile, token.name);
	}
	if (!access.value && !secret.value)
		return 0;
	if (!access.value || !secret.value)
		return error_set(err, ERROR_CREDENTIALS,
		    "%s has %s but not %s: set both", path,
		    access.value ? access_key : secret_key,
		    access.value ? secret_key : access_key);
	if (credentials_set(out, &access, &secret, &token, &none, err))
		return error_prefix(err, "%s", path);
	credentials_say(out, "profile '%s' of %s", s->profile, path);
	return 1;
}

int credentials_file_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	return find(s, AWS_CONFIG_CREDENTIALS, out, err);
}

int credentials_file_find_config(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	return find(s, AWS_CONFIG_CONFIG, out, err);
}
