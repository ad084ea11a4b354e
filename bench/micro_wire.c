/*
 * Prints how fast the codecs are on one core: ns per series of a query answer, MB/s of JSON passed over,
 * millions of samples per second encoded. Each figure is the best of several runs, so that a busy
 * machine disturbs less.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "wire/json.h"
#include "wire/prom_answer.h"

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
    double skip = best_of(skip_answer, &run);
    printf("prom_answer  %6.1f ns per series, %6.0f MB/s\n", decode * 1e9 / SERIES, mb / decode);
    printf("json_skip    %6.1f ns per series, %6.0f MB/s\n", skip * 1e9 / SERIES, mb / skip);
}

int main(void)
{
    measure_answers();
    return 0;
}
