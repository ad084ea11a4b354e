/*
 * What template files define, by name.
 *
 * Invariants
 *   1. After template_library_finish() every call in every file names a definition of the library,
 *      and the uses of a definition include those of all that it calls.
 */
#include "template/template_int.h"

#include "base/map.h"

struct template_library {
    VEC(struct template *) files;
    struct map definitions; /* by name; of struct definition */
    size_t count;
};

struct template_library *template_library_new(void)
{
    struct template_library *library = mem_new(struct template_library);

    map_init(&library->definitions, 0);
    return library;
}

void template_library_free(struct template_library *library)
{
    if (library == NULL) {
        return;
    }
    for (size_t i = 0; i < library->files.len; i++) {
        template_free(library->files.items[i]);
    }
    vec_release(&library->files);
    map_release(&library->definitions);
    mem_free(library);
}

const struct definition *library_find(const struct template_library *library, struct str name)
{
    return map_get(&library->definitions, name);
}

/* The list has the newest first, and what is put later counts: so from its end. */
static void put_definitions(struct template_library *library, struct definition *d)
{
    VEC(struct definition *) all = {0};

    for (; d != NULL; d = d->next) {
        vec_push(&all, d);
    }
    while (all.len > 0) {
        struct definition *oldest = all.items[--all.len];
        (void)map_put(&library->definitions, oldest->name, oldest);
        library->count++;
    }
    vec_release(&all);
}

static bool check_room(const struct template_library *library, struct str text, struct err *e)
{
    if (text.len > TEMPLATE_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, "the file has %zu bytes, at most %d are allowed", text.len,
                       TEMPLATE_TEXT_MAX);
    }
    if (library->files.len >= TEMPLATE_FILES_MAX || library->count > TEMPLATE_DEFINITIONS_MAX) {
        return err_set(e, ERR_LIMIT, "there are more than %d template files or %d definitions",
                       TEMPLATE_FILES_MAX, TEMPLATE_DEFINITIONS_MAX);
    }
    return true;
}

bool template_library_add(struct template_library *library, struct str name, struct str text,
                          struct err *e)
{
    if (!check_room(library, text, e)) {
        return false;
    }
    AUTO(template_autofree) struct template *t = template_new(name, text, library);
    t->is_file = true;
    if (!template_parse(t, e)) {
        return false;
    }
    size_t slash = name.len;
    while (slash > 0 && name.ptr[slash - 1] != '/') {
        slash--;
    }
    t->main.name = str_slice(t->name, slash, t->name.len);
    (void)map_put(&library->definitions, t->main.name, &t->main);
    put_definitions(library, t->definitions);
    vec_push(&library->files, TAKE(t));
    return true;
}

/* One pass over all calls: true when a definition came to use more. */
static bool spread_uses(struct template_library *library)
{
    bool changed = false;

    for (size_t i = 0; i < library->files.len; i++) {
        struct template *t = library->files.items[i];
        changed = definition_spread(t, &t->main) || changed;
        for (struct definition *d = t->definitions; d != NULL; d = d->next) {
            changed = definition_spread(t, d) || changed;
        }
    }
    return changed;
}

bool template_library_finish(struct template_library *library, struct str *ret_name, struct err *e)
{
    for (size_t i = 0; i < library->files.len; i++) {
        if (!template_check_calls(library->files.items[i], e)) {
            *ret_name = library->files.items[i]->name;
            return false;
        }
    }
    while (spread_uses(library)) { /* each turn adds at least one use to one definition */
    }
    return true;
}
