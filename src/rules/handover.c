/* One engine goes on for another. What a restart needs too goes by snapshot; here is what it can do without. */
#include "rules/engine_int.h"

bool engine_settle(struct engine *en, struct wait wait, struct err *e)
{
    uint32_t at = 0;
    void *run = NULL;
    bool ok = true;

    while (ok && map_next(&en->runs, &at, NULL, &run)) {
        ok = alert_settle(run, wait, e);
    }
    return ok;
}

static void take_run(struct rule_run *run, struct rule_run *before)
{
    run->last_export_ns = before->last_export_ns;
    lock_take(&before->lock);
    uint64_t failures = before->failures;
    lock_give(&before->lock);
    lock_take(&run->lock);
    run->failures = failures;
    lock_give(&run->lock);
}

void engine_take_over(struct engine *en, struct engine *before)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        struct rule_run *old = map_get(&before->runs, run->id);
        if (old != NULL) {
            take_run(run, old);
        }
    }
    departed_take(en, before);
}
