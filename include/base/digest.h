/* SPDX-License-Identifier: MIT */
/* Checksums and their text forms. libcrypto, its algorithms fetched once, and
 * base/crc.h, whose results are big-endian here, as S3 writes them. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_MD5, DIGEST_SHA256, DIGEST_CRC32C, DIGEST_CRC64NVME };
#define DIGEST_MAX 32 /* bytes of the longest */
#define DIGEST_MD5_SIZE 16
#define DIGEST_SHA256_SIZE 32
#define DIGEST_BASE64_MAX (4 * ((DIGEST_MAX + 2) / 3) + 1)

size_t digest_size(enum digest_kind kind); /* bytes */

struct digest; /* a running checksum */

struct digest *digest_new(enum digest_kind kind);
void digest_free(struct digest *d);
void digest_reset(struct digest *d);
void digest_update(struct digest *d, const void *bytes, size_t len);
/* Writes the checksum; the digest must be reset before it is used again. */
void digest_final(struct digest *d, unsigned char *out);

void digest_once(enum digest_kind kind, const void *bytes, size_t len,
    unsigned char *out);
void digest_hmac_sha256(const void *key, size_t key_len, const void *bytes,
    size_t len, unsigned char out[DIGEST_SHA256_SIZE]);

/* Lower-case hex; ${out} has 2 * len + 1 bytes. */
void digest_hex(const unsigned char *bytes, size_t len, char *out);
/* 0, or -1 if ${hex} is not exactly 2 * ${len} hex digits. */
int digest_unhex(const char *hex, size_t hex_len, unsigned char *out, size_t len);
/* ${out} has 4 * ((len + 2) / 3) + 1 bytes. */
void digest_base64(const unsigned char *bytes, size_t len, char *out);
/* 0, or -1 if ${text} is not the base64 of exactly ${len} bytes, of at most
 * DIGEST_MAX. */
int digest_unbase64(const char *text, unsigned char *out, size_t len);

#endif
