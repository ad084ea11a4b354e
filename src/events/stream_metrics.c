#include "events/stream_metrics.h"

#define NAME(what, kind, text) .name = "telex_stream_" what, .help = (text), .type = (METRIC_##kind)
#define ROW(what, kind, text)                          \
    {                                                  \
        NAME(what, kind, text), .labels = { "stream" } \
    }

static const struct metric_desc descs[STREAM_METRICS] = {
    [METRIC_READ] = ROW("read_total", COUNTER, "Changes that were read from the source."),
    [METRIC_DONE] =
        ROW("done_total", COUNTER,
            "Changes that are delivered, dead letters or none of the stream's, in order."),
    [METRIC_FILTERED] = ROW("filtered_total", COUNTER, "Changes that `match` left out."),
    [METRIC_ODD] = ROW(
        "odd_events_total", COUNTER,
        "Changes that look like health events and are not quite some; the log says what is off."),
    [METRIC_BROKEN] =
        ROW("broken_total", COUNTER, "Changes that could not become events: see the policy."),
    [METRIC_BACKFILLED] =
        ROW("backfilled_total", COUNTER, "Changes of the backfill that are done."),
    [METRIC_RESTARTS] =
        ROW("source_restarts_total", COUNTER, "Times that the source was lost and started again."),
    [METRIC_SAVES] = ROW("position_saves_total", COUNTER, "Times that the position was written."),
    [METRIC_IN_FLIGHT] = ROW("in_flight", GAUGE, "Changes that are read and not done."),
    [METRIC_LAG_SECONDS] = ROW(
        "lag_seconds", GAUGE,
        "Between the newest change of the source and the newest that is done; 0 while nothing comes, and no sample while it is not known."),
    [METRIC_LAG_EVENTS] = ROW(
        "lag_events", GAUGE,
        "Changes that are not done, here and in the source; no sample while it is not known how many."),
    [METRIC_RETAINED] =
        ROW("retained_bytes", GAUGE,
            "Bytes that the datastore keeps for the stream; no sample while it is not known."),
    [METRIC_BACKFILL_LEFT] = ROW(
        "backfill_left", GAUGE,
        "Changes that the backfill has still to read; no sample while it is not known how many."),
    [METRIC_UP] = ROW("up", GAUGE, "Is the stream reading its source (1)?"),
    [METRIC_READY] = ROW(
        "ready", GAUGE,
        "Is it as it should be (1), as `/-/ready` says: neither lost, halted, refused, without its source nor too far behind?"),
    [METRIC_LETTERS] =
        {NAME(
             "dead_letters", GAUGE,
             "Dead letters that are kept: events that the sink refused, changes that could not be read."),
         .labels = {"stream", "kind"}},
    [METRIC_ATTEMPTS] = {NAME("attempts_total", COUNTER,
                              "Requests to the sink, by status, or by why there was no answer."),
                         .labels = {"stream", "status"}},
    [METRIC_UNCONFIGURED] =
        ROW("unconfigured", GAUGE,
            "1: something is kept of a stream that no config has, such as a replication slot."),
};

const struct metric_desc *stream_metric_desc(enum stream_metric metric)
{
    return &descs[metric];
}

/* As the name says it. */
static const char *unit_of(struct str name)
{
    return str_ends(name, STR("_seconds")) ? ", seconds"
           : str_ends(name, STR("_bytes")) ? ", bytes"
                                           : "";
}

void stream_metrics_print_docs(struct buf *out)
{
    buf_add_text(out, "| metric | labels | kind | what |\n|---|---|---|---|\n");
    for (size_t i = 0; i < STREAM_METRICS; i++) {
        const struct metric_desc *d = &descs[i];
        buf_addf(out, "| `%s` | `%s`%s%s%s | %s%s | %s |\n", d->name, d->labels[0],
                 d->labels[1] != NULL ? ", `" : "", d->labels[1] != NULL ? d->labels[1] : "",
                 d->labels[1] != NULL ? "`" : "", d->type == METRIC_COUNTER ? "counter" : "gauge",
                 unit_of(str_of(d->name)), d->help);
    }
}
