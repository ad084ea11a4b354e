/*
 * Invariants
 *   1. What is known is of one spool, and stands before <end>: nobody takes back what is synced, so it is there as long as the
 *      spool has that number and as many bytes.
 *   2. After a write that failed nothing is known.
 */
#include "export/spool_lines.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "wire/short_line.h"

#include <math.h>
#include <string.h>

/* The line of a series. */
struct model {
    uint64_t at;
    uint32_t len;
};

struct spool_lines {
    size_t bytes_max;
    size_t bytes;
    struct map known; /* by labels, and by what their batch says of all samples */
    struct arena arena;
    struct buf key;
    uint64_t spool;
    int64_t begin;
    int64_t end;
    int64_t saved;
};

struct spool_lines *spool_lines_new(size_t bytes_max)
{
    struct spool_lines *l = mem_new(struct spool_lines);

    l->bytes_max = bytes_max;
    map_init(&l->known, 0);
    arena_init(&l->arena, ARENA_UNLIMITED);
    buf_init(&l->key, BUF_UNLIMITED);
    return l;
}

void spool_lines_free(struct spool_lines *l)
{
    if (l != NULL) {
        map_release(&l->known);
        arena_release(&l->arena);
        buf_release(&l->key);
        mem_free(l);
    }
}

static void forget(struct spool_lines *l)
{
    map_clear(&l->known);
    arena_reset(&l->arena);
    l->bytes = 0;
}

void spool_lines_begin(struct spool_lines *l, uint64_t spool, int64_t at)
{
    if (l->spool != spool || at < l->end) {
        forget(l);
    }
    l->spool = spool;
    l->begin = at;
    l->end = at;
    l->saved = 0;
}

int64_t spool_lines_end(struct spool_lines *l, bool is_there)
{
    if (!is_there) {
        forget(l);
        l->saved = 0;
    }
    return l->saved;
}

/* Of a sample's series in its batch: what its line has beside time and value. */
static struct str key_of(struct spool_lines *l, const struct record_objects *o,
                         const struct labels *labels)
{
    buf_clear(&l->key);
    buf_add_str(&l->key, labels_bytes(labels));
    if (o->json.tail.len > 1) {
        buf_add_byte(&l->key, '\0');
        buf_add_str(&l->key, buf_str(&o->json.tail));
    }
    return buf_str(&l->key);
}

/* The line that was just made is one that others may refer to. */
static void note_model(struct spool_lines *l, struct str key, uint64_t at, size_t len)
{
    struct model *m = arena_new(&l->arena, struct model);

    *m = (struct model){at, (uint32_t)len};
    (void)map_put(&l->known, arena_dup(&l->arena, key), m);
}

/* What the line of a series costs its reader, about: itself and a cell for each column. */
static size_t weight(const struct labels *labels)
{
    enum { COLUMNS = 4, CELL_BYTES = 80, MORE = 200 };

    return labels_bytes(labels).len + MORE + ((size_t)labels->count + COLUMNS) * CELL_BYTES;
}

static void add_sample(struct spool_lines *l, struct record_objects *o, uint32_t i, uint32_t part,
                       struct buf *out)
{
    uint32_t row = view_row(o->view, i);
    const struct labels *labels = o->samples->series[o->samples->series_of[row]];
    struct str key = key_of(l, o, labels);
    const struct model *model = map_get(&l->known, key);
    size_t start = out->len;

    if (model != NULL) {
        const struct short_line s = {o->samples->time_ns[row], o->samples->value[row], model->at};
        short_line_add(&s, out);
        l->saved += (int64_t)model->len - (int64_t)(out->len - start);
        return;
    }
    bool is_model = l->bytes + weight(labels) <= l->bytes_max;
    if (is_model) {
        l->bytes += weight(labels);
        buf_add_byte(out, SHORT_LINE_MODEL);
    }
    record_objects_add(o, i, part, out);
    if (is_model) {
        note_model(l, key, (uint64_t)l->begin + start, out->len - start);
    }
}

void spool_lines_add(struct spool_lines *l, struct record_objects *objects, uint32_t i,
                     uint32_t part, struct buf *out)
{
    bool is_number =
        objects->samples != NULL && isfinite(objects->samples->value[view_row(objects->view, i)]);

    if (is_number) {
        add_sample(l, objects, i, part, out);
    } else {
        record_objects_add(objects, i, part, out);
    }
    buf_add_byte(out, '\n');
    l->end = l->begin + (int64_t)out->len;
}
