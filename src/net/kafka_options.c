#include "net/kafka_options.h"

#include "base/secret.h"

#include <inttypes.h>
#include <string.h>

const char *const kafka_alias_brokers[] = {"bootstrap_servers", NULL};
const char *const kafka_alias_linger[] = {"linger_ms", NULL};
const char *const kafka_alias_tls[] = {"tls_config", NULL};
const char *const kafka_alias_mechanism[] = {"sasl_mechanisms", NULL};
const char *const kafka_alias_transaction_timeout[] = {"transaction_timeout_ms", NULL};
const char *const kafka_securities[] = {"auto",           "plaintext", "ssl",
                                        "sasl_plaintext", "sasl_ssl",  NULL};
const char *const kafka_mechanisms[] = {
    "none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI", NULL};
const char *const kafka_compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};
const char *const kafka_partitioners[] = {"murmur2_random", "murmur2", "consistent_random",
                                          "consistent",     "random",  "fnv1a_random",
                                          "fnv1a",          NULL};

/* Properties that are not to be set, and what to do instead. */
static const struct {
    const char *name;
    const char *instead;
} refused[] = {
    {"bootstrap.servers", "the option is brokers"},
    {"metadata.broker.list", "the option is brokers"},
    {"client.id", "the option is client_id"},
    {"security.protocol", "the option is security_protocol"},
    {"sasl.mechanism", "the option is sasl_mechanism"},
    {"sasl.mechanisms", "the option is sasl_mechanism"},
    {"sasl.username", "the option is sasl_username"},
    {"sasl.password", "the option is sasl_password, which is a secret"},
    {"ssl.ca.location", "the option is tls.ca_file"},
    {"ssl.certificate.location", "the option is tls.cert_file"},
    {"ssl.key.location", "the option is tls.key_file"},
    {"ssl.key.pem", "the option is tls.key_file, a file"},
    {"ssl.key.password", "the option is tls_key_password, which is a secret"},
    {"ssl.keystore.location", "the options are tls.cert_file and tls.key_file"},
    {"ssl.keystore.password", "the options are tls.key_file and tls_key_password, a secret"},
    {"sasl.kerberos.service.name", "the option is sasl_kerberos_service_name"},
    {"sasl.kerberos.principal", "the option is sasl_kerberos_principal"},
    {"sasl.kerberos.keytab", "the option is sasl_kerberos_keytab"},
    {"sasl.kerberos.kinit.cmd", "it is a command; the option is sasl_kerberos_keytab"},
    {"sasl.oauthbearer.client.secret", "the option is oauth2.client_secret, which is a secret"},
    {"sasl.oauthbearer.client.id", "the option is oauth2.client_id"},
    {"sasl.oauthbearer.config", "it holds secrets; the option is oauth2"},
    {"sasl.oauthbearer.extensions", "the option is sasl_extensions"},
    {"sasl.oauthbearer.method", "the option is oauth2"},
    {"sasl.oauthbearer.scope", "the option is oauth2.scopes"},
    {"sasl.oauthbearer.token.endpoint.url", "the option is oauth2.token_url"},
    {"enable.sasl.oauthbearer.unsecure.jwt",
     "anyone could make such a token; the option is oauth2"},
    {"enable.ssl.certificate.verification", "the option is tls.insecure_skip_verify"},
    {"compression.codec", "the option is compression"},
    {"compression.type", "the option is compression"},
    {"partitioner", "the option is partitioner"},
    {"linger.ms", "the option is linger"},
    {"queue.buffering.max.ms", "the option is linger"},
    {"batch.size", "the option is batch_bytes"},
    {"message.max.bytes", "the option is max_message_bytes"},
    {"queue.buffering.max.kbytes", "the option is buffer_memory"},
    {"queue.buffering.max.messages", "the option is buffer_memory"},
    {"transactional.id", "the options are transactions and transactional_id"},
    {"transaction.timeout.ms", "the option is transaction_timeout"},
    {"acks", "a record counts when all replicas have it"},
    {"request.required.acks", "a record counts when all replicas have it"},
    {"enable.idempotence", "without it, repeats are doubled and out of order"},
    {"enable.gapless.guarantee", "without it, records pass others of their key that failed"},
    {"max.in.flight", "idempotence decides that"},
    {"max.in.flight.requests.per.connection", "idempotence decides that"},
    {"retries", "retry_config and message_timeout decide that"},
    {"message.send.max.retries", "retry_config and message_timeout decide that"},
    {"message.timeout.ms", "the option is message_timeout"},
    {"delivery.timeout.ms", "the option is message_timeout"},
    {"queuing.strategy", "another order would break that of a key"},
    {"delivery.report.only.error", "records that were taken must be known"},
    {"group.id", "who reads says it as group"},
    {"group.instance.id", "all partitions are read, whoever else is in the group"},
    {"enable.auto.commit", "places are kept by us, behind what was delivered"},
    {"auto.offset.reset", "what is not there any more is told, not passed over"},
    {"isolation.level", "what was aborted is not read"},
    {"enable.partition.eof", "ends are how idle partitions are known"},
    {"queued.max.messages.kbytes", "the option is buffer_memory"},
    {"log.queue", "the log is telex's own"},
    {"log_level", "trace levels decide that"},
    {"internal.termination.signal", "threads take no signals"},
    {"plugin.library.paths", "it would load code into this program"},
    {"test.mock.num.brokers", "it would keep records in memory, of brokers that are none"},
};

enum kafka_security kafka_security(const struct kafka_config *c)
{
    bool tls = c->tls.ca_file.len > 0 || c->tls.cert_file.len > 0 || c->tls.insecure_skip_verify;

    if (c->security_protocol != KAFKA_SECURITY_AUTO) {
        return (enum kafka_security)c->security_protocol;
    }
    if (c->sasl_mechanism != KAFKA_SASL_NONE) {
        return tls ? KAFKA_SASL_SSL : KAFKA_SASL_PLAINTEXT;
    }
    return tls ? KAFKA_SSL : KAFKA_PLAINTEXT;
}

/* At the option, or at the whole when it came from elsewhere. */
static const struct yaml_node *at_option(const struct yaml_node *node, struct str name)
{
    const struct yaml_node *at = yaml_get(node, name);

    return at != NULL ? at : node;
}

static bool check_property(const struct option_pair *pair, const struct yaml_node *node,
                           struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (str_eq(pair->name, str_of(refused[i].name))) {
            (void)yaml_key_err(pair->node != NULL ? pair->node : node, e, ERR_CONFIG,
                               "the property '%s' is not to be set here: %s", refused[i].name,
                               refused[i].instead);
            e->source[0] = '\0'; /* the line may have what is a secret */
            return false;
        }
    }
    return true;
}

/* Does the section say who gives tokens, and to whom? NULL: it does. */
static const char *token_problem(const struct http_oauth2_config *c)
{
    if (!http_oauth2_is_set(c)) {
        return "OAUTHBEARER needs oauth2, with token_url or issuer";
    }
    if (c->token_url.len > 0 && c->issuer.len > 0) {
        return "oauth2: token_url and issuer both say who gives tokens: keep one";
    }
    return c->client_id.len == 0 ? "oauth2 needs client_id" : NULL;
}

/* Both become words of the command by which librdkafka gets tickets. */
static bool is_word(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c != '\0' && strchr("._/@:+-", c) != NULL);
        if (!is_fine) {
            return false;
        }
    }
    return text.len > 0 && text.ptr[0] != '-';
}

static const char *kerberos_problem(const struct kafka_config *c)
{
    if (c->kerberos_keytab.len > 0 && c->kerberos_principal.len == 0) {
        return "sasl_kerberos_keytab needs sasl_kerberos_principal";
    }
    return (c->kerberos_principal.len > 0 && !is_word(c->kerberos_principal)) ||
                   (c->kerberos_keytab.len > 0 && !is_word(c->kerberos_keytab))
               ? "sasl_kerberos_principal and sasl_kerberos_keytab have letters, digits and "
                 "'._/@:+-' only"
               : NULL;
}

/* What belongs to another mechanism than the one there is; NULL: nothing. */
static const char *stray_login(const struct kafka_config *c)
{
    bool is_password = c->sasl_mechanism != KAFKA_SASL_OAUTHBEARER &&
                       c->sasl_mechanism != KAFKA_SASL_GSSAPI; /* or will be one */

    if (c->sasl_mechanism != KAFKA_SASL_OAUTHBEARER &&
        (http_oauth2_is_set(&c->oauth2) || c->sasl_extensions.count > 0)) {
        return "oauth2 and sasl_extensions go with sasl_mechanism: OAUTHBEARER";
    }
    if (c->sasl_mechanism != KAFKA_SASL_GSSAPI &&
        (c->kerberos_principal.len > 0 || c->kerberos_keytab.len > 0)) {
        return "sasl_kerberos_principal and sasl_kerberos_keytab go with sasl_mechanism: GSSAPI";
    }
    return !is_password && (c->sasl_username.len > 0 || !secret_is_empty(c->sasl_password))
               ? "this sasl_mechanism has no use for sasl_username and sasl_password"
               : NULL;
}

static const char *password_problem(const struct kafka_config *c)
{
    return c->sasl_username.len == 0 || secret_is_empty(c->sasl_password)
               ? "this sasl_mechanism needs sasl_username and sasl_password"
               : NULL;
}

/* Each mechanism has what it logs in with, and nothing that another would. */
static bool check_login(const struct kafka_config *c, const struct yaml_node *node, struct err *e)
{
    const char *problem = stray_login(c);

    if (problem == NULL && c->sasl_mechanism == KAFKA_SASL_OAUTHBEARER) {
        problem = token_problem(&c->oauth2);
    } else if (problem == NULL && c->sasl_mechanism == KAFKA_SASL_GSSAPI) {
        problem = kerberos_problem(c);
    } else if (problem == NULL && c->sasl_mechanism != KAFKA_SASL_NONE) {
        problem = password_problem(c);
    }
    if (problem != NULL) {
        return yaml_err(at_option(node, STR("sasl_mechanism")), e, ERR_CONFIG, "%s", problem);
    }
    return c->sasl_extensions.count <= KAFKA_EXTENSIONS_MAX ||
           yaml_err(at_option(node, STR("sasl_extensions")), e, ERR_LIMIT,
                    "sasl_extensions: at most %d", KAFKA_EXTENSIONS_MAX);
}

bool kafka_options_check(const struct kafka_config *c, const struct yaml_node *node, struct err *e)
{
    enum kafka_security security = kafka_security(c);
    bool logs_in = security == KAFKA_SASL_PLAINTEXT || security == KAFKA_SASL_SSL;

    for (size_t i = 0; i < c->properties.count; i++) {
        if (!check_property(&c->properties.items[i], at_option(node, STR("properties")), e)) {
            return false;
        }
    }
    if (logs_in != (c->sasl_mechanism != KAFKA_SASL_NONE)) {
        return yaml_err(at_option(node, STR("security_protocol")), e, ERR_CONFIG,
                        "security_protocol %s and sasl_mechanism %s do not go together",
                        kafka_securities[security], kafka_mechanisms[c->sasl_mechanism]);
    }
    if (!check_login(c, node, e)) {
        return false;
    }
    if (!secret_is_empty(c->tls_key_password) && c->tls.key_file.len == 0 &&
        c->tls.cert_file.len == 0) {
        return yaml_err(at_option(node, STR("tls_key_password")), e, ERR_CONFIG,
                        "tls_key_password has no meaning without tls.key_file");
    }
    if (c->max_message_bytes > c->buffer_bytes / 1024 * 1024) {
        return yaml_err(at_option(node, STR("max_message_bytes")), e, ERR_CONFIG,
                        "max_message_bytes %" PRId64 " is more than buffer_memory %" PRId64
                        " holds: a message of that size would never be sent",
                        c->max_message_bytes, c->buffer_bytes);
    }
    if (c->tls.server_name.len > 0) {
        return yaml_err(
            at_option(node, STR("tls")), e, ERR_CONFIG,
            "tls.server_name has no meaning here: each broker is known by its own name");
    }
    return true;
}
