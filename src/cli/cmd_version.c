#include "cli/cli.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, NULL, &first, &status)) {
        return status;
    }
    buf_add_text(&out, "telex " TELEX_VERSION "\n");
    return cli_write(&out);
}

const struct cli_command command_version = {
    .name = "version",
    .usage = "",
    .help = "print the version",
    .details = "Prints the version.",
    .run = run,
};
