/* The plan for a person: what `telex check --tree` prints. */
#include "export/plan.h"

#include "base/timetext.h"
#include "export/stage.h"
#include "net/url.h"

enum { STEP = 2 };

struct printer {
    const struct plan_config *config;
    struct buf *out;
};

static void indent(struct printer *p, int depth)
{
    buf_add_repeat(p->out, ' ', (size_t)depth * STEP);
}

/* ---- routes ---- */

static void add_targets(struct printer *p, uint64_t mask)
{
    const char *before = "";

    for (size_t i = 0; i < p->config->target_count; i++) {
        if ((mask >> i & 1) != 0) {
            buf_addf(p->out, "%s%.*s", before, STR_FMT(p->config->targets[i].name));
            before = ", ";
        }
    }
}

static void print_route(struct printer *p, const struct route_config *route)
{
    indent(p, 1);
    if (route->match == NULL) {
        buf_add_text(p->out, "everything");
    } else {
        buf_add_str(p->out, str_trim(route->text));
    }
    buf_add_text(p->out, " -> ");
    add_targets(p, route->to);
    buf_add_text(p->out, route->also_next ? ", and on\n" : "\n");
}

static void print_routes(struct printer *p)
{
    buf_add_text(p->out, "routes\n");
    for (size_t i = 0; i < p->config->route_count; i++) {
        print_route(p, &p->config->routes[i]);
    }
    if (p->config->route_count == 0) {
        buf_add_text(p->out, "  everything -> ");
        add_targets(p, p->config->default_targets);
        buf_add_byte(p->out, '\n');
    }
}

/* ---- targets ---- */

static void print_expansion(struct printer *p, const struct plan_expansion *x, int depth);

static void print_choices(struct printer *p, const struct plan_expansion *x, int depth)
{
    indent(p, depth);
    buf_add_text(p->out, x->first_only ? "the first whose condition holds\n"
                                       : "all whose condition holds\n");
    for (size_t i = 0; i < x->choice_count; i++) {
        const struct plan_choice *choice = &x->choices[i];
        indent(p, depth + 1);
        buf_addf(p->out, "%.*s", STR_FMT(str_trim(choice->text)));
        if (choice->description.len > 0) {
            buf_addf(p->out, " (%.*s)", STR_FMT(choice->description));
        }
        buf_add_byte(p->out, '\n');
        print_expansion(p, choice->to, depth + 2);
    }
    if (x->otherwise != NULL) {
        indent(p, depth + 1);
        buf_add_text(p->out, "otherwise\n");
        print_expansion(p, x->otherwise, depth + 2);
    }
}

static void print_expansion(struct printer *p, const struct plan_expansion *x, int depth)
{
    if (x->choice_count > 0) {
        print_choices(p, x, depth);
        return;
    }
    indent(p, depth);
    if (x->child_count == 0) {
        size_t i = (size_t)__builtin_ctzll(x->outputs);
        buf_addf(p->out, "consumer %.*s\n", STR_FMT(p->config->outputs[i].name));
        return;
    }
    buf_addf(p->out, "all of these; delivered when %zu of %zu ha%s it\n", x->needed, x->child_count,
             x->needed == 1 ? "s" : "ve");
    for (size_t i = 0; i < x->child_count; i++) {
        print_expansion(p, x->children[i], depth + 1);
    }
}

static void print_targets(struct printer *p)
{
    for (size_t i = 0; i < p->config->target_count; i++) {
        const struct target_config *target = &p->config->targets[i];
        buf_addf(p->out, "target %.*s (%s)\n", STR_FMT(target->name), target->kind->name);
        print_expansion(p, target->expansion, 1);
    }
    for (size_t i = 0; i < p->config->self_metrics_count; i++) {
        buf_addf(p->out, "self metrics of %.*s -> ", STR_FMT(p->config->self_metrics[i].monitor));
        add_targets(p, p->config->self_metrics[i].to);
        buf_add_byte(p->out, '\n');
    }
}

/* ---- what a consumer delivers through ---- */

/* A URL, or a text that the kind cannot do without. */
static bool says_where(const struct option *o)
{
    bool is_needed = (o->flags & OPTION_REQUIRED) != 0 && strcmp(o->name, "type") != 0;

    return (o->type == OPTION_URL && strcmp(o->name, "url") == 0) ||
           ((o->type == OPTION_TEXT || o->type == OPTION_URL) && is_needed);
}

/* The first text or address that says where things go. */
static void print_destination(struct printer *p, const struct stage_config *leaf)
{
    const struct option_table *table = leaf->kind->options;

    for (size_t i = 0; table != NULL && i < table->count; i++) {
        const struct option *o = &table->options[i];
        if (says_where(o)) {
            const struct str *text =
                (const struct str *)(const void *)((const char *)leaf->config + o->offset);
            buf_add_text(p->out, text->len > 0 ? " -> " : "");
            (o->type == OPTION_URL ? url_add_site : buf_add_str)(p->out, *text);
            return;
        }
    }
}

static void print_stage(struct printer *p, const struct stage_config *stage, int depth)
{
    indent(p, depth);
    buf_addf(p->out, "%.*s (%s)", STR_FMT(stage->name), stage->kind->name);
    if (stage->child_count == 0) {
        print_destination(p, stage);
    }
    buf_add_byte(p->out, '\n');
    for (size_t i = 0; i < stage->child_count; i++) {
        print_stage(p, stage->children[i], depth + 1);
    }
}

/* ---- how it delivers ---- */

/* "text 30s" */
static void add_duration(struct printer *p, const char *text, int64_t ns)
{
    buf_add_text(p->out, text);
    buf_add_duration(p->out, ns);
}

static void print_gathering(struct printer *p, const struct exporter_buffer *b)
{
    if (b->flush_interval_ns == 0) {
        buf_addf(p->out, "sends what waits, up to %lld records", (long long)b->buffer_size);
    } else {
        buf_addf(p->out, "gathers %lld records or ", (long long)b->buffer_size);
        buf_add_duration(p->out, b->flush_interval_ns);
    }
    if (b->adaptive_flushing) {
        add_duration(p, " (between ", b->min_flush_interval_ns);
        add_duration(p, " and ", b->max_flush_interval_ns);
        buf_add_byte(p->out, ')');
    }
}

static void print_buffer(struct printer *p, const struct exporter_buffer *b)
{
    indent(p, 1);
    buf_add_text(p->out, "buffer: ");
    print_gathering(p, b);
    buf_addf(p->out, ", %lld bytes in memory; fsync %s", (long long)b->max_memory_bytes,
             exporter_fsyncs[b->fsync]);
    if (b->max_disk_bytes > 0) {
        buf_addf(p->out, "; past %lld bytes on disk: %s", (long long)b->max_disk_bytes,
                 exporter_overflows[exporter_overflow(b)]);
    }
    if (b->lanes > 1) {
        buf_addf(p->out, "; %lld lanes", (long long)b->lanes);
    }
    buf_add_byte(p->out, '\n');
}

static void print_retry(struct printer *p, const struct exporter_retry *r)
{
    indent(p, 1);
    add_duration(p, "retry: after ", r->backoff.initial_delay_ns);
    add_duration(p, ", at most ", r->backoff.max_delay_ns);
    if (r->max_retries > 0) {
        buf_addf(p->out, "; %lld times", (long long)r->max_retries);
    }
    add_duration(p, "; for ", r->max_age_ns);
    buf_add_byte(p->out, '\n');
}

static void print_breaker(struct printer *p, const struct exporter_breaker *b)
{
    if (b->failure_threshold > 0) {
        indent(p, 1);
        buf_addf(p->out, "breaker: opens after %lld failures", (long long)b->failure_threshold);
        add_duration(p, " for ", b->recovery_timeout_ns);
        buf_addf(p->out, "; %lld calls close it\n", (long long)b->half_open_max_calls);
    }
}

static void print_health(struct printer *p, const struct exporter_health *h)
{
    if (h->interval_ns > 0) {
        indent(p, 1);
        add_duration(p, "health: asked every ", h->interval_ns);
        buf_addf(p->out, "; unhealthy after %lld failures\n", (long long)h->unhealthy_threshold);
    }
}

static void print_limits(struct printer *p, const struct delivery_config *d)
{
    for (size_t i = 0; i < d->limit_count; i++) {
        const struct call_limit *l = &d->limits[i];
        indent(p, 1);
        buf_addf(p->out, "calls: %lld at a time of all of %.*s", (long long)l->max_concurrent,
                 STR_FMT(l->name));
        add_duration(p, ", each at most ", l->timeout_ns);
        buf_add_byte(p->out, '\n');
    }
}

static void print_dead(struct printer *p, const struct exporter_dead_letters *q)
{
    indent(p, 1);
    buf_add_text(p->out, "dead letters: ");
    if (q->max_disk_bytes > 0) {
        buf_addf(p->out, "%lld bytes, then %s", (long long)q->max_disk_bytes,
                 q->overflow == DEAD_LETTERS_BLOCK ? "block" : "drop_oldest");
    } else {
        buf_add_text(p->out, "as many as the disk holds");
    }
    if (q->max_age_ns > 0) {
        add_duration(p, "; for ", q->max_age_ns);
    }
    buf_add_byte(p->out, '\n');
}

static void print_delivery(struct printer *p, const struct delivery_config *d)
{
    static const char *const modes[] = {
        [FALLBACK_HOLD] = "hold", [FALLBACK_DIVERT] = "divert", [FALLBACK_COPY] = "copy"};

    print_retry(p, &d->retry);
    print_breaker(p, &d->breaker);
    print_health(p, &d->health);
    print_limits(p, d);
    print_dead(p, &d->dead);
    if (d->fallback != NULL) {
        indent(p, 1);
        buf_addf(p->out, "fallback (%s)\n", modes[d->fallback_mode]);
        print_stage(p, d->fallback, 2);
    }
    if (d->dlq != NULL) {
        indent(p, 1);
        buf_add_text(p->out, "dead letters also to\n");
        print_stage(p, d->dlq, 2);
    }
}

static void print_takes(struct printer *p, unsigned takes)
{
    const char *before = ": ";

    for (unsigned kind = 0; kind < RECORD_KINDS; kind++) {
        if ((takes & TAKES(kind)) != 0) {
            buf_addf(p->out, "%s%ss", before, record_kind_name((enum record_kind)kind));
            before = ", ";
        }
    }
    buf_add_byte(p->out, '\n');
}

/* What routes, or without routes the default, can reach; bits of outputs. */
static uint64_t reached(const struct plan_config *config)
{
    uint64_t targets = config->route_count == 0 ? config->default_targets : 0;
    uint64_t outputs = 0;

    for (size_t i = 0; i < config->route_count; i++) {
        targets |= config->routes[i].to;
    }
    for (size_t i = 0; i < config->target_count; i++) {
        outputs |= (targets >> i & 1) != 0 ? config->targets[i].expansion->outputs : 0;
    }
    return outputs;
}

static void print_consumer(struct printer *p, const struct output_config *o, bool is_reached)
{
    buf_addf(p->out, "consumer %.*s", STR_FMT(o->name));
    print_takes(p, o->takes);
    buf_add_text(p->out, is_reached ? "" : "  nothing, unless a rule names it\n");
    if ((o->caps & EXPORTER_LEVEL) != 0) {
        buf_add_text(p->out, "  told again while it lasts; no queue\n");
    } else {
        print_buffer(p, &o->buffer);
        print_delivery(p, &o->delivery);
    }
    buf_add_text(p->out, "  through\n");
    print_stage(p, o->delivery.stage, 2);
}

void plan_print(const struct plan_config *config, struct buf *out)
{
    struct printer p = {config, out};
    uint64_t outputs = reached(config);

    print_routes(&p);
    print_targets(&p);
    for (size_t i = 0; i < config->output_count; i++) {
        print_consumer(&p, &config->outputs[i], (outputs >> i & 1) != 0);
    }
}
