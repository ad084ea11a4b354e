#include "log/frame.h"

#include "base/crc32c.h"
#include "log/le.h"
#include "log/log.h"

/* "TELEXLOG"; "TLXf" and "TLXe" as they stand in the file. */
static const unsigned char file_magic[8] = {'T', 'E', 'L', 'E', 'X', 'L', 'O', 'G'};
#define FRAME_MAGIC UINT32_C(0x66584C54)
#define FOOTER_MAGIC UINT32_C(0x65584C54)

void file_header_encode(const struct file_header *h, unsigned char out[FILE_DATA_START])
{
    memset(out, 0, FILE_HEADER_BYTES);
    memcpy(out, file_magic, sizeof(file_magic));
    le_put16(out + 8, h->version);
    le_put16(out + 10, h->kind);
    le_put32(out + 12, h->compatible);
    le_put32(out + 16, h->required);
    le_put32(out + 20, h->salt);
    le_put64(out + 24, h->serial);
    le_put64(out + 32, h->first_seq);
    le_put64(out + 40, (uint64_t)h->created_ns);
    le_put32(out + 60, crc32c(0, out, 60));
    memcpy(out + FILE_HEADER_BYTES, out, FILE_HEADER_BYTES);
}

static bool copy_is_whole(const unsigned char *p)
{
    return memcmp(p, file_magic, sizeof(file_magic)) == 0 && le_get32(p + 60) == crc32c(0, p, 60);
}

enum file_header_result file_header_decode(struct str bytes, struct file_header *ret_header)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    size_t at = 0;

    while (at + FILE_HEADER_BYTES <= bytes.len && at < FILE_DATA_START && !copy_is_whole(p + at)) {
        at += FILE_HEADER_BYTES;
    }
    if (at + FILE_HEADER_BYTES > bytes.len || at >= FILE_DATA_START) {
        return FILE_HEADER_BAD;
    }
    p += at;
    *ret_header = (struct file_header){
        .version = le_get16(p + 8),
        .kind = le_get16(p + 10),
        .compatible = le_get32(p + 12),
        .required = le_get32(p + 16),
        .salt = le_get32(p + 20),
        .serial = le_get64(p + 24),
        .first_seq = le_get64(p + 32),
        .created_ns = (int64_t)le_get64(p + 40),
    };
    bool known = ret_header->version == LOG_FORMAT_VERSION && ret_header->required == 0;
    return known ? FILE_HEADER_OK : FILE_HEADER_UNKNOWN;
}

void frame_header_encode(const struct frame_header *h, uint32_t salt,
                         unsigned char out[FRAME_HEADER_BYTES])
{
    le_put32(out, FRAME_MAGIC);
    le_put32(out + 8, h->length);
    le_put16(out + 12, h->type);
    le_put16(out + 14, h->flags);
    le_put64(out + 16, h->seq);
    le_put64(out + 24, h->mask);
    le_put64(out + 32, (uint64_t)h->time_ns);
    le_put32(out + 40, h->payload_crc);
    le_put32(out + 44, 0);
    le_put32(out + 4, crc32c(salt, out + 8, FRAME_HEADER_BYTES - 8));
}

bool frame_header_decode(const unsigned char in[FRAME_HEADER_BYTES], uint32_t salt,
                         struct frame_header *ret_header)
{
    if (le_get32(in) != FRAME_MAGIC ||
        le_get32(in + 4) != crc32c(salt, in + 8, FRAME_HEADER_BYTES - 8) ||
        le_get32(in + 8) > LOG_PAYLOAD_MAX) {
        return false;
    }
    *ret_header = (struct frame_header){
        .length = le_get32(in + 8),
        .type = le_get16(in + 12),
        .flags = le_get16(in + 14),
        .seq = le_get64(in + 16),
        .mask = le_get64(in + 24),
        .time_ns = (int64_t)le_get64(in + 32),
        .payload_crc = le_get32(in + 40),
    };
    return true;
}

bool frame_begins(const unsigned char *p)
{
    uint32_t magic = le_get32(p);

    return magic == FRAME_MAGIC || magic == FOOTER_MAGIC;
}

void footer_encode(const struct footer *f, uint32_t salt, unsigned char out[FOOTER_BYTES])
{
    le_put32(out, FOOTER_MAGIC);
    le_put64(out + 8, f->first_seq);
    le_put64(out + 16, f->last_seq);
    le_put64(out + 24, f->count);
    le_put64(out + 32, f->mask);
    le_put64(out + 40, f->end + f->sums_bytes);
    le_put64(out + 48, (uint64_t)f->newest_ns);
    le_put32(out + 56, f->sums_bytes);
    le_put32(out + 60, 0);
    for (size_t i = 0; i < ARRAY_LEN(f->last_of_bit); i++) {
        le_put64(out + 64 + 8 * i, f->last_of_bit[i]);
    }
    le_put32(out + 4, crc32c(salt, out + 8, FOOTER_BYTES - 8));
}

bool footer_decode(const unsigned char in[FOOTER_BYTES], uint32_t salt, struct footer *ret_footer)
{
    if (le_get32(in) != FOOTER_MAGIC ||
        le_get32(in + 4) != crc32c(salt, in + 8, FOOTER_BYTES - 8) ||
        le_get32(in + 56) > le_get64(in + 40)) {
        return false;
    }
    *ret_footer = (struct footer){
        .first_seq = le_get64(in + 8),
        .last_seq = le_get64(in + 16),
        .count = le_get64(in + 24),
        .mask = le_get64(in + 32),
        .end = le_get64(in + 40) - le_get32(in + 56),
        .newest_ns = (int64_t)le_get64(in + 48),
        .sums_bytes = le_get32(in + 56),
    };
    for (size_t i = 0; i < ARRAY_LEN(ret_footer->last_of_bit); i++) {
        ret_footer->last_of_bit[i] = le_get64(in + 64 + 8 * i);
    }
    return true;
}

static void sum_add(struct bit_sum *sum, const struct frame_header *h)
{
    sum->first_seq = sum->count == 0 ? h->seq : sum->first_seq;
    sum->first_ns = sum->count == 0 ? h->time_ns : sum->first_ns;
    sum->count++;
    sum->bytes += frame_bytes(h->length);
}

void footer_add(struct footer *f, const struct frame_header *h)
{
    f->first_seq = f->count == 0 ? h->seq : f->first_seq;
    f->last_seq = h->seq;
    f->count++;
    f->mask |= h->mask;
    f->newest_ns = h->time_ns > f->newest_ns ? h->time_ns : f->newest_ns;
    for (uint64_t rest = h->mask; rest != 0; rest &= rest - 1) {
        int bit = __builtin_ctzll(rest);
        f->last_of_bit[bit] = h->seq;
        sum_add(&f->of_bit[bit], h);
    }
}
