/*
 * replay: the config's rules over the past, into an exporter.
 */
#include "app/environment.h"
#include "app/replay.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timetext.h"
#include "cli/place.h"
#include "cli/queue.h"
#include "net/net.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { GROUPS_MAX = 1000, PARTS = 1000, SLICE_STEPS_MAX = 11000 };

struct values {
    const char *config;
    const char *from;
    const char *to;
    const char *into;
    const char *slice;
    const char *settle;
    const char *patience;
    bool anew;
    bool dry;
};

struct job {
    const struct values *values;
    struct place place;
    struct loaded loaded;
    struct environment environment;
    struct replay_options options;
    struct str groups[GROUPS_MAX];
    struct meter meter;
    struct buf what; /* that the meter shows */
};

/* ---- what the user sees ---- */

static void show_progress(void *arg, const struct replay_progress *p)
{
    struct job *job = arg;

    buf_clear(&job->what);
    buf_addf(&job->what, "rule %zu of %zu, %.*s, ", p->rules_done + 1, p->rules, STR_FMT(p->rule));
    buf_add_rfc3339(&job->what, p->slot_ns);
    job->meter.what = buf_text(&job->what);
    meter_show(&job->meter, (int64_t)(p->part * PARTS), PARTS);
}

static void show_note(void *arg, const char *text)
{
    struct job *job = arg;

    meter_end(&job->meter);
    fprintf(stderr, "%s\n", text);
}

static void tell(const struct job *job, const struct replay_progress *p, bool ok)
{
    fprintf(stderr, "%zu of %zu rules, %" PRIu64 " samples%s", p->rules_done, p->rules, p->samples,
            job->options.dry ? " found and not delivered" : "");
    if (p->refused > 0) {
        fprintf(stderr, ", %" PRIu64 " refused", p->refused);
    }
    fprintf(stderr, "\n");
    if (!ok && !job->options.dry) {
        fprintf(stderr, "the same command goes on where it ended\n");
    }
}

/* ---- what was said ---- */

/* A time, or a duration back from now. */
static bool parse_time(const char *name, const char *text, int64_t *ret_ns, struct err *e)
{
    return queue_parse_time(text, ret_ns, e) || err_wrap(e, "--%s", name);
}

static bool parse_duration(const char *name, const char *text, int64_t *ret_ns, struct err *e)
{
    return duration_parse(str_of(text), true, ret_ns, e) || err_wrap(e, "--%s", name);
}

static bool parse_slice(const char *text, uint32_t *ret_steps, struct err *e)
{
    uint64_t steps = 0;

    if (!number_parse_u64(str_of(text), &steps) || steps == 0 || steps > SLICE_STEPS_MAX) {
        return err_set(e, ERR_CONFIG, "--slice '%s' is no number from 1 to %d", text,
                       SLICE_STEPS_MAX);
    }
    *ret_steps = (uint32_t)steps;
    return true;
}

static bool read_values(struct job *job, struct err *e)
{
    const struct values *v = job->values;
    struct replay_options *o = &job->options;

    o->to_ns = clock_wall_ns(clock_system());
    o->exporter = v->into != NULL ? str_of(v->into) : STR("");
    o->anew = v->anew;
    o->dry = v->dry;
    if (!parse_time("from", v->from, &o->from_ns, e) ||
        (v->to != NULL && !parse_time("to", v->to, &o->to_ns, e)) ||
        !parse_slice(v->slice, &o->slice_steps, e) ||
        !parse_duration("settle", v->settle, &o->settle_ns, e) ||
        !parse_duration("patience", v->patience, &o->patience_ns, e)) {
        return false;
    }
    return o->from_ns <= o->to_ns || err_set(e, ERR_CONFIG, "--from is later than --to");
}

/* Is every group that was named there? */
static bool check_groups(const struct job *job, struct err *e)
{
    const struct rule_set *set = job->loaded.rules;

    for (size_t i = 0; i < job->options.group_count; i++) {
        bool found = false;
        for (size_t g = 0; g < set->group_count; g++) {
            found = found || str_eq(set->groups[g].name, job->groups[i]);
        }
        if (!found) {
            return err_set(e, ERR_CONFIG, "no rule file has a group '%.*s'",
                           STR_FMT(job->groups[i]));
        }
    }
    return true;
}

/* ---- running ---- */

static bool load(struct job *job, struct err *e)
{
    struct printer printer = {&job->place};
    struct problems problems = printer_problems(&printer);
    const struct load_input input = {.config_path = str_of(job->place.config),
                                     .base_folder = str_of(job->place.folder),
                                     .environment = config_process_environment()};

    if (job->place.config[0] == '\0') {
        return err_set(e, ERR_CONFIG, "no config: name one with -c, for its rules and exporters");
    }
    return load_all(&input, &problems, &job->loaded, e);
}

static bool replay(struct job *job, struct err *e)
{
    const struct replay_watch watch = {show_progress, show_note, job};
    struct replay_progress progress = {0};

    environment_init(&job->environment, job->loaded.config, STDERR_FILENO);
    meter_begin(&job->meter, "replaying");
    job->meter.in_percent = true;
    bool ok =
        replay_run(&job->environment.env, &job->loaded, &job->options, &watch, NULL, &progress, e);
    meter_end(&job->meter);
    tell(job, &progress, ok);
    environment_release(&job->environment);
    return ok;
}

static int replay_with(const struct values *values, char **groups, size_t count)
{
    AUTO(net_release) struct net net = {0};
    AUTO(mem_autofree) struct job *job = mem_new(struct job);
    struct err e = ERR_INIT;

    job->values = values;
    job->what = BUF_INIT(BUF_SMALL);
    for (size_t i = 0; i < count; i++) {
        job->groups[i] = str_of(groups[i]);
    }
    job->options.groups = job->groups;
    job->options.group_count = count;
    bool ok = place_enter(values->config, &job->place, &e) && net_init(&net, &e) &&
              read_values(job, &e) && load(job, &e) && check_groups(job, &e) && replay(job, &e);
    int status = ok ? CLI_OK : cli_fail(&job->place, &e);
    loaded_release(&job->loaded);
    place_release(&job->place);
    buf_release(&job->what);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {.slice = "1000", .settle = "2s", .patience = "5m"};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (values.from == NULL) {
        return cli_usage_error(command, "--from TIME says where the past begins");
    }
    if (values.into == NULL && !values.dry) {
        return cli_usage_error(command,
                               "--into NAME says which exporter of the config gets the samples");
    }
    if (argc - first > GROUPS_MAX) {
        return cli_usage_error(command, "more than %d groups are named", GROUPS_MAX);
    }
    return replay_with(&values, argv + first, (size_t)(argc - first));
}

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct values, config),
     .help = "The config with rules, datasource and exporter; default: telex.yaml where you are."},
    {.name = "from",
     .value = "TIME",
     .offset = offsetof(struct values, from),
     .help = "The first time: 2026-01-31T12:00:00Z, Unix seconds, or 24h for a day ago."},
    {.name = "to",
     .value = "TIME",
     .offset = offsetof(struct values, to),
     .help = "The last time, included; default: now."},
    {.name = "into",
     .value = "NAME",
     .offset = offsetof(struct values, into),
     .help = "The exporter that gets the samples."},
    {.name = "slice",
     .value = "N",
     .offset = offsetof(struct values, slice),
     .help = "Slots in one range query; default: 1000. An answer that is too large makes it less."},
    {.name = "settle",
     .value = "TIME",
     .offset = offsetof(struct values, settle),
     .help = "Wait so long before a rule that reads what another one recorded; default: 2s."},
    {.name = "patience",
     .value = "TIME",
     .offset = offsetof(struct values, patience),
     .help = "How long a query or a delivery is tried again before the replay stops; default: 5m."},
    {.name = "anew",
     .offset = offsetof(struct values, anew),
     .help = "Begin at the front, whatever an interrupted replay left."},
    {.name = "dry-run",
     .offset = offsetof(struct values, dry),
     .help = "Ask and evaluate, deliver nothing."},
};

const struct cli_command command_replay = {
    .name = "replay",
    .usage = "[-c FILE] --from TIME [--to TIME] --into NAME [OPTION...] [GROUP...]",
    .help = "evaluate the rules over the past",
    .details =
        "Evaluates the config's rules, or those of the groups that are named, at every slot between two times, and "
        "delivers what recording rules give and the series ALERTS and ALERTS_FOR_STATE of alerting rules to an exporter. "
        "The past is as it would have been: `for`, `keep_firing_for`, `limit` and stale markers hold. Nobody is "
        "notified.\n\n"
        "A rule that reads what another one records comes after it, in whatever group it is. A datasource is asked for "
        "ranges of many slots at once.\n\n"
        "How far it came is in the file `replay-...` of the state folder: when it is interrupted, in whatever way, the same "
        "command goes on there, at the next slot of a recording rule and at the front of an alerting rule. Samples of the "
        "same rule and slot are the same, so nothing is doubled. A running Telex is not disturbed.\n\n"
        "Exit status: 0 when all was done, 1 when it stopped before that, 2 when the command line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
