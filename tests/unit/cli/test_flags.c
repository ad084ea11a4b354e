/* Another program's command line as a config. */
#include "cli/flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct flag_row rows[] = {
    {"url", FLAG_TEXT, "source.url", NULL, NULL},
    {"size", FLAG_PLAIN, "source.size", NULL, "5"},
    {"fast", FLAG_BOOL, "source.fast", NULL, NULL},
    {"rule", FLAG_LIST, "rules", NULL, NULL},
    {"to", FLAG_EACH, "out.to_{}.url", NULL, NULL},
    {"to.big", FLAG_EACH_PLAIN, "out.to_{}.big", NULL, NULL},
    {"label", FLAG_PAIRS, "labels", NULL, NULL},
    {"headers", FLAG_HEADERS, "source.headers", NULL, NULL},
    {"own", FLAG_OWN, NULL, "its own", NULL},
    {"dry", FLAG_OWN_BOOL, NULL, "its own", NULL},
    {"old", FLAG_PASSED, NULL, "there is none", NULL},
    {"no.*", FLAG_REFUSED, NULL, "do that instead", NULL},
};
static const char *const aliases[][2] = {{"rule.file", "rule"}, {NULL, NULL}};
static const struct flag_table table = {"other", rows, ARRAY_LEN(rows), aliases};

enum { WORDS_MAX = 16 };

static bool read_line(struct flags *f, struct arena *a, const char *line, struct err *e)
{
    char *words[WORDS_MAX] = {NULL};
    int count = 1;
    struct str rest = arena_dup(a, str_of(line));
    struct str word;

    words[0] = (char *)(uintptr_t) "other";
    while (line[0] != '\0' && str_split(&rest, ' ', &word)) {
        char *copy = arena_alloc0(a, word.len + 1, 1);
        memcpy(copy, word.ptr, word.len);
        words[count++] = copy;
    }
    return flags_read(f, &table, a, count, words, e);
}

static const struct {
    const char *line;
    const char *want;
} lines[] = {
    {"", ""},
    {"-url=http://x/?a=b", "source:\n  url: \"http://x/?a=b\"  # -url\n"},
    {"--url http://x -url=http://y", "source:\n  url: \"http://y\"  # -url\n"},
    {"-url= -size=7", "source:\n  url: \"\"  # -url\n  size: 7  # -size\n"},
    {"-fast -size 7", "source:\n  fast: true  # -fast\n  size: 7  # -size\n"},
    {"-fast=false", "source:\n  fast: false  # -fast\n"},
    {"-rule=a,b -fast -rule.file='c,d'",
     "rules:\n  - \"a\"  # -rule\n  - \"b\"  # -rule\n  - \"c,d\"  # -rule.file\nsource:\n"
     "  fast: true  # -fast\n"},
    {"-to=a,b -to.big=1 -to=c -to.big 2",
     "out:\n  to_1:\n    url: \"a\"  # -to\n    big: 1  # -to.big\n  to_2:\n    url: \"b\"  # -to\n"
     "    big: 2  # -to.big\n  to_3:\n    url: \"c\"  # -to\n"},
    {"-label=a.b=c=d", "labels:\n  \"a.b\": \"c=d\"  # -label\n"},
    {"-headers=A:b^^C:d:e",
     "source:\n  headers:\n    \"A\": \"b\"  # -headers\n    \"C\": \"d:e\"  # -headers\n"},
    {"-own=x -dry -old=y -old", ""},
};

static void lines_become_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct flags f;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        if (!read_line(&f, &a, lines[i].line, &e)) {
            fail_msg("'%s': %s", lines[i].line, e.message);
        }
        flags_print_config(&f, &out);
        assert_string_equal(buf_text(&out), lines[i].want);
        flags_release(&f);
    }
}

static const struct {
    const char *line;
    const char *message;
} mistakes[] = {
    {"-ulr=x", "there is no flag -ulr; did you mean -url?"},
    {"-url", "-url needs a value"},
    {"x", "'x' is no flag; write -flag=value"},
    {"-", "'-' is no flag; write -flag=value"},
    {"-label=x", "-label: expected name=value, not 'x'"},
    {"-headers=x", "-headers: expected name:value, not 'x'"},
    {"-no.way=x", "-no.way: do that instead"},
    {"-no.way", "-no.way: do that instead"},
};

static void mistakes_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        AUTO(arena_release) struct arena a;
        struct flags f;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        assert_false(read_line(&f, &a, mistakes[i].line, &e));
        assert_string_equal(e.message, mistakes[i].message);
        flags_release(&f);
    }
}

static const char *lookup(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "X_to_big") == 0 ? "9" : strcmp(name, "X_url") == 0 ? "env" : NULL;
}

static void what_is_not_said_comes_from_elsewhere(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct flags f;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(read_line(&f, &a, "-url=said -old=x -own=z", &e));
    assert_int_equal(f.notes.len, 1);
    assert_true(flags_read_environment(&f, STR("X_"), lookup, NULL, &e));
    flags_add_fallbacks(&f);
    flags_print_config(&f, &out);
    assert_string_equal(
        buf_text(&out),
        "source:\n  url: \"said\"  # -url\n  size: 5  # default of -size\nout:\n  to_1:\n"
        "    big: 9  # -to.big\n");
    assert_true(str_eq(flags_value(&f, "own"), STR("z")));
    assert_true(str_eq(flags_value(&f, "source.url"), STR("said")));
    assert_int_equal(flags_value(&f, "nothing").len, 0);
    flags_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_configs),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(what_is_not_said_comes_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
