/* Requests of OTLP, built by hand, as samples and spans; and what is left out of them. */
#include "wire/otlp.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct otlp_limits limits = {77, 1 << 20};

/* ---- building ---- */

struct made {
    struct buf out;
    size_t open[4];
};

static void add_text_attribute(struct buf *out, uint32_t field, const char *name, const char *text)
{
    size_t attribute = pb_begin(out, field);

    pb_add_str(out, 1, str_of(name));
    size_t value = pb_begin(out, 2);
    pb_add_bytes(out, 1, str_of(text));
    pb_end(out, value);
    pb_end(out, attribute);
}

/* The attribute [1, {"k": true}]. */
static void add_list_attribute(struct buf *out, uint32_t field, const char *name)
{
    size_t attribute = pb_begin(out, field);

    pb_add_str(out, 1, str_of(name));
    pb_add_str(out, 2, STR("\x2a\x10\x0a\x02\x18\x01\x0a\x0a\x32\x08\x0a\x06\x0a\x01k\x12\x01\0"));
    pb_end(out, attribute);
}

/* A request with one resource and one scope, open. */
static void begin_request(struct made *m)
{
    m->out = BUF_INIT(BUF_UNLIMITED);
    m->open[0] = pb_begin(&m->out, 1);
    size_t resource = pb_begin(&m->out, 1);
    add_text_attribute(&m->out, 1, "service.name", "shop");
    add_text_attribute(&m->out, 1, "service.namespace", "eu");
    add_text_attribute(&m->out, 1, "host.name", "h");
    pb_end(&m->out, resource);
    m->open[1] = pb_begin(&m->out, 2);
    pb_add_str(&m->out, 1, STR("\x0a\x03lib"));
}

static struct str end_request(struct made *m)
{
    pb_end(&m->out, m->open[1]);
    pb_end(&m->out, m->open[0]);
    return buf_str(&m->out);
}

static void begin_metric(struct made *m, const char *name, uint32_t data)
{
    m->open[2] = pb_begin(&m->out, 2);
    pb_add_str(&m->out, 1, str_of(name));
    m->open[3] = pb_begin(&m->out, data);
}

static void end_metric(struct made *m)
{
    pb_end(&m->out, m->open[3]);
    pb_end(&m->out, m->open[2]);
}

/* ---- metrics ---- */

static void add_number(struct made *m, bool is_int, uint64_t flags)
{
    size_t point = pb_begin(&m->out, 1);

    add_text_attribute(&m->out, 7, "a.b", "1");
    add_text_attribute(&m->out, 7, "a_b", "2");
    add_text_attribute(&m->out, 7, "host.name", "own");
    pb_add_fixed(&m->out, 3, 5);
    if (flags == 0) {
        pb_put_fixed(&m->out, is_int ? 6 : 4, is_int ? (uint64_t)-3 : number_bits(1.5));
    }
    pb_add_u64(&m->out, 8, flags);
    pb_end(&m->out, point);
}

static void add_histogram(struct made *m)
{
    size_t point = pb_begin(&m->out, 1);

    pb_add_fixed(&m->out, 4, 5);
    pb_put_fixed(&m->out, 5, number_bits(9));
    pb_add_str(&m->out, 6, STR("\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0"));
    pb_put_fixed(&m->out, 7, number_bits(0.5));
    pb_end(&m->out, point);
}

static void add_summary(struct made *m)
{
    size_t point = pb_begin(&m->out, 1);

    pb_add_fixed(&m->out, 4, 2);
    pb_put_fixed(&m->out, 5, number_bits(3));
    size_t quantile = pb_begin(&m->out, 6);
    pb_put_fixed(&m->out, 1, number_bits(0.9));
    pb_put_fixed(&m->out, 2, number_bits(2));
    pb_end(&m->out, quantile);
    pb_end(&m->out, point);
}

static void print_samples(const struct samples *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        labels_print(s->series[s->series_of[i]], out);
        buf_addf(out, " %s%g @%lld\n", number_is_stale_nan(s->value[i]) ? "stale " : "",
                 number_is_stale_nan(s->value[i]) ? 0 : s->value[i], (long long)s->time_ns[i]);
        labels_unref(s->series[i]);
    }
}

#define RESOURCE "host_name=\"h\", job=\"eu/shop\""
#define SERVICE "service_name=\"shop\", service_namespace=\"eu\""

static void metrics_as_samples(void **state)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    struct made m;
    struct samples s;
    struct otlp_extras extras;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    begin_request(&m);
    begin_metric(&m, "my.gauge", 5);
    add_number(&m, false, 0);
    add_number(&m, false, 1);
    end_metric(&m);
    begin_metric(&m, "total", 7);
    add_number(&m, true, 0);
    pb_add_u64(&m.out, 2, 1);
    end_metric(&m);
    begin_metric(&m, "seconds", 9);
    add_histogram(&m);
    end_metric(&m);
    begin_metric(&m, "q", 11);
    add_summary(&m);
    end_metric(&m);
    begin_metric(&m, "e", 10);
    add_summary(&m);
    end_metric(&m);
    begin_metric(&m, "", 5);
    end_metric(&m);
    assert_true(otlp_metrics_read(end_request(&m), &limits, &a, &s, &extras, &e));
    print_samples(&s, &got);
    assert_string_equal(
        buf_text(&got),
        "my_gauge{a_b=\"1;2\", host_name=\"own\", job=\"eu/shop\", " SERVICE "} 1.5 @5\n"
        "my_gauge{a_b=\"1;2\", host_name=\"own\", job=\"eu/shop\", " SERVICE "} stale 0 @5\n"
        "total{a_b=\"1;2\", host_name=\"own\", job=\"eu/shop\", " SERVICE "} -3 @5\n"
        "seconds_bucket{" RESOURCE ", le=\"0.5\", " SERVICE "} 2 @77\n"
        "seconds_bucket{" RESOURCE ", le=\"+Inf\", " SERVICE "} 5 @77\n"
        "seconds_sum{" RESOURCE ", " SERVICE "} 9 @77\n"
        "seconds_count{" RESOURCE ", " SERVICE "} 5 @77\n"
        "q{" RESOURCE ", quantile=\"0.9\", " SERVICE "} 2 @77\n"
        "q_sum{" RESOURCE ", " SERVICE "} 3 @77\n"
        "q_count{" RESOURCE ", " SERVICE "} 2 @77\n");
    assert_int_equal(extras.exponential, 1);
    assert_int_equal(extras.nameless, 1);
    assert_int_equal(extras.deltas, 1);
    assert_int_equal(extras.bad, 0);
    buf_release(&m.out);
}

/* A metric with one number that says of itself what it is. */
static void add_said(struct made *m, const char *name, uint32_t data, uint64_t temporality,
                     bool is_monotonic)
{
    m->open[2] = pb_begin(&m->out, 2);
    pb_add_str(&m->out, 1, str_of(name));
    pb_add_str(&m->out, 2, STR("Help."));
    pb_add_str(&m->out, 3, STR("By"));
    m->open[3] = pb_begin(&m->out, data);
    if (data == 9) {
        add_histogram(m);
    } else {
        add_number(m, true, 0);
    }
    pb_add_u64(&m->out, 2, temporality);
    pb_add_u64(&m->out, 3, is_monotonic);
    end_metric(m);
}

static void what_metrics_say_of_themselves(void **state)
{
    static const struct {
        uint32_t data;
        uint64_t temporality;
        bool is_monotonic;
        enum series_type want;
    } cases[] = {
        {5, 0, false, SERIES_GAUGE}, {7, 2, true, SERIES_COUNTER},    {7, 2, false, SERIES_GAUGE},
        {7, 1, true, SERIES_GAUGE},  {9, 2, false, SERIES_HISTOGRAM}, {9, 1, false, SERIES_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena a;
        struct made m;
        struct samples s;
        struct otlp_extras extras;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        begin_request(&m);
        add_said(&m, "x", cases[i].data, cases[i].temporality, cases[i].is_monotonic);
        assert_true(otlp_metrics_read(end_request(&m), &limits, &a, &s, &extras, &e));
        buf_release(&m.out);
        for (uint32_t series = 0; series < s.series_count; series++) {
            assert_int_equal(s.meta[series]->type, cases[i].want);
            assert_true(str_eq(s.meta[series]->help, STR("Help.")));
            assert_true(str_eq(s.meta[series]->unit, STR("By")));
            labels_unref(s.series[series]);
        }
    }
}

/* Metrics without a point cost memory too. */
static void what_is_said_counts_for_the_limit(void **state)
{
    AUTO(arena_release) struct arena a;
    const struct otlp_limits few = {.now_ns = 77, .bytes_max = 1000};
    struct made m;
    struct samples s;
    struct otlp_extras extras;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    begin_request(&m);
    for (int i = 0; i < 100; i++) {
        begin_metric(&m, "x", 5);
        end_metric(&m);
    }
    assert_false(otlp_metrics_read(end_request(&m), &few, &a, &s, &extras, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_release(&m.out);
}

static void metrics_that_are_none(void **state)
{
    const struct otlp_limits small = {1, 10};
    AUTO(arena_release) struct arena a;
    struct made m;
    struct samples s;
    struct otlp_extras extras;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_false(otlp_metrics_read(STR("\x0a\x05"), &limits, &a, &s, &extras, &e));
    assert_int_equal(e.code, ERR_PARSE);
    begin_request(&m);
    begin_metric(&m, "g", 5);
    add_number(&m, false, 0);
    end_metric(&m);
    assert_false(otlp_metrics_read(end_request(&m), &small, &a, &s, &extras, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    buf_release(&m.out);
}

/* ---- spans ---- */

static void add_span(struct made *m, bool has_id)
{
    size_t span = pb_begin(&m->out, 2);

    pb_add_str(&m->out, 1, STR("0123456789abcdef"));
    pb_add_str(&m->out, 2, has_id ? STR("01234567") : STR("0123"));
    pb_add_str(&m->out, 3, STR("state=1"));
    pb_add_str(&m->out, 4, STR("parentid"));
    pb_add_str(&m->out, 5, STR("work"));
    pb_add_u64(&m->out, 6, 3);
    pb_add_fixed(&m->out, 7, 10);
    pb_add_fixed(&m->out, 8, 15);
    add_text_attribute(&m->out, 9, "text", "t");
    add_list_attribute(&m->out, 9, "list");
    pb_add_str(&m->out, 15,
               STR("\x12\x03"
                   "bad\x18\x02"));
    pb_end(&m->out, span);
}

static void spans_and_back(void **state)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    const struct otlp_origin origin = {NULL, 0, STR("telex"), STR("")};
    struct otlp_spans_writer w;
    struct made m;
    struct notes spans;
    struct notes twice;
    struct otlp_extras extras;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    begin_request(&m);
    add_span(&m, true);
    add_span(&m, false);
    assert_true(otlp_spans_read(end_request(&m), &a, &spans, &extras, &e));
    assert_int_equal(spans.count, 1);
    assert_int_equal(extras.bad, 1);
    const struct note *n = &spans.rows[0];
    assert_int_equal(note_duration_ns(n), 5);
    assert_int_equal(n->span->kind, SPAN_KIND_CLIENT);
    assert_int_equal(n->span->status, SPAN_STATUS_ERROR);
    assert_memory_equal(n->span->parent_id, "parentid", 8);
    assert_int_equal(n->field_count, 2);
    assert_true(str_eq(note_get(n, otlp_scope_name)->text, STR("lib")));
    assert_true(str_eq(labels_get(n->labels, STR("service.name")), STR("shop")));
    assert_true(str_find(n->span->more, STR("state=1")) < n->span->more.len);
    assert_true(str_find(n->span->more, STR("list")) < n->span->more.len);

    otlp_spans_begin(&w, &origin, STR(""), &again);
    assert_null(otlp_spans_add(&w, n));
    otlp_spans_end(&w);
    assert_true(otlp_spans_read(buf_str(&again), &a, &twice, &extras, &e));
    assert_int_equal(twice.count, 1);
    assert_true(labels_eq(twice.rows[0].labels, n->labels));
    assert_true(str_eq(twice.rows[0].span->more, n->span->more));
    assert_int_equal(twice.rows[0].field_count, 2);
    labels_unref(n->labels);
    labels_unref(twice.rows[0].labels);
    assert_false(otlp_spans_read(STR("\x0a\x02\x12\x09"), &a, &spans, &extras, &e));
    buf_release(&m.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_as_samples),
        cmocka_unit_test(what_metrics_say_of_themselves),
        cmocka_unit_test(what_is_said_counts_for_the_limit),
        cmocka_unit_test(metrics_that_are_none),
        cmocka_unit_test(spans_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
