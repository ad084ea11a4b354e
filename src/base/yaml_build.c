/* Nodes from events: scalars, aliases, lists; mappings are in yaml_mapping.c. */
#include "base/yaml_build.h"

/* From anchors and tags at <at> to what they belong to. */
static size_t skip_properties(struct str text, size_t at)
{
    while (at < text.len && (text.ptr[at] == '&' || text.ptr[at] == '!')) {
        while (at < text.len && !yaml_is_space(text.ptr[at])) {
            at++;
        }
        while (at < text.len && (yaml_is_space(text.ptr[at]) || text.ptr[at] == '#')) {
            at += text.ptr[at] == '#' ? str_find_byte(str_slice(text, at, text.len), '\n') : 1;
        }
    }
    return at;
}

/*
 * From the '|' or '>' at <at> to the first byte of content that is not blank; <at> if there is
 * none.
 */
static size_t block_content(struct str text, size_t at, size_t end)
{
    size_t i = at + str_find_byte(str_slice(text, at, text.len), '\n');

    while (i < end && yaml_is_space(text.ptr[i])) {
        i++;
    }
    return i < end ? i : at;
}

bool yaml_count_nodes(struct yaml_builder *b, size_t count, size_t offset)
{
    b->nodes += count;
    if (b->nodes > YAML_NODES_MAX) {
        return yaml_err_offset(
            b->source, offset, 1, b->e, ERR_LIMIT,
            "the YAML has more than %d values, aliases resolved: split it, or use "
            "fewer aliases",
            YAML_NODES_MAX);
    }
    if (arena_over(b->arena)) {
        return yaml_err_offset(
            b->source, offset, 1, b->e, ERR_LIMIT,
            "the YAML needs more than the %zu bytes of memory it may take: split it",
            b->arena->cap_bytes);
    }
    return true;
}

struct yaml_node *yaml_new_node(struct yaml_builder *b, enum yaml_kind kind, size_t offset,
                                size_t end)
{
    struct yaml_node *node = arena_new(b->arena, struct yaml_node);

    node->kind = kind;
    node->source = b->source;
    node->pos = yaml_places_pos(&b->places, offset);
    node->offset = offset + b->shift;
    node->length = end > offset ? end - offset : 1;
    return yaml_count_nodes(b, 1, offset) ? node : NULL;
}

static struct yaml_anchor *open_anchor(struct yaml_builder *b, const yaml_char_t *name)
{
    if (name == NULL) {
        return NULL;
    }
    struct yaml_anchor *anchor = arena_new(b->arena, struct yaml_anchor);
    struct str key = arena_dup(b->arena, str_of((const char *)name));
    (void)map_del(&b->anchors, key);
    (void)map_put(&b->anchors, key, anchor);
    return anchor;
}

static bool reach_depth(struct yaml_builder *b, int depth, size_t offset)
{
    if (depth >= YAML_DEPTH_MAX) {
        return yaml_err_offset(b->source, offset, 1, b->e, ERR_LIMIT,
                               "lists and mappings are nested more than %d deep", YAML_DEPTH_MAX);
    }
    b->deepest = depth > b->deepest ? depth : b->deepest;
    return true;
}

static struct yaml_node *build_alias(struct yaml_builder *b, const yaml_event_t *event, int depth)
{
    struct str name = str_of((const char *)event->data.alias.anchor);
    struct yaml_anchor *anchor = map_get(&b->anchors, name);
    size_t at = yaml_start_of(b, event);

    if (anchor == NULL) {
        (void)yaml_err_offset(b->source, at, name.len + 1, b->e, ERR_PARSE,
                              "unknown alias '*%.*s': expected an anchor '&%.*s' before it, or "
                              "quotes around a text that begins with '*'",
                              STR_FMT(name), STR_FMT(name));
        return NULL;
    }
    if (anchor->node == NULL) {
        (void)yaml_err_offset(b->source, at, name.len + 1, b->e, ERR_PARSE,
                              "alias '*%.*s' stands inside the value that it names", STR_FMT(name));
        return NULL;
    }
    if (!yaml_count_nodes(b, anchor->nodes, at) || !reach_depth(b, depth + anchor->height, at)) {
        return NULL;
    }
    struct yaml_node *copy = arena_new(b->arena, struct yaml_node);
    *copy = *anchor->node;
    copy->next = NULL;
    return copy;
}

#define TAG_PREFIX "tag:yaml.org,2002:"

/* Only the tags of YAML's own types are known; those that say "text" make the scalar one. */
static bool check_tag(struct yaml_builder *b, const yaml_event_t *event, const yaml_char_t *tag,
                      bool *ret_is_text)
{
    static const char *const known[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    struct str name = str_of((const char *)tag);

    *ret_is_text = str_eq(name, STR("!")) || str_eq(name, STR(TAG_PREFIX "str"));
    if (tag == NULL || str_eq(name, STR("!"))) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(known) && str_starts(name, STR(TAG_PREFIX)); i++) {
        if (str_eq(str_slice(name, strlen(TAG_PREFIX), name.len), str_of(known[i]))) {
            return true;
        }
    }
    return yaml_err_offset(
        b->source, yaml_start_of(b, event), 1, b->e, ERR_PARSE,
        "unknown tag '%.*s': remove it, or put a text that begins with '!' in quotes",
        STR_FMT(str_slice(name, 0, 60)));
}

static enum yaml_style style_of(yaml_scalar_style_t style)
{
    if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
        return YAML_BLOCK;
    }
    return style == YAML_PLAIN_SCALAR_STYLE || style == YAML_ANY_SCALAR_STYLE ? YAML_PLAIN
                                                                              : YAML_QUOTED;
}

static struct yaml_node *build_scalar(struct yaml_builder *b, const yaml_event_t *event)
{
    enum yaml_style style = style_of(event->data.scalar.style);
    size_t at = skip_properties(b->places.text, yaml_start_of(b, event));
    size_t end = yaml_end_of(b, event);
    bool is_text;

    if (!check_tag(b, event, event->data.scalar.tag, &is_text)) {
        return NULL;
    }
    if (style == YAML_BLOCK) {
        at = block_content(b->places.text, at, end);
        end = at + str_find_byte(str_slice(b->places.text, at, end - at), '\n');
    }
    struct yaml_node *node = yaml_new_node(b, YAML_SCALAR, at, end);
    if (node == NULL) {
        return NULL;
    }
    node->style = is_text && style == YAML_PLAIN ? YAML_QUOTED : style;
    node->text = arena_dup(
        b->arena, str_make((const char *)event->data.scalar.value, event->data.scalar.length));
    return node;
}

static bool fill_sequence(struct yaml_builder *b, yaml_event_t *event, int depth,
                          struct yaml_node *node)
{
    const struct yaml_node **tail = &node->first;

    while (yaml_next_event(b, event)) {
        if (event->type == YAML_SEQUENCE_END_EVENT) {
            return true;
        }
        struct yaml_node *child = yaml_build_node(b, event, depth + 1);
        if (child == NULL) {
            return false;
        }
        *tail = child;
        tail = &child->next;
        node->count++;
    }
    return false;
}

static struct yaml_node *build_collection(struct yaml_builder *b, yaml_event_t *event, int depth)
{
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *tag =
        is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    size_t at = skip_properties(b->places.text, yaml_start_of(b, event));
    bool is_text;

    if (!check_tag(b, event, tag, &is_text)) {
        return NULL;
    }
    struct yaml_node *node = yaml_new_node(b, is_mapping ? YAML_MAPPING : YAML_SEQUENCE, at, at);
    if (node == NULL || !(is_mapping ? yaml_fill_mapping(b, event, depth, node)
                                     : fill_sequence(b, event, depth, node))) {
        return NULL;
    }
    size_t end = yaml_end_of(b, event);
    node->length = end > at ? end - at : 1;
    return node;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static struct yaml_node *build_any(struct yaml_builder *b, yaml_event_t *event, int depth)
{
    if (event->type == YAML_ALIAS_EVENT) {
        return build_alias(b, event, depth);
    }
    if (event->type == YAML_SCALAR_EVENT) {
        return build_scalar(b, event);
    }
    return build_collection(b, event, depth);
}

struct yaml_node *yaml_build_node(struct yaml_builder *b, yaml_event_t *event, int depth)
{
    struct yaml_anchor *anchor = open_anchor(b, anchor_of(event));
    size_t nodes_before = b->nodes;
    int deepest_before = b->deepest;

    b->deepest = depth;
    struct yaml_node *node =
        reach_depth(b, depth, yaml_start_of(b, event)) ? build_any(b, event, depth) : NULL;
    if (node != NULL && anchor != NULL) {
        anchor->node = node;
        anchor->nodes = b->nodes - nodes_before;
        anchor->height = b->deepest - depth;
    }
    if (b->deepest < deepest_before) {
        b->deepest = deepest_before;
    }
    return node;
}
