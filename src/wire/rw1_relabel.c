#include "wire/rw1_relabel.h"

#include "model/labels.h"
#include "wire/pb.h"
#include "wire/rw1_metadata.h"
#include "wire/rw1_series.h"

enum { FIELD_SERIES = 1, TAG_SERIES = 0x0A, TAG_LABEL = 0x0A };
enum { FIELD_NAME = 1, FIELD_VALUE = 2 };

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

/* The name where it nearly always stands, in front and short; empty when it does not. */
static struct str first_name(struct str labels)
{
    static const char key[] = "\x0a\x08__name__\x12";
    enum { KEY = sizeof(key) - 1, TEXT_AT = 2 + KEY + 1 };

    if (labels.len < TEXT_AT || memcmp(labels.ptr + 2, key, KEY) != 0) {
        return STR("");
    }
    size_t len = (unsigned char)labels.ptr[TEXT_AT - 1];
    bool is_usual = len < 0x80 && labels.ptr[0] == TAG_LABEL &&
                    (unsigned char)labels.ptr[1] == KEY + 1 + len && labels.len >= TEXT_AT + len;
    return is_usual ? str_make(labels.ptr + TEXT_AT, len) : STR("");
}

static struct label read_label(struct str bytes)
{
    struct label label = {STR_INIT(""), STR_INIT("")};
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.type == PB_BYTES && f.number == FIELD_NAME) {
            label.name = f.bytes;
        } else if (f.type == PB_BYTES && f.number == FIELD_VALUE) {
            label.value = f.bytes;
        }
    }
    return label;
}

/* The metric's name among label fields that are known to be a set. */
static struct str name_of(struct str labels)
{
    struct str name = first_name(labels);
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, labels);
    while (name.len == 0 && pb_next(&r, &f)) {
        struct label label = f.type == PB_BYTES ? read_label(f.bytes) : (struct label){0};
        if (str_eq(label.name, STR("__name__"))) {
            name = label.value;
        }
    }
    return name;
}

/* What is known of a series is known of it by its new name. */
static void say(struct relabelling *x, struct str in, struct str made)
{
    const struct series_meta *m = series_families_find(&x->in, name_of(in));

    if (m != NULL) {
        rw1_metadata_say(&x->made, name_of(made), m);
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
