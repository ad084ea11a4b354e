/*
 * events.h - the subcommands of `telex events`.
 *
 * Ownership: static tables. Threads: the main thread. Limits: each command's own.
 */
#ifndef TELEX_CLI_EVENTS_H
#define TELEX_CLI_EVENTS_H

#include "cli/cli.h"

extern const struct cli_command command_events_append;
extern const struct cli_command command_events_status;
extern const struct cli_command command_events_reset;
extern const struct cli_command command_events_skip;
extern const struct cli_command command_events_rewind;
extern const struct cli_command command_events_dead;
extern const struct cli_command command_events_replay;
extern const struct cli_command command_events_discard;

#endif
