/* What is kept of events that were given, who is told, what is read again, and what may go. */
#include "state/event_table.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "db/sqlite.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TEXT = 64, MANY = 300 };

struct kit {
    char folder[32];
    char path[64];
    struct env env;
    struct event_table *table;
    struct event_reader *reader;
};

static struct wait soon(void)
{
    return (struct wait){clock_deadline_ms(clock_system(), 20000), NULL};
}

static void open_table(struct kit *k, const struct event_table_options *limits)
{
    struct event_table_options options = *limits;
    struct err e = ERR_INIT;

    options.path = str_of(k->path);
    assert_true(event_table_open(&k->env, &options, &k->table, &e));
    assert_true(event_reader_open(k->table, &k->reader, &e));
}

static void close_table(struct kit *k)
{
    event_reader_close(TAKE(k->reader));
    event_table_close(TAKE(k->table));
}

static void start(struct kit *k, const struct event_table_options *limits)
{
    *k = (struct kit){.folder = "/tmp/telex-test-XXXXXX",
                      .env = {.clock = clock_system(), .metrics = metrics_new()}};
    assert_non_null(mkdtemp(k->folder));
    (void)snprintf(k->path, sizeof(k->path), "%s/events.db", k->folder);
    open_table(k, limits);
}

static void stop(struct kit *k)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[80];

    close_table(k);
    metrics_free(k->env.metrics);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", k->path, ends[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(k->folder), 0);
}

/* An event called <source>/<id>, with <bytes> of data. */
static struct event make(struct arena *a, const char *source, uint64_t id, size_t bytes)
{
    char *data = arena_alloc(a, bytes + 3);

    memset(data, 'x', bytes + 2);
    data[0] = '"';
    data[bytes + 1] = '"';
    return (struct event){.id = arena_printf(a, "%llu", (unsigned long long)id),
                          .source = str_of(source),
                          .type = STR("test"),
                          .subject = STR(""),
                          .content_type = STR(""),
                          .schema = STR(""),
                          .form = EVENT_DATA_JSON,
                          .data = str_make(data, bytes + 2)};
}

/* Appends events with the ids from <from> on. */
static struct event_appended append(struct event_table *t, uint64_t from, uint32_t count)
{
    AUTO(arena_release) struct arena a;
    struct event_appended ret = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    struct event *rows = arena_array(&a, struct event, count);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = make(&a, "/s", from + i, 100);
    }
    const struct events events = {rows, count};
    bool ok = event_table_append_wait(t, &events, soon(), &ret, &e);
    if (!ok) {
        print_error("%s\n", e.message);
    }
    assert_true(ok);
    return ret;
}

struct seen {
    uint64_t ids[MANY];
    uint64_t seqs[MANY];
    size_t count;
    size_t stop_at;
};

static bool note(void *arg, const struct event_row *row)
{
    struct seen *s = arg;

    assert_true(s->count < MANY);
    s->ids[s->count] = strtoull(row->event->id.ptr, NULL, 10);
    s->seqs[s->count++] = row->seq;
    assert_true(row->at_ns > 0);
    return s->count != s->stop_at;
}

static struct seen read_behind(struct kit *k, uint64_t behind, size_t max, size_t stop_at)
{
    AUTO(arena_release) struct arena a;
    struct seen s = {.stop_at = stop_at};
    const struct event_taker taker = {note, &s};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(event_reader_read(k->reader, behind, max, SIZE_MAX, &a, &taker, &e));
    return s;
}

static struct event_bounds bounds(struct kit *k)
{
    struct event_bounds b = {0};
    struct err e = ERR_INIT;

    assert_true(event_reader_bounds(k->reader, &b, &e));
    return b;
}

static const struct event_table_options no_limits = {0};

static void what_is_appended_is_read_in_order(void **state)
{
    (void)state;
    struct kit k;

    start(&k, &no_limits);
    struct event_bounds b = bounds(&k);
    assert_true(b.first == 0 && b.last == 0);
    struct event_appended got = append(k.table, 10, 5);
    assert_true(got.fresh == 5 && got.known == 0 && got.seq == 5);
    got = append(k.table, 20, 1);
    assert_int_equal(got.seq, 6);
    struct seen s = read_behind(&k, 0, 100, 0);
    assert_int_equal(s.count, 6);
    assert_true(s.ids[0] == 10 && s.ids[5] == 20 && s.seqs[5] == 6);
    s = read_behind(&k, 4, 100, 0);
    assert_true(s.count == 2 && s.ids[0] == 14);
    s = read_behind(&k, 0, 2, 0);
    assert_int_equal(s.count, 2);
    s = read_behind(&k, 0, 100, 3);
    assert_int_equal(s.count, 3);
    b = bounds(&k);
    assert_true(b.first == 1 && b.last == 6 && b.last_ns > 0);
    stop(&k);
}

static bool compare(void *arg, const struct event_row *row)
{
    const struct event *a = arg;
    const struct event *b = row->event;

    assert_true(str_eq(a->id, b->id) && str_eq(a->source, b->source) && str_eq(a->type, b->type));
    assert_true(str_eq(a->subject, b->subject) && str_eq(a->content_type, b->content_type));
    assert_true(str_eq(a->schema, b->schema) && str_eq(a->data, b->data));
    assert_true(a->has_time == b->has_time && a->time_ns == b->time_ns && a->form == b->form);
    assert_int_equal(a->extension_count, b->extension_count);
    for (size_t i = 0; i < a->extension_count; i++) {
        assert_true(str_eq(a->extensions[i].name, b->extensions[i].name));
        assert_true(str_eq(a->extensions[i].text, b->extensions[i].text));
        assert_int_equal(a->extensions[i].integer, b->extensions[i].integer);
    }
    return true;
}

static void every_part_of_an_event_comes_back(void **state)
{
    (void)state;
    static const struct event_extension more[] = {
        {.name = STR_INIT("flag"), .type = EVENT_FLAG, .integer = 1, .text = STR_INIT("")},
        {.name = STR_INIT("partitionkey"), .type = EVENT_TEXT, .text = STR_INIT("k")}};
    struct event ev = {.id = STR("1"),
                       .source = STR("/s"),
                       .type = STR("t"),
                       .subject = STR("sub"),
                       .content_type = STR("text/plain"),
                       .schema = STR("http://x/y"),
                       .has_time = true,
                       .time_ns = 42,
                       .extensions = more,
                       .extension_count = 2,
                       .form = EVENT_DATA_BYTES,
                       .data = str_make("a\0b", 3)};
    const struct events events = {&ev, 1};
    const struct event_taker taker = {compare, &ev};
    AUTO(arena_release) struct arena a;
    struct event_appended ret;
    struct err e = ERR_INIT;
    struct kit k;

    arena_init(&a, ARENA_UNLIMITED);
    start(&k, &no_limits);
    assert_true(event_table_append_wait(k.table, &events, soon(), &ret, &e));
    assert_true(event_reader_read(k.reader, 0, 1, SIZE_MAX, &a, &taker, &e));
    stop(&k);
}

static void the_same_event_is_kept_once(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct event_appended got;
    struct err e = ERR_INIT;
    struct kit k;

    arena_init(&a, ARENA_UNLIMITED);
    start(&k, &no_limits);
    (void)append(k.table, 1, 3);
    got = append(k.table, 2, 4); /* two of them known */
    assert_true(got.fresh == 2 && got.known == 2 && got.seq == 5);
    struct event rows[] = {make(&a, "/t", 1, 1), make(&a, "/t", 1, 9), make(&a, "/s", 1, 1)};
    const struct events events = {rows, 3};
    assert_true(event_table_append_wait(k.table, &events, soon(), &got, &e));
    assert_true(got.fresh == 1 && got.known == 2); /* another source; twice in one batch */
    close_table(&k);
    open_table(&k, &no_limits);
    got = append(k.table, 1, 3);
    assert_true(got.fresh == 0 && got.known == 3 && got.seq == 0);
    assert_int_equal(bounds(&k).last, 6);
    stop(&k);
}

/* Until the first row is <first>. */
static void wait_first(struct kit *k, uint64_t first)
{
    for (int i = 0; i < 1000 && bounds(k).first != first; i++) {
        (void)usleep(20 * 1000);
    }
    assert_int_equal(bounds(k).first, first);
}

/* So many that marks are written, and read again after a restart; those of removed rows go in the end. */
static void many_are_known_again(void **state)
{
    (void)state;
    enum { BATCH = 20000, BATCHES = 30 };
    struct err e = ERR_INIT;
    struct db *db = NULL;
    struct db_query *q = NULL;
    bool has_row = false;
    struct kit k;

    start(&k, &no_limits);
    for (uint64_t i = 0; i < BATCHES; i++) {
        assert_int_equal(append(k.table, i * BATCH, BATCH).fresh, BATCH);
    }
    for (int round = 0; round < 2; round++) {
        assert_int_equal(append(k.table, 0, 100).known, 100);
        assert_int_equal(append(k.table, BATCH * (BATCHES - 1), 100).known, 100);
        assert_int_equal(append(k.table, BATCH * BATCHES + (uint64_t)round, 1).fresh, 1);
        close_table(&k);
        open_table(&k, &no_limits);
    }
    event_table_limit(k.table, &(struct event_table_options){.max_rows = 100});
    wait_first(&k, BATCH * BATCHES + 2 - 99);
    assert_true(db_open(k.path, DB_SYNC_NORMAL, &db, &e));
    assert_true(db_prepare(db, "SELECT count(*) FROM marks", &q, &e) && db_step(q, &has_row, &e));
    assert_in_range(db_i64(q, 0), 1, 300000);
    db_query_free(q);
    db_close(db);
    assert_int_equal(append(k.table, BATCH * BATCHES - 50, 50).known, 50);
    assert_int_equal(append(k.table, 0, 50).fresh, 50);
    stop(&k);
}

/* ---- many at once ---- */

struct giver {
    struct thread thread;
    struct event_table *table;
    uint64_t first;
    uint64_t fresh;
};

static void give_many(void *arg)
{
    struct giver *g = arg;

    for (uint64_t i = 0; i < 50; i++) {
        g->fresh += append(g->table, g->first + i, 2).fresh;
    }
}

static void many_append_at_once(void **state)
{
    (void)state;
    struct giver givers[8] = {0};
    struct err e = ERR_INIT;
    uint64_t fresh = 0;
    struct kit k;

    start(&k, &no_limits);
    for (size_t i = 0; i < ARRAY_LEN(givers); i++) {
        givers[i].table = k.table;
        givers[i].first = (i / 2) * 1000; /* two give the same */
        assert_true(thread_start(&givers[i].thread, "giver", give_many, &givers[i], &e));
    }
    for (size_t i = 0; i < ARRAY_LEN(givers); i++) {
        thread_join(&givers[i].thread);
        fresh += givers[i].fresh;
    }
    assert_int_equal(fresh, 4 * 51);
    struct seen s = read_behind(&k, 0, MANY, 0);
    assert_int_equal(s.count, 4 * 51);
    for (size_t i = 0; i < s.count; i++) {
        assert_int_equal(s.seqs[i], i + 1);
    }
    stop(&k);
}

static void append_later(void *arg)
{
    struct kit *k = arg;

    (void)usleep(50 * 1000);
    (void)append(k->table, 1, 1);
}

static void readers_are_woken(void **state)
{
    (void)state;
    struct thread giver = {0};
    struct err e = ERR_INIT;
    struct kit k;

    start(&k, &no_limits);
    assert_false(event_reader_wait(k.reader, 0, (struct wait){0, NULL}));
    assert_true(thread_start(&giver, "giver", append_later, &k, &e));
    assert_true(event_reader_wait(k.reader, 0, soon()));
    thread_join(&giver);
    assert_false(
        event_reader_wait(k.reader, 1, (struct wait){clock_deadline_ms(clock_system(), 20), NULL}));
    stop(&k);
}

/* ---- other processes ---- */

static void append_as_guest(const char *path, uint64_t first, int count, int out)
{
    struct env env = {.clock = clock_system()};
    const struct event_table_options options = {.path = str_of(path), .is_guest = true};
    struct event_table *t = NULL;
    struct err e = ERR_INIT;

    if (!event_table_open(&env, &options, &t, &e)) {
        _exit(1);
    }
    for (int i = 0; count == 0 || i < count; i++) {
        uint64_t id = first + (uint64_t)i;
        (void)append(t, id, 1);
        if (out >= 0 && write(out, &id, sizeof(id)) != sizeof(id)) {
            _exit(2);
        }
    }
    event_table_close(t);
    _exit(0);
}

static void another_process_may_append(void **state)
{
    (void)state;
    int status = 0;
    struct kit k;

    start(&k, &no_limits);
    (void)append(k.table, 1, 1);
    close_table(&k);
    pid_t child = fork();
    if (child == 0) {
        (void)usleep(100 * 1000);
        append_as_guest(k.path, 2, 3, -1);
    }
    open_table(&k, &no_limits);
    assert_true(event_reader_wait(k.reader, 1, soon()));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(append(k.table, 3, 5).fresh, 3); /* 3 and 4 are the child's */
    struct seen s = read_behind(&k, 0, 100, 0);
    assert_true(s.count == 7 && s.ids[6] == 7);
    stop(&k);
}

struct sought {
    uint64_t id;
    bool is_there;
};

static bool seek(void *arg, const struct event_row *row)
{
    struct sought *s = arg;

    s->is_there = s->is_there || strtoull(row->event->id.ptr, NULL, 10) == s->id;
    return true;
}

static bool has_event(struct kit *k, uint64_t id)
{
    AUTO(arena_release) struct arena a;
    struct sought s = {id, false};
    const struct event_taker taker = {seek, &s};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(event_reader_read(k->reader, 0, SIZE_MAX / 2, SIZE_MAX, &a, &taker, &e));
    return s.is_there;
}

/* Kills a child that appends, behind its <count>th acknowledgement; the last id that it was told of. */
static uint64_t kill_appender(const struct kit *k, uint64_t first, int count)
{
    uint64_t last = 0;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        append_as_guest(k->path, first, 0, ends[1]);
    }
    (void)close(ends[1]);
    for (int i = 0; i < count; i++) {
        assert_int_equal(read(ends[0], &last, sizeof(last)), sizeof(last));
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (uint64_t id = 0; read(ends[0], &id, sizeof(id)) == sizeof(id);) {
        last = id;
    }
    (void)close(ends[0]);
    return last;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    (void)state;
    struct kit k;

    start(&k, &no_limits);
    for (uint64_t round = 0; round < 5; round++) {
        close_table(&k);
        uint64_t first = 1000000 * round;
        uint64_t last = kill_appender(&k, first, 5 + (int)round * 7);
        open_table(&k, &no_limits);
        for (uint64_t id = first; id <= last; id++) {
            assert_true(has_event(&k, id));
        }
    }
    stop(&k);
}

/* ---- what goes ---- */

static void the_oldest_go(void **state)
{
    (void)state;
    struct kit k;

    start(&k, &(struct event_table_options){.max_rows = 50});
    (void)append(k.table, 0, 6000);
    wait_first(&k, 5951);
    assert_int_equal(bounds(&k).last, 6000);
    event_table_limit(k.table, &(struct event_table_options){.max_age_ns = 1});
    (void)usleep(1100 * 1000);
    (void)append(k.table, 0, 1);
    wait_first(&k, bounds(&k).last); /* the newest stays */
    assert_int_equal(append(k.table, 0, 2).seq, 6002);
    stop(&k);
}

static void what_is_needed_stays(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct event_appended got;
    struct err e = ERR_INIT;
    struct kit k;

    arena_init(&a, ARENA_UNLIMITED);
    start(&k, &(struct event_table_options){.max_rows = 100});
    assert_true(event_table_need(k.table, STR("s1"), 10, soon(), &e));
    (void)append(k.table, 0, 6000);
    wait_first(&k, 11);
    for (int i = 0; i < 500 && event_table_has_room(k.table, &e); i++) {
        (void)usleep(20 * 1000);
    }
    struct event ev = make(&a, "/s", 99999, 1);
    const struct events events = {&ev, 1};
    e = ERR_INIT;
    assert_false(event_table_append_wait(k.table, &events, soon(), &got, &e));
    assert_int_equal(e.code, ERR_FULL);
    assert_non_null(strstr(e.message, "'s1' has still 5990 of 5990"));
    /* A restart knows it too. */
    close_table(&k);
    open_table(&k, &(struct event_table_options){.max_rows = 100});
    (void)usleep(100 * 1000);
    assert_int_equal(bounds(&k).first, 11);
    event_table_done(k.table, STR("s1"), 5950);
    event_table_done(k.table, STR("s1"), 20); /* never back */
    wait_first(&k, 5901);
    assert_int_equal(append(k.table, 99999, 1).fresh, 1);
    stop(&k);
}

static void who_is_forgotten_holds_nothing_up(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct kit k;

    start(&k, &(struct event_table_options){.max_rows = 10});
    assert_true(event_table_need(k.table, STR("a"), 0, soon(), &e));
    assert_true(event_table_need(k.table, STR("b"), 5, soon(), &e));
    (void)append(k.table, 0, 20);
    assert_true(event_table_forget(k.table, STR("a"), soon(), &e));
    assert_true(event_table_forget(k.table, STR("nobody"), soon(), &e));
    wait_first(&k, 6);
    assert_true(event_table_forget(k.table, STR("b"), soon(), &e));
    wait_first(&k, 11);
    /* Back again, and further back than before. */
    assert_true(event_table_need(k.table, STR("b"), 15, soon(), &e));
    assert_true(event_table_need(k.table, STR("b"), 12, soon(), &e));
    (void)append(k.table, 100, 20);
    wait_first(&k, 13);
    stop(&k);
}

static void rows_are_found_by_time(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    uint64_t seq = 0;
    struct kit k;

    start(&k, &no_limits);
    assert_true(event_reader_find(k.reader, 1, &seq, &e));
    assert_int_equal(seq, 1);
    (void)append(k.table, 0, 100);
    (void)usleep(2000);
    int64_t between_ns = clock_wall_ns(clock_system());
    (void)usleep(2000);
    (void)append(k.table, 100, 100);
    assert_true(event_reader_find(k.reader, between_ns, &seq, &e));
    assert_int_equal(seq, 101);
    assert_true(event_reader_find(k.reader, 0, &seq, &e));
    assert_int_equal(seq, 1);
    assert_true(event_reader_find(k.reader, INT64_MAX, &seq, &e));
    assert_int_equal(seq, 201);
    stop(&k);
}

static void a_file_has_a_name(void **state)
{
    (void)state;
    char first[TEXT];
    struct err e = ERR_INIT;
    struct db *db = NULL;
    struct kit k;

    start(&k, &no_limits);
    (void)snprintf(first, sizeof(first), "%.*s", STR_FMT(event_table_identity(k.table)));
    assert_int_equal(strlen(first), 32);
    close_table(&k);
    open_table(&k, &no_limits);
    assert_string_equal(first, event_table_identity(k.table).ptr);
    close_table(&k);
    assert_true(db_open(k.path, DB_SYNC_NORMAL, &db, &e));
    assert_true(db_exec(db, "PRAGMA user_version = 99", &e));
    const struct event_table_options options = {.path = str_of(k.path)};
    assert_false(event_table_open(&k.env, &options, &k.table, &e));
    assert_non_null(strstr(e.message, "newer version"));
    assert_true(db_exec(db, "PRAGMA user_version = 1", &e));
    db_close(db);
    k.table = NULL;
    stop(&k);
}

/* ---- what cannot be written ---- */

static void who_cannot_be_served_is_told(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct event_appended got;
    struct err e = ERR_INIT;
    struct db *db = NULL;
    struct kit k;

    arena_init(&a, ARENA_UNLIMITED);
    start(&k, &no_limits);
    assert_true(db_open(k.path, DB_SYNC_NORMAL, &db, &e));
    assert_true(db_exec(db, "DROP TABLE events", &e));
    struct event ev = make(&a, "/s", 1, 1);
    const struct events events = {&ev, 1};
    assert_false(event_table_append_wait(k.table, &events, soon(), &got, &e));
    assert_int_equal(e.code, ERR_IO);
    db_close(db);
    stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_is_read_in_order),
        cmocka_unit_test(every_part_of_an_event_comes_back),
        cmocka_unit_test(the_same_event_is_kept_once),
        cmocka_unit_test(many_are_known_again),
        cmocka_unit_test(many_append_at_once),
        cmocka_unit_test(readers_are_woken),
        cmocka_unit_test(another_process_may_append),
        cmocka_unit_test(what_was_acknowledged_survives_a_kill),
        cmocka_unit_test(the_oldest_go),
        cmocka_unit_test(what_is_needed_stays),
        cmocka_unit_test(who_is_forgotten_holds_nothing_up),
        cmocka_unit_test(rows_are_found_by_time),
        cmocka_unit_test(a_file_has_a_name),
        cmocka_unit_test(who_cannot_be_served_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
