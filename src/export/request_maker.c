#include "export/request_maker.h"

#include "base/mem.h"
#include "export/payload.h"
#include "net/http_client.h"
#include "net/url.h"
#include "wire/record_json.h"

#include <string.h>

const char *const request_alias_payload[] = {"payload_transformer", "body", NULL};

/* ---- texts with actions between ---- */

/* A literal and the action behind it, which has a template of its own: so its value can be escaped. */
struct piece {
    struct str literal;
    struct payload *action; /* NULL: the end */
    struct payload_writer writer;
};

struct pieces {
    struct piece *items;
    size_t count;
};

struct templated_header {
    struct str name;
    struct pieces value;
};

struct request_templates {
    struct pieces path;
    struct templated_header headers[REQUEST_HEADERS_MAX];
    size_t header_count;
    struct payload *payload; /* or NULL */
    struct payload_writer writer;
    struct buf object; /* the record's JSON */
    struct buf value;  /* of an action */
    struct buf address;
    struct buf next_address;
};

static void pieces_release(struct pieces *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->items[i].action != NULL) {
            payload_writer_release(&p->items[i].writer);
            payload_free(p->items[i].action);
        }
    }
    mem_free(p->items);
    *p = (struct pieces){0};
}

static bool has_action(struct str text)
{
    return str_find(text, STR("{{")) < text.len;
}

/* Compiles the action that begins <rest>, and cuts it off. */
static bool take_action(struct str name, struct str *rest, struct piece *piece, struct err *e)
{
    size_t end = str_find(*rest, STR("}}"));

    if (end == rest->len) {
        return err_set(e, ERR_CONFIG, "%.*s: '%.*s' has no end; expected }}", STR_FMT(name),
                       STR_FMT(*rest));
    }
    if (!payload_compile_text(name, str_slice(*rest, 0, end + 2), &piece->action, e)) {
        return err_wrap(e, "%.*s", STR_FMT(name));
    }
    payload_writer_init(&piece->writer, piece->action);
    *rest = str_slice(*rest, end + 2, rest->len);
    return true;
}

static bool pieces_compile(struct str name, struct str text, struct pieces *ret, struct err *e)
{
    *ret = (struct pieces){.items = mem_alloc0(REQUEST_PIECES_MAX, sizeof(struct piece))};
    while (text.len > 0) {
        size_t at = str_find(text, STR("{{"));
        if (ret->count == REQUEST_PIECES_MAX) {
            return err_set(e, ERR_CONFIG, "%.*s: more than %d actions", STR_FMT(name),
                           REQUEST_PIECES_MAX);
        }
        struct piece *piece = &ret->items[ret->count++];
        piece->literal = str_slice(text, 0, at);
        text = str_slice(text, at, text.len);
        if (text.len > 0 && !take_action(name, &text, piece, e)) {
            return false;
        }
    }
    return true;
}

/* ---- all of a config ---- */

static void templates_free(struct request_templates *t)
{
    if (t == NULL) {
        return;
    }
    pieces_release(&t->path);
    for (size_t i = 0; i < t->header_count; i++) {
        pieces_release(&t->headers[i].value);
    }
    if (t->payload != NULL) {
        payload_writer_release(&t->writer);
        payload_free(t->payload);
    }
    buf_release(&t->object);
    buf_release(&t->value);
    buf_release(&t->address);
    buf_release(&t->next_address);
    mem_free(t);
}

static bool compile_headers(struct request_templates *t, const struct option_map *headers,
                            struct err *e)
{
    for (size_t i = 0; i < headers->count; i++) {
        const struct option_pair *h = &headers->items[i];
        if (!has_action(h->value)) {
            continue;
        }
        if (t->header_count == REQUEST_HEADERS_MAX) {
            return err_set(e, ERR_CONFIG, "more than %d headers that are templates",
                           REQUEST_HEADERS_MAX);
        }
        struct templated_header *header = &t->headers[t->header_count++];
        header->name = h->name;
        if (!pieces_compile(h->name, h->value, &header->value, e)) {
            return false;
        }
    }
    return true;
}

static bool compile(const struct request_options *options, const struct option_map *headers,
                    struct request_templates *t, struct err *e)
{
    if (!pieces_compile(STR("path"), options->path, &t->path, e) ||
        !compile_headers(t, headers, e)) {
        return false;
    }
    if (options->payload == NULL) {
        return true;
    }
    if (!payload_compile(options->payload, &t->payload, e)) {
        return false;
    }
    payload_writer_init(&t->writer, t->payload);
    return true;
}

static struct request_templates *templates_new(const struct request_options *options,
                                               const struct option_map *headers, struct err *e)
{
    struct request_templates *t = mem_new(struct request_templates);

    buf_init(&t->object, BUF_UNLIMITED);
    buf_init(&t->value, PAYLOAD_BYTES_MAX);
    buf_init(&t->address, BUF_UNLIMITED);
    buf_init(&t->next_address, BUF_UNLIMITED);
    if (!compile(options, headers, t, e)) {
        templates_free(t);
        return NULL;
    }
    return t;
}

bool request_maker_check(const struct request_options *options, const struct option_map *headers,
                         const struct yaml_node *node, struct err *e)
{
    struct err why = ERR_INIT;
    bool is_path = options->path.len == 0 || strchr("/?", options->path.ptr[0]) != NULL;

    if (!is_path) {
        return yaml_err(node, e, ERR_CONFIG, "path '%.*s' begins with neither / nor ?",
                        STR_FMT(options->path));
    }
    if (!payload_check(options->payload, e)) {
        return false;
    }
    struct request_options texts = *options;
    texts.payload = NULL;
    struct request_templates *t = templates_new(&texts, headers, &why);
    templates_free(t);
    return t != NULL || yaml_err(node, e, ERR_CONFIG, "%s%s%s", why.context,
                                 why.context[0] != 0 ? ": " : "", why.message);
}

/* ---- one record ---- */

/* What is being made. */
struct making {
    struct request_templates *t; /* or NULL */
    const struct request_shape *shape;
    struct record_objects *objects;
    struct export_request *ret;
};

static bool render(struct request_templates *t, struct piece *piece, int64_t now_ns, struct err *e)
{
    buf_clear(&t->value);
    return payload_add(&piece->writer, buf_str(&t->object), now_ns, &t->value, e);
}

/* A segment of dots alone would climb in the path. */
static bool add_path_value(struct str value, bool in_query, struct buf *out, struct err *e)
{
    if (!in_query && (str_eq(value, STR(".")) || str_eq(value, STR("..")))) {
        return err_set(e, ERR_CONFIG, "path: '%.*s' is no value of a segment", STR_FMT(value));
    }
    url_add_escaped(out, value, in_query ? URL_QUERY : URL_SEGMENT);
    return true;
}

static bool add_path(struct making *m, struct buf *out, struct err *e)
{
    struct request_templates *t = m->t;
    bool in_query = false;

    for (size_t i = 0; i < t->path.count; i++) {
        struct piece *piece = &t->path.items[i];
        buf_add_str(out, piece->literal);
        in_query = in_query || str_find_byte(piece->literal, '?') < piece->literal.len;
        if (piece->action != NULL && (!render(t, piece, m->ret->now_ns, e) ||
                                      !add_path_value(buf_str(&t->value), in_query, out, e))) {
            return false;
        }
    }
    return true;
}

static void add_header_value(struct str value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        buf_add_byte(out, (char)(c < 0x20 || c == 0x7F ? ' ' : c));
    }
}

static bool add_header(struct making *m, struct templated_header *h, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < h->value.count; i++) {
        struct piece *piece = &h->value.items[i];
        buf_add_str(out, piece->literal);
        if (piece->action != NULL) {
            if (!render(m->t, piece, m->ret->now_ns, e)) {
                return false;
            }
            add_header_value(buf_str(&m->t->value), out);
        }
    }
    return true;
}

/* The path and the values of headers, on a line each. */
static bool add_address(struct making *m, struct buf *out, struct err *e)
{
    buf_clear(out);
    if (!add_path(m, out, e)) {
        return false;
    }
    for (size_t i = 0; i < m->t->header_count; i++) {
        buf_add_byte(out, '\n');
        if (!add_header(m, &m->t->headers[i], out, e)) {
            return false;
        }
    }
    return true;
}

static void set_address(struct making *m)
{
    struct str rest = arena_dup(m->ret->arena, buf_str(&m->t->address));
    struct str line = STR("");

    (void)str_split(&rest, '\n', &m->ret->path);
    for (size_t i = 0; i < m->t->header_count && str_split(&rest, '\n', &line); i++) {
        m->ret->headers[m->ret->header_count++] =
            (struct export_header){m->t->headers[i].name, str_trim(line)};
    }
}

/* Appends what is sent of an object. */
static bool add_object(struct making *m, uint32_t row, uint32_t part, struct err *e)
{
    struct request_templates *t = m->t;

    if (t == NULL) {
        record_objects_add(m->objects, row, part, &m->ret->body);
        return true;
    }
    if (t->payload != NULL) {
        return payload_add(&t->writer, buf_str(&t->object), m->ret->now_ns, &m->ret->body, e);
    }
    buf_add_str(&m->ret->body, buf_str(&t->object));
    return true;
}

/* Makes the object and sees whether it goes where the request goes, which the first decides. */
static bool fits(struct making *m, uint32_t row, uint32_t part, bool is_first, bool *ret_fits,
                 struct err *e)
{
    struct request_templates *t = m->t;

    *ret_fits = true;
    if (t == NULL) {
        return true;
    }
    buf_clear(&t->object);
    record_objects_add(m->objects, row, part, &t->object);
    if (!add_address(m, is_first ? &t->address : &t->next_address, e)) {
        return false;
    }
    *ret_fits = is_first || str_eq(buf_str(&t->address), buf_str(&t->next_address));
    return true;
}

/* Appends all objects of a row; false: none of it is there. */
static bool add_row(struct making *m, uint32_t row, uint32_t *count, bool *ret_fits, struct err *e)
{
    size_t before = m->ret->body.len;
    uint32_t began = *count;
    uint32_t parts = record_objects_count(m->objects, row);

    *ret_fits = true;
    for (uint32_t part = 0; part < parts; part++) {
        bool ok = fits(m, row, part, *count == 0, ret_fits, e);
        if (ok && *ret_fits) {
            buf_add_text(&m->ret->body, *count == 0 ? "" : m->shape->is_lines ? "\n" : ",");
            ok = add_object(m, row, part, e);
        }
        if (!ok || !*ret_fits) {
            buf_truncate(&m->ret->body, before);
            *count = began;
            return ok;
        }
        ++*count;
    }
    return true;
}

/* ---- requests ---- */

static bool is_single(const struct making *m)
{
    return m->shape->rows_max == 1 || m->ret->part > 0;
}

static void open_body(struct making *m)
{
    buf_clear(&m->ret->body);
    buf_add_text(&m->ret->body, m->shape->rows_max == 1 || m->shape->is_lines ? "" : "[");
}

static void close_body(struct making *m)
{
    const char *end = m->shape->is_lines ? "\n" : "]";

    buf_add_text(&m->ret->body, m->shape->rows_max == 1 ? "" : end);
}

/* One object; a record that makes several makes several requests. After one that cannot be made, the next
 * record begins with a request of its own, which counts its parts anew. */
static uint32_t make_one(struct making *m, uint32_t *row, struct outcome *out)
{
    uint32_t part = m->ret->part++;
    struct err e = ERR_INIT;
    bool ignored = false;

    open_body(m);
    bool ok = fits(m, *row, part, true, &ignored, &e) && add_object(m, *row, part, &e);
    close_body(m);
    if (!ok) {
        outcome_except(out, *row, VERDICT_REJECTED, e.message);
    }
    *row += !ok || m->ret->part >= record_objects_count(m->objects, *row);
    return ok;
}

/* Does not move *row where already the objects of the first record go to different places. */
static uint32_t make_many(struct making *m, uint32_t *row, struct outcome *out)
{
    uint32_t first = *row;
    uint32_t count = 0;
    bool still_fits = true;

    open_body(m);
    while (*row < m->objects->view.n && *row - first < m->shape->rows_max &&
           m->ret->body.len < REQUEST_BODY_MAX) {
        struct err e = ERR_INIT;
        if (!add_row(m, *row, &count, &still_fits, &e)) {
            outcome_except(out, *row, VERDICT_REJECTED, e.message);
        } else if (!still_fits) {
            break;
        }
        ++*row;
    }
    close_body(m);
    return count;
}

/* How many objects the request has; 0: nothing is to be sent of the rows that *row moved past. */
static uint32_t make(struct making *m, uint32_t *row, struct outcome *out)
{
    uint32_t first = *row;

    while (*row < m->objects->view.n && record_objects_count(m->objects, *row) == 0) {
        ++*row;
    }
    if (*row == m->objects->view.n) {
        return 0;
    }
    if (is_single(m)) {
        return make_one(m, row, out);
    }
    uint32_t began = *row;
    uint32_t count = make_many(m, row, out);
    bool is_apart = count == 0 && *row == began;
    return is_apart && began == first ? make_one(m, row, out) : count;
}

bool request_maker_next(const struct request_options *options, const struct request_shape *shape,
                        struct view view, uint32_t *row, struct export_request *ret,
                        struct outcome *out, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};
    struct making m = {options->made, shape, &objects, ret};

    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    if (make(&m, row, out) == 0) {
        buf_clear(&ret->body);
        return true;
    }
    ret->method = shape->method;
    ret->encoding = shape->encoding;
    if (m.t != NULL) {
        set_address(&m);
    }
    if (shape->type.len > 0) {
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), shape->type};
    }
    return true;
}

/* ---- answers ---- */

const struct status_rule request_maker_statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},     {401, 401, VERDICT_HALT},
    {403, 403, VERDICT_HALT},      {405, 405, VERDICT_HALT},     {408, 408, VERDICT_RETRY},
    {410, 410, VERDICT_HALT},      {415, 415, VERDICT_HALT},     {425, 425, VERDICT_RETRY},
    {429, 429, VERDICT_RETRY},     {400, 499, VERDICT_REJECTED}, {0, 999, VERDICT_RETRY},
};

void request_maker_judge(const struct request_options *options, const struct export_answer *answer,
                         struct outcome *out)
{
    if (answer->status == 404 && options->path.len == 0) {
        out->rest = VERDICT_HALT;
    }
}

/* ---- the leaf ---- */

/* Around the HTTP sink, which has no place for what a config becomes. */
struct made_sink {
    struct sink super;
    struct sink *inner;
    struct request_templates *templates;
    void *config; /* a copy */
};

static void made_deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct sink *inner = ((struct made_sink *)sink)->inner;

    inner->ops->deliver(inner, view, wait, ret);
}

static enum probed made_probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(((struct made_sink *)sink)->inner, wait, e);
}

static void made_close(struct sink *sink)
{
    struct made_sink *s = (struct made_sink *)sink;

    sink_close(s->inner);
    templates_free(s->templates);
    mem_free(s->config);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = made_deliver, .probe = made_probe, .close = made_close};

static bool has_templates(const struct request_options *options, const struct option_map *headers)
{
    bool has = options->path.len > 0 || options->payload != NULL;

    for (size_t i = 0; i < headers->count; i++) {
        has = has || has_action(headers->items[i].value);
    }
    return has;
}

bool request_maker_open(const struct http_exporter *http, const struct exporter_place *place,
                        const void *config, size_t config_size, size_t options_offset,
                        struct sink **ret_sink, struct err *e)
{
    const struct request_options *options = (const void *)((const char *)config + options_offset);
    const struct http_client_config *client =
        (const void *)((const char *)config + http->client_offset);

    if (!has_templates(options, &client->headers)) {
        return http_sink_open(http, place, config, ret_sink, e);
    }
    struct request_templates *t = templates_new(options, &client->headers, e);
    if (t == NULL) {
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct made_sink *s = mem_new(struct made_sink);
    s->super.ops = &ops;
    s->templates = t;
    s->config = mem_dup(config, config_size);
    ((struct request_options *)(void *)((char *)s->config + options_offset))->made = t;
    if (!http_sink_open(http, place, s->config, &s->inner, e)) {
        made_close(&s->super);
        return false;
    }
    *ret_sink = &s->super;
    return true;
}
