#include "wire/table_layout.h"

#include "base/yaml.h"

static const char *const plurals[RECORD_KINDS] = {
    [RECORD_SAMPLE] = "samples", [RECORD_ALERT] = "alerts",     [RECORD_EVENT] = "events",
    [RECORD_SPAN] = "spans",     [RECORD_PROFILE] = "profiles",
};

const struct table_dialect table_postgresql = {
    .types = {[CELL_NULL] = "text",
              [CELL_TIME] = "timestamptz",
              [CELL_NUMBER] = "double precision",
              [CELL_INTEGER] = "bigint",
              [CELL_FLAG] = "boolean",
              [CELL_TEXT] = "text",
              [CELL_JSON] = "jsonb"},
};

const struct table_dialect table_sqlite = {
    .types = {[CELL_NULL] = "TEXT",
              [CELL_TIME] = "TEXT",
              [CELL_NUMBER] = "REAL",
              [CELL_INTEGER] = "INTEGER",
              [CELL_FLAG] = "INTEGER",
              [CELL_TEXT] = "TEXT",
              [CELL_JSON] = "TEXT"},
};

/* ---- names ---- */

static bool check_name(struct str name, const struct yaml_node *node, struct err *e)
{
    if (name.len == 0 || name.len > TABLE_NAME_MAX || !str_is_utf8(name) ||
        str_find_byte(name, '\0') < name.len) {
        static const char format[] =
            "'%.*s' cannot be the name of a table or column: 1 to %d bytes";
        return node != NULL ? yaml_err(node, e, ERR_CONFIG, format, STR_FMT(name), TABLE_NAME_MAX)
                            : err_set(e, ERR_CONFIG, format, STR_FMT(name), TABLE_NAME_MAX);
    }
    return true;
}

static struct str name_of_kind(enum record_kind kind, struct str name, struct arena *a)
{
    struct str mark = STR("{kind}");
    size_t at = str_find(name, mark);

    if (at < name.len) {
        return arena_printf(a, "%.*s%s%.*s", (int)at, name.ptr, plurals[kind],
                            STR_FMT(str_slice(name, at + mark.len, name.len)));
    }
    return kind == RECORD_PROFILE ? name : arena_printf(a, "%.*s_%s", STR_FMT(name), plurals[kind]);
}

static bool set_name(struct table_layout *l, struct str name, struct arena *a, struct err *e)
{
    struct str whole = name_of_kind(l->kind, name, a);
    size_t dot = str_find_byte(whole, '.');

    l->schema = dot < whole.len ? str_slice(whole, 0, dot) : STR("");
    l->table = dot < whole.len ? str_slice(whole, dot + 1, whole.len) : whole;
    return (dot == whole.len || check_name(l->schema, NULL, e)) && check_name(l->table, NULL, e);
}

/* ---- the mapping ---- */

/* "profile.x" and "x": of which kind an entry speaks, and of what. */
static bool speaks_of(enum record_kind kind, struct str entry, struct str *ret_of)
{
    for (int k = 0; k < RECORD_KINDS; k++) {
        struct str word = str_of(record_kind_name((enum record_kind)k));
        if (str_starts(entry, word) && entry.len > word.len + 1 && entry.ptr[word.len] == '.') {
            *ret_of = str_slice(entry, word.len + 1, entry.len);
            return (int)kind == k;
        }
    }
    *ret_of = entry;
    return kind == RECORD_PROFILE || (kind != RECORD_EVENT && str_starts(entry, STR("labels."))) ||
           cell_source_find(kind, entry) != NULL;
}

/* Cuts a last word that is a type off <text>, which then ends before it. */
static bool cut_type(struct str *text, enum cell_type *ret_type)
{
    static const struct {
        const char *word;
        enum cell_type type;
    } words[] = {
        {" double", CELL_NUMBER},    {" double precision", CELL_NUMBER},
        {" bigint", CELL_INTEGER},   {" boolean", CELL_FLAG},
        {" text", CELL_TEXT},        {" jsonb", CELL_JSON},
        {" timestamptz", CELL_TIME},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str word = str_of(words[i].word);
        size_t before = text->len > word.len ? text->len - word.len : 0;
        if (before > 0 && str_eq_nocase(str_slice(*text, before, word.len), word)) {
            *ret_type = words[i].type;
            *text = str_trim(str_slice(*text, 0, before));
            return true;
        }
    }
    return false;
}

/* "throughput", "throughput bigint" or, for a name with spaces, "\"the throughput\" bigint". */
static bool read_column(const struct option_pair *entry, struct table_column *ret, struct err *e)
{
    static const char format[] =
        "column_mapping: the type '%.*s' is not known; expected double, bigint, boolean, text, jsonb "
        "or timestamptz (a name with spaces stands in double quotes)";
    struct str name = str_trim(entry->value);
    bool is_typed = cut_type(&name, &ret->type);
    bool is_quoted = name.len > 2 && name.ptr[0] == '"' && name.ptr[name.len - 1] == '"';
    size_t space = str_find_byte(name, ' ');
    struct str type = str_trim(str_slice(name, space, name.len));

    if (!is_typed && !is_quoted && type.len > 0) {
        return entry->node != NULL ? yaml_err(entry->node, e, ERR_CONFIG, format, STR_FMT(type))
                                   : err_set(e, ERR_CONFIG, format, STR_FMT(type));
    }
    ret->name = is_quoted ? str_slice(name, 1, name.len - 2) : name;
    return true;
}

/* What the mapping says of a source of the table; NULL: nothing. */
static const struct option_pair *entry_of(const struct table_layout *l,
                                          const struct option_map *mapping,
                                          const struct cell_source *source)
{
    for (size_t i = 0; i < mapping->count; i++) {
        struct str of;
        if (speaks_of(l->kind, mapping->items[i].name, &of) &&
            cell_source_find(l->kind, of) == source) {
            return &mapping->items[i];
        }
    }
    return NULL;
}

/* ---- columns ---- */

struct columns {
    struct table_column *items;
    uint32_t count;
};

static bool add_column(struct columns *c, struct table_column one, const struct yaml_node *node,
                       struct err *e)
{
    if (!check_name(one.name, node, e)) {
        return false;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (str_eq(c->items[i].name, one.name)) {
            static const char format[] =
                "two columns would be called '%.*s': of '%.*s' and of '%.*s'";
            return node != NULL ? yaml_err(node, e, ERR_CONFIG, format, STR_FMT(one.name),
                                           STR_FMT(c->items[i].of), STR_FMT(one.of))
                                : err_set(e, ERR_CONFIG, format, STR_FMT(one.name),
                                          STR_FMT(c->items[i].of), STR_FMT(one.of));
        }
    }
    if (c->count == TABLE_COLUMNS_MAX) {
        return err_set(e, ERR_LIMIT, "a table can have %d columns", TABLE_COLUMNS_MAX);
    }
    c->items[c->count++] = one;
    return true;
}

/* The columns that every table of the kind has, under their own names or those of the mapping. */
static bool add_usual(struct table_layout *l, const struct option_map *mapping, struct columns *c,
                      struct err *e)
{
    for (const struct cell_source *s = cell_sources; s->name != NULL; s++) {
        if ((s->kinds & 1U << l->kind) == 0) {
            continue;
        }
        const struct option_pair *entry = entry_of(l, mapping, s);
        struct table_column one = {
            .name = str_of(s->name), .of = str_of(s->name), .type = s->type, .source = s};
        if (entry != NULL && entry->value.len == 0) {
            continue;
        }
        one.is_mapped = entry != NULL;
        if ((entry != NULL && !read_column(entry, &one, e)) ||
            !add_column(c, one, entry != NULL ? entry->node : NULL, e)) {
            return false;
        }
    }
    return true;
}

/* Labels and fields that have a column of their own. */
static bool add_own(struct table_layout *l, const struct option_map *mapping, struct columns *c,
                    struct err *e)
{
    static const struct str labels = STR_INIT("labels.");

    for (size_t i = 0; i < mapping->count; i++) {
        const struct option_pair *entry = &mapping->items[i];
        struct table_column one = {.is_mapped = true};
        if (!speaks_of(l->kind, entry->name, &one.of) || entry->value.len == 0 ||
            cell_source_find(l->kind, one.of) != NULL) {
            continue;
        }
        one.is_label = str_starts(one.of, labels);
        one.type = one.is_label ? CELL_TEXT : CELL_NUMBER;
        if (one.is_label) {
            one.of = str_slice(one.of, labels.len, one.of.len);
        } else if (!record_kind_has_notes(l->kind)) {
            return yaml_err(entry->node, e, ERR_CONFIG, "records of the kind '%s' have no '%.*s'",
                            record_kind_name(l->kind), STR_FMT(one.of));
        }
        if (!read_column(entry, &one, e) || !add_column(c, one, entry->node, e)) {
            return false;
        }
    }
    return true;
}

bool table_layout_make(enum record_kind kind, struct str name, const struct option_map *mapping,
                       struct arena *a, struct table_layout *ret, struct err *e)
{
    struct table_layout l = {.kind = kind};
    struct columns c = {.items = arena_array(a, struct table_column, TABLE_COLUMNS_MAX)};

    if (!set_name(&l, name, a, e) || !add_usual(&l, mapping, &c, e) ||
        !add_own(&l, mapping, &c, e)) {
        return false;
    }
    l.columns = c.items;
    l.column_count = c.count;
    *ret = l;
    return c.count > 0 ||
           err_set(e, ERR_CONFIG, "column_mapping leaves no column of '%.*s'", STR_FMT(l.table));
}

bool table_layout_check(struct str name, const struct option_map *mapping, struct err *e)
{
    static const enum record_kind kinds[] = {RECORD_SAMPLE, RECORD_ALERT, RECORD_PROFILE,
                                             RECORD_SPAN, RECORD_EVENT};
    struct arena a;
    bool ok = true;

    arena_init(&a, ARENA_UNLIMITED);
    for (size_t i = 0; ok && i < ARRAY_LEN(kinds); i++) {
        struct table_layout l;
        ok = table_layout_make(kinds[i], name, mapping, &a, &l, e);
    }
    arena_release(&a);
    return ok;
}

bool table_layout_has_field(const void *arg, struct str field)
{
    const struct table_layout *l = arg;

    for (uint32_t i = 0; i < l->column_count; i++) {
        const struct table_column *c = &l->columns[i];
        if (c->source == NULL && !c->is_label && str_eq(c->of, field)) {
            return true;
        }
    }
    return false;
}

void table_column_read(const struct table_column *c, struct cell_reader *r, uint32_t i,
                       struct cell *ret)
{
    if (c->source != NULL) {
        cell_read(r, c->source, i, ret);
    } else if (c->is_label) {
        cell_read_label(r, c->of, i, ret);
    } else {
        cell_read_field(r, c->of, i, ret);
    }
}

/* ---- SQL ---- */

void sql_add_identifier(struct buf *out, struct str name)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"') {
            buf_add_byte(out, '"');
        }
        buf_add_byte(out, name.ptr[i]);
    }
    buf_add_byte(out, '"');
}

void table_layout_add_name(const struct table_layout *l, struct buf *out)
{
    if (l->schema.len > 0) {
        sql_add_identifier(out, l->schema);
        buf_add_byte(out, '.');
    }
    sql_add_identifier(out, l->table);
}

void table_layout_add_create(const struct table_layout *l, const struct table_dialect *dialect,
                             struct buf *out)
{
    buf_add_text(out, "CREATE TABLE IF NOT EXISTS ");
    table_layout_add_name(l, out);
    buf_add_text(out, " (");
    for (uint32_t i = 0; i < l->column_count; i++) {
        const struct table_column *c = &l->columns[i];
        bool is_time = c->source == &cell_sources[0];
        buf_add_text(out, i > 0 ? ", " : "");
        sql_add_identifier(out, c->name);
        buf_addf(out, " %s%s", dialect->types[c->type], is_time ? " NOT NULL" : "");
    }
    buf_add_byte(out, ')');
}
