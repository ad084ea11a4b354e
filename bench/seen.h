/*
 * A set of 64-bit hashes: how many different series came in.
 *
 * Ownership: owns its table.
 *
 * Threads: the caller locks.
 *
 * Limits: 16 M entries (256 MiB); two series that share a hash count as one (expected 1e-6 such
 * pairs at two million series).
 */
#ifndef BENCH_SEEN_H
#define BENCH_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen {
    uint64_t *slots; /* 0 = free */
    size_t cap;      /* a power of two, or 0 */
    size_t count;
};

/* Adds the hash; true when it was not there. A full or unallocatable table stops the process. */
bool seen_add(struct seen *s, uint64_t hash);
/* Frees the table. */
void seen_release(struct seen *s);
/* Continues a hash over more bytes. */
uint64_t seen_hash(uint64_t hash, const void *bytes, size_t len);

#endif
