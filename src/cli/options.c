#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { HELP_FLAG = 1000, INDEX_BASE = 2000, HELP_COLUMN = 22, HELP_WIDTH = 90 };

/* ---- help ---- */

static void print_option(const struct cli_option *o, struct buf *out)
{
    size_t start = out->len;

    buf_add_text(out, "  ");
    if (o->letter != '\0') {
        buf_addf(out, "-%c, ", o->letter);
    }
    buf_addf(out, "--%s%s%s", o->name, o->value != NULL ? " " : "",
             o->value != NULL ? o->value : "");
    size_t width = out->len - start;
    buf_add_repeat(out, ' ', width < HELP_COLUMN ? HELP_COLUMN - width : 2);
    buf_addf(out, "%s\n", o->help);
}

/* Paragraphs in lines of HELP_WIDTH. */
static void add_wrapped(struct str text, struct buf *out)
{
    struct str paragraph;
    struct str word;

    while (str_split(&text, '\n', &paragraph)) {
        size_t column = 0;
        while (str_split(&paragraph, ' ', &word)) {
            bool breaks = column > 0 && column + 1 + word.len > HELP_WIDTH;
            buf_add_text(out, breaks ? "\n" : column > 0 ? " " : "");
            buf_add_str(out, word);
            column = (breaks ? 0 : column + (column > 0)) + word.len;
        }
        buf_add_byte(out, '\n');
    }
}

/* The "](" of the link that begins with <text>; text.len: none does. */
static size_t link_middle(struct str text)
{
    size_t middle = str_find(text, STR("]("));
    struct str name = str_slice(text, 1, middle < text.len ? middle - 1 : 0);

    return name.len > 0 && str_find_byte(name, '[') == name.len ? middle : text.len;
}

void cli_add_plain(struct str text, struct buf *out)
{
    while (text.len > 0) {
        size_t open = str_find_byte(text, '[');
        buf_add_str(out, str_slice(text, 0, open));
        text = str_slice(text, open, text.len);
        size_t middle = link_middle(text);
        struct str place = str_slice(text, middle + 2, text.len);
        place = str_slice(place, 0, str_find_byte(place, ')'));
        if (middle < text.len && str_ends(place, STR(".md"))) {
            struct str name = str_slice(text, 1, middle - 1);
            bool is_place = str_eq(name, place);
            buf_addf(out, "%.*s%sdocs/%.*s%s", STR_FMT(is_place ? STR("") : name),
                     is_place ? "" : " (", STR_FMT(place), is_place ? "" : ")");
            text = str_slice(text, middle + 3 + place.len, text.len);
        } else if (text.len > 0) {
            buf_add_byte(out, '[');
            text = str_slice(text, 1, text.len);
        }
    }
}

void cli_print_help(const struct cli_command *command, struct buf *out)
{
    static const struct cli_option help = {.name = "help", .letter = 'h', .help = "Print this."};
    AUTO(buf_release) struct buf details = BUF_INIT(BUF_UNLIMITED);

    buf_addf(out, "usage: telex %s%s%s\n\n", command->name, command->usage[0] != '\0' ? " " : "",
             command->usage);
    cli_add_plain(str_of(command->details), &details);
    add_wrapped(buf_str(&details), out);
    buf_add_byte(out, '\n');
    for (size_t i = 0; command->subcommands != NULL && command->subcommands[i] != NULL; i++) {
        buf_addf(out, "  %-18s %s\n", command->subcommands[i]->name, command->subcommands[i]->help);
    }
    for (size_t i = 0; i < command->option_count; i++) {
        print_option(&command->options[i], out);
    }
    print_option(&help, out);
}

/* Of the longest name, so that the helps stand in a column. */
static size_t name_width(void)
{
    size_t width = 0;

    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        size_t len = strlen(cli_commands[i]->name);
        width = !cli_commands[i]->is_hidden && len > width ? len : width;
    }
    return width;
}

void cli_print_usage(struct buf *out)
{
    size_t width = name_width();

    buf_add_text(out, "usage: telex COMMAND [OPTION...]\n\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (!cli_commands[i]->is_hidden) {
            buf_addf(out, "  %-*s %s\n", (int)width, cli_commands[i]->name, cli_commands[i]->help);
        }
    }
    buf_add_text(out, "\n'telex COMMAND --help' says more.\n");
}

const char *cli_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

int cli_write(const struct buf *out)
{
    bool written = fwrite(out->ptr, 1, out->len, stdout) == out->len;

    if (!written || fflush(stdout) != 0) {
        perror("telex: standard output");
        return CLI_FAILED;
    }
    return CLI_OK;
}

int cli_usage_error(const struct cli_command *command, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "telex %s: ", command->name);
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nusage: telex %s %s\n", command->name, command->usage);
    return CLI_USAGE;
}

/* ---- parsing ---- */

struct parser {
    const struct cli_command *command;
    char letters[2 * CLI_OPTIONS_MAX + 4];
    struct option longs[CLI_OPTIONS_MAX + 2];
};

static void prepare(struct parser *p, const struct cli_command *command)
{
    size_t at = 0;

    INVARIANT(command->option_count <= CLI_OPTIONS_MAX);
    *p = (struct parser){.command = command};
    p->letters[at++] = ':';
    p->letters[at++] = 'h';
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *o = &command->options[i];
        int kind = o->value != NULL ? required_argument : no_argument;
        p->longs[i] = (struct option){o->name, kind, NULL, INDEX_BASE + (int)i};
        if (o->letter != '\0') {
            p->letters[at++] = o->letter;
            if (o->value != NULL) {
                p->letters[at++] = ':';
            }
        }
    }
    p->longs[command->option_count] = (struct option){"help", no_argument, NULL, HELP_FLAG};
}

/* The row for what getopt_long() gave; NULL for anything else. */
static const struct cli_option *row_of(const struct cli_command *command, int found)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (found == INDEX_BASE + (int)i ||
            (command->options[i].letter != '\0' && found == command->options[i].letter)) {
            return &command->options[i];
        }
    }
    return NULL;
}

static void set_value(const struct cli_option *o, void *values)
{
    char *field = (char *)values + o->offset;

    if (o->value == NULL) {
        *(bool *)(void *)field = true;
    } else {
        *(const char **)(void *)field = optarg;
    }
}

static int help_status(const struct cli_command *command)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    cli_print_help(command, &out);
    return cli_write(&out);
}

bool cli_parse(const struct cli_command *command, int argc, char **argv, void *values,
               int *ret_first, int *ret_status)
{
    struct parser p;

    prepare(&p, command);
    optind = 0; /* begin anew, GNU's way */
    for (;;) {
        int found = getopt_long(argc, argv, p.letters, p.longs, NULL);
        if (found == -1) {
            *ret_first = optind;
            return true;
        }
        if (found == 'h' || found == HELP_FLAG) {
            *ret_status = help_status(command);
            return false;
        }
        const struct cli_option *row = row_of(command, found);
        if (row == NULL) {
            *ret_status = cli_usage_error(
                command, found == ':' ? "'%s' needs a value" : "unknown option '%s'",
                argv[optind - 1]);
            return false;
        }
        set_value(row, values);
    }
}
