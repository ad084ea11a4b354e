/*
 * notifiers.h - Alertmanagers as vmalert and Prometheus configure them, made into exporters.
 *
 * vmalert's -notifier.config and the `alerting` section of prometheus.yml become a mapping as it stands below
 * `exporters`: an alertmanager-N of type alertmanager for each entry (vmalert) or block (Prometheus), with the
 * options that hold for all. Nodes keep their places, so the exporter's own checks point into the user's file.
 *
 * Ownership: nodes and texts live in <a> and in the tree that was given. Threads: confined. Limits: those of
 * the exporters.
 */
#ifndef TELEX_EXPORT_NOTIFIERS_H
#define TELEX_EXPORT_NOTIFIERS_H

#include "base/yaml.h"

/* <root>: the file's document. Its http options hold for all entries; an entry of static_configs may have its
 * own. */
MUST_USE bool notifiers_from_vmalert(const struct yaml_node *root, struct arena *a,
                                     const struct yaml_node **ret_exporters, struct err *e);

/* <alerting>: the section. Without alertmanagers there are no exporters. */
MUST_USE bool notifiers_from_prometheus(const struct yaml_node *alerting, struct arena *a,
                                        const struct yaml_node **ret_exporters, struct err *e);

#endif
