/* Reading of nodes, and errors at their places. */
#include "base/yaml.h"

#include "base/number.h"
#include "base/timetext.h"
#include "base/yaml_int.h"

#include <stdarg.h>

enum { SHOWN_MAX = 40 };

const struct yaml_node *yaml_get(const struct yaml_node *node, struct str key)
{
    if (node == NULL || node->kind != YAML_MAPPING) {
        return NULL;
    }
    const struct yaml_node *child = node->first;
    while (child != NULL && !str_eq(child->key, key)) {
        child = child->next;
    }
    return child;
}

static bool is_one_of(struct str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(text, str_of(words[i]))) {
            return true;
        }
    }
    return false;
}

static bool is_plain(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && node->style == YAML_PLAIN;
}

bool yaml_is_null(const struct yaml_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    return is_plain(node) && is_one_of(node->text, words, ARRAY_LEN(words));
}

/* Errors */

static bool vset_at(const struct yaml_source *source, size_t offset, size_t len, struct err *e,
                    enum err_code code, const char *fmt, va_list args) PRINTF_LIKE(6, 0);

static bool vset_at(const struct yaml_source *source, size_t offset, size_t len, struct err *e,
                    enum err_code code, const char *fmt, va_list args)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);

    buf_vaddf(&message, fmt, args);
    (void)err_set(e, code, "%s", buf_text(&message));
    yaml_point(source, offset, len, e);
    return err_in_file(e, source->file);
}

bool yaml_err_offset(const struct yaml_source *source, size_t offset, size_t len, struct err *e,
                     enum err_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vset_at(source, offset, len, e, code, fmt, args);
    va_end(args);
    return false;
}

/* As yaml_err_offset(), with the offset in the source as it is, so behind a byte order mark. */
static bool vset_behind_mark(const struct yaml_source *source, size_t offset, size_t len,
                             struct err *e, enum err_code code, const char *fmt, va_list args)
    PRINTF_LIKE(6, 0);

static bool vset_behind_mark(const struct yaml_source *source, size_t offset, size_t len,
                             struct err *e, enum err_code code, const char *fmt, va_list args)
{
    size_t shift = source->text.len - yaml_source_text(source).len;

    return vset_at(source, offset - shift, len, e, code, fmt, args);
}

bool yaml_err(const struct yaml_node *node, struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vset_behind_mark(node->source, node->offset, node->length, e, code, fmt, args);
    va_end(args);
    return false;
}

bool yaml_key_err(const struct yaml_node *node, struct err *e, enum err_code code, const char *fmt,
                  ...)
{
    va_list args;
    bool has_key = node->key_pos.line != 0;

    va_start(args, fmt);
    (void)vset_behind_mark(node->source, has_key ? node->key_offset : node->offset,
                           has_key ? node->key.len : node->length, e, code, fmt, args);
    va_end(args);
    return false;
}

/* Typed reads */

static bool err_expected(const struct yaml_node *node, struct err *e, const char *expected)
{
    static const char *const kinds[] = {
        [YAML_SEQUENCE] = "a list", [YAML_MAPPING] = "a mapping", [YAML_SCALAR] = "nothing"};

    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        return yaml_err(node, e, ERR_CONFIG, "expected %s, found %s", expected, kinds[node->kind]);
    }
    return yaml_err(node, e, ERR_CONFIG, "expected %s, found %s'%.*s'", expected,
                    node->style == YAML_PLAIN ? "" : "the text ",
                    STR_FMT(str_slice(node->text, 0, SHOWN_MAX)));
}

bool yaml_text(const struct yaml_node *node, struct str *ret_text, struct err *e)
{
    if (node->kind != YAML_SCALAR) {
        return err_expected(node, e, "a text");
    }
    *ret_text = yaml_is_null(node) ? STR("") : node->text;
    return true;
}

bool yaml_bool(const struct yaml_node *node, bool *ret_value, struct err *e)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes",
                                      "YES",  "on",   "On",   "ON"};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No",
                                     "NO",    "off",   "Off",   "OFF"};
    bool is_true = is_plain(node) && is_one_of(node->text, yes, ARRAY_LEN(yes));

    if (!is_true && !(is_plain(node) && is_one_of(node->text, no, ARRAY_LEN(no)))) {
        return err_expected(node, e, "true or false");
    }
    *ret_value = is_true;
    return true;
}

bool yaml_i64(const struct yaml_node *node, int64_t *ret_value, struct err *e)
{
    if (!is_plain(node) || !number_parse_i64(node->text, ret_value)) {
        return err_expected(node, e, "a whole number");
    }
    return true;
}

struct special {
    const char *text;
    const char *number;
};

bool yaml_double(const struct yaml_node *node, double *ret_value, struct err *e)
{
    static const struct special specials[] = {
        {".inf", "inf"}, {"+.inf", "inf"}, {"-.inf", "-inf"}, {".nan", "nan"}};
    struct str text = node->text;

    for (size_t i = 0; is_plain(node) && i < ARRAY_LEN(specials); i++) {
        if (str_eq_nocase(text, str_of(specials[i].text))) {
            text = str_of(specials[i].number);
        }
    }
    if (!is_plain(node) || !number_parse(text, ret_value)) {
        return err_expected(node, e, "a number");
    }
    return true;
}

bool yaml_duration(const struct yaml_node *node, int64_t *ret_ns, struct err *e)
{
    struct err cause = ERR_INIT;
    int64_t ns;

    if (node->kind != YAML_SCALAR || yaml_is_null(node)) {
        return err_expected(node, e, "a duration like 30s, 5m or 1h30m");
    }
    if (!duration_parse(node->text, true, &ns, &cause)) {
        return yaml_err(node, e, ERR_CONFIG, "%s", cause.message);
    }
    if (ns < 0) {
        return err_expected(node, e, "a duration that is not negative");
    }
    *ret_ns = ns;
    return true;
}
