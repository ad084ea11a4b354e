/*
 * parse.h - what the files of the parser share. Included only inside this folder.
 *
 * The parser holds one token and asks the lexer for the next when that one is used up. Lists whose
 * length is not known grow on stacks in the parser and move to the arena when they are complete.
 * Ownership: promql_parse() owns the parser on its stack. Threads: confined. Limits: those of
 * promql.h, counted here.
 */
#ifndef TELEX_PROMQL_PARSE_H
#define TELEX_PROMQL_PARSE_H

#include "base/vec.h"
#include "promql/lex.h"
#include "promql/promql.h"

struct binding;

struct parser {
    struct arena *arena;
    struct str source;
    struct err *err;
    struct lexer lexer;
    struct token token;    /* not used up yet */
    uint32_t previous_end; /* of the token before */
    uint32_t nesting;      /* open calls of parse_operand() */
    uint32_t tokens;       /* read so far, those of templates each time */
    struct binding *scope; /* WITH templates, innermost first */
    bool in_duration;      /* between brackets, or in the parentheses of an offset */
    VEC(struct promql_node *) nodes;
    VEC(struct str) labels;
    VEC(struct promql_matcher) matchers;
    VEC(struct promql_filter) filters;
};

/* Moving on. */
MUST_USE bool next(struct parser *p);
MUST_USE bool peek(struct parser *p, struct token *ret_token);
bool is_metricsql(const struct parser *p);
bool at_kind(const struct parser *p, enum token_kind kind);
bool at_word(const struct parser *p, struct str word); /* letters in any case */
bool token_is(const struct token *token, struct str word);

/* Uses up a token of <kind>; else "expected <what>, found ...". */
MUST_USE bool expect(struct parser *p, enum token_kind kind, const char *what);

/* As expect() for what closes the bracket at byte <open>. */
MUST_USE bool expect_close(struct parser *p, enum token_kind kind, uint32_t open);

/*
 * Errors, always false: "expected <what>, found <token>" at the token; a message at bytes, a node.
 */
bool fail_expected(struct parser *p, const char *what) COLD;
bool fail_at(struct parser *p, size_t start, size_t end, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;
bool fail_node(struct parser *p, const struct promql_node *node, const char *fmt, ...)
    PRINTF_LIKE(3, 4) COLD;

/* Words for what was found: "end of expression", "\"foo\"". */
struct str describe(const struct token *token, char *space, size_t size);

/* A cleared node that begins at <start>. */
struct promql_node *node_new(struct parser *p, enum promql_kind kind, uint32_t start);

/*
 * Sets the end to where the parser is and the height from the children; an ERR_LIMIT when that is
 * too high.
 */
MUST_USE bool node_end(struct parser *p, struct promql_node *node, struct promql_node **ret_node);

/* Takes what was pushed on the stack since it had <from> items, into the arena. */
struct promql_nodes take_nodes(struct parser *p, size_t from);
struct promql_labels take_labels(struct parser *p, size_t from);
struct promql_filter take_matchers(struct parser *p, size_t from);
const struct promql_filter *take_filters(struct parser *p, size_t from);

/* parse_expr.c: operators, by precedence, and what stands between them. */
MUST_USE bool parse_expr(struct parser *p, struct promql_node **ret_node);
MUST_USE bool parse_operand(struct parser *p, unsigned precedence, struct promql_node **ret_node);

/* parse_match.c: what follows an operator; label lists. */
MUST_USE bool parse_matching(struct parser *p, struct promql_binary *binary);
MUST_USE bool parse_label_list(struct parser *p, struct promql_labels *ret_labels);

/* parse_primary.c: literals, names, calls, parentheses. */
MUST_USE bool parse_primary(struct parser *p, struct promql_node **ret_node);
MUST_USE bool parse_number(struct parser *p, struct promql_number *ret_number); /* was cleared */
MUST_USE bool parse_number_node(struct parser *p, struct promql_node **ret_node);
MUST_USE bool parse_args(struct parser *p, struct promql_nodes *ret_args);
MUST_USE bool parse_keep_names(struct parser *p, bool *ret_keep);
bool is_keep_names(const struct parser *p);

/* parse_selector.c: names and braces; strings, which MetricsQL may join with +. */
MUST_USE bool parse_selector(struct parser *p, struct promql_node **ret_node);
MUST_USE bool parse_filters(struct parser *p, struct promql_node *vector);
MUST_USE bool parse_string(struct parser *p, struct str *ret_text);

/* parse_duration.c: what an operand is while <in_duration>, and with a sign behind "offset". */
MUST_USE bool parse_duration(struct parser *p, struct promql_node **ret_node);
MUST_USE bool parse_duration_signed(struct parser *p, struct promql_node **ret_node);

/* The number that <node> simply is; false when it is to be computed. */
bool plain_seconds(const struct promql_node *node, double *ret_seconds);

/* Rounds to whole milliseconds, as PromQL counts time; false when out of range. */
bool seconds_to_ns(double seconds, int64_t *ret_ns);

MUST_USE bool set_duration(struct parser *p, struct promql_node *node,
                           struct promql_duration *ret_duration);

/* parse_range.c: [range], [range:step], offset, @. */
MUST_USE bool parse_suffixes(struct parser *p, struct promql_node **node);
bool at_suffix(const struct parser *p);

/* Puts parentheses around what has suffixes of its own, before more follow. */
MUST_USE bool wrap_suffixed(struct parser *p, struct promql_node **node);

/* parse_with.c: MetricsQL templates. */
struct binding *binding_find(const struct parser *p, struct str word);
bool binding_is_function(const struct binding *binding); /* has parameters */
bool is_anything(const struct promql_node *node); /* a parameter, where its template is defined */
MUST_USE bool parse_with(struct parser *p, struct promql_node **ret_node);

/*
 * Reads the name of <binding>, which the parser is at, with its arguments, and gives what it stands
 * for.
 */
MUST_USE bool expand(struct parser *p, struct binding *binding, struct promql_node **ret_node);

/* check.c: gives every node its type. */
MUST_USE bool promql_check(struct parser *p, struct promql_node *root);

#endif
