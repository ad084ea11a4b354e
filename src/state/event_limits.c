/*
 * What the table keeps. The oldest rows go, a few at a time, when there are too many, they take too many bytes
 * or are too old; rows that a reader needs stay, and when nothing else is left to go the table is full.
 */
#include "state/event_table_int.h"

#include <stdio.h>

enum { REMOVE_ROWS = 5000, LOOK_ROWS = 5000, LOOK_NS_SHARE = 1, ROUNDS = 16 };

/* ---- metrics ---- */

static const struct metric_desc appended_desc = {
    .name = "telex_events_table_appended_total",
    .help = "Events that were appended to our own table of events.",
    .type = METRIC_COUNTER};
static const struct metric_desc known_desc = {
    .name = "telex_events_table_known_total",
    .help = "Events that were given and were in the table already, by their source and id.",
    .type = METRIC_COUNTER};
static const struct metric_desc refused_desc = {
    .name = "telex_events_table_refused_total",
    .help = "Events that could not be written; their givers were told.",
    .type = METRIC_COUNTER};
static const struct metric_desc removed_desc = {
    .name = "telex_events_table_removed_total",
    .help = "Events that were removed from the table, all of which its readers had passed.",
    .type = METRIC_COUNTER,
    .labels = {"reason"}};
static const struct metric_desc rows_desc = {
    .name = "telex_events_table_rows", .help = "Events in the table.", .type = METRIC_GAUGE};
static const struct metric_desc bytes_desc = {.name = "telex_events_table_bytes",
                                              .help = "Bytes that the table's file uses.",
                                              .type = METRIC_GAUGE};
static const struct metric_desc needed_desc = {
    .name = "telex_events_table_needed_rows",
    .help = "Events in the table that a stream has still to deliver.",
    .type = METRIC_GAUGE};

static const char *const reasons[REMOVED_REASONS] = {
    [REMOVED_ROWS] = "rows", [REMOVED_BYTES] = "bytes", [REMOVED_AGE] = "age"};

void event_metrics_init(struct event_metrics *m, struct metrics *registry)
{
    m->appended = metrics_get0(registry, &appended_desc);
    m->known = metrics_get0(registry, &known_desc);
    m->refused = metrics_get0(registry, &refused_desc);
    m->rows = metrics_get0(registry, &rows_desc);
    m->bytes = metrics_get0(registry, &bytes_desc);
    m->needed = metrics_get0(registry, &needed_desc);
    for (size_t i = 0; i < REMOVED_REASONS; i++) {
        m->removed[i] = metrics_get1(registry, &removed_desc, str_of(reasons[i]));
    }
}

void event_metrics_release(struct event_metrics *m)
{
    struct metric *const all[] = {m->appended, m->known, m->refused, m->rows, m->bytes, m->needed};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        metric_drop(all[i]);
    }
    for (size_t i = 0; i < REMOVED_REASONS; i++) {
        metric_drop(m->removed[i]);
    }
}

/* ---- looking ---- */

/* The table as it is. */
struct look {
    struct event_table_options limits;
    uint64_t first;
    uint64_t last;
    uint64_t floor;
    int64_t bytes;
    char who[128]; /* needs the row behind the floor */
};

static uint64_t rows_of(const struct look *l)
{
    return l->last > 0 ? l->last - l->first + 1 : 0;
}

static bool look(struct event_table *t, struct look *l, struct err *e)
{
    int64_t first = 0;
    int64_t last = 0;
    int64_t pages = 0;
    int64_t unused = 0;
    int64_t page_bytes = 0;

    if (!event_number(t, EVENT_FIRST, &first, e) || !event_number(t, EVENT_LAST, &last, e) ||
        !event_number(t, EVENT_PAGES, &pages, e) ||
        !event_number(t, EVENT_FREE_PAGES, &unused, e) ||
        !event_number(t, EVENT_PAGE_SIZE, &page_bytes, e)) {
        return false;
    }
    l->first = (uint64_t)first;
    l->last = (uint64_t)last;
    l->bytes = (pages - unused) * page_bytes;
    lock_take(&t->lock);
    l->limits = t->options;
    l->floor = event_needs_floor(t, l->who, sizeof(l->who));
    lock_give(&t->lock);
    return true;
}

static bool has_too_many(const struct look *l)
{
    return l->limits.max_rows > 0 && rows_of(l) > (uint64_t)l->limits.max_rows;
}

static bool has_too_large(const struct look *l)
{
    return l->limits.max_bytes > 0 && l->bytes > l->limits.max_bytes;
}

static void show(struct event_table *t, const struct look *l)
{
    uint64_t needed = l->floor < l->last ? l->last - l->floor : 0;

    metric_set(t->metrics.rows, (double)rows_of(l));
    metric_set(t->metrics.bytes, (double)l->bytes);
    metric_set(t->metrics.needed, (double)(needed < rows_of(l) ? needed : rows_of(l)));
}

/* ---- removing ---- */

/* The last row that the limits want gone; 0: none. */
static bool find_end(struct event_table *t, const struct look *l, uint64_t *ret_end,
                     enum event_removal *ret_why, struct err *e)
{
    uint64_t chunk_end = l->first + REMOVE_ROWS - 1;
    int64_t young = 0;

    *ret_end = 0;
    if (has_too_many(l)) {
        *ret_end = l->last - (uint64_t)l->limits.max_rows;
        *ret_why = REMOVED_ROWS;
    } else if (has_too_large(l)) {
        *ret_end = chunk_end;
        *ret_why = REMOVED_BYTES;
    } else if (l->limits.max_age_ns > 0 && l->last > 0) {
        struct db_query *q = t->statements[EVENT_YOUNG];
        db_bind_i64(q, 1, clock_wall_ns(t->env->clock) - l->limits.max_age_ns);
        db_bind_i64(q, 2, (int64_t)l->first);
        db_bind_i64(q, 3, (int64_t)chunk_end);
        if (!event_number(t, EVENT_YOUNG, &young, e)) {
            return false;
        }
        *ret_end = young > 0 ? (uint64_t)young - 1 : chunk_end;
        *ret_why = REMOVED_AGE;
    }
    *ret_end = *ret_end > chunk_end ? chunk_end : *ret_end;
    return true;
}

static bool remove_upto(struct event_table *t, uint64_t end, struct err *e)
{
    struct db_query *q = t->statements[EVENT_REMOVE];

    if (!event_begin(t, e)) {
        return false;
    }
    db_bind_i64(q, 1, (int64_t)end);
    bool ok = db_run(q, e);
    return event_commit(t, ok, e);
}

/* At its limits, and what would have to go is needed? Then that is said, once, and nothing more is taken. */
static void judge(struct event_table *t, const struct look *l)
{
    uint64_t behind = l->last > l->floor ? l->last - l->floor : 0;

    lock_take(&t->lock);
    bool was_full = t->is_full;
    t->is_full = (has_too_many(l) || has_too_large(l)) && l->floor < l->first && behind > 0;
    (void)snprintf(t->full, sizeof(t->full),
                   "the table of events is full: '%s' has still %llu of %llu events to deliver",
                   l->who, (unsigned long long)behind, (unsigned long long)rows_of(l));
    bool is_full = t->is_full;
    lock_give(&t->lock);
    if (is_full && !was_full) {
        trace_error(&t->trace,
                    "the table of events is full and takes no more until some are delivered",
                    T_TEXT("stream", l->who), T_U64("behind", behind));
    }
}

/* One round; false: there is nothing more to do for now. */
static bool keep_once(struct event_table *t, struct err *e)
{
    enum event_removal why = REMOVED_ROWS;
    uint64_t end = 0;
    struct look l;

    if (!look(t, &l, e) || !find_end(t, &l, &end, &why, e)) {
        return false;
    }
    show(t, &l);
    judge(t, &l);
    end = end > l.floor ? l.floor : end;
    end = end >= l.last && l.last > 0 ? l.last - 1
                                      : end; /* the newest stays: numbers go on behind it */
    if (end < l.first || l.last == 0 || !remove_upto(t, end, e)) {
        return false;
    }
    metric_add(t->metrics.removed[why], end - l.first + 1);
    return event_marks_purge(t, end + 1, l.last - end, e);
}

void event_limits_keep(struct event_table *t)
{
    int64_t now_ns = clock_mono_ns(t->env->clock);
    struct err e = ERR_INIT;
    int rounds = 0;

    lock_take(&t->lock);
    bool is_full = t->is_full;
    bool is_guest = t->options.is_guest;
    lock_give(&t->lock);
    if (is_guest || (!is_full && t->since_looked < LOOK_ROWS &&
                     now_ns - t->looked_mono_ns < LOOK_NS_SHARE * NS_PER_S)) {
        return;
    }
    t->looked_mono_ns = now_ns;
    t->since_looked = 0;
    while (rounds < ROUNDS && keep_once(t, &e)) {
        rounds++;
    }
    if (e.code != ERR_NONE) {
        trace_error(&t->trace, "old events were not removed", T_ERR(&e));
    }
}
