/* 2.0 to 1.0: two passes, since a message may have its symbols behind the series that refer to them. */
#include "base/attr.h"
#include "base/vec.h"
#include "wire/pb.h"
#include "wire/rw1_metadata.h"
#include "wire/rw2.h"

enum { FIELD_SYMBOL = 4, FIELD_SERIES = 5 };
enum { FIELD_REFS = 1, FIELD_SAMPLE = 2, FIELD_HISTOGRAM = 3, FIELD_EXEMPLAR = 4, FIELD_META = 5 };
enum { SAMPLE_START = 3, META_TYPE = 1, META_HELP = 3, META_UNIT = 4 };
enum { RW1_SERIES = 1 };
enum { RW1_LABEL = 1, RW1_SAMPLE = 2, RW1_EXEMPLAR = 3, RW1_HISTOGRAM = 4 };

struct turner {
    VEC(struct str) symbols;
    VEC(uint32_t) refs; /* of the labels being read */
    struct buf *out;
    struct rw1_metadata metadata; /* what stands in front of all series */
    uint32_t series;
    uint32_t start_times;
    struct err *err;
};

static bool fail(struct turner *t, const char *what)
{
    return err_set(t->err, ERR_PARSE, "%s in series %u of the request", what, t->series);
}

/* ---- symbols ---- */

static bool take_symbols(struct turner *t, struct str message)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        if (f.number != FIELD_SYMBOL || f.type != PB_BYTES) {
            continue;
        }
        if (t->symbols.len >= RW2_SYMBOLS_MAX) {
            return err_set(t->err, ERR_LIMIT, "request of more than %d symbols", RW2_SYMBOLS_MAX);
        }
        vec_push(&t->symbols, f.bytes);
    }
    if (!pb_ok(&r)) {
        return err_set(t->err, ERR_PARSE, "expected a protobuf field at byte %zu of the request",
                       pb_offset(&r));
    }
    return t->symbols.len == 0 || t->symbols.items[0].len == 0 ||
           err_set(t->err, ERR_PARSE,
                   "expected the first symbol to be empty, found %zu bytes: is this a request of "
                   "remote write 2.0?",
                   t->symbols.items[0].len);
}

static bool symbol(struct turner *t, uint64_t ref, struct str *ret)
{
    if (ref == 0) {
        *ret = STR("");
        return true;
    }
    if (ref >= t->symbols.len) {
        return fail(t, "a reference to a symbol that is not there");
    }
    *ret = t->symbols.items[ref];
    return true;
}

/* ---- labels ---- */

/* References, packed or one by one. */
static bool take_refs(struct turner *t, const struct pb_field *f)
{
    uint64_t ref = f->value;

    if (f->type == PB_VARINT) {
        vec_push(&t->refs, ref > UINT32_MAX ? UINT32_MAX : (uint32_t)ref);
        return true;
    }
    if (f->type != PB_BYTES) {
        return fail(t, "labels of another type");
    }
    const char *end = f->bytes.ptr + f->bytes.len;
    for (const char *at = f->bytes.ptr; at < end;) {
        if (!varint_get(&at, end, &ref)) {
            return fail(t, "a reference that is cut off");
        }
        vec_push(&t->refs, ref > UINT32_MAX ? UINT32_MAX : (uint32_t)ref);
    }
    return true;
}

/* Writes the labels that were read as fields <field>. */
static bool put_labels(struct turner *t, struct str *ret_name)
{
    struct label pair;

    *ret_name = STR("");
    if (t->refs.len % 2 != 0) {
        return fail(t, "an odd number of references for labels");
    }
    for (size_t i = 0; i < t->refs.len; i += 2) {
        if (!symbol(t, t->refs.items[i], &pair.name) ||
            !symbol(t, t->refs.items[i + 1], &pair.value)) {
            return false;
        }
        size_t begun = pb_begin(t->out, RW1_LABEL);
        pb_add_str(t->out, 1, pair.name);
        pb_add_str(t->out, 2, pair.value);
        pb_end(t->out, begun);
        *ret_name = str_eq(pair.name, STR("__name__")) ? pair.value : *ret_name;
    }
    return true;
}

/* Takes the references of a message, a series or an exemplar; <ret_fields> says that it is well formed. */
static bool gather_refs(struct turner *t, struct str message)
{
    struct pb_reader r;
    struct pb_field f;

    vec_clear(&t->refs);
    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_REFS && !take_refs(t, &f)) {
            return false;
        }
    }
    return pb_ok(&r) || fail(t, "bytes that are no protobuf field");
}

/* ---- what a series holds ---- */

/* Nearly the same message; the start time is left out. */
static bool put_sample(struct turner *t, struct str bytes)
{
    struct pb_reader r;
    struct pb_field f;
    size_t begun = pb_begin(t->out, RW1_SAMPLE);

    pb_read_init(&r, bytes);
    for (const char *from = r.at; pb_next(&r, &f); from = r.at) {
        if (f.number == SAMPLE_START) {
            t->start_times += f.value != 0;
        } else {
            buf_add(t->out, from, (size_t)(r.at - from));
        }
    }
    pb_end(t->out, begun);
    return pb_ok(&r) || fail(t, "a sample that is no protobuf message");
}

static bool put_histogram(struct turner *t, struct str bytes)
{
    pb_add_bytes(t->out, RW1_HISTOGRAM, bytes);
    return true;
}

/* The labels of the series are written by now, so <refs> can be used again. */
static bool put_exemplar(struct turner *t, struct str bytes)
{
    struct pb_reader r;
    struct pb_field f;
    struct str ignored;

    if (!gather_refs(t, bytes)) {
        return false;
    }
    size_t begun = pb_begin(t->out, RW1_EXEMPLAR);
    bool ok = put_labels(t, &ignored);
    pb_read_init(&r, bytes);
    for (const char *from = r.at; ok && pb_next(&r, &f); from = r.at) {
        if (f.number != FIELD_REFS) {
            buf_add(t->out, from, (size_t)(r.at - from));
        }
    }
    pb_end(t->out, begun);
    return ok;
}

/* Per series there, per family here. */
static bool put_metadata(struct turner *t, struct str name, struct str bytes)
{
    uint64_t values[META_UNIT + 1] = {0};
    struct pb_reader r;
    struct pb_field f;
    struct series_meta m;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number <= META_UNIT && f.type == PB_VARINT) {
            values[f.number] = f.value;
        }
    }
    if (!pb_ok(&r)) {
        return fail(t, "metadata that are no protobuf message");
    }
    if (!symbol(t, values[META_HELP], &m.help) || !symbol(t, values[META_UNIT], &m.unit)) {
        return false;
    }
    m.type = rw1_type(values[META_TYPE]);
    rw1_metadata_say(&t->metadata, name, &m);
    return true;
}

static bool (*const putters[])(struct turner *t, struct str bytes) = {
    [FIELD_SAMPLE] = put_sample,
    [FIELD_HISTOGRAM] = put_histogram,
    [FIELD_EXEMPLAR] = put_exemplar,
};

static bool put_fields(struct turner *t, struct str series, struct str name)
{
    struct pb_reader r;
    struct pb_field f;
    bool ok = true;

    pb_read_init(&r, series);
    while (ok && pb_next(&r, &f)) {
        if (f.type != PB_BYTES || f.number > FIELD_META) {
            continue;
        }
        if (f.number == FIELD_META) {
            ok = put_metadata(t, name, f.bytes);
        } else if (putters[f.number] != NULL) {
            ok = putters[f.number](t, f.bytes);
        }
    }
    return ok;
}

static bool put_series(struct turner *t, struct str series)
{
    struct str name;

    if (!gather_refs(t, series)) {
        return false;
    }
    size_t begun = pb_begin(t->out, RW1_SERIES);
    bool ok = put_labels(t, &name) && put_fields(t, series, name);
    pb_end(t->out, begun);
    t->series++;
    return ok;
}

static bool put_all(struct turner *t, struct str message)
{
    struct pb_reader r;
    struct pb_field f;
    size_t start = t->out->len;

    pb_read_init(&r, message);
    while (pb_next(&r, &f) && buf_ok(t->out)) {
        if (f.number == FIELD_SERIES && f.type == PB_BYTES && !put_series(t, f.bytes)) {
            return false;
        }
    }
    rw1_metadata_put(&t->metadata, start, t->out);
    return (buf_ok(t->out) && buf_ok(&t->metadata.bytes)) ||
           err_set(t->err, ERR_LIMIT,
                   "a request of more than %zu bytes with its symbols written out", t->out->max);
}

bool rw2_to_rw1(struct str message, struct buf *out, struct rw2_summary *ret_summary, struct err *e)
{
    struct turner t = {.out = out, .err = e};
    struct rw2_summary summary = {0};

    rw1_metadata_init(&t.metadata, (uint64_t)(uintptr_t)message.ptr);
    t.metadata.bytes.max = out->max;
    bool ok = take_symbols(&t, message) && put_all(&t, message) &&
              rw1_scan(buf_str(out), &summary.rw1, e);
    summary.start_times = t.start_times;
    vec_release(&t.symbols);
    vec_release(&t.refs);
    rw1_metadata_release(&t.metadata);
    if (ok) {
        *ret_summary = summary;
    }
    return ok;
}
