#include "export/redact.h"

#include "base/arena.h"
#include "base/trace.h"
#include "net/url.h"
#include "wire/json.h"

static void add(struct json_writer *w, const struct json_node *n, bool is_secret);

static void add_children(struct json_writer *w, const struct json_node *n, bool is_secret)
{
    bool is_object = n->kind == JSON_OBJECT;

    (is_object ? json_begin_object : json_begin_array)(w);
    for (const struct json_node *i = n->first; i != NULL; i = i->next) {
        if (is_object) {
            json_key(w, i->key);
        }
        add(w, i, is_secret || (is_object && trace_key_is_secret(i->key)));
    }
    (is_object ? json_end_object : json_end_array)(w);
}

static void add_string(struct json_writer *w, const struct json_node *n, bool is_secret)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (is_secret) {
        json_add_text(w, "[redacted]");
    } else if (str_find(n->text, STR("://")) < n->text.len) {
        url_add_redacted(&text, n->text);
        json_add_str(w, buf_str(&text));
    } else {
        json_add_str(w, n->text);
    }
}

static void add_number(struct json_writer *w, const struct json_node *n, bool is_secret)
{
    if (is_secret) {
        json_add_text(w, "[redacted]");
    } else {
        json_add_raw(w, n->text);
    }
}

static void add_word(struct json_writer *w, const struct json_node *n, bool is_secret)
{
    (void)is_secret;
    if (n->kind == JSON_TRUE || n->kind == JSON_FALSE) {
        json_add_bool(w, n->kind == JSON_TRUE);
    } else {
        json_add_null(w);
    }
}

/* As deep as the tree, which the parser bounds. */
static void add(struct json_writer *w, const struct json_node *n, bool is_secret)
{
    static void (*const adders[])(struct json_writer *, const struct json_node *, bool) = {
        [JSON_NONE] = add_word,     [JSON_OBJECT] = add_children, [JSON_ARRAY] = add_children,
        [JSON_STRING] = add_string, [JSON_NUMBER] = add_number,   [JSON_TRUE] = add_word,
        [JSON_FALSE] = add_word,    [JSON_NULL] = add_word,
    };

    adders[n->kind](w, n, is_secret);
}

void redact_json(struct str json, struct buf *out)
{
    AUTO(arena_release) struct arena arena;
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;
    struct json_writer w;

    arena_init(&arena, ARENA_UNLIMITED);
    json_write_init(&w, out);
    if (json_parse(json, &arena, &root, &ignored)) {
        add(&w, root, false);
    } else {
        json_add_text(&w, "no JSON, not shown");
    }
}
