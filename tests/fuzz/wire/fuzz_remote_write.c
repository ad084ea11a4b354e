/*
 * Any bytes as a WriteRequest. What decodes encodes again, decodes the same and, being written by us,
 * meets the strict rules that concern order and form whenever the names are legal. Relabelled as bytes to
 * the same labels, it is the same.
 */
#include "base/number.h"
#include "wire/remote_write.h"
#include "wire/rw1_relabel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void release(struct samples *s)
{
    for (uint32_t i = 0; i < s->series_count; i++) {
        labels_unref(s->series[i]);
    }
}

static void check_same(const struct samples *s, const struct samples *t)
{
    INVARIANT(s->count == t->count);
    for (uint32_t i = 0; i < s->count; i++) {
        INVARIANT(labels_eq(s->series[s->series_of[i]], t->series[t->series_of[i]]));
        INVARIANT(s->time_ns[i] == t->time_ns[i]);
        INVARIANT(number_bits(s->value[i]) == number_bits(t->value[i]));
    }
}

/* The scan takes what the decoder takes, and counts the same. */
static void check_scan(struct str message)
{
    AUTO(arena_release) struct arena a;
    struct rw1_summary summary;
    struct rw1_extras extras;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool scans = rw1_scan(message, &summary, &e);
    bool decodes = rw1_decode(message, RW1_LENIENT, &a, &s, &extras, &e);
    INVARIANT(scans == decodes);
    if (decodes) {
        INVARIANT(s.count == summary.samples && s.series_count == summary.series);
        INVARIANT(memcmp(&extras, &summary.extras, sizeof(extras)) == 0);
        release(&s);
    }
}

static enum rw1_labels same_labels(void *arg, struct str labels, uint32_t samples, struct str *ret)
{
    struct err e = ERR_INIT;

    (void)arg;
    (void)samples;
    *ret = labels;
    return labels_check_bytes(labels, &e) ? RW1_LABELS_MADE : RW1_LABELS_BAD;
}

static void check_relabel(struct str message, const struct samples *s, struct arena *a)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct rw1_relabeller r = {same_labels, NULL};
    struct samples again;
    uint64_t count = 0;
    struct err e = ERR_INIT;

    if (!rw1_relabel(message, &r, &out, &count)) {
        return;
    }
    INVARIANT(count == s->count);
    INVARIANT(rw1_decode(buf_str(&out), RW1_LENIENT, a, &again, NULL, &e));
    check_same(s, &again);
    release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct samples s;
    struct samples again;
    struct err e = ERR_INIT;
    struct str message = str_make((const char *)data, size);

    check_scan(message);
    arena_init(&a, ARENA_UNLIMITED);
    if (rw1_decode(message, RW1_STRICT, &a, &s, NULL, &e)) {
        release(&s);
        INVARIANT(rw1_decode(message, RW1_LENIENT, &a, &s, NULL, &e));
    } else if (!rw1_decode(message, RW1_LENIENT, &a, &s, NULL, &e)) {
        return 0;
    }
    uint32_t rows = rw1_encode(&s, (struct view){.n = s.count}, 0, SIZE_MAX, &out);
    INVARIANT(rows == s.count);
    INVARIANT(rw1_decode(buf_str(&out), RW1_LENIENT, &a, &again, NULL, &e));
    check_same(&s, &again);
    check_relabel(message, &s, &a);
    release(&s);
    release(&again);
    return 0;
}
