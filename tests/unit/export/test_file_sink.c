/* The file leaf on a file system that fails, fills up and loses what was not synced. */
#include "export/file_sink.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/rand.h"
#include "export/exporter_options.h"
#include "fake/export_kit.h"
#include "fake/simfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PATH "out/x.jsonl"
#define TORN "out/x.jsonl.torn"

/* ---- an exporter: a line is the row's value and padding ---- */

struct lines_config {
    struct exporter_common common;
    uint32_t padding; /* bytes */
    uint32_t bad_row; /* UINT32_MAX: none */
};

static bool next_lines(const void *config, void *state, struct view view, uint32_t *row,
                       struct buf *lines, struct outcome *out, struct err *e)
{
    const struct lines_config *c = config;
    const struct samples *s = NULL;

    (void)out;
    (void)state;
    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    for (; *row < view.n && lines->len < FILE_SINK_BYTES; ++*row) {
        if (*row == c->bad_row) {
            ++*row;
            return err_set(e, ERR_LIMIT, "row is too long");
        }
        buf_addf(lines, "%d", (int)s->value[view_row(view, *row)]);
        buf_add_repeat(lines, '.', c->padding);
        buf_add_byte(lines, '\n');
    }
    return true;
}

static const struct file_exporter exporter = {.next_lines = next_lines};

/* ---- set-up ---- */

struct fixture {
    struct simfs *simfs;
    struct env env;
    struct exporter_place place;
    struct lines_config config;
    struct sink *sink;
    struct outcome out;
    struct cancel *cancel;
    int next; /* value of the next row */
};

static void init(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){.simfs = simfs_new(seed),
                          .env = {.clock = clock_system()},
                          .config = {.bad_row = UINT32_MAX},
                          .cancel = cancel_new(NULL)};
    f->place = (struct exporter_place){.env = &f->env, .name = STR("x")};
    outcome_init(&f->out);
}

static void release(struct fixture *f)
{
    sink_close(f->sink);
    outcome_release(&f->out);
    cancel_free(f->cancel);
    simfs_free(f->simfs);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    init(f, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    release(f);
    mem_free(f);
    return 0;
}

static bool open_sink(struct fixture *f, struct err *e)
{
    const struct file_target target = {simfs_fs(f->simfs), STR("out"), STR("x.jsonl"), NULL};

    sink_close(f->sink);
    f->sink = NULL;
    return file_sink_open(&exporter, &target, &f->place, &f->config, &f->sink, e);
}

static void must_open(struct fixture *f)
{
    struct err e = ERR_INIT;

    if (!open_sink(f, &e)) {
        fail_msg("%s", e.message);
    }
}

/* Delivers <rows> rows that count on from the last that were delivered. */
static void deliver(struct fixture *f, uint32_t rows)
{
    struct kit_sample samples[16];
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    assert_in_range(rows, 1, 16);
    for (uint32_t i = 0; i < rows; i++) {
        samples[i] = (struct kit_sample){"x", KIT_TIME_NS, f->next + (double)i};
    }
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, rows);
    outcome_release(&f->out);
    f->sink->ops->deliver(f->sink, view_all(b), (struct wait){DEADLINE_NEVER, f->cancel}, &f->out);
    f->next += (int)f->out.settled;
}

static void assert_outcome(struct fixture *f, enum verdict rest, uint32_t settled)
{
    if (f->out.rest != rest || f->out.settled != settled) {
        fail_msg("%s %u: %s", verdict_name(f->out.rest), f->out.settled, f->out.err.message);
    }
}

static void assert_file(struct fixture *f, const char *path, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);

    if (!simfs_peek(f->simfs, path, &got)) {
        buf_add_text(&got, "(none)");
    }
    assert_string_equal(buf_text(&got), want);
}

static void assert_says(const struct err *e, const char *part)
{
    if (strstr(e->message, part) == NULL) {
        fail_msg("'%s' does not say '%s'", e->message, part);
    }
}

/* ---- tests ---- */

static void test_appends(void **state)
{
    struct fixture *f = *state;

    must_open(f);
    assert_file(f, PATH, "");
    deliver(f, 2);
    assert_outcome(f, VERDICT_DELIVERED, 2);
    assert_int_equal(f->out.requests, 1);
    assert_int_equal(f->out.bytes, 4);
    deliver(f, 1);
    assert_file(f, PATH, "0\n1\n2\n");
    simfs_crash(f->simfs, SIMFS_LOSE_ALL);
    assert_file(f, PATH, "0\n1\n2\n");
    must_open(f);
    deliver(f, 1);
    assert_file(f, PATH, "0\n1\n2\n3\n");
    assert_file(f, TORN, "(none)");
}

struct torn_row {
    struct str before;
    const char *after;
    const char *torn;
};

static const struct torn_row torn_rows[] = {
    {STR_INIT("a\nb\npart"), "a\nb\n0\n", "part"}, {STR_INIT("part"), "0\n", "part"},
    {STR_INIT("a\nb\0\0\nc\n"), "a\n0\n", "b"},    {STR_INIT("\0\0"), "0\n", ""},
    {STR_INIT("a\n"), "a\n0\n", "(none)"},         {STR_INIT("a\n\n"), "a\n\n0\n", "(none)"},
};

static void test_torn_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(torn_rows); i++) {
        struct fixture f;
        init(&f, 1);
        struct err e = ERR_INIT;
        assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
        simfs_put(f.simfs, PATH, torn_rows[i].before);
        must_open(&f);
        deliver(&f, 1);
        assert_outcome(&f, VERDICT_DELIVERED, 1);
        assert_file(&f, PATH, torn_rows[i].after);
        assert_file(&f, TORN, torn_rows[i].torn);
        release(&f);
    }
}

static void test_torn_ends_add_up(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    assert_true(fs_make_path(simfs_fs(f->simfs), STR("out"), &e));
    simfs_put(f->simfs, PATH, STR("one"));
    must_open(f);
    simfs_put(f->simfs, PATH, STR("x\ntwo"));
    must_open(f);
    assert_file(f, TORN, "onetwo");
    assert_file(f, PATH, "x\n");
}

/* Somebody else's file is not cut to pieces. */
static void test_no_lines_at_all(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf big = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    assert_true(fs_make_path(simfs_fs(f->simfs), STR("out"), &e));
    buf_add_text(&big, "a\n");
    buf_add_repeat(&big, 'x', 9 * FILE_SINK_BYTES);
    simfs_put(f->simfs, PATH, buf_str(&big));
    assert_false(open_sink(f, &e));
    assert_says(&e, "does not end in lines");
}

/* What failed is taken back and told; the next try leaves every line once. */
struct fault_row {
    unsigned calls;
    int errnum;
    const char *says;
};

static const struct fault_row fault_rows[] = {
    {SIMFS_CALL_WRITE, EIO, "cannot write out/x.jsonl"},
    {SIMFS_CALL_SYNC, EIO, "cannot sync out/x.jsonl"},
    {SIMFS_CALL_OPEN, EACCES, "cannot open out/x.jsonl"},
};

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fault_rows); i++) {
        struct fixture f;
        init(&f, 1);
        must_open(&f);
        deliver(&f, 2);
        simfs_fail(f.simfs, fault_rows[i].calls, 1, 2, fault_rows[i].errnum);
        deliver(&f, 3);
        assert_outcome(&f, VERDICT_RETRY, 0);
        assert_says(&f.out.err, fault_rows[i].says);
        assert_file(&f, PATH, "0\n1\n");
        deliver(&f, 3);
        assert_outcome(&f, VERDICT_RETRY, 0);
        deliver(&f, 3);
        assert_outcome(&f, VERDICT_DELIVERED, 3);
        assert_file(&f, PATH, "0\n1\n2\n3\n4\n");
        simfs_crash(f.simfs, SIMFS_LOSE_ALL);
        assert_file(&f, PATH, "0\n1\n2\n3\n4\n");
        release(&f);
    }
}

static void test_disk_is_full(void **state)
{
    struct fixture *f = *state;

    must_open(f);
    deliver(f, 2);
    simfs_set_capacity(f->simfs, 5);
    deliver(f, 3);
    assert_outcome(f, VERDICT_RETRY, 0);
    assert_says(&f->out.err, "No space left");
    assert_file(f, PATH, "0\n1\n");
    simfs_set_capacity(f->simfs, 1000);
    deliver(f, 3);
    assert_outcome(f, VERDICT_DELIVERED, 3);
    assert_file(f, PATH, "0\n1\n2\n3\n4\n");
}

/* Not even taking back works: the next delivery cuts what is torn. */
static void test_cannot_take_back(void **state)
{
    struct fixture *f = *state;

    must_open(f);
    deliver(f, 2);
    simfs_set_capacity(f->simfs, 5);
    simfs_fail(f->simfs, SIMFS_CALL_TRUNCATE, 1, 1, EIO);
    deliver(f, 3);
    assert_outcome(f, VERDICT_RETRY, 0);
    assert_file(f, PATH, "0\n1\n2");
    simfs_set_capacity(f->simfs, 1000);
    deliver(f, 3);
    assert_outcome(f, VERDICT_DELIVERED, 3);
    assert_file(f, PATH, "0\n1\n2\n3\n4\n");
    assert_file(f, TORN, "2");
}

/* Asked whether it can be written, it says so, and what to do when not. */
static void test_probe(void **state)
{
    struct fixture *f = *state;
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;

    must_open(f);
    deliver(f, 2);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_THERE);
    assert_file(f, PATH, "0\n1\n");
    simfs_set_capacity(f->simfs, 5);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_FAILED);
    assert_says(&e, "make room there");
    simfs_set_capacity(f->simfs, INT64_C(1) << 30);
    simfs_fail(f->simfs, SIMFS_CALL_OPEN, 1, 1, EROFS);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_FAILED);
    assert_says(&e, "Read-only");
}

static void test_file_moves_away(void **state)
{
    struct fixture *f = *state;
    const struct fs *fs = simfs_fs(f->simfs);

    must_open(f);
    deliver(f, 2);
    assert_int_equal(fs->ops->rename(fs, PATH, "out/old"), 0);
    deliver(f, 2);
    assert_file(f, "out/old", "0\n1\n");
    assert_file(f, PATH, "2\n3\n");
    assert_int_equal(fs->ops->unlink(fs, PATH), 0);
    deliver(f, 1);
    assert_file(f, PATH, "4\n");
    simfs_crash(f->simfs, SIMFS_LOSE_ALL);
    assert_file(f, PATH, "4\n");
}

static void test_somebody_else_writes(void **state)
{
    struct fixture *f = *state;
    const struct fs *fs = simfs_fs(f->simfs);
    int fd = -1;

    must_open(f);
    assert_int_equal(fs->ops->open(fs, PATH, FS_WRITE, &fd), 0);
    assert_int_equal(fs->ops->lock(fs, fd), 0);
    deliver(f, 1);
    assert_outcome(f, VERDICT_RETRY, 0);
    assert_int_equal(f->out.err.code, ERR_CONFLICT);
    must_open(f);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    deliver(f, 1);
    assert_outcome(f, VERDICT_DELIVERED, 1);
}

struct holder {
    const struct fs *fs;
    int fd;
};

static void hold_for_a_while(void *arg)
{
    const struct holder *h = arg;

    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 50), NULL});
    (void)h->fs->ops->close(h->fs, h->fd);
}

/* Another lane of the same exporter has the lock for a write: that is waited for, and is no try. */
static void test_another_lane_writes(void **state)
{
    struct fixture *f = *state;
    struct holder holder = {.fs = simfs_fs(f->simfs)};
    struct thread thread;
    struct err e = ERR_INIT;

    must_open(f);
    assert_int_equal(holder.fs->ops->open(holder.fs, PATH, FS_WRITE, &holder.fd), 0);
    assert_int_equal(holder.fs->ops->lock(holder.fs, holder.fd), 0);
    assert_true(thread_start(&thread, "holder", hold_for_a_while, &holder, &e));
    deliver(f, 1);
    thread_join(&thread);
    assert_outcome(f, VERDICT_DELIVERED, 1);
}

/* A view of several writes keeps those that were done. */
static void test_large_view(void **state)
{
    struct fixture *f = *state;

    f->config.padding = FILE_SINK_BYTES / 2;
    must_open(f);
    simfs_fail(f->simfs, SIMFS_CALL_WRITE, 3, 1, EIO);
    deliver(f, 8);
    assert_outcome(f, VERDICT_RETRY, 4);
    assert_int_equal(f->out.requests, 2);
    deliver(f, 4);
    assert_outcome(f, VERDICT_DELIVERED, 4);

    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    assert_true(simfs_peek(f->simfs, PATH, &got));
    struct str rest = buf_str(&got);
    struct str line;
    for (int i = 0; i < 8; i++) {
        assert_true(str_split(&rest, '\n', &line));
        assert_int_equal(line.ptr[0], '0' + i);
        assert_int_equal(line.len, 1 + FILE_SINK_BYTES / 2);
    }
    assert_int_equal(rest.len, 0);
}

static void test_bad_row(void **state)
{
    struct fixture *f = *state;

    f->config.bad_row = 1;
    must_open(f);
    deliver(f, 4);
    assert_outcome(f, VERDICT_DELIVERED, 4);
    /* Rows before the bad one were of the same write: they are lost with it, and said to be. */
    assert_int_equal(f->out.except.list.len, 2);
    assert_file(f, PATH, "2\n3\n");
}

static void test_cancelled(void **state)
{
    struct fixture *f = *state;

    must_open(f);
    cancel_fire(f->cancel);
    deliver(f, 2);
    assert_outcome(f, VERDICT_RETRY, 0);
    assert_int_equal(f->out.err.code, ERR_CANCELED);
}

static void test_folder_cannot_be_made(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    simfs_set_read_only(f->simfs, true);
    assert_false(open_sink(f, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.context, "exporter x"));
}

/* ---- the power is cut ---- */

/* Every line is whole; those that were said to be delivered are there, in order. */
static void check_lines(struct fixture *f, int delivered)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    int expected = 0;

    assert_true(simfs_peek(f->simfs, PATH, &got));
    struct str rest = buf_str(&got);
    struct str line = STR("");
    assert_true(rest.len == 0 || rest.ptr[rest.len - 1] == '\n');
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        int value = 0;
        size_t digits = 0;
        for (; digits < line.len && line.ptr[digits] != '.'; digits++) {
            assert_in_range(line.ptr[digits], '0', '9');
            value = value * 10 + (line.ptr[digits] - '0');
        }
        assert_int_equal(line.len - digits, f->config.padding);
        /* Lines that came behind a lost answer come again. */
        assert_in_range(value, 0, expected);
        expected = value == expected ? expected + 1 : expected;
    }
    assert_true(expected >= delivered);
}

static void one_life(struct fixture *f, struct rng *rng)
{
    struct err e = ERR_INIT;

    simfs_stop_at(f->simfs, 1 + (unsigned)rng_below(rng, 12));
    if (open_sink(f, &e)) {
        while (!simfs_is_stopped(f->simfs)) {
            deliver(f, 1 + (uint32_t)rng_below(rng, 4));
        }
    }
    simfs_crash(f->simfs, SIMFS_BY_CHANCE);
}

static void test_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct fixture f;
        struct rng rng;
        init(&f, seed);
        rng_seed(&rng, seed);
        f.config.padding = 700;
        for (int life = 0; life < 6; life++) {
            one_life(&f, &rng);
        }
        must_open(&f);
        check_lines(&f, f.next);
        release(&f);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_appends),
        cmocka_unit_test(test_torn_end),
        CASE(test_torn_ends_add_up),
        CASE(test_no_lines_at_all),
        cmocka_unit_test(test_faults),
        CASE(test_disk_is_full),
        CASE(test_probe),
        CASE(test_cannot_take_back),
        CASE(test_file_moves_away),
        CASE(test_somebody_else_writes),
        CASE(test_another_lane_writes),
        CASE(test_large_view),
        CASE(test_bad_row),
        CASE(test_cancelled),
        CASE(test_folder_cannot_be_made),
        cmocka_unit_test(test_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
