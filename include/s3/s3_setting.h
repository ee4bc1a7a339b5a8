/* SPDX-License-Identifier: MIT */
/*
 * What is set for a bucket as a whole: each by a request of its own, and for
 * those who have its own permission. Requests are those of s3/s3.h.
 */
#ifndef S3_S3_SETTING_H
#define S3_S3_SETTING_H

#include "s3/s3.h"

enum s3_setting { S3_SETTING_VERSIONING, S3_SETTING_LIFECYCLE,
	S3_SETTING_ENCRYPTION, S3_SETTING_OBJECT_LOCK, S3_SETTING_COUNT };

/* "s3:GetBucketVersioning" */
const char *s3_setting_permission(enum s3_setting setting);

struct s3_setting_ask {
	enum s3_setting setting;
	/* LIFECYCLE: of uploads to keys that begin so; must live until done. */
	const char *prefix;
	size_t prefix_len;
	/*
	 * ${value}, borrowed, is in S3's own words. VERSIONING: "Enabled",
	 * "Suspended". ENCRYPTION, of objects that ask for none: "AES256",
	 * "aws:kms". OBJECT_LOCK: "Enabled", or the mode in which each new
	 * object is locked: "GOVERNANCE". LIFECYCLE: after so many days an
	 * upload in parts is aborted that was not completed: "7". "": there is
	 * no such thing. NULL unless S3_DONE.
	 */
	void (*done)(void *arg, const struct s3_result *result,
	    const char *value);
	void *arg;
};
void s3_setting_ask(struct s3 *s3, const struct s3_setting_ask *request);

#endif
