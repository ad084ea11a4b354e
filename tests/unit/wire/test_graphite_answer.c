/* Answers of Graphite's render API: the last point with a value of each series. */
#include "wire/graphite_answer.h"

#include "base/buf.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct answer_case {
    const char *body;
    const char *rows; /* a line each: labels time value; NULL: refused */
    const char *problem;
};

static const struct answer_case cases[] = {
    {"[]", "", NULL},
    {"[{\"target\":\"a.b\",\"datapoints\":[[1,10],[2.5,20],[null,30]]}]", "{name=\"a.b\"} 20 2.5\n",
     NULL},
    {"[{\"datapoints\":[[1,10]],\"tags\":{\"name\":\"cpu\",\"host\":\"w1\"},\"target\":\"cpu;host=w1\"}]",
     "{host=\"w1\", name=\"cpu\"} 10 1\n", NULL},
    {"[{\"target\":\"x\",\"tags\":{ },\"datapoints\":[[-0.5,7]]}, {\"target\":\"y\\\"\",\"more\":[1],"
     "\"datapoints\":[[3,8]]}]",
     "{name=\"x\"} 7 -0.5\n{name=\"y\\\"\"} 8 3\n", NULL},
    {"[{\"target\":\"none\",\"datapoints\":[[null,10],[null,20]]},{\"target\":\"e\",\"datapoints\":[]}]",
     "", NULL},
    {"[{\"target\":\"back\",\"datapoints\":[[2,20],[1,10]]}]", "{name=\"back\"} 20 2\n", NULL},
    {"{}", NULL, "expected an array"},
    {"", NULL, ""},
    {"[{\"datapoints\":[[1,10]]}]", NULL, "expected \"target\""},
    {"[{\"target\":1,\"datapoints\":[]}]", NULL, "expected the target as a text"},
    {"[{\"target\":\"a\",\"datapoints\":[[]]}]", NULL, "expected a point"},
    {"[{\"target\":\"a\",\"datapoints\":[[1]]}]", NULL, "expected the time"},
    {"[{\"target\":\"a\",\"datapoints\":[[1,2,3]]}]", NULL, "expected the end of a point"},
    {"[{\"target\":\"a\",\"datapoints\":[[1,9223372036854775807]]}]", NULL, "out of range"},
    {"[{\"target\":\"a\",\"datapoints\":[[1,2]]}", NULL, ""},
};

struct kit {
    struct arena arena;
    struct buf out;
    bool refuses;
};

static bool row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct kit *k = arg;
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;
    char text[64];

    labels_builder_init(&b);
    if (k->refuses) {
        return err_set(e, ERR_LIMIT, "enough");
    }
    assert_true(graphite_labels_parse(raw, &k->arena, &b, e) && labels_build(&b, &l, e));
    labels_print(l, &k->out);
    (void)snprintf(text, sizeof(text), " %lld %g\n", (long long)(time_ns / NS_PER_S), value);
    buf_add_text(&k->out, text);
    return true;
}

static void each_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kit k = {.out = BUF_INIT(BUF_SMALL)};
        const struct graphite_rows rows = {row, &k};
        struct err e = ERR_INIT;
        uint64_t series = 0;
        uint64_t given = 0;
        arena_init(&k.arena, ARENA_UNLIMITED);
        bool ok =
            graphite_answer_decode(str_of(cases[i].body), &k.arena, &rows, &series, &given, &e);
        if (ok != (cases[i].rows != NULL)) {
            fail_msg("%s: %s", cases[i].body, e.message);
        }
        if (ok) {
            assert_string_equal(buf_text(&k.out), cases[i].rows);
            assert_true(given <= series);
        } else if (strstr(e.message, cases[i].problem) == NULL) {
            fail_msg("%s: %s", cases[i].body, e.message);
        }
        arena_release(&k.arena);
        buf_release(&k.out);
    }
}

static void a_row_may_end_it(void **state)
{
    struct kit k = {.out = BUF_INIT(BUF_SMALL), .refuses = true};
    const struct graphite_rows rows = {row, &k};
    struct err e = ERR_INIT;
    uint64_t series = 0;
    uint64_t given = 0;

    (void)state;
    arena_init(&k.arena, ARENA_UNLIMITED);
    assert_false(graphite_answer_decode(STR("[{\"target\":\"a\",\"datapoints\":[[1,2]]}]"),
                                        &k.arena, &rows, &series, &given, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.message, "enough");
    arena_release(&k.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer),
        cmocka_unit_test(a_row_may_end_it),
    };

    return cmocka_run_group_tests_name("wire/graphite_answer", tests, NULL, NULL);
}
