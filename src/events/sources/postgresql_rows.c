#include "events/sources/postgresql_rows.h"

#include "base/number.h"
#include "base/timetext.h"

#include <stdlib.h>
#include <string.h>

void pg_layout_init(struct pg_layout *l, struct str table)
{
    *l = (struct pg_layout){.key = PG_NO_COLUMN, .time = PG_NO_COLUMN};
    arena_init(&l->arena, ARENA_UNLIMITED);
    l->table = arena_dup(&l->arena, table);
}

void pg_layout_release(struct pg_layout *l)
{
    arena_release(&l->arena);
}

void pg_layout_begin(struct pg_layout *l, uint32_t count)
{
    l->count = count;
    l->names = arena_array(&l->arena, struct str, count);
    l->oids = arena_array(&l->arena, uint32_t, count);
    l->types = arena_array(&l->arena, struct pg_form_type, count);
}

void pg_layout_column(struct pg_layout *l, uint32_t at, struct str name, uint32_t type)
{
    l->names[at] = arena_dup(&l->arena, name);
    l->oids[at] = type;
    l->types[at] = pg_form_type_of(type);
}

/* ---- types that somebody made ---- */

/* A domain is what it stands on, an array of them JSON; an enum is a text. */
static struct pg_form_type form_of(const struct pg_result *r, size_t row)
{
    uint64_t base = 0;
    uint64_t element = 0;

    (void)number_parse_u64(pg_value(r, row, 1), &base);
    (void)number_parse_u64(pg_value(r, row, 2), &element);
    struct pg_form_type type = pg_form_type_of((uint32_t)(base != 0 ? base : element));
    type.is_array = type.is_array || (base == 0 && element != 0);
    return base != 0 || element != 0 ? type : (struct pg_form_type){.form = PG_FORM_TEXT};
}

static const char find_types[] =
    "SELECT t.oid, t.typbasetype, CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typdelim = "
    "',' THEN coalesce(nullif(e.typbasetype, 0), t.typelem) ELSE 0 END FROM pg_type t LEFT JOIN "
    "pg_type e ON e.oid = t.typelem WHERE t.oid = ANY ($1::oid[])";

static void take_type(struct pg_layout *l, const struct pg_result *r, size_t row)
{
    uint64_t oid = 0;

    (void)number_parse_u64(pg_value(r, row, 0), &oid);
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->oids[i] == oid) {
            l->types[i] = form_of(r, row);
        }
    }
}

enum sourced pg_server_find_types(struct pg_server *s, struct pg_layout *l, struct wait wait,
                                  struct err *e)
{
    enum { ASK_MS = 10000 };
    AUTO(buf_release) struct buf list = BUF_INIT(BUF_UNLIMITED);
    struct pg_result *r = NULL;

    for (uint32_t i = 0; i < l->count; i++) {
        if (!l->types[i].is_known) {
            buf_addf(&list, "%c%u", list.len > 0 ? ',' : '{', l->oids[i]);
        }
    }
    if (list.len == 0) {
        return SOURCED_OK;
    }
    buf_add_byte(&list, '}');
    const char *param = buf_text(&list);
    wait.deadline_mono_ns = clock_deadline_ms(s->env->clock, ASK_MS);
    enum sourced done = pg_server_ask(s, find_types, &param, 1, wait, &r, e);
    for (size_t i = 0; done == SOURCED_OK && i < pg_rows(r); i++) {
        take_type(l, r, i);
    }
    pg_result_free(r);
    return done;
}

/* ---- what columns mean ---- */

static uint32_t find(const struct pg_layout *l, struct str name)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (str_eq(l->names[i], name)) {
            return i;
        }
    }
    return PG_NO_COLUMN;
}

static uint32_t find_wanted(struct pg_layout *l, struct str name)
{
    uint32_t at = name.len > 0 ? find(l, name) : PG_NO_COLUMN;

    if (at == PG_NO_COLUMN && name.len > 0 && l->fault.len == 0) {
        l->fault = arena_printf(&l->arena, "table %.*s had no column %.*s when this was written",
                                STR_FMT(l->table), STR_FMT(name));
    }
    return at;
}

static int compare_places(const void *a, const void *b)
{
    const uint32_t *x = a;
    const uint32_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

void pg_layout_end(struct pg_layout *l, const struct pg_wishes *wishes)
{
    l->prefix = arena_dup(&l->arena, wishes->prefix);
    l->key = find_wanted(l, wishes->key_column);
    l->time = find_wanted(l, wishes->time_column);
    for (size_t i = 0; i < wishes->id_count; i++) {
        l->ids[i] = find_wanted(l, wishes->ids[i]);
    }
    l->id_count = l->fault.len == 0 ? wishes->id_count : 0;
    if (wishes->is_primary_key) {
        qsort(l->ids, l->id_count, sizeof(l->ids[0]), compare_places);
    }
}

/* ---- a row ---- */

/* The names, once for each batch that has a row of it. */
static void begin_batch(struct pg_layout *l, uint64_t batch_number, struct changes *batch)
{
    struct change_column *columns =
        arena_alloc(&batch->arena, (l->count + 1) * sizeof(struct change_column));

    for (uint32_t i = 0; i < l->count; i++) {
        columns[i] = (struct change_column){.name = arena_dup(&batch->arena, l->names[i])};
    }
    l->blank = columns;
    l->batch_table = arena_dup(&batch->arena, l->table);
    l->batch_number = batch_number;
    l->last_time = STR(""); /* it was in the batch before */
    l->batch = batch;
}

static const enum column_type types_of_forms[] = {
    [PG_FORM_TEXT] = COLUMN_TEXT,       [PG_FORM_NUMBER] = COLUMN_NUMBER,
    [PG_FORM_FLAG] = COLUMN_FLAG,       [PG_FORM_JSON] = COLUMN_JSON,
    [PG_FORM_BYTES] = COLUMN_BYTES,     [PG_FORM_TIME] = COLUMN_TEXT,
    [PG_FORM_LOCAL_TIME] = COLUMN_TEXT,
};

static void fill_column(const struct pg_layout *l, uint32_t at, const struct pgoutput_cell *cell,
                        struct arena *a, struct change_column *column)
{
    if (cell->kind == PGOUTPUT_TEXT) {
        column->type = types_of_forms[pg_text_value(l->types[at], cell->text, a, &column->text)];
    } else {
        column->type = cell->kind == PGOUTPUT_NULL ? COLUMN_NULL : COLUMN_UNSENT;
    }
}

/* Parts stand between slashes; a slash inside of one is written as %2F. */
static void add_part(struct buf *out, struct str part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.ptr[i] == '/' || part.ptr[i] == '%') {
            buf_addf(out, "%%%02X", (unsigned)part.ptr[i]);
        } else {
            buf_add_byte(out, part.ptr[i]);
        }
    }
}

static struct str join_id(const struct pg_layout *l, const struct pgoutput_cell *cells,
                          struct arena *a)
{
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_UNLIMITED);

    add_part(&id, l->prefix);
    for (size_t i = 0; i < l->id_count; i++) {
        buf_add_text(&id, id.len > 0 || i > 0 ? "/" : "");
        add_part(&id, cells[l->ids[i]].text);
    }
    return arena_dup(a, buf_str(&id));
}

static struct str id_of(const struct pg_layout *l, const struct pgoutput_cell *cells,
                        struct arena *a)
{
    for (size_t i = 0; i < l->id_count; i++) {
        if (cells[l->ids[i]].kind != PGOUTPUT_TEXT) {
            return STR("");
        }
    }
    if (l->id_count == 1 && l->prefix.len == 0) {
        return cells[l->ids[0]].text;
    }
    return l->id_count > 0 ? join_id(l, cells, a) : STR("");
}

/* now() is the same for all rows of a transaction. */
static void take_time(struct pg_layout *l, struct change *ch)
{
    struct err ignored = ERR_INIT;

    if (l->time == PG_NO_COLUMN || ch->columns[l->time].type != COLUMN_TEXT) {
        return;
    }
    struct str text = ch->columns[l->time].text;
    if (str_eq(text, l->last_time)) {
        ch->time_ns = l->last_time_ns;
    } else if (time_parse_rfc3339(text, &ch->time_ns, &ignored)) {
        l->last_time = text;
        l->last_time_ns = ch->time_ns;
    }
}

void pg_layout_fill(struct pg_layout *l, const struct pgoutput_cell *cells, uint64_t batch_number,
                    struct changes *batch, struct change *ch)
{
    struct arena *a = &batch->arena;

    if (l->blank == NULL || l->batch_number != batch_number || l->batch != batch) {
        begin_batch(l, batch_number, batch);
    }
    struct change_column *columns = arena_alloc(a, (l->count + 1) * sizeof(*columns));
    memcpy(columns, l->blank, l->count * sizeof(*columns));
    for (uint32_t i = 0; i < l->count; i++) {
        fill_column(l, i, &cells[i], a, &columns[i]);
        batch->bytes += columns[i].text.len;
    }
    ch->form = CHANGE_ROW;
    ch->name = l->batch_table;
    ch->columns = columns;
    ch->column_count = l->count;
    ch->id = id_of(l, cells, a);
    if (l->key != PG_NO_COLUMN && columns[l->key].type != COLUMN_NULL &&
        columns[l->key].type != COLUMN_UNSENT) {
        ch->key = columns[l->key].text;
    }
    take_time(l, ch);
    if (l->fault.len > 0) {
        ch->form = CHANGE_BROKEN;
        ch->fault = arena_dup(a, l->fault);
    }
}
