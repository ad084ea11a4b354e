/*
 * The datasource side of the peer: answers to instant queries, built once per rule and patched in
 * place (time and last six digits of each value) before each send.
 *
 * Ownership: a struct answer owns its text; the caller keeps it for the life of the process.
 *
 * Threads: one answer is patched and sent by one thread at a time; the caller holds its lock.
 *
 * Limits: 100,000 series per answer (about 25 MB); times from 2001-09-09 on (ten digits).
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { ANSWER_SERIES_MAX = 100000, ANSWER_PARTS_MAX = 5 };

struct answer {
    char *text;
    size_t len;
    uint32_t *series_at;  /* where each series begins; one more entry for the end of the last */
    uint32_t *value_end;  /* where each value's text ends */
    uint32_t *value_base; /* whole-number value with its last six digits as 0; 0 = a fraction */
    uint32_t series;
    uint64_t calls;
};

/* What one answer carried, for the comparison with what the sink receives. */
struct served {
    uint64_t samples;
    uint64_t whole_sum;   /* sum of the whole-number values */
    uint64_t time_sum_ms; /* sum of the samples' times */
};

/* Builds the text for the metric; false when out of memory or over the limit. */
bool answer_init(struct answer *a, const char *metric, uint32_t series);
/* Frees what answer_init() made. */
void answer_release(struct answer *a);
/* Writes new values and the time into the text and says what they sum up to. */
void answer_patch(struct answer *a, int64_t time_ms, struct served *ret_served);
/* The text as parts to send; with rotate, another series comes first at each call. */
int answer_parts(const struct answer *a, bool rotate, struct iovec ret_parts[ANSWER_PARTS_MAX]);

/* Length of an average label object in the answers, for the report. */
double answer_label_bytes(const struct answer *a);

#endif
