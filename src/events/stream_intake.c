/* What was read becomes events and goes to the workers, or into our log; what cannot be read to the dead letters. */
#include "events/stream_int.h"

#include "base/mem.h"
#include "events/stream_letters.h"
#include "wire/events.h"

enum { AGAIN_MS = 1000, ALL_LEFT_OUT = 100 };

/* ---- what cannot be read ---- */

struct burying {
    struct event_stream *s;
    struct intake *in;
    bool goes_on;
};

static bool is_halted_by(const struct burying *b, const struct transform_fault *f)
{
    struct event_stream *s = b->s;
    const struct change *ch = &b->in->changes.list.items[f->change];
    uint64_t which = change_hash(ch->id, ch->position);

    if (s->config->policy != REFUSED_HALT) {
        return false;
    }
    for (size_t i = 0; i < s->skipped.len; i++) {
        if (s->skipped.items[i] == which) {
            return false;
        }
    }
    struct err why = f->why;
    (void)err_wrap(
        &why,
        "a change cannot become an event, and the policy is to halt; `telex events skip %.*s` makes it a dead letter",
        STR_FMT(s->config->name));
    stream_set_state(s, STREAM_HALTED, &why);
    lock_take(&s->lock);
    s->told.halted_change = which;
    lock_give(&s->lock);
    return true;
}

/* Keeps the bytes among the dead letters, however long that takes; false when the stream is to stop. */
static bool bury(const struct burying *b, const struct transform_fault *f)
{
    struct event_stream *s = b->s;
    const struct wait wait = {DEADLINE_NEVER, s->stop};
    AUTO(buf_release) struct buf reason = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf note = BUF_INIT(BUF_UNLIMITED);

    err_print_line(&f->why, &reason);
    change_letter_note(&b->in->changes.list.items[f->change], &note);
    for (;;) {
        struct err e = ERR_INIT;
        if (dead_letters_add_raw(s->dead, f->bytes, buf_str(&note), buf_str(&reason), wait, &e)) {
            trace_warn(&s->trace, "a change cannot become an event; it is a dead letter",
                       T_STR("stream", s->config->name), T_ERR(&f->why));
            return true;
        }
        trace_error(&s->trace, "dead letters cannot be written, trying again",
                    T_STR("stream", s->config->name), T_ERR(&e));
        if (!stream_pause(s, AGAIN_MS)) {
            return false;
        }
    }
}

static void take_fault(void *arg, const struct transform_fault *f)
{
    struct burying *b = arg;
    struct event_stream *s = b->s;

    if (!b->goes_on) {
        return;
    }
    while (b->goes_on && is_halted_by(b, f)) {
        b->goes_on = stream_pause(s, AGAIN_MS);
    }
    if (b->goes_on && s->config->policy == REFUSED_DROP) {
        drops_add(&s->drops, DROP_REFUSED, 1);
    } else if (b->goes_on) {
        b->goes_on = bury(b, f);
    }
    b->in->is_done[f->change] = b->goes_on;
    metric_add(s->metrics[METRIC_BROKEN], b->goes_on); /* else it is read again */
}

/* ---- our log between ---- */

/* The batch as bytes of its own, since the log may keep it longer than the intake lives. */
static struct batch *own_copy(struct batch *b, struct err *e)
{
    struct str bytes;

    return batch_encoded(b, &bytes, e)
               ? batch_from_bytes(&codec_events, bytes, true, batch_info(b), batch_rows(b))
               : NULL;
}

static bool give(struct event_stream *s, struct batch *b)
{
    const struct give how = {.only = s->target,
                             .durable = true,
                             .wait = {clock_deadline_ms(s->env->clock, AGAIN_MS), s->stop}};
    uint64_t seq = 0;
    struct err e = ERR_INIT;

    while (!plan_give(s->world.plan, b, &how, &seq, &e)) {
        stream_set_state(s, STREAM_WAITS, &e);
        if (!stream_pause(s, AGAIN_MS)) {
            return false;
        }
        e = ERR_INIT;
    }
    stream_set_state(s, STREAM_RUNS, NULL);
    return true;
}

bool stream_hold_again(struct event_stream *s, struct batch *b, struct wait wait, struct err *e)
{
    struct give how = {.durable = true, .wait = wait};
    uint64_t seq = 0;

    if (!plan_target_bit(s->world.plan, s->config->exporter, &how.only)) {
        return err_set(e, ERR_CONFIG, "there is no exporter '%.*s'", STR_FMT(s->config->exporter));
    }
    AUTO(batch_autounref) struct batch *copy = own_copy(b, e);
    return copy != NULL && plan_give(s->world.plan, copy, &how, &seq, e);
}

/* Gives all events of an intake to our log; false when the stream is to stop before it has them. */
static bool hold(struct event_stream *s, struct intake *in)
{
    struct err e = ERR_INIT;

    if (in->events == NULL) {
        return true;
    }
    AUTO(batch_autounref) struct batch *copy = own_copy(in->events, &e);
    if (copy == NULL) {
        stream_set_state(s, STREAM_HALTED, &e);
        while (stream_pause(s, AGAIN_MS)) {
        }
        return false;
    }
    if (!give(s, copy)) {
        return false;
    }
    for (uint32_t i = 0; i < batch_rows(in->events); i++) {
        in->is_done[in->change_of_row[i]] = true;
    }
    return true;
}

/* ---- what is left out ---- */

/* A misspelt field leaves out all, and nothing else tells of it. */
static void look_at_match(struct event_stream *s, struct intake *in,
                          const struct transform_counts *counts)
{
    AUTO(buf_release) struct buf lacking = BUF_INIT(BUF_SMALL);
    size_t n = in->changes.list.len;

    s->unmatched += counts->filtered;
    s->has_matched = s->has_matched || counts->events + counts->broken > 0;
    if (s->has_matched || n == 0 || s->unmatched < ALL_LEFT_OUT) {
        return;
    }
    s->has_matched = true; /* once is enough */
    transform_add_lacking(s->transform, &in->changes.list.items[n - 1], &in->changes.arena,
                          &lacking);
    trace_warn(
        &s->trace,
        "`match` left out every change so far; is it as it is meant? Fields that the last change lacks are "
        "named",
        T_STR("stream", s->config->name), T_U64("changes", s->unmatched),
        T_STR("match", s->config->options.match), T_STR("lacking", buf_str(&lacking)));
}

/* A receiver that goes by the type, or by the schema, would miss it: somebody should know. The log has a limit of its own. */
static void tell_odd(struct event_stream *s, const struct transform_counts *counts)
{
    if (counts->odd > 0) {
        metric_add(s->metrics[METRIC_ODD], counts->odd);
        trace_warn(&s->trace, "what looks like a health event is not quite one",
                   T_STR("stream", s->config->name), T_STR("what", str_of(counts->oddness)),
                   T_STR("id", counts->odd_id), T_U64("together", counts->odd));
    }
}

bool stream_take_in(struct event_stream *s, struct intake *in, enum track track)
{
    struct burying burying = {s, in, true};
    struct transform_counts counts = {0};

    in->read_ns = clock_wall_ns(s->env->clock);
    transform_intake(s->transform, in, &counts, take_fault, &burying);
    metric_add(s->metrics[METRIC_READ], in->changes.list.len);
    metric_add(s->metrics[METRIC_FILTERED], burying.goes_on ? counts.filtered : 0);
    look_at_match(s, in, &counts);
    tell_odd(s, &counts);
    bool goes_on = burying.goes_on && (!s->config->options.buffer || hold(s, in));
    if (goes_on) {
        window_push(&s->windows[track], in);
        if (!s->config->options.buffer) {
            stream_share_out(s, in, track);
        }
    }
    intake_unref(in);
    return goes_on;
}
