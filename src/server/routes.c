/* Every resource, in the order of docs/api.md. */
#include "base/mem.h"
#include "server/server_int.h"

#define ALERT_FILTERS                                                                            \
    "- `rule_name[]`, `rule_group[]`, `file[]`: only of rules, groups or files of these names\n" \
    "- `match[]`: only those with labels that one of these selectors takes\n"                    \
    "- `datasource_type`: `prometheus` or `graphite`\n"                                          \
    "- `search`: only of rules and groups with this in their names\n"

#define RULE_FILTERS                                                                           \
    "- `type`: `alert` or `record`\n"                                                          \
    "- `exclude_alerts=true`: rules without their alerts\n" ALERT_FILTERS                      \
    "- `state` (or `filter`): only rules that are `ok`, `nomatch`, `inactive`, `pending`, "    \
    "`firing` or `unhealthy`; several with commas between\n"                                   \
    "- `extended_states=true`: `state` says so, of recording rules too\n"                      \
    "- `group_limit`: groups in one answer; `groupNextToken` of it is the `group_next_token` " \
    "of the next one. Or `page_num`, with `page` and `total_pages` beside `data`.\n"

/* A resource under its own path, and where vmalert and Prometheus have it behind a prefix. */
#define PEER_API(path, peer_handler, ...)                                                    \
    {.route = {.method = "GET", .pattern = (path), .handler = (peer_handler)}, __VA_ARGS__}, \
        {.route = {.method = "GET",                                                          \
                   .pattern = "/vmalert" path,                                               \
                   .handler = (peer_handler),                                                \
                   .name = (path)}},                                                         \
    {                                                                                        \
        .route = {                                                                           \
            .method = "GET",                                                                 \
            .pattern = "/prometheus" path,                                                   \
            .handler = (peer_handler),                                                       \
            .name = (path)                                                                   \
        }                                                                                    \
    }

/* A page of vmalert, or of Prometheus. */
#define PEER_PAGE(path, page_handler)                                                             \
    {                                                                                             \
        .route = {.method = "GET", .pattern = (path), .handler = (page_handler), .name = "page" } \
    }

const struct resource server_resources[] = {
    {.route = {.method = "GET", .pattern = "/", .handler = &resource_page, .name = "page"},
     .help =
         "The status page: groups, rules, alerts and exporters, for a person. It refreshes itself.",
     .params = "- `rule`: the id of a rule to show alone; alerts link to it\n"},
    PEER_API(
        "/api/v1/rules", &resource_rules,
        .help =
            "Groups with their rules and alerts, in file order, with the fields that Prometheus's API has and "
            "those of vmalert: `{\"status\": \"success\", \"data\": {\"groups\": [...]}}`. It is made while it "
            "is sent, and breaks off when the rules are replaced meanwhile. Annotations that `query` are as "
            "they were written: reading asks nobody. This and the next seven are also there below `/vmalert` and "
            "`/prometheus`.",
        .params = RULE_FILTERS),
    PEER_API("/api/v1/alerts", &resource_alerts,
             .help = "Pending and firing alerts, likewise: "
                     "`{\"status\": \"success\", \"data\": {\"alerts\": [...]}}`.",
             .params = ALERT_FILTERS),
    PEER_API("/api/v1/group", &resource_group,
             .help = "One group, a bare object as vmalert has it.",
             .params = "- `group_id`: its `id`\n"),
    PEER_API(
        "/api/v1/rule", &resource_rule,
        .help =
            "One rule, likewise, with its last evaluations in `updates`, newest first: `time`, `at` (the time "
            "that was asked for), `duration` in nanoseconds, `error`, `samples`, `series_fetched`, and the "
            "request as a `curl` command.",
        .params = "- `rule_id`: its `id`\n- `group_id`: that of its group; may be left out\n"),
    PEER_API("/api/v1/alert", &resource_alert, .help = "One active alert, likewise.",
             .params = "- `group_id`, `alert_id`: its `group_id` and `id`\n"),
    PEER_API(
        "/api/v1/notifiers", &resource_notifiers,
        .help =
            "Whom alerts are told, as vmalert has it: `{\"status\": \"success\", \"data\": {\"notifiers\": "
            "[{\"kind\": \"static\", \"targets\": [{\"address\", \"labels\", \"lastError\"}]}]}}`."),
    PEER_API(
        "/api/v1/alertmanagers", &resource_alertmanagers,
        .help = "The same as Prometheus has it: `activeAlertmanagers` and `droppedAlertmanagers`."),
    PEER_API("/api/v1/status/buildinfo", &resource_build_info,
             .help = "The version, as Prometheus says it: Grafana asks for it."),
    PEER_PAGE("/vmalert", &resource_peer_page),
    PEER_PAGE("/vmalert/", &resource_peer_page),
    PEER_PAGE("/vmalert/groups", &resource_peer_page),
    PEER_PAGE("/vmalert/alerts", &resource_peer_page),
    PEER_PAGE("/vmalert/notifiers", &resource_peer_page),
    PEER_PAGE("/vmalert/rule", &resource_peer_rule),
    PEER_PAGE("/vmalert/alert", &resource_peer_page),
    PEER_PAGE("/rules", &resource_peer_page),
    PEER_PAGE("/alerts", &resource_peer_page),
    {.route = {.method = "GET", .pattern = "/api/v1/history", .handler = &resource_history},
     .help =
         "Changes of alert state, newest first: `number`, `time`, `rule`, `group`, `labels`, `from`, `to`, `value`, "
         "`cause` in words, whether somebody was `told`, and in `deliveries` what became of it at each exporter "
         "(`delivered`, `fallback`, `dead_letter`, with the reason). `next` is the `before` of the next page. "
         "An alert that others push was never pending here, its causes say that it was pushed, its `rule` is its name "
         "and its `rule_id` one made of that.",
     .params = "- `rule`, `group`, `rule_id`: only of these\n"
               "- `state`: only those that led to `pending`, `firing`, `resolved` or `inactive`\n"
               "- `labels`: only of alerts with these, as `{\"instance\": \"a\"}`\n"
               "- `from`, `to`: times, RFC 3339 or Unix seconds\n"
               "- `told=true`: without those that nobody was told of\n"
               "- `limit`: 100 unless said, 1000 at most\n"
               "- `before`: a number; older ones only\n"},
    {.route = {.method = "GET", .pattern = "/api/v1/streams", .handler = &resource_streams},
     .help =
         "Change streams: `state` (`connecting`, `running`, `waiting` for a source in trouble, `refused` by it, `lost` when what the "
         "position stands for is gone, `halted` by a change or by the sink, `ended`; `disabled` and `unconfigured` are streams that are off or in no config and "
         "still hold something), whether it is `ready` and the `reason` why not, the `position` and "
         "when it was saved, how far behind it is (`lag_seconds`, `lag_events`; null: not known), what was `read`, `done`, `filtered` and "
         "`broken`, what is `in_flight`, how `backfill`, `source` and `sink` are, and the last `change` that somebody made (`what`, `phase`, `since`, "
         "`problem`)."},
    {.route = {.method = "GET", .pattern = "/api/v1/streams/{name}", .handler = &resource_stream},
     .help = "One of them."},
    {.route = {.method = "POST",
               .pattern = "/api/v1/streams/{name}/{verb}",
               .handler = &resource_stream_change,
               .body_max = STREAM_BODY_MAX,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "`reset`: the stream starts as for the first time, with its backfill; `skip`: what is missing is given up, and it "
         "goes on with what comes now, or, when a change halts it, behind that, which becomes a dead letter; `rewind`: it "
         "goes on behind a `position`. Answers with the stream as it is then, or, when that takes more than five seconds, 202: "
         "`change` of the stream says what becomes of it, and, when it is done, what it did: `from` and `to` (`position`, and `since` when) of "
         "one that `moves` the stream, and which `letter` became of what a skip `passes`, as far as these are known. 409: it makes no sense now, cannot be made, or this stream is being changed "
         "already. A stream that is `disabled` or `unconfigured` can "
         "be `reset`: it is forgotten. See [events](events.md).",
     .params =
         "- `position`: of `rewind`, in the source's words, as `position` shows them; a long one as `{\"position\": ...}` in the body\n"
         "- `drop_source`: of `reset`, should the source take back what it made, such as a replication slot? `false` unless "
         "said, `true` for a stream that does not run\n"},
    {.route = {.method = "GET",
               .pattern = "/api/v1/streams/{name}/dead",
               .handler = &resource_letters,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "The stream's dead letters, oldest first: `kind` `refused` (events that the sink refused) or `unreadable` (changes "
         "that could not become events), `id`, `time`, `reason`, the sink's `status` where it gave one, and how many "
         "`records` there are; of a refused one `id`, `source` and `type` of its `events` (the first 20), of an unreadable one where it "
         "is `from`. `next` is the `from` of the next page. `elsewhere`: of a stream whose exporter is several, the folders that their refused "
         "events lie in.",
     .params = "- `limit`: 100 unless said, 1000 at most\n- `from`: an `id`; from this one on\n"},
    {.route = {.method = "GET",
               .pattern = "/api/v1/streams/{name}/dead/{id}",
               .handler = &resource_letter,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "One of them, with what is in it: `events`, or of an unreadable one `text`, or `base64` where it is none."},
    {.route = {.method = "POST",
               .pattern = "/api/v1/streams/{name}/dead/{verb}",
               .handler = &resource_letters_change,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "`replay`: gives letters to the stream's sink again, an unreadable one through the transform as the config has it "
         "now; a letter leaves when the sink has taken it. Those that are `refused` again stay. What takes longer than 2 s "
         "goes on with the next request, `from` the answer's `next`; `stopped` says why the sink takes nothing now. "
         "`discard`: throws them away. Either answers with letters by what became of them (`delivered`, `left_out`, `refused`, "
         "`discarded`), the same of the `records` in them, and the `letters` and `records` that are `kept` then.",
     .params = "- `id`: one letter\n"
               "- `all=true`: all of them\n"
               "- `from`: with `all`, from this one on\n"},
    {.route = {.method = "GET", .pattern = "/api/v1/rules/{id}/why", .handler = &resource_why},
     .help =
         "Why a rule fires or does not: its last evaluation in words, each alert with what it waits for, and the "
         "evaluations before. `id` is the rule's id, or its name where only one rule has it. Alerts that others push have no rule here."},
    {.route = {.method = "GET",
               .pattern = "/api/v1/status/exporters",
               .handler = &resource_exporters},
     .help =
         "Exporters: what waits for them, what they took and refused, their last error. `state` is `ok`, "
         "`idle`, `retrying` (not now) or `halted` (credentials or address refused)."},
    {.route = {.method = "GET", .pattern = "/api/v1/exporters", .handler = &resource_exporter_list},
     .help =
         "How exporters are: `state` (`idle`, `ok`, `retrying`, `open` while the circuit breaker is, `halted` when "
         "they refuse us, `paused`), `circuit_breaker`, `health`, what waits in `queue` (on disk) and `buffer` "
         "(in memory), the `last_result`, and what was `dropped` and `filtered`, by reason. `orphans` is what "
         "removed exporters are still owed, `overrides` are the options that were changed over this API, "
         "`performance` the time that steps took, where `debug.measure_performance` is on. `health.is_healthy` is "
         "false while the breaker is open and after `health_check.unhealthy_threshold` calls or questions that "
         "failed in a row, until something is delivered or answered; a lane that buried all that it had is `idle`. A breaker is "
         "`half_open` when its `recovery_timeout` is over, whether or not something "
         "waits to be tried. `buffer.avg_flush_time_ms` is the time that a flush takes, without the waits between "
         "tries, smoothed over some eight of them."},
    {.route = {.method = "GET",
               .pattern = "/api/v1/exporters/{name}",
               .handler = &resource_exporter},
     .help = "One of them; a `/` in its name is written `%2F`."},
    {.route = {.method = "PATCH",
               .pattern = "/api/v1/exporters/{name}",
               .handler = &resource_exporter_change,
               .access = HTTP_ACCESS_ADMIN,
               .body_max = OVERRIDES_PATCH_MAX},
     .help =
         "Changes options of an exporter while it runs. The body is an object of options as the config has them, "
         "such as `{\"retry\": {\"max_retries\": 3}}`; they go before what the config and the environment say, "
         "`null` takes one back (a merge patch, RFC 7396; lists and mappings of names are replaced as a whole). "
         "Then config and rules are read again as by a reload: 200 with the exporter's overrides when they run, "
         "400 with every problem, the exporter and the option it is about, when something is wrong and what ran goes on, 404 when there is no such "
         "exporter. A path or query of a URL may be a secret: "
         "answers show `http://host:port/\xe2\x80\xa6` in its place, and what was said is what is used. "
         "Overrides are kept in `overrides.json` of the state folder and outlive restarts. Exporters on "
         "the spot in others are called `PARENT/NAME`, an only child without a name `PARENT/exporter`. `type` and what an "
         "exporter stands around cannot be changed, and secrets only by naming where they are."},
    {.route = {.method = "DELETE",
               .pattern = "/api/v1/exporters/{name}/overrides",
               .handler = &resource_exporter_overrides_drop,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "Takes back all that was changed of an exporter while it ran: it is what the config says again."},
    {.route = {.method = "GET",
               .pattern = "/api/v1/exporters/{name}/tap",
               .handler = &resource_exporter_tap,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "What an exporter sends: a line of JSON for each call since number `after`, with what became of "
         "its records and the first 20 of them. `X-Telex-Next` is the number to ask with the next time, "
         "`X-Telex-Missed` how many calls were lost between. `telex tap` shows it.",
     .params = "- `after`: the number; without one, what comes from now on\n"},
    {.route = {.method = "POST",
               .pattern = "/api/v1/exporters/{name}/{verb}",
               .handler = &resource_exporter_verb,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "Asks an exporter to `pause` (what comes stays on disk), `resume`, or `flush` (send what "
         "waits now, also in the middle of a backoff); answers with how it is then. A pause "
         "outlasts reloads, not the program."},
    {.route = {.method = "POST",
               .pattern = "/api/v1/orphans/{name}/adopt",
               .handler = &resource_orphan_adopt,
               .access = HTTP_ACCESS_ADMIN},
     .help = "Gives what a removed exporter is still owed to another one, as if it had been given "
             "just now. What takes longer than 2 s goes on with the next request.",
     .params = "- `by`: the exporter that gets it\n"},
    {.route = {.method = "DELETE",
               .pattern = "/api/v1/orphans/{name}",
               .handler = &resource_orphan_drop,
               .access = HTTP_ACCESS_ADMIN},
     .help =
         "Drops what a removed exporter is still owed; it is counted as dropped with the reason "
         "`orphan`."},
    {.route = {.method = "GET", .pattern = "/api/v1/trace", .handler = &resource_trace},
     .help =
         "From which level on the components of the program write to the log: `level` for all that are not named, "
         "`levels` by name; an exporter is `export/NAME`. `changed` is what was changed over this API, `until` when "
         "it ends."},
    {.route = {.method = "PUT",
               .pattern = "/api/v1/trace",
               .handler = &resource_trace_change,
               .access = HTTP_ACCESS_ADMIN,
               .body_max = TRACE_BODY_MAX},
     .help =
         "Changes levels while the program runs: `{\"level\": \"warn\", \"levels\": {\"export/vm\": "
         "\"debug\"}, \"for\": \"10m\"}`, all of it optional. It lies over what the config says, in place of what "
         "was changed before, until its time is over, it is taken back, or the program ends. A component without a "
         "level has that of the one it is part of."},
    {.route = {.method = "DELETE",
               .pattern = "/api/v1/trace",
               .handler = &resource_trace_restore,
               .access = HTTP_ACCESS_ADMIN},
     .help = "Takes that back: levels are the config's again."},
    {.route = {.method = "GET", .pattern = "/metrics", .handler = &resource_metrics},
     .help =
         "The program's own metrics as Prometheus text; unless `vmalert_metrics` is off, also under vmalert's "
         "names: `vmalert_remotewrite_*` is about every exporter that data goes to, `vmalert_notification_*` about "
         "those that tell people (alertmanager, webhook, rule_webhook). [Which there are](vmalert-metrics.md)."},
    {.route = {.method = "GET", .pattern = "/-/healthy", .handler = &resource_healthy},
     .help = "200 as long as the program answers."},
    {.route = {.method = "GET", .pattern = "/-/ready", .handler = &resource_ready},
     .help = "200 when alert states are restored and rules are evaluated; 503 before."},
    {.route = {.method = "GET", .pattern = "/health", .handler = &resource_health},
     .help = "The same as vmalert says it."},
    {.route = {.method = "GET", .pattern = "/ping", .handler = &resource_ping},
     .help = "204, likewise."},
    {.route = {.method = "PUT",
               .pattern = "/-/reload",
               .handler = &resource_reload,
               .access = HTTP_ACCESS_RELOAD}},
    {.route = {.method = "POST",
               .pattern = "/-/reload",
               .handler = &resource_reload,
               .access = HTTP_ACCESS_RELOAD},
     .help =
         "Reads config and rules again. 200 when they run; 400 with every problem when something is wrong and "
         "what ran goes on. Needs the admin token (`Authorization: Bearer`) where one is set, else the "
         "credentials of `server.auth` where those are set. `SIGHUP` does the same without an answer."},
};

const size_t server_resource_count = ARRAY_LEN(server_resources);

const struct resource server_pushes[] = {
    {.route = {.method = "POST", .pattern = "/api/v1/write", .access = HTTP_ACCESS_CLIENT},
     .help =
         "Takes Prometheus remote write 1.0 (a snappy block of `prometheus.WriteRequest`) and 2.0, where "
         "`receive.remote_write` is on. 204 when every exporter that the routes chose has it on disk; 400 with the "
         "place of what is wrong, 413 beyond `receive.max_body` or `receive.max_decoded`, 415 for anything else; "
         "503 with `Retry-After` when there is no room or no exporter takes samples. See [receive](receive.md)."},
    {.route = {.method = "POST", .pattern = "/api/v1/events", .access = HTTP_ACCESS_CLIENT},
     .help =
         "Takes CloudEvents (structured, binary, batched) and plain JSON, where `receive.events` is on. 202 when all are "
         "on disk in Telex's own table, with `Telex-Events-New` and `Telex-Events-Known`; 400 with the event and the "
         "place of what is wrong; 413, 415; 503 with `Retry-After` when there is no room. See [receive](receive.md#events)."},
    {.route = {.method = "OPTIONS", .pattern = "/api/v1/events"},
     .help = "The handshake of the CloudEvents webhook specification: consent to whoever asks."},
    {.route = {.method = "POST", .pattern = "/api/v2/alerts", .access = HTTP_ACCESS_CLIENT},
     .help =
         "Takes the alerts that Prometheus and vmalert post to an Alertmanager, where `receive.alerts` is on. 200 when "
         "every exporter chosen has what is new on disk; 400 with the place of what is wrong; 503 with `Retry-After` "
         "when there is no room. See [receive](receive.md#alerts)."},
    {.route = {.method = "POST", .pattern = "/webhook", .access = HTTP_ACCESS_CLIENT},
     .help = "Takes what an Alertmanager's webhook posts (version 4), in the same way."},
};

const size_t server_push_count = ARRAY_LEN(server_pushes);

struct http_route *server_routes(void)
{
    struct http_route *routes = mem_alloc0(server_resource_count, sizeof(*routes));

    for (size_t i = 0; i < server_resource_count; i++) {
        routes[i] = server_resources[i].route;
    }
    return routes;
}

static const char *needs(enum http_access access)
{
    return access == HTTP_ACCESS_OPEN ? "" : " (guarded)";
}

static void print_docs(const struct resource *resources, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++) {
        const struct resource *r = &resources[i];
        if (r->help == NULL) {
            continue;
        }
        buf_addf(out, "## `%s %s`%s\n\n%s\n\n", r->route.method, r->route.pattern,
                 needs(r->route.access), r->help);
        if (r->params != NULL) {
            buf_addf(out, "%s\n", r->params);
        }
    }
}

void server_print_docs(struct buf *out)
{
    print_docs(server_resources, server_resource_count, out);
    print_docs(server_pushes, server_push_count, out);
}
