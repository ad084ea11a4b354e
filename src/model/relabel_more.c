/* Actions that vmalert has and Prometheus has not. */
#include "model/relabel.h"

#include "model/relabel_int.h"

#include <stdlib.h>

/* Every match within the value is replaced. */
bool relabel_run_replace_all(const struct relabel_rule *rule, struct relabel_work *w)
{
    struct str source = relabel_source(rule, w);
    struct err ignored = ERR_INIT;

    buf_clear(&w->made);
    if (regex_replace(rule->regex, source, rule->replacement, &w->made, &ignored) &&
        buf_ok(&w->made)) {
        relabel_put(w, rule->target, buf_str(&w->made));
    }
    return true;
}

/* Every match within names of labels is replaced; what was called so before goes. */
bool relabel_run_labelmap_all(const struct relabel_rule *rule, struct relabel_work *w)
{
    size_t count = 0;
    const struct label *pairs = relabel_pairs(w, &count);

    for (size_t i = 0; i < count; i++) {
        struct err ignored = ERR_INIT;
        buf_clear(&w->made);
        if (!regex_replace(rule->regex, pairs[i].name, rule->replacement, &w->made, &ignored) ||
            !buf_ok(&w->made) || w->made.len == 0 || str_eq(buf_str(&w->made), pairs[i].name)) {
            continue;
        }
        relabel_put(w, pairs[i].name, STR(""));
        relabel_put(w, arena_dup(&w->arena, buf_str(&w->made)), pairs[i].value);
    }
    return true;
}

/* ---- equal, contained ---- */

static bool all_equal(const struct relabel_rule *rule, struct relabel_work *w)
{
    struct str first = labels_builder_get(&w->builder, rule->sources[0]);
    bool equal = true;

    for (size_t i = 1; i < rule->source_count; i++) {
        equal = equal && str_eq(labels_builder_get(&w->builder, rule->sources[i]), first);
    }
    return equal;
}

bool relabel_run_keep_if_equal(const struct relabel_rule *rule, struct relabel_work *w)
{
    return all_equal(rule, w);
}

bool relabel_run_drop_if_equal(const struct relabel_rule *rule, struct relabel_work *w)
{
    return !all_equal(rule, w);
}

static bool contains_all(const struct relabel_rule *rule, struct relabel_work *w)
{
    struct str target = labels_builder_get(&w->builder, rule->target);
    bool all = true;

    for (size_t i = 0; i < rule->source_count; i++) {
        struct str part = labels_builder_get(&w->builder, rule->sources[i]);
        all = all && (part.len == 0 || str_find(target, part) < target.len);
    }
    return all;
}

bool relabel_run_keep_if_contains(const struct relabel_rule *rule, struct relabel_work *w)
{
    return contains_all(rule, w);
}

bool relabel_run_drop_if_contains(const struct relabel_rule *rule, struct relabel_work *w)
{
    return !contains_all(rule, w);
}

/* ---- graphite ---- */

/* Parts of a metric's name become labels. */
bool relabel_run_graphite(const struct relabel_rule *rule, struct relabel_work *w)
{
    struct str name = arena_dup(&w->arena, labels_builder_get(&w->builder, STR("__name__")));
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < rule->label_count; i++) {
        bool is_match = false;
        buf_clear(&w->made);
        if (!regex_expand(rule->regex, name, rule->labels[i].value, &w->made, &is_match,
                          &ignored) ||
            !is_match || !buf_ok(&w->made)) {
            return true;
        }
        relabel_put(w, rule->labels[i].name, buf_str(&w->made));
    }
    return true;
}
