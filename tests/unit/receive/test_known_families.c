/* What senders say of metrics apart from samples: remembered, said beside samples, let go of. */
#include "receive/known_families.h"

#include "base/clock.h"
#include "wire/pb.h"
#include "wire/remote_write.h"
#include "wire/rw1_metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TYPE = 1, FAMILY = 2, HELP = 4 };

static void add_said(struct buf *out, const char *family, uint64_t type, struct str help)
{
    size_t begun = pb_begin(out, RW1_FIELD_METADATA);

    pb_add_u64(out, TYPE, type);
    pb_add_str(out, FAMILY, str_of(family));
    pb_add_str(out, HELP, help);
    pb_end(out, begun);
}

static void learn(struct known_families *k, const char *family, uint64_t type, const char *help,
                  int64_t now_ns)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);

    add_said(&message, family, type, str_of(help));
    assert_int_equal(known_families_learn(k, buf_str(&message), now_ns), 0);
}

/* A series of one sample; <is_last>: its name stands behind another label. */
static void add_series(struct buf *out, const char *name, bool is_last)
{
    size_t begun = pb_begin(out, 1);

    for (int i = 0; i < 2; i++) {
        size_t label = pb_begin(out, 1);
        pb_add_str(out, 1, (i == 0) == is_last ? STR("A") : STR("__name__"));
        pb_add_str(out, 2, (i == 0) == is_last ? STR("x") : str_of(name));
        pb_end(out, label);
    }
    pb_add_str(out, 2, STR("\x10\x05"));
    pb_end(out, begun);
}

static void assert_said(struct known_families *k, const char *const *names, const char *want)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf said = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct samples s = {0};
    struct err e = ERR_INIT;

    for (size_t i = 0; names[i] != NULL; i++) {
        add_series(&message, names[i], i % 2 == 1);
    }
    known_families_say(k, buf_str(&message), &said);
    buf_add_str(&said, buf_str(&message));
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(rw1_decode(buf_str(&said), RW1_LENIENT, &a, &s, NULL, &e));
    for (uint32_t i = 0; i < s.series_count; i++) {
        const struct series_meta *m = s.meta != NULL ? s.meta[i] : NULL;
        buf_addf(&text, "%d %.*s|", m != NULL ? (int)m->type : -1,
                 STR_FMT(m != NULL ? m->help : STR("")));
        labels_unref(s.series[i]);
    }
    assert_string_equal(buf_text(&text), want);
}

static void learned_and_said(void **state)
{
    static const char *const names[] = {"c_total", "h_bucket", "other", "h_sum", "c_total", NULL};
    struct known_families k = {0};

    (void)state;
    known_families_init(&k, 7);
    assert_false(known_families_any(&k));
    assert_said(&k, names, "-1 |-1 |-1 |-1 |-1 |");
    learn(&k, "c_total", 1, "How many.", 1);
    learn(&k, "h", 3, "", 1);
    learn(&k, "unused", 2, "", 1);
    assert_true(known_families_any(&k));
    assert_said(&k, names, "2 How many.|3 |-1 |3 |2 How many.|");
    learn(&k, "c_total", 2, "Now.", 2);
    assert_said(&k, names, "1 Now.|3 |-1 |3 |1 Now.|");
    known_families_release(&k);
}

static void fill(struct known_families *k, int from, int count, int64_t now_ns, uint32_t left_out)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    char name[16];

    for (int i = from; i < from + count; i++) {
        (void)snprintf(name, sizeof(name), "f%d", i);
        add_said(&message, name, 2, STR(""));
    }
    assert_int_equal(known_families_learn(k, buf_str(&message), now_ns), left_out);
}

static void who_is_not_repeated_makes_room(void **state)
{
    static const char *const names[] = {"f1", "f70000", NULL};
    const int64_t later_ns = NS_PER_S * 60 * (KNOWN_FORGET_MIN + 1);
    struct known_families k = {0};

    (void)state;
    known_families_init(&k, 7);
    fill(&k, 0, SERIES_FAMILIES_MAX, 1, 0);
    fill(&k, 70000, 5, 2, 5); /* nobody has been silent for long */
    assert_said(&k, names, "1 |-1 |");
    fill(&k, 1, 1, later_ns, 0); /* lets go of all, and has this one again */
    fill(&k, 70000, 5, later_ns, 0);
    assert_said(&k, names, "1 |1 |");
    assert_int_equal(k.count, 6);
    known_families_release(&k);
}

static void texts_are_bounded(void **state)
{
    static const char *const names[] = {"a", NULL};
    AUTO(buf_release) struct buf help = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    struct known_families k = {0};
    uint32_t left_out = 0;
    char name[16];

    (void)state;
    known_families_init(&k, 7);
    buf_add_repeat(&help, 'h', SERIES_TEXT_MAX + 1);
    add_said(&message, "a", 1, buf_str(&help));
    assert_int_equal(known_families_learn(&k, buf_str(&message), 1), 0);
    assert_said(&k, names, "2 |"); /* without a help of that length */
    for (int i = 0; i < 2 * KNOWN_BYTES_MAX / SERIES_TEXT_MAX; i++) {
        (void)snprintf(name, sizeof(name), "t%d", i);
        buf_clear(&message);
        add_said(&message, name, 1, str_slice(buf_str(&help), 0, SERIES_TEXT_MAX));
        left_out += known_families_learn(&k, buf_str(&message), 1);
    }
    assert_true(left_out > KNOWN_BYTES_MAX / SERIES_TEXT_MAX);
    assert_int_equal(k.count, 1 + 2 * KNOWN_BYTES_MAX / SERIES_TEXT_MAX - left_out);
    known_families_release(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learned_and_said),
        cmocka_unit_test(who_is_not_repeated_makes_room),
        cmocka_unit_test(texts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
