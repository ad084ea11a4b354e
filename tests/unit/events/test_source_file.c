/* A file of lines as a source: what grows, is rotated in every way, packed, cut, lost; and what is no line. */
#include "events/sources/sources.h"

#include "events/sources/value_time.h"
#include "source_kit.h"
#include "wire/compress.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct file_kit {
    struct source_kit k;
    char path[96];
    char other[96]; /* PATH.1 */
};

static struct wait soon(void)
{
    return (struct wait){clock_deadline_ms(clock_system(), 10000), NULL};
}

static void put(const char *path, const char *text, const char *mode)
{
    FILE *f = fopen(path, mode);

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void begin(struct file_kit *f)
{
    source_kit_init(&f->k, false);
    (void)snprintf(f->path, sizeof(f->path), "%s/log", f->k.folder);
    (void)snprintf(f->other, sizeof(f->other), "%s/log.1", f->k.folder);
}

static void open_with(struct file_kit *f, const char *more)
{
    char yaml[256];

    (void)snprintf(yaml, sizeof(yaml), "{ type: file, path: %s%s }", f->path, more);
    source_kit_open(&f->k, &source_file, yaml);
}

/* The documents of what comes next, with spaces between; waits until there is something. */
static void expect_next(struct file_kit *f, const char *expected)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    assert_int_equal(source_kit_next(&f->k, 100, 5000), SOURCED_OK);
    for (size_t i = 0; i < f->k.changes.list.len; i++) {
        const struct change *ch = &f->k.changes.list.items[i];
        buf_addf(&out, "%s%s%.*s", i > 0 ? " " : "",
                 ch->form == CHANGE_BROKEN  ? "!"
                 : ch->form == CHANGE_EVENT ? "*"
                                            : "",
                 STR_FMT(ch->document));
    }
    assert_string_equal(buf_text(&out), expected);
}

static void lines_are_read_as_they_come(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path, "{\"old\":1}\n{\"half", "w");
    open_with(&f, "");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_true(f.k.begun.oldest.len > 0);
    put(f.path, "\":2}\n\n{\"c\":3}\r\n", "a");
    expect_next(&f, "{\"half\":2} {\"c\":3}");
    assert_int_equal(source_kit_next(&f.k, 10, 10), SOURCED_OK);
    assert_int_equal(f.k.changes.list.len, 0);
    source_kit_release(&f.k);
}

static void it_goes_on_where_it_was(void **state)
{
    (void)state;
    struct file_kit f;
    char id[64];

    begin(&f);
    put(f.path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(f.k.begun.oldest.len, 0);
    assert_int_equal(source_kit_next(&f.k, 1, 1000), SOURCED_OK);
    assert_int_equal(f.k.changes.list.len, 1);
    assert_int_equal(source_kit_start(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":2} {\"a\":3}");
    const struct change *ch = &f.k.changes.list.items[0];
    (void)snprintf(id, sizeof(id), "%.*s", STR_FMT(ch->id));
    /* From the beginning again it has the same id. */
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 10, 1000), SOURCED_OK);
    assert_true(str_eq(f.k.changes.list.items[1].id, str_of(id)));
    assert_false(str_eq(f.k.changes.list.items[2].id, str_of(id)));
    source_kit_release(&f.k);
}

static void what_is_no_object_is_broken(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path,
        "{\"a\":1}\nnonsense\n{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\",\"type\":\"t\"}\n"
        "{\"specversion\":\"1.0\"}\n{\"a\":\"\xff\"}\n[1]\n",
        "w");
    open_with(&f, ", follow: false");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    expect_next(
        &f,
        "{\"a\":1} !nonsense *{\"specversion\":\"1.0\",\"id\":\"7\",\"source\":\"/s\",\"type\":\"t\"} "
        "!{\"specversion\":\"1.0\"} !{\"a\":\"\xff\"} ![1]");
    assert_true(str_eq(f.k.changes.list.items[2].id, STR("7")));
    struct str fault = f.k.changes.list.items[3].fault;
    assert_true(str_find(fault, STR("the event has no 'id'")) < fault.len);
    assert_true(str_find(fault, STR("byte 73")) < fault.len);
    assert_int_equal(source_kit_next(&f.k, 10, 100), SOURCED_ENDED);
    source_kit_release(&f.k);
}

static void members_say_more(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path, "{\"i\":17,\"k\":\"node\",\"at\":\"2024-01-15T10:30:00Z\"}\n{\"i\":{}}", "w");
    open_with(&f, ", follow: false, id_field: i, key_field: k, time_field: at");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 10, 100), SOURCED_OK);
    const struct change *ch = &f.k.changes.list.items[0];
    assert_true(str_eq(ch->id, STR("17")) && str_eq(ch->key, STR("node")));
    assert_int_equal(ch->time_ns, INT64_C(1705314600) * NS_PER_S);
    /* A last line without an end counts where nothing follows. */
    assert_int_equal(source_kit_next(&f.k, 10, 100), SOURCED_OK);
    assert_int_equal(f.k.changes.list.len, 1);
    assert_true(f.k.changes.list.items[0].id.len > 10);
    assert_int_equal(source_kit_next(&f.k, 10, 100), SOURCED_ENDED);
    source_kit_release(&f.k);
}

static void a_renamed_file_is_read_to_its_end(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path, "{\"a\":1}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":1}");
    put(f.path, "{\"a\":2}\n", "a");
    assert_int_equal(rename(f.path, f.other), 0);
    put(f.path, "{\"b\":1}\n", "w");
    expect_next(&f, "{\"a\":2}");
    put(f.other, "{\"a\":3}", "a"); /* late, and without an end */
    expect_next(&f, "{\"a\":3}");
    expect_next(&f, "{\"b\":1}");
    source_kit_release(&f.k);
}

static void a_file_renamed_meanwhile_is_found(void **state)
{
    (void)state;
    struct file_kit f;
    char third[100];

    begin(&f);
    (void)snprintf(third, sizeof(third), "%s.2", f.path);
    put(f.path, "{\"a\":1}\n{\"a\":2}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 1, 1000), SOURCED_OK);
    /* It is down while it is rotated twice. */
    assert_int_equal(rename(f.path, third), 0);
    (void)usleep(20 * 1000);
    put(f.other, "{\"b\":1}\n", "w");
    (void)usleep(20 * 1000);
    put(f.path, "{\"c\":1}\n", "w");
    assert_int_equal(source_kit_start(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":2}");
    expect_next(&f, "{\"b\":1}");
    expect_next(&f, "{\"c\":1}");
    source_kit_release(&f.k);
}

static void a_packed_file_is_found(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    struct file_kit f;
    char name[112];

    begin(&f);
    (void)snprintf(name, sizeof(name), "%s.1.gz", f.path);
    put(f.path, "{\"a\":1}\n{\"a\":2}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 1, 1000), SOURCED_OK);
    assert_true(compression_gzip.pack(STR("{\"a\":1}\n{\"a\":2}\n"), &packed, &f.k.err));
    FILE *out = fopen(name, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(packed.ptr, 1, packed.len, out), packed.len);
    assert_int_equal(fclose(out), 0);
    (void)usleep(20 * 1000);
    assert_int_equal(unlink(f.path), 0);
    put(f.path, "{\"b\":1}\n", "w");
    assert_int_equal(source_kit_start(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":2}");
    expect_next(&f, "{\"b\":1}");
    source_kit_release(&f.k);
}

static void a_cut_file_begins_anew(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path, "{\"a\":1}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":1}");
    /* copytruncate, with a line that was not read yet */
    put(f.other, "{\"a\":1}\n{\"a\":2}\n", "w");
    assert_int_equal(truncate(f.path, 0), 0);
    put(f.path, "{\"b\":1}\n", "a");
    expect_next(&f, "{\"a\":2}");
    expect_next(&f, "{\"b\":1}");
    /* cut without a copy, and longer than before */
    assert_int_equal(truncate(f.path, 0), 0);
    put(f.path, "{\"c\":1}\n{\"c\":2}\n", "a");
    expect_next(&f, "{\"c\":1} {\"c\":2}");
    source_kit_release(&f.k);
}

static void what_is_gone_is_said(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    put(f.path, "{\"a\":1}\n", "w");
    open_with(&f, ", start_at: beginning");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    expect_next(&f, "{\"a\":1}");
    put(f.path, "{\"b\":1}\n{\"b\":2}\n", "w");
    assert_int_equal(source_kit_start(&f.k), SOURCED_LOST);
    assert_non_null(strstr(f.k.err.message, "read up to byte 8 is gone"));
    assert_non_null(
        strstr(f.k.err.message, "`telex events skip stream` goes on with what comes now"));
    (void)snprintf(f.k.position, sizeof(f.k.position), "x");
    assert_int_equal(source_kit_start(&f.k), SOURCED_LOST);
    source_kit_release(&f.k);
}

static void a_file_may_come_later(void **state)
{
    (void)state;
    struct file_kit f;

    begin(&f);
    open_with(&f, ", follow: false");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_REFUSED);
    open_with(&f, "");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 10, 10), SOURCED_OK);
    assert_int_equal(source_kit_start(&f.k), SOURCED_OK);
    put(f.path, "{\"a\":1}\n", "w");
    expect_next(&f, "{\"a\":1}");
    source_kit_release(&f.k);
}

static void what_was_there_before_is_a_backfill(void **state)
{
    (void)state;
    struct file_kit f;
    bool done = true;

    begin(&f);
    put(f.path, "{\"t\":1}\n{\"t\":2}\n{\"t\":3000}\n", "w");
    open_with(&f, ", time_field: t");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    put(f.path, "{\"t\":4000}\n", "a");
    struct source_range range = {.end = arena_dup(&f.k.arena, buf_str(&f.k.begun.oldest))};
    assert_int_equal(f.k.source->ops->backfill(f.k.source, &range, STR(""), 2, &f.k.changes, &done,
                                               soon(), &f.k.err),
                     SOURCED_OK);
    assert_true(f.k.changes.list.len == 2 && !done);
    struct str cursor = arena_dup(&f.k.arena, f.k.changes.position);
    assert_int_equal(f.k.source->ops->backfill(f.k.source, &range, cursor, 9, &f.k.changes, &done,
                                               soon(), &f.k.err),
                     SOURCED_OK);
    assert_true(f.k.changes.list.len == 1 && done);
    assert_true(str_eq(f.k.changes.list.items[0].document, STR("{\"t\":3000}")));
    range.newest = 2;
    range.from_ns = 1000 * NS_PER_S;
    assert_int_equal(source_kit_start(&f.k), SOURCED_OK);
    assert_int_equal(f.k.source->ops->backfill(f.k.source, &range, STR(""), 9, &f.k.changes, &done,
                                               soon(), &f.k.err),
                     SOURCED_OK);
    assert_true(f.k.changes.list.len == 1 && done);
    expect_next(&f, "{\"t\":4000}");
    source_kit_release(&f.k);
}

static void a_line_may_be_too_long(void **state)
{
    (void)state;
    struct file_kit f;
    size_t len = 17 << 20;
    char *text = malloc(len + 32);

    begin(&f);
    memset(text, 'x', len);
    (void)snprintf(text + len, 32, "\n{\"a\":1}\n");
    put(f.path, text, "w");
    free(text);
    open_with(&f, ", follow: false");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 10, 5000), SOURCED_OK);
    assert_int_equal(f.k.changes.list.items[0].form, CHANGE_BROKEN);
    assert_int_equal(f.k.changes.list.items[0].document.len, 64 << 10);
    expect_next(&f, "{\"a\":1}");
    source_kit_release(&f.k);
}

static void standard_input_is_read_to_its_end(void **state)
{
    (void)state;
    struct file_kit f;
    int ends[2];
    int kept = dup(STDIN_FILENO);

    begin(&f);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    source_kit_open(&f.k, &source_file, "{ type: file, path: \"-\" }");
    assert_int_equal(source_kit_start_first(&f.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&f.k, 10, 20), SOURCED_OK);
    assert_int_equal(write(ends[1], "{\"a\":1}\n{\"a\"", 12), 12);
    expect_next(&f, "{\"a\":1}");
    assert_int_equal(write(ends[1], ":2}", 3), 3);
    assert_int_equal(close(ends[1]), 0);
    expect_next(&f, "{\"a\":2}");
    assert_int_equal(source_kit_next(&f.k, 10, 1000), SOURCED_ENDED);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    (void)close(kept);
    source_kit_release(&f.k);
}

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_text;
        int64_t ns;
    } cases[] = {
        {"2024-01-15T10:30:00Z", true, INT64_C(1705314600000000000)},
        {"2024-01-15 10:30:00", true, INT64_C(1705314600000000000)},
        {"2024-01-15 10:30:00.5+01:00", true, INT64_C(1705311000500000000)},
        {"1705314600", false, INT64_C(1705314600000000000)},
        {"1705314600.5", false, INT64_C(1705314600500000000)},
        {"1705314600000", false, INT64_C(1705314600000000000)},
        {"1705314600000000", false, INT64_C(1705314600000000000)},
        {"1705314600", true, INT64_C(1705314600000000000)},
        {"yesterday", true, 0},
        {"", true, 0},
        {"2024-01-15 nonsense", true, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(value_time_ns(str_of(cases[i].text), cases[i].is_text), cases[i].ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_they_come),
        cmocka_unit_test(it_goes_on_where_it_was),
        cmocka_unit_test(what_is_no_object_is_broken),
        cmocka_unit_test(members_say_more),
        cmocka_unit_test(a_renamed_file_is_read_to_its_end),
        cmocka_unit_test(a_file_renamed_meanwhile_is_found),
        cmocka_unit_test(a_packed_file_is_found),
        cmocka_unit_test(a_cut_file_begins_anew),
        cmocka_unit_test(what_is_gone_is_said),
        cmocka_unit_test(a_file_may_come_later),
        cmocka_unit_test(what_was_there_before_is_a_backfill),
        cmocka_unit_test(a_line_may_be_too_long),
        cmocka_unit_test(standard_input_is_read_to_its_end),
        cmocka_unit_test(times_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
