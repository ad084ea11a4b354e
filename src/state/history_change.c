/* What a change of alert state says of itself. */
#include "state/history_int.h"

#include "wire/json_labels.h"

const char *history_state(enum alert_state state)
{
    static const char *const names[ALERT_STATES] = {
        [ALERT_READY] = "inactive",     [ALERT_PENDING] = "pending",   [ALERT_ALERTING] = "firing",
        [ALERT_SUPPRESSING] = "firing", [ALERT_RESOLVED] = "resolved",
    };

    return names[state];
}

/* A firing alert that goes on firing: its keep_firing_for timer began or ended, or it was told again. */
static const char *cause_of_going_on(const struct alert *a)
{
    if (a->keep_since_ns != 0) {
        return "no longer true; keep_firing_for holds it";
    }
    return a->to == ALERT_ALERTING && a->from == ALERT_SUPPRESSING ? "still true; told again"
                                                                   : "still true";
}

/* Of an alert that another engine decided, all that is known is that it was pushed. */
static bool is_pushed(const struct batch_info *info)
{
    return str_eq(info->origin, STR("receive"));
}

const char *history_cause(const struct batch_info *info, const struct alert *a)
{
    static const char *const causes[ALERT_STATES] = {
        [ALERT_READY] = "forgotten",
        [ALERT_PENDING] = "became true; waits for as long as `for` asks",
        [ALERT_ALERTING] = "became true",
        [ALERT_SUPPRESSING] = "still true; told not yet again",
        [ALERT_RESOLVED] = "no longer true",
    };
    bool was_firing = a->from == ALERT_ALERTING || a->from == ALERT_SUPPRESSING;
    bool is_firing = a->to == ALERT_ALERTING || a->to == ALERT_SUPPRESSING;

    if (is_pushed(info)) {
        return is_firing ? "was pushed as firing" : "was pushed as resolved";
    }
    if (was_firing && is_firing) {
        return cause_of_going_on(a);
    }
    if (a->from == ALERT_PENDING) {
        return a->to == ALERT_PENDING    ? "time that nobody watched does not count for `for`"
               : a->to == ALERT_RESOLVED ? "no longer true before `for` was reached"
                                         : "true for as long as `for` asks";
    }
    return causes[a->to];
}

struct str history_labels(const struct alert *a, struct buf *text)
{
    struct json_writer w;

    buf_clear(text);
    json_write_init(&w, text);
    json_add_labels(&w, a->labels, false);
    return buf_str(text);
}

struct str history_annotations(const struct alert *a, struct buf *text)
{
    struct json_writer w;

    buf_clear(text);
    json_write_init(&w, text);
    json_add_pairs(&w, a->annotations, a->annotation_count);
    return buf_str(text);
}
