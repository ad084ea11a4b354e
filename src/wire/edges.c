/*
 * Field numbers are the format: they are never given another meaning. docs/internals/wire.md lists them,
 * and a test holds the bytes of one edge.
 *
 * Embedded labels are the packed bytes of a set, which are a message {1 repeated Label} as they stand.
 */
#include "wire/edges.h"

#include "wire/pb.h"
#include "wire/pb_labels.h"

#include "base/number.h"

enum { EDGES_ALERT = 1 };
enum {
    ALERT_RULE_ID = 1,
    ALERT_LABELS = 2,
    ALERT_FROM = 3,
    ALERT_TO = 4,
    ALERT_EPISODE = 5,
    ALERT_TIME = 6,
    ALERT_ACTIVE_AT = 7,
    ALERT_FIRED_AT = 8,
    ALERT_KEEP_SINCE = 9,
    ALERT_RESOLVED_AT = 10,
    ALERT_VALUE = 11,
    ALERT_ANNOTATION = 12,
    ALERT_EXPORT = 13,
};
enum { EXPORT_LABELS = 1, EXPORT_TIME = 2, EXPORT_VALUE = 3 };

static void put_export(const struct alert_export *x, struct buf *out)
{
    size_t begun = pb_begin(out, ALERT_EXPORT);

    pb_add_str(out, EXPORT_LABELS, labels_bytes(x->labels));
    pb_add_fixed(out, EXPORT_TIME, (uint64_t)x->time_ns);
    pb_add_double(out, EXPORT_VALUE, x->value);
    pb_end(out, begun);
}

static void put_alert(const struct alert *a, struct buf *out)
{
    size_t begun = pb_begin(out, EDGES_ALERT);

    pb_add_str(out, ALERT_RULE_ID, a->rule_id);
    pb_add_str(out, ALERT_LABELS, labels_bytes(a->labels));
    pb_add_u64(out, ALERT_FROM, (uint64_t)a->from);
    pb_add_u64(out, ALERT_TO, (uint64_t)a->to);
    pb_add_fixed(out, ALERT_EPISODE, (uint64_t)a->episode_ns);
    pb_add_fixed(out, ALERT_TIME, (uint64_t)a->time_ns);
    pb_add_fixed(out, ALERT_ACTIVE_AT, (uint64_t)a->active_at_ns);
    pb_add_fixed(out, ALERT_FIRED_AT, (uint64_t)a->fired_at_ns);
    pb_add_fixed(out, ALERT_KEEP_SINCE, (uint64_t)a->keep_since_ns);
    pb_add_fixed(out, ALERT_RESOLVED_AT, (uint64_t)a->resolved_at_ns);
    pb_add_double(out, ALERT_VALUE, a->value);
    pb_add_pairs(out, ALERT_ANNOTATION, a->annotations, a->annotation_count);
    for (size_t i = 0; i < a->export_count; i++) {
        put_export(&a->exports[i], out);
    }
    pb_end(out, begun);
}

static bool edges_encode(const struct batch *b, struct buf *out, struct err *e)
{
    const struct alerts *alerts = batch_own_alerts(b);

    (void)e;
    for (uint32_t i = 0; i < alerts->count; i++) {
        put_alert(&alerts->rows[i], out);
    }
    return true;
}

/* Where a decoder is: one alert, with room for the lists that the first pass counted. */
struct alert_reader {
    struct arena *arena;
    struct alert *alert;
    struct label *annotations;
    struct alert_export *exports;
    struct err *err;
};

static bool fail(struct err *e, const char *what)
{
    return err_set(e, ERR_PARSE, "bytes of alert edges are broken: %s", what);
}

static bool take_labels(struct str packed, struct labels **ret_labels, struct err *e)
{
    struct labels *l = NULL;

    if (!labels_from_bytes(packed, &l, e)) {
        return false;
    }
    labels_unref(*ret_labels);
    *ret_labels = l;
    return true;
}

static bool take_export(struct alert_reader *in, struct str bytes)
{
    struct alert_export *x = &in->exports[in->alert->export_count++];
    struct pb_reader r;
    struct pb_field f;

    *x = (struct alert_export){.labels = labels_empty()};
    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == EXPORT_LABELS && f.type == PB_BYTES) {
            if (!take_labels(f.bytes, &x->labels, in->err)) {
                return false;
            }
        } else if (f.number == EXPORT_TIME && f.type == PB_FIXED64) {
            x->time_ns = (int64_t)f.value;
        } else if (f.number == EXPORT_VALUE && f.type == PB_FIXED64) {
            x->value = pb_double(&f);
        }
    }
    return pb_ok(&r) || fail(in->err, "an export");
}

static bool take_state(uint64_t value, enum alert_state *ret_state, struct err *e)
{
    if (value >= ALERT_STATES) {
        return fail(e, "a state that this version does not know");
    }
    *ret_state = (enum alert_state)value;
    return true;
}

static bool take_bytes_field(struct alert_reader *in, const struct pb_field *f)
{
    struct alert *a = in->alert;

    if (f->number == ALERT_RULE_ID) {
        a->rule_id = f->bytes;
    } else if (f->number == ALERT_LABELS) {
        return take_labels(f->bytes, &a->labels, in->err);
    } else if (f->number == ALERT_ANNOTATION) {
        return pb_read_pair(f->bytes, &in->annotations[a->annotation_count++]) ||
               fail(in->err, "an annotation");
    } else if (f->number == ALERT_EXPORT) {
        return take_export(in, f->bytes);
    }
    return true;
}

static bool take_fixed_field(struct alert *a, const struct pb_field *f)
{
    int64_t *const times[] = {
        [ALERT_EPISODE] = &a->episode_ns,       [ALERT_TIME] = &a->time_ns,
        [ALERT_ACTIVE_AT] = &a->active_at_ns,   [ALERT_FIRED_AT] = &a->fired_at_ns,
        [ALERT_KEEP_SINCE] = &a->keep_since_ns, [ALERT_RESOLVED_AT] = &a->resolved_at_ns,
    };
    if (f->number == ALERT_VALUE) {
        a->value = pb_double(f);
    } else if (f->number < ARRAY_LEN(times) && times[f->number] != NULL) {
        *times[f->number] = (int64_t)f->value;
    }
    return true;
}

static bool take_field(struct alert_reader *in, const struct pb_field *f)
{
    if (f->type == PB_BYTES) {
        return take_bytes_field(in, f);
    }
    if (f->type == PB_FIXED64) {
        return take_fixed_field(in->alert, f);
    }
    if (f->type == PB_VARINT && f->number == ALERT_FROM) {
        return take_state(f->value, &in->alert->from, in->err);
    }
    if (f->type == PB_VARINT && f->number == ALERT_TO) {
        return take_state(f->value, &in->alert->to, in->err);
    }
    return true;
}

/* Room for the lists of one alert, as many as its message holds. */
static bool make_room(struct alert_reader *in, struct str bytes)
{
    size_t annotations = 0;
    size_t exports = 0;
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        annotations += f.number == ALERT_ANNOTATION && f.type == PB_BYTES;
        exports += f.number == ALERT_EXPORT && f.type == PB_BYTES;
    }
    if (!pb_ok(&r)) {
        return fail(in->err, "an alert");
    }
    in->annotations = arena_try_alloc(in->arena, annotations, sizeof(struct label));
    in->exports = arena_try_alloc(in->arena, exports, sizeof(struct alert_export));
    return (in->annotations != NULL && in->exports != NULL) ||
           err_set(in->err, ERR_LIMIT, "no room for an alert with %zu exports", exports);
}

/* Fills <a>; what it holds by then belongs to it even on failure. */
static bool take_alert(struct str bytes, struct arena *arena, struct alert *a, struct err *e)
{
    struct alert_reader in = {.arena = arena, .alert = a, .err = e};
    struct pb_reader r;
    struct pb_field f;

    *a = (struct alert){.rule_id = STR(""), .labels = labels_empty()};
    if (!make_room(&in, bytes)) {
        return false;
    }
    a->annotations = in.annotations;
    a->exports = in.exports;
    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (!take_field(&in, &f)) {
            return false;
        }
    }
    return true;
}

static bool count_alerts(struct str encoded, size_t *ret_count, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;
    size_t count = 0;

    pb_read_init(&r, encoded);
    while (pb_next(&r, &f)) {
        count += f.number == EDGES_ALERT && f.type == PB_BYTES;
    }
    *ret_count = count;
    return pb_ok(&r) || fail(e, "the list");
}

static void release_alert(const struct alert *a)
{
    labels_unref(a->labels);
    for (size_t i = 0; i < a->export_count; i++) {
        labels_unref(a->exports[i].labels);
    }
}

/* Fills <rows>; on failure it releases what they hold. */
static bool take_alerts(struct str encoded, struct arena *a, struct alert *rows, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;
    size_t at = 0;
    bool ok = true;

    pb_read_init(&r, encoded);
    while (ok && pb_next(&r, &f)) {
        if (f.number == EDGES_ALERT && f.type == PB_BYTES) {
            ok = take_alert(f.bytes, a, &rows[at++], e);
        }
    }
    while (!ok && at > 0) {
        release_alert(&rows[--at]);
    }
    return ok;
}

static bool edges_decode(struct str encoded, struct batch *b, struct err *e)
{
    size_t count = 0;

    if (!count_alerts(encoded, &count, e)) {
        return false;
    }
    struct alert *rows = arena_try_alloc(batch_arena(b), count, sizeof(*rows));
    if (rows == NULL || count > BATCH_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "no room for %zu alert edges", count);
    }
    if (!take_alerts(encoded, batch_arena(b), rows, e)) {
        return false;
    }
    batch_set_alerts(b, (struct alerts){.rows = rows, .count = (uint32_t)count});
    return true;
}

const struct batch_codec codec_edges = {
    .id = 2,
    .name = "edges",
    .kind = RECORD_ALERT,
    .decode = edges_decode,
    .encode = edges_encode,
    .join = pb_join,
};
