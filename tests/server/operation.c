/* SPDX-License-Identifier: MIT */
/* What can be asked of S3: the table of operations. */
#include "operation.h"

#include <string.h>

#include "bucket.h"
#include "copy.h"
#include "identity.h"
#include "list.h"
#include "reply.h"
#include "request.h"
#include "setting.h"
#include "text.h"
#include "upload.h"
#include "verb.h"

static void refuse(struct request *r)
{
	reply_error(r, "NotImplemented", NULL);
}

/* The first row that fits; those with a parameter stand before those without.
 */
static const struct operation operations[] = {
	{ "LIST_BUCKETS", "GET", ON_SERVICE, NULL, NULL, bucket_list },
	{ "LOCATION", "GET", ON_BUCKET, "location", NULL, bucket_location },
	{ "LIST_UPLOADS", "GET", ON_BUCKET, "uploads", NULL, upload_list },
	{ "VERSIONING", "GET", ON_BUCKET, "versioning", NULL, setting_get },
	{ "LIFECYCLE", "GET", ON_BUCKET, "lifecycle", NULL, setting_get },
	{ "ENCRYPTION", "GET", ON_BUCKET, "encryption", NULL, setting_get },
	{ "OBJECT_LOCK", "GET", ON_BUCKET, "object-lock", NULL, setting_get },
	{ "LIST", "GET", ON_BUCKET, NULL, NULL, list_objects },
	{ "HEAD_BUCKET", "HEAD", ON_BUCKET, NULL, NULL, bucket_head },
	{ "CREATE_BUCKET", "PUT", ON_BUCKET, NULL, NULL, bucket_create },
	{ "LIST_PARTS", "GET", ON_OBJECT, "uploadId", NULL, upload_list_parts },
	{ "GET", "GET", ON_OBJECT, NULL, NULL, verb_get },
	{ "HEAD", "HEAD", ON_OBJECT, NULL, NULL, verb_get },
	{ "UPLOAD_PART", "PUT", ON_OBJECT, "uploadId", upload_part_begin,
	    upload_part },
	{ "COPY", "PUT", ON_OBJECT, "x-amz-copy-source", NULL, copy_object },
	{ "PUT", "PUT", ON_OBJECT, NULL, verb_put_begin, verb_put },
	{ "CREATE_UPLOAD", "POST", ON_OBJECT, "uploads", NULL, upload_create },
	{ "COMPLETE_UPLOAD", "POST", ON_OBJECT, "uploadId",
	    upload_complete_begin, upload_complete },
	{ "ABORT_UPLOAD", "DELETE", ON_OBJECT, "uploadId", NULL, upload_abort },
	{ "DELETE", "DELETE", ON_OBJECT, NULL, NULL, verb_delete },
	{ "STS", "POST", ON_IDENTITY, "sts", identity_begin, identity_sts },
	{ "SSO", "GET", ON_IDENTITY, "sso/federation/credentials", NULL,
	    identity_sso },
	{ "OIDC", "POST", ON_IDENTITY, "oidc/token", identity_begin,
	    identity_oidc },
	{ "CONTAINER", "GET", ON_IDENTITY, "container", NULL,
	    identity_container },
	{ "IMDS_TOKEN", "PUT", ON_IDENTITY, "imds/latest/api/token",
	    identity_begin, identity_imds_token },
	{ "IMDS", "GET", ON_IDENTITY, "imds/", NULL, identity_imds },
	{ "OTHER", NULL, ON_SERVICE, NULL, NULL, refuse },
};

#define COUNT (sizeof(operations) / sizeof(operations[0]))

static bool is_unsupported(const struct request *r)
{
	static const char *const params[] = { "acl", "cors", "encryption",
		"lifecycle", "object-lock", "policy", "tagging", "versioning",
		"versions" };

	if (setting_is_asked(r))
		return false;
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (request_param(r, params[i]))
			return true;
	return false;
}

static bool is_selected(const struct request *r, const char *param)
{
	if (!param)
		return true;
	if (r->is_identity)
		return text_begins(r->key, param);
	if (strncmp(param, "x-amz-", 6) == 0)
		return request_header(r, param) != NULL;
	return request_param(r, param) != NULL;
}

const struct operation *operation_find(const struct request *r)
{
	enum operation_on on = r->is_identity ? ON_IDENTITY
	    : r->key_len > 0                  ? ON_OBJECT
	    : *r->bucket_name                 ? ON_BUCKET
					      : ON_SERVICE;
	size_t i;

	for (i = is_unsupported(r) ? COUNT - 1 : 0; i < COUNT - 1; i++)
		if (operations[i].on == on &&
		    strcmp(operations[i].method, r->method) == 0 &&
		    is_selected(r, operations[i].param))
			break;
	return &operations[i];
}

bool operation_makes_bucket(const struct operation *op)
{
	return op->finish == bucket_create;
}

size_t operation_count(void)
{
	return COUNT;
}

size_t operation_number(const struct operation *op)
{
	return (size_t)(op - operations);
}

const char *operation_kind(size_t number)
{
	return operations[number].kind;
}

bool operation_is_kind(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(operations[i].kind, name) == 0)
			return true;
	return false;
}
