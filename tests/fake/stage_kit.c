#include "fake/stage_kit.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "wire/compress.h"
#include "wire/remote_write.h"

#include <stdio.h>
#include <string.h>

enum { SERIES_MAX = 64 };

static void open_destinations(struct stage_kit *k, struct sink **children, size_t count)
{
    const struct exporter_place place = {.env = &k->env, .name = STR("out")};
    struct err e = ERR_INIT;

    k->destinations = mem_alloc0(STAGE_KIT_CHILDREN, sizeof(*k->destinations));
    for (size_t i = 0; i < STAGE_KIT_CHILDREN; i++) {
        destination_init(&k->destinations[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct fake_config config;
        fake_config_init(&config, &k->destinations[i]);
        INVARIANT(fake_kind.open(&place, &config, &children[i], &e));
    }
}

void stage_kit_open(struct stage_kit *k, const char *yaml, const struct exporter_kind *kind,
                    size_t children)
{
    static const struct stage_config leaves[STAGE_KIT_CHILDREN] = {
        {.kind = &fake_kind, .name = STR_INIT("a")},
        {.kind = &fake_kind, .name = STR_INIT("b")},
        {.kind = &fake_kind, .name = STR_INIT("c")}};
    const struct stage_config *const named[STAGE_KIT_CHILDREN] = {&leaves[0], &leaves[1],
                                                                  &leaves[2]};
    struct sink *sinks[STAGE_KIT_CHILDREN];
    struct err e = ERR_INIT;

    fake_clock_init(&k->clock, KIT_TIME_NS, NS_PER_S);
    rng_seed(&k->rng, 1);
    k->metrics = metrics_new();
    k->env = (struct env){.clock = &k->clock.clock, .rng = &k->rng, .metrics = k->metrics};
    outcome_init(&k->out);
    if (!export_kit_start(&k->config, yaml)) {
        (void)fprintf(stderr, "%s: %s\n", yaml, k->config.err.message);
        INVARIANT(false);
    }
    open_destinations(k, sinks, children);
    const struct exporter_place place = {.env = &k->env, .name = STR("out")};
    const struct stage_config config = {.kind = kind != NULL ? kind : k->config.kind,
                                        .config = k->config.config,
                                        .name = STR("stage"),
                                        .children = named,
                                        .child_count = children};
    INVARIANT(config.kind->stage->open(&place, &config, sinks, &k->sink, &e));
}

void stage_kit_close(struct stage_kit *k)
{
    sink_close(k->sink);
    for (size_t i = 0; i < STAGE_KIT_CHILDREN; i++) {
        destination_release(&k->destinations[i]);
    }
    mem_free(k->destinations);
    outcome_release(&k->out);
    metrics_free(k->metrics);
    export_kit_stop(&k->config);
}

const char *stage_kit_deliver(struct stage_kit *k, struct view view, struct buf *text)
{
    outcome_release(&k->out);
    outcome_init(&k->out);
    k->sink->ops->deliver(k->sink, view, (struct wait){DEADLINE_NEVER, NULL}, &k->out);
    buf_clear(text);
    buf_addf(text, "%u of %u", k->out.settled, view.n);
    if (k->out.settled < view.n) {
        buf_addf(text, ", then %s", verdict_name(k->out.rest));
    }
    for (size_t i = 0; i < k->out.except.list.len; i++) {
        const struct exception *x = &k->out.except.list.items[i];
        buf_addf(text, "; %u %s: %s", x->index, verdict_name(x->verdict), x->reason);
    }
    return buf_text(text);
}

struct batch *stage_kit_samples(const char *const *series)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct kit_sample rows[SERIES_MAX];
    uint32_t n = 0;

    for (; series[n] != NULL; n++) {
        rows[n] = (struct kit_sample){series[n], KIT_TIME_NS + n, n};
    }
    return kit_samples(NULL, &info, rows, n);
}

struct batch *stage_kit_message(struct batch *b)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    INVARIANT(batch_samples(b, &s, &e));
    (void)rw1_encode(s, view_all(b), 0, BUF_UNLIMITED, &message);
    INVARIANT(compression_snappy.pack(buf_str(&message), &packed, &e));
    return batch_from_bytes(&codec_rw1, buf_str(&packed), true, batch_info(b), batch_rows(b));
}

double stage_kit_metric(struct stage_kit *k, const char *series)
{
    AUTO(buf_release) struct buf all = BUF_INIT(BUF_UNLIMITED);
    struct str rest;
    struct str line;
    double value = -1;

    metrics_render(k->metrics, &all);
    rest = buf_str(&all);
    while (str_split(&rest, '\n', &line)) {
        size_t len = strlen(series);
        if (str_starts(line, str_of(series)) && line.len > len && line.ptr[len] == ' ') {
            INVARIANT(number_parse(str_slice(line, len + 1, line.len), &value));
        }
    }
    return value;
}

static bool same(const char *what, const char *expected, char *got)
{
    bool ok = expected == NULL || strcmp(expected, got) == 0;

    if (!ok) {
        (void)fprintf(stderr, "%s: %s, expected %s\n", what, got, expected);
    }
    mem_free(got);
    return ok;
}

bool stage_kit_saw(struct stage_kit *k, size_t i, const char *tried, const char *got)
{
    bool tried_ok = same("tried", tried, destination_tried(&k->destinations[i]));
    bool got_ok = same("got", got, destination_got(&k->destinations[i]));

    return tried_ok && got_ok;
}
