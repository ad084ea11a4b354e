/*
 * Open addressing, linear probing, at most half full.
 *
 * Invariant: cap is 0 or a power of two, and count * 2 <= cap.
 */
#include "bench/seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_FIRST = 1 << 12, CAP_MAX = 1 << 25 };

static size_t slot_of(const struct seen *s, uint64_t hash)
{
    size_t at = (size_t)hash & (s->cap - 1);
    while (s->slots[at] != 0 && s->slots[at] != hash) {
        at = (at + 1) & (s->cap - 1);
    }
    return at;
}

static void grow(struct seen *s)
{
    struct seen bigger = {.cap = s->cap ? s->cap * 2 : CAP_FIRST};
    bigger.slots = bigger.cap <= CAP_MAX ? calloc(bigger.cap, sizeof *bigger.slots) : NULL;
    if (!bigger.slots) {
        (void)fputs("bench-peer: more series than the peer can count\n", stderr);
        exit(1);
    }
    for (size_t i = 0; i < s->cap; i++) {
        if (s->slots[i] != 0) {
            bigger.slots[slot_of(&bigger, s->slots[i])] = s->slots[i];
        }
    }
    bigger.count = s->count;
    free(s->slots);
    *s = bigger;
}

bool seen_add(struct seen *s, uint64_t hash)
{
    if (s->count * 2 >= s->cap) {
        grow(s);
    }
    hash = hash ? hash : 1;
    size_t at = slot_of(s, hash);
    if (s->slots[at] == hash) {
        return false;
    }
    s->slots[at] = hash;
    s->count++;
    return true;
}

void seen_release(struct seen *s)
{
    free(s->slots);
    *s = (struct seen){0};
}

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

uint64_t seen_hash(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    while (len >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        hash = mix(hash ^ word) + 8;
        p += 8;
        len -= 8;
    }
    uint64_t tail = 0;
    memcpy(&tail, p, len);
    return mix(hash ^ tail) + len;
}
