#include "events/sources/kafka_offsets.h"

#include "base/number.h"

#include <xxhash.h>

#include <inttypes.h>

enum { HASH_DIGITS = 8 };

struct kafka_seen kafka_seen_of(const struct kafka_record *r)
{
    uint64_t hash = XXH3_64bits_withSeed(r->key.ptr, r->key.len, (uint64_t)r->time_ms);

    hash = XXH3_64bits_withSeed(r->value.ptr, r->value.len, hash);
    return (struct kafka_seen){r->offset, (uint32_t)(hash ^ (hash >> 32))};
}

static bool parse_hash(struct str text, uint32_t *ret)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < text.len; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *found = memchr(digits, text.ptr[i], sizeof(digits) - 1);
        if (found == NULL) {
            return false;
        }
        hash = hash << 4 | (uint32_t)(found - digits);
    }
    *ret = hash;
    return text.len == HASH_DIGITS;
}

/* "17" or "17~16.1a2b3c4d" */
static bool parse_place(struct str text, struct kafka_place *ret)
{
    bool has_seen = str_find_byte(text, '~') < text.len;
    struct str number = STR("");

    ret->seen = (struct kafka_seen){.offset = KAFKA_SEEN_NONE};
    (void)str_split(&text, '~', &number);
    if (!number_parse_i64(number, &ret->offset) || ret->offset < 0) {
        return false;
    }
    if (!has_seen) {
        return true;
    }
    (void)str_split(&text, '.', &number);
    return number_parse_i64(number, &ret->seen.offset) && ret->seen.offset >= 0 &&
           ret->seen.offset < ret->offset && parse_hash(text, &ret->seen.hash);
}

static bool parse_topic(struct str text, struct kafka_places *ret)
{
    struct str topic;
    struct str item;
    int64_t partition = 0;

    if (!str_split(&text, '=', &topic) || topic.len == 0 || text.len == 0) {
        return false;
    }
    while (str_split(&text, ',', &item)) {
        struct str number = STR("");
        struct kafka_place place = {.topic = topic};
        (void)str_split(&item, ':', &number);
        if (!number_parse_i64(number, &partition) || !parse_place(item, &place) || partition < 0 ||
            partition > INT32_MAX || ret->list.len >= KAFKA_PARTITIONS_MAX) {
            return false;
        }
        place.partition = (int32_t)partition;
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

const struct kafka_place *kafka_offsets_place(const struct kafka_places *places, struct str topic,
                                              int32_t partition)
{
    for (size_t i = 0; i < places->list.len; i++) {
        const struct kafka_place *p = &places->list.items[i];
        if (p->partition == partition && str_eq(p->topic, topic)) {
            return p;
        }
    }
    return NULL;
}

int64_t kafka_offsets_find(const struct kafka_places *places, struct str topic, int32_t partition)
{
    const struct kafka_place *p = kafka_offsets_place(places, topic, partition);

    return p != NULL ? p->offset : -1;
}

static void add_topic(struct buf *out, struct str name, size_t topic,
                      const struct kafka_partition *partitions, const int64_t *next,
                      const struct kafka_seen *seen, size_t count)
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
        if (seen[i].offset >= 0) {
            buf_addf(out, "~%" PRId64 ".%08" PRIx32, seen[i].offset, seen[i].hash);
        }
        is_first = false;
    }
}

void kafka_offsets_add(struct buf *out, const struct option_list *topics,
                       const struct kafka_partition *partitions, const int64_t *next,
                       const struct kafka_seen *seen, size_t count)
{
    for (size_t i = 0; i < topics->count; i++) {
        add_topic(out, topics->items[i], i, partitions, next, seen, count);
    }
}
