/* SPDX-License-Identifier: MIT */
/* What can be asked of a bucket: what is sent, and what a good reply gives. */
#include "s3/s3_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void call_plain_done(void (*done)(void *, const struct s3_result *),
    void *arg, const struct s3_result *result)
{
	if (done)
		done(arg, result);
}

/* ---- what the head of a reply says -------------------------------------- */

static bool take_etag(struct slot *slot)
{
	const char *text = http_call_header(slot->call, "etag");

	memset(&slot->head.etag, 0, sizeof(slot->head.etag));
	return text && signature_etag_parse(text, strlen(text),
	    slot->etag_room, &slot->head.etag) && slot->head.etag.len > 0;
}

/* With a key of KMS's the ETag is no MD5, and we are told. (With a key of the
 * customer's neither, but we never give one, so nothing comes of it.) */
static bool says_not_md5(const struct slot *slot)
{
	const char *sse = http_call_header(slot->call,
	    "x-amz-server-side-encryption");

	return sse && strncmp(sse, "aws:kms", 7) == 0;
}

/* What the reply tells of the whole content. Of an upload in parts it may be
 * the checksum of the parts' checksums, which says so or ends in their number,
 * and is nothing to us. */
static bool told_checksum(const struct slot *slot, enum s3_checksum kind,
    unsigned char out[DIGEST_MAX])
{
	const char *text =
	    http_call_header(slot->call, wire_checksum_header(kind));
	const char *type =
	    http_call_header(slot->call, "x-amz-checksum-type");

	return text && (!type || strcmp(type, "COMPOSITE") != 0) &&
	    digest_unbase64(text, out,
	        digest_size(s3_checksum_digest(kind))) == 0;
}

static enum s3_checksum find_checksum(const struct slot *slot,
    unsigned char out[DIGEST_MAX])
{
	static const enum s3_checksum cheapest_first[] = { S3_CHECKSUM_CRC64NVME,
		S3_CHECKSUM_CRC32C, S3_CHECKSUM_SHA256 };

	for (size_t i = 0; i < 3; i++)
		if (told_checksum(slot, cheapest_first[i], out))
			return cheapest_first[i];
	return S3_CHECKSUM_NONE;
}

/* When the content was changed, as whoever uploaded it wrote it down. */
static int64_t find_mtime(const struct slot *slot)
{
	static const struct {
		const char *header;
		int64_t (*parse)(const char *text);
	} forms[] = {
		{ "x-amz-meta-mtime", wire_parse_mtime }, /* rclone, s3fs */
		{ "x-amz-meta-file-mtime", wire_parse_mtime }, /* DataSync */
		{ "x-amz-meta-s3cmd-attrs", wire_parse_s3cmd_mtime },
		{ "x-amz-meta-goog-reserved-file-mtime", wire_parse_mtime },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		const char *text =
		    http_call_header(slot->call, forms[i].header);
		int64_t ns = text ? forms[i].parse(text) : INT64_MIN;

		if (ns != INT64_MIN)
			return ns;
	}
	return INT64_MIN;
}

/* "bytes 0-99/1000" */
static bool take_range(struct slot *slot)
{
	const char *text = http_call_header(slot->call, "content-range");
	struct s3_head *head = &slot->head;
	int64_t last;

	return text && sscanf(text, "bytes %" SCNd64 "-%" SCNd64 "/%" SCNd64,
	    &head->offset, &last, &head->size) == 3 && head->offset >= 0 &&
	    last < head->size && last - head->offset + 1 == head->length;
}

bool s3_operation_head(struct slot *slot)
{
	const char *modified = http_call_header(slot->call, "last-modified");
	struct s3_head *head = &slot->head;
	int64_t ns;

	*head = (struct s3_head){ .length = http_call_length(slot->call),
		.mtime_ms = SIGNATURE_MTIME_UNKNOWN };
	head->size = head->length;
	if (head->length < 0)
		slot->garbled = "the reply does not say how long it is";
	else if (!take_etag(slot))
		slot->garbled = "the reply has no ETag, so it is not S3's";
	else if (http_call_status(slot->call) == 206 && !take_range(slot))
		slot->garbled = "the reply does not say which range it is";
	if (slot->garbled)
		return false;
	if (modified && clock_parse_http(modified, &ns) == 0)
		head->mtime_ms = ns / CLOCK_MS;
	head->meta_mtime_ns = find_mtime(slot);
	if (http_call_status(slot->call) == 200)
		head->checksum = find_checksum(slot, head->checksum_bytes);
	head->etag_not_md5 = says_not_md5(slot);
	return true;
}

struct xml_document *s3_operation_document(struct slot *slot, const char *root)
{
	struct retry_reply reply = { .status = 200 };
	struct error err = ERROR_INIT;
	struct xml_document *d;

	switch (xml_document_parse(&d, root, strbuf_text(&slot->body),
	    slot->body.len, &reply.error, &err)) {
	case XML_SOUND:
		break;
	case XML_ERROR:
		s3_failure_reply(slot, &reply);
		break;
	case XML_BROKEN:
		s3_failure_garbled(slot, err.text);
		break;
	}
	return d;
}

/* ---- LIST --------------------------------------------------------------- */

static void send_list(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_list(&slot->wire, sender, &slot->request->ask.list, wall_ns);
}

/* Archives among the objects: which of them were restored? A server that has
 * none is not asked, and one that does not understand is asked no more. */
static bool wants_restore_status(const struct slot *slot,
    const struct s3_page *page)
{
	return page->has_archived && !slot->request->with_restore &&
	    !slot->s3->restore_refused;
}

static void take_page(struct slot *slot)
{
	struct retry_reply reply = { .status = 200 };
	struct error err = ERROR_INIT;
	struct s3_page *page = NULL;

	if (!slot->page)
		slot->page = xml_page_new();
	switch (xml_page_end(slot->page, &page, &reply.error, &err)) {
	case XML_SOUND:
		if (wants_restore_status(slot, page)) {
			slot->s3->restore_status = true;
			s3_page_free(page);
			s3_try_again(slot, 0);
		} else {
			s3_complete_done(slot, NULL, false, page);
		}
		break;
	case XML_ERROR:
		s3_failure_reply(slot, &reply);
		break;
	case XML_BROKEN:
		s3_failure_garbled(slot, err.text);
		break;
	}
}

static void list_done(const struct request *r, const struct s3_result *result,
    void *page)
{
	r->ask.list.done(r->ask.list.arg, result, page);
}

/* ---- GET ---------------------------------------------------------------- */

static void send_get(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_get(&slot->wire, sender, &slot->request->ask.get, wall_ns);
}

static void take_object(struct slot *slot)
{
	if (slot->received != slot->head.length)
		s3_failure_garbled(slot, "the reply is shorter than it says");
	else
		s3_complete_done(slot, &slot->head.etag,
		    slot->head.etag_not_md5, NULL);
}

static void get_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	(void)value;
	call_plain_done(r->ask.get.done, r->ask.get.arg, result);
}

/* ---- HEAD: asked only to settle whether a write was done ---------------- */

static void send_head(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	const struct request *r = slot->request;
	bool is_put = r->kind == S3_KIND_PUT;

	wire_head(&slot->wire, sender,
	    is_put ? r->ask.put.key : r->ask.complete.key,
	    is_put ? r->ask.put.key_len : r->ask.complete.key_len, wall_ns);
}

static void take_head(struct slot *slot)
{
	const struct request *r = slot->request;
	const char *token = http_call_header(slot->call, WIRE_TOKEN);

	if (!token || strcmp(token, r->kind == S3_KIND_PUT ? r->token :
	    r->ask.complete.token) != 0)
		s3_failure_not_ours(slot);
	else if (!s3_operation_head(slot))
		s3_failure_garbled(slot, slot->garbled);
	else
		s3_complete_done(slot, &slot->head.etag,
		    slot->head.etag_not_md5, NULL);
}

/* ---- HEAD of the bucket: s3_failure_located takes the reply -------------- */

static void send_head_bucket(struct slot *slot,
    const struct wire_sender *sender, int64_t wall_ns)
{
	wire_head(&slot->wire, sender, NULL, 0, wall_ns);
}

/* ---- PUT ---------------------------------------------------------------- */

static void send_put(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	const struct request *r = slot->request;

	wire_put(&slot->wire, sender, &r->ask.put,
	    *r->token ? r->token : NULL, wall_ns);
}

/* Has the server the checksum that was sent? */
static enum s3_receipt compare_checksum(const struct slot *slot)
{
	const struct s3_put *put = &slot->request->ask.put;
	enum s3_checksum kind = slot->s3->properties.checksum;
	unsigned char told[DIGEST_MAX];

	if (!put->checksum || kind == S3_CHECKSUM_NONE ||
	    !told_checksum(slot, kind, told))
		return S3_RECEIPT_NONE;
	return memcmp(told, put->checksum,
	    digest_size(s3_checksum_digest(kind))) == 0 ? S3_RECEIPT_SAME :
	    S3_RECEIPT_DIFFERS;
}

static void take_receipt(struct slot *slot)
{
	struct retry_reply reply = { .status = 200 };

	if (slot->body.len > 0)
		xml_error_parse(strbuf_text(&slot->body), slot->body.len,
		    &reply.error);
	if (*reply.error.code) {
		s3_failure_reply(slot, &reply);
	} else if (!take_etag(slot)) {
		s3_failure_garbled(slot, "the reply to an upload has no ETag, "
		    "so it is not S3's");
	} else {
		slot->receipt = compare_checksum(slot);
		s3_complete_done(slot, &slot->head.etag, says_not_md5(slot),
		    NULL);
	}
}

static void put_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	(void)value;
	call_plain_done(r->ask.put.done, r->ask.put.arg, result);
}

/* ---- DELETE ------------------------------------------------------------- */

static void send_delete(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_delete(&slot->wire, sender, &slot->request->ask.delete, wall_ns);
}

static void take_nothing(struct slot *slot)
{
	s3_complete_done(slot, NULL, false, NULL);
}

static void delete_done(const struct request *r,
    const struct s3_result *result, void *value)
{
	(void)value;
	call_plain_done(r->ask.delete.done, r->ask.delete.arg, result);
}

/* ---- COPY --------------------------------------------------------------- */

static void send_copy(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_copy(&slot->wire, sender, &slot->request->ask.copy,
	    slot->s3->where.bucket, wall_ns);
}

static void take_copy(struct slot *slot)
{
	struct xml_document *d = s3_operation_document(slot,
	    "CopyObjectResult");
	const char *text = d ? xml_document_text(d, "ETag") : "";

	if (d && signature_etag_parse(text, strlen(text), slot->etag_room,
	    &slot->head.etag))
		s3_complete_done(slot, &slot->head.etag, false, NULL);
	else if (d)
		s3_complete_done(slot, NULL, false, NULL);
	xml_document_free(d);
}

static void copy_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	(void)value;
	call_plain_done(r->ask.copy.done, r->ask.copy.arg, result);
}

/* ---- the table ---------------------------------------------------------- */

static const struct operation *const operations[S3_KIND_COUNT] = {
	[S3_KIND_LIST] = &(const struct operation){ REPLY_PAGE, send_list,
	    take_page, list_done, false },
	[S3_KIND_GET] = &(const struct operation){ REPLY_OBJECT, send_get,
	    take_object, get_done, false },
	[S3_KIND_HEAD] = &(const struct operation){ REPLY_NOTHING, send_head,
	    take_head, NULL, false },
	[S3_KIND_HEAD_BUCKET] = &(const struct operation){ REPLY_NOTHING,
	    send_head_bucket, NULL, NULL, false },
	[S3_KIND_PUT] = &(const struct operation){ REPLY_DOCUMENT, send_put,
	    take_receipt, put_done, true },
	[S3_KIND_UPLOAD_PART] = &(const struct operation){ REPLY_DOCUMENT,
	    send_put, take_receipt, put_done, false },
	[S3_KIND_DELETE] = &(const struct operation){ REPLY_NOTHING,
	    send_delete, take_nothing, delete_done, false },
	[S3_KIND_COPY] = &(const struct operation){ REPLY_DOCUMENT, send_copy,
	    take_copy, copy_done, false },
	[S3_KIND_CREATE_UPLOAD] = &s3_multipart_create_operation,
	[S3_KIND_COMPLETE_UPLOAD] = &s3_multipart_complete_operation,
	[S3_KIND_ABORT_UPLOAD] = &s3_multipart_abort_operation,
	[S3_KIND_LIST_PARTS] = &s3_multipart_parts_operation,
	[S3_KIND_SETTING] = &s3_setting_operation,
};

enum s3_kind s3_operation_kind(const struct request *r)
{
	if (r->locating || r->own_end)
		return S3_KIND_HEAD_BUCKET;
	return r->settling ? S3_KIND_HEAD : r->kind;
}

const struct operation *s3_operation_of(const struct request *r)
{
	return operations[s3_operation_kind(r)];
}

void s3_operation_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	operations[r->kind]->done(r, result, value);
}
