/* One rule looked at: what its last evaluations were, and what it asks. */
#include "rules/engine_int.h"

/* The run of a rule of the set; NULL when there is none. Within a view. */
static struct rule_run *find_run(struct engine *en, struct str rule_id)
{
    struct rule_run *run = map_get(&en->runs, rule_id);

    return run != NULL && run->rule != NULL ? run : NULL;
}

size_t engine_rule_updates(struct engine *en, struct str rule_id, struct arena *a,
                           const struct rule_update **ret_updates)
{
    size_t count = 0;

    engine_view_begin(en);
    struct rule_run *run = find_run(en, rule_id);
    if (run != NULL) {
        lock_take(&run->lock);
        count = updates_read(&run->updates, a, ret_updates);
        lock_give(&run->lock);
    }
    engine_view_end(en);
    return count;
}

bool engine_print_request(struct engine *en, struct str rule_id, int64_t at_ns, struct buf *out)
{
    engine_view_begin(en);
    const struct rule_run *run = find_run(en, rule_id);
    struct datasource *d = run != NULL ? run_datasource(run) : NULL;
    bool printed = false;

    if (d != NULL) {
        struct query q = rule_query(run->rule, run->rule->expr, at_ns);
        printed = datasource_print_request(d, &q, out);
    }
    engine_view_end(en);
    return printed;
}
