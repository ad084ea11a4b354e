#include "events/sources/mongodb_place.h"

#include "base/number.h"

void mongodb_place_add(struct buf *out, const struct mongo_place *p)
{
    buf_addf(out, "%u.%u", p->seconds, p->ordinal);
    if (p->token.len > 0) {
        buf_add_text(out, p->is_invalidated ? " !" : " ");
        buf_add_str(out, p->token);
    }
}

static bool parse_u32(struct str text, uint32_t *ret)
{
    uint64_t value = 0;

    if (!number_parse_u64(text, &value) || value > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

bool mongodb_place_parse(struct str text, struct mongo_place *ret)
{
    struct mongo_place p = {.token = STR("")};
    struct str time;
    struct str seconds;

    if (!str_split(&text, ' ', &time)) {
        return false;
    }
    (void)str_split(&time, '.', &seconds);
    if (!parse_u32(seconds, &p.seconds) || !parse_u32(time, &p.ordinal)) {
        return false;
    }
    p.is_invalidated = text.len > 0 && text.ptr[0] == '!';
    p.token = str_slice(text, p.is_invalidated ? 1 : 0, text.len);
    *ret = p;
    return p.token.len > 0 ? p.token.ptr[0] == '{' : p.seconds > 0 && !p.is_invalidated;
}
