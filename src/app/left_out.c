/*
 * Invariants
 *   1. Only members of mappings are left out, and the root's children: a list with one item less means
 *      something else.
 *   2. A mapping that something was left out of, and all around it but the root of a list, is blunt: what is said
 *      of itself and names what was left out is no news.
 */
#include "app/left_out.h"

enum { DEPTH_MAX = 64 };

/* From a child of the root to the node that a mistake is at. */
struct trail {
    const struct yaml_node *nodes[DEPTH_MAX];
    size_t len;
};

static bool is_before(struct pos a, struct pos b)
{
    return a.line < b.line || (a.line == b.line && a.column < b.column);
}

/* The child of <node> that the place of <e> is in; NULL when it is in none. */
static const struct yaml_node *child_at(const struct yaml_node *node, const struct err *e)
{
    const struct yaml_node *found = NULL;

    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        struct pos start = node->kind == YAML_MAPPING ? n->key_pos : n->pos;
        if (is_before(e->pos, start)) {
            break;
        }
        found = n;
    }
    return found;
}

/* Is the place of <e> in the text that <node> is from? */
static bool is_in_file_of(const struct yaml_node *node, const struct err *e)
{
    return node != NULL && e->pos.line > 0 &&
           str_starts(node->source->file, str_of(e->file)); /* it may be cut */
}

static void find_trail(const struct yaml_node *node, const struct err *e, struct trail *ret)
{
    ret->len = 0;
    while (is_in_file_of(node, e) && ret->len < DEPTH_MAX) {
        node = child_at(node, e);
        if (node == NULL) {
            return;
        }
        ret->nodes[ret->len++] = node;
    }
}

/* ---- what is blunt ---- */

static bool is_blunt(const struct left_out *l, const struct yaml_node *node)
{
    for (size_t i = 0; i < l->blunt_count; i++) {
        if (l->blunt[i] == node->offset) {
            return true;
        }
    }
    return false;
}

static void make_blunt(struct left_out *l, const struct yaml_node *node)
{
    if (l->blunt_count < sizeof(l->blunt) / sizeof(l->blunt[0]) && !is_blunt(l, node)) {
        l->blunt[l->blunt_count++] = node->offset;
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Does the message name <key> in quotes, not as a part of a word? */
static bool names(struct str message, struct str key)
{
    size_t at = str_find(message, key);

    while (at < message.len) {
        size_t end = at + key.len;
        if (at > 0 && message.ptr[at - 1] == '\'' &&
            (end == message.len || !is_word(message.ptr[end]))) {
            return true;
        }
        at += 1 + str_find(str_slice(message, at + 1, message.len), key);
    }
    return false;
}

static bool names_left_out(const struct left_out *l, const struct err *e)
{
    struct str message = str_of(e->message);

    for (size_t i = 0; i < l->count; i++) {
        if ((l->names[i].len > 0 && names(message, l->names[i])) ||
            (l->instead[i].len > 0 && names(message, l->instead[i]))) {
            return true;
        }
    }
    return false;
}

bool left_out_explains(const struct left_out *l, const struct yaml_node *node, const struct err *e)
{
    struct trail t;

    if (l->count == 0 || !names_left_out(l, e)) {
        return false;
    }
    find_trail(node, e, &t);
    return e->code == ERR_CONFLICT || /* it names what is not there any more */
           (t.len > 0 ? is_blunt(l, t.nodes[t.len - 1]) : !l->is_list);
}

/* ---- what is left ---- */

static bool is_same(const struct yaml_node *a, const struct yaml_node *b)
{
    return a->key_offset == b->key_offset && a->offset == b->offset;
}

/* <node> with <instead> where <child> is; NULL: with nothing there. */
static const struct yaml_node *exchange(struct arena *a, const struct yaml_node *node,
                                        const struct yaml_node *child,
                                        const struct yaml_node *instead)
{
    struct yaml_node *copy = arena_new(a, struct yaml_node);
    const struct yaml_node **tail = &copy->first;

    *copy = *node;
    copy->count = 0;
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        const struct yaml_node *from = is_same(n, child) ? instead : n;
        if (from != NULL) {
            struct yaml_node *kept = arena_new(a, struct yaml_node);
            *kept = *from;
            *tail = kept;
            tail = &kept->next;
            copy->count++;
        }
    }
    *tail = NULL;
    return copy;
}

/* The last of the trail that can be left out: a member of a mapping, or a child of the root. */
static size_t last_part(const struct trail *t)
{
    size_t i = t->len - 1;

    while (i > 0 && t->nodes[i - 1]->kind != YAML_MAPPING) {
        i--;
    }
    return i;
}

/* Of a member its key; of an item of the list of exporters what it says. */
static struct str name_of(const struct yaml_node *node)
{
    const struct yaml_node *name =
        node->key.len == 0 && node->kind == YAML_MAPPING ? yaml_get(node, STR("name")) : NULL;

    return name != NULL ? name->text : node->key;
}

/* "url" of "... did you mean 'url'?" */
static struct str suggestion_of(const struct err *e)
{
    const struct str before = STR("did you mean '");
    struct str message = str_of(e->message);
    size_t at = str_find(message, before);
    struct str rest = at < message.len ? str_slice(message, at + before.len, message.len) : STR("");

    return str_slice(rest, 0, str_find_byte(rest, '\''));
}

const struct yaml_node *left_out_without(struct left_out *l, const struct yaml_node *node,
                                         const struct err *e)
{
    const struct yaml_node *rest = NULL;
    struct trail t;

    find_trail(node, e, &t);
    if (t.len == 0 || l->count == LEFT_OUT_MAX) {
        return NULL;
    }
    size_t part = last_part(&t);
    l->names[l->count] = name_of(t.nodes[part]);
    l->instead[l->count++] = arena_dup(l->arena, suggestion_of(e));
    for (size_t i = part; i-- > 0;) {
        make_blunt(l, t.nodes[i]);
        rest = exchange(l->arena, t.nodes[i], t.nodes[i + 1], rest);
    }
    return exchange(l->arena, node, t.nodes[0], rest);
}
