#include "events/health_event.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/timetext.h"
#include "wire/json.h"
#include "wire/scan.h"

#include <string.h>

/* ---- names ---- */

enum health_field {
    FIELD_OTHER,
    FIELD_PLAIN,
    FIELD_NODE,
    FIELD_CHECK,
    FIELD_ACTION,
    FIELD_CODES,
    FIELD_ENTITIES,
    FIELD_TIME,
    FIELD_FLAG,
    FIELD_WHOLE, /* below which all of it stands */
    FIELD_TRACE,
    HEALTH_FIELDS
};

struct field_name {
    struct str folded; /* in small letters, without underscores */
    struct str name;
    struct str key; /* as it stands in JSON */
    enum health_field field;
};

enum { FOLDED_MAX = 32 }; /* longer than any */

#define NAME(folded, name, field)                                                  \
    {                                                                              \
        STR_INIT(folded), STR_INIT(name), STR_INIT("\"" name "\":"), FIELD_##field \
    }

/* In the order in which jsonb has them: the short ones first. */
static const struct field_name names[] = {
    NAME("agent", "agent", PLAIN),
    NAME("isfatal", "isFatal", FLAG),
    NAME("message", "message", PLAIN),
    NAME("version", "version", PLAIN),
    NAME("nodename", "nodeName", NODE),
    NAME("checkname", "checkName", CHECK),
    NAME("errorcode", "errorCode", CODES),
    NAME("ishealthy", "isHealthy", FLAG),
    NAME("healthevent", "healthEvent", WHOLE),
    NAME("traceparent", "traceparent", TRACE),
    NAME("componentclass", "componentClass", PLAIN),
    NAME("drainoverrides", "drainOverrides", PLAIN),
    NAME("entitiesimpacted", "entitiesImpacted", ENTITIES),
    NAME("recommendedaction", "recommendedAction", ACTION),
    NAME("generatedtimestamp", "generatedTimestamp", TIME),
    NAME("processingstrategy", "processingStrategy", PLAIN),
    NAME("quarantineoverrides", "quarantineOverrides", PLAIN),
    NAME("customrecommendedaction", "customRecommendedAction", PLAIN),
};

_Static_assert(ARRAY_LEN(names) <= HEALTH_NAMES_MAX, "all have room");

size_t health_event_names(const char *ret_names[HEALTH_NAMES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].field != FIELD_WHOLE) {
            ret_names[count++] = names[i].name.ptr;
        }
    }
    return count;
}

static const struct field_name entity_names[] = {
    NAME("entitytype", "entityType", PLAIN),
    NAME("entityvalue", "entityValue", PLAIN),
};

#undef NAME

/* The actions of NVSentinel's HealthEvent.RecommendedAction. */
static const struct {
    const char *name;
    int number;
} actions[] = {
    {"NONE", 0},          {"COMPONENT_RESET", 2}, {"CONTACT_SUPPORT", 5},
    {"RUN_FIELDDIAG", 6}, {"RESTART_VM", 15},     {"RESTART_BM", 24},
    {"REPLACE_VM", 25},   {"RUN_DCGMEUD", 26},    {"UNKNOWN", 99},
};

const char *const health_event_actions[] = {"0", "2", "5", "6", "15", "24", "25", "26", "99", NULL};
const char *const health_event_flags[] = {"true", "false", NULL};
_Static_assert(ARRAY_LEN(health_event_actions) == ARRAY_LEN(actions) + 1, "all are named");

/* In small letters and without underscores, as far as there is room: what has none left is known to nobody. */
static struct str fold(struct str name, char *room)
{
    size_t len = 0;

    for (size_t i = 0; i < name.len && len < FOLDED_MAX; i++) {
        char c = name.ptr[i];
        room[len] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        len += c != '_';
    }
    return str_make(room, len);
}

struct names {
    const struct field_name *items;
    size_t count;
    size_t next; /* behind the one that was found last: they mostly come in one order */
};

/* Most names are spelt as they leave. */
static const struct field_name *find_name(struct names *table, struct str name)
{
    char room[FOLDED_MAX];

    for (size_t i = 0, at = table->next; i < table->count; i++, at++) {
        at = at < table->count ? at : 0;
        if (str_eq(name, table->items[at].name)) {
            table->next = at + 1;
            return &table->items[at];
        }
    }
    struct str folded = fold(name, room);
    for (size_t i = 0; i < table->count; i++) {
        if (str_eq(folded, table->items[i].folded)) {
            return &table->items[i];
        }
    }
    return NULL;
}

/* ---- members ---- */

struct member {
    const struct field_name *known; /* or NULL */
    struct str name;
    struct str json;
};

enum { MEMBERS_MAX = 64, LIKE_MIN = 3 };

struct members {
    struct member items[MEMBERS_MAX];
    size_t count;
    bool has_more;                             /* than there is room for: it is no health event */
    const struct member *first[HEALTH_FIELDS]; /* of each field, or NULL */
};

static void begin_members(struct members *ret)
{
    ret->count = 0;
    ret->has_more = false;
    memset(ret->first, 0, sizeof(ret->first));
}

static void add_member(struct members *ret, const struct member *m)
{
    enum health_field field = m->known != NULL ? m->known->field : FIELD_OTHER;

    if (ret->count == MEMBERS_MAX) {
        ret->has_more = true;
        return;
    }
    ret->items[ret->count] = *m;
    if (ret->first[field] == NULL) {
        ret->first[field] = &ret->items[ret->count];
    }
    ret->count++;
}

/* The members of an object; false when it is none or broken, which only <e> tells apart. */
static bool read_members(struct str json, struct arena *a, struct members *ret, struct err *e)
{
    struct names known = {names, ARRAY_LEN(names), 0};
    struct json_reader r;
    struct member m = {0};

    begin_members(ret);
    json_read_init(&r, json, a, e);
    if (json_peek(&r) != JSON_OBJECT) {
        return json_skip(&r) && json_read_end(&r) && false;
    }
    if (!json_open_object(&r)) {
        return false;
    }
    while (json_next_key(&r, &m.name) && json_take_raw(&r, &m.json)) {
        m.known = find_name(&known, m.name);
        add_member(ret, &m);
    }
    return json_read_end(&r);
}

static bool is_text(const struct member *m)
{
    return m != NULL && m->json.len > 0 && m->json.ptr[0] == '"';
}

static bool is_health(const struct members *m)
{
    return !m->has_more && is_text(m->first[FIELD_NODE]) && is_text(m->first[FIELD_CHECK]);
}

/* What keeps it from being one; NULL when it does not look like one: few documents else have three members that only those have. */
static const char *oddness(const struct members *m)
{
    static const enum health_field own[] = {FIELD_NODE,     FIELD_CHECK, FIELD_ACTION, FIELD_CODES,
                                            FIELD_ENTITIES, FIELD_TIME,  FIELD_FLAG};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        count += m->first[own[i]] != NULL;
    }
    if (count < LIKE_MIN) {
        return NULL;
    }
    if (m->has_more) {
        return "it has more than 64 members";
    }
    if (!is_text(m->first[FIELD_NODE])) {
        return m->first[FIELD_NODE] == NULL ? "nodeName is missing" : "nodeName is no text";
    }
    return m->first[FIELD_CHECK] == NULL ? "checkName is missing" : "checkName is no text";
}

/* ---- values ---- */

static bool is_quoted(struct str json)
{
    return json.len > 0 && json.ptr[0] == '"';
}

/* A JSON string without escapes: its text stands in it. */
static bool is_plain(struct str json)
{
    return json.len >= 2 && is_quoted(json) &&
           scan_special(json.ptr + 1, json.ptr + json.len) == json.ptr + json.len - 1 &&
           json.ptr[json.len - 1] == '"';
}

/* The text of a JSON string; empty for anything else. */
static struct str text_of(struct str json, struct arena *a)
{
    struct json_reader r;
    struct err e = ERR_INIT;
    struct str text = STR("");

    if (is_plain(json)) {
        return str_slice(json, 1, json.len - 2);
    }
    json_read_init(&r, json, a, &e);
    return json_peek(&r) == JSON_STRING && json_take_str(&r, &text) ? text : STR("");
}

/* An integer as number, text, or as MongoDB writes a long. */
static bool integer_of(const struct json_node *n, int64_t *ret)
{
    const struct json_node *inner = json_get(n, STR("$numberLong"));

    n = inner != NULL ? inner : n;
    return n != NULL && (n->kind == JSON_NUMBER || n->kind == JSON_STRING) &&
           number_parse_i64(n->text, ret);
}

/* {"seconds":..,"nanos":..} as protobuf has it. */
static bool time_of_parts(const struct json_node *root, int64_t *ret_ns)
{
    int64_t seconds = 0;
    int64_t nanos = 0;
    const struct json_node *part = json_get(root, STR("nanos"));

    if (!integer_of(json_get(root, STR("seconds")), &seconds) || seconds < 0 ||
        seconds > INT64_MAX / NS_PER_S - 1) {
        return false;
    }
    (void)integer_of(part != NULL ? part : json_get(root, STR("nanoseconds")), &nanos);
    *ret_ns = seconds * NS_PER_S + (nanos >= 0 && nanos < NS_PER_S ? nanos : 0);
    return true;
}

/* {"$date": "..."} or {"$date": {"$numberLong": milliseconds}}. */
static bool time_of_date(const struct json_node *date, int64_t *ret_ns)
{
    struct err ignored = ERR_INIT;
    int64_t ms = 0;

    if (date == NULL) {
        return false;
    }
    if (date->kind == JSON_STRING) {
        return time_parse_rfc3339(date->text, ret_ns, &ignored);
    }
    if (!integer_of(date, &ms) || ms < 0 || ms > INT64_MAX / NS_PER_MS) {
        return false;
    }
    *ret_ns = ms * NS_PER_MS;
    return true;
}

static bool time_of(struct str json, struct arena *a, int64_t *ret_ns)
{
    struct err ignored = ERR_INIT;
    struct json_node *root = NULL;

    if (is_quoted(json)) {
        return time_parse_any(text_of(json, a), ret_ns, &ignored);
    }
    return json.len > 0 && json.ptr[0] == '{' && json_parse(json, a, &root, &ignored) &&
           (time_of_parts(root, ret_ns) || time_of_date(json_get(root, STR("$date")), ret_ns));
}

static void write_time(struct json_writer *w, struct str json, struct arena *a,
                       struct health_facts *facts)
{
    bool is_time = time_of(json, a, &facts->time_ns);

    if (is_time && !is_quoted(json)) {
        json_add_time(w, facts->time_ns);
    } else {
        json_add_raw(w, json);
    }
}

static void write_action(struct json_writer *w, struct str json, struct arena *a)
{
    struct str text = text_of(json, a);

    for (size_t i = 0; text.len > 0 && i < ARRAY_LEN(actions); i++) {
        if (str_eq_nocase(text, str_of(actions[i].name))) {
            json_add_i64(w, actions[i].number);
            return;
        }
    }
    int64_t number = 0;
    if (text.len > 0 && number_parse_i64(text, &number)) {
        json_add_i64(w, number);
    } else {
        json_add_raw(w, json);
    }
}

/* A list, also where there is one text or nothing. */
static void write_codes(struct json_writer *w, struct str json)
{
    bool is_list = json.len > 0 && json.ptr[0] == '[';
    bool is_null = str_eq(json, STR("null"));

    if (is_list) {
        json_add_raw(w, json);
        return;
    }
    json_begin_array(w);
    if (!is_null) {
        json_add_raw(w, json);
    }
    json_end_array(w);
}

static void write_entity(struct json_writer *w, struct json_reader *r)
{
    struct names known = {entity_names, ARRAY_LEN(entity_names), 0};
    struct str json = STR("");
    struct str key;

    if (json_peek(r) != JSON_OBJECT) {
        (void)json_take_raw(r, &json);
        json_add_raw(w, json);
        return;
    }
    json_begin_object(w);
    for (bool ok = json_open_object(r); ok && json_next_key(r, &key);) {
        const struct field_name *name = find_name(&known, key);
        if (name != NULL) {
            json_key_raw(w, name->key);
        } else {
            json_key(w, key);
        }
        ok = json_take_raw(r, &json);
        json_add_raw(w, json);
    }
    json_end_object(w);
}

/* All of it was found to be JSON before. */
static void write_entities(struct json_writer *w, struct str json, struct arena *a)
{
    struct err ignored = ERR_INIT;
    struct json_reader r;

    json_read_init(&r, json, a, &ignored);
    if (json_peek(&r) != JSON_ARRAY || !json_open_array(&r)) {
        write_codes(w, json);
        return;
    }
    json_begin_array(w);
    while (json_next_item(&r)) {
        write_entity(w, &r);
    }
    json_end_array(w);
}

/* A datastore without booleans has 0 and 1. */
static void write_flag(struct json_writer *w, const struct member *m, struct health_facts *facts)
{
    struct str json = m->json;
    bool is_digit = str_eq(json, STR("0")) || str_eq(json, STR("1"));

    if (is_digit) {
        json_add_bool(w, json.ptr[0] == '1');
        return;
    }
    json_add_raw(w, json);
    if (!str_eq(json, STR("true")) && !str_eq(json, STR("false"))) {
        facts->odd = str_eq(m->known->name, STR("isFatal")) ? "isFatal is neither true nor false"
                                                            : "isHealthy is neither true nor false";
    }
}

static void write_member(struct json_writer *w, const struct member *m, struct arena *a,
                         struct health_facts *facts)
{
    enum health_field field = m->known != NULL ? m->known->field : FIELD_OTHER;

    if (m->known != NULL) {
        json_key_raw(w, m->known->key);
    } else {
        json_key(w, m->name);
    }
    if (field == FIELD_TIME) {
        write_time(w, m->json, a, facts);
    } else if (field == FIELD_ACTION) {
        write_action(w, m->json, a);
    } else if (field == FIELD_CODES) {
        write_codes(w, m->json);
    } else if (field == FIELD_ENTITIES) {
        write_entities(w, m->json, a);
    } else if (field == FIELD_FLAG) {
        write_flag(w, m, facts);
    } else {
        json_add_raw(w, m->json);
    }
}

static struct str text_of_member(const struct members *m, enum health_field field, struct arena *a)
{
    const struct member *found = m->first[field];

    return found != NULL ? text_of(found->json, a) : STR("");
}

static void write_members(const struct members *m, struct arena *a, struct buf *out,
                          struct health_facts *facts)
{
    struct json_writer w;

    *facts = (struct health_facts){.node = text_of_member(m, FIELD_NODE, a),
                                   .trace = text_of_member(m, FIELD_TRACE, a)};
    json_write_init(&w, out);
    json_begin_object(&w);
    for (size_t i = 0; i < m->count; i++) {
        write_member(&w, &m->items[i], a, facts);
    }
    json_end_object(&w);
}

enum health_result health_event_of_document(struct str document, struct arena *a, struct buf *out,
                                            struct health_facts *ret_facts, struct err *e)
{
    struct err why = ERR_INIT;
    struct members m;

    for (int depth = 0; depth < 2; depth++) {
        if (!read_members(document, a, &m, &why)) {
            if (why.code != ERR_NONE) {
                *e = why;
            }
            return why.code != ERR_NONE ? HEALTH_BROKEN : HEALTH_NONE;
        }
        if (is_health(&m)) {
            write_members(&m, a, out, ret_facts);
            return HEALTH_EVENT;
        }
        const char *odd = oddness(&m);
        if (odd != NULL) {
            ret_facts->odd = odd;
        }
        const struct member *whole = m.first[FIELD_WHOLE];
        if (whole == NULL) {
            break;
        }
        document = whole->json;
    }
    return HEALTH_NONE;
}

/* ---- rows ---- */

static struct str json_of_column(const struct change_column *c, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    switch (c->type) {
    case COLUMN_NUMBER:
    case COLUMN_FLAG:
    case COLUMN_JSON:
        return c->text;
    case COLUMN_TEXT:
        json_print_str(&text, c->text);
        return arena_dup(a, buf_str(&text));
    case COLUMN_NULL:
    case COLUMN_BYTES:
    case COLUMN_UNSENT:
    case COLUMN_TYPES:
        break;
    }
    return STR("null");
}

/* Columns that are fields of a health event; others say nothing of it. */
static void members_of_row(const struct change *row, struct arena *a, struct members *ret)
{
    struct names table = {names, ARRAY_LEN(names), 0};

    begin_members(ret);
    for (size_t i = 0; i < row->column_count && ret->count < MEMBERS_MAX; i++) {
        const struct change_column *c = &row->columns[i];
        const struct field_name *known = find_name(&table, c->name);
        if (known != NULL && known->field != FIELD_WHOLE && c->type != COLUMN_UNSENT) {
            const struct member m = {known, c->name, json_of_column(c, a)};
            add_member(ret, &m);
        }
    }
}

enum health_result health_event_of_row(const struct change *row, struct arena *a, struct buf *out,
                                       struct health_facts *ret_facts, struct err *e)
{
    struct members m;

    for (size_t i = 0; i < row->column_count; i++) {
        const struct change_column *c = &row->columns[i];
        if (c->type != COLUMN_JSON) {
            continue;
        }
        enum health_result result = health_event_of_document(c->text, a, out, ret_facts, e);
        if (result != HEALTH_NONE) {
            return result;
        }
    }
    members_of_row(row, a, &m);
    if (!is_health(&m)) {
        const char *odd = oddness(&m);
        if (odd != NULL) {
            ret_facts->odd = odd;
        }
        return HEALTH_NONE;
    }
    write_members(&m, a, out, ret_facts);
    return HEALTH_EVENT;
}
