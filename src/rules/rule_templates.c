/* Template files by pattern, into the library that the set's templates are compiled with. */
#include "base/fs.h"
#include "rules/rule_int.h"

static void read_file(struct rule_loader *l, struct str path)
{
    AUTO(buf_release) struct buf text = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct err e = ERR_INIT;

    l->file = arena_dup(l->arena, path);
    if (!fs_read_file(fs_system(), path, TEMPLATE_TEXT_MAX, &text, &e) ||
        !template_library_add(l->library, l->file, buf_str(&text), &e)) {
        loader_error(l, &e);
    }
    l->file = STR_NONE;
}

static void read_pattern(struct rule_loader *l, struct str base_folder, struct str pattern)
{
    struct rule_paths paths = {0};
    struct err e = ERR_INIT;

    if (!rule_paths_expand(l->arena, base_folder, pattern, &paths, &e)) {
        loader_error(l, &e);
    } else if (paths.items.len == 0) {
        (void)err_set(&e, ERR_CONFIG, "no template file matches %.*s", STR_FMT(pattern));
        loader_warning(l, &e);
    }
    for (size_t i = 0; i < paths.items.len && !loader_is_done(l); i++) {
        read_file(l, paths.items.items[i].open);
    }
    vec_release(&paths.items);
}

void templates_load(struct rule_loader *l, struct str base_folder)
{
    const struct rule_options *options = l->options;
    size_t errors = l->error_count;
    struct err e = ERR_INIT;

    if (options->template_count == 0) {
        return;
    }
    l->library = template_library_new();
    set_body_own_library(l->body, l->library);
    for (size_t i = 0; i < options->template_count && !loader_is_done(l); i++) {
        read_pattern(l, base_folder, options->templates[i]);
    }
    if (l->error_count == errors && !template_library_finish(l->library, &l->file, &e)) {
        loader_error(l, &e);
    }
    l->file = STR_NONE;
}
