/* SPDX-License-Identifier: MIT */
/* GET, HEAD, PUT and DELETE of one object. */
#include "verb.h"

#include <ctype.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "body.h"
#include "reply.h"
#include "request.h"
#include "text.h"

#define PUT_MAX (INT64_C(5) << 30)
#define METADATA_MAX 2048
#define HEADERS_MAX (32 << 10)
#define SSE "x-amz-server-side-encryption"
#define SSE_KEY SSE "-aws-kms-key-id"
#define ACL "x-amz-acl"
#define RESTORE "x-amz-restore"

/* ---- writing ---- */

static bool is_checksum(const char *name)
{
	const char *known;

	for (size_t i = 0; (known = body_checksum(i)); i++)
		if (strcasecmp(known, name) == 0)
			return true;
	return false;
}

static bool is_stored(const char *name)
{
	static const char *const names[] = { "Content-Type", "Cache-Control",
		"Content-Encoding", "Content-Disposition", "Content-Language",
		"Expires", "x-amz-storage-class", "x-amz-checksum-algorithm",
		SSE, SSE_KEY, ACL, RESTORE };

	if (is_checksum(name))
		return true;
	if (strncasecmp(name, "x-amz-meta-", 11) == 0)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

struct gathering {
	struct strbuf *headers;
	size_t metadata; /* bytes of it */
};

/* Is ${value} one of the ${count} ${words}? */
static bool is_word(const char *value, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], value) == 0)
			return true;
	return false;
}

static int check_properties(struct request *r)
{
	static const char *const acls[] = { "private", "public-read",
		"public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "bucket-owner-full-control" };
	static const char *const encryptions[] = { "AES256", "aws:kms",
		"aws:kms:dsse" };
	const char *class = request_header(r, "x-amz-storage-class");
	const char *acl = request_header(r, ACL);
	const char *sse = request_header(r, SSE);

	if (class && !object_storage_class(class))
		return reply_error(r, "InvalidStorageClass", NULL);
	if ((acl && !is_word(acl, acls, 7)) ||
	    (sse && !is_word(sse, encryptions, 3)) ||
	    (request_header(r, SSE_KEY) &&
		(!sse || !text_begins(sse, "aws:kms"))) ||
	    (request_header(r, RESTORE) && !r->is_control))
		return reply_error(r, "InvalidArgument", NULL);
	return 0;
}

static enum MHD_Result gather(void *arg, enum MHD_ValueKind kind,
    const char *name, const char *value)
{
	struct gathering *g = arg;
	char lower[256];
	size_t i;

	(void)kind;
	if (!is_stored(name) || !value)
		return MHD_YES;
	if (strncasecmp(name, "x-amz-", 6) != 0) {
		text_pair(g->headers, name, value);
		return MHD_YES;
	}
	for (i = 0; name[i] && i < sizeof(lower) - 1; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[i] = '\0';
	text_pair(g->headers, lower, value);
	if (strncmp(lower, "x-amz-meta-", 11) == 0)
		g->metadata += strlen(lower) - 11 + strlen(value);
	return MHD_YES;
}

int verb_stored_headers(struct request *r, struct strbuf *headers)
{
	struct gathering g = { headers, 0 };

	if (check_properties(r) < 0)
		return -1;
	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, gather, &g);
	if (g.metadata > METADATA_MAX)
		return reply_error_as(r, 400, "MetadataTooLarge",
		    "Your metadata headers exceed the maximum allowed metadata "
		    "size",
		    NULL);
	if (r->fault.kms && !request_header(r, SSE))
		text_pair(headers, SSE, "aws:kms");
	return 0;
}

int verb_check_upload(struct request *r)
{
	const char *encoding = request_header(r, "Content-Encoding");

	if (r->key_len > PATH_KEY_MAX)
		return reply_error(r, "KeyTooLongError", NULL);
	if (!r->is_control && !path_is_utf8(r->key, r->key_len))
		return reply_error(r, "InvalidURI", NULL);
	if (request_header(r, "x-amz-copy-source") ||
	    (encoding && strstr(encoding, "aws-chunked")))
		return reply_error(r, "NotImplemented", NULL);
	if (r->length < 0)
		return reply_error(r, "MissingContentLength", NULL);
	if (r->length > PUT_MAX)
		return reply_error(r, "EntityTooLarge", NULL);
	return 0;
}

int verb_check_lock(struct request *r)
{
	const char *name;

	if (!r->fault.object_lock || request_header(r, "Content-MD5"))
		return 0;
	for (size_t i = 0; (name = body_checksum(i)); i++)
		if (request_header(r, name))
			return 0;
	return reply_error_as(r, 400, "InvalidRequest",
	    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put "
	    "Object requests with Object Lock parameters",
	    NULL);
}

int verb_write_condition(struct request *r, struct condition *condition)
{
	const char *match = request_header(r, "If-Match");
	const char *none = request_header(r, "If-None-Match");
	const char *refused = NULL;
	char extra[64];

	*condition = (struct condition){ NULL, NULL };
	if (r->fault.reject_conditions)
		refused = match ? "If-Match" : none ? "If-None-Match" : NULL;
	else if (none && strcmp(none, "*") != 0)
		refused = "If-None-Match";
	if (refused) {
		snprintf(extra, sizeof(extra), "<Header>%s</Header>", refused);
		return reply_error(r, "NotImplemented", extra);
	}
	if (!r->fault.ignore_conditions)
		*condition = (struct condition){ match, none };
	return 0;
}

static int result_of(struct request *r, enum store_result result)
{
	switch (result) {
	case STORE_DONE:
		return 0;
	case STORE_MISSING:
		return reply_error(r, "NoSuchKey", NULL);
	case STORE_REFUSED:
		return reply_error(r, "PreconditionFailed", NULL);
	case STORE_FAILED:
		return reply_error(r, "InternalError", NULL);
	}
	return -1;
}

/* What a test wants an object to look like, whatever it is. */
static void apply_wishes(const struct request *r, struct object *o)
{
	const char *etag = request_header(r, "x-test-etag");
	const char *mtime_ms = request_header(r, "x-test-mtime-ms");

	if (etag)
		object_set_etag(o, etag);
	if (mtime_ms)
		o->mtime_ms = text_number(mtime_ms, INT64_MAX / CLOCK_MS);
}

int verb_store(struct request *r, const char *etag,
    const struct condition *condition)
{
	struct object *o = r->staged;
	const char *class = text_pair_value(object_headers(o), o->headers_len,
	    "x-amz-storage-class");

	r->staged = NULL;
	object_set_etag(o, etag);
	o->mtime_ms = r->now_ns / CLOCK_MS;
	if (r->is_control)
		apply_wishes(r, o);
	if (class)
		o->storage_class = object_storage_class(class);
	return result_of(r,
	    store_commit(r->server->store, r->bucket, o, condition));
}

void verb_reply_etag(struct request *r, const char *etag)
{
	char first = *etag;

	if (r->fault.wrong_etag)
		first = first == '0' ? '1' : '0';
	reply_headerf(r, "ETag", "\"%c%s\"", first, etag + 1);
}

int verb_put_begin(struct request *r)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	struct condition condition;
	int result = -1;

	if (verb_check_upload(r) == 0 && verb_check_lock(r) == 0 &&
	    verb_write_condition(r, &condition) == 0 &&
	    result_of(r,
		store_check(r->server->store, r->bucket, r->key, r->key_len,
		    &condition)) == 0 &&
	    verb_stored_headers(r, &headers) == 0)
		result = body_to_object(r, &headers);
	strbuf_release(&headers);
	return result;
}

/* What KMS or customer keys make of an ETag: 32 hex digits that are not the
 * MD5. */
static bool hides_md5(const struct object *o)
{
	const char *sse =
	    text_pair_value(object_headers(o), o->headers_len, SSE);

	return sse && text_begins(sse, "aws:kms");
}

void verb_reply_checksum(struct request *r)
{
	const char *sum = r->checksum_header
	    ? request_header(r, r->checksum_header)
	    : NULL;

	if (sum)
		reply_headerf(r, r->checksum_header, "%c%s",
		    !r->fault.wrong_checksum ? *sum
			: *sum == 'A'        ? 'B'
					     : 'A',
		    sum + 1);
}

void verb_put(struct request *r)
{
	const char *sse = text_pair_value(object_headers(r->staged),
	    r->staged->headers_len, SSE);
	char *kept = sse ? alloc_string(sse) : NULL;
	struct condition condition;
	char etag[OBJECT_ETAG_MAX];

	if (hides_md5(r->staged) || r->fault.opaque_etag)
		r->md5_sum[0] ^= 0x5a;
	digest_hex(r->md5_sum, sizeof(r->md5_sum), etag);
	if (verb_write_condition(r, &condition) == 0 &&
	    verb_store(r, etag, &condition) == 0) {
		r->status = 200;
		verb_reply_etag(r, etag);
		verb_reply_checksum(r);
		if (kept)
			reply_header(r, SSE, kept);
	}
	free(kept);
}

void verb_delete(struct request *r)
{
	struct condition condition;

	if (verb_write_condition(r, &condition) < 0 ||
	    result_of(r,
		store_delete(r->server->store, r->bucket, r->key, r->key_len,
		    &condition)) < 0)
		return;
	r->status = 204;
}

/* ---- reading ---- */

enum range { RANGE_NONE, RANGE_VALID, RANGE_BAD };

/* One "bytes=A-B"; anything else is as if it were not there. */
static enum range parse_range(const char *header, int64_t size, int64_t *from,
    int64_t *len)
{
	char first[24] = "", last[24] = "";
	int64_t a, b;

	if (!header || strchr(header, ',') ||
	    (sscanf(header, "bytes=%23[0-9]-%23[0-9]", first, last) < 1 &&
		sscanf(header, "bytes=-%23[0-9]", last) < 1))
		return RANGE_NONE;
	a = text_number(first, INT64_MAX / 16);
	b = text_number(last, INT64_MAX / 16);
	if (a < 0) {
		*len = b < size ? b : size;
		*from = size - *len;
		return *len > 0 ? RANGE_VALID : RANGE_BAD;
	}
	if (b >= 0 && b < a)
		return RANGE_NONE;
	if (a >= size)
		return RANGE_BAD;
	*from = a;
	*len = (b < 0 || b >= size ? size : b + 1) - a;
	return RANGE_VALID;
}

/* Checksums are of the whole, and told on demand; the ACL is for tests. */
static bool is_told(const struct request *r, const char *name)
{
	const char *mode = request_header(r, "x-amz-checksum-mode");

	if (is_checksum(name))
		return r->status == 200 && mode &&
		    strcmp(mode, "ENABLED") == 0;
	return strcasecmp(name, ACL) != 0 || r->is_control;
}

static void reply_object_headers(struct request *r, const struct object *o)
{
	char date[TEXT_DATE_MAX];
	const char *name, *value;
	bool typed = false;
	size_t at = 0;

	verb_reply_etag(r, o->etag);
	text_http_date(o->mtime_ms * CLOCK_MS, date);
	reply_header(r, "Last-Modified", date);
	reply_header(r, "Accept-Ranges", "bytes");
	while ((name = text_next_pair(object_headers(o), o->headers_len, &at,
		    &value))) {
		if (strcmp(value, "STANDARD") != 0 && is_told(r, name))
			reply_header(r, name, value);
		typed |= strcasecmp(name, "Content-Type") == 0;
	}
	if (!typed)
		reply_header(r, "Content-Type", "binary/octet-stream");
}

/* Answers 412 and 304 where the conditions ask for it. */
static bool is_refused(struct request *r, const struct object *o)
{
	const char *match = request_header(r, "If-Match");
	const char *none = request_header(r, "If-None-Match");

	if (r->fault.ignore_conditions)
		return false;
	if (match && !store_etag_matches(match, o->etag)) {
		reply_error(r, "PreconditionFailed", NULL);
		return true;
	}
	if (none && store_etag_matches(none, o->etag)) {
		r->status = 304;
		verb_reply_etag(r, o->etag);
		return true;
	}
	return false;
}

static void reply_object(struct request *r, struct object *o, int fd)
{
	const char *wanted =
	    r->fault.no_ranges ? NULL : request_header(r, "Range");
	char extra[128];
	int64_t size;

	r->object = o;
	r->object_fd = fd;
	r->object_from = 0;
	r->object_len = o->size;
	switch (parse_range(wanted, o->size, &r->object_from, &r->object_len)) {
	case RANGE_BAD:
		snprintf(extra, sizeof(extra),
		    "<ActualObjectSize>%" PRId64 "</ActualObjectSize>",
		    o->size);
		size = o->size;
		reply_error(r, "InvalidRange", extra);
		reply_headerf(r, "Content-Range", "bytes */%" PRId64, size);
		return;
	case RANGE_VALID:
		r->status = 206;
		reply_headerf(r, "Content-Range",
		    "bytes %" PRId64 "-%" PRId64 "/%" PRId64, r->object_from,
		    r->object_from + r->object_len - 1, o->size);
		break;
	case RANGE_NONE:
		r->status = 200;
		break;
	}
	reply_object_headers(r, o);
}

void verb_get(struct request *r)
{
	bool head = strcmp(r->method, "HEAD") == 0;
	struct object *o;
	int fd = -1;

	o = store_get(r->server->store, r->bucket, r->key, r->key_len,
	    head ? NULL : &fd);
	if (!o) {
		reply_error(r, "NoSuchKey", NULL);
		return;
	}
	if (!head && (r->fault.archived || !object_is_readable(o)))
		reply_error(r, "InvalidObjectState", NULL);
	else if (!is_refused(r, o)) {
		reply_object(r, o, fd);
		return;
	}
	object_unref(o);
	if (fd >= 0)
		close(fd);
}
