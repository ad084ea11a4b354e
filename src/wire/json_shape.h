/*
 * json_shape.h - lines that differ in their time and value alone: what they share is read once.
 *
 * Most lines of a file of samples are like one before them but for the text of "timestamp" and the number of "value". A
 * shape is such a line with two gaps; a line that equals it outside the gaps, and has a plain text in the one and a number
 * in the other, is the same JSON object but for these two. Where it is not sure, nothing is found and the line is
 * parsed as any other.
 *
 * Ownership: shapes own their bytes. Threads: confined. Limits: <bytes_max> of shapes, then no more are kept.
 */
#ifndef TELEX_WIRE_JSON_SHAPE_H
#define TELEX_WIRE_JSON_SHAPE_H

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "wire/json.h"

enum { JSON_SHAPES_BYTES = 128 * 1024 * 1024 };

struct cell;

/* A member of the line that the shape was learned from. */
struct json_part {
    size_t column;
    enum json_kind kind;
    struct str text;
};

/* What stands before the time, between, and behind the value: parts of one text, the line's. */
struct json_shape {
    struct str head; /* with the time's quote */
    struct str middle;
    struct str tail;
    size_t time_column;
    size_t value_column;
    struct json_shape *next; /* which came behind it last time */
    uint32_t number;         /* from 0 */
    struct json_part *parts; /* or NULL: it is to be parsed again */
    size_t part_count;
    struct cell *cells; /* of the rows, but for the two; NULL: not yet */
};

struct json_shapes {
    struct arena arena;
    struct map by_middle;
    struct json_shape *last;
    uint32_t count;
    size_t bytes;
    size_t bytes_max; /* JSON_SHAPES_BYTES, until somebody says otherwise */
};

/* What stands in the gaps of a line. */
struct json_gaps {
    struct str time; /* without quotes */
    struct str value;
};

void json_shapes_init(struct json_shapes *s);
void json_shapes_release(struct json_shapes *s);

/* The shape of a line, or NULL. */
struct json_shape *json_shape_find(struct json_shapes *s, struct str line, struct json_gaps *ret);

/* Finds them in a line that was parsed; false when it has none. The last members of their names count, as everywhere;
 * both at the top, the time first. */
bool json_gaps_of(struct str line, const struct json_node *root, struct json_gaps *ret);

/* The shape of a line that has gaps, to be kept; NULL when there is no room for <more> bytes of it. One that is added is not
 * found by lines: who has it knows what it is for. */
struct json_shape *json_shape_add(struct json_shapes *s, struct str line,
                                  const struct json_gaps *gaps, size_t more);
struct json_shape *json_shape_learn(struct json_shapes *s, struct str line,
                                    const struct json_gaps *gaps, size_t more);

#endif
