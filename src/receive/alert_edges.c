/*
 * Invariants
 *   1. The table is held from the first comparison until every edge was given or reverted, so no other push
 *      sees a state that is in no frame.
 *   2. The end of an episode is given before the beginning of the next one of the same alert.
 */
#include "receive/alert_edges.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/vec.h"
#include "export/rule_webhook.h"
#include "model/export_words.h"
#include "state/history.h"
#include "wire/edges.h"

#include <xxhash.h>

enum { RULE_ID_BYTES = 16 };

/* An alert that is news. */
struct news {
    const struct pushed_alert *alert;
    struct alert_news what;
    struct export_words words;
    bool is_firing;
    int64_t end_ns; /* of an episode that nobody said the end of; else 0 */
};

enum turn { TURN_ENDS, TURN_POSTS, TURNS };

/* Edges that share what a batch shares. */
struct edge_group {
    struct str key;
    VEC(struct news) news;
};

struct edge_giver {
    const struct alert_giver *with;
    struct arena arena;
    struct buf key;
    struct map by_key;
    VEC(struct edge_group *) groups[TURNS]; /* those that nobody said the end of first */
    struct alerts_given given;
};

static bool is_resolved(const struct alert_giver *giver, const struct pushed_alert *a)
{
    return a->says_resolved || (a->ends_ns != 0 && a->ends_ns <= giver->now_ns);
}

static void note_seq(struct alerts_given *given, uint64_t seq)
{
    if (seq != 0) {
        given->first_seq = given->first_seq == 0 || seq < given->first_seq ? seq : given->first_seq;
        given->last_seq = seq > given->last_seq ? seq : given->last_seq;
    }
}

/* ---- groups ---- */

static void add_part(struct buf *key, struct str text)
{
    buf_addf(key, "%zu:", text.len);
    buf_add_str(key, text);
}

static void make_key(struct edge_giver *g, const struct news *n)
{
    const struct str texts[] = {labels_get(n->alert->labels, STR("alertname")),
                                n->alert->generator_url,
                                n->words.datastore,
                                n->words.database,
                                n->words.measurement,
                                n->words.metric_type};

    buf_clear(&g->key);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        add_part(&g->key, texts[i]);
    }
    buf_addf(&g->key, "%d%d%d%d%d%d:%016llx", n->end_ns != 0, n->is_firing, n->words.enabled,
             n->words.disabled, n->words.webhook_url.len > 0, n->words.has_threshold,
             (unsigned long long)number_bits(n->words.threshold));
}

static void add_news(struct edge_giver *g, const struct news *n)
{
    make_key(g, n);
    struct edge_group *group = map_get(&g->by_key, buf_str(&g->key));

    if (group == NULL) {
        group = arena_new(&g->arena, struct edge_group);
        group->key = arena_dup(&g->arena, buf_str(&g->key));
        (void)map_put(&g->by_key, group->key, group);
        vec_push(&g->groups[n->end_ns != 0 ? TURN_ENDS : TURN_POSTS], group);
    }
    vec_push(&group->news, *n);
}

/* The episode before, which ended when its last post said it would. */
static void add_ended(struct edge_giver *g, const struct news *n)
{
    struct news ended = *n;

    ended.what.before = n->what.ended;
    ended.what.episode_ns = n->what.ended.episode_ns;
    ended.is_firing = false;
    ended.end_ns = n->what.ended.until_ns;
    add_news(g, &ended);
}

static void compare(struct edge_giver *g, const struct pushed_alert *alert)
{
    struct news n = {.alert = alert, .is_firing = !is_resolved(g->with, alert)};
    const struct alert_said said = {.labels = alert->labels,
                                    .is_firing = n.is_firing,
                                    .starts_ns = alert->starts_ns,
                                    .ends_ns = alert->ends_ns};

    alert_states_compare(g->with->states, &said, g->with->now_ns, &n.what);
    if (!n.what.is_news) {
        g->given.unchanged++;
        note_seq(&g->given, n.what.seq);
        return;
    }
    export_words_read(alert->labels, alert->annotations, alert->annotation_count, &n.words);
    if (n.what.is_another) {
        add_ended(g, &n);
    }
    add_news(g, &n);
}

/* ---- batches ---- */

/* Stands for the rule that we do not know: the same for all alerts of a name. */
static struct str rule_id(struct str alertname, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    static const char prefix[] = "received:";
    struct str text = arena_printf(a, "%s%.*s", prefix, STR_FMT(alertname));
    XXH128_canonical_t canonical;
    char *id = arena_alloc_aligned(a, (size_t)2 * RULE_ID_BYTES, 1);

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(text.ptr, text.len));
    for (size_t i = 0; i < RULE_ID_BYTES; i++) {
        id[2 * i] = digits[canonical.digest[i] >> 4];
        id[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    return str_make(id, (size_t)2 * RULE_ID_BYTES);
}

/* Nobody sends the value but as an annotation of that name, which is what people write there. */
static double value_of(const struct pushed_alert *a)
{
    double value = number_stale_nan();

    for (size_t i = 0; i < a->annotation_count; i++) {
        if (str_eq(a->annotations[i].name, STR("value")) &&
            !number_parse(str_trim(a->annotations[i].value), &value)) {
            value = number_stale_nan();
        }
    }
    return value;
}

static struct alert make_edge(const struct edge_giver *g, const struct news *n, struct str id,
                              struct arena *a)
{
    const struct pushed_alert *from = n->alert;
    int64_t start_ns = n->what.episode_ns;
    int64_t said_ns = from->ends_ns != 0 ? from->ends_ns : g->with->now_ns;
    int64_t end_ns = n->end_ns != 0 ? n->end_ns : said_ns;

    return (struct alert){
        .rule_id = id,
        .labels = labels_ref(from->labels),
        .annotations = label_pairs_dup(a, from->annotations, from->annotation_count),
        .annotation_count = from->annotation_count,
        .from = n->is_firing ? ALERT_READY : ALERT_ALERTING, /* we saw no pending */
        .to = n->is_firing ? ALERT_ALERTING : ALERT_RESOLVED,
        .episode_ns = start_ns,
        .time_ns = n->is_firing ? start_ns : end_ns,
        .active_at_ns = start_ns,
        .fired_at_ns = start_ns,
        .resolved_at_ns = n->is_firing ? 0 : end_ns,
        .value = n->end_ns != 0 ? number_stale_nan() : value_of(from),
    };
}

static struct batch *make_batch(const struct edge_giver *g, const struct edge_group *group)
{
    const struct news *first = &group->news.items[0];
    struct str name = labels_get(first->alert->labels, STR("alertname"));
    struct str measurement = first->words.measurement.len > 0 ? first->words.measurement : name;
    const struct batch_info info = {
        .kind = RECORD_ALERT,
        .origin = STR("receive"),
        .time_ns = g->with->now_ns,
        .rule = name,
        .database = first->words.database,
        .measurement = measurement.len > 0 ? measurement : STR("alert"),
        .metric_type = first->words.metric_type,
        .generator_url = first->alert->generator_url,
        .has_threshold = first->words.has_threshold,
        .threshold = first->words.has_threshold ? first->words.threshold : 0,
    };
    struct batch *b = batch_new(&codec_edges, &info);
    struct arena *a = batch_arena(b);
    struct str id = rule_id(name, a);
    struct alert *rows = arena_array(a, struct alert, group->news.len);

    for (size_t i = 0; i < group->news.len; i++) {
        rows[i] = make_edge(g, &group->news.items[i], id, a);
    }
    batch_set_alerts(b, (struct alerts){rows, (uint32_t)group->news.len});
    return b;
}

/* ---- giving ---- */

static void note_given(struct edge_giver *g, const struct edge_group *group,
                       const struct receipt *receipt)
{
    uint32_t count = (uint32_t)group->news.len;
    bool is_firing = group->news.items[0].is_firing;

    note_seq(&g->given, receipt->seq);
    g->given.firing += is_firing ? count : 0;
    g->given.resolved += is_firing ? 0 : count;
    g->given.unrouted += receipt->unrouted_rows;
    g->given.unknown_names += receipt->name_unknown ? count : 0;
    for (size_t i = 0; i < count; i++) {
        alert_states_given(g->with->states, group->news.items[i].alert->labels, receipt->seq);
    }
}

/* The exporter that the alerts name; whoever names only a URL means the exporter of those, which knows
 * what hosts are allowed. */
static struct str named_by(const struct news *n)
{
    if (!n->is_firing || !n->words.enabled) {
        return STR("");
    }
    return n->words.datastore.len == 0 && n->words.webhook_url.len > 0 ? STR(RULE_WEBHOOK)
                                                                       : n->words.datastore;
}

static bool give_group(struct edge_giver *g, const struct edge_group *group, struct err *e)
{
    AUTO(batch_autounref) struct batch *b = make_batch(g, group);
    const struct news *first = &group->news.items[0];
    const struct give how = {
        .named = named_by(first), .state_only = first->words.disabled, .hurried = true};
    struct receipt receipt;

    if (!plan_offer(g->with->plan, b, &how, &receipt, e)) {
        return false;
    }
    receipt.unrouted_rows = how.state_only ? 0 : receipt.unrouted_rows;
    if (g->with->history != NULL) {
        history_changes(g->with->history, b, !how.state_only);
    }
    note_given(g, group, &receipt);
    return true;
}

/* In the opposite order, since one alert can stand in a push twice. */
static void revert(struct edge_giver *g, const struct edge_group *group)
{
    for (size_t i = group->news.len; i-- > 0;) {
        const struct news *n = &group->news.items[i];
        alert_states_revert(g->with->states, n->alert->labels, &n->what);
    }
}

static bool give_turn(struct edge_giver *g, enum turn turn, size_t *ret_done, struct err *e)
{
    while (*ret_done < g->groups[turn].len && give_group(g, g->groups[turn].items[*ret_done], e)) {
        *ret_done += 1;
    }
    return *ret_done == g->groups[turn].len;
}

static bool give_all(struct edge_giver *g, struct err *e)
{
    size_t done[TURNS] = {0};
    bool ok = true;

    for (int turn = 0; ok && turn < TURNS; turn++) {
        ok = give_turn(g, (enum turn)turn, &done[turn], e);
    }
    for (int turn = TURNS; turn-- > 0;) {
        for (size_t i = g->groups[turn].len; i-- > done[turn];) {
            revert(g, g->groups[turn].items[i]);
        }
    }
    return ok;
}

static void release(struct edge_giver *g)
{
    for (int turn = 0; turn < TURNS; turn++) {
        for (size_t i = 0; i < g->groups[turn].len; i++) {
            vec_release(&g->groups[turn].items[i]->news);
        }
        vec_release(&g->groups[turn]);
    }
    map_release(&g->by_key);
    buf_release(&g->key);
    arena_release(&g->arena);
}

bool alerts_give(const struct alert_giver *giver, const struct alert_push *push,
                 struct alerts_given *ret_given, struct err *e)
{
    struct edge_giver g = {.with = giver, .key = BUF_INIT(BUF_UNLIMITED)};

    arena_init(&g.arena, ARENA_UNLIMITED);
    map_init(&g.by_key, alert_states_seed(giver->states));
    alert_states_begin(giver->states);
    for (size_t i = 0; i < push->alerts.len; i++) {
        compare(&g, &push->alerts.items[i]);
    }
    bool ok = give_all(&g, e);
    alert_states_end(giver->states);
    release(&g);
    if (ok) {
        *ret_given = g.given;
    }
    return ok;
}
