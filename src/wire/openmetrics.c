/*
 * The rules of OpenMetrics that go beyond one line.
 *
 * Invariants
 *   1. A family is open from its first line to the first line of another; what it may be called and what
 *      its names are is decided when it closes, since TYPE and UNIT come in any order.
 *   2. <names> holds every name that a closed family has taken: its own and those of its samples.
 *   3. A point is the samples of one label set (without le and quantile) at one time; histograms are
 *      checked when a point ends.
 */
#include "base/map.h"
#include "base/number.h"
#include "base/vec.h"
#include "wire/prom_text_int.h"

#include <math.h>

/* What a sample's name adds to its family's. */
enum suffix { PLAIN, TOTAL, CREATED, COUNT, SUM, BUCKET, GCOUNT, GSUM, INFO, SUFFIXES };

static const struct str suffix_texts[SUFFIXES] = {
    [PLAIN] = STR_INIT(""),         [TOTAL] = STR_INIT("_total"), [CREATED] = STR_INIT("_created"),
    [COUNT] = STR_INIT("_count"),   [SUM] = STR_INIT("_sum"),     [BUCKET] = STR_INIT("_bucket"),
    [GCOUNT] = STR_INIT("_gcount"), [GSUM] = STR_INIT("_gsum"),   [INFO] = STR_INIT("_info"),
};

#define BIT(suffix) (1u << (suffix))

static const unsigned type_suffixes[PROM_TYPES] = {
    [PROM_TYPE_UNKNOWN] = BIT(PLAIN),
    [PROM_TYPE_GAUGE] = BIT(PLAIN),
    [PROM_TYPE_STATESET] = BIT(PLAIN),
    [PROM_TYPE_COUNTER] = BIT(TOTAL) | BIT(CREATED),
    [PROM_TYPE_INFO] = BIT(INFO),
    [PROM_TYPE_SUMMARY] = BIT(PLAIN) | BIT(COUNT) | BIT(SUM) | BIT(CREATED),
    [PROM_TYPE_HISTOGRAM] = BIT(BUCKET) | BIT(COUNT) | BIT(SUM) | BIT(CREATED),
    [PROM_TYPE_GAUGEHISTOGRAM] = BIT(BUCKET) | BIT(GCOUNT) | BIT(GSUM),
};

/* Values that are counts or sums of them are numbers; all but a gaugehistogram's sum are not negative. */
static const unsigned never_nan =
    BIT(TOTAL) | BIT(COUNT) | BIT(SUM) | BIT(BUCKET) | BIT(GCOUNT) | BIT(GSUM);
static const unsigned never_negative =
    BIT(TOTAL) | BIT(COUNT) | BIT(SUM) | BIT(BUCKET) | BIT(GCOUNT);

struct point {
    double time;
    double le;     /* of the last bucket */
    double bucket; /* and its value */
    double count;
    double sum;
    bool has_time;
    bool has_bucket;
    bool has_count;
    bool has_sum;
    bool has_negative_le;
};

struct om_check {
    struct arena *arena;
    struct map names;
    struct map groups; /* label sets of the open family */
    VEC(struct label) pairs;
    bool open;
    struct str family;
    enum prom_type type;
    struct str unit;
    bool has_meta[PROM_META_KINDS];
    bool has_samples;
    bool in_point;
    struct str group;
    struct point point;
};

struct om_check *om_check_new(struct arena *a)
{
    struct om_check *c = arena_new(a, struct om_check);

    c->arena = a;
    map_init(&c->names, 0x4F4D);
    map_init(&c->groups, 0x4F4D);
    return c;
}

void om_check_free(struct om_check *c)
{
    if (c != NULL) {
        map_release(&c->names);
        map_release(&c->groups);
        vec_release(&c->pairs);
    }
}

struct str prom_sample_label(const struct prom_sample *s, struct str name)
{
    for (size_t i = 0; i < s->label_count; i++) {
        if (str_eq(s->labels[i].name, name)) {
            return s->labels[i].value;
        }
    }
    return STR("");
}

static bool is_histogram(enum prom_type type)
{
    return type == PROM_TYPE_HISTOGRAM || type == PROM_TYPE_GAUGEHISTOGRAM;
}

static const char *check_histogram(const struct om_check *c)
{
    const struct point *p = &c->point;

    if (!p->has_bucket || !isinf(p->le)) {
        return "histogram without a bucket le=\"+Inf\"";
    }
    if (p->has_count && p->count != p->bucket) {
        return "histogram whose count is not that of its bucket le=\"+Inf\"";
    }
    if (p->has_count != p->has_sum) {
        return "histogram with only one of count and sum";
    }
    if (p->has_sum && p->has_negative_le && c->type == PROM_TYPE_HISTOGRAM) {
        return "histogram with negative buckets and a sum";
    }
    if (p->has_sum && p->sum < 0 && !p->has_negative_le) {
        return "gaugehistogram with a negative sum and no negative buckets";
    }
    return NULL;
}

static const char *end_point(struct om_check *c)
{
    const char *wrong = c->in_point && is_histogram(c->type) ? check_histogram(c) : NULL;

    c->in_point = false;
    c->point = (struct point){.has_time = false};
    return wrong;
}

static struct str join(struct om_check *c, struct str a, struct str b)
{
    return arena_printf(c->arena, "%.*s%.*s", STR_FMT(a), STR_FMT(b));
}

/* Takes all names of the open family. */
static const char *take_names(struct om_check *c)
{
    unsigned suffixes = type_suffixes[c->type] | BIT(PLAIN);

    for (unsigned i = 0; i < SUFFIXES; i++) {
        if ((suffixes & BIT(i)) != 0 &&
            map_put(&c->names, join(c, c->family, suffix_texts[i]), c) != NULL) {
            return "a name that an earlier metric family has taken";
        }
    }
    return NULL;
}

static const char *check_unit(const struct om_check *c)
{
    if (c->unit.len == 0) {
        return NULL;
    }
    if (c->type == PROM_TYPE_INFO || c->type == PROM_TYPE_STATESET) {
        return "a unit for a type that has none";
    }
    size_t len = c->unit.len + 1;
    bool good = c->family.len > len && str_ends(c->family, c->unit) &&
                c->family.ptr[c->family.len - len] == '_';
    return good ? NULL : "a unit that is not the suffix of the metric's name";
}

static const char *end_family(struct om_check *c)
{
    if (!c->open) {
        return NULL;
    }
    const char *wrong = end_point(c);
    wrong = wrong != NULL ? wrong : check_unit(c);
    wrong = wrong != NULL ? wrong : take_names(c);
    map_clear(&c->groups);
    c->open = false;
    return wrong;
}

static const char *start_family(struct om_check *c, struct str name)
{
    const char *wrong = end_family(c);

    c->open = true;
    c->family = arena_dup(c->arena, name);
    c->type = PROM_TYPE_UNKNOWN;
    c->unit = STR("");
    c->has_samples = false;
    memset(c->has_meta, 0, sizeof(c->has_meta));
    return wrong;
}

const char *om_check_meta(struct om_check *c, const struct prom_meta *m)
{
    const char *wrong = NULL;

    if (!c->open || !str_eq(c->family, m->name)) {
        wrong = start_family(c, m->name);
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (c->has_samples) {
        return "metadata behind samples of its metric family";
    }
    if (c->has_meta[m->kind]) {
        return "metadata that stands twice";
    }
    c->has_meta[m->kind] = true;
    if (m->kind == PROM_META_TYPE) {
        c->type = m->type;
    } else if (m->kind == PROM_META_UNIT) {
        c->unit = arena_dup(c->arena, m->text);
    }
    return NULL;
}

/* Is <name> one of the open family's? */
static bool find_suffix(const struct om_check *c, struct str name, enum suffix *ret_suffix)
{
    if (!c->open || !str_starts(name, c->family)) {
        return false;
    }
    struct str rest = str_slice(name, c->family.len, name.len);
    for (unsigned i = 0; i < SUFFIXES; i++) {
        if ((type_suffixes[c->type] & BIT(i)) != 0 && str_eq(rest, suffix_texts[i])) {
            *ret_suffix = (enum suffix)i;
            return true;
        }
    }
    return false;
}

static const char *check_value(const struct om_check *c, const struct prom_sample *s,
                               enum suffix suffix)
{
    if (isnan(s->value) && (never_nan & BIT(suffix)) != 0) {
        return "NaN for a count or sum";
    }
    if (s->value < 0 && (never_negative & BIT(suffix)) != 0) {
        return "a negative count or sum";
    }
    if (c->type == PROM_TYPE_STATESET && s->value != 0 && s->value != 1) {
        return "a state that is neither 0 nor 1";
    }
    if (c->type == PROM_TYPE_INFO && s->value != 1) {
        return "an info that is not 1";
    }
    bool quantile = c->type == PROM_TYPE_SUMMARY && suffix == PLAIN;
    return quantile && s->value < 0 ? "a negative quantile" : NULL;
}

static bool read_le(struct str text, double *ret_le)
{
    bool ok = number_parse(text, ret_le) && !isnan(*ret_le);

    return ok && (!isinf(*ret_le) || str_eq(text, STR("+Inf")));
}

static const char *check_labels(const struct om_check *c, const struct prom_sample *s,
                                enum suffix suffix)
{
    double number = 0;

    if (suffix == BUCKET && !read_le(prom_sample_label(s, STR("le")), &number)) {
        return "a bucket whose label le is no bound";
    }
    if (c->type == PROM_TYPE_SUMMARY && suffix == PLAIN) {
        bool good = number_parse(prom_sample_label(s, STR("quantile")), &number);
        return good && number >= 0 && number <= 1 ? NULL : "a quantile that is not within 0 and 1";
    }
    if (c->type == PROM_TYPE_STATESET && prom_sample_label(s, c->family).len == 0) {
        return "a state without the label that is named as its metric";
    }
    return NULL;
}

static const char *check_exemplar(const struct om_check *c, const struct prom_sample *s,
                                  enum suffix suffix)
{
    bool may = (is_histogram(c->type) && suffix == BUCKET) ||
               (c->type == PROM_TYPE_COUNTER && suffix == TOTAL);

    return s->has_exemplar && !may ? "an exemplar where none may be" : NULL;
}

/* Is <name> a label that tells samples of one point apart? */
static bool is_within_point(const struct om_check *c, struct str name)
{
    return (is_histogram(c->type) && str_eq(name, STR("le"))) ||
           (c->type == PROM_TYPE_SUMMARY && str_eq(name, STR("quantile"))) ||
           (c->type == PROM_TYPE_STATESET && str_eq(name, c->family));
}

/* The labels that name the point's group, as bytes in the arena: sorted, lengths in front. */
static struct str group_key(struct om_check *c, const struct prom_sample *s)
{
    AUTO(buf_release) struct buf key = BUF_INIT(BUF_UNLIMITED);

    vec_clear(&c->pairs);
    for (size_t i = 0; i < s->label_count; i++) {
        if (is_within_point(c, s->labels[i].name)) {
            continue;
        }
        vec_push(&c->pairs, s->labels[i]);
        for (size_t k = c->pairs.len - 1; k > 0; k--) {
            struct label *pair = &c->pairs.items[k];
            if (str_cmp(pair[-1].name, pair[0].name) > 0) {
                struct label swap = pair[0];
                pair[0] = pair[-1];
                pair[-1] = swap;
            }
        }
    }
    for (size_t i = 0; i < c->pairs.len; i++) {
        buf_addf(&key, "%zu:", c->pairs.items[i].name.len);
        buf_add_str(&key, c->pairs.items[i].name);
        buf_addf(&key, "%zu:", c->pairs.items[i].value.len);
        buf_add_str(&key, c->pairs.items[i].value);
    }
    return arena_dup(c->arena, buf_str(&key));
}

static void start_point(struct om_check *c, const struct prom_sample *s)
{
    c->in_point = true;
    c->point = (struct point){.has_time = s->has_time, .time = s->time_seconds};
}

/* A sample of the group of the one before it. */
static const char *continue_group(struct om_check *c, const struct prom_sample *s)
{
    const char *wrong = NULL;

    if (s->has_time != c->point.has_time) {
        return "samples with and without times in one metric";
    }
    if (s->has_time && s->time_seconds < c->point.time) {
        return "a time before that of the sample before it";
    }
    if (s->has_time && s->time_seconds > c->point.time) {
        wrong = end_point(c);
        start_point(c, s);
    }
    return wrong;
}

static const char *place(struct om_check *c, const struct prom_sample *s)
{
    struct str key = group_key(c, s);

    if (c->in_point && str_eq(key, c->group)) {
        return continue_group(c, s);
    }
    const char *wrong = end_point(c);
    if (wrong == NULL && map_put(&c->groups, key, c) != NULL) {
        wrong = "samples of one metric that do not stand together";
    }
    c->group = key;
    start_point(c, s);
    return wrong;
}

static const char *add_bucket(struct point *p, const struct prom_sample *s)
{
    double le = 0;

    (void)read_le(prom_sample_label(s, STR("le")), &le);
    if (p->has_bucket && le <= p->le) {
        return "buckets that are not in order";
    }
    if (p->has_bucket && s->value < p->bucket) {
        return "a bucket smaller than the one before it";
    }
    p->has_bucket = true;
    p->le = le;
    p->bucket = s->value;
    p->has_negative_le = p->has_negative_le || le < 0;
    return NULL;
}

static const char *add_to_point(struct point *p, const struct prom_sample *s, enum suffix suffix)
{
    if (suffix == BUCKET) {
        return add_bucket(p, s);
    }
    if (suffix == COUNT || suffix == GCOUNT) {
        p->has_count = true;
        p->count = s->value;
    } else if (suffix == SUM || suffix == GSUM) {
        p->has_sum = true;
        p->sum = s->value;
    }
    return NULL;
}

const char *om_check_sample(struct om_check *c, const struct prom_sample *s)
{
    enum suffix suffix = PLAIN;
    const char *wrong = NULL;

    if (!find_suffix(c, s->name, &suffix)) {
        wrong = start_family(c, s->name);
    }
    c->has_samples = true;
    wrong = wrong != NULL ? wrong : check_value(c, s, suffix);
    wrong = wrong != NULL ? wrong : check_labels(c, s, suffix);
    wrong = wrong != NULL ? wrong : check_exemplar(c, s, suffix);
    wrong = wrong != NULL ? wrong : place(c, s);
    return wrong != NULL ? wrong : add_to_point(&c->point, s, suffix);
}

const char *om_check_end(struct om_check *c)
{
    return end_family(c);
}
