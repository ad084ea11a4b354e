/* An alert as it goes out: what the walk could not fill, since texts may take a query. */
#include "export/level_int.h"

#include "base/env.h"
#include "export/extra_labels.h"

enum { ANNOTATIONS_MAX = 1024 * 1024 };

int64_t level_period_ns(const struct level_output *o, const struct level_alert *a)
{
    int64_t delay = o->options->resend_delay_ns;

    if (a->interval_ns <= 0) {
        return delay > 0 ? delay : NS_PER_S;
    }
    int64_t slots = (delay + a->interval_ns - 1) / a->interval_ns;
    return (slots > 1 ? slots : 1) * a->interval_ns;
}

/* Four times the longer of interval and resend delay, as Prometheus says it. */
int64_t level_lasts(const struct level_options *options, int64_t interval_ns)
{
    int64_t max = options->max_resolve_ns;
    int64_t lasts =
        4 * (interval_ns > options->resend_delay_ns ? interval_ns : options->resend_delay_ns);

    return max > 0 && max < lasts ? max : lasts;
}

int64_t level_lasts_ns(const struct level_output *o, const struct level_alert *a)
{
    return level_lasts(o->options, a->interval_ns);
}

int64_t level_ends_at(const struct level_output *o, const struct level_alert *a)
{
    return a->firing ? clock_wall_ns(o->env->clock) + level_lasts_ns(o, a) : a->ends_at_ns;
}

/* ---- labels ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_plain(struct str name)
{
    bool plain = name.len > 0 && is_letter(name.ptr[0]);

    for (size_t i = 1; plain && i < name.len; i++) {
        plain = is_letter(name.ptr[i]) || (name.ptr[i] >= '0' && name.ptr[i] <= '9');
    }
    return plain;
}

/* Every byte that a name could not have before UTF-8 names becomes '_'. */
static struct str plain_name(struct arena *a, struct str name)
{
    char *text = arena_text(a, name);

    for (size_t i = 0; i < name.len; i++) {
        bool is_digit = text[i] >= '0' && text[i] <= '9';
        text[i] = is_letter(text[i]) || (is_digit && i > 0) ? text[i] : '_';
    }
    return str_make(text, name.len);
}

/* Takes over <labels>; gives what has only plain names. Of two that become one the first stays. */
static struct labels *with_plain_names(struct labels *labels, struct arena *a)
{
    struct labels_builder b;
    struct label pair;
    struct labels *made = NULL;
    struct err ignored = ERR_INIT;
    uint32_t at = 0;
    bool plain = true;

    while (plain && labels_next(labels, &at, &pair)) {
        plain = is_plain(pair.name);
    }
    if (plain) {
        return labels;
    }
    labels_builder_init(&b);
    for (at = 0; labels_next(labels, &at, &pair);) {
        struct str name = is_plain(pair.name) ? pair.name : plain_name(a, pair.name);
        if (labels_builder_get(&b, name).len == 0) {
            labels_builder_set(&b, name, pair.value);
        }
    }
    bool ok = labels_build(&b, &made, &ignored);
    labels_builder_release(&b);
    if (ok) {
        labels_unref(labels);
    }
    return ok ? made : labels;
}

struct labels *level_labels(const struct level_labels *how, struct labels *found)
{
    struct labels *labels = extra_labels_merge(how->extra, found);

    if (how->relabel != NULL) {
        struct labels *before = labels;
        labels = relabel_apply(how->relabel, how->work, before);
        labels_unref(before);
    }
    return labels == NULL || how->utf8_names ? labels : with_plain_names(labels, how->arena);
}

static struct labels *labels_of(struct level_output *o, const struct level_alert *a)
{
    const struct level_labels how = {.extra = &o->common->labels,
                                     .relabel = o->target != NULL ? o->target->relabel : NULL,
                                     .work = &o->work,
                                     .utf8_names = o->options->utf8_names,
                                     .arena = &o->arena};

    return level_labels(&how, a->labels);
}

/* ---- all of it ---- */

static bool ask_source(struct level_output *o, uint64_t *number, const struct level_alert *a,
                       struct wait wait, struct buf *annotations, struct buf *url)
{
    const struct level_source *source = level_source_take(o, number);

    if (source == NULL) {
        return false;
    }
    bool there = source->describe(source->arg, a, wait, annotations, url);
    level_source_give(o);
    return there;
}

enum level_words level_describe(struct level_output *o, uint64_t *source_number,
                                const struct level_alert *a, struct wait wait,
                                struct level_item *ret_item)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(ANNOTATIONS_MAX);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    AUTO(labels_autounref) struct labels *labels = labels_of(o, a);

    if (labels == NULL) {
        return LEVEL_WORDS_DROPPED;
    }
    if (!ask_source(o, source_number, a, wait, &annotations, &url)) {
        return LEVEL_WORDS_GONE;
    }
    *ret_item = (struct level_item){.alert = *a};
    ret_item->alert.labels = TAKE(labels);
    ret_item->annotations =
        buf_ok(&annotations) ? arena_dup(&o->arena, buf_str(&annotations)) : STR("{}");
    ret_item->generator_url = buf_ok(&url) ? arena_dup(&o->arena, buf_str(&url)) : STR("");
    return LEVEL_WORDS_READY;
}
