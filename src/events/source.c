#include "events/source.h"

#include "events/sources/sources.h"

const struct source_kind *const source_kinds[] = {
    &source_embedded, &source_sqlite, &source_postgresql, &source_outbox,
    &source_mongodb,  &source_kafka,  &source_file,       NULL,
};

static bool is_called(const struct source_kind *kind, struct str name)
{
    if (str_eq(name, str_of(kind->name))) {
        return true;
    }
    for (const char *const *alias = kind->aliases; alias != NULL && *alias != NULL; alias++) {
        if (str_eq(name, str_of(*alias))) {
            return true;
        }
    }
    return false;
}

const struct source_kind *source_kind_find(struct str name)
{
    for (const struct source_kind *const *kind = source_kinds; *kind != NULL; kind++) {
        if (is_called(*kind, name)) {
            return *kind;
        }
    }
    return NULL;
}

enum sourced source_lost(struct str stream, struct err *e)
{
    const struct err said = *e;

    (void)err_set(
        e, said.code,
        "%s. `telex events reset %.*s` starts as for the first time, `telex events skip %.*s` "
        "goes on with what comes now",
        said.message, STR_FMT(stream), STR_FMT(stream));
    return SOURCED_LOST;
}

bool source_makes(struct source_begun *b, unsigned thing, struct err *e)
{
    b->made |= 1U << thing;
    b->unmade &= ~(1U << thing);
    if (b->before_making == NULL || b->before_making(b->arg, b, e)) {
        return true;
    }
    b->made &= ~(1U << thing);
    return false;
}

void source_made_not(struct source_begun *b, unsigned thing)
{
    b->made &= ~(1U << thing);
    b->unmade |= 1U << thing;
}

enum sourced source_look_by_start(struct source *s, const struct source_start *from,
                                  struct source_begun *ret, struct buf *ret_told, struct wait wait,
                                  struct err *e)
{
    (void)ret_told;
    return s->ops->start(s, from, ret, wait, e);
}

bool source_is_same(struct str stream, struct str known, struct str found, struct err *e)
{
    return known.len == 0 || str_eq(known, found) ||
           err_set(
               e, ERR_CONFLICT,
               "this is another source than the one that the position is of: it is '%.*s', "
               "was '%.*s'. Nothing is skipped until somebody decides: `telex events reset %.*s` starts "
               "as for the first time, `telex events skip %.*s` goes on with what comes now",
               STR_FMT(found), STR_FMT(known), STR_FMT(stream), STR_FMT(stream));
}

void source_begun_init(struct source_begun *b)
{
    buf_init(&b->identity, BUF_SMALL);
    buf_init(&b->position, BUF_SMALL);
    buf_init(&b->oldest, BUF_SMALL);
    buf_init(&b->server, BUF_SMALL);
    b->before_making = NULL;
    b->arg = NULL;
    b->made = 0;
    b->unmade = 0;
}

void source_begun_release(struct source_begun *b)
{
    buf_release(&b->identity);
    buf_release(&b->position);
    buf_release(&b->oldest);
    buf_release(&b->server);
}
