#include "discover/consul_json.h"

#include "wire/json.h"

bool consul_read_services(struct str json, struct arena *a, struct str **ret_names,
                          size_t *ret_count, struct err *e)
{
    struct json_node *root = NULL;
    size_t count = 0;

    if (!json_parse(json, a, &root, e)) {
        return false;
    }
    if (root->kind != JSON_OBJECT) {
        return json_err_at(json, root->offset, e, ERR_PARSE, "expected an object of services");
    }
    struct str *names = arena_array(a, struct str, root->count + 1);
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        names[count++] = arena_dup(a, n->key);
    }
    *ret_names = names;
    *ret_count = count;
    return true;
}

/* An instance being read. */
struct instance {
    struct arena *arena;
    struct labels_builder *builder;
};

static void set(struct instance *in, const char *name, struct str value)
{
    labels_builder_set(in->builder, str_of(name), value);
}

/* Bytes that a label's name cannot have become '_'. */
static struct str name_of(struct instance *in, const char *prefix, struct str key)
{
    struct str name = arena_printf(in->arena, "%s%.*s", prefix, STR_FMT(key));
    char *text = arena_text(in->arena, name);

    for (char *p = text; *p != '\0'; p++) {
        bool is_letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        bool is_digit = *p >= '0' && *p <= '9';
        *p = is_letter || is_digit ? *p : '_';
    }
    return str_of(text);
}

static void set_each(struct instance *in, const char *prefix, const struct json_node *object)
{
    for (const struct json_node *n = object != NULL ? object->first : NULL; n != NULL;
         n = n->next) {
        struct str value = n->kind == JSON_STRING ? n->text : STR("");
        labels_builder_set(in->builder, name_of(in, prefix, n->key), value);
    }
}

/* ",a,b," */
static struct str joined_tags(struct instance *in, const struct json_node *tags,
                              struct str separator)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    if (tags == NULL || tags->first == NULL) {
        return STR("");
    }
    buf_add_str(&out, separator);
    for (const struct json_node *n = tags->first; n != NULL; n = n->next) {
        buf_add_str(&out, n->text);
        buf_add_str(&out, separator);
    }
    return arena_dup(in->arena, buf_str(&out));
}

/* The worst of all checks. */
static struct str health_of(const struct json_node *checks)
{
    static const char *const states[] = {"passing", "warning", "critical", "maintenance"};
    size_t worst = 0;

    for (const struct json_node *n = checks != NULL ? checks->first : NULL; n != NULL;
         n = n->next) {
        struct str id = json_get_str(n, STR("CheckID"));
        struct str status = json_get_str(n, STR("Status"));
        bool is_maintenance =
            str_eq(id, STR("_node_maintenance")) || str_starts(id, STR("_service_maintenance:"));
        for (size_t i = 0; i < ARRAY_LEN(states); i++) {
            bool fits = str_eq(status, str_of(states[i]));
            worst = fits && i > worst ? i : worst;
        }
        worst = is_maintenance ? 3 : worst;
    }
    return str_of(states[worst]);
}

static void set_instance(struct instance *in, const struct json_node *entry, struct str separator)
{
    const struct json_node *node = json_get(entry, STR("Node"));
    const struct json_node *service = json_get(entry, STR("Service"));
    const struct json_node *port = json_get(service, STR("Port"));
    struct str own = json_get_str(service, STR("Address"));
    struct str address = own.len > 0 ? own : json_get_str(node, STR("Address"));
    struct str number = port != NULL && port->kind == JSON_NUMBER ? port->text : STR("0");
    bool is_ipv6 = str_find_byte(address, ':') < address.len;

    set(in, "__address__",
        arena_printf(in->arena, is_ipv6 ? "[%.*s]:%.*s" : "%.*s:%.*s", STR_FMT(address),
                     STR_FMT(number)));
    set(in, "__meta_consul_address", json_get_str(node, STR("Address")));
    set(in, "__meta_consul_dc", json_get_str(node, STR("Datacenter")));
    set(in, "__meta_consul_health", health_of(json_get(entry, STR("Checks"))));
    set(in, "__meta_consul_namespace", json_get_str(service, STR("Namespace")));
    set(in, "__meta_consul_node", json_get_str(node, STR("Node")));
    set(in, "__meta_consul_partition", json_get_str(service, STR("Partition")));
    set(in, "__meta_consul_service", json_get_str(service, STR("Service")));
    set(in, "__meta_consul_service_address", own);
    set(in, "__meta_consul_service_id", json_get_str(service, STR("ID")));
    set(in, "__meta_consul_service_port", number);
    set(in, "__meta_consul_tags", joined_tags(in, json_get(service, STR("Tags")), separator));
    set_each(in, "__meta_consul_metadata_", json_get(node, STR("Meta")));
    set_each(in, "__meta_consul_service_metadata_", json_get(service, STR("Meta")));
    set_each(in, "__meta_consul_tagged_address_", json_get(node, STR("TaggedAddresses")));
}

bool consul_read_health(struct str json, struct str tag_separator, struct target_list *list,
                        struct err *e)
{
    AUTO(arena_release) struct arena a;
    AUTO(labels_builder_release) struct labels_builder b;
    struct instance in = {&a, &b};
    struct json_node *root = NULL;

    arena_init(&a, ARENA_UNLIMITED);
    labels_builder_init(&b);
    if (!json_parse(json, &a, &root, e)) {
        return false;
    }
    if (root->kind != JSON_ARRAY) {
        return json_err_at(json, root->offset, e, ERR_PARSE, "expected an array of instances");
    }
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        if (json_get(n, STR("Service")) == NULL) {
            return json_err_at(json, n->offset, e, ERR_PARSE, "expected an instance of a service");
        }
        labels_builder_clear(&b);
        set_instance(&in, n, tag_separator);
        if (!target_list_add(list, &b, e)) {
            return false;
        }
    }
    return true;
}
