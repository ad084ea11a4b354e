/*
 * events: change streams, and our own table of events. A table of subcommands.
 */
#include "cli/events.h"

static const struct cli_command *const subcommands[] = {
    &command_events_status, &command_events_append, &command_events_reset,
    &command_events_skip,   &command_events_rewind, NULL,
};

static const struct cli_command *find(struct str name)
{
    for (size_t i = 0; subcommands[i] != NULL; i++) {
        struct str full = str_of(subcommands[i]->name);
        if (str_eq(str_slice(full, sizeof("events ") - 1, full.len), name)) {
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

const struct cli_command command_events = {
    .name = "events",
    .usage = "status|append|reset|skip|rewind [OPTION...]",
    .help = "give events to Telex, and look after its change streams",
    .details = "[events.md](events.md) says what streams are and when to use which.",
    .subcommands = subcommands,
    .run = run,
};
