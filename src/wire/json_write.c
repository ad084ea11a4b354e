/*
 * Invariants
 *   1. Bit depth-1 of <objects> says what the innermost open container is; bits at and above depth are 0.
 *   2. after_key is set only inside an object, between a key and its value.
 */
#include "wire/json.h"

#include "base/number.h"
#include "base/timetext.h"
#include "wire/scan.h"

#include <math.h>

void json_write_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

static uint64_t top_bit(const struct json_writer *w)
{
    return w->depth == 0 ? 0 : (uint64_t)1 << (w->depth - 1);
}

/* A comma before all but the first item of a container. */
static void separate(struct json_writer *w)
{
    uint64_t bit = top_bit(w);

    if ((w->not_first & bit) != 0) {
        buf_add_byte(w->out, ',');
    }
    w->not_first |= bit;
}

static void before_value(struct json_writer *w)
{
    bool in_object = (w->objects & top_bit(w)) != 0;

    INVARIANT(in_object == w->after_key);
    if (!in_object) {
        separate(w);
    }
    w->after_key = false;
}

static void begin(struct json_writer *w, char bracket, bool is_object)
{
    before_value(w);
    INVARIANT(w->depth < JSON_DEPTH_MAX);
    w->depth++;
    w->objects |= is_object ? top_bit(w) : 0;
    buf_add_byte(w->out, bracket);
}

static void end(struct json_writer *w, char bracket, bool is_object)
{
    uint64_t bit = top_bit(w);

    INVARIANT(w->depth > 0 && !w->after_key && ((w->objects & bit) != 0) == is_object);
    w->objects &= ~bit;
    w->not_first &= ~bit;
    w->depth--;
    buf_add_byte(w->out, bracket);
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{', true);
}

void json_end_object(struct json_writer *w)
{
    end(w, '}', true);
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[', false);
}

void json_end_array(struct json_writer *w)
{
    end(w, ']', false);
}

void json_key(struct json_writer *w, struct str key)
{
    INVARIANT((w->objects & top_bit(w)) != 0 && !w->after_key);
    separate(w);
    json_print_str(w->out, key);
    buf_add_byte(w->out, ':');
    w->after_key = true;
}

void json_key_raw(struct json_writer *w, struct str key)
{
    INVARIANT((w->objects & top_bit(w)) != 0 && !w->after_key);
    separate(w);
    buf_add_str(w->out, key);
    w->after_key = true;
}

void json_add_str(struct json_writer *w, struct str value)
{
    before_value(w);
    json_print_str(w->out, value);
}

void json_add_text(struct json_writer *w, const char *value)
{
    json_add_str(w, str_of(value));
}

void json_add_i64(struct json_writer *w, int64_t value)
{
    before_value(w);
    buf_add_i64(w->out, value);
}

void json_add_u64(struct json_writer *w, uint64_t value)
{
    before_value(w);
    buf_add_u64(w->out, value);
}

void json_add_bool(struct json_writer *w, bool value)
{
    before_value(w);
    buf_add_text(w->out, value ? "true" : "false");
}

void json_add_null(struct json_writer *w)
{
    before_value(w);
    buf_add_text(w->out, "null");
}

void json_add_double(struct json_writer *w, double value)
{
    if (!isfinite(value)) {
        json_add_null(w);
        return;
    }
    before_value(w);
    buf_add_double(w->out, value);
}

void json_add_double_or_text(struct json_writer *w, double value)
{
    bool finite = isfinite(value);

    before_value(w);
    if (finite) {
        buf_add_double(w->out, value);
        return;
    }
    buf_add_byte(w->out, '"');
    buf_add_double(w->out, value);
    buf_add_byte(w->out, '"');
}

void json_add_time(struct json_writer *w, int64_t wall_ns)
{
    before_value(w);
    buf_add_byte(w->out, '"');
    buf_add_rfc3339(w->out, wall_ns);
    buf_add_byte(w->out, '"');
}

void json_add_raw(struct json_writer *w, struct str json)
{
    before_value(w);
    buf_add_str(w->out, json);
}

/* Appends the escape of a quote, a backslash or a control. */
static void print_escape(struct buf *out, unsigned char c)
{
    static const char escapes[] = {
        ['"'] = '"',  ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r',
        ['\t'] = 't', ['\b'] = 'b',  ['\f'] = 'f',
    };
    if (c < sizeof(escapes) && escapes[c] != 0) {
        const char text[2] = {'\\', escapes[c]};
        buf_add(out, text, sizeof(text));
    } else {
        buf_addf(out, "\\u%04x", c);
    }
}

/* Appends what stands at <p>, which is not plain ASCII; gives the number of bytes it took. */
static size_t print_special(struct buf *out, const char *p, const char *end)
{
    unsigned char c = (unsigned char)*p;

    if (c < 0x80) {
        print_escape(out, c);
        return 1;
    }
    size_t n = str_utf8_length(str_make(p, (size_t)(end - p)));
    if (n == 0) {
        buf_add_text(out, "\xEF\xBF\xBD");
        return 1;
    }
    buf_add(out, p, n);
    return n;
}

/* A string that needs no escapes, in one go; false, and nothing, for another. */
static bool print_plain(struct buf *out, struct str s)
{
    if (s.len == 0 || !scan_is_plain(s.ptr, s.len)) {
        return false;
    }
    char *room = buf_reserve(out, s.len + 2);
    if (room != NULL) {
        room[0] = '"';
        memcpy(room + 1, s.ptr, s.len);
        room[s.len + 1] = '"';
        buf_added(out, s.len + 2);
    }
    return true;
}

void json_print_str(struct buf *out, struct str s)
{
    const char *p = s.ptr;
    const char *end_of_text = s.len > 0 ? s.ptr + s.len : p;

    if (print_plain(out, s)) {
        return;
    }
    buf_add_byte(out, '"');
    while (p < end_of_text) {
        const char *special = scan_special_or_high(p, end_of_text);
        buf_add(out, p, (size_t)(special - p));
        p = special;
        if (p < end_of_text) {
            p += print_special(out, p, end_of_text);
        }
    }
    buf_add_byte(out, '"');
}

void json_add_node(struct json_writer *w, const struct json_node *n)
{
    bool is_object = n->kind == JSON_OBJECT;

    if (n->kind == JSON_STRING) {
        json_add_str(w, n->text);
        return;
    }
    if (!is_object && n->kind != JSON_ARRAY) {
        json_add_raw(w, n->kind == JSON_NUMBER  ? n->text
                        : n->kind == JSON_TRUE  ? STR("true")
                        : n->kind == JSON_FALSE ? STR("false")
                                                : STR("null"));
        return;
    }
    (is_object ? json_begin_object : json_begin_array)(w);
    for (const struct json_node *in = n->first; in != NULL; in = in->next) {
        if (is_object) {
            json_key(w, in->key);
        }
        json_add_node(w, in);
    }
    (is_object ? json_end_object : json_end_array)(w);
}
