#include "wire/rw1_relabel.h"

#include "wire/pb.h"
#include "wire/rw1_metadata.h"
#include "wire/rw1_series.h"

enum { FIELD_SERIES = 1, TAG_SERIES = 0x0A };

struct relabelling {
    const struct rw1_relabeller *r;
    struct buf *out;
    uint64_t samples;
    bool has_metadata; /* of which the two below are */
    struct series_families in;
    struct rw1_metadata made;
};

static void put_series(struct buf *out, struct str labels, struct str samples)
{
    size_t len = labels.len + samples.len;
    char *room = buf_reserve(out, 1 + VARINT_MAX + len);

    if (room == NULL) {
        return;
    }
    char *p = room;
    *p++ = TAG_SERIES;
    p = varint_put(p, len);
    memcpy(p, labels.ptr, labels.len);
    memcpy(p + labels.len, samples.ptr, samples.len);
    buf_added(out, (size_t)(p + len - room));
}

/* What is known of a series is known of it by its new name. */
static void say(struct relabelling *x, struct str in, struct str made)
{
    const struct series_meta *m = series_families_find(&x->in, rw1_series_name(in));

    if (m != NULL) {
        rw1_metadata_say(&x->made, rw1_series_name(made), m);
    }
}

static bool relabel_series(struct relabelling *x, struct str series)
{
    struct rw1_series parts = rw1_series_split(series);
    struct str labels = STR("");

    if (unlikely(!rw1_series_is_all(&parts, series))) {
        return false;
    }
    if (parts.count == 0) {
        return x->r->make(x->r->arg, parts.labels, 0, &labels) != RW1_LABELS_BAD;
    }
    enum rw1_labels made = x->r->make(x->r->arg, parts.labels, parts.count, &labels);
    if (made == RW1_LABELS_MADE) {
        put_series(x->out, labels, parts.samples);
        if (x->has_metadata) {
            say(x, parts.labels, labels);
        }
    }
    x->samples += parts.count;
    return made != RW1_LABELS_BAD;
}

static bool relabel_all(struct relabelling *x, struct str message)
{
    struct pb_reader reader;
    struct pb_field f;

    pb_read_init(&reader, message);
    while (pb_next(&reader, &f)) {
        if (f.type != PB_BYTES) {
            continue;
        }
        if (f.number == FIELD_SERIES ? !relabel_series(x, f.bytes)
                                     : f.number == RW1_FIELD_METADATA && !x->has_metadata) {
            return false;
        }
    }
    return pb_ok(&reader);
}

static bool relabel_known(struct relabelling *x, struct str message)
{
    AUTO(arena_release) struct arena texts;
    uint64_t seed = (uint64_t)(uintptr_t)message.ptr;

    arena_init(&texts, ARENA_UNLIMITED);
    series_families_init(&x->in, seed);
    rw1_metadata_init(&x->made, seed);
    (void)rw1_read_metadata(message, &texts, &x->in);
    size_t start = x->out->len;
    bool ok = relabel_all(x, message);
    rw1_metadata_put(&x->made, start, x->out);
    rw1_metadata_release(&x->made);
    series_families_release(&x->in);
    return ok;
}

bool rw1_relabel(struct str message, const struct rw1_relabeller *r, struct buf *out,
                 uint64_t *ret_samples)
{
    struct relabelling x = {.r = r, .out = out, .has_metadata = rw1_begins_with_metadata(message)};

    if (!(x.has_metadata ? relabel_known : relabel_all)(&x, message)) {
        return false;
    }
    *ret_samples = x.samples;
    return buf_ok(out);
}
