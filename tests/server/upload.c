/* SPDX-License-Identifier: MIT */
/* Multipart uploads. */
#include "upload.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/path.h"
#include "body.h"
#include "parts.h"
#include "reply.h"
#include "request.h"
#include "text.h"
#include "verb.h"

#define PART_NUMBER_MAX 10000
#define PAGE_MAX 1000
#define HEADER_MAX 64
#define ALGORITHM "x-amz-checksum-algorithm"
#define HEADERS_MAX (32 << 10)
#define XMLNS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static const char *upload_id(const struct request *r)
{
	return request_param(r, "uploadId")->value;
}

static void add_names(struct request *r)
{
	strbuf_addf(&r->body, "<Bucket>%s</Bucket><Key>", r->bucket_name);
	text_xml(&r->body, r->key, r->key_len);
	strbuf_adds(&r->body, "</Key>");
}

void upload_create(struct request *r)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	char id[PARTS_ID_MAX];

	r->length = 0;
	if (verb_check_upload(r) == 0 &&
	    verb_stored_headers(r, &headers) == 0) {
		parts_begin(r->server->store, r->bucket, r->key, r->key_len,
		    &headers, id);
		reply_xml(r, 200);
		strbuf_adds(&r->body,
		    "<InitiateMultipartUploadResult " XMLNS ">");
		add_names(r);
		strbuf_addf(&r->body,
		    "<UploadId>%s</UploadId>"
		    "</InitiateMultipartUploadResult>",
		    id);
	}
	strbuf_release(&headers);
}

/* ---- parts ---- */

static int64_t part_number(const struct request *r)
{
	const struct param *p = request_param(r, "partNumber");

	return p ? text_number(p->value, PART_NUMBER_MAX) : -1;
}

static bool has_upload(struct request *r)
{
	struct part *parts;
	int count = parts_get(r->server->store, r->bucket, upload_id(r), r->key,
	    r->key_len, &parts, NULL);

	parts_release(parts, count);
	return count >= 0;
}

/* The header of a kind of checksum: "x-amz-checksum-crc32c". */
static void checksum_header(const char *kind, char out[HEADER_MAX])
{
	size_t len = (size_t)snprintf(out, HEADER_MAX, "x-amz-checksum-%s",
	    kind);

	for (size_t i = 0; i < len && i < HEADER_MAX; i++)
		out[i] = (char)tolower((unsigned char)out[i]);
}

/* The kind that an upload of these headers promised; NULL: none, or one that
 * is not checked here. */
static const char *known_checksum(const struct strbuf *headers)
{
	const char *kind = text_pair_value(strbuf_text(headers), headers->len,
	    ALGORITHM);
	char header[HEADER_MAX];
	const char *known;

	if (!kind)
		return NULL;
	checksum_header(kind, header);
	for (size_t i = 0; (known = body_checksum(i)); i++)
		if (strcmp(known, header) == 0)
			return kind;
	return NULL;
}

/* The kind of checksum that each part must have: "CRC32C"; NULL: none. */
static const char *promised_checksum(struct request *r, struct strbuf *headers)
{
	struct part *parts;
	int count = parts_get(r->server->store, r->bucket, upload_id(r), r->key,
	    r->key_len, &parts, headers);

	parts_release(parts, count);
	return known_checksum(headers);
}

/* The part's checksum is kept with it. 0, or -1 and an error. */
static int keep_checksum(struct request *r, struct strbuf *headers)
{
	struct strbuf upload = STRBUF_INIT(HEADERS_MAX);
	const char *kind = promised_checksum(r, &upload);
	char name[HEADER_MAX];
	int status = 0;

	if (kind) {
		checksum_header(kind, name);
		if (request_header(r, name))
			text_pair(headers, name, request_header(r, name));
		else
			status = reply_error_as(r, 400, "InvalidRequest",
			    "The upload was created with a checksum "
			    "algorithm; its parts must have one", NULL);
	}
	strbuf_release(&upload);
	return status;
}

int upload_part_begin(struct request *r)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	int status;

	if (part_number(r) < 1)
		return reply_error_as(r, 400, "InvalidArgument",
		    "Part number must be an integer between 1 and 10000, "
		    "inclusive",
		    NULL);
	if (verb_check_upload(r) < 0 || verb_check_lock(r) < 0)
		return -1;
	if (!has_upload(r))
		return reply_error(r, "NoSuchUpload", NULL);
	status = keep_checksum(r, &headers);
	if (status == 0)
		status = body_to_object(r, &headers);
	strbuf_release(&headers);
	return status;
}

void upload_part(struct request *r)
{
	struct object *part = r->staged;
	char etag[OBJECT_ETAG_MAX];

	r->staged = NULL;
	digest_hex(r->md5_sum, sizeof(r->md5_sum), etag);
	object_set_etag(part, etag);
	part->mtime_ms = r->now_ns / CLOCK_MS;
	if (!parts_add(r->server->store, r->bucket, upload_id(r), r->key,
		r->key_len, (int)part_number(r), part)) {
		reply_error(r, "NoSuchUpload", NULL);
		return;
	}
	r->status = 200;
	verb_reply_etag(r, etag);
	verb_reply_checksum(r);
}

void upload_list_parts(struct request *r)
{
	const struct param *after = request_param(r, "part-number-marker");
	const struct param *limit = request_param(r, "max-parts");
	int64_t marker = after ? text_number(after->value, INT32_MAX) : 0;
	int64_t max = limit ? text_number(limit->value, INT32_MAX) : PAGE_MAX;
	struct part *parts;
	int count = parts_get(r->server->store, r->bucket, upload_id(r), r->key,
	    r->key_len, &parts, NULL);
	char date[CLOCK_ISO_MAX];
	int from = 0, to;

	if (count < 0) {
		reply_error(r, "NoSuchUpload", NULL);
		goto out;
	}
	while (from < count && parts[from].number <= marker)
		from++;
	max = max < 0 || max > PAGE_MAX ? PAGE_MAX : max;
	to = count - from > max ? from + (int)max : count;
	reply_xml(r, 200);
	strbuf_adds(&r->body, "<ListPartsResult " XMLNS ">");
	add_names(r);
	strbuf_addf(&r->body,
	    "<UploadId>%s</UploadId><PartNumberMarker>%" PRId64
	    "</PartNumberMarker><NextPartNumberMarker>%d"
	    "</NextPartNumberMarker><MaxParts>%" PRId64 "</MaxParts>"
	    "<IsTruncated>%s</IsTruncated>",
	    upload_id(r), marker, to > from ? parts[to - 1].number : 0, max,
	    to < count ? "true" : "false");
	for (int i = from; i < to; i++) {
		const struct object *o = parts[i].object;

		clock_format_utc(o->mtime_ms * CLOCK_MS, date);
		strbuf_addf(&r->body,
		    "<Part><PartNumber>%d</PartNumber>"
		    "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
		    "<Size>%" PRId64 "</Size></Part>",
		    parts[i].number, date, o->etag, o->size);
	}
	strbuf_adds(&r->body, "</ListPartsResult>");
out:
	parts_release(parts, count);
}

/* ---- the end of an upload ---- */

int upload_complete_begin(struct request *r)
{
	if (!has_upload(r))
		return reply_error(r, "NoSuchUpload", NULL);
	body_to_text(r);
	return 0;
}

/* The text of the first <NAME> before ${end}, without quotes; -1: none. */
static int element_text(const char *xml, const char *end, const char *name,
    char *out, size_t room)
{
	char open[32], *to = out;
	const char *from;

	snprintf(open, sizeof(open), "<%s>", name);
	from = strstr(xml, open);
	if (!from || from >= end)
		return -1;
	for (from += strlen(open); *from && *from != '<'; from++) {
		if (strncmp(from, "&quot;", 6) == 0 ||
		    strncmp(from, "&#34;", 5) == 0)
			from = strchr(from, ';');
		else if (*from != '"' && (size_t)(to - out) < room - 1)
			*to++ = *from;
	}
	*to = '\0';
	return 0;
}

struct wanted {
	struct part *parts; /* borrow their objects */
	int count;
	const char *kind; /* of checksum that each must have; NULL: none */
};

/* Is the checksum that the completion names the one that came with the part? */
static bool is_checksum_right(const char *xml, const char *end,
    const char *kind, const struct object *part)
{
	char header[HEADER_MAX], element[HEADER_MAX], named[HEADER_MAX];
	const char *kept;

	checksum_header(kind, header);
	snprintf(element, sizeof(element), "Checksum%s", kind);
	kept = text_pair_value(object_headers(part), part->headers_len,
	    header);
	return kept &&
	    element_text(xml, end, element, named, sizeof(named)) == 0 &&
	    strcmp(named, kept) == 0;
}

/* Finds the next <Part> among what was uploaded; 0, or -1 and an error. */
static int want_part(struct request *r, const char *xml, const char *end,
    const struct part *have, int n_have, struct wanted *want)
{
	char number_text[16], etag[OBJECT_ETAG_MAX];
	int64_t number;
	int i = 0;

	if (element_text(xml, end, "PartNumber", number_text,
		sizeof(number_text)) < 0 ||
	    element_text(xml, end, "ETag", etag, sizeof(etag)) < 0)
		return reply_error(r, "MalformedXML", NULL);
	number = text_number(number_text, PART_NUMBER_MAX);
	while (i < n_have && have[i].number != number)
		i++;
	if (i == n_have || strcmp(have[i].object->etag, etag) != 0)
		return reply_error(r, "InvalidPart", NULL);
	if (want->kind &&
	    !is_checksum_right(xml, end, want->kind, have[i].object))
		return reply_error(r, "InvalidPart", NULL);
	if (want->count > 0 && want->parts[want->count - 1].number >= number)
		return reply_error(r, "InvalidPartOrder", NULL);
	want->parts[want->count++] = have[i];
	return 0;
}

static int parse_complete(struct request *r, const struct part *have,
    int n_have, struct wanted *want)
{
	const char *xml = strbuf_text(&r->text), *end;

	want->parts = alloc_zero((size_t)n_have + 1, sizeof(*want->parts));
	while ((xml = strstr(xml, "<Part>"))) {
		end = strstr(xml, "</Part>");
		if (!end)
			return reply_error(r, "MalformedXML", NULL);
		if (want_part(r, xml, end, have, n_have, want) < 0)
			return -1;
		xml = end;
	}
	if (want->count == 0)
		return reply_error(r, "MalformedXML", NULL);
	for (int i = 0; i < want->count - 1; i++)
		if (want->parts[i].object->size < r->server->part_size_min)
			return reply_error(r, "EntityTooSmall", NULL);
	return 0;
}

/* MD5 of the parts' MD5s, '-', their number. */
static void join_etag(const struct wanted *want, char etag[OBJECT_ETAG_MAX])
{
	struct digest *md5 = digest_new(DIGEST_MD5);
	unsigned char sum[DIGEST_MD5_SIZE];
	char hex[2 * DIGEST_MD5_SIZE + 1];

	for (int i = 0; i < want->count; i++) {
		digest_unhex(want->parts[i].object->etag, 32, sum, sizeof(sum));
		digest_update(md5, sum, sizeof(sum));
	}
	digest_final(md5, sum);
	digest_free(md5);
	digest_hex(sum, sizeof(sum), hex);
	snprintf(etag, OBJECT_ETAG_MAX, "%s-%d", hex, want->count);
}

static void reply_complete(struct request *r, const char *etag)
{
	reply_xml(r, 200);
	strbuf_adds(&r->body,
	    "<CompleteMultipartUploadResult " XMLNS "><Location>");
	text_xml(&r->body, r->target, r->path_len);
	strbuf_adds(&r->body, "</Location>");
	add_names(r);
	strbuf_addf(&r->body,
	    "<ETag>%s</ETag>"
	    "</CompleteMultipartUploadResult>",
	    r->fault.no_etag ? "" : etag);
}

void upload_complete(struct request *r)
{
	struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	struct store *store = r->server->store;
	struct wanted want = { .count = 0 };
	struct condition condition;
	char etag[OBJECT_ETAG_MAX];
	struct part *have;
	int n_have = parts_get(store, r->bucket, upload_id(r), r->key,
	    r->key_len, &have, &headers);

	if (n_have < 0) {
		reply_error(r, "NoSuchUpload", NULL);
		goto out;
	}
	want.kind = known_checksum(&headers);
	if (verb_write_condition(r, &condition) < 0 ||
	    parse_complete(r, have, n_have, &want) < 0)
		goto out;
	r->staged = parts_join(store, r->key, r->key_len, &headers, want.parts,
	    want.count);
	if (!r->staged) {
		reply_error(r, "InternalError", NULL);
		goto out;
	}
	join_etag(&want, etag);
	if (verb_store(r, etag, &condition) < 0)
		goto out;
	parts_abort(store, r->bucket, upload_id(r), r->key, r->key_len);
	reply_complete(r, etag);
out:
	free(want.parts);
	parts_release(have, n_have);
	strbuf_release(&headers);
}

void upload_abort(struct request *r)
{
	if (parts_abort(r->server->store, r->bucket, upload_id(r), r->key,
		r->key_len))
		r->status = 204;
	else
		reply_error(r, "NoSuchUpload", NULL);
}

/* ---- which uploads there are ---- */

struct upload_page {
	const struct param *prefix, *key_marker, *id_marker;
	int64_t max, count;
	bool truncated;
	struct strbuf list, next;
};

static bool is_listed(const struct upload_page *page, const char *key,
    size_t key_len, const char *id)
{
	int order = 1;

	if (page->prefix &&
	    (key_len < page->prefix->value_len ||
		memcmp(key, page->prefix->value, page->prefix->value_len) != 0))
		return false;
	if (page->key_marker)
		order = path_compare(key, key_len, page->key_marker->value,
		    page->key_marker->value_len);
	if (order == 0 && page->id_marker)
		order = strcmp(id, page->id_marker->value);
	return order > 0;
}

static void add_upload(void *arg, const char *key, size_t key_len,
    const char *id, int64_t begun_ms)
{
	struct upload_page *page = arg;
	char date[CLOCK_ISO_MAX];

	if (!is_listed(page, key, key_len, id))
		return;
	if (page->count == page->max) {
		page->truncated = true;
		return;
	}
	page->count++;
	clock_format_utc(begun_ms * CLOCK_MS, date);
	strbuf_adds(&page->list, "<Upload><Key>");
	text_xml(&page->list, key, key_len);
	strbuf_addf(&page->list,
	    "</Key><UploadId>%s</UploadId><StorageClass>"
	    "STANDARD</StorageClass><Initiated>%s</Initiated></Upload>",
	    id, date);
	strbuf_clear(&page->next);
	strbuf_adds(&page->next, "<NextKeyMarker>");
	text_xml(&page->next, key, key_len);
	strbuf_addf(&page->next,
	    "</NextKeyMarker><NextUploadIdMarker>%s"
	    "</NextUploadIdMarker>",
	    id);
}

void upload_list(struct request *r)
{
	const struct param *limit = request_param(r, "max-uploads");
	struct upload_page page = { request_param(r, "prefix"),
		request_param(r, "key-marker"),
		request_param(r, "upload-id-marker"),
		limit ? text_number(limit->value, PAGE_MAX) : PAGE_MAX, 0,
		false, STRBUF_INIT(8 << 20), STRBUF_INIT(8192) };

	if (page.max < 0)
		page.max = PAGE_MAX;
	parts_each_upload(r->server->store, r->bucket, add_upload, &page);
	reply_xml(r, 200);
	strbuf_addf(&r->body,
	    "<ListMultipartUploadsResult " XMLNS ">"
	    "<Bucket>%s</Bucket>%s<MaxUploads>%" PRId64 "</MaxUploads>"
	    "<IsTruncated>%s</IsTruncated>",
	    r->bucket_name, page.truncated ? strbuf_text(&page.next) : "",
	    page.max, page.truncated ? "true" : "false");
	strbuf_add(&r->body, strbuf_text(&page.list), page.list.len);
	strbuf_adds(&r->body, "</ListMultipartUploadsResult>");
	strbuf_release(&page.list);
	strbuf_release(&page.next);
}
