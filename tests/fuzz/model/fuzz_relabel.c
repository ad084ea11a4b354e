/*
 * Any YAML as relabel rules: what is refused has a place; what compiles is applied to label sets, twice
 * with the same end, and makes sets that are canonical.
 */
#include "model/relabel.h"

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4096 };

static struct labels *sample_set(struct str text)
{
    struct labels *l = NULL;
    struct labels_builder b;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), STR("up"));
    labels_builder_set(&b, STR("a"), STR("Foo:9100"));
    labels_builder_set(&b, STR("b"), STR("x"));
    labels_builder_set(&b, STR("text"), str_slice(text, text.len / 2, 40));
    INVARIANT(labels_build(&b, &l, &e));
    labels_builder_release(&b);
    return l;
}

static void apply(const struct relabel *r, struct str text)
{
    AUTO(labels_autounref) struct labels *in = sample_set(text);
    struct relabel_work w;

    relabel_work_init(&w);
    AUTO(labels_autounref) struct labels *first = relabel_apply(r, &w, in);
    AUTO(labels_autounref) struct labels *second = relabel_apply(r, &w, in);
    INVARIANT((first == NULL) == (second == NULL));
    if (first != NULL) {
        AUTO(labels_autounref) struct labels *again = NULL;
        struct err e = ERR_INIT;
        INVARIANT(labels_eq(first, second) && first->count > 0);
        INVARIANT(labels_from_bytes(labels_bytes(first), &again, &e) && labels_eq(again, first));
    }
    relabel_work_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size < TEXT_MAX ? size : TEXT_MAX);
    const struct yaml_source source = {STR("fuzz"), text};
    const struct yaml_node *documents = NULL;
    struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (yaml_parse(&a, &source, &documents, &e) && documents->first != NULL) {
        AUTO(relabel_autofree) struct relabel *r = NULL;
        if (relabel_compile(documents->first, &r, &e)) {
            apply(r, text);
        } else {
            INVARIANT(e.code != ERR_NONE && e.pos.line >= 1);
        }
    }
    arena_release(&a);
    return 0;
}
