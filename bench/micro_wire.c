/*
 * Prints how fast the codecs are on one core: ns per series of a query answer, MB/s of JSON passed over,
 * millions of samples per second encoded. Each figure is the best of several runs, so that a busy
 * machine disturbs less.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "wire/compress.h"
#include "wire/influx_line.h"
#include "wire/json.h"
#include "wire/otlp.h"
#include "wire/otlp_json.h"
#include "wire/prom_answer.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

#include <stdio.h>
#include <time.h>

enum { SERIES = 20000, RUNS = 15 };

static double cpu_seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* CPU seconds of the fastest of RUNS calls. */
static double best_of(void (*run)(void *arg), void *arg)
{
    double best = 1e9;

    for (int i = 0; i < RUNS; i++) {
        double start = cpu_seconds();
        run(arg);
        double took = cpu_seconds() - start;
        best = took < best ? took : best;
    }
    return best;
}

/* An answer of SERIES series whose label objects have about 180 bytes. */
static void make_answer(struct buf *out)
{
    buf_add_text(out, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[");
    for (int i = 0; i < SERIES; i++) {
        buf_addf(
            out,
            "%s{\"metric\":{\"__name__\":\"http_request_duration_seconds\",\"code\":\"200\","
            "\"env\":\"production\",\"handler\":\"/api/v1/query\",\"instance\":\"server-%05d:9100\","
            "\"job\":\"frontend\",\"method\":\"GET\",\"zone\":\"eu-1\"},"
            "\"value\":[1705314600.123,\"%d.%d\"]}",
            i ? "," : "", i, i % 97, i % 1000 + 1);
    }
    buf_add_text(out, "]}}");
}

struct answer_run {
    struct str body;
    double sum;
};

static bool add_row(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e)
{
    struct answer_run *run = arg;

    (void)e;
    run->sum += value + (double)raw_labels.len + (double)(time_ns & 1);
    return true;
}

static void decode_answer(void *arg)
{
    AUTO(arena_release) struct arena a;
    struct answer_run *run = arg;
    const struct prom_rows rows = {add_row, run};
    struct prom_answer answer = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = prom_answer_decode(run->body, &a, &rows, &answer, &e);
    INVARIANT(ok && answer.rows == SERIES);
}

/* Label objects parsed and built, as for series that nobody has seen before. */
static bool build_row(void *arg, struct str raw_labels, int64_t time_ns, double value,
                      struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct labels_builder *b = arg;
    AUTO(labels_autounref) struct labels *l = NULL;

    (void)time_ns;
    (void)value;
    arena_init(&a, ARENA_UNLIMITED);
    labels_builder_clear(b);
    return prom_labels_parse(raw_labels, &a, b, e) && labels_build(b, &l, e);
}

static void parse_answer(void *arg)
{
    AUTO(arena_release) struct arena a;
    AUTO(labels_builder_release) struct labels_builder b;
    const struct answer_run *run = arg;
    const struct prom_rows rows = {build_row, &b};
    struct prom_answer answer = {0};
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(prom_answer_decode(run->body, &a, &rows, &answer, &e));
}

static void skip_answer(void *arg)
{
    AUTO(arena_release) struct arena a;
    const struct answer_run *run = arg;
    struct json_reader r;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    json_read_init(&r, run->body, &a, &e);
    bool ok = json_skip(&r) && json_read_end(&r);
    INVARIANT(ok);
}

static void measure_answers(void)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    struct answer_run run;

    make_answer(&body);
    run = (struct answer_run){.body = buf_str(&body)};
    double mb = (double)body.len * 1e-6;
    double decode = best_of(decode_answer, &run);
    double parse = best_of(parse_answer, &run);
    double skip = best_of(skip_answer, &run);
    printf("prom_answer  %6.1f ns per series, %6.0f MB/s\n", decode * 1e9 / SERIES, mb / decode);
    printf("with labels  %6.1f ns per series, %6.0f MB/s\n", parse * 1e9 / SERIES, mb / parse);
    printf("json_skip    %6.1f ns per series, %6.0f MB/s\n", skip * 1e9 / SERIES, mb / skip);
}

/* SERIES series of ten labels, one sample each, as batches of BATCH rows go out. */
enum { BATCH = 2000 };

static struct labels *make_set(int number)
{
    static const char *const names[] = {"cluster", "code",   "env",    "handler", "instance",
                                        "job",     "method", "region", "zone"};
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;
    char instance[40];

    (void)snprintf(instance, sizeof(instance), "server-%05d.example.org:9100", number);
    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), STR("http_request_duration_seconds_bucket"));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        bool unique = strcmp(names[i], "instance") == 0;
        labels_builder_push(&b, str_of(names[i]), unique ? str_of(instance) : STR("production-1"));
    }
    INVARIANT(labels_build(&b, &l, &e));
    return l;
}

struct samples_run {
    struct samples samples;
    struct buf message;
    struct buf body;
    size_t bytes;
};

static void make_samples(struct samples_run *run, struct arena *a)
{
    uint32_t *series_of = arena_array(a, uint32_t, SERIES);
    int64_t *time_ns = arena_array(a, int64_t, SERIES);
    double *value = arena_array(a, double, SERIES);

    run->samples.series = arena_array(a, struct labels *, SERIES);
    for (uint32_t i = 0; i < SERIES; i++) {
        run->samples.series[i] = make_set((int)i);
        series_of[i] = i;
        time_ns[i] = 1705314600123000000;
        value[i] = (double)((uint64_t)i * 2654435761 % 100000) / 1000.0;
    }
    run->samples.series_count = SERIES;
    run->samples.count = SERIES;
    run->samples.series_of = series_of;
    run->samples.time_ns = time_ns;
    run->samples.value = value;
    run->message = BUF_INIT(BUF_UNLIMITED);
    run->body = BUF_INIT(BUF_UNLIMITED);
}

static void free_samples(struct samples_run *run)
{
    for (uint32_t i = 0; i < run->samples.series_count; i++) {
        labels_unref(run->samples.series[i]);
    }
    buf_release(&run->message);
    buf_release(&run->body);
}

static void each_batch(struct samples_run *run, bool pack)
{
    struct err e = ERR_INIT;

    run->bytes = 0;
    for (uint32_t from = 0; from < SERIES; from += BATCH) {
        struct view v = {.n = BATCH, .first = from};
        buf_clear(&run->message);
        buf_clear(&run->body);
        INVARIANT(rw1_encode(&run->samples, v, 0, SIZE_MAX, &run->message) == BATCH);
        INVARIANT(!pack || compression_snappy.pack(buf_str(&run->message), &run->body, &e));
        run->bytes += pack ? run->body.len : run->message.len;
    }
}

static void encode_plain(void *arg)
{
    each_batch(arg, false);
}

static void encode_snappy(void *arg)
{
    each_batch(arg, true);
}

static void decode_message(void *arg)
{
    AUTO(arena_release) struct arena a;
    const struct samples_run *run = arg;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(rw1_decode(buf_str(&run->message), RW1_LENIENT, &a, &s, NULL, &e));
    for (uint32_t i = 0; i < s.series_count; i++) {
        labels_unref(s.series[i]);
    }
}

static void write_influx(void *arg)
{
    struct samples_run *run = arg;
    AUTO(influx_writer_release) struct influx_writer w;
    const struct batch_info info = {.measurement = STR("http_request_duration_seconds_bucket")};

    influx_writer_init(&w, &info);
    buf_clear(&run->body);
    for (uint32_t i = 0; i < SERIES; i++) {
        (void)influx_add_sample(&w, &run->samples, i, &run->body);
    }
}

static void write_json(void *arg)
{
    struct samples_run *run = arg;
    AUTO(record_json_release) struct record_json r;
    const struct batch_info info = {.rule = STR("rule"), .group = STR("group")};

    record_json_init(&r, &info);
    buf_clear(&run->body);
    for (uint32_t i = 0; i < SERIES; i++) {
        (void)record_json_sample(&r, &run->samples, i, &run->body);
        buf_add_byte(&run->body, '\n');
    }
}

/* Requests of a batch each, as the exporter makes them; the last stays in <message>. */
static void write_otlp(void *arg)
{
    static const struct label resource = {STR_INIT("service.name"), STR_INIT("shop")};
    const struct otlp_origin origin = {&resource, 1, STR("telex"), STR("")};
    struct samples_run *run = arg;

    run->bytes = 0;
    for (uint32_t from = 0; from < SERIES; from += BATCH) {
        struct otlp_metrics_writer w;
        buf_clear(&run->message);
        otlp_metrics_begin(&w, &origin, &run->message);
        for (uint32_t i = 0; i < BATCH; i++) {
            INVARIANT(otlp_metrics_add(&w, &run->samples, from + i) == NULL);
        }
        struct str message = otlp_metrics_end(&w);
        run->bytes += message.len;
        buf_clear(&run->body);
        buf_add_str(&run->body, from + BATCH == SERIES ? message : STR(""));
        otlp_metrics_release(&w);
    }
}

static void write_otlp_json(void *arg)
{
    struct samples_run *run = arg;
    struct err e = ERR_INIT;

    buf_clear(&run->message);
    INVARIANT(otlp_json_write(OTLP_METRICS_REQUEST, buf_str(&run->body), &run->message, &e));
}

static void read_otlp(void *arg)
{
    const struct otlp_limits limits = {1, SIZE_MAX / 2};
    AUTO(arena_release) struct arena a;
    const struct samples_run *run = arg;
    struct otlp_extras extras;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(otlp_metrics_read(buf_str(&run->body), &limits, &a, &s, &extras, &e));
    for (uint32_t i = 0; i < s.series_count; i++) {
        labels_unref(s.series[i]);
    }
}

static void read_otlp_json(void *arg)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    const struct samples_run *run = arg;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(otlp_json_read(OTLP_METRICS_REQUEST, buf_str(&run->message), &a, &message, &e));
}

static void print_rate(const char *name, double seconds, double rows, size_t bytes)
{
    printf("%-13s %5.2f M samples/s, %6.1f B/sample\n", name, rows / seconds * 1e-6,
           (double)bytes / rows);
}

static void measure_otlp(struct samples_run *run)
{
    double written = best_of(write_otlp, run);
    size_t bytes = run->body.len;

    print_rate("otlp encode", written, SERIES, run->bytes);
    print_rate("otlp decode", best_of(read_otlp, run), BATCH, bytes);
    double to_json = best_of(write_otlp_json, run);
    print_rate("otlp to json", to_json, BATCH, run->message.len);
    print_rate("otlp of json", best_of(read_otlp_json, run), BATCH, run->message.len);
}

static void measure_samples(void)
{
    AUTO(arena_release) struct arena a;
    struct samples_run run = {0};

    arena_init(&a, ARENA_UNLIMITED);
    make_samples(&run, &a);
    double plain = best_of(encode_plain, &run);
    print_rate("rw1 encode", plain, SERIES, run.bytes);
    double packed = best_of(encode_snappy, &run);
    print_rate("rw1+snappy", packed, SERIES, run.bytes);
    print_rate("rw1 decode", best_of(decode_message, &run), BATCH, run.message.len);
    double influx = best_of(write_influx, &run);
    print_rate("line protocol", influx, SERIES, run.body.len);
    double json = best_of(write_json, &run);
    print_rate("json lines", json, SERIES, run.body.len);
    measure_otlp(&run);
    free_samples(&run);
}

int main(void)
{
    measure_answers();
    measure_samples();
    return 0;
}
