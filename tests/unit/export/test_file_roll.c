/* Files one after the other: when they end, what they are called, and that no crash loses or doubles a line. */
#include "export/file_sink.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/number.h"
#include "base/trace.h"
#include "export/exporter_options.h"
#include "export/file_seal.h"
#include "fake/clock.h"
#include "fake/export_kit.h"
#include "fake/simfs.h"
#include "wire/compress.h"
#include "wire/json.h"

#include <errno.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS_MAX = 64, FILES_MAX = 32, NAME_MAX_BYTES = 128 };

#define BEGAN_NS (INT64_C(1705314600) * NS_PER_S) /* 2024-01-15T10:30:00Z */
#define HOUR_NS (3600 * NS_PER_S)

static bool next_lines(const void *config, void *state, struct view view, uint32_t *row,
                       struct buf *lines, struct outcome *out, struct err *e)
{
    const struct samples *s = NULL;

    (void)config;
    (void)state;
    (void)out;
    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    for (; *row < view.n; ++*row) {
        buf_addf(lines, "{\"timestamp\":\"2024-01-15T10:30:%02dZ\",\"row\":%d}\n",
                 (int)s->value[*row] % 60, (int)s->value[*row]);
    }
    return true;
}

static const struct file_exporter exporter = {.next_lines = next_lines};

struct fixture {
    struct simfs *simfs;
    struct fake_clock clock;
    struct env env;
    struct exporter_place place;
    struct exporter_common config;
    struct file_roll_config roll;
    struct sink *sink;
    struct outcome out;
    int given;           /* rows handed over */
    bool kept[ROWS_MAX]; /* rows that were acknowledged */
};

static void init(struct fixture *f, struct file_kind kind)
{
    *f = (struct fixture){.simfs = simfs_new(1)};
    fake_clock_init(&f->clock, BEGAN_NS, NS_PER_S);
    f->env.clock = &f->clock.clock;
    f->place = (struct exporter_place){.env = &f->env, .name = STR("x")};
    f->roll = (struct file_roll_config){.pattern = STR("{name}-{timestamp}"),
                                        .kind = kind,
                                        .pages = PACKING_NONE,
                                        .by_time = true,
                                        .interval_ns = HOUR_NS,
                                        .max_bytes = 100};
    outcome_init(&f->out);
}

static void release(struct fixture *f)
{
    sink_close(f->sink);
    outcome_release(&f->out);
    simfs_free(f->simfs);
}

static bool open_sink(struct fixture *f)
{
    const struct file_target target = {simfs_fs(f->simfs), STR("out"), STR("x"), &f->roll};
    struct err e = ERR_INIT;

    sink_close(f->sink);
    f->sink = NULL;
    return file_sink_open(&exporter, &target, &f->place, &f->config, &f->sink, &e);
}

static void deliver(struct fixture *f, uint32_t rows)
{
    struct kit_sample samples[16];
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    for (uint32_t i = 0; i < rows; i++) {
        samples[i] = (struct kit_sample){"x", KIT_TIME_NS, f->given + (double)i};
    }
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, rows);
    outcome_release(&f->out);
    f->sink->ops->deliver(f->sink, view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &f->out);
    for (uint32_t i = 0; i < f->out.settled; i++) {
        f->kept[f->given + (int)i] = true;
    }
    f->given += (int)rows;
}

static bool flush(struct fixture *f)
{
    struct err e = ERR_INIT;

    return f->sink->ops->flush(f->sink, &e);
}

/* ---- what there is ---- */

struct names {
    size_t count;
    char names[FILES_MAX][NAME_MAX_BYTES];
};

static void note_name(void *arg, const char *name)
{
    struct names *n = arg;

    assert_true(n->count < FILES_MAX);
    (void)snprintf(n->names[n->count++], NAME_MAX_BYTES, "%s", name);
}

static void list(struct fixture *f, struct names *ret)
{
    const struct fs *fs = simfs_fs(f->simfs);

    ret->count = 0;
    assert_int_equal(fs->ops->list(fs, "out", note_name, ret), 0);
}

static bool peek(struct fixture *f, const char *name, struct buf *out)
{
    char path[2 * NAME_MAX_BYTES];

    (void)snprintf(path, sizeof(path), "out/%s", name);
    return simfs_peek(f->simfs, path, out);
}

static void unpack(struct file_kind kind, struct buf *bytes)
{
    struct buf plain = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    if (kind.packing != PACKING_NONE) {
        const struct compression *c =
            kind.packing == PACKING_GZIP ? &compression_gzip : &compression_zstd;
        assert_true(c->unpack(buf_str(bytes), 1 << 20, &plain, &e));
        buf_release(bytes);
        *bytes = plain;
    }
}

/* How often each row stands in the files that others see. */
static void count_rows(struct fixture *f, const struct names *names, int *counts)
{
    for (size_t i = 0; i < names->count; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        if (names->names[i][0] == '.') {
            continue;
        }
        assert_true(peek(f, names->names[i], &bytes));
        unpack(f->roll.kind, &bytes);
        struct str rest = buf_str(&bytes);
        struct str line;
        while (rest.len > 0 && str_split(&rest, '\n', &line)) {
            size_t at = str_find(line, STR("\"row\":")) + 6;
            int64_t row = -1;
            if (f->roll.kind.format == FORMAT_JSONL) {
                struct str number = str_slice(line, at, line.len);
                assert_true(
                    number_parse_i64(str_slice(number, 0, str_find_byte(number, '}')), &row));
                counts[row]++;
            }
        }
    }
}

static void add_sha256(struct str bytes, struct buf *out)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    assert_int_equal(EVP_Digest(bytes.ptr, bytes.len, hash, &len, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < len; i++) {
        buf_addf(out, "%02x", hash[i]);
    }
}

/* Each line of the index is of a file that is there and is as it says; returns how many. */
static size_t check_index(struct fixture *f)
{
    AUTO(buf_release) struct buf index = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct str line;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (!peek(f, ".x.index.jsonl", &index)) {
        return 0;
    }
    struct str rest = buf_str(&index);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf hash = BUF_INIT(BUF_UNLIMITED);
        struct json_node *entry = NULL;
        struct err e = ERR_INIT;
        double size = 0;
        assert_true(json_parse(line, &a, &entry, &e));
        assert_true(peek(f, arena_text(&a, json_get_str(entry, STR("name"))), &bytes));
        assert_true(json_node_double(json_get(entry, STR("bytes")), &size));
        assert_int_equal((size_t)size, bytes.len);
        add_sha256(buf_str(&bytes), &hash);
        assert_true(str_eq(buf_str(&hash), json_get_str(entry, STR("sha256"))));
        count++;
    }
    return count;
}

static size_t visible(const struct names *names)
{
    size_t count = 0;

    for (size_t i = 0; i < names->count; i++) {
        count += names->names[i][0] != '.';
        assert_null(strstr(names->names[i], ".tmp"));
    }
    return count;
}

static bool has(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- tests ---- */

static const struct file_kind plain = {FORMAT_JSONL, PACKING_NONE};

static void a_file_ends_with_the_hour(void **state)
{
    AUTO(buf_release) struct buf index = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf first = BUF_INIT(BUF_UNLIMITED);
    struct fixture f;
    struct names names;

    (void)state;
    init(&f, plain);
    assert_true(open_sink(&f));
    deliver(&f, 2);
    fake_clock_advance_ms(&f.clock, (29 * 60 * NS_PER_S) / NS_PER_MS);
    deliver(&f, 1);
    list(&f, &names);
    assert_int_equal(visible(&names), 0);
    fake_clock_advance_ms(&f.clock, (60 * NS_PER_S) / NS_PER_MS);
    deliver(&f, 1); /* 11:00 */
    list(&f, &names);
    assert_int_equal(visible(&names), 1);
    assert_true(peek(&f, "x-20240115T103000Z.jsonl", &first));
    assert_string_equal(buf_text(&first), "{\"timestamp\":\"2024-01-15T10:30:00Z\",\"row\":0}\n"
                                          "{\"timestamp\":\"2024-01-15T10:30:01Z\",\"row\":1}\n"
                                          "{\"timestamp\":\"2024-01-15T10:30:02Z\",\"row\":2}\n");
    assert_true(peek(&f, ".x.index.jsonl", &index));
    assert_non_null(strstr(buf_text(&index),
                           "{\"name\":\"x-20240115T103000Z.jsonl\",\"format\":\"jsonl\","
                           "\"compression\":\"none\",\"records\":3,\"bytes\":135,\"from\":\"2024-"
                           "01-15T10:30:00Z\",\"to\":\"2024-01-15T10:30:02Z\",\"sha256\":\""));
    assert_true(flush(&f));
    list(&f, &names);
    assert_int_equal(visible(&names), 2);
    assert_int_equal(check_index(&f), 2);
    assert_true(has(&names, "x-20240115T110000Z.jsonl"));
    release(&f);
}

/* Nothing comes: a probe closes and seals. */
static void a_file_ends_in_idleness(void **state)
{
    struct fixture f;
    struct names names;
    struct err e = ERR_INIT;

    (void)state;
    init(&f, plain);
    assert_true(open_sink(&f));
    deliver(&f, 2);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    assert_int_equal(sink_probe(f.sink, (struct wait){DEADLINE_NEVER, NULL}, &e), PROBED_THERE);
    list(&f, &names);
    assert_int_equal(visible(&names), 1);
    release(&f);
}

/* Without health checks the sink says when it wants to be woken, and need not be asked anything else. */
static void a_file_ends_by_the_clock(void **state)
{
    const struct wait wait = {DEADLINE_NEVER, NULL};
    struct fixture f;
    struct names names;

    (void)state;
    init(&f, plain);
    assert_true(open_sink(&f));
    deliver(&f, 2);
    int64_t now_ns = clock_mono_ns(&f.clock.clock);
    assert_int_equal(sink_tend(f.sink, wait), now_ns + 30 * NS_PER_S);
    fake_clock_advance_ms(&f.clock, (HOUR_NS / 2 - 10 * NS_PER_S) / NS_PER_MS); /* 10:59:50 */
    now_ns = clock_mono_ns(&f.clock.clock);
    assert_int_equal(sink_tend(f.sink, wait), now_ns + 10 * NS_PER_S);
    list(&f, &names);
    assert_int_equal(visible(&names), 0);
    fake_clock_advance_ms(&f.clock, 10 * NS_PER_S / NS_PER_MS);
    (void)sink_tend(f.sink, wait);
    list(&f, &names);
    assert_int_equal(visible(&names), 1);
    release(&f);
}

static void a_file_ends_by_size(void **state)
{
    struct fixture f;
    struct names names;
    int counts[ROWS_MAX] = {0};

    (void)state;
    init(&f, plain);
    f.roll.by_time = false;
    f.roll.by_size = true;
    assert_true(open_sink(&f));
    for (int i = 0; i < 7; i++) { /* 46 bytes each: three to a file */
        deliver(&f, 1);
    }
    assert_true(flush(&f));
    list(&f, &names);
    assert_int_equal(visible(&names), 3);
    assert_true(has(&names, "x-20240115T103000Z.jsonl"));
    assert_true(has(&names, "x-20240115T103000Z-1.jsonl"));
    assert_true(has(&names, "x-20240115T103000Z-2.jsonl"));
    count_rows(&f, &names, counts);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(counts[i], 1);
    }
    release(&f);
}

/* A spool goes on after a restart, and keeps when it began. */
static void a_spool_outlives_a_restart(void **state)
{
    struct fixture f;
    struct names names;

    (void)state;
    init(&f, plain);
    assert_true(open_sink(&f));
    deliver(&f, 1);
    fake_clock_advance_ms(&f.clock, (10 * 60 * NS_PER_S) / NS_PER_MS);
    assert_true(open_sink(&f));
    deliver(&f, 1);
    assert_true(flush(&f));
    list(&f, &names);
    assert_true(has(&names, "x-20240115T103000Z.jsonl"));
    assert_int_equal(visible(&names), 1);
    release(&f);
}

/* Somebody else's file of the name, also one that comes while ours is made. */
static void no_file_is_overwritten(void **state)
{
    AUTO(buf_release) struct buf theirs = BUF_INIT(BUF_UNLIMITED);
    struct fixture f;
    struct names names;
    struct err e = ERR_INIT;

    (void)state;
    init(&f, plain);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/x-20240115T103000Z.jsonl", STR("theirs\n"));
    simfs_put(f.simfs, "out/.x.sealing-x-20240115T103000Z-1.jsonl", STR("{\"row\":9}\n"));
    simfs_put(f.simfs, "out/x-20240115T103000Z-1.jsonl", STR("theirs too\n"));
    assert_true(open_sink(&f));
    deliver(&f, 1);
    assert_true(flush(&f));
    list(&f, &names);
    assert_int_equal(visible(&names), 4);
    assert_true(peek(&f, "x-20240115T103000Z.jsonl", &theirs));
    assert_string_equal(buf_text(&theirs), "theirs\n");
    buf_clear(&theirs);
    assert_true(peek(&f, "x-20240115T103000Z-1.jsonl", &theirs));
    assert_string_equal(buf_text(&theirs), "theirs too\n");
    assert_int_equal(check_index(&f), 2);
    release(&f);
}

/* Does a file of the folder that others see hold just <text>? */
static bool is_there(struct fixture *f, const char *text)
{
    struct names names;

    list(f, &names);
    for (size_t i = 0; i < names.count; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        if (names.names[i][0] != '.' && peek(f, names.names[i], &bytes) &&
            strcmp(buf_text(&bytes), text) == 0) {
            return true;
        }
    }
    return false;
}

/* Two exporters complete files of one name at the same time, <ahead> steps apart: each has its own. */
static void complete_together(unsigned ahead)
{
    struct fixture f;
    struct file_seal *seals[2] = {NULL, NULL};
    struct file_seal_config configs[2];
    struct names names;
    struct err e = ERR_INIT;
    bool done[2] = {false, false};

    init(&f, plain);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/.a.sealing-p.jsonl", STR("{\"of\":\"a\"}\n"));
    simfs_put(f.simfs, "out/.b.sealing-p.jsonl", STR("{\"of\":\"b, longer\"}\n"));
    for (unsigned i = 0; i < 2; i++) {
        configs[i] = (struct file_seal_config){
            .fs = simfs_fs(f.simfs), .folder = "out", .hidden = i == 0 ? STR(".a") : STR(".b")};
    }
    for (unsigned step = 0; !done[0] || !done[1]; step++) {
        for (unsigned i = 0; i < 2; i++) {
            bool begins = seals[i] == NULL && step >= i * ahead;
            assert_true(!begins ||
                        file_seal_open(&configs[i], STR("p.jsonl"), false, &seals[i], &e));
            assert_true(seals[i] == NULL || done[i] || file_seal_step(seals[i], &done[i], &e));
        }
        assert_true(step < 100);
    }
    file_seal_close(seals[0]);
    file_seal_close(seals[1]);
    assert_true(is_there(&f, "{\"of\":\"a\"}\n"));
    assert_true(is_there(&f, "{\"of\":\"b, longer\"}\n"));
    list(&f, &names);
    assert_int_equal(visible(&names), 2);
    assert_int_equal(names.count, 4); /* and two indexes */
    release(&f);
}

static void exporters_of_one_folder_keep_their_files(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 6; ahead++) {
        complete_together(ahead);
    }
}

/* Lines that cannot be rows are kept beside the file, whatever call a crash ends. */
static void lines_that_are_no_rows_are_kept(void **state)
{
    static const char spool[] = "{\"row\":1}\n{\"row\":\nnothing\n{\"row\":2}\n";
    bool goes_on = true;

    (void)state;
    for (unsigned at = 1; goes_on; at++) {
        AUTO(buf_release) struct buf kept = BUF_INIT(BUF_UNLIMITED);
        struct fixture f;
        struct names names;
        struct err e = ERR_INIT;
        init(&f, (struct file_kind){FORMAT_CSV, PACKING_NONE});
        assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
        simfs_put(f.simfs, "out/.x.sealing-p.csv", STR(spool));
        simfs_put(f.simfs, "out/p.csv", STR("theirs\n"));
        simfs_stop_at(f.simfs, at);
        (void)(open_sink(&f) && flush(&f));
        goes_on = simfs_is_stopped(f.simfs);
        sink_close(f.sink);
        f.sink = NULL;
        simfs_crash(f.simfs, SIMFS_KEEP_ALL);
        assert_true(open_sink(&f) && flush(&f));
        assert_true(peek(&f, ".x.left_out-p-1.csv.jsonl", &kept));
        assert_string_equal(buf_text(&kept), "{\"row\":\nnothing\n");
        list(&f, &names);
        assert_int_equal(visible(&names), 2);
        assert_false(has(&names, ".x.left_out-p.csv.jsonl"));
        assert_false(has(&names, ".x.making-left_out"));
        assert_false(has(&names, ".x.sealing-p-1.csv"));
        release(&f);
        assert_true(at < 100);
    }
}

/* While the disk is too full to seal, lines are delivered; later the file is made. */
static void a_full_disk_keeps_the_spool(void **state)
{
    struct fixture f;
    struct names names;
    int counts[ROWS_MAX] = {0};

    (void)state;
    init(&f, plain);
    assert_true(open_sink(&f));
    deliver(&f, 10);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    simfs_set_capacity(f.simfs, 460 + 21 + 46 + 200); /* not for a second copy */
    deliver(&f, 1);
    assert_int_equal(f.out.settled, 1);
    list(&f, &names);
    assert_int_equal(visible(&names), 0);
    simfs_set_capacity(f.simfs, 1 << 20);
    deliver(&f, 1); /* too early to try again */
    list(&f, &names);
    assert_int_equal(visible(&names), 0);
    fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
    deliver(&f, 1);
    list(&f, &names);
    assert_int_equal(visible(&names), 1);
    assert_int_equal(check_index(&f), 1);
    count_rows(&f, &names, counts);
    assert_int_equal(counts[9], 1);
    release(&f);
}

/* The spool has its name, and then the folder cannot be synced, or its copy written: it is not forgotten. */
static void a_renamed_spool_is_not_forgotten(void **state)
{
    for (unsigned nth = 1; nth < 12; nth++) {
        struct fixture f;
        struct names names;
        int counts[ROWS_MAX] = {0};
        (void)state;
        init(&f, plain);
        assert_true(open_sink(&f));
        deliver(&f, 1);
        simfs_put(f.simfs, "out/x-20240115T103000Z.jsonl", STR("")); /* comes while ours is made */
        fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
        simfs_fail(f.simfs, SIMFS_CALL_SYNC, nth, 1, EIO);
        deliver(&f, 1);
        for (int i = 0; i < 4; i++) {
            fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
            deliver(&f, 1);
        }
        list(&f, &names);
        count_rows(&f, &names, counts);
        for (int i = 0; i < f.given; i++) {
            assert_true(counts[i] <= 1);
        }
        assert_int_equal(counts[0], 1);
        assert_true(flush(&f));
        list(&f, &names);
        for (size_t i = 0; i < names.count; i++) {
            assert_null(strstr(names.names[i], ".sealing-"));
        }
        count_rows(&f, &names, memset(counts, 0, sizeof(counts)));
        for (int i = 0; i < f.given; i++) {
            assert_true(counts[i] == 1 || !f.kept[i]);
        }
        release(&f);
    }
}

/* Somebody takes the name while ours is made, and then the disk is too full for another try. */
static void a_spool_of_another_name_is_not_forgotten(void **state)
{
    struct fixture f;
    struct file_roll *roll;
    struct trace trace;
    const struct wait now = {DEADLINE_NEVER, NULL};
    struct names names;
    struct err e = ERR_INIT;

    (void)state;
    init(&f, plain);
    trace_init(&trace, NULL, "x", TRACE_ERROR);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/.x.sealing-p.jsonl", STR("{\"row\":9}\n"));
    simfs_put(f.simfs, "out/p.jsonl", STR("theirs\n"));
    roll = file_roll_new(simfs_fs(f.simfs), STR("out"), STR("x"), &f.roll, &f.env, &trace);
    simfs_set_capacity(f.simfs, 10 + 7 + 5);
    assert_false(file_roll_work(roll, now));
    simfs_set_capacity(f.simfs, 1 << 20);
    fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
    assert_true(file_roll_work(roll, now));
    list(&f, &names);
    assert_true(has(&names, "p-1.jsonl"));
    assert_false(has(&names, ".x.sealing-p-1.jsonl"));
    file_roll_free(roll);
    release(&f);
}

/* Another lane seals: its lock is respected, and what it made is not made again. */
static void one_seals_at_a_time(void **state)
{
    struct fixture f;
    struct names names;
    const struct fs *fs;
    int fd = -1;

    (void)state;
    init(&f, plain);
    fs = simfs_fs(f.simfs);
    assert_true(open_sink(&f));
    deliver(&f, 1);
    assert_int_equal(fs->ops->open(fs, "out/.x.sealing", FS_WRITE | FS_CREATE, &fd), 0);
    assert_int_equal(fs->ops->lock(fs, fd), 0);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    deliver(&f, 1);
    list(&f, &names);
    assert_int_equal(visible(&names), 0);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    fake_clock_advance_ms(&f.clock, (2 * NS_PER_S) / NS_PER_MS);
    deliver(&f, 1);
    list(&f, &names);
    assert_int_equal(visible(&names), 1);
    release(&f);
}

/* ---- crashes ---- */

/* Two files and a stop; false once a call was the last. */
static void run(struct fixture *f)
{
    if (!open_sink(f)) {
        return;
    }
    deliver(f, 2);
    deliver(f, 1);
    fake_clock_advance_ms(&f->clock, (HOUR_NS) / NS_PER_MS);
    deliver(f, 3);
    (void)flush(f);
}

/* After the crash: a start, a stop, and all that was acknowledged is there once. */
static void check_after_crash(struct fixture *f, unsigned at)
{
    struct names names;
    int counts[ROWS_MAX] = {0};

    fake_clock_advance_ms(&f->clock, (60 * NS_PER_S) / NS_PER_MS);
    if (!open_sink(f) || !flush(f)) {
        fail_msg("call %u: cannot go on", at);
    }
    list(f, &names);
    count_rows(f, &names, counts);
    for (int i = 0; i < f->given && f->roll.kind.format == FORMAT_JSONL; i++) {
        if (counts[i] > 1 || (f->kept[i] && counts[i] != 1)) {
            fail_msg("call %u: row %d is there %d times", at, i, counts[i]);
        }
    }
    if (check_index(f) != visible(&names)) {
        fail_msg("call %u: the index is not of all files", at);
    }
    for (size_t i = 0; i < names.count; i++) {
        assert_null(strstr(names.names[i], ".sealing-"));
        assert_null(strstr(names.names[i], ".making"));
    }
}

static void crash_everywhere(struct file_kind kind, enum simfs_loss loss)
{
    bool goes_on = true;

    for (unsigned at = 1; goes_on; at++) {
        struct fixture f;
        init(&f, kind);
        simfs_stop_at(f.simfs, at);
        run(&f);
        goes_on = simfs_is_stopped(f.simfs);
        sink_close(f.sink);
        f.sink = NULL;
        simfs_crash(f.simfs, loss);
        check_after_crash(&f, at);
        release(&f);
        assert_true(at < 1000);
    }
}

static const struct file_kind kinds[] = {
    {FORMAT_JSONL, PACKING_NONE}, {FORMAT_JSONL, PACKING_GZIP},   {FORMAT_JSONL, PACKING_ZSTD},
    {FORMAT_CSV, PACKING_NONE},   {FORMAT_PARQUET, PACKING_NONE},
};

/* A kill: what was written stays. */
static void a_kill_at_any_call_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        crash_everywhere(kinds[i], SIMFS_KEEP_ALL);
    }
}

static void a_power_cut_at_any_call_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        crash_everywhere(kinds[i], SIMFS_LOSE_ALL);
        crash_everywhere(kinds[i], SIMFS_BY_CHANCE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_ends_with_the_hour),
        cmocka_unit_test(a_file_ends_in_idleness),
        cmocka_unit_test(a_file_ends_by_the_clock),
        cmocka_unit_test(a_file_ends_by_size),
        cmocka_unit_test(a_spool_outlives_a_restart),
        cmocka_unit_test(no_file_is_overwritten),
        cmocka_unit_test(exporters_of_one_folder_keep_their_files),
        cmocka_unit_test(lines_that_are_no_rows_are_kept),
        cmocka_unit_test(a_full_disk_keeps_the_spool),
        cmocka_unit_test(a_renamed_spool_is_not_forgotten),
        cmocka_unit_test(a_spool_of_another_name_is_not_forgotten),
        cmocka_unit_test(one_seals_at_a_time),
        cmocka_unit_test(a_kill_at_any_call_loses_nothing),
        cmocka_unit_test(a_power_cut_at_any_call_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
