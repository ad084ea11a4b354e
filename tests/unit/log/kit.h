/*
 * kit.h - what the tests of the log share: an environment, a log in memory, numbered frames and what is left of them.
 *
 * A numbered frame's payload says its number and is filled to a length that follows from it, so that any frame read back
 * can be checked without a list of what was written. Ownership: the test's. Threads: as the log. Limits: none.
 */
#ifndef TELEX_UNIT_LOG_KIT_H
#define TELEX_UNIT_LOG_KIT_H

#include "base/metrics.h"
#include "base/rand.h"
#include "fake/simfs.h"
#include "log/log.h"

/* cmocka wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct kit {
    struct env env;
    struct rng rng;
    struct metrics *metrics;
    struct simfs *sim;
    struct log_options
        options; /* on the simulated file system, folder "/log"; change at will before opening */
    struct log *log;
    struct log_report report;
};

void kit_init(struct kit *k, uint64_t seed);

/* Closes the log too. */
void kit_release(struct kit *k);

/* Opens k->log; fails the test when that fails. */
void kit_open(struct kit *k);
void kit_close(struct kit *k);

/* A bit for consumer <name>. */
unsigned kit_consumer(struct kit *k, const char *name);

extern const struct wait kit_forever;
struct wait kit_ms(int64_t ms);

/* Fills <payload> (KIT_PAYLOAD_MAX bytes) for frame <number>; gives its length. */
enum { KIT_PAYLOAD_MAX = 2048 };
size_t kit_payload(uint64_t number, char *payload);

/* Appends frame <number> with <mask>; false when the log refuses. */
bool kit_append(struct kit *k, uint64_t number, uint64_t mask, uint64_t *ret_seq);

/* The number of a frame; fails the test when the payload is not as kit_payload() made it. */
uint64_t kit_number(const struct log_frame *f);

/* Numbers of all frames that a reader gives from the oldest on, in order. */
struct kit_numbers {
    uint64_t items[4096];
    size_t len;
};
void kit_read_all(struct kit *k, uint64_t mask, struct kit_numbers *ret_numbers);

#endif
