/*
 * Invariants
 *   1. All columns have as many rows as the row group: each gets one value, or none, before a row ends.
 *   2. <at> is how many bytes of the file were given to the caller.
 *   3. <groups> holds the metadata of all row groups that were given.
 */
#include "wire/parquet.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/little.h"
#include "base/mem.h"
#include "wire/parquet_int.h"

#include <string.h>

enum { REPETITION_OPTIONAL = 1, VERSION = 1, BUDGET_TIMES = 3 };

static const struct str magic = STR_INIT("PAR1");

struct parquet_writer {
    struct parquet_config config;
    struct parquet_values *values; /* of each column */
    struct parquet_scratch scratch;
    struct buf groups;
    uint32_t group_count;
    uint32_t rows;     /* of the row group */
    size_t held_bytes; /* of the row group's texts */
    int64_t row_count; /* of all */
    int64_t at;
    bool has_begun;
};

bool parquet_open(const struct parquet_config *config, struct parquet_writer **ret_writer,
                  struct err *e)
{
    struct parquet_config c = *config;

    c.group_bytes = c.group_bytes > 0 ? c.group_bytes : PARQUET_GROUP_BYTES;
    if (c.budget != NULL && !budget_take(c.budget, BUDGET_TIMES * (int64_t)c.group_bytes, e)) {
        return false;
    }
    struct parquet_writer *w = mem_new(struct parquet_writer);
    *w = (struct parquet_writer){.config = c, .groups = BUF_INIT(BUF_UNLIMITED)};
    struct buf *bufs[] = {&w->scratch.levels, &w->scratch.values, &w->scratch.dictionary,
                          &w->scratch.page, &w->scratch.packed};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++) {
        buf_init(bufs[i], BUF_UNLIMITED);
    }
    w->values = mem_alloc((c.column_count + 1) * sizeof(w->values[0]));
    for (size_t i = 0; i < c.column_count; i++) {
        w->values[i] = (struct parquet_values){.type = c.columns[i].type};
        map_init(&w->values[i].by_text, 0);
        arena_init(&w->values[i].arena, ARENA_UNLIMITED);
    }
    *ret_writer = w;
    return true;
}

static void release_values(struct parquet_values *v)
{
    vec_release(&v->words);
    vec_release(&v->numbers);
    vec_release(&v->texts);
    vec_release(&v->runs);
    map_release(&v->by_text);
    arena_release(&v->arena);
}

void parquet_close(struct parquet_writer *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->config.column_count; i++) {
        release_values(&w->values[i]);
    }
    mem_free(w->values);
    buf_release(&w->scratch.levels);
    buf_release(&w->scratch.values);
    buf_release(&w->scratch.dictionary);
    buf_release(&w->scratch.page);
    buf_release(&w->scratch.packed);
    vec_release(&w->scratch.places);
    vec_release(&w->scratch.distinct);
    vec_release(&w->scratch.slots);
    buf_release(&w->groups);
    if (w->config.budget != NULL) {
        budget_give(w->config.budget, BUDGET_TIMES * (int64_t)w->config.group_bytes);
    }
    mem_free(w);
}

/* ---- rows ---- */

/* Is a run of values (even) or of none (odd) going on? Runs are kept only once there is a null. */
static inline void note_presence(struct parquet_values *v, bool is_there)
{
    v->rows++;
    if (v->nulls == 0 && is_there) {
        return;
    }
    if (v->runs.len == 0) {
        vec_push(&v->runs, v->rows - 1);
    }
    bool last_is_there = (v->runs.len & 1) != 0;
    if (last_is_there != is_there) {
        vec_push(&v->runs, 0);
    }
    v->runs.items[v->runs.len - 1]++;
    v->nulls += !is_there;
}

void parquet_put_null(struct parquet_writer *w, size_t column)
{
    note_presence(&w->values[column], false);
}

void parquet_put_i64(struct parquet_writer *w, size_t column, int64_t value)
{
    struct parquet_values *v = &w->values[column];

    vec_push(&v->words, value);
    note_presence(v, true);
}

void parquet_put_time(struct parquet_writer *w, size_t column, int64_t wall_ns)
{
    bool is_fine = w->values[column].type == PARQUET_TIME_NS;

    parquet_put_i64(w, column, is_fine ? wall_ns : time_floor_div(wall_ns, NS_PER_US));
}

void parquet_put_number(struct parquet_writer *w, size_t column, double value)
{
    int64_t word;

    memcpy(&word, &value, sizeof(word));
    parquet_put_i64(w, column, word);
}

uint32_t parquet_intern(struct parquet_writer *w, size_t column, struct str value)
{
    struct parquet_values *v = &w->values[column];
    void *found = map_get(&v->by_text, value);

    if (found != NULL) {
        return (uint32_t)(uintptr_t)found - 1;
    }
    vec_push(&v->texts, arena_dup(&v->arena, value));
    (void)map_put(&v->by_text, v->texts.items[v->texts.len - 1], (void *)(uintptr_t)v->texts.len);
    v->text_bytes += value.len;
    w->held_bytes += value.len + sizeof(struct str) + sizeof(uint64_t);
    return (uint32_t)v->texts.len - 1;
}

void parquet_put_interned(struct parquet_writer *w, size_t column, uint32_t number)
{
    struct parquet_values *v = &w->values[column];

    vec_push(&v->numbers, number);
    note_presence(v, true);
}

void parquet_put_text(struct parquet_writer *w, size_t column, struct str value)
{
    parquet_put_interned(w, column, parquet_intern(w, column, value));
}

uint32_t parquet_group(const struct parquet_writer *w)
{
    return w->group_count;
}

/* ---- row groups ---- */

static const int32_t physical_types[PARQUET_TYPES] = {
    [PARQUET_FLAG] = 0, [PARQUET_INTEGER] = 2, [PARQUET_NUMBER] = 5,
    [PARQUET_TIME] = 2, [PARQUET_TIME_NS] = 2, [PARQUET_TEXT] = 6,
};

static void add_chunk_about(const struct parquet_writer *w, size_t column,
                            const struct parquet_chunk *chunk, struct thrift_writer *t)
{
    const struct parquet_values *v = &w->values[column];
    bool has_dictionary = chunk->dictionary_at >= 0;

    thrift_begin(t);
    thrift_i64(t, 2, has_dictionary ? chunk->dictionary_at : chunk->data_at);
    thrift_struct(t, 3);
    thrift_i32(t, 1, physical_types[v->type]);
    thrift_list(t, 2, THRIFT_I32, has_dictionary ? 3 : 2);
    if (has_dictionary) {
        thrift_add_int(t, ENCODING_PLAIN);
    }
    thrift_add_int(t, ENCODING_RLE);
    thrift_add_int(t, chunk->encoding);
    thrift_list(t, 3, THRIFT_BINARY, 1);
    thrift_add_binary(t, w->config.columns[column].name);
    thrift_i32(t, 4, parquet_codec_number(w->config.codec));
    thrift_i64(t, 5, v->rows);
    thrift_i64(t, 6, chunk->plain_bytes);
    thrift_i64(t, 7, chunk->packed_bytes);
    thrift_i64(t, 9, chunk->data_at);
    if (has_dictionary) {
        thrift_i64(t, 11, chunk->dictionary_at);
    }
    parquet_add_statistics(v, t, 12);
    thrift_end(t);
    thrift_end(t);
}

static void clear_values(struct parquet_values *v)
{
    v->words.len = 0;
    v->numbers.len = 0;
    v->texts.len = 0;
    v->runs.len = 0;
    v->text_bytes = 0;
    v->nulls = 0;
    v->rows = 0;
    map_clear(&v->by_text);
    arena_reset(&v->arena);
}

static void begin_file(struct parquet_writer *w, struct buf *out)
{
    if (!w->has_begun) {
        buf_add_str(out, magic);
        w->at = (int64_t)magic.len;
        w->has_begun = true;
    }
}

static bool add_chunks(struct parquet_writer *w, struct thrift_writer *t, struct buf *out,
                       int64_t *ret_plain, int64_t *ret_packed, struct err *e)
{
    struct parquet_chunk chunk;

    for (size_t i = 0; i < w->config.column_count; i++) {
        if (!parquet_add_chunk(&w->values[i], w->config.codec, w->at, &w->scratch, out, &chunk,
                               e)) {
            return false;
        }
        w->at += chunk.packed_bytes;
        *ret_plain += chunk.plain_bytes;
        *ret_packed += chunk.packed_bytes;
        add_chunk_about(w, i, &chunk, t);
        clear_values(&w->values[i]);
    }
    return true;
}

static bool end_group(struct parquet_writer *w, struct buf *out, struct err *e)
{
    int64_t plain = 0;
    int64_t packed = 0;
    int64_t start = 0;
    struct thrift_writer t;

    begin_file(w, out);
    start = w->at;
    thrift_init(&t, &w->groups);
    thrift_begin(&t);
    thrift_list(&t, 1, THRIFT_STRUCT, w->config.column_count);
    if (!add_chunks(w, &t, out, &plain, &packed, e)) {
        return false;
    }
    thrift_i64(&t, 2, plain);
    thrift_i64(&t, 3, w->rows);
    thrift_i64(&t, 5, start);
    thrift_i64(&t, 6, packed);
    thrift_end(&t);
    w->row_count += w->rows;
    w->rows = 0;
    w->held_bytes = 0;
    w->group_count++;
    return true;
}

bool parquet_end_row(struct parquet_writer *w, struct buf *out, struct err *e)
{
    w->rows++;
    size_t held = w->held_bytes + w->rows * w->config.column_count * sizeof(int64_t);
    return (held < w->config.group_bytes && w->rows < PARQUET_ROWS_MAX) || end_group(w, out, e);
}

/* ---- the footer ---- */

static void say_text(struct thrift_writer *t)
{
    thrift_i32(t, 6, 0); /* UTF8, as it was called first */
    thrift_struct(t, 10);
    thrift_struct(t, 1);
    thrift_end(t);
    thrift_end(t);
}

static void say_logical_time(struct thrift_writer *t, int16_t unit)
{
    thrift_struct(t, 10);
    thrift_struct(t, 8);
    thrift_bool(t, 1, true); /* UTC */
    thrift_struct(t, 2);
    thrift_struct(t, unit);
    thrift_end(t);
    thrift_end(t);
    thrift_end(t);
    thrift_end(t);
}

static void say_time(struct thrift_writer *t)
{
    thrift_i32(t, 6, 10); /* TIMESTAMP_MICROS, as it was called first */
    say_logical_time(t, 2);
}

static void say_time_ns(struct thrift_writer *t)
{
    say_logical_time(t, 3);
}

static void add_schema(const struct parquet_writer *w, struct thrift_writer *t)
{
    static void (*const sayers[PARQUET_TYPES])(struct thrift_writer *) = {
        [PARQUET_TIME] = say_time,
        [PARQUET_TIME_NS] = say_time_ns,
        [PARQUET_TEXT] = say_text,
    };

    thrift_list(t, 2, THRIFT_STRUCT, w->config.column_count + 1);
    thrift_begin(t);
    thrift_binary(t, 4, STR("schema"));
    thrift_i32(t, 5, (int32_t)w->config.column_count);
    thrift_end(t);
    for (size_t i = 0; i < w->config.column_count; i++) {
        const struct parquet_column *c = &w->config.columns[i];
        thrift_begin(t);
        thrift_i32(t, 1, physical_types[c->type]);
        thrift_i32(t, 3, REPETITION_OPTIONAL);
        thrift_binary(t, 4, c->name);
        if (sayers[c->type] != NULL) {
            sayers[c->type](t);
        }
        thrift_end(t);
    }
}

/* Without it readers do not trust the least and most. */
static void add_orders(const struct parquet_writer *w, struct thrift_writer *t)
{
    thrift_list(t, 7, THRIFT_STRUCT, w->config.column_count);
    for (size_t i = 0; i < w->config.column_count; i++) {
        thrift_begin(t);
        thrift_struct(t, 1);
        thrift_end(t);
        thrift_end(t);
    }
}

static void add_about(const struct parquet_writer *w, struct thrift_writer *t)
{
    if (w->config.about_count == 0) {
        return;
    }
    thrift_list(t, 5, THRIFT_STRUCT, w->config.about_count);
    for (size_t i = 0; i < w->config.about_count; i++) {
        thrift_begin(t);
        thrift_binary(t, 1, w->config.about[i].name);
        thrift_binary(t, 2, w->config.about[i].value);
        thrift_end(t);
    }
}

bool parquet_finish(struct parquet_writer *w, struct buf *out, struct err *e)
{
    struct thrift_writer t;

    begin_file(w, out);
    if (w->rows > 0 && !end_group(w, out, e)) {
        return false;
    }
    size_t start = out->len;
    thrift_init(&t, out);
    thrift_begin(&t);
    thrift_i32(&t, 1, VERSION);
    add_schema(w, &t);
    thrift_i64(&t, 3, w->row_count);
    thrift_list(&t, 4, THRIFT_STRUCT, w->group_count);
    buf_add_str(out, buf_str(&w->groups));
    add_about(w, &t);
    thrift_binary(&t, 6, STR("telex version " TELEX_VERSION " (build 0)"));
    add_orders(w, &t);
    thrift_end(&t);
    little_put_u32(out, (uint32_t)(out->len - start));
    buf_add_str(out, magic);
    return true;
}
