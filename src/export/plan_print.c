/* The plan for a person: what `telex check --tree` prints. */
#include "export/plan.h"

#include "export/plan_print_delivery.h"
#include "export/stage.h"
#include "net/url.h"

enum { STEP = 2 };

struct printer {
    const struct plan_config *config;
    struct buf *out;
    struct plan_habits habits; /* what most consumers do */
};

static void indent(struct printer *p, int depth)
{
    buf_add_repeat(p->out, ' ', (size_t)depth * STEP);
}

/* ---- routes ---- */

static void add_targets(struct printer *p, uint64_t mask)
{
    const char *before = "";

    for (size_t i = 0; i < p->config->target_count; i++) {
        if ((mask >> i & 1) != 0) {
            buf_addf(p->out, "%s%.*s", before, STR_FMT(p->config->targets[i].name));
            before = ", ";
        }
    }
}

static void print_route(struct printer *p, const struct route_config *route)
{
    indent(p, 1);
    if (route->match == NULL) {
        buf_add_text(p->out, "everything");
    } else {
        buf_add_str(p->out, str_trim(route->text));
    }
    buf_add_text(p->out, " -> ");
    add_targets(p, route->to);
    buf_add_text(p->out, route->also_next ? ", and on\n" : "\n");
}

static void print_routes(struct printer *p)
{
    buf_add_text(p->out, "routes\n");
    for (size_t i = 0; i < p->config->route_count; i++) {
        print_route(p, &p->config->routes[i]);
    }
    if (p->config->route_count == 0) {
        buf_add_text(p->out, "  everything -> ");
        add_targets(p, p->config->default_targets);
        buf_add_byte(p->out, '\n');
    }
}

/* ---- targets ---- */

static void print_expansion(struct printer *p, const struct plan_expansion *x, int depth);

static void print_choices(struct printer *p, const struct plan_expansion *x, int depth)
{
    indent(p, depth);
    buf_add_text(p->out, x->first_only ? "the first whose condition holds\n"
                                       : "all whose condition holds\n");
    for (size_t i = 0; i < x->choice_count; i++) {
        const struct plan_choice *choice = &x->choices[i];
        indent(p, depth + 1);
        buf_addf(p->out, "%.*s", STR_FMT(str_trim(choice->text)));
        if (choice->description.len > 0) {
            buf_addf(p->out, " (%.*s)", STR_FMT(choice->description));
        }
        buf_add_byte(p->out, '\n');
        print_expansion(p, choice->to, depth + 2);
    }
    if (x->otherwise != NULL) {
        indent(p, depth + 1);
        buf_add_text(p->out, "otherwise\n");
        print_expansion(p, x->otherwise, depth + 2);
    }
}

static void print_expansion(struct printer *p, const struct plan_expansion *x, int depth)
{
    if (x->choice_count > 0) {
        print_choices(p, x, depth);
        return;
    }
    indent(p, depth);
    if (x->child_count == 0) {
        size_t i = (size_t)__builtin_ctzll(x->outputs);
        buf_addf(p->out, "consumer %.*s\n", STR_FMT(p->config->outputs[i].name));
        return;
    }
    buf_addf(p->out, "all of these; delivered when %zu of %zu ha%s it\n", x->needed, x->child_count,
             x->needed == 1 ? "s" : "ve");
    for (size_t i = 0; i < x->child_count; i++) {
        print_expansion(p, x->children[i], depth + 1);
    }
}

static void print_targets(struct printer *p)
{
    for (size_t i = 0; i < p->config->target_count; i++) {
        const struct target_config *target = &p->config->targets[i];
        buf_addf(p->out, "target %.*s (%s)\n", STR_FMT(target->name), target->kind->name);
        print_expansion(p, target->expansion, 1);
    }
    for (size_t i = 0; i < p->config->self_metrics_count; i++) {
        buf_addf(p->out, "self metrics of %.*s -> ", STR_FMT(p->config->self_metrics[i].monitor));
        add_targets(p, p->config->self_metrics[i].to);
        buf_add_byte(p->out, '\n');
    }
}

/* ---- what a consumer delivers through ---- */

/* A URL, or a text that the kind cannot do without. */
static bool says_where(const struct option *o)
{
    bool is_needed = (o->flags & OPTION_REQUIRED) != 0 && strcmp(o->name, "type") != 0;

    return (o->type == OPTION_URL && strcmp(o->name, "url") == 0) ||
           ((o->type == OPTION_TEXT || o->type == OPTION_URL) && is_needed);
}

/* The first text or address that says where things go. */
static void print_destination(struct printer *p, const struct stage_config *leaf)
{
    const struct option_table *table = leaf->kind->options;

    for (size_t i = 0; table != NULL && i < table->count; i++) {
        const struct option *o = &table->options[i];
        if (says_where(o)) {
            const struct str *text =
                (const struct str *)(const void *)((const char *)leaf->config + o->offset);
            buf_add_text(p->out, text->len > 0 ? " -> " : "");
            (o->type == OPTION_URL ? url_add_site : buf_add_str)(p->out, *text);
            return;
        }
    }
}

static void print_stage(struct printer *p, const struct stage_config *stage, int depth)
{
    indent(p, depth);
    buf_addf(p->out, "%.*s (%s)", STR_FMT(stage->name), stage->kind->name);
    if (stage->child_count == 0) {
        print_destination(p, stage);
    }
    buf_add_byte(p->out, '\n');
    for (size_t i = 0; i < stage->child_count; i++) {
        print_stage(p, stage->children[i], depth + 1);
    }
}

static void print_aside(struct printer *p, const struct delivery_config *d)
{
    static const char *const modes[] = {
        [FALLBACK_HOLD] = "hold", [FALLBACK_DIVERT] = "divert", [FALLBACK_COPY] = "copy"};

    if (d->fallback != NULL) {
        indent(p, 1);
        buf_addf(p->out, "fallback (%s)\n", modes[d->fallback_mode]);
        print_stage(p, d->fallback, 2);
    }
    if (d->dlq != NULL) {
        indent(p, 1);
        buf_add_text(p->out, "dead letters also to\n");
        print_stage(p, d->dlq, 2);
    }
}

static void print_takes(struct printer *p, unsigned takes)
{
    const char *before = ": ";

    for (unsigned kind = 0; kind < RECORD_KINDS; kind++) {
        if ((takes & TAKES(kind)) != 0) {
            buf_addf(p->out, "%s%ss", before, record_kind_name((enum record_kind)kind));
            before = ", ";
        }
    }
    buf_add_byte(p->out, '\n');
}

/* What routes, or without routes the default, can reach; bits of outputs. */
static uint64_t reached(const struct plan_config *config)
{
    uint64_t targets = config->route_count == 0 ? config->default_targets : 0;
    uint64_t outputs = 0;

    for (size_t i = 0; i < config->route_count; i++) {
        targets |= config->routes[i].to;
    }
    for (size_t i = 0; i < config->target_count; i++) {
        outputs |= (targets >> i & 1) != 0 ? config->targets[i].expansion->outputs : 0;
    }
    return outputs;
}

static void print_consumer(struct printer *p, const struct output_config *o, bool is_reached)
{
    buf_addf(p->out, "consumer %.*s", STR_FMT(o->name));
    print_takes(p, o->takes);
    buf_add_text(p->out, is_reached ? "" : "  nothing, unless a rule names it\n");
    if ((o->caps & EXPORTER_LEVEL) != 0) {
        buf_add_text(p->out, "  told again while it lasts; no queue\n");
    } else {
        plan_print_habits(&p->habits, o, p->out);
        print_aside(p, &o->delivery);
    }
    buf_add_text(p->out, "  through\n");
    print_stage(p, o->delivery.stage, 2);
}

void plan_print(const struct plan_config *config, struct buf *out)
{
    struct printer p = {.config = config, .out = out};
    uint64_t outputs = reached(config);

    print_routes(&p);
    print_targets(&p);
    plan_habits_init(&p.habits, config);
    plan_print_common(&p.habits, out);
    for (size_t i = 0; i < config->output_count; i++) {
        print_consumer(&p, &config->outputs[i], (outputs >> i & 1) != 0);
    }
    plan_habits_release(&p.habits);
}
