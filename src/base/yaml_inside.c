/*
 * From a place in a scalar's text to the place in the file. Folding, indentation and line ends
 * change white space only, so the n-th byte of the text that is not white space is the n-th such
 * element of the source, where an element is a byte or an escape.
 */
#include "base/attr.h"
#include "base/yaml_int.h"

/* The byte of <text> at line and column, clamped. */
static size_t offset_of_pos(struct str text, struct pos pos)
{
    size_t at = 0;

    for (uint32_t line = 1; line < pos.line && at < text.len; line++) {
        at += str_find_byte(str_slice(text, at, text.len), '\n') + 1;
    }
    at += pos.column > 0 ? pos.column - 1 : 0;
    return at < text.len ? at : text.len;
}

/*
 * One thing in the source: its length, and how many bytes of the text it makes that are no space.
 */
struct element {
    size_t length;
    size_t solid;
    bool known;
};

static struct element escape_element(struct str rest)
{
    static const char solid[] = "\"/\\";
    static const char blank[] = " \tntr\n\r";
    char c = rest.len > 1 ? rest.ptr[1] : '\0';

    if (c != '\0' && strchr(solid, c) != NULL) {
        return (struct element){2, 1, true};
    }
    return (struct element){2, 0, c != '\0' && strchr(blank, c) != NULL};
}

/* The element at the front of <rest>; <quote> is that around the scalar, or 0. */
static struct element next_element(struct str rest, char quote)
{
    if (quote == '"' && rest.ptr[0] == '\\') {
        return escape_element(rest);
    }
    if (quote == '\'' && str_starts(rest, STR("''"))) {
        return (struct element){2, 1, true};
    }
    return (struct element){1, yaml_is_space(rest.ptr[0]) ? 0 : 1, true};
}

/* The source offset of text[inside]; that of the scalar where it cannot be known. */
static size_t source_offset(const struct yaml_node *node, struct str source, size_t start,
                            size_t inside)
{
    char quote = '\0';
    size_t at = start;
    size_t solid = 0;

    if (node->style == YAML_QUOTED && start < source.len &&
        (source.ptr[start] == '"' || source.ptr[start] == '\'')) {
        quote = source.ptr[start];
        at++;
    }
    for (size_t i = 0; i < inside; i++) {
        solid += !yaml_is_space(node->text.ptr[i]);
    }
    bool wants_solid = inside < node->text.len && !yaml_is_space(node->text.ptr[inside]);
    while (at < source.len) {
        struct element element = next_element(str_slice(source, at, source.len), quote);
        if (!element.known) {
            return start;
        }
        if (solid == 0 && (element.solid > 0 || !wants_solid)) {
            return at;
        }
        solid -= element.solid;
        at += element.length;
    }
    return solid == 0 ? at : start;
}

void yaml_err_inside(const struct yaml_node *node, struct err *e)
{
    struct str source = yaml_source_text(node->source);
    size_t start = node->offset - (node->source->text.len - source.len);

    (void)err_in_file(e, node->source->file);
    if (node->kind != YAML_SCALAR || e->pos.line == 0) {
        yaml_point(node->source, start, node->length, e);
        return;
    }
    size_t inside = offset_of_pos(node->text, e->pos);
    size_t at = source_offset(node, source, start, inside);
    yaml_point(node->source, at, e->caret_len, e);
}
