/*
 * A line is built in a fixed buffer on the caller's stack and written with one write(), so a full disk or a closed pipe
 * costs lines and nothing else.
 *
 * Invariants
 *   1. Text is only added to a line while TRACE_TAIL bytes stay free; what closes a value and the line always fits.
 *   2. What an outsider wrote goes out as valid UTF-8 without control characters, quoted if need be: it can neither end
 *      the line nor forge a field.
 *   3. A site's slot is its own or, when the table is crowded, shared: sharing suppresses earlier, never later.
 */
#include "base/trace.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/thread.h"
#include "base/timetext.h"
#include "base/trace_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { TRACE_TAIL = 64, SITE_SLOTS = 512, SITE_PROBES = 8 };

/* A place in the code and who writes there: one exporter's lines do not keep another's from being seen. */
struct site {
    const char *key;
    const char *component;
    int64_t window_start_ns;
    uint32_t lines;
    uint32_t suppressed;
};

struct trace_sink {
    struct lock lock;
    struct trace_levels levels;
    const struct clock *clock;
    _Atomic int format; /* enum trace_format */
    int fd;
    _Atomic uint64_t written_total;
    _Atomic uint64_t suppressed_total;
    struct site sites[SITE_SLOTS];
};

struct line {
    enum trace_format format;
    size_t len;
    char bytes[TRACE_LINE_MAX];
};

static const char *const level_names[] = {
    [TRACE_DEBUG] = "debug", [TRACE_INFO] = "info", [TRACE_WARN] = "warn",
    [TRACE_ERROR] = "error", [TRACE_OFF] = "off",
};

/* Values of fields whose key contains one of these, '_' and '-' left out, are never shown. */
static const struct str secret_keys[] = {
    STR_INIT("password"),      STR_INIT("passwd"),     STR_INIT("passphrase"),
    STR_INIT("token"),         STR_INIT("secret"),     STR_INIT("credential"),
    STR_INIT("authorization"), STR_INIT("apikey"),     STR_INIT("appkey"),
    STR_INIT("licensekey"),    STR_INIT("privatekey"), STR_INIT("connectionstring"),
    STR_INIT("connectionurl"), STR_INIT("dsn"),
};

struct trace_sink *trace_sink_new(int fd, enum trace_format format, const struct clock *clock)
{
    struct trace_sink *s = mem_new(struct trace_sink);

    lock_init(&s->lock);
    s->fd = fd;
    trace_levels_init(&s->levels);
    atomic_init(&s->format, (int)format);
    s->clock = clock;
    return s;
}

void trace_sink_free(struct trace_sink *s)
{
    if (s != NULL) {
        lock_release(&s->lock);
        trace_levels_release(&s->levels);
        mem_free(s);
    }
}

void trace_sink_counts(const struct trace_sink *s, uint64_t *ret_written, uint64_t *ret_suppressed)
{
    *ret_written = atomic_load_explicit(&s->written_total, memory_order_relaxed);
    *ret_suppressed = atomic_load_explicit(&s->suppressed_total, memory_order_relaxed);
}

void trace_sink_set_level(struct trace_sink *s, struct str component, enum trace_level level)
{
    const struct trace_named_level named = {component, level};

    trace_levels_tell(&s->levels, false, &named, 1);
}

void trace_sink_set_levels(struct trace_sink *s, const struct trace_named_level *named,
                           size_t count)
{
    trace_levels_tell(&s->levels, true, named, count);
}

void trace_sink_levels(struct trace_sink *s, const struct trace_level_visitor *visitor)
{
    trace_levels_walk(&s->levels, visitor);
}

void trace_sink_set_format(struct trace_sink *s, enum trace_format format)
{
    atomic_store_explicit(&s->format, (int)format, memory_order_relaxed);
}

static void init(struct trace *t, struct trace_sink *sink, struct str name, enum trace_level level)
{
    t->sink = sink;
    atomic_init(&t->level, (int)level);
    if (sink != NULL) {
        struct trace_component *c = trace_levels_find(&sink->levels, name);
        t->told = &c->told;
        if (c->name[0] != '\0') {
            t->component = c->name;
        }
    }
}

void trace_init(struct trace *t, struct trace_sink *sink, const char *component,
                enum trace_level level)
{
    t->component = component;
    init(t, sink, str_of(component), level);
}

void trace_init_part(struct trace *t, struct trace_sink *sink, const char *component,
                     struct str part, enum trace_level level)
{
    char name[TRACE_NAME_MAX];
    int len = snprintf(name, sizeof(name), "%s/%.*s", component, STR_FMT(part));
    bool fits = len > 0 && (size_t)len < sizeof(name);

    t->component = component;
    init(t, sink, fits ? str_make(name, (size_t)len) : str_of(component), level);
}

const char *trace_level_name(enum trace_level level)
{
    return level_names[level];
}

bool trace_level_parse(struct str name, enum trace_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (str_eq_nocase(name, str_of(level_names[i]))) {
            *ret_level = (enum trace_level)i;
            return true;
        }
    }
    return false;
}

static void put(struct line *l, struct str s)
{
    memcpy(l->bytes + l->len, s.ptr, s.len);
    l->len += s.len;
}

static bool has_room(const struct line *l, size_t len)
{
    return l->len + len + TRACE_TAIL <= TRACE_LINE_MAX;
}

/* One character at the front of <s>, made harmless; gives how many bytes of <s> it was. */
static size_t put_char(struct line *l, struct str s)
{
    static const char escapes[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                   ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    unsigned char c = (unsigned char)s.ptr[0];
    size_t len = c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    struct str whole = str_slice(s, 0, len);

    if (c < sizeof(escapes) && escapes[c] != '\0') {
        put(l, str_make((const char[]){'\\', escapes[c]}, 2));
    } else if (c < 0x20 || c == 0x7F) {
        char text[8];
        put(l, str_make(text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c)));
    } else if (str_is_utf8(whole)) {
        put(l, whole);
        return whole.len;
    } else {
        put(l, STR("\xEF\xBF\xBD"));
    }
    return 1;
}

/* Length of "user:password@" at the front of <s>, which follows "://"; 0 when there is none. */
static size_t userinfo_length(struct str s)
{
    size_t found = 0;

    for (size_t i = 0; i < s.len && strchr("/?# \t\r\n\"'<>", s.ptr[i]) == NULL; i++) {
        found = s.ptr[i] == '@' ? i + 1 : found;
    }
    return found;
}

static void put_escaped(struct line *l, struct str s)
{
    while (s.len > 0) {
        if (!has_room(l, 0)) {
            put(l, STR("..."));
            return;
        }
        bool scheme_ends = str_starts(s, STR("://"));
        size_t used = scheme_ends ? 3 : put_char(l, s);
        if (scheme_ends) {
            put(l, STR("://"));
            used += userinfo_length(str_slice(s, used, s.len));
        }
        s = str_slice(s, used, s.len);
    }
}

static bool needs_quotes(const struct line *l, struct str s)
{
    if (l->format == TRACE_JSON || s.len == 0 || !str_is_utf8(s)) {
        return true;
    }
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7F) {
            return true;
        }
    }
    return false;
}

static void put_text(struct line *l, struct str s)
{
    bool quotes = needs_quotes(l, s);

    put(l, quotes ? STR("\"") : STR(""));
    put_escaped(l, s);
    put(l, quotes ? STR("\"") : STR(""));
}

/* The name of the next field with what stands around it; false when the line is full. */
static bool put_key(struct line *l, const char *key)
{
    struct str name = str_of(key);

    if (!has_room(l, name.len + 8)) {
        return false;
    }
    if (l->format == TRACE_JSON) {
        put(l, l->len == 0 ? STR("{\"") : STR(",\""));
        put(l, name);
        put(l, STR("\":"));
    } else {
        put(l, l->len == 0 ? STR("") : STR(" "));
        put(l, name);
        put(l, STR("="));
    }
    return true;
}

static void put_named(struct line *l, const char *key, struct str value)
{
    if (put_key(l, key)) {
        put_text(l, value);
    }
}

/* Does <key> begin with <word>, whatever its case and the signs between words? */
static bool begins_with(struct str key, struct str word)
{
    size_t seen = 0;

    for (size_t i = 0; i < key.len && seen < word.len; i++) {
        bool is_sign = key.ptr[i] == '_' || key.ptr[i] == '-';
        if (is_sign ? seen == 0 : (key.ptr[i] | 0x20) != word.ptr[seen]) {
            return false;
        }
        seen += !is_sign;
    }
    return seen == word.len;
}

static bool begins_with_secret(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(secret_keys); i++) {
        if (begins_with(key, secret_keys[i])) {
            return true;
        }
    }
    return false;
}

/* A bit for each letter that one of them begins with. */
static uint32_t first_letters(void)
{
    uint32_t letters = 0;

    for (size_t i = 0; i < ARRAY_LEN(secret_keys); i++) {
        letters |= UINT32_C(1) << (secret_keys[i].ptr[0] - 'a');
    }
    return letters;
}

bool trace_key_is_secret(struct str key)
{
    const uint32_t letters = first_letters();

    for (size_t at = 0; at < key.len; at++) {
        unsigned letter = (unsigned)(unsigned char)(key.ptr[at] | 0x20) - 'a';
        if (letter < 26 && (letters >> letter & 1) != 0 &&
            begins_with_secret(str_slice(key, at, key.len))) {
            return true;
        }
    }
    return false;
}

static void put_error(struct line *l, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(ERR_FILE + 2 * ERR_TEXT + 64);

    err_print_line(e, &text);
    put_text(l, buf_str(&text));
}

static void put_f64(struct line *l, double value)
{
    char text[NUMBER_TEXT_MAX];
    struct str s = str_make(text, number_format(value, text));

    if (value - value == 0) {
        put(l, s);
    } else {
        put_text(l, s); /* JSON has no NaN and no infinity */
    }
}

static void put_field(struct line *l, const struct trace_field *f)
{
    char text[24];

    if (!put_key(l, f->key)) {
        return;
    }
    if (trace_key_is_secret(str_of(f->key)) &&
        (f->kind == TRACE_FIELD_STR || f->kind == TRACE_FIELD_ERR)) {
        put_text(l, STR("[redacted]"));
        return;
    }
    switch (f->kind) {
    case TRACE_FIELD_STR:
        put_text(l, f->value.str);
        break;
    case TRACE_FIELD_I64:
        put(l,
            str_make(text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)f->value.i64)));
        break;
    case TRACE_FIELD_U64:
        put(l, str_make(text, (size_t)snprintf(text, sizeof(text), "%llu",
                                               (unsigned long long)f->value.u64)));
        break;
    case TRACE_FIELD_F64:
        put_f64(l, f->value.f64);
        break;
    case TRACE_FIELD_ERR:
        put_error(l, f->value.err);
        break;
    }
}

static void line_begin(struct line *l, const struct trace *t, enum trace_level level,
                       const char *message)
{
    AUTO(buf_release) struct buf time = BUF_INIT(64);

    l->format = (enum trace_format)atomic_load_explicit(&t->sink->format, memory_order_relaxed);
    l->len = 0;
    buf_add_rfc3339(&time, clock_wall_ns(t->sink->clock));
    put_named(l, "ts", buf_str(&time));
    put_named(l, "level", str_of(level_names[level]));
    put_named(l, "component", str_of(t->component));
    put_named(l, "msg", str_of(message));
}

static void line_end(struct line *l, struct trace_sink *s)
{
    put(l, l->format == TRACE_JSON ? STR("}\n") : STR("\n"));
    lock_take(&s->lock);
    ssize_t result;
    do {
        result = write(s->fd, l->bytes, l->len);
    } while (result < 0 && errno == EINTR);
    lock_give(&s->lock);
    if (result > 0) {
        atomic_fetch_add_explicit(&s->written_total, 1, memory_order_relaxed);
    }
}

static struct site *site_of(struct trace_sink *s, const char *component, const char *key)
    REQUIRES(&s->lock)
{
    const char *const both[] = {component, key};
    size_t home = (size_t)(str_hash(str_make((const char *)both, sizeof(both)), 0) % SITE_SLOTS);

    for (size_t i = 0; i < SITE_PROBES; i++) {
        struct site *site = &s->sites[(home + i) % SITE_SLOTS];
        if (site->key == NULL) {
            site->key = key;
            site->component = component;
            site->window_start_ns = clock_mono_ns(s->clock);
        }
        if (site->key == key && site->component == component) {
            return site;
        }
    }
    return &s->sites[home];
}

/* May this site write now? *ret_suppressed: how many lines of an earlier window have yet to be told of. */
static bool admit(struct trace_sink *s, const char *component, const char *key,
                  uint32_t *ret_suppressed)
{
    lock_take(&s->lock);
    struct site *site = site_of(s, component, key);
    int64_t now_ns = clock_mono_ns(s->clock);
    *ret_suppressed = 0;
    if (now_ns - site->window_start_ns >= TRACE_WINDOW_S * NS_PER_S) {
        *ret_suppressed = site->suppressed;
        site->window_start_ns = now_ns;
        site->lines = 0;
        site->suppressed = 0;
    }
    bool admitted = site->lines < TRACE_BURST;
    site->lines += admitted;
    site->suppressed += !admitted;
    lock_give(&s->lock);
    if (!admitted) {
        atomic_fetch_add_explicit(&s->suppressed_total, 1, memory_order_relaxed);
    }
    return admitted;
}

static void tell_suppressed(struct trace *t, enum trace_level level, const char *message,
                            uint32_t count)
{
    struct line l;
    struct trace_field lines = T_U64("lines", count);

    line_begin(&l, t, level, "lines like this one were suppressed");
    put_named(&l, "of", str_of(message));
    put_field(&l, &lines);
    line_end(&l, t->sink);
}

void trace_write(struct trace *t, enum trace_level level, const char *site, const char *message,
                 ...)
{
    struct line l;
    uint32_t suppressed = 0;
    va_list args;

    if (site != NULL && !admit(t->sink, t->component, site, &suppressed)) {
        return;
    }
    if (suppressed > 0) {
        tell_suppressed(t, level, message, suppressed);
    }
    line_begin(&l, t, level, message);
    va_start(args, message);
    for (int i = 0; i < TRACE_FIELDS_MAX; i++) {
        struct trace_field field = va_arg(args, struct trace_field);
        if (field.key == NULL) {
            break;
        }
        put_field(&l, &field);
    }
    va_end(args);
    line_end(&l, t->sink);
}
