#include "wire/alert_push.h"

#include "base/attr.h"
#include "base/timetext.h"
#include "wire/json.h"

struct push_reader {
    struct str text;
    struct json_reader json;
    struct arena *arena;
    struct err *err;
    struct alert_push push;
    struct labels_builder labels;
    struct pushed_alert now; /* the alert being read */
    size_t now_at;           /* where it begins */
    bool has_list;
};

/* Members of an object that mean something. */
struct member {
    const char *name;
    bool (*take)(struct push_reader *r);
};

/* Reads an object by a table; null is like a member that is not there. */
static bool take_members(struct push_reader *r, const struct member *members, size_t count)
{
    struct str key = STR("");
    bool ok = json_open_object(&r->json);

    while (ok && json_next_key(&r->json, &key)) {
        size_t i = 0;
        while (i < count && !str_eq(key, str_of(members[i].name))) {
            i++;
        }
        bool is_said = i < count && json_peek(&r->json) != JSON_NULL;
        ok = is_said ? members[i].take(r) : json_skip(&r->json);
    }
    return ok && !r->json.failed;
}

/* ---- an alert ---- */

static bool take_labels(struct push_reader *r)
{
    struct str name = STR("");
    struct str value = STR("");

    labels_builder_clear(&r->labels);
    bool ok = json_open_object(&r->json);
    while (ok && json_next_key(&r->json, &name)) {
        ok = json_take_str(&r->json, &value);
        if (ok) {
            labels_builder_set(&r->labels, name, value);
        }
    }
    return ok && !r->json.failed;
}

static bool take_annotations(struct push_reader *r)
{
    VEC(struct label) pairs = {0};
    struct label pair = {STR(""), STR("")};
    bool ok = json_open_object(&r->json);

    while (ok && json_next_key(&r->json, &pair.name)) {
        ok = json_take_str(&r->json, &pair.value);
        if (ok) {
            vec_push(&pairs, pair);
        }
    }
    r->now.annotation_count = pairs.len;
    struct label *copy = arena_array(r->arena, struct label, pairs.len);
    for (size_t i = 0; i < pairs.len; i++) {
        copy[i] = pairs.items[i];
    }
    r->now.annotations = copy;
    vec_release(&pairs);
    return ok && !r->json.failed;
}

/* Go's zero time stands for "not said". */
static bool take_time(struct push_reader *r, int64_t *ret_ns)
{
    struct str text = STR("");
    struct err ignored = ERR_INIT;

    if (!json_take_str(&r->json, &text)) {
        return false;
    }
    if (text.len == 0 || str_starts(text, STR("0001-01-01T"))) {
        *ret_ns = 0;
        return true;
    }
    return time_parse_rfc3339(text, ret_ns, &ignored) ||
           json_fail(&r->json, ERR_PARSE,
                     "expected a time such as \"2026-01-31T12:00:00Z\", found \"%.*s\" before here",
                     STR_FMT(str_slice(text, 0, 40)));
}

static bool take_starts(struct push_reader *r)
{
    return take_time(r, &r->now.starts_ns);
}

static bool take_ends(struct push_reader *r)
{
    return take_time(r, &r->now.ends_ns);
}

static bool take_generator(struct push_reader *r)
{
    return json_take_str(&r->json, &r->now.generator_url);
}

/* A word of the webhook; the API's alerts have an object of that name, in what it answers. */
static bool take_status(struct push_reader *r)
{
    struct str status = STR("");

    if (json_peek(&r->json) == JSON_OBJECT) {
        return json_skip(&r->json);
    }
    if (!json_take_str(&r->json, &status)) {
        return false;
    }
    r->now.says_resolved = str_eq(status, STR("resolved"));
    return r->now.says_resolved || str_eq(status, STR("firing")) ||
           json_fail(&r->json, ERR_PARSE,
                     "expected the status \"firing\" or \"resolved\", found \"%.*s\" before here",
                     STR_FMT(str_slice(status, 0, 40)));
}

static const struct member alert_members[] = {
    {"labels", take_labels}, {"annotations", take_annotations}, {"startsAt", take_starts},
    {"endsAt", take_ends},   {"generatorURL", take_generator},  {"status", take_status},
};

static bool leave_out(struct push_reader *r, const char *why)
{
    if (r->push.bad++ == 0) {
        (void)json_err_at(r->text, r->now_at, &r->push.first_bad, ERR_CONFIG,
                          "an alert %s; it begins", why);
    }
    return true;
}

static bool names_are_text(const struct labels *l)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(l, &at, &pair);) {
        if (!str_is_utf8(pair.name) || !str_is_utf8(pair.value)) {
            return false;
        }
    }
    return true;
}

/* Keeps the alert that was read, or says why it makes no sense. */
static bool keep(struct push_reader *r)
{
    struct err why = ERR_INIT;

    if (!labels_build(&r->labels, &r->now.labels, &why)) {
        return leave_out(r, "has labels that are too many, too long or without a name");
    }
    const char *problem = NULL;
    if (r->now.labels->count == 0) {
        problem = "has no labels";
    } else if (!names_are_text(r->now.labels)) {
        problem = "has labels that are no UTF-8";
    } else if (r->now.ends_ns != 0 && r->now.starts_ns > r->now.ends_ns) {
        problem = "ends before it starts";
    }
    if (problem != NULL) {
        labels_unref(r->now.labels);
        return leave_out(r, problem);
    }
    vec_push(&r->push.alerts, r->now);
    return true;
}

static bool take_alert(struct push_reader *r)
{
    r->now = (struct pushed_alert){.generator_url = STR("")};
    r->now_at = (size_t)(r->json.at - r->json.start);
    labels_builder_clear(&r->labels);
    if (r->push.alerts.len >= ALERT_PUSH_MAX) {
        return json_fail(&r->json, ERR_LIMIT, "more than %d alerts", ALERT_PUSH_MAX);
    }
    if (!take_members(r, alert_members, ARRAY_LEN(alert_members))) {
        return false;
    }
    if (arena_over(r->arena)) {
        return json_fail(&r->json, ERR_LIMIT, "too large to keep in memory");
    }
    return keep(r);
}

static bool take_alerts(struct push_reader *r)
{
    bool ok = json_open_array(&r->json);

    r->has_list = true;
    while (ok && json_next_item(&r->json)) {
        (void)json_peek(&r->json); /* passes over white space: the alert begins behind it */
        ok = take_alert(r);
    }
    return ok && !r->json.failed;
}

/* ---- the webhook's object ---- */

static bool take_version(struct push_reader *r)
{
    struct str version = STR("");

    if (!json_take_str(&r->json, &version)) {
        return false;
    }
    return str_eq(version, STR("4")) ||
           json_fail(&r->json, ERR_PARSE,
                     "expected version \"4\" of Alertmanager's webhook, found \"%.*s\" before here",
                     STR_FMT(str_slice(version, 0, 40)));
}

static const struct member webhook_members[] = {
    {"version", take_version},
    {"alerts", take_alerts},
};

static bool take_webhook(struct push_reader *r)
{
    return take_members(r, webhook_members, ARRAY_LEN(webhook_members)) &&
           (r->has_list ||
            json_fail(&r->json, ERR_PARSE,
                      "expected an object with \"alerts\", as Alertmanager's webhook sends it"));
}

static bool (*const forms[])(struct push_reader *r) = {
    [ALERT_PUSH_V2] = take_alerts,
    [ALERT_PUSH_WEBHOOK] = take_webhook,
};

bool alert_push_read(struct str text, enum alert_push_form form, struct arena *a,
                     struct alert_push *ret_push, struct err *e)
{
    struct push_reader r = {.text = text, .arena = a, .err = e};

    labels_builder_init(&r.labels);
    json_read_init(&r.json, text, a, e);
    bool ok = forms[form](&r) && json_read_end(&r.json);
    labels_builder_release(&r.labels);
    if (!ok) {
        alert_push_release(&r.push);
        return false;
    }
    *ret_push = r.push;
    return true;
}

void alert_push_release(struct alert_push *push)
{
    for (size_t i = 0; i < push->alerts.len; i++) {
        labels_unref(push->alerts.items[i].labels);
    }
    vec_release(&push->alerts);
}
