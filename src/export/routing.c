/*
 * A record's fields, as conditions name them: kind, rule, group, measurement, database; value,
 * state, name; a sample's own name is its value; function_name, execution_time_ms and status of spans; the
 * fields of profiles and spans; the attributes of events; then labels, then annotations. A field that the record lacks leaves its name to
 * labels and annotations: `group` of a sample that no rule made is its label.
 */
#include "export/routing.h"

#include "base/vec.h"
#include "export/targets.h"

/* ---- fields ---- */

struct record {
    const struct batch_info *info;
    const struct labels *labels;
    const struct label *annotations;
    size_t annotation_count;
    double value;
    const struct alert *alert; /* or NULL */
    const struct note *note;   /* or NULL */
    const struct event *event; /* or NULL */
};

static bool field_text(struct str text, struct field_value *ret)
{
    *ret = (struct field_value){.text = text};
    return text.len > 0;
}

static bool field_kind(const struct record *r, struct field_value *ret)
{
    return field_text(str_of(record_kind_name(r->info->kind)), ret);
}

static bool field_rule(const struct record *r, struct field_value *ret)
{
    return field_text(r->info->rule, ret);
}

static bool field_group(const struct record *r, struct field_value *ret)
{
    return field_text(r->info->group, ret);
}

static bool field_measurement(const struct record *r, struct field_value *ret)
{
    return field_text(r->info->measurement, ret);
}

static bool field_database(const struct record *r, struct field_value *ret)
{
    return field_text(r->info->database, ret);
}

static bool field_name(const struct record *r, struct field_value *ret)
{
    if (r->note != NULL) {
        return field_text(r->note->name, ret);
    }
    return field_text(labels_get(r->labels, r->alert != NULL ? STR("alertname") : STR("__name__")),
                      ret);
}

static bool field_record_value(const struct record *r, struct field_value *ret)
{
    if (r->note != NULL || r->event != NULL) {
        return false;
    }
    *ret = (struct field_value){.is_number = true, .number = r->value};
    return true;
}

static bool field_state(const struct record *r, struct field_value *ret)
{
    if (r->alert == NULL) {
        return false;
    }
    return field_text(r->alert->to == ALERT_RESOLVED ? STR("resolved")
                                                     : str_of(alert_state_prometheus(r->alert->to)),
                      ret);
}

static bool field_duration(const struct record *r, struct field_value *ret)
{
    if (r->note == NULL || r->note->span == NULL) {
        return false;
    }
    *ret = (struct field_value){.is_number = true,
                                .number = (double)note_duration_ns(r->note) / (double)NS_PER_MS};
    return true;
}

static bool field_status(const struct record *r, struct field_value *ret)
{
    static const char *const names[SPAN_STATUSES] = {"unset", "ok", "error"};

    return r->note != NULL && r->note->span != NULL &&
           field_text(str_of(names[r->note->span->status]), ret);
}

static const struct {
    const char *name;
    bool is_static; /* the same for all rows of a batch */
    bool (*read)(const struct record *, struct field_value *);
} fields[] = {
    {"kind", true, field_kind},           {"rule", true, field_rule},
    {"group", true, field_group},         {"measurement", true, field_measurement},
    {"database", true, field_database},   {"value", false, field_record_value},
    {"state", false, field_state},        {"name", false, field_name},
    {"function_name", false, field_name}, {"execution_time_ms", false, field_duration},
    {"status", false, field_status},
};

static bool find_label(const struct record *r, struct str name, struct field_value *ret)
{
    struct str value = labels_get(r->labels, name);

    return field_text(value, ret);
}

static bool find_annotation(const struct record *r, struct str name, struct field_value *ret)
{
    for (size_t i = 0; i < r->annotation_count; i++) {
        if (str_eq(r->annotations[i].name, name)) {
            return field_text(r->annotations[i].value, ret);
        }
    }
    return false;
}

/* A sample's own name means its value: avg_latency_ms > 100. */
static bool find_own_name(const struct record *r, struct str name, struct field_value *ret)
{
    return r->alert == NULL && str_eq(labels_get(r->labels, STR("__name__")), name) &&
           field_record_value(r, ret);
}

static bool find_note_field(const struct record *r, struct str name, struct field_value *ret)
{
    const struct note_field *f = r->note != NULL ? note_get(r->note, name) : NULL;

    if (f == NULL) {
        return false;
    }
    if (f->type == NOTE_TEXT) {
        return field_text(f->text, ret);
    }
    if (f->type == NOTE_FLAG) {
        return field_text(f->integer != 0 ? STR("true") : STR("false"), ret);
    }
    ret->is_number = true;
    ret->text = STR("");
    return note_field_number(f, &ret->number);
}

static bool find_event_field(const struct record *r, struct str name, struct field_value *ret)
{
    struct str text = r->event != NULL ? event_text(r->event, name) : STR("");
    const struct event_extension *x = NULL;

    if (r->event == NULL || text.len > 0) {
        return field_text(text, ret);
    }
    x = event_extension(r->event, name);
    if (x == NULL || x->type == EVENT_TEXT) {
        return field_text(x != NULL ? x->text : text, ret);
    }
    if (x->type == EVENT_FLAG) {
        return field_text(x->integer != 0 ? STR("true") : STR("false"), ret);
    }
    *ret = (struct field_value){.text = STR(""), .is_number = true, .number = x->integer};
    return true;
}

static bool record_field(const void *record, enum field_scope scope, struct str name,
                         struct field_value *ret)
{
    const struct record *r = record;

    if (scope == FIELD_ANY) {
        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
            if (str_eq(name, str_of(fields[i].name)) && fields[i].read(r, ret)) {
                return true;
            }
        }
        if (find_own_name(r, name, ret) || find_note_field(r, name, ret) ||
            find_event_field(r, name, ret)) {
            return true;
        }
    }
    return (scope != FIELD_ANNOTATION && find_label(r, name, ret)) ||
           (scope != FIELD_LABEL && find_annotation(r, name, ret));
}

/* Is the field the same for all rows of the batch that <arg> (struct record) begins? */
static bool is_static_field(const void *arg, enum field_scope scope, struct str name)
{
    const struct record *r = arg;
    struct field_value ignored;

    for (size_t i = 0; scope == FIELD_ANY && i < ARRAY_LEN(fields); i++) {
        if (str_eq(name, str_of(fields[i].name))) {
            return fields[i].is_static && fields[i].read(r, &ignored);
        }
    }
    return false;
}

/* ---- routes ---- */

uint64_t routing_takers(const struct plan_config *config, enum record_kind kind, bool alert_series)
{
    uint64_t takers = 0;

    for (size_t i = 0; i < config->output_count; i++) {
        const struct output_config *o = &config->outputs[i];
        if ((o->takes & TAKES(kind)) != 0 && (!alert_series || (o->caps & EXPORTER_SERIES) != 0)) {
            takers |= UINT64_C(1) << i;
        }
    }
    return takers;
}

/* The targets that the routes choose; bits. */
static uint64_t route_targets(const struct plan_config *config, const struct record_view *view)
{
    uint64_t targets = 0;

    if (config->route_count == 0) {
        return config->default_targets;
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];
        if (route->match != NULL && !condition_holds(route->match, view)) {
            continue;
        }
        targets |= route->to;
        if (!route->also_next) {
            break;
        }
    }
    return targets;
}

static uint64_t route_record(const struct routing *how, const struct record *r)
{
    struct record_view view = {record_field, r};
    uint64_t targets = how->only != 0 ? how->only : route_targets(how->config, &view);
    uint64_t outputs = 0;

    targets &= ~how->except;
    for (size_t i = 0; i < how->config->target_count; i++) {
        if ((targets >> i & 1) != 0) {
            outputs |= expansion_outputs(how->config->targets[i].expansion, &view);
        }
    }
    return outputs;
}

/* The targets that the routes can choose. */
static uint64_t reachable(const struct routing *how)
{
    uint64_t targets = how->config->route_count == 0 ? how->config->default_targets : 0;

    for (size_t i = 0; i < how->config->route_count; i++) {
        targets |= how->config->routes[i].to;
    }
    return (how->only != 0 ? how->only : targets) & ~how->except;
}

/* Do all rows of a batch go the same way? */
static bool is_static(const struct routing *how, const struct record *base)
{
    const struct plan_config *config = how->config;
    uint64_t targets = reachable(how);

    for (size_t i = 0; how->only == 0 && i < config->route_count; i++) {
        const struct condition *match = config->routes[i].match;
        if (match != NULL && !condition_only_uses(match, is_static_field, base)) {
            return false;
        }
    }
    for (size_t i = 0; i < config->target_count; i++) {
        if ((targets >> i & 1) != 0 &&
            !expansion_only_uses(config->targets[i].expansion, is_static_field, base)) {
            return false;
        }
    }
    return true;
}

/* ---- splitting ---- */

struct group_rows {
    uint64_t outputs;
    VEC(uint32_t) rows;
};

struct splitter {
    const struct routing *how;
    const struct batch_info *info;
    VEC(struct group_rows) groups;
};

static void add_row(struct splitter *s, uint64_t outputs, uint32_t row)
{
    size_t i = 0;

    while (i < s->groups.len && s->groups.items[i].outputs != outputs) {
        i++;
    }
    if (i == s->groups.len) {
        struct group_rows *g = vec_add(&s->groups);
        g->outputs = outputs;
    }
    vec_push(&s->groups.items[i].rows, row);
}

static struct record base_record(const struct batch_info *info)
{
    return (struct record){.info = info,
                           .labels = labels_empty(),
                           .annotations = info->annotations,
                           .annotation_count = info->annotation_count};
}

static bool split_alerts(struct splitter *s, struct batch *b, struct err *e)
{
    const struct alerts *alerts = NULL;

    if (!batch_alerts(b, &alerts, e)) {
        return false;
    }
    for (uint32_t i = 0; i < alerts->count; i++) {
        const struct alert *a = &alerts->rows[i];
        struct record r = {s->info,  a->labels, a->annotations, a->annotation_count,
                           a->value, a,         NULL,           NULL};
        add_row(s, route_record(s->how, &r), i);
    }
    return true;
}

static bool split_samples(struct splitter *s, struct batch *b, struct err *e)
{
    const struct samples *samples = NULL;
    struct record r = base_record(s->info);

    if (!batch_samples(b, &samples, e)) {
        return false;
    }
    for (uint32_t i = 0; i < samples->count; i++) {
        r.labels = samples->series[samples->series_of[i]];
        r.value = samples->value[i];
        add_row(s, route_record(s->how, &r), i);
    }
    return true;
}

static bool split_notes(struct splitter *s, struct batch *b, struct err *e)
{
    const struct notes *notes = NULL;
    struct record r = base_record(s->info);

    if (!batch_notes(b, &notes, e)) {
        return false;
    }
    for (uint32_t i = 0; i < notes->count; i++) {
        r.labels = notes->rows[i].labels;
        r.note = &notes->rows[i];
        add_row(s, route_record(s->how, &r), i);
    }
    return true;
}

static bool split_events(struct splitter *s, struct batch *b, struct err *e)
{
    const struct events *events = NULL;
    struct record r = base_record(s->info);

    if (!batch_events(b, &events, e)) {
        return false;
    }
    for (uint32_t i = 0; i < events->count; i++) {
        r.event = &events->rows[i];
        add_row(s, route_record(s->how, &r), i);
    }
    return true;
}

static bool (*const splitters[RECORD_KINDS])(struct splitter *, struct batch *, struct err *) = {
    [RECORD_SAMPLE] = split_samples, [RECORD_ALERT] = split_alerts,  [RECORD_EVENT] = split_events,
    [RECORD_SPAN] = split_notes,     [RECORD_PROFILE] = split_notes,
};

/* Moves the groups into <a>; one group that has every row is the whole batch. */
static void take_groups(struct splitter *s, uint32_t rows, struct arena *a,
                        const struct routed **ret_groups, size_t *ret_count)
{
    struct routed *groups = arena_array(a, struct routed, s->groups.len);

    for (size_t i = 0; i < s->groups.len; i++) {
        struct group_rows *g = &s->groups.items[i];
        groups[i] = (struct routed){.outputs = g->outputs, .count = (uint32_t)g->rows.len};
        if (g->rows.len < rows) {
            uint32_t *copy = arena_alloc(a, g->rows.len * sizeof(uint32_t));
            memcpy(copy, g->rows.items, g->rows.len * sizeof(uint32_t));
            groups[i].rows = copy;
        }
        vec_release(&g->rows);
    }
    *ret_groups = groups;
    *ret_count = s->groups.len;
    vec_release(&s->groups);
}

bool routing_split(const struct routing *how, struct batch *b, struct arena *a,
                   const struct routed **ret_groups, size_t *ret_count, struct err *e)
{
    struct splitter s = {.how = how, .info = batch_info(b)};
    struct record r = base_record(s.info);
    bool ok = true;

    if (is_static(how, &r)) {
        struct routed *all = arena_new(a, struct routed);
        *all = (struct routed){.outputs = route_record(how, &r), .count = batch_rows(b)};
        *ret_groups = all;
        *ret_count = 1;
        return true;
    }
    ok = splitters[s.info->kind](&s, b, e);
    take_groups(&s, batch_rows(b), a, ret_groups, ret_count);
    return ok;
}

uint64_t routing_of_alert(const struct plan_config *config, const struct batch_info *info,
                          const struct alert *alert)
{
    const struct routing how = {.config = config};
    const struct record r = {
        .info = info, .labels = alert->labels, .value = alert->value, .alert = alert};

    return route_record(&how, &r);
}
