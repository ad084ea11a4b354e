#include "cli/prometheus_config.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/yaml.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>

enum setting_kind {
    SETTING_TAKEN,   /* goes to <path> */
    SETTING_PASSED,  /* changes nothing: <note> says why */
    SETTING_REFUSED, /* <note> says what to do */
};

struct reader;

/* Takes what needs more than a copy. */
typedef bool setting_reader(struct reader *r, const char *base, const struct yaml_node *n,
                            struct err *e);
static setting_reader read_queue;
static setting_reader read_read_url;
static setting_reader leave_to_caller; /* relabelling, which lists of several places make */

struct setting {
    const char *name;
    enum setting_kind kind;
    const char *path; /* in our config, or in the exporter's options */
    const char *note;
    setting_reader *read; /* in place of a copy; NULL: it is copied */
};

struct setting_table {
    const char *section;
    const struct setting *rows;
    size_t count;
};

/* How a client speaks, in every section that has one. */
#define CLIENT_SETTINGS                                                                        \
    {"basic_auth", SETTING_TAKEN, "basic_auth", NULL, NULL},                                   \
        {"authorization", SETTING_TAKEN, "authorization", NULL, NULL},                         \
        {"bearer_token", SETTING_TAKEN, "bearer_token", NULL, NULL},                           \
        {"bearer_token_file", SETTING_TAKEN, "bearer_token_file", NULL, NULL},                 \
        {"oauth2", SETTING_TAKEN, "oauth2", NULL, NULL},                                       \
        {"tls_config", SETTING_TAKEN, "tls", NULL, NULL},                                      \
        {"proxy_url", SETTING_TAKEN, "proxy_url", NULL, NULL},                                 \
        {"proxy_from_environment", SETTING_REFUSED, NULL, "write it as proxy_url", NULL},      \
        {"follow_redirects", SETTING_PASSED, NULL, "redirects never carry credentials here",   \
         NULL},                                                                                \
        {"enable_http2", SETTING_PASSED, NULL, "it is agreed upon with the server", NULL},     \
        {"name", SETTING_PASSED, NULL, "exporters are numbered in the file's order", NULL},    \
        {"sigv4", SETTING_REFUSED, NULL,                                                       \
         "put a proxy that signs between, such as aws-sigv4-proxy", NULL},                     \
        {"azuread", SETTING_REFUSED, NULL, "use oauth2", NULL},                                \
    {                                                                                          \
        "google_iam", SETTING_REFUSED, NULL, "use authorization with a credentials_file", NULL \
    }

static const struct setting global_rows[] = {
    {"evaluation_interval", SETTING_TAKEN, "evaluation_interval", NULL, NULL},
    {"external_labels", SETTING_TAKEN, "external_labels", NULL, NULL},
    {"rule_query_offset", SETTING_TAKEN, "query_offset", NULL, NULL},
    {"*", SETTING_PASSED, NULL, "it is about scraping and queries", NULL},
};

static const struct setting write_rows[] = {
    {"url", SETTING_TAKEN, "url", NULL, NULL},
    {"remote_timeout", SETTING_TAKEN, "timeout", NULL, NULL},
    {"headers", SETTING_TAKEN, "headers", NULL, NULL},
    CLIENT_SETTINGS,
    {"write_relabel_configs", SETTING_TAKEN, NULL, "an exporter `relabel` around it",
     leave_to_caller},
    {"queue_config", SETTING_TAKEN, NULL, "see below", read_queue},
    {"metadata_config", SETTING_PASSED, NULL, "rules have no metadata", NULL},
    {"protobuf_message", SETTING_PASSED, NULL, "remote write 1.0 is what is sent", NULL},
    {"send_exemplars", SETTING_PASSED, NULL, "rules have none", NULL},
    {"send_native_histograms", SETTING_PASSED, NULL, "rules have none", NULL},
    {"round_robin_dns", SETTING_PASSED, NULL, "connections go to any address of the name", NULL},
};

static const struct setting queue_rows[] = {
    {"max_samples_per_send", SETTING_TAKEN, "buffer.buffer_size", NULL, NULL},
    {"min_backoff", SETTING_TAKEN, "retry.initial_delay", NULL, NULL},
    {"max_backoff", SETTING_TAKEN, "retry.max_delay", NULL, NULL},
    {"sample_age_limit", SETTING_TAKEN, "retry.max_age", NULL, NULL},
    {"max_shards", SETTING_PASSED, NULL, "`buffer.lanes` of a config does this", NULL},
    {"min_shards", SETTING_PASSED, NULL, "likewise", NULL},
    {"capacity", SETTING_PASSED, NULL, "the queue is on disk", NULL},
    {"batch_send_deadline", SETTING_PASSED, NULL, "nothing waits for company", NULL},
    {"retry_on_http_429", SETTING_PASSED, NULL, "429 is always tried again", NULL},
};

static const struct setting read_rows[] = {
    {"url", SETTING_TAKEN, NULL, "without `/api/v1/read`: it is asked in PromQL", read_read_url},
    {"remote_timeout", SETTING_TAKEN, "timeout", NULL, NULL},
    {"headers", SETTING_TAKEN, "headers", NULL, NULL},
    CLIENT_SETTINGS,
    {"read_recent", SETTING_PASSED, NULL, "there is no store here before it", NULL},
    {"required_matchers", SETTING_PASSED, NULL, "it is asked for alerts alone", NULL},
    {"filter_external_labels", SETTING_PASSED, NULL, "it is asked for alerts alone", NULL},
};

static const struct setting manager_rows[] = {
    {"scheme", SETTING_TAKEN, "scheme", NULL, NULL},
    {"path_prefix", SETTING_TAKEN, "path_prefix", NULL, NULL},
    {"timeout", SETTING_TAKEN, "timeout", NULL, NULL},
    {"api_version", SETTING_TAKEN, "api_version", NULL, NULL},
    {"static_configs", SETTING_TAKEN, "static_configs", NULL, NULL},
    {"file_sd_configs", SETTING_TAKEN, "file_sd_configs", NULL, NULL},
    {"dns_sd_configs", SETTING_TAKEN, "dns_sd_configs", NULL, NULL},
    {"http_sd_configs", SETTING_TAKEN, "http_sd_configs", NULL, NULL},
    {"consul_sd_configs", SETTING_TAKEN, "consul_sd_configs", NULL, NULL},
    {"relabel_configs", SETTING_TAKEN, "relabel_configs", NULL, NULL},
    {"alert_relabel_configs", SETTING_TAKEN, NULL, "behind those of `alerting`", leave_to_caller},
    CLIENT_SETTINGS,
};

static const struct setting_table tables[] = {
    {"global", global_rows, ARRAY_LEN(global_rows)},
    {"remote_write", write_rows, ARRAY_LEN(write_rows)},
    {"queue_config", queue_rows, ARRAY_LEN(queue_rows)},
    {"remote_read", read_rows, ARRAY_LEN(read_rows)},
    {"alertmanagers", manager_rows, ARRAY_LEN(manager_rows)},
};

enum { TABLE_GLOBAL, TABLE_WRITE, TABLE_QUEUE, TABLE_READ, TABLE_MANAGER };

struct reader {
    struct flags *flags;
    struct str file;
    const struct yaml_node *alert_relabel; /* of the section alerting; or NULL */
};

/* ---- values ---- */

static bool is_literal(const struct yaml_node *n)
{
    double ignored;

    return n->style == YAML_PLAIN &&
           (yaml_is_null(n) || str_eq(n->text, STR("true")) || str_eq(n->text, STR("false")) ||
            number_parse(n->text, &ignored));
}

static void add_node(const struct yaml_node *n, struct buf *out)
{
    if (n->kind == YAML_SCALAR) {
        if (is_literal(n)) {
            buf_add_str(out, yaml_is_null(n) ? STR("null") : n->text);
        } else {
            json_print_str(out, n->text);
        }
        return;
    }
    buf_add_byte(out, n->kind == YAML_SEQUENCE ? '[' : '{');
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next) {
        if (n->kind == YAML_MAPPING) {
            json_print_str(out, c->key);
            buf_add_text(out, ": ");
        }
        add_node(c, out);
        buf_add_text(out, c->next != NULL ? ", " : "");
    }
    buf_add_byte(out, n->kind == YAML_SEQUENCE ? ']' : '}');
}

/* Where the value comes from, as it is shown behind it. */
static struct str place_of(const struct reader *r, const struct yaml_node *n)
{
    return arena_printf(r->flags->arena, "%.*s:%u", STR_FMT(r->file), (unsigned)n->pos.line);
}

static void set_text(struct reader *r, const char *base, const char *path, struct str value,
                     enum flag_kind kind, const struct yaml_node *from)
{
    struct str whole =
        arena_printf(r->flags->arena, "%s%s%s", base, base[0] != '\0' ? "." : "", path);

    flags_set(r->flags, whole.ptr, kind, value, place_of(r, from));
}

static void set_node(struct reader *r, const char *base, const char *path,
                     const struct yaml_node *n)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    add_node(n, &text);
    set_text(r, base, path, arena_dup(r->flags->arena, buf_str(&text)), FLAG_PLAIN, n);
}

/* ---- settings ---- */

static const struct setting *find_setting(const struct setting_table *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq(name, str_of(t->rows[i].name)) || strcmp(t->rows[i].name, "*") == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static bool read_settings(struct reader *r, unsigned table, const char *base,
                          const struct yaml_node *section, struct err *e);

/* Rules for all Alertmanagers, then those of this one. */
static void set_alert_relabel(struct reader *r, const char *base, const struct yaml_node *own)
{
    const struct yaml_node *lists[] = {r->alert_relabel, own};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_byte(&text, '[');
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (const struct yaml_node *c = lists[i] != NULL ? lists[i]->first : NULL; c != NULL;
             c = c->next) {
            buf_add_text(&text, text.len > 1 ? ", " : "");
            add_node(c, &text);
        }
    }
    buf_add_byte(&text, ']');
    set_text(r, base, "alert_relabel_configs", arena_dup(r->flags->arena, buf_str(&text)),
             FLAG_PLAIN, own != NULL ? own : r->alert_relabel);
}

static bool read_read_url(struct reader *r, const char *base, const struct yaml_node *n,
                          struct err *e)
{
    struct str url = n->text;

    (void)e;
    if (str_ends(url, STR("/api/v1/read"))) {
        url = str_slice(url, 0, url.len - STR("/api/v1/read").len);
    }
    set_text(r, base, "url", url, FLAG_TEXT, n);
    return true;
}

static bool read_queue(struct reader *r, const char *base, const struct yaml_node *n, struct err *e)
{
    return read_settings(r, TABLE_QUEUE, base, n, e);
}

static bool leave_to_caller(struct reader *r, const char *base, const struct yaml_node *n,
                            struct err *e)
{
    (void)r;
    (void)base;
    (void)n;
    (void)e;
    return true;
}

static bool read_setting(struct reader *r, const struct setting_table *t, const char *base,
                         const struct yaml_node *n, struct err *e)
{
    const struct setting *row = find_setting(t, n->key);

    if (row == NULL) {
        return yaml_key_err(n, e, ERR_CONFIG, "'%.*s' of %s is not known here", STR_FMT(n->key),
                            t->section);
    }
    bool is_off = n->kind == YAML_SCALAR && str_eq(n->text, STR("false"));
    if (row->kind == SETTING_REFUSED && !is_off) {
        return yaml_key_err(n, e, ERR_CONFIG, "'%s' of %s: %s", row->name, t->section, row->note);
    }
    if (row->kind != SETTING_TAKEN || yaml_is_null(n)) {
        return true;
    }
    if (row->read != NULL) {
        return row->read(r, base, n, e);
    }
    set_node(r, base, row->path, n);
    return true;
}

static bool read_settings(struct reader *r, unsigned table, const char *base,
                          const struct yaml_node *section, struct err *e)
{
    if (section->kind != YAML_MAPPING && !yaml_is_null(section)) {
        return yaml_err(section, e, ERR_PARSE, "a mapping is expected");
    }
    for (const struct yaml_node *n = section->first; n != NULL; n = n->next) {
        if (!read_setting(r, &tables[table], base, n, e)) {
            return false;
        }
    }
    return true;
}

/* ---- sections ---- */

static bool read_global(struct reader *r, const struct yaml_node *n, struct err *e)
{
    return read_settings(r, TABLE_GLOBAL, "", n, e);
}

static bool read_rule_files(struct reader *r, const struct yaml_node *n, struct err *e)
{
    (void)e;
    set_node(r, "", "rules", n);
    return true;
}

static bool read_write(struct reader *r, const char *base, const struct yaml_node *n, struct err *e)
{
    const struct yaml_node *relabel = yaml_get(n, STR("write_relabel_configs"));
    const char *inside = base;

    if (relabel != NULL && relabel->count > 0) {
        set_text(r, base, "type", STR("relabel"), FLAG_TEXT, relabel);
        set_node(r, base, "relabel_configs", relabel);
        inside = arena_printf(r->flags->arena, "%s.exporter", base).ptr;
    }
    set_text(r, inside, "type", STR("remote_write"), FLAG_TEXT, n);
    return read_settings(r, TABLE_WRITE, inside, n, e);
}

static bool read_read(struct reader *r, const char *base, const struct yaml_node *n, struct err *e)
{
    return read_settings(r, TABLE_READ, base, n, e);
}

static bool read_manager(struct reader *r, const char *base, const struct yaml_node *n,
                         struct err *e)
{
    const struct yaml_node *own = yaml_get(n, STR("alert_relabel_configs"));

    set_text(r, base, "type", STR("alertmanager"), FLAG_TEXT, n);
    if (own != NULL || r->alert_relabel != NULL) {
        set_alert_relabel(r, base, own);
    }
    return read_settings(r, TABLE_MANAGER, base, n, e);
}

/* Each item of a list, numbered from 1. */
static bool read_list(struct reader *r, const char *base, const struct yaml_node *list,
                      bool (*read)(struct reader *, const char *, const struct yaml_node *,
                                   struct err *),
                      struct err *e)
{
    unsigned number = 1;

    if (list->kind != YAML_SEQUENCE && !yaml_is_null(list)) {
        return yaml_err(list, e, ERR_PARSE, "a list is expected");
    }
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        if (!read(r, arena_printf(r->flags->arena, "%s_%u", base, number++).ptr, n, e)) {
            return false;
        }
    }
    return true;
}

static bool read_writes(struct reader *r, const struct yaml_node *n, struct err *e)
{
    return read_list(r, "exporters.remote_write", n, read_write, e);
}

static bool read_reads(struct reader *r, const struct yaml_node *n, struct err *e)
{
    if (n->count > 0) {
        set_text(r, "", "restore.datasource", STR("remote_read_1"), FLAG_TEXT, n);
    }
    return read_list(r, "datasources.remote_read", n, read_read, e);
}

static bool read_alerting(struct reader *r, const struct yaml_node *n, struct err *e)
{
    const struct yaml_node *managers = yaml_get(n, STR("alertmanagers"));

    r->alert_relabel = yaml_get(n, STR("alert_relabel_configs"));
    for (const struct yaml_node *c = n->first; c != NULL; c = c->next) {
        if (c != managers && c != r->alert_relabel) {
            return yaml_key_err(c, e, ERR_CONFIG, "'%.*s' of alerting is not known here",
                                STR_FMT(c->key));
        }
    }
    return managers == NULL || read_list(r, "exporters.alertmanager", managers, read_manager, e);
}

static const struct section {
    const char *name;
    bool (*read)(struct reader *r, const struct yaml_node *n, struct err *e); /* NULL: not ours */
    const char *note;
} sections[] = {
    {"global", read_global, NULL},
    {"rule_files", read_rule_files, "`rules`"},
    {"alerting", read_alerting, "an exporter `alertmanager_N` for each of `alertmanagers`"},
    {"remote_write", read_writes, "an exporter `remote_write_N` for each"},
    {"remote_read", read_reads,
     "a datasource `remote_read_N` for each; the first is asked for alerts of before"},
    {"scrape_configs", NULL, "Prometheus goes on with it"},
    {"scrape_config_files", NULL, "likewise"},
    {"storage", NULL, "there is no store of samples here"},
    {"runtime", NULL, "it is about Go"},
    {"tracing", NULL, "there are no traces of our own"},
    {"otlp", NULL, "it is about a receiver"},
};

static bool read_section(struct reader *r, const struct yaml_node *n, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (!str_eq(n->key, str_of(sections[i].name))) {
            continue;
        }
        if (sections[i].read != NULL) {
            return yaml_is_null(n) || sections[i].read(r, n, e);
        }
        struct str note = arena_printf(r->flags->arena, "%.*s is passed over: %s", STR_FMT(n->key),
                                       sections[i].note);
        vec_push(&r->flags->notes, note);
        return true;
    }
    return yaml_key_err(n, e, ERR_CONFIG, "'%.*s' is no section of prometheus.yml that is known",
                        STR_FMT(n->key));
}

bool prometheus_config_read(struct flags *f, struct str file, struct str text, struct err *e)
{
    struct yaml_source *source = arena_alloc0(f->arena, 1, sizeof(*source));
    struct reader r = {.flags = f, .file = file};
    const struct yaml_node *documents = NULL;

    *source = (struct yaml_source){file, text};
    if (!yaml_parse(f->arena, source, &documents, e)) {
        return false;
    }
    if (documents->first != NULL && documents->first->kind != YAML_MAPPING) {
        return yaml_err(documents->first, e, ERR_PARSE, "a mapping of sections is expected");
    }
    const struct yaml_node *n = documents->first != NULL ? documents->first->first : NULL;
    for (; n != NULL; n = n->next) {
        if (!read_section(&r, n, e)) {
            return false;
        }
    }
    return true;
}

/* ---- the page ---- */

static void print_setting(const char *section, const struct setting *row, struct buf *out)
{
    static const char *const words[] = {"", "taken, changes nothing", "refused"};
    bool is_copy = row->path != NULL;

    buf_addf(out, "| `%s.%s` | ", section, row->name);
    if (is_copy) {
        buf_addf(out, "`%s`", row->path);
    }
    buf_add_text(out, words[row->kind]);
    if (row->note != NULL) {
        buf_addf(out, "%s%s", is_copy || words[row->kind][0] != '\0' ? ": " : "", row->note);
    }
    buf_add_text(out, " |\n");
}

void prometheus_config_print_docs(struct buf *out)
{
    buf_add_text(out, "| section | here |\n|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        buf_addf(out, "| `%s` | %s%s |\n", sections[i].name,
                 sections[i].read == NULL ? "passed over: " : "",
                 sections[i].note != NULL ? sections[i].note : "see below");
    }
    buf_add_text(out, "\n| setting | here |\n|---|---|\n");
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (size_t i = 0; i < tables[t].count; i++) {
            print_setting(tables[t].section, &tables[t].rows[i], out);
        }
    }
}
