#include "events/stream_config.h"

#include "base/buf.h"
#include "base/timetext.h"
#include "base/yaml_make.h"
#include "events/sources/sources.h"
#include "events/stream_sink.h"

/* ---- where it goes ---- */

/* A section of a stream under either of its names. */
static const struct yaml_node *section_of(const struct yaml_node *options, const char *name,
                                          const char *alias)
{
    const struct yaml_node *node = yaml_get(options, str_of(name));

    return node != NULL ? node : yaml_get(options, str_of(alias));
}

static bool check_one_target(const struct stream_config *s, const struct yaml_node *options,
                             struct err *e)
{
    const struct stream_options *o = &s->options;
    const struct yaml_node *to = yaml_get(options, STR("to"));

    if (o->sink == NULL && o->to.len == 0) {
        return yaml_key_err(s->node, e, ERR_CONFIG,
                            "stream '%.*s' does not say where its events go: add 'sink' (such as "
                            "'sink: { endpoint: https://events.example.com }') or 'to' (an "
                            "exporter's name)",
                            STR_FMT(s->name));
    }
    if (o->sink != NULL && o->to.len > 0) {
        return yaml_key_err(to != NULL ? to : s->node, e, ERR_CONFIG,
                            "stream '%.*s' has both 'sink' and 'to', and its events go to one of "
                            "them: remove one; for two destinations write two streams, or 'to' an "
                            "exporter of type multi with `buffer: true`",
                            STR_FMT(s->name));
    }
    return true;
}

static bool find_exporter(struct streams_config *c, struct stream_config *s,
                          const struct yaml_node *options, const struct option_source *source,
                          struct arena *a, struct yaml_made *exporters, struct err *e)
{
    const struct stream_options *o = &s->options;
    const struct yaml_node *failure = section_of(options, "failureHandling", "failure_handling");

    if (!check_one_target(s, options, e)) {
        return false;
    }
    if (o->to.len > 0 && (failure != NULL || o->oidc != NULL)) {
        return yaml_key_err(o->oidc != NULL ? o->oidc : failure, e, ERR_CONFIG,
                            "this belongs to a 'sink'; exporter '%.*s' has its own options "
                            "'retry', 'dead_letters' and 'oauth2'",
                            STR_FMT(o->to));
    }
    s->policy = o->failure.policy;
    s->exporter = o->to.len > 0 ? o->to : arena_printf(a, "events-%.*s", STR_FMT(s->name));
    if (o->to.len > 0) {
        return true;
    }
    const struct yaml_node *made = stream_sink_exporter(s, options, source, a, e);
    if (made == NULL) {
        return false;
    }
    s->policy = stream_sink_policy(made);
    struct yaml_node *added = yaml_make_add(exporters, s->exporter, made);
    added->key_pos = o->sink->key_pos;
    added->key_offset = o->sink->key_offset;
    c->exporters = exporters->node;
    return true;
}

/* ---- sources ---- */

/* "embedded, postgresql, ..." */
static void add_kinds(struct buf *out)
{
    for (size_t i = 0; source_kinds[i] != NULL; i++) {
        buf_addf(out, "%s%s",
                 i == 0                        ? ""
                 : source_kinds[i + 1] == NULL ? " or "
                                               : ", ",
                 source_kinds[i]->name);
    }
}

static bool err_kind(const struct yaml_node *type, struct err *e)
{
    const char *names[32] = {NULL};
    AUTO(buf_release) struct buf known = BUF_INIT(BUF_SMALL);
    size_t count = 0;

    for (; count < ARRAY_LEN(names) && source_kinds[count] != NULL; count++) {
        names[count] = source_kinds[count]->name;
    }
    add_kinds(&known);
    const char *near = str_nearest(type->text, names, count);
    return yaml_err(type, e, ERR_CONFIG, "there is no source '%.*s'%s%s%s %s",
                    STR_FMT(str_slice(type->text, 0, 60)),
                    near != NULL ? ": did you mean '" : "; expected", near != NULL ? near : "",
                    near != NULL ? "'? Expected" : "", buf_text(&known));
}

static bool find_kind(struct stream_config *s, struct err *e)
{
    const struct yaml_node *type = yaml_get(s->options.source, STR("type"));
    AUTO(buf_release) struct buf known = BUF_INIT(BUF_SMALL);

    add_kinds(&known);
    if (s->options.source == NULL) {
        s->kind = source_kind_find(STR("embedded"));
        return s->kind != NULL ||
               yaml_key_err(s->node, e, ERR_CONFIG, "this stream has no 'source'");
    }
    if (type == NULL) {
        return yaml_key_err(s->options.source, e, ERR_CONFIG,
                            "this source has no 'type', such as 'type: postgresql'; expected %s",
                            buf_text(&known));
    }
    s->kind = source_kind_find(type->text);
    return s->kind != NULL || err_kind(type, e);
}

/* TELEX_EVENTS_NAME_ */
const char *stream_env_prefix(struct arena *a, const char *before, struct str name,
                              const char *behind)
{
    char *text = arena_text(a, arena_printf(a, "%s%.*s_%s", before, STR_FMT(name), behind));

    for (char *c = text; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c - 'a' + 'A');
        } else if (!((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9'))) {
            *c = '_';
        }
    }
    return text;
}

static bool read_source(struct stream_config *s, const struct option_source *source,
                        struct arena *a, struct err *e)
{
    struct option_source own = *source;

    if (!stream_check_mapping(s->options.source, "source", "{ type: postgresql, ... }", e) ||
        !find_kind(s, e)) {
        return false;
    }
    own.prefix = stream_env_prefix(a, "TELEX_EVENTS_", s->name, "SOURCE_");
    void *config = arena_alloc0(a, 1, s->kind->options->config_size);
    if (!options_parse(s->kind->options, s->options.source, &own, a, config, e)) {
        return false;
    }
    s->source = config;
    return s->kind->check == NULL || s->kind->check(config, s->options.source, e);
}

/* ---- streams ---- */

static bool check_name(const struct stream_config *s, struct err *e)
{
    bool ok = s->name.len > 0 && s->name.len <= 64;

    for (size_t i = 0; ok && i < s->name.len; i++) {
        char c = s->name.ptr[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    }
    return ok || yaml_key_err(s->node, e, ERR_CONFIG,
                              "a stream's name has 1 to 64 letters, digits, '-' and '_'");
}

static bool read_match(struct stream_config *s, const struct yaml_node *options, struct err *e)
{
    const struct yaml_node *node = yaml_get(options, STR("match"));

    if (s->options.match.len == 0 || condition_compile(s->options.match, &s->match, e)) {
        return true;
    }
    node = node != NULL ? node : yaml_get(options, STR("filter"));
    if (node != NULL) {
        yaml_err_inside(node, e);
    }
    return false;
}

/* Longer than the cap the first wait would never be. */
static bool check_backoff(const struct stream_config *s, const struct yaml_node *options,
                          struct err *e)
{
    const struct stream_failure *f = &s->options.failure;
    const struct yaml_node *section = section_of(options, "failureHandling", "failure_handling");
    const struct yaml_node *initial = section_of(section, "initialBackoff", "initial_backoff");
    const struct yaml_node *max = section_of(section, "maxBackoff", "max_backoff");
    const struct yaml_node *at = initial != NULL ? initial : max;
    AUTO(buf_release) struct buf longer = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf cap = BUF_INIT(BUF_SMALL);

    if (f->initial_backoff_ns <= f->max_backoff_ns) {
        return true;
    }
    buf_add_duration(&longer, f->initial_backoff_ns);
    buf_add_duration(&cap, f->max_backoff_ns);
    at = at != NULL ? at : s->node;
    return yaml_err(at, e, ERR_CONFIG,
                    "initialBackoff (%s) is longer than maxBackoff (%s%s), which no wait exceeds: "
                    "lower the one or raise the other",
                    buf_text(&longer), buf_text(&cap), max != NULL ? "" : " unless it is said");
}

/* An event needs a source, and so either what is written or the cluster's name. */
static bool has_cluster(const struct stream_config *s)
{
    const struct option_map *map = &s->options.metadata;
    bool has = s->options.event.source.len > 0;

    for (size_t i = 0; i < map->count; i++) {
        has = has || (str_eq(map->items[i].name, STR("cluster")) && map->items[i].value.len > 0);
    }
    return has;
}

/* A stream that is off need not be whole, as Helm's values have it: it has no exporter then. */
static bool is_empty(const struct stream_config *s)
{
    const struct stream_options *o = &s->options;
    const struct yaml_node *endpoint = yaml_get(o->sink, STR("endpoint"));
    bool has_sink = o->sink != NULL && (endpoint == NULL || endpoint->text.len > 0);

    return !o->enabled && ((!has_sink && o->to.len == 0) || !has_cluster(s));
}

static bool check_cluster(const struct stream_config *s, struct err *e)
{
    return has_cluster(s) ||
           yaml_key_err(s->node, e, ERR_CONFIG,
                        "stream '%.*s' needs 'metadata: { cluster: NAME }', which is part of each "
                        "event's source, or 'event: { source: URI }'",
                        STR_FMT(s->name));
}

static uint64_t hash_node(const struct yaml_node *node, uint64_t seed)
{
    seed = str_hash(node->key, str_hash(node->text, seed + (uint64_t)node->kind));
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        seed = hash_node(n, seed);
    }
    return seed;
}

static bool read_stream(struct streams_config *c, const struct yaml_node *node,
                        const struct yaml_node *options, const struct option_source *source,
                        struct arena *a, struct yaml_made *exporters, struct err *e)
{
    if (c->count == STREAMS_MAX) {
        return yaml_key_err(node, e, ERR_LIMIT, "this is one stream too many: there can be %d",
                            STREAMS_MAX);
    }
    struct stream_config *s = &c->items[c->count];
    struct option_source own = *source;
    *s = (struct stream_config){
        .name = node->key, .node = node, .section = options, .hash = hash_node(options, 0)};
    own.prefix = stream_env_prefix(a, "TELEX_EVENTS_", s->name, "");
    if (!check_name(s, e) ||
        !options_parse(&stream_option_table, options, &own, a, &s->options, e)) {
        return false;
    }
    c->count++; /* from here on there may be things to release */
    return read_match(s, options, e) && read_source(s, source, a, e) &&
           transform_check(&s->options.event, yaml_get(options, STR("event")), e) &&
           check_backoff(s, options, e) &&
           (is_empty(s) ||
            (check_cluster(s, e) && find_exporter(c, s, options, source, a, exporters, e)));
}

static bool read_events(struct streams_config *c, const struct yaml_node *events,
                        const struct option_source *source, struct arena *a,
                        struct yaml_made *exporters, struct err *e)
{
    if (events == NULL || yaml_is_null(events)) {
        return true;
    }
    if (events->kind != YAML_MAPPING) {
        return yaml_err(
            events, e, ERR_CONFIG,
            "expected streams by name, such as 'health: { source: {...}, sink: {...} }'");
    }
    if (yaml_get(events, STR("source")) != NULL && yaml_get(events, STR("sink")) != NULL) {
        return yaml_key_err(events, e, ERR_CONFIG,
                            "'events' has streams by name: put 'source', 'sink' and the rest below "
                            "one, such as 'events: { health: { source: {...}, sink: {...} } }'");
    }
    for (const struct yaml_node *n = events->first; n != NULL; n = n->next) {
        if (n->kind != YAML_MAPPING) {
            return yaml_err(n, e, ERR_CONFIG,
                            "expected the options of stream '%.*s', such as '{ source: {...}, "
                            "sink: {...} }'",
                            STR_FMT(n->key));
        }
        if (!read_stream(c, n, n, source, a, exporters, e)) {
            return false;
        }
    }
    return true;
}

/* Helm's values: what is below `exporter` stands beside `enabled` and `oidcSecretName`. */
static bool read_helm(struct streams_config *c, const struct yaml_node *helm,
                      const struct option_source *source, struct arena *a,
                      struct yaml_made *exporters, struct err *e)
{
    if (helm == NULL || yaml_is_null(helm)) {
        return true;
    }
    if (helm->kind != YAML_MAPPING) {
        return yaml_err(helm, e, ERR_CONFIG, "expected Helm's values, such as 'enabled: true'");
    }
    struct yaml_made made = yaml_make(a, helm, YAML_MAPPING);
    for (const struct yaml_node *n = helm->first; n != NULL; n = n->next) {
        bool is_inner = str_eq(n->key, STR("exporter")) && n->kind == YAML_MAPPING;
        for (const struct yaml_node *in = is_inner ? n->first : NULL; in != NULL; in = in->next) {
            (void)yaml_make_add(&made, in->key, in);
        }
        if (!is_inner) {
            (void)yaml_make_add(&made, n->key, n);
        }
    }
    return read_stream(c, helm, made.node, source, a, exporters, e);
}

bool streams_config_parse(const struct yaml_node *events, const struct yaml_node *helm,
                          const struct option_source *source, struct arena *a,
                          struct streams_config *ret, struct err *e)
{
    const struct yaml_node *at = events != NULL ? events : helm;

    *ret = (struct streams_config){0};
    if (at == NULL) {
        return true;
    }
    struct yaml_made exporters = yaml_make(a, at, YAML_MAPPING);
    return read_events(ret, events, source, a, &exporters, e) &&
           read_helm(ret, helm, source, a, &exporters, e);
}

void streams_config_release(struct streams_config *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct stream_config *s = &c->items[i];
        condition_free(s->match);
        if (s->source != NULL) {
            options_release(s->kind->options, s->source);
        }
        options_release(&stream_option_table, &s->options);
    }
    *c = (struct streams_config){0};
}

const struct stream_config *streams_config_find(const struct streams_config *c, struct str name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (str_eq(c->items[i].name, name)) {
            return &c->items[i];
        }
    }
    return NULL;
}
