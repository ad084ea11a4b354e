/* How rows end that the destination does not have: with the fallback, or as dead letters. */
#include "export/delivery_int.h"

#include "base/mem.h"
#include "export/ends.h"
#include "export/extra_labels.h"

enum { BURY_AGAIN_MS = 1000 };

/* ---- dead letters ---- */

/* Adds a letter, waiting while it cannot be written. */
static bool insist(struct delivery *d, bool (*add)(struct delivery *, const void *, struct err *),
                   const void *what)
{
    struct wait wait = {DEADLINE_NEVER, d->waits->cancel};

    for (;;) {
        struct err e = ERR_INIT;
        if (add(d, what, &e)) {
            return true;
        }
        delivery_note_state(d, "retrying", &e);
        trace_error(&d->trace, "dead letters cannot be written, trying again",
                    T_STR("exporter", d->place.name), T_ERR(&e));
        if (!wait_sleep(wait_limit_ms(wait, d->env->clock, BURY_AGAIN_MS))) {
            return false;
        }
    }
}

struct letter {
    struct view view;
    struct str reason;
};

static bool add_letter(struct delivery *d, const void *what, struct err *e)
{
    const struct letter *letter = what;

    return dead_letters_add(d->dead, letter->view, letter->reason,
                            (struct wait){DEADLINE_NEVER, d->waits->cancel}, e);
}

static bool add_raw_letter(struct delivery *d, const void *what, struct err *e)
{
    const struct str *parts = what;

    return dead_letters_add_raw(d->dead, parts[0], STR(""), parts[1],
                                (struct wait){DEADLINE_NEVER, d->waits->cancel}, e);
}

enum { DLQ_REASON_MAX = 200 };

/* The reason as a label can have it. */
static struct str label_text(struct str reason)
{
    struct str text = str_slice(reason, 0, DLQ_REASON_MAX);

    while (text.len > 0 && text.len < reason.len && !str_is_utf8(text)) {
        text.len--; /* cut in the middle of a character */
    }
    return str_is_utf8(text) ? text : STR("(not text)");
}

/* The dead letters' exporter gets them too, with whose they are and why as labels; the folder keeps
 * them whatever comes of that. */
static void tell_dlq(struct delivery *d, struct view view, struct str reason)
{
    const struct option_pair pairs[] = {
        {STR("dead_letter_exporter"), d->place.name, NULL},
        {STR("dead_letter_reason"), label_text(reason), NULL},
    };
    const struct option_map extra = {pairs, ARRAY_LEN(pairs)};
    AUTO(batch_autounref) struct batch *labelled = NULL;
    struct outcome out;

    if (d->dlq == NULL || (d->config->dlq_takes & TAKES(batch_info(view.batch)->kind)) == 0) {
        return;
    }
    outcome_init(&out);
    if (!extra_labels_view(&extra, &view, &labelled, &out.err)) {
        out.err = ERR_INIT; /* rows that do not decode go without */
    }
    d->dlq->ops->deliver(d->dlq, view, (struct wait){DEADLINE_NEVER, d->waits->cancel}, &out);
    if (!outcome_is_clean(&out, view.n)) {
        trace_warn(&d->trace, "the exporter of dead letters did not take all; the folder has them",
                   T_STR("exporter", d->place.name), T_ERR(&out.err));
    }
    outcome_release(&out);
}

bool delivery_bury(struct delivery *d, struct view view, struct str reason)
{
    const struct letter letter = {view, reason};

    if (!insist(d, add_letter, &letter)) {
        return false;
    }
    delivery_note_rejected(d, view.n);
    ends_tell(d->place.ends, d->place.name, view, "dead_letter", reason);
    trace_warn(&d->trace, "records became dead letters", T_STR("exporter", d->place.name),
               T_U64("records", view.n), T_STR("reason", reason));
    tell_dlq(d, view, reason);
    return true;
}

bool delivery_bury_rejected(struct delivery *d, struct view view, const struct fate *fates)
{
    uint32_t *rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    const char *reason = "";
    uint32_t n = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i <= view.n; i++) {
        bool is_rejected = i < view.n && fates[i].verdict == VERDICT_REJECTED;
        if (n > 0 && (i == view.n || (is_rejected && strcmp(fates[i].reason, reason) != 0))) {
            ok = delivery_bury(d, (struct view){.batch = view.batch, .rows = rows, .n = n},
                               str_of(reason));
            n = 0;
        }
        if (is_rejected) {
            reason = fates[i].reason;
            rows[n++] = view_row(view, i);
        }
    }
    mem_free(rows);
    return ok;
}

bool delivery_bury_raw(struct delivery *d, struct str bytes, const struct err *why)
{
    const struct str parts[] = {bytes, str_of(why->message)};

    trace_error(&d->trace, "a frame of the log does not decode; kept among the dead letters",
                T_STR("exporter", d->place.name), T_ERR(why));
    if (!insist(d, add_raw_letter, parts)) {
        return false;
    }
    delivery_note_rejected(d, 1);
    delivery_note_rest(d);
    return true;
}

/* ---- telling ---- */

void delivery_tell_ended(struct delivery *d, struct view view, const struct fate *fates,
                         const char *result, struct str reason)
{
    if (!ends_wants(d->place.ends, view)) {
        return;
    }
    uint32_t *rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    uint32_t n = 0;
    for (uint32_t i = 0; i < view.n; i++) {
        if (fates[i].verdict == VERDICT_DELIVERED || fates[i].verdict == VERDICT_HELD) {
            rows[n++] = view_row(view, i);
        }
    }
    if (n > 0) {
        ends_tell(d->place.ends, d->place.name,
                  (struct view){.batch = view.batch, .rows = rows, .n = n}, result, reason);
    }
    mem_free(rows);
}

/* ---- fallback ---- */

void delivery_fall_back(struct delivery *d, struct owed *owed)
{
    struct outcome out;
    uint32_t before = owed->view.n;

    outcome_init(&out);
    d->fallback->ops->deliver(d->fallback, owed->view,
                              (struct wait){DEADLINE_NEVER, d->waits->cancel}, &out);
    struct fate *fates = outcome_fates(&out, before);
    /* What the fallback refuses is not lost by it: it is owed as before. */
    uint32_t taken = 0;
    for (uint32_t i = 0; i < before; i++) {
        bool has_it = fates[i].verdict == VERDICT_DELIVERED || fates[i].verdict == VERDICT_HELD;
        fates[i].verdict = has_it ? VERDICT_DELIVERED : VERDICT_RETRY;
        taken += has_it;
    }
    delivery_tell_ended(d, owed->view, fates, "fallback", str_of(out.err.message));
    if (d->config->fallback_mode == FALLBACK_COPY) {
        owed->is_copied = taken == before;
    } else {
        owed_keep(owed, fates);
    }
    metric_add(d->metrics[OUTPUT_DIVERTED], taken);
    trace_warn(&d->trace, "records went to the fallback", T_STR("exporter", d->place.name),
               T_U64("records", taken), T_U64("of", before), T_ERR(&out.err));
    mem_free(fates);
    outcome_release(&out);
}
