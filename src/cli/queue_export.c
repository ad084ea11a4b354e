/*
 * queue export: records of a log as JSON lines, or frames as files of their own.
 */
#include "base/mem.h"
#include "cli/place.h"
#include "cli/queue.h"
#include "wire/json.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

struct values {
    struct queue_texts texts;
    const char *format;
    const char *output;
    bool reasons;
};

struct job;

/* A form of output: one record after the other goes to its function. */
struct form {
    const char *name;
    bool (*put)(struct job *job, const struct log_view_frame *f, const struct queue_record *r,
                struct err *e);
    bool needs_folder;
};

struct job {
    const struct form *form;
    struct log_view *view;
    bool is_dead;
    bool reasons;
    const char *output; /* a file, or a folder; NULL: standard output */
    struct queue_choice choice;
    struct meter progress;
    FILE *file;
    struct buf line;
    uint64_t frames; /* given */
    uint64_t rows;
    uint64_t passed; /* chosen, but not to be had in this form */
};

/* ---- JSON lines ---- */

/* Writes what stands in <line>, with the reason around it where that is wanted. */
static bool put_line(struct job *job, const struct queue_record *r, struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    if (job->reasons) {
        buf_add_text(&head, "{\"reason\":");
        json_print_str(&head, r->reason);
        buf_add_text(&head, ",\"record\":");
    }
    buf_add_text(&job->line, job->reasons ? "}\n" : "\n");
    bool ok = fwrite(buf_str(&head).ptr, 1, head.len, job->file) == head.len &&
              fwrite(job->line.ptr, 1, job->line.len, job->file) == job->line.len;
    buf_clear(&job->line);
    job->rows++;
    return ok || err_set_errno(e, ERR_IO, errno, "cannot write %s",
                               job->output != NULL ? job->output : "to standard output");
}

static bool put_json(struct job *job, const struct log_view_frame *f, const struct queue_record *r,
                     struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};
    bool ok = true;

    (void)f;
    if (r->batch == NULL) {
        job->passed++;
        return true;
    }
    if (!record_objects_init(&objects, view_all(r->batch), e)) {
        return false;
    }
    for (uint32_t row = 0; ok && row < objects.view.n; row++) {
        uint32_t count = record_objects_count(&objects, row);
        for (uint32_t i = 0; ok && i < count; i++) {
            record_objects_add(&objects, row, i, &job->line);
            ok = put_line(job, r, e);
        }
    }
    return ok;
}

/* ---- a file for each frame ---- */

static bool put_file(const struct job *job, const struct log_view_frame *f, const char *extension,
                     struct str bytes, struct err *e)
{
    char path[PATH_MAX];
    int fd = -1;
    struct iovec part = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    const struct fs *fs = fs_system();

    (void)snprintf(path, sizeof(path), "%s/%020" PRIu64 ".%s", job->output, f->seq, extension);
    int result = fs->ops->open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNCATE, &fd);
    if (result == 0) {
        result = fs->ops->pwritev(fs, fd, &part, 1, 0);
        (void)fs->ops->close(fs, fd);
    }
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot write %s", path);
}

static bool put_raw(struct job *job, const struct log_view_frame *f, const struct queue_record *r,
                    struct err *e)
{
    (void)r;
    return put_file(job, f, "frame", f->payload, e);
}

/* The body of a remote write request, as it can be posted. */
static bool put_remote_write(struct job *job, const struct log_view_frame *f,
                             const struct queue_record *r, struct err *e)
{
    struct str body;

    if (r->batch == NULL || batch_codec(r->batch) != &codec_rw1) {
        job->passed++;
        return true;
    }
    if (!batch_encoded(r->batch, &body, e)) {
        return false;
    }
    job->rows += batch_rows(r->batch);
    return put_file(job, f, "rw", body, e);
}

static const struct form forms[] = {
    {"jsonl", put_json, false}, {"remote-write", put_remote_write, true}, {"raw", put_raw, true}};

/* ---- the walk ---- */

static bool visit_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct job *job = arg;
    struct queue_record r = {0};
    struct err why = ERR_INIT;

    if (job->frames >= job->choice.limit || !queue_is_chosen(&job->choice, f)) {
        return true;
    }
    job->frames++;
    if (!queue_record_read(job->is_dead, f, &r, &why)) {
        fprintf(stderr, "telex queue export: frame %" PRIu64 ": %s\n", f->seq, why.message);
        job->passed++;
        return true;
    }
    bool ok = job->form->put(job, f, &r, e);
    queue_record_release(&r);
    return ok;
}

static void show_progress(void *arg, int64_t done_bytes, int64_t bytes)
{
    struct job *job = arg;

    meter_show(&job->progress, done_bytes, bytes);
}

static bool open_output(struct job *job, struct err *e)
{
    if (job->form->needs_folder) {
        return fs_make_path(fs_system(), str_of(job->output), e);
    }
    job->file = job->output != NULL ? fopen(job->output, "we") : stdout;
    return job->file != NULL || err_set_errno(e, ERR_IO, errno, "cannot write %s", job->output);
}

/* What was buffered counts too. */
static bool close_output(struct job *job, struct err *e)
{
    if (job->file == NULL) {
        return true;
    }
    bool ok = fflush(job->file) == 0;
    ok = (job->file == stdout || fclose(job->file) == 0) && ok;
    return ok || err_set_errno(e, ERR_IO, errno, "cannot write %s",
                               job->output != NULL ? job->output : "to standard output");
}

static bool walk(struct job *job, struct err *e)
{
    struct log_walk walk = {.arg = job,
                            .frame = visit_frame,
                            .progress = show_progress,
                            .from_seq = job->choice.from_seq};

    meter_begin(&job->progress, "exporting");
    bool ok = log_view_walk(job->view, &walk, e);
    meter_end(&job->progress);
    struct err unused = ERR_INIT;
    return close_output(job, ok ? e : &unused) && ok;
}

static int export_log(const char *path, const struct values *values, const struct form *form)
{
    struct job job = {.form = form, .output = values->output, .reasons = values->reasons};
    struct err e = ERR_INIT;

    job.line = BUF_INIT(BUF_UNLIMITED);
    bool ok = log_view_open(fs_system(), str_of(path), &job.view, &e) &&
              queue_choose(&values->texts, job.view, &job.choice, &e) && open_output(&job, &e);
    if (ok) {
        job.is_dead = queue_is_dead(job.view);
        ok = walk(&job, &e);
        fprintf(stderr, "%" PRIu64 " frame%s, %" PRIu64 " record%s", job.frames,
                cli_plural(job.frames), job.rows, cli_plural(job.rows));
        fprintf(stderr, job.passed > 0 ? "; %" PRIu64 " frames have no such form\n" : "\n",
                job.passed);
    }
    buf_release(&job.line);
    queue_choice_release(&job.choice);
    log_view_close(job.view);
    return ok ? CLI_OK : cli_fail(NULL, &e);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {.format = "jsonl"};
    size_t form = 0;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder of a log");
    }
    while (form < ARRAY_LEN(forms) && strcmp(forms[form].name, values.format) != 0) {
        form++;
    }
    if (form == ARRAY_LEN(forms)) {
        return cli_usage_error(command, "--format is jsonl, remote-write or raw, not '%s'",
                               values.format);
    }
    if (forms[form].needs_folder && values.output == NULL) {
        return cli_usage_error(command, "--format %s needs --output FOLDER for its files",
                               values.format);
    }
    return export_log(argv[first], &values, &forms[form]);
}

static const struct cli_option options[] = {
    {.name = "format",
     .value = "FORM",
     .offset = offsetof(struct values, format),
     .help =
         "`jsonl`: records as JSON lines (default); `remote-write`: bodies of requests, a file each; `raw`: "
         "frames' payloads, a file each."},
    {.name = "output",
     .letter = 'o',
     .value = "PATH",
     .offset = offsetof(struct values, output),
     .help = "The file to write, or the folder where there are several; default: standard output."},
    {.name = "reasons",
     .offset = offsetof(struct values, reasons),
     .help = "Put each dead letter's record into an object with its reason."},
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
};

const struct cli_command command_queue_export = {
    .name = "queue export",
    .usage = "[OPTION...] FOLDER",
    .help = "records of a log on disk, as JSON lines or as files",
    .details =
        "Writes what a log or a folder of dead letters holds. Nothing is locked or changed, so a folder in use can be "
        "read. Damaged ranges are passed over; `queue inspect` lists them. What a frame holds that has no such form is "
        "counted on standard error.\n\n"
        "Exit status: 0 when all that could be read was written, 1 when something failed, 2 when the command line is "
        "wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
