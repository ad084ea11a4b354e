/*
 * The interpreter: walks the nodes, evaluates pipelines, appends to the output.
 *
 * A rendering stops at the first error. Each node and each operand costs a step; past
 * TEMPLATE_STEPS_MAX it is an error, so a template cannot hold a worker.
 */
#include "template/template_int.h"

#include "base/clock.h"

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
    if (arena_over(&r->arena)) {
        return render_fail(r, offset, "the template takes more than %d MiB of memory",
                           TEMPLATE_BYTES_MAX >> 20);
    }
    return buf_ok(r->out) || render_fail(r, offset, "the text grows past %zu bytes", r->out->max);
}

struct value render_take_text(struct render *r, struct buf *b)
{
    struct value text = value_text(arena_dup(&r->arena, buf_str(b)));

    r->is_cut = r->is_cut || !buf_ok(b);
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

static bool sample_field(const struct render *r, const struct template_sample *sample,
                         struct str name, struct value *ret)
{
    if (str_eq(name, STR("Timestamp"))) { /* of vmalert: the time that was asked for */
        *ret = value_int(time_floor_div(r->data->now_ns, NS_PER_S));
        return true;
    }
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

static bool call_method(struct render *r, const struct value *self, struct str name,
                        struct value_list args, size_t offset, struct value *ret)
{
    const struct method *m = method_find(self->kind, name);
    struct err e = ERR_INIT;

    if (m == NULL) {
        return render_fail(r, offset, "%s has no field or method %.*s", value_type_name(self),
                           STR_FMT(name));
    }
    if (args.count != m->args) {
        return render_fail(r, offset, "%s takes %zu argument%s, found %zu", m->name, m->args,
                           m->args == 1 ? "" : "s", args.count);
    }
    return m->call(r, self->as.integer, args, ret, &e) ||
           render_fail(r, offset, "%s: %s", m->name, e.message);
}

static bool eval_field(struct render *r, const struct value *from, struct str name,
                       struct value_list args, size_t offset, struct value *ret)
{
    bool found = false;

    if (from->kind == VALUE_TIME || from->kind == VALUE_DURATION) {
        return call_method(r, from, name, args, offset, ret);
    }
    if (args.count > 0) {
        return render_fail(r, offset, "%.*s of %s is no method and takes no arguments",
                           STR_FMT(name), value_type_name(from));
    }
    if (from->kind == VALUE_LABELS) {
        *ret = value_text(value_labels_get(from, name));
        return true;
    }
    if (from->kind == VALUE_OBJECT) {
        *ret = value_object_get(from, name);
        return true;
    }
    if (from->kind == VALUE_NIL && r->template->of_records) { /* of a member that is not there */
        *ret = *from;
        return true;
    }
    if (from->kind == VALUE_ROOT) {
        found = root_field(r, name, ret);
    } else if (from->kind == VALUE_SAMPLE) {
        found = sample_field(r, from->as.sample, name, ret);
    } else if (from->kind == VALUE_MAP) {
        *ret = value_map_get(from->as.map, name);
        found = true;
    }
    return found ||
           render_fail(r, offset, "%s has no field %.*s", value_type_name(from), STR_FMT(name));
}

/* ---- operands, commands, pipelines ---- */

static bool call_function(struct render *r, const struct function *f, size_t offset,
                          struct value_list args, struct value *ret)
{
    struct err e = ERR_INIT;

    if (!f->call(r, args, ret, &e)) {
        return render_fail(r, offset, "%s: %s", f->name, e.message);
    }
    return !r->is_cut ||
           render_fail(r, offset, "%s: the text grows past %d bytes", f->name, TEMPLATE_TEXT_MAX);
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

/* An operand and its fields; <args> are for the last of them. */
static bool eval_chain(struct render *r, const struct operand *op, const struct value *dot,
                       struct value_list args, struct value *ret)
{
    static const struct value_list none = {NULL, 0};
    struct value v;

    if (!step(r, op->offset) || !eval_base(r, op, dot, &v)) {
        return false;
    }
    for (const struct field_name *f = op->fields; f != NULL; f = f->next) {
        struct value inner;
        if (!eval_field(r, &v, f->name, f->next == NULL ? args : none, op->offset, &inner)) {
            return false;
        }
        v = inner;
    }
    *ret = v;
    return true;
}

static bool eval_operand(struct render *r, const struct operand *op, const struct value *dot,
                         struct value *ret)
{
    return eval_chain(r, op, dot, (struct value_list){0}, ret);
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

    if (c->args->kind == OPERAND_FUNCTION && c->args->function->lazy) {
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
    if (c->args->kind != OPERAND_FUNCTION) {
        return eval_chain(r, c->args, dot, (struct value_list){args, count}, ret);
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
    if (v->kind == VALUE_OBJECT) {
        return value_object_at(v, (size_t)i, ret_key, ret_element);
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
           v->kind == VALUE_OBJECT || v->kind == VALUE_INT || v->kind == VALUE_NIL;
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

/* Variables for a body at the present depth: the predeclared ones that it names, and $ as <dot>. */
static void enter_frame(struct render *r, const struct definition *d, const struct value *dot)
{
    struct frame *f = &r->frames[r->depth];

    if (r->depth >= r->frame_count) {
        f->capacity = 0;
        r->frame_count = r->depth + 1;
    }
    if (f->capacity < d->slot_count) {
        f->slots = arena_array(&r->arena, struct value, d->slot_count);
        f->capacity = d->slot_count;
    }
    for (uint32_t left = d->known; left != 0; left &= left - 1) {
        int i = __builtin_ctz(left);
        f->slots[i] = predeclared[i].read(r->data, r->world);
    }
    f->slots[0] = *dot;
    r->slots = f->slots;
}

static enum flow run_definition(struct render *r, const struct definition *d,
                                const struct value *dot)
{
    const struct template *caller = r->template;
    struct value *slots = r->slots;

    r->depth++;
    r->template = d->owner;
    enter_frame(r, d, dot);
    enum flow flow = run_nodes(r, d->body, dot);
    if (flow == FLOW_FAILED) { /* the error is of the text that is at work */
        return flow;
    }
    r->depth--;
    r->slots = slots;
    r->template = caller;
    return FLOW_ON;
}

static enum flow run_template(struct render *r, const struct node *node, const struct value *dot)
{
    const struct definition *d = definition_find(r->root, node->text);
    struct value v = {.kind = VALUE_NIL};

    INVARIANT(d != NULL);
    if (node->pipe != NULL && !eval_pipe(r, node->pipe, dot, &v)) {
        return FLOW_FAILED;
    }
    if (r->depth >= TEMPLATE_DEPTH_MAX) {
        (void)render_fail(r, node->offset, "templates call each other deeper than %d",
                          TEMPLATE_DEPTH_MAX);
        return FLOW_FAILED;
    }
    return run_definition(r, d, &v);
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

/* The body of a template that is one value: a single action that sets nothing. */
static const struct node *only_action(const struct template *t)
{
    const struct node *body = t->main.body;

    return body != NULL && body->kind == NODE_ACTION && body->next == NULL &&
                   body->pipe->slot_count == 0
               ? body
               : NULL;
}

static enum template_item_kind item_kind(const struct value *v)
{
    static const enum template_item_kind kinds[VALUE_KINDS] = {
        [VALUE_NIL] = ITEM_NONE,      [VALUE_BOOL] = ITEM_FLAG,     [VALUE_INT] = ITEM_INTEGER,
        [VALUE_FLOAT] = ITEM_NUMBER,  [VALUE_TEXT] = ITEM_TEXT,     [VALUE_LABELS] = ITEM_TEXT,
        [VALUE_SAMPLES] = ITEM_TEXT,  [VALUE_SAMPLE] = ITEM_TEXT,   [VALUE_TIME] = ITEM_TEXT,
        [VALUE_DURATION] = ITEM_TEXT, [VALUE_MONTH] = ITEM_TEXT,    [VALUE_WEEKDAY] = ITEM_TEXT,
        [VALUE_MAP] = ITEM_TEXT,      [VALUE_OBJECT] = ITEM_OBJECT,
    };

    return kinds[v->kind];
}

/* Of a template that is one value the value itself; of any other its text. */
static bool run_main(struct render *r, const struct value *dot, enum template_item_kind *ret_kind)
{
    const struct node *action = ret_kind != NULL ? only_action(r->template) : NULL;
    struct value v;

    if (action == NULL) {
        return run_nodes(r, r->template->main.body, dot) != FLOW_FAILED;
    }
    if (!eval_pipe(r, action->pipe, dot, &v)) {
        return false;
    }
    *ret_kind = item_kind(&v);
    if (v.kind != VALUE_NIL) {
        value_print(&v, r->out);
    }
    return true;
}

static bool render(const struct template *t, const struct template_data *data,
                   const struct template_world *world, struct buf *out,
                   enum template_item_kind *ret_kind, struct err *e)
{
    struct frame frames[TEMPLATE_DEPTH_MAX + 1]; /* filled when entered: clearing them costs more */
    struct render r = {.template = t,
                       .root = t,
                       .data = data,
                       .world = world,
                       .out = out,
                       .err = e,
                       .frames = frames};
    size_t start = out->len;
    struct str text;

    if (template_is_text(t, &text)) {
        buf_add_str(out, text);
        return true;
    }
    arena_init(&r.arena, TEMPLATE_BYTES_MAX);
    struct value dot = predeclared[0].read(data, world);
    enter_frame(&r, &t->main, &dot);
    bool done = run_main(&r, &dot, ret_kind);
    if (done && !buf_ok(out)) {
        done = render_fail(&r, 0, "the text grows past %zu bytes", out->max);
    }
    arena_release(&r.arena);
    if (!done) {
        buf_truncate(out, start);
        buf_addf(out, "<error expanding template: %s>", e->message);
        (void)err_wrap(e, "template %.*s", STR_FMT(r.template->name));
    }
    return done;
}

bool template_render(const struct template *t, const struct template_data *data,
                     const struct template_world *world, struct buf *out, struct err *e)
{
    return render(t, data, world, out, NULL, e);
}

bool template_evaluate(const struct template *t, const struct template_data *data,
                       const struct template_world *world, struct buf *out,
                       enum template_item_kind *ret_kind, struct err *e)
{
    enum template_item_kind kind = ITEM_TEXT;

    if (!render(t, data, world, out, &kind, e)) {
        return false;
    }
    *ret_kind = kind;
    return true;
}
