/*
 * The first byte's lowest bit is the dialect, the rest an expression. What parses must print, and
 * what is printed must parse to the same tree; what does not must say where.
 */
#include "promql/promql.h"

#include "base/attr.h"
#include "fake/promql_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_MAX = 32 * 1024 * 1024 };

static void check_tree(struct arena *a, const struct promql_node *root, enum promql_dialect dialect)
{
    AUTO(buf_release) struct buf first = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf second = BUF_INIT(BUF_UNLIMITED);
    const struct promql_node *again;
    struct err e = ERR_INIT;

    promql_print(root, &first);
    if (!promql_parse(a, buf_str(&first), dialect, &again, &e)) {
        INVARIANT(e.code == ERR_LIMIT);
        return;
    }
    INVARIANT(promql_same(root, again));
    promql_print(again, &second);
    INVARIANT(str_eq(buf_str(&first), buf_str(&second)));
    (void)promql_selectors(a, root);
    (void)promql_has_condition(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    const struct promql_node *root;
    struct err e = ERR_INIT;

    if (size == 0) {
        return 0;
    }
    enum promql_dialect dialect = (data[0] & 1) != 0 ? PROMQL_METRICSQL : PROMQL_PROMETHEUS;
    arena_init(&a, ARENA_MAX);
    if (promql_parse(&a, str_make((const char *)data + 1, size - 1), dialect, &root, &e)) {
        INVARIANT(root->end <= size - 1);
        check_tree(&a, root, dialect);
    } else {
        INVARIANT(e.code == ERR_PARSE || e.code == ERR_LIMIT);
        INVARIANT(e.message[0] != '\0');
        INVARIANT(e.code == ERR_LIMIT || e.pos.line > 0);
    }
    arena_release(&a);
    return 0;
}
