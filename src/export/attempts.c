#include "export/attempts.h"

#include "base/attr.h"
#include "base/mem.h"
#include "net/http_client.h"

#include <stdatomic.h>

struct attempts {
    _Atomic uint64_t of[ATTEMPT_KINDS];
    _Atomic int64_t token_issued_ns;
};

struct kind {
    const char *name;
    int first; /* of the statuses, inclusive; 0: none */
    int last;
};

#define STATUS(code)          \
    {                         \
#code, (code), (code) \
    }

/* The first row that fits is it. */
static const struct kind kinds[] = {
    STATUS(100),       STATUS(101),       STATUS(200),       STATUS(201),       STATUS(202),
    STATUS(203),       STATUS(204),       STATUS(205),       STATUS(206),       STATUS(207),
    STATUS(208),       STATUS(226),       STATUS(300),       STATUS(301),       STATUS(302),
    STATUS(303),       STATUS(304),       STATUS(305),       STATUS(307),       STATUS(308),
    STATUS(400),       STATUS(401),       STATUS(402),       STATUS(403),       STATUS(404),
    STATUS(405),       STATUS(406),       STATUS(407),       STATUS(408),       STATUS(409),
    STATUS(410),       STATUS(411),       STATUS(412),       STATUS(413),       STATUS(414),
    STATUS(415),       STATUS(416),       STATUS(417),       STATUS(418),       STATUS(421),
    STATUS(422),       STATUS(423),       STATUS(424),       STATUS(425),       STATUS(426),
    STATUS(428),       STATUS(429),       STATUS(431),       STATUS(451),       STATUS(500),
    STATUS(501),       STATUS(502),       STATUS(503),       STATUS(504),       STATUS(505),
    STATUS(506),       STATUS(507),       STATUS(508),       STATUS(510),       STATUS(511),
    {"1xx", 100, 199}, {"2xx", 200, 299}, {"3xx", 300, 399}, {"4xx", 400, 499}, {"5xx", 500, 599},
    {"other", 1, 999},
};

_Static_assert(ARRAY_LEN(kinds) + HTTP_FAILURES <= ATTEMPT_KINDS, "there is room for each kind");

struct attempts *attempts_new(void)
{
    return mem_new(struct attempts);
}

void attempts_free(struct attempts *a)
{
    mem_free(a);
}

static size_t kind_of(int status)
{
    size_t i = 0;

    while (i + 1 < ARRAY_LEN(kinds) && (status < kinds[i].first || status > kinds[i].last)) {
        i++;
    }
    return i;
}

static void count(struct attempts *a, size_t kind)
{
    (void)atomic_fetch_add_explicit(&a->of[kind], 1, memory_order_relaxed);
}

void attempts_note(struct attempts *a, const struct http_response *res, int64_t token_issued_ns)
{
    if (res->token_refused) {
        count(a, kind_of(401));
    }
    count(a, res->status != 0 ? kind_of(res->status) : ARRAY_LEN(kinds) + res->failure);
    atomic_store_explicit(&a->token_issued_ns, token_issued_ns, memory_order_relaxed);
}

void attempts_add_to(const struct attempts *a, struct attempt_counts *sum)
{
    int64_t issued_ns = atomic_load_explicit(&a->token_issued_ns, memory_order_relaxed);

    for (size_t i = 0; i < ATTEMPT_KINDS; i++) {
        sum->of[i] += atomic_load_explicit(&a->of[i], memory_order_relaxed);
    }
    sum->token_issued_ns = issued_ns > sum->token_issued_ns ? issued_ns : sum->token_issued_ns;
}

const char *attempt_kind_name(size_t kind)
{
    if (kind < ARRAY_LEN(kinds)) {
        return kinds[kind].name;
    }
    size_t failure = kind - ARRAY_LEN(kinds);
    return failure < HTTP_FAILURES ? http_failure_name((enum http_failure)failure) : NULL;
}
