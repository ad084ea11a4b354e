/*
 * `exporters` and `routes` of a config from outside. They become a plan that is whole, or there is an
 * error with a place in it.
 */
#include "base/mem.h"
#include "export/stage.h"
#include "fake/plan_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 64 * 1024 };

static uint64_t bits(size_t count)
{
    return (UINT64_C(1) << count) - 1;
}

static void check_expansion(const struct plan_expansion *x, uint64_t outputs, unsigned depth)
{
    uint64_t below = 0;
    bool is_chosen = x->choice_count > 0;

    INVARIANT(depth <= STAGE_DEPTH_MAX && x->outputs != 0 && (x->outputs & ~outputs) == 0);
    INVARIANT(x->child_count == 0 || x->choice_count == 0);
    for (size_t i = 0; i < x->child_count; i++) {
        check_expansion(x->children[i], outputs, depth + 1);
        below |= x->children[i]->outputs;
        is_chosen = is_chosen || x->children[i]->is_chosen;
    }
    for (size_t i = 0; i < x->choice_count; i++) {
        INVARIANT(x->choices[i].when != NULL);
        check_expansion(x->choices[i].to, outputs, depth + 1);
        below |= x->choices[i].to->outputs;
    }
    below |= x->otherwise != NULL ? x->otherwise->outputs : 0;
    INVARIANT(x->is_chosen == is_chosen && x->needed <= x->child_count);
    INVARIANT(below == x->outputs || (below == 0 && (x->outputs & (x->outputs - 1)) == 0));
}

static void check_stage(const struct stage_config *stage, unsigned depth)
{
    bool is_leaf = stage->kind->open != NULL || stage->kind->level != NULL;

    INVARIANT(depth <= STAGE_DEPTH_MAX && stage->config != NULL && stage->name.len > 0);
    INVARIANT(is_leaf == (stage->child_count == 0));
    INVARIANT(stage->kind->level == NULL || depth == 1);
    for (size_t i = 0; i < stage->child_count; i++) {
        check_stage(stage->children[i], depth + 1);
    }
}

static void check_plan(const struct plan_config *config)
{
    AUTO(buf_release) struct buf tree = BUF_INIT(BUF_UNLIMITED);
    uint64_t reached = 0;

    INVARIANT(config->output_count <= PLAN_OUTPUTS_MAX && config->target_count <= PLAN_OUTPUTS_MAX);
    INVARIANT((config->default_targets & ~bits(config->target_count)) == 0);
    for (size_t i = 0; i < config->target_count; i++) {
        check_expansion(config->targets[i].expansion, bits(config->output_count), 1);
        reached |= config->targets[i].expansion->outputs;
    }
    INVARIANT(reached == bits(config->output_count));
    for (size_t i = 0; i < config->output_count; i++) {
        const struct output_config *o = &config->outputs[i];
        INVARIANT(o->takes != 0 && o->name.len > 0 && o->delivery.retry.max_age_ns > 0);
        INVARIANT(o->buffer.buffer_size > 0);
        check_stage(o->delivery.stage, 1);
        for (size_t other = 0; other < i; other++) {
            INVARIANT(!str_eq(o->name, config->outputs[other].name));
        }
    }
    for (size_t i = 0; i < config->route_count; i++) {
        INVARIANT(config->routes[i].to != 0);
        INVARIANT((config->routes[i].to & ~bits(config->target_count)) == 0);
    }
    plan_print(config, &tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan_text t;

    if (size > INPUT_MAX) {
        return 0;
    }
    char *text = mem_dup_text((const char *)data, size);
    if (plan_text_parse(&t, text)) {
        check_plan(&t.config);
    } else {
        INVARIANT(t.err.message[0] != '\0' && (t.err.pos.line > 0 || t.err.code == ERR_LIMIT));
    }
    plan_text_release(&t);
    mem_free(text);
    return 0;
}
