/*
 * outbox_int.h - the options of the source `outbox`.
 *
 * Ownership: a config is its stream's. Threads: const. Limits: none.
 */
#ifndef TELEX_EVENTS_SOURCES_OUTBOX_INT_H
#define TELEX_EVENTS_SOURCES_OUTBOX_INT_H

#include "base/secret.h"
#include "events/source.h"

enum outbox_on_ack { OUTBOX_KEEP, OUTBOX_DELETE };
enum outbox_from { OUTBOX_AUTO, OUTBOX_NOW, OUTBOX_BEGINNING };

struct outbox_config {
    struct source_common common;
    struct secret *connection_string;
    struct str table;
    struct str id_column;
    struct str xid_column;
    bool serialized;
    struct str key_column;
    struct str time_column;
    struct str notify_channel;
    int64_t poll_interval_ns;
    int on_ack; /* enum outbox_on_ack */
    int from;   /* enum outbox_from */
    int64_t connect_timeout_ns;
};

extern const struct option_table outbox_option_table;

/* As source_kind.check. */
bool outbox_check(const void *config, const struct yaml_node *node, struct err *e);

#endif
