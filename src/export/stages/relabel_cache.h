/*
 * relabel_cache.h - what relabel rules made of label sets lately, found by the bytes that stood for them.
 *
 * Senders write a series the same way each time, so its raw label bytes, compared byte by byte, say what
 * the rules make of it without reading a label. Ownership: the cache borrows the rules; bytes handed out
 * live until the next call. Threads: confined to a lane. Limits: RELABEL_CACHE_SETS places of two sets, of
 * which the one not used lately goes; RELABEL_CACHE_BYTES; long sets are not kept.
 */
#ifndef TELEX_EXPORT_STAGES_RELABEL_CACHE_H
#define TELEX_EXPORT_STAGES_RELABEL_CACHE_H

#include "base/str.h"
#include "model/relabel.h"
#include "wire/rw1_relabel.h"

enum { RELABEL_CACHE_SETS = 32 * 1024, RELABEL_CACHE_BYTES = 16 << 20 };

struct relabel_cache;

struct relabel_cache *relabel_cache_new(const struct relabel *rules);
void relabel_cache_free(struct relabel_cache *c); /* NULL is fine */

/* What the rules make of the set whose label fields are <in>. BAD: they are no set. */
enum rw1_labels relabel_cached(struct relabel_cache *c, struct str in, struct str *ret_out);

#endif
