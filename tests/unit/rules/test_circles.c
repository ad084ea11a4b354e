/* Circles in a graph, and the order that their numbers are. */
#include "rules/circles.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { NODES_MAX = 8, EDGES_MAX = 16 };

static const struct {
    uint32_t nodes;
    const char *edges; /* "01 12": 0 points at 1, 1 at 2; in the order of the first */
    const char *alike; /* a letter per node: those in a circle have the same */
} rows[] = {
    {1, "", "a"},
    {3, "01 12", "abc"},
    {3, "01 12 20", "aaa"},
    {2, "00 01", "ab"},
    {4, "01 10 23 32", "aabb"},
    {4, "01 10 12 23 32", "aabb"},
    {6, "01 12 20 23 34 43 45", "aaabbc"},
    {5, "01 02 13 23 31 34", "abcbd"},
    {6, "01 02 14 25 34 45 53", "abcddd"},
};

static void make(const char *edges, uint32_t nodes, uint32_t *first, uint32_t *to)
{
    uint32_t count = 0;
    uint32_t node = 0;

    first[0] = 0;
    for (; *edges != '\0'; edges += edges[2] == ' ' ? 3 : 2) {
        for (; node < (uint32_t)(edges[0] - '0'); node++) {
            first[node + 1] = count;
        }
        to[count++] = (uint32_t)(edges[1] - '0');
    }
    for (; node < nodes; node++) {
        first[node + 1] = count;
    }
}

static void circles_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t first[NODES_MAX + 1];
        uint32_t to[EDGES_MAX];
        uint32_t circle_of[NODES_MAX];
        make(rows[i].edges, rows[i].nodes, first, to);
        circles_find(&(struct circles_graph){first, to, rows[i].nodes}, circle_of);
        for (uint32_t a = 0; a < rows[i].nodes; a++) {
            for (uint32_t b = 0; b < rows[i].nodes; b++) {
                assert_int_equal(circle_of[a] == circle_of[b],
                                 rows[i].alike[a] == rows[i].alike[b]);
            }
            for (uint32_t e = first[a]; e < first[a + 1]; e++) {
                assert_true(circle_of[to[e]] <= circle_of[a]);
            }
        }
    }
}

/* A chain as long as there may be rules: the stack does not grow with it. */
static void a_long_chain(void **state)
{
    enum { LONG = 1000000 };
    AUTO(mem_autofree) uint32_t *first = mem_alloc0(LONG + 1, sizeof(*first));
    AUTO(mem_autofree) uint32_t *to = mem_alloc0(LONG, sizeof(*to));
    AUTO(mem_autofree) uint32_t *circle_of = mem_alloc0(LONG, sizeof(*circle_of));

    (void)state;
    for (uint32_t i = 0; i + 1 < LONG; i++) {
        to[i] = i + 1;
        first[i + 1] = i + 1;
    }
    first[LONG] = LONG - 1;
    circles_find(&(struct circles_graph){first, to, LONG}, circle_of);
    assert_int_equal(circle_of[LONG - 1], 0);
    assert_int_equal(circle_of[0], LONG - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(circles_are_found),
        cmocka_unit_test(a_long_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
