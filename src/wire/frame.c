/*
 * Field numbers are the format: they are never given another meaning. The payload is the last field, and
 * the only one that readers need the rest for.
 */
#include "wire/frame.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/edges.h"
#include "wire/events.h"
#include "wire/notes.h"
#include "wire/pb.h"
#include "wire/pb_labels.h"
#include "wire/remote_write.h"

enum { FRAME_CODEC = 1, FRAME_ROWS = 2, FRAME_INFO = 3, FRAME_PAYLOAD = 15 };
enum {
    INFO_KIND = 1,
    INFO_TENANT = 2,
    INFO_ORIGIN = 3,
    INFO_EPOCH = 4,
    INFO_TIME = 5,
    INFO_RULE = 6,
    INFO_GROUP = 7,
    INFO_FILE = 8,
    INFO_EXPR = 9,
    INFO_DATABASE = 10,
    INFO_MEASUREMENT = 11,
    INFO_METRIC_TYPE = 12,
    INFO_GENERATOR_URL = 13,
    INFO_HAS_THRESHOLD = 14,
    INFO_ANNOTATION = 15,
    INFO_THRESHOLD = 16,
};

static const struct batch_codec *const codecs[] = {&codec_rw1, &codec_edges, &codec_profiles,
                                                   &codec_spans, &codec_events};

const struct batch_codec *batch_codec_find(uint8_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        if (codecs[i]->id == id) {
            return codecs[i];
        }
    }
    return NULL;
}

/* The text of <info> that field <number> holds; NULL when it holds none. */
static struct str *info_text(struct batch_info *info, uint32_t number)
{
    struct str *const texts[] = {
        [INFO_TENANT] = &info->tenant,
        [INFO_ORIGIN] = &info->origin,
        [INFO_RULE] = &info->rule,
        [INFO_GROUP] = &info->group,
        [INFO_FILE] = &info->file,
        [INFO_EXPR] = &info->expr,
        [INFO_DATABASE] = &info->database,
        [INFO_MEASUREMENT] = &info->measurement,
        [INFO_METRIC_TYPE] = &info->metric_type,
        [INFO_GENERATOR_URL] = &info->generator_url,
    };
    return number < ARRAY_LEN(texts) ? texts[number] : NULL;
}

static void put_info(struct batch_info info, struct buf *out)
{
    size_t begun = pb_begin(out, FRAME_INFO);

    pb_add_u64(out, INFO_KIND, (uint64_t)info.kind);
    for (uint32_t number = INFO_TENANT; number <= INFO_GENERATOR_URL; number++) {
        const struct str *text = info_text(&info, number);
        if (text != NULL) {
            pb_add_str(out, number, *text);
        }
    }
    pb_add_u64(out, INFO_EPOCH, info.epoch);
    pb_add_fixed(out, INFO_TIME, (uint64_t)info.time_ns);
    pb_add_u64(out, INFO_HAS_THRESHOLD, info.has_threshold);
    pb_add_double(out, INFO_THRESHOLD, info.threshold);
    pb_add_pairs(out, INFO_ANNOTATION, info.annotations, info.annotation_count);
    pb_end(out, begun);
}

bool batch_to_frame(struct batch *b, struct buf *head, struct str *ret_payload, struct err *e)
{
    struct str payload;

    if (!batch_encoded(b, &payload, e)) {
        return false;
    }
    pb_add_u64(head, FRAME_CODEC, batch_codec(b)->id);
    pb_add_u64(head, FRAME_ROWS, batch_rows(b));
    put_info(*batch_info(b), head);
    pb_add_length(head, FRAME_PAYLOAD, payload.len);
    if (!buf_ok(head)) {
        return err_set(e, ERR_LIMIT, "what the rows of a batch share is too large for a frame");
    }
    *ret_payload = payload;
    return true;
}

static bool fail(struct err *e, const char *what)
{
    return err_set(e, ERR_PARSE, "frame is no batch: %s", what);
}

static void take_number(struct batch_info *info, const struct pb_field *f)
{
    if (f->number == INFO_EPOCH && f->type == PB_VARINT) {
        info->epoch = f->value;
    } else if (f->number == INFO_TIME && f->type == PB_FIXED64) {
        info->time_ns = (int64_t)f->value;
    } else if (f->number == INFO_HAS_THRESHOLD && f->type == PB_VARINT) {
        info->has_threshold = f->value != 0;
    } else if (f->number == INFO_THRESHOLD && f->type == PB_FIXED64) {
        info->threshold = pb_double(f);
    }
}

/* Annotations gather in <pairs>, which grows as they come. */
struct info_reader {
    struct batch_info info;
    VEC(struct label) pairs;
};

static bool take_info_field(struct info_reader *in, const struct pb_field *f, struct err *e)
{
    struct str *text = f->type == PB_BYTES ? info_text(&in->info, f->number) : NULL;
    struct label pair;

    if (text != NULL) {
        *text = f->bytes;
    } else if (f->number == INFO_KIND && f->type == PB_VARINT) {
        if (f->value >= RECORD_KINDS) {
            return fail(e, "a kind of record that this version does not know");
        }
        in->info.kind = (enum record_kind)f->value;
    } else if (f->number == INFO_ANNOTATION && f->type == PB_BYTES) {
        if (!pb_read_pair(f->bytes, &pair)) {
            return fail(e, "an annotation");
        }
        vec_push(&in->pairs, pair);
    } else {
        take_number(&in->info, f);
    }
    return true;
}

static bool take_info(struct info_reader *in, struct str bytes, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (!take_info_field(in, &f, e)) {
            return false;
        }
    }
    return pb_ok(&r) || fail(e, "what the rows share");
}

/* Reads the fields; the codec is looked up by the caller. */
static bool take_frame(struct str bytes, struct batch_frame *frame, uint64_t *codec, uint64_t *rows,
                       struct err *e)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == FRAME_CODEC && f.type == PB_VARINT) {
            *codec = f.value;
        } else if (f.number == FRAME_ROWS && f.type == PB_VARINT) {
            *rows = f.value;
        } else if (f.number == FRAME_INFO && f.type == PB_BYTES) {
            frame->info = f.bytes;
        } else if (f.number == FRAME_PAYLOAD && f.type == PB_BYTES) {
            frame->payload = f.bytes;
        }
    }
    return pb_ok(&r) || fail(e, "not a protobuf message");
}

bool batch_frame_read(struct str bytes, struct batch_frame *ret_frame, struct err *e)
{
    struct batch_frame frame = {.info = STR(""), .payload = STR("")};
    uint64_t codec = 0;
    uint64_t rows = 0;

    if (!take_frame(bytes, &frame, &codec, &rows, e)) {
        return false;
    }
    frame.codec = codec <= UINT8_MAX ? batch_codec_find((uint8_t)codec) : NULL;
    if (frame.codec == NULL || rows > BATCH_ROWS_MAX) {
        return fail(e, frame.codec == NULL ? "a codec that this version does not know"
                                           : "too many rows");
    }
    frame.rows = (uint32_t)rows;
    *ret_frame = frame;
    return true;
}

uint64_t batch_frame_plain_bytes(const struct batch_frame *frame)
{
    const char *at = frame->payload.ptr;
    uint64_t len = 0;

    /* A snappy block begins with the length of what it holds. */
    if (frame->codec == &codec_rw1 && varint_get(&at, at + frame->payload.len, &len)) {
        return len;
    }
    return frame->payload.len;
}

void batch_frame_maker(const struct batch_frame *frame, struct str *ret_origin,
                       struct str *ret_group)
{
    struct pb_reader r;
    struct pb_field f;

    *ret_origin = STR("");
    *ret_group = STR("");
    pb_read_init(&r, frame->info);
    while (pb_next(&r, &f)) {
        if (f.type == PB_BYTES && f.number == INFO_ORIGIN) {
            *ret_origin = f.bytes;
        } else if (f.type == PB_BYTES && f.number == INFO_GROUP) {
            *ret_group = f.bytes;
        }
    }
}

/* The next field of what rows share that is not the time, as its bytes stand. */
static bool next_shared(struct pb_reader *r, struct str *ret_bytes)
{
    const char *from = r->at;
    struct pb_field f;

    while (pb_next(r, &f)) {
        if (f.number != INFO_TIME) {
            *ret_bytes = str_make(from, (size_t)(r->at - from));
            return true;
        }
        from = r->at;
    }
    return false;
}

bool batch_frames_join(const struct batch_frame *a, const struct batch_frame *b)
{
    struct pb_reader ra;
    struct pb_reader rb;
    struct str fa;
    struct str fb;

    if (a->codec != b->codec || a->codec->join == NULL) {
        return false;
    }
    pb_read_init(&ra, a->info);
    pb_read_init(&rb, b->info);
    while (next_shared(&ra, &fa)) {
        if (!next_shared(&rb, &fb) || !str_eq(fa, fb)) {
            return false;
        }
    }
    return !next_shared(&rb, &fb) && pb_ok(&ra) && pb_ok(&rb);
}

static bool join_frames(const struct batch_frame *frames, size_t count,
                        const struct batch_info *info, struct batch **ret_batch, struct err *e)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct str *parts = mem_alloc(count * sizeof(*parts));
    uint64_t rows = 0;

    for (size_t i = 0; i < count; i++) {
        parts[i] = frames[i].payload;
        rows += frames[i].rows;
    }
    bool ok = rows <= BATCH_ROWS_MAX || fail(e, "too many rows");
    ok = ok && frames[0].codec->join(parts, count, &bytes, e);
    mem_free(parts);
    if (ok) {
        size_t len = bytes.len;
        *ret_batch = batch_from_bytes(frames[0].codec, str_make(buf_take(&bytes), len), false, info,
                                      (uint32_t)rows);
    }
    return ok;
}

bool batch_from_frames(const struct batch_frame *frames, size_t count, struct batch **ret_batch,
                       struct err *e)
{
    struct info_reader in = {.info = {.kind = RECORD_SAMPLE}};
    bool ok =
        take_info(&in, frames[0].info, e) && (in.info.kind == frames[0].codec->kind ||
                                              fail(e, "its codec is for another kind of record"));

    in.info.annotations = in.pairs.items;
    in.info.annotation_count = in.pairs.len;
    if (ok && count == 1) {
        *ret_batch =
            batch_from_bytes(frames[0].codec, frames[0].payload, true, &in.info, frames[0].rows);
    } else if (ok) {
        ok = join_frames(frames, count, &in.info, ret_batch, e);
    }
    vec_release(&in.pairs);
    return ok;
}

bool batch_from_frame(struct str bytes, struct batch **ret_batch, struct err *e)
{
    struct batch_frame frame;

    return batch_frame_read(bytes, &frame, e) && batch_from_frames(&frame, 1, ret_batch, e);
}
