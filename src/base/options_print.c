/* What people read: help for a terminal, and the reference page. */
#include "base/attr.h"
#include "base/options_int.h"

enum { WIDTH = 90, INDENT = 6 };

/* Rows are told in three groups; those for compatibility come last and only on the page. */
struct group {
    const char *title; /* NULL: none */
    unsigned flags;    /* of OPTION_ADVANCED | OPTION_HIDDEN */
};

static const struct group groups[] = {
    {NULL, 0}, {"Advanced", OPTION_ADVANCED}, {"Accepted for compatibility", OPTION_HIDDEN}};

static unsigned group_flags(const struct option *o)
{
    return (o->flags & OPTION_HIDDEN) ? OPTION_HIDDEN : o->flags & OPTION_ADVANCED;
}

/* The rows of a group; a table in a table is told under dotted names. */
typedef void (*row_printer)(const struct option *o, const char *prefix, struct buf *out);

static bool print_rows(const struct option_table *t, const char *prefix, unsigned inherited,
                       const struct group *g, row_printer print, struct buf *out, bool dry)
{
    bool any = false;

    for (size_t i = 0; i < t->count; i++) {
        const struct option *o = &t->options[i];
        unsigned flags = group_flags(o) > inherited ? group_flags(o) : inherited;
        bool is_row = o->type != OPTION_TABLE && flags == g->flags;
        if (is_row) {
            any = true;
            if (!dry) {
                print(o, prefix, out);
            }
        }
        if (o->table != NULL) {
            AUTO(buf_release) struct buf inner = BUF_INIT(BUF_SMALL);
            buf_addf(&inner, "%s%s%s.", prefix, o->name, o->type == OPTION_TABLES ? "[]" : "");
            any = print_rows(o->table, buf_text(&inner), flags, g, print, out, dry) || any;
        }
    }
    return any;
}

static void add_type(const struct option *o, struct buf *out)
{
    if (o->type != OPTION_ENUM) {
        buf_add_text(out, option_types[o->type].name);
        return;
    }
    for (size_t i = 0; o->choices[i] != NULL; i++) {
        buf_addf(out, "%s%s", i == 0 ? "" : " or ", o->choices[i]);
    }
}

static void add_range(const struct option *o, struct buf *out)
{
    if (o->max > o->min) {
        buf_add_text(out, ", ");
        options_add_amount(o, o->min, out);
        buf_add_text(out, " to ");
        options_add_amount(o, o->max, out);
    }
}

/* <text> in lines of WIDTH, indented. */
static void add_wrapped(struct str text, struct buf *out)
{
    size_t column = 0;
    struct str word;

    while (str_split(&text, ' ', &word)) {
        if (column == 0 || column + 1 + word.len > WIDTH) {
            buf_add_text(out, column == 0 ? "" : "\n");
            buf_add_repeat(out, ' ', INDENT);
            column = INDENT;
        } else {
            buf_add_byte(out, ' ');
            column++;
        }
        buf_add_str(out, word);
        column += word.len;
    }
    buf_add_byte(out, '\n');
}

static void add_aliases(const struct option *o, const char *before, const char *quote,
                        struct buf *out)
{
    for (size_t i = 0; o->aliases != NULL && o->aliases[i] != NULL; i++) {
        buf_addf(out, "%s%s%s%s", i == 0 ? before : ", ", quote, o->aliases[i], quote);
    }
}

static void print_help_row(const struct option *o, const char *prefix, struct buf *out)
{
    buf_addf(out, "  %s%s (", prefix, o->name);
    add_type(o, out);
    add_range(o, out);
    if (o->flags & OPTION_REQUIRED) {
        buf_add_text(out, ", required");
    } else if (o->fallback != NULL) {
        buf_addf(out, ", default %s", o->fallback);
    }
    buf_add_text(out, ")\n");
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    buf_add_text(&text, o->help != NULL ? o->help : "");
    add_aliases(o, " Also called ", "`", &text);
    buf_add_text(&text, o->aliases != NULL ? "." : "");
    add_wrapped(buf_str(&text), out);
}

void options_print_help(const struct option_table *table, struct buf *out)
{
    buf_addf(out, "%s", table->name);
    if (table->help != NULL) {
        buf_addf(out, ": %s", table->help);
    }
    buf_add_byte(out, '\n');
    for (size_t i = 0; i < ARRAY_LEN(groups) && groups[i].flags != OPTION_HIDDEN; i++) {
        if (!print_rows(table, "", 0, &groups[i], print_help_row, out, true)) {
            continue;
        }
        buf_add_byte(out, '\n');
        if (groups[i].title != NULL) {
            buf_addf(out, "%s:\n\n", groups[i].title);
        }
        (void)print_rows(table, "", 0, &groups[i], print_help_row, out, false);
    }
}

/* A bar would end the cell. */
static void add_cell(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        buf_add_text(out, *text == '|' ? "\\" : "");
        buf_add_byte(out, *text);
    }
}

static void print_markdown_row(const struct option *o, const char *prefix, struct buf *out)
{
    buf_addf(out, "| `%s%s` | ", prefix, o->name);
    add_type(o, out);
    add_range(o, out);
    buf_add_text(out, " | ");
    if (o->flags & OPTION_REQUIRED) {
        buf_add_text(out, "*required*");
    } else if (o->fallback != NULL && o->fallback[0] != '\0') {
        buf_add_byte(out, '`');
        add_cell(o->fallback, out);
        buf_add_byte(out, '`');
    }
    buf_add_text(out, " | ");
    add_cell(o->help != NULL ? o->help : "", out);
    add_aliases(o, " Also called ", "`", out);
    buf_add_text(out, o->aliases != NULL ? ". |\n" : " |\n");
}

void options_print_markdown(const struct option_table *table, struct buf *out)
{
    if (table->help != NULL) {
        buf_addf(out, "%s\n", table->help);
    }
    for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
        if (!print_rows(table, "", 0, &groups[i], print_markdown_row, out, true)) {
            continue;
        }
        if (groups[i].title != NULL) {
            buf_addf(out, "\n%s:\n", groups[i].title);
        }
        buf_add_text(out, "\n| option | type | default | meaning |\n|---|---|---|---|\n");
        (void)print_rows(table, "", 0, &groups[i], print_markdown_row, out, false);
    }
}
