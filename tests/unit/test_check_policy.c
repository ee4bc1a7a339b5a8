/* SPDX-License-Identifier: MIT */
/* Statements that can be pasted as they are. */
#include "sync/check_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void is(const char *bucket, const char *prefix, const char *region,
    const char *action, enum check_policy_scope scope, const char *expected)
{
	const struct check_policy policy = { bucket, prefix, region, false };
	struct strbuf got = STRBUF_INIT(4096);

	check_policy_statement(&policy, action, scope, &got);
	assert_string_equal(strbuf_text(&got), expected);
	strbuf_release(&got);
}

static void objects_are_those_below_the_prefix(void **state)
{
	(void)state;
	is("photos", "2026/", "eu-west-1", "s3:PutObject",
	    CHECK_POLICY_OBJECTS, "{\"Effect\":\"Allow\",\"Action\":"
	    "\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::photos/2026/*\"}");
	is("photos", "", "eu-west-1", "s3:GetObject", CHECK_POLICY_OBJECTS,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\","
	    "\"Resource\":\"arn:aws:s3:::photos/*\"}");
}

static void a_listing_is_of_the_bucket_under_a_condition(void **state)
{
	(void)state;
	is("photos", "2026/", NULL, "s3:ListBucket", CHECK_POLICY_LISTING,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\","
	    "\"Resource\":\"arn:aws:s3:::photos\",\"Condition\":"
	    "{\"StringLike\":{\"s3:prefix\":\"2026/*\"}}}");
}

static void who_does_not_sign_is_everybody(void **state)
{
	const struct check_policy policy = { .bucket = "photos", .prefix = "",
		.everybody = true };
	struct strbuf got = STRBUF_INIT(4096);

	(void)state;
	check_policy_statement(&policy, "s3:GetObject", CHECK_POLICY_OBJECTS,
	    &got);
	assert_string_equal(strbuf_text(&got), "{\"Effect\":\"Allow\","
	    "\"Principal\":\"*\",\"Action\":\"s3:GetObject\","
	    "\"Resource\":\"arn:aws:s3:::photos/*\"}");
	strbuf_release(&got);
}

static void a_listing_of_all_needs_no_condition(void **state)
{
	(void)state;
	is("photos", "", NULL, "s3:ListBucket", CHECK_POLICY_LISTING,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\","
	    "\"Resource\":\"arn:aws:s3:::photos\"}");
	is("photos", "2026/", NULL, "s3:GetBucketVersioning",
	    CHECK_POLICY_BUCKET, "{\"Effect\":\"Allow\",\"Action\":"
	    "\"s3:GetBucketVersioning\",\"Resource\":"
	    "\"arn:aws:s3:::photos\"}");
}

static void partitions_have_their_own_names(void **state)
{
	(void)state;
	is("b", "", "cn-north-1", "s3:PutObject", CHECK_POLICY_OBJECTS,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\","
	    "\"Resource\":\"arn:aws-cn:s3:::b/*\"}");
	is("b", "", "us-gov-west-1", "s3:PutObject", CHECK_POLICY_OBJECTS,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\","
	    "\"Resource\":\"arn:aws-us-gov:s3:::b/*\"}");
}

static void access_points_are_resources_themselves(void **state)
{
	static const char arn[] =
	    "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine";

	(void)state;
	is(arn, "p/", "eu-west-1", "s3:GetObject", CHECK_POLICY_OBJECTS,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":"
	    "\"arn:aws:s3:eu-west-1:123456789012:accesspoint/mine/object/p/"
	    "*\"}");
	is(arn, "", "eu-west-1", "s3:ListBucket", CHECK_POLICY_LISTING,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":"
	    "\"arn:aws:s3:eu-west-1:123456789012:accesspoint/mine\"}");
}

static void what_is_special_to_policies_is_escaped(void **state)
{
	(void)state;
	is("b", "a*?$\"/", NULL, "s3:GetObject", CHECK_POLICY_OBJECTS,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":"
	    "\"arn:aws:s3:::b/a${*}${?}${$}\\\"/*\"}");
	is("b", "a*/", NULL, "s3:ListBucket", CHECK_POLICY_LISTING,
	    "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":"
	    "\"arn:aws:s3:::b\",\"Condition\":{\"StringLike\":"
	    "{\"s3:prefix\":\"a${*}/*\"}}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_those_below_the_prefix),
		cmocka_unit_test(a_listing_is_of_the_bucket_under_a_condition),
		cmocka_unit_test(who_does_not_sign_is_everybody),
		cmocka_unit_test(a_listing_of_all_needs_no_condition),
		cmocka_unit_test(partitions_have_their_own_names),
		cmocka_unit_test(access_points_are_resources_themselves),
		cmocka_unit_test(what_is_special_to_policies_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
