/*
 * The shape of "result" tells what it is: objects with "value" or "values", or one [time, "value"]. So
 * "resultType" may come before or after; it is needed only to tell a scalar from a string, and that
 * pair is kept until the end.
 */
#include "wire/prom_answer.h"

#include "base/number.h"
#include "wire/json.h"
#include "wire/prom_int.h"

struct decoder {
    struct json_reader r;
    const struct prom_rows *rows;
    struct prom_answer answer;
    struct str scalar; /* raw [time, "value"], or none */
    struct str type;   /* resultType */
    struct str status;
    struct str last_time; /* text of the last time: nearly always the same for all rows */
    int64_t last_ns;
};

static bool take_time(struct decoder *d, int64_t *ret_ns)
{
    struct str text;

    if (!json_take_number(&d->r, &text)) {
        return false;
    }
    if (!str_eq(text, d->last_time)) {
        if (!prom_time_parse(text, &d->last_ns)) {
            return json_fail(&d->r, ERR_PARSE, "time %.*s is out of range", STR_FMT(text));
        }
        d->last_time = text;
    }
    *ret_ns = d->last_ns;
    return true;
}

/* [time, "value"] */
static bool take_point(struct decoder *d, int64_t *ret_ns, double *ret_value)
{
    struct str text = STR_NONE;

    if (!json_open_array(&d->r) || !json_next_item(&d->r) || !take_time(d, ret_ns) ||
        !json_next_item(&d->r) || !json_take_str(&d->r, &text)) {
        return json_fail(&d->r, ERR_PARSE, "expected [time, \"value\"]");
    }
    if (!number_parse(text, ret_value)) {
        return json_fail(&d->r, ERR_PARSE, "\"%.*s\" is no sample value",
                         STR_FMT(str_slice(text, 0, 40)));
    }
    return !json_next_item(&d->r) || json_fail(&d->r, ERR_PARSE, "expected [time, \"value\"]");
}

static bool give_row(struct decoder *d, struct str raw_labels, int64_t ns, double value)
{
    d->answer.rows++;
    if (!d->rows->row(d->rows->arg, raw_labels, ns, value, d->r.err)) {
        json_stop(&d->r);
        return false;
    }
    return true;
}

/* One series of a result as its keys were found. */
struct series {
    struct str metric; /* raw; ptr NULL: not seen */
    struct str values; /* raw; ptr NULL: none */
    bool has_value;
    int64_t ns;
    double value;
};

static bool take_metric(struct decoder *d, struct series *s)
{
    if (json_peek(&d->r) == JSON_OBJECT) {
        const char *end = prom_flat_object_end(d->r.at, d->r.end);
        if (end != NULL) {
            s->metric = str_make(d->r.at, (size_t)(end - d->r.at));
            d->r.at = end;
            return true;
        }
    }
    return json_take_raw(&d->r, &s->metric);
}

static bool take_value(struct decoder *d, struct series *s)
{
    s->has_value = take_point(d, &s->ns, &s->value);
    return s->has_value;
}

static bool take_values(struct decoder *d, struct series *s)
{
    return json_take_raw(&d->r, &s->values);
}

static bool pass_histogram(struct decoder *d, struct series *s)
{
    (void)s;
    d->answer.has_histograms = true;
    return json_skip(&d->r);
}

static const struct {
    struct str key;
    bool (*take)(struct decoder *d, struct series *s);
} series_keys[] = {
    {STR_INIT("metric"), take_metric},        {STR_INIT("value"), take_value},
    {STR_INIT("values"), take_values},        {STR_INIT("histogram"), pass_histogram},
    {STR_INIT("histograms"), pass_histogram},
};

static bool take_series_key(struct decoder *d, struct str key, struct series *s)
{
    for (size_t i = 0; i < ARRAY_LEN(series_keys); i++) {
        if (str_eq(key, series_keys[i].key)) {
            return series_keys[i].take(d, s);
        }
    }
    return json_skip(&d->r);
}

/* The points of a matrix, read again now that the labels are known. */
static bool give_values(struct decoder *d, const struct series *s)
{
    struct json_reader outer = d->r;
    int64_t ns = 0;
    double value = 0;

    d->r.at = s->values.ptr;
    d->answer.result = PROM_MATRIX;
    (void)json_open_array(&d->r);
    while (json_next_item(&d->r)) {
        if (!take_point(d, &ns, &value) || !give_row(d, s->metric, ns, value)) {
            return false;
        }
    }
    if (d->r.failed) {
        return false;
    }
    d->r = outer;
    return true;
}

static bool take_series(struct decoder *d)
{
    struct series s = {.metric = STR_NONE};
    struct str key;

    (void)json_open_object(&d->r);
    while (json_next_key(&d->r, &key)) {
        (void)take_series_key(d, key, &s);
    }
    if (d->r.failed) {
        return false;
    }
    if (s.metric.ptr == NULL) {
        return json_fail(&d->r, ERR_PARSE, "expected \"metric\" in every series");
    }
    if (s.values.ptr != NULL && !give_values(d, &s)) {
        return false;
    }
    return !s.has_value || give_row(d, s.metric, s.ns, s.value);
}

static bool take_result(struct decoder *d)
{
    d->answer.result = PROM_VECTOR;
    if (json_peek(&d->r) == JSON_NULL) {
        return json_skip(&d->r);
    }
    const char *from = d->r.at;
    if (!json_open_array(&d->r)) {
        return false;
    }
    while (json_next_item(&d->r)) {
        if (json_peek(&d->r) == JSON_NUMBER) {
            d->r.depth--;
            d->r.at = from;
            return json_take_raw(&d->r, &d->scalar);
        }
        (void)take_series(d);
    }
    return !d->r.failed;
}

static bool take_data(struct decoder *d)
{
    struct str key;

    if (json_peek(&d->r) == JSON_NULL) {
        return json_skip(&d->r);
    }
    (void)json_open_object(&d->r);
    while (json_next_key(&d->r, &key)) {
        if (str_eq(key, STR("result"))) {
            (void)take_result(d);
        } else if (str_eq(key, STR("resultType"))) {
            (void)json_take_str(&d->r, &d->type);
        } else {
            (void)json_skip(&d->r);
        }
    }
    return !d->r.failed;
}

static bool take_status(struct decoder *d)
{
    return json_take_str(&d->r, &d->status);
}

static bool take_error(struct decoder *d)
{
    return json_take_str(&d->r, &d->answer.error);
}

static bool take_error_type(struct decoder *d)
{
    return json_take_str(&d->r, &d->answer.error_type);
}

static bool take_partial(struct decoder *d)
{
    return json_peek(&d->r) == JSON_NULL ? json_skip(&d->r)
                                         : json_take_bool(&d->r, &d->answer.is_partial);
}

/* A list of texts, or null. */
static bool take_remarks(struct decoder *d)
{
    struct str text;

    if (json_peek(&d->r) != JSON_ARRAY) {
        return json_skip(&d->r);
    }
    (void)json_open_array(&d->r);
    while (json_next_item(&d->r)) {
        if (json_take_str(&d->r, &text) && d->answer.warning_count++ == 0) {
            d->answer.first_warning = text;
        }
    }
    return !d->r.failed;
}

/* Those about the expression begin with "PromQL": the others are told by stores behind the store. */
static bool take_warnings(struct decoder *d)
{
    struct json_reader before = d->r;
    struct str text;

    if (!take_remarks(d) || json_peek(&before) != JSON_ARRAY) {
        return !d->r.failed;
    }
    (void)json_open_array(&before);
    while (json_next_item(&before)) {
        if (json_take_str(&before, &text) && !str_starts(text, STR("PromQL"))) {
            d->answer.is_incomplete = true;
        }
    }
    return true;
}

/* A number, or a string that holds one; anything else says nothing. */
static bool take_fetched(struct decoder *d)
{
    enum json_kind kind = json_peek(&d->r);
    struct str text = STR("");

    if (kind == JSON_STRING) {
        (void)json_take_str(&d->r, &text);
    } else {
        (void)json_take_raw(&d->r, &text);
    }
    if (!number_parse_i64(text, &d->answer.series_fetched)) {
        d->answer.series_fetched = -1;
    }
    return !d->r.failed;
}

static bool take_stats(struct decoder *d)
{
    struct str key;

    if (json_peek(&d->r) != JSON_OBJECT) {
        return json_skip(&d->r);
    }
    (void)json_open_object(&d->r);
    while (json_next_key(&d->r, &key)) {
        (void)(str_eq(key, STR("seriesFetched")) ? take_fetched(d) : json_skip(&d->r));
    }
    return !d->r.failed;
}

static const struct {
    struct str key;
    bool (*take)(struct decoder *d);
} answer_keys[] = {
    {STR_INIT("status"), take_status},     {STR_INIT("data"), take_data},
    {STR_INIT("error"), take_error},       {STR_INIT("errorType"), take_error_type},
    {STR_INIT("warnings"), take_warnings}, {STR_INIT("infos"), take_remarks},
    {STR_INIT("isPartial"), take_partial}, {STR_INIT("stats"), take_stats},
};

static bool take_answer_key(struct decoder *d, struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(answer_keys); i++) {
        if (str_eq(key, answer_keys[i].key)) {
            return answer_keys[i].take(d);
        }
    }
    return json_skip(&d->r);
}

/* The pair that was kept, now that the type is known. */
static bool give_scalar(struct decoder *d)
{
    int64_t ns = 0;
    double value = 0;

    if (str_eq(d->type, STR("string"))) {
        d->answer.result = PROM_STRING;
        d->r.at = d->scalar.ptr;
        return json_fail(&d->r, ERR_PARSE, "the query gives a string, which is no sample");
    }
    struct json_reader outer = d->r;
    d->answer.result = PROM_SCALAR;
    d->r.at = d->scalar.ptr;
    if (!take_point(d, &ns, &value) || !give_row(d, STR("{}"), ns, value)) {
        return false;
    }
    d->r = outer;
    return true;
}

/* An answer without a result must not pass for one without series: alerts would resolve. */
static bool check_status(struct decoder *d)
{
    d->answer.is_error = str_eq(d->status, STR("error"));
    if (!d->answer.is_error && !str_eq(d->status, STR("success"))) {
        return err_set(d->r.err, ERR_PARSE,
                       "answer without \"status\": \"success\" or \"error\": is this a Prometheus "
                       "query API?");
    }
    if (!d->answer.is_error && d->answer.result == PROM_NOTHING) {
        return err_set(d->r.err, ERR_PARSE, "answer says \"success\" and has no \"result\"");
    }
    return true;
}

bool prom_answer_decode(struct str body, struct arena *a, const struct prom_rows *rows,
                        struct prom_answer *ret_answer, struct err *e)
{
    struct decoder d = {.rows = rows, .answer = {.series_fetched = -1}};
    struct str key;

    json_read_init(&d.r, body, a, e);
    (void)json_open_object(&d.r);
    while (json_next_key(&d.r, &key)) {
        (void)take_answer_key(&d, key);
    }
    if (!json_read_end(&d.r) || (d.scalar.ptr != NULL && !give_scalar(&d)) || !check_status(&d)) {
        return false;
    }
    *ret_answer = d.answer;
    return true;
}
