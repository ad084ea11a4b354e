/*
 * Invariants
 *   1. A row is settled when a transaction that held it is committed, when the database had it already, or when
 *      it is excepted as rejected.
 *   2. Our position in the database never passes a row that is not in it, but for holes; a hole is kept until
 *      a later view comes, since only then are the refused rows of this one dead letters.
 *   3. Whoever moves our position moves it from where this leaf knows it to be. If it stands elsewhere, another
 *      connection of ours (or a commit whose answer was lost) moved it: nothing is written, and the database is
 *      asked again.
 */
#include "export/table_sink.h"

#include "base/env.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "export/debug.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "export/table_pace.h"

const char *const table_alias_batch_timeout[] = {"batch_timeout_seconds", NULL};

static const struct option buffer_rows[] = {
    EXPORTER_BUFFER_ROWS(0, "1000", "60s", "8MB", "block", "false"),
};

const struct option_table table_buffer_options = {
    .name = "buffer",
    .help = "How records are held until they are delivered.",
    .options = buffer_rows,
    .count = ARRAY_LEN(buffer_rows),
    .config_size = sizeof(struct exporter_buffer),
};

enum { LAYOUTS = RECORD_KINDS, INSTANCE_BYTES_MAX = 64 };

struct table_sink {
    struct sink super;
    struct table_db *db;
    struct table_sink_config setup;
    const void *config;
    const struct env *env;
    struct arena arena;
    struct table_layout layouts[LAYOUTS];
    struct lane_place lane; /* of a sink that keeps positions */
    struct positions positions;
    struct table_pace pace;
    struct debug debug;
    struct metric *already_there;
    struct metric *mended;
};

/* One delivery. */
struct run {
    struct table_sink *s;
    struct view view; /* as it came: its batch knows where rows stand in the log */
    struct wait wait; /* of whoever wants it delivered: each call gets its own part of it */
    int64_t began_ns;
    struct outcome *out;
    struct cell_reader reader;
    VEC(uint32_t) taken;   /* index of each row in hand */
    struct holes rejected; /* rows of this view */
    uint32_t next;         /* rows before it are settled or in hand */
    bool has_hashes;       /* labels are as the lanes shared them */
    struct table_fault fault;
};

static const struct metric_desc already_desc = {
    .name = "telex_exporter_already_there_total",
    .help = "Records that the destination said it has, and that were not written again.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"},
};
static const struct metric_desc mended_desc = {
    .name = "telex_exporter_mended_texts_total",
    .help =
        "Texts that had a NUL or were no valid UTF-8, and were written with U+FFFD in its place.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"},
};

/* What a transaction, or connecting, may take. */
static struct wait part_of_wait(const struct run *run)
{
    const struct table_sink *s = run->s;

    return wait_limit_ms(run->wait, s->env->clock, s->setup.timeout_ns / NS_PER_MS);
}

/* ---- where rows stand ---- */

static bool place_of(const struct run *run, uint32_t index, struct position *ret)
{
    return run->s->setup.keeps_positions &&
           position_of_row(run->view.batch, view_row(run->view, index), ret);
}

static bool is_there(const struct run *run, uint32_t index)
{
    const struct table_sink *s = run->s;
    struct position at;

    if (!place_of(run, index, &at)) {
        return false;
    }
    uint64_t hash = run->has_hashes ? cell_reader_hash(&run->reader, index) : 0;
    return positions_cover(&s->positions, &s->lane, &at, run->has_hashes ? &hash : NULL);
}

static void reject(struct run *run, uint32_t index, const struct err *e)
{
    struct position at;

    outcome_except(run->out, index, VERDICT_REJECTED, e->message);
    run->out->err = *e;
    if (place_of(run, index, &at)) {
        holes_add(&run->rejected, &at);
    }
}

/* ---- transactions ---- */

/* What is not in the database though our position passes it, once rows before <to> are. */
static void make_holes(const struct run *run, const struct lane_position *own,
                       const struct position *to, struct holes *ret)
{
    const struct position none = {0};

    holes_add_behind(ret, &run->rejected, &none);
    if (own->is_believed) {
        holes_add_behind(ret, &own->holes, to);
    }
    holes_sort(ret);
}

/* Writes rows in hand and moves our position behind them. */
static bool write_moving(struct run *run, uint32_t from, uint32_t end, struct position to,
                         struct err *e)
{
    struct table_sink *s = run->s;
    struct lane_position *own = positions_own(&s->positions, &s->lane);
    struct holes holes = {0};

    to.row++;
    make_holes(run, own, &to, &holes);
    if (own->is_believed && position_cmp(&own->at, &to) > 0) {
        to = own->at;
    }
    const struct table_move move = {.from = own->at, .to = to, .holes = &holes};
    if (!s->db->ops->write(s->db, from, end, &move, part_of_wait(run), &run->fault, e)) {
        holes_release(&holes);
        return false;
    }
    holes_release(&own->holes);
    own->at = to;
    own->holes = holes;
    own->is_believed = true;
    return true;
}

static bool write_once(struct run *run, uint32_t from, uint32_t end, struct err *e)
{
    struct table_sink *s = run->s;
    int64_t began_ns = clock_mono_ns(s->env->clock);
    struct position last;

    run->out->requests++;
    run->fault = (struct table_fault){.verdict = VERDICT_RETRY};
    bool ok = place_of(run, run->taken.items[end - 1], &last)
                  ? write_moving(run, from, end, last, e)
                  : s->db->ops->write(s->db, from, end, NULL, part_of_wait(run), &run->fault, e);
    if (ok) {
        table_pace_took(&s->pace, end - from, clock_mono_ns(s->env->clock) - began_ns);
    } else {
        table_pace_failed(&s->pace);
    }
    return ok;
}

/* Writes rows in hand; those at fault are excepted. False: the rest of the view is owed, from row <next> on. */
static bool write_rows(struct run *run, uint32_t from, uint32_t end)
{
    struct err e = ERR_INIT;
    uint32_t middle = from + (end - from) / 2;

    if (write_once(run, from, end, &e)) {
        return true;
    }
    if (run->fault.verdict != VERDICT_REJECTED) {
        run->out->err = e;
        run->next = run->taken.items[from];
        return false;
    }
    if (end - from == 1) {
        reject(run, run->taken.items[from], &e);
        return true;
    }
    return write_rows(run, from, middle) && write_rows(run, middle, end);
}

/* Each row that was refused, or that may be among those in hand, is a hole: what the database is told must be
 * such that it can be read again. */
static bool has_room(const struct run *run)
{
    const struct table_sink *s = run->s;

    return run->taken.len < s->pace.rows && s->db->ops->bytes(s->db) < TABLE_SINK_BYTES &&
           run->rejected.list.len + run->taken.len < POSITION_HOLES_MAX / 2;
}

/* Takes rows in hand until there are enough for a transaction. */
static void take_rows(struct run *run)
{
    struct table_sink *s = run->s;
    struct err e = ERR_INIT;

    s->db->ops->drop(s->db);
    vec_clear(&run->taken);
    while (run->next < run->view.n && has_room(run)) {
        uint32_t index = run->next++;
        if (cell_reader_passes(&run->reader, index)) {
            continue;
        }
        if (is_there(run, index)) {
            metric_add(s->already_there, 1);
        } else if (s->db->ops->take(s->db, &run->reader, index, &e)) {
            vec_push(&run->taken, index);
        } else {
            reject(run, index, &e);
        }
    }
}

/* The rest is owed, or refused as a whole. */
static void stop(struct run *run)
{
    struct outcome *out = run->out;

    outcome_forget(out, run->next);
    out->settled = run->next;
    out->rest = run->fault.verdict;
}

/* Who waits for the end of a call (a reload) waits for as long as a transaction may take, not for a view of many. */
static bool has_had_its_time(const struct run *run)
{
    const struct table_sink *s = run->s;

    return run->out->settled > 0 && run->next < run->view.n &&
           clock_mono_ns(s->env->clock) - run->began_ns > s->setup.timeout_ns;
}

static void deliver_rows(struct run *run)
{
    struct table_sink *s = run->s;

    while (run->next < run->view.n) {
        if (has_had_its_time(run)) {
            run->out->held_back = true;
            run->fault.verdict = VERDICT_RETRY;
            stop(run);
            return;
        }
        int64_t began_ns = debug_now_ns(&s->debug);
        take_rows(run);
        debug_measure(&s->debug, DEBUG_ENCODE, began_ns);
        run->out->bytes += s->db->ops->bytes(s->db);
        began_ns = debug_now_ns(&s->debug);
        bool ok = run->taken.len == 0 || write_rows(run, 0, (uint32_t)run->taken.len);
        debug_measure(&s->debug, DEBUG_SEND, began_ns);
        if (!ok) {
            stop(run);
            return;
        }
        bool is_too_holey = run->rejected.list.len >= POSITION_HOLES_MAX / 2;
        if (is_too_holey && run->next < run->view.n) {
            run->fault.verdict = VERDICT_RETRY; /* so that these become dead letters first */
            stop(run);
            return;
        }
        outcome_settle(run->out, run->next);
    }
    outcome_settle(run->out, run->view.n);
}

/* ---- before rows ---- */

/* Holes before this view are dead letters by now. */
static void forget_holes(struct run *run)
{
    struct table_sink *s = run->s;
    struct position first;

    if (place_of(run, 0, &first)) {
        struct lane_position *own = positions_own(&s->positions, &s->lane);
        struct holes left = {0};
        holes_add_behind(&left, &own->holes, &first);
        holes_release(&own->holes);
        own->holes = left;
    }
}

/* Connected, with a table and the database's word on our position. */
static bool prepare(struct run *run)
{
    struct table_sink *s = run->s;
    struct err *e = &run->out->err;
    struct wait wait = part_of_wait(run);
    bool fresh = false;

    run->fault = (struct table_fault){.verdict = VERDICT_RETRY};
    if (!s->db->ops->connect(s->db, wait, &fresh, &run->fault, e)) {
        return false;
    }
    if (fresh && s->setup.keeps_positions) {
        positions_clear(&s->positions);
        if (!s->db->ops->load(s->db, wait, &s->positions, &run->fault, e)) {
            return false;
        }
        positions_believe(&s->positions, &s->lane);
    }
    return s->db->ops->use(s->db, &s->layouts[run->reader.kind], wait, &run->fault, e);
}

static void reject_all(struct outcome *out)
{
    out->settled = 0;
    out->rest = VERDICT_REJECTED;
}

static void deliver_view(struct run *run, struct view labelled)
{
    struct table_sink *s = run->s;

    if (!cell_reader_init(&run->reader, labelled, &run->out->err)) {
        reject_all(run->out);
        return;
    }
    run->reader.has_column = table_layout_has_field;
    run->reader.arg = &s->layouts[run->reader.kind];
    if (prepare(run)) {
        forget_holes(run);
        deliver_rows(run);
    } else {
        run->fault.verdict =
            run->fault.verdict == VERDICT_REJECTED ? VERDICT_HALT : run->fault.verdict;
        stop(run);
    }
    metric_add(s->mended, run->reader.changed);
    s->db->ops->drop(s->db);
    s->db->ops->rest(s->db);
    cell_reader_release(&run->reader);
}

static void table_sink_deliver(struct sink *sink, struct view view, struct wait wait,
                               struct outcome *ret)
{
    struct table_sink *s = container_of(sink, struct table_sink, super);
    const struct exporter_common *common = s->config;
    AUTO(batch_autounref) struct batch *with_labels = NULL;
    int64_t began_ns = clock_mono_ns(s->env->clock);
    struct view labelled = view;
    struct run run = {.s = s, .view = view, .wait = wait, .began_ns = began_ns, .out = ret};

    run.has_hashes = common->labels.count == 0 && !batch_parts(view.batch)->is_relabelled;
    if (extra_labels_view(&common->labels, &labelled, &with_labels, &ret->err)) {
        deliver_view(&run, labelled);
    } else {
        reject_all(ret);
    }
    holes_release(&run.rejected);
    vec_release(&run.taken);
    debug_tell(&s->debug, view, ret, clock_mono_ns(s->env->clock) - began_ns);
}

/* Being there is being connected: nothing is read or written. */
static enum probed table_sink_probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct table_sink *s = container_of(sink, struct table_sink, super);
    struct table_fault fault = {.verdict = VERDICT_RETRY};
    bool fresh = false;
    bool ok = s->db->ops->connect(s->db, wait, &fresh, &fault, e);

    if (ok && fresh && s->setup.keeps_positions) {
        positions_clear(&s->positions);
        ok = s->db->ops->load(s->db, wait, &s->positions, &fault, e);
        positions_believe(&s->positions, &s->lane);
    }
    s->db->ops->rest(s->db);
    return ok ? PROBED_THERE : PROBED_FAILED;
}

/* ---- life ---- */

static void table_sink_close(struct sink *sink)
{
    struct table_sink *s = container_of(sink, struct table_sink, super);

    s->db->ops->close(s->db);
    positions_release(&s->positions);
    debug_close(&s->debug);
    metric_drop(s->already_there);
    metric_drop(s->mended);
    arena_release(&s->arena);
    mem_free(s);
}

static const struct sink_ops table_sink_ops = {
    .deliver = table_sink_deliver,
    .probe = table_sink_probe,
    .close = table_sink_close,
};

static bool make_layouts(struct table_sink *s, struct err *e)
{
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        if (!table_layout_make((enum record_kind)kind, s->setup.table_name, s->setup.column_mapping,
                               &s->arena, &s->layouts[kind], e)) {
            return false;
        }
    }
    return true;
}

bool table_sink_open(struct table_db *db, const struct table_sink_config *setup,
                     const struct exporter_place *place, const void *config, struct sink **ret_sink,
                     struct err *e)
{
    struct table_sink *s = mem_new(struct table_sink);

    s->super.ops = &table_sink_ops;
    s->db = db;
    s->setup = *setup;
    s->setup.keeps_positions = setup->keeps_positions && place->lane != NULL;
    s->config = config;
    s->env = place->env;
    table_pace_init(&s->pace, setup->batch_rows, setup->together_rows);
    arena_init(&s->arena, ARENA_UNLIMITED);
    if (place->lane != NULL) {
        s->lane = *place->lane;
    }
    debug_open(&s->debug, place, config);
    s->already_there = metrics_get1(s->env->metrics, &already_desc, place->name);
    s->mended = metrics_get1(s->env->metrics, &mended_desc, place->name);
    if (!make_layouts(s, e)) {
        table_sink_close(&s->super);
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    *ret_sink = &s->super;
    return true;
}

/* ---- our name ---- */

bool table_instance(const struct exporter_place *place, struct buf *out, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf name = BUF_INIT(INSTANCE_BYTES_MAX);
    struct err ignored = ERR_INIT;

    buf_addf(&path, "%.*s/instance", STR_FMT(place->data_folder));
    if (fs_read_file(fs_system(), buf_str(&path), INSTANCE_BYTES_MAX, &name, &ignored) &&
        name.len > 0) {
        buf_add_str(out, str_trim(buf_str(&name)));
        return true;
    }
    buf_clear(&name);
    buf_addf(&name, "%016llx", (unsigned long long)rng_u64(place->env->rng));
    buf_add_str(out, buf_str(&name));
    return fs_make_path(fs_system(), place->data_folder, e) &&
           fs_replace_file(fs_system(), buf_str(&path), buf_str(&name), e);
}
