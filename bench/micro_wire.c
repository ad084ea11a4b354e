/*
 * Prints how fast the codecs are on one core: ns per series of a query answer, MB/s of JSON passed over,
 * millions of samples per second encoded. Each figure is the best of several runs, so that a busy
 * machine disturbs less.
 */
#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "export/line_file.h"
#include "export/spool_lines.h"
#include "wire/compress.h"
#include "wire/influx_line.h"
#include "wire/json.h"
#include "wire/otlp.h"
#include "wire/otlp_json.h"
#include "wire/parquet.h"
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

/* The same series TIMES times, 15 s apart, as a file has them. */
enum { TIMES = 25, FILE_ROWS = SERIES * TIMES };

static double value_at(const struct samples_run *run, uint32_t i, uint32_t time)
{
    return run->samples.value[i] + (double)((i * 7 + time * 13) % 1000) / 8;
}

struct file_run {
    struct samples_run *samples;
    struct buf lines;
    struct buf out;
};

static void intern_labels(struct parquet_writer *w, const struct labels *l, uint32_t *ret)
{
    uint32_t at = 0;
    struct label pair;

    for (size_t column = 1; labels_next(l, &at, &pair); column++) {
        ret[column] = parquet_intern(w, column, pair.value);
    }
}

/* From a batch's columns: the labels of a series are looked up once per row group. */
static void write_parquet(void *arg)
{
    static const struct parquet_column columns[] = {
        {STR_INIT("timestamp"), PARQUET_TIME},       {STR_INIT("name"), PARQUET_TEXT},
        {STR_INIT("labels.cluster"), PARQUET_TEXT},  {STR_INIT("labels.code"), PARQUET_TEXT},
        {STR_INIT("labels.env"), PARQUET_TEXT},      {STR_INIT("labels.handler"), PARQUET_TEXT},
        {STR_INIT("labels.instance"), PARQUET_TEXT}, {STR_INIT("labels.job"), PARQUET_TEXT},
        {STR_INIT("labels.method"), PARQUET_TEXT},   {STR_INIT("labels.region"), PARQUET_TEXT},
        {STR_INIT("labels.zone"), PARQUET_TEXT},     {STR_INIT("value"), PARQUET_NUMBER},
    };
    enum { COUNT = ARRAY_LEN(columns) };
    const struct parquet_config config = {
        .columns = columns, .column_count = COUNT, .codec = PARQUET_ZSTD};
    struct file_run *run = arg;
    const struct samples *s = &run->samples->samples;
    uint32_t(*known)[COUNT] = mem_alloc(SERIES * sizeof(*known));
    uint32_t *group = mem_alloc(SERIES * sizeof(*group));
    struct parquet_writer *w = NULL;
    struct err e = ERR_INIT;

    INVARIANT(parquet_open(&config, &w, &e));
    memset(group, 0xff, SERIES * sizeof(*group));
    buf_clear(&run->out);
    for (uint32_t row = 0; row < FILE_ROWS; row++) {
        uint32_t i = row % SERIES;
        if (group[i] != parquet_group(w)) {
            intern_labels(w, s->series[i], known[i]);
            group[i] = parquet_group(w);
        }
        parquet_put_time(w, 0, s->time_ns[i] + row / SERIES * INT64_C(15000000000));
        for (size_t column = 1; column < COUNT - 1; column++) {
            parquet_put_interned(w, column, known[i][column]);
        }
        parquet_put_number(w, COUNT - 1, value_at(run->samples, i, row / SERIES));
        INVARIANT(parquet_end_row(w, &run->out, &e));
    }
    INVARIANT(parquet_finish(w, &run->out, &e));
    parquet_close(w);
    mem_free(known);
    mem_free(group);
}

/* From the lines of a spool, as a file is sealed. */
static void convert_lines(struct file_run *run, enum file_format format)
{
    const struct line_file_config config = {.pages = PACKING_ZSTD};
    const struct line_file_ops *ops = line_files[format];
    struct line_file *f = ops->open(&config);
    struct err e = ERR_INIT;
    struct str line;

    buf_clear(&run->out);
    for (struct str rest = buf_str(&run->lines); str_split(&rest, '\n', &line) && line.len > 0;) {
        INVARIANT(ops->look(f, line, (uint64_t)(line.ptr - run->lines.ptr), &e));
    }
    INVARIANT(ops->begin(f, &run->out, &e));
    for (struct str rest = buf_str(&run->lines); str_split(&rest, '\n', &line) && line.len > 0;) {
        INVARIANT(ops->add(f, line, (uint64_t)(line.ptr - run->lines.ptr), &run->out, &e));
    }
    INVARIANT(ops->end(f, &run->out, &e));
    ops->close(f);
}

static void convert_to_parquet(void *arg)
{
    convert_lines(arg, FORMAT_PARQUET);
}

static void convert_to_csv(void *arg)
{
    convert_lines(arg, FORMAT_CSV);
}

/* A line for each row, as the exporter writes them: short ones with <l>, JSON without. */
static void make_lines(struct samples_run *run, struct spool_lines *l, struct buf *lines)
{
    AUTO(buf_release) struct buf part = BUF_INIT(BUF_UNLIMITED);
    const struct batch_info info = {.rule = STR("")};
    double *values = mem_alloc(SERIES * sizeof(*values));
    int64_t *times = mem_alloc(SERIES * sizeof(*times));
    struct samples s = run->samples;
    struct record_objects objects = {.view = {.n = SERIES}, .samples = &s};

    record_json_init(&objects.json, &info);
    s.value = values;
    s.time_ns = times;
    for (uint32_t time = 0; time < TIMES; time++) {
        buf_clear(&part);
        if (l != NULL) {
            spool_lines_begin(l, 1, (int64_t)lines->len);
        }
        for (uint32_t i = 0; i < SERIES; i++) {
            values[i] = value_at(run, i, time);
            times[i] = run->samples.time_ns[i] + time * INT64_C(15000000000);
            if (l != NULL) {
                spool_lines_add(l, &objects, i, 0, &part);
            } else {
                record_objects_add(&objects, i, 0, &part);
                buf_add_byte(&part, '\n');
            }
        }
        buf_add_str(lines, buf_str(&part));
    }
    record_objects_release(&objects);
    mem_free(values);
    mem_free(times);
}

static void write_spool(void *arg)
{
    struct file_run *run = arg;
    struct spool_lines *l = spool_lines_new(SPOOL_LINES_BYTES);

    buf_clear(&run->lines);
    make_lines(run->samples, l, &run->lines);
    spool_lines_free(l);
}

/* With a folder: what was made is left there, for other programs. */
static void leave(const char *folder, const char *name, struct str bytes)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    buf_addf(&path, "%s/%s", folder, name);
    INVARIANT(fs_replace_file(fs_system(), buf_str(&path), bytes, &e));
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

/* What `file` does of a table: the spool that it writes, and what becomes of that, which is the same as of JSON. */
static void measure_spool(struct file_run *run)
{
    static const struct {
        const char *name;
        void (*convert)(void *arg);
    } formats[] = {{"spool->parquet", convert_to_parquet}, {"spool->csv", convert_to_csv}};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);

    buf_add_str(&json, buf_str(&run->lines));
    double written = best_of(write_spool, run);
    print_rate("spool", written, FILE_ROWS, run->lines.len);
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct file_run other = {run->samples, json, BUF_INIT(BUF_UNLIMITED)};
        formats[i].convert(&other);
        double seconds = best_of(formats[i].convert, run);
        print_rate(formats[i].name, seconds, FILE_ROWS, run->out.len);
        INVARIANT(str_eq(buf_str(&other.out), buf_str(&run->out)));
        buf_release(&other.out);
    }
}

static void measure_files(const char *folder)
{
    AUTO(arena_release) struct arena a;
    struct samples_run samples = {0};
    struct file_run run = {&samples, BUF_INIT(BUF_UNLIMITED), BUF_INIT(BUF_UNLIMITED)};

    arena_init(&a, ARENA_UNLIMITED);
    make_samples(&samples, &a);
    make_lines(&samples, NULL, &run.lines);
    double direct = best_of(write_parquet, &run);
    print_rate("parquet", direct, FILE_ROWS, run.out.len);
    double converted = best_of(convert_to_parquet, &run);
    print_rate("json->parquet", converted, FILE_ROWS, run.out.len);
    if (folder != NULL) {
        leave(folder, "rows.parquet", buf_str(&run.out));
        leave(folder, "rows.jsonl", buf_str(&run.lines));
    }
    double csv = best_of(convert_to_csv, &run);
    print_rate("json->csv", csv, FILE_ROWS, run.out.len);
    measure_spool(&run);
    buf_release(&run.lines);
    buf_release(&run.out);
    free_samples(&samples);
}

int main(int argc, char **argv)
{
    measure_answers();
    measure_samples();
    measure_files(argc > 1 ? argv[1] : NULL);
    return 0;
}
