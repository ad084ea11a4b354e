/*
 * postgresql_int.h - what the files of the source `postgresql` share.
 *
 * Ownership: the source owns all in it; the config is borrowed. Threads: confined. Limits: see the files.
 */
#ifndef TELEX_EVENTS_SOURCES_POSTGRESQL_INT_H
#define TELEX_EVENTS_SOURCES_POSTGRESQL_INT_H

#include "base/trace.h"
#include "events/source.h"
#include "events/sources/postgresql_pages.h"
#include "events/sources/postgresql_place.h"
#include "events/sources/postgresql_rows.h"
#include "events/sources/postgresql_server.h"

enum { PG_NAME_MAX = 63 }; /* bytes of a name in PostgreSQL */

/* Versions of servers: publications of a partitioned table's root, and of some rows. */
enum { PG_VERSION_ROOT = 130000, PG_VERSION_WHERE = 150000 };

/* Before a name, in the words for what a stream leaves: source_thing.words. */
#define PG_WORDS_SLOT "slot "
#define PG_WORDS_PUBLICATION "publication "

/* Of source_leavings.things. */
enum pg_thing { PG_SLOT, PG_PUBLICATION };

enum pg_operations { PG_INSERTS = 1, PG_UPDATES = 2, PG_DELETES = 4 };

struct postgresql_config {
    struct source_common common;
    struct secret *connection_string;
    struct option_list tables;
    struct option_list operations;
    struct str publication;
    struct str slot;
    bool create_publication;
    bool create_slot;
    bool failover;
    struct option_list id_column;
    struct str key_column;
    struct str time_column;
    struct str where;
    int64_t connect_timeout_ns;
    int64_t silence_timeout_ns;
};

/* A table as the stream describes it. */
struct pg_relation {
    uint32_t id;
    struct pg_layout layout;
    uint32_t *is_key; /* per column; in the layout's arena */
    bool is_wanted;
};

struct postgresql_source {
    struct source super;
    const struct postgresql_config *config;
    const struct env *env;
    struct trace trace;
    struct str stream_name;
    struct pg_server server; /* for questions */
    struct buf slot;
    struct buf publication;
    unsigned operations;  /* enum pg_operations */
    struct buf *told;     /* it only looks: here goes what a start would make; NULL: that is made */
    struct arena catalog; /* what start() found */
    struct pg_table tables[PG_TABLES_MAX];
    size_t table_count;

    struct pg *stream;     /* NULL: not started */
    struct pg_place begun; /* up to here all is done, whatever comes again */
    struct pg_place given; /* behind what was given */
    struct pg_place acked; /* behind what is safe */
    uint64_t told_lsn;     /* what the server knows of it */
    uint64_t written_lsn;  /* how far what came goes */
    int64_t told_mono_ns;
    int64_t read_mono_ns;   /* when it was last read */
    int64_t heard_mono_ns;  /* when something came last, or nobody read */
    bool has_heard;         /* something came since that was looked at */
    int64_t passed_mono_ns; /* when a position was given last that no change stands at */
    uint32_t timeline;
    VEC(struct pg_relation *) relations;
    struct pg_relation *last; /* used */
    bool is_caught_up;        /* the server has sent all that there was */
    bool is_inside;           /* a transaction: BEGIN came, COMMIT did not */
    struct pg_place at;       /* the last change that came, inside of a transaction */
    int64_t commit_ns;
    int64_t head_ns;
    bool is_busy; /* the last batch had many changes */
    uint64_t batch_number;
    struct arena scratch;
};

static inline struct postgresql_source *postgresql_of(struct source *s)
{
    return container_of(s, struct postgresql_source, super);
}

/* postgresql_start.c */
enum sourced postgresql_start(struct source *s, const struct source_start *from,
                              struct source_begun *ret, struct wait wait, struct err *e);
enum sourced postgresql_find_tables(struct postgresql_source *s, struct wait wait, struct err *e);

/* postgresql_publication.c */

/* <first>: of a first start, which may make it; else NULL. */
enum sourced postgresql_ensure_publication(struct postgresql_source *s, int64_t version,
                                           bool has_slot, struct source_begun *first,
                                           struct wait wait, struct err *e);
/* Has the slot changes from before the publication was made? It would end the stream at the first of them. Only a
 * publication that is younger than what the slot needs of the catalog makes us look into the slot, which costs. */
enum sourced postgresql_look_into_slot(struct postgresql_source *s, struct wait wait,
                                       bool *ret_is_dead, struct err *e);

/* postgresql.c */

/* The name that is given, or "telex_" and the stream's as far as a name can have it. */
void postgresql_add_name(struct buf *out, struct str given, struct str stream);
struct pg_pages postgresql_pages(struct postgresql_source *s);

/* postgresql_stream.c */
enum sourced postgresql_next(struct source *s, size_t max, struct changes *ret, struct wait wait,
                             struct err *e);
void postgresql_ack(struct source *s, struct str position);
enum sourced postgresql_tend(struct source *s, struct err *e);
/* What the end of a stream means, or of an attempt to start one, behind <at>. */
enum sourced postgresql_ended(const struct postgresql_source *s, const struct pg_fault *fault,
                              struct pg_place at, struct err *e);
void postgresql_forget_relations(struct postgresql_source *s);
/* Ends the stream; tells before how far all is safe. */
void postgresql_hang_up(struct postgresql_source *s);

/* postgresql_look.c: of struct source_kind; then what start() asks while it only looks */
enum sourced postgresql_look(struct source *s, const struct source_start *from,
                             struct source_begun *ret, struct buf *ret_told, struct wait wait,
                             struct err *e);
/* Does it only look? Then what would be done with the thing is told. */
bool postgresql_tell(const struct postgresql_source *s, const char *verb, const char *thing,
                     struct buf *name);
/* May we make a publication of these tables with <sql>? A server says that only when it is made. */
enum sourced postgresql_look_at_owners(struct postgresql_source *s, struct buf *sql,
                                       struct wait wait, struct err *e);
/* Has the server room for one more slot? */
enum sourced postgresql_look_at_slots(struct postgresql_source *s, struct wait wait, struct err *e);

/* postgresql_columns.c: each table that somebody named has the columns that the config names */
enum sourced postgresql_check_columns(struct postgresql_source *s, struct wait wait, struct err *e);

/* postgresql_leave.c: of struct source_kind */
void postgresql_leave(const void *config, struct str stream, struct arena *a,
                      struct source_leavings *ret);
void postgresql_claim(const void *config, struct str stream, struct buf *out);

/* postgresql_relation.c: what a RELATION message says; it takes the place of what was said before. */
enum sourced postgresql_relation(struct postgresql_source *s, const struct pgoutput_message *m,
                                 struct wait wait, struct err *e);
struct pg_relation *postgresql_find_relation(struct postgresql_source *s, uint32_t id);

#endif
