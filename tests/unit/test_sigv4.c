/* SPDX-License-Identifier: MIT */
/* Requests are signed as AWS publishes it, and as botocore does it. */
#include "s3/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

struct sigv4_case {
	const char *method;
	const char *host;
	const char *key;
	size_t key_len;
	struct {
		const char *name;
		const char *value;
	} query[8];
	struct sigv4_header headers[8]; /* besides those every request has */
	const char *payload;
	const char *region;
	const char *token;
	const char *path;
	const char *encoded_query;
	const char *signed_headers;
	const char *signature;
};

#include "../data/sigv4_cases.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define TEXT_MAX 1000000

static struct sigv4 *signer(const char *access_key, const char *secret_key,
    const char *region, const char *service)
{
	struct s3_credentials c = { .access_key = (char *)access_key,
		.secret_key = (char *)secret_key };

	return sigv4_new(&c, region, service);
}

static void check_authorization(const char *authorization,
    const char *credential, const char *names, const char *signature)
{
	struct strbuf expected = STRBUF_INIT(TEXT_MAX);

	strbuf_addf(&expected, "AWS4-HMAC-SHA256 Credential=%s, "
	    "SignedHeaders=%s, Signature=%s", credential, names, signature);
	assert_string_equal(authorization, strbuf_text(&expected));
	strbuf_release(&expected);
}

/* ---- what AWS publishes ------------------------------------------------- */

/* The examples of the S3 documentation: all headers but the bucket's. */
static void the_examples_of_s3_come_out(void **state)
{
	static const struct {
		const char *method, *path, *query, *payload;
		struct sigv4_header more[2];
		const char *names, *signature;
	} cases[] = {
		{ "GET", "/test.txt", "", SIGV4_EMPTY,
		  { { "range", "bytes=0-9" } },
		  "host;range;x-amz-content-sha256;x-amz-date",
		  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c60"
		  "36bdb41" },
		{ "PUT", "/test%24file.text", "",
		  "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b80"
		  "3f8b072",
		  { { "date", "Fri, 24 May 2013 00:00:00 GMT" },
		    { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
		  "date;host;x-amz-content-sha256;x-amz-date;"
		  "x-amz-storage-class",
		  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0e"
		  "ce108bd" },
		{ "GET", "/", "lifecycle=", SIGV4_EMPTY, { { NULL, NULL } },
		  "host;x-amz-content-sha256;x-amz-date",
		  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a013"
		  "6783543" },
		{ "GET", "/", "max-keys=2&prefix=J", SIGV4_EMPTY,
		  { { NULL, NULL } },
		  "host;x-amz-content-sha256;x-amz-date",
		  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef"
		  "69dc6f7" },
	};
	struct sigv4 *s = signer("AKIAIOSFODNN7EXAMPLE",
	    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1", "s3");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_header headers[] = {
			{ "x-amz-date", "20130524T000000Z" },
			{ "x-amz-content-sha256", cases[i].payload },
			{ "host", "examplebucket.s3.amazonaws.com" },
			cases[i].more[0], cases[i].more[1],
		};
		struct sigv4_request r = { cases[i].method, cases[i].path,
			cases[i].query, headers, 3, cases[i].payload };
		struct strbuf out = STRBUF_INIT(TEXT_MAX);

		while (r.header_count < COUNT(headers) &&
		    headers[r.header_count].name)
			r.header_count++;
		sigv4_sign(s, &r, "20130524T000000Z", &out);
		check_authorization(strbuf_text(&out),
		    "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
		    cases[i].names, cases[i].signature);
		strbuf_release(&out);
	}
	sigv4_free(s);
}

/* Of the suite that the AWS SDKs share: those cases that normalise nothing. */
static void the_vectors_of_the_sdks_come_out(void **state)
{
	static const struct {
		const char *path, *query;
		struct sigv4_header more[4];
		const char *names, *signature;
	} cases[] = {
		{ "/", "", { { NULL, NULL } }, "host;x-amz-date",
		  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d7"
		  "63fbf31" },
		{ "/%E1%88%B4", "", { { NULL, NULL } }, "host;x-amz-date",
		  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd0314"
		  "1be5d85" },
		{ "/", "",
		  { { "my-header1", " value1" },
		    { "my-header2", " \"a   b   c\"" } },
		  "host;my-header1;my-header2;x-amz-date",
		  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee35975"
		  "7a9c736" },
		{ "/", "",
		  { { "my-header1", "value4" }, { "my-header1", "value1" },
		    { "my-header1", "value3" }, { "my-header1", "value2" } },
		  "host;my-header1;x-amz-date",
		  "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830"
		  "c755c01" },
		{ "/", "",
		  { { "my-header1", "value2" }, { "my-header1", "value2" },
		    { "my-header1", "value1" } },
		  "host;my-header1;x-amz-date",
		  "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531"
		  "a5138ea" },
		{ "/", "",
		  { { "x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1"
		      "d763fbf315fa00fa31553b73ebf194267" } },
		  "host;x-amz-date;x-amz-security-token",
		  "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9"
		  "f74e7f8" },
		{ "/example%20space/", "", { { NULL, NULL } },
		  "host;x-amz-date",
		  "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec"
		  "1366741" },
		{ "//example//", "", { { NULL, NULL } }, "host;x-amz-date",
		  "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665"
		  "623c7e5" },
		{ "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
		  "qrstuvwxyz", "", { { NULL, NULL } }, "host;x-amz-date",
		  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65b"
		  "bf5f24f" },
		{ "/", "Param1=value1&Param2=value2", { { NULL, NULL } },
		  "host;x-amz-date",
		  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94"
		  "cdf2500" },
		{ "/example1/example2/../..", "", { { NULL, NULL } },
		  "host;x-amz-date",
		  "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e"
		  "613003b" },
		{ "/./", "", { { NULL, NULL } }, "host;x-amz-date",
		  "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a13"
		  "4695145" },
		{ "/", "%E1%88%B4=bar", { { NULL, NULL } },
		  "host;x-amz-date",
		  "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027"
		  "818dd04" },
	};
	struct sigv4 *s = signer("AKIDEXAMPLE",
	    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", "service");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sigv4_header headers[6] = {
			{ "host", "example.amazonaws.com" },
			{ "x-amz-date", "20150830T123600Z" },
		};
		struct sigv4_request r = { "GET", cases[i].path,
			cases[i].query, headers, 2, SIGV4_EMPTY };
		struct strbuf out = STRBUF_INIT(TEXT_MAX);

		for (size_t k = 0; k < 4 && cases[i].more[k].name; k++)
			headers[r.header_count++] = cases[i].more[k];
		sigv4_sign(s, &r, "20150830T123600Z", &out);
		check_authorization(strbuf_text(&out),
		    "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
		    cases[i].names, cases[i].signature);
		strbuf_release(&out);
	}
	sigv4_free(s);
}

/* ---- what botocore does ------------------------------------------------- */

static void encode_query(const struct sigv4_case *c, struct strbuf *out)
{
	for (size_t i = 0; c->query[i].name; i++) {
		if (i > 0)
			strbuf_addc(out, '&');
		sigv4_encode(out, c->query[i].name, strlen(c->query[i].name),
		    false);
		strbuf_addc(out, '=');
		sigv4_encode(out, c->query[i].value, strlen(c->query[i].value),
		    false);
	}
}

static void check_case(const struct sigv4_case *c)
{
	struct strbuf path = STRBUF_INIT(TEXT_MAX);
	struct strbuf query = STRBUF_INIT(TEXT_MAX);
	struct strbuf out = STRBUF_INIT(TEXT_MAX);
	struct strbuf credential = STRBUF_INIT(TEXT_MAX);
	struct sigv4_header headers[12] = {
		{ "x-amz-date", CASES_DATE },
		{ "x-amz-content-sha256", c->payload },
		{ "host", c->host },
		{ "x-amz-security-token", c->token },
	};
	struct sigv4_request r = { .method = c->method, .headers = headers,
		.header_count = c->token ? 4 : 3, .payload = c->payload };
	struct sigv4 *s = signer(CASES_ACCESS_KEY, CASES_SECRET_KEY, c->region,
	    "s3");

	for (size_t i = 0; c->headers[i].name; i++)
		headers[r.header_count++] = c->headers[i];
	strbuf_adds(&path, "/bucket/");
	sigv4_encode(&path, c->key, c->key_len, true);
	encode_query(c, &query);
	assert_string_equal(strbuf_text(&path), c->path);
	assert_string_equal(strbuf_text(&query), c->encoded_query);
	r.path = strbuf_text(&path);
	r.query = strbuf_text(&query);
	sigv4_sign(s, &r, CASES_DATE, &out);
	strbuf_addf(&credential, "%s/%.8s/%s/s3/aws4_request",
	    CASES_ACCESS_KEY, CASES_DATE, c->region);
	check_authorization(strbuf_text(&out), strbuf_text(&credential),
	    c->signed_headers, c->signature);
	sigv4_free(s);
	strbuf_release(&path);
	strbuf_release(&query);
	strbuf_release(&out);
	strbuf_release(&credential);
}

static void awkward_requests_are_signed_as_by_botocore(void **state)
{
	(void)state;
	assert_true(COUNT(sigv4_cases) >= 60);
	for (size_t i = 0; i < COUNT(sigv4_cases); i++)
		check_case(&sigv4_cases[i]);
}

/* ---- parts -------------------------------------------------------------- */

static void every_byte_is_encoded_once(void **state)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-._~";
	struct strbuf out = STRBUF_INIT(100);

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char c[] = { (char)byte, '\0' };
		char code[4];
		bool is_plain = byte && strchr(plain, byte);

		snprintf(code, sizeof(code), "%%%02X", (unsigned)byte);
		strbuf_clear(&out);
		sigv4_encode(&out, c, 1, false);
		assert_string_equal(strbuf_text(&out), is_plain ? c : code);
		strbuf_clear(&out);
		sigv4_encode(&out, c, 1, true);
		assert_string_equal(strbuf_text(&out),
		    is_plain || byte == '/' ? c : code);
	}
	strbuf_release(&out);
}

static void the_canonical_request_is_what_is_documented(void **state)
{
	static const struct sigv4_header headers[] = {
		{ "x-amz-meta-a", "1" },
		{ "x-amz-meta", " two  words " },
		{ "host", "h" },
	};
	struct sigv4_request r = { "PUT", "/k", "a=b", headers, 3,
		SIGV4_UNSIGNED };
	struct strbuf out = STRBUF_INIT(1000);

	(void)state;
	sigv4_canonical(&r, &out);
	assert_string_equal(strbuf_text(&out),
	    "PUT\n/k\na=b\nhost:h\nx-amz-meta:two words\nx-amz-meta-a:1\n\n"
	    "host;x-amz-meta;x-amz-meta-a\nUNSIGNED-PAYLOAD");
	strbuf_release(&out);
}

/* The key is kept for a day: another day, and the first one again. */
static void the_days_key_follows_the_date(void **state)
{
	static const char *const dates[] = { "20150830T123600Z",
		"20150830T235959Z", "20150831T000000Z", "20150830T123600Z" };
	static const struct sigv4_header host = { "host", "h" };
	struct sigv4_request r = { "GET", "/", "", &host, 1, SIGV4_EMPTY };
	struct sigv4 *kept = signer("A", "S", "r", "s3");

	(void)state;
	for (size_t i = 0; i < COUNT(dates); i++) {
		struct sigv4 *fresh = signer("A", "S", "r", "s3");
		struct strbuf a = STRBUF_INIT(1000), b = STRBUF_INIT(1000);

		sigv4_sign(kept, &r, dates[i], &a);
		sigv4_sign(fresh, &r, dates[i], &b);
		assert_string_equal(strbuf_text(&a), strbuf_text(&b));
		sigv4_free(fresh);
		strbuf_release(&a);
		strbuf_release(&b);
	}
	sigv4_free(kept);
	sigv4_free(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_s3_come_out),
		cmocka_unit_test(the_vectors_of_the_sdks_come_out),
		cmocka_unit_test(awkward_requests_are_signed_as_by_botocore),
		cmocka_unit_test(every_byte_is_encoded_once),
		cmocka_unit_test(the_canonical_request_is_what_is_documented),
		cmocka_unit_test(the_days_key_follows_the_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
