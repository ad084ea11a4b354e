/*
 * yaml.h - YAML as a tree in which every node knows its exact place.
 *
 * libyaml's events become a tree in the caller's arena. Refused, each with file, line, column,
 * source line and caret: duplicate keys, keys that are not scalars, unknown or recursive aliases,
 * tabs as indentation, and anything libyaml refuses. Merge keys (<<) and anchors work. Scalars stay
 * text; typing is the reader's business (options.h, or the helpers below, which know that a quoted
 * "true" is text).
 *
 * Ownership: nodes and texts live in the arena; the source must outlive them for carets. Threads:
 * confined while parsing, immutable after. Limits: YAML_DEPTH_MAX levels, YAML_NODES_MAX nodes
 * after alias expansion, and the caller's cap on the source.
 */
#ifndef TELEX_BASE_YAML_H
#define TELEX_BASE_YAML_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { YAML_DEPTH_MAX = 64, YAML_NODES_MAX = 4 * 1000 * 1000 };

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

/* How a scalar was written: only plain ones can be null, numbers or booleans. */
enum yaml_style { YAML_PLAIN, YAML_QUOTED, YAML_BLOCK };

struct yaml_source {
    struct str file; /* for errors */
    struct str text;
};

struct yaml_node {
    enum yaml_kind kind;
    enum yaml_style style;
    struct pos pos;  /* of the first byte; for a block scalar, of its first content line */
    size_t offset;   /* the same place as byte offset in the source */
    size_t length;   /* bytes in the source, for the caret */
    struct str text; /* scalar */
    struct str key;  /* when this node is a mapping's value */
    struct pos key_pos;
    size_t key_offset;
    const struct yaml_node *first; /* sequence or mapping: children in order */
    const struct yaml_node *next;  /* sibling */
    size_t count;                  /* children */
    const struct yaml_source *source;
};

/*
 * Parses all documents of <source> (borrowed, kept); *ret_documents is a sequence node of them, in
 * order. Empty documents are left out.
 */
MUST_USE bool yaml_parse(struct arena *a, const struct yaml_source *source,
                         const struct yaml_node **ret_documents, struct err *e);

/* The value of <key> in a mapping; NULL when absent or <node> is no mapping. */
const struct yaml_node *yaml_get(const struct yaml_node *node, struct str key);

/* Is it a plain null, ~ or empty scalar? */
bool yaml_is_null(const struct yaml_node *node);

/* Typed reads; on failure the error points at the node and says what was expected. */
MUST_USE bool yaml_text(const struct yaml_node *node, struct str *ret_text, struct err *e);
MUST_USE bool yaml_bool(const struct yaml_node *node, bool *ret_value, struct err *e);
MUST_USE bool yaml_i64(const struct yaml_node *node, int64_t *ret_value, struct err *e);
MUST_USE bool yaml_double(const struct yaml_node *node, double *ret_value, struct err *e);
MUST_USE bool yaml_duration(const struct yaml_node *node, int64_t *ret_ns, struct err *e);

/* Sets an error at the node (or its key) with file, position, source line and caret. Always false.
 */
bool yaml_err(const struct yaml_node *node, struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;
bool yaml_key_err(const struct yaml_node *node, struct err *e, enum err_code code, const char *fmt,
                  ...) PRINTF_LIKE(4, 5) COLD;

/*
 * Points <e> to <len> bytes at <offset> of the source (behind its byte order mark) and keeps their
 * line, in which values of keys that are named like a secret are hidden with '*', as they are where
 * the message quotes them.
 */
void yaml_point(const struct yaml_source *source, size_t offset, size_t len, struct err *e) COLD;

/*
 * Moves an error that points into the text of scalar <node> (line and column relative to it,
 * 1-based, as a PromQL or template error does) to its place in the file; right for plain,
 * single-quoted one-liners and block scalars, and to the start of the scalar where escapes make it
 * ambiguous.
 */
void yaml_err_inside(const struct yaml_node *node, struct err *e) COLD;

#endif
