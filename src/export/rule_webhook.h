/*
 * rule_webhook.h - the exporter of what rules send to their annotation `webhook_url`, as others see it.
 *
 * Its kind is always there when a rule asks for it: the app adds the two entries below to the config's
 * exporters unless one of the kind stands there. Ownership: none. Threads: any. Limits: none.
 */
#ifndef TELEX_EXPORT_RULE_WEBHOOK_H
#define TELEX_EXPORT_RULE_WEBHOOK_H

#include "base/err.h"
#include "base/options.h"

/* The kind, the entry of that name, and the entry whose samples wait for company. */
#define RULE_WEBHOOK "rule_webhook"
#define RULE_WEBHOOK_BATCHES "rule_webhook_batches"

/*
 * May an alert that somebody else sent name the URL <text>? Its host must be in <hosts>: `host`,
 * `host:port` or `*.domain`. False with the reason.
 */
MUST_USE bool rule_webhook_allows(const struct option_list *hosts, struct str text, struct err *e);

#endif
