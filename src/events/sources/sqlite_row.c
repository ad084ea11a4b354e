#include "events/sources/sqlite_row.h"

#include "base/number.h"
#include "events/sources/value_time.h"
#include "wire/json.h"

#include <inttypes.h>
#include <math.h>

/* ---- columns ---- */

static bool holds(struct str text, struct str part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        if (str_eq_nocase(str_slice(text, i, part.len), part)) {
            return true;
        }
    }
    return false;
}

static bool find(const struct sqlite_table *t, struct str name, int *ret, struct err *e)
{
    *ret = -1;
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq_nocase(t->items[i].name, name)) {
            *ret = (int)i + 1;
        }
    }
    return name.len == 0 || *ret >= 0 ||
           err_set(e, ERR_CONFIG, "table %.*s has no column '%.*s'", STR_FMT(t->name),
                   STR_FMT(name));
}

bool sqlite_table_read(struct sqlite_table *t, struct db_query *q, struct arena *a, struct err *e)
{
    int count = db_columns(q) - 1;

    if (count > CHANGE_COLUMNS_MAX) {
        return err_set(e, ERR_CONFIG, "table %.*s has more than %d columns", STR_FMT(t->name),
                       CHANGE_COLUMNS_MAX);
    }
    t->count = (size_t)count;
    t->items = arena_array(a, struct sqlite_column, t->count + 1);
    for (int i = 0; i < count; i++) {
        struct str declared = db_column_declared(q, i + 1);
        t->items[i] = (struct sqlite_column){.name = arena_dup(a, db_column_name(q, i + 1)),
                                             .is_json = holds(declared, STR("JSON")),
                                             .is_flag = holds(declared, STR("BOOL"))};
    }
    return find(t, t->columns->key, &t->key, e) && find(t, t->columns->time, &t->time, e);
}

/* ---- values ---- */

struct value {
    struct db_query *q;
    int at;
    const struct sqlite_column *column;
    struct arena *a;
};

static void read_integer(const struct value *v, struct change_column *ret)
{
    int64_t number = db_i64(v->q, v->at);

    if (v->column->is_flag && (number == 0 || number == 1)) {
        ret->type = COLUMN_FLAG;
        ret->text = number != 0 ? STR("true") : STR("false");
        return;
    }
    ret->type = COLUMN_NUMBER;
    ret->text = arena_printf(v->a, "%" PRId64, number);
}

/* JSON has no infinity. */
static void read_real(const struct value *v, struct change_column *ret)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    double number = db_double(v->q, v->at);

    if (!isfinite(number)) {
        ret->type = COLUMN_TEXT;
        ret->text = number > 0 ? STR("Infinity") : STR("-Infinity");
        return;
    }
    buf_add_double(&text, number);
    ret->type = COLUMN_NUMBER;
    ret->text = arena_dup(v->a, buf_str(&text));
}

static bool is_json(struct str text, struct arena *a)
{
    struct err ignored = ERR_INIT;
    struct json_reader r;

    json_read_init(&r, text, a, &ignored);
    return json_skip(&r) && json_read_end(&r);
}

static void read_text(const struct value *v, struct change_column *ret)
{
    ret->text = arena_dup(v->a, db_bytes(v->q, v->at));
    ret->type = !str_is_utf8(ret->text)                          ? COLUMN_BYTES
                : v->column->is_json && is_json(ret->text, v->a) ? COLUMN_JSON
                                                                 : COLUMN_TEXT;
}

static void read_blob(const struct value *v, struct change_column *ret)
{
    ret->text = arena_dup(v->a, db_bytes(v->q, v->at));
    ret->type = COLUMN_BYTES;
}

static void read_null(const struct value *v, struct change_column *ret)
{
    (void)v;
    ret->text = STR("");
    ret->type = COLUMN_NULL;
}

static struct change_column read_column(const struct sqlite_table *t, struct db_query *q, size_t i,
                                        struct arena *a)
{
    static void (*const readers[])(const struct value *, struct change_column *) = {
        [DB_INTEGER] = read_integer, [DB_REAL] = read_real, [DB_TEXT] = read_text,
        [DB_BLOB] = read_blob,       [DB_NULL] = read_null,
    };
    const struct value v = {q, (int)i + 1, &t->items[i], a};
    struct change_column column = {.name = t->items[i].name};

    readers[db_type(q, v.at)](&v, &column);
    return column;
}

/* ---- a row ---- */

static size_t bytes_of(struct db_query *q, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 1; i <= count; i++) {
        enum db_type type = db_type(q, (int)i);
        bytes += type == DB_TEXT || type == DB_BLOB ? db_bytes(q, (int)i).len : sizeof(int64_t);
    }
    return bytes;
}

static void read_columns(const struct sqlite_table *t, struct db_query *q, struct arena *a,
                         struct change *ch)
{
    struct change_column *columns = arena_alloc(a, (t->count + 1) * sizeof(*columns));

    for (size_t i = 0; i < t->count; i++) {
        columns[i] = read_column(t, q, i, a);
    }
    ch->form = CHANGE_ROW;
    ch->columns = columns;
    ch->column_count = t->count;
    if (t->key > 0) {
        ch->key = columns[t->key - 1].text;
    }
    if (t->time > 0) {
        const struct change_column *time = &columns[t->time - 1];
        ch->time_ns = value_time_ns(time->text, time->type == COLUMN_TEXT);
    }
}

void sqlite_row_read(const struct sqlite_table *t, struct db_query *q, struct changes *ret)
{
    struct arena *a = &ret->arena;
    struct change *ch = changes_add(ret);
    int64_t key = db_i64(q, 0);
    size_t bytes = bytes_of(q, t->count);

    ch->id = arena_printf(a, "%" PRId64, key);
    ch->position = ch->id;
    ch->sequence = key >= 0 ? arena_printf(a, "%020" PRId64, key) : STR("");
    ch->key = STR("");
    ch->name = t->name;
    ret->bytes += bytes;
    if (bytes > CHANGE_BYTES_MAX) {
        ch->form = CHANGE_BROKEN;
        ch->document = STR("");
        ch->fault =
            arena_printf(a, "row %" PRId64 " of table %.*s has %zu bytes, at most %d are taken",
                         key, STR_FMT(t->name), bytes, CHANGE_BYTES_MAX);
        return;
    }
    read_columns(t, q, a, ch);
}
