/* Rule files by pattern, each read once. */
#include "base/fs.h"
#include "rules/rule_int.h"

#include <sys/stat.h>

struct file_loader {
    struct rule_loader rules;
    struct arena arena; /* paths */
    struct rule_paths paths;
    struct map seen; /* paths read */
    struct buf text;
};

static void file_loader_release(struct file_loader *f)
{
    rule_loader_release(&f->rules);
    arena_release(&f->arena);
    vec_release(&f->paths.items);
    map_release(&f->seen);
    buf_release(&f->text);
}

/* false with what to write when <path> is a folder: a likely slip. */
static bool check_is_file(struct str path, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    struct stat info;

    buf_add_str(&name, path);
    if (stat(buf_text(&name), &info) == 0 && S_ISDIR(info.st_mode)) {
        return err_set(e, ERR_CONFIG, "%.*s is a folder: write %.*s/*.yaml", STR_FMT(path),
                       STR_FMT(path));
    }
    return true;
}

static void load_file(struct file_loader *f, const struct rule_path *path)
{
    struct err e = ERR_INIT;

    if (map_put(&f->seen, path->open, f) != NULL) {
        return;
    }
    buf_clear(&f->text);
    if (check_is_file(path->open, &e) &&
        fs_read_file(fs_system(), path->open, RULE_FILE_MAX, &f->text, &e)) {
        loader_read_text(&f->rules, path->open, path->id, buf_str(&f->text));
    } else {
        loader_error(&f->rules, &e);
    }
}

static void warn_of_nothing(struct file_loader *f, struct str pattern)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_CONFIG, "no rule file matches %.*s", STR_FMT(pattern));
    loader_warning(&f->rules, &e);
}

static void load_pattern(struct file_loader *f, struct str base_folder, struct str pattern)
{
    struct err e = ERR_INIT;

    f->paths.items.len = 0;
    if (!rule_paths_expand(&f->arena, base_folder, pattern, &f->paths, &e)) {
        loader_error(&f->rules, &e);
        return;
    }
    if (f->paths.items.len == 0) {
        warn_of_nothing(f, pattern);
    }
    for (size_t i = 0; i < f->paths.items.len && !loader_is_done(&f->rules); i++) {
        load_file(f, &f->paths.items.items[i]);
    }
}

bool rule_set_load(const struct str *patterns, size_t pattern_count, struct str base_folder,
                   const struct rule_options *options, const struct rule_problems *problems,
                   struct rule_set **ret_set, struct err *e)
{
    AUTO(file_loader_release) struct file_loader f = {.text = BUF_INIT(RULE_FILE_MAX)};

    rule_loader_init(&f.rules, options, problems);
    arena_init(&f.arena, ARENA_UNLIMITED);
    map_init(&f.seen, 0);
    if (options->built_in.len > 0) {
        loader_read_text(&f.rules, STR("built-in"), STR("built-in"), options->built_in);
    }
    for (size_t i = 0; i < pattern_count && !loader_is_done(&f.rules); i++) {
        load_pattern(&f, base_folder, patterns[i]);
    }
    return rule_loader_finish(&f.rules, ret_set, e);
}
