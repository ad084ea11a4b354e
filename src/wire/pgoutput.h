/*
 * pgoutput.h - what PostgreSQL's logical replication sends: frames of a COPY stream, and in them the messages of
 * pgoutput, version 1; and the status that goes back.
 *
 * Version 1 tells a transaction when it has committed: BEGIN, its changes, COMMIT. A relation is described before its
 * first change and again whenever it became another. What later versions add (parts of running transactions,
 * two phases) is refused by name.
 *
 * Ownership: views of the bytes given; arrays in the caller's arena. Threads: any; pure. Limits:
 * PGOUTPUT_COLUMNS_MAX columns; a message that is longer or shorter than it says is refused.
 */
#ifndef TELEX_WIRE_PGOUTPUT_H
#define TELEX_WIRE_PGOUTPUT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { PGOUTPUT_COLUMNS_MAX = 1664 };

/* ---- frames ---- */

enum pgoutput_frame_kind { PGOUTPUT_DATA, PGOUTPUT_KEEPALIVE };

struct pgoutput_frame {
    enum pgoutput_frame_kind kind;
    uint64_t lsn;     /* of DATA: where it stands in the log */
    uint64_t end_lsn; /* how far the server is */
    int64_t time_ns;  /* wall; when it was sent */
    bool wants_reply; /* of KEEPALIVE: at once */
    struct str body;  /* of DATA: a message */
};

MUST_USE bool pgoutput_read_frame(struct str bytes, struct pgoutput_frame *ret, struct err *e);

/* Appends a standby status update: how far what came is written, and how far it is safe; and whether the server is to
 * answer at once. */
void pgoutput_add_status(uint64_t written_lsn, uint64_t safe_lsn, int64_t wall_ns, bool wants_reply,
                         struct buf *out);

/* ---- messages ---- */

enum pgoutput_kind {
    PGOUTPUT_BEGIN,
    PGOUTPUT_COMMIT,
    PGOUTPUT_ORIGIN,
    PGOUTPUT_RELATION,
    PGOUTPUT_TYPE,
    PGOUTPUT_INSERT,
    PGOUTPUT_UPDATE,
    PGOUTPUT_DELETE,
    PGOUTPUT_TRUNCATE,
    PGOUTPUT_MESSAGE,
    PGOUTPUT_KINDS
};

enum pgoutput_cell_kind { PGOUTPUT_NULL, PGOUTPUT_UNCHANGED, PGOUTPUT_TEXT };

struct pgoutput_cell {
    struct str text;
    enum pgoutput_cell_kind kind;
};

struct pgoutput_tuple {
    const struct pgoutput_cell *cells; /* NULL: there is no such row */
    uint32_t count;
};

struct pgoutput_column {
    struct str name;
    uint32_t type; /* oid */
    int32_t modifier;
    bool is_key; /* of the replica identity */
};

/* Fields that a kind does not have are zero. */
struct pgoutput_message {
    enum pgoutput_kind kind;
    uint64_t lsn;     /* BEGIN, COMMIT: of the commit; ORIGIN, MESSAGE: its own */
    uint64_t end_lsn; /* COMMIT: behind the transaction */
    int64_t time_ns;  /* BEGIN, COMMIT: wall, of the commit */
    uint32_t xid;     /* BEGIN */
    uint32_t id;      /* RELATION, TYPE, INSERT, UPDATE, DELETE: oid */
    struct str schema;
    struct str name;                       /* RELATION, TYPE, ORIGIN; MESSAGE: its prefix */
    char identity;                         /* RELATION: 'd', 'n', 'f' or 'i' */
    const struct pgoutput_column *columns; /* RELATION */
    uint32_t count;                        /* of <columns> or <ids> */
    const uint32_t *ids;                   /* TRUNCATE: of relations */
    struct pgoutput_tuple old; /* UPDATE, DELETE: its key or, if <is_whole>, all of it */
    struct pgoutput_tuple row; /* INSERT, UPDATE */
    bool is_whole;
    bool is_transactional; /* MESSAGE */
    struct str content;    /* MESSAGE */
};

MUST_USE bool pgoutput_read(struct str bytes, struct arena *a, struct pgoutput_message *ret,
                            struct err *e);

/* ---- places in the log ---- */

/* As PostgreSQL writes them, "16/B374D848". */
void pgoutput_add_lsn(struct buf *out, uint64_t lsn);
bool pgoutput_parse_lsn(struct str text, uint64_t *ret_lsn);

#endif
