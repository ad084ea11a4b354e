/*
 * run.h - running the program, for every command that begins it.
 *
 * Ownership: the input is borrowed while the program runs. Threads: the main thread, before there are others.
 * Limits: none of its own.
 */
#ifndef TELEX_CLI_RUN_H
#define TELEX_CLI_RUN_H

#include "app/load.h"
#include "cli/place.h"

/*
 * Loads what <input> says (its environment and sources are filled in), serves until SIGTERM or SIGINT, drains.
 * Gives the exit status.
 */
int cli_run(struct place *place, struct load_input *input);

/* Reads and checks all of it, and prints a summary; gives the exit status. */
/* What is asked of a check besides. */
struct cli_check_more {
    bool tree;     /* print the delivery plan */
    bool connects; /* ask datastores and token servers of streams */
};
int cli_check(const struct place *place, struct load_input *input,
              const struct cli_check_more *more);

#endif
