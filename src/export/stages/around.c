#include "export/stages/around.h"

#include "base/env.h"
#include "base/metrics.h"

static const struct metric_desc filtered_desc = {
    .name = "telex_exporter_filtered_total",
    .help = "Records that the exporter's own config left out, by reason.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "reason"},
};

enum probed around_probe(struct sink *s, struct wait wait, struct err *e)
{
    return sink_probe(((struct around *)s)->inner, wait, e);
}

bool around_flush(struct sink *s, struct err *e)
{
    struct sink *inner = ((struct around *)s)->inner;

    return inner->ops->flush == NULL || inner->ops->flush(inner, e);
}

int64_t around_tend(struct sink *s, struct wait wait)
{
    return sink_tend(((struct around *)s)->inner, wait);
}

void kept_rows_release(struct kept_rows *kept)
{
    vec_release(&kept->index);
    vec_release(&kept->rows);
}

void kept_rows_clear(struct kept_rows *kept)
{
    vec_clear(&kept->index);
    vec_clear(&kept->rows);
}

void kept_rows_add(struct kept_rows *kept, struct view view, uint32_t index)
{
    kept_rows_add_as(kept, index, view_row(view, index));
}

void kept_rows_add_as(struct kept_rows *kept, uint32_t index, uint32_t row)
{
    vec_push(&kept->index, index);
    vec_push(&kept->rows, row);
}

/* The kept rows as a view of <batch>: without a list where they are all of it. */
static struct view kept_view(const struct kept_rows *kept, struct batch *batch)
{
    uint32_t n = (uint32_t)kept->rows.len;
    bool is_whole = n == batch_rows(batch) && kept->rows.items[n - 1] == n - 1;

    return (struct view){.batch = batch, .rows = is_whole ? NULL : kept->rows.items, .n = n};
}

/* Exceptions get the numbers that the rows have outside; those of no row go. */
static void renumber(struct outcome *ret, const struct kept_rows *kept)
{
    size_t n = 0;

    for (size_t i = 0; i < ret->except.list.len; i++) {
        struct exception x = ret->except.list.items[i];
        if (x.index < kept->index.len) {
            x.index = kept->index.items[x.index];
            ret->except.list.items[n++] = x;
        }
    }
    ret->except.list.len = n;
}

/* Rows that were left out behind what is settled share no rejection: they are as good as delivered. */
static void spare_left_out(struct outcome *ret, const struct kept_rows *kept, uint32_t n)
{
    size_t next = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (next < kept->index.len && kept->index.items[next] == i) {
            next++;
        } else if (i >= ret->settled) {
            outcome_except(ret, i, VERDICT_DELIVERED, "left out");
        }
    }
}

/* How many rows before <end> were left out. */
static uint32_t count_left_out(const struct kept_rows *kept, uint32_t end)
{
    uint32_t before = 0;

    while (before < kept->index.len && kept->index.items[before] < end) {
        before++;
    }
    return end - before;
}

uint32_t around_deliver(struct around *a, struct view view, struct batch *batch,
                        const struct kept_rows *kept, struct wait wait, struct outcome *ret)
{
    uint32_t n = (uint32_t)kept->index.len;

    if (n == 0) {
        outcome_settle(ret, view.n);
        ret->left_out += view.n;
        return view.n;
    }
    a->inner->ops->deliver(a->inner, kept_view(kept, batch), wait, ret);
    renumber(ret, kept);
    ret->settled = ret->settled < n ? kept->index.items[ret->settled] : view.n;
    uint32_t left_out = view.n - n;
    if (ret->rest != VERDICT_REJECTED) {
        bool all = ret->rest == VERDICT_DELIVERED || ret->rest == VERDICT_HELD;
        left_out = count_left_out(kept, all ? view.n : ret->settled);
    } else {
        spare_left_out(ret, kept, view.n);
    }
    ret->left_out += left_out;
    return left_out;
}

struct metric *around_filtered_metric(const struct exporter_place *place, const char *reason)
{
    return metrics_get2(place->env->metrics, &filtered_desc, place->name, str_of(reason));
}
