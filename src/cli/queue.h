/*
 * queue.h - what the subcommands of `telex queue` share: a log's folder on the command line, which of its
 * frames are meant, who uses it, and how far the work is.
 *
 * Ownership: whoever opened releases; texts point into argv. Threads: the main thread. Limits: those of
 * log_inspect.h.
 */
#ifndef TELEX_CLI_QUEUE_H
#define TELEX_CLI_QUEUE_H

#include "base/env.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "base/vec.h"
#include "cli/cli.h"
#include "log/log.h"
#include "log/log_inspect.h"
#include "model/batch.h"

extern const struct cli_command command_queue_inspect;
extern const struct cli_command command_queue_export;
extern const struct cli_command command_queue_repair;
extern const struct cli_command command_queue_drop;
extern const struct cli_command command_queue_replay;

/* What was said on the command line, still as text; NULL: not said. */
struct queue_texts {
    const char *consumer;
    const char *from_seq;
    const char *to_seq;
    const char *since;
    const char *limit;
};

/* Which frames are meant. */
struct queue_choice {
    struct str consumer; /* empty: everybody's */
    uint64_t mask;       /* its bit; all bits */
    uint64_t from_seq;   /* a consumer's begins behind its cursor */
    uint64_t to_seq;
    int64_t since_ns; /* INT64_MIN: any */
    uint64_t limit;   /* UINT64_MAX: none */
    bool is_dead;
    VEC(uint64_t) gone; /* letters that left before older ones */
};

/* Reads numbers and times, and of a folder of letters which of them are gone; of a consumer only what it has still to do
 * is meant. */
MUST_USE bool queue_choose(const struct queue_texts *texts, struct log_view *v,
                           struct queue_choice *ret_choice, struct err *e);
void queue_choice_release(struct queue_choice *c); /* cleared is fine */
bool queue_is_chosen(const struct queue_choice *c, const struct log_view_frame *f);

/* A time as RFC 3339, Unix seconds, or a duration back from now ("2h"). */
MUST_USE bool queue_parse_time(const char *text, int64_t *ret_ns, struct err *e);

/* The consumer's bit; the error lists the names that there are. */
MUST_USE bool queue_find_consumer(const struct log_view *v, struct str name, unsigned *ret_bit,
                                  struct err *e);

/*
 * Who has the folder's log open: a process id; 0 when nobody has, -1 when somebody has that we cannot see.
 */
int64_t queue_used_by(struct str path);

/* Does the folder hold dead letters? */
bool queue_is_dead(const struct log_view *v);

/* A frame's batch; of a dead letter also its reason, which lives as long as the frame's payload. */
struct queue_record {
    struct batch *batch; /* NULL: bytes that are no batch, in <raw> */
    struct str raw;
    struct str reason;
};
MUST_USE bool queue_record_read(bool is_dead, const struct log_view_frame *f,
                                struct queue_record *ret_record, struct err *e);
void queue_record_release(struct queue_record *r);

/* Names of the consumers in a mask, with commas. */
void queue_add_names(const struct log_view *v, uint64_t mask, struct buf *out);

/* "1.5 GiB" */
void queue_add_bytes(int64_t bytes, struct buf *out);

/* How far it is, on standard error: one line that changes on a terminal, else a line now and then. */
struct meter {
    const char *what;
    int64_t start_ns;
    int64_t shown_ns;
    bool is_terminal;
    bool has_shown;
    bool in_percent; /* what is counted are no bytes */
};
void meter_begin(struct meter *p, const char *what);
void meter_show(struct meter *p, int64_t done, int64_t all);
void meter_end(struct meter *p);

/* What a log needs to be opened for a change. */
struct queue_world {
    struct env env;
    struct rng rng;
    struct metrics *metrics;
};
void queue_world_init(struct queue_world *w);
void queue_world_release(struct queue_world *w);

/*
 * Opens the log of a folder that holds one; <env> outlives it; fails when it is in use, saying by whom. Opening recovers: see
 * log_open().
 */
MUST_USE bool queue_open(const struct env *env, struct str path, struct log **ret_log,
                         struct log_report *ret_report, struct err *e);

#endif
