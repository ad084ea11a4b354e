/* The flags of vmalert 1.79 to 1.150, in their order in its help; defaults are its, where they are to follow it. */
#include "cli/vmalert_flags.h"

#define NOTIFIER "exporters.alertmanager_{}"
#define WRITE "exporters.remote_write"
#define READ "datasources.remote_read"

/* What every URL of vmalert has; lists for the notifiers, one after the other. */
#define CLIENT_ROWS(flag, path, kind, flag_kind)                                                \
    {flag ".basicAuth.username", kind, path ".username", NULL, NULL},                           \
        {flag ".basicAuth.usernameFile", FLAG_REFUSED, NULL,                                    \
         "put the user name into the flag itself, or a config's ${VARIABLE}", NULL},            \
        {flag ".basicAuth.password", kind, path ".password", NULL, NULL},                       \
        {flag ".basicAuth.passwordFile", kind, path ".password_file", NULL, NULL},              \
        {flag ".bearerToken", kind, path ".bearer_token", NULL, NULL},                          \
        {flag ".bearerTokenFile", kind, path ".bearer_token_file", NULL, NULL},                 \
        {flag ".oauth2.clientID", kind, path ".oauth2.client_id", NULL, NULL},                  \
        {flag ".oauth2.clientSecret", kind, path ".oauth2.client_secret", NULL, NULL},          \
        {flag ".oauth2.clientSecretFile", kind, path ".oauth2.client_secret_file", NULL, NULL}, \
        {flag ".oauth2.endpointParams", FLAG_REFUSED, NULL,                                     \
         "set oauth2.endpoint_params in a config (-telex.printConfig begins one)", NULL},       \
        {flag ".oauth2.scopes", FLAG_LIST, path ".oauth2.scopes", NULL, NULL},                  \
        {flag ".oauth2.tokenUrl", kind, path ".oauth2.token_url", NULL, NULL},                  \
        {flag ".tlsCAFile", kind, path ".tls.ca_file", NULL, NULL},                             \
        {flag ".tlsCertFile", kind, path ".tls.cert_file", NULL, NULL},                         \
        {flag ".tlsKeyFile", kind, path ".tls.key_file", NULL, NULL},                           \
        {flag ".tlsServerName", kind, path ".tls.server_name", NULL, NULL},                     \
    {                                                                                           \
        flag ".tlsInsecureSkipVerify", flag_kind, path ".tls.insecure_skip_verify", NULL, NULL  \
    }

#define CONNECTIONS "connections are made as they are needed and used again"
#define REPLAY \
    "use `telex replay --from TIME --to TIME --into remote_write -c CONFIG`; -telex.printConfig makes the config"
#define PUSH \
    "add an exporter and `self_metrics_exporter` to a config; metrics are at /metrics in any case"

static const struct flag_row rows[] = {
    /* ours */
    {"telex.state", FLAG_TEXT, "state.path",
     "folder of logs and alert states; a systemd unit gives `$STATE_DIRECTORY`", "telex-data"},
    {"telex.printConfig", FLAG_OWN_BOOL, NULL, "print these flags as a telex.yaml, and end", NULL},
    {"dryRun", FLAG_OWN_BOOL, NULL,
     "check flags and rules, and end; needs no `-datasource.url`, and says that running does",
     NULL},
    {"version", FLAG_OWN_BOOL, NULL, "print the version, and end", NULL},
    {"envflag.enable", FLAG_OWN_BOOL, NULL,
     "flags that are not given are read from the environment", NULL},
    {"envflag.prefix", FLAG_OWN, NULL, "what their names begin with there", NULL},

    /* rules */
    {"rule", FLAG_LIST, "rules", "files, folders, patterns, URLs", NULL},
    {"rule.templates", FLAG_LIST, "rule_templates", NULL, NULL},
    {"evaluationInterval", FLAG_TEXT, "evaluation_interval", NULL, "1m"},
    {"rule.evalDelay", FLAG_TEXT, "query_offset",
     "as vmalert, results are this old; not those "
     "of groups with `eval_offset`",
     "30s"},
    {"rule.resultsLimit", FLAG_PLAIN, "limits.default_limit", NULL, NULL},
    {"rule.updateEntriesLimit", FLAG_PLAIN, "update_entries_limit", NULL, NULL},
    {"rule.resendDelay", FLAG_OWN, NULL,
     "`resend_delay` of every notifier; without it firing alerts are told at each evaluation",
     "1s"},
    {"rule.maxResolveDuration", FLAG_OWN, NULL, "`max_resolve_duration` of every notifier", NULL},
    {"rule.configCheckInterval", FLAG_TEXT, "reload_interval", NULL, NULL},
    {"configCheckInterval", FLAG_TEXT, "reload_interval", NULL, NULL},
    {"rule.validateExpressions", FLAG_PASSED, NULL, "expressions are always compiled at load",
     NULL},
    {"rule.validateTemplates", FLAG_PASSED, NULL, "templates are always compiled at load", NULL},
    {"rule.stripFilePath", FLAG_PASSED, NULL, "paths are shown as they were given", NULL},
    {"rule.defaultRuleType", FLAG_REFUSED, NULL,
     "write `type:` in the groups; `graphite` is known here, `vlogs` is not", NULL},
    {"rule.evalConcurrency", FLAG_REFUSED, NULL, "write `concurrency:` in the groups", NULL},
    {"group.maxStartDelay", FLAG_PASSED, NULL,
     "groups are spread over their interval by their id, and are evaluated from their first slot on",
     NULL},
    {"disableAlertgroupLabel", FLAG_OWN_BOOL, NULL, "without the label `alertgroup` on alerts",
     NULL},
    {"clusterMode", FLAG_OWN_BOOL, NULL,
     "`cluster` of the datasource and of what is written; tenants need no licence", NULL},
    {"defaultTenant.prometheus", FLAG_OWN, NULL, "`tenant` of both, with -clusterMode", NULL},
    {"defaultTenant.*", FLAG_REFUSED, NULL,
     "write `tenant:` in the groups, with `cluster: true` in a config", NULL},

    /* the datasource */
    {"datasource.url", FLAG_TEXT, "datasource.url", NULL, NULL},
    {"datasource.queryStep", FLAG_TEXT, "datasource.query_step", NULL, "5m"},
    {"datasource.disableStepParam", FLAG_OWN_BOOL, NULL, "no `step` is sent", NULL},
    {"datasource.roundDigits", FLAG_TEXT, "datasource.params.round_digits", NULL, NULL},
    {"datasource.headers", FLAG_HEADERS, "datasource.headers", NULL, NULL},
    {"datasource.idleConnTimeout", FLAG_TEXT, "datasource.idle_timeout", NULL, NULL},
    {"datasource.maxIdleConnections", FLAG_PASSED, NULL, CONNECTIONS, NULL},
    {"datasource.disableKeepAlive", FLAG_PASSED, NULL, CONNECTIONS, NULL},
    {"datasource.showURL", FLAG_PASSED, NULL, "URLs are shown without what may be secret in them",
     NULL},
    {"datasource.queryTimeAlignment", FLAG_BOOL, "eval_alignment",
     "of groups that do not say it themselves: times that are multiples of their interval", "true"},
    {"datasource.lookback", FLAG_TEXT, "query_offset", "the older name of -rule.evalDelay", NULL},
    {"datasource.appendTypePrefix", FLAG_REFUSED, NULL,
     "write /prometheus behind the URL of -datasource.url", NULL},
    CLIENT_ROWS("datasource", "datasource", FLAG_TEXT, FLAG_BOOL),

    /* what is written */
    {"remoteWrite.url", FLAG_TEXT, WRITE ".url",
     "/api/v1/write is added unless its path ends in /write", NULL},
    {"remoteWrite.disablePathAppend", FLAG_OWN_BOOL, NULL, "the URL is taken as it is", NULL},
    {"remoteWrite.maxBatchSize", FLAG_PLAIN, WRITE ".buffer.buffer_size", NULL, NULL},
    {"remoteWrite.flushInterval", FLAG_TEXT, WRITE ".buffer.flush_interval", NULL, NULL},
    {"remoteWrite.concurrency", FLAG_PLAIN, WRITE ".buffer.lanes", "series stay in order", NULL},
    {"remoteWrite.maxQueueSize", FLAG_PASSED, NULL, "what waits is on disk, not in a queue", NULL},
    {"remoteWrite.sendTimeout", FLAG_TEXT, WRITE ".timeout", NULL, NULL},
    {"remoteWrite.retryMinInterval", FLAG_TEXT, WRITE ".retry.initial_delay", NULL, NULL},
    {"remoteWrite.retryMaxTime", FLAG_PASSED, NULL,
     "a sample is tried for seven days, not for seconds (retry.max_age in a config)", NULL},
    {"remoteWrite.headers", FLAG_HEADERS, WRITE ".headers", NULL, NULL},
    {"remoteWrite.idleConnTimeout", FLAG_TEXT, WRITE ".idle_timeout", NULL, NULL},
    {"remoteWrite.showURL", FLAG_PASSED, NULL, "URLs are shown without what may be secret in them",
     NULL},
    CLIENT_ROWS("remoteWrite", WRITE, FLAG_TEXT, FLAG_BOOL),

    /* what is restored */
    {"remoteRead.url", FLAG_TEXT, READ ".url",
     "asked only for rules that have no state in -telex.state yet", NULL},
    {"remoteRead.lookback", FLAG_TEXT, "restore.lookback", NULL, NULL},
    {"remoteRead.ignoreRestoreErrors", FLAG_PASSED, NULL,
     "it is asked until it answers, and rules are evaluated meanwhile", NULL},
    {"remoteRead.disablePathAppend", FLAG_PASSED, NULL,
     "the query API is asked, as of a datasource", NULL},
    {"remoteRead.headers", FLAG_HEADERS, READ ".headers", NULL, NULL},
    {"remoteRead.idleConnTimeout", FLAG_TEXT, READ ".idle_timeout", NULL, NULL},
    {"remoteRead.showURL", FLAG_PASSED, NULL, "URLs are shown without what may be secret in them",
     NULL},
    CLIENT_ROWS("remoteRead", READ, FLAG_TEXT, FLAG_BOOL),

    /* who is told */
    {"notifier.url", FLAG_EACH, NOTIFIER ".url", "an exporter for each", NULL},
    {"notifier.config", FLAG_TEXT, "notifier_config", "read again with every reload", NULL},
    {"notifier.blackhole", FLAG_PASSED, NULL, "alerts go to nobody when no -notifier.url says who",
     NULL},
    {"notifier.suppressDuplicateTargetErrors", FLAG_PASSED, NULL,
     "a target is one, however often it is found", NULL},
    {"notifier.sendTimeout", FLAG_EACH, NOTIFIER ".timeout", NULL, NULL},
    {"notifier.headers", FLAG_REFUSED, NULL, "set `headers` of the exporters in a config", NULL},
    {"notifier.idleConnTimeout", FLAG_PASSED, NULL, CONNECTIONS, NULL},
    {"notifier.showURL", FLAG_PASSED, NULL, "URLs are shown without what may be secret in them",
     NULL},
    CLIENT_ROWS("notifier", NOTIFIER, FLAG_EACH, FLAG_EACH_PLAIN),
    {"promscrape.consulSDCheckInterval", FLAG_PASSED, NULL,
     "each discovery has its refresh_interval", NULL},
    {"promscrape.dnsSDCheckInterval", FLAG_PASSED, NULL, "each discovery has its refresh_interval",
     NULL},
    {"promscrape.*", FLAG_PASSED, NULL, "discovery waits for nobody", NULL},

    /* who it is */
    {"external.label", FLAG_PAIRS, "external_labels", NULL, NULL},
    {"external.url", FLAG_TEXT, "external_url", NULL, NULL},
    {"external.alert.source", FLAG_TEXT, "alert_source",
     "a template; without it alerts link to their rule's page below -external.url", NULL},

    /* the server */
    {"httpListenAddr", FLAG_TEXT, "server.listen", "as vmalert, on all addresses", ":8880"},
    {"httpAuth.username", FLAG_TEXT, "server.auth.username", NULL, NULL},
    {"httpAuth.password", FLAG_TEXT, "server.auth.password", NULL, NULL},
    {"tls", FLAG_PASSED, NULL, "the server speaks TLS when it has a certificate", NULL},
    {"tlsCertFile", FLAG_TEXT, "server.tls.cert_file", NULL, NULL},
    {"tlsKeyFile", FLAG_TEXT, "server.tls.key_file", NULL, NULL},
    {"tlsMinVersion", FLAG_PASSED, NULL, "TLS 1.2 and newer", NULL},
    {"tlsCipherSuites", FLAG_REFUSED, NULL, "the system's policy decides (GnuTLS priorities)",
     NULL},
    {"mtls*", FLAG_REFUSED, NULL, "set server.tls.client_ca_file in a config", NULL},
    {"http.pathPrefix", FLAG_REFUSED, NULL, "have the proxy take the prefix off", NULL},
    {"http.maxGracefulShutdownDuration", FLAG_TEXT, "shutdown_timeout", NULL, NULL},
    {"http.*", FLAG_PASSED, NULL, "the server's connections have limits of their own", NULL},
    {"enableTCP6", FLAG_PASSED, NULL, "the address of -httpListenAddr says it", NULL},
    {"reloadAuthKey", FLAG_TEXT, "server.admin_token",
     "sent as `Authorization: Bearer`, not in the URL", NULL},
    {"flagsAuthKey", FLAG_REFUSED, NULL, "flags are shown to nobody", NULL},
    {"metricsAuthKey", FLAG_REFUSED, NULL, "use -httpAuth.username and -httpAuth.password", NULL},
    {"pprofAuthKey", FLAG_PASSED, NULL, "there is no pprof", NULL},

    /* the process */
    {"loggerLevel", FLAG_OWN, NULL, "INFO, WARN, ERROR, FATAL, PANIC: `log.level`", NULL},
    {"loggerFormat", FLAG_OWN, NULL, "`default` or `json`: `log.format`", NULL},
    {"loggerOutput", FLAG_PASSED, NULL, "the log goes to standard error", NULL},
    {"logger*", FLAG_PASSED, NULL, "times are UTC, and repeated lines are thinned", NULL},
    {"memory.allowedBytes", FLAG_TEXT, "memory.limit", NULL, NULL},
    {"memory.allowedPercent", FLAG_PASSED, NULL, "60 % unless -memory.allowedBytes says more",
     NULL},
    {"fs.disableMmap", FLAG_PASSED, NULL, "nothing is mapped", NULL},
    {"internStringMaxLen", FLAG_PASSED, NULL, "there is no such cache", NULL},
    {"internString*", FLAG_PASSED, NULL, "there is no such cache", NULL},
    {"pushmetrics.*", FLAG_REFUSED, NULL, PUSH, NULL},
    {"replay.*", FLAG_REFUSED, NULL, REPLAY, NULL},
    {"s3.*", FLAG_REFUSED, NULL, "set `rule_servers` in a config: s3:// URLs need no licence",
     NULL},
    {"license*", FLAG_PASSED, NULL, "nothing here needs one", NULL},
    {"eula", FLAG_PASSED, NULL, "nothing here needs one", NULL},
};

static const char *const aliases[][2] = {
    {"rule.file", "rule"},
    {NULL, NULL},
};

const struct flag_table vmalert_flags = {"vmalert", rows, ARRAY_LEN(rows), aliases};
