#include "cli/prometheus_flags.h"

#include "base/mem.h"

#define QUERIES "queries are answered by -datasource.url"
#define STORE "there is no store of samples here"
#define QUEUE \
    "every Alertmanager is told the difference to what it knows: there is no queue to fill"

static const struct flag_row rows[] = {
    {"config.file", FLAG_OWN, NULL, "the prometheus.yml to read", "prometheus.yml"},
    {"datasource.url", FLAG_TEXT, "datasource.url",
     "who answers the rules' queries: a Prometheus, or what speaks its API", NULL},
    {"telex.state", FLAG_TEXT, "state.path",
     "folder of logs and alert states; a systemd unit gives `$STATE_DIRECTORY`", "telex-data"},
    {"telex.printConfig", FLAG_OWN_BOOL, NULL, "print all of it as a telex.yaml, and end", NULL},
    {"dryRun", FLAG_OWN_BOOL, NULL,
     "check flags, file and rules, and end: refuses what running would refuse", NULL},
    {"version", FLAG_OWN_BOOL, NULL, "print the version, and end", NULL},
    {"web.listen-address", FLAG_TEXT, "server.listen", "as Prometheus, on all addresses", ":9090"},
    {"web.external-url", FLAG_TEXT, "external_url", NULL, NULL},
    {"web.config.file", FLAG_REFUSED, NULL, "set server.tls and server.auth in a telex.yaml", NULL},
    {"web.enable-remote-write-receiver", FLAG_BOOL, "receive.remote_write", NULL, NULL},
    {"web.*", FLAG_PASSED, NULL, "the server is ours", NULL},
    {"rules.alert.resend-delay", FLAG_OWN, NULL, "`resend_delay` of every Alertmanager", "1m"},
    {"rules.alert.for-outage-tolerance", FLAG_TEXT, "restore.lookback",
     "for alerts that remote_read knows; our own state has no such limit", NULL},
    {"rules.alert.for-grace-period", FLAG_PASSED, NULL,
     "every alert goes on where it was, however short its `for`", NULL},
    {"rules.max-concurrent-evals", FLAG_PASSED, NULL,
     "rules that do not read each other are evaluated side by side in any case", NULL},
    {"alertmanager.*", FLAG_PASSED, NULL, QUEUE, NULL},
    {"config.auto-reload-interval", FLAG_PASSED, NULL, "SIGHUP reads all of it again", NULL},
    {"config.auto-reload", FLAG_PASSED, NULL, "SIGHUP reads all of it again", NULL},
    {"log.level", FLAG_TEXT, "log.level", NULL, NULL},
    {"log.format", FLAG_TEXT, "log.format", NULL, NULL},
    {"storage.*", FLAG_PASSED, NULL, STORE, NULL},
    {"query.*", FLAG_PASSED, NULL, QUERIES, NULL},
    {"scrape.*", FLAG_PASSED, NULL, "Prometheus goes on with it", NULL},
    {"enable-feature", FLAG_PASSED, NULL, "what they add to PromQL is always read", NULL},
    {"agent", FLAG_REFUSED, NULL, "an agent evaluates no rules: leave it out", NULL},
};

const struct flag_table prometheus_flags = {
    .command = "prometheus-rules", .rows = rows, .count = ARRAY_LEN(rows)};
