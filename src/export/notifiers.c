#include "export/notifiers.h"

#include "base/yaml_make.h"
#include "discover/discovery.h"

/* ---- what keys are ---- */

enum key_kind {
    KEY_PLAIN = 0,   /* an option of the exporter under the same name */
    KEY_LOGIN = 1,   /* credentials: an entry's own replace those of all */
    KEY_RULES = 2,   /* of alerts: those of all go first */
    KEY_HEADERS = 4, /* perhaps a list of "Name: value" */
    KEY_NONE =
        8, /* means nothing here: redirects are never followed, HTTP/2 is taken where offered */
    KEY_FOUND = 16, /* targets */
};

static const struct {
    const char *key;
    enum key_kind kind;
} keys[] = {
    {"basic_auth", KEY_LOGIN},   {"authorization", KEY_LOGIN},
    {"bearer_token", KEY_LOGIN}, {"bearer_token_file", KEY_LOGIN},
    {"oauth2", KEY_LOGIN},       {"alert_relabel_configs", KEY_RULES},
    {"headers", KEY_HEADERS},    {"follow_redirects", KEY_NONE},
    {"enable_http2", KEY_NONE},
};

static enum key_kind kind_of(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, str_of(keys[i].key))) {
            return keys[i].kind;
        }
    }
    for (size_t i = 0; i < DISCOVERY_KINDS; i++) {
        if (str_eq(key, str_of(discovery_kinds[i]->key))) {
            return KEY_FOUND;
        }
    }
    return KEY_PLAIN;
}

static bool has_login(const struct yaml_node *node)
{
    bool has = false;

    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        has = has || kind_of(n->key) == KEY_LOGIN;
    }
    return has;
}

/* ---- options ---- */

/* ["Name: value"] as a mapping; what is no list is left to the exporter. */
static bool append_headers(struct yaml_made *m, const struct yaml_node *headers, struct err *e)
{
    if (headers->kind != YAML_SEQUENCE) {
        (void)yaml_make_add(m, headers->key, headers);
        return true;
    }
    struct yaml_made made = yaml_make(m->arena, headers, YAML_MAPPING);
    for (const struct yaml_node *n = headers->first; n != NULL; n = n->next) {
        size_t colon = str_find_byte(n->text, ':');
        if (n->kind != YAML_SCALAR || colon == n->text.len || colon == 0) {
            return yaml_err(n, e, ERR_CONFIG, "expected a header, such as 'X-Team: a'");
        }
        yaml_make_text(&made, str_trim(str_slice(n->text, 0, colon)),
                       str_trim(str_slice(n->text, colon + 1, n->text.len)), n);
    }
    (void)yaml_make_add(m, headers->key, made.node);
    return true;
}

/* Options of <from>, but those of the kinds in <without>, those that mean nothing and those that are there. */
static bool append_options(struct yaml_made *m, const struct yaml_node *from, unsigned without,
                           struct err *e)
{
    for (const struct yaml_node *n = from->first; n != NULL; n = n->next) {
        enum key_kind kind = kind_of(n->key);
        if ((kind & (without | KEY_NONE | KEY_RULES)) != 0 || yaml_get(m->node, n->key) != NULL) {
            continue;
        }
        if (kind == KEY_HEADERS && !append_headers(m, n, e)) {
            return false;
        }
        if (kind != KEY_HEADERS) {
            (void)yaml_make_add(m, n->key, n);
        }
    }
    return true;
}

static bool add_rules(struct yaml_made *list, const struct yaml_node *rules, struct err *e)
{
    if (rules == NULL || yaml_is_null(rules)) {
        return true;
    }
    if (rules->kind != YAML_SEQUENCE) {
        return yaml_err(rules, e, ERR_CONFIG, "expected a list of relabel rules");
    }
    for (const struct yaml_node *n = rules->first; n != NULL; n = n->next) {
        (void)yaml_make_add(list, STR(""), n);
    }
    return true;
}

/* Rules for all alerts, then those of the entry. */
static bool append_rules(struct yaml_made *m, const struct yaml_node *all,
                         const struct yaml_node *own, struct err *e)
{
    const struct str key = STR("alert_relabel_configs");
    struct yaml_made list = yaml_make(m->arena, own, YAML_SEQUENCE);

    if (!add_rules(&list, yaml_get(all, key), e) || !add_rules(&list, yaml_get(own, key), e)) {
        return false;
    }
    if (list.node->count > 0) {
        (void)yaml_make_add(m, key, list.node);
    }
    return true;
}

static bool check_mapping(const struct yaml_node *node, struct err *e)
{
    return node->kind == YAML_MAPPING || yaml_err(node, e, ERR_CONFIG, "expected a mapping");
}

/* ---- exporters ---- */

static struct yaml_made begin_exporter(struct yaml_made *exporters, const struct yaml_node *at)
{
    struct yaml_made m = yaml_make(exporters->arena, at, YAML_MAPPING);

    yaml_make_text(&m, STR("type"), STR("alertmanager"), at);
    return m;
}

static void end_exporter(struct yaml_made *exporters, const struct yaml_made *m)
{
    struct str name = arena_printf(m->arena, "alertmanager-%zu", exporters->node->count + 1);
    struct yaml_node *copy = yaml_make_add(exporters, name, m->node);

    copy->key_pos = m->node->pos;
    copy->key_offset = m->node->offset;
}

/* What an entry of a list of targets says of targets alone, in a list of its own. */
static void append_entry(struct yaml_made *m, const struct yaml_node *list,
                         const struct yaml_node *entry)
{
    bool is_static = str_eq(list->key, str_of(discovery_static.key));
    struct yaml_made found = yaml_make(m->arena, list, YAML_SEQUENCE);
    struct yaml_made item = yaml_make(m->arena, entry, YAML_MAPPING);

    for (const struct yaml_node *n = entry->first; n != NULL; n = n->next) {
        bool is_ours =
            !is_static || str_eq(n->key, STR("targets")) || str_eq(n->key, STR("labels"));
        if (is_ours && (kind_of(n->key) & (KEY_RULES | KEY_NONE)) == 0) {
            (void)yaml_make_add(&item, n->key, n);
        }
    }
    (void)yaml_make_add(&found, STR(""), item.node);
    (void)yaml_make_add(m, list->key, found.node);
}

/* HTTP options in an entry mean its targets where these are written there, and else whoever knows them. */
static bool add_entry(struct yaml_made *exporters, const struct yaml_node *root,
                      const struct yaml_node *list, const struct yaml_node *entry, struct err *e)
{
    bool is_static = str_eq(list->key, str_of(discovery_static.key));

    if (!check_mapping(entry, e)) {
        return false;
    }
    struct yaml_made m = begin_exporter(exporters, entry);
    append_entry(&m, list, entry);
    struct yaml_made own = yaml_make(m.arena, entry, YAML_MAPPING);
    for (const struct yaml_node *n = entry->first; is_static && n != NULL; n = n->next) {
        if (!str_eq(n->key, STR("targets")) && !str_eq(n->key, STR("labels"))) {
            (void)yaml_make_add(&own, n->key, n);
        }
    }
    unsigned without = KEY_FOUND | (has_login(own.node) ? KEY_LOGIN : 0U);
    if (!append_options(&m, own.node, 0, e) || !append_options(&m, root, without, e) ||
        !append_rules(&m, root, entry, e)) {
        return false;
    }
    end_exporter(exporters, &m);
    return true;
}

bool notifiers_from_vmalert(const struct yaml_node *root, struct arena *a,
                            const struct yaml_node **ret_exporters, struct err *e)
{
    struct yaml_made exporters = yaml_make(a, root, YAML_MAPPING);

    if (!check_mapping(root, e)) {
        return false;
    }
    for (const struct yaml_node *n = root->first; n != NULL; n = n->next) {
        if (kind_of(n->key) != KEY_FOUND || yaml_is_null(n)) {
            continue;
        }
        if (n->kind != YAML_SEQUENCE) {
            return yaml_err(n, e, ERR_CONFIG, "expected a list");
        }
        for (const struct yaml_node *entry = n->first; entry != NULL; entry = entry->next) {
            if (!add_entry(&exporters, root, n, entry, e)) {
                return false;
            }
        }
    }
    *ret_exporters = exporters.node;
    return exporters.node->count > 0 ||
           yaml_err(root, e, ERR_CONFIG,
                    "names no notifier: add static_configs, dns_sd_configs, consul_sd_configs, "
                    "file_sd_configs or http_sd_configs");
}

/* Entries of the block's lists may hold keys that mean nothing here. */
static void append_found(struct yaml_made *m, const struct yaml_node *block)
{
    for (const struct yaml_node *n = block->first; n != NULL; n = n->next) {
        if (kind_of(n->key) != KEY_FOUND || n->kind != YAML_SEQUENCE) {
            continue;
        }
        struct yaml_made list = yaml_make(m->arena, n, YAML_SEQUENCE);
        for (const struct yaml_node *entry = n->first; entry != NULL; entry = entry->next) {
            struct yaml_made item = yaml_make(m->arena, entry, entry->kind);
            for (const struct yaml_node *o = entry->first; o != NULL; o = o->next) {
                if (kind_of(o->key) != KEY_NONE) {
                    (void)yaml_make_add(&item, o->key, o);
                }
            }
            (void)yaml_make_add(&list, STR(""), item.node);
        }
        (void)yaml_make_add(m, n->key, list.node);
    }
}

static bool add_block(struct yaml_made *exporters, const struct yaml_node *alerting,
                      const struct yaml_node *block, struct err *e)
{
    if (!check_mapping(block, e)) {
        return false;
    }
    struct yaml_made m = begin_exporter(exporters, block);
    append_found(&m, block);
    if (!append_options(&m, block, 0, e) || !append_rules(&m, alerting, block, e)) {
        return false;
    }
    end_exporter(exporters, &m);
    return true;
}

static bool check_key(const struct yaml_node *n, struct err *e)
{
    return str_eq(n->key, STR("alertmanagers")) || str_eq(n->key, STR("alert_relabel_configs")) ||
           yaml_key_err(n, e, ERR_CONFIG,
                        "unknown key '%.*s'; expected alertmanagers or alert_relabel_configs",
                        STR_FMT(str_slice(n->key, 0, 60)));
}

bool notifiers_from_prometheus(const struct yaml_node *alerting, struct arena *a,
                               const struct yaml_node **ret_exporters, struct err *e)
{
    struct yaml_made exporters = yaml_make(a, alerting, YAML_MAPPING);
    const struct yaml_node *blocks = yaml_get(alerting, STR("alertmanagers"));

    if (!check_mapping(alerting, e)) {
        return false;
    }
    for (const struct yaml_node *n = alerting->first; n != NULL; n = n->next) {
        if (!check_key(n, e)) {
            return false;
        }
    }
    if (blocks != NULL && !yaml_is_null(blocks) && blocks->kind != YAML_SEQUENCE) {
        return yaml_err(blocks, e, ERR_CONFIG, "expected a list");
    }
    for (const struct yaml_node *n = blocks != NULL ? blocks->first : NULL; n != NULL;
         n = n->next) {
        if (!add_block(&exporters, alerting, n, e)) {
            return false;
        }
    }
    *ret_exporters = exporters.node;
    return true;
}
