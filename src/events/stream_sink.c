/*
 * Invariants
 *   1. What somebody wrote under `sink.retry` and `sink.dead_letters` counts; `failureHandling` beside it may not say the
 *      same again, and its defaults fill what neither says.
 */
#include "events/stream_sink.h"

#include "base/mem.h"
#include "base/yaml_make.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "net/http_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool stream_check_mapping(const struct yaml_node *node, const char *key, const char *example,
                          struct err *e)
{
    return node == NULL || node->kind == YAML_MAPPING ||
           yaml_err(node, e, ERR_CONFIG, "expected the options of '%s', such as '%s'", key,
                    example);
}

/* All options of <from>. */
static void add_options(struct yaml_made *to, const struct yaml_node *from)
{
    for (const struct yaml_node *n = from->first; n != NULL; n = n->next) {
        (void)yaml_make_add(to, n->key, n);
    }
}

/* ---- failure handling ---- */

enum part { PART_RETRY, PART_DEAD_LETTERS };

static struct str whole(struct arena *a, int64_t value)
{
    return arena_printf(a, "%" PRId64, value);
}

static struct str duration(struct arena *a, int64_t ns)
{
    return arena_printf(a, "%" PRId64 "ms", ns / NS_PER_MS);
}

static struct str say_retries(const struct stream_failure *f, struct arena *a)
{
    return whole(a, f->max_retries);
}

static struct str say_initial(const struct stream_failure *f, struct arena *a)
{
    return duration(a, f->initial_backoff_ns);
}

static struct str say_max(const struct stream_failure *f, struct arena *a)
{
    return duration(a, f->max_backoff_ns);
}

static struct str say_multiplier(const struct stream_failure *f, struct arena *a)
{
    return arena_printf(a, "%.17g", f->backoff_multiplier);
}

static struct str say_jitter(const struct stream_failure *f, struct arena *a)
{
    (void)a;
    return str_of(exporter_jitters[f->jitter]);
}

static struct str say_age(const struct stream_failure *f, struct arena *a)
{
    return duration(a, f->max_age_ns);
}

static const char *const policies[] = {
    [REFUSED_KEEP] = "dead_letter", [REFUSED_HALT] = "halt", [REFUSED_DROP] = "drop"};

static struct str say_policy(const struct stream_failure *f, struct arena *a)
{
    (void)a;
    return str_of(policies[f->policy]);
}

int stream_sink_policy(const struct yaml_node *exporter)
{
    const struct yaml_node *said =
        yaml_get(yaml_get(exporter, STR("dead_letters")), STR("on_refused"));

    for (size_t i = 0; said != NULL && i < ARRAY_LEN(policies); i++) {
        if (str_eq(said->text, str_of(policies[i]))) {
            return (int)i;
        }
    }
    return REFUSED_KEEP;
}

/* What an option of failureHandling is called by the user, and by the exporter. */
static const struct failure_key {
    const char *name;
    const char *alias;
    enum part part;
    const char *option;
    struct str (*say)(const struct stream_failure *f, struct arena *a);
} failure_keys[] = {
    {"maxRetries", "max_retries", PART_RETRY, "max_retries", say_retries},
    {"initialBackoff", "initial_backoff", PART_RETRY, "initial_delay", say_initial},
    {"maxBackoff", "max_backoff", PART_RETRY, "max_delay", say_max},
    {"backoffMultiplier", "backoff_multiplier", PART_RETRY, "multiplier", say_multiplier},
    {"jitter", "jitter", PART_RETRY, "jitter", say_jitter},
    {"maxAge", "max_age", PART_RETRY, "max_age", say_age},
    {"policy", "policy", PART_DEAD_LETTERS, "on_refused", say_policy},
};

static const struct {
    const char *name;
    const char *alias;
    const struct option_table *table;
} parts[] = {
    [PART_RETRY] = {"retry", "retry_config", &exporter_retry_options},
    [PART_DEAD_LETTERS] = {"dead_letters", "dead_letters", &exporter_dead_letter_options},
};

static const struct yaml_node *either(const struct yaml_node *node, const char *name,
                                      const char *alias)
{
    const struct yaml_node *value = yaml_get(node, str_of(name));

    return value != NULL ? value : yaml_get(node, str_of(alias));
}

/* What <section>, an exporter's, says of an option under any spelling. */
static const struct yaml_node *said_in(const struct yaml_node *section,
                                       const struct option_table *table, const char *option)
{
    const struct yaml_node *found = yaml_get(section, str_of(option));

    for (size_t i = 0; i < table->count && found == NULL; i++) {
        const struct option *o = &table->options[i];
        bool is_it = strcmp(o->name, option) == 0;
        for (size_t k = 0; is_it && o->aliases != NULL && o->aliases[k] != NULL; k++) {
            found = found != NULL ? found : yaml_get(section, str_of(o->aliases[k]));
        }
    }
    return found;
}

/* A section of the exporter: what the sink says itself, and what failureHandling comes to. */
static bool add_part(struct yaml_made *exporter, const struct stream_config *s,
                     const struct yaml_node *failure, enum part part, struct err *e)
{
    struct arena *a = exporter->arena;
    const struct yaml_node *own = either(s->options.sink, parts[part].name, parts[part].alias);
    struct yaml_made made = yaml_make(a, failure != NULL ? failure : s->options.sink, YAML_MAPPING);

    if (own != NULL && !stream_check_mapping(own, parts[part].name, "{ ... }", e)) {
        return false;
    }
    if (own != NULL) {
        add_options(&made, own);
    }
    for (size_t i = 0; i < ARRAY_LEN(failure_keys); i++) {
        const struct failure_key *k = &failure_keys[i];
        const struct yaml_node *said = either(failure, k->name, k->alias);
        const struct yaml_node *before = said_in(own, parts[part].table, k->option);
        if (k->part == part && said != NULL && before != NULL) {
            return yaml_key_err(before, e, ERR_CONFIG,
                                "'%.*s' is said already, as '%.*s' of failureHandling in line %u: "
                                "remove one of them",
                                STR_FMT(before->key), STR_FMT(said->key), said->key_pos.line);
        }
        if (k->part == part && before == NULL) {
            yaml_make_plain(&made, str_of(k->option), k->say(&s->options.failure, a), made.node);
        }
    }
    (void)yaml_make_add(exporter, str_of(parts[part].name), made.node);
    return true;
}

/* ---- tokens ---- */

static const char secret_key[] = "client_secret_secret";

/* Does an oidc section say itself what proves who we are? */
static bool has_proof(const struct yaml_node *oidc)
{
    static const char *const proofs[] = {"client_secret",      "clientSecret", "client_secret_file",
                                         "clientSecretFile",   "private_key",  "private_key_file",
                                         "private_key_secret", secret_key};

    for (size_t i = 0; i < ARRAY_LEN(proofs); i++) {
        if (yaml_get(oidc, str_of(proofs[i])) != NULL) {
            return true;
        }
    }
    return false;
}

bool stream_sink_ignores_secret(const struct stream_config *s)
{
    return s->options.oidc_secret_name.len > 0 &&
           (s->options.oidc == NULL || has_proof(s->options.oidc));
}

static const struct yaml_node *secret_name_of(const struct yaml_node *options)
{
    return either(options, "oidcSecretName", "oidc_secret_name");
}

static void add_oidc(struct yaml_made *exporter, const struct stream_config *s,
                     const struct yaml_node *options)
{
    const struct stream_options *o = &s->options;
    const struct yaml_node *secret = secret_name_of(options);

    if (o->oidc == NULL) {
        return;
    }
    struct yaml_made made = yaml_make(exporter->arena, o->oidc, YAML_MAPPING);
    add_options(&made, o->oidc);
    if (o->oidc_secret_name.len > 0 && !has_proof(o->oidc)) {
        yaml_make_text(&made, str_of(secret_key), o->oidc_secret_name,
                       secret != NULL ? secret : s->node);
    }
    struct yaml_node *added = yaml_make_add(exporter, STR("oidc"), made.node);
    added->key_pos = o->oidc->key_pos;
    added->key_offset = o->oidc->key_offset;
}

/* The name of the secret stands under another key than the one that is read. */
static void name_as_written(struct err *e, const struct yaml_node *options)
{
    const struct yaml_node *secret = secret_name_of(options);
    struct str rest = str_of(e->message);
    char message[ERR_TEXT];

    if (secret == NULL || !str_starts(rest, str_of(secret_key))) {
        return;
    }
    rest = str_slice(rest, strlen(secret_key), rest.len);
    (void)snprintf(message, sizeof(message), "%.*s%.*s", STR_FMT(secret->key), STR_FMT(rest));
    (void)snprintf(e->message, sizeof(e->message), "%s", message);
}

/* It is read again whenever it changes, and must be there from the beginning. */
static bool check_secret_file(struct str path, const struct yaml_node *oidc, struct err *e)
{
    const struct yaml_node *node = either(oidc, "client_secret_file", "clientSecretFile");
    AUTO(mem_autofree) char *text = mem_dup_text(path.ptr, path.len);

    if (path.len == 0 || access(text, R_OK) == 0) {
        return true;
    }
    return (node != NULL ? yaml_err : yaml_key_err)(
        node != NULL ? node : oidc, e, ERR_CONFIG, "%.*s: cannot read the secret in '%s': %s",
        STR_FMT(node != NULL ? node->key : STR("client_secret_file")), text,
        strerrordesc_np(errno));
}

/* Does the way to log in go with what there is? NULL: it does. */
static const char *style_problem(const struct http_oauth2_config *c)
{
    bool is_jwt = c->style == OAUTH2_STYLE_JWT;

    if (is_jwt && c->private_key == NULL) {
        return "with 'style: private_key_jwt' this 'oidc' needs 'private_key_file'";
    }
    return !is_jwt && c->style != OAUTH2_STYLE_AUTO && c->private_key != NULL
               ? "this 'style' has no use for a private key: leave 'style' out, or the key"
               : NULL;
}

/* Who asks for tokens must say where, who it is, and prove it. */
static bool check_tokens(const struct http_oauth2_config *c, const struct yaml_node *oidc,
                         struct err *e)
{
    bool has_secret = c->client_secret != NULL || c->client_secret_file.len > 0;
    bool has_certificate = c->tls.cert_file.len > 0;
    const char *wrong = NULL;

    if (c->token_url.len == 0 && c->issuer.len == 0) {
        wrong = "this 'oidc' does not say who gives tokens: add 'tokenUrl' or 'issuer'";
    } else if (c->token_url.len > 0 && c->issuer.len > 0) {
        wrong = "'tokenUrl' and 'issuer' both say who gives tokens: remove one of them";
    } else if (c->client_id.len == 0) {
        wrong = "this 'oidc' does not say who we are: add 'clientId'";
    } else if (has_secret && c->private_key != NULL) {
        wrong = "'client_secret' and 'private_key' both prove who we are: remove one of them";
    } else if (!has_secret && c->private_key == NULL && !has_certificate &&
               c->endpoint_params.count == 0) {
        wrong =
            "this 'oidc' has nothing that proves who we are: add 'client_secret_file' (or "
            "'clientSecretFile': a file with the client's secret), or 'oidcSecretName' beside it, or 'private_key_file'";
    }
    wrong = wrong != NULL ? wrong : style_problem(c);
    /* A conflict: one of those that it names may have been wrong itself. */
    return wrong != NULL ? yaml_key_err(oidc, e, ERR_CONFLICT, "%s", wrong)
                         : check_secret_file(c->client_secret_file, oidc, e);
}

/* ---- the exporter ---- */

static const struct option *find_option(const struct option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->options[i].name, name) == 0) {
            return &table->options[i];
        }
    }
    return NULL;
}

static const struct exporter_kind *find_kind(const struct stream_config *s,
                                             const struct yaml_node *type, struct err *e)
{
    const struct exporter_kind *kind = exporter_kind_find(type->text);

    if (kind == NULL || kind->combinator != COMBINATOR_NONE || kind->stage != NULL) {
        /* The whole sink is wrong then: what stands in it is for something else. */
        (void)yaml_key_err(
            s->options.sink, e, ERR_CONFIG,
            kind == NULL
                ? "there is no exporter type '%.*s'; leave 'type' out for CloudEvents over HTTP"
                : "a sink of type '%.*s' would be several: write it below 'exporters', and "
                  "name it with 'to' in place of 'sink'",
            STR_FMT(str_slice(type->text, 0, 60)));
        return NULL;
    }
    if (s->options.oidc != NULL && find_option(kind->options, "oauth2") == NULL) {
        (void)yaml_key_err(s->options.oidc, e, ERR_CONFIG,
                           "a sink of type %s takes no tokens: remove 'oidc'", kind->name);
        return NULL;
    }
    if (s->options.oidc != NULL && find_option(kind->options, "sasl_mechanism") != NULL &&
        yaml_get(s->options.sink, STR("sasl_mechanism")) == NULL) {
        (void)yaml_key_err(s->options.oidc, e, ERR_CONFIG,
                           "a sink of type %s takes tokens with sasl_mechanism OAUTHBEARER alone: "
                           "add 'sasl_mechanism: OAUTHBEARER' to 'sink', or remove 'oidc'",
                           kind->name);
        return NULL;
    }
    return kind;
}

/* Nobody should have to know that a sink is an exporter with a 'url'. */
static void name_endpoint(const struct stream_config *s, struct err *e)
{
    struct str message = str_of(e->message);

    if (str_find(message, STR(" needs 'url'")) < message.len) {
        (void)yaml_key_err(s->options.sink, e, ERR_CONFIG,
                           "this sink needs 'endpoint' (or 'url'), such as 'endpoint: "
                           "https://events.example.com/api/v1/events'");
    }
}

/* Would the exporter be one? The plan compiles it later; here a mistake can be left out, and the rest be read. */
static bool check_exporter(const struct stream_config *s, const struct yaml_node *node,
                           const struct exporter_kind *kind, const struct option_source *own,
                           struct arena *a, struct err *e)
{
    const struct yaml_node *oidc = s->options.oidc;
    char *config = arena_alloc0(a, 1, kind->options->config_size);

    if (!options_parse(kind->options, node, own, a, config, e)) {
        name_endpoint(s, e);
        return false;
    }
    bool ok = kind->check == NULL || kind->check(config, node, e);
    if (ok && oidc != NULL && kind->http != NULL) {
        const struct http_client_config *client =
            (const void *)(config + kind->http->client_offset);
        ok = check_tokens(&client->oauth2, oidc, e);
    }
    options_release(kind->options, config);
    return ok;
}

static void add_kind(struct yaml_made *made, const struct yaml_node *sink)
{
    if (yaml_get(sink, STR("type")) != NULL) {
        return;
    }
    yaml_make_text(made, STR("type"), STR("cloudevents"), sink);
    if (yaml_get(sink, STR("source")) == NULL) {
        yaml_make_text(made, STR("source"), STR("telex"), sink);
    }
}

/* Is it a section that is put together with failureHandling? */
static bool is_part(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (str_eq(key, str_of(parts[i].name)) || str_eq(key, str_of(parts[i].alias))) {
            return true;
        }
    }
    return false;
}

const struct yaml_node *stream_sink_exporter(const struct stream_config *s,
                                             const struct yaml_node *options,
                                             const struct option_source *source, struct arena *a,
                                             struct err *e)
{
    const struct stream_options *o = &s->options;
    const struct yaml_node *failure = either(options, "failureHandling", "failure_handling");
    struct option_source own = *source;

    if (!stream_check_mapping(o->sink, "sink", "{ endpoint: https://events.example.com }", e) ||
        !stream_check_mapping(o->oidc, "oidc",
                              "{ tokenUrl: https://auth.example.com/oauth2/token, ... }", e)) {
        return NULL;
    }
    own.prefix = stream_env_prefix(a, "TELEX_EXPORTER_", s->exporter, "");
    struct yaml_made made = yaml_make(a, o->sink, YAML_MAPPING);
    add_kind(&made, o->sink);
    for (const struct yaml_node *n = o->sink->first; n != NULL; n = n->next) {
        if (!is_part(n->key)) {
            (void)yaml_make_add(&made, n->key, n);
        }
    }
    const struct exporter_kind *kind = find_kind(s, yaml_get(made.node, STR("type")), e);
    if (kind == NULL) {
        return NULL;
    }
    add_oidc(&made, s, options);
    if (!add_part(&made, s, failure, PART_RETRY, e) ||
        !add_part(&made, s, failure, PART_DEAD_LETTERS, e)) {
        return NULL;
    }
    if (!check_exporter(s, made.node, kind, &own, a, e)) {
        name_as_written(e, options);
        return NULL;
    }
    return made.node;
}
