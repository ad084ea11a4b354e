/* Trees, places and errors of YAML, by tables. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ARENA_CAP ((size_t)64 << 20)

struct parsed {
    struct arena arena;
    struct yaml_source source;
    const struct yaml_node *documents;
    struct err e;
    bool ok;
};

static void parse_str(struct parsed *p, struct str text)
{
    *p = (struct parsed){.source = {.file = STR("rules.yaml"), .text = text}};
    arena_init(&p->arena, ARENA_CAP);
    p->ok = yaml_parse(&p->arena, &p->source, &p->documents, &p->e);
    assert_int_equal(p->ok, p->e.code == ERR_NONE);
}

static void parsed_release(struct parsed *p)
{
    arena_release(&p->arena);
}

/* The root of the only document. */
static const struct yaml_node *parse(struct parsed *p, const char *text)
{
    parse_str(p, str_of(text));
    if (!p->ok || p->documents->count != 1) {
        fail_msg("%s: %s", text, p->e.message);
    }
    return p->documents->first;
}

/* [a,{k:v}] on one line; quoted scalars in "", blocks in ||. */
static void dump(const struct yaml_node *node, struct buf *out)
{
    static const char *const quotes[] = {
        [YAML_PLAIN] = "", [YAML_QUOTED] = "\"", [YAML_BLOCK] = "|"};
    bool is_mapping = node->kind == YAML_MAPPING;

    if (node->kind == YAML_SCALAR) {
        buf_addf(out, "%s%.*s%s", quotes[node->style], STR_FMT(node->text), quotes[node->style]);
        return;
    }
    size_t count = 0;
    buf_add_byte(out, is_mapping ? '{' : '[');
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        buf_add_text(out, count++ ? "," : "");
        if (is_mapping) {
            buf_addf(out, "%.*s:", STR_FMT(child->key));
        }
        dump(child, out);
    }
    assert_int_equal(count, node->count);
    buf_add_byte(out, is_mapping ? '}' : ']');
}

struct tree_case {
    const char *text;
    const char *tree; /* of the list of documents */
};

static const struct tree_case tree_cases[] = {
    {"", "[]"},
    {"# only a comment\n", "[]"},
    {"---\n---\na\n---\n", "[a]"},
    {"a: 1\n---\n- b\n...\n---\nc\n", "[{a:1},[b],c]"},
    {"a: 1\nb: 'x'\nc: \"y\\n\"\nd: |\n  z\ne:\n", "[{a:1,b:\"x\",c:\"y\n\",d:|z\n|,e:}]"},
    {"{a: [1, 2, {b: c}], d: {}, e: []}", "[{a:[1,2,{b:c}],d:{},e:[]}]"},
    {"a: &x {b: 1}\nc: *x\nd: [*x, *x]", "[{a:{b:1},c:{b:1},d:[{b:1},{b:1}]}]"},
    {"a: &x 1\nb: &x 2\nc: *x", "[{a:1,b:2,c:2}]"},
    {"a: &x k\n*x : v", "[{a:k,k:v}]"},
    {"b: &b {x: 1, y: 2}\nm:\n  <<: *b\n  y: 3\n  z: 4", "[{b:{x:1,y:2},m:{y:3,z:4,x:1}}]"},
    {"m:\n  z: 1\n  <<: [{x: 1, y: 2}, {x: 8, z: 9, w: 0}]", "[{m:{z:1,x:1,y:2,w:0}}]"},
    {"m: {\"<<\": 3}", "[{m:{<<:3}}]"},
    {"a: !!str 123\nb: !!int 4\nc: ! 5", "[{a:\"123\",b:4,c:\"5\"}]"},
    {"\xEF\xBB\xBF"
     "a: 1",
     "[{a:1}]"},
    {"a: 1\r\nb: 2\r\n", "[{a:1,b:2}]"},
    {"a: >-\n  x\n  y\n\n  z\n", "[{a:|x y\nz|}]"},
    {"\"\": 1\n? k\n", "[{:1,k:}]"},
    {"a: {x: 1,\n\ty: 2}", "[{a:{x:1,y:2}}]"},
};

static void trees_are_built(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tree_cases); i++) {
        AUTO(parsed_release) struct parsed p;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        parse_str(&p, str_of(tree_cases[i].text));
        if (!p.ok) {
            fail_msg("%s: %s", tree_cases[i].text, p.e.message);
        }
        dump(p.documents, &out);
        assert_string_equal(buf_text(&out), tree_cases[i].tree);
    }
}

struct error_case {
    const char *text;
    uint32_t line;
    uint32_t column;
    const char *message; /* its beginning */
};

static const struct error_case error_cases[] = {
    {"a: b\n\tc: d\n", 2, 1, "a tab is used as indentation: use spaces"},
    {"a:\n\tc: d\n", 2, 1, "a tab is used as indentation: use spaces"},
    {"a:\n  - x\n\t- y\n", 3, 1, "a tab is used as indentation: use spaces"},
    {"a: |\n  x\n\ty\n", 3, 1, "a tab is used as indentation: use spaces"},
    {"expr: sum(x) by (y): 3\n", 1, 20,
     "a text without quotes cannot hold ': ': put the text in quotes"},
    {"a: b\n  c: d\n", 2, 4, "a key cannot stand here: the line above has a value already"},
    {"x: - a\n", 1, 4, "a list cannot begin here: put '- ' on a line of its own below the key"},
    {"a: {{ $v }}\n", 1, 4, "a text that begins with '{{' needs quotes"},
    {"a: {{ $v }} is high\n", 1, 4, "a text that begins with '{{' needs quotes"},
    {"a: {{$v}} is high\n", 1, 4, "a text that begins with '{{' needs quotes"},
    {"a: \"b\" c\n", 1, 8, "text follows the closing quote: put all of it inside the quotes"},
    {"a: 'it's'\n", 1, 8, "text follows the closing quote: put all of it inside the quotes"},
    {"a:\n  b: 1\n c: 2\n", 3, 2,
     "expected a key, indented like the others of its mapping, which begins in line 1"},
    {"a:\n  - x\n  b: c\n", 3, 3,
     "expected '- ', indented like the others of its list, which begins in line 2"},
    {"a: [1, 2\nb: c\n", 2, 2, "expected ',' or ']' of the list, which begins in line 1"},
    {"a: {x: 1\nb: c\n", 2, 2, "expected ',' or '}' of the mapping, which begins in line 1"},
    {"a: b\nfoo\n", 2, 1, "expected 'key: value', but there is no ': ' in this line"},
    {"a: \"xyz\nb: c\n", 1, 4, "the quoted text that begins here does not end"},
    {"a: 'x\n---\n", 1, 4, "the quoted text that begins here does not end"},
    {"a: \"x\\dy\"\n", 1, 6, "no such escape in a double-quoted text: write \\\\ for a backslash"},
    {"a: \"\\u12\"\n", 1, 7, "expected hexadecimal digits after \\x (2), \\u (4) or \\U (8)"},
    {"a: \"\\ud800\"\n", 1, 7, "this escape is no Unicode character"},
    {"a: @x\n", 1, 4, "a text cannot begin with this character: put it in quotes"},
    {"a: %x\n", 1, 4, "a text cannot begin with this character: put it in quotes"},
    {"a: `x`\n", 1, 4, "a text cannot begin with this character: put it in quotes"},
    {"a: *.foo\n", 1, 4, "'*' begins an alias and '&' an anchor"},
    {"a: |x\n  foo\n", 1, 5, "a block text begins on the line after '|' or '>'"},
    {"a: ]\n", 1, 4, "expected a value: put a text that begins with this character in quotes"},
    {"{a: b}\nc: d\n", 2, 1, "the document has ended: expected '---' before another one"},
    {"a: !x!y z\n", 1, 4, "'!' begins a tag: put a text that begins so in quotes"},
    {"a: !foo z\n", 1, 4, "unknown tag '!foo': remove it"},
    {"a: !!binary z\n", 1, 4, "unknown tag 'tag:yaml.org,2002:binary': remove it"},
    {"a: !foo {}\n", 1, 4, "unknown tag '!foo': remove it"},
    {"a: 1\n...\n%Y\n", 3, 3, "while scanning a directive: found unknown directive name"},
    {"a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key 'a': the first one is in line 1"},
    {"x: {a: 1, b: 2, 'a': 3}", 1, 17, "duplicate key 'a': the first one is in line 1"},
    {"{a: 0, b: 0, c: 0, d: 0, e: 0, f: 0, g: 0, h: 0, i: 0, j: 0, k: 0, l: 0, m: 0, n: 0,\nm: 1}",
     2, 1, "duplicate key 'm': the first one is in line 1"},
    {"x: &a k\n*a : 3\nk: 4", 3, 1, "duplicate key 'k': the first one is in line 2"},
    {"? [a]\n: b\n", 1, 3, "a key must be a text, but here a list or mapping begins"},
    {"x: &a {}\n*a : 3\n", 2, 1, "a key must be a text, but this alias names a list or mapping"},
    {"{? : b}\n", 1, 4, "a key is missing: expected 'key: value'"},
    {"a: *x\n", 1, 4, "unknown alias '*x': expected an anchor '&x' before it"},
    {"a: &x 1\n---\nb: *x\n", 3, 4, "unknown alias '*x'"},
    {"a: &x [*x]\n", 1, 8, "alias '*x' stands inside the value that it names"},
    {"<<: 3\n", 1, 5, "'<<' takes a mapping, or a list of mappings"},
    {"<<: [{}, 3]\n", 1, 10, "'<<' takes a mapping, or a list of mappings"},
    {"a: b\nc: \xff\n", 2, 4, "byte 0xff is not UTF-8: save the file as UTF-8"},
    {"a: b\nc: \x01\n", 2, 4, "this byte (0x01) cannot stand in YAML"},
    {"\xEF\xBB\xBF"
     "a: 1\na: 2",
     2, 1, "duplicate key 'a': the first one is in line 1"},
    {"\xEF\xBB\xBF"
     "a: *x",
     1, 4, "unknown alias '*x'"},
    {"\xc3\xa4: \"\xe2\x82\xac\xe2\x82\xac\" \xf0\x9f\x98\x80\n", 1, 14,
     "text follows the closing quote"},
};

static void errors_have_place_and_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(error_cases); i++) {
        const struct error_case *c = &error_cases[i];
        AUTO(parsed_release) struct parsed p;
        parse_str(&p, str_of(c->text));
        if (p.ok || p.e.pos.line != c->line || p.e.pos.column != c->column ||
            !str_starts(str_of(p.e.message), str_of(c->message))) {
            fail_msg("%s: %u:%u %s", c->text, p.e.pos.line, p.e.pos.column, p.e.message);
        }
        assert_int_equal(p.e.code, ERR_PARSE);
        assert_string_equal(p.e.file, "rules.yaml");
    }
}

static void an_error_prints_line_and_caret(void **state)
{
    AUTO(parsed_release) struct parsed p;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    parse_str(&p, STR("a:\n  key: 1\n  b: 2\n  key: 3\n"));
    err_print(&p.e, &out);
    assert_string_equal(buf_text(&out),
                        "rules.yaml:4:3: duplicate key 'key': the first one is in line 2\n"
                        "      key: 3\n"
                        "      ^~~");
}

/* Walks <text> as a list of aliases to aliases: 9 levels of 10. */
static void aliases_cannot_explode(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    (void)state;
    buf_add_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int level = 1; level < 9; level++) {
        buf_addf(&text, "a%d: &a%d [", level, level);
        for (int i = 0; i < 10; i++) {
            buf_addf(&text, "%s*a%d", i ? "," : "", level - 1);
        }
        buf_add_text(&text, "]\n");
    }
    AUTO(parsed_release) struct parsed p;
    parse_str(&p, buf_str(&text));
    assert_false(p.ok);
    assert_int_equal(p.e.code, ERR_LIMIT);
    assert_int_equal(p.e.pos.line, 7);
    assert_true(p.arena.used_bytes < 1 << 20);
}

static void depth_has_a_cap(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    (void)state;
    for (int depth = 63; depth <= 65; depth++) {
        AUTO(parsed_release) struct parsed p;
        buf_clear(&text);
        buf_add_repeat(&text, '[', (size_t)depth);
        buf_add_repeat(&text, ']', (size_t)depth);
        parse_str(&p, buf_str(&text));
        assert_int_equal(p.ok, depth <= YAML_DEPTH_MAX);
        if (!p.ok) {
            assert_int_equal(p.e.code, ERR_LIMIT);
            assert_int_equal(p.e.pos.column, YAML_DEPTH_MAX + 1);
        }
    }
}

static int height(const struct yaml_node *node)
{
    int most = 0;

    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        int h = height(child) + 1;
        most = h > most ? h : most;
    }
    return most;
}

static void depth_counts_through_aliases(void **state)
{
    AUTO(parsed_release) struct parsed p;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    (void)state;
    buf_add_text(&text, "a: &a ");
    buf_add_repeat(&text, '[', 40);
    buf_add_repeat(&text, ']', 40);
    buf_add_text(&text, "\nb: ");
    buf_add_repeat(&text, '[', 20);
    buf_add_text(&text, "*a");
    buf_add_repeat(&text, ']', 20);
    parse_str(&p, buf_str(&text));
    assert_true(p.ok);
    assert_int_equal(height(p.documents->first), 60);
    buf_add_text(&text, "\nc: ");
    buf_add_repeat(&text, '[', 30);
    buf_add_text(&text, "*a");
    buf_add_repeat(&text, ']', 30);
    parsed_release(&p);
    parse_str(&p, buf_str(&text));
    assert_false(p.ok);
    assert_int_equal(p.e.code, ERR_LIMIT);
    assert_int_equal(p.e.pos.line, 3);
}

static void memory_has_a_cap(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    struct arena arena;
    struct err e = ERR_INIT;
    const struct yaml_node *documents;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        buf_addf(&text, "- %d\n", i);
    }
    struct yaml_source source = {.file = STR("x"), .text = buf_str(&text)};
    arena_init(&arena, 100000);
    assert_false(yaml_parse(&arena, &source, &documents, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    arena_release(&arena);
}

struct place_case {
    const char *text;
    const char *path; /* keys and indexes, separated by / */
    uint32_t line;
    uint32_t column;
    size_t offset;
    size_t length;
    uint32_t key_line;
    uint32_t key_column;
};

static const struct place_case place_cases[] = {
    {"a: foo\nb: 'bar'\n", "a", 1, 4, 3, 3, 1, 1},
    {"a: foo\nb: 'bar'\n", "b", 2, 4, 10, 5, 2, 1},
    {"a:\n  - x\n  - y: zz\n", "a/1/y", 3, 8, 16, 2, 3, 5},
    {"a:\n  - x\n  - y: zz\n", "a/1", 3, 5, 13, 6, 0, 0},
    {"a: [1, {b: c}]", "a/1", 1, 8, 7, 6, 0, 0},
    {"\xc3\xa4: \xc3\xb6\nb: \xe2\x82\xac c\n", "b", 2, 4, 10, 5, 2, 1},
    {"# \xf0\x9f\x98\x80\r\na: b\r\n", "a", 2, 4, 11, 1, 2, 1},
    {"\xEF\xBB\xBF"
     "a: b\n",
     "a", 1, 4, 6, 1, 1, 1},
    {"a: |\n  up\n  == 0\n", "a", 2, 3, 7, 2, 1, 1},
    {"a: >-  # note\n\n    up\n", "a", 3, 5, 19, 2, 1, 1},
    {"a: &x !!str  foo", "a", 1, 14, 13, 3, 1, 1},
    {"a: &x\n  # note\n  b: c\n", "a", 3, 3, 17, 5, 1, 1},
    {"a: &x [b]\nc: *x\n", "c", 1, 7, 6, 3, 2, 1},
    {"a: \"x\n  y\"\n", "a", 1, 4, 3, 7, 1, 1},
    {"a:\n", "a", 1, 3, 2, 1, 1, 1},
};

static const struct yaml_node *follow(const struct yaml_node *node, const char *path)
{
    struct str rest = str_of(path);
    struct str part;

    while (str_split(&rest, '/', &part)) {
        if (node->kind == YAML_MAPPING) {
            node = yaml_get(node, part);
        } else {
            node = node->first;
            for (char index = part.ptr[0]; index > '0'; index--) {
                node = node->next;
            }
        }
        assert_non_null(node);
    }
    return node;
}

/* The table of characters has a row per 64: ends on a row, one before and one after. */
static void places_hold_at_any_length(void **state)
{
    (void)state;
    for (size_t len = 60; len <= 200; len++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        AUTO(parsed_release) struct parsed p;
        buf_add_text(&text, "\xc3\xa4: ");
        buf_add_repeat(&text, 'x', len);
        buf_add_text(&text, "\nb:");
        const struct yaml_node *b = yaml_get(parse(&p, buf_text(&text)), STR("b"));
        assert_int_equal(b->offset, text.len);
        assert_int_equal(b->pos.line, 2);
        assert_int_equal(b->pos.column, 3);
    }
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(place_cases); i++) {
        const struct place_case *c = &place_cases[i];
        AUTO(parsed_release) struct parsed p;
        const struct yaml_node *n = follow(parse(&p, c->text), c->path);
        if (n->pos.line != c->line || n->pos.column != c->column || n->offset != c->offset ||
            n->length != c->length || n->key_pos.line != c->key_line ||
            n->key_pos.column != c->key_column) {
            fail_msg("%s: %s is at %u:%u, %zu+%zu, its key at %u:%u", c->text, c->path, n->pos.line,
                     n->pos.column, n->offset, n->length, n->key_pos.line, n->key_pos.column);
        }
    }
}

struct inside_case {
    const char *text;
    uint32_t line; /* in the scalar under "a" */
    uint32_t column;
    uint32_t want_line;
    uint32_t want_column;
};

static const struct inside_case inside_cases[] = {
    {"a: up == 0", 1, 4, 1, 7},
    {"a: up == 0", 1, 8, 1, 11},
    {"a: up\n   == 0", 1, 4, 2, 4},
    {"a: 'up == 0'", 1, 4, 1, 8},
    {"a: 'x{y=''z''} +'", 1, 10, 1, 16},
    {"a: \"x{y=\\\"z\\\"} +\"", 1, 10, 1, 16},
    {"a: \"x\\ty + z\"", 1, 5, 1, 10},
    {"a: \"x\\\n  y + z\"", 1, 4, 2, 5},
    {"a: \"x\\u0041y + z\"", 1, 5, 1, 4},
    {"a: |\n  up\n  == 0\n", 1, 1, 2, 3},
    {"a: |\n  up\n  == 0\n", 2, 4, 3, 6},
    {"a: |\n  up\n  == 0\n", 2, 5, 3, 7},
    {"a: |2-\n\n    up\n\n   == 0\n", 4, 2, 5, 4},
    {"a: >\n  up\n  == 0\n", 1, 4, 3, 3},
    {"a: >\n  up\n\n  == 0\n", 2, 1, 4, 3},
    {"- x\n- a: |\n    \xc3\xa4 ==\n    0\n", 1, 4, 3, 8},
    {"a: 3", 0, 0, 1, 4},
};

static void errors_inside_scalars_move(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inside_cases); i++) {
        const struct inside_case *c = &inside_cases[i];
        AUTO(parsed_release) struct parsed p;
        struct err e = ERR_INIT;
        const struct yaml_node *root = parse(&p, c->text);
        const struct yaml_node *node =
            yaml_get(root->kind == YAML_SEQUENCE ? root->first->next : root, STR("a"));
        assert_non_null(node);
        (void)err_set_at(&e, ERR_PARSE, (struct pos){c->line, c->column}, "unexpected");
        yaml_err_inside(node, &e);
        if (e.pos.line != c->want_line || e.pos.column != c->want_column) {
            fail_msg("%s: %u:%u", c->text, e.pos.line, e.pos.column);
        }
        assert_string_equal(e.file, "rules.yaml");
        assert_string_equal(e.message, "unexpected");
    }
}

static void an_error_inside_shows_the_source(void **state)
{
    AUTO(parsed_release) struct parsed p;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    const char *text = "groups:\n- rules:\n  - expr: |\n      sum(\n        rate(x[5z]))\n";
    const struct yaml_node *node = follow(parse(&p, text), "groups/0/rules/0/expr");

    (void)state;
    (void)err_set(&e, ERR_PARSE, "unknown unit 'z'");
    err_point(&e, node->text, 14, 2, (struct pos){1, 1});
    assert_int_equal(e.pos.line, 2);
    yaml_err_inside(node, &e);
    err_print(&e, &out);
    assert_string_equal(buf_text(&out), "rules.yaml:5:16: unknown unit 'z'\n"
                                        "            rate(x[5z]))\n"
                                        "                   ^~");
}

struct read_case {
    const char *text; /* the value */
    const char *as_text;
    const char *as_bool;
    const char *as_i64;
    const char *as_double;
    const char *as_duration;
};

#define NO_BOOL "expected true or false, found "
#define NO_I64 "expected a whole number, found "
#define NO_DOUBLE "expected a number, found "
#define NO_TIME "expected a duration like 30s, 5m or 1h30m, found "

static const struct read_case read_cases[] = {
    {"true", "true", "1", NO_I64 "'true'", NO_DOUBLE "'true'", "'true' is no duration"},
    {"No", "No", "0", NO_I64 "'No'", NO_DOUBLE "'No'", "'No' is no duration"},
    {"'true'", "true", NO_BOOL "the text 'true'", NO_I64 "the text 'true'",
     NO_DOUBLE "the text 'true'", "'true' is no duration"},
    {"8420", "8420", NO_BOOL "'8420'", "8420", "8420", "8420s"},
    {"-1", "-1", NO_BOOL "'-1'", "-1", "-1",
     "expected a duration that is not negative, found '-1'"},
    {"\"7\"", "7", NO_BOOL "the text '7'", NO_I64 "the text '7'", NO_DOUBLE "the text '7'", "7s"},
    {"1.5", "1.5", NO_BOOL "'1.5'", NO_I64 "'1.5'", "1.5", "2s"},
    {".inf", ".inf", NO_BOOL "'.inf'", NO_I64 "'.inf'", "inf", "'.inf' is no duration"},
    {"-.INF", "-.INF", NO_BOOL "'-.INF'", NO_I64 "'-.INF'", "-inf", "'-.INF' is no duration"},
    {"5m", "5m", NO_BOOL "'5m'", NO_I64 "'5m'", NO_DOUBLE "'5m'", "300s"},
    {"", "", NO_BOOL "nothing", NO_I64 "nothing", NO_DOUBLE "nothing", NO_TIME "nothing"},
    {"~", "", NO_BOOL "nothing", NO_I64 "nothing", NO_DOUBLE "nothing", NO_TIME "nothing"},
    {"[]", "expected a text, found a list", NO_BOOL "a list", NO_I64 "a list", NO_DOUBLE "a list",
     NO_TIME "a list"},
    {"{}", "expected a text, found a mapping", NO_BOOL "a mapping", NO_I64 "a mapping",
     NO_DOUBLE "a mapping", NO_TIME "a mapping"},
};

static void check_read(const struct read_case *c, const char *want, bool ok, const char *got,
                       const struct err *e)
{
    struct str said = ok ? str_of(got) : str_of(e->message);

    if (!str_starts(said, str_of(want)) || (ok && said.len != strlen(want))) {
        fail_msg("%s: got %.*s, want %s", c->text, STR_FMT(said), want);
    }
    if (!ok) {
        assert_int_equal(e->pos.line, 1);
        assert_int_equal(e->code, ERR_CONFIG);
    }
}

static void values_are_read_as_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(read_cases); i++) {
        const struct read_case *c = &read_cases[i];
        AUTO(parsed_release) struct parsed p;
        struct err e = ERR_INIT;
        struct str s = STR_NONE;
        bool b = false;
        int64_t n = 0;
        double d = 0;
        char text[64];
        char got[64];
        (void)snprintf(text, sizeof(text), "k: %s", c->text);
        const struct yaml_node *node = yaml_get(parse(&p, text), STR("k"));
        bool ok = yaml_text(node, &s, &e);
        (void)snprintf(got, sizeof(got), "%.*s", STR_FMT(s));
        check_read(c, c->as_text, ok, got, &e);
        ok = yaml_bool(node, &b, &e);
        check_read(c, c->as_bool, ok, b ? "1" : "0", &e);
        ok = yaml_i64(node, &n, &e);
        (void)snprintf(got, sizeof(got), "%lld", (long long)n);
        check_read(c, c->as_i64, ok, got, &e);
        ok = yaml_double(node, &d, &e);
        (void)snprintf(got, sizeof(got), "%g", d);
        check_read(c, c->as_double, ok, got, &e);
        ok = yaml_duration(node, &n, &e);
        (void)snprintf(got, sizeof(got), "%.0fs", (double)n / 1e9);
        check_read(c, c->as_duration, ok, got, &e);
    }
}

static void absent_keys_are_null(void **state)
{
    AUTO(parsed_release) struct parsed p;
    const struct yaml_node *root = parse(&p, "a: [1]\nb: ~");

    (void)state;
    assert_null(yaml_get(root, STR("c")));
    assert_null(yaml_get(yaml_get(root, STR("a")), STR("c")));
    assert_null(yaml_get(NULL, STR("c")));
    assert_true(yaml_is_null(yaml_get(root, STR("b"))));
    assert_false(yaml_is_null(yaml_get(root, STR("a"))));
}

static void errors_can_point_at_keys(void **state)
{
    AUTO(parsed_release) struct parsed p;
    struct err e = ERR_INIT;
    const struct yaml_node *node = yaml_get(parse(&p, "x: 1\nalert:  y"), STR("alert"));

    (void)state;
    assert_false(yaml_key_err(node, &e, ERR_CONFIG, "unknown key '%s'", "alert"));
    assert_int_equal(e.pos.line, 2);
    assert_int_equal(e.pos.column, 1);
    assert_int_equal(e.caret_len, 5);
    assert_false(yaml_err(node, &e, ERR_CONFIG, "bad"));
    assert_int_equal(e.pos.column, 9);
    assert_false(yaml_key_err(p.documents->first, &e, ERR_CONFIG, "no key"));
    assert_int_equal(e.pos.line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_built),
        cmocka_unit_test(errors_have_place_and_advice),
        cmocka_unit_test(an_error_prints_line_and_caret),
        cmocka_unit_test(aliases_cannot_explode),
        cmocka_unit_test(depth_has_a_cap),
        cmocka_unit_test(depth_counts_through_aliases),
        cmocka_unit_test(memory_has_a_cap),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(places_hold_at_any_length),
        cmocka_unit_test(errors_inside_scalars_move),
        cmocka_unit_test(an_error_inside_shows_the_source),
        cmocka_unit_test(values_are_read_as_types),
        cmocka_unit_test(absent_keys_are_null),
        cmocka_unit_test(errors_can_point_at_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
