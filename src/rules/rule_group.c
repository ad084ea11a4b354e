/*
 * A group: its fields, the arguments of its queries, its rules.
 *
 * Fields that this version does not act on are never passed over in silence. One that would change
 * what is asked, or where results go, is an error; one that only changes how fast or how it is
 * shown is a warning.
 */
#include "base/clock.h"
#include "base/timetext.h"
#include "rules/rule_int.h"

enum { INTERVAL_MIN_NS = 1000000, INTERVAL_DEFAULT_S = 60 };

static bool read_name(struct rule_loader *l, const struct yaml_node *group,
                      const struct yaml_node *node, struct str *ret_name)
{
    struct err e = ERR_INIT;
    struct str name = STR("");

    field_text(l, node, &name);
    if (name.len == 0) {
        if (node == NULL || node->kind == YAML_SCALAR) {
            (void)yaml_err(node == NULL ? group : node, &e, ERR_CONFIG,
                           "a group needs a name, unique in its file");
            loader_error(l, &e);
        }
        return false;
    }
    *ret_name = arena_dup(l->arena, name);
    l->group_name = *ret_name;
    struct yaml_node *mine = arena_new(&l->scratch, struct yaml_node);
    *mine = *node;
    const struct yaml_node *other = map_put(&l->group_names, *ret_name, mine);
    if (other != NULL) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "the name '%.*s' is taken by the group at line %u of this file",
                       STR_FMT(name), other->pos.line);
        loader_error(l, &e);
    }
    return true;
}

static void read_interval(struct rule_loader *l, const struct yaml_node *node,
                          struct rule_group *group)
{
    int64_t fallback_ns = l->options->interval_ns;
    struct err e = ERR_INIT;

    field_duration(l, node, &group->interval_ns);
    if (group->interval_ns == 0) {
        group->interval_ns = fallback_ns > 0 ? fallback_ns : INTERVAL_DEFAULT_S * NS_PER_S;
    }
    if (node != NULL && group->interval_ns < INTERVAL_MIN_NS) {
        (void)yaml_err(node, &e, ERR_CONFIG, "an interval is at least 1ms, found '%.*s'",
                       STR_FMT(node->text));
        loader_error(l, &e);
        group->interval_ns = INTERVAL_MIN_NS;
    }
}

/* query_offset, which vmalert calls eval_delay. A default is not for groups that say themselves when they
 * are evaluated: they are spaced by hand, so that one reads what another wrote. */
static void read_query_offset(struct rule_loader *l, const struct yaml_node *const *at,
                              struct rule_group *group)
{
    const struct yaml_node *delay = at[GROUP_EVAL_DELAY];
    struct err e = ERR_INIT;

    group->query_offset_ns = at[GROUP_EVAL_OFFSET] == NULL ? l->options->query_offset_ns : 0;
    field_duration(l, at[GROUP_QUERY_OFFSET], &group->query_offset_ns);
    field_duration(l, delay, &group->query_offset_ns);
    if (delay != NULL && at[GROUP_QUERY_OFFSET] != NULL) {
        (void)yaml_key_err(delay, &e, ERR_CONFIG,
                           "'eval_delay' and 'query_offset' mean the same: write one of them");
        loader_error(l, &e);
    } else if (delay != NULL && at[GROUP_EVAL_OFFSET] != NULL) {
        (void)yaml_key_err(delay, &e, ERR_CONFIG,
                           "'eval_delay' cannot stand beside 'eval_offset'; query_offset can");
        loader_error(l, &e);
    }
}

static int64_t modulo(int64_t ns, int64_t interval_ns)
{
    int64_t rest = ns % interval_ns;

    return rest < 0 ? rest + interval_ns : rest;
}

static void read_eval_offset(struct rule_loader *l, const struct yaml_node *node,
                             struct rule_group *group)
{
    struct err e = ERR_INIT;
    struct err cause = ERR_INIT;
    struct str text = STR_NONE;
    int64_t offset_ns = 0;

    if (!yaml_text(node, &text, &e)) {
        loader_error(l, &e);
        return;
    }
    if (!duration_parse(text, true, &offset_ns, &cause)) {
        (void)yaml_err(node, &e, ERR_CONFIG, "%s", cause.message);
        loader_error(l, &e);
    } else if (offset_ns > group->interval_ns || offset_ns < -group->interval_ns) {
        AUTO(buf_release) struct buf interval = BUF_INIT(BUF_SMALL);
        buf_add_duration(&interval, group->interval_ns);
        (void)yaml_err(node, &e, ERR_CONFIG, "'eval_offset' is longer than the interval, %s",
                       buf_text(&interval));
        loader_error(l, &e);
    }
    group->has_eval_offset = true;
    group->eval_offset_ns = modulo(offset_ns, group->interval_ns);
}

/*
 * Evaluation times are always one interval apart. With eval_alignment the times asked for are
 * multiples of it, which is the slot that lies query_offset behind one.
 */
static void read_slot(struct rule_loader *l, const struct yaml_node *const *at,
                      struct rule_group *group)
{
    bool is_aligned = l->options->eval_alignment;

    field_bool(l, at[GROUP_EVAL_ALIGNMENT], &is_aligned);
    if (at[GROUP_EVAL_OFFSET] != NULL) {
        read_eval_offset(l, at[GROUP_EVAL_OFFSET], group);
    } else if (is_aligned) {
        group->has_eval_offset = true;
        group->eval_offset_ns = modulo(group->query_offset_ns, group->interval_ns);
    }
}

static void read_concurrency(struct rule_loader *l, const struct yaml_node *node,
                             struct rule_group *group)
{
    group->concurrency = 1;
    field_count(l, node, &group->concurrency);
}

static void read_fields(struct rule_loader *l, const struct yaml_node *const *at,
                        struct group_draft *draft)
{
    struct rule_group *group = &draft->group;

    read_interval(l, at[GROUP_INTERVAL], group);
    read_query_offset(l, at, group);
    read_slot(l, at, group);
    group->limit = l->options->limit;
    field_count(l, at[GROUP_LIMIT], &group->limit);
    field_bool(l, at[GROUP_DEBUG], &draft->debug);
    group_read_source(l, at, group);
    read_concurrency(l, at[GROUP_CONCURRENCY], group);
    group_read_params(l, at[GROUP_PARAMS], group);
    group_read_headers(l, at[GROUP_HEADERS], group);
    group_read_notifier_headers(l, at[GROUP_NOTIFIER_HEADERS], group);
    field_count(l, at[GROUP_SERIES_LIMIT], &group->series_limit);
    field_duration(l, at[GROUP_QUERY_TIMEOUT], &draft->query_timeout_ns);
    field_no_data(l, at[GROUP_NO_DATA], &draft->on_absent);
    field_partial(l, at[GROUP_PARTIAL], &draft->on_partial);
    targets_read(l, at[GROUP_EXPORTERS], &draft->exporters, &draft->exporter_count);
    if (at[GROUP_LABELS] != NULL && text_names_check(l, at[GROUP_LABELS], "label")) {
        draft->labels = at[GROUP_LABELS];
    }
}

static bool has_room(struct rule_loader *l, const struct yaml_node *rules)
{
    struct err e = ERR_INIT;

    if (rules->count <= RULES_MAX - l->rule_count) {
        return true;
    }
    (void)yaml_err(rules, &e, ERR_LIMIT, "there are more than %d rules", RULES_MAX);
    loader_error(l, &e);
    return false;
}

/* Aliases make much of little: a file of a few megabytes may name one long expression often. */
static void check_memory(struct rule_loader *l, const struct yaml_node *rule)
{
    struct err e = ERR_INIT;

    if (arena_over(l->arena)) {
        (void)yaml_err(rule, &e, ERR_LIMIT, "the rules up to here take more than %d bytes",
                       RULE_SET_BYTES_MAX);
        loader_error(l, &e);
        l->is_full = true;
    }
}

static void read_rules(struct rule_loader *l, const struct yaml_node *node,
                       struct group_draft *draft)
{
    if (!field_is(l, node, YAML_SEQUENCE, "a list of rules") || !has_room(l, node)) {
        return;
    }
    map_clear(&l->rules_seen);
    draft->rules = arena_array(l->arena, struct rule, node->count);
    draft->group.rule_count = node->count;
    l->rule_count += node->count;
    const struct yaml_node *n = node->first;
    for (size_t i = 0; n != NULL && !loader_is_done(l); n = n->next, i++) {
        rule_read(l, draft, n, &draft->rules[i]);
        check_memory(l, n);
        l->rule_name = STR_NONE;
    }
}

static void warn_without_rules(struct rule_loader *l, const struct yaml_node *group)
{
    struct err e = ERR_INIT;

    (void)yaml_err(group, &e, ERR_CONFIG, "the group has no rules");
    loader_warning(l, &e);
}

void group_read(struct rule_loader *l, const struct yaml_node *node)
{
    const struct yaml_node *at[GROUP_FIELDS];
    struct group_draft draft = {.group = {.file = l->file, .pos = node->pos}};
    size_t errors = l->error_count;

    if (!fields_read(l, &group_fields, node, at) || loader_is_done(l)) {
        return;
    }
    if (read_name(l, node, at[GROUP_NAME], &draft.group.name)) {
        draft.group.id = group_make_id(l, draft.group.name);
    }
    if (!loader_is_done(l)) {
        read_fields(l, at, &draft);
    }
    if (at[GROUP_RULES] != NULL && !loader_is_done(l)) {
        read_rules(l, at[GROUP_RULES], &draft);
    } else if (at[GROUP_RULES] == NULL && l->error_count == errors) {
        warn_without_rules(l, node);
    }
    vec_push(&l->groups, draft);
}
