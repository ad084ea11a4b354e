/*
 * telex.h - libtelex: an application measures itself once, and a config says where that goes.
 *
 *     struct telex_config *config = telex_config_new();
 *     telex_config_set(config, "exporters.vm.type", "victoriametrics", NULL);
 *     telex_config_set(config, "exporters.vm.url", "http://127.0.0.1:8428", NULL);
 *     struct telex_hub *hub = NULL;
 *     if (telex_open(config, &hub, &error) != TELEX_OK) { ... error.message ... }
 *     telex_metrics(hub, &metrics);           // any thread, never waits
 *     telex_close(hub, 5000, NULL, NULL);     // delivers for at most five seconds
 *
 * Ownership: what a function named *_new or *_open gives is the caller's until *_free or *_close; all that
 * is passed in is copied before the call returns, unless it says otherwise. Nothing is kept in global
 * variables: hubs know nothing of each other.
 *
 * Threads: a hub may be used by any number of threads at once; a config and an error by one at a time.
 * telex_close() is called once, when no other call on that hub is running or will be made. The library's own
 * threads take no signals, and it installs no signal handler.
 *
 * Memory: telex_metrics() and telex_trace() never allocate, lock, wait or make a system call that could
 * wait: they write into a ring of a fixed size and say TELEX_FULL when that has no room. What a hub holds
 * beyond that is bounded by its options. Where the system has no memory, calls that need some say
 * TELEX_NO_MEMORY, and the library's threads wait and try again; the process is never aborted.
 *
 * Fork: a hub belongs to the process that opened it. In a child of fork() every call on it says
 * TELEX_FORKED at once and does nothing, telex_close() too; the child may open a hub of its own.
 *
 * Limits: TELEX_FIELDS_MAX fields, TELEX_LABELS_MAX labels and TELEX_RECORD_MAX bytes per record; texts are
 * UTF-8 and end in NUL. ABI: structs with struct_size may grow at their end, and the caller sets it to the
 * size that it was compiled with; all others, and the numbers of the enums, stay as they are.
 */
#ifndef TELEX_TELEX_H
#define TELEX_TELEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TELEX_API __attribute__((visibility("default")))

#define TELEX_FIELDS_MAX 256
#define TELEX_LABELS_MAX 64
#define TELEX_RECORD_MAX 65536
#define TELEX_TRACE_ID_BYTES 16
#define TELEX_SPAN_ID_BYTES 8

/* What a call comes to. 0 is success; no call sets errno for its caller. */
enum telex_code {
    TELEX_OK = 0,
    TELEX_FULL = 1,        /* no room now: the record was dropped, and counted */
    TELEX_INVALID = 2,     /* an argument that cannot be taken */
    TELEX_TOO_LARGE = 3,   /* more than a limit allows */
    TELEX_BAD_CONFIG = 4,  /* the config; line and column say where */
    TELEX_FAILED = 5,      /* a file, a thread or the network; the message says what */
    TELEX_TIMEOUT = 6,     /* the time that was given is over */
    TELEX_NO_MEMORY = 7,   /* the system has none */
    TELEX_FORKED = 8,      /* the hub is the parent process's */
    TELEX_UNKNOWN = 9,     /* there is nothing of that name */
    TELEX_UNDELIVERED = 10 /* closed, but not everything was delivered */
};

/* The name of a code, such as "bad_config". */
TELEX_API const char *telex_code_name(int code);

/* "0.1.0", of the library that is loaded. */
TELEX_API const char *telex_version(void);

/*
 * What went wrong, for a person. Filled only by a call that fails; where a function takes one, NULL is fine.
 */
struct telex_error {
    int32_t code;    /* enum telex_code */
    uint32_t line;   /* of the config's text; 0: unknown */
    uint32_t column; /* in bytes, from 1 */
    uint32_t reserved;
    char message[1008]; /* one line; cut at a character's edge */
};

/* ---- config ---- */

/*
 * A config is a text in YAML (sections exporters, routes, state, secrets, log, library: docs/lib.md)
 * and single options set over it. The environment goes before both, as it does for the program:
 * TELEX_EXPORTER_NAME_OPTION, PROFILING_KIND_OPTION.
 */
struct telex_config;

/* Without exporters. NULL when there is no memory. */
TELEX_API struct telex_config *telex_config_new(void);
TELEX_API struct telex_config *telex_config_copy(const struct telex_config *config);
TELEX_API void telex_config_free(struct telex_config *config); /* NULL is fine */

/* Takes a text of <len> bytes, or a file, in place of the one before. Mistakes are told when it is opened or checked. */
TELEX_API int telex_config_yaml(struct telex_config *config, const char *text, size_t len,
                                struct telex_error *error);
TELEX_API int telex_config_file(struct telex_config *config, const char *path,
                                struct telex_error *error);

/*
 * Sets one option: "exporters.NAME.OPTION", "exporters.NAME.buffer.buffer_size", "library.ring_bytes". A dot or backslash
 * within a name is written behind a backslash. The value is the text itself, or with _yaml a piece of YAML: a
 * list, a mapping. NULL takes back what was set.
 */
TELEX_API int telex_config_set(struct telex_config *config, const char *path, const char *value,
                               struct telex_error *error);
TELEX_API int telex_config_set_yaml(struct telex_config *config, const char *path, const char *yaml,
                                    struct telex_error *error);

/*
 * An exporter called <name> from the environment: PREFIX_TYPE is its kind ("webhook" without), PREFIX_ENDPOINT its
 * `endpoint`, and so on for all options. The variables are read now. TELEX_BAD_CONFIG, naming all that are missing,
 * when one of the <required> options (NULL-terminated, or NULL) has none.
 */
TELEX_API int telex_config_from_env(struct telex_config *config, const char *name,
                                    const char *prefix, const char *const *required,
                                    struct telex_error *error);

/* Would telex_open() take it? */
TELEX_API int telex_config_check(const struct telex_config *config, struct telex_error *error);

/* ---- hubs ---- */

struct telex_hub;

/* Starts delivering as <config> says (NULL: as the environment says); the config stays the caller's. */
TELEX_API int telex_open(const struct telex_config *config, struct telex_hub **ret_hub,
                         struct telex_error *error);

/* What destinations do not have when a hub closes. */
struct telex_left {
    size_t struct_size;
    uint64_t records; /* that did not leave the ring or were given while it closed: gone */
    uint64_t
        frames; /* batches that wait in the state folder for the next start; gone without one */
    uint64_t dead_letters; /* records that no destination would ever take */
    uint64_t dropped;      /* records, since the hub was opened, for whatever reason */
};

/*
 * Delivers what was given for at most <timeout_ms>, then ends all threads of the hub and frees it, whatever
 * it returns but TELEX_FORKED. TELEX_UNDELIVERED says that *ret_left (NULL is fine) has something.
 */
TELEX_API int telex_close(struct telex_hub *hub, int64_t timeout_ms, struct telex_left *ret_left,
                          struct telex_error *error);

/*
 * Waits until what this thread gave before is delivered, or dead-lettered; exporters that collect records send them now.
 * A destination that is down is not asked more often for it: delays between tries and Retry-After stand.
 * TELEX_TIMEOUT when that took longer than <timeout_ms>.
 */
TELEX_API int telex_flush(struct telex_hub *hub, int64_t timeout_ms, struct telex_error *error);

/*
 * Goes on with another config, which is put in place as a whole or not at all: what waits is kept, exporters of
 * which the same is said go on in the middle of what they do. State folder and ring stay as they were opened.
 */
TELEX_API int telex_update(struct telex_hub *hub, const struct telex_config *config,
                           struct telex_error *error);

/* A copy of the config that the hub runs with, for telex_update(); NULL when there is no memory. */
TELEX_API struct telex_config *telex_hub_config(struct telex_hub *hub);

/* One option, as telex_config_set() has it: telex_update_option(hub, "exporters.vm.batch_size", "50", &error). */
TELEX_API int telex_update_option(struct telex_hub *hub, const char *path, const char *value,
                                  struct telex_error *error);

/* ---- records ---- */

enum telex_type { TELEX_NUMBER = 0, TELEX_INTEGER = 1, TELEX_TEXT = 2, TELEX_FLAG = 3 };

struct telex_field {
    const char *name;
    uint32_t type; /* enum telex_type */
    uint32_t reserved;
    union {
        double number;
        int64_t integer;  /* of a flag: 0 or 1 */
        const char *text; /* NULL counts as empty */
    } value;
};

struct telex_label {
    const char *name;
    const char *value; /* NULL or empty: as if the label were not there */
};

/* What an application measured of itself at one time: messages_per_second, avg_latency_ms, any other field. */
struct telex_metrics {
    size_t struct_size;
    int64_t time_ns;  /* wall clock since 1970; 0: now */
    const char *name; /* of what was measured; or NULL */
    const struct telex_field *fields;
    size_t field_count;
    const struct telex_label *labels;
    size_t label_count;
};

/* The ids of a span, and of the one that it is part of. All zero: none. */
struct telex_span_ids {
    uint8_t trace_id[TELEX_TRACE_ID_BYTES];
    uint8_t span_id[TELEX_SPAN_ID_BYTES];
    uint8_t parent_id[TELEX_SPAN_ID_BYTES];
};

enum telex_span_kind {
    TELEX_SPAN_UNSPECIFIED = 0,
    TELEX_SPAN_INTERNAL = 1,
    TELEX_SPAN_SERVER = 2,
    TELEX_SPAN_CLIENT = 3,
    TELEX_SPAN_PRODUCER = 4,
    TELEX_SPAN_CONSUMER = 5
};
enum telex_span_status { TELEX_SPAN_UNSET = 0, TELEX_SPAN_OK = 1, TELEX_SPAN_ERROR = 2 };

/* Work that took time, and what it was part of. */
struct telex_span {
    size_t struct_size;
    const char *function_name;
    int64_t start_ns;                 /* wall clock; 0: duration_ns ago */
    int64_t duration_ns;              /* not below 0 */
    struct telex_span_ids ids;        /* trace or span id all zero: new ones */
    uint32_t kind;                    /* enum telex_span_kind */
    uint32_t status;                  /* enum telex_span_status */
    const char *status_message;       /* or NULL */
    const struct telex_field *fields; /* memory_usage_mb and others */
    size_t field_count;
    const struct telex_label *labels;
    size_t label_count;
};

/*
 * Gives a record. TELEX_OK: it is in the ring, from where the hub's thread takes it to the log within some
 * milliseconds. TELEX_FULL, TELEX_INVALID, TELEX_TOO_LARGE, TELEX_FORKED: it is not, and is counted. Records
 * of one thread stay in order.
 */
TELEX_API int telex_metrics(struct telex_hub *hub, const struct telex_metrics *metrics);
TELEX_API int telex_trace(struct telex_hub *hub, const struct telex_span *span);

/* New ids for a span that is part of <parent> (NULL: of nothing, so a new trace); for telex_span.ids. */
TELEX_API int telex_span_ids(struct telex_hub *hub, const struct telex_span_ids *parent,
                             struct telex_span_ids *ret_ids);

/* ---- how it is doing ---- */

/* What became of the records of a hub. */
struct telex_stats {
    size_t struct_size;
    uint64_t taken;             /* TELEX_OK was said */
    uint64_t dropped_full;      /* TELEX_FULL */
    uint64_t dropped_invalid;   /* TELEX_INVALID */
    uint64_t dropped_too_large; /* TELEX_TOO_LARGE */
    uint64_t logged;            /* in the log, so held for every exporter that takes them */
    uint64_t unrouted;          /* that no exporter takes, by its kind or the routes */
    uint64_t filtered;          /* left out by relabel, sample and samplers, over all exporters */
    uint64_t delivered;         /* over all exporters: a record that two have counts twice */
    uint64_t rejected;          /* dead letters, over all exporters */
    uint64_t ring_bytes;        /* size */
    uint64_t ring_used_bytes;
    uint64_t log_bytes;      /* on disk, or in memory without a state folder */
    double writer_behind_ms; /* for how long the hub's thread has been unable to write */
};
/* Says what became of all records of a hub. Costs microseconds, not for every record. */
TELEX_API int telex_stats(struct telex_hub *hub, struct telex_stats *ret_stats);

/* Records that were left out on purpose: telex_stats.filtered and .unrouted; 0 in a forked child. */
TELEX_API uint64_t telex_filtered_count(struct telex_hub *hub);

/* Writes the name of exporter <index> and its NUL; TELEX_UNKNOWN behind the last, TELEX_TOO_LARGE when it does not fit. */
TELEX_API int telex_exporter_name(struct telex_hub *hub, size_t index, char *ret_name, size_t size);

/* Of a destination's latest calls and probes (health_check.interval). */
struct telex_health {
    size_t struct_size;
    uint32_t is_healthy;
    uint32_t reserved;
    char state[16]; /* "idle", "ok", "retrying", "open" (its circuit breaker), "halted", "paused" */
    char breaker[16]; /* "closed", "open", "half_open"; empty: it has none */
    char error[256];  /* why it is not healthy */
};

/*
 * Says whether a destination is there. <exporter> NULL is the only one, and of several the first that
 * is not healthy, else the first. TELEX_UNKNOWN: there is none of that name.
 */
TELEX_API int telex_health(struct telex_hub *hub, const char *exporter,
                           struct telex_health *ret_health);

/* How the last call to a destination ended. */
struct telex_result {
    size_t struct_size;
    uint32_t
        success; /* it took all records; those that it refused are dead letters, and leave it healthy */
    uint32_t reserved;
    uint64_t exported_count;
    double response_time_ms;
    int64_t time_ns; /* wall clock; 0: there was none */
    char error[256];
};
/* Says how the last call to a destination ended; <exporter> as telex_health() has it. */
TELEX_API int telex_last_result(struct telex_hub *hub, const char *exporter,
                                struct telex_result *ret_result);

/* What waits for a destination. */
struct telex_buffer_stats {
    size_t struct_size;
    double usage_percent;     /* of buffer_size, of its quota, or of the hub's ring: the fullest */
    double avg_flush_time_ms; /* of the latest flushes */
    uint64_t pending_batches;
    uint64_t pending_bytes;
    uint64_t gathered_records; /* in memory, on their way */
    uint64_t flushes;
    uint64_t delivered_records;
    uint64_t rejected_records;
    uint64_t retries;
};
/* Says what waits for a destination; <exporter> as telex_health() has it. */
TELEX_API int telex_buffer_stats(struct telex_hub *hub, const char *exporter,
                                 struct telex_buffer_stats *ret_stats);

/* What to tell of calls, in the log, for all exporters; 0: nothing any more. Payloads may hold what is private. */
enum telex_debug {
    TELEX_TRACE_EXPORTS = 1,
    TELEX_LOG_PAYLOADS = 2,
    TELEX_MEASURE_PERFORMANCE = 4,
    TELEX_VALIDATE_SCHEMAS = 8
};
/* Has calls to all destinations told of in the log, by flags of enum telex_debug; 0: nothing any more. */
TELEX_API int telex_debug_mode(struct telex_hub *hub, uint32_t flags, struct telex_error *error);

/* ---- exporters of the application ---- */

/* A record as an exporter sees it. It and its texts live until `export_batch` returns. */
struct telex_record {
    size_t struct_size;
    uint32_t is_span;
    uint32_t kind;   /* of a span: enum telex_span_kind */
    uint32_t status; /* of a span: enum telex_span_status */
    uint32_t reserved;
    int64_t time_ns;
    int64_t duration_ns; /* of a span */
    const char *name;    /* of a span: function_name */
    const char *status_message;
    struct telex_span_ids ids;
    const struct telex_field *fields;
    size_t field_count;
    const struct telex_label *labels;
    size_t label_count;
};

enum telex_verdict {
    TELEX_DELIVERED = 0, /* the destination has them */
    TELEX_REJECTED = 1,  /* it will never take them: dead letters */
    TELEX_RETRY = 2,     /* not now: the same records come again */
    TELEX_HALT = 3 /* credentials or address are wrong: asked again rarely, spends no retries */
};

/* What became of a batch: the first <done> records were delivered, the others are <verdict>. Zeroed before the call. */
struct telex_outcome {
    size_t struct_size;
    uint32_t verdict; /* enum telex_verdict */
    uint32_t reserved;
    size_t done;            /* not looked at when all were delivered */
    int64_t retry_after_ms; /* a floor for the next try; 0: none */
    char message[256];      /* why not all were delivered */
};

/*
 * A kind of exporter, as `type: KIND` of a config's exporters names it; buffering, retries, breaker, dead letters, health and
 * statistics come with it. Each exporter is used by one thread at a time, a thread of the library, which must not be
 * kept: a call that outlasts <timeout_ms> holds up that exporter and the hub's end, nothing else.
 */
struct telex_exporter {
    size_t struct_size;
    const char *kind;     /* [a-z][a-z0-9_]*, and no built-in one */
    const char *help;     /* or NULL */
    void *arg;            /* for open */
    uint32_t takes_spans; /* flags: what it takes */
    uint32_t takes_metrics;
    /* Makes one of name <name>; <options> are those below `options:`. Nonzero: not, with the reason in <error>. */
    int (*open)(void *arg, const char *name, const struct telex_label *options, size_t option_count,
                void **ret_self, struct telex_error *error);
    void (*export_batch)(void *self, const struct telex_record *records, size_t count,
                         int64_t timeout_ms, struct telex_outcome *outcome);
    /* Is the destination there? 0: yes; NULL: nobody knows. */
    int (*probe)(void *self, int64_t timeout_ms, struct telex_error *error);
    void (*close)(void *self); /* NULL is fine */
};

/* Registers a kind for hubs of <config>; the functions must be there for as long as such a hub or config is. */
TELEX_API int telex_config_exporter(struct telex_config *config,
                                    const struct telex_exporter *exporter,
                                    struct telex_error *error);

#ifdef __cplusplus
}
#endif

#endif
