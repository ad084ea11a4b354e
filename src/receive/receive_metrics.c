#include "receive/receive_metrics.h"

#include "base/attr.h"

static const struct metric_desc samples_desc = {
    .name = "telex_receive_samples_total",
    .help = "Samples taken in: answered 2xx, or about to be.",
    .type = METRIC_COUNTER,
};
static const struct metric_desc alerts_desc = {
    .name = "telex_receive_alerts_total",
    .help =
        "Alerts that were pushed: that began to fire, that ended, that said what was known, that "
        "made no sense.",
    .type = METRIC_COUNTER,
    .labels = {"news"},
};
static const struct metric_desc notes_desc = {
    .name = "telex_receive_profiles_total",
    .help = "Profiles and spans taken in: answered 2xx, or about to be.",
    .type = METRIC_COUNTER,
    .labels = {"kind"},
};
static const struct metric_desc events_desc = {
    .name = "telex_receive_events_total",
    .help =
        "Events that were pushed and are in the table: new ones, and such as were there already.",
    .type = METRIC_COUNTER,
    .labels = {"news"},
};
static const struct metric_desc bytes_desc = {
    .name = "telex_receive_bytes_total",
    .help = "Bytes of the bodies that were taken in, as sent.",
    .type = METRIC_COUNTER,
};
static const struct metric_desc seconds_desc = {
    .name = "telex_receive_held_seconds",
    .help = "Time from a push's last byte until it is held, which is when it is answered.",
    .type = METRIC_HISTOGRAM,
    .buckets = metric_seconds_buckets,
    .bucket_count = METRIC_SECONDS_BUCKETS,
};
static const struct metric_desc requests_desc = {
    .name = "telex_receive_requests_total",
    .help = "Pushes by the status that they were answered with.",
    .type = METRIC_COUNTER,
    .labels = {"code"},
};
static const struct metric_desc dropped_desc = {
    .name = "telex_receive_dropped_total",
    .help = "Records answered 2xx that go nowhere: those that the routes give to no output, and "
            "histograms of a push without a sample; and what OTLP was told that it is left out.",
    .type = METRIC_COUNTER,
    .labels = {"reason"},
};
static const struct metric_desc extras_desc = {
    .name = "telex_receive_extras_total",
    .help =
        "What came beside samples. Metadata go on with them, the rest only to outputs that need not look at the rows; start times, which 1.0 does not have, to none.",
    .type = METRIC_COUNTER,
    .labels = {"kind"},
};

static const int codes[RECEIVE_CODES] = {200, 202, 204, 400, 404, 410, 413, 415, 503};
static const char *const code_names[RECEIVE_CODES] = {"200", "202", "204", "400", "404",
                                                      "410", "413", "415", "503"};
static const char *const fate_names[RECEIVE_FATES] = {
    [FATE_FIRING] = "firing",
    [FATE_RESOLVED] = "resolved",
    [FATE_UNCHANGED] = "unchanged",
    [FATE_BAD] = "bad",
};
static const char *const note_names[RECEIVE_NOTES] = {
    [NOTE_OF_PROFILE] = "profile",
    [NOTE_OF_SPAN] = "span",
};
static const char *const event_names[RECEIVE_EVENTS] = {
    [EVENT_IS_NEW] = "new",
    [EVENT_IS_KNOWN] = "known",
};
static const char *const drop_names[RECEIVE_DROPS] = {
    [DROP_NO_ROUTE] = "no route",
    [DROP_NO_SAMPLES] = "no samples",
    [DROP_LEFT_OUT] = "left out",
};
static const char *const extra_names[RECEIVE_EXTRAS] = {
    [EXTRA_HISTOGRAM] = "histogram",
    [EXTRA_EXEMPLAR] = "exemplar",
    [EXTRA_METADATA] = "metadata",
    [EXTRA_START_TIME] = "start_time",
    [EXTRA_EXPONENTIAL] = "exponential_histogram",
    [EXTRA_DELTA] = "delta",
};

static void get_family(struct metrics *registry, const struct metric_desc *desc,
                       const char *const *names, size_t count, struct metric **ret)
{
    for (size_t i = 0; i < count; i++) {
        ret[i] = metrics_get1(registry, desc, str_of(names[i]));
    }
}

void receive_metrics_init(struct receive_metrics *m, struct metrics *registry)
{
    m->samples = metrics_get0(registry, &samples_desc);
    get_family(registry, &alerts_desc, fate_names, RECEIVE_FATES, m->alerts);
    get_family(registry, &notes_desc, note_names, RECEIVE_NOTES, m->notes);
    get_family(registry, &events_desc, event_names, RECEIVE_EVENTS, m->events);
    m->bytes = metrics_get0(registry, &bytes_desc);
    m->seconds = metrics_get0(registry, &seconds_desc);
    get_family(registry, &requests_desc, code_names, RECEIVE_CODES, m->requests);
    get_family(registry, &dropped_desc, drop_names, RECEIVE_DROPS, m->dropped);
    get_family(registry, &extras_desc, extra_names, RECEIVE_EXTRAS, m->extras);
}

static void drop_all(struct metric *const *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metric_drop(all[i]);
    }
}

void receive_metrics_release(struct receive_metrics *m)
{
    metric_drop(m->samples);
    drop_all(m->alerts, RECEIVE_FATES);
    drop_all(m->notes, RECEIVE_NOTES);
    drop_all(m->events, RECEIVE_EVENTS);
    metric_drop(m->bytes);
    metric_drop(m->seconds);
    drop_all(m->requests, RECEIVE_CODES);
    drop_all(m->dropped, RECEIVE_DROPS);
    drop_all(m->extras, RECEIVE_EXTRAS);
}

void receive_count_answer(struct receive_metrics *m, int code)
{
    size_t i = 0;

    while (i + 1 < RECEIVE_CODES && codes[i] != code) {
        i++;
    }
    metric_add(m->requests[i], 1);
}
