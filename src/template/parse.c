/*
 * The tree of nodes: text, actions and the control structures, each a row of a table of keywords.
 *
 * Invariants
 *   1. A body ends at end, else or the end of the source; whoever began it says which of them it
 * takes.
 *   2. Variables declared inside a control structure are gone after its end.
 */
#include "template/template_int.h"

enum body_end { BODY_EOF, BODY_END, BODY_ELSE };

static bool parse_body(struct parser *p, const struct node **ret_body, enum body_end *ret_end);

static bool expect_action_end(struct parser *p)
{
    if (p->token.kind != TOKEN_END) {
        return parser_unexpected(p, "'}}'");
    }
    p->lexer.at = p->lexer.action_next;
    return true;
}

static struct node *new_node(struct parser *p, enum node_kind kind, size_t offset)
{
    struct node *node = arena_new(&p->template->arena, struct node);

    node->kind = kind;
    node->offset = offset;
    return node;
}

static bool parse_else(struct parser *p, struct node *node, bool allows_if);

/* The body of if, with or range after its pipeline, up to and with its end. */
static bool parse_branches(struct parser *p, struct node *node)
{
    enum body_end end = BODY_EOF;

    if (!parse_body(p, &node->body, &end)) {
        return false;
    }
    if (end == BODY_EOF) {
        return lexer_fail(&p->lexer, node->offset, 1, "this action has no matching {{ end }}");
    }
    return end == BODY_END ? expect_action_end(p) : parse_else(p, node, node->kind != NODE_RANGE);
}

static bool parse_control(struct parser *p, enum node_kind kind, size_t offset,
                          struct node **ret_node)
{
    size_t scope = p->variables.len;
    struct node *node = new_node(p, kind, offset);

    if (++p->depth > TEMPLATE_DEPTH_MAX) {
        return lexer_fail(&p->lexer, offset, 1, "actions nest deeper than %d", TEMPLATE_DEPTH_MAX);
    }
    p->loops += kind == NODE_RANGE;
    if (!parser_next(p) || !parse_pipe(p, true, &node->pipe) || !expect_action_end(p) ||
        !parse_branches(p, node)) {
        return false;
    }
    p->loops -= kind == NODE_RANGE;
    p->depth--;
    p->variables.len = scope;
    *ret_node = node;
    return true;
}

/* Behind else: its body, or "if" / "with", which is a control structure that shares the end. */
static bool parse_else(struct parser *p, struct node *node, bool allows_if)
{
    enum body_end end = BODY_EOF;
    bool is_if = p->token.kind == TOKEN_WORD && str_eq(p->token.text, STR("if"));
    bool is_with = p->token.kind == TOKEN_WORD && str_eq(p->token.text, STR("with"));

    if (allows_if && (is_if || is_with)) {
        struct node *chained = NULL;
        bool parsed = parse_control(p, is_if ? NODE_IF : NODE_WITH, p->token.offset, &chained);
        node->otherwise = chained;
        return parsed;
    }
    if (!expect_action_end(p) || !parse_body(p, &node->otherwise, &end)) {
        return false;
    }
    if (end != BODY_END) {
        return lexer_fail(&p->lexer, node->offset, 1, "%s",
                          end == BODY_ELSE ? "a second {{ else }}; expected {{ end }}"
                                           : "this action has no matching {{ end }}");
    }
    return expect_action_end(p);
}

static bool parse_if(struct parser *p, size_t offset, struct node **ret)
{
    return parse_control(p, NODE_IF, offset, ret);
}

static bool parse_with(struct parser *p, size_t offset, struct node **ret)
{
    return parse_control(p, NODE_WITH, offset, ret);
}

static bool parse_range(struct parser *p, size_t offset, struct node **ret)
{
    return parse_control(p, NODE_RANGE, offset, ret);
}

static bool parse_name(struct parser *p, struct str *ret_name)
{
    if (!parser_next(p)) {
        return false;
    }
    if (p->token.kind != TOKEN_TEXT) {
        return parser_unexpected(p, "a template's name in quotes");
    }
    *ret_name = p->token.text;
    return parser_next(p);
}

static void declare_known(struct parser *p)
{
    for (size_t i = 0; i < predeclared_count; i++) {
        struct variable v = {.name = str_of(predeclared[i].name), .slot = (uint32_t)i};
        vec_push(&p->variables, v);
    }
}

/* The body of <d>, which sees no variables of its surroundings but the predeclared ones. */
static bool parse_definition_body(struct parser *p, struct definition *d, enum body_end *ret_end)
{
    __typeof__(p->variables) outer = p->variables;
    struct definition *outer_at = p->at;
    unsigned outer_loops = p->loops;

    p->variables = (__typeof__(p->variables)){0};
    p->at = d;
    p->loops = 0;
    declare_known(p);
    bool parsed = expect_action_end(p) && parse_body(p, &d->body, ret_end);
    vec_release(&p->variables);
    p->variables = outer;
    p->at = outer_at;
    p->loops = outer_loops;
    return parsed;
}

static bool parse_definition(struct parser *p, struct str name, size_t offset)
{
    struct definition *d = arena_new(&p->template->arena, struct definition);
    enum body_end end = BODY_EOF;

    *d = (struct definition){.name = name,
                             .owner = p->template,
                             .offset = offset,
                             .slot_count = (uint32_t)predeclared_count};
    if (++p->depth > TEMPLATE_DEPTH_MAX) {
        return lexer_fail(&p->lexer, offset, 1, "definitions nest deeper than %d",
                          TEMPLATE_DEPTH_MAX);
    }
    if (!parse_definition_body(p, d, &end)) {
        return false;
    }
    if (end != BODY_END) {
        return lexer_fail(&p->lexer, offset, 1, "this definition has no matching {{ end }}");
    }
    p->depth--;
    d->next = p->template->definitions;
    p->template->definitions = d;
    return expect_action_end(p);
}

static bool parse_define(struct parser *p, size_t offset, struct node **ret)
{
    struct str name;

    *ret = NULL;
    return parse_name(p, &name) && parse_definition(p, name, offset);
}

static bool parse_call(struct parser *p, size_t offset, struct node **ret)
{
    struct node *node = new_node(p, NODE_TEMPLATE, offset);

    *ret = node;
    if (!parse_name(p, &node->text)) {
        return false;
    }
    if (p->token.kind != TOKEN_END && !parse_pipe(p, false, &node->pipe)) {
        return false;
    }
    return expect_action_end(p);
}

static bool parse_block(struct parser *p, size_t offset, struct node **ret)
{
    struct node *node = new_node(p, NODE_TEMPLATE, offset);

    *ret = node;
    return parse_name(p, &node->text) && parse_pipe(p, false, &node->pipe) &&
           parse_definition(p, node->text, offset);
}

static bool parse_jump(struct parser *p, enum node_kind kind, size_t offset, struct node **ret)
{
    if (p->loops == 0) {
        return lexer_fail(&p->lexer, offset, 5, "break and continue stand only inside {{ range }}");
    }
    *ret = new_node(p, kind, offset);
    return parser_next(p) && expect_action_end(p);
}

static bool parse_break(struct parser *p, size_t offset, struct node **ret)
{
    return parse_jump(p, NODE_BREAK, offset, ret);
}

static bool parse_continue(struct parser *p, size_t offset, struct node **ret)
{
    return parse_jump(p, NODE_CONTINUE, offset, ret);
}

static const struct {
    const char *word;
    bool (*parse)(struct parser *, size_t, struct node **);
} keywords[] = {
    {"if", parse_if},         {"with", parse_with},         {"range", parse_range},
    {"define", parse_define}, {"template", parse_call},     {"block", parse_block},
    {"break", parse_break},   {"continue", parse_continue},
};

static bool parse_action(struct parser *p, struct node **ret_node)
{
    size_t offset = p->token.offset;

    if (p->token.kind == TOKEN_WORD) {
        for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
            if (str_eq(p->token.text, str_of(keywords[i].word))) {
                return keywords[i].parse(p, offset, ret_node);
            }
        }
    }
    struct node *node = new_node(p, NODE_ACTION, offset);
    *ret_node = node;
    return parse_pipe(p, true, &node->pipe) && expect_action_end(p);
}

/* Is the action end or else? Then it is read, and the token behind the word is current. */
static bool parse_body_end(struct parser *p, bool *ret_ends, enum body_end *ret_end)
{
    bool is_end = p->token.kind == TOKEN_WORD && str_eq(p->token.text, STR("end"));
    bool is_else = p->token.kind == TOKEN_WORD && str_eq(p->token.text, STR("else"));

    *ret_ends = is_end || is_else;
    if (!*ret_ends) {
        return true;
    }
    *ret_end = is_end ? BODY_END : BODY_ELSE;
    return parser_next(p);
}

static struct node **append_text(struct parser *p, struct node **tail, struct str text,
                                 size_t offset)
{
    if (text.len == 0) {
        return tail;
    }
    *tail = new_node(p, NODE_TEXT, offset);
    (*tail)->text = text;
    return &(*tail)->next;
}

static bool parse_body(struct parser *p, const struct node **ret_body, enum body_end *ret_end)
{
    struct node *first = NULL;
    struct node **tail = &first;
    bool is_action = true;
    bool ends = false;

    *ret_end = BODY_EOF;
    while (!ends) {
        struct str text;
        size_t offset = 0;
        if (!lexer_text(&p->lexer, &text, &offset, &is_action)) {
            return false;
        }
        tail = append_text(p, tail, text, offset);
        if (!is_action) {
            break;
        }
        if (p->lexer.is_comment) {
            p->lexer.at = p->lexer.action_next;
            continue;
        }
        if (!parser_next(p) || !parse_body_end(p, &ends, ret_end)) {
            return false;
        }
        if (!ends && !parse_action(p, tail)) {
            return false;
        }
        tail = *tail != NULL ? &(*tail)->next : tail;
    }
    *ret_body = first;
    return true;
}

const struct definition *definition_find(const struct template *t, struct str name)
{
    for (const struct definition *d = t->definitions; d != NULL; d = d->next) {
        if (str_eq(d->name, name)) {
            return d;
        }
    }
    return t->library != NULL ? library_find(t->library, name) : NULL;
}

static bool check_calls(struct parser *p, const struct node *first, unsigned *uses)
{
    for (const struct node *node = first; node != NULL; node = node->next) {
        if (node->kind == NODE_TEMPLATE) {
            const struct definition *d = definition_find(p->template, node->text);
            if (d == NULL) {
                return lexer_fail(&p->lexer, node->offset, 8,
                                  "no template named \"%.*s\" is defined here",
                                  STR_FMT(node->text));
            }
            *uses |= d->uses;
        }
        if (!check_calls(p, node->body, uses) || !check_calls(p, node->otherwise, uses)) {
            return false;
        }
    }
    return true;
}

static unsigned uses_of_calls(const struct template *t, const struct node *first)
{
    unsigned uses = USES_NOTHING;

    for (const struct node *node = first; node != NULL; node = node->next) {
        const struct definition *d =
            node->kind == NODE_TEMPLATE ? definition_find(t, node->text) : NULL;
        uses |= d != NULL ? d->uses : USES_NOTHING;
        uses |= uses_of_calls(t, node->body) | uses_of_calls(t, node->otherwise);
    }
    return uses;
}

bool definition_spread(const struct template *t, struct definition *d)
{
    unsigned before = d->uses;

    d->uses |= uses_of_calls(t, d->body);
    return d->uses != before;
}

/* Every {{ template }} must name a definition; known only when all are read. */
static bool check_all_calls(struct parser *p)
{
    struct template *t = p->template;

    for (struct definition *d = t->definitions; d != NULL; d = d->next) {
        t->uses |= d->uses;
        if (!check_calls(p, d->body, &t->uses)) {
            return false;
        }
    }
    t->uses |= t->main.uses;
    return check_calls(p, t->main.body, &t->uses);
}

bool template_parse(struct template *t, struct err *e)
{
    struct parser p = {.template = t, .at = &t->main};
    enum body_end end = BODY_EOF;

    p.lexer = (struct lexer){.text = t->text, .arena = &t->arena, .err = e};
    t->main.slot_count = (uint32_t)predeclared_count;
    t->main.owner = t;
    declare_known(&p);
    bool parsed = parse_body(&p, &t->main.body, &end);
    if (parsed && end != BODY_EOF) {
        parsed = lexer_fail(&p.lexer, p.lexer.action_end, 1, "{{ %s }} without an action to close",
                            end == BODY_END ? "end" : "else");
    }
    parsed = parsed && (t->is_file || check_all_calls(&p));
    vec_release(&p.variables);
    return parsed;
}

bool template_check_calls(struct template *t, struct err *e)
{
    struct parser p = {.template = t, .at = &t->main};

    p.lexer = (struct lexer){.text = t->text, .arena = &t->arena, .err = e};
    return check_all_calls(&p);
}

struct template *template_new(struct str name, struct str text,
                              const struct template_library *library)
{
    struct template *t = mem_new(struct template);

    arena_init(&t->arena, ARENA_UNLIMITED);
    t->name = arena_dup(&t->arena, name);
    t->text = arena_dup(&t->arena, text);
    t->library = library;
    return t;
}

static bool check_size(struct str text, struct err *e)
{
    return text.len <= TEMPLATE_TEXT_MAX ||
           err_set(e, ERR_LIMIT, "the template has %zu bytes, at most %d are allowed", text.len,
                   TEMPLATE_TEXT_MAX);
}

bool template_compile(struct str name, struct str text, const struct template_library *library,
                      struct template **ret_template, struct err *e)
{
    if (!check_size(text, e)) {
        return false;
    }
    AUTO(template_autofree) struct template *t = template_new(name, text, library);
    if (!template_parse(t, e)) {
        return false;
    }
    *ret_template = TAKE(t);
    return true;
}

bool template_compile_record(struct str name, struct str text, struct template **ret_template,
                             struct err *e)
{
    if (!check_size(text, e)) {
        return false;
    }
    AUTO(template_autofree) struct template *t = template_new(name, text, NULL);
    t->of_records = true;
    if (!template_parse(t, e)) {
        return false;
    }
    *ret_template = TAKE(t);
    return true;
}

void template_free(struct template *t)
{
    if (t != NULL) {
        arena_release(&t->arena);
        mem_free(t);
    }
}

unsigned template_uses(const struct template *t)
{
    return t->uses;
}

const char *template_gap(const struct template *t)
{
    return t->gap;
}

bool template_is_text(const struct template *t, struct str *ret_text)
{
    const struct node *body = t->main.body;

    if (body == NULL) {
        *ret_text = STR("");
        return true;
    }
    if (body->kind != NODE_TEXT || body->next != NULL) {
        return false;
    }
    *ret_text = body->text;
    return true;
}
