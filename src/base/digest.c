/* SPDX-License-Identifier: MIT */
/* Checksums by libcrypto. To look an algorithm up by name costs more than to
 * hash a short text, so that happens once. */
#include "base/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

static const char *const names[] = {
	[DIGEST_MD5] = "MD5",
	[DIGEST_SHA256] = "SHA256",
};
#define KINDS (sizeof(names) / sizeof(names[0]))

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
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

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
		crypto.md[i] = EVP_MD_fetch(NULL, names[i], NULL);
		must_offer(crypto.md[i], names[i]);
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

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *d = alloc_zero(1, sizeof(*d));

	d->md = md_of(kind);
	d->ctx = EVP_MD_CTX_new();
	must(d->ctx != NULL);
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
	must(EVP_DigestInit_ex2(d->ctx, d->md, NULL));
}

void digest_update(struct digest *d, const void *bytes, size_t len)
{
	must(EVP_DigestUpdate(d->ctx, bytes, len));
}

void digest_final(struct digest *d, unsigned char *out)
{
	must(EVP_DigestFinal_ex(d->ctx, out, NULL));
}

void digest_once(enum digest_kind kind, const void *bytes, size_t len,
    unsigned char *out)
{
	must(EVP_Digest(bytes, len, out, NULL, md_of(kind), NULL));
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
