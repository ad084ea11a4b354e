/*
 * table_pace.h - how many rows a transaction takes when more than a batch of them wait.
 *
 * What a commit costs does not depend on its rows, so where many wait, many go in one. It begins with one
 * batch and doubles while transactions are quick; one that was slow or failed is followed by smaller ones, so
 * that a slow server gets what it can do in time, and refused rows are looked for among few.
 *
 * Ownership: a value. Threads: confined; pure. Limits: those that it is made with.
 */
#ifndef TELEX_EXPORT_TABLE_PACE_H
#define TELEX_EXPORT_TABLE_PACE_H

#include <stdint.h>

struct table_pace {
    uint32_t min; /* a batch */
    uint32_t max;
    uint32_t rows; /* of the next transaction at most */
};

/* <max> below <min> is <min>. */
void table_pace_init(struct table_pace *p, uint32_t min, uint32_t max);

/* A transaction of <rows> rows was committed. */
void table_pace_took(struct table_pace *p, uint32_t rows, int64_t took_ns);

/* One was not. */
void table_pace_failed(struct table_pace *p);

#endif
