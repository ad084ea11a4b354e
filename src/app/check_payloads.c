/*
 * A payload names fields of one kind of record; records of other kinds have none of them, and the destination gets nulls.
 * Where several kinds can come to an exporter with a payload, and nobody chose among them, check says so.
 */
#include "app/load.h"

#include "export/exporter.h"
#include "export/plan.h"

static const char *const keys[] = {"payload", "payload_transformer", "body", "message",
                                   "serializer"};

/* What the exporter's own options say of what is sent; NULL: nothing. */
static const struct yaml_node *payload_of(const struct yaml_node *exporter)
{
    const struct yaml_node *inner = yaml_get(exporter, STR("config"));
    const struct yaml_node *options =
        inner != NULL && inner->kind == YAML_MAPPING ? inner : exporter;
    const struct yaml_node *found = NULL;

    for (size_t i = 0; found == NULL && i < ARRAY_LEN(keys); i++) {
        found = yaml_get(options, str_of(keys[i]));
    }
    return found;
}

/* Does a text in it look at the kind, or take the record as a whole? As deep as the parser allows. */
static bool looks_at_kind(const struct yaml_node *node)
{
    bool looks =
        node->kind == YAML_SCALAR && (str_find(node->text, STR(".kind")) < node->text.len ||
                                      str_find(node->text, STR(" . ")) < node->text.len);

    for (const struct yaml_node *n = node->first; n != NULL && !looks; n = n->next) {
        looks = looks_at_kind(n);
    }
    return looks;
}

/* The kinds that this Telex can have: TAKES(...) of each. */
static unsigned kinds_of(const struct config *c, const struct rule_set *rules)
{
    const struct receive_config *r = &c->settings.receive;
    bool has_otlp = r->otlp || r->otlp_grpc.listen.len > 0;
    bool has_statsd = r->statsd.listen.len > 0 || r->statsd.socket_path.len > 0;
    bool has_rules = rules->group_count > 0;
    const bool has[RECORD_KINDS] = {
        [RECORD_SAMPLE] = r->remote_write || has_otlp || has_statsd || has_rules,
        [RECORD_ALERT] = r->alerts || has_rules,
        [RECORD_EVENT] = r->events,
        [RECORD_SPAN] = r->profiles || has_otlp,
        [RECORD_PROFILE] = r->profiles,
    };
    unsigned kinds = 0;

    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        kinds |= has[i] ? TAKES(i) : 0;
    }
    return kinds;
}

/* Does target <i> get what comes, with nobody choosing? */
static bool gets_all(const struct plan_config *plan, size_t i)
{
    if (plan->route_count == 0) {
        return (plan->default_targets >> i & 1) != 0;
    }
    for (size_t r = 0; r < plan->route_count; r++) {
        const struct route_config *route = &plan->routes[r];
        if (str_find(route->text, STR("kind")) < route->text.len) {
            return false;
        }
        if ((route->to >> i & 1) != 0 && route->match == NULL) {
            return true;
        }
    }
    return false;
}

static void add_kinds(unsigned kinds, struct buf *out)
{
    int left = __builtin_popcount(kinds);

    for (unsigned i = 0; i < RECORD_KINDS; i++) {
        if ((kinds & TAKES(i)) != 0) {
            left--;
            buf_addf(out, "%ss%s", record_kind_name((enum record_kind)i),
                     left > 1    ? ", "
                     : left == 1 ? " and "
                                 : "");
        }
    }
}

void check_payloads(const struct config *c, const struct rule_set *rules, struct problems *problems)
{
    const struct plan_config *plan = &c->plan;
    unsigned kinds = kinds_of(c, rules);

    for (size_t i = 0; i < plan->target_count; i++) {
        const struct target_config *target = &plan->targets[i];
        const struct yaml_node *payload = payload_of(target->node);
        unsigned given = kinds & target->kind->takes;
        if (payload == NULL || __builtin_popcount(given) < 2 || !gets_all(plan, i) ||
            looks_at_kind(payload)) {
            continue;
        }
        AUTO(buf_release) struct buf list = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        add_kinds(given, &list);
        (void)yaml_key_err(
            payload, &e, ERR_CONFIG,
            "exporter '%.*s' gets %s, each with this %.*s; where it is made for one "
            "kind, a route such as { match: 'kind == \"%s\"', to: [ %.*s ] } chooses "
            "those",
            STR_FMT(target->name), buf_text(&list), STR_FMT(payload->key),
            (given & TAKES(RECORD_PROFILE)) != 0 ? "profile" : "alert", STR_FMT(target->name));
        problems_warning(problems, &e);
    }
}
