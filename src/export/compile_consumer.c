/* A consumer: what it delivers through, and what stands above put into its options. */
#include "export/compile_int.h"

/* What is known of the leaves while stages are built. */
struct builder {
    struct compiler *c;
    unsigned takes;
    unsigned caps;
    bool says_types;                  /* one of them does */
    int fsync;                        /* the strictest of the leaves */
    const struct tree_exporter *leaf; /* the first */
    struct str below;                 /* "the failover 'either'"; empty at the top */
    bool is_called;                   /* by a stage, which is <below>: only that has a queue */
};

static struct stage_config *build(struct builder *b, const struct spot *spot, struct err *e);

static struct stage_config *new_stage(struct builder *b, const struct tree_exporter *x,
                                      const struct exporter_kind *kind)
{
    struct stage_config *stage = arena_new(b->c->tree->arena, struct stage_config);

    *stage = (struct stage_config){.kind = kind, .config = x->config, .name = x->name};
    return stage;
}

static struct spot child_of(const struct spot *spot, const struct tree_link *link)
{
    return (struct spot){.x = link->to, .path = spot->path, .node = link->node};
}

/* ---- what stands below the log ---- */

/* What keeps the state of alerts is told it; it is not called through others. */
static bool check_level(const struct builder *b, const struct spot *spot, struct err *e)
{
    return (spot->x->kind->caps & EXPORTER_LEVEL) == 0 || b->below.len == 0 ||
           compile_err(spot, e, ERR_CONFIG,
                       "'%.*s' (%s) cannot stand below %.*s: it keeps the state of all alerts and "
                       "sends it again by itself; name it beside",
                       STR_FMT(spot->x->name), spot->x->kind->name, STR_FMT(b->below));
}

static struct stage_config *build_leaf(struct builder *b, const struct spot *spot, struct err *e)
{
    const struct tree_exporter *x = spot->x;
    const struct exporter_common *common = x->config;

    if ((x->kind->caps & EXPORTER_LEVEL) != 0 && b->below.len > 0) {
        (void)compile_err(
            spot, e, ERR_CONFIG,
            "'%.*s' (%s) cannot stand below %.*s: it keeps the state of all alerts and "
            "sends it again by itself; name it beside",
            STR_FMT(x->name), x->kind->name, STR_FMT(b->below));
        return NULL;
    }
    if (b->is_called) {
        warn_leaf(b->c, x, b->below);
    }
    b->takes &= x->kind->takes;
    b->caps &= x->kind->caps;
    b->says_types =
        b->says_types || (x->kind->says_types != NULL && x->kind->says_types(x->config));
    b->fsync = common->buffer.fsync < b->fsync ? common->buffer.fsync : b->fsync;
    b->leaf = b->leaf != NULL ? b->leaf : x;
    return new_stage(b, x, x->kind);
}

static struct stage_config *build_children(struct builder *b, const struct spot *spot,
                                           const struct exporter_kind *kind, struct err *e)
{
    struct stage_config *stage = new_stage(b, spot->x, kind);
    const struct stage_config **children =
        arena_array(b->c->tree->arena, const struct stage_config *, spot->x->link_count);
    size_t count = 0;

    for (size_t i = 0; i < spot->x->link_count; i++) {
        const struct tree_link *link = &spot->x->links[i];
        if (link->role != ROLE_CHILD && link->role != ROLE_CHILDREN) {
            continue;
        }
        const struct spot next = child_of(spot, link);
        children[count] = build(b, &next, e);
        if (children[count++] == NULL) {
            return NULL;
        }
    }
    stage->children = children;
    stage->child_count = count;
    return stage;
}

static struct stage_config *build_other(struct builder *b, const struct spot *spot, struct err *e)
{
    return tree_is_leaf(spot->x) ? build_leaf(b, spot, e)
                                 : build_children(b, spot, spot->x->kind, e);
}

static struct stage_config *refuse(struct builder *b, const struct spot *spot, struct err *e)
{
    static const char *const reasons[] = {
        [COMBINATOR_BUFFER] = "what it gathers would count as delivered; put the buffer above",
        [COMBINATOR_MULTI] =
            ("exporters side by side give no common answer; use 'strategy: sequential', or put "
             "it above"),
        [COMBINATOR_CONDITIONAL] = "conditions choose before records are held; put it above",
    };

    (void)compile_err(spot, e, ERR_CONFIG, "'%.*s' (%s) cannot stand below %.*s: %s",
                      STR_FMT(spot->x->name), spot->x->kind->name, STR_FMT(b->below),
                      reasons[spot->x->kind->combinator]);
    return NULL;
}

/* Below others it tries by itself, and must end: else nobody else ever gets a turn. */
static struct stage_config *build_resilient(struct builder *b, const struct spot *spot,
                                            struct err *e)
{
    const struct resilient_config *config = spot->x->config;

    if (config->retry.max_retries == 0 && config->breaker.failure_threshold == 0) {
        (void)compile_err(spot, e, ERR_CONFIG,
                          "'%.*s' never gives way, so %.*s would wait for it for ever; give it "
                          "'retry: { max_retries: ... }' or a circuit_breaker",
                          STR_FMT(spot->x->name), STR_FMT(b->below));
        return NULL;
    }
    if (tree_link_of(spot->x, ROLE_FALLBACK) != NULL || tree_link_of(spot->x, ROLE_DLQ) != NULL) {
        (void)compile_err(
            spot, e, ERR_CONFIG,
            "'%.*s' cannot have a fallback or dead letters of its own below %.*s: put "
            "them into a resilient above",
            STR_FMT(spot->x->name), STR_FMT(b->below));
        return NULL;
    }
    warn_resilient(b->c, spot->x, b->below);
    return build_children(b, spot, spot->x->kind, e);
}

static struct stage_config *build_multi(struct builder *b, const struct spot *spot, struct err *e)
{
    static const char *const names[MULTI_STRATEGIES] = {
        [MULTI_SEQUENTIAL] = "sequential", [MULTI_FAILOVER] = "failover"};
    const struct multi_config *config = spot->x->config;
    const struct str before = b->below;
    bool was_called = b->is_called;

    if (config->strategy == MULTI_PARALLEL) {
        return refuse(b, spot, e);
    }
    b->below = arena_printf(b->c->tree->arena, "the %s '%.*s'", names[config->strategy],
                            STR_FMT(spot->x->name));
    b->is_called = true;
    struct stage_config *stage = build_children(b, spot, multi_stages[config->strategy], e);
    b->below = before;
    b->is_called = was_called;
    return stage;
}

static struct stage_config *(*const builders[])(struct builder *, const struct spot *,
                                                struct err *) = {
    [COMBINATOR_NONE] = build_other,          [COMBINATOR_BUFFER] = refuse,
    [COMBINATOR_RESILIENT] = build_resilient, [COMBINATOR_MULTI] = build_multi,
    [COMBINATOR_CONDITIONAL] = refuse,
};

static struct stage_config *build(struct builder *b, const struct spot *spot, struct err *e)
{
    return compile_step(b->c, spot, e) ? builders[spot->x->kind->combinator](b, spot, e) : NULL;
}

static struct builder new_builder(struct compiler *c)
{
    return (struct builder){.c = c, .takes = ~0U, .caps = ~0U, .fsync = FSYNC_NEVER};
}

/* The stages above, nearest first, around what is there. */
static const struct stage_config *wrap(struct builder *b, const struct spot *spot,
                                       const struct stage_config *stage)
{
    for (const struct above *a = spot->above; a != NULL; a = a->outer) {
        if (a->by->kind->combinator == COMBINATOR_NONE) {
            struct stage_config *around = new_stage(b, a->by, a->by->kind);
            const struct stage_config **child =
                arena_array(b->c->tree->arena, const struct stage_config *, 1);
            child[0] = stage;
            around->children = child;
            around->child_count = 1;
            stage = around;
        }
    }
    return stage;
}

/* ---- what stands above ---- */

/* Kinds that whoever stands beside a destination must take if it does; others just stay with it. */
#define MUST_FALL_BACK (TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT))

/* Where dead letters go to, and what is called in place of the destination. */
static bool build_beside(struct compiler *c, const struct output_config *o,
                         const struct tree_exporter *resilient, enum tree_role role,
                         const struct stage_config **ret_stage, unsigned *ret_takes, struct err *e)
{
    const struct tree_link *link = tree_link_of(resilient, role);
    const char *what = role == ROLE_FALLBACK ? "fallback" : "dead letters";
    struct builder b = new_builder(c);

    if (link == NULL) {
        return true;
    }
    const struct spot spot = {.x = link->to, .node = link->node};
    b.below = arena_printf(c->tree->arena, "'%.*s' as its %s", STR_FMT(resilient->name), what);
    b.is_called = true;
    if (link->to->config == o->config || link->to == tree_link_of(resilient, ROLE_CHILD)->to) {
        return compile_err(&spot, e, ERR_CONFIG, "'%.*s' cannot be its own %s",
                           STR_FMT(link->to->name), what);
    }
    *ret_stage = build(&b, &spot, e);
    if (*ret_stage == NULL) {
        return false;
    }
    *ret_takes = b.takes;
    return (o->takes & ~b.takes & MUST_FALL_BACK) == 0 ||
           compile_err(&spot, e, ERR_CONFIG,
                       "'%.*s' does not take all the kinds of records that '%.*s' takes",
                       STR_FMT(link->to->name), STR_FMT(o->name));
}

static bool use_resilient(struct compiler *c, const struct tree_exporter *x,
                          const struct tree_exporter *end, struct output_config *o, struct err *e)
{
    const struct resilient_config *config = x->config;

    merge_resilient(x, end, &o->delivery);
    o->delivery.fallback_mode =
        tree_link_of(x, ROLE_FALLBACK) != NULL ? config->fallback_mode : FALLBACK_HOLD;
    return build_beside(c, o, x, ROLE_FALLBACK, &o->delivery.fallback, &o->delivery.fallback_takes,
                        e) &&
           build_beside(c, o, x, ROLE_DLQ, &o->delivery.dlq, &o->delivery.dlq_takes, e);
}

/* A leaf's own options; those of several leaves are what they are without being said. */
static bool use_own(struct compiler *c, const struct tree_exporter *end, struct output_config *o,
                    struct err *e)
{
    const struct exporter_common *common = end->config;
    const struct option_source plain = {.lookup = c->tree->source->lookup,
                                        .arg = c->tree->source->arg};

    if (tree_is_leaf(end)) {
        o->delivery.retry = common->retry;
        o->delivery.breaker = common->breaker;
        o->delivery.health = common->health;
        o->delivery.dead = common->dead;
        o->buffer = common->buffer;
        return true;
    }
    return options_parse(&exporter_retry_options, NULL, &plain, c->tree->arena, &o->delivery.retry,
                         e) &&
           options_parse(&exporter_health_options, NULL, &plain, c->tree->arena,
                         &o->delivery.health, e) &&
           options_parse(&exporter_dead_letter_options, NULL, &plain, c->tree->arena,
                         &o->delivery.dead, e) &&
           options_parse(&exporter_buffer_options, NULL, &plain, c->tree->arena, &o->buffer, e);
}

static bool use_buffer(struct compiler *c, const struct tree_exporter *buffer,
                       const struct tree_exporter *end, struct output_config *o, struct err *e)
{
    const struct option_source plain_source = {.lookup = c->tree->source->lookup,
                                               .arg = c->tree->source->arg};
    struct exporter_buffer plain;

    o->buffer = ((const struct buffer_config *)buffer->config)->buffer;
    if (!tree_is_leaf(end)) {
        return true;
    }
    if (!options_parse(&exporter_buffer_options, NULL, &plain_source, c->tree->arena, &plain, e)) {
        return false;
    }
    merge_buffer(buffer, end, &plain, &o->buffer);
    return true;
}

static bool use_above(struct compiler *c, const struct spot *spot, int fsync,
                      struct output_config *o, struct err *e)
{
    const struct tree_exporter *buffer = above_find(spot->above, COMBINATOR_BUFFER);
    const struct tree_exporter *resilient = above_find(spot->above, COMBINATOR_RESILIENT);

    if (buffer != NULL && !use_buffer(c, buffer, spot->x, o, e)) {
        return false;
    }
    o->buffer.fsync = fsync < o->buffer.fsync ? fsync : o->buffer.fsync;
    return resilient == NULL || use_resilient(c, resilient, spot->x, o, e);
}

/* ---- consumers ---- */

/* What a consumer there leads to, and through what that changes how; NULL at the end. */
static const struct tree_exporter **way_of(struct compiler *c, const struct spot *spot)
{
    size_t count = 1;

    for (const struct above *a = spot->above; a != NULL; a = a->outer) {
        count += above_is_chooser(a) ? 0 : 1;
    }
    const struct tree_exporter **way =
        arena_array(c->tree->arena, const struct tree_exporter *, count + 1);
    way[0] = spot->x;
    count = 1;
    for (const struct above *a = spot->above; a != NULL; a = a->outer) {
        if (!above_is_chooser(a)) {
            way[count++] = a->by;
        }
    }
    return way;
}

static bool is_same_way(const struct tree_exporter **a, const struct tree_exporter **b)
{
    size_t i = 0;

    while (a[i] != NULL && a[i] == b[i]) {
        i++;
    }
    return a[i] == b[i];
}

/* What is already there under that name: the same one, or another, which is an error. */
static bool find_same(struct compiler *c, const struct spot *spot, const struct tree_exporter **way,
                      bool *ret_found, size_t *ret_output, struct err *e)
{
    for (size_t i = 0; i < c->output_count; i++) {
        if (!str_eq(c->outputs[i].name, spot->path)) {
            continue;
        }
        if (!is_same_way(c->ways[i], way)) {
            return compile_err(spot, e, ERR_CONFIG,
                               "two ways are called '%.*s'; give what is written on the spot a "
                               "'name'",
                               STR_FMT(spot->path));
        }
        *ret_output = i;
        *ret_found = true;
    }
    return true;
}

static bool check_room(const struct compiler *c, const struct spot *spot, struct err *e)
{
    enum { PATH_MAX_BYTES = 200 };

    if (spot->path.len > PATH_MAX_BYTES) {
        return compile_err(spot, e, ERR_LIMIT, "the way '%.80s...' is too long; use shorter names",
                           spot->path.ptr);
    }
    return c->output_count < PLAN_OUTPUTS_MAX ||
           compile_err(spot, e, ERR_LIMIT, "'%.*s' would be one consumer too many: there can be %d",
                       STR_FMT(spot->path), PLAN_OUTPUTS_MAX);
}

/* What a level output cannot stand below. */
static struct str above_text(struct compiler *c, const struct above *above)
{
    return above == NULL ? STR("")
                         : arena_printf(c->tree->arena, "the %s '%.*s'", above->by->kind->name,
                                        STR_FMT(above->by->name));
}

bool compile_consumer(struct compiler *c, const struct spot *spot, size_t *ret_output,
                      struct err *e)
{
    struct output_config *o = &c->outputs[c->output_count];
    const struct tree_exporter **way = way_of(c, spot);
    struct builder b = new_builder(c);
    bool is_found = false;

    b.below = above_text(c, spot->above);
    if (!check_level(&b, spot, e) || !find_same(c, spot, way, &is_found, ret_output, e) ||
        is_found) {
        return is_found;
    }
    if (!check_room(c, spot, e)) {
        return false;
    }
    const struct stage_config *stage = build(&b, spot, e);
    if (stage == NULL) {
        return false;
    }
    if (b.takes == 0) {
        return compile_err(spot, e, ERR_CONFIG,
                           "the exporters of '%.*s' have no kind of record in common",
                           STR_FMT(spot->x->name));
    }
    *o = (struct output_config){.name = spot->path,
                                .kind = b.leaf->kind,
                                .config = b.leaf->config,
                                .takes = b.takes,
                                .caps = b.caps,
                                .says_types = b.says_types,
                                .node = spot->x->node};
    o->delivery.stage = wrap(&b, spot, stage);
    if (o->delivery.stage->child_count > 0) {
        o->caps &= ~(unsigned)EXPORTER_SPANS_APART; /* what a stage limits is for all that comes */
    }
    if (!use_own(c, spot->x, o, e) || !use_above(c, spot, b.fsync, o, e)) {
        return false;
    }
    for (size_t i = 0; way[i] != NULL; i++) {
        o->hash = tree_hash(way[i], o->hash);
    }
    o->hash |= 1;
    c->ways[c->output_count] = way;
    *ret_output = c->output_count++;
    return true;
}
