/*
 * A column of a row group: which encoding is smallest, its pages, its statistics.
 */
#include "wire/parquet_int.h"

#include "base/attr.h"
#include "base/little.h"
#include "wire/compress.h"
#include "wire/parquet_encode.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2, DISTINCT_MAX = 32 * 1024, STATISTICS_TEXT_MAX = 64 };

static const struct {
    int32_t number;
    const struct compression *compression;
} codecs[PARQUET_CODECS] = {
    [PARQUET_NONE] = {0, NULL},
    [PARQUET_SNAPPY] = {1, &compression_snappy},
    [PARQUET_GZIP] = {2, &compression_gzip},
    [PARQUET_ZSTD] = {6, &compression_zstd},
};

int32_t parquet_codec_number(enum parquet_codec codec)
{
    return codecs[codec].number;
}

/* ---- pages ---- */

static void add_u32(struct buf *out, size_t value)
{
    little_put_u32(out, (uint32_t)value);
}

static void add_page_header(int32_t type, uint32_t count, int encoding, struct str plain,
                            struct str packed, struct buf *out)
{
    struct thrift_writer w;

    thrift_init(&w, out);
    thrift_begin(&w);
    thrift_i32(&w, 1, type);
    thrift_i32(&w, 2, (int32_t)plain.len);
    thrift_i32(&w, 3, (int32_t)packed.len);
    thrift_i32(&w, 4, (int32_t)crc32(0, (const Bytef *)packed.ptr, (uInt)packed.len));
    thrift_struct(&w, type == PAGE_DICTIONARY ? 7 : 5);
    thrift_i32(&w, 1, (int32_t)count);
    thrift_i32(&w, 2, encoding);
    if (type == PAGE_DATA) {
        thrift_i32(&w, 3, ENCODING_RLE);
        thrift_i32(&w, 4, ENCODING_RLE);
    }
    thrift_end(&w);
    thrift_end(&w);
}

/* Appends a page, and its sizes to the chunk's. */
static bool add_page(int32_t type, uint32_t count, int encoding, enum parquet_codec codec,
                     struct parquet_scratch *s, struct buf *out, struct parquet_chunk *chunk,
                     struct err *e)
{
    struct str plain = buf_str(&s->page);
    struct str packed = plain;
    size_t start = out->len;

    if (codecs[codec].compression != NULL) {
        buf_clear(&s->packed);
        if (!codecs[codec].compression->pack(plain, &s->packed, e)) {
            return false;
        }
        packed = buf_str(&s->packed);
    }
    add_page_header(type, count, encoding, plain, packed, out);
    chunk->plain_bytes += (int64_t)(out->len - start + plain.len);
    buf_add_str(out, packed);
    chunk->packed_bytes += (int64_t)(out->len - start);
    return true;
}

/* Which rows have a value: nothing to tell but that all have is a single run. */
static void add_levels(const struct parquet_values *v, struct parquet_scratch *s)
{
    buf_clear(&s->levels);
    if (v->nulls == 0) {
        thrift_add_varint(&s->levels, (uint64_t)v->rows << 1);
        buf_add_byte(&s->levels, 1);
        return;
    }
    s->places.len = 0;
    for (size_t i = 0; i < v->runs.len; i++) {
        for (uint32_t k = 0; k < v->runs.items[i]; k++) {
            vec_push(&s->places, (i & 1) == 0);
        }
    }
    parquet_add_hybrid(s->places.items, s->places.len, 1, &s->levels);
}

/* ---- dictionaries ---- */

static uint64_t hash_of(int64_t word)
{
    uint64_t h = (uint64_t)word * UINT64_C(0x9E3779B97F4A7C15);

    return h ^ h >> 29;
}

static void grow_slots(struct parquet_scratch *s, size_t count)
{
    while (s->slots.len < count) {
        vec_push(&s->slots, 0);
    }
    memset(s->slots.items, 0, count * sizeof(s->slots.items[0]));
}

/* The place of a word among the distinct ones, which it may become one of. */
static uint32_t place_of(struct parquet_scratch *s, int64_t word, size_t mask)
{
    for (size_t at = hash_of(word) & mask;; at = (at + 1) & mask) {
        uint32_t place = s->slots.items[at];
        if (place == 0) {
            vec_push(&s->distinct, word);
            s->slots.items[at] = (uint32_t)s->distinct.len;
            return (uint32_t)s->distinct.len - 1;
        }
        if (s->distinct.items[place - 1] == word) {
            return place - 1;
        }
    }
}

/* Fills s->places and s->distinct; false when there are too many for it to be worth while. */
static bool find_distinct(const struct parquet_values *v, struct parquet_scratch *s)
{
    size_t max = v->words.len / 2 < DISTINCT_MAX ? v->words.len / 2 : DISTINCT_MAX;
    int64_t last = 0;
    uint32_t place = 0;

    s->places.len = 0;
    s->distinct.len = 0;
    grow_slots(s, (size_t)4 * DISTINCT_MAX);
    for (size_t i = 0; i < v->words.len; i++) {
        int64_t word = v->words.items[i];
        if (i == 0 || word != last) {
            place = place_of(s, word, (size_t)4 * DISTINCT_MAX - 1);
            if (s->distinct.len > max || (i == 8192 && s->distinct.len > 6000)) {
                return false;
            }
        }
        last = word;
        vec_push(&s->places, place);
    }
    return true;
}

/* Places as the values of a page: their width, then runs. */
static void add_places(const uint32_t *places, size_t count, size_t distinct, struct buf *out)
{
    unsigned width = distinct > 1 ? parquet_width((uint32_t)distinct - 1) : 0;

    width = width == 0 ? 1 : width; /* some readers do not take 0 */
    buf_add_byte(out, (char)width);
    parquet_add_hybrid(places, count, width, out);
}

/* ---- values ---- */

static void add_plain_words(const struct parquet_values *v, struct buf *out)
{
    buf_add(out, v->words.items, v->words.len * sizeof(int64_t));
}

/* Numbers, times and integers: what is smaller of a dictionary and the type's own way. */
static int encode_words(const struct parquet_values *v, bool can_pack, struct parquet_scratch *s,
                        uint32_t *ret_distinct)
{
    size_t count = v->words.len;
    int encoding = ENCODING_PLAIN;
    bool is_number = v->type == PARQUET_NUMBER;

    if (!is_number) {
        encoding = ENCODING_DELTA;
        parquet_add_deltas(v->words.items, count, &s->values);
    }
    size_t own = is_number ? count * sizeof(int64_t) : s->values.len;
    if (count > 0 && find_distinct(v, s)) {
        buf_clear(&s->page);
        add_places(s->places.items, count, s->distinct.len, &s->page);
        if (s->page.len + s->distinct.len * sizeof(int64_t) < own) {
            buf_clear(&s->values);
            buf_add_str(&s->values, buf_str(&s->page));
            buf_add(&s->dictionary, s->distinct.items, s->distinct.len * sizeof(int64_t));
            *ret_distinct = (uint32_t)s->distinct.len;
            return ENCODING_DICTIONARY;
        }
    }
    if (is_number && can_pack) {
        parquet_add_split(v->words.items, count, &s->values);
        return ENCODING_SPLIT;
    }
    if (is_number) {
        add_plain_words(v, &s->values);
    }
    return encoding;
}

static int encode_flags(const struct parquet_values *v, struct parquet_scratch *s)
{
    unsigned char byte = 0;

    for (size_t i = 0; i < v->words.len; i++) {
        byte = (unsigned char)(byte | (v->words.items[i] != 0) << (i & 7));
        if ((i & 7) == 7) {
            buf_add_byte(&s->values, (char)byte);
            byte = 0;
        }
    }
    if ((v->words.len & 7) != 0) {
        buf_add_byte(&s->values, (char)byte);
    }
    return ENCODING_PLAIN;
}

static void add_text(struct str text, struct buf *out)
{
    add_u32(out, text.len);
    buf_add_str(out, text);
}

/* Would the texts, as often as they come, have more bytes? */
static bool is_longer_plain(const struct parquet_values *v, size_t bytes)
{
    size_t plain = 0;

    for (size_t i = 0; i < v->numbers.len && plain <= bytes; i++) {
        plain += v->texts.items[v->numbers.items[i]].len + sizeof(uint32_t);
    }
    return plain > bytes;
}

static int encode_texts(const struct parquet_values *v, struct parquet_scratch *s,
                        uint32_t *ret_distinct)
{
    size_t with = v->text_bytes + v->texts.len * sizeof(uint32_t) + v->numbers.len / 2;

    if (is_longer_plain(v, with)) {
        for (size_t i = 0; i < v->texts.len; i++) {
            add_text(v->texts.items[i], &s->dictionary);
        }
        add_places(v->numbers.items, v->numbers.len, v->texts.len, &s->values);
        *ret_distinct = (uint32_t)v->texts.len;
        return ENCODING_DICTIONARY;
    }
    for (size_t i = 0; i < v->numbers.len; i++) {
        add_text(v->texts.items[v->numbers.items[i]], &s->values);
    }
    return ENCODING_PLAIN;
}

static int encode(const struct parquet_values *v, enum parquet_codec codec,
                  struct parquet_scratch *s, uint32_t *ret_distinct)
{
    bool can_pack = codec == PARQUET_ZSTD || codec == PARQUET_GZIP;

    buf_clear(&s->values);
    buf_clear(&s->dictionary);
    *ret_distinct = 0;
    if (v->type == PARQUET_TEXT) {
        return encode_texts(v, s, ret_distinct);
    }
    return v->type == PARQUET_FLAG ? encode_flags(v, s)
                                   : encode_words(v, can_pack, s, ret_distinct);
}

bool parquet_add_chunk(const struct parquet_values *v, enum parquet_codec codec, int64_t at,
                       struct parquet_scratch *s, struct buf *out, struct parquet_chunk *ret,
                       struct err *e)
{
    size_t start = out->len;
    uint32_t distinct = 0;

    *ret = (struct parquet_chunk){.dictionary_at = -1};
    ret->encoding = encode(v, codec, s, &distinct);
    if (ret->encoding == ENCODING_DICTIONARY) {
        buf_clear(&s->page);
        buf_add_str(&s->page, buf_str(&s->dictionary));
        ret->dictionary_at = at;
        if (!add_page(PAGE_DICTIONARY, distinct, ENCODING_PLAIN, codec, s, out, ret, e)) {
            return false;
        }
    }
    add_levels(v, s);
    buf_clear(&s->page);
    add_u32(&s->page, s->levels.len);
    buf_add_str(&s->page, buf_str(&s->levels));
    buf_add_str(&s->page, buf_str(&s->values));
    ret->data_at = at + (int64_t)(out->len - start);
    return add_page(PAGE_DATA, v->rows, ret->encoding, codec, s, out, ret, e);
}

/* ---- statistics ---- */

struct extremes {
    struct str least;
    struct str most;
    char bytes[2][sizeof(int64_t)];
};

static void set_extremes(struct extremes *x, const void *least, const void *most, size_t len)
{
    memcpy(x->bytes[0], least, len);
    memcpy(x->bytes[1], most, len);
    x->least = str_make(x->bytes[0], len);
    x->most = str_make(x->bytes[1], len);
}

static bool word_extremes(const struct parquet_values *v, struct extremes *x)
{
    int64_t least = INT64_MAX;
    int64_t most = INT64_MIN;

    for (size_t i = 0; i < v->words.len; i++) {
        least = v->words.items[i] < least ? v->words.items[i] : least;
        most = v->words.items[i] > most ? v->words.items[i] : most;
    }
    set_extremes(x, &least, &most, v->type == PARQUET_FLAG ? 1 : sizeof(int64_t));
    return v->words.len > 0;
}

/* None beside NaN, with which nothing compares; a zero may be of either sign. */
static bool number_extremes(const struct parquet_values *v, struct extremes *x)
{
    double least = INFINITY;
    double most = -INFINITY;

    for (size_t i = 0; i < v->words.len; i++) {
        double number;
        memcpy(&number, &v->words.items[i], sizeof(number));
        if (isnan(number)) {
            return false;
        }
        least = number < least ? number : least;
        most = number > most ? number : most;
    }
    least = fpclassify(least) == FP_ZERO ? -0.0 : least;
    most = fpclassify(most) == FP_ZERO ? 0.0 : most;
    set_extremes(x, &least, &most, sizeof(double));
    return v->words.len > 0;
}

static bool text_extremes(const struct parquet_values *v, struct extremes *x)
{
    if (v->texts.len == 0) {
        return false;
    }
    x->least = v->texts.items[0];
    x->most = v->texts.items[0];
    for (size_t i = 1; i < v->texts.len; i++) {
        struct str text = v->texts.items[i];
        x->least = str_cmp(text, x->least) < 0 ? text : x->least;
        x->most = str_cmp(text, x->most) > 0 ? text : x->most;
    }
    return x->least.len <= STATISTICS_TEXT_MAX && x->most.len <= STATISTICS_TEXT_MAX;
}

void parquet_add_statistics(const struct parquet_values *v, struct thrift_writer *w, int16_t id)
{
    struct extremes x = {STR_NONE, STR_NONE, {{0}}};
    bool has = v->type == PARQUET_TEXT     ? text_extremes(v, &x)
               : v->type == PARQUET_NUMBER ? number_extremes(v, &x)
                                           : word_extremes(v, &x);

    thrift_struct(w, id);
    thrift_i64(w, 3, v->nulls);
    if (has) {
        thrift_binary(w, 5, x.most);
        thrift_binary(w, 6, x.least);
    }
    thrift_end(w);
}
