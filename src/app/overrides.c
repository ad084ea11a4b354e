#include "app/overrides.h"

#include "base/fs.h"
#include "base/trace.h"
#include "net/url.h"

#include <errno.h>
#include <unistd.h>

static const char start[] = "{\n  \"version\": 1,\n  \"exporters\": ";

/* ---- the file ---- */

void overrides_add_path(struct str state_path, struct buf *out)
{
    buf_addf(out, "%.*s/overrides.json", STR_FMT(state_path));
}

bool overrides_load(struct str path, struct buf *out, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    buf_add_str(&name, path);
    bool is_absent = access(buf_text(&name), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
    return is_absent || fs_read_file(fs_system(), path, OVERRIDES_MAX, out, e);
}

bool overrides_save(struct str path, struct str text, struct err *e)
{
    return fs_replace_file(fs_system(), path, text, e);
}

/* ---- for the config ---- */

static bool check_version(const struct yaml_node *root, struct err *e)
{
    const struct yaml_node *version = yaml_get(root, STR("version"));
    int64_t number = 0;

    if (version == NULL) {
        return yaml_err(root, e, ERR_CONFIG, "expected '{\"version\": 1, \"exporters\": {...}}'");
    }
    return yaml_i64(version, &number, e) &&
           (number == 1 ||
            yaml_err(version, e, ERR_CONFIG,
                     "these overrides are of version %lld; this program knows version 1",
                     (long long)number));
}

bool overrides_read(struct yaml_source *source, struct arena *a,
                    const struct yaml_node **ret_exporters, struct err *e)
{
    const struct yaml_node *documents = NULL;

    if (!yaml_parse(a, source, &documents, e)) {
        return false;
    }
    if (documents->count == 0) {
        *ret_exporters = NULL;
        return true;
    }
    const struct yaml_node *exporters = yaml_get(documents->first, STR("exporters"));
    if (!check_version(documents->first, e)) {
        return false;
    }
    if (exporters != NULL && exporters->kind != YAML_MAPPING) {
        return yaml_err(exporters, e, ERR_CONFIG, "expected exporters with their options");
    }
    *ret_exporters = exporters;
    return true;
}

/* ---- printing ---- */

static void add_line(struct buf *out, unsigned depth)
{
    buf_add_byte(out, '\n');
    buf_add_repeat(out, ' ', 2 * (size_t)depth);
}

static void print_scalar(const struct json_node *n, struct buf *out)
{
    static const char *const words[] = {
        [JSON_NONE] = "null", [JSON_TRUE] = "true", [JSON_FALSE] = "false", [JSON_NULL] = "null"};

    if (n->kind == JSON_STRING) {
        json_print_str(out, n->text);
    } else if (n->kind == JSON_NUMBER) {
        buf_add_str(out, n->text);
    } else {
        buf_add_text(out, words[n->kind]);
    }
}

/* An option to a line, since errors show the line. JSON_DEPTH_MAX deep at most. */
static void print_node(const struct json_node *n, unsigned depth, struct buf *out)
{
    bool is_object = n->kind == JSON_OBJECT;

    if (!is_object && n->kind != JSON_ARRAY) {
        print_scalar(n, out);
        return;
    }
    buf_add_byte(out, is_object ? '{' : '[');
    for (const struct json_node *i = n->first; i != NULL; i = i->next) {
        buf_add_text(out, i != n->first ? "," : "");
        add_line(out, depth + 1);
        if (is_object) {
            json_print_str(out, i->key);
            buf_add_text(out, ": ");
        }
        print_node(i, depth + 1, out);
    }
    if (n->first != NULL) {
        add_line(out, depth);
    }
    buf_add_byte(out, is_object ? '}' : ']');
}

/* ---- merging ---- */

/* Where the member <key> of an object hangs, or where it would. */
static struct json_node **link_of(struct json_node *object, struct str key)
{
    struct json_node **link = &object->first;

    while (*link != NULL && !str_eq((*link)->key, key)) {
        link = &(*link)->next;
    }
    return link;
}

/* The member <key>, made an object if it is none. */
static struct json_node *object_at(struct json_node *object, struct str key, struct arena *a)
{
    struct json_node **link = link_of(object, key);

    if (*link == NULL || (*link)->kind != JSON_OBJECT) {
        struct json_node *made = arena_new(a, struct json_node);
        *made = (struct json_node){
            .kind = JSON_OBJECT, .key = key, .next = *link != NULL ? (*link)->next : NULL};
        *link = made;
    }
    return *link;
}

/* RFC 7396: JSON_DEPTH_MAX deep at most, since <patch> was parsed. */
static void merge(struct json_node *object, const struct json_node *patch, struct arena *a)
{
    for (const struct json_node *p = patch->first; p != NULL; p = p->next) {
        struct json_node **link = link_of(object, p->key);
        struct json_node *rest = *link != NULL ? (*link)->next : NULL;
        if (p->kind == JSON_OBJECT) {
            merge(object_at(object, p->key, a), p, a);
        } else if (p->kind == JSON_NULL) {
            *link = rest;
        } else {
            struct json_node *copy = arena_new(a, struct json_node);
            *copy = *p;
            copy->next = rest;
            *link = copy;
        }
    }
}

/* The object of exporters in the file's text; an empty one when there is none. */
static bool parse_exporters(struct str text, struct arena *a, struct json_node **ret_exporters,
                            struct err *e)
{
    struct json_node *root = arena_new(a, struct json_node);

    *root = (struct json_node){.kind = JSON_OBJECT};
    if (str_trim(text).len > 0 && !json_parse(text, a, &root, e)) {
        return false;
    }
    *ret_exporters = object_at(root, STR("exporters"), a);
    return true;
}

bool overrides_patch(struct str text, struct str exporter, struct str patch, struct buf *out,
                     struct err *e)
{
    AUTO(arena_release) struct arena arena;
    struct json_node *exporters = NULL;
    struct json_node *node = NULL;

    arena_init(&arena, ARENA_UNLIMITED);
    if (patch.len > 0 && !json_parse(patch, &arena, &node, e)) {
        return false;
    }
    if (node != NULL && node->kind != JSON_OBJECT) {
        return err_set(e, ERR_CONFIG,
                       "expected an object of options, such as {\"retry\": {\"max_retries\": 3}}");
    }
    if (!parse_exporters(text, &arena, &exporters, e)) {
        return err_wrap(e, "the overrides of before");
    }
    struct json_node **link = link_of(exporters, exporter);
    if (node != NULL) {
        merge(object_at(exporters, exporter, &arena), node, &arena);
    }
    if (*link != NULL && (node == NULL || (*link)->first == NULL)) {
        *link = (*link)->next;
    }
    buf_add_text(out, start);
    print_node(exporters, 1, out);
    buf_add_text(out, "\n}\n");
    return buf_ok(out) || err_set(e, ERR_LIMIT, "overrides take %d bytes at most", (int)out->max);
}

/* ---- for who asks ---- */

static const struct json_node *find(struct str text, struct str exporter, struct arena *a)
{
    struct json_node *exporters = NULL;
    struct err ignored = ERR_INIT;

    if (!parse_exporters(text, a, &exporters, &ignored)) {
        return NULL;
    }
    return exporter.len > 0 ? json_get(exporters, exporter) : exporters;
}

bool overrides_has(struct str text, struct str exporter)
{
    AUTO(arena_release) struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    return find(text, exporter, &arena) != NULL;
}

/* Mappings whose values may be secret under any name. */
static bool is_private_map(struct str key)
{
    return str_eq(key, STR("headers")) || str_eq(key, STR("endpoint_params"));
}

/* Options that say where a secret is may be seen. */
static bool may_show(struct str key)
{
    return str_ends(key, STR("_file")) || str_ends(key, STR("_secret")) ||
           !trace_key_is_secret(key);
}

static void add_shown(const struct json_node *n, bool is_hidden, struct json_writer *w);

static void add_children(const struct json_node *n, bool is_hidden, struct json_writer *w)
{
    bool is_object = n->kind == JSON_OBJECT;

    (is_object ? json_begin_object : json_begin_array)(w);
    for (const struct json_node *i = n->first; i != NULL; i = i->next) {
        if (is_object) {
            json_key(w, i->key);
        }
        bool is_map = is_object && is_private_map(i->key);
        bool is_value = is_object && i->kind != JSON_OBJECT && !may_show(i->key);
        add_shown(i, is_hidden || is_map || is_value, w);
    }
    (is_object ? json_end_object : json_end_array)(w);
}

static void add_shown(const struct json_node *n, bool is_hidden, struct json_writer *w)
{
    AUTO(buf_release) struct buf text = BUF_INIT(OVERRIDES_MAX);

    if (n->kind == JSON_OBJECT || n->kind == JSON_ARRAY) {
        add_children(n, is_hidden, w);
    } else if (is_hidden) {
        json_add_text(w, "[redacted]");
    } else if (n->kind == JSON_STRING && str_find(n->text, STR("://")) < n->text.len) {
        url_add_site(&text, n->text);
        json_add_str(w, buf_str(&text));
    } else {
        print_scalar(n, &text);
        json_add_raw(w, buf_str(&text));
    }
}

void overrides_print(struct str text, struct str exporter, struct json_writer *w)
{
    AUTO(arena_release) struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    const struct json_node *found = find(text, exporter, &arena);
    if (found != NULL) {
        add_children(found, false, w);
    } else {
        json_begin_object(w);
        json_end_object(w);
    }
}
