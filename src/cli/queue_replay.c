/*
 * queue replay: gives records of a log, or dead letters, to an exporter of a config.
 *
 * How far it is stands in the file "replay-NAME" of the folder, so that it can be interrupted and goes on there; the file
 * goes when all is done. With --remove what was given also leaves the log: the cursor follows, after what was refused
 * again was added to the same log as a new letter with the new reason.
 */
#include "app/environment.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timetext.h"
#include "cli/place.h"
#include "cli/queue.h"
#include "export/dead_letters.h"
#include "export/one_shot.h"
#include "net/net.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAVE_MS = 1000, SYNC_MS = 30000 };

struct values {
    struct queue_texts texts;
    const char *config;
    const char *to;
    const char *patience;
    bool remove;
    bool anew;
};

struct replay {
    const struct values *values;
    struct str path; /* absolute */
    struct place place;
    struct config *config;
    struct environment environment;
    struct one_shot *shot;
    struct log_view *view;
    struct log *log; /* with --remove */
    unsigned bit;    /* whose cursor follows then */
    bool is_dead;
    struct queue_choice choice;
    int64_t patience_ns;
    struct meter meter;
    char place_path[PATH_MAX];
    uint64_t done_seq;
    int64_t saved_ns;
    uint64_t frames;
    uint64_t passed;  /* frames that are no batch */
    uint64_t nobodys; /* records that the target does not take, so far */
};

/* ---- how far it is ---- */

static bool load_position(struct replay *r, struct err *e)
{
    enum { POSITION_MAX = 64 };
    AUTO(buf_release) struct buf text = BUF_INIT(POSITION_MAX);
    struct err none = ERR_INIT;
    uint64_t seq = 0;

    if (r->values->anew || access(r->place_path, F_OK) != 0) {
        return true;
    }
    if (!fs_read_file(fs_system(), str_of(r->place_path), POSITION_MAX, &text, &none) ||
        !number_parse_u64(str_trim(buf_str(&text)), &seq)) {
        return err_set(e, ERR_CONFIG,
                       "%s does not say how far the last replay was; --anew begins at the front",
                       r->place_path);
    }
    r->done_seq = seq;
    r->choice.from_seq = seq + 1 > r->choice.from_seq ? seq + 1 : r->choice.from_seq;
    fprintf(stderr, "going on behind frame %" PRIu64 ", where the last replay ended\n", seq);
    return true;
}

static bool save_position(struct replay *r, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    r->saved_ns = clock_mono_ns(clock_system());
    buf_addf(&text, "%" PRIu64 "\n", r->done_seq);
    return fs_replace_file(fs_system(), str_of(r->place_path), buf_str(&text), e);
}

/* What stands below <folder>/replay-NAME; a name with a slash is a place in the config's tree. */
static void name_position(struct replay *r, struct str folder)
{
    (void)snprintf(r->place_path, sizeof(r->place_path), "%.*s/replay-%s", STR_FMT(folder),
                   r->values->to);
    for (char *p = r->place_path + folder.len + 1; *p != '\0'; p++) {
        *p = *p == '/' ? '_' : *p;
    }
}

/* ---- giving ---- */

/* Refused again: with --remove it becomes a new letter, else it just stays. */
static bool refused(void *arg, struct view view, struct str output, struct str reason,
                    struct err *e)
{
    struct replay *r = arg;

    fprintf(stderr, "refused by %.*s: %u record%s: %.*s\n", STR_FMT(output), view.n,
            view.n == 1 ? "" : "s", STR_FMT(reason));
    if (r->log == NULL) {
        return true;
    }
    if (!r->is_dead) {
        return err_set(
            e, ERR_CONFLICT,
            "'%s' refuses records of this frame; without --remove it would stay as it is",
            r->values->to);
    }
    struct wait w = {clock_deadline_ms(clock_system(), SYNC_MS), NULL};
    return dead_letter_append(r->log, r->bit, view, reason, w, e);
}

static bool give_batch(struct replay *r, struct batch *b, struct err *e)
{
    const struct one_shot_refusal refusal = {refused, r};
    struct wait w = {clock_mono_ns(clock_system()) + r->patience_ns, NULL};

    return one_shot_deliver(r->shot, b, w, &refusal, e);
}

/* The frame is done: how far we are is noted, and with --remove the log may forget it. */
static bool pass_frame(struct replay *r, const struct log_view_frame *f, struct err *e)
{
    r->done_seq = f->seq;
    r->frames++;
    if (r->log != NULL) {
        log_cursor_set(r->log, r->bit, f->seq);
        return true;
    }
    bool due = clock_mono_ns(clock_system()) - r->saved_ns >= SAVE_MS * NS_PER_MS;
    return !due || save_position(r, e);
}

/* What nobody can be given stays: with --remove by being added anew, since cursors only go forward. */
static bool keep_frame(struct replay *r, const struct log_view_frame *f, struct err *e)
{
    uint64_t seq = 0;
    struct iovec part = {(void *)(uintptr_t)f->payload.ptr, f->payload.len};
    struct log_record record = {.type = f->type,
                                .flags = f->flags,
                                .mask = UINT64_C(1) << r->bit,
                                .parts = &part,
                                .part_count = 1};
    struct wait w = {clock_deadline_ms(clock_system(), SYNC_MS), NULL};

    if (r->log != NULL && log_append(r->log, &record, w, &seq, e)) {
        log_cursor_set(r->log, r->bit, f->seq);
        return true;
    }
    return r->log == NULL;
}

/* With --remove a record must not leave that nobody was given. */
static bool check_taken(struct replay *r, const struct log_view_frame *f, struct err *e)
{
    uint64_t nobodys = one_shot_counts(r->shot).nobodys;

    if (r->log == NULL || nobodys == r->nobodys) {
        r->nobodys = nobodys;
        return true;
    }
    return err_set(e, ERR_CONFLICT,
                   "'%s' does not take all records of frame %" PRIu64
                   ", which would be lost: replay it without --remove, or to another exporter",
                   r->values->to, f->seq);
}

static bool visit_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct replay *r = arg;
    struct queue_record record = {0};
    struct err why = ERR_INIT;

    if (r->frames + r->passed >= r->choice.limit || !queue_is_chosen(&r->choice, f)) {
        return true;
    }
    bool readable = queue_record_read(r->is_dead, f, &record, &why);
    if (!readable || record.batch == NULL) {
        fprintf(stderr, "frame %" PRIu64 " holds no records and stays: %s\n", f->seq,
                readable ? "bytes that were no batch" : why.message);
        queue_record_release(&record);
        r->passed++;
        return keep_frame(r, f, e);
    }
    bool ok = give_batch(r, record.batch, e) && check_taken(r, f, e);
    queue_record_release(&record);
    return ok && pass_frame(r, f, e);
}

static void show_progress(void *arg, int64_t done_bytes, int64_t bytes)
{
    struct replay *r = arg;

    meter_show(&r->meter, done_bytes, bytes);
}

/* ---- the whole of it ---- */

static bool open_config(struct replay *r, struct err *e)
{
    struct config_environment environment = config_process_environment();
    struct printer printer = {&r->place};
    struct problems problems = printer_problems(&printer);

    if (!place_enter(r->values->config, &r->place, e)) {
        return false;
    }
    if (r->place.config[0] == '\0') {
        return err_set(e, ERR_CONFIG, "no config: name one with -c, for the exporters in it");
    }
    environment.has_rule_webhooks = true; /* there may be letters of theirs */
    return config_load(str_of(r->place.config), &environment, &problems, &r->config, e);
}

static bool open_target(struct replay *r, struct err *e)
{
    environment_init(&r->environment, r->config, STDERR_FILENO);
    int target = plan_find_target(&r->config->plan, str_of(r->values->to), e);

    return target >= 0 &&
           one_shot_open(&r->environment.env, &r->config->plan, (unsigned)target, &r->shot, e);
}

/* With --remove the log is opened first, which recovers and locks it; then it is looked at. */
static bool open_queue(struct replay *r, struct err *e)
{
    struct log_report report = {0};

    if (r->values->remove && !queue_open(&r->environment.env, r->path, &r->log, &report, e)) {
        return false;
    }
    if (!log_view_open(fs_system(), r->path, &r->view, e) ||
        !queue_choose(&r->values->texts, r->view, &r->choice, e)) {
        return false;
    }
    r->is_dead = queue_is_dead(r->view);
    if (!r->values->remove) {
        return load_position(r, e);
    }
    if (!r->is_dead && r->values->texts.consumer == NULL) {
        return err_set(e, ERR_CONFIG,
                       "--remove on a log that is not of dead letters needs --consumer: whose "
                       "records are to be taken out");
    }
    struct str name = r->is_dead ? str_of(dead_letters_consumer) : r->choice.consumer;
    bool ok = queue_find_consumer(r->view, name, &r->bit, e);
    uint64_t cursor = ok ? log_view_consumer(r->view, r->bit)->cursor : 0;
    r->choice.from_seq = cursor + 1 > r->choice.from_seq ? cursor + 1 : r->choice.from_seq;
    return ok;
}

static bool give_all(struct replay *r, struct err *e)
{
    struct log_walk walk = {
        .arg = r, .frame = visit_frame, .progress = show_progress, .from_seq = r->choice.from_seq};

    meter_begin(&r->meter, "replaying");
    bool ok = log_view_walk(r->view, &walk, e);
    meter_end(&r->meter);
    struct err later = ERR_INIT;
    return one_shot_flush(r->shot, ok ? e : &later) && ok;
}

/* How far it came is put on disk; where all is done nothing is left of that. */
static bool finish(struct replay *r, bool ok, struct err *e)
{
    struct err ignored = ERR_INIT;

    if (r->log != NULL) {
        struct wait w = {clock_deadline_ms(clock_system(), SYNC_MS), NULL};
        return log_cursor_sync(r->log, w, ok ? e : &ignored) && ok;
    }
    if (ok) {
        (void)unlink(r->place_path);
    } else if (r->frames > 0 && !save_position(r, &ignored)) {
        fprintf(stderr, "how far it came is not noted: %s\n", ignored.message);
    }
    return ok;
}

static void tell(const struct replay *r)
{
    struct one_shot_counts n = one_shot_counts(r->shot);

    fprintf(stderr, "%" PRIu64 " frame%s: %" PRIu64 " record%s delivered, %" PRIu64 " refused",
            r->frames, cli_plural(r->frames), n.delivered, cli_plural(n.delivered), n.rejected);
    if (n.nobodys > 0) {
        fprintf(stderr, ", %" PRIu64 " that '%s' does not take", n.nobodys, r->values->to);
    }
    if (n.retries > 0) {
        fprintf(stderr, ", %" PRIu64 " retries", n.retries);
    }
    fprintf(stderr, "%s\n", r->log != NULL ? "; they have left the log, save the refused" : "");
}

static bool run_replay(struct replay *r, struct err *e)
{
    if (!open_config(r, e)) {
        return false;
    }
    bool ok = open_target(r, e) && open_queue(r, e);
    if (ok) {
        ok = give_all(r, e);
        ok = finish(r, ok, e);
        tell(r);
    }
    queue_choice_release(&r->choice);
    log_view_close(r->view);
    log_close(r->log);
    one_shot_close(r->shot);
    environment_release(&r->environment);
    return ok;
}

static int replay(const struct values *values, const char *folder)
{
    AUTO(net_release) struct net net = {0};
    AUTO(mem_autofree) struct replay *r = mem_new(struct replay);
    char path[PATH_MAX];
    struct err e = ERR_INIT;

    r->values = values;
    bool ok = realpath(folder, path) != NULL || err_set_errno(&e, ERR_IO, errno, "%s", folder);
    ok = ok && (duration_parse(str_of(values->patience), true, &r->patience_ns, &e) ||
                err_wrap(&e, "--patience"));
    if (ok) {
        r->path = str_of(path);
        name_position(r, r->path);
        ok = net_init(&net, &e) && run_replay(r, &e);
    }
    int status = ok ? CLI_OK : cli_fail(&r->place, &e);
    config_unref(r->config);
    place_release(&r->place);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {.patience = "5m"};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder of a log");
    }
    if (values.to == NULL) {
        return cli_usage_error(command,
                               "--to NAME says which exporter of the config gets the records");
    }
    if (values.remove && (values.texts.from_seq != NULL || values.texts.since != NULL)) {
        return cli_usage_error(command,
                               "--remove takes out from the front: without --from-seq and --since");
    }
    return replay(&values, argv[first]);
}

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct values, config),
     .help = "The config that has the exporter; default: telex.yaml where you are."},
    {.name = "to",
     .value = "NAME",
     .offset = offsetof(struct values, to),
     .help = "The exporter that gets the records."},
    {.name = "consumer",
     .value = "NAME",
     .offset = offsetof(struct values, texts.consumer),
     .help = "Only what this consumer has still to get."},
    {.name = "from-seq",
     .value = "N",
     .offset = offsetof(struct values, texts.from_seq),
     .help = "From this frame on."},
    {.name = "to-seq",
     .value = "N",
     .offset = offsetof(struct values, texts.to_seq),
     .help = "Up to this frame."},
    {.name = "since",
     .value = "TIME",
     .offset = offsetof(struct values, texts.since),
     .help = "What came since then: 2026-01-31T12:00:00Z, Unix seconds, or 2h for two hours ago."},
    {.name = "limit",
     .value = "N",
     .offset = offsetof(struct values, texts.limit),
     .help = "At most so many frames."},
    {.name = "patience",
     .value = "TIME",
     .offset = offsetof(struct values, patience),
     .help = "How long a frame is tried again before the replay stops; default: 5m."},
    {.name = "remove",
     .offset = offsetof(struct values, remove),
     .help = "What was given leaves the log; what is refused again stays, with the new reason."},
    {.name = "anew",
     .offset = offsetof(struct values, anew),
     .help = "Begin at the front, whatever an interrupted replay left."},
};

const struct cli_command command_queue_replay = {
    .name = "queue replay",
    .usage = "[-c FILE] --to NAME [--remove] [OPTION...] FOLDER",
    .help = "give records of a log, or dead letters, to an exporter",
    .details =
        "Delivers what a log or a folder of dead letters holds through an exporter of the config, in order, with its "
        "retries, combinators and conditions. Without `--remove` nothing leaves the log, and a folder in use can be read; "
        "how far it came stands in the folder, so that a replay that was interrupted goes on there. With `--remove` it "
        "refuses a folder that a running Telex has open.\n\n"
        "Exit status: 0 when every record was delivered or refused, 1 when it stopped before that, 2 when the command "
        "line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
