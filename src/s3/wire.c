/* SPDX-License-Identifier: MIT */
/* Requests as they go over the wire. */
#include "s3/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"

#define TEXT_MAX ((size_t)1 << 20)
#define MAX_KEYS 1000
/* Below this it is cheaper to send a body in vain than to wait for leave. */
#define EXPECT_MIN ((int64_t)1 << 20)

void wire_init(struct wire *w)
{
	memset(w, 0, sizeof(*w));
	strbuf_init(&w->path, TEXT_MAX);
	strbuf_init(&w->query, TEXT_MAX);
	strbuf_init(&w->url, TEXT_MAX);
	strbuf_init(&w->authorization, TEXT_MAX);
	strbuf_init(&w->lines, TEXT_MAX);
}

void wire_release(struct wire *w)
{
	strbuf_release(&w->path);
	strbuf_release(&w->query);
	strbuf_release(&w->url);
	strbuf_wipe(&w->authorization);
	strbuf_wipe(&w->lines); /* a session token is among them */
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
		sigv4_encode(&w->path, key, key_len, true);
	add_header(w, "host", sender->endpoint->host);
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

	clock_format_basic(wall_ns, w->date);
	add_header(w, "x-amz-content-sha256", payload);
	add_header(w, "x-amz-date", w->date);
	if (sender->session_token)
		add_header(w, "x-amz-security-token", sender->session_token);
	r.header_count = w->header_count;
	strbuf_clear(&w->authorization);
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
	add_line(w, at, "authorization", strbuf_text(&w->authorization));
	for (size_t i = 0; i < r->header_count; i++)
		r->headers[i] = w->lines.buf + at[i];
	if (body_size >= 0 && body_size < EXPECT_MIN)
		r->headers[r->header_count++] = "expect:";
	r->method = method;
	r->url = strbuf_text(&w->url);
	r->body_size = body_size;
}

void wire_list(struct wire *w, const struct wire_sender *sender,
    const struct s3_list *list, int64_t wall_ns)
{
	char max_keys[16];
	int len = snprintf(max_keys, sizeof(max_keys), "%d",
	    list->max_keys ? list->max_keys : MAX_KEYS);

	begin(w, sender, NULL, 0);
	/* In the order of the names, which is the order that is signed. */
	if (list->token)
		add_query(w, "continuation-token", list->token,
		    strlen(list->token));
	add_query(w, "encoding-type", "url", 3);
	add_query(w, "list-type", "2", 1);
	add_query(w, "max-keys", max_keys, (size_t)len);
	add_query(w, "prefix", list->prefix, list->prefix_len);
	if (list->start_after && !list->token)
		add_query(w, "start-after", list->start_after,
		    list->start_after_len);
	sign(w, sender, "GET", SIGV4_EMPTY, wall_ns);
	finish(w, sender, "GET", -1);
}

/* Quoted again, as it came. */
static void add_condition(struct wire *w, const char *name,
    const struct etag *etag)
{
	size_t len;

	w->etag[0] = '"';
	signature_etag_text(etag, w->etag + 1);
	len = strlen(w->etag);
	w->etag[len] = '"';
	w->etag[len + 1] = '\0';
	add_header(w, name, w->etag);
}

void wire_get(struct wire *w, const struct wire_sender *sender,
    const struct s3_get *get, int64_t wall_ns)
{
	begin(w, sender, get->key, get->key_len);
	if (get->if_match && get->if_match->len > 0)
		add_condition(w, "if-match", get->if_match);
	sign(w, sender, "GET", SIGV4_EMPTY, wall_ns);
	finish(w, sender, "GET", -1);
}

void wire_put(struct wire *w, const struct wire_sender *sender,
    const struct s3_put *put, int64_t wall_ns)
{
	const char *payload = SIGV4_UNSIGNED;

	begin(w, sender, put->key, put->key_len);
	if (put->if_match)
		add_condition(w, "if-match", put->if_match);
	else if (put->if_none_match)
		add_header(w, "if-none-match", "*");
	if (put->mtime_ns != INT64_MIN) {
		wire_format_mtime(put->mtime_ns, w->mtime);
		add_header(w, "x-amz-meta-mtime", w->mtime);
	}
	if (put->sha256) {
		digest_hex(put->sha256, DIGEST_SHA256_SIZE, w->payload);
		payload = w->payload;
	}
	sign(w, sender, "PUT", payload, wall_ns);
	finish(w, sender, "PUT", put->size);
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

int64_t wire_parse_mtime(const char *text)
{
	bool negative = *text == '-';
	const char *p = text + negative;
	int64_t seconds = 0, ns = 0, scale = CLOCK_SECOND / 10;

	if (*p < '0' || *p > '9')
		return INT64_MIN;
	for (; *p >= '0' && *p <= '9'; p++) {
		seconds = 10 * seconds + (*p - '0');
		if (seconds >= INT64_MAX / CLOCK_SECOND)
			return INT64_MIN;
	}
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			ns += scale * (*p - '0');
	if (*p)
		return INT64_MIN;
	ns += seconds * CLOCK_SECOND;
	return negative ? -ns : ns;
}
