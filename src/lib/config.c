#include "lib/config.h"

#include "base/buf.h"
#include "base/fs.h"
#include "lib/custom.h"
#include "lib/problem.h"

#include <stdlib.h>
#include <unistd.h>

static const char variables_before[] = "TELEX_EXPORTER_";
static const char usual_kind[] = "webhook";

/* ---- texts that may be secret ---- */

static char *copy_of(const char *text)
{
    return text != NULL ? mem_dup_text(text, strlen(text)) : NULL;
}

static void forget(char *text)
{
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        mem_free(text);
    }
}

static void forget_text(struct telex_config *c)
{
    if (c->text != NULL) {
        explicit_bzero(c->text, c->text_len);
    }
    mem_free(TAKE(c->text));
    mem_free(TAKE(c->file));
}

/* ---- life ---- */

struct telex_config *telex_config_new(void)
{
    return lib_has_memory(LIB_CALL_BYTES, NULL) ? mem_new(struct telex_config) : NULL;
}

void telex_config_free(struct telex_config *config)
{
    if (config == NULL) {
        return;
    }
    forget_text(config);
    for (size_t i = 0; i < config->settings.len; i++) {
        mem_free(config->settings.items[i].path);
        forget(config->settings.items[i].value);
    }
    for (size_t i = 0; i < config->variables.len; i++) {
        mem_free(config->variables.items[i].name);
        forget(config->variables.items[i].value);
    }
    for (size_t i = 0; i < config->kinds.len; i++) {
        custom_kind_unref(config->kinds.items[i]);
    }
    vec_release(&config->settings);
    vec_release(&config->variables);
    vec_release(&config->kinds);
    mem_free(config);
}

struct telex_config *telex_config_copy(const struct telex_config *config)
{
    struct telex_config *copy = telex_config_new();

    if (config == NULL || copy == NULL ||
        !lib_has_memory(config->text_len + LIB_CALL_BYTES, NULL)) {
        telex_config_free(copy);
        return NULL;
    }
    copy->file = copy_of(config->file);
    copy->text = config->text != NULL ? mem_dup_text(config->text, config->text_len) : NULL;
    copy->text_len = config->text_len;
    copy->debug = config->debug;
    copy->has_debug = config->has_debug;
    for (size_t i = 0; i < config->settings.len; i++) {
        const struct lib_setting *s = &config->settings.items[i];
        vec_push(&copy->settings,
                 ((struct lib_setting){copy_of(s->path), copy_of(s->value), s->is_yaml}));
    }
    for (size_t i = 0; i < config->variables.len; i++) {
        const struct lib_variable *v = &config->variables.items[i];
        vec_push(&copy->variables, ((struct lib_variable){copy_of(v->name), copy_of(v->value)}));
    }
    for (size_t i = 0; i < config->kinds.len; i++) {
        vec_push(&copy->kinds, custom_kind_ref(config->kinds.items[i]));
    }
    return copy;
}

/* ---- texts ---- */

int telex_config_yaml(struct telex_config *config, const char *text, size_t len,
                      struct telex_error *error)
{
    if (config == NULL || (text == NULL && len > 0)) {
        return lib_err_text(error, TELEX_INVALID, "a config and a text are needed");
    }
    if (len > LIB_CONFIG_MAX) {
        return lib_err_text(error, TELEX_TOO_LARGE, "a config has at most %d bytes",
                            LIB_CONFIG_MAX);
    }
    if (!lib_has_memory(len + LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    forget_text(config);
    config->text = mem_dup_text(text, len);
    config->text_len = len;
    return TELEX_OK;
}

int telex_config_file(struct telex_config *config, const char *path, struct telex_error *error)
{
    AUTO(buf_release) struct buf text = BUF_INIT(LIB_CONFIG_MAX);
    struct err e = ERR_INIT;

    if (config == NULL || path == NULL) {
        return lib_err_text(error, TELEX_INVALID, "a config and a path are needed");
    }
    if (!lib_has_memory(LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    if (!fs_read_file(fs_system(), str_of(path), LIB_CONFIG_MAX, &text, &e)) {
        return lib_err(error, &e);
    }
    int code = telex_config_yaml(config, buf_str(&text).ptr, text.len, error);
    if (code == TELEX_OK) {
        config->file = copy_of(path);
    }
    return code;
}

/* ---- single options ---- */

static struct lib_setting *find_setting(struct telex_config *c, const char *path)
{
    for (size_t i = 0; i < c->settings.len; i++) {
        if (strcmp(c->settings.items[i].path, path) == 0) {
            return &c->settings.items[i];
        }
    }
    return NULL;
}

/* The order of the others stays: a later one may be within an earlier one. */
static void take_back(struct telex_config *c, const char *path)
{
    struct lib_setting *s = find_setting(c, path);

    if (s == NULL) {
        return;
    }
    mem_free(s->path);
    forget(s->value);
    size_t at = (size_t)(s - c->settings.items);
    c->settings.len--;
    memmove(s, s + 1, (c->settings.len - at) * sizeof(*s));
}

static int set_option(struct telex_config *config, const char *path, const char *value,
                      bool is_yaml, struct telex_error *error)
{
    if (config == NULL || path == NULL || path[0] == '\0') {
        return lib_err_text(error, TELEX_INVALID, "a path is needed, such as exporters.NAME.url");
    }
    if (config->settings.len >= LIB_SETTINGS_MAX ||
        (value != NULL && strlen(value) > LIB_CONFIG_MAX)) {
        return lib_err_text(error, TELEX_TOO_LARGE, "too many options, or one that is too long");
    }
    if (!lib_has_memory(LIB_CALL_BYTES + (value != NULL ? strlen(value) : 0), error)) {
        return TELEX_NO_MEMORY;
    }
    take_back(config, path);
    if (value != NULL) {
        vec_push(&config->settings, ((struct lib_setting){copy_of(path), copy_of(value), is_yaml}));
    }
    return TELEX_OK;
}

int telex_config_set(struct telex_config *config, const char *path, const char *value,
                     struct telex_error *error)
{
    return set_option(config, path, value, false, error);
}

int telex_config_set_yaml(struct telex_config *config, const char *path, const char *yaml,
                          struct telex_error *error)
{
    return set_option(config, path, yaml, true, error);
}

/* ---- the environment ---- */

static const char *find_variable(const struct telex_config *c, const char *name)
{
    for (size_t i = 0; i < c->variables.len; i++) {
        if (strcmp(c->variables.items[i].name, name) == 0) {
            return c->variables.items[i].value;
        }
    }
    return NULL;
}

const char *lib_config_lookup(void *arg, const char *name)
{
    const char *own = arg != NULL ? find_variable(arg, name) : NULL;

    return own != NULL ? own : getenv(name);
}

/* "api-key" -> "API_KEY", as variables are called. */
static void add_shouted(struct buf *out, const char *name)
{
    for (; *name != '\0'; name++) {
        bool is_small = *name >= 'a' && *name <= 'z';
        bool is_kept = (*name >= 'A' && *name <= 'Z') || (*name >= '0' && *name <= '9');
        buf_add_byte(out, is_small ? (char)(*name & ~0x20) : is_kept ? *name : '_');
    }
}

/* Names all that are missing in one message. */
static int check_required(const char *prefix, const char *const *required,
                          struct telex_error *error)
{
    AUTO(buf_release) struct buf missing = BUF_INIT(sizeof(error->message));

    for (; required != NULL && *required != NULL; required++) {
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        buf_addf(&name, "%s_", prefix);
        add_shouted(&name, *required);
        const char *value = getenv(buf_text(&name));
        if (value == NULL || value[0] == '\0') {
            buf_addf(&missing, "%s%s", missing.len > 0 ? ", " : "", buf_text(&name));
        }
    }
    return missing.len == 0 ? TELEX_OK
                            : lib_err_text(error, TELEX_BAD_CONFIG,
                                           "not set in the environment, and required: %.*s",
                                           STR_FMT(buf_str(&missing)));
}

static void set_variable(struct telex_config *c, const char *name, const char *value)
{
    for (size_t i = 0; i < c->variables.len; i++) {
        if (strcmp(c->variables.items[i].name, name) == 0) {
            forget(c->variables.items[i].value);
            c->variables.items[i].value = copy_of(value);
            return;
        }
    }
    vec_push(&c->variables, ((struct lib_variable){copy_of(name), copy_of(value)}));
}

/* PREFIX_X=value -> TELEX_EXPORTER_NAME_X=value, which is where an exporter's options are looked for. */
static void take_variables(struct telex_config *c, const char *name, const char *prefix)
{
    size_t len = strlen(prefix);

    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *rest = *entry + len + 1;
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, prefix, len) != 0 || (*entry)[len] != '_' || equals < rest) {
            continue;
        }
        AUTO(buf_release) struct buf as = BUF_INIT(BUF_UNLIMITED);
        buf_add_text(&as, variables_before);
        add_shouted(&as, name);
        buf_add_byte(&as, '_');
        buf_add(&as, rest, (size_t)(equals - rest));
        set_variable(c, buf_text(&as), equals + 1);
    }
}

static void add_path(struct buf *out, const char *name, const char *option)
{
    buf_add_text(out, "exporters.");
    for (; *name != '\0'; name++) {
        if (*name == '.' || *name == '\\') {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, *name);
    }
    buf_addf(out, ".%s", option);
}

int telex_config_from_env(struct telex_config *config, const char *name, const char *prefix,
                          const char *const *required, struct telex_error *error)
{
    AUTO(buf_release) struct buf type = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_UNLIMITED);

    if (config == NULL || name == NULL || name[0] == '\0' || prefix == NULL || prefix[0] == '\0') {
        return lib_err_text(error, TELEX_INVALID, "a name and a prefix are needed");
    }
    if (!lib_has_memory(LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    int code = check_required(prefix, required, error);
    if (code != TELEX_OK) {
        return code;
    }
    buf_addf(&type, "%s_TYPE", prefix);
    const char *kind = getenv(buf_text(&type));
    add_path(&path, name, "type");
    take_variables(config, name, prefix);
    return telex_config_set(config, buf_text(&path), kind != NULL ? kind : usual_kind, error);
}

/* ---- kinds ---- */

int telex_config_exporter(struct telex_config *config, const struct telex_exporter *exporter,
                          struct telex_error *error)
{
    struct custom_kind *kind = NULL;

    if (config == NULL) {
        return lib_err_text(error, TELEX_INVALID, "a config is needed");
    }
    if (config->kinds.len >= LIB_KINDS_MAX) {
        return lib_err_text(error, TELEX_TOO_LARGE, "at most %d kinds", LIB_KINDS_MAX);
    }
    if (!lib_has_memory(LIB_CALL_BYTES, error)) {
        return TELEX_NO_MEMORY;
    }
    int code = custom_kind_new(exporter, &kind, error);
    if (code != TELEX_OK) {
        return code;
    }
    for (size_t i = 0; i < config->kinds.len; i++) {
        if (strcmp(custom_kind_name(config->kinds.items[i]), custom_kind_name(kind)) == 0) {
            custom_kind_unref(kind);
            return lib_err_text(error, TELEX_INVALID, "there is a kind '%s' already",
                                exporter->kind);
        }
    }
    vec_push(&config->kinds, kind);
    return TELEX_OK;
}
