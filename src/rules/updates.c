/*
 * Invariants
 *   1. <bytes> holds <count> entries, oldest first: time since the one before, time minus at, and
 *      duration in ms, ms and us; samples with "failed" as its lowest bit; series fetched plus one.
 *   2. <errors> has one text per entry with that bit, in the same order.
 *   3. A text's references are counted under the table's lock; at none it leaves the table.
 */
#include "rules/updates.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/varint.h"

enum { ENTRY_MAX = 5 * VARINT_MAX, GROWTH = 64 };

/* ---- texts ---- */

void error_texts_init(struct error_texts *t)
{
    lock_init(&t->lock);
    map_init(&t->map, 0);
}

void error_texts_release(struct error_texts *t)
{
    map_release(&t->map);
    lock_release(&t->lock);
}

struct error_text *error_text_get(struct error_texts *t, struct str text)
{
    text = str_slice(text, 0, ERROR_TEXT_MAX);
    lock_take(&t->lock);
    struct error_text *found = map_get(&t->map, text);
    if (found == NULL) {
        found = mem_new(struct error_text);
        found->text = str_make(mem_dup_text(text.ptr, text.len), text.len);
        (void)map_put(&t->map, found->text, found);
    }
    found->refs++;
    lock_give(&t->lock);
    return found;
}

struct error_text *error_text_ref(struct error_texts *t, struct error_text *e)
{
    if (e != NULL) {
        lock_take(&t->lock);
        e->refs++;
        lock_give(&t->lock);
    }
    return e;
}

void error_text_unref(struct error_texts *t, struct error_text *e)
{
    if (e == NULL) {
        return;
    }
    lock_take(&t->lock);
    bool is_last = --e->refs == 0;
    if (is_last) {
        (void)map_del(&t->map, e->text);
    }
    lock_give(&t->lock);
    if (is_last) {
        mem_free(e->text.ptr);
        mem_free(e);
    }
}

/* ---- entries ---- */

static uint64_t zigzag(int64_t v)
{
    return varint_zigzag(v);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t not_negative(int64_t v)
{
    return v > 0 ? (uint64_t)v : 0;
}

/* Reads the entry at *at, whose predecessor was at *time_ms; gives whether it failed. */
static bool read_entry(const struct updates *u, const char **at, int64_t *time_ms,
                       struct rule_update *ret)
{
    const char *end = u->bytes + u->len;
    uint64_t v[5] = {0};

    for (size_t i = 0; i < ARRAY_LEN(v); i++) {
        INVARIANT(varint_get(at, end, &v[i]));
    }
    *time_ms += unzigzag(v[0]);
    *ret = (struct rule_update){.time_ns = *time_ms * NS_PER_MS,
                                .at_ns = (*time_ms - unzigzag(v[1])) * NS_PER_MS,
                                .duration_ns = (int64_t)v[2] * NS_PER_US,
                                .samples = (int64_t)(v[3] >> 1),
                                .series_fetched = (int64_t)v[4] - 1};
    return (v[3] & 1) != 0;
}

static void drop_oldest(struct updates *u, struct error_texts *texts)
{
    const char *at = u->bytes;
    struct rule_update gone;

    if (read_entry(u, &at, &u->base_ms, &gone)) {
        error_text_unref(texts, u->errors[0]);
        u->error_count--;
        memmove(u->errors, u->errors + 1, u->error_count * sizeof(struct error_text *));
    }
    u->len -= (uint32_t)(at - u->bytes);
    memmove(u->bytes, at, u->len);
    u->count--;
}

static void keep_error(struct updates *u, struct error_texts *texts, struct error_text *error)
{
    if (error != NULL) {
        u->errors = mem_resize(u->errors, u->error_count + 1, sizeof(struct error_text *));
        u->errors[u->error_count++] = error_text_ref(texts, error);
    }
}

void updates_add(struct updates *u, struct error_texts *texts, size_t limit,
                 const struct rule_update *entry, struct error_text *error)
{
    int64_t time_ms = time_floor_div(entry->time_ns, NS_PER_MS);
    int64_t at_ms = time_floor_div(entry->at_ns, NS_PER_MS);

    while (u->count > 0 && u->count >= limit) {
        drop_oldest(u, texts);
    }
    if (u->count == 0) {
        u->base_ms = u->last_ms = time_ms;
    }
    if (u->cap - u->len < ENTRY_MAX) {
        u->cap = u->len + ENTRY_MAX + GROWTH;
        u->bytes = mem_resize(u->bytes, u->cap, 1);
    }
    char *out = u->bytes + u->len;
    out = varint_put(out, zigzag(time_ms - u->last_ms));
    out = varint_put(out, zigzag(time_ms - at_ms));
    out = varint_put(out, not_negative(entry->duration_ns / NS_PER_US));
    out = varint_put(out, not_negative(entry->samples) << 1 | (error != NULL));
    out = varint_put(out, not_negative(entry->series_fetched + 1));
    u->len = (uint32_t)(out - u->bytes);
    u->last_ms = time_ms;
    u->count++;
    keep_error(u, texts, error);
}

size_t updates_read(const struct updates *u, struct arena *a, const struct rule_update **ret)
{
    struct rule_update *all = arena_array(a, struct rule_update, u->count);
    const char *at = u->bytes;
    int64_t time_ms = u->base_ms;
    uint32_t errors = 0;

    for (uint32_t i = 0; i < u->count; i++) {
        struct rule_update *entry = &all[u->count - 1 - i];
        if (read_entry(u, &at, &time_ms, entry)) {
            entry->failed = true;
            entry->error = arena_dup(a, u->errors[errors++]->text);
        }
    }
    *ret = all;
    return u->count;
}

void updates_release(struct updates *u, struct error_texts *texts)
{
    for (uint32_t i = 0; i < u->error_count; i++) {
        error_text_unref(texts, u->errors[i]);
    }
    mem_free(u->errors);
    mem_free(u->bytes);
    *u = (struct updates){0};
}
