/*
 * Ids are 128 bits of XXH3 over netstrings ("5:group"), so that no two lists of texts run into each
 * other. They name alert state on disk: what goes into them never changes (the test has them
 * golden).
 */
#include "rules/rule_int.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { ID_LENGTH = 32 };

static void add_part(struct buf *b, struct str part)
{
    buf_addf(b, "%zu:", part.len);
    buf_add_str(b, part);
}

static struct str hash_text(struct arena *a, struct str text)
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    char *id = arena_alloc_aligned(a, ID_LENGTH, 1);

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.ptr, text.len));
    for (size_t i = 0; i < sizeof(canonical.digest); i++) {
        id[2 * i] = digits[canonical.digest[i] >> 4];
        id[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    return str_make(id, ID_LENGTH);
}

struct str group_make_id(struct rule_loader *l, struct str name)
{
    buf_clear(&l->key);
    add_part(&l->key, STR("group"));
    add_part(&l->key, l->id_file);
    add_part(&l->key, name);
    return hash_text(l->arena, buf_str(&l->key));
}

static void add_rule(struct buf *b, const struct rule *rule, struct str group_id)
{
    add_part(b, rule->kind == RULE_ALERT ? STR("alert") : STR("record"));
    add_part(b, group_id);
    add_part(b, rule->name);
    for (size_t i = 0; i < rule->label_count; i++) {
        add_part(b, rule->labels[i].name);
        add_part(b, rule->labels[i].source);
    }
}

/* The rules of the group that are alike but for expr: how many, and the first. */
struct namesakes {
    uint64_t count;
    const struct rule *first;
};

/* Those with the same key; the key is what <l->key> holds. */
static struct namesakes *find_namesakes(struct rule_loader *l, const struct rule *rule)
{
    struct namesakes *found = map_get(&l->rules_seen, buf_str(&l->key));

    if (found == NULL) {
        found = arena_new(&l->scratch, struct namesakes);
        found->first = rule;
        (void)map_put(&l->rules_seen, arena_dup(&l->scratch, buf_str(&l->key)), found);
    }
    found->count++;
    return found;
}

static void warn_of_twin(struct rule_loader *l, const struct yaml_node *node,
                         const struct rule *rule, const struct rule *twin)
{
    const char *effect =
        rule->kind == RULE_ALERT ? "its alerts are told twice" : "both write the same series";
    struct err e = ERR_INIT;

    (void)yaml_err(node, &e, ERR_CONFIG, "the same rule stands at line %u already: %s",
                   twin->pos.line, effect);
    loader_warning(l, &e);
}

void rule_make_id(struct rule_loader *l, const struct yaml_node *node, struct rule *rule,
                  struct str group_id)
{
    buf_clear(&l->key);
    add_rule(&l->key, rule, group_id);
    size_t shared = l->key.len;

    uint64_t ordinal = find_namesakes(l, rule)->count;
    buf_addf(&l->key, "%llu:", (unsigned long long)ordinal);
    rule->id = hash_text(l->arena, buf_str(&l->key));

    buf_truncate(&l->key, shared);
    buf_add_text(&l->key, "expr");
    add_part(&l->key, rule->expr);
    const struct namesakes *twins = find_namesakes(l, rule);
    if (twins->count > 1) {
        warn_of_twin(l, node, rule, twins->first);
    }
}
