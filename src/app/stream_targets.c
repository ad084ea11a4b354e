/* Streams against the delivery plan: is what each delivers through there, and may it have it? */
#include "app/stream_targets.h"

#include "app/stream_claims.h"

static bool err_no_target(const struct config *c, const struct stream_config *s,
                          const struct yaml_node *node, struct err *e)
{
    const char *names[64];
    AUTO(arena_release) struct arena a;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    for (; count < ARRAY_LEN(names) && count < c->plan.target_count; count++) {
        names[count] = arena_text(&a, c->plan.targets[count].name);
    }
    const char *near = str_nearest(s->exporter, names, count);
    return yaml_err(node, e, ERR_CONFIG, "there is no exporter '%.*s'%s%s%s", STR_FMT(s->exporter),
                    near != NULL ? ": did you mean '" : "", near != NULL ? near : "",
                    near != NULL ? "'?" : "");
}

/* Is there the exporter that a stream names, and can it be given events? */
static bool check_stream(const struct config *c, const struct stream_config *s, struct err *e)
{
    const struct yaml_node *node = yaml_get(s->section, STR("to"));

    node = node != NULL ? node : s->node;
    if (s->exporter.len == 0) {
        return true;
    }
    int target = plan_find_target(&c->plan, s->exporter, e);
    if (target < 0) {
        return err_no_target(c, s, node, e);
    }
    const struct target_config *t = &c->plan.targets[target];
    if ((t->takes & TAKES(RECORD_EVENT)) == 0 || (t->caps & EXPORTER_LEVEL) != 0) {
        return yaml_err(node, e, ERR_CONFIG, "exporter '%.*s' does not take events",
                        STR_FMT(s->exporter));
    }
    bool is_one = !t->expansion->is_chosen && __builtin_popcountll(t->expansion->outputs) == 1;
    return is_one || s->options.buffer ||
           yaml_err(
               node, e, ERR_CONFIG,
               "exporter '%.*s' is several, and a stream without a log of ours keeps one position: add "
               "`buffer: true` to the stream",
               STR_FMT(s->exporter));
}

static bool is_past_log(const struct stream_config *s)
{
    return s->options.enabled && !s->options.buffer;
}

/* Without a log of ours an exporter is one stream's. */
static bool check_alone(const struct streams_config *streams, size_t index, struct err *e)
{
    const struct stream_config *s = &streams->items[index];

    for (size_t i = 0; i < index; i++) {
        const struct stream_config *other = &streams->items[i];
        if (is_past_log(s) && is_past_log(other) && str_eq(s->exporter, other->exporter)) {
            return yaml_key_err(
                s->node, e, ERR_CONFIG,
                "exporter '%.*s' is stream '%.*s''s; with `buffer: true` several streams can have one, or "
                "give each a 'sink' of its own",
                STR_FMT(s->exporter), STR_FMT(other->name));
        }
    }
    return true;
}

void check_stream_targets(const struct config *c, struct problems *problems)
{
    const struct streams_config *streams = &c->streams;

    for (size_t i = 0; i < streams->count; i++) {
        struct err e = ERR_INIT;
        if (!check_stream(c, &streams->items[i], &e) || !check_alone(streams, i, &e)) {
            problems_error(problems, &e);
        }
    }
    check_claims(streams, problems);
}
