/* SPDX-License-Identifier: MIT */
/*
 * Cyclic redundancy checks that S3 knows and libcrypto does not. Pure; any
 * thread. (ISA-L as Debian 12 has it knows CRC-32C, but not CRC-64/NVME.)
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

enum crc_kind {
	CRC_32C,    /* Castagnoli: RFC 3720, appendix B.4 */
	CRC_64NVME, /* NVM Express NVM Command Set Specification 1.0, 5.2.1.3.4 */
	CRC_COUNT
};

/* The checksum of what ${crc} is the checksum of, and ${bytes} after it; the
 * checksum of nothing is 0. */
uint64_t crc_update(enum crc_kind kind, uint64_t crc, const void *bytes,
    size_t len);

#endif
