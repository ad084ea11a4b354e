/*
 * kafka_options.h - the options of everything that talks to Kafka.
 *
 * A kind that embeds struct kafka_config puts KAFKA_CLIENT_ROWS(offset of it) and, when it writes,
 * KAFKA_PRODUCER_ROWS among its own rows. `properties` reach librdkafka as they are, except those that
 * options say, and those with which records would be lost, doubled or put out of order unnoticed.
 *
 * Ownership: static tables; a config's texts live in somebody's arena. Threads: const. Limits: in the
 * rows.
 */
#ifndef TELEX_NET_KAFKA_OPTIONS_H
#define TELEX_NET_KAFKA_OPTIONS_H

#include "base/options.h"
#include "net/http_client.h"
#include "net/http_options.h"

struct secret;

enum kafka_security {
    KAFKA_SECURITY_AUTO,
    KAFKA_PLAINTEXT,
    KAFKA_SSL,
    KAFKA_SASL_PLAINTEXT,
    KAFKA_SASL_SSL,
};

/* The choices stand in this order. */
enum kafka_sasl {
    KAFKA_SASL_NONE,
    KAFKA_SASL_PLAIN,
    KAFKA_SASL_SCRAM_256,
    KAFKA_SASL_SCRAM_512,
    KAFKA_SASL_OAUTHBEARER,
    KAFKA_SASL_GSSAPI,
};

struct kafka_config {
    struct option_list brokers;
    struct str client_id;
    int security_protocol; /* enum kafka_security */
    int sasl_mechanism;    /* enum kafka_sasl */
    struct str sasl_username;
    struct secret *sasl_password;
    struct http_oauth2_config oauth2; /* of OAUTHBEARER, as is: */
    struct option_map sasl_extensions;
    struct str kerberos_service; /* of GSSAPI, as are: */
    struct str kerberos_principal;
    struct str kerberos_keytab; /* empty: tickets are there already */
    struct http_tls_config tls;
    struct secret *tls_key_password;
    struct option_map properties;
    /* of producers */
    int compression; /* index into kafka_compressions */
    int partitioner; /* index into kafka_partitioners */
    int64_t linger_ns;
    int64_t batch_bytes;
    int64_t max_message_bytes;
    int64_t buffer_bytes;
    struct str transactional_id; /* empty: no transactions */
    int64_t transaction_timeout_ns;
};

enum { KAFKA_EXTENSIONS_MAX = 16 };

extern const char *const kafka_alias_brokers[];
extern const char *const kafka_alias_linger[];
extern const char *const kafka_alias_tls[];
extern const char *const kafka_alias_mechanism[];
extern const char *const kafka_alias_transaction_timeout[];
extern const char *const kafka_securities[];
extern const char *const kafka_mechanisms[];
extern const char *const kafka_compressions[];
extern const char *const kafka_partitioners[];

/* The protocol that is meant when none is said. */
enum kafka_security kafka_security(const struct kafka_config *c);

/* What the rows cannot say: mechanism without a password, properties that are not to be set. Points at
 * the entry of <node>. */
MUST_USE bool kafka_options_check(const struct kafka_config *c, const struct yaml_node *node,
                                  struct err *e);

#define KAFKA_AT(base, member) ((base) + offsetof(struct kafka_config, member))

#define KAFKA_CLIENT_ROWS(base)                                                                    \
    {.name = "brokers",                                                                            \
     .aliases = kafka_alias_brokers,                                                               \
     .type = OPTION_LIST,                                                                          \
     .flags = OPTION_REQUIRED,                                                                     \
     .offset = KAFKA_AT(base, brokers),                                                            \
     .help = "Brokers to begin with, `host:port`; the others are learnt from them."},              \
        {.name = "client_id",                                                                      \
         .type = OPTION_TEXT,                                                                      \
         .offset = KAFKA_AT(base, client_id),                                                      \
         .fallback = "telex",                                                                      \
         .help = "What brokers call us in their logs and quotas."},                                \
        {.name = "security_protocol",                                                              \
         .type = OPTION_ENUM,                                                                      \
         .offset = KAFKA_AT(base, security_protocol),                                              \
         .fallback = "auto",                                                                       \
         .choices = kafka_securities,                                                              \
         .help = "`auto`: SASL when there is a `sasl_mechanism`, TLS when `tls` says anything."},  \
        {.name = "sasl_mechanism",                                                                 \
         .aliases = kafka_alias_mechanism,                                                         \
         .type = OPTION_ENUM,                                                                      \
         .offset = KAFKA_AT(base, sasl_mechanism),                                                 \
         .fallback = "none",                                                                       \
         .choices = kafka_mechanisms,                                                              \
         .help = "How to log in. `PLAIN` sends the password as it is, `OAUTHBEARER` the token of " \
                 "`oauth2`: use them over TLS. `GSSAPI` is Kerberos."},                            \
        {.name = "sasl_username",                                                                  \
         .type = OPTION_TEXT,                                                                      \
         .offset = KAFKA_AT(base, sasl_username),                                                  \
         .help = "User of `sasl_mechanism`."},                                                     \
        {.name = "sasl_password",                                                                  \
         .type = OPTION_SECRET,                                                                    \
         .offset = KAFKA_AT(base, sasl_password),                                                  \
         .help = "Its password."},                                                                 \
        {.name = "oauth2",                                                                         \
         .aliases = http_alias_oauth2,                                                             \
         .type = OPTION_TABLE,                                                                     \
         .offset = KAFKA_AT(base, oauth2),                                                         \
         .table = &http_oauth2_options,                                                            \
         .help = "Where the token of `sasl_mechanism: OAUTHBEARER` comes from."},                  \
        {.name = "sasl_extensions",                                                                \
         .type = OPTION_MAP,                                                                       \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, sasl_extensions),                                                \
         .help = "What brokers want to be told beside that token, such as `logicalCluster` and "   \
                 "`identityPoolId` of Confluent Cloud."},                                          \
        {.name = "sasl_kerberos_service_name",                                                     \
         .type = OPTION_TEXT,                                                                      \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, kerberos_service),                                               \
         .fallback = "kafka",                                                                      \
         .help = "Of `GSSAPI`: what brokers are called in Kerberos, before their host's name."},   \
        {.name = "sasl_kerberos_principal",                                                        \
         .type = OPTION_TEXT,                                                                      \
         .offset = KAFKA_AT(base, kerberos_principal),                                             \
         .help = "Of `GSSAPI`: who we are, `telex@EXAMPLE.COM`."},                                 \
        {.name = "sasl_kerberos_keytab",                                                           \
         .type = OPTION_TEXT,                                                                      \
         .offset = KAFKA_AT(base, kerberos_keytab),                                                \
         .help = "Its keytab, with which `kinit` gets tickets. Without, somebody else keeps "      \
                 "tickets in the cache."},                                                         \
        {.name = "tls",                                                                            \
         .aliases = kafka_alias_tls,                                                               \
         .type = OPTION_TABLE,                                                                     \
         .offset = KAFKA_AT(base, tls),                                                            \
         .table = &http_tls_options,                                                               \
         .help = "TLS of the connections to brokers."},                                            \
        {.name = "tls_key_password",                                                               \
         .type = OPTION_SECRET,                                                                    \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, tls_key_password),                                               \
         .help = "Password of the key in `tls.key_file`."},                                        \
    {                                                                                              \
        .name = "properties", .type = OPTION_MAP, .flags = OPTION_ADVANCED,                        \
        .offset = KAFKA_AT(base, properties),                                                      \
        .help = "More properties of librdkafka, by its names. Those that options say, and those "  \
                "with which records would be lost unnoticed, are refused."                         \
    }

#define KAFKA_PRODUCER_ROWS(base)                                                                  \
    {.name = "compression",                                                                        \
     .type = OPTION_ENUM,                                                                          \
     .offset = KAFKA_AT(base, compression),                                                        \
     .fallback = "none",                                                                           \
     .choices = kafka_compressions,                                                                \
     .help = "How batches travel and are kept by brokers."},                                       \
        {.name = "partitioner",                                                                    \
         .type = OPTION_ENUM,                                                                      \
         .offset = KAFKA_AT(base, partitioner),                                                    \
         .fallback = "murmur2_random",                                                             \
         .choices = kafka_partitioners,                                                            \
         .help = "From the key to the partition; `murmur2_random` is that of Java's clients."},    \
        {.name = "linger",                                                                         \
         .aliases = kafka_alias_linger,                                                            \
         .type = OPTION_DURATION,                                                                  \
         .offset = KAFKA_AT(base, linger_ns),                                                      \
         .fallback = "5ms",                                                                        \
         .max = 900,                                                                               \
         .unit = "s",                                                                              \
         .help = "How long a message waits for others of its partition."},                         \
        {.name = "batch_bytes",                                                                    \
         .type = OPTION_BYTES,                                                                     \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, batch_bytes),                                                    \
         .fallback = "1000000",                                                                    \
         .min = 1024,                                                                              \
         .max = 1e8,                                                                               \
         .unit = "bytes",                                                                          \
         .help = "Most bytes of messages that are sent together, before compression."},            \
        {.name = "max_message_bytes",                                                              \
         .type = OPTION_BYTES,                                                                     \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, max_message_bytes),                                              \
         .fallback = "1000000",                                                                    \
         .min = 1024,                                                                              \
         .max = 1e8,                                                                               \
         .unit = "bytes",                                                                          \
         .help = "A larger message is rejected without being sent. Brokers take 1048588 unless "   \
                 "their `message.max.bytes` or the topic's says otherwise."},                      \
        {.name = "buffer_memory",                                                                  \
         .type = OPTION_BYTES,                                                                     \
         .flags = OPTION_ADVANCED,                                                                 \
         .offset = KAFKA_AT(base, buffer_bytes),                                                   \
         .fallback = "32MB",                                                                       \
         .min = 1048576,                                                                           \
         .max = 2e9,                                                                               \
         .unit = "bytes",                                                                          \
         .help = "Most bytes of messages on their way."},                                          \
        {.name = "transactional_id",                                                               \
         .type = OPTION_TEXT,                                                                      \
         .offset = KAFKA_AT(base, transactional_id),                                               \
         .help =                                                                                   \
             "Who the transactions are of: one id is one producer, the newest of that id "         \
             "shuts out all others. Samples, profiles and spans have it with `-bulk` behind."},    \
    {                                                                                              \
        .name = "transaction_timeout", .aliases = kafka_alias_transaction_timeout,                 \
        .type = OPTION_DURATION, .flags = OPTION_ADVANCED,                                         \
        .offset = KAFKA_AT(base, transaction_timeout_ns), .fallback = "60s", .min = 1, .max = 900, \
        .unit = "s", .help = "Brokers abort a transaction that is open for longer."                \
    }

#endif
