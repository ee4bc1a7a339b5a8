/* SPDX-License-Identifier: MIT */
/* Stand-ins for those who give out temporary credentials. */
#include "identity.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "auth.h"
#include "body.h"
#include "reply.h"
#include "request.h"
#include "text.h"

#define SETTING_MAX 8192
#define ROLE "test-role"
#define IMDS_TOKEN "imds-token"
#define ROLES "imds/latest/meta-data/iam/security-credentials/"

enum setting {
	SET_LIFETIME,      /* seconds; less than 0: they have expired */
	SET_BODY,          /* the reply instead; "": their own */
	SET_IMDS,          /* v1, v2, norole */
	SET_AUTHORIZATION, /* that a container must send; "": none */
	SET_EXTERNAL_ID,   /* that AssumeRole must bring; "": none */
	SET_WEB_TOKEN,
	SET_SSO_TOKEN,
	SET_REFRESH_TOKEN,
	SETTINGS,
};

static const struct {
	const char *name, *fallback;
} settings[SETTINGS] = {
	[SET_LIFETIME] = { "lifetime", "3600" },
	[SET_BODY] = { "body", "" },
	[SET_IMDS] = { "imds", "v2" },
	[SET_AUTHORIZATION] = { "authorization", "" },
	[SET_EXTERNAL_ID] = { "external-id", "" },
	[SET_WEB_TOKEN] = { "web-token", "web-token" },
	[SET_SSO_TOKEN] = { "sso-token", "sso-token" },
	[SET_REFRESH_TOKEN] = { "refresh-token", "refresh-token" },
};

struct issued {
	struct identity_keys keys;
	bool revoked;
};

struct identity {
	pthread_mutex_t lock;
	char values[SETTINGS][SETTING_MAX];
	bool same; /* the last ones are given out again */
	struct issued *issued;
	size_t count, room;
	struct strbuf asked; /* of STS, the last time */
};

static void reset(struct identity *i)
{
	for (int s = 0; s < SETTINGS; s++)
		snprintf(i->values[s], SETTING_MAX, "%s", settings[s].fallback);
	i->same = false;
}

struct identity *identity_new(void)
{
	struct identity *i = alloc_zero(1, sizeof(*i));

	pthread_mutex_init(&i->lock, NULL);
	strbuf_init(&i->asked, SETTING_MAX);
	reset(i);
	return i;
}

void identity_free(struct identity *i)
{
	if (!i)
		return;
	pthread_mutex_destroy(&i->lock);
	strbuf_release(&i->asked);
	free(i->issued);
	free(i);
}

bool identity_find(struct identity *i, const char *access,
    struct identity_keys *keys)
{
	bool found = false;

	pthread_mutex_lock(&i->lock);
	for (size_t n = 0; n < i->count; n++)
		if (!i->issued[n].revoked &&
		    strcmp(i->issued[n].keys.access, access) == 0) {
			*keys = i->issued[n].keys;
			found = true;
		}
	pthread_mutex_unlock(&i->lock);
	return found;
}

static int64_t lifetime_ns(const struct identity *i)
{
	return strtoll(i->values[SET_LIFETIME], NULL, 10) * CLOCK_SECOND;
}

/* Under the lock. */
static struct identity_keys issue(struct identity *i, int64_t now_ns)
{
	struct identity_keys *keys;
	unsigned n = (unsigned)i->count + 1;

	if (i->same && i->count > 0)
		return i->issued[i->count - 1].keys;
	ALLOC_GROW(i->issued, i->count + 1, i->room);
	i->issued[i->count] = (struct issued){ .revoked = false };
	keys = &i->issued[i->count++].keys;
	snprintf(keys->access, sizeof(keys->access), "ASIATEST%08u", n);
	snprintf(keys->secret, sizeof(keys->secret), "issued-secret/%u+%08x", n,
	    (unsigned)clock_random());
	snprintf(keys->token, sizeof(keys->token), "issued-token/%u+%08x==", n,
	    (unsigned)clock_random());
	keys->expires_ns = now_ns + lifetime_ns(i);
	return *keys;
}

static struct identity_keys give_out(struct request *r)
{
	struct identity *i = r->server->identity;
	struct identity_keys keys;

	pthread_mutex_lock(&i->lock);
	keys = issue(i, r->now_ns);
	pthread_mutex_unlock(&i->lock);
	return keys;
}

/* ---- commands ---- */

static void expire(struct identity *i, bool revoke)
{
	for (size_t n = 0; n < i->count; n++) {
		i->issued[n].keys.expires_ns = 1;
		i->issued[n].revoked = i->issued[n].revoked || revoke;
	}
}

static int obey(struct identity *i, const char *word, const char *rest,
    struct error *err)
{
	if (strcmp(word, "expire") == 0)
		expire(i, false);
	else if (strcmp(word, "revoke") == 0)
		expire(i, true);
	else if (strcmp(word, "same") == 0)
		i->same = true;
	else if (strcmp(word, "reset") == 0)
		reset(i);
	else {
		int s = 0;

		while (s < SETTINGS && strcmp(settings[s].name, word) != 0)
			s++;
		if (s == SETTINGS)
			return error_set(err, ERROR_USAGE,
			    "'%s' is no command", word);
		snprintf(i->values[s], SETTING_MAX, "%s", rest);
	}
	return 0;
}

int identity_command(struct identity *i, const char *text, struct error *err)
{
	char *copy = alloc_string(text), *lines = copy, *line;
	int result = 0;

	pthread_mutex_lock(&i->lock);
	while (result == 0 && (line = strsep(&lines, "\n"))) {
		char *word = strsep(&line, " ");

		if (*word)
			result = obey(i, word, line ? line : "", err);
	}
	pthread_mutex_unlock(&i->lock);
	free(copy);
	return result;
}

void identity_print(struct identity *i, struct strbuf *out)
{
	pthread_mutex_lock(&i->lock);
	strbuf_addf(out, "issued=%zu\n%s", i->count, strbuf_text(&i->asked));
	pthread_mutex_unlock(&i->lock);
}

/* A copy; ${value} has SETTING_MAX bytes. */
static const char *get(struct request *r, enum setting setting, char *value)
{
	struct identity *i = r->server->identity;

	pthread_mutex_lock(&i->lock);
	memcpy(value, i->values[setting], SETTING_MAX);
	pthread_mutex_unlock(&i->lock);
	return value;
}

/* Is there a reply that a test wants instead? Then it is given. */
static bool give_body(struct request *r)
{
	char body[SETTING_MAX];

	if (!*get(r, SET_BODY, body))
		return false;
	reply_text(r, 200, "application/octet-stream");
	strbuf_adds(&r->body, body);
	return true;
}

int identity_begin(struct request *r)
{
	body_to_text(r);
	return 0;
}

static void refuse(struct request *r, unsigned status, const char *message)
{
	reply_text(r, status, "application/json");
	strbuf_addf(&r->body, "{\"message\":\"%s\"}", message);
}

/* ---- STS ---- */

struct form {
	char *text;
	const char *names[16], *values[16];
	size_t count;
};

static void parse_form(struct form *f, const char *text)
{
	char *rest, *pair;

	f->text = rest = alloc_string(text);
	f->count = 0;
	while (f->count < 16 && (pair = strsep(&rest, "&"))) {
		char *name = strsep(&pair, "=");

		if (pair)
			text_unescape(pair, strlen(pair), true);
		f->names[f->count] = name;
		f->values[f->count++] = pair ? pair : "";
	}
}

static const char *field(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->names[i], name) == 0)
			return f->values[i];
	return "";
}

static void note_asked(struct request *r, const struct form *f)
{
	struct identity *i = r->server->identity;

	pthread_mutex_lock(&i->lock);
	strbuf_clear(&i->asked);
	for (size_t n = 0; n < f->count; n++)
		strbuf_addf(&i->asked, "%s=%s\n", f->names[n], f->values[n]);
	pthread_mutex_unlock(&i->lock);
}

static void sts_error(struct request *r, unsigned status, const char *code,
    const char *message)
{
	reply_xml(r, status);
	strbuf_addf(&r->body,
	    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/"
	    "\"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message>"
	    "</Error><RequestId>%s</RequestId></ErrorResponse>",
	    code, message, r->id);
}

static void sts_give(struct request *r, const char *action)
{
	struct identity_keys keys = give_out(r);
	char until[CLOCK_ISO_MAX];

	clock_format_utc(keys.expires_ns, until);
	reply_xml(r, 200);
	strbuf_addf(&r->body,
	    "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
	    "<%sResult><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/y"
	    "</Arn></AssumedRoleUser><Credentials><AccessKeyId>%s</AccessKeyId>"
	    "<SecretAccessKey>%s</SecretAccessKey><SessionToken>%s"
	    "</SessionToken><Expiration>%s</Expiration></Credentials></%sResult>"
	    "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
	    "</%sResponse>\n",
	    action, action, keys.access, keys.secret, keys.token, until, action,
	    r->id, action);
}

/* The signature covers the body, which is there by now. */
static bool sts_is_signed(struct request *r)
{
	unsigned char sum[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE + 1];

	digest_once(DIGEST_SHA256, strbuf_text(&r->text), r->text.len, sum);
	digest_hex(sum, sizeof(sum), hex);
	if (auth_check_sts(r, hex) == 0)
		return true;
	if (strstr(strbuf_text(&r->body), "<Code>ExpiredToken<"))
		sts_error(r, 403, "ExpiredToken", "The token has expired");
	else if (strstr(strbuf_text(&r->body), "<Code>InvalidAccessKeyId<"))
		sts_error(r, 403, "InvalidClientTokenId",
		    "The security token included in the request is invalid.");
	else
		sts_error(r, 403, "SignatureDoesNotMatch",
		    "The request signature we calculated does not match the "
		    "signature you provided.");
	return false;
}

static void assume_role(struct request *r, const struct form *f)
{
	char wanted[SETTING_MAX];

	if (!sts_is_signed(r))
		return;
	if (*get(r, SET_EXTERNAL_ID, wanted) &&
	    strcmp(field(f, "ExternalId"), wanted) != 0)
		sts_error(r, 403, "AccessDenied",
		    "User is not authorized to perform: sts:AssumeRole");
	else
		sts_give(r, "AssumeRole");
}

static void assume_role_by_token(struct request *r, const struct form *f)
{
	char wanted[SETTING_MAX];

	if (request_header(r, "Authorization"))
		sts_error(r, 400, "InvalidParameterValue",
		    "This one is not signed");
	else if (strcmp(field(f, "WebIdentityToken"),
	    get(r, SET_WEB_TOKEN, wanted)) != 0)
		sts_error(r, 400, "InvalidIdentityToken",
		    "No OpenIDConnect provider found");
	else
		sts_give(r, "AssumeRoleWithWebIdentity");
}

void identity_sts(struct request *r)
{
	struct form f;

	if (give_body(r))
		return;
	parse_form(&f, strbuf_text(&r->text));
	note_asked(r, &f);
	if (strcmp(field(&f, "Version"), "2011-06-15") != 0 ||
	    !*field(&f, "RoleArn") || !*field(&f, "RoleSessionName"))
		sts_error(r, 400, "ValidationError", "A field is missing");
	else if (strcmp(field(&f, "Action"), "AssumeRole") == 0)
		assume_role(r, &f);
	else if (strcmp(field(&f, "Action"), "AssumeRoleWithWebIdentity") == 0)
		assume_role_by_token(r, &f);
	else
		sts_error(r, 400, "InvalidAction", "No such action");
	free(f.text);
}

/* ---- those that speak JSON ---- */

void identity_sso(struct request *r)
{
	const char *token = request_header(r, "x-amz-sso_bearer_token");
	char wanted[SETTING_MAX];
	struct identity_keys keys;

	if (give_body(r))
		return;
	if (!token || strcmp(token, get(r, SET_SSO_TOKEN, wanted)) != 0) {
		refuse(r, 401, "Session token not found or invalid");
	} else if (!request_param(r, "role_name") ||
	    !request_param(r, "account_id")) {
		refuse(r, 400, "a parameter is missing");
	} else {
		keys = give_out(r);
		reply_text(r, 200, "application/json");
		strbuf_addf(&r->body,
		    "{\"roleCredentials\":{\"accessKeyId\":\"%s\","
		    "\"secretAccessKey\":\"%s\",\"sessionToken\":\"%s\","
		    "\"expiration\":%" PRId64 "}}",
		    keys.access, keys.secret, keys.token,
		    keys.expires_ns / CLOCK_MS);
	}
}

/* Does the request's JSON, written without blanks, say so? */
static bool says(const struct request *r, const char *name, const char *value)
{
	struct strbuf member = STRBUF_INIT(SETTING_MAX);
	bool found;

	strbuf_addf(&member, "\"%s\":\"%s\"", name, value);
	found = strstr(strbuf_text(&r->text), strbuf_text(&member)) != NULL;
	strbuf_release(&member);
	return found;
}

/* The token that renews is good once: the reply has the next one. */
void identity_oidc(struct request *r)
{
	struct identity *i = r->server->identity;
	char *good = i->values[SET_REFRESH_TOKEN];

	if (give_body(r))
		return;
	pthread_mutex_lock(&i->lock);
	if (says(r, "grantType", "refresh_token") &&
	    says(r, "clientId", "client") &&
	    says(r, "clientSecret", "client-secret") &&
	    says(r, "refreshToken", good)) {
		snprintf(good, SETTING_MAX, "refresh-token-%08x",
		    (unsigned)clock_random());
		reply_text(r, 200, "application/json");
		strbuf_addf(&r->body,
		    "{\"accessToken\":\"%s\",\"expiresIn\":%" PRId64
		    ",\"refreshToken\":\"%s\",\"tokenType\":\"Bearer\"}",
		    i->values[SET_SSO_TOKEN], lifetime_ns(i) / CLOCK_SECOND,
		    good);
	} else {
		refuse(r, 400, "invalid_grant");
	}
	pthread_mutex_unlock(&i->lock);
}

/* The form of containers and instances alike. */
static void give_json(struct request *r)
{
	struct identity_keys keys = give_out(r);
	char until[CLOCK_ISO_MAX];

	clock_format_utc(keys.expires_ns, until);
	reply_text(r, 200, "application/json");
	strbuf_addf(&r->body,
	    "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":"
	    "\"%s\",\"SecretAccessKey\":\"%s\",\"Token\":\"%s\","
	    "\"Expiration\":\"%s\"}",
	    keys.access, keys.secret, keys.token, until);
}

void identity_container(struct request *r)
{
	const char *header = request_header(r, "Authorization");
	char wanted[SETTING_MAX];

	if (give_body(r))
		return;
	if (*get(r, SET_AUTHORIZATION, wanted) &&
	    (!header || strcmp(header, wanted) != 0))
		refuse(r, 401, "not authorized");
	else
		give_json(r);
}

void identity_imds_token(struct request *r)
{
	const char *ttl =
	    request_header(r, "X-aws-ec2-metadata-token-ttl-seconds");
	char imds[SETTING_MAX];

	if (strcmp(get(r, SET_IMDS, imds), "v1") == 0) {
		refuse(r, 404, "not found");
	} else if (!ttl || text_number(ttl, 21600) < 1) {
		refuse(r, 400, "no TTL");
	} else {
		reply_text(r, 200, "text/plain");
		strbuf_adds(&r->body, IMDS_TOKEN);
	}
}

void identity_imds(struct request *r)
{
	const char *token = request_header(r, "X-aws-ec2-metadata-token");
	char imds[SETTING_MAX];

	get(r, SET_IMDS, imds);
	if (strcmp(imds, "v1") != 0 &&
	    (!token || strcmp(token, IMDS_TOKEN) != 0)) {
		refuse(r, 401, "no token");
	} else if (strcmp(r->key, ROLES ROLE) == 0) {
		if (!give_body(r))
			give_json(r);
	} else if (strcmp(r->key, ROLES) == 0 && strcmp(imds, "norole") != 0) {
		reply_text(r, 200, "text/plain");
		strbuf_adds(&r->body, ROLE);
	} else {
		refuse(r, 404, "not found");
	}
}
