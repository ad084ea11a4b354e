/*
 * md5.h - MD5 (RFC 1321), for what others fixed on it: relabelling's hashmod. Never for security.
 *
 * Ownership: none. Threads: any. Limits: none.
 */
#ifndef TELEX_BASE_MD5_H
#define TELEX_BASE_MD5_H

#include "base/str.h"

enum { MD5_BYTES = 16 };

void md5(struct str text, uint8_t ret_digest[MD5_BYTES]);

#endif
