/*
 * A log whose only segment is what the fuzzer says: either the bytes themselves (first byte even), or a good segment with
 * patches (first byte odd; each patch is 3 bytes: where, and what to XOR). Opening must not crash, frames must come in
 * order and be what their CRC says, and a second opening must find what the first one left, without a scan.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "fake/clock.h"
#include "fake/simfs.h"
#include "log/frame.h"
#include "log/log.h"

static const char path[] = "/log/0000000000000001.segment";

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
    b->options = (struct log_options){
        .name = STR("fuzz"), .path = STR("/log"), .fs = simfs_fs(b->sim), .env = &b->env};
}

static void bench_release(struct bench *b)
{
    simfs_free(b->sim);
    metrics_free(b->metrics);
}

static struct log *open_log(struct bench *b, struct log_report *report)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;

    return log_open(&b->options, &l, report, &e) ? l : NULL;
}

/* Bytes of a good, unsealed segment with frames for every bit. */
static void good_segment(struct buf *out)
{
    const struct file_header file = {.version = LOG_FORMAT_VERSION,
                                     .kind = FILE_SEGMENT,
                                     .salt = 77,
                                     .serial = 1,
                                     .first_seq = 1};
    unsigned char header[FILE_DATA_START];
    char payload[64];

    file_header_encode(&file, header);
    buf_add(out, header, sizeof(header));
    memset(payload, 'p', sizeof(payload));
    for (uint32_t i = 1; i <= 8; i++) {
        uint32_t length = i * 13 % 50;
        const struct frame_header h = {
            .length = length, .seq = i, .mask = 1, .payload_crc = crc32c(0, payload, length)};
        unsigned char bytes[FRAME_HEADER_BYTES];
        frame_header_encode(&h, file.salt, bytes);
        buf_add(out, bytes, sizeof(bytes));
        buf_add(out, payload, length);
        buf_add_repeat(out, '\0', (size_t)frame_bytes(length) - FRAME_HEADER_BYTES - length);
    }
}

static void patched(struct str patches, struct buf *out)
{
    good_segment(out);
    for (size_t i = 0; i + 3 <= patches.len; i += 3) {
        size_t at =
            ((size_t)(unsigned char)patches.ptr[i] << 8 | (unsigned char)patches.ptr[i + 1]) %
            (out->len + 1);
        if (at == out->len || patches.ptr[i + 2] == 0) {
            buf_truncate(out, at);
            if (out->len == 0) {
                return;
            }
        } else {
            out->ptr[at] = (char)(out->ptr[at] ^ patches.ptr[i + 2]);
        }
    }
}

/* Reads all frames; gives how many. */
static uint64_t read_all(struct log *l)
{
    struct log_reader *r = log_reader_new(l, 0, UINT64_MAX);
    const struct log_frame *f = NULL;
    struct err e = ERR_INIT;
    uint64_t last = 0;
    uint64_t count = 0;

    while (log_reader_next(r, (struct wait){.deadline_mono_ns = 0}, &f, &e) && f != NULL) {
        INVARIANT(f->seq > last);
        last = f->seq;
        count++;
        log_frame_drop(f);
    }
    log_reader_free(r);
    return count;
}

static void try_segment(struct bench *b, struct str bytes)
{
    struct log_report first = {0};
    struct log_report second = {0};
    unsigned bit;
    struct err e = ERR_INIT;

    struct log *l = open_log(b, &first); /* an empty log, to name the consumers */
    for (char name[] = "a"; l != NULL && name[0] < 'a' + 26; name[0]++) {
        INVARIANT(log_consumer_add(l, str_of(name), &bit, &e));
    }
    log_close(l);
    simfs_put(b->sim, path, bytes);
    l = open_log(b, &first);
    if (l == NULL) {
        return;
    }
    uint64_t count = read_all(l);
    log_close(l);
    l = open_log(b, &second);
    INVARIANT(l != NULL && second.segments_scanned == 0 && second.next_seq == first.next_seq);
    INVARIANT(read_all(l) == count);
    log_close(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct str rest = str_make((const char *)data + 1, size > 0 ? size - 1 : 0);
    struct bench b;

    if (size == 0) {
        return 0;
    }
    bench_init(&b);
    if (data[0] % 2 == 0) {
        buf_add_str(&bytes, rest);
    } else {
        patched(rest, &bytes);
    }
    try_segment(&b, buf_str(&bytes));
    bench_release(&b);
    return 0;
}
