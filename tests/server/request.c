/* SPDX-License-Identifier: MIT */
/* One request and its answer: parsing the target, building the reply. */
#include "request.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "text.h"

#define TEXT_BODY_MAX (8 << 20)
#define HEADERS_MAX (64 << 10)
#define CONTROL "_test/"
#define REPLY_MAX (1 << 30)

static void parse_params(struct request *r, const char *query)
{
	size_t count = 1;
	char *rest, *field;

	for (const char *c = query; *c; c++)
		count += *c == '&';
	r->params = alloc_zero(count, sizeof(*r->params));
	rest = r->param_text = alloc_string(query);
	while ((field = strsep(&rest, "&"))) {
		struct param *p = &r->params[r->n_params];
		char *equals = strchr(field, '=');

		if (!*field)
			continue;
		p->name = field;
		p->value = equals ? equals + 1 : field + strlen(field);
		if (equals)
			*equals = '\0';
		p->name_len = text_unescape(p->name, strlen(p->name), true);
		p->value_len = text_unescape(p->value, strlen(p->value), true);
		r->n_params++;
	}
}

struct request *request_new(struct server *server, const char *target)
{
	static atomic_uint_fast64_t serial;
	struct request *r = alloc_zero(1, sizeof(*r));

	r->server = server;
	snprintf(r->id, sizeof(r->id), "%016" PRIX64,
	    (uint64_t)atomic_fetch_add(&serial, 1));
	r->target = alloc_string(target);
	r->path_len = strcspn(target, "?");
	r->object_fd = -1;
	strbuf_init(&r->text, TEXT_BODY_MAX);
	strbuf_init(&r->headers, HEADERS_MAX);
	strbuf_init(&r->body, REPLY_MAX);
	parse_params(r, target[r->path_len] ? target + r->path_len + 1 : "");
	return r;
}

/* The bucket's part of a Host header: what stands before ".localhost" or
 * ".s3."; 0: none. */
static size_t host_bucket_len(const char *host)
{
	size_t len = strcspn(host, ":");
	const char *s3 = strstr(host, ".s3.");
	const char *local = ".localhost";
	size_t local_len = strlen(local);

	if (s3)
		return (size_t)(s3 - host);
	if (len > local_len &&
	    memcmp(host + len - local_len, local, local_len) == 0)
		return len - local_len;
	return 0;
}

static void set_key(struct request *r, const char *raw, size_t len)
{
	r->key = alloc_bytes(len + 1);
	memcpy(r->key, raw, len);
	r->key_len = text_unescape(r->key, len, false);
}

static void set_bucket(struct request *r, const char *raw, size_t len)
{
	if (len >= sizeof(r->bucket_name))
		len = sizeof(r->bucket_name) - 1;
	memcpy(r->bucket_name, raw, len);
	text_unescape(r->bucket_name, len, false);
}

void request_route(struct request *r)
{
	const char *host = request_header(r, "Host");
	size_t host_len = host ? host_bucket_len(host) : 0;
	const char *path = r->target, *end = path + r->path_len;
	const char *slash;

	path += *path == '/';
	r->is_control = text_begins(path, CONTROL);
	if (r->is_control) {
		path += strlen(CONTROL);
	} else if (host_len > 0) {
		set_bucket(r, host, host_len);
	} else {
		slash = memchr(path, '/', (size_t)(end - path));
		if (!slash)
			slash = end;
		set_bucket(r, path, (size_t)(slash - path));
		path = slash < end ? slash + 1 : end;
	}
	set_key(r, path, (size_t)(end - path));
	r->bucket = store_bucket(r->server->store, r->bucket_name);
}

void request_free(struct request *r)
{
	reply_clear(r);
	strbuf_release(&r->headers);
	strbuf_release(&r->body);
	strbuf_release(&r->text);
	digest_free(r->sha256);
	digest_free(r->md5);
	object_unref(r->staged);
	free(r->target);
	free(r->params);
	free(r->param_text);
	free(r->key);
	free(r);
}

const char *request_header(const struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

const struct param *request_param(const struct request *r, const char *name)
{
	for (size_t i = 0; i < r->n_params; i++)
		if (strcmp(r->params[i].name, name) == 0)
			return &r->params[i];
	return NULL;
}

/* ---- answering ---- */

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
	{ "BadDigest", 400, "The Content-MD5 you specified did not match what "
	    "we received." },
	{ "BucketAlreadyOwnedByYou", 409, "Your previous request to create the "
	    "named bucket succeeded and you already own it." },
	{ "EntityTooLarge", 400, "Your proposed upload exceeds the maximum "
	    "allowed object size." },
	{ "EntityTooSmall", 400, "Your proposed upload is smaller than the "
	    "minimum allowed size" },
	{ "ExpiredToken", 400, "The provided token has expired." },
	{ "IncompleteBody", 400, "You did not provide the number of bytes "
	    "specified by the Content-Length HTTP header" },
	{ "InternalError", 500, "We encountered an internal error. Please try "
	    "again." },
	{ "InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does "
	    "not exist in our records." },
	{ "InvalidArgument", 400, "Invalid Argument" },
	{ "InvalidBucketName", 400, "The specified bucket is not valid." },
	{ "InvalidDigest", 400, "The Content-MD5 you specified is not valid." },
	{ "InvalidObjectState", 403, "The operation is not valid for the "
	    "object's storage class" },
	{ "InvalidPart", 400, "One or more of the specified parts could not be "
	    "found. The part may not have been uploaded, or the specified "
	    "entity tag may not match the part's entity tag." },
	{ "InvalidPartOrder", 400, "The list of parts was not in ascending "
	    "order. Parts must be ordered by part number." },
	{ "InvalidRange", 416, "The requested range is not satisfiable" },
	{ "InvalidRequest", 400, "Invalid Request" },
	{ "InvalidStorageClass", 400, "The storage class you specified is not "
	    "valid" },
	{ "InvalidToken", 400, "The provided token is malformed or otherwise "
	    "invalid." },
	{ "InvalidURI", 400, "Couldn't parse the specified URI." },
	{ "KeyTooLongError", 400, "Your key is too long" },
	{ "MalformedXML", 400, "The XML you provided was not well-formed or "
	    "did not validate against our published schema" },
	{ "MethodNotAllowed", 405, "The specified method is not allowed "
	    "against this resource." },
	{ "MissingContentLength", 411, "You must provide the Content-Length "
	    "HTTP header." },
	{ "NoSuchBucket", 404, "The specified bucket does not exist" },
	{ "NoSuchKey", 404, "The specified key does not exist." },
	{ "NoSuchUpload", 404, "The specified upload does not exist. The "
	    "upload ID may be invalid, or the upload may have been aborted or "
	    "completed." },
	{ "NotImplemented", 501, "A header you provided implies functionality "
	    "that is not implemented" },
	{ "PreconditionFailed", 412, "At least one of the pre-conditions you "
	    "specified did not hold" },
	{ "RequestTimeTooSkewed", 403, "The difference between the request "
	    "time and the current time is too large." },
	{ "ServiceUnavailable", 503, "Please reduce your request rate." },
	{ "SignatureDoesNotMatch", 403, "The request signature we calculated "
	    "does not match the signature you provided. Check your key and "
	    "signing method." },
	{ "SlowDown", 503, "Please reduce your request rate." },
	{ "XAmzContentSHA256Mismatch", 400, "The provided "
	    "'x-amz-content-sha256' header does not match what was computed." },
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
