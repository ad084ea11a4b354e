#include "base/yaml_build.h"

static void event_release(yaml_event_t *event)
{
    yaml_event_delete(event);
}

bool yaml_next_event(struct yaml_builder *b, yaml_event_t *event)
{
    yaml_event_delete(event);
    if (yaml_parser_parse(&b->parser, event) == 0) {
        *event = (yaml_event_t){.type = YAML_NO_EVENT};
        return yaml_problem(&b->parser, b->source, &b->places, b->e);
    }
    return true;
}

static bool is_empty_document(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->style == YAML_PLAIN && node->text.len == 0;
}

static bool build_documents(struct yaml_builder *b, yaml_event_t *event,
                            struct yaml_node *documents)
{
    const struct yaml_node **tail = &documents->first;

    while (yaml_next_event(b, event)) {
        if (event->type == YAML_STREAM_END_EVENT) {
            return true;
        }
        if (event->type != YAML_DOCUMENT_START_EVENT) {
            continue; /* the start of the stream, the end of a document */
        }
        map_clear(&b->anchors);
        struct yaml_node *root = yaml_next_event(b, event) ? yaml_build_node(b, event, 0) : NULL;
        if (root == NULL) {
            return false;
        }
        if (!is_empty_document(root)) {
            *tail = root;
            tail = &root->next;
            documents->count++;
        }
    }
    return false;
}

/* libyaml would say so too, but in terms of its reader's buffer. */
static bool check_utf8(const struct yaml_source *source, struct str text, struct err *e)
{
    size_t at = 0;

    if (str_is_utf8(text)) {
        return true;
    }
    for (bool ok = true; ok;) {
        ok = false;
        for (size_t len = 1; len <= 4 && !ok; len++) {
            ok = at + len <= text.len && str_is_utf8(str_slice(text, at, len));
            at += ok ? len : 0;
        }
    }
    return yaml_err_offset(source, at, 1, e, ERR_PARSE,
                           "byte 0x%02x is not UTF-8: save the file as UTF-8",
                           (unsigned)(unsigned char)text.ptr[at]);
}

static bool run(struct yaml_builder *b, const struct yaml_node **ret_documents)
{
    AUTO(event_release) yaml_event_t event = {.type = YAML_NO_EVENT};
    struct yaml_node *documents = yaml_new_node(b, YAML_SEQUENCE, 0, b->places.text.len);

    if (documents == NULL || !build_documents(b, &event, documents)) {
        return false;
    }
    *ret_documents = documents;
    return true;
}

bool yaml_parse(struct arena *a, const struct yaml_source *source,
                const struct yaml_node **ret_documents, struct err *e)
{
    struct str text = yaml_source_text(source);
    struct yaml_builder b = {
        .arena = a,
        .source = source,
        .shift = source->text.len - text.len,
        .seed = (uint64_t)(uintptr_t)&b ^ (uint64_t)(uintptr_t)text.ptr << 16,
        .e = e,
    };

    if (!check_utf8(source, text, e) || !yaml_places_init(&b.places, text, e)) {
        return false;
    }
    if (yaml_parser_initialize(&b.parser) == 0) {
        yaml_places_release(&b.places);
        return err_set(e, ERR_LIMIT, "no memory to read YAML");
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text.ptr, text.len);
    map_init(&b.anchors, b.seed);
    bool ok = run(&b, ret_documents);
    map_release(&b.anchors);
    yaml_parser_delete(&b.parser);
    yaml_places_release(&b.places);
    return ok;
}
