/*
 * Consumers that no exporter has: removed from the config, or of a kind that takes less than it did.
 * What owes nothing is retired; what owes records keeps them until they are adopted or dropped.
 */
#include "export/plan_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "log/log.h"
#include "wire/frame.h"

#include <stdio.h>

enum { ADOPT_SYNC_FRAMES = 1000, ADOPT_SYNC_BYTES = 4 * 1024 * 1024, GIVEN_MS = 500 };

static bool is_used(const struct graph *g, unsigned log, unsigned bit)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        const struct output *o = &g->outputs[i];
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (way_log(way) == log && o->consumers[way] != NULL && o->bits[way] == bit) {
                return true;
            }
        }
    }
    return false;
}

/* Is it the exporter's, or that of its spans? */
static bool is_of(struct str consumer, struct str exporter)
{
    return str_starts(consumer, exporter) &&
           (consumer.len == exporter.len ||
            str_eq(str_slice(consumer, exporter.len, consumer.len), STR(SPANS_SUFFIX)));
}

struct orphan {
    unsigned log;
    unsigned bit;
    char name[LOG_NAME_MAX + 1];
};

struct orphans {
    VEC(struct orphan) list;
};

/* Those of all logs, or those called <name>. */
static void find_orphans(struct plan *p, const struct graph *g, const struct str *name,
                         struct orphans *found)
{
    struct log_consumer *all = mem_alloc0(LOG_CONSUMERS_MAX, sizeof(*all));

    for (unsigned log = 0; log < PLAN_LOGS; log++) {
        size_t count = log_consumers(p->logs[log], all);
        for (size_t i = 0; i < count; i++) {
            bool state = log == PLAN_LEDGER && all[i].bit == p->state_bit;
            if (state || is_used(g, log, all[i].bit) ||
                (name != NULL && !is_of(str_of(all[i].name), *name))) {
                continue;
            }
            struct orphan *one = vec_add(&found->list);
            *one = (struct orphan){.log = log, .bit = all[i].bit};
            (void)snprintf(one->name, sizeof(one->name), "%s", all[i].name);
        }
    }
    mem_free(all);
}

/* ---- at every start and change ---- */

static void retire(struct plan *p, const struct orphan *o)
{
    struct err e = ERR_INIT;
    uint64_t pending = log_pending(p->logs[o->log], o->bit);

    if (pending > 0) {
        trace_warn(&p->trace,
                   "a removed exporter still owes records; they stay until it is configured again, "
                   "another one adopts them, or they are dropped",
                   T_TEXT("exporter", o->name), T_TEXT("log", plan_log_name(o->log)),
                   T_U64("frames", pending),
                   T_I64("bytes", log_owed_bytes(p->logs[o->log], o->bit)));
    } else if (!log_consumer_retire(p->logs[o->log], o->bit, &e)) {
        trace_warn(&p->trace, "a removed exporter stays a consumer of the log",
                   T_TEXT("exporter", o->name), T_TEXT("log", plan_log_name(o->log)), T_ERR(&e));
    }
}

void plan_retire_unused(struct plan *p, const struct graph *g)
{
    struct orphans found = {0};

    find_orphans(p, g, NULL, &found);
    for (size_t i = 0; i < found.list.len; i++) {
        retire(p, &found.list.items[i]);
    }
    vec_release(&found.list);
}

/* ---- looked at ---- */

size_t plan_orphans(struct plan *p, struct plan_orphan *ret, size_t max)
{
    struct graph *g = plan_use_graph(p);
    struct orphans found = {0};
    size_t count = 0;

    find_orphans(p, g, NULL, &found);
    for (size_t i = 0; i < found.list.len && count < max; i++) {
        const struct orphan *o = &found.list.items[i];
        struct log *log = p->logs[o->log];
        uint64_t frames = log_pending(log, o->bit);
        if (frames > 0) {
            ret[count] = (struct plan_orphan){.log = plan_log_name(o->log),
                                              .frames = frames,
                                              .bytes = log_owed_bytes(log, o->bit),
                                              .oldest_ns = log_oldest_ns(log, o->bit)};
            (void)snprintf(ret[count++].name, sizeof(ret->name), "%s", o->name);
        }
    }
    vec_release(&found.list);
    plan_release_graph(p, g);
    return count;
}

/* ---- each frame that is owed ---- */

struct walk {
    struct plan *p;
    const struct orphan *orphan;
    unsigned heir_bit;
    struct wait wait;
    uint64_t frames;
    uint64_t rows;
    size_t unsynced; /* bytes appended since the disk was waited for */
    uint64_t given;  /* the last frame of the orphan that was appended for the heir, and as what */
    uint64_t given_as;
};

/* The next frame up to <last>; NULL when there is none. */
static bool next_owed(struct log_reader *reader, uint64_t last, const struct log_frame **ret_frame,
                      struct err *e)
{
    const struct log_frame *frame = NULL;

    if (!log_reader_next(reader, (struct wait){0, NULL}, &frame, e)) {
        return false;
    }
    if (frame != NULL && frame->seq > last) {
        log_frame_drop(frame);
        frame = NULL;
    }
    *ret_frame = frame;
    return true;
}

/* Visits what the orphan owes now, oldest first; stops at the first that fails. */
static bool walk_owed(struct walk *w,
                      bool (*visit)(struct walk *w, const struct log_frame *frame, struct err *e),
                      struct err *e)
{
    struct log *log = w->p->logs[w->orphan->log];
    uint64_t done = log_cursor_get(log, w->orphan->bit);
    uint64_t last = log_durable_seq(log);
    AUTO(log_reader_autofree)
    struct log_reader *reader = log_reader_new(log, done + 1, UINT64_C(1) << w->orphan->bit);
    const struct log_frame *frame = NULL;
    bool ok = true;

    while (ok && next_owed(reader, last, &frame, e)) {
        if (frame == NULL) {
            return true;
        }
        ok = visit(w, frame, e);
        log_frame_drop(frame);
    }
    return false;
}

/* ---- adopted ---- */

/* Waits until the heir has on disk what it was given: the orphan is done with that then. */
static bool settle_given(struct walk *w, struct wait wait, struct err *e)
{
    struct log *log = w->p->logs[w->orphan->log];

    if (!log_wait_durable(log, w->given_as, wait, e)) {
        return false;
    }
    log_cursor_set(log, w->orphan->bit, w->given);
    w->unsynced = 0;
    return true;
}

static bool append_for_heir(struct walk *w, const struct log_frame *frame, struct err *e)
{
    struct log *log = w->p->logs[w->orphan->log];
    struct iovec part = {(void *)(uintptr_t)frame->payload.ptr, frame->payload.len};
    struct log_record record = {.type = frame->type,
                                .flags = frame->flags,
                                .mask = UINT64_C(1) << w->heir_bit,
                                .parts = &part,
                                .part_count = 1};
    uint64_t seq = 0;
    /* Waiting for the disk now and then: the orphan is done with a frame when the heir has it. */
    w->unsynced += frame->payload.len;
    bool waits = ++w->frames % ADOPT_SYNC_FRAMES == 0 || w->unsynced >= ADOPT_SYNC_BYTES;
    if (!log_append_async(log, &record, w->wait, &seq, e)) {
        return false;
    }
    w->given = frame->seq;
    w->given_as = seq;
    return !waits || settle_given(w, w->wait, e);
}

static bool adopt_one(struct walk *w, struct err *e)
{
    struct log *log = w->p->logs[w->orphan->log];
    uint64_t last = log_durable_seq(log);

    bool ok = walk_owed(w, append_for_heir, e) && (w->given == 0 || settle_given(w, w->wait, e));
    if (!ok) {
        /* The next try need not give again what was given in vain. */
        struct err late = ERR_INIT;
        int64_t until_ns = clock_deadline_ms(w->p->env->clock, GIVEN_MS);
        (void)(w->given > 0 && settle_given(w, (struct wait){until_ns, NULL}, &late));
        return false;
    }
    log_cursor_set(log, w->orphan->bit, last);
    trace_info(&w->p->trace, "what a removed exporter owed was given to another one",
               T_TEXT("exporter", w->orphan->name), T_TEXT("log", plan_log_name(w->orphan->log)),
               T_U64("frames", w->frames));
    return log_consumer_retire(log, w->orphan->bit, e);
}

/* The output that is to have it; all of what the orphans owe must be of a kind that it takes. */
static const struct output *find_heir(struct graph *g, struct str heir, const struct orphans *found,
                                      struct err *e)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        const struct output *o = &g->outputs[i];
        if (!str_eq(o->config->name, heir)) {
            continue;
        }
        for (size_t k = 0; k < found->list.len; k++) {
            unsigned log = found->list.items[k].log;
            if (o->consumers[log] == NULL) {
                (void)err_set(e, ERR_CONFLICT, "exporter '%.*s' takes nothing of the %s log",
                              STR_FMT(heir), plan_log_name(log));
                return NULL;
            }
        }
        return o;
    }
    (void)err_set(e, ERR_CONFLICT, "there is no exporter '%.*s' to take it", STR_FMT(heir));
    return NULL;
}

static bool find_named(struct plan *p, const struct graph *g, struct str name,
                       struct orphans *found, struct err *e)
{
    find_orphans(p, g, &name, found);
    return found->list.len > 0 ||
           err_set(e, ERR_CONFLICT, "no removed exporter '%.*s' owes anything", STR_FMT(name));
}

bool plan_adopt(struct plan *p, struct str name, struct str heir, struct wait wait,
                uint64_t *ret_frames, struct err *e)
{
    lock_take(&p->changing);
    struct graph *g = plan_use_graph(p);
    struct orphans found = {0};
    const struct output *to = NULL;
    uint64_t frames = 0;
    bool ok = find_named(p, g, name, &found, e) && (to = find_heir(g, heir, &found, e)) != NULL;

    for (size_t i = 0; ok && i < found.list.len; i++) {
        const struct orphan *o = &found.list.items[i];
        struct walk w = {.p = p, .orphan = o, .heir_bit = to->bits[o->log], .wait = wait};
        ok = adopt_one(&w, e);
        frames += w.frames;
    }
    vec_release(&found.list);
    plan_release_graph(p, g);
    lock_give(&p->changing);
    if (ok) {
        *ret_frames = frames;
    }
    return ok || err_wrap(e, "adopting what '%.*s' owes", STR_FMT(name));
}

/* ---- dropped ---- */

static bool count_frame(struct walk *w, const struct log_frame *frame, struct err *e)
{
    struct batch_frame head;
    struct err ignored = ERR_INIT;

    if (wait_is_over(w->wait, w->p->env->clock)) {
        return err_set(e, ERR_TIMEOUT, "there is more than can be counted one by one");
    }
    w->frames++;
    w->rows += batch_frame_read(frame->payload, &head, &ignored) ? head.rows : 1;
    return true;
}

/* Counts them; the count stays as long as the plan. */
static void note_dropped(const struct walk *w)
{
    struct plan *p = w->p;
    struct drops *drops = mem_new(struct drops);

    drops_init(drops, p->env, str_of(w->orphan->name));
    drops_count(drops, DROP_ORPHAN, w->rows);
    lock_take(&p->lock);
    vec_push(&p->orphan_drops, drops);
    lock_give(&p->lock);
}

/*
 * Counts what is owed, frame by frame for a while; frames behind that, which may be gigabytes, count
 * as many records each as those did.
 */
static bool count_owed(struct walk *w, struct err *e)
{
    uint64_t all = log_pending(w->p->logs[w->orphan->log], w->orphan->bit);
    struct err why = ERR_INIT;

    if (walk_owed(w, count_frame, &why)) {
        return true;
    }
    if (why.code != ERR_TIMEOUT) {
        *e = why;
        return false;
    }
    uint64_t rest = all > w->frames ? all - w->frames : 0;
    w->rows += w->frames > 0 ? (w->rows * rest + w->frames - 1) / w->frames : rest;
    w->frames += rest;
    return true;
}

static bool drop_one(struct walk *w, struct err *e)
{
    struct log *log = w->p->logs[w->orphan->log];

    if (!count_owed(w, e) || !log_consumer_retire(log, w->orphan->bit, e)) {
        return false;
    }
    note_dropped(w);
    trace_warn(&w->p->trace, "what a removed exporter owed was dropped, as was asked",
               T_TEXT("exporter", w->orphan->name), T_TEXT("log", plan_log_name(w->orphan->log)),
               T_U64("frames", w->frames), T_U64("records", w->rows));
    return true;
}

bool plan_drop_orphan(struct plan *p, struct str name, struct wait wait, uint64_t *ret_frames,
                      struct err *e)
{
    lock_take(&p->changing);
    struct graph *g = plan_use_graph(p);
    struct orphans found = {0};
    uint64_t frames = 0;
    bool ok = find_named(p, g, name, &found, e);

    for (size_t i = 0; ok && i < found.list.len; i++) {
        struct walk w = {.p = p, .orphan = &found.list.items[i], .wait = wait};
        ok = drop_one(&w, e);
        frames += w.frames;
    }
    vec_release(&found.list);
    plan_release_graph(p, g);
    lock_give(&p->changing);
    if (ok) {
        *ret_frames = frames;
    }
    return ok || err_wrap(e, "dropping what '%.*s' owes", STR_FMT(name));
}
