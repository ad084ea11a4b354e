/* Positions: where rows stand, holes, and what is believed. */
#include "export/positions.h"

#include "fake/export_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct position at(uint64_t seq, uint32_t row)
{
    return (struct position){.seq = seq, .row = row, .time_ns = (int64_t)seq * 10};
}

static void test_rows_stand_in_frames(void **state)
{
    const struct kit_sample samples[] = {{"a", 1, 1}, {"b", 1, 2}, {"c", 1, 3}, {"d", 1, 4}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    const struct frame_part parts[] = {{0, 7, 70}, {3, 9, 90}};
    const uint32_t moved[] = {1, 2, 3, 5};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, ARRAY_LEN(samples));
    struct position p;

    (void)state;
    assert_false(position_of_row(b, 0, &p));
    struct frame_parts all = {.items = parts, .count = ARRAY_LEN(parts)};
    batch_set_parts(b, &all, 4);
    assert_true(position_of_row(b, 2, &p));
    assert_true(p.seq == 7 && p.row == 2 && p.time_ns == 70);
    assert_true(position_of_row(b, 3, &p));
    assert_true(p.seq == 9 && p.row == 0 && p.time_ns == 90);
    all.rows = moved;
    batch_set_parts(b, &all, 4);
    assert_true(position_of_row(b, 1, &p));
    assert_true(p.seq == 7 && p.row == 2);
    assert_true(position_of_row(b, 3, &p));
    assert_true(p.seq == 9 && p.row == 2);
}

static void test_holes(void **state)
{
    static const struct str bad[] = {STR_INIT("1"), STR_INIT("1:2"), STR_INIT("1:3-2"),
                                     STR_INIT("x:1-2"), STR_INIT("1-2:3")};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct holes h = {0};
    struct holes back = {0};
    struct err e = ERR_INIT;
    const struct position from = at(4, 6);

    (void)state;
    const struct position rows[] = {at(4, 6), at(4, 2), at(4, 3), at(9, 0), at(4, 7), at(4, 2)};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        holes_add(&h, &rows[i]);
    }
    holes_sort(&h);
    holes_print(&h, &text);
    assert_string_equal(buf_text(&text), "4:2-4,4:6-8,9:0-1");
    assert_true(holes_parse(buf_str(&text), &back, &e));
    for (uint32_t row = 0; row < 10; row++) {
        const struct position p = at(4, row);
        assert_int_equal(holes_have(&back, &p), row == 2 || row == 3 || row == 6 || row == 7);
    }
    holes_release(&h);
    holes_add_behind(&h, &back, &from);
    buf_clear(&text);
    holes_print(&h, &text);
    assert_string_equal(buf_text(&text), "4:6-8,9:0-1");
    holes_release(&h);
    holes_release(&back);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(holes_parse(bad[i], &back, &e));
    }
    assert_true(holes_parse(STR(""), &back, &e));
    assert_int_equal(back.list.len, 0);
}

static bool holds_frame_5(void *arg, uint64_t seq, int64_t time_ns)
{
    (void)arg;
    return seq == 5 && time_ns == 50;
}

static void test_cover(void **state)
{
    const struct lane_place lane = {.lanes = 2, .index = 1, .holds = holds_frame_5};
    struct positions p = {0};
    const struct position before = at(5, 2);
    const struct position hole = at(5, 1);
    const struct position behind = at(5, 3);

    (void)state;
    struct lane_position *own = positions_own(&p, &lane);
    own->at = at(5, 3);
    holes_add(&own->holes, &hole);
    const struct lane_place other = {.lanes = 2, .index = 0};
    const struct lane_place more = {.lanes = 3, .index = 0};
    const uint64_t odd = 3;
    const uint64_t even = 4;
    assert_false(positions_cover(&p, &lane, &before, NULL));
    positions_believe(&p, &lane);
    assert_true(positions_cover(&p, &lane, &before, NULL));
    assert_false(positions_cover(&p, &other, &before, &odd));
    assert_true(positions_cover(&p, &more, &before, &odd));
    assert_false(positions_cover(&p, &more, &before, &even));
    assert_false(positions_cover(&p, &more, &before, NULL));
    assert_false(positions_cover(&p, &lane, &hole, NULL));
    assert_false(positions_cover(&p, &lane, &behind, NULL));
    positions_own(&p, &lane)->at.time_ns = 51; /* the same number, another frame */
    positions_believe(&p, &lane);
    assert_false(positions_cover(&p, &lane, &before, NULL));
    positions_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_stand_in_frames),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_cover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
