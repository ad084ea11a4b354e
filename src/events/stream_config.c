#include "events/stream_config.h"

#include "base/yaml_make.h"
#include "events/sources/sources.h"
#include "export/exporter.h"
#include "export/exporter_options.h"

#include <string.h>

/* ---- what failure_handling is to an exporter ---- */

enum part { PART_RETRY, PART_DEAD_LETTERS };

/* The seed's spellings, ours, and what the exporter's option is called; and what counts without any. */
static const struct {
    const char *name;
    const char *alias;
    enum part part;
    const char *option;
    const char *fallback; /* NULL: the exporter's */
} failure_keys[] = {
    {"maxRetries", "max_retries", PART_RETRY, "max_retries", "17"},
    {"initialBackoff", "initial_backoff", PART_RETRY, "initial_delay", "1s"},
    {"maxBackoff", "max_backoff", PART_RETRY, "max_delay", "5m"},
    {"backoffMultiplier", "backoff_multiplier", PART_RETRY, "multiplier", "2"},
    {"jitter", "jitter", PART_RETRY, "jitter", NULL},
    {"maxAge", "max_age", PART_RETRY, "max_age", NULL},
    {"policy", "policy", PART_DEAD_LETTERS, "on_refused", NULL},
};

static const char *const policies[] = {"dead_letter", "halt", "drop", NULL};

static bool check_failure_keys(const struct yaml_node *node, struct err *e)
{
    const char *known[ARRAY_LEN(failure_keys)];

    for (size_t i = 0; i < ARRAY_LEN(failure_keys); i++) {
        known[i] = failure_keys[i].name;
    }
    if (node != NULL && node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG, "expected options, such as 'maxRetries: 17'");
    }
    for (size_t i = 0; i < ARRAY_LEN(failure_keys); i++) {
        const struct yaml_node *again = yaml_get(node, str_of(failure_keys[i].alias));
        if (again != NULL && strcmp(failure_keys[i].alias, failure_keys[i].name) != 0 &&
            yaml_get(node, str_of(failure_keys[i].name)) != NULL) {
            return yaml_key_err(again, e, ERR_CONFIG, "'%s' is said already, as '%s'",
                                failure_keys[i].alias, failure_keys[i].name);
        }
    }
    for (const struct yaml_node *n = node != NULL ? node->first : NULL; n != NULL; n = n->next) {
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(failure_keys); i++) {
            is_known = is_known || str_eq(n->key, str_of(failure_keys[i].name)) ||
                       str_eq(n->key, str_of(failure_keys[i].alias));
        }
        if (!is_known) {
            const char *near = str_nearest(n->key, known, ARRAY_LEN(known));
            return yaml_key_err(n, e, ERR_CONFIG, "there is no option '%.*s'%s%s%s",
                                STR_FMT(n->key), near != NULL ? "; did you mean '" : "",
                                near != NULL ? near : "", near != NULL ? "'?" : "");
        }
    }
    return true;
}

static const struct yaml_node *failure_value(const struct yaml_node *node, size_t key)
{
    const struct yaml_node *value = yaml_get(node, str_of(failure_keys[key].name));

    value = value != NULL ? value : yaml_get(node, str_of(failure_keys[key].alias));
    return value != NULL && !yaml_is_null(value) ? value : NULL;
}

static void add_part(struct yaml_made *exporter, enum part part, const char *name,
                     const struct yaml_node *failure, const struct yaml_node *at)
{
    struct yaml_made made =
        yaml_make(exporter->arena, failure != NULL ? failure : at, YAML_MAPPING);

    for (size_t i = 0; i < ARRAY_LEN(failure_keys); i++) {
        const struct yaml_node *value = failure_value(failure, i);
        if (failure_keys[i].part != part) {
            continue;
        }
        if (value != NULL) {
            (void)yaml_make_add(&made, str_of(failure_keys[i].option), value);
        } else if (failure_keys[i].fallback != NULL) {
            yaml_make_plain(&made, str_of(failure_keys[i].option), str_of(failure_keys[i].fallback),
                            made.node);
        }
    }
    (void)yaml_make_add(exporter, str_of(name), made.node);
}

static bool find_policy(struct stream_config *s, struct err *e)
{
    const struct yaml_node *value =
        failure_value(s->options.failure_handling, ARRAY_LEN(failure_keys) - 1);

    s->policy = REFUSED_KEEP;
    if (value == NULL) {
        return true;
    }
    for (int i = 0; policies[i] != NULL; i++) {
        if (str_eq(value->text, str_of(policies[i]))) {
            s->policy = i;
            return true;
        }
    }
    return yaml_err(value, e, ERR_CONFIG, "'%.*s' is no policy; expected dead_letter, halt or drop",
                    STR_FMT(value->text));
}

/* ---- the exporter of a sink ---- */

/* All options of <from>. */
static void add_options(struct yaml_made *to, const struct yaml_node *from)
{
    for (const struct yaml_node *n = from->first; n != NULL; n = n->next) {
        (void)yaml_make_add(to, n->key, n);
    }
}

/* Does an oidc section say itself what proves who we are? */
static bool has_proof(const struct yaml_node *oidc)
{
    static const char *const proofs[] = {"client_secret",        "client_secret_file",
                                         "client_secret_secret", "private_key",
                                         "private_key_file",     "private_key_secret"};

    for (size_t i = 0; i < ARRAY_LEN(proofs); i++) {
        if (yaml_get(oidc, str_of(proofs[i])) != NULL) {
            return true;
        }
    }
    return false;
}

static bool check_mapping(const struct yaml_node *node, const char *example, struct err *e)
{
    return node == NULL || node->kind == YAML_MAPPING ||
           yaml_err(node, e, ERR_CONFIG, "expected options, such as '%s'", example);
}

static void add_oidc(struct yaml_made *exporter, const struct stream_options *o,
                     const struct yaml_node *at)
{
    struct yaml_made made = yaml_make(exporter->arena, o->oidc, YAML_MAPPING);

    add_options(&made, o->oidc);
    if (o->oidc_secret_name.len > 0 && !has_proof(o->oidc)) {
        yaml_make_text(&made, STR("client_secret_secret"), o->oidc_secret_name, at);
    }
    (void)yaml_make_add(exporter, STR("oauth2"), made.node);
}

/* Would the exporter be one? The plan compiles it later; here a mistake can be left out, and the rest be read. */
static bool check_exporter(const struct yaml_node *node, const struct option_source *source,
                           struct arena *a, struct err *e)
{
    const struct yaml_node *type = yaml_get(node, STR("type"));
    const struct exporter_kind *kind = exporter_kind_find(type->text);
    struct option_source own = *source;

    own.prefix = NULL;
    if (kind == NULL || kind->combinator != COMBINATOR_NONE || kind->stage != NULL) {
        return yaml_err(
            type, e, ERR_CONFIG,
            "'%.*s' is no exporter that a sink can be; name an exporter with 'to' instead",
            STR_FMT(type->text));
    }
    void *config = arena_alloc0(a, 1, kind->options->config_size);
    if (!options_parse(kind->options, node, &own, a, config, e)) {
        return false;
    }
    bool ok = kind->check == NULL || kind->check(config, node, e);
    options_release(kind->options, config);
    return ok;
}

static bool make_exporter(struct streams_config *c, struct stream_config *s,
                          const struct yaml_node *options, const struct option_source *source,
                          struct arena *a, struct yaml_made *exporters, struct err *e)
{
    const struct stream_options *o = &s->options;

    if (!check_mapping(o->sink, "endpoint: https://events.example.com", e) ||
        !check_mapping(o->oidc, "tokenUrl: https://auth.example.com/oauth2/token", e) ||
        !check_failure_keys(o->failure_handling, e)) {
        return false;
    }
    struct yaml_made made = yaml_make(a, o->sink, YAML_MAPPING);
    if (yaml_get(o->sink, STR("type")) == NULL) {
        yaml_make_text(&made, STR("type"), STR("cloudevents"), o->sink);
        if (yaml_get(o->sink, STR("source")) == NULL) {
            yaml_make_text(&made, STR("source"), STR("telex"), o->sink);
        }
    }
    add_options(&made, o->sink);
    if (o->oidc != NULL) {
        const struct yaml_node *secret = yaml_get(options, STR("oidcSecretName"));
        secret = secret != NULL ? secret : yaml_get(options, STR("oidc_secret_name"));
        add_oidc(&made, o, secret != NULL ? secret : s->node);
    }
    add_part(&made, PART_RETRY, "retry", o->failure_handling, o->sink);
    add_part(&made, PART_DEAD_LETTERS, "dead_letters", o->failure_handling, o->sink);
    if (!check_exporter(made.node, source, a, e)) {
        return false;
    }
    struct yaml_node *added = yaml_make_add(exporters, s->exporter, made.node);
    added->key_pos = o->sink->key_pos;
    added->key_offset = o->sink->key_offset;
    c->exporters = exporters->node;
    return true;
}

static bool find_exporter(struct streams_config *c, struct stream_config *s,
                          const struct yaml_node *options, const struct option_source *source,
                          struct arena *a, struct yaml_made *exporters, struct err *e)
{
    const struct stream_options *o = &s->options;

    if ((o->sink == NULL) == (o->to.len == 0)) {
        return yaml_key_err(s->node, e, ERR_CONFIG,
                            "stream '%.*s' needs one of 'sink' (such as 'sink: { endpoint: "
                            "https://events.example.com }') and 'to' (an exporter's name)",
                            STR_FMT(s->name));
    }
    if (o->to.len > 0 && (o->failure_handling != NULL || o->oidc != NULL)) {
        return yaml_key_err(o->oidc != NULL ? o->oidc : o->failure_handling, e, ERR_CONFIG,
                            "this belongs to a 'sink'; exporter '%.*s' has its own options "
                            "'retry', 'dead_letters' and 'oauth2'",
                            STR_FMT(o->to));
    }
    s->exporter = o->to.len > 0 ? o->to : arena_printf(a, "events-%.*s", STR_FMT(s->name));
    return find_policy(s, e) &&
           (o->to.len > 0 || make_exporter(c, s, options, source, a, exporters, e));
}

/* ---- sources ---- */

static bool find_kind(struct stream_config *s, struct err *e)
{
    const struct yaml_node *type = yaml_get(s->options.source, STR("type"));
    const char *names[32] = {NULL};
    size_t count = 0;

    for (; count < ARRAY_LEN(names) && source_kinds[count] != NULL; count++) {
        names[count] = source_kinds[count]->name;
    }
    if (s->options.source == NULL) {
        s->kind = source_kind_find(STR("embedded"));
        return s->kind != NULL ||
               yaml_key_err(s->node, e, ERR_CONFIG, "this stream has no 'source'");
    }
    if (type == NULL) {
        return yaml_key_err(s->options.source, e, ERR_CONFIG,
                            "this source has no 'type'; expected one, such as 'type: postgresql'");
    }
    s->kind = source_kind_find(type->text);
    if (s->kind != NULL) {
        return true;
    }
    const char *near = str_nearest(type->text, names, count);
    return yaml_err(type, e, ERR_CONFIG, "there is no source '%.*s'%s%s%s", STR_FMT(type->text),
                    near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

/* TELEX_EVENTS_NAME_ */
static const char *env_prefix(struct arena *a, struct str name, const char *behind)
{
    char *text = arena_text(a, arena_printf(a, "TELEX_EVENTS_%.*s_%s", STR_FMT(name), behind));

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

    if (!check_mapping(s->options.source, "type: postgresql", e) || !find_kind(s, e)) {
        return false;
    }
    own.prefix = env_prefix(a, s->name, "SOURCE_");
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

/* An event needs a source, and so either what is written or the cluster's name. */
static bool check_cluster(const struct stream_config *s, struct err *e)
{
    const struct option_map *map = &s->options.metadata;
    bool has_cluster = s->options.event.source.len > 0;

    for (size_t i = 0; i < map->count; i++) {
        has_cluster = has_cluster ||
                      (str_eq(map->items[i].name, STR("cluster")) && map->items[i].value.len > 0);
    }
    return has_cluster ||
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
    *s = (struct stream_config){.name = node->key, .node = node, .hash = hash_node(options, 0)};
    own.prefix = env_prefix(a, s->name, "");
    if (!check_name(s, e) ||
        !options_parse(&stream_option_table, options, &own, a, &s->options, e)) {
        return false;
    }
    c->count++; /* from here on there may be things to release */
    return read_match(s, options, e) && read_source(s, source, a, e) &&
           transform_check(&s->options.event, yaml_get(options, STR("event")), e) &&
           check_cluster(s, e) && find_exporter(c, s, options, source, a, exporters, e);
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
    for (const struct yaml_node *n = events->first; n != NULL; n = n->next) {
        if (n->kind != YAML_MAPPING) {
            return yaml_err(n, e, ERR_CONFIG, "expected the options of a stream");
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
