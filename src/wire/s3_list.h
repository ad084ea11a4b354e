/*
 * s3_list.h - answers of S3 and its likes: a page of a bucket's listing (ListObjectsV2), an error.
 *
 * Ownership: keys are given in the arena. Threads: any. Limits: elements may lie S3_DEPTH_MAX deep;
 * keys are cut at nothing, S3 has them up to 1024 bytes.
 */
#ifndef TELEX_WIRE_S3_LIST_H
#define TELEX_WIRE_S3_LIST_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum { S3_DEPTH_MAX = 16 };

/* Receives the keys in their order. */
struct s3_keys {
    void (*key)(void *arg, struct str key);
    void *arg;
};

/* Decodes a page; *ret_next is the token of the next one, empty when this is the last. */
MUST_USE bool s3_list_decode(struct str xml, struct arena *a, const struct s3_keys *keys,
                             struct str *ret_next, struct err *e);

/* "NoSuchBucket: The specified bucket does not exist", or the start of what is no such answer. */
struct str s3_error_text(struct str xml, struct arena *a);

#endif
