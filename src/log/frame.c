#include "log/frame.h"

#include "base/crc32c.h"
#include "log/log.h"

#include <endian.h>

/* "TELEXLOG"; "TLXf" and "TLXe" as they stand in the file. */
static const unsigned char file_magic[8] = {'T', 'E', 'L', 'E', 'X', 'L', 'O', 'G'};
#define FRAME_MAGIC UINT32_C(0x66584C54)
#define FOOTER_MAGIC UINT32_C(0x65584C54)

static void put16(unsigned char *p, uint16_t value)
{
    value = htole16(value);
    memcpy(p, &value, sizeof(value));
}

static void put32(unsigned char *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof(value));
}

static void put64(unsigned char *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof(value));
}

static uint16_t get16(const unsigned char *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof(value));
    return le16toh(value);
}

static uint32_t get32(const unsigned char *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const unsigned char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return le64toh(value);
}

void file_header_encode(const struct file_header *h, unsigned char out[FILE_DATA_START])
{
    memset(out, 0, FILE_HEADER_BYTES);
    memcpy(out, file_magic, sizeof(file_magic));
    put16(out + 8, h->version);
    put16(out + 10, h->kind);
    put32(out + 12, h->compatible);
    put32(out + 16, h->required);
    put32(out + 20, h->salt);
    put64(out + 24, h->serial);
    put64(out + 32, h->first_seq);
    put64(out + 40, (uint64_t)h->created_ns);
    put32(out + 60, crc32c(0, out, 60));
    memcpy(out + FILE_HEADER_BYTES, out, FILE_HEADER_BYTES);
}

static bool copy_is_whole(const unsigned char *p)
{
    return memcmp(p, file_magic, sizeof(file_magic)) == 0 && get32(p + 60) == crc32c(0, p, 60);
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
        .version = get16(p + 8),
        .kind = get16(p + 10),
        .compatible = get32(p + 12),
        .required = get32(p + 16),
        .salt = get32(p + 20),
        .serial = get64(p + 24),
        .first_seq = get64(p + 32),
        .created_ns = (int64_t)get64(p + 40),
    };
    bool known = ret_header->version == LOG_FORMAT_VERSION && ret_header->required == 0;
    return known ? FILE_HEADER_OK : FILE_HEADER_UNKNOWN;
}

void frame_header_encode(const struct frame_header *h, uint32_t salt,
                         unsigned char out[FRAME_HEADER_BYTES])
{
    put32(out, FRAME_MAGIC);
    put32(out + 8, h->length);
    put16(out + 12, h->type);
    put16(out + 14, h->flags);
    put64(out + 16, h->seq);
    put64(out + 24, h->mask);
    put64(out + 32, (uint64_t)h->time_ns);
    put32(out + 40, h->payload_crc);
    put32(out + 44, 0);
    put32(out + 4, crc32c(salt, out + 8, FRAME_HEADER_BYTES - 8));
}

bool frame_header_decode(const unsigned char in[FRAME_HEADER_BYTES], uint32_t salt,
                         struct frame_header *ret_header)
{
    if (get32(in) != FRAME_MAGIC || get32(in + 4) != crc32c(salt, in + 8, FRAME_HEADER_BYTES - 8) ||
        get32(in + 8) > LOG_PAYLOAD_MAX) {
        return false;
    }
    *ret_header = (struct frame_header){
        .length = get32(in + 8),
        .type = get16(in + 12),
        .flags = get16(in + 14),
        .seq = get64(in + 16),
        .mask = get64(in + 24),
        .time_ns = (int64_t)get64(in + 32),
        .payload_crc = get32(in + 40),
    };
    return true;
}

bool frame_begins(const unsigned char *p)
{
    uint32_t magic = get32(p);

    return magic == FRAME_MAGIC || magic == FOOTER_MAGIC;
}

void footer_encode(const struct footer *f, uint32_t salt, unsigned char out[FOOTER_BYTES])
{
    put32(out, FOOTER_MAGIC);
    put64(out + 8, f->first_seq);
    put64(out + 16, f->last_seq);
    put64(out + 24, f->count);
    put64(out + 32, f->mask);
    put64(out + 40, f->end);
    put64(out + 48, (uint64_t)f->newest_ns);
    put64(out + 56, 0);
    for (size_t i = 0; i < ARRAY_LEN(f->last_of_bit); i++) {
        put64(out + 64 + 8 * i, f->last_of_bit[i]);
    }
    put32(out + 4, crc32c(salt, out + 8, FOOTER_BYTES - 8));
}

bool footer_decode(const unsigned char in[FOOTER_BYTES], uint32_t salt, struct footer *ret_footer)
{
    if (get32(in) != FOOTER_MAGIC || get32(in + 4) != crc32c(salt, in + 8, FOOTER_BYTES - 8)) {
        return false;
    }
    *ret_footer = (struct footer){
        .first_seq = get64(in + 8),
        .last_seq = get64(in + 16),
        .count = get64(in + 24),
        .mask = get64(in + 32),
        .end = get64(in + 40),
        .newest_ns = (int64_t)get64(in + 48),
    };
    for (size_t i = 0; i < ARRAY_LEN(ret_footer->last_of_bit); i++) {
        ret_footer->last_of_bit[i] = get64(in + 64 + 8 * i);
    }
    return true;
}

void footer_add(struct footer *f, const struct frame_header *h)
{
    f->first_seq = f->count == 0 ? h->seq : f->first_seq;
    f->last_seq = h->seq;
    f->count++;
    f->mask |= h->mask;
    f->newest_ns = h->time_ns > f->newest_ns ? h->time_ns : f->newest_ns;
    for (uint64_t rest = h->mask; rest != 0; rest &= rest - 1) {
        f->last_of_bit[__builtin_ctzll(rest)] = h->seq;
    }
}
