/* From our options to librdkafka's properties. */
#include "net/kafka_int.h"

#include "base/buf.h"
#include "base/secret.h"

enum { FEATURES_MAX = 512 };

/* ---- the config ---- */

bool kafka_conf_put(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *e)
{
    char why[KAFKA_WHY_MAX] = "";

    return rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK ||
           err_set(e, ERR_CONFIG, "%s: librdkafka says: %s", name, why);
}

bool kafka_conf_put_str(rd_kafka_conf_t *conf, const char *name, struct str value, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_str(&text, value);
    return value.len == 0 || kafka_conf_put(conf, name, buf_text(&text), e);
}

bool kafka_conf_put_number(rd_kafka_conf_t *conf, const char *name, int64_t value, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(64);

    buf_add_i64(&text, value);
    return kafka_conf_put(conf, name, buf_text(&text), e);
}

static bool put_brokers(rd_kafka_conf_t *conf, const struct option_list *brokers, struct err *e)
{
    AUTO(buf_release) struct buf list = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < brokers->count; i++) {
        buf_add_text(&list, i > 0 ? "," : "");
        buf_add_str(&list, brokers->items[i]);
    }
    return kafka_conf_put(conf, "bootstrap.servers", buf_text(&list), e);
}

static bool put_secret(rd_kafka_conf_t *conf, const char *name, struct secret *secret,
                       struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX + 1);

    if (secret_is_empty(secret)) {
        return true;
    }
    secret_reveal(secret, &text);
    bool ok = kafka_conf_put(conf, name, buf_text(&text), e);
    explicit_bzero(text.ptr, text.len);
    return ok;
}

/* Was librdkafka built with what the mechanism needs? It says so late, and not to `telex check`. */
static bool has_mechanism(const rd_kafka_conf_t *conf, enum kafka_sasl mechanism, struct err *e)
{
    static const char *const features[] = {
        [KAFKA_SASL_NONE] = "sasl",
        [KAFKA_SASL_PLAIN] = "sasl_plain",
        [KAFKA_SASL_SCRAM_256] = "sasl_scram",
        [KAFKA_SASL_SCRAM_512] = "sasl_scram",
        [KAFKA_SASL_OAUTHBEARER] = "sasl_oauthbearer",
        [KAFKA_SASL_GSSAPI] = "sasl_gssapi",
    };
    char built[FEATURES_MAX] = "";
    size_t size = sizeof(built);
    struct str word;

    (void)rd_kafka_conf_get(conf, "builtin.features", built, &size);
    struct str rest = str_of(built);
    while (str_split(&rest, ',', &word)) {
        if (str_eq(word, str_of(features[mechanism]))) {
            return true;
        }
    }
    return err_set(e, ERR_CONFIG, "the librdkafka of this program was built without %s",
                   kafka_mechanisms[mechanism]);
}

/* Without a keytab nothing is run: whoever keeps tickets keeps them. */
static bool put_kerberos(rd_kafka_conf_t *conf, const struct kafka_config *c, struct err *e)
{
    return kafka_conf_put_str(conf, "sasl.kerberos.service.name", c->kerberos_service, e) &&
           kafka_conf_put_str(conf, "sasl.kerberos.principal", c->kerberos_principal, e) &&
           (c->kerberos_keytab.len > 0
                ? kafka_conf_put_str(conf, "sasl.kerberos.keytab", c->kerberos_keytab, e)
                : kafka_conf_put(conf, "sasl.kerberos.kinit.cmd", ":", e));
}

static bool put_login(rd_kafka_conf_t *conf, const struct kafka_config *c, struct err *e)
{
    enum kafka_sasl mechanism = (enum kafka_sasl)c->sasl_mechanism;

    return mechanism == KAFKA_SASL_NONE ||
           (has_mechanism(conf, mechanism, e) &&
            kafka_conf_put(conf, "sasl.mechanisms", kafka_mechanisms[mechanism], e) &&
            (mechanism != KAFKA_SASL_GSSAPI || put_kerberos(conf, c, e)) &&
            kafka_conf_put_str(conf, "sasl.username", c->sasl_username, e) &&
            put_secret(conf, "sasl.password", c->sasl_password, e));
}

static bool put_security(rd_kafka_conf_t *conf, const struct kafka_config *c, struct err *e)
{
    const struct http_tls_config *tls = &c->tls;

    return kafka_conf_put(conf, "security.protocol", kafka_securities[kafka_security(c)], e) &&
           kafka_conf_put_str(conf, "ssl.ca.location", tls->ca_file, e) &&
           kafka_conf_put_str(conf, "ssl.certificate.location", tls->cert_file, e) &&
           kafka_conf_put_str(conf, "ssl.key.location",
                              tls->key_file.len > 0 ? tls->key_file : tls->cert_file, e) &&
           put_secret(conf, "ssl.key.password", c->tls_key_password, e) &&
           kafka_conf_put(conf, "enable.ssl.certificate.verification",
                          tls->insecure_skip_verify ? "false" : "true", e) &&
           kafka_conf_put(conf, "ssl.endpoint.identification.algorithm",
                          tls->insecure_skip_verify ? "none" : "https", e) &&
           put_login(conf, c, e);
}

/* What can be said otherwise under `properties`. */
static bool put_usual(rd_kafka_conf_t *conf, struct err *e)
{
    return kafka_conf_put(conf, "reconnect.backoff.max.ms", "2000", e) &&
           kafka_conf_put(conf, "topic.metadata.propagation.max.ms", "10000", e) &&
           kafka_conf_put(conf, "retry.backoff.ms", "100", e);
}

static bool put_properties(rd_kafka_conf_t *conf, const struct option_map *properties,
                           struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf value = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < properties->count; i++) {
        buf_clear(&name);
        buf_clear(&value);
        buf_add_str(&name, properties->items[i].name);
        buf_add_str(&value, properties->items[i].value);
        if (!kafka_conf_put(conf, buf_text(&name), buf_text(&value), e)) {
            return false;
        }
    }
    return true;
}

rd_kafka_conf_t *kafka_conf_new(const struct kafka_config *c, struct err *e)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    if (put_usual(conf, e) && put_properties(conf, &c->properties, e) &&
        put_brokers(conf, &c->brokers, e) &&
        kafka_conf_put_str(conf, "client.id", c->client_id, e) && put_security(conf, c, e)) {
        return conf;
    }
    rd_kafka_conf_destroy(conf);
    return NULL;
}
