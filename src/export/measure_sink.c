/*
 * The mapping of profiles to samples, around an exporter that knows samples.
 *
 * A profile is as well off as the worst of its samples. When it is tried again it makes the same samples at the
 * same time; those that were taken before are not sent again, since a distribution would count them twice.
 */
#include "export/measures.h"

#include "base/mem.h"
#include "export/http_sink.h"
#include "export/outcome_rows.h"

struct measure_sink {
    struct sink sink;
    struct sink *inner;
    struct measures *measures;
    struct batch *told; /* profiles of which some samples were taken; or NULL */
    bool **taken;       /* by its rows: of each sample, was it? NULL: none was */
};

/* What is being delivered. */
struct job {
    struct view profiles;
    struct batch *samples;
    uint32_t *first; /* of each profile, and behind the last one */
    uint32_t *rows;  /* samples that are sent */
    uint32_t count;
    struct fate *fates; /* of all samples */
};

/* ---- what was taken before ---- */

static void forget(struct measure_sink *s)
{
    for (uint32_t i = 0; s->told != NULL && i < batch_rows(s->told); i++) {
        mem_free(s->taken[i]);
    }
    mem_free(s->taken);
    s->taken = NULL;
    batch_unref(s->told);
    s->told = NULL;
}

static bool was_taken(const struct measure_sink *s, const struct job *j, uint32_t i, uint32_t k)
{
    const bool *taken = s->told == j->profiles.batch ? s->taken[view_row(j->profiles, i)] : NULL;

    return taken != NULL && taken[k - j->first[i]];
}

/* Notes the samples of profile <i> that were taken, when there are any. */
static void note_taken(struct measure_sink *s, const struct job *j, uint32_t i)
{
    bool **taken = &s->taken[view_row(j->profiles, i)];

    for (uint32_t k = j->first[i]; k < j->first[i + 1]; k++) {
        if (j->fates[k].verdict == VERDICT_DELIVERED) {
            if (*taken == NULL) {
                *taken = mem_alloc0((size_t)(j->first[i + 1] - j->first[i]), sizeof(bool));
            }
            (*taken)[k - j->first[i]] = true;
        }
    }
}

static void remember(struct measure_sink *s, const struct job *j, const struct fate *profiles)
{
    if (s->told != j->profiles.batch) {
        forget(s);
        s->told = batch_ref(j->profiles.batch);
        s->taken = mem_alloc0((size_t)batch_rows(s->told) + 1, sizeof(bool *));
    }
    for (uint32_t i = 0; i < j->profiles.n; i++) {
        if (verdict_is_owed(profiles[i].verdict)) {
            note_taken(s, j, i);
        }
    }
}

/* ---- the delivery ---- */

static struct fate worst_of(const struct fate *fates, uint32_t from, uint32_t end)
{
    struct fate worst = {VERDICT_DELIVERED, NULL};

    for (uint32_t i = from; i < end; i++) {
        worst = fate_worse(worst, fates[i]);
    }
    return worst;
}

static void choose(const struct measure_sink *s, struct job *j)
{
    uint32_t all = j->first[j->profiles.n];

    j->rows = mem_alloc(((size_t)all + 1) * sizeof(*j->rows));
    j->fates = mem_alloc0((size_t)all + 1, sizeof(*j->fates)); /* delivered */
    for (uint32_t i = 0; i < j->profiles.n; i++) {
        for (uint32_t k = j->first[i]; k < j->first[i + 1]; k++) {
            if (!was_taken(s, j, i, k)) {
                j->rows[j->count++] = k;
            }
        }
    }
}

/* What became of samples becomes what became of profiles. */
static void reword(struct measure_sink *s, struct job *j, struct outcome *ret)
{
    struct fate *fates = outcome_fates(ret, j->count);
    struct fate *profiles = mem_alloc0((size_t)j->profiles.n + 1, sizeof(*profiles));
    struct exceptions of_samples = ret->except;

    ret->except = (struct exceptions){0};
    for (uint32_t i = 0; i < j->count; i++) {
        j->fates[j->rows[i]] = fates[i];
    }
    for (uint32_t i = 0; i < j->profiles.n; i++) {
        profiles[i] = worst_of(j->fates, j->first[i], j->first[i + 1]);
    }
    outcome_word(ret, profiles, j->profiles.n, VERDICT_DELIVERED);
    if (verdict_is_owed(ret->rest)) {
        remember(s, j, profiles);
    } else {
        forget(s);
    }
    mem_free(profiles);
    mem_free(fates); /* its reasons are of the exceptions of samples */
    vec_release(&of_samples.list);
}

static void deliver_profiles(struct measure_sink *s, struct view view, struct wait wait,
                             struct outcome *ret)
{
    struct job j = {.profiles = view};

    if (!measures_make(s->measures, view, &j.samples, &j.first, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    choose(s, &j);
    if (j.count == 0) {
        outcome_settle(ret, view.n); /* nothing but texts, or all of it was taken */
    } else {
        bool is_whole = j.count == batch_rows(j.samples);
        struct view some = {.batch = j.samples, .rows = j.rows, .n = j.count};
        s->inner->ops->deliver(s->inner, is_whole ? view_all(j.samples) : some, wait, ret);
        reword(s, &j, ret);
    }
    batch_unref(j.samples);
    mem_free(j.first);
    mem_free(j.rows);
    mem_free(j.fates);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct measure_sink *s = (struct measure_sink *)sink;

    if (batch_info(view.batch)->kind == RECORD_PROFILE) {
        deliver_profiles(s, view, wait, ret);
    } else {
        s->inner->ops->deliver(s->inner, view, wait, ret);
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(((struct measure_sink *)sink)->inner, wait, e);
}

static bool flush(struct sink *sink, struct err *e)
{
    struct sink *inner = ((struct measure_sink *)sink)->inner;

    return inner->ops->flush == NULL || inner->ops->flush(inner, e);
}

static void close_sink(struct sink *sink)
{
    struct measure_sink *s = (struct measure_sink *)sink;

    sink_close(s->inner);
    forget(s);
    measures_free(s->measures);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = deliver, .probe = probe, .flush = flush, .close = close_sink};

bool measure_sink_open(const struct measure_options *options, struct sink **sink, struct err *e)
{
    struct measures *measures = NULL;

    if (!measures_compile(options, &measures, e)) {
        return false;
    }
    struct measure_sink *s = mem_new(struct measure_sink);
    s->sink.ops = &ops;
    s->inner = *sink;
    s->measures = measures;
    *sink = &s->sink;
    return true;
}

bool measure_http_open(const struct http_exporter *exporter, const struct exporter_place *place,
                       const void *config, const struct measure_options *options,
                       struct sink **ret_sink, struct err *e)
{
    struct sink *sink = NULL;

    if (!http_sink_open(exporter, place, config, &sink, e)) {
        return false;
    }
    if (!measure_sink_open(options, &sink, e)) {
        sink_close(sink);
        return false;
    }
    *ret_sink = sink;
    return true;
}
