/*
 * trace.h - the program's own log: one line per event, logfmt or JSON, with typed fields.
 *
 *     trace_warn(t, "queue full", T_STR("exporter", name), T_U64("dropped", n));
 *
 * A struct trace is a component's handle ("rules", "export/vm"); handles share one sink, which has a level
 * for each component that may change at any time, and which writes whole lines to a file descriptor. Each call site of a component is rate limited (TRACE_BURST
 * lines per TRACE_WINDOW_S; the next line after the window is preceded by one that says how many were
 * suppressed). Field keys are
 * literals; there is no field type for a secret, and values of keys named like one (password,
 * token, secret, authorization, api_key) are replaced by "[redacted]". URLs lose userinfo.
 *
 * Ownership: sink by its creator; handles by whoever made them; fields are borrowed for the call.
 * Threads: any; a line is written under the sink's lock, which is the one exception to "no lock over
 * I/O". Limits: TRACE_LINE_MAX bytes per line (values are cut), TRACE_FIELDS_MAX fields.
 */
#ifndef TELEX_BASE_TRACE_H
#define TELEX_BASE_TRACE_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum trace_level { TRACE_DEBUG, TRACE_INFO, TRACE_WARN, TRACE_ERROR, TRACE_OFF };
enum trace_format { TRACE_LOGFMT, TRACE_JSON };
enum {
    TRACE_LINE_MAX = 8192,
    TRACE_FIELDS_MAX = 16,
    TRACE_BURST = 10,
    TRACE_WINDOW_S = 10,
    TRACE_COMPONENTS_MAX = 192
};

struct trace_sink;

/* A sink on <fd> (not closed). */
struct trace_sink *trace_sink_new(int fd, enum trace_format format, const struct clock *clock);
void trace_sink_free(struct trace_sink *s);

struct trace_named_level {
    struct str component; /* "": all that are not named */
    enum trace_level level;
};

/*
 * Has <component> (empty: all that are not named) and its parts write from <level> on, whatever the
 * makers of its handles say; those that are there too, at once. At most TRACE_COMPONENTS_MAX are told apart.
 */
void trace_sink_set_level(struct trace_sink *s, struct str component, enum trace_level level);

/* The same for many, in place of all that was said before. */
void trace_sink_set_levels(struct trace_sink *s, const struct trace_named_level *named,
                           size_t count);

struct trace_level_visitor {
    void (*visit)(void *arg, struct str component, enum trace_level level);
    void *arg;
};

/* All components that have handles or were named, with what they write from on. <visit> may not ask the
 * sink for anything. */
void trace_sink_levels(struct trace_sink *s, const struct trace_level_visitor *visitor);

/* How lines look from now on. */
void trace_sink_set_format(struct trace_sink *s, enum trace_format format);

/* Lines written and lines suppressed by rate limit, for our own metrics. */
void trace_sink_counts(const struct trace_sink *s, uint64_t *ret_written, uint64_t *ret_suppressed);

struct trace {
    struct trace_sink *sink; /* NULL: silent */
    const char *component;
    const _Atomic int *told; /* what the sink says of the component; negative: nothing */
    _Atomic int level;       /* where it says nothing */
};

/* A handle of <component>, with <level> unless the sink says otherwise. */
void trace_init(struct trace *t, struct trace_sink *sink, const char *component,
                enum trace_level level);

/* The same for the part <part> of <component>: "export/vm". */
void trace_init_part(struct trace *t, struct trace_sink *sink, const char *component,
                     struct str part, enum trace_level level);

/* Does it write lines of that level? */
static inline bool trace_is_on(const struct trace *t, enum trace_level level)
{
    if (t->sink == NULL) {
        return false;
    }
    int told = atomic_load_explicit(t->told, memory_order_relaxed);
    int from = told >= 0 ? told : atomic_load_explicit(&t->level, memory_order_relaxed);
    return (int)level >= from;
}

const char *trace_level_name(enum trace_level level);

/* Is a value of that name never shown: password, token, api_key and the like? */
bool trace_key_is_secret(struct str key);

/* "debug", "info", "warn", "error", "off" -> level; false when it is none of them. */
bool trace_level_parse(struct str name, enum trace_level *ret_level);

enum trace_field_kind {
    TRACE_FIELD_STR,
    TRACE_FIELD_I64,
    TRACE_FIELD_U64,
    TRACE_FIELD_F64,
    TRACE_FIELD_ERR
};

struct trace_field {
    const char *key;
    enum trace_field_kind kind;
    union {
        struct str str;
        int64_t i64;
        uint64_t u64;
        double f64;
        const struct err *err;
    } value;
};

#define T_STR(k, v) ((struct trace_field){(k), TRACE_FIELD_STR, {.str = (v)}})
#define T_TEXT(k, v) ((struct trace_field){(k), TRACE_FIELD_STR, {.str = str_of(v)}})
#define T_I64(k, v) ((struct trace_field){(k), TRACE_FIELD_I64, {.i64 = (v)}})
#define T_U64(k, v) ((struct trace_field){(k), TRACE_FIELD_U64, {.u64 = (v)}})
#define T_F64(k, v) ((struct trace_field){(k), TRACE_FIELD_F64, {.f64 = (v)}})
#define T_ERR(e) ((struct trace_field){"error", TRACE_FIELD_ERR, {.err = (e)}})

#define T_END ((struct trace_field){0})

/*
 * What the macros below call when the level is on: <site> is a literal unique to the call, for the rate
 * limit, or NULL for none; the fields end with T_END.
 */
void trace_write(struct trace *t, enum trace_level level, const char *site, const char *message,
                 ...);

#define TRACE_LINE_TEXT(line) #line
#define TRACE_SITE(file, line) file ":" TRACE_LINE_TEXT(line)

/* trace_at(t, level, message, fields...): fields are only evaluated when the level is on. */
#define trace_at(t, level_, ...)                                                          \
    (trace_is_on((t), (level_))                                                           \
         ? trace_write((t), (level_), TRACE_SITE(__FILE__, __LINE__), __VA_ARGS__, T_END) \
         : (void)0)

#define trace_debug(t, ...) trace_at((t), TRACE_DEBUG, __VA_ARGS__)
#define trace_info(t, ...) trace_at((t), TRACE_INFO, __VA_ARGS__)
#define trace_warn(t, ...) trace_at((t), TRACE_WARN, __VA_ARGS__)
#define trace_error(t, ...) trace_at((t), TRACE_ERROR, __VA_ARGS__)

/* For lines that somebody asked for by name (debug: true of a rule): at any level, and all of them. */
#define trace_asked(t, ...) \
    ((t)->sink != NULL ? trace_write((t), TRACE_INFO, NULL, __VA_ARGS__, T_END) : (void)0)

#endif
