/* SPDX-License-Identifier: MIT */
/*
 * Providers: each knows one place that gives out credentials.
 *
 *   credentials.c            their order, and what they share
 *   credentials_env.c        the environment
 *   credentials_role.c       a profile's role, by another's credentials
 *   credentials_web.c        a role, by a token in a file
 *   credentials_sso.c        IAM Identity Center, by the token of …
 *   credentials_sso_token.c  … who is logged in
 *   credentials_file.c       keys in ~/.aws/credentials and ~/.aws/config
 *   credentials_process.c    a program
 *   credentials_container.c  ECS, EKS and the like
 *   credentials_imds.c       EC2
 */
#ifndef S3_CREDENTIALS_INTERNAL_H
#define S3_CREDENTIALS_INTERNAL_H

#include <stddef.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "s3/aws_config.h"
#include "s3/credentials.h"
#include "s3/fetch.h"
#include "s3/sts.h"

/* Profiles on the way from a role to those who may assume it. */
struct credentials_visit {
	const char *profile;
	const struct credentials_visit *before;
};

struct credentials_search {
	const struct s3_credentials_request *request;
	const struct aws_config *config;
	const char *profile;    /* in force; of a chain of roles, this link's */
	bool profile_only;      /* the environment has no say */
	const struct credentials_visit *visits;
	struct strbuf *notes;   /* why places without credentials have none */
};

/* 1: *out is filled. 0: this place is not configured, or there is nothing to
 * be had by right. -1: it is, and does not work; the caller names it. */
typedef int credentials_provider_fn(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err);

credentials_provider_fn credentials_env_find, credentials_role_find,
    credentials_web_find, credentials_sso_find, credentials_file_find,
    credentials_process_find, credentials_file_find_config,
    credentials_container_find, credentials_imds_find;

/* The words of a command, as a shell would split it but without anything
 * expanded; NULL: a quote is not closed. */
char **credentials_process_words(const char *text);
void credentials_process_free_words(char **words);
/* Where container credentials are asked for: "/…" on the host that ECS has, or
 * a URL, which must be https or lead to this machine or to one of the hosts
 * that ECS and EKS have. malloc'ed, NULL: it must not be asked. */
char *credentials_container_url(const char *relative, const char *full,
    struct error *err);

/* The token of who is logged in to ${name} (a session or a start URL), renewed
 * where that is due; malloc'ed. */
int credentials_sso_token_get(const struct credentials_search *s,
    const char *name, const char *region, char **token, struct error *err);
/* ${what} went wrong: one has to log in again. */
int credentials_sso_token_lost(const struct credentials_search *s,
    const char *what, struct error *err);

/* The first provider that has them, of those that the profile alone decides. */
int credentials_find_of_profile(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err);

/* ---- what providers share ----------------------------------------------- */

struct credentials_part {
	const char *name;  /* as its place calls it */
	const char *value; /* NULL: not there */
};

/*
 * Copies what was found. Access and secret key must be there, and all must be
 * fit for a header line: a line break or a stray blank, from a value pasted
 * badly, would only ever come back as SignatureDoesNotMatch.
 */
int credentials_set(struct s3_credentials *out,
    const struct credentials_part *access,
    const struct credentials_part *secret,
    const struct credentials_part *token,
    const struct credentials_part *expiration, struct error *err);
void credentials_say(struct s3_credentials *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* RFC 3339, with any offset. */
int credentials_parse_time(const char *text, int64_t *wall_ns);
/* May ${text} be a header's value? */
bool credentials_is_header(const char *text);

/* An object of JSON, or NULL: what is wrong never repeats the text. */
json_t *credentials_json(const char *text, size_t len, struct error *err);
/* A text of it; NULL: none, or empty. */
const char *credentials_json_text(const json_t *object, const char *name);
/* Keys from such an object, whose names vary. */
struct credentials_names {
	const char *access, *secret, *token, *expiration;
};
int credentials_set_json(struct s3_credentials *out, const json_t *object,
    const struct credentials_names *names, struct error *err);
/* What a server says of itself, as one short line of printable text. */
void credentials_add_foreign(struct strbuf *out, const char *text);

/* A setting of the profile in force. */
const char *credentials_setting(const struct credentials_search *s,
    const char *key);
/* A variable, where the environment has a say; else the profile's. */
const char *credentials_option(const struct credentials_search *s,
    const char *variable, const char *key);
/* Where ${service} is: as configured, else "https://HOST.REGION.…" of AWS;
 * without a '/' at its end. */
void credentials_add_url(const struct credentials_search *s,
    struct strbuf *url, const char *service, const char *host,
    const char *region);
/* fetch_run, stopped as the search is. */
int credentials_fetch(const struct credentials_search *s,
    struct fetch_request *request, struct fetch_reply *reply,
    struct error *err);
/* Assumes the role, at the STS that is configured. */
int credentials_assume(const struct credentials_search *s,
    struct sts_assume *assume, struct s3_credentials *out, struct error *err);

#endif
