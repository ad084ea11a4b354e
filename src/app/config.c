/*
 * Reading telex.yaml. The reader goes on behind a mistake: the option that is wrong is left out and the rest
 * is read again (left_out.h), so that one look shows all of them.
 *
 * Invariants
 *   1. A config that is handed out is complete and right as far as one file can tell; what needs the
 *      rules or the system beside it is checked by check.c.
 *   2. Nodes, texts and kinds' configs live in the config's arena; secrets are released with it.
 */
#include "app/config.h"

#include "export/notifiers.h"

#include "app/left_out.h"
#include "app/overrides.h"
#include "app/stream_targets.h"
#include "base/fs.h"
#include "base/mem.h"
#include "export/rule_webhook.h"
#include "model/labels.h"
#include "template/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char exporters_variable[] = "PROFILING_EXPORTERS_CONFIG";

struct reader {
    const struct yaml_node *built_in; /* exporters beside those of the file; or NULL */
    struct config *config;
    const struct config_environment *environment;
    struct problems *problems;
    struct option_source source;
    const struct yaml_node *right_exporters; /* without what is wrong */
};

/* ---- leaving out what is wrong ---- */

/*
 * Reads <node> with <read> until nothing is wrong with what is left of it; gives what is left, or
 * NULL when a mistake has no place in it. <l> knows what was left out.
 */
static const struct yaml_node *read_what_is_right(
    struct reader *r, const struct yaml_node *node, struct left_out *l,
    bool (*read)(struct reader *, const struct yaml_node *, struct err *))
{
    l->arena = &r->config->arena;
    while (true) {
        struct err e = ERR_INIT;
        if (read(r, node, &e)) {
            return node;
        }
        if (!left_out_explains(l, node, &e)) {
            problems_error(r->problems, &e);
        }
        node = left_out_without(l, node, &e);
        if (node == NULL) {
            return NULL;
        }
    }
}

/* ---- sections ---- */

/* The folder of secrets comes first: other sections name what is in it. */
static bool read_secrets_path(struct reader *r, struct err *e)
{
    const struct yaml_node *section = yaml_get(r->config->root, STR("secrets"));
    const struct yaml_node *path = yaml_get(section, STR("path"));
    const char *said = r->environment->lookup(r->environment->arg, "TELEX_SECRETS_PATH");

    if (said != NULL) {
        r->source.secrets_path = arena_dup(&r->config->arena, str_of(said));
        return true;
    }
    return path == NULL || yaml_text(path, &r->source.secrets_path, e);
}

static bool read_root(struct reader *r, const struct yaml_node *node, struct err *e)
{
    struct settings *settings = &r->config->settings;

    options_release(&config_options, settings);
    *settings = (struct settings){0};
    return options_parse(&config_options, node, &r->source, &r->config->arena, settings, e);
}

static bool read_datasource(struct reader *r, const struct yaml_node *node, struct err *e)
{
    struct config *c = r->config;
    struct datasource_config d;

    if (!datasource_config_read(node, &r->source, "TELEX_DATASOURCE_", &c->arena, &d, e)) {
        return false;
    }
    c->datasource_kind = d.kind;
    c->datasource = d.common;
    return true;
}

/* Also there when only the environment names it. */
static void read_datasource_section(struct reader *r)
{
    const struct yaml_node *node = r->config->settings.datasource;
    bool is_named = r->environment->lookup(r->environment->arg, "TELEX_DATASOURCE_URL") != NULL;
    struct left_out l = {.is_list = false};

    if (node != NULL && yaml_is_null(node)) {
        node = NULL;
    }
    if (node != NULL || is_named) {
        (void)read_what_is_right(r, node, &l, read_datasource);
    }
}

/* "TELEX_DATASOURCES_MY_PROM_" for my-prom. */
static const char *variables_of(struct arena *a, struct str name)
{
    AUTO(buf_release) struct buf prefix = BUF_INIT(BUF_SMALL);

    buf_add_text(&prefix, "TELEX_DATASOURCES_");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_lower = c >= 'a' && c <= 'z';
        buf_add_byte(&prefix, is_lower ? (char)(c - 'a' + 'A') : c == '-' || c == '.' ? '_' : c);
    }
    buf_add_byte(&prefix, '_');
    return arena_text(a, buf_str(&prefix));
}

static void read_named_datasource(struct reader *r, const struct yaml_node *node)
{
    struct config *c = r->config;
    struct datasource_config *d = &c->datasources[c->datasource_count];
    struct err e = ERR_INIT;

    if (!datasource_name_check(node, &e) ||
        !datasource_config_read(node, &r->source, variables_of(&c->arena, node->key), &c->arena, d,
                                &e)) {
        problems_error(r->problems, &e);
        return;
    }
    d->name = node->key;
    c->datasource_count++;
}

static void read_datasources_section(struct reader *r)
{
    const struct yaml_node *node = r->config->settings.datasources;
    struct config *c = r->config;
    struct err e = ERR_INIT;

    if (node == NULL || yaml_is_null(node)) {
        return;
    }
    if (node->kind != YAML_MAPPING || node->count > DATASOURCES_MAX) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "expected up to %d datasources by name, such as '{ NAME: { url: "
                       "http://127.0.0.1:9090 } }'",
                       DATASOURCES_MAX);
        problems_error(r->problems, &e);
        return;
    }
    c->datasources = arena_array(&c->arena, struct datasource_config, node->count);
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        read_named_datasource(r, n);
    }
}

/* What rules may name: the first has no name and is there even when there is no such datasource. */
static void list_sources(struct config *c)
{
    struct datasource_config unnamed = {.kind = c->datasource_kind, .common = c->datasource};
    struct rule_source *sources =
        arena_array(&c->arena, struct rule_source, c->datasource_count + 1);

    sources[0] = datasource_rule_source(c->datasource != NULL ? &unnamed : NULL);
    for (size_t i = 0; i < c->datasource_count; i++) {
        sources[i + 1] = datasource_rule_source(&c->datasources[i]);
    }
    c->rule_sources = sources;
}

static void read_rule_servers(struct reader *r)
{
    struct config *c = r->config;
    struct err e = ERR_INIT;

    if (!rule_servers_read(c->settings.rule_servers, &r->source, &c->arena, &c->rule_servers, &e)) {
        problems_error(r->problems, &e);
    }
}

/* Which of them restore.datasource means. */
static void find_restore_source(struct reader *r)
{
    struct config *c = r->config;
    struct restore_config *restore = &c->settings.restore;
    struct str name = restore->datasource;
    struct err e = ERR_INIT;

    restore->source = -1;
    if (name.len == 0) {
        return;
    }
    for (size_t i = 0; i < c->datasource_count; i++) {
        restore->source = str_eq(c->datasources[i].name, name) ? (int)i + 1 : restore->source;
    }
    if (str_eq(name, STR("datasource")) && c->datasource != NULL) {
        restore->source = 0;
    }
    const struct yaml_node *node = yaml_get(yaml_get(c->root, STR("restore")), STR("datasource"));
    if (restore->source < 0) {
        (void)(node != NULL
                   ? yaml_err(node, &e, ERR_CONFIG, "there is no datasource '%.*s'", STR_FMT(name))
                   : err_set(&e, ERR_CONFIG, "restore: there is no datasource '%.*s'",
                             STR_FMT(name)));
        problems_error(r->problems, &e);
    }
}

/* The file that an application's deployment names may hold the exporters. */
static bool read_exporters_file(struct reader *r, struct str path, const struct yaml_node **ret,
                                struct err *e)
{
    struct config *c = r->config;
    struct yaml_source *source = arena_new(&c->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;
    AUTO(buf_release) struct buf text = BUF_INIT(CONFIG_FILE_MAX);

    if (!fs_read_file(fs_system(), path, CONFIG_FILE_MAX, &text, e)) {
        return err_wrap(e, "%s", exporters_variable);
    }
    *source = (struct yaml_source){.file = arena_dup(&c->arena, path),
                                   .text = arena_dup(&c->arena, buf_str(&text))};
    if (!yaml_parse(&c->arena, source, &documents, e)) {
        return false;
    }
    *ret = documents->count > 0 ? yaml_get(documents->first, STR("exporters")) : NULL;
    return *ret != NULL || err_set(e, ERR_CONFIG, "%.*s, which %s names, has no 'exporters'",
                                   STR_FMT(path), exporters_variable);
}

/* Exporters stand in the config, or else in the file that PROFILING_EXPORTERS_CONFIG names. */
static void find_exporters(struct reader *r)
{
    struct settings *s = &r->config->settings;
    const char *path = r->environment->lookup(r->environment->arg, exporters_variable);
    struct err e = ERR_INIT;

    if (path == NULL || s->exporters != NULL) {
        return;
    }
    if (!read_exporters_file(r, str_of(path), &s->exporters, &e)) {
        problems_error(r->problems, &e);
    }
}

/* Reads exporters and routes with what overrides them. */
static bool parse_plan(struct reader *r, const struct yaml_node *exporters,
                       const struct yaml_node *routes, struct err *e)
{
    struct option_source source = r->source;

    source.overrides = r->config->overrides;
    const struct plan_sections text = {.exporters = exporters,
                                       .built_in = r->built_in,
                                       .routes = routes,
                                       .named = r->config->streams.exporters};
    return plan_parse_sections(&text, &source, &r->config->arena, &r->config->plan, e);
}

static bool read_exporters(struct reader *r, const struct yaml_node *node, struct err *e)
{
    return parse_plan(r, node, NULL, e);
}

static bool read_plan(struct reader *r, const struct yaml_node *routes, struct err *e)
{
    return parse_plan(r, r->right_exporters, routes, e);
}

void config_add_overrides_path(const struct config *c, struct buf *out)
{
    overrides_add_path(c->settings.state.path, out);
}

/* What was changed while the program ran, from the state folder or the one who asks. */
static bool read_overrides(struct reader *r, struct err *e)
{
    struct config *c = r->config;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(OVERRIDES_MAX);

    config_add_overrides_path(c, &path);
    if (r->environment->overrides != NULL) {
        buf_add_str(&text, *r->environment->overrides);
    } else if (!overrides_load(buf_str(&path), &text, e)) {
        return false;
    }
    c->overrides_source = (struct yaml_source){.file = arena_dup(&c->arena, buf_str(&path)),
                                               .text = arena_dup(&c->arena, buf_str(&text))};
    return overrides_read(&c->overrides_source, &c->arena, &c->overrides, e);
}

/* What is left when an exporter went; it is kept for when it comes back. */
static void warn_of_strangers(struct reader *r)
{
    const struct yaml_node *all = r->config->overrides;

    for (const struct yaml_node *n = all != NULL ? all->first : NULL; n != NULL; n = n->next) {
        struct err e = ERR_INIT;
        if (!plan_has_exporter(&r->config->plan, n->key)) {
            (void)yaml_key_err(n, &e, ERR_CONFIG,
                               "overrides of '%.*s', which is no exporter; take them back with "
                               "DELETE /api/v1/exporters/%.*s/overrides",
                               STR_FMT(n->key), STR_FMT(n->key));
            problems_warning(r->problems, &e);
        }
    }
}

/* Who delivers to the URLs that rules name; it is no exporter of the file. */
static const char built_in_exporters[] =
    RULE_WEBHOOK ": { type: " RULE_WEBHOOK " }\n" RULE_WEBHOOK_BATCHES ": { type: " RULE_WEBHOOK
                 ", buffer: { flush_interval: 5s } }\n";

static void read_built_in(struct reader *r)
{
    struct yaml_source *source = arena_new(&r->config->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;
    struct err e = ERR_INIT;

    *source = (struct yaml_source){.file = STR("built-in"), .text = str_of(built_in_exporters)};
    if (!yaml_parse(&r->config->arena, source, &documents, &e)) {
        problems_error(r->problems, &e);
        return;
    }
    r->built_in = documents->first;
}

/* Routes are looked at only when all exporters are there, or they would miss the wrong ones. */
static bool parse_file(struct reader *r, struct str path, const struct yaml_node **ret_root,
                       struct err *e)
{
    struct config *c = r->config;
    struct yaml_source *source = arena_new(&c->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;
    AUTO(buf_release) struct buf text = BUF_INIT(CONFIG_FILE_MAX);

    if (!fs_read_file(fs_system(), path, CONFIG_FILE_MAX, &text, e)) {
        return false;
    }
    *source = (struct yaml_source){.file = arena_dup(&c->arena, path),
                                   .text = arena_dup(&c->arena, buf_str(&text))};
    if (!yaml_parse(&c->arena, source, &documents, e)) {
        return false;
    }
    *ret_root = documents->first;
    return documents->count > 0 || err_set(e, ERR_CONFIG, "%.*s is empty", STR_FMT(path));
}

/* The members of <more> behind those of <node>, which may be NULL. */
static const struct yaml_node *with_members(struct arena *a, const struct yaml_node *node,
                                            const struct yaml_node *more)
{
    struct yaml_node *all = arena_new(a, struct yaml_node);
    const struct yaml_node **tail = &all->first;
    const struct yaml_node *const parts[] = {node, more};

    *all = node != NULL ? *node : *more;
    all->count = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        for (const struct yaml_node *n = parts[i] != NULL ? parts[i]->first : NULL; n != NULL;
             n = n->next) {
            struct yaml_node *copy = arena_new(a, struct yaml_node);
            *copy = *n;
            *tail = copy;
            tail = &copy->next;
            all->count++;
        }
    }
    *tail = NULL;
    return all;
}

/* Alertmanagers of a file as vmalert has it stand beside the other exporters. */
static bool add_notifiers(struct reader *r, struct err *e)
{
    struct settings *s = &r->config->settings;
    const struct yaml_node *root = NULL;
    const struct yaml_node *notifiers = NULL;

    if (s->notifier_config.len == 0) {
        return true;
    }
    if (s->exporters != NULL && s->exporters->kind != YAML_MAPPING) {
        return yaml_err(
            s->exporters, e, ERR_CONFIG,
            "with notifier_config, write the exporters as a mapping: NAME: { type: KIND }");
    }
    if (!parse_file(r, s->notifier_config, &root, e) ||
        !notifiers_from_vmalert(root, &r->config->arena, &notifiers, e)) {
        return err_wrap(e, "notifier_config");
    }
    s->exporters = with_members(&r->config->arena, s->exporters, notifiers);
    return true;
}

/* ---- change streams ---- */

static bool read_streams(struct reader *r, const struct yaml_node *root, struct err *e)
{
    struct config *c = r->config;

    streams_config_release(&c->streams);
    return streams_config_parse(yaml_get(root, STR("events")),
                                yaml_get(root, STR("event-exporter")), &r->source, &c->arena,
                                &c->streams, e);
}

static void read_streams_sections(struct reader *r)
{
    struct left_out *left = arena_new(&r->config->arena, struct left_out);

    left->is_list = true;
    if (r->config->root != NULL) {
        (void)read_what_is_right(r, r->config->root, left, read_streams);
    }
}

static void read_plan_sections(struct reader *r)
{
    const struct settings *s = &r->config->settings;
    size_t before = r->problems->errors;
    struct left_out left = {.is_list = true};
    struct err e = ERR_INIT;

    if (!read_overrides(r, &e)) {
        problems_error(r->problems, &e);
    }
    find_exporters(r);
    if (!add_notifiers(r, &e)) {
        problems_error(r->problems, &e);
    }
    if (r->environment->has_rule_webhooks) {
        read_built_in(r);
    }
    read_streams_sections(r);
    r->right_exporters = read_what_is_right(r, s->exporters, &left, read_exporters);
    plan_config_release(&r->config->plan);
    bool all_there = r->right_exporters != NULL || s->exporters == NULL;
    if (all_there) { /* what was left out is known, so that routes may name it */
        (void)read_what_is_right(r, s->routes, &left, read_plan);
    }
    if (r->problems->errors == before) {
        warn_of_strangers(r);
        check_stream_targets(r->config, r->problems);
    }
    r->config->plan.state_path = s->state.path;
}

/* ---- what the tables cannot say ---- */

static bool check_levels(const struct option_map *map, struct err *e)
{
    enum trace_level level;

    for (size_t i = 0; i < map->count; i++) {
        if (!trace_level_parse(map->items[i].value, &level)) {
            return yaml_err(map->items[i].node, e, ERR_CONFIG,
                            "'%.*s' is no level; expected debug, info, warn, error or off",
                            STR_FMT(map->items[i].value));
        }
    }
    return true;
}

static bool build_external_labels(struct config *c, struct err *e)
{
    const struct option_map *map = &c->settings.external_labels;
    struct labels_builder builder;
    bool ok = true;

    labels_builder_init(&builder);
    for (size_t i = 0; ok && i < map->count; i++) {
        ok = label_name_is_legacy(map->items[i].name) ||
             yaml_key_err(map->items[i].node, e, ERR_CONFIG,
                          "'%.*s' is no label name; expected letters, digits and '_'",
                          STR_FMT(map->items[i].name));
        labels_builder_set(&builder, map->items[i].name, map->items[i].value);
    }
    ok = ok && labels_build(&builder, &c->external_labels, e);
    labels_builder_release(&builder);
    return ok;
}

static bool check_alert_source(const struct config *c, struct err *e)
{
    AUTO(template_autofree) struct template *t = NULL;
    const struct yaml_node *node = yaml_get(c->root, STR("alert_source"));

    node = node != NULL ? node : c->root;
    if (c->settings.alert_source.len == 0) {
        return true;
    }
    if (!template_compile(STR("alert_source"), c->settings.alert_source, NULL, &t, e)) {
        yaml_err_inside(node, e);
        return false;
    }
    return (template_uses(t) & USES_QUERY) == 0 ||
           yaml_err(node, e, ERR_CONFIG,
                    "alert_source cannot `query`: links are made for whoever opens a page");
}

static void check_rest(struct reader *r)
{
    struct err e = ERR_INIT;

    if (!check_alert_source(r->config, &e)) {
        problems_error(r->problems, &e);
    }
    e = ERR_INIT;

    if (!check_levels(&r->config->settings.log.levels, &e)) {
        problems_error(r->problems, &e);
    }
    e = ERR_INIT;
    if (!build_external_labels(r->config, &e)) {
        problems_error(r->problems, &e);
    }
}

static void read_sections(struct reader *r)
{
    struct left_out left = {.is_list = true};
    struct err e = ERR_INIT;

    if (!read_secrets_path(r, &e)) {
        problems_error(r->problems, &e);
        return;
    }
    if (read_what_is_right(r, r->config->root, &left, read_root) == NULL &&
        r->config->root != NULL) {
        return;
    }
    size_t before =
        r->problems->errors; /* what is wrong in a setting is left out, and names nothing */
    read_datasource_section(r);
    read_datasources_section(r);
    list_sources(r->config);
    read_rule_servers(r);
    r->config->has_settings = r->problems->errors == before;
    find_restore_source(r);
    read_plan_sections(r);
    check_rest(r);
}

/* ---- the file ---- */

/* An empty file is a config without sections. */
static bool read_tree(struct config *c, struct err *e)
{
    const struct yaml_node *documents = NULL;

    if (!yaml_parse(&c->arena, &c->source, &documents, e)) {
        return false;
    }
    if (documents->count == 0) {
        return true;
    }
    c->root = documents->first;
    if (c->root->next != NULL) {
        return yaml_err(c->root->next, e, ERR_CONFIG,
                        "a second document; expected one, remove the '---'");
    }
    return c->root->kind == YAML_MAPPING ||
           yaml_err(c->root, e, ERR_CONFIG,
                    "expected sections, such as 'datasource: { url: http://127.0.0.1:9090 }'");
}

static struct config *config_new(void)
{
    struct config *c = mem_new(struct config);

    atomic_init(&c->refs, 1);
    arena_init(&c->arena, ARENA_UNLIMITED);
    return c;
}

struct config *config_ref(struct config *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void config_unref(struct config *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (c->datasource != NULL) {
        options_release(c->datasource_kind->options, c->datasource);
    }
    for (size_t i = 0; i < c->datasource_count; i++) {
        datasource_config_release(&c->datasources[i]);
    }
    rule_servers_release(&c->rule_servers);
    plan_config_release(&c->plan);
    streams_config_release(&c->streams);
    options_release(&config_options, &c->settings);
    labels_unref(c->external_labels);
    arena_release(&c->arena);
    mem_free(c);
}

static bool read_config(struct config *c, const struct config_environment *environment,
                        struct problems *problems, struct err *e)
{
    struct reader r = {.config = c, .environment = environment, .problems = problems};
    size_t before = problems->errors;
    struct err parse = ERR_INIT;

    r.source = (struct option_source){
        .lookup = environment->lookup, .arg = environment->arg, .prefix = "TELEX_"};
    if (read_tree(c, &parse)) {
        read_sections(&r);
    } else {
        problems_error(problems, &parse);
    }
    size_t found = problems->errors - before;
    return found == 0 ||
           err_set(e, ERR_CONFIG, "%zu problem%s in %.*s", found, found == 1 ? "" : "s",
                   STR_FMT(c->source.file.len > 0 ? c->source.file : STR("the environment")));
}

bool config_parse(struct str file, struct str text, const struct config_environment *environment,
                  struct problems *problems, struct config **ret_config, struct err *e)
{
    AUTO(config_autounref) struct config *c = config_new();

    c->source.file = arena_dup(&c->arena, file);
    c->source.text = arena_dup(&c->arena, text);
    bool ok = read_config(c, environment, problems, e);
    if (ok || (environment->keeps_wrong && c->has_settings)) {
        *ret_config = TAKE(c);
    }
    return ok;
}

bool config_load(struct str path, const struct config_environment *environment,
                 struct problems *problems, struct config **ret_config, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(CONFIG_FILE_MAX);

    if (path.len > 0 && !fs_read_file(fs_system(), path, CONFIG_FILE_MAX, &text, e)) {
        problems_error(problems, e);
        return false;
    }
    return config_parse(path, buf_str(&text), environment, problems, ret_config, e);
}

/* ---- for those who have one ---- */

static const char *process_lookup(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

struct config_environment config_process_environment(void)
{
    return (struct config_environment){.lookup = process_lookup,
                                       .all = (const char *const *)environ};
}

struct rule_options config_rule_options(const struct config *c)
{
    return (struct rule_options){
        .interval_ns = c->settings.evaluation_interval_ns,
        .update_entries_limit = c->settings.update_entries_limit,
        .limit = c->settings.limits.default_limit,
        .query_offset_ns = c->settings.query_offset_ns,
        .eval_alignment = c->settings.eval_alignment,
        .dialect = c->rule_sources[0].dialect,
        .sources = c->rule_sources,
        .source_count = c->datasource_count + 1,
        .templates = c->settings.rule_templates.items,
        .template_count = c->settings.rule_templates.count,
        .check_only = true,
    };
}

void config_apply_log(const struct config *c, struct trace_sink *sink)
{
    const struct option_map *map = &c->settings.log.levels;

    trace_sink_set_level(sink, STR_NONE, (enum trace_level)c->settings.log.level);
    for (size_t i = 0; i < map->count; i++) {
        enum trace_level level = TRACE_INFO;
        if (trace_level_parse(map->items[i].value, &level)) {
            trace_sink_set_level(sink, map->items[i].name, level);
        }
    }
}

bool config_err(const struct config *c, struct str section, struct err *e, const char *fmt, ...)
{
    const struct yaml_node *node = yaml_get(c->root, section);
    char text[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (node != NULL) {
        return yaml_key_err(node, e, ERR_CONFIG, "%s", text);
    }
    (void)err_set(e, ERR_CONFIG, "%s", text);
    return c->source.file.len == 0 ? false : err_in_file(e, c->source.file);
}
