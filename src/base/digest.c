/* SPDX-License-Identifier: MIT */
/* Checksums by libcrypto and by crc.c. To look an algorithm up by name costs
 * more than to hash a short text, so that happens once. */
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crc.h"

static const struct {
	size_t size;
	const char *name; /* libcrypto's; NULL: it has none */
	enum crc_kind crc;
} kinds[] = {
	[DIGEST_MD5] = { DIGEST_MD5_SIZE, "MD5", 0 },
	[DIGEST_SHA256] = { DIGEST_SHA256_SIZE, "SHA256", 0 },
	[DIGEST_CRC32C] = { 4, NULL, CRC_32C },
	[DIGEST_CRC64NVME] = { 8, NULL, CRC_64NVME },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
	pthread_once_t once;
	EVP_MD *md[KINDS];
	pthread_mutex_t mac_lock;
	EVP_MAC_CTX *mac; /* HMAC-SHA256, keyed anew by each use */
} crypto = {
	.once = PTHREAD_ONCE_INIT,
	.mac_lock = PTHREAD_MUTEX_INITIALIZER,
};

struct digest {
	enum digest_kind kind;
	EVP_MD_CTX *ctx; /* NULL: a CRC */
	uint64_t crc;
};

size_t digest_size(enum digest_kind kind)
{
	return kinds[kind].size;
}

static void must_offer(const void *algorithm, const char *name)
{
	if (algorithm != NULL)
		return;
	fprintf(stderr, "s3sync: libcrypto offers no %s\n", name);
	exit(3);
}

/* For what cannot fail but for want of memory. */
static void must(int ok)
{
	if (ok != 1)
		alloc_failed();
}

static void fetch(void)
{
	char sha256[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha256,
		    0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (kinds[i].name == NULL)
			continue;
		crypto.md[i] = EVP_MD_fetch(NULL, kinds[i].name, NULL);
		must_offer(crypto.md[i], kinds[i].name);
	}
	must_offer(hmac, "HMAC");
	crypto.mac = EVP_MAC_CTX_new(hmac);
	must(crypto.mac != NULL);
	must(EVP_MAC_CTX_set_params(crypto.mac, params));
	EVP_MAC_free(hmac);
}

static const EVP_MD *md_of(enum digest_kind kind)
{
	pthread_once(&crypto.once, fetch);
	return crypto.md[kind];
}

/* The last byte of the number is the last byte of the checksum. */
static void put_crc(enum digest_kind kind, uint64_t crc, unsigned char *out)
{
	for (size_t i = kinds[kind].size; i-- > 0; crc >>= 8)
		out[i] = (unsigned char)crc;
}

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *d = alloc_zero(1, sizeof(*d));

	d->kind = kind;
	if (kinds[kind].name != NULL) {
		d->ctx = EVP_MD_CTX_new();
		must(d->ctx != NULL);
	}
	digest_reset(d);
	return d;
}

void digest_free(struct digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_reset(struct digest *d)
{
	d->crc = 0;
	if (d->ctx != NULL)
		must(EVP_DigestInit_ex2(d->ctx, md_of(d->kind), NULL));
}

void digest_update(struct digest *d, const void *bytes, size_t len)
{
	if (d->ctx != NULL)
		must(EVP_DigestUpdate(d->ctx, bytes, len));
	else
		d->crc = crc_update(kinds[d->kind].crc, d->crc, bytes, len);
}

void digest_final(struct digest *d, unsigned char *out)
{
	if (d->ctx != NULL)
		must(EVP_DigestFinal_ex(d->ctx, out, NULL));
	else
		put_crc(d->kind, d->crc, out);
}

void digest_once(enum digest_kind kind, const void *bytes, size_t len,
    unsigned char *out)
{
	if (kinds[kind].name != NULL)
		must(EVP_Digest(bytes, len, out, NULL, md_of(kind), NULL));
	else
		put_crc(kind, crc_update(kinds[kind].crc, 0, bytes, len), out);
}

void digest_hmac_sha256(const void *key, size_t key_len, const void *bytes,
    size_t len, unsigned char out[DIGEST_SHA256_SIZE])
{
	pthread_once(&crypto.once, fetch);
	pthread_mutex_lock(&crypto.mac_lock);
	must(EVP_MAC_init(crypto.mac, key, key_len, NULL));
	must(EVP_MAC_update(crypto.mac, bytes, len));
	must(EVP_MAC_final(crypto.mac, out, NULL, DIGEST_SHA256_SIZE));
	pthread_mutex_unlock(&crypto.mac_lock);
}

void digest_hex(const unsigned char *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int digest_unhex(const char *hex, size_t hex_len, unsigned char *out,
    size_t len)
{
	int high, low;
	size_t i;

	if (hex_len % 2 != 0 || hex_len / 2 != len)
		return -1;
	for (i = 0; i < len; i++) {
		high = hex_value(hex[2 * i]);
		low = hex_value(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return -1;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

void digest_base64(const unsigned char *bytes, size_t len, char *out)
{
	EVP_EncodeBlock((unsigned char *)out, bytes, (int)len);
}

int digest_unbase64(const char *text, unsigned char *out, size_t len)
{
	unsigned char plain[DIGEST_BASE64_MAX];
	size_t text_len = strlen(text);
	int pad = len % 3 == 0 ? 0 : 3 - (int)(len % 3);

	if (len > DIGEST_MAX || text_len != 4 * ((len + 2) / 3) ||
	    strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/") != text_len - (size_t)pad ||
	    strspn(text + text_len - pad, "=") != (size_t)pad ||
	    EVP_DecodeBlock(plain, (const unsigned char *)text,
		(int)text_len) < (int)len)
		return -1;
	memcpy(out, plain, len);
	return 0;
}
