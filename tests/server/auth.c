/* SPDX-License-Identifier: MIT */
/* SigV4 as a server checks it. */
#include "auth.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "identity.h"
#include "reply.h"
#include "request.h"
#include "text.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SKEW_MAX_NS (15 * 60 * CLOCK_SECOND)
#define CANONICAL_MAX (256 << 10)
#define HEX_SIZE (2 * DIGEST_SHA256_SIZE + 1)

/* The parts of an Authorization header; all point into ${copy}. */
struct authorization {
	char *copy;
	char *access_key, *date, *region, *service, *terminator;
	char *signed_headers;
	char *signature;
};

static int split_scope(struct authorization *a, char *credential)
{
	char **parts[] = { &a->terminator, &a->service, &a->region, &a->date };

	for (size_t i = 0; i < 4; i++) {
		char *slash = strrchr(credential, '/');

		if (!slash)
			return -1;
		*slash = '\0';
		*parts[i] = slash + 1;
	}
	a->access_key = credential;
	return 0;
}

static int parse_authorization(const char *header, struct authorization *a)
{
	char *rest, *field, *credential = NULL;

	if (!text_begins(header, ALGORITHM " "))
		return -1;
	rest = a->copy = alloc_string(header + strlen(ALGORITHM " "));
	while ((field = strsep(&rest, ","))) {
		field += strspn(field, " ");
		if (text_begins(field, "Credential="))
			credential = field + strlen("Credential=");
		else if (text_begins(field, "SignedHeaders="))
			a->signed_headers = field + strlen("SignedHeaders=");
		else if (text_begins(field, "Signature="))
			a->signature = field + strlen("Signature=");
	}
	if (!credential || !a->signed_headers || !a->signature)
		return -1;
	return split_scope(a, credential);
}

/* ---- the canonical request ---- */

/* The path as it should have been encoded: every byte but the unreserved
 * ones and '/' as %XX, once, and nothing normalised. */
static void add_path(struct strbuf *out, const struct request *r)
{
	char *path = alloc_bytes(r->path_len + 1);
	size_t len;

	memcpy(path, r->target, r->path_len);
	len = text_unescape(path, r->path_len, false);
	text_escape(out, TEXT_PATH, path, len);
	free(path);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each parameter encoded, then sorted. NAME and VALUE are compared apart:
 * '\1' sorts below all that they can hold, '=' does not. */
static void add_query(struct strbuf *out, const struct request *r)
{
	char **lines = alloc_zero(r->n_params + 1, sizeof(*lines));

	for (size_t i = 0; i < r->n_params; i++) {
		const struct param *p = &r->params[i];
		struct strbuf line = STRBUF_INIT(CANONICAL_MAX);

		text_escape(&line, TEXT_URI, p->name, p->name_len);
		strbuf_addc(&line, '\1');
		text_escape(&line, TEXT_URI, p->value, p->value_len);
		lines[i] = strbuf_detach(&line);
	}
	qsort(lines, r->n_params, sizeof(*lines), compare_text);
	for (size_t i = 0; i < r->n_params; i++) {
		*strchr(lines[i], '\1') = '=';
		strbuf_adds(out, i > 0 ? "&" : "");
		strbuf_adds(out, lines[i]);
		free(lines[i]);
	}
	free(lines);
}

/* Without spaces at the ends, and one for several within. */
static void add_trimmed(struct strbuf *out, const char *value)
{
	bool space = false, any = false;

	for (; *value; value++) {
		if (*value == ' ' || *value == '\t') {
			space = true;
			continue;
		}
		if (space && any)
			strbuf_addc(out, ' ');
		strbuf_addc(out, *value);
		space = false;
		any = true;
	}
}

struct header_search {
	struct strbuf *out;
	const char *name;
	int found;
};

static enum MHD_Result add_header_value(void *arg, enum MHD_ValueKind kind,
    const char *name, const char *value)
{
	struct header_search *search = arg;

	(void)kind;
	if (strcasecmp(name, search->name) == 0) {
		strbuf_adds(search->out, search->found++ > 0 ? "," : "");
		add_trimmed(search->out, value ? value : "");
	}
	return MHD_YES;
}

/* "name:value\n" for each signed header, which must be there and in order.
 * But for Expect: that one belongs to a hop, and curl signs it even when told
 * not to send it. */
static int add_headers(struct strbuf *out, const struct request *r,
    const char *signed_headers)
{
	char *copy = alloc_string(signed_headers), *rest = copy, *name;
	const char *last = "";
	int result = 0;

	while (result == 0 && (name = strsep(&rest, ";"))) {
		struct header_search search = { out, name, 0 };

		strbuf_addf(out, "%s:", name);
		MHD_get_connection_values(r->connection, MHD_HEADER_KIND,
		    add_header_value, &search);
		strbuf_addc(out, '\n');
		if ((search.found == 0 && strcmp(name, "expect") != 0) ||
		    strcmp(last, name) >= 0)
			result = -1;
		last = name;
	}
	free(copy);
	return result;
}

static bool is_signed(const char *signed_headers, const char *name)
{
	size_t len = strlen(name);

	while (*signed_headers) {
		size_t n = strcspn(signed_headers, ";");

		if (n == len && strncasecmp(signed_headers, name, len) == 0)
			return true;
		signed_headers += n;
		signed_headers += *signed_headers == ';';
	}
	return false;
}

struct unsigned_search {
	const char *signed_headers;
	const char *missing;
};

static enum MHD_Result find_unsigned(void *arg, enum MHD_ValueKind kind,
    const char *name, const char *value)
{
	struct unsigned_search *search = arg;

	(void)kind;
	(void)value;
	if ((strcasecmp(name, "host") == 0 ||
		strncasecmp(name, "x-amz-", 6) == 0) &&
	    !is_signed(search->signed_headers, name))
		search->missing = name;
	return MHD_YES;
}

/* ---- the signature ---- */

/* The signing key is the same all day, as long as the same ones ask. */
static void signing_key(const struct server *server,
    const struct authorization *a, const char *secret_key,
    unsigned char key[DIGEST_SHA256_SIZE])
{
	static _Thread_local char cached_for[512];
	static _Thread_local unsigned char cached[DIGEST_SHA256_SIZE];
	char this[512], secret[512];

	snprintf(this, sizeof(this), "%s %s %s", a->date, a->service,
	    secret_key);
	if (strcmp(cached_for, this) != 0) {
		int len = snprintf(secret, sizeof(secret), "AWS4%s",
		    secret_key);

		digest_hmac_sha256(secret, (size_t)len, a->date,
		    strlen(a->date), cached);
		digest_hmac_sha256(cached, sizeof(cached), server->region,
		    strlen(server->region), cached);
		digest_hmac_sha256(cached, sizeof(cached), a->service,
		    strlen(a->service), cached);
		digest_hmac_sha256(cached, sizeof(cached), "aws4_request", 12,
		    cached);
		memcpy(cached_for, this, sizeof(this));
	}
	memcpy(key, cached, sizeof(cached));
}

/* The signature that ${r} should carry. */
static void sign(const struct request *r, const struct authorization *a,
    const struct identity_keys *keys, const char *when,
    const struct strbuf *canonical, struct strbuf *to_sign,
    char hex[HEX_SIZE])
{
	unsigned char hash[DIGEST_SHA256_SIZE], key[DIGEST_SHA256_SIZE];

	digest_once(DIGEST_SHA256, strbuf_text(canonical), canonical->len,
	    hash);
	digest_hex(hash, sizeof(hash), hex);
	strbuf_addf(to_sign, ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s", when,
	    a->date, a->region, a->service, hex);
	signing_key(r->server, a, keys->secret, key);
	digest_hmac_sha256(key, sizeof(key), strbuf_text(to_sign), to_sign->len,
	    hash);
	digest_hex(hash, sizeof(hash), hex);
}

static int check_signature(struct request *r, const struct authorization *a,
    const struct identity_keys *keys, const char *when, const char *payload)
{
	struct strbuf canonical = STRBUF_INIT(CANONICAL_MAX);
	struct strbuf to_sign = STRBUF_INIT(4096);
	struct strbuf extra = STRBUF_INIT(8192);
	char expected[HEX_SIZE];
	int result = 0;

	strbuf_addf(&canonical, "%s\n", r->method);
	add_path(&canonical, r);
	strbuf_addc(&canonical, '\n');
	add_query(&canonical, r);
	strbuf_addc(&canonical, '\n');
	if (add_headers(&canonical, r, a->signed_headers) < 0)
		result = reply_error_as(r, 403, "SignatureDoesNotMatch",
		    "SignedHeaders names a header that was not sent, or is not "
		    "sorted",
		    NULL);
	strbuf_addf(&canonical, "\n%s\n%s", a->signed_headers, payload);
	sign(r, a, keys, when, &canonical, &to_sign, expected);
	if (result == 0 &&
	    (strlen(a->signature) != sizeof(expected) - 1 ||
		CRYPTO_memcmp(a->signature, expected, sizeof(expected) - 1))) {
		strbuf_adds(&extra, "<AWSAccessKeyId>");
		text_xml(&extra, a->access_key, strlen(a->access_key));
		strbuf_adds(&extra, "</AWSAccessKeyId><StringToSign>");
		text_xml(&extra, strbuf_text(&to_sign), to_sign.len);
		strbuf_adds(&extra, "</StringToSign>");
		result = reply_error(r, "SignatureDoesNotMatch",
		    strbuf_text(&extra));
	}
	strbuf_release(&canonical);
	strbuf_release(&to_sign);
	strbuf_release(&extra);
	return result;
}

/* ---- what must hold besides ---- */

static int parse_basic_date(const char *when, int64_t *wall_ns)
{
	char iso[32];

	if (strlen(when) != 16)
		return -1;
	snprintf(iso, sizeof(iso), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", when,
	    when + 4, when + 6, when + 9, when + 11, when + 13);
	return clock_parse_iso(iso, wall_ns);
}

/* The request's time: near ours, and on the scope's day. */
static int check_time(struct request *r, const struct authorization *a,
    const char *when)
{
	char now[CLOCK_ISO_MAX], extra[256];
	int64_t wall_ns;

	if (!when || parse_basic_date(when, &wall_ns) < 0)
		return reply_error_as(r, 403, "AccessDenied",
		    "AWS authentication requires a valid Date or x-amz-date "
		    "header",
		    NULL);
	if (strncmp(when, a->date, 8) != 0 || strlen(a->date) != 8)
		return reply_error_as(r, 400, "AuthorizationHeaderMalformed",
		    "The authorization header is malformed; the date of the "
		    "credential is not that of the request",
		    NULL);
	if (llabs(wall_ns - r->now_ns) <= SKEW_MAX_NS)
		return 0;
	clock_format_utc(r->now_ns, now);
	snprintf(extra, sizeof(extra),
	    "<RequestTime>%.16s</RequestTime>"
	    "<ServerTime>%s</ServerTime><MaxAllowedSkewMilliseconds>%" PRId64
	    "</MaxAllowedSkewMilliseconds>",
	    when, now, SKEW_MAX_NS / CLOCK_MS);
	return reply_error(r, "RequestTimeTooSkewed", extra);
}

/* Whose keys these are: the server's own, or ones that it gave out. */
static int find_keys(struct request *r, const struct authorization *a,
    struct identity_keys *keys)
{
	const struct server *server = r->server;

	if (identity_find(server->identity, a->access_key, keys))
		return 0;
	if (strcmp(a->access_key, server->access_key) != 0)
		return reply_error(r, "InvalidAccessKeyId", NULL);
	*keys = (struct identity_keys){ .expires_ns = INT64_MAX };
	snprintf(keys->secret, sizeof(keys->secret), "%s", server->secret_key);
	snprintf(keys->token, sizeof(keys->token), "%s",
	    server->session_token ? server->session_token : "");
	return 0;
}

static int check_scope(struct request *r, const struct authorization *a,
    const char *service)
{
	const char *region = r->server->region;
	char message[512], extra[256];

	if (strcmp(a->region, region) != 0) {
		snprintf(message, sizeof(message),
		    "The authorization header is malformed; the region '%.64s' "
		    "is wrong; expecting '%s'",
		    a->region, region);
		snprintf(extra, sizeof(extra), "<Region>%s</Region>", region);
		return reply_error_as(r, 400, "AuthorizationHeaderMalformed",
		    message, extra);
	}
	if (strcmp(a->service, service) != 0 ||
	    strcmp(a->terminator, "aws4_request") != 0)
		return reply_error_as(r, 400, "AuthorizationHeaderMalformed",
		    "The authorization header is malformed; the scope must end "
		    "in s3/aws4_request",
		    NULL);
	return 0;
}

static int check_token(struct request *r, const struct identity_keys *keys)
{
	const char *token = request_header(r, "x-amz-security-token");

	if (strcmp(token ? token : "", keys->token) != 0)
		return reply_error(r, "InvalidToken", NULL);
	if (keys->expires_ns <= r->now_ns)
		return reply_error(r, "ExpiredToken", NULL);
	return 0;
}

static int check_unsigned(struct request *r, const struct authorization *a)
{
	struct unsigned_search search = { a->signed_headers, NULL };
	char extra[256];

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, find_unsigned,
	    &search);
	if (!search.missing)
		return 0;
	snprintf(extra, sizeof(extra),
	    "<HeadersNotSigned>%.128s</HeadersNotSigned>", search.missing);
	return reply_error_as(r, 403, "AccessDenied",
	    "There were headers present in the request which were not signed",
	    extra);
}

static int check_payload_name(struct request *r, const char *payload)
{
	unsigned char hash[DIGEST_SHA256_SIZE];

	if (!payload)
		return reply_error_as(r, 400, "InvalidRequest",
		    "Missing required header for this request: "
		    "x-amz-content-sha256",
		    NULL);
	if (text_begins(payload, "STREAMING-"))
		return reply_error(r, "NotImplemented", NULL);
	if (strcmp(payload, "UNSIGNED-PAYLOAD") != 0 &&
	    digest_unhex(payload, strlen(payload), hash, sizeof(hash)) < 0)
		return reply_error_as(r, 400, "InvalidArgument",
		    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid "
		    "sha256 value.",
		    NULL);
	return 0;
}

static int check(struct request *r, const char *header, const char *service,
    const char *payload)
{
	const char *when = request_header(r, "x-amz-date");
	struct authorization a = { 0 };
	struct identity_keys keys;
	int result = 0;

	if (parse_authorization(header, &a) < 0)
		result = reply_error(r, "AuthorizationHeaderMalformed", NULL);
	if (result < 0 || find_keys(r, &a, &keys) < 0 ||
	    check_scope(r, &a, service) < 0 || check_token(r, &keys) < 0 ||
	    check_time(r, &a, when) < 0 || check_unsigned(r, &a) < 0 ||
	    check_payload_name(r, payload) < 0 ||
	    check_signature(r, &a, &keys, when, payload) < 0)
		result = -1;
	free(a.copy);
	return result;
}

int auth_check(struct request *r)
{
	const char *header = request_header(r, "Authorization");

	if (!header)
		return r->server->anonymous
		    ? 0
		    : reply_error(r, "AccessDenied", NULL);
	return check(r, header, "s3",
	    request_header(r, "x-amz-content-sha256"));
}

int auth_check_sts(struct request *r, const char *payload)
{
	const char *header = request_header(r, "Authorization");

	return header ? check(r, header, "sts", payload)
		      : reply_error(r, "AccessDenied", NULL);
}
