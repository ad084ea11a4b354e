/*
 * The JSON schema of a table's mapping. Numbers and booleans may be texts too, for ${VAR}; what a
 * schema cannot say (durations, sizes, that two spellings exclude each other) is left to the
 * parser.
 */
#include "base/attr.h"
#include "base/number.h"
#include "base/options_int.h"

static void add_json_text(struct str text, struct buf *out)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20) {
            buf_addf(out, "\\u%04x", c);
        } else {
            buf_add_text(out, c == '"' || c == '\\' ? "\\" : "");
            buf_add_byte(out, (char)c);
        }
    }
    buf_add_byte(out, '"');
}

static void add_choices(const struct option *o, struct buf *out)
{
    buf_add_text(out, ",\"enum\":[");
    for (size_t i = 0; o->choices[i] != NULL; i++) {
        buf_add_text(out, i == 0 ? "" : ",");
        add_json_text(str_of(o->choices[i]), out);
    }
    buf_add_byte(out, ']');
}

static void add_range(const struct option *o, struct buf *out)
{
    bool is_number = o->type == OPTION_INT || o->type == OPTION_DOUBLE;

    if (is_number && o->max > o->min) {
        buf_add_text(out, ",\"minimum\":");
        buf_add_double(out, o->min);
        buf_add_text(out, ",\"maximum\":");
        buf_add_double(out, o->max);
    }
}

static void add_object(const struct option_table *t, struct buf *out);

static void add_value(const struct option *o, struct buf *out)
{
    buf_add_text(out, o->type == OPTION_TABLE ? "" : option_types[o->type].schema);
    if (o->type == OPTION_TABLE) {
        add_object(o->table, out);
    } else if (o->type == OPTION_TABLES) {
        buf_add_text(out, "\"type\":\"array\",\"items\":{");
        add_object(o->table, out);
        buf_add_byte(out, '}');
    } else if (o->type == OPTION_ENUM) {
        add_choices(o, out);
    }
    add_range(o, out);
}

static void add_property(struct str name, const struct option *o, const char *schema, bool *first,
                         struct buf *out)
{
    buf_add_text(out, *first ? "" : ",");
    *first = false;
    add_json_text(name, out);
    buf_add_text(out, ":{");
    if (schema != NULL) {
        buf_add_text(out, schema);
    } else {
        add_value(o, out);
    }
    bool has_value = schema != NULL || o->type != OPTION_NODE;
    if (o->help != NULL) {
        buf_add_text(out, has_value ? ",\"description\":" : "\"description\":");
        add_json_text(str_of(o->help), out);
    }
    if (o->fallback != NULL && schema == NULL) {
        buf_add_text(out, has_value || o->help != NULL ? ",\"default\":" : "\"default\":");
        add_json_text(str_of(o->fallback), out);
    }
    buf_add_byte(out, '}');
}

/* One spelling of a row; a secret may be given by name or by file too. */
static void add_spelling(const struct option *o, const char *name, bool *first, struct buf *out)
{
    static const char *const suffixes[] = {"_secret", "_file"};

    add_property(str_of(name), o, NULL, first, out);
    for (size_t i = 0; o->type == OPTION_SECRET && i < ARRAY_LEN(suffixes); i++) {
        AUTO(buf_release) struct buf key = BUF_INIT(BUF_SMALL);
        buf_addf(&key, "%s%s", name, suffixes[i]);
        add_property(buf_str(&key), o, "\"type\":\"string\"", first, out);
    }
}

/* Rows that have one spelling must be there; of the others the parser takes care. */
static void add_required(const struct option_table *t, struct buf *out)
{
    bool first = true;

    for (size_t i = 0; i < t->count; i++) {
        const struct option *o = &t->options[i];
        bool one_spelling = o->aliases == NULL && o->type != OPTION_SECRET;
        if ((o->flags & OPTION_REQUIRED) && one_spelling) {
            buf_add_text(out, first ? ",\"required\":[" : ",");
            first = false;
            add_json_text(str_of(o->name), out);
        }
    }
    buf_add_text(out, first ? "" : "]");
}

static void add_object(const struct option_table *t, struct buf *out)
{
    bool first = true;

    buf_add_text(out, "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t i = 0; i < t->count; i++) {
        const struct option *o = &t->options[i];
        add_spelling(o, o->name, &first, out);
        for (size_t a = 0; o->aliases != NULL && o->aliases[a] != NULL; a++) {
            add_spelling(o, o->aliases[a], &first, out);
        }
    }
    buf_add_byte(out, '}');
    add_required(t, out);
}

void options_print_schema(const struct option_table *table, struct buf *out)
{
    buf_add_byte(out, '{');
    add_object(table, out);
    buf_add_byte(out, '}');
}
