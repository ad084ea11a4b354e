/* Reading relabel rules: keys, their defaults, and what each action needs and refuses. */
#include "base/number.h"
#include "model/relabel.h"
#include "model/relabel_int.h"

#define DEFAULT_SEPARATOR ";"
#define DEFAULT_REGEX "(.*)"
#define DEFAULT_REPLACEMENT "$1"

/* A rule being read. */
struct reading {
    struct arena *arena;
    struct relabel_rule *rule;
    const struct yaml_node *node;  /* of the rule */
    const struct yaml_node *regex; /* compiled when the action is known; NULL: the default */
};

static bool has_dollar(struct str s)
{
    return str_find_byte(s, '$') < s.len;
}

/* ---- keys ---- */

/* Texts are kept: the file may be gone when rules run. */
static bool read_text(struct reading *r, const struct yaml_node *node, struct str *ret,
                      struct err *e)
{
    struct str text;

    if (!yaml_text(node, &text, e)) {
        return false;
    }
    *ret = arena_dup(r->arena, text);
    return true;
}

static bool read_name(struct reading *r, const struct yaml_node *node, struct str *ret,
                      struct err *e)
{
    if (!read_text(r, node, ret, e)) {
        return false;
    }
    return (ret->len > 0 && str_is_utf8(*ret)) ||
           yaml_err(node, e, ERR_CONFIG, "'%.*s' is no label name",
                    STR_FMT(str_slice(*ret, 0, 60)));
}

static bool read_sources(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct str *names = arena_array(r->arena, struct str, node->count + 1);
    size_t count = 0;

    r->rule->sources = names;
    if (node->kind == YAML_SCALAR) {
        r->rule->source_count = 1;
        return read_name(r, node, names, e);
    }
    if (node->kind != YAML_SEQUENCE) {
        return yaml_err(node, e, ERR_CONFIG, "expected a list of label names");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_name(r, n, &names[count++], e)) {
            return false;
        }
    }
    r->rule->source_count = count;
    r->rule->fields |= count > 0 ? RELABEL_SOURCE : 0;
    return true;
}

static bool read_separator(struct reading *r, const struct yaml_node *node, struct err *e)
{
    return read_text(r, node, &r->rule->separator, e);
}

static bool read_target(struct reading *r, const struct yaml_node *node, struct err *e)
{
    return read_text(r, node, &r->rule->target, e);
}

static bool read_replacement(struct reading *r, const struct yaml_node *node, struct err *e)
{
    return read_text(r, node, &r->rule->replacement, e);
}

static bool read_regex(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct str pattern;

    r->regex = node;
    return yaml_text(node, &pattern, e);
}

static bool compile_regex(struct reading *r, struct err *e)
{
    bool searches = (r->rule->action->flags & RELABEL_SEARCHES) != 0;
    enum regex_mode mode = searches ? REGEX_SEARCH : REGEX_FULL;
    struct str pattern = r->regex != NULL ? r->regex->text : STR(DEFAULT_REGEX);

    r->rule->takes_all = str_eq(pattern, STR(DEFAULT_REGEX));
    if (regex_compile(pattern, mode, &r->rule->regex, e)) {
        return true;
    }
    yaml_err_inside(r->regex != NULL ? r->regex : r->node, e);
    return err_wrap(e, "regex");
}

/* ---- what vmalert has besides ---- */

static bool read_selector(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct str text;

    if (!yaml_text(node, &text, e)) {
        return false;
    }
    if (!selector_compile(text, &r->rule->selectors[r->rule->selector_count], e)) {
        yaml_err_inside(node, e);
        return err_wrap(e, "if");
    }
    r->rule->selector_count++;
    return true;
}

/* One selector, or a list of which one must match. */
static bool read_if(struct reading *r, const struct yaml_node *node, struct err *e)
{
    size_t count = node->kind == YAML_SEQUENCE ? node->count : 1;

    r->rule->selectors = arena_array(r->arena, struct selector *, count + 1);
    if (node->kind != YAML_SEQUENCE) {
        return read_selector(r, node, e);
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_selector(r, n, e)) {
            return false;
        }
    }
    return true;
}

static bool read_match(struct reading *r, const struct yaml_node *node, struct err *e)
{
    return read_text(r, node, &r->rule->match, e);
}

/* $1 as ${1}, which no letter behind it can change. */
static struct str braced(struct arena *a, struct str text)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    bool in_number = false;

    for (size_t i = 0; i < text.len; i++) {
        char next = i + 1 < text.len ? text.ptr[i + 1] : '\0';
        bool is_next_digit = next >= '0' && next <= '9';
        buf_add_byte(&out, text.ptr[i]);
        if (text.ptr[i] == '$' && is_next_digit) {
            buf_add_byte(&out, '{');
            in_number = true;
        } else if (in_number && !is_next_digit) {
            buf_add_byte(&out, '}');
            in_number = false;
        }
    }
    return arena_dup(a, buf_str(&out));
}

static bool read_labels(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct label *labels = arena_array(r->arena, struct label, node->count + 1);

    if (node->kind != YAML_MAPPING || node->count == 0) {
        return yaml_err(node, e, ERR_CONFIG, "expected labels, such as '{ instance: $1 }'");
    }
    r->rule->labels = labels;
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        struct str value;
        if (!yaml_text(n, &value, e)) {
            return false;
        }
        labels[r->rule->label_count].name = arena_dup(r->arena, n->key);
        labels[r->rule->label_count++].value = braced(r->arena, value);
    }
    return true;
}

/* foo.*.bar: a star is a part of the name without dots. */
static bool compile_match(struct reading *r, struct err *e)
{
    AUTO(buf_release) struct buf pattern = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < r->rule->match.len; i++) {
        char c = r->rule->match.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
        if (c == '*') {
            buf_add_text(&pattern, "([^.]*)");
        } else {
            buf_add_text(&pattern, is_plain ? "" : "\\");
            buf_add_byte(&pattern, c);
        }
    }
    return regex_compile(buf_str(&pattern), REGEX_FULL, &r->rule->regex, e) ||
           yaml_err(r->node, e, ERR_CONFIG, "match: %s", e->message);
}

static bool read_modulus(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct str text;

    if (!yaml_text(node, &text, e)) {
        return false;
    }
    return number_parse_u64(text, &r->rule->modulus) ||
           yaml_err(node, e, ERR_CONFIG, "expected a whole number of buckets, such as 8");
}

static bool err_action(const struct yaml_node *node, struct str name, struct err *e)
{
    const char *names[32];
    size_t count = 0;

    while (relabel_actions[count].name != NULL) {
        names[count] = relabel_actions[count].name;
        count++;
    }
    const char *near = str_nearest(name, names, count);
    return yaml_err(node, e, ERR_CONFIG, "unknown relabel action '%.*s'%s%s%s",
                    STR_FMT(str_slice(name, 0, 60)), near != NULL ? "; did you mean '" : "",
                    near != NULL ? near : "", near != NULL ? "'?" : "");
}

static bool read_action(struct reading *r, const struct yaml_node *node, struct err *e)
{
    struct str name;

    if (!yaml_text(node, &name, e)) {
        return false;
    }
    for (const struct relabel_action *a = relabel_actions; a->name != NULL; a++) {
        if (str_eq_nocase(name, str_of(a->name))) {
            r->rule->action = a;
            return true;
        }
    }
    return err_action(node, name, e);
}

static const struct {
    const char *key;
    bool (*read)(struct reading *, const struct yaml_node *, struct err *);
} keys[] = {
    {"source_labels", read_sources}, {"separator", read_separator},
    {"regex", read_regex},           {"modulus", read_modulus},
    {"target_label", read_target},   {"replacement", read_replacement},
    {"action", read_action},         {"if", read_if},
    {"match", read_match},           {"labels", read_labels},
};

static bool err_key(const struct yaml_node *node, struct err *e)
{
    const char *names[ARRAY_LEN(keys)];

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        names[i] = keys[i].key;
    }
    const char *near = str_nearest(node->key, names, ARRAY_LEN(keys));
    return yaml_key_err(node, e, ERR_CONFIG, "unknown key '%.*s' in a relabel rule%s%s%s",
                        STR_FMT(str_slice(node->key, 0, 60)),
                        near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                        near != NULL ? "'?" : "");
}

static bool read_key(struct reading *r, const struct yaml_node *node, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(node->key, str_of(keys[i].key))) {
            return yaml_is_null(node) || keys[i].read(r, node, e);
        }
    }
    return err_key(node, e);
}

/* ---- the whole rule ---- */

static const struct {
    enum relabel_field field;
    const char *key;
} field_keys[] = {
    {RELABEL_SOURCE, "source_labels"}, {RELABEL_SEPARATOR, "separator"},
    {RELABEL_REGEX, "regex"},          {RELABEL_MODULUS, "modulus"},
    {RELABEL_TARGET, "target_label"},  {RELABEL_REPLACEMENT, "replacement"},
    {RELABEL_MATCH, "match"},          {RELABEL_LABELS, "labels"},
};

static unsigned fields_of(const struct relabel_rule *rule)
{
    unsigned fields = rule->source_count > 0 ? RELABEL_SOURCE : 0;

    fields |= str_eq(rule->separator, STR(DEFAULT_SEPARATOR)) ? 0 : RELABEL_SEPARATOR;
    fields |= rule->takes_all ? 0 : RELABEL_REGEX;
    fields |= rule->modulus > 0 ? RELABEL_MODULUS : 0;
    fields |= rule->target.len > 0 ? RELABEL_TARGET : 0;
    fields |= str_eq(rule->replacement, STR(DEFAULT_REPLACEMENT)) ? 0 : RELABEL_REPLACEMENT;
    fields |= rule->match.len > 0 ? RELABEL_MATCH : 0;
    fields |= rule->label_count > 0 ? RELABEL_LABELS : 0;
    return fields;
}

static bool check_fields(const struct reading *r, struct err *e)
{
    const struct relabel_action *action = r->rule->action;

    for (size_t i = 0; i < ARRAY_LEN(field_keys); i++) {
        const struct yaml_node *node = yaml_get(r->node, str_of(field_keys[i].key));
        if ((action->needs & ~r->rule->fields & field_keys[i].field) != 0) {
            return yaml_err(node != NULL ? node : r->node, e, ERR_CONFIG,
                            "the relabel action %s needs '%s'%s", action->name, field_keys[i].key,
                            field_keys[i].field == RELABEL_MODULUS ? ", and not 0" : "");
        }
        if ((action->refuses & r->rule->fields & field_keys[i].field) != 0) {
            return yaml_err(node != NULL ? node : r->node, e, ERR_CONFIG,
                            "the relabel action %s takes only %s; remove '%s'", action->name,
                            action->only, field_keys[i].key);
        }
    }
    return true;
}

/* What only graphite understands. */
static bool check_graphite(const struct reading *r, struct err *e)
{
    const struct relabel_rule *rule = r->rule;
    bool is_graphite = (rule->action->needs & RELABEL_MATCH) != 0;
    const char *key = rule->match.len > 0 ? "match" : "labels";

    return is_graphite || (rule->fields & (RELABEL_MATCH | RELABEL_LABELS)) == 0 ||
           yaml_err(yaml_get(r->node, str_of(key)), e, ERR_CONFIG,
                    "'%s' is for the relabel action graphite; this one is %s", key,
                    rule->action->name);
}

static bool check_name(const struct reading *r, const char *key, struct str name, struct err *e)
{
    const struct yaml_node *node = yaml_get(r->node, str_of(key));

    return (name.len > 0 && str_is_utf8(name)) ||
           yaml_err(node != NULL ? node : r->node, e, ERR_CONFIG,
                    "'%.*s' is no %s for the relabel action %s", STR_FMT(str_slice(name, 0, 60)),
                    key, r->rule->action->name);
}

/* A target with groups in it has a meaning where a regex gives them. */
static bool check_names(const struct reading *r, struct err *e)
{
    struct relabel_rule *rule = r->rule;
    bool is_replace = rule->action == &relabel_actions[0];
    bool names_target = (rule->action->needs & RELABEL_TARGET) != 0;
    bool names_labels = str_eq(str_of(rule->action->name), STR("labelmap"));

    rule->target_is_template = is_replace && has_dollar(rule->target);
    return (!names_target || check_name(r, "target_label", rule->target, e)) &&
           (!names_labels || check_name(r, "replacement", rule->replacement, e));
}

static bool finish(struct reading *r, struct err *e)
{
    struct relabel_rule *rule = r->rule;

    bool is_graphite = (rule->action->needs & RELABEL_MATCH) != 0;

    if (!(is_graphite ? compile_match(r, e) : compile_regex(r, e))) {
        return false;
    }
    rule->takes_all = is_graphite ? r->regex == NULL : rule->takes_all;
    rule->fields = fields_of(rule);
    rule->gives_all = rule->takes_all && str_eq(rule->replacement, STR(DEFAULT_REPLACEMENT));
    return check_fields(r, e) && check_graphite(r, e) && check_names(r, e);
}

static bool read_rule(struct arena *a, const struct yaml_node *node, struct relabel_rule *rule,
                      struct err *e)
{
    struct reading r = {.arena = a, .rule = rule, .node = node};

    *rule = (struct relabel_rule){.action = &relabel_actions[0],
                                  .separator = STR(DEFAULT_SEPARATOR),
                                  .replacement = STR(DEFAULT_REPLACEMENT)};
    if (node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected a relabel rule, such as '{ source_labels: [job], regex: a, "
                        "action: keep }'");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_key(&r, n, e)) {
            return false;
        }
    }
    return finish(&r, e);
}

bool relabel_compile(const struct yaml_node *rules, struct relabel **ret_relabel, struct err *e)
{
    if (rules->kind != YAML_SEQUENCE) {
        return yaml_err(rules, e, ERR_CONFIG, "expected a list of relabel rules");
    }
    if (rules->count > RELABEL_RULES_MAX) {
        return yaml_err(rules, e, ERR_LIMIT, "%zu relabel rules; there can be %d", rules->count,
                        RELABEL_RULES_MAX);
    }
    AUTO(relabel_autofree) struct relabel *r = mem_new(struct relabel);
    arena_init(&r->arena, ARENA_UNLIMITED);
    r->rules = arena_array(&r->arena, struct relabel_rule, rules->count + 1);
    for (const struct yaml_node *n = rules->first; n != NULL; n = n->next) {
        if (!read_rule(&r->arena, n, &r->rules[r->count++], e)) {
            return err_wrap(e, "relabel rule %zu", r->count);
        }
    }
    *ret_relabel = TAKE(r);
    return true;
}

void relabel_free(struct relabel *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->count; i++) {
        regex_free(r->rules[i].regex);
        for (size_t s = 0; s < r->rules[i].selector_count; s++) {
            selector_free(r->rules[i].selectors[s]);
        }
    }
    arena_release(&r->arena);
    mem_free(r);
}
