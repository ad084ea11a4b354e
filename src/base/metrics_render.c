/*
 * One walk over families and children in order, made of sample lines; the text form is the walk with headings.
 */
#include "base/metrics_int.h"

#include "base/mem.h"
#include "base/number.h"

#include <stdlib.h>

struct walk {
    void (*heading)(void *arg, const struct metric_desc *desc); /* or NULL */
    void (*visit)(void *arg, const struct metrics_sample *s);
    void *arg;
};

static int compare_families(const void *a, const void *b)
{
    const struct family *const *x = a;
    const struct family *const *y = b;

    return strcmp((*x)->desc->name, (*y)->desc->name);
}

static int compare_children(const void *a, const void *b)
{
    const struct metric *const *x = a;
    const struct metric *const *y = b;
    int order = 0;

    for (size_t i = 0; order == 0 && i < (*x)->family->label_count; i++) {
        order = str_cmp((*x)->values[i], (*y)->values[i]);
    }
    return order;
}

/* The map's values in order; the caller frees the array. */
static void **sorted(const struct map *map, int (*compare)(const void *, const void *))
{
    void **items = mem_alloc0(map->len, sizeof(*items));
    uint32_t at = 0;
    uint32_t n = 0;

    while (map_next(map, &at, NULL, &items[n])) {
        n++;
        if (n == map->len) {
            break;
        }
    }
    qsort(items, n, sizeof(*items), compare);
    return items;
}

/* The lines of one histogram: buckets that add up, then sum and count. */
static void walk_histogram(const struct metric *c, const struct walk *w)
{
    const struct metric_desc *desc = c->family->desc;
    AUTO(buf_release) struct buf name = BUF_INIT(1024);
    AUTO(buf_release) struct buf bound = BUF_INIT(NUMBER_TEXT_MAX);
    const char *names[METRIC_LABELS_MAX + 1];
    struct str values[METRIC_LABELS_MAX + 1];
    size_t labels = c->family->label_count;
    uint64_t count = 0;

    memcpy(names, desc->labels, sizeof(desc->labels));
    memcpy(values, c->values, sizeof(c->values));
    names[labels] = "le";
    buf_addf(&name, "%s_bucket", desc->name);
    for (size_t i = 0; i <= desc->bucket_count; i++) {
        buf_clear(&bound);
        if (i < desc->bucket_count) {
            buf_add_double(&bound, desc->buckets[i]);
        } else {
            buf_add_text(&bound, "+Inf");
        }
        values[labels] = buf_str(&bound);
        count += atomic_load_explicit(&c->buckets[i], memory_order_relaxed);
        w->visit(w->arg, &(struct metrics_sample){desc, buf_text(&name), names, values, labels + 1,
                                                  (double)count});
    }
    buf_clear(&name);
    buf_addf(&name, "%s_sum", desc->name);
    w->visit(w->arg, &(struct metrics_sample){desc, buf_text(&name), names, values, labels,
                                              metric_value(c)});
    buf_clear(&name);
    buf_addf(&name, "%s_count", desc->name);
    w->visit(w->arg,
             &(struct metrics_sample){desc, buf_text(&name), names, values, labels, (double)count});
}

static void walk_family(const struct family *f, const struct walk *w)
{
    AUTO(mem_autofree) void **children = sorted(&f->children, compare_children);

    if (f->children.len > 0 && w->heading != NULL) {
        w->heading(w->arg, f->desc);
    }
    for (uint32_t i = 0; i < f->children.len; i++) {
        const struct metric *c = children[i];
        if (f->desc->type == METRIC_HISTOGRAM) {
            walk_histogram(c, w);
        } else {
            w->visit(w->arg, &(struct metrics_sample){f->desc, f->desc->name, f->desc->labels,
                                                      c->values, f->label_count, metric_value(c)});
        }
    }
}

static void walk_all(struct metrics *m, const struct walk *w)
{
    lock_take(&m->lock);
    void **families = sorted(&m->families, compare_families);
    for (uint32_t i = 0; i < m->families.len; i++) {
        walk_family(families[i], w);
    }
    lock_give(&m->lock);
    mem_free(families);
}

void metrics_walk(struct metrics *m, void (*visit)(void *arg, const struct metrics_sample *s),
                  void *arg)
{
    const struct walk w = {.visit = visit, .arg = arg};

    walk_all(m, &w);
}

/* Backslash and newline, and quotes where the text stands in them. */
static void add_escaped(struct buf *out, struct str s, bool quoted)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\' || c == '\n' || (quoted && c == '"')) {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, c == '\n' ? 'n' : c);
    }
}

static void render_heading(void *arg, const struct metric_desc *desc)
{
    static const char *const types[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

    buf_addf(arg, "# HELP %s ", desc->name);
    add_escaped(arg, str_of(desc->help), false);
    buf_addf(arg, "\n# TYPE %s %s\n", desc->name, types[desc->type]);
}

static void render_sample(void *arg, const struct metrics_sample *s)
{
    struct buf *out = arg;

    buf_add_text(out, s->name);
    for (size_t i = 0; i < s->label_count; i++) {
        buf_add_byte(out, i == 0 ? '{' : ',');
        buf_add_text(out, s->label_names[i]);
        buf_add_text(out, "=\"");
        add_escaped(out, s->label_values[i], true);
        buf_add_byte(out, '"');
    }
    buf_add_text(out, s->label_count > 0 ? "} " : " ");
    buf_add_double(out, s->value);
    buf_add_byte(out, '\n');
}

void metrics_render(struct metrics *m, struct buf *out)
{
    const struct walk w = {.heading = render_heading, .visit = render_sample, .arg = out};

    walk_all(m, &w);
}
