/* SPDX-License-Identifier: MIT */
/* Listing pages and error bodies: one SAX push parser, two tables of names. */
#include "s3/xml.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <libxml/parser.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/strbuf.h"

#define DEPTH_MAX 8
#define DOCUMENT_MAX ((size_t)64 << 20)
/* 1024 bytes of key, each as %XX, and room for servers that allow more. */
#define FIELD_MAX ((size_t)4400)
#define OBJECTS_STEP 1000 /* what a page holds, as a rule */

enum field {
	FIELD_NONE,
	/* of the page */
	FIELD_ENCODING, FIELD_TRUNCATED, FIELD_TOKEN,
	/* of an object */
	FIELD_KEY, FIELD_MTIME, FIELD_ETAG, FIELD_SIZE, FIELD_CLASS,
	FIELD_RESTORING, FIELD_RESTORED,
	/* of an error */
	FIELD_CODE, FIELD_MESSAGE, FIELD_REGION, FIELD_REQUEST, FIELD_TIME,
	FIELD_HEADER,
};

struct name {
	const char *text;
	enum field field;
};

static const struct name page_names[] = {
	{ "EncodingType", FIELD_ENCODING },
	{ "IsTruncated", FIELD_TRUNCATED },
	{ "NextContinuationToken", FIELD_TOKEN },
	{ NULL, FIELD_NONE },
};

static const struct name object_names[] = {
	{ "Key", FIELD_KEY },
	{ "LastModified", FIELD_MTIME },
	{ "ETag", FIELD_ETAG },
	{ "Size", FIELD_SIZE },
	{ "StorageClass", FIELD_CLASS },
	{ NULL, FIELD_NONE },
};

static const struct name restore_names[] = { /* in <RestoreStatus> */
	{ "IsRestoreInProgress", FIELD_RESTORING },
	{ "RestoreExpiryDate", FIELD_RESTORED },
	{ NULL, FIELD_NONE },
};

static const struct name error_names[] = {
	{ "Code", FIELD_CODE },
	{ "Message", FIELD_MESSAGE },
	{ "Region", FIELD_REGION },
	{ "RequestId", FIELD_REQUEST },
	{ "ServerTime", FIELD_TIME },
	{ "Header", FIELD_HEADER },
	{ "ArgumentName", FIELD_HEADER },
	{ NULL, FIELD_NONE },
};

enum root { ROOT_NONE, ROOT_PAGE, ROOT_ERROR, ROOT_OTHER };

/* Where an object's strings begin in the arena, while the arena may move. */
struct place {
	size_t key;
	size_t etag;
};

struct xml_page {
	xmlParserCtxtPtr context; /* NULL before the first byte but blanks */
	char begin[16];           /* the document's first bytes, NUL-padded */
	size_t size;              /* of the document so far */
	int depth;
	enum root root;
	bool root_ended;
	bool in_object;
	const char *wrong;        /* why the document is not believed */
	const char *foreign;      /* what it is instead of S3's */

	enum field field;         /* of the element whose text is collected */
	size_t text_at;           /* where in the arena that text begins */
	unsigned seen;            /* fields of the page, 1 << field */
	unsigned object_seen;     /* fields of this object */

	struct strbuf arena;
	struct s3_object *objects;
	struct place *places;
	size_t count, room;
	bool truncated;
	bool has_archived;
	bool url_encoded;
	char *token;
	int64_t last_mtime_ms;    /* of last_mtime, as most come in runs */
	char last_mtime[40];
	struct xml_error error;
};

static void refuse(struct xml_page *p, const char *why)
{
	if (!p->wrong)
		p->wrong = why;
	xmlStopParser(p->context);
}

static enum field find(const struct name *names, const xmlChar *name)
{
	const char *text = (const char *)name;

	while (names->text && (*names->text != *text ||
	    strcmp(names->text, text) != 0))
		names++;
	return names->field;
}

static enum root find_root(struct xml_page *p, const xmlChar *name)
{
	if (xmlStrEqual(name, BAD_CAST "ListBucketResult"))
		return ROOT_PAGE;
	if (xmlStrEqual(name, BAD_CAST "Error"))
		return ROOT_ERROR;
	p->foreign = xmlStrcasecmp(name, BAD_CAST "html") == 0 ?
	    "an HTML page" : "XML that S3 does not send";
	return ROOT_OTHER;
}

static void begin_object(struct xml_page *p)
{
	p->in_object = true;
	p->object_seen = 0;
	if (p->count == p->room) {
		p->room += OBJECTS_STEP;
		p->objects = alloc_resize(p->objects, p->room,
		    sizeof(*p->objects));
		p->places = alloc_resize(p->places, p->room,
		    sizeof(*p->places));
	}
	memset(&p->objects[p->count], 0, sizeof(*p->objects));
	memset(&p->places[p->count], 0, sizeof(*p->places));
	p->objects[p->count].sig.mtime_ms = SIGNATURE_MTIME_UNKNOWN;
}

static void begin_field(struct xml_page *p, enum field field, unsigned *seen)
{
	if (field == FIELD_NONE)
		return;
	if (*seen & (1u << field))
		refuse(p, "it says the same thing twice");
	*seen |= 1u << field;
	p->field = field;
	p->text_at = p->arena.len;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int namespace_count, const xmlChar **namespaces,
    int attribute_count, int default_count, const xmlChar **attributes)
{
	struct xml_page *p = arg;

	(void)prefix, (void)uri, (void)namespace_count, (void)namespaces;
	(void)attribute_count, (void)default_count, (void)attributes;
	if (++p->depth > DEPTH_MAX)
		refuse(p, "it is nested too deeply");
	else if (p->field != FIELD_NONE)
		refuse(p, "it has an element where text belongs");
	else if (p->depth == 1)
		p->root = find_root(p, name);
	else if (p->depth == 2 && p->root == ROOT_ERROR)
		begin_field(p, find(error_names, name), &p->seen);
	else if (p->depth == 2 && p->root == ROOT_PAGE &&
	    xmlStrEqual(name, BAD_CAST "Contents"))
		begin_object(p);
	else if (p->depth == 2 && p->root == ROOT_PAGE)
		begin_field(p, find(page_names, name), &p->seen);
	else if (p->depth == 3 && p->in_object)
		begin_field(p, find(object_names, name), &p->object_seen);
	else if (p->depth == 4 && p->in_object)
		begin_field(p, find(restore_names, name), &p->object_seen);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
	struct xml_page *p = arg;

	if (p->field == FIELD_NONE)
		return;
	if (p->arena.len - p->text_at + (size_t)len > FIELD_MAX) {
		refuse(p, "it has a text that is too long");
		return;
	}
	strbuf_add(&p->arena, text, (size_t)len);
}

static bool parse_size(const char *text, int64_t *size)
{
	int64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' ||
		    value > (INT64_MAX - (*text - '0')) / 10)
			return false;
		value = 10 * value + (*text - '0');
	}
	*size = value;
	return true;
}

static bool parse_mtime(struct xml_page *p, const char *text, size_t len,
    int64_t *mtime_ms)
{
	int64_t ns;

	if (len == 0 || len >= sizeof(p->last_mtime))
		return false;
	if (strcmp(text, p->last_mtime) != 0) {
		if (clock_parse_iso(text, &ns))
			return false;
		p->last_mtime_ms = ns / CLOCK_MS;
		memcpy(p->last_mtime, text, len + 1);
	}
	*mtime_ms = p->last_mtime_ms;
	return true;
}

/* The text gives way to the ETag's bytes, which are no longer than it. */
static bool parse_etag(struct xml_page *p, struct etag *etag)
{
	unsigned char room[ETAG_MAX];

	if (!signature_etag_parse(strbuf_text(&p->arena) + p->text_at,
	    p->arena.len - p->text_at, room, etag))
		return false;
	/* It goes back to the server in a header line. */
	for (size_t i = 0; !etag->binary && i < etag->len; i++)
		if (room[i] < '!' || room[i] > '~')
			return false;
	strbuf_truncate(&p->arena, p->text_at);
	strbuf_add(&p->arena, etag->bytes, etag->len);
	p->places[p->count].etag = p->text_at;
	return true;
}

static void keep_text(struct xml_page *p, char *room, size_t size)
{
	size_t len = p->arena.len - p->text_at;

	if (len >= size)
		len = size - 1;
	memcpy(room, p->arena.buf + p->text_at, len);
	room[len] = '\0';
}

static bool parse_flag(const char *text, bool *flag)
{
	*flag = strcmp(text, "true") == 0;
	return *flag || strcmp(text, "false") == 0;
}

/* Only ETag and Key leave their bytes in the arena. */
static bool end_field(struct xml_page *p, bool *keeps)
{
	const char *text = strbuf_text(&p->arena) + p->text_at;
	size_t len = p->arena.len - p->text_at;
	struct s3_object *object = p->in_object ? &p->objects[p->count] : NULL;

	*keeps = p->field == FIELD_KEY || p->field == FIELD_ETAG;
	switch (p->field) {
	case FIELD_NONE:
		return true;
	case FIELD_ENCODING:
		p->url_encoded = strcmp(text, "url") == 0;
		return p->url_encoded || len == 0;
	case FIELD_TRUNCATED:
		return parse_flag(text, &p->truncated);
	case FIELD_TOKEN:
		p->token = len ? alloc_string(text) : NULL;
		return true;
	case FIELD_KEY:
		p->places[p->count].key = p->text_at;
		object->key_len = len;
		return len > 0;
	case FIELD_MTIME:
		return parse_mtime(p, text, len, &object->sig.mtime_ms);
	case FIELD_ETAG:
		return parse_etag(p, &object->sig.etag);
	case FIELD_SIZE:
		return parse_size(text, &object->sig.size);
	case FIELD_CLASS:
		object->archived = strcmp(text, "GLACIER") == 0 ||
		    strcmp(text, "DEEP_ARCHIVE") == 0;
		p->has_archived = p->has_archived || object->archived;
		return true;
	case FIELD_RESTORING:
		return parse_flag(text, &object->restoring);
	case FIELD_RESTORED:
		return true;
	case FIELD_CODE:
		keep_text(p, p->error.code, sizeof(p->error.code));
		return true;
	case FIELD_MESSAGE:
		keep_text(p, p->error.message, sizeof(p->error.message));
		return true;
	case FIELD_REGION:
		keep_text(p, p->error.region, sizeof(p->error.region));
		return true;
	case FIELD_REQUEST:
		keep_text(p, p->error.request_id, sizeof(p->error.request_id));
		return true;
	case FIELD_TIME:
		keep_text(p, p->error.server_time,
		    sizeof(p->error.server_time));
		return true;
	case FIELD_HEADER:
		keep_text(p, p->error.header, sizeof(p->error.header));
		return true;
	}
	return false;
}

static void end_object(struct xml_page *p)
{
	const unsigned needed = 1u << FIELD_KEY | 1u << FIELD_SIZE;

	struct s3_object *object = &p->objects[p->count];

	if ((p->object_seen & needed) != needed)
		refuse(p, "an object has no key or no size");
	/* There is a copy, until that date. */
	if (p->object_seen & 1u << FIELD_RESTORED && !object->restoring)
		object->archived = false;
	object->restoring = object->restoring && object->archived;
	p->in_object = false;
	p->count++;
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri)
{
	struct xml_page *p = arg;
	bool keeps;

	(void)name, (void)prefix, (void)uri;
	if (p->field != FIELD_NONE) {
		if (!end_field(p, &keeps))
			refuse(p, "an element holds what it cannot");
		if (!keeps)
			strbuf_truncate(&p->arena, p->text_at);
		p->field = FIELD_NONE;
	} else if (p->depth == 2 && p->in_object) {
		end_object(p);
	} else if (p->depth == 1) {
		p->root_ended = true;
	}
	p->depth--;
}

static void on_doctype(void *arg, const xmlChar *name, const xmlChar *external,
    const xmlChar *system)
{
	struct xml_page *p = arg;

	(void)external, (void)system;
	if (xmlStrcasecmp(name, BAD_CAST "html") == 0)
		p->foreign = "an HTML page";
	refuse(p, "it has a document type");
}

struct xml_page *xml_page_new(void)
{
	struct xml_page *p = alloc_zero(1, sizeof(*p));

	strbuf_init(&p->arena, DOCUMENT_MAX);
	return p;
}

static void free_context(struct xml_page *p)
{
	if (p->context) {
		assert(!p->context->myDoc);
		xmlFreeParserCtxt(p->context);
	}
	p->context = NULL;
}

void xml_page_free(struct xml_page *p)
{
	if (!p)
		return;
	free_context(p);
	strbuf_release(&p->arena);
	free(p->objects);
	free(p->places);
	free(p->token);
	free(p);
}

static void keep_beginning(struct xml_page *p, const char *bytes, size_t len)
{
	size_t have = strlen(p->begin);

	if (len > sizeof(p->begin) - 1 - have)
		len = sizeof(p->begin) - 1 - have;
	memcpy(p->begin + have, bytes, len);
}

static void begin_document(struct xml_page *p)
{
	static const xmlSAXHandler handler = {
		.initialized = XML_SAX2_MAGIC,
		.startElementNs = on_start,
		.endElementNs = on_end,
		.characters = on_text,
		.cdataBlock = on_text,
		.internalSubset = on_doctype,
	};
	xmlSAXHandler copy = handler;

	p->context = xmlCreatePushParserCtxt(&copy, p, NULL, 0, NULL);
	if (!p->context)
		alloc_failed();
	xmlCtxtUseOptions(p->context,
	    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

static int parse(struct xml_page *p, const char *bytes, size_t len, bool last)
{
	assert(len <= INT_MAX);
	if (!p->wrong &&
	    xmlParseChunk(p->context, bytes, (int)len, last) != 0 && !p->wrong)
		p->wrong = last ? "it is cut short" :
		    "it is not well-formed XML";
	return p->wrong ? -1 : 0;
}

int xml_page_feed(struct xml_page *p, const void *bytes, size_t len)
{
	const char *text = bytes;

	if (p->wrong)
		return -1;
	/* A server that needs long sends blanks to keep the line open; before
	 * an XML declaration they are an error to libxml2. */
	while (!p->context && len > 0 && strchr(" \t\r\n", *text) && *text) {
		text++;
		len--;
	}
	if (len == 0)
		return 0;
	if (!p->context)
		begin_document(p);
	keep_beginning(p, text, len);
	p->size += len;
	if (p->size > DOCUMENT_MAX) {
		p->wrong = "it is larger than 64 MiB";
		return -1;
	}
	return parse(p, text, len, false);
}

/* In place, by the rules of forms: AWS writes a blank as '+'. */
static bool url_decode(char *text, size_t *len)
{
	size_t to = 0;

	while (to < *len && text[to] != '%' && text[to] != '+')
		to++; /* most keys need nothing else */
	for (size_t from = to; from < *len; from++, to++) {
		char c = text[from];

		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			unsigned char byte;

			if (*len - from < 3 ||
			    digest_unhex(text + from + 1, 2, &byte, 1))
				return false;
			c = (char)byte;
			from += 2;
		}
		text[to] = c;
	}
	*len = to;
	return true;
}

/* Now that the arena stays where it is, and the encoding is known: it may be
 * said after the keys. */
static bool settle_objects(struct xml_page *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct s3_object *object = &p->objects[i];
		char *key = p->arena.buf + p->places[i].key;

		if (p->url_encoded && !url_decode(key, &object->key_len))
			return false;
		object->key = key;
		object->sig.etag.bytes = (const unsigned char *)p->arena.buf +
		    p->places[i].etag;
	}
	return true;
}

static const char *check_page(struct xml_page *p)
{
	if (p->foreign)
		return "S3 did not write it";
	if (!p->root_ended)
		return "it is cut short";
	if (!(p->seen & 1u << FIELD_TRUNCATED))
		return "it does not say whether it is the last page";
	if (p->truncated && !p->token)
		return "it says that more follows, but not how to ask for it";
	return settle_objects(p) ? NULL : "a key is badly encoded";
}

static struct s3_page *take_page(struct xml_page *p)
{
	struct s3_page *page = alloc_zero(1, sizeof(*page));

	page->objects = p->objects;
	page->count = p->count;
	page->truncated = p->truncated;
	page->has_archived = p->has_archived;
	page->url_encoded = p->url_encoded;
	page->token = p->token;
	page->memory = strbuf_detach(&p->arena);
	p->objects = NULL;
	p->token = NULL;
	p->count = 0;
	return page;
}

/* What cannot be parsed may still be known by how it begins. */
static const char *guess_foreign(const char *begin)
{
	if (strncasecmp(begin, "<!doctype html", 14) == 0 ||
	    strncasecmp(begin, "<html", 5) == 0)
		return "an HTML page";
	if (*begin == '{' || *begin == '[')
		return "JSON";
	return *begin == '<' ? NULL : "not XML";
}

static const char *end_document(struct xml_page *p)
{
	if (!p->context && !p->wrong)
		return "it is empty";
	if (p->context)
		parse(p, "", 0, true);
	free_context(p);
	if (p->root == ROOT_NONE && !p->foreign)
		p->foreign = guess_foreign(p->begin);
	return p->wrong;
}

enum xml_verdict xml_page_end(struct xml_page *p, struct s3_page **page,
    struct xml_error *error, struct error *err)
{
	const char *wrong = end_document(p);

	*page = NULL;
	*error = p->error;
	error->foreign = p->foreign;
	if (!wrong && p->root == ROOT_ERROR)
		return XML_ERROR;
	if (!wrong)
		wrong = check_page(p);
	if (!wrong) {
		*page = take_page(p);
		return XML_SOUND;
	}
	if (p->foreign)
		error_set(err, ERROR_BUCKET, "the reply is %s, not a listing",
		    p->foreign);
	else
		error_set(err, ERROR_BUCKET,
		    "the listing cannot be believed: %s", wrong);
	return XML_BROKEN;
}

void xml_error_parse(const char *body, size_t len, struct xml_error *error)
{
	struct xml_page *p = xml_page_new();

	/* Whatever was understood before the end or the first fault counts. */
	if (len > 0)
		xml_page_feed(p, body, len);
	end_document(p);
	*error = p->error;
	error->foreign = p->foreign;
	xml_page_free(p);
}
