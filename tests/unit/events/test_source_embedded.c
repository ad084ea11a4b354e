/* Our own table as a source: where it begins, what it gives, what it keeps, and when it stops. */
#include "events/sources/sources.h"

#include "source_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct wait soon(void)
{
    return (struct wait){clock_deadline_ms(clock_system(), 10000), NULL};
}

/* Appends events with the ids from <from> on, whose data are their ids. */
static void append(struct source_kit *k, int from, int count)
{
    struct event_appended ret;

    for (int i = from; i < from + count; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%d", i);
        const struct event ev = {.id = str_of(id),
                                 .source = STR("/s"),
                                 .type = STR("t"),
                                 .subject = STR("sub"),
                                 .form = EVENT_DATA_JSON,
                                 .data = str_of(id)};
        const struct events events = {&ev, 1};
        assert_true(event_table_append_wait(k->table, &events, soon(), &ret, &k->err));
    }
}

static void begin(struct source_kit *k)
{
    source_kit_init(k, true);
    source_kit_open(k, &source_embedded, "type: embedded\n");
}

static void it_gives_what_comes(void **state)
{
    (void)state;
    struct source_kit k;

    begin(&k);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    assert_string_equal(k.position, "0");
    assert_int_equal(k.begun.oldest.len, 0);
    append(&k, 10, 3);
    assert_int_equal(source_kit_next(&k, 2, 1000), SOURCED_OK);
    source_kit_expect(&k, "10@1:event 10 11@2:event 11");
    const struct change *ch = &k.changes.list.items[0];
    assert_true(str_eq(ch->key, STR("sub")) && str_eq(ch->sequence, STR("00000000000000000001")));
    assert_true(ch->time_ns > 0);
    assert_int_equal(source_kit_next(&k, 2, 1000), SOURCED_OK);
    source_kit_expect(&k, "12@3:event 12");
    assert_int_equal(source_kit_next(&k, 2, 10), SOURCED_OK);
    source_kit_expect(&k, "");
    source_kit_release(&k);
}

static void it_goes_on_where_it_was(void **state)
{
    (void)state;
    struct source_kit k;

    begin(&k);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    append(&k, 1, 4);
    assert_int_equal(source_kit_next(&k, 2, 1000), SOURCED_OK);
    source_kit_open(&k, &source_embedded, "type: embedded\n");
    assert_int_equal(source_kit_start(&k), SOURCED_OK);
    assert_string_equal(k.position, "2");
    assert_int_equal(source_kit_next(&k, 10, 1000), SOURCED_OK);
    source_kit_expect(&k, "3@3:event 3 4@4:event 4");
    struct source_measures m = {.behind = -1};
    append(&k, 5, 2);
    k.source->ops->measure(k.source, &m, soon());
    assert_true(m.behind == 2 && m.head_ns > 0);
    source_kit_release(&k);
}

static void backfill(struct source_kit *k, const struct source_range *range, const char *cursor,
                     size_t max, bool is_done)
{
    bool done = false;

    assert_int_equal(k->source->ops->backfill(k->source, range, str_of(cursor), max, &k->changes,
                                              &done, soon(), &k->err),
                     SOURCED_OK);
    assert_int_equal(done, is_done);
}

static void what_was_there_before_is_a_backfill(void **state)
{
    (void)state;
    struct source_kit k;

    begin(&k);
    append(&k, 1, 5);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    assert_string_equal(k.position, "5");
    assert_string_equal(buf_text(&k.begun.oldest), "5");
    append(&k, 6, 2);
    struct source_range range = {.end = STR("5")};
    backfill(&k, &range, "", 2, false);
    source_kit_expect(&k, "1@1:event 1 2@2:event 2");
    assert_int_equal(k.source->ops->backfill_left(k.source, &range, STR("2"), soon()), 3);
    backfill(&k, &range, "2", 10, true);
    source_kit_expect(&k, "3@3:event 3 4@4:event 4 5@5:event 5");
    range.newest = 2;
    backfill(&k, &range, "", 10, true);
    source_kit_expect(&k, "4@4:event 4 5@5:event 5");
    range.from_ns = clock_wall_ns(clock_system()) + NS_PER_S;
    backfill(&k, &range, "", 10, true);
    source_kit_expect(&k, "");
    assert_int_equal(k.source->ops->backfill_left(k.source, &range, STR(""), soon()), 0);
    source_kit_release(&k);
}

static void what_is_not_acknowledged_stays(void **state)
{
    (void)state;
    struct source_kit k;
    uint64_t seq = 99;

    begin(&k);
    append(&k, 1, 5);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    assert_true(event_table_needs(k.table, STR("stream"), &seq));
    assert_int_equal(seq, 0);
    append(&k, 6, 2);
    const struct source_range range = {.end = STR("5")};
    backfill(&k, &range, "2", 1, false);
    k.source->ops->ack(k.source, STR("7"));
    assert_true(event_table_needs(k.table, STR("stream"), &seq));
    assert_int_equal(seq, 0); /* what was read is not yet safe */
    k.source->ops->ack_backfill(k.source, STR("2"), false);
    assert_true(event_table_needs(k.table, STR("stream"), &seq));
    assert_int_equal(seq, 2); /* the backfill's */
    backfill(&k, &range, "4", 5, true);
    assert_true(event_table_needs(k.table, STR("stream"), &seq));
    assert_int_equal(seq, 2);
    k.source->ops->ack_backfill(k.source, STR("5"), true);
    assert_true(event_table_needs(k.table, STR("stream"), &seq));
    assert_int_equal(seq, 7);
    assert_true(event_table_forget(k.table, STR("stream"), soon(), &k.err));
    assert_false(event_table_needs(k.table, STR("stream"), &seq));
    source_kit_release(&k);
}

static void what_is_gone_is_said(void **state)
{
    (void)state;
    struct source_kit k;

    begin(&k);
    append(&k, 1, 3);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    (void)snprintf(k.position, sizeof(k.position), "9");
    assert_int_equal(source_kit_start(&k), SOURCED_LOST);
    assert_non_null(strstr(k.err.message, "older copy"));
    (void)snprintf(k.position, sizeof(k.position), "nine");
    assert_int_equal(source_kit_start(&k), SOURCED_LOST);
    /* Somebody removed rows that a position of long ago would still need. */
    assert_true(event_table_forget(k.table, STR("stream"), soon(), &k.err));
    event_table_limit(k.table, &(struct event_table_options){.max_rows = 1});
    for (int i = 0; i < 500; i++) {
        (void)usleep(20 * 1000);
        (void)snprintf(k.position, sizeof(k.position), "1");
        if (source_kit_start(&k) == SOURCED_LOST) {
            break;
        }
        assert_true(event_table_forget(k.table, STR("stream"), soon(), &k.err));
    }
    assert_non_null(strstr(k.err.message, "events 2 to 2 were removed"));
    /* Another table: that is for who compares. */
    (void)snprintf(k.identity, sizeof(k.identity), "table 0");
    assert_int_equal(source_kit_start(&k), SOURCED_OK);
    assert_string_not_equal(k.identity, "table 0");
    source_kit_release(&k);
}

/* Rows that a backfill had still to give are gone: that is no end of it. */
static void a_backfill_that_lost_rows_says_so(void **state)
{
    (void)state;
    struct source_kit k;
    const struct source_range range = {.end = STR("5")};
    const struct source_range newest = {.end = STR("5"), .newest = 1};
    enum sourced answer = SOURCED_OK;
    bool done = false;

    begin(&k);
    append(&k, 1, 6);
    assert_int_equal(source_kit_start_first(&k), SOURCED_OK);
    backfill(&k, &range, "2", 2, false);
    assert_true(event_table_forget(k.table, STR("stream"), soon(), &k.err));
    event_table_limit(k.table, &(struct event_table_options){.max_rows = 2});
    for (int i = 0; i < 500 && answer == SOURCED_OK; i++) {
        (void)usleep(20 * 1000);
        answer = k.source->ops->backfill(k.source, &range, STR("2"), 2, &k.changes, &done, soon(),
                                         &k.err);
    }
    assert_int_equal(answer, SOURCED_LOST);
    assert_non_null(strstr(k.err.message, "events 3 to 4 of the backfill were removed"));
    backfill(&k, &range, "4", 2, true);  /* it had given those */
    backfill(&k, &newest, "2", 2, true); /* these it was never to give */
    source_kit_release(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_what_comes),
        cmocka_unit_test(it_goes_on_where_it_was),
        cmocka_unit_test(what_was_there_before_is_a_backfill),
        cmocka_unit_test(what_is_not_acknowledged_stays),
        cmocka_unit_test(what_is_gone_is_said),
        cmocka_unit_test(a_backfill_that_lost_rows_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
