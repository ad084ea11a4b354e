/*
 * "Exactly once" is what people hope for when they read of positions and resume tokens. Where it can be had, check says how;
 * where NVSentinel's own section is used, whose documents promise it, check says what is true.
 */
#include "app/load.h"

#include "base/buf.h"
#include "export/exporter.h"
#include "export/plan.h"

static const struct output_config *output_of(const struct config *c, const struct stream_config *s)
{
    struct err ignored = ERR_INIT;
    int target = plan_find_target(&c->plan, s->exporter, &ignored);

    return target >= 0 && c->plan.targets[target].expansion->outputs != 0
               ? &c->plan.outputs[__builtin_ctzll(c->plan.targets[target].expansion->outputs)]
               : NULL;
}

void check_streams(const struct config *c, struct problems *problems)
{
    for (size_t i = 0; i < c->streams.count; i++) {
        const struct stream_config *s = &c->streams.items[i];
        const struct yaml_node *to = yaml_get(s->node, STR("to"));
        const struct output_config *output = output_of(c, s);
        struct err e = ERR_INIT;
        if (!s->options.enabled || s->options.buffer || output == NULL ||
            (output->caps & EXPORTER_ONCE) == 0) {
            continue;
        }
        (void)yaml_key_err(
            to != NULL ? to : s->node, &e, ERR_CONFIG,
            "stream '%.*s' writes rows at least once: after a kill some are there twice; with "
            "`buffer: true` rows and position are one transaction, and each row is there once",
            STR_FMT(s->name));
        problems_warning(problems, &e);
    }
}

void check_add_stream_note(const struct config *c, struct str file, struct buf *out)
{
    const struct yaml_node *section = yaml_get(c->root, STR("event-exporter"));
    const struct stream_config *s = streams_config_find(&c->streams, STR("event-exporter"));

    if (section == NULL || s == NULL || !s->options.enabled) {
        return;
    }
    buf_addf(
        out,
        "note: %.*s:%u:%u: 'event-exporter' delivers at least once, not exactly once: an event whose "
        "answer was lost is sent again, with the same source and id; a receiver that keeps these "
        "has each event once (examples/receiver.py)\n",
        STR_FMT(file), section->key_pos.line, section->key_pos.column);
}
