#include "wire/rw1_metadata.h"

#include "base/attr.h"
#include "wire/pb.h"

#include <string.h>

enum { TYPE = 1, FAMILY = 2, HELP = 4, UNIT = 5 };

/* ---- types ---- */

static const enum series_type types[] = {
    SERIES_UNKNOWN,         SERIES_COUNTER, SERIES_GAUGE, SERIES_HISTOGRAM,
    SERIES_GAUGE_HISTOGRAM, SERIES_SUMMARY, SERIES_INFO,  SERIES_STATE_SET,
};

uint64_t rw1_type_number(enum series_type type)
{
    static const uint64_t numbers[SERIES_TYPES] = {
        [SERIES_UNKNOWN] = 0,         [SERIES_COUNTER] = 1,      [SERIES_GAUGE] = 2,
        [SERIES_HISTOGRAM] = 3,       [SERIES_SUMMARY] = 5,      [SERIES_INFO] = 6,
        [SERIES_GAUGE_HISTOGRAM] = 4, [SERIES_COUNT] = 1,        [SERIES_RATE] = 2,
        [SERIES_STATE_SET] = 7,       [SERIES_DISTRIBUTION] = 2,
    };
    return numbers[type];
}

enum series_type rw1_type(uint64_t number)
{
    return number < ARRAY_LEN(types) ? types[number] : SERIES_UNKNOWN;
}

/* ---- reading ---- */

static bool is_metadata(const struct pb_field *f)
{
    return f->number == RW1_FIELD_METADATA && f->type == PB_BYTES;
}

static bool read_one(struct str bytes, struct str *ret_family, struct series_meta *ret)
{
    struct pb_reader r;
    struct pb_field f;

    *ret_family = STR("");
    *ret = (struct series_meta){SERIES_UNKNOWN, STR(""), STR("")};
    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == TYPE && f.type == PB_VARINT) {
            ret->type = rw1_type(f.value);
        } else if (f.number == FAMILY && f.type == PB_BYTES) {
            *ret_family = f.bytes;
        } else if (f.number == HELP && f.type == PB_BYTES) {
            ret->help = f.bytes;
        } else if (f.number == UNIT && f.type == PB_BYTES) {
            ret->unit = f.bytes;
        }
    }
    return pb_ok(&r) && ret_family->len > 0;
}

/* Messages that were joined say the same of a family again and again: it is copied once. */
static void take(struct series_families *f, struct arena *a, struct str family,
                 const struct series_meta *m)
{
    const struct series_meta *there = map_get(&f->by_name, family);

    if (series_meta_says(m) && (there == NULL || !series_meta_eq(there, m)) &&
        (there != NULL || f->by_name.len < SERIES_FAMILIES_MAX)) {
        (void)series_families_add(f, arena_dup(a, family), series_meta_dup(a, m));
    }
}

uint32_t rw1_read_metadata(struct str message, struct arena *a, struct series_families *families)
{
    struct pb_reader r;
    struct pb_field f;
    uint32_t bad = 0;

    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        struct str family;
        struct series_meta m;
        if (!is_metadata(&f)) {
            continue;
        }
        if (read_one(f.bytes, &family, &m)) {
            take(families, a, family, &m);
        } else {
            bad++;
        }
    }
    return bad;
}

/* ---- writing ---- */

void rw1_metadata_init(struct rw1_metadata *w, uint64_t seed)
{
    *w = (struct rw1_metadata){.bytes = BUF_INIT(BUF_UNLIMITED), .last = STR("")};
    arena_init(&w->names, ARENA_UNLIMITED);
    map_init(&w->said, seed);
}

void rw1_metadata_release(struct rw1_metadata *w)
{
    buf_release(&w->bytes);
    arena_release(&w->names);
    map_release(&w->said);
}

static void put(struct buf *out, struct str family, const struct series_meta *m)
{
    size_t begun = pb_begin(out, RW1_FIELD_METADATA);

    pb_add_u64(out, TYPE, rw1_type_number(m->type));
    pb_add_str(out, FAMILY, family);
    pb_add_str(out, HELP, m->help);
    pb_add_str(out, UNIT, m->unit);
    pb_end(out, begun);
}

static const struct str *remember(struct rw1_metadata *w, struct str family)
{
    struct str *own = arena_new(&w->names, struct str);

    *own = arena_dup(&w->names, family);
    (void)map_put(&w->said, *own, own);
    return own;
}

void rw1_metadata_say(struct rw1_metadata *w, struct str name, const struct series_meta *m)
{
    if (!series_meta_says(m) || name.len == 0 || series_type_of(m, name) != m->type) {
        return;
    }
    struct str family = series_family(name, m->type);
    if (str_eq(family, w->last) || w->said.len >= SERIES_FAMILIES_MAX) {
        return;
    }
    const struct str *said = map_get(&w->said, family);
    if (said == NULL) {
        said = remember(w, family);
        put(&w->bytes, family, m);
    }
    w->last = *said;
}

void rw1_metadata_put(const struct rw1_metadata *w, size_t start, struct buf *out)
{
    size_t len = w->bytes.len;

    if (len > 0 && buf_reserve(out, len) != NULL) {
        memmove(out->ptr + start + len, out->ptr + start, out->len - start);
        memcpy(out->ptr + start, w->bytes.ptr, len);
        buf_added(out, len);
    }
}
