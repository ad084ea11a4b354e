#include "wire/table_csv.h"

static bool needs_quotes(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"' || c == ',' || c == '\n' || c == '\r') {
            return true;
        }
    }
    return text.len == 0;
}

static void add_field(struct str text, struct buf *out)
{
    if (!needs_quotes(text)) {
        buf_add_str(out, text);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') {
            buf_add_byte(out, '"');
        }
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, '"');
}

void table_csv_head(const struct json_table *t, struct buf *out)
{
    for (size_t i = 0; i < t->columns.len; i++) {
        buf_add_text(out, i > 0 ? "," : "");
        add_field(t->columns.items[i].name, out);
    }
    table_csv_end(out);
}

void table_csv_fields(const struct cell *cells, size_t from, size_t end, struct buf *out)
{
    for (size_t i = from; i < end; i++) {
        if (i > 0) {
            buf_add_byte(out, ',');
        }
        if (cells[i].type != CELL_NONE) {
            add_field(cells[i].text, out);
        }
    }
}

void table_csv_end(struct buf *out)
{
    buf_add_text(out, "\r\n");
}

void table_csv_row(const struct json_table *t, struct buf *out)
{
    table_csv_fields(t->row.items, 0, t->row.len, out);
    table_csv_end(out);
}
