/* Rules by pattern or place, each read once. */
#include "base/fs.h"
#include "rules/rule_int.h"

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

static void load_file(struct file_loader *f, const struct rule_path *path)
{
    struct err e = ERR_INIT;

    if (map_put(&f->seen, path->open, f) != NULL) {
        return;
    }
    buf_clear(&f->text);
    if (fs_read_file(fs_system(), path->open, RULE_FILE_MAX, &f->text, &e)) {
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

static void take_file(void *arg, struct str name, struct str text)
{
    struct file_loader *f = arg;

    if (!loader_is_done(&f->rules)) {
        struct str kept = arena_dup(&f->arena, name);
        loader_read_text(&f->rules, kept, kept, text);
    }
}

static void take_warning(void *arg, struct err *problem)
{
    struct file_loader *f = arg;

    loader_warning(&f->rules, problem);
}

/* What is elsewhere; false when <place> is a path of this machine. */
static bool load_elsewhere(struct file_loader *f, struct str place)
{
    const struct rule_fetcher *fetcher = f->rules.options->fetcher;
    struct rule_receiver to = {take_file, take_warning, f};
    struct err e = ERR_INIT;

    if (fetcher == NULL || !fetcher->takes(fetcher->arg, place)) {
        return false;
    }
    if (map_put(&f->seen, place, f) == NULL && !fetcher->fetch(fetcher->arg, place, &to, &e)) {
        (void)err_wrap(&e, "%.*s", STR_FMT(place));
        loader_error(&f->rules, &e);
    }
    return true;
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
    templates_load(&f.rules, base_folder);
    if (options->built_in.len > 0) {
        loader_read_text(&f.rules, STR("built-in"), STR("built-in"), options->built_in);
    }
    for (size_t i = 0; i < pattern_count && !loader_is_done(&f.rules); i++) {
        if (!load_elsewhere(&f, patterns[i])) {
            load_pattern(&f, base_folder, patterns[i]);
        }
    }
    return rule_loader_finish(&f.rules, ret_set, e);
}
