/*
 * A set is public data (struct rule_set) inside a body that knows what else belongs to it.
 */
#include "rules/rule_int.h"

#include <stdatomic.h>

struct set_body {
    struct rule_set set;
    _Atomic uint32_t refs;
    struct arena arena;
    VEC(struct template *) templates;
    struct template_library *library; /* that they were compiled with; or NULL */
};

struct set_body *set_body_new(void)
{
    struct set_body *body = mem_new(struct set_body);

    atomic_init(&body->refs, 1);
    arena_init(&body->arena, RULE_SET_BYTES_MAX);
    return body;
}

void set_body_free(struct set_body *body)
{
    if (body == NULL) {
        return;
    }
    for (size_t i = 0; i < body->templates.len; i++) {
        template_free(body->templates.items[i]);
    }
    vec_release(&body->templates);
    template_library_free(body->library);
    arena_release(&body->arena);
    mem_free(body);
}

struct arena *set_body_arena(struct set_body *body)
{
    return &body->arena;
}

struct rule_set *set_body_set(struct set_body *body)
{
    return &body->set;
}

void set_body_own(struct set_body *body, struct template *t)
{
    vec_push(&body->templates, t);
}

void set_body_own_library(struct set_body *body, struct template_library *library)
{
    body->library = library;
}

struct rule_set *rule_set_ref(struct rule_set *set)
{
    struct set_body *body = container_of(set, struct set_body, set);

    atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
    return set;
}

void rule_set_unref(struct rule_set *set)
{
    if (set == NULL) {
        return;
    }
    struct set_body *body = container_of(set, struct set_body, set);
    if (atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) == 1) {
        set_body_free(body);
    }
}
