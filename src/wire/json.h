/*
 * json.h - JSON (RFC 8259): a writer, a pull reader for large answers, a tree for small bodies.
 *
 * The writer appends to a buf and keeps track of where it is, so that commas and colons are never the
 * caller's business. The reader goes over a complete text once, without copying: the caller says what it
 * expects next, strings are views of the text and are decoded into the arena only when they hold
 * escapes. Errors stick: after the first one every call says "no", and json_read_end() tells. The tree is
 * made of reader calls, for bodies that are looked at more than once.
 *
 * Ownership: the writer borrows its buf; what the reader and the tree give lives in the text or the
 * arena. Threads: confined. Limits: JSON_DEPTH_MAX levels; the buf's and the arena's caps. Strings
 * are written as valid UTF-8 (anything else becomes U+FFFD) and read as they are, except that lone
 * surrogates in escapes become U+FFFD. Of equal keys in a tree the last counts.
 */
#ifndef TELEX_WIRE_JSON_H
#define TELEX_WIRE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_DEPTH_MAX = 64 };

/* Writer. Values and keys in the wrong place break an invariant. */
struct json_writer {
    struct buf *out;
    uint64_t objects;   /* bit per level: it is an object */
    uint64_t not_first; /* bit per level: something stands before */
    uint32_t depth;
    bool after_key;
};

void json_write_init(struct json_writer *w, struct buf *out);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, struct str key);
void json_key_raw(struct json_writer *w, struct str key); /* with its quotes and its colon */
void json_add_str(struct json_writer *w, struct str value);
void json_add_text(struct json_writer *w, const char *value);
void json_add_i64(struct json_writer *w, int64_t value);
void json_add_u64(struct json_writer *w, uint64_t value);
void json_add_bool(struct json_writer *w, bool value);
void json_add_null(struct json_writer *w);

/* The shortest form that reads back; NaN and infinities as null. */
void json_add_double(struct json_writer *w, double value);

/* The same, but NaN and infinities as the strings "NaN", "+Inf", "-Inf". */
void json_add_double_or_text(struct json_writer *w, double value);

/* An RFC 3339 time, as a string. */
void json_add_time(struct json_writer *w, int64_t wall_ns);

/* Bytes that are a JSON value already. */
void json_add_raw(struct json_writer *w, struct str json);

/* A value that was read, with all that is in it. */
struct json_node;
void json_add_node(struct json_writer *w, const struct json_node *n);

/* A string with quotes and escapes, outside any writer. */
void json_print_str(struct buf *out, struct str s);

/* Reader. */
enum json_kind {
    JSON_NONE, /* nothing more, or an error */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

struct json_reader {
    const char *start;
    const char *at;
    const char *end;
    struct arena *arena; /* for strings with escapes */
    struct err *err;
    uint32_t depth;
    bool fresh; /* just behind a '{' or '[' */
    bool failed;
};

/* Reads <text>, which outlives the reader; the first error goes to <e>. */
void json_read_init(struct json_reader *r, struct str text, struct arena *a, struct err *e);

/* The kind of the value that comes next. */
enum json_kind json_peek(struct json_reader *r);

/* Goes into an object or array; false on an error. */
bool json_open_object(struct json_reader *r);
bool json_open_array(struct json_reader *r);

/* Inside an object: the next key; the caller takes its value. false behind the '}' or on an error. */
bool json_next_key(struct json_reader *r, struct str *ret_key);

/* Inside an array: is there another value? The caller takes it. false behind the ']' or on an error. */
bool json_next_item(struct json_reader *r);

/* Take the value that comes next; false on an error, or when it is of another kind, which is one. */
bool json_take_str(struct json_reader *r, struct str *ret_value);
bool json_take_number(struct json_reader *r, struct str *ret_text);
bool json_take_double(struct json_reader *r, double *ret_value);
bool json_take_i64(struct json_reader *r, int64_t *ret_value);
bool json_take_bool(struct json_reader *r, bool *ret_value);

/* Passes over the value that comes next, checking its form. */
bool json_skip(struct json_reader *r);

/* The same; *ret_json is its bytes. */
bool json_take_raw(struct json_reader *r, struct str *ret_json);

/* True when there was no error and nothing but white space is left. */
bool json_read_end(struct json_reader *r);

/* Ends reading with an error at the reader's position. Always false. */
bool json_fail(struct json_reader *r, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4) COLD;

/* Ends reading; the caller has set the error. */
void json_stop(struct json_reader *r);

/* Is all of it a number of JSON? */
bool json_is_number(struct str text);

/* An error about byte <offset> of <text>, with line, column and the text around it. Always false. */
bool json_err_at(struct str text, size_t offset, struct err *e, enum err_code code, const char *fmt,
                 ...) PRINTF_LIKE(5, 6) COLD;

/* Is all of it UTF-8, as JSON must be? Fails at the first byte that is not. */
MUST_USE bool json_is_utf8(struct str text, struct err *e);

/* Tree. */
struct json_node {
    enum json_kind kind;
    uint32_t count;          /* items of an array, members of an object */
    struct str key;          /* in an object */
    struct str text;         /* of a string (decoded) or number (as written) */
    size_t offset;           /* of the value in the text */
    struct json_node *first; /* child */
    struct json_node *next;  /* sibling */
};

/* A tree in <a>; false with the position of the first mistake. */
MUST_USE bool json_parse(struct str text, struct arena *a, struct json_node **ret_root,
                         struct err *e);

/* The member <key> of an object; NULL when there is none or <node> is no object (or NULL). */
const struct json_node *json_get(const struct json_node *node, struct str key);

/* The text of member <key> when it is a string; else empty. */
struct str json_get_str(const struct json_node *node, struct str key);

/* The number of a node; false when it is none. */
MUST_USE bool json_node_double(const struct json_node *node, double *ret_value);

#endif
