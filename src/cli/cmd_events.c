/*
 * events: change streams, and our own table of events. A table of subcommands.
 */
#include "cli/events.h"

static const struct cli_command *const subcommands[] = {
    &command_events_status, &command_events_append,  &command_events_reset,
    &command_events_skip,   &command_events_rewind,  &command_events_dead,
    &command_events_replay, &command_events_discard, NULL,
};

const struct cli_command command_events = {
    .name = "events",
    .usage = "status|append|reset|skip|rewind|dead|replay|discard [OPTION...]",
    .help = "give events to Telex, and look after its change streams",
    .details = "docs/events.md says what streams are and when to use which.",
    .subcommands = subcommands,
    .run = cli_run_subcommand,
};
