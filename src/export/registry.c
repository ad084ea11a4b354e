#include "export/exporter.h"

#include "export/exporters/exporters.h"

const struct exporter_kind *const exporter_kinds[] = {
    &exporter_alertmanager, &exporter_buffer,     &exporter_conditional,
    &exporter_file,         &exporter_influxdb,   &exporter_monitor,
    &exporter_multi,        &exporter_rate_limit, &exporter_relabel,
    &exporter_remote_write, &exporter_resilient,  &exporter_rule_webhook,
    &exporter_sample,       &exporter_webhook,    NULL,
};

const struct exporter_kind *exporter_kind_find(struct str name)
{
    for (const struct exporter_kind *const *kind = exporter_kinds; *kind != NULL; kind++) {
        if (str_eq(name, str_of((*kind)->name))) {
            return *kind;
        }
    }
    return NULL;
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
