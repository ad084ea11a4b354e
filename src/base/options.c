/*
 * A table is read in three passes: the keys of the mappings (what was written, and what overrides it)
 * are matched with rows, so that an unknown key is the first thing to be told; then each row takes its
 * default and its override, or its value and its variable; then what is missing is looked for.
 */
#include "base/options.h"

#include "base/options_int.h"
#include "base/secret.h"

enum { NAMES_MAX = 4 * OPTIONS_MAX, LISTED_MAX = 12 };

/* What stands in the mapping for one row. */
enum given_as { GIVEN_VALUE, GIVEN_FILE, GIVEN_SECRET };

struct given {
    const struct yaml_node *node; /* NULL: nothing */
    const char *name;             /* the row's spelling of the key */
    enum given_as as;
};

struct table_run {
    const struct options_run *run;
    const struct option_table *table;
    const char *name;             /* of the table, or its key as it was written */
    const struct yaml_node *node; /* the mapping, or NULL */
    const struct yaml_node *over; /* the mapping that goes before it, or NULL */
    const char *prefix;           /* of variables, or NULL */
    char *config;
    struct given given[OPTIONS_MAX];      /* by <node> */
    struct given overriding[OPTIONS_MAX]; /* by <over> */
    bool is_root;                         /* not a table in a table */
    bool overridden;                      /* did a variable set something? */
};

void options_add_shouted(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_lower = c >= 'a' && c <= 'z';
        bool is_upper = c >= 'A' && c <= 'Z';
        bool is_digit = c >= '0' && c <= '9';
        bool after_lower = i > 0 && text.ptr[i - 1] >= 'a' && text.ptr[i - 1] <= 'z';
        if (is_upper && after_lower) {
            buf_add_byte(out, '_');
        }
        buf_add_byte(out, is_lower ? (char)(c - 0x20) : is_upper || is_digit ? c : '_');
    }
}

/* Matching keys with rows */

/* The spelling of <o> that is <key>, or NULL. */
static const char *spelling_of(const struct option *o, struct str key)
{
    if (str_eq(key, str_of(o->name))) {
        return o->name;
    }
    for (size_t i = 0; o->aliases != NULL && o->aliases[i] != NULL; i++) {
        if (str_eq(key, str_of(o->aliases[i]))) {
            return o->aliases[i];
        }
    }
    return NULL;
}

/* The row that <key> means as a value. */
static const struct option *find_value_row(const struct option_table *t, struct str key)
{
    for (size_t i = 0; i < t->count; i++) {
        if (spelling_of(&t->options[i], key) != NULL) {
            return &t->options[i];
        }
    }
    return NULL;
}

/* The secret that <key> means as name or path: key less <suffix> is a secret's name. */
static const struct option *find_secret_row(const struct option_table *t, struct str key,
                                            struct str suffix)
{
    if (!str_ends(key, suffix)) {
        return NULL;
    }
    const struct option *o = find_value_row(t, str_slice(key, 0, key.len - suffix.len));
    return o != NULL && o->type == OPTION_SECRET ? o : NULL;
}

static bool is_other(const struct table_run *t, struct str key)
{
    const char *const *others = t->is_root ? t->run->source->others : NULL;

    for (size_t i = 0; others != NULL && others[i] != NULL; i++) {
        if (str_eq(key, str_of(others[i]))) {
            return true;
        }
    }
    return false;
}

/* All spellings, for suggestions. */
static size_t collect_names(const struct option_table *t, const char **names)
{
    size_t count = 0;

    for (size_t i = 0; i < t->count; i++) {
        const struct option *o = &t->options[i];
        if ((o->flags & OPTION_HIDDEN) == 0 && count < NAMES_MAX) {
            names[count++] = o->name;
        }
        for (size_t a = 0; o->aliases != NULL && o->aliases[a] != NULL && count < NAMES_MAX; a++) {
            names[count++] = o->aliases[a];
        }
    }
    return count;
}

/* Hides what stands behind the key in the line that the error shows: who knows what the key was to be? Always false. */
static bool hide_behind_key(struct err *e)
{
    size_t len = strlen(e->source);
    size_t key = (size_t)e->caret_column - 1;
    bool is_quoted = key < len && (e->source[key] == '"' || e->source[key] == '\'');
    size_t at = key + e->caret_len + (is_quoted ? 2 : 0);

    while (at < len && strchr(" \t\r:", e->source[at]) != NULL) {
        at++;
    }
    for (; at < len; at++) {
        e->source[at] = e->source[at] == ' ' || e->source[at] == '\t' ? ' ' : '*';
    }
    return err_false(false);
}

static bool err_unknown(const struct table_run *t, const struct yaml_node *child)
{
    const char *names[NAMES_MAX];
    size_t count = collect_names(t->table, names);
    const char *near = str_nearest(child->key, names, count);
    AUTO(buf_release) struct buf known = BUF_INIT(BUF_SMALL);

    if (near != NULL) {
        buf_addf(&known, ": did you mean '%s'?", near);
    } else if (t->table->count <= LISTED_MAX) {
        for (size_t i = 0; i < t->table->count; i++) {
            buf_addf(&known, "%s%s", i == 0 ? "; it has " : ", ", t->table->options[i].name);
        }
    }
    (void)yaml_key_err(child, t->run->e, ERR_CONFIG, "unknown option '%.*s' of %s%s",
                       STR_FMT(str_slice(child->key, 0, 60)), t->name, buf_text(&known));
    return hide_behind_key(t->run->e);
}

/* The row that <child> means, and how; NULL when it means none. */
static const struct option *find_row(const struct table_run *t, const struct yaml_node *child,
                                     struct given *ret_given)
{
    static const struct {
        struct str suffix;
        enum given_as as;
    } suffixes[] = {{STR_INIT("_secret"), GIVEN_SECRET}, {STR_INIT("_file"), GIVEN_FILE}};
    const struct option *o = find_value_row(t->table, child->key);

    *ret_given = (struct given){.node = child, .as = GIVEN_VALUE};
    for (size_t i = 0; o == NULL && i < ARRAY_LEN(suffixes); i++) {
        o = find_secret_row(t->table, child->key, suffixes[i].suffix);
        ret_given->as = suffixes[i].as;
    }
    if (o != NULL) {
        ret_given->as = spelling_of(o, child->key) != NULL ? GIVEN_VALUE : ret_given->as;
        ret_given->name = arena_text(t->run->arena, child->key);
    }
    return o;
}

static bool check_override(const struct table_run *t, const struct option *o,
                           const struct given *given);

/* A list of mappings is overridden as a whole: the same for what is in it. */
static bool check_override_items(const struct table_run *t, const struct option *o,
                                 const struct yaml_node *list)
{
    struct table_run *inner = arena_new(t->run->arena, struct table_run);

    *inner = (struct table_run){.run = t->run, .table = o->table, .name = o->table->name};
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        for (const struct yaml_node *n = item->first; n != NULL; n = n->next) {
            struct given given;
            const struct option *row = n->key.len > 0 ? find_row(inner, n, &given) : NULL;
            if (row != NULL && !check_override(inner, row, &given)) {
                return false;
            }
        }
    }
    return true;
}

/* Overrides are shown and kept as they are: no place for a secret, or for what is not the table's. */
static bool check_override(const struct table_run *t, const struct option *o,
                           const struct given *given)
{
    if (o == NULL) {
        return is_other(t, given->node->key)
                   ? yaml_key_err(given->node, t->run->e, ERR_CONFIG,
                                  "'%.*s' cannot be overridden: change the config",
                                  STR_FMT(given->node->key))
                   : err_unknown(t, given->node);
    }
    if (o->type == OPTION_TABLES) {
        return check_override_items(t, o, given->node);
    }
    return o->type != OPTION_SECRET || given->as != GIVEN_VALUE ||
           given->node->kind != YAML_SCALAR ||
           yaml_key_err(given->node, t->run->e, ERR_CONFIG,
                        "%s: a secret cannot be overridden by its value, which would be kept and "
                        "shown: say where it is, with %s_file, %s_secret or {env: NAME}",
                        given->name, given->name, given->name);
}

static bool match_key(struct table_run *t, const struct yaml_node *child, bool is_override)
{
    struct given given;
    const struct option *o = find_row(t, child, &given);

    if (is_override && !check_override(t, o, &given)) {
        return false;
    }
    if (o == NULL) {
        return is_other(t, child->key) || err_unknown(t, child);
    }
    struct given *place = &(is_override ? t->overriding : t->given)[o - t->table->options];
    if (place->node != NULL) {
        return yaml_key_err(child, t->run->e, ERR_CONFIG,
                            "'%s' means the same as '%s' in line %u: remove one of them",
                            given.name, place->name, place->node->key_pos.line);
    }
    *place = given;
    return true;
}

static bool match_keys(struct table_run *t, const struct yaml_node *node, bool is_override)
{
    static const char *const kinds[] = {[YAML_SCALAR] = "a text", [YAML_SEQUENCE] = "a list"};

    if (node == NULL || yaml_is_null(node)) {
        return true;
    }
    if (node->kind != YAML_MAPPING) {
        return yaml_err(node, t->run->e, ERR_CONFIG, "expected the options of %s, found %s",
                        t->name, kinds[node->kind]);
    }
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        if (!match_key(t, child, is_override)) {
            return false;
        }
    }
    return true;
}

/* Variables */

/* "TELEX_EXPORTER_INFLUX_" and "max_age": the variable's name, in the arena. */
static const char *variable_of(const struct table_run *t, const char *spelling)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    if (t->prefix == NULL) {
        return NULL;
    }
    buf_add_text(&name, t->prefix);
    options_add_shouted(&name, str_of(spelling));
    return arena_text(t->run->arena, buf_str(&name));
}

/* What the environment says of an option, and under which spelling. */
struct said {
    const char *spelling; /* NULL: nothing */
    const char *variable;
    const char *value;
};

static bool look_up(const struct table_run *t, const char *spelling, struct said *ret)
{
    const char *variable = variable_of(t, spelling);
    const char *value = variable != NULL ? options_lookup(t->run, variable) : NULL;

    if (value != NULL) {
        *ret = (struct said){spelling, variable, value};
    }
    return value != NULL;
}

/* The row's own name goes before its aliases. */
static struct said find_said(const struct table_run *t, const struct option *o)
{
    struct said said = {0};
    bool found = look_up(t, o->name, &said);

    for (size_t i = 0; !found && o->aliases != NULL && o->aliases[i] != NULL; i++) {
        found = look_up(t, o->aliases[i], &said);
    }
    return said;
}

static bool set_from_env(struct table_run *t, const struct option *o, void *field, bool *ret_set)
{
    struct said said = find_said(t, o);

    if (said.value == NULL) {
        return true;
    }
    *ret_set = true;
    t->overridden = true;
    struct str file = arena_printf(t->run->arena, "environment variable %s", said.variable);
    struct str text = arena_dup(t->run->arena, str_of(said.value));
    return options_set_from_text(t->run, o, said.spelling, file, text, field);
}

/* Rows */

static bool parse_table(struct table_run *t);

static bool set_table(struct table_run *t, const struct option *o, void *field, bool *ret_set)
{
    const struct given *given = &t->given[o - t->table->options];
    AUTO(buf_release) struct buf prefix = BUF_INIT(BUF_SMALL);
    struct table_run *inner = arena_new(t->run->arena, struct table_run);
    const char *variable = variable_of(t, o->name);

    if (variable != NULL) {
        buf_addf(&prefix, "%s_", variable);
    }
    inner->run = t->run;
    inner->table = o->table;
    inner->name = given->name != NULL ? given->name : o->table->name;
    inner->node = given->node;
    inner->over = t->overriding[o - t->table->options].node;
    inner->prefix = variable != NULL ? buf_text(&prefix) : NULL;
    inner->config = field;
    if (!parse_table(inner)) {
        return false;
    }
    t->overridden = t->overridden || inner->overridden || inner->over != NULL;
    *ret_set = inner->over != NULL || given->node != NULL || inner->overridden;
    return true;
}

/* Can the environment say it as one text? */
static bool has_variable(const struct option *o)
{
    return o->type != OPTION_TABLE && o->type != OPTION_TABLES && o->type != OPTION_NODE;
}

static bool set_from_node(const struct options_run *r, const struct option *o,
                          const struct given *given, void *field)
{
    struct option_value value = {given->node, given->name, false};

    if (given->as == GIVEN_FILE) {
        return options_set_secret_file(r, value, field);
    }
    if (given->as == GIVEN_SECRET) {
        return options_set_secret_ref(r, value, field);
    }
    return option_types[o->type].set(r, o, value, field);
}

static bool is_said(const struct given *given)
{
    return given->node != NULL && !yaml_is_null(given->node);
}

/* What a variable says that others know too. */
static bool set_from_usual(struct table_run *t, const struct option *o, void *field, bool *ret_set)
{
    const struct option_usual *u = t->is_root ? t->run->source->usual : NULL;

    for (; u != NULL && u->variable != NULL; u++) {
        const char *value =
            str_eq(str_of(u->option), str_of(o->name)) ? options_lookup(t->run, u->variable) : NULL;
        if (value != NULL && *value != '\0') {
            struct str file = arena_printf(t->run->arena, "environment variable %s", u->variable);
            *ret_set = true;
            return options_set_from_text(t->run, o, u->spelling != NULL ? u->spelling : o->name,
                                         file, arena_dup(t->run->arena, str_of(value)), field);
        }
    }
    return true;
}

static bool set_scalar_row(struct table_run *t, const struct option *o, void *field, bool *ret_set)
{
    const struct options_run *r = t->run;
    const struct given *over = &t->overriding[o - t->table->options];
    bool is_over = is_said(over);
    const struct given *given = is_over ? over : &t->given[o - t->table->options];
    bool is_given = is_said(given);
    struct str file = STR("default");
    bool from_env = false;

    if (o->fallback != NULL &&
        !options_set_from_text(r, o, o->name, file, str_of(o->fallback), field)) {
        return false;
    }
    if (is_given ? !set_from_node(r, o, given, field) : !set_from_usual(t, o, field, &from_env)) {
        return false;
    }
    if (has_variable(o) && !is_over && !set_from_env(t, o, field, &from_env)) {
        return false;
    }
    *ret_set = is_given || from_env || o->fallback != NULL;
    return true;
}

/* Nothing stands where something must. */
static bool is_empty(const struct option *o, const void *field)
{
    bool is_text = o->type == OPTION_TEXT || o->type == OPTION_URL;

    return (is_text && ((const struct str *)field)->len == 0) ||
           (o->type == OPTION_LIST && ((const struct option_list *)field)->count == 0);
}

/* "'url' (or 'endpoint')" */
static void add_spellings(const struct option *o, struct buf *out)
{
    buf_addf(out, "'%s'", o->name);
    for (size_t i = 0; o->aliases != NULL && o->aliases[i] != NULL; i++) {
        buf_addf(out, "%s'%s'", i == 0 ? " (or " : ", ", o->aliases[i]);
    }
    if (o->aliases != NULL && o->aliases[0] != NULL) {
        buf_add_byte(out, ')');
    }
}

static bool err_missing(const struct table_run *t, const struct option *o)
{
    bool is_variable = has_variable(o) && t->prefix != NULL;
    const char *or_set = is_variable ? ", or set " : "";
    const char *variable = is_variable ? variable_of(t, o->name) : "";
    AUTO(buf_release) struct buf names = BUF_INIT(BUF_SMALL);

    add_spellings(o, &names);
    if (t->node == NULL) {
        return err_set(t->run->e, ERR_CONFIG, "%s needs %s: add it%s%s", t->name, buf_text(&names),
                       or_set, variable);
    }
    return yaml_key_err(t->node, t->run->e, ERR_CONFIG, "%s needs %s: add it here%s%s", t->name,
                        buf_text(&names), or_set, variable);
}

static bool parse_table(struct table_run *t)
{
    const struct option *missing = NULL;

    INVARIANT(t->table->count <= OPTIONS_MAX);
    if (!match_keys(t, t->node, false) || !match_keys(t, t->over, true)) {
        return false;
    }
    for (size_t i = 0; i < t->table->count; i++) {
        const struct option *o = &t->table->options[i];
        void *field = t->config + o->offset;
        bool is_set = false;
        if (!(o->type == OPTION_TABLE ? set_table : set_scalar_row)(t, o, field, &is_set)) {
            return false;
        }
        bool is_missing = (o->flags & OPTION_REQUIRED) && (!is_set || is_empty(o, field));
        missing = is_missing && missing == NULL ? o : missing;
    }
    /* A table in a table that nobody mentions may lack what it needs. */
    bool is_mentioned = t->node != NULL && !yaml_is_null(t->node);
    bool is_used = t->is_root || is_mentioned || t->over != NULL || t->overridden;
    return missing == NULL || !is_used || err_missing(t, missing);
}

bool options_set_tables(const struct options_run *r, const struct option *o, struct option_value v,
                        void *field)
{
    struct option_tables *tables = field;
    char *config;

    if (v.node->kind != YAML_SEQUENCE) {
        return options_err_expected(r, v, "a list of mappings");
    }
    config = arena_alloc0(r->arena, v.node->count, o->table->config_size);
    *tables = (struct option_tables){config, v.node->count};
    for (const struct yaml_node *item = v.node->first; item != NULL; item = item->next) {
        struct table_run *inner = arena_new(r->arena, struct table_run);
        struct option_value value = {item, v.name, false};
        if (item->kind != YAML_MAPPING) {
            return options_err_expected(r, value, "a mapping in this list");
        }
        *inner = (struct table_run){
            .run = r, .table = o->table, .name = o->table->name, .node = item, .config = config};
        if (!parse_table(inner)) {
            return false;
        }
        config += o->table->config_size;
    }
    return true;
}

const void *options_table_at(const struct option_tables *tables, const struct option_table *table,
                             size_t i)
{
    return tables->items + i * table->config_size;
}

bool options_parse(const struct option_table *table, const struct yaml_node *node,
                   const struct option_source *source, struct arena *a, void *config, struct err *e)
{
    struct options_run run = {.source = source, .arena = a, .e = e};
    struct table_run *t = arena_new(a, struct table_run);

    memset(config, 0, table->config_size);
    *t = (struct table_run){.run = &run,
                            .table = table,
                            .name = table->name,
                            .node = node,
                            .over = source->overrides,
                            .prefix = source->prefix,
                            .config = config,
                            .is_root = true};
    if (!parse_table(t)) {
        options_release(table, config);
        return false;
    }
    return true;
}

static void release_tables(const struct option_table *table, const struct option_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++) {
        options_release(table, tables->items + i * table->config_size);
    }
}

void options_release(const struct option_table *table, void *config)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct option *o = &table->options[i];
        void *field = (char *)config + o->offset;
        if (o->type == OPTION_TABLE) {
            options_release(o->table, field);
        } else if (o->type == OPTION_TABLES) {
            release_tables(o->table, field);
        } else if (o->type == OPTION_SECRET) {
            struct secret **secret = field;
            secret_free(*secret);
            *secret = NULL;
        }
    }
}
