/* SPDX-License-Identifier: MIT */
/* Every bucket has one address, or the reason why not. */
#include "s3/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define AUTO S3_ADDRESSING_AUTO
#define PATH S3_ADDRESSING_PATH
#define VIRTUAL S3_ADDRESSING_VIRTUAL

static const struct {
	const char *url, *region, *bucket;
	enum s3_addressing addressing;
	const char *home, *origin, *host, *authority, *path;
} good[] = {
	/* AWS, by region */
	{ NULL, NULL, "foo", AUTO, "https://s3.us-east-1.amazonaws.com",
	  "https://foo.s3.us-east-1.amazonaws.com",
	  "foo.s3.us-east-1.amazonaws.com",
	  "foo.s3.us-east-1.amazonaws.com:443", "" },
	{ NULL, "eu-west-1", "foo.bar", AUTO,
	  "https://s3.eu-west-1.amazonaws.com",
	  "https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com",
	  "s3.eu-west-1.amazonaws.com:443", "/foo.bar" },
	{ NULL, "eu-west-1", "Old_Bucket", AUTO,
	  "https://s3.eu-west-1.amazonaws.com",
	  "https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com",
	  "s3.eu-west-1.amazonaws.com:443", "/Old_Bucket" },
	{ NULL, "eu-west-1", "foo", PATH, "https://s3.eu-west-1.amazonaws.com",
	  "https://s3.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com",
	  "s3.eu-west-1.amazonaws.com:443", "/foo" },
	{ NULL, "cn-north-1", "foo", AUTO,
	  "https://s3.cn-north-1.amazonaws.com.cn",
	  "https://foo.s3.cn-north-1.amazonaws.com.cn",
	  "foo.s3.cn-north-1.amazonaws.com.cn",
	  "foo.s3.cn-north-1.amazonaws.com.cn:443", "" },
	{ NULL, "us-gov-west-1", "foo", PATH,
	  "https://s3.us-gov-west-1.amazonaws.com",
	  "https://s3.us-gov-west-1.amazonaws.com",
	  "s3.us-gov-west-1.amazonaws.com",
	  "s3.us-gov-west-1.amazonaws.com:443", "/foo" },
	{ NULL, "eusc-de-east-1", "foo", PATH,
	  "https://s3.eusc-de-east-1.amazonaws.eu",
	  "https://s3.eusc-de-east-1.amazonaws.eu",
	  "s3.eusc-de-east-1.amazonaws.eu",
	  "s3.eusc-de-east-1.amazonaws.eu:443", "/foo" },
	/* a given endpoint: by path unless asked otherwise */
	{ "http://127.0.0.1:9000", NULL, "foo", AUTO, "http://127.0.0.1:9000",
	  "http://127.0.0.1:9000", "127.0.0.1:9000", "127.0.0.1:9000",
	  "/foo" },
	{ "http://localhost:9000/", "garage", "foo", AUTO,
	  "http://localhost:9000", "http://localhost:9000", "localhost:9000",
	  "localhost:9000", "/foo" },
	{ "https://S3.Example.com", NULL, "foo", VIRTUAL,
	  "https://s3.example.com", "https://foo.s3.example.com",
	  "foo.s3.example.com", "foo.s3.example.com:443", "" },
	{ "http://s3.example.com", NULL, "foo.bar", VIRTUAL,
	  "http://s3.example.com", "http://foo.bar.s3.example.com",
	  "foo.bar.s3.example.com", "foo.bar.s3.example.com:80", "" },
	/* the scheme's own port is not said */
	{ "http://example.com:80", NULL, "foo", AUTO, "http://example.com",
	  "http://example.com", "example.com", "example.com:80", "/foo" },
	{ "https://example.com:443", NULL, "foo", AUTO, "https://example.com",
	  "https://example.com", "example.com", "example.com:443", "/foo" },
	{ "https://example.com:80", NULL, "foo", AUTO,
	  "https://example.com:80", "https://example.com:80",
	  "example.com:80", "example.com:80", "/foo" },
	/* what a certificate's '*' does not cover, or is no host name */
	{ "https://s3.example.com", NULL, "foo.bar", VIRTUAL,
	  "https://s3.example.com", "https://s3.example.com",
	  "s3.example.com", "s3.example.com:443", "/foo.bar" },
	{ NULL, NULL, "Old_Bucket", VIRTUAL,
	  "https://s3.us-east-1.amazonaws.com",
	  "https://s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com",
	  "s3.us-east-1.amazonaws.com:443", "/Old_Bucket" },
	{ "http://example.com", NULL, "ab", VIRTUAL, "http://example.com",
	  "http://example.com", "example.com", "example.com:80", "/ab" },
	{ "http://example.com", NULL, "a..b", VIRTUAL, "http://example.com",
	  "http://example.com", "example.com", "example.com:80", "/a..b" },
	{ "http://example.com", NULL, "-ab", VIRTUAL, "http://example.com",
	  "http://example.com", "example.com", "example.com:80", "/-ab" },
	{ "http://example.com", NULL, "ab-.c", VIRTUAL, "http://example.com",
	  "http://example.com", "example.com", "example.com:80", "/ab-.c" },
	/* an address has no subdomains */
	{ "http://10.0.0.1", NULL, "foo", VIRTUAL, "http://10.0.0.1",
	  "http://10.0.0.1", "10.0.0.1", "10.0.0.1:80", "/foo" },
	{ "http://[::1]:7480", NULL, "foo", VIRTUAL, "http://[::1]:7480",
	  "http://[::1]:7480", "[::1]:7480", "[::1]:7480", "/foo" },
	/* a base path goes before bucket and key, encoded once */
	{ "http://example.com/s3/", NULL, "foo", AUTO, "http://example.com/s3",
	  "http://example.com", "example.com", "example.com:80", "/s3/foo" },
	{ "http://example.com/a%20b//", NULL, "foo", VIRTUAL,
	  "http://example.com/a%20b", "http://foo.example.com",
	  "foo.example.com", "foo.example.com:80", "/a%20b" },
	{ "http://example.com/a/../b", NULL, "foo", AUTO,
	  "http://example.com/a/../b", "http://example.com", "example.com",
	  "example.com:80", "/a/../b/foo" },
};

static int init(struct endpoint *e, const char *url, const char *region,
    const char *bucket, enum s3_addressing addressing, struct error *err)
{
	const struct endpoint_options options = { .url = url, .region = region,
		.bucket = bucket, .addressing = addressing };

	return endpoint_init(e, &options, err);
}

static void every_good_bucket_has_one_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct error err = ERROR_INIT;
		struct endpoint e;

		if (init(&e, good[i].url, good[i].region, good[i].bucket,
		    good[i].addressing, &err))
			fail_msg("%s", err.text);
		assert_string_equal(e.url, good[i].home);
		assert_string_equal(e.origin, good[i].origin);
		assert_string_equal(e.host, good[i].host);
		assert_string_equal(e.authority, good[i].authority);
		assert_string_equal(e.path, good[i].path);
		assert_string_equal(e.region,
		    good[i].region ? good[i].region : "us-east-1");
		assert_int_equal(e.tls, strncmp(e.url, "https", 5) == 0);
		endpoint_release(&e);
		endpoint_release(&e);
	}
}

static const struct {
	const char *url, *region, *bucket;
	enum s3_addressing addressing;
	const char *why;
} bad[] = {
	{ "127.0.0.1:9000", NULL, "foo", AUTO, "write it as http://HOST" },
	{ "ftp://example.com", NULL, "foo", AUTO, "write it as http://HOST" },
	{ "", NULL, "foo", AUTO, "write it as http://HOST" },
	{ "http://", NULL, "foo", AUTO, "write it as http://HOST" },
	{ "http://exa mple.com", NULL, "foo", AUTO, "write it as http://HOST" },
	{ "http://example.com:port", NULL, "foo", AUTO,
	  "write it as http://HOST" },
	{ "http://example.com:99999", NULL, "foo", AUTO,
	  "write it as http://HOST" },
	{ "http://user:hush@example.com", NULL, "foo", AUTO,
	  "user, password, '?', '#' and the zone of an IPv6 address have "
	  "no place in it" },
	{ "http://example.com/?hush=1", NULL, "foo", AUTO,
	  "user, password, '?', '#' and the zone of an IPv6 address have "
	  "no place in it" },
	{ "http://example.com/#hush", NULL, "foo", AUTO,
	  "user, password, '?', '#' and the zone of an IPv6 address have "
	  "no place in it" },
	{ "http://[fe80::1%25eth0]:9000", NULL, "foo", AUTO,
	  "user, password, '?', '#' and the zone of an IPv6 address have "
	  "no place in it" },
	{ NULL, "eu west", "foo", AUTO, "is not the name of a region" },
	{ NULL, "eu.west.evil.com/", "foo", AUTO,
	  "is not the name of a region" },
	{ NULL, "", "foo", AUTO, "is not the name of a region" },
	{ NULL, NULL, "", AUTO, "is not the name of a bucket" },
	{ NULL, NULL, "a/b", AUTO, "is not the name of a bucket" },
	{ NULL, NULL, "..", AUTO, "is not the name of a bucket" },
	{ NULL, NULL, "a b", AUTO, "is not the name of a bucket" },
	{ NULL, NULL, "a\nb", AUTO, "is not the name of a bucket" },
	{ NULL, NULL, "foo--use1-az4--x-s3", AUTO, "is a directory bucket" },
	{ NULL, NULL, "ap--use1-az4--xa-s3", AUTO, "is a directory bucket" },
	{ NULL, NULL, "x-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3ebeta0--op-s3",
	  AUTO, "is a bucket on an S3 Outpost" },
	/* access points of other kinds, or none */
	{ NULL, NULL, "arn:aws:s3::123456789012:accesspoint:x.mrap", AUTO,
	  "use the bucket in the nearest region" },
	{ NULL, NULL, "arn:aws:s3-object-lambda:us-east-1:1:accesspoint/x",
	  AUTO, "use the access point beneath it" },
	{ NULL, NULL, "arn:aws:s3-outposts:us-east-1:1:outpost/op-1/"
	  "accesspoint/x", AUTO, "use a bucket in a region" },
	{ NULL, NULL, "arn:aws:iam::123456789012:role/x", AUTO,
	  "is not the ARN of an access point of S3" },
	{ NULL, NULL, "arn:", AUTO, "is not the ARN of an access point" },
	{ NULL, NULL, "arn:aws:s3:eu-west-1:1:accesspoint", AUTO,
	  "REGION, ACCOUNT and NAME are made of" },
	{ NULL, NULL, "arn:aws:s3:cn-north-1:1:accesspoint/x", AUTO,
	  "another partition than its own" },
	{ NULL, NULL, "arn:aws:s3:eu-west-1:1:accesspoint/x", PATH,
	  "unset addressing = path" },
	{ "http://127.0.0.1", NULL, "arn:aws:s3:eu-west-1:1:accesspoint/x",
	  AUTO, "endpoint_url cannot be an IP address" },
};

static void what_cannot_be_addressed_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct error err = ERROR_INIT;
		struct endpoint e;

		assert_int_equal(init(&e, bad[i].url, bad[i].region,
		    bad[i].bucket, bad[i].addressing, &err), -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (!strstr(err.text, bad[i].why))
			fail_msg("%zu: %s", i, err.text);
		assert_null(strstr(err.text, "hush"));
		endpoint_release(&e);
	}
}

/* What AWS says itself, and what its rules say of a grid of questions. */
struct endpoint_case {
	const char *url, *region, *bucket;
	enum s3_addressing addressing;
	bool dualstack, fips, accelerate;
	const char *origin, *path, *signing_region; /* NULL: it cannot be */
};

#include "../data/endpoint_cases.h"

static void check_case(const struct endpoint_case *c)
{
	const struct endpoint_options options = { .url = c->url,
		.region = c->region, .bucket = c->bucket,
		.addressing = c->addressing, .dualstack = c->dualstack,
		.fips = c->fips, .accelerate = c->accelerate };
	struct error err = ERROR_INIT;
	struct endpoint e;
	int rc = endpoint_init(&e, &options, &err);

	if (rc == 0 && !c->origin)
		fail_msg("%s %s: %s%s", c->bucket, c->region, e.origin,
		    e.path);
	if (rc && c->origin)
		fail_msg("%s %s: %s", c->bucket, c->region, err.text);
	if (rc) {
		assert_int_equal(err.kind, ERROR_CONFIG);
		return;
	}
	assert_string_equal(e.origin, c->origin);
	assert_string_equal(e.path, c->path);
	assert_string_equal(e.region, c->signing_region);
	endpoint_release(&e);
}

static void what_aws_publishes_is_what_we_find(void **state)
{
	(void)state;
	assert_true(COUNT(published) >= 220);
	for (size_t i = 0; i < COUNT(published); i++)
		check_case(&published[i]);
}

static void the_rules_of_aws_are_ours(void **state)
{
	(void)state;
	assert_true(COUNT(evaluated) >= 500);
	for (size_t i = 0; i < COUNT(evaluated); i++)
		check_case(&evaluated[i]);
}

static void an_option_of_aws_that_has_no_place_says_so(void **state)
{
	static const struct {
		struct endpoint_options options;
		const char *why;
	} cases[] = {
		{ { .url = "http://s3.example.com", .bucket = "foo",
		    .fips = true }, "an endpoint_url is used as it is" },
		{ { .region = "cn-north-1", .bucket = "foo", .fips = true },
		  "no FIPS endpoints in China" },
		{ { .bucket = "foo", .fips = true, .accelerate = true },
		  "unset use_accelerate_endpoint or use_fips_endpoint" },
		{ { .region = "cn-north-1", .bucket = "foo",
		    .accelerate = true }, "nothing is accelerated in China" },
		{ { .bucket = "foo.bar", .accelerate = true },
		  "only a bucket that is addressed by host name" },
		{ { .bucket = "arn:aws:s3:eu-west-1:1:accesspoint/x",
		    .accelerate = true }, "those are not accelerated" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error err = ERROR_INIT;
		struct endpoint e;

		assert_int_equal(endpoint_init(&e, &cases[i].options, &err),
		    -1);
		assert_int_equal(err.kind, ERROR_CONFIG);
		if (!strstr(err.text, cases[i].why))
			fail_msg("%zu: %s", i, err.text);
	}
}

static void aws_is_one_home_for_all_regions(void **state)
{
	static const char *const homes[][2] = {
		{ "https://s3.eu-west-1.amazonaws.com",
		  "https://s3.amazonaws.com" },
		{ "https://s3.amazonaws.com", "https://s3.amazonaws.com" },
		{ "https://s3-fips.dualstack.us-west-2.amazonaws.com",
		  "https://s3.amazonaws.com" },
		{ "https://s3-accelerate.amazonaws.com",
		  "https://s3.amazonaws.com" },
		{ "https://s3-accesspoint.eu-west-1.amazonaws.com",
		  "https://s3.amazonaws.com" },
		{ "https://s3.us-gov-east-1.amazonaws.com",
		  "https://s3.us-gov-west-1.amazonaws.com" },
		{ "https://s3.us-gov-west-1.amazonaws.com",
		  "https://s3.us-gov-west-1.amazonaws.com" },
		{ "https://s3.cn-north-1.amazonaws.com.cn",
		  "https://s3.amazonaws.com.cn" },
		{ "https://s3.amazonaws.com.cn",
		  "https://s3.amazonaws.com.cn" },
		{ "https://s3.eusc-de-east-1.amazonaws.eu",
		  "https://s3.amazonaws.eu" },
		{ "https://s3.amazonaws.eu", "https://s3.amazonaws.eu" },
		/* others are where they are */
		{ "http://127.0.0.1:9000", "http://127.0.0.1:9000" },
		{ "http://s3.eu-west-1.amazonaws.com",
		  "http://s3.eu-west-1.amazonaws.com" },
		{ "https://s3.amazonaws.com.evil.example",
		  "https://s3.amazonaws.com.evil.example" },
		{ "https://s3.example.com", "https://s3.example.com" },
		{ "https://s3x.eu-west-1.amazonaws.com",
		  "https://s3x.eu-west-1.amazonaws.com" },
		{ "https://s3", "https://s3" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(homes); i++) {
		char *home = endpoint_home(homes[i][0]);

		assert_string_equal(home, homes[i][1]);
		free(home);
	}
}

/* As botocore finds them. */
static void other_services_have_hosts_of_their_own(void **state)
{
	static const struct {
		const char *service, *region;
		bool dualstack, fips;
		const char *url;
	} rows[] = {
		{ "sts", "eu-west-1", false, false,
		    "https://sts.eu-west-1.amazonaws.com" },
		{ "sts", "eu-west-1", false, true,
		    "https://sts-fips.eu-west-1.amazonaws.com" },
		{ "sts", "eu-west-1", true, false,
		    "https://sts.eu-west-1.api.aws" },
		{ "sts", "us-gov-west-1", false, true,
		    "https://sts.us-gov-west-1.amazonaws.com" },
		{ "sts", "us-gov-west-1", true, true,
		    "https://sts-fips.us-gov-west-1.api.aws" },
		{ "sts", "cn-north-1", false, false,
		    "https://sts.cn-north-1.amazonaws.com.cn" },
		{ "portal.sso", "us-east-1", false, false,
		    "https://portal.sso.us-east-1.amazonaws.com" },
		{ "portal.sso", "us-east-1", true, true,
		    "https://portal.sso-fips.us-east-1.api.aws" },
		{ "oidc", "cn-north-1", true, true,
		    "https://oidc-fips.cn-north-1.api.amazonwebservices"
		    ".com.cn" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *url = endpoint_of_service(rows[i].service,
		    rows[i].region, rows[i].dualstack, rows[i].fips);

		assert_string_equal(url, rows[i].url);
		free(url);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_good_bucket_has_one_address),
		cmocka_unit_test(what_cannot_be_addressed_says_why),
		cmocka_unit_test(what_aws_publishes_is_what_we_find),
		cmocka_unit_test(the_rules_of_aws_are_ours),
		cmocka_unit_test(an_option_of_aws_that_has_no_place_says_so),
		cmocka_unit_test(aws_is_one_home_for_all_regions),
		cmocka_unit_test(other_services_have_hosts_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
