#include "events/change.h"

void changes_init(struct changes *c)
{
    *c = (struct changes){0};
    arena_init(&c->arena, ARENA_UNLIMITED);
}

void changes_clear(struct changes *c)
{
    arena_reset(&c->arena);
    vec_clear(&c->list);
    c->position = STR_NONE;
    c->bytes = 0;
}

void changes_release(struct changes *c)
{
    arena_release(&c->arena);
    vec_release(&c->list);
}

struct change *changes_add(struct changes *c)
{
    return vec_add(&c->list);
}

const struct change_column *change_column(const struct change *ch, struct str name)
{
    for (size_t i = 0; i < ch->column_count; i++) {
        if (str_eq(ch->columns[i].name, name)) {
            return &ch->columns[i];
        }
    }
    return NULL;
}
