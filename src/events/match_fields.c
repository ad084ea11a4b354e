#include "events/match_fields.h"

#include "events/health_event.h"

enum { SHORT_NAME = 5 };

static const char *const attributes[] = {
    "kind",        "specversion",     "id",         "source",   "type",         "subject",
    "time",        "datacontenttype", "dataschema", "sequence", "partitionkey", "recordedtime",
    "traceparent",
};

struct look {
    const struct stream_config *stream;
    const struct yaml_node *node; /* of the condition; NULL: it came from elsewhere */
    const char *names[MATCH_NAMES_MAX];
    size_t count;
    struct arena arena;
    void (*tell)(void *arg, const struct err *e);
    void *arg;
};

static void add_name(struct look *l, const char *name)
{
    if (l->count < MATCH_NAMES_MAX) {
        l->names[l->count++] = name;
    }
}

static void add_map(struct look *l, const struct option_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        add_name(l, arena_text(&l->arena, map->items[i].name));
    }
}

static void find_names(struct look *l)
{
    const char *health[HEALTH_NAMES_MAX];
    const struct stream_options *o = &l->stream->options;
    size_t count = o->event.shape != SHAPE_PLAIN ? health_event_names(health) : 0;

    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        add_name(l, attributes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        add_name(l, health[i]);
    }
    add_map(l, &o->metadata);
    add_map(l, &o->event.more);
}

static bool is_known(const struct look *l, struct str name)
{
    for (size_t i = 0; i < l->count; i++) {
        if (str_eq(name, str_of(l->names[i]))) {
            return true;
        }
    }
    return false;
}

/* "node_name" is as near to "nodeName" as "nodename" is. */
static const char *nearest(struct look *l, struct str name)
{
    char *plain = arena_text(&l->arena, name);
    size_t len = 0;

    for (size_t i = 0; i < name.len; i++) {
        plain[len] = name.ptr[i];
        len += name.ptr[i] != '_';
    }
    return str_nearest_within(str_make(plain, len), l->names, l->count, len <= SHORT_NAME ? 1 : 2);
}

static void look_at(void *arg, enum field_scope scope, struct str name, size_t at)
{
    struct look *l = arg;
    struct err e = ERR_INIT;
    const char *near = is_known(l, name) ? NULL : nearest(l, name);

    (void)scope;
    if (near == NULL) {
        return;
    }
    (void)err_set(
        &e, ERR_CONFIG,
        "no attribute, no metadata and nothing of a health event is called '%.*s': did you mean "
        "'%s'? A field that a record lacks is empty: this may leave out all of them",
        STR_FMT(str_slice(name, 0, 60)), near);
    err_point(&e, l->stream->options.match, at, name.len, (struct pos){1, 1});
    if (l->node != NULL) {
        yaml_err_inside(l->node, &e);
    }
    l->tell(l->arg, &e);
}

/* What a health event says by numbers and flags: who compares it with a name finds nothing. */
static void check_values(struct look *l)
{
    static const struct {
        const char *name;
        const char *const *values;
    } known[] = {{"recommendedAction", health_event_actions},
                 {"isFatal", health_event_flags},
                 {"isHealthy", health_event_flags}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct err e = ERR_INIT;
        if (!condition_check_field(l->stream->match, str_of(known[i].name), known[i].values, &e)) {
            if (l->node != NULL) {
                yaml_err_inside(l->node, &e);
            }
            l->tell(l->arg, &e);
        }
    }
}

void match_fields_check(const struct stream_config *s, void (*tell)(void *arg, const struct err *e),
                        void *arg)
{
    struct look l = {.stream = s, .tell = tell, .arg = arg};

    if (s->match == NULL) {
        return;
    }
    l.node = yaml_get(s->section, STR("match"));
    l.node = l.node != NULL ? l.node : yaml_get(s->section, STR("filter"));
    arena_init(&l.arena, ARENA_UNLIMITED);
    find_names(&l);
    condition_each_field(s->match, look_at, &l);
    if (s->options.event.shape != SHAPE_PLAIN) {
        check_values(&l);
    }
    arena_release(&l.arena);
}
