/*
 * Random trees over destinations that misbehave. What is refused has a reason and a place; of what is
 * taken, every record that was acknowledged is, for each exporter that a simple reading of the tree
 * says must have it, delivered, with its fallback, or a dead letter; and a series is in order.
 */
#include "export/plan.h"

#include "base/map.h"
#include "base/mem.h"
#include "export/combinator.h"
#include "export/stage.h"
#include "fake/plan_kit.h"
#include "fake/plan_text.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    LEAVES = 6,
    ROOTS_MAX = 3,
    DEPTH_MAX = 4,
    NODES_MAX = 64,
    WIDTH_MAX = 3,
    ROUNDS = 80,
    BATCHES = 8,
    SERIES = 5,
    STRIDE = 100, /* value: series * STRIDE + sequence */
    VALUES = SERIES * STRIDE,
    NEEDS_MAX = 256,
};

/* ---- trees, and what a simple reading of them says ---- */

enum node_kind {
    NODE_LEAF,
    NODE_BUFFER,
    NODE_STAGE,
    NODE_RESILIENT,
    NODE_MULTI,
    NODE_CONDITIONAL,
    NODE_KINDS
};

struct node {
    enum node_kind kind;
    int strategy;
    bool first_only;
    bool has_default; /* the last child */
    int threshold[WIDTH_MAX];
    unsigned leaf;     /* of a leaf; of a fallback */
    bool has_fallback; /* of a resilient */
    const struct node *children[WIDTH_MAX];
    size_t child_count;
};

struct trees {
    struct rng rng;
    struct buf yaml;
    struct node nodes[NODES_MAX];
    size_t node_count;
    const struct node *roots[ROOTS_MAX];
    size_t root_count;
};

static uint64_t below(struct trees *t, uint64_t limit)
{
    return rng_below(&t->rng, limit);
}

static const struct node *grow(struct trees *t, int depth);

static void grow_leaf(struct trees *t, struct node *n, int depth)
{
    (void)depth;
    n->leaf = (unsigned)below(t, LEAVES);
    buf_addf(&t->yaml, "d%u", n->leaf);
}

static void grow_buffer(struct trees *t, struct node *n, int depth)
{
    buf_addf(&t->yaml, "{ type: buffer, buffer_size: %u, flush_interval: %ums, exporter: ",
             1 + (unsigned)below(t, 12), (unsigned)below(t, 6));
    n->children[n->child_count++] = grow(t, depth + 1);
    buf_add_text(&t->yaml, " }");
}

/* Two stages that leave everything as it is. */
static void grow_stage(struct trees *t, struct node *n, int depth)
{
    buf_add_text(
        &t->yaml,
        below(t, 2) == 0
            ? "{ type: relabel, relabel_configs: [{ regex: x, action: labeldrop }], exporter: "
            : "{ type: rate_limit, records_per_second: 1000000, exporter: ");
    n->children[n->child_count++] = grow(t, depth + 1);
    buf_add_text(&t->yaml, " }");
}

static void grow_resilient(struct trees *t, struct node *n, int depth)
{
    static const char *const modes[] = {"hold", "divert", "copy"};

    buf_addf(&t->yaml,
             "{ type: resilient, retry: { max_retries: %u }, health_check_interval: 0, "
             "circuit_breaker: { failure_threshold: %u, recovery_timeout: 2ms, "
             "half_open_max_calls: %u }, ",
             (unsigned)below(t, 4), (unsigned)below(t, 4), 1 + (unsigned)below(t, 2));
    n->has_fallback = below(t, 2) == 0;
    n->leaf = (unsigned)below(t, LEAVES);
    if (n->has_fallback) {
        buf_addf(&t->yaml, "fallback_exporter: d%u, fallback_mode: %s, ", n->leaf,
                 modes[below(t, 3)]);
    }
    buf_add_text(&t->yaml, "exporter: ");
    n->children[n->child_count++] = grow(t, depth + 1);
    buf_add_text(&t->yaml, " }");
}

static void grow_multi(struct trees *t, struct node *n, int depth)
{
    static const char *const names[] = {"parallel", "sequential", "failover"};
    size_t width = 1 + below(t, WIDTH_MAX);

    n->strategy = (int)below(t, MULTI_STRATEGIES);
    if (n->strategy != MULTI_PARALLEL && multi_stages[n->strategy]->stage == NULL) {
        n->strategy = MULTI_PARALLEL;
    }
    buf_addf(&t->yaml, "{ type: multi, strategy: %s, min_success_count: %u, exporters: [",
             names[n->strategy], below(t, 4) == 0 ? 2U : 1U);
    for (size_t i = 0; i < width; i++) {
        buf_add_text(&t->yaml, i > 0 ? ", " : "");
        n->children[n->child_count++] = grow(t, depth + 1);
    }
    buf_add_text(&t->yaml, "] }");
}

static void grow_conditional(struct trees *t, struct node *n, int depth)
{
    size_t width = 1 + below(t, WIDTH_MAX - 1);

    n->first_only = below(t, 2) == 0;
    buf_addf(&t->yaml, "{ type: conditional, match: %s, conditions: [",
             n->first_only ? "first" : "all");
    for (size_t i = 0; i < width; i++) {
        n->threshold[i] = (int)below(t, VALUES);
        buf_addf(&t->yaml, "%s{ condition: value >= %d, exporter: ", i > 0 ? ", " : "",
                 n->threshold[i]);
        n->children[n->child_count++] = grow(t, depth + 1);
        buf_add_text(&t->yaml, " }");
    }
    buf_add_byte(&t->yaml, ']');
    n->has_default = below(t, 2) == 0;
    if (n->has_default) {
        buf_add_text(&t->yaml, ", default: ");
        n->children[n->child_count++] = grow(t, depth + 1);
    }
    buf_add_text(&t->yaml, " }");
}

static void (*const growers[NODE_KINDS])(struct trees *, struct node *, int) = {
    [NODE_LEAF] = grow_leaf,     [NODE_STAGE] = grow_stage,
    [NODE_BUFFER] = grow_buffer, [NODE_RESILIENT] = grow_resilient,
    [NODE_MULTI] = grow_multi,   [NODE_CONDITIONAL] = grow_conditional,
};

static const struct node *grow(struct trees *t, int depth)
{
    INVARIANT(t->node_count < NODES_MAX);
    struct node *n = &t->nodes[t->node_count++];
    bool ends = depth >= DEPTH_MAX || t->node_count > NODES_MAX / 2 || below(t, 3) == 0;

    n->kind = ends ? NODE_LEAF : (enum node_kind)(1 + below(t, NODE_KINDS - 1));
    growers[n->kind](t, n, depth);
    return n;
}

static void grow_all(struct trees *t, uint64_t seed)
{
    memset(t, 0, sizeof(*t));
    rng_seed(&t->rng, seed);
    buf_init(&t->yaml, BUF_UNLIMITED);
    buf_add_text(&t->yaml, "exporters:\n");
    for (unsigned i = 0; i < LEAVES; i++) {
        buf_addf(&t->yaml, "  d%u: { type: webhook, url: 'http://h/%u', buffer: { lanes: %u } }\n",
                 i, i, 1 + (unsigned)below(t, 2));
    }
    t->root_count = 1 + below(t, ROOTS_MAX);
    for (size_t i = 0; i < t->root_count; i++) {
        buf_addf(&t->yaml, "  t%zu: { type: multi, exporters: [", i);
        t->roots[i] = grow(t, 1);
        buf_add_text(&t->yaml, "] }\n");
    }
    buf_add_text(&t->yaml, "routes:\n  - to: [t0");
    for (size_t i = 1; i < t->root_count; i++) {
        buf_addf(&t->yaml, ", t%zu", i);
    }
    buf_add_text(&t->yaml, "]\n");
}

/* One of these destinations must have the record. */
struct needs {
    unsigned masks[NEEDS_MAX];
    size_t count;
};

static void need(struct needs *needs, const struct node *n, int value, unsigned fallbacks);

static void need_chosen(struct needs *needs, const struct node *n, int value, unsigned fallbacks)
{
    size_t count = n->child_count - (n->has_default ? 1 : 0);
    bool is_any = false;

    for (size_t i = 0; i < count && !(is_any && n->first_only); i++) {
        if (value >= n->threshold[i]) {
            need(needs, n->children[i], value, fallbacks);
            is_any = true;
        }
    }
    if (!is_any && n->has_default) {
        need(needs, n->children[count], value, fallbacks);
    }
}

/* What any child has is enough. */
static void need_one(struct needs *needs, const struct node *n, int value, unsigned fallbacks)
{
    struct needs all = {.count = 0};
    unsigned mask = fallbacks;

    for (size_t i = 0; i < n->child_count; i++) {
        need(&all, n->children[i], value, 0);
    }
    for (size_t i = 0; i < all.count; i++) {
        mask |= all.masks[i];
    }
    needs->masks[needs->count++] = mask;
}

static void need(struct needs *needs, const struct node *n, int value, unsigned fallbacks)
{
    INVARIANT(needs->count < NEEDS_MAX);
    if (n->kind == NODE_LEAF) {
        needs->masks[needs->count++] = fallbacks | 1U << n->leaf;
        return;
    }
    if (n->kind == NODE_CONDITIONAL) {
        need_chosen(needs, n, value, fallbacks);
        return;
    }
    if (n->kind == NODE_MULTI && n->strategy == MULTI_FAILOVER) {
        need_one(needs, n, value, fallbacks);
        return;
    }
    fallbacks |= n->has_fallback ? 1U << n->leaf : 0;
    for (size_t i = 0; i < n->child_count; i++) {
        need(needs, n->children[i], value, fallbacks);
    }
}

/* ---- a plan over fakes ---- */

struct scene {
    struct trees trees;
    struct plan_text text;
    struct plan_kit *kit;
    unsigned reach[PLAN_OUTPUTS_MAX];    /* destinations that an output can deliver to */
    bool dead[PLAN_OUTPUTS_MAX][VALUES]; /* what became a dead letter there */
    bool has[LEAVES][VALUES];            /* what a destination has */
    size_t ways[LEAVES];                 /* outputs that can deliver to it */
    bool refuses[LEAVES];                /* some records, for good */
};

/* The leaves' wires become the kit's destinations; gives which. */
static unsigned use_fakes(struct plan_kit *k, const struct stage_config *const_stage)
{
    struct stage_config *stage = (struct stage_config *)(uintptr_t)const_stage;
    unsigned mask = 0;

    if (stage == NULL) {
        return 0;
    }
    for (size_t i = 0; i < stage->child_count; i++) {
        mask |= use_fakes(k, stage->children[i]);
    }
    if (stage->child_count == 0) {
        size_t leaf = (size_t)(stage->name.ptr[1] - '0');
        INVARIANT(stage->name.ptr[0] == 'd' && leaf < LEAVES);
        fake_config_init(&k->configs[leaf], &k->destinations[leaf]);
        stage->kind = &fake_kind;
        stage->config = &k->configs[leaf];
        mask = 1U << leaf;
    }
    return mask;
}

static void use_fake_leaves(struct scene *s)
{
    struct plan_config *config = &s->text.config;

    config->state_path = str_of(s->kit->folder);
    for (size_t i = 0; i < config->output_count; i++) {
        struct output_config *o = (struct output_config *)(uintptr_t)&config->outputs[i];
        s->reach[i] =
            use_fakes(s->kit, o->delivery.stage) | use_fakes(s->kit, o->delivery.fallback);
        o->delivery.retry.backoff.initial_delay_ns = NS_PER_MS;
        o->delivery.retry.backoff.max_delay_ns = NS_PER_MS;
        for (size_t d = 0; d < LEAVES; d++) {
            s->ways[d] += s->reach[i] >> d & 1;
        }
    }
}

static void misbehave(struct scene *s)
{
    static const enum verdict verdicts[] = {VERDICT_RETRY, VERDICT_UNKNOWN, VERDICT_REJECTED};
    struct trees *t = &s->trees;

    for (size_t d = 0; d < LEAVES; d++) {
        size_t steps = below(t, 6);
        bool is_picky = below(t, 2) == 0;
        for (size_t i = 0; i < steps; i++) {
            struct destination_step step = {.rest = verdicts[below(t, is_picky ? 3 : 2)],
                                            .settled = (uint32_t)below(t, 4),
                                            .times = 1 + (uint32_t)below(t, 3),
                                            .message = "down"};
            if (is_picky && below(t, 3) == 0) {
                step.except[0].verdict = VERDICT_REJECTED;
                step.except[0].reason = "bad";
            }
            s->refuses[d] =
                s->refuses[d] || step.rest == VERDICT_REJECTED || step.except[0].reason != NULL;
            destination_plan(&s->kit->destinations[d], step);
        }
        if (below(t, 4) == 0) {
            destination_refuse(&s->kit->destinations[d], VERDICT_RETRY);
        }
    }
}

static void mend(struct scene *s)
{
    for (size_t d = 0; d < LEAVES; d++) {
        struct destination *destination = &s->kit->destinations[d];
        lock_take(&destination->lock);
        destination->step = destination->step_count = 0;
        lock_give(&destination->lock);
    }
}

/* One sample of each series. */
static struct batch *next_batch(uint32_t sequence)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .rule = STR("r")};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct labels **series = arena_array(batch_arena(b), struct labels *, SERIES);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, SERIES);
    int64_t *times = arena_array(batch_arena(b), int64_t, SERIES);
    double *values = arena_array(batch_arena(b), double, SERIES);

    for (uint32_t i = 0; i < SERIES; i++) {
        static const char *const names[SERIES] = {"a", "b", "c", "d", "e"};
        struct labels_builder builder;
        struct err e = ERR_INIT;
        labels_builder_init(&builder);
        labels_builder_set(&builder, STR("__name__"), str_of(names[i]));
        INVARIANT(labels_build(&builder, &series[i], &e));
        labels_builder_release(&builder);
        series_of[i] = i;
        times[i] = (1000 + sequence) * NS_PER_MS;
        values[i] = (double)(i * STRIDE + sequence);
    }
    batch_set_samples(b, (struct samples){series, SERIES, SERIES, series_of, times, values, NULL});
    return b;
}

static void open_plan(struct scene *s)
{
    struct err e = ERR_INIT;

    if (!plan_open(&s->kit->env, &s->text.config, &s->kit->plan, &e)) {
        fail_msg("%s", e.message);
    }
}

/* Gives, perhaps stops in the middle and goes on, until everything is done. */
static void run(struct scene *s)
{
    uint32_t stop_at = (uint32_t)below(&s->trees, 2 * BATCHES);

    misbehave(s);
    open_plan(s);
    for (uint32_t i = 0; i < BATCHES; i++) {
        uint64_t seq = 0;
        assert_true(plan_kit_give(s->kit, next_batch(i), (struct give){.durable = true}, &seq));
        if (i == stop_at) {
            plan_kit_close(s->kit);
            open_plan(s);
        }
    }
    (void)plan_kit_drain(s->kit, (int64_t)below(&s->trees, 30));
    plan_kit_close(s->kit);
    mend(s);
    open_plan(s);
    uint64_t left = plan_kit_drain(s->kit, DESTINATION_PATIENCE_MS);
    plan_kit_close(s->kit);
    if (left > 0) {
        fail_msg("%llu frames are still owed:\n%s", (unsigned long long)left,
                 buf_text(&s->trees.yaml));
    }
}

/* ---- checks ---- */

static void collect(struct scene *s)
{
    for (size_t d = 0; d < LEAVES; d++) {
        const struct destination *destination = &s->kit->destinations[d];
        for (size_t i = 0; i < destination->got.len; i++) {
            s->has[d][(size_t)destination->got.items[i]] = true;
        }
    }
    for (size_t i = 0; i < s->text.config.output_count; i++) {
        char *name =
            mem_dup_text(s->text.config.outputs[i].name.ptr, s->text.config.outputs[i].name.len);
        char *letters = plan_kit_dead(s->kit, name);
        for (char *at = strchr(letters, ':'); at != NULL; at = strchr(at, ':')) {
            for (at++; at[0] == ' ' && at[1] >= '0' && at[1] <= '9';) {
                s->dead[i][strtoul(at, &at, 10)] = true;
            }
        }
        mem_free(letters);
        mem_free(name);
    }
}

static bool is_accounted(const struct scene *s, unsigned mask, size_t value)
{
    bool ok = false;

    for (size_t d = 0; d < LEAVES; d++) {
        ok = ok || ((mask >> d & 1) != 0 && s->has[d][value]);
    }
    for (size_t i = 0; i < s->text.config.output_count; i++) {
        ok = ok || ((s->reach[i] & mask) != 0 && s->dead[i][value]);
    }
    return ok;
}

static void check_custody(struct scene *s)
{
    struct needs *needs = mem_new(struct needs);

    for (int series = 0; series < SERIES; series++) {
        for (int sequence = 0; sequence < BATCHES; sequence++) {
            int value = series * STRIDE + sequence;
            needs->count = 0;
            for (size_t i = 0; i < s->trees.root_count; i++) {
                need(needs, s->trees.roots[i], value, 0);
            }
            for (size_t i = 0; i < needs->count; i++) {
                if (!is_accounted(s, needs->masks[i], (size_t)value)) {
                    fail_msg("nobody of %x has %d:\n%s", needs->masks[i], value,
                             buf_text(&s->trees.yaml));
                }
            }
        }
    }
    mem_free(needs);
}

/*
 * What came first of each row is in order, where one consumer alone delivers to who refuses nothing:
 * a row that was refused when the plan was stopped may be taken afterwards.
 */
static void check_order(struct scene *s)
{
    for (size_t d = 0; d < LEAVES; d++) {
        const struct destination *destination = &s->kit->destinations[d];
        int last[SERIES] = {-1, -1, -1, -1, -1};
        bool seen[VALUES] = {false};
        for (size_t i = 0; s->ways[d] == 1 && !s->refuses[d] && i < destination->got.len; i++) {
            int value = (int)destination->got.items[i];
            if (!seen[value] && value % STRIDE < last[value / STRIDE]) {
                fail_msg("d%zu has %d behind %d:\n%s\n%s", d, value, last[value / STRIDE],
                         buf_text(&s->trees.yaml), buf_text(&s->kit->destinations[d].tried));
            }
            last[value / STRIDE] = seen[value] ? last[value / STRIDE] : value % STRIDE;
            seen[value] = true;
        }
    }
}

/* Nobody has what the conditions keep away. */
static void check_choices(struct scene *s)
{
    struct needs *needs = mem_new(struct needs);

    for (size_t value = 0; value < VALUES; value++) {
        unsigned mask = 0;
        needs->count = 0;
        for (size_t i = 0; i < s->trees.root_count; i++) {
            need(needs, s->trees.roots[i], (int)value, 0);
        }
        for (size_t i = 0; i < needs->count; i++) {
            mask |= needs->masks[i];
        }
        for (size_t d = 0; d < LEAVES; d++) {
            if (s->has[d][value] && (mask >> d & 1) == 0) {
                fail_msg("d%zu has %zu:\n%s", d, value, buf_text(&s->trees.yaml));
            }
        }
    }
    mem_free(needs);
}

/* ---- rounds ---- */

static bool play(uint64_t seed)
{
    struct scene *s = mem_new(struct scene);

    grow_all(&s->trees, seed);
    bool ok = plan_text_parse(&s->text, buf_text(&s->trees.yaml));
    if (ok) {
        s->kit = mem_new(struct plan_kit);
        plan_kit_start(s->kit);
        use_fake_leaves(s);
        run(s);
        collect(s);
        check_custody(s);
        check_order(s);
        check_choices(s);
        plan_kit_stop(s->kit);
        mem_free(s->kit);
    } else {
        assert_true(s->text.err.message[0] != '\0' && s->text.err.pos.line > 0);
    }
    plan_text_release(&s->text);
    buf_release(&s->trees.yaml);
    mem_free(s);
    return ok;
}

static void trees_keep_what_they_promise(void **state)
{
    size_t taken = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        taken += play(seed) ? 1 : 0;
    }
    print_message("# %zu trees ran, %zu were refused\n", taken, ROUNDS - taken);
    assert_true(taken > ROUNDS / 4 && taken < ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_keep_what_they_promise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
