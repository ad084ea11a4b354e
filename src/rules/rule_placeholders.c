/*
 * %{NAME} in rule files: the value of an environment variable, put in place before the YAML is read,
 * as vmalert does. In comments they are left alone; whether a # began one only the YAML can tell, so
 * what was left is looked for again in its texts.
 */
#include "rules/rule_int.h"

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

/* Bytes of the %{NAME} that <s> begins with; 0 when it begins with none. */
static size_t placeholder_length(struct str s)
{
    size_t at = 2;

    if (!str_starts(s, STR("%{"))) {
        return 0;
    }
    while (at < s.len && is_name_byte(s.ptr[at])) {
        at++;
    }
    return at > 2 && at < s.len && s.ptr[at] == '}' ? at + 1 : 0;
}

/* Does the byte at <at> stand behind a # that may begin a comment? */
static bool is_in_comment(struct str text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n') {
        at--;
        if (text.ptr[at] == '#' && (at == 0 || strchr(" \t\n", text.ptr[at - 1]) != NULL)) {
            return true;
        }
    }
    return false;
}

static const char *value_of(const struct rule_loader *l, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_str(&text, name);
    return l->options->lookup != NULL ? l->options->lookup(l->options->lookup_arg, buf_text(&text))
                                      : NULL;
}

static void report_unset(struct rule_loader *l, struct str text, size_t at, size_t length)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_CONFIG, "%.*s stands for the environment variable %.*s, which is not set",
                  (int)length, text.ptr + at, (int)(length - 3), text.ptr + at + 2);
    err_point(&e, text, at, length, (struct pos){1, 1});
    loader_error(l, &e);
}

/* One placeholder at <at>; false when it stays as it is because it may stand in a comment. */
static bool expand_one(struct rule_loader *l, struct str text, size_t at, size_t length,
                       struct buf *out)
{
    const char *value = value_of(l, str_slice(text, at + 2, length - 3));

    if (is_in_comment(text, at)) {
        buf_add_str(out, str_slice(text, at, length));
        return false;
    }
    if (value == NULL) {
        report_unset(l, text, at, length);
    } else {
        buf_add_text(out, value);
    }
    return true;
}

static size_t find_next(struct str text, size_t from)
{
    return from + str_find(str_slice(text, from, text.len), STR("%{"));
}

bool placeholders_expand(struct rule_loader *l, struct str text, struct buf *out, bool *ret_left)
{
    size_t errors = l->error_count;
    struct err e = ERR_INIT;
    size_t done = 0;

    *ret_left = false;
    for (size_t at = find_next(text, 0); at < text.len && !loader_is_done(l);) {
        size_t length = placeholder_length(str_slice(text, at, text.len));
        buf_add_str(out, str_slice(text, done, at - done));
        if (length > 0) {
            *ret_left = !expand_one(l, text, at, length, out) || *ret_left;
        } else {
            buf_add_text(out, "%{");
            length = 2;
        }
        done = at + length;
        at = find_next(text, done);
    }
    buf_add_str(out, str_slice(text, done, text.len));
    if (l->error_count == errors && !buf_ok(out)) {
        (void)err_set(&e, ERR_LIMIT, "with its variables the file has more than %d bytes",
                      RULE_FILE_MAX);
        loader_error(l, &e);
    }
    return l->error_count == errors;
}

static void check_text(struct rule_loader *l, const struct yaml_node *node)
{
    struct str text = node->text;
    struct err e = ERR_INIT;

    for (size_t at = find_next(text, 0); at < text.len; at = find_next(text, at + 2)) {
        size_t length = placeholder_length(str_slice(text, at, text.len));
        if (length > 0) {
            (void)yaml_err(node, &e, ERR_CONFIG,
                           "%.*s was not replaced, since a # before it in its line looks like the "
                           "beginning of a comment; put it into a line of its own",
                           (int)length, text.ptr + at);
            loader_error(l, &e);
            return;
        }
    }
}

void placeholders_check(struct rule_loader *l, const struct yaml_node *node)
{
    for (; node != NULL && !loader_is_done(l); node = node->next) {
        if (node->kind == YAML_SCALAR) {
            check_text(l, node);
        } else {
            placeholders_check(l, node->first);
        }
    }
}
