#include "export/line_file.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/vec.h"
#include "wire/parquet.h"
#include "wire/table_csv.h"

#define NO_GROUP UINT32_MAX

/* What rows of a shape share, in front of the first of their own fields, between and behind them. */
struct csv_shape {
    char *text; /* NULL: not yet */
    uint32_t between;
    uint32_t behind;
    uint32_t end;
};

struct line_file {
    struct line_file_config config;
    struct json_table table;
    struct parquet_writer *parquet;
    struct parquet_column *columns;
    VEC(uint32_t) groups;             /* of rows that a shape's numbers are of, by its own number */
    VEC(uint32_t) numbers;            /* of a shape's texts: one per column */
    VEC(struct csv_shape) csv_shapes; /* by their numbers */
    struct buf model;
    struct buf expanded;
    struct arena scratch;
};

static struct line_file *open_any(const struct line_file_config *config)
{
    struct line_file *f = mem_new(struct line_file);

    f->config = *config;
    json_table_init(&f->table);
    if (config->remember_bytes > 0) {
        f->table.shapes.bytes_max = config->remember_bytes;
    }
    buf_init(&f->model, BUF_UNLIMITED);
    buf_init(&f->expanded, BUF_UNLIMITED);
    arena_init(&f->scratch, ARENA_UNLIMITED);
    return f;
}

static void close_any(struct line_file *f)
{
    parquet_close(f->parquet);
    mem_free(f->columns);
    for (size_t i = 0; i < f->csv_shapes.len; i++) {
        mem_free(f->csv_shapes.items[i].text);
    }
    vec_release(&f->csv_shapes);
    vec_release(&f->groups);
    vec_release(&f->numbers);
    buf_release(&f->model);
    buf_release(&f->expanded);
    arena_release(&f->scratch);
    json_table_release(&f->table);
    mem_free(f);
}

/* ---- short lines ---- */

/* The whole line that a short one stands for; valid until the next. */
static bool expand(struct line_file *f, const struct short_line *s, struct str *ret_line,
                   struct err *e)
{
    buf_clear(&f->model);
    buf_clear(&f->expanded);
    arena_reset(&f->scratch);
    if (f->config.fetch == NULL) {
        return err_set(e, ERR_PARSE, "a short line where nothing can be read again");
    }
    if (!f->config.fetch(f->config.arg, s->at, &f->model, e) ||
        !short_line_expand(buf_str(&f->model), s, &f->scratch, &f->expanded, e)) {
        return false;
    }
    *ret_line = buf_str(&f->expanded);
    return true;
}

/* A line without what marks it as a model. */
static struct str unmarked(struct str line)
{
    return str_slice(line, short_line_is_model(line), line.len);
}

static bool look_short(struct line_file *f, struct str line, struct err *e)
{
    struct short_line s;

    return short_line_read(line, &s, e) &&
           (json_table_look_short(&f->table, &s) ||
            (expand(f, &s, &line, e) && json_table_look(&f->table, line, e)));
}

static bool look(struct line_file *f, struct str line, uint64_t at, struct err *e)
{
    if (short_line_is(line)) {
        return look_short(f, line, e);
    }
    return short_line_is_model(line) ? json_table_look_model(&f->table, unmarked(line), at, e)
                                     : json_table_look(&f->table, line, e);
}

/* Has the table stand at the line's row. */
static bool find_row(struct line_file *f, struct str line, uint64_t at, struct err *e)
{
    struct short_line s;

    if (short_line_is_model(line)) {
        return json_table_row_model(&f->table, unmarked(line), at, e);
    }
    if (!short_line_is(line)) {
        return json_table_row(&f->table, line, e);
    }
    return short_line_read(line, &s, e) &&
           (json_table_row_short(&f->table, &s) ||
            (expand(f, &s, &line, e) && json_table_row(&f->table, line, e)));
}

uint64_t line_file_rest(const struct line_file *f)
{
    return f->table.rest_rows;
}

static bool nothing(struct line_file *f, struct buf *out, struct err *e)
{
    (void)f;
    (void)out;
    (void)e;
    return true;
}

/* ---- as they are ---- */

static bool plain_add(struct line_file *f, struct str line, uint64_t at, struct buf *out,
                      struct err *e)
{
    struct short_line s;

    (void)at;
    if (short_line_is(line) && (!short_line_read(line, &s, e) || !expand(f, &s, &line, e))) {
        return false;
    }
    buf_add_str(out, unmarked(line));
    buf_add_byte(out, '\n');
    return true;
}

static const struct line_file_ops plain = {
    .open = open_any,
    .begin = nothing,
    .add = plain_add,
    .end = nothing,
    .close = close_any,
};

/* ---- CSV ---- */

static bool csv_begin(struct line_file *f, struct buf *out, struct err *e)
{
    (void)e;
    json_table_settle(&f->table);
    f->table.has_texts = true;
    table_csv_head(&f->table, out);
    return true;
}

static void make_csv_shape(const struct line_file *f, size_t first, size_t second,
                           struct csv_shape *ret)
{
    const struct cell *cells = f->table.shape->cells;
    struct buf text = BUF_INIT(BUF_UNLIMITED);

    table_csv_fields(cells, 0, first, &text);
    ret->between = (uint32_t)text.len;
    table_csv_fields(cells, first + 1, second, &text);
    ret->behind = (uint32_t)text.len;
    table_csv_fields(cells, second + 1, f->table.row.len, &text);
    table_csv_end(&text);
    ret->end = (uint32_t)text.len;
    ret->text = buf_take(&text);
}

static void add_csv_shape(struct line_file *f, struct buf *out)
{
    static const struct csv_shape unknown = {.text = NULL};
    const struct json_row_shape *s = &f->table.row_shape;
    size_t first = s->time_column < s->value_column ? s->time_column : s->value_column;
    size_t second = s->time_column < s->value_column ? s->value_column : s->time_column;

    while (f->csv_shapes.len <= s->number) {
        vec_push(&f->csv_shapes, unknown);
    }
    struct csv_shape *c = &f->csv_shapes.items[s->number];
    if (c->text == NULL) {
        make_csv_shape(f, first, second, c);
    }
    buf_add(out, c->text, c->between);
    table_csv_fields(f->table.row.items, first, first + 1, out);
    buf_add(out, c->text + c->between, c->behind - c->between);
    table_csv_fields(f->table.row.items, second, second + 1, out);
    buf_add(out, c->text + c->behind, c->end - c->behind);
}

static bool csv_add(struct line_file *f, struct str line, uint64_t at, struct buf *out,
                    struct err *e)
{
    if (!find_row(f, line, at, e)) {
        return false;
    }
    if (f->table.shape != NULL) {
        add_csv_shape(f, out);
    } else {
        table_csv_row(&f->table, out);
    }
    return true;
}

static const struct line_file_ops csv = {
    .open = open_any,
    .look = look,
    .begin = csv_begin,
    .add = csv_add,
    .end = nothing,
    .close = close_any,
};

/* ---- Parquet ---- */

static const enum parquet_type types[CELL_TYPES] = {
    [CELL_FLAG] = PARQUET_FLAG, [CELL_INTEGER] = PARQUET_INTEGER, [CELL_NUMBER] = PARQUET_NUMBER,
    [CELL_TIME] = PARQUET_TIME, [CELL_TEXT] = PARQUET_TEXT,
};

static const enum parquet_codec codecs[FILE_PACKINGS] = {
    [PACKING_NONE] = PARQUET_NONE,
    [PACKING_GZIP] = PARQUET_GZIP,
    [PACKING_ZSTD] = PARQUET_ZSTD,
    [PACKING_SNAPPY] = PARQUET_SNAPPY,
};

static bool parquet_begin(struct line_file *f, struct buf *out, struct err *e)
{
    static const struct parquet_pair about[] = {{STR_INIT("telex.source"), STR_INIT("records")}};

    (void)out;
    json_table_settle(&f->table);
    f->columns = mem_alloc((f->table.columns.len + 1) * sizeof(f->columns[0]));
    for (size_t i = 0; i < f->table.columns.len; i++) {
        const struct json_column *c = &f->table.columns.items[i];
        f->columns[i] = (struct parquet_column){
            c->name, c->has_nanos && c->type == CELL_TIME ? PARQUET_TIME_NS : types[c->type]};
    }
    const struct parquet_config config = {
        .columns = f->columns,
        .column_count = f->table.columns.len,
        .codec = codecs[f->config.pages],
        .budget = f->config.budget,
        .about = about,
        .about_count = ARRAY_LEN(about),
    };
    return parquet_open(&config, &f->parquet, e);
}

static void put_none(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    (void)cell;
    parquet_put_null(w, column);
}

static void put_integer(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    parquet_put_i64(w, column, cell->integer);
}

static void put_time(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    parquet_put_time(w, column, cell->integer);
}

static void put_number(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    parquet_put_number(w, column, cell->number);
}

static void put_text(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    parquet_put_text(w, column, cell->text);
}

static void put_cell(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    static void (*const putters[CELL_TYPES])(struct parquet_writer *, size_t,
                                             const struct cell *) = {
        [CELL_NONE] = put_none,     [CELL_FLAG] = put_integer, [CELL_INTEGER] = put_integer,
        [CELL_NUMBER] = put_number, [CELL_TIME] = put_time,    [CELL_TEXT] = put_text,
    };

    putters[cell->type](w, column, cell);
}

/* In place of numbers. */
#define NO_CELL UINT32_MAX
#define OTHER_CELL (UINT32_MAX - 1)

static uint32_t number_of(struct line_file *f, size_t column, const struct cell *cell)
{
    const struct json_row_shape *s = &f->table.row_shape;
    bool is_own = column == s->time_column || column == s->value_column;

    if (cell->type == CELL_TEXT && !is_own) {
        return parquet_intern(f->parquet, column, cell->text);
    }
    return cell->type == CELL_NONE && !is_own ? NO_CELL : OTHER_CELL;
}

/* The numbers of the texts of the row's shape, which are looked up once per row group. */
static const uint32_t *numbers_of(struct line_file *f)
{
    size_t columns = f->table.row.len;
    size_t shape = f->table.row_shape.number;

    while (f->groups.len <= shape) {
        vec_push(&f->groups, NO_GROUP);
        for (size_t i = 0; i < columns; i++) {
            vec_push(&f->numbers, NO_CELL);
        }
    }
    uint32_t *numbers = f->numbers.items + shape * columns;
    if (f->groups.items[shape] != parquet_group(f->parquet)) {
        f->groups.items[shape] = parquet_group(f->parquet);
        for (size_t i = 0; i < columns; i++) {
            numbers[i] = number_of(f, i, &f->table.shape->cells[i]);
        }
    }
    return numbers;
}

/* A row of a shape has its own time and value only. */
static void put_shape(struct line_file *f)
{
    const struct json_row_shape *s = &f->table.row_shape;
    const uint32_t *numbers = numbers_of(f);

    for (size_t i = 0; i < f->table.row.len; i++) {
        if (numbers[i] < OTHER_CELL) {
            parquet_put_interned(f->parquet, i, numbers[i]);
        } else if (numbers[i] == NO_CELL) {
            parquet_put_null(f->parquet, i);
        } else {
            bool is_own = i == s->time_column || i == s->value_column;
            put_cell(f->parquet, i, is_own ? &f->table.row.items[i] : &f->table.shape->cells[i]);
        }
    }
}

static void put_row(struct line_file *f)
{
    if (f->table.shape != NULL) {
        put_shape(f);
        return;
    }
    for (size_t i = 0; i < f->table.row.len; i++) {
        put_cell(f->parquet, i, &f->table.row.items[i]);
    }
}

static bool parquet_add(struct line_file *f, struct str line, uint64_t at, struct buf *out,
                        struct err *e)
{
    if (!find_row(f, line, at, e)) {
        return false;
    }
    put_row(f);
    return parquet_end_row(f->parquet, out, e);
}

static bool parquet_end(struct line_file *f, struct buf *out, struct err *e)
{
    return parquet_finish(f->parquet, out, e);
}

static const struct line_file_ops parquet = {
    .open = open_any,
    .look = look,
    .begin = parquet_begin,
    .add = parquet_add,
    .end = parquet_end,
    .close = close_any,
};

const struct line_file_ops *const line_files[FILE_FORMATS] = {
    [FORMAT_JSONL] = &plain,
    [FORMAT_CSV] = &csv,
    [FORMAT_PARQUET] = &parquet,
};
