#include "promql/promql.h"

#include "base/attr.h"

/* The <index>th of a few that may be NULL, which do not count. */
static const struct promql_node *nth(struct promql_node *const *nodes, size_t count, uint32_t index)
{
    for (size_t i = 0; i < count; i++) {
        if (nodes[i] != NULL && index-- == 0) {
            return nodes[i];
        }
    }
    return NULL;
}

static const struct promql_node *list_child(const struct promql_nodes *nodes, uint32_t index)
{
    return index < nodes->count ? nodes->items[index] : NULL;
}

static const struct promql_node *no_child(const struct promql_node *node, uint32_t index)
{
    (void)node;
    (void)index;
    return NULL;
}

static const struct promql_node *vector_child(const struct promql_node *node, uint32_t index)
{
    const struct promql_when *when = &node->vector.when;
    struct promql_node *const nodes[] = {when->at_expr, when->offset.expr};

    return nth(nodes, ARRAY_LEN(nodes), index);
}

static const struct promql_node *matrix_child(const struct promql_node *node, uint32_t index)
{
    struct promql_node *const nodes[] = {node->matrix.vector, node->matrix.range.expr};

    return nth(nodes, ARRAY_LEN(nodes), index);
}

static const struct promql_node *subquery_child(const struct promql_node *node, uint32_t index)
{
    const struct promql_subquery *s = &node->subquery;
    struct promql_node *const nodes[] = {
        s->expr, s->range.expr, s->step.expr, s->when.at_expr, s->when.offset.expr,
    };

    return nth(nodes, ARRAY_LEN(nodes), index);
}

static const struct promql_node *paren_child(const struct promql_node *node, uint32_t index)
{
    return index == 0 ? node->paren : NULL;
}

static const struct promql_node *unary_child(const struct promql_node *node, uint32_t index)
{
    return index == 0 ? node->unary.expr : NULL;
}

static const struct promql_node *binary_child(const struct promql_node *node, uint32_t index)
{
    struct promql_node *const nodes[] = {node->binary.left, node->binary.right};

    return nth(nodes, ARRAY_LEN(nodes), index);
}

static const struct promql_node *aggregate_child(const struct promql_node *node, uint32_t index)
{
    return list_child(&node->aggregation.args, index);
}

static const struct promql_node *call_child(const struct promql_node *node, uint32_t index)
{
    return list_child(&node->call.args, index);
}

static const struct promql_node *union_child(const struct promql_node *node, uint32_t index)
{
    return list_child(&node->items, index);
}

static const struct promql_node *shift_child(const struct promql_node *node, uint32_t index)
{
    const struct promql_shift *s = &node->shift;
    struct promql_node *const nodes[] = {s->expr, s->when.at_expr, s->when.offset.expr};

    return nth(nodes, ARRAY_LEN(nodes), index);
}

const struct promql_node *promql_child(const struct promql_node *node, uint32_t index)
{
    static const struct promql_node *(*const children[PROMQL_KINDS])(const struct promql_node *,
                                                                     uint32_t) = {
        [PROMQL_NUMBER] = no_child,           [PROMQL_STRING] = no_child,
        [PROMQL_VECTOR] = vector_child,       [PROMQL_MATRIX] = matrix_child,
        [PROMQL_SUBQUERY] = subquery_child,   [PROMQL_PAREN] = paren_child,
        [PROMQL_UNARY] = unary_child,         [PROMQL_BINARY] = binary_child,
        [PROMQL_AGGREGATE] = aggregate_child, [PROMQL_CALL] = call_child,
        [PROMQL_UNION] = union_child,         [PROMQL_SHIFT] = shift_child,
    };

    return children[node->kind](node, index);
}

void promql_walk(const struct promql_node *root,
                 bool (*visit)(const struct promql_node *node, void *context), void *context)
{
    const struct promql_node *child;

    if (!visit(root, context)) {
        return;
    }
    for (uint32_t i = 0; (child = promql_child(root, i)) != NULL; i++) {
        promql_walk(child, visit, context);
    }
}
