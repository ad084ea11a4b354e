/*
 * The program: a table of subcommands, and nothing else.
 */
#include "cli/cli.h"

#include "base/mem.h"

#include <stdio.h>

const struct cli_command *const cli_commands[] = {
    /* what runs */
    &command_run,
    &command_vmalert,
    &command_prometheus_rules,
    /* what is looked at before */
    &command_check,
    &command_exporters,
    &command_replay,
    &command_export,
    /* what is looked at while it runs, and after */
    &command_health,
    &command_tap,
    &command_events,
    &command_queue,
    &command_help,
    &command_version,
    &command_docs,
    NULL,
};

const struct cli_command *cli_command_find(struct str name)
{
    static const struct {
        struct str flag;
        const struct cli_command *command;
    } flags[] = {{STR_INIT("--help"), &command_help},
                 {STR_INIT("-h"), &command_help},
                 {STR_INIT("--version"), &command_version}};

    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        if (str_eq(name, flags[i].flag)) {
            return flags[i].command;
        }
    }
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (str_eq(name, str_of(cli_commands[i]->name))) {
            return cli_commands[i];
        }
    }
    return NULL;
}

static int usage(const char *wrong)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    cli_print_usage(&out);
    if (wrong != NULL) {
        fprintf(stderr, "telex: there is no command '%s'\n", wrong);
    }
    fprintf(stderr, "%s", buf_text(&out));
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    mem_tune();
    if (argc < 2) {
        return usage(NULL);
    }
    const struct cli_command *command = cli_command_find(str_of(argv[1]));
    if (command == NULL) {
        return usage(argv[1]);
    }
    return command->run(command, argc - 1, argv + 1);
}
