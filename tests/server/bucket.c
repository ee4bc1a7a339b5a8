/* SPDX-License-Identifier: MIT */
/* What is asked of buckets as such. */
#include "bucket.h"

#include <string.h>

#include "base/clock.h"
#include "reply.h"
#include "request.h"

#define XMLNS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

bool bucket_is_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 3 && len <= 63 && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len;
}

void bucket_create(struct request *r)
{
	struct error err = ERROR_INIT;

	if (!bucket_is_name(r->bucket_name)) {
		reply_error(r, "InvalidBucketName", NULL);
		return;
	}
	switch (
	    store_make_bucket(r->server->store, r->bucket_name, NULL, &err)) {
	case 0:
		r->status = 200;
		reply_headerf(r, "Location", "/%s", r->bucket_name);
		break;
	case 1:
		reply_error(r, "BucketAlreadyOwnedByYou", NULL);
		break;
	default:
		reply_error(r, "InternalError", NULL);
		break;
	}
}

void bucket_head(struct request *r)
{
	r->status = 200;
	reply_header(r, "x-amz-bucket-region", r->server->region);
}

void bucket_location(struct request *r)
{
	const char *region = r->server->region;

	reply_xml(r, 200);
	strbuf_addf(&r->body,
	    "<LocationConstraint " XMLNS ">%s"
	    "</LocationConstraint>",
	    strcmp(region, "us-east-1") == 0 ? "" : region);
}

static void add_bucket(void *arg, const char *name, int64_t created_ms)
{
	char date[CLOCK_ISO_MAX];
	struct request *r = arg;

	clock_format_utc(created_ms * CLOCK_MS, date);
	strbuf_addf(&r->body,
	    "<Bucket><Name>%s</Name><CreationDate>%s"
	    "</CreationDate></Bucket>",
	    name, date);
}

void bucket_list(struct request *r)
{
	reply_xml(r, 200);
	strbuf_adds(&r->body,
	    "<ListAllMyBucketsResult " XMLNS "><Owner><ID>"
	    "s3testd</ID></Owner><Buckets>");
	store_each_bucket(r->server->store, add_bucket, r);
	strbuf_adds(&r->body, "</Buckets></ListAllMyBucketsResult>");
}
