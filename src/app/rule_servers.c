#include "app/rule_servers.h"

#include "base/secret.h"
#include "net/http_options.h"

static const struct option rows[] = {
    {.name = "url",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct rule_server, url),
     .help = "What places in `rules` begin with: `https://host/path` or `s3://bucket/prefix`."},
    HTTP_CLIENT_ROWS(offsetof(struct rule_server, client), "10s", "64MB"),
    {.name = "refresh_interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct rule_server, refresh_interval_ns),
     .fallback = "1m",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help =
         "How often it is asked for other rules, which are then reloaded; 0: only at a reload."},
    {.name = "endpoint",
     .type = OPTION_URL,
     .offset = offsetof(struct rule_server, endpoint),
     .help = "S3: the URL of a store that speaks it, such as MinIO; empty: that of AWS."},
    {.name = "region",
     .type = OPTION_TEXT,
     .offset = offsetof(struct rule_server, region),
     .help = "S3: the region; empty: `AWS_REGION` of the environment, else `us-east-1`."},
    {.name = "access_key_id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct rule_server, access_key_id),
     .help =
         "S3: empty: `AWS_ACCESS_KEY_ID` of the environment, and without one requests are not signed."},
    {.name = "secret_access_key",
     .type = OPTION_SECRET,
     .offset = offsetof(struct rule_server, secret_access_key),
     .help = "S3: empty: `AWS_SECRET_ACCESS_KEY` of the environment."},
    {.name = "session_token",
     .type = OPTION_SECRET,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct rule_server, session_token),
     .help = "S3: of keys for a time; empty: `AWS_SESSION_TOKEN` of the environment."},
};

const struct option_table rule_server_options = {
    .name = "rule server",
    .help = "How rules from a URL are fetched.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct rule_server),
};

bool rule_place_is_s3(struct str place)
{
    return str_starts(place, STR("s3://"));
}

bool rule_place_is_elsewhere(struct str place)
{
    return str_starts(place, STR("http://")) || str_starts(place, STR("https://")) ||
           rule_place_is_s3(place) || str_eq(place, STR("-"));
}

/* ---- what the environment says of AWS ---- */

static struct str variable(const struct option_source *source, const char *name, struct arena *a)
{
    const char *value = source->lookup != NULL ? source->lookup(source->arg, name) : NULL;

    return value != NULL ? arena_dup(a, str_of(value)) : STR("");
}

static void fill_secret(const struct option_source *source, const char *name, struct arena *a,
                        struct secret **secret)
{
    struct str value = variable(source, name, a);

    if (*secret == NULL && value.len > 0) {
        *secret = secret_from_text(value);
    }
}

static void fill_from_environment(const struct option_source *source, struct arena *a,
                                  struct rule_server *s)
{
    if (s->region.len == 0) {
        struct str region = variable(source, "AWS_REGION", a);
        s->region = region.len > 0 ? region : variable(source, "AWS_DEFAULT_REGION", a);
    }
    s->region = s->region.len > 0 ? s->region : STR("us-east-1");
    s->endpoint = s->endpoint.len > 0 ? s->endpoint : variable(source, "AWS_ENDPOINT_URL", a);
    if (s->access_key_id.len == 0 && s->secret_access_key == NULL) {
        s->access_key_id = variable(source, "AWS_ACCESS_KEY_ID", a);
        fill_secret(source, "AWS_SECRET_ACCESS_KEY", a, &s->secret_access_key);
        fill_secret(source, "AWS_SESSION_TOKEN", a, &s->session_token);
    }
}

/* ---- reading ---- */

static bool check_server(const struct yaml_node *node, const struct rule_server *s, struct err *e)
{
    if (!rule_place_is_elsewhere(s->url) || s->url.len == 1) {
        return yaml_err(node, e, ERR_CONFIG,
                        "'url' begins with http://, https:// or s3://, found '%.*s'",
                        STR_FMT(s->url));
    }
    if ((s->access_key_id.len > 0) != (s->secret_access_key != NULL)) {
        return yaml_err(node, e, ERR_CONFIG,
                        "'access_key_id' and 'secret_access_key' belong together");
    }
    return true;
}

static bool read_server(const struct yaml_node *node, const struct option_source *source,
                        struct arena *a, struct rule_server *ret, struct err *e)
{
    if (!options_parse(&rule_server_options, node, source, a, ret, e)) {
        return false;
    }
    if (!check_server(node, ret, e)) {
        options_release(&rule_server_options, ret);
        return false;
    }
    fill_from_environment(source, a, ret);
    return true;
}

static bool read_fallback(const struct option_source *source, struct arena *a,
                          struct rule_server *ret, struct err *e)
{
    static const struct str text = STR_INIT("{url: 's3://'}");
    struct yaml_source *yaml = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;

    *yaml = (struct yaml_source){.text = text};
    return yaml_parse(a, yaml, &documents, e) && read_server(documents->first, source, a, ret, e);
}

bool rule_servers_read(const struct yaml_node *node, const struct option_source *source,
                       struct arena *a, struct rule_servers *ret, struct err *e)
{
    struct option_source own = {
        .lookup = source->lookup, .arg = source->arg, .secrets_path = source->secrets_path};
    bool is_there = node != NULL && !yaml_is_null(node);

    if (is_there && (node->kind != YAML_SEQUENCE || node->count > RULE_SERVERS_MAX)) {
        return yaml_err(
            node, e, ERR_CONFIG,
            "expected a list of up to %d servers, such as '- { url: https://host/rules }'",
            RULE_SERVERS_MAX);
    }
    if (!read_fallback(&own, a, &ret->fallback, e)) {
        return false;
    }
    ret->items = arena_array(a, struct rule_server, is_there ? node->count : 0);
    for (const struct yaml_node *n = is_there ? node->first : NULL; n != NULL; n = n->next) {
        if (!read_server(n, &own, a, &ret->items[ret->count], e)) {
            return false;
        }
        ret->count++;
    }
    return true;
}

void rule_servers_release(struct rule_servers *s)
{
    for (size_t i = 0; i < s->count; i++) {
        options_release(&rule_server_options, &s->items[i]);
    }
    s->count = 0;
    if (s->fallback.url.len > 0) {
        options_release(&rule_server_options, &s->fallback);
    }
}

/* Does <place> lie below <url>: not https://host.evil below https://host? */
static bool is_below(struct str place, struct str url)
{
    if (!str_starts(place, url)) {
        return false;
    }
    bool ends = place.len == url.len || url.ptr[url.len - 1] == '/';
    return ends || place.ptr[url.len] == '/' || place.ptr[url.len] == '?';
}

const struct rule_server *rule_servers_find(const struct rule_servers *s, struct str place)
{
    const struct rule_server *found = &s->fallback;
    size_t longest = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (is_below(place, s->items[i].url) && s->items[i].url.len > longest) {
            found = &s->items[i];
            longest = found->url.len;
        }
    }
    return found;
}
