/*
 * Any bytes as a request of OTLP, of metrics and of traces. Samples can be logged; spans that are read and
 * written again are read the same.
 */
#include "wire/otlp.h"
#include "wire/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void release_notes(const struct notes *notes)
{
    for (uint32_t i = 0; i < notes->count; i++) {
        labels_unref(notes->rows[i].labels);
    }
}

/* Samples with what is known of them, as a log holds them. */
static void check_logged(const struct samples *s, struct arena *a)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct samples again;
    struct err e = ERR_INIT;

    INVARIANT(rw1_encode(s, (struct view){.n = s->count}, 0, SIZE_MAX, &out) == s->count);
    INVARIANT(rw1_decode(buf_str(&out), RW1_LENIENT, a, &again, NULL, &e));
    INVARIANT(again.count == s->count);
    for (uint32_t i = 0; i < again.series_count; i++) {
        labels_unref(again.series[i]);
    }
}

static void check_metrics(struct str message)
{
    const struct otlp_limits limits = {1, 1 << 22};
    AUTO(arena_release) struct arena a;
    struct samples s;
    struct otlp_extras extras;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!otlp_metrics_read(message, &limits, &a, &s, &extras, &e)) {
        INVARIANT(e.code != ERR_NONE);
        return;
    }
    check_logged(&s, &a);
    for (uint32_t i = 0; i < s.count; i++) {
        INVARIANT(labels_get(s.series[i], STR("__name__")).len > 0);
        labels_unref(s.series[i]);
    }
}

static void check_same(const struct notes *notes, struct arena *a)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct otlp_origin origin = {NULL, 0, STR(""), STR("")};
    struct otlp_spans_writer w;
    struct otlp_extras extras;
    struct notes again;
    struct err e = ERR_INIT;

    otlp_spans_begin(&w, &origin, STR(""), &out);
    for (uint32_t i = 0; i < notes->count; i++) {
        INVARIANT(otlp_spans_add(&w, &notes->rows[i]) == NULL);
    }
    otlp_spans_end(&w);
    INVARIANT(otlp_spans_read(buf_str(&out), a, &again, &extras, &e));
    INVARIANT(again.count == notes->count);
    for (uint32_t i = 0; i < notes->count; i++) {
        INVARIANT(again.rows[i].time_ns == notes->rows[i].time_ns);
        INVARIANT(again.rows[i].span->end_ns == notes->rows[i].span->end_ns);
    }
    release_notes(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = str_make((const char *)data, size);
    AUTO(arena_release) struct arena a;
    struct notes notes;
    struct otlp_extras extras;
    struct otlp_partial partial;
    struct otlp_status status;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    check_metrics(message);
    (void)otlp_partial_read(message, &partial);
    (void)otlp_status_read(message, &status);
    if (otlp_spans_read(message, &a, &notes, &extras, &e)) {
        check_same(&notes, &a);
        release_notes(&notes);
    }
    return 0;
}
