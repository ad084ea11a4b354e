/*
 * Records of Kafka's topics.
 *
 * Invariants
 *   1. <next> has the offset to go on at for each partition of the stream's consumer; it grows only, and each change's
 *      position is <next> as it was behind it.
 *   2. Only our own position says where to begin. Offsets told to a group are never read.
 *   3. A partition is read from the record before its place (<seen>) where that is there: only if it is the same one as then is it
 *      the same topic. What is below <next> is never given.
 *   4. What <late> says came behind changes that were given first; it is the next call's answer.
 */
#include "events/sources/sources.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/trace.h"
#include "events/sources/kafka_change.h"
#include "events/sources/kafka_offsets.h"
#include "net/kafka.h"
#include "net/kafka_tokens.h"

#include <inttypes.h>

enum { LOOK_MS = 30 * 1000, LOOK_WAIT_MS = 2000, POSITIONS_MAX = 1 << 20 };

struct kafka_source_config {
    struct source_common common;
    struct kafka_config kafka;
    struct option_list topics;
    struct str group;
    int format; /* enum kafka_format */
    struct str id_field;
    int64_t buffer_bytes;
};

enum { KAFKA = offsetof(struct kafka_source_config, kafka) };

/* Partitions of a consumer, and where each goes on. */
struct kafka_run {
    struct kafka_consumer *consumer; /* NULL: not begun */
    int64_t *next;
    struct kafka_seen *seen; /* the last record that was read of each */
    size_t count;
};

struct kafka_source {
    struct source source;
    const struct kafka_source_config *config;
    const struct env *env;
    struct str stream;
    struct trace trace;
    struct kafka_tokens *tokens; /* or NULL */
    struct kafka_run run;
    struct kafka_run past; /* of a backfill */
    struct buf cursor;     /* where <past> stands */
    struct buf text;       /* room for positions */
    int64_t look_at_ns;    /* when to look for new partitions */
    int64_t last_time_ns;  /* of the newest record that was read */
    enum sourced late;
    struct err late_err;
};

/* ---- options ---- */

static const char *const alias_topics[] = {"topic", NULL};
static const char *const alias_group[] = {"group_id", NULL};
static const char *const formats[] = {"auto", "json", "cloudevents", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    KAFKA_CLIENT_ROWS(KAFKA),
    {.name = "topics",
     .aliases = alias_topics,
     .type = OPTION_LIST,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct kafka_source_config, topics),
     .help = "The topics; all partitions of each are read."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct kafka_source_config, format),
     .fallback = "auto",
     .choices = formats,
     .help =
         "What a record holds: `json`, a document; `cloudevents`, an event in structured or binary mode. `auto`: "
         "an event where the headers say so (`content-type`, `ce_specversion`), else a document."},
    {.name = "id_field",
     .type = OPTION_TEXT,
     .offset = offsetof(struct kafka_source_config, id_field),
     .help =
         "The member of a document that is its event's id; it must be there once only in the topics. Without, the "
         "id is `topic/partition/offset`."},
    {.name = "group",
     .aliases = alias_group,
     .type = OPTION_TEXT,
     .offset = offsetof(struct kafka_source_config, group),
     .help =
         "A consumer group that is told of what was delivered, for tools that show lags. It is never read: the "
         "place in the topics is kept in `state`, and nobody else in the group shares the work."},
    {.name = "buffer_memory",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct kafka_source_config, buffer_bytes),
     .fallback = "16MB",
     .min = 65536,
     .max = 1e9,
     .unit = "bytes",
     .help = "Most bytes of records that are read ahead."},
};

static const struct option_table option_table = {
    .name = "source kafka",
    .help = "Records of topics in Kafka.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct kafka_source_config),
};

static bool is_topic(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
        if (!is_fine) {
            return false;
        }
    }
    return name.len > 0 && name.len <= KAFKA_TOPIC_NAME_MAX;
}

static bool check_topics(const struct kafka_source_config *c, const struct yaml_node *at,
                         struct err *e)
{
    for (size_t i = 0; i < c->topics.count; i++) {
        if (!is_topic(c->topics.items[i])) {
            return yaml_err(at, e, ERR_CONFIG,
                            "'%.*s' is no topic: letters, digits, '.', '_' and '-', at most %d",
                            STR_FMT(str_slice(c->topics.items[i], 0, 80)), KAFKA_TOPIC_NAME_MAX);
        }
        for (size_t k = 0; k < i; k++) {
            if (str_eq(c->topics.items[i], c->topics.items[k])) {
                return yaml_err(at, e, ERR_CONFIG, "topic '%.*s' is there twice",
                                STR_FMT(c->topics.items[i]));
            }
        }
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct kafka_source_config *c = config;
    const struct yaml_node *topics = yaml_get(node, STR("topics"));
    struct err why = ERR_INIT;

    topics = topics != NULL ? topics : yaml_get(node, STR("topic"));
    if (!kafka_options_check(&c->kafka, node, e) ||
        !check_topics(c, topics != NULL ? topics : node, e)) {
        return false;
    }
    return kafka_consumer_check(&c->kafka, &why) ||
           yaml_err(node, e, ERR_CONFIG, "%s", why.message);
}

/* ---- runs ---- */

static const enum sourced results[KAFKA_ANSWERS] = {
    [KAFKA_ANSWER_OK] = SOURCED_OK,      [KAFKA_ANSWER_NONE] = SOURCED_OK,
    [KAFKA_ANSWER_AWAY] = SOURCED_AGAIN, [KAFKA_ANSWER_FORBIDDEN] = SOURCED_REFUSED,
    [KAFKA_ANSWER_GONE] = SOURCED_LOST,
};

static void run_end(struct kafka_run *run)
{
    kafka_consumer_close(run->consumer);
    mem_free(run->next);
    mem_free(run->seen);
    *run = (struct kafka_run){0};
}

/* Partitions that are new stand at their first offset. */
static void run_grow(struct kafka_run *run)
{
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(run->consumer, &count);

    if (count > run->count) {
        run->next = mem_resize(run->next, count, sizeof(*run->next));
        run->seen = mem_resize(run->seen, count, sizeof(*run->seen));
        for (size_t i = run->count; i < count; i++) {
            run->next[i] = p[i].next;
            run->seen[i] = (struct kafka_seen){.offset = KAFKA_SEEN_NONE};
        }
        run->count = count;
    }
}

static enum sourced run_look(struct kafka_source *s, struct kafka_run *run, bool from_the_oldest,
                             struct wait wait, struct err *e)
{
    const struct kafka_reader reader = {.config = &s->config->kafka,
                                        .tokens = s->tokens,
                                        .topics = &s->config->topics,
                                        .group = from_the_oldest ? STR("") : s->config->group,
                                        .from_the_oldest = from_the_oldest,
                                        .ahead_bytes = s->config->buffer_bytes};

    run_end(run);
    if (!kafka_consumer_open(s->env, s->stream, &reader, &run->consumer, e)) {
        return SOURCED_REFUSED;
    }
    return results[kafka_consumer_look(run->consumer, wait, e)];
}

/* A consumer that knows its partitions and does not read yet. Brokers that refuse a token are asked with another at once: the
 * tokens, and what is known of them, end with the source. */
static enum sourced run_open(struct kafka_source *s, struct kafka_run *run, bool from_the_oldest,
                             struct wait wait, struct err *e)
{
    enum sourced result = run_look(s, run, from_the_oldest, wait, e);

    if (result == SOURCED_AGAIN && s->tokens != NULL && kafka_tokens_wants_another(s->tokens)) {
        *e = ERR_INIT;
        result = run_look(s, run, from_the_oldest, wait, e);
    }
    if (result == SOURCED_OK) {
        run_grow(run);
    } else {
        run_end(run);
    }
    return result;
}

/* At the record that was read last; where none is known, at the one before the place. */
static int64_t look_back(const struct kafka_run *run, const struct kafka_partition *p, size_t i)
{
    int64_t at = run->seen[i].offset >= 0 ? run->seen[i].offset : run->next[i] - 1;

    return at >= p->low ? at : run->next[i];
}

static bool run_begin(struct kafka_run *run, struct err *e)
{
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(run->consumer, &count);

    for (size_t i = 0; i < run->count; i++) {
        kafka_consumer_set(run->consumer, i, look_back(run, &p[i], i));
    }
    return kafka_consumer_begin(run->consumer, e);
}

static struct str run_position(struct kafka_source *s, const struct kafka_run *run)
{
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(run->consumer, &count);

    buf_clear(&s->text);
    kafka_offsets_add(&s->text, &s->config->topics, p, run->next, run->seen, run->count);
    return buf_str(&s->text);
}

/* ---- starting ---- */

static void add_identity(const struct kafka_source *s, struct buf *out)
{
    buf_add_text(out, "kafka ");
    buf_add_str(out, kafka_consumer_cluster(s->run.consumer));
    for (size_t i = 0; i < s->config->topics.count; i++) {
        buf_addf(out, " %.*s", STR_FMT(s->config->topics.items[i]));
    }
}

static enum sourced lost(const struct kafka_source *s, const struct kafka_partition *p, int64_t at,
                         struct err *e)
{
    struct str topic = s->config->topics.items[p->topic];

    if (at < p->low) {
        (void)err_set(e, ERR_CONFLICT,
                      "records %" PRId64 " to %" PRId64 " of %.*s/%" PRId32
                      " are gone (retention, or somebody deleted them): %" PRId64 " were not read",
                      at, p->low - 1, STR_FMT(topic), p->number, p->low - at);
    } else {
        (void)err_set(e, ERR_CONFLICT,
                      "%.*s/%" PRId32 " ends at offset %" PRId64 ", and we were at %" PRId64
                      ": it was made anew or cut, and what it held before is gone",
                      STR_FMT(topic), p->number, p->high, at);
    }
    return SOURCED_LOST;
}

/* Goes on where <position> says, if that is still there. */
static enum sourced place_all(struct kafka_source *s, struct str position, struct err *e)
{
    struct kafka_places AUTO(kafka_places_release) places = {0};
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(s->run.consumer, &count);

    if (!kafka_offsets_parse(position, &places)) {
        (void)err_set(e, ERR_CONFLICT, "'%.*s' is no place in topics",
                      STR_FMT(str_slice(position, 0, 200)));
        return SOURCED_LOST;
    }
    for (size_t i = 0; i < count; i++) {
        const struct kafka_place *place =
            kafka_offsets_place(&places, s->config->topics.items[p[i].topic], p[i].number);
        int64_t at = place != NULL ? place->offset : 0; /* one that came since: all of it is new */
        if (at < p[i].low || at > p[i].high) {
            return lost(s, &p[i], at, e);
        }
        s->run.next[i] = at;
        if (place != NULL) {
            s->run.seen[i] = place->seen;
        }
    }
    return SOURCED_OK;
}

/* A first start: the stream begins at the end, and what stands before is a backfill's. */
static void place_at_end(struct kafka_source *s, struct source_begun *ret)
{
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(s->run.consumer, &count);
    bool has_past = false;

    for (size_t i = 0; i < count; i++) {
        s->run.next[i] = p[i].high;
        has_past = has_past || p[i].high > p[i].low;
    }
    if (has_past) {
        buf_add_str(&ret->oldest, run_position(s, &s->run));
    }
}

static enum sourced source_start(struct source *source, const struct source_start *from,
                                 struct source_begun *ret, struct wait wait, struct err *e)
{
    struct kafka_source *s = (struct kafka_source *)source;

    s->late = SOURCED_OK;
    run_end(&s->past);
    enum sourced result = run_open(s, &s->run, false, wait, e);
    if (result != SOURCED_OK) {
        return result;
    }
    add_identity(s, &ret->identity);
    if (from->identity.len > 0 && !str_eq(from->identity, buf_str(&ret->identity))) {
        buf_add_str(&ret->position, from->position);
        return SOURCED_OK; /* of another cluster: who asked decides, and closes us */
    }
    if (from->position.len == 0) {
        place_at_end(s, ret);
    } else if ((result = place_all(s, from->position, e)) != SOURCED_OK) {
        return result;
    }
    buf_add_str(&ret->position, run_position(s, &s->run));
    s->look_at_ns = clock_deadline_ms(s->env->clock, LOOK_MS);
    return run_begin(&s->run, e) ? SOURCED_OK : SOURCED_AGAIN;
}

/* ---- the stream ---- */

/* New partitions are found before records in them can be gone. */
static void look_again(struct kafka_source *s, struct wait wait)
{
    struct err e = ERR_INIT;

    if (clock_mono_ns(s->env->clock) < s->look_at_ns) {
        return;
    }
    s->look_at_ns = clock_deadline_ms(s->env->clock, LOOK_MS);
    size_t before = s->run.count;
    if (kafka_consumer_look(s->run.consumer, wait_limit_ms(wait, s->env->clock, LOOK_WAIT_MS),
                            &e) != KAFKA_ANSWER_OK) {
        trace_debug(&s->trace, "the topics could not be looked at", T_ERR(&e));
        return;
    }
    run_grow(&s->run);
    if (s->run.count > before && !kafka_consumer_begin(s->run.consumer, &e)) {
        trace_warn(&s->trace, "new partitions cannot be read yet", T_ERR(&e));
    }
}

static void take_record(struct kafka_source *s, struct kafka_run *run, const struct kafka_record *r,
                        struct changes *ret)
{
    const struct kafka_change_rules rules = {(enum kafka_format)s->config->format,
                                             s->config->id_field};
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(run->consumer, &count);
    struct str topic = s->config->topics.items[p[r->partition].topic];

    struct change *ch = kafka_change_add(&rules, topic, p[r->partition].number, r, ret);
    run->next[r->partition] = r->offset + 1;
    if (run == &s->run) {
        run->seen[r->partition] = kafka_seen_of(r);
    }
    ch->position = arena_dup(&ret->arena, run_position(s, run));
    ret->position = ch->position;
}

/* A record before our place: the one that was read then, or this is another topic. */
static enum sourced look_at_seen(struct kafka_source *s, const struct kafka_record *r,
                                 struct err *e)
{
    struct kafka_seen *seen = &s->run.seen[r->partition];
    struct kafka_seen found = kafka_seen_of(r);
    size_t count = 0;

    if (seen->offset < 0) {
        *seen = found;
        return SOURCED_OK;
    }
    if (seen->offset == found.offset && seen->hash == found.hash) {
        return SOURCED_OK;
    }
    const struct kafka_partition *p =
        &kafka_consumer_partitions(s->run.consumer, &count)[r->partition];
    (void)err_set(
        e, ERR_CONFLICT,
        "%.*s/%" PRId32 " was made anew: at offset %" PRId64
        " is another record than the one that was read there. What the topic that is gone "
        "held from offset %" PRId64 " on was not read, nor what this one holds before that",
        STR_FMT(s->config->topics.items[p->topic]), p->number, found.offset,
        s->run.next[r->partition]);
    return SOURCED_LOST;
}

/* The stream is told of what it lost with numbers. */
static enum sourced result_of(struct kafka_source *s, enum kafka_answer answer, size_t partition,
                              struct err *e)
{
    if (answer == KAFKA_ANSWER_GONE) {
        size_t count = 0;
        const struct kafka_partition *p = kafka_consumer_partitions(s->run.consumer, &count);
        int64_t at = s->run.next[partition];
        if (at >= p[partition].low && at <= p[partition].high) {
            return SOURCED_AGAIN; /* only the record before it is gone */
        }
        return lost(s, &p[partition], s->run.next[partition], e);
    }
    return results[answer];
}

static enum sourced source_next(struct source *source, size_t max, struct changes *ret,
                                struct wait wait, struct err *e)
{
    struct kafka_source *s = (struct kafka_source *)source;
    struct wait at_once = {.deadline_mono_ns = 0};
    struct kafka_record r = {0};
    enum kafka_answer answer = KAFKA_ANSWER_OK;
    enum sourced same = SOURCED_OK;
    bool has_moved = false;

    if (s->late != SOURCED_OK) {
        *e = s->late_err;
        return s->late;
    }
    look_again(s, wait);
    while (ret->list.len < max && answer == KAFKA_ANSWER_OK && same == SOURCED_OK) {
        answer = kafka_consumer_next(s->run.consumer, ret->list.len > 0 ? at_once : wait, &r,
                                     &s->late_err);
        if (answer == KAFKA_ANSWER_OK && !r.is_end && r.offset < s->run.next[r.partition]) {
            has_moved = has_moved || s->run.seen[r.partition].offset < 0;
            same = look_at_seen(s, &r, &s->late_err);
        } else if (answer == KAFKA_ANSWER_OK && !r.is_end) {
            take_record(s, &s->run, &r, ret);
            s->last_time_ns = r.time_ms * NS_PER_MS;
        } else if (answer == KAFKA_ANSWER_OK && r.offset > s->run.next[r.partition]) {
            s->run.next[r.partition] = r.offset; /* aborted, or only marks of transactions */
            has_moved = true;
        }
    }
    if (has_moved) {
        ret->position = arena_dup(&ret->arena, run_position(s, &s->run));
    }
    s->late = same != SOURCED_OK ? same : result_of(s, answer, r.partition, &s->late_err);
    if (s->late != SOURCED_OK && ret->list.len == 0) {
        *e = s->late_err;
        return s->late;
    }
    return SOURCED_OK;
}

static void source_ack(struct source *source, struct str position)
{
    struct kafka_source *s = (struct kafka_source *)source;
    struct kafka_places AUTO(kafka_places_release) places = {0};
    size_t count = 0;

    if (s->config->group.len == 0 || s->run.consumer == NULL ||
        !kafka_offsets_parse(position, &places)) {
        return;
    }
    const struct kafka_partition *p = kafka_consumer_partitions(s->run.consumer, &count);
    int64_t *offsets = mem_alloc0(count + 1, sizeof(*offsets));
    for (size_t i = 0; i < count; i++) {
        int64_t at = kafka_offsets_find(&places, s->config->topics.items[p[i].topic], p[i].number);
        offsets[i] = at >= 0 ? at : 0;
    }
    kafka_consumer_commit(s->run.consumer, offsets, count);
    mem_free(offsets);
}

static void source_measure(struct source *source, struct source_measures *ret, struct wait wait)
{
    struct kafka_source *s = (struct kafka_source *)source;
    int64_t behind = 0;

    (void)wait;
    *ret = (struct source_measures){.behind = -1, .retained_bytes = -1};
    for (size_t i = 0; s->run.consumer != NULL && i < s->run.count; i++) {
        int64_t end = kafka_consumer_end(s->run.consumer, i);
        behind += end > s->run.next[i] ? end - s->run.next[i] : 0;
    }
    if (s->run.consumer != NULL) {
        ret->behind = behind;
        ret->head_ns = behind == 0 ? s->last_time_ns : 0;
    }
}

/* ---- the backfill ---- */

/* Of each partition the newest, as many as are its share. */
static void keep_newest(struct kafka_run *run, const int64_t *ends, uint64_t newest)
{
    uint64_t all = 0;

    for (size_t i = 0; i < run->count; i++) {
        all += ends[i] > run->next[i] ? (uint64_t)(ends[i] - run->next[i]) : 0;
    }
    for (size_t i = 0; newest > 0 && all > newest && i < run->count; i++) {
        double size = ends[i] > run->next[i] ? (double)(ends[i] - run->next[i]) : 0;
        int64_t kept = (int64_t)(size * ((double)newest / (double)all) + 0.5);
        run->next[i] = ends[i] - kept;
    }
}

static enum sourced place_past(struct kafka_source *s, const struct source_range *range,
                               const int64_t *ends, struct wait wait, struct err *e)
{
    size_t count = 0;
    enum sourced result = SOURCED_OK;

    if (range->from_ns > 0) {
        result =
            results[kafka_consumer_set_time(s->past.consumer, range->from_ns / NS_PER_MS, wait, e)];
    }
    const struct kafka_partition *p = kafka_consumer_partitions(s->past.consumer, &count);
    for (size_t i = 0; i < count; i++) {
        s->past.next[i] = p[i].next < ends[i] ? p[i].next : ends[i];
    }
    keep_newest(&s->past, ends, range->newest);
    return result;
}

static void place_at_cursor(struct kafka_source *s, const struct kafka_places *cursor)
{
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(s->past.consumer, &count);

    for (size_t i = 0; i < count; i++) {
        int64_t at = kafka_offsets_find(cursor, s->config->topics.items[p[i].topic], p[i].number);
        if (at < 0) {
            s->past.next[i] = 0;
        } else if (at < p[i].low) {
            trace_warn(&s->trace, "records are gone that a backfill had not reached",
                       T_STR("topic", s->config->topics.items[p[i].topic]),
                       T_I64("partition", p[i].number), T_I64("records", p[i].low - at));
            s->past.next[i] = p[i].low;
        } else {
            s->past.next[i] = at;
        }
    }
}

/* Where each partition of the backfill ends; 0 for those that came later. */
static int64_t *find_ends(struct kafka_source *s, struct str text)
{
    struct kafka_places AUTO(kafka_places_release) places = {0};
    size_t count = 0;
    const struct kafka_partition *p = kafka_consumer_partitions(s->past.consumer, &count);
    int64_t *ends = mem_alloc0(count + 1, sizeof(*ends));

    if (!kafka_offsets_parse(text, &places)) {
        trace_warn(&s->trace, "where a backfill ends is not known", T_STR("text", text));
    }
    for (size_t i = 0; i < count; i++) {
        int64_t at = kafka_offsets_find(&places, s->config->topics.items[p[i].topic], p[i].number);
        ends[i] = at >= 0 ? at : 0;
    }
    return ends;
}

/* A consumer of its own, which stands at <cursor>. */
static enum sourced open_past(struct kafka_source *s, const struct source_range *range,
                              struct str cursor, struct wait wait, struct err *e)
{
    struct kafka_places AUTO(kafka_places_release) places = {0};
    enum sourced result = run_open(s, &s->past, true, wait, e);

    if (result != SOURCED_OK) {
        return result;
    }
    int64_t *ends = find_ends(s, range->end);
    if (cursor.len == 0) {
        result = place_past(s, range, ends, wait, e);
    } else if (kafka_offsets_parse(cursor, &places)) {
        place_at_cursor(s, &places);
    }
    for (size_t i = 0; i < s->past.count; i++) {
        bool is_over = s->past.next[i] >= ends[i];
        kafka_consumer_set(s->past.consumer, i, is_over ? -1 : s->past.next[i]);
        s->past.next[i] = is_over ? ends[i] : s->past.next[i];
    }
    mem_free(ends);
    if (result == SOURCED_OK && !kafka_consumer_begin(s->past.consumer, e)) {
        result = SOURCED_AGAIN;
    }
    if (result != SOURCED_OK) {
        run_end(&s->past);
    }
    return result;
}

static bool is_over(const struct kafka_run *run, const int64_t *ends)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->next[i] < ends[i]) {
            return false;
        }
    }
    return true;
}

static enum kafka_answer read_past(struct kafka_source *s, const int64_t *ends, size_t max,
                                   struct changes *ret, struct wait wait, struct err *e)
{
    struct wait at_once = {.deadline_mono_ns = 0};
    enum kafka_answer answer = KAFKA_ANSWER_OK;
    struct kafka_record r = {0};

    while (ret->list.len < max && answer == KAFKA_ANSWER_OK && !is_over(&s->past, ends)) {
        answer = kafka_consumer_next(s->past.consumer, ret->list.len > 0 ? at_once : wait, &r, e);
        if (answer != KAFKA_ANSWER_OK) {
            break;
        }
        if (r.is_end || r.offset >= ends[r.partition]) {
            s->past.next[r.partition] = ends[r.partition]; /* the stream has what is behind */
        } else {
            take_record(s, &s->past, &r, ret);
        }
    }
    return answer;
}

static enum sourced source_backfill(struct source *source, const struct source_range *range,
                                    struct str cursor, size_t max, struct changes *ret,
                                    bool *ret_done, struct wait wait, struct err *e)
{
    struct kafka_source *s = (struct kafka_source *)source;

    *ret_done = false;
    if (s->past.consumer == NULL || !str_eq(buf_str(&s->cursor), cursor)) {
        enum sourced result = open_past(s, range, cursor, wait, e);
        if (result != SOURCED_OK) {
            return result;
        }
    }
    int64_t *ends = find_ends(s, range->end);
    enum kafka_answer answer = read_past(s, ends, max, ret, wait, e);
    *ret_done = is_over(&s->past, ends);
    mem_free(ends);
    if (answer != KAFKA_ANSWER_OK && answer != KAFKA_ANSWER_NONE && ret->list.len == 0) {
        run_end(&s->past);
        return results[answer];
    }
    struct str position = run_position(s, &s->past);
    ret->position = arena_dup(&ret->arena, position);
    buf_clear(&s->cursor);
    buf_add_str(&s->cursor, position);
    if (*ret_done) {
        run_end(&s->past);
    }
    return SOURCED_OK;
}

static int64_t source_backfill_left(struct source *source, const struct source_range *range,
                                    struct str cursor, struct wait wait)
{
    struct kafka_source *s = (struct kafka_source *)source;
    int64_t left = 0;

    (void)wait;
    (void)cursor;
    if (s->past.consumer == NULL) {
        return -1;
    }
    int64_t *ends = find_ends(s, range->end);
    for (size_t i = 0; i < s->past.count; i++) {
        left += ends[i] > s->past.next[i] ? ends[i] - s->past.next[i] : 0;
    }
    mem_free(ends);
    return left;
}

/* ---- life ---- */

static void source_end(struct source *source)
{
    struct kafka_source *s = (struct kafka_source *)source;

    run_end(&s->run);
    run_end(&s->past);
    kafka_tokens_free(s->tokens);
    buf_release(&s->cursor);
    buf_release(&s->text);
    mem_free(s);
}

static const struct source_ops ops = {
    .start = source_start,
    .next = source_next,
    .ack = source_ack,
    .backfill = source_backfill,
    .backfill_left = source_backfill_left,
    .measure = source_measure,
    .close = source_end,
};

static bool open_source(const struct source_place *place, const void *config,
                        struct source **ret_source, struct err *e)
{
    const struct kafka_source_config *c = config;
    struct kafka_tokens *tokens = NULL;

    if (!kafka_tokens_new(place->env, &c->kafka, &tokens, e)) {
        return false;
    }
    struct kafka_source *s = mem_new(struct kafka_source);
    s->tokens = tokens;
    s->source.ops = &ops;
    s->config = config;
    s->env = place->env;
    s->stream = place->stream;
    trace_init_part(&s->trace, place->env->trace, "events", place->stream, TRACE_INFO);
    buf_init(&s->cursor, POSITIONS_MAX);
    buf_init(&s->text, POSITIONS_MAX);
    *ret_source = &s->source;
    return true;
}

/* A group has one offset of a partition. */
static void claim(const void *config, struct str stream, struct buf *out)
{
    const struct kafka_source_config *c = config;

    (void)stream;
    for (size_t i = 0; c->group.len > 0 && i < c->topics.count; i++) {
        for (size_t b = 0; b < c->kafka.brokers.count; b++) { /* one that both name is enough */
            buf_addf(out, "~consumer group '%.*s' of topic '%.*s' at %.*s\n", STR_FMT(c->group),
                     STR_FMT(c->topics.items[i]), STR_FMT(c->kafka.brokers.items[b]));
        }
    }
}

const struct source_kind source_kafka = {
    .name = "kafka",
    .help = "Records of topics in Kafka: documents or CloudEvents.",
    .example = "type: kafka\nbrokers: [ 127.0.0.1:9092 ]\ntopic: health-events\n",
    .options = &option_table,
    .check = check,
    .claim = claim,
    .look = source_look_by_start,
    .open = open_source,
};
