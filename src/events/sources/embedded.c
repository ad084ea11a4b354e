/*
 * Our own table of events (state/event_table.h): what came by POST /api/v1/events and `telex events append`.
 *
 * Invariants
 *   1. A position is a row's number. Rows behind it stay in the table until it is acknowledged.
 *   2. While a backfill goes on, rows behind its cursor stay too.
 */
#include "events/sources/sources.h"

#include "base/mem.h"
#include "base/number.h"
#include "state/event_table.h"

#include <inttypes.h>
#include <stdio.h>

enum { BATCH_BYTES = 4 << 20 };

struct embedded {
    struct source base;
    struct event_table *table;
    struct event_reader *reader; /* NULL: not started */
    char *stream;
    uint64_t at;     /* the last row that was given */
    uint64_t acked;  /* up to here it is safe */
    uint64_t filled; /* the backfill's cursor; UINT64_MAX: none goes on */
};

static struct embedded *embedded_of(struct source *s)
{
    return (struct embedded *)(void *)s;
}

static void put_number(struct buf *out, uint64_t seq)
{
    buf_clear(out);
    buf_add_u64(out, seq);
}

/* ---- start ---- */

/* Are the rows behind <seq> still there? */
static enum sourced check_place(const struct embedded *m, const struct event_bounds *b,
                                uint64_t seq, struct err *e)
{
    if (seq > b->last) {
        (void)err_set(e, ERR_CONFLICT,
                      "the stream stands behind event %" PRIu64
                      " of the table, whose last is %" PRIu64
                      ": an older copy of the table was put in its place",
                      seq, b->last);
        return source_lost(str_of(m->stream), e);
    }
    if (b->last > 0 && seq + 1 < b->first) {
        (void)err_set(
            e, ERR_CONFLICT,
            "events %" PRIu64 " to %" PRIu64
            " were removed from the table and not delivered; the first that is left is %" PRIu64,
            seq + 1, b->first - 1, b->first);
        return source_lost(str_of(m->stream), e);
    }
    return SOURCED_OK;
}

/* Rows that a backfill before the last stop had still to give stay needed. */
static enum sourced begin_at(struct embedded *m, uint64_t seq, uint64_t need, struct wait wait,
                             struct err *e)
{
    uint64_t before = need;

    if (event_table_needs(m->table, str_of(m->stream), &before) && before < need) {
        need = before;
    }
    m->at = seq;
    m->acked = 0; /* who keeps positions says how far it is safe */
    m->filled = 0;
    return event_table_need(m->table, str_of(m->stream), need, wait, e) ? SOURCED_OK
                                                                        : SOURCED_AGAIN;
}

static enum sourced begin_first(struct embedded *m, const struct event_bounds *b,
                                struct source_begun *ret, struct wait wait, struct err *e)
{
    if (b->last > 0) {
        put_number(&ret->oldest, b->last);
    }
    put_number(&ret->position, b->last);
    return begin_at(m, b->last, b->first > 0 ? b->first - 1 : 0, wait, e);
}

static enum sourced begin(struct embedded *m, const struct source_start *from,
                          const struct event_bounds *b, struct source_begun *ret, struct wait wait,
                          struct err *e)
{
    uint64_t seq = 0;

    if (from->identity.len > 0 && !str_eq(from->identity, buf_str(&ret->identity))) {
        return SOURCED_OK; /* another table: for who compares */
    }
    if (from->position.len == 0) {
        return begin_first(m, b, ret, wait, e);
    }
    if (!number_parse_u64(from->position, &seq)) {
        (void)err_set(e, ERR_CONFLICT, "the position '%.*s' is no number of an event",
                      STR_FMT(from->position));
        return source_lost(str_of(m->stream), e);
    }
    enum sourced answer = check_place(m, b, seq, e);
    if (answer != SOURCED_OK) {
        return answer;
    }
    put_number(&ret->position, seq);
    return begin_at(m, seq, seq, wait, e);
}

static enum sourced embedded_start(struct source *s, const struct source_start *from,
                                   struct source_begun *ret, struct wait wait, struct err *e)
{
    struct embedded *m = embedded_of(s);
    struct event_bounds b = {0};

    event_reader_close(TAKE(m->reader));
    if (!event_reader_open(m->table, &m->reader, e) || !event_reader_bounds(m->reader, &b, e)) {
        return SOURCED_AGAIN;
    }
    buf_clear(&ret->identity);
    buf_addf(&ret->identity, "table %.*s", STR_FMT(event_table_identity(m->table)));
    return begin(m, from, &b, ret, wait, e);
}

/* ---- reading ---- */

/* Rows become changes, up to row <end>. */
struct taking {
    struct changes *changes;
    uint64_t end;
    uint64_t last;
};

static bool take(void *arg, const struct event_row *row)
{
    struct taking *t = arg;
    struct arena *a = &t->changes->arena;
    const struct event *ev = row->event;
    char text[24];

    if (row->seq > t->end) {
        t->last = t->end;
        return false;
    }
    struct change *ch = changes_add(t->changes);
    int len = snprintf(text, sizeof(text), "%020" PRIu64, row->seq);
    ch->sequence = arena_dup(a, str_make(text, (size_t)len));
    size_t zeros = 0;
    while (zeros + 1 < ch->sequence.len && ch->sequence.ptr[zeros] == '0') {
        zeros++;
    }
    ch->position = str_slice(ch->sequence, zeros, ch->sequence.len);
    ch->id = ev->id;
    ch->key = event_key(ev);
    ch->name = STR("events");
    ch->time_ns = row->at_ns;
    ch->form = CHANGE_EVENT;
    ch->event = ev;
    t->changes->bytes += ev->id.len + ev->source.len + ev->type.len + ev->data.len;
    t->last = row->seq;
    return true;
}

static enum sourced read_behind(struct embedded *m, uint64_t behind, size_t max, struct taking *t,
                                struct err *e)
{
    const struct event_taker taker = {take, t};

    t->last = behind;
    return event_reader_read(m->reader, behind, max, BATCH_BYTES, &t->changes->arena, &taker, e)
               ? SOURCED_OK
               : SOURCED_AGAIN;
}

static enum sourced embedded_next(struct source *s, size_t max, struct changes *ret,
                                  struct wait wait, struct err *e)
{
    struct embedded *m = embedded_of(s);
    struct taking t = {ret, UINT64_MAX, 0};

    changes_clear(ret);
    if (!event_reader_wait(m->reader, m->at, wait)) {
        return SOURCED_OK;
    }
    enum sourced answer = read_behind(m, m->at, max, &t, e);
    m->at = answer == SOURCED_OK ? t.last : m->at;
    return answer;
}

static void tell_done(struct embedded *m)
{
    uint64_t seq = m->acked < m->filled ? m->acked : m->filled;

    event_table_done(m->table, str_of(m->stream), seq);
}

static void embedded_ack(struct source *s, struct str position)
{
    struct embedded *m = embedded_of(s);
    uint64_t seq = 0;

    if (number_parse_u64(position, &seq) && seq > m->acked) {
        m->acked = seq;
        tell_done(m);
    }
}

/* ---- what was there before ---- */

struct range {
    uint64_t behind; /* the row before the first one */
    uint64_t end;
};

static bool find_range(struct embedded *m, const struct source_range *range, struct str cursor,
                       struct range *ret, struct err *e)
{
    uint64_t first = 1;
    struct range r = {0};

    if (!number_parse_u64(range->end, &r.end) ||
        (cursor.len > 0 && !number_parse_u64(cursor, &r.behind))) {
        return err_set(e, ERR_CONFLICT, "'%.*s' to '%.*s' is no range of events", STR_FMT(cursor),
                       STR_FMT(range->end));
    }
    if (range->from_ns > 0 && !event_reader_find(m->reader, range->from_ns, &first, e)) {
        return false;
    }
    if (range->newest > 0 && range->newest < r.end && first < r.end - range->newest + 1) {
        first = r.end - range->newest + 1;
    }
    r.behind = r.behind < first - 1 ? first - 1 : r.behind;
    *ret = r;
    return true;
}

/* Are rows gone that the backfill had still to give? Those before its first page were never there for us. */
static enum sourced check_range(struct embedded *m, const struct range *r, struct str cursor,
                                struct err *e)
{
    struct event_bounds b = {0};

    if (cursor.len == 0 || r->behind >= r->end) {
        return SOURCED_OK;
    }
    if (!event_reader_bounds(m->reader, &b, e)) {
        return SOURCED_AGAIN;
    }
    uint64_t left = b.first > 0 ? b.first : r->end + 1;
    if (left <= r->behind + 1) {
        return SOURCED_OK;
    }
    (void)err_set(e, ERR_CONFLICT,
                  "events %" PRIu64 " to %" PRIu64
                  " of the backfill were removed from the table and not delivered",
                  r->behind + 1, left - 1 < r->end ? left - 1 : r->end);
    return source_lost(str_of(m->stream), e);
}

static enum sourced embedded_backfill(struct source *s, const struct source_range *range,
                                      struct str cursor, size_t max, struct changes *ret,
                                      bool *ret_done, struct wait wait, struct err *e)
{
    struct embedded *m = embedded_of(s);
    struct taking t = {.changes = ret};
    struct range r = {0};

    (void)wait;
    changes_clear(ret);
    if (!find_range(m, range, cursor, &r, e)) {
        return SOURCED_AGAIN;
    }
    t.end = r.end;
    enum sourced answer = check_range(m, &r, cursor, e);
    if (answer != SOURCED_OK) {
        return answer;
    }
    answer = read_behind(m, r.behind, max, &t, e);
    *ret_done = answer == SOURCED_OK && (t.last >= r.end || t.last == r.behind);
    return answer;
}

static void embedded_ack_backfill(struct source *s, struct str cursor, bool is_done)
{
    struct embedded *m = embedded_of(s);
    uint64_t seq = 0;

    if (is_done) {
        m->filled = UINT64_MAX;
    } else if (number_parse_u64(cursor, &seq) && seq > m->filled) {
        m->filled = seq;
    }
    tell_done(m);
}

static int64_t embedded_left(struct source *s, const struct source_range *range, struct str cursor,
                             struct wait wait)
{
    struct embedded *m = embedded_of(s);
    struct err ignored = ERR_INIT;
    struct event_bounds b = {0};
    struct range r = {0};

    (void)wait;
    if (!find_range(m, range, cursor, &r, &ignored) ||
        !event_reader_bounds(m->reader, &b, &ignored)) {
        return -1;
    }
    uint64_t behind = b.first > 0 && r.behind < b.first - 1 ? b.first - 1 : r.behind;
    return r.end > behind ? (int64_t)(r.end - behind) : 0;
}

/* ---- the rest ---- */

static void embedded_measure(struct source *s, struct source_measures *ret, struct wait wait)
{
    struct embedded *m = embedded_of(s);
    struct err ignored = ERR_INIT;
    struct event_bounds b = {0};

    (void)wait;
    if (m->reader != NULL && event_reader_bounds(m->reader, &b, &ignored)) {
        ret->head_ns = b.last_ns;
        ret->behind = b.last > m->at ? (int64_t)(b.last - m->at) : 0;
    }
}

static void embedded_close(struct source *s)
{
    struct embedded *m = embedded_of(s);

    event_reader_close(m->reader);
    mem_free(m->stream);
    mem_free(m);
}

static const struct source_ops embedded_ops = {
    .start = embedded_start,
    .next = embedded_next,
    .ack = embedded_ack,
    .ack_backfill = embedded_ack_backfill,
    .backfill = embedded_backfill,
    .backfill_left = embedded_left,
    .measure = embedded_measure,
    .close = embedded_close,
};

static bool embedded_open(const struct source_place *place, const void *config,
                          struct source **ret_source, struct err *e)
{
    (void)config;
    if (place->table == NULL) {
        return err_set(e, ERR_CONFIG, "there is no table of events here");
    }
    struct embedded *m = mem_new(struct embedded);
    m->base.ops = &embedded_ops;
    m->table = place->table;
    m->stream = mem_dup_text(place->stream.ptr, place->stream.len);
    m->filled = UINT64_MAX;
    *ret_source = &m->base;
    return true;
}

static const struct option options[] = {SOURCE_COMMON_ROWS};

static const struct option_table option_table = {
    .name = "source embedded",
    .help = "Events that were given to Telex itself.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct source_common),
};

static const char *const aliases[] = {"telex", NULL};

const struct source_kind source_embedded = {
    .name = "embedded",
    .aliases = aliases,
    .help =
        "Our own table of events: what comes by `POST /api/v1/events` and `telex events append`.",
    .example = "type: embedded\n",
    .options = &option_table,
    .open = embedded_open,
};
