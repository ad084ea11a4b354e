#include "wire/pb_labels.h"

enum { PAIR_NAME = 1, PAIR_VALUE = 2 };

void pb_add_pairs(struct buf *out, uint32_t field, const struct label *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t begun = pb_begin(out, field);
        pb_add_str(out, PAIR_NAME, pairs[i].name);
        pb_add_str(out, PAIR_VALUE, pairs[i].value);
        pb_end(out, begun);
    }
}

bool pb_read_pair(struct str bytes, struct label *ret_pair)
{
    struct label pair = {STR(""), STR("")};
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == PAIR_NAME && f.type == PB_BYTES) {
            pair.name = f.bytes;
        } else if (f.number == PAIR_VALUE && f.type == PB_BYTES) {
            pair.value = f.bytes;
        }
    }
    *ret_pair = pair;
    return pb_ok(&r);
}
