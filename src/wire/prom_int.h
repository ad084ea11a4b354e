/*
 * prom_int.h - where a flat label object ends; the hot inch of reading an answer.
 *
 * Ownership: a view. Threads: any. Limits: reads whole blocks of 64 bytes that lie before <end>.
 */
#ifndef TELEX_WIRE_PROM_INT_H
#define TELEX_WIRE_PROM_INT_H

/*
 * <p> is at a '{'. The byte behind the '}' that closes it, provided that the object holds no other
 * object or array and no backslash, and lies well before <end>; else NULL, and the careful way is due. What
 * is between is not checked.
 */
const char *prom_flat_object_end(const char *p, const char *end);

#endif
