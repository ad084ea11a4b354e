#include "export/exporter.h"

#include "export/exporters/exporters.h"

const struct exporter_kind *const exporter_kinds[] = {
    &exporter_alertmanager, &exporter_file,    &exporter_influxdb,
    &exporter_remote_write, &exporter_webhook, NULL,
};

static const char *const kind_names[] = {
    "alertmanager", "file", "influxdb", "remote_write", "webhook",
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

const char *const *exporter_kind_names(size_t *ret_count)
{
    *ret_count = ARRAY_LEN(kind_names);
    return kind_names;
}
