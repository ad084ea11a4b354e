#include "app/config.h"
#include "cli/cli.h"

static int run(const struct cli_command *command, int argc, char **argv)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, NULL, &first, &status)) {
        return status;
    }
    if (first >= argc) {
        cli_print_usage(&out);
        return cli_write(&out);
    }
    if (str_eq(str_of(argv[first]), STR("config"))) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        options_print_help(&config_options, &text);
        cli_add_plain(buf_str(&text), &out);
        return cli_write(&out);
    }
    const struct cli_command *about = cli_command_find(str_of(argv[first]));
    if (about == NULL) {
        return cli_usage_error(command, "there is no command '%s'", argv[first]);
    }
    cli_print_help(about, &out);
    return cli_write(&out);
}

const struct cli_command command_help = {
    .name = "help",
    .usage = "[COMMAND | config]",
    .help = "explain a command, or the config file",
    .details = "Explains a command, or with `config` the options of the config file.",
    .run = run,
};
