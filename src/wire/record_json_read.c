/*
 * JSON of records back into batches. What all rows of a batch share stands in every object; rows go into
 * one batch as long as it stays the same.
 */
#include "base/number.h"
#include "base/timetext.h"
#include "wire/cloudevent.h"
#include "wire/json.h"
#include "wire/note_json.h"
#include "wire/record_gather.h"
#include "wire/record_json.h"

#include <math.h>
#include <xxhash.h>

struct json_records {
    struct str text; /* all of it */
    struct str json; /* the object being read */
    int64_t now_ns;
    struct arena arena; /* of the object */
    struct buf key;
    struct record_gather gather;
    struct labels_builder labels;
    struct err *err;
};

/* ---- members ---- */

static bool fail(struct json_records *r, const struct json_node *at, const char *what)
{
    return json_err_at(r->json, at->offset, r->err, ERR_PARSE, "%s", what);
}

/* NULL for a member that is not there or null. */
static const struct json_node *member(const struct json_node *object, const char *name)
{
    const struct json_node *node = json_get(object, str_of(name));

    return node != NULL && node->kind != JSON_NULL ? node : NULL;
}

/* A time as RFC 3339, or as Unix seconds; <fallback_ns> when there is none. */
static bool take_time(struct json_records *r, const struct json_node *object, const char *name,
                      int64_t fallback_ns, int64_t *ret_ns)
{
    const struct json_node *node = member(object, name);
    struct err ignored = ERR_INIT;

    if (node == NULL) {
        *ret_ns = fallback_ns;
        return true;
    }
    return ((node->kind == JSON_STRING || node->kind == JSON_NUMBER) &&
            time_parse_any(node->text, ret_ns, &ignored)) ||
           fail(r, node, "expected a time such as \"2026-01-31T12:00:00Z\", or Unix seconds");
}

/* A number, or "NaN", "+Inf", "-Inf"; NaN when there is none. */
static bool take_value(struct json_records *r, const struct json_node *object, const char *name,
                       double *ret_value)
{
    const struct json_node *node = member(object, name);

    if (node == NULL) {
        *ret_value = NAN;
        return true;
    }
    return ((node->kind == JSON_STRING || node->kind == JSON_NUMBER) &&
            number_parse(node->text, ret_value)) ||
           fail(r, node, "expected a number, \"NaN\", \"+Inf\" or \"-Inf\"");
}

/* Empty when there is none. */
static bool take_text(struct json_records *r, const struct json_node *object, const char *name,
                      struct str *ret_text)
{
    const struct json_node *node = member(object, name);

    if (node != NULL && node->kind != JSON_STRING) {
        return fail(r, node, "expected a string");
    }
    *ret_text = node != NULL ? node->text : STR("");
    return true;
}

/* Pushes the members of an object of strings to the builder. */
static bool push_labels(struct json_records *r, const struct json_node *object, const char *name)
{
    const struct json_node *node = member(object, name);

    if (node != NULL && node->kind != JSON_OBJECT) {
        return fail(r, node, "expected an object of strings");
    }
    for (const struct json_node *n = node != NULL ? node->first : NULL; n != NULL; n = n->next) {
        if (n->kind != JSON_STRING) {
            return fail(r, n, "expected a string: labels are texts");
        }
        labels_builder_push(&r->labels, n->key, n->text);
    }
    return true;
}

static bool build_labels(struct json_records *r, const struct json_node *object,
                         struct labels **ret_labels)
{
    struct err why = ERR_INIT;

    return labels_build(&r->labels, ret_labels, &why) || fail(r, object, why.message);
}

static bool take_annotations(struct json_records *r, const struct json_node *object,
                             const struct label **ret_pairs, size_t *ret_count)
{
    const struct json_node *node = member(object, "annotations");

    if (node == NULL) {
        return true;
    }
    if (node->kind != JSON_OBJECT) {
        return fail(r, node, "expected an object of strings");
    }
    struct label *pairs = arena_array(&r->arena, struct label, node->count);
    size_t count = 0;
    for (const struct json_node *n = node->first; n != NULL; n = n->next) {
        if (n->kind != JSON_STRING) {
            return fail(r, n, "expected a string: annotations are texts");
        }
        pairs[count++] = (struct label){n->key, n->text};
    }
    *ret_pairs = pairs;
    *ret_count = count;
    return true;
}

/* ---- what rows share ---- */

/* Texts with their lengths in front: alike exactly when the texts are. */
static void add_key(struct buf *key, struct str text)
{
    buf_addf(key, "%zu:", text.len);
    buf_add_str(key, text);
}

static struct str key_of(struct json_records *r, const struct batch_info *info)
{
    const struct str texts[] = {info->rule, info->group, info->measurement, info->database};

    buf_clear(&r->key);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        add_key(&r->key, texts[i]);
    }
    buf_addf(&r->key, "%d:%016llx", info->has_threshold,
             (unsigned long long)number_bits(info->threshold));
    for (size_t i = 0; i < info->annotation_count; i++) {
        add_key(&r->key, info->annotations[i].name);
        add_key(&r->key, info->annotations[i].value);
    }
    return buf_str(&r->key);
}

static bool take_info(struct json_records *r, const struct json_node *object,
                      struct batch_info *info)
{
    info->origin = STR("export");
    return take_text(r, object, "rule", &info->rule) &&
           take_text(r, object, "group", &info->group) &&
           take_text(r, object, "measurement", &info->measurement) &&
           take_text(r, object, "database", &info->database);
}

/* ---- samples ---- */

static bool add_sample(struct json_records *r, const struct json_node *object)
{
    struct batch_info info = {.kind = RECORD_SAMPLE};
    struct labels *labels = NULL;
    struct str name = STR("");
    int64_t time_ns = 0;
    double value = 0;

    if (member(object, "value") == NULL) {
        return fail(r, object, "a sample needs a \"value\"");
    }
    labels_builder_clear(&r->labels);
    if (!take_info(r, object, &info) ||
        !take_annotations(r, object, &info.annotations, &info.annotation_count) ||
        !take_time(r, object, "timestamp", r->now_ns, &time_ns) ||
        !take_value(r, object, "value", &value) || !take_text(r, object, "name", &name) ||
        !push_labels(r, object, "labels")) {
        return false;
    }
    if (name.len > 0) {
        labels_builder_push(&r->labels, STR("__name__"), name);
    }
    if (!record_gather_info(&r->gather, key_of(r, &info), &info, r->err) ||
        !build_labels(r, object, &labels)) {
        return false;
    }
    const struct gathered_sample sample = {.labels = labels, .time_ns = time_ns, .value = value};
    return record_gather_sample(&r->gather, &sample, r->err);
}

/* ---- alerts ---- */

static const struct {
    const char *name;
    enum alert_state from;
    enum alert_state to;
} states[] = {
    {"firing", ALERT_PENDING, ALERT_ALERTING},
    {"resolved", ALERT_ALERTING, ALERT_RESOLVED},
    {"pending", ALERT_READY, ALERT_PENDING},
    {"inactive", ALERT_PENDING, ALERT_READY},
};

static bool take_state(struct json_records *r, const struct json_node *object, struct alert *a)
{
    const struct json_node *node = member(object, "state");
    struct str name = node != NULL ? node->text : STR("firing");

    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (str_eq(name, str_of(states[i].name))) {
            a->from = states[i].from;
            a->to = states[i].to;
            return true;
        }
    }
    return fail(r, node, "expected \"firing\", \"resolved\", \"pending\" or \"inactive\"");
}

/* The id of an alert that says none: of its name. */
static struct str name_id(struct json_records *r, struct str name)
{
    enum { ID_DIGITS = 32 };
    XXH128_hash_t hash = XXH3_128bits(name.ptr, name.len);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_addf(&text, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    return arena_dup(&r->arena, str_make(text.ptr, ID_DIGITS));
}

/* "rule:labels:episode:state", of which the first and the third count here. */
static bool take_id(struct json_records *r, const struct json_node *object, struct str name,
                    struct alert *a)
{
    struct str id = STR("");
    struct str part = STR("");

    a->rule_id = name_id(r, name);
    a->episode_ns = a->active_at_ns;
    if (!take_text(r, object, "id", &id) || id.len == 0) {
        return id.len == 0;
    }
    struct str rest = id;
    bool ok = str_split(&rest, ':', &part) && part.len > 0;
    a->rule_id = part;
    ok = ok && str_split(&rest, ':', &part) && str_split(&rest, ':', &part);
    return (ok && number_parse_i64(part, &a->episode_ns)) ||
           fail(r, json_get(object, STR("id")),
                "expected an id as Telex writes it: "
                "rule:labels:episode:state");
}

/* The labels as written; the name, and what a webhook's JSON has beside them, where they lack it. */
static bool take_alert_labels(struct json_records *r, const struct json_node *object,
                              struct str name, struct alert *a)
{
    static const char *const beside[] = {"instance", "severity"};

    labels_builder_clear(&r->labels);
    if (!push_labels(r, object, "labels")) {
        return false;
    }
    if (labels_builder_get(&r->labels, STR("alertname")).len == 0) {
        labels_builder_push(&r->labels, STR("alertname"), name);
    }
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        struct str value = STR("");
        if (!take_text(r, object, beside[i], &value)) {
            return false;
        }
        if (value.len > 0 && labels_builder_get(&r->labels, str_of(beside[i])).len == 0) {
            labels_builder_push(&r->labels, str_of(beside[i]), value);
        }
    }
    return build_labels(r, object, &a->labels);
}

/* A row of an export_query's answer: its time and value are what the object says. */
static bool take_export(struct json_records *r, const struct json_node *object, struct alert *a)
{
    if (member(object, "query_labels") == NULL) {
        return true;
    }
    struct alert_export *x = arena_array(&r->arena, struct alert_export, 1);
    labels_builder_clear(&r->labels);
    if (!push_labels(r, object, "query_labels") || !build_labels(r, object, &x->labels)) {
        return false;
    }
    x->time_ns = a->time_ns;
    x->value = a->value;
    a->exports = x;
    a->export_count = 1;
    return true;
}

static bool take_alert_times(struct json_records *r, const struct json_node *object,
                             struct alert *a)
{
    if (!take_time(r, object, "timestamp", r->now_ns, &a->time_ns) ||
        !take_time(r, object, "starts_at", a->time_ns, &a->active_at_ns) ||
        !take_time(r, object, "ends_at", a->to == ALERT_RESOLVED ? a->time_ns : 0,
                   &a->resolved_at_ns)) {
        return false;
    }
    a->fired_at_ns = a->to == ALERT_ALERTING || a->to == ALERT_RESOLVED ? a->active_at_ns : 0;
    return true;
}

static void release_alert(struct alert *a)
{
    labels_unref(a->labels);
    for (size_t i = 0; i < a->export_count; i++) {
        labels_unref(a->exports[i].labels);
    }
}

/* An alert may have none. */
static bool take_alert_value(struct json_records *r, const struct json_node *object,
                             double *ret_value)
{
    if (member(object, "value") == NULL) {
        *ret_value = number_stale_nan();
        return true;
    }
    return take_value(r, object, "value", ret_value);
}

static bool take_alert(struct json_records *r, const struct json_node *object,
                       struct batch_info *info, struct alert *a)
{
    struct str name = STR("");

    return take_text(r, object, "alert_name", &name) && take_info(r, object, info) &&
           take_value(r, object, "threshold", &info->threshold) && take_state(r, object, a) &&
           take_alert_times(r, object, a) && take_alert_value(r, object, &a->value) &&
           take_annotations(r, object, &a->annotations, &a->annotation_count) &&
           take_id(r, object, name, a) && take_alert_labels(r, object, name, a) &&
           take_export(r, object, a);
}

static bool add_alert(struct json_records *r, const struct json_node *object)
{
    struct batch_info info = {.kind = RECORD_ALERT};
    struct alert a = {0};

    if (member(object, "alert_name") == NULL) {
        return fail(r, object, "an alert needs an \"alert_name\"");
    }
    bool ok = take_alert(r, object, &info, &a);
    info.has_threshold = member(object, "threshold") != NULL;
    info.threshold = info.has_threshold ? info.threshold : 0;
    info.rule = info.rule.len > 0 ? info.rule : json_get_str(object, STR("alert_name"));
    if (!ok || !record_gather_info(&r->gather, key_of(r, &info), &info, r->err)) {
        release_alert(&a);
        return false;
    }
    return record_gather_alert(&r->gather, &a, r->err);
}

/* ---- profiles and spans ---- */

static bool add_note(struct json_records *r, const struct json_node *object, enum record_kind kind)
{
    const struct batch_info info = {.kind = kind, .origin = STR("export")};
    struct note note;

    if (!note_json_read(r->json, object, kind, r->now_ns, &r->arena, &note, r->err)) {
        return false;
    }
    if (note.span != NULL) {
        span_fill_ids(&note);
    }
    if (!record_gather_info(&r->gather, STR(""), &info, r->err)) {
        labels_unref(note.labels);
        return false;
    }
    return record_gather_note(&r->gather, &note, r->err);
}

static bool add_profile(struct json_records *r, const struct json_node *object)
{
    return add_note(r, object, RECORD_PROFILE);
}

static bool add_span(struct json_records *r, const struct json_node *object)
{
    return add_note(r, object, RECORD_SPAN);
}

/* ---- events ---- */

static bool add_event(struct json_records *r)
{
    const struct batch_info info = {.kind = RECORD_EVENT, .origin = STR("")};
    struct event ev;

    return cloudevent_read(r->json, &r->arena, &ev, r->err) &&
           record_gather_info(&r->gather, STR(""), &info, r->err) &&
           record_gather_event(&r->gather, &ev, r->err);
}

/* ---- objects ---- */

static const struct {
    enum record_kind kind;
    bool (*add)(struct json_records *r, const struct json_node *object);
} kinds[] = {
    {RECORD_SAMPLE, add_sample},
    {RECORD_ALERT, add_alert},
    {RECORD_PROFILE, add_profile},
    {RECORD_SPAN, add_span},
};

static bool add_object(struct json_records *r, const struct json_node *object)
{
    const struct json_node *kind = member(object, "kind");
    bool is_alert = kind == NULL && member(object, "alert_name") != NULL;

    if (object->kind != JSON_OBJECT) {
        return fail(r, object, "expected an object, a record");
    }
    if (member(object, "specversion") != NULL) {
        return add_event(r);
    }
    if (kind == NULL) {
        return kinds[is_alert].add(r, object);
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_eq(kind->text, str_of(record_kind_name(kinds[i].kind)))) {
            return kinds[i].add(r, object);
        }
    }
    return fail(r, kind, "expected the kind \"sample\", \"alert\", \"profile\" or \"span\"");
}

/* Errors of an object are about its own text: puts its place in the whole one before them. */
static bool place_error(struct json_records *r)
{
    struct err *e = r->err;

    if (e->pos.line > 0) {
        struct err at = ERR_INIT;
        err_point(&at, r->text, (size_t)(r->json.ptr - r->text.ptr), 1, (struct pos){1, 1});
        e->pos.column += e->pos.line == 1 ? at.pos.column - 1 : 0;
        e->pos.line += at.pos.line - 1;
    }
    return false;
}

static bool read_object(struct json_records *r, struct str json)
{
    struct json_node *object = NULL;

    r->json = json;
    arena_reset(&r->arena);
    return (json_parse(json, &r->arena, &object, r->err) && add_object(r, object)) ||
           place_error(r);
}

static bool read_lines(struct json_records *r)
{
    struct str rest = r->text;
    struct str line;

    while (str_split(&rest, '\n', &line)) {
        struct str json = str_trim(line);
        if (json.len > 0 && !read_object(r, json)) {
            return false;
        }
    }
    return true;
}

static bool read_array(struct json_records *r)
{
    AUTO(arena_release) struct arena a;
    struct json_reader reader;
    struct str json;

    arena_init(&a, ARENA_UNLIMITED);
    json_read_init(&reader, r->text, &a, r->err);
    bool ok = json_open_array(&reader);
    while (ok && json_next_item(&reader)) {
        ok = json_take_raw(&reader, &json) && read_object(r, json);
    }
    return ok && json_read_end(&reader);
}

bool record_json_read(struct str text, int64_t now_ns, const struct record_text_taker *taker,
                      struct record_text_counts *counts, struct err *e)
{
    struct str trimmed = str_trim(text);
    struct json_records r = {
        .text = text, .now_ns = now_ns, .key = BUF_INIT(BUF_UNLIMITED), .err = e};

    arena_init(&r.arena, ARENA_UNLIMITED);
    record_gather_init(&r.gather, taker, counts);
    labels_builder_init(&r.labels);
    bool is_array = trimmed.len > 0 && trimmed.ptr[0] == '[';
    bool ok = is_array ? read_array(&r) : read_lines(&r);
    ok = ok && record_gather_flush(&r.gather, e);
    labels_builder_release(&r.labels);
    record_gather_release(&r.gather);
    buf_release(&r.key);
    arena_release(&r.arena);
    return ok;
}
