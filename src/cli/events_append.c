/*
 * events append: events of a file or of standard input into our own table, also while Telex runs.
 *
 * Objects that stand on one line each are appended as they are read, so a pipe may stay open for as long as it
 * likes; anything else (an array, objects over several lines) is read to its end first.
 */
#include "app/environment.h"
#include "app/event_store.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cli/events.h"
#include "cli/events_rejects.h"
#include "cli/place.h"
#include "state/stream_positions.h"
#include "wire/event_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 20,
    TEXT_MAX = 512 << 20,
    ROW_MS = 60000,
    SOME_SKIPPED = 3, /* the exit status: all but bad lines are on disk */
};

struct values {
    const char *config;
    const char *type;
    const char *source;
    const char *id;
    const char *subject;
    const char *rejects;
    bool skip_bad;
};

struct job {
    struct event_json_names names;
    struct place place;
    struct config *config;
    struct environment environment;
    struct event_table *table;
    int fd;
    struct buf text; /* read and not appended */
    uint32_t line;   /* lines that were appended */
    bool is_whole;   /* nothing is appended before the end */
    bool skips_bad;  /* each line stands alone, and what is no event is left out */
    struct str path;
    struct rejects rejects;
    uint64_t fresh;
    uint64_t known;
};

/* ---- a piece ---- */

static bool append_events(struct job *job, const struct events *events, struct err *e)
{
    struct wait wait = {clock_deadline_ms(clock_system(), ROW_MS), NULL};
    struct event_appended ret = {0};

    if (events->count > 0 && !event_table_append_wait(job->table, events, wait, &ret, e)) {
        return false;
    }
    job->fresh += ret.fresh;
    job->known += ret.known;
    return true;
}

static uint32_t lines_of(struct str text)
{
    uint32_t lines = 0;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.ptr[i] == '\n';
    }
    return lines;
}

static bool is_readable(struct job *job, struct str text, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct events events = {0};

    arena_init(&a, ARENA_UNLIMITED);
    return event_json_read(text, &job->names, &a, &events, e);
}

static struct str first_line(struct str text)
{
    size_t end = str_find_byte(text, '\n');

    return str_slice(text, 0, end < text.len ? end + 1 : end);
}

/* Lines up to the first that is no event by itself. */
static struct str good_lines(struct job *job, struct str text)
{
    size_t len = 0;

    while (len < text.len) {
        struct str line = first_line(str_slice(text, len, text.len));
        struct err ignored = ERR_INIT;
        if (str_trim(line).len > 0 && !is_readable(job, line, &ignored)) {
            break;
        }
        len += line.len;
    }
    return str_slice(text, 0, len);
}

/* What stands in the lines before <line>, as far as these are events; an object that is not at its end may begin among them. */
static void append_before(struct job *job, struct str text, uint32_t line)
{
    AUTO(arena_release) struct arena a;
    struct events events = {0};
    struct err ignored = ERR_INIT;
    size_t len = 0;

    while (line > 1 && len < text.len) {
        line -= text.ptr[len++] == '\n';
    }
    if (job->is_whole || line > 1) {
        return;
    }
    struct str before = str_slice(text, 0, len);
    if (!is_readable(job, before, &ignored)) {
        before = good_lines(job, before);
    }
    arena_init(&a, ARENA_UNLIMITED);
    if (before.len > 0 && event_json_read(before, &job->names, &a, &events, &ignored)) {
        (void)append_events(job, &events, &ignored); /* the error that is told is the line's */
    }
}

/* ---- lines of which some may be bad ---- */

/* "... at byte 17", which is one of what was read at once and not of the file. */
static void cut_offset(char *message)
{
    static const char words[] = " at byte ";
    char *last = NULL;

    for (char *at = strstr(message, words); at != NULL; at = strstr(at + 1, words)) {
        last = at;
    }
    if (last != NULL) {
        *last = '\0';
    }
}

/* Line and column say where it is; where all of a line is bad, that is from its beginning on. */
static void be_of_line(struct err *why, uint32_t line)
{
    why->context[0] = '\0';
    cut_offset(why->message);
    why->pos.line = line;
    why->pos.column = why->pos.column > 0 ? why->pos.column : 1;
}

static bool reject(struct job *job, struct str line, struct err *why, struct err *e)
{
    be_of_line(why, job->line + 1);
    (void)err_in_file(why, job->path);
    if (!rejects_add(&job->rejects, line, why, e)) {
        return false;
    }
    job->line++;
    return true;
}

/* An event that is JSON and breaks a rule of events has a number alone: the line of the first such one, and its error. */
static void find_bad(struct job *job, struct str text, struct err *e)
{
    struct str rest = text;

    for (uint32_t number = 1; rest.len > 0; number++) {
        struct str line = first_line(rest);
        struct err why = ERR_INIT;
        if (str_trim(line).len > 0 && !is_readable(job, line, &why)) {
            if (why.pos.line == 0) { /* else it goes over lines, and none of them says anything */
                be_of_line(&why, number);
                *e = why;
            }
            return;
        }
        rest = str_slice(rest, line.len, rest.len);
    }
}

/* Is the first line an object of its own? */
static bool is_by_lines(struct str text)
{
    AUTO(arena_release) struct arena a;
    struct err ignored = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    return event_json_look(str_slice(text, 0, str_find_byte(text, '\n')), &a, &ignored) !=
           EVENT_JSON_BROKEN;
}

/* The line that stands in the file; which event of what was read at once it is says nothing. */
static void tell_line(struct job *job, struct str text, struct err *e)
{
    if (e->pos.line > 0 && is_by_lines(text)) {
        be_of_line(e, e->pos.line);
    }
    e->pos.line += e->pos.line > 0 ? job->line : 0;
}

static bool append_text(struct job *job, struct str text, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct events events = {0};

    arena_init(&a, ARENA_UNLIMITED);
    if (!event_json_read(text, &job->names, &a, &events, e)) {
        if (e->pos.line == 0 && !job->is_whole) {
            find_bad(job, text, e);
        }
        append_before(job, text, e->pos.line);
        tell_line(job, text, e);
        return false;
    }
    job->line += lines_of(text);
    return append_events(job, &events, e);
}

/* Appends the lines up to the first bad one, which is left out; *ret_rest is what stands behind it. */
static bool append_to_bad(struct job *job, struct str text, struct str *ret_rest, struct err *e)
{
    struct str rest = text;
    struct str line = STR("");
    struct err why = ERR_INIT;
    bool is_bad = false;

    while (rest.len > 0 && !is_bad) {
        line = first_line(rest);
        is_bad = str_trim(line).len > 0 && !is_readable(job, line, &why);
        rest = str_slice(rest, line.len, rest.len);
    }
    struct str good = str_slice(text, 0, text.len - rest.len - (is_bad ? line.len : 0));
    *ret_rest = rest;
    return (good.len == 0 || append_text(job, good, e)) && (!is_bad || reject(job, line, &why, e));
}

/* As append_text(), but without what is no event. Most texts have no bad line and are read once. */
static bool append_good(struct job *job, struct str text, struct err *e)
{
    struct err ignored = ERR_INIT;

    if (!job->skips_bad || is_readable(job, text, &ignored)) {
        return append_text(job, text, e);
    }
    while (text.len > 0) {
        if (!append_to_bad(job, text, &text, e)) {
            return false;
        }
    }
    return true;
}

/* Appends the lines that are complete. */
static bool append_lines(struct job *job, struct err *e)
{
    struct str text = buf_str(&job->text);
    size_t len = text.len;

    while (len > 0 && text.ptr[len - 1] != '\n') {
        len--;
    }
    struct str lines = str_slice(text, 0, len);
    if (str_trim(lines).len == 0) {
        return true;
    }
    job->is_whole = job->is_whole || (job->line == 0 && !job->skips_bad && !is_by_lines(lines));
    if (job->is_whole) {
        return true;
    }
    if (!append_good(job, lines, e)) {
        return false;
    }
    size_t left = text.len - len;
    memmove(job->text.ptr, job->text.ptr + len, left);
    buf_truncate(&job->text, left);
    return true;
}

/* ---- all of it ---- */

static bool read_some(struct job *job, bool *ret_end, struct err *e)
{
    char *room = buf_reserve(&job->text, READ_BYTES);

    if (room == NULL) {
        return err_set(e, ERR_LIMIT,
                       "more than %d bytes without an event of one line; give events as JSON lines",
                       TEXT_MAX);
    }
    ssize_t got = read(job->fd, room, READ_BYTES);
    if (got < 0 && errno != EINTR) {
        return err_set_errno(e, ERR_IO, errno, "reading");
    }
    buf_added(&job->text, got > 0 ? (size_t)got : 0);
    *ret_end = got == 0;
    return true;
}

static bool append_all(struct job *job, struct err *e)
{
    bool is_end = false;

    while (!is_end) {
        if (!read_some(job, &is_end, e) || (!is_end && !append_lines(job, e))) {
            return false;
        }
    }
    return str_trim(buf_str(&job->text)).len == 0 || append_good(job, buf_str(&job->text), e);
}

static bool open_input(struct job *job, const char *path, struct err *e)
{
    job->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    return job->fd >= 0 || err_set_errno(e, ERR_IO, errno, "%s", path);
}

static bool open_table(struct job *job, struct err *e)
{
    const struct config_environment environment = config_process_environment();
    struct printer printer = {&job->place};
    struct problems problems = printer_problems(&printer);

    if (!config_load(str_of(job->place.config), &environment, &problems, &job->config, e)) {
        return false;
    }
    environment_init(&job->environment, job->config, STDERR_FILENO);
    return fs_make_path(fs_system(), job->config->settings.state.path, e) &&
           event_store_open(&job->environment.env, job->config, true, &job->table, e);
}

/* ---- who delivers it ---- */

static bool has_started(const struct stream_row *rows, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(rows[i].name, name)) {
            return rows[i].place.position.len > 0;
        }
    }
    return false;
}

/* What is in the table at a stream's first start is its backfill's, or nobody's. */
static void warn_of_first_start(struct job *job, const struct stream_row *rows, size_t count,
                                struct problems *problems)
{
    const struct streams_config *streams = &job->config->streams;

    for (size_t i = 0; i < streams->count; i++) {
        const struct stream_config *s = &streams->items[i];
        struct err e = ERR_INIT;
        if (!s->options.enabled || !source_kind_is_own(s->kind) || s->options.backfill.enabled ||
            has_started(rows, count, s->name)) {
            continue;
        }
        (void)yaml_key_err(
            s->node, &e, ERR_CONFIG,
            "stream '%.*s' never ran: it will begin with what comes after its first start, and "
            "deliver nothing of what is appended now; with `backfill: { enabled: true }` it does",
            STR_FMT(s->name));
        problems_warning(problems, &e);
    }
}

static void warn(struct job *job)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct printer printer = {&job->place};
    struct problems problems = printer_problems(&printer);
    struct stream_row *rows = NULL;
    struct err ignored = ERR_INIT;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    buf_addf(&path, "%.*s/streams.db", STR_FMT(job->config->settings.state.path));
    if (stream_positions_peek(buf_str(&path), &a, &rows, &count, &ignored)) {
        warn_of_first_start(job, rows, count, &problems);
    }
}

static void set_names(struct job *job, const struct values *v)
{
    const struct receive_config *receive = &job->config->settings.receive;

    job->names = (struct event_json_names){
        .type = v->type != NULL ? str_of(v->type) : receive->events_type,
        .source = v->source != NULL ? str_of(v->source) : receive->events_source,
        .id = v->id != NULL ? str_of(v->id) : STR(""),
        .subject = v->subject != NULL ? str_of(v->subject) : STR(""),
        .has_time = true,
        .time_ns = clock_wall_ns(clock_system()),
    };
    job->is_whole = v->id != NULL; /* numbered through */
    job->skips_bad = v->skip_bad || v->rejects != NULL;
}

static void job_end(struct job *job)
{
    event_table_close(job->table);
    if (job->config != NULL) {
        environment_release(&job->environment);
    }
    config_unref(job->config);
    place_release(&job->place);
    buf_release(&job->text);
    if (job->fd > STDIN_FILENO) {
        (void)close(job->fd);
    }
    if (job->rejects.fd >= 0) {
        (void)close(job->rejects.fd);
    }
    mem_free(job);
}

/* How it ended, and how many were what. */
static bool tell(struct job *job, bool ok, struct err *e)
{
    struct err rejects = ERR_INIT;
    bool is_kept = rejects_end(&job->rejects, &rejects);

    fprintf(stderr, "%" PRIu64 " new, %" PRIu64 " known already", job->fresh, job->known);
    if (job->skips_bad) {
        fprintf(stderr, ", %" PRIu64 " bad", job->rejects.count);
    }
    fprintf(stderr, "\n");
    if (ok && !is_kept) {
        *e = rejects;
    }
    return ok && is_kept;
}

static int append(const struct values *values, const char *path)
{
    struct job *job = mem_new(struct job);
    struct err e = ERR_INIT;

    job->fd = -1;
    job->rejects.fd = -1;
    job->path = str_of(path);
    job->text = BUF_INIT(TEXT_MAX);
    bool ok = open_input(job, path, &e) && rejects_open(&job->rejects, values->rejects, &e) &&
              place_enter(values->config, &job->place, &e) && open_table(job, &e);
    if (ok) {
        set_names(job, values);
        warn(job);
        ok = append_all(job, &e);
        if (!ok) {
            (void)err_in_file(&e, job->path);
        }
        ok = tell(job, ok, &e);
    }
    bool is_all = job->rejects.count == 0;
    int status = !ok ? cli_fail(&job->place, &e) : is_all ? CLI_OK : SOME_SKIPPED;
    job_end(job);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 < argc) {
        return cli_usage_error(command, "expected one file, or - for standard input");
    }
    if (values.id != NULL && (values.skip_bad || values.rejects != NULL)) {
        return cli_usage_error(
            command,
            "--id counts the events of the whole text, and a bad line would shift it: with "
            "--skip-bad and --rejects leave --id out");
    }
    return append(&values, first < argc ? argv[first] : "-");
}

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct values, config),
     .help = "The config whose state folder has the table; default: telex.yaml where you are."},
    {.name = "type",
     .value = "TYPE",
     .offset = offsetof(struct values, type),
     .help = "Type of plain objects; default: `receive.events_type`."},
    {.name = "source",
     .value = "URI",
     .offset = offsetof(struct values, source),
     .help = "Source of plain objects; default: `receive.events_source`."},
    {.name = "id",
     .value = "ID",
     .offset = offsetof(struct values, id),
     .help =
         "Id of the first plain object, the second has ID/2, and so on; default: a hash of each."},
    {.name = "subject",
     .value = "TEXT",
     .offset = offsetof(struct values, subject),
     .help = "Subject of plain objects."},
    {.name = "skip-bad",
     .offset = offsetof(struct values, skip_bad),
     .help =
         "Leave out lines that are no events, with their numbers and reasons on standard error; the text is JSON "
         "lines then."},
    {.name = "rejects",
     .value = "FILE",
     .offset = offsetof(struct values, rejects),
     .help = "The same, and add these lines to FILE as they are, to be mended and appended later."},
};

const struct cli_command command_events_append = {
    .name = "events append",
    .usage = "[-c FILE] [OPTION...] [FILE|-]",
    .help = "give events to Telex's own table",
    .details =
        "Appends events to the table in the state folder, which streams of the source `embedded` deliver from; also "
        "while Telex runs, and it need not take events over HTTP. The text is a JSON object, an array of objects, or an object on "
        "each line, from a file or standard input; what has a member `specversion` is a CloudEvent, any other object becomes the "
        "data of one. JSON lines are appended as they are read. An event whose source and id are in the table already is not "
        "appended again, so a file may be given twice: with how many were new and how many known it ends. That is also how one goes on after an interruption.\n\n"
        "The first bad line ends it, with all before it on disk, unless --skip-bad or --rejects is said.\n\n"
        "Exit status: 0 when all are on disk, 1 when not (what is counted is), 2 when the command line is wrong, 3 when all but "
        "bad lines are.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
