/*
 * queue repair and queue drop: what changes a log's folder. Both open the log, which keeps a running Telex out.
 */
#include "base/mem.h"
#include "base/number.h"
#include "cli/place.h"
#include "cli/queue.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- repair ---- */

struct repair_values {
    bool dry_run;
};

struct findings {
    uint64_t frames;
    uint64_t ranges;
    int64_t bytes;
    struct meter progress;
};

static bool count_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct findings *n = arg;

    (void)f;
    (void)e;
    n->frames++;
    return true;
}

static void tell_bad(void *arg, const struct log_view_bad *b)
{
    struct findings *n = arg;
    bool is_torn = strcmp(b->kind, "torn") == 0;

    n->ranges++;
    n->bytes += b->to - b->from;
    printf("segment %016" PRIx64 ", bytes %" PRIi64 " to %" PRIi64 ": %s, %s\n", b->serial, b->from,
           b->to, b->kind,
           is_torn ? "to be copied aside and cut off" : "to be copied aside and passed over");
}

static void show_progress(void *arg, int64_t done, int64_t all)
{
    struct findings *n = arg;

    meter_show(&n->progress, done, all);
}

static bool find_damage(struct str path, struct findings *n, struct err *e)
{
    struct log_view *v = NULL;
    struct log_walk walk = {
        .arg = n, .frame = count_frame, .bad = tell_bad, .progress = show_progress};

    if (!log_view_open(fs_system(), path, &v, e)) {
        return false;
    }
    meter_begin(&n->progress, "reading");
    bool ok = log_view_walk(v, &walk, e);
    meter_end(&n->progress);
    log_view_close(v);
    return ok;
}

/* Reads all frames through the log, which copies aside what it finds damaged in sealed segments. */
static bool read_through(struct log *l, uint64_t *ret_frames, struct err *e)
{
    AUTO(log_reader_autofree) struct log_reader *r = log_reader_new(l, 0, UINT64_MAX);
    const struct log_frame *f = NULL;
    unsigned failures = 0;

    for (;;) {
        if (log_reader_next(r, (struct wait){0}, &f, e)) {
            if (f == NULL) {
                return true;
            }
            failures = 0;
            ++*ret_frames;
            log_frame_drop(f);
        } else if (++failures > 10) {
            return false; /* it passes over what cannot be read after fewer tries */
        }
    }
}

static void tell_report(struct str path, const struct log_report *r, uint64_t frames)
{
    printf("%.*s: %" PRIu64 " segments (%" PRIu64 " scanned and sealed), %" PRIu64
           " frames can be read\n",
           STR_FMT(path), r->segments, r->segments_scanned, frames);
    const struct {
        const char *what;
        uint64_t count;
    } rows[] = {
        {"bytes cut off torn ends", r->torn_bytes},
        {"damaged ranges in segments that were scanned", r->damaged_ranges},
        {"segments without header, moved to quarantine", r->segments_refused},
        {"segments that the disk does not give, left as they are", r->segments_unreadable},
        {"bytes that the disk does not give", r->unreadable_bytes},
        {"consumers whose cursor was lost: they begin at the oldest frame", r->cursors_lost},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].count > 0) {
            printf("  %" PRIu64 " %s\n", rows[i].count, rows[i].what);
        }
    }
}

static int repair(struct str path, bool dry_run)
{
    struct findings n = {0};
    struct queue_world world;
    struct log_report report = {0};
    struct log *l = NULL;
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    if (!find_damage(path, &n, &e)) {
        return cli_fail(NULL, &e);
    }
    if (dry_run) {
        printf("%" PRIu64 " frames can be read, %" PRIu64 " bad ranges with %" PRIi64
               " bytes; nothing was changed\n",
               n.frames, n.ranges, n.bytes);
        return CLI_OK;
    }
    queue_world_init(&world);
    bool ok = queue_open(&world.env, path, &l, &report, &e) && read_through(l, &frames, &e);
    log_close(l);
    if (ok) {
        tell_report(path, &report, frames);
        if (n.ranges > 0) {
            printf("  copies of what was bad are in %.*s/quarantine\n", STR_FMT(path));
        }
    }
    queue_world_release(&world);
    return ok ? CLI_OK : cli_fail(NULL, &e);
}

static int run_repair(const struct cli_command *command, int argc, char **argv)
{
    struct repair_values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder of a log");
    }
    return repair(str_of(argv[first]), values.dry_run);
}

static const struct cli_option repair_options[] = {
    {.name = "dry-run",
     .offset = offsetof(struct repair_values, dry_run),
     .help = "Only say what would be done; works on a folder in use too."},
};

const struct cli_command command_queue_repair = {
    .name = "queue repair",
    .usage = "[--dry-run] FOLDER",
    .help = "recover a log as the next start would, and say what was done",
    .details =
        "Reads every byte. A torn end, as a crash leaves it, is copied to the folder `quarantine` and cut off; damaged "
        "bytes in the middle are copied there and passed over from then on; a segment without header is moved there. "
        "What the disk does not give is neither cut nor removed. Refuses a folder that a running Telex has open.\n\n"
        "Exit status: 0 when the log can be used, also when something was bad; 1 when it cannot; 2 when the command "
        "line is wrong.",
    .options = repair_options,
    .option_count = ARRAY_LEN(repair_options),
    .run = run_repair,
};

/* ---- drop ---- */

struct drop_values {
    const char *consumer;
    const char *before_seq;
    const char *older_than;
    bool all;
    bool yes;
};

/* What is to be dropped. */
struct loss {
    struct log_view *view;
    uint64_t mask;       /* whose */
    uint64_t before_seq; /* frames below */
    int64_t before_ns;   /* frames older; what stands before the first younger one */
    bool is_dead;
    struct meter progress;
    bool ended;
    uint64_t last_seq[LOG_CONSUMERS_MAX]; /* up to here */
    uint64_t frames[LOG_CONSUMERS_MAX];
    int64_t bytes[LOG_CONSUMERS_MAX];
};

static bool count_loss(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct loss *loss = arg;

    (void)e;
    loss->ended = loss->ended || f->seq >= loss->before_seq || f->time_ns >= loss->before_ns;
    for (uint64_t rest = loss->ended ? 0 : f->mask & loss->mask; rest != 0; rest &= rest - 1) {
        unsigned bit = (unsigned)__builtin_ctzll(rest);
        const struct log_view_consumer *c = log_view_consumer(loss->view, bit);
        if (c != NULL && !c->is_retired && f->seq > c->cursor) {
            loss->last_seq[bit] = f->seq;
            loss->frames[bit]++;
            loss->bytes[bit] += f->bytes;
        }
    }
    return true;
}

static void show_loss_progress(void *arg, int64_t done, int64_t all)
{
    struct loss *loss = arg;

    meter_show(&loss->progress, done, all);
}

static bool read_limits(const struct drop_values *values, struct loss *loss, struct err *e)
{
    unsigned bit = 0;
    uint64_t seq = 0;

    loss->mask = UINT64_MAX;
    loss->before_seq = UINT64_MAX;
    loss->before_ns = INT64_MAX;
    if (values->consumer != NULL) {
        if (!queue_find_consumer(loss->view, str_of(values->consumer), &bit, e)) {
            return false;
        }
        loss->mask = UINT64_C(1) << bit;
    }
    if (values->before_seq != NULL) {
        if (!number_parse_u64(str_of(values->before_seq), &seq)) {
            return err_set(e, ERR_CONFIG, "--before-seq: expected a number, not '%s'",
                           values->before_seq);
        }
        loss->before_seq = seq;
    }
    return values->older_than == NULL || queue_parse_time(values->older_than, &loss->before_ns, e);
}

static bool weigh(struct str path, const struct drop_values *values, struct loss *loss,
                  struct err *e)
{
    struct log_walk walk = {.arg = loss, .frame = count_loss, .progress = show_loss_progress};

    if (!log_view_open(fs_system(), path, &loss->view, e) || !read_limits(values, loss, e)) {
        return false;
    }
    loss->is_dead = queue_is_dead(loss->view);
    meter_begin(&loss->progress, "counting");
    bool ok = log_view_walk(loss->view, &walk, e);
    meter_end(&loss->progress);
    return ok;
}

/* Is a consumer to go altogether, rather than to forget some of what it owes? */
static bool retires(const struct drop_values *values)
{
    return values->consumer != NULL && values->before_seq == NULL && values->older_than == NULL &&
           !values->all;
}

static void tell_loss(const struct loss *loss, const struct drop_values *values)
{
    const struct log_view_consumer *all = NULL;
    size_t count = log_view_consumers(loss->view, &all);

    for (size_t i = 0; i < count; i++) {
        unsigned bit = all[i].bit;
        AUTO(buf_release) struct buf size = BUF_INIT(BUF_SMALL);
        if (!(loss->mask >> bit & 1) || (loss->frames[bit] == 0 && !retires(values))) {
            continue;
        }
        queue_add_bytes(loss->bytes[bit], &size);
        printf("%s loses %" PRIu64 " frames, %s%s\n", loss->is_dead ? "the folder" : all[i].name,
               loss->frames[bit], buf_text(&size),
               retires(values) ? ", and is no consumer any more" : "");
    }
}

/* Waits until the log has removed what nobody needs any more. */
static void settle(struct log *l)
{
    enum { LOOKS = 100, LOOK_MS = 50, QUIET = 4 };
    struct log_status status;
    uint64_t segments = 0;

    for (int i = 0, quiet = 0; i < LOOKS && quiet < QUIET; i++) {
        log_status(l, &status);
        quiet = status.segments == segments ? quiet + 1 : 0;
        segments = status.segments;
        struct wait w = {clock_deadline_ms(clock_system(), LOOK_MS), NULL};
        (void)wait_sleep(w);
    }
}

static bool forget(struct log *l, const struct loss *loss, const struct drop_values *values,
                   struct err *e)
{
    enum { SYNC_MS = 30000 };

    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        if (!(loss->mask >> bit & 1) || log_view_consumer(loss->view, bit) == NULL) {
            continue;
        }
        if (retires(values) && !log_consumer_retire(l, bit, e)) {
            return false;
        }
        if (loss->last_seq[bit] > 0) {
            log_cursor_set(l, bit, loss->last_seq[bit]);
        }
    }
    struct wait w = {clock_deadline_ms(clock_system(), SYNC_MS), NULL};
    bool ok = log_cursor_sync(l, w, e);
    settle(l);
    return ok;
}

static bool drop_now(struct str path, const struct loss *loss, const struct drop_values *values,
                     struct err *e)
{
    struct queue_world world;
    struct log_report report = {0};
    struct log *l = NULL;

    queue_world_init(&world);
    bool ok = queue_open(&world.env, path, &l, &report, e) && forget(l, loss, values, e);
    if (ok) {
        struct log_status status;
        AUTO(buf_release) struct buf size = BUF_INIT(BUF_SMALL);
        log_status(l, &status);
        queue_add_bytes(status.disk_bytes, &size);
        printf("dropped; %s in %" PRIu64 " segment%s are left (the newest always stays)\n",
               buf_text(&size), status.segments, status.segments == 1 ? "" : "s");
    }
    log_close(l);
    queue_world_release(&world);
    return ok;
}

static int drop(struct str path, const struct drop_values *values)
{
    AUTO(mem_autofree) struct loss *loss = mem_new(struct loss);
    struct err e = ERR_INIT;
    int status = CLI_OK;

    bool ok = weigh(path, values, loss, &e);
    if (ok) {
        tell_loss(loss, values);
        (void)fflush(stdout);
    }
    if (ok && !values->yes) {
        fprintf(stderr, "nothing was dropped; add --yes to do it\n");
        status = CLI_FAILED;
    } else if (!ok || !drop_now(path, loss, values, &e)) {
        status = cli_fail(NULL, &e);
    }
    log_view_close(loss->view);
    return status;
}

static int run_drop(const struct cli_command *command, int argc, char **argv)
{
    struct drop_values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder of a log");
    }
    if (values.consumer == NULL && values.before_seq == NULL && values.older_than == NULL &&
        !values.all) {
        return cli_usage_error(command,
                               "say what to drop: --consumer, --before-seq, --older-than or --all");
    }
    return drop(str_of(argv[first]), &values);
}

static const struct cli_option drop_options[] = {
    {.name = "consumer",
     .value = "NAME",
     .offset = offsetof(struct drop_values, consumer),
     .help =
         "Alone: the consumer goes, with all that it has still to get. With one of the others: only its frames."},
    {.name = "before-seq",
     .value = "N",
     .offset = offsetof(struct drop_values, before_seq),
     .help = "Frames before this one."},
    {.name = "older-than",
     .value = "TIME",
     .offset = offsetof(struct drop_values, older_than),
     .help =
         "Frames before the first that came then or later: 2026-01-31T12:00:00Z, Unix seconds, or 30d for so "
         "long ago."},
    {.name = "all", .offset = offsetof(struct drop_values, all), .help = "Every frame."},
    {.name = "yes",
     .letter = 'y',
     .offset = offsetof(struct drop_values, yes),
     .help = "Do it. Without it only what would be lost is told."},
};

const struct cli_command command_queue_drop = {
    .name = "queue drop",
    .usage = "--consumer NAME | --before-seq N | --older-than TIME | --all [--yes] FOLDER",
    .help = "forget records that nobody wants any more",
    .details =
        "Says how many frames each consumer loses, and with `--yes` drops them: they are delivered to nobody any more, "
        "and segments that nobody needs are removed. The newest segment stays until the next one is begun. Refuses a "
        "folder that a running Telex has open.\n\n"
        "Exit status: 0 when it was done, 1 when it failed or `--yes` was missing, 2 when the command line is wrong.",
    .options = drop_options,
    .option_count = ARRAY_LEN(drop_options),
    .run = run_drop,
};
