/*
 * err.h - what went wrong, where, and while doing what.
 *
 * A fallible function is `MUST_USE bool f(..., struct err *e)`: true and <e> untouched, or false
 * and <e> filled. The error is set once where it happens, wrapped with context at folder boundaries
 * and logged once at the top. "Not found" is a value, not an error.
 *
 * Ownership: fixed size, on the caller's stack, no allocation, so it works when memory is out.
 * Threads: confined. Limits: message and context are cut at ERR_TEXT bytes each, at a character's
 * edge.
 */
#ifndef TELEX_BASE_ERR_H
#define TELEX_BASE_ERR_H

#include "base/attr.h"
#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum err_code {
    ERR_NONE,
    ERR_PARSE,    /* bytes or text that do not follow their grammar */
    ERR_CONFIG,   /* well-formed, but not something we can do */
    ERR_IO,       /* a file or device */
    ERR_NET,      /* a peer that cannot be reached or breaks its protocol */
    ERR_TIMEOUT,  /* a deadline passed */
    ERR_CANCELED, /* somebody asked us to stop */
    ERR_AUTH,     /* credentials missing or refused */
    ERR_LIMIT,    /* a cap on size, count, depth or memory */
    ERR_FULL,     /* no room now: a quota or queue that is used up; later there may be some */
    ERR_CONFLICT, /* state is not what the operation needs */
    ERR_INTERNAL, /* should not happen */
};

enum { ERR_TEXT = 1024, ERR_FILE = 256, ERR_SOURCE = 160 };

/* A place in a file: 1-based line and column (in bytes); line 0 when unknown. */
struct pos {
    uint32_t line;
    uint32_t column;
};

struct err {
    enum err_code code;
    struct pos pos;
    uint32_t caret_column;   /* 1-based byte column in <source> */
    uint32_t caret_len;      /* bytes that the caret underlines, at least 1 */
    char file[ERR_FILE];     /* or "" */
    char message[ERR_TEXT];  /* one sentence: what was found, what was expected, what to do */
    char context[ERR_TEXT];  /* outermost first: "loading rules: group 'api'" */
    char source[ERR_SOURCE]; /* the source line, for the caret; or "" */
};

#define ERR_INIT ((struct err){.code = ERR_NONE})

/* Sets code and message. Always returns false, so that one can `return err_set(e, ...)`. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4) COLD;

/* As err_set() with a position. */
bool err_set_at(struct err *e, enum err_code code, struct pos pos, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;

/* As err_set(), with the text of <errnum> appended after a colon. */
bool err_set_errno(struct err *e, enum err_code code, int errnum, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;

/* Puts context in front of what is there. Always returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3) COLD;

/* Names the file, if none is named yet. Always returns false. */
bool err_in_file(struct err *e, struct str file) COLD;

/*
 * Keeps the line of <text> that holds byte <offset>, sets line and column from it (columns added to
 * <base_column> - 1 on the first line, lines to <base_line> - 1; pass 1, 1 for a whole file), and
 * underlines <len> bytes.
 */
void err_point(struct err *e, struct str text, size_t offset, size_t len, struct pos base) COLD;

/*
 * The whole error for a person: "file:line:col: context: message", then the source line and a caret
 * where known.
 */
void err_print(const struct err *e, struct buf *out);

/* The same on one line, without source and caret, for logs and API answers. */
void err_print_line(const struct err *e, struct buf *out);

/*
 * The compilers' analysers cannot see that the functions above never return true, and would follow the
 * path on which they do. A function that wraps one can be told the same way.
 */
static inline bool err_false(bool result)
{
    (void)result;
    return false;
}
#define err_set(...) err_false(err_set(__VA_ARGS__))
#define err_set_at(...) err_false(err_set_at(__VA_ARGS__))
#define err_set_errno(...) err_false(err_set_errno(__VA_ARGS__))
#define err_wrap(...) err_false(err_wrap(__VA_ARGS__))
#define err_in_file(...) err_false(err_in_file(__VA_ARGS__))

/* "timeout", "parse", ...: a stable word per code, for labels of metrics. */
const char *err_code_name(enum err_code code);

#endif
