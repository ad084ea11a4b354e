/*
 * The series that recording rules wrote last, over restarts.
 *
 * The file: "TLXSERIE", version u32, flags u32, then records {length u32, rows u32, CRC-32C u32, bytes}, each
 * the id of a rule in 32 digits and a body of its memory as a frame of the log (wire/frame.h); a record of
 * length 0 ends it. Numbers are little endian. It is replaced as a whole. What cannot be read is worth no
 * more than a warning: its series stay until they age out.
 */
#include "rules/engine_int.h"

#include "base/crc32c.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/little.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

enum { SERIES_VERSION = 1, SERIES_HEADER = 16, RECORD_HEADER = 12, ID_DIGITS = 32 };
#define SERIES_MAGIC "TLXSERIE"
#define SERIES_BYTES_MAX ((size_t)8 << 30)

uint64_t engine_series_changes(const struct engine *en)
{
    return atomic_load(&en->series_changes);
}

/* ---- saving ---- */

static void add_record(struct fs_replace *file, struct str head, struct str payload, uint32_t rows)
{
    AUTO(buf_release) struct buf header = BUF_INIT(BUF_SMALL);

    little_put_u32(&header, (uint32_t)(head.len + payload.len));
    little_put_u32(&header, rows);
    little_put_u32(&header, crc32c(crc32c(0, head.ptr, head.len), payload.ptr, payload.len));
    fs_replace_add(file, buf_str(&header));
    fs_replace_add(file, head);
    fs_replace_add(file, payload);
}

struct saved {
    VEC(struct batch *) bodies;
};

/* As they are now: a disk that is slow to take them holds up no evaluation, and no page that shows the rule. */
static void copy_bodies(struct rule_run *run, struct saved *ret)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .rule = run->name, .group = run->group};
    struct record_memory *m = &run->memory;

    lock_take(&run->lock);
    for (size_t i = 0; i < m->bodies.len; i++) {
        vec_push(&ret->bodies, batch_from_bytes(&codec_rw1, m->bodies.items[i], true, &info,
                                                record_memory_body_rows(m, i)));
    }
    lock_give(&run->lock);
}

static bool save_body(const struct rule_run *run, struct batch *b, struct fs_replace *file,
                      struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);
    struct str payload;

    buf_add_str(&head, run->id);
    if (!batch_to_frame(b, &head, &payload, e)) {
        return false;
    }
    add_record(file, buf_str(&head), payload, batch_rows(b));
    return true;
}

static bool save_run(struct rule_run *run, struct fs_replace *file, struct err *e)
{
    struct saved saved = {0};
    bool ok = run->id.len == ID_DIGITS;

    copy_bodies(run, &saved);
    for (size_t i = 0; i < saved.bodies.len; i++) {
        ok = ok && save_body(run, saved.bodies.items[i], file, e);
        batch_unref(saved.bodies.items[i]);
    }
    vec_release(&saved.bodies);
    return ok;
}

static bool save_all(struct engine *en, struct fs_replace *file, struct err *e)
{
    AUTO(buf_release) struct buf header = BUF_INIT(BUF_SMALL);
    uint32_t at = 0;
    void *run = NULL;
    bool ok = true;

    buf_add_text(&header, SERIES_MAGIC);
    little_put_u32(&header, SERIES_VERSION);
    little_put_u32(&header, 0);
    fs_replace_add(file, buf_str(&header));
    while (ok && map_next(&en->runs, &at, NULL, &run)) {
        ok = ((struct rule_run *)run)->kind != RULE_RECORD || save_run(run, file, e);
    }
    add_record(file, STR(""), STR(""), 0);
    return ok;
}

bool engine_save_series(struct engine *en, struct str path, struct err *e)
{
    struct fs_replace file;

    if (!fs_replace_begin(&file, fs_system(), path, e)) {
        return false;
    }
    if (!save_all(en, &file, e)) {
        fs_replace_abandon(&file);
        return false;
    }
    return fs_replace_commit(&file, e);
}

/* ---- restoring ---- */

static bool restore_body(struct engine *en, struct str bytes, uint64_t *rules, struct err *e)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    struct str body;

    if (!batch_from_frame(str_slice(bytes, ID_DIGITS, bytes.len), &b, e) ||
        !batch_encoded(b, &body, e)) {
        return false;
    }
    const struct batch_info *info = batch_info(b);
    struct rule_run *run =
        restored_run(en, str_slice(bytes, 0, ID_DIGITS), RULE_RECORD, info->rule, info->group);
    if (run->kind != RULE_RECORD) {
        return true;
    }
    *rules += run->memory.count == 0;
    return record_memory_restore(&run->memory, body, batch_rows(b)) ||
           err_set(e, ERR_PARSE, "it has more bodies of rule '%.*s' than fit together",
                   STR_FMT(run->name));
}

/* The record at *at; *ret_bytes is empty for the end mark. */
static bool read_record(struct str file, size_t *at, struct str *ret_bytes, struct err *e)
{
    if (file.len - *at < RECORD_HEADER) {
        return err_set(e, ERR_PARSE, "it ends at byte %zu, before its end mark", file.len);
    }
    uint32_t len = little_u32(file.ptr + *at);
    uint32_t crc = little_u32(file.ptr + *at + 8);
    *at += RECORD_HEADER;
    struct str bytes = str_slice(file, *at, len);
    bool is_sound =
        bytes.len == len && crc32c(0, bytes.ptr, bytes.len) == crc && (len == 0 || len > ID_DIGITS);
    if (!is_sound) {
        return err_set(e, ERR_PARSE, "the record at byte %zu is damaged", *at);
    }
    *at += len;
    *ret_bytes = bytes;
    return true;
}

static bool restore_all(struct engine *en, struct str file, uint64_t *rules, struct err *e)
{
    size_t at = SERIES_HEADER;

    if (file.len < SERIES_HEADER || !str_starts(file, STR(SERIES_MAGIC)) ||
        little_u32(file.ptr + sizeof(SERIES_MAGIC) - 1) != SERIES_VERSION) {
        return err_set(e, ERR_PARSE, "this is no file of series that this program reads");
    }
    for (;;) {
        struct str bytes = STR("");
        if (!read_record(file, &at, &bytes, e)) {
            return false;
        }
        if (bytes.len == 0) {
            return true;
        }
        if (!restore_body(en, bytes, rules, e)) {
            return false;
        }
    }
}

bool engine_restore_series(struct engine *en, struct str path, uint64_t *ret_rules, struct err *e)
{
    AUTO(buf_release) struct buf file = BUF_INIT(SERIES_BYTES_MAX);

    *ret_rules = 0;
    return (fs_read_file(fs_system(), path, SERIES_BYTES_MAX, &file, e) &&
            restore_all(en, buf_str(&file), ret_rules, e)) ||
           err_wrap(e, "restoring the series of recording rules from %.*s", STR_FMT(path));
}
