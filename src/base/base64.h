/*
 * base64.h - RFC 4648 base64, standard and URL alphabets.
 *
 * Ownership: output goes to the caller's buf. Threads: any. Limits: the buf's.
 */
#ifndef TELEX_BASE_BASE64_H
#define TELEX_BASE_BASE64_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

void base64_encode(struct str bytes, struct buf *out);

/* URL alphabet, without padding. */
void base64url_encode(struct str bytes, struct buf *out);

/* Either alphabet, padding optional; false (nothing appended) on any other byte or impossible
 * length. */
bool base64_decode(struct str text, struct buf *out);

#endif
