/* Alertmanager's API v2. It wants the level: alerts are told again until they are over. */
#include "export/exporters/exporters.h"

#include "base/timetext.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/level.h"
#include "export/level_targets.h"
#include "net/http_options.h"
#include "wire/alertmanager_json.h"

struct alertmanager_config {
    struct exporter_common common;
    struct http_client_config client;
    struct level_options level;
    struct level_targets_config targets;
    int api_version;
};

enum {
    CLIENT = offsetof(struct alertmanager_config, client),
    TARGETS = offsetof(struct alertmanager_config, targets),
};

static const char *const api_versions[] = {"v2", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, 0),
    LEVEL_TARGETS_ROWS(TARGETS),
    {.name = "resend_delay",
     .type = OPTION_DURATION,
     .offset = offsetof(struct alertmanager_config, level.resend_delay_ns),
     .fallback = "1m",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "Time between two tellings of an alert that goes on, made up to a multiple of its "
             "group's interval; 0: at each interval. Alertmanager takes an alert as "
             "resolved when it has not heard of it for four times this long, or four times its "
             "group's interval if that is longer."},
    {.name = "max_resolve_duration",
     .type = OPTION_DURATION,
     .offset = offsetof(struct alertmanager_config, level.max_resolve_ns),
     .fallback = "0s",
     .min = 0,
     .max = 86400 * 365,
     .unit = "s",
     .help = "The longest that this may be; 0: no limit."},
    {.name = "utf8_names",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct alertmanager_config, level.utf8_names),
     .fallback = "false",
     .help = "Send names of labels as they are, for Alertmanager 0.27 and newer; otherwise what is "
             "no letter, digit or `_` becomes `_`."},
    {.name = "api_version",
     .type = OPTION_ENUM,
     .flags = OPTION_HIDDEN,
     .offset = offsetof(struct alertmanager_config, api_version),
     .fallback = "v2",
     .choices = api_versions,
     .help = "The version of Alertmanager's API."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
};

static const struct option_table option_table = {
    .name = "exporter alertmanager",
    .help = "Alerts to Alertmanager, or to what takes its API v2.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct alertmanager_config),
};

static const struct status_rule statuses[] = {
    {200, 200, VERDICT_DELIVERED}, {201, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

/* The URL of Alertmanager, or already that of the API. */
static struct str path_of(const struct alertmanager_config *c)
{
    return str_ends(c->client.url, STR("/api/v2/alerts")) ? STR("") : STR("/api/v2/alerts");
}

static bool request(const void *config, const struct level_item *items, size_t count,
                    struct export_request *ret, struct err *e)
{
    struct json_writer w;

    (void)e;
    ret->method = "POST";
    ret->path = path_of(config);
    ret->headers[ret->header_count++] =
        (struct export_header){STR("Content-Type"), STR("application/json")};
    json_write_init(&w, &ret->body);
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        const struct level_item *item = &items[i];
        alertmanager_json_add(&w, &(struct alertmanager_alert){
                                      .labels = item->alert.labels,
                                      .annotations = item->annotations,
                                      .starts_at_ns = item->alert.starts_at_ns,
                                      .ends_at_ns = item->ends_at_ns,
                                      .generator_url = item->generator_url,
                                  });
    }
    json_end_array(&w);
    return true;
}

/* ---- for who debugs ---- */

static bool has_labels(const struct json_node *got, const struct labels *labels)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(labels, &at, &pair)) {
        const struct json_node *value = json_get(got, pair.name);
        bool is_same = value != NULL && str_eq(value->text, pair.value);
        if (!is_same && str_is_utf8(pair.name) && str_is_utf8(pair.value)) {
            return false;
        }
    }
    return got != NULL && got->count == labels->count;
}

static bool has_time(const struct json_node *got, int64_t want_ns)
{
    struct err ignored = ERR_INIT;
    int64_t ns = 0;

    return want_ns == 0 ? got == NULL
                        : got != NULL && time_parse_any(got->text, &ns, &ignored) && ns == want_ns;
}

static const char *difference(const struct json_node *got, const struct level_item *item)
{
    return !has_labels(json_get(got, STR("labels")), item->alert.labels)         ? "the label set"
           : !has_time(json_get(got, STR("startsAt")), item->alert.starts_at_ns) ? "startsAt"
           : !has_time(json_get(got, STR("endsAt")), item->ends_at_ns)           ? "endsAt"
                                                                                 : NULL;
}

static bool validate(const struct level_item *items, size_t count, struct str body, struct err *e)
{
    AUTO(arena_release) struct arena arena;
    struct json_node *root = NULL;
    size_t i = 0;

    arena_init(&arena, ARENA_UNLIMITED);
    if (!json_parse(body, &arena, &root, e)) {
        return false;
    }
    if (root->kind != JSON_ARRAY || root->count != count) {
        return err_set(e, ERR_INTERNAL, "%zu alerts were encoded, %u came back", count,
                       root->count);
    }
    for (const struct json_node *n = root->first; n != NULL; n = n->next, i++) {
        const char *what = difference(n, &items[i]);
        if (what != NULL) {
            return err_set(e, ERR_INTERNAL, "alert %zu of what was encoded: %s is not its own", i,
                           what);
        }
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct alertmanager_config *c = config;

    return level_targets_check(&c->targets, c->client.url, node, e);
}

static const struct level_exporter level = {
    .request = request,
    .validate = validate,
    .statuses = statuses,
    .alerts_path = "/api/v2/alerts",
    .health_path = "/-/healthy",
    .client_offset = CLIENT,
    .options_offset = offsetof(struct alertmanager_config, level),
    .targets_offset = TARGETS,
};

const struct exporter_kind exporter_alertmanager = {
    .name = "alertmanager",
    .help = "Alerts to Alertmanager's API v2, told again until they are over.",
    .example = "type: alertmanager\nurl: http://127.0.0.1:9093\n",
    .takes = TAKES(RECORD_ALERT),
    .caps = EXPORTER_LEVEL | EXPORTER_TELLS,
    .options = &option_table,
    .check = check,
    .level = &level,
};
