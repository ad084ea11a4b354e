#include "export/compile.h"

#include "base/mem.h"
#include "export/compile_int.h"

#include <stdarg.h>

/* ---- above ---- */

const struct tree_exporter *above_find(const struct above *above, enum combinator combinator)
{
    while (above != NULL && above->by->kind->combinator != combinator) {
        above = above->outer;
    }
    return above != NULL ? above->by : NULL;
}

bool above_is_chooser(const struct above *above)
{
    return above->by->kind->combinator == COMBINATOR_MULTI ||
           above->by->kind->combinator == COMBINATOR_CONDITIONAL;
}

bool above_changes(const struct above *above)
{
    while (above != NULL && above_is_chooser(above)) {
        above = above->outer;
    }
    return above != NULL;
}

static size_t multi_needed(const struct tree_exporter *x)
{
    const struct multi_config *config = x->config;

    return config->failure_policy == MULTI_STOP ? x->link_count : (size_t)config->min_success_count;
}

bool multi_is_quorum(const struct tree_exporter *x)
{
    return x->kind->combinator == COMBINATOR_MULTI && multi_needed(x) > 1;
}

/* ---- errors ---- */

bool compile_err(const struct spot *spot, struct err *e, enum err_code code, const char *fmt, ...)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    return spot->node != NULL ? yaml_err(spot->node, e, code, "%s", buf_text(&text))
                              : tree_err(spot->x, e, code, "%s", buf_text(&text));
}

bool compile_step(struct compiler *c, const struct spot *spot, struct err *e)
{
    return ++c->steps <= COMPILE_STEPS_MAX ||
           compile_err(spot, e, ERR_LIMIT,
                       "exporters name each other in too many ways; name fewer of them");
}

/* ---- ways down ---- */

static struct plan_expansion *expand(struct compiler *c, const struct spot *spot, struct err *e);

/* The spot of a child, one name further where ways part. */
static struct spot below(struct compiler *c, const struct spot *spot, const struct tree_link *link,
                         const struct above *above, bool parts)
{
    struct spot next = {.x = link->to, .above = above, .path = spot->path, .node = link->node};

    if (!above_changes(above) && link->to->is_entry) {
        next.path = link->to->name;
    } else if (parts) {
        next.path = arena_printf(c->tree->arena, "%.*s/%.*s", STR_FMT(spot->path),
                                 STR_FMT(link->to->simple));
    }
    return next;
}

static struct plan_expansion *expand_end(struct compiler *c, const struct spot *spot, struct err *e)
{
    size_t output = 0;

    if (!compile_consumer(c, spot, &output, e)) {
        return NULL;
    }
    struct plan_expansion *ret = arena_new(c->tree->arena, struct plan_expansion);
    ret->outputs = UINT64_C(1) << output;
    return ret;
}

/* Adds itself to what stands above its only child. */
static struct plan_expansion *expand_through(struct compiler *c, const struct spot *spot,
                                             struct err *e)
{
    const struct above above = {spot->above, spot->x};
    const struct tree_link *link = tree_link_of(spot->x, ROLE_CHILD);

    if (link == NULL) {
        (void)compile_err(spot, e, ERR_CONFIG, "'%.*s' stands around nothing; expected 'exporter'",
                          STR_FMT(spot->x->name));
        return NULL;
    }
    const struct spot next = below(c, spot, link, &above, false);
    return expand(c, &next, e);
}

static struct plan_expansion *expand_buffer(struct compiler *c, const struct spot *spot,
                                            struct err *e)
{
    const struct tree_exporter *other = above_find(spot->above, COMBINATOR_BUFFER);

    if (other != NULL) {
        (void)compile_err(spot, e, ERR_CONFIG,
                          "'%.*s' is a buffer below the buffer '%.*s': records are gathered once; "
                          "remove one of them",
                          STR_FMT(spot->x->name), STR_FMT(other->name));
        return NULL;
    }
    other = above_find(spot->above, COMBINATOR_MULTI);
    if (other != NULL) {
        (void)compile_err(
            spot, e, ERR_CONFIG,
            "'%.*s' is a buffer below the quorum '%.*s', which would wait for what is "
            "gathered; put the buffer above it",
            STR_FMT(spot->x->name), STR_FMT(other->name));
        return NULL;
    }
    return expand_through(c, spot, e);
}

static struct plan_expansion *expand_resilient(struct compiler *c, const struct spot *spot,
                                               struct err *e)
{
    const struct tree_exporter *other = above_find(spot->above, COMBINATOR_RESILIENT);

    if (other != NULL) {
        (void)compile_err(
            spot, e, ERR_CONFIG,
            "'%.*s' is resilient below '%.*s', which is: tries would multiply; remove "
            "one of them",
            STR_FMT(spot->x->name), STR_FMT(other->name));
        return NULL;
    }
    return expand_through(c, spot, e);
}

/* ---- side by side ---- */

static bool check_quorum(const struct spot *spot, struct err *e)
{
    const struct multi_config *config = spot->x->config;
    const struct tree_exporter *resilient = above_find(spot->above, COMBINATOR_RESILIENT);
    const struct yaml_node *count = tree_option(spot->x, STR("min_success_count"));
    bool is_parallel = config->strategy == MULTI_PARALLEL;

    if (config->min_success_count > (int64_t)spot->x->link_count) {
        return yaml_err(count != NULL ? count : spot->x->node, e, ERR_CONFIG,
                        "'%.*s' wants %lld of its exporters to have a record, but has %zu",
                        STR_FMT(spot->x->name), (long long)config->min_success_count,
                        spot->x->link_count);
    }
    if (!is_parallel && config->min_success_count > 1) {
        return yaml_err(count != NULL ? count : spot->x->node, e, ERR_CONFIG,
                        "min_success_count counts exporters side by side: it has a meaning with "
                        "'strategy: parallel' alone");
    }
    if (is_parallel && multi_is_quorum(spot->x) && resilient != NULL) {
        return compile_err(spot, e, ERR_CONFIG,
                           "'%.*s' wants several exporters to have a record and cannot stand below "
                           "'%.*s': a try for all would repeat what some have; put 'resilient' "
                           "around each of them",
                           STR_FMT(spot->x->name), STR_FMT(resilient->name));
    }
    return true;
}

/* What stands above and cannot stand above what parts ways; NULL reasons: it can. */
static bool check_above_parting(const struct spot *spot, bool is_conditional, struct err *e)
{
    for (const struct above *a = spot->above; a != NULL; a = a->outer) {
        const struct exporter_kind *kind = a->by->kind;
        const char *reason =
            is_conditional ? kind->not_above_conditional : kind->not_above_parallel;
        if (reason != NULL) {
            return compile_err(
                spot, e, ERR_CONFIG, "'%.*s' (%s) cannot stand above the %s '%.*s': %s",
                STR_FMT(a->by->name), kind->name, is_conditional ? "conditional" : "parallel multi",
                STR_FMT(spot->x->name), reason);
        }
    }
    return true;
}

/* The calls of <output> count for the multi, in the order of ids. */
static void limit_output(struct compiler *c, const struct spot *spot, struct output_config *output)
{
    const struct multi_config *config = spot->x->config;
    struct delivery_config *d = &output->delivery;
    size_t at = d->limit_count;

    for (size_t i = 0; i < d->limit_count; i++) {
        if (d->limits[i].id == config) {
            return;
        }
    }
    if (d->limit_count == DELIVERY_LIMITS_MAX) {
        warn_limits(c, spot->x, output->name);
        return;
    }
    for (; at > 0 && (uintptr_t)d->limits[at - 1].id > (uintptr_t)config; at--) {
        d->limits[at] = d->limits[at - 1];
    }
    d->limits[at] = (struct call_limit){config, spot->x->name, config->max_concurrent_exports,
                                        config->export_timeout_ns};
    d->limit_count++;
}

static struct plan_expansion *expand_parallel(struct compiler *c, const struct spot *spot,
                                              struct err *e)
{
    struct plan_expansion *ret = arena_new(c->tree->arena, struct plan_expansion);
    const struct plan_expansion **children =
        arena_array(c->tree->arena, const struct plan_expansion *, spot->x->link_count);
    const struct above quorum = {spot->above, spot->x};
    const struct above *above = multi_is_quorum(spot->x) ? &quorum : spot->above;

    if (!check_above_parting(spot, false, e)) {
        return NULL;
    }
    for (size_t i = 0; i < spot->x->link_count; i++) {
        const struct spot next = below(c, spot, &spot->x->links[i], above, true);
        for (size_t o = 0; o < i; o++) {
            if (spot->x->links[o].to == next.x) {
                (void)compile_err(&next, e, ERR_CONFIG, "'%.*s' is named twice here",
                                  STR_FMT(next.x->name));
                return NULL;
            }
        }
        children[i] = expand(c, &next, e);
        if (children[i] == NULL) {
            return NULL;
        }
        ret->outputs |= children[i]->outputs;
        ret->is_chosen = ret->is_chosen || children[i]->is_chosen;
    }
    ret->children = children;
    ret->child_count = spot->x->link_count;
    ret->needed = multi_needed(spot->x);
    for (uint64_t rest = ret->outputs; rest != 0; rest &= rest - 1) {
        limit_output(c, spot, &c->outputs[__builtin_ctzll(rest)]);
    }
    return ret;
}

static struct plan_expansion *expand_multi(struct compiler *c, const struct spot *spot,
                                           struct err *e)
{
    const struct multi_config *config = spot->x->config;

    if (!check_quorum(spot, e)) {
        return NULL;
    }
    return (config->strategy == MULTI_PARALLEL ? expand_parallel : expand_end)(c, spot, e);
}

/* ---- chosen ---- */

static struct plan_expansion *expand_conditional(struct compiler *c, const struct spot *spot,
                                                 struct err *e)
{
    const struct conditional_config *config = spot->x->config;
    struct plan_expansion *ret = arena_new(c->tree->arena, struct plan_expansion);
    struct plan_choice *choices =
        arena_array(c->tree->arena, struct plan_choice, spot->x->link_count);
    const struct above above = {spot->above, spot->x};

    if (!check_above_parting(spot, true, e)) {
        return NULL;
    }
    for (size_t i = 0; i < spot->x->link_count; i++) {
        const struct tree_link *link = &spot->x->links[i];
        const struct spot next = below(c, spot, link, &above, true);
        const struct plan_expansion *to = expand(c, &next, e);
        if (to == NULL) {
            return NULL;
        }
        ret->outputs |= to->outputs;
        if (link->role == ROLE_DEFAULT) {
            ret->otherwise = to;
        } else {
            choices[ret->choice_count++] =
                (struct plan_choice){link->when, link->when_text, link->description, to};
        }
    }
    ret->choices = choices;
    ret->first_only = config->match == CONDITIONAL_FIRST;
    ret->is_chosen = true;
    return ret;
}

/* ---- all of them ---- */

static struct plan_expansion *expand_other(struct compiler *c, const struct spot *spot,
                                           struct err *e)
{
    return (tree_is_leaf(spot->x) ? expand_end : expand_through)(c, spot, e);
}

static struct plan_expansion *(*const expanders[])(struct compiler *, const struct spot *,
                                                   struct err *) = {
    [COMBINATOR_NONE] = expand_other,
    [COMBINATOR_BUFFER] = expand_buffer,
    [COMBINATOR_RESILIENT] = expand_resilient,
    [COMBINATOR_MULTI] = expand_multi,
    [COMBINATOR_CONDITIONAL] = expand_conditional,
};

/* NULL with the reason in <e>. What stands alone comes to the same wherever it is named. */
static struct plan_expansion *expand(struct compiler *c, const struct spot *spot, struct err *e)
{
    struct tree_exporter *x = spot->x;

    if (spot->above == NULL && x->expansion != NULL) {
        return x->expansion;
    }
    struct plan_expansion *ret =
        compile_step(c, spot, e) ? expanders[x->kind->combinator](c, spot, e) : NULL;
    if (spot->above == NULL) {
        x->expansion = ret;
    }
    return ret;
}

/* ---- targets ---- */

static bool add_target(struct compiler *c, struct tree_exporter *x, struct target_config *ret,
                       struct err *e)
{
    const struct spot spot = {.x = x, .path = x->name};
    const struct plan_expansion *expansion = expand(c, &spot, e);

    if (expansion == NULL) {
        return err_wrap(e, "exporter '%.*s'", STR_FMT(x->name));
    }
    *ret = (struct target_config){
        .name = x->name, .kind = x->kind, .node = x->node, .expansion = expansion};
    ret->caps = ~0U;
    for (size_t i = 0; i < c->output_count; i++) {
        if ((expansion->outputs >> i & 1) != 0) {
            ret->takes |= c->outputs[i].takes;
            ret->caps &= c->outputs[i].caps;
        }
    }
    return true;
}

/* The entries, and where monitors send what they measure. */
static bool is_target(const struct tree *t, const struct tree_exporter *x)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct tree_link *l = tree_link_of(t->exporters[i], ROLE_SELF_METRICS);
        if (l != NULL && l->to == x) {
            return true;
        }
    }
    return x->is_entry;
}

static int target_of(const struct plan_config *config, struct str name)
{
    for (size_t i = 0; i < config->target_count; i++) {
        if (str_eq(config->targets[i].name, name)) {
            return (int)i;
        }
    }
    return -1;
}

static bool add_targets(struct compiler *c, struct plan_config *config, struct err *e)
{
    struct target_config *targets =
        arena_array(c->tree->arena, struct target_config, PLAN_OUTPUTS_MAX);

    config->targets = targets;
    for (size_t i = 0; i < c->tree->count; i++) {
        struct tree_exporter *x = c->tree->exporters[i];
        if (!is_target(c->tree, x)) {
            continue;
        }
        if (config->target_count == PLAN_OUTPUTS_MAX) {
            return tree_err(x, e, ERR_LIMIT, "'%.*s' is one too many: there can be %d",
                            STR_FMT(x->name), PLAN_OUTPUTS_MAX);
        }
        if (!add_target(c, x, &targets[config->target_count], e)) {
            return false;
        }
        if (!x->is_referred && !x->is_named && (x->kind->caps & EXPORTER_NAMED) == 0) {
            config->default_targets |= UINT64_C(1) << config->target_count;
        }
        config->target_count++;
    }
    return true;
}

static void add_self_metrics(struct compiler *c, struct plan_config *config)
{
    struct self_metrics_config *all =
        arena_array(c->tree->arena, struct self_metrics_config, c->tree->count);

    config->self_metrics = all;
    for (size_t i = 0; i < c->tree->count; i++) {
        const struct tree_link *l = tree_link_of(c->tree->exporters[i], ROLE_SELF_METRICS);
        int target = l != NULL ? target_of(config, l->to->name) : -1;
        if (target >= 0) {
            all[config->self_metrics_count++] =
                (struct self_metrics_config){c->tree->exporters[i]->name, UINT64_C(1) << target};
        }
    }
}

/* Everything that was written, for those who check clients and the like. */
static void add_exporters(struct compiler *c, struct plan_config *config)
{
    struct exporter_config *all =
        arena_array(c->tree->arena, struct exporter_config, c->tree->count);

    for (size_t i = 0; i < c->tree->count; i++) {
        const struct tree_exporter *x = c->tree->exporters[i];
        all[i] = (struct exporter_config){x->name, x->kind, x->config, x->node};
        warn_advice(c, x);
    }
    config->exporters = all;
    config->exporter_count = c->tree->count;
}

bool plan_compile(struct tree *t, struct plan_config *config, struct err *e)
{
    struct compiler *c = arena_new(t->arena, struct compiler);

    c->tree = t;
    if (!add_targets(c, config, e)) {
        return false;
    }
    add_self_metrics(c, config);
    add_exporters(c, config);
    warn_unmade(c);
    config->warnings = c->warnings;
    config->warning_count = c->warning_count;
    config->outputs = c->outputs;
    config->output_count = c->output_count;
    return true;
}
