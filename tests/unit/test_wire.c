/* SPDX-License-Identifier: MIT */
/* A request on the wire is the request that was signed. */
#include "s3/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/digest.h"
#include "base/mime.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define NOW (INT64_C(1369353600) * CLOCK_SECOND) /* 2013-05-24 */

struct fixture {
	struct endpoint endpoint;
	struct sigv4 *signer;
	struct wire_sender sender;
	struct s3_properties properties;
	struct wire wire;
};

static struct fixture *make(const char *url, const char *bucket,
    enum s3_addressing addressing, const char *token)
{
	static struct fixture f;
	struct s3_credentials c = {
		.access_key = (char *)"AKIAIOSFODNN7EXAMPLE",
		.secret_key =
		    (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	};
	const struct endpoint_options options = { .url = url, .bucket = bucket,
		.addressing = addressing };
	struct error err = ERROR_INIT;

	assert_int_equal(endpoint_init(&f.endpoint, &options, &err), 0);
	f.signer = sigv4_new(&c, f.endpoint.region, "s3");
	f.properties = (struct s3_properties){ 0 };
	f.sender = (struct wire_sender){ .endpoint = &f.endpoint,
		.signer = f.signer, .session_token = token,
		.properties = &f.properties };
	wire_init(&f.wire);
	return &f;
}

static void release(struct fixture *f)
{
	wire_release(&f->wire);
	sigv4_free(f->signer);
	endpoint_release(&f->endpoint);
}

/* The value of a header that is on the wire, or NULL. */
static const char *header(const struct wire *w, const char *name)
{
	const struct http_request *r = &w->request;
	size_t len = strlen(name);

	for (size_t i = 0; i < r->header_count; i++)
		if (strncmp(r->headers[i], name, len) == 0 &&
		    r->headers[i][len] == ':')
			return r->headers[i] + len + 1 +
			    (r->headers[i][len + 1] == ' ');
	return NULL;
}

static void a_get_is_signed_as_by_botocore(void **state)
{
	struct fixture *f = make("https://s3.amazonaws.com", "examplebucket",
	    S3_ADDRESSING_VIRTUAL, NULL);
	struct s3_get get = { .key = "test.txt", .key_len = 8 };

	(void)state;
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(f->wire.request.url,
	    "https://examplebucket.s3.amazonaws.com/test.txt");
	assert_string_equal(f->wire.request.method, "GET");
	assert_int_equal(f->wire.request.body_size, -1);
	assert_string_equal(header(&f->wire, "host"),
	    "examplebucket.s3.amazonaws.com");
	assert_string_equal(header(&f->wire, "x-amz-date"), "20130524T000000Z");
	assert_null(header(&f->wire, "if-match"));
	assert_null(header(&f->wire, "expect"));
	assert_string_equal(header(&f->wire, "authorization"),
	    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
	    "us-east-1/s3/aws4_request, SignedHeaders=host;"
	    "x-amz-content-sha256;x-amz-date, Signature=df548e2ce037944d03f3"
	    "e68682813b093763996d597cf890ca3d9037fd231eb4");
	release(f);
}

/* Each header that is sent, but for Authorization and Expect, is signed. */
static void check_all_signed(const struct wire *w)
{
	const char *names = strstr(header(w, "authorization"),
	    "SignedHeaders=") + strlen("SignedHeaders=");
	size_t names_len = strcspn(names, ",");

	for (size_t i = 0; i < w->request.header_count; i++) {
		const char *line = w->request.headers[i];
		size_t len = strcspn(line, ":");
		bool found = false;

		if (strncmp(line, "authorization:", 14) == 0 ||
		    strcmp(line, "expect:") == 0)
			continue;
		for (const char *p = names; p < names + names_len;
		    p += strcspn(p, ";,") + 1)
			found = found || (strcspn(p, ";,") == len &&
			    strncmp(p, line, len) == 0);
		if (!found)
			fail_msg("not signed: %s", line);
	}
}

static void a_put_says_all_that_was_asked_for(void **state)
{
	struct fixture *f = make("http://127.0.0.1:9000", "b",
	    S3_ADDRESSING_AUTO, "token");
	unsigned char sha256[32] = { 0xab, 0xcd };
	unsigned char room[ETAG_MAX];
	struct etag etag;
	struct s3_put put = { .key = "a b/\xc3\xbc", .key_len = 6, .size = 7,
		.sha256 = sha256, .if_none_match = true,
		.mtime_ns = INT64_C(1700000000500000000) };

	(void)state;
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(f->wire.request.url,
	    "http://127.0.0.1:9000/b/a%20b/%C3%BC");
	assert_string_equal(f->wire.request.method, "PUT");
	assert_int_equal(f->wire.request.body_size, 7);
	assert_string_equal(header(&f->wire, "host"), "127.0.0.1:9000");
	assert_string_equal(header(&f->wire, "if-none-match"), "*");
	assert_null(header(&f->wire, "if-match"));
	assert_string_equal(header(&f->wire, "x-amz-meta-mtime"),
	    "1700000000.5");
	assert_string_equal(header(&f->wire, "x-amz-security-token"), "token");
	assert_string_equal(header(&f->wire, "x-amz-content-sha256"),
	    "abcd0000000000000000000000000000"
	    "00000000000000000000000000000000");
	assert_string_equal(header(&f->wire, "expect"), "");
	check_all_signed(&f->wire);

	/* Used again: nothing is left of the request before. */
	assert_true(signature_etag_parse("\"d41d8cd98f00b204e9800998ecf8427e\"",
	    34, room, &etag));
	put = (struct s3_put){ .key = "k", .key_len = 1, .size = 1 << 20,
		.if_match = &etag, .mtime_ns = INT64_MIN };
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(f->wire.request.url, "http://127.0.0.1:9000/b/k");
	assert_string_equal(header(&f->wire, "if-match"),
	    "\"d41d8cd98f00b204e9800998ecf8427e\"");
	assert_null(header(&f->wire, "if-none-match"));
	assert_null(header(&f->wire, "x-amz-meta-mtime"));
	assert_null(header(&f->wire, "expect")); /* libcurl's own is kept */
	assert_string_equal(header(&f->wire, "x-amz-content-sha256"),
	    "UNSIGNED-PAYLOAD");
	check_all_signed(&f->wire);
	release(f);
}

static void an_object_is_made_with_what_the_bucket_was_opened_with(void **state)
{
	struct fixture *f = make("http://127.0.0.1:9000", "b",
	    S3_ADDRESSING_AUTO, "token");
	struct mime *mime = mime_new();
	struct s3_put put = { .key = "a/b.HTML", .key_len = 8,
		.mtime_ns = INT64_C(1700000000500000000) };

	(void)state;
	f->properties = (struct s3_properties){ .storage_class = "STANDARD_IA",
		.sse = "aws:kms", .sse_kms_key_id = "alias/key", .mime = mime,
		.acl = "bucket-owner-full-control" };
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(header(&f->wire, "content-type"), "text/html");
	assert_string_equal(header(&f->wire, "x-amz-storage-class"),
	    "STANDARD_IA");
	assert_string_equal(header(&f->wire, "x-amz-server-side-encryption"),
	    "aws:kms");
	assert_string_equal(header(&f->wire,
	    "x-amz-server-side-encryption-aws-kms-key-id"), "alias/key");
	assert_string_equal(header(&f->wire, "x-amz-acl"),
	    "bucket-owner-full-control");
	assert_string_equal(header(&f->wire, "x-amz-meta-mtime"),
	    "1700000000.5");
	assert_null(header(&f->wire, "content-encoding"));
	assert_null(header(&f->wire, "x-amz-request-payer"));
	check_all_signed(&f->wire);
	f->properties.content_type = "image/x-all";
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(header(&f->wire, "content-type"), "image/x-all");
	f->properties = (struct s3_properties){ 0 };
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_null(header(&f->wire, "content-type"));
	assert_null(header(&f->wire, "x-amz-storage-class"));
	mime_free(mime);
	release(f);
}

static void an_upload_in_parts_and_a_copy_make_the_same(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct mime *mime = mime_new();
	struct s3_multipart_create create = { .key = "a.png", .key_len = 5,
		.token = "t", .mtime_ns = INT64_MIN };
	struct s3_copy copy = { .from = "a.png", .from_len = 5,
		.key = "b.png", .key_len = 5 };

	(void)state;
	f->properties = (struct s3_properties){ .storage_class = "STANDARD_IA",
		.sse = "AES256", .mime = mime, .acl = "private" };
	wire_create(&f->wire, &f->sender, &create, NOW);
	assert_string_equal(header(&f->wire, "content-type"), "image/png");
	assert_string_equal(header(&f->wire, "x-amz-storage-class"),
	    "STANDARD_IA");
	assert_string_equal(header(&f->wire, "x-amz-acl"), "private");
	check_all_signed(&f->wire);
	/* A copy has the metadata of its source, and nothing else of it. */
	wire_copy(&f->wire, &f->sender, &copy, "b", NOW);
	assert_null(header(&f->wire, "content-type"));
	assert_string_equal(header(&f->wire, "x-amz-server-side-encryption"),
	    "AES256");
	assert_string_equal(header(&f->wire, "x-amz-storage-class"),
	    "STANDARD_IA");
	check_all_signed(&f->wire);
	mime_free(mime);
	release(f);
}

static void a_part_has_a_checksum_and_no_properties(void **state)
{
	struct fixture *f = make("https://h", "b", S3_ADDRESSING_PATH, NULL);
	unsigned char md5[16] = { 1 };
	struct s3_put part = { .key = "k", .key_len = 1, .size = 5, .md5 = md5,
		.upload_id = "id", .part_number = 1, .mtime_ns = 1 };

	(void)state;
	f->properties = (struct s3_properties){ .storage_class = "STANDARD_IA",
		.content_type = "text/plain", .checksum = S3_CHECKSUM_CRC32C };
	wire_put(&f->wire, &f->sender, &part, NULL, NOW);
	assert_string_equal(header(&f->wire, "content-md5"),
	    "AQAAAAAAAAAAAAAAAAAAAA==");
	assert_null(header(&f->wire, "content-type"));
	assert_null(header(&f->wire, "x-amz-storage-class"));
	check_all_signed(&f->wire);
	release(f);
}

static void a_body_that_is_not_signed_has_a_checksum(void **state)
{
	struct fixture *f = make("https://s3.example", "b", S3_ADDRESSING_AUTO,
	    NULL);
	unsigned char md5[16] = { 1 }, sha256[32] = { 2 }, crc[8] = { 3 };
	struct s3_put put = { .key = "k", .key_len = 1, .size = 3, .md5 = md5,
		.mtime_ns = INT64_MIN };

	(void)state;
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(header(&f->wire, "content-md5"),
	    "AQAAAAAAAAAAAAAAAAAAAA==");
	check_all_signed(&f->wire);
	put.sha256 = sha256;
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_null(header(&f->wire, "content-md5"));
	f->sender.content_md5 = true; /* object lock */
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_non_null(header(&f->wire, "content-md5"));
	f->properties.checksum = S3_CHECKSUM_CRC64NVME;
	put.checksum = crc;
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_null(header(&f->wire, "content-md5"));
	assert_string_equal(header(&f->wire, "x-amz-checksum-crc64nvme"),
	    "AwAAAAAAAAA=");
	check_all_signed(&f->wire);
	release(f);
}

static void the_requester_pays_for_every_request(void **state)
{
	struct fixture *f = make("https://s3.example", "b", S3_ADDRESSING_AUTO,
	    NULL);
	struct s3_get get = { .key = "k", .key_len = 1 };
	struct s3_put put = { .key = "k", .key_len = 1 };
	struct s3_list list = { .prefix = "", .prefix_len = 0 };

	(void)state;
	f->properties.requester_pays = true;
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(header(&f->wire, "x-amz-request-payer"),
	    "requester");
	assert_null(header(&f->wire, "x-amz-checksum-mode"));
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(header(&f->wire, "x-amz-request-payer"),
	    "requester");
	wire_put(&f->wire, &f->sender, &put, NULL, NOW);
	assert_string_equal(header(&f->wire, "x-amz-request-payer"),
	    "requester");
	f->properties.checksum = S3_CHECKSUM_CRC32C;
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(header(&f->wire, "x-amz-checksum-mode"),
	    "ENABLED");
	check_all_signed(&f->wire);
	release(f);
}

static void a_listing_asks_in_the_order_that_is_signed(void **state)
{
	struct fixture *f = make("http://127.0.0.1:9000", "b",
	    S3_ADDRESSING_AUTO, NULL);
	struct s3_list list = { .prefix = "p/ +", .prefix_len = 4,
		.start_after = "p/\n", .start_after_len = 3 };

	(void)state;
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(f->wire.request.url, "http://127.0.0.1:9000/b?"
	    "encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F%20%2B&"
	    "start-after=p%2F%0A");
	list.token = "1/a+=";
	list.max_keys = 3;
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(f->wire.request.url, "http://127.0.0.1:9000/b?"
	    "continuation-token=1%2Fa%2B%3D&encoding-type=url&list-type=2&"
	    "max-keys=3&prefix=p%2F%20%2B");
	check_all_signed(&f->wire);
	assert_null(header(&f->wire, "x-amz-optional-object-attributes"));
	f->sender.restore_status = true;
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(header(&f->wire,
	    "x-amz-optional-object-attributes"), "RestoreStatus");
	check_all_signed(&f->wire);
	release(f);

	f = make(NULL, "bucket", S3_ADDRESSING_AUTO, NULL);
	list = (struct s3_list){ .prefix = "" };
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(f->wire.request.url,
	    "https://bucket.s3.us-east-1.amazonaws.com/?encoding-type=url&"
	    "list-type=2&max-keys=1000&prefix=");
	release(f);
}

static void an_if_match_repeats_the_etag_as_it_was(void **state)
{
	static const char *const etags[] = {
		"\"0123456789abcdef0123456789abcdef\"",
		"\"0123456789ABCDEF0123456789ABCDEF\"",
		"\"0123456789abcdef0123456789abcdef-12\"", "\"x\"",
	};
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_AUTO, NULL);

	(void)state;
	for (size_t i = 0; i < COUNT(etags); i++) {
		unsigned char room[ETAG_MAX];
		struct etag etag;
		struct s3_get get = { .key = "k", .key_len = 1,
			.if_match = &etag };

		assert_true(signature_etag_parse(etags[i], strlen(etags[i]),
		    room, &etag));
		wire_get(&f->wire, &f->sender, &get, NOW);
		assert_string_equal(header(&f->wire, "if-match"), etags[i]);
	}
	release(f);
}

static void times_are_written_as_rclone_writes_them(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 1, "0.000000001" },
		{ INT64_C(1700000000000000000), "1700000000" },
		{ INT64_C(1700000000123456789), "1700000000.123456789" },
		{ INT64_C(1700000000120000000), "1700000000.12" },
		{ INT64_C(10000000000), "10" },
		{ -1, "-0.000000001" },
		{ INT64_C(-1500000000), "-1.5" },
		{ INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN + 1, "-9223372036.854775807" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[WIRE_MTIME_MAX];

		wire_format_mtime(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
		assert_true(wire_parse_mtime(text) == cases[i].ns ||
		    i >= COUNT(cases) - 2);
	}
}

static void times_of_others_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "1700000000.000000000", INT64_C(1700000000000000000) },
		{ "1700000000.5", INT64_C(1700000000500000000) },
		{ "1.0000000019", INT64_C(1000000001) },
		{ "1.", INT64_C(1000000000) },
		{ "1595002920000000000ns", INT64_C(1595002920000000000) },
		{ "-1ns", -1 }, { "1.9ns", 1 },
		{ "1556723428000ms", INT64_C(1556723428000000000) },
		{ "1.5ms", 1500000 }, { "7us", 7000 }, { "2s", 2000000000 },
		{ "1n", INT64_MIN }, { "1 s", INT64_MIN }, { "ns", INT64_MIN },
		{ "9223372036854775807ns", INT64_MIN },
		{ "", INT64_MIN }, { "-", INT64_MIN }, { ".5", INT64_MIN },
		{ "abc", INT64_MIN }, { "1 ", INT64_MIN }, { " 1", INT64_MIN },
		{ "1e9", INT64_MIN }, { "+1", INT64_MIN }, { "--1", INT64_MIN },
		{ "1.5.5", INT64_MIN }, { "2025-01-01", INT64_MIN },
		{ "99999999999999999999", INT64_MIN },
		{ "9223372036854775807", INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(wire_parse_mtime(cases[i].text) == cases[i].ns);
}

static const struct s3_put part = { .key = "k", .key_len = 1, .size = 5,
	.upload_id = "a/b+c", .part_number = 12, .if_none_match = true,
	.mtime_ns = 1 };

static void a_part_names_its_upload_and_nothing_else(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);

	(void)state;
	wire_put(&f->wire, &f->sender, &part, "token", NOW);
	assert_string_equal(f->wire.request.url,
	    "http://h/b/k?partNumber=12&uploadId=a%2Fb%2Bc");
	assert_null(header(&f->wire, "if-none-match"));
	assert_null(header(&f->wire, "x-amz-meta-mtime"));
	assert_null(header(&f->wire, WIRE_TOKEN));
	release(f);
}

static void a_token_goes_into_the_metadata(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct s3_put put = { .key = "k", .key_len = 1,
		.if_none_match = true, .mtime_ns = INT64_MIN };

	(void)state;
	wire_put(&f->wire, &f->sender, &put, "0123", NOW);
	assert_string_equal(header(&f->wire, "x-amz-meta-s3sync-token"),
	    "0123");
	release(f);
}

static void a_range_is_asked_for_by_its_ends(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct s3_get get = { .key = "k", .key_len = 1, .offset = 16,
		.length = 4 };

	(void)state;
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(header(&f->wire, "range"), "bytes=16-19");
	release(f);
}

static void a_prefix_stands_before_every_key(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct s3_get get = { .key = "k", .key_len = 1 };
	struct s3_copy copy = { .from = "a", .from_len = 1, .key = "k",
		.key_len = 1 };
	struct s3_list list = { .prefix = "x", .prefix_len = 1,
		.start_after = "y z", .start_after_len = 3 };

	(void)state;
	f->sender.prefix = "p q/";
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(f->wire.request.url, "http://h/b/p%20q/k");
	wire_copy(&f->wire, &f->sender, &copy, "b", NOW);
	assert_string_equal(f->wire.request.url, "http://h/b/p%20q/k");
	assert_string_equal(header(&f->wire, "x-amz-copy-source"),
	    "/b/p%20q/a");
	wire_list(&f->wire, &f->sender, &list, NOW);
	assert_string_equal(f->wire.request.url, "http://h/b?encoding-type=url"
	    "&list-type=2&max-keys=1000&prefix=p%20q%2Fx"
	    "&start-after=p%20q%2Fy%20z");
	wire_head(&f->wire, &f->sender, NULL, 0, NOW);
	assert_string_equal(f->wire.request.url, "http://h/b");
	release(f);
}

static void a_copy_names_its_source(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct s3_copy copy = { .from = "a b/\xc3\xbc", .from_len = 6,
		.key = "k", .key_len = 1, .if_none_match = true };

	(void)state;
	wire_copy(&f->wire, &f->sender, &copy, "bucket", NOW);
	assert_string_equal(f->wire.request.method, "PUT");
	assert_int_equal(f->wire.request.body_size, 0);
	assert_string_equal(header(&f->wire, "x-amz-copy-source"),
	    "/bucket/a%20b/%C3%BC");
	wire_copy(&f->wire, &f->sender, &copy,
	    "arn:aws:s3:eu-west-1:1:accesspoint/ap", NOW);
	assert_string_equal(header(&f->wire, "x-amz-copy-source"),
	    "arn%3Aaws%3As3%3Aeu-west-1%3A1%3Aaccesspoint/ap/object/"
	    "a%20b/%C3%BC");
	assert_string_equal(header(&f->wire, "if-none-match"), "*");
	release(f);
}

static void an_upload_in_parts_is_begun_completed_and_aborted(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct s3_multipart_create create = { .key = "k", .key_len = 1,
		.token = "t", .mtime_ns = 5 * CLOCK_SECOND };
	struct s3_multipart_complete complete = { .key = "k", .key_len = 1,
		.upload_id = "id", .if_none_match = true };
	struct s3_multipart_abort abort = { .key = "k", .key_len = 1,
		.upload_id = "id" };
	struct s3_multipart_parts parts = { .key = "k", .key_len = 1,
		.upload_id = "id", .after = 7 };
	struct strbuf body = STRBUF_INIT(100);

	(void)state;
	wire_create(&f->wire, &f->sender, &create, NOW);
	assert_string_equal(f->wire.request.method, "POST");
	assert_string_equal(f->wire.request.url, "http://h/b/k?uploads=");
	assert_string_equal(header(&f->wire, "x-amz-meta-mtime"), "5");
	assert_string_equal(header(&f->wire, WIRE_TOKEN), "t");
	strbuf_adds(&body, "<x/>");
	wire_complete(&f->wire, &f->sender, &complete, &body, NOW);
	assert_string_equal(f->wire.request.method, "POST");
	assert_string_equal(f->wire.request.url, "http://h/b/k?uploadId=id");
	assert_int_equal(f->wire.request.body_size, 4);
	assert_string_equal(header(&f->wire, "if-none-match"), "*");
	wire_abort(&f->wire, &f->sender, &abort, NOW);
	assert_string_equal(f->wire.request.method, "DELETE");
	assert_string_equal(f->wire.request.url, "http://h/b/k?uploadId=id");
	wire_parts(&f->wire, &f->sender, &parts, NOW);
	assert_string_equal(f->wire.request.method, "GET");
	assert_string_equal(f->wire.request.url, "http://h/b/k?max-parts=1000"
	    "&part-number-marker=7&uploadId=id");
	strbuf_release(&body);
	release(f);
}

static void a_setting_is_asked_of_the_bucket(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);

	(void)state;
	wire_setting(&f->wire, &f->sender, "object-lock", NOW);
	assert_string_equal(f->wire.request.method, "GET");
	assert_string_equal(f->wire.request.url, "http://h/b?object-lock=");
	assert_int_equal(f->wire.request.body_size, -1);
	release(f);
}

static void a_delete_may_have_a_condition(void **state)
{
	struct fixture *f = make("http://h", "b", S3_ADDRESSING_PATH, NULL);
	struct etag etag = { .bytes = (const unsigned char *)"e-1", .len = 3 };
	struct s3_delete request = { .key = "k", .key_len = 1,
		.if_match = &etag };

	(void)state;
	wire_delete(&f->wire, &f->sender, &request, NOW);
	assert_string_equal(f->wire.request.method, "DELETE");
	assert_string_equal(header(&f->wire, "if-match"), "\"e-1\"");
	release(f);
}

static void who_does_not_sign_says_nothing_of_it(void **state)
{
	struct fixture *f = make("http://127.0.0.1:9000", "open",
	    S3_ADDRESSING_AUTO, NULL);
	struct s3_get get = { .key = "k", .key_len = 1 };

	(void)state;
	f->sender.signer = NULL;
	wire_get(&f->wire, &f->sender, &get, NOW);
	assert_string_equal(f->wire.request.url, "http://127.0.0.1:9000/open/k");
	assert_null(header(&f->wire, "authorization"));
	assert_null(header(&f->wire, "x-amz-date"));
	assert_null(header(&f->wire, "x-amz-content-sha256"));
	assert_non_null(header(&f->wire, "host"));
	release(f);
}

static void the_time_among_the_attributes_of_s3cmd_is_found(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "atime:1400000001/ctime:1400000002/gid:0/gname:root/"
		  "md5:d41d8cd98f00b204e9800998ecf8427e/mode:33188/"
		  "mtime:1700000000/uid:0/uname:root",
		    INT64_C(1700000000000000000) },
		{ "mtime:1.25", 1250000000 }, { "mtime:5/mtime:6", 5000000000 },
		{ "atime:1", INT64_MIN }, { "", INT64_MIN }, { "/", INT64_MIN },
		{ "mtime:", INT64_MIN }, { "uname:mtime:1", INT64_MIN },
		{ "mtime:00000000000000000000000000000000000000000000000001",
		    INT64_MIN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(wire_parse_s3cmd_mtime(cases[i].text) ==
		    cases[i].ns);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_is_signed_as_by_botocore),
		cmocka_unit_test(a_put_says_all_that_was_asked_for),
		cmocka_unit_test(
		    an_object_is_made_with_what_the_bucket_was_opened_with),
		cmocka_unit_test(an_upload_in_parts_and_a_copy_make_the_same),
		cmocka_unit_test(a_part_has_a_checksum_and_no_properties),
		cmocka_unit_test(a_body_that_is_not_signed_has_a_checksum),
		cmocka_unit_test(the_requester_pays_for_every_request),
		cmocka_unit_test(a_listing_asks_in_the_order_that_is_signed),
		cmocka_unit_test(an_if_match_repeats_the_etag_as_it_was),
		cmocka_unit_test(times_are_written_as_rclone_writes_them),
		cmocka_unit_test(times_of_others_are_read),
		cmocka_unit_test(a_part_names_its_upload_and_nothing_else),
		cmocka_unit_test(a_token_goes_into_the_metadata),
		cmocka_unit_test(a_range_is_asked_for_by_its_ends),
		cmocka_unit_test(a_prefix_stands_before_every_key),
		cmocka_unit_test(a_copy_names_its_source),
		cmocka_unit_test(
		    an_upload_in_parts_is_begun_completed_and_aborted),
		cmocka_unit_test(who_does_not_sign_says_nothing_of_it),
		cmocka_unit_test(a_setting_is_asked_of_the_bucket),
		cmocka_unit_test(a_delete_may_have_a_condition),
		cmocka_unit_test(
		    the_time_among_the_attributes_of_s3cmd_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
