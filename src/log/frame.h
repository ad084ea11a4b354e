/*
 * frame.h - the bytes of the log's files: file header, frame header, footer. Encoding and decoding, no I/O.
 *
 * All integers are little-endian; everything begins at a multiple of 8. A file begins with two copies of
 * its header (FILE_HEADER_BYTES each), so that no single damaged byte hides the salt that every check
 * below depends on. Frames follow; a sealed segment ends with a footer.
 *
 * Ownership: plain values. Threads: any. Limits: LOG_PAYLOAD_MAX.
 */
#ifndef TELEX_LOG_FRAME_H
#define TELEX_LOG_FRAME_H

#include "base/attr.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LOG_FORMAT_VERSION = 1,
    FILE_HEADER_BYTES = 64,
    FILE_DATA_START = 2 * FILE_HEADER_BYTES,
    FRAME_HEADER_BYTES = 48,
    FRAME_ALIGN = 8,
    FOOTER_BYTES = 576,
};

/* Types of the log's own frames, from LOG_TYPE_RESERVED on. */
enum { LOG_TYPE_CURSOR = 0xFF00, LOG_TYPE_CONSUMER, LOG_TYPE_SUMS };

enum file_kind { FILE_SEGMENT = 1, FILE_CURSORS = 2, FILE_CONSUMERS = 3 };

/*
 * 0 magic[8] | 8 version u16 | 10 kind u16 | 12 compatible u32 | 16 required u32 | 20 salt u32 |
 * 24 serial u64 | 32 first_seq u64 | 40 created_ns i64 | 48 zero[12] | 60 CRC-32C of 0..59
 *
 * A reader ignores compatible flags that it does not know and refuses required ones.
 */
struct file_header {
    uint16_t version;
    uint16_t kind;
    uint32_t compatible;
    uint32_t required;
    uint32_t salt;
    uint64_t serial;
    uint64_t first_seq;
    int64_t created_ns;
};

/*
 * 0 magic u32 | 4 CRC-32C of 8..47, begun with the file's salt | 8 length u32 | 12 type u16 | 14 flags u16 |
 * 16 sequence u64 | 24 mask u64 | 32 time_ns i64 | 40 CRC-32C of the payload u32 | 44 zero u32 | payload |
 * zeros up to a multiple of 8
 */
struct frame_header {
    uint32_t length;
    uint16_t type;
    uint16_t flags;
    uint64_t seq;
    uint64_t mask;
    int64_t time_ns;
    uint32_t payload_crc;
};

/* What of a segment is for one consumer. */
struct bit_sum {
    uint64_t count;
    int64_t bytes; /* of whole frames */
    uint64_t first_seq;
    int64_t first_ns; /* when the first was appended */
};

/*
 * 0 magic u32 | 4 CRC-32C of the rest, begun with the file's salt | 8 first_seq | 16 last_seq | 24 count |
 * 32 mask | 40 where the footer begins u64 | 48 newest_ns | 56 sums_bytes u32 | 60 zero u32 |
 * 64 last_of_bit u64 x 64
 *
 * The sums are a frame of type LOG_TYPE_SUMS between the last frame and the footer, see sums.c; footers
 * of earlier programs have 0 there, and those programs take the frame for nobody's.
 */
struct footer {
    uint64_t first_seq; /* of the first frame; 0 when there is none */
    uint64_t last_seq;
    uint64_t count;
    uint64_t mask; /* union */
    uint64_t end;  /* where the frames end */
    int64_t newest_ns;
    uint64_t last_of_bit[64]; /* the last sequence number that carries the bit */
    uint32_t sums_bytes;      /* 0: no sums were kept */
    bool sums_lost;           /* of_bit is not known */
    struct bit_sum of_bit[64];
};

enum file_header_result {
    FILE_HEADER_OK,
    FILE_HEADER_BAD,     /* not ours, or damaged */
    FILE_HEADER_UNKNOWN, /* ours, undamaged, of a version or with a required flag we do not know */
};

/* Writes both copies. */
void file_header_encode(const struct file_header *h, unsigned char out[FILE_DATA_START]);

/* Reads the first copy that is whole; <bytes> may be cut short. */
enum file_header_result file_header_decode(struct str bytes, struct file_header *ret_header);

void frame_header_encode(const struct frame_header *h, uint32_t salt,
                         unsigned char out[FRAME_HEADER_BYTES]);

/* False when the bytes are no frame header under this salt. */
bool frame_header_decode(const unsigned char in[FRAME_HEADER_BYTES], uint32_t salt,
                         struct frame_header *ret_header);

void footer_encode(const struct footer *f, uint32_t salt, unsigned char out[FOOTER_BYTES]);

/* All but of_bit, which the sums have. */
bool footer_decode(const unsigned char in[FOOTER_BYTES], uint32_t salt, struct footer *ret_footer);

/* Where in the file it stands. */
static inline uint64_t footer_offset(const struct footer *f)
{
    return f->end + f->sums_bytes;
}

/* Counts one more frame. */
void footer_add(struct footer *f, const struct frame_header *h);

/* Bytes of the longest frame of sums. */
enum { SUMS_BYTES_MAX = FRAME_HEADER_BYTES + 16 + 64 * 32 };

/* The sums of <f> as a frame; gives its bytes, for f->sums_bytes. */
uint32_t sums_encode(const struct footer *f, uint32_t salt, unsigned char out[SUMS_BYTES_MAX]);

/* Fills in f->of_bit; false, and all zero, when the <len> bytes are no sums of such a footer. */
bool sums_decode(const unsigned char *in, size_t len, uint32_t salt, struct footer *f);

/* Bytes of a frame in the file: header, payload, padding. */
static inline int64_t frame_bytes(uint32_t length)
{
    return FRAME_HEADER_BYTES + (((int64_t)length + FRAME_ALIGN - 1) & ~(int64_t)(FRAME_ALIGN - 1));
}

/* Could the bytes at <p> begin a frame or a footer? For scanning. */
bool frame_begins(const unsigned char *p);

#endif
