/* SPDX-License-Identifier: MIT */
/* What a handler answers, and the error codes of S3. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "request.h"
#include "text.h"

void reply_clear(struct request *r)
{
	r->status = 0;
	strbuf_clear(&r->headers);
	strbuf_clear(&r->body);
	object_unref(r->object);
	r->object = NULL;
	if (r->object_fd >= 0)
		close(r->object_fd);
	r->object_fd = -1;
}

void reply_header(struct request *r, const char *name, const char *value)
{
	text_pair(&r->headers, name, value);
}

void reply_headerf(struct request *r, const char *name, const char *format, ...)
{
	char value[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	text_pair(&r->headers, name, value);
}

void reply_text(struct request *r, unsigned status, const char *type)
{
	reply_clear(r);
	r->status = status;
	reply_header(r, "Content-Type", type);
}

void reply_xml(struct request *r, unsigned status)
{
	reply_text(r, status, "application/xml");
	strbuf_adds(&r->body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

static const struct code {
	const char *code;
	unsigned status;
	const char *message;
} codes[] = {
	{ "AccessDenied", 403, "Access Denied" },
	{ "AuthorizationHeaderMalformed", 400,
	    "The authorization header that you provided is not valid." },
	{ "BadDigest", 400,
	    "The Content-MD5 you specified did not match what we received." },
	{ "BucketAlreadyOwnedByYou", 409,
	    "Your previous request to create the named bucket succeeded and "
	    "you already own it." },
	{ "EntityTooLarge", 400,
	    "Your proposed upload exceeds the maximum allowed object size." },
	{ "EntityTooSmall", 400,
	    "Your proposed upload is smaller than the minimum allowed size" },
	{ "ExpiredToken", 400, "The provided token has expired." },
	{ "IncompleteBody", 400,
	    "You did not provide the number of bytes specified by the "
	    "Content-Length HTTP header" },
	{ "InternalError", 500,
	    "We encountered an internal error. Please try again." },
	{ "InvalidAccessKeyId", 403,
	    "The AWS Access Key Id you provided does not exist in our "
	    "records." },
	{ "InvalidArgument", 400, "Invalid Argument" },
	{ "InvalidBucketName", 400, "The specified bucket is not valid." },
	{ "InvalidDigest", 400, "The Content-MD5 you specified is not valid." },
	{ "InvalidObjectState", 403,
	    "The operation is not valid for the object's storage class" },
	{ "InvalidPart", 400,
	    "One or more of the specified parts could not be found. The part "
	    "may not have been uploaded, or the specified entity tag may not "
	    "match the part's entity tag." },
	{ "InvalidPartOrder", 400,
	    "The list of parts was not in ascending order. Parts must be "
	    "ordered by part number." },
	{ "InvalidRange", 416, "The requested range is not satisfiable" },
	{ "InvalidRequest", 400, "Invalid Request" },
	{ "InvalidStorageClass", 400,
	    "The storage class you specified is not valid" },
	{ "InvalidToken", 400,
	    "The provided token is malformed or otherwise invalid." },
	{ "InvalidURI", 400, "Couldn't parse the specified URI." },
	{ "KeyTooLongError", 400, "Your key is too long" },
	{ "MalformedXML", 400,
	    "The XML you provided was not well-formed or did not validate "
	    "against our published schema" },
	{ "MethodNotAllowed", 405,
	    "The specified method is not allowed against this resource." },
	{ "MissingContentLength", 411,
	    "You must provide the Content-Length HTTP header." },
	{ "NoSuchBucket", 404, "The specified bucket does not exist" },
	{ "NoSuchKey", 404, "The specified key does not exist." },
	{ "NoSuchUpload", 404,
	    "The specified upload does not exist. The upload ID may be "
	    "invalid, or the upload may have been aborted or completed." },
	{ "NotImplemented", 501,
	    "A header you provided implies functionality that is not "
	    "implemented" },
	{ "PreconditionFailed", 412,
	    "At least one of the pre-conditions you specified did not hold" },
	{ "RequestTimeTooSkewed", 403,
	    "The difference between the request time and the current time is "
	    "too large." },
	{ "ServiceUnavailable", 503, "Please reduce your request rate." },
	{ "SignatureDoesNotMatch", 403,
	    "The request signature we calculated does not match the signature "
	    "you provided. Check your key and signing method." },
	{ "SlowDown", 503, "Please reduce your request rate." },
	{ "XAmzContentSHA256Mismatch", 400,
	    "The provided 'x-amz-content-sha256' header does not match what "
	    "was computed." },
};

static const struct code *find_code(const char *code)
{
	static const struct code other = { "", 400, "Error" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].code, code) == 0)
			return &codes[i];
	return &other;
}

int reply_error_as(struct request *r, unsigned status, const char *code,
    const char *message, const char *extra)
{
	reply_xml(r, status);
	strbuf_addf(&r->body, "<Error><Code>%s</Code><Message>", code);
	text_xml(&r->body, message, strlen(message));
	strbuf_adds(&r->body, "</Message><Resource>");
	text_xml(&r->body, r->target, r->path_len);
	strbuf_adds(&r->body, "</Resource>");
	if (extra)
		strbuf_adds(&r->body, extra);
	strbuf_addf(&r->body, "<RequestId>%s</RequestId></Error>", r->id);
	return -1;
}

int reply_error(struct request *r, const char *code, const char *extra)
{
	const struct code *known = find_code(code);

	return reply_error_as(r, known->status, code, known->message, extra);
}
