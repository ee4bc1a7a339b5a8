/* SPDX-License-Identifier: MIT */
/* ETags of objects that were uploaded in parts. */
#include "s3/etag.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define MIB (INT64_C(1) << 20)
#define PARTS_MAX 10000
#define HEX_LEN ((size_t)2 * DIGEST_MD5_SIZE)

struct s3_etag {
	int64_t part_size;
	int64_t filled;       /* bytes of the part under way */
	int parts;            /* whole ones */
	struct digest *part;  /* of the part under way */
	struct digest *whole; /* of the parts' MD5s */
};

struct s3_etag *s3_etag_new(int64_t part_size)
{
	struct s3_etag *e = alloc_zero(1, sizeof(*e));

	assert(part_size > 0);
	e->part_size = part_size;
	e->part = digest_new(DIGEST_MD5);
	e->whole = digest_new(DIGEST_MD5);
	return e;
}

void s3_etag_free(struct s3_etag *e)
{
	if (!e)
		return;
	digest_free(e->part);
	digest_free(e->whole);
	free(e);
}

void s3_etag_reset(struct s3_etag *e)
{
	e->filled = 0;
	e->parts = 0;
	digest_reset(e->part);
	digest_reset(e->whole);
}

static void end_part(struct s3_etag *e)
{
	unsigned char md5[DIGEST_MD5_SIZE];

	digest_final(e->part, md5);
	digest_update(e->whole, md5, sizeof(md5));
	digest_reset(e->part);
	e->filled = 0;
	e->parts++;
}

void s3_etag_add(struct s3_etag *e, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;

	while (len > 0) {
		int64_t room = e->part_size - e->filled;
		size_t step = (int64_t)len < room ? len : (size_t)room;

		digest_update(e->part, p, step);
		e->filled += (int64_t)step;
		p += step;
		len -= step;
		if (e->filled == e->part_size)
			end_part(e);
	}
}

static void write_text(const unsigned char *md5, int parts,
    char text[S3_ETAG_TEXT_MAX])
{
	digest_hex(md5, DIGEST_MD5_SIZE, text);
	snprintf(text + HEX_LEN, S3_ETAG_TEXT_MAX - HEX_LEN, "-%d", parts);
}

void s3_etag_end(struct s3_etag *e, char text[S3_ETAG_TEXT_MAX])
{
	unsigned char md5[DIGEST_MD5_SIZE];

	if (e->filled > 0 || e->parts == 0)
		end_part(e); /* nothing is one part, too */
	digest_final(e->whole, md5);
	write_text(md5, e->parts, text);
}

void s3_etag_join(const unsigned char *md5s, int count,
    char text[S3_ETAG_TEXT_MAX])
{
	unsigned char md5[DIGEST_MD5_SIZE];

	digest_once(DIGEST_MD5, md5s, (size_t)count * DIGEST_MD5_SIZE, md5);
	write_text(md5, count, text);
}

int s3_etag_parts(const struct etag *etag)
{
	const char *text = (const char *)etag->bytes;
	unsigned char md5[DIGEST_MD5_SIZE];
	int parts = 0;

	if (etag->binary || etag->len < HEX_LEN + 2 ||
	    etag->len > HEX_LEN + 6 || text[HEX_LEN] != '-' ||
	    text[HEX_LEN + 1] == '0' ||
	    digest_unhex(text, HEX_LEN, md5, sizeof(md5)) < 0)
		return 0;
	for (size_t i = HEX_LEN + 1; i < etag->len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		parts = 10 * parts + (text[i] - '0');
	}
	return parts <= PARTS_MAX ? parts : 0;
}

bool s3_etag_equal(const struct etag *etag, const char *text)
{
	return !etag->binary && etag->len == strlen(text) &&
	    memcmp(etag->bytes, text, etag->len) == 0;
}

static int64_t parts_of(int64_t size, int64_t part_size)
{
	return size / part_size + (size % part_size != 0);
}

static void add_size(int64_t size, int parts, int64_t part_size, int64_t *out,
    size_t *count)
{
	if (part_size < 1 || parts_of(size, part_size) != parts ||
	    *count == S3_ETAG_SIZES_MAX)
		return;
	for (size_t i = 0; i < *count; i++)
		if (out[i] == part_size)
			return;
	out[(*count)++] = part_size;
}

size_t s3_etag_sizes(int64_t size, int parts, int64_t own,
    int64_t out[S3_ETAG_SIZES_MAX])
{
	/* aws begins with 8 and doubles; rclone with 5, s3cmd 15, s5cmd 50;
	 * minio's have been 16, 64 and 128; round numbers. MiB. */
	static const int usual[] = { 8, 5, 16, 64, 15, 50, 32, 10, 100, 128, 20,
		25, 200, 250, 256, 500, 512, 1000, 1024, 2048, 4096, 5120 };
	int64_t least = parts > 0 ? parts_of(size, parts) : 0;
	size_t count = 0;

	if (parts < 1 || size < 1)
		return 0;
	if (parts == 1) { /* whatever it is, it is the whole */
		add_size(size, parts, size, out, &count);
		return count;
	}
	add_size(size, parts, own, out, &count);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		add_size(size, parts, usual[i] * MIB, out, &count);
	/* Grown in steps of 1 MiB, or just large enough. */
	add_size(size, parts, parts_of(least, MIB) * MIB, out, &count);
	add_size(size, parts, least, out, &count);
	return count;
}
