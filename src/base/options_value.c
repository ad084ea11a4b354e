/* One function per type of one value: from a node to the field of the config struct. */
#include "base/attr.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/options_int.h"
#include "base/timetext.h"

enum { SHOWN_MAX = 60 };

/* The kind of node, for "found a list". */
static const char *kind_name(const struct yaml_node *node)
{
    static const char *const names[] = {
        [YAML_SCALAR] = "a text", [YAML_SEQUENCE] = "a list", [YAML_MAPPING] = "a mapping"};

    return names[node->kind];
}

bool options_err_expected(const struct options_run *r, struct option_value v, const char *expected)
{
    bool is_text = v.node->kind == YAML_SCALAR;
    bool is_quoted = is_text && v.node->style != YAML_PLAIN && !v.loose;
    struct str shown = str_slice(v.node->text, 0, SHOWN_MAX);

    if (!is_text) {
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: expected %s, found %s", v.name, expected,
                        kind_name(v.node));
    }
    return yaml_err(v.node, r->e, ERR_CONFIG, "%s: expected %s, found %s'%.*s'%s", v.name, expected,
                    is_quoted ? "the text " : "", STR_FMT(shown),
                    is_quoted ? " (it is in quotes)" : "");
}

/* The scalar's text, expanded; *v becomes loose when a variable was in it. */
static bool scalar_text(const struct options_run *r, struct option_value *v, const char *expected,
                        struct str *ret_text)
{
    bool expanded = false;

    if (v->node->kind != YAML_SCALAR) {
        return options_err_expected(r, *v, expected);
    }
    if (v->loose) { /* from the environment or a default: it is not expanded again */
        *ret_text = v->node->text;
        return true;
    }
    if (!options_expand(r, v->node, ret_text, &expanded)) {
        return false;
    }
    v->loose = expanded;
    return true;
}

/* A text that need not be a text: plain, or expanded. */
static bool typed_text(const struct options_run *r, struct option_value *v, const char *expected,
                       struct str *ret_text)
{
    if (!scalar_text(r, v, expected, ret_text)) {
        return false;
    }
    return v->node->style == YAML_PLAIN || v->loose || options_err_expected(r, *v, expected);
}

bool options_set_text(const struct options_run *r, const struct option *o, struct option_value v,
                      void *field)
{
    (void)o;
    return scalar_text(r, &v, "a text", field);
}

struct word {
    const char *text;
    bool value;
};

bool options_set_bool(const struct options_run *r, const struct option *o, struct option_value v,
                      void *field)
{
    static const struct word words[] = {{"true", true},   {"yes", true}, {"on", true},
                                        {"false", false}, {"no", false}, {"off", false}};
    struct str text = STR("");

    (void)o;
    if (!typed_text(r, &v, "true or false", &text)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(text, str_of(words[i].text))) {
            *(bool *)field = words[i].value;
            return true;
        }
    }
    return options_err_expected(r, v, "true or false");
}

/* Numbers with units */

struct unit_suffix {
    const char *suffix; /* of a key */
    const char *unit;
};

static const struct unit_suffix unit_suffixes[] = {
    {"_ms", "ms"},     {"_millis", "ms"}, {"_seconds", "s"}, {"_secs", "s"},
    {"_minutes", "m"}, {"_hours", "h"},   {"_days", "d"},    {"_bytes", ""},
    {"_kb", "kb"},     {"_mb", "mb"},     {"_gb", "gb"},
};

/* What a bare number under this key means. */
static const char *unit_of(const struct option *o, struct option_value v, const char *usual)
{
    for (size_t i = 0; i < ARRAY_LEN(unit_suffixes); i++) {
        if (str_ends(str_of(v.name), str_of(unit_suffixes[i].suffix))) {
            return unit_suffixes[i].unit;
        }
    }
    const char *unit = o->unit != NULL ? o->unit : usual;
    return strcmp(unit, "bytes") == 0 ? "" : unit;
}

static bool is_number(struct str text)
{
    double ignored;

    return number_parse(text, &ignored);
}

/* <text>, with the unit if it is a bare number. */
static struct str with_unit(const struct options_run *r, struct str text, const char *unit)
{
    return is_number(text) ? arena_printf(r->arena, "%.*s%s", STR_FMT(text), unit) : text;
}

void options_add_amount(const struct option *o, double amount, struct buf *out)
{
    static const struct unit_suffix sizes[] = {{"GB", "1GB"},   {"GiB", "1GiB"}, {"MB", "1MB"},
                                               {"MiB", "1MiB"}, {"KB", "1KB"},   {"KiB", "1KiB"}};
    int64_t bytes = 0;

    if (o->type == OPTION_DURATION) {
        buf_add_duration(out, (int64_t)(amount * 1e9));
        return;
    }
    for (size_t i = 0; o->type == OPTION_BYTES && amount >= 1 && i < ARRAY_LEN(sizes); i++) {
        if (number_parse_bytes(str_of(sizes[i].unit), &bytes) && (int64_t)amount % bytes == 0) {
            buf_add_i64(out, (int64_t)amount / bytes);
            buf_add_text(out, sizes[i].suffix);
            return;
        }
    }
    buf_add_double(out, amount);
}

/* <amount> is in the units of min and max. */
static bool check_range(const struct options_run *r, const struct option *o, struct option_value v,
                        double amount)
{
    AUTO(buf_release) struct buf bound = BUF_INIT(BUF_SMALL);
    bool bounded = o->max > o->min;

    if (amount < 0 && (o->flags & OPTION_SIGNED) == 0) {
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: must not be negative", v.name);
    }
    if (bounded && !(amount >= o->min)) {
        options_add_amount(o, o->min, &bound);
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: must be at least %s", v.name,
                        buf_text(&bound));
    }
    if (bounded && amount > o->max) {
        options_add_amount(o, o->max, &bound);
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: must be at most %s", v.name,
                        buf_text(&bound));
    }
    return true;
}

bool options_set_int(const struct options_run *r, const struct option *o, struct option_value v,
                     void *field)
{
    struct str text = STR("");
    int64_t value;

    if (!typed_text(r, &v, "a whole number", &text)) {
        return false;
    }
    if (!number_parse_i64(text, &value)) {
        return options_err_expected(r, v, "a whole number");
    }
    if (!check_range(r, o, v, (double)value)) {
        return false;
    }
    *(int64_t *)field = value;
    return true;
}

bool options_set_double(const struct options_run *r, const struct option *o, struct option_value v,
                        void *field)
{
    struct str text = STR("");
    double value;

    if (!typed_text(r, &v, "a number", &text)) {
        return false;
    }
    if (o->unit != NULL && strcmp(o->unit, "%") == 0 && str_ends(text, STR("%"))) {
        text.len--;
    }
    if (!number_parse(text, &value) || value != value) {
        return options_err_expected(r, v, "a number");
    }
    if (!check_range(r, o, v, value)) {
        return false;
    }
    *(double *)field = value;
    return true;
}

bool options_set_duration(const struct options_run *r, const struct option *o,
                          struct option_value v, void *field)
{
    struct err cause = ERR_INIT;
    struct str text = STR("");
    int64_t ns;

    if (!scalar_text(r, &v, "a duration like 30s, 5m or 1h30m", &text)) {
        return false;
    }
    if (!duration_parse(with_unit(r, text, unit_of(o, v, "s")), true, &ns, &cause)) {
        return yaml_err(v.node, r->e, ERR_CONFIG, "%s: %s", v.name, cause.message);
    }
    if (!check_range(r, o, v, (double)ns / (double)NS_PER_S)) {
        return false;
    }
    *(int64_t *)field = ns;
    return true;
}

bool options_set_bytes(const struct options_run *r, const struct option *o, struct option_value v,
                       void *field)
{
    struct str text = STR("");
    int64_t bytes;

    if (!scalar_text(r, &v, "a size like 64KB, 10MB or 1GiB", &text)) {
        return false;
    }
    if (!number_parse_bytes(with_unit(r, text, unit_of(o, v, "")), &bytes)) {
        return options_err_expected(r, v, "a size like 64KB, 10MB or 1GiB");
    }
    if (!check_range(r, o, v, (double)bytes)) {
        return false;
    }
    *(int64_t *)field = bytes;
    return true;
}

/* Texts of a certain form */

static bool err_choice(const struct options_run *r, const struct option *o, struct option_value v,
                       struct str text)
{
    AUTO(buf_release) struct buf list = BUF_INIT(BUF_SMALL);
    size_t count = 0;

    while (o->choices[count] != NULL) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        buf_addf(&list, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", o->choices[i]);
    }
    const char *near = str_nearest(text, o->choices, count);
    return yaml_err(v.node, r->e, ERR_CONFIG, "%s: expected %s, found '%.*s'%s%s%s", v.name,
                    buf_text(&list), STR_FMT(str_slice(text, 0, SHOWN_MAX)),
                    near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
}

bool options_set_enum(const struct options_run *r, const struct option *o, struct option_value v,
                      void *field)
{
    struct str text = STR("");

    if (!scalar_text(r, &v, "a text", &text)) {
        return false;
    }
    for (int i = 0; o->choices[i] != NULL; i++) {
        if (str_eq_nocase(text, str_of(o->choices[i]))) {
            *(int *)field = i;
            return true;
        }
    }
    return err_choice(r, o, v, text);
}

/* What is wrong with a URL; NULL when nothing is. */
static const char *url_problem(struct str url)
{
    size_t scheme = str_starts(url, STR("http://")) ? 7 : str_starts(url, STR("https://")) ? 8 : 0;
    size_t end = scheme;

    if (scheme == 0) {
        return "expected a URL that begins with http:// or https://";
    }
    for (size_t i = 0; i < url.len; i++) {
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f) {
            return "a URL cannot hold white space or control characters: write a space as %20";
        }
    }
    while (end < url.len && strchr("/?#", url.ptr[end]) == NULL) {
        end++;
    }
    struct str host = str_slice(url, scheme, end - scheme);
    if (str_find_byte(host, '@') != host.len) {
        return "a URL cannot hold a user or password, since URLs are logged: use the options for "
               "credentials";
    }
    return host.len == 0 || host.ptr[0] == ':' ? "expected a host after http:// or https://" : NULL;
}

/* A password, or a token in the path; what is no more than host:port has none. */
static bool may_hold_secret(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr("@/?#", text.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool options_set_url(const struct options_run *r, const struct option *o, struct option_value v,
                     void *field)
{
    struct str text = STR("");

    if (!scalar_text(r, &v, "a URL", &text)) {
        return false;
    }
    bool is_bare = (o->flags & OPTION_BARE_HOST) != 0 && str_find(text, STR("://")) == text.len;
    struct str whole = is_bare ? arena_printf(r->arena, "http://%.*s", STR_FMT(text)) : text;
    const char *problem = text.len > 0 ? url_problem(whole) : NULL;
    if (problem != NULL) {
        (void)yaml_err(v.node, r->e, ERR_CONFIG, "%s: %s", v.name, problem);
        if (may_hold_secret(text)) {
            r->e->source[0] = '\0';
        }
        return false;
    }
    *(struct str *)field = text;
    return true;
}
