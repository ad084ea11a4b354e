/* What no file can say alone: rules against exporters, routes against rules, paths against the disk. */
#include "app/event_store.h"
#include "app/load.h"

#include "app/unverified.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/http_sink.h"
#include "export/rule_webhook.h"
#include "net/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct checker {
    const struct config *config;
    struct problems *problems;
    uint64_t wanted; /* targets that some rule names */
};

/* ---- showing places ---- */

/* The offset of a position in a text; text.len when it has no such line. */
static size_t offset_of(struct str text, struct pos pos)
{
    size_t at = 0;

    for (uint32_t line = 1; line < pos.line; line++) {
        at += str_find_byte(str_slice(text, at, text.len), '\n') + 1;
        if (at >= text.len) {
            return text.len;
        }
    }
    return pos.column > 0 ? at + pos.column - 1 : at;
}

void show_line_of_file(struct err *e, struct str file, struct pos pos, size_t len)
{
    AUTO(buf_release) struct buf text = BUF_INIT(RULE_FILE_MAX);
    struct err ignored = ERR_INIT;

    e->pos = pos;
    if (pos.line > 0 && fs_read_file(fs_system(), file, RULE_FILE_MAX, &text, &ignored)) {
        size_t offset = offset_of(buf_str(&text), pos);
        if (offset < text.len) {
            struct yaml_source source = {file, buf_str(&text)};
            yaml_point(&source, offset, len, e);
        }
    }
    (void)err_in_file(e, file);
}

/* ---- rules against exporters ---- */

static void rule_problem(struct checker *k, const struct rule *rule, struct pos pos, size_t len,
                         struct err *e)
{
    (void)err_wrap(e, "group '%.*s': %s '%.*s'", STR_FMT(rule->group->name),
                   rule->kind == RULE_ALERT ? "alert" : "record", STR_FMT(rule->name));
    show_line_of_file(e, rule->group->file, pos, len);
    problems_error(k->problems, e);
}

static void check_takes(struct checker *k, const struct rule *rule, int index)
{
    const struct target_config *target = &k->config->plan.targets[index];
    enum record_kind kind = rule->kind == RULE_ALERT ? RECORD_ALERT : RECORD_SAMPLE;
    const char *why = NULL;
    struct err e = ERR_INIT;

    if (target->caps & EXPORTER_LEVEL) {
        why =
            "keeps the state of all alerts and takes no single exports; leave export_datastore away and "
            "route alerts to it";
    } else if (!(target->takes & TAKES(kind))) {
        why = rule->kind == RULE_ALERT ? "does not take alerts" : "does not take samples";
    }
    if (why != NULL) {
        (void)err_set(&e, ERR_CONFIG, "exporter '%.*s' of type %s %s", STR_FMT(target->name),
                      target->kind->name, why);
        rule_problem(k, rule, rule->export.datastore_pos, rule->export.datastore.len, &e);
    }
}

/* Who delivers to webhook_url has something to do. */
static void check_webhook(struct checker *k, const struct rule *rule)
{
    const struct plan_config *plan = &k->config->plan;

    for (size_t i = 0; i < plan->target_count && rule->export.has_webhook; i++) {
        if (str_eq(str_of(plan->targets[i].kind->name), STR(RULE_WEBHOOK))) {
            k->wanted |= UINT64_C(1) << i;
        }
    }
}

static void check_export(struct checker *k, const struct rule *rule)
{
    struct err e = ERR_INIT;

    check_webhook(k, rule);
    if (!rule->export.enabled || rule->export.datastore.len == 0) {
        return;
    }
    int index = plan_find_target(&k->config->plan, rule->export.datastore, &e);
    if (index < 0) {
        (void)err_wrap(&e, "export_datastore");
        rule_problem(k, rule, rule->export.datastore_pos, rule->export.datastore.len, &e);
        return;
    }
    k->wanted |= UINT64_C(1) << index;
    check_takes(k, rule, index);
}

/* Those named in a field: what the rule finds must mean something to them. */
static void check_target(struct checker *k, const struct rule *rule,
                         const struct rule_target *named)
{
    unsigned wanted = TAKES(RECORD_SAMPLE) | (rule->kind == RULE_ALERT ? TAKES(RECORD_ALERT) : 0);
    struct err e = ERR_INIT;

    int index = plan_find_target(&k->config->plan, named->name, &e);
    if (index < 0) {
        (void)err_wrap(&e, "exporters");
        rule_problem(k, rule, named->pos, named->name.len, &e);
        return;
    }
    const struct target_config *target = &k->config->plan.targets[index];
    k->wanted |= UINT64_C(1) << index;
    if ((target->caps & EXPORTER_LEVEL) != 0 || (target->takes & wanted) == 0) {
        (void)err_set(&e, ERR_CONFIG, "exporter '%.*s' of type %s %s", STR_FMT(target->name),
                      target->kind->name,
                      (target->caps & EXPORTER_LEVEL) != 0
                          ? "is told of alerts by the routes; leave it out of 'exporters'"
                          : "takes nothing of what this rule finds");
        rule_problem(k, rule, named->pos, named->name.len, &e);
    }
}

static void check_exports(struct checker *k, const struct rule_set *rules)
{
    for (size_t g = 0; g < rules->group_count; g++) {
        for (size_t i = 0; i < rules->groups[g].rule_count; i++) {
            const struct rule *rule = &rules->groups[g].rules[i];
            check_export(k, rule);
            for (size_t t = 0; t < rule->exporter_count; t++) {
                check_target(k, rule, &rule->exporters[t]);
            }
        }
    }
}

/* ---- routes ---- */

/* What the targets of <mask> come to; bits of outputs. */
static uint64_t outputs_of(const struct plan_config *plan, uint64_t mask)
{
    uint64_t outputs = 0;

    for (size_t i = 0; i < plan->target_count; i++) {
        outputs |= (mask >> i & 1) != 0 ? plan->targets[i].expansion->outputs : 0;
    }
    return outputs;
}

/* An exporter that nothing can reach is a mistake that nobody would notice. Alerts that others push can
 * name any that takes alerts. */
static void check_reached(struct checker *k)
{
    const struct plan_config *plan = &k->config->plan;
    uint64_t named = k->wanted;

    for (size_t i = 0; i < plan->route_count; i++) {
        named |= plan->routes[i].to;
    }
    for (size_t i = 0; i < plan->self_metrics_count; i++) {
        named |= plan->self_metrics[i].to;
    }
    for (size_t i = 0; plan->route_count > 0 && i < plan->target_count; i++) {
        const struct target_config *target = &plan->targets[i];
        bool is_default = (plan->default_targets >> i & 1) != 0;
        struct err e = ERR_INIT;
        bool is_receiving =
            k->config->settings.receive.alerts && (target->takes & TAKES(RECORD_ALERT)) != 0;
        if (is_default && !is_receiving && (named >> i & 1) == 0 &&
            (target->expansion->outputs & ~outputs_of(plan, named)) != 0) {
            (target->node->key.len > 0 ? yaml_key_err : yaml_err)(
                target->node, &e, ERR_CONFIG,
                "exporter '%.*s' gets nothing: no route and no rule names it",
                STR_FMT(target->name));
            problems_warning(k->problems, &e);
        }
    }
}

/* A route without condition and without `continue` takes everything: those behind it are never asked. */
static void check_shadowed(struct checker *k)
{
    const struct plan_config *plan = &k->config->plan;

    for (size_t i = 0; i + 1 < plan->route_count; i++) {
        struct err e = ERR_INIT;
        if (plan->routes[i].match == NULL && !plan->routes[i].also_next) {
            (void)yaml_err(
                plan->routes[i + 1].node, &e, ERR_CONFIG,
                "this route is never reached: the one before it takes everything; give that a "
                "'match' or 'continue: true'");
            problems_warning(k->problems, &e);
            return;
        }
    }
}

/* A misspelt kind is the easiest way to lose data: the route never matches, and nobody is told. */
static void check_kinds(struct checker *k, const struct yaml_node *node)
{
    const char *kinds[RECORD_KINDS + 1] = {NULL};
    struct condition *condition = NULL;
    struct str text = STR("");
    struct err e = ERR_INIT;

    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        kinds[i] = record_kind_name((enum record_kind)i);
    }
    if (node == NULL || !yaml_text(node, &text, &e) || !condition_compile(text, &condition, &e)) {
        return; /* was told of where it was read */
    }
    if (!condition_check_field(condition, STR("kind"), kinds, &e)) {
        yaml_err_inside(node, &e);
        problems_warning(k->problems, &e);
    }
    condition_free(condition);
}

static void check_conditions(struct checker *k)
{
    const struct plan_config *plan = &k->config->plan;

    for (size_t i = 0; i < plan->route_count; i++) {
        check_kinds(k, yaml_get(plan->routes[i].node, STR("match")));
    }
    for (size_t i = 0; i < plan->exporter_count; i++) {
        const struct yaml_node *list = yaml_get(plan->exporters[i].node, STR("conditions"));
        bool is_list = list != NULL && list->kind == YAML_SEQUENCE;
        for (const struct yaml_node *n = is_list ? list->first : NULL; n != NULL; n = n->next) {
            check_kinds(k, yaml_get(n, STR("condition")));
        }
    }
}

typedef void add_own(const struct exporter_config *x, struct buf *out);

static void add_own_place(const struct exporter_config *x, struct buf *out)
{
    if (x->kind->add_own_place != NULL) {
        x->kind->add_own_place(x->config, x->name, out);
    }
}

static void add_own_names(const struct exporter_config *x, struct buf *out)
{
    if (x->kind->add_own_names != NULL) {
        x->kind->add_own_names(x->config, x->name, out);
    }
}

/* Is there one before <i> that has the same? */
static const struct exporter_config *same_before(const struct plan_config *plan, size_t i,
                                                 add_own *add, struct buf *ret_own)
{
    buf_clear(ret_own);
    add(&plan->exporters[i], ret_own);
    for (size_t before = 0; before < i && ret_own->len > 0; before++) {
        AUTO(buf_release) struct buf other = BUF_INIT(BUF_UNLIMITED);
        add(&plan->exporters[before], &other);
        if (str_eq(buf_str(&other), buf_str(ret_own))) {
            return &plan->exporters[before];
        }
    }
    return NULL;
}

static void warn_shared(struct checker *k, const struct exporter_config *x,
                        const struct exporter_config *other, const char *shared, const char *then)
{
    struct err e = ERR_INIT;

    (x->node->key.len > 0 ? yaml_key_err
                          : yaml_err)(x->node, &e, ERR_CONFIG, "exporters '%.*s' and '%.*s' %s: %s",
                                      STR_FMT(other->name), STR_FMT(x->name), shared, then);
    problems_warning(k->problems, &e);
}

static void check_shared(struct checker *k)
{
    const struct plan_config *plan = &k->config->plan;

    for (size_t i = 0; i < plan->exporter_count; i++) {
        AUTO(buf_release) struct buf own = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf shared = BUF_INIT(BUF_UNLIMITED);
        const struct exporter_config *x = &plan->exporters[i];
        const struct exporter_config *other = same_before(plan, i, add_own_place, &own);
        if (other != NULL) {
            buf_addf(&shared, "write to the same file, %s", buf_text(&own));
            warn_shared(k, x, other, buf_text(&shared),
                        "their records get mixed, and each waits for the other; give one of them "
                        "another filename");
            continue;
        }
        other = same_before(plan, i, add_own_names, &own);
        if (other != NULL) {
            buf_addf(&shared, "make files of the same names, %s", buf_text(&own));
            warn_shared(k, x, other, buf_text(&shared),
                        "the second gets -1, and no name says whose it is; say {name} in "
                        "filename_template, or give one of them another output_directory");
        }
    }
}

static void check_unread(struct checker *k)
{
    for (size_t i = 0; i < k->config->plan.warning_count; i++) {
        problems_warning(k->problems, k->config->plan.warnings[i]);
    }
}

static bool asks_default(const struct rule_group *group)
{
    for (size_t i = 0; i < group->rule_count; i++) {
        if (group->rules[i].source == RULE_SOURCE_DEFAULT) {
            return true;
        }
    }
    return false;
}

/* Is there a rule that asks the config's datasource? */
static bool asks_datasource(const struct rule_set *rules)
{
    for (size_t i = 0; i < rules->group_count; i++) {
        if (asks_default(&rules->groups[i])) {
            return true;
        }
    }
    return false;
}

static void check_sources(struct checker *k, const struct rule_set *rules)
{
    struct err e = ERR_INIT;

    if (asks_datasource(rules) && k->config->datasource == NULL) {
        (void)config_err(
            k->config, STR("rules"), &e,
            "there are rules but no datasource to ask; add 'datasource: { url: ... }'");
        problems_error(k->problems, &e);
    }
    e = ERR_INIT;
    if (rules->rule_count > 0 && k->config->plan.target_count == 0) {
        (void)config_err(
            k->config, STR("rules"), &e,
            "there are rules but no exporters: what they find is shown on the status page "
            "and goes nowhere");
        problems_warning(k->problems, &e);
    }
}

/* Who pushes is told to come back until somebody takes it. */
static void check_receive(struct checker *k)
{
    const struct plan_config *plan = &k->config->plan;
    const struct receive_config *receive = &k->config->settings.receive;
    const struct {
        bool is_received;
        enum record_kind kind;
        const char *are;
        const char *them;
    } pushes[] = {
        {receive->remote_write, RECORD_SAMPLE, "remote write is", "samples"},
        {receive->alerts, RECORD_ALERT, "alerts are", "them"},
        {receive->profiles, RECORD_PROFILE, "profiles are", "them"},
    };
    unsigned takes = 0;

    for (size_t i = 0; i < plan->output_count; i++) {
        takes |= plan->outputs[i].takes;
    }
    for (size_t i = 0; i < ARRAY_LEN(pushes); i++) {
        if (pushes[i].is_received && (takes & TAKES(pushes[i].kind)) == 0) {
            struct err e = ERR_INIT;
            (void)config_err(k->config, STR("receive"), &e,
                             "%s received but no exporter takes %s: every push is answered 503",
                             pushes[i].are, pushes[i].them);
            problems_warning(k->problems, &e);
        }
    }
}

void check_together(const struct config *c, const struct rule_set *rules, struct problems *problems)
{
    struct checker k = {.config = c, .problems = problems};

    check_sources(&k, rules);
    check_exports(&k, rules);
    check_reached(&k);
    check_shadowed(&k);
    check_conditions(&k);
    check_shared(&k);
    check_unread(&k);
    check_receive(&k);
    check_payloads(c, rules, problems);
    check_streams(c, problems);
}

/* ---- the system ---- */

/* The nearest folder above <path> that exists, in place. */
static void to_existing(char *path)
{
    struct stat there;

    while (stat(path, &there) != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            path[0] = '.';
            path[1] = '\0';
            return;
        }
        slash[slash == path ? 1 : 0] = '\0';
    }
}

/* Why the folder cannot be made or written to, or 0; cuts <path> to what there is of it. */
static int folder_errno(char *path)
{
    struct stat there;

    to_existing(path);
    if (stat(path, &there) != 0) {
        return errno;
    }
    if (!S_ISDIR(there.st_mode)) {
        return ENOTDIR;
    }
    return access(path, W_OK | X_OK) != 0 ? errno : 0;
}

static void check_state_path(const struct config *c, struct problems *problems)
{
    struct str path = c->settings.state.path;
    AUTO(mem_autofree) char *at = mem_dup_text(path.ptr, path.len);
    struct err e = ERR_INIT;
    int errnum = folder_errno(at);

    if (errnum != 0) {
        (void)config_err(c, STR("state"), &e,
                         "the state folder '%.*s' cannot be made or written: '%s': %s",
                         STR_FMT(path), at, strerrordesc_np(errnum));
        problems_error(problems, &e);
    }
}

/* What is taken and delivered by nobody is kept until it is too old. */
static void check_events(const struct config *c, struct problems *problems)
{
    struct err e = ERR_INIT;

    if (c->settings.receive.events && !event_store_has_readers(c)) {
        (void)config_err(
            c, STR("receive"), &e,
            "receive.events is on, but no stream of `events` has the source `embedded`: "
            "events are kept and go nowhere");
        problems_warning(problems, &e);
    }
}

/* Who writes to files does not start without the folder. */
static void check_folder(const struct exporter_config *x, struct problems *problems)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    add_own_place(x, &path);
    const char *slash = path.len > 0 ? strrchr(buf_text(&path), '/') : NULL;
    if (slash == NULL || slash == path.ptr) {
        return;
    }
    AUTO(mem_autofree) char *at = mem_dup_text(path.ptr, (size_t)(slash - path.ptr));
    int errnum = folder_errno(at);
    if (errnum != 0) {
        (x->node->key.len > 0 ? yaml_key_err : yaml_err)(
            x->node, &e, ERR_CONFIG,
            "exporter '%.*s': its folder cannot be made or written: '%s': %s", STR_FMT(x->name), at,
            strerrordesc_np(errnum));
        problems_error(problems, &e);
    }
}

static void check_grpc(const struct config *c, struct problems *problems)
{
    const struct yaml_node *receive = yaml_get(c->root, STR("receive"));
    const struct yaml_node *listen = yaml_get(yaml_get(receive, STR("otlp_grpc")), STR("listen"));
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (listen != NULL && !http_listen_check(c->settings.receive.otlp_grpc.listen, &why)) {
        (void)yaml_err(listen, &e, ERR_CONFIG, "%s", why.message);
        problems_error(problems, &e);
    }
}

static void check_statsd(const struct config *c, struct problems *problems)
{
    const struct yaml_node *receive = yaml_get(c->root, STR("receive"));
    const struct yaml_node *listen = yaml_get(yaml_get(receive, STR("statsd")), STR("listen"));
    struct str said = c->settings.receive.statsd.listen;
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (said.len == 0 || udp_listen_check(said, &why)) {
        return;
    }
    (void)(listen != NULL ? yaml_err(listen, &e, ERR_CONFIG, "%s", why.message)
                          : config_err(c, STR("receive"), &e, "statsd: %s", why.message));
    problems_error(problems, &e);
}

static void check_server(const struct config *c, struct problems *problems)
{
    const struct yaml_node *listen = yaml_get(yaml_get(c->root, STR("server")), STR("listen"));
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (listen != NULL && !http_listen_check(c->settings.server.listen, &why)) {
        (void)yaml_err(listen, &e, ERR_CONFIG, "%s", why.message);
        problems_error(problems, &e);
    } else if (!http_server_check(&c->settings.server, &why)) {
        (void)config_err(c, STR("server"), &e, "%s", why.message);
        problems_error(problems, &e);
    }
}

/* What the tables cannot say of a client: credentials that exclude each other, files that are not there. */
static void check_client(const struct env *env, const struct exporter_config *exporter,
                         struct problems *problems)
{
    const struct exporter_kind *kind = exporter->kind;
    size_t offset = kind->http != NULL ? kind->http->client_offset : 0;
    struct http_client *client = NULL;
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (kind->http == NULL && kind->level == NULL) {
        return;
    }
    offset = kind->level != NULL ? kind->level->client_offset : offset;
    struct http_client_config config =
        *(const struct http_client_config *)(const void *)((const char *)exporter->config + offset);
    bool is_bare = str_find(config.url, STR("://")) == config.url.len;
    config.url =
        is_bare ? STR("") : config.url; /* "host:port", of which the kind makes more than one */
    if (!http_client_new(env, &config, &client, &why)) {
        (exporter->node->key.len > 0 ? yaml_key_err : yaml_err)(
            exporter->node, &e, ERR_CONFIG, "exporter '%.*s': %s", STR_FMT(exporter->name),
            why.message);
        problems_error(problems, &e);
    }
    http_client_free(client);
}

static void check_named_datasource(const struct env *env, const struct datasource_config *d,
                                   struct problems *problems)
{
    struct datasource *datasource = NULL;
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (!d->kind->open(env, d->common, d->name, &datasource, &why)) {
        (void)yaml_key_err(d->node, &e, ERR_CONFIG, "datasource '%.*s': %s", STR_FMT(d->name),
                           why.message);
        problems_error(problems, &e);
    }
    datasource_close(datasource);
}

static void check_datasource(const struct env *env, const struct config *c,
                             struct problems *problems)
{
    struct datasource *datasource = NULL;
    struct err why = ERR_INIT;
    struct err e = ERR_INIT;

    if (c->datasource != NULL &&
        !c->datasource_kind->open(env, c->datasource, STR("check"), &datasource, &why)) {
        (void)config_err(c, STR("datasource"), &e, "%s", why.message);
        problems_error(problems, &e);
    }
    datasource_close(datasource);
    for (size_t i = 0; i < c->datasource_count; i++) {
        check_named_datasource(env, &c->datasources[i], problems);
    }
}

static void check_clients(const struct config *c, struct problems *problems)
{
    struct env env = {.clock = clock_system(), .metrics = metrics_new()};

    check_datasource(&env, c, problems);
    for (size_t i = 0; i < c->plan.exporter_count; i++) {
        check_client(&env, &c->plan.exporters[i], problems);
    }
    metrics_free(env.metrics);
}

void check_system(const struct config *c, struct problems *problems)
{
    check_server(c, problems);
    check_grpc(c, problems);
    check_statsd(c, problems);
    check_state_path(c, problems);
    check_events(c, problems);
    check_left(c, problems);
    check_clients(c, problems);
    check_unverified(c->root, problems);
    for (size_t i = 0; i < c->plan.exporter_count; i++) {
        check_folder(&c->plan.exporters[i], problems);
    }
}
