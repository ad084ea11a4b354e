/*
 * golden.h - texts that a test compares with files under tests/golden.
 *
 * With TELEX_GOLDEN_UPDATE in the environment a text becomes its file, to be read before it is
 * committed. Ownership: borrowed. Threads: confined. Limits: GOLDEN_MAX bytes per file.
 */
#ifndef TELEX_FAKE_GOLDEN_H
#define TELEX_FAKE_GOLDEN_H

#include "base/buf.h"
#include "base/str.h"

enum { GOLDEN_MAX = 16 * 1024 * 1024 };

/* NULL when <got> is what tests/golden/<name> holds; else what to tell, in <why>. */
const char *golden_differs(const char *name, struct str got, struct buf *why);

/* Fails the running test unless it is. */
#define assert_golden(name, got)                                              \
    do {                                                                      \
        AUTO(buf_release) struct buf golden_why = BUF_INIT(BUF_SMALL);        \
        const char *golden_text = golden_differs((name), (got), &golden_why); \
        if (golden_text != NULL) {                                            \
            fail_msg("%s", golden_text);                                      \
        }                                                                     \
    } while (0)

#endif
