/* What json_flat_read() takes for simple is JSON, with the same members in the same order. */
#include "wire/json_flat.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct json_node *n, struct str outer, const struct json_member *m)
{
    INVARIANT(str_eq(n->key, m->key) && str_eq(outer, m->outer) && n->kind == m->kind);
    if (n->kind == JSON_STRING || n->kind == JSON_NUMBER) {
        INVARIANT(str_eq(n->text, m->text));
    }
}

static size_t check_object(const struct json_node *object, struct str outer,
                           const struct json_member *members)
{
    size_t count = 0;

    for (const struct json_node *n = object->first; n != NULL; n = n->next) {
        if (n->kind == JSON_OBJECT) {
            INVARIANT(outer.len == 0);
            count += check_object(n, n->key, members + count);
        } else {
            check(n, outer, &members[count++]);
        }
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    struct json_flat *flat = mem_new(struct json_flat);
    struct str line = str_make((const char *)data, size);
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (json_flat_read(line, flat)) {
        INVARIANT(json_parse(line, &a, &root, &e) && root->kind == JSON_OBJECT);
        INVARIANT(check_object(root, STR(""), flat->members) == flat->count);
    }
    mem_free(flat);
    return 0;
}
