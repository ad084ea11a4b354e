/*
 * Invariants
 *   1. bodies hold exactly <count> series, one sample each, in the order of raws.
 *   2. A repeat replaces all bodies or none.
 *   3. Bodies and <count> change under the guard, so that whoever holds it sees bodies that belong together.
 */
#include "rules/record_memory.h"

#include "base/mem.h"
#include "base/thread.h"
#include "wire/compress.h"
#include "wire/remote_write.h"
#include "wire/rw1_patch.h"

static void free_bodies(struct record_memory *m)
{
    for (size_t i = 0; i < m->bodies.len; i++) {
        mem_free(m->bodies.items[i].ptr);
    }
    vec_clear(&m->bodies);
}

void record_memory_release(struct record_memory *m)
{
    free_bodies(m);
    vec_release(&m->bodies);
    vec_release(&m->raws);
    *m = (struct record_memory){.guard = m->guard};
}

TSA(no_thread_safety_analysis) static void guard_take(const struct record_memory *m)
{
    if (m->guard != NULL) {
        lock_take(m->guard);
    }
}

TSA(no_thread_safety_analysis) static void guard_give(const struct record_memory *m)
{
    if (m->guard != NULL) {
        lock_give(m->guard);
    }
}

/* ---- repeating ---- */

uint32_t record_memory_body_rows(const struct record_memory *m, size_t body)
{
    uint32_t before = (uint32_t)body * RECORD_BODY_ROWS;

    return m->count - before < RECORD_BODY_ROWS ? m->count - before : RECORD_BODY_ROWS;
}

/* One body with new values; the caller owns the bytes. */
static bool repeat_body(struct str body, const double *values, uint32_t rows, int64_t time_ns,
                        struct buf *message, struct str *ret_body)
{
    struct buf packed = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    buf_clear(message);
    bool ok = compression_snappy.unpack(body, RW1_MESSAGE_MAX, message, &e) &&
              rw1_patch(message, values, rows, time_ns) &&
              compression_snappy.pack(buf_str(message), &packed, &e);
    if (ok) {
        *ret_body = str_make(mem_dup(packed.ptr, packed.len), packed.len); /* exact: it is kept */
    }
    buf_release(&packed);
    return ok;
}

bool record_memory_repeat(struct record_memory *m, const double *values, int64_t time_ns,
                          const struct batch_info *info, struct batch_list *batches)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    struct str *repeated = mem_alloc0(m->bodies.len, sizeof(*repeated));
    bool ok = true;

    for (size_t i = 0; ok && i < m->bodies.len; i++) {
        ok = repeat_body(m->bodies.items[i], values + i * RECORD_BODY_ROWS,
                         record_memory_body_rows(m, i), time_ns, &message, &repeated[i]);
    }
    guard_take(m);
    for (size_t i = 0; i < m->bodies.len; i++) {
        if (ok) {
            mem_free(m->bodies.items[i].ptr);
            m->bodies.items[i] = repeated[i];
            vec_push(&batches->items, batch_from_bytes(&codec_rw1, repeated[i], true, info,
                                                       record_memory_body_rows(m, i)));
        } else {
            mem_free(repeated[i].ptr);
        }
    }
    guard_give(m);
    mem_free(repeated);
    return ok;
}

/* ---- reading back ---- */

static bool read_body(struct str body, struct arena *a, struct labels **out, uint32_t rows,
                      struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    struct samples s;

    if (!compression_snappy.unpack(body, RW1_MESSAGE_MAX, &message, e) ||
        !rw1_decode(buf_str(&message), RW1_LENIENT, a, &s, NULL, e)) {
        return false;
    }
    if (s.series_count != rows) {
        for (uint32_t i = 0; i < s.series_count; i++) {
            labels_unref(s.series[i]);
        }
        return err_set(e, ERR_INTERNAL, "a remembered body has %u series, not %u", s.series_count,
                       rows);
    }
    for (uint32_t i = 0; i < rows; i++) {
        out[i] = s.series[i]; /* the reference is the caller's now */
    }
    return true;
}

bool record_memory_read(const struct record_memory *m, struct arena *a, struct labels ***ret_labels,
                        struct err *e)
{
    struct labels **all = arena_array(a, struct labels *, m->count);

    for (size_t i = 0; i < m->bodies.len; i++) {
        if (!read_body(m->bodies.items[i], a, all + i * RECORD_BODY_ROWS,
                       record_memory_body_rows(m, i), e)) {
            for (size_t k = 0; k < i * RECORD_BODY_ROWS; k++) {
                labels_unref(all[k]);
            }
            return false;
        }
    }
    *ret_labels = all;
    return true;
}

/* ---- remembering ---- */

void record_memory_set(struct record_memory *m, const struct str *bodies, size_t body_count,
                       const struct raw_hash *raws, uint32_t count)
{
    guard_take(m);
    free_bodies(m);
    for (size_t i = 0; i < body_count; i++) {
        struct str copy = str_make(mem_dup(bodies[i].ptr, bodies[i].len), bodies[i].len);
        vec_push(&m->bodies, copy);
    }
    if (count > m->raws.cap || count < m->raws.cap / 2) {
        m->raws.items = mem_resize(m->raws.items, count, sizeof(*m->raws.items));
        m->raws.cap = count;
    }
    if (count > 0) {
        memcpy(m->raws.items, raws, count * sizeof(*raws));
    }
    m->raws.len = count;
    m->count = count;
    m->raws_hold = true;
    guard_give(m);
}

bool record_memory_restore(struct record_memory *m, struct str body, uint32_t rows)
{
    struct str copy = str_make(mem_dup(body.ptr, body.len), body.len);
    const struct raw_hash unknown = {0};

    if (m->count % RECORD_BODY_ROWS != 0 || rows > RECORD_BODY_ROWS || rows == 0) {
        mem_free(copy.ptr);
        return false;
    }
    guard_take(m);
    vec_push(&m->bodies, copy);
    for (uint32_t i = 0; i < rows; i++) {
        vec_push(&m->raws, unknown);
    }
    m->count += rows;
    m->raws_hold = false;
    guard_give(m);
    return true;
}

size_t record_memory_bytes(const struct record_memory *m)
{
    size_t bytes = m->raws.cap * sizeof(*m->raws.items) + m->bodies.cap * sizeof(*m->bodies.items);

    for (size_t i = 0; i < m->bodies.len; i++) {
        bytes += m->bodies.items[i].len;
    }
    return bytes;
}
