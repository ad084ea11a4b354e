/*
 * telex-source: an event source of any kind, driven by hand.
 *
 *     telex-source STREAM 'type: postgresql, ...'
 *
 * Commands come on standard input, one a line, words separated by tabs; each answers one line of JSON:
 *
 *     start [POSITION [IDENTITY]]       identity, position, oldest
 *     next MAX MS                       changes and the position behind them
 *     drain COUNT MS                    reads until so many came or nothing for so long: count, bytes, seconds
 *     ack POSITION      tend      measure      forget      close
 *     backfill MAX END [CURSOR [FROM_NS [NEWEST]]]      left, as backfill
 *
 * After close the source is opened again, as a program that was restarted does.
 */
#include "base/budget.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/rand.h"
#include "base/trace.h"
#include "base/yaml.h"
#include "events/source.h"
#include "wire/cloudevent.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 8, LIMIT_MS = 20000 };

struct probe {
    struct arena arena;
    struct yaml_source text;
    struct env env;
    struct rng rng;
    struct budget budget;
    const struct source_kind *kind;
    void *config;
    struct source_place place;
    struct source *source;
    struct str words[WORDS];
    struct json_writer json;
};

static const char *const result_names[SOURCED_RESULTS] = {"ok", "again", "refused", "lost",
                                                          "ended"};
static const char *const op_names[CHANGE_OPS] = {"insert", "update", "delete"};
static const char *const form_names[CHANGE_FORMS] = {"row", "document", "event", "broken"};
static const char *const type_names[COLUMN_TYPES] = {"null", "text",  "number", "flag",
                                                     "json", "bytes", "unsent"};

static struct wait for_ms(int64_t ms)
{
    return (struct wait){clock_deadline_ms(clock_system(), ms), NULL};
}

static uint64_t number(struct str word)
{
    uint64_t value = 0;

    (void)number_parse_u64(word, &value);
    return value;
}

/* ---- answers ---- */

static void add(struct probe *p, const char *key, struct str value)
{
    json_key(&p->json, str_of(key));
    json_add_str(&p->json, value);
}

static void add_number(struct probe *p, const char *key, int64_t value)
{
    json_key(&p->json, str_of(key));
    json_add_i64(&p->json, value);
}

static void add_result(struct probe *p, enum sourced done, const struct err *e)
{
    add(p, "result", str_of(result_names[done]));
    add(p, "error", str_of(e->message));
}

static void add_columns(struct probe *p, const struct change *ch)
{
    json_key(&p->json, STR("columns"));
    json_begin_object(&p->json);
    for (size_t i = 0; i < ch->column_count; i++) {
        json_key(&p->json, ch->columns[i].name);
        json_begin_array(&p->json);
        json_add_text(&p->json, type_names[ch->columns[i].type]);
        json_add_str(&p->json, ch->columns[i].text);
        json_end_array(&p->json);
    }
    json_end_object(&p->json);
}

static void add_event(struct probe *p, const struct event *event)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    cloudevent_write(event, &text);
    json_key(&p->json, STR("event"));
    json_add_raw(&p->json, buf_str(&text));
}

static void add_change(struct probe *p, const struct change *ch)
{
    json_begin_object(&p->json);
    add(p, "position", ch->position);
    add(p, "id", ch->id);
    add(p, "sequence", ch->sequence);
    add(p, "key", ch->key);
    add(p, "name", ch->name);
    add_number(p, "time_ns", ch->time_ns);
    add(p, "op", str_of(op_names[ch->op]));
    add(p, "form", str_of(form_names[ch->form]));
    add(p, "document", ch->document);
    add(p, "fault", ch->fault);
    add_columns(p, ch);
    if (ch->form == CHANGE_EVENT) {
        add_event(p, ch->event);
    }
    json_end_object(&p->json);
}

static void add_changes(struct probe *p, const struct changes *c)
{
    add(p, "position", c->position);
    json_key(&p->json, STR("changes"));
    json_begin_array(&p->json);
    for (size_t i = 0; i < c->list.len; i++) {
        add_change(p, &c->list.items[i]);
    }
    json_end_array(&p->json);
}

/* ---- commands ---- */

static void do_start(struct probe *p)
{
    const struct source_start from = {p->words[1], p->words[2]};
    struct source_begun begun;
    struct err e = ERR_INIT;

    source_begun_init(&begun);
    add_result(p, p->source->ops->start(p->source, &from, &begun, for_ms(LIMIT_MS), &e), &e);
    add(p, "identity", buf_str(&begun.identity));
    add(p, "position", buf_str(&begun.position));
    add(p, "oldest", buf_str(&begun.oldest));
    source_begun_release(&begun);
}

static void do_next(struct probe *p)
{
    struct changes c;
    struct err e = ERR_INIT;
    struct wait wait = for_ms((int64_t)number(p->words[2]));

    changes_init(&c);
    add_result(p, p->source->ops->next(p->source, number(p->words[1]), &c, wait, &e), &e);
    add_changes(p, &c);
    changes_release(&c);
}

static void do_drain(struct probe *p)
{
    uint64_t wanted = number(p->words[1]);
    uint64_t count = 0;
    uint64_t bytes = 0;
    int64_t ended_ns = 0;
    int64_t begun_ns = clock_mono_ns(clock_system());
    enum sourced done = SOURCED_OK;
    struct err e = ERR_INIT;
    struct changes c;
    AUTO(buf_release) struct buf last = BUF_INIT(BUF_SMALL);

    changes_init(&c);
    ended_ns = begun_ns;
    for (bool is_idle = false; done == SOURCED_OK && count < wanted && !is_idle;) {
        changes_clear(&c);
        done = p->source->ops->next(p->source, 1000, &c, for_ms((int64_t)number(p->words[2])), &e);
        is_idle = c.list.len == 0 && c.position.len == 0;
        count += c.list.len;
        bytes += c.bytes;
        if (c.list.len > 0) {
            struct str at = c.position.len > 0 ? c.position : vec_last(&c.list)->position;
            ended_ns = clock_mono_ns(clock_system());
            p->source->ops->ack(p->source, at);
            buf_clear(&last);
            buf_add_str(&last, at);
        }
    }
    add_result(p, done, &e);
    add(p, "position", buf_str(&last));
    add_number(p, "count", (int64_t)count);
    add_number(p, "bytes", (int64_t)bytes);
    json_key(&p->json, STR("seconds"));
    json_add_double(&p->json, (double)(ended_ns - begun_ns) / (double)NS_PER_S);
    changes_release(&c);
}

static void do_ack(struct probe *p)
{
    struct err e = ERR_INIT;

    p->source->ops->ack(p->source, p->words[1]);
    add_result(p, SOURCED_OK, &e);
}

static void do_tend(struct probe *p)
{
    struct err e = ERR_INIT;

    add_result(p, p->source->ops->tend != NULL ? p->source->ops->tend(p->source, &e) : SOURCED_OK,
               &e);
}

static struct source_range range_of(const struct probe *p)
{
    return (struct source_range){
        .end = p->words[2], .from_ns = (int64_t)number(p->words[4]), .newest = number(p->words[5])};
}

static void do_backfill(struct probe *p)
{
    const struct source_range range = range_of(p);
    struct changes c;
    struct err e = ERR_INIT;
    bool is_done = false;

    changes_init(&c);
    add_result(p,
               p->source->ops->backfill(p->source, &range, p->words[3], number(p->words[1]), &c,
                                        &is_done, for_ms(LIMIT_MS), &e),
               &e);
    json_key(&p->json, STR("done"));
    json_add_bool(&p->json, is_done);
    add_changes(p, &c);
    changes_release(&c);
}

static void do_left(struct probe *p)
{
    const struct source_range range = range_of(p);

    add_number(p, "left",
               p->source->ops->backfill_left(p->source, &range, p->words[3], for_ms(LIMIT_MS)));
}

static void do_measure(struct probe *p)
{
    struct source_measures m;

    memset(&m, 0, sizeof(m));
    p->source->ops->measure(p->source, &m, for_ms(LIMIT_MS));
    add_number(p, "head_ns", m.head_ns);
    add_number(p, "behind", m.behind);
    add_number(p, "retained_bytes", m.retained_bytes);
    add(p, "state", str_of(m.state));
    json_key(&p->json, STR("in_danger"));
    json_add_bool(&p->json, m.in_danger);
}

static void do_forget(struct probe *p)
{
    struct source_leavings left = {.count = 0};
    struct err e = ERR_INIT;
    bool ok = true;

    if (p->kind->leave != NULL) {
        p->kind->leave(p->config, p->place.stream, &p->arena, &left);
    }
    for (size_t i = 0; ok && i < left.count; i++) {
        ok = p->source->ops->forget(p->source, left.things[i].words, for_ms(LIMIT_MS), &e);
    }
    add_result(p, ok ? SOURCED_OK : SOURCED_AGAIN, &e);
}

static void do_close(struct probe *p)
{
    struct err e = ERR_INIT;

    source_close(TAKE(p->source));
    bool ok = p->kind->open(&p->place, p->config, &p->source, &e);
    add_result(p, ok ? SOURCED_OK : SOURCED_REFUSED, &e);
}

static const struct {
    const char *name;
    void (*run)(struct probe *p);
} commands[] = {
    {"start", do_start},   {"next", do_next},   {"drain", do_drain},       {"ack", do_ack},
    {"tend", do_tend},     {"left", do_left},   {"backfill", do_backfill}, {"measure", do_measure},
    {"forget", do_forget}, {"close", do_close},
};

static void run_line(struct probe *p, struct str line)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct str rest = line;

    memset(p->words, 0, sizeof(p->words));
    for (size_t i = 0; i < WORDS && str_split(&rest, '\t', &p->words[i]); i++) {
    }
    json_write_init(&p->json, &out);
    json_begin_object(&p->json);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_eq(p->words[0], str_of(commands[i].name))) {
            commands[i].run(p);
        }
    }
    json_end_object(&p->json);
    (void)printf("%s\n", buf_text(&out));
    (void)fflush(stdout);
}

/* ---- opening ---- */

static bool open_probe(struct probe *p, const char *stream, const char *yaml, struct err *e)
{
    const struct yaml_node *documents = NULL;
    const struct option_source none = {.lookup = NULL};

    p->text = (struct yaml_source){STR("config"), str_of(yaml)};
    if (!yaml_parse(&p->arena, &p->text, &documents, e)) {
        return false;
    }
    const struct yaml_node *node = documents->first;
    const struct yaml_node *type = yaml_get(node, STR("type"));
    p->kind = type != NULL ? source_kind_find(type->text) : NULL;
    if (p->kind == NULL) {
        return err_set(e, ERR_CONFIG, "no source of that type");
    }
    p->config = arena_alloc0(&p->arena, 1, p->kind->options->config_size);
    if (!options_parse(p->kind->options, node, &none, &p->arena, p->config, e)) {
        return false;
    }
    p->place =
        (struct source_place){.env = &p->env, .stream = str_of(stream), .data_folder = STR(".")};
    return (p->kind->check == NULL || p->kind->check(p->config, node, e)) &&
           p->kind->open(&p->place, p->config, &p->source, e);
}

int main(int argc, char **argv)
{
    struct probe p = {.source = NULL};
    struct err e = ERR_INIT;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len = 0;

    arena_init(&p.arena, ARENA_UNLIMITED);
    rng_init(&p.rng);
    budget_init(&p.budget, NULL, "all", INT64_MAX);
    p.env = (struct env){.clock = clock_system(),
                         .rng = &p.rng,
                         .trace = trace_sink_new(2, TRACE_LOGFMT, clock_system()),
                         .metrics = metrics_new(),
                         .budget = &p.budget};
    if (argc != 3 || !open_probe(&p, argv[1], argv[2], &e)) {
        (void)fprintf(stderr, "telex-source: %s\n", argc == 3 ? e.message : "STREAM YAML");
        return 2;
    }
    while ((len = getline(&line, &cap, stdin)) > 0) {
        run_line(&p, str_trim(str_make(line, (size_t)len)));
    }
    free(line);
    source_close(p.source);
    options_release(p.kind->options, p.config);
    metrics_free(p.env.metrics);
    trace_sink_free(p.env.trace);
    arena_release(&p.arena);
    return 0;
}
