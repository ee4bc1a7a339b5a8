/* SPDX-License-Identifier: MIT */
/*
 * One routine for both: a reflected check of 32 bits in a register of 64 is
 * the same computation, with upper bits that stay 0. Sixteen bytes a step, by
 * sixteen tables ("slicing-by-16").
 */
#include "base/crc.h"

#include <endian.h>
#include <pthread.h>
#include <string.h>

#define SLICES 16

static const struct {
	uint64_t polynomial; /* reflected */
	uint64_t ones;       /* start value, and what the end is xor'ed with */
} kinds[CRC_COUNT] = {
	[CRC_32C] = { UINT64_C(0x82f63b78), UINT64_C(0xffffffff) },
	[CRC_64NVME] = { UINT64_C(0x9a6c9329ac4bc9b5), UINT64_MAX },
};

static uint64_t tables[CRC_COUNT][SLICES][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
	for (int kind = 0; kind < CRC_COUNT; kind++) {
		uint64_t(*t)[256] = tables[kind];

		for (uint64_t i = 0; i < 256; i++) {
			uint64_t crc = i;

			for (int bit = 0; bit < 8; bit++)
				crc = crc >> 1 ^
				    (crc & 1 ? kinds[kind].polynomial : 0);
			t[0][i] = crc;
		}
		for (int slice = 1; slice < SLICES; slice++)
			for (int i = 0; i < 256; i++)
				t[slice][i] = t[slice - 1][i] >> 8 ^
				    t[0][t[slice - 1][i] & 0xff];
	}
}

static uint64_t load(const unsigned char *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return le64toh(value);
}

uint64_t crc_update(enum crc_kind kind, uint64_t crc, const void *bytes,
    size_t len)
{
	const uint64_t(*t)[256] = tables[kind];
	const unsigned char *p = bytes;

	pthread_once(&made, make_tables);
	crc ^= kinds[kind].ones;
	for (; len >= 16; p += 16, len -= 16) {
		uint64_t a = load(p) ^ crc, b = load(p + 8);

		crc = 0;
		for (int i = 0; i < 8; i++)
			crc ^= t[15 - i][a >> 8 * i & 0xff] ^
			    t[7 - i][b >> 8 * i & 0xff];
	}
	for (; len > 0; p++, len--)
		crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
	return crc ^ kinds[kind].ones;
}
