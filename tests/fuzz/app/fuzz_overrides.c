/* The file of overrides and a patch, parted by a line "---": what comes out is a file, and stays as it is. */
#include "app/overrides.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void patch(struct str text, struct str body, struct buf *out)
{
    struct err e = ERR_INIT;

    INVARIANT(overrides_patch(text, STR("vm"), body, out, &e) == (e.code == ERR_NONE));
}

static void show(struct str text)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &out);
    overrides_print(text, STR_NONE, &w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str all = str_make((const char *)data, size);
    size_t middle = str_find(all, STR("\n---\n"));
    AUTO(buf_release) struct buf once = BUF_INIT(OVERRIDES_MAX);
    AUTO(buf_release) struct buf twice = BUF_INIT(OVERRIDES_MAX);
    AUTO(arena_release) struct arena arena;
    struct err e = ERR_INIT;

    arena_init(&arena, ARENA_UNLIMITED);
    patch(str_slice(all, 0, middle), str_slice(all, middle + 5, all.len), &once);
    show(all);
    if (once.len == 0 || !buf_ok(&once)) {
        return 0;
    }
    show(buf_str(&once));
    patch(buf_str(&once), STR("{}"), &twice);
    INVARIANT(!buf_ok(&twice) || str_eq(buf_str(&once), buf_str(&twice)));
    struct yaml_source source = {.file = STR("f"), .text = buf_str(&once)};
    const struct yaml_node *exporters = NULL;
    INVARIANT(overrides_read(&source, &arena, &exporters, &e) == (e.code == ERR_NONE));
    return 0;
}
