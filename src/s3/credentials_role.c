/* SPDX-License-Identifier: MIT */
/* A role that a profile names, assumed with the credentials of another
 * profile, or with those of the place where the program runs. */
#include "s3/credentials_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool was_visited(const struct credentials_search *s, const char *name)
{
	for (const struct credentials_visit *v = s->visits; v; v = v->before)
		if (strcmp(v->profile, name) == 0)
			return true;
	return false;
}

/* The whole way round, for the message. */
static int loops(const struct credentials_search *s, const char *name,
    struct error *err)
{
	struct strbuf way = STRBUF_INIT(512);

	for (const struct credentials_visit *v = s->visits; v; v = v->before) {
		char *rest = strbuf_detach(&way);

		strbuf_addf(&way, "%s -> %s", v->profile, rest);
		free(rest);
	}
	error_set(err, ERROR_CREDENTIALS, "source_profile goes in a circle: "
	    "%s%s", strbuf_text(&way), name);
	strbuf_release(&way);
	return -1;
}

static bool has_role(const struct credentials_search *s)
{
	return credentials_setting(s, "role_arn") &&
	    !credentials_setting(s, "web_identity_token_file");
}

static bool has_keys(const struct credentials_search *s)
{
	return credentials_setting(s, "aws_access_key_id") ||
	    credentials_setting(s, "aws_secret_access_key");
}

/* A profile may name itself: then its own keys assume its own role. */
static int find_source(const struct credentials_search *s, const char *name,
    struct s3_credentials *out, struct error *err)
{
	struct credentials_search next = *s;
	int rc;

	next.profile = name;
	next.profile_only = true;
	if (!aws_config_has(s->config, AWS_CONFIG_PROFILE, name))
		return error_set(err, ERROR_CREDENTIALS,
		    "its source_profile '%s' is neither in %s nor in %s", name,
		    aws_config_path(s->config, AWS_CONFIG_CREDENTIALS),
		    aws_config_path(s->config, AWS_CONFIG_CONFIG));
	if (!has_keys(&next) && has_role(&next)) {
		if (was_visited(s, name))
			return loops(s, name, err);
		rc = credentials_role_find(&next, out, err);
		if (rc < 0)
			return error_prefix(err, "its source_profile '%s'",
			    name);
	} else {
		rc = credentials_find_of_profile(&next, out, err);
	}
	if (rc == 0)
		return error_set(err, ERROR_CREDENTIALS,
		    "its source_profile '%s' has no credentials", name);
	return rc;
}

static int find_place(const struct credentials_search *s, const char *name,
    struct s3_credentials *out, struct error *err)
{
	static const struct {
		const char *name;
		credentials_provider_fn *find;
	} places[] = {
		{ "Environment", credentials_env_find },
		{ "Ec2InstanceMetadata", credentials_imds_find },
		{ "EcsContainer", credentials_container_find },
	};
	struct credentials_search next = *s;
	int rc;

	next.profile_only = false;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (strcasecmp(places[i].name, name) != 0)
			continue;
		rc = places[i].find(&next, out, err);
		if (rc == 0)
			return error_set(err, ERROR_CREDENTIALS,
			    "its credential_source '%s' has none%s", name,
			    strbuf_text(s->notes));
		return rc < 0 ? error_prefix(err, "its credential_source '%s'",
		    name) : rc;
	}
	return error_set(err, ERROR_CREDENTIALS, "credential_source '%s' is "
	    "none of Environment, Ec2InstanceMetadata, EcsContainer", name);
}

static int assume(const struct credentials_search *s,
    const struct s3_credentials *by, struct s3_credentials *out,
    struct error *err)
{
	struct sts_assume a = {
		.by = by,
		.role_arn = credentials_setting(s, "role_arn"),
		.session_name = credentials_setting(s, "role_session_name"),
		.external_id = credentials_setting(s, "external_id"),
		.duration_s = credentials_setting(s, "duration_seconds"),
	};

	if (credentials_assume(s, &a, out, err))
		return -1;
	credentials_say(out, "role %s of profile '%s', assumed by %s",
	    a.role_arn, s->profile, by->source);
	return 1;
}

int credentials_role_find(const struct credentials_search *s,
    struct s3_credentials *out, struct error *err)
{
	const char *source = credentials_setting(s, "source_profile");
	const char *place = credentials_setting(s, "credential_source");
	struct credentials_visit visit = { s->profile, s->visits };
	struct credentials_search here = *s;
	struct s3_credentials by = { 0 };
	int rc;

	if (!has_role(s))
		return 0;
	if (!source == !place)
		return error_set(err, ERROR_CREDENTIALS, source ?
		    "it has both source_profile and credential_source: remove "
		    "one" :
		    "it has role_arn, but neither source_profile nor "
		    "credential_source says who assumes it");
	if (credentials_setting(s, "mfa_serial"))
		return error_set(err, ERROR_CREDENTIALS, "its role asks for a "
		    "code (mfa_serial), and nobody is here to type one: use "
		    "`aws sso login`, or a credential_process");
	here.visits = &visit;
	rc = source ? find_source(&here, source, &by, err) :
	    find_place(&here, place, &by, err);
	if (rc > 0)
		rc = assume(s, &by, out, err);
	s3_credentials_release(&by);
	return rc;
}
