/* Any bytes as YAML: the tree's places must be those of the source, and errors must have one. */
#include "base/yaml.h"

#include <stdlib.h>

enum { WALK_MAX = 5000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_place(const struct yaml_source *source, struct pos pos, size_t offset)
{
    struct err e = ERR_INIT;
    bool has_mark = str_starts(source->text, STR("\xEF\xBB\xBF"));
    struct str text = str_slice(source->text, has_mark ? 3 : 0, source->text.len);

    check(offset <= source->text.len && offset >= source->text.len - text.len);
    err_point(&e, text, offset - (source->text.len - text.len), 1, (struct pos){1, 1});
    check(e.pos.line == pos.line && e.pos.column == pos.column);
}

static void check_inside(const struct yaml_node *node)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct err e = ERR_INIT;
        (void)err_set_at(&e, ERR_PARSE, (struct pos){i, i * 3}, "x");
        yaml_err_inside(node, &e);
        check(e.pos.line >= 1);
    }
}

static void check_reads(const struct yaml_node *node)
{
    struct err e = ERR_INIT;
    struct str text;
    bool b;
    int64_t n;
    double d;

    check(yaml_text(node, &text, &e) == (node->kind == YAML_SCALAR));
    check(yaml_bool(node, &b, &e) || e.pos.line == node->pos.line);
    check(yaml_i64(node, &n, &e) || e.pos.line == node->pos.line);
    check(yaml_double(node, &d, &e) || e.pos.line == node->pos.line);
    check(yaml_duration(node, &n, &e) || e.pos.line == node->pos.line);
    check(!yaml_key_err(node, &e, ERR_CONFIG, "x") && e.pos.line >= 1);
}

static void walk(const struct yaml_node *node, int depth, size_t *visits)
{
    check(depth <= YAML_DEPTH_MAX);
    if (++*visits > WALK_MAX) {
        return;
    }
    check_place(node->source, node->pos, node->offset);
    check_inside(node);
    check_reads(node);
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        check(node->kind != YAML_MAPPING || yaml_get(node, child->key) == child);
        walk(child, depth + 1, visits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct yaml_source source = {.file = STR("fuzz"), .text = {(const char *)data, size}};
    struct err e = ERR_INIT;
    const struct yaml_node *documents;
    struct arena arena;
    size_t visits = 0;

    arena_init(&arena, (size_t)16 << 20);
    if (yaml_parse(&arena, &source, &documents, &e)) {
        check(e.code == ERR_NONE);
        walk(documents, 0, &visits);
    } else {
        check(e.code == ERR_PARSE || e.code == ERR_LIMIT);
        check(e.pos.line >= 1 && e.message[0] != '\0');
    }
    arena_release(&arena);
    return 0;
}
