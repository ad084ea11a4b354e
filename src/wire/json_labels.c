#include "wire/json_labels.h"

static void add_pair(struct json_writer *w, struct label pair)
{
    json_key(w, pair.name);
    json_add_str(w, pair.value);
}

void json_add_labels(struct json_writer *w, const struct labels *l, bool nameless)
{
    uint32_t at = 0;
    struct label pair;

    json_begin_object(w);
    while (labels_next(l, &at, &pair)) {
        if (!nameless || !str_eq(pair.name, STR("__name__"))) {
            add_pair(w, pair);
        }
    }
    json_end_object(w);
}

void json_add_pairs(struct json_writer *w, const struct label *pairs, size_t count)
{
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        add_pair(w, pairs[i]);
    }
    json_end_object(w);
}
