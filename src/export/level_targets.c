#include "export/level_targets.h"

#include "net/url.h"

#define API_PATH "/api/v2/alerts"

const char *const level_schemes[] = {"http", "https", NULL};

static bool check_rules(const struct yaml_node *rules, struct err *e)
{
    AUTO(relabel_autofree) struct relabel *relabel = NULL;

    return rules == NULL || relabel_compile(rules, &relabel, e);
}

bool level_targets_check(const struct level_targets_config *c, struct str url,
                         const struct yaml_node *node, struct err *e)
{
    if (url.len == 0 && !discovery_lists_any(&c->found)) {
        return yaml_key_err(node, e, ERR_CONFIG,
                            "this exporter has no targets: add 'url', 'static_configs' or another "
                            "way to find some");
    }
    return discovery_lists_check(&c->found, node, e) && check_rules(c->relabel_configs, e) &&
           check_rules(c->alert_relabel_configs, e);
}

/* ---- the URL ---- */

/* <prefix> with one slash before it and none behind, and the API's path, unless it ends in that. */
static void add_path(struct buf *out, struct str prefix)
{
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/') {
        prefix.len--;
    }
    if (prefix.len > 0 && prefix.ptr[0] != '/') {
        buf_add_byte(out, '/');
    }
    buf_add_str(out, prefix);
    if (!str_ends(prefix, STR(API_PATH))) {
        buf_add_text(out, API_PATH);
    }
}

static void set_missing(struct labels_builder *b, struct str name, struct str value)
{
    if (labels_builder_get(b, name).len == 0) {
        labels_builder_set(b, name, value);
    }
}

/* An address that is a URL says scheme and path too. */
static bool take_url_apart(struct labels_builder *b, struct buf *path, struct err *e)
{
    struct str address = labels_builder_get(b, STR("__address__"));
    struct url url;

    if (str_find(address, STR("://")) == address.len) {
        return true;
    }
    if (!url_parse(address, &url, e)) {
        return false;
    }
    labels_builder_set(b, STR("__scheme__"), url.secure ? STR("https") : STR("http"));
    labels_builder_set(b, STR("__address__"), url.authority);
    buf_clear(path);
    add_path(path, url.path);
    labels_builder_set(b, STR("__alerts_path__"), buf_str(path));
    return true;
}

static bool complete(const struct level_targets_config *c, struct labels *found,
                     struct labels **ret_labels, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf own = BUF_INIT(BUF_SMALL);
    AUTO(labels_builder_release) struct labels_builder b;

    labels_builder_init(&b);
    labels_builder_start(&b, found);
    add_path(&path, c->path_prefix);
    if (!take_url_apart(&b, &own, e)) {
        return false;
    }
    set_missing(&b, STR("__scheme__"), str_of(level_schemes[c->scheme]));
    set_missing(&b, STR("__alerts_path__"), buf_str(&path));
    return labels_build(&b, ret_labels, e);
}

static bool print_url(const struct labels *labels, struct buf *url, struct err *e)
{
    struct str scheme = labels_get(labels, STR("__scheme__"));
    struct str path = labels_get(labels, STR("__alerts_path__"));
    struct url parts;

    buf_addf(url, "%.*s://%.*s%s%.*s", STR_FMT(scheme),
             STR_FMT(labels_get(labels, STR("__address__"))), str_starts(path, STR("/")) ? "" : "/",
             STR_FMT(path));
    return url_parse(buf_str(url), &parts, e);
}

enum level_found level_target_find(const struct level_targets_config *c,
                                   const struct relabel *relabel, struct relabel_work *work,
                                   struct labels *found, struct labels **ret_labels,
                                   struct buf *url, struct err *e)
{
    AUTO(labels_autounref) struct labels *whole = NULL;
    AUTO(labels_autounref) struct labels *made = NULL;

    if (!complete(c, found, &whole, e)) {
        *ret_labels = labels_ref(found);
        return LEVEL_FOUND_BAD;
    }
    made = relabel != NULL ? relabel_apply(relabel, work, whole) : labels_ref(whole);
    if (made == NULL || labels_get(made, STR("__address__")).len == 0) {
        *ret_labels = TAKE(whole);
        return LEVEL_FOUND_DROPPED;
    }
    *ret_labels = TAKE(made);
    return print_url(*ret_labels, url, e) ? LEVEL_FOUND_OK : LEVEL_FOUND_BAD;
}
