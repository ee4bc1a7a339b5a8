/* SPDX-License-Identifier: MIT */
/* Statements of policies, to be pasted. Pure. */
#ifndef SYNC_CHECK_POLICY_H
#define SYNC_CHECK_POLICY_H

#include <stdbool.h>

#include "base/strbuf.h"

enum check_policy_scope {
	CHECK_POLICY_BUCKET,  /* the bucket as a whole */
	CHECK_POLICY_LISTING, /* the same, for keys below the prefix */
	CHECK_POLICY_OBJECTS, /* all objects below the prefix */
};

struct check_policy { /* all borrowed */
	const char *bucket; /* a name, or the ARN of an access point */
	const char *prefix;
	const char *region; /* NULL: not of AWS */
	bool everybody;     /* of the bucket's own policy, else of IAM */
};

/*
 * {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::b"}, in
 * the partition of the region; for everybody with "Principal":"*". What is
 * special to IAM in a prefix is escaped.
 */
void check_policy_statement(const struct check_policy *policy,
    const char *action, enum check_policy_scope scope, struct strbuf *out);

#endif
