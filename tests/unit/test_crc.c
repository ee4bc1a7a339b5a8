/* SPDX-License-Identifier: MIT */
/* Cyclic redundancy checks against published values, and bit by bit. */
#include "base/crc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>


/* The check values of the catalogue of CRC algorithms; RFC 3720, B.4; the
 * NVM Command Set Specification 1.0, figure 121. */
static void published_values_come_out(void **state)
{
	unsigned char zeros[4096] = { 0 }, ones[4096], up[4096];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (size_t i = 0; i < sizeof(up); i++)
		up[i] = (unsigned char)i;
	assert_true(crc_update(CRC_32C, 0, "123456789", 9) == 0xe3069283);
	assert_true(crc_update(CRC_32C, 0, zeros, 32) == 0x8a9136aa);
	assert_true(crc_update(CRC_32C, 0, ones, 32) == 0x62a8ab43);
	assert_true(crc_update(CRC_32C, 0, up, 32) == 0x46dd794e);
	assert_true(crc_update(CRC_64NVME, 0, "123456789", 9) ==
	    UINT64_C(0xae8b14860a799888));
	assert_true(crc_update(CRC_64NVME, 0, zeros, 4096) ==
	    UINT64_C(0x6482d367eb22b64e));
	assert_true(crc_update(CRC_64NVME, 0, ones, 4096) ==
	    UINT64_C(0xc0ddba7302eca3ac));
	assert_true(crc_update(CRC_64NVME, 0, up, 4096) ==
	    UINT64_C(0x3e729f5f6750449c));
}

/* As the definition says it. */
static uint64_t slowly(uint64_t polynomial, uint64_t ones,
    const unsigned char *p, size_t len)
{
	uint64_t crc = ones;

	for (; len > 0; p++, len--) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
	}
	return crc ^ ones;
}

static void every_length_agrees_with_the_definition(void **state)
{
	unsigned char bytes[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 97 + i / 3);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		assert_true(crc_update(CRC_32C, 0, bytes, len) ==
		    slowly(0x82f63b78, 0xffffffff, bytes, len));
		assert_true(crc_update(CRC_64NVME, 0, bytes, len) ==
		    slowly(UINT64_C(0x9a6c9329ac4bc9b5), UINT64_MAX, bytes,
			len));
	}
}

static void pieces_give_the_checksum_of_the_whole(void **state)
{
	unsigned char bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * i);
	for (int kind = 0; kind < CRC_COUNT; kind++)
		for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
			uint64_t crc = crc_update((enum crc_kind)kind, 0,
			    bytes, cut);

			crc = crc_update((enum crc_kind)kind, crc, bytes + cut,
			    sizeof(bytes) - cut);
			assert_true(crc == crc_update((enum crc_kind)kind, 0,
			    bytes, sizeof(bytes)));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_values_come_out),
		cmocka_unit_test(every_length_agrees_with_the_definition),
		cmocka_unit_test(pieces_give_the_checksum_of_the_whole),
	};

	return cmocka_run_group_tests_name("crc", tests, NULL, NULL);
}
