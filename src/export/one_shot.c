#include "export/one_shot.h"

#include "base/mem.h"
#include "export/backoff.h"
#include "export/routing.h"
#include "export/stage.h"

#include <string.h>

struct one_shot {
    const struct env *env;
    const struct plan_config *config;
    const struct dry_run *dry; /* or NULL */
    struct one_shot_share share;
    uint64_t target; /* one bit */
    struct sink *sinks[PLAN_OUTPUTS_MAX];
    struct one_shot_counts counts;
};

/* A delivery in progress. */
struct shot {
    struct one_shot *o;
    size_t output;
    struct wait wait;
    const struct one_shot_refusal *refusal;
    struct err *e;
};

static bool open_output(struct one_shot *o, size_t output, struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    const struct output_config *config = &o->config->outputs[output];

    if ((config->caps & EXPORTER_LEVEL) != 0 && o->dry == NULL) {
        return err_set(e, ERR_CONFIG,
                       "exporter '%.*s' compares states and sends what differs; single records "
                       "cannot be given to it (with --dry-run they are shown)",
                       STR_FMT(config->name));
    }
    buf_addf(&folder, "%.*s/exporters/%.*s", STR_FMT(o->config->state_path), STR_FMT(config->name));
    const struct exporter_place place = {
        .env = o->env,
        .name = config->name,
        .data_folder = buf_str(&folder),
        .retry_on = &config->delivery.retry.retry_on_status_codes,
        .dry = o->dry,
        .tokens = o->share.tokens,
        .attempts = o->share.attempts,
    };
    return stage_open(&place, config->delivery.stage, &o->sinks[output], e) ||
           err_wrap(e, "exporter '%.*s'", STR_FMT(config->name));
}

static bool open_shot(const struct one_shot *like, const struct plan_config *config,
                      unsigned target, struct one_shot **ret_shot, struct err *e)
{
    struct one_shot *o = mem_new(struct one_shot);
    uint64_t outputs = config->targets[target].expansion->outputs;
    bool ok = true;

    *o = *like;
    o->config = config;
    o->target = UINT64_C(1) << target;
    for (uint64_t rest = outputs; ok && rest != 0; rest &= rest - 1) {
        ok = open_output(o, (size_t)__builtin_ctzll(rest), e);
    }
    if (!ok) {
        one_shot_close(o);
        return false;
    }
    *ret_shot = o;
    return true;
}

bool one_shot_open(const struct env *env, const struct plan_config *config, unsigned target,
                   struct one_shot **ret_shot, struct err *e)
{
    return open_shot(&(struct one_shot){.env = env}, config, target, ret_shot, e);
}

bool one_shot_open_beside(const struct env *env, const struct plan_config *config, unsigned target,
                          const struct one_shot_share *share, struct one_shot **ret_shot,
                          struct err *e)
{
    return open_shot(&(struct one_shot){.env = env, .share = *share}, config, target, ret_shot, e);
}

bool one_shot_open_dry(const struct env *env, const struct plan_config *config, unsigned target,
                       const struct dry_run *dry, struct one_shot **ret_shot, struct err *e)
{
    return open_shot(&(struct one_shot){.env = env, .dry = dry}, config, target, ret_shot, e);
}

void one_shot_close(struct one_shot *o)
{
    if (o != NULL) {
        for (size_t i = 0; i < PLAN_OUTPUTS_MAX; i++) {
            sink_close(o->sinks[i]);
        }
        mem_free(o);
    }
}

bool one_shot_flush(struct one_shot *o, struct err *e)
{
    for (size_t i = 0; i < PLAN_OUTPUTS_MAX; i++) {
        struct sink *sink = o->sinks[i];
        if (sink != NULL && sink->ops->flush != NULL && !sink->ops->flush(sink, e)) {
            return false;
        }
    }
    return true;
}

struct one_shot_counts one_shot_counts(const struct one_shot *o)
{
    return o->counts;
}

/* ---- what became of each row ---- */

struct fate {
    enum verdict verdict;
    const char *reason; /* lives as long as the outcome */
};

static bool is_owed(enum verdict verdict)
{
    return verdict == VERDICT_RETRY || verdict == VERDICT_UNKNOWN || verdict == VERDICT_HALT;
}

static struct fate *read_fates(const struct outcome *out, uint32_t n)
{
    struct fate *fates = mem_alloc0((size_t)n + 1, sizeof(*fates));
    const char *reason = out->err.message[0] != '\0' ? out->err.message : "not delivered";

    for (uint32_t i = 0; i < n; i++) {
        fates[i] = (struct fate){i < out->settled ? VERDICT_DELIVERED : out->rest, reason};
    }
    for (size_t i = 0; i < out->except.list.len; i++) {
        const struct exception *x = &out->except.list.items[i];
        if (x->index < n && (x->index < out->settled || !is_owed(out->rest))) {
            fates[x->index] = (struct fate){x->verdict, x->reason};
        }
    }
    return fates;
}

static bool refuse(struct shot *s, struct view view, const char *reason)
{
    struct one_shot *o = s->o;

    o->counts.rejected += view.n;
    return s->refusal->refused(s->refusal->arg, view, o->config->outputs[s->output].name,
                               str_of(reason), s->e);
}

/* Was the whole view refused in one answer, so that it is not known which rows are to blame? */
static bool is_blanket(const struct outcome *out, uint32_t n)
{
    return n > 1 && out->settled == 0 && out->rest == VERDICT_REJECTED && out->except.list.len == 0;
}

/* Ends the rows that ended; those that want another try stay in <rows>, and their number is in *n. */
static bool settle(struct shot *s, struct batch *b, uint32_t *rows, uint32_t *n,
                   const struct outcome *out)
{
    struct fate *fates = read_fates(out, *n);
    uint32_t left = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i < *n; i++) {
        if (is_owed(fates[i].verdict)) {
            rows[left++] = rows[i];
        } else if (fates[i].verdict == VERDICT_REJECTED) {
            ok = refuse(s, (struct view){.batch = b, .rows = &rows[i], .n = 1}, fates[i].reason);
        } else {
            s->o->counts.delivered++;
        }
    }
    *n = left;
    mem_free(fates);
    return ok;
}

/* Waits until the next try is due; false when there is none. */
static bool wait_for_retry(struct shot *s, struct backoff *backoff, const struct outcome *out)
{
    const struct env *env = s->o->env;
    bool halted = out->rest == VERDICT_HALT;
    int64_t delay_ms = out->held_back ? out->retry_after_ms
                                      : backoff_next_ms(backoff, env->rng, out->retry_after_ms);

    s->o->counts.retries += !out->held_back;
    if (!halted && wait_sleep(wait_limit_ms(s->wait, env->clock, delay_ms)) &&
        clock_mono_ns(env->clock) < s->wait.deadline_mono_ns) {
        return true;
    }
    *s->e = out->err;
    if (s->e->code == ERR_NONE) {
        (void)err_set(s->e, ERR_NET, "not delivered");
    }
    return err_wrap(s->e, "exporter '%.*s'", STR_FMT(s->o->config->outputs[s->output].name));
}

static bool deliver_rows(struct shot *s, struct batch *b, uint32_t *rows, uint32_t n);

static bool deliver_halves(struct shot *s, struct batch *b, uint32_t *rows, uint32_t n)
{
    return deliver_rows(s, b, rows, n / 2) && deliver_rows(s, b, rows + n / 2, n - n / 2);
}

/* Takes these rows to their end; <rows> is scratch afterwards. Halves go no deeper than a row has bits. */
static bool deliver_rows(struct shot *s, struct batch *b, uint32_t *rows, uint32_t n)
{
    struct one_shot *o = s->o;
    struct sink *sink = o->sinks[s->output];
    struct backoff backoff;
    bool ok = true;

    backoff_init(&backoff, &o->config->outputs[s->output].delivery.retry.backoff);
    while (ok && n > 0) {
        struct outcome out;
        outcome_init(&out);
        sink->ops->deliver(sink, (struct view){.batch = b, .rows = rows, .n = n}, s->wait, &out);
        bool halves = is_blanket(&out, n);
        uint32_t before = n;
        ok = halves || settle(s, b, rows, &n, &out);
        if (n < before) {
            backoff_reset(&backoff);
        }
        if (ok && !halves && n > 0) {
            ok = wait_for_retry(s, &backoff, &out);
        }
        outcome_release(&out);
        if (halves) {
            return deliver_halves(s, b, rows, n);
        }
    }
    return ok;
}

/* Rows of one group to one output. */
static bool deliver_to(struct shot *s, struct batch *b, const struct routed *group)
{
    uint32_t *rows = mem_alloc(((size_t)group->count + 1) * sizeof(*rows));

    for (uint32_t i = 0; i < group->count; i++) {
        rows[i] = group->rows != NULL ? group->rows[i] : i;
    }
    bool ok = deliver_rows(s, b, rows, group->count);
    mem_free(rows);
    return ok;
}

bool one_shot_deliver(struct one_shot *o, struct batch *b, struct wait w,
                      const struct one_shot_refusal *refusal, struct err *e)
{
    struct routing how = {.config = o->config, .only = o->target};
    struct shot s = {.o = o, .wait = w, .refusal = refusal, .e = e};
    uint64_t takers = routing_takers(o->config, batch_info(b)->kind, false);
    const struct routed *groups = NULL;
    struct arena arena;
    size_t count = 0;
    uint64_t seen = 0;

    arena_init(&arena, ARENA_UNLIMITED);
    bool ok = routing_split(&how, b, &arena, &groups, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        uint64_t outputs = groups[i].outputs & takers;
        seen += outputs != 0 ? groups[i].count : 0;
        for (uint64_t rest = outputs; ok && rest != 0; rest &= rest - 1) {
            s.output = (size_t)__builtin_ctzll(rest);
            ok = deliver_to(&s, b, &groups[i]);
        }
    }
    o->counts.nobodys += ok ? batch_rows(b) - seen : 0;
    arena_release(&arena);
    return ok;
}
