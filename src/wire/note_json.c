#include "wire/note_json.h"

#include "base/number.h"
#include "base/timetext.h"
#include "wire/json.h"
#include "wire/json_labels.h"
#include "wire/otlp_json.h"

#include <xxhash.h>

#define MS_PER_NS 1e-6
#define DURATION_MS_MAX 1e12

/* Members that are not fields. */
static const char *const members[] = {"kind", "timestamp", "name", "labels", "fields"};
static const char *const span_members[] = {
    "function_name", "execution_time_ms",
    "trace_id",      "span_id",
    "parent_id",     "end_timestamp",
    "status",        "status_message",
    "span_kind",     "kind",
    "timestamp",     "name",
    "labels",        "fields",
    "otlp",
};

static const char *const status_names[SPAN_STATUSES] = {"unset", "ok", "error"};
static const char *const kind_names[SPAN_KIND_COUNT] = {"unspecified", "internal", "server",
                                                        "client",      "producer", "consumer"};

static bool is_one_of(struct str name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_member(struct str name, bool is_span)
{
    return is_span ? is_one_of(name, span_members, ARRAY_LEN(span_members))
                   : is_one_of(name, members, ARRAY_LEN(members));
}

/* ---- ids ---- */

void span_id_print(const uint8_t *id, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        buf_addf(out, "%02x", id[i]);
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool span_id_parse(struct str hex, uint8_t *ret_id, size_t len)
{
    uint8_t id[TRACE_ID_BYTES] = {0};

    if (hex.len != 2 * len || len > sizeof(id)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int high = digit_of(hex.ptr[2 * i]);
        int low = digit_of(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        id[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_id, id, len);
    return true;
}

static XXH128_hash_t hash_of(const struct note *n, const struct span_part *span)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&text, "%lld %lld ", (long long)n->time_ns, (long long)span->end_ns);
    span_id_print(span->trace_id, TRACE_ID_BYTES, &text);
    span_id_print(span->parent_id, SPAN_ID_BYTES, &text);
    buf_addf(&text, " %zu:", n->name.len);
    buf_add_str(&text, n->name);
    buf_add_str(&text, labels_bytes(n->labels));
    return XXH3_128bits(text.ptr, text.len);
}

void span_fill_ids(const struct note *n)
{
    struct span_part *span = (struct span_part *)(uintptr_t)n->span;
    XXH128_hash_t hash = hash_of(n, span);

    if (span_id_is_none(span->span_id, SPAN_ID_BYTES)) {
        memcpy(span->span_id, &hash.low64, SPAN_ID_BYTES);
        span->span_id[0] |= 1;
    }
    if (span_id_is_none(span->trace_id, TRACE_ID_BYTES)) {
        memcpy(span->trace_id, &hash, TRACE_ID_BYTES);
        span->trace_id[0] |= 1;
    }
}

/* ---- writing ---- */

static void add_number(struct json_writer *w, const struct note_field *f)
{
    json_add_double_or_text(w, f->number);
}

static void add_integer(struct json_writer *w, const struct note_field *f)
{
    json_add_i64(w, f->integer);
}

static void add_text(struct json_writer *w, const struct note_field *f)
{
    json_add_str(w, f->text);
}

static void add_flag(struct json_writer *w, const struct note_field *f)
{
    json_add_bool(w, f->integer != 0);
}

static void add_field(struct json_writer *w, const struct note_field *f)
{
    static void (*const adders[NOTE_TYPES])(struct json_writer *, const struct note_field *) = {
        [NOTE_NUMBER] = add_number,
        [NOTE_INTEGER] = add_integer,
        [NOTE_TEXT] = add_text,
        [NOTE_FLAG] = add_flag,
    };

    json_key(w, f->name);
    adders[f->type](w, f);
}

/* Those that are called as members, in an object of their own where there are any; or the others. */
static void add_fields(struct json_writer *w, const struct note *n, bool named_as_members)
{
    bool begun = false;

    for (size_t i = 0; i < n->field_count; i++) {
        if (is_member(n->fields[i].name, n->span != NULL) != named_as_members) {
            continue;
        }
        if (named_as_members && !begun) {
            json_key(w, STR("fields"));
            json_begin_object(w);
            begun = true;
        }
        add_field(w, &n->fields[i]);
    }
    if (begun) {
        json_end_object(w);
    }
}

static void add_id(struct json_writer *w, const char *name, const uint8_t *id, size_t len)
{
    AUTO(buf_release) struct buf hex = BUF_INIT(BUF_SMALL);

    json_key(w, str_of(name));
    if (span_id_is_none(id, len)) {
        json_add_null(w);
        return;
    }
    span_id_print(id, len, &hex);
    json_add_str(w, buf_str(&hex));
}

static void add_text_member(struct json_writer *w, const char *name, struct str text)
{
    if (text.len > 0) {
        json_key(w, str_of(name));
        json_add_str(w, text);
    }
}

/* What has no member of its own. */
static void add_rest(struct json_writer *w, const struct span_part *s)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct err ignored = ERR_INIT;

    if (s->more.len > 0 && otlp_json_write(OTLP_SPAN_REST, s->more, &json, &ignored)) {
        json_key(w, STR("otlp"));
        json_add_raw(w, buf_str(&json));
    }
}

static void add_span(struct json_writer *w, const struct note *n)
{
    const struct span_part *s = n->span;

    json_key(w, STR("function_name"));
    json_add_str(w, n->name);
    json_key(w, STR("execution_time_ms"));
    json_add_double(w, (double)note_duration_ns(n) * MS_PER_NS);
    json_key(w, STR("end_timestamp"));
    json_add_time(w, s->end_ns);
    add_id(w, "trace_id", s->trace_id, TRACE_ID_BYTES);
    add_id(w, "span_id", s->span_id, SPAN_ID_BYTES);
    add_id(w, "parent_id", s->parent_id, SPAN_ID_BYTES);
    add_text_member(w, "span_kind", str_of(kind_names[s->kind]));
    add_text_member(w, "status", str_of(status_names[s->status]));
    add_text_member(w, "status_message", s->status_message);
    add_rest(w, s);
}

void note_json_add(const struct note *n, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("kind"));
    json_add_text(&w, record_kind_name(n->span != NULL ? RECORD_SPAN : RECORD_PROFILE));
    json_key(&w, STR("timestamp"));
    json_add_time(&w, n->time_ns);
    if (n->span != NULL) {
        add_span(&w, n);
    } else {
        add_text_member(&w, "name", n->name);
    }
    add_fields(&w, n, false);
    json_key(&w, STR("labels"));
    json_add_labels(&w, n->labels, false);
    add_fields(&w, n, true);
    json_end_object(&w);
}

/* ---- reading ---- */

struct note_reader {
    struct str json;
    const struct json_node *object;
    struct arena *arena;
    struct note *note;
    struct note_field *fields; /* room for all there can be */
    struct err *err;
};

static bool fail(struct note_reader *r, const struct json_node *at, const char *what)
{
    return json_err_at(r->json, at->offset, r->err, ERR_PARSE, "%s", what);
}

/* NULL for a member that is not there or null. */
static const struct json_node *member(const struct note_reader *r, const char *name)
{
    const struct json_node *node = json_get(r->object, str_of(name));

    return node != NULL && node->kind != JSON_NULL ? node : NULL;
}

/* An error about a member, or about the object when it is not there. */
static bool fail_at(struct note_reader *r, const char *name, const char *what)
{
    const struct json_node *node = member(r, name);

    return fail(r, node != NULL ? node : r->object, what);
}

static bool take_text(struct note_reader *r, const char *name, struct str *ret)
{
    const struct json_node *node = member(r, name);

    if (node == NULL) {
        return true;
    }
    if (node->kind != JSON_STRING) {
        return fail(r, node, "expected a string");
    }
    *ret = node->text;
    return true;
}

static bool take_time(struct note_reader *r, const char *name, int64_t *ret_ns)
{
    const struct json_node *node = member(r, name);
    struct err ignored = ERR_INIT;

    return node == NULL ||
           ((node->kind == JSON_STRING || node->kind == JSON_NUMBER) &&
            time_parse_any(node->text, ret_ns, &ignored)) ||
           fail(r, node, "expected a time such as \"2026-01-31T12:00:00Z\", or Unix seconds");
}

static bool take_labels(struct note_reader *r)
{
    AUTO(labels_builder_release) struct labels_builder b;
    const struct json_node *node = member(r, "labels");
    struct err why = ERR_INIT;

    labels_builder_init(&b);
    if (node == NULL) {
        return true;
    }
    if (node->kind != JSON_OBJECT) {
        return fail(r, node, "expected an object of strings");
    }
    for (const struct json_node *n = node->first; n != NULL; n = n->next) {
        if (n->kind != JSON_STRING) {
            return fail(r, n, "expected a string: labels are texts");
        }
        labels_builder_push(&b, n->key, n->text);
    }
    return labels_build(&b, &r->note->labels, &why) || fail(r, node, why.message);
}

/* Whole numbers without a point are integers, so that they come back as they went. */
static bool take_number(struct str text, struct note_field *f)
{
    if (number_parse_i64(text, &f->integer)) {
        f->type = NOTE_INTEGER;
        return true;
    }
    f->type = NOTE_NUMBER;
    return number_parse(text, &f->number);
}

/* What is no number in JSON is written as text. */
static void take_string(struct str text, struct note_field *f)
{
    static const char *const no_numbers[] = {"NaN", "+Inf", "-Inf"};

    f->type = NOTE_TEXT;
    f->text = text;
    if (is_one_of(text, no_numbers, ARRAY_LEN(no_numbers)) && number_parse(text, &f->number)) {
        f->type = NOTE_NUMBER;
        f->text = STR("");
    }
}

static bool take_field(struct note_reader *r, const struct json_node *n)
{
    struct note_field *f = &r->fields[r->note->field_count];

    *f = (struct note_field){.name = n->key, .text = STR("")};
    if (n->kind == JSON_STRING) {
        take_string(n->text, f);
    } else if (n->kind == JSON_TRUE || n->kind == JSON_FALSE) {
        f->type = NOTE_FLAG;
        f->integer = n->kind == JSON_TRUE;
    } else if (n->kind != JSON_NUMBER || !take_number(n->text, f)) {
        return fail(r, n, "expected a number, a string, true or false: fields are flat");
    }
    r->note->field_count++;
    return true;
}

static bool has_field(const struct note *n, struct str name)
{
    return note_get(n, name) != NULL;
}

/* Members of <node> that are no others'; null says that there is none. */
static bool take_fields(struct note_reader *r, const struct json_node *node, bool all)
{
    bool is_span = r->note->span != NULL;

    for (const struct json_node *n = node->first; n != NULL; n = n->next) {
        if (n->kind == JSON_NULL || (!all && is_member(n->key, is_span))) {
            continue;
        }
        if (has_field(r->note, n->key)) {
            return fail(r, n, "a field of this name is there already");
        }
        if (!take_field(r, n)) {
            return false;
        }
    }
    return true;
}

static bool take_all_fields(struct note_reader *r)
{
    const struct json_node *more = member(r, "fields");
    size_t count = r->object->count + (more != NULL ? more->count : 0);

    if (more != NULL && more->kind != JSON_OBJECT) {
        return fail(r, more, "expected an object of fields");
    }
    if (count > NOTE_FIELDS_MAX) {
        return fail(r, r->object, "more fields than the 1024 that one record may have");
    }
    r->fields = arena_array(r->arena, struct note_field, count);
    r->note->fields = r->fields;
    return take_fields(r, r->object, false) && (more == NULL || take_fields(r, more, true));
}

/* ---- spans ---- */

static bool take_id(struct note_reader *r, const char *name, uint8_t *id, size_t len)
{
    struct str hex = STR("");

    return take_text(r, name, &hex) &&
           (hex.len == 0 || span_id_parse(hex, id, len) ||
            fail_at(r, name,
                    len == TRACE_ID_BYTES ? "expected 32 hex digits" : "expected 16 hex digits"));
}

static bool take_choice(struct note_reader *r, const char *name, const char *const *choices,
                        size_t count, unsigned *ret)
{
    struct str text = STR("");

    if (!take_text(r, name, &text)) {
        return false;
    }
    if (text.len == 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq(text, str_of(choices[i]))) {
            *ret = (unsigned)i;
            return true;
        }
    }
    return fail_at(r, name,
                   count == SPAN_STATUSES
                       ? "expected \"unset\", \"ok\" or \"error\""
                       : "expected \"internal\", \"server\", \"client\", \"producer\" or "
                         "\"consumer\"");
}

/* Where it ends: as it says, or by its duration, or where it begins. */
static bool take_end(struct note_reader *r, struct span_part *s)
{
    const struct json_node *took = member(r, "execution_time_ms");
    double ms = 0;

    s->end_ns = r->note->time_ns;
    if (took != NULL && !(json_node_double(took, &ms) && ms >= 0 && ms < DURATION_MS_MAX)) {
        return fail(r, took, "expected a number of milliseconds, 0 or more");
    }
    s->end_ns += (int64_t)(ms / MS_PER_NS);
    return take_time(r, "end_timestamp", &s->end_ns) &&
           (s->end_ns >= r->note->time_ns ||
            fail_at(r, "end_timestamp", "a span cannot end before it starts"));
}

/* The tree does not know where a value ends: that is looked for. */
static bool take_rest(struct note_reader *r, struct span_part *s)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    const struct json_node *node = member(r, "otlp");
    struct err why = ERR_INIT;
    struct json_reader in;
    struct str json;

    if (node == NULL) {
        return true;
    }
    json_read_init(&in, str_slice(r->json, node->offset, r->json.len), r->arena, &why);
    if (!json_take_raw(&in, &json) ||
        !otlp_json_read(OTLP_SPAN_REST, json, r->arena, &message, &why)) {
        return fail(r, node, why.message);
    }
    s->more = arena_dup(r->arena, buf_str(&message));
    return true;
}

static bool take_span(struct note_reader *r, struct span_part *s)
{
    unsigned status = SPAN_STATUS_UNSET;
    unsigned kind = SPAN_KIND_INTERNAL;

    bool ok = take_text(r, "name", &r->note->name) &&
              take_text(r, "function_name", &r->note->name) && take_end(r, s) &&
              take_id(r, "trace_id", s->trace_id, TRACE_ID_BYTES) &&
              take_id(r, "span_id", s->span_id, SPAN_ID_BYTES) &&
              take_id(r, "parent_id", s->parent_id, SPAN_ID_BYTES) &&
              take_choice(r, "status", status_names, SPAN_STATUSES, &status) &&
              take_choice(r, "span_kind", kind_names, SPAN_KIND_COUNT, &kind) &&
              take_text(r, "status_message", &s->status_message) && take_rest(r, s);
    s->status = (enum span_status)status;
    s->kind = (enum span_kind)kind;
    return ok && (r->note->name.len > 0 ||
                  fail(r, r->object, "a span needs a \"function_name\" (or a \"name\")"));
}

static bool take_note(struct note_reader *r, enum record_kind kind)
{
    struct span_part *span = NULL;

    if (!take_time(r, "timestamp", &r->note->time_ns) || !take_labels(r)) {
        return false;
    }
    if (kind == RECORD_SPAN) {
        span = arena_new(r->arena, struct span_part);
        span->status_message = STR("");
        span->more = STR("");
        r->note->span = span;
    }
    bool ok = span != NULL ? take_span(r, span) : take_text(r, "name", &r->note->name);
    return ok && take_all_fields(r);
}

bool note_json_read(struct str json, const struct json_node *object, enum record_kind kind,
                    int64_t now_ns, struct arena *a, struct note *ret_note, struct err *e)
{
    struct note note = {.time_ns = now_ns, .name = STR(""), .labels = labels_empty()};
    struct note_reader r = {.json = json, .object = object, .arena = a, .note = &note, .err = e};

    if (!take_note(&r, kind)) {
        labels_unref(note.labels);
        return false;
    }
    *ret_note = note;
    return true;
}
