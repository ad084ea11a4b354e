#include "model/series_meta.h"

#include "base/attr.h"

#include <stddef.h>

#define IS(type) (1U << (type))

/* What the names of series have behind those of their families. */
struct ending {
    const char *text;
    unsigned families; /* whose series are found by it: bits of types */
    unsigned totals;   /* ... that are totals */
    bool is_count;     /* has not the family's unit */
};

static const struct ending endings[] = {
    {"_bucket", IS(SERIES_HISTOGRAM) | IS(SERIES_GAUGE_HISTOGRAM), IS(SERIES_HISTOGRAM), true},
    {"_count", IS(SERIES_HISTOGRAM) | IS(SERIES_SUMMARY), IS(SERIES_HISTOGRAM) | IS(SERIES_SUMMARY),
     true},
    {"_sum", IS(SERIES_HISTOGRAM) | IS(SERIES_SUMMARY), IS(SERIES_HISTOGRAM) | IS(SERIES_SUMMARY),
     false},
    {"_gcount", IS(SERIES_GAUGE_HISTOGRAM), 0, true},
    {"_gsum", IS(SERIES_GAUGE_HISTOGRAM), 0, false},
    {"_created", IS(SERIES_HISTOGRAM) | IS(SERIES_SUMMARY), 0, true},
    {"_total", IS(SERIES_COUNTER), IS(SERIES_COUNTER), false},
    {"_info", IS(SERIES_INFO), 0, false},
};

bool series_meta_says(const struct series_meta *m)
{
    return m != NULL && (m->type != SERIES_UNKNOWN || m->help.len > 0 || m->unit.len > 0);
}

bool series_meta_eq(const struct series_meta *a, const struct series_meta *b)
{
    return a->type == b->type && str_eq(a->help, b->help) && str_eq(a->unit, b->unit);
}

static struct str dup(struct arena *a, struct str s)
{
    return s.len > 0 && s.len <= SERIES_TEXT_MAX ? arena_dup(a, s) : STR("");
}

struct series_meta *series_meta_dup(struct arena *a, const struct series_meta *m)
{
    struct series_meta *copy = arena_new(a, struct series_meta);

    *copy = (struct series_meta){m->type, dup(a, m->help), dup(a, m->unit)};
    return copy;
}

static struct str without(struct str name, const struct ending *ending)
{
    return str_slice(name, 0, name.len - str_of(ending->text).len);
}

/* The end by which <name> is of a family of <type>; NULL: none. */
static const struct ending *ending_of(struct str name, enum series_type type)
{
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct str end = str_of(endings[i].text);
        if ((endings[i].families & IS(type)) != 0 && name.len > end.len && str_ends(name, end)) {
            return &endings[i];
        }
    }
    return NULL;
}

static bool is_histogram(enum series_type type)
{
    return type == SERIES_HISTOGRAM || type == SERIES_GAUGE_HISTOGRAM;
}

struct str series_family(struct str name, enum series_type type)
{
    const struct ending *ending =
        is_histogram(type) || type == SERIES_SUMMARY ? ending_of(name, type) : NULL;

    return ending != NULL ? without(name, ending) : name;
}

enum series_type series_type_of(const struct series_meta *m, struct str name)
{
    if (m == NULL || (is_histogram(m->type) && ending_of(name, m->type) == NULL)) {
        return SERIES_UNKNOWN;
    }
    return m->type;
}

bool series_is_total(const struct series_meta *m, struct str name)
{
    if (m == NULL || m->type == SERIES_COUNTER || m->type == SERIES_COUNT) {
        return m != NULL;
    }
    const struct ending *ending = ending_of(name, m->type);
    return ending != NULL && (ending->totals & IS(m->type)) != 0;
}

struct str series_unit(const struct series_meta *m, struct str name)
{
    const struct ending *ending = m != NULL && m->unit.len > 0 ? ending_of(name, m->type) : NULL;
    bool has_other = m == NULL || (ending != NULL && ending->is_count);

    return has_other ? STR("") : m->unit;
}

/* ---- families ---- */

void series_families_init(struct series_families *f, uint64_t seed)
{
    *f = (struct series_families){.last = STR(""), .found = NULL};
    map_init(&f->by_name, seed);
}

void series_families_release(struct series_families *f)
{
    map_release(&f->by_name);
}

bool series_families_add(struct series_families *f, struct str family, const struct series_meta *m)
{
    if (f->by_name.len >= SERIES_FAMILIES_MAX && map_get(&f->by_name, family) == NULL) {
        return false;
    }
    (void)map_put(&f->by_name, family, (void *)(uintptr_t)m);
    f->last = STR("");
    return true;
}

/* By its own name, or the one it has without an end, if such a family has series of that end. */
static const struct series_meta *find(const struct series_families *f, struct str name)
{
    const struct series_meta *m = map_get(&f->by_name, name);

    for (size_t i = 0; m == NULL && i < ARRAY_LEN(endings); i++) {
        if (!str_ends(name, str_of(endings[i].text))) {
            continue;
        }
        m = map_get(&f->by_name, without(name, &endings[i]));
        m = m != NULL && (endings[i].families & IS(m->type)) != 0 ? m : NULL;
    }
    return m;
}

const struct series_meta *series_families_find(struct series_families *f, struct str name)
{
    if (name.len == 0 || f->by_name.len == 0) {
        return NULL;
    }
    if (!str_eq(name, f->last)) {
        f->found = find(f, name);
        f->last = name;
    }
    return f->found;
}
