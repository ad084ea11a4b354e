/*
 * Change streams: what would silently be otherwise than meant, and a line of what each is.
 *
 * "Exactly once" is what people hope for when they read of positions and resume tokens. Where it can be had, check says how;
 * where NVSentinel's own section is used, whose documents promise it, check says what is true.
 */
#include "app/load.h"

#include "base/buf.h"
#include "base/timetext.h"
#include "events/match_fields.h"
#include "events/stream_sink.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/plan.h"
#include "net/http_client.h"
#include "net/url.h"

#include <string.h>

static const struct output_config *output_of(const struct config *c, const struct stream_config *s)
{
    struct err ignored = ERR_INIT;
    int target = plan_find_target(&c->plan, s->exporter, &ignored);

    return target >= 0 && c->plan.targets[target].expansion->outputs != 0
               ? &c->plan.outputs[__builtin_ctzll(c->plan.targets[target].expansion->outputs)]
               : NULL;
}

/* ---- what can be warned of ---- */

static void check_once(const struct config *c, const struct stream_config *s,
                       struct problems *problems)
{
    const struct yaml_node *to = yaml_get(s->node, STR("to"));
    const struct output_config *output = output_of(c, s);
    struct err e = ERR_INIT;

    if (s->options.buffer || output == NULL || (output->caps & EXPORTER_ONCE) == 0) {
        return;
    }
    (void)yaml_key_err(
        to != NULL ? to : s->node, &e, ERR_CONFIG,
        "stream '%.*s' writes rows at least once: after a kill some are there twice; with "
        "`buffer: true` rows and position are one transaction, and each row is there once",
        STR_FMT(s->name));
    problems_warning(problems, &e);
}

static const struct option *option_of(const struct stream_config *s, const char *name)
{
    const struct option_table *t = s->kind->options;

    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->options[i].name, name) == 0) {
            return &t->options[i];
        }
    }
    return NULL;
}

/* A source that knows no times leaves out nothing by age, whatever is written. */
static void check_age(const struct stream_config *s, struct problems *problems)
{
    const struct stream_backfill *b = &s->options.backfill;
    const struct yaml_node *section = yaml_get(s->section, STR("backfill"));
    const struct yaml_node *age = yaml_get(section, STR("maxAge"));
    const struct option *o = s->kind->age_option != NULL ? option_of(s, s->kind->age_option) : NULL;
    struct err e = ERR_INIT;

    if (!b->enabled || b->max_age_ns == 0 || o == NULL ||
        ((const struct str *)(const void *)((const char *)s->source + o->offset))->len > 0) {
        return;
    }
    age = age != NULL ? age : yaml_get(section, STR("max_age"));
    age = age != NULL ? age : section;
    (void)yaml_key_err(
        age != NULL ? age : s->node, &e, ERR_CONFIG,
        "the backfill of stream '%.*s' leaves nothing out by 'maxAge': without '%s' a source %s "
        "knows no times but those of events; add '%s' to the source, or write 'maxAge: 0'",
        STR_FMT(s->name), o->name, s->kind->name, o->name);
    problems_warning(problems, &e);
}

static void tell_warning(void *arg, const struct err *e)
{
    struct err copy = *e;

    problems_warning(arg, &copy);
}

/* Without a word about a source it is our own table, which nobody who copied Helm's values thinks of. */
static void check_unfed(const struct config *c, const struct stream_config *s,
                        struct problems *problems)
{
    struct err e = ERR_INIT;

    if (s->options.source != NULL || c->settings.receive.events) {
        return;
    }
    (void)yaml_key_err(
        s->node, &e, ERR_CONFIG,
        "stream '%.*s' has no 'source' and so delivers from Telex's own table of events, into which "
        "nothing comes over HTTP: add a 'source' (such as 'source: { type: postgresql, ... }'), or "
        "'receive: { events: true }'; else only `telex events append` gives it any",
        STR_FMT(s->name));
    problems_warning(problems, &e);
}

static void check_secret_name(const struct stream_config *s, struct problems *problems)
{
    const struct yaml_node *name = yaml_get(s->section, STR("oidcSecretName"));
    struct err e = ERR_INIT;

    name = name != NULL ? name : yaml_get(s->section, STR("oidc_secret_name"));
    if (name == NULL || !stream_sink_ignores_secret(s)) {
        return;
    }
    (void)yaml_key_err(name, &e, ERR_CONFIG, "'%.*s' has no effect: %s", STR_FMT(name->key),
                       s->options.oidc == NULL
                           ? "without 'oidc' there is nobody to ask for tokens"
                           : "'oidc' says itself what proves who we are; remove one of them");
    problems_warning(problems, &e);
}

/* A secret that stands in the file is in every copy of it. */
static void check_secret(const struct stream_config *s, struct problems *problems)
{
    const struct yaml_node *oidc = s->options.oidc;
    const struct yaml_node *secret = yaml_get(oidc, STR("client_secret"));
    struct err e = ERR_INIT;

    secret = secret != NULL ? secret : yaml_get(oidc, STR("clientSecret"));
    if (secret == NULL || secret->kind != YAML_SCALAR || str_starts(secret->text, STR("${"))) {
        return;
    }
    (void)yaml_key_err(secret, &e, ERR_CONFIG,
                       "the client's secret stands in the config: put it into a file and name that "
                       "with 'client_secret_file', which is read again when it changes");
    problems_warning(problems, &e);
}

void check_streams(const struct config *c, struct problems *problems)
{
    for (size_t i = 0; i < c->streams.count; i++) {
        const struct stream_config *s = &c->streams.items[i];
        if (s->options.enabled) {
            check_once(c, s, problems);
            check_age(s, problems);
            check_unfed(c, s, problems);
            check_secret(s, problems);
            check_secret_name(s, problems);
            match_fields_check(s, tell_warning, problems);
        }
    }
}

/* ---- what there is ---- */

static void add_texts(const struct option_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        buf_addf(out, "%s%.*s", i > 0 ? ", " : "", STR_FMT(list->items[i]));
    }
}

/* "postgresql (health_events)" */
static void add_source(const struct stream_config *s, struct buf *out)
{
    static const char *const places[] = {"tables", "table", "topics", "collection", "path"};
    const struct option *o = NULL;

    for (size_t i = 0; i < ARRAY_LEN(places) && o == NULL; i++) {
        o = option_of(s, places[i]);
    }
    buf_add_text(out, s->kind->name);
    if (o == NULL) {
        return;
    }
    const void *field = (const char *)s->source + o->offset;
    buf_add_text(out, " (");
    if (o->type == OPTION_LIST) {
        add_texts(field, out);
    } else {
        buf_add_str(out, *(const struct str *)field);
    }
    buf_add_byte(out, ')');
}

static const struct exporter_config *exporter_of(const struct config *c,
                                                 const struct stream_config *s)
{
    for (size_t i = 0; i < c->plan.exporter_count; i++) {
        if (str_eq(c->plan.exporters[i].name, s->exporter)) {
            return &c->plan.exporters[i];
        }
    }
    return NULL;
}

/* "https://events.example.com/..." of a sink, "exporter 'x'" of another. */
static void add_target(const struct config *c, const struct stream_config *s, struct buf *out)
{
    const struct exporter_config *x = exporter_of(c, s);

    if (s->options.to.len > 0) {
        buf_addf(out, "exporter '%.*s'", STR_FMT(s->exporter));
    } else if (x != NULL && x->kind->http != NULL) {
        const struct http_client_config *client =
            (const void *)((const char *)x->config + x->kind->http->client_offset);
        url_add_site(out, client->url);
    } else {
        buf_addf(out, "%s", x != NULL ? x->kind->name : "its sink");
    }
}

static void add_failure(const struct config *c, const struct stream_config *s, struct buf *out)
{
    static const char *const then[] = {[REFUSED_KEEP] = "becomes a dead letter",
                                       [REFUSED_HALT] = "halts the stream",
                                       [REFUSED_DROP] = "is dropped"};
    const struct exporter_config *x = exporter_of(c, s);

    if (s->options.to.len > 0 || x == NULL) {
        return;
    }
    const struct exporter_common *common = x->config; /* what the sink says itself counts too */
    buf_add_text(out, "; what is refused or not taken in ");
    if (common->retry.max_retries > 0) {
        buf_addf(out, "%lld tries", (long long)common->retry.max_retries + 1);
    } else {
        buf_add_duration(out, common->retry.max_age_ns);
    }
    buf_addf(out, " %s", then[common->dead.on_refused]);
}

static void add_backfill(const struct stream_config *s, struct buf *out)
{
    const struct stream_backfill *b = &s->options.backfill;

    if (!b->enabled) {
        buf_add_text(out, "; no backfill");
        return;
    }
    buf_add_text(out, "; backfill of ");
    if (b->max_events > 0) {
        buf_addf(out, "the newest %lld", (long long)b->max_events);
    } else {
        buf_add_text(out, "all");
    }
    if (b->max_age_ns > 0) {
        buf_add_text(out, " of the last ");
        buf_add_duration(out, b->max_age_ns);
    }
    if (b->rate_limit > 0) {
        buf_addf(out, ", %g a second", b->rate_limit);
    }
}

/* What is in our own table is an event already. */
static void add_metadata(const struct stream_config *s, struct buf *out)
{
    const struct transform_options *o = &s->options.event;

    if (source_kind_is_own(s->kind) && o->data == NULL && o->shape != SHAPE_HEALTH) {
        buf_addf(out, "; %s`metadata`, %s as it came",
                 o->shape == SHAPE_PLAIN ? "nothing gets " : "health events get ",
                 o->shape == SHAPE_PLAIN ? "each event leaves" : "any other event leaves");
    }
}

static void add_stream(const struct config *c, const struct stream_config *s, struct buf *out)
{
    const struct output_config *output = output_of(c, s);
    bool is_once = s->options.buffer && output != NULL && (output->caps & EXPORTER_ONCE) != 0;

    buf_addf(out, "stream '%.*s': ", STR_FMT(s->name));
    if (!s->options.enabled) {
        buf_add_text(out, "off\n");
        return;
    }
    add_source(s, out);
    buf_add_text(out, " to ");
    add_target(c, s, out);
    buf_add_text(out, is_once ? ", each once" : ", at least once");
    add_failure(c, s, out);
    add_backfill(s, out);
    add_metadata(s, out);
    buf_add_byte(out, '\n');
}

void check_add_stream_lines(const struct config *c, struct buf *out)
{
    for (size_t i = 0; i < c->streams.count; i++) {
        add_stream(c, &c->streams.items[i], out);
    }
}

void check_add_stream_note(const struct config *c, struct str file, struct buf *out)
{
    const struct yaml_node *section = yaml_get(c->root, STR("event-exporter"));
    const struct stream_config *s = streams_config_find(&c->streams, STR("event-exporter"));

    if (section == NULL || s == NULL || !s->options.enabled) {
        return;
    }
    buf_addf(
        out,
        "note: %.*s:%u:%u: 'event-exporter' delivers at least once, not exactly once: an event whose "
        "answer was lost is sent again, with the same source and id; a receiver that keeps these "
        "has each event once (examples/receiver.py)\n",
        STR_FMT(file), section->key_pos.line, section->key_pos.column);
}
