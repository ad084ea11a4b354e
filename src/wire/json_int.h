/*
 * json_int.h - escapes of JSON strings, for the files of the reader.
 *
 * Ownership: decoded text lives in the arena given. Threads: any. Limits: the arena's.
 */
#ifndef TELEX_WIRE_JSON_INT_H
#define TELEX_WIRE_JSON_INT_H

#include "base/arena.h"
#include "base/str.h"

#include <stdbool.h>

/* Decodes the text between quotes; false when an escape is none, *ret_bad is its offset. */
bool json_unescape(struct str raw, struct arena *a, struct str *ret_text, size_t *ret_bad);

/* Would json_unescape() succeed? */
bool json_escapes_are_good(struct str raw, size_t *ret_bad);

#endif
