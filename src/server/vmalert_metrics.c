/*
 * What vmalert counts is counted here under other names already, but for what it has per rule. So nothing is counted
 * twice: its names are made when somebody asks.
 *
 * "Remote write" are all exporters that data goes to, whatever their protocol: a rule that watches
 * vmalert_remotewrite_errors_total wants to know that data does not arrive. "Notification" are those that tell people.
 */
#include "server/vmalert_metrics.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "export/exporter.h"
#include "export/level_set.h"
#include "net/url.h"
#include "rules/readings.h"

#include <string.h>

struct writer {
    struct buf *out;
    const char *name;
    struct label labels[4];
    size_t label_count;
};

static void begin_family(struct writer *w, const char *name, const char *type, const char *help)
{
    w->name = name;
    buf_addf(w->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_label(struct writer *w, const char *name, struct str value)
{
    w->labels[w->label_count++] = (struct label){str_of(name), value};
}

static void add_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\\' || c == '"' || c == '\n') {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, c == '\n' ? 'n' : c);
    }
}

static void add_sample(struct writer *w, double value)
{
    char text[NUMBER_TEXT_MAX];

    buf_add_text(w->out, w->name);
    for (size_t i = 0; i < w->label_count; i++) {
        buf_add_byte(w->out, i == 0 ? '{' : ',');
        buf_add_str(w->out, w->labels[i].name);
        buf_add_text(w->out, "=\"");
        add_escaped(w->out, w->labels[i].value);
        buf_add_byte(w->out, '"');
    }
    buf_add_text(w->out, w->label_count > 0 ? "} " : " ");
    buf_add(w->out, text, number_format_go(value, text));
    buf_add_byte(w->out, '\n');
    w->label_count = 0;
}

/* ---- the same under another name ---- */

static const struct renamed {
    const char *from;
    const char *to;
    const char *type;
    const char *help;
} renamed[] = {
    {"telex_rule_evaluations_total", "vmalert_execution_total", "counter", "Rules evaluated."},
    {"telex_rule_evaluation_failures_total", "vmalert_execution_errors_total", "counter",
     "Rules whose evaluation failed."},
    {"telex_rule_alerts_fired_total", "vmalert_alerts_fired_total", "counter",
     "Alerts that began to fire."},
    {"telex_config_reloads_total", "vmalert_config_last_reload_total", "counter", "Reloads."},
    {"telex_config_last_reload_successful", "vmalert_config_last_reload_successful", "gauge",
     "1 when the last reload went well."},
    {"telex_config_last_reload_success_timestamp_seconds",
     "vmalert_config_last_reload_success_timestamp_seconds", "gauge",
     "When the last reload that went well was."},
};

struct found_values {
    double values[ARRAY_LEN(renamed)];
};

static void find_value(void *arg, const struct metrics_sample *s)
{
    struct found_values *found = arg;

    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        found->values[i] += strcmp(s->name, renamed[i].from) == 0 ? s->value : 0;
    }
}

static void print_renamed(struct writer *w, struct metrics *metrics)
{
    struct found_values found = {0};

    metrics_walk(metrics, find_value, &found);
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++) {
        begin_family(w, renamed[i].to, renamed[i].type, renamed[i].help);
        add_sample(w, found.values[i]);
    }
}

/* ---- groups ---- */

static double iterations_of(const struct group_reading *g)
{
    return g->iterations;
}

static double missed_of(const struct group_reading *g)
{
    return g->missed;
}

static double interval_of(const struct group_reading *g)
{
    return (double)g->group->interval_ns / (double)NS_PER_S;
}

/* Slots follow the clock whatever it does, so nothing is ever reset. */
static double resets_of(const struct group_reading *g)
{
    (void)g;
    return 0;
}

static double limit_of(const struct group_reading *g)
{
    return (double)g->group->limit;
}

static const struct group_family {
    const char *name;
    const char *type;
    const char *help;
    double (*read)(const struct group_reading *g);
} group_families[] = {
    {"vmalert_iteration_total", "counter", "Evaluations of the group.", iterations_of},
    {"vmalert_iteration_missed_total", "counter", "Evaluations that did not take place.",
     missed_of},
    {"vmalert_iteration_reset_total", "counter", "Always 0: slots follow the clock.", resets_of},
    {"vmalert_iteration_interval_seconds", "gauge", "The group's interval.", interval_of},
    {"vmalert_group_rule_results_limit", "gauge", "Series that a rule may give; 0: any number.",
     limit_of},
};

static void add_group_labels(struct writer *w, const struct rule_group *group)
{
    add_label(w, "group", group->name);
    add_label(w, "file", group->file);
}

static void print_durations(struct writer *w, const struct engine_readings *r)
{
    begin_family(w, "vmalert_iteration_duration_seconds", "summary", "Time of evaluations.");
    for (size_t i = 0; i < r->group_count; i++) {
        w->name = "vmalert_iteration_duration_seconds_sum";
        add_group_labels(w, r->groups[i].group);
        add_sample(w, r->groups[i].seconds);
        w->name = "vmalert_iteration_duration_seconds_count";
        add_group_labels(w, r->groups[i].group);
        add_sample(w, r->groups[i].iterations);
    }
}

static void print_groups(struct writer *w, const struct engine_readings *r)
{
    for (size_t f = 0; f < ARRAY_LEN(group_families); f++) {
        const struct group_family *family = &group_families[f];
        begin_family(w, family->name, family->type, family->help);
        for (size_t i = 0; i < r->group_count; i++) {
            add_group_labels(w, r->groups[i].group);
            add_sample(w, family->read(&r->groups[i]));
        }
    }
    print_durations(w, r);
}

/* ---- rules ---- */

static double pending_of(const struct rule_reading *r)
{
    return (double)r->pending;
}

static double firing_of(const struct rule_reading *r)
{
    return (double)r->firing;
}

static double failures_of(const struct rule_reading *r)
{
    return (double)r->failures;
}

static double samples_of(const struct rule_reading *r)
{
    return (double)r->samples;
}

static double fetched_of(const struct rule_reading *r)
{
    return (double)r->series_fetched;
}

static const struct rule_family {
    const char *name;
    const char *type;
    const char *help;
    enum rule_kind kind;
    double (*read)(const struct rule_reading *r);
} rule_families[] = {
    {"vmalert_alerts_pending", "gauge", "Pending alerts.", RULE_ALERT, pending_of},
    {"vmalert_alerts_firing", "gauge", "Firing alerts.", RULE_ALERT, firing_of},
    {"vmalert_alerting_rules_errors_total", "counter", "Evaluations that failed.", RULE_ALERT,
     failures_of},
    {"vmalert_alerting_rules_last_evaluation_samples", "gauge", "Series of the last answer.",
     RULE_ALERT, samples_of},
    {"vmalert_alerting_rules_last_evaluation_series_fetched", "gauge",
     "Series that the last query looked at; -1: the datasource does not say.", RULE_ALERT,
     fetched_of},
    {"vmalert_recording_rules_errors_total", "counter", "Evaluations that failed.", RULE_RECORD,
     failures_of},
    {"vmalert_recording_rules_last_evaluation_samples", "gauge", "Series of the last answer.",
     RULE_RECORD, samples_of},
};

static void print_rules(struct writer *w, const struct engine_readings *r)
{
    for (size_t f = 0; f < ARRAY_LEN(rule_families); f++) {
        const struct rule_family *family = &rule_families[f];
        begin_family(w, family->name, family->type, family->help);
        for (size_t i = 0; i < r->rule_count; i++) {
            const struct rule *rule = r->rules[i].rule;
            if (rule->kind != family->kind) {
                continue;
            }
            add_label(w, rule->kind == RULE_ALERT ? "alertname" : "recording", rule->name);
            add_group_labels(w, rule->group);
            add_label(w, "id", rule->id);
            add_sample(w, family->read(&r->rules[i]));
        }
    }
}

static void print_readings(void *arg, const struct engine_readings *r)
{
    print_groups(arg, r);
    print_rules(arg, r);
}

/* ---- exporters ---- */

enum role { ROLE_DATA, ROLE_TELLS };

static enum role role_of(const struct output_status *s)
{
    const struct exporter_kind *kind = exporter_kind_find(str_of(s->kind));

    return kind != NULL && (kind->caps & EXPORTER_TELLS) != 0 ? ROLE_TELLS : ROLE_DATA;
}

static double requests_of(const struct output_status *s)
{
    return (double)s->calls;
}

static double errors_of(const struct output_status *s)
{
    return (double)s->failed_calls;
}

static double bytes_of(const struct output_status *s)
{
    return (double)s->sent_bytes;
}

static double seconds_of(const struct output_status *s)
{
    return (double)s->call_ns / (double)NS_PER_S;
}

static double rows_of(const struct output_status *s)
{
    return (double)s->delivered_rows;
}

static double dropped_of(const struct output_status *s)
{
    return (double)s->rejected_rows;
}

static const struct output_family {
    const char *name;
    const char *help;
    enum role role;
    double (*read)(const struct output_status *s);
} output_families[] = {
    {"vmalert_remotewrite_requests_total", "Requests with data, tries that failed included.",
     ROLE_DATA, requests_of},
    {"vmalert_remotewrite_total", "The same under vmalert's own name.", ROLE_DATA, requests_of},
    {"vmalert_remotewrite_errors_total", "Requests with data that failed.", ROLE_DATA, errors_of},
    {"vmalert_remotewrite_sent_rows_total", "Rows that destinations have.", ROLE_DATA, rows_of},
    {"vmalert_remotewrite_sent_bytes_total", "Bytes that were sent, again or not.", ROLE_DATA,
     bytes_of},
    {"vmalert_remotewrite_send_duration_seconds_total", "Time of requests.", ROLE_DATA, seconds_of},
    {"vmalert_remotewrite_dropped_rows_total", "Rows that became dead letters.", ROLE_DATA,
     dropped_of},
    {"vmalert_notification_requests_total", "Requests that tell, failed ones included.", ROLE_TELLS,
     requests_of},
    {"vmalert_notification_errors_total", "Requests that tell and failed.", ROLE_TELLS, errors_of},
};

static void print_outputs(struct writer *w, struct app *app)
{
    struct output_status *status = mem_alloc0(PLAN_OUTPUTS_MAX, sizeof(*status));
    size_t count = app_outputs(app, status, PLAN_OUTPUTS_MAX);

    for (size_t f = 0; f < ARRAY_LEN(output_families); f++) {
        const struct output_family *family = &output_families[f];
        begin_family(w, family->name, "counter", family->help);
        for (size_t i = 0; i < count; i++) {
            if (role_of(&status[i]) == family->role) {
                add_label(w, "exporter", status[i].name);
                add_sample(w, family->read(&status[i]));
            }
        }
    }
    mem_free(status);
}

/* ---- whom alerts are told ---- */

struct target_family {
    struct writer *w;
    double (*read)(const struct output_status *s);
};

static void print_target(void *arg, const struct level_set_target *t)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct target_family *family = arg;

    if (!t->is_dropped) {
        url_add_redacted(&url, t->url);
        add_label(family->w, "addr", buf_str(&url));
        add_label(family->w, "exporter", t->exporter);
        add_sample(family->w, family->read(t->status));
    }
}

static void print_targets(struct writer *w, struct app *app)
{
    struct target_family sent = {w, rows_of};
    struct target_family errors = {w, errors_of};

    begin_family(w, "vmalert_alerts_sent_total", "counter", "Alerts that a notifier took.");
    plan_level_targets(app_plan(app), print_target, &sent);
    begin_family(w, "vmalert_alerts_send_errors_total", "counter",
                 "Requests that a notifier did not take.");
    plan_level_targets(app_plan(app), print_target, &errors);
}

#define REQUEST_SECONDS "telex_notifier_request_seconds"
#define SEND_SECONDS "vmalert_alerts_send_duration_seconds"

/* The same samples under another name, the target as addr. */
static void rename_duration(void *arg, const struct metrics_sample *s)
{
    struct writer *w = arg;
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    if (!str_starts(str_of(s->name), STR(REQUEST_SECONDS)) ||
        s->label_count > ARRAY_LEN(w->labels)) {
        return;
    }
    buf_addf(&name, SEND_SECONDS "%s", s->name + strlen(REQUEST_SECONDS));
    w->name = buf_text(&name);
    for (size_t i = 0; i < s->label_count; i++) {
        bool is_target = strcmp(s->label_names[i], "target") == 0;
        add_label(w, is_target ? "addr" : s->label_names[i], s->label_values[i]);
    }
    add_sample(w, s->value);
}

static void print_send_durations(struct writer *w, struct metrics *metrics)
{
    begin_family(w, SEND_SECONDS, "histogram", "Time of requests to a notifier.");
    metrics_walk(metrics, rename_duration, w);
}

void vmalert_metrics_print(struct app *app, struct metrics *metrics, struct buf *out)
{
    struct writer w = {.out = out};

    print_renamed(&w, metrics);
    engine_read(app_view_begin(app), print_readings, &w);
    print_outputs(&w, app);
    app_view_end(app);
    print_targets(&w, app);
    print_send_durations(&w, metrics);
}
