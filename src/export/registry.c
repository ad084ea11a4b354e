#include "export/exporter.h"

#include "export/exporters/exporters.h"

const struct exporter_kind *const exporter_kinds[] = {
    &exporter_alertmanager,
    &exporter_buffer,
    &exporter_cloudevents,
    &exporter_conditional,
    &exporter_datadog,
    &exporter_file,
    &exporter_http,
    &exporter_influxdb,
    &exporter_kafka,
    &exporter_monitor,
    &exporter_multi,
    &exporter_newrelic,
    &exporter_otlp,
    &exporter_postgresql,
    &exporter_prometheus,
    &exporter_pushgateway,
    &exporter_rate_limit,
    &exporter_relabel,
    &exporter_remote_write,
    &exporter_resilient,
    &exporter_rule_webhook,
    &exporter_sample,
    &exporter_sqlite,
    &exporter_syslog,
    &exporter_victoriametrics,
    &exporter_webhook,
    NULL,
};

static bool is_called(const struct exporter_kind *kind, struct str name)
{
    bool is_it = str_eq(name, str_of(kind->name));

    for (size_t i = 0; !is_it && kind->aliases != NULL && kind->aliases[i] != NULL; i++) {
        is_it = str_eq(name, str_of(kind->aliases[i]));
    }
    return is_it;
}

const struct exporter_kind *exporter_kind_among(const struct exporter_kind *const *kinds,
                                                struct str name)
{
    for (const struct exporter_kind *const *kind = kinds; kind != NULL && *kind != NULL; kind++) {
        if (is_called(*kind, name)) {
            return *kind;
        }
    }
    return NULL;
}

const struct exporter_kind *exporter_kind_find(struct str name)
{
    return exporter_kind_among(exporter_kinds, name);
}

const char *exporter_kind_nearest(struct str name)
{
    const char *names[ARRAY_LEN(exporter_kinds)];
    size_t count = 0;

    for (; exporter_kinds[count] != NULL; count++) {
        names[count] = exporter_kinds[count]->name;
    }
    return str_nearest(name, names, count);
}

bool exporter_says_types(const void *config)
{
    (void)config;
    return true;
}
