#include "wire/graphite_answer.h"

#include "base/clock.h"
#include "wire/json.h"
#include "wire/prom_answer.h"

struct series {
    struct str target; /* raw; ptr NULL: not seen */
    struct str tags;   /* raw object; ptr NULL: there are none */
    bool has_value;
    int64_t time_s;
    double value;
};

/* [value, time]; a value may be null, or what no JSON is: NaN and infinities are null in Graphite. */
static bool take_point(struct json_reader *r, struct series *s)
{
    double value = 0;
    int64_t time_s = 0;

    if (!json_open_array(r) || !json_next_item(r)) {
        return r->failed ? false : json_fail(r, ERR_PARSE, "expected a point: [value, time]");
    }
    bool is_null = json_peek(r) == JSON_NULL;
    if (!(is_null ? json_skip(r) : json_take_double(r, &value))) {
        return false;
    }
    if (!json_next_item(r) || !json_take_i64(r, &time_s)) {
        return r->failed ? false : json_fail(r, ERR_PARSE, "expected the time of a point");
    }
    if (json_next_item(r)) {
        return json_fail(r, ERR_PARSE, "expected the end of a point: [value, time]");
    }
    if (!is_null && (!s->has_value || time_s >= s->time_s)) {
        *s = (struct series){s->target, s->tags, true, time_s, value};
    }
    return !r->failed;
}

static bool take_points(struct json_reader *r, struct series *s)
{
    (void)json_open_array(r);
    while (json_next_item(r)) {
        (void)take_point(r, s);
    }
    return !r->failed;
}

static bool take_tags(struct json_reader *r, struct series *s)
{
    if (json_peek(r) != JSON_OBJECT) {
        return json_skip(r);
    }
    if (!json_take_raw(r, &s->tags)) {
        return false;
    }
    bool is_empty = str_trim(str_slice(s->tags, 1, s->tags.len - 2)).len == 0;
    s->tags = is_empty ? STR_NONE : s->tags;
    return true;
}

static bool take_target(struct json_reader *r, struct series *s)
{
    if (json_peek(r) != JSON_STRING) {
        return json_fail(r, ERR_PARSE, "expected the target as a text");
    }
    return json_take_raw(r, &s->target);
}

static const struct {
    struct str key;
    bool (*take)(struct json_reader *r, struct series *s);
} keys[] = {
    {STR_INIT("target"), take_target},
    {STR_INIT("tags"), take_tags},
    {STR_INIT("datapoints"), take_points},
};

static bool take_key(struct json_reader *r, struct str key, struct series *s)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, keys[i].key)) {
            return keys[i].take(r, s);
        }
    }
    return json_skip(r);
}

static bool take_series(struct json_reader *r, struct series *s)
{
    struct str key;

    *s = (struct series){.has_value = false};
    (void)json_open_object(r);
    while (json_next_key(r, &key)) {
        (void)take_key(r, key, s);
    }
    if (!r->failed && s->target.ptr == NULL) {
        return json_fail(r, ERR_PARSE, "expected \"target\" in every series");
    }
    return !r->failed;
}

static bool give_row(struct json_reader *r, const struct series *s,
                     const struct graphite_rows *rows)
{
    struct str raw = s->tags.ptr != NULL ? s->tags : s->target;

    if (s->time_s > INT64_MAX / NS_PER_S || s->time_s < INT64_MIN / NS_PER_S) {
        return json_fail(r, ERR_PARSE, "the time of a point is out of range");
    }
    if (!rows->row(rows->arg, raw, s->time_s * NS_PER_S, s->value, r->err)) {
        json_stop(r);
        return false;
    }
    return true;
}

bool graphite_answer_decode(struct str body, struct arena *a, const struct graphite_rows *rows,
                            uint64_t *ret_series, uint64_t *ret_rows, struct err *e)
{
    struct json_reader r;
    struct series s;
    uint64_t series = 0;
    uint64_t given = 0;

    json_read_init(&r, body, a, e);
    (void)json_open_array(&r);
    while (json_next_item(&r)) {
        if (take_series(&r, &s) && s.has_value) {
            given += give_row(&r, &s, rows);
        }
        series++;
    }
    if (!json_read_end(&r)) {
        return false;
    }
    *ret_series = series;
    *ret_rows = given;
    return true;
}

bool graphite_labels_parse(struct str raw, struct arena *a, struct labels_builder *b, struct err *e)
{
    struct json_reader r;
    struct str target;

    if (raw.len > 0 && raw.ptr[0] == '{') {
        return prom_labels_parse(raw, a, b, e);
    }
    json_read_init(&r, raw, a, e);
    if (!json_take_str(&r, &target) || !json_read_end(&r)) {
        return false;
    }
    labels_builder_push(b, STR("name"), target);
    return true;
}
