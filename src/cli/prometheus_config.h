/*
 * prometheus_config.h - what of a prometheus.yml is ours: global, rule_files, alerting, remote_write, remote_read.
 *
 * Its settings become entries at their places in our config, each with its line in prometheus.yml, so that a mistake in
 * a value is shown with the line that it came from. A section that is for others is passed over with a note, a setting
 * that we know and cannot follow is an error, and so is one that nobody knows.
 *
 * Ownership: texts live in the flags' arena. Threads: the main thread. Limits: PROMETHEUS_FILE_MAX bytes.
 */
#ifndef TELEX_CLI_PROMETHEUS_CONFIG_H
#define TELEX_CLI_PROMETHEUS_CONFIG_H

#include "cli/flags.h"

enum { PROMETHEUS_FILE_MAX = 64 << 20 };

/* <file> is what problems call it. */
MUST_USE bool prometheus_config_read(struct flags *f, struct str file, struct str text,
                                     struct err *e);

/* The sections and settings as Markdown: what each is here. */
void prometheus_config_print_docs(struct buf *out);

#endif
