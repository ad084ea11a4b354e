#include "source_kit.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "base/yaml.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct wait wait_ms(int64_t ms)
{
    return (struct wait){clock_deadline_ms(clock_system(), ms), NULL};
}

void source_kit_init(struct source_kit *k, bool has_table)
{
    char path[96];

    *k = (struct source_kit){.folder = "/tmp/telex-test-XXXXXX",
                             .env = {.clock = clock_system(), .metrics = metrics_new()}};
    assert_non_null(mkdtemp(k->folder));
    arena_init(&k->arena, ARENA_UNLIMITED);
    changes_init(&k->changes);
    source_begun_init(&k->begun);
    (void)snprintf(path, sizeof(path), "%s/events.db", k->folder);
    const struct event_table_options options = {.path = str_of(path)};
    assert_true(!has_table || event_table_open(&k->env, &options, &k->table, &k->err));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void end(struct source_kit *k)
{
    source_close(TAKE(k->source));
    if (k->config != NULL) {
        options_release(k->kind->options, k->config);
        k->config = NULL;
    }
}

void source_kit_release(struct source_kit *k)
{
    end(k);
    event_table_close(k->table);
    changes_release(&k->changes);
    source_begun_release(&k->begun);
    arena_release(&k->arena);
    metrics_free(k->env.metrics);
    assert_int_equal(nftw(k->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void source_kit_open(struct source_kit *k, const struct source_kind *kind, const char *yaml)
{
    static const struct option_source source = {0};
    const struct source_place place = {.env = &k->env,
                                       .stream = STR("stream"),
                                       .data_folder = str_of(k->folder),
                                       .table = k->table};
    struct yaml_source *text = arena_new(&k->arena, struct yaml_source);
    const struct yaml_node *root = NULL;

    end(k);
    *text = (struct yaml_source){STR("test"), arena_dup(&k->arena, str_of(yaml))};
    k->kind = kind;
    void *config = arena_alloc0(&k->arena, 1, kind->options->config_size);
    bool ok = yaml_parse(&k->arena, text, &root, &k->err) && (root = root->first) != NULL &&
              options_parse(kind->options, root, &source, &k->arena, config, &k->err);
    if (ok) {
        k->config = config;
        ok = (kind->check == NULL || kind->check(config, root, &k->err)) &&
             kind->open(&place, config, &k->source, &k->err);
    }
    if (!ok) {
        print_error("%s\n", k->err.message);
    }
    assert_true(ok);
}

static void keep(char *into, size_t max, struct str text)
{
    assert_true(text.len < max);
    (void)snprintf(into, max, "%.*s", STR_FMT(text));
}

static enum sourced start_from(struct source_kit *k, struct str position, struct str identity)
{
    const struct source_start from = {position, identity};

    buf_clear(&k->begun.identity);
    buf_clear(&k->begun.position);
    buf_clear(&k->begun.oldest);
    k->err = ERR_INIT;
    enum sourced answer =
        k->source->ops->start(k->source, &from, &k->begun, wait_ms(10000), &k->err);
    if (answer == SOURCED_OK) {
        keep(k->position, sizeof(k->position), buf_str(&k->begun.position));
        keep(k->identity, sizeof(k->identity), buf_str(&k->begun.identity));
    }
    return answer;
}

enum sourced source_kit_start_first(struct source_kit *k)
{
    return start_from(k, STR(""), STR(""));
}

enum sourced source_kit_start(struct source_kit *k)
{
    char position[sizeof(k->position)];
    char identity[sizeof(k->identity)];

    (void)snprintf(position, sizeof(position), "%s", k->position);
    (void)snprintf(identity, sizeof(identity), "%s", k->identity);
    return start_from(k, str_of(position), str_of(identity));
}

enum sourced source_kit_next(struct source_kit *k, size_t max, int64_t ms)
{
    k->err = ERR_INIT;
    enum sourced answer = k->source->ops->next(k->source, max, &k->changes, wait_ms(ms), &k->err);

    if (answer == SOURCED_OK && k->changes.list.len > 0) {
        keep(k->position, sizeof(k->position), vec_last(&k->changes.list)->position);
    }
    if (answer == SOURCED_OK && k->changes.position.len > 0) {
        keep(k->position, sizeof(k->position), k->changes.position);
    }
    return answer;
}

static void print_columns(const struct change *ch, struct buf *out)
{
    static const char *const marks[COLUMN_TYPES] = {"0", "t", "n", "f", "j", "b", "u"};

    for (size_t i = 0; i < ch->column_count; i++) {
        buf_addf(out, "%s%.*s=%s%.*s", i > 0 ? "," : "", STR_FMT(ch->columns[i].name),
                 marks[ch->columns[i].type], STR_FMT(ch->columns[i].text));
    }
}

void source_kit_print(const struct changes *c, struct buf *out)
{
    for (size_t i = 0; i < c->list.len; i++) {
        const struct change *ch = &c->list.items[i];
        buf_addf(out, "%s%.*s@%.*s:", i > 0 ? " " : "", STR_FMT(ch->id), STR_FMT(ch->position));
        if (ch->form == CHANGE_ROW) {
            print_columns(ch, out);
        } else if (ch->form == CHANGE_EVENT) {
            buf_addf(out, "event %.*s", STR_FMT(ch->event->data));
        } else if (ch->form == CHANGE_BROKEN) {
            buf_addf(out, "broken %.*s", STR_FMT(ch->document));
        } else {
            buf_add_str(out, ch->document);
        }
    }
}

void source_kit_expect(struct source_kit *k, const char *expected)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    source_kit_print(&k->changes, &out);
    assert_string_equal(buf_text(&out), expected);
}
