#include "export/line_file.h"

#include "base/mem.h"

struct line_file {
    struct line_file_config config;
};

/* ---- as they are ---- */

static struct line_file *plain_open(const struct line_file_config *config)
{
    struct line_file *f = mem_new(struct line_file);

    f->config = *config;
    return f;
}

static bool plain_begin(struct line_file *f, struct buf *out, struct err *e)
{
    (void)f;
    (void)out;
    (void)e;
    return true;
}

static bool plain_add(struct line_file *f, struct str line, struct buf *out, struct err *e)
{
    (void)f;
    (void)e;
    buf_add_str(out, line);
    buf_add_byte(out, '\n');
    return true;
}

static void plain_close(struct line_file *f)
{
    mem_free(f);
}

static const struct line_file_ops plain = {
    .open = plain_open,
    .begin = plain_begin,
    .add = plain_add,
    .end = plain_begin,
    .close = plain_close,
};

const struct line_file_ops *const line_files[FILE_FORMATS] = {
    [FORMAT_JSONL] = &plain,
    [FORMAT_CSV] = &plain,
    [FORMAT_PARQUET] = &plain,
};
