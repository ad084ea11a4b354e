/*
 * source-tap: one event source by itself, for tests that hold it against a real datastore.
 *
 *     source-tap CONFIG.yaml COMMAND...
 *
 * CONFIG is a source's section. Commands are words, carried out in order, answered by one line of JSON each or more:
 *     start POSITION IDENTITY     {"start":RESULT,"identity":...,"position":...,"oldest":...}
 *     next COUNT SECONDS          {"change":...} each; then {"next":RESULT,"position":...}
 *     backfill END CURSOR COUNT   {"change":...} each; then {"backfill":RESULT,"done":...,"position":...}
 *     newest N, from NS           for the backfills behind it
 *     ack POSITION                {"ack":true}
 *     tend, forget, measure       {"tend":RESULT} ...
 *     pause                       waits for a line on stdin
 * A word "-" is an empty text; "@" the position of the last answer.
 */
#include "events/source.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/trace.h"
#include "net/net.h"
#include "wire/cloudevent.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_MAX = 1 << 20, BATCH = 100, PATIENCE_MS = 15000 };

struct tap {
    struct env env;
    struct arena arena;
    struct source *source;
    struct changes changes;
    struct buf last; /* position */
    struct source_range range;
    struct err err;
    char **words;
};

static const char *const results[SOURCED_RESULTS] = {"ok", "again", "refused", "lost", "ended"};
static const char *const forms[CHANGE_FORMS] = {"row", "document", "event", "broken"};
static const char *const ops[CHANGE_OPS] = {"insert", "update", "delete"};

static struct str next_word(struct tap *t)
{
    const char *word = *t->words != NULL ? *t->words++ : "-";

    if (str_eq(str_of(word), STR("@"))) {
        return arena_dup(&t->arena, buf_str(&t->last));
    }
    return str_eq(str_of(word), STR("-")) ? STR("") : str_of(word);
}

static int64_t next_number(struct tap *t)
{
    int64_t value = 0;

    (void)number_parse_i64(next_word(t), &value);
    return value;
}

static struct wait wait_of(int64_t ms)
{
    return (struct wait){clock_deadline_ms(clock_system(), ms), NULL};
}

static void member(struct json_writer *w, const char *name, struct str value)
{
    json_key(w, str_of(name));
    json_add_str(w, value);
}

static void end_line(struct buf *line)
{
    (void)printf("%s\n", buf_text(line));
    (void)fflush(stdout);
    buf_clear(line);
}

static void add_result(struct tap *t, struct json_writer *w, const char *what, enum sourced result)
{
    json_write_init(w, w->out);
    json_begin_object(w);
    member(w, what, str_of(results[result]));
    if (result != SOURCED_OK) {
        member(w, "error", str_of(t->err.message));
    }
}

static void print_change(const struct change *ch)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf event = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &line);
    json_begin_object(&w);
    member(&w, "change", str_of(forms[ch->form]));
    member(&w, "op", str_of(ops[ch->op]));
    member(&w, "id", ch->id);
    member(&w, "key", ch->key);
    member(&w, "sequence", ch->sequence);
    member(&w, "name", ch->name);
    member(&w, "position", ch->position);
    json_key(&w, STR("time_ns"));
    json_add_i64(&w, ch->time_ns);
    member(&w, "document", ch->document);
    member(&w, "fault", ch->fault);
    if (ch->form == CHANGE_EVENT) {
        cloudevent_write(ch->event, &event);
        json_key(&w, STR("event"));
        json_add_raw(&w, buf_str(&event));
    }
    json_end_object(&w);
    end_line(&line);
}

/* Prints what came; says where that ends. */
static void print_changes(struct tap *t)
{
    for (size_t i = 0; i < t->changes.list.len; i++) {
        print_change(&t->changes.list.items[i]);
        buf_clear(&t->last);
        buf_add_str(&t->last, t->changes.list.items[i].position);
    }
    if (t->changes.position.len > 0) {
        buf_clear(&t->last);
        buf_add_str(&t->last, t->changes.position);
    }
}

static void run_start(struct tap *t, struct buf *line)
{
    struct str position = next_word(t);
    const struct source_start from = {position, next_word(t)};
    struct source_begun begun;
    struct json_writer w = {.out = line};

    source_begun_init(&begun);
    enum sourced result =
        t->source->ops->start(t->source, &from, &begun, wait_of(PATIENCE_MS), &t->err);
    add_result(t, &w, "start", result);
    member(&w, "identity", buf_str(&begun.identity));
    member(&w, "position", buf_str(&begun.position));
    member(&w, "oldest", buf_str(&begun.oldest));
    buf_clear(&t->last);
    buf_add_str(&t->last, buf_str(&begun.position));
    source_begun_release(&begun);
    json_end_object(&w);
}

static void run_next(struct tap *t, struct buf *line)
{
    size_t count = (size_t)next_number(t);
    struct wait all = wait_of(next_number(t) * 1000);
    struct json_writer w = {.out = line};
    enum sourced result = SOURCED_OK;

    while (result == SOURCED_OK && count > 0 && !wait_is_over(all, clock_system())) {
        changes_clear(&t->changes);
        result = t->source->ops->next(t->source, count < BATCH ? count : BATCH, &t->changes,
                                      wait_limit_ms(all, clock_system(), 500), &t->err);
        print_changes(t);
        count -= t->changes.list.len < count ? t->changes.list.len : count;
    }
    add_result(t, &w, "next", result);
    member(&w, "position", buf_str(&t->last));
    json_end_object(&w);
}

static void run_backfill(struct tap *t, struct buf *line)
{
    t->range.end = next_word(t);
    struct str cursor = next_word(t);
    size_t count = (size_t)next_number(t);
    struct wait all = wait_of(PATIENCE_MS);
    struct json_writer w = {.out = line};
    enum sourced result = SOURCED_OK;
    bool done = false;

    while (result == SOURCED_OK && !done && count > 0 && !wait_is_over(all, clock_system())) {
        changes_clear(&t->changes);
        result = t->source->ops->backfill(t->source, &t->range, cursor,
                                          count < BATCH ? count : BATCH, &t->changes, &done,
                                          wait_limit_ms(all, clock_system(), 2000), &t->err);
        print_changes(t);
        cursor = arena_dup(&t->arena, buf_str(&t->last));
        count -= t->changes.list.len < count ? t->changes.list.len : count;
    }
    add_result(t, &w, "backfill", result);
    json_key(&w, STR("done"));
    json_add_bool(&w, done);
    member(&w, "position", cursor);
    json_end_object(&w);
}

static void run_measure(struct tap *t, struct buf *line)
{
    struct source_measures m = {0};
    struct json_writer w = {.out = line};

    t->source->ops->measure(t->source, &m, wait_of(PATIENCE_MS));
    add_result(t, &w, "measure", SOURCED_OK);
    json_key(&w, STR("behind"));
    json_add_i64(&w, m.behind);
    json_key(&w, STR("head_ns"));
    json_add_i64(&w, m.head_ns);
    json_end_object(&w);
}

static void run_small(struct tap *t, const char *what, struct buf *line)
{
    struct json_writer w = {.out = line};
    enum sourced result = SOURCED_OK;

    if (str_eq(str_of(what), STR("ack"))) {
        t->source->ops->ack(t->source, next_word(t));
    } else if (str_eq(str_of(what), STR("newest"))) {
        t->range.newest = (uint64_t)next_number(t);
    } else if (str_eq(str_of(what), STR("from"))) {
        t->range.from_ns = next_number(t);
    } else if (str_eq(str_of(what), STR("tend")) && t->source->ops->tend != NULL) {
        result = t->source->ops->tend(t->source, &t->err);
    } else if (str_eq(str_of(what), STR("pause"))) {
        (void)getchar();
    }
    add_result(t, &w, what, result);
    json_end_object(&w);
}

static void run_word(struct tap *t)
{
    static const struct {
        const char *word;
        void (*run)(struct tap *t, struct buf *line);
    } commands[] = {{"start", run_start},
                    {"next", run_next},
                    {"backfill", run_backfill},
                    {"measure", run_measure}};
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    const char *word = *t->words++;

    t->err = ERR_INIT;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_eq(str_of(word), str_of(commands[i].word))) {
            commands[i].run(t, &line);
            end_line(&line);
            return;
        }
    }
    run_small(t, word, &line);
    end_line(&line);
}

static const char *look_up(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static bool read_config(struct tap *t, const char *path, const struct source_kind **ret_kind,
                        void **ret_config)
{
    const struct option_source from = {.lookup = look_up};
    struct yaml_source *source = arena_new(&t->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;
    char *text = arena_alloc(&t->arena, CONFIG_MAX);
    FILE *file = fopen(path, "re");
    size_t len = file != NULL ? fread(text, 1, CONFIG_MAX, file) : 0;

    if (file != NULL) {
        (void)fclose(file);
    }
    *source = (struct yaml_source){str_of(path), str_make(text, len)};
    if (!yaml_parse(&t->arena, source, &documents, &t->err)) {
        return false;
    }
    const struct yaml_node *type = yaml_get(documents->first, STR("type"));
    *ret_kind = type != NULL ? source_kind_find(type->text) : NULL;
    if (*ret_kind == NULL) {
        return err_set(&t->err, ERR_CONFIG, "no such kind of source");
    }
    *ret_config = arena_alloc0(&t->arena, 1, (*ret_kind)->options->config_size);
    return options_parse((*ret_kind)->options, documents->first, &from, &t->arena, *ret_config,
                         &t->err) &&
           ((*ret_kind)->check == NULL ||
            (*ret_kind)->check(*ret_config, documents->first, &t->err));
}

int main(int argc, char **argv)
{
    struct tap t = {.words = argv + 2};
    const struct source_kind *kind = NULL;
    void *config = NULL;
    struct net net;

    if (argc < 2 || !net_init(&net, &t.err)) {
        return 2;
    }
    arena_init(&t.arena, ARENA_UNLIMITED);
    changes_init(&t.changes);
    buf_init(&t.last, BUF_UNLIMITED);
    t.env = (struct env){.clock = clock_system(),
                         .trace = trace_sink_new(2, TRACE_LOGFMT, clock_system())};
    struct source_place place = {.env = &t.env, .stream = STR("tap")};
    bool fine =
        read_config(&t, argv[1], &kind, &config) && kind->open(&place, config, &t.source, &t.err);
    while (fine && *t.words != NULL) {
        run_word(&t);
    }
    source_close(t.source);
    if (config != NULL && fine) {
        options_release(kind->options, config);
    }
    if (!fine) {
        (void)fprintf(stderr, "source-tap: %s\n", t.err.message);
    }
    trace_sink_free(t.env.trace);
    changes_release(&t.changes);
    buf_release(&t.last);
    arena_release(&t.arena);
    net_release(&net);
    return fine ? 0 : 1;
}
