#include "wire/rw1_relabel.h"

#include "wire/pb.h"
#include "wire/rw1_series.h"

enum { FIELD_SERIES = 1, TAG_SERIES = 0x0A };

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

static bool relabel_series(struct str series, const struct rw1_relabeller *r, struct buf *out,
                           uint64_t *samples)
{
    struct rw1_series parts = rw1_series_split(series);
    struct str labels = STR("");

    if (unlikely(!rw1_series_is_all(&parts, series))) {
        return false;
    }
    if (parts.count == 0) {
        return r->make(r->arg, parts.labels, 0, &labels) != RW1_LABELS_BAD;
    }
    enum rw1_labels made = r->make(r->arg, parts.labels, parts.count, &labels);
    if (made == RW1_LABELS_MADE) {
        put_series(out, labels, parts.samples);
    }
    *samples += parts.count;
    return made != RW1_LABELS_BAD;
}

bool rw1_relabel(struct str message, const struct rw1_relabeller *r, struct buf *out,
                 uint64_t *ret_samples)
{
    struct pb_reader reader;
    struct pb_field f;
    uint64_t samples = 0;

    pb_read_init(&reader, message);
    while (pb_next(&reader, &f)) {
        if (f.number == FIELD_SERIES && f.type == PB_BYTES &&
            !relabel_series(f.bytes, r, out, &samples)) {
            return false;
        }
    }
    *ret_samples = samples;
    return pb_ok(&reader) && buf_ok(out);
}
