/*
 * What consumers owe, against a model that remembers every frame: exact while frames are in memory and for whole segments,
 * never too low anywhere, 0 exactly when there is nothing.
 */
#include "kit.h"

#include "fake/clock.h"
#include "log/frame.h"

enum { BITS = 3, FRAMES_MAX = 4000 };

struct model {
    struct kit k;
    struct fake_clock clock;
    struct rng rng; /* the log's own is its writer's */
    struct {
        uint64_t mask;
        int64_t bytes;
        int64_t time_ns;
    } frames[FRAMES_MAX + 1]; /* by sequence number */
    uint64_t last_seq;
    uint64_t cursor[BITS];
};

struct truth {
    uint64_t count;
    int64_t bytes;
    int64_t oldest_ns;
};

static struct truth truth_of(const struct model *m, unsigned bit)
{
    struct truth t = {0};

    for (uint64_t seq = m->cursor[bit] + 1; seq <= m->last_seq; seq++) {
        if (m->frames[seq].mask >> bit & 1) {
            t.count++;
            t.bytes += m->frames[seq].bytes;
            t.oldest_ns = t.oldest_ns == 0 ? m->frames[seq].time_ns : t.oldest_ns;
        }
    }
    return t;
}

static void model_init(struct model *m, int64_t memory_bytes, int64_t segment_bytes)
{
    memset(m, 0, sizeof(*m));
    kit_init(&m->k, 5);
    rng_seed(&m->rng, 6);
    fake_clock_init(&m->clock, NS_PER_S, NS_PER_S);
    m->k.env.clock = &m->clock.clock;
    m->k.options.memory_bytes = memory_bytes;
    m->k.options.segment_bytes = segment_bytes;
    kit_open(&m->k);
    for (unsigned bit = 0; bit < BITS; bit++) {
        char name[] = {(char)('a' + bit), '\0'};
        assert_int_equal(kit_consumer(&m->k, name), bit);
    }
}

static void add(struct model *m, uint64_t mask)
{
    char payload[KIT_PAYLOAD_MAX];
    uint64_t seq = 0;

    fake_clock_advance_ms(&m->clock, 7);
    assert_true(kit_append(&m->k, m->last_seq + 1, mask, &seq));
    assert_int_equal(seq, ++m->last_seq);
    m->frames[seq].mask = mask;
    m->frames[seq].bytes = frame_bytes((uint32_t)kit_payload(seq, payload));
    m->frames[seq].time_ns = clock_wall_ns(&m->clock.clock);
}

static void move(struct model *m, unsigned bit, uint64_t seq)
{
    m->cursor[bit] = seq > m->cursor[bit] ? seq : m->cursor[bit];
    log_cursor_set(m->k.log, bit, seq);
}

static void expect_exact(const struct model *m, unsigned bit)
{
    struct truth want = truth_of(m, bit);

    assert_int_equal(log_pending(m->k.log, bit), want.count);
    assert_int_equal(log_owed_bytes(m->k.log, bit), want.bytes);
    assert_int_equal(log_oldest_ns(m->k.log, bit), want.oldest_ns);
}

static void expect_bound(const struct model *m, unsigned bit, int64_t slack_bytes)
{
    struct truth want = truth_of(m, bit);

    if (want.count == 0) {
        expect_exact(m, bit);
        return;
    }
    int64_t bytes = log_owed_bytes(m->k.log, bit);
    assert_true(log_pending(m->k.log, bit) >= want.count);
    assert_true(bytes >= want.bytes && bytes <= want.bytes + slack_bytes);
    assert_true(log_oldest_ns(m->k.log, bit) <= want.oldest_ns);
    assert_true(log_oldest_ns(m->k.log, bit) > 0);
}

/* Appends and cursor moves by chance; after each, all bits are looked at. */
static void walk(struct model *m, int frames, void (*look)(const struct model *, unsigned))
{
    for (int i = 0; i < frames; i++) {
        add(m, rng_below(&m->rng, 8));
        if (rng_below(&m->rng, 4) == 0) {
            unsigned bit = (unsigned)rng_below(&m->rng, BITS);
            uint64_t left = m->last_seq - m->cursor[bit];
            move(m, bit, m->cursor[bit] + rng_below(&m->rng, left / (bit + 1) + 1));
        }
        for (unsigned bit = 0; bit < BITS; bit++) {
            look(m, bit);
        }
    }
}

static void what_is_in_memory_is_exact(void **state)
{
    (void)state;
    static struct model m;

    model_init(&m, 0, 5000);
    walk(&m, 1500, expect_exact);
    kit_release(&m.k);
}

static void look_loosely(const struct model *m, unsigned bit)
{
    expect_bound(m, bit, m->k.options.segment_bytes);
}

static void who_is_behind_never_seems_to_owe_less(void **state)
{
    (void)state;
    static struct model m;

    model_init(&m, 4000, 6000);
    walk(&m, 1500, look_loosely);
    for (unsigned bit = 0; bit < BITS; bit++) {
        move(&m, bit, m.last_seq);
        expect_exact(&m, bit);
    }
    add(&m, 7);
    expect_exact(&m, 1);
    kit_release(&m.k);
}

/* A large segment: marks bound the error. */
static void marks_bound_the_error(void **state)
{
    (void)state;
    static struct model m;
    static char payload[64 * 1024];
    struct iovec part = {payload, sizeof(payload)};
    struct log_record record = {.type = 7, .mask = 3, .parts = &part, .part_count = 1};
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    model_init(&m, 100000, 0);
    for (uint64_t i = 1; i <= 40; i++) {
        fake_clock_advance_ms(&m.clock, 1000);
        assert_true(log_append(m.k.log, &record, kit_forever, &seq, &e));
        m.frames[seq].mask = 3;
        m.frames[seq].bytes = frame_bytes(sizeof(payload));
        m.frames[seq].time_ns = clock_wall_ns(&m.clock.clock);
        m.last_seq = seq;
    }
    for (uint64_t i = 1; i <= 40; i++) {
        move(&m, 1, i);
        expect_bound(&m, 1, (int64_t)256 * 1024 + frame_bytes(sizeof(payload)));
        struct truth want = truth_of(&m, 1);
        assert_true(want.oldest_ns - log_oldest_ns(m.k.log, 1) <= 6 * NS_PER_S);
    }
    kit_release(&m.k);
}

/* Wherever the cursors stand when it is opened, sealed or scanned, the first count is exact. */
static void the_start_is_exact(void **state)
{
    (void)state;
    static struct model m;

    for (int crash = 0; crash < 2; crash++) {
        model_init(&m, 0, 3000 + crash * 4000);
        walk(&m, 200, expect_exact);
        kit_close(&m.k);
        if (crash) {
            simfs_crash(m.k.sim, SIMFS_LOSE_ALL);
        }
        kit_open(&m.k);
        for (unsigned bit = 0; bit < BITS; bit++) {
            expect_exact(&m, bit);
        }
        for (uint64_t seq = m.cursor[0]; seq <= m.last_seq; seq++) {
            move(&m, 0, seq);
            expect_bound(&m, 0, m.k.options.segment_bytes);
        }
        kit_release(&m.k);
    }
}

static void sealed_segments_say_it_after_a_restart(void **state)
{
    (void)state;
    static struct model m;

    model_init(&m, 0, 3000);
    walk(&m, 300, expect_exact);
    kit_close(&m.k);
    kit_open(&m.k);
    assert_int_equal(m.k.report.segments_scanned, 0);
    for (unsigned bit = 0; bit < BITS; bit++) {
        expect_bound(&m, bit, m.k.options.segment_bytes);
    }
    for (int i = 0; i < 50; i++) {
        add(&m, 4); /* whoever has done with the old ones is exact again */
        move(&m, 1, m.last_seq);
        expect_exact(&m, 1);
        expect_bound(&m, 2, m.k.options.segment_bytes);
    }
    kit_release(&m.k);
}

/* Nothing was done: every segment is whole, all is exact. */
static void a_restart_at_the_front_is_exact(void **state)
{
    (void)state;
    static struct model m;

    model_init(&m, 0, 3000);
    for (int i = 0; i < 200; i++) {
        add(&m, rng_below(&m.rng, 8));
    }
    for (int crash = 0; crash < 2; crash++) {
        kit_close(&m.k);
        if (crash > 0) {
            simfs_crash(m.k.sim, SIMFS_LOSE_ALL);
        }
        kit_open(&m.k);
        for (unsigned bit = 0; bit < BITS; bit++) {
            expect_exact(&m, bit);
        }
    }
    kit_release(&m.k);
}

static void withdrawn_frames_are_not_owed(void **state)
{
    (void)state;
    static struct model m;
    char payload[] = "x";
    struct iovec part = {payload, 1};
    struct log_record record = {.type = 7, .mask = 1, .parts = &part, .part_count = 1};
    struct err e = ERR_INIT;
    uint64_t seq;

    model_init(&m, 0, 0);
    add(&m, 3);
    simfs_set_read_only(m.k.sim, true);
    assert_false(log_append(m.k.log, &record, kit_ms(30), &seq, &e));
    assert_false(log_append(m.k.log, &record, kit_ms(5), &seq, &e));
    expect_exact(&m, 0);
    move(&m, 0, 1);
    expect_exact(&m, 0);
    simfs_set_read_only(m.k.sim, false);
    kit_release(&m.k);
}

/* Sums that are damaged, or were never written, make a bound of the whole segment. */
static void lost_sums_are_done_without(void **state)
{
    (void)state;
    static struct model m;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    static const char path[] = "/log/0000000000000001.segment";

    model_init(&m, 0, 0);
    for (int i = 0; i < 20; i++) {
        add(&m, 5);
    }
    move(&m, 0, 20);
    kit_close(&m.k);
    assert_true(simfs_peek(m.k.sim, path, &bytes));
    bytes.ptr[bytes.len - FOOTER_BYTES - 5] ^= 1;
    simfs_put(m.k.sim, path, buf_str(&bytes));
    kit_open(&m.k);
    assert_int_equal(m.k.report.segments_scanned, 0);
    assert_int_equal(m.k.report.damaged_ranges, 0);
    expect_exact(&m, 0);
    expect_exact(&m, 1);
    expect_bound(&m, 2, (int64_t)bytes.len);
    assert_int_equal(log_pending(m.k.log, 2), 20);
    kit_release(&m.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_memory_is_exact),
        cmocka_unit_test(who_is_behind_never_seems_to_owe_less),
        cmocka_unit_test(marks_bound_the_error),
        cmocka_unit_test(the_start_is_exact),
        cmocka_unit_test(sealed_segments_say_it_after_a_restart),
        cmocka_unit_test(a_restart_at_the_front_is_exact),
        cmocka_unit_test(withdrawn_frames_are_not_owed),
        cmocka_unit_test(lost_sums_are_done_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
