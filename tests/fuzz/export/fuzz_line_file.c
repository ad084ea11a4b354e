/* Any bytes as a spool: what short lines make of it is what their JSON makes of it, in every format. */
#include "export/line_file.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool fetch(void *arg, uint64_t at, struct buf *out, struct err *e)
{
    const struct str *spool = arg;

    if (at >= spool->len) {
        return err_set(e, ERR_PARSE, "not there");
    }
    struct str rest = str_slice(*spool, at, spool->len);
    size_t len = str_find_byte(rest, '\n');
    if (len == rest.len) {
        return err_set(e, ERR_PARSE, "not whole");
    }
    buf_add_str(out, str_slice(rest, 0, len));
    return true;
}

static void visit(struct str spool, struct line_file *f, const struct line_file_ops *ops,
                  struct buf *out)
{
    for (size_t at = 0; at < spool.len;) {
        struct err e = ERR_INIT;
        struct str rest = str_slice(spool, at, spool.len);
        struct str line = str_slice(rest, 0, str_find_byte(rest, '\n'));
        bool ok = line.len == 0 ||
                  (out != NULL ? ops->add(f, line, at, out, &e) : ops->look(f, line, at, &e));
        INVARIANT(ok == (e.code == ERR_NONE) && (ok || e.code == ERR_PARSE));
        at += line.len + 1;
    }
}

static void convert(struct str spool, enum file_format format, struct buf *out)
{
    const struct line_file_ops *ops = line_files[format];
    const struct line_file_config config = {.pages = PACKING_NONE, .fetch = fetch, .arg = &spool};
    struct line_file *f = ops->open(&config);
    struct err e = ERR_INIT;

    if (ops->look != NULL) {
        visit(spool, f, ops, NULL);
    }
    INVARIANT(ops->begin(f, out, &e));
    visit(spool, f, ops, out);
    INVARIANT(ops->end(f, out, &e));
    ops->close(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum file_format tables[] = {FORMAT_CSV, FORMAT_PARQUET};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct str spool = str_make((const char *)data, size);

    convert(spool, FORMAT_JSONL, &json);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        AUTO(buf_release) struct buf direct = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf through = BUF_INIT(BUF_UNLIMITED);
        convert(spool, tables[i], &direct);
        convert(buf_str(&json), tables[i], &through);
        INVARIANT(str_eq(buf_str(&direct), buf_str(&through)));
    }
    return 0;
}
