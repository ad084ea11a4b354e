/*
 * resolver.h - questions to DNS: the records of a name, not only its addresses.
 *
 * Each question takes the system's servers, search list and options as they are at that moment, or the servers
 * that it is given. Files such as /etc/hosts are not asked. A name that is not there, or that has no such
 * record, has an empty answer; that is no error.
 *
 * Ownership: answers live in the caller's arena. Threads: any; a call blocks until its wait is over. Limits:
 * DNS_RECORDS_MAX records of an answer.
 */
#ifndef TELEX_NET_RESOLVER_H
#define TELEX_NET_RESOLVER_H

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DNS_RECORDS_MAX = 4096 };

enum dns_type { DNS_A, DNS_AAAA, DNS_SRV, DNS_MX };

struct dns_record {
    struct str host; /* a name, or an address as text */
    uint16_t port;   /* of SRV */
};

struct dns_question {
    struct str name;
    enum dns_type type;
    struct str servers; /* "10.0.0.1:53,10.0.0.2"; empty: the system's */
};

MUST_USE bool dns_ask(const struct env *env, const struct dns_question *question, struct wait wait,
                      struct arena *a, struct dns_record **ret_records, size_t *ret_count,
                      struct err *e);

#endif
