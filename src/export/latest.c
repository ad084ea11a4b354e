/*
 * Invariants
 *   1. A series is in <all> under the bytes of its labels, and in the list of its family, until it is removed.
 *   2. A series that is <gone> is in both until the sweep at the end of the call that made it so.
 *   3. pages[form] shows what is there while pages[form].version is <version>.
 */
#include "export/latest.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/rand.h"
#include "base/vec.h"
#include "wire/prom_expose.h"

#include <stdlib.h>

#define NOWHERE UINT32_MAX

enum { PAGE_FORMS = 2, SWEEP_EVERY_NS = 1000 * 1000 * 1000 };

struct latest_series {
    struct labels *labels;
    struct family *family;
    double value;
    int64_t time_ns;
    int64_t heard_ns; /* monotonic */
    uint64_t call;    /* that last said something of it */
    uint32_t row;     /* of the batch that is being made, or NOWHERE */
    bool gone;
};

/* A metric: the series of one name. */
struct family {
    struct str name;
    struct series_meta meta; /* texts are owned */
    VEC(struct latest_series *) series;
    uint64_t call;
};

struct page {
    uint64_t version; /* 0: never made */
    struct buf text;
};

struct latest {
    const struct clock *clock;
    struct lock lock;
    struct latest_limits limits GUARDED_BY(lock);
    struct map all GUARDED_BY(lock);
    struct map families GUARDED_BY(lock);
    uint64_t version GUARDED_BY(lock);
    uint64_t call GUARDED_BY(lock);
    int64_t swept_ns GUARDED_BY(lock);
    bool has_gone GUARDED_BY(lock);
    struct page pages[PAGE_FORMS] GUARDED_BY(lock);
};

struct latest *latest_new(const struct env *env, const struct latest_limits *limits)
{
    struct latest *t = mem_new(struct latest);

    t->clock = env->clock;
    lock_init(&t->lock);
    lock_take(&t->lock);
    t->limits = *limits;
    t->version = 1;
    map_init(&t->all, rng_u64(env->rng));
    map_init(&t->families, rng_u64(env->rng));
    for (size_t i = 0; i < PAGE_FORMS; i++) {
        buf_init(&t->pages[i].text, BUF_UNLIMITED);
    }
    lock_give(&t->lock);
    return t;
}

static void free_meta(struct series_meta *meta)
{
    mem_free(meta->help.ptr);
    mem_free(meta->unit.ptr);
    *meta = (struct series_meta){0};
}

static void free_family(struct family *f)
{
    free_meta(&f->meta);
    vec_release(&f->series);
    mem_free(f->name.ptr);
    mem_free(f);
}

static void free_series(struct latest_series *s)
{
    labels_unref(s->labels);
    mem_free(s);
}

void latest_free(struct latest *t)
{
    uint32_t at = 0;
    struct str key;
    void *value;

    if (t == NULL) {
        return;
    }
    lock_take(&t->lock);
    while (map_next(&t->all, &at, &key, &value)) {
        free_series(value);
    }
    at = 0;
    while (map_next(&t->families, &at, &key, &value)) {
        free_family(value);
    }
    map_release(&t->all);
    map_release(&t->families);
    for (size_t i = 0; i < PAGE_FORMS; i++) {
        buf_release(&t->pages[i].text);
    }
    lock_give(&t->lock);
    lock_release(&t->lock);
    mem_free(t);
}

void latest_limit(struct latest *t, const struct latest_limits *limits)
{
    lock_take(&t->lock);
    t->limits = *limits;
    lock_give(&t->lock);
}

/* ---- series that leave ---- */

static bool leaves(const struct latest *t, const struct latest_series *s, int64_t now_ns)
    REQUIRES(&t->lock)
{
    return s->gone ||
           (t->limits.stale_after_ns > 0 && now_ns - s->heard_ns > t->limits.stale_after_ns);
}

/* Keeps the series of <f> that stay; says how many left. */
static size_t sweep_family(struct latest *t, struct family *f, int64_t now_ns) REQUIRES(&t->lock)
{
    size_t kept = 0;
    size_t had = f->series.len;

    for (size_t i = 0; i < had; i++) {
        struct latest_series *s = f->series.items[i];
        if (leaves(t, s, now_ns)) {
            (void)map_del(&t->all, labels_bytes(s->labels));
            free_series(s);
        } else {
            f->series.items[kept++] = s;
        }
    }
    f->series.len = kept;
    return had - kept;
}

static void sweep(struct latest *t) REQUIRES(&t->lock)
{
    int64_t now_ns = clock_mono_ns(t->clock);
    uint32_t at = 0;
    struct str key;
    void *value;

    if (!t->has_gone && now_ns - t->swept_ns < SWEEP_EVERY_NS) {
        return;
    }
    t->swept_ns = now_ns;
    t->has_gone = false;
    while (map_next(&t->families, &at, &key, &value)) {
        struct family *f = value;
        t->version += sweep_family(t, f, now_ns) > 0;
        if (f->series.len == 0) {
            (void)map_del(&t->families, key);
            free_family(f);
        }
    }
}

/* ---- series that come ---- */

static struct str own_text(struct str s)
{
    return s.len > 0 ? (struct str){mem_dup_text(s.ptr, s.len), s.len} : STR_NONE;
}

static void learn(struct family *f, const struct series_meta *meta)
{
    if (meta == NULL || (meta->type == f->meta.type && str_eq(meta->help, f->meta.help) &&
                         str_eq(meta->unit, f->meta.unit))) {
        return;
    }
    free_meta(&f->meta);
    f->meta = (struct series_meta){meta->type, own_text(meta->help), own_text(meta->unit)};
}

static struct family *family_of(struct latest *t, struct str name) REQUIRES(&t->lock)
{
    struct family *f = map_get(&t->families, name);

    if (f == NULL) {
        f = mem_new(struct family);
        f->name = own_text(name);
        (void)map_put(&t->families, f->name, f);
    }
    return f;
}

static struct latest_series *add_series(struct latest *t, struct labels *labels) REQUIRES(&t->lock)
{
    struct latest_series *s = mem_new(struct latest_series);

    s->labels = labels_ref(labels);
    s->family = family_of(t, labels_get(labels, STR("__name__")));
    s->time_ns = INT64_MIN;
    vec_push(&s->family->series, s);
    (void)map_put(&t->all, labels_bytes(s->labels), s);
    return s;
}

/* One row of a view. */
struct said {
    struct labels *labels;
    const struct series_meta *meta;
    int64_t time_ns;
    double value;
};

static void take_value(struct latest *t, struct latest_series *s, const struct said *said)
    REQUIRES(&t->lock)
{
    bool is_stale = number_is_stale_nan(said->value);

    s->call = t->call;
    s->family->call = t->call;
    if (said->time_ns < s->time_ns) {
        return;
    }
    s->time_ns = said->time_ns;
    s->heard_ns = clock_mono_ns(t->clock);
    s->gone = is_stale;
    t->has_gone = t->has_gone || is_stale;
    s->value = is_stale ? s->value : said->value;
    learn(s->family, said->meta);
    t->version++;
}

static bool is_too_old(const struct latest *t, int64_t time_ns) REQUIRES(&t->lock)
{
    return t->limits.passes_over_old && t->limits.stale_after_ns > 0 &&
           time_ns < clock_wall_ns(t->clock) - t->limits.stale_after_ns;
}

/* What the table makes of one sample; *ret_series is NULL where it is not in it. A reason: it is refused. */
static const char *note_one(struct latest *t, const struct said *said, struct outcome *ret,
                            struct latest_series **ret_series) REQUIRES(&t->lock)
{
    struct latest_series *s = map_get(&t->all, labels_bytes(said->labels));

    *ret_series = s;
    if (is_too_old(t, said->time_ns)) {
        ret->dropped++;
        (void)err_set(&ret->err, ERR_CONFLICT, "samples were older than 'stale_after' already");
        return NULL;
    }
    if (s == NULL) {
        const char *refusal = prom_expose_refusal(said->labels);
        if (refusal != NULL || number_is_stale_nan(said->value)) {
            return refusal;
        }
        if (t->all.len >= t->limits.max_series) {
            return "there are 'max_series' series already";
        }
        s = add_series(t, said->labels);
    }
    take_value(t, s, said);
    *ret_series = s;
    return NULL;
}

static struct said said_by(const struct samples *samples, uint32_t row)
{
    uint32_t series = samples->series_of[row];

    return (struct said){samples->series[series],
                         samples->meta != NULL ? samples->meta[series] : NULL,
                         samples->time_ns[row], samples->value[row]};
}

/* Fills ret_series[], of view.n, unless it is NULL. */
static void note_all(struct latest *t, struct view view, const struct samples *samples,
                     struct outcome *ret, struct latest_series **ret_series) REQUIRES(&t->lock)
{
    t->call++;
    for (uint32_t i = 0; i < view.n; i++) {
        struct said said = said_by(samples, view_row(view, i));
        struct latest_series *s = NULL;
        const char *refusal = note_one(t, &said, ret, &s);
        if (refusal != NULL) {
            outcome_except(ret, i, VERDICT_REJECTED, refusal);
            (void)err_set(&ret->err, ERR_CONFLICT, "%s", refusal);
        }
        if (ret_series != NULL) {
            ret_series[i] = s;
        }
    }
}

void latest_note(struct latest *t, struct view view, struct outcome *ret)
{
    const struct samples *samples = NULL;

    if (!batch_samples(view.batch, &samples, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    lock_take(&t->lock);
    sweep(t);
    note_all(t, view, samples, ret, NULL);
    sweep(t);
    lock_give(&t->lock);
    outcome_settle(ret, view.n);
}

/* ---- for a push ---- */

struct by_group {
    struct latest_series *series;
    const struct option_list *by;
};

static int compare_groups(const struct by_group *x, const struct by_group *y)
{
    int order = 0;

    for (size_t i = 0; order == 0 && i < x->by->count; i++) {
        order = str_cmp(labels_get(x->series->labels, x->by->items[i]),
                        labels_get(y->series->labels, y->by->items[i]));
    }
    return order;
}

static int compare_series(const void *a, const void *b)
{
    const struct by_group *x = a;
    const struct by_group *y = b;
    int order = compare_groups(x, y);

    return order != 0 ? order : labels_cmp(x->series->labels, y->series->labels);
}

struct push {
    VEC(struct by_group) list;
    struct batch *batch;
    struct samples samples;
    uint32_t *series_of;
    int64_t *times;
    double *values;
    const struct series_meta **metas;
};

static void start_push(struct push *p, const struct batch_info *info)
{
    const struct batch_info own = {.kind = RECORD_SAMPLE, .origin = info->origin};
    size_t n = p->list.len;

    p->batch = batch_new(NULL, &own);
    struct arena *a = batch_arena(p->batch);
    p->samples.series = arena_array(a, struct labels *, n);
    p->samples.series_of = p->series_of = arena_array(a, uint32_t, n);
    p->samples.time_ns = p->times = arena_array(a, int64_t, n);
    p->samples.value = p->values = arena_array(a, double, n);
    p->samples.meta = p->metas = arena_array(a, const struct series_meta *, n);
}

static void add_row(struct push *p, struct latest_series *s)
{
    struct arena *a = batch_arena(p->batch);
    struct series_meta *meta = arena_array(a, struct series_meta, 1);
    uint32_t row = p->samples.count++;

    *meta = (struct series_meta){s->family->meta.type, arena_dup(a, s->family->meta.help),
                                 arena_dup(a, s->family->meta.unit)};
    p->samples.series[row] = labels_ref(s->labels);
    p->samples.series_count++;
    p->series_of[row] = row;
    p->times[row] = s->time_ns;
    p->values[row] = s->value;
    p->metas[row] = meta;
    s->row = row;
}

static void gather_family(struct latest *t, struct family *f, const struct option_list *by,
                          struct push *p) REQUIRES(&t->lock)
{
    int64_t now_ns = clock_mono_ns(t->clock);

    for (size_t i = 0; i < f->series.len; i++) {
        struct latest_series *s = f->series.items[i];
        s->row = NOWHERE;
        if (s->call == t->call || !leaves(t, s, now_ns)) {
            vec_push(&p->list, ((struct by_group){s, by}));
        }
    }
}

/* All series of the metrics that this call said something of, or of all metrics, by group. */
static void gather_touched(struct latest *t, const struct latest_push *push, struct push *p)
    REQUIRES(&t->lock)
{
    uint32_t at = 0;
    struct str key;
    void *value;

    while (map_next(&t->families, &at, &key, &value)) {
        struct family *f = value;
        if (push->whole_groups || f->call == t->call) {
            gather_family(t, f, push->by, p);
        }
    }
    if (p->list.len > 1) {
        qsort(p->list.items, p->list.len, sizeof(p->list.items[0]), compare_series);
    }
}

/* The rows of one group, if this call said something of it. */
static void add_group(const struct latest *t, struct push *p, size_t first, size_t end)
    REQUIRES(&t->lock)
{
    bool is_touched = false;

    for (size_t i = first; i < end; i++) {
        is_touched = is_touched || p->list.items[i].series->call == t->call;
    }
    for (size_t i = first; is_touched && i < end; i++) {
        if (!p->list.items[i].series->gone) {
            add_row(p, p->list.items[i].series);
        }
    }
}

static void make_push(struct latest *t, struct push *p, const struct batch_info *info)
    REQUIRES(&t->lock)
{
    size_t end = 0;

    start_push(p, info);
    for (size_t first = 0; first < p->list.len; first = end) {
        end = first + 1;
        while (end < p->list.len &&
               compare_groups(&p->list.items[first], &p->list.items[end]) == 0) {
            end++;
        }
        add_group(t, p, first, end);
    }
    batch_set_samples(p->batch, p->samples);
}

bool latest_note_for_push(struct latest *t, struct view view, const struct latest_push *push,
                          struct outcome *ret, struct batch **ret_batch, uint32_t **ret_row_of,
                          struct err *e)
{
    const struct samples *samples = NULL;
    struct push p = {0};

    if (!batch_samples(view.batch, &samples, e)) {
        return false;
    }
    struct latest_series **said = mem_alloc0(view.n + 1, sizeof(struct latest_series *));
    uint32_t *row_of = mem_alloc0(view.n + 1, sizeof(uint32_t));
    lock_take(&t->lock);
    sweep(t);
    note_all(t, view, samples, ret, said);
    gather_touched(t, push, &p);
    make_push(t, &p, batch_info(view.batch));
    for (uint32_t i = 0; i < view.n; i++) {
        row_of[i] = said[i] != NULL && said[i]->call == t->call ? said[i]->row : NOWHERE;
    }
    sweep(t);
    lock_give(&t->lock);
    mem_free(said);
    vec_release(&p.list);
    if (p.samples.count == 0) {
        batch_unref(p.batch);
        p.batch = NULL;
    }
    *ret_batch = p.batch;
    *ret_row_of = row_of;
    return true;
}

/* ---- the page ---- */

static void make_page(struct latest *t, enum prom_text_form form) REQUIRES(&t->lock)
{
    struct page *page = &t->pages[form];
    struct prom_point *points = mem_alloc0(t->all.len + 1, sizeof(*points));
    size_t count = 0;
    uint32_t at = 0;
    struct str key;
    void *value;

    while (map_next(&t->all, &at, &key, &value)) {
        const struct latest_series *s = value;
        points[count++] =
            (struct prom_point){.labels = s->labels, .meta = &s->family->meta, .value = s->value};
    }
    prom_points_sort(points, count);
    buf_clear(&page->text);
    prom_expose(points, count, form, &page->text);
    page->version = t->version;
    mem_free(points);
}

void latest_render(struct latest *t, enum prom_text_form form, struct buf *out)
{
    lock_take(&t->lock);
    sweep(t);
    if (t->pages[form].version != t->version) {
        make_page(t, form);
    }
    buf_add_str(out, buf_str(&t->pages[form].text));
    lock_give(&t->lock);
}

size_t latest_count(struct latest *t)
{
    lock_take(&t->lock);
    size_t count = t->all.len;
    lock_give(&t->lock);
    return count;
}
