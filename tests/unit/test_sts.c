/* SPDX-License-Identifier: MIT */
/* STS is asked as its reference says, and believed only where it is whole. */
#include "s3/sts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "reply_fixture.h"

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define KEYS                                                                   \
	"<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>hush"   \
	"</SecretAccessKey><SessionToken>hush-token</SessionToken>"            \
	"<Expiration>2026-11-22T16:38:01Z</Expiration></Credentials>"
#define REPLY(keys)                                                            \
	HEAD "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/"      \
	"2011-06-15/\"><AssumeRoleResult><PackedPolicySize>6</"                \
	"PackedPolicySize>" keys "</AssumeRoleResult></AssumeRoleResponse>"
#define ERROR(status, code)                                                    \
	"HTTP/1.1 " status " No\r\nConnection: close\r\n\r\n<ErrorResponse>"   \
	"<Error><Type>Sender</Type><Code>" code "</Code><Message>Because &lt;" \
	"\n</Message></Error></ErrorResponse>"

static const struct s3_credentials by = { .access_key = (char *)"AKIA",
	.secret_key = (char *)"hush", .session_token = (char *)"hush-session",
	.source = (char *)"me" };

static int assume(struct replies *r, const char *const *texts,
    struct sts_assume *a, struct s3_credentials *out, struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	error_clear(err);
	replies_start(r, texts);
	a->url = r->url;
	a->timeout_ns = 5 * CLOCK_SECOND;
	a->role_arn = "arn:aws:iam::1:role/a b";
	rc = sts_assume(a, out, err);
	replies_stop(r);
	assert_null(strstr(err->text, "hush"));
	return rc;
}

static void a_role_is_assumed_by_keys(void **state)
{
	static const char *const texts[] = { REPLY(KEYS), NULL };
	struct sts_assume a = { .by = &by, .region = "eu-west-1",
		.session_name = "me", .external_id = "x/y",
		.duration_s = "900" };
	struct s3_credentials c;
	struct error err;
	struct replies r;

	(void)state;
	assert_int_equal(assume(&r, texts, &a, &c, &err), 0);
	assert_string_equal(c.access_key, "ASIA1");
	assert_string_equal(c.secret_key, "hush");
	assert_string_equal(c.session_token, "hush-token");
	assert_int_equal(c.expires_ns, INT64_C(1795365481) * CLOCK_SECOND);
	assert_int_equal(strncmp(r.request, "POST / HTTP/1.1\r\n", 17), 0);
	assert_non_null(strstr(r.request, "Authorization: AWS4-HMAC-SHA256 "
	    "Credential=AKIA/"));
	assert_non_null(strstr(r.request, "/eu-west-1/sts/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"));
	assert_non_null(strstr(r.request,
	    "X-Amz-Security-Token: hush-session\r\n"));
	assert_non_null(strstr(r.request, "\r\n\r\nAction=AssumeRole&Version="
	    "2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b&"
	    "RoleSessionName=me&ExternalId=x%2Fy&DurationSeconds=900"));
	s3_credentials_release(&c);
}

static void a_role_is_assumed_by_a_token(void **state)
{
	static const char *const texts[] = {
		HEAD "<AssumeRoleWithWebIdentityResponse>"
		"<AssumeRoleWithWebIdentityResult>" KEYS
		"</AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>", NULL };
	struct sts_assume a = { .web_token = "a.b-c=",
		.region = "us-east-1" };
	struct s3_credentials c;
	struct error err;
	struct replies r;

	(void)state;
	assert_int_equal(assume(&r, texts, &a, &c, &err), 0);
	assert_string_equal(c.access_key, "ASIA1");
	assert_null(strstr(r.request, "Authorization"));
	assert_non_null(strstr(r.request, "Action=AssumeRoleWithWebIdentity&"));
	assert_non_null(strstr(r.request, "&RoleSessionName=s3sync-1"));
	assert_non_null(strstr(r.request, "&WebIdentityToken=a.b-c%3D"));
	s3_credentials_release(&c);
}

static void what_is_not_whole_is_not_believed(void **state)
{
	static const struct {
		const char *reply, *what;
	} rows[] = {
		{ REPLY("<Credentials/>"), "AccessKeyId is missing" },
		{ REPLY(""), "AccessKeyId is missing" },
		{ REPLY("<Credentials><AccessKeyId>A</AccessKeyId>"
		    "</Credentials>"), "SecretAccessKey is missing" },
		{ REPLY("<Credentials><AccessKeyId>A</AccessKeyId>"
		    "<SecretAccessKey>hush hush</SecretAccessKey>"
		    "</Credentials>"), "SecretAccessKey holds a blank" },
		{ REPLY("<Credentials><AccessKeyId>A</AccessKeyId>"
		    "<SecretAccessKey>hush</SecretAccessKey><Expiration>hush"
		    "</Expiration></Credentials>"), "Expiration is no time" },
		{ HEAD "<AssumeRoleResponse><AssumeRoleResult>" KEYS,
		    "not to be used" },
		{ HEAD "<!DOCTYPE x [<!ENTITY e \"hush\">]>"
		    "<AssumeRoleResponse><AssumeRoleResult>" KEYS
		    "</AssumeRoleResult></AssumeRoleResponse>",
		    "not to be used" },
		{ HEAD "<html>hush</html>", "HTML" },
		{ HEAD, "not to be used" },
	};
	struct sts_assume a = { .by = &by, .region = "us-east-1" };
	struct s3_credentials c;
	struct error err;
	struct replies r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *texts[] = { rows[i].reply, NULL };

		assert_int_equal(assume(&r, texts, &a, &c, &err), -1);
		if (!strstr(err.text, rows[i].what))
			fail_msg("%s: %s", rows[i].what, err.text);
		s3_credentials_release(&c);
	}
}

static void a_refusal_says_why(void **state)
{
	static const char *const denied[] = { ERROR("403", "AccessDenied"),
		NULL };
	static const char *const s3[] = { "HTTP/1.1 400 No\r\nConnection: "
		"close\r\n\r\n<Error><Code>Odd</Code></Error>", NULL };
	struct sts_assume a = { .by = &by, .region = "us-east-1" };
	struct s3_credentials c;
	struct error err;
	struct replies r;

	(void)state;
	assert_int_equal(assume(&r, denied, &a, &c, &err), -1);
	assert_int_equal(err.kind, ERROR_CREDENTIALS);
	assert_non_null(strstr(err.text, "STS does not give role "
	    "arn:aws:iam::1:role/a b (HTTP 403 AccessDenied): Because < : the "
	    "role's trust policy"));
	assert_int_equal(r.count, 1);
	assert_int_equal(assume(&r, s3, &a, &c, &err), -1);
	assert_non_null(strstr(err.text, "(HTTP 400 Odd)"));
}

static void trouble_is_tried_again(void **state)
{
	static const char *const busy[] = {
		ERROR("400", "IDPCommunicationError"),
		ERROR("400", "Throttling"), REPLY(KEYS), NULL };
	static const char *const down[] = { ERROR("500", "InternalFailure"),
		NULL };
	struct sts_assume a = { .by = &by, .region = "us-east-1" };
	struct s3_credentials c;
	struct error err;
	struct replies r;

	(void)state;
	assert_int_equal(assume(&r, busy, &a, &c, &err), 0);
	assert_int_equal(r.count, 3);
	s3_credentials_release(&c);
	assert_int_equal(assume(&r, down, &a, &c, &err), -1);
	assert_int_equal(r.count, 3);
	assert_non_null(strstr(err.text, "(HTTP 500 InternalFailure)"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_role_is_assumed_by_keys),
		cmocka_unit_test(a_role_is_assumed_by_a_token),
		cmocka_unit_test(what_is_not_whole_is_not_believed),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(trouble_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
