#include "export/sink.h"

#include <stdio.h>

static const char *const verdict_names[VERDICTS] = {
    [VERDICT_DELIVERED] = "delivered", [VERDICT_HELD] = "held",
    [VERDICT_REJECTED] = "rejected",   [VERDICT_RETRY] = "retry",
    [VERDICT_UNKNOWN] = "unknown",     [VERDICT_HALT] = "halt",
};

const char *verdict_name(enum verdict verdict)
{
    return (size_t)verdict < VERDICTS ? verdict_names[verdict] : "unknown";
}

void outcome_init(struct outcome *o)
{
    *o = (struct outcome){.rest = VERDICT_DELIVERED};
}

void outcome_release(struct outcome *o)
{
    vec_release(&o->except.list);
    outcome_init(o);
}

void outcome_settle(struct outcome *o, uint32_t n)
{
    o->rest = VERDICT_DELIVERED;
    o->settled = n;
}

void outcome_except(struct outcome *o, uint32_t index, enum verdict verdict, const char *reason)
{
    struct exception *x = vec_add(&o->except.list);

    x->index = index;
    x->verdict = verdict;
    (void)snprintf(x->reason, sizeof(x->reason), "%s", reason);
}

void outcome_forget(struct outcome *o, uint32_t index)
{
    size_t kept = 0;

    for (size_t i = 0; i < o->except.list.len; i++) {
        if (o->except.list.items[i].index < index) {
            o->except.list.items[kept++] = o->except.list.items[i];
        }
    }
    o->except.list.len = kept;
}
