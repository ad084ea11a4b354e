/* ${VAR}, ${VAR:-default} and $${ in texts. */
#include "base/options_int.h"

enum { NAME_MAX_BYTES = 200, EXPANDED_MAX = 1 << 20 };

static bool is_name_byte(char c, bool first)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

    return is_letter || (!first && c >= '0' && c <= '9');
}

const char *options_lookup(const struct options_run *r, const char *name)
{
    return r->source->lookup != NULL ? r->source->lookup(r->source->arg, name) : NULL;
}

struct reference {
    struct str name;
    struct str fallback;
    bool has_fallback;
    size_t length; /* with ${ and } */
};

/* Length of the variable name at the front of <s>. */
static size_t name_length(struct str s)
{
    size_t n = 0;

    while (n < s.len && n < NAME_MAX_BYTES && is_name_byte(s.ptr[n], n == 0)) {
        n++;
    }
    return n;
}

/* What follows "${" and a name; false when it is not closed. */
static bool read_reference(struct str rest, struct reference *ret)
{
    size_t name = name_length(str_slice(rest, 2, rest.len));
    struct str after = str_slice(rest, 2 + name, rest.len);
    size_t close = str_find_byte(after, '}');
    bool has_fallback = str_starts(after, STR(":-"));

    if (close == after.len || (close != 0 && !has_fallback)) {
        return false;
    }
    *ret = (struct reference){
        .name = str_slice(rest, 2, name),
        .fallback = has_fallback ? str_slice(after, 2, close - 2) : STR(""),
        .has_fallback = has_fallback,
        .length = 2 + name + close + 1,
    };
    return true;
}

/* Moves the error to node->text[offset]. Always false. */
static bool err_inside(const struct options_run *r, const struct yaml_node *node, size_t offset,
                       size_t len)
{
    err_point(r->e, node->text, offset, len, (struct pos){1, 1});
    yaml_err_inside(node, r->e);
    return false;
}

/* The value of the reference at node->text[at], and how long the reference is. */
static bool resolve(const struct options_run *r, const struct yaml_node *node, size_t at,
                    struct str *ret_value, size_t *ret_length)
{
    struct str rest = str_slice(node->text, at, node->text.len);
    struct reference reference;

    if (!read_reference(rest, &reference)) {
        (void)err_set(r->e, ERR_CONFIG,
                      "a variable is written ${NAME} or ${NAME:-default}; for the text '${' itself "
                      "write $${");
        return err_inside(r, node, at, 2 + name_length(str_slice(rest, 2, rest.len)));
    }
    const char *value = options_lookup(r, arena_text(r->arena, reference.name));
    if (value == NULL && !reference.has_fallback) {
        (void)err_set(r->e, ERR_CONFIG,
                      "environment variable %.*s is not set: set it, or write ${%.*s:-default}",
                      STR_FMT(reference.name), STR_FMT(reference.name));
        return err_inside(r, node, at, reference.length);
    }
    *ret_value = value != NULL ? str_of(value) : reference.fallback;
    *ret_length = reference.length;
    return true;
}

/* Appends the text of <node> with references resolved. */
static bool expand_into(const struct options_run *r, const struct yaml_node *node, struct buf *out)
{
    struct str text = node->text;
    size_t at = 0;

    while (at < text.len) {
        struct str rest = str_slice(text, at, text.len);
        size_t dollar = str_find_byte(rest, '$');
        struct str value = STR("");
        size_t length = 0;
        buf_add_str(out, str_slice(rest, 0, dollar));
        rest = str_slice(rest, dollar, rest.len);
        if (str_starts(rest, STR("$${"))) {
            value = STR("${");
            length = 3;
        } else if (str_starts(rest, STR("${")) && name_length(str_slice(rest, 2, rest.len)) > 0) {
            if (!resolve(r, node, at + dollar, &value, &length)) {
                return false;
            }
        } else if (rest.len > 0) {
            value = str_slice(rest, 0, 1);
            length = 1;
        }
        buf_add_str(out, value);
        at += dollar + length;
    }
    return true;
}

bool options_expand(const struct options_run *r, const struct yaml_node *node, struct str *ret_text,
                    bool *ret_expanded)
{
    struct str text = STR("");

    if (!yaml_text(node, &text, r->e)) {
        return false;
    }
    *ret_expanded = str_find(text, STR("${")) != text.len;
    if (!*ret_expanded) {
        *ret_text = text;
        return true;
    }
    AUTO(buf_release) struct buf out = BUF_INIT(EXPANDED_MAX);
    if (!expand_into(r, node, &out)) {
        return false;
    }
    if (!buf_ok(&out)) {
        return yaml_err(node, r->e, ERR_LIMIT, "the text has more than %d bytes with its variables",
                        EXPANDED_MAX);
    }
    *ret_text = arena_dup(r->arena, buf_str(&out));
    return true;
}
