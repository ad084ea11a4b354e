/*
 * What outsiders can make too large: each limit is an error with its own code, and what is just
 * below it is fine, on a stack as small as those of the program's threads.
 */
#include "promql/promql.h"

#include "base/attr.h"
#include "base/thread.h"
#include "fake/promql_tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void repeat(struct buf *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, text);
    }
}

static enum err_code parse_code(struct str text, enum promql_dialect dialect, size_t cap_bytes)
{
    struct arena a;
    const struct promql_node *root;
    struct err e = ERR_INIT;

    arena_init(&a, cap_bytes);
    bool ok = promql_parse(&a, text, dialect, &root, &e);
    if (ok) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        promql_print(root, &out);
        (void)promql_selectors(&a, root);
    }
    arena_release(&a);
    return ok ? ERR_NONE : e.code;
}

struct bomb {
    const char *head;
    const char *again;
    size_t count;
    const char *middle;
    const char *closing;
    enum promql_dialect dialect;
    enum err_code code;
};

static const struct bomb bombs[] = {
    {"", "(", PROMQL_NESTING_MAX - 1, "1", ")", PROMQL_PROMETHEUS, ERR_NONE},
    {"", "(", PROMQL_NESTING_MAX, "1", ")", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"", "(", 100000, "1", ")", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"", "(", 100000, "", "", PROMQL_METRICSQL, ERR_LIMIT},
    {"", "-", PROMQL_NESTING_MAX - 1, "a", "", PROMQL_PROMETHEUS, ERR_NONE},
    {"", "-", PROMQL_NESTING_MAX, "a", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"", "sum(", PROMQL_NESTING_MAX - 1, "a", ")", PROMQL_PROMETHEUS, ERR_NONE},
    {"", "sum(", 60000, "a", ")", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a", "^a", PROMQL_NESTING_MAX - 1, "", "", PROMQL_PROMETHEUS, ERR_NONE},
    {"a", "^a", PROMQL_NESTING_MAX, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a", "+a", PROMQL_HEIGHT_MAX - 1, "", "", PROMQL_PROMETHEUS, ERR_NONE},
    {"a", "+a", PROMQL_HEIGHT_MAX, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a", " or a", 50000, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a", "[5m:]", 2, "", "", PROMQL_PROMETHEUS, ERR_PARSE},
    {"a", "[5m:]", PROMQL_HEIGHT_MAX - 1, "", "", PROMQL_METRICSQL, ERR_NONE},
    {"a", "[5m:]", PROMQL_HEIGHT_MAX, "", "", PROMQL_METRICSQL, ERR_LIMIT},
    {"a[", "(", 100000, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a[", "-", 100000, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"a offset ", "(", 100000, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"", "with (x = ", PROMQL_NESTING_MAX, "1", ") x", PROMQL_METRICSQL, ERR_LIMIT},
    {"", "a @ (", PROMQL_NESTING_MAX, "1", ")", PROMQL_METRICSQL, ERR_LIMIT},
    {"{a=\"b\"", " or a=\"b\"", 63, "}", "", PROMQL_METRICSQL, ERR_NONE},
    {"{a=\"b\"", " or a=\"b\"", 64, "}", "", PROMQL_METRICSQL, ERR_PARSE},
    {"1", " ", PROMQL_TEXT_MAX, "", "", PROMQL_PROMETHEUS, ERR_LIMIT},
    {"1", " ", PROMQL_TEXT_MAX - 1, "", "", PROMQL_PROMETHEUS, ERR_NONE},
};

static enum err_code explode(const struct bomb *b)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&text, b->head);
    repeat(&text, b->again, b->count);
    buf_add_text(&text, b->middle);
    repeat(&text, b->closing, b->count);
    struct str whole = buf_str(&text);
    if (whole.len > PROMQL_TEXT_MAX + 1) {
        whole.len = PROMQL_TEXT_MAX;
    }
    return parse_code(whole, b->dialect, ARENA_UNLIMITED);
}

static void explode_all(void *context)
{
    enum err_code *codes = context;

    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        codes[i] = explode(&bombs[i]);
    }
}

static void bombs_fit_small_stacks(void **state)
{
    (void)state;
    enum err_code codes[ARRAY_LEN(bombs)] = {0};
    struct thread thread = {0};
    struct err e = ERR_INIT;

    assert_true(thread_start(&thread, "bombs", explode_all, codes, &e));
    thread_join(&thread);
    for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
        if (codes[i] != bombs[i].code) {
            fail_msg("%s%s... (%zu times): %s", bombs[i].head, bombs[i].again, bombs[i].count,
                     err_code_name(codes[i]));
        }
    }
}

static void templates_cannot_double_for_ever(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&text, "with (x0 = a");
    for (int i = 1; i < 60; i++) {
        buf_addf(&text, ", x%d = x%d + x%d", i, i - 1, i - 1);
    }
    buf_add_text(&text, ") x59");
    assert_int_equal(parse_code(buf_str(&text), PROMQL_METRICSQL, ARENA_UNLIMITED), ERR_LIMIT);
    buf_clear(&text);
    buf_add_text(&text, "with (f(x) = x + x) ");
    repeat(&text, "f(", 60);
    buf_add_text(&text, "a");
    repeat(&text, ")", 60);
    assert_int_equal(parse_code(buf_str(&text), PROMQL_METRICSQL, ARENA_UNLIMITED), ERR_LIMIT);
}

static void the_arena_has_the_last_word(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&text, "(1");
    repeat(&text, ",1", 50000);
    buf_add_text(&text, ")");
    assert_int_equal(parse_code(buf_str(&text), PROMQL_METRICSQL, 1000000), ERR_LIMIT);
    assert_int_equal(parse_code(buf_str(&text), PROMQL_METRICSQL, ARENA_UNLIMITED), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bombs_fit_small_stacks),
        cmocka_unit_test(templates_cannot_double_for_ever),
        cmocka_unit_test(the_arena_has_the_last_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
