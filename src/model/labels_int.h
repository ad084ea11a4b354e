/*
 * labels_int.h - how label sets come to be; for the files of this folder that make them.
 *
 * labels_alloc() gives a set whose bytes the caller fills, in the canonical form of labels.c's first
 * invariant, and then seals. Ownership: the caller's, one reference. Threads: confined until sealed.
 * Limits: the caller has checked LABELS_MAX and LABELS_BYTES_MAX.
 */
#ifndef TELEX_MODEL_LABELS_INT_H
#define TELEX_MODEL_LABELS_INT_H

#include "model/labels.h"

/* Tags of the packed form. */
enum { LABEL_TAG_PAIR = 0x0A, LABEL_TAG_NAME = 0x0A, LABEL_TAG_VALUE = 0x12 };

/* A set of <len> bytes and <count> pairs, to be filled. Never NULL. */
struct labels *labels_alloc(size_t len, uint32_t count);

/* Computes the hash of filled bytes; gives <l>. */
struct labels *labels_seal(struct labels *l);

#endif
