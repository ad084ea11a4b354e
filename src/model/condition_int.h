/*
 * condition_int.h - what the lexer, the parser and the evaluator of conditions share. Included only inside
 * this folder.
 *
 * Ownership: nodes and texts live in the condition's arena; regular expressions are freed with it. Threads:
 * immutable once compiled. Limits: those of condition.h.
 */
#ifndef TELEX_MODEL_CONDITION_INT_H
#define TELEX_MODEL_CONDITION_INT_H

#include "base/arena.h"
#include "base/regex.h"
#include "model/condition.h"

/* What comparing two values can give; an operator is the set of outcomes that it accepts. */
enum outcome_bits { CMP_LESS = 1, CMP_EQUAL = 2, CMP_GREATER = 4, CMP_UNORDERED = 8 };

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_COMPARE, /* accepts says which */
    TOKEN_MATCH,   /* =~; accepts 0: !~ */
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_DOT,
    TOKEN_SQUARE_OPEN,
    TOKEN_SQUARE_CLOSE,
    TOKEN_OR,
    TOKEN_AND,
    TOKEN_UNLESS,
    TOKEN_NOT,
    TOKEN_TRUE,
    TOKEN_FALSE
};

struct token {
    enum token_kind kind;
    struct str source; /* as written */
    struct str text;   /* a string, decoded */
    double number;
    unsigned accepts;
};

/* Takes the next token from <*at> (inside <text>), which moves behind it. */
bool condition_lex(struct str text, size_t *at, struct arena *a, struct token *ret_token,
                   struct err *e);

enum operand_kind { OPERAND_FIELD, OPERAND_TEXT, OPERAND_NUMBER };

struct operand {
    enum operand_kind kind;
    enum field_scope scope;
    struct str text; /* a field's name, or a text */
    double number;
};

enum node_kind { NODE_ANY, NODE_ALL, NODE_CONST, NODE_COMPARE, NODE_MATCH, NODE_KINDS };

/* "or" is ANY of its children, "and" ALL of them; "not" and "unless" deny a node. */
struct condition_node {
    enum node_kind kind;
    bool deny;
    struct condition_node *first; /* child of ANY and ALL */
    struct condition_node *next;  /* sibling */
    struct str source;            /* of COMPARE and MATCH, in the condition's text */
    struct operand x;
    struct operand y;
    unsigned accepts;    /* of COMPARE; of MATCH: must it match? of CONST: is it true? */
    struct regex *regex; /* of MATCH */
    struct condition_node *next_regex;
};

struct condition {
    struct arena arena;
    struct str text;
    struct condition_node *root;
    struct condition_node *regexes; /* nodes that own one */
};

/* Fills <c>'s root of its text; regexes are listed even on failure. */
bool condition_parse(struct condition *c, struct err *e);

/* Sets <e> with the place of <part> in <text>. Always false. */
bool condition_fail(struct str text, struct str part, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

#endif
