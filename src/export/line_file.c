#include "export/line_file.h"

#include "base/mem.h"
#include "base/vec.h"
#include "wire/parquet.h"
#include "wire/table_csv.h"

/* The texts of a shape, interned in a row group. */
struct known_shape {
    uint32_t *numbers; /* per column */
    uint32_t group;
};

struct line_file {
    struct line_file_config config;
    struct json_table table;
    struct parquet_writer *parquet;
    struct parquet_column *columns;
    VEC(struct known_shape) shapes; /* by their numbers */
};

static struct line_file *open_any(const struct line_file_config *config)
{
    struct line_file *f = mem_new(struct line_file);

    f->config = *config;
    json_table_init(&f->table);
    return f;
}

static void close_any(struct line_file *f)
{
    parquet_close(f->parquet);
    mem_free(f->columns);
    for (size_t i = 0; i < f->shapes.len; i++) {
        mem_free(f->shapes.items[i].numbers);
    }
    vec_release(&f->shapes);
    json_table_release(&f->table);
    mem_free(f);
}

static bool look(struct line_file *f, struct str line, struct err *e)
{
    return json_table_look(&f->table, line, e);
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

static bool plain_add(struct line_file *f, struct str line, struct buf *out, struct err *e)
{
    (void)f;
    (void)e;
    buf_add_str(out, line);
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
    table_csv_head(&f->table, out);
    return true;
}

static bool csv_add(struct line_file *f, struct str line, struct buf *out, struct err *e)
{
    if (!json_table_row(&f->table, line, e)) {
        return false;
    }
    table_csv_row(&f->table, out);
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

/* The numbers of a shape's texts, which are looked up once per row group. */
static const uint32_t *numbers_of(struct line_file *f, const struct json_shape *shape)
{
    static const struct known_shape unknown = {NULL, UINT32_MAX};

    while (f->shapes.len <= shape->number) {
        vec_push(&f->shapes, unknown);
    }
    struct known_shape *k = &f->shapes.items[shape->number];
    if (k->group == parquet_group(f->parquet)) {
        return k->numbers;
    }
    if (k->numbers == NULL) {
        k->numbers = mem_alloc((f->table.row.len + 1) * sizeof(k->numbers[0]));
    }
    k->group = parquet_group(f->parquet);
    for (size_t i = 0; i < f->table.row.len; i++) {
        const struct cell *cell = &shape->cells[i];
        bool is_shared = i != shape->time_column && i != shape->value_column;
        k->numbers[i] = cell->type == CELL_TEXT && is_shared
                            ? parquet_intern(f->parquet, i, cell->text)
                            : UINT32_MAX;
    }
    return k->numbers;
}

static void put_row(struct line_file *f)
{
    const struct json_shape *shape = f->table.shape;
    const uint32_t *numbers = shape != NULL ? numbers_of(f, shape) : NULL;

    for (size_t i = 0; i < f->table.row.len; i++) {
        if (numbers != NULL && numbers[i] != UINT32_MAX) {
            parquet_put_interned(f->parquet, i, numbers[i]);
        } else {
            put_cell(f->parquet, i, &f->table.row.items[i]);
        }
    }
}

static bool parquet_add(struct line_file *f, struct str line, struct buf *out, struct err *e)
{
    if (!json_table_row(&f->table, line, e)) {
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
