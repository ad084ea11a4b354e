#include "discover/target_list.h"

void target_list_clear(struct target_list *l)
{
    for (size_t i = 0; i < l->sets.len; i++) {
        labels_unref(l->sets.items[i]);
    }
    vec_clear(&l->sets);
}

void target_list_release(struct target_list *l)
{
    target_list_clear(l);
    vec_release(&l->sets);
}

void target_list_add_all(struct target_list *l, const struct target_list *from)
{
    for (size_t i = 0; i < from->sets.len; i++) {
        vec_push(&l->sets, labels_ref(from->sets.items[i]));
    }
}

bool target_list_eq(const struct target_list *a, const struct target_list *b)
{
    bool same = a->sets.len == b->sets.len;

    for (size_t i = 0; same && i < a->sets.len; i++) {
        same = labels_eq(a->sets.items[i], b->sets.items[i]);
    }
    return same;
}

bool target_list_add(struct target_list *l, struct labels_builder *b, struct err *e)
{
    struct labels *set = NULL;

    if (l->sets.len >= TARGETS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d targets", TARGETS_MAX);
    }
    if (!labels_build(b, &set, e)) {
        return false;
    }
    vec_push(&l->sets, set);
    return true;
}
