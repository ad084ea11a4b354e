/*
 * check: everything that run would refuse, and what it would only warn of, before it runs.
 */
#include "app/load.h"
#include "app/rule_servers.h"
#include "base/mem.h"
#include "cli/run.h"
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

struct check_values {
    const char *config;
    const char *templates;
    bool connect;
    bool tree;
};

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct check_values, config),
     .help = "The config file; default: telex.yaml where you are, if it is there."},
    {.name = "templates",
     .value = "PATTERN",
     .offset = offsetof(struct check_values, templates),
     .help = "Template files that rules may call, instead of those that the config names."},
    {.name = "connect",
     .offset = offsetof(struct check_values, connect),
     .help =
         "Ask the datastore of each stream what it would say to `run` (no such table, no right to "
         "read it, `wal_level`, a slot that is in use), and its sink's token server for a token. "
         "Nothing is made or changed there."},
    {.name = "tree",
     .letter = 't',
     .offset = offsetof(struct check_values, tree),
     .help = "Print the delivery plan: routes, what exporters come to, and how each consumer "
             "delivers. A path or query of a URL may be a secret and is shown as `/\xe2\x80\xa6`."},
};

/* What was changed over the API and goes before the config. */
static void add_overrides(const struct config *c, struct buf *out)
{
    const struct yaml_node *all = c->overrides;

    if (all == NULL || all->first == NULL) {
        return;
    }
    buf_addf(out, "note: %.*s overrides options of ", STR_FMT(c->overrides_source.file));
    for (const struct yaml_node *n = all->first; n != NULL; n = n->next) {
        buf_addf(out, "%s%.*s (", n != all->first ? ", " : "", STR_FMT(n->key));
        for (const struct yaml_node *o = n->first; o != NULL; o = o->next) {
            buf_addf(out, "%s%.*s", o != n->first ? ", " : "", STR_FMT(o->key));
        }
        buf_add_byte(out, ')');
    }
    buf_add_byte(out, '\n');
}

static void summarize(const struct place *place, const struct loaded *l,
                      const struct problems *problems, const struct buf *asked)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    const struct plan_config *plan = &l->config->plan;
    size_t exporters = plan->target_count;

    if (place->config[0] != '\0') {
        buf_addf(&out, "%.*s: %zu exporter%s, %zu route%s, %s datasource\n",
                 STR_FMT(place_shown(place, str_of(place->config))), exporters,
                 cli_plural(exporters), plan->route_count, cli_plural(plan->route_count),
                 l->config->datasource != NULL ? "a" : "no");
    }
    buf_addf(&out, "rules: %zu group%s, %zu rule%s\n", l->rules->group_count,
             cli_plural(l->rules->group_count), l->rules->rule_count,
             cli_plural(l->rules->rule_count));
    check_add_stream_lines(l->config, &out);
    buf_add_str(&out, buf_str(asked));
    add_overrides(l->config, &out);
    check_add_stream_note(l->config, place_shown(place, str_of(place->config)), &out);
    if (problems->warnings > 0) {
        buf_addf(&out, "%zu warning%s\n", problems->warnings, cli_plural(problems->warnings));
    }
    buf_add_text(&out, "OK\n");
    (void)cli_write(&out);
}

/* The rule files as absolute paths, since the current folder changes; freed with free_paths(). */
static struct str *absolute_paths(const struct place *place, char **argv, size_t count)
{
    struct str *paths = mem_alloc0(count, sizeof(*paths));

    for (size_t i = 0; i < count; i++) {
        AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
        bool is_path = !rule_place_is_elsewhere(str_of(argv[i]));
        if (is_path && argv[i][0] != '/') {
            buf_addf(&path, "%s/", place->start);
        }
        buf_add_text(&path, argv[i]);
        paths[i].len = path.len;
        paths[i].ptr = buf_take(&path);
    }
    return paths;
}

static void free_paths(struct str *paths, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        mem_free(paths[i].ptr);
    }
    mem_free(paths);
}

static void print_tree(const struct loaded *l)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    plan_print(&l->config->plan, &out);
    (void)cli_write(&out);
}

static int fail(const struct problems *problems)
{
    fprintf(stderr, "%zu error%s, %zu warning%s\n", problems->errors, cli_plural(problems->errors),
            problems->warnings, cli_plural(problems->warnings));
    return CLI_FAILED;
}

int cli_check(const struct place *place, struct load_input *input,
              const struct cli_check_more *more)
{
    AUTO(buf_release) struct buf asked = BUF_INIT(BUF_UNLIMITED);
    struct printer printer = {place};
    struct problems problems = printer_problems(&printer);
    struct loaded l = {0};
    struct err e = ERR_INIT;

    input->environment = config_process_environment();
    input->tells_variables = !input->rules_alone;
    input->tries_ports = true;
    if (!load_all(input, &problems, &l, &e)) {
        return fail(&problems);
    }
    if (more->tree) {
        print_tree(&l);
    }
    if (more->connects) {
        check_datastores(l.config, &problems, &asked);
    }
    bool ok = problems.errors == 0;
    if (ok) {
        summarize(place, &l, &problems, &asked);
    }
    loaded_release(&l);
    return ok ? CLI_OK : fail(&problems);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    AUTO(net_release) struct net net = {0};
    struct check_values values = {0};
    struct place place = {0};
    struct err e = ERR_INIT;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    bool rules_alone = first < argc && values.config == NULL;
    bool ok = net_init(&net, &e) &&
              (rules_alone ? place_stay(&place, &e) : place_enter(values.config, &place, &e));
    if (!ok) {
        status = cli_fail(&place, &e);
        place_release(&place);
        return status;
    }
    size_t count = (size_t)(argc - first);
    struct str *paths = absolute_paths(&place, argv + first, count);
    char *template_path[] = {(char *)(uintptr_t)values.templates};
    size_t template_count = values.templates != NULL ? 1 : 0;
    struct str *templates = absolute_paths(&place, template_path, template_count);
    status = cli_check(&place,
                       &(struct load_input){
                           .config_path = str_of(rules_alone ? "" : place.config),
                           .base_folder = str_of(place.folder),
                           .rules = count > 0 ? paths : NULL,
                           .rule_count = count,
                           .templates = template_count > 0 ? templates[0] : STR_NONE,
                           .rules_alone = rules_alone,
                       },
                       &(struct cli_check_more){.tree = values.tree, .connects = values.connect});
    free_paths(paths, count);
    free_paths(templates, template_count);
    place_release(&place);
    return status;
}

const struct cli_command command_check = {
    .name = "check",
    .usage = "[-c FILE] [--connect] [--templates PATTERN] [--tree] [RULEFILE...]",
    .help = "check a config and its rules, or rule files alone",
    .details =
        "Reads the config and its rules as `run` would and prints every problem with its place. With rule "
        "files: checks these instead of those that the config names; without `-c` they are checked alone. Options of "
        "exporters that were changed over the API count, and are named. Warns of addresses that are in use by another program "
        "(unless a Telex runs with this state folder, which has them itself), and of variables that begin with TELEX_ or PROFILING_ "
        "and that nothing reads.\n\n"
        "Exit status: 0 when `run` would take it (warnings included), 1 when it would not, 2 when the command "
        "line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
