/*
 * The interpreter: walks the nodes, evaluates pipelines, appends to the output.
 *
 * A rendering stops at the first error. Each node and each operand costs a step; past
 * TEMPLATE_STEPS_MAX it is an error, so a template cannot hold a worker.
 */
#include "template/template_int.h"

#include <stdarg.h>
#include <stdio.h>

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE, FLOW_FAILED };

static enum flow run_nodes(struct render *r, const struct node *node, const struct value *dot);
static bool eval_pipe(struct render *r, const struct pipe *pipe, const struct value *dot,
                      struct value *ret);

bool render_fail(struct render *r, size_t offset, const char *fmt, ...)
{
    char message[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    (void)err_set(r->err, ERR_PARSE, "%s", message);
    err_point(r->err, r->template->text, offset, 1, (struct pos){1, 1});
    return false;
}

static bool step(struct render *r, size_t offset)
{
    if (++r->steps > TEMPLATE_STEPS_MAX) {
        return render_fail(r, offset, "the template takes more than %d steps", TEMPLATE_STEPS_MAX);
    }
    return buf_ok(r->out) || render_fail(r, offset, "the text grows past %zu bytes", r->out->max);
}

struct value render_take_text(struct render *r, struct buf *b)
{
    struct value text = value_text(arena_dup(&r->arena, buf_str(b)));

    buf_release(b);
    return text;
}

/* ---- fields ---- */

static const struct {
    const char *name;
    const char *variable; /* the predeclared variable that means the same */
} root_fields[] = {
    {"Labels", "labels"},   {"Value", "value"},       {"ExternalLabels", "externalLabels"},
    {"Expr", "expr"},       {"For", "for"},           {"ExternalURL", "externalURL"},
    {"Type", "type"},       {"Interval", "interval"}, {"ActiveAt", "activeAt"},
    {"AlertID", "alertID"}, {"GroupID", "groupID"},   {"IsPartial", "isPartial"},
};

static bool read_predeclared(struct render *r, const char *name, struct value *ret)
{
    for (size_t i = 0; i < predeclared_count; i++) {
        if (strcmp(predeclared[i].name, name) == 0) {
            *ret = predeclared[i].read(r->data, r->world);
            return true;
        }
    }
    return false;
}

static bool root_field(struct render *r, struct str name, struct value *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(root_fields); i++) {
        if (str_eq(name, str_of(root_fields[i].name))) {
            return read_predeclared(r, root_fields[i].variable, ret);
        }
    }
    return false;
}

static bool sample_field(const struct template_sample *sample, struct str name, struct value *ret)
{
    if (str_eq(name, STR("Value"))) {
        *ret = value_float(sample->value);
        return true;
    }
    if (str_eq(name, STR("Labels"))) {
        *ret = (struct value){.kind = VALUE_LABELS, .as.labels = {sample->labels, NULL}};
        return true;
    }
    return false;
}

/* arg0, arg1, ... of what `args` made. */
static bool map_field(struct value_list map, struct str name, struct value *ret)
{
    for (size_t i = 0; i < map.count; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "arg%zu", i);
        if (str_eq(name, str_of(key))) {
            *ret = map.items[i];
            return true;
        }
    }
    *ret = (struct value){.kind = VALUE_NIL};
    return true;
}

static bool eval_field(struct render *r, const struct value *from, struct str name, size_t offset,
                       struct value *ret)
{
    bool found = false;

    if (from->kind == VALUE_LABELS) {
        *ret = value_text(value_labels_get(from, name));
        return true;
    }
    if (from->kind == VALUE_ROOT) {
        found = root_field(r, name, ret);
    } else if (from->kind == VALUE_SAMPLE) {
        found = sample_field(from->as.sample, name, ret);
    } else if (from->kind == VALUE_MAP) {
        found = map_field(from->as.map, name, ret);
    }
    return found ||
           render_fail(r, offset, "%s has no field %.*s", value_type_name(from), STR_FMT(name));
}

/* ---- operands, commands, pipelines ---- */

static bool call_function(struct render *r, const struct function *f, size_t offset,
                          struct value_list args, struct value *ret)
{
    struct err e = ERR_INIT;

    if (f->call(r, args, ret, &e)) {
        return true;
    }
    return render_fail(r, offset, "%s: %s", f->name, e.message);
}

static bool eval_base(struct render *r, const struct operand *op, const struct value *dot,
                      struct value *ret)
{
    switch (op->kind) {
    case OPERAND_DOT:
        *ret = *dot;
        return true;
    case OPERAND_VARIABLE:
        *ret = r->slots[op->slot];
        return true;
    case OPERAND_CONST:
        *ret = op->constant;
        return true;
    case OPERAND_PIPE:
        return eval_pipe(r, op->pipe, dot, ret);
    case OPERAND_FUNCTION:
        return call_function(r, op->function, op->offset, (struct value_list){0}, ret);
    }
    return false;
}

static bool eval_operand(struct render *r, const struct operand *op, const struct value *dot,
                         struct value *ret)
{
    struct value v;

    if (!step(r, op->offset) || !eval_base(r, op, dot, &v)) {
        return false;
    }
    for (const struct field_name *f = op->fields; f != NULL; f = f->next) {
        struct value inner;
        if (!eval_field(r, &v, f->name, op->offset, &inner)) {
            return false;
        }
        v = inner;
    }
    *ret = v;
    return true;
}

/* and, or: the first argument that decides, the others unread. */
static bool eval_lazy(struct render *r, const struct command *c, const struct value *dot,
                      const struct value *piped, struct value *ret)
{
    bool stops_at = str_eq(str_of(c->args->function->name), STR("or"));

    for (const struct operand *arg = c->args->next; arg != NULL; arg = arg->next) {
        if (!eval_operand(r, arg, dot, ret)) {
            return false;
        }
        if (value_is_true(ret) == stops_at) {
            return true;
        }
    }
    if (piped != NULL) {
        *ret = *piped;
    }
    return true;
}

static bool eval_command(struct render *r, const struct command *c, const struct value *dot,
                         const struct value *piped, struct value *ret)
{
    struct value args[TEMPLATE_ARGS_MAX + 1];
    size_t count = 0;

    if (c->args->kind != OPERAND_FUNCTION) {
        return eval_operand(r, c->args, dot, ret);
    }
    if (c->args->function->lazy) {
        return eval_lazy(r, c, dot, piped, ret);
    }
    for (const struct operand *arg = c->args->next; arg != NULL; arg = arg->next) {
        if (!eval_operand(r, arg, dot, &args[count++])) {
            return false;
        }
    }
    if (piped != NULL) {
        args[count++] = *piped;
    }
    return step(r, c->offset) &&
           call_function(r, c->args->function, c->offset, (struct value_list){args, count}, ret);
}

static bool eval_pipe(struct render *r, const struct pipe *pipe, const struct value *dot,
                      struct value *ret)
{
    struct value v = {.kind = VALUE_NIL};
    const struct value *piped = NULL;

    for (const struct command *c = pipe->commands; c != NULL; c = c->next) {
        struct value next = {.kind = VALUE_NIL};
        if (!eval_command(r, c, dot, piped, &next)) {
            return false;
        }
        v = next;
        piped = &v;
    }
    if (pipe->slot_count == 1) {
        r->slots[pipe->slots[0]] = v;
    }
    *ret = v;
    return true;
}

/* ---- nodes ---- */

static enum flow run_text(struct render *r, const struct node *node, const struct value *dot)
{
    (void)dot;
    buf_add_str(r->out, node->text);
    return FLOW_ON;
}

static enum flow run_action(struct render *r, const struct node *node, const struct value *dot)
{
    struct value v;

    if (!eval_pipe(r, node->pipe, dot, &v)) {
        return FLOW_FAILED;
    }
    if (node->pipe->slot_count == 0) {
        if (v.kind == VALUE_NIL) {
            buf_add_text(r->out, "<no value>");
        } else {
            value_print(&v, r->out);
        }
    }
    return FLOW_ON;
}

static enum flow run_if(struct render *r, const struct node *node, const struct value *dot)
{
    struct value v;

    if (!eval_pipe(r, node->pipe, dot, &v)) {
        return FLOW_FAILED;
    }
    return run_nodes(r, value_is_true(&v) ? node->body : node->otherwise, dot);
}

static enum flow run_with(struct render *r, const struct node *node, const struct value *dot)
{
    struct value v;

    if (!eval_pipe(r, node->pipe, dot, &v)) {
        return FLOW_FAILED;
    }
    return value_is_true(&v) ? run_nodes(r, node->body, &v) : run_nodes(r, node->otherwise, dot);
}

/* One turn of a range: sets its variables, then runs the body with the element as dot. */
static enum flow run_turn(struct render *r, const struct node *node, const struct value *key,
                          const struct value *element)
{
    const struct pipe *pipe = node->pipe;

    if (!step(r, node->offset)) {
        return FLOW_FAILED;
    }
    if (pipe->slot_count == 1) {
        r->slots[pipe->slots[0]] = *element;
    } else if (pipe->slot_count == 2) {
        r->slots[pipe->slots[0]] = *key;
        r->slots[pipe->slots[1]] = *element;
    }
    return run_nodes(r, node->body, element);
}

/* The element of <v> number <i>; false at the end. Labels are walked in order with <walk>. */
static bool range_next(const struct value *v, int64_t i, struct labels_walk *walk,
                       struct value *ret_key, struct value *ret_element)
{
    struct label pair;

    *ret_key = value_int(i);
    if (v->kind == VALUE_LABELS) {
        if (!value_labels_next(v, walk, &pair)) {
            return false;
        }
        *ret_key = value_text(pair.name);
        *ret_element = value_text(pair.value);
        return true;
    }
    if (v->kind == VALUE_SAMPLES && (size_t)i < v->as.samples.count) {
        *ret_element = (struct value){.kind = VALUE_SAMPLE, .as.sample = &v->as.samples.items[i]};
        return true;
    }
    if (v->kind == VALUE_MAP && (size_t)i < v->as.map.count) {
        *ret_element = v->as.map.items[i];
        return true;
    }
    *ret_element = value_int(i);
    return v->kind == VALUE_INT && i < v->as.integer;
}

static bool can_range(const struct value *v)
{
    return v->kind == VALUE_LABELS || v->kind == VALUE_SAMPLES || v->kind == VALUE_MAP ||
           v->kind == VALUE_INT || v->kind == VALUE_NIL;
}

static enum flow run_range(struct render *r, const struct node *node, const struct value *dot)
{
    struct labels_walk walk = {0};
    struct value over;
    struct value key;
    struct value element;
    int64_t i = 0;

    if (!eval_pipe(r, node->pipe, dot, &over)) {
        return FLOW_FAILED;
    }
    if (!can_range(&over)) {
        (void)render_fail(r, node->offset, "range can't iterate over %s", value_type_name(&over));
        return FLOW_FAILED;
    }
    for (; range_next(&over, i, &walk, &key, &element); i++) {
        enum flow flow = run_turn(r, node, &key, &element);
        if (flow == FLOW_FAILED) {
            return flow;
        }
        if (flow == FLOW_BREAK) {
            return FLOW_ON;
        }
    }
    return i > 0 ? FLOW_ON : run_nodes(r, node->otherwise, dot);
}

static enum flow run_template(struct render *r, const struct node *node, const struct value *dot)
{
    const struct definition *d = r->template->definitions;
    struct value v = {.kind = VALUE_NIL};

    (void)dot;
    while (d != NULL && !str_eq(d->name, node->text)) {
        d = d->next;
    }
    INVARIANT(d != NULL);
    if (node->pipe != NULL && !eval_pipe(r, node->pipe, dot, &v)) {
        return FLOW_FAILED;
    }
    if (++r->depth > TEMPLATE_DEPTH_MAX) {
        (void)render_fail(r, node->offset, "templates call each other deeper than %d",
                          TEMPLATE_DEPTH_MAX);
        return FLOW_FAILED;
    }
    enum flow flow = run_nodes(r, d->body, &v);
    r->depth--;
    return flow == FLOW_FAILED ? flow : FLOW_ON;
}

static enum flow run_break(struct render *r, const struct node *node, const struct value *dot)
{
    (void)r;
    (void)node;
    (void)dot;
    return FLOW_BREAK;
}

static enum flow run_continue(struct render *r, const struct node *node, const struct value *dot)
{
    (void)r;
    (void)node;
    (void)dot;
    return FLOW_CONTINUE;
}

static enum flow (*const runners[NODE_KINDS])(struct render *, const struct node *,
                                              const struct value *) = {
    [NODE_TEXT] = run_text,   [NODE_ACTION] = run_action,     [NODE_IF] = run_if,
    [NODE_WITH] = run_with,   [NODE_RANGE] = run_range,       [NODE_TEMPLATE] = run_template,
    [NODE_BREAK] = run_break, [NODE_CONTINUE] = run_continue,
};

static enum flow run_nodes(struct render *r, const struct node *node, const struct value *dot)
{
    for (; node != NULL; node = node->next) {
        if (!step(r, node->offset)) {
            return FLOW_FAILED;
        }
        enum flow flow = runners[node->kind](r, node, dot);
        if (flow != FLOW_ON) {
            return flow;
        }
    }
    return FLOW_ON;
}

bool template_render(const struct template *t, const struct template_data *data,
                     const struct template_world *world, struct buf *out, struct err *e)
{
    struct render r = {.template = t, .data = data, .world = world, .out = out, .err = e};
    size_t start = out->len;
    struct str text;

    if (template_is_text(t, &text)) {
        buf_add_str(out, text);
        return true;
    }
    arena_init(&r.arena, ARENA_UNLIMITED);
    r.slots = arena_array(&r.arena, struct value, t->slot_count);
    for (size_t i = 0; i < predeclared_count; i++) {
        r.slots[i] = predeclared[i].read(data, world);
    }
    bool done = run_nodes(&r, t->body, &r.slots[0]) != FLOW_FAILED;
    arena_release(&r.arena);
    if (!done) {
        buf_truncate(out, start);
        buf_addf(out, "<error expanding template: %s>", e->message);
        (void)err_wrap(e, "template %.*s", STR_FMT(t->name));
    }
    return done;
}
