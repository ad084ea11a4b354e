/*
 * Invariants
 *   1. Changes are given in the order of (commit, ordinal); none at or before <begun>, whatever the server sends again.
 *   2. <given> stands behind all that was given. Outside of a transaction it may stand further, where the server said that
 *      it has sent all there is.
 *   3. The server is told <acked> and no more, which begins at the slot's own place: so a slot never stands before what
 *      is kept above, whatever was read.
 *   4. A place without a change is given only outside of transactions.
 */
#include "events/sources/postgresql_int.h"

#include "base/clock.h"
#include "db/postgres_stream.h"

enum {
    BATCH_BYTES_MAX = 8 << 20,
    REST_MS = 20,
    BUSY_CHANGES = 64,    /* behind a batch of so many more are soon to come */
    GATHER_MS = 10,       /* which are waited for so long */
    DOZE_MS = 2,          /* while much comes, before it is waited for */
    TELL_MS = 1000,       /* at most so often, while something goes on */
    KEEP_ALIVE_MS = 5000, /* at least */
    PASS_MS = 10000, /* after which a place without a change is given, however little it is ahead */
    PASS_LEAST_MS = 1000, /* and never sooner than that */
};
#define PASS_BYTES (UINT64_C(16) << 20) /* or so much ahead */

static int64_t ms_since(const struct postgresql_source *s, int64_t mono_ns)
{
    return (clock_mono_ns(s->env->clock) - mono_ns) / NS_PER_MS;
}

/* ---- what the server is told ---- */

static enum sourced tell(struct postgresql_source *s, struct err *e)
{
    AUTO(buf_release) struct buf status = BUF_INIT(BUF_SMALL);
    struct pg_fault fault;

    pgoutput_add_status(
        s->written_lsn, s->acked.lsn, clock_wall_ns(s->env->clock),
        ms_since(s, s->heard_mono_ns) * NS_PER_MS >= s->config->silence_timeout_ns / 4, &status);
    s->told_lsn = s->acked.lsn;
    s->told_mono_ns = clock_mono_ns(s->env->clock);
    return pg_stream_send(s->stream, buf_str(&status), &fault, e) ? SOURCED_OK
                                                                  : pg_fault_sourced(&fault, e);
}

/* A server whose machine is gone says nothing, and TCP does not notice for long: it was asked to answer. */
static enum sourced check_alive(struct postgresql_source *s, struct err *e)
{
    if (s->has_heard) {
        s->heard_mono_ns = clock_mono_ns(s->env->clock);
        s->has_heard = false;
    }
    int64_t silent_ns = clock_mono_ns(s->env->clock) - s->heard_mono_ns;
    return silent_ns < s->config->silence_timeout_ns
               ? SOURCED_OK
               : pg_say(SOURCED_AGAIN, e, "the server has said nothing for %lld s",
                        (long long)(silent_ns / NS_PER_S));
}

static enum sourced tell_if_due(struct postgresql_source *s, struct err *e)
{
    int64_t ms = ms_since(s, s->told_mono_ns);
    int64_t keep_alive_ms = s->config->silence_timeout_ns / NS_PER_MS / 4;

    keep_alive_ms = keep_alive_ms < KEEP_ALIVE_MS ? keep_alive_ms : KEEP_ALIVE_MS;
    bool is_due = ms >= keep_alive_ms || (ms >= TELL_MS && s->acked.lsn > s->told_lsn);

    return is_due ? tell(s, e) : SOURCED_OK;
}

void postgresql_ack(struct source *base, struct str position)
{
    struct postgresql_source *s = postgresql_of(base);
    struct pg_place at;

    if (pg_place_parse(position, &at) && pg_place_is_before(s->acked, at)) {
        s->acked = at;
    }
}

enum sourced postgresql_tend(struct source *base, struct err *e)
{
    struct postgresql_source *s = postgresql_of(base);

    if (s->stream == NULL) {
        return pg_say(SOURCED_AGAIN, e, "it is not started");
    }
    return ms_since(s, s->told_mono_ns) >= TELL_MS ? tell(s, e) : SOURCED_OK;
}

void postgresql_hang_up(struct postgresql_source *s)
{
    struct err ignored = ERR_INIT;

    if (s->stream != NULL && s->acked.lsn > s->told_lsn) {
        (void)tell(s, &ignored);
    }
    pg_close(TAKE(s->stream));
    s->is_inside = false;
}

/* ---- a batch ---- */

struct batch {
    struct postgresql_source *s;
    struct changes *changes;
    struct wait wait;
    int64_t until_ns; /* more of it is waited for; monotonic, 0: it has no change yet */
};

static enum change_op op_of(enum pgoutput_kind kind)
{
    if (kind == PGOUTPUT_UPDATE) {
        return CHANGE_UPDATE;
    }
    return kind == PGOUTPUT_DELETE ? CHANGE_DELETE : CHANGE_INSERT;
}

/* Texts that every change has, in the batch. */
static void add_place(const struct postgresql_source *s, struct arena *a, struct change *ch)
{
    char *sequence = arena_alloc_aligned(a, PG_SEQUENCE_LEN + PG_PLACE_BYTES, 1);
    char *position = sequence + PG_SEQUENCE_LEN;

    pg_place_print_sequence(s->at, sequence);
    ch->sequence = str_make(sequence, PG_SEQUENCE_LEN);
    ch->position = str_make(position, pg_place_print(s->at, position));
}

/* An old row that has its key alone: the rest was not sent, and is not null. A new one lacks what did not change, and
 * the old one may have it. */
static const struct pgoutput_cell *cells_of(const struct pg_relation *r,
                                            const struct pgoutput_message *m, struct arena *a)
{
    bool is_old = m->kind == PGOUTPUT_DELETE;
    const struct pgoutput_tuple *t = is_old ? &m->old : &m->row;

    if (m->kind == PGOUTPUT_INSERT || (is_old ? m->is_whole : !m->is_whole)) {
        return t->cells;
    }
    struct pgoutput_cell *cells = arena_array(a, struct pgoutput_cell, t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        cells[i] = t->cells[i];
        if (is_old && r->is_key[i] == 0) {
            cells[i].kind = PGOUTPUT_UNCHANGED;
        } else if (!is_old && cells[i].kind == PGOUTPUT_UNCHANGED && i < m->old.count) {
            cells[i] = m->old.cells[i];
        }
    }
    return cells;
}

static void add_broken(struct batch *b, struct change *ch, struct str body, const char *why)
{
    ch->form = CHANGE_BROKEN;
    ch->document = arena_dup(&b->changes->arena, str_slice(body, 0, CHANGE_BYTES_MAX));
    ch->fault = str_of(why);
}

static void fill(struct batch *b, struct pg_relation *r, const struct pgoutput_message *m,
                 struct change *ch)
{
    struct postgresql_source *s = b->s;

    ch->op = op_of(m->kind);
    ch->time_ns = s->commit_ns;
    pg_layout_fill(&r->layout, cells_of(r, m, &s->scratch), s->batch_number, b->changes, ch);
    if (ch->key.len == 0 && s->operations != PG_INSERTS) {
        ch->key = ch->id;
    }
    if (s->operations != PG_INSERTS || ch->id.len == 0) {
        ch->id = ch->sequence;
    }
}

static bool is_told(const struct postgresql_source *s, const struct pg_relation *r,
                    enum change_op op)
{
    static const unsigned bits[CHANGE_OPS] = {PG_INSERTS, PG_UPDATES, PG_DELETES};

    return r->is_wanted && (s->operations & bits[op]) != 0;
}

static enum sourced take_row(struct batch *b, const struct pgoutput_message *m, struct str body,
                             struct err *e)
{
    struct postgresql_source *s = b->s;
    struct pg_relation *r = postgresql_find_relation(s, m->id);
    const struct pgoutput_tuple *t = m->kind == PGOUTPUT_DELETE ? &m->old : &m->row;

    s->at.ordinal++;
    if (r == NULL || t->count != r->layout.count || !s->is_inside) {
        return pg_say(SOURCED_AGAIN, e, "replication: a row of a table that was not described");
    }
    if (!is_told(s, r, op_of(m->kind)) || !pg_place_is_before(s->begun, s->at)) {
        return SOURCED_OK;
    }
    struct change *ch = changes_add(b->changes);
    add_place(s, &b->changes->arena, ch);
    fill(b, r, m, ch);
    if (ch->form == CHANGE_BROKEN) {
        ch->document = body; /* it is in the arena */
    } else if (body.len > CHANGE_BYTES_MAX) {
        add_broken(b, ch, body, "the row is larger than 64 MB");
    }
    s->given = s->at;
    return SOURCED_OK;
}

static void begin(struct postgresql_source *s, const struct pgoutput_message *m)
{
    s->is_inside = true;
    s->at = (struct pg_place){.lsn = m->lsn, .timeline = s->timeline};
    s->commit_ns = m->time_ns;
}

static void advance(struct postgresql_source *s, uint64_t lsn)
{
    const struct pg_place at = {.lsn = lsn, .timeline = s->timeline};

    if (pg_place_is_before(s->given, at)) {
        s->given = at;
    }
}

static enum sourced take_message(struct batch *b, struct str body, struct err *e)
{
    struct postgresql_source *s = b->s;
    struct pgoutput_message m;

    arena_reset(&s->scratch);
    if (!pgoutput_read(body, &s->scratch, &m, e)) {
        return SOURCED_REFUSED;
    }
    switch (m.kind) {
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return take_row(b, &m, body, e);
    case PGOUTPUT_BEGIN:
        begin(s, &m);
        break;
    case PGOUTPUT_COMMIT:
        s->is_inside = false;
        s->head_ns = m.time_ns;
        advance(s, m.end_lsn);
        break;
    case PGOUTPUT_RELATION:
        return postgresql_relation(s, &m, b->wait, e);
    case PGOUTPUT_TRUNCATE:
        trace_warn(&s->trace, "a table was truncated; that is not told", T_U64("tables", m.count));
        break;
    case PGOUTPUT_ORIGIN:
    case PGOUTPUT_TYPE:
    case PGOUTPUT_MESSAGE:
    case PGOUTPUT_KINDS:
        break;
    }
    return SOURCED_OK;
}

/* A change's texts are views of its message, so that is copied once, whole. */
static struct str keep(struct batch *b, struct str body)
{
    bool is_row = body.len > 0 && (body.ptr[0] == 'I' || body.ptr[0] == 'U' || body.ptr[0] == 'D');

    return is_row ? arena_dup(&b->changes->arena, body) : body;
}

static enum sourced take_frame(struct batch *b, struct str bytes, struct err *e)
{
    struct postgresql_source *s = b->s;
    struct pgoutput_frame f;

    if (!pgoutput_read_frame(bytes, &f, e)) {
        return SOURCED_REFUSED;
    }
    s->written_lsn = f.end_lsn > s->written_lsn ? f.end_lsn : s->written_lsn;
    s->is_caught_up = f.kind == PGOUTPUT_KEEPALIVE;
    if (f.kind == PGOUTPUT_DATA) {
        return take_message(b, keep(b, f.body), e);
    }
    if (!s->is_inside) {
        advance(s, f.end_lsn);
    }
    return f.wants_reply ? tell(s, e) : SOURCED_OK;
}

/* ---- why a stream ends ---- */

enum sourced postgresql_ended(const struct postgresql_source *s, const struct pg_fault *fault,
                              struct pg_place at, struct err *e)
{
    static const char *const gone[] = {"55000", "42704", "58P01"};
    bool is_gone = false;

    for (size_t i = 0; i < ARRAY_LEN(gone); i++) {
        is_gone = is_gone || str_eq(str_of(fault->state), str_of(gone[i]));
    }
    if (!is_gone) {
        return pg_fault_sourced(fault, e);
    }
    struct err was = *e;
    AUTO(buf_release) struct buf from = BUF_INIT(BUF_SMALL);
    pg_place_add(&from, at);
    return pg_say(
        SOURCED_LOST, e,
        "%.400s: what was committed behind %s is missed, or cannot be decoded any more. "
        "`telex events reset %.*s` begins anew, with a backfill where that is enabled; "
        "`telex events skip %.*s` goes on with what is still to come (a slot that is of no "
        "use is made anew by both)",
        was.message, buf_text(&from), STR_FMT(s->stream_name), STR_FMT(s->stream_name));
}

/* ---- next ---- */

/* Is it time to say how far we are though nothing came? */
static bool is_passing(const struct postgresql_source *s)
{
    int64_t ms = ms_since(s, s->passed_mono_ns);
    uint64_t ahead = s->given.lsn - s->acked.lsn;

    return !s->is_inside && s->given.ordinal == 0 && pg_place_is_before(s->acked, s->given) &&
           (ms >= PASS_MS || (ms >= PASS_LEAST_MS && ahead >= PASS_BYTES));
}

static void give_position(struct postgresql_source *s, struct changes *ret, bool is_over)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    bool is_worth_it = ret->list.len > 0 || is_passing(s) ||
                       (is_over && ms_since(s, s->passed_mono_ns) >= PASS_LEAST_MS);

    if (is_worth_it && !s->is_inside && s->given.ordinal == 0 &&
        pg_place_is_before(s->acked, s->given)) {
        pg_place_add(&text, s->given);
        ret->position = arena_dup(&ret->arena, buf_str(&text));
        s->passed_mono_ns = clock_mono_ns(s->env->clock);
    }
}

/* How long to wait for the next message. When there is something to give, only for the rest of its transaction, which is
 * on its way, or while much comes: the server sends in small pieces, and a request of few events costs as much as one
 * of many. */
static struct wait patience(const struct batch *b)
{
    if (b->changes->list.len == 0) {
        return wait_limit_ms(b->wait, b->s->env->clock, TELL_MS);
    }
    return b->s->is_inside ? wait_limit_ms(b->wait, b->s->env->clock, REST_MS)
                           : (struct wait){b->until_ns, b->wait.cancel};
}

static void set_until(struct batch *b)
{
    const struct clock *clock = b->s->env->clock;

    if (b->until_ns == 0 && b->changes->list.len > 0) {
        b->until_ns = b->s->is_busy ? clock_deadline_ms(clock, GATHER_MS) : clock_mono_ns(clock);
    }
}

/* One message; *ret_idle: there was none. */
static enum sourced step(struct batch *b, bool *ret_idle, struct err *e)
{
    struct postgresql_source *s = b->s;
    struct str bytes = STR_NONE;
    struct pg_fault fault;

    int64_t rest_ns = s->is_busy ? DOZE_MS * NS_PER_MS : 0;
    if (!pg_stream_next(s->stream, rest_ns, patience(b), &bytes, &fault, e)) {
        return postgresql_ended(s, &fault, s->acked, e);
    }
    *ret_idle = bytes.ptr == NULL;
    s->has_heard = s->has_heard || !*ret_idle;
    return *ret_idle ? SOURCED_OK : take_frame(b, bytes, e);
}

/* Messages that give nothing (of tables that are not ours, at or before <begun>) must not keep us for ever. */
static enum sourced run(struct batch *b, size_t max, bool *ret_over, struct err *e)
{
    enum { STEPS = 256 }; /* between looks at the clock */
    struct postgresql_source *s = b->s;
    struct changes *c = b->changes;
    enum sourced done = tell_if_due(s, e);
    bool is_idle = false;

    for (size_t i = 1;
         done == SOURCED_OK && !*ret_over && c->list.len < max && c->bytes < BATCH_BYTES_MAX; i++) {
        done = step(b, &is_idle, e);
        set_until(b);
        if (done == SOURCED_OK && (is_idle || i % STEPS == 0)) {
            done = check_alive(s, e);
            done = done == SOURCED_OK ? tell_if_due(s, e) : done;
            *ret_over = (is_idle && c->list.len > 0) || wait_is_over(b->wait, s->env->clock) ||
                        (c->list.len == 0 && is_passing(s));
        }
    }
    return done;
}

enum sourced postgresql_next(struct source *base, size_t max, struct changes *ret, struct wait wait,
                             struct err *e)
{
    struct postgresql_source *s = postgresql_of(base);
    struct batch b = {.s = s, .changes = ret, .wait = wait};
    bool is_over = false;

    if (s->stream == NULL) {
        return pg_say(SOURCED_AGAIN, e, "it is not started");
    }
    s->batch_number++;
    if (ms_since(s, s->read_mono_ns) >= KEEP_ALIVE_MS) {
        s->has_heard = true; /* nobody listened */
    }
    enum sourced done = run(&b, max, &is_over, e);
    s->is_busy = ret->list.len >= BUSY_CHANGES;
    s->read_mono_ns = clock_mono_ns(s->env->clock);
    if (done == SOURCED_OK) {
        give_position(s, ret, is_over);
    } else {
        postgresql_hang_up(s);
    }
    return done;
}
