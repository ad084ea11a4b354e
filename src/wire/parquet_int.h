/*
 * parquet_int.h - what the files of the Parquet writer share: a column's values of a row group, and chunks of them.
 *
 * Ownership: as parquet.h. Threads: confined. Limits: as parquet.h.
 */
#ifndef TELEX_WIRE_PARQUET_INT_H
#define TELEX_WIRE_PARQUET_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "wire/parquet.h"
#include "wire/thrift_compact.h"

struct parquet_values {
    enum parquet_type type;
    VEC(int64_t) words;    /* of all but texts: integers, and doubles as their bits */
    VEC(uint32_t) numbers; /* of texts: places in <texts> */
    VEC(struct str) texts; /* each once, in the arena */
    size_t text_bytes;     /* of those */
    struct map by_text;    /* place + 1 */
    struct arena arena;
    VEC(uint32_t)
    runs; /* of values that are there and that are not, in turn; there is one for values first */
    uint32_t nulls;
    uint32_t rows;
};

/* Scratch of a writer, used for column after column. */
struct parquet_scratch {
    struct buf levels;
    struct buf values;
    struct buf dictionary;
    struct buf page;
    struct buf packed;
    VEC(uint32_t) places;
    VEC(int64_t) distinct;
    VEC(uint32_t) slots; /* a hash table of places in <distinct> */
};

/* Where a chunk stands in the file, and what is to be said of it. */
struct parquet_chunk {
    int64_t dictionary_at; /* -1: none */
    int64_t data_at;
    int64_t plain_bytes;
    int64_t packed_bytes;
    int encoding; /* of the data page */
};

/* Parquet's numbers of encodings. */
enum {
    ENCODING_PLAIN = 0,
    ENCODING_RLE = 3,
    ENCODING_DELTA = 5,
    ENCODING_DICTIONARY = 8,
    ENCODING_SPLIT = 9
};

/* Parquet's number of a codec. */
int32_t parquet_codec_number(enum parquet_codec codec);

/* Appends the pages of a column; <at> is where in the file <out> ends. */
MUST_USE bool parquet_add_chunk(const struct parquet_values *v, enum parquet_codec codec,
                                int64_t at, struct parquet_scratch *s, struct buf *out,
                                struct parquet_chunk *ret, struct err *e);

/* Adds the field `statistics` of a chunk's metadata. */
void parquet_add_statistics(const struct parquet_values *v, struct thrift_writer *w, int16_t id);

#endif
