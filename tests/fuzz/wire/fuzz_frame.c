/*
 * Any bytes as a log frame: what makes a batch whose rows decode makes the same frame and rows again once
 * its columns are encoded anew.
 */
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A batch of the same alerts, without bytes. */
static struct batch *copy_alerts(struct batch *b, const struct alerts *from)
{
    struct batch *c = batch_new(batch_codec(b), batch_info(b));
    struct alert *rows = arena_array(batch_arena(c), struct alert, from->count);

    for (uint32_t i = 0; i < from->count; i++) {
        struct alert_export *exports =
            arena_array(batch_arena(c), struct alert_export, from->rows[i].export_count);
        rows[i] = from->rows[i];
        rows[i].exports = exports;
        (void)labels_ref(rows[i].labels);
        for (size_t k = 0; k < rows[i].export_count; k++) {
            exports[k] = from->rows[i].exports[k];
            (void)labels_ref(exports[k].labels);
        }
    }
    batch_set_alerts(c, (struct alerts){rows, from->count});
    return c;
}

static void check_alerts(struct batch *b, const struct alerts *alerts)
{
    AUTO(batch_autounref) struct batch *copy = copy_alerts(b, alerts);
    AUTO(batch_autounref) struct batch *again = NULL;
    AUTO(batch_autounref) struct batch *third = NULL;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);
    const struct alerts *back = NULL;
    struct str payload;
    struct str bytes;
    struct err e = ERR_INIT;

    INVARIANT(batch_to_frame(copy, &head, &payload, &e));
    buf_add_str(&head, payload);
    INVARIANT(batch_from_frame(buf_str(&head), &again, &e));
    INVARIANT(batch_alerts(again, &back, &e) && back->count == alerts->count);
    third = copy_alerts(again, back);
    INVARIANT(batch_encoded(third, &bytes, &e) && str_eq(bytes, payload));
}

static bool decodes(struct batch *b, uint32_t *ret_rows)
{
    const struct alerts *alerts = NULL;
    const struct samples *samples = NULL;
    const struct notes *notes = NULL;
    struct err e = ERR_INIT;

    if (batch_info(b)->kind == RECORD_ALERT) {
        bool ok = batch_alerts(b, &alerts, &e);
        *ret_rows = ok ? alerts->count : 0;
        return ok;
    }
    if (record_kind_has_notes(batch_info(b)->kind)) {
        bool ok = batch_notes(b, &notes, &e);
        *ret_rows = ok ? notes->count : 0;
        return ok;
    }
    bool ok = batch_samples(b, &samples, &e);
    *ret_rows = ok ? samples->count : 0;
    return ok;
}

/* A frame joined with itself holds its rows twice. */
static void check_join(struct str bytes, uint32_t rows)
{
    AUTO(batch_autounref) struct batch *both = NULL;
    struct batch_frame frames[2];
    struct err e = ERR_INIT;
    uint32_t joined = 0;

    INVARIANT(batch_frame_read(bytes, &frames[0], &e));
    frames[1] = frames[0];
    INVARIANT(batch_frames_join(&frames[0], &frames[1]));
    if (batch_from_frames(frames, ARRAY_LEN(frames), &both, &e)) {
        INVARIANT(decodes(both, &joined) && joined == 2 * rows);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    const struct alerts *alerts = NULL;
    const struct samples *samples = NULL;
    struct err e = ERR_INIT;

    if (!batch_from_frame(str_make((const char *)data, size), &b, &e)) {
        return 0;
    }
    if (batch_info(b)->kind == RECORD_ALERT) {
        if (batch_alerts(b, &alerts, &e)) {
            check_alerts(b, alerts);
        }
    } else if (batch_info(b)->kind == RECORD_SAMPLE) {
        bool ok = batch_samples(b, &samples, &e);
        INVARIANT(!ok || samples->count == batch_rows(b));
    }
    uint32_t rows = 0;
    if (decodes(b, &rows)) {
        check_join(str_make((const char *)data, size), rows);
    }
    return 0;
}
