/* SPDX-License-Identifier: MIT */
/*
 * ListObjectsV2 and ListObjects: a page is collected under the store's lock,
 * bent by the request's fault, and written as XML.
 */
#include "list.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/path.h"
#include "cursor.h"
#include "reply.h"
#include "request.h"
#include "text.h"

#define PAGE_MAX 1000
#define KEY_ROOM 1100
#define TOKEN_MAX (4 * KEY_ROOM)

/* A place in the key space: everything before it is done. */
struct place {
	char bytes[KEY_ROOM];
	size_t len;
};

struct item {
	struct entry entry;
	bool is_prefix; /* a CommonPrefixes element; only the key counts */
};

struct query {
	bool v2;
	const char *prefix, *delimiter, *after; /* after: start-after, marker */
	size_t prefix_len, delimiter_len, after_len;
	const struct param *token;
	bool encode;       /* encoding-type=url */
	size_t max, limit; /* asked for, given */
	struct place from;
	int64_t page;
};

struct page {
	struct item items[PAGE_MAX + 1]; /* one more for what a fault adds */
	size_t count, max;
	bool truncated;
	struct place next;
	struct place extra; /* a key that a fault made up */
	char *arena;        /* keys that the cursor does not keep */
	size_t arena_len;
};

/* ---- places and tokens ---- */

static void place_set(struct place *p, const char *bytes, size_t len)
{
	p->len = len < KEY_ROOM ? len : KEY_ROOM - 1;
	memcpy(p->bytes, bytes, p->len);
}

/* The first place behind this very key. */
static void place_after_key(struct place *p, const char *key, size_t len)
{
	place_set(p, key, len);
	if (p->len < KEY_ROOM)
		p->bytes[p->len++] = '\0';
}

/* The first place behind all keys that begin so. */
static void place_after_prefix(struct place *p, const char *prefix, size_t len)
{
	place_set(p, prefix, len);
	while (p->len > 0 && (unsigned char)p->bytes[p->len - 1] == 0xff)
		p->len--;
	if (p->len > 0)
		p->bytes[p->len - 1]++;
}

/* Base64 of "PAGE:" and the place: opaque, with '+', '/' and '=' in it. */
static void make_token(const struct place *p, int64_t page, char out[TOKEN_MAX])
{
	char plain[KEY_ROOM + 32];
	int len = snprintf(plain, 32, "%" PRId64 ":", page);

	memcpy(plain + len, p->bytes, p->len);
	digest_base64((unsigned char *)plain, (size_t)len + p->len, out);
}

static int read_token(const struct param *token, struct place *p, int64_t *page)
{
	unsigned char plain[TOKEN_MAX + 1];
	int len;
	char *colon;

	if (token->value_len == 0 || token->value_len % 4 != 0 ||
	    token->value_len > TOKEN_MAX)
		return -1;
	len = EVP_DecodeBlock(plain, (unsigned char *)token->value,
	    (int)token->value_len);
	if (len < 0)
		return -1;
	len -= token->value[token->value_len - 1] == '=';
	len -= token->value[token->value_len - 2] == '=';
	colon = memchr(plain, ':', (size_t)len);
	if (!colon)
		return -1;
	*colon++ = '\0';
	*page = text_number((char *)plain, INT64_C(1) << 40);
	place_set(p, colon, (size_t)((char *)plain + len - colon));
	return *page > 0 ? 0 : -1;
}

int64_t list_page_number(const struct request *r)
{
	const struct param *token = request_param(r, "continuation-token");
	struct place place;
	int64_t page;

	return token && read_token(token, &place, &page) == 0 ? page : 1;
}

/* ---- the query ---- */

static const char *text_param(const struct request *r, const char *name,
    size_t *len)
{
	const struct param *p = request_param(r, name);

	*len = p ? p->value_len : 0;
	return p ? p->value : "";
}

static int parse_query(struct request *r, struct query *q)
{
	const struct param *version = request_param(r, "list-type");
	const struct param *max = request_param(r, "max-keys");
	const struct param *encoding = request_param(r, "encoding-type");
	int64_t number = max ? text_number(max->value, INT32_MAX) : PAGE_MAX;

	*q = (struct query){ .v2 = version != NULL, .page = 1 };
	q->prefix = text_param(r, "prefix", &q->prefix_len);
	q->delimiter = text_param(r, "delimiter", &q->delimiter_len);
	q->after =
	    text_param(r, q->v2 ? "start-after" : "marker", &q->after_len);
	q->token = q->v2 ? request_param(r, "continuation-token") : NULL;
	if (version && strcmp(version->value, "2") != 0)
		return reply_error_as(r, 400, "InvalidArgument",
		    "Invalid List Type specified in Request", NULL);
	if (number < 0)
		return reply_error_as(r, 400, "InvalidArgument",
		    "Provided max-keys not an integer or within integer range",
		    NULL);
	if (encoding && strcmp(encoding->value, "url") != 0)
		return reply_error_as(r, 400, "InvalidArgument",
		    "Invalid Encoding Method specified in Request", NULL);
	q->encode = encoding && r->fault.page != FAULT_PAGE_NO_ENCODING;
	q->max = number < PAGE_MAX ? (size_t)number : PAGE_MAX;
	q->limit = q->max;
	if (r->fault.page_max > 0 && (size_t)r->fault.page_max < q->max)
		q->limit = (size_t)r->fault.page_max;
	if (q->token && read_token(q->token, &q->from, &q->page) < 0)
		return reply_error_as(r, 400, "InvalidArgument",
		    "The continuation token provided is incorrect", NULL);
	if (!q->token && q->after_len > 0)
		place_after_key(&q->from, q->after, q->after_len);
	if (path_compare(q->from.bytes, q->from.len, q->prefix, q->prefix_len) <
	    0)
		place_set(&q->from, q->prefix, q->prefix_len);
	return 0;
}

/* ---- collecting a page ---- */

/* The length of the common prefix that ${key} is part of; 0: of none. */
static size_t common_len(const struct query *q, const struct entry *entry)
{
	const char *found;

	if (q->delimiter_len == 0)
		return 0;
	found = memmem(entry->key + q->prefix_len,
	    entry->key_len - q->prefix_len, q->delimiter, q->delimiter_len);
	return found ? (size_t)(found - entry->key) + q->delimiter_len : 0;
}

static bool has_prefix(const struct query *q, const struct entry *entry)
{
	return entry->key_len >= q->prefix_len &&
	    memcmp(entry->key, q->prefix, q->prefix_len) == 0;
}

static const char *keep_key(struct page *page, const struct entry *entry)
{
	char *key;

	if (entry->lasting)
		return entry->key;
	if (!page->arena)
		page->arena = alloc_bytes(PAGE_MAX * (size_t)KEY_ROOM);
	key = page->arena + page->arena_len;
	memcpy(key, entry->key, entry->key_len);
	page->arena_len += entry->key_len;
	return key;
}

static void add_item(struct page *page, const struct entry *entry,
    size_t prefix_len)
{
	struct item *item = &page->items[page->count++];

	item->entry = *entry;
	item->entry.key = keep_key(page, entry);
	item->is_prefix = prefix_len > 0;
	if (item->is_prefix)
		item->entry.key_len = prefix_len;
}

static void set_next(struct page *page)
{
	const struct item *last = &page->items[page->count - 1];

	if (last->is_prefix)
		place_after_prefix(&page->next, last->entry.key,
		    last->entry.key_len);
	else
		place_after_key(&page->next, last->entry.key,
		    last->entry.key_len);
}

/* A marker that is a common prefix stands for all of it. */
static bool is_before_marker(const struct query *q, const struct entry *entry,
    size_t prefix_len)
{
	return !q->v2 &&
	    path_compare(entry->key, prefix_len, q->after, q->after_len) <= 0;
}

static void collect(struct cursor *cursor, const struct query *q,
    struct page *page)
{
	struct entry entry;
	struct place skip;

	cursor_seek(cursor, q->from.bytes, q->from.len);
	while (cursor_entry(cursor, &entry) && has_prefix(q, &entry)) {
		size_t prefix_len = common_len(q, &entry);

		if (prefix_len > 0)
			place_after_prefix(&skip, entry.key, prefix_len);
		if (prefix_len == 0 ||
		    !is_before_marker(q, &entry, prefix_len)) {
			if (page->count == q->limit) {
				page->truncated = q->limit > 0;
				break;
			}
			add_item(page, &entry, prefix_len);
		}
		if (prefix_len > 0)
			cursor_seek(cursor, skip.bytes, skip.len);
		else
			cursor_step(cursor);
	}
	if (page->truncated)
		set_next(page);
}

/* ---- what can be wrong with a page ---- */

static void bend(struct page *page, const struct query *q,
    enum fault_page fault)
{
	struct item *last = &page->items[page->count - (page->count > 0)];
	struct item swap;

	switch (fault) {
	case FAULT_PAGE_NONE:
	case FAULT_PAGE_NO_ENCODING:
	case FAULT_PAGE_TRUNCATE_XML:
		break;
	case FAULT_PAGE_NO_TOKEN:
		page->truncated = true;
		break;
	case FAULT_PAGE_LOOP:
		page->truncated = page->truncated || q->token;
		break;
	case FAULT_PAGE_UNORDERED:
		if (page->count < 2)
			break;
		swap = last[0];
		last[0] = last[-1];
		last[-1] = swap;
		break;
	case FAULT_PAGE_DUPLICATE_KEY:
		if (page->count > 0)
			page->items[page->count++] = *last;
		break;
	case FAULT_PAGE_OUTSIDE_PREFIX:
		if (page->count == 0 || q->prefix_len == 0)
			break;
		place_after_prefix(&page->extra, q->prefix, q->prefix_len);
		page->items[page->count] = *last;
		page->items[page->count].entry.key = page->extra.bytes;
		page->items[page->count++].entry.key_len = page->extra.len;
		break;
	case FAULT_PAGE_EMPTY:
		page->count = 0;
		page->truncated = true;
		page->next = q->from;
		break;
	}
}

/* ---- writing it ---- */

static void add_name(struct strbuf *out, const struct query *q,
    const char *bytes, size_t len)
{
	if (q->encode)
		text_escape(out, TEXT_LISTING, bytes, len);
	else
		text_xml(out, bytes, len);
}

static void add_element(struct strbuf *out, const struct query *q,
    const char *element, const char *bytes, size_t len)
{
	strbuf_addf(out, "<%s>", element);
	add_name(out, q, bytes, len);
	strbuf_addf(out, "</%s>", element);
}

static void add_digits(struct strbuf *out, int64_t number)
{
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	strbuf_add(out, digits + at, sizeof(digits) - at);
}

/* Neighbours often share a second, so its text is kept. */
static void add_date(struct strbuf *out, int64_t mtime_ms)
{
	static _Thread_local int64_t known_s = -1;
	static _Thread_local char text[CLOCK_ISO_MAX];
	int ms = (int)(mtime_ms % 1000);

	if (mtime_ms / 1000 != known_s) {
		known_s = mtime_ms / 1000;
		clock_format_utc(known_s * CLOCK_SECOND, text);
	}
	text[20] = (char)('0' + ms / 100);
	text[21] = (char)('0' + ms / 10 % 10);
	text[22] = (char)('0' + ms % 10);
	strbuf_add(out, text, 24);
}

static const char *class_shown(const struct request *r,
    const struct entry *entry)
{
	char key[KEY_ROOM + 1];
	size_t len = entry->key_len < KEY_ROOM ? entry->key_len : KEY_ROOM;

	if (!faults_any(r->server->faults))
		return entry->storage_class;
	memcpy(key, entry->key, len);
	key[len] = '\0';
	return faults_archived(r->server->faults, key) ? "GLACIER"
						       : entry->storage_class;
}

static bool wants_restore_status(const struct request *r)
{
	const char *wanted =
	    request_header(r, "x-amz-optional-object-attributes");

	return wanted && strstr(wanted, "RestoreStatus");
}

static void add_restore_status(struct strbuf *out, const char *restore)
{
	bool done = strstr(restore, "expiry-date") != NULL;

	strbuf_addf(out,
	    "<RestoreStatus><IsRestoreInProgress>%s</IsRestoreInProgress>"
	    "%s</RestoreStatus>",
	    done ? "false" : "true",
	    done ? "<RestoreExpiryDate>2038-01-19T00:00:00.000Z"
		   "</RestoreExpiryDate>" : "");
}

static void add_contents(struct strbuf *out, const struct query *q,
    const struct request *r, const struct entry *entry)
{
	strbuf_adds(out, "<Contents><Key>");
	add_name(out, q, entry->key, entry->key_len);
	strbuf_adds(out, "</Key><LastModified>");
	add_date(out, entry->mtime_ms);
	strbuf_adds(out, "</LastModified><ETag>&quot;");
	strbuf_adds(out, entry->etag);
	strbuf_adds(out, "&quot;</ETag><Size>");
	add_digits(out, entry->size);
	strbuf_adds(out, "</Size><StorageClass>");
	strbuf_adds(out, class_shown(r, entry));
	strbuf_adds(out, "</StorageClass>");
	if (entry->restore && wants_restore_status(r))
		add_restore_status(out, entry->restore);
	strbuf_adds(out, "</Contents>");
}

static void add_next_token(struct request *r, const struct query *q,
    const struct page *page)
{
	char token[TOKEN_MAX];

	if (r->fault.page == FAULT_PAGE_NO_TOKEN)
		return;
	make_token(&page->next, q->page + 1, token);
	strbuf_addf(&r->body,
	    "<NextContinuationToken>%s</NextContinuationToken>",
	    r->fault.page == FAULT_PAGE_LOOP && q->token ? q->token->value
							 : token);
}

static void add_v2_head(struct request *r, const struct query *q,
    const struct page *page)
{
	struct strbuf *out = &r->body;

	if (q->after_len > 0)
		add_element(out, q, "StartAfter", q->after, q->after_len);
	if (q->token)
		strbuf_addf(out, "<ContinuationToken>%s</ContinuationToken>",
		    q->token->value);
	if (page->truncated)
		add_next_token(r, q, page);
	strbuf_addf(out, "<KeyCount>%zu</KeyCount>", page->count);
}

static void add_v1_head(struct request *r, const struct query *q,
    const struct page *page)
{
	const struct entry *last =
	    &page->items[page->count - (page->count > 0)].entry;

	add_element(&r->body, q, "Marker", q->after, q->after_len);
	if (page->truncated && page->count > 0)
		add_element(&r->body, q, "NextMarker", last->key,
		    last->key_len);
}

static void write_page(struct request *r, const struct query *q,
    const struct page *page)
{
	struct strbuf *out = &r->body;

	reply_xml(r, 200);
	strbuf_addf(out,
	    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/"
	    "doc/2006-03-01/\"><Name>%s</Name>",
	    r->bucket_name);
	add_element(out, q, "Prefix", q->prefix, q->prefix_len);
	if (q->v2)
		add_v2_head(r, q, page);
	else
		add_v1_head(r, q, page);
	strbuf_addf(out, "<MaxKeys>%zu</MaxKeys>", q->max);
	if (q->delimiter_len > 0)
		add_element(out, q, "Delimiter", q->delimiter,
		    q->delimiter_len);
	if (q->encode)
		strbuf_adds(out, "<EncodingType>url</EncodingType>");
	strbuf_addf(out, "<IsTruncated>%s</IsTruncated>",
	    page->truncated ? "true" : "false");
	for (size_t i = 0; i < page->count; i++)
		if (!page->items[i].is_prefix)
			add_contents(out, q, r, &page->items[i].entry);
	for (size_t i = 0; i < page->count; i++) {
		const struct item *item = &page->items[i];

		if (!item->is_prefix)
			continue;
		strbuf_adds(out, "<CommonPrefixes>");
		add_element(out, q, "Prefix", item->entry.key,
		    item->entry.key_len);
		strbuf_adds(out, "</CommonPrefixes>");
	}
	strbuf_adds(out, "</ListBucketResult>");
	if (r->fault.page == FAULT_PAGE_TRUNCATE_XML)
		strbuf_truncate(out, out->len * 2 / 3);
}

void list_objects(struct request *r)
{
	struct cursor *cursor;
	struct page *page;
	struct query q;

	if (parse_query(r, &q) < 0)
		return;
	if (r->fault.reject_attributes && wants_restore_status(r)) {
		reply_error(r, "NotImplemented", NULL);
		return;
	}
	page = alloc_bytes(sizeof(*page));
	page->count = page->arena_len = 0;
	page->arena = NULL;
	page->truncated = false;
	page->next.len = 0;
	cursor = cursor_begin(r->server->store, r->bucket);
	collect(cursor, &q, page);
	bend(page, &q, r->fault.page);
	write_page(r, &q, page);
	cursor_end(cursor);
	free(page->arena);
	free(page);
}
