#include "file_roll_bench.h"

#include "base/number.h"
#include "export/spool_lines.h"
#include "fake/export_kit.h"
#include "wire/compress.h"
#include "wire/json.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

/* ---- lines that refer to others ---- */

static bool next_short_lines(const void *config, void *state, struct view view, uint32_t *row,
                             struct buf *lines, struct outcome *out, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};

    (void)config;
    (void)out;
    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    for (; *row < view.n; ++*row) {
        spool_lines_add(state, &objects, *row, 0, lines);
    }
    return true;
}

static void *open_state(const struct exporter_place *place, const void *config)
{
    (void)place;
    (void)config;
    return spool_lines_new(SPOOL_LINES_BYTES);
}

static void close_state(void *state)
{
    spool_lines_free(state);
}

static void begin_lines(void *state, uint64_t spool, int64_t at)
{
    spool_lines_begin(state, spool, at);
}

static int64_t end_lines(void *state, bool is_there)
{
    return spool_lines_end(state, is_there);
}

static const struct file_exporter short_exporter = {.next_lines = next_short_lines,
                                                    .begin_lines = begin_lines,
                                                    .end_lines = end_lines,
                                                    .open_state = open_state,
                                                    .close_state = close_state};

void roll_init(struct roll_fixture *f, struct file_kind kind)
{
    *f = (struct roll_fixture){.simfs = simfs_new(1)};
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

void roll_release(struct roll_fixture *f)
{
    sink_close(f->sink);
    outcome_release(&f->out);
    simfs_free(f->simfs);
}

bool roll_open_sink(struct roll_fixture *f)
{
    const struct file_target target = {simfs_fs(f->simfs), STR("out"), STR("x"), &f->roll};
    struct err e = ERR_INIT;

    sink_close(f->sink);
    f->sink = NULL;
    return file_sink_open(f->shortens ? &short_exporter : &exporter, &target, &f->place, &f->config,
                          &f->sink, &e);
}

void roll_deliver(struct roll_fixture *f, uint32_t rows)
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

bool roll_flush(struct roll_fixture *f)
{
    struct err e = ERR_INIT;

    return f->sink->ops->flush(f->sink, &e);
}

/* ---- what there is ---- */

static void note_name(void *arg, const char *name)
{
    struct roll_names *n = arg;

    assert_true(n->count < FILES_MAX);
    (void)snprintf(n->names[n->count++], NAME_MAX_BYTES, "%s", name);
}

void roll_list(struct roll_fixture *f, struct roll_names *ret)
{
    const struct fs *fs = simfs_fs(f->simfs);

    ret->count = 0;
    assert_int_equal(fs->ops->list(fs, "out", note_name, ret), 0);
}

bool roll_peek(struct roll_fixture *f, const char *name, struct buf *out)
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

/* The number of the row that a line of a file is. */
static bool row_of(const struct roll_fixture *f, struct str line, int64_t *ret)
{
    struct str key = f->shortens ? STR("\"value\":") : STR("\"row\":");
    struct str number = str_trim(line);
    size_t at = str_find(line, key);

    if (f->roll.kind.format == FORMAT_JSONL) {
        assert_true(at < line.len);
        number = str_slice(line, at + key.len, line.len);
        number = str_slice(number, 0, str_find_byte(number, '}'));
    } else {
        while (str_find_byte(number, ',') < number.len) { /* the last column */
            number = str_slice(number, str_find_byte(number, ',') + 1, number.len);
        }
    }
    return number_parse_i64(number, ret);
}

/* Are the files such that rows can be counted? */
bool roll_is_countable(const struct roll_fixture *f)
{
    return f->roll.kind.format == FORMAT_JSONL ||
           (f->roll.kind.format == FORMAT_CSV && f->shortens);
}

/* How often each row stands in the files that others see. */
void roll_count_rows(struct roll_fixture *f, const struct roll_names *names, int *counts)
{
    for (size_t i = 0; i < names->count; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        if (names->names[i][0] == '.') {
            continue;
        }
        assert_true(roll_peek(f, names->names[i], &bytes));
        unpack(f->roll.kind, &bytes);
        struct str rest = buf_str(&bytes);
        struct str line;
        while (rest.len > 0 && str_split(&rest, '\n', &line)) {
            int64_t row = -1;
            if (roll_is_countable(f) && row_of(f, line, &row)) {
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
size_t roll_check_index(struct roll_fixture *f)
{
    AUTO(buf_release) struct buf index = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct str line;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (!roll_peek(f, ".x.index.jsonl", &index)) {
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
        assert_true(roll_peek(f, arena_text(&a, json_get_str(entry, STR("name"))), &bytes));
        assert_true(json_node_double(json_get(entry, STR("bytes")), &size));
        assert_int_equal((size_t)size, bytes.len);
        add_sha256(buf_str(&bytes), &hash);
        assert_true(str_eq(buf_str(&hash), json_get_str(entry, STR("sha256"))));
        count++;
    }
    return count;
}

size_t roll_visible(const struct roll_names *names)
{
    size_t count = 0;

    for (size_t i = 0; i < names->count; i++) {
        count += names->names[i][0] != '.';
        assert_null(strstr(names->names[i], ".tmp"));
    }
    return count;
}

bool roll_has(const struct roll_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}
