/* Who names whom: children, fallbacks and the like, as names of entries or on the spot. */
#include "export/tree_int.h"

#include "export/combinator.h"

enum { LINKS_MAX = EXPORTER_CHILDREN_MAX + 4, VISIT_OPEN = 1, VISIT_DONE = 2 };

/* ---- names on the spot ---- */

static bool is_taken(const struct tree_exporter *x, struct str simple)
{
    for (size_t i = 0; i < x->link_count; i++) {
        const struct tree_link *l = &x->links[i];
        struct str other = l->to != NULL ? l->to->simple : l->name;
        if (str_eq(other, simple)) {
            return true;
        }
    }
    return false;
}

/* Of several children: the key, or the type, made unlike its siblings'. */
static struct str sibling_name(struct tree *t, const struct tree_exporter *parent,
                               const struct tree_exporter *x)
{
    const struct yaml_node *type = yaml_get(x->options, STR("type"));
    bool has_key = x->node->key.len > 0 && !str_eq(x->node->key, STR("exporter")) &&
                   !str_eq(x->node->key, STR("base_exporter"));
    struct str name = has_key        ? x->node->key
                      : type != NULL ? str_slice(type->text, 0, 48)
                                     : STR("exporter");
    struct str unlike = name;

    for (unsigned i = 2; !has_key && is_taken(parent, unlike); i++) {
        unlike = arena_printf(t->arena, "%.*s-%u", STR_FMT(name), i);
    }
    return unlike;
}

/* Where it has no name of its own, an only child is called as its parent is. */
static bool name_on_the_spot(struct tree *t, const struct tree_exporter *parent,
                             struct tree_exporter *x, enum tree_role role, struct err *e)
{
    static const char *const of_role[] = {[ROLE_CHILD] = "exporter",
                                          [ROLE_DEFAULT] = "default",
                                          [ROLE_FALLBACK] = "fallback_exporter",
                                          [ROLE_DLQ] = "dlq_exporter",
                                          [ROLE_SELF_METRICS] = "self_metrics_exporter"};
    bool has_name = x->name_node != NULL;

    if (has_name && !yaml_text(x->name_node, &x->simple, e)) {
        return false;
    }
    if (!has_name) {
        bool is_sibling = role == ROLE_CHILDREN || role == ROLE_CONDITION;
        x->simple = is_sibling ? sibling_name(t, parent, x) : str_of(of_role[role]);
    }
    x->env_prefix = tree_env_prefix(t, parent->env_prefix, x->simple);
    x->name = arena_printf(t->arena, "%.*s/%.*s", STR_FMT(parent->name), STR_FMT(x->simple));
    x->path = arena_printf(t->arena, "%.*s/%.*s", STR_FMT(parent->path), STR_FMT(x->simple));
    if (role == ROLE_CHILD && !has_name) {
        x->name = parent->name;
        x->simple = parent->simple;
    }
    if (is_taken(parent, x->simple)) {
        return tree_err(x, e, ERR_CONFIG, "'%.*s' is the name of another exporter here already",
                        STR_FMT(x->simple));
    }
    return tree_check_name(x, e);
}

static bool read_on_the_spot(struct tree *t, struct tree_exporter *parent, struct tree_link *link,
                             struct err *e)
{
    struct tree_exporter *x = arena_new(t->arena, struct tree_exporter);

    x->node = link->node;
    x->name_node = yaml_get(link->node, STR("name"));
    x->depth = parent->depth + 1;
    if (x->depth >= STAGE_DEPTH_MAX) {
        return yaml_err(link->node, e, ERR_LIMIT,
                        "exporters stand around each other more than %d deep", STAGE_DEPTH_MAX);
    }
    if (!tree_flatten(t, x, e)) {
        return false;
    }
    if (yaml_get(x->options, STR("type")) == NULL) {
        return yaml_err(link->node, e, ERR_CONFIG,
                        "this exporter has no 'type'; expected one, such as 'type: file', or the "
                        "name of another exporter");
    }
    if (!name_on_the_spot(t, parent, x, link->role, e) || !tree_read_exporter(t, x, e)) {
        return false;
    }
    link->to = x;
    return true;
}

/* ---- links ---- */

/* Adds a link as it is so far; what it leads to is read before others can see it. */
static bool add_link(struct tree *t, struct tree_exporter *x, struct tree_link link, struct err *e)
{
    bool ok = true;

    if (x->links == NULL) {
        x->links = arena_array(t->arena, struct tree_link, LINKS_MAX);
    }
    if (x->link_count == EXPORTER_CHILDREN_MAX) {
        ok = yaml_err(link.node, e, ERR_LIMIT,
                      "this is one too many: an exporter can stand around %d",
                      EXPORTER_CHILDREN_MAX);
    } else if (link.node->kind == YAML_SEQUENCE || yaml_is_null(link.node)) {
        ok = yaml_err(link.node, e, ERR_CONFIG,
                      "expected the name of an exporter, or one, such as '{ type: file, ... }'");
    } else if (link.node->kind == YAML_MAPPING) {
        ok = read_on_the_spot(t, x, &link, e);
    } else {
        ok = yaml_text(link.node, &link.name, e);
    }
    if (!ok) {
        condition_free(link.when);
        return false;
    }
    x->links[x->link_count++] = link;
    return true;
}

static bool read_one(struct tree *t, struct tree_exporter *x, enum tree_role role,
                     const struct yaml_node *node, struct err *e)
{
    return add_link(t, x, (struct tree_link){.role = role, .node = node}, e);
}

static bool read_several(struct tree *t, struct tree_exporter *x, enum tree_role role,
                         const struct yaml_node *node, struct err *e)
{
    if (node->kind == YAML_SCALAR) {
        return read_one(t, x, role, node, e);
    }
    if (node->first == NULL) {
        return yaml_err(node, e, ERR_CONFIG, "expected at least one exporter");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_one(t, x, role, n, e)) {
            return false;
        }
    }
    return true;
}

static const char *const condition_keys[] = {"condition", "exporter", "description", NULL};

static bool check_condition_keys(const struct yaml_node *item, struct err *e)
{
    for (const struct yaml_node *n = item->first; n != NULL; n = n->next) {
        size_t i = 0;
        while (condition_keys[i] != NULL && !str_eq(n->key, str_of(condition_keys[i]))) {
            i++;
        }
        if (condition_keys[i] == NULL) {
            return yaml_key_err(n, e, ERR_CONFIG,
                                "unknown key '%.*s' in a condition; expected condition, exporter "
                                "or description",
                                STR_FMT(str_slice(n->key, 0, 60)));
        }
    }
    return true;
}

static bool read_condition(struct tree *t, struct tree_exporter *x, const struct yaml_node *item,
                           struct err *e)
{
    const struct yaml_node *when = yaml_get(item, STR("condition"));
    const struct yaml_node *description = yaml_get(item, STR("description"));
    struct tree_link link = {.role = ROLE_CONDITION, .node = yaml_get(item, STR("exporter"))};

    if (item->kind != YAML_MAPPING || when == NULL || link.node == NULL) {
        return yaml_err(item, e, ERR_CONFIG,
                        "expected a condition, such as '{ condition: value > 100, exporter: NAME "
                        "}'; the condition 'true' always holds");
    }
    if (!check_condition_keys(item, e) || !yaml_text(when, &link.when_text, e) ||
        (description != NULL && !yaml_text(description, &link.description, e))) {
        return false;
    }
    if (!condition_compile(link.when_text, &link.when, e)) {
        yaml_err_inside(when, e);
        return false;
    }
    return add_link(t, x, link, e);
}

static bool read_conditions(struct tree *t, struct tree_exporter *x, enum tree_role role,
                            const struct yaml_node *node, struct err *e)
{
    (void)role;
    if (node->kind != YAML_SEQUENCE || node->first == NULL) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected a list of '{ condition: ..., exporter: NAME }'");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_condition(t, x, n, e)) {
            return false;
        }
    }
    return true;
}

static const struct {
    const char *key;
    enum tree_role role;
    bool (*read)(struct tree *, struct tree_exporter *, enum tree_role, const struct yaml_node *,
                 struct err *);
} link_keys[] = {
    {"exporter", ROLE_CHILD, read_one},
    {"base_exporter", ROLE_CHILD, read_one},
    {"exporters", ROLE_CHILDREN, read_several},
    {"conditions", ROLE_CONDITION, read_conditions},
    {"default", ROLE_DEFAULT, read_one},
    {"fallback_exporter", ROLE_FALLBACK, read_one},
    {"dlq_exporter", ROLE_DLQ, read_one},
    {"self_metrics_exporter", ROLE_SELF_METRICS, read_one},
};

bool tree_is_link_key(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(link_keys); i++) {
        if (str_eq(key, str_of(link_keys[i].key))) {
            return true;
        }
    }
    return false;
}

bool tree_read_links(struct tree *t, struct tree_exporter *x, struct err *e)
{
    if (tree_is_leaf(x)) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(link_keys); i++) {
        const struct yaml_node *node = yaml_get(x->options, str_of(link_keys[i].key));
        if (node != NULL && !yaml_is_null(node) &&
            !link_keys[i].read(t, x, link_keys[i].role, node, e)) {
            return false;
        }
    }
    return true;
}

/* ---- resolving ---- */

static bool resolve(struct tree *t, struct tree_exporter *x, struct err *e)
{
    for (size_t i = 0; i < x->link_count; i++) {
        struct tree_link *l = &x->links[i];
        if (l->to == NULL) {
            l->to = tree_find(t, l->name);
        }
        if (l->to == NULL) {
            (void)tree_err_unknown(t, l->name, l->node, e);
            return err_wrap(e, "exporter '%.*s'", STR_FMT(x->name));
        }
        l->to->is_referred = true;
    }
    return true;
}

/* What is being walked through, from an entry down. */
struct walk {
    const struct tree_exporter *way[STAGE_DEPTH_MAX];
    unsigned depth;
};

static bool err_circle(const struct walk *w, const struct tree_link *l, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    unsigned i = 0;

    while (w->way[i] != l->to) {
        i++;
    }
    for (; i < w->depth; i++) {
        buf_addf(&text, "%.*s -> ", STR_FMT(w->way[i]->name));
    }
    return yaml_err(l->node, e, ERR_CONFIG, "exporters stand around each other in a circle: %s%.*s",
                    buf_text(&text), STR_FMT(l->to->name));
}

static bool check_depth(struct walk *w, struct tree_exporter *x, const struct yaml_node *node,
                        struct err *e);

static bool check_links(struct walk *w, struct tree_exporter *x, struct err *e)
{
    for (size_t i = 0; i < x->link_count; i++) {
        struct tree_link *l = &x->links[i];
        if (l->to->visit == VISIT_OPEN) {
            return err_circle(w, l, e);
        }
        if (l->to->visit != VISIT_DONE && !check_depth(w, l->to, l->node, e)) {
            return false;
        }
        x->depth = l->to->depth + 1 > x->depth ? l->to->depth + 1 : x->depth;
    }
    return true;
}

/* From here on depth counts what stands below. */
static bool check_depth(struct walk *w, struct tree_exporter *x, const struct yaml_node *node,
                        struct err *e)
{
    x->depth = 1;
    x->visit = VISIT_OPEN;
    if (w->depth < STAGE_DEPTH_MAX) {
        w->way[w->depth++] = x;
        if (!check_links(w, x, e)) {
            return false;
        }
        w->depth--;
        x->visit = VISIT_DONE;
        if (x->depth <= STAGE_DEPTH_MAX) {
            return true;
        }
    }
    return yaml_err(node, e, ERR_LIMIT, "exporters stand around each other more than %d deep",
                    STAGE_DEPTH_MAX);
}

bool tree_resolve(struct tree *t, struct err *e)
{
    struct walk w = {.depth = 0};

    for (size_t i = 0; i < t->count; i++) {
        if (!resolve(t, t->exporters[i], e)) {
            return false;
        }
    }
    for (size_t i = 0; i < t->count; i++) {
        struct tree_exporter *x = t->exporters[i];
        if (x->visit != VISIT_DONE && !check_depth(&w, x, x->node, e)) {
            return false;
        }
    }
    return true;
}
