/*
 * row_split.h - one leaf of two, each of which takes some samples: those of an address of their own.
 *
 * A view goes to both, each with its rows, and what became of them is told as one outcome: rows whose address
 * works are settled though the other does not, and are not sent again.
 *
 * Ownership: it owns the leaves. Threads: as sink.h. Limits: none of its own.
 */
#ifndef TELEX_EXPORT_ROW_SPLIT_H
#define TELEX_EXPORT_ROW_SPLIT_H

#include "export/sink.h"

enum { ROW_SPLIT_LEAVES = 2 };

/* Which leaf takes the samples of a series. Pure. */
typedef unsigned (*row_split_chooser)(const struct samples *s, uint32_t series);

/* Owns <leaves> from now on. A view whose samples nobody said anything of goes to the first as it is. */
struct sink *row_split_new(struct sink *const *leaves, row_split_chooser choose);

#endif
