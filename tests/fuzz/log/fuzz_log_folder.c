/*
 * A log's folder in which one file is what the fuzzer says. The first byte chooses: a segment, the cursors or the names, as
 * the bytes are; or good ones with patches (each 3 bytes: where, and what to XOR), whose headers' and sums' checksums are
 * then made right again, so that what stands behind a good checksum is tried too. Looking at it and opening it must not
 * crash, must agree on the frames, and what is owed must never be less than what a reader gives.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "fake/clock.h"
#include "fake/simfs.h"
#include "log/frame.h"
#include "log/log.h"
#include "log/log_inspect.h"

static const char *const files[] = {"/log/0000000000000001.segment", "/log/cursors",
                                    "/log/consumers"};

struct bench {
    struct rng rng;
    struct fake_clock clock;
    struct metrics *metrics;
    struct env env;
    struct simfs *sim;
    struct log_options options;
};

static void bench_init(struct bench *b)
{
    rng_seed(&b->rng, 1);
    fake_clock_init(&b->clock, 1000, 1000);
    b->metrics = metrics_new();
    b->env = (struct env){.clock = &b->clock.clock, .rng = &b->rng, .metrics = b->metrics};
    b->sim = simfs_new(1);
    b->options = (struct log_options){.name = STR("fuzz"),
                                      .path = STR("/log"),
                                      .min_free_bytes = -1,
                                      .fs = simfs_fs(b->sim),
                                      .env = &b->env};
}

/* A good log of one sealed segment for two consumers, of which one stands in its middle. */
static void make_good(struct bench *b)
{
    struct log *l = NULL;
    struct log_report report;
    struct err e = ERR_INIT;
    unsigned bits[2];
    uint64_t seq = 0;
    struct wait w = {DEADLINE_NEVER, NULL};

    INVARIANT(log_open(&b->options, &l, &report, &e));
    INVARIANT(log_consumer_add(l, STR("a"), &bits[0], &e));
    INVARIANT(log_consumer_add(l, STR("b"), &bits[1], &e));
    for (uint64_t i = 0; i < 6; i++) {
        char payload[] = "payload";
        struct iovec part = {payload, (size_t)i};
        struct log_record r = {.type = 1, .mask = i % 3 + 1, .parts = &part, .part_count = 1};
        INVARIANT(log_append(l, &r, w, &seq, &e));
    }
    log_cursor_set(l, bits[0], 3);
    log_close(l);
}

static void put32(char *p, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (char)(value >> 8 * i);
    }
}

/* Makes the checksum of every frame header right again that stands where one stood, and the footer's. */
static void mend(struct buf *bytes, const struct buf *good, uint32_t salt)
{
    struct frame_header h;

    for (size_t at = FILE_DATA_START; at + FRAME_HEADER_BYTES <= good->len; at += FRAME_ALIGN) {
        const unsigned char *was = (const unsigned char *)good->ptr + at;
        if (frame_header_decode(was, salt, &h) &&
            at + FRAME_HEADER_BYTES + h.length <= bytes->len) {
            char *p = bytes->ptr + at;
            put32(p + 40, crc32c(0, p + FRAME_HEADER_BYTES, h.length));
            put32(p + 4, crc32c(salt, p + 8, FRAME_HEADER_BYTES - 8));
        }
    }
    if (bytes->len == good->len && good->len >= FILE_DATA_START + FOOTER_BYTES) {
        char *p = bytes->ptr + bytes->len - FOOTER_BYTES;
        put32(p + 4, crc32c(salt, p + 8, FOOTER_BYTES - 8));
    }
}

static void patch(struct str patches, struct buf *bytes)
{
    struct file_header header = {0};
    AUTO(buf_release) struct buf good = BUF_INIT(BUF_UNLIMITED);

    buf_add_str(&good, buf_str(bytes));
    (void)file_header_decode(buf_str(&good), &header);
    for (size_t i = 0; i + 3 <= patches.len && bytes->len > 0; i += 3) {
        size_t at =
            ((size_t)(unsigned char)patches.ptr[i] << 8 | (unsigned char)patches.ptr[i + 1]) %
            bytes->len;
        bytes->ptr[at] = (char)(bytes->ptr[at] ^ patches.ptr[i + 2]);
    }
    mend(bytes, &good, header.salt);
}

struct seen {
    uint64_t frames;
    uint64_t last_seq;
};

static bool count(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct seen *s = arg;

    (void)e;
    INVARIANT(f->seq > s->last_seq);
    s->last_seq = f->seq;
    s->frames++;
    return true;
}

static bool look(struct bench *b, struct seen *s)
{
    struct log_view *v = NULL;
    struct log_walk walk = {.arg = s, .frame = count};
    struct err e = ERR_INIT;

    if (!log_view_open(simfs_fs(b->sim), STR("/log"), &v, &e)) {
        return false;
    }
    bool ok = log_view_walk(v, &walk, &e);
    log_view_close(v);
    return ok;
}

/* What a consumer is given behind its cursor. */
static uint64_t read_owed(struct log *l, unsigned bit)
{
    struct log_reader *r = log_reader_new(l, log_cursor_get(l, bit) + 1, UINT64_C(1) << bit);
    const struct log_frame *f = NULL;
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    while (log_reader_next(r, (struct wait){0}, &f, &e) && f != NULL) {
        frames++;
        log_frame_drop(f);
    }
    log_reader_free(r);
    return frames;
}

static void open_and_read(struct bench *b)
{
    AUTO(mem_autofree) struct log_consumer *all = mem_alloc0(LOG_CONSUMERS_MAX, sizeof(*all));
    struct log *l = NULL;
    struct log_report report = {0};
    struct err e = ERR_INIT;

    if (!log_open(&b->options, &l, &report, &e)) {
        return;
    }
    size_t n = log_consumers(l, all);
    for (size_t i = 0; i < n; i++) {
        uint64_t owed = log_pending(l, all[i].bit);
        int64_t bytes = log_owed_bytes(l, all[i].bit);
        INVARIANT(bytes >= 0 && owed <= UINT64_MAX / 2);
        (void)read_owed(l, all[i].bit);
        (void)log_oldest_ns(l, all[i].bit);
    }
    log_close(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct bench b;
    struct seen seen = {0};

    if (size == 0) {
        return 0;
    }
    const char *file = files[data[0] / 2 % ARRAY_LEN(files)];
    struct str rest = str_make((const char *)data + 1, size - 1);
    bench_init(&b);
    make_good(&b);
    if (data[0] % 2 == 0) {
        buf_add_str(&bytes, rest);
    } else {
        INVARIANT(simfs_peek(b.sim, file, &bytes));
        patch(rest, &bytes);
    }
    simfs_put(b.sim, file, buf_str(&bytes));
    (void)look(&b, &seen);
    open_and_read(&b);
    simfs_free(b.sim);
    metrics_free(b.metrics);
    return 0;
}
