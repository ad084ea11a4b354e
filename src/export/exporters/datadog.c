/* What an exporter of Datadog may be told. Metrics: datadog_series.c. Spans: datadog_traces.c. */
#include "export/exporters/datadog.h"

#include "base/secret.h"
#include "export/exporters/exporters.h"
#include "net/http_options.h"

enum {
    CLIENT = offsetof(struct datadog_config, client),
    MEASURES = offsetof(struct datadog_config, measures),
};

#define PREFIX DATADOG_METRIC_PREFIX

static const struct option metrics_options[] = {
    {.name = "namespace",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_metrics, name_space),
     .help = "Stands, with a dot, before the names of metrics that have no dot themselves."},
    {.name = "tags",
     .type = OPTION_LIST,
     .offset = offsetof(struct datadog_metrics, tags),
     .help = "Tags of every metric: `env:production`."},
    {.name = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct datadog_metrics, interval_ns),
     .fallback = "10s",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "The time that a `counter` or `rate` is about."},
};

static const struct option_table metrics_table = {
    .name = "metrics_config",
    .help = "What all metrics have in common.",
    .options = metrics_options,
    .count = ARRAY_LEN(metrics_options),
    .config_size = sizeof(struct datadog_metrics),
};

static const struct option apm_options[] = {
    {.name = "service",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, service),
     .help = "The tag `service` of what has none."},
    {.name = "env",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, env),
     .help = "The tag `env` of what has none."},
    {.name = "version",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, version),
     .help = "The tag `version` of what has none."},
};

static const struct option_table apm_table = {
    .name = "apm_config",
    .help = "Which service this is: Datadog ties metrics and traces together by it.",
    .options = apm_options,
    .count = ARRAY_LEN(apm_options),
    .config_size = sizeof(struct datadog_apm),
};

static const char *const alias_agent[] = {"agent", NULL};
static const char *const metrics_ways[] = {"api", "otlp", NULL};
static const char *const traces_ways[] = {"agent", "otlp", NULL};
static const char *const compressions[] = {"gzip", "zstd1", "deflate", "none", NULL};

enum body_encoding datadog_encoding(const struct datadog_config *c)
{
    static const enum body_encoding encodings[] = {
        [DATADOG_GZIP] = BODY_GZIP,
        [DATADOG_ZSTD1] = BODY_ZSTD1,
        [DATADOG_DEFLATE] = BODY_DEFLATE,
        [DATADOG_PLAIN] = BODY_PLAIN,
    };

    return c->gzip ? encodings[c->compression] : BODY_PLAIN;
}

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "site",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_config, site),
     .fallback = "datadoghq.com",
     .help = "Datadog's site: `datadoghq.com`, `us3.datadoghq.com`, `us5.datadoghq.com`, "
             "`ap1.datadoghq.com`, `ap2.datadoghq.com`, `uk1.datadoghq.com`, `datadoghq.eu`, "
             "`ddog-gov.com`, `us2.ddog-gov.com`. `telex check` warns of others."},
    {.name = "url",
     .aliases = http_alias_url,
     .type = OPTION_URL,
     .offset = offsetof(struct datadog_config, url),
     .help = "Instead of `https://api.SITE`: of a relay."},
    {.name = "metrics_via",
     .type = OPTION_ENUM,
     .offset = offsetof(struct datadog_config, metrics_via),
     .fallback = "api",
     .choices = metrics_ways,
     .help = "How metrics are sent: to Datadog's own API (`/api/v2/series`), or as OTLP to "
             "`https://otlp.SITE`. Distributions take the API either way."},
    {.name = "traces_via",
     .type = OPTION_ENUM,
     .offset = offsetof(struct datadog_config, traces_via),
     .fallback = "agent",
     .choices = traces_ways,
     .help = "How spans are sent: to an agent (`/v0.4/traces`), or as OTLP to "
             "`https://otlp.SITE`, which needs none."},
    {.name = "otlp_url",
     .type = OPTION_URL,
     .offset = offsetof(struct datadog_config, otlp_url),
     .help = "Instead of `https://otlp.SITE`; `/v1/traces` and `/v1/metrics` stand behind it."},
    {.name = "otlp_source",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_config, otlp_source),
     .help = "The header `dd-otlp-source`: the name that Datadog gives when it opens its intake of "
             "traces."},
    {.name = "app_key",
     .type = OPTION_SECRET,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct datadog_config, app_key),
     .help = "Accepted, and not sent: sending metrics takes the API key alone."},
    {.name = "tags",
     .type = OPTION_LIST,
     .offset = offsetof(struct datadog_config, tags),
     .help = "The same as `metrics_config.tags`; both are sent."},
    {.name = "metrics_config",
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, metrics),
     .table = &metrics_table,
     .help = "What all metrics have in common."},
    {.name = "apm_config",
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, apm),
     .table = &apm_table,
     .help = "Which service this is."},
    {.name = "trace_agent",
     .aliases = alias_agent,
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, agent),
     .table = &http_client_options,
     .help =
         "Datadog's agent, which takes spans: `url`, where `apm_config` stands "
         "`http://127.0.0.1:8126` without it. With neither, spans are dropped and counted. The API key is not "
         "sent to it."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = offsetof(struct datadog_config, compression),
     .fallback = "gzip",
     .choices = compressions,
     .help = "Compress requests: `zstd1` is Datadog's name of zstd. Distributions take `deflate` "
             "alone, and are sent so unless `none` is said."},
    {.name = "gzip",
     .type = OPTION_BOOL,
     .flags = OPTION_HIDDEN,
     .offset = offsetof(struct datadog_config, gzip),
     .fallback = "true",
     .help = "`false` is `compression: none`."},
    HTTP_CLIENT_ROWS_KEY(CLIENT, "10s", "1MB", "DD-API-KEY"),
    MEASURE_ROWS_WITH(MEASURES, PREFIX, "any", "`gauge`, `counter`, `rate` or `distribution`"),
};

static const struct option_table option_table = {
    .name = "exporter datadog",
    .help = "Samples and profiles as metrics to Datadog, spans to its agent or as OTLP.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct datadog_config),
};

static bool check_site(const struct datadog_config *c, const struct yaml_node *node, struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("site"));
    static const char *const prefixes[] = {"api.", "app.", "http:", "https:"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_starts(c->site, str_of(prefixes[i]))) {
            return yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                            "the site is the name behind 'app.' in the browser, such as "
                            "datadoghq.eu, not '%.*s'; for another address use 'url'",
                            STR_FMT(c->site));
        }
    }
    return true;
}

/* The sites that there are; others are let through, since there may be new ones. */
static const char *const sites[] = {
    "datadoghq.com",     "us3.datadoghq.com", "us5.datadoghq.com",
    "ap1.datadoghq.com", "ap2.datadoghq.com", "uk1.datadoghq.com",
    "datadoghq.eu",      "ddog-gov.com",      "us2.ddog-gov.com",
};

static bool is_known(struct str site)
{
    for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
        if (str_eq_nocase(site, str_of(sites[i]))) {
            return true;
        }
    }
    return false;
}

/* Does anything go to a host of the site? */
static bool uses_site(const struct datadog_config *c)
{
    bool has_otlp = c->traces_via == DATADOG_VIA_OTLP || c->metrics_via == DATADOG_VIA_OTLP;

    return c->url.len == 0 || (has_otlp && c->otlp_url.len == 0);
}

static bool advise_site(const struct datadog_config *c, const struct yaml_node *node, struct err *e)
{
    AUTO(buf_release) struct buf says = BUF_INIT(BUF_SMALL);
    const struct yaml_node *at = yaml_get(node, STR("site"));
    const char *nearest = str_nearest(c->site, sites, ARRAY_LEN(sites));

    if (!uses_site(c) || is_known(c->site)) {
        return false;
    }
    buf_addf(&says, "'%.*s' is none of the sites that Datadog is known to have", STR_FMT(c->site));
    if (nearest != NULL) {
        buf_addf(&says, "; did you mean '%s'? There are", nearest);
    } else {
        buf_add_text(&says, ", which are");
    }
    for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
        buf_addf(&says, "%s %s", i > 0 ? "," : "", sites[i]);
    }
    buf_add_text(&says, "; a host of your own is named by 'url'");
    return !(at != NULL ? yaml_err(at, e, ERR_CONFIG, "%s", buf_text(&says))
                        : err_set(e, ERR_CONFIG, "%s", buf_text(&says)));
}

static bool advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct datadog_config *c = config;

    if (advise_site(c, node, e)) {
        return true;
    }
    if (c->traces_via == DATADOG_VIA_OTLP && c->otlp_url.len == 0 && c->otlp_source.len == 0) {
        const struct yaml_node *at = yaml_get(node, STR("traces_via"));
        const char *says = "Datadog's intake of OTLP takes traces with the name that it gave you "
                           "when it opened it: set 'otlp_source'";
        return !(at != NULL ? yaml_key_err(at, e, ERR_CONFIG, "%s", says)
                            : err_set(e, ERR_CONFIG, "%s", says));
    }
    return false;
}

static bool check_compression(const struct datadog_config *c, const struct yaml_node *node,
                              struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("compression"));

    return c->gzip || at == NULL || c->compression == DATADOG_PLAIN ||
           yaml_key_err(at, e, ERR_CONFIG,
                        "'gzip: false' says that nothing is compressed; leave it away");
}

static bool check_otlp(const struct datadog_config *c, const struct yaml_node *node, struct err *e)
{
    const struct yaml_node *agent = yaml_get(node, STR("trace_agent"));
    const char *const only[] = {"otlp_url", "otlp_source"};
    bool has_otlp = c->traces_via == DATADOG_VIA_OTLP || c->metrics_via == DATADOG_VIA_OTLP;

    if (c->traces_via == DATADOG_VIA_OTLP && c->agent.url.len > 0) {
        return yaml_key_err(agent != NULL ? agent : node, e, ERR_CONFIG,
                            "'traces_via: otlp' sends no span to an agent; keep one of the two");
    }
    for (size_t i = 0; i < ARRAY_LEN(only); i++) {
        const struct yaml_node *at = yaml_get(node, str_of(only[i]));
        if (at != NULL && !has_otlp) {
            return yaml_key_err(at, e, ERR_CONFIG,
                                "nothing is sent as OTLP; add 'traces_via: otlp' or "
                                "'metrics_via: otlp'");
        }
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct datadog_config *c = config;
    struct measure_options measures = c->measures;

    measures.has_distributions = true;
    if (secret_is_empty(c->client.api_key)) {
        return yaml_err(node, e, ERR_CONFIG,
                        "Datadog needs a key: set 'api_key', 'api_key_file' or 'api_key_secret'");
    }
    return check_site(c, node, e) && check_compression(c, node, e) && check_otlp(c, node, e) &&
           measures_check(&measures, e);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return datadog_sink_open(place, config, ret_sink, e);
}

const struct exporter_kind exporter_datadog = {
    .name = "datadog",
    .help = "Metrics to Datadog, and spans to its agent or as OTLP.",
    .example = "type: datadog\napi_key: 0123456789abcdef0123456789abcdef\nsite: datadoghq.eu\n"
               "tags: [ 'environment:production' ]\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .caps = EXPORTER_SPANS_APART,
    .says_types = exporter_says_types,
    .options = &option_table,
    .check = check,
    .advise = advise,
    .http = &datadog_series,
    .open = open_sink,
};
