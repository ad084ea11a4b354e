#include "wire/json_table.h"

#include "base/buf.h"
#include "base/number.h"
#include "base/timetext.h"
#include "wire/json.h"

#include <math.h>

/* What a value is by itself. */
enum seen {
    SEEN_FLAG = 1,
    SEEN_INTEGER = 2,
    SEEN_NUMBER = 4,
    SEEN_TIME = 8,
    SEEN_TEXT = 16,
    SEEN_NUMBER_TEXT = 32, /* "NaN": a number beside numbers, else a text */
};

void json_table_init(struct json_table *t)
{
    *t = (struct json_table){0};
    map_init(&t->by_name, 0);
    arena_init(&t->names, ARENA_UNLIMITED);
    arena_init(&t->arena, ARENA_UNLIMITED);
}

void json_table_release(struct json_table *t)
{
    vec_release(&t->columns);
    vec_release(&t->row);
    map_release(&t->by_name);
    arena_release(&t->names);
    arena_release(&t->arena);
}

/* ---- columns ---- */

static bool is_time_name(struct str name)
{
    return str_eq(name, STR("timestamp")) || str_ends(name, STR("_timestamp")) ||
           str_ends(name, STR("_at"));
}

static bool number_of_text(struct str text, double *ret)
{
    static const struct {
        const char *text;
        double number;
    } texts[] = {{"NaN", NAN}, {"+Inf", INFINITY}, {"-Inf", -INFINITY}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(text, str_of(texts[i].text))) {
            *ret = texts[i].number;
            return true;
        }
    }
    return false;
}

static unsigned seen_in_text(struct str column, struct str text)
{
    struct err ignored = ERR_INIT;
    int64_t ns = 0;
    double number = 0;

    if (is_time_name(column) && time_parse_rfc3339(text, &ns, &ignored)) {
        return SEEN_TIME;
    }
    return number_of_text(text, &number) ? SEEN_NUMBER_TEXT : SEEN_TEXT;
}

static unsigned seen_in(struct str column, const struct json_node *n)
{
    int64_t integer = 0;

    switch (n->kind) {
    case JSON_TRUE:
    case JSON_FALSE:
        return SEEN_FLAG;
    case JSON_NUMBER:
        return number_parse_i64(n->text, &integer) ? SEEN_INTEGER : SEEN_NUMBER;
    case JSON_STRING:
        return seen_in_text(column, n->text);
    case JSON_NULL:
    case JSON_NONE:
        return 0;
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return SEEN_TEXT;
}

/* The type that holds all that was seen. */
static enum cell_type type_of(unsigned seen)
{
    static const struct {
        unsigned only;
        unsigned some; /* and of these at least one */
        enum cell_type type;
    } rows[] = {
        {SEEN_FLAG, SEEN_FLAG, CELL_FLAG},
        {SEEN_INTEGER, SEEN_INTEGER, CELL_INTEGER},
        {SEEN_INTEGER | SEEN_NUMBER | SEEN_NUMBER_TEXT, SEEN_INTEGER | SEEN_NUMBER, CELL_NUMBER},
        {SEEN_TIME, SEEN_TIME, CELL_TIME},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if ((seen & ~rows[i].only) == 0 && (seen & rows[i].some) != 0) {
            return rows[i].type;
        }
    }
    return CELL_TEXT;
}

/* The place of the column, which is made if it is not there; -1: there are too many. */
static int64_t place_of(struct json_table *t, struct str name)
{
    void *found = map_get(&t->by_name, name);

    if (found != NULL) {
        return (int64_t)(uintptr_t)found - 1;
    }
    if (t->columns.len >= JSON_TABLE_COLUMNS_MAX) {
        return -1;
    }
    struct json_column *c = vec_add(&t->columns);
    *c = (struct json_column){arena_dup(&t->names, name), CELL_NONE, 0};
    (void)map_put(&t->by_name, c->name, (void *)(uintptr_t)t->columns.len);
    return (int64_t)t->columns.len - 1;
}

/* ---- lines ---- */

/* A value of a line on its way to its column. */
typedef void cell_visit(struct json_table *t, struct str name, const struct json_node *value);

static struct str inner_name(struct json_table *t, struct str outer, struct str inner)
{
    return outer.len == 0 ? inner
                          : arena_printf(&t->arena, "%.*s.%.*s", STR_FMT(outer), STR_FMT(inner));
}

/* Depth is JSON's own: JSON_DEPTH_MAX. */
static void visit_object(struct json_table *t, struct str name, const struct json_node *object,
                         cell_visit *visit)
{
    for (const struct json_node *n = object->first; n != NULL; n = n->next) {
        struct str inner = inner_name(t, name, n->key);
        if (n->kind == JSON_OBJECT) {
            visit_object(t, inner, n, visit);
        } else {
            visit(t, inner, n);
        }
    }
}

static bool visit_line(struct json_table *t, struct str line, cell_visit *visit, struct err *e)
{
    struct json_node *root = NULL;

    arena_reset(&t->arena);
    if (!json_parse(line, &t->arena, &root, e)) {
        return false;
    }
    if (root->kind != JSON_OBJECT) {
        return err_set(e, ERR_PARSE, "a line that is no JSON object");
    }
    visit_object(t, STR(""), root, visit);
    return true;
}

static void look_at(struct json_table *t, struct str name, const struct json_node *value)
{
    int64_t at = place_of(t, name);

    if (at >= 0) {
        struct json_column *c = &t->columns.items[at];
        c->seen |= (c->seen & SEEN_TEXT) != 0 ? 0 : seen_in(name, value);
    }
}

bool json_table_look(struct json_table *t, struct str line, struct err *e)
{
    if (!visit_line(t, line, look_at, e)) {
        return false;
    }
    t->rows++;
    return true;
}

void json_table_settle(struct json_table *t)
{
    for (size_t i = 0; i < t->columns.len; i++) {
        struct json_column *c = &t->columns.items[i];
        c->type = type_of(c->seen);
        struct cell *cell = vec_add(&t->row);
        *cell = (struct cell){0};
    }
}

/* ---- rows ---- */

static struct str text_of(struct json_table *t, const struct json_node *n)
{
    struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    if (n->kind == JSON_STRING || n->kind == JSON_NUMBER) {
        return n->text;
    }
    json_write_init(&w, &json);
    json_add_node(&w, n);
    struct str text = arena_dup(&t->arena, buf_str(&json));
    buf_release(&json);
    return text;
}

static void fill_flag(struct cell *cell, const struct json_node *value)
{
    cell->integer = value->kind == JSON_TRUE;
}

static void fill_integer(struct cell *cell, const struct json_node *value)
{
    (void)value;
    (void)!number_parse_i64(cell->text, &cell->integer);
}

static void fill_number(struct cell *cell, const struct json_node *value)
{
    if (value->kind != JSON_STRING || !number_of_text(cell->text, &cell->number)) {
        (void)!number_parse(cell->text, &cell->number);
    }
}

static void fill_time(struct cell *cell, const struct json_node *value)
{
    struct err ignored = ERR_INIT;

    (void)value;
    (void)!time_parse_rfc3339(cell->text, &cell->integer, &ignored);
}

static void set_cell(struct json_table *t, struct str name, const struct json_node *value)
{
    static void (*const fill[CELL_TYPES])(struct cell *, const struct json_node *) = {
        [CELL_FLAG] = fill_flag,
        [CELL_INTEGER] = fill_integer,
        [CELL_NUMBER] = fill_number,
        [CELL_TIME] = fill_time,
    };
    void *found = map_get(&t->by_name, name);

    if (found == NULL) {
        t->left_out++;
        return;
    }
    size_t at = (size_t)(uintptr_t)found - 1;
    struct cell *cell = &t->row.items[at];
    if (value->kind == JSON_NULL) {
        return;
    }
    *cell = (struct cell){.type = t->columns.items[at].type, .text = text_of(t, value)};
    if (fill[cell->type] != NULL) {
        fill[cell->type](cell, value);
    }
}

bool json_table_row(struct json_table *t, struct str line, struct err *e)
{
    for (size_t i = 0; i < t->row.len; i++) {
        t->row.items[i] = (struct cell){0};
    }
    return visit_line(t, line, set_cell, e);
}
