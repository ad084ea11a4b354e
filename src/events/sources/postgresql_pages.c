/*
 * A cursor is a list: the table, the time from which on rows count, whether the key that follows is still to be given ("="),
 * and the key.
 */
#include "events/sources/postgresql_pages.h"

#include "base/number.h"
#include "base/timetext.h"

struct cursor {
    size_t table;
    struct str time; /* or empty */
    bool is_included;
    struct str key[PG_IDS_MAX];
    size_t key_count; /* 0: from the first row on */
};

void pg_question_init(struct pg_question *q)
{
    q->sql = BUF_INIT(BUF_UNLIMITED);
    q->count = 0;
    arena_init(&q->arena, ARENA_UNLIMITED);
}

void pg_question_release(struct pg_question *q)
{
    buf_release(&q->sql);
    arena_release(&q->arena);
}

void pg_question_add(struct pg_question *q, struct str value)
{
    q->params[q->count++] = arena_text(&q->arena, value);
    buf_addf(&q->sql, "$%zu", q->count);
}

static enum sourced ask(struct pg_pages *s, struct pg_question *q, struct wait wait,
                        struct pg_result **ret, struct err *e)
{
    return pg_server_ask(s->server, buf_text(&q->sql), q->params, q->count, wait, ret, e);
}

/* ("a", "b") <sign> ($1, $2) */
void pg_question_add_key(struct pg_question *q, const struct pg_table *t, const char *sign,
                         const struct str *key)
{
    buf_addf(&q->sql, "(%.*s) %s (", STR_FMT(t->ids_quoted), sign);
    for (size_t i = 0; i < t->id_count; i++) {
        buf_add_text(&q->sql, i > 0 ? ", " : "");
        pg_question_add(q, key[i]);
    }
    buf_add_byte(&q->sql, ')');
}

void pg_question_add_order(struct pg_question *q, const struct pg_table *t, const char *direction)
{
    buf_add_text(&q->sql, " ORDER BY ");
    for (size_t i = 0; i < t->id_count; i++) {
        buf_add_text(&q->sql, i > 0 ? ", " : "");
        pg_add_quoted(&q->sql, t->ids[i]);
        buf_addf(&q->sql, " %s", direction);
    }
}

/* ---- the bound ---- */

static enum sourced bound_table(struct pg_pages *s, const struct pg_table *t, const char *condition,
                                struct buf *out, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf item = BUF_INIT(BUF_UNLIMITED);
    AUTO(pg_question_release) struct pg_question q;
    struct pg_result *r = NULL;

    pg_question_init(&q);
    buf_addf(&q.sql, "SELECT %.*s FROM %.*s WHERE %s", STR_FMT(t->ids_quoted), STR_FMT(t->quoted),
             condition);
    pg_question_add_order(&q, t, "DESC NULLS LAST");
    buf_add_text(&q.sql, " LIMIT 1");
    enum sourced done = ask(s, &q, wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    pg_list_add(&item, t->full);
    for (size_t i = 0; pg_rows(r) > 0 && i < t->id_count; i++) {
        pg_list_add(&item, pg_value(r, 0, i));
    }
    pg_list_add(out, buf_str(&item));
    pg_result_free(r);
    return SOURCED_OK;
}

enum sourced pg_pages_bound(struct pg_pages *s, const char *condition, struct buf *out,
                            struct wait wait, struct err *e)
{
    enum sourced done = SOURCED_OK;

    for (size_t i = 0; done == SOURCED_OK && i < s->table_count; i++) {
        if (s->tables[i].id_count > 0) {
            done = bound_table(s, &s->tables[i], condition, out, wait, e);
        }
    }
    return done;
}

/* The greatest key of a table, as the range has it; false when it has none. */
static bool find_bound(const struct pg_table *t, struct str end, struct str *key)
{
    struct str item;

    while (pg_list_next(&end, &item)) {
        struct str name;
        size_t count = 0;
        if (!pg_list_next(&item, &name) || !str_eq(name, t->full)) {
            continue;
        }
        while (count < t->id_count && pg_list_next(&item, &key[count])) {
            count++;
        }
        return count > 0 && count == t->id_count;
    }
    return false;
}

/* ---- the cursor ---- */

static void print_cursor(const struct pg_pages *s, const struct cursor *c, struct buf *out)
{
    buf_clear(out);
    pg_list_add(out, c->table < s->table_count ? s->tables[c->table].full : STR(""));
    pg_list_add(out, c->time);
    pg_list_add(out, c->is_included ? STR("=") : STR(">"));
    for (size_t i = 0; i < c->key_count; i++) {
        pg_list_add(out, c->key[i]);
    }
}

static bool read_cursor(const struct pg_pages *s, struct str text, struct cursor *ret)
{
    struct str table;
    struct str sign;

    *ret = (struct cursor){.table = 0};
    if (!pg_list_next(&text, &table) || !pg_list_next(&text, &ret->time) ||
        !pg_list_next(&text, &sign)) {
        return false;
    }
    ret->is_included = str_eq(sign, STR("="));
    while (ret->key_count < PG_IDS_MAX && pg_list_next(&text, &ret->key[ret->key_count])) {
        ret->key_count++;
    }
    while (ret->table < s->table_count && !str_eq(s->tables[ret->table].full, table)) {
        ret->table++;
    }
    return ret->table == s->table_count || ret->key_count == 0 ||
           ret->key_count == s->tables[ret->table].id_count;
}

/* ---- where a table's rows begin to count ---- */

static void add_time(struct pg_question *q, const struct pg_pages *s, struct str time)
{
    if (time.len > 0) {
        buf_add_text(&q->sql, " AND ");
        pg_add_quoted(&q->sql, s->time_column);
        buf_add_text(&q->sql, " >= ");
        pg_question_add(q, time);
    }
}

static void add_where(struct pg_question *q, const struct pg_pages *s)
{
    if (s->where.len > 0) {
        buf_addf(&q->sql, " AND (%.*s)", STR_FMT(s->where));
    }
}

static struct str time_from(const struct pg_pages *s, const struct source_range *range,
                            struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (range->from_ns == 0 || s->time_column.len == 0) {
        return STR("");
    }
    buf_add_rfc3339(&text, range->from_ns);
    return arena_dup(a, buf_str(&text));
}

/* Of the newest so many, the oldest one's time or key. */
static enum sourced find_first(struct pg_pages *s, const struct source_range *range,
                               const struct str *end, struct wait wait, struct cursor *c,
                               struct err *e)
{
    const struct pg_table *t = &s->tables[c->table];
    bool by_time = s->time_column.len > 0;
    AUTO(pg_question_release) struct pg_question q;
    AUTO(buf_release) struct buf column = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;

    pg_question_init(&q);
    pg_add_quoted(&column, s->time_column);
    buf_addf(&q.sql, "SELECT %s FROM %.*s WHERE ",
             by_time ? buf_text(&column) : arena_text(&q.arena, t->ids_quoted), STR_FMT(t->quoted));
    pg_question_add_key(&q, t, "<=", end);
    add_time(&q, s, c->time);
    add_where(&q, s);
    if (by_time) {
        buf_addf(&q.sql, " ORDER BY %s DESC NULLS LAST", buf_text(&column));
    } else {
        pg_question_add_order(&q, t, "DESC");
    }
    buf_addf(&q.sql, " OFFSET %llu LIMIT 1", (unsigned long long)range->newest - 1);
    enum sourced done = ask(s, &q, wait, &r, e);
    if (done == SOURCED_OK && pg_rows(r) > 0) {
        if (by_time && !pg_is_null(r, 0, 0)) {
            c->time = arena_dup(s->scratch, pg_value(r, 0, 0));
        }
        for (size_t i = 0; !by_time && i < t->id_count; i++) {
            c->key[i] = arena_dup(s->scratch, pg_value(r, 0, i));
            c->key_count = i + 1;
            c->is_included = true;
        }
    }
    pg_result_free(r);
    return done;
}

/* Goes to the next table that has rows below the bound, from <c->table> on. */
static enum sourced enter_table(struct pg_pages *s, const struct source_range *range,
                                struct wait wait, struct cursor *c, struct err *e)
{
    struct str end[PG_IDS_MAX] = {{0}};

    while (c->table < s->table_count && !find_bound(&s->tables[c->table], range->end, end)) {
        c->table++;
    }
    c->key_count = 0;
    c->is_included = false;
    c->time = time_from(s, range, s->scratch);
    if (c->table == s->table_count || range->newest == 0) {
        return SOURCED_OK;
    }
    return find_first(s, range, end, wait, c, e);
}

/* ---- a page ---- */

/* What the stream sends of a row: not what is generated from the rest. */
static const char find_columns[] =
    "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute a WHERE attrelid = "
    "$1::oid AND attnum > 0 AND NOT attisdropped AND coalesce(to_jsonb(a)->>'attgenerated', '') = ''";

enum sourced pg_pages_columns(struct pg_pages *s, const struct pg_table *t, struct wait wait,
                              struct str *ret, struct err *e)
{
    AUTO(buf_release) struct buf oid = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;

    buf_add_u64(&oid, t->oid);
    const char *param = buf_text(&oid);
    enum sourced done = pg_server_ask(s->server, find_columns, &param, 1, wait, &r, e);
    if (done == SOURCED_OK) {
        *ret = arena_dup(s->scratch, pg_value(r, 0, 0));
    }
    pg_result_free(r);
    return done;
}

static void add_range(struct pg_question *q, const struct pg_pages *s, const struct cursor *c,
                      const struct str *end)
{
    const struct pg_table *t = &s->tables[c->table];

    buf_addf(&q->sql, " FROM %.*s WHERE ", STR_FMT(t->quoted));
    pg_question_add_key(q, t, "<=", end);
    if (c->key_count > 0) {
        buf_add_text(&q->sql, " AND ");
        pg_question_add_key(q, t, c->is_included ? ">=" : ">", c->key);
    }
    add_time(q, s, c->time);
    add_where(q, s);
}

static void set_meaning(const struct pg_pages *s, const struct pg_table *t, struct pg_layout *l)
{
    pg_layout_end(l, &(struct pg_wishes){.ids = t->ids + t->id_from,
                                         .id_count = t->id_count - t->id_from,
                                         .is_primary_key = s->is_primary_key,
                                         .key_column = s->key_column,
                                         .time_column = s->time_column,
                                         .prefix = s->table_count > 1 ? t->full : STR("")});
}

enum sourced pg_pages_lay_out(struct pg_pages *s, const struct pg_table *t,
                              const struct pg_result *r, struct wait wait, struct pg_layout *l,
                              struct err *e)
{
    uint32_t count = (uint32_t)pg_columns(r);

    pg_layout_init(l, t->name);
    pg_layout_begin(l, count);
    for (uint32_t i = 0; i < count; i++) {
        pg_layout_column(l, i, pg_column_name(r, i), pg_column_type(r, i));
    }
    enum sourced done = pg_server_find_types(s->server, l, wait, e);
    if (done == SOURCED_OK) {
        set_meaning(s, t, l);
    }
    return done;
}

struct change *pg_pages_add_row(const struct pg_pages *s, struct pg_layout *l,
                                const struct pg_result *r, size_t row, struct changes *ret)
{
    struct pgoutput_cell *cells = arena_array(&ret->arena, struct pgoutput_cell, l->count + 1);
    struct change *ch = changes_add(ret);

    for (uint32_t i = 0; i < l->count; i++) {
        cells[i].kind = pg_is_null(r, row, i) ? PGOUTPUT_NULL : PGOUTPUT_TEXT;
        cells[i].text = arena_dup(&ret->arena, pg_value(r, row, i));
    }
    ch->op = CHANGE_INSERT;
    pg_layout_fill(l, cells, s->batch_number, ret, ch);
    if (ch->key.len == 0 && s->id_is_key) {
        ch->key = ch->id;
    }
    return ch;
}

void pg_pages_key(const struct pg_table *t, const struct pg_layout *l, const struct pg_result *r,
                  size_t row, struct str *key)
{
    for (size_t i = 0; i < t->id_count; i++) {
        for (uint32_t j = 0; j < l->count; j++) {
            if (str_eq(l->names[j], t->ids[i])) {
                key[i] = pg_value(r, row, j);
            }
        }
    }
}

static void give_row(struct pg_pages *s, struct pg_layout *l, const struct pg_result *r, size_t row,
                     struct cursor *c, struct changes *ret)
{
    AUTO(buf_release) struct buf cursor = BUF_INIT(BUF_UNLIMITED);
    struct change *ch = pg_pages_add_row(s, l, r, row, ret);

    pg_pages_key(&s->tables[c->table], l, r, row, c->key);
    c->key_count = s->tables[c->table].id_count;
    c->is_included = false;
    print_cursor(s, c, &cursor);
    ch->position = arena_dup(&ret->arena, buf_str(&cursor));
    if (ch->form == CHANGE_BROKEN) {
        ch->document = ch->position;
    }
}

static enum sourced give_page(struct pg_pages *s, const struct pg_result *r, struct cursor *c,
                              struct changes *ret, struct wait wait, struct err *e)
{
    struct pg_layout l;
    enum sourced done = pg_pages_lay_out(s, &s->tables[c->table], r, wait, &l, e);

    for (size_t i = 0; done == SOURCED_OK && i < pg_rows(r); i++) {
        give_row(s, &l, r, i, c, ret);
    }
    pg_layout_release(&l);
    return done;
}

static enum sourced read_page(struct pg_pages *s, const struct source_range *range,
                              struct cursor *c, size_t max, struct wait wait,
                              struct pg_result **ret, struct err *e)
{
    struct str end[PG_IDS_MAX] = {{0}};
    struct str columns = STR("");
    AUTO(pg_question_release) struct pg_question q;

    pg_question_init(&q);
    enum sourced done = pg_pages_columns(s, &s->tables[c->table], wait, &columns, e);
    if (done != SOURCED_OK) {
        return done;
    }
    if (!find_bound(&s->tables[c->table], range->end, end)) {
        return pg_say(SOURCED_REFUSED, e, "the backfill's bound is not one of table %.*s",
                      STR_FMT(s->tables[c->table].full));
    }
    buf_addf(&q.sql, "SELECT %.*s", STR_FMT(columns));
    add_range(&q, s, c, end);
    pg_question_add_order(&q, &s->tables[c->table], "ASC");
    buf_addf(&q.sql, " LIMIT %zu", max);
    return ask(s, &q, wait, ret, e);
}

/* Behind a table's last page: the next table, with nothing to give. */
static enum sourced leave_table(struct pg_pages *s, const struct source_range *range,
                                struct cursor *c, struct changes *ret, struct wait wait,
                                struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    c->table++;
    enum sourced done = enter_table(s, range, wait, c, e);
    if (done == SOURCED_OK) {
        print_cursor(s, c, &text);
        ret->position = arena_dup(&ret->arena, buf_str(&text));
    }
    return done;
}

static enum sourced find_cursor(struct pg_pages *s, const struct source_range *range,
                                struct str text, struct wait wait, struct cursor *ret,
                                struct err *e)
{
    *ret = (struct cursor){.table = 0};
    if (text.len == 0) {
        return enter_table(s, range, wait, ret, e);
    }
    return read_cursor(s, text, ret)
               ? SOURCED_OK
               : pg_say(SOURCED_REFUSED, e, "'%.*s' is no cursor of a backfill of these tables",
                        STR_FMT(text));
}

enum sourced pg_pages_read(struct pg_pages *s, const struct source_range *range, struct str text,
                           size_t max, struct changes *ret, bool *ret_done, struct wait wait,
                           struct err *e)
{
    struct pg_result *r = NULL;
    struct cursor c;

    arena_reset(s->scratch);
    enum sourced done = find_cursor(s, range, text, wait, &c, e);
    *ret_done = done == SOURCED_OK && c.table == s->table_count;
    if (done != SOURCED_OK || *ret_done) {
        return done;
    }
    done = read_page(s, range, &c, max, wait, &r, e);
    if (done == SOURCED_OK) {
        size_t rows = pg_rows(r);
        done = give_page(s, r, &c, ret, wait, e);
        if (done == SOURCED_OK && rows < max) {
            done = leave_table(s, range, &c, ret, wait, e);
            *ret_done = done == SOURCED_OK && c.table == s->table_count;
        }
    }
    pg_result_free(r);
    return done;
}

/* ---- how many are left ---- */

/* What the planner thinks: counting would read the table. */
static int64_t estimate(struct pg_pages *s, const struct cursor *c, const struct str *end,
                        struct wait wait)
{
    AUTO(pg_question_release) struct pg_question q;
    struct pg_result *r = NULL;
    struct err ignored = ERR_INIT;
    double rows = -1;

    pg_question_init(&q);
    buf_add_text(&q.sql, "EXPLAIN (FORMAT JSON) SELECT 1");
    add_range(&q, s, c, end);
    if (ask(s, &q, wait, &r, &ignored) == SOURCED_OK && pg_rows(r) > 0) {
        static const char name[] = "\"Plan Rows\": ";
        struct str plan = pg_value(r, 0, 0);
        size_t at = str_find(plan, STR(name));
        struct str number = str_slice(plan, at + sizeof(name) - 1, plan.len);
        number = str_slice(number, 0, str_find_byte(number, ','));
        rows = number_parse(number, &rows) ? rows : -1;
    }
    pg_result_free(r);
    return (int64_t)rows;
}

int64_t pg_pages_left(struct pg_pages *s, const struct source_range *range, struct str text,
                      struct wait wait)
{
    struct err ignored = ERR_INIT;
    struct cursor c;
    struct str end[PG_IDS_MAX] = {{0}};
    int64_t left = 0;

    arena_reset(s->scratch);
    if (find_cursor(s, range, text, wait, &c, &ignored) != SOURCED_OK) {
        return -1;
    }
    for (; c.table < s->table_count; c.table++) {
        if (find_bound(&s->tables[c.table], range->end, end)) {
            int64_t rows = estimate(s, &c, end, wait);
            if (rows < 0) {
                return -1;
            }
            left += rows;
        }
        c.key_count = 0;
    }
    return range->newest > 0 && (uint64_t)left > range->newest ? (int64_t)range->newest : left;
}
