#include "base/number.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>

enum { WINDOW_BYTES = 60 };

/*
 * An answer is often one line of megabytes, so the error keeps only the bytes around the place.
 */
static void point_into(struct str text, size_t offset, struct err *e)
{
    size_t line_start = offset < text.len ? offset : text.len;
    uint32_t line = 1;

    while (line_start > 0 && text.ptr[line_start - 1] != '\n') {
        line_start--;
    }
    for (size_t i = 0; i < line_start; i++) {
        line += text.ptr[i] == '\n';
    }
    size_t from = offset - line_start > WINDOW_BYTES ? offset - WINDOW_BYTES : line_start;
    struct pos base = {line, (uint32_t)(from - line_start) + 1};
    err_point(e, str_slice(text, from, (size_t)WINDOW_BYTES * 2), offset - from, 1, base);
}

bool json_err_at(struct str text, size_t offset, struct err *e, enum err_code code, const char *fmt,
                 ...)
{
    char message[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    err_set(e, code, "%s at byte %zu", message, offset);
    point_into(text, offset, e);
    return false;
}

bool json_is_utf8(struct str text, struct err *e)
{
    size_t good = str_utf8_prefix(text);

    return good == text.len ||
           json_err_at(text, good, e, ERR_PARSE, "this is no UTF-8: found byte 0x%02x",
                       (unsigned)(unsigned char)text.ptr[good]);
}

static struct json_node *read_node(struct json_reader *r);

/* Appends children to <node> until its end. */
static void read_children(struct json_reader *r, struct json_node *node)
{
    struct json_node **link = &node->first;
    struct str key = STR("");
    bool is_object = node->kind == JSON_OBJECT;

    while (is_object ? json_next_key(r, &key) : json_next_item(r)) {
        struct json_node *child = read_node(r);
        child->key = key;
        *link = child;
        link = &child->next;
        node->count++;
        if (arena_over(r->arena)) {
            json_fail(r, ERR_LIMIT, "too large to keep in memory");
        }
    }
}

static void read_object(struct json_reader *r, struct json_node *node)
{
    if (json_open_object(r)) {
        read_children(r, node);
    }
}

static void read_array(struct json_reader *r, struct json_node *node)
{
    if (json_open_array(r)) {
        read_children(r, node);
    }
}

static void read_string(struct json_reader *r, struct json_node *node)
{
    (void)json_take_str(r, &node->text);
}

static void read_number(struct json_reader *r, struct json_node *node)
{
    (void)json_take_number(r, &node->text);
}

static void read_other(struct json_reader *r, struct json_node *node)
{
    (void)node;
    (void)json_skip(r);
}

static void (*const readers[])(struct json_reader *r, struct json_node *node) = {
    [JSON_NONE] = read_other,    [JSON_OBJECT] = read_object, [JSON_ARRAY] = read_array,
    [JSON_STRING] = read_string, [JSON_NUMBER] = read_number, [JSON_TRUE] = read_other,
    [JSON_FALSE] = read_other,   [JSON_NULL] = read_other,
};

/* The value that comes next, children and all; the reader's depth cap bounds the recursion. */
static struct json_node *read_node(struct json_reader *r)
{
    struct json_node *node = arena_new(r->arena, struct json_node);

    node->kind = json_peek(r);
    node->offset = (size_t)(r->at - r->start);
    readers[node->kind](r, node);
    return node;
}

bool json_parse(struct str text, struct arena *a, struct json_node **ret_root, struct err *e)
{
    struct json_reader r;

    json_read_init(&r, text, a, e);
    struct json_node *root = read_node(&r);
    if (!json_read_end(&r)) {
        return false;
    }
    *ret_root = root;
    return true;
}

const struct json_node *json_get(const struct json_node *node, struct str key)
{
    const struct json_node *found = NULL;

    if (node == NULL || node->kind != JSON_OBJECT) {
        return NULL;
    }
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        found = str_eq(child->key, key) ? child : found;
    }
    return found;
}

struct str json_get_str(const struct json_node *node, struct str key)
{
    const struct json_node *found = json_get(node, key);

    return found != NULL && found->kind == JSON_STRING ? found->text : STR("");
}

bool json_node_double(const struct json_node *node, double *ret_value)
{
    return node != NULL && node->kind == JSON_NUMBER && number_parse(node->text, ret_value);
}
