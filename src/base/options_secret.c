/* Where secrets come from: the config itself, a file, a variable, or a name for either. */
#include "base/attr.h"
#include "base/options_int.h"
#include "base/secret.h"

#include <unistd.h>

/* Puts <secret> in the place of what is there. */
static void replace(void *field, struct secret *secret)
{
    struct secret **place = field;

    secret_free(*place);
    *place = secret;
}

static bool text_of(const struct options_run *r, struct option_value v, const char *expected,
                    struct str *ret_text)
{
    bool expanded;

    if (v.node->kind != YAML_SCALAR || (v.node->text.len == 0 && !v.loose)) {
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: expected %s", v.name, expected);
    }
    if (v.loose) {
        *ret_text = v.node->text;
        return true;
    }
    return options_expand(r, v.node, ret_text, &expanded);
}

/* The file at <path>; an error is at <node>. */
static bool set_from_file(const struct options_run *r, const struct yaml_node *node,
                          const char *name, struct str path, void *field)
{
    struct err cause = ERR_INIT;
    struct secret *secret;

    if (!secret_from_file(path, &secret, &cause)) {
        return yaml_err(node, r->e, cause.code, "%s: %s", name, cause.message);
    }
    replace(field, secret);
    return true;
}

bool options_set_secret_file(const struct options_run *r, struct option_value v, void *field)
{
    struct str path = STR("");

    return text_of(r, v, "the path of a file", &path) &&
           set_from_file(r, v.node, v.name, path, field);
}

/* {file: path} or {env: NAME} */
static bool set_from_mapping(const struct options_run *r, struct option_value v, void *field)
{
    const struct yaml_node *file = yaml_get(v.node, STR("file"));
    const struct yaml_node *env = yaml_get(v.node, STR("env"));
    struct option_value inner = {file != NULL ? file : env, v.name, v.loose};
    struct str name = STR("");

    if (v.node->count != 1 || inner.node == NULL) {
        return yaml_err(v.node, r->e, ERR_CONFIG,
                        "%s: expected a text, {file: path} or {env: NAME}", v.name);
    }
    if (file != NULL) {
        return options_set_secret_file(r, inner, field);
    }
    if (!text_of(r, inner, "the name of a variable", &name)) {
        return false;
    }
    const char *value = options_lookup(r, arena_text(r->arena, name));
    if (value == NULL) {
        return yaml_err(env, r->e, ERR_CONFIG, "%s: environment variable %.*s is not set", v.name,
                        STR_FMT(name));
    }
    replace(field, secret_from_text(str_of(value)));
    return true;
}

bool options_set_secret(const struct options_run *r, const struct option *o, struct option_value v,
                        void *field)
{
    struct str text = STR("");
    bool expanded;

    (void)o;
    if (v.node->kind == YAML_MAPPING) {
        return set_from_mapping(r, v, field);
    }
    if (v.node->kind != YAML_SCALAR) {
        return yaml_err(v.node, r->e, ERR_CONFIG,
                        "%s: expected a text, {file: path} or {env: NAME}, found a list", v.name);
    }
    if (v.loose) {
        text = v.node->text;
    } else if (!options_expand(r, v.node, &text, &expanded)) {
        return false;
    }
    replace(field, secret_from_text(text));
    return true;
}

static bool is_plain_name(struct str name)
{
    return name.len > 0 && name.len < 200 && name.ptr[0] != '.' &&
           str_find_byte(name, '/') == name.len && str_find_byte(name, '\0') == name.len;
}

/* The variable called <name>, as it is or in capitals. */
static const char *lookup_either(const struct options_run *r, struct str name)
{
    AUTO(buf_release) struct buf shouted = BUF_INIT(BUF_SMALL);
    const char *value = options_lookup(r, arena_text(r->arena, name));

    options_add_shouted(&shouted, name);
    return value != NULL ? value : options_lookup(r, buf_text(&shouted));
}

bool options_set_secret_ref(const struct options_run *r, struct option_value v, void *field)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf shouted = BUF_INIT(BUF_SMALL);
    struct str name = STR("");

    if (!text_of(r, v, "the name of a secret", &name)) {
        return false;
    }
    if (!is_plain_name(name)) {
        return yaml_err(v.node, r->e, ERR_CONFIG,
                        "%s: expected the name of a secret, without a folder", v.name);
    }
    if (r->source->secrets_path.len > 0) {
        buf_addf(&path, "%.*s/%.*s", STR_FMT(r->source->secrets_path), STR_FMT(name));
        if (access(buf_text(&path), F_OK) == 0) {
            return set_from_file(r, v.node, v.name, buf_str(&path), field);
        }
    }
    const char *value = lookup_either(r, name);
    if (value != NULL) {
        replace(field, secret_from_text(str_of(value)));
        return true;
    }
    bool has_path = path.len > 0;
    options_add_shouted(&shouted, name);
    return yaml_err(v.node, r->e, ERR_CONFIG,
                    "%s: there is no secret '%.*s': expected %s%s or the environment variable %s",
                    v.name, STR_FMT(name), has_path ? "the file " : "",
                    has_path
                        ? buf_text(&path)
                        : "a file of that name in the folder `secrets.path`, which is not set,",
                    buf_text(&shouted));
}
