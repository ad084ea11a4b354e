/*
 * Invariants
 *   1. The sink has the config's levels, and those of <changes> over them, whenever the lock is free.
 *   2. <until_ns> is 0 when nothing ends by itself.
 */
#include "app/trace_control.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/timetext.h"

#include <string.h>

enum { NAME_MAX_BYTES = 96, BODY_ARENA_MAX = 1 << 20, FOR_DAYS_MAX = 30 };

struct level_change {
    char component[NAME_MAX_BYTES]; /* "": all that are not named */
    enum trace_level level;
};

struct level_changes {
    struct level_change items[TRACE_CHANGES_MAX];
    size_t count;
    int64_t for_ns; /* 0: until taken back */
};

struct trace_control {
    const struct env *env;
    struct trace trace;
    struct lock lock;
    struct level_changes below GUARDED_BY(lock);
    struct level_changes changes GUARDED_BY(lock);
    int64_t until_ns GUARDED_BY(lock); /* monotonic */
};

struct trace_control *trace_control_new(const struct env *env)
{
    struct trace_control *t = mem_new(struct trace_control);

    t->env = env;
    trace_init(&t->trace, env->trace, "app", TRACE_INFO);
    lock_init(&t->lock);
    return t;
}

void trace_control_free(struct trace_control *t)
{
    if (t != NULL) {
        lock_release(&t->lock);
        mem_free(t);
    }
}

static bool add(struct level_changes *c, struct str component, enum trace_level level)
{
    if (c->count == TRACE_CHANGES_MAX || component.len >= NAME_MAX_BYTES) {
        return false;
    }
    struct level_change *change = &c->items[c->count++];
    memcpy(change->component, component.len > 0 ? component.ptr : "", component.len);
    change->component[component.len] = '\0';
    change->level = level;
    return true;
}

static void apply(struct trace_control *t) REQUIRES(&t->lock)
{
    const struct level_changes *layers[] = {&t->below, &t->changes};
    struct trace_named_level named[2 * TRACE_CHANGES_MAX];
    size_t count = 0;

    for (size_t l = 0; l < ARRAY_LEN(layers); l++) {
        for (size_t i = 0; i < layers[l]->count; i++) {
            const struct level_change *c = &layers[l]->items[i];
            named[count++] = (struct trace_named_level){str_of(c->component), c->level};
        }
    }
    if (t->env->trace != NULL) {
        trace_sink_set_levels(t->env->trace, named, count);
    }
}

void trace_control_use(struct trace_control *t, const struct config *config)
{
    const struct log_config *log = &config->settings.log;
    struct level_changes below = {.count = 0};

    (void)add(&below, STR_NONE, (enum trace_level)log->level);
    for (size_t i = 0; i < log->levels.count; i++) {
        enum trace_level level = TRACE_INFO;
        if (trace_level_parse(log->levels.items[i].value, &level)) {
            (void)add(&below, log->levels.items[i].name, level);
        }
    }
    lock_take(&t->lock);
    t->below = below;
    apply(t);
    lock_give(&t->lock);
    if (t->env->trace != NULL) {
        trace_sink_set_format(t->env->trace, (enum trace_format)log->format);
    }
}

/* ---- what somebody asks for ---- */

struct known {
    struct str name;
    bool found;
};

static void compare(void *arg, struct str component, enum trace_level level)
{
    struct known *k = arg;
    bool is_part = component.len > k->name.len && component.ptr[k->name.len] == '/' &&
                   str_starts(component, k->name);

    (void)level;
    k->found = k->found || is_part || str_eq(component, k->name);
}

/* A misspelt name would change nothing, and nobody would know. */
static bool is_known(struct trace_control *t, struct str name)
{
    struct known k = {.name = name};

    if (t->env->trace != NULL && name.len > 0) {
        trace_sink_levels(t->env->trace, &(struct trace_level_visitor){compare, &k});
    }
    return k.found;
}

static bool read_level(const struct json_node *node, struct str body, enum trace_level *ret_level,
                       struct err *e)
{
    return (node->kind == JSON_STRING && trace_level_parse(node->text, ret_level)) ||
           json_err_at(body, node->offset, e, ERR_CONFIG,
                       "expected a level: debug, info, warn, error or off");
}

static bool add_read(struct level_changes *ret, const struct json_node *node, struct str component,
                     struct str body, struct err *e)
{
    enum trace_level level = TRACE_INFO;

    return read_level(node, body, &level, e) &&
           (add(ret, component, level) ||
            json_err_at(body, node->offset, e, ERR_LIMIT, "%d levels can be changed",
                        TRACE_CHANGES_MAX));
}

static bool read_all(struct trace_control *t, const struct json_node *node, struct str body,
                     struct level_changes *ret, struct err *e)
{
    (void)t;
    return add_read(ret, node, STR_NONE, body, e);
}

static bool read_named(struct trace_control *t, const struct json_node *node, struct str body,
                       struct level_changes *ret, struct err *e)
{
    if (node->kind != JSON_OBJECT) {
        return json_err_at(body, node->offset, e, ERR_CONFIG,
                           "expected levels by component, such as {\"export/vm\": \"debug\"}");
    }
    for (const struct json_node *n = node->first; n != NULL; n = n->next) {
        if (!is_known(t, n->key)) {
            return json_err_at(body, n->offset, e, ERR_CONFIG,
                               "there is no component '%.*s'; GET /api/v1/trace lists them",
                               STR_FMT(str_slice(n->key, 0, 100)));
        }
        if (!add_read(ret, n, n->key, body, e)) {
            return false;
        }
    }
    return true;
}

static bool read_for(struct trace_control *t, const struct json_node *node, struct str body,
                     struct level_changes *ret, struct err *e)
{
    struct err ignored = ERR_INIT;
    int64_t ns = 0;
    bool is_text = node->kind == JSON_STRING;

    (void)t;
    if (!is_text || !duration_parse(node->text, true, &ns, &ignored) || ns <= 0 ||
        ns > FOR_DAYS_MAX * INT64_C(86400) * NS_PER_S) {
        return json_err_at(body, node->offset, e, ERR_CONFIG,
                           "expected a time up to 30d, such as \"10m\"");
    }
    ret->for_ns = ns;
    return true;
}

static const struct {
    const char *key;
    bool (*read)(struct trace_control *, const struct json_node *, struct str,
                 struct level_changes *, struct err *);
} members[] = {{"level", read_all}, {"levels", read_named}, {"for", read_for}};

static bool read_member(struct trace_control *t, const struct json_node *node, struct str body,
                        struct level_changes *ret, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (str_eq(node->key, str_of(members[i].key))) {
            return members[i].read(t, node, body, ret, e);
        }
    }
    return json_err_at(body, node->offset, e, ERR_CONFIG,
                       "unknown member '%.*s'; expected level, levels or for",
                       STR_FMT(str_slice(node->key, 0, 60)));
}

static bool read_body(struct trace_control *t, struct str body, struct level_changes *ret,
                      struct err *e)
{
    AUTO(arena_release) struct arena arena;
    struct json_node *root = NULL;

    arena_init(&arena, BODY_ARENA_MAX);
    if (!json_parse(body, &arena, &root, e)) {
        return false;
    }
    if (root->kind != JSON_OBJECT) {
        return json_err_at(body, root->offset, e, ERR_CONFIG,
                           "expected an object, such as {\"level\": \"debug\", \"for\": \"10m\"}");
    }
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        if (!read_member(t, n, body, ret, e)) {
            return false;
        }
    }
    return true;
}

static void change(struct trace_control *t, const struct level_changes *changes, const char *why)
{
    lock_take(&t->lock);
    t->changes = *changes;
    t->until_ns = changes->for_ns > 0 ? clock_mono_ns(t->env->clock) + changes->for_ns : 0;
    apply(t);
    lock_give(&t->lock);
    trace_asked(&t->trace, why, T_U64("changed", changes->count),
                T_I64("for_s", changes->for_ns / NS_PER_S));
}

bool trace_control_change(struct trace_control *t, struct str body, struct err *e)
{
    struct level_changes changes = {.count = 0};

    if (!read_body(t, body, &changes, e)) {
        return false;
    }
    change(t, &changes, "levels of the log changed");
    return true;
}

void trace_control_restore(struct trace_control *t)
{
    const struct level_changes none = {.count = 0};

    change(t, &none, "levels of the log are the config's again");
}

void trace_control_tick(struct trace_control *t)
{
    lock_take(&t->lock);
    bool is_over = t->until_ns != 0 && clock_mono_ns(t->env->clock) >= t->until_ns;
    lock_give(&t->lock);
    if (is_over) {
        trace_control_restore(t);
    }
}

/* ---- showing ---- */

struct printer {
    struct json_writer *w;
    bool named; /* those with a name, or the one without */
};

static void print_level(void *arg, struct str component, enum trace_level level)
{
    const struct printer *p = arg;

    if ((component.len > 0) == p->named) {
        json_key(p->w, p->named ? component : STR("level"));
        json_add_text(p->w, trace_level_name(level));
    }
}

static void print_changes(struct trace_control *t, struct json_writer *w) REQUIRES(&t->lock)
{
    struct printer all = {w, false};
    struct printer named = {w, true};
    const struct level_change *end = t->changes.items + t->changes.count;

    json_key(w, STR("changed"));
    json_begin_object(w);
    for (const struct level_change *c = t->changes.items; c < end; c++) {
        print_level(&all, str_of(c->component), c->level);
    }
    json_key(w, STR("levels"));
    json_begin_object(w);
    for (const struct level_change *c = t->changes.items; c < end; c++) {
        print_level(&named, str_of(c->component), c->level);
    }
    json_end_object(w);
    json_end_object(w);
    json_key(w, STR("until"));
    if (t->until_ns != 0) {
        json_add_time(w, clock_wall_ns(t->env->clock) + t->until_ns - clock_mono_ns(t->env->clock));
    } else {
        json_add_null(w);
    }
}

void trace_control_print(struct trace_control *t, struct json_writer *w)
{
    struct printer all = {w, false};
    struct printer named = {w, true};

    json_begin_object(w);
    if (t->env->trace != NULL) {
        trace_sink_levels(t->env->trace, &(struct trace_level_visitor){print_level, &all});
        json_key(w, STR("levels"));
        json_begin_object(w);
        trace_sink_levels(t->env->trace, &(struct trace_level_visitor){print_level, &named});
        json_end_object(w);
    }
    lock_take(&t->lock);
    print_changes(t, w);
    lock_give(&t->lock);
    json_end_object(w);
}
