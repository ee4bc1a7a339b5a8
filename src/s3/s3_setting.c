/* SPDX-License-Identifier: MIT */
/* What is set for a bucket, as an operation on it. */
#include "s3/s3_setting.h"

#include <string.h>

#include "s3/s3_internal.h"

static const char *find_versioning(struct xml_document *d,
    const struct s3_setting_ask *ask)
{
	(void)ask;
	return xml_document_text(d, "Status");
}

static const char *find_encryption(struct xml_document *d,
    const struct s3_setting_ask *ask)
{
	(void)ask;
	return xml_document_text(d,
	    "Rule/ApplyServerSideEncryptionByDefault/SSEAlgorithm");
}

static const char *find_object_lock(struct xml_document *d,
    const struct s3_setting_ask *ask)
{
	const char *mode = xml_document_text(d, "Rule/DefaultRetention/Mode");

	(void)ask;
	return *mode ? mode : xml_document_text(d, "ObjectLockEnabled");
}

/* Rules are for objects with certain tags or sizes, too: uploads that were
 * never completed have neither, and such a rule cannot abort them. */
static bool is_for_all(struct xml_document *d)
{
	return !xml_document_has(d, "Filter/Tag") &&
	    !xml_document_has(d, "Filter/And/Tag") &&
	    !xml_document_has(d, "Filter/ObjectSizeGreaterThan") &&
	    !xml_document_has(d, "Filter/ObjectSizeLessThan") &&
	    !xml_document_has(d, "Filter/And/ObjectSizeGreaterThan") &&
	    !xml_document_has(d, "Filter/And/ObjectSizeLessThan");
}

static bool covers(struct xml_document *d, const struct s3_setting_ask *ask)
{
	static const char *const places[] = { "Filter/Prefix",
		"Filter/And/Prefix", "Prefix" };

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const char *prefix = xml_document_field(d, places[i]);
		size_t len = strlen(prefix);

		if (len > ask->prefix_len ||
		    memcmp(prefix, ask->prefix, len) != 0)
			return false;
	}
	return is_for_all(d);
}

static const char *find_lifecycle(struct xml_document *d,
    const struct s3_setting_ask *ask)
{
	while (xml_document_next(d, "Rule")) {
		const char *days = xml_document_field(d,
		    "AbortIncompleteMultipartUpload/DaysAfterInitiation");

		if (*days && strcmp(xml_document_field(d, "Status"),
		    "Enabled") == 0 && covers(d, ask))
			return days;
	}
	return "";
}

static const struct {
	const char *name; /* of the subresource */
	const char *root;
	const char *permission;
	const char *(*find)(struct xml_document *d,
	    const struct s3_setting_ask *ask);
} settings[S3_SETTING_COUNT] = {
	[S3_SETTING_VERSIONING] = { "versioning", "VersioningConfiguration",
	    "s3:GetBucketVersioning", find_versioning },
	[S3_SETTING_LIFECYCLE] = { "lifecycle", "LifecycleConfiguration",
	    "s3:GetLifecycleConfiguration", find_lifecycle },
	[S3_SETTING_ENCRYPTION] = { "encryption",
	    "ServerSideEncryptionConfiguration",
	    "s3:GetEncryptionConfiguration", find_encryption },
	[S3_SETTING_OBJECT_LOCK] = { "object-lock", "ObjectLockConfiguration",
	    "s3:GetBucketObjectLockConfiguration", find_object_lock },
};

const char *s3_setting_permission(enum s3_setting setting)
{
	return settings[setting].permission;
}

static void send_ask(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_setting(&slot->wire, sender,
	    settings[slot->request->ask.setting.setting].name, wall_ns);
}

static void take_setting(struct slot *slot)
{
	const struct s3_setting_ask *ask = &slot->request->ask.setting;
	struct xml_document *d = s3_operation_document(slot,
	    settings[ask->setting].root);

	if (d)
		s3_complete_done(slot, NULL, false,
		    (void *)settings[ask->setting].find(d, ask));
	xml_document_free(d);
}

static void ask_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	const struct s3_setting_ask *ask = &r->ask.setting;
	struct s3_result nothing = *result;

	if (result->outcome != S3_ABSENT) {
		ask->done(ask->arg, result, value);
		return;
	}
	nothing.outcome = S3_DONE;
	error_clear(&nothing.error);
	ask->done(ask->arg, &nothing, "");
}

const struct operation s3_setting_operation = { REPLY_DOCUMENT, send_ask,
	take_setting, ask_done, false };

void s3_setting_ask(struct s3 *s3, const struct s3_setting_ask *request)
{
	s3_enqueue(s3, S3_KIND_SETTING)->ask.setting = *request;
}
