/* Symbols are numbered as they are met, and stand behind the series that refer to them. */
#include "base/map.h"
#include "base/vec.h"
#include "wire/pb.h"
#include "wire/rw1_metadata.h"
#include "wire/rw2.h"

enum { FIELD_SYMBOL = 4, FIELD_SERIES = 5, FIELD_REFS = 1, FIELD_SAMPLE = 2, FIELD_METADATA = 5 };
enum { NS_IN_MS = 1000 * 1000 };

const struct rw1_header rw2_headers[RW2_HEADERS] = {
    {"Content-Encoding", "snappy"},
    {"Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
    {"X-Prometheus-Remote-Write-Version", "2.0.0"},
};

struct encoder {
    struct map numbers; /* text -> its number, as a pointer; texts live in the label sets */
    VEC(struct str) symbols;
    struct buf refs; /* of the series being written */
    struct buf *out;
};

/* The number of a text; 0 is the empty one. */
static uint64_t number_of(struct encoder *en, struct str text)
{
    void *known = map_get(&en->numbers, text);

    if (text.len == 0) {
        return 0;
    }
    if (known == NULL) {
        vec_push(&en->symbols, text);
        known = (void *)(uintptr_t)en->symbols.len;
        (void)map_put(&en->numbers, text, known);
    }
    return (uint64_t)(uintptr_t)known;
}

static void add_ref(struct encoder *en, struct str text)
{
    char *room = buf_reserve(&en->refs, VARINT_MAX);

    if (room != NULL) {
        buf_added(&en->refs, (size_t)(varint_put(room, number_of(en, text)) - room));
    }
}

static void put_sample(struct buf *out, int64_t time_ns, double value)
{
    size_t begun = pb_begin(out, FIELD_SAMPLE);

    pb_add_double(out, 1, value);
    pb_add_i64(out, 2, time_ns / NS_IN_MS - (time_ns % NS_IN_MS < 0));
    pb_end(out, begun);
}

static void put_metadata(struct encoder *en, struct str name, const struct series_meta *meta)
{
    size_t begun = pb_begin(en->out, FIELD_METADATA);

    pb_add_u64(en->out, 1, rw1_type_number(series_type_of(meta, name)));
    pb_add_u64(en->out, 3, number_of(en, meta->help));
    pb_add_u64(en->out, 4, number_of(en, meta->unit));
    pb_end(en->out, begun);
}

/* One TimeSeries with the rows from <at> on that are of its series; gives the row behind. */
static uint32_t put_series(struct encoder *en, const struct samples *s, struct view v, uint32_t at,
                           uint32_t end)
{
    uint32_t series = s->series_of[view_row(v, at)];
    struct label pair;

    buf_clear(&en->refs);
    for (uint32_t i = 0; labels_next(s->series[series], &i, &pair);) {
        add_ref(en, pair.name);
        add_ref(en, pair.value);
    }
    size_t begun = pb_begin(en->out, FIELD_SERIES);
    pb_add_str(en->out, FIELD_REFS, buf_str(&en->refs));
    for (; at < end && s->series_of[view_row(v, at)] == series; at++) {
        uint32_t row = view_row(v, at);
        put_sample(en->out, s->time_ns[row], s->value[row]);
    }
    if (s->meta != NULL && series_meta_says(s->meta[series])) {
        put_metadata(en, labels_get(s->series[series], STR("__name__")), s->meta[series]);
    }
    pb_end(en->out, begun);
    return at;
}

uint32_t rw2_encode(const struct samples *s, struct view v, uint32_t from, uint32_t rows_max,
                    uint64_t seed, struct buf *out)
{
    struct encoder en = {.refs = BUF_INIT(BUF_UNLIMITED), .out = out};
    uint32_t end = v.n - from > rows_max ? from + rows_max : v.n;
    uint32_t at = from;

    map_init(&en.numbers, seed);
    while (at < end) {
        at = put_series(&en, s, v, at, end);
    }
    pb_add_bytes(out, FIELD_SYMBOL, STR(""));
    for (size_t i = 0; i < en.symbols.len; i++) {
        pb_add_bytes(out, FIELD_SYMBOL, en.symbols.items[i]);
    }
    map_release(&en.numbers);
    vec_release(&en.symbols);
    buf_release(&en.refs);
    return at - from;
}
