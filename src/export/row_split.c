/*
 * What stands:
 *  1. Each row is given to one leaf, in the order of the view.
 *  2. A row's fate is what its own leaf says; calls are made one after the other, also when one fails.
 */
#include "export/row_split.h"

#include "base/mem.h"
#include "export/outcome_rows.h"

struct part {
    struct sink *leaf;
    VEC(uint32_t) index; /* rows of the view */
    VEC(uint32_t) rows;  /* the same rows in the batch */
};

struct row_split {
    struct sink sink;
    struct part parts[ROW_SPLIT_LEAVES];
    row_split_chooser choose;
    struct outcome outcomes[ROW_SPLIT_LEAVES];
};

static void choose_rows(struct row_split *s, const struct samples *samples, struct view view)
{
    for (size_t i = 0; i < ROW_SPLIT_LEAVES; i++) {
        vec_clear(&s->parts[i].index);
        vec_clear(&s->parts[i].rows);
    }
    for (uint32_t i = 0; i < view.n; i++) {
        uint32_t row = view_row(view, i);
        struct part *part = &s->parts[s->choose(samples, samples->series_of[row])];
        vec_push(&part->index, i);
        vec_push(&part->rows, row);
    }
}

/* Calls a leaf with its rows, and notes what became of them; gives the fates that hold the reasons. */
static struct fate *deliver_part(struct part *part, struct view view, struct wait wait,
                                 struct fate *fates, struct outcome *out)
{
    uint32_t n = (uint32_t)part->index.len;
    struct view inner = {.batch = view.batch, .rows = part->rows.items, .n = n};

    part->leaf->ops->deliver(part->leaf, n == view.n ? view : inner, wait, out);
    struct fate *own = outcome_fates(out, n);
    for (uint32_t i = 0; i < n; i++) {
        fates[part->index.items[i]] = own[i];
    }
    return own;
}

static void deliver_apart(struct row_split *s, struct view view, struct wait wait,
                          struct outcome *ret)
{
    struct fate *fates = mem_alloc0((size_t)view.n + 1, sizeof(*fates));

    for (size_t i = 0; i < ROW_SPLIT_LEAVES; i++) {
        outcome_init(&s->outcomes[i]);
        if (s->parts[i].index.len > 0) {
            mem_free(deliver_part(&s->parts[i], view, wait, fates, &s->outcomes[i]));
            outcome_add(ret, &s->outcomes[i]);
        }
    }
    outcome_word(ret, fates, view.n, VERDICT_DELIVERED);
    for (size_t i = 0; i < ROW_SPLIT_LEAVES; i++) {
        outcome_release(&s->outcomes[i]); /* reasons are theirs */
    }
    mem_free(fates);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct row_split *s = (struct row_split *)sink;
    struct sink *first = s->parts[0].leaf;
    const struct samples *samples = NULL;

    if (!batch_samples(view.batch, &samples, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
    } else if (samples->meta == NULL) {
        first->ops->deliver(first, view, wait, ret);
    } else {
        choose_rows(s, samples, view);
        deliver_apart(s, view, wait, ret);
    }
}

/* Whom the first asks. */
static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(((struct row_split *)sink)->parts[0].leaf, wait, e);
}

static void close_split(struct sink *sink)
{
    struct row_split *s = (struct row_split *)sink;

    for (size_t i = 0; i < ROW_SPLIT_LEAVES; i++) {
        sink_close(s->parts[i].leaf);
        vec_release(&s->parts[i].index);
        vec_release(&s->parts[i].rows);
    }
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_split};

struct sink *row_split_new(struct sink *const *leaves, row_split_chooser choose)
{
    struct row_split *s = mem_new(struct row_split);

    s->sink.ops = &ops;
    s->choose = choose;
    for (size_t i = 0; i < ROW_SPLIT_LEAVES; i++) {
        s->parts[i].leaf = leaves[i];
    }
    return &s->sink;
}
