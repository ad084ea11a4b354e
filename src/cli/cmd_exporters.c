#include "cli/cli.h"
#include "export/exporter.h"

#include <string.h>

static void list_kinds(struct buf *out)
{
    for (size_t i = 0; exporter_kinds[i] != NULL; i++) {
        buf_addf(out, "%-14s %s\n", exporter_kinds[i]->name, exporter_kinds[i]->help);
    }
}

void exporter_print_example(const struct exporter_kind *kind, struct buf *out)
{
    struct str rest = str_trim(str_of(kind->example));
    struct str line;

    buf_addf(out, "exporters:\n  %s:\n", kind->name);
    while (str_split(&rest, '\n', &line)) {
        buf_addf(out, "    %.*s\n", STR_FMT(line));
    }
}

/* "Takes samples, alerts." */
static void print_takes(const struct exporter_kind *kind, struct buf *out)
{
    const char *between = "Takes ";

    for (int i = 0; i < RECORD_KINDS; i++) {
        if ((kind->takes & TAKES(i)) != 0) {
            buf_addf(out, "%s%ss", between, record_kind_name((enum record_kind)i));
            between = ", ";
        }
    }
    buf_add_text(out, kind->takes != 0 ? ".\n" : "");
}

static void print_kind(const struct exporter_kind *kind, struct buf *out)
{
    buf_addf(out, "%s: %s\n", kind->name, kind->help);
    print_takes(kind, out);
    buf_add_byte(out, '\n');
    options_print_help(kind->options, out);
    buf_add_text(out, "\nExample:\n\n");
    exporter_print_example(kind, out);
}

static int unknown_kind(const struct cli_command *command, const char *name)
{
    const char *near = exporter_kind_nearest(str_of(name));

    return cli_usage_error(command, "there is no exporter type '%s'%s%s%s", name,
                           near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                           near != NULL ? "'?" : "");
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, NULL, &first, &status)) {
        return status;
    }
    if (first >= argc) {
        list_kinds(&out);
        return cli_write(&out);
    }
    const struct exporter_kind *kind = exporter_kind_find(str_of(argv[first]));
    if (kind == NULL) {
        return unknown_kind(command, argv[first]);
    }
    print_kind(kind, &out);
    return cli_write(&out);
}

const struct cli_command command_exporters = {
    .name = "exporters",
    .usage = "[TYPE]",
    .help = "list the types of exporters, or the options of one",
    .details = "Lists what exporters can deliver to. With a type: its options and an example.",
    .run = run,
};
