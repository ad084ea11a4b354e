/*
 * The program: a table of subcommands, and nothing else.
 */
#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    const char *help;
    int (*run)(int argc, char **argv);
};

static int run_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("telex " TELEX_VERSION);
    return 0;
}

static const struct subcommand subcommands[] = {
    {"version", "print the version", run_version},
};

static int usage(void)
{
    fputs("usage: telex COMMAND [OPTION...]\n", stderr);
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        fprintf(stderr, "  %-10s %s\n", subcommands[i].name, subcommands[i].help);
    }
    return 2;
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof subcommands / sizeof *subcommands; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            return subcommands[i].run(argc - 1, argv + 1);
        }
    }
    return usage();
}
