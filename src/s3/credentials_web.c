/* SPDX-License-Identifier: MIT */
/* A role, assumed with a token that an identity provider keeps in a file: as
 * in Kubernetes. The file is read each time anew; it changes. */
#include "s3/credentials_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/secret.h"

#define TOKEN_MAX ((size_t)64 << 10)
#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"
#define ROLE_ARN "AWS_ROLE_ARN"

/* What the environment says, where it has a say; else the profile. */
static const char *setting(const struct credentials_search *s,
    const char *variable, const char *key)
{
	return s->profile_only ? credentials_setting(s, key) :
	    credentials_option(s, variable, key);
}

static int read_token(const char *path, char **token, struct error *err)
{
	size_t len;

	if (fs_read_file(path, TOKEN_MAX, ERROR_CREDENTIALS, token, &len, err))
		return -1;
	while (len > 0 && strchr(" \t\r\n", (*token)[len - 1]))
		(*token)[--len] = '\0';
	if (len > 0 && strlen(*token) == len && credentials_is_header(*token))
		return 0;
	secret_free(token);
	return error_set(err, ERROR_CREDENTIALS, "%s holds no token", path);
}

int credentials_web_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	const char *path = setting(s, TOKEN_FILE, "web_identity_token_file");
	struct sts_assume a = {
		.role_arn = setting(s, ROLE_ARN, "role_arn"),
		.session_name = setting(s, "AWS_ROLE_SESSION_NAME",
		    "role_session_name"),
	};
	char *token = NULL;
	int rc;

	if (!path)
		return 0;
	if (!a.role_arn)
		return error_set(err, ERROR_CREDENTIALS, "there is a token "
		    "(%s), but neither " ROLE_ARN " nor role_arn in profile "
		    "'%s' says which role it is for", path, s->profile);
	if (read_token(path, &token, err))
		return -1;
	a.web_token = token;
	rc = credentials_assume(s, &a, out, err);
	secret_free(&token);
	if (rc)
		return error_prefix(err, "the token in %s", path);
	credentials_say(out, "role %s, assumed by the token in %s", a.role_arn,
	    path);
	return 1;
}
