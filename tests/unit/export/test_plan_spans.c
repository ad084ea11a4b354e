/* Spans of a destination that takes them at an address of their own: what is down holds up nothing else. */
#include "export/plan_int.h"

#include "base/mem.h"
#include "fake/plan_kit.h"
#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

/* ---- a destination: samples as the fake one has them, spans are counted ---- */

static struct {
    _Atomic bool is_down; /* for spans */
    _Atomic unsigned calls;
    _Atomic unsigned got;
} spans;

struct leaf {
    struct sink sink;
    struct sink *samples;
};

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct leaf *l = (struct leaf *)sink;

    if (batch_info(view.batch)->kind != RECORD_SPAN) {
        l->samples->ops->deliver(l->samples, view, wait, ret);
        return;
    }
    atomic_fetch_add(&spans.calls, 1);
    if (atomic_load(&spans.is_down)) {
        ret->rest = VERDICT_RETRY;
        (void)err_set(&ret->err, ERR_NET, "down");
    } else {
        outcome_settle(ret, view.n);
        atomic_fetch_add(&spans.got, view.n);
    }
}

static void close_leaf(struct sink *sink)
{
    sink_close(((struct leaf *)sink)->samples);
    mem_free(sink);
}

static const struct sink_ops ops = {.deliver = deliver, .close = close_leaf};

static bool open_leaf(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    struct leaf *l = mem_new(struct leaf);

    l->sink.ops = &ops;
    if (!fake_kind.open(place, config, &l->samples, e)) {
        mem_free(l);
        return false;
    }
    *ret_sink = &l->sink;
    return true;
}

static const struct exporter_kind apart = {.name = "apart",
                                           .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_SPAN),
                                           .caps = EXPORTER_SPANS_APART,
                                           .open = open_leaf};
static const struct exporter_kind together = {
    .name = "together", .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_SPAN), .open = open_leaf};

static bool wait_for(_Atomic unsigned *count, unsigned wanted)
{
    int64_t until_ns = clock_deadline_ms(clock_system(), DESTINATION_PATIENCE_MS);

    while (atomic_load(count) < wanted && clock_mono_ns(clock_system()) < until_ns) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 1), NULL});
    }
    return atomic_load(count) >= wanted;
}

/* ---- the plan ---- */

static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    atomic_store(&spans.is_down, true);
    atomic_store(&spans.calls, 0);
    atomic_store(&spans.got, 0);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static void give_span(struct plan_kit *k)
{
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *row = arena_array(batch_arena(b), struct note, 1);
    struct span_part *s = arena_new(batch_arena(b), struct span_part);
    uint64_t seq = 0;

    s->trace_id[0] = 1;
    s->span_id[0] = 1;
    s->end_ns = 2;
    s->status_message = STR("");
    s->more = STR("");
    *row = (struct note){.time_ns = 1, .name = STR("s"), .labels = labels_empty(), .span = s};
    batch_set_notes(b, (struct notes){row, 1});
    assert_true(plan_kit_give(k, b, (struct give){.durable = true}, &seq));
}

static void assert_got(struct plan_kit *k, size_t i, const char *expected)
{
    char *got = destination_got(&k->destinations[i]);

    assert_string_equal(got, expected);
    mem_free(got);
}

static struct output_status status_of(struct plan_kit *k)
{
    struct output_status s;

    assert_int_equal(plan_status(k->plan, &s, 1), 1);
    return s;
}

static void spans_hold_up_no_samples(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "x", &apart, 0);
    plan_kit_open(k);
    give_span(k);
    assert_true(wait_for(&spans.calls, 2));
    assert_true(plan_kit_samples(k, 0, 1));
    give_span(k);
    assert_true(plan_kit_samples(k, 1, 2));
    assert_true(destination_wait(&k->destinations[0], 3));
    assert_true(status_of(k).pending_frames >=
                2); /* that samples were taken is perhaps not noted yet */
    assert_int_equal(atomic_load(&spans.got), 0);
    atomic_store(&spans.is_down, false);
    assert_true(wait_for(&spans.got, 2));
    assert_int_equal(plan_kit_drain(k, 5000), 0);
    assert_got(k, 0, "0 1 2");
    assert_int_equal(atomic_load(&spans.got), 2);
}

static void samples_hold_up_no_spans(void **state)
{
    struct plan_kit *k = *state;

    atomic_store(&spans.is_down, false);
    plan_kit_output(k, "x", &apart, 0);
    plan_kit_open(k);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 2));
    give_span(k);
    assert_true(wait_for(&spans.got, 1));
    assert_true(status_of(k).pending_frames >= 1);
}

/* Of others, what is behind waits: their order is that of the log. */
static void others_wait(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "x", &together, 0);
    plan_kit_open(k);
    give_span(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(wait_for(&spans.calls, 5));
    assert_got(k, 0, "");
    atomic_store(&spans.is_down, false);
    assert_true(destination_wait(&k->destinations[0], 1));
}

/* Each has a cursor of its own, which a restart keeps: nothing comes twice. */
static void a_restart_repeats_nothing(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "x", &apart, 0);
    plan_kit_open(k);
    give_span(k);
    assert_true(plan_kit_samples(k, 0, 3));
    assert_true(destination_wait(&k->destinations[0], 3));
    assert_int_equal(plan_kit_drain(k, 500), 1);
    plan_kit_close(k);
    atomic_store(&spans.is_down, false);
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 3, 1));
    assert_true(wait_for(&spans.got, 1));
    assert_int_equal(plan_kit_drain(k, 5000), 0);
    assert_got(k, 0, "0 1 2 3");
    assert_int_equal(atomic_load(&spans.got), 1);
}

/* What an earlier program owes with the rest is delivered with the rest. */
static void what_was_owed_before(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "x", &together, 0);
    plan_kit_open(k);
    give_span(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(wait_for(&spans.calls, 1));
    plan_kit_close(k);
    k->outputs[0].kind = &apart;
    plan_kit_open(k);
    give_span(k);
    atomic_store(&spans.is_down, false);
    assert_true(wait_for(&spans.got, 2));
    assert_true(destination_wait(&k->destinations[0], 1));
    assert_int_equal(plan_kit_drain(k, 5000), 0);
    assert_int_equal(atomic_load(&spans.got), 2);
}

/* A removed one owes in two places; who adopts it by its name gets both. */
static void both_are_adopted(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];
    struct plan_config before = k->config;
    struct plan_config after;
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    plan_kit_output(k, "x", &apart, 0);
    plan_kit_output(k, "heir", &apart, 1);
    before = k->config;
    before.output_count = before.target_count = 1;
    before.default_targets = 1;
    after = before;
    after.outputs++;
    after.targets++;
    struct plan_expansion first = {.outputs = 1};
    struct target_config target = {.name = STR("heir"), .kind = &apart, .expansion = &first};
    after.targets = &target;
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    assert_true(plan_open(&k->env, &before, &k->plan, &e));
    give_span(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(plan_change(k->plan, &after, &e));
    assert_int_equal(plan_orphans(k->plan, found, 4), 2);
    atomic_store(&spans.is_down, false);
    assert_true(plan_adopt(k->plan, STR("x"), STR("heir"), wait, &frames, &e));
    assert_int_equal(frames, 2);
    assert_true(wait_for(&spans.got, 1));
    assert_true(destination_wait(&k->destinations[1], 1));
    assert_int_equal(plan_orphans(k->plan, found, 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spans_hold_up_no_samples, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_hold_up_no_spans, setup, teardown),
        cmocka_unit_test_setup_teardown(others_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_repeats_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_owed_before, setup, teardown),
        cmocka_unit_test_setup_teardown(both_are_adopted, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
