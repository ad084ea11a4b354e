/* Values from texts that stand in no file: defaults and the environment. */
#include "base/options_int.h"

/* A node for a text; <file> says where it is from. */
static const struct yaml_node *scalar_node(const struct options_run *r, struct str file,
                                           struct str text)
{
    struct yaml_source *source = arena_new(r->arena, struct yaml_source);
    struct yaml_node *node = arena_new(r->arena, struct yaml_node);

    *source = (struct yaml_source){.file = file, .text = text};
    *node = (struct yaml_node){.kind = YAML_SCALAR,
                               .style = YAML_PLAIN,
                               .pos = {1, 1},
                               .length = text.len,
                               .text = text,
                               .source = source};
    return node;
}

/* a,b as [a, b]; a=1,b=2 as {a: 1, b: 2} */
static bool split_text(const struct options_run *r, const struct option *o, struct str text,
                       struct yaml_node *list)
{
    const struct yaml_node **tail = &list->first;
    bool is_map = o->type == OPTION_MAP;
    struct str rest = str_trim(text).len > 0 ? text : STR_NONE;
    struct str part;

    list->kind = is_map ? YAML_MAPPING : YAML_SEQUENCE;
    while (str_split(&rest, ',', &part)) {
        size_t equals = is_map ? str_find_byte(part, '=') : 0;
        if (is_map && equals == part.len) {
            return yaml_err(list, r->e, ERR_CONFIG, "%s: expected name=value, found '%.*s'",
                            o->name, STR_FMT(str_slice(part, 0, 60)));
        }
        struct yaml_node *item = arena_new(r->arena, struct yaml_node);
        *item = *list;
        item->kind = YAML_SCALAR;
        item->first = NULL;
        item->count = 0;
        item->key = str_trim(str_slice(part, 0, equals));
        item->text = str_trim(is_map ? str_slice(part, equals + 1, part.len) : part);
        *tail = item;
        tail = &item->next;
        list->count++;
    }
    return true;
}

/* A text that is from no file, as a node: YAML where the type needs it. */
static bool node_of_text(const struct options_run *r, const struct option *o, struct str file,
                         struct str text, const struct yaml_node **ret_node)
{
    const struct yaml_node *scalar = scalar_node(r, file, text);
    bool is_list = o->type == OPTION_LIST || o->type == OPTION_INT_LIST;
    struct str trimmed = str_trim(text);
    bool is_yaml = trimmed.len > 0 && (trimmed.ptr[0] == '[' || trimmed.ptr[0] == '{');
    const struct yaml_node *documents;

    *ret_node = scalar;
    if (!option_types[o->type].is_composite) {
        return true;
    }
    if ((is_list || o->type == OPTION_MAP) && !is_yaml) {
        struct yaml_node *list = arena_new(r->arena, struct yaml_node);
        *list = *scalar;
        *ret_node = list;
        return split_text(r, o, text, list);
    }
    if (!yaml_parse(r->arena, scalar->source, &documents, r->e)) {
        return false;
    }
    *ret_node = documents->count > 0 ? documents->first : scalar;
    return true;
}

bool options_set_from_text(const struct options_run *r, const struct option *o, const char *name,
                           struct str file, struct str text, void *field)
{
    const struct yaml_node *node;

    if (!node_of_text(r, o, file, text, &node)) {
        return false;
    }
    struct option_value value = {node, name, true};
    return option_types[o->type].set(r, o, value, field);
}

/* ---- is anything said? ---- */

static enum option_said said_as(const struct option_source *source, const char *spelling)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    buf_add_text(&name, source->prefix);
    options_add_shouted(&name, str_of(spelling));
    const char *text = source->lookup(source->arg, buf_text(&name));
    if (text == NULL) {
        return OPTION_UNSAID;
    }
    return text[0] != '\0' ? OPTION_SAID : OPTION_SAID_EMPTY;
}

static enum option_said more_said(enum option_said a, enum option_said b)
{
    return a > b ? a : b;
}

static enum option_said table_said(const struct option *o, const struct option_source *source)
{
    AUTO(buf_release) struct buf prefix = BUF_INIT(BUF_SMALL);
    struct option_source inner = *source;

    buf_add_text(&prefix, source->prefix);
    options_add_shouted(&prefix, str_of(o->name));
    buf_add_byte(&prefix, '_');
    inner.prefix = buf_text(&prefix);
    return options_in_environment(o->table, &inner);
}

static enum option_said row_said(const struct option *o, const struct option_source *source)
{
    enum option_said said = said_as(source, o->name);

    for (size_t i = 0; o->aliases != NULL && o->aliases[i] != NULL; i++) {
        said = more_said(said, said_as(source, o->aliases[i]));
    }
    return o->type == OPTION_TABLE ? more_said(said, table_said(o, source)) : said;
}

enum option_said options_in_environment(const struct option_table *table,
                                        const struct option_source *source)
{
    enum option_said said = OPTION_UNSAID;

    for (size_t i = 0; source->lookup != NULL && i < table->count; i++) {
        said = more_said(said, row_said(&table->options[i], source));
    }
    return said;
}
