/*
 * When each group was evaluated last: what a restart needs to know how long nobody watched.
 *
 * A line per group: "<group id> <slot in ns>". The file is small, is not synced at each evaluation, and may
 * be some seconds old after a crash: then a little too much does not count, so an alert fires that much later
 * and never too early.
 */
#include "rules/engine_int.h"

#include "base/mem.h"
#include "base/number.h"

void engine_print_slots(struct engine *en, struct buf *out)
{
    engine_view_begin(en);
    for (size_t i = 0; i < en->group_count; i++) {
        struct group_run *g = &en->groups[i];
        lock_take(&g->lock);
        int64_t slot_ns = g->last_slot_ns != 0 ? g->last_slot_ns : g->resumed_from_ns;
        lock_give(&g->lock);
        if (slot_ns != 0) {
            buf_add_str(out, g->group->id);
            buf_addf(out, " %lld\n", (long long)slot_ns);
        }
    }
    engine_view_end(en);
}

/* The groups by their ids. */
static void index_groups(struct map *map, struct group_run *groups, size_t count)
{
    map_init(map, 0);
    for (size_t i = 0; i < count; i++) {
        (void)map_put(map, groups[i].group->id, &groups[i]);
    }
}

static bool read_line(struct str line, struct str *ret_id, int64_t *ret_slot_ns)
{
    struct str rest = line;

    return str_split(&rest, ' ', ret_id) && number_parse_i64(str_trim(rest), ret_slot_ns) &&
           *ret_slot_ns > 0;
}

void engine_restore_slots(struct engine *en, struct str text)
{
    struct map map;
    struct str line;
    struct str id;
    int64_t slot_ns = 0;
    int64_t latest_ns = 0;

    index_groups(&map, en->groups, en->group_count);
    while (str_split(&text, '\n', &line)) {
        if (!read_line(line, &id, &slot_ns)) {
            continue;
        }
        struct group_run *g = map_get(&map, id);
        latest_ns = slot_ns > latest_ns ? slot_ns : latest_ns;
        if (g != NULL) {
            g->resumed_from_ns = slot_ns;
        }
    }
    for (size_t i = 0; i < en->group_count; i++) {
        struct group_run *g = &en->groups[i];
        g->resumed_from_ns = g->resumed_from_ns != 0 ? g->resumed_from_ns : latest_ns;
    }
    map_release(&map);
}

void carry_slots(struct engine *en, struct group_run *groups, size_t count)
{
    struct map map;

    index_groups(&map, en->groups, en->group_count);
    for (size_t i = 0; i < count; i++) {
        const struct group_run *old = map_get(&map, groups[i].group->id);
        if (old != NULL) {
            groups[i].last_slot_ns = old->last_slot_ns;
            groups[i].resumed_from_ns = old->resumed_from_ns;
        }
    }
    map_release(&map);
}

void credit_absence(struct group_run *g, int64_t slot_ns)
{
    if (g->resumed_from_ns == 0) {
        return;
    }
    int64_t unwatched_ns = slot_ns - g->resumed_from_ns - g->group->interval_ns;
    for (size_t i = 0; unwatched_ns > 0 && i < g->group->rule_count; i++) {
        g->runs[i]->shift_ns += unwatched_ns;
    }
    lock_take(&g->lock);
    g->resumed_from_ns = 0;
    lock_give(&g->lock);
}
