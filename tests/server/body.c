/* SPDX-License-Identifier: MIT */
/* A request's body as it arrives, and whether it is what was promised. */
#include "body.h"

#include <string.h>

#include "reply.h"
#include "text.h"

#define EMPTY_SHA256 \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

int body_to_object(struct request *r, const struct strbuf *headers)
{
	r->staged = store_stage(r->server->store, r->key, r->key_len, headers,
	    r->length);
	return r->staged ? 0 : reply_error(r, "InternalError", NULL);
}

void body_to_text(struct request *r)
{
	r->body_is_text = true;
}

static const struct {
	const char *header;
	enum digest_kind kind;
} checksums[] = {
	{ "x-amz-checksum-crc32c", DIGEST_CRC32C },
	{ "x-amz-checksum-sha256", DIGEST_SHA256 },
	{ "x-amz-checksum-crc64nvme", DIGEST_CRC64NVME },
};
#define CHECKSUMS (sizeof(checksums) / sizeof(checksums[0]))

const char *body_checksum(size_t i)
{
	return i < CHECKSUMS ? checksums[i].header : NULL;
}

/* The hex SHA-256 that the body must have; NULL: none is told. */
static const char *promised_sha256(const struct request *r)
{
	const char *payload = request_header(r, "x-amz-content-sha256");

	return payload && strcmp(payload, "UNSIGNED-PAYLOAD") != 0 ? payload
								   : NULL;
}

void body_begin(struct request *r)
{
	if (r->status != 0)
		return;
	if (r->length > 0 && !r->fault.unchecked && promised_sha256(r))
		r->sha256 = digest_new(DIGEST_SHA256);
	if (r->staged || request_header(r, "Content-MD5"))
		r->md5 = digest_new(DIGEST_MD5);
	for (size_t i = 0;
	     i < CHECKSUMS && !r->checksum && !r->fault.unchecked; i++)
		if (request_header(r, checksums[i].header)) {
			r->checksum_header = checksums[i].header;
			r->checksum_kind = checksums[i].kind;
			r->checksum = digest_new(checksums[i].kind);
		}
}

static void take(struct request *r, const void *bytes, size_t len)
{
	if (r->sha256)
		digest_update(r->sha256, bytes, len);
	if (r->md5)
		digest_update(r->md5, bytes, len);
	if (r->checksum)
		digest_update(r->checksum, bytes, len);
	if (r->staged && store_append(r->staged, bytes, len) < 0 &&
	    r->status == 0)
		reply_error(r, "InternalError", NULL);
	if (r->body_is_text)
		strbuf_add(&r->text, bytes, len);
}

void body_append(struct request *r, const void *bytes, size_t len)
{
	const unsigned char *all = bytes;
	unsigned char first;

	if (r->fault.damage && r->received == 0) {
		first = all[0] ^ 1;
		take(r, &first, 1);
		all++;
		len--;
	}
	take(r, all, len);
}

static int verify_sha256(struct request *r)
{
	const char *promised = promised_sha256(r);
	unsigned char sum[DIGEST_SHA256_SIZE];
	char hex[2 * DIGEST_SHA256_SIZE + 1] = EMPTY_SHA256;

	if (!promised || r->fault.unchecked)
		return 0;
	if (r->sha256) {
		digest_final(r->sha256, sum);
		digest_hex(sum, sizeof(sum), hex);
	}
	return strcmp(promised, hex) == 0
	    ? 0
	    : reply_error(r, "XAmzContentSHA256Mismatch", NULL);
}

static int verify_md5(struct request *r)
{
	const char *promised = request_header(r, "Content-MD5");
	char text[32];

	if (!r->md5)
		return 0;
	digest_final(r->md5, r->md5_sum);
	digest_base64(r->md5_sum, sizeof(r->md5_sum), text);
	if (!promised || r->fault.unchecked || strcmp(promised, text) == 0)
		return 0;
	return reply_error(r,
	    strlen(promised) == strlen(text) ? "BadDigest" : "InvalidDigest",
	    NULL);
}

static int verify_checksum(struct request *r)
{
	size_t size = digest_size(r->checksum_kind);
	unsigned char promised[DIGEST_MAX], sum[DIGEST_MAX];

	if (!r->checksum)
		return 0;
	if (digest_unbase64(request_header(r, r->checksum_header), promised,
		size) < 0)
		return reply_error_as(r, 400, "InvalidRequest",
		    "Value for x-amz-checksum- header is invalid.", NULL);
	digest_final(r->checksum, sum);
	return memcmp(sum, promised, size) == 0
	    ? 0
	    : reply_error_as(r, 400, "BadDigest",
		  "The checksum you specified did not match the calculated "
		  "checksum.",
		  NULL);
}

int body_verify(struct request *r)
{
	if (r->staged && r->staged->filled != r->staged->size)
		return reply_error(r, "IncompleteBody", NULL);
	return verify_sha256(r) < 0 || verify_md5(r) < 0 ||
		verify_checksum(r) < 0
	    ? -1
	    : 0;
}
