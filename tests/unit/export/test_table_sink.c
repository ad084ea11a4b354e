/* The leaf over databases, on one that fails, refuses and forgets to answer at random: each row lands once. */
#include "export/table_sink.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "export/exporter_options.h"
#include "export/outcome_rows.h"
#include "fake/clock.h"
#include "fake/export_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { TRANSACTIONS_MAX = 64, TIMEOUT_S = 60 };
enum { FRAMES = 60, FRAME_ROWS = 7, ROWS = FRAMES * FRAME_ROWS, GATHER_MAX = 4 };

/* Every 11th row is refused by the database, every 13th cannot be taken in hand. */
static bool is_refused(uint32_t value)
{
    return value % 11 == 3;
}

static bool is_untakable(uint32_t value)
{
    return value % 13 == 5;
}

static bool is_bad(uint32_t value)
{
    return is_refused(value) || is_untakable(value);
}

/* ---- a database, which outlives its connections ---- */

struct store {
    struct rng rng;
    uint32_t trouble; /* per cent of calls */
    uint32_t landed[ROWS];
    struct lane_position position;
    uint64_t frames_held; /* the log holds frames up to this one */
    uint32_t sizes[TRANSACTIONS_MAX];
    uint32_t size_count;
    struct fake_clock *clock; /* of a database that takes its time, or NULL */
    int64_t takes_ms;
};

struct fake_db {
    struct table_db super;
    struct store *store;
    bool is_open;
    VEC(uint32_t) hand;
};

static struct fake_db *db_of(struct table_db *db)
{
    return container_of(db, struct fake_db, super);
}

static bool has_trouble(struct store *s)
{
    return rng_below(&s->rng, 100) < s->trouble;
}

static bool lose(struct fake_db *db, enum verdict verdict, struct table_fault *fault, struct err *e)
{
    db->is_open = false;
    *fault = (struct table_fault){.verdict = verdict, .is_lost = true};
    return err_set(e, ERR_NET, "trouble");
}

static bool fake_connect(struct table_db *base, struct wait wait, bool *ret_fresh,
                         struct table_fault *fault, struct err *e)
{
    struct fake_db *db = db_of(base);

    (void)wait;
    *ret_fresh = !db->is_open;
    if (!db->is_open && has_trouble(db->store)) {
        return lose(db, VERDICT_RETRY, fault, e);
    }
    db->is_open = true;
    return true;
}

static bool fake_use(struct table_db *base, const struct table_layout *l, struct wait wait,
                     struct table_fault *fault, struct err *e)
{
    (void)base;
    (void)l;
    (void)wait;
    (void)fault;
    (void)e;
    return true;
}

static bool fake_load(struct table_db *base, struct wait wait, struct positions *ret,
                      struct table_fault *fault, struct err *e)
{
    struct fake_db *db = db_of(base);
    const struct position start = {0};

    (void)wait;
    if (has_trouble(db->store)) {
        return lose(db, VERDICT_RETRY, fault, e);
    }
    struct lane_position *one = vec_add(&ret->list);
    *one = db->store->position;
    one->holes = (struct holes){0};
    holes_add_behind(&one->holes, &db->store->position.holes, &start);
    holes_sort(&one->holes);
    return true;
}

static bool fake_take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    uint32_t value = (uint32_t)r->samples->value[view_row(r->view, i)];

    if (is_untakable(value)) {
        return err_set(e, ERR_CONFIG, "untakable");
    }
    vec_push(&db_of(base)->hand, value);
    return true;
}

static size_t fake_bytes(struct table_db *base)
{
    return db_of(base)->hand.len;
}

static void fake_drop(struct table_db *base)
{
    vec_clear(&db_of(base)->hand);
}

static void commit(struct fake_db *db, uint32_t from, uint32_t end, const struct table_move *move)
{
    struct store *s = db->store;
    const struct position start = {0};

    for (uint32_t i = from; i < end; i++) {
        s->landed[db->hand.items[i]]++;
    }
    holes_release(&s->position.holes);
    s->position.at = move->to;
    holes_add_behind(&s->position.holes, move->holes, &start);
    holes_sort(&s->position.holes);
}

static bool fake_write(struct table_db *base, uint32_t from, uint32_t end,
                       const struct table_move *move, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    struct fake_db *db = db_of(base);

    (void)wait;
    if (!db->is_open || has_trouble(db->store)) {
        return lose(db, VERDICT_RETRY, fault, e);
    }
    assert_non_null(move);
    if (position_cmp(&move->from, &db->store->position.at) != 0) {
        return lose(db, VERDICT_RETRY, fault, e);
    }
    for (uint32_t i = from; i < end; i++) {
        if (is_refused(db->hand.items[i])) {
            *fault = (struct table_fault){.verdict = VERDICT_REJECTED};
            return err_set(e, ERR_NET, "refused");
        }
    }
    bool is_silent = has_trouble(db->store);
    if (!is_silent || rng_below(&db->store->rng, 2) == 0) {
        commit(db, from, end, move);
    }
    return !is_silent || lose(db, VERDICT_UNKNOWN, fault, e);
}

static void fake_rest(struct table_db *base)
{
    (void)base;
}

static void fake_close(struct table_db *base)
{
    struct fake_db *db = db_of(base);

    vec_release(&db->hand);
    mem_free(db);
}

static const struct table_ops fake_ops = {
    .connect = fake_connect,
    .use = fake_use,
    .load = fake_load,
    .take = fake_take,
    .bytes = fake_bytes,
    .drop = fake_drop,
    .write = fake_write,
    .rest = fake_rest,
    .close = fake_close,
};

/* ---- a lane over a log of frames ---- */

struct fixture {
    struct store store;
    struct env env;
    struct exporter_common common;
    struct option_map mapping;
    struct sink *sink;
    uint32_t together;   /* rows of a transaction, where many wait */
    uint64_t cursor;     /* frames up to it are done, durably */
    uint32_t dead[ROWS]; /* letters of each row */
};

static bool holds(void *arg, uint64_t seq, int64_t time_ns)
{
    const struct fixture *f = arg;

    return seq <= f->store.frames_held && time_ns == (int64_t)seq * 1000;
}

static void restart_with(struct fixture *f, const struct table_ops *ops, uint32_t batch_rows)
{
    struct fake_db *db = mem_new(struct fake_db);
    const struct lane_place lane = {
        .consumer = STR_INIT("x"), .log = STR_INIT("bulk"), .lanes = 1, .holds = holds, .arg = f};
    const struct exporter_place place = {.env = &f->env, .name = STR_INIT("x"), .lane = &lane};
    const struct table_sink_config setup = {.table_name = STR_INIT("t_{kind}"),
                                            .column_mapping = &f->mapping,
                                            .batch_rows = batch_rows,
                                            .together_rows = f->together,
                                            .keeps_positions = true,
                                            .timeout_ns = TIMEOUT_S * NS_PER_S};
    struct err e = ERR_INIT;

    sink_close(f->sink);
    db->super.ops = ops;
    db->store = &f->store;
    assert_true(table_sink_open(&db->super, &setup, &place, &f->common, &f->sink, &e));
}

/* A new process: what only the old one knew is gone. */
static void restart(struct fixture *f)
{
    restart_with(f, &fake_ops, 10);
}

static struct batch *make_batch(uint64_t first, uint32_t frames)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct kit_sample rows[GATHER_MAX * FRAME_ROWS];
    struct frame_part parts[GATHER_MAX];
    uint32_t count = frames * FRAME_ROWS;

    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (struct kit_sample){"a", 1, (double)((first - 1) * FRAME_ROWS + i)};
    }
    for (uint32_t i = 0; i < frames; i++) {
        parts[i] = (struct frame_part){i * FRAME_ROWS, first + i, (int64_t)(first + i) * 1000};
    }
    struct batch *b = kit_samples(NULL, &info, rows, count);
    const struct frame_parts all = {.items = parts, .count = frames};
    batch_set_parts(b, &all, count);
    return b;
}

/* What the delivery does with an outcome; false when killed before all of it was on disk. */
static bool settle(struct fixture *f, struct view *view, const struct outcome *out, uint32_t base,
                   uint32_t *rows)
{
    struct fate *fates = outcome_fates(out, view->n);
    uint32_t left = 0;
    bool lives = true;

    for (uint32_t i = 0; lives && i < view->n; i++) {
        uint32_t row = view_row(*view, i);
        if (fates[i].verdict == VERDICT_REJECTED) {
            lives = !has_trouble(&f->store);
            f->dead[base + row] += lives;
        } else if (fates[i].verdict != VERDICT_DELIVERED) {
            rows[left++] = row;
        } else {
            assert_true(f->store.landed[base + row] + f->dead[base + row] > 0);
        }
    }
    mem_free(fates);
    view->rows = rows;
    view->n = left;
    return lives;
}

/* Frames from the cursor on, in a group, to their end; killed at random. */
static void run_group(struct fixture *f)
{
    uint64_t first = f->cursor + 1;
    uint32_t frames = 1 + (uint32_t)rng_below(&f->store.rng, GATHER_MAX);
    uint32_t rows[GATHER_MAX * FRAME_ROWS];

    frames = first + frames - 1 > FRAMES ? (uint32_t)(FRAMES - first + 1) : frames;
    AUTO(batch_autounref) struct batch *b = make_batch(first, frames);
    struct view view = view_all(b);
    bool lives = true;
    while (lives && view.n > 0) {
        struct outcome out;
        outcome_init(&out);
        f->sink->ops->deliver(f->sink, view, (struct wait){DEADLINE_NEVER, NULL}, &out);
        lives = settle(f, &view, &out, (uint32_t)(first - 1) * FRAME_ROWS, rows) &&
                rng_below(&f->store.rng, 100) >= f->store.trouble / 2;
        outcome_release(&out);
    }
    if (lives && !has_trouble(&f->store)) {
        f->cursor = first + frames - 1;
    } else {
        restart(f); /* in the middle, or before the cursor was on disk */
    }
}

static void run_all(uint64_t seed, uint32_t trouble, uint32_t together)
{
    struct fixture *f = mem_new(struct fixture);

    rng_seed(&f->store.rng, seed);
    f->store.trouble = trouble;
    f->together = together;
    f->store.frames_held = FRAMES;
    f->store.position.lanes = 1;
    f->env = (struct env){.clock = clock_system(), .metrics = metrics_new()};
    restart(f);
    while (f->cursor < FRAMES) {
        run_group(f);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        bool ok = is_bad(i) ? f->store.landed[i] == 0 && f->dead[i] > 0
                            : f->store.landed[i] == 1 && f->dead[i] == 0;
        if (!ok) {
            fail_msg("seed %d: row %u landed %u times, died %u times", (int)seed, i,
                     f->store.landed[i], f->dead[i]);
        }
    }
    sink_close(f->sink);
    holes_release(&f->store.position.holes);
    metrics_free(f->env.metrics);
    mem_free(f);
}

static void test_each_row_once(void **state)
{
    (void)state;
    run_all(1, 0, 0);
    for (uint64_t seed = 2; seed < 60; seed++) {
        run_all(seed, seed % 3 == 0 ? 40 : 10, seed % 2 == 0 ? 4 * 10 : 0);
    }
}

/* Positions of a log that lost its end are not believed: everything is sent again, nothing is left out. */
static void test_a_log_that_began_anew(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    (void)state;
    f->store.position.lanes = 1;
    f->store.position.at = (struct position){.seq = 9, .time_ns = 1, .row = 5};
    f->store.frames_held = FRAMES;
    f->env = (struct env){.clock = clock_system(), .metrics = metrics_new()};
    restart(f);
    while (f->cursor < FRAMES) {
        run_group(f);
    }
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_int_equal(f->store.landed[i], is_bad(i) ? 0 : 1);
    }
    sink_close(f->sink);
    holes_release(&f->store.position.holes);
    metrics_free(f->env.metrics);
    mem_free(f);
}

/* ---- many rows ---- */

enum { WAITING = 1000, SPOILED = 777 };

static bool any_take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    (void)e;
    vec_push(&db_of(base)->hand, view_row(r->view, i));
    return true;
}

/* Refuses one row, and notes how many were in each transaction. */
static bool noting_write(struct table_db *base, uint32_t from, uint32_t end,
                         const struct table_move *move, struct wait wait, struct table_fault *fault,
                         struct err *e)
{
    struct fake_db *db = db_of(base);

    (void)move;
    (void)wait;
    assert_true(db->store->size_count < TRANSACTIONS_MAX);
    db->store->sizes[db->store->size_count++] = end - from;
    for (uint32_t i = from; i < end; i++) {
        if (db->hand.items[i] == SPOILED) {
            *fault = (struct table_fault){.verdict = VERDICT_REJECTED};
            return err_set(e, ERR_NET, "refused");
        }
    }
    fake_clock_advance_ms(db->store->clock, db->store->takes_ms);
    return true;
}

static const struct table_ops noting_ops = {
    .connect = fake_connect,
    .use = fake_use,
    .load = fake_load,
    .take = any_take,
    .bytes = fake_bytes,
    .drop = fake_drop,
    .write = noting_write,
    .rest = fake_rest,
    .close = fake_close,
};

/* One delivery of WAITING rows, in batches of 10 and transactions of up to 100. */
static void deliver_waiting(struct fixture *f, int64_t takes_ms, struct outcome *ret)
{
    struct kit_sample *samples = mem_alloc0(WAITING, sizeof(*samples));
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    const struct frame_part part = {0, 1, 1000};
    const struct frame_parts parts = {.items = &part, .count = 1};
    struct fake_clock clock;

    for (uint32_t i = 0; i < WAITING; i++) {
        samples[i] = (struct kit_sample){"a", 1, i};
    }
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, WAITING);
    batch_set_parts(b, &parts, WAITING);
    mem_free(samples);
    fake_clock_init(&clock, 1, 1);
    f->store = (struct store){.position.lanes = 1, .frames_held = 1, .clock = &clock};
    f->store.takes_ms = takes_ms;
    f->together = 100;
    f->env = (struct env){.clock = &clock.clock, .metrics = metrics_new()};
    restart_with(f, &noting_ops, 10);
    f->sink->ops->deliver(f->sink, view_all(b), (struct wait){DEADLINE_NEVER, NULL}, ret);
    sink_close(f->sink);
    metrics_free(f->env.metrics);
}

/* Batches become larger transactions; after a refused one, few rows again. */
static void test_many_batches_in_a_transaction(void **state)
{
    static const uint32_t sizes[] = {10,  20, 40, 80, 100, 100, 100, 100, 100, 100, /* to row 750 */
                                     100, 50, 25, 25, 12,  6,   3,   1,   2,   1,
                                     1,               /* row 777 is among them, and then alone */
                                     3,   6,  13, 50, /* the rest of those 100 */
                                     40,  80, 30};
    struct fixture f = {.sink = NULL};
    struct outcome out;

    (void)state;
    outcome_init(&out);
    deliver_waiting(&f, 0, &out);
    assert_int_equal(out.settled, WAITING);
    assert_int_equal(out.except.list.len, 1);
    assert_int_equal(out.except.list.items[0].index, SPOILED);
    assert_int_equal(f.store.size_count, ARRAY_LEN(sizes));
    assert_memory_equal(f.store.sizes, sizes, sizeof(sizes));
    outcome_release(&out);
}

/* A slow server gets small transactions, and whoever waits for the end of a call waits for its time, not for a view's. */
static void test_a_slow_server(void **state)
{
    struct fixture f = {.sink = NULL};
    struct outcome out;

    (void)state;
    outcome_init(&out);
    deliver_waiting(&f, 2500, &out);
    assert_int_equal(f.store.size_count, 25); /* TIMEOUT_S */
    assert_int_equal(f.store.sizes[24], 10);
    assert_int_equal(out.settled, 250);
    assert_int_equal(out.rest, VERDICT_RETRY);
    assert_true(out.held_back);
    outcome_release(&out);
}

/* ---- many holes ---- */

enum { MANY = 3 * POSITION_HOLES_MAX };

/* Every other row cannot be taken in hand. */
static bool many_take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    uint32_t row = view_row(r->view, i);

    if (row % 2 == 1) {
        return err_set(e, ERR_CONFIG, "untakable");
    }
    vec_push(&db_of(base)->hand, row);
    return true;
}

static bool many_write(struct table_db *base, uint32_t from, uint32_t end,
                       const struct table_move *move, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    struct store *s = db_of(base)->store;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct holes again = {0};

    (void)wait;
    (void)fault;
    holes_print(move->holes, &text);
    if (!holes_parse(buf_str(&text), &again, e)) {
        fail_msg("%zu holes: %s", move->holes->list.len, e->message);
    }
    holes_release(&again);
    s->landed[0] += end - from;
    return true;
}

/* What the database is told of refused rows can be read again, however many there are. */
static void test_more_holes_than_a_position_has(void **state)
{
    static const struct table_ops many_ops = {
        .connect = fake_connect,
        .use = fake_use,
        .load = fake_load,
        .take = many_take,
        .bytes = fake_bytes,
        .drop = fake_drop,
        .write = many_write,
        .rest = fake_rest,
        .close = fake_close,
    };
    struct fixture *f = mem_new(struct fixture);
    struct kit_sample *samples = mem_alloc0(MANY, sizeof(*samples));
    uint32_t *rows = mem_alloc0(MANY, sizeof(*rows));
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    const struct frame_part part = {0, 1, 1000};
    const struct frame_parts parts = {.items = &part, .count = 1};
    uint32_t dead = 0;

    (void)state;
    for (uint32_t i = 0; i < MANY; i++) {
        samples[i] = (struct kit_sample){"a", 1, i};
    }
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, MANY);
    batch_set_parts(b, &parts, MANY);
    f->store.position.lanes = 1;
    f->store.frames_held = 1;
    f->env = (struct env){.clock = clock_system(), .metrics = metrics_new()};
    restart_with(f, &many_ops, MANY);
    struct view view = view_all(b);
    while (view.n > 0) {
        struct outcome out;
        uint32_t left = 0;
        outcome_init(&out);
        f->sink->ops->deliver(f->sink, view, (struct wait){DEADLINE_NEVER, NULL}, &out);
        struct fate *fates = outcome_fates(&out, view.n);
        for (uint32_t i = 0; i < view.n; i++) {
            dead += fates[i].verdict == VERDICT_REJECTED;
            if (fates[i].verdict == VERDICT_RETRY) {
                rows[left++] = view_row(view, i);
            }
        }
        assert_true(left < view.n);
        view.rows = rows;
        view.n = left;
        mem_free(fates);
        outcome_release(&out);
    }
    assert_int_equal(dead, MANY / 2);
    assert_int_equal(f->store.landed[0], MANY / 2);
    sink_close(f->sink);
    metrics_free(f->env.metrics);
    mem_free(samples);
    mem_free(rows);
    mem_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_holes_than_a_position_has),
        cmocka_unit_test(test_many_batches_in_a_transaction),
        cmocka_unit_test(test_a_slow_server),
        cmocka_unit_test(test_each_row_once),
        cmocka_unit_test(test_a_log_that_began_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
