/* SPDX-License-Identifier: MIT */
/* Requests as they go over the wire. */
#include "s3/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mime.h"

#define TEXT_MAX ((size_t)1 << 20)
#define MAX_KEYS 1000
/* Below this it is cheaper to send a body in vain than to wait for leave. */
#define EXPECT_MIN ((int64_t)1 << 20)

static const struct {
	const char *name;
	const char *header;
	enum digest_kind digest;
} checksums[S3_CHECKSUM_COUNT] = {
	[S3_CHECKSUM_NONE] = { "", "", DIGEST_MD5 },
	[S3_CHECKSUM_CRC32C] = { "CRC32C", "x-amz-checksum-crc32c",
	    DIGEST_CRC32C },
	[S3_CHECKSUM_SHA256] = { "SHA256", "x-amz-checksum-sha256",
	    DIGEST_SHA256 },
	[S3_CHECKSUM_CRC64NVME] = { "CRC64NVME", "x-amz-checksum-crc64nvme",
	    DIGEST_CRC64NVME },
};

const char *wire_checksum_name(enum s3_checksum checksum)
{
	return checksums[checksum].name;
}

const char *wire_checksum_header(enum s3_checksum checksum)
{
	return checksums[checksum].header;
}

enum digest_kind wire_checksum_digest(enum s3_checksum checksum)
{
	return checksums[checksum].digest;
}

void wire_init(struct wire *w)
{
	memset(w, 0, sizeof(*w));
	strbuf_init(&w->path, TEXT_MAX);
	strbuf_init(&w->query, TEXT_MAX);
	strbuf_init(&w->url, TEXT_MAX);
	strbuf_init(&w->authorization, TEXT_MAX);
	strbuf_init(&w->lines, TEXT_MAX);
	strbuf_init(&w->source, TEXT_MAX);
}

void wire_release(struct wire *w)
{
	strbuf_release(&w->path);
	strbuf_release(&w->query);
	strbuf_release(&w->url);
	strbuf_wipe(&w->authorization);
	strbuf_wipe(&w->lines); /* a session token is among them */
	strbuf_release(&w->source);
}

static void add_header(struct wire *w, const char *name, const char *value)
{
	assert(w->header_count < HTTP_HEADERS_MAX);
	w->headers[w->header_count++] =
	    (struct sigv4_header){ .name = name, .value = value };
}

static void add_query(struct wire *w, const char *name, const void *value,
    size_t len)
{
	if (w->query.len > 0)
		strbuf_addc(&w->query, '&');
	strbuf_adds(&w->query, name);
	strbuf_addc(&w->query, '=');
	sigv4_encode(&w->query, value, len, false);
}

/* A key of the request's, and what goes before it. */
static void encode_key(struct strbuf *out, const struct wire_sender *sender,
    const char *key, size_t key_len, bool path)
{
	if (sender->prefix)
		sigv4_encode(out, sender->prefix, strlen(sender->prefix), path);
	sigv4_encode(out, key, key_len, path);
}

static void add_query_key(struct wire *w, const char *name,
    const struct wire_sender *sender, const char *key, size_t key_len)
{
	add_query(w, name, "", 0);
	encode_key(&w->query, sender, key, key_len, false);
}

static void add_query_text(struct wire *w, const char *name, const char *value)
{
	add_query(w, name, value, strlen(value));
}

static void add_query_number(struct wire *w, const char *name, int value)
{
	char text[WIRE_NUMBER_MAX];

	snprintf(text, sizeof(text), "%d", value);
	add_query_text(w, name, text);
}

static void add_line(struct wire *w, size_t at[], const char *name,
    const char *value)
{
	at[w->request.header_count++] = w->lines.len;
	strbuf_adds(&w->lines, name);
	strbuf_adds(&w->lines, ": ");
	strbuf_adds(&w->lines, value);
	strbuf_addc(&w->lines, '\0');
}

/* ${key} NULL: the bucket itself. */
static void begin(struct wire *w, const struct wire_sender *sender,
    const char *key, size_t key_len)
{
	w->header_count = 0;
	strbuf_clear(&w->query);
	strbuf_clear(&w->path);
	strbuf_adds(&w->path, sender->endpoint->path);
	if (key || w->path.len == 0)
		strbuf_addc(&w->path, '/');
	if (key)
		encode_key(&w->path, sender, key, key_len, true);
	add_header(w, "host", sender->endpoint->host);
	if (sender->properties->requester_pays)
		add_header(w, "x-amz-request-payer", "requester");
}

static void sign(struct wire *w, const struct wire_sender *sender,
    const char *method, const char *payload, int64_t wall_ns)
{
	struct sigv4_request r = {
		.method = method,
		.path = strbuf_text(&w->path),
		.query = strbuf_text(&w->query),
		.headers = w->headers,
		.payload = payload,
	};

	strbuf_clear(&w->authorization);
	if (!sender->signer)
		return;
	clock_format_basic(wall_ns, w->date);
	add_header(w, "x-amz-content-sha256", payload);
	add_header(w, "x-amz-date", w->date);
	if (sender->session_token)
		add_header(w, "x-amz-security-token", sender->session_token);
	r.header_count = w->header_count;
	sigv4_sign(sender->signer, &r, w->date, &w->authorization);
}

/* What was signed is what is sent, and nothing is added that matters. */
static void finish(struct wire *w, const struct wire_sender *sender,
    const char *method, int64_t body_size)
{
	struct http_request *r = &w->request;
	size_t at[HTTP_HEADERS_MAX];

	strbuf_clear(&w->url);
	strbuf_adds(&w->url, sender->endpoint->origin);
	strbuf_adds(&w->url, strbuf_text(&w->path));
	if (w->query.len > 0) {
		strbuf_addc(&w->url, '?');
		strbuf_adds(&w->url, strbuf_text(&w->query));
	}
	strbuf_clear(&w->lines);
	r->header_count = 0;
	for (size_t i = 0; i < w->header_count; i++)
		add_line(w, at, w->headers[i].name, w->headers[i].value);
	if (sender->signer)
		add_line(w, at, "authorization",
		    strbuf_text(&w->authorization));
	for (size_t i = 0; i < r->header_count; i++)
		r->headers[i] = w->lines.buf + at[i];
	if (body_size >= 0 && body_size < EXPECT_MIN)
		r->headers[r->header_count++] = "expect:";
	r->method = method;
	r->url = strbuf_text(&w->url);
	r->body_size = body_size;
}

/* A request without a body. */
static void send_plain(struct wire *w, const struct wire_sender *sender,
    const char *method, int64_t wall_ns)
{
	sign(w, sender, method, SIGV4_EMPTY, wall_ns);
	finish(w, sender, method, -1);
}

/* Queries are in the order of their names, which is the order signed. */
void wire_list(struct wire *w, const struct wire_sender *sender,
    const struct s3_list *list, int64_t wall_ns)
{
	begin(w, sender, NULL, 0);
	if (list->token)
		add_query_text(w, "continuation-token", list->token);
	add_query_text(w, "encoding-type", "url");
	add_query_text(w, "list-type", "2");
	add_query_number(w, "max-keys",
	    list->max_keys ? list->max_keys : MAX_KEYS);
	add_query_key(w, "prefix", sender, list->prefix, list->prefix_len);
	if (list->start_after && !list->token)
		add_query_key(w, "start-after", sender, list->start_after,
		    list->start_after_len);
	if (sender->restore_status)
		add_header(w, "x-amz-optional-object-attributes",
		    "RestoreStatus");
	send_plain(w, sender, "GET", wall_ns);
}

/* Quoted again, as it came. */
static void add_condition(struct wire *w, const struct etag *if_match,
    bool if_none_match)
{
	size_t len;

	if (!if_match) {
		if (if_none_match)
			add_header(w, "if-none-match", "*");
		return;
	}
	w->etag[0] = '"';
	signature_etag_text(if_match, w->etag + 1);
	len = strlen(w->etag);
	w->etag[len] = '"';
	w->etag[len + 1] = '\0';
	add_header(w, "if-match", w->etag);
}

void wire_get(struct wire *w, const struct wire_sender *sender,
    const struct s3_get *get, int64_t wall_ns)
{
	begin(w, sender, get->key, get->key_len);
	if (get->if_match && get->if_match->len > 0)
		add_condition(w, get->if_match, false);
	if (get->length > 0) {
		snprintf(w->range, sizeof(w->range),
		    "bytes=%" PRId64 "-%" PRId64, get->offset,
		    get->offset + get->length - 1);
		add_header(w, "range", w->range);
	} else if (sender->properties->checksum != S3_CHECKSUM_NONE) {
		add_header(w, "x-amz-checksum-mode", "ENABLED");
	}
	send_plain(w, sender, "GET", wall_ns);
}

void wire_head(struct wire *w, const struct wire_sender *sender,
    const char *key, size_t key_len, int64_t wall_ns)
{
	begin(w, sender, key, key_len);
	send_plain(w, sender, "HEAD", wall_ns);
}

static void add_if(struct wire *w, const char *name, const char *value)
{
	if (value)
		add_header(w, name, value);
}

/* How an object is kept: a copy does not inherit it. */
static void add_keeping(struct wire *w, const struct wire_sender *sender)
{
	const struct s3_properties *p = sender->properties;

	add_if(w, "x-amz-acl", p->acl);
	add_if(w, "x-amz-server-side-encryption", p->sse);
	add_if(w, "x-amz-server-side-encryption-aws-kms-key-id",
	    p->sse_kms_key_id);
	add_if(w, "x-amz-storage-class", p->storage_class);
}

/* What an object is made with: for a PUT, and where an upload in parts
 * begins. Never Content-Encoding: contents are what they are. */
static void add_properties(struct wire *w, const struct wire_sender *sender,
    const char *key, size_t key_len, int64_t mtime_ns)
{
	const struct s3_properties *p = sender->properties;

	if (p->content_type)
		add_header(w, "content-type", p->content_type);
	else if (p->mime)
		add_header(w, "content-type", mime_find(p->mime, key, key_len));
	if (mtime_ns != INT64_MIN) {
		wire_format_mtime(mtime_ns, w->mtime);
		add_header(w, "x-amz-meta-mtime", w->mtime);
	}
	add_keeping(w, sender);
}

/* What the server checks a body with: that of a PUT, or of a part. A signed
 * payload is checked anyway. (Buckets with object lock want one of the others
 * all the same: "Content-MD5 OR x-amz-checksum- HTTP header is required".) */
static void add_checks(struct wire *w, const struct wire_sender *sender,
    const unsigned char *md5, const unsigned char *checksum, bool is_signed)
{
	enum s3_checksum kind = sender->properties->checksum;

	if (checksum && kind != S3_CHECKSUM_NONE) {
		digest_base64(checksum, digest_size(checksums[kind].digest),
		    w->checksum);
		add_header(w, checksums[kind].header, w->checksum);
	} else if (md5 && (!is_signed || sender->content_md5)) {
		digest_base64(md5, DIGEST_MD5_SIZE, w->md5);
		add_header(w, "content-md5", w->md5);
	}
}

void wire_put(struct wire *w, const struct wire_sender *sender,
    const struct s3_put *put, const char *token, int64_t wall_ns)
{
	const char *payload = SIGV4_UNSIGNED;

	begin(w, sender, put->key, put->key_len);
	if (put->upload_id) {
		add_query_number(w, "partNumber", put->part_number);
		add_query_text(w, "uploadId", put->upload_id);
	} else {
		add_condition(w, put->if_match, put->if_none_match);
		add_properties(w, sender, put->key, put->key_len,
		    put->mtime_ns);
		if (token)
			add_header(w, WIRE_TOKEN, token);
	}
	add_checks(w, sender, put->md5, put->checksum, put->sha256 != NULL);
	if (put->sha256) {
		digest_hex(put->sha256, DIGEST_SHA256_SIZE, w->payload);
		payload = w->payload;
	}
	sign(w, sender, "PUT", payload, wall_ns);
	finish(w, sender, "PUT", put->size);
}

void wire_delete(struct wire *w, const struct wire_sender *sender,
    const struct s3_delete *request, int64_t wall_ns)
{
	begin(w, sender, request->key, request->key_len);
	add_condition(w, request->if_match, false);
	send_plain(w, sender, "DELETE", wall_ns);
}

void wire_copy(struct wire *w, const struct wire_sender *sender,
    const struct s3_copy *copy, const char *bucket, int64_t wall_ns)
{
	begin(w, sender, copy->key, copy->key_len);
	strbuf_clear(&w->source);
	if (strchr(bucket, ':')) { /* "arn:…:accesspoint/NAME/object/KEY" */
		sigv4_encode(&w->source, bucket, strlen(bucket), true);
		strbuf_adds(&w->source, "/object/");
	} else {
		strbuf_addf(&w->source, "/%s/", bucket);
	}
	encode_key(&w->source, sender, copy->from, copy->from_len, true);
	add_condition(w, copy->if_match, copy->if_none_match);
	add_header(w, "x-amz-copy-source", strbuf_text(&w->source));
	add_keeping(w, sender);
	sign(w, sender, "PUT", SIGV4_EMPTY, wall_ns);
	finish(w, sender, "PUT", 0);
}

void wire_create(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_create *create, int64_t wall_ns)
{
	begin(w, sender, create->key, create->key_len);
	add_query_text(w, "uploads", "");
	add_properties(w, sender, create->key, create->key_len,
	    create->mtime_ns);
	add_header(w, WIRE_TOKEN, create->token);
	/* Its parts will carry one of this kind. */
	if (sender->properties->checksum != S3_CHECKSUM_NONE)
		add_header(w, "x-amz-checksum-algorithm",
		    checksums[sender->properties->checksum].name);
	sign(w, sender, "POST", SIGV4_EMPTY, wall_ns);
	finish(w, sender, "POST", 0);
}

void wire_complete(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_complete *complete, const struct strbuf *body,
    int64_t wall_ns)
{
	unsigned char sha256[DIGEST_SHA256_SIZE];

	digest_once(DIGEST_SHA256, strbuf_text(body), body->len, sha256);
	digest_hex(sha256, sizeof(sha256), w->payload);
	begin(w, sender, complete->key, complete->key_len);
	add_query_text(w, "uploadId", complete->upload_id);
	add_condition(w, complete->if_match, complete->if_none_match);
	add_header(w, "content-type", "application/xml");
	sign(w, sender, "POST", w->payload, wall_ns);
	finish(w, sender, "POST", (int64_t)body->len);
}

void wire_abort(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_abort *abort, int64_t wall_ns)
{
	begin(w, sender, abort->key, abort->key_len);
	add_query_text(w, "uploadId", abort->upload_id);
	send_plain(w, sender, "DELETE", wall_ns);
}

void wire_parts(struct wire *w, const struct wire_sender *sender,
    const struct s3_multipart_parts *parts, int64_t wall_ns)
{
	begin(w, sender, parts->key, parts->key_len);
	add_query_number(w, "max-parts", MAX_KEYS);
	if (parts->after > 0)
		add_query_number(w, "part-number-marker", parts->after);
	add_query_text(w, "uploadId", parts->upload_id);
	send_plain(w, sender, "GET", wall_ns);
}

void wire_setting(struct wire *w, const struct wire_sender *sender,
    const char *name, int64_t wall_ns)
{
	begin(w, sender, NULL, 0);
	add_query_text(w, name, "");
	send_plain(w, sender, "GET", wall_ns);
}

void wire_format_mtime(int64_t mtime_ns, char out[WIRE_MTIME_MAX])
{
	uint64_t ns = mtime_ns < 0 ? -(uint64_t)mtime_ns : (uint64_t)mtime_ns;
	int len = snprintf(out, WIRE_MTIME_MAX, "%s%" PRIu64 ".%09" PRIu64,
	    mtime_ns < 0 ? "-" : "", ns / CLOCK_SECOND, ns % CLOCK_SECOND);

	while (out[len - 1] == '0')
		len--;
	if (out[len - 1] == '.')
		len--;
	out[len] = '\0';
}

/* 0: no unit of time. */
static int64_t unit_ns(const char *name)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "", CLOCK_SECOND }, { "s", CLOCK_SECOND },
		{ "ms", CLOCK_MS }, { "us", CLOCK_MS / 1000 }, { "ns", 1 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strcmp(units[i].name, name) == 0)
			return units[i].ns;
	return 0;
}

int64_t wire_parse_mtime(const char *text)
{
	static const char digits[] = "0123456789";
	bool negative = *text == '-';
	const char *whole = text + negative;
	const char *end = whole + strspn(whole, digits), *part = end;
	int64_t unit, ns = 0;

	if (end == whole)
		return INT64_MIN;
	if (*end == '.')
		end += 1 + strspn(end + 1, digits);
	unit = unit_ns(end);
	if (unit == 0)
		return INT64_MIN;
	for (const char *p = whole; p < part; p++) {
		if (ns >= INT64_MAX / unit / 10)
			return INT64_MIN;
		ns = 10 * ns + (*p - '0');
	}
	ns *= unit;
	for (const char *p = part + 1; p < end && unit >= 10; p++) {
		unit /= 10;
		ns += unit * (*p - '0');
	}
	return negative ? -ns : ns;
}

int64_t wire_parse_s3cmd_mtime(const char *text)
{
	char value[WIRE_MTIME_MAX] = "";

	while (*text) {
		size_t len = strcspn(text, "/");

		if (strncmp(text, "mtime:", 6) == 0 &&
		    len - 6 < sizeof(value)) {
			memcpy(value, text + 6, len - 6);
			value[len - 6] = '\0';
			return wire_parse_mtime(value);
		}
		text += len + (text[len] == '/');
	}
	return INT64_MIN;
}
