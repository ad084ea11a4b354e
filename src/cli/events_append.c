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
#include "cli/place.h"
#include "wire/event_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20, TEXT_MAX = 512 << 20, ROW_MS = 60000 };

struct values {
    const char *config;
    const char *type;
    const char *source;
    const char *id;
    const char *subject;
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

static bool append_text(struct job *job, struct str text, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct events events = {0};

    arena_init(&a, ARENA_UNLIMITED);
    if (!event_json_read(text, &job->names, &a, &events, e)) {
        e->pos.line += e->pos.line > 0 ? job->line : 0;
        return false;
    }
    job->line += lines_of(text);
    return append_events(job, &events, e);
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
    job->is_whole = job->is_whole || (job->line == 0 && !is_by_lines(lines));
    if (job->is_whole) {
        return true;
    }
    if (!append_text(job, lines, e)) {
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
    return str_trim(buf_str(&job->text)).len == 0 || append_text(job, buf_str(&job->text), e);
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
    mem_free(job);
}

static int append(const struct values *values, const char *path)
{
    struct job *job = mem_new(struct job);
    struct err e = ERR_INIT;

    job->fd = -1;
    job->text = BUF_INIT(TEXT_MAX);
    bool ok = open_input(job, path, &e) && place_enter(values->config, &job->place, &e) &&
              open_table(job, &e);
    if (ok) {
        set_names(job, values);
        ok = append_all(job, &e);
        if (!ok) {
            (void)err_in_file(&e, str_of(path));
        }
        fprintf(stderr, "%" PRIu64 " new, %" PRIu64 " known already\n", job->fresh, job->known);
    }
    int status = ok ? CLI_OK : cli_fail(&job->place, &e);
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
        "appended again, so a file may be given twice: with how many were new and how many known it ends.\n\n"
        "Exit status: 0 when all are on disk, 1 when not (what is counted is), 2 when the command line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
