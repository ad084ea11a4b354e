/*
 * exporters.h - every kind's table, for the registry alone.
 *
 * Ownership: static. Threads: const. Limits: none.
 */
#ifndef TELEX_EXPORT_EXPORTERS_EXPORTERS_H
#define TELEX_EXPORT_EXPORTERS_EXPORTERS_H

#include "export/exporter.h"

extern const struct exporter_kind exporter_alertmanager;
extern const struct exporter_kind exporter_buffer;
extern const struct exporter_kind exporter_cloudevents;
extern const struct exporter_kind exporter_conditional;
extern const struct exporter_kind exporter_datadog;
extern const struct exporter_kind exporter_file;
extern const struct exporter_kind exporter_http;
extern const struct exporter_kind exporter_influxdb;
extern const struct exporter_kind exporter_kafka;
extern const struct exporter_kind exporter_monitor;
extern const struct exporter_kind exporter_multi;
extern const struct exporter_kind exporter_otlp;
extern const struct exporter_kind exporter_postgresql;
extern const struct exporter_kind exporter_prometheus;
extern const struct exporter_kind exporter_pushgateway;
extern const struct exporter_kind exporter_rate_limit;
extern const struct exporter_kind exporter_relabel;
extern const struct exporter_kind exporter_newrelic;
extern const struct exporter_kind exporter_remote_write;
extern const struct exporter_kind exporter_resilient;
extern const struct exporter_kind exporter_rule_webhook;
extern const struct exporter_kind exporter_sample;
extern const struct exporter_kind exporter_sqlite;
extern const struct exporter_kind exporter_syslog;
extern const struct exporter_kind exporter_victoriametrics;
extern const struct exporter_kind exporter_webhook;

#endif
