/*
 * libyaml says what its grammar misses; people want to know which character to change. Rows are
 * tried in order; a row matches when libyaml's words hold its <problem> and its <applies>, if any,
 * agrees with the source around the place.
 */
#include "base/yaml_int.h"

struct problem {
    const yaml_parser_t *parser;
    struct str text;
    size_t at;    /* byte offset where libyaml noticed */
    size_t began; /* of the construct it was in, or <at> */
    uint32_t began_line;
};

struct row {
    const char *problem;
    bool (*applies)(const struct problem *);
    bool at_begin;   /* point to where the construct begins */
    bool says_begin; /* add the line where it begins */
    const char *message;
};

static struct str line_before(struct str text, size_t at)
{
    size_t start = at;

    while (start > 0 && text.ptr[start - 1] != '\n') {
        start--;
    }
    return str_slice(text, start, at - start);
}

static bool is_tab(const struct problem *p)
{
    return p->at < p->text.len && p->text.ptr[p->at] == '\t';
}

static bool is_template(const struct problem *p)
{
    struct str before = line_before(p->text, p->at);

    return str_find(before, STR(": {{")) != before.len ||
           str_find(before, STR("- {{")) != before.len;
}

static bool after_quote(const struct problem *p)
{
    struct str before = line_before(p->text, p->at);

    before = str_trim(before);
    return before.len > 0 &&
           (before.ptr[before.len - 1] == '"' || before.ptr[before.len - 1] == '\'');
}

static bool after_colon(const struct problem *p)
{
    struct str before = line_before(p->text, p->at);

    return str_find(before, STR(": ")) != before.len;
}

#define USE_QUOTES "put the text in quotes, or in a block after '|'"

static const struct row rows[] = {
    {"found character that cannot start any token", is_tab, false, false,
     "a tab is used as indentation: use spaces"},
    {"found a tab character", NULL, false, false, "a tab is used as indentation: use spaces"},
    {"found character that cannot start any token", NULL, false, false,
     "a text cannot begin with this character: put it in quotes"},
    {"mapping values are not allowed", after_colon, false, false,
     "a text without quotes cannot hold ': ': " USE_QUOTES},
    {"mapping values are not allowed", NULL, false, false,
     "a key cannot stand here: the line above has a value already, or the indentation is wrong"},
    {"block sequence entries are not allowed", NULL, false, false,
     "a list cannot begin here: put '- ' on a line of its own below the key"},
    {"did not find expected key", is_template, false, false,
     "a text that begins with '{{' needs quotes: without them '{' begins a mapping"},
    {"did not find expected key", after_quote, false, false,
     "text follows the closing quote: put all of it inside the quotes (in single quotes, write a "
     "quote as '')"},
    {"did not find expected key", NULL, false, true,
     "expected a key, indented like the others of its mapping"},
    {"did not find expected '-' indicator", NULL, false, true,
     "expected '- ', indented like the others of its list"},
    {"did not find expected ',' or ']'", NULL, false, true, "expected ',' or ']' of the list"},
    {"did not find expected ',' or '}'", NULL, false, true, "expected ',' or '}' of the mapping"},
    {"could not find expected ':'", NULL, true, false,
     "expected 'key: value', but there is no ': ' in this line"},
    {"found unexpected end of stream", NULL, true, false,
     "the quoted text that begins here does not end: add the closing quote"},
    {"found unexpected document indicator", NULL, true, false,
     "the quoted text that begins here does not end: add the closing quote"},
    {"found unknown escape character", NULL, false, false,
     "no such escape in a double-quoted text: write \\\\ for a backslash, or use single quotes"},
    {"did not find expected hexdecimal number", NULL, false, false,
     "expected hexadecimal digits after \\x (2), \\u (4) or \\U (8)"},
    {"found invalid Unicode character", NULL, false, false, "this escape is no Unicode character"},
    {"did not find expected alphabetic or numeric character", NULL, true, false,
     "'*' begins an alias and '&' an anchor, and a name must follow; put a text that begins so in "
     "quotes"},
    {"did not find expected comment or line break", NULL, false, false,
     "a block text begins on the line after '|' or '>'"},
    {"did not find expected node content", NULL, false, false,
     "expected a value: put a text that begins with this character in quotes"},
    {"did not find expected <document start>", NULL, false, false,
     "the document has ended: expected '---' before another one"},
    {"found undefined tag handle", NULL, false, false,
     "'!' begins a tag: put a text that begins so in quotes"},
};

static const struct row *find_row(const struct problem *p)
{
    struct str words = str_of(p->parser->problem);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_find(words, str_of(rows[i].problem)) != words.len &&
            (rows[i].applies == NULL || rows[i].applies(p))) {
            return &rows[i];
        }
    }
    return NULL;
}

/* Errors that libyaml's reader finds before there are characters: their place is in bytes. */
static bool reader_problem(const struct problem *p, const struct yaml_source *source, struct err *e)
{
    return yaml_err_offset(source, p->parser->problem_offset, 1, e, ERR_PARSE,
                           "this byte (0x%02x) cannot stand in YAML: %s",
                           (unsigned)p->parser->problem_value & 0xFFU, p->parser->problem);
}

bool yaml_problem(const yaml_parser_t *parser, const struct yaml_source *source,
                  const struct yaml_places *places, struct err *e)
{
    size_t at = yaml_places_offset(places, parser->problem_mark.index);
    bool in_construct = parser->context != NULL;
    size_t began = in_construct ? yaml_places_offset(places, parser->context_mark.index) : at;
    struct problem p = {parser, places->text, at, began, yaml_places_pos(places, began).line};

    if (parser->error == YAML_MEMORY_ERROR || parser->problem == NULL) {
        return err_set(e, ERR_LIMIT, "no memory to read YAML");
    }
    if (parser->error == YAML_READER_ERROR) {
        return reader_problem(&p, source, e);
    }
    const struct row *row = find_row(&p);
    if (row == NULL) {
        return yaml_err_offset(source, at, 1, e, ERR_PARSE, "%s%s%s",
                               in_construct ? parser->context : "", in_construct ? ": " : "",
                               parser->problem);
    }
    size_t place = row->at_begin ? began : at;
    if (row->says_begin) {
        return yaml_err_offset(source, place, 1, e, ERR_PARSE, "%s, which begins in line %u",
                               row->message, p.began_line);
    }
    return yaml_err_offset(source, place, 1, e, ERR_PARSE, "%s", row->message);
}
