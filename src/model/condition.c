/*
 * Evaluation walks the tree, whose depth is that of the parentheses.
 */
#include "model/condition.h"

#include "base/mem.h"
#include "base/number.h"
#include "model/condition_int.h"

bool condition_compile(struct str text, struct condition **ret_condition, struct err *e)
{
    if (text.len > CONDITION_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, "condition of %zu bytes, at most %d are taken", text.len,
                       CONDITION_TEXT_MAX);
    }
    struct condition *c = mem_new(struct condition);
    arena_init(&c->arena, ARENA_UNLIMITED);
    c->text = arena_dup(&c->arena, text);
    if (!condition_parse(c, e)) {
        condition_free(c);
        return false;
    }
    *ret_condition = c;
    return true;
}

void condition_free(struct condition *c)
{
    if (c == NULL) {
        return;
    }
    for (struct condition_node *node = c->regexes; node != NULL; node = node->next_regex) {
        regex_free(node->regex);
    }
    arena_release(&c->arena);
    mem_free(c);
}

static struct field_value value_of(const struct operand *o, const struct record_view *record)
{
    struct field_value value = {.text = STR("")};

    if (o->kind == OPERAND_FIELD) {
        (void)record->field(record->record, o->scope, o->text, &value);
    } else if (o->kind == OPERAND_NUMBER) {
        value.is_number = true;
        value.number = o->number;
    } else {
        value.text = o->text;
    }
    return value;
}

static bool as_number(const struct field_value *value, double *ret_number)
{
    if (value->is_number) {
        *ret_number = value->number;
        return true;
    }
    return number_parse(value->text, ret_number);
}

static unsigned order_of(int order)
{
    return order < 0 ? CMP_LESS : order > 0 ? CMP_GREATER : CMP_EQUAL;
}

static unsigned compare(const struct field_value *x, const struct field_value *y)
{
    double a = 0;
    double b = 0;

    if (!x->is_number && !y->is_number) {
        return order_of(str_cmp(x->text, y->text));
    }
    if (!as_number(x, &a) || !as_number(y, &b)) {
        return CMP_UNORDERED;
    }
    return a < b ? CMP_LESS : a > b ? CMP_GREATER : a == b ? CMP_EQUAL : CMP_UNORDERED;
}

static bool holds(const struct condition_node *node, const struct record_view *record);

static bool holds_const(const struct condition_node *node, const struct record_view *record)
{
    (void)record;
    return node->accepts != 0;
}

static bool holds_compare(const struct condition_node *node, const struct record_view *record)
{
    struct field_value x = value_of(&node->x, record);
    struct field_value y = value_of(&node->y, record);

    return (compare(&x, &y) & node->accepts) != 0;
}

/* A match that passes the step limit is false, for =~ and !~. */
static bool holds_match(const struct condition_node *node, const struct record_view *record)
{
    struct field_value x = value_of(&node->x, record);
    char digits[NUMBER_TEXT_MAX];
    bool matched = false;
    struct err e = ERR_INIT;

    if (x.is_number) {
        x.text = str_make(digits, number_format(x.number, digits));
    }
    return regex_match(node->regex, x.text, &matched, &e) && matched == (node->accepts != 0);
}

static bool holds_any(const struct condition_node *node, const struct record_view *record)
{
    for (const struct condition_node *child = node->first; child != NULL; child = child->next) {
        if (holds(child, record)) {
            return true;
        }
    }
    return false;
}

static bool holds_all(const struct condition_node *node, const struct record_view *record)
{
    for (const struct condition_node *child = node->first; child != NULL; child = child->next) {
        if (!holds(child, record)) {
            return false;
        }
    }
    return true;
}

static bool (*const kinds[NODE_KINDS])(const struct condition_node *node,
                                       const struct record_view *record) = {
    [NODE_ANY] = holds_any,         [NODE_ALL] = holds_all,     [NODE_CONST] = holds_const,
    [NODE_COMPARE] = holds_compare, [NODE_MATCH] = holds_match,
};

static bool holds(const struct condition_node *node, const struct record_view *record)
{
    return kinds[node->kind](node, record) != node->deny;
}

bool condition_holds(const struct condition *c, const struct record_view *record)
{
    return holds(c->root, record);
}

/* Who is asked about fields. */
struct asker {
    bool (*is_static)(const void *arg, enum field_scope scope, struct str name);
    const void *arg;
};

static bool operand_is_static(const struct operand *o, const struct asker *asker)
{
    return o->kind != OPERAND_FIELD || asker->is_static(asker->arg, o->scope, o->text);
}

static bool leaf_only_uses(const struct condition_node *node, const struct asker *asker)
{
    return node->kind == NODE_CONST ||
           (operand_is_static(&node->x, asker) &&
            (node->kind == NODE_MATCH || operand_is_static(&node->y, asker)));
}

static bool only_uses(const struct condition_node *node, const struct asker *asker)
{
    if (node->first == NULL) {
        return leaf_only_uses(node, asker);
    }
    for (const struct condition_node *child = node->first; child != NULL; child = child->next) {
        if (!only_uses(child, asker)) {
            return false;
        }
    }
    return true;
}

bool condition_only_uses(const struct condition *c,
                         bool (*is_static)(const void *arg, enum field_scope scope,
                                           struct str name),
                         const void *arg)
{
    return only_uses(c->root, &(struct asker){is_static, arg});
}

/* ---- its fields ---- */

struct teller {
    const struct condition *condition;
    void (*tell)(void *arg, enum field_scope scope, struct str name, size_t at);
    void *arg;
};

/* A name in quotes that held escapes stands elsewhere: its comparison has the place. */
static void tell_operand(const struct teller *t, const struct condition_node *node,
                         const struct operand *o)
{
    struct str text = t->condition->text;
    const char *at = o->text.ptr;

    if (o->kind == OPERAND_FIELD) {
        bool is_inside = at >= text.ptr && at <= text.ptr + text.len;
        t->tell(t->arg, o->scope, o->text,
                (size_t)((is_inside ? at : node->source.ptr) - text.ptr));
    }
}

static void tell_node(const struct teller *t, const struct condition_node *node)
{
    if (node->kind == NODE_COMPARE || node->kind == NODE_MATCH) {
        tell_operand(t, node, &node->x);
    }
    if (node->kind == NODE_COMPARE) {
        tell_operand(t, node, &node->y);
    }
    for (const struct condition_node *child = node->first; child != NULL; child = child->next) {
        tell_node(t, child);
    }
}

void condition_each_field(const struct condition *c,
                          void (*tell)(void *arg, enum field_scope scope, struct str name,
                                       size_t at),
                          void *arg)
{
    tell_node(&(struct teller){c, tell, arg}, c->root);
}

/* ---- what is the same for every value ---- */

/* A record of which one field is known. */
struct supposed {
    struct str name;
    struct str value;
};

static bool supposed_field(const void *record, enum field_scope scope, struct str name,
                           struct field_value *ret_value)
{
    const struct supposed *s = record;

    if (scope != FIELD_ANY || !str_eq(name, s->name)) {
        return false;
    }
    ret_value->text = s->value;
    return true;
}

static bool is_field(const struct operand *o, struct str name)
{
    return o->kind == OPERAND_FIELD && o->scope == FIELD_ANY && str_eq(o->text, name);
}

/* Is it decided by that field alone? */
static bool is_about(const struct condition_node *node, struct str name)
{
    if (node->kind == NODE_MATCH) {
        return is_field(&node->x, name);
    }
    return node->kind == NODE_COMPARE &&
           ((is_field(&node->x, name) && node->y.kind != OPERAND_FIELD) ||
            (is_field(&node->y, name) && node->x.kind != OPERAND_FIELD));
}

static bool check_leaf(const struct condition *c, const struct condition_node *node,
                       struct str name, const char *const *values, struct err *e)
{
    AUTO(buf_release) struct buf all = BUF_INIT(BUF_SMALL);
    size_t held = 0;
    size_t count = 0;

    for (; values[count] != NULL; count++) {
        const struct supposed supposed = {name, str_of(values[count])};
        const struct record_view view = {supposed_field, &supposed};
        held += kinds[node->kind](node, &view);
        buf_addf(&all, "%s%s", count > 0 ? ", " : "", values[count]);
    }
    return (held > 0 && held < count) ||
           condition_fail(c->text, node->source, e, "this %s: %.*s is one of %s",
                          held == 0 ? "never holds" : "always holds", STR_FMT(name),
                          buf_text(&all));
}

static bool check_node(const struct condition *c, const struct condition_node *node,
                       struct str name, const char *const *values, struct err *e)
{
    if (is_about(node, name)) {
        return check_leaf(c, node, name, values, e);
    }
    for (const struct condition_node *child = node->first; child != NULL; child = child->next) {
        if (!check_node(c, child, name, values, e)) {
            return false;
        }
    }
    return true;
}

bool condition_check_field(const struct condition *c, struct str name, const char *const *values,
                           struct err *e)
{
    return check_node(c, c->root, name, values, e);
}
