#include "export/payload.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/json.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

enum part_kind { PART_OBJECT, PART_ARRAY, PART_RAW, PART_TEMPLATE };

/* A node of the payload; parts live in its arena. */
struct part {
    enum part_kind kind;
    struct str key;
    struct str raw; /* PART_RAW: JSON */
    struct template *template;
    struct part *first;
    struct part *next;
};

struct payload {
    struct arena arena;
    struct part *root;
    bool is_text;
};

/* ---- compiling ---- */

static bool compile_part(struct payload *p, const struct yaml_node *node, struct part **ret_part,
                         struct err *e);

static bool compile_children(struct payload *p, const struct yaml_node *node, struct part *part,
                             struct err *e)
{
    struct part **tail = &part->first;

    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        if (!compile_part(p, child, tail, e)) {
            return false;
        }
        (*tail)->key = child->key;
        tail = &(*tail)->next;
    }
    return true;
}

/* NaN, 0x10 and 1_000 are numbers elsewhere. */
static bool is_json_number(struct str text)
{
    struct err ignored = ERR_INIT;
    struct json_reader r;
    struct str number;

    json_read_init(&r, text, NULL, &ignored);
    return json_take_number(&r, &number) && json_read_end(&r);
}

/* A scalar that is no text: a plain number, true, false, null. */
static bool is_bare(const struct yaml_node *node)
{
    bool is_word = str_eq(node->text, STR("true")) || str_eq(node->text, STR("false"));

    return node->style == YAML_PLAIN && (is_word || is_json_number(node->text));
}

static bool compile_leaf(struct payload *p, const struct yaml_node *node, struct part *part,
                         struct err *e)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct str text;

    if (yaml_is_null(node) || is_bare(node)) {
        part->kind = PART_RAW;
        part->raw = yaml_is_null(node) ? STR("null") : node->text;
        return true;
    }
    part->kind = PART_TEMPLATE;
    if (!template_compile_record(node->key.len > 0 ? node->key : STR("payload"), node->text,
                                 &part->template, e)) {
        yaml_err_inside(node, e);
        return false;
    }
    if (!p->is_text && template_is_text(part->template, &text)) {
        json_print_str(&json, text);
        part->raw = arena_dup(&p->arena, buf_str(&json));
        part->kind = PART_RAW;
        template_free(TAKE(part->template));
    }
    return true;
}

static bool compile_part(struct payload *p, const struct yaml_node *node, struct part **ret_part,
                         struct err *e)
{
    struct part *part = arena_new(&p->arena, struct part);

    *part = (struct part){.kind = node->kind == YAML_MAPPING ? PART_OBJECT : PART_ARRAY};
    *ret_part = part;
    return node->kind == YAML_SCALAR ? compile_leaf(p, node, part, e)
                                     : compile_children(p, node, part, e);
}

static void free_templates(struct part *part)
{
    for (; part != NULL; part = part->next) {
        template_free(part->template);
        free_templates(part->first);
    }
}

void payload_free(struct payload *p)
{
    if (p != NULL) {
        free_templates(p->root);
        arena_release(&p->arena);
        mem_free(p);
    }
}

bool payload_compile(const struct yaml_node *node, struct payload **ret_payload, struct err *e)
{
    AUTO(payload_autofree) struct payload *p = mem_new(struct payload);

    arena_init(&p->arena, ARENA_UNLIMITED);
    p->is_text = node->kind == YAML_SCALAR;
    if (!compile_part(p, node, &p->root, e)) {
        return false;
    }
    *ret_payload = TAKE(p);
    return true;
}

bool payload_compile_text(struct str name, struct str text, struct payload **ret_payload,
                          struct err *e)
{
    AUTO(payload_autofree) struct payload *p = mem_new(struct payload);

    arena_init(&p->arena, ARENA_UNLIMITED);
    p->is_text = true;
    p->root = arena_new(&p->arena, struct part);
    p->root->kind = PART_TEMPLATE;
    if (!template_compile_record(name, text, &p->root->template, e)) {
        return false;
    }
    *ret_payload = TAKE(p);
    return true;
}

bool payload_check(const struct yaml_node *node, struct err *e)
{
    AUTO(payload_autofree) struct payload *p = NULL;

    return node == NULL || payload_compile(node, &p, e);
}

bool payload_is_text(const struct payload *p)
{
    return p->is_text;
}

/* ---- the record as templates see it ---- */

static struct template_item item_number(const struct json_node *n)
{
    struct template_item item = {.kind = ITEM_INTEGER};

    if (!number_parse_i64(n->text, &item.integer)) {
        item.kind = number_parse(n->text, &item.number) ? ITEM_NUMBER : ITEM_NONE;
    }
    return item;
}

static struct template_item item_of(const struct json_node *n)
{
    if (n == NULL || n->kind == JSON_NULL) {
        return (struct template_item){.kind = ITEM_NONE};
    }
    if (n->kind == JSON_NUMBER) {
        return item_number(n);
    }
    if (n->kind == JSON_STRING) {
        return (struct template_item){.kind = ITEM_TEXT, .text = n->text};
    }
    if (n->kind == JSON_TRUE || n->kind == JSON_FALSE) {
        return (struct template_item){.kind = ITEM_FLAG, .integer = n->kind == JSON_TRUE};
    }
    return (struct template_item){.kind = ITEM_OBJECT, .object = n};
}

static struct template_item object_get(const void *object, struct str name)
{
    return item_of(json_get(object, name));
}

static bool object_at(const void *object, size_t i, struct str *ret_name,
                      struct template_item *ret_item)
{
    const struct json_node *n = ((const struct json_node *)object)->first;

    for (; n != NULL && i > 0; i--) {
        n = n->next;
    }
    if (n == NULL) {
        return false;
    }
    *ret_name = n->key;
    *ret_item = item_of(n);
    return true;
}

static void object_print(const void *object, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_add_node(&w, object);
}

static const struct template_objects json_objects = {object_get, object_at, object_print};

/* ---- writing ---- */

void payload_host_init(struct payload_host *h)
{
    struct utsname name;

    *h = (struct payload_host){.host = {.version = STR(TELEX_VERSION), .pid = getpid()}};
    if (uname(&name) != 0) {
        return;
    }
    (void)snprintf(h->os, sizeof(h->os), "%s", name.sysname);
    (void)snprintf(h->os_release, sizeof(h->os_release), "%s", name.release);
    (void)snprintf(h->arch, sizeof(h->arch), "%s", name.machine);
    (void)snprintf(h->hostname, sizeof(h->hostname), "%s", name.nodename);
    h->host.os = str_of(h->os);
    h->host.os_release = str_of(h->os_release);
    h->host.arch = str_of(h->arch);
    h->host.hostname = str_of(h->hostname);
}

void payload_writer_init(struct payload_writer *w, const struct payload *p)
{
    *w = (struct payload_writer){.payload = p, .text = BUF_INIT(PAYLOAD_BYTES_MAX)};
    payload_host_init(&w->host);
    arena_init(&w->arena, ARENA_UNLIMITED);
}

void payload_writer_release(struct payload_writer *w)
{
    arena_release(&w->arena);
    buf_release(&w->text);
}

/* What all templates of one record are rendered with. */
struct rendering {
    struct payload_writer *writer;
    struct template_data data;
    struct template_world world;
    struct err *err;
};

static bool add_template(struct rendering *r, const struct part *part, struct json_writer *w)
{
    struct buf *text = &r->writer->text;
    enum template_item_kind kind = ITEM_TEXT;

    buf_clear(text);
    if (!template_evaluate(part->template, &r->data, &r->world, text, &kind, r->err)) {
        return false;
    }
    if (kind == ITEM_NONE) {
        json_add_null(w);
    } else if (kind == ITEM_TEXT || (kind == ITEM_NUMBER && !is_json_number(buf_str(text)))) {
        json_add_str(w, buf_str(text));
    } else {
        json_add_raw(w, buf_str(text));
    }
    return true;
}

static bool add_part(struct rendering *r, const struct part *part, struct json_writer *w)
{
    bool is_object = part->kind == PART_OBJECT;

    if (part->kind == PART_RAW) {
        json_add_raw(w, part->raw);
        return true;
    }
    if (part->kind == PART_TEMPLATE) {
        return add_template(r, part, w);
    }
    (is_object ? json_begin_object : json_begin_array)(w);
    for (const struct part *in = part->first; in != NULL; in = in->next) {
        if (is_object) {
            json_key(w, in->key);
        }
        if (!add_part(r, in, w)) {
            return false;
        }
    }
    (is_object ? json_end_object : json_end_array)(w);
    return true;
}

static bool add_text(struct rendering *r, struct buf *out)
{
    const struct part *root = r->writer->payload->root;

    if (root->kind == PART_RAW) {
        buf_add_str(out, root->raw);
        return true;
    }
    return template_render(root->template, &r->data, &r->world, out, r->err);
}

bool payload_add(struct payload_writer *w, struct str object, int64_t wall_ns, struct buf *out,
                 struct err *e)
{
    struct rendering r = {
        .writer = w,
        .data = {.now_ns = wall_ns, .objects = &json_objects},
        .world = {.wall_ns = wall_ns, .dialect = TEMPLATE_PROMETHEUS, .host = &w->host.host},
        .err = e,
    };
    struct json_node *root = NULL;
    struct json_writer json;
    size_t start = out->len;

    arena_reset(&w->arena);
    if (!json_parse(object, &w->arena, &root, e)) {
        return false;
    }
    r.data.object = root;
    json_write_init(&json, out);
    if (w->payload->is_text ? add_text(&r, out) : add_part(&r, w->payload->root, &json)) {
        return true;
    }
    buf_truncate(out, start);
    return false;
}
