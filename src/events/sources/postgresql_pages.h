/*
 * postgresql_pages.h - what stands in tables of PostgreSQL, page by page in the order of a key, table by table.
 *
 * A backfill's bound is the greatest key that was there at the first start. A page sees all that was committed before it is
 * asked for; a row that is committed later, with a key below the bound, comes with the stream, and perhaps here too: with
 * one id.
 *
 * Ownership: borrows all that it is made of; what it gives lives in the batch. Threads: confined. Limits: a page's rows
 * are in memory at once.
 */
#ifndef TELEX_EVENTS_SOURCES_POSTGRESQL_PAGES_H
#define TELEX_EVENTS_SOURCES_POSTGRESQL_PAGES_H

#include "events/source.h"
#include "events/sources/postgresql_rows.h"
#include "events/sources/postgresql_server.h"

struct pg_pages {
    struct pg_server *server;
    const struct pg_table *tables;
    size_t table_count;
    struct str time_column; /* or empty */
    struct str key_column;  /* or empty */
    struct str where;       /* or empty */
    bool is_primary_key;    /* the id: its order is that of the columns */
    bool id_is_key;         /* where there is no other */
    struct arena *scratch;  /* emptied by each call */
    uint64_t batch_number;  /* differs from batch to batch */
};

/* The bound, for source_begun.oldest: of rows for which <condition> holds. Tables without a key have none. */
enum sourced pg_pages_bound(struct pg_pages *s, const char *condition, struct buf *out,
                            struct wait wait, struct err *e);

/* As source_ops.backfill and backfill_left. */
enum sourced pg_pages_read(struct pg_pages *s, const struct source_range *range, struct str text,
                           size_t max, struct changes *ret, bool *ret_done, struct wait wait,
                           struct err *e);
int64_t pg_pages_left(struct pg_pages *s, const struct source_range *range, struct str text,
                      struct wait wait);

/* ---- parts of it ---- */

/* A question with its parameters. */
struct pg_question {
    struct buf sql;
    const char *params[PG_PARAMS_MAX * 3];
    size_t count;
    struct arena arena;
};

void pg_question_init(struct pg_question *q);
void pg_question_release(struct pg_question *q);
void pg_question_add(struct pg_question *q, struct str value); /* a parameter: "$1" */
/* ("a", "b") <sign> ($1, $2); and ORDER BY the key. */
void pg_question_add_key(struct pg_question *q, const struct pg_table *t, const char *sign,
                         const struct str *key);
void pg_question_add_order(struct pg_question *q, const struct pg_table *t, const char *direction);

/* The columns of a table that are not generated from others, for SELECT. */
enum sourced pg_pages_columns(struct pg_pages *s, const struct pg_table *t, struct wait wait,
                              struct str *ret, struct err *e);

/* The layout of a result, to be released in any case; a row of it as a change; the key of a row. */
enum sourced pg_pages_lay_out(struct pg_pages *s, const struct pg_table *t,
                              const struct pg_result *r, struct wait wait, struct pg_layout *l,
                              struct err *e);
struct change *pg_pages_add_row(const struct pg_pages *s, struct pg_layout *l,
                                const struct pg_result *r, size_t row, struct changes *ret);
void pg_pages_key(const struct pg_table *t, const struct pg_layout *l, const struct pg_result *r,
                  size_t row, struct str *key);

#endif
