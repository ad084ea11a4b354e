#include "wire/note_push.h"

#include "wire/json.h"
#include "wire/note_json.h"
#include "wire/notes.h"

#include <string.h>

struct push_reader {
    struct str body;
    int64_t now_ns;
    struct arena *arena;
    struct note_push *push;
    struct err *err;
};

void note_push_release(struct note_push *push)
{
    for (size_t i = 0; i < push->notes.len; i++) {
        labels_unref(push->notes.items[i].labels);
    }
    vec_release(&push->notes);
}

/* ---- objects ---- */

static bool fail(struct push_reader *r, const struct json_node *at, const char *what)
{
    return json_err_at(r->body, at->offset, r->err, ERR_PARSE, "%s", what);
}

static bool kind_of(struct push_reader *r, const struct json_node *object, enum record_kind *ret)
{
    const struct json_node *kind = json_get(object, STR("kind"));

    if (kind == NULL) {
        bool is_span = json_get(object, STR("function_name")) != NULL ||
                       json_get(object, STR("execution_time_ms")) != NULL;
        *ret = is_span ? RECORD_SPAN : RECORD_PROFILE;
        return true;
    }
    if (str_eq(kind->text, STR("span"))) {
        *ret = RECORD_SPAN;
        return true;
    }
    *ret = RECORD_PROFILE;
    return str_eq(kind->text, STR("profile")) ||
           fail(r, kind, "expected the kind \"profile\" or \"span\"");
}

static bool take_object(struct push_reader *r, const struct json_node *object)
{
    enum record_kind kind = RECORD_PROFILE;
    struct note note;

    if (object->kind != JSON_OBJECT) {
        return fail(r, object, "expected an object: a profile or a span");
    }
    if (r->push->notes.len >= NOTE_PUSH_MAX) {
        return err_set(r->err, ERR_LIMIT, "more than %d records in one request; send less at once",
                       NOTE_PUSH_MAX);
    }
    if (!kind_of(r, object, &kind) ||
        !note_json_read(r->body, object, kind, r->now_ns, r->arena, &note, r->err)) {
        return false;
    }
    vec_push(&r->push->notes, note);
    return true;
}

/* ---- texts ---- */

/* Places in a tree are those in its own text; makes them those in the body. */
static void shift(struct json_node *node, size_t by)
{
    node->offset += by;
    for (struct json_node *n = node->first; n != NULL; n = n->next) {
        shift(n, by);
    }
}

static bool take_line(struct push_reader *r, struct str line)
{
    struct json_node *root = NULL;
    size_t at = (size_t)(line.ptr - r->body.ptr);

    if (!json_parse(line, r->arena, &root, r->err)) {
        return false;
    }
    shift(root, at);
    return take_object(r, root);
}

static bool take_lines(struct push_reader *r)
{
    struct str rest = r->body;
    struct str line;

    while (str_split(&rest, '\n', &line)) {
        struct str trimmed = str_trim(line);
        if (trimmed.len > 0 && !take_line(r, trimmed)) {
            return false;
        }
    }
    return true;
}

static bool take_array(struct push_reader *r, const struct json_node *root)
{
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        if (!take_object(r, n)) {
            return false;
        }
    }
    return true;
}

/* Is what stands before the first line's end a value? Then each line is to be one. */
static bool begins_with_line(struct push_reader *r)
{
    struct str text = str_trim(r->body);
    struct str line = str_trim(str_slice(text, 0, str_find_byte(text, '\n')));
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;

    return line.len < text.len && json_parse(line, r->arena, &root, &ignored);
}

/* One value, which may go over several lines; else a value to a line. */
static bool take_body(struct push_reader *r)
{
    struct json_node *root = NULL;
    struct err whole = ERR_INIT;

    if (json_parse(r->body, r->arena, &root, &whole)) {
        return root->kind == JSON_ARRAY ? take_array(r, root) : take_object(r, root);
    }
    if (!begins_with_line(r)) {
        *r->err = whole;
        return false;
    }
    return take_lines(r);
}

/* ---- parents ---- */

static bool is_called(const struct note *n, struct str name)
{
    return n->span != NULL && str_eq(n->name, name);
}

/* NULL: no span of the request is called so. */
static const struct note *find_parent(const struct note_push *push, size_t child, struct str name)
{
    for (size_t i = child; i-- > 0;) {
        if (is_called(&push->notes.items[i], name)) {
            return &push->notes.items[i];
        }
    }
    for (size_t i = child + 1; i < push->notes.len; i++) {
        if (is_called(&push->notes.items[i], name)) {
            return &push->notes.items[i];
        }
    }
    return NULL;
}

struct family {
    struct note_push *push;
    uint8_t *is_done;
};

static void adopt(struct span_part *child, const struct span_part *parent)
{
    memcpy(child->parent_id, parent->span_id, SPAN_ID_BYTES);
    if (span_id_is_none(child->trace_id, TRACE_ID_BYTES)) {
        memcpy(child->trace_id, parent->trace_id, TRACE_ID_BYTES);
    }
}

/* Has ids made from the root down; one that is its own ancestor stays a root. */
static void settle(const struct family *f, size_t at, unsigned depth)
{
    enum { DEPTH_MAX = 512 };
    const struct note *n = &f->push->notes.items[at];
    const struct note_field *said = note_get(n, STR("parent"));

    if (f->is_done[at] != 0 || n->span == NULL) {
        return;
    }
    f->is_done[at] = 1;
    struct span_part *own = (struct span_part *)(uintptr_t)n->span;
    bool is_open = said != NULL && said->type == NOTE_TEXT &&
                   span_id_is_none(own->parent_id, SPAN_ID_BYTES) &&
                   !span_id_parse(said->text, own->parent_id, SPAN_ID_BYTES);
    const struct note *parent = is_open ? find_parent(f->push, at, said->text) : NULL;
    if (parent != NULL && depth < DEPTH_MAX) {
        settle(f, (size_t)(parent - f->push->notes.items), depth + 1);
        adopt(own, parent->span);
    }
    span_fill_ids(n);
}

static void settle_all(struct note_push *push, struct arena *a)
{
    const struct family f = {push, arena_alloc0(a, push->notes.len, 1)};

    for (size_t i = 0; i < push->notes.len; i++) {
        settle(&f, i, 0);
    }
}

bool note_push_read(struct str body, int64_t now_ns, struct arena *a, struct note_push *ret_push,
                    struct err *e)
{
    struct note_push push = {0};
    struct push_reader r = {.body = body, .now_ns = now_ns, .arena = a, .push = &push, .err = e};

    if (!take_body(&r)) {
        note_push_release(&push);
        return false;
    }
    settle_all(&push, a);
    *ret_push = push;
    return true;
}

/* ---- batches ---- */

static bool is_of(const struct note *n, enum record_kind kind)
{
    return (n->span != NULL) == (kind == RECORD_SPAN);
}

struct batch *note_push_batch(const struct note_push *push, enum record_kind kind,
                              const struct batch_info *info)
{
    uint32_t count = 0;

    for (size_t i = 0; i < push->notes.len; i++) {
        count += is_of(&push->notes.items[i], kind);
    }
    if (count == 0) {
        return NULL;
    }
    struct batch *b = batch_new(notes_codec(kind), info);
    struct note *rows = arena_array(batch_arena(b), struct note, count);
    uint32_t at = 0;
    for (size_t i = 0; i < push->notes.len; i++) {
        if (is_of(&push->notes.items[i], kind)) {
            rows[at++] = note_copy(batch_arena(b), &push->notes.items[i]);
        }
    }
    batch_set_notes(b, (struct notes){.rows = rows, .count = count});
    return b;
}
