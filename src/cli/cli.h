/*
 * cli.h - subcommands and their options as tables; what all of them share.
 *
 * A command is a row: name, usage, options, function. From the rows come parsing, --help and
 * docs/cli.md. A command prints what was asked for to standard output and everything else to
 * standard error, and returns one of the statuses below.
 *
 * Ownership: tables are static; parsed values point into argv. Threads: the main thread. Limits:
 * CLI_OPTIONS_MAX options per command.
 */
#ifndef TELEX_CLI_CLI_H
#define TELEX_CLI_CLI_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct exporter_kind;

enum { CLI_OPTIONS_MAX = 16 };

enum cli_status {
    CLI_OK = 0,
    CLI_FAILED = 1, /* a mistake in what was checked, or an error while it ran */
    CLI_USAGE = 2,  /* the command line is wrong */
};

struct cli_option {
    const char *name;
    char letter;       /* 0: none */
    const char *value; /* what stands for its value in the help; NULL: a flag (bool) */
    const char *help;
    size_t offset; /* of a const char * or bool */
};

struct cli_command {
    const char *name;
    const char *usage;   /* behind the name */
    const char *help;    /* one line */
    const char *details; /* paragraphs, Markdown */
    const struct cli_option *options;
    size_t option_count;
    const struct cli_command *const
        *subcommands; /* NULL-terminated; their names begin with this one's; or NULL */
    bool is_hidden;
    int (*run)(const struct cli_command *command, int argc, char **argv);
};

/* All commands, NULL-terminated. */
extern const struct cli_command *const cli_commands[];

const struct cli_command *cli_command_find(struct str name);

extern const struct cli_command command_check;
extern const struct cli_command command_docs;
extern const struct cli_command command_events;
extern const struct cli_command command_export;
extern const struct cli_command command_exporters;
extern const struct cli_command command_health;
extern const struct cli_command command_help;
extern const struct cli_command command_events;
extern const struct cli_command command_queue;
extern const struct cli_command command_replay;
extern const struct cli_command command_run;
extern const struct cli_command command_tap;
extern const struct cli_command command_version;
extern const struct cli_command command_prometheus_rules;
extern const struct cli_command command_vmalert;

/*
 * Reads the options of <command> into <values>, and sets *ret_first to the first argument behind
 * them. false: all was said already (--help, a mistake), end with *ret_status.
 */
bool cli_parse(const struct cli_command *command, int argc, char **argv, void *values,
               int *ret_first, int *ret_status);

void cli_print_usage(struct buf *out);
void cli_print_help(const struct cli_command *command, struct buf *out);

/* Text of the docs for a terminal: a link to one of their pages as "its name (docs/PAGE.md)". */
void cli_add_plain(struct str text, struct buf *out);

/* A config with one exporter of this kind. */
void exporter_print_example(const struct exporter_kind *kind, struct buf *out);

/* All of it, or an error on standard error: CLI_OK or CLI_FAILED. */
int cli_write(const struct buf *out);

/* Says what is wrong with the command line; CLI_USAGE. */
int cli_usage_error(const struct cli_command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The run of a command that is a table of subcommands, each called "NAME SUB": runs the one that argv names. */
int cli_run_subcommand(const struct cli_command *command, int argc, char **argv);

/* "s" behind a word of which there are <count>, unless there is one. */
const char *cli_plural(uint64_t count);

#endif
