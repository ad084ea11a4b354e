/* Changes as JSON, newest first, each with what became of its deliveries. */
#include "base/number.h"
#include "state/history_int.h"
#include "wire/json.h"

#include <math.h>

enum { LIMIT_DEFAULT = 100 };

enum column {
    ID,
    EDGE,
    AT,
    RULE_ID,
    RULE,
    GROUP,
    LABELS,
    FROM,
    TO,
    VALUE,
    CAUSE,
    TOLD,
    ACTIVE,
    FIRED,
    RESOLVED,
    ANNOTATIONS
};

static const char select_changes[] =
    "SELECT id, edge, at_ns, rule_id, rule, grp, labels, from_state, to_state, value, cause, told,"
    " active_at_ns, fired_at_ns, resolved_at_ns, annotations FROM changes"
    " WHERE (?1 = '' OR rule = ?1) AND (?2 = '' OR rule_id = ?2) AND (?3 = '' OR grp = ?3)"
    " AND (?4 = '' OR to_state = ?4) AND at_ns >= ?5 AND (?6 = 0 OR at_ns <= ?6)"
    " AND (?7 = 0 OR id < ?7) AND (?8 = 0 OR told = 1)"
    " AND NOT EXISTS (SELECT 1 FROM json_each(?9) AS wanted"
    "   WHERE json_extract(changes.labels, '$.\"' || wanted.key || '\"') IS NOT wanted.value)"
    " ORDER BY id DESC LIMIT ?10";
static const char select_deliveries[] =
    "SELECT exporter, at_ns, result, reason FROM deliveries WHERE edge = ?1 ORDER BY exporter";

static void add_text(struct json_writer *w, const char *name, struct str value)
{
    json_key(w, str_of(name));
    json_add_str(w, value);
}

static void add_json(struct json_writer *w, const char *name, struct str json)
{
    json_key(w, str_of(name));
    json_add_raw(w, json);
}

static void add_time(struct json_writer *w, const char *name, int64_t ns)
{
    json_key(w, str_of(name));
    if (ns != 0) {
        json_add_time(w, ns);
    } else {
        json_add_null(w);
    }
}

static bool add_deliveries(struct db_query *deliveries, struct str edge, struct json_writer *w,
                           struct err *e)
{
    bool row = false;

    json_key(w, STR("deliveries"));
    json_begin_array(w);
    db_bind_str(deliveries, 1, edge);
    bool ok = db_step(deliveries, &row, e);
    while (ok && row) {
        json_begin_object(w);
        add_text(w, "exporter", db_str(deliveries, 0));
        add_time(w, "time", db_i64(deliveries, 1));
        add_text(w, "result", db_str(deliveries, 2));
        add_text(w, "reason", db_str(deliveries, 3));
        json_end_object(w);
        ok = db_step(deliveries, &row, e);
    }
    json_end_array(w);
    db_reset(deliveries);
    return ok;
}

/* null where nobody said one, as of an alert that was pushed without. */
static void add_value(struct db_query *q, struct json_writer *w)
{
    bool is_nan = db_is_text(q, VALUE);

    json_key(w, STR("value"));
    if (db_is_null(q, VALUE)) {
        json_add_null(w);
    } else {
        json_add_double_or_text(w, is_nan ? (double)NAN : db_double(q, VALUE));
    }
}

static bool add_change(struct db_query *q, struct db_query *deliveries, struct json_writer *w,
                       struct err *e)
{
    json_begin_object(w);
    json_key(w, STR("number"));
    json_add_i64(w, db_i64(q, ID));
    add_text(w, "id", db_str(q, EDGE));
    add_time(w, "time", db_i64(q, AT));
    add_text(w, "rule", db_str(q, RULE));
    add_text(w, "group", db_str(q, GROUP));
    add_text(w, "rule_id", db_str(q, RULE_ID));
    add_json(w, "labels", db_str(q, LABELS));
    add_text(w, "from", db_str(q, FROM));
    add_text(w, "to", db_str(q, TO));
    add_value(q, w);
    add_text(w, "cause", db_str(q, CAUSE));
    json_key(w, STR("told"));
    json_add_bool(w, db_i64(q, TOLD) != 0);
    add_time(w, "active_at", db_i64(q, ACTIVE));
    add_time(w, "fired_at", db_i64(q, FIRED));
    add_time(w, "resolved_at", db_i64(q, RESOLVED));
    add_json(w, "annotations", db_str(q, ANNOTATIONS));
    bool ok = add_deliveries(deliveries, db_str(q, EDGE), w, e);
    json_end_object(w);
    return ok;
}

static void bind(struct db_query *q, const struct history_filter *f, int64_t limit)
{
    db_bind_str(q, 1, f->rule);
    db_bind_str(q, 2, f->rule_id);
    db_bind_str(q, 3, f->group);
    db_bind_str(q, 4, f->state);
    db_bind_i64(q, 5, f->from_ns);
    db_bind_i64(q, 6, f->to_ns);
    db_bind_i64(q, 7, f->before);
    db_bind_i64(q, 8, f->only_told);
    db_bind_str(q, 9, f->labels.len > 0 ? f->labels : STR("{}"));
    db_bind_i64(q, 10, limit);
}

static bool print_changes(struct db_query *q, struct db_query *deliveries, int64_t limit,
                          struct buf *out, int64_t *ret_next, struct err *e)
{
    struct json_writer w;
    int64_t count = 0;
    int64_t last = 0;
    bool row = false;

    json_write_init(&w, out);
    json_begin_array(&w);
    bool ok = db_step(q, &row, e);
    while (ok && row) {
        count++;
        last = db_i64(q, ID);
        ok = add_change(q, deliveries, &w, e) && db_step(q, &row, e);
    }
    json_end_array(&w);
    *ret_next = count == limit ? last : 0;
    return ok;
}

bool history_query(struct db *db, const struct history_filter *filter, struct buf *out,
                   int64_t *ret_next, struct err *e)
{
    struct db_query *changes = NULL;
    struct db_query *deliveries = NULL;
    int64_t limit = filter->limit > 0 ? filter->limit : LIMIT_DEFAULT;

    limit = limit < HISTORY_PAGE_MAX ? limit : HISTORY_PAGE_MAX;
    bool ok = db_prepare(db, select_changes, &changes, e) &&
              db_prepare(db, select_deliveries, &deliveries, e);
    if (ok) {
        bind(changes, filter, limit);
        ok = print_changes(changes, deliveries, limit, out, ret_next, e);
    }
    db_query_free(changes);
    db_query_free(deliveries);
    return ok;
}
