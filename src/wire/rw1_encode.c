#include "wire/compress.h"
#include "wire/pb.h"
#include "wire/remote_write.h"
#include "wire/rw1_metadata.h"

#include "base/number.h"

enum {
    TAG_SERIES = 0x0A,
    TAG_SAMPLE = 0x12,
    TAG_VALUE = 0x09,
    TAG_TIME = 0x10,
    NS_PER_MS = 1000 * 1000,
    RUN_MAX = 256, /* samples in one TimeSeries */
};

const struct rw1_header rw1_headers[RW1_HEADERS] = {
    {"Content-Encoding", "snappy"},
    {"Content-Type", "application/x-protobuf"},
    {"X-Prometheus-Remote-Write-Version", "0.1.0"},
};

/* Rounds towards the past, before 1970 too. */
static int64_t ms_of(int64_t ns)
{
    return ns / NS_PER_MS - (ns % NS_PER_MS < 0);
}

/* Bytes of a sample's message. */
static size_t sample_size(int64_t ns)
{
    return 1 + 8 + 1 + varint_size((uint64_t)ms_of(ns));
}

static char *put_sample(char *p, int64_t ns, double value)
{
    *p++ = TAG_SAMPLE;
    *p++ = (char)sample_size(ns); /* 20 at most */
    *p++ = TAG_VALUE;
    p = pb_store64(p, number_bits(value));
    *p++ = TAG_TIME;
    return varint_put(p, (uint64_t)ms_of(ns));
}

/* Rows from <from> on that are of one series, RUN_MAX at most. */
static uint32_t run_length(const struct samples *s, struct view v, uint32_t from)
{
    uint32_t series = s->series_of[view_row(v, from)];
    uint32_t end = from + 1;

    while (end < v.n && end - from < RUN_MAX && s->series_of[view_row(v, end)] == series) {
        end++;
    }
    return end - from;
}

/* Bytes of a TimeSeries' content. */
static size_t series_size(const struct samples *s, struct view v, uint32_t from, uint32_t count)
{
    size_t size = s->series[s->series_of[view_row(v, from)]]->len;

    for (uint32_t i = from; i < from + count; i++) {
        size += 2 + sample_size(s->time_ns[view_row(v, i)]);
    }
    return size;
}

/* Says what is known of a series; gives the bytes of all that was said. */
static size_t say(struct rw1_metadata *metadata, const struct samples *s, uint32_t series)
{
    rw1_metadata_say(metadata, labels_get(s->series[series], STR("__name__")), s->meta[series]);
    return metadata->bytes.len;
}

static char *put_series(char *p, const struct samples *s, struct view v, uint32_t from,
                        uint32_t count, size_t size)
{
    const struct labels *labels = s->series[s->series_of[view_row(v, from)]];

    *p++ = TAG_SERIES;
    p = varint_put(p, size);
    memcpy(p, labels->bytes, labels->len);
    p += labels->len;
    for (uint32_t i = from; i < from + count; i++) {
        uint32_t row = view_row(v, i);
        p = put_sample(p, s->time_ns[row], s->value[row]);
    }
    return p;
}

/* Rows from <from> on, as many as fit beside what <metadata> says of them; NULL: nothing is known. */
static uint32_t encode(const struct samples *s, struct view v, uint32_t from, size_t bytes_max,
                       struct rw1_metadata *metadata, struct buf *out)
{
    uint32_t at = from;
    size_t start = out->len;
    size_t said = 0;

    while (at < v.n) {
        uint32_t count = run_length(s, v, at);
        size_t size = series_size(s, v, at, count);
        size_t whole = 1 + varint_size(size) + size;
        size_t before = said;
        if (metadata != NULL) {
            said = say(metadata, s, s->series_of[view_row(v, at)]);
        }
        if (at > from && out->len - start + whole + said > bytes_max) {
            if (metadata != NULL) {
                buf_truncate(&metadata->bytes, before);
            }
            break;
        }
        char *room = buf_reserve(out, whole);
        if (room == NULL) {
            break;
        }
        (void)put_series(room, s, v, at, count, size);
        buf_added(out, whole);
        at += count;
    }
    return at - from;
}

uint32_t rw1_encode(const struct samples *s, struct view v, uint32_t from, size_t bytes_max,
                    struct buf *out)
{
    struct rw1_metadata metadata;
    size_t start = out->len;

    if (s->meta == NULL) {
        return encode(s, v, from, bytes_max, NULL, out);
    }
    rw1_metadata_init(&metadata, (uint64_t)(uintptr_t)s->series);
    uint32_t rows = encode(s, v, from, bytes_max, &metadata, out);
    rw1_metadata_put(&metadata, start, out);
    rw1_metadata_release(&metadata);
    return rows;
}

static bool codec_encode(const struct batch *b, struct buf *out, struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    const struct samples *s = batch_own_samples(b);
    struct view all = {.n = s->count};

    (void)rw1_encode(s, all, 0, RW1_MESSAGE_MAX, &message);
    if (!buf_ok(&message)) {
        return err_set(e, ERR_LIMIT, "%u samples make a message of more than %d bytes", s->count,
                       RW1_MESSAGE_MAX);
    }
    return compression_snappy.pack(buf_str(&message), out, e);
}

static bool codec_decode(struct str encoded, struct batch *b, struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    struct samples samples;

    if (!compression_snappy.unpack(encoded, RW1_MESSAGE_MAX, &message, e) ||
        !rw1_decode(buf_str(&message), RW1_LENIENT, batch_arena(b), &samples, NULL, e)) {
        return false;
    }
    batch_set_samples(b, samples);
    return true;
}

/* All fields of the message are repeated ones, so messages behind each other are one. */
static bool codec_join(const struct str *parts, size_t count, struct buf *out, struct err *e)
{
    return snappy_join(parts, count, RW1_MESSAGE_MAX, out, e);
}

const struct batch_codec codec_rw1 = {
    .id = 1,
    .name = "rw1",
    .kind = RECORD_SAMPLE,
    .decode = codec_decode,
    .encode = codec_encode,
    .join = codec_join,
};
