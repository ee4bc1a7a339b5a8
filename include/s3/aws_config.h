/* SPDX-License-Identifier: MIT */
/*
 * The files that the AWS tools share: ~/.aws/config and ~/.aws/credentials,
 * or what AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name. Read as
 * botocore reads them (Python's configparser): KEY = VALUE or KEY: VALUE, keys
 * in any case, '#' and ';' comments on lines of their own, indented lines
 * that go on with the key before them. Values of any length. Where those tools
 * differ, what one of them takes is taken: sections repeated, "[ x ]".
 */
#ifndef S3_AWS_CONFIG_H
#define S3_AWS_CONFIG_H

#include <stdbool.h>

#include "base/env.h"
#include "base/error.h"

struct aws_config;

enum aws_config_section {
	AWS_CONFIG_PROFILE,     /* [default], [profile X]; in credentials [X] */
	AWS_CONFIG_SSO_SESSION, /* [sso-session X] */
	AWS_CONFIG_SERVICES,    /* [services X] */
};

enum aws_config_file { /* or'ed; the credentials file is asked first */
	AWS_CONFIG_CREDENTIALS = 1,
	AWS_CONFIG_CONFIG = 2,
	AWS_CONFIG_BOTH = 3,
};

/*
 * A file that is not there, or not for this user to see, is an empty one. One
 * that cannot be read, or a line that is none of the above, is ERROR_CONFIG
 * with file:line and without the line's text.
 */
int aws_config_load(struct aws_config **config, const struct env *env,
    struct error *err);
void aws_config_free(struct aws_config *c); /* wipes; NULL: nothing */

/* The profile in force: ${asked} (NULL: nobody), AWS_PROFILE,
 * AWS_DEFAULT_PROFILE, "default". Borrowed from its arguments. */
const char *aws_config_profile(const struct env *env, const char *asked);

/* Is there such a section, if only an empty one? */
bool aws_config_has(const struct aws_config *c,
    enum aws_config_section section, const char *name);
/*
 * NULL: not set, or empty, or ${c} is NULL. ${key} in lower case; of the lines indented below
 * "s3 =", "s3.addressing_style" is one. Borrowed until aws_config_free.
 */
const char *aws_config_get(const struct aws_config *c,
    enum aws_config_section section, const char *name, const char *key);
const char *aws_config_get_from(const struct aws_config *c,
    enum aws_config_file files, enum aws_config_section section,
    const char *name, const char *key);
/* "true" in any case. */
bool aws_config_is_true(const char *value);

/*
 * The endpoint that is configured for ${service} ("s3", "sts", "sso",
 * "sso_oidc"): AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's
 * services, its endpoint_url; NULL: none, or all of them are to be ignored.
 * *from names the one (static or borrowed), for messages; may be NULL.
 */
const char *aws_config_endpoint(const struct aws_config *c,
    const struct env *env, const char *profile, const char *service,
    const char **from);

/* Of one of the files, for messages. */
const char *aws_config_path(const struct aws_config *c,
    enum aws_config_file file);

#endif
