/*
 * Patterns to files. A pattern is walked segment by segment: plain ones are appended, ones with
 * wildcards are matched against the folder, ** stands for any number of folders. Names that begin
 * with a dot match only a pattern that does too, so the hidden folders of a mounted ConfigMap are
 * not read twice.
 */
#include "base/fs.h"
#include "rules/rule_int.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FOLDER_DEPTH_MAX = 32, PATTERN_MAX = PATH_MAX };

bool rule_path_is_pattern(struct str pattern)
{
    return str_find_byte(pattern, '*') < pattern.len || str_find_byte(pattern, '?') < pattern.len ||
           str_find_byte(pattern, '[') < pattern.len;
}

struct walk {
    struct arena *arena;
    struct str base_folder;
    struct rule_paths *paths;
    struct err *err;
    unsigned depth; /* of folders that ** went down */
};

/* Without "//" and "/./", and without "./" in front. */
static struct str clean_path(struct arena *a, struct str path)
{
    char *out = arena_alloc_aligned(a, path.len + 1, 1);
    bool is_absolute = path.len > 0 && path.ptr[0] == '/';
    size_t len = 0;
    struct str rest = path;
    struct str part;

    while (str_split(&rest, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR("."))) {
            continue;
        }
        if (len > 0 || is_absolute) {
            out[len++] = '/';
        }
        memcpy(out + len, part.ptr, part.len);
        len += part.len;
    }
    return str_make(out, len);
}

/* What follows "<folder>/" in <path>; <path> when it is not below. */
static struct str path_below(struct str path, struct str folder)
{
    bool is_below = folder.len > 0 && path.len > folder.len + 1 && str_starts(path, folder) &&
                    path.ptr[folder.len] == '/';

    return is_below ? str_slice(path, folder.len + 1, path.len) : path;
}

static struct str join(struct arena *a, struct str folder, struct str name)
{
    if (folder.len == 0) {
        return arena_dup(a, name);
    }
    return arena_printf(a, "%.*s%s%.*s", STR_FMT(folder), str_eq(folder, STR("/")) ? "" : "/",
                        STR_FMT(name));
}

static bool add_file(struct walk *w, struct str path)
{
    if (w->paths->items.len >= RULE_FILES_MAX) {
        return err_set(w->err, ERR_LIMIT, "there are more than %d rule files", RULE_FILES_MAX);
    }
    struct rule_path found = {path, path_below(path, w->base_folder)};
    vec_push(&w->paths->items, found);
    return true;
}

static bool has_mode(struct arena *a, struct str path, mode_t mode)
{
    struct stat info;

    return stat(arena_text(a, path), &info) == 0 && (info.st_mode & S_IFMT) == mode;
}

struct name_list {
    struct arena *arena;
    VEC(struct str) names;
};

static void name_list_release(struct name_list *list)
{
    vec_release(&list->names);
}

static void add_name(void *arg, const char *name)
{
    struct name_list *list = arg;

    if (list->names.len < RULE_FILES_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        struct str copy = arena_dup(list->arena, str_of(name));
        vec_push(&list->names, copy);
    }
}

static int by_bytes(const void *a, const void *b)
{
    const struct str *x = a;
    const struct str *y = b;

    return str_cmp(*x, *y);
}

/* The names in a folder, sorted; none when it is no folder. */
static bool list_folder(struct walk *w, struct str folder, struct name_list *list)
{
    const struct fs *fs = fs_system();
    struct str path = folder.len > 0 ? folder : STR(".");
    int status = fs->ops->list(fs, arena_text(w->arena, path), add_name, list);

    if (status != 0 && status != -ENOENT && status != -ENOTDIR) {
        return err_set_errno(w->err, ERR_IO, -status, "cannot list folder %.*s", STR_FMT(path));
    }
    if (list->names.len > 1) {
        qsort(list->names.items, list->names.len, sizeof(list->names.items[0]), by_bytes);
    }
    return true;
}

/* The rule files in a folder, by their names; not those of folders below it. */
static bool add_folder(struct walk *w, struct str folder)
{
    static const struct str endings[] = {STR_INIT(".yaml"), STR_INIT(".yml"), STR_INIT(".rules")};
    AUTO(name_list_release) struct name_list list = {.arena = w->arena};
    bool ok = list_folder(w, folder, &list);

    for (size_t i = 0; ok && i < list.names.len; i++) {
        struct str name = list.names.items[i];
        bool is_rules = false;
        for (size_t k = 0; k < ARRAY_LEN(endings); k++) {
            is_rules = is_rules || (name.ptr[0] != '.' && str_ends(name, endings[k]));
        }
        struct str path = join(w->arena, folder, name);
        ok = !is_rules || !has_mode(w->arena, path, S_IFREG) || add_file(w, path);
    }
    return ok;
}

static bool expand(struct walk *w, struct str folder, struct str pattern);

static bool expand_into(struct walk *w, struct str path, struct str rest)
{
    if (rest.len > 0) {
        return expand(w, path, rest);
    }
    return !has_mode(w->arena, path, S_IFREG) || add_file(w, path);
}

/* A segment with wildcards: all names that match it. */
static bool expand_names(struct walk *w, struct str folder, struct str segment, struct str rest)
{
    AUTO(name_list_release) struct name_list list = {.arena = w->arena};
    const char *match = arena_text(w->arena, segment);

    if (!list_folder(w, folder, &list)) {
        return false;
    }
    for (size_t i = 0; i < list.names.len; i++) {
        struct str name = list.names.items[i];
        bool matches = fnmatch(match, arena_text(w->arena, name), FNM_PERIOD) == 0;
        if (matches && !expand_into(w, join(w->arena, folder, name), rest)) {
            return false;
        }
    }
    return true;
}

/* Is it a folder itself, no link to one? Links are not followed down, since they may lead round. */
static bool is_real_folder(struct arena *a, struct str path)
{
    struct stat info;

    return lstat(arena_text(a, path), &info) == 0 && S_ISDIR(info.st_mode);
}

/* **: the rest of the pattern here and in all folders below. */
static bool expand_deep(struct walk *w, struct str folder, struct str rest)
{
    AUTO(name_list_release) struct name_list list = {.arena = w->arena};

    if (w->depth == FOLDER_DEPTH_MAX) {
        return err_set(w->err, ERR_LIMIT, "** goes down at most %d folders: %.*s", FOLDER_DEPTH_MAX,
                       STR_FMT(folder));
    }
    if (!expand(w, folder, rest) || !list_folder(w, folder, &list)) {
        return false;
    }
    w->depth++;
    for (size_t i = 0; i < list.names.len; i++) {
        struct str path = join(w->arena, folder, list.names.items[i]);
        if (list.names.items[i].ptr[0] != '.' && is_real_folder(w->arena, path) &&
            !expand_deep(w, path, rest)) {
            return false;
        }
    }
    w->depth--;
    return true;
}

static bool expand(struct walk *w, struct str folder, struct str pattern)
{
    size_t slash = str_find_byte(pattern, '/');
    struct str segment = str_slice(pattern, 0, slash);
    struct str rest = str_slice(pattern, slash + 1, pattern.len);

    if (str_eq(segment, STR("**"))) {
        return expand_deep(w, folder, rest.len > 0 ? rest : STR("*"));
    }
    if (rule_path_is_pattern(segment)) {
        return expand_names(w, folder, segment, rest);
    }
    return expand_into(w, join(w->arena, folder, segment), rest);
}

bool rule_paths_expand(struct arena *a, struct str base_folder, struct str pattern,
                       struct rule_paths *paths, struct err *e)
{
    struct str base = clean_path(a, base_folder);
    struct str full = clean_path(a, pattern);
    struct walk w = {.arena = a, .base_folder = base, .paths = paths, .err = e};

    if (pattern.len == 0 || pattern.len > PATTERN_MAX || base.len > PATTERN_MAX) {
        return err_set(e, ERR_CONFIG, "a path to rules has 1 to %d bytes, found %zu", PATTERN_MAX,
                       pattern.len);
    }
    if (str_find(pattern, STR("://")) < pattern.len) {
        return err_set(e, ERR_CONFIG, "rules cannot be fetched from %.*s: expected a path%s",
                       STR_FMT(pattern), ", http://, https:// or s3://");
    }
    if (full.len > 0 && full.ptr[0] != '/' && base.len > 0) {
        full = join(a, base, full);
    }
    if (!rule_path_is_pattern(pattern)) {
        return has_mode(a, full, S_IFDIR) ? add_folder(&w, full) : add_file(&w, full);
    }
    bool is_absolute = full.len > 0 && full.ptr[0] == '/';
    return expand(&w, is_absolute ? STR("/") : STR(""), str_slice(full, is_absolute, full.len));
}
