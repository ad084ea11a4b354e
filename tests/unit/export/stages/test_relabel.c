/* Labels changed and records left out on their way; what became of the others, for the whole view. */
#include "fake/stage_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define STAGE "type: relabel\nexporter: x\nrelabel_configs:\n"
#define DROP STAGE "  - { source_labels: [drop], regex: y, action: drop }\n"
#define FILTERED "telex_exporter_filtered_total{exporter=\"out\",reason=\"relabel\"}"

/* Rows 1 and 3 are dropped: the exporter inside sees 0 2 4 as its rows 0 1 2. */
static const char *const five[] = {"a", "b,drop=y", "c", "d,drop=y", "e", NULL};

/* The same, relabelled by columns or as a message. */
static struct batch *five_samples(bool as_message)
{
    struct batch *b = stage_kit_samples(five);

    if (!as_message) {
        return b;
    }
    struct batch *message = stage_kit_message(b);
    batch_unref(b);
    return message;
}

static void outcomes(void **state)
{
    (void)state;
    static const struct {
        struct destination_step step;
        const char *text;
        double filtered;
    } rows[] = {
        {{.settled = SETTLED_ALL}, "5 of 5", 2},
        {{.rest = VERDICT_RETRY}, "0 of 5, then retry", 0},
        {{.rest = VERDICT_RETRY, .settled = 1}, "2 of 5, then retry", 1},
        {{.rest = VERDICT_UNKNOWN, .settled = 2}, "4 of 5, then unknown", 2},
        {{.rest = VERDICT_DELIVERED, .settled = 1}, "2 of 5, then delivered", 2},
        {{.settled = SETTLED_ALL, .except = {{1, VERDICT_REJECTED, "too old"}}},
         "5 of 5; 2 rejected: too old",
         2},
        {{.settled = SETTLED_ALL, .except = {{2, VERDICT_RETRY, "busy"}, {3, VERDICT_RETRY, "?"}}},
         "5 of 5; 4 retry: busy",
         2},
        {{.rest = VERDICT_REJECTED, .message = "bad"},
         "0 of 5, then rejected; 1 delivered: left out; 3 delivered: left out",
         2},
        {{.rest = VERDICT_REJECTED, .settled = 2}, "4 of 5, then rejected", 2},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        stage_kit_open(&k, DROP, NULL, 1);
        AUTO(batch_autounref) struct batch *b = five_samples(i % 2 == 1);
        destination_plan(&k.destinations[0], rows[i / 2].step);
        assert_string_equal(stage_kit_deliver(&k, view_all(b), &text), rows[i / 2].text);
        assert_true(stage_kit_saw(&k, 0, "0 2 4", NULL));
        assert_true(stage_kit_metric(&k, FILTERED) == rows[i / 2].filtered);
        stage_kit_close(&k);
    }
}

/* A view that is tried again counts what was left out once; parts of it find their rows. */
static void try_again(bool as_message)
{
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    const uint32_t rest[] = {2, 3, 4};

    stage_kit_open(&k, DROP, NULL, 1);
    AUTO(batch_autounref) struct batch *b = five_samples(as_message);
    destination_plan(&k.destinations[0],
                     (struct destination_step){.rest = VERDICT_RETRY, .settled = 1});
    (void)stage_kit_deliver(&k, view_all(b), &text);
    struct view view = {.batch = b, .rows = rest, .n = 3};
    assert_string_equal(stage_kit_deliver(&k, view, &text), "3 of 3");
    assert_string_equal(stage_kit_deliver(&k, view_slice(view_all(b), 1, 1), &text), "1 of 1");
    assert_true(stage_kit_saw(&k, 0, "0 2 4|2 4", "0 2 4"));
    assert_true(stage_kit_metric(&k, FILTERED) == 3);
    stage_kit_close(&k);
}

static void tried_again(void **state)
{
    (void)state;
    try_again(false);
    try_again(true);
}

/* Keeps what it is shown. */
struct eye {
    struct sink sink;
    struct buf seen;
};

static void print_samples(struct view view, struct buf *out)
{
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(view.batch, &s, &e));
    for (uint32_t i = 0; i < view.n; i++) {
        labels_print(s->series[s->series_of[view_row(view, i)]], out);
        buf_addf(out, " %.0f\n", s->value[view_row(view, i)]);
    }
}

static void print_alerts(struct view view, struct buf *out)
{
    const struct alerts *a = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_alerts(view.batch, &a, &e));
    for (uint32_t i = 0; i < view.n; i++) {
        const struct alert *row = &a->rows[view_row(view, i)];
        labels_print(row->labels, out);
        for (size_t x = 0; x < row->export_count; x++) {
            buf_add_text(out, " + ");
            labels_print(row->exports[x].labels, out);
        }
        buf_add_byte(out, '\n');
    }
}

static void eye_deliver(struct sink *s, struct view view, struct wait wait, struct outcome *ret)
{
    struct eye *eye = (struct eye *)s;

    (void)wait;
    (batch_info(view.batch)->kind == RECORD_ALERT ? print_alerts : print_samples)(view, &eye->seen);
    outcome_settle(ret, view.n);
}

static void eye_close(struct sink *s)
{
    (void)s;
}

static void look(const char *yaml, struct batch *b, const char *expected)
{
    static const struct sink_ops ops = {.deliver = eye_deliver, .close = eye_close};
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct eye eye = {.sink = {&ops}, .seen = BUF_INIT(BUF_SMALL)};
    struct sink *children[] = {&eye.sink};
    struct err e = ERR_INIT;

    stage_kit_open(&k, yaml, NULL, 1);
    const struct exporter_place place = {.env = &k.env, .name = STR("out")};
    const struct stage_config config = {.kind = k.config.kind, .config = k.config.config};
    struct sink *kit = k.sink;
    assert_true(k.config.kind->stage->open(&place, &config, children, &k.sink, &e));
    (void)stage_kit_deliver(&k, view_all(b), &text);
    assert_string_equal(buf_text(&eye.seen), expected);
    sink_close(k.sink);
    k.sink = kit;
    buf_release(&eye.seen);
    stage_kit_close(&k);
}

static void what_is_shown(void **state)
{
    (void)state;
    const char *const series[] = {"up,job=a,x=1", "up,job=b,x=2", "up,job=a,x=1", NULL};
    const struct batch_info info = {.kind = RECORD_ALERT};
    AUTO(batch_autounref) struct batch *samples = stage_kit_samples(series);
    AUTO(batch_autounref) struct batch *edges = kit_alerts(&info);

    AUTO(batch_autounref) struct batch *message = stage_kit_message(samples);
    struct batch *const forms[] = {samples, message};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        look(STAGE "  - { regex: x, action: labeldrop }\n", forms[i],
             "up{job=\"a\"} 0\nup{job=\"b\"} 1\nup{job=\"a\"} 2\n");
        look("type: relabel\nexporter: x\nwrite_relabel_configs:\n"
             "  - { source_labels: [job], regex: b, action: keep }\n",
             forms[i], "up{job=\"b\", x=\"2\"} 1\n");
        look(STAGE "  - { source_labels: [x], regex: '.*', action: drop }\n", forms[i], "");
    }
    look(STAGE "  - { source_labels: [severity], regex: nothing, action: keep }\n", edges, "");
    look(STAGE "  - { regex: 'alertname|cpu', action: labelkeep }\n", edges,
         "{alertname=\"HighCPUUsage\"}\n{alertname=\"HighCPUUsage\"} + {cpu=\"0\"} + {cpu=\"1\"}\n"
         "{alertname=\"HighCPUUsage\"}\n");
}

static void refused(void **state)
{
    (void)state;
    struct export_kit k;

    assert_false(export_kit_start(&k, STAGE "  - { action: kepe }\n"));
    assert_string_equal(k.err.message, "unknown relabel action 'kepe'; did you mean 'keep'?");
    assert_int_equal(k.err.pos.line, 4);
    export_kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes),
        cmocka_unit_test(tried_again),
        cmocka_unit_test(what_is_shown),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
