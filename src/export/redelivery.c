#include "export/redelivery.h"

#include "base/mem.h"
#include "base/vec.h"
#include "export/one_shot.h"
#include "export/plan_int.h"

struct redelivery {
    struct plan *plan;
    struct graph *graph;
    struct output *output; /* of one that is not several */
    uint64_t outputs;
    unsigned target;
    struct one_shot *shot; /* NULL until something is given */
};

static bool find_target(struct redelivery *r, struct str name, struct err *e)
{
    const struct plan_config *config = &r->graph->config;

    for (size_t i = 0; i < config->target_count; i++) {
        if (!str_eq(config->targets[i].name, name)) {
            continue;
        }
        r->target = (unsigned)i;
        r->outputs = config->targets[i].expansion->outputs;
        if (__builtin_popcountll(r->outputs) == 1) {
            r->output = &r->graph->outputs[__builtin_ctzll(r->outputs)];
        }
        return r->output == NULL || r->output->dead != NULL ||
               err_set(e, ERR_CONFIG, "exporter '%.*s' keeps no dead letters", STR_FMT(name));
    }
    return err_set(e, ERR_CONFIG, "there is no exporter '%.*s'", STR_FMT(name));
}

bool redelivery_open(struct plan *p, struct str exporter, struct redelivery **ret, struct err *e)
{
    struct redelivery *r = mem_new(struct redelivery);

    r->plan = p;
    r->graph = plan_use_graph(p);
    if (!find_target(r, exporter, e)) {
        redelivery_close(r);
        return false;
    }
    *ret = r;
    return true;
}

void redelivery_close(struct redelivery *r)
{
    if (r != NULL) {
        one_shot_close(r->shot);
        plan_release_graph(r->plan, r->graph);
        mem_free(r);
    }
}

struct dead_letters *redelivery_letters(struct redelivery *r)
{
    return r->output != NULL ? r->output->dead : NULL;
}

void redelivery_each_box(struct redelivery *r,
                         void (*visit)(void *arg, struct str exporter, struct dead_letters *box),
                         void *arg)
{
    for (uint64_t rest = r->outputs; rest != 0; rest &= rest - 1) {
        const struct output *o = &r->graph->outputs[__builtin_ctzll(rest)];
        if (o->dead != NULL) {
            visit(arg, o->config->name, o->dead);
        }
    }
}

/* Rows that are refused again, and why the first of them is. */
struct refused {
    VEC(uint32_t) rows;
    struct err why;
};

static bool note_refusal(void *arg, struct view view, struct str output, struct str reason,
                         struct err *e)
{
    struct refused *refused = arg;

    (void)output;
    (void)e;
    for (uint32_t i = 0; i < view.n; i++) {
        vec_push(&refused->rows, view_row(view, i));
    }
    if (refused->why.code == ERR_NONE) {
        (void)err_set(&refused->why, ERR_CONFLICT, "%.*s", STR_FMT(reason));
    }
    return true;
}

/* Records that are refused though others of the batch are not become a letter of their own. */
static enum redelivered judge(struct redelivery *r, struct batch *b, const struct refused *refused,
                              struct wait wait, struct err *e)
{
    const struct view view = {
        .batch = b, .rows = refused->rows.items, .n = (uint32_t)refused->rows.len};

    if (view.n == 0) {
        return REDELIVERED;
    }
    if (view.n >= batch_rows(b)) {
        *e = refused->why;
        return REDELIVERED_NOT;
    }
    return dead_letters_add(r->output->dead, view, str_of(refused->why.message), wait, e)
               ? REDELIVERED
               : REDELIVERED_LATER;
}

enum redelivered redelivery_give(struct redelivery *r, struct batch *b, struct wait wait,
                                 uint32_t *ret_kept, struct err *e)
{
    const struct one_shot_share share = {r->graph->tokens, r->output->attempts};
    struct refused refused = {.why = ERR_INIT};
    const struct one_shot_refusal refusal = {note_refusal, &refused};

    INVARIANT(r->output != NULL);
    if (r->shot == NULL &&
        !one_shot_open_beside(r->plan->env, &r->graph->config, r->target, &share, &r->shot, e)) {
        return REDELIVERED_LATER;
    }
    uint64_t before = one_shot_counts(r->shot).nobodys;
    enum redelivered result = REDELIVERED_LATER;
    if (one_shot_deliver(r->shot, b, wait, &refusal, e) && one_shot_flush(r->shot, e)) {
        result = judge(r, b, &refused, wait, e);
    }
    *ret_kept = result == REDELIVERED ? (uint32_t)refused.rows.len : 0;
    vec_release(&refused.rows);
    if (result == REDELIVERED && one_shot_counts(r->shot).nobodys > before) {
        (void)err_set(e, ERR_CONFLICT, "the exporter does not take such records");
        return REDELIVERED_NOT;
    }
    return result;
}
