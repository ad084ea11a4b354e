#include "base/buf.h"
#include "model/batch.h"

static const struct {
    const char *name;
    const char *prometheus;
} states[ALERT_STATES] = {
    [ALERT_READY] = {"ready", "inactive"},       [ALERT_PENDING] = {"pending", "pending"},
    [ALERT_ALERTING] = {"alerting", "firing"},   [ALERT_SUPPRESSING] = {"suppressing", "firing"},
    [ALERT_RESOLVED] = {"resolved", "inactive"},
};

const char *alert_state_name(enum alert_state state)
{
    return (size_t)state < ALERT_STATES ? states[state].name : "unknown";
}

const char *alert_state_prometheus(enum alert_state state)
{
    return (size_t)state < ALERT_STATES ? states[state].prometheus : "unknown";
}

void alert_print_id(const struct alert *a, struct buf *out)
{
    buf_add_str(out, a->rule_id);
    buf_addf(out, ":%016llx:", (unsigned long long)a->labels->hash);
    buf_add_i64(out, a->episode_ns);
    buf_addf(out, ":%s", alert_state_name(a->to));
}
