/* A command that is a table of others: finds the one that is meant and runs it. */
#include "cli/cli.h"

#include <string.h>

static const struct cli_command *find_subcommand(const struct cli_command *command, struct str name)
{
    size_t prefix = strlen(command->name) + 1;

    for (const struct cli_command *const *sub = command->subcommands; *sub != NULL; sub++) {
        struct str full = str_of((*sub)->name);
        if (str_eq(str_slice(full, prefix, full.len), name)) {
            return *sub;
        }
    }
    return NULL;
}

int cli_run_subcommand(const struct cli_command *command, int argc, char **argv)
{
    const struct cli_command *sub = argc > 1 ? find_subcommand(command, str_of(argv[1])) : NULL;
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
