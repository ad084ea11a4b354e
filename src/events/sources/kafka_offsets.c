#include "events/sources/kafka_offsets.h"

#include "base/number.h"

static bool parse_topic(struct str text, struct kafka_places *ret)
{
    struct str topic;
    struct str item;
    int64_t partition = 0;
    int64_t offset = 0;

    if (!str_split(&text, '=', &topic) || topic.len == 0 || text.len == 0) {
        return false;
    }
    while (str_split(&text, ',', &item)) {
        struct str number;
        (void)str_split(&item, ':', &number);
        if (!number_parse_i64(number, &partition) || !number_parse_i64(item, &offset) ||
            partition < 0 || partition > INT32_MAX || offset < 0 ||
            ret->list.len >= KAFKA_PARTITIONS_MAX) {
            return false;
        }
        const struct kafka_place place = {topic, (int32_t)partition, offset};
        vec_push(&ret->list, place);
    }
    return true;
}

bool kafka_offsets_parse(struct str text, struct kafka_places *ret)
{
    struct str topic;

    while (str_split(&text, ';', &topic)) {
        if (!parse_topic(topic, ret)) {
            return false;
        }
    }
    return true;
}

int64_t kafka_offsets_find(const struct kafka_places *places, struct str topic, int32_t partition)
{
    for (size_t i = 0; i < places->list.len; i++) {
        const struct kafka_place *p = &places->list.items[i];
        if (p->partition == partition && str_eq(p->topic, topic)) {
            return p->offset;
        }
    }
    return -1;
}

static void add_topic(struct buf *out, struct str name, size_t topic,
                      const struct kafka_partition *partitions, const int64_t *next, size_t count)
{
    bool is_first = true;

    for (size_t i = 0; i < count; i++) {
        if (partitions[i].topic != topic || next[i] < 0) {
            continue;
        }
        if (is_first) {
            buf_add_text(out, out->len > 0 ? ";" : "");
            buf_add_str(out, name);
        }
        buf_add_byte(out, is_first ? '=' : ',');
        buf_add_i64(out, partitions[i].number);
        buf_add_byte(out, ':');
        buf_add_i64(out, next[i]);
        is_first = false;
    }
}

void kafka_offsets_add(struct buf *out, const struct option_list *topics,
                       const struct kafka_partition *partitions, const int64_t *next, size_t count)
{
    for (size_t i = 0; i < topics->count; i++) {
        add_topic(out, topics->items[i], i, partitions, next, count);
    }
}
