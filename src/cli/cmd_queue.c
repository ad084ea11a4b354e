/*
 * queue: the logs on disk, looked at and put right while no Telex runs on them. A table of subcommands.
 */
#include "cli/queue.h"

static const struct cli_command *const subcommands[] = {
    &command_queue_inspect, &command_queue_export, &command_queue_replay,
    &command_queue_repair,  &command_queue_drop,   NULL,
};

static const struct cli_command *find(struct str name)
{
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        struct str full = str_of(subcommands[i]->name);
        if (str_eq(str_slice(full, sizeof("queue ") - 1, full.len), name)) {
            return subcommands[i];
        }
    }
    return NULL;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    const struct cli_command *sub = argc > 1 ? find(str_of(argv[1])) : NULL;
    int first = 0;
    int status = CLI_OK;

    if (sub != NULL) {
        return sub->run(sub, argc - 1, argv + 1);
    }
    if (!cli_parse(command, argc, argv, NULL, &first, &status)) {
        return status;
    }
    return cli_usage_error(command, "%s%s%s", argc > 1 ? "there is no subcommand '" : "",
                           argc > 1 ? argv[1] : "a subcommand is needed", argc > 1 ? "'" : "");
}

const struct cli_command command_queue = {
    .name = "queue",
    .usage = "inspect|export|replay|repair|drop [OPTION...] FOLDER",
    .help = "look at a log or dead letters on disk, and put them right",
    .details =
        "Works offline on the folder of any log: `ledger` and `bulk` below `state.path`, and `dead/NAME`, the "
        "dead letters of an exporter. `inspect` and `export` only read, also a folder in use or a copy; the others "
        "refuse a folder that a running Telex has open. [queue.md](queue.md) says when to use which.",
    .subcommands = subcommands,
    .run = run,
};
