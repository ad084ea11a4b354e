/*
 * What the tree accepts, skipping accepts; written again from the tree and read again, it is the same
 * tree. A text that skipping refuses, the tree refuses.
 */
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_node(struct json_writer *w, const struct json_node *node)
{
    bool is_object = node->kind == JSON_OBJECT;

    switch (node->kind) {
    case JSON_OBJECT:
        json_begin_object(w);
        break;
    case JSON_ARRAY:
        json_begin_array(w);
        break;
    case JSON_STRING:
        json_add_str(w, node->text);
        return;
    case JSON_NUMBER:
        json_add_raw(w, node->text);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_add_bool(w, node->kind == JSON_TRUE);
        return;
    case JSON_NULL:
    case JSON_NONE:
        json_add_null(w);
        return;
    }
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        if (is_object) {
            json_key(w, child->key);
        }
        write_node(w, child);
    }
    if (is_object) {
        json_end_object(w);
    } else {
        json_end_array(w);
    }
}

static bool node_eq(const struct json_node *a, const struct json_node *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    if (str_is_utf8(a->text) && str_is_utf8(a->key) &&
        (!str_eq(a->text, b->text) || !str_eq(a->key, b->key))) {
        return false;
    }
    const struct json_node *y = b->first;
    for (const struct json_node *x = a->first; x != NULL; x = x->next) {
        if (!node_eq(x, y)) {
            return false;
        }
        y = y->next;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct str text = str_make((const char *)data, size);
    struct json_node *root = NULL;
    struct json_node *again = NULL;
    struct json_reader r;
    struct json_writer w;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = json_parse(text, &a, &root, &e);
    json_read_init(&r, text, &a, &e);
    INVARIANT((json_skip(&r) && json_read_end(&r)) == ok);
    if (ok) {
        json_write_init(&w, &out);
        write_node(&w, root);
        INVARIANT(json_parse(buf_str(&out), &a, &again, &e));
        INVARIANT(node_eq(root, again));
    }
    return 0;
}
