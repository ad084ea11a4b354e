/* Lines of JSON in a file. */
#include "export/exporters/exporters.h"

#include "base/fs.h"
#include "export/exporter_options.h"
#include "export/file_sink.h"
#include "wire/record_json.h"

enum file_format { FORMAT_JSONL, FORMAT_CSV, FORMAT_PARQUET };

struct file_config {
    struct exporter_common common;
    struct str output_directory;
    struct str filename;
    int file_format; /* enum file_format */
};

static const char *const formats[] = {"jsonl", "csv", "parquet", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "output_directory",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct file_config, output_directory),
     .help = "The folder of the file; it is made when it is not there. A relative path is taken "
             "from the config's folder."},
    {.name = "filename",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_config, filename),
     .help = "The file's name; the exporter's name and `.jsonl` when absent."},
    {.name = "file_format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct file_config, file_format),
     .fallback = "jsonl",
     .choices = formats,
     .help =
         "What the file holds: `jsonl`, an object per line. The others are not written yet and are refused."},
};

static const struct option_table option_table = {
    .name = "exporter file",
    .help = "Alerts and samples as lines of JSON in a file.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct file_config),
};

/* At the option's value, or at the exporter when it came from elsewhere. */
static bool err_option(const struct yaml_node *node, struct str name, struct err *e,
                       const char *message, struct str value)
{
    const struct yaml_node *at = yaml_get(node, name);

    return yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%.*s: '%.*s' %s", STR_FMT(name),
                    STR_FMT(value), message);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct file_config *c = config;
    struct str name = c->filename;

    if (c->file_format != FORMAT_JSONL) {
        return err_option(node, STR("file_format"), e, "is not written yet; expected jsonl",
                          str_of(formats[c->file_format]));
    }
    if (str_find_byte(name, '/') < name.len || str_eq(name, STR(".")) || str_eq(name, STR(".."))) {
        return err_option(node, STR("filename"), e,
                          "is not the name of a file; folders go into output_directory", name);
    }
    return true;
}

static bool next_lines(const void *config, struct view view, uint32_t *row, struct buf *lines,
                       struct outcome *out, struct err *e)
{
    AUTO(record_objects_release) struct record_objects objects = {0};

    (void)config;
    (void)out;
    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    for (; *row < view.n && lines->len < FILE_SINK_BYTES; ++*row) {
        uint32_t count = record_objects_count(&objects, *row);
        for (uint32_t i = 0; i < count; i++) {
            record_objects_add(&objects, *row, i, lines);
            buf_add_byte(lines, '\n');
        }
    }
    return true;
}

static bool validate(const void *config, const struct sent_rows *sent, struct str lines,
                     struct err *e)
{
    (void)config;
    return validate_json(sent, lines, e);
}

static const struct file_exporter jsonl = {.next_lines = next_lines, .validate = validate};

/* One that is written on the spot is called by its place: "both/file" makes both-file. */
static void add_name(struct buf *out, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        buf_add_byte(out, name.ptr[i] != '/' ? name.ptr[i] : '-');
    }
}

static void add_file_name(const struct file_config *c, struct str exporter, struct buf *out)
{
    if (c->filename.len > 0) {
        buf_add_str(out, c->filename);
    } else {
        add_name(out, exporter);
        buf_add_text(out, ".jsonl");
    }
}

static void add_own_place(const void *config, struct str name, struct buf *out)
{
    const struct file_config *c = config;
    struct str folder = c->output_directory;

    while (str_starts(folder, STR("./"))) {
        folder = str_slice(folder, 2, folder.len);
    }
    while (folder.len > 1 && folder.ptr[folder.len - 1] == '/') {
        folder.len--;
    }
    buf_addf(out, "%.*s/", STR_FMT(folder));
    add_file_name(c, name, out);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct file_config *c = config;
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    add_file_name(c, place->name, &name);
    const struct file_target target = {
        .fs = fs_system(), .folder = c->output_directory, .name = buf_str(&name)};
    return file_sink_open(&jsonl, &target, place, config, ret_sink, e);
}

const struct exporter_kind exporter_file = {
    .name = "file",
    .help = "Lines of JSON in a file that can be followed with tail.",
    .example = "type: file\noutput_directory: out\nfile_format: jsonl\n",
    .takes =
        TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .add_own_place = add_own_place,
    .open = open_sink,
};
