/* What becomes of rows that two leaves take: each row ends as its own leaf says. */
#include "export/row_split.h"

#include "base/mem.h"
#include "export/outcome_rows.h"
#include "fake/export_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 5 };

struct leaf {
    struct sink sink;
    enum verdict rest;
    uint32_t settled;
    uint32_t rejected; /* index; or UINT32_MAX */
    int64_t retry_after_ms;
    char got[ROWS + 1]; /* the rows of the batch that it was given */
    unsigned closed;
};

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct leaf *l = (struct leaf *)sink;

    (void)wait;
    for (uint32_t i = 0; i < view.n; i++) {
        l->got[i] = (char)('0' + view_row(view, i));
        l->got[i + 1] = '\0';
    }
    ret->rest = l->rest;
    ret->settled = l->rest == VERDICT_DELIVERED ? view.n : l->settled;
    ret->retry_after_ms = l->retry_after_ms;
    ret->requests = 1;
    ret->bytes = 10;
    if (verdict_is_owed(l->rest)) {
        ret->status = 503;
        (void)err_set(&ret->err, ERR_NET, "answered 503");
    }
    if (l->rejected < view.n) {
        outcome_except(ret, l->rejected, VERDICT_REJECTED, "bad");
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    (void)wait;
    (void)e;
    return ((struct leaf *)sink)->settled == 7 ? PROBED_FAILED : PROBED_THERE;
}

static void close_leaf(struct sink *sink)
{
    ((struct leaf *)sink)->closed++;
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_leaf};

static unsigned choose(const struct samples *s, uint32_t series)
{
    return labels_get(s->series[series], STR("to")).len > 0;
}

static struct batch *make(bool has_meta)
{
    static const struct kit_sample samples[ROWS] = {{"a,n=0", KIT_TIME_NS, 0},
                                                    {"a,n=1,to=b", KIT_TIME_NS, 1},
                                                    {"a,n=2", KIT_TIME_NS, 2},
                                                    {"a,n=3,to=b", KIT_TIME_NS, 3},
                                                    {"a,n=4", KIT_TIME_NS, 4}};
    const struct batch_info info = {.origin = STR_INIT("test")};
    struct batch *plain = kit_samples(NULL, &info, samples, ROWS);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(plain, &s, &e));
    if (has_meta) {
        ((struct samples *)(uintptr_t)s)->meta =
            arena_array(batch_arena(plain), const struct series_meta *, ROWS);
    }
    return plain;
}

static void print_fates(const struct outcome *out, uint32_t n, char *text)
{
    static const char letters[VERDICTS] = {[VERDICT_DELIVERED] = 'D',
                                           [VERDICT_REJECTED] = 'J',
                                           [VERDICT_RETRY] = 'R',
                                           [VERDICT_UNKNOWN] = 'U',
                                           [VERDICT_HALT] = 'H'};
    struct fate *fates = outcome_fates(out, n);

    for (uint32_t i = 0; i < n; i++) {
        text[i] = letters[fates[i].verdict];
    }
    text[n] = '\0';
    mem_free(fates);
}

struct row {
    enum verdict rests[2];
    uint32_t settled[2];
    uint32_t rejected[2];
    const char *want;
    enum verdict want_rest;
};

/* The first takes rows 0, 2 and 4. */
static const struct row rows[] = {
    {{VERDICT_DELIVERED, VERDICT_DELIVERED}, {0, 0}, {9, 9}, "DDDDD", VERDICT_DELIVERED},
    {{VERDICT_RETRY, VERDICT_DELIVERED}, {0, 0}, {9, 9}, "RDRDR", VERDICT_RETRY},
    {{VERDICT_DELIVERED, VERDICT_RETRY}, {0, 0}, {9, 9}, "DRDRD", VERDICT_RETRY},
    {{VERDICT_RETRY, VERDICT_RETRY}, {0, 1}, {9, 9}, "RDRRR", VERDICT_RETRY},
    {{VERDICT_HALT, VERDICT_DELIVERED}, {1, 0}, {9, 1}, "DDHJH", VERDICT_HALT},
    {{VERDICT_DELIVERED, VERDICT_UNKNOWN}, {0, 0}, {2, 9}, "DUDUJ", VERDICT_UNKNOWN},
    {{VERDICT_REJECTED, VERDICT_DELIVERED}, {0, 0}, {9, 9}, "JDJDJ", VERDICT_DELIVERED},
    {{VERDICT_HALT, VERDICT_RETRY}, {0, 0}, {9, 9}, "HRHRH", VERDICT_RETRY},
};

static void check(const struct row *row)
{
    struct leaf leaves[2];
    AUTO(batch_autounref) struct batch *b = make(true);
    struct outcome out;
    char got[ROWS + 1];

    for (size_t i = 0; i < 2; i++) {
        leaves[i] = (struct leaf){.sink = {&ops},
                                  .rest = row->rests[i],
                                  .settled = row->settled[i],
                                  .rejected = row->rejected[i],
                                  .retry_after_ms = (int64_t)i * 100};
    }
    struct sink *split =
        row_split_new((struct sink *const[]){&leaves[0].sink, &leaves[1].sink}, choose);
    outcome_init(&out);
    split->ops->deliver(split, view_all(b), (struct wait){0, NULL}, &out);
    print_fates(&out, ROWS, got);
    assert_string_equal(got, row->want);
    assert_int_equal(out.rest, row->want_rest);
    assert_string_equal(leaves[0].got, "024");
    assert_string_equal(leaves[1].got, "13");
    assert_int_equal(out.requests, 2);
    assert_int_equal(out.bytes, 20);
    assert_int_equal(out.retry_after_ms, 100);
    assert_int_equal(out.status, verdict_is_owed(out.rest) ? 503 : 0);
    outcome_release(&out);
    sink_close(split);
    assert_int_equal(leaves[0].closed + leaves[1].closed, 2);
}

static void each_row_ends_as_its_own_leaf_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check(&rows[i]);
    }
}

static void some_rows_and_what_nobody_chooses(void **state)
{
    static const uint32_t some[] = {1, 4};
    struct leaf leaves[2] = {{.sink = {&ops}, .rest = VERDICT_DELIVERED, .rejected = 9},
                             {.sink = {&ops}, .rest = VERDICT_RETRY, .rejected = 9}};
    struct sink *split =
        row_split_new((struct sink *const[]){&leaves[0].sink, &leaves[1].sink}, choose);
    AUTO(batch_autounref) struct batch *b = make(true);
    AUTO(batch_autounref) struct batch *plain = make(false);
    AUTO(outcome_release) struct outcome out;
    struct err e = ERR_INIT;
    char got[ROWS + 1];

    (void)state;
    outcome_init(&out);
    split->ops->deliver(split, (struct view){.batch = b, .rows = some, .n = 2},
                        (struct wait){0, NULL}, &out);
    print_fates(&out, 2, got);
    assert_string_equal(got, "RD");
    outcome_release(&out);
    split->ops->deliver(split, view_all(plain), (struct wait){0, NULL}, &out);
    assert_string_equal(leaves[0].got, "01234");
    assert_int_equal(sink_probe(split, (struct wait){0, NULL}, &e), PROBED_THERE);
    leaves[0].settled = 7;
    assert_int_equal(sink_probe(split, (struct wait){0, NULL}, &e), PROBED_FAILED);
    sink_close(split);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_ends_as_its_own_leaf_says),
        cmocka_unit_test(some_rows_and_what_nobody_chooses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
