/*
 * Invariants
 *   1. Every value of the table is the meta of a struct known_family, whose name is its key.
 *   2. <bytes> is what all of them hold; <count> is how many there are.
 *   3. No name of a message is kept in the table's memory of what was looked for last.
 */
#include "receive/known_families.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/pb.h"
#include "wire/rw1_metadata.h"
#include "wire/rw1_series.h"

enum { FIELD_SERIES = 1 };

struct known_family {
    struct series_meta meta; /* the first, since it stands for all; texts are owned */
    struct str name;
    int64_t heard_ns;
};

static struct known_family *family_of(void *meta)
{
    return meta;
}

static size_t size_of(const struct known_family *f)
{
    return sizeof(*f) + f->name.len + f->meta.help.len + f->meta.unit.len;
}

static struct str own(struct str s)
{
    return s.len > 0 ? str_make(mem_dup_text(s.ptr, s.len), s.len) : STR_NONE;
}

static void free_text(struct str s)
{
    mem_free((char *)(uintptr_t)s.ptr);
}

static void family_free(struct known_family *f)
{
    free_text(f->name);
    free_text(f->meta.help);
    free_text(f->meta.unit);
    mem_free(f);
}

void known_families_init(struct known_families *k, uint64_t seed)
{
    lock_init(&k->lock);
    k->seed = seed;
    lock_take(&k->lock);
    series_families_init(&k->table, seed);
    lock_give(&k->lock);
}

void known_families_release(struct known_families *k)
{
    uint32_t at = 0;
    void *meta;

    lock_take(&k->lock);
    while (map_next(&k->table.by_name, &at, NULL, &meta)) {
        family_free(family_of(meta));
    }
    series_families_release(&k->table);
    lock_give(&k->lock);
    lock_release(&k->lock);
}

/* ---- learning ---- */

static void drop(struct known_families *k, struct known_family *f) REQUIRES(&k->lock)
{
    (void)map_del(&k->table.by_name, f->name);
    k->bytes -= size_of(f);
    family_free(f);
}

/* Lets go of those that nobody says any more. */
static void make_room(struct known_families *k, int64_t now_ns) REQUIRES(&k->lock)
{
    const int64_t oldest_ns = now_ns - NS_PER_S * 60 * KNOWN_FORGET_MIN;
    uint32_t at = 0;
    void *meta;

    while (map_next(&k->table.by_name, &at, NULL, &meta)) {
        if (family_of(meta)->heard_ns < oldest_ns) {
            drop(k, family_of(meta));
        }
    }
    k->table.last = STR("");
}

static struct known_family *family_new(struct str name, const struct series_meta *m)
{
    struct known_family *f = mem_new(struct known_family);

    f->name = own(name);
    f->meta = (struct series_meta){m->type, own(m->help), own(m->unit)};
    return f;
}

/* False: there is no room. */
static bool learn_one(struct known_families *k, struct str name, const struct series_meta *m,
                      int64_t now_ns) REQUIRES(&k->lock)
{
    void *there = map_get(&k->table.by_name, name);
    if (there != NULL && series_meta_eq(there, m)) {
        family_of(there)->heard_ns = now_ns;
        return true;
    }
    if (there != NULL) {
        drop(k, family_of(there));
    }
    struct known_family *f = family_new(name, m);
    f->heard_ns = now_ns;
    if (k->bytes + size_of(f) > KNOWN_BYTES_MAX ||
        !series_families_add(&k->table, f->name, &f->meta)) {
        family_free(f);
        return false;
    }
    k->bytes += size_of(f);
    return true;
}

static bool is_full(const struct known_families *k) REQUIRES(&k->lock)
{
    return k->bytes > KNOWN_BYTES_MAX / 2 || k->table.by_name.len > SERIES_FAMILIES_MAX / 2;
}

uint32_t known_families_learn(struct known_families *k, struct str message, int64_t now_ns)
{
    AUTO(arena_release) struct arena texts;
    struct series_families said;
    uint32_t at = 0;
    uint32_t left_out = 0;
    struct str name;
    void *meta;

    arena_init(&texts, ARENA_UNLIMITED);
    series_families_init(&said, k->seed);
    (void)rw1_read_metadata(message, &texts, &said);
    lock_take(&k->lock);
    if (is_full(k)) {
        make_room(k, now_ns);
    }
    while (map_next(&said.by_name, &at, &name, &meta)) {
        left_out += !learn_one(k, name, meta, now_ns);
    }
    k->table.last = STR("");
    atomic_store_explicit(&k->count, k->table.by_name.len, memory_order_relaxed);
    lock_give(&k->lock);
    series_families_release(&said);
    return left_out;
}

/* ---- saying ---- */

void known_families_say(struct known_families *k, struct str message, struct buf *out)
{
    struct rw1_metadata said;
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    lock_take(&k->lock);
    rw1_metadata_init(&said, k->seed);
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_SERIES && f.type == PB_BYTES) {
            const char *end = rw1_pass_labels(f.bytes);
            struct str labels = str_make(f.bytes.ptr, (size_t)(end - f.bytes.ptr));
            struct str name = rw1_series_name(labels);
            rw1_metadata_say(&said, name, series_families_find(&k->table, name));
        }
    }
    k->table.last = STR("");
    lock_give(&k->lock);
    buf_add_str(out, buf_str(&said.bytes));
    rw1_metadata_release(&said);
}
