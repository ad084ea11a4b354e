/*
 * change.h - what a source gives: one change of a datastore, and batches of them.
 *
 * A change is a row (columns by name), a document (a JSON object), an event that is one already, or
 * something that could not be read, which is kept for the dead letters. It says where to go on behind
 * it, and under which id it is known: both come from the source alone and are the same whenever the
 * change is read again, in the stream or in a backfill.
 *
 * Ownership: texts live in the batch's arena. Threads: confined. Limits: CHANGE_COLUMNS_MAX columns;
 * CHANGE_BYTES_MAX bytes of one change, beyond which it is CHANGE_BROKEN.
 */
#ifndef TELEX_EVENTS_CHANGE_H
#define TELEX_EVENTS_CHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "model/event.h"

#include <stdbool.h>
#include <stdint.h>

enum { CHANGE_COLUMNS_MAX = 1664, CHANGE_BYTES_MAX = 64 << 20 };

enum change_op { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_OPS };

enum change_form { CHANGE_ROW, CHANGE_DOCUMENT, CHANGE_EVENT, CHANGE_BROKEN, CHANGE_FORMS };

enum column_type {
    COLUMN_NULL,
    COLUMN_TEXT,
    COLUMN_NUMBER, /* as JSON writes numbers */
    COLUMN_FLAG,   /* "true", "false" */
    COLUMN_JSON,   /* a JSON value */
    COLUMN_BYTES,  /* anything; base64 in JSON */
    COLUMN_UNSENT, /* has a value that the source did not send again, since it did not change */
    COLUMN_TYPES
};

struct change_column {
    struct str name;
    struct str text;
    enum column_type type;
};

struct change {
    struct str position; /* whoever has it durable goes on behind this change */
    struct str id;       /* one change of this source has it, whenever it is read */
    struct str sequence; /* sorts as text as the source orders changes; empty: it has no order */
    struct str key;      /* what must stay in order with its like; empty: nothing */
    struct str name;     /* of the table, collection or topic that it is of */
    int64_t time_ns;     /* wall; when the source took it in; 0: not known */
    enum change_op op;
    enum change_form form;
    const struct change_column *columns; /* of CHANGE_ROW */
    size_t column_count;
    struct str document;       /* of CHANGE_DOCUMENT; of CHANGE_BROKEN the bytes as they came */
    const struct event *event; /* of CHANGE_EVENT */
    struct str fault;          /* of CHANGE_BROKEN: why */
};

struct changes {
    struct arena arena;
    VEC(struct change) list;
    struct str
        position; /* behind all of the list, and what was passed over behind it; empty: as the last one's */
    size_t bytes; /* of the texts, about */
};

void changes_init(struct changes *c);
void changes_clear(struct changes *c); /* keeps some of the memory */
void changes_release(struct changes *c);

/* Appends a zeroed change. */
struct change *changes_add(struct changes *c);

/* NULL when the row has no column of that name. */
const struct change_column *change_column(const struct change *ch, struct str name);

#endif
