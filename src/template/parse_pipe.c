/*
 * pipeline = [ "$x" [ "," "$y" ] ( ":=" | "=" ) ] command { "|" command }
 * command  = operand { space operand }
 * operand  = ( "." | ".Field" | "$x" | literal | function | "(" pipeline ")" ) { ".Field" }
 */
#include "template/template_int.h"

#include "base/number.h"

bool parser_next(struct parser *p)
{
    return lexer_token(&p->lexer, &p->token);
}

static const char *const token_names[] = {
    [TOKEN_END] = "the end of the action",
    [TOKEN_WORD] = "word",
    [TOKEN_FIELD] = "field",
    [TOKEN_DOT] = "'.'",
    [TOKEN_VARIABLE] = "variable",
    [TOKEN_NUMBER] = "number",
    [TOKEN_TEXT] = "string",
    [TOKEN_CHAR] = "character",
    [TOKEN_OPEN] = "'('",
    [TOKEN_CLOSE] = "')'",
    [TOKEN_PIPE] = "'|'",
    [TOKEN_COMMA] = "','",
    [TOKEN_DECLARE] = "':='",
    [TOKEN_ASSIGN] = "'='",
};

bool parser_unexpected(struct parser *p, const char *expected)
{
    struct str written = str_slice(p->lexer.text, p->token.offset, p->token.len);
    const char *name = token_names[p->token.kind];

    if (p->token.kind == TOKEN_END) {
        return lexer_fail(&p->lexer, p->token.offset, 2, "expected %s, found the end of the action",
                          expected);
    }
    return lexer_fail(&p->lexer, p->token.offset, p->token.len, "expected %s, found %s %.*s",
                      expected, name, STR_FMT(written));
}

static bool find_variable(struct parser *p, struct str name, uint32_t *ret_slot)
{
    for (size_t i = p->variables.len; i-- > 0;) {
        if (str_eq(p->variables.items[i].name, name)) {
            *ret_slot = p->variables.items[i].slot;
            return true;
        }
    }
    return false;
}

/* Variables that a record has nothing for. */
static bool is_of_rules(struct str name)
{
    for (size_t i = 1; i < predeclared_count; i++) {
        if (str_eq(name, str_of(predeclared[i].name))) {
            return true;
        }
    }
    return false;
}

static bool use_variable(struct parser *p, struct operand *op)
{
    struct str name = p->token.text;

    op->kind = OPERAND_VARIABLE;
    if (p->template->of_records && is_of_rules(name)) {
        return lexer_fail(
            &p->lexer, p->token.offset, p->token.len,
            "$%.*s is of rules; a record has its members as .name, .value, .labels.NAME",
            STR_FMT(name));
    }
    if (!find_variable(p, name, &op->slot)) {
        const char *names[64];
        size_t count = 0;
        for (size_t i = 0; i < p->variables.len && count < ARRAY_LEN(names); i++) {
            names[count++] = arena_text(&p->template->arena, p->variables.items[i].name);
        }
        const char *near = str_nearest(name, names, count);
        return lexer_fail(&p->lexer, p->token.offset, p->token.len,
                          "undefined variable $%.*s%s%s%s", STR_FMT(name),
                          near && *near ? "; did you mean $" : "", near ? near : "",
                          near && *near ? "?" : "");
    }
    if (op->slot < predeclared_count) {
        p->at->uses |= predeclared[op->slot].uses;
        p->at->known |= UINT32_C(1) << op->slot;
    }
    return true;
}

static uint32_t declare_variable(struct parser *p, struct str name)
{
    struct variable v = {.name = name, .slot = p->at->slot_count++};

    vec_push(&p->variables, v);
    return v.slot;
}

static const struct {
    const char *name;
    struct value value;
} constants[] = {
    {"true", {.kind = VALUE_BOOL, .as.boolean = true}},
    {"false", {.kind = VALUE_BOOL, .as.boolean = false}},
    {"nil", {.kind = VALUE_NIL}},
};

static bool parse_word(struct parser *p, struct operand *op)
{
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        if (str_eq(p->token.text, str_of(constants[i].name))) {
            op->kind = OPERAND_CONST;
            op->constant = constants[i].value;
            return true;
        }
    }
    op->kind = OPERAND_FUNCTION;
    op->function = p->template->of_records ? function_find_of_records(p->token.text) : NULL;
    if (op->function == NULL) {
        op->function = function_find(p->token.text);
    }
    if (op->function == NULL) {
        const char *const *names = function_names(&count);
        const char *near = str_nearest(p->token.text, names, count);
        return lexer_fail(&p->lexer, p->token.offset, p->token.len, "unknown function '%.*s'%s%s%s",
                          STR_FMT(p->token.text), near ? "; did you mean '" : "", near ? near : "",
                          near ? "'?" : "");
    }
    p->at->uses |= op->function->uses;
    if (op->function->call == function_gap && p->template->gap == NULL) {
        p->template->gap = op->function->name;
    }
    return true;
}

/* 0x1F, 0o17, 0b101 and 017. */
static bool parse_based(struct str text, int64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    bool is_negative = str_starts(text, STR("-"));
    bool has_sign = is_negative || str_starts(text, STR("+"));
    struct str s = str_slice(text, has_sign ? 1 : 0, text.len);
    char mark = s.len > 1 ? (char)(s.ptr[1] | 0x20) : '\0';
    unsigned base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    size_t at = mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1;
    int64_t number = 0;

    if (s.len <= at || s.ptr[0] != '0') {
        return false;
    }
    for (; at < s.len; at++) {
        char c = (char)(s.ptr[at] >= 'A' && s.ptr[at] <= 'F' ? s.ptr[at] | 0x20 : s.ptr[at]);
        const char *hit = strchr(digits, c);
        if (c == '\0' || hit == NULL || (unsigned)(hit - digits) >= base ||
            __builtin_mul_overflow(number, (int64_t)base, &number) ||
            __builtin_add_overflow(number, hit - digits, &number)) {
            return false;
        }
    }
    *ret = is_negative ? -number : number;
    return true;
}

/* The number without the underscores that may stand between its digits. */
static struct str without_underscores(struct parser *p, struct str text)
{
    char *copy = arena_text(&p->template->arena, text);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        bool between = i > 0 && i + 1 < text.len && text.ptr[i - 1] != '_';
        if (text.ptr[i] != '_' || !between) {
            copy[len++] = text.ptr[i];
        }
    }
    return str_make(copy, len);
}

static bool parse_number(struct parser *p, struct operand *op)
{
    struct str text = without_underscores(p, p->token.text);
    int64_t integer = 0;
    double number = 0;

    op->kind = OPERAND_CONST;
    if (parse_based(text, &integer)) {
        op->constant = value_int(integer);
        return true;
    }
    if (number_parse_i64(text, &integer)) {
        op->constant = value_int(integer);
        return true;
    }
    if (number_parse(text, &number)) {
        op->constant = value_float(number);
        return true;
    }
    return lexer_fail(&p->lexer, p->token.offset, p->token.len, "'%.*s' is not a number",
                      STR_FMT(p->token.text));
}

/* What `.Name` at the root depends on. */
static const struct {
    const char *name;
    unsigned uses;
} root_fields[] = {
    {"Labels", USES_LABELS},        {"Value", USES_VALUE},   {"ExternalLabels", USES_EXTERNAL},
    {"ExternalURL", USES_EXTERNAL}, {"Expr", USES_ALERT},    {"For", USES_ALERT},
    {"ActiveAt", USES_TIME},        {"AlertID", USES_ALERT}, {"GroupID", USES_ALERT},
    {"Interval", USES_ALERT},       {"Type", USES_ALERT},    {"IsPartial", USES_ALERT},
};

static unsigned field_uses(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(root_fields); i++) {
        if (str_eq(name, str_of(root_fields[i].name))) {
            return root_fields[i].uses;
        }
    }
    return USES_NOTHING;
}

/* A field behind an operand: appended to its chain. */
static void add_field(struct parser *p, struct operand *op, struct str name)
{
    struct field_name *field = arena_new(&p->template->arena, struct field_name);
    const struct field_name **tail = &op->fields;

    while (*tail != NULL) {
        tail = (const struct field_name **)&((struct field_name *)(uintptr_t)*tail)->next;
    }
    field->name = name;
    *tail = field;
    p->at->uses |= field_uses(name);
}

static bool parse_parenthesis(struct parser *p, struct operand *op)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX) {
        return lexer_fail(&p->lexer, p->token.offset, 1, "parentheses nest deeper than %d",
                          TEMPLATE_DEPTH_MAX);
    }
    op->kind = OPERAND_PIPE;
    if (!parser_next(p) || !parse_pipe(p, false, &op->pipe)) {
        return false;
    }
    p->depth--;
    return p->token.kind == TOKEN_CLOSE || parser_unexpected(p, "')'");
}

static bool operand_dot(struct parser *p, struct operand *op)
{
    op->kind = OPERAND_DOT;
    p->at->uses |= USES_LABELS | USES_VALUE | USES_EXTERNAL | USES_ALERT | USES_TIME;
    return true;
}

static bool operand_field(struct parser *p, struct operand *op)
{
    op->kind = OPERAND_DOT;
    add_field(p, op, p->token.text);
    return true;
}

static bool operand_text(struct parser *p, struct operand *op)
{
    op->kind = OPERAND_CONST;
    op->constant = value_text(p->token.text);
    return true;
}

static bool operand_char(struct parser *p, struct operand *op)
{
    op->kind = OPERAND_CONST;
    op->constant = value_int(p->token.rune);
    return true;
}

static bool (*const operand_parsers[])(struct parser *, struct operand *) = {
    [TOKEN_END] = NULL,
    [TOKEN_WORD] = parse_word,
    [TOKEN_FIELD] = operand_field,
    [TOKEN_DOT] = operand_dot,
    [TOKEN_VARIABLE] = use_variable,
    [TOKEN_NUMBER] = parse_number,
    [TOKEN_TEXT] = operand_text,
    [TOKEN_CHAR] = operand_char,
    [TOKEN_OPEN] = parse_parenthesis,
    [TOKEN_CLOSE] = NULL,
    [TOKEN_PIPE] = NULL,
    [TOKEN_COMMA] = NULL,
    [TOKEN_DECLARE] = NULL,
    [TOKEN_ASSIGN] = NULL,
};

static bool parse_operand(struct parser *p, struct operand **ret_operand)
{
    struct operand *op = arena_new(&p->template->arena, struct operand);

    op->offset = p->token.offset;
    if (operand_parsers[p->token.kind] == NULL) {
        return parser_unexpected(p, "a value");
    }
    if (!operand_parsers[p->token.kind](p, op) || !parser_next(p)) {
        return false;
    }
    while (p->token.kind == TOKEN_FIELD && !p->token.after_space) {
        if (op->kind == OPERAND_CONST || op->kind == OPERAND_FUNCTION) {
            return parser_unexpected(p, "a space before a field");
        }
        add_field(p, op, p->token.text);
        if (!parser_next(p)) {
            return false;
        }
    }
    *ret_operand = op;
    return true;
}

static bool starts_operand(const struct parser *p)
{
    return operand_parsers[p->token.kind] != NULL;
}

static bool ends_in_method(const struct operand *op)
{
    const struct field_name *last = op->fields;

    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    return last != NULL && (method_find(VALUE_TIME, last->name) != NULL ||
                            method_find(VALUE_DURATION, last->name) != NULL);
}

static bool check_command(struct parser *p, const struct command *c, bool is_first)
{
    const struct operand *head = c->args;
    size_t given = c->count - 1 + (is_first ? 0 : 1);

    if (head->kind != OPERAND_FUNCTION) {
        return given == 0 || ends_in_method(head) ||
               lexer_fail(&p->lexer, head->offset, 1,
                          "expected a function to take these arguments");
    }
    const struct function *f = head->function;
    if (given < (size_t)f->min_args || (f->max_args >= 0 && given > (size_t)f->max_args)) {
        return lexer_fail(&p->lexer, head->offset, strlen(f->name),
                          "%s takes %s%d argument%s, found %zu", f->name,
                          f->max_args != f->min_args ? "at least " : "", f->min_args,
                          f->min_args == 1 ? "" : "s", given);
    }
    return true;
}

static bool parse_command(struct parser *p, bool is_first, struct command **ret_command)
{
    struct command *c = arena_new(&p->template->arena, struct command);
    struct operand **tail = &c->args;

    c->offset = p->token.offset;
    do {
        if (!parse_operand(p, tail)) {
            return false;
        }
        tail = &(*tail)->next;
        if (++c->count > TEMPLATE_ARGS_MAX) {
            return lexer_fail(&p->lexer, c->offset, 1, "more than %d arguments", TEMPLATE_ARGS_MAX);
        }
    } while (starts_operand(p));
    *ret_command = c;
    return check_command(p, c, is_first);
}

/* "$x :=" or "$x, $y :=" or "$x =": what the pipeline sets. Anything else leaves the parser where
 * it was. */
static bool parse_declaration(struct parser *p, struct pipe *pipe, struct str *names,
                              bool *ret_declares)
{
    struct lexer kept_lexer = p->lexer;
    struct token kept = p->token;

    *ret_declares = false;
    while (p->token.kind == TOKEN_VARIABLE && pipe->slot_count < PIPE_DECLARES_MAX) {
        names[pipe->slot_count++] = p->token.text;
        if (!parser_next(p)) {
            return false;
        }
        if (p->token.kind == TOKEN_DECLARE || p->token.kind == TOKEN_ASSIGN) {
            *ret_declares = p->token.kind == TOKEN_DECLARE;
            return parser_next(p);
        }
        if (p->token.kind != TOKEN_COMMA) {
            break;
        }
        if (!parser_next(p)) {
            return false;
        }
    }
    p->lexer = kept_lexer;
    p->token = kept;
    pipe->slot_count = 0;
    return true;
}

static bool set_slots(struct parser *p, struct pipe *pipe, const struct str *names, bool declares,
                      size_t offset)
{
    for (unsigned i = 0; i < pipe->slot_count; i++) {
        if (declares && p->at->slot_count >= TEMPLATE_SLOTS_MAX) {
            return lexer_fail(&p->lexer, offset, 1, "more than %d variables", TEMPLATE_SLOTS_MAX);
        }
        if (declares) {
            pipe->slots[i] = declare_variable(p, names[i]);
        } else if (!find_variable(p, names[i], &pipe->slots[i])) {
            return lexer_fail(&p->lexer, offset, names[i].len + 1,
                              "undefined variable $%.*s; declare it with ':='", STR_FMT(names[i]));
        }
    }
    return true;
}

bool parse_pipe(struct parser *p, bool may_declare, const struct pipe **ret_pipe)
{
    struct pipe *pipe = arena_new(&p->template->arena, struct pipe);
    struct command **tail = &pipe->commands;
    struct str names[PIPE_DECLARES_MAX] = {0};
    bool declares = false;
    size_t offset = p->token.offset;

    if (may_declare && !parse_declaration(p, pipe, names, &declares)) {
        return false;
    }
    if (!parse_command(p, true, tail)) {
        return false;
    }
    while (p->token.kind == TOKEN_PIPE) {
        tail = &(*tail)->next;
        if (!parser_next(p) || !parse_command(p, false, tail)) {
            return false;
        }
    }
    *ret_pipe = pipe;
    return set_slots(p, pipe, names, declares, offset);
}
