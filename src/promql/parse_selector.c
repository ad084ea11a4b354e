/*
 * Selectors: a metric's name, matchers in braces, or both.
 */
#include "promql/parse.h"

#include "base/attr.h"

/* The text of a string, or of a MetricsQL template that is one. */
static bool parse_string_part(struct parser *p, struct str *ret_text)
{
    struct binding *binding;
    struct promql_node *node;

    if (at_kind(p, TOKEN_STRING)) {
        return read_string(p->arena, p->source, &p->token, ret_text, p->err) && next(p);
    }
    binding = binding_find(p, p->token.text);
    if (!at_kind(p, TOKEN_WORD) || binding == NULL || binding_is_function(binding)) {
        return fail_expected(p, "a string in quotes");
    }
    if (!expand(p, binding, &node)) {
        return false;
    }
    while (node->kind == PROMQL_PAREN) {
        node = node->paren;
    }
    if (is_anything(node)) {
        *ret_text = STR("");
        return true;
    }
    if (node->kind != PROMQL_STRING) {
        return fail_node(p, node, "expected a string from this template");
    }
    *ret_text = node->string;
    return true;
}

/*
 * Is there "+" and another string, which joins the first? "s" + m is an operator on a metric
 * instead.
 */
static bool more_string(struct parser *p, bool *ret_more)
{
    struct token behind;
    struct binding *binding;

    *ret_more = false;
    if (!is_metricsql(p) || !at_kind(p, TOKEN_OP) || p->token.op != PROMQL_ADD) {
        return true;
    }
    if (!peek(p, &behind)) {
        return false;
    }
    binding = behind.kind == TOKEN_WORD ? binding_find(p, behind.text) : NULL;
    *ret_more = behind.kind == TOKEN_STRING || (binding != NULL && !binding_is_function(binding));
    return true;
}

bool parse_string(struct parser *p, struct str *ret_text)
{
    bool more;
    struct str text = STR_NONE;
    struct str part = STR_NONE;

    if (!parse_string_part(p, &text) || !more_string(p, &more)) {
        return false;
    }
    while (more) {
        if (!next(p) || !parse_string_part(p, &part) || !more_string(p, &more)) {
            return false;
        }
        text = arena_printf(p->arena, "%.*s%.*s", STR_FMT(text), STR_FMT(part));
    }
    *ret_text = text;
    return true;
}

static bool parse_match_op(struct parser *p, enum promql_match *ret_op)
{
    if (at_kind(p, TOKEN_ASSIGN)) {
        *ret_op = PROMQL_EQ;
    } else if (at_kind(p, TOKEN_EQL_REGEX)) {
        *ret_op = PROMQL_RE;
    } else if (at_kind(p, TOKEN_NEQ_REGEX)) {
        *ret_op = PROMQL_NRE;
    } else if (at_kind(p, TOKEN_OP) && p->token.op == PROMQL_NEQ) {
        *ret_op = PROMQL_NE;
    } else if (at_kind(p, TOKEN_OP) && p->token.op == PROMQL_EQL) {
        return fail_at(p, p->token.start, p->token.start + 2,
                       "\"==\" compares values; a label is matched with =");
    } else {
        return fail_expected(p, "one of = != =~ !~");
    }
    return next(p);
}

/* Pushes the matchers of a MetricsQL template, as in {filters, job="a"}. */
static bool push_template(struct parser *p, struct binding *binding)
{
    struct promql_node *node;

    if (!expand(p, binding, &node)) {
        return false;
    }
    if (node->kind != PROMQL_VECTOR || node->vector.filter_count != 1) {
        return fail_node(p, node, "expected a selector without \"or\" from this template");
    }
    for (uint32_t i = 0; i < node->vector.filters[0].count; i++) {
        vec_push(&p->matchers, node->vector.filters[0].matchers[i]);
    }
    return true;
}

/* A quoted name with no operator behind it is the metric's. */
static void push_metric(struct parser *p, const struct token *word, struct str name)
{
    struct promql_matcher matcher = {
        .label = STR("__name__"), .value = name, .start = word->start, .end = p->previous_end};

    vec_push(&p->matchers, matcher);
}

static bool ends_matcher(const struct parser *p, const struct token *token)
{
    return token->kind == TOKEN_COMMA || token->kind == TOKEN_RIGHT_BRACE ||
           (is_metricsql(p) && token_is(token, STR("or")));
}

/* A name in quotes: of a label, or of the metric, and then that was all. */
static bool parse_quoted_name(struct parser *p, struct str *ret_label, bool *ret_done)
{
    struct token word = p->token;

    if (!read_string(p->arena, p->source, &word, ret_label, p->err) || !next(p)) {
        return false;
    }
    if (ret_label->len == 0) {
        return fail_at(p, word.start, p->previous_end, "a name must not be empty");
    }
    *ret_done = ends_matcher(p, &p->token);
    if (*ret_done) {
        push_metric(p, &word, *ret_label);
    }
    return true;
}

/*
 * A name without quotes: of a label, or of a template that stands for matchers, and then that was
 * all.
 */
static bool parse_bare_name(struct parser *p, struct str *ret_label, bool *ret_done)
{
    struct binding *binding = binding_find(p, p->token.text);
    struct token behind;

    if (!is_metricsql(p) && !is_plain_label(p->token.text)) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "\"%.*s\" is not a label name: a colon is for metric names",
                       STR_FMT(p->token.text));
    }
    if (binding != NULL && !binding_is_function(binding)) {
        if (!peek(p, &behind)) {
            return false;
        }
        *ret_done = ends_matcher(p, &behind);
        if (*ret_done) {
            return push_template(p, binding);
        }
    }
    *ret_label = read_word(p->arena, p->token.text);
    return next(p);
}

static bool parse_matcher_name(struct parser *p, struct str *ret_label, bool *ret_done)
{
    *ret_done = false;
    if (at_kind(p, TOKEN_STRING)) {
        return parse_quoted_name(p, ret_label, ret_done);
    }
    if (at_kind(p, TOKEN_WORD)) {
        return parse_bare_name(p, ret_label, ret_done);
    }
    return fail_expected(p, "a label name or \"}\"");
}

static bool bad_value(struct parser *p)
{
    if (at_kind(p, TOKEN_WORD) && !is_metricsql(p)) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "expected a string in quotes, found %.*s; write \"%.*s\"",
                       STR_FMT(p->token.text), STR_FMT(p->token.text));
    }
    return fail_expected(p, "a string in quotes");
}

static bool parse_matcher(struct parser *p)
{
    struct promql_matcher matcher = {.start = p->token.start};
    bool done;

    if (!parse_matcher_name(p, &matcher.label, &done)) {
        return false;
    }
    if (done) {
        return true;
    }
    if (!parse_match_op(p, &matcher.op)) {
        return false;
    }
    if (!at_kind(p, TOKEN_STRING) && binding_find(p, p->token.text) == NULL) {
        return bad_value(p);
    }
    if (!parse_string(p, &matcher.value)) {
        return false;
    }
    matcher.end = p->previous_end;
    vec_push(&p->matchers, matcher);
    return true;
}

/* Matchers up to "}" or, in MetricsQL, "or". */
static bool parse_matchers(struct parser *p)
{
    while (!at_kind(p, TOKEN_RIGHT_BRACE)) {
        if (!parse_matcher(p)) {
            return false;
        }
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        if (!next(p)) {
            return false;
        }
    }
    return true;
}

static bool same_matcher(const struct promql_matcher *a, const struct promql_matcher *b)
{
    return a->op == b->op && str_eq(a->label, b->label) && str_eq(a->value, b->value);
}

/* Templates repeat themselves: MetricsQL knows a matcher once. */
static void drop_repeated(struct parser *p, size_t from)
{
    size_t kept = from;

    for (size_t i = from; i < p->matchers.len; i++) {
        size_t k = from;
        while (k < kept && !same_matcher(&p->matchers.items[k], &p->matchers.items[i])) {
            k++;
        }
        if (k == kept) {
            p->matchers.items[kept++] = p->matchers.items[i];
        }
    }
    p->matchers.len = kept;
}

/* The next filter of a brace pair: <base> and the matchers up to "or" or "}". */
static bool parse_filter(struct parser *p, const struct promql_filter *base,
                         struct promql_filter *ret_filter)
{
    size_t from = p->matchers.len;

    for (uint32_t i = 0; i < base->count; i++) {
        vec_push(&p->matchers, base->matchers[i]);
    }
    if (!parse_matchers(p)) {
        return false;
    }
    if (is_metricsql(p)) {
        drop_repeated(p, from);
    }
    *ret_filter = take_matchers(p, from);
    return true;
}

enum { FILTERS_MAX = 64 };

/* Pushes <base> with each filter in the braces. */
static bool push_filters(struct parser *p, const struct promql_filter *base, size_t from)
{
    struct promql_filter filter;

    for (bool more = true; more;) {
        if (p->filters.len - from == FILTERS_MAX) {
            return fail_at(p, p->token.start, p->token.start + 1,
                           "at most %d filters may be joined by \"or\"", FILTERS_MAX);
        }
        if (!parse_filter(p, base, &filter)) {
            return false;
        }
        vec_push(&p->filters, filter);
        more = is_metricsql(p) && at_word(p, STR("or"));
        if (more && !next(p)) {
            return false;
        }
        if (more && at_kind(p, TOKEN_RIGHT_BRACE)) {
            return fail_expected(p, "a label name behind \"or\"");
        }
    }
    return true;
}

/* Every filter that <old> has with every one in the braces, which are read again for each. */
static bool cross_filters(struct parser *p, const struct promql_vector *old, size_t from)
{
    struct promql_filter none = {NULL, 0};
    struct lexer lexer = p->lexer;
    struct token token = p->token;

    if (old->filter_count == 0) {
        return push_filters(p, &none, from);
    }
    for (uint32_t i = 0; i < old->filter_count; i++) {
        p->lexer = lexer;
        p->token = token;
        if (!push_filters(p, &old->filters[i], from)) {
            return false;
        }
    }
    return true;
}

bool parse_filters(struct parser *p, struct promql_node *node)
{
    size_t from = p->filters.len;
    uint32_t open = p->token.start;

    if (node->kind != PROMQL_VECTOR) {
        return fail_at(p, open, open + 1, "matchers in braces can only follow a metric's name");
    }
    if (!next(p) || !cross_filters(p, &node->vector, from) ||
        !expect_close(p, TOKEN_RIGHT_BRACE, open)) {
        return false;
    }
    node->vector.filter_count = (uint32_t)(p->filters.len - from);
    node->vector.filters = take_filters(p, from);
    node->end = p->previous_end;
    return true;
}

/* The one matcher that a name before the braces is. */
static void name_filter(struct parser *p, struct promql_node *node)
{
    struct promql_filter *filter = arena_new(p->arena, struct promql_filter);
    struct promql_matcher *matcher = arena_new(p->arena, struct promql_matcher);

    *matcher = (struct promql_matcher){.label = STR("__name__"),
                                       .value = node->vector.name,
                                       .start = node->start,
                                       .end = p->previous_end};
    *filter = (struct promql_filter){matcher, 1};
    node->vector.filters = filter;
    node->vector.filter_count = 1;
}

bool parse_selector(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_VECTOR, p->token.start);

    if (at_kind(p, TOKEN_WORD)) {
        node->vector.name = read_word(p->arena, p->token.text);
        node->vector.is_escaped = node->vector.name.ptr != p->token.text.ptr;
        if (!next(p)) {
            return false;
        }
        name_filter(p, node);
    }
    if (at_kind(p, TOKEN_LEFT_BRACE) && !parse_filters(p, node)) {
        return false;
    }
    return node_end(p, node, ret_node);
}
