/*
 * Invariants
 *   1. A row that delivery_run() no longer counts is delivered, the fallback's, durable among the
 *      dead letters, or dropped by the destination and counted.
 *   2. Rows of a view are delivered in order; a row is not tried again once it has ended.
 *   3. HALT and an open breaker spend neither tries nor age.
 *   4. Who follows another begins where that one left: no sooner, and with as many tries.
 *   5. A call that was cut short by us says nothing about the destination and spends nothing.
 *   6. What is given up because of an answer is asked for in parts first, in order, without pauses: PARTS_MAX calls at most, and
 *      PARTS_FAILED_MAX in a row of which nothing was taken.
 */
#include "export/delivery.h"

#include "export/delivery_int.h"

#include "base/mem.h"
#include "export/ends.h"
#include "export/tap.h"

enum { HALT_MS = 30 * 1000, PROBE_MS = 3 * 1000, TEND_MS = 250, TEND_AGAIN_MS = 10 };
enum { PARTS_MAX = 256, PARTS_FAILED_MAX = 16, STATUS_UNAVAILABLE = 503 };

void owed_keep(struct owed *owed, const struct fate *fates)
{
    uint32_t count = 0;
    uint32_t *rows = fates_owed(fates, owed->view, &count);

    mem_free(owed->rows);
    owed->rows = rows;
    owed->view = (struct view){.batch = owed->batch, .rows = rows, .n = count};
}

/* The first <n> rows have a delivery of their own, of which <part> is left. */
static void owed_put_back(struct owed *owed, uint32_t n, const struct owed *part)
{
    uint32_t left = part->view.n + owed->view.n - n;
    uint32_t *rows = mem_alloc(((size_t)left + 1) * sizeof(*rows));

    for (uint32_t i = 0; i < left; i++) {
        rows[i] =
            i < part->view.n ? view_row(part->view, i) : view_row(owed->view, n + i - part->view.n);
    }
    mem_free(owed->rows);
    owed->rows = rows;
    owed->view = (struct view){.batch = owed->batch, .rows = rows, .n = left};
}

/* ---- one call ---- */

static bool is_cut_short(const struct delivery *d)
{
    return cancel_is_set(d->waits->cancel);
}

static uint32_t count_taken(const struct fate *fates, uint32_t n, const struct outcome *out)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < n; i++) {
        taken += fates[i].verdict == VERDICT_DELIVERED || fates[i].verdict == VERDICT_HELD;
    }
    uint32_t elsewhere = out->dropped + out->left_out;
    return taken > elsewhere ? taken - elsewhere : 0;
}

static void count_dropped(struct delivery *d, const struct outcome *out)
{
    if (out->dropped > 0) {
        drops_count(d->drops, DROP_DESTINATION, out->dropped);
        trace_warn(&d->trace, "the destination dropped records of a batch that it took",
                   T_STR("exporter", d->place.name), T_U64("records", out->dropped),
                   T_ERR(&out->err));
    }
}

static void halt_at(struct fate *fate, struct outcome *out)
{
    fate->verdict = VERDICT_HALT;
    out->rest = VERDICT_HALT;
    if (out->err.code == ERR_NONE) {
        (void)err_set(&out->err, ERR_CONFLICT, "%s", fate->reason);
    }
}

uint64_t delivery_event_hash(const struct event *ev)
{
    return str_hash(ev->id, str_hash(ev->source, 0)) | 1;
}

/* 0: no event. */
static uint64_t event_of_row(struct view view, uint32_t i)
{
    const struct events *events = NULL;
    struct err ignored = ERR_INIT;

    if (batch_info(view.batch)->kind != RECORD_EVENT ||
        !batch_events(view.batch, &events, &ignored)) {
        return 0;
    }
    return delivery_event_hash(&events->rows[view_row(view, i)]);
}

/* Has a person said that this one is to be passed? If not, it holds all up. */
static bool buries(struct delivery *d, struct view view, uint32_t i)
{
    uint64_t event = event_of_row(view, i);
    bool buried = false;

    for (size_t k = 0; event != 0 && d->skips != NULL && k < d->skips->count; k++) {
        buried = buried || d->skips->events[k] == event;
    }
    lock_take(&d->lock);
    d->status.halted_event = buried ? 0 : event;
    lock_give(&d->lock);
    return buried;
}

static void forget_halt(struct delivery *d)
{
    lock_take(&d->lock);
    d->status.halted_event = 0;
    lock_give(&d->lock);
}

/* Refused rows that are to be no dead letters: they hold up all behind them, or are dropped. */
static void apply_policy(struct delivery *d, struct view view, struct fate *fates,
                         struct outcome *out)
{
    int policy = d->config->dead.on_refused;
    uint32_t n = view.n;
    uint32_t dropped = 0;

    if (out->refused && out->settled < n && buries(d, view, out->settled)) {
        fates[out->settled] = (struct fate){VERDICT_REJECTED, out->err.message};
        out->rest = VERDICT_RETRY;
        return;
    }
    for (uint32_t i = 0; policy != REFUSED_KEEP && i < n; i++) {
        if (fates[i].verdict != VERDICT_REJECTED) {
            continue;
        }
        if (policy == REFUSED_HALT && buries(d, view, i)) {
            continue;
        }
        if (policy == REFUSED_HALT) {
            halt_at(&fates[i], out);
        } else {
            fates[i].verdict = VERDICT_DELIVERED;
            dropped++;
        }
    }
    if (dropped > 0) {
        drops_add(d->drops, DROP_REFUSED, dropped);
    }
}

/* Ends what the outcome ended, and says how many rows the destination took; false when cancelled
 * before all of it was on disk. */
static bool settle(struct delivery *d, struct owed *owed, struct outcome *out, uint32_t *ret_taken)
{
    struct view view = owed->view;

    if (d->skips != NULL) {
        forget_halt(d);
    }
    if (outcome_is_clean(out, view.n)) {
        *ret_taken = view.n - (out->left_out < view.n ? out->left_out : view.n);
        if (*ret_taken > 0) {
            ends_tell(d->place.ends, d->place.name, view, "delivered", STR(""));
        }
        owed->view.n = 0;
        return true;
    }
    struct fate *fates = outcome_fates(out, view.n);
    *ret_taken = count_taken(fates, view.n, out);
    count_dropped(d, out);
    delivery_tell_ended(d, view, fates, "delivered", STR(""));
    apply_policy(d, view, fates, out);
    bool ok = delivery_bury_rejected(d, view, fates);
    if (ok) {
        owed_keep(owed, fates);
    }
    mem_free(fates);
    return ok;
}

/* Did the destination answer, whatever it said? It was not asked for what was held back or left out. */
static void note_answer(struct delivery *d, const struct outcome *out, uint32_t asked,
                        uint32_t owed)
{
    bool ok = owed == 0 || !verdict_is_owed(out->rest);

    if (out->held_back || out->left_out >= asked) {
        return;
    }
    breaker_note(&d->breaker, ok, clock_mono_ns(d->env->clock));
    delivery_note_breaker(d);
    delivery_note_health(d, ok, &out->err);
}

static void leave(struct delivery *d, size_t gates)
{
    while (gates > 0) {
        gate_leave(d->gates[--gates]);
    }
}

/* Waits until the multis above let it call; false when there is to be no call now. */
static bool enter(struct delivery *d)
{
    for (size_t i = 0; i < d->gate_count; i++) {
        if (!gate_enter(d->gates[i], (struct wait){DEADLINE_NEVER, d->waits->rest})) {
            leave(d, i);
            return false;
        }
    }
    return true;
}

/* How long a call may take: the shortest that a multi above says. */
static struct wait call_wait(const struct delivery *d)
{
    struct wait wait = {DEADLINE_NEVER, d->waits->cancel};

    for (size_t i = 0; i < d->config->limit_count; i++) {
        wait = wait_limit_ms(wait, d->env->clock, d->config->limits[i].timeout_ns / NS_PER_MS);
    }
    return wait;
}

static bool call(struct delivery *d, struct owed *owed, struct outcome *out)
{
    uint32_t before = owed->view.n;
    uint32_t taken = 0;

    if (!enter(d)) {
        return false;
    }
    int64_t began_ns = clock_mono_ns(d->env->clock);
    d->sink->ops->deliver(d->sink, owed->view, call_wait(d), out);
    leave(d, d->gate_count);
    int64_t took_ns = clock_mono_ns(d->env->clock) - began_ns;
    if (taps_is_open(d->place.taps, d->place.name)) {
        taps_tell(d->place.taps, d->place.name, owed->view, out, took_ns);
    }
    bool ok = settle(d, owed, out, &taken);
    delivery_trace_call(d, out, before, took_ns);
    delivery_note_call(d, out, taken, took_ns);
    if (owed->view.n < before) {
        backoff_reset(&d->backoff);
        d->parts_in_vain = false;
        owed->tries = 0;
    }
    if (ok && !(owed->view.n > 0 && is_cut_short(d))) {
        owed->tries += out->rest != VERDICT_HALT && !out->held_back && owed->view.n > 0;
        note_answer(d, out, before, owed->view.n);
    }
    return ok;
}

/* ---- between calls ---- */

/* Is there a fallback that could take it? */
static bool can_fall_back(const struct delivery *d, const struct owed *owed)
{
    enum record_kind kind = batch_info(owed->view.batch)->kind;

    return d->fallback != NULL && (d->config->fallback_takes & TAKES(kind)) != 0 &&
           !owed->is_copied;
}

static bool is_tried_out(const struct delivery *d, const struct owed *owed)
{
    int64_t max = d->config->retry.max_retries;

    return max > 0 && owed->tries > (uint64_t)max;
}

/* Has it been tried often or long enough? */
static bool is_given_up(const struct delivery *d, const struct owed *owed,
                        const struct outcome *out)
{
    const struct exporter_retry *retry = &d->config->retry;
    int64_t age_ns =
        clock_wall_ns(d->env->clock) - owed->since_ns - rests_since(&d->rests, owed->since_ns);

    if (out->rest == VERDICT_HALT || out->held_back) {
        return false;
    }
    if (d->config->dead.on_refused == REFUSED_HALT && !can_fall_back(d, owed)) {
        return false;
    }
    return is_tried_out(d, owed) || age_ns > retry->max_age_ns;
}

/* Sleeps for what is no age; false when there is to be no other try now. */
static bool rest_until(struct delivery *d, int64_t deadline_ns)
{
    int64_t began_ns = clock_mono_ns(d->env->clock);
    bool goes_on = d->waits->sleep(d->waits->arg, deadline_ns);
    int64_t rested_ns = clock_mono_ns(d->env->clock) - began_ns;

    rests_add(&d->rests, clock_wall_ns(d->env->clock), rested_ns);
    return goes_on;
}

/* Keeps what was tried often enough, with how often that was. */
static bool bury_tried(struct delivery *d, const struct owed *owed, const struct outcome *out)
{
    AUTO(buf_release) struct buf reason = BUF_INIT(BUF_SMALL);

    if (owed->tries > 0) {
        buf_addf(&reason, "after %u tr%s: ", owed->tries, owed->tries == 1 ? "y" : "ies");
    }
    buf_add_str(&reason, outcome_reason(out));
    return delivery_bury(d, owed->view, buf_str(&reason));
}

/* Nobody takes what is owed: it is dropped, or a dead letter. */
static bool let_go(struct delivery *d, struct owed *owed, const struct outcome *out)
{
    if (d->config->dead.on_refused == REFUSED_DROP) {
        drops_add(d->drops, DROP_REFUSED, owed->view.n);
    } else if (!bury_tried(d, owed, out)) {
        return false;
    }
    owed->view.n = 0;
    return true;
}

/* Sleeps before the next try; what it was in the middle of is known if there is to be none. */
static bool back_off(struct delivery *d, int64_t deadline_ns, uint32_t tries)
{
    d->unfinished = (struct unfinished){deadline_ns, tries};
    bool goes_on = d->waits->sleep(d->waits->arg, deadline_ns);
    if (goes_on) {
        d->unfinished = (struct unfinished){0};
    }
    return goes_on;
}

/* The view that the delivery before was in the middle of is this one: goes on there. */
static bool go_on(struct delivery *d, struct owed *owed)
{
    struct unfinished was = d->inherited;

    d->unfinished = (struct unfinished){0};
    d->inherited = (struct unfinished){0};
    if (was.next_try_ns == 0) {
        return true;
    }
    owed->tries = was.tries;
    return back_off(d, was.next_try_ns, was.tries);
}

static bool wait_for_retry(struct delivery *d, const struct outcome *out, uint32_t tries)
{
    bool is_rest = out->rest == VERDICT_HALT || out->held_back;
    int64_t delay_ms = out->retry_after_ms;

    if (out->rest == VERDICT_HALT) {
        delay_ms = HALT_MS;
    } else if (!out->held_back) {
        delay_ms = backoff_next_ms(&d->backoff, d->env->rng, out->retry_after_ms);
    }
    if (!out->held_back) {
        delivery_note_retry(d, out, delay_ms);
    }
    int64_t deadline_ns = clock_deadline_ms(d->env->clock, delay_ms);
    return is_rest ? rest_until(d, deadline_ns) : back_off(d, deadline_ns, tries);
}

/* ---- in parts ---- */

/* May a row of what was sent be at fault? Somebody answered, who is there and does not want others to wait. */
static bool is_about_rows(const struct outcome *out)
{
    return out->rest == VERDICT_RETRY && !out->held_back && out->status >= 500 &&
           out->status != STATUS_UNAVAILABLE;
}

/* Is it worth asking for parts of it? Of a destination that took nothing when it was asked so, not again until it does. */
static bool has_parts(const struct delivery *d, const struct owed *owed, const struct outcome *out)
{
    return owed->view.n > 1 && is_tried_out(d, owed) && is_about_rows(out) &&
           d->breaker.state != BREAKER_OPEN && !d->parts_in_vain;
}

/* Where the parts are in what is owed. */
struct parts {
    uint32_t tries;  /* of the whole */
    uint32_t most;   /* rows of the next */
    uint32_t calls;  /* made */
    uint32_t failed; /* in a row */
    bool any_taken;
    bool is_over; /* no more of them now */
};

/* Sends the next part; what is one row, and at fault, ends. False as try_once(). */
static bool send_part(struct delivery *d, struct owed *owed, struct parts *at, struct outcome *out)
{
    uint32_t n = at->most < owed->view.n ? at->most : owed->view.n;
    struct owed part = {.batch = owed->batch,
                        .view = view_slice(owed->view, 0, n),
                        .tries = at->tries,
                        .since_ns = owed->since_ns};

    bool goes_on = call(d, &part, out) && !(part.view.n > 0 && is_cut_short(d));
    uint32_t left = part.view.n;
    at->calls++;
    at->failed = left < n ? 0 : at->failed + 1;
    at->any_taken = at->any_taken || left < n;
    at->most = left > 0 ? (n + 1) / 2 : n * 2;
    bool is_at_fault = left > 0 && is_about_rows(out);
    at->is_over = left > 0 && (!is_at_fault || at->calls >= PARTS_MAX ||
                               at->failed >= PARTS_FAILED_MAX || d->breaker.state == BREAKER_OPEN);
    if (goes_on && is_at_fault && n == 1) {
        goes_on = let_go(d, &part, out);
    }
    owed_put_back(owed, n, &part);
    mem_free(part.rows);
    return goes_on && !cancel_is_set(d->waits->rest);
}

/*
 * What the destination answered with an error until its tries were used up is sent in ever smaller parts, so that rows
 * do not end with others that are at fault. When the destination takes some, what is left has its tries again.
 */
static bool try_parts(struct delivery *d, struct owed *owed, const struct outcome *whole)
{
    struct parts at = {.tries = owed->tries, .most = (owed->view.n + 1) / 2};
    bool is_owed = false;
    bool goes_on = true;

    while (goes_on && owed->view.n > 0 && !at.is_over) {
        struct outcome out;
        outcome_init(&out);
        goes_on = send_part(d, owed, &at, &out);
        owed->tries = at.any_taken ? 0 : owed->tries;
        is_owed = at.any_taken || out.rest == VERDICT_HALT || out.held_back;
        if (goes_on && at.is_over && is_owed && d->breaker.state != BREAKER_OPEN) {
            goes_on = wait_for_retry(d, &out, owed->tries);
        }
        outcome_release(&out);
    }
    if (!goes_on || owed->view.n == 0 || is_owed) {
        return goes_on;
    }
    d->parts_in_vain = at.failed >= PARTS_FAILED_MAX;
    return let_go(d, owed, whole);
}

/* Tries are used up: the fallback's turn, then the dead letters'. */
static bool give_up(struct delivery *d, struct owed *owed, const struct outcome *out)
{
    if (can_fall_back(d, owed)) {
        delivery_fall_back(d, owed);
        if (owed->view.n > 0 && is_cut_short(d)) {
            return false;
        }
    }
    if (owed->is_copied || owed->view.n == 0) {
        owed->view.n = 0;
        return true;
    }
    if (d->config->dead.on_refused == REFUSED_HALT) {
        return rest_until(d, clock_deadline_ms(d->env->clock, HALT_MS));
    }
    return has_parts(d, owed, out) ? try_parts(d, owed, out) : let_go(d, owed, out);
}

/* The breaker is open: the fallback's turn unless it only holds, else waiting, which is no age. */
static bool wait_for_breaker(struct delivery *d, struct owed *owed)
{
    delivery_note_state(d, "open", NULL);
    if (d->config->fallback_mode != FALLBACK_HOLD && can_fall_back(d, owed)) {
        delivery_fall_back(d, owed);
        if (owed->view.n == 0) {
            return true;
        }
    }
    return rest_until(d, breaker_opens_ns(&d->breaker));
}

/* Hands over what is owed once; false when there is to be no more of it now. */
static bool try_once(struct delivery *d, struct owed *owed)
{
    struct outcome out;

    outcome_init(&out);
    bool goes_on = call(d, owed, &out);
    if (goes_on && owed->view.n > 0) {
        if (is_cut_short(d)) {
            goes_on = false;
        } else if (is_given_up(d, owed, &out)) {
            goes_on = give_up(d, owed, &out);
        } else if (d->breaker.state != BREAKER_OPEN) {
            goes_on = wait_for_retry(d, &out, owed->tries);
        }
    }
    outcome_release(&out);
    return goes_on;
}

uint32_t delivery_run(struct delivery *d, struct view view, int64_t since_ns, uint32_t *ret_owed)
{
    struct owed owed = {.batch = view.batch, .view = view, .since_ns = since_ns};
    bool goes_on = go_on(d, &owed);

    while (goes_on && owed.view.n > 0) {
        bool admitted = breaker_admits(&d->breaker, clock_mono_ns(d->env->clock));
        delivery_note_breaker(d);
        goes_on = admitted ? try_once(d, &owed) : wait_for_breaker(d, &owed);
    }
    if (owed.view.n == 0) {
        delivery_note_rest(d);
    }
    for (uint32_t i = 0; ret_owed != NULL && i < owed.view.n; i++) {
        ret_owed[i] = view_row(owed.view, i);
    }
    mem_free(owed.rows);
    return owed.view.n;
}

void delivery_follow(struct delivery *d, struct delivery *before)
{
    bool is_left = before->unfinished.next_try_ns != 0;

    d->inherited = is_left ? before->unfinished : before->inherited;
    d->backoff.delay_ns = before->backoff.delay_ns;
    d->backoff.tries = before->backoff.tries;
    d->breaker.state = before->breaker.state;
    d->breaker.calls = before->breaker.calls;
    d->breaker.opened_ns = before->breaker.opened_ns;
    d->rests = before->rests;
    d->failures = before->failures;
    d->probe_due_ns = before->probe_due_ns;
    delivery_follow_status(d, before);
}

/* ---- health ---- */

int64_t delivery_probe_due_ns(const struct delivery *d)
{
    bool can_ask = d->sink->ops->probe != NULL && d->config->health.interval_ns > 0;

    return can_ask ? d->probe_due_ns : DEADLINE_NEVER;
}

void delivery_skip_probe(struct delivery *d)
{
    d->probe_due_ns = clock_mono_ns(d->env->clock) + d->config->health.interval_ns;
}

void delivery_probe(struct delivery *d, struct cancel *cancel)
{
    struct err e = ERR_INIT;

    delivery_skip_probe(d);
    int64_t until_ns = clock_deadline_ms(d->env->clock, PROBE_MS);
    enum probed probed = sink_probe(d->sink, (struct wait){until_ns, cancel}, &e);
    if (probed != PROBED_NOBODY && !cancel_is_set(cancel)) {
        delivery_note_health(d, probed == PROBED_THERE, &e);
    }
}

int64_t delivery_tend_due_ns(const struct delivery *d)
{
    return d->sink->ops->tend != NULL ? d->tend_due_ns : DEADLINE_NEVER;
}

void delivery_tend(struct delivery *d, struct cancel *cancel)
{
    const struct wait wait = {clock_deadline_ms(d->env->clock, TEND_MS), cancel};
    int64_t due_ns = sink_tend(d->sink, wait);
    int64_t soon_ns = clock_deadline_ms(d->env->clock, TEND_AGAIN_MS);

    d->tend_due_ns = due_ns > soon_ns ? due_ns : soon_ns;
}

int64_t delivery_breaker_due_ns(const struct delivery *d)
{
    return d->breaker.state == BREAKER_OPEN ? breaker_opens_ns(&d->breaker) : DEADLINE_NEVER;
}

void delivery_look_at_breaker(struct delivery *d)
{
    if (breaker_admits(&d->breaker, clock_mono_ns(d->env->clock))) {
        delivery_note_breaker(d);
    }
}

/* A leaf may hold what it took in a form that is not complete yet, such as a file without its
 * end. */
static void flush_sink(struct delivery *d, struct sink *sink)
{
    struct err e = ERR_INIT;

    if (sink != NULL && sink->ops->flush != NULL && !sink->ops->flush(sink, &e)) {
        trace_error(&d->trace, "what was delivered could not be completed",
                    T_STR("exporter", d->place.name), T_ERR(&e));
    }
}

void delivery_flush(struct delivery *d)
{
    flush_sink(d, d->sink);
    flush_sink(d, d->fallback);
    flush_sink(d, d->dlq);
}

/* ---- life ---- */

static bool open_sinks(struct delivery *d, struct err *e)
{
    const struct {
        const struct stage_config *stage;
        struct sink **sink;
    } all[] = {{d->config->stage, &d->sink},
               {d->config->fallback, &d->fallback},
               {d->config->dlq, &d->dlq}};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct exporter_place place = d->place;
        if (i > 0) {
            place.is_apart = true;
            place.lane = NULL; /* what the destination did not take comes in any order */
        }
        if (all[i].stage != NULL && !stage_open(&place, all[i].stage, all[i].sink, e)) {
            return false;
        }
    }
    return true;
}

bool delivery_open(const struct delivery_setup *setup, struct delivery **ret_delivery,
                   struct err *e)
{
    struct delivery *d = mem_new(struct delivery);

    d->place = setup->place;
    d->skips = setup->skips;
    d->place.halts = setup->config->dead.on_refused == REFUSED_HALT;
    d->config = setup->config;
    d->env = d->place.env;
    d->dead = setup->dead;
    d->drops = setup->drops;
    d->waits = setup->waits;
    d->place.retry_on = &setup->config->retry.retry_on_status_codes;
    d->status.state = "idle";
    d->status.is_healthy = true;
    d->probe_due_ns = clock_mono_ns(d->env->clock) + d->config->health.interval_ns;
    trace_init_part(&d->trace, d->env->trace, "export", d->place.name, TRACE_INFO);
    backoff_init(&d->backoff, &d->config->retry.backoff);
    breaker_init(&d->breaker, &d->config->breaker);
    lock_init(&d->lock);
    if (d->place.gates != NULL) {
        for (; d->gate_count < d->config->limit_count; d->gate_count++) {
            d->gates[d->gate_count] = gates_get(d->place.gates, &d->config->limits[d->gate_count]);
        }
    }
    delivery_open_metrics(d);
    if (!open_sinks(d, e)) {
        delivery_close(d);
        return false;
    }
    d->place.data_folder = STR(""); /* was the leaf's to look at while it was opened */
    d->place.lane = NULL;
    *ret_delivery = d;
    return true;
}

void delivery_close(struct delivery *d)
{
    if (d == NULL) {
        return;
    }
    sink_close(d->dlq);
    sink_close(d->fallback);
    sink_close(d->sink);
    delivery_drop_metrics(d);
    lock_release(&d->lock);
    mem_free(d);
}
