/*
 * State over restarts: a snapshot file and the ledger's edges after it.
 *
 * The file: "TLXALERT", version u32, flags u32, seq u64 (the newest ledger frame it contains), then
 * records {length u32, rows u32, CRC-32C u32, bytes}, each a batch of alerts of one rule as a frame of the
 * log (wire/frame.h), `from` and `to` being the state; a record of length 0 ends it. Version 1, which is
 * read too, has the bytes of the codec of edges alone, so rules have no names there. Numbers are little
 * endian. It is replaced as a whole, so it is never half written.
 */
#include "rules/engine_int.h"

#include "base/crc32c.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/little.h"
#include "base/mem.h"
#include "rules/restore_remote.h"
#include "wire/edges.h"
#include "wire/frame.h"

enum {
    SNAPSHOT_VERSION = 2,
    SNAPSHOT_NAMELESS = 1, /* the version before */
    SNAPSHOT_HEADER = 24,
    SNAPSHOT_RECORD_HEADER = 12,
    SNAPSHOT_ROWS = 10000,
};
#define SNAPSHOT_MAGIC "TLXALERT"
#define SNAPSHOT_BYTES_MAX (INT64_C(8) << 30)

/* ---- saving ---- */

static struct alert alert_of(const struct rule_run *run, const struct alert_item *item,
                             struct arena *a)
{
    const struct alert_status *s = &item->status;

    return (struct alert){.rule_id = arena_dup(a, run->id),
                          .labels = labels_ref(item->head.labels),
                          .from = s->state,
                          .to = s->state,
                          .episode_ns = s->episode_ns,
                          .time_ns = s->active_at_ns,
                          .active_at_ns = s->active_at_ns,
                          .fired_at_ns = s->fired_at_ns,
                          .keep_since_ns = s->keep_since_ns,
                          .resolved_at_ns = s->resolved_at_ns,
                          .value = s->value};
}

static bool save_record(struct batch *b, struct buf *out, struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);
    struct str payload;

    if (!batch_to_frame(b, &head, &payload, e)) {
        return false;
    }
    little_put_u32(out, (uint32_t)(head.len + payload.len));
    little_put_u32(out, batch_rows(b));
    little_put_u32(out, crc32c(crc32c(0, head.ptr, head.len), payload.ptr, payload.len));
    buf_add_str(out, buf_str(&head));
    buf_add_str(out, payload);
    return true;
}

/* Up to SNAPSHOT_ROWS alerts from item *at on, room for no more than there are; called with the rule's lock. */
static struct batch *collect(struct rule_run *run, uint32_t *at)
{
    struct batch_info info = {.kind = RECORD_ALERT, .rule = run->name, .group = run->group};
    struct batch *b = batch_new(&codec_edges, &info);
    uint32_t left = run->table.count - *at;
    struct alert *rows =
        arena_array(batch_arena(b), struct alert, left < SNAPSHOT_ROWS ? left : SNAPSHOT_ROWS);
    uint32_t count = 0;

    for (; *at < run->table.count && count < SNAPSHOT_ROWS; (*at)++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, *at);
        if (item->head.labels != NULL && item->status.state != ALERT_READY) {
            rows[count++] = alert_of(run, item, batch_arena(b));
        }
    }
    batch_set_alerts(b, (struct alerts){rows, count});
    return b;
}

/* All at one time: between two looks an evaluation may move alerts to where was looked already. */
static bool save_run(struct rule_run *run, struct buf *out, struct err *e)
{
    VEC(struct batch *) pieces = {0};
    uint32_t at = 0;
    bool ok = true;

    lock_take(&run->lock);
    while (at < run->table.count) {
        struct batch *b = collect(run, &at);
        vec_push(&pieces, b);
    }
    lock_give(&run->lock);
    for (size_t i = 0; i < pieces.len; i++) {
        ok = ok && (batch_rows(pieces.items[i]) == 0 || save_record(pieces.items[i], out, e));
        batch_unref(pieces.items[i]);
    }
    vec_release(&pieces);
    return ok;
}

bool engine_save_snapshot(struct engine *en, struct str path, uint64_t *ret_seq, struct err *e)
{
    AUTO(buf_release) struct buf out = BUF_INIT((size_t)SNAPSHOT_BYTES_MAX);
    uint32_t at = 0;
    void *run = NULL;
    bool ok = true;

    uint64_t seq = engine_settled_seq(en); /* before the states are read */
    buf_add_text(&out, SNAPSHOT_MAGIC);
    little_put_u32(&out, SNAPSHOT_VERSION);
    little_put_u32(&out, 0);
    little_put_u64(&out, seq);
    while (ok && map_next(&en->runs, &at, NULL, &run)) {
        ok = ((struct rule_run *)run)->kind != RULE_ALERT || save_run(run, &out, e);
    }
    little_put_u32(&out, 0);
    little_put_u32(&out, 0);
    little_put_u32(&out, 0);
    if (ok && !buf_ok(&out)) {
        ok = err_set(e, ERR_LIMIT, "the alert states make more than %lld bytes",
                     (long long)SNAPSHOT_BYTES_MAX);
    }
    ok = ok && fs_replace_file(fs_system(), path, buf_str(&out), e);
    if (ok) {
        *ret_seq = seq;
    }
    return ok || err_wrap(e, "saving alert states to %.*s", STR_FMT(path));
}

/* ---- restoring ---- */

/* The run that state is restored to: of a rule of the set, or an orphan's. */
struct rule_run *restored_run(struct engine *en, struct str id, enum rule_kind kind,
                              struct str name, struct str group)
{
    struct rule_run *run = map_get(&en->runs, id);

    if (run == NULL) {
        run = rule_run_new(en, id, kind);
        rule_run_name(run, name, group);
        (void)map_put(&en->runs, run->id, run);
        en->orphans_due_ns = clock_mono_ns(en->env->clock) + en->options.keep_resolved_ns;
    }
    return run;
}

static void restore_alert(struct engine *en, const struct batch_info *info, const struct alert *a)
{
    struct str alertname = labels_get(a->labels, STR("alertname"));
    struct rule_run *run = restored_run(en, a->rule_id, RULE_ALERT,
                                        info->rule.len > 0 ? info->rule : alertname, info->group);

    if (run->kind != RULE_ALERT) {
        return;
    }
    run->remote_phase = REMOTE_NONE;
    lock_take(&run->lock);
    struct alert_item *item = alert_item_for(run, labels_ref(a->labels));
    item->status = (struct alert_status){.state = a->to,
                                         .episode_ns = a->episode_ns,
                                         .active_at_ns = a->active_at_ns,
                                         .fired_at_ns = a->fired_at_ns,
                                         .keep_since_ns = a->keep_since_ns,
                                         .resolved_at_ns = a->resolved_at_ns,
                                         .value = a->value};
    item->written = alert_written_state(&item->status);
    lock_give(&run->lock);
}

static bool restore_batch(struct engine *en, struct batch *b, struct err *e)
{
    const struct alerts *alerts = NULL;

    if (!batch_alerts(b, &alerts, e)) {
        return false;
    }
    for (uint32_t i = 0; i < alerts->count; i++) {
        restore_alert(en, batch_info(b), &alerts->rows[i]);
    }
    return true;
}

void engine_note_frame(struct engine *en, uint64_t seq)
{
    lock_take(&en->lock);
    en->last_seq = seq > en->last_seq ? seq : en->last_seq;
    lock_give(&en->lock);
}

bool engine_restore_edge(struct engine *en, uint64_t seq, struct batch *edges, struct err *e)
{
    if (!restore_batch(en, edges, e)) {
        return err_wrap(e, "replaying ledger frame %llu", (unsigned long long)seq);
    }
    engine_note_frame(en, seq);
    return true;
}

/* The batch of a record, as the version of the file has it. */
static bool record_batch(struct str bytes, uint32_t rows, uint32_t version, struct batch **ret,
                         struct err *e)
{
    const struct batch_info info = {.kind = RECORD_ALERT};

    if (version != SNAPSHOT_NAMELESS) {
        return batch_from_frame(bytes, ret, e);
    }
    *ret = batch_from_bytes(&codec_edges, bytes, true, &info, rows);
    return true;
}

/* One record from *at on; false with an error, or with *ret_end at the end mark. */
static bool restore_record(struct engine *en, struct str file, size_t *at, bool *ret_end,
                           struct err *e)
{
    AUTO(batch_autounref) struct batch *b = NULL;

    if (file.len - *at < SNAPSHOT_RECORD_HEADER) {
        return err_set(e, ERR_PARSE, "the file ends at byte %zu, before its end mark", file.len);
    }
    uint32_t len = little_u32(file.ptr + *at);
    uint32_t rows = little_u32(file.ptr + *at + 4);
    uint32_t crc = little_u32(file.ptr + *at + 8);
    *at += SNAPSHOT_RECORD_HEADER;
    *ret_end = len == 0;
    struct str bytes = str_slice(file, *at, len);
    if (bytes.len < len || crc32c(0, bytes.ptr, bytes.len) != crc) {
        return err_set(e, ERR_PARSE, "the record at byte %zu is damaged", *at);
    }
    *at += len;
    if (*ret_end) {
        return true;
    }
    return record_batch(bytes, rows, little_u32(file.ptr + 8), &b, e) && restore_batch(en, b, e);
}

static bool restore_file(struct engine *en, struct str file, uint64_t *ret_seq, struct err *e)
{
    size_t at = SNAPSHOT_HEADER;
    bool end = false;

    if (file.len < SNAPSHOT_HEADER || !str_starts(file, STR(SNAPSHOT_MAGIC))) {
        return err_set(e, ERR_PARSE, "this is no snapshot of alert states");
    }
    uint32_t version = little_u32(file.ptr + 8);
    if (version < SNAPSHOT_NAMELESS || version > SNAPSHOT_VERSION) {
        return err_set(e, ERR_CONFLICT, "it has format version %u, this program reads %d to %d",
                       version, SNAPSHOT_NAMELESS, SNAPSHOT_VERSION);
    }
    while (!end) {
        if (!restore_record(en, file, &at, &end, e)) {
            return false;
        }
    }
    *ret_seq = little_u64(file.ptr + 16);
    return true;
}

bool engine_restore_snapshot(struct engine *en, struct str path, uint64_t *ret_seq, struct err *e)
{
    AUTO(buf_release) struct buf file = BUF_INIT((size_t)SNAPSHOT_BYTES_MAX);
    uint64_t seq = 0;

    if (!fs_read_file(fs_system(), path, (size_t)SNAPSHOT_BYTES_MAX, &file, e) ||
        !restore_file(en, buf_str(&file), &seq, e)) {
        return err_wrap(e, "restoring alert states from %.*s", STR_FMT(path));
    }
    lock_take(&en->lock);
    en->last_seq = seq;
    lock_give(&en->lock);
    *ret_seq = seq;
    return true;
}
