/* What a stream says of itself: state, metrics, status. */
#include "events/stream_int.h"
#include "events/stream_letters.h"

#include <stdio.h>
#include <string.h>

enum { MEASURE_MS = 5000, MEASURE_WAIT_MS = 2000, TELL_MS = 200 };

static const char *const state_names[STREAM_STATES] = {
    [STREAM_STOPPED] = "stopped",   [STREAM_CONNECTS] = "connecting",
    [STREAM_RUNS] = "running",      [STREAM_WAITS] = "waiting",
    [STREAM_REFUSED] = "refused",   [STREAM_LOST] = "lost",
    [STREAM_HALTED] = "halted",     [STREAM_ENDED] = "ended",
    [STREAM_DISABLED] = "disabled", [STREAM_UNCONFIGURED] = "unconfigured",
};

const char *stream_state_name(enum stream_state state)
{
    return state_names[state];
}

/* ---- metrics ---- */

/* A number that is not known has no sample: 0 would say that all is well. */
static bool is_perhaps_unknown(size_t metric)
{
    return metric == METRIC_LAG_SECONDS || metric == METRIC_LAG_EVENTS ||
           metric == METRIC_RETAINED || metric == METRIC_BACKFILL_LEFT;
}

/* Below 0: it is not known. */
static void set_known(struct event_stream *s, enum stream_metric metric, double value)
{
    struct metric **m = &s->metrics[metric];

    if (value < 0) {
        metric_drop(*m);
        *m = NULL;
        return;
    }
    if (*m == NULL) {
        *m = metrics_get1(s->env->metrics, stream_metric_desc(metric), s->config->name);
    }
    metric_set(*m, value);
}

struct metric *letters_metric(const struct env *env, struct str stream, enum letter_box box)
{
    return metrics_get2(env->metrics, stream_metric_desc(METRIC_LETTERS), stream,
                        str_of(letter_box_name(box)));
}

void stream_open_metrics(struct event_stream *s)
{
    for (size_t i = 0; i < STREAM_GAUGES; i++) {
        s->metrics[i] =
            is_perhaps_unknown(i)
                ? NULL
                : metrics_get1(s->env->metrics, stream_metric_desc((enum stream_metric)i),
                               s->config->name);
    }
    for (int box = 0; box < LETTER_BOXES; box++) {
        s->letters[box] = letters_metric(s->env, s->config->name, (enum letter_box)box);
    }
}

/* Adds what came since it was asked last; a plan that changed begins at 0. */
static void count_attempts(struct event_stream *s)
{
    struct attempt_counts now;

    plan_attempts(s->world.plan, s->config->exporter, &now);
    for (size_t i = 0; i < ATTEMPT_KINDS; i++) {
        uint64_t more = now.of[i] >= s->attempted[i] ? now.of[i] - s->attempted[i] : now.of[i];
        s->attempted[i] = now.of[i];
        if (more > 0 && s->attempts[i] == NULL) {
            s->attempts[i] = metrics_get2(s->env->metrics, stream_metric_desc(METRIC_ATTEMPTS),
                                          s->config->name, str_of(attempt_kind_name(i)));
        }
        if (more > 0) {
            metric_add(s->attempts[i], more);
        }
    }
}

void stream_drop_metrics(struct event_stream *s)
{
    for (size_t i = 0; i < ATTEMPT_KINDS; i++) {
        metric_drop(s->attempts[i]);
    }
    for (size_t i = 0; i < STREAM_GAUGES; i++) {
        metric_drop(s->metrics[i]);
    }
    for (int box = 0; box < LETTER_BOXES; box++) {
        metric_drop(s->letters[box]);
    }
}

/* ---- state ---- */

static void say_state(struct event_stream *s, enum stream_state state, const struct err *why)
{
    bool is_bad = state == STREAM_LOST || state == STREAM_HALTED || state == STREAM_REFUSED;

    trace_at(&s->trace,
             is_bad                  ? TRACE_ERROR
             : state == STREAM_WAITS ? TRACE_WARN
                                     : TRACE_INFO,
             "a stream changed", T_STR("stream", s->config->name),
             T_TEXT("state", state_names[state]), T_ERR(why));
}

void stream_set_state(struct event_stream *s, enum stream_state state, const struct err *why)
{
    static const struct err nothing = {.code = ERR_NONE};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (why != NULL && why->code != ERR_NONE) {
        err_print_line(why, &text);
    }
    lock_take(&s->lock);
    bool is_new = s->told.state != state;
    s->told.state = state;
    s->told.halted_change = 0; /* whoever halts says which */
    (void)snprintf(s->told.reason, sizeof(s->told.reason), "%s", buf_text(&text));
    lock_give(&s->lock);
    metric_set(s->metrics[METRIC_UP], state == STREAM_RUNS);
    if (is_new) {
        say_state(s, state, why != NULL ? why : &nothing);
    }
}

/* ---- how far behind ---- */

/* Of what was read and is not done, and of what the source has beyond. */
static int64_t lag_ns(struct event_stream *s, const struct source_measures *m)
{
    if (!s->has_measured && window_size(&s->windows[TRACK_LIVE]).changes == 0) {
        return -1;
    }
    int64_t now_ns = clock_wall_ns(s->env->clock);
    int64_t oldest_ns = window_oldest_ns(&s->windows[TRACK_LIVE]);
    int64_t open_ns = oldest_ns != 0 && now_ns > oldest_ns ? now_ns - oldest_ns : 0;
    int64_t unread_ns = m->behind != 0 && m->head_ns > s->read_time_ns && s->read_time_ns != 0
                            ? m->head_ns - s->read_time_ns
                            : 0;

    return open_ns > unread_ns ? open_ns : unread_ns;
}

void stream_forget_measures(struct event_stream *s, bool has_ended)
{
    s->has_measured = has_ended;
    s->measured_mono_ns = 0; /* asked as soon as there is somebody to ask */
    s->told_mono_ns = 0;
    lock_take(&s->lock);
    s->measures = (struct source_measures){.behind = has_ended ? 0 : -1, .retained_bytes = -1};
    s->told.lag_ns = -1;
    s->told.lag_events = -1;
    s->told.retained_bytes = -1;
    lock_give(&s->lock);
    set_known(s, METRIC_LAG_SECONDS, -1);
    set_known(s, METRIC_LAG_EVENTS, -1);
    set_known(s, METRIC_RETAINED, -1);
}

static void measure(struct event_stream *s)
{
    struct source_measures m = {.behind = -1, .retained_bytes = -1};
    const struct wait wait = {clock_deadline_ms(s->env->clock, MEASURE_WAIT_MS), s->stop};

    if (s->source == NULL) {
        return;
    }
    s->measured_mono_ns = clock_mono_ns(s->env->clock);
    s->has_measured = true;
    if (s->source->ops->measure == NULL) {
        return;
    }
    s->source->ops->measure(s->source, &m, wait);
    lock_take(&s->lock);
    bool is_new_danger = m.in_danger && !s->measures.in_danger;
    s->measures = m;
    lock_give(&s->lock);
    if (is_new_danger) {
        trace_warn(&s->trace, "the source may soon drop what it keeps for this stream",
                   T_STR("stream", s->config->name), T_TEXT("source_state", m.state),
                   T_I64("retained_bytes", m.retained_bytes));
    }
}

/* A part of a position would be none. */
static void show_text(struct buf *to, struct str from)
{
    buf_clear(to);
    if (from.len <= STREAM_SHOWN_MAX) {
        buf_add_str(to, from);
    }
}

static int64_t eta_s(const struct event_stream *s)
{
    const struct pace *p = &s->pace;
    double took_s = (double)(clock_mono_ns(s->env->clock) - p->began_ns) / (double)NS_PER_S;
    double done = (double)(s->kept.place.backfilled - p->began_at);

    return p->left >= 0 && p->began_ns != 0 && done > 0 && took_s > 0
               ? (int64_t)((double)p->left / (done / took_s))
               : -1;
}

/* How long nothing was done though there is something to do. */
static int64_t stalled_ns(const struct event_stream *s, const struct stream_status *t)
{
    int64_t now_ns = clock_mono_ns(s->env->clock);
    int64_t since_ns =
        s->kept.moved_mono_ns > s->kept.idle_mono_ns ? s->kept.moved_mono_ns : s->kept.idle_mono_ns;

    return since_ns != 0 && (t->in_flight > 0 || s->kept.is_changed) ? now_ns - since_ns : 0;
}

/* What only the reader knows. */
static void tell_reader(struct event_stream *s, struct stream_status *t) REQUIRES(&s->lock)
{
    struct window_size live = window_size(&s->windows[TRACK_LIVE]);
    struct window_size back = window_size(&s->windows[TRACK_BACKFILL]);

    show_text(&s->told_position, buf_str(&s->kept.position));
    show_text(&s->told_identity, buf_str(&s->kept.identity));
    t->first_ns = s->kept.place.first_ns;
    t->saved_ns = s->kept.place.updated_ns;
    t->done = s->kept.place.done;
    t->in_flight = live.changes + back.changes;
    t->in_flight_bytes = live.bytes + back.bytes;
    t->lag_ns = lag_ns(s, &s->measures);
    t->stalled_ns = stalled_ns(s, t);
    t->lag_events = s->measures.behind < 0 ? -1 : s->measures.behind + (int64_t)live.changes;
    t->retained_bytes = s->measures.retained_bytes;
    t->in_danger = s->measures.in_danger;
    memcpy(t->source_state, s->measures.state, sizeof(t->source_state));
    t->backfill = backfill_phase_name(s->kept.place.backfill);
    t->backfilled = s->kept.place.backfilled;
    t->backfill_done_ns = s->kept.place.backfill_done_ns;
    t->backfill_left = s->kept.place.backfill == BACKFILL_RUNS ? s->pace.left : 0;
    t->left_is_estimate =
        s->config->kind->left_is_estimate && s->kept.place.backfill == BACKFILL_RUNS;
    t->backfill_eta_s = s->kept.place.backfill == BACKFILL_RUNS ? eta_s(s) : 0;
}

static void set_gauges(struct event_stream *s, const struct stream_status *t)
{
    metric_set(s->metrics[METRIC_IN_FLIGHT], (double)t->in_flight);
    set_known(s, METRIC_LAG_SECONDS, t->lag_ns < 0 ? -1 : (double)t->lag_ns / (double)NS_PER_S);
    set_known(s, METRIC_LAG_EVENTS, (double)t->lag_events);
    set_known(s, METRIC_RETAINED, (double)t->retained_bytes);
    set_known(s, METRIC_BACKFILL_LEFT, (double)t->backfill_left);
}

void stream_tell(struct event_stream *s)
{
    int64_t now_ns = clock_mono_ns(s->env->clock);
    struct stream_status told;

    if (s->told_mono_ns != 0 && now_ns - s->told_mono_ns < TELL_MS * NS_PER_MS) {
        return;
    }
    s->told_mono_ns = now_ns;
    if (s->measured_mono_ns == 0 || now_ns - s->measured_mono_ns >= MEASURE_MS * NS_PER_MS) {
        measure(s);
    }
    lock_take(&s->lock);
    tell_reader(s, &s->told);
    told = s->told;
    lock_give(&s->lock);
    set_gauges(s, &told);
    count_attempts(s);
    event_stream_get_status(s, NULL, &told);
    metric_set(s->metrics[METRIC_READY], told.is_ready);
    for (int box = 0; box < LETTER_BOXES; box++) {
        metric_set(s->letters[box], (double)told.letters[box]);
    }
}

/* ---- status ---- */

static void judge(const struct event_stream *s, struct stream_status *t)
{
    int64_t max_lag_ns = s->config->options.max_lag_ns;
    bool is_stalled = max_lag_ns > 0 && t->stalled_ns > max_lag_ns;
    bool is_late = is_stalled || (max_lag_ns > 0 && t->lag_ns > max_lag_ns);
    bool sink_halts = t->sink.state != NULL && strcmp(t->sink.state, "halted") == 0;
    bool is_told = t->sink.last_error[0] != '\0' && t->sink.last_error_ns > t->sink.last_success_ns;

    t->is_ready = (t->state == STREAM_RUNS || t->state == STREAM_ENDED) && !is_late &&
                  !sink_halts && !t->in_danger;
    t->state = t->state == STREAM_RUNS && sink_halts ? STREAM_HALTED : t->state;
    if (t->is_ready || t->reason[0] != '\0') {
        return;
    }
    if (sink_halts) {
        (void)snprintf(t->reason, sizeof(t->reason), "the sink refuses: %.400s",
                       t->sink.last_error);
    } else if (is_late) {
        (void)snprintf(t->reason, sizeof(t->reason), "%lld s behind, max_lag is %lld s%s%.300s",
                       (long long)((is_stalled ? t->stalled_ns : t->lag_ns) / NS_PER_S),
                       (long long)(max_lag_ns / NS_PER_S),
                       is_told ? "; the sink's last error: " : "",
                       is_told ? t->sink.last_error : "");
    } else if (t->in_danger) {
        (void)snprintf(t->reason, sizeof(t->reason),
                       "the source may soon drop what it keeps for this stream");
    }
}

enum stream_state event_stream_get_state(struct event_stream *s)
{
    lock_take(&s->lock);
    enum stream_state state = s->told.state;
    lock_give(&s->lock);
    return state;
}

void event_stream_get_status(struct event_stream *s, struct arena *a, struct stream_status *ret)
{
    lock_take(&s->lock);
    *ret = s->told;
    if (a != NULL) {
        ret->position = arena_dup(a, buf_str(&s->told_position));
        ret->identity = arena_dup(a, buf_str(&s->told_identity));
    }
    lock_give(&s->lock);
    ret->name = s->config->name;
    ret->kind = s->config->kind->name;
    ret->exporter = s->config->exporter;
    ret->read = (uint64_t)metric_value(s->metrics[METRIC_READ]);
    ret->filtered = (uint64_t)metric_value(s->metrics[METRIC_FILTERED]);
    ret->broken = (uint64_t)metric_value(s->metrics[METRIC_BROKEN]);
    ret->restarts = (uint64_t)metric_value(s->metrics[METRIC_RESTARTS]);
    ret->sink = (struct output_status){
        .is_healthy = true, .name = s->config->exporter, .kind = "", .state = "idle"};
    (void)plan_output_status(s->world.plan, s->config->exporter, &ret->sink);
    plan_attempts(s->world.plan, s->config->exporter, &ret->attempts);
    ret->token_age_ns = ret->attempts.token_issued_ns != 0
                            ? clock_mono_ns(s->env->clock) - ret->attempts.token_issued_ns
                            : -1;
    for (int box = 0; box < LETTER_BOXES; box++) {
        ret->letters[box] = event_stream_letters(s, (enum letter_box)box).records;
    }
    judge(s, ret);
}
