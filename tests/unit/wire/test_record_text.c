/* Records read from text: what each format gives, what is filled in, and where mistakes are. */
#include "wire/record_text.h"

#include "wire/edges.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW_NS (INT64_C(1705314600) * 1000000000)

struct seen {
    struct buf text; /* the records, as our JSON writes them */
    uint32_t batches;
    uint32_t refuse_at; /* the batch that is refused; 0: none */
};

static void see_samples(struct batch *b, struct buf *out)
{
    const struct samples *s = NULL;
    struct record_json json;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    record_json_init(&json, batch_info(b));
    for (uint32_t i = 0; i < s->count; i++) {
        assert_true(record_json_sample(&json, s, i, out));
        buf_add_byte(out, '\n');
    }
    record_json_release(&json);
}

static void see_alerts(struct batch *b, struct buf *out)
{
    const struct alerts *a = NULL;
    struct record_json json;
    struct err e = ERR_INIT;

    assert_true(batch_alerts(b, &a, &e));
    record_json_init(&json, batch_info(b));
    for (uint32_t i = 0; i < a->count; i++) {
        for (uint32_t x = 0; x < record_json_objects(&a->rows[i]); x++) {
            record_json_alert(&json, &a->rows[i], x, out);
            buf_add_byte(out, '\n');
        }
    }
    record_json_release(&json);
}

/* What a batch becomes when it is encoded and decoded again is what an exporter gets. */
static bool see(void *arg, struct batch *b, struct err *e)
{
    struct seen *seen = arg;
    struct str encoded = STR("");

    seen->batches++;
    assert_true(batch_encoded(b, &encoded, e));
    AUTO(batch_autounref) struct batch *again =
        batch_from_bytes(batch_codec(b), encoded, true, batch_info(b), batch_rows(b));
    (batch_info(b)->kind == RECORD_ALERT ? see_alerts : see_samples)(again, &seen->text);
    return seen->batches != seen->refuse_at || err_set(e, ERR_IO, "refused");
}

static bool read_as(const char *format, struct str text, struct seen *seen,
                    struct record_text_counts *counts, struct err *e)
{
    const struct record_text_taker taker = {see, seen};

    return record_text_read(record_text_find(str_of(format)), text, NOW_NS, &taker, counts, e);
}

#define SAMPLE(name, labels, value)                                                \
    "{\"kind\":\"sample\",\"timestamp\":\"2024-01-15T10:30:00Z\",\"name\":\"" name \
    "\",\"labels\":{" labels "},\"value\":" value "}\n"

static const struct {
    const char *format;
    const char *text;
    const char *want;
    uint64_t rows;
    uint64_t no_numbers;
} rows[] = {
    {"prometheus", "# TYPE up gauge\nup 1\nup{x=\"1\",empty=\"\"} 2 1705314600000\n",
     SAMPLE("up", "", "1") SAMPLE("up", "\"x\":\"1\"", "2"), 2, 0},
    {"openmetrics", "# TYPE a counter\na_total{x=\"1\"} 3 1705314600\n# EOF\n",
     SAMPLE("a_total", "\"x\":\"1\"", "3"), 1, 0},
    {"influx", "cpu,host=a value=1,idle=2i,up=t,name=\"x\" 1705314600000000000\n",
     SAMPLE("cpu", "\"host\":\"a\"", "1") SAMPLE("cpu_idle", "\"host\":\"a\"", "2")
         SAMPLE("cpu_up", "\"host\":\"a\"", "1"),
     3, 1},
    {"jsonl",
     "{\"name\": \"up\", \"value\": 1}\r\n\n  {\"kind\": \"sample\", \"labels\": "
     "{\"__name__\": \"up\"}, \"value\": \"NaN\", \"timestamp\": 1705314600}",
     SAMPLE("up", "", "1") SAMPLE("up", "", "\"NaN\""), 2, 0},
    {"jsonl", " [ {\"name\": \"up\", \"value\": 1},\n{\"name\":\"up\",\"value\":2,\"new\":{}} ]\n",
     SAMPLE("up", "", "1") SAMPLE("up", "", "2"), 2, 0},
    {"jsonl", "", "", 0, 0},
    {"prometheus", "", "", 0, 0},
};

static void formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct seen seen = {.text = BUF_INIT(BUF_UNLIMITED)};
        struct record_text_counts counts;
        struct err e = ERR_INIT;
        if (!read_as(rows[i].format, str_of(rows[i].text), &seen, &counts, &e)) {
            fail_msg("row %zu: %s", i, e.message);
        }
        assert_string_equal(buf_text(&seen.text), rows[i].want);
        assert_int_equal(counts.rows, rows[i].rows);
        assert_int_equal(counts.no_numbers, rows[i].no_numbers);
        buf_release(&seen.text);
    }
}

/* ---- what a text says of its metrics ---- */

static bool see_metas(void *arg, struct batch *b, struct err *e)
{
    struct buf *out = arg;
    const struct samples *s = NULL;

    assert_true(batch_samples(b, &s, e));
    for (uint32_t i = 0; i < s->series_count; i++) {
        const struct series_meta *m = s->meta != NULL ? s->meta[i] : NULL;
        buf_addf(out, "%.*s", STR_FMT(labels_get(s->series[i], STR("__name__"))));
        if (m != NULL) {
            buf_addf(out, " %d '%.*s' '%.*s'", (int)m->type, STR_FMT(m->help), STR_FMT(m->unit));
        }
        buf_add_byte(out, '|');
    }
    return true;
}

static const struct {
    const char *format;
    const char *text;
    const char *want;
} said[] = {
    {"prometheus",
     "a 1\n# HELP b_total How\\nmany.\n# TYPE b_total counter\nb_total 1\nb_total{x=\"1\"} 2\n"
     "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"
     "# TYPE q summary\nq{quantile=\"0.5\"} 1\nq_sum 1\nq_total 1\n",
     "a|b_total 2 'How\nmany.' ''|b_total 2 'How\nmany.' ''|h_bucket 3 '' ''|h_sum 3 '' ''|h_count 3 '' ''|"
     "q 5 '' ''|q_sum 5 '' ''|q_total|"},
    {"openmetrics",
     "# TYPE c_seconds counter\n# UNIT c_seconds seconds\n# HELP c_seconds Time.\nc_seconds_total 1\n"
     "# TYPE i info\ni_info{v=\"1\"} 1\n# EOF\n",
     "c_seconds_total 2 'Time.' 'seconds'|i_info 6 '' ''|"},
    {"prometheus", "a 1\nb 1\n", "a|b|"},
};

static void what_is_said_of_metrics(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        const struct record_text_taker taker = {see_metas, &got};
        struct record_text_counts counts;
        struct err e = ERR_INIT;
        assert_true(record_text_read(record_text_find(str_of(said[i].format)), str_of(said[i].text),
                                     NOW_NS, &taker, &counts, &e));
        assert_string_equal(buf_text(&got), said[i].want);
    }
}

/* What our JSON says of a record, read and written again, is the same text. */
static void json_round_trip(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"timestamp\":\"2024-01-15T10:30:00Z\",\"alert_name\":\"A\",\"instance\":\"i\",\"value\":85.4,"
        "\"threshold\":80,\"severity\":\"warning\",\"labels\":{\"alertname\":\"A\",\"instance\":\"i\","
        "\"severity\":\"warning\"},\"annotations\":{\"b\":\"2\",\"a\":\"1\"},\"kind\":\"alert\",\"id\":"
        "\"0123456789abcdef0123456789abcdef:3a5f1a1b3ac7ffad:1705314540000000000:resolved\","
        "\"state\":\"resolved\",\"rule\":\"A\",\"group\":\"g\",\"starts_at\":\"2024-01-15T10:29:30Z\","
        "\"ends_at\":\"2024-01-15T10:30:00Z\",\"query_labels\":{\"cpu\":\"0\"}}\n",
        "{\"kind\":\"sample\",\"timestamp\":\"2024-01-15T10:30:00.123Z\",\"name\":\"n\",\"labels\":{},"
        "\"value\":\"-Inf\",\"rule\":\"r\",\"group\":\"g\",\"measurement\":\"m\",\"database\":\"d\","
        "\"annotations\":{\"x\":\"y\"}}\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct seen seen = {.text = BUF_INIT(BUF_UNLIMITED)};
        struct record_text_counts counts;
        struct err e = ERR_INIT;
        assert_true(read_as("jsonl", str_of(lines[i]), &seen, &counts, &e));
        char *id = strstr(seen.text.ptr, ":3a5f1a1b3ac7ffad:");
        if (i == 0 && id == NULL) { /* the hash of the labels is written anew */
            char *hash = strstr(seen.text.ptr, "cdef:") + sizeof("cdef:") - 1;
            memcpy(hash, "3a5f1a1b3ac7ffad", sizeof("3a5f1a1b3ac7ffad") - 1);
        }
        assert_string_equal(buf_text(&seen.text), lines[i]);
        buf_release(&seen.text);
    }
}

/* The eight members that a webhook service knows are enough, and give the same id each time. */
static void bare_alert(void **state)
{
    (void)state;
    const struct str text =
        STR("{\"timestamp\": \"2024-01-15T10:30:00Z\", \"alert_name\": \"HighCPUUsage\",\n"
            "\"instance\": \"server-01\"}");
    struct seen seen = {.text = BUF_INIT(BUF_UNLIMITED)};
    struct record_text_counts counts;
    struct err e = ERR_INIT;

    assert_false(read_as("jsonl", text, &seen, &counts, &e)); /* an object is one line */
    const struct str line = STR("{\"timestamp\": \"2024-01-15T10:30:00Z\", \"alert_name\": "
                                "\"HighCPUUsage\", \"instance\": \"server-01\", \"value\": null}");
    assert_true(read_as("jsonl", line, &seen, &counts, &e));
    assert_non_null(strstr(seen.text.ptr, "\"labels\":{\"alertname\":\"HighCPUUsage\","
                                          "\"instance\":\"server-01\"}"));
    assert_non_null(strstr(seen.text.ptr, ":1705314600000000000:alerting\",\"state\":\"firing\""));
    assert_non_null(strstr(seen.text.ptr, "\"starts_at\":\"2024-01-15T10:30:00Z\""));
    buf_release(&seen.text);
}

static const struct {
    const char *format;
    const char *text;
    const char *message;
    uint32_t line;
    uint32_t column;
} mistakes[] = {
    {"jsonl", "{\"name\":\"a\",\"value\":1}\n  {\"value\": tru}", "expected a value", 2, 13},
    {"jsonl", "{\"value\":\"x\"}", "expected a number", 1, 10},
    {"jsonl", "{\"name\":\"a\"}", "needs a \"value\"", 1, 1},
    {"jsonl", "[1]", "expected an object", 1, 2},
    {"jsonl", "[{\"name\":\"a\",\"value\":1}", "", 1, 24},
    {"jsonl", "[\n{\"name\":\"a\",\n \"value\":{}}]", "expected a number", 3, 10},
    {"jsonl", "{\"kind\":\"event\"}", "expected the kind", 1, 9},
    {"jsonl", "{\"kind\":\"alert\"}", "needs an \"alert_name\"", 1, 1},
    {"jsonl", "{\"alert_name\":\"a\",\"state\":\"up\"}", "expected \"firing\"", 1, 27},
    {"jsonl", "{\"alert_name\":\"a\",\"timestamp\":\"noon\"}", "expected a time", 1, 31},
    {"jsonl", "{\"alert_name\":\"a\",\"id\":\"x\"}", "expected an id", 1, 24},
    {"jsonl", "{\"alert_name\":\"a\",\"labels\":[]}", "expected an object of strings", 1, 28},
    {"jsonl", "{\"alert_name\":\"a\",\"labels\":{\"x\":1}}", "labels are texts", 1, 33},
    {"jsonl", "{\"alert_name\":\"a\",\"annotations\":{\"x\":1}}", "annotations are texts", 1, 38},
    {"jsonl", "{\"alert_name\":\"a\",\"query_labels\":3}", "expected an object of strings", 1, 34},
    {"jsonl", "{\"name\":\"a\",\"labels\":{\"__name__\":\"b\"},\"value\":1}", "__name__", 1, 1},
    {"prometheus", "a 1\nb{ 2\n", "", 2, 0},
    {"openmetrics", "a 1\n", "", 0, 0},
    {"influx", "cpu value=1\ncpu value=\n", "", 2, 0},
    {"remote_write", "no snappy", "", 0, 0},
};

static void mistakes_are_placed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct seen seen = {.text = BUF_INIT(BUF_UNLIMITED)};
        struct record_text_counts counts;
        struct err e = ERR_INIT;
        assert_false(read_as(mistakes[i].format, str_of(mistakes[i].text), &seen, &counts, &e));
        if (strstr(e.message, mistakes[i].message) == NULL ||
            (mistakes[i].line != 0 && e.pos.line != mistakes[i].line) ||
            (mistakes[i].column != 0 && e.pos.column != mistakes[i].column)) {
            fail_msg("mistake %zu: %u:%u: %s", i, e.pos.line, e.pos.column, e.message);
        }
        buf_release(&seen.text);
    }
}

static void batches(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct seen seen = {.text = BUF_INIT(BUF_UNLIMITED), .refuse_at = 2};
    struct record_text_counts counts;
    struct err e = ERR_INIT;

    for (int i = 0; i < RECORD_TEXT_ROWS + 1; i++) {
        buf_addf(&text, "up %d\n", i);
    }
    assert_false(read_as("prometheus", buf_str(&text), &seen, &counts, &e));
    assert_string_equal(e.message, "refused");
    assert_int_equal(seen.batches, 2);
    seen.refuse_at = 0;
    buf_clear(&seen.text);
    assert_true(read_as("jsonl",
                        STR("{\"name\":\"a\",\"value\":1,\"rule\":\"x\"}\n"
                            "{\"name\":\"a\",\"value\":1,\"rule\":\"x\"}\n"
                            "{\"name\":\"a\",\"value\":1,\"rule\":\"y\"}\n"),
                        &seen, &counts, &e));
    assert_int_equal(seen.batches, 4);
    buf_release(&seen.text);
}

static void guessed(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
        const char *want;
    } guesses[] = {{"a.jsonl", "", "jsonl"},        {"a.prom", "{", "prometheus"},
                   {"a.om", "", "openmetrics"},     {"b.lp", "", "influx"},
                   {"-", " [{}]", "jsonl"},         {"-", "up 1", "prometheus"},
                   {"x.snappy", "", "remote_write"}};
    for (size_t i = 0; i < ARRAY_LEN(guesses); i++) {
        assert_string_equal(
            record_text_guess(str_of(guesses[i].path), str_of(guesses[i].text))->name,
            guesses[i].want);
    }
    assert_null(record_text_find(STR("yaml")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(what_is_said_of_metrics),
        cmocka_unit_test(bare_alert),
        cmocka_unit_test(mistakes_are_placed),
        cmocka_unit_test(batches),
        cmocka_unit_test(guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
