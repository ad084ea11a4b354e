#include "export/exporters/kafka_config.h"

#include "export/exporters/kafka_words.h"

enum { KAFKA = offsetof(struct kafka_exporter_config, kafka) };

static const char *const formats[] = {"json", "cloudevents", NULL};
static const char *const modes[] = {"structured", "binary", NULL};
static const char *const timestamps[] = {"record", "now", NULL};
static const char *const alias_message_timeout[] = {"message_timeout_ms", "delivery_timeout_ms",
                                                    "timeout", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    KAFKA_CLIENT_ROWS(KAFKA),
    {.name = "topic",
     .type = OPTION_TEXT,
     .offset = offsetof(struct kafka_exporter_config, topic),
     .fallback = "telex-{kind}",
     .help = "Where records go. `{kind}`, `{tenant}`, `{name}`, `{rule}`, `{group}`, `{database}` "
             "and `{label.NAME}` stand for what the record has; bytes that a topic cannot have "
             "become `_`."},
    {.name = "topics",
     .type = OPTION_MAP,
     .offset = offsetof(struct kafka_exporter_config, topics),
     .help = "Topics of single kinds, `alert: alerts`, in place of `topic`."},
    {.name = "key",
     .type = OPTION_TEXT,
     .offset = offsetof(struct kafka_exporter_config, key),
     .fallback = "series",
     .help =
         "What decides the partition, in which records stay in order. `series`: the labels of "
         "a sample or alert, the trace of a span, the partitionkey or subject of an event; `none`; or a text with the words of "
         "`topic`."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct kafka_exporter_config, format),
     .fallback = "json",
     .choices = formats,
     .help =
         "What a message holds: `json`, the object that webhooks and files get, or `cloudevents`: events as they "
         "are, and other records as events that have that object as data."},
    {.name = "mode",
     .type = OPTION_ENUM,
     .offset = offsetof(struct kafka_exporter_config, mode),
     .fallback = "structured",
     .choices = modes,
     .help =
         "Of `cloudevents`: `structured`, the event is the message's value, as JSON; `binary`, attributes are "
         "headers that begin with `ce_`, the value is the data, and an event without data a tombstone."},
    EVENT_NAMING_ROWS(offsetof(struct kafka_exporter_config, naming)),
    {.name = "timestamps",
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct kafka_exporter_config, timestamps),
     .fallback = "record",
     .choices = timestamps,
     .help = "The time of messages. Brokers keep a message for so long after it: with `record`, "
             "old records that are sent late are soon gone."},
    {.name = "headers",
     .type = OPTION_MAP,
     .offset = offsetof(struct kafka_exporter_config, headers),
     .help = "Headers of every message."},
    {.name = "message_timeout",
     .aliases = alias_message_timeout,
     .type = OPTION_DURATION,
     .offset = offsetof(struct kafka_exporter_config, message_timeout_ns),
     .fallback = "30s",
     .min = 1,
     .max = 900,
     .unit = "s",
     .help = "Time for a batch to be acknowledged, in which the client tries again by itself. What "
             "was sent and not acknowledged by then may be there twice."},
    {.name = "transactions",
     .type = OPTION_BOOL,
     .offset = offsetof(struct kafka_exporter_config, transactions),
     .fallback = "false",
     .help = "Send each batch in a transaction: consumers that read what is committed see all of "
             "it or nothing."},
    KAFKA_PRODUCER_ROWS(KAFKA),
};

const struct option_table kafka_exporter_options = {
    .name = "exporter kafka",
    .help = "Records as messages to Kafka.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct kafka_exporter_config),
};

/* ---- what the table cannot say ---- */

static bool check_text(const struct yaml_node *node, struct str option, struct str text,
                       bool is_topic, struct err *e)
{
    const struct yaml_node *at = yaml_get(node, option);
    struct err why = ERR_INIT;

    return kafka_words_check(text, is_topic, &why) ||
           yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%.*s '%.*s': %s", STR_FMT(option),
                    STR_FMT(text), why.message);
}

static bool is_kind(struct str name)
{
    for (int i = 0; i < RECORD_KINDS; i++) {
        if (str_eq(name, str_of(record_kind_name((enum record_kind)i)))) {
            return true;
        }
    }
    return false;
}

static bool check_topics(const struct kafka_exporter_config *c, const struct yaml_node *node,
                         struct err *e)
{
    for (size_t i = 0; i < c->topics.count; i++) {
        const struct option_pair *pair = &c->topics.items[i];
        if (!is_kind(pair->name)) {
            return yaml_err(pair->node != NULL ? pair->node : node, e, ERR_CONFIG,
                            "topics: '%.*s' is no kind of record; expected sample, alert, event, "
                            "span or profile",
                            STR_FMT(pair->name));
        }
        if (!check_text(node, STR("topics"), pair->value, true, e)) {
            return false;
        }
    }
    return true;
}

static bool check_transactions(const struct kafka_exporter_config *c, const struct yaml_node *node,
                               struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("transactions"));
    bool has_id = c->kafka.transactional_id.len > 0;

    at = at != NULL ? at : node;
    if (c->transactions != has_id) {
        return yaml_err(at, e, ERR_CONFIG,
                        has_id
                            ? "transactional_id has no meaning without transactions: true"
                            : "transactions need a transactional_id, which no other producer has");
    }
    if (c->transactions && c->common.buffer.lanes > 1) {
        return yaml_err(at, e, ERR_CONFIG,
                        "transactions go with one lane: lanes would shut each other out");
    }
    return true;
}

/* Headers that say what the value is are the format's own. */
static bool check_headers(const struct kafka_exporter_config *c, const struct yaml_node *node,
                          struct err *e)
{
    if (c->headers.count > KAFKA_SENT_HEADERS_MAX / 2) {
        return yaml_err(node, e, ERR_LIMIT, "headers: at most %d", KAFKA_SENT_HEADERS_MAX / 2);
    }
    for (size_t i = 0; c->format == FORMAT_CLOUDEVENTS && i < c->headers.count; i++) {
        const struct option_pair *pair = &c->headers.items[i];
        if (str_starts(pair->name, STR("ce_")) || str_eq_nocase(pair->name, STR("content-type"))) {
            return yaml_err(pair->node != NULL ? pair->node : node, e, ERR_CONFIG,
                            "headers: '%.*s' is said by format: cloudevents itself",
                            STR_FMT(pair->name));
        }
    }
    return true;
}

bool kafka_exporter_check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct kafka_exporter_config *c = config;
    bool has_words = !str_eq(c->key, STR("series")) && !str_eq(c->key, STR("none"));
    struct err why = ERR_INIT;

    if (!kafka_options_check(&c->kafka, node, e) || !check_topics(c, node, e) ||
        !check_headers(c, node, e) || !check_transactions(c, node, e) ||
        !check_text(node, STR("topic"), c->topic, true, e) ||
        (has_words && !check_text(node, STR("key"), c->key, false, e))) {
        return false;
    }
    return (event_naming_check(&c->naming, &why) && kafka_check(&c->kafka, &why)) ||
           yaml_err(node, e, ERR_CONFIG, "%s", why.message);
}

bool kafka_exporter_advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct kafka_exporter_config *c = config;
    enum kafka_security security = kafka_security(&c->kafka);

    if (str_eq(c->key, STR("none"))) {
        return !yaml_err(node, e, ERR_CONFIG,
                         "key: none spreads the records of a series over all partitions: consumers "
                         "see them out of order");
    }
    if (c->kafka.sasl_mechanism == KAFKA_SASL_PLAIN && security == KAFKA_SASL_PLAINTEXT) {
        return !yaml_err(node, e, ERR_CONFIG,
                         "sasl_mechanism PLAIN sends the password in the clear; use "
                         "security_protocol: sasl_ssl");
    }
    if (c->common.buffer.lanes > 1 && c->kafka.buffer_bytes > INT64_C(1) << 30) {
        return !yaml_err(node, e, ERR_CONFIG, "each lane has a buffer_memory of its own");
    }
    return false;
}
