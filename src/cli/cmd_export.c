/*
 * export: a file of records, given once to an exporter of a config.
 *
 * The whole file is read and checked before anything is sent, so a mistake in it costs nothing. Then its
 * records go out in order, through the exporter's stages, retries and conditions, while the command waits.
 */
#include "app/environment.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timetext.h"
#include "cli/export_show.h"
#include "cli/place.h"
#include "export/one_shot.h"
#include "net/net.h"
#include "wire/record_json.h"
#include "wire/record_text.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX ((size_t)4 << 30)

struct values {
    const char *config;
    const char *to;
    const char *format;
    const char *time;
    const char *skip;
    const char *patience;
    const char *refused;
    const char *raw;
    bool check;
    bool dry_run;
};

struct job {
    const struct values *values;
    struct place place;
    struct config *config;
    struct environment environment;
    struct one_shot *shot;
    struct export_show show;
    const struct record_text_format *format;
    struct buf text;
    int64_t now_ns;
    int64_t patience_ns;
    uint64_t skip; /* rows to pass over */
    uint64_t done; /* rows that have ended, those passed over too */
    FILE *refused;
    struct buf line;
};

/* ---- what is refused ---- */

static bool write_line(struct job *job, struct err *e)
{
    buf_add_byte(&job->line, '\n');
    bool ok = fwrite(job->line.ptr, 1, job->line.len, job->refused) == job->line.len;
    buf_clear(&job->line);
    return ok || err_set_errno(e, ERR_IO, errno, "cannot write %s", job->values->refused);
}

static bool write_records(struct job *job, struct view view, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};
    bool ok = record_objects_init(&objects, view, e);

    for (uint32_t i = 0; ok && i < view.n; i++) {
        uint32_t count = record_objects_count(&objects, i);
        for (uint32_t x = 0; ok && x < count; x++) {
            record_objects_add(&objects, i, x, &job->line);
            ok = write_line(job, e);
        }
    }
    return ok;
}

static bool refused(void *arg, struct view view, struct str output, struct str reason,
                    struct err *e)
{
    struct job *job = arg;

    fprintf(stderr, "refused by %.*s: %u record%s: %.*s\n", STR_FMT(output), view.n,
            view.n == 1 ? "" : "s", STR_FMT(reason));
    return job->refused == NULL || write_records(job, view, e);
}

/* ---- giving ---- */

static bool only_look(void *arg, struct batch *b, struct err *e)
{
    (void)arg;
    (void)b;
    (void)e;
    return true;
}

/* Batches are the same each time the file is read, so whole ones are passed over. */
static bool give(void *arg, struct batch *b, struct err *e)
{
    struct job *job = arg;
    const struct one_shot_refusal refusal = {refused, job};
    struct wait w = {clock_mono_ns(clock_system()) + job->patience_ns, NULL};

    if (job->done + batch_rows(b) > job->skip && !one_shot_deliver(job->shot, b, w, &refusal, e)) {
        return false;
    }
    job->done += batch_rows(b);
    return true;
}

/* ---- the parts ---- */

static bool read_all(const char *path, struct buf *out, struct err *e)
{
    if (strcmp(path, "-") != 0) {
        return fs_read_file(fs_system(), str_of(path), FILE_MAX, out, e);
    }
    while (!feof(stdin) && buf_ok(out)) {
        char *room = buf_reserve(out, BUF_SMALL);
        if (room == NULL) {
            return err_set(e, ERR_LIMIT, "standard input is larger than %zu bytes", FILE_MAX);
        }
        buf_added(out, fread(room, 1, BUF_SMALL, stdin));
        if (ferror(stdin)) {
            return err_set_errno(e, ERR_IO, errno, "standard input");
        }
    }
    return true;
}

static bool choose_format(struct job *job, const char *path, struct err *e)
{
    const char *name = job->values->format;

    job->format = name == NULL ? record_text_guess(str_of(path), buf_str(&job->text))
                               : record_text_find(str_of(name));
    return job->format != NULL ||
           err_set(e, ERR_CONFIG,
                   "--format '%s' is none of jsonl, prometheus, openmetrics, influx, remote_write",
                   name);
}

static bool read_values(struct job *job, struct err *e)
{
    const struct values *v = job->values;

    job->now_ns = clock_wall_ns(clock_system());
    if (v->time != NULL && !time_parse_any(str_of(v->time), &job->now_ns, e)) {
        return err_wrap(e, "--time");
    }
    if (v->skip != NULL && !number_parse_u64(str_of(v->skip), &job->skip)) {
        return err_set(e, ERR_CONFIG, "--skip '%s' is no number of records", v->skip);
    }
    return duration_parse(str_of(v->patience), true, &job->patience_ns, e) ||
           err_wrap(e, "--patience");
}

/* Reads the file through once, so that a mistake in it is told before anything was sent. */
static bool check_file(struct job *job, const char *path, struct err *e)
{
    const struct record_text_taker taker = {only_look, NULL};
    struct record_text_counts counts;

    if (!read_all(path, &job->text, e) || !choose_format(job, path, e)) {
        return false;
    }
    if (!record_text_read(job->format, buf_str(&job->text), job->now_ns, &taker, &counts, e)) {
        (void)err_in_file(e, str_of(path));
        return err_wrap(e, "reading it as %s, nothing was sent", job->format->name);
    }
    fprintf(stderr, "%" PRIu64 " record%s of format %s", counts.rows, cli_plural(counts.rows),
            job->format->name);
    if (counts.no_numbers > 0) {
        fprintf(stderr, "; %" PRIu64 " field%s with text instead of a number left out: no sample%s",
                counts.no_numbers, cli_plural(counts.no_numbers), cli_plural(counts.no_numbers));
    }
    fprintf(stderr, "\n");
    return true;
}

static bool open_target(struct job *job, struct err *e)
{
    const struct config_environment environment = config_process_environment();
    struct printer printer = {&job->place};
    struct problems problems = printer_problems(&printer);

    if (job->place.config[0] == '\0') {
        return err_set(e, ERR_CONFIG, "no config: name one with -c, for the exporters in it");
    }
    if (!config_load(str_of(job->place.config), &environment, &problems, &job->config, e)) {
        return false;
    }
    environment_init(&job->environment, job->config, STDERR_FILENO);
    int target = plan_find_target(&job->config->plan, str_of(job->values->to), e);
    const struct dry_run *dry = job->values->dry_run ? &job->show.dry : NULL;
    return target >= 0 && one_shot_open_dry(&job->environment.env, &job->config->plan,
                                            (unsigned)target, dry, &job->shot, e);
}

static bool open_refused(struct job *job, struct err *e)
{
    if (job->values->refused == NULL) {
        return true;
    }
    job->refused = fopen(job->values->refused, "we");
    return job->refused != NULL ||
           err_set_errno(e, ERR_IO, errno, "cannot make %s", job->values->refused);
}

static bool close_refused(struct job *job, bool ok, struct err *e)
{
    struct err later = ERR_INIT;

    if (job->refused != NULL && fclose(job->refused) != 0) {
        return err_set_errno(ok ? e : &later, ERR_IO, errno, "cannot write %s",
                             job->values->refused);
    }
    return ok;
}

static void tell(const struct job *job, bool ok)
{
    struct one_shot_counts n = one_shot_counts(job->shot);

    fprintf(stderr, "%" PRIu64 " record%s %s, %" PRIu64 " refused", n.delivered,
            cli_plural(n.delivered), job->values->dry_run ? "shown, nothing was sent" : "delivered",
            n.rejected);
    if (n.nobodys > 0) {
        fprintf(stderr, ", %" PRIu64 " that '%s' does not take", n.nobodys, job->values->to);
    }
    if (n.retries > 0) {
        fprintf(stderr, ", %" PRIu64 " retries", n.retries);
    }
    fprintf(stderr, "\n");
    if (!ok) {
        fprintf(stderr, "it goes on with --skip %" PRIu64 "\n", job->done);
    }
}

static bool send_all(struct job *job, struct err *e)
{
    const struct record_text_taker taker = {give, job};
    struct record_text_counts counts;
    struct err later = ERR_INIT;

    bool ok = record_text_read(job->format, buf_str(&job->text), job->now_ns, &taker, &counts, e);
    ok = one_shot_flush(job->shot, ok ? e : &later) && ok;
    ok = close_refused(job, ok, e);
    ok = export_show_end(&job->show, ok ? e : &later) && ok;
    tell(job, ok);
    return ok;
}

/* Everything found its place? */
static int status_of(const struct job *job)
{
    struct one_shot_counts n = one_shot_counts(job->shot);

    return n.rejected == 0 && n.nobodys == 0 ? CLI_OK : CLI_FAILED;
}

static int export_file(const struct values *values, const char *path)
{
    AUTO(net_release) struct net net = {0};
    AUTO(mem_autofree) struct job *job = mem_new(struct job);
    char absolute[PATH_MAX] = "-";
    struct err e = ERR_INIT;

    job->values = values;
    job->text = BUF_INIT(FILE_MAX);
    job->line = BUF_INIT(BUF_UNLIMITED);
    bool ok = strcmp(path, "-") == 0 || realpath(path, absolute) != NULL ||
              err_set_errno(&e, ERR_IO, errno, "%s", path);
    ok = ok && read_values(job, &e) && open_refused(job, &e) &&
         export_show_begin(&job->show, values->raw, &e) &&
         place_enter(values->config, &job->place, &e) && net_init(&net, &e) &&
         (values->check || open_target(job, &e)) && check_file(job, absolute, &e) &&
         (values->check || send_all(job, &e));
    int status = ok ? CLI_OK : cli_fail(&job->place, &e);
    if (ok && !values->check) {
        status = status_of(job);
    }
    one_shot_close(job->shot);
    if (job->config != NULL) {
        environment_release(&job->environment);
    }
    config_unref(job->config);
    place_release(&job->place);
    buf_release(&job->text);
    buf_release(&job->line);
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
        return cli_usage_error(command, "expected a file of records, or - for standard input");
    }
    if (values.to == NULL && !values.check) {
        return cli_usage_error(command,
                               "--to NAME says which exporter of the config gets the records");
    }
    return export_file(&values, argv[first]);
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
    {.name = "format",
     .value = "FORMAT",
     .offset = offsetof(struct values, format),
     .help = "jsonl, prometheus, openmetrics, influx or remote_write; default: as the file's name "
             "ends, else as its text begins."},
    {.name = "time",
     .value = "TIME",
     .offset = offsetof(struct values, time),
     .help = "The time of records that have none: 2026-01-31T12:00:00Z or Unix seconds; default: "
             "now. With it, a file that is given twice gives the same records."},
    {.name = "skip",
     .value = "N",
     .offset = offsetof(struct values, skip),
     .help =
         "Pass over so many records, as an export that stopped says; batches are passed over whole."},
    {.name = "patience",
     .value = "TIME",
     .offset = offsetof(struct values, patience),
     .help = "How long a batch is tried again before the export stops; default: 5m."},
    {.name = "refused",
     .value = "FILE",
     .offset = offsetof(struct values, refused),
     .help = "Write the records that the destination refuses to this file, as JSON lines."},
    {.name = "dry-run",
     .offset = offsetof(struct values, dry_run),
     .help =
         "Send nothing: print each request as it would be sent, with its method, URL, headers (secrets "
         "replaced) and bytes; text as it is, all else in hexadecimal. Of a database the transactions, "
         "as a script of its shell; of Kafka topic, key, headers and value of each message."},
    {.name = "raw",
     .value = "FILE",
     .offset = offsetof(struct values, raw),
     .help = "With --dry-run: write the bytes to this file instead."},
    {.name = "check",
     .offset = offsetof(struct values, check),
     .help = "Only read the file and say what is in it."},
};

const struct cli_command command_export = {
    .name = "export",
    .usage = "[-c FILE] --to NAME [OPTION...] FILE",
    .help = "give a file of records to an exporter, once",
    .details =
        "Delivers the records of a file, or of standard input when it is `-`, through an exporter of the config, in order, "
        "with its retries, combinators and conditions, and waits until all have ended. Nothing goes through the log "
        "of a running Telex. The file is checked as a whole before anything is sent.\n\n"
        "JSON lines are those that the exporters `file` and `webhook` write: samples as {\"kind\": \"sample\", "
        "\"name\", \"labels\", \"value\", \"timestamp\"} and alerts as {\"alert_name\", \"timestamp\", \"value\", "
        "\"labels\", \"annotations\", \"state\"}, profiles and spans with their fields as members and \"kind\": \"profile\" "
        "or \"span\"; an array of such objects is taken too. A numeric field of line protocol is a "
        "sample called as its measurement, with `_FIELD` behind it unless the field is `value`.\n\n"
        "Exit status: 0 when every record was delivered, 1 when some were refused or not taken, or when it stopped "
        "before the end (it then says how to go on), 2 when the command line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
