/*
 * lex.h - PromQL text to tokens, one at a time.
 *
 * Words are not told apart here: whether `sum`, `by` or `offset` is a keyword or a name is the
 * parser's business, which knows where it stands. Ownership: tokens borrow from the text. Threads:
 * confined. Limits: none; every byte of the text is looked at a bounded number of times.
 */
#ifndef TELEX_PROMQL_LEX_H
#define TELEX_PROMQL_LEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "promql/tables.h"

#include <stdbool.h>
#include <stdint.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_STRING,
    TOKEN_OP, /* an operator made of signs; <op> says which */
    TOKEN_ASSIGN,
    TOKEN_EQL_REGEX,
    TOKEN_NEQ_REGEX,
    TOKEN_AT,
    TOKEN_COMMA,
    TOKEN_COLON, /* between brackets only; elsewhere it is a part of words */
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
};

struct token {
    enum token_kind kind;
    enum promql_op op;
    uint32_t start; /* bytes of the source */
    struct str text;
};

struct lexer {
    struct str source; /* all of it, for carets */
    uint32_t at;
    uint32_t end; /* where to stop: a template's body ends before the source does */
    enum promql_dialect dialect;
    bool in_brackets; /* a colon stands alone */
};

/* The next token; TOKEN_END at the end, again and again. */
MUST_USE bool lex_next(struct lexer *lx, struct token *ret_token, struct err *e);

/* Sets a parse error that points at <len> bytes of <source> from <start> on. Always false. */
bool lex_fail(struct str source, size_t start, size_t len, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(5, 6) COLD;

/*
 * How long the number or duration at the front of <s> is, and which of them; 0 when it is neither.
 */
size_t scan_number(struct str s, enum promql_dialect dialect, enum token_kind *ret_kind);

/*
 * The value of such a token: seconds for a duration, plus <ret_steps> query steps (MetricsQL "5i").
 */
MUST_USE bool read_number(struct str text, enum promql_dialect dialect, double *ret_value);
MUST_USE bool read_duration(struct str text, enum promql_dialect dialect, double *ret_value,
                            double *ret_steps, struct err *e);

/* The meaning of a string token (quotes included), in the arena where it has escapes. */
MUST_USE bool read_string(struct arena *a, struct str source, const struct token *token,
                          struct str *ret_text, struct err *e);

/* The name that a word token stands for: MetricsQL words may have escapes. */
struct str read_word(struct arena *a, struct str text);

/* Bytes of the character at the front of <s>; 1 for a byte that is no part of valid UTF-8. */
size_t character_length(struct str s);

/* Can <name> be written without quotes, as a label or (with colons) as a metric? */
bool is_plain_label(struct str name);
bool is_plain_metric(struct str name);

#endif
