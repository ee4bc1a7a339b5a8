/* SPDX-License-Identifier: MIT */
/* AWS Signature Version 4: canonical request, signing key, signature. */
#include "s3/sigv4.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "base/alloc.h"
#include "base/digest.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TEXT_MAX ((size_t)1 << 20)
#define DAY_LEN 8 /* "20130524" */
#define HEX_SIZE (2 * DIGEST_SHA256_SIZE + 1)

struct sigv4 {
	char *access_key;
	struct strbuf seed;  /* "AWS4" and the secret */
	struct strbuf scope; /* "/region/service/aws4_request" */
	char *region;
	char *service;
	char day[DAY_LEN + 1];                 /* that ${key} is for */
	unsigned char key[DIGEST_SHA256_SIZE];
	struct strbuf text;                    /* scratch */
};

struct sigv4 *sigv4_new(const struct s3_credentials *credentials,
    const char *region, const char *service)
{
	struct sigv4 *s = alloc_zero(1, sizeof(*s));

	s->access_key = alloc_string(credentials->access_key);
	s->region = alloc_string(region);
	s->service = alloc_string(service);
	strbuf_init(&s->seed, TEXT_MAX);
	strbuf_init(&s->scope, TEXT_MAX);
	strbuf_init(&s->text, TEXT_MAX);
	strbuf_adds(&s->seed, "AWS4");
	strbuf_adds(&s->seed, credentials->secret_key);
	strbuf_addf(&s->scope, "/%s/%s/aws4_request", region, service);
	return s;
}

void sigv4_free(struct sigv4 *s)
{
	if (!s)
		return;
	strbuf_wipe(&s->seed);
	strbuf_release(&s->scope);
	strbuf_wipe(&s->text);
	free(s->access_key);
	free(s->region);
	free(s->service);
	OPENSSL_cleanse(s->key, sizeof(s->key));
	free(s);
}

void sigv4_encode(struct strbuf *out, const void *bytes, size_t len, bool path)
{
	static const char plain[256] = {
		['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,
		['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
		['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1,
		['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
		['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
		['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1,
		['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,
		['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,
		['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
		['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
		['y'] = 1, ['z'] = 1, ['0'] = 1, ['1'] = 1, ['2'] = 1,
		['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
		['8'] = 1, ['9'] = 1, ['-'] = 1, ['.'] = 1, ['_'] = 1,
		['~'] = 1, ['/'] = 2,
	};
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *p = bytes;

	while (len > 0) {
		size_t run = 0;

		while (run < len && plain[p[run]] &&
		    (plain[p[run]] == 1 || path))
			run++;
		strbuf_add(out, p, run);
		p += run;
		len -= run;
		if (len > 0) {
			char code[3] = { '%', hex[*p >> 4], hex[*p & 15] };

			strbuf_add(out, code, sizeof(code));
			p++;
			len--;
		}
	}
}

/* By name alone, and stable: ':' sorts after '-', so sorting whole lines
 * would put x-amz-meta after x-amz-meta-a. */
static void sort_headers(const struct sigv4_request *r,
    const struct sigv4_header **sorted)
{
	assert(r->header_count <= SIGV4_HEADERS_MAX);
	for (size_t i = 0; i < r->header_count; i++) {
		size_t at = i;

		while (at > 0 &&
		    strcmp(sorted[at - 1]->name, r->headers[i].name) > 0) {
			sorted[at] = sorted[at - 1];
			at--;
		}
		sorted[at] = &r->headers[i];
	}
}

/* Without blanks at the ends, and with one for each run of them. */
static void add_trimmed(struct strbuf *out, const char *value)
{
	value += strspn(value, " \t");
	while (*value) {
		size_t run = strcspn(value, " \t");

		strbuf_add(out, value, run);
		value += run;
		value += strspn(value, " \t");
		if (*value)
			strbuf_addc(out, ' ');
	}
}

static bool is_repeated(const struct sigv4_header **sorted, size_t i)
{
	return i > 0 && strcmp(sorted[i]->name, sorted[i - 1]->name) == 0;
}

static void add_names(struct strbuf *out, const struct sigv4_header **sorted,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_repeated(sorted, i))
			continue;
		if (i > 0)
			strbuf_addc(out, ';');
		strbuf_adds(out, sorted[i]->name);
	}
}

static void add_canonical(struct strbuf *out, const struct sigv4_request *r,
    const struct sigv4_header **sorted)
{
	strbuf_adds(out, r->method);
	strbuf_addc(out, '\n');
	strbuf_adds(out, r->path);
	strbuf_addc(out, '\n');
	strbuf_adds(out, r->query);
	for (size_t i = 0; i < r->header_count; i++) {
		/* A header given twice is one line with both values. */
		if (is_repeated(sorted, i)) {
			strbuf_addc(out, ',');
		} else {
			strbuf_addc(out, '\n');
			strbuf_adds(out, sorted[i]->name);
			strbuf_addc(out, ':');
		}
		add_trimmed(out, sorted[i]->value);
	}
	strbuf_adds(out, "\n\n");
	add_names(out, sorted, r->header_count);
	strbuf_addc(out, '\n');
	strbuf_adds(out, r->payload);
}

void sigv4_canonical(const struct sigv4_request *r, struct strbuf *out)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];

	sort_headers(r, sorted);
	add_canonical(out, r, sorted);
}

/* The key changes once a day; the four HMACs are done as rarely. */
static void keep_key_of_day(struct sigv4 *s, const char *date)
{
	unsigned char *key = s->key;

	if (strncmp(s->day, date, DAY_LEN) == 0)
		return;
	digest_hmac_sha256(s->seed.buf, s->seed.len, date, DAY_LEN, key);
	digest_hmac_sha256(key, sizeof(s->key), s->region, strlen(s->region),
	    key);
	digest_hmac_sha256(key, sizeof(s->key), s->service, strlen(s->service),
	    key);
	digest_hmac_sha256(key, sizeof(s->key), "aws4_request", 12, key);
	memcpy(s->day, date, DAY_LEN);
}

void sigv4_sign(struct sigv4 *s, const struct sigv4_request *r,
    const char *date, struct strbuf *out)
{
	const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
	unsigned char sum[DIGEST_SHA256_SIZE];
	char hex[HEX_SIZE];

	sort_headers(r, sorted);
	strbuf_clear(&s->text);
	add_canonical(&s->text, r, sorted);
	digest_once(DIGEST_SHA256, s->text.buf, s->text.len, sum);
	digest_hex(sum, sizeof(sum), hex);

	strbuf_clear(&s->text);
	strbuf_adds(&s->text, ALGORITHM "\n");
	strbuf_adds(&s->text, date);
	strbuf_addc(&s->text, '\n');
	strbuf_add(&s->text, date, DAY_LEN);
	strbuf_add(&s->text, s->scope.buf, s->scope.len);
	strbuf_addc(&s->text, '\n');
	strbuf_adds(&s->text, hex);
	keep_key_of_day(s, date);
	digest_hmac_sha256(s->key, sizeof(s->key), s->text.buf, s->text.len,
	    sum);
	digest_hex(sum, sizeof(sum), hex);

	strbuf_adds(out, ALGORITHM " Credential=");
	strbuf_adds(out, s->access_key);
	strbuf_addc(out, '/');
	strbuf_add(out, date, DAY_LEN);
	strbuf_add(out, s->scope.buf, s->scope.len);
	strbuf_adds(out, ", SignedHeaders=");
	add_names(out, sorted, r->header_count);
	strbuf_adds(out, ", Signature=");
	strbuf_adds(out, hex);
}
