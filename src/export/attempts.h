/*
 * attempts.h - what the requests of an exporter came to: how many got which status, or no answer for which reason.
 *
 * Statuses that HTTP knows are counted one by one, all others by their class, so that no destination can
 * make more counts than there are kinds.
 *
 * Ownership: an output owns one, its leaves note into it. Threads: any; no lock. Limits: ATTEMPT_KINDS.
 */
#ifndef TELEX_EXPORT_ATTEMPTS_H
#define TELEX_EXPORT_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

struct attempts;
struct http_response;

enum { ATTEMPT_KINDS = 80 };

/* A snapshot, of one output or several. */
struct attempt_counts {
    uint64_t of[ATTEMPT_KINDS];
    int64_t
        token_issued_ns; /* of the OAuth2 token that was used last, on the monotonic clock; 0: none */
};

struct attempts *attempts_new(void);
void attempts_free(struct attempts *a); /* NULL is fine */

/* A request ended with <res>. */
void attempts_note(struct attempts *a, const struct http_response *res, int64_t token_issued_ns);

void attempts_add_to(const struct attempts *a, struct attempt_counts *sum);

/* "204", "5xx", "timeout"; NULL: there is no such kind. */
const char *attempt_kind_name(size_t kind);

#endif
