/* Records of Kafka as changes, over librdkafka's mock cluster. */
#include "events/sources/kafka_change.h"
#include "events/sources/kafka_offsets.h"
#include "events/sources/sources.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "fake/kafka_cluster.h"
#include "net/kafka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- places as text ---- */

static void test_offsets(void **state)
{
    static const struct str names[] = {STR_INIT("a"), STR_INIT("b.c-d_1")};
    static const struct kafka_partition partitions[] = {
        {.topic = 0, .number = 0}, {.topic = 1, .number = 0}, {.topic = 0, .number = 12}};
    static const int64_t next[] = {5, 0, INT64_MAX};
    static const struct kafka_seen seen[] = {{3, 0x1a2b}, {-1, 0}, {INT64_MAX - 1, UINT32_MAX}};
    const struct option_list topics = {names, 2};
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);
    struct kafka_places AUTO(kafka_places_release) places = {0};

    (void)state;
    kafka_offsets_add(&text, &topics, partitions, next, seen, 3);
    assert_string_equal(buf_text(&text), "a=0:5~3.00001a2b,12:9223372036854775807~"
                                         "9223372036854775806.ffffffff;b.c-d_1=0:0");
    assert_true(kafka_offsets_parse(buf_str(&text), &places));
    for (size_t i = 0; i < 3; i++) {
        struct str topic = names[partitions[i].topic];
        const struct kafka_place *place = kafka_offsets_place(&places, topic, partitions[i].number);
        assert_int_equal(kafka_offsets_find(&places, topic, partitions[i].number), next[i]);
        assert_int_equal(place->seen.offset, seen[i].offset);
        assert_int_equal(place->seen.hash, seen[i].hash);
    }
    assert_int_equal(kafka_offsets_find(&places, STR("a"), 1), -1);
    assert_int_equal(kafka_offsets_find(&places, STR("c"), 0), -1);
}

static void test_offsets_that_are_none(void **state)
{
    static const char *const cases[] = {"a",
                                        "=0:1",
                                        "a=0",
                                        "a=0:-1",
                                        "a=-1:0",
                                        "a=x:1",
                                        "a=0:1,,",
                                        "a=0:1x",
                                        "a=2147483648:0",
                                        "0:1",
                                        "a=0:1;;",
                                        "a=0:5~",
                                        "a=0:5~4",
                                        "a=0:5~4.",
                                        "a=0:5~4.0123456",
                                        "a=0:5~4.012345678",
                                        "a=0:5~4.0123456G",
                                        "a=0:5~5.01234567",
                                        "a=0:5~-1.01234567",
                                        "a=0:~4.01234567"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kafka_places AUTO(kafka_places_release) places = {0};
        if (kafka_offsets_parse(str_of(cases[i]), &places)) {
            fail_msg("%s", cases[i]);
        }
    }
}

/* ---- records as changes ---- */

static const struct change *make(struct changes *out, const struct kafka_change_rules *rules,
                                 const struct kafka_record *r)
{
    return kafka_change_add(rules, STR("t"), 3, r, out);
}

static void must_be(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) {
        fail_msg("'%.*s', expected '%s'", STR_FMT(got), want);
    }
}

static void test_documents(void **state)
{
    static const struct {
        const char *value;
        const char *field;
        const char *id;
    } cases[] = {
        {"{\"id\":\"x\"}", "", "t/3/17"},
        {"{\"a\":{\"id\":1},\"id\":\"x\\u0041\"}", "id", "xA"},
        {"{\"id\":12.50}", "id", "12.50"},
        {"{\"id\":{}}", "id", "t/3/17"},
        {"{\"id\":\"\"}", "id", "t/3/17"},
        {"[1]", "id", "t/3/17"},
        {"{", "id", "t/3/17"},
        {"not JSON", "", "t/3/17"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct changes AUTO(changes_release) out;
        struct kafka_change_rules rules = {KAFKA_FORMAT_AUTO, str_of(cases[i].field)};
        struct kafka_record r = {.offset = 17,
                                 .key = STR("k"),
                                 .value = str_of(cases[i].value),
                                 .time_ms = 1700000000123};
        changes_init(&out);
        const struct change *ch = make(&out, &rules, &r);
        assert_int_equal(ch->form, CHANGE_DOCUMENT);
        assert_int_equal(ch->op, CHANGE_INSERT);
        must_be(ch->id, cases[i].id);
        must_be(ch->document, cases[i].value);
        must_be(ch->key, "k");
        must_be(ch->name, "t");
        must_be(ch->sequence, "0000000000000011");
        assert_int_equal(ch->time_ns, 1700000000123 * NS_PER_MS);
    }
}

static void test_tombstones_and_keys_of_bytes(void **state)
{
    struct changes AUTO(changes_release) out;
    struct kafka_change_rules rules = {KAFKA_FORMAT_AUTO, STR("id")};
    struct kafka_record r = {.offset = 0, .key = str_make("\xff\x00", 2)};

    (void)state;
    changes_init(&out);
    const struct change *ch = make(&out, &rules, &r);
    assert_int_equal(ch->op, CHANGE_DELETE);
    assert_int_equal(ch->form, CHANGE_DOCUMENT);
    must_be(ch->document, "null");
    must_be(ch->key, "_wA");
    assert_int_equal(ch->time_ns, 0);
}

static const struct kafka_header binary[] = {
    {STR_INIT("ce_specversion"), STR_INIT("1.0")},
    {STR_INIT("ce_id"), STR_INIT("e 1%\xc3\xa4")}, /* as it is: only HTTP escapes */
    {STR_INIT("ce_source"), STR_INIT("/s")},
    {STR_INIT("ce_type"), STR_INIT("a.b")},
    {STR_INIT("ce_ext"), STR_INIT("\"quoted\"")},
    {STR_INIT("content-type"), STR_INIT("application/json")},
    {STR_INIT("other"), STR_INIT("x")},
};

static void test_binary_events(void **state)
{
    struct changes AUTO(changes_release) out;
    struct kafka_change_rules rules = {KAFKA_FORMAT_AUTO, STR("")};
    struct kafka_record r = {.offset = 1,
                             .value = STR("{\"x\":1}"),
                             .headers = binary,
                             .header_count = ARRAY_LEN(binary)};

    (void)state;
    changes_init(&out);
    const struct change *ch = make(&out, &rules, &r);
    if (ch->form != CHANGE_EVENT) {
        fail_msg("%.*s", STR_FMT(ch->fault));
    }
    must_be(ch->event->id, "e 1%\xc3\xa4");
    must_be(ch->id, "e 1%\xc3\xa4");
    must_be(ch->event->data, "{\"x\":1}");
    must_be(event_attribute(ch->event, STR("ext"), &out.arena), "\"quoted\"");
    assert_int_equal(ch->event->form, EVENT_DATA_JSON);
    rules.format = KAFKA_FORMAT_JSON;
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_DOCUMENT);
}

static void test_structured_events(void **state)
{
    static const struct kafka_header types[] = {
        {STR_INIT("Content-Type"), STR_INIT("application/cloudevents+json; charset=UTF-8")},
        {STR_INIT("content-type"), STR_INIT("application/cloudevents-batch+json")},
        {STR_INIT("content-type"), STR_INIT("application/cloudevents+avro")},
    };
    static const char event[] =
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":[1]}";
    struct kafka_change_rules rules = {KAFKA_FORMAT_AUTO, STR("")};
    struct kafka_record r = {.value = str_of(event), .headers = &types[0], .header_count = 1};
    struct changes AUTO(changes_release) out;

    (void)state;
    changes_init(&out);
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_EVENT);
    r.headers = &types[2];
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_BROKEN);
    r.headers = &types[1];
    r.value = STR("[]");
    const struct change *ch = make(&out, &rules, &r);
    assert_int_equal(ch->form, CHANGE_BROKEN);
    must_be(ch->document, "[]");
    must_be(ch->id, "t/3/0");
    assert_true(ch->fault.len > 0);
    r = (struct kafka_record){.value = str_of(event)};
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_DOCUMENT);
    rules.format = KAFKA_FORMAT_CLOUDEVENTS;
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_EVENT);
    r.value = STR("{}");
    assert_int_equal(make(&out, &rules, &r)->form, CHANGE_BROKEN);
}

/* ---- the source ---- */

struct fixture {
    struct kafka_cluster *cluster;
    struct env env;
    struct arena arena;
    void *config;
    struct source *source;
    struct source_begun begun;
    struct changes changes;
    struct kafka_producer *producer;
    struct kafka_config to; /* of the producer */
    struct str broker;
    unsigned written;
};

static void ignore_report(void *arg, const struct kafka_report *report)
{
    (void)arg;
    assert_int_equal(report->fate, KAFKA_SENT);
}

/* Numbers from f->written on, with the number modulo 3 as key. */
static void put(struct fixture *f, const char *topic, unsigned count, size_t padding)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) key = BUF_INIT(BUF_SMALL);
    struct wait wait = {clock_deadline_ms(clock_system(), 20000), NULL};
    struct kafka_report report;

    for (unsigned i = 0; i < count; i++) {
        buf_clear(&text);
        buf_clear(&key);
        buf_addf(&text, "{\"n\":%u", f->written);
        buf_addf(&key, "k%u", f->written++ % 3);
        if (padding > 0) {
            buf_add_text(&text, ",\"x\":\"");
            buf_add_repeat(&text, 'x', padding);
            buf_add_text(&text, "\"");
        }
        buf_add_text(&text, "}");
        struct kafka_message m = {
            .topic = str_of(topic), .key = buf_str(&key), .value = buf_str(&text)};
        assert_int_equal(kafka_produce(f->producer, &m, &report), KAFKA_TAKEN);
    }
    assert_true(kafka_serve(f->producer, wait, false, ignore_report, NULL));
}

static void configure(struct fixture *f, const char *more)
{
    struct yaml_source *source = arena_new(&f->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;
    const struct option_source none = {0};
    struct err e = ERR_INIT;

    *source = (struct yaml_source){STR("test.yaml"),
                                   arena_printf(&f->arena, "type: kafka\nbrokers: [ '%s' ]\n%s\n",
                                                kafka_cluster_brokers(f->cluster), more)};
    f->config = arena_alloc0(&f->arena, 1, source_kafka.options->config_size);
    if (!yaml_parse(&f->arena, source, &documents, &e) ||
        !options_parse(source_kafka.options, documents->first, &none, &f->arena, f->config, &e) ||
        !source_kafka.check(f->config, documents->first, &e)) {
        fail_msg("%s", e.message);
    }
}

static void open_source(struct fixture *f)
{
    struct source_place place = {.env = &f->env, .stream = STR("s")};
    struct err e = ERR_INIT;

    source_close(f->source);
    assert_true(source_kafka.open(&place, f->config, &f->source, &e));
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);
    struct err e = ERR_INIT;

    *state = f;
    f->cluster = kafka_cluster_start(1);
    f->env = (struct env){.clock = clock_system()};
    arena_init(&f->arena, ARENA_UNLIMITED);
    source_begun_init(&f->begun);
    changes_init(&f->changes);
    if (f->cluster == NULL) {
        return 0;
    }
    f->broker = str_of(kafka_cluster_brokers(f->cluster));
    f->to = (struct kafka_config){.brokers = {&f->broker, 1},
                                  .max_message_bytes = 1000000,
                                  .batch_bytes = 1000000,
                                  .buffer_bytes = 32 << 20};
    assert_true(kafka_cluster_create(f->cluster, "t", 3));
    assert_true(kafka_cluster_create(f->cluster, "one", 1));
    if (!kafka_producer_open(&f->env, STR("p"), &f->to, NULL, &f->producer, &e)) {
        fail_msg("%s", e.message);
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    source_close(f->source);
    if (f->config != NULL) {
        options_release(source_kafka.options, f->config);
    }
    source_begun_release(&f->begun);
    changes_release(&f->changes);
    arena_release(&f->arena);
    if (f->cluster != NULL) {
        kafka_producer_close(f->producer);
        kafka_cluster_stop(f->cluster);
    }
    mem_free(f);
    return 0;
}

static unsigned number_of(const struct change *ch)
{
    struct str digits = str_slice(ch->document, 5, ch->document.len);
    size_t len = 0;
    int64_t number = 0;

    assert_true(str_starts(ch->document, STR("{\"n\":")));
    while (len < digits.len && digits.ptr[len] >= '0' && digits.ptr[len] <= '9') {
        len++;
    }
    assert_true(number_parse_i64(str_slice(digits, 0, len), &number));
    return (unsigned)number;
}

static enum sourced start_at(struct fixture *f, struct str position, struct str identity,
                             struct err *e)
{
    const struct source_start from = {position, identity};
    struct wait wait = {clock_deadline_ms(clock_system(), 10000), NULL};

    open_source(f);
    source_begun_release(&f->begun);
    source_begun_init(&f->begun);
    return f->source->ops->start(f->source, &from, &f->begun, wait, e);
}

static void must_start(struct fixture *f, const char *position)
{
    struct err e = ERR_INIT;

    if (start_at(f, str_of(position), STR(""), &e) != SOURCED_OK) {
        fail_msg("%s", e.message);
    }
}

/* Reads until <count> changes came, in batches of at most <max>; numbers are marked in <seen>. */
static struct str must_read(struct fixture *f, unsigned count, size_t max, unsigned *seen)
{
    struct str position = STR("");
    unsigned found = 0;

    for (int tries = 0; found < count && tries < 400; tries++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 50), NULL};
        struct err e = ERR_INIT;
        changes_clear(&f->changes);
        size_t room = count - found < max ? count - found : max;
        if (f->source->ops->next(f->source, room, &f->changes, wait, &e) != SOURCED_OK) {
            fail_msg("%s", e.message);
        }
        for (size_t i = 0; i < f->changes.list.len; i++) {
            const struct change *ch = &f->changes.list.items[i];
            seen[number_of(ch)]++;
            found++;
            position = arena_dup(&f->arena, ch->position);
        }
    }
    assert_int_equal(found, count);
    return position;
}

static void need_cluster(const struct fixture *f)
{
    if (f->cluster == NULL) {
        print_message("no cluster\n");
        skip();
    }
}

static void must_be_once(const unsigned *seen, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (seen[i] != 1) {
            fail_msg("%u came %u times", i, seen[i]);
        }
    }
}

static void test_a_stream_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    unsigned seen[200] = {0};

    need_cluster(f);
    configure(f, "topic: t");
    must_start(f, "");
    must_be(buf_str(&f->begun.oldest), "");
    must_be(buf_str(&f->begun.position), "t=0:0,1:0,2:0");
    assert_true(str_starts(buf_str(&f->begun.identity), STR("kafka ")));
    assert_true(str_ends(buf_str(&f->begun.identity), STR(" t")));
    put(f, "t", 100, 0);
    struct str position = must_read(f, 60, 7, seen);
    put(f, "t", 100, 0);
    must_start(f, position.ptr);
    must_be(buf_str(&f->begun.position), position.ptr);
    (void)must_read(f, 140, 50, seen);
    must_be_once(seen, 0, 200);
    struct source_measures measures;
    f->source->ops->measure(f->source, &measures, (struct wait){0});
    assert_int_equal(measures.behind, 0);
    assert_true(measures.head_ns > 0);
}

/* Reads until something comes of it, or nothing does for long. */
static enum sourced read_result(struct fixture *f, struct err *e)
{
    enum sourced result = SOURCED_OK;

    for (unsigned i = 0; result == SOURCED_OK && i < 20; i++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 200), NULL};
        changes_clear(&f->changes);
        result = f->source->ops->next(f->source, 10, &f->changes, wait, e);
        if (f->changes.list.len > 0) {
            break;
        }
    }
    return result;
}

/* What was read last of "one" tells it from another topic of that name that is as long. */
static void test_another_record_at_our_place(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    unsigned seen[20] = {0};
    char same[64];

    need_cluster(f);
    configure(f, "topic: one");
    must_start(f, "");
    put(f, "one", 20, 0);
    struct str position = must_read(f, 20, 100, seen);
    assert_true(str_starts(position, STR("one=0:20~19.")));
    (void)snprintf(same, sizeof(same), "%s", position.ptr);
    must_start(f, same);
    assert_int_equal(read_result(f, &e), SOURCED_OK);
    assert_int_equal(f->changes.list.len, 0);

    char *last = &same[strlen(same) - 1];
    *last = *last == '0' ? '1' : '0';
    must_start(f, same);
    assert_int_equal(read_result(f, &e), SOURCED_LOST);
    assert_non_null(strstr(e.message, "one/0 was made anew: at offset 19"));
    assert_non_null(strstr(e.message, "from offset 20 on was not read"));
    assert_int_equal(f->changes.list.len, 0);

    /* Of a place that somebody wrote, the record before it is learned. */
    must_start(f, "one=0:20");
    for (unsigned i = 0; i < 20 && f->changes.position.len == 0; i++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 200), NULL};
        changes_clear(&f->changes);
        assert_int_equal(f->source->ops->next(f->source, 10, &f->changes, wait, &e), SOURCED_OK);
    }
    assert_int_equal(f->changes.list.len, 0);
    must_be(f->changes.position, position.ptr);
}

static void test_two_topics(void **state)
{
    struct fixture *f = *state;
    unsigned seen[40] = {0};

    need_cluster(f);
    configure(f, "topics: [ one, t ]\ngroup: g");
    must_start(f, "");
    put(f, "t", 20, 0);
    put(f, "one", 20, 0);
    struct str position = must_read(f, 40, 100, seen);
    must_be_once(seen, 0, 40);
    assert_true(str_starts(position, STR("one=0:20~19.")));
    f->source->ops->ack(f->source, position);
    must_start(f, position.ptr);
}

/* What stood there is a backfill's, and what comes is the stream's: each once, wherever it is broken off. */
static void test_backfill(void **state)
{
    struct fixture *f = *state;
    unsigned seen[200] = {0};
    char cursor[256] = "";
    bool done = false;

    need_cluster(f);
    put(f, "t", 100, 0);
    configure(f, "topic: t");
    must_start(f, "");
    put(f, "t", 100, 0);
    struct source_range range = {.end = arena_dup(&f->arena, buf_str(&f->begun.oldest))};
    struct str stream = arena_dup(&f->arena, buf_str(&f->begun.position));
    must_be(range.end, stream.ptr);
    for (unsigned round = 0; !done && round < 200; round++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 200), NULL};
        struct err e = ERR_INIT;
        if (round % 5 == 4) {
            must_start(f, stream.ptr); /* a new one goes on at the cursor */
        }
        changes_clear(&f->changes);
        assert_int_equal(f->source->ops->backfill(f->source, &range, str_of(cursor), 7, &f->changes,
                                                  &done, wait, &e),
                         SOURCED_OK);
        for (size_t i = 0; i < f->changes.list.len; i++) {
            seen[number_of(&f->changes.list.items[i])]++;
        }
        (void)snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(f->changes.position));
    }
    assert_true(done);
    must_be_once(seen, 0, 100);
    must_start(f, stream.ptr);
    (void)must_read(f, 100, 100, seen);
    must_be_once(seen, 0, 200);
}

static void test_the_newest_of_a_backfill(void **state)
{
    struct fixture *f = *state;
    unsigned found = 0;
    bool done = false;

    need_cluster(f);
    put(f, "one", 100, 0);
    configure(f, "topic: one");
    must_start(f, "");
    struct source_range range = {.end = buf_str(&f->begun.oldest), .newest = 10};
    struct str cursor = STR("");
    for (unsigned round = 0; !done && round < 100; round++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 200), NULL};
        struct err e = ERR_INIT;
        changes_clear(&f->changes);
        assert_int_equal(
            f->source->ops->backfill(f->source, &range, cursor, 3, &f->changes, &done, wait, &e),
            SOURCED_OK);
        if (found == 0 && f->changes.list.len > 0) {
            must_be(f->changes.list.items[0].document, "{\"n\":90}");
            assert_int_equal(f->source->ops->backfill_left(f->source, &range, cursor, wait), 7);
        }
        found += (unsigned)f->changes.list.len;
        cursor = arena_dup(&f->arena, f->changes.position);
    }
    assert_int_equal(found, 10);
}

static void test_what_is_lost(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    need_cluster(f);
    configure(f, "topic: one");
    put(f, "one", 5, 0);
    assert_int_equal(start_at(f, STR("one=0:6"), STR(""), &e), SOURCED_LOST);
    assert_non_null(strstr(e.message, "one/0 ends at offset 5, and we were at 6"));
    assert_int_equal(start_at(f, STR("nonsense"), STR(""), &e), SOURCED_LOST);
    must_start(f, "one=0:2"); /* stands before what the mock is about to forget */
    for (unsigned i = 0; i < 80; i++) {
        put(f, "one", 1, 100000); /* it keeps 5 MB of a partition */
    }
    assert_int_equal(start_at(f, STR("one=0:2"), STR(""), &e), SOURCED_LOST);
    assert_non_null(strstr(e.message, "records 2 to "));
    assert_non_null(strstr(e.message, " were not read"));
}

/* Retention overtakes a stream that is on its way. */
static void test_what_is_lost_in_mid_stream(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;
    enum sourced result = SOURCED_OK;

    need_cluster(f);
    configure(f, "topic: one\nbuffer_memory: 65536");
    must_start(f, "");
    kafka_cluster_slow(f->cluster, 400);
    for (unsigned i = 0; i < 80; i++) {
        struct kafka_report report;
        struct buf AUTO(buf_release) text = BUF_INIT(BUF_UNLIMITED);
        buf_add_repeat(&text, 'x', 200000);
        struct kafka_message m = {.topic = STR("one"), .value = buf_str(&text)};
        assert_int_equal(kafka_produce(f->producer, &m, &report), KAFKA_TAKEN);
    }
    assert_true(kafka_serve(f->producer,
                            (struct wait){clock_deadline_ms(clock_system(), 60000), NULL}, false,
                            ignore_report, NULL));
    kafka_cluster_slow(f->cluster, 0);
    for (unsigned i = 0; result == SOURCED_OK && i < 300; i++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 50), NULL};
        changes_clear(&f->changes);
        result = f->source->ops->next(f->source, 10, &f->changes, wait, &e);
    }
    assert_int_equal(result, SOURCED_LOST);
    assert_non_null(strstr(e.message, "were not read"));
}

static void test_another_cluster_is_told_by_its_identity(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    need_cluster(f);
    configure(f, "topic: one");
    assert_int_equal(start_at(f, STR("one=0:99"), STR("kafka other one"), &e), SOURCED_OK);
    assert_false(str_eq(buf_str(&f->begun.identity), STR("kafka other one")));
    must_be(buf_str(&f->begun.position), "one=0:99");
}

static void test_brokers_and_topics_that_are_not_there(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    need_cluster(f);
    configure(f, "topic: one");
    kafka_cluster_topic_error(f->cluster, "one", 3);
    assert_int_equal(start_at(f, STR(""), STR(""), &e), SOURCED_REFUSED);
    assert_non_null(strstr(e.message, "one: "));
    kafka_cluster_topic_error(f->cluster, "one", 0);
    kafka_cluster_down(f->cluster, true);
    const struct source_start from = {STR(""), STR("")};
    struct wait brief = {clock_deadline_ms(clock_system(), 1500), NULL};
    open_source(f);
    assert_int_equal(f->source->ops->start(f->source, &from, &f->begun, brief, &e), SOURCED_AGAIN);
    kafka_cluster_down(f->cluster, false);
    must_start(f, "");
    kafka_cluster_down(f->cluster, true);
    enum sourced result = SOURCED_OK;
    for (unsigned i = 0; result == SOURCED_OK && i < 200; i++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 50), NULL};
        changes_clear(&f->changes);
        result = f->source->ops->next(f->source, 10, &f->changes, wait, &e);
    }
    assert_int_equal(result, SOURCED_AGAIN);
}

static void test_configs_that_cannot_be(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"topic: 'a b'", "is no topic"},
        {"topics: [ a, b, a ]", "twice"},
        {"topic: a\nproperties: { group.id: x }", "group"},
        {"topic: a\nproperties: { isolation.level: read_uncommitted }", "aborted"},
        {"topic: a\nproperties: { no.such: x }", "no.such"},
        {"topic: a\nsasl_mechanism: PLAIN", "sasl_username"},
    };

    (void)state;
    if (!kafka_is_built()) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena AUTO(arena_release) a = {0};
        struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);
        const struct yaml_node *documents = NULL;
        const struct option_source none = {0};
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        buf_addf(&text, "brokers: [ h:1 ]\n%s\n", cases[i].text);
        struct yaml_source source = {STR("t"), buf_str(&text)};
        void *config = arena_alloc0(&a, 1, source_kafka.options->config_size);
        assert_true(yaml_parse(&a, &source, &documents, &e));
        assert_true(options_parse(source_kafka.options, documents->first, &none, &a, config, &e));
        assert_false(source_kafka.check(config, documents->first, &e));
        if (strstr(e.message, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
        options_release(source_kafka.options, config);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_offsets_that_are_none),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_tombstones_and_keys_of_bytes),
        cmocka_unit_test(test_binary_events),
        cmocka_unit_test(test_structured_events),
        cmocka_unit_test(test_configs_that_cannot_be),
        CASE(test_a_stream_goes_on_where_it_was),
        CASE(test_another_record_at_our_place),
        CASE(test_two_topics),
        CASE(test_backfill),
        CASE(test_the_newest_of_a_backfill),
        CASE(test_what_is_lost),
        CASE(test_what_is_lost_in_mid_stream),
        CASE(test_another_cluster_is_told_by_its_identity),
        CASE(test_brokers_and_topics_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
