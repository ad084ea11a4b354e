#include "export/level_store.h"

#include "base/crc32c.h"
#include "export/level_int.h"
#include "log/le.h"

enum { VERSION = 1, HEAD_BYTES = 24, ENTRY_BYTES = 17, CRC_BYTES = 4 };

static const char magic[8] = {'T', 'L', 'X', 'T', 'O', 'L', 'D', '\n'};

/* ---- writing ---- */

static void add32(struct buf *out, uint32_t value)
{
    unsigned char bytes[4];

    le_put32(bytes, value);
    buf_add(out, bytes, sizeof(bytes));
}

static void add64(struct buf *out, uint64_t value)
{
    unsigned char bytes[8];

    le_put64(bytes, value);
    buf_add(out, bytes, sizeof(bytes));
}

void level_store_begin(struct buf *out, uint64_t words)
{
    buf_add(out, magic, sizeof(magic));
    add32(out, VERSION);
    add32(out, 0); /* flags: what an older program must know to read this */
    add64(out, words);
}

static uint32_t told_count(const struct level_memory *memory)
{
    uint32_t at = 0;
    uint32_t count = 0;
    void *value = NULL;

    while (map_next(&memory->confirmed, &at, NULL, &value)) {
        count += ((const struct confirmed *)value)->is_told;
    }
    return count;
}

void level_store_add(struct buf *out, struct str url, const struct level_memory *memory,
                     struct level_store_time now)
{
    uint32_t at = 0;
    void *value = NULL;

    add32(out, (uint32_t)url.len);
    buf_add_str(out, url);
    add32(out, told_count(memory));
    while (map_next(&memory->confirmed, &at, NULL, &value)) {
        const struct confirmed *c = value;
        if (!c->is_told) {
            continue;
        }
        add64(out, c->key);
        add64(out, (uint64_t)(now.wall_ns - (now.mono_ns - c->at_ns)));
        buf_add_byte(out, c->firing ? 1 : 0);
    }
}

void level_store_end(struct buf *out)
{
    add32(out, crc32c(0, out->ptr, out->len));
}

/* ---- reading ---- */

struct reading {
    struct str rest;
    struct level_store_time now;
};

/* The next <len> bytes; NULL when there are fewer. */
static const unsigned char *take(struct reading *r, size_t len)
{
    if (len > r->rest.len || r->rest.ptr == NULL) {
        return NULL;
    }
    const unsigned char *bytes = (const unsigned char *)r->rest.ptr;
    r->rest = str_slice(r->rest, len, r->rest.len);
    return bytes;
}

static bool take32(struct reading *r, uint32_t *ret)
{
    const unsigned char *bytes = take(r, 4);

    if (bytes == NULL) {
        return false;
    }
    *ret = le_get32(bytes);
    return true;
}

/* A clock that was set back makes nothing due later than it was. */
static void remember(struct level_memory *m, const unsigned char *entry,
                     struct level_store_time now)
{
    struct confirmed *c = mem_new(struct confirmed);
    int64_t age_ns = now.wall_ns - (int64_t)le_get64(entry + 8);

    c->key = le_get64(entry);
    c->at_ns = now.mono_ns - (age_ns > 0 ? age_ns : 0);
    c->is_told = true;
    c->firing = entry[16] != 0;
    mem_free(map_put(&m->confirmed, str_make((const char *)&c->key, sizeof(c->key)), c));
}

/* NULL when the bytes end before it does. */
static struct level_memory *read_memory(struct reading *r, struct str *ret_url)
{
    uint32_t url_len = 0;
    uint32_t count = 0;
    const unsigned char *url = take32(r, &url_len) ? take(r, url_len) : NULL;

    if (url == NULL || !take32(r, &count) || count > r->rest.len / ENTRY_BYTES) {
        return NULL;
    }
    struct level_memory *m = mem_new(struct level_memory);
    map_init(&m->confirmed, 0);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *entry = take(r, ENTRY_BYTES);
        if (entry != NULL) {
            remember(m, entry, r->now);
        }
    }
    *ret_url = str_make((const char *)url, url_len);
    return m;
}

static bool check(struct str bytes, struct err *e)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;

    if (bytes.len < HEAD_BYTES + CRC_BYTES || memcmp(p, magic, sizeof(magic)) != 0) {
        return err_set(e, ERR_PARSE, "this is no memory of what targets were told");
    }
    if (le_get32(p + 8) != VERSION || le_get32(p + 12) != 0) {
        return err_set(e, ERR_PARSE, "written by another version");
    }
    return crc32c(0, p, bytes.len - CRC_BYTES) == le_get32(p + bytes.len - CRC_BYTES) ||
           err_set(e, ERR_PARSE, "the bytes are not those that were written");
}

bool level_store_read(struct str bytes, uint64_t words, struct level_store_time now,
                      void (*visit)(void *arg, struct str url, struct level_memory *memory),
                      void *arg, struct err *e)
{
    if (!check(bytes, e)) {
        return false;
    }
    struct str body = str_slice(bytes, HEAD_BYTES, bytes.len - HEAD_BYTES - CRC_BYTES);
    struct reading r = {body, now};
    if (le_get64((const unsigned char *)bytes.ptr + 16) != words) {
        return true;
    }
    while (r.rest.len > 0) {
        struct str url;
        struct level_memory *memory = read_memory(&r, &url);
        if (memory == NULL) {
            return err_set(e, ERR_PARSE, "the bytes end within a target");
        }
        visit(arg, url, memory);
    }
    return true;
}
