/* Spools of short lines: every format made of one is what the same records' JSON would have become. */
#include "export/spool_lines.h"

#include "base/mem.h"
#include "base/rand.h"
#include "export/line_file.h"
#include "fake/export_kit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROWS_MAX = 40, WRITES = 30, LANES = 2 };

struct spools {
    struct rng rng;
    size_t remember_bytes; /* by who reads them */
    struct buf spool;
    struct buf json;
    int64_t saved;
};

static double some_value(struct rng *rng)
{
    static const double values[] = {0, 1, -0.0, 42, 1e15, 1e300, -7, 123456789012345678.0};

    if (rng_below(rng, 40) == 0) {
        return rng_below(rng, 2) == 0 ? NAN : -INFINITY;
    }
    return rng_below(rng, 3) == 0 ? (double)rng_below(rng, 1000) / 8
                                  : values[rng_below(rng, ARRAY_LEN(values))];
}

static struct batch *some_batch(struct rng *rng)
{
    static const char *const series[] = {
        "up,job=a,instance=b",   "up,job=a,instance=c", "up",           ",job=a",
        "x,value=1,timestamp=t", "x,q=\"\\\n",          "x,u=\xc3\xa9", "x,bad=\xff"};
    static const struct str rules[] = {STR_INIT(""), STR_INIT(""), STR_INIT("r"), STR_INIT("r\"2")};
    struct kit_sample rows[ROWS_MAX];
    uint32_t count = 1 + (uint32_t)rng_below(rng, ROWS_MAX);
    const struct batch_info info = {.kind = RECORD_SAMPLE, .rule = rules[rng_below(rng, 4)]};

    for (uint32_t i = 0; i < count; i++) {
        int64_t time_ns = KIT_TIME_NS + (int64_t)rng_below(rng, 100) * NS_PER_MS * 100;
        rows[i] =
            (struct kit_sample){series[rng_below(rng, ARRAY_LEN(series))],
                                time_ns + (int64_t)(rng_below(rng, 50) == 0), some_value(rng)};
    }
    return kit_samples(NULL, &info, rows, count);
}

/* Writes one batch both ways; a write that fails leaves nothing. */
static void write_batch(struct spools *s, struct spool_lines *l, uint64_t number)
{
    AUTO(batch_autounref) struct batch *b = some_batch(&s->rng);
    AUTO(record_objects_release) struct record_objects objects = {0};
    AUTO(buf_release) struct buf part = BUF_INIT(BUF_UNLIMITED);
    struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    bool is_there = rng_below(&s->rng, 8) > 0;

    assert_true(record_objects_init(&objects, view_all(b), &e));
    spool_lines_begin(l, number, (int64_t)s->spool.len);
    for (uint32_t i = 0; i < batch_rows(b); i++) {
        spool_lines_add(l, &objects, i, 0, &part);
        record_objects_add(&objects, i, 0, &json);
        buf_add_byte(&json, '\n');
    }
    if (is_there) {
        buf_add_str(&s->spool, buf_str(&part));
        buf_add_str(&s->json, buf_str(&json));
    }
    s->saved += spool_lines_end(l, is_there);
    buf_release(&json);
}

static bool fetch(void *arg, uint64_t at, struct buf *out, struct err *e)
{
    const struct buf *spool = arg;
    struct str rest = str_slice(buf_str(spool), at, spool->len);

    (void)e;
    buf_add_str(out, str_slice(rest, 0, str_find_byte(rest, '\n')));
    return true;
}

static void convert(struct spools *s, struct buf *spool, enum file_format format, struct buf *out)
{
    const struct line_file_config config = {
        .pages = PACKING_ZSTD, .remember_bytes = s->remember_bytes, .fetch = fetch, .arg = spool};
    const struct line_file_ops *ops = line_files[format];
    struct line_file *f = ops->open(&config);
    struct err e = ERR_INIT;
    struct str line;

    for (struct str rest = buf_str(spool); ops->look != NULL && rest.len > 0;) {
        uint64_t at = (uint64_t)(rest.ptr - spool->ptr);
        assert_true(str_split(&rest, '\n', &line) && (line.len == 0 || ops->look(f, line, at, &e)));
    }
    assert_true(ops->begin(f, out, &e));
    for (struct str rest = buf_str(spool); rest.len > 0;) {
        uint64_t at = (uint64_t)(rest.ptr - spool->ptr);
        assert_true(str_split(&rest, '\n', &line) &&
                    (line.len == 0 || ops->add(f, line, at, out, &e)));
    }
    assert_true(ops->end(f, out, &e));
    ops->close(f);
}

static void assert_same_files(struct spools *s)
{
    for (int format = 0; format < FILE_FORMATS; format++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
        convert(s, &s->spool, (enum file_format)format, &got);
        convert(s, &s->json, (enum file_format)format, &want);
        assert_true(want.len > 0);
        assert_true(str_eq(buf_str(&got), buf_str(&want)));
    }
}

/* Two lanes write a spool, some writes fail, sometimes a lane begins anew. */
static void run(uint64_t seed, size_t bytes_max, size_t remember_bytes)
{
    struct spools s = {.spool = BUF_INIT(BUF_UNLIMITED), .json = BUF_INIT(BUF_UNLIMITED)};
    struct spool_lines *lanes[LANES] = {spool_lines_new(bytes_max), spool_lines_new(bytes_max)};

    s.remember_bytes = remember_bytes;
    rng_seed(&s.rng, seed);
    write_batch(&s, lanes[0], 1); /* of another spool */
    buf_clear(&s.spool);
    buf_clear(&s.json);
    s.saved = 0;
    for (int i = 0; i < WRITES; i++) {
        struct spool_lines **l = &lanes[rng_below(&s.rng, LANES)];
        if (rng_below(&s.rng, 10) == 0) {
            spool_lines_free(*l);
            *l = spool_lines_new(bytes_max);
        }
        write_batch(&s, *l, 2);
    }
    assert_same_files(&s);
    assert_true(bytes_max == 0 || s.spool.len < s.json.len * 3 / 4);
    assert_true(bytes_max == 0 ? s.saved == 0 : s.saved > (int64_t)s.json.len / 8);
    for (int i = 0; i < LANES; i++) {
        spool_lines_free(lanes[i]);
    }
    buf_release(&s.spool);
    buf_release(&s.json);
}

static void short_lines_are_what_they_stand_for(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 40; seed++) {
        run(seed, SPOOL_LINES_BYTES, 0);
    }
}

/* Who reads has no room for what lines refer to, or for some of it: it is read again. */
static void what_is_not_remembered_is_read_again(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < 20 * 1000; bytes += 2500) {
        run(bytes, SPOOL_LINES_BYTES, bytes);
    }
}

static void without_room_all_is_json(void **state)
{
    (void)state;
    run(1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_lines_are_what_they_stand_for),
        cmocka_unit_test(what_is_not_remembered_is_read_again),
        cmocka_unit_test(without_room_all_is_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
