/*
 * Targets from files. Files are looked at every second and read when one of them is another than before, by
 * time, size or inode.
 */
#include "discover/discovery.h"

#include "base/env.h"
#include "base/fs.h"

#include <glob.h>
#include <sys/stat.h>

struct file_config {
    struct discovery_common common;
    struct option_list files;
};

/* What was seen of all files at the last look, as one number. */
struct file_discovery {
    struct discovery super;
    const struct file_config *config;
    uint64_t seen;
    bool has_seen;
};

static const struct option options[] = {
    DISCOVERY_REFRESH_ROW("1s"),
    {.name = "files",
     .type = OPTION_LIST,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct file_config, files),
     .help =
         "Their paths, ending in `.json`, `.yml` or `.yaml`; the last part may hold `*` and `?`. "
         "A file that is not there has no targets."},
};

const struct option_table discovery_file_options = {
    .name = "file_sd_configs",
    .help = "Targets from files.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct file_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct file_config *c = config;

    for (size_t i = 0; i < c->files.count; i++) {
        struct str path = c->files.items[i];
        if (!str_ends(path, STR(".json")) && !str_ends(path, STR(".yml")) &&
            !str_ends(path, STR(".yaml"))) {
            return yaml_err(node, e, ERR_CONFIG,
                            "files: '%.*s' does not end in .json, .yml or .yaml",
                            STR_FMT(str_slice(path, 0, 80)));
        }
    }
    return true;
}

static uint64_t mix(uint64_t seen, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        return seen;
    }
    const int64_t parts[] = {(int64_t)seen, (int64_t)st.st_ino, (int64_t)st.st_size,
                             (int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};
    return str_hash(str_of(path), str_hash(str_make((const char *)parts, sizeof(parts)), 0));
}

static bool read_file(const char *path, struct target_list *list, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(TARGET_TEXT_MAX);
    struct str name = str_of(path);

    if (!fs_read_file(fs_system(), name, TARGET_TEXT_MAX, &text, e)) {
        return false;
    }
    return str_ends(name, STR(".json"))
               ? target_groups_read_json(list, buf_str(&text), name, "__meta_filepath", e) ||
                     err_in_file(e, name)
               : target_groups_read_yaml(list, buf_str(&text), name, "__meta_filepath", e);
}

/* All paths, in order. */
static void find(const struct file_config *c, glob_t *found)
{
    for (size_t i = 0; i < c->files.count; i++) {
        AUTO(buf_release) struct buf pattern = BUF_INIT(BUF_SMALL);
        buf_add_str(&pattern, c->files.items[i]);
        (void)glob(buf_text(&pattern), i > 0 ? GLOB_APPEND : 0, NULL, found);
    }
}

static bool look(struct discovery *super, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e)
{
    struct file_discovery *d = (struct file_discovery *)super;
    glob_t found = {0};
    uint64_t seen = 1;
    bool ok = true;

    (void)wait;
    find(d->config, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        seen = mix(seen, found.gl_pathv[i]);
    }
    *ret_same = d->has_seen && seen == d->seen;
    for (size_t i = 0; ok && !*ret_same && i < found.gl_pathc; i++) {
        ok = read_file(found.gl_pathv[i], ret_list, e);
    }
    globfree(&found);
    d->seen = seen;
    d->has_seen = ok;
    return ok;
}

static void close_it(struct discovery *d)
{
    mem_free(d);
}

static bool open(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e)
{
    static const struct discovery_ops ops = {look, close_it};
    struct file_discovery *d = mem_new(struct file_discovery);

    (void)env;
    (void)e;
    *d = (struct file_discovery){.super = {&ops}, .config = config};
    *ret_discovery = &d->super;
    return true;
}

const struct discovery_kind discovery_file = {
    .key = "file_sd_configs",
    .name = "file",
    .help = "Targets from files, looked at every second.",
    .options = &discovery_file_options,
    .check = check,
    .open = open,
};
