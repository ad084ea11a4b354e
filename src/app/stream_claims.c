/* Two streams that would take something from each other: a replication slot, rows that one deletes, a group's offsets. */
#include "app/stream_claims.h"

#include "base/buf.h"

enum claim_mode { ALONE = '!', SHARED = '?', BADLY_SHARED = '~', USED = '.' };

static void add_claims(const struct stream_config *s, struct buf *out)
{
    if (s->options.enabled && s->kind != NULL && s->source != NULL && s->kind->claim != NULL) {
        s->kind->claim(s->source, s->name, out);
    }
}

/* Of the same thing: is it an error (ALONE), a warning (BADLY_SHARED) or nothing (SHARED)? */
static char weigh(char one, char other)
{
    if (one == USED || other == USED) {
        return SHARED;
    }
    if (one == ALONE || other == ALONE) {
        return ALONE;
    }
    return one == BADLY_SHARED && other == BADLY_SHARED ? BADLY_SHARED : SHARED;
}

static void tell(const struct stream_config *s, const struct stream_config *before, struct str what,
                 char weight, struct problems *problems)
{
    struct err e = ERR_INIT;

    (void)yaml_key_err(
        s->node, &e, ERR_CONFIG,
        weight == ALONE
            ? "streams '%.*s' (line %u) and '%.*s' (line %u) would both have %.*s, and take changes from each "
              "other: give one of them another name or a place of its own"
            : "streams '%.*s' (line %u) and '%.*s' (line %u) both tell %.*s how far they are: what it says "
              "of a lag is that of the one or of the other",
        STR_FMT(before->name), before->node->key_pos.line, STR_FMT(s->name), s->node->key_pos.line,
        STR_FMT(what));
    if (weight == ALONE) {
        problems_error(problems, &e);
    } else {
        problems_warning(problems, &e);
    }
}

/* The first that both claim is enough. */
static void compare(const struct stream_config *s, const struct stream_config *before,
                    struct problems *problems)
{
    AUTO(buf_release) struct buf mine = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf theirs = BUF_INIT(BUF_UNLIMITED);
    struct str one;
    struct str other;

    add_claims(s, &mine);
    add_claims(before, &theirs);
    struct str rest = buf_str(&mine);
    while (str_split(&rest, '\n', &one)) {
        struct str others = buf_str(&theirs);
        while (str_split(&others, '\n', &other)) {
            bool is_same = one.len > 1 && other.len > 1 &&
                           str_eq(str_slice(one, 1, one.len), str_slice(other, 1, other.len));
            if (is_same && weigh(one.ptr[0], other.ptr[0]) != SHARED) {
                tell(s, before, str_slice(one, 1, one.len), weigh(one.ptr[0], other.ptr[0]),
                     problems);
                return;
            }
        }
    }
}

void check_claims(const struct streams_config *streams, struct problems *problems)
{
    for (size_t i = 0; i < streams->count; i++) {
        for (size_t j = 0; j < i; j++) {
            compare(&streams->items[i], &streams->items[j], problems);
        }
    }
}
