#include "rules/engine_filter.h"

#include "base/mem.h"
#include "base/regex.h"
#include "promql/promql.h"
#include "rules/rule.h"

struct filter_matcher {
    struct str name;
    struct str value;
    struct regex *regex; /* NULL: <value> as it is */
    bool negated;
};

/* Matchers that must all hold. */
struct filter_selector {
    VEC(struct filter_matcher) matchers;
};

static const char *const condition_names[CONDITION_COUNT] = {
    [CONDITION_INACTIVE] = "inactive", [CONDITION_PENDING] = "pending",
    [CONDITION_FIRING] = "firing",     [CONDITION_OK] = "ok",
    [CONDITION_NOMATCH] = "nomatch",   [CONDITION_UNHEALTHY] = "unhealthy",
};

const char *rule_condition_name(enum rule_condition condition)
{
    return condition_names[condition];
}

/* ---- making one ---- */

static struct arena *arena_of(struct engine_filter *f)
{
    if (!f->has_arena) {
        arena_init(&f->arena, FILTER_BYTES_MAX);
        f->has_arena = true;
    }
    return &f->arena;
}

struct str engine_filter_text(struct engine_filter *f, struct str text)
{
    return arena_dup(arena_of(f), text);
}

static void selector_free(struct filter_selector *s)
{
    for (size_t i = 0; i < s->matchers.len; i++) {
        regex_free(s->matchers.items[i].regex);
    }
    vec_release(&s->matchers);
    mem_free(s);
}

void engine_filter_release(struct engine_filter *f)
{
    for (size_t i = 0; i < f->selectors.len; i++) {
        selector_free(f->selectors.items[i]);
    }
    vec_release(&f->selectors);
    vec_release(&f->rules.items);
    vec_release(&f->groups.items);
    vec_release(&f->files.items);
    if (f->has_arena) {
        arena_release(&f->arena);
    }
    *f = (struct engine_filter){0};
}

bool engine_filter_name(struct engine_filter *f, struct filter_names *list, struct str name,
                        struct err *e)
{
    if (list->items.len >= FILTER_NAMES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d names", FILTER_NAMES_MAX);
    }
    struct str copy = engine_filter_text(f, name);
    vec_push(&list->items, copy);
    return true;
}

static bool add_matcher(struct engine_filter *f, struct filter_selector *s,
                        const struct promql_matcher *m, struct err *e)
{
    struct filter_matcher *added = vec_add(&s->matchers);

    added->name = engine_filter_text(f, m->label);
    added->value = engine_filter_text(f, m->value);
    added->negated = m->op == PROMQL_NE || m->op == PROMQL_NRE;
    return m->op == PROMQL_EQ || m->op == PROMQL_NE ||
           regex_compile(added->value, REGEX_FULL, &added->regex, e);
}

/* One selector for each of the alternatives that MetricsQL has. */
static bool add_alternative(struct engine_filter *f, const struct promql_filter *alternative,
                            struct err *e)
{
    if (f->selectors.len >= FILTER_SELECTORS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d selectors", FILTER_SELECTORS_MAX);
    }
    struct filter_selector *s = mem_new(struct filter_selector);
    vec_push(&f->selectors, s);
    for (uint32_t i = 0; i < alternative->count; i++) {
        if (!add_matcher(f, s, &alternative->matchers[i], e)) {
            return false;
        }
    }
    return true;
}

bool engine_filter_match(struct engine_filter *f, struct str selector, struct err *e)
{
    AUTO(arena_release) struct arena arena = {0};
    const struct promql_node *root = NULL;

    arena_init(&arena, FILTER_BYTES_MAX);
    if (!promql_parse(&arena, selector, PROMQL_METRICSQL, &root, e)) {
        return err_wrap(e, "match[]");
    }
    if (root->kind != PROMQL_VECTOR) {
        return err_set(e, ERR_PARSE, "match[]: a selector is wanted, such as {severity=\"page\"}");
    }
    for (uint32_t i = 0; i < root->vector.filter_count; i++) {
        if (!add_alternative(f, &root->vector.filters[i], e)) {
            return false;
        }
    }
    return true;
}

/* ---- conditions ---- */

static const struct {
    const char *name;
    unsigned conditions;
} other_names[] = {
    {"alerting", 1U << CONDITION_FIRING},
    {"normal", 1U << CONDITION_INACTIVE | 1U << CONDITION_OK},
    {"nodata", 1U << CONDITION_NOMATCH},
    {"error", 1U << CONDITION_UNHEALTHY},
};

static unsigned conditions_called(struct str name)
{
    for (size_t i = 0; i < CONDITION_COUNT; i++) {
        if (str_eq(name, str_of(condition_names[i]))) {
            return 1U << i;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(other_names); i++) {
        if (str_eq_nocase(name, str_of(other_names[i].name))) {
            return other_names[i].conditions;
        }
    }
    return 0;
}

bool engine_filter_conditions(struct engine_filter *f, struct str names, struct err *e)
{
    struct str name;

    while (str_split(&names, ',', &name)) {
        unsigned found = conditions_called(name);
        if (found == 0 && name.len > 0) {
            return err_set(e, ERR_PARSE,
                           "state is ok, nomatch, inactive, pending, firing or unhealthy, not "
                           "'%.*s'",
                           STR_FMT(str_slice(name, 0, 64)));
        }
        f->conditions |= found;
    }
    return true;
}

bool engine_filter_condition(const struct engine_filter *f, enum rule_condition condition)
{
    return f->conditions == 0 || (f->conditions & 1U << condition) != 0;
}

/* ---- looking ---- */

bool engine_filter_is_narrow(const struct engine_filter *f)
{
    return f->type.len > 0 || f->language.len > 0 || f->search.len > 0 || f->conditions != 0 ||
           f->rules.items.len > 0 || f->groups.items.len > 0 || f->files.items.len > 0 ||
           f->selectors.len > 0;
}

static bool is_among(const struct filter_names *list, struct str name)
{
    for (size_t i = 0; i < list->items.len; i++) {
        if (str_eq(list->items.items[i], name)) {
            return true;
        }
    }
    return list->items.len == 0;
}

static bool holds(struct str text, struct str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        if (str_eq_nocase(str_make(text.ptr + at, part.len), part)) {
            return true;
        }
    }
    return false;
}

bool engine_filter_rule(const struct engine_filter *f, const struct rule *rule)
{
    const struct rule_group *group = rule->group;
    struct str type = rule->kind == RULE_ALERT ? STR("alert") : STR("record");

    return (f->type.len == 0 || str_eq(f->type, type)) &&
           (f->language.len == 0 ||
            str_eq(f->language, str_of(rule_language_name(rule->language)))) &&
           is_among(&f->rules, rule->name) && is_among(&f->groups, group->name) &&
           is_among(&f->files, group->file) &&
           (f->search.len == 0 || holds(rule->name, f->search) || holds(group->name, f->search));
}

/* A match that is too hard is none. */
static bool matcher_holds(const struct filter_matcher *m, struct str value)
{
    struct err ignored = ERR_INIT;
    bool matched = false;

    if (m->regex == NULL) {
        return str_eq(m->value, value) != m->negated;
    }
    return regex_match(m->regex, value, &matched, &ignored) && matched != m->negated;
}

static struct str rule_label(const struct rule *rule, struct str name)
{
    for (size_t i = 0; i < rule->label_count; i++) {
        if (str_eq(rule->labels[i].name, name)) {
            return rule->labels[i].source;
        }
    }
    return STR("");
}

static struct str own_label(const void *of, struct str name)
{
    return labels_get(of, name);
}

static struct str given_label(const void *of, struct str name)
{
    return rule_label(of, name);
}

static bool any_selector(const struct engine_filter *f,
                         struct str (*get)(const void *of, struct str name), const void *of)
{
    for (size_t i = 0; i < f->selectors.len; i++) {
        const struct filter_selector *s = f->selectors.items[i];
        size_t held = 0;
        while (held < s->matchers.len &&
               matcher_holds(&s->matchers.items[held], get(of, s->matchers.items[held].name))) {
            held++;
        }
        if (held == s->matchers.len) {
            return true;
        }
    }
    return f->selectors.len == 0;
}

bool engine_filter_rule_labels(const struct engine_filter *f, const struct rule *rule)
{
    return any_selector(f, given_label, rule);
}

bool engine_filter_labels(const struct engine_filter *f, const struct labels *labels)
{
    return any_selector(f, own_label, labels);
}
