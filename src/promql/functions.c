#include "promql/tables.h"

#include "base/attr.h"

#include <stdio.h>

#define PROM PROMQL_IN_PROMETHEUS
#define VM PROMQL_IN_METRICSQL
#define BOTH (PROM | VM)
#define SCALAR PROMQL_TYPE_SCALAR
#define INSTANT PROMQL_TYPE_INSTANT

/* A vector from a vector; a vector from a range; the same with other arguments. */
#define FROM_INSTANT(name, in)       \
    {                                \
        name, in, INSTANT, {"v", 0}, \
        {                            \
            NULL, 0                  \
        }                            \
    }
#define FROM_RANGE(name, in)         \
    {                                \
        name, in, INSTANT, {"m", 0}, \
        {                            \
            NULL, 0                  \
        }                            \
    }
#define FROM(name, in, args)          \
    {                                 \
        name, in, INSTANT, {args, 0}, \
        {                             \
            NULL, 0                   \
        }                             \
    }

/* Sorted by name within each part, for people; the search does not rely on it. */
static const struct promql_function functions[] = {
    /* What PromQL has. */
    FROM_INSTANT("abs", BOTH),
    FROM_INSTANT("absent", BOTH),
    FROM_RANGE("absent_over_time", BOTH),
    FROM_INSTANT("acos", BOTH),
    FROM_INSTANT("acosh", BOTH),
    FROM_INSTANT("asin", BOTH),
    FROM_INSTANT("asinh", BOTH),
    FROM_INSTANT("atan", BOTH),
    FROM_INSTANT("atanh", BOTH),
    FROM_RANGE("avg_over_time", BOTH),
    FROM_INSTANT("ceil", BOTH),
    FROM_RANGE("changes", BOTH),
    FROM("clamp", BOTH, "vss"),
    FROM("clamp_max", BOTH, "vs"),
    FROM("clamp_min", BOTH, "vs"),
    FROM_INSTANT("cos", BOTH),
    FROM_INSTANT("cosh", BOTH),
    FROM_RANGE("count_over_time", BOTH),
    FROM("day_of_month", BOTH, "?v"),
    FROM("day_of_week", BOTH, "?v"),
    FROM("day_of_year", BOTH, "?v"),
    FROM("days_in_month", BOTH, "?v"),
    FROM_INSTANT("deg", BOTH),
    FROM_RANGE("delta", BOTH),
    FROM_RANGE("deriv", BOTH),
    FROM("double_exponential_smoothing", PROM, "mss"),
    {"end", BOTH, SCALAR, {"", 0}, {NULL, 0}},
    FROM_INSTANT("exp", BOTH),
    FROM_RANGE("first_over_time", BOTH),
    FROM_INSTANT("floor", BOTH),
    FROM_INSTANT("histogram_avg", BOTH),
    FROM_INSTANT("histogram_count", PROM),
    FROM("histogram_fraction", BOTH, "ssv"),
    {"histogram_quantile", BOTH, INSTANT, {"sv", 0}, {"sv?t", 0}},
    {"histogram_quantiles", BOTH, INSTANT, {"vtss*", 12}, {"tsss*", 0}},
    FROM_INSTANT("histogram_stddev", BOTH),
    FROM_INSTANT("histogram_stdvar", BOTH),
    FROM_INSTANT("histogram_sum", PROM),
    FROM("hour", BOTH, "?v"),
    FROM_RANGE("idelta", BOTH),
    FROM_RANGE("increase", BOTH),
    FROM("info", PROM, "v?v"),
    FROM_RANGE("irate", BOTH),
    FROM("label_join", BOTH, "vttt*"),
    FROM("label_replace", BOTH, "vtttt"),
    FROM_RANGE("last_over_time", BOTH),
    FROM_INSTANT("ln", BOTH),
    FROM_INSTANT("log10", BOTH),
    FROM_INSTANT("log2", BOTH),
    FROM_RANGE("mad_over_time", BOTH),
    {"max_of", PROM, SCALAR, {"ss", 0}, {NULL, 0}},
    FROM_RANGE("max_over_time", BOTH),
    {"min_of", PROM, SCALAR, {"ss", 0}, {NULL, 0}},
    FROM_RANGE("min_over_time", BOTH),
    FROM("minute", BOTH, "?v"),
    FROM("month", BOTH, "?v"),
    {"pi", BOTH, SCALAR, {"", 0}, {NULL, 0}},
    FROM("predict_linear", BOTH, "ms"),
    FROM_RANGE("present_over_time", BOTH),
    FROM("quantile_over_time", BOTH, "sm"),
    FROM_INSTANT("rad", BOTH),
    {"range", PROM, SCALAR, {"", 0}, {NULL, 0}},
    FROM_RANGE("rate", BOTH),
    FROM_RANGE("resets", BOTH),
    FROM("round", BOTH, "v?s"),
    {"scalar", BOTH, SCALAR, {"v", 0}, {"x", 0}},
    FROM_INSTANT("sgn", BOTH),
    FROM_INSTANT("sin", BOTH),
    FROM_INSTANT("sinh", BOTH),
    FROM_INSTANT("sort", BOTH),
    FROM("sort_by_label", BOTH, "vt*"),
    FROM("sort_by_label_desc", BOTH, "vt*"),
    FROM_INSTANT("sort_desc", BOTH),
    FROM_INSTANT("sqrt", BOTH),
    {"start", BOTH, SCALAR, {"", 0}, {NULL, 0}},
    FROM_RANGE("stddev_over_time", BOTH),
    FROM_RANGE("stdvar_over_time", BOTH),
    {"step", BOTH, SCALAR, {"", 0}, {NULL, 0}},
    FROM_RANGE("sum_over_time", BOTH),
    FROM_INSTANT("tan", BOTH),
    FROM_INSTANT("tanh", BOTH),
    {"time", BOTH, SCALAR, {"", 0}, {NULL, 0}},
    {"timestamp", BOTH, INSTANT, {"v", 0}, {"m", 0}},
    FROM_RANGE("ts_of_first_over_time", PROM),
    FROM_RANGE("ts_of_last_over_time", PROM),
    FROM_RANGE("ts_of_max_over_time", PROM),
    FROM_RANGE("ts_of_min_over_time", PROM),
    FROM("vector", BOTH, "s"),
    FROM("year", BOTH, "?v"),

    /* What MetricsQL adds over ranges. */
    FROM("aggr_over_time", VM, "xm"),
    FROM_RANGE("ascent_over_time", VM),
    FROM_RANGE("changes_prometheus", VM),
    FROM("count_eq_over_time", VM, "ms"),
    FROM("count_gt_over_time", VM, "ms"),
    FROM("count_le_over_time", VM, "ms"),
    FROM("count_ne_over_time", VM, "ms"),
    FROM("count_values_over_time", VM, "tm"),
    FROM_RANGE("decreases_over_time", VM),
    FROM_RANGE("default_rollup", VM),
    FROM_RANGE("delta_prometheus", VM),
    FROM_RANGE("deriv_fast", VM),
    FROM_RANGE("descent_over_time", VM),
    FROM_RANGE("distinct_over_time", VM),
    FROM("duration_over_time", VM, "ms"),
    FROM_RANGE("geomean_over_time", VM),
    FROM_RANGE("histogram_over_time", VM),
    FROM("hoeffding_bound_lower", VM, "sm"),
    FROM("hoeffding_bound_upper", VM, "sm"),
    FROM("holt_winters", VM, "mss"),
    FROM_RANGE("ideriv", VM),
    FROM_RANGE("increase_prometheus", VM),
    FROM_RANGE("increase_pure", VM),
    FROM_RANGE("increases_over_time", VM),
    FROM_RANGE("integrate", VM),
    FROM_RANGE("lag", VM),
    FROM_RANGE("lifetime", VM),
    FROM_RANGE("median_over_time", VM),
    FROM_RANGE("mode_over_time", VM),
    FROM_RANGE("outlier_iqr_over_time", VM),
    FROM("quantiles_over_time", VM, "tsss*"),
    FROM_RANGE("range_over_time", VM),
    FROM_RANGE("rate_over_sum", VM),
    FROM_RANGE("rate_prometheus", VM),
    FROM("rollup", VM, "m?t"),
    FROM("rollup_candlestick", VM, "m?t"),
    FROM("rollup_delta", VM, "m?t"),
    FROM("rollup_deriv", VM, "m?t"),
    FROM("rollup_increase", VM, "m?t"),
    FROM("rollup_rate", VM, "m?t"),
    FROM("rollup_scrape_interval", VM, "m?t"),
    FROM_RANGE("scrape_interval", VM),
    FROM("share_eq_over_time", VM, "ms"),
    FROM("share_gt_over_time", VM, "ms"),
    FROM("share_le_over_time", VM, "ms"),
    FROM_RANGE("stale_samples_over_time", VM),
    FROM_RANGE("sum2_over_time", VM),
    FROM("sum_eq_over_time", VM, "ms"),
    FROM("sum_gt_over_time", VM, "ms"),
    FROM("sum_le_over_time", VM, "ms"),
    FROM_RANGE("tfirst_over_time", VM),
    FROM_RANGE("timestamp_with_name", VM),
    FROM_RANGE("tlast_change_over_time", VM),
    FROM_RANGE("tlast_over_time", VM),
    FROM_RANGE("tmax_over_time", VM),
    FROM_RANGE("tmin_over_time", VM),
    FROM_RANGE("zscore_over_time", VM),

    /* What MetricsQL adds over vectors, labels and whole graphs. */
    FROM("alias", VM, "vt"),
    FROM("bitmap_and", VM, "vs"),
    FROM("bitmap_or", VM, "vs"),
    FROM("bitmap_xor", VM, "vs"),
    FROM("buckets_limit", VM, "sv"),
    FROM("drop_common_labels", VM, "vv*"),
    FROM_INSTANT("drop_empty_series", VM),
    FROM("histogram_share", VM, "sv?t"),
    FROM_INSTANT("interpolate", VM),
    FROM_INSTANT("keep_last_value", VM),
    FROM_INSTANT("keep_next_value", VM),
    FROM("label_copy", VM, "vt*"),
    FROM("label_del", VM, "vt*"),
    FROM("label_graphite_group", VM, "vs*"),
    FROM("label_keep", VM, "vt*"),
    FROM("label_lowercase", VM, "vt*"),
    FROM("label_map", VM, "vt*"),
    FROM("label_match", VM, "vtt"),
    FROM("label_mismatch", VM, "vtt"),
    FROM("label_move", VM, "vt*"),
    FROM("label_set", VM, "vt*"),
    FROM("label_transform", VM, "vttt"),
    FROM("label_uppercase", VM, "vt*"),
    FROM("label_value", VM, "vt"),
    FROM("labels_equal", VM, "vttt*"),
    FROM("limit_offset", VM, "ssv"),
    {"now", VM, SCALAR, {"", 0}, {NULL, 0}},
    FROM_INSTANT("prometheus_buckets", VM),
    {"rand", VM, SCALAR, {"?s", 0}, {NULL, 0}},
    {"rand_exponential", VM, SCALAR, {"?s", 0}, {NULL, 0}},
    {"rand_normal", VM, SCALAR, {"?s", 0}, {NULL, 0}},
    FROM_INSTANT("range_avg", VM),
    FROM_INSTANT("range_first", VM),
    FROM_INSTANT("range_last", VM),
    FROM_INSTANT("range_linear_regression", VM),
    FROM_INSTANT("range_mad", VM),
    FROM_INSTANT("range_max", VM),
    FROM_INSTANT("range_median", VM),
    FROM_INSTANT("range_min", VM),
    FROM("range_normalize", VM, "vv*"),
    FROM("range_quantile", VM, "sv"),
    FROM_INSTANT("range_stddev", VM),
    FROM_INSTANT("range_stdvar", VM),
    FROM_INSTANT("range_sum", VM),
    FROM("range_trim_outliers", VM, "sv"),
    FROM("range_trim_spikes", VM, "sv"),
    FROM("range_trim_zscore", VM, "sv"),
    FROM_INSTANT("range_zscore", VM),
    FROM_INSTANT("remove_resets", VM),
    FROM("ru", VM, "vv"),
    FROM_INSTANT("running_avg", VM),
    FROM_INSTANT("running_max", VM),
    FROM_INSTANT("running_min", VM),
    FROM_INSTANT("running_sum", VM),
    FROM("smooth_exponential", VM, "vs"),
    FROM("sort_by_label_numeric", VM, "vt*"),
    FROM("sort_by_label_numeric_desc", VM, "vt*"),
    {"timezone_offset", VM, SCALAR, {"t", 0}, {NULL, 0}},
    FROM_INSTANT("ttf", VM),
    FROM("union", VM, "v*"),
};

/* "sum(a, b)" aggregates over both. */
#define SEVERAL  \
    {            \
        "vv*", 0 \
    }

static const struct promql_aggregate aggregates[] = {
    {"avg", BOTH, {"v", 0}, SEVERAL},
    {"bottomk", BOTH, {"sv", 0}, {"sv?t", 0}},
    {"count", BOTH, {"v", 0}, SEVERAL},
    {"count_values", BOTH, {"tv", 0}, {NULL, 0}},
    {"group", BOTH, {"v", 0}, SEVERAL},
    {"limit_ratio", PROM, {"sv", 0}, {NULL, 0}},
    {"limitk", BOTH, {"sv", 0}, {NULL, 0}},
    {"max", BOTH, {"v", 0}, SEVERAL},
    {"min", BOTH, {"v", 0}, SEVERAL},
    {"quantile", BOTH, {"sv", 0}, {NULL, 0}},
    {"stddev", BOTH, {"v", 0}, SEVERAL},
    {"stdvar", BOTH, {"v", 0}, SEVERAL},
    {"sum", BOTH, {"v", 0}, SEVERAL},
    {"topk", BOTH, {"sv", 0}, {"sv?t", 0}},

    {"any", VM, SEVERAL, {NULL, 0}},
    {"bottomk_avg", VM, {"sv?t", 0}, {NULL, 0}},
    {"bottomk_last", VM, {"sv?t", 0}, {NULL, 0}},
    {"bottomk_max", VM, {"sv?t", 0}, {NULL, 0}},
    {"bottomk_median", VM, {"sv?t", 0}, {NULL, 0}},
    {"bottomk_min", VM, {"sv?t", 0}, {NULL, 0}},
    {"distinct", VM, SEVERAL, {NULL, 0}},
    {"geomean", VM, SEVERAL, {NULL, 0}},
    {"histogram", VM, SEVERAL, {NULL, 0}},
    {"mad", VM, SEVERAL, {NULL, 0}},
    {"median", VM, SEVERAL, {NULL, 0}},
    {"mode", VM, SEVERAL, {NULL, 0}},
    {"outliers_iqr", VM, SEVERAL, {NULL, 0}},
    {"outliers_mad", VM, {"sv", 0}, {NULL, 0}},
    {"outliersk", VM, {"sv", 0}, {NULL, 0}},
    {"quantiles", VM, {"tsss*", 0}, {NULL, 0}},
    {"share", VM, SEVERAL, {NULL, 0}},
    {"sum2", VM, SEVERAL, {NULL, 0}},
    {"topk_avg", VM, {"sv?t", 0}, {NULL, 0}},
    {"topk_last", VM, {"sv?t", 0}, {NULL, 0}},
    {"topk_max", VM, {"sv?t", 0}, {NULL, 0}},
    {"topk_median", VM, {"sv?t", 0}, {NULL, 0}},
    {"topk_min", VM, {"sv?t", 0}, {NULL, 0}},
    {"zscore", VM, SEVERAL, {NULL, 0}},
};

const struct promql_aggregate *promql_aggregates(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(aggregates);
    return aggregates;
}

const struct promql_function *promql_functions(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(functions);
    return functions;
}

const struct promql_aggregate *promql_aggregate_find(struct str name, enum promql_dialect dialect)
{
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if ((aggregates[i].dialects & (1u << dialect)) != 0 &&
            str_eq_nocase(name, str_of(aggregates[i].name))) {
            return &aggregates[i];
        }
    }
    return NULL;
}

const struct promql_function *promql_function_find(struct str name, enum promql_dialect dialect)
{
    bool (*same)(struct str, struct str) = dialect == PROMQL_METRICSQL ? str_eq_nocase : str_eq;

    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if ((functions[i].dialects & (1u << dialect)) != 0 &&
            same(name, str_of(functions[i].name))) {
            return &functions[i];
        }
    }
    return NULL;
}

/* What people write for what is called otherwise, and what to say then. */
static const struct {
    struct str name;
    const char *hint;
    uint8_t dialects;
} renamed[] = {
    {STR_INIT("holt_winters"), "; use double_exponential_smoothing", PROM},
    {STR_INIT("double_exponential_smoothing"), "; use holt_winters", VM},
    {STR_INIT("average"), "; use avg", BOTH},
    {STR_INIT("mean"), "; use avg", BOTH},
    {STR_INIT("median"), "; use quantile(0.5, ...)", PROM},
    {STR_INIT("median_over_time"), "; use quantile_over_time(0.5, ...)", PROM},
    {STR_INIT("log"), "; use ln, log2 or log10", BOTH},
    {STR_INIT("pow"), "; use the operator ^", BOTH},
    {STR_INIT("mod"), "; use the operator %", BOTH},
    {STR_INIT("now"), "; use time", PROM},
    {STR_INIT("tlast_over_time"), "; use ts_of_last_over_time", PROM},
    {STR_INIT("tfirst_over_time"), "; use ts_of_first_over_time", PROM},
    {STR_INIT("tmax_over_time"), "; use ts_of_max_over_time", PROM},
    {STR_INIT("tmin_over_time"), "; use ts_of_min_over_time", PROM},
    {STR_INIT("with"), "; WITH templates are MetricsQL", PROM},
};

static const char *renamed_hint(struct str name, unsigned in)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        if ((renamed[i].dialects & in) != 0 && str_eq_nocase(name, renamed[i].name)) {
            return renamed[i].hint;
        }
    }
    return NULL;
}

enum { NAME_MIN = 4 }; /* shorter ones are near to anything */

static const char *nearest(struct str name, unsigned in)
{
    const char *names[ARRAY_LEN(functions) + ARRAY_LEN(aggregates)];
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        if ((functions[i].dialects & in) != 0) {
            names[count++] = functions[i].name;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if ((aggregates[i].dialects & in) != 0) {
            names[count++] = aggregates[i].name;
        }
    }
    const char *best = str_nearest(name, names, count);
    bool same = best != NULL && str_eq_nocase(name, str_of(best));
    return same || name.len >= NAME_MIN ? best : NULL;
}

static bool is_only_metricsql(struct str name)
{
    return promql_function_find(name, PROMQL_METRICSQL) != NULL ||
           promql_aggregate_find(name, PROMQL_METRICSQL) != NULL;
}

const char *promql_function_hint(struct str name, enum promql_dialect dialect, char *space,
                                 size_t size)
{
    unsigned in = 1u << dialect;
    const char *hint = renamed_hint(name, in);
    const char *other = nearest(name, in);

    if (hint != NULL) {
        return hint;
    }
    bool same = other != NULL && str_eq_nocase(name, str_of(other));
    if (dialect == PROMQL_PROMETHEUS && !same && is_only_metricsql(name)) {
        return "; only MetricsQL has it";
    }
    if (other == NULL) {
        return "";
    }
    (void)snprintf(space, size, "; did you mean %s?", other);
    return space;
}
