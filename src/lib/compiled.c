#include "lib/compiled.h"

#include "base/fs.h"
#include "export/tree.h"
#include "lib/custom.h"
#include "lib/problem.h"
#include "lib/tree_edit.h"

static const char exporters_variable[] = "PROFILING_EXPORTERS_CONFIG";
static const char settings_prefix[] = "LIBTELEX_";

/* What stands in for the state folder in a file system of our own. */
static const char memory_path[] = "/libtelex";

struct reader {
    struct compiled *compiled;
    struct arena *arena;
    struct option_source source;
    const struct exporter_kind **kinds; /* NULL-terminated */
};

/* ---- texts ---- */

/* One document or none. */
static bool parse_text(struct arena *a, struct str file, struct str text,
                       const struct yaml_node **ret_root, struct err *e)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;

    *source = (struct yaml_source){file, text};
    if (!yaml_parse(a, source, &documents, e)) {
        return false;
    }
    if (documents->count > 1) {
        return yaml_err(documents->first->next, e, ERR_CONFIG,
                        "a second document; expected one, remove the '---'");
    }
    *ret_root = documents->first;
    return true;
}

static bool read_tree(struct reader *r, struct yaml_node **ret_root, struct err *e)
{
    const struct telex_config *c = r->compiled->config;
    const struct yaml_node *written = NULL;
    struct str file = c->file != NULL ? str_of(c->file) : STR("the config");

    if (c->text != NULL &&
        !parse_text(r->arena, file, str_make(c->text, c->text_len), &written, e)) {
        return false;
    }
    if (written != NULL && written->kind != YAML_MAPPING) {
        return yaml_err(written, e, ERR_CONFIG, "expected sections, such as 'exporters: {...}'");
    }
    struct yaml_node *root = edit_copy(r->arena, written);
    for (size_t i = 0; i < c->settings.len; i++) {
        const struct lib_setting *s = &c->settings.items[i];
        if (!edit_set(r->arena, root, str_of(s->path), str_of(s->value), s->is_yaml, e)) {
            return false;
        }
    }
    *ret_root = root;
    return true;
}

/* The file that a variable names, when nothing else says what exporters there are. */
static bool read_exporters_file(struct reader *r, struct err *e)
{
    const char *path = r->source.lookup(r->source.arg, exporters_variable);
    AUTO(buf_release) struct buf text = BUF_INIT(LIB_CONFIG_MAX);
    const struct yaml_node *root = NULL;

    if (r->compiled->settings.exporters != NULL || path == NULL) {
        return true;
    }
    if (!fs_read_file(fs_system(), str_of(path), LIB_CONFIG_MAX, &text, e) ||
        !parse_text(r->arena, arena_dup(r->arena, str_of(path)),
                    arena_dup(r->arena, buf_str(&text)), &root, e)) {
        return err_wrap(e, "%s", exporters_variable);
    }
    r->compiled->settings.exporters = yaml_get(root, STR("exporters"));
    return r->compiled->settings.exporters != NULL ||
           err_set(e, ERR_CONFIG, "%s: %s has no 'exporters'", exporters_variable, path);
}

/* ---- the plan ---- */

static bool parse_plan(struct reader *r, const struct yaml_node *overrides, struct err *e)
{
    struct compiled *c = r->compiled;
    const struct plan_sections sections = {
        .exporters = c->settings.exporters, .routes = c->settings.routes, .kinds = r->kinds};
    struct option_source source = r->source;

    source.prefix = "TELEX_";
    source.secrets_path = c->settings.secrets.path;
    source.overrides = overrides;
    plan_config_release(&c->plan);
    return plan_parse_sections(&sections, &source, r->arena, &c->plan, e);
}

static bool has_debug(const struct exporter_kind *kind)
{
    for (size_t i = 0; i < kind->options->count; i++) {
        if (str_eq(str_of(kind->options->options[i].name), STR("debug"))) {
            return true;
        }
    }
    return false;
}

static void say_debug(struct reader *r, struct yaml_node *options)
{
    static const struct {
        enum telex_debug flag;
        const char *name;
    } flags[] = {
        {TELEX_TRACE_EXPORTS, "trace_exports"},
        {TELEX_LOG_PAYLOADS, "log_payloads"},
        {TELEX_MEASURE_PERFORMANCE, "measure_performance"},
        {TELEX_VALIDATE_SCHEMAS, "validate_schemas"},
    };
    struct yaml_node *debug = edit_mapping(r->arena, options, STR("debug"));

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        bool is_on = (r->compiled->config->debug & (unsigned)flags[i].flag) != 0;
        edit_scalar(r->arena, debug, str_of(flags[i].name), is_on ? STR("true") : STR("false"));
    }
}

/* Once more, with what is to be told of calls in place of what was written about that. */
static bool parse_with_debug(struct reader *r, struct err *e)
{
    const struct tree *tree = r->compiled->plan.tree;
    struct yaml_node *overrides = edit_copy(r->arena, NULL);

    for (size_t i = 0; i < tree->count; i++) {
        if (has_debug(tree->exporters[i]->kind)) {
            say_debug(r, edit_mapping(r->arena, overrides, tree->exporters[i]->path));
        }
    }
    return parse_plan(r, overrides, e);
}

/* What makes no sense without rules, or would leave everything undelivered. */
static bool check_outputs(const struct plan_config *plan, struct err *e)
{
    for (size_t i = 0; i < plan->output_count; i++) {
        const struct output_config *o = &plan->outputs[i];
        if ((o->caps & EXPORTER_LEVEL) != 0) {
            return yaml_err(o->node, e, ERR_CONFIG,
                            "an exporter of type %s needs rules, which the library has not",
                            o->kind->name);
        }
    }
    return plan->output_count > 0 ||
           err_set(e, ERR_CONFIG,
                   "there are no exporters; set one, such as exporters.NAME.type, or "
                   "PROFILING_<KIND>_<OPTION> in the environment");
}

static const struct exporter_kind **kinds_of(struct arena *a, const struct telex_config *config)
{
    const struct exporter_kind **kinds =
        arena_array(a, const struct exporter_kind *, config->kinds.len + 1);

    for (size_t i = 0; i < config->kinds.len; i++) {
        kinds[i] = custom_kind_table(config->kinds.items[i]);
    }
    return kinds;
}

static bool read_all(struct compiled *c, struct err *e)
{
    struct reader r = {
        .compiled = c,
        .arena = &c->arena,
        .source = {.lookup = lib_config_lookup, .arg = c->config, .prefix = settings_prefix},
        .kinds = kinds_of(&c->arena, c->config)};
    struct yaml_node *root = NULL;

    if (!read_tree(&r, &root, e) ||
        !options_parse(&lib_options, root, &r.source, r.arena, &c->settings, e) ||
        !read_exporters_file(&r, e) || !parse_plan(&r, NULL, e) ||
        (c->config->has_debug && !parse_with_debug(&r, e)) || !check_outputs(&c->plan, e)) {
        return false;
    }
    bool in_memory = c->settings.state.path.len == 0;
    c->plan.state_path = in_memory ? STR(memory_path) : c->settings.state.path;
    return true;
}

bool compiled_new(const struct telex_config *config, struct compiled **ret_compiled, struct err *e)
{
    static const struct telex_config empty = {0};
    AUTO(compiled_autounref) struct compiled *c = mem_new(struct compiled);

    atomic_init(&c->refs, 1);
    arena_init(&c->arena, ARENA_UNLIMITED);
    c->config = telex_config_copy(config != NULL ? config : &empty);
    if (c->config == NULL) {
        return err_set(e, ERR_LIMIT, "no memory for a copy of the config");
    }
    if (!read_all(c, e)) {
        return false;
    }
    *ret_compiled = TAKE(c);
    return true;
}

struct compiled *compiled_ref(struct compiled *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void compiled_unref(struct compiled *c)
{
    if (c == NULL || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    plan_config_release(&c->plan);
    options_release(&lib_options, &c->settings);
    arena_release(&c->arena);
    telex_config_free(c->config);
    mem_free(c);
}

int telex_config_check(const struct telex_config *config, struct telex_error *error)
{
    AUTO(compiled_autounref) struct compiled *c = NULL;
    struct err e = ERR_INIT;

    if (!lib_has_memory(LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    return compiled_new(config, &c, &e) ? TELEX_OK : lib_err(error, &e);
}
