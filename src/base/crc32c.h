/*
 * crc32c.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected), as iSCSI (RFC 3720), Kafka and
 * the log use it.
 *
 * Hardware where there is SSE4.2 with carry-less multiplication, slicing-by-8 tables elsewhere; both are
 * in the test. Ownership: values. Threads: any. Limits: none.
 */
#ifndef TELEX_BASE_CRC32C_H
#define TELEX_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues <crc> (0 to start) over <len> bytes. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

/* The same without hardware: what crc32c() uses where there is none. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#endif
