/* Any lines as a table: looked at, then written as CSV and as Parquet. */
#include "wire/json_table.h"

#include "base/mem.h"
#include "wire/parquet.h"
#include "wire/table_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(struct parquet_writer *w, size_t column, const struct cell *cell)
{
    if (cell->type == CELL_NONE) {
        parquet_put_null(w, column);
    } else if (cell->type == CELL_TEXT) {
        parquet_put_text(w, column, cell->text);
    } else if (cell->type == CELL_TIME) {
        parquet_put_time(w, column, cell->integer);
    } else if (cell->type == CELL_NUMBER) {
        parquet_put_number(w, column, cell->number);
    } else {
        parquet_put_i64(w, column, cell->integer);
    }
}

static void add(struct json_table *t, struct parquet_writer *w, struct str line, struct buf *out)
{
    struct err e = ERR_INIT;

    if (!json_table_row(t, line, &e)) {
        INVARIANT(e.code != ERR_NONE);
        return;
    }
    table_csv_row(t, out);
    for (size_t i = 0; i < t->row.len; i++) {
        put(w, i, &t->row.items[i]);
    }
    INVARIANT(parquet_end_row(w, out, &e));
}

static void write_all(struct json_table *t, struct str lines)
{
    static const enum parquet_type types[CELL_TYPES] = {
        [CELL_FLAG] = PARQUET_FLAG,     [CELL_INTEGER] = PARQUET_INTEGER,
        [CELL_NUMBER] = PARQUET_NUMBER, [CELL_TIME] = PARQUET_TIME,
        [CELL_TEXT] = PARQUET_TEXT,
    };
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct parquet_column *columns = mem_alloc((t->columns.len + 1) * sizeof(columns[0]));
    struct parquet_writer *w = NULL;
    struct err e = ERR_INIT;
    struct str line;

    for (size_t i = 0; i < t->columns.len; i++) {
        const struct json_column *c = &t->columns.items[i];
        columns[i] = (struct parquet_column){c->name, types[c->type]};
    }
    const struct parquet_config config = {.columns = columns,
                                          .column_count = t->columns.len,
                                          .codec = PARQUET_SNAPPY,
                                          .group_bytes = 500};
    INVARIANT(parquet_open(&config, &w, &e));
    table_csv_head(t, &out);
    while (lines.len > 0 && str_split(&lines, '\n', &line)) {
        add(t, w, line, &out);
    }
    INVARIANT(parquet_finish(w, &out, &e));
    parquet_close(w);
    mem_free(columns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(json_table_release) struct json_table t;
    struct str lines = str_make((const char *)data, size);
    struct str rest = lines;
    struct str line;

    json_table_init(&t);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        struct err e = ERR_INIT;
        INVARIANT(json_table_look(&t, line, &e) == (e.code == ERR_NONE));
    }
    json_table_settle(&t);
    write_all(&t, lines);
    return 0;
}
