/* Running relabel rules. Values that rules make live in the work's arena until the set is built. */
#include "model/relabel.h"

#include "base/md5.h"
#include "model/relabel_int.h"

void relabel_work_init(struct relabel_work *w)
{
    *w = (struct relabel_work){.changed = false};
    labels_builder_init(&w->builder);
    arena_init(&w->arena, ARENA_UNLIMITED);
    buf_init(&w->joined, RELABEL_TEXT_MAX);
    buf_init(&w->made, RELABEL_TEXT_MAX);
}

void relabel_work_release(struct relabel_work *w)
{
    labels_builder_release(&w->builder);
    arena_release(&w->arena);
    buf_release(&w->joined);
    buf_release(&w->made);
}

/* ---- what actions share ---- */

/* The values of the source labels with the separator between them; borrowed until the next rule. */
struct str relabel_source(const struct relabel_rule *rule, struct relabel_work *w)
{
    if (rule->source_count == 1) {
        return labels_builder_get(&w->builder, rule->sources[0]);
    }
    buf_clear(&w->joined);
    for (size_t i = 0; i < rule->source_count; i++) {
        if (i > 0) {
            buf_add_str(&w->joined, rule->separator);
        }
        buf_add_str(&w->joined, labels_builder_get(&w->builder, rule->sources[i]));
    }
    return buf_str(&w->joined);
}

/* Sets a label to a copy of <value>; the name is copied where it is not the rule's own. */
void relabel_put(struct relabel_work *w, struct str name, struct str value)
{
    if (str_eq(labels_builder_get(&w->builder, name), value)) {
        return;
    }
    labels_builder_set(&w->builder, name, value.len > 0 ? arena_dup(&w->arena, value) : STR(""));
    w->changed = true;
}

static void take_out(struct relabel_work *w, struct str name)
{
    if (labels_builder_get(&w->builder, name).len > 0) {
        labels_builder_del(&w->builder, name);
        w->changed = true;
    }
}

static bool matches(const struct relabel_rule *rule, struct str text)
{
    struct err ignored = ERR_INIT;
    bool matched = false;

    return rule->takes_all || (regex_match(rule->regex, text, &matched, &ignored) && matched);
}

/* What <replacement> comes to for <text>, in <w>->made; false when the regex does not match. */
static bool expand(const struct relabel_rule *rule, struct relabel_work *w, struct str text,
                   struct str replacement)
{
    struct err ignored = ERR_INIT;
    bool matched = false;

    buf_clear(&w->made);
    return regex_expand(rule->regex, text, replacement, &w->made, &matched, &ignored) && matched &&
           buf_ok(&w->made);
}

/* ---- actions ---- */

static bool run_keep(const struct relabel_rule *rule, struct relabel_work *w)
{
    return matches(rule, relabel_source(rule, w));
}

static bool run_drop(const struct relabel_rule *rule, struct relabel_work *w)
{
    return !matches(rule, relabel_source(rule, w));
}

static bool equals_target(const struct relabel_rule *rule, struct relabel_work *w)
{
    return str_eq(relabel_source(rule, w), labels_builder_get(&w->builder, rule->target));
}

static bool run_keepequal(const struct relabel_rule *rule, struct relabel_work *w)
{
    return equals_target(rule, w);
}

static bool run_dropequal(const struct relabel_rule *rule, struct relabel_work *w)
{
    return !equals_target(rule, w);
}

/* The rule's target, or what the groups make of it; false when it is no name. */
static bool target_of(const struct relabel_rule *rule, struct relabel_work *w, struct str source,
                      struct str *ret_target)
{
    if (!rule->target_is_template) {
        *ret_target = rule->target;
        return true;
    }
    if (!expand(rule, w, source, rule->target) || w->made.len == 0 ||
        !str_is_utf8(buf_str(&w->made))) {
        return false;
    }
    *ret_target = arena_dup(&w->arena, buf_str(&w->made));
    return true;
}

static bool run_replace(const struct relabel_rule *rule, struct relabel_work *w)
{
    struct str source = relabel_source(rule, w);
    struct str target;

    if (!matches(rule, source) || !target_of(rule, w, source, &target)) {
        return true;
    }
    if (rule->gives_all) {
        relabel_put(w, target, source);
    } else if (expand(rule, w, source, rule->replacement)) {
        relabel_put(w, target, buf_str(&w->made));
    }
    return true;
}

static bool run_hashmod(const struct relabel_rule *rule, struct relabel_work *w)
{
    uint8_t digest[MD5_BYTES];
    uint64_t number = 0;

    md5(relabel_source(rule, w), digest);
    for (size_t i = MD5_BYTES / 2; i < MD5_BYTES; i++) {
        number = number << 8 | digest[i];
    }
    buf_clear(&w->made);
    buf_add_u64(&w->made, number % rule->modulus);
    relabel_put(w, rule->target, buf_str(&w->made));
    return true;
}

/* Copies the source, each letter between <first> and the 25 behind it changed in case. */
static bool change_case(const struct relabel_rule *rule, struct relabel_work *w, char first)
{
    struct str source = relabel_source(rule, w);

    buf_clear(&w->made);
    for (size_t i = 0; i < source.len; i++) {
        char c = source.ptr[i];
        buf_add_byte(&w->made, c >= first && c < first + 26 ? (char)(c ^ 0x20) : c);
    }
    if (buf_ok(&w->made)) {
        relabel_put(w, rule->target, buf_str(&w->made));
    }
    return true;
}

static bool run_lowercase(const struct relabel_rule *rule, struct relabel_work *w)
{
    return change_case(rule, w, 'A');
}

static bool run_uppercase(const struct relabel_rule *rule, struct relabel_work *w)
{
    return change_case(rule, w, 'a');
}

/* What the set is before the rule changes it. */
struct label *relabel_pairs(struct relabel_work *w, size_t *ret_count)
{
    *ret_count = w->builder.pairs.len;
    struct label *pairs = arena_array(&w->arena, struct label, *ret_count + 1);
    for (size_t i = 0; i < *ret_count; i++) {
        pairs[i] = w->builder.pairs.items[i];
    }
    return pairs;
}

static bool run_labelmap(const struct relabel_rule *rule, struct relabel_work *w)
{
    size_t count = 0;
    const struct label *pairs = relabel_pairs(w, &count);

    for (size_t i = 0; i < count; i++) {
        if (expand(rule, w, pairs[i].name, rule->replacement) && w->made.len > 0) {
            relabel_put(w, arena_dup(&w->arena, buf_str(&w->made)), pairs[i].value);
        }
    }
    return true;
}

static bool take_out_where(const struct relabel_rule *rule, struct relabel_work *w, bool matching)
{
    size_t count = 0;
    const struct label *pairs = relabel_pairs(w, &count);

    for (size_t i = 0; i < count; i++) {
        if (matches(rule, pairs[i].name) == matching) {
            take_out(w, pairs[i].name);
        }
    }
    return true;
}

static bool run_labeldrop(const struct relabel_rule *rule, struct relabel_work *w)
{
    return take_out_where(rule, w, true);
}

static bool run_labelkeep(const struct relabel_rule *rule, struct relabel_work *w)
{
    return take_out_where(rule, w, false);
}

enum {
    ALL_BUT_REGEX =
        RELABEL_SOURCE | RELABEL_SEPARATOR | RELABEL_MODULUS | RELABEL_TARGET | RELABEL_REPLACEMENT,
    ALL_BUT_SOURCE =
        RELABEL_SEPARATOR | RELABEL_REGEX | RELABEL_MODULUS | RELABEL_TARGET | RELABEL_REPLACEMENT,
    ALL_BUT_GRAPHITE = ALL_BUT_SOURCE | RELABEL_SOURCE,
    ALL_BUT_NAMES = RELABEL_SEPARATOR | RELABEL_REGEX | RELABEL_MODULUS | RELABEL_REPLACEMENT,
};

const struct relabel_action relabel_actions[] = {
    {"replace", RELABEL_TARGET, 0, "", 0, run_replace},
    {"keep", 0, 0, "", RELABEL_DROPS_REST, run_keep},
    {"drop", 0, 0, "", 0, run_drop},
    {"hashmod", RELABEL_TARGET | RELABEL_MODULUS, 0, "", 0, run_hashmod},
    {"labelmap", 0, 0, "", 0, run_labelmap},
    {"labeldrop", 0, ALL_BUT_REGEX, "'regex'", 0, run_labeldrop},
    {"labelkeep", 0, ALL_BUT_REGEX, "'regex'", 0, run_labelkeep},
    {"lowercase", RELABEL_TARGET, RELABEL_REPLACEMENT,
     "'source_labels', 'separator' and 'target_label'", 0, run_lowercase},
    {"uppercase", RELABEL_TARGET, RELABEL_REPLACEMENT,
     "'source_labels', 'separator' and 'target_label'", 0, run_uppercase},
    {"keepequal", RELABEL_TARGET, ALL_BUT_NAMES, "'source_labels' and 'target_label'", 0,
     run_keepequal},
    {"dropequal", RELABEL_TARGET, ALL_BUT_NAMES, "'source_labels' and 'target_label'", 0,
     run_dropequal},
    {"replace_all", RELABEL_SOURCE | RELABEL_TARGET, 0, "", RELABEL_SEARCHES,
     relabel_run_replace_all},
    {"labelmap_all", 0, 0, "", RELABEL_SEARCHES, relabel_run_labelmap_all},
    {"keep_if_equal", RELABEL_SOURCE, ALL_BUT_SOURCE, "'source_labels'", 0,
     relabel_run_keep_if_equal},
    {"drop_if_equal", RELABEL_SOURCE, ALL_BUT_SOURCE, "'source_labels'", 0,
     relabel_run_drop_if_equal},
    {"keep_if_contains", RELABEL_SOURCE | RELABEL_TARGET, ALL_BUT_NAMES,
     "'source_labels' and 'target_label'", 0, relabel_run_keep_if_contains},
    {"drop_if_contains", RELABEL_SOURCE | RELABEL_TARGET, ALL_BUT_NAMES,
     "'source_labels' and 'target_label'", 0, relabel_run_drop_if_contains},
    {"graphite", RELABEL_MATCH | RELABEL_LABELS, ALL_BUT_GRAPHITE, "'match' and 'labels'", 0,
     relabel_run_graphite},
    {NULL, 0, 0, NULL, 0, NULL},
};

/* ---- all rules ---- */

static struct labels *build(struct relabel_work *w, struct labels *labels)
{
    struct labels *made = NULL;
    struct err ignored = ERR_INIT;

    if (w->changed && !labels_build(&w->builder, &made, &ignored)) {
        return labels_ref(labels);
    }
    made = w->changed ? made : labels_ref(labels);
    if (made->count > 0) {
        return made;
    }
    labels_unref(made);
    return NULL;
}

/* Does `if` match? */
static bool is_meant(const struct relabel_rule *rule, const struct relabel_work *w)
{
    bool matches_one = rule->selector_count == 0;

    for (size_t i = 0; !matches_one && i < rule->selector_count; i++) {
        matches_one = selector_matches(rule->selectors[i], &w->builder);
    }
    return matches_one;
}

struct labels *relabel_apply(const struct relabel *r, struct relabel_work *w, struct labels *labels)
{
    bool is_kept = true;

    w->changed = false;
    labels_builder_start(&w->builder, labels);
    for (size_t i = 0; is_kept && i < r->count; i++) {
        const struct relabel_rule *rule = &r->rules[i];
        is_kept = is_meant(rule, w) ? rule->action->run(rule, w)
                                    : (rule->action->flags & RELABEL_DROPS_REST) == 0;
    }
    struct labels *made = is_kept ? build(w, labels) : NULL;
    labels_builder_clear(&w->builder);
    if (arena_bytes(&w->arena) > 0) {
        arena_reset(&w->arena);
    }
    return made;
}
