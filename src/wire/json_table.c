#include "wire/json_table.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/timetext.h"

#include <math.h>
#include <string.h>

/* What a value is by itself. */
enum seen {
    SEEN_FLAG = 1,
    SEEN_INTEGER = 2,
    SEEN_NUMBER = 4,
    SEEN_TIME = 8,
    SEEN_TEXT = 16,
    SEEN_NANOS = 64,       /* a time that is not of whole microseconds */
    SEEN_NUMBER_TEXT = 32, /* "NaN": a number beside numbers, else a text */
};

void json_table_init(struct json_table *t)
{
    *t = (struct json_table){0};
    map_init(&t->by_name, 0);
    json_shapes_init(&t->shapes);
    arena_init(&t->names, ARENA_UNLIMITED);
    arena_init(&t->arena, ARENA_UNLIMITED);
    buf_init(&t->rest, BUF_UNLIMITED);
}

void json_table_release(struct json_table *t)
{
    buf_release(&t->rest);
    vec_release(&t->columns);
    vec_release(&t->row);
    map_release(&t->by_name);
    json_shapes_release(&t->shapes);
    arena_release(&t->names);
    arena_release(&t->arena);
}

/* ---- columns ---- */

static bool is_time_name(struct str name)
{
    return str_eq(name, STR("timestamp")) || str_eq(name, STR("time")) ||
           str_ends(name, STR("_timestamp")) || str_ends(name, STR("_at"));
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

static unsigned seen_in_time(int64_t ns)
{
    return ns % NS_PER_US == 0 ? SEEN_TIME : SEEN_TIME | SEEN_NANOS;
}

static unsigned seen_in_text(struct str column, struct str text)
{
    struct err ignored = ERR_INIT;
    int64_t ns = 0;
    double number = 0;

    if (is_time_name(column) && time_parse_rfc3339(text, &ns, &ignored)) {
        return seen_in_time(ns);
    }
    return number_of_text(text, &number) ? SEEN_NUMBER_TEXT : SEEN_TEXT;
}

static unsigned seen_in(struct str column, const struct json_node *n)
{
    int64_t integer = 0;
    double number = 0;

    switch (n->kind) {
    case JSON_TRUE:
    case JSON_FALSE:
        return SEEN_FLAG;
    case JSON_NUMBER:
        return number_parse_i64(n->text, &integer) ? SEEN_INTEGER
               : number_parse(n->text, &number)    ? SEEN_NUMBER
                                                   : SEEN_TEXT;
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
        {SEEN_TIME | SEEN_NANOS, SEEN_TIME, CELL_TIME},
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
    *c = (struct json_column){arena_dup(&t->names, name), CELL_NONE, 0, false};
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

static bool visit_line(struct json_table *t, struct str line, cell_visit *visit,
                       struct json_node **ret_root, struct err *e)
{
    arena_reset(&t->arena);
    if (!json_parse(line, &t->arena, ret_root, e)) {
        return false;
    }
    if ((*ret_root)->kind != JSON_OBJECT) {
        return err_set(e, ERR_PARSE, "a line that is no JSON object");
    }
    visit_object(t, STR(""), *ret_root, visit);
    return true;
}

/* ---- times, which come many times ---- */

static bool time_of(struct json_table *t, struct str text, int64_t *ret_ns)
{
    struct err ignored = ERR_INIT;

    if (!str_eq(text, t->time_text)) {
        if (text.len > sizeof(t->time_room) || !time_parse_rfc3339(text, &t->time_ns, &ignored)) {
            t->time_text = STR_NONE;
            return false;
        }
        memcpy(t->time_room, text.ptr, text.len);
        t->time_text = str_make(t->time_room, text.len);
    }
    *ret_ns = t->time_ns;
    return true;
}

static void look_at(struct json_table *t, struct str name, const struct json_node *value)
{
    int64_t at = place_of(t, name);

    if (at >= 0) {
        struct json_column *c = &t->columns.items[at];
        c->seen |= (c->seen & SEEN_TEXT) != 0 ? 0 : seen_in(name, value);
    } else {
        t->has_rest |= value->kind != JSON_NULL;
    }
}

/* Only the gaps may be of a type that was not seen. */
static void look_at_gaps(struct json_table *t, const struct json_shape *shape,
                         const struct json_gaps *gaps)
{
    struct json_column *time = &t->columns.items[shape->time_column];
    struct json_column *value = &t->columns.items[shape->value_column];
    int64_t number = 0;

    time->seen |= time_of(t, gaps->time, &number) ? seen_in_time(number)
                                                  : seen_in_text(time->name, gaps->time);
    if ((value->seen & SEEN_NUMBER) == 0) {
        value->seen |= number_parse_i64(gaps->value, &number) ? SEEN_INTEGER : SEEN_NUMBER;
    }
}

static void learn_shape(struct json_table *t, struct str line, const struct json_node *root)
{
    const void *time = map_get(&t->by_name, STR("timestamp"));
    const void *value = map_get(&t->by_name, STR("value"));

    if (time != NULL && value != NULL) {
        struct json_shape *shape =
            json_shape_learn(&t->shapes, line, root, t->columns.len * sizeof(struct cell));
        if (shape != NULL) {
            shape->time_column = (size_t)(uintptr_t)time - 1;
            shape->value_column = (size_t)(uintptr_t)value - 1;
        }
    }
}

/* A number of a column that has such; one with an exponent may be too large for any. */
static bool is_seen(const struct json_table *t, const struct json_shape *shape, struct str value)
{
    bool has_numbers = (t->columns.items[shape->value_column].seen & SEEN_NUMBER) != 0;
    double number = 0;

    return (has_numbers && value.len < 30 && str_find_byte(value, 'e') == value.len &&
            str_find_byte(value, 'E') == value.len) ||
           number_parse(value, &number);
}

bool json_table_look(struct json_table *t, struct str line, struct err *e)
{
    struct json_node *root = NULL;
    struct json_gaps gaps;
    const struct json_shape *shape = json_shape_find(&t->shapes, line, &gaps);

    if (shape != NULL && is_seen(t, shape, gaps.value)) {
        look_at_gaps(t, shape, &gaps);
    } else {
        if (!visit_line(t, line, look_at, &root, e)) {
            return false;
        }
        learn_shape(t, line, root);
    }
    t->rows++;
    return true;
}

/* Its name is no member's; one that has it is in <rest> by its own name. */
static void add_rest_column(struct json_table *t)
{
    struct str name = STR("rest");

    while (map_get(&t->by_name, name) != NULL) {
        name = arena_printf(&t->names, "%.*s_", STR_FMT(name));
    }
    struct json_column *c = vec_add(&t->columns);
    *c = (struct json_column){name, CELL_NONE, SEEN_TEXT, false};
}

void json_table_settle(struct json_table *t)
{
    if (t->has_rest) {
        add_rest_column(t);
    }
    for (size_t i = 0; i < t->columns.len; i++) {
        struct json_column *c = &t->columns.items[i];
        c->type = type_of(c->seen);
        c->has_nanos = (c->seen & SEEN_NANOS) != 0;
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

static void fill_cell(struct cell *cell, const struct json_node *value)
{
    static void (*const fill[CELL_TYPES])(struct cell *, const struct json_node *) = {
        [CELL_FLAG] = fill_flag,
        [CELL_INTEGER] = fill_integer,
        [CELL_NUMBER] = fill_number,
        [CELL_TIME] = fill_time,
    };

    if (fill[cell->type] != NULL) {
        fill[cell->type](cell, value);
    }
}

static void add_to_rest(struct json_table *t, struct str name, const struct json_node *value)
{
    if (t->rest.len == 0) {
        json_write_init(&t->rest_writer, &t->rest);
        json_begin_object(&t->rest_writer);
    }
    json_key(&t->rest_writer, name);
    json_add_node(&t->rest_writer, value);
}

static void set_rest(struct json_table *t)
{
    if (t->rest.len > 0 && t->has_rest) {
        json_end_object(&t->rest_writer);
        t->row.items[t->row.len - 1] =
            (struct cell){.type = CELL_TEXT, .text = arena_dup(&t->arena, buf_str(&t->rest))};
    }
}

static void set_cell(struct json_table *t, struct str name, const struct json_node *value)
{
    void *found = map_get(&t->by_name, name);

    if (value->kind == JSON_NULL) {
        return;
    }
    if (found == NULL) {
        add_to_rest(t, name, value);
        return;
    }
    size_t at = (size_t)(uintptr_t)found - 1;
    struct cell *cell = &t->row.items[at];
    *cell = (struct cell){.type = t->columns.items[at].type, .text = text_of(t, value)};
    fill_cell(cell, value);
}

/* What rows of the shape share; texts live as long as the shape. */
static void keep_cells(struct json_table *t, struct json_shape *shape)
{
    shape->cells = arena_array(&t->shapes.arena, struct cell, t->row.len);
    for (size_t i = 0; i < t->row.len; i++) {
        shape->cells[i] = t->row.items[i];
        shape->cells[i].text = arena_dup(&t->shapes.arena, t->row.items[i].text);
    }
}

static void fill_gap(struct json_table *t, size_t column, struct str text, enum json_kind kind)
{
    const struct json_node node = {.kind = kind, .text = text};
    struct cell *cell = &t->row.items[column];

    *cell = (struct cell){.type = t->columns.items[column].type, .text = text};
    if (cell->type != CELL_TIME || !time_of(t, text, &cell->integer)) {
        fill_cell(cell, &node);
    }
}

static void count_rest(struct json_table *t)
{
    t->rest_rows += t->has_rest && t->row.items[t->row.len - 1].type != CELL_NONE;
}

bool json_table_row(struct json_table *t, struct str line, struct err *e)
{
    struct json_node *root = NULL;
    struct json_gaps gaps;
    struct json_shape *shape = json_shape_find(&t->shapes, line, &gaps);

    t->shape = NULL;
    if (shape != NULL && shape->cells != NULL) {
        memcpy(t->row.items, shape->cells, t->row.len * sizeof(t->row.items[0]));
        fill_gap(t, shape->time_column, gaps.time, JSON_STRING);
        fill_gap(t, shape->value_column, gaps.value, JSON_NUMBER);
        t->shape = shape;
        count_rest(t);
        return true;
    }
    for (size_t i = 0; i < t->row.len; i++) {
        t->row.items[i] = (struct cell){0};
    }
    buf_clear(&t->rest);
    if (!visit_line(t, line, set_cell, &root, e)) {
        return false;
    }
    set_rest(t);
    count_rest(t);
    if (shape != NULL) {
        keep_cells(t, shape);
    }
    return true;
}
