/*
 * queue: the logs on disk, looked at and put right while no Telex runs on them. A table of subcommands.
 */
#include "cli/queue.h"

static const struct cli_command *const subcommands[] = {
    &command_queue_inspect, &command_queue_export, &command_queue_replay,
    &command_queue_repair,  &command_queue_drop,   NULL,
};

const struct cli_command command_queue = {
    .name = "queue",
    .usage = "inspect|export|replay|repair|drop [OPTION...] FOLDER",
    .help = "look at a log or dead letters on disk, and put them right",
    .details =
        "Works offline on the folder of any log: `ledger` and `bulk` below `state.path`, and `dead/NAME`, the "
        "dead letters of an exporter. `inspect` and `export` only read, also a folder in use or a copy; the others "
        "refuse a folder that a running Telex has open. [queue.md](queue.md) says when to use which.",
    .subcommands = subcommands,
    .run = cli_run_subcommand,
};
