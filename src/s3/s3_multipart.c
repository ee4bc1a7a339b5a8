/* SPDX-License-Identifier: MIT */
/* Multipart uploads, as operations on a bucket. */
#include "s3/s3_multipart.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "s3/s3_internal.h"

#define COMPLETION_MAX ((size_t)8 << 20) /* 10,000 parts with long ETags */

void s3_multipart_token(char token[S3_MULTIPART_TOKEN_SIZE])
{
	snprintf(token, S3_MULTIPART_TOKEN_SIZE, "%016" PRIx64 "%016" PRIx64,
	    clock_random(), clock_random());
}

/* ---- create ------------------------------------------------------------- */

static void send_create(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_create(&slot->wire, sender, &slot->request->ask.create, wall_ns);
}

static void take_create(struct slot *slot)
{
	struct xml_document *d = s3_operation_document(slot,
	    "InitiateMultipartUploadResult");
	const char *id = d ? xml_document_text(d, "UploadId") : "";

	if (d && !*id)
		s3_failure_garbled(slot, "the reply names no upload");
	else if (d)
		s3_complete_done(slot, NULL, false, (void *)id);
	xml_document_free(d);
}

static void create_done(const struct request *r,
    const struct s3_result *result, void *upload_id)
{
	r->ask.create.done(r->ask.create.arg, result, upload_id);
}

const struct operation s3_multipart_create_operation = { REPLY_DOCUMENT,
	send_create, take_create, create_done, false };

void s3_multipart_create(struct s3 *s3,
    const struct s3_multipart_create *request)
{
	s3_enqueue(s3, S3_KIND_CREATE_UPLOAD)->ask.create = *request;
}

/* ---- complete ----------------------------------------------------------- */

/* ETags come from servers, and are not always hex digits. */
static void add_xml(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			strbuf_adds(out, "&lt;");
		else if (*text == '&')
			strbuf_adds(out, "&amp;");
		else
			strbuf_addc(out, *text);
	}
}

static void add_part(struct strbuf *out, const struct s3_part *part,
    enum s3_checksum kind)
{
	char etag[ETAG_MAX + 1], sum[DIGEST_BASE64_MAX];

	signature_etag_text(&part->etag, etag);
	strbuf_addf(out, "<Part><PartNumber>%d</PartNumber><ETag>\"",
	    part->number);
	add_xml(out, etag);
	strbuf_adds(out, "\"</ETag>");
	if (part->checksum && kind != S3_CHECKSUM_NONE) {
		digest_base64(part->checksum,
		    digest_size(s3_checksum_digest(kind)), sum);
		strbuf_addf(out, "<Checksum%s>%s</Checksum%s>",
		    s3_checksum_name(kind), sum, s3_checksum_name(kind));
	}
	strbuf_adds(out, "</Part>");
}

static void send_complete(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_complete(&slot->wire, sender, &slot->request->ask.complete,
	    &slot->request->body, wall_ns);
}

/* Ceph's gateway may leave the ETag empty: then a HEAD gives it. */
static void take_complete(struct slot *slot)
{
	struct xml_document *d = s3_operation_document(slot,
	    "CompleteMultipartUploadResult");
	const char *text = d ? xml_document_text(d, "ETag") : "";

	if (d && *text && signature_etag_parse(text, strlen(text),
	    slot->etag_room, &slot->head.etag) && slot->head.etag.len > 0)
		s3_complete_done(slot, &slot->head.etag, false, NULL);
	else if (d)
		s3_failure_settle(slot, 404);
	xml_document_free(d);
}

static void complete_done(const struct request *r,
    const struct s3_result *result, void *value)
{
	(void)value;
	r->ask.complete.done(r->ask.complete.arg, result);
}

const struct operation s3_multipart_complete_operation = { REPLY_DOCUMENT,
	send_complete, take_complete, complete_done, true };

void s3_multipart_complete(struct s3 *s3,
    const struct s3_multipart_complete *request)
{
	struct request *r = s3_enqueue(s3, S3_KIND_COMPLETE_UPLOAD);

	r->ask.complete = *request;
	strbuf_init(&r->body, COMPLETION_MAX);
	strbuf_adds(&r->body, "<CompleteMultipartUpload "
	    "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (size_t i = 0; i < request->count; i++)
		add_part(&r->body, &request->parts[i],
		    s3->properties.checksum);
	strbuf_adds(&r->body, "</CompleteMultipartUpload>");
}

/* ---- abort -------------------------------------------------------------- */

static void send_abort(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_abort(&slot->wire, sender, &slot->request->ask.abort, wall_ns);
}

static void take_abort(struct slot *slot)
{
	s3_complete_done(slot, NULL, false, NULL);
}

static void abort_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	(void)value;
	r->ask.abort.done(r->ask.abort.arg, result);
}

const struct operation s3_multipart_abort_operation = { REPLY_NOTHING,
	send_abort, take_abort, abort_done, false };

void s3_multipart_abort(struct s3 *s3, const struct s3_multipart_abort *request)
{
	s3_enqueue(s3, S3_KIND_ABORT_UPLOAD)->ask.abort = *request;
}

/* ---- which parts are there ---------------------------------------------- */

struct parts {
	struct s3_part *items;
	size_t count, room;
	unsigned char *etags; /* ETAG_MAX bytes for each */
	int next;
};

static void send_parts(struct slot *slot, const struct wire_sender *sender,
    int64_t wall_ns)
{
	wire_parts(&slot->wire, sender, &slot->request->ask.parts, wall_ns);
}

static bool parse_number(const char *text, int64_t least, int64_t *number)
{
	char *end;

	*number = strtoll(text, &end, 10);
	return *text && !*end && *number >= least;
}

/* Reads the row that ${d} is at. */
static bool read_part(struct xml_document *d, struct parts *parts)
{
	const char *etag = xml_document_field(d, "ETag");
	struct s3_part *part;
	int64_t number;

	if (parts->count == parts->room) {
		parts->room = parts->room ? 2 * parts->room : 64;
		parts->items = alloc_resize(parts->items, parts->room,
		    sizeof(*parts->items));
		parts->etags = alloc_resize(parts->etags, parts->room,
		    ETAG_MAX);
	}
	part = &parts->items[parts->count];
	memset(part, 0, sizeof(*part));
	if (!parse_number(xml_document_field(d, "PartNumber"), 1, &number) ||
	    !parse_number(xml_document_field(d, "Size"), 0, &part->size) ||
	    number > INT32_MAX ||
	    !signature_etag_parse(etag, strlen(etag),
	    parts->etags + parts->count * ETAG_MAX, &part->etag))
		return false;
	part->number = (int)number;
	parts->count++;
	return true;
}

static const char *read_parts(struct xml_document *d, struct parts *parts)
{
	int64_t next;

	while (xml_document_next(d, "Part"))
		if (!read_part(d, parts))
			return "a part in the reply has no number, size or "
			    "ETag";
	/* The rows have stopped moving. */
	for (size_t i = 0; i < parts->count; i++)
		parts->items[i].etag.bytes = parts->etags + i * ETAG_MAX;
	if (strcmp(xml_document_text(d, "IsTruncated"), "true") != 0)
		return NULL;
	if (!parse_number(xml_document_text(d, "NextPartNumberMarker"), 1,
	    &next) || next > INT32_MAX)
		return "more parts follow, but the reply does not say how to "
		    "ask for them";
	parts->next = (int)next;
	return NULL;
}

static void take_parts(struct slot *slot)
{
	struct xml_document *d = s3_operation_document(slot,
	    "ListPartsResult");
	int after = slot->request->ask.parts.after;
	struct parts parts = { .count = 0 };
	const char *wrong = d ? read_parts(d, &parts) : NULL;

	if (d && !wrong && parts.next && parts.next <= after)
		wrong = "the list of parts goes round in circles";
	if (wrong)
		s3_failure_garbled(slot, wrong);
	else if (d)
		s3_complete_done(slot, NULL, false, &parts);
	free(parts.items);
	free(parts.etags);
	xml_document_free(d);
}

static void parts_done(const struct request *r, const struct s3_result *result,
    void *value)
{
	const struct parts *parts = value;

	r->ask.parts.done(r->ask.parts.arg, result,
	    parts ? parts->items : NULL, parts ? parts->count : 0,
	    parts ? parts->next : 0);
}

const struct operation s3_multipart_parts_operation = { REPLY_DOCUMENT,
	send_parts, take_parts, parts_done, false };

void s3_multipart_parts(struct s3 *s3, const struct s3_multipart_parts *request)
{
	s3_enqueue(s3, S3_KIND_LIST_PARTS)->ask.parts = *request;
}
