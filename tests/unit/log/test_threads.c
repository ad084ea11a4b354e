/*
 * Many appenders and readers at once, on a real file system: order, completeness, and that appenders share syncs.
 */
#include "kit.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { APPENDERS = 12, READERS = 3, EACH = 60, TOTAL = APPENDERS * EACH };

struct shared {
    struct kit k;
    uint64_t masks[READERS];
    _Atomic uint64_t next_number;
    _Atomic int failures;
};

struct reading {
    struct shared *s;
    size_t which;
    bool seen[TOTAL + 1];
    unsigned count;
};

static void append_many(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < EACH; i++) {
        uint64_t number = atomic_fetch_add(&s->next_number, 1);
        uint64_t seq = 0;
        uint64_t mask = s->masks[0] | s->masks[1] | s->masks[2];
        if (!kit_append(&s->k, number, mask, &seq) || log_durable_seq(s->k.log) < seq) {
            atomic_fetch_add(&s->failures, 1);
        }
    }
}

/* One that keeps up, one that is slow, one that begins anew again and again. */
static void read_many(void *arg)
{
    struct reading *x = arg;
    struct log *l = x->s->k.log;
    unsigned bit = (unsigned)__builtin_ctzll(x->s->masks[x->which]);
    struct log_reader *r = log_reader_new(l, 0, x->s->masks[x->which]);
    struct err e = ERR_INIT;

    while (x->count < TOTAL) {
        const struct log_frame *f = NULL;
        if (!log_reader_next(r, kit_ms(20000), &f, &e) || f == NULL) {
            atomic_fetch_add(&x->s->failures, 1);
            break;
        }
        char want[KIT_PAYLOAD_MAX];
        uint64_t number = f->flags;
        bool good = kit_payload(number, want) == f->payload.len &&
                    memcmp(want, f->payload.ptr, f->payload.len) == 0 && !x->seen[number];
        atomic_fetch_add(&x->s->failures, !good);
        x->seen[number] = true;
        x->count++;
        log_cursor_set(l, bit, f->seq);
        log_frame_drop(f);
        if (x->which == 1 && x->count % 8 == 0) {
            (void)wait_sleep(kit_ms(1));
        }
        if (x->which == 2 && x->count % 50 == 0) {
            log_reader_free(r);
            r = log_reader_new(l, log_cursor_get(l, bit) + 1, x->s->masks[2]);
        }
    }
    log_reader_free(r);
}

struct wanted {
    const char *name;
    double value;
};

static void visit(void *arg, const struct metrics_sample *s)
{
    struct wanted *w = arg;

    if (strcmp(s->name, w->name) == 0) {
        w->value = s->value;
    }
}

static double value_of(struct kit *k, const char *name)
{
    struct wanted w = {name, -1};

    metrics_walk(k->metrics, visit, &w);
    return w.value;
}

static void remove_file(void *arg, const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
    (void)unlink(path);
}

static void run_all(struct shared *s)
{
    static struct reading readings[READERS];
    struct thread appenders[APPENDERS] = {0};
    struct thread readers[READERS] = {0};
    struct err e = ERR_INIT;

    memset(readings, 0, sizeof(readings));
    for (size_t i = 0; i < READERS; i++) {
        readings[i] = (struct reading){.s = s, .which = i};
        assert_true(thread_start(&readers[i], "reader", read_many, &readings[i], &e));
    }
    for (size_t i = 0; i < APPENDERS; i++) {
        assert_true(thread_start(&appenders[i], "appender", append_many, s, &e));
    }
    for (size_t i = 0; i < APPENDERS; i++) {
        thread_join(&appenders[i]);
    }
    for (size_t i = 0; i < READERS; i++) {
        thread_join(&readers[i]);
        assert_int_equal(readings[i].count, TOTAL);
    }
    assert_int_equal(atomic_load(&s->failures), 0);
}

static void policy(enum log_sync sync, bool real)
{
    static const char *const names[READERS] = {"eager", "slow", "restless"};
    struct shared s = {.next_number = 1};
    char folder[] = "/tmp/telex-log-XXXXXX";

    kit_init(&s.k, 1);
    assert_non_null(mkdtemp(folder));
    s.k.options.fs = real ? fs_system() : s.k.options.fs;
    s.k.options.path = real ? str_of(folder) : s.k.options.path;
    s.k.options.sync = sync;
    s.k.options.segment_bytes = 20000;
    s.k.options.memory_bytes = 20000;
    kit_open(&s.k);
    for (size_t i = 0; i < READERS; i++) {
        s.masks[i] = UINT64_C(1) << kit_consumer(&s.k, names[i]);
    }
    run_all(&s);
    if (real && sync == LOG_SYNC_ALWAYS) {
        assert_true(value_of(&s.k, "telex_log_syncs_total") * 2 < TOTAL);
    }
    kit_close(&s.k);
    (void)fs_system()->ops->list(fs_system(), folder, remove_file, folder);
    assert_int_equal(rmdir(folder), 0);
    kit_release(&s.k);
}

static void always_on_a_real_disk(void **state)
{
    (void)state;
    policy(LOG_SYNC_ALWAYS, true);
}

static void interval_on_a_real_disk(void **state)
{
    (void)state;
    policy(LOG_SYNC_INTERVAL, true);
}

static void never_in_memory(void **state)
{
    (void)state;
    policy(LOG_SYNC_NEVER, false);
}

/* Appenders that give up while the writer is at work leave nothing behind. */
struct impatient {
    struct shared *s;
    _Atomic unsigned acked;
};

static void append_impatiently(void *arg)
{
    struct impatient *x = arg;
    char bytes[64] = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    struct log_record record = {.mask = x->s->masks[0], .parts = &part, .part_count = 1};
    struct err e = ERR_INIT;
    uint64_t seq;

    for (int i = 0; i < 300; i++) {
        if (log_append(x->s->k.log, &record, kit_ms(i % 3), &seq, &e)) {
            atomic_fetch_add(&x->acked, 1);
        }
    }
}

static void impatience_is_harmless(void **state)
{
    (void)state;
    struct shared s = {.next_number = 1};
    struct impatient x = {.s = &s};
    struct thread threads[4] = {0};
    struct err e = ERR_INIT;

    kit_init(&s.k, 1);
    s.k.options.memory_bytes = 2000;
    kit_open(&s.k);
    s.masks[0] = UINT64_C(1) << kit_consumer(&s.k, "a");
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_true(thread_start(&threads[i], "impatient", append_impatiently, &x, &e));
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        thread_join(&threads[i]);
    }
    kit_close(&s.k);
    kit_open(&s.k);
    assert_true(s.k.report.frames >= atomic_load(&x.acked));
    assert_true(s.k.report.frames <= 1200);
    kit_release(&s.k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(always_on_a_real_disk),
        cmocka_unit_test(interval_on_a_real_disk),
        cmocka_unit_test(never_in_memory),
        cmocka_unit_test(impatience_is_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
