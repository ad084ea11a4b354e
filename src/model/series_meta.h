/*
 * series_meta.h - what somebody said of a series beside its labels: type, help and unit.
 *
 * It is said of families, as Prometheus calls them: series of one name, but those of a histogram or
 * summary together, whose names have an end more (`_bucket`, `_count`, `_sum`). What is kept for a series
 * is its family's; the functions here say what that means for the one series.
 *
 * Ownership: texts are borrowed, or an arena's. Threads: values; a table of families is confined. Limits:
 * SERIES_FAMILIES_MAX families in a table, SERIES_TEXT_MAX bytes of a text: longer ones are not kept.
 */
#ifndef TELEX_MODEL_SERIES_META_H
#define TELEX_MODEL_SERIES_META_H

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SERIES_FAMILIES_MAX = 64 * 1024, SERIES_TEXT_MAX = 4096 };

enum series_type {
    SERIES_UNKNOWN,
    SERIES_GAUGE,
    SERIES_COUNTER, /* a total that only rises, but for new beginnings */
    SERIES_HISTOGRAM,
    SERIES_GAUGE_HISTOGRAM,
    SERIES_SUMMARY,
    SERIES_INFO,
    SERIES_STATE_SET,
    /* What mappings of profiles say, where there is such; elsewhere a counter and gauges. */
    SERIES_COUNT, /* how many since the last one */
    SERIES_RATE,
    SERIES_DISTRIBUTION, /* single values of many, to be put together by who stores them */
    SERIES_TYPES
};

struct series_meta {
    enum series_type type; /* of the family */
    struct str help;
    struct str unit;
};

/* NULL says nothing. */
bool series_meta_says(const struct series_meta *m);
bool series_meta_eq(const struct series_meta *a, const struct series_meta *b);

/* A copy with its texts, without those that are too long. */
struct series_meta *series_meta_dup(struct arena *a, const struct series_meta *m);

/* The family of a series called <name>: without the end that the type gives it. */
struct str series_family(struct str name, enum series_type type);

/* The type to say of a series called <name>: none of a histogram's when it has no name of one. */
enum series_type series_type_of(const struct series_meta *m, struct str name);

/* Is it a total that only rises: a counter, or what a histogram or summary counts and adds up? */
bool series_is_total(const struct series_meta *m, struct str name);

/* The unit of its values: what is counted in a histogram or summary has not that of the family. */
struct str series_unit(const struct series_meta *m, struct str name);

/* ---- families by their names ---- */

struct series_families {
    struct map by_name; /* of const struct series_meta */
    struct str last;    /* the series that was looked for last, and what was found */
    const struct series_meta *found;
};

/* <seed>: names are chosen by outsiders. */
void series_families_init(struct series_families *f, uint64_t seed);
void series_families_release(struct series_families *f);

/* Both are borrowed; what was said before is replaced. False: there are too many. */
bool series_families_add(struct series_families *f, struct str family, const struct series_meta *m);

/* What is said of the family that a series called <name> is of; NULL: nothing. <name> is borrowed. */
const struct series_meta *series_families_find(struct series_families *f, struct str name);

#endif
