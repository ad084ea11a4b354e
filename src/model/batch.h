/*
 * batch.h - what flows: an immutable batch of records of one kind, and views of its rows.
 *
 * A batch is {codec, encoded bytes, columns decoded on first use}. Made from bytes (a frame of the
 * log, a request), it is decoded only when someone looks at its rows; made from columns, it is
 * encoded only when someone needs bytes. Every batch carries what all its rows share: tenant,
 * origin, epoch, and for rule outputs the rule and its export annotations.
 *
 * Ownership: reference counted; columns, texts and label references live in the batch's arena and
 * die with it. Threads: immutable after the maker let go of it; decoding and encoding on first use
 * lock. Limits: BATCH_ROWS_MAX rows and the codec's own caps.
 */
#ifndef TELEX_MODEL_BATCH_H
#define TELEX_MODEL_BATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/event.h"
#include "model/labels.h"
#include "model/note.h"
#include "model/series_meta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BATCH_ROWS_MAX = 16 * 1000 * 1000 };

enum record_kind {
    RECORD_SAMPLE,
    RECORD_ALERT, /* alert edges */
    RECORD_EVENT,
    RECORD_SPAN,
    RECORD_PROFILE,
    RECORD_KINDS
};

/* "sample", "alert", ...: as conditions and JSON name them. */
const char *record_kind_name(enum record_kind kind);

/* Are the rows of a batch of this kind notes (note.h)? */
bool record_kind_has_notes(enum record_kind kind);

/* Samples: a table of series and three parallel arrays. */
struct samples {
    struct labels **series; /* each referenced once; released with the batch */
    uint32_t series_count;
    uint32_t count;
    const uint32_t *series_of; /* row -> series */
    const int64_t *time_ns;
    const double *value;
    const struct series_meta *const *meta; /* of each series; NULL: nothing is known of any */
};

enum alert_state {
    ALERT_READY,
    ALERT_PENDING,
    ALERT_ALERTING,
    ALERT_SUPPRESSING,
    ALERT_RESOLVED,
    ALERT_STATES
};

/* "ready", "pending", "alerting", ...; and Prometheus's projection "inactive", "pending", "firing".
 */
const char *alert_state_name(enum alert_state state);
const char *alert_state_prometheus(enum alert_state state);

/* One series of an export_query's answer. */
struct alert_export {
    struct labels *labels;
    int64_t time_ns;
    double value;
};

/*
 * An alert edge: at once the record that is delivered and the change of state. Times are wall ns of
 * evaluation slots; 0 when not reached. Its id is (rule_id, labels, episode_ns, to).
 */
struct alert {
    /* Stable across edits of the expression: 32 hex digits of group + name + labels. */
    struct str rule_id;
    struct labels *labels; /* final: series, rule, alertname */
    const struct label *annotations;
    size_t annotation_count;
    enum alert_state from;
    enum alert_state to;
    int64_t episode_ns; /* slot of the first true evaluation of this episode */
    int64_t time_ns;    /* slot of this edge */
    int64_t active_at_ns;
    int64_t fired_at_ns;
    int64_t keep_since_ns;
    int64_t resolved_at_ns;
    double value;                       /* the marker of staleness: nobody said one */
    const struct alert_export *exports; /* export_query's answer for this series; or none */
    size_t export_count;
};

struct alerts {
    const struct alert *rows;
    uint32_t count;
};

/* What all rows share. Texts live in the batch's arena; empty when unknown. */
struct batch_info {
    enum record_kind kind;
    struct str tenant;
    struct str origin; /* "rule", "receive", ... */
    uint64_t epoch;
    int64_t time_ns; /* evaluation slot */
    struct str rule;
    struct str group;
    struct str file;
    struct str expr;
    struct str database;    /* export_database */
    struct str measurement; /* export_measurement, or the rule's name */
    struct str metric_type;
    struct str generator_url;
    bool has_threshold;
    double threshold;
    const struct label *annotations; /* of a recording rule, complete */
    size_t annotation_count;
};

struct batch;

/* How bytes become rows and rows bytes: one const table per codec, in wire. */
struct batch_codec {
    uint8_t id; /* in frames; never re-used */
    const char *name;
    enum record_kind kind;
    /* Fills <b>'s columns with batch_set_samples(), _alerts(), _notes() or _events(). */
    bool (*decode)(struct str encoded, struct batch *b, struct err *e);
    /* Reads the columns with batch_own_samples(), _alerts(), _notes() or _events(). */
    bool (*encode)(const struct batch *b, struct buf *out, struct err *e);
    /* Appends what holds the rows of all <parts>, in order, without decoding them; parts that are
     * seen to be broken are refused. NULL: they cannot be put together so. */
    bool (*join)(const struct str *parts, size_t count, struct buf *out, struct err *e);
};

/*
 * A batch of bytes that hold <rows> rows; decoding fails when they hold another number. The bytes
 * are copied when <copy>, else moved: a heap block freed with mem_free(). <info> is copied.
 */
struct batch *batch_from_bytes(const struct batch_codec *codec, struct str encoded, bool copy,
                               const struct batch_info *info, uint32_t rows);

/*
 * A batch to be filled: allocate columns in batch_arena(), then set them once. With <codec> the
 * bytes are made on first use.
 */
struct batch *batch_new(const struct batch_codec *codec, const struct batch_info *info);
struct arena *batch_arena(struct batch *b);
void batch_set_samples(struct batch *b, struct samples samples);
void batch_set_alerts(struct batch *b, struct alerts alerts);
void batch_set_notes(struct batch *b, struct notes notes);
void batch_set_events(struct batch *b, struct events events);

/* Where rows came from: those from <row> on are, in order, of frame <seq> of a log, appended at <time_ns>. */
struct frame_part {
    uint32_t row;
    uint64_t seq;
    int64_t time_ns;
};

/* The parts of a batch, which begin at ascending rows, the first at 0. */
struct frame_parts {
    const struct frame_part *items;
    uint32_t count;       /* 0: not known */
    const uint32_t *rows; /* the row that each one was in those frames; NULL: they count on */
    bool is_relabelled;   /* rows have other labels now than there */
};

/* What is given is copied, for rows of a batch that is not shared yet. */
void batch_set_parts(struct batch *b, const struct frame_parts *parts, uint32_t rows);
const struct frame_parts *batch_parts(const struct batch *b);

/* Columns that are there already, without decoding: for a codec's encode(). */
const struct samples *batch_own_samples(const struct batch *b);
const struct alerts *batch_own_alerts(const struct batch *b);
const struct notes *batch_own_notes(const struct batch *b);
const struct events *batch_own_events(const struct batch *b);

struct batch *batch_ref(struct batch *b);
void batch_unref(struct batch *b); /* NULL is fine */
static inline void batch_autounref(struct batch **b)
{
    batch_unref(*b);
}

const struct batch_info *batch_info(const struct batch *b);
const struct batch_codec *batch_codec(const struct batch *b);

/* Are the columns there, so that looking at rows costs no decoding? */
bool batch_has_columns(const struct batch *b);

/* Rows, known without decoding. */
uint32_t batch_rows(const struct batch *b);

/* Bytes held, for budgets and quotas. */
size_t batch_bytes(const struct batch *b);

/* The columns, decoded on first use; false when the bytes do not decode (then always). */
MUST_USE bool batch_samples(struct batch *b, const struct samples **ret_samples, struct err *e);
MUST_USE bool batch_alerts(struct batch *b, const struct alerts **ret_alerts, struct err *e);
MUST_USE bool batch_notes(struct batch *b, const struct notes **ret_notes, struct err *e);
MUST_USE bool batch_events(struct batch *b, const struct events **ret_events, struct err *e);

/* The encoded form in the batch's own codec, encoded on first use. */
MUST_USE bool batch_encoded(struct batch *b, struct str *ret_bytes, struct err *e);

/* Some rows of a batch, in order: those listed, or without a list <n> from <first> on. Borrowed. */
struct view {
    struct batch *batch;
    const uint32_t *rows;
    uint32_t n;
    uint32_t first;
};

static inline uint32_t view_row(struct view v, uint32_t i)
{
    return v.rows ? v.rows[i] : v.first + i;
}

static inline bool view_is_whole(struct view v)
{
    return v.rows == NULL && v.n == batch_rows(v.batch);
}

struct view view_all(struct batch *b);

/* The part of <v> from <from> on, at most <n> rows. */
struct view view_slice(struct view v, uint32_t from, uint32_t n);

/* The id of an edge as text: "rule_id:labels-hash:episode_ns:state". */
void alert_print_id(const struct alert *a, struct buf *out);

#endif
