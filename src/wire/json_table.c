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
    vec_release(&t->models);
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

static unsigned seen_in_time(int64_t ns)
{
    return ns % NS_PER_US == 0 ? SEEN_TIME : SEEN_TIME | SEEN_NANOS;
}

static unsigned seen_in_text(struct json_table *t, struct str column, struct str text)
{
    int64_t ns = 0;
    double number = 0;

    if (is_time_name(column) && time_of(t, text, &ns)) {
        return seen_in_time(ns);
    }
    return number_of_text(text, &number) ? SEEN_NUMBER_TEXT : SEEN_TEXT;
}

static unsigned seen_in(struct json_table *t, struct str column, const struct json_node *n)
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
        return seen_in_text(t, column, n->text);
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
    if (outer.len == 0) {
        return inner;
    }
    char *name = arena_alloc_aligned(&t->arena, outer.len + 1 + inner.len, 1);
    memcpy(name, outer.ptr, outer.len);
    name[outer.len] = '.';
    memcpy(name + outer.len + 1, inner.ptr, inner.len);
    return str_make(name, outer.len + 1 + inner.len);
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

static void look_at_place(struct json_table *t, int64_t at, const struct json_node *value)
{
    if (at >= 0) {
        struct json_column *c = &t->columns.items[at];
        c->seen |= (c->seen & SEEN_TEXT) != 0 ? 0 : seen_in(t, c->name, value);
    } else {
        t->has_rest |= value->kind != JSON_NULL;
    }
}

static void look_at(struct json_table *t, struct str name, const struct json_node *value)
{
    look_at_place(t, place_of(t, name), value);
}

/* ---- simple lines, most of which have the members of the one before ---- */

static bool is_called(const struct json_column *c, const struct json_member *m)
{
    size_t start = m->outer.len > 0 ? m->outer.len + 1 : 0;

    return c->name.len == start + m->key.len &&
           memcmp(c->name.ptr + start, m->key.ptr, m->key.len) == 0 &&
           (start == 0 || (c->name.ptr[m->outer.len] == '.' &&
                           memcmp(c->name.ptr, m->outer.ptr, m->outer.len) == 0));
}

/* Is the member's column the one that is expected? Then the next one is. */
static bool is_expected(struct json_table *t, const struct json_member *m)
{
    size_t named = t->columns.len - (t->has_rest && t->row.len > 0);
    bool is = t->expected < named && is_called(&t->columns.items[t->expected], m);

    t->expected += is;
    return is;
}

/* <places>: the column of each, or -1. */
static void look_at_members(struct json_table *t, int64_t *places)
{
    t->expected = 0;
    for (size_t i = 0; i < t->flat.count; i++) {
        const struct json_member *m = &t->flat.members[i];
        const struct json_node value = {.kind = m->kind, .text = m->text};
        if (!is_expected(t, m)) {
            int64_t at = place_of(t, inner_name(t, m->outer, m->key));
            t->expected = at >= 0 ? (size_t)at + 1 : SIZE_MAX;
        }
        places[i] = t->expected != SIZE_MAX ? (int64_t)t->expected - 1 : -1;
        look_at_place(t, places[i], &value);
    }
}

/* What the line of a shape has for which columns, so that it is not parsed again; nothing where one has no column. */
static void keep_parts(struct json_table *t, struct json_shape *shape, struct str line,
                       const int64_t *places)
{
    struct json_part *parts = arena_array(&t->shapes.arena, struct json_part, t->flat.count);

    for (size_t i = 0; i < t->flat.count; i++) {
        const struct json_member *m = &t->flat.members[i];
        if (places[i] < 0) {
            return;
        }
        parts[i] = (struct json_part){(size_t)places[i], m->kind, m->text};
        if (m->text.len > 0) {
            parts[i].text.ptr = shape->head.ptr + (m->text.ptr - line.ptr);
        }
    }
    shape->parts = parts;
    shape->part_count = t->flat.count;
}

/* As json_gaps_of(). */
static bool gaps_of_members(const struct json_flat *flat, struct json_gaps *ret)
{
    const struct json_member *time = NULL;
    const struct json_member *value = NULL;

    for (size_t i = 0; i < flat->count; i++) {
        const struct json_member *m = &flat->members[i];
        if (m->outer.len == 0) {
            time = str_eq(m->key, STR("timestamp")) ? m : time;
            value = str_eq(m->key, STR("value")) ? m : value;
        }
    }
    if (time == NULL || value == NULL || time->kind != JSON_STRING || value->kind != JSON_NUMBER ||
        time > value) {
        return false;
    }
    *ret = (struct json_gaps){time->text, value->text};
    return true;
}

/* Only the gaps may be of a type that was not seen. */
static void look_at_gaps(struct json_table *t, const struct json_shape *shape,
                         const struct json_gaps *gaps)
{
    struct json_column *time = &t->columns.items[shape->time_column];
    struct json_column *value = &t->columns.items[shape->value_column];
    int64_t number = 0;

    time->seen |= time_of(t, gaps->time, &number) ? seen_in_time(number)
                                                  : seen_in_text(t, time->name, gaps->time);
    if ((value->seen & SEEN_NUMBER) == 0) {
        value->seen |= number_parse_i64(gaps->value, &number) ? SEEN_INTEGER : SEEN_NUMBER;
    }
}

typedef struct json_shape *make_shape(struct json_shapes *s, struct str line,
                                      const struct json_gaps *gaps, size_t more);

static struct json_shape *learn_shape(struct json_table *t, struct str line,
                                      const struct json_gaps *gaps, make_shape *make)
{
    const void *time = map_get(&t->by_name, STR("timestamp"));
    const void *value = map_get(&t->by_name, STR("value"));
    struct json_shape *shape =
        time != NULL && value != NULL
            ? make(&t->shapes, line, gaps,
                   t->columns.len * (sizeof(struct cell) + sizeof(struct json_part)))
            : NULL;

    if (shape != NULL) {
        shape->time_column = (size_t)(uintptr_t)time - 1;
        shape->value_column = (size_t)(uintptr_t)value - 1;
    }
    return shape;
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

/* A line that t->flat has. */
static void look_at_simple(struct json_table *t, struct str line, make_shape *make)
{
    int64_t places[JSON_FLAT_MAX] = {0};
    struct json_gaps gaps;
    struct json_shape *shape = NULL;

    arena_reset(&t->arena);
    look_at_members(t, places);
    if (gaps_of_members(&t->flat, &gaps)) {
        shape = learn_shape(t, line, &gaps, make);
    }
    if (shape != NULL) {
        keep_parts(t, shape, line, places);
    }
    t->shape = shape;
}

/* A line of no known shape. */
static bool look_at_new(struct json_table *t, struct str line, make_shape *make, struct err *e)
{
    struct json_node *root = NULL;
    struct json_gaps gaps;

    if (json_flat_read(line, &t->flat)) {
        look_at_simple(t, line, make);
    } else if (visit_line(t, line, look_at, &root, e)) {
        t->shape = json_gaps_of(line, root, &gaps) ? learn_shape(t, line, &gaps, make) : NULL;
    } else {
        return false;
    }
    t->rows++;
    return true;
}

bool json_table_look(struct json_table *t, struct str line, struct err *e)
{
    struct json_gaps gaps;

    t->shape = json_shape_find(&t->shapes, line, &gaps);
    if (t->shape != NULL && is_seen(t, t->shape, gaps.value)) {
        look_at_gaps(t, t->shape, &gaps);
        t->rows++;
        return true;
    }
    return look_at_new(t, line, json_shape_learn, e);
}

/* ---- short lines ---- */

enum { MODELS_MAX = 4 * 1000 * 1000 };

static struct json_row_shape row_shape_of(const struct json_shape *shape)
{
    return (struct json_row_shape){shape->number, (uint16_t)shape->time_column,
                                   (uint16_t)shape->value_column};
}

bool json_table_look_model(struct json_table *t, struct str line, uint64_t at, struct err *e)
{
    bool is_behind = t->models.len == 0 || vec_last(&t->models)->at < at;

    if (!look_at_new(t, line, json_shape_add, e)) {
        return false;
    }
    if (t->shape != NULL && is_behind && t->models.len < MODELS_MAX) {
        vec_push(&t->models, ((struct json_model){at, t->shape, row_shape_of(t->shape), false}));
    }
    return true;
}

/* Mostly that behind the last one. */
static struct json_model *model_of(struct json_table *t, uint64_t at)
{
    struct json_model *models = t->models.items;
    size_t low = 0;
    size_t high = t->models.len;

    if (t->model + 1 < high && models[t->model + 1].at == at) {
        t->model++;
        return &models[t->model];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (models[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == t->models.len || models[low].at != at) {
        return NULL;
    }
    t->model = low;
    return &models[low];
}

/* Of whole numbers below it the text is all digits, and back. */
#define DIGITS_END 1e15

/* Is the number, as it is printed, whole? */
static bool is_whole(double value, int64_t *ret)
{
    char text[NUMBER_TEXT_MAX];

    if (value != trunc(value)) {
        return false;
    }
    if (fabs(value) < DIGITS_END) {
        *ret = (int64_t)value;
        return true;
    }
    return number_parse_i64(str_make(text, number_format(value, text)), ret);
}

bool json_table_look_short(struct json_table *t, const struct short_line *s)
{
    const struct json_model *model = model_of(t, s->at);
    int64_t ignored = 0;

    if (model == NULL) {
        return false;
    }
    struct json_column *value = &t->columns.items[model->row.value_column];
    t->columns.items[model->row.time_column].seen |= seen_in_time(s->time_ns);
    if ((value->seen & SEEN_NUMBER) == 0) {
        value->seen |= is_whole(s->value, &ignored) ? SEEN_INTEGER : SEEN_NUMBER;
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

static void set_cell_at(struct json_table *t, size_t at, const struct json_node *value)
{
    struct cell *cell = &t->row.items[at];

    if (value->kind != JSON_NULL) {
        *cell = (struct cell){.type = t->columns.items[at].type, .text = text_of(t, value)};
        if (cell->type != CELL_TIME || !time_of(t, cell->text, &cell->integer)) {
            fill_cell(cell, value);
        }
    }
}

static void set_cell(struct json_table *t, struct str name, const struct json_node *value)
{
    void *found = map_get(&t->by_name, name);

    if (found != NULL) {
        set_cell_at(t, (size_t)(uintptr_t)found - 1, value);
    } else if (value->kind != JSON_NULL) {
        add_to_rest(t, name, value);
    }
}

static void set_members(struct json_table *t)
{
    t->expected = 0;
    for (size_t i = 0; i < t->flat.count; i++) {
        const struct json_member *m = &t->flat.members[i];
        const struct json_node value = {.kind = m->kind, .text = m->text};
        if (is_expected(t, m)) {
            set_cell_at(t, t->expected - 1, &value);
        } else {
            struct str name = inner_name(t, m->outer, m->key);
            set_cell(t, name, &value);
            t->expected = (size_t)(uintptr_t)map_get(&t->by_name, name);
        }
    }
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

/* The same of a shape that knows what its line has. */
static void make_cells(struct json_table *t, struct json_shape *shape)
{
    for (size_t i = 0; i < t->row.len; i++) {
        t->row.items[i] = (struct cell){0};
    }
    for (size_t i = 0; i < shape->part_count; i++) {
        const struct json_part *p = &shape->parts[i];
        const struct json_node value = {.kind = p->kind, .text = p->text};
        set_cell_at(t, p->column, &value);
        if (p->kind == JSON_TRUE || p->kind == JSON_FALSE) {
            t->row.items[p->column].text =
                arena_dup(&t->shapes.arena, t->row.items[p->column].text);
        }
    }
    shape->cells = arena_array(&t->shapes.arena, struct cell, t->row.len);
    memcpy(shape->cells, t->row.items, t->row.len * sizeof(t->row.items[0]));
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

/* A line of <shape>, or of none; its cells are known then or become so. */
static bool read_row(struct json_table *t, struct str line, struct json_shape *shape, struct err *e)
{
    struct json_node *root = NULL;

    for (size_t i = 0; i < t->row.len; i++) {
        t->row.items[i] = (struct cell){0};
    }
    buf_clear(&t->rest);
    if (json_flat_read(line, &t->flat)) {
        arena_reset(&t->arena);
        set_members(t);
    } else if (!visit_line(t, line, set_cell, &root, e)) {
        return false;
    }
    set_rest(t);
    count_rest(t);
    if (shape != NULL && shape->cells == NULL) {
        keep_cells(t, shape);
    }
    return true;
}

bool json_table_row(struct json_table *t, struct str line, struct err *e)
{
    struct json_gaps gaps;
    struct json_shape *shape = json_shape_find(&t->shapes, line, &gaps);

    t->shape = NULL;
    if (shape != NULL && shape->cells == NULL && shape->parts != NULL) {
        arena_reset(&t->arena);
        make_cells(t, shape);
    }
    if (shape != NULL && shape->cells != NULL) {
        memcpy(t->row.items, shape->cells, t->row.len * sizeof(t->row.items[0]));
        fill_gap(t, shape->time_column, gaps.time, JSON_STRING);
        fill_gap(t, shape->value_column, gaps.value, JSON_NUMBER);
        t->shape = shape;
        t->row_shape = row_shape_of(shape);
        count_rest(t);
        return true;
    }
    return read_row(t, line, shape, e);
}

bool json_table_row_model(struct json_table *t, struct str line, uint64_t at, struct err *e)
{
    struct json_model *model = model_of(t, at);
    struct json_shape *shape = model != NULL ? model->shape : NULL;

    t->shape = NULL;
    if (shape == NULL || shape->parts == NULL) {
        bool ok = read_row(t, line, shape, e);
        if (model != NULL) {
            model->has_cells = ok;
        }
        return ok;
    }
    arena_reset(&t->arena);
    make_cells(t, shape); /* with its own time and value */
    model->has_cells = true;
    t->shape = shape;
    t->row_shape = model->row;
    count_rest(t);
    return true;
}

/* A text is what the sample would have been written with. */
static void fill_short_time(struct json_table *t, struct cell *cell, int64_t time_ns)
{
    struct buf text = BUF_INIT(sizeof(t->time_room));

    cell->integer = time_ns;
    if (!t->has_texts && cell->type == CELL_TIME) {
        return;
    }
    if (t->time_text.len == 0 || t->time_ns != time_ns) {
        buf_add_rfc3339(&text, time_ns);
        memcpy(t->time_room, text.ptr, text.len);
        t->time_text = str_make(t->time_room, text.len);
        t->time_ns = time_ns;
        buf_release(&text);
    }
    cell->text = t->time_text;
}

static void fill_short_value(struct json_table *t, struct cell *cell, double value)
{
    cell->number = value;
    if (cell->type == CELL_INTEGER) {
        (void)is_whole(value, &cell->integer);
    }
    if (t->has_texts || cell->type == CELL_TEXT) {
        cell->text = str_make(t->value_room, number_format(value, t->value_room));
    }
}

bool json_table_row_short(struct json_table *t, const struct short_line *s)
{
    const struct json_model *model = model_of(t, s->at);

    if (model == NULL || !model->has_cells) {
        return false;
    }
    struct cell *time = &t->row.items[model->row.time_column];
    struct cell *value = &t->row.items[model->row.value_column];
    time->type = t->columns.items[model->row.time_column].type;
    value->type = t->columns.items[model->row.value_column].type;
    fill_short_time(t, time, s->time_ns);
    fill_short_value(t, value, s->value);
    t->shape = model->shape;
    t->row_shape = model->row;
    t->rest_rows += t->has_rest && model->shape->cells[t->row.len - 1].type != CELL_NONE;
    return true;
}
