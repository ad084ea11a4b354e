/*
 * The power is cut at each call that changes the file system, and what was not synced is lost, kept, or arrives in pieces
 * and in any order. Whatever happens: the log opens again, every acknowledged frame that its consumer was not done with is
 * there, in order, and nothing is there that was not appended.
 */
#include "kit.h"

#include "base/mem.h"

#include <stdio.h>

enum { APPENDS = 24, CONSUMERS = 2 };

/* What the outside knows of a run. */
struct known {
    uint64_t acked_seq[APPENDS + 1]; /* by number; 0: not acknowledged */
    uint64_t mask_of[APPENDS + 1];
    uint64_t attempted;         /* numbers up to here may exist */
    uint64_t cursor[CONSUMERS]; /* as set */
    uint64_t last_seq;          /* highest acknowledged */
};

/* Appends one frame, without waiting for a file system that is no more. */
static bool append_unless_stopped(struct kit *k, uint64_t number, uint64_t mask, uint64_t *ret_seq)
{
    char payload[KIT_PAYLOAD_MAX];
    size_t length = kit_payload(number, payload);
    struct iovec part = {payload, length};
    struct log_record record = {
        .type = 7, .flags = (uint16_t)number, .mask = mask, .parts = &part, .part_count = 1};
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    while (!log_append_async(k->log, &record, kit_ms(1), &seq, &e)) {
        if (simfs_is_stopped(k->sim)) {
            return false;
        }
    }
    while (!log_wait_durable(k->log, seq, kit_ms(1), &e)) {
        if (simfs_is_stopped(k->sim)) {
            return false;
        }
    }
    *ret_seq = seq;
    return true;
}

/* A consumer whose registration may be cut off. */
static bool add_consumers(struct kit *k, uint64_t *ret_masks)
{
    static const char *const names[CONSUMERS] = {"fast", "slow"};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < CONSUMERS; i++) {
        unsigned bit = 0;
        if (!log_consumer_add(k->log, str_of(names[i]), &bit, &e)) {
            return false;
        }
        ret_masks[i] = UINT64_C(1) << bit;
    }
    return true;
}

/* The consumer is done with frame <number>. */
static void move_cursor(struct kit *k, struct known *known, const uint64_t *masks, size_t which,
                        uint64_t number)
{
    known->cursor[which] = known->acked_seq[number];
    log_cursor_set(k->log, (unsigned)__builtin_ctzll(masks[which]), known->cursor[which]);
}

/* Appends from <from> on, both consumers moving; stops when the power is cut or <to> is done. */
static void work(struct kit *k, struct known *known, const uint64_t *masks, uint64_t from,
                 uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        uint64_t seq = 0;
        known->mask_of[n] = n % 3 == 0 ? masks[0] : n % 3 == 1 ? masks[1] : masks[0] | masks[1];
        known->attempted = n;
        if (!append_unless_stopped(k, n, known->mask_of[n], &seq)) {
            return;
        }
        known->acked_seq[n] = seq;
        known->last_seq = seq;
        if (n % 4 == 0) {
            move_cursor(k, known, masks, 0, n - 3);
        }
        if (n == APPENDS / 2 + 2) {
            move_cursor(k, known, masks, 1, 5);
        }
    }
}

static bool open_quietly(struct kit *k)
{
    struct err e = ERR_INIT;

    return log_open(&k->options, &k->log, &k->report, &e);
}

/* Two runs of the program with a stop in between, as far as the file system lets them come. */
static void scenario(struct kit *k, struct known *known)
{
    uint64_t masks[CONSUMERS] = {0};

    if (!open_quietly(k)) {
        return;
    }
    if (add_consumers(k, masks)) {
        work(k, known, masks, 1, APPENDS / 2);
    }
    kit_close(k);
    if (!simfs_is_stopped(k->sim) && open_quietly(k)) {
        work(k, known, masks, APPENDS / 2 + 1, APPENDS);
        kit_close(k);
    }
}

static void check_consumer(struct kit *k, const struct known *known, uint64_t mask,
                           uint64_t cursor_set)
{
    static struct kit_numbers got;
    size_t at = 0;
    uint64_t last = 0;
    uint64_t cursor = log_cursor_get(k->log, (unsigned)__builtin_ctzll(mask));

    assert_true(cursor <= cursor_set || known->last_seq < cursor);
    kit_read_all(k, mask, &got);
    for (size_t i = 0; i < got.len; i++) {
        assert_true(got.items[i] > last && got.items[i] <= known->attempted);
        assert_true((known->mask_of[got.items[i]] & mask) != 0);
        last = got.items[i];
    }
    for (uint64_t n = 1; n <= known->attempted; n++) {
        while (at < got.len && got.items[at] < n) {
            at++;
        }
        bool there = at < got.len && got.items[at] == n;
        bool concerned = known->acked_seq[n] > 0 && (known->mask_of[n] & mask) != 0;
        if (concerned && !there && known->acked_seq[n] > cursor_set) {
            fail_msg("frame %d was acknowledged and is gone", (int)n);
        }
        if (concerned && !there && known->acked_seq[n] > cursor) {
            fail_msg("frame %d was removed before the cursor was synced", (int)n);
        }
    }
}

static void check(struct kit *k, const struct known *known)
{
    uint64_t masks[CONSUMERS] = {0};
    uint64_t seq = 0;

    kit_open(k);
    assert_true(add_consumers(k, masks));
    for (size_t i = 0; i < CONSUMERS; i++) {
        check_consumer(k, known, masks[i], known->cursor[i]);
    }
    assert_true(kit_append(k, 500, masks[0], &seq));
    assert_true(seq > known->last_seq); /* numbers never go back */
    kit_close(k);
    kit_open(k);
    assert_int_equal(k->report.segments_scanned, 0);
}

/* One run that stops at change <stop>; false when it came to its end before. */
static bool run(uint64_t seed, unsigned stop, enum simfs_loss loss)
{
    struct kit k;
    struct known known = {0};

    kit_init(&k, seed);
    k.options.segment_bytes = 1500;
    k.options.memory_bytes = 4000;
    simfs_stop_at(k.sim, stop);
    scenario(&k, &known);
    bool stopped = simfs_is_stopped(k.sim);
    simfs_crash(k.sim, loss);
    check(&k, &known);
    kit_release(&k);
    return stopped;
}

static void every_call(enum simfs_loss loss, uint64_t seeds)
{
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        unsigned stop = 1;
        while (run(seed * 1000 + stop, stop, loss)) {
            stop++;
        }
        assert_true(stop > 40);
    }
}

static void all_unsynced_is_lost(void **state)
{
    (void)state;
    every_call(SIMFS_LOSE_ALL, 1);
}

static void all_unsynced_is_kept(void **state)
{
    (void)state;
    every_call(SIMFS_KEEP_ALL, 1);
}

static void unsynced_is_torn_and_reordered(void **state)
{
    (void)state;
    every_call(SIMFS_BY_CHANCE, 5);
}

/* A sync fails somewhere, and later the power is cut: nothing that was acknowledged before or after is lost. */
static void failed_syncs_lose_nothing(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 40; nth++) {
        struct kit k;
        struct known known = {0};
        uint64_t masks[CONSUMERS] = {0};
        kit_init(&k, nth);
        k.options.segment_bytes = 1500;
        kit_open(&k);
        assert_true(add_consumers(&k, masks));
        simfs_fail(k.sim, SIMFS_CALL_SYNC, nth, 1 + nth % 2, 5);
        work(&k, &known, masks, 1, APPENDS);
        assert_true(known.acked_seq[APPENDS] > 0);
        simfs_stop_at(k.sim, 1);
        kit_close(&k);
        simfs_crash(k.sim, SIMFS_LOSE_ALL);
        check(&k, &known);
        kit_release(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_unsynced_is_lost),
        cmocka_unit_test(all_unsynced_is_kept),
        cmocka_unit_test(unsynced_is_torn_and_reordered),
        cmocka_unit_test(failed_syncs_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
