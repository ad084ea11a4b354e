#include "model/event.h"

#include "base/timetext.h"

#include <inttypes.h>
#include <string.h>

static bool in_range(unsigned char c, char from, char to)
{
    return c >= (unsigned char)from && c <= (unsigned char)to;
}

bool event_name_is_valid(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (!in_range(c, 'a', 'z') && !in_range(c, '0', '9')) {
            return false;
        }
    }
    return name.len > 0 && !str_eq(name, STR("data"));
}

/* U+FDD0 to U+FDEF, and the last two of each plane, in UTF-8 at <p>. */
static bool is_noncharacter(const unsigned char *p, size_t left)
{
    if (left >= 3 && p[0] == 0xEF) {
        return (p[1] == 0xB7 && p[2] >= 0x90 && p[2] <= 0xAF) || (p[1] == 0xBF && p[2] >= 0xBE);
    }
    return left >= 4 && p[0] >= 0xF0 && (p[1] & 0x0F) == 0x0F && p[2] == 0xBF && p[3] >= 0xBE;
}

/* Eight bytes at a time: what has none above 0x7E and none below 0x20 holds nothing that is forbidden. */
static bool is_printable_ascii(struct str text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = ones * 0x80;
    uint64_t block = ones * ' '; /* the last is filled up with spaces */
    uint64_t found = 0;

    for (size_t i = 0; i < text.len; i += sizeof(block)) {
        size_t left = text.len - i;
        memcpy(&block, text.ptr + i, left < sizeof(block) ? left : sizeof(block));
        /* Below the top bits nothing carries: 0x7F reaches it by 1, what is less than 0x20 falls short by 0x60. */
        uint64_t low = block & ~tops;
        found |= block | (low + ones) | ~(low + ones * 0x60);
    }
    return (found & tops) == 0;
}

bool event_text_is_valid(struct str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;

    if (is_printable_ascii(text)) {
        return true;
    }

    for (size_t i = 0; i < text.len; i++) {
        bool is_c1 = i + 1 < text.len && p[i] == 0xC2 && p[i + 1] >= 0x80 && p[i + 1] <= 0x9F;
        if (p[i] < 0x20 || p[i] == 0x7F || is_c1 || is_noncharacter(p + i, text.len - i)) {
            return false;
        }
    }
    return str_is_utf8(text);
}

/* What RFC 3986 has no place for; what is beyond ASCII is let through, as others do. */
static bool is_uri_reference(struct str text)
{
    static const bool is_foreign[0x80] = {
        ['\0'] = true, [' '] = true, ['<'] = true, ['>'] = true,  ['"'] = true, ['{'] = true,
        ['}'] = true,  ['|'] = true, ['^'] = true, ['\\'] = true, ['`'] = true,
    };

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < sizeof(is_foreign) && is_foreign[c]) {
            return false;
        }
    }
    return true;
}

/* A scheme, a colon, and something behind it. */
static bool is_uri(struct str text)
{
    size_t colon = str_find_byte(text, ':');

    for (size_t i = 0; i < colon; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool is_letter = in_range(c | 0x20, 'a', 'z');
        if (!is_letter && (i == 0 || (!in_range(c, '0', '9') && strchr("+-.", c) == NULL))) {
            return false;
        }
    }
    return colon > 0 && colon + 1 < text.len && is_uri_reference(text);
}

static bool is_token_byte(unsigned char c)
{
    return c > 0x20 && c < 0x7F && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_token(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_token_byte((unsigned char)text.ptr[i])) {
            return false;
        }
    }
    return text.len > 0;
}

/* "type/subtype", in front of parameters. */
static bool is_media_type(struct str text)
{
    struct str type = str_trim(str_slice(text, 0, str_find_byte(text, ';')));
    size_t slash = str_find_byte(type, '/');

    return slash < type.len && is_token(str_slice(type, 0, slash)) &&
           is_token(str_slice(type, slash + 1, type.len));
}

bool event_type_is_json(struct str content_type)
{
    struct str type = str_trim(str_slice(content_type, 0, str_find_byte(content_type, ';')));
    struct str ending = STR("+json");
    size_t slash = str_find_byte(type, '/');
    struct str subtype = str_slice(type, slash < type.len ? slash + 1 : type.len, type.len);

    return type.len == 0 || str_eq_nocase(subtype, STR("json")) ||
           (subtype.len > ending.len &&
            str_eq_nocase(str_slice(subtype, subtype.len - ending.len, ending.len), ending));
}

/* ---- is it one? ---- */

struct attribute {
    const char *name;
    struct str value;
    bool is_required;
    bool (*fits)(struct str value); /* or NULL */
    const char *expected;
};

static bool check_attribute(const struct attribute *a, struct err *e)
{
    if (a->value.len == 0) {
        return !a->is_required || err_set(e, ERR_PARSE, "the event has no '%s'", a->name);
    }
    if (!event_text_is_valid(a->value)) {
        return err_set(e, ERR_PARSE, "'%s' of the event holds a control character, or is no UTF-8",
                       a->name);
    }
    return a->fits == NULL || a->fits(a->value) ||
           err_set(e, ERR_PARSE, "'%s' of the event is '%.*s', expected %s", a->name,
                   STR_FMT(a->value), a->expected);
}

static bool check_extension(const struct event_extension *x, struct err *e)
{
    if (!event_name_is_valid(x->name)) {
        return err_set(e, ERR_PARSE,
                       "'%.*s' cannot be an attribute of an event: names are of a-z and 0-9",
                       STR_FMT(x->name));
    }
    return x->type != EVENT_TEXT || event_text_is_valid(x->text) ||
           err_set(e, ERR_PARSE, "'%.*s' of the event holds a control character, or is no UTF-8",
                   STR_FMT(x->name));
}

bool event_check_another(const struct event *ev, struct err *e)
{
    const struct attribute id = {"id", ev->id, true, NULL, NULL};
    const struct attribute subject = {"subject", ev->subject, false, NULL, NULL};

    return check_attribute(&id, e) && check_attribute(&subject, e);
}

bool event_check(const struct event *ev, struct err *e)
{
    const struct attribute attributes[] = {
        {"id", ev->id, true, NULL, NULL},
        {"source", ev->source, true, is_uri_reference, "a URI reference"},
        {"type", ev->type, true, NULL, NULL},
        {"subject", ev->subject, false, NULL, NULL},
        {"datacontenttype", ev->content_type, false, is_media_type, "a media type"},
        {"dataschema", ev->schema, false, is_uri, "an absolute URI"},
    };

    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (!check_attribute(&attributes[i], e)) {
            return false;
        }
    }
    for (size_t i = 0; i < ev->extension_count; i++) {
        if (!check_extension(&ev->extensions[i], e)) {
            return false;
        }
    }
    if (ev->form == EVENT_DATA_TEXT && event_type_is_json(ev->content_type)) {
        return err_set(e, ERR_PARSE, "text as data needs a 'datacontenttype' that is no JSON");
    }
    return ev->extension_count <= EVENT_EXTENSIONS_MAX ||
           err_set(e, ERR_LIMIT, "the event has more than %d extensions", EVENT_EXTENSIONS_MAX);
}

/* ---- looking ---- */

const struct event_extension *event_extension(const struct event *ev, struct str name)
{
    for (size_t i = 0; i < ev->extension_count; i++) {
        if (str_eq(ev->extensions[i].name, name)) {
            return &ev->extensions[i];
        }
    }
    return NULL;
}

static struct str time_text(const struct event *ev, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (!ev->has_time) {
        return STR_NONE;
    }
    buf_add_rfc3339(&text, ev->time_ns);
    return arena_dup(a, buf_str(&text));
}

static struct str extension_text(const struct event_extension *x, struct arena *a)
{
    if (x->type == EVENT_INTEGER) {
        return arena_printf(a, "%" PRId32, x->integer);
    }
    return x->type == EVENT_FLAG ? str_of(x->integer != 0 ? "true" : "false") : x->text;
}

struct str event_text(const struct event *ev, struct str name)
{
    const struct {
        const char *name;
        struct str value;
    } known[] = {
        {"id", ev->id},
        {"source", ev->source},
        {"type", ev->type},
        {"specversion", STR("1.0")},
        {"subject", ev->subject},
        {"datacontenttype", ev->content_type},
        {"dataschema", ev->schema},
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (str_eq(name, str_of(known[i].name))) {
            return known[i].value;
        }
    }
    return STR("");
}

struct str event_attribute(const struct event *ev, struct str name, struct arena *a)
{
    struct str text = event_text(ev, name);

    if (text.len > 0) {
        return text;
    }
    if (str_eq(name, STR("time"))) {
        return time_text(ev, a);
    }
    const struct event_extension *x = event_extension(ev, name);
    return x != NULL ? extension_text(x, a) : STR_NONE;
}

struct str event_key(const struct event *ev)
{
    const struct event_extension *x = event_extension(ev, STR("partitionkey"));

    if (x != NULL && x->type == EVENT_TEXT && x->text.len > 0) {
        return x->text;
    }
    return ev->subject.len > 0 ? ev->subject : ev->id;
}

struct event event_copy(struct arena *a, const struct event *ev)
{
    struct event copy = *ev;
    struct str *const texts[] = {&copy.id,           &copy.source, &copy.type, &copy.subject,
                                 &copy.content_type, &copy.schema, &copy.data};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = texts[i]->len > 0 ? arena_dup(a, *texts[i]) : STR("");
    }
    struct event_extension *extensions =
        arena_array(a, struct event_extension, ev->extension_count);
    for (size_t i = 0; i < ev->extension_count; i++) {
        extensions[i] = ev->extensions[i];
        extensions[i].name = arena_dup(a, extensions[i].name);
        extensions[i].text = arena_dup(a, extensions[i].text);
    }
    copy.extensions = extensions;
    return copy;
}
