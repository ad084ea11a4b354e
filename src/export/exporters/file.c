/* Files of records: JSON lines, CSV or Parquet, one for ever or one after the other. */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "export/dry_run.h"
#include "export/exporter_options.h"
#include "export/file_sink.h"
#include "export/payload.h"
#include "export/spool_lines.h"
#include "wire/record_json.h"

/* The order of the choices. */
enum rotation { ROTATION_AUTO, ROTATION_NONE, ROTATION_TIME, ROTATION_SIZE, ROTATION_BOTH };

/* Then enum file_packing. */
enum { COMPRESSION_AUTO, COMPRESSION_FIRST };

struct file_config {
    struct exporter_common common;
    struct str output_directory;
    struct str filename;
    int file_format; /* enum file_format */
    int rotation;    /* enum rotation */
    int compression;
    int64_t rotation_interval_ns;
    int64_t max_file_size;
    struct str filename_template;
    const struct yaml_node *serializer; /* or NULL */
};

static const char *const rotations[] = {"auto", "none", "time", "size", "both", NULL};
static const char *const compressions[] = {"auto", "none", "gzip", "zstd", "snappy", NULL};
_Static_assert(PACKING_NONE == 0 && PACKING_GZIP == 1 && PACKING_ZSTD == 2 && PACKING_SNAPPY == 3,
               "the choices stand in the order of the enum");

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "output_directory",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct file_config, output_directory),
     .help = "The folder of the files; it is made when it is not there. A relative path is taken "
             "from the config's folder."},
    {.name = "filename",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, filename),
     .help =
         "The file's name; the exporter's name and `.jsonl` when absent. With rotation, `{name}` "
         "of `filename_template`."},
    {.name = "file_format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct file_config, file_format),
     .fallback = "jsonl",
     .choices = file_format_names,
     .help =
         "What files hold: `jsonl`, an object per line; `csv`, a line per record below a line of "
         "names; `parquet`, columns. The last two have a column for each member of any record of "
         "the file, those of `labels` as `labels.NAME`."},
    {.name = "rotation_policy",
     .type = OPTION_ENUM,
     .offset = offsetof(struct file_config, rotation),
     .fallback = "auto",
     .choices = rotations,
     .help = "When a file is complete and the next begins: by `time`, by `size`, or whichever is "
             "first (`both`). `none` is one file that grows for ever, of JSON lines without "
             "compression. `auto`: `time` where anything else is asked for, else `none`."},
    {.name = "rotation_interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct file_config, rotation_interval_ns),
     .fallback = "1h",
     .min = 1,
     .max = 366.0 * 86400,
     .help = "The time of a file, by the clock: `1h` ends with each full hour (UTC)."},
    {.name = "max_file_size",
     .type = OPTION_BYTES,
     .offset = offsetof(struct file_config, max_file_size),
     .fallback = "100MB",
     .min = 1024,
     .max = 1e12,
     .help = "The size of a file, as JSON lines before they are converted or compressed."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = offsetof(struct file_config, compression),
     .fallback = "auto",
     .choices = compressions,
     .help = "Compress files that are complete: `gzip` or `zstd`, of Parquet its pages, there also "
             "`snappy`. `auto`: `zstd` for Parquet, else `none`."},
    {.name = "filename_template",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, filename_template),
     .help =
         "Names of files that are complete, from {timestamp} (when the file began: "
         "20240115T103000Z), {date}, {hour}, {unix}, {hostname}, {pid} and {name}; "
         "`{name}-{timestamp}` when absent. The extension may be left out. A name that is there "
         "already gets -1, -2 and so on."},
    {.name = "serializer",
     .type = OPTION_NODE,
     .offset = offsetof(struct file_config, serializer),
     .help = "What is written of a record in place of its own JSON: a map, nested at will, with "
             "templates over the record at its leaves (docs/templates.md)."},
};

static const struct option_table option_table = {
    .name = "exporter file",
    .help = "Records in files: JSON lines, CSV or Parquet, rotated and compressed.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct file_config),
};

/* ---- what a config comes to ---- */

static enum file_packing packing_of(const struct file_config *c)
{
    if (c->compression == COMPRESSION_AUTO) {
        return c->file_format == FORMAT_PARQUET ? PACKING_ZSTD : PACKING_NONE;
    }
    return (enum file_packing)(c->compression - COMPRESSION_FIRST);
}

static struct file_kind kind_of(const struct file_config *c)
{
    bool packs_pages = c->file_format == FORMAT_PARQUET;

    return (struct file_kind){(enum file_format)c->file_format,
                              packs_pages ? PACKING_NONE : packing_of(c)};
}

/* Is there anything that a file that grows for ever cannot have? */
static bool needs_rotation(const struct file_config *c)
{
    return c->file_format != FORMAT_JSONL || packing_of(c) != PACKING_NONE ||
           c->filename_template.len > 0;
}

static enum rotation rotation_of(const struct file_config *c)
{
    if (c->rotation == ROTATION_AUTO) {
        return needs_rotation(c) ? ROTATION_TIME : ROTATION_NONE;
    }
    return (enum rotation)c->rotation;
}

static struct file_roll_config roll_of(const struct file_config *c)
{
    enum rotation rotation = rotation_of(c);

    return (struct file_roll_config){
        .pattern = c->filename_template.len > 0 ? c->filename_template : STR("{name}-{timestamp}"),
        .kind = kind_of(c),
        .pages = packing_of(c),
        .by_time = rotation == ROTATION_TIME || rotation == ROTATION_BOTH,
        .by_size = rotation == ROTATION_SIZE || rotation == ROTATION_BOTH,
        .interval_ns = c->rotation_interval_ns,
        .max_bytes = c->max_file_size,
    };
}

/* ---- checks ---- */

/* At the option's value, or at the exporter when it came from elsewhere. */
static bool err_option(const struct yaml_node *node, struct str name, struct err *e,
                       const char *message, struct str value)
{
    const struct yaml_node *at = yaml_get(node, name);

    return yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%.*s: '%.*s' %s", STR_FMT(name),
                    STR_FMT(value), message);
}

static bool check_template(const struct file_config *c, const struct yaml_node *node, struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("filename_template"));
    struct err why = ERR_INIT;

    return c->filename_template.len == 0 ||
           file_name_check(c->filename_template, kind_of(c), &why) ||
           yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "filename_template: %s", why.message);
}

static bool check_rotation(const struct file_config *c, const struct yaml_node *node, struct err *e)
{
    if (c->rotation == ROTATION_NONE && needs_rotation(c)) {
        return err_option(node, STR("rotation_policy"), e,
                          "leaves one file that grows for ever, which cannot be converted, "
                          "compressed or named by a template; expected time, size or both",
                          STR("none"));
    }
    return true;
}

static bool check_serializer(const struct file_config *c, struct err *e)
{
    if (c->serializer != NULL && c->serializer->kind != YAML_MAPPING) {
        return yaml_err(c->serializer, e, ERR_CONFIG,
                        "serializer is a map of what is to be written of each record");
    }
    return payload_check(c->serializer, e);
}

static bool check_names(const struct file_config *c, const struct yaml_node *node, struct err *e)
{
    struct str name = c->filename;

    if (str_find_byte(name, '/') < name.len || str_eq(name, STR(".")) || str_eq(name, STR(".."))) {
        return err_option(node, STR("filename"), e,
                          "is not the name of a file; folders go into output_directory", name);
    }
    if (c->file_format != FORMAT_PARQUET && packing_of(c) == PACKING_SNAPPY) {
        return err_option(node, STR("compression"), e,
                          "is for the pages of Parquet; expected gzip or zstd", STR("snappy"));
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct file_config *c = config;

    return check_names(c, node, e) && check_rotation(c, node, e) && check_template(c, node, e) &&
           check_serializer(c, e);
}

/* Does a name say when its file began? */
static bool names_differ(struct str pattern)
{
    static const struct str times[] = {STR_INIT("{timestamp}"), STR_INIT("{unix}"),
                                       STR_INIT("{hour}"), STR_INIT("{date}")};

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (str_find(pattern, times[i]) < pattern.len) {
            return true;
        }
    }
    return false;
}

static bool advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct file_config *c = config;
    const struct file_roll_config roll = roll_of(c);

    (void)node;
    if (rotation_of(c) == ROTATION_NONE) {
        return false;
    }
    if (!names_differ(roll.pattern)) {
        (void)err_set(
            e, ERR_CONFIG,
            "no part of '%.*s' is a time, so the second file gets -1, the third -2, and so "
            "on; say {timestamp} in it",
            STR_FMT(roll.pattern));
        return true;
    }
    return false;
}

/* ---- lines ---- */

/* What a leaf keeps. */
struct writer {
    struct spool_lines *spool; /* of a table; or NULL */
    struct payload *payload;   /* of a serializer; or NULL, and nothing below */
    struct payload_writer writer;
    const struct clock *clock;
    struct buf object;
};

static void close_state(void *state)
{
    struct writer *w = state;

    if (w->payload != NULL) {
        payload_writer_release(&w->writer);
        payload_free(w->payload);
    }
    spool_lines_free(w->spool);
    buf_release(&w->object);
    mem_free(w);
}

/* A serializer's lines have any form, and for who debugs each line is what it says. */
static bool has_short_lines(const struct file_config *c)
{
    return c->file_format != FORMAT_JSONL && c->serializer == NULL &&
           !c->common.debug.validate_schemas && !c->common.debug.refuse_invalid;
}

static void *open_state(const struct exporter_place *place, const void *config)
{
    const struct file_config *c = config;
    struct writer *w = mem_new(struct writer);
    struct err ignored = ERR_INIT; /* check() compiled it already */

    *w = (struct writer){.clock = place->env->clock, .object = BUF_INIT(BUF_UNLIMITED)};
    if (has_short_lines(c)) {
        size_t lanes = c->common.buffer.lanes > 1 ? (size_t)c->common.buffer.lanes : 1;
        w->spool = spool_lines_new(SPOOL_LINES_BYTES / lanes);
    }
    if (c->serializer != NULL && payload_compile(c->serializer, &w->payload, &ignored)) {
        payload_writer_init(&w->writer, w->payload);
    }
    return w;
}

static void begin_lines(void *state, uint64_t spool, int64_t at)
{
    struct writer *w = state;

    if (w->spool != NULL) {
        spool_lines_begin(w->spool, spool, at);
    }
}

static int64_t end_lines(void *state, bool is_there)
{
    struct writer *w = state;

    return w->spool != NULL ? spool_lines_end(w->spool, is_there) : 0;
}

/* Object <part> of a row; false when the templates make nothing of it. */
static bool add_object(struct record_objects *objects, uint32_t row, uint32_t part,
                       struct writer *s, struct buf *lines, struct err *e)
{
    if (s->spool != NULL) {
        spool_lines_add(s->spool, objects, row, part, lines);
        return true;
    }
    if (s->payload == NULL) {
        record_objects_add(objects, row, part, lines);
        buf_add_byte(lines, '\n');
        return true;
    }
    buf_clear(&s->object);
    record_objects_add(objects, row, part, &s->object);
    if (!payload_add(&s->writer, buf_str(&s->object), clock_wall_ns(s->clock), lines, e)) {
        return false;
    }
    buf_add_byte(lines, '\n');
    return true;
}

static void add_row(struct record_objects *objects, uint32_t row, struct writer *s,
                    struct buf *lines, struct outcome *out)
{
    uint32_t count = record_objects_count(objects, row);
    size_t start = lines->len;

    for (uint32_t i = 0; i < count; i++) {
        struct err e = ERR_INIT;
        if (!add_object(objects, row, i, s, lines, &e)) {
            buf_truncate(lines, start);
            outcome_except(out, row, VERDICT_REJECTED, e.message);
            return;
        }
    }
}

static bool next_lines(const void *config, void *state, struct view view, uint32_t *row,
                       struct buf *lines, struct outcome *out, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};

    (void)config;
    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    for (; *row < view.n && lines->len < FILE_SINK_BYTES; ++*row) {
        add_row(&objects, *row, state, lines, out);
    }
    return true;
}

static bool validate(const void *config, const struct sent_rows *sent, struct str lines,
                     struct err *e)
{
    const struct file_config *c = config;

    return c->serializer != NULL || validate_json(sent, lines, e);
}

static const struct file_exporter jsonl = {
    .next_lines = next_lines,
    .validate = validate,
    .begin_lines = begin_lines,
    .end_lines = end_lines,
    .open_state = open_state,
    .close_state = close_state,
};

/* ---- places ---- */

/* One that is written on the spot is called by its place: "both/file" makes both-file. */
static void add_name(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        buf_add_byte(out, name.ptr[i] != '/' ? name.ptr[i] : '-');
    }
}

/* Of files one after the other the name without what says what is in them. */
static void add_stem(struct str name, struct buf *out)
{
    AUTO(buf_release) struct buf extension = BUF_INIT(BUF_SMALL);
    struct file_kind kind;

    if (file_name_kind(name, &kind)) {
        file_name_add_extension(kind, &extension);
    }
    buf_add_str(out, str_slice(name, 0, name.len - extension.len));
}

static void add_file_name(const struct file_config *c, struct str exporter, struct buf *out)
{
    if (rotation_of(c) != ROTATION_NONE) {
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        add_name(&name, c->filename.len > 0 ? c->filename : exporter);
        add_stem(buf_str(&name), out);
    } else if (c->filename.len > 0) {
        buf_add_str(out, c->filename);
    } else {
        add_name(out, exporter);
        buf_add_text(out, ".jsonl");
    }
}

static void add_folder(const struct file_config *c, struct buf *out)
{
    struct str folder = c->output_directory;

    while (str_starts(folder, STR("./"))) {
        folder = str_slice(folder, 2, folder.len);
    }
    while (folder.len > 1 && folder.ptr[folder.len - 1] == '/') {
        folder.len--;
    }
    buf_addf(out, "%.*s/", STR_FMT(folder));
}

static void add_own_place(const void *config, struct str name, struct buf *out)
{
    add_folder(config, out);
    add_file_name(config, name, out);
}

static void add_own_names(const void *config, struct str name, struct buf *out)
{
    const struct file_config *c = config;
    const struct file_roll_config roll = roll_of(c);
    AUTO(buf_release) struct buf stem = BUF_INIT(BUF_SMALL);

    if (rotation_of(c) != ROTATION_NONE) {
        add_file_name(c, name, &stem);
        add_folder(c, out);
        file_name_add_family(roll.pattern, roll.kind, buf_str(&stem), out);
    }
}

/* Lines are shown as they would stand in the file, before compression; the other formats are no text. */
static void open_dry(const struct exporter_place *place, const struct file_config *c,
                     struct sink **ret_sink)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    if (c->file_format != FORMAT_JSONL) {
        dry_run_open_records(place, ret_sink);
        return;
    }
    buf_addf(&path, "%.*s/", STR_FMT(c->output_directory));
    add_file_name(c, place->name, &path);
    dry_run_open_lines(place, &jsonl, c, buf_str(&path), ret_sink);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct file_config *c = config;
    const struct file_roll_config roll = roll_of(c);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    if (place->dry != NULL) {
        open_dry(place, c, ret_sink);
        return true;
    }
    add_file_name(c, place->name, &name);
    const struct file_target target = {
        .fs = fs_system(),
        .folder = c->output_directory,
        .name = buf_str(&name),
        .roll = rotation_of(c) != ROTATION_NONE ? &roll : NULL,
    };
    return file_sink_open(&jsonl, &target, place, config, ret_sink, e);
}

const struct exporter_kind exporter_file = {
    .name = "file",
    .help = "Records in files: JSON lines to follow with tail, or CSV, Parquet, rotated and "
            "compressed.",
    .example = "type: file\noutput_directory: out\nfile_format: jsonl\nrotation_policy: time\n"
               "rotation_interval: 1h\ncompression: gzip\n"
               "filename_template: profiling-{timestamp}-{hostname}.jsonl.gz\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_EVENT) |
             TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .advise = advise,
    .caps = EXPORTER_SHOWS,
    .add_own_place = add_own_place,
    .add_own_names = add_own_names,
    .open = open_sink,
};
